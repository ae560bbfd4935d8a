// How long a commit takes to wake PostgreSQL's store, and what its sleep costs. Starts its own server.
// Arguments: commits (500), mean pause between them in microseconds (10000), seconds of idleness (10).
#define DOCTEST_CONFIG_IMPLEMENT  // the fixture's library refers to it
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/conformance/postgresql_fixture.h"

using namespace outbox;
using namespace outbox::test;
using std::chrono::steady_clock;

namespace {

double cpu_seconds_of(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string word;
  double ticks = 0;
  for (int field = 1; file >> word && field <= 15; ++field)
    if (field >= 14) ticks += std::stod(word);
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

int failed(const Error& error) {
  std::fprintf(stderr, "%s\n", error.text.c_str());
  return 1;
}

void commit_now_and_then(const std::string& url, int commits, double pause) {
  const Sql service(url);
  std::mt19937 random(7);
  std::exponential_distribution<double> pauses(1 / pause);
  for (int i = 0; i < commits; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(static_cast<long>(pauses(random))));
    service.run("INSERT INTO outbox (topic, payload) VALUES ('t', '" +
                std::to_string(steady_clock::now().time_since_epoch().count()) + "')");
  }
}

}  // namespace

int main(int count, char** arguments) {
  const auto argument = [&](int i, int fallback) { return count > i ? std::stoi(arguments[i]) : fallback; };
  const int commits = argument(1, 500), idle = argument(3, 10);
  const double pause = argument(2, 10000);

  PostgresqlServer server({.fsync = false, .settings = {}});
  PostgresqlFixture fixture(server);
  const auto store = fixture.store();
  auto acquired = store->acquire(request_of("bench"));
  if (!acquired) return failed(acquired.error());
  Mark mark = std::get<Granted>(*acquired).mark;
  const std::string backend =
      Sql(fixture.url).run("SELECT pid FROM pg_stat_activity WHERE application_name = 'outboxd'");

  std::vector<double> times;
  std::jthread service([&] { commit_now_and_then(fixture.url, commits, pause); });
  while (times.size() < static_cast<std::size_t>(commits)) {
    if (auto woken = store->wait(std::chrono::seconds(5)); !woken) return failed(woken.error());
    const auto now = steady_clock::now();
    auto batch = store->read(mark, {1000, 1u << 20});
    if (!batch) return failed(batch.error());
    for (const Message& message : batch->messages) {
      const steady_clock::time_point begun{steady_clock::duration(std::stoll(std::string(message.payload)))};
      times.push_back(std::chrono::duration<double, std::milli>(now - begun).count());
    }
    mark = batch->end;
  }
  std::ranges::sort(times);
  std::printf("from before the INSERT to the end of wait: p50 %.3f ms, p99 %.3f ms, max %.3f ms\n",
              times[times.size() / 2], times[times.size() * 99 / 100], times.back());

  const double before = cpu_seconds_of("self") + cpu_seconds_of(backend);
  const auto end = steady_clock::now() + std::chrono::seconds(idle);
  while (steady_clock::now() < end) {
    if (auto woken = store->wait(std::chrono::seconds(1)); !woken) return failed(woken.error());
    auto batch = store->read(mark, {1000, 1u << 20});
    if (!batch) return failed(batch.error());
    mark = batch->end;
  }
  std::printf("idle: client and its session together %.2f %% of a core\n",
              100 * (cpu_seconds_of("self") + cpu_seconds_of(backend) - before) / idle);
}
