// Which rows of the log are this relay's: by topic and by shard. Pure.
#pragma once

#include "core/message.h"
#include "core/shard.h"
#include "core/topics.h"

namespace outbox {

struct RowFilter {
  enum class Verdict {
    pass,      ///< another route's or another shard's
    take,      ///< to be published
    unrouted,  ///< no route takes it: to be held, so that it is not forgotten
  };

  Topics topics{{"*"}};
  Topics all_topics{{"*"}};     ///< what the routes together take
  bool holds_unrouted = false;  ///< this route holds the rows that none takes
  int shard = 0;
  int shards = 1;

  [[nodiscard]] Verdict judge(const Message& message) const {
    if (shards > 1 && shard_of(message.key, message.seq, shards) != shard) return Verdict::pass;
    if (topics.take(message.topic)) return Verdict::take;
    if (holds_unrouted && !all_topics.take(message.topic)) return Verdict::unrouted;
    return Verdict::pass;
  }
};

}  // namespace outbox
