// Messages made by tests: rows that own their text, and the batch views that adapters get. Each object stays
// in its test.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/broker.h"
#include "core/message.h"

namespace outbox::test {

struct Row {
  std::string topic = "order.placed";
  std::optional<std::string> key = {};
  std::string type = {};  ///< empty: the topic, as a store would fill it in
  std::string payload = R"({"order":42})";
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
  Timestamp created_at = std::chrono::sys_days(std::chrono::year(2026) / 1 / 31) + std::chrono::hours(23) +
                         std::chrono::minutes(59) + std::chrono::seconds(59) + std::chrono::microseconds(1);
};

/// "00000000-0000-4000-8000-000000000042" for 42.
std::string uuid_of(std::int64_t number);

/// Rows with memory that stays where it is, however many are added.
class Rows {
 public:
  /// Its number: 1, 2, 3, ...; it becomes seq, ticket and id.
  std::int64_t add(Row row = {});

  [[nodiscard]] Message& message(std::int64_t number) {
    return messages_.at(static_cast<std::size_t>(number - 1));
  }
  [[nodiscard]] std::size_t size() const { return messages_.size(); }
  /// All from `first` on.
  [[nodiscard]] std::vector<Submission> submissions(std::int64_t first = 1) const&;
  std::vector<Submission> submissions(std::int64_t first = 1) const&& = delete;  // they look into the rows

 private:
  std::deque<Row> rows_;
  std::deque<std::vector<Header>> headers_;
  std::deque<Message> messages_;
};

/// As many, all alike, with a payload of so many 'x'.
Rows rows_of(int count, std::size_t payload_size = 100, const std::string& topic = "order.placed");
/// One to each topic, in this order.
Rows rows_to(const std::vector<std::string>& topics);

}  // namespace outbox::test
