// The binary columns of one outbox row. Pure.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <string>

#include "adapters/common/batch_builder.h"

namespace outbox::postgresql {

/// The columns (OutboxColumn) as they are selected. Empty headers, the usual ones, come as null:
/// writing jsonb as text is a sixth of what the server spends on a row.
inline constexpr const char* row_columns =
    "seq, id, topic, message_key, type, payload, data, content_type, nullif(headers, '{}') AS headers, "
    "created_at, deliver_at";

/// Before its rows every statement returns one row that is not of the table: seq is null, topic the snapshot
/// of the statement, message_key a number, created_at the database's clock. So there is one clock per
/// statement, none per row.
inline std::string leading(const std::string& topic, const std::string& message_key) {
  return "NULL::bigint, NULL::uuid, " + topic + ", " + message_key +
         ", NULL::text, NULL::bytea, NULL::text, NULL::text, NULL::jsonb, clock_timestamp(), "
         "NULL::timestamptz";
}

struct LeadingRow {
  std::string snapshot;
  std::int64_t rows = 0;
  std::int64_t clock = 0;  ///< microseconds since 2000, as PostgreSQL counts
};

bool is_leading(const PGresult* result);
LeadingRow decode_leading(const PGresult* result);

/// A bigint column; 0 when it is null.
std::int64_t integer_at(const PGresult* result, int column);

/// Views into `result`; ages by `clock`.
RowView decode_row(const PGresult* result, std::int64_t clock);

}  // namespace outbox::postgresql
