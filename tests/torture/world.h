// One round of a scenario: a database with services, relays that suffer, a consumer, and the judgement at the
// end. Owned by the round's thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>

#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"
#include "tests/torture/consumer.h"
#include "tests/torture/ledger.h"
#include "tests/torture/services.h"

namespace outbox::test {

/// What came of a round.
struct Outcome {
  int faults = 0;
  Findings findings;
  std::vector<std::string> violations;
};

struct WorldOptions {
  unsigned seed = 1;
  int window = 64;
  std::size_t backlog_max = 300;  ///< services rest when so many rows are ahead of the consumer
  bool may_forget = false;        ///< the database may forget commits when it crashes
  /// Which rows nobody will ever accept, by id: they must become dead letters.
  std::function<bool(const std::string& id)> is_poison = {};
  ServicesOptions services = {};  ///< its seed is the round's
};

class World {
 public:
  World(std::unique_ptr<Shop> shop, std::unique_ptr<Consumer> consumer, WorldOptions options);

  std::mt19937 random;
  [[nodiscard]] Shop& shop() { return *shop_; }
  [[nodiscard]] Consumer& consumer() { return *consumer_; }
  [[nodiscard]] Ledger& ledger() { return ledger_; }
  [[nodiscard]] const WorldOptions& options() const { return options_; }

  /// 0 to below - 1.
  int draw(int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); }

  /// A relay of this world, not yet started. `database`: empty for the shop's own URL.
  Outboxd& add_relay(const std::string& database = "", const std::function<void(RelayConfig&)>& change = {});
  [[nodiscard]] std::vector<std::unique_ptr<Outboxd>>& relays() { return relays_; }

  /// Starts it; returns at once.
  void start(Outboxd& relay);
  /// Waits until its last start has come so far that signals are heard.
  void started(Outboxd& relay);

  /// Reads what has arrived, and lets services write on.
  void look();
  /// Different messages that have arrived so far.
  [[nodiscard]] std::size_t arrived() const { return seen_.size(); }
  /// Looks until the condition holds; false: not within `deadline`.
  bool until(const std::function<bool()>& condition, std::chrono::milliseconds deadline = patience);
  /// Looks until so many more have arrived; a violation when they do not.
  bool progress(std::size_t messages, const std::string& after);
  /// Looks on for a while.
  void pass(std::chrono::milliseconds time);
  /// Services write no more for now, or again.
  void quiet(bool on);

  /// kill -9, at whatever it does.
  void kill(Outboxd& relay);
  /// A fault that may make the relay repeat a window has just happened.
  void crashed();
  /// The same for faults whose repeats cannot be told apart in time: they may add up to so many windows.
  void may_repeat(std::size_t windows) { windows_ += windows; }
  /// Something that must not be; the round may go on to its finish at once.
  void violation(const std::string& what);
  [[nodiscard]] bool is_faultless() const { return outcome_.violations.empty(); }
  /// Counts a fault.
  void fault() { ++outcome_.faults; }

  /// Ends the services, waits for what is due, stops the relays in an orderly way, judges.
  Outcome finish();

 private:
  std::vector<std::string> stored();
  void drain(const Expectations& expected);
  void live_on(std::map<std::string, long>& wanted);
  void judge(const Expectations& expected);

  const WorldOptions options_;
  std::unique_ptr<Shop> shop_;
  std::unique_ptr<Consumer> consumer_;
  Ledger ledger_;
  std::vector<std::unique_ptr<Outboxd>> relays_;
  std::map<const Outboxd*, std::size_t> log_began_;  ///< of the last start
  std::unordered_set<std::string> seen_;
  std::size_t looked_to_ = 0, beginnings_ = 0;
  std::vector<std::size_t> crashes_;
  std::size_t windows_ = 0;
  bool is_quiet_ = false;
  std::unordered_set<std::string> living_;  ///< orders of live_on()
  std::chrono::steady_clock::time_point lived_at_;
  Outcome outcome_;
  std::unique_ptr<Services> services_;
};

}  // namespace outbox::test
