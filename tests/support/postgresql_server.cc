#include "tests/support/postgresql_server.h"

#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "tests/support/eventually.h"
#include "tests/support/free_port.h"

namespace outbox::test {
namespace {

std::string newest_programs() {
  int newest = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored))
    if (std::filesystem::exists(entry.path() / "bin" / "postgres"))
      newest = std::max(newest, std::atoi(entry.path().filename().c_str()));
  if (newest == 0)
    throw std::runtime_error("no PostgreSQL server below /usr/lib/postgresql: apt-get install postgresql");
  return "/usr/lib/postgresql/" + std::to_string(newest) + "/bin/";
}

/// postgres refuses to run as root. A child that changes its user loses the signal that ends it with its
/// parent, so setpriv sets it again.
std::vector<std::string> as_server_user(std::vector<std::string> arguments) {
  if (geteuid() != 0) return arguments;
  std::vector<std::string> all = {"setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups",
                                  "--pdeathsig=QUIT"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

}  // namespace

PostgresqlServer::PostgresqlServer(PostgresqlOptions options)
    : options_(std::move(options)), programs_(newest_programs()), port_(free_port()) {
  const std::string directory = directory_.path().string();
  if (geteuid() == 0) {
    const passwd* user = getpwnam("postgres");
    if (!user || chown(directory.c_str(), user->pw_uid, user->pw_gid) != 0)
      throw std::runtime_error("cannot give " + directory + " to the user postgres");
  }
  const Finished made = run(as_server_user({programs_ + "initdb", "-D", directory + "/data", "-U", "postgres",
                                            "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"}),
                            {.environment = {}, .directory = directory, .output_file = {}, .input = {}});
  if (made.exit_code != 0) throw std::runtime_error("initdb failed:\n" + made.output);
  start();
}

PostgresqlServer::~PostgresqlServer() {
  try {
    crash();  // nobody will ask for the data
  } catch (...) {
    process_.reset();
  }
}

PostgresqlServer& PostgresqlServer::shared() {
  static PostgresqlServer server;
  return server;
}

std::string PostgresqlServer::url(const std::string& database, const std::string& user) const {
  return "postgresql://" + user + "@127.0.0.1:" + std::to_string(port_) + "/" + database;
}

std::string PostgresqlServer::new_database() {
  const std::string name = "test_" + std::to_string(++databases_);
  const Finished made = run({programs_ + "psql", "-qX", "-d", url(), "-c", "CREATE DATABASE " + name});
  if (made.exit_code != 0) throw std::runtime_error("CREATE DATABASE failed:\n" + made.output);
  return url(name);
}

void PostgresqlServer::stop() {
  if (!process_) return;
  process_->signal(SIGINT);
  process_->wait();
  process_.reset();
}

void PostgresqlServer::crash() {
  if (!process_) return;
  process_->signal(SIGQUIT);
  process_->wait();
  process_.reset();
}

void PostgresqlServer::run_file(const std::string& database_url, const std::string& path,
                                const std::vector<std::string>& variables) const {
  std::vector<std::string> arguments = {programs_ + "psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d",
                                        database_url,       "-f",  path};
  for (const std::string& variable : variables) arguments.insert(arguments.end(), {"-v", variable});
  const Finished finished = run(std::move(arguments));
  if (finished.exit_code != 0) throw std::runtime_error("psql failed:\n" + finished.output);
}

void PostgresqlServer::start_as_standby() {
  std::ofstream(directory_ / "data/standby.signal") << "";
  start();
}

void PostgresqlServer::start() {
  const std::string directory = directory_.path().string();
  std::vector<std::string> arguments = {programs_ + "postgres", "-D", directory + "/data"};
  std::vector<std::string> settings = {"listen_addresses=127.0.0.1",
                                       "port=" + std::to_string(port_),
                                       "unix_socket_directories=" + directory,
                                       "max_connections=200",
                                       "lc_messages=C",
                                       "log_min_messages=warning"};
  if (!options_.fsync) settings.push_back("fsync=off");
  settings.insert(settings.end(), options_.settings.begin(), options_.settings.end());
  for (const std::string& setting : settings) arguments.insert(arguments.end(), {"-c", setting});
  process_ = std::make_unique<Process>(
      as_server_user(std::move(arguments)),
      ProcessOptions{.environment = {}, .directory = directory, .output_file = {}, .input = {}});
  const auto is_ready = [this] {
    if (!process_->running()) return true;
    return is_listening(port_) && run({programs_ + "pg_isready", "-q", "-d", url()}).exit_code == 0;
  };
  if (!eventually(is_ready) || !process_->running())
    throw std::runtime_error("postgres did not start:\n" + process_->output());
}

}  // namespace outbox::test
