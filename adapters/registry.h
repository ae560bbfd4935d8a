// Every adapter of this build, in two plain tables.
#pragma once

#include <span>

#include "core/adapter.h"

namespace outbox {

std::span<const BrokerAdapter> broker_adapters();
std::span<const StoreAdapter> store_adapters();

}  // namespace outbox
