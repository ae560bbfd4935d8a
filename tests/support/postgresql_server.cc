#include "tests/support/postgresql_server.h"

#include <signal.h>

#include <fstream>
#include <stdexcept>
#include <utility>

namespace outbox::test {
PostgresqlServer::PostgresqlServer(const PostgresqlOptions& options) : Server("postgresql") {
  more_ = {"max_connections=200", "log_min_messages=warning", options.fsync ? "fsync=on" : "fsync=off"};
  more_.insert(more_.end(), options.settings.begin(), options.settings.end());
  start();
}

PostgresqlServer::~PostgresqlServer() {
  try {
    crash();  // nobody will ask for the data
  } catch (...) {
    kill();
  }
}

PostgresqlServer& PostgresqlServer::shared() {
  static PostgresqlServer server;
  return server;
}

std::string PostgresqlServer::url(const std::string& database, const std::string& user) const {
  return "postgresql://" + user + "@127.0.0.1:" + std::to_string(port()) + "/" + database;
}

std::string PostgresqlServer::new_database(const std::string& more) {
  const std::string name = "test_" + std::to_string(++databases_);
  psql({url(), "-c", "CREATE DATABASE " + name + " " + more});
  return url(name);
}

/// The server's own psql: Debian's /usr/bin/psql first looks for it, at length.
void PostgresqlServer::psql(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {directory_ / "programs/psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d"});
  const Finished finished = run(std::move(arguments));
  if (finished.exit_code != 0) throw std::runtime_error("psql failed:\n" + finished.output);
}

void PostgresqlServer::end_with(int signal) {
  if (!process_) return;
  process_->signal(signal);
  process_->wait();
  process_.reset();
}

void PostgresqlServer::stop() {
  end_with(SIGINT);
}

void PostgresqlServer::crash() {
  end_with(SIGQUIT);
}

void PostgresqlServer::run_file(const std::string& database_url, const std::string& path,
                                const std::vector<std::string>& variables) const {
  std::vector<std::string> arguments = {database_url, "-f", path};
  for (const std::string& variable : variables) arguments.insert(arguments.end(), {"-v", variable});
  psql(std::move(arguments));
}

void PostgresqlServer::start_as_standby() {
  std::ofstream(directory_ / "data/standby.signal") << "";
  start();
}

}  // namespace outbox::test
