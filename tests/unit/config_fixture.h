// For the tests of the configuration: two stores and three brokers that open nothing, and files that vanish.
#pragma once

#include <array>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "config/load.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {

inline constexpr std::array redis_settings = {
    SettingSpec{.key = "maxlen",
                .kind = SettingSpec::Kind::integer,
                .fallback = "0",
                .min = 0,
                .max = 1000,
                .doc = "entries"},
    SettingSpec{
        .key = "timeout", .kind = SettingSpec::Kind::duration, .fallback = "5s", .doc = "for an answer"},
    SettingSpec{
        .key = "mode", .kind = SettingSpec::Kind::choice, .fallback = "a", .choices = "a|b", .doc = "how"},
    SettingSpec{
        .key = "password", .kind = SettingSpec::Kind::text, .fallback = "", .secret = true, .doc = "secret"},
    SettingSpec{.key = "trim", .kind = SettingSpec::Kind::boolean, .fallback = "false", .doc = "cut"},
};
inline constexpr std::array file_settings = {
    SettingSpec{.key = "sync", .kind = SettingSpec::Kind::boolean, .fallback = "true", .doc = "fsync"}};

inline std::span<const BrokerAdapter> brokers() {
  static const std::array adapters = std::to_array<BrokerAdapter>({
      {"redis", {"redis", "rediss"}, redis_settings, nullptr, {}},
      {"file",
       {"file"},
       file_settings,
       [](const BrokerTarget& target) -> Result<std::unique_ptr<Broker>> {
         if (target.url == "file:") return Error{Fault::misconfigured, "file: names no file"};
         return std::unique_ptr<Broker>();
       },
       {}},
      {"kafka", {"kafka"}, {}, nullptr, "librdkafka was not found; apt-get install librdkafka-dev"},
  });
  return adapters;
}

inline std::span<const StoreAdapter> stores() {
  static const std::array adapters = std::to_array<StoreAdapter>({
      {"postgresql", {"postgresql", "postgres"}, {}, nullptr, nullptr, {}},
      {"sqlite", {"sqlite"}, {}, nullptr, nullptr, {}},
  });
  return adapters;
}

class Folder : public TempDir {
 public:
  std::string write(const std::string& name, std::string_view content) const {
    const std::string path = *this / name;
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
};

struct Setup {
  std::string file{};  ///< content; empty: no file
  Environment environment{};
  std::vector<Flag> flags{};
  bool routes_required = true;
};

/// Loads; the file's path is cut from the faults, so that they begin with "FILE:".
inline Loaded load(const Setup& given) {
  const Folder folder;
  Sources sources;
  sources.environment = given.environment;
  sources.flags = given.flags;
  sources.brokers = brokers();
  sources.stores = stores();
  sources.routes_required = given.routes_required;
  if (!given.file.empty()) sources.file = folder.write("outboxd.conf", given.file);
  Loaded loaded = load_config(sources);
  for (std::string& fault : loaded.faults)
    if (sources.file && fault.starts_with(*sources.file)) fault.replace(0, sources.file->size(), "FILE");
  return loaded;
}

inline std::string joined(const std::vector<std::string>& lines) {
  std::string result;
  for (const std::string& line : lines) result += line + "\n";
  return result;
}

inline const std::string right_file = R"([database]
url = "postgresql://orders:pw@localhost/orders"

[outbox]
table = "app.outbox"
retention = "2h"

[relay]
window = 128
source = "/orders"

[retry]
on_dead = "block"

[[route]]
name = "orders"
to = "redis://:pw@localhost:6379"
topics = ["order.*", "cart"]
start = "now"
headers = "minimal"
[route.redis]
maxlen = 100
timeout = "1s"

[[route]]
name = "audit"
to = "file:/tmp/audit.ndjson"
)";

}  // namespace outbox::test
