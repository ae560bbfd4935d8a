// Where a SQLite outbox is: the database's file, the relay's file beside it, the table. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "core/adapter.h"

namespace outbox::sqlite {

struct Target {
  std::string path;   ///< absolute; symbolic links are not resolved yet
  std::string table;  ///< not quoted
};

/// sqlite:relative/path, sqlite:/absolute/path, sqlite:///absolute/path; '%', '?' and '@' percent-encoded.
/// Errors: misconfigured, with what to write instead.
Result<Target> parse_target(const StoreTarget& target);

/// The relay's own file of a database: <database>.outboxd.
std::string state_path_of(std::string_view database);

/// SQL written for the table "outbox", for another name. Only the whole word is replaced: outbox_mark stays.
std::string for_table(std::string_view sql, std::string_view table);

}  // namespace outbox::sqlite
