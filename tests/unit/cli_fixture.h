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
#include "tests/unit/fake_operator.h"

namespace outbox::test {

/// What the played database has and is asked for; outlives the commands that use it.
struct FakeDatabase {
  std::optional<Error> error;
  std::vector<AppliedMigration> applied;
  std::vector<NewRow> sent;
  FakeRows rows;  ///< what operators see
  std::vector<Finding> findings = {{Finding::Level::ok, "table outbox", ""}};
  bool unsent = false;
};

class FakeAdmin : public Admin {
 public:
  explicit FakeAdmin(FakeDatabase& database) : database_(database) {}

  Result<std::vector<Finding>> check() override { return or_error(database_.findings); }
  Result<std::string> send(const NewRow& row) override {
    if (database_.error) return *database_.error;
    database_.sent.push_back(row);
    return row.id.value_or("00000000-0000-4000-8000-000000000000");
  }
  Result<void> send_many(const NewRow& row, std::int64_t count, std::int64_t) override {
    database_.sent.insert(database_.sent.end(), static_cast<std::size_t>(count), row);
    return {};
  }
  Result<std::vector<AppliedMigration>> migrations() override { return or_error(database_.applied); }
  Result<bool> apply(const Migration& migration) override {
    database_.applied.push_back(
        {migration.version, migration.name, migration.checksum, "2026-01-31T10:00:00Z"});
    return true;
  }
  Result<void> revert(const Migration&, bool force) override {
    if (database_.unsent && !force) return Error{Fault::refused, "3 rows are unsent; --force drops them"};
    database_.applied.pop_back();
    return {};
  }

 private:
  template <class T>
  Result<T> or_error(const T& value) {
    if (database_.error) return *database_.error;
    return value;
  }

  FakeDatabase& database_;
};

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
  int relay_code = 0;
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
  const std::array stores = {
      StoreAdapter{"fake",
                   {"fake"},
                   migrations,
                   nullptr,
                   [database](const StoreTarget&) -> Result<std::unique_ptr<Admin>> {
                     return std::unique_ptr<Admin>(new FakeAdmin(*database));
                   },
                   {},
                   [database](const StoreTarget&) -> Result<std::unique_ptr<Operator>> {
                     return std::unique_ptr<Operator>(new FakeOperator(database->rows));
                   },
                   [database](const StoreTarget&) -> Result<std::unique_ptr<Upkeep>> {
                     return std::unique_ptr<Upkeep>(new FakeUpkeep(database->rows));
                   }}};
  const std::array brokers = {
      BrokerAdapter{"fakes",
                    {"fakes"},
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
  const Wiring wiring{
      brokers, stores, setup.environment, in, out, err, [&](const Config& config, const Reload&, bool once) {
        ran.relay = config;
        ran.once = once;
        return setup.relay_code;
      }};
  std::vector<const char*> argv = {"outboxd"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  ran.code = run_cli(static_cast<int>(argv.size()), argv.data(), wiring);
  ran.out = out.str();
  ran.err = err.str();
  return ran;
}

}  // namespace outbox::test
