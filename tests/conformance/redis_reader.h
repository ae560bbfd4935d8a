// Looks at a Redis server with plain hiredis, as any consumer would, and gives it orders. Blocking; stays in
// its test.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/conformance/broker_suite.h"

struct redisContext;

namespace outbox::test {

class RedisReader {
 public:
  /// Throws when the server is not there.
  explicit RedisReader(int port, const std::string& password = "");
  ~RedisReader();

  /// One command; its answer as text (arrays as their elements, one per line). Throws on an error reply.
  std::string command(const std::vector<std::string>& words);
  /// Every entry of every stream, stream by stream, in the streams' order.
  std::vector<Received> streams();
  std::vector<Received> stream(const std::string& name);
  /// Those after the entry `last`, which becomes the last of them; "-": from the beginning.
  std::vector<Received> stream_after(const std::string& name, std::string& last);

 private:
  struct Free {
    void operator()(redisContext* context) const;
  };
  std::unique_ptr<redisContext, Free> context_;
};

}  // namespace outbox::test
