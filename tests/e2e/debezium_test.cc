// schema/debezium.md, whose SQL is read out of the page: services of Debezium's EventRouter feed the outbox
// unchanged.
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/postgresql_server.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {
namespace {

const std::string schema = std::string(OUTBOX_SOURCE_DIR) + "/schema/";

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What stands between "```sql" and "```", in the page's order.
std::vector<std::string> sql_of(const std::string& page) {
  const std::string begin = "\n```sql\n", end = "\n```\n";
  std::vector<std::string> blocks;
  for (std::size_t at = 0; (at = page.find(begin, at)) != page.npos;) {
    const std::size_t from = at + begin.size();
    at = page.find(end, from);
    blocks.push_back(page.substr(from, at - from));
  }
  return blocks;
}

/// A database with the outbox, and a service's role in it that has what grants.sql gives.
class Shop {
 public:
  Shop() {
    must("CREATE ROLE debezium_shop LOGIN; CREATE ROLE debezium_relay; CREATE TABLE orders (id bigint)");
    must("GRANT INSERT ON orders TO debezium_shop");
    server_.run_file(url_, schema + "postgresql/0001_outbox.up.sql", {});
    server_.run_file(url_, schema + "postgresql/grants.sql",
                     {"service=debezium_shop", "relay=debezium_relay"});
  }
  ~Shop() {
    (void)ask("DROP OWNED BY debezium_shop, debezium_relay; DROP ROLE debezium_shop, debezium_relay");
  }

  /// As the owner; all that psql says, rows without their names.
  [[nodiscard]] std::string ask(const std::string& sql) const { return psql(url_, sql).output; }
  void must(const std::string& sql) const {
    const Finished finished = psql(url_, sql);
    REQUIRE_MESSAGE(finished.exit_code == 0, finished.output);
  }
  /// As the service, in one transaction. Empty: all went well.
  [[nodiscard]] std::string serve(const std::string& sql) const {
    std::string url = url_;
    url.replace(url.find("postgres@"), std::string("postgres").size(), "debezium_shop");
    return psql(url, "BEGIN; " + sql + "; COMMIT").output;
  }
  [[nodiscard]] const std::string& url() const { return url_; }

 private:
  static Finished psql(const std::string& url, const std::string& sql) {
    return run({"psql", "-XqAt", "-v", "ON_ERROR_STOP=1", url, "-c", sql});
  }

  PostgresqlServer& server_ = PostgresqlServer::shared();
  std::string url_ = server_.new_database();
};

const std::string insert =
    "INSERT INTO orders VALUES (7); "
    "INSERT INTO outboxevent (id, aggregatetype, aggregateid, type, payload) VALUES "
    R"(('6f7c0d3e-0000-4000-8000-000000000007', 'order', '7', 'OrderPlaced', '{"order": 7, "path": "C:\\temp"}'))";
const std::string remove = "DELETE FROM outboxevent WHERE id = '6f7c0d3e-0000-4000-8000-000000000007'";

}  // namespace

TEST_CASE("a service of the EventRouter inserts and deletes as ever, and consumers read what they read") {
  const Shop shop;
  const auto blocks = sql_of(text_of(schema + "debezium.md"));
  REQUIRE(blocks.size() == 2);
  shop.must(blocks[0]);
  shop.must("GRANT SELECT, INSERT, DELETE ON outboxevent TO debezium_shop");
  CHECK(shop.serve(insert + "; " + remove) == "");
  CHECK(shop.serve(remove) == "");  // a clean-up later: there is nothing, and nothing fails
  CHECK(shop.ask("SELECT count(*) FROM outbox") == "1\n");
  CHECK(shop.serve(insert + "; ROLLBACK; BEGIN") == "");
  CHECK(shop.ask("SELECT count(*) FROM outbox") == "1\n");

  const TempDir directory;
  const std::string events = directory / "events.ndjson";
  const Finished relayed =
      run({OUTBOXD_PROGRAM, "run", "--once", "--db", shop.url(), "--to", "file:" + events});
  REQUIRE_MESSAGE(relayed.exit_code == 0, relayed.output);
  const std::string line = text_of(events);
  CHECK(std::count(line.begin(), line.end(), '\n') == 1);
  for (const char* member :
       {R"("id":"6f7c0d3e-0000-4000-8000-000000000007")", R"("topic":"outbox.event.order")",
        R"("partitionkey":"7")", R"("type":"OrderPlaced")", R"("data":{"path": "C:\\temp", "order": 7})",
        R"("headers":"{\"id\":\"6f7c0d3e-0000-4000-8000-000000000007\",\"eventType\":\"OrderPlaced\"}")"})
    CHECK_MESSAGE(line.find(member) != line.npos, member, " in ", line);
}

TEST_CASE("an ORM sees one row inserted and one deleted, and the delete reads this transaction's rows only") {
  const Shop shop;
  shop.must(sql_of(text_of(schema + "debezium.md"))[0]);
  shop.must("GRANT SELECT, INSERT, DELETE ON outboxevent TO debezium_shop");
  const std::string counts = "DO $$ DECLARE n int; BEGIN " + insert +
                             "; GET DIAGNOSTICS n = ROW_COUNT; ASSERT n = 1, 'inserted'; " + remove +
                             "; GET DIAGNOSTICS n = ROW_COUNT; ASSERT n = 1, 'deleted'; END $$";
  CHECK(shop.serve(counts) == "");
  const std::string plan = shop.ask("SET enable_seqscan = off; EXPLAIN " + remove);
  CHECK_MESSAGE(plan.find("outbox_tx_seq") != plan.npos, plan);
}

TEST_CASE(
    "a row that is deleted in its own transaction is lost without the page's trigger, and kept with it") {
  const Shop shop;
  shop.must("GRANT DELETE ON outbox TO debezium_shop");
  const std::string both =
      "DO $$ DECLARE n int; BEGIN INSERT INTO outbox (topic, message_key, payload) VALUES ('t', '7', 'x'); "
      "DELETE FROM outbox WHERE message_key = '7'; GET DIAGNOSTICS n = ROW_COUNT; ASSERT n = 1, 'deleted'; "
      "END $$";
  CHECK(shop.serve(both) == "");
  CHECK(shop.ask("SELECT count(*) FROM outbox") == "0\n");
  shop.must(sql_of(text_of(schema + "debezium.md"))[1]);
  CHECK(shop.serve(both) == "");
  CHECK(shop.ask("SELECT topic, message_key, convert_from(payload, 'UTF8'), seq FROM outbox") == "t|7|x|3\n");
  CHECK(shop.ask("WITH gone AS (DELETE FROM outbox RETURNING 1) SELECT count(*) FROM gone") == "1\n");
  CHECK(shop.ask("SELECT count(*) FROM outbox") == "0\n");
}

}  // namespace outbox::test
