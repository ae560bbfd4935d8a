#include "adapters/brokers/redis/redis_errors.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace outbox {
namespace {

struct Known {
  std::string_view start;
  RedisErrorMeaning meaning;
};

constexpr RedisErrorMeaning wait{Verdict::unavailable, false};
constexpr RedisErrorMeaning elsewhere{Verdict::unavailable, true};
constexpr RedisErrorMeaning wrong{Verdict::misconfigured, false};

// The first that fits. A full memory, a busy script, a missing replica pass; a server that is loading, is a
// replica or has lost its place in a cluster is the wrong one to talk to.
constexpr std::array table = {
    Known{"OOM", wait},
    Known{"BUSY", wait},
    Known{"TRYAGAIN", wait},
    Known{"NOREPLICAS", wait},
    Known{"MISCONF", wait},  // cannot persist to its disk: refuses writes until it can
    Known{"READONLY", elsewhere},
    Known{"LOADING", elsewhere},
    Known{"MASTERDOWN", elsewhere},
    Known{"CLUSTERDOWN", elsewhere},
    Known{"MOVED", elsewhere},
    Known{"ASK", elsewhere},
    Known{"ERR max number of clients", elsewhere},
    Known{"NOAUTH", {Verdict::misconfigured, true}},
    Known{"WRONGPASS", {Verdict::misconfigured, true}},
    Known{"WRONGTYPE", wrong},
    Known{"NOPERM", wrong},
    Known{"DENIED", wrong},
    Known{"ERR unknown command", wrong},
    Known{"ERR Invalid stream ID", wrong},  // Redis before 6.2 takes NOMKSTREAM for one; ours is always '*'
    Known{"ERR Elements are too large", {Verdict::rejected, false}},
};

}  // namespace

RedisErrorMeaning meaning_of(std::string_view error) {
  const auto known =
      std::ranges::find_if(table, [error](const Known& entry) { return error.starts_with(entry.start); });
  return known == table.end() ? RedisErrorMeaning{} : known->meaning;
}

std::string shown_error(std::string_view error, std::string_view secret) {
  return shown_without(secret, error.substr(0, error.find(", with args")), 200);
}

}  // namespace outbox
