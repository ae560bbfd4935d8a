// The relay state machine of one route and shard: read -> plan -> publish -> judge -> settle. It decides and
// never does: no I/O, no clock, no thread, no log. One thread owns it.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>

#include "core/held_window.h"
#include "core/relay_io.h"
#include "core/row_window.h"
#include "core/status.h"

namespace outbox {

class Relay {
 public:
  explicit Relay(RelayOptions options);

  /// absorb(event), then plan(): what is to be done now. `commands` comes in cleared.
  void step(Instant now, Event event, Commands& commands) {
    absorb(now, std::move(event));
    plan(now, commands);
  }

  /// Changes state, decides nothing.
  void absorb(Instant now, Event event);

  /// Reads state, issues every command that is due.
  void plan(Instant now, Commands& commands);

  /// What it knows of itself: everything of RouteStatus but name, to, and what only the database can count.
  [[nodiscard]] RouteStatus status(Instant now) const;

  /// The same as in status(), at the cost of a few comparisons.
  [[nodiscard]] RouteState state() const;

  /// Messages accepted so far.
  [[nodiscard]] std::uint64_t sent_total() const { return counted_.sent_total; }

  /// Dead letters made so far.
  [[nodiscard]] std::uint64_t dead_total() const { return counted_.dead_total; }

  /// Rows seen so far that no route takes.
  [[nodiscard]] std::uint64_t unrouted_total() const { return counted_.unrouted_total; }

  /// What was relayed or passed is behind the saved mark, and nothing else is known to be there.
  [[nodiscard]] bool all_through() const { return caught_up_ && rows_.empty() && !mark_moved_ && !settling_; }

  /// It holds the lease.
  [[nodiscard]] bool holding() const { return phase_ == Phase::holding; }

  /// Rows in outbox_held of this route and shard, as far as it knows.
  [[nodiscard]] std::int64_t held_total() const { return held_total_; }

 private:
  /// Where it stands with its lease.
  enum class Phase {
    apart,  ///< no lease, nothing outstanding: may acquire
    acquiring,
    holding,
    leaving,  ///< the lease is lost: waits for outstanding answers, then starts over
    releasing,
    stopped,
  };

  /// Why the route publishes nothing for a while.
  struct Trouble {
    int failures = 0;  ///< in a row
    Instant retry_at{};
    bool misconfigured = false;
    std::string reason;  ///< empty: none

    [[nodiscard]] bool present() const { return !reason.empty(); }
    [[nodiscard]] bool waits(Instant now) const { return present() && now < retry_at; }
  };

  enum class BrokerSession { down, connecting, up };

  void on(Instant now, AcquireAnswer& answer);
  void on(Instant now, RenewAnswer& answer);
  void on(Instant now, ReleaseAnswer& answer);
  void on(Instant now, ReadAnswer& answer);
  void on(Instant now, SettleAnswer& answer);
  void on(Instant now, HeldKeysAnswer& answer);
  void on(Instant now, ReadHeldAnswer& answer);
  void on(Instant now, WaitAnswer& answer);
  void on(Instant now, BrokerAnswer& answer);
  void on(Instant now, Pause&);
  void on(Instant now, Resume&);
  void on(Instant now, Stop&);
  void on(Instant, Tick&) {}
  void on(Instant, Nudge&) { caught_up_ = false; }
  void on(Instant, HeldChanged&) { recount_held_ = true; }
  void on(Instant, Share& share) { wanted_ = share.wanted; }

  void on_delivery(Instant now, const Delivery& delivery, bool alone, std::optional<Error>& error);
  void on_session(Instant now, const Session& session, std::optional<Error>& error);
  void accepted(Instant now, Ticket ticket);
  void put_back(Ticket ticket);
  void hold(Ticket ticket, HeldState state, int attempts, const std::string& reason,
            std::optional<Instant> due);
  void held_due(Instant when);
  [[nodiscard]] std::optional<Instant> next_held_look() const {
    return held_due_ ? std::optional(std::max(*held_due_, held_look_at_)) : std::nullopt;
  }
  void note_held(Instant now, const HeldWrites& held);
  void trouble(Instant now, Trouble& which, const Error& error);
  void store_failed(Instant now, const Error& error);
  void beat_confirmed();

  void plan_acquire(Instant now, Commands& commands);
  void plan_publish(Instant now, Commands& commands);
  void plan_settle(Instant now, Commands& commands);
  void plan_renew(Instant now, Commands& commands);
  void plan_held(Instant now, Commands& commands);
  void plan_read(Commands& commands);
  void plan_hand_over(Commands& commands);
  void plan_leave(Instant now, Commands& commands);
  void plan_stop(Instant now, Commands& commands);
  void plan_wake(Instant now, Commands& commands);
  [[nodiscard]] bool may_publish(Instant now) const;
  [[nodiscard]] const Message* next_to_publish(Instant now, Ticket& ticket);
  [[nodiscard]] std::size_t in_flight() const { return rows_.in_flight() + held_.in_flight(); }
  [[nodiscard]] bool held_full() const { return held_total_ >= options_.held_max; }
  [[nodiscard]] bool store_owes_answers() const {
    return reading_ || settling_ || renewing_ || counting_held_ || reading_held_;
  }
  [[nodiscard]] bool all_settled() const;
  [[nodiscard]] bool nothing_left(Instant now) const;

  const RelayOptions options_;
  std::mt19937_64 random_;
  RowWindow rows_;
  HeldWindow held_;

  Phase phase_ = Phase::apart;
  Lease lease_;
  Mark read_mark_;                     ///< where the next read begins
  Ordinal settled_end_ = 1;            ///< everything before is behind the saved mark
  Ordinal settling_end_ = 1;           ///< what the outstanding settle will make of it
  Ordinal published_end_ = 1;          ///< everything from here on was never handed over
  bool mark_moved_ = false;            ///< since the last settle was issued
  Instant settled_at_{};               ///< when the last settle was issued
  Instant beat_sent_at_{};             ///< when the outstanding acquire, renew or settle was issued
  Instant lease_from_{};               ///< confirmed: the lease lasts from here for options_.lease
  std::optional<LeaseHolder> holder_;  ///< who else holds it, and since when unmoved
  Instant holder_unmoved_since_{};
  Instant observe_at_{};

  bool held_known_ = false;  ///< which keys are held; nothing is read before
  bool recount_held_ = false;
  std::int64_t held_total_ = 0;
  bool held_first_ = false;             ///< more keys are due than were read back
  std::optional<Instant> held_due_;     ///< when held rows are worth looking for
  Instant held_look_at_{};              ///< not before: so that what falls due one by one is read together
  std::vector<KeyHold> settling_keys_;  ///< of the holds in the outstanding settle
  std::optional<Instant> settling_due_;
  std::int64_t settling_held_ = 0;  ///< by how many rows it changes the total

  bool reading_ = false, settling_ = false, renewing_ = false, waiting_ = false;
  bool counting_held_ = false, reading_held_ = false;
  bool caught_up_ = false;  ///< the last read found nothing and nothing has woken us since

  BrokerSession session_ = BrokerSession::down;
  bool ever_up_ = false;
  Instant up_since_{};
  std::size_t
      flight_max_;  ///< 1 after a failure that may be one message's doing; doubles with each acceptance
  Trouble store_trouble_, broker_trouble_;
  bool ordered_recovery_ =
      false;  ///< ordered pipeline: publish nothing until what is in flight has come back
  bool paused_ = false;
  bool wanted_ = true;
  bool draining_ = false;
  Instant drain_until_{};

  RouteStatus counted_;  ///< the counters
};

}  // namespace outbox
