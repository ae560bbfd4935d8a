// How an adapter describes itself: name, URL schemes, settings, how to open it. adapters/registry.h lists
// them all.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "core/admin.h"
#include "core/broker.h"
#include "core/store.h"
#include "core/url.h"

namespace outbox {

/// One key of [route.<adapter>], checked by the configuration before the adapter sees it.
struct SettingSpec {
  enum class Kind { text, integer, boolean, duration, choice };
  std::string_view key;
  Kind kind = Kind::text;
  std::string_view fallback;   ///< the default, written as in the configuration
  std::string_view choices{};  ///< for choice: "a|b|c"
  std::int64_t min = 0;        ///< for integer
  std::int64_t max = INT64_MAX;
  bool secret = false;   ///< never shown
  std::string_view doc;  ///< one line with the unit
};

using SettingValue = std::variant<std::string, std::int64_t, bool, Duration>;
using Settings = std::map<std::string, SettingValue, std::less<>>;  ///< every key of the specs is present

/// Which attributes travel with a message beside its own headers.
enum class Attributes { full, minimal };

struct BrokerTarget {
  std::string url;     ///< with secrets; never log it
  std::string source;  ///< CloudEvents source
  Attributes attributes = Attributes::full;
  Settings settings;
  bool probe = false;  ///< only to see whether a session can be had, perhaps beside a relay that has one
  int sessions = 1;    ///< how many the route opens beside each other, one per shard
};

struct BrokerAdapter {
  std::string_view name;
  std::vector<std::string_view> schemes;  ///< "redis" for redis://..., "file" for file:...
  std::span<const SettingSpec> settings;
  /// Does not connect. Errors: misconfigured, for a URL or settings that can never work.
  std::function<Result<std::unique_ptr<Broker>>(const BrokerTarget&)> open;
  std::string_view missing{};  ///< not empty: built without its library; says which and what to install
  /// For `outboxd check`: what a session alone does not show. Opens a connection of its own, may block up to
  /// about `limit`, changes nothing on the server; called after a session came up. `topics`: those that the
  /// route names in full. One finding for each topic that is not there or refused, for the size limit, and
  /// for each server setting that makes an acknowledgement weaker than it looks, with its fix.
  std::function<std::vector<Finding>(const BrokerTarget&, std::span<const std::string> topics,
                                     Duration limit)>
      check{};
};

struct StoreTarget {
  std::string url;    ///< with secrets; never log it
  std::string table;  ///< outbox.table, validated: [schema.]name
};

struct StoreAdapter {
  std::string_view name;
  std::vector<std::string_view> schemes;
  std::span<const Migration> migrations;
  /// None of them connects. Errors: misconfigured, for a URL that can never work.
  std::function<Result<std::unique_ptr<Store>>(const StoreTarget&)> open_store;
  std::function<Result<std::unique_ptr<Admin>>(const StoreTarget&)> open_admin;
  std::string_view missing{};
};

/// What a build has. The tables outlive all that is opened by them.
struct Adapters {
  std::span<const BrokerAdapter> brokers;
  std::span<const StoreAdapter> stores;
};

/// The adapter that a URL's scheme names; nullptr when there is none.
template <class Adapter>
const Adapter* adapter_for(std::span<const Adapter> adapters, std::string_view url) {
  const std::string scheme = scheme_of(url);
  for (const Adapter& adapter : adapters)
    if (std::ranges::find(adapter.schemes, scheme) != adapter.schemes.end()) return &adapter;
  return nullptr;
}

}  // namespace outbox
