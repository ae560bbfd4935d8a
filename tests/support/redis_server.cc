#include "tests/support/redis_server.h"

#include <signal.h>

#include <stdexcept>

#include "tests/support/eventually.h"
#include "tests/support/free_port.h"

namespace outbox::test {

RedisServer::RedisServer(RedisOptions options) : options_(std::move(options)), port_(free_port()) {
  start();
}

std::string RedisServer::url() const {
  const std::string user = options_.password.empty() ? "" : ":" + options_.password + "@";
  return "redis://" + user + "127.0.0.1:" + std::to_string(port_);
}

void RedisServer::kill() {
  process_.reset();
}

void RedisServer::launch(const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"redis-server",
                                        "--bind",
                                        "127.0.0.1",
                                        "--port",
                                        std::to_string(port_),
                                        "--dir",
                                        directory_.path().string(),
                                        "--save",
                                        "",
                                        "--appendonly",
                                        "yes",
                                        "--appendfsync",
                                        options_.append_fsync,
                                        "--daemonize",
                                        "no"};
  if (!options_.password.empty()) arguments.insert(arguments.end(), {"--requirepass", options_.password});
  arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
  arguments.insert(arguments.end(), more.begin(), more.end());
  process_ = std::make_unique<Process>(std::move(arguments));
}

void RedisServer::start() {
  launch({});
  // The port opens before the append-only file is read; the log says when both are done.
  const auto is_ready = [this] {
    return !process_->running() ||
           process_->output().find("Ready to accept connections") != std::string::npos;
  };
  if (!eventually(is_ready) || !process_->running())
    throw std::runtime_error("redis-server did not start:\n" + process_->output());
}

void RedisServer::start_slowly(std::chrono::microseconds for_each_key) {
  launch({"--key-load-delay", std::to_string(for_each_key.count()), "--loading-process-events-interval-bytes",
          "1024"});
  const auto is_loading = [this] { return !process_->running() || is_listening(port_); };
  if (!eventually(is_loading) || !process_->running())
    throw std::runtime_error("redis-server did not start:\n" + process_->output());
}

void RedisServer::freeze() {
  process_->signal(SIGSTOP);
}
void RedisServer::thaw() {
  process_->signal(SIGCONT);
}

}  // namespace outbox::test
