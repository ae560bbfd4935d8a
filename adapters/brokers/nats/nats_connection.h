// One connection to a NATS server, driven by its owner's poll(): nats.c reads and writes only when it is
// told to. Belongs to one thread at a time; answers and errors come by a NatsMailbox.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "adapters/brokers/nats/nats_handles.h"
#include "adapters/brokers/nats/nats_mailbox.h"
#include "adapters/brokers/nats/nats_settings.h"

namespace outbox {

class NatsConnection {
 public:
  /// Connects to the host and subscribes to the inbox; blocks, over TLS even beyond `limit` when the server
  /// falls silent in the handshake. The errors name the endpoint.
  static Result<std::unique_ptr<NatsConnection>> open(const NatsSettings& settings, const Url::Host& host,
                                                      Duration limit,
                                                      const std::shared_ptr<NatsMailbox>& mailbox);
  NatsConnection(const NatsConnection&) = delete;
  NatsConnection& operator=(const NatsConnection&) = delete;
  ~NatsConnection();

  /// For poll().
  [[nodiscard]] int descriptor() const { return is_closed_ ? -1 : socket_; }
  [[nodiscard]] short events() const;

  /// Where answers are awaited: the subject's last part, behind this with its dot, is a number.
  [[nodiscard]] const std::string& inbox() const { return inbox_; }

  /// Appends to what waits to be sent; sends nothing.
  natsStatus publish(natsMsg* message);

  /// Sends what the socket takes; call it when that is ready. Over TLS it blocks while a server reads a part
  /// of what waits and no more, for `timeout` at most: nats.c does not let go of a piece it has begun.
  void write();
  /// Reads once; what came goes to the mailbox, through a thread of the library's.
  void read();

  /// The connection has ended, by error() or because the server closed it.
  [[nodiscard]] bool is_closed() const { return is_closed_; }
  [[nodiscard]] std::string error() const;

  [[nodiscard]] std::size_t waiting_bytes() const { return waiting_; }
  [[nodiscard]] std::uint64_t appended_bytes() const { return appended_; }
  /// How far the bytes may have left this process.
  [[nodiscard]] std::uint64_t sent_bytes() const { return appended_ - waiting_; }
  /// The most that the server takes in one message, headers included.
  [[nodiscard]] std::size_t payload_max() const;
  /// "host:port".
  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }

 private:
  NatsConnection() = default;
  Result<void> subscribe(const NatsSettings& settings, const std::shared_ptr<NatsMailbox>& mailbox);
  void count_appended();

  static natsStatus attach(void** user, void* loop, natsConnection* connection, natsSock socket);
  static natsStatus want_read(void* user, bool is_wanted);
  static natsStatus want_write(void* user, bool is_wanted);
  static natsStatus detach(void* user);

  std::string endpoint_, inbox_;
  natsSock socket_ = -1;
  bool wants_write_ = false;
  bool is_closed_ = false;
  std::size_t waiting_ = 0;     ///< in nats.c's buffer
  std::uint64_t appended_ = 0;  ///< ever to that buffer
  NatsHandle handle_;
  NatsSubscription subscription_;
};

}  // namespace outbox
