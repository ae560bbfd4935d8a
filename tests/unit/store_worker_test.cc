#include "runtime/store_worker.h"

#include <doctest/doctest.h>

#include <memory>

#include "runtime_fakes.h"
#include "tests/support/eventually.h"

using namespace outbox;
using namespace outbox::test;
using namespace std::chrono_literals;

namespace {

constexpr std::chrono::seconds soon{20};

/// A worker and what it answers: "wait", "settle", ... by the kind of event.
struct Bench {
  Journal asked, answered;
  Sleep sleep;
  StoreWorker worker{std::make_unique<FakeStore>(asked, sleep), [this](Event event) {
                       if (std::holds_alternative<WaitAnswer>(event)) answered.add("wait");
                       if (std::holds_alternative<SettleAnswer>(event)) answered.add("settle");
                       if (std::holds_alternative<ReadAnswer>(event)) answered.add("read");
                     }};
  ~Bench() { sleep.end(); }
};

Commands only_wait() {
  Commands commands;
  commands.wait = 1h;
  return commands;
}

}  // namespace

TEST_CASE("a command that comes while the store sleeps wakes it and is carried out") {
  Bench bench;
  Commands sleep = only_wait();
  bench.worker.accept(sleep);
  REQUIRE(eventually([&] { return bench.asked.has("wait"); }, soon));
  Commands settle;
  settle.settle.emplace();
  bench.worker.accept(settle);
  CHECK(eventually([&] { return bench.answered.has("settle"); }, soon));
  CHECK(bench.answered.words() == std::vector<std::string>{"wait", "settle"});
}

TEST_CASE("commands are carried out in their order, and each is answered once") {
  Bench bench;
  Commands commands = only_wait();
  commands.settle.emplace();
  commands.read.emplace();
  bench.worker.accept(commands);
  REQUIRE(eventually([&] { return bench.asked.has("wait"); }, soon));
  bench.sleep.wake();
  CHECK(eventually([&] { return bench.answered.has("wait"); }, soon));
  CHECK(bench.answered.words() == std::vector<std::string>{"settle", "read", "wait"});
}

TEST_CASE("a store is not let sleep when something is to be done") {
  Bench bench;
  Commands first = only_wait(), second;
  first.read.emplace();
  second.settle.emplace();
  bench.worker.accept(first);
  bench.worker.accept(second);
  CHECK(eventually([&] { return bench.answered.has("settle"); }, soon));
}
