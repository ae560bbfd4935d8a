// One connection to a RabbitMQ server, ready to open channels: login, virtual host, heartbeats, blocking.
// Never blocks but to look up a host's name. Belongs to one broker and its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/brokers/amqp/amqp_frames.h"
#include "adapters/brokers/amqp/amqp_settings.h"
#include "adapters/common/server_stream.h"
#include "core/message.h"

namespace outbox {

class AmqpConnection {
 public:
  using UseFrame = std::function<bool(const amqp_frame_t&)>;

  /// `settings` must outlive the connection.
  explicit AmqpConnection(const AmqpSettings& settings);

  /// Begins anew with the next of the hosts and their addresses.
  void begin();
  /// Goes on with connecting and login; call it again when the descriptor is ready for events().
  Progress advance();

  /// For poll(); -1 when closed.
  [[nodiscard]] int descriptor() const { return stream_.descriptor(); }
  [[nodiscard]] short events() const { return stream_.events(); }

  /// Frames are appended here, then flush()ed.
  OutputBuffer& output() { return stream_.output(); }
  [[nodiscard]] std::uint64_t appended_bytes() const { return stream_.appended_bytes(); }
  /// How far the bytes have left this process, counted from begin().
  [[nodiscard]] std::uint64_t sent_bytes() const { return stream_.sent_bytes(); }

  /// Sends what the socket takes. False: the connection is broken.
  bool flush();
  /// Reads what is there and calls `use` for each frame of a channel, until it returns false. False: the
  /// connection is broken, or closed by the server; after flush() has failed, call it for what came before.
  bool receive(const UseFrame& use);

  /// When beat() wants to be called next; nullopt: without heartbeats.
  [[nodiscard]] std::optional<Instant> beat_at() const;
  /// Sends a heartbeat when one is due. False: the server gives no sign of life, or the connection is broken.
  bool beat(Instant now);

  /// The most that a frame may take, its overhead included.
  [[nodiscard]] std::size_t frame_max() const { return frame_max_; }
  /// Not empty: the server takes no messages, this is why (memory or disk alarm).
  [[nodiscard]] const std::string& blocked() const { return blocked_; }
  /// As the server told: "RabbitMQ", "3.10.8".
  [[nodiscard]] const std::string& product() const { return product_; }
  [[nodiscard]] const std::string& version() const { return version_; }

  /// Why it failed or broke, with the server's address.
  [[nodiscard]] const Error& error() const { return error_; }
  /// "host:port" of the server in use.
  [[nodiscard]] const std::string& endpoint() const { return stream_.endpoint(); }

  /// Says goodbye when that can be said at once.
  void close();

 private:
  enum class Phase { connecting, greeting, ready, failed };

  bool take(const amqp_frame_t& frame, const UseFrame& use);
  void take_greeting(const amqp_frame_t& frame);
  void take_control(const amqp_method_t& method);
  void start(const amqp_connection_start_t& start);
  void tune(const amqp_connection_tune_t& tune);
  void take_close(const amqp_connection_close_t& close);
  void fail(Fault fault, std::string_view what);
  bool broken();

  const AmqpSettings& settings_;
  ServerStream stream_;
  FrameReader reader_;
  Phase phase_ = Phase::connecting;
  std::size_t frame_max_ = AMQP_FRAME_MIN_SIZE;
  Duration heartbeat_{};
  Instant received_at_{}, sent_at_{};
  std::uint64_t sent_before_ = 0;  ///< bytes at sent_at_
  std::string blocked_, product_, version_;
  Error error_;
};

}  // namespace outbox
