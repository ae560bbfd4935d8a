#include "tests/support/mosquitto_server.h"

#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

#include "tests/support/eventually.h"
#include "tests/support/free_port.h"

namespace outbox::test {

MosquittoServer::MosquittoServer(MosquittoOptions options)
    : options_(std::move(options)), port_(free_port()) {
  std::ofstream configuration(directory_ / "mosquitto.conf");
  // As root it would become the user mosquitto, who cannot read the test's files.
  if (::geteuid() == 0) configuration << "user root\n";
  configuration << "listener " << port_ << " 127.0.0.1\n"
                << "persistence true\npersistence_location " << directory_.path().string() << "/\n"
                << "autosave_interval 1\n"
                << "max_queued_messages 1000000\nset_tcp_nodelay true\nlog_dest stderr\nlog_type all\n"
                << "allow_anonymous " << (options_.user.empty() ? "true" : "false") << '\n';
  if (!options_.user.empty()) {
    const std::string file = directory_ / "passwords";
    const Finished made = run({"mosquitto_passwd", "-b", "-c", file, options_.user, options_.password});
    if (made.exit_code != 0) throw std::runtime_error("mosquitto_passwd failed:\n" + made.output);
    configuration << "password_file " << file << '\n';
  }
  if (!options_.rights.empty()) {
    write_rights();
    configuration << "acl_file " << directory_ / "rights" << '\n';
  }
  for (const std::string& line : options_.settings) configuration << line << '\n';
  configuration.close();
  start();
}

std::string MosquittoServer::url() const {
  const std::string login = options_.user.empty() ? "" : options_.user + ":" + options_.password + "@";
  return "mqtt://" + login + "127.0.0.1:" + std::to_string(port_);
}

void MosquittoServer::kill() {
  process_.reset();
}

void MosquittoServer::start() {
  process_ =
      std::make_unique<Process>(std::vector<std::string>{"mosquitto", "-c", directory_ / "mosquitto.conf"});
  const auto is_ready = [this] { return !process_->running() || is_listening(port_); };
  if (!eventually(is_ready) || !process_->running())
    throw std::runtime_error("mosquitto did not start:\n" + process_->output());
}

void MosquittoServer::freeze() {
  process_->signal(SIGSTOP);
}
void MosquittoServer::thaw() {
  process_->signal(SIGCONT);
}

void MosquittoServer::change_rights(std::vector<std::string> rights) {
  options_.rights = std::move(rights);
  write_rights();
  const std::size_t before = log().size();
  process_->signal(SIGHUP);
  if (!eventually([&] { return log().find("Reloading config", before) != std::string::npos; }))
    throw std::runtime_error("mosquitto did not read its files anew:\n" + log());
}

void MosquittoServer::write_rights() {
  std::ofstream file(directory_ / "rights");
  for (const std::string& line : options_.rights) file << line << '\n';
}

}  // namespace outbox::test
