// <name>_adapter() of every broker in brokers.list: the table in adapters/registry.cc is made of these.
#pragma once

#include "core/adapter.h"

namespace outbox {

#define OUTBOX_BROKER(name) BrokerAdapter name##_adapter();
#include "adapters/brokers/brokers.inc"
#undef OUTBOX_BROKER

}  // namespace outbox
