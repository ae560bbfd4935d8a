#include "demo/database.h"

#include <chrono>
#include <filesystem>
#include <utility>

namespace outbox::demo {
namespace {

template <class T>
T must(Result<T> result) {
  if (!result) throw Failed(result.error().text);
  return std::move(*result);
}

void must(const Result<void>& result) {
  if (!result) throw Failed(result.error().text);
}

}  // namespace

Database::Database(const std::string& path)
    : connection_(must(sqlite::Connection::open(std::filesystem::absolute(path).string(),
                                                sqlite::Access::create, std::chrono::seconds(10)))) {
  // NORMAL: a commit survives the death of any process, which is what the demo deals in.
  execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
}

void Database::execute(const std::string& sql) {
  must(connection_.execute(sql, "demo"));
}

sqlite::Statement Database::prepare(std::string_view sql) {
  return must(connection_.prepare(sql, "demo"));
}

bool Database::step(sqlite::Statement& statement) {
  const int code = statement.step();
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) throw Failed(connection_.error_of(code, "demo").text);
  statement.reset();
  return false;
}

void Database::run(sqlite::Statement& statement) {
  while (step(statement)) {
  }
}

std::int64_t Database::number(std::string_view sql) {
  return must(connection_.number(sql, "demo")).value_or(0);
}

sqlite::Transaction Database::begin() {
  return must(sqlite::Transaction::begin(connection_, "demo"));
}

void Database::commit(sqlite::Transaction& transaction) {
  must(transaction.commit("demo"));
}

}  // namespace outbox::demo
