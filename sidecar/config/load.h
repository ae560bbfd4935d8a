// Fills the configuration: flag over environment over file over default. All faults at once. Any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/interpolate.h"
#include "core/adapter.h"

namespace outbox {

/// A value from the command line.
struct Flag {
  std::string name;  ///< "--db": faults name it
  std::string key;   ///< "database.url", or "route.to": the one route's broker
  std::string value;
};

struct Sources {
  std::optional<std::string> file;  ///< path; TOML or JSON
  Environment environment;          ///< all of it: OUTBOXD_* are keys, the others serve references
  std::vector<Flag> flags;
  std::span<const BrokerAdapter> brokers;
  std::span<const StoreAdapter> stores;
  bool database_required = true;  ///< false: a missing database.url is no fault
  bool routes_required = true;    ///< false: no route is no fault
};

struct Loaded {
  Config config;  ///< usable only when there are no faults
  /// `file:line:column: key: what is wrong, what is allowed`, `environment: VARIABLE: ...` or `--flag: ...`;
  /// in the order of the file, then environment, then flags, then what concerns no place. No secrets.
  std::vector<std::string> faults;
};

Loaded load_config(const Sources& sources);

/// The environment variable that is no key but says which file to load.
inline constexpr std::string_view config_file_variable = "OUTBOXD_CONFIG";

/// Every key with its default and documentation, as a TOML file.
std::string documented_defaults(std::span<const BrokerAdapter> brokers);

}  // namespace outbox
