// Three relays on one database: the holder is stopped beyond its lease and continues, others come and go.
#include <signal.h>

#include <cstdlib>
#include <exception>
#include <fstream>
#include <set>
#include <sstream>
#include <unordered_map>

#include "tests/torture/scenario.h"

namespace outbox::test {
namespace {

using namespace std::chrono_literals;

constexpr auto lease = 1s;  // the shortest there is

std::string source_of(std::size_t relay) {
  return "/relay-" + std::to_string(relay);
}

class Zombies {
 public:
  /// marks: "SELECT owner FROM " and where the marks are.
  Zombies(World& world, std::string marks, bool is_sqlite)
      : world_(world), marks_(std::move(marks)), is_sqlite_(is_sqlite) {
    for (std::size_t i = 0; i < 3; ++i)
      world_.add_relay("", [&](RelayConfig& config) {
        config.source = source_of(i);
        config.http = true;
      });
  }

  void start_all() {
    for (const auto& relay : world_.relays()) world_.start(*relay);
    for (const auto& relay : world_.relays()) world_.started(*relay);
  }

  /// One zombie, and what else happens between two of them.
  void play() {
    const std::size_t holder = wait_for_holder();
    if (!world_.progress(static_cast<std::size_t>(1 + world_.draw(50)), "a change of relays")) return;
    if (world_.draw(3) == 0)
      stop_for_a_while(holder);
    else
      stop_until_replaced(holder);
    world_.fault();
    switch (world_.draw(4)) {
      case 0:
        return leave(static_cast<std::size_t>(world_.draw(3)));
      case 1:
        return die(static_cast<std::size_t>(world_.draw(3)));
      default:
        return;
    }
  }

 private:
  Outboxd& relay(std::size_t index) { return *world_.relays()[index]; }

  /// Which of ours holds the lease by the database's word; nobody: 3.
  std::size_t holder() {
    std::istringstream owner;
    try {
      owner.str(world_.shop().ask(marks_ + "outbox_mark WHERE route = 'main'"));
    } catch (const std::exception&) {
      return 3;  // beside a SQLite database the first relay makes the tables
    }
    std::string part;
    for (int i = 0; i < 4; ++i) std::getline(owner, part, '/');
    const pid_t pid = std::atoi(part.c_str());
    for (std::size_t i = 0; i < 3; ++i)
      if (relay(i).process().pid() == pid) return i;
    return 3;
  }

  std::size_t wait_for_holder() {
    std::size_t index = 3;
    if (!world_.until([&] { return (index = holder()) < 3; })) {
      world_.violation("nobody takes the lease");
      return 0;
    }
    return index;
  }

  void freeze(std::size_t index) {
    relay(index).process().signal(SIGSTOP);
    const std::string path = "/proc/" + std::to_string(relay(index).process().pid()) + "/stat";
    const auto is_stopped = [&] {
      std::string line;
      std::getline(std::ifstream(path) >> std::ws, line);
      return line.find(") T ") != line.npos;
    };
    if (!world_.until(is_stopped)) world_.violation("the relay cannot be stopped");
  }

  /// What it hands over after it continues was read before it was stopped, and is no more than a window.
  void check_published(std::size_t index, std::size_t from, std::size_t rows_before) {
    std::unordered_map<std::string, std::size_t> rows;
    const auto ids = world_.ledger().ids();
    for (std::size_t i = 0; i < ids.size(); ++i) rows[ids[i]] = i;
    std::size_t published = 0;
    const auto& arrived = world_.consumer().arrived;
    for (std::size_t i = from; i < arrived.size(); ++i) {
      const auto source = arrived[i].attributes.find("source");
      if (source == arrived[i].attributes.end() || source->second != source_of(index)) continue;
      ++published;
      const auto row = rows.find(arrived[i].id());
      if (row != rows.end() && row->second >= rows_before)
        world_.violation("a relay whose lease was taken published a row from after it was stopped");
    }
    if (published > static_cast<std::size_t>(world_.options().window))
      world_.violation("a relay whose lease was taken published " + std::to_string(published) + " messages");
  }

  void wait_for_rejoin(std::size_t index) {
    const Json status = relay(index).status_when([](const Json& now) { return is_in_state(now, "standby"); });
    if (!is_in_state(status, "standby")) world_.violation("a fenced relay did not rejoin");
    world_.look();
  }

  void stop_until_replaced(std::size_t index) {
    freeze(index);
    const std::size_t rows_before = world_.ledger().size();
    const auto is_replaced = [&] {
      const std::size_t now = holder();
      return now < 3 && now != index;
    };
    if (!world_.until(is_replaced, is_sqlite_ ? 5s : 20s)) {
      relay(index).process().signal(SIGCONT);
      // Stopped while it saves, it keeps the lock of SQLite's file: all wait for it, and nothing goes wrong.
      if (!is_sqlite_) world_.violation("nobody takes over from a stopped relay");
      return;
    }
    // Its successor goes on with what the zombie may still have in its hands, and with what it never saw.
    if (!world_.progress(static_cast<std::size_t>(20 + world_.draw(100)), "a take-over")) return;
    const std::size_t from = world_.consumer().arrived.size();
    relay(index).process().signal(SIGCONT);
    wait_for_rejoin(index);
    check_published(index, from, rows_before);
    world_.may_repeat(2);  // the successor's, and what the zombie had handed over
  }

  /// About as long as the lease: it continues just before, while or just after it is replaced.
  void stop_for_a_while(std::size_t index) {
    freeze(index);
    world_.pass(lease + std::chrono::milliseconds(world_.draw(700) - 300));
    relay(index).process().signal(SIGCONT);
    world_.may_repeat(2);
  }

  /// A clean stop hands over at once, and a newcomer is welcome.
  void leave(std::size_t index) {
    const int code = relay(index).stop(SIGTERM);
    if (code != 0) world_.violation("a relay that leaves ended with " + std::to_string(code));
    if (world_.draw(2) == 0) (void)world_.progress(20, "a relay that left");
    world_.start(relay(index));
    world_.started(relay(index));
  }

  void die(std::size_t index) {
    world_.kill(relay(index));
    world_.may_repeat(1);
    if (world_.draw(2) == 0) (void)world_.progress(20, "a relay that died");
    world_.start(relay(index));
    world_.started(relay(index));
  }

  World& world_;
  const std::string marks_;
  const bool is_sqlite_;
};

}  // namespace

Outcome zombies(const Round& round) {
  WorldOptions options;
  options.services.pause_max = 40;
  const bool is_sqlite = round.number % 3 == 0;
  const auto world = is_sqlite ? sqlite_to_redis(round, options) : postgresql_to_redis(round, options);
  std::string marks = "SELECT owner FROM ";
  if (is_sqlite) {
    const std::string path = world->shop().url().substr(std::string_view("sqlite:").size());
    marks = "ATTACH '" + path + ".outboxd' AS beside; SELECT owner FROM beside.";
  }
  Zombies zombies(*world, marks, is_sqlite);
  zombies.start_all();
  for (int i = 0; i < round.faults && world->is_faultless(); ++i) zombies.play();
  return world->finish();
}

Outcome share_shards(const Round& round) {
  WorldOptions options;
  options.services.pause_max = 40;
  const bool is_sqlite = round.number % 3 == 0;
  const auto world = is_sqlite ? sqlite_to_redis(round, options) : postgresql_to_redis(round, options);
  const auto& relays = world->relays();
  for (std::size_t i = 0; i < 3; ++i)
    world->add_relay("", [&](RelayConfig& config) { config.source = source_of(i); }).environment = {
        {"OUTBOXD_RELAY_SHARDS", "3"}};
  for (const auto& relay : relays) world->start(*relay);
  for (int i = 0; i < round.faults && world->is_faultless(); ++i) {
    if (!world->progress(static_cast<std::size_t>(30 + world->draw(100)), "a change of shards")) break;
    Outboxd& relay = *relays[static_cast<std::size_t>(world->draw(3))];
    world->started(relay);
    switch (world->draw(3)) {
      case 0:
        relay.process().signal(SIGSTOP);
        world->pass(std::chrono::milliseconds(700 + world->draw(1800)));
        relay.process().signal(SIGCONT);
        break;
      case 1:
        world->kill(relay);
        world->pass(std::chrono::milliseconds(world->draw(1000)));
        world->start(relay);
        break;
      default:
        if (const int code = relay.stop(SIGTERM); code != 0)
          world->violation("a relay that leaves ended with " + std::to_string(code));
        world->pass(std::chrono::milliseconds(world->draw(1000)));
        world->start(relay);
        break;
    }
    world->may_repeat(6);  // a window for each shard, by the old holder and by the new one
    world->fault();
  }
  const auto all_have_sent = [&] {
    std::set<std::string> sources;
    for (const Received& message : world->consumer().arrived) sources.insert(message.attributes.at("source"));
    return sources.size() == 3;
  };
  // On a busy machine the last one to start may not have had its share yet.
  if (!world->until(all_have_sent)) world->violation("the shards were not shared out");
  return world->finish();
}

}  // namespace outbox::test
