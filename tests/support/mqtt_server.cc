#include "tests/support/mqtt_server.h"

#include <signal.h>

#include <fstream>
#include <stdexcept>
#include <utility>

#include "tests/support/eventually.h"

namespace outbox::test {
namespace {

void write_lines(const std::string& path, const std::vector<std::string>& lines) {
  std::ofstream file(path);
  for (const std::string& line : lines) file << line << '\n';
}

}  // namespace

MosquittoServer::MosquittoServer(MosquittoOptions options) : Server("mqtt"), options_(std::move(options)) {
  more_ = {"autosave_interval 1", "set_tcp_nodelay true", "log_type all"};
  if (!options_.user.empty()) {
    const std::string file = directory_ / "passwords";
    const Finished made = run({"mosquitto_passwd", "-b", "-c", file, options_.user, options_.password});
    if (made.exit_code != 0) throw std::runtime_error("mosquitto_passwd failed:\n" + made.output);
    more_.insert(more_.end(), {"allow_anonymous false", "password_file " + file});
  }
  if (!options_.rights.empty()) {
    write_lines(directory_ / "rights", options_.rights);
    more_.push_back("acl_file " + directory_ / "rights");
  }
  more_.insert(more_.end(), options_.settings.begin(), options_.settings.end());
  start();
}

std::string MosquittoServer::url() const {
  const std::string login = options_.user.empty() ? "" : options_.user + ":" + options_.password + "@";
  return "mqtt://" + login + "127.0.0.1:" + std::to_string(port());
}

void MosquittoServer::change_rights(const std::vector<std::string>& rights) {
  write_lines(directory_ / "rights", rights);
  const std::size_t before = log().size();
  process_->signal(SIGHUP);
  if (!eventually([&] { return log().find("Reloading config", before) != std::string::npos; }))
    throw std::runtime_error("mosquitto did not read its files anew:\n" + log());
}

}  // namespace outbox::test
