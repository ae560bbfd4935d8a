#include <optional>

#include "adapters/brokers/amqp/amqp_broker.h"
#include "adapters/brokers/amqp/amqp_questions.h"
#include "adapters/common/server_check.h"
#include "base/text.h"

namespace outbox {
namespace {

std::string shown(std::string_view name) {
  return "'" + printable(name, 60) + "'";
}

class AmqpCheck {
 public:
  AmqpCheck(const AmqpSettings& settings, Instant end) : settings_(settings), questions_(settings, end) {}

  std::vector<Finding> run(std::span<const std::string> topics) {
    if (const auto connected = questions_.connect(); !connected) {
      findings_.fault(connected.error().text, "see the server's log");
      return findings_.take();
    }
    const AmqpConnection& server = questions_.connection();
    is_rabbitmq_ = server.product() == "RabbitMQ";
    findings_.ok(
        server.product() + " " + server.version() + " at " + server.endpoint() +
        " takes messages up to its max_message_size (128 MiB unless set, 16 MiB from RabbitMQ 4.0 on)");
    bool goes_on = check_exchange() && (!topics.empty() || check_right(""));
    for (const std::string& topic : topics) goes_on = goes_on && check_topic(topic);
    if (!goes_on) add_silence();
    return findings_.take();
  }

 private:
  // Each is false when no answer came: there is no point in asking more.

  bool check_exchange() {
    if (settings_.exchange.empty()) return true;
    const auto answer = questions_.exchange_exists();
    if (!answer) return false;
    const std::string name = "exchange " + shown(settings_.exchange);
    if (answer->code == 0)
      findings_.ok(name +
                   " exists; a topic for which no queue is bound shows with its first message, "
                   "which stops the route as misconfigured");
    else
      findings_.fault(name + " cannot be used: " + answer->text,
                      "declare it as a durable exchange, or correct the setting `exchange`");
    return true;
  }

  bool check_topic(const std::string& topic) {
    if (topic.size() > short_string_max) {
      findings_.fault("topic " + shown(topic) + " is longer than 255 bytes", "shorten it");
      return true;
    }
    if (settings_.exchange.empty() && !check_queue(topic)) return false;
    return check_right(topic);
  }

  bool check_queue(const std::string& queue) {
    const auto answer = questions_.queue_exists(queue);
    if (!answer) return false;
    const std::string name = "queue " + shown(queue);
    if (answer->code == 0) return check_durable(queue);
    findings_.fault(name + " cannot be used: " + answer->text,
                    "declare it as a durable queue, or name an `exchange` that has queues bound");
    return true;
  }

  bool check_durable(const std::string& queue) {
    const auto answer = questions_.queue_is_durable(queue);
    if (!answer) return false;
    const std::string name = "queue " + shown(queue);
    if (answer->text.find("inequivalent arg 'durable'") != std::string::npos)
      findings_.warning(
          name + " is transient: what it has acknowledged is gone after a restart of the server",
          "delete it and declare it durable");
    else if (answer->code == AMQP_ACCESS_REFUSED)
      findings_.ok(name +
                   " exists; whether it is durable only a user with the right to configure it can ask");
    else
      findings_.ok(name + " is durable");
    return true;
  }

  /// An empty topic: the right to the exchange alone.
  bool check_right(const std::string& topic) {
    if (!is_rabbitmq_) return true;
    const auto answer = questions_.may_publish(topic);
    if (!answer) return false;
    const bool is_topic_right = answer->text.find("to topic '") != std::string::npos;
    if (answer->code == AMQP_ACCESS_REFUSED && !(topic.empty() && is_topic_right))
      findings_.fault(
          "user " + shown(settings_.user) + " may not publish" +
              (topic.empty() ? "" : " to " + shown(topic)) + ": " + answer->text,
          "rabbitmqctl set_permissions (write: the exchange's name, or amq.default for the default "
          "exchange), and set_topic_permissions where they are used");
    return questions_.connection().blocked().empty();
  }

  void add_silence() {
    const AmqpConnection& server = questions_.connection();
    if (!server.blocked().empty())
      findings_.warning("the server takes no messages now (connection.blocked: " + server.blocked() + ")",
                        "see rabbitmq-diagnostics alarms");
    else
      findings_.fault(
          server.error().text.empty() ? server.endpoint() + ": no answer in time" : server.error().text,
          "see the server's log");
  }

  const AmqpSettings& settings_;
  AmqpQuestions questions_;
  bool is_rabbitmq_ = false;
  Findings findings_{"amqp: "};
};

}  // namespace

std::vector<Finding> check_amqp(const AmqpSettings& settings, const BrokerTarget&,
                                std::span<const std::string> topics, Duration limit) {
  return AmqpCheck(settings, now() + limit).run(topics);
}

}  // namespace outbox
