#include "adapters/stores/postgresql/postgresql_session.h"

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

/// Values as libpq takes them, in text format; row columns as arrays.
class Texts {
 public:
  explicit Texts(std::span<const sql::Value> values) {
    for (const sql::Value& value : values) add(value);
  }
  explicit Texts(const sql::Call& call) : Texts(call.values) {
    if (!call.rows) return;
    for (std::size_t column = 0; column < call.rows->width(); ++column) {
      ArrayText array;
      for (std::size_t row = 0; row < call.rows->count(); ++row) add(array, call.rows->at(row, column));
      texts_.push_back(array.take());
      pointers_.push_back(texts_.back().c_str());
    }
  }

  [[nodiscard]] const std::vector<const char*>& pointers() const { return pointers_; }

 private:
  void add(const sql::Value& value) {
    using enum sql::Value::Kind;
    if (value.kind() == null) return pointers_.push_back(nullptr);
    if (value.kind() == boolean) return pointers_.push_back(value.number() != 0 ? "t" : "f");
    texts_.push_back(value.kind() == number ? std::to_string(value.number()) : std::string(value.text()));
    pointers_.push_back(texts_.back().c_str());
  }
  static void add(ArrayText& array, const sql::Value& value) {
    using enum sql::Value::Kind;
    switch (value.kind()) {
      case null:
        return array.add_null();
      case boolean:
        return array.add(value.number() != 0 ? "t" : "f");
      case number:
        return array.add(value.number());
      case text:
        return array.add(value.text());
    }
  }

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
  auto rows = connection_.run_prepared(what, call.statement->name, Texts(call).pointers());
  if (!rows) return rows.error();
  return show(*rows, on_row);
}

Result<std::int64_t> PostgresqlSession::run(const char* what, const std::string& text,
                                            std::span<const sql::Value> values, const sql::OnRow& on_row) {
  auto rows = connection_.run(what, dialect_.text_of(text), Texts(values).pointers());
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
    steps.push_back({call.statement->name, texts.emplace_back(call).pointers()});
  }
  auto results = connection_.run_together(what, steps);
  if (!results) return results.error();
  if (results->front().changed() == 0) return false;
  if (!is_idle(calls.back())) show(results->back(), on_row);
  return true;
}

Error PostgresqlSession::error(Fault fault, std::string_view what, const std::string& text) const {
  return {fault, "postgresql." + std::string(what) + ": " + text + " (" + connection_.place() + ")"};
}

}  // namespace outbox::postgresql
