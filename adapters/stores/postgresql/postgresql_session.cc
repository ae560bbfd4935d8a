#include "adapters/stores/postgresql/postgresql_session.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "adapters/stores/postgresql/array_text.h"
#include "base/encoding.h"

namespace outbox::postgresql {
namespace {

/// One row of a result in text format.
class ResultRow final : public sql::Row {
 public:
  ResultRow(const Rows& rows, int row) : rows_(rows), row_(row) {}

  [[nodiscard]] bool null(int column) const override { return rows_.null(row_, column); }
  [[nodiscard]] std::string_view text(int column) const override { return rows_.text(row_, column); }
  [[nodiscard]] std::int64_t number(int column) const override { return rows_.integer(row_, column); }
  [[nodiscard]] bool boolean(int column) const override { return rows_.boolean(row_, column); }
  [[nodiscard]] std::string bytes(int column) const override { return decode_hex(text(column)).value_or(""); }

 private:
  const Rows& rows_;
  int row_;
};

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// With a question mark for each character beyond ASCII.
std::string without_others(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80)
      result += c;
    else if (byte >= 0xc0)
      result += '?';
  }
  return result;
}

/// As encode(..., 'escape') has it.
std::string spelling_of(std::string_view bytes) {
  std::string result;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\')
      result += "\\\\";
    else if (byte < 0x80)
      result += c;
    else
      result += {'\\', static_cast<char>('0' + (byte >> 6)), static_cast<char>('0' + (byte >> 3 & 7)),
                 static_cast<char>('0' + (byte & 7))};
  }
  return result;
}

/// Values as libpq takes them, in text format; row columns as arrays.
class Texts {
 public:
  /// writes_all: the database can write every character; else prose is given without those beyond ASCII.
  Texts(std::span<const sql::Value> values, bool writes_all) : writes_all_(writes_all) {
    for (const sql::Value& value : values) add(value);
  }
  Texts(const sql::Call& call, bool writes_all) : Texts(call.values, writes_all) {
    if (!call.rows) return;
    for (std::size_t column = 0; column < call.rows->width(); ++column) {
      ArrayText array;
      for (std::size_t row = 0; row < call.rows->count(); ++row) add(array, call.rows->at(row, column));
      texts_.push_back(array.take());
      pointers_.push_back(texts_.back().c_str());
    }
  }

  [[nodiscard]] const std::vector<const char*>& pointers() const { return pointers_; }
  [[nodiscard]] bool is_ascii() const {
    return std::ranges::all_of(texts_,
                               [](const std::string& text) { return outbox::postgresql::is_ascii(text); });
  }

 private:
  void add(const sql::Value& value) {
    using enum sql::Value::Kind;
    if (value.kind() == null) return pointers_.push_back(nullptr);
    if (value.kind() == boolean) return pointers_.push_back(value.number() != 0 ? "t" : "f");
    texts_.push_back(value.kind() == number ? std::to_string(value.number()) : written(value));
    pointers_.push_back(texts_.back().c_str());
  }
  [[nodiscard]] std::string written(const sql::Value& value) const {
    return value.is_prose() && !writes_all_ ? without_others(value.text()) : std::string(value.text());
  }
  void add(ArrayText& array, const sql::Value& value) const {
    using enum sql::Value::Kind;
    switch (value.kind()) {
      case null:
        return array.add_null();
      case boolean:
        return array.add(value.number() != 0 ? "t" : "f");
      case number:
        return array.add(value.number());
      case text:
        return array.add(written(value));
    }
  }

  bool writes_all_;
  std::deque<std::string> texts_;
  std::vector<const char*> pointers_;
};

std::int64_t show(const Rows& rows, const sql::OnRow& on_row) {
  if (on_row)
    for (int row = 0; row < rows.count(); ++row)
      if (!on_row(ResultRow(rows, row))) break;
  return rows.changed();
}

bool is_idle(const sql::Call& call) {
  return call.rows && call.rows->empty();
}

}  // namespace

Result<void> PostgresqlSession::begin(const char* what, bool writes) {
  // within one snapshot, what is only read is of one moment
  auto begun = connection_.run(what, writes ? "BEGIN" : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  if (!begun) return begun.error();
  return {};
}

Result<void> PostgresqlSession::commit(const char* what) {
  auto done = connection_.run(what, "COMMIT");
  if (!done) return done.error();
  return {};
}

void PostgresqlSession::rollback() noexcept {
  if (!connection_.lost()) (void)connection_.run("rollback", "ROLLBACK");
}

Result<void> PostgresqlSession::prepare(const sql::Statement& statement) {
  if (prepared_.contains(&statement)) return {};
  if (auto done = connection_.prepare(statement.name, dialect_.text_of(statement)); !done) return done;
  prepared_.insert(&statement);
  return {};
}

Result<std::int64_t> PostgresqlSession::run(const char* what, const sql::Call& call,
                                            const sql::OnRow& on_row) {
  if (is_idle(call)) return 0;
  if (auto done = prepare(*call.statement); !done) return done.error();
  const Texts texts(call, writes_all());
  const auto ask = [&] { return connection_.run_prepared(what, call.statement->name, texts.pointers()); };
  auto rows = ask();
  if (!rows && texts.is_ascii()) rows = spelt(rows.error(), ask);
  if (!rows) return rows.error();
  return show(*rows, on_row);
}

Result<std::int64_t> PostgresqlSession::run(const char* what, const std::string& text,
                                            std::span<const sql::Value> values, const sql::OnRow& on_row) {
  const Texts texts(values, writes_all());
  const auto ask = [&] { return connection_.run(what, dialect_.text_of(text), texts.pointers()); };
  auto rows = ask();
  if (!rows && texts.is_ascii()) rows = spelt(rows.error(), ask);
  if (!rows) return rows.error();
  return show(*rows, on_row);
}

Result<bool> PostgresqlSession::run_together(const char* what, std::span<const sql::Call> calls,
                                             const sql::OnRow& on_row) {
  std::deque<Texts> texts;
  std::vector<Step> steps;
  for (const sql::Call& call : calls) {
    if (is_idle(call)) continue;
    if (auto done = prepare(*call.statement); !done) return done.error();
    steps.push_back({call.statement->name, texts.emplace_back(call, writes_all()).pointers()});
  }
  auto results = connection_.run_together(what, steps);
  if (!results) return results.error();
  if (results->front().changed() == 0) return false;
  if (!is_idle(calls.back())) show(results->back(), on_row);
  return true;
}

/// What can be converted is, all else is spelt.
std::string PostgresqlSession::converted(const std::string& bytes) {
  std::string hex;
  append_hex(hex, bytes);
  auto text =
      connection_.run("read", "SELECT convert_from(decode($1, 'hex'), getdatabaseencoding())", {hex.c_str()});
  return text ? text->string(0, 0) : spelling_of(bytes);
}

/// One text that cannot be converted need not hide all the others: the rows once more, as the database has
/// them. A transaction that was open is over. What is given to the server must not be written so.
Result<Rows> PostgresqlSession::spelt(Error failed, const std::function<Result<Rows>()>& again) {
  if (connection_.conversion_fault().empty()) return failed;
  if (!connection_.run("read", "SET client_encoding = 'SQL_ASCII'")) return failed;
  auto rows = again();
  if (auto set = connection_.run("read", "SET client_encoding = 'UTF8'"); !set) return set.error();
  for (int row = 0; rows && row < rows->count(); ++row)
    for (int column = 0; column < PQnfields(rows->get()); ++column) {
      if (rows->null(row, column) || is_ascii(rows->text(row, column))) continue;
      std::string text = converted(rows->string(row, column));
      PQsetvalue(rows->get(), row, column, text.data(), static_cast<int>(text.size()));
    }
  return rows;
}

Error PostgresqlSession::error(Fault fault, std::string_view what, const std::string& text) const {
  return {fault, "postgresql." + std::string(what) + ": " + text + " (" + connection_.place() + ")"};
}

}  // namespace outbox::postgresql
