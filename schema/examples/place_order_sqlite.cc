// g++ place_order_sqlite.cc -lsqlite3 && ./a.out shop.db 7
#include <sqlite3.h>

#include <iostream>
#include <string>

int main(int, char** argv) {
  const std::string order = argv[2];
  const std::string data = R"({"order": )" + order + R"(, "customer": "customer-3"})";
  sqlite3* database = nullptr;
  bool done = sqlite3_open(argv[1], &database) == SQLITE_OK;
  sqlite3_busy_timeout(database, 5000);

  const auto run = [&](const char* sql, const std::string& last) {  // ?1 is the order, ?2 what is given
    sqlite3_stmt* statement = nullptr;
    done = done && sqlite3_prepare_v2(database, sql, -1, &statement, nullptr) == SQLITE_OK;
    sqlite3_bind_text(statement, 1, order.data(), static_cast<int>(order.size()), SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, last.data(), static_cast<int>(last.size()), SQLITE_STATIC);
    done = done && sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_finalize(statement);
  };
  run("BEGIN IMMEDIATE", "");
  run("INSERT INTO orders (id, customer) VALUES (?1, 'customer-3')", "");
  run("INSERT INTO outbox (topic, message_key, data) VALUES ('order.placed', ?1, ?2)", data);
  run("COMMIT", "");
  if (!done) std::cerr << sqlite3_errmsg(database) << '\n';
  sqlite3_close(database);  // what was not committed is rolled back
  return done ? 0 : 1;
}
