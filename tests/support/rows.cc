#include "tests/support/rows.h"

#include <algorithm>

namespace outbox::test {

std::string uuid_of(std::int64_t number) {
  const std::string digits = std::to_string(number);
  std::string id = "00000000-0000-4000-8000-000000000000";
  std::ranges::copy(digits, id.end() - static_cast<std::ptrdiff_t>(digits.size()));
  return id;
}

std::int64_t Rows::add(Row added) {
  const Row& row = rows_.emplace_back(std::move(added));
  std::vector<Header>& headers = headers_.emplace_back();
  for (const auto& [name, value] : row.headers) headers.push_back({name, value});
  Message& message = messages_.emplace_back();
  message.seq = static_cast<std::int64_t>(messages_.size());
  std::ranges::copy(uuid_of(message.seq), message.id.begin());
  message.topic = row.topic;
  if (row.key) message.key = *row.key;
  message.type = row.type.empty() ? row.topic : row.type;
  message.payload = row.payload;
  message.content_type = row.content_type;
  message.headers = headers;
  message.created_at = row.created_at;
  return message.seq;
}

std::vector<Submission> Rows::submissions(std::int64_t first) const& {
  std::vector<Submission> result;
  for (std::size_t i = static_cast<std::size_t>(first - 1); i < messages_.size(); ++i)
    result.push_back({static_cast<Ticket>(messages_[i].seq), &messages_[i]});
  return result;
}

Rows rows_of(int count, std::size_t payload_size, const std::string& topic) {
  Rows rows;
  for (int i = 0; i < count; ++i) rows.add({.topic = topic, .payload = std::string(payload_size, 'x')});
  return rows;
}

Rows rows_to(const std::vector<std::string>& topics) {
  Rows rows;
  for (const std::string& topic : topics) rows.add({.topic = topic});
  return rows;
}

}  // namespace outbox::test
