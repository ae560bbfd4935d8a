// Which rows of the log are a relay's: by topic and by shard. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/message.h"
#include "core/shard.h"

namespace outbox {

/// A list of patterns, each a topic in which '*' stands for any run of characters, also an empty one.
class Topics {
 public:
  explicit Topics(std::vector<std::string> patterns);

  [[nodiscard]] bool take(std::string_view topic) const;

  [[nodiscard]] const std::vector<std::string>& patterns() const { return patterns_; }

 private:
  std::vector<std::string> patterns_;
  bool all_ = false;
};

/// What in a pattern is a wildcard elsewhere (NATS, AMQP, MQTT, shells, SQL, regular expressions) and stands
/// for itself here; empty: nothing.
std::string_view foreign_wildcard(std::string_view pattern);

struct RowFilter {
  enum class Decision {
    pass,      ///< another route's or another shard's
    take,      ///< to be published
    unrouted,  ///< no route takes it: to be held, so that it is not forgotten
  };

  Topics topics{{"*"}};
  Topics configured_elsewhere{{}};  ///< what the other routes of the configuration take
  Topics routed_elsewhere{{}};      ///< what the other routes of the database take
  int shard = 0;
  int shards = 1;

  [[nodiscard]] Decision decide(const Message& message) const {
    if (shards > 1 && shard_of(message.key, message.seq, shards) != shard) return Decision::pass;
    if (topics.take(message.topic)) return Decision::take;
    if (configured_elsewhere.take(message.topic) || routed_elsewhere.take(message.topic))
      return Decision::pass;
    return Decision::unrouted;
  }
};

}  // namespace outbox
