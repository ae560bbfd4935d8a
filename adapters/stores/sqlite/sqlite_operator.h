// The Operator on a SQLite database. Every call opens what it needs and closes it again. Owned by the thread
// that calls it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/stores/sqlite/files.h"
#include "adapters/stores/sqlite/row_lookup.h"
#include "core/adapter.h"
#include "core/operator.h"

namespace outbox {

class SqliteOperator final : public Operator {
 public:
  /// Opens no database yet. Errors: misconfigured (URL, table name).
  static Result<std::unique_ptr<Operator>> create(const StoreTarget& target);

  explicit SqliteOperator(sqlite::Files files) : files_(std::move(files)) {}

  Result<std::vector<HeldEntry>> held(const HeldFilter& filter, const std::optional<HeldPlace>& after,
                                      std::size_t rows_max) override;
  Result<std::optional<MessageDetails>> message(const std::optional<std::string>& id,
                                                std::optional<std::int64_t> seq, bool with_payload) override;
  Result<Matched> change_held(HeldAction action, const HeldFilter& filter, std::int64_t rows_max,
                              bool dry_run, const std::string& actor) override;
  Result<void> set_paused(const std::string& route, bool paused, const std::string& actor) override;
  Result<void> note(const std::string& action, const std::string& actor) override;
  Result<Matched> replay(const std::string& route, const MarkPlace& from, bool dry_run,
                         const std::string& actor) override;
  Result<Matched> rebase(const std::optional<std::string>& route, const MarkPlace& from, bool dry_run,
                         const std::string& actor) override;

 private:
  struct Opened {
    sqlite::RowLookup rows;
    std::optional<sqlite::StateFile> state;  ///< nullopt: no relay has run yet
  };

  /// A deed on the marks of one route, or of all.
  struct MarkMove {
    std::optional<std::string> route;
    std::string_view action;
    bool only_back = false;  ///< a mark that is behind the place already stays there
  };

  Result<Opened> open() const;
  Result<Matched> move_marks(const MarkMove& move, const MarkPlace& from, bool dry_run,
                             const std::string& actor);

  sqlite::Files files_;
};

}  // namespace outbox
