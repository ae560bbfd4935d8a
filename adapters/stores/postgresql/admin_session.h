// The libpqxx side of the adapter: a connection with the names of its tables, and where libpqxx's exceptions
// stop. Owned by the thread of the object that has it. Nothing here is hot.
#pragma once

#include <exception>
#include <memory>
#include <pqxx/pqxx>
#include <string>
#include <string_view>
#include <utility>

#include "adapters/stores/postgresql/connection.h"
#include "adapters/stores/postgresql/connection_settings.h"
#include "adapters/stores/postgresql/tables.h"

namespace outbox::postgresql {

/// Why the server must not be worked with by this connection.
struct Unusable {
  Error error;
};

struct AdminSession {
  pqxx::connection connection;
  std::string schema;  ///< quoted
  std::string outbox;  ///< qualified and quoted, whether or not it is there

  /// Throws what pqxx throws, and Unusable.
  AdminSession(const ConnectionSettings& settings, const TableName& name);

  [[nodiscard]] std::string table(std::string_view name) const { return schema + "." + std::string(name); }
};

/// Connects when first asked, again after a connection was lost.
class AdminSessions {
 public:
  AdminSessions(ConnectionSettings settings, TableName table)
      : settings_(std::move(settings)), table_(std::move(table)) {}

  [[nodiscard]] const ConnectionSettings& settings() const { return settings_; }
  [[nodiscard]] const TableName& table() const { return table_; }

  /// Runs the action on a live session. A session found dead before anything was committed is replaced once.
  template <class Action>
  auto attempt(const char* what, Action action) -> decltype(action(std::declval<AdminSession&>()));

 private:
  Error failed(const char* what, Fault fault, std::string why);

  ConnectionSettings settings_;
  TableName table_;
  std::unique_ptr<AdminSession> session_;
};

template <class Action>
auto AdminSessions::attempt(const char* what, Action action)
    -> decltype(action(std::declval<AdminSession&>())) {
  for (;;) {
    const bool reused = session_ != nullptr;
    try {
      if (!session_) session_ = std::make_unique<AdminSession>(settings_, table_);
      return action(*session_);
    } catch (const pqxx::broken_connection& error) {
      session_.reset();
      if (!reused) return failed(what, fault_of_connect(error.what()), error.what());
    } catch (const pqxx::sql_error& error) {
      const bool gone = error.sqlstate().empty() || error.sqlstate().substr(0, 3) == "57P";
      if (gone && reused) {
        session_.reset();
        continue;
      }
      return failed(what, fault_of(error.sqlstate()), error.what());
    } catch (const Unusable& unusable) {
      return unusable.error;
    } catch (const std::exception& error) {
      return failed(what, Fault::unavailable, error.what());
    }
  }
}

}  // namespace outbox::postgresql
