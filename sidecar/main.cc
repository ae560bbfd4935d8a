// Arguments and wiring only; the only file that sees everything.
#include <unistd.h>

#include <iostream>
#include <string_view>

#include "adapters/registry.h"
#include "base/background.h"
#include "cli/cli.h"

namespace {

outbox::Environment environment() {
  outbox::Environment result;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) result.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace outbox;
  const Adapters adapters{broker_adapters(), store_adapters()};
  end_process(run_cli(argc, argv,
                      {.adapters = adapters,
                       .environment = environment(),
                       .in = std::cin,
                       .out = std::cout,
                       .err = std::cerr,
                       .run_relay = [&](const Config& config, const Reload& reload, bool once) {
                         return run_relay(config, reload, adapters, once);
                       }}));
}
