// Held rows for the suites: rows that are committed, read and held in one go, and what is held as a line of
// text. In a fresh database rows are numbered 1, 2, 3, ... as they are committed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/conformance/store_suite.h"

namespace outbox::test {

/// A row and what becomes of it.
struct Wanted {
  std::optional<std::string> key = {};
  std::optional<HeldState> state = {};  ///< not set: settled, as if it had been accepted
  Duration due_in{};
  std::string topic = "orders";
  int attempts = 1;
  std::optional<bool> blocks = {};  ///< as hold_of() has it
  std::string last_error = "turned away";
  bool for_topic = false;  ///< it waits for its topic
};

/// A relay that holds the lease of a route, with what it holds.
class Shelf {
 public:
  explicit Shelf(StoreFixture& fixture, const LeaseRequest& request = request_of("relay-1"));

  /// Commits the rows and takes them.
  void hold(const std::vector<Wanted>& rows);
  /// Reads the rows that are there, as many, and settles them all.
  void take(const std::vector<Wanted>& rows);

  /// What the relay knows of a row that it holds.
  [[nodiscard]] static Hold hold_of(std::int64_t seq, const std::optional<std::string>& key, HeldState state);
  /// One more attempt has failed.
  void change(const Hold& hold) { settle({{}, {hold}, {}}); }
  /// Accepted. Returns the keys that nobody blocks any more, in their order.
  std::vector<std::string> remove(const std::vector<HeldRow>& rows) { return settle({{}, {}, rows}); }
  std::vector<std::string> settle(const HeldWrites& writes);

  [[nodiscard]] HeldBatch read(const ReadLimit& limit = {1000, 1u << 24}) const;
  /// The seqs that are due, and what follows them: "1 2 5".
  [[nodiscard]] std::string due(const ReadLimit& limit = {1000, 1u << 24}) const;
  [[nodiscard]] HeldKeys keys() const;
  /// What is held: "1 retrying, 2 blocked".
  [[nodiscard]] std::string held(const HeldFilter& filter = {}) const;
  [[nodiscard]] HeldEntry entry(std::int64_t seq) const;

  Holder holder;

 private:
  StoreFixture& fixture_;
};

std::string seqs_text(const Batch& batch);
std::string attempts_text(const HeldBatch& batch);

/// What an operator sees: "1 retrying, 2 blocked".
std::string held_text(StoreFixture& fixture, const HeldFilter& filter = {});

}  // namespace outbox::test
