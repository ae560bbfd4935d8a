// The frame of a broker whose server answers in its own time: a session's phases, its time limits, waiting
// and waking, and its end with a delivery for every message. An adapter fills in its protocol. Belongs to one
// publishing thread, wake() to any.
#pragma once

#include <poll.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/common/server_settings.h"
#include "adapters/common/tcp_connector.h"
#include "base/clock.h"
#include "base/wakeup.h"
#include "core/broker.h"

namespace outbox {

/// A time limit for people: "1500 ms".
std::string milliseconds_text(Duration time);

class ServerBroker : public Broker {
 public:
  ServerBroker(const ServerBroker&) = delete;
  ServerBroker& operator=(const ServerBroker&) = delete;

  void connect() final;
  void submit(std::span<const Submission> messages) final;
  void poll(Duration timeout, Answers& answers) final;
  void wake() noexcept final { wakeup_.ring(); }

 protected:
  enum class Phase { closed, connecting, up };

  /// `kind` must outlive the broker. Of the settings only the two time limits are taken.
  ServerBroker(const ServerKind& kind, const ServerSettings& settings);

  // ---- What an adapter fills in. None is called when the session is closed, but begin(). A session ends
  // after the call that has told of it, never within. ----

  /// Begins a session; come_up() or fail() tells how that went, now or from a later call.
  virtual void begin() = 0;
  /// Takes messages, in this order, and sends at once what can be sent. The session is up.
  virtual void take(std::span<const Submission> messages) = 0;
  /// Goes on with what needs no waiting; called before each step().
  virtual void advance() {}
  /// Waits with await() for what the server sends or takes, and does what there is to do.
  virtual void step(Duration wait) = 0;
  /// When step() has to return at the latest, and tick() is to be called; for heartbeats.
  [[nodiscard]] virtual Instant tick_at() const { return Instant::max(); }
  /// Called after each step().
  virtual void tick() {}
  /// Some message has no answer yet.
  [[nodiscard]] virtual bool awaits_answers() const = 0;
  /// The session is over: give_up() for each message without an answer, then drop the connection.
  virtual void end(const std::string& reason) = 0;
  /// poll() has told of everything.
  virtual void told() {}
  /// The server, for people: "host:port".
  [[nodiscard]] virtual std::string endpoint() const = 0;
  /// When the session is given up: connect_timeout after its begin, timeout after the last sign of life when
  /// an answer is awaited.
  [[nodiscard]] virtual std::optional<Instant> deadline() const;
  /// That time has come: fail() with silence(), unless there is more to say or to do.
  virtual void overdue() { fail(Session::State::down, silence()); }

  // ---- What it is offered ----

  /// Goes on with a connection; true once it is ready. It has advance() and error(), as ServerStream has
  /// them.
  template <class Connection>
  bool reaches(Connection& connection) {
    switch (connection.advance()) {
      case Progress::ready:
        return true;
      case Progress::failed:
        fail(connection.error());
        return false;
      case Progress::waiting:
        return false;
    }
    return false;
  }
  /// poll(2) on these and the bell; what is ready is in them then.
  void await(std::span<pollfd> sources, Duration wait);
  /// The same for one; what it is ready for.
  short await(int descriptor, short events, Duration wait);
  /// For who waits by other means: readable when wake() was called, and what to say then.
  Wakeup& bell() { return wakeup_; }
  void woken();

  [[nodiscard]] bool is_connecting() const { return phase_ == Phase::connecting; }
  [[nodiscard]] bool is_up() const { return phase_ == Phase::up; }
  /// Nothing more is taken, see end_after_answers().
  [[nodiscard]] const std::optional<Session>& ending() const { return ending_; }
  [[nodiscard]] bool has_failed() const { return failure_.has_value(); }

  /// The session can take messages.
  void come_up();
  /// The time limit begins anew: a sign of life.
  void alive() { alive_at_ = now(); }
  [[nodiscard]] Instant alive_at() const { return alive_at_; }
  /// The session is over. The first reason stays; it begins with the adapter's name or gets that.
  void fail(Session::State state, std::string_view what);
  void fail(const Error& error);
  /// Takes nothing more, and is over once all have been answered: they have their answers on their way.
  void end_after_answers(Session::State state, std::string_view what);

  /// What is misconfigured is the topic, unless `scope` says otherwise: a wrong login ends the session.
  void deliver(Ticket ticket, Verdict verdict, std::string reason = {}, std::optional<Scope> scope = {},
               bool duplicate = false) {
    const Scope usual = verdict == Verdict::misconfigured ? Scope::topic : Scope::route;
    pending_.deliveries.push_back({ticket, verdict, std::move(reason), scope.value_or(usual), duplicate});
  }
  /// In end(): what may have left this process is in doubt, or what `silence` says, the rest was not taken.
  void give_up(Ticket ticket, bool has_left, const std::string& reason, Verdict silence = Verdict::in_doubt);
  /// The same for messages of which nothing has left.
  template <class Submissions>
  void give_up_unsent(Submissions& waiting, const std::string& reason) {
    for (const Submission& submission : waiting) give_up(submission.ticket, false, reason);
    waiting.clear();
  }

  /// "host:port: no answer within 10000 ms".
  [[nodiscard]] std::string silence() const;
  /// Begins a delivery's reason: "redis: XADD to 'orders': ".
  [[nodiscard]] std::string about(const Message& message) const;
  /// Begins a session's: "redis: host:port: ".
  [[nodiscard]] std::string where() const;

 private:
  [[nodiscard]] std::string named(std::string_view what) const;
  void check_deadline();
  void end_if_over();
  void end_session(const Session& session);

  const ServerKind& kind_;
  const Duration connect_timeout_, timeout_;
  Wakeup wakeup_;
  std::vector<pollfd> polled_;
  bool is_woken_ = false;
  Phase phase_ = Phase::closed;
  Instant alive_at_{};  ///< connecting began, or the last sign of life came
  std::optional<Session> failure_, ending_;
  Answers pending_;  ///< for the next poll()
};

}  // namespace outbox
