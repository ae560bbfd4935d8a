// What encoding costs per message. Whole adapters: `outboxd bench broker`, beside the bare loops.
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include "adapters/brokers/redis/xadd_encoder.h"
#include "adapters/common/event_line.h"
#include "tests/support/rows.h"

namespace outbox::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t window = 4096;
constexpr std::size_t rounds = 150;

/// 300 bytes of JSON, a key, one header: what a service sends.
Rows typical_rows() {
  Rows rows;
  for (std::size_t i = 0; i < window; ++i) {
    std::string payload = R"({"order":)" + std::to_string(100000 + i) + R"(,"lines":[)";
    while (payload.size() < 270) payload += R"({"sku":"A-17","price":12.50},)";
    payload.back() = ']';
    payload += '}';
    rows.add({.topic = "order.placed",
              .key = "customer-" + std::to_string(i % 997),
              .payload = payload,
              .headers = {{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}});
  }
  return rows;
}

double processor_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// The best of three runs, and the processor time of this process alone: on a busy machine only that can be
/// compared.
template <class Work>
void measure(const char* what, Work work) {
  constexpr double messages = static_cast<double>(window * rounds);
  double fastest = 1e9, cheapest = 1e9;
  for (int run = 0; run < 3; ++run) {
    const double processor = processor_seconds();
    const auto start = Clock::now();
    work();
    fastest = std::min(fastest, std::chrono::duration<double>(Clock::now() - start).count());
    cheapest = std::min(cheapest, processor_seconds() - processor);
  }
  std::printf("%-40s %10.0f messages/s  %7.1f ns of processor each\n", what, messages / fastest,
              1e9 * cheapest / messages);
  std::fflush(stdout);
}

void encode(const Rows& rows) {
  const auto messages = rows.submissions();
  XaddEncoder xadd("/bench", Attributes::full, 0, true);
  OutputBuffer output;
  measure("redis: encode", [&] {
    for (std::size_t round = 0; round < rounds; ++round) {
      for (const Submission& submission : messages) (void)xadd.append(output, *submission.message);
      output.clear();
    }
  });
  EventLine line("/bench", Attributes::full);
  std::string text;
  measure("file: encode", [&] {
    for (std::size_t round = 0; round < rounds; ++round) {
      for (const Submission& submission : messages) (void)line.append(text, *submission.message);
      text.clear();
    }
  });
}

}  // namespace
}  // namespace outbox::test

int main() {
  outbox::test::encode(outbox::test::typical_rows());
}
