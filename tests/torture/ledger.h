// The producers' own log of what they wanted to commit, and the checker that compares it with what arrived.
// Any thread may write to a ledger; judge() is a pure function.
#pragma once

#include <cstddef>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/conformance/broker_suite.h"

namespace outbox::test {

/// What a producer knows of its row's transaction.
enum class Fate {
  open,         ///< COMMIT was not sent: it must never arrive
  rolled_back,  ///< the same
  unknown,      ///< COMMIT was sent, no answer came
  committed,
};

struct LedgerRow {
  std::string id, key, payload;  ///< key: empty for none
  long number = 0;               ///< within the key, in the order of the commits
  Fate fate = Fate::open;
  bool scheduled = false;  ///< may come late, and holds nobody back
};

/// What must become of a row, once the database has been asked.
enum class Due {
  forbidden,
  allowed,
  required,
  refused,  ///< no broker will take it: it must become a dead letter
};

struct Expected {
  std::string key, payload;
  long number = 0;
  Due due = Due::required;
  bool scheduled = false;
};
using Expectations = std::unordered_map<std::string, Expected>;  ///< by id

class Ledger {
 public:
  explicit Ledger(unsigned seed) : random_(seed) {}

  /// A row that a producer is about to insert; call it with the key's lock held, so that numbers are in
  /// commit order.
  std::size_t add(const std::string& key, bool scheduled = false);
  void set(std::span<const std::size_t> rows, Fate fate);

  [[nodiscard]] LedgerRow row(std::size_t index) const;
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t committed() const;  ///< known to be
  /// The ids of all rows there are by now.
  [[nodiscard]] std::vector<std::string> ids() const;

  /// `stored`: the ids that the outbox holds now. Throws when the database itself broke its word: a row that
  /// nobody committed is there, or a committed one is not although `may_forget` is false.
  /// may_forget: the database may forget commits in a crash; what it forgot may have been seen before.
  [[nodiscard]] Expectations expected(const std::vector<std::string>& stored, bool may_forget) const;

 private:
  std::string new_id();

  mutable std::mutex mutex_;
  std::mt19937_64 random_;
  std::vector<LedgerRow> rows_;
  std::unordered_map<std::string, long> numbers_;  // by key
  std::size_t committed_ = 0;
};

struct Findings {
  std::size_t messages = 0;     ///< required
  std::size_t lost = 0;         ///< required, never arrived
  std::size_t uncommitted = 0;  ///< arrived, and nobody had committed that, or not with this key and payload
  std::size_t inverted = 0;     ///< first arrived after a later row of the same key
  std::size_t duplicates = 0;   ///< arrived again
  std::size_t too_many = 0;     ///< duplicates beyond the window that a crash may leave open
  std::string example;          ///< of the first violation

  [[nodiscard]] bool is_faultless() const { return lost + uncommitted + inverted + too_many == 0; }
};

/// `arrived` in the order of arrival. `crashes`: how many had arrived at each crash, ascending. Of what
/// arrived between two of them, or in all without any, at most repeats_max may arrive again.
Findings judge_arrivals(const Expectations& expected, const std::vector<Received>& arrived,
                        const std::vector<std::size_t>& crashes, std::size_t repeats_max);

}  // namespace outbox::test
