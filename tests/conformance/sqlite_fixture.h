// A SQLite outbox of one test's own, with a service's connection to it. Owned by the test.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "adapters/stores/sqlite/database.h"
#include "adapters/stores/stores.h"
#include "core/adapter.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {

/// The value, or a failed test with the error's text.
template <class T>
T must(Result<T> result) {
  if (!result) FAIL(result.error().text);
  return std::move(*result);
}
inline void must(Result<void> result) {
  if (!result) FAIL(result.error().text);
}

class SqliteFixture {
 public:
  explicit SqliteFixture(std::string table = "outbox") : table_(std::move(table)) { migrate(); }

  [[nodiscard]] std::string path() const { return directory_ / "orders.db"; }
  [[nodiscard]] std::string state_path() const { return path() + ".outboxd"; }
  [[nodiscard]] StoreTarget target() const { return {"sqlite:" + path(), table_}; }
  [[nodiscard]] const TempDir& directory() const { return directory_; }

  void migrate() {
    for (const Migration& migration : sqlite_adapter().migrations) must(admin()->apply(migration));
  }

  [[nodiscard]] std::unique_ptr<Store> store() const { return must(sqlite_adapter().open_store(target())); }
  [[nodiscard]] std::unique_ptr<Admin> admin() const { return must(sqlite_adapter().open_admin(target())); }

  /// As a service opens it; with no patience, so that any lock of the relay's shows.
  [[nodiscard]] sqlite::Connection service(Duration busy = {}) const {
    return must(sqlite::Connection::open(path(), sqlite::Access::existing, busy));
  }

  void execute(const std::string& sql) const { must(service(std::chrono::seconds(5)).execute(sql, "test")); }

  /// A copy of the database as it is, and its path.
  std::string back_up() const {
    execute("PRAGMA wal_checkpoint(TRUNCATE)");
    const std::string copy = directory_ / "backup";
    std::filesystem::copy_file(path(), copy);
    return copy;
  }
  /// The copy takes the database's place, while nobody has that open.
  void put_back(const std::string& copy) const {
    for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(path() + suffix);
    std::filesystem::copy_file(copy, path(), std::filesystem::copy_options::overwrite_existing);
  }

  /// n rows 'payload <i>' with topic t and key k<i % 3>
  void insert(int count) const {
    execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
            std::to_string(count) + ") INSERT INTO \"" + table_ +
            "\" (topic, message_key, payload) SELECT 't', 'k' || (i % 3), 'payload ' || i FROM n");
  }

 private:
  TempDir directory_;
  std::string table_;
};

inline LeaseRequest request(std::string owner = "relay-a", std::string route = "main") {
  LeaseRequest result;
  result.route = std::move(route);
  result.owner = std::move(owner);
  return result;
}

inline Granted granted(Store& store, const LeaseRequest& wish = request()) {
  auto result = must(store.acquire(wish));
  REQUIRE(std::holds_alternative<Granted>(result));
  return std::get<Granted>(result);
}

inline constexpr ReadLimit plenty{100'000, std::size_t{1} << 30};

inline std::vector<std::int64_t> seqs_of(const Batch& batch) {
  std::vector<std::int64_t> result;
  for (const Message& message : batch.messages) result.push_back(message.seq);
  return result;
}

}  // namespace outbox::test
