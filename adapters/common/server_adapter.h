// How an adapter whose broker is a server registers: from its settings, its class and its check, or, in a
// build without its library, from its settings alone.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/common/server_settings.h"
#include "adapters/common/tls.h"
#include "base/wakeup.h"
#include "core/adapter.h"

namespace outbox {

/// `kind` must outlive the adapter. ServerClass is made of Settings and the target. `check`: as
/// BrokerAdapter::check has it; the target is marked as a probe.
template <class ServerClass, class Settings>
BrokerAdapter server_adapter(const ServerKind& kind, std::span<const SettingSpec> specs,
                             Result<Settings> (*parse)(const BrokerTarget&),
                             std::vector<Finding> (*check)(const Settings&, const BrokerTarget&,
                                                           std::span<const std::string>, Duration)) {
  const auto open = [&kind, parse](const BrokerTarget& target) -> Result<std::unique_ptr<Broker>> {
    auto settings = parse(target);
    if (!settings) return settings.error();
    if (const std::string missing = tls_missing(kind);
        settings->is_tls && !kind.has_own_tls && !missing.empty())
      return kind.misconfigured(missing);
    return std::unique_ptr<Broker>(std::make_unique<ServerClass>(std::move(*settings), target));
  };
  const auto run_check = [parse, check](const BrokerTarget& target, std::span<const std::string> topics,
                                        Duration limit) -> std::vector<Finding> {
    BrokerTarget probe = target;
    probe.probe = true;
    const auto settings = parse(probe);
    if (!settings)
      return {{Finding::Level::fault, settings.error().text, "correct the route's URL or settings"}};
    ignore_write_signals();
    return check(*settings, probe, topics, limit);
  };
  return {.name = kind.name,
          .schemes = {kind.scheme, kind.tls_scheme},
          .settings = specs,
          .open = open,
          .check = run_check};
}

/// Stands in for the adapter; CMake's outbox_broker() writes the call. `missing`: the library, and what to
/// do.
inline BrokerAdapter adapter_without_library(const ServerKind& kind, std::span<const SettingSpec> specs,
                                             std::string_view missing) {
  const auto open = [&kind, missing](const BrokerTarget&) -> Result<std::unique_ptr<Broker>> {
    return kind.misconfigured(std::string(missing));
  };
  return {.name = kind.name,
          .schemes = {kind.scheme, kind.tls_scheme},
          .settings = specs,
          .open = open,
          .missing = missing};
}

}  // namespace outbox
