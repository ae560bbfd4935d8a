#include "adapters/brokers/redis/redis_check.h"

#include <poll.h>

#include <optional>
#include <string_view>

#include "adapters/brokers/redis/redis_connection.h"
#include "adapters/brokers/redis/redis_errors.h"
#include "adapters/brokers/redis/redis_settings.h"
#include "adapters/brokers/redis/resp.h"
#include "base/text.h"
#include "base/wakeup.h"

namespace outbox {
namespace {

using Level = Finding::Level;

/// Asks one question after the other. After a failure every answer is an error.
class Questions {
 public:
  Questions(const RedisSettings& settings, Duration limit)
      : connection_(settings), end_(std::chrono::steady_clock::now() + limit) {
    connection_.keep_texts();
  }

  /// Empty: connected and logged in; else why not.
  std::string connect(const RedisSettings& settings) {
    connection_.begin();
    for (;;) {
      const auto progress = connection_.advance();
      if (progress == RedisConnection::Progress::failed) return connection_.error().text;
      if (progress == RedisConnection::Progress::ready) break;
      if (!wait()) return connection_.endpoint() + ": no connection in time";
    }
    if (settings.has_login()) {
      const RedisReply reply = settings.user.empty() ? ask("AUTH", settings.password)
                                                     : ask("AUTH", settings.user, settings.password);
      if (reply.kind == RedisReply::Kind::error)
        return endpoint() + ": AUTH was refused: " + shown_error(reply.text, settings.password);
    }
    if (settings.database != 0) {
      const RedisReply reply = ask("SELECT", std::to_string(settings.database));
      if (reply.kind == RedisReply::Kind::error)
        return endpoint() + ": SELECT was refused: " + shown_error(reply.text, {});
    }
    return {};
  }

  template <class... Words>
  RedisReply ask(const Words&... words) {
    append_command(connection_.output(), words...);
    std::optional<RedisReply> answer;
    const auto keep = [&](const RedisReply& reply) {
      answer = reply;
      return false;
    };
    while (is_alive_ && !answer) {
      is_alive_ = connection_.flush() && wait() && connection_.receive(keep);
    }
    if (answer) return *answer;
    RedisReply none;
    none.kind = RedisReply::Kind::error;
    none.text = "no answer";
    return none;
  }

  [[nodiscard]] const std::string& endpoint() const { return connection_.endpoint(); }

 private:
  bool wait() {
    pollfd socket{connection_.descriptor(), connection_.events(), 0};
    const Duration left = end_ - std::chrono::steady_clock::now();
    return left > Duration::zero() && ::poll(&socket, 1, poll_milliseconds(left)) > 0;
  }

  RedisConnection connection_;
  Instant end_;
  bool is_alive_ = true;
};

class Check {
 public:
  Check(const RedisSettings& settings, Duration limit) : settings_(settings), questions_(settings, limit) {}

  std::vector<Finding> run(std::span<const std::string> topics) {
    if (const std::string why = questions_.connect(settings_); !why.empty())
      return {{Level::fault, "redis: " + why, "see that the server runs and takes the login"}};
    check_role();
    check_durability();
    check_replicas();
    check_size();
    for (const std::string& topic : topics) check_topic(topic);
    if (!unseen_.empty())
      warning("the user may not ask for " + unseen_ + ", so this was not checked",
              "give the user the right for the check (+role +type +config|get), or compare with the table in "
              "the adapter's README");
    return std::move(findings_);
  }

 private:
  void check_role() {
    const RedisReply role = questions_.ask("ROLE");
    if (is_refused(role, "ROLE") || role.elements.empty()) return;
    const std::string& name = role.elements.front();
    if (name != "master")
      return fault("is a replica, which takes no messages", "give the master's address in the route's URL");
    // Behind its name a master has address, port and offset of each replica.
    replicas_ = static_cast<std::int64_t>((role.elements.size() - 1) / 3);
    ok("is a master with " + std::to_string(*replicas_) + " replicas");
  }

  void check_durability() {
    const auto appendonly = configured("appendonly"), appendfsync = configured("appendfsync");
    if (!appendonly || !appendfsync) return;
    if (*appendonly != "yes")
      warning("appendonly is off: what it has accepted is gone with its process",
              "CONFIG SET appendonly yes, and appendfsync always");
    else if (*appendfsync == "always")
      ok("appendonly yes, appendfsync always: what it has accepted is on its disk");
    else
      warning("appendfsync " + *appendfsync + ": a crash costs what it has accepted last",
              "CONFIG SET appendfsync always, where a crash may cost nothing");
    const auto policy = configured("maxmemory-policy"), memory = configured("maxmemory");
    if (policy && memory && *memory != "0" && *policy != "noeviction")
      warning("maxmemory-policy " + *policy + ": whole streams may be evicted when memory runs out",
              "CONFIG SET maxmemory-policy noeviction");
  }

  void check_replicas() {
    if (replicas_ && settings_.wait_replicas > *replicas_)
      return fault("wait_replicas is " + std::to_string(settings_.wait_replicas) + ", and there are " +
                       std::to_string(*replicas_) + ": nothing will be accepted",
                   "add replicas, or lower wait_replicas");
    const auto needed = configured("min-replicas-to-write");
    if (!needed) return;
    if (settings_.wait_replicas > 0 && std::stoll(*needed) < settings_.wait_replicas)
      return warning("min-replicas-to-write is " + *needed +
                         ": without replicas messages are written again and again until they are back",
                     "CONFIG SET min-replicas-to-write " + std::to_string(settings_.wait_replicas));
    if (settings_.wait_replicas == 0 && replicas_.value_or(0) > 0)
      warning("replicas get messages after they were accepted: a fail-over may lose some",
              "set wait_replicas = 1 for the route, and min-replicas-to-write 1 on the server");
  }

  void check_size() {
    if (const auto size = configured("proto-max-bulk-len"))
      ok("takes payloads of up to " + *size + " bytes (proto-max-bulk-len)");
  }

  void check_topic(const std::string& topic) {
    const std::string name = "stream '" + printable(topic, 60) + "'";
    // No id, so nothing is written; rights are looked at first.
    const RedisReply attempt = questions_.ask("XADD", topic, "outboxd-check", "field", "value");
    if (attempt.text.starts_with("NOPERM"))
      return fault(name + ": the user may not write to it",
                   "ACL SETUSER " + (settings_.user.empty() ? "default" : settings_.user) + " ~" +
                       printable(topic, 60) + " +xadd");
    const RedisReply type = questions_.ask("TYPE", topic);
    if (is_refused(type, "TYPE")) return;
    if (type.text == "stream") return ok(name + " is there");
    if (type.text != "none")
      return fault(name + ": a key of this name holds a " + printable(type.text, 20),
                   "rename that key, or change the topic");
    if (settings_.create_streams) return ok(name + " will be created by its first message");
    fault(name + " is not there, and create_streams is false",
          "XGROUP CREATE " + printable(topic, 60) + " <group> $ MKSTREAM, or create_streams = true");
  }

  std::optional<std::string> configured(std::string_view name) {
    const RedisReply reply = questions_.ask("CONFIG", "GET", name);
    if (is_refused(reply, "CONFIG GET") || reply.elements.size() != 2) return std::nullopt;
    return reply.elements[1];
  }

  /// Remembers what was refused, each once.
  bool is_refused(const RedisReply& reply, std::string_view question) {
    if (reply.kind != RedisReply::Kind::error) return false;
    if (unseen_.find(question) == unseen_.npos)
      unseen_ += (unseen_.empty() ? "" : ", ") + std::string(question);
    return true;
  }

  void ok(const std::string& what) { add(Level::ok, what, ""); }
  void warning(const std::string& what, const std::string& fix) { add(Level::warning, what, fix); }
  void fault(const std::string& what, const std::string& fix) { add(Level::fault, what, fix); }
  void add(Level level, const std::string& what, const std::string& fix) {
    findings_.push_back({level, "redis: " + questions_.endpoint() + ": " + what, fix});
  }

  const RedisSettings& settings_;
  Questions questions_;
  std::vector<Finding> findings_;
  std::optional<std::int64_t> replicas_;
  std::string unseen_;  ///< what the user may not ask
};

}  // namespace

std::vector<Finding> check_redis(const BrokerTarget& target, std::span<const std::string> topics,
                                 Duration limit) {
  const auto settings = parse_redis_settings(target);
  if (!settings) return {{Level::fault, settings.error().text, "change the route"}};
  ignore_write_signals();
  return Check(*settings, limit).run(topics);
}

}  // namespace outbox
