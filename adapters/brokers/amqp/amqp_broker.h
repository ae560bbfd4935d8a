// Broker that publishes to one RabbitMQ exchange, pipelined on one channel with publisher confirms. Belongs
// to one publishing thread, wake() to any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/brokers/amqp/amqp_connection.h"
#include "adapters/brokers/amqp/amqp_settings.h"
#include "adapters/brokers/amqp/confirm_window.h"
#include "adapters/brokers/amqp/publish_encoder.h"
#include "base/wakeup.h"
#include "core/broker.h"

namespace outbox {

class AmqpBroker final : public Broker {
 public:
  AmqpBroker(AmqpSettings settings, const BrokerTarget& target);
  ~AmqpBroker() override;

  void connect() override;
  /// Writes to the socket at once as much as that takes.
  void submit(std::span<const Submission> messages) override;
  void poll(Duration timeout, Answers& answers) override;
  void wake() noexcept override { wakeup_.ring(); }

 private:
  /// opening: the channel, its confirms and the look at the exchange.
  enum class Phase { closed, connecting, opening, up };

  void accept_for_sending(const Submission& submission);
  bool step(Duration wait);
  void advance_connecting();
  void open_channel();
  void exchange(short ready);
  void lose_connection();
  bool take(const amqp_frame_t& frame);
  void take_method(const amqp_method_t& method);
  void take_opened(const amqp_method_t& method);
  void take_confirm(std::uint64_t tag, bool multiple, bool is_taken);
  void take_returned(const amqp_basic_properties_t& properties);
  void take_channel_close(const amqp_channel_close_t& close);
  void deliver(const ConfirmWindow::Entry& entry, bool is_taken);
  void track_progress();
  void check_deadlines();
  [[nodiscard]] std::optional<Instant> deadline() const;
  void fail(Session::State state, std::string_view what);
  void end_session(Session::State state, const std::string& what);
  [[nodiscard]] std::string where() const;

  const AmqpSettings settings_;
  PublishEncoder encoder_;
  AmqpConnection connection_;
  Wakeup wakeup_;
  Phase phase_ = Phase::closed;
  ConfirmWindow window_;
  Instant progress_{};  ///< connecting began, or the oldest message changed, or more of its bytes left
  std::uint64_t oldest_begin_ = 0, sent_before_ = 0;  ///< as they were then
  std::string returned_topic_;                        ///< of the basic.return whose properties come next
  std::optional<Session> failure_;  ///< what a frame means for the session, until all has been read
  Answers pending_;                 ///< for the next poll()
};

}  // namespace outbox
