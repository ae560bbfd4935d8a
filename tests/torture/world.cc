#include "tests/torture/world.h"

#include <signal.h>

#include <sstream>
#include <thread>
#include <utility>

#include "tests/support/eventually.h"

namespace outbox::test {
namespace {

std::string last_lines(const std::string& text, std::size_t bytes) {
  return text.size() > bytes ? text.substr(text.size() - bytes) : text;
}

}  // namespace

World::World(std::unique_ptr<Shop> shop, std::unique_ptr<Consumer> consumer, WorldOptions options)
    : random(options.seed),
      options_(std::move(options)),
      shop_(std::move(shop)),
      consumer_(std::move(consumer)),
      ledger_(options_.seed) {
  ServicesOptions services = options_.services;
  services.seed = options_.seed;
  services_ = std::make_unique<Services>(*shop_, ledger_, std::move(services));
  look();
}

Outboxd& World::add_relay(const std::string& database, const std::function<void(RelayConfig&)>& change) {
  RelayConfig config = config_of(database.empty() ? shop_->url() : database, consumer_->url());
  config.window = options_.window;
  config.http = false;
  config.attempts_max = 1000;  // what breaks the connection over and over here is no message
  if (change) change(config);
  return *relays_.emplace_back(std::make_unique<Outboxd>(std::move(config)));
}

void World::start(Outboxd& relay) {
  log_began_[&relay] = relay.log().size();
  relay.start();
}

void World::started(Outboxd& relay) {
  const auto has_started = [&] {
    return relay.log().find("relay.started", log_began_[&relay]) != std::string::npos;
  };
  if (!until(has_started)) violation("the relay never started");
}

void World::look() {
  consumer_->catch_up();
  if (std::exchange(beginnings_, consumer_->beginnings) != consumer_->beginnings) looked_to_ = 0;
  for (; looked_to_ < consumer_->arrived.size(); ++looked_to_)
    seen_.insert(consumer_->arrived[looked_to_].id());
  if (!is_quiet_) services_->allow(seen_.size() + options_.backlog_max);
}

bool World::until(const std::function<bool()>& condition, std::chrono::milliseconds deadline) {
  return eventually(
      [&] {
        look();
        return condition();
      },
      deadline);
}

bool World::progress(std::size_t messages, const std::string& after) {
  const std::size_t wanted = arrived() + messages;
  if (until([&] { return arrived() >= wanted; })) return true;
  violation("stuck after " + after);
  return false;
}

void World::pass(std::chrono::milliseconds time) {
  (void)until([] { return false; }, time);
}

void World::quiet(bool on) {
  is_quiet_ = on;
  if (on) services_->allow(0);
}

void World::kill(Outboxd& relay) {
  relay.process().signal(SIGKILL);
  relay.kill();
}

void World::crashed() {
  consumer_->settle();
  crashes_.push_back(consumer_->arrived.size());
}

void World::violation(const std::string& what) {
  std::string text = what;
  if (outcome_.violations.empty())
    for (const auto& relay : relays_) text += "\n    its log ended:\n" + last_lines(relay->log(), 1500);
  outcome_.violations.push_back(std::move(text));
}

std::vector<std::string> World::stored() {
  const bool is_sqlite = shop_->url().starts_with("sqlite:");
  std::istringstream ids(shop_->ask(is_sqlite ? "SELECT group_concat(id, ' ') FROM outbox"
                                              : "SELECT string_agg(id::text, ' ') FROM outbox"));
  std::vector<std::string> result;
  for (std::string id; ids >> id;) result.push_back(std::move(id));
  return result;
}

void World::drain(const Expectations& expected) {
  const auto is_complete = [&] {
    for (const auto& [id, row] : expected)
      if (row.due == Due::required && !seen_.contains(id)) return false;
    return true;
  };
  std::map<std::string, long> wanted;
  for (const auto& [id, row] : expected) {
    if (row.due == Due::required) ++wanted["sent"];
    if (row.due == Due::refused) ++wanted["dead"];
  }
  const auto is_decided = [&] {
    if (!options_.is_poison) return is_complete();
    live_on(wanted);
    return is_complete() && shop_->states("main")["dead"] == wanted["dead"];
  };
  if (!until(is_decided)) return violation("not everything arrived in the end");
  std::erase_if(wanted, [](const auto& state) { return state.second == 0; });
  if (wanted.empty() || until([&] { return shop_->states("main") == wanted; })) return;
  std::string states;
  for (const auto& [state, count] : shop_->states("main"))
    states += " " + state + " " + std::to_string(count);
  violation("everything arrived, but outbox_status does not say so:" + states);
}

/// Where nothing passes nobody can tell a poisoned message from an outage, and the relay does not: other
/// orders go on coming.
void World::live_on(std::map<std::string, long>& wanted) {
  const auto now = std::chrono::steady_clock::now();
  if (now - lived_at_ < std::chrono::milliseconds(100)) return;
  lived_at_ = now;
  const std::string id = shop_->insert({.topic = "orders"});
  living_.insert(id);
  ++wanted[options_.is_poison(id) ? "dead" : "sent"];
}

Outcome World::finish() {
  services_->stop();
  Expectations expected = ledger_.expected(stored(), options_.may_forget);
  for (auto& [id, row] : expected)
    if (row.due == Due::required && options_.is_poison && options_.is_poison(id)) row.due = Due::refused;
  if (outcome_.violations.empty()) drain(expected);
  for (const auto& relay : relays_) {
    started(*relay);
    const int code = relay->stop(SIGTERM);
    if (code != 0) violation("the relay ended with " + std::to_string(code) + " on SIGTERM");
  }
  consumer_->catch_up();
  std::erase_if(consumer_->arrived, [&](const Received& message) { return living_.contains(message.id()); });
  judge(expected);
  return outcome_;
}

void World::judge(const Expectations& expected) {
  const auto window = static_cast<std::size_t>(options_.window);
  Findings& findings = outcome_.findings;
  if (windows_ > 0)
    findings = judge_arrivals(expected, consumer_->arrived, {}, window * (windows_ + crashes_.size()));
  else
    findings = judge_arrivals(expected, consumer_->arrived, crashes_, window);
  if (findings.is_faultless()) return;
  violation("lost " + std::to_string(findings.lost) + ", uncommitted " +
            std::to_string(findings.uncommitted) + ", inverted " + std::to_string(findings.inverted) +
            ", repeated too often " + std::to_string(findings.too_many) + ": " + findings.example);
}

}  // namespace outbox::test
