// Port of the books: a database session that runs statements. Implemented per database
// (stores/<name>/<name>_session.h). Blocking; owned by one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/stores/sql/dialect.h"
#include "adapters/stores/sql/statement.h"
#include "base/result.h"

namespace outbox::sql {

/// One row of a result, valid during the call that shows it.
class Row {
 public:
  virtual ~Row() = default;
  [[nodiscard]] virtual bool null(int column) const = 0;
  [[nodiscard]] virtual std::string_view text(int column) const = 0;  ///< empty for NULL
  [[nodiscard]] virtual std::int64_t number(int column) const = 0;    ///< 0 for NULL
  [[nodiscard]] virtual bool boolean(int column) const = 0;
  [[nodiscard]] virtual std::string bytes(int column) const = 0;  ///< of a {bytes} expression

  [[nodiscard]] std::string string(int column) const { return std::string(text(column)); }
  [[nodiscard]] std::optional<std::string> optional(int column) const {
    return null(column) ? std::nullopt : std::optional(string(column));
  }
};

/// Is shown one row; false: no more are wanted.
using OnRow = std::function<bool(const Row&)>;

/// A statement with its values. One with row columns is not run at all for no rows.
struct Call {
  const Statement* statement;
  std::vector<Value> values;
  const ValueRows* rows = nullptr;
};

class Session {
 public:
  virtual ~Session() = default;

  [[nodiscard]] virtual const Dialect& dialect() const = 0;

  /// Begins a transaction that writes, or one whose reads are of one moment. `what` names the deed in error
  /// texts, here and below.
  virtual Result<void> begin(const char* what, bool writes = true) = 0;
  virtual Result<void> commit(const char* what) = 0;
  virtual void rollback() noexcept = 0;

  /// Runs one statement, in the transaction that is open or in one of its own; how many rows it has changed.
  /// Prepared when it is first run. Errors: as the database's; a deadlock or a lost session is unavailable.
  virtual Result<std::int64_t> run(const char* what, const Call& call, const OnRow& on_row = {}) = 0;

  /// The same for a text that is made for the occasion, without row columns.
  virtual Result<std::int64_t> run(const char* what, const std::string& text, std::span<const Value> values,
                                   const OnRow& on_row = {}) = 0;

  /// All calls in one transaction, if the first changes a row; else none has an effect, and false is the
  /// answer. Rows of the last are shown. Statements but the first have {ours} among their conditions, so that
  /// an implementation may send all at once.
  virtual Result<bool> run_together(const char* what, std::span<const Call> calls, const OnRow& on_row) = 0;

  /// "<database>.<what>: <text>", with where the database is.
  [[nodiscard]] virtual Error error(Fault fault, std::string_view what, const std::string& text) const = 0;
};

/// Rolled back unless committed.
class Transaction {
 public:
  static Result<Transaction> begin(Session& session, const char* what, bool writes = true) {
    if (auto begun = session.begin(what, writes); !begun) return begun.error();
    return Transaction(session, what);
  }
  Transaction(Transaction&& other) noexcept
      : session_(std::exchange(other.session_, nullptr)), what_(other.what_) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction() {
    if (session_) session_->rollback();
  }

  Result<void> commit() {
    auto done = session_->commit(what_);
    if (done) session_ = nullptr;
    return done;
  }

 private:
  Transaction(Session& session, const char* what) : session_(&session), what_(what) {}

  Session* session_;
  const char* what_;
};

}  // namespace outbox::sql
