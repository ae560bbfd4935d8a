#include "tests/conformance/postgresql_fixture.h"

#include <stdexcept>

namespace outbox::test {
namespace {

std::string checked(PGconn* connection, PGresult* raw) {
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(raw, &PQclear);
  const ExecStatusType status = PQresultStatus(raw);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
    throw std::runtime_error(PQerrorMessage(connection));
  return PQntuples(raw) > 0 && PQnfields(raw) > 0 ? PQgetvalue(raw, 0, 0) : "";
}

template <class Port>
std::unique_ptr<Port> opened(Result<std::unique_ptr<Port>> port) {
  if (!port) throw std::runtime_error(port.error().text);
  return std::move(*port);
}

}  // namespace

Sql::Sql(const std::string& url) : connection_(PQconnectdb(url.c_str()), &PQfinish) {
  if (PQstatus(get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(get()));
  PQsetNoticeReceiver(
      get(), [](void*, const PGresult*) {}, nullptr);
}

std::string Sql::run(const std::string& sql) const {
  return checked(get(), PQexec(get(), sql.c_str()));
}

std::string Sql::refused(const std::string& sql) const {
  try {
    run(sql);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  throw std::runtime_error("not refused: " + sql);
}

void Sql::run(const char* sql, std::initializer_list<const char*> parameters) const {
  checked(get(), PQexecParams(get(), sql, static_cast<int>(parameters.size()), nullptr, parameters.begin(),
                              nullptr, nullptr, 0));
}

std::string as_role(const std::string& url, const std::string& role) {
  return "postgresql://" + role + url.substr(url.find('@'));
}

void make_role(const Sql& sql, const std::string& role) {
  sql.run("DO $$ BEGIN CREATE ROLE " + role + " LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$");
}

void grant_roles(const std::string& url, const std::string& service, const std::string& relay) {
  const Sql sql(url);
  make_role(sql, service);
  make_role(sql, relay);
  PostgresqlServer::shared().run_file(url, OUTBOX_SOURCE_DIR "/schema/postgresql/grants.sql",
                                      {"service=" + service, "relay=" + relay});
}

bool sleeps(const Sql& sql) {
  return sql.run(
             "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND "
             "granted") != "0";
}

void PostgresqlWriter::insert(const ServiceRow& row) {
  std::string payload = "\\x";
  for (const char c : row.payload) {
    payload += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    payload += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
  }
  const std::string delay = row.deliver_in ? std::to_string(row.deliver_in->count()) : "";
  sql_.run(
      "INSERT INTO outbox (topic, message_key, type, payload, content_type, headers, deliver_at) "
      "VALUES ($1, $2, $3, $4, $5, $6, now() + $7::bigint * interval '1 second')",
      {row.topic.c_str(), row.key ? row.key->c_str() : nullptr, row.type ? row.type->c_str() : nullptr,
       payload.c_str(), row.content_type.c_str(), row.headers.c_str(),
       row.deliver_in ? delay.c_str() : nullptr});
}

PostgresqlFixture::PostgresqlFixture(PostgresqlServer& server, bool migrated) : url(server.new_database()) {
  if (migrated) migrate(*admin());
}

PostgresqlFixture::PostgresqlFixture(const std::string& more)
    : url(PostgresqlServer::shared().new_database(more)) {
  migrate(*admin());
}

std::unique_ptr<Store> PostgresqlFixture::store_at(const std::string& url, const std::string& table) {
  return opened(postgresql_adapter().open_store({url, table}));
}

std::unique_ptr<Admin> PostgresqlFixture::admin_at(const std::string& url, const std::string& table) {
  return opened(postgresql_adapter().open_admin({url, table}));
}

std::vector<std::string> PostgresqlFixture::audit() {
  std::istringstream lines(Sql(url).run(
      "SELECT string_agg(actor || ' ' || action || ' ' || coalesce(route, '-'), E'\\n' ORDER BY seq) FROM "
      "outbox_audit"));
  std::vector<std::string> result;
  for (std::string line; std::getline(lines, line);) result.push_back(line);
  return result;
}

void PostgresqlFixture::migrate(Admin& admin) {
  for (const Migration& migration : postgresql_adapter().migrations)
    if (const auto applied = admin.apply(migration); !applied) throw std::runtime_error(applied.error().text);
}

}  // namespace outbox::test
