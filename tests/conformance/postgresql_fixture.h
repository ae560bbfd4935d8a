// A PostgreSQL database of one test's own on the program's private server. Owned by the test's thread;
// writers by theirs.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>

#include "adapters/stores/stores.h"
#include "tests/conformance/store_suite.h"
#include "tests/support/postgresql_server.h"

namespace outbox::test {

/// A connection for SQL that tests write themselves. Throws with the server's message on any error.
class Sql {
 public:
  explicit Sql(const std::string& url);
  /// Runs; the first column of the first row, empty when there is none.
  std::string run(const std::string& sql) const;
  /// Runs something that must fail; the server's message.
  std::string refused(const std::string& sql) const;
  /// One statement with parameters in text format, nullptr for NULL.
  void run(const char* sql, std::initializer_list<const char*> parameters) const;
  [[nodiscard]] PGconn* get() const { return connection_.get(); }

 private:
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

/// The same database, as another user.
std::string as_role(const std::string& url, const std::string& role);

/// Roles live in the cluster: it may be there.
void make_role(const Sql& sql, const std::string& role);

/// Makes both roles and gives them what grants.sql has for them; on the shared server.
void grant_roles(const std::string& url, const std::string& service, const std::string& relay);

/// Whether a relay sleeps on this server.
bool sleeps(const Sql& sql);

class PostgresqlWriter : public ServiceWriter {
 public:
  explicit PostgresqlWriter(const std::string& url) : sql_(url) {}
  void begin() override { sql_.run("BEGIN"); }
  void insert(const ServiceRow& row) override;
  void commit() override { sql_.run("COMMIT"); }
  void rollback() override { sql_.run("ROLLBACK"); }

 private:
  Sql sql_;
};

class PostgresqlFixture : public StoreFixture {
 public:
  /// In a database that is made so, with the outbox's tables.
  explicit PostgresqlFixture(const std::string& more);
  /// migrated: with the outbox's tables.
  explicit PostgresqlFixture(PostgresqlServer& server = PostgresqlServer::shared(), bool migrated = true);

  std::unique_ptr<Store> store() override { return store_at(url); }
  std::unique_ptr<Admin> admin() override { return admin_at(url); }
  std::unique_ptr<ServiceWriter> writer() override { return std::make_unique<PostgresqlWriter>(url); }
  void execute(const std::string& sql) override { Sql(url).run(sql); }
  [[nodiscard]] std::string with_own_seq() const override { return "OVERRIDING SYSTEM VALUE"; }
  std::vector<std::string> audit() override;

  static std::unique_ptr<Store> store_at(const std::string& url, const std::string& table = "outbox");
  static std::unique_ptr<Admin> admin_at(const std::string& url, const std::string& table = "outbox");
  /// Applies every migration.
  static void migrate(Admin& admin);

  std::string url;
};

}  // namespace outbox::test
