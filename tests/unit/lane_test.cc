// What a lane makes of what others ask of it, between a store and a broker that sleep until they are woken.
#include "runtime/lane.h"

#include <doctest/doctest.h>

#include <memory>

#include "runtime_fakes.h"
#include "tests/support/eventually.h"

using namespace outbox;
using namespace outbox::test;

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

}  // namespace

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
