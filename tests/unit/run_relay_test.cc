// The relay as a service, over a database and a broker that are only played: what signals and operators set
// off may take longer than the relay lives.
#include "assembly/run_relay.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/background.h"
#include "base/wakeup.h"
#include "fake_admin.h"
#include "runtime_fakes.h"
#include "tests/support/eventually.h"
#include "tests/support/free_port.h"
#include "tests/unit/http_client.h"

using namespace outbox;
using namespace outbox::test;
using namespace std::chrono_literals;

namespace {

/// From when it is told to, it answers nothing until the end.
class Silence {
 public:
  ~Silence() { end(); }
  void begin() { is_silent_ = true; }
  void end() {
    is_silent_ = false;
    is_silent_.notify_all();
  }
  void keep() {
    if (is_silent_) is_kept_ = true;
    is_silent_.wait(true);
  }
  [[nodiscard]] bool is_kept() const { return is_kept_; }

 private:
  std::atomic<bool> is_silent_ = false, is_kept_ = false;
};

/// Grants its lease once its database answers.
class SilentStore : public FakeStore {
 public:
  SilentStore(Journal& journal, Sleep& sleep, Silence& silence)
      : FakeStore(journal, sleep), silence_(silence) {}
  Result<Acquired> acquire(const LeaseRequest& request) override {
    silence_.keep();
    return FakeStore::acquire(request);
  }

 private:
  Silence& silence_;
};

/// Is always up; its poll keeps to its time.
class PolledBroker : public Broker {
 public:
  [[nodiscard]] Traits traits() const override { return {}; }
  void connect() override { connecting_ = true; }
  void submit(std::span<const Submission>) override {}
  void poll(Duration timeout, Answers& answers) override {
    if (std::exchange(connecting_, false))
      answers.session = Session{Session::State::up, ""};
    else
      bell_.wait(timeout);
  }
  void wake() noexcept override { bell_.ring(); }

 private:
  bool connecting_ = false;
  Wakeup bell_;
};

struct Played {
  FakeDatabase rows;
  Silence silence;
  Journal asked;
  Sleep store_sleep;
  std::array<BrokerAdapter, 1> brokers{
      BrokerAdapter{.name = "played",
                    .schemes = {"played"},
                    .settings = {},
                    .open = [](const BrokerTarget&) -> Result<std::unique_ptr<Broker>> {
                      return std::unique_ptr<Broker>(std::make_unique<PolledBroker>());
                    }}};
  std::array<StoreAdapter, 1> stores{StoreAdapter{
      .name = "played",
      .schemes = {"played"},
      .migrations = {},
      .open_store = [this](const StoreTarget&) -> Result<std::unique_ptr<Store>> {
        return std::unique_ptr<Store>(std::make_unique<SilentStore>(asked, store_sleep, silence));
      },
      .open_admin = [this](const StoreTarget&) -> Result<std::unique_ptr<Admin>> {
        return std::unique_ptr<Admin>(std::make_unique<FakeAdmin>(rows));
      }}};
};

/// A reload that does not end before it is told to, and how many copies of it there are.
struct SlowReload {
  std::promise<void> may_end;
  std::shared_ptr<std::promise<void>> begun = std::make_shared<std::promise<void>>();
  std::shared_future<void> end = may_end.get_future().share();

  [[nodiscard]] Reload get() const {
    return [begun = begun, end = end]() -> std::optional<Config> {
      begun->set_value();
      end.wait();
      return std::nullopt;
    };
  }
};

struct How {
  bool once = false, silent = false;
  std::vector<RouteShard> marks = {};
};

/// The relay on a thread of its own, as main() has it on the first.
struct Bench {
  Played played;
  SlowReload slow;
  std::weak_ptr<std::promise<void>> reload_lives = slow.begun;
  int port = free_port();
  std::future<bool> ended;

  explicit Bench(How how = {}) {
    played.rows.before_routes = [this] { played.silence.keep(); };
    played.rows.marks = how.marks;
    if (how.silent) played.silence.begin();
    sigset_t stop;
    sigemptyset(&stop);
    for (const int number : {SIGTERM, SIGHUP}) sigaddset(&stop, number);
    pthread_sigmask(SIG_BLOCK, &stop, nullptr);
    ended = std::async(std::launch::async, [this, how] {
      Config config;
      config.database_url = "played:";
      config.source = "/test";
      config.http_listen = "127.0.0.1:" + std::to_string(port);
      config.http_token = "s3cret";
      config.drain_timeout = 1s;
      config.retention = 2h;
      config.routes.resize(1);
      config.routes[0].to = "played:";
      return run_relay(config, slow.get(), {played.brokers, played.stores}, how.once).value();
    });
    if (!how.once) REQUIRE(eventually([this] { return is_listening(port); }, 20s));
    REQUIRE(eventually(
        [this, how] { return how.silent ? played.silence.is_kept() : played.asked.has("wait"); }, 20s));
  }
  ~Bench() {
    played.silence.end();
    played.store_sleep.end();
    (void)eventually(is_background_idle, 20s);  // it uses what is played
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  [[nodiscard]] bool ends() {
    ::kill(::getpid(), SIGTERM);
    return ended.wait_for(20s) == std::future_status::ready;
  }
};

}  // namespace

TEST_CASE("a reload that hangs hinders no signal, and what it uses outlives the relay") {
  Bench bench;
  HttpClient operators(bench.port);
  auto begun = bench.slow.begun->get_future();
  SUBCASE("by SIGHUP") {
    ::kill(::getpid(), SIGHUP);
  }
  SUBCASE("by HTTP") {
    operators.send(
        "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer s3cret\r\n"
        "Content-Type: application/json\r\nContent-Length: 0\r\n\r\n");
  }
  REQUIRE(begun.wait_for(20s) == std::future_status::ready);
  REQUIRE(bench.ends());
  bench.slow.begun.reset();  // the copies that are at work are what is left
  CHECK_FALSE(bench.reload_lives.expired());
  bench.slow.may_end.set_value();
  CHECK(eventually([&] { return bench.reload_lives.expired(); }, 20s));
}

TEST_CASE("a database that never answers does not hold up the end") {
  SUBCASE("from the beginning") {
    CHECK(Bench({.silent = true}).ends());
  }
  SUBCASE("from the beginning, for once") {
    CHECK(Bench({.once = true, .silent = true}).ends());
  }
  SUBCASE("in the middle") {
    Bench bench;
    bench.played.silence.begin();
    CHECK(bench.ends());
  }
}

TEST_CASE("sent rows are kept for as long as any route's relay asks") {
  RouteShard other;
  other.route = "theirs";
  SUBCASE("another one") {
    other.retention = 3h;
  }
  SUBCASE("this one") {
    other.retention = 1h;
  }
  Bench bench({.marks = {other}});
  CHECK(eventually([&] { return bench.played.rows.kept.load() == std::max<Duration>(other.retention, 2h); },
                   20s));
  CHECK(bench.ends());
}
