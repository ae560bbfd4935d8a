#include "tests/support/redis_server.h"

#include <utility>

#include "tests/support/free_port.h"

namespace outbox::test {

RedisServer::RedisServer(RedisOptions options) : Server("redis"), password_(options.password) {
  more_ = {"--appendfsync", options.append_fsync};
  if (!password_.empty()) more_.insert(more_.end(), {"--requirepass", password_});
  more_.insert(more_.end(), options.arguments.begin(), options.arguments.end());
  start();
}

std::string RedisServer::url() const {
  const std::string user = password_.empty() ? "" : ":" + password_ + "@";
  return "redis://" + user + "127.0.0.1:" + std::to_string(port());
}

void RedisServer::start_slowly(std::chrono::microseconds for_each_key) {
  std::vector<std::string> more = more_;
  more.insert(more.end(), {"--key-load-delay", std::to_string(for_each_key.count()),
                           "--loading-process-events-interval-bytes", "1024"});
  start_until([this] { return is_listening(port()); }, more);
}

}  // namespace outbox::test
