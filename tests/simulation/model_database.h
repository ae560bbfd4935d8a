// The database of a simulated run: a log of committed rows and one mark with its lease. Every store session
// works on it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/relay_io.h"
#include "model_held.h"
#include "virtual_time.h"

namespace outbox::simulation {

struct Faults {
  double store_fails = 0;        ///< per store command; half of the time only after it took effect
  double notification_lost = 0;  ///< per commit
  double rejects_for_now = 0;    ///< per message: retry
  double throttles = 0;          ///< per message: unavailable
  double forbids = 0;            ///< per message: misconfigured
  double answer_lost = 0;        ///< per message: applied, then in_doubt
  double interferes = 0;         ///< an operator, per look at what is held
  double session_breaks = 0;     ///< per message
  double connect_fails = 0;
  double crash = 0;  ///< of the relay, per step
  double stall = 0;  ///< of the relay beyond its lease, per step
  Duration store_latency_max = std::chrono::milliseconds(5);
  Duration broker_latency_max = std::chrono::milliseconds(5);
};

class ModelDatabase {
 public:
  struct Row {
    std::int64_t number = 0;  ///< position in the log, from 1: the row's seq
    int key = -1;             ///< -1: none
    Duration due_in{};        ///< from its commit
    Instant committed{};

    [[nodiscard]] int topic() const { return static_cast<int>(number % topics); }
  };
  static constexpr int topics = 3;

  explicit ModelDatabase(VirtualTime& time) : time_(time) {}

  void commit(int key, Duration due_in);
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }
  [[nodiscard]] std::int64_t mark() const { return mark_; }
  [[nodiscard]] const std::string& owner() const { return holder_.owner; }

  Acquired acquire(const LeaseRequest& request, const std::function<bool(const std::string&)>& gone);
  bool renew(std::int64_t epoch);
  bool release(std::int64_t epoch);
  std::optional<Settled> settle(std::int64_t epoch, std::int64_t mark, const HeldWrites& writes);
  [[nodiscard]] Batch read(std::int64_t after, std::size_t limit) const;
  [[nodiscard]] HeldBatch read_held(std::size_t limit) const;
  [[nodiscard]] ModelHeld& held() { return held_; }
  [[nodiscard]] const ModelHeld& held() const { return held_; }
  void set_paused(bool paused) { paused_ = paused; }
  /// What no store may be told; empty: all was well.
  [[nodiscard]] const std::string& violation() const { return violation_; }

  std::function<void()> on_commit;

 private:
  VirtualTime& time_;
  std::vector<Row> rows_;
  void add_message(Batch& batch, std::deque<std::string>& texts, const Row& row) const;

  std::int64_t mark_ = 0;
  LeaseHolder holder_;
  ModelHeld held_;
  bool paused_ = false;
  std::string violation_;
};

/// One relay's store thread: commands are carried out one after the other, each takes its time, any may fail.
class ModelStore {
 public:
  ModelStore(VirtualTime& time, Random& random, ModelDatabase& database, const Faults& faults,
             std::function<bool(const std::string&)> gone, std::function<void(Event)> deliver);

  void accept(Commands& commands);

  /// The process is gone: nothing more is answered; the command under way may still take effect.
  void crash();
  void committed();

 private:
  using Command = std::variant<LeaseRequest, SettleCommand, Lease, HeldKeysCommand, ReadHeldCommand,
                               ReadCommand, Duration>;
  struct Queued {
    Command command;
    bool renews = false;  ///< for Lease: renew, else release
  };

  void push(Queued queued);
  void begin();
  void finish();
  void end_wait(Woken why);
  void poll(Instant until, std::uint64_t number);
  Event carry_out(const Queued& queued);
  Event fail(const Queued& queued) const;

  VirtualTime& time_;
  Random& random_;
  ModelDatabase& database_;
  const Faults& faults_;
  std::function<bool(const std::string&)> gone_;
  std::function<void(Event)> deliver_;
  std::deque<Queued> queue_;
  bool busy_ = false;
  bool waiting_ = false;
  bool connected_ = false;
  std::int64_t read_end_ = 0;  ///< what this session has read
  std::uint64_t wait_number_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace outbox::simulation
