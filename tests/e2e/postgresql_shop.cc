#include <stdexcept>

#include "tests/e2e/outboxd.h"
#include "tests/e2e/shop.h"

namespace outbox::test {
namespace {

using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;

Result rows_of(const Sql& sql, const std::string& query) {
  Result result(PQexec(sql.get(), query.c_str()), &PQclear);
  if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) throw std::runtime_error(PQerrorMessage(sql.get()));
  return result;
}

class PostgresqlSession : public Session {
 public:
  explicit PostgresqlSession(const std::string& url) : sql_(url), url_(url) {}

  std::string insert(const ServiceRow& row) override {
    PostgresqlWriter(url_).commit_rows({row});
    return sql_.run("SELECT id FROM outbox ORDER BY seq DESC LIMIT 1");
  }

  void begin() override { sql_.run("BEGIN"); }
  std::string run(const std::string& sql) override { return sql_.run(sql); }

  void order(const std::string& key, bool commits, int count) override {
    begin();
    for (int i = 0; i < count; ++i) {
      const std::string number =
          sql_.run("UPDATE account SET number = number + 1 WHERE key = '" + key + "' RETURNING number");
      sql_.run("INSERT INTO outbox (topic, message_key, payload) VALUES ('orders', '" + key +
               "', '{\"order\":" + number + "}')");
    }
    sql_.run(commits ? "COMMIT" : "ROLLBACK");
  }

 private:
  Sql sql_;
  std::string url_;
};

}  // namespace

PostgresqlShop::PostgresqlShop(PostgresqlServer& server) : url_(server.new_database()) {
  const Finished made = outboxd({"migrate", "up", "--db", url_});
  if (made.exit_code != 0) throw std::runtime_error("migrate up failed:\n" + made.output);
  execute("CREATE TABLE account (key text PRIMARY KEY, number int NOT NULL DEFAULT 0)");
  execute("INSERT INTO account SELECT generate_series(0, " + std::to_string(keys - 1) + ")");
}

std::unique_ptr<Session> PostgresqlShop::session() {
  return std::make_unique<PostgresqlSession>(url_);
}

CommittedRows PostgresqlShop::committed() {
  const Sql sql(url_);
  CommittedRows committed;
  const auto rows = rows_of(sql,
                            "SELECT id, message_key, convert_from(payload, 'UTF8')::jsonb ->> 'order', "
                            "convert_from(payload, 'UTF8') FROM outbox WHERE topic = 'orders'");
  for (int row = 0; row < PQntuples(rows.get()); ++row) {
    const auto text = [&](int column) { return std::string(PQgetvalue(rows.get(), row, column)); };
    committed.add(text(0), {text(1), std::stol(text(2)), text(3)});
  }
  if (std::stoul(sql.run("SELECT sum(number) FROM account")) != committed.size())
    throw std::runtime_error("the services' table and the outbox differ: the test itself is wrong");
  return committed;
}

std::map<std::string, long> PostgresqlShop::states(const std::string& route) {
  const Sql sql(url_);
  std::map<std::string, long> states;
  const auto rows =
      rows_of(sql, "SELECT state, count(*) FROM outbox_status WHERE route = '" + route + "' GROUP BY state");
  for (int row = 0; row < PQntuples(rows.get()); ++row)
    states[PQgetvalue(rows.get(), row, 0)] = std::stol(PQgetvalue(rows.get(), row, 1));
  return states;
}

}  // namespace outbox::test
