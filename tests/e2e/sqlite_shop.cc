#include <sqlite3.h>

#include <filesystem>
#include <stdexcept>

#include "base/encoding.h"
#include "tests/conformance/event_lines.h"
#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"

namespace outbox::test {
namespace {

class Database {
 public:
  explicit Database(const std::string& path) {
    if (sqlite3_open_v2(path.c_str(), &handle_, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK) fail();
    sqlite3_busy_timeout(handle_, 30'000);
  }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database() { sqlite3_close(handle_); }

  using Row = std::vector<std::string>;

  /// Every row of every statement.
  std::vector<Row> run(const std::string& sql) {
    std::vector<Row> rows;
    const auto keep = [](void* kept, int count, char** values, char**) {
      Row row;
      for (int i = 0; i < count; ++i) row.emplace_back(values[i] ? values[i] : "");
      static_cast<std::vector<Row>*>(kept)->push_back(std::move(row));
      return 0;
    };
    if (sqlite3_exec(handle_, sql.c_str(), keep, &rows, nullptr) != SQLITE_OK) fail();
    return rows;
  }

 private:
  [[noreturn]] void fail() { throw std::runtime_error(std::string("sqlite: ") + sqlite3_errmsg(handle_)); }

  sqlite3* handle_ = nullptr;
};

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? "''" : std::string(1, c);
  return result + "'";
}

std::string quoted(const std::optional<std::string>& text) {
  return text ? quoted(*text) : "NULL";
}

std::string blob(const std::string& bytes) {
  std::string result = "X'";
  append_hex(result, bytes);
  return result + "'";
}

class SqliteSession : public Session {
 public:
  explicit SqliteSession(const std::string& path) : database_(path) {}

  void begin() override { database_.run("BEGIN IMMEDIATE"); }

  std::string run(const std::string& sql) override {
    const auto rows = database_.run(sql);
    return rows.empty() || rows[0].empty() ? "" : rows[0][0];
  }

  void order(const std::string& key, bool commits, int count) override {
    begin();
    for (int i = 0; i < count; ++i) {
      const std::string number =
          database_.run("UPDATE account SET number = number + 1 WHERE key = '" + key + "' RETURNING number")
              .at(0)
              .at(0);
      database_.run("INSERT INTO outbox (topic, message_key, payload) VALUES ('orders', '" + key +
                    "', '{\"order\":" + number + "}')");
    }
    database_.run(commits ? "COMMIT" : "ROLLBACK");
  }

  std::string insert(const ServiceRow& row) override {
    const std::string due = row.deliver_in ? "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+" +
                                                 std::to_string(row.deliver_in->count()) + " seconds')"
                                           : "NULL";
    const auto rows = database_.run(
        "INSERT INTO outbox (topic, message_key, type, payload, content_type, headers, deliver_at) VALUES (" +
        quoted(row.topic) + ", " + quoted(row.key) + ", " + quoted(row.type) + ", " + blob(row.payload) +
        ", " + quoted(row.content_type) + ", " + quoted(row.headers) + ", " + due + ") RETURNING id");
    return rows.at(0).at(0);
  }

 private:
  Database database_;
};

}  // namespace

SqliteShop::SqliteShop() {
  const Finished made = outboxd({"migrate", "up", "--db", url()});
  if (made.exit_code != 0) throw std::runtime_error("migrate up failed:\n" + made.output);
  execute("CREATE TABLE account (key text PRIMARY KEY, number int NOT NULL DEFAULT 0)");
  execute("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < " +
          std::to_string(keys - 1) + ") INSERT INTO account (key) SELECT i FROM n");
}

std::unique_ptr<Session> SqliteShop::session() {
  return std::make_unique<SqliteSession>(path());
}

std::string SqliteShop::ask(const std::string& sql) {
  const auto rows = Database(path()).run(sql);
  return rows.empty() || rows[0].empty() ? "" : rows[0][0];
}

CommittedRows SqliteShop::committed() {
  Database database(path());
  CommittedRows committed;
  for (const auto& row :
       database.run("SELECT id, message_key, json_extract(CAST(payload AS TEXT), '$.order'), "
                    "CAST(payload AS TEXT) FROM outbox WHERE topic = 'orders'"))
    committed.add(row[0], {row[1], std::stol(row[2]), row[3]});
  if (std::stoul(database.run("SELECT sum(number) FROM account")[0][0]) != committed.size())
    throw std::runtime_error("the services' table and the outbox differ: the test itself is wrong");
  return committed;
}

std::map<std::string, long> SqliteShop::states(const std::string& route) {
  std::map<std::string, long> states;
  if (!std::filesystem::exists(path() + ".outboxd")) return states;
  Database database(path());
  database.run("ATTACH '" + path() + ".outboxd' AS outboxd");
  if (database.run("SELECT 1 FROM outboxd.sqlite_master WHERE name = 'outbox_mark'").empty()) return states;
  database.run(read_file(std::string(OUTBOX_SOURCE_DIR) + "/schema/sqlite/outbox_status.sql"));
  for (const auto& row :
       database.run("SELECT state, count(*) FROM outbox_status WHERE route = '" + route + "' GROUP BY state"))
    states[row[0]] = std::stol(row[1]);
  return states;
}

}  // namespace outbox::test
