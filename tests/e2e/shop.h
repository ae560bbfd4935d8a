// The services' side: a database with an outbox and a table of their own, and services that write orders into
// both, in one transaction. A shop belongs to the test's thread, a session to the thread that uses it.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/conformance/postgresql_fixture.h"
#include "tests/e2e/committed_rows.h"
#include "tests/support/postgresql_server.h"
#include "tests/support/temp_dir.h"

struct sqlite3;

namespace outbox::test {

/// A service's connection.
class Session {
 public:
  virtual ~Session() = default;
  /// One transaction, `count` times in it: takes the key's row, counts it up, writes the message. Then
  /// commits or rolls back. Throws when the database does not let it; what has become of the transaction is
  /// then unknown.
  virtual void order(const std::string& key, bool commits, int count = 1) = 0;
  /// One row of any kind, committed; its id.
  virtual std::string insert(const ServiceRow& row) = 0;
  /// Begins a transaction that may write, in the database's own words.
  virtual void begin() = 0;
  /// One statement; the first column of its first row, empty when there is none.
  virtual std::string run(const std::string& sql) = 0;
};

class Shop {
 public:
  virtual ~Shop() = default;
  [[nodiscard]] virtual std::string url() const = 0;
  /// Throws when the database is away.
  virtual std::unique_ptr<Session> session() = 0;
  /// Runs statements.
  virtual void execute(const std::string& sql) = 0;
  /// The first column of the first row.
  virtual std::string ask(const std::string& sql) = 0;
  /// All orders that the outbox holds; the services' own table agrees, or the test fails.
  virtual CommittedRows committed() = 0;
  /// Rows by state in outbox_status.
  virtual std::map<std::string, long> states(const std::string& route = "main") = 0;

  /// Waits until that is said of so many rows of the route "main", and of no others.
  bool all_sent(std::size_t count);

  static constexpr int keys = 12;

  /// `count` rows of the topic "orders", committed one by one, key by key in turn.
  void order(int count);
  std::string insert(const ServiceRow& row) { return session()->insert(row); }
};

class PostgresqlShop : public Shop {
 public:
  explicit PostgresqlShop(PostgresqlServer& server = PostgresqlServer::shared());
  [[nodiscard]] std::string url() const override { return url_; }
  std::unique_ptr<Session> session() override;
  void execute(const std::string& sql) override { Sql(url_).run(sql); }
  std::string ask(const std::string& sql) override { return Sql(url_).run(sql); }
  CommittedRows committed() override;
  std::map<std::string, long> states(const std::string& route) override;

 private:
  std::string url_;
};

class SqliteShop : public Shop {
 public:
  SqliteShop();
  [[nodiscard]] std::string path() const { return directory_ / "orders.db"; }
  [[nodiscard]] std::string directory() const { return directory_.path().string(); }
  [[nodiscard]] std::string url() const override { return "sqlite:" + path(); }
  std::unique_ptr<Session> session() override;
  void execute(const std::string& sql) override { (void)ask(sql); }
  std::string ask(const std::string& sql) override;
  CommittedRows committed() override;
  std::map<std::string, long> states(const std::string& route) override;

 private:
  TempDir directory_;
};

/// Services that write as fast as they can, until stopped; one in ten transactions rolls back. They wait for
/// a database that is away. The seed decides keys and roll-backs.
class Producers {
 public:
  Producers(Shop& shop, int threads, unsigned seed);
  ~Producers() { stop(); }
  void stop();

 private:
  void produce(Shop& shop, unsigned seed) const;

  std::atomic<bool> stopping_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace outbox::test
