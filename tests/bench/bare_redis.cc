// The measure that the Redis adapter is held against: nothing but hiredis, sending the messages that `outboxd
// bench` sends, as fast as one connection takes them with so many in flight.
// Usage: bare_redis HOST PORT MESSAGES PAYLOAD_BYTES KEYS WINDOW sliding|halves
#include <hiredis/hiredis.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Message {
  std::string id = "00000000-0000-4000-8000-000000000000";
  std::string key;
  std::string payload;
};

class Connection {
 public:
  Connection(const char* host, int port) : context_(redisConnect(host, port)) {
    if (!context_ || context_->err) fail(context_ ? context_->errstr : "no memory");
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { redisFree(context_); }

  void append(const Message& message) {
    const std::array<std::string_view, 21> words = {"XADD",
                                                    "bench",
                                                    "*",
                                                    "ce_id",
                                                    message.id,
                                                    "ce_source",
                                                    "outboxd/bench",
                                                    "ce_specversion",
                                                    "1.0",
                                                    "ce_type",
                                                    "bench.happened",
                                                    "ce_time",
                                                    "2026-01-31T12:00:00.000000Z",
                                                    "ce_subject",
                                                    message.key,
                                                    "ce_partitionkey",
                                                    message.key,
                                                    "content-type",
                                                    "application/json",
                                                    "data",
                                                    message.payload};
    std::array<const char*, words.size()> texts;
    std::array<std::size_t, words.size()> lengths;
    for (std::size_t i = 0; i < words.size(); ++i) {
      texts[i] = words[i].data();
      lengths[i] = words[i].size();
    }
    if (redisAppendCommandArgv(context_, static_cast<int>(words.size()), texts.data(), lengths.data()) !=
        REDIS_OK)
      fail(context_->errstr);
  }

  void take_reply() {
    void* answer = nullptr;
    if (redisGetReply(context_, &answer) != REDIS_OK) fail(context_->errstr);
    auto* reply = static_cast<redisReply*>(answer);
    if (reply->type == REDIS_REPLY_ERROR) fail(reply->str);
    freeReplyObject(reply);
  }

 private:
  [[noreturn]] static void fail(const char* why) {
    std::fprintf(stderr, "bare_redis: %s\n", why);
    std::exit(1);
  }

  redisContext* context_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) {
    std::fprintf(stderr, "usage: bare_redis HOST PORT MESSAGES PAYLOAD_BYTES KEYS WINDOW sliding|halves\n");
    return 2;
  }
  const long count = std::atol(argv[3]);
  const long keys = std::atol(argv[5]);
  const long window = std::atol(argv[6]);
  const bool sliding = std::string_view(argv[7]) == "sliding";
  Connection redis(argv[1], std::atoi(argv[2]));
  Message message;
  message.payload.assign(static_cast<std::size_t>(std::atol(argv[4])), 'x');
  std::vector<std::string> key_texts;
  for (long i = 0; i < keys; ++i) key_texts.push_back("key-" + std::to_string(i));

  const auto begun = std::chrono::steady_clock::now();
  long in_flight = 0;
  for (long sent = 0; sent < count || in_flight > 0;) {
    while (sent < count && in_flight < window) {
      std::snprintf(&message.id[24], 13, "%012lx", static_cast<unsigned long>(sent));
      message.key = key_texts[static_cast<std::size_t>(sent % keys)];
      redis.append(message);
      ++sent;
      ++in_flight;
    }
    // Sliding: the next message takes the place of each that is answered. Halves: half a window of answers,
    // then half a window of messages.
    const long answers = sliding ? 1 : std::min(in_flight, std::max(window / 2, 1L));
    for (long i = 0; i < answers; ++i) redis.take_reply();
    in_flight -= answers;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::printf("{\"messages_per_second\": %.0f}\n", static_cast<double>(count) / seconds);
  return 0;
}
