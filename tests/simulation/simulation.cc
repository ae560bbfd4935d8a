#include "simulation.h"

#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "core/relay.h"
#include "model_database.h"
#include "scenario.h"
#include "scripted_broker.h"

namespace outbox::simulation {
namespace {

using namespace std::chrono_literals;

class World;

/// One relay process: its state machine and both ends of it.
class Process {
 public:
  Process(World& world, std::string owner);
  void take(Event event);
  void take_answers(Answers answers);
  void crash();
  void stall(Duration how_long);
  void resume();
  [[nodiscard]] bool running() const { return !crashed_ && !finished_; }

  const std::string owner;
  ModelStore store;
  ScriptedBroker broker;

 private:
  void step(Event event);
  void carry_out(Commands& commands);
  void check_publish(const Commands& commands);
  void saved();
  void note_pause(const Event& event);

  World& world_;
  Relay relay_;
  bool crashed_ = false, stalled_ = false, finished_ = false;
  bool paused_ = false;                        ///< as it was told last
  std::vector<std::function<void()>> missed_;  ///< what happened while stalled
  std::uint64_t wake_number_ = 0;
  std::set<std::int64_t> exposed_;  ///< published, and its fate not written
  std::pair<std::int64_t, HeldWrites> settling_;
  std::int64_t saved_mark_ = 0;
};

class World {
 public:
  World(std::uint64_t seed, Weather weather, bool trace)
      : trace_(trace), random(seed), scenario(draw_scenario(random)), database(time) {
    if (weather == Weather::outages) add_outages(scenario, outages, time.now(), random);
    latency_max = scenario.faults.store_latency_max + scenario.faults.broker_latency_max;
    if (weather == Weather::topics) add_bad_topics(scenario, bad_topics, time.now(), random);
  }
  Outcome run();

  void violate(std::string what) {
    if (outcome.violation.empty()) outcome.violation = std::move(what);
  }
  void note(const std::string& owner, const char* what) const {
    if (trace_)
      std::printf("%9.3f ms  %-8s %s\n",
                  std::chrono::duration<double, std::milli>(time.now() - Instant{1h}).count(), owner.c_str(),
                  what);
  }
  bool gone(const std::string& owner) const { return provably_gone.contains(owner); }
  void crash_and_restart(Process& process);

 private:
  void start_relay();
  void schedule_commits();
  void look_at_held();
  void release_held();
  void tell(const Event& event);
  void check_end();
  void check_topics();
  bool all_through() const;

  const bool trace_;
  bool stopping_ = false;

 public:
  VirtualTime time;
  Random random;
  Scenario scenario;
  ModelDatabase database;
  BrokerLog log;
  Outcome outcome;
  std::set<std::string> provably_gone;
  std::vector<Outage> outages;
  std::vector<BadTopic> bad_topics;
  Duration latency_max{};
  std::map<std::int64_t, Poison> poison;
  std::set<std::int64_t> settled_poison;       ///< poisoned rows that have died, as they should
  std::set<std::int64_t> discarded, requeued;  ///< by the operator
  std::set<std::int64_t> died;                 ///< at least once
  std::vector<std::unique_ptr<Process>> processes;
  bool faulty = true;
};

RelayOptions options_of(World& world, const std::string& owner) {
  RelayOptions options = world.scenario.relay;
  options.owner = owner;
  options.seed = world.random.draw();
  return options;
}

Process::Process(World& world, std::string name)
    : owner(std::move(name)),
      store(
          world.time, world.random, world.database, world.scenario.faults,
          [&world](const std::string& who) { return world.gone(who); },
          [this](Event event) { take(std::move(event)); }),
      broker(world.time, world.random, world.log, world.scenario.faults, world.poison, world.outages,
             world.bad_topics, world.scenario.relay.traits.ordered_pipeline,
             [this](Answers answers) { take_answers(std::move(answers)); }),
      world_(world),
      relay_(options_of(world, owner)) {}

void Process::take(Event event) {
  if (!running()) return;
  if (stalled_) {
    missed_.push_back([this, kept = std::make_shared<Event>(std::move(event))] { step(std::move(*kept)); });
    return;
  }
  step(std::move(event));
}

void Process::take_answers(Answers answers) {
  auto kept = std::make_shared<Answers>(std::move(answers));
  if (!running()) return;
  if (stalled_) {
    missed_.push_back([this, kept] {
      broker.seen();
      step(BrokerAnswer{kept.get()});
    });
    return;
  }
  broker.seen();
  step(BrokerAnswer{kept.get()});
}

void Process::step(Event event) {
  if (!running()) return;
  if (++world_.outcome.steps > 1'000'000) world_.violate("spins");
  if (world_.faulty && world_.random.chance(world_.scenario.faults.crash))
    return world_.crash_and_restart(*this);
  if (const auto* answer = std::get_if<SettleAnswer>(&event); answer && answer->result) saved();
  Commands commands;
  note_pause(event);
  relay_.step(world_.time.now(), std::move(event), commands);
  check_publish(commands);
  carry_out(commands);
  if (world_.faulty && world_.random.chance(world_.scenario.faults.stall))
    stall(world_.random.within(1ms, 5s));
}

void Process::saved() {
  const auto& [mark, held] = settling_;
  std::erase_if(exposed_, [&](std::int64_t seq) { return seq <= mark && seq > saved_mark_; });
  saved_mark_ = mark;
  for (const Hold& change : held.changes) exposed_.erase(change.seq);
  for (const HeldRow& removal : held.removals) exposed_.erase(removal.seq);
}

void Process::note_pause(const Event& event) {
  if (std::holds_alternative<Pause>(event)) paused_ = true;
  if (std::holds_alternative<Resume>(event)) paused_ = false;
  const auto* acquired = std::get_if<AcquireAnswer>(&event);
  if (!acquired || !acquired->result) return;
  if (const auto* granted = std::get_if<Granted>(&*acquired->result)) paused_ = granted->paused;
}

/// What a crash may repeat is bounded by the window, and nothing is published on a lease that is another's.
void Process::check_publish(const Commands& commands) {
  if (commands.read && commands.read->limit.messages_max == 0) world_.violate("a read of nothing");
  if (!commands.publish.empty() && world_.database.owner() != owner)
    world_.violate("published on the lease of " + world_.database.owner());
  if (!commands.publish.empty() && paused_) world_.violate("published while paused");
  if (commands.acquire) exposed_.clear();
  if (commands.settle) settling_ = {commands.settle->mark.seq, commands.settle->held};
  for (const Submission& submission : commands.publish) exposed_.insert(submission.message->seq);
  if (exposed_.size() > world_.scenario.relay.window)
    world_.violate("a crash would repeat more than the window");
}

void Process::carry_out(Commands& commands) {
  if (commands.finished) finished_ = true;
  // Only what this step asks for wakes it: a wake-up that the core forgets is missed here as in earnest.
  ++wake_number_;
  if (commands.wake_at)
    world_.time.at(*commands.wake_at, [this, number = wake_number_] {
      if (number == wake_number_) take(Tick{});
    });
  if (commands.connect) broker.connect();
  if (!commands.publish.empty()) {
    world_.note(owner, ("publish " + std::to_string(commands.publish.front().message->seq) + " and " +
                        std::to_string(commands.publish.size() - 1) + " more")
                           .c_str());
    broker.submit(commands.publish);
  }
  if (commands.acquire) world_.note(owner, "acquire");
  if (commands.read)
    world_.note(owner, ("read " + std::to_string(commands.read->after.seq) + " limit " +
                        std::to_string(commands.read->limit.messages_max))
                           .c_str());
  if (commands.read_held) world_.note(owner, "read held");
  if (commands.wait) world_.note(owner, "wait");
  if (commands.connect) world_.note(owner, "connect");
  if (commands.settle) world_.note(owner, ("settle " + std::to_string(commands.settle->mark.seq)).c_str());
  store.accept(commands);
}

void Process::crash() {
  world_.note(owner, "crash");
  crashed_ = true;
  store.crash();
  broker.crash();
}

void Process::stall(Duration how_long) {
  world_.note(owner, "stall");
  stalled_ = true;
  world_.time.after(how_long, [this] { resume(); });
}

void Process::resume() {
  if (!std::exchange(stalled_, false) || !running()) return;
  world_.note(owner, "resume");
  auto missed = std::move(missed_);
  missed_.clear();
  for (auto& what : missed) what();
  take(Tick{});
}

void World::start_relay() {
  if (stopping_) return;
  processes.push_back(std::make_unique<Process>(*this, "relay-" + std::to_string(processes.size() + 1)));
  time.after(random.within(0ms, 10ms), [process = processes.back().get()] { process->take(Tick{}); });
}

void World::crash_and_restart(Process& process) {
  ++outcome.crashes;
  process.crash();
  if (random.chance(0.5)) provably_gone.insert(process.owner);
  time.after(random.within(0ms, 50ms), [this] { start_relay(); });
}

void World::schedule_commits() {
  database.on_commit = [this] {
    for (const auto& process : processes)
      if (process->running()) process->store.committed();
  };
  Duration when{};
  for (int i = 0; i < scenario.rows; ++i) {
    when += random.within(Duration::zero(), scenario.commit_gap_max);
    const int key = random.chance(0.1) ? -1 : random.between(1, scenario.keys);
    const Duration due_in = random.chance(scenario.scheduled) ? random.within(1ms, 500ms) : Duration::zero();
    if (random.chance(scenario.poisoned))
      poison[i + 1] = scenario.has_outages ? static_cast<Poison>(random.between(0, 2)) : Poison::rejected;
    time.after(when, [this, key, due_in] { database.commit(key, due_in); });
  }
}

void World::tell(const Event& event) {
  for (const auto& process : processes) {
    if (std::holds_alternative<Pause>(event)) process->take(Pause{});
    if (std::holds_alternative<Resume>(event)) process->take(Resume{});
    if (std::holds_alternative<HeldChanged>(event)) process->take(HeldChanged{});
    if (std::holds_alternative<Share>(event)) process->take(std::get<Share>(event));
  }
}

/// An operator at work, and what becomes of the dead.
void World::look_at_held() {
  auto& held = database.held();
  for (const auto& [seq, row] : held.rows())
    if (row.state == HeldState::dead) {
      died.insert(seq);
      if (scenario.has_outages && !poison.contains(seq))
        violate("row " + std::to_string(seq) + " died of an outage");
    }
  if (!faulty) {
    release_held();
  } else if (!held.rows().empty() && random.chance(scenario.faults.interferes)) {
    auto row = held.rows().begin();
    std::advance(row, random.between(0, static_cast<int>(held.rows().size()) - 1));
    const std::int64_t seq = row->first;
    const bool discards = random.chance(0.3);
    note("operator", ((discards ? "discard " : "requeue ") + std::to_string(seq)).c_str());
    (discards ? discarded : requeued).insert(seq);
    discards ? held.discard(seq, time.now()) : held.requeue(seq, time.now());
    time.after(random.within(1ms, 200ms), [this] { tell(HeldChanged{}); });
  }
  if (faulty && random.chance(scenario.pauses)) {
    const bool paused = random.chance(0.5);
    database.set_paused(paused);
    tell(paused ? Event(Pause{}) : Event(Resume{}));
  }
  if (faulty && random.chance(scenario.hand_overs)) {
    auto& process =
        *processes[static_cast<std::size_t>(random.between(0, static_cast<int>(processes.size()) - 1))];
    process.take(Share{random.chance(0.5)});
  }
  if (!stopping_) time.after(random.within(5ms, 50ms), [this] { look_at_held(); });
}

/// When all is over, the dead are discarded if they are poisoned, and tried again if they are not.
void World::release_held() {
  database.set_paused(false);
  tell(Resume{});
  tell(Share{true});
  // Where nothing passes nobody can tell a poisoned row from an outage.
  if (scenario.has_outages && !poison.empty()) {
    ++scenario.rows;
    database.commit(-1, Duration::zero());
  }
  std::vector<std::int64_t> dead;
  for (const auto& [seq, row] : database.held().rows())
    if (row.state == HeldState::dead) dead.push_back(seq);
  for (const std::int64_t seq : dead) {
    if (poison.erase(seq) > 0) {
      settled_poison.insert(seq);
      database.held().discard(seq, time.now());
    } else {
      requeued.insert(seq);
      database.held().requeue(seq, time.now());
    }
  }
  if (!dead.empty()) tell(HeldChanged{});
}

bool World::all_through() const {
  return static_cast<int>(database.rows().size()) == scenario.rows && database.held().rows().empty() &&
         database.mark() == static_cast<std::int64_t>(database.rows().size());
}

Outcome World::run() {
  outcome.rows = static_cast<std::size_t>(scenario.rows);
  schedule_commits();
  time.after(1ms, [this] { look_at_held(); });
  for (int i = 0; i < scenario.relays; ++i) start_relay();
  Instant faults_end = time.now() + random.within(500ms, 3s);
  if (!outages.empty()) faults_end = std::max(faults_end, outages.back().end);
  for (const BadTopic& bad : bad_topics) faults_end = std::max(faults_end, bad.end);
  time.at(faults_end, [this] {
    faulty = false;
    scenario.faults = Faults{};
    note("world", "faults end");
    for (const auto& process : processes) process->resume();
  });
  // Backed off or standing by for its longest, a relay must still come back well within this.
  const Instant deadline = faults_end + 90s;
  while (outcome.violation.empty() && (faulty || !all_through()) && time.now() < deadline && time.step())
    continue;
  if (outcome.violation.empty() && !all_through())
    violate("not everything went through after the faults had ended");
  stopping_ = true;
  for (const auto& process : processes) process->take(Stop{});
  const Instant stop_deadline = time.now() + 10s;
  while (outcome.violation.empty() && time.now() < stop_deadline && time.step()) continue;
  for (const auto& process : processes)
    if (process->running()) violate("did not stop");
  check_end();
  outcome.accepted = log.size();
  return outcome;
}

/// Who waits for no bad topic, and for no row of its key that does, does not wait; all others not for long
/// once the topic is mended.
void World::check_topics() {
  // One message at a time, each written before the next.
  const Duration patience = topic_probe_interval_max + 2s + scenario.rows * 2 * latency_max;
  Instant mended{};
  for (const BadTopic& bad : bad_topics) mended = std::max(mended, bad.end);
  std::map<std::int64_t, Instant> first;
  for (const auto& [number, when] : log) first.try_emplace(number, when);
  std::set<int> behind;
  for (const auto& row : database.rows()) {
    const std::string topic = "topic-" + std::to_string(row.topic());
    const bool is_bad =
        std::ranges::any_of(bad_topics, [&](const BadTopic& bad) { return bad.topic == topic; });
    if (is_bad && row.key >= 0) behind.insert(row.key);
    const bool waits = is_bad || behind.contains(row.key);
    const auto accepted = first.find(row.number);
    if (accepted == first.end()) continue;
    if (accepted->second > (waits ? std::max(mended, row.committed) : row.committed) + patience)
      violate("row " + std::to_string(row.number) + " waited " +
              (waits ? "after its topic was mended" : "for another topic"));
  }
}

void World::check_end() {
  if (!bad_topics.empty()) check_topics();
  if (!database.violation().empty()) violate(database.violation());
  std::set<std::int64_t> seen;
  std::map<int, std::int64_t> last_of_key;
  for (const auto& [number, when] : log) {
    const auto& row = database.rows().at(static_cast<std::size_t>(number - 1));
    if (when < row.committed + row.due_in && !requeued.contains(number))
      violate("row " + std::to_string(number) + " was published before its time");
    // What an operator tries again after its key has gone on comes late, and what was under way when he gave
    // it up.
    const bool may_be_late =
        discarded.contains(number) || (died.contains(number) && !scenario.relay.dead_blocks);
    if (!seen.insert(number).second || row.key < 0 || may_be_late) continue;
    auto& last = last_of_key[row.key];
    // A scheduled row may come late, but no row that waited before it comes after it.
    if (number < last && row.due_in == Duration::zero())
      violate("inverted: row " + std::to_string(number) + " after row " + std::to_string(last));
    last = std::max(last, number);
  }
  for (const auto& row : database.rows())
    if (!seen.contains(row.number) && !poison.contains(row.number) && !settled_poison.contains(row.number) &&
        !discarded.contains(row.number))
      violate("lost: row " + std::to_string(row.number));
}

}  // namespace

Outcome simulate(std::uint64_t seed, Weather weather, bool trace) {
  return World(seed, weather, trace).run();
}

}  // namespace outbox::simulation
