// Where the outbox's tables are, and whether they are as they must be. Owned by the thread of the connection.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapters/stores/postgresql/connection.h"
#include "adapters/stores/sql/dialect.h"
#include "core/admin.h"

namespace outbox::postgresql {

/// outbox.table, taken apart.
struct TableName {
  std::string schema;  ///< empty: found by search_path
  std::string table;
};
TableName table_name(std::string_view text);

/// Where they are, and the log's oid. The view `status` may be missing: it is for people.
struct Tables : sql::Tables {
  std::string outbox_oid;
};

/// A quoted name as people write it, for texts that nobody runs.
std::string shown(std::string name);

/// For error texts: what is wrong with a mark that came from elsewhere, and who decides.
inline constexpr const char* other_cluster =
    "was made on another PostgreSQL cluster (a restored dump, a move), so its transaction numbers mean "
    "nothing "
    "here, and nobody but you knows what was sent since";
inline constexpr const char* rebase_fix =
    "run: outboxd mark rebase --from oldest, which publishes every retained row again (or --from now, --from "
    "<seq>)";

/// What the server says about itself and about this session.
struct Server {
  std::string user, database;
  bool standby = false;
  bool read_only = false;
  bool superuser = false;
};

Result<Server> describe_server(Connection& connection);

/// Faults when the server cannot be worked with: too old, a standby, read-only. The version as libpq counts:
/// 150002.
std::vector<Finding> check_server(int version, const Server& server);

/// Where the tables are. Errors: misconfigured, when one is missing; says which and the fix.
Result<Tables> find_tables(Connection& connection, const TableName& name);

/// Columns with their types, the index, and the relay's rights: a fault for each that is not as it must be.
Result<std::vector<Finding>> check_tables(Connection& connection, const Tables& tables, const Server& server);

/// The first fault of the findings as an error; ok when there is none.
Result<void> first_fault(const std::vector<Finding>& findings, const Connection& connection);

}  // namespace outbox::postgresql
