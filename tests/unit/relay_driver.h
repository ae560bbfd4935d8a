// Plays both ends of a Relay in a test: a store and a broker that answer what and when the test says. After
// each step it checks what must always hold of the commands.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/relay.h"
#include "tests/support/rows.h"

namespace outbox::test {

struct Wanted {
  std::optional<std::string> key = {};
  Duration due_in = {};
  std::string topic = "order.placed";
  std::string defect = {};
  Duration age = {};
};

struct HeldWanted {
  std::int64_t seq = 0;
  std::optional<std::string> key = {};
  int attempts = 0;
  Duration due_in = {};
  std::string defect = {};
  std::string topic = "order.placed";
  bool blocks = true;
};

/// Short spans that are easy to reckon with: window 4, lease 8 s (renewed after 2.67 s, published under for
/// 6 s), settled every 20 ms, back-off 100 ms (so 50 to 100) to 1 s, three attempts, drained for 5 s.
RelayOptions brief();
RelayOptions brief_and_ordered();

class RelayDriver {
 public:
  explicit RelayDriver(RelayOptions options = brief());

  /// Holds the lease from here, is connected, and has asked for the first rows.
  RelayDriver& started(std::int64_t saved_mark = 0);

  // ---- time ----
  RelayDriver& tick();
  RelayDriver& pass(Duration how_long);
  /// The store renews the lease whenever it is asked to.
  RelayDriver& pass_renewing(Duration how_long);

  // ---- the store's answers; each must be owed ----
  /// What granted() says of them.
  Replays replays;
  /// Also answers what is asked first: which keys are held.
  RelayDriver& granted(std::int64_t saved_mark = 0, bool paused = false, HeldKeys held = {});
  RelayDriver& held_by(const std::string& owner, std::int64_t beat = 1);
  RelayDriver& acquire_fails(Fault fault = Fault::unavailable);
  /// The rows that follow what the relay asked for.
  RelayDriver& reads(const std::vector<Wanted>& rows, bool more = false);
  RelayDriver& reads_nothing() { return reads({}); }
  RelayDriver& read_fails(Fault fault = Fault::unavailable);
  /// The held rows that were asked for.
  RelayDriver& reads_held(const std::vector<HeldWanted>& rows, std::optional<Duration> next_due_in = {},
                          bool more_keys = false);
  RelayDriver& read_held_fails(Fault fault = Fault::unavailable);
  RelayDriver& counted(HeldKeys held);
  RelayDriver& settled(std::vector<std::string> freed = {});
  RelayDriver& settle_fails(Fault fault = Fault::unavailable);
  RelayDriver& renewed();
  RelayDriver& renew_fails(Fault fault = Fault::unavailable);
  RelayDriver& released();
  RelayDriver& release_fails();
  RelayDriver& wait_ends(Woken why = Woken::notified);
  RelayDriver& wait_fails();

  // ---- the broker's answers ----
  RelayDriver& connected();
  RelayDriver& accepts(const std::vector<std::int64_t>& rows);
  /// Accepts the row, and says that it had it.
  RelayDriver& had_already(std::int64_t row);
  RelayDriver& answers(std::int64_t row, Verdict verdict, const std::string& reason = "it says no");
  /// Not the message's fault, and not the server's.
  RelayDriver& refuses_topic_of(std::int64_t row, Verdict verdict = Verdict::misconfigured);
  /// Whatever is in flight is in doubt, and the session is over.
  RelayDriver& session_breaks();
  RelayDriver& session_ends(Session::State state, const std::string& reason);

  // ---- the operator ----
  RelayDriver& pause() { return step(Pause{}); }
  RelayDriver& resume() { return step(Resume{}); }
  RelayDriver& stop() { return step(Stop{}); }
  RelayDriver& nudge() { return step(Nudge{}); }
  RelayDriver& share(bool wanted) { return step(Share{wanted}); }
  RelayDriver& held_changes() { return step(HeldChanged{}); }

  // ---- what the last step came to ----
  /// "1 2 3": the rows handed to the broker.
  [[nodiscard]] std::string published() const;
  [[nodiscard]] std::optional<std::int64_t> settles() const;
  /// "2 retrying, 3 blocked": what the settle writes, the new holds first, then "changed ..." and "removed
  /// ...".
  [[nodiscard]] std::string holds() const;
  [[nodiscard]] const Hold& first_hold() const;
  [[nodiscard]] std::optional<Duration> wakes_in() const;
  [[nodiscard]] const Commands& commands() const { return commands_; }
  [[nodiscard]] RouteStatus status() const { return relay_.status(now_); }
  [[nodiscard]] std::string last_reason() const;
  [[nodiscard]] const std::string& last_dead() const { return relay_.last_dead(); }
  [[nodiscard]] std::int64_t held_total() const { return relay_.held_total(); }
  [[nodiscard]] bool knows_backlog() const { return relay_.knows_backlog(); }
  [[nodiscard]] bool all_through() const { return relay_.all_through(); }
  [[nodiscard]] bool in_flight(std::int64_t row) const { return in_flight_.contains(row); }

 private:
  RelayDriver& step(Event event);
  RelayDriver& take(Answers answers);
  void check_and_remember();
  void answered(bool& owed);

  const RelayOptions options_;
  Relay relay_;
  Instant now_{std::chrono::hours(1)};
  Commands commands_;
  std::map<std::int64_t, Ticket> in_flight_;
  std::int64_t epoch_ = 0;
  std::int64_t read_from_ = 0;
  bool acquiring_ = false, reading_ = false, settling_ = false, renewing_ = false, releasing_ = false,
       waiting_ = false, counting_ = false, reading_held_ = false;
};

}  // namespace outbox::test
