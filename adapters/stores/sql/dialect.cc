#include "adapters/stores/sql/dialect.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <utility>

namespace outbox::sql {
namespace {

/// Behind the brace or parenthesis that closes what stands at `open`.
std::size_t end_of(std::string_view text, std::size_t open) {
  const char opens = text[open], closes = opens == '{' ? '}' : ')';
  int depth = 0;
  for (std::size_t at = open; at < text.size(); ++at) {
    if (text[at] == opens) ++depth;
    if (text[at] == closes && --depth == 0) return at + 1;
  }
  assert(!"what is opened in a statement is not closed");
  return text.size();
}

/// At spaces, but for those within braces and parentheses.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    while (at < text.size() && (text[at] == '{' || text[at] == '(')) at = end_of(text, at);
    if (at < text.size() && text[at] != ' ') continue;
    if (at > begin) words.push_back(text.substr(begin, at - begin));
    begin = at + 1;
  }
  return words;
}

}  // namespace

std::string filled(std::string_view text, std::span<const std::string> arguments) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      result += text[at];
      continue;
    }
    const char place = text[++at];
    if (place == '*')
      for (const std::string& argument : arguments)
        result += (&argument == arguments.data() ? "" : " ") + argument;
    else
      result += arguments[static_cast<std::size_t>(place - '1')];
  }
  return result;
}

std::string begin_of(const std::string& text, std::size_t characters) {
  return "substr(" + text + ", 1, " + std::to_string(characters + 1) + ")";
}

std::vector<std::pair<std::string, std::string>> columns_of(std::string_view row_columns) {
  std::vector<std::pair<std::string, std::string>> columns;
  const std::vector<std::string_view> words = words_of(row_columns);
  for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
    std::string_view type = words[i + 1];
    if (type.ends_with(',')) type.remove_suffix(1);
    columns.emplace_back(words[i], type);
  }
  return columns;
}

std::string Dialect::text_of(const Statement& statement) const {
  return finished(expanded(statement.text, &statement));
}

std::string Dialect::text_of(std::string_view text) const {
  return finished(expanded(text, nullptr));
}

std::string Dialect::expanded(std::string_view text, const Statement* statement) const {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = std::min(text.find('{', at), text.size());
    result += text.substr(at, open - at);
    if (open == text.size()) break;
    at = end_of(text, open);
    result += meaning(text.substr(open + 1, at - open - 2), statement);
  }
  return result;
}

std::string Dialect::meaning(std::string_view inner, const Statement* statement) const {
  const std::vector<std::string_view> words = words_of(inner);
  const std::string_view name = words.front();
  const std::pair<std::string_view, const std::string*> tables[] = {
      {"outbox", &tables_.outbox}, {"mark", &tables_.mark},   {"progress", &tables_.progress},
      {"held", &tables_.held},     {"relay", &tables_.relay}, {"audit", &tables_.audit},
      {"status", &tables_.status}};
  for (const auto& [table, place] : tables)
    if (name == table) return *place;
  if (name == "rows" || name.starts_with("r.")) {
    assert(statement != nullptr && !statement->row_columns.empty());
    const auto columns = columns_of(statement->row_columns);
    if (name == "rows") return rows(columns, statement->values + 1);
    for (std::size_t i = 0; i < columns.size(); ++i)
      if (columns[i].first == name.substr(2))
        return row_column(columns[i].first, statement->values + 1 + static_cast<int>(i));
    assert(!"a row column that the statement does not name");
  }
  std::vector<std::string> arguments;
  for (std::size_t i = 1; i < words.size(); ++i) arguments.push_back(expanded(words[i], statement));
  return fragment(name, arguments);
}

}  // namespace outbox::sql
