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
#include "tests/support/rows.h"

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

/// Has ten rows.
class TenRows : public FakeStore {
 public:
  using FakeStore::FakeStore;
  Result<Batch> read(const Mark& after, const ReadLimit& limit) override {
    if (after.seq > 0) return FakeStore::read(after, limit);
    auto rows = std::make_shared<Rows>(rows_of(10, 10, "order.placed"));
    Batch batch;
    for (int number = 1; number <= 10; ++number) batch.messages.push_back(rows->message(number));
    batch.memory = rows;
    batch.end = {"", 10};
    return batch;
  }
};

/// Takes everything.
class OpenBroker : public FakeBroker {
 public:
  using FakeBroker::FakeBroker;
  void submit(std::span<const Submission> messages) override {
    for (const Submission& each : messages) answers_.push_back({each.ticket, Verdict::accepted, "", {}});
  }
  void poll(Duration timeout, Answers& answers) override {
    if (!answers_.empty()) return answers_.swap(answers.deliveries);
    FakeBroker::poll(timeout, answers);
  }

 private:
  std::vector<Delivery> answers_;
};

/// A route of so many shards.
template <class StoreType, class BrokerType>
struct Bench {
  Journal asked;
  std::vector<std::unique_ptr<Sleep>> sleeps;
  std::unique_ptr<RelayProcess> process;
  std::thread runs;

  explicit Bench(int shards = 1) {
    ProcessOptions options;
    options.trouble_again = 1ms;
    options.lease = 10s;
    std::vector<LanePlan> lanes;
    for (int shard = 0; shard < shards; ++shard) {
      RelayOptions route;
      route.route = "orders";
      route.filter.shard = shard;
      route.filter.shards = shards;
      lanes.push_back({std::move(route), "null:", std::make_unique<StoreType>(asked, sleep()),
                       std::make_unique<BrokerType>(sleep())});
    }
    process = std::make_unique<RelayProcess>(std::move(options), std::move(lanes), [] {
      return Result<std::unique_ptr<Admin>>(Error{Fault::unavailable, "away"});
    });
    runs = std::thread([this] { process->run(); });
  }
  ~Bench() {
    process->request_stop();
    runs.join();
    for (const auto& each : sleeps) each->end();
  }
  Sleep& sleep() { return *sleeps.emplace_back(std::make_unique<Sleep>()); }
};

}  // namespace

TEST_CASE("a trouble that lasts is told of again, with its beginning, its reason and what waits") {
  const CapturedErrors errors;
  Bench<FakeStore, LockedBroker> bench;
  CHECK(
      errors.show("error   route.state route=orders state=misconfigured to=null: reason=\"wrong password\""));
  CHECK(errors.show("warning route.trouble route=orders state=misconfigured since=2"));
  CHECK(errors.show("pending=0 oldest_pending_age_seconds=0 held=0 reason=\"wrong password\""));
}

TEST_CASE("the last error has its time") {
  const CapturedErrors errors;
  Bench<FakeStore, LockedBroker> bench;
  CHECK(eventually(
      [&] {
        const RouteStatus route = bench.process->status().routes.at(0);
        return route.last_error == "wrong password" && route.last_error_at.starts_with("2");
      },
      20s));
}

TEST_CASE("a route is shown with what all its shards have counted") {
  Bench<TenRows, OpenBroker> bench(2);
  const auto route = [&] { return bench.process->status().routes.at(0); };
  CHECK(eventually([&] { return route().sent_total == 10; }, 20s));
  CHECK(bench.process->status().routes.size() == 1);
  CHECK(route().sent_bytes_total > 0);
  CHECK(route().leases.size() == 2);
}
