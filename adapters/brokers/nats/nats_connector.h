// Connects beside its owner: nats.c connects only by blocking, and its TLS handshake knows no time limit.
// Belongs to one broker and its thread; the thread that it starts is left to itself when it takes too long.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "adapters/brokers/nats/nats_connection.h"

namespace outbox {

class NatsConnector {
 public:
  /// `settings` must outlive it.
  explicit NatsConnector(const NatsSettings& settings) : settings_(settings) {}
  NatsConnector(const NatsConnector&) = delete;
  NatsConnector& operator=(const NatsConnector&) = delete;
  ~NatsConnector() { give_up(); }

  /// Begins with the next of the hosts; all are tried, and share the time. Rings the mailbox's bell when
  /// done.
  void begin(const std::shared_ptr<NatsMailbox>& mailbox);

  /// The outcome, once.
  std::optional<Result<std::unique_ptr<NatsConnection>>> take();

  /// Nobody waits for the outcome any more.
  void give_up();

  /// "host:port, host:port".
  [[nodiscard]] std::string endpoints() const;

 private:
  struct Attempt;

  const NatsSettings& settings_;
  std::size_t attempts_ = 0;
  std::shared_ptr<Attempt> attempt_;
};

}  // namespace outbox
