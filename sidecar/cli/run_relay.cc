#include "cli/run_relay.h"

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "cli/exit_code.h"
#include "core/url.h"
#include "http/server.h"
#include "runtime/log.h"
#include "runtime/signals.h"
#include "runtime/version.h"

namespace outbox {
namespace {

/// The process at work, which a reload replaces by the next one, and what is asked of it meanwhile.
class Service : public StatusSource {
 public:
  Service(std::unique_ptr<RelayProcess> process, const Reload& reload, const Adapters& adapters, bool once)
      : process_(std::move(process)), reload_(reload), adapters_(adapters), once_(once) {}

  /// True when nothing was left unsent.
  bool run() {
    for (;;) {
      const bool all_sent = process_->run();
      std::unique_ptr<RelayProcess> last;  // is destroyed after the lock is given back
      const std::lock_guard lock(mutex_);
      if (!next_) return all_sent;
      last = std::exchange(process_, std::move(next_));
    }
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    next_.reset();
    process_->request_stop();
  }

  void reload() {
    const auto config = reload_();
    if (!config) return reloaded(false, "the file has faults; going on with the configuration as it was");
    auto next = assemble(*config, adapters_, once_);
    if (!next) return reloaded(false, next.error().text + "; going on with the configuration as it was");
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    next_ = std::move(*next);
    process_->request_stop();
    reload_success_ = true;
    log_line(Level::info, "config.reloaded",
             {{"routes", config->routes.size()}, {"next", "[http] and [log] need a restart"}});
  }

  [[nodiscard]] Status status() const override {
    const std::lock_guard lock(mutex_);
    Status status = process_->status();
    status.config_reload_success = reload_success_;
    return status;
  }

  [[nodiscard]] std::vector<std::string> stuck() const override {
    const std::lock_guard lock(mutex_);
    return process_->stuck();
  }

  [[nodiscard]] std::vector<std::string> unsent() const { return process_->unsent(); }

 private:
  void reloaded(bool success, const std::string& error) {
    log_line(Level::error, "config.reload", {{"error", error}});
    const std::lock_guard lock(mutex_);
    reload_success_ = success;
  }

  mutable std::mutex mutex_;
  std::unique_ptr<RelayProcess> process_;
  std::unique_ptr<RelayProcess> next_;
  bool stopping_ = false;
  bool reload_success_ = true;
  const Reload& reload_;
  const Adapters& adapters_;
  const bool once_;
};

int refuse(const Error& error) {
  log_line(Level::error, "relay.refused", {{"error", error.text}});
  return exit_code::of(error.fault);
}

}  // namespace

int run_relay(const Config& config, const Reload& reload, const Adapters& adapters, bool once) {
  Signals signals;
  auto process = assemble(config, adapters, once);
  if (!process) return refuse(process.error());
  Service service(std::move(*process), reload, adapters, once);

  std::unique_ptr<HttpServer> http;
  if (!config.http_listen.empty() && !once) {
    auto started = HttpServer::start(config.http_listen, config.http_token, service);
    if (!started) return refuse(started.error());
    http = std::move(*started);
  }
  signals.listen({[&] { service.stop(); }, [&] { service.reload(); }});
  log_line(Level::info, "relay.started",
           {{"version", version()},
            {"database", redacted(config.database_url)},
            {"routes", config.routes.size()},
            {"http", http ? config.http_listen : "off"}});
  const bool all_sent = service.run();
  if (http) http->stop();
  if (once)
    for (const std::string& line : service.unsent()) log_line(Level::error, "relay.unsent", {{"what", line}});
  log_line(Level::info, "relay.stopped");
  return once && !all_sent ? exit_code::failed : exit_code::done;
}

}  // namespace outbox
