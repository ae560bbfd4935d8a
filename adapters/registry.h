// Every adapter of this build, in two plain tables.
#pragma once

#include <span>
#include <string_view>

#include "core/adapter.h"

namespace outbox {

std::span<const BrokerAdapter> broker_adapters();
std::span<const StoreAdapter> store_adapters();

/// The adapter for a URL's scheme; nullptr when there is none.
const BrokerAdapter* broker_adapter_for(std::string_view url);
const StoreAdapter* store_adapter_for(std::string_view url);

}  // namespace outbox
