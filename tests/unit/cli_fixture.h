// For the tests of the command line: the program with a database and brokers that are only played.
#pragma once

#include <array>
#include <fstream>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "cli/cli.h"
#include "core/admin.h"
#include "tests/unit/fake_admin.h"

namespace outbox::test {

/// "fakes:down" is refused, "fakes:silent" never answers, all others are up.
class FakeBroker : public Broker {
 public:
  explicit FakeBroker(std::string url) : url_(std::move(url)) {}
  [[nodiscard]] Traits traits() const override { return {}; }
  void connect() override {}
  void submit(std::span<const Submission>) override {}
  void poll(Duration, Answers& answers) override {
    if (url_ == "fakes:down")
      answers.session = Session{Session::State::down, "refused"};
    else if (url_ != "fakes:silent")
      answers.session = Session{Session::State::up, ""};
  }
  void wake() noexcept override {}

 private:
  std::string url_;
};

struct CliSetup {
  Environment environment{};
  FakeDatabase* database = nullptr;
  std::string input{};
  Result<bool> relay = true;
};

struct Ran {
  int code = 0;
  std::string out, err;
  std::optional<Config> relay;  ///< what the relay was run with
  bool once = false;
};

inline Ran outboxd(const std::vector<std::string>& arguments, const CliSetup& setup = {}) {
  static const std::array migrations = {Migration{1, "outbox", "c1", "CREATE 1;", "DROP 1;"},
                                        Migration{2, "more", "c2", "CREATE 2;", "DROP 2;"}};
  FakeDatabase own;
  FakeDatabase* database = setup.database ? setup.database : &own;
  const std::array stores = {StoreAdapter{"fake",
                                          {"fake", "postgresql"},
                                          migrations,
                                          nullptr,
                                          [database](const StoreTarget&) -> Result<std::unique_ptr<Admin>> {
                                            return std::unique_ptr<Admin>(new FakeAdmin(*database));
                                          },
                                          {}}};
  const std::array brokers = {
      BrokerAdapter{"fakes",
                    {"fakes", "redis", "rediss", "nats", "tls", "mqtt", "kafka", "amqp", "https"},
                    {},
                    [](const BrokerTarget& target) -> Result<std::unique_ptr<Broker>> {
                      return std::unique_ptr<Broker>(new FakeBroker(target.url));
                    },
                    {},
                    [](const BrokerTarget&, std::span<const std::string> topics, Duration) {
                      std::vector<Finding> findings;
                      for (const std::string& topic : topics)
                        findings.push_back({Finding::Level::warning, "topic " + topic + " is in memory only",
                                            "keep it on disk"});
                      return findings;
                    }}};
  std::istringstream in(setup.input);
  std::ostringstream out, err;
  Ran ran;
  const Wiring wiring{{brokers, stores},
                      setup.environment,
                      in,
                      out,
                      err,
                      [&](const Config& config, const Reload&, bool once) {
                        ran.relay = config;
                        ran.once = once;
                        return setup.relay;
                      }};
  std::vector<const char*> argv = {"outboxd"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  ran.code = run_cli(static_cast<int>(argv.size()), argv.data(), wiring);
  ran.out = out.str();
  ran.err = err.str();
  return ran;
}

}  // namespace outbox::test
