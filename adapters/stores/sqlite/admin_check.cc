// SqliteAdmin::check: what `outboxd check` says about the database.
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "adapters/stores/sqlite/shape.h"
#include "adapters/stores/sqlite/sqlite_admin.h"
#include "schema/embedded.h"

namespace outbox {
namespace {

using sqlite::Connection;
using Level = Finding::Level;

Result<Finding> journal_mode_of(Connection& connection) {
  auto statement = connection.prepare("PRAGMA main.journal_mode", "check");
  if (!statement) return statement.error();
  const int code = statement->step();
  if (code != SQLITE_ROW) return connection.error_of(code, "check");
  const std::string mode = statement->string(0);
  if (mode == "wal")
    return Finding{Level::ok, "journal mode WAL: relay and services never wait for each other", ""};
  return Finding{
      Level::warning,
      "journal mode " + mode + ": while the relay reads, a service's commit may fail with SQLITE_BUSY",
      "run once: PRAGMA journal_mode = WAL (it is stored in the file)"};
}

Result<void> check_table(Connection& connection, const std::string& table, std::vector<Finding>& findings) {
  auto faults = sqlite::faults_of(connection, table);
  if (!faults) return faults.error();
  if (faults->empty())
    findings.push_back({Level::ok, "table " + sqlite::quoted_name(table) + " has every column", ""});
  findings.insert(findings.end(), faults->begin(), faults->end());
  if (!faults->empty()) return {};
  auto rows = connection.number("SELECT count(*) FROM main." + sqlite::quoted_name(table) + " WHERE seq < 1",
                                "check");
  if (!rows) return rows.error();
  if (*rows > 0)
    findings.push_back({Level::warning,
                        std::to_string(**rows) + " rows have a seq below 1, which no database draws: only "
                                                 "routes that begin after they were written read them",
                        "let the database draw seq; insert such rows again without it"});
  return {};
}

void check_migrations(const std::vector<AppliedMigration>& applied, std::vector<Finding>& findings) {
  // None at all: the SQL was run with another tool, which keeps its own record.
  if (applied.empty()) return;
  for (const Migration& migration : sqlite_migrations()) {
    const AppliedMigration* found = nullptr;
    for (const AppliedMigration& one : applied)
      if (one.version == migration.version) found = &one;
    const std::string name = "migration " + std::to_string(migration.version) + " (" + migration.name + ")";
    if (found == nullptr)
      findings.push_back({Level::fault, name + " is not applied", "run `outboxd migrate up`"});
    else if (found->checksum != migration.checksum)
      findings.push_back({Level::warning, name + " was applied with another text than this outboxd has",
                          "compare `outboxd migrate print --dialect sqlite` with what was run"});
  }
}

Finding check_state_place(const std::string& state_path) {
  const std::string directory = std::filesystem::path(state_path).parent_path().string();
  if (access(directory.c_str(), W_OK | X_OK) == 0)
    return {Level::ok, "the relay's file " + state_path + " can be created", ""};
  return {Level::fault, "the relay's file " + state_path + " cannot be created",
          "give the relay's user the right to create files in " + directory};
}

}  // namespace

Result<std::vector<Finding>> SqliteAdmin::check() {
  auto connection = files_.to_read();
  if (!connection) return connection.error();
  std::vector<Finding> findings;
  auto mode = journal_mode_of(*connection);
  if (!mode) return mode.error();
  findings.push_back(
      {Level::ok, "SQLite " + std::string(sqlite3_libversion()) + ", " + connection->file(), ""});
  findings.push_back(*mode);
  if (auto done = check_table(*connection, files_.table(), findings); !done) return done.error();
  auto applied = migrations();
  if (!applied) return applied.error();
  check_migrations(*applied, findings);

  auto relay = files_.state(*connection);
  const std::string state_path = sqlite::state_path_of(connection->file());
  if (!relay) {
    findings.push_back(
        {Level::fault, relay.error().text, "make " + state_path + " usable for the relay's user"});
  } else if (!*relay) {
    findings.push_back(check_state_place(state_path));
  } else if (auto writing = sqlite::Transaction::begin(**relay, "check"); !writing) {
    findings.push_back(
        {Level::fault, writing.error().text, "make " + state_path + " writable for the relay's user"});
  } else {
    findings.push_back({Level::ok, "the relay's file " + state_path + " can be written", ""});
  }
  return findings;
}

}  // namespace outbox
