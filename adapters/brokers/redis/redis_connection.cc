#include "adapters/brokers/redis/redis_connection.h"

#include <hiredis/hiredis.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace outbox {
namespace {

/// hiredis moves what is left after every partial write to the front: small slices keep that, and its memory,
/// small.
constexpr std::size_t slice_max = 128 << 10;

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

RedisConnection::RedisConnection(const RedisSettings& settings)
    : settings_(settings), connector_(settings.hosts, 6379) {}

RedisConnection::~RedisConnection() {
  close();
}

void RedisConnection::close() {
  connector_.close();
  tls_.reset();
  if (context_)
    redisFree(context_);
  else if (descriptor_ >= 0)
    ::close(descriptor_);
  context_ = nullptr;
  descriptor_ = -1;
}

void RedisConnection::begin() {
  close();
  connector_.begin();
  phase_ = Phase::connecting;
  output_.clear();
  handed_over_ = 0;
}

RedisConnection::Progress RedisConnection::advance() {
  if (phase_ == Phase::connecting) {
    switch (connector_.advance()) {
      case TcpConnector::Progress::waiting:
        return Progress::waiting;
      case TcpConnector::Progress::failed:
        return failed(Fault::unavailable, connector_.error());
      case TcpConnector::Progress::connected:
        break;
    }
    attach();
    if (!settings_.is_tls) {
      phase_ = Phase::ready;
      return Progress::ready;
    }
    auto tls = RedisTls::start(*context_, settings_, connector_.host());
    if (!tls) return failed(tls.error().fault, tls.error().text);
    tls_ = std::move(tls).value();
    phase_ = Phase::securing;
  }
  return phase_ == Phase::securing ? secure() : Progress::ready;
}

void RedisConnection::attach() {
  descriptor_ = connector_.take();
  context_ = redisConnectFd(descriptor_);
  if (!context_) std::abort();  // out of memory
  context_->flags &= ~REDIS_BLOCK;
  context_->reader->fn = reply_functions();
  context_->reader->privdata = &reply_;
}

RedisConnection::Progress RedisConnection::secure() {
  switch (tls_->advance()) {
    case RedisTls::Progress::wants_read:
      tls_wants_write_ = false;
      return Progress::waiting;
    case RedisTls::Progress::wants_write:
      tls_wants_write_ = true;
      return Progress::waiting;
    case RedisTls::Progress::done:
      phase_ = Phase::ready;
      return Progress::ready;
    case RedisTls::Progress::failed:
      return failed(tls_->error().fault, tls_->error().text);
  }
  return Progress::failed;
}

short RedisConnection::events() const {
  switch (phase_) {
    case Phase::connecting:
      return POLLOUT;
    case Phase::securing:
      return tls_wants_write_ ? POLLOUT : POLLIN;
    case Phase::ready:
      return sent_bytes() < appended_bytes() ? POLLIN | POLLOUT : POLLIN;
  }
  return 0;
}

std::uint64_t RedisConnection::sent_bytes() const {
  return handed_over_ - (context_ ? sdslen(context_->obuf) : 0);
}

bool RedisConnection::flush() {
  for (;;) {
    if (sdslen(context_->obuf) == 0) {
      const std::string_view slice = output_.view().substr(0, slice_max);
      if (slice.empty()) return true;
      redisAppendFormattedCommand(context_, slice.data(), slice.size());
      output_.consume(slice.size());
      handed_over_ += slice.size();
    }
    int done = 0;
    if (redisBufferWrite(context_, &done) != REDIS_OK) return broken();
    if (!done) return true;
  }
}

bool RedisConnection::receive(const std::function<bool(const RedisReply&)>& use) {
  const bool is_read = redisBufferRead(context_) == REDIS_OK;
  if (!is_read) broken();
  return parse(use) && is_read;
}

void RedisConnection::receive_rest(const std::function<bool(const RedisReply&)>& use) {
  if (tls_ || !context_) return;  // what TLS has not verified is not to be read past it
  char block[16384];
  ssize_t size = 0;
  while ((size = ::recv(descriptor_, block, sizeof block, MSG_DONTWAIT)) > 0)
    redisReaderFeed(context_->reader, block, static_cast<std::size_t>(size));
  parse(use);
}

/// False: what came is no reply of Redis'.
bool RedisConnection::parse(const std::function<bool(const RedisReply&)>& use) {
  for (;;) {
    void* reply = nullptr;
    if (redisReaderGetReply(context_->reader, &reply) != REDIS_OK) {
      failed(Fault::unavailable, std::string("no Redis answers there: ") + context_->reader->errstr);
      return false;
    }
    if (!reply || !use(reply_)) return true;
  }
}

bool RedisConnection::broken() {
  const std::string_view what = context_->errstr;
  failed(Fault::unavailable, what.empty() ? "the connection broke" : std::string(what));
  return false;
}

RedisConnection::Progress RedisConnection::failed(Fault fault, std::string what) {
  fault_ = fault;
  what_ = std::move(what);
  return Progress::failed;
}

}  // namespace outbox
