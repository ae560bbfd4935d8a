#include "adapters/brokers/amqp/amqp_questions.h"

#include "adapters/brokers/amqp/amqp_errors.h"
#include "adapters/common/server_check.h"

namespace outbox {

AmqpQuestions::AmqpQuestions(const AmqpSettings& settings, Instant end)
    : settings_(settings), end_(end), connection_(settings) {}

Result<void> AmqpQuestions::connect() {
  return reach(connection_, end_);
}

std::optional<AmqpAnswer> AmqpQuestions::exchange_exists() {
  return ask([this] {
    amqp_exchange_declare_t look{};
    look.exchange = amqp_bytes_of(settings_.exchange);
    look.passive = true;
    append_method(connection_.output(), channel_, AMQP_EXCHANGE_DECLARE_METHOD, &look);
  });
}

std::optional<AmqpAnswer> AmqpQuestions::queue_exists(const std::string& queue) {
  return ask([&] {
    amqp_queue_declare_t look{};
    look.queue = amqp_bytes_of(queue);
    look.passive = true;
    append_method(connection_.output(), channel_, AMQP_QUEUE_DECLARE_METHOD, &look);
  });
}

std::optional<AmqpAnswer> AmqpQuestions::queue_is_durable(const std::string& queue) {
  return ask([&] {
    // No queue can have this argument, so that none is made should it have been deleted in between.
    amqp_table_entry_t impossible{};
    impossible.key = amqp_bytes_of("x-expires");
    impossible.value.kind = AMQP_FIELD_KIND_I32;
    impossible.value.value.i32 = -1;
    amqp_queue_declare_t look{};
    look.queue = amqp_bytes_of(queue);
    look.durable = true;
    look.arguments = {1, &impossible};
    append_method(connection_.output(), channel_, AMQP_QUEUE_DECLARE_METHOD, &look);
  });
}

std::optional<AmqpAnswer> AmqpQuestions::may_publish(const std::string& topic) {
  return ask([&] {
    amqp_basic_publish_t publish{};
    publish.exchange = amqp_bytes_of(settings_.exchange);
    publish.routing_key = amqp_bytes_of(topic);
    append_method(connection_.output(), channel_, AMQP_BASIC_PUBLISH_METHOD, &publish);
    // RabbitMQ checks the right to publish first, then refuses this expiration, and routes nothing.
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_EXPIRATION_FLAG;
    properties.expiration = amqp_bytes_of("never");
    FrameWriter writer(connection_.output().reserve(128));
    writer.begin(AMQP_FRAME_HEADER, channel_);
    writer.number(std::uint16_t{AMQP_BASIC_CLASS});
    writer.number(std::uint16_t{0});
    writer.number(std::uint64_t{0});
    const int size = amqp_encode_properties(AMQP_BASIC_CLASS, &properties, {64, writer.here()});
    writer.skip(static_cast<std::size_t>(size));
    writer.end();
    connection_.output().commit(writer.size());
  });
}

std::optional<AmqpAnswer> AmqpQuestions::ask(const std::function<void()>& append_question) {
  answer_.reset();
  channel_ = static_cast<std::uint16_t>(channel_ % 1000 + 1);
  amqp_channel_open_t open{};
  append_method(connection_.output(), channel_, AMQP_CHANNEL_OPEN_METHOD, &open);
  append_question();
  if (!connection_.flush() || !wait_for_answer()) return std::nullopt;
  if (answer_->code != 0) {
    amqp_channel_close_ok_t done{};
    append_method(connection_.output(), channel_, AMQP_CHANNEL_CLOSE_OK_METHOD, &done);
  } else {
    amqp_channel_close_t done{};
    done.reply_code = AMQP_REPLY_SUCCESS;
    append_method(connection_.output(), channel_, AMQP_CHANNEL_CLOSE_METHOD, &done);
  }
  return answer_;
}

bool AmqpQuestions::take(const amqp_frame_t& frame) {
  if (frame.channel != channel_ || frame.frame_type != AMQP_FRAME_METHOD) return true;
  if (frame.payload.method.id == AMQP_CHANNEL_OPEN_OK_METHOD) return true;
  answer_.emplace();
  if (frame.payload.method.id != AMQP_CHANNEL_CLOSE_METHOD) return true;
  const auto& close = *static_cast<const amqp_channel_close_t*>(frame.payload.method.decoded);
  answer_->code = close.reply_code;
  answer_->text = shown_close(close.reply_code, text_of(close.reply_text), settings_.password);
  return true;
}

bool AmqpQuestions::wait_for_answer() {
  while (!answer_)
    if (!wait_for(connection_, end_) || !connection_.flush() ||
        !connection_.receive([this](const amqp_frame_t& frame) { return take(frame); }))
      return false;
  return true;
}

}  // namespace outbox
