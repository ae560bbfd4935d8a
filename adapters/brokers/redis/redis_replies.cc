#include "adapters/brokers/redis/redis_replies.h"

#include <hiredis/hiredis.h>

#include <cstdlib>

namespace outbox {
namespace {

// Called by hiredis' parser for every reply. Replies of XADD are ids that nobody needs: nothing is copied but
// errors, and nothing is allocated. What they return only has to differ from null.
void* kept(const redisReadTask* task, RedisReply::Kind kind, std::string_view text = {}) {
  auto& reply = *static_cast<RedisReply*>(task->privdata);
  if (reply.keeps_texts && kind == RedisReply::Kind::text && task->parent) reply.elements.emplace_back(text);
  reply.kind = task->parent ? RedisReply::Kind::other : kind;
  reply.text.assign(text);
  return &reply;
}

bool keeps_texts(const redisReadTask* task) {
  return static_cast<RedisReply*>(task->privdata)->keeps_texts;
}

void* create_string(const redisReadTask* task, char* text, std::size_t size) {
  if (task->type == REDIS_REPLY_ERROR) return kept(task, RedisReply::Kind::error, {text, size});
  return kept(task, RedisReply::Kind::text,
              keeps_texts(task) ? std::string_view(text, size) : std::string_view());
}
// The size is an int up to hiredis 0.14 and a size_t since 1.0.
template <class Size>
void* create_array(const redisReadTask* task, Size) {
  if (!task->parent) static_cast<RedisReply*>(task->privdata)->elements.clear();
  return kept(task, RedisReply::Kind::other);
}
void* create_integer(const redisReadTask* task, long long number) {
  static_cast<RedisReply*>(task->privdata)->number = number;
  return kept(task, RedisReply::Kind::integer);
}
void* create_nil(const redisReadTask* task) {
  return kept(task, RedisReply::Kind::nil);
}
void free_nothing(void*) {}

redisReplyObjectFunctions* reply_functions() {
  static redisReplyObjectFunctions functions = [] {
    redisReplyObjectFunctions made{};
    made.createString = create_string;
    made.createArray = create_array;
    made.createInteger = create_integer;
    made.createNil = create_nil;
    made.freeObject = free_nothing;
    return made;
  }();
  return &functions;
}

}  // namespace

RedisReplies::~RedisReplies() {
  if (reader_) redisReaderFree(reader_);
}

void RedisReplies::reset() {
  if (reader_) redisReaderFree(reader_);
  reader_ = redisReaderCreateWithFunctions(reply_functions());
  if (!reader_) std::abort();  // out of memory
  reader_->privdata = &reply_;
}

bool RedisReplies::feed(std::string_view bytes, const std::function<bool(const RedisReply&)>& use) {
  redisReaderFeed(reader_, bytes.data(), bytes.size());
  for (;;) {
    void* reply = nullptr;
    if (redisReaderGetReply(reader_, &reply) != REDIS_OK) {
      error_ = std::string("no Redis answers there: ") + reader_->errstr;
      return false;
    }
    if (!reply || !use(reply_)) return true;
  }
}

}  // namespace outbox
