// From the configuration to relays that can run: adapters opened, nothing connected, nothing started. Any
// thread.
#pragma once

#include <memory>

#include "base/result.h"
#include "config/config.h"
#include "core/adapter.h"
#include "runtime/relay_process.h"

namespace outbox {

/// Errors: misconfigured, for what can never work. The stores of `adapters` must outlive the process.
Result<std::unique_ptr<RelayProcess>> assemble(const Config& config, const Adapters& adapters, bool once);

}  // namespace outbox
