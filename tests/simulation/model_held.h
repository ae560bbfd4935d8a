// The held rows of a simulated database, with the rules that sidecar/core/store.h and operator.h give the
// real ones.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/store.h"

namespace outbox::simulation {

class ModelHeld {
 public:
  struct Row {
    std::optional<std::string> key;
    HeldState state = HeldState::retrying;
    bool blocks = true;
    int attempts = 0;
    std::optional<Instant> due;
    std::string topic;  ///< that it waits for
  };

  /// In one transaction.
  Settled write(const HeldWrites& writes, Instant now);
  [[nodiscard]] HeldKeys keys(Instant now) const;
  /// The rows to be tried, in order, and until when the next one is due.
  [[nodiscard]] std::vector<std::int64_t> due(std::size_t limit, Instant now,
                                              std::optional<Duration>& next) const;

  // ---- the operator ----
  void requeue(std::int64_t seq, Instant now);
  void discard(std::int64_t seq, Instant now);

  [[nodiscard]] const std::map<std::int64_t, Row>& rows() const { return rows_; }

 private:
  void set(const Hold& hold, Instant now);
  [[nodiscard]] bool waits_for_its_place(std::int64_t seq, const Row& row, Instant now) const;
  void promote(const std::string& key, Instant now);
  [[nodiscard]] std::map<std::int64_t, Row>::iterator first_that_blocks(const std::string& key);

  std::map<std::int64_t, Row> rows_;
};

}  // namespace outbox::simulation
