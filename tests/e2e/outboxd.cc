#include "tests/e2e/outboxd.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "http/client.h"
#include "tests/support/eventually.h"
#include "tests/support/free_port.h"

namespace outbox::test {
namespace {

std::string quoted(const std::string& text) {
  return "'" + text + "'";  // a literal string of TOML: nothing in it is special
}

std::string text_of(const RelayConfig& config, int port) {
  std::ostringstream text;
  text << "[database]\nurl = " << quoted(config.database) << "\n[relay]\nwindow = " << config.window
       << "\nlease = " << quoted(config.lease) << "\ndrain_timeout = " << quoted(config.drain_timeout)
       << "\nsource = " << quoted(config.source) << "\n[retry]\nattempts_max = " << config.attempts_max
       << "\nbackoff_min = '20ms'\nbackoff_max = " << quoted(config.backoff_max)
       << "\n[http]\nlisten = " << quoted(config.http ? "127.0.0.1:" + std::to_string(port) : "") << "\n";
  if (!config.token.empty()) text << "token = " << quoted(config.token) << "\n";
  text << "[log]\nlevel = " << quoted(config.log_level) << "\n";
  for (const RouteText& route : config.routes)
    text << "[[route]]\nname = " << quoted(route.name) << "\nto = " << quoted(route.to) << "\n"
         << route.more << "\n";
  return text.str();
}

}  // namespace

RelayConfig config_of(const std::string& database, const std::string& to) {
  RelayConfig config;
  config.database = database;
  config.routes = {{"main", to}};
  return config;
}

Outboxd::Outboxd(RelayConfig wanted) : config(std::move(wanted)), port_(free_port()) {
  write_config();
}

void Outboxd::write_config() const {
  write_config(text_of(config, port_));
}

void Outboxd::write_config(const std::string& text) const {
  std::ofstream(config_path()) << text;
}

void Outboxd::start(std::vector<std::string> more) {
  std::vector<std::string> arguments = {OUTBOXD, "run", "--config", config_path()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  ProcessOptions options;
  options.environment = environment;
  options.output_file = directory_ / "log";
  process_ = std::make_unique<Process>(std::move(arguments), std::move(options));
}

int Outboxd::stop(int signal) {
  process_->signal(signal);
  const auto code = process_->wait(patience);
  if (code) process_.reset();
  return code.value_or(-1);
}

std::string Outboxd::log() const {
  std::ifstream file(directory_ / "log", std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool Outboxd::logs(const std::string& text) const {
  return eventually([&] { return log().find(text) != std::string::npos; }, patience);
}

int Outboxd::get(const std::string& path) const {
  const auto reply = http_get("127.0.0.1", port_, path, config.token);
  return reply ? reply->status : 0;
}

std::string Outboxd::body(const std::string& path) const {
  const auto reply = http_get("127.0.0.1", port_, path, config.token);
  return reply ? reply->body : "";
}

Json Outboxd::status_when(const std::function<bool(const Json& status)>& condition) const {
  Json status;
  const auto is_liked = [&] {
    const Json now = Json::parse(body("/status"), nullptr, false);
    if (!now.is_object()) return false;
    status = now;
    return condition(status);
  };
  (void)eventually(is_liked, patience);  // the caller looks at what came last
  return status;
}

std::optional<double> Outboxd::metric(const std::string& name) const {
  std::istringstream lines(body("/metrics"));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(name + " ")) return std::strtod(line.c_str() + name.size(), nullptr);
  return std::nullopt;
}

Finished Outboxd::command(std::vector<std::string> arguments) const {
  arguments.insert(arguments.end(), {"--config", config_path()});
  return outboxd(std::move(arguments));
}

Finished outboxd(std::vector<std::string> arguments, std::optional<int> files_max) {
  arguments.insert(arguments.begin(), OUTBOXD);
  if (files_max) arguments.insert(arguments.begin(), {"prlimit", "--nofile=" + std::to_string(*files_max)});
  return run(std::move(arguments), {}, patience);
}

Json route_of(const Json& status, const std::string& name) {
  if (!status.is_object()) return nullptr;
  for (const Json& route : status.at("routes"))
    if (route.at("name") == name) return route;
  return nullptr;
}

bool is_in_state(const Json& status, const std::string& state, const std::string& name) {
  const Json route = route_of(status, name);
  return route.is_object() && route.at("state") == state;
}

std::string reasons_of(const Json& status, const std::string& name) {
  const Json route = route_of(status, name);
  std::string text;
  if (!route.is_object()) return text;
  for (const Json& reason : route.at("reasons")) text += reason.get<std::string>() + "\n";
  if (route.at("last_error").is_string()) text += route.at("last_error").get<std::string>();
  return text;
}

}  // namespace outbox::test
