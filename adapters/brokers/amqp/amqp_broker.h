// Broker that publishes to one RabbitMQ exchange, pipelined on one channel with publisher confirms. Belongs
// to one publishing thread, wake() to any.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/brokers/amqp/amqp_connection.h"
#include "adapters/brokers/amqp/amqp_settings.h"
#include "adapters/brokers/amqp/publish_encoder.h"
#include "adapters/brokers/amqp/unconfirmed.h"
#include "adapters/common/server_broker.h"

namespace outbox {

class AmqpBroker final : public ServerBroker {
 public:
  AmqpBroker(AmqpSettings settings, const BrokerTarget& target);
  ~AmqpBroker() override { connection_.close(); }

 private:
  void begin() override;
  void take(std::span<const Submission> messages) override;
  void advance() override;
  void step(Duration wait) override;
  [[nodiscard]] Instant tick_at() const override;
  void tick() override;
  [[nodiscard]] bool awaits_answers() const override { return !unconfirmed_.empty(); }
  void end(const std::string& reason) override;
  [[nodiscard]] std::string endpoint() const override { return connection_.endpoint(); }
  void overdue() override;

  void open_channel();
  void flush();
  bool receive();
  void lose_connection();
  bool take(const amqp_frame_t& frame);
  void take_method(const amqp_method_t& method);
  void take_opened(const amqp_method_t& method);
  void take_confirm(std::uint64_t tag, bool multiple, bool is_taken);
  void take_returned(const amqp_basic_properties_t& properties);
  void take_channel_close(const amqp_channel_close_t& close);
  void answer(const Unconfirmed::Entry& entry, bool is_taken);
  void fail_here(Session::State state, std::string_view what);

  const AmqpSettings settings_;
  PublishEncoder encoder_;
  AmqpConnection connection_;
  bool is_opening_ =
      false;  ///< connected; the channel, its confirms and the look at the exchange are under way
  Unconfirmed unconfirmed_;
  std::uint64_t oldest_begin_ = 0, sent_before_ = 0;  ///< as they were when progress was seen
  std::string returned_topic_;                        ///< of the basic.return whose properties come next
};

/// As server_adapter() has it.
std::vector<Finding> check_amqp(const AmqpSettings& settings, const BrokerTarget& target,
                                std::span<const std::string> topics, Duration limit);

}  // namespace outbox
