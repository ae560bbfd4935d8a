// One line per database adapter: the table in adapters/registry.cc is made of these.
#pragma once

#include "core/adapter.h"

namespace outbox {

StoreAdapter postgresql_adapter();
StoreAdapter sqlite_adapter();

}  // namespace outbox
