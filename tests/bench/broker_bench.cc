// What the adapters themselves cost: encoding per message, and the Redis adapter beside a bare hiredis loop
// that sends the same fields with the same window to the same server.
#include <hiredis/hiredis.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "adapters/brokers/brokers.h"
#include "adapters/brokers/null/null_broker.h"
#include "adapters/brokers/redis/xadd_encoder.h"
#include "adapters/common/event_line.h"
#include "tests/conformance/broker_suite.h"
#include "tests/conformance/redis_reader.h"
#include "tests/support/redis_server.h"
#include "tests/support/rows.h"
#include "tests/support/temp_dir.h"

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

/// Keeps a window of messages in flight, as the runtime does.
void publish(Broker& broker, const Rows& rows) {
  const auto messages = rows.submissions();
  Answers answers;
  broker.connect();
  while (!answers.session) broker.poll(std::chrono::seconds(1), answers);
  if (answers.session->state != Session::State::up) std::printf("%s\n", answers.session->reason.c_str());
  std::size_t sent = 0, done = 0;
  const std::size_t total = window * rounds;
  while (done < total) {
    const std::size_t room = std::min(window - (sent - done), total - sent);
    for (std::size_t left = room; left > 0;) {
      const std::size_t at = sent % window, size = std::min(left, window - at);
      broker.submit(std::span(messages).subspan(at, size));
      sent += size;
      left -= size;
    }
    answers.clear();
    broker.poll(std::chrono::seconds(10), answers);
    done += answers.deliveries.size();
    if (count(answers.deliveries, Verdict::accepted) != answers.deliveries.size())
      std::printf("%s\n", answers.deliveries.front().reason.c_str());
  }
}

void bare_loop(int port, const Rows& rows) {
  redisContext* context = redisConnect("127.0.0.1", port);
  const auto messages = rows.submissions();
  std::size_t sent = 0, done = 0;
  const std::size_t total = window * rounds;
  while (done < total) {
    for (; sent < total && sent - done < window; ++sent) {
      const Message& message = *messages[sent % window].message;
      const std::string_view words[] = {"XADD",
                                        message.topic,
                                        "*",
                                        "ce_id",
                                        message.id_text(),
                                        "ce_source",
                                        "/bench",
                                        "ce_specversion",
                                        "1.0",
                                        "ce_type",
                                        message.type,
                                        "ce_time",
                                        "2026-01-31T23:59:59.000001Z",
                                        "ce_subject",
                                        *message.key,
                                        "ce_partitionkey",
                                        *message.key,
                                        "content-type",
                                        message.content_type,
                                        message.headers[0].name,
                                        message.headers[0].value,
                                        "data",
                                        message.payload};
      const char* texts[std::size(words)];
      std::size_t sizes[std::size(words)];
      for (std::size_t i = 0; i < std::size(words); ++i) {
        texts[i] = words[i].data();
        sizes[i] = words[i].size();
      }
      redisAppendCommandArgv(context, std::size(words), texts, sizes);
    }
    // Half of the window is read before the next half is written, so that the server is never idle.
    for (std::size_t n = std::min(window / 2, sent - done); n > 0; --n, ++done) {
      void* reply = nullptr;
      if (redisGetReply(context, &reply) != REDIS_OK) return;
      freeReplyObject(reply);
    }
  }
  redisFree(context);
}

int bench() {
  const Rows rows = typical_rows();
  encode(rows);
  {
    NullBroker broker;
    measure("null: submit and poll", [&] { publish(broker, rows); });
  }
  TempDir directory;
  {
    const auto broker = open_broker(file_adapter(), "file:" + directory / "orders.ndjson");
    measure("file: submit and poll, fdatasync", [&] { publish(*broker, rows); });
  }
  RedisServer server({.arguments = {"--save", "", "--appendonly", "no"}});
  const std::string url = server.url();
  RedisReader reader(server.port());
  for (int round = 0; round < 3; ++round) {
    reader.command({"FLUSHALL"});
    measure("redis: bare hiredis loop", [&] { bare_loop(server.port(), rows); });
    reader.command({"FLUSHALL"});
    measure("redis: adapter", [&] { publish(*open_broker(redis_adapter(), url), rows); });
  }
  return 0;
}

}  // namespace
}  // namespace outbox::test

int main() {
  return outbox::test::bench();
}
