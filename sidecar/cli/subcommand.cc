#include "cli/subcommand.h"

#include <pwd.h>
#include <unistd.h>

#include <array>

namespace outbox::cli {
namespace {

std::string key_and_value(const std::string& text) {
  const auto equals = text.find('=');
  return equals == 0 || equals == std::string::npos ? "write it as key=value, as in relay.window=1000" : "";
}

}  // namespace

void add_config_options(Subcommand command, CommonOptions& options) {
  command.add_option("--config", options.file, "Configuration file, TOML or JSON (also: OUTBOXD_CONFIG)")
      .type_name("FILE");
  command.add_option("--set", options.set, "Overrides one key of the configuration, as in relay.window=1000")
      .type_name("KEY=VALUE")
      .check(key_and_value);
}

void add_database_option(Subcommand command, CommonOptions& options) {
  command
      .add_option("--db", options.database_url,
                  "Database (overrides database.url): postgresql://... or sqlite:path")
      .type_name("URL");
}

void add_listen_option(Subcommand command, CommonOptions& options) {
  command.add_option("--listen", options.listen, "The relay's HTTP address (overrides http.listen)")
      .type_name("HOST:PORT");
}

Loaded load(const Context& context, const CommonOptions& options, Need need) {
  Sources sources;
  sources.environment = context.wiring.environment;
  sources.brokers = context.wiring.adapters.brokers;
  sources.stores = context.wiring.adapters.stores;
  sources.database_required = need != Need::nothing;
  sources.routes_required = need == Need::relay;
  const auto variable = sources.environment.find(config_file_variable);
  if (!options.file.empty())
    sources.file = options.file;
  else if (variable != sources.environment.end() && !variable->second.empty())
    sources.file = variable->second;

  for (const std::string& item : options.set) {
    const auto equals = item.find('=');
    sources.flags.push_back(
        {"--set " + item.substr(0, equals), item.substr(0, equals), item.substr(equals + 1)});
  }
  if (options.database_url) sources.flags.push_back({"--db", "database.url", *options.database_url});
  if (options.to) sources.flags.push_back({"--to", "route.to", *options.to});
  if (options.listen) sources.flags.push_back({"--listen", "http.listen", *options.listen});
  return load_config(sources);
}

std::optional<Config> configure(const Context& context, const CommonOptions& options, Need need) {
  Loaded loaded = load(context, options, need);
  if (loaded.faults.empty()) return std::move(loaded.config);
  for (const std::string& fault : loaded.faults) context.wiring.err << printable(fault) << "\n";
  return std::nullopt;
}

const StoreAdapter& store_adapter(const Context& context, const Config& config) {
  return *adapter_for(context.wiring.adapters.stores, config.database_url);
}

Result<std::unique_ptr<Admin>> open_admin(const Context& context, const Config& config) {
  return store_adapter(context, config).open_admin({config.database_url, config.table});
}

std::string this_actor() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 4096> memory;
  ::getpwuid_r(::geteuid(), &entry, memory.data(), memory.size(), &found);
  const std::string user = found ? found->pw_name : std::to_string(::geteuid());
  return "cli:" + user + "@" + host.data();
}

int fail(const Context& context, const Error& error) {
  context.wiring.err << "outboxd: " << printable(error.text) << "\n";
  return exit_code::of(error.fault);
}

}  // namespace outbox::cli
