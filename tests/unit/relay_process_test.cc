// What a process logs and shows of its routes, over a database that answers and a broker that does not.
#include "runtime/relay_process.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "runtime_fakes.h"
#include "tests/support/captured_errors.h"
#include "tests/support/eventually.h"

using namespace outbox;
using namespace outbox::test;
using namespace std::chrono_literals;

namespace {

/// Nobody can log in to it.
class LockedBroker : public FakeBroker {
 public:
  using FakeBroker::FakeBroker;
  void poll(Duration timeout, Answers& answers) override {
    FakeBroker::poll(timeout, answers);
    if (answers.session) answers.session = Session{Session::State::misconfigured, "wrong password"};
  }
};

struct Bench {
  Journal asked;
  Sleep store_sleep, broker_sleep;
  std::unique_ptr<RelayProcess> process;
  std::thread runs;

  Bench() {
    ProcessOptions options;
    options.trouble_again = 1ms;
    options.lease = 10s;
    RelayOptions route;
    route.route = "orders";
    std::vector<LanePlan> lanes;
    lanes.push_back({std::move(route), "null:", std::make_unique<FakeStore>(asked, store_sleep),
                     std::make_unique<LockedBroker>(broker_sleep)});
    process = std::make_unique<RelayProcess>(std::move(options), std::move(lanes), [] {
      return Result<std::unique_ptr<Admin>>(Error{Fault::unavailable, "away"});
    });
    runs = std::thread([this] { process->run(); });
  }
  ~Bench() {
    process->request_stop();
    runs.join();
    store_sleep.end();
    broker_sleep.end();
  }
};

}  // namespace

TEST_CASE("a trouble that lasts is told of again, with its beginning, its reason and what waits") {
  const CapturedErrors errors;
  Bench bench;
  CHECK(
      errors.show("error   route.state route=orders state=misconfigured to=null: reason=\"wrong password\""));
  CHECK(errors.show("warning route.trouble route=orders state=misconfigured since=2"));
  CHECK(errors.show("pending=0 oldest_pending_age_seconds=0 held=0 reason=\"wrong password\""));
}

TEST_CASE("the last error has its time") {
  const CapturedErrors errors;
  Bench bench;
  CHECK(eventually(
      [&] {
        const RouteStatus route = bench.process->status().routes.at(0);
        return route.last_error == "wrong password" && route.last_error_at.starts_with("2");
      },
      20s));
}
