// Port: one session with one broker. Never blocks but in poll(); all calls come from one thread, except
// wake(). An adapter translates: it never retries, sleeps or decides. Adapters: adapters/brokers/<name>.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/message.h"
#include "core/verdict.h"

namespace outbox {

/// What an adapter promises beyond the port.
struct Traits {
  /// When a message fails, no later one of its key is accepted that was submitted before poll() told of the
  /// failure.
  bool ordered_pipeline = false;
  bool deduplicates = false;  ///< a message that comes again with its id is accepted, and stored once
};

/// How the session stands. After `down` every submitted message has had its delivery.
struct Session {
  enum class State { up, down, misconfigured };
  State state = State::down;
  std::string reason;  ///< for people, when not up; no secrets
};

/// What poll() brings, in the order in which it happened: deliveries first, then the session's change, if
/// any.
struct Answers {
  std::vector<Delivery> deliveries;
  std::optional<Session> session;

  void clear() {
    deliveries.clear();
    session.reset();
  }
};

struct Submission {
  Ticket ticket = 0;
  const Message* message = nullptr;
};

class Broker {
 public:
  virtual ~Broker() = default;

  [[nodiscard]] virtual Traits traits() const { return {}; }

  /// Begins a session, or a new one after `down`; returns at once, the outcome comes by poll(). What the
  /// client library would do by itself when a connection breaks (reconnect, re-send) is switched off.
  virtual void connect() = 0;

  /// Hands over messages in this order. Precondition: the session is up. Each gets exactly one delivery by a
  /// later poll(); until then the message's memory stays valid. A message that the protocol cannot carry is
  /// delivered as rejected. No answer within the adapter's own time limit ends the session: what was sent is
  /// in_doubt, what was not, unavailable.
  virtual void submit(std::span<const Submission> messages) = 0;

  /// Sends, waits for answers up to `timeout` and adds them to `answers`. Returns as soon as there is at
  /// least one, or when wake() was called.
  virtual void poll(Duration timeout, Answers& answers) = 0;

  /// Ends a running or the next poll(). Any thread; does not block.
  virtual void wake() noexcept = 0;
};

}  // namespace outbox
