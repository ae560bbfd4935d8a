// What the relay's own machine does to it: disks fill up, the wall clock jumps.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "tests/support/tiny_disk.h"
#include "tests/torture/scenario.h"

namespace outbox::test {
namespace {

using namespace std::chrono_literals;

/// No file of the relay's may grow beyond so many bytes, as on a disk that is full.
void limit_files(Outboxd& relay, rlim_t bytes) {
  const rlimit limit{bytes, RLIM_INFINITY};
  if (::prlimit(relay.process().pid(), RLIMIT_FSIZE, &limit, nullptr) != 0)
    throw std::runtime_error("the size of files cannot be limited");
}

std::size_t size_of(const std::string& path) {
  std::error_code ignored;
  const auto size = std::filesystem::file_size(path, ignored);
  return ignored ? 0 : static_cast<std::size_t>(size);
}

/// One shortage: `begin` makes it, `end` ends it. Sometimes the relay dies in the middle of it.
void starve(World& world, Outboxd& relay, const std::function<void()>& begin,
            const std::function<void()>& end) {
  if (!world.progress(static_cast<std::size_t>(1 + world.draw(100)), "a full disk")) return;
  begin();
  world.fault();
  world.may_repeat(8);  // what is published while no mark can be saved is published again, ever more seldom
  world.pass(std::chrono::milliseconds(20 + world.draw(150)));
  if (world.draw(5) == 0) {
    world.kill(relay);
    world.may_repeat(1);
    end();
    world.start(relay);
  } else {
    end();
  }
}

/// A wall clock of its own for each relay that has its environment.
class Clock {
 public:
  Clock() {
    const int file = ::open(path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ::ftruncate(file, sizeof(std::int64_t)) != 0) throw std::runtime_error("no clock file");
    void* memory = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (memory == MAP_FAILED) throw std::runtime_error("no clock memory");
    offset_ = static_cast<std::atomic<std::int64_t>*>(memory);
  }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  ~Clock() { ::munmap(offset_, sizeof(std::int64_t)); }

  void set(std::int64_t seconds) { offset_->store(seconds); }

  [[nodiscard]] std::vector<std::pair<std::string, std::string>> environment() const {
    return {{"LD_PRELOAD", TORTURE_CLOCK_SHIM}, {"TORTURE_CLOCK", path()}};
  }

  /// Throws when another program does not see the offset: the scenario would prove nothing.
  void check() {
    set(-1'000'000'000);
    ProcessOptions options;
    options.environment = environment();
    const long shown = std::atol(run({"date", "+%s"}, std::move(options)).output.c_str());
    set(0);
    if (shown > std::time(nullptr) - 999'999'000) throw std::runtime_error("the clock cannot be shifted");
  }

 private:
  [[nodiscard]] std::string path() const { return directory_ / "offset"; }

  TempDir directory_;
  std::atomic<std::int64_t>* offset_ = nullptr;
};

}  // namespace

Outcome fill_file_disk(const Round& round) {
  WorldOptions options;
  options.seed = round.seed;
  options.services.pause_max = 5;
  const TinyDisk disk(8 << 20);
  const TempDir directory;
  const bool is_real = round.number % 2 == 0 && disk.is_there();
  const std::string path = (is_real ? disk.path() : directory.path().string()) + "/events.ndjson";
  World world(round.servers.new_shop(), std::make_unique<FileConsumer>(path), options);
  Outboxd& relay = world.add_relay();
  world.start(relay);
  const auto begin = [&] {
    if (is_real) return disk.fill(static_cast<std::size_t>(world.draw(5000)));
    limit_files(relay, size_of(path) + static_cast<std::size_t>(world.draw(5000)));
  };
  const auto end = [&] {
    if (is_real) return disk.free();
    if (relay.is_running()) limit_files(relay, RLIM_INFINITY);
  };
  for (int i = 0; i < round.faults && world.is_faultless(); ++i) starve(world, relay, begin, end);
  return world.finish();
}

Outcome fill_state_disk(const Round& round) {
  WorldOptions options;
  options.seed = round.seed;
  options.services.pause_max = 5;
  auto shop = std::make_unique<SqliteShop>();
  const std::string journal = shop->path() + ".outboxd-wal";
  World world(std::move(shop), std::make_unique<RedisConsumer>(round.servers.redis().port(), 0, round.lane),
              options);
  Outboxd& relay = world.add_relay();
  world.start(relay);
  const auto begin = [&] {
    limit_files(relay, size_of(journal) * static_cast<std::size_t>(world.draw(101)) / 100);
  };
  const auto end = [&] {
    if (relay.is_running()) limit_files(relay, RLIM_INFINITY);
  };
  for (int i = 0; i < round.faults && world.is_faultless(); ++i) starve(world, relay, begin, end);
  return world.finish();
}

Outcome shift_clock(const Round& round) {
  Clock clock;
  clock.check();
  WorldOptions options;
  options.services.scheduled = 0;  // of SQLite the relay itself asks the time: a due row would be days away
  const auto world =
      round.number % 2 == 0 ? sqlite_to_file(round, options) : postgresql_to_redis(round, options);
  Outboxd& relay = world->add_relay();
  relay.environment = clock.environment();
  // The checker wants to see every row at the end.
  relay.environment.emplace_back("OUTBOXD_OUTBOX_RETENTION", "3650d");
  world->start(relay);
  for (int i = 0; i < round.faults && world->is_faultless(); ++i) {
    if (!world->progress(static_cast<std::size_t>(1 + world->draw(60)), "a jump of the clock")) break;
    // Hours in either direction, from one moment to the next.
    clock.set(world->draw(2 * 48 * 3600) - 48 * 3600);
    world->fault();
    // Quiet for longer than the lease: it must be renewed on time whatever the clock says.
    if (world->draw(20) == 0) {
      world->quiet(true);
      world->pass(1500ms);
      world->quiet(false);
    }
    if (world->draw(10) == 0) {
      world->kill(relay);
      world->crashed();
      world->start(relay);
    }
  }
  return world->finish();
}

}  // namespace outbox::test
