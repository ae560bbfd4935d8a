#include "adapters/stores/postgresql/row_decoder.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace outbox::postgresql {
namespace {

using Column = OutboxColumn;

constexpr std::int64_t microseconds_1970_to_2000 = 946'684'800'000'000;
// 'infinity' is a valid date. A span of a century is as good as any longer one; of dates, those beyond the
// year 10000 cannot be written anywhere.
constexpr std::int64_t microseconds_max = std::int64_t{100} * 366 * 86'400 * 1'000'000;
constexpr std::int64_t date_max = 100 * microseconds_max;

std::string_view text_at(const PGresult* result, int column) {
  return {PQgetvalue(result, 0, column), static_cast<std::size_t>(PQgetlength(result, 0, column))};
}

std::optional<std::string_view> optional_at(const PGresult* result, int column) {
  if (PQgetisnull(result, 0, column)) return std::nullopt;
  return text_at(result, column);
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
  row.key = optional_at(result, Column::message_key);
  row.type = optional_at(result, Column::type);
  row.set_value(optional_at(result, Column::payload), optional_at(result, Column::data));
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
