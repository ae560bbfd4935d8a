// Runs the examples of schema/examples whose language is at hand: each must write its order and its message
// together, or neither. Go's is parsed, where gofmt is.
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/support/fetched.h"
#include "tests/support/postgresql_server.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace {

using outbox::test::PostgresqlServer;
using outbox::test::run;
using outbox::test::TempDir;

using Command = std::vector<std::string>;

const std::string examples = std::string(OUTBOX_SOURCE_DIR) + "/schema/examples/";
const std::string schema = std::string(OUTBOX_SOURCE_DIR) + "/schema/";
const std::string orders_table = "CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL);";

// What a service's example is run with: a database, how to ask it, and what one order is placed by.
struct Shop {
  std::function<std::string(const std::string& sql)> ask;
  std::function<Command(int order)> place;
};

void check_all_or_nothing(const Shop& shop, const std::string& message) {
  const auto placed = run(shop.place(7));
  CHECK_MESSAGE(placed.exit_code == 0, placed.output);
  CHECK(shop.ask("SELECT id, customer FROM orders") == "7|customer-3\n");
  CHECK(shop.ask(message) == "order.placed|7|7|customer-3|application/json\n");

  // The order is there already: no second message.
  CHECK(run(shop.place(7)).exit_code != 0);
  CHECK(shop.ask("SELECT count(*) FROM outbox") == "1\n");

  // The message is refused: no order.
  CHECK(run(shop.place(8)).exit_code != 0);
  CHECK(shop.ask("SELECT count(*) FROM orders") == "1\n");
  CHECK(shop.ask("SELECT count(*) FROM outbox") == "1\n");
}

void check_sqlite(const std::function<Command(const std::string& path, const std::string& order)>& place) {
  const TempDir directory;
  const std::string path = directory / "shop.db";
  const auto ask = [&](const std::string& sql) { return run({"sqlite3", "-bail", path, sql}).output; };
  REQUIRE(ask(".read " + schema + "sqlite/0001_outbox.up.sql").empty());
  REQUIRE(ask(orders_table).empty());
  REQUIRE(ask("CREATE TRIGGER refuse BEFORE INSERT ON outbox WHEN NEW.message_key = '8' "
              "BEGIN SELECT raise(ABORT, 'refused'); END")
              .empty());
  check_all_or_nothing(
      {ask, [&](int order) { return place(path, std::to_string(order)); }},
      "SELECT topic, message_key, json_extract(data, '$.order'), json_extract(data, '$.customer'), "
      "content_type FROM outbox");
}

void check_postgresql(const std::function<Command(const std::string& url, const std::string& order)>& place) {
  const std::string url = PostgresqlServer::shared().new_database();
  const auto ask = [&](const std::string& sql) {
    return run({"psql", "-XqAt", "-v", "ON_ERROR_STOP=1", url, "-c", sql}).output;
  };
  const std::string tables = schema + "postgresql/0001_outbox.up.sql";
  REQUIRE(run({"psql", "-Xq1", "-v", "ON_ERROR_STOP=1", url, "-f", tables}).output.empty());
  REQUIRE(ask(orders_table).empty());
  REQUIRE(ask("ALTER TABLE outbox ADD CHECK (message_key <> '8')").empty());
  check_all_or_nothing(
      {ask, [&](int order) { return place(url, std::to_string(order)); }},
      "SELECT topic, message_key, data::jsonb ->> 'order', data::jsonb ->> 'customer', content_type "
      "FROM outbox");
}

}  // namespace

TEST_CASE("the PostgreSQL example in SQL writes order and message together") {
  check_postgresql([](const std::string& url, const std::string& order) {
    return Command{"psql",
                   "-Xq",
                   url,
                   "-v",
                   "ON_ERROR_STOP=1",
                   "-v",
                   "order=" + order,
                   "-f",
                   examples + "place_order_postgresql.sql"};
  });
}

TEST_CASE("the PostgreSQL example in C++ writes order and message together") {
  check_postgresql([](const std::string& url, const std::string& order) {
    return Command{EXAMPLE_POSTGRESQL, url, order};
  });
}

TEST_CASE("the PostgreSQL example in Python writes order and message together") {
  check_postgresql([](const std::string& url, const std::string& order) {
    return Command{"/usr/bin/python3", examples + "place_order_postgresql.py", url, order};
  });
}

TEST_CASE("the PostgreSQL example in Java writes order and message together") {
  const TempDir classes;
  const Command program = outbox::test::compiled_java(examples + "PlaceOrder.java", classes.path().string());
  check_postgresql([&](const std::string& url, const std::string& order) {
    const std::size_t user = url.find("//") + 2, host = url.find('@');
    Command command = program;
    command.push_back("jdbc:postgresql://" + url.substr(host + 1) + "?user=" + url.substr(user, host - user));
    command.push_back(order);
    return command;
  });
}

TEST_CASE("the PostgreSQL example in Node writes order and message together") {
  // Node looks for packages beside the program that asks for them.
  const TempDir directory;
  const std::string node = outbox::test::fetched() + "/node", program = directory / "place_order.mjs";
  std::filesystem::copy(examples + "place_order.mjs", program);
  std::filesystem::create_directory_symlink(node + "/node_modules", directory / "node_modules");
  check_postgresql([&](const std::string& url, const std::string& order) {
    return Command{node + "/bin/node", program, url, order};
  });
}

TEST_CASE("the SQLite example in SQL writes order and message together") {
  check_sqlite([](const std::string& path, const std::string& order) {
    return Command{"/bin/sh", "-c",
                   "sqlite3 -bail -cmd '.parameter set @order " + order + "' \"$0\" < \"$1\"", path,
                   examples + "place_order_sqlite.sql"};
  });
}

TEST_CASE("the SQLite example in C++ writes order and message together") {
  check_sqlite([](const std::string& path, const std::string& order) {
    return Command{EXAMPLE_SQLITE, path, order};
  });
}

TEST_CASE("the SQLite example in Python writes order and message together") {
  check_sqlite([](const std::string& path, const std::string& order) {
    return Command{"/usr/bin/python3", examples + "place_order_sqlite.py", path, order};
  });
}

TEST_CASE("the example in Go parses") {
  if (run({"/bin/sh", "-c", "command -v gofmt"}).exit_code != 0) {
    MESSAGE("gofmt is not installed: the example is not checked");
    return;
  }
  const auto finished = run({"gofmt", "-e", "-l", examples + "place_order.go"});
  CHECK_MESSAGE(finished.exit_code == 0, finished.output);
}
