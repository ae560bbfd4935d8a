#include "tests/conformance/redis_reader.h"

#include <hiredis/hiredis.h>

#include <stdexcept>

namespace outbox::test {
namespace {

using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;

Reply ask(redisContext* context, const std::vector<std::string>& words) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const std::string& word : words) {
    texts.push_back(word.data());
    sizes.push_back(word.size());
  }
  Reply reply(static_cast<redisReply*>(
                  redisCommandArgv(context, static_cast<int>(words.size()), texts.data(), sizes.data())),
              freeReplyObject);
  if (!reply) throw std::runtime_error(std::string("redis: ") + context->errstr);
  if (reply->type == REDIS_REPLY_ERROR)
    throw std::runtime_error("redis: " + std::string(reply->str, reply->len));
  return reply;
}

std::string text_of(const redisReply& reply) {
  if (reply.type == REDIS_REPLY_INTEGER) return std::to_string(reply.integer);
  if (reply.type != REDIS_REPLY_ARRAY) return {reply.str ? reply.str : "", reply.len};
  std::string text;
  for (std::size_t i = 0; i < reply.elements; ++i) text += text_of(*reply.element[i]) + "\n";
  return text;
}

Received entry_of(const std::string& topic, const redisReply& fields) {
  Received received;
  received.topic = topic;
  for (std::size_t i = 0; i + 1 < fields.elements; i += 2) {
    const std::string name = text_of(*fields.element[i]), value = text_of(*fields.element[i + 1]);
    if (name == "data")
      received.payload = value;
    else
      received.add("content-type", "ce_", name, value);
  }
  return received;
}

}  // namespace

void RedisReader::Free::operator()(redisContext* context) const {
  redisFree(context);
}

RedisReader::RedisReader(int port, const std::string& password) : context_(redisConnect("127.0.0.1", port)) {
  if (!context_ || context_->err) throw std::runtime_error("redis: the reader cannot connect");
  if (!password.empty()) command({"AUTH", password});
}

RedisReader::~RedisReader() = default;

std::string RedisReader::command(const std::vector<std::string>& words) {
  return text_of(*ask(context_.get(), words));
}

std::vector<Received> RedisReader::stream(const std::string& name) {
  std::string last = "-";
  return stream_after(name, last);
}

std::vector<Received> RedisReader::stream_after(const std::string& name, std::string& last) {
  const Reply entries = ask(context_.get(), {"XRANGE", name, last == "-" ? last : "(" + last, "+"});
  std::vector<Received> result;
  for (std::size_t i = 0; i < entries->elements; ++i) {
    last = text_of(*entries->element[i]->element[0]);
    result.push_back(entry_of(name, *entries->element[i]->element[1]));
  }
  return result;
}

std::vector<Received> RedisReader::streams() {
  const Reply keys = ask(context_.get(), {"KEYS", "*"});
  std::vector<Received> result;
  for (std::size_t i = 0; i < keys->elements; ++i) {
    const std::string name = text_of(*keys->element[i]);
    if (command({"TYPE", name}) != "stream") continue;
    for (Received& entry : stream(name)) result.push_back(std::move(entry));
  }
  return result;
}

}  // namespace outbox::test
