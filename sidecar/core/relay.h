// The relay state machine of one route and shard: read -> plan -> publish -> judge -> settle. It decides and
// never does: no I/O, no clock, no thread, no log. One thread owns it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>

#include "core/held_queue.h"
#include "core/relay_io.h"
#include "core/row_queue.h"
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

  /// Takes in what has happened, and judges each answer of a broker.
  void absorb(Instant now, Event event);

  /// Issues every command that is due, and holds what must not go out.
  void plan(Instant now, Commands& commands);

  /// What it knows of itself: everything of RouteStatus but name, to, and what only the database can count.
  [[nodiscard]] RouteStatus status(Instant now) const;

  /// The same as in status(), at the cost of a few comparisons.
  [[nodiscard]] RouteState state() const;

  /// Messages accepted so far.
  [[nodiscard]] std::uint64_t sent_total() const { return counted_.sent_total; }

  /// Dead letters made so far.
  [[nodiscard]] std::uint64_t dead_total() const { return counted_.dead_total; }

  /// The last of them, and why.
  [[nodiscard]] const std::string& last_dead() const { return last_dead_; }

  /// Rows seen so far that no route takes.
  [[nodiscard]] std::uint64_t unrouted_total() const { return counted_.unrouted_total; }

  /// What was relayed or passed is behind the saved mark, and nothing else is known to be there.
  [[nodiscard]] bool all_through() const {
    return caught_up() && rows_.empty() && !rows_.moved() && !asked_.has(Request::settle);
  }

  /// Nothing is there to be sent but what it has read, and what is held.
  [[nodiscard]] bool knows_backlog() const { return caught_up() && reads_on(); }

  /// It holds the lease.
  [[nodiscard]] bool holding() const { return phase_ == Phase::holding; }

  /// Moves when a topic gets into trouble or out of it.
  [[nodiscard]] std::uint64_t topics_version() const { return topics_version_; }

  /// Rows in outbox_held of this route and shard, as far as it knows.
  [[nodiscard]] std::int64_t held_total() const { return held_total_; }

 private:
  /// Where it stands with its lease.
  enum class Phase : std::uint8_t {
    apart,  ///< no lease, nothing outstanding: may acquire
    acquiring,
    holding,
    leaving,  ///< the lease is lost: waits for outstanding answers, then starts over
    releasing,
    stopped,  ///< what is still outstanding is answered to nobody
  };

  /// What it is to do with its lease. Stopping is for good.
  enum class Intent : std::uint8_t {
    hold,       ///< and take it when it is free
    hand_over,  ///< to another relay, and stand apart
    stop,       ///< at drain_until_ at the latest
  };

  /// What is asked of the store; each is answered once before it is asked again.
  enum class Request : std::uint8_t { acquire, renew, release, settle, held_keys, read_held, read, wait };

  /// What it does not know while it holds the lease, and must ask for.
  enum class Unknown : std::uint8_t {
    held_keys,     ///< which keys are held; nothing is read from the log before
    held_changes,  ///< an operator has changed what is held since that was asked for
    held_due,      ///< more keys were due than were read back; the log waits for them
    log,           ///< whether rows stand behind the last one read
  };

  /// Where it stands with the broker.
  enum class BrokerSession : std::uint8_t {
    down,
    connecting,
    up,
    recovering,  ///< up, an ordered pipeline: publishes nothing until what is in flight has come back
  };

  template <class Member>
  class SetOf {
   public:
    SetOf(std::initializer_list<Member> members = {}) {
      for (const Member member : members) add(member);
    }
    void add(Member member) { bits_ |= bit(member); }
    void remove(Member member) { bits_ &= ~bit(member); }
    void set(Member member, bool is_in) { is_in ? add(member) : remove(member); }
    [[nodiscard]] bool has(Member member) const { return (bits_ & bit(member)) != 0; }
    [[nodiscard]] bool has_any(SetOf others) const { return (bits_ & others.bits_) != 0; }
    [[nodiscard]] bool is_within(SetOf others) const { return (bits_ & ~others.bits_) == 0; }
    [[nodiscard]] bool empty() const { return bits_ == 0; }

   private:
    static unsigned bit(Member member) { return 1U << static_cast<unsigned>(member); }
    unsigned bits_ = 0;
  };

  /// Why the route publishes nothing for a while.
  struct Trouble {
    int failures = 0;  ///< in a row
    Instant retry_at{};
    bool misconfigured = false;
    bool unproven = false;  ///< a session came up since, which may break with the first message
    std::string reason;     ///< empty: none

    [[nodiscard]] bool present() const { return !reason.empty(); }
    [[nodiscard]] bool waits(Instant now) const { return present() && now < retry_at; }
  };

  /// What went wrong last, and what it speaks of: with that it is forgotten.
  struct LastError {
    enum class Of : std::uint8_t { lease, store, broker, rows } of = Of::rows;
    Instant at{};
    std::string text;
  };

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
  void on(Instant, Nudge&) { unknown_.add(Unknown::log); }
  void on(Instant, HeldChanged&) {
    unknown_.add(Unknown::held_changes);
    call_candidates();
  }
  void on(Instant, Share& share);

  /// Why no message of a topic goes out but one now and then, to see whether that has changed.
  struct TopicTrouble {
    int failures = 0;  ///< in a row
    Instant since{}, probe_at{};
    bool probing = false;                   ///< that one is with the broker
    std::optional<std::int64_t> candidate;  ///< seq of the held row that is due at probe_at; all others later
    std::string reason;
  };

  void on_delivery(Instant now, const Delivery& delivery, bool alone, std::optional<Error>& error);
  void on_session(Instant now, const Session& session, std::optional<Error>& error);
  void accepted(Instant now, Ticket ticket);
  [[nodiscard]] bool broker_works_beside(Ticket ticket) const;
  void put_back(Ticket ticket);
  void suspect(Instant now, Ticket ticket, int attempts, const std::string& reason);
  void give_up(Instant now, Ticket ticket, int attempts, const std::string& reason);
  void hold(Ticket ticket, HeldState state, int attempts, const std::string& reason,
            std::optional<Instant> due, std::string topic = {});
  void number_replays(Batch& batch) const;
  void held_due(Instant when);
  [[nodiscard]] std::optional<Instant> next_held_look() const {
    return held_due_ ? std::optional(std::max(*held_due_, held_look_at_)) : std::nullopt;
  }
  void note_held(Instant now, const HeldWrites& held);
  void note_failure(std::int64_t seq);
  [[nodiscard]] Duration probe_delay(int failures);
  void topic_refused(Instant now, Ticket ticket, const Delivery& delivery);
  void hold_for_topic(Instant now, Ticket ticket, const std::string& topic, TopicTrouble& trouble);
  void topic_accepted(Instant now, std::string_view topic);
  void topic_answered(const Message& message);
  void call_candidates();
  [[nodiscard]] Instant due_for_topic(Instant now, TopicTrouble& trouble, std::int64_t seq) const;
  [[nodiscard]] bool waits_for_topic(Instant now, Ticket ticket, const Message& message);
  void trouble(Instant now, Trouble& which, const Error& error);
  void store_failed(Instant now, const Error& error);
  void forget_what_is_over();
  [[nodiscard]] bool still_holds(LastError::Of what) const;
  void ask(Request request);
  void answered(Request request);
  void check_invariants() const;

  void plan_acquire(Instant now, Commands& commands);
  void plan_publish(Instant now, Commands& commands);
  void plan_settle(Instant now, Commands& commands);
  void plan_renew(Instant now, Commands& commands);
  void plan_held(Instant now, Commands& commands);
  void plan_read(Commands& commands);
  void plan_hand_over(Commands& commands);
  void release(Commands& commands);
  void plan_leave(Instant now, Commands& commands);
  void plan_stop(Instant now, Commands& commands);
  void plan_wake(Instant now, Commands& commands);
  [[nodiscard]] bool may_publish(Instant now) const;
  void recall_aside(Instant now);
  [[nodiscard]] const Message* next_to_publish(Instant now, Ticket& ticket);
  [[nodiscard]] const Message& message_of(Ticket ticket) const {
    return HeldQueue::owns(ticket) ? held_.message(ticket) : *rows_.at(ticket).message;
  }
  [[nodiscard]] std::int64_t seq_of(Ticket ticket) const { return message_of(ticket).seq; }
  [[nodiscard]] int attempts_of(Ticket ticket) const {
    return HeldQueue::owns(ticket) ? held_.attempts(ticket) : 0;
  }
  [[nodiscard]] const Submitted& submitted(Ticket ticket) const {
    return HeldQueue::owns(ticket) ? held_.submitted_at(ticket) : rows_.at(ticket).submitted;
  }
  [[nodiscard]] std::size_t in_flight() const { return rows_.in_flight() + held_.in_flight(); }
  [[nodiscard]] bool reads_on() const {
    return phase_ == Phase::holding && !held_full() && !unknown_.has(Unknown::held_due);
  }
  [[nodiscard]] bool held_full() const { return held_total_ - held_unrouted_ >= options_.held_max; }
  /// What was handed over, of the log and of the held rows, and is not written yet: a crash now repeats it.
  [[nodiscard]] std::size_t exposed() const {
    return static_cast<std::size_t>(std::max(published_end_, settled_end_) - settled_end_) + held_.exposed();
  }
  [[nodiscard]] bool connected() const {
    return session_ == BrokerSession::up || session_ == BrokerSession::recovering;
  }
  [[nodiscard]] bool caught_up() const { return !unknown_.has(Unknown::log); }
  /// A store that sleeps owes nothing.
  [[nodiscard]] bool store_owes_answers() const { return !asked_.is_within({Request::wait}); }
  [[nodiscard]] bool all_settled() const;
  [[nodiscard]] bool nothing_left(Instant now) const;

  const RelayOptions options_;
  RowFilter filter_;
  std::mt19937_64 random_;
  RowQueue rows_;
  HeldQueue held_;

  Phase phase_ = Phase::apart;
  Intent intent_ = Intent::hold;
  Instant drain_until_{};
  SetOf<Request> asked_;  ///< and not answered
  SetOf<Unknown> unknown_ = {Unknown::held_keys, Unknown::log};

  Lease lease_;
  Replays replays_;
  Instant beat_sent_at_{};             ///< when the outstanding acquire, renew or settle was issued
  Instant lease_from_{};               ///< confirmed: the lease lasts from here for options_.lease
  std::optional<LeaseHolder> holder_;  ///< who else holds it, and since when unmoved
  Instant holder_unmoved_since_{};
  Instant observe_at_{};

  Mark read_mark_;             ///< where the next read begins
  Ordinal settled_end_ = 1;    ///< everything before is behind the saved mark
  Ordinal settling_end_ = 1;   ///< what the outstanding settle will make of it
  Ordinal published_end_ = 1;  ///< everything from here on was never handed over
  Instant settled_at_{};       ///< when the last settle was issued

  std::int64_t held_total_ = 0, held_unrouted_ = 0;  ///< the latter of the former; they stop nobody
  std::optional<Instant> held_due_;                  ///< when held rows are worth looking for
  Instant held_look_at_{};              ///< not before: so that what falls due one by one is read together
  std::vector<HeldKey> settling_keys_;  ///< of the holds in the outstanding settle
  std::optional<Instant> settling_due_;
  std::int64_t settling_held_ = 0, settling_unrouted_ = 0;  ///< by how many rows it changes the totals

  BrokerSession session_ = BrokerSession::down;
  std::optional<Instant> up_since_;  ///< the last session that came up
  std::size_t
      flight_max_;  ///< 1 after a failure that may be one message's doing; doubles with each acceptance
  bool held_suspect_ = false;  ///< a held row has failed alone, and none of the log went out since
  /// By seq, rows that failed by themselves: how many were accepted until then.
  std::unordered_map<std::int64_t, std::uint64_t> last_failed_;
  Trouble store_trouble_, broker_trouble_;
  std::map<std::string, TopicTrouble, std::less<>> topics_;  ///< in trouble; a bounded number
  std::vector<std::string> called_;  ///< topics whose rows are to be due, by the next settle
  bool paused_ = false;              ///< by an operator

  std::uint64_t topics_version_ = 0;

  RouteStatus counted_;  ///< the counters
  LastError last_error_;
  std::string last_dead_;
};

}  // namespace outbox
