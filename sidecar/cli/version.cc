#include "runtime/version.h"

#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/subcommand.h"
#include "http/operator_json.h"

namespace outbox::cli {
namespace {

template <class Adapter>
std::string list(std::span<const Adapter> adapters) {
  std::string result;
  for (const Adapter& adapter : adapters) {
    result += (result.empty() ? "" : ", ") + std::string(adapter.name);
    if (!adapter.missing.empty()) result += " (not in this build)";
  }
  return result;
}

template <class Adapter>
nlohmann::ordered_json names(std::span<const Adapter> adapters) {
  auto result = nlohmann::ordered_json::array();
  for (const Adapter& adapter : adapters)
    if (adapter.missing.empty()) result.push_back(adapter.name);
  return result;
}

}  // namespace

std::string version_line() {
  return "outboxd " + std::string(version());
}

void add_version(Subcommand app, Context& context) {
  auto command =
      app.add_command("version", "Prints the version, the databases and the brokers of this build");
  auto json = std::make_shared<bool>(false);
  command.add_flag("--json", *json, "As JSON");
  on_run(command, context, json, [](const Context& at, bool as_json) {
    const Wiring& wiring = at.wiring;
    if (as_json)
      wiring.out << json_text({{"version", version()},
                               {"databases", names(wiring.adapters.stores)},
                               {"brokers", names(wiring.adapters.brokers)}});
    else
      wiring.out << version_line() << "\ndatabases: " << list(wiring.adapters.stores)
                 << "\nbrokers:   " << list(wiring.adapters.brokers) << "\n";
    return exit_code::done;
  });
}

}  // namespace outbox::cli
