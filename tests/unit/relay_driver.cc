#include "relay_driver.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>

#include <doctest/doctest.h>

namespace outbox::test {
namespace {

using namespace std::chrono_literals;

Error failure(Fault fault) {
  return {fault, fault == Fault::fenced ? "another relay has taken over" : "the database says no"};
}

}  // namespace

RelayOptions brief() {
  RelayOptions options;
  options.owner = "me";
  options.window = 4;
  options.read_messages_max = 8;
  options.settle_interval = 20ms;
  options.lease = 8s;
  options.drain_timeout = 5s;
  options.retry = {3, 100ms, 1s};
  return options;
}

RelayOptions brief_and_ordered() {
  RelayOptions options = brief();
  options.traits.ordered_pipeline = true;
  return options;
}

RelayDriver::RelayDriver(RelayOptions options) : options_(options), relay_(std::move(options)) {
  tick();
}

RelayDriver& RelayDriver::started(std::int64_t saved_mark) {
  return granted(saved_mark).connected();
}

RelayDriver& RelayDriver::step(Event event) {
  commands_.clear();
  relay_.step(now_, std::move(event), commands_);
  check_and_remember();
  return *this;
}

void RelayDriver::check_and_remember() {
  const auto issue = [](bool issued, bool& owed, const char* what) {
    CAPTURE(what);
    const bool repeated_while_owed = issued && owed;
    CHECK_FALSE(repeated_while_owed);
    owed = owed || issued;
  };
  issue(commands_.acquire.has_value(), acquiring_, "acquire");
  issue(commands_.settle.has_value(), settling_, "settle");
  issue(commands_.renew.has_value(), renewing_, "renew");
  issue(commands_.read.has_value(), reading_, "read");
  issue(commands_.release.has_value(), releasing_, "release");
  issue(commands_.wait.has_value(), waiting_, "wait");
  issue(commands_.held_keys.has_value(), counting_, "held_keys");
  issue(commands_.read_held.has_value(), reading_held_, "read_held");
  if (commands_.read) {
    read_from_ = commands_.read->after.seq;
    CHECK(commands_.read->limit.messages_max > 0);
  }
  if (commands_.wake_at) CHECK(*commands_.wake_at > now_);
  for (const auto& [ticket, message] : commands_.publish) {
    const bool twice_in_flight = !in_flight_.emplace(message->seq, ticket).second;
    CHECK_FALSE(twice_in_flight);
  }
}

void RelayDriver::answered(bool& owed) {
  REQUIRE(owed);
  owed = false;
}

RelayDriver& RelayDriver::tick() {
  return step(Tick{});
}

RelayDriver& RelayDriver::pass(Duration how_long) {
  now_ += how_long;
  return tick();
}

RelayDriver& RelayDriver::pass_renewing(Duration how_long) {
  for (const Instant end = now_ + how_long; now_ < end;) {
    pass(std::min<Duration>(1s, end - now_));
    if (renewing_) renewed();
  }
  return *this;
}

RelayDriver& RelayDriver::granted(std::int64_t saved_mark, bool paused, HeldKeys held) {
  answered(acquiring_);
  AcquireAnswer answer{failure(Fault::unavailable)};
  answer.result = Acquired(
      Granted{{options_.route, options_.filter.shard, ++epoch_}, {"place", saved_mark}, paused, replays});
  step(std::move(answer));
  CHECK_FALSE(commands_.read);
  const bool connects = commands_.connect;
  if (counting_) counted(std::move(held));
  commands_.connect = commands_.connect || connects;
  return *this;
}

RelayDriver& RelayDriver::counted(HeldKeys held) {
  answered(counting_);
  return step(HeldKeysAnswer{std::move(held)});
}

RelayDriver& RelayDriver::held_by(const std::string& owner, std::int64_t beat) {
  answered(acquiring_);
  AcquireAnswer answer{failure(Fault::unavailable)};
  answer.result = Acquired(LeaseHolder{owner, 7, beat});
  return step(std::move(answer));
}

RelayDriver& RelayDriver::acquire_fails(Fault fault) {
  answered(acquiring_);
  return step(AcquireAnswer{failure(fault)});
}

namespace {

struct Memory {
  Rows rows;
  std::deque<std::string> defects;

  Message message(std::int64_t seq, const Row& content, Duration due_in, const std::string& defect) {
    Message message = rows.message(rows.add(content));
    message.seq = seq;
    message.due_in = due_in;
    message.defect = defects.emplace_back(defect);
    return message;
  }
};

}  // namespace

RelayDriver& RelayDriver::reads(const std::vector<Wanted>& wanted, bool more) {
  answered(reading_);
  auto memory = std::make_shared<Memory>();
  Batch batch;
  batch.cursor = "place";
  for (const Wanted& each : wanted) {
    batch.messages.push_back(
        memory->message(++read_from_, {.topic = each.topic, .key = each.key}, each.due_in, each.defect));
    batch.messages.back().age = each.age;
    batch.bytes += batch.messages.back().bytes();
  }
  batch.memory = memory;
  batch.end = {"place", read_from_};
  batch.more = more;
  return step(ReadAnswer{std::move(batch)});
}

RelayDriver& RelayDriver::reads_held(const std::vector<HeldWanted>& wanted,
                                     std::optional<Duration> next_due_in, bool more_keys) {
  answered(reading_held_);
  auto memory = std::make_shared<Memory>();
  HeldBatch batch;
  for (const HeldWanted& each : wanted) {
    batch.rows.messages.push_back(
        memory->message(each.seq, {.topic = each.topic, .key = each.key}, each.due_in, each.defect));
    batch.facts.push_back({each.attempts, each.blocks});
  }
  batch.rows.memory = memory;
  batch.next_due_in = next_due_in;
  batch.more_keys = more_keys;
  return step(ReadHeldAnswer{std::move(batch)});
}

RelayDriver& RelayDriver::read_held_fails(Fault fault) {
  answered(reading_held_);
  return step(ReadHeldAnswer{failure(fault)});
}

RelayDriver& RelayDriver::read_fails(Fault fault) {
  answered(reading_);
  return step(ReadAnswer{failure(fault)});
}

RelayDriver& RelayDriver::settled(std::vector<std::string> freed) {
  answered(settling_);
  return step(SettleAnswer{Settled{std::move(freed)}});
}

RelayDriver& RelayDriver::settle_fails(Fault fault) {
  answered(settling_);
  return step(SettleAnswer{failure(fault)});
}

RelayDriver& RelayDriver::renewed() {
  answered(renewing_);
  return step(RenewAnswer{});
}

RelayDriver& RelayDriver::renew_fails(Fault fault) {
  answered(renewing_);
  return step(RenewAnswer{failure(fault)});
}

RelayDriver& RelayDriver::released() {
  answered(releasing_);
  return step(ReleaseAnswer{});
}

RelayDriver& RelayDriver::release_fails() {
  answered(releasing_);
  return step(ReleaseAnswer{failure(Fault::unavailable)});
}

RelayDriver& RelayDriver::wait_ends(Woken why) {
  answered(waiting_);
  return step(WaitAnswer{why});
}

RelayDriver& RelayDriver::wait_fails() {
  answered(waiting_);
  return step(WaitAnswer{failure(Fault::unavailable)});
}

RelayDriver& RelayDriver::take(Answers answers) {
  for (const Delivery& delivery : answers.deliveries)
    std::erase_if(in_flight_, [&](const auto& each) { return each.second == delivery.ticket; });
  return step(BrokerAnswer{&answers});
}

RelayDriver& RelayDriver::connected() {
  return take({{}, Session{Session::State::up, ""}});
}

RelayDriver& RelayDriver::accepts(const std::vector<std::int64_t>& rows) {
  Answers answers;
  for (const std::int64_t row : rows) {
    REQUIRE(in_flight(row));
    answers.deliveries.push_back({in_flight_.at(row), Verdict::accepted, ""});
  }
  return take(std::move(answers));
}

RelayDriver& RelayDriver::had_already(std::int64_t row) {
  REQUIRE(in_flight(row));
  return take({{{in_flight_.at(row), Verdict::accepted, "", Scope::route, true}}, std::nullopt});
}

RelayDriver& RelayDriver::answers(std::int64_t row, Verdict verdict, const std::string& reason) {
  REQUIRE(in_flight(row));
  return take({{{in_flight_.at(row), verdict, reason}}, std::nullopt});
}

RelayDriver& RelayDriver::refuses_topic_of(std::int64_t row, Verdict verdict) {
  REQUIRE(in_flight(row));
  return take({{{in_flight_.at(row), verdict, "no such topic", Scope::topic}}, std::nullopt});
}

RelayDriver& RelayDriver::session_breaks() {
  return session_ends(Session::State::down, "connection lost");
}

RelayDriver& RelayDriver::session_ends(Session::State state, const std::string& reason) {
  Answers answers;
  for (const auto& [row, ticket] : in_flight_)
    answers.deliveries.push_back({ticket, Verdict::in_doubt, reason});
  answers.session = Session{state, reason};
  return take(std::move(answers));
}

std::string RelayDriver::published() const {
  std::string rows;
  for (const Submission& submission : commands_.publish)
    rows += (rows.empty() ? "" : " ") + std::to_string(submission.message->seq);
  return rows;
}

std::optional<std::int64_t> RelayDriver::settles() const {
  if (!commands_.settle) return std::nullopt;
  return commands_.settle->mark.seq;
}

std::string RelayDriver::holds() const {
  std::string text;
  const auto add = [&](const std::string& what) { text += (text.empty() ? "" : ", ") + what; };
  if (!commands_.settle) return text;
  const HeldWrites& writes = commands_.settle->held;
  for (const Hold& hold : writes.holds)
    add(std::to_string(hold.seq) + " " + std::string(name_of(hold.state)));
  for (const Hold& change : writes.changes)
    add("changed " + std::to_string(change.seq) + " " + std::string(name_of(change.state)));
  for (const HeldRow& row : writes.removals) add("removed " + std::to_string(row.seq));
  return text;
}

const Hold& RelayDriver::first_hold() const {
  REQUIRE(commands_.settle);
  const HeldWrites& writes = commands_.settle->held;
  REQUIRE(!(writes.holds.empty() && writes.changes.empty()));
  return writes.holds.empty() ? writes.changes.front() : writes.holds.front();
}

std::optional<Duration> RelayDriver::wakes_in() const {
  if (!commands_.wake_at) return std::nullopt;
  return *commands_.wake_at - now_;
}

std::string RelayDriver::last_reason() const {
  const auto reasons = status().reasons;
  return reasons.empty() ? "" : reasons.back();
}

}  // namespace outbox::test
