#include "assembly/run_relay.h"

#include <chrono>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "assembly/assemble.h"
#include "base/background.h"
#include "core/url.h"
#include "http/server.h"
#include "runtime/log.h"
#include "runtime/signals.h"
#include "runtime/version.h"

namespace outbox {
namespace {

/// How long a database that may be gone for good is waited for, once everything has been told to end.
constexpr auto farewell = std::chrono::seconds(3);

/// Its threads may be in a library, which comes back from a resolver, a connect or a statement when it likes:
/// what takes longer is left to itself, with all that it uses.
void let_go(std::unique_ptr<RelayProcess> process) {
  try {
    BackgroundThread thread("ending", [last = std::shared_ptr<RelayProcess>(std::move(process))] {});
    thread.join_within(farewell);
  } catch (const std::system_error& failure) {
    log_line(Level::error, "relay.ending", {{"error", failure.what()}});
  }
}

/// Where operators find the database, which a reload may move. Any thread.
class OperatorDatabase {
 public:
  OperatorDatabase(const Adapters& adapters, const Config& config) : stores_(adapters.stores) { set(config); }

  void set(const Config& config) {
    const std::lock_guard lock(mutex_);
    target_ = {config.database_url, config.table};
  }

  Result<std::unique_ptr<Admin>> open() const {
    const std::lock_guard lock(mutex_);
    return adapter_for(stores_, target_.url)->open_admin(target_);
  }

 private:
  const std::span<const StoreAdapter> stores_;
  mutable std::mutex mutex_;
  StoreTarget target_;
};

/// The process at work, which a reload replaces by the next one, and what is asked of it meanwhile.
class Service : public StatusSource {
 public:
  Service(std::unique_ptr<RelayProcess> process, Reload reload, const Adapters& adapters,
          std::shared_ptr<OperatorDatabase> database, bool once)
      : process_(std::move(process)),
        reload_(std::move(reload)),
        adapters_(adapters),
        database_(std::move(database)),
        once_(once) {}

  /// True when nothing was left unsent.
  bool run() {
    for (;;) {
      const bool all_sent = process_->run();
      std::unique_ptr<RelayProcess> last;
      {
        const std::scoped_lock lock(status_mutex_, mutex_);
        if (!next_) return all_sent;
        last = std::exchange(process_, std::move(next_));
      }
      let_go(std::move(last));
    }
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    next_.reset();
    if (process_) process_->request_stop();
  }

  /// After run(), once nobody asks for the status any more.
  void end() {
    std::unique_ptr<RelayProcess> last;
    {
      const std::scoped_lock lock(status_mutex_, mutex_);
      stopping_ = true;
      last = std::move(process_);
    }
    let_go(std::move(last));
  }

  Result<void> reload() {
    const std::lock_guard one_at_a_time(reload_mutex_);
    const auto config = reload_();
    if (!config) return not_reloaded("the file has faults; going on with the configuration as it was");
    auto next = assemble(*config, adapters_, once_);
    if (!next) return not_reloaded(next.error().text + "; going on with the configuration as it was");
    const std::lock_guard lock(mutex_);
    if (stopping_) return Error{Fault::refused, "the relay is stopping"};
    next_ = std::move(*next);
    database_->set(*config);
    process_->request_stop();
    reload_success_ = true;
    log_line(Level::info, "config.reloaded",
             {{"routes", config->routes.size()}, {"next", "[http] and [log] need a restart"}});
    return {};
  }

  [[nodiscard]] Status status() const override {
    const std::lock_guard stays(status_mutex_);
    RelayProcess* process = nullptr;
    bool reload_success = true;
    {
      const std::lock_guard lock(mutex_);
      process = process_.get();
      reload_success = reload_success_;
    }
    Status status = process ? process->status() : Status();  // none: it has ended
    status.config_reload_success = reload_success;
    return status;
  }

  [[nodiscard]] std::vector<std::string> stuck() const override {
    const std::lock_guard lock(mutex_);
    return process_ ? process_->stuck() : std::vector<std::string>();
  }

  [[nodiscard]] std::vector<std::string> unsent() const { return process_->unsent(); }

 private:
  Result<void> not_reloaded(const std::string& error) {
    log_line(Level::error, "config.reload", {{"error", error}});
    const std::lock_guard lock(mutex_);
    reload_success_ = false;
    return Error{Fault::refused, error};
  }

  std::mutex reload_mutex_;  ///< taken first
  /// The process stays while its status is made, which may wait for its lanes.
  mutable std::mutex status_mutex_;
  mutable std::mutex mutex_;  ///< taken last, never for long
  std::unique_ptr<RelayProcess> process_;
  std::unique_ptr<RelayProcess> next_;
  bool stopping_ = false;
  bool reload_success_ = true;
  const Reload reload_;
  const Adapters adapters_;
  const std::shared_ptr<OperatorDatabase> database_;
  const bool once_;
};

/// What HTTP lets operators do with this process and its database, on a thread that may be left to itself.
Administration administration(const std::shared_ptr<OperatorDatabase>& database,
                              const std::weak_ptr<Service>& service) {
  return {[database] { return database->open(); },
          [service](const std::string& actor) -> Result<void> {
            const auto at_work = service.lock();
            if (!at_work) return Error{Fault::refused, "the relay has stopped"};
            log_line(Level::info, "config.reload", {{"by", actor}});
            return at_work->reload();
          }};
}

/// A file may take its time, and signals go on to be heard.
void reload_elsewhere(const std::weak_ptr<Service>& service) {
  try {
    BackgroundThread("reload", [service] {
      if (const auto at_work = service.lock()) (void)at_work->reload();
    });
  } catch (const std::system_error& failure) {
    log_line(Level::error, "config.reload", {{"error", failure.what()}});
  }
}

}  // namespace

Result<bool> run_relay(const Config& config, const Reload& reload, const Adapters& adapters, bool once) {
  Signals signals;
  auto process = assemble(config, adapters, once);
  if (!process) return process.error();
  const auto database = std::make_shared<OperatorDatabase>(adapters, config);
  const auto service = std::make_shared<Service>(std::move(*process), reload, adapters, database, once);

  std::unique_ptr<HttpServer> http;
  if (!config.http_listen.empty() && !once) {
    auto started = HttpServer::start(config.http_listen, config.http_token, *service, {},
                                     administration(database, service));
    if (!started) return started.error();
    http = std::move(*started);
  }
  signals.listen({[service] { service->stop(); }, [service] { reload_elsewhere(service); }});
  log_line(Level::info, "relay.started",
           {{"version", version()},
            {"database", redacted(config.database_url)},
            {"routes", config.routes.size()},
            {"http", http ? config.http_listen : "off"}});
  const bool all_sent = service->run();
  if (http) http->stop();
  if (once)
    for (const std::string& line : service->unsent())
      log_line(Level::error, "relay.unsent", {{"what", line}});
  service->end();
  log_line(Level::info, "relay.stopped");
  return !once || all_sent;
}

}  // namespace outbox
