#include "adapters/brokers/amqp/amqp_check.h"

#include <chrono>
#include <optional>
#include <utility>

#include "adapters/brokers/amqp/amqp_questions.h"
#include "base/text.h"

namespace outbox {
namespace {

using Level = Finding::Level;

std::string shown(std::string_view name) {
  return "'" + printable(name, 60) + "'";
}

class AmqpCheck {
 public:
  AmqpCheck(const AmqpSettings& settings, Instant end) : settings_(settings), questions_(settings, end) {}

  std::vector<Finding> run(std::span<const std::string> topics) {
    if (const auto connected = questions_.connect(); !connected) {
      add(Level::fault, "amqp: " + connected.error().text, "see the server's log");
      return std::move(findings_);
    }
    const AmqpConnection& server = questions_.connection();
    is_rabbitmq_ = server.product() == "RabbitMQ";
    add(Level::ok,
        "amqp: " + server.product() + " " + server.version() + " at " + server.endpoint() +
            " takes messages up to its max_message_size (128 MiB unless set, 16 MiB from RabbitMQ 4.0 on)");
    bool goes_on = check_exchange() && (!topics.empty() || check_right(""));
    for (const std::string& topic : topics) goes_on = goes_on && check_topic(topic);
    if (!goes_on) add_silence();
    return std::move(findings_);
  }

 private:
  // Each is false when no answer came: there is no point in asking more.

  bool check_exchange() {
    if (settings_.exchange.empty()) return true;
    const auto answer = questions_.exchange_exists();
    if (!answer) return false;
    const std::string name = "amqp: exchange " + shown(settings_.exchange);
    if (answer->code == 0)
      add(Level::ok, name +
                         " exists; a topic for which no queue is bound shows with its first message, "
                         "which stops the route as misconfigured");
    else
      add(Level::fault, name + " cannot be used: " + answer->text,
          "declare it as a durable exchange, or correct the setting `exchange`");
    return true;
  }

  bool check_topic(const std::string& topic) {
    if (topic.size() > short_string_max) {
      add(Level::fault, "amqp: topic " + shown(topic) + " is longer than 255 bytes", "shorten it");
      return true;
    }
    if (settings_.exchange.empty() && !check_queue(topic)) return false;
    return check_right(topic);
  }

  bool check_queue(const std::string& queue) {
    const auto answer = questions_.queue_exists(queue);
    if (!answer) return false;
    const std::string name = "amqp: queue " + shown(queue);
    if (answer->code == 0) return check_durable(queue);
    add(Level::fault, name + " cannot be used: " + answer->text,
        "declare it as a durable queue, or name an `exchange` that has queues bound");
    return true;
  }

  bool check_durable(const std::string& queue) {
    const auto answer = questions_.queue_is_durable(queue);
    if (!answer) return false;
    const std::string name = "amqp: queue " + shown(queue);
    if (answer->text.find("inequivalent arg 'durable'") != std::string::npos)
      add(Level::warning,
          name + " is transient: what it has acknowledged is gone after a restart of the server",
          "delete it and declare it durable");
    else if (answer->code == AMQP_ACCESS_REFUSED)
      add(Level::ok,
          name + " exists; whether it is durable only a user with the right to configure it can ask");
    else
      add(Level::ok, name + " is durable");
    return true;
  }

  /// An empty topic: the right to the exchange alone.
  bool check_right(const std::string& topic) {
    if (!is_rabbitmq_) return true;
    const auto answer = questions_.may_publish(topic);
    if (!answer) return false;
    const bool is_topic_right = answer->text.find("to topic '") != std::string::npos;
    if (answer->code == AMQP_ACCESS_REFUSED && !(topic.empty() && is_topic_right))
      add(Level::fault,
          "amqp: user " + shown(settings_.user) + " may not publish" +
              (topic.empty() ? "" : " to " + shown(topic)) + ": " + answer->text,
          "rabbitmqctl set_permissions (write: the exchange's name, or amq.default for the default "
          "exchange), and set_topic_permissions where they are used");
    return questions_.connection().blocked().empty();
  }

  void add_silence() {
    const AmqpConnection& server = questions_.connection();
    if (!server.blocked().empty())
      add(Level::warning,
          "amqp: the server takes no messages now (connection.blocked: " + server.blocked() + ")",
          "see rabbitmq-diagnostics alarms");
    else
      add(Level::fault,
          "amqp: " +
              (server.error().text.empty() ? server.endpoint() + ": no answer in time" : server.error().text),
          "see the server's log");
  }

  void add(Level level, std::string what, std::string fix = {}) {
    findings_.push_back({level, std::move(what), std::move(fix)});
  }

  const AmqpSettings& settings_;
  AmqpQuestions questions_;
  bool is_rabbitmq_ = false;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> check_amqp(const BrokerTarget& target, std::span<const std::string> topics,
                                Duration limit) {
  const auto settings = parse_amqp_settings(target);
  if (!settings) return {{Level::fault, settings.error().text, "correct the route's URL or settings"}};
  return AmqpCheck(*settings, std::chrono::steady_clock::now() + limit).run(topics);
}

}  // namespace outbox
