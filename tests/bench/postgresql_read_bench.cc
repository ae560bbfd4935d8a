// How fast PostgreSQL's store reads a backlog when nobody publishes it: the ceiling of everything built on
// it. Starts its own server. Arguments: rows (1000000), batch (4096), payload bytes (300), rounds (5).
#define DOCTEST_CONFIG_IMPLEMENT  // the fixture's library refers to it
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "tests/conformance/postgresql_fixture.h"

using namespace outbox;
using namespace outbox::test;

namespace {

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

long resident_kilobytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::atol(line.c_str() + 6);
  return 0;
}

/// User and system time of a process of this machine.
double cpu_seconds_of(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string word;
  double ticks = 0;
  for (int field = 1; file >> word && field <= 15; ++field)
    if (field >= 14) ticks += std::atof(word.c_str());
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

int failed(const Error& error) {
  std::fprintf(stderr, "%s\n", error.text.c_str());
  return 1;
}

}  // namespace

int main(int count, char** arguments) {
  const auto argument = [&](int i, const char* fallback) {
    return std::string(count > i ? arguments[i] : fallback);
  };
  const std::string rows = argument(1, "1000000"), payload = argument(3, "300");
  const std::size_t batch_rows = std::stoul(argument(2, "4096"));
  const int rounds = std::stoi(argument(4, "5"));

  PostgresqlServer server({.fsync = false, .settings = {"shared_buffers=1GB", "max_wal_size=8GB"}});
  PostgresqlFixture fixture(server);
  const Sql sql(fixture.url);
  sql.run(
      "INSERT INTO outbox (topic, message_key, payload) SELECT 'order.placed', 'customer-' || i % 10000, "
      "decode(repeat('ab', " +
      payload + "), 'hex') FROM generate_series(1, " + rows + ") i");
  sql.run("VACUUM ANALYZE outbox");

  for (int round = 0; round < rounds; ++round) {
    const auto store = fixture.store();
    auto acquired = store->acquire(request_of("bench-" + std::to_string(round)));
    if (!acquired) return failed(acquired.error());
    const Lease lease = std::get<Granted>(*acquired).lease;
    Mark mark = std::get<Granted>(*acquired).mark;
    const std::string backend = sql.run(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'outboxd' AND state = 'idle' ORDER BY "
        "backend_start DESC LIMIT 1");
    const auto begin = std::chrono::steady_clock::now();
    const double cpu = cpu_seconds(), server_cpu = cpu_seconds_of(backend);
    std::size_t read = 0;
    unsigned sum = 0;
    std::chrono::duration<double> first{};
    for (;;) {
      auto batch = store->read(mark, {batch_rows, 16u << 20});
      if (!batch) return failed(batch.error());
      if (read == 0) first = std::chrono::steady_clock::now() - begin;
      for (const Message& message : batch->messages)
        for (const char c : message.payload) sum += static_cast<unsigned char>(c);
      read += batch->messages.size();
      mark = batch->end;
      if (!batch->more) break;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    const double million = static_cast<double>(read) / 1e6;
    std::printf(
        "%zu rows in %.3f s: %.0f rows/s; first batch after %.1f ms; CPU s per million: client %.2f, server "
        "%.2f; "
        "resident %ld kB (sum %u)\n",
        read, took.count(), static_cast<double>(read) / took.count(), first.count() * 1e3,
        (cpu_seconds() - cpu) / million, (cpu_seconds_of(backend) - server_cpu) / million,
        resident_kilobytes(), sum);
    if (auto done = store->release(lease); !done) return failed(done.error());
    sql.run("DELETE FROM outbox_mark");
  }
}
