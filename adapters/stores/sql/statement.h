// A statement of the books, written once for every database, and the values that it is run with. Pure.
//
// The text is SQL with PostgreSQL's placeholders ($1) and casts (::bigint), and {fragments} where databases
// differ; sql/dialect.h lists them. A statement that names row columns is run for many rows at once:
// {rows} is a table expression r with those columns, {r.name} is a column of it.
#pragma once

#include <concepts>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outbox::sql {

/// Compared by address: each is defined once, and sessions prepare it once.
struct Statement {
  const char* name;  ///< unique
  int values = 0;    ///< $1 to $values are bound once for all rows
  std::string text;
  std::string row_columns = {};  ///< "seq bigint, message_key text"; their values follow those above
};

/// What is bound. Text must outlive the call.
class Value {
 public:
  enum class Kind { null, number, boolean, text };

  Value() = default;
  Value(std::nullptr_t) {}
  Value(bool truth) : kind_(Kind::boolean), number_(truth) {}
  template <std::integral Number>
  requires(!std::same_as<Number, bool>) Value(Number number)
      : kind_(Kind::number), number_(static_cast<std::int64_t>(number)) {}
  Value(std::string_view text) : kind_(Kind::text), text_(text) {}
  Value(const std::string& text) : Value(std::string_view(text)) {}
  Value(const char* text) : Value(std::string_view(text)) {}
  template <class T>
  Value(const std::optional<T>& value) : Value(value ? Value(*value) : Value()) {}

  /// A text for people: what the database cannot write of it may be written otherwise.
  static Value prose(std::string_view text) {
    Value value(text);
    value.prose_ = true;
    return value;
  }

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool is_prose() const { return prose_; }
  [[nodiscard]] std::int64_t number() const { return number_; }
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  Kind kind_ = Kind::null;
  bool prose_ = false;
  std::int64_t number_ = 0;
  std::string_view text_;
};

/// The rows that a statement is run for.
class ValueRows {
 public:
  void add(std::initializer_list<Value> row) {
    width_ = row.size();
    values_.insert(values_.end(), row);
  }
  /// Keeps a text that nobody else does.
  std::string_view keep(std::string text) { return kept_.emplace_back(std::move(text)); }

  [[nodiscard]] bool empty() const { return values_.empty(); }
  [[nodiscard]] std::size_t count() const { return width_ == 0 ? 0 : values_.size() / width_; }
  [[nodiscard]] std::size_t width() const { return width_; }
  [[nodiscard]] const Value& at(std::size_t row, std::size_t column) const {
    return values_[row * width_ + column];
  }

 private:
  std::size_t width_ = 0;
  std::vector<Value> values_;
  std::deque<std::string> kept_;
};

}  // namespace outbox::sql
