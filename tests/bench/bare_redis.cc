// hiredis alone. MORE: "sliding", where the next message takes the place of each that is answered, or
// "halves": half a window of answers, then half a window of messages.
#include <hiredis/hiredis.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "tests/bench/bare_loop.h"

namespace {

class Connection {
 public:
  explicit Connection(const Arguments& arguments)
      : context_(redisConnect(arguments.host.c_str(), std::stoi(arguments.port))),
        at_once_(arguments.more == std::vector<std::string>{"halves"} ? std::max(arguments.window / 2, 1L)
                                                                      : 1) {
    if (!context_ || context_->err) fail(context_ ? context_->errstr : "no memory");
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { redisFree(context_); }

  void send(const Message& message) {
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
    ++in_flight_;
  }

  long take() {
    const long answers = std::min(in_flight_, at_once_);
    for (long i = 0; i < answers; ++i) take_reply();
    in_flight_ -= answers;
    return answers;
  }

 private:
  void take_reply() {
    void* answer = nullptr;
    if (redisGetReply(context_, &answer) != REDIS_OK) fail(context_->errstr);
    auto* reply = static_cast<redisReply*>(answer);
    if (reply->type == REDIS_REPLY_ERROR) fail(reply->str);
    freeReplyObject(reply);
  }

  redisContext* context_;
  const long at_once_;
  long in_flight_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  return bare_loop<Connection>(argc, argv);
}
