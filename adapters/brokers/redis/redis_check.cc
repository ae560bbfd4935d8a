#include <optional>
#include <string_view>

#include "adapters/brokers/redis/redis_broker.h"
#include "adapters/brokers/redis/redis_errors.h"
#include "adapters/brokers/redis/resp.h"
#include "adapters/common/server_check.h"
#include "base/text.h"

namespace outbox {
namespace {

/// Asks one question after the other. After a failure every answer is an error.
class Questions {
 public:
  Questions(const RedisSettings& settings, Instant end) : stream_(settings), end_(end) {
    replies_.keep_texts();
    replies_.reset();
  }

  /// Connects and logs in.
  Result<void> connect(const RedisSettings& settings) {
    if (auto reached = reach(stream_, end_); !reached) return reached;
    if (settings.has_login()) {
      const RedisReply reply = settings.user.empty() ? ask("AUTH", settings.password)
                                                     : ask("AUTH", settings.user, settings.password);
      if (reply.kind == RedisReply::Kind::error)
        return refused("AUTH", shown_error(reply.text, settings.password));
    }
    if (settings.database == 0) return {};
    const RedisReply reply = ask("SELECT", std::to_string(settings.database));
    if (reply.kind == RedisReply::Kind::error) return refused("SELECT", shown_error(reply.text, {}));
    return {};
  }

  template <class... Words>
  RedisReply ask(const Words&... words) {
    append_command(stream_.output(), words...);
    std::optional<RedisReply> answer;
    const auto keep = [&](const RedisReply& reply) {
      answer = reply;
      return false;
    };
    const auto feed = [&](std::string_view bytes) { return replies_.feed(bytes, keep) && !answer; };
    while (is_alive_ && !answer)
      is_alive_ =
          stream_.flush() && wait_for(stream_, end_) && stream_.receive(feed) && replies_.error().empty();
    if (answer) return *answer;
    RedisReply none;
    none.kind = RedisReply::Kind::error;
    none.text = "no answer";
    return none;
  }

  [[nodiscard]] const std::string& endpoint() const { return stream_.endpoint(); }

 private:
  [[nodiscard]] Error refused(const std::string& command, const std::string& why) const {
    return {Fault::misconfigured, endpoint() + ": " + command + " was refused: " + why};
  }

  ServerStream stream_;
  RedisReplies replies_;
  const Instant end_;
  bool is_alive_ = true;
};

class Check {
 public:
  Check(const RedisSettings& settings, Instant end) : settings_(settings), questions_(settings, end) {}

  std::vector<Finding> run(std::span<const std::string> topics) {
    if (const auto connected = questions_.connect(settings_); !connected) {
      findings_.fault(connected.error().text, "see that the server runs and takes the login");
      return findings_.take();
    }
    check_role();
    check_durability();
    check_replicas();
    check_size();
    for (const std::string& topic : topics) check_topic(topic);
    if (!unseen_.empty())
      warning("the user may not ask for " + unseen_ + ", so this was not checked",
              "give the user the right for the check (+role +type +config|get), or compare with the table in "
              "the adapter's README");
    return findings_.take();
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
    if (settings_.wait_replicas > 0 &&
        parse_number<std::int64_t>(*needed).value_or(0) < settings_.wait_replicas)
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

  void ok(const std::string& what) { findings_.ok(where() + what); }
  void warning(const std::string& what, const std::string& fix) { findings_.warning(where() + what, fix); }
  void fault(const std::string& what, const std::string& fix) { findings_.fault(where() + what, fix); }
  [[nodiscard]] std::string where() const { return questions_.endpoint() + ": "; }

  const RedisSettings& settings_;
  Questions questions_;
  Findings findings_{"redis: "};
  std::optional<std::int64_t> replicas_;
  std::string unseen_;  ///< what the user may not ask
};

}  // namespace

std::vector<Finding> check_redis(const RedisSettings& settings, const BrokerTarget&,
                                 std::span<const std::string> topics, Duration limit) {
  return Check(settings, now() + limit).run(topics);
}

}  // namespace outbox
