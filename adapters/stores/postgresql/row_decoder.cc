#include "adapters/stores/postgresql/row_decoder.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace outbox::postgresql {
namespace {

enum Column {
  seq,
  id,
  topic,
  message_key,
  type,
  payload,
  data,
  content_type,
  headers,
  created_at,
  deliver_at
};

constexpr std::int64_t microseconds_1970_to_2000 = 946'684'800'000'000;
// 'infinity' is a valid date. A span of a century is as good as any longer one; of dates, those beyond the
// year 10000 cannot be written anywhere.
constexpr std::int64_t microseconds_max = std::int64_t{100} * 366 * 86'400 * 1'000'000;
constexpr std::int64_t date_max = 100 * microseconds_max;

std::string_view text_at(const PGresult* result, int column) {
  return {PQgetvalue(result, 0, column), static_cast<std::size_t>(PQgetlength(result, 0, column))};
}

Duration between(std::int64_t from, std::int64_t to) {
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(to, from, &difference))
    difference = to > from ? microseconds_max : -microseconds_max;
  return std::chrono::microseconds(std::clamp(difference, -microseconds_max, microseconds_max));
}

}  // namespace

std::int64_t integer_at(const PGresult* result, int column) {
  std::uint64_t big_endian = 0;
  if (PQgetlength(result, 0, column) == sizeof big_endian)
    std::memcpy(&big_endian, PQgetvalue(result, 0, column), sizeof big_endian);
  return static_cast<std::int64_t>(__builtin_bswap64(big_endian));
}

bool is_leading(const PGresult* result) {
  return PQgetisnull(result, 0, Column::seq) != 0;
}

LeadingRow decode_leading(const PGresult* result) {
  LeadingRow row;
  row.snapshot = text_at(result, Column::topic);
  const std::string_view number = text_at(result, Column::message_key);
  std::from_chars(number.data(), number.data() + number.size(), row.rows);
  row.clock = integer_at(result, Column::created_at);
  return row;
}

RowView decode_row(const PGresult* result, std::int64_t clock) {
  RowView row;
  row.seq = integer_at(result, Column::seq);
  row.id = text_at(result, Column::id);
  row.topic = text_at(result, Column::topic);
  if (!PQgetisnull(result, 0, Column::message_key)) row.key = text_at(result, Column::message_key);
  if (!PQgetisnull(result, 0, Column::type)) row.type = text_at(result, Column::type);
  const bool has_payload = !PQgetisnull(result, 0, Column::payload);
  const bool has_data = !PQgetisnull(result, 0, Column::data);
  row.set_value(has_payload ? std::optional(text_at(result, Column::payload)) : std::nullopt,
                has_data ? std::optional(text_at(result, Column::data)) : std::nullopt);
  row.content_type = text_at(result, Column::content_type);
  const std::string_view json = text_at(result, Column::headers);
  if (!json.empty()) row.headers = json.substr(1);  // jsonb's binary form is a version byte and the text
  const std::int64_t created = integer_at(result, Column::created_at);
  row.age = between(created, clock);
  row.created_at = Timestamp(
      std::chrono::microseconds(std::clamp(created, -date_max, date_max) + microseconds_1970_to_2000));
  if (!PQgetisnull(result, 0, Column::deliver_at))
    row.due_in = between(clock, integer_at(result, Column::deliver_at));
  return row;
}

}  // namespace outbox::postgresql
