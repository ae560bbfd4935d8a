// Compares what services committed with what consumers received. Plain values; stays in its test.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/conformance/broker_suite.h"

namespace outbox::test {

/// A row as its service committed it; `number` counts 1, 2, 3, ... within the key, in commit order.
struct CommittedRow {
  std::string key;
  long number = 0;
  std::string payload;
};

struct Comparison {
  std::size_t lost = 0;         ///< committed, never arrived
  std::size_t uncommitted = 0;  ///< arrived, never committed
  std::size_t inverted = 0;     ///< first arrived before, or long after, its predecessor of the same key
  std::size_t changed = 0;      ///< another payload or key under a committed id
  std::size_t repeated = 0;     ///< arrived again

  [[nodiscard]] bool is_faultless() const { return lost + uncommitted + inverted + changed == 0; }
  [[nodiscard]] std::string text() const;
};

class CommittedRows {
 public:
  void add(const std::string& id, CommittedRow row) { rows_[id] = std::move(row); }
  [[nodiscard]] std::size_t size() const { return rows_.size(); }

  /// `arrived` in the order of arrival, at least within each key.
  [[nodiscard]] Comparison compare(const std::vector<Received>& arrived) const;

 private:
  std::map<std::string, CommittedRow> rows_;
};

/// How many of arrived[begin, end) have an id that arrived before.
std::size_t repeats_in(const std::vector<Received>& arrived, std::size_t begin, std::size_t end);

}  // namespace outbox::test
