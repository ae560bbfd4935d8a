// Asks a RabbitMQ server what is there, one question after the other, each on a channel of its own: an answer
// may be that the channel is closed. Blocking; changes nothing on the server. Stays in its check.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/brokers/amqp/amqp_connection.h"
#include "adapters/brokers/amqp/amqp_settings.h"

namespace outbox {

/// The code with which the channel was closed, and its text; code 0: yes.
struct AmqpAnswer {
  int code = 0;
  std::string text;  ///< "404 NOT_FOUND - no queue 'orders' in vhost '/'"
};

class AmqpQuestions {
 public:
  /// `settings` must outlive the questions; all of them end at `end`.
  AmqpQuestions(const AmqpSettings& settings, Instant end);

  [[nodiscard]] Result<void> connect();

  /// Each is nullopt when no answer came: connection() knows why.
  std::optional<AmqpAnswer> exchange_exists();
  std::optional<AmqpAnswer> queue_exists(const std::string& queue);
  /// Always a refusal: AMQP_PRECONDITION_FAILED names the first argument in which an existing queue differs
  /// from a durable one, AMQP_ACCESS_REFUSED leaves it open. A queue that does not exist is not made.
  std::optional<AmqpAnswer> queue_is_durable(const std::string& queue);
  /// Always a refusal: AMQP_PRECONDITION_FAILED when the user may publish with this routing key. Only for
  /// RabbitMQ, whose order of checks it relies on.
  std::optional<AmqpAnswer> may_publish(const std::string& topic);

  [[nodiscard]] const AmqpConnection& connection() const { return connection_; }

 private:
  std::optional<AmqpAnswer> ask(const std::function<void()>& append_question);
  bool take(const amqp_frame_t& frame);
  bool wait_for_answer();

  const AmqpSettings& settings_;
  const Instant end_;
  AmqpConnection connection_;
  std::uint16_t channel_ = 0;
  std::optional<AmqpAnswer> answer_;
};

}  // namespace outbox
