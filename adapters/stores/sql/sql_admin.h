// The Admin port on the books of any SQL database: operators' work and upkeep. What is left to a database is
// to connect, to check, to migrate and to insert. Owned by the thread that calls it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapters/stores/sql/marks.h"
#include "adapters/stores/sql/session.h"
#include "core/admin.h"

namespace outbox::sql {

/// Where a replay begins.
struct ReplayPlace {
  std::int64_t first = 0;  ///< the first row that goes out again: never behind one that was not sent yet
  Position position;       ///< for every mark of the route
};

/// What a database knows of its outbox as a log, for operators and upkeep. On the session's thread.
class AdminLog {
 public:
  virtual ~AdminLog() = default;

  /// As Log::beginning(Start::now).
  virtual Result<Position> now() = 0;
  /// From which every row from `seq` on is read, whoever committed it when.
  virtual Result<Position> before(std::int64_t seq) = 0;
  /// Within the transaction that has locked the marks. Errors: refused, where a mark says nothing about this
  /// database.
  virtual Result<ReplayPlace> replay_place(const std::string& route, std::int64_t wanted) = 0;
  /// Before a rebase, in its transaction: rows that another database has dated must not stay unseen.
  virtual Result<void> adopt_rows(const std::optional<std::string>& route) = 0;
  /// In a transaction: rows of which the log cannot tell when they were committed count as committed now; all
  /// routes read them again. Which of `seqs` they are. Errors: refused, where only their owner may do this.
  virtual Result<std::vector<std::int64_t>> put_behind_all(const std::vector<std::int64_t>& seqs) = 0;
  /// In a transaction, of rows (route, seq) that an operator has discarded: such as no mark ever passes would
  /// be found again, so they go. Errors: refused, while another route takes one of them.
  virtual Result<void> forget(const ValueRows& discarded) = 0;

  virtual Result<Backlog> backlog(const std::string& route) = 0;
  /// A position that every mark has passed; nullopt: a route has not begun, or has another database's mark.
  virtual Result<std::optional<Position>> passed_by_all() = 0;
  /// One chunk of the log, from behind `place` on, which it moves; 0: the next call begins anew. Of it goes
  /// what `passed` and every mark have passed and nobody holds. In transactions of its own.
  virtual Result<Removed> remove_passed(const Position& passed, std::size_t rows_max,
                                        std::int64_t& place) = 0;
};

/// What a call works on.
struct Books {
  Session* session = nullptr;
  AdminLog* log = nullptr;
};

class SqlAdmin : public Admin {
 public:
  Result<std::vector<HeldEntry>> held(const HeldFilter& filter, const std::optional<ListPlace>& after,
                                      std::size_t rows_max) override;
  Result<std::optional<MessageDetails>> message(const std::optional<std::string>& id,
                                                std::optional<std::int64_t> seq, bool with_payload) override;
  Result<Matched> change_held(HeldAction action, const HeldFilter& filter, std::int64_t rows_max,
                              bool dry_run, const std::string& actor) override;
  Result<void> set_paused(const std::string& route, bool paused, const std::string& actor) override;
  Result<Matched> replay(const std::string& route, const MarkPlace& from, bool dry_run,
                         const std::string& actor) override;
  Result<Matched> rebase(const std::optional<std::string>& route, const MarkPlace& from, bool dry_run,
                         const std::string& actor) override;
  Result<Matched> drop_route(const std::string& route, const std::vector<RouteShard>& idle, bool dry_run,
                             const std::string& actor) override;
  Result<void> note(const std::string& action, const std::string& actor) override;

  Result<std::vector<RouteShard>> routes() override;
  Result<Backlog> backlog(const std::string& route) override;
  Result<std::map<HeldState, HeldCount>> held_counts(const std::string& route) override;
  Result<std::vector<BlockedKey>> blocked_keys(const std::string& route, std::size_t keys_max) override;
  Result<std::vector<WaitingTopic>> waiting_topics(const std::string& route, std::size_t topics_max) override;
  Result<Removed> remove_sent(const Retention& retention) override;
  Result<Duration> oldest_row_age() override;
  Result<std::vector<std::string>> unrouted_topics() override;
  Result<std::int64_t> adopt(const std::string& route, const std::vector<std::string>& topics) override;
  Result<std::vector<RelayMember>> join(const std::string& owner) override;
  Result<void> leave(const std::string& owner) override;

 protected:
  /// For one call, in which nobody else uses them; `makes`: what is missing may be made.
  virtual Result<Books> open(bool makes) = 0;
  /// The call is over. `failed`: the session may be broken.
  virtual void close(bool failed) noexcept = 0;

 private:
  template <class Action>
  auto with_books(Action action, bool makes = false) -> decltype(action(Books{})) {
    auto books = open(makes);
    if (!books) return books.error();
    auto result = action(*books);
    close(!result && result.error().fault != Fault::refused);
    return result;
  }

  std::int64_t removed_up_to_ = 0;  // what retention has looked at in this round
};

}  // namespace outbox::sql
