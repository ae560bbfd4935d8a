#include "adapters/stores/sqlite/target.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "adapters/stores/sqlite/database.h"
#include "core/url.h"

namespace outbox::sqlite {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_word(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '$';
}

Error wrong(std::string text) {
  return {Fault::misconfigured, "sqlite: " + std::move(text)};
}

Result<std::string> path_of(const std::string& text) {
  auto url = parse_url(text);
  if (!url) return url.error();
  if (!url->query.empty()) return wrong("the URL takes no parameters; write '?' in a path as %3F");
  if (!url->hosts.empty())
    return wrong("'//' must be followed by an absolute path: sqlite:relative/path, sqlite:///absolute/path");
  const bool has_authority = text.substr(text.find(':') + 1).starts_with("//");
  const std::string path = has_authority ? "/" + url->path : url->path;
  if (path.empty() || path.ends_with('/')) return wrong("the URL names no file; write sqlite:path/to/the.db");
  if (path == ":memory:") return wrong("a database in memory cannot be shared with the relay; name a file");
  if (path.find('\0') != std::string::npos) return wrong("the path must not hold a NUL");
  std::error_code error;
  const auto absolute = std::filesystem::absolute(path, error);
  if (error) return wrong("the working directory of " + path + " is gone");
  return absolute.string();
}

}  // namespace

Result<Target> parse_target(const StoreTarget& target) {
  auto path = path_of(target.url);
  if (!path) return path.error();
  const std::string& table = target.table;
  if (table.find('.') != std::string::npos)
    return wrong("outbox.table = \"" + table + "\": SQLite has no schemas; write the table's name alone");
  if (table.empty() || table.size() > 63 || !is_letter(table.front()) || !std::ranges::all_of(table, is_word))
    return wrong("outbox.table = \"" + table + "\" is no table name; letters, digits, _ and $ are allowed");
  if (table.starts_with("sqlite_"))
    return wrong("outbox.table: names that begin with sqlite_ belong to SQLite");
  return Target{std::move(*path), table};
}

std::string state_path_of(std::string_view database) {
  return std::string(database) + ".outboxd";
}

std::string for_table(std::string_view sql, std::string_view table) {
  if (table == "outbox") return std::string(sql);
  std::string result;
  while (!sql.empty()) {
    const bool word = is_word(sql.front());
    const auto end = std::find_if(sql.begin(), sql.end(), [&](char c) { return is_word(c) != word; });
    const std::string_view piece = sql.substr(0, static_cast<std::size_t>(end - sql.begin()));
    if (piece == "outbox")
      result += quoted_name(table);
    else
      result += piece;
    sql.remove_prefix(piece.size());
  }
  return result;
}

}  // namespace outbox::sqlite
