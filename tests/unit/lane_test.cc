// What a lane makes of what others ask of it, between a store and a broker that sleep until they are woken.
#include "runtime/lane.h"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "runtime_fakes.h"
#include "tests/support/captured_errors.h"
#include "tests/support/eventually.h"
#include "tests/support/rows.h"

using namespace outbox;
using namespace outbox::test;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::seconds soon{20};

struct Bench {
  Journal asked;
  Sleep store_sleep, broker_sleep;
  Lane lane{RelayOptions{}, "null:", std::make_unique<FakeStore>(asked, store_sleep),
            std::make_unique<FakeBroker>(broker_sleep), Lane::Hooks{[] {}, [] {}}};

  ~Bench() {
    store_sleep.end();
    broker_sleep.end();
  }

  void start() {
    lane.start();
    REQUIRE(eventually([&] { return asked.has("wait") && lane.holding(); }, soon));
  }
};

/// Rows of one topic, more and more of them.
class BusyStore : public FakeStore {
 public:
  using FakeStore::FakeStore;
  Result<Batch> read(const Mark& after, const ReadLimit&) override {
    auto rows = std::make_shared<Rows>(rows_of(1, 1, "order.placed"));
    Message message = rows->message(1);
    message.seq = after.seq + 1;
    Batch batch;
    batch.messages = {message};
    batch.memory = rows;
    batch.end = {"", message.seq};
    batch.more = true;
    return batch;
  }
};

/// A queue that is full, has room for one, is full again.
class FullNowAndThen : public FakeBroker {
 public:
  FullNowAndThen(Sleep& sleep, std::atomic<int>& refused) : FakeBroker(sleep), refused_(refused) {}
  void submit(std::span<const Submission> messages) override {
    for (const Submission& each : messages) {
      const bool has_room = !std::exchange(is_full_, !is_full_);
      if (!has_room) ++refused_;
      answers_.push_back(
          {each.ticket, has_room ? Verdict::accepted : Verdict::unavailable, "full", Scope::topic});
    }
  }
  void poll(Duration timeout, Answers& answers) override {
    if (!answers_.empty()) return answers_.swap(answers.deliveries);
    FakeBroker::poll(timeout, answers);
  }

 private:
  std::atomic<int>& refused_;
  bool is_full_ = true;
  std::vector<Delivery> answers_;
};

}  // namespace

TEST_CASE("a topic that is in trouble and out of it several times a second is told of once") {
  const CapturedErrors errors;
  Journal asked;
  Sleep store_sleep, broker_sleep;
  std::atomic<int> refused = 0;
  RelayOptions options;
  options.retry.backoff_min = options.retry.backoff_max = 1ms;
  Lane lane(options, "null:", std::make_unique<BusyStore>(asked, store_sleep),
            std::make_unique<FullNowAndThen>(broker_sleep, refused), Lane::Hooks{[] {}, [] {}});
  lane.start();
  CHECK(eventually([&] { return refused >= 20; }, soon));
  CHECK(errors.count("topic.trouble") < 5);  // 1 where the machine does not rest for a second
  CHECK(errors.count("topic.mended") < 5);
  store_sleep.end();
  broker_sleep.end();
}

TEST_CASE("an idle lane hears what is asked of it at once") {
  Bench bench;
  bench.start();
  bench.lane.stop();
  CHECK(eventually([&] { return bench.lane.finished(); }, soon));
  CHECK(bench.asked.has("release"));
}

TEST_CASE(
    "a lane whose shard another relay is to have gives the lease back, and takes it when it is asked to") {
  Bench bench;
  bench.start();
  bench.lane.set_wanted(false);
  CHECK(eventually([&] { return bench.asked.has("release") && !bench.lane.holding(); }, soon));
  bench.lane.set_wanted(true);
  CHECK(eventually([&] { return bench.lane.holding(); }, soon));
}

TEST_CASE("events take effect in the order in which they came") {
  Bench bench;
  bench.lane.set_wanted(false);
  bench.lane.set_wanted(true);
  bench.start();  // which finds both
}
