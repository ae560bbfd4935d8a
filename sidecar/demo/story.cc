#include "demo/story.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <utility>

#include "core/url.h"
#include "demo/account.h"
#include "demo/database.h"
#include "demo/services.h"

namespace outbox::demo {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr Duration opening_hours = 6s;  ///< the orders come spread over this time
constexpr Duration patience = 10s;      ///< for any one thing that has to happen

std::string order_service(int instance) {
  return "order service " + std::to_string(instance);
}

std::string seconds(Duration duration) {
  const auto tenths = std::chrono::round<std::chrono::milliseconds>(duration).count() / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

std::string log_of(const std::string& process) {
  std::string name = process + ".log";
  std::ranges::replace(name, ' ', '-');
  return name;
}

/// The last line that a process has written.
std::string last_words(const std::string& path) {
  std::ifstream file(path);
  std::string last;
  for (std::string line; std::getline(file, line);)
    if (!line.empty()) last = line;
  return last;
}

std::int64_t count_outbox(Database& shop) {
  return shop.number("SELECT count(*) FROM outbox");
}

}  // namespace

Story::Story(StoryTask task, Narrator& narrator)
    : task_(std::move(task)), narrator_(narrator), source_(task_.events, 0) {}

bool Story::tell() {
  set_the_scene();
  open_the_shop();
  kill_the_relay(15);
  kill_an_order_service();
  kill_the_relay(60);
  kill_the_cart_service(75);
  return see_it_through();
}

void Story::set_the_scene() {
  start("migration", {"migrate", "up", "--db", std::string("sqlite:") + shop_database});
  must_be([&] { return processes_["migration"]->state() == Child::State::ended; }, "the migration to end");
  processes_.erase("migration");
  set_up_shop(task_.directory);
  set_up_carts(task_.directory, task_.orders);
  narrator_.tell("The shop's database gets its outbox table: outboxd migrate up --db sqlite:shop.db");
}

void Story::open_the_shop() {
  start_relay();
  start_cart_service();
  const std::int64_t stop_between = share(45) | 1;  // odd: one of the first instance's
  start_order_service(1, stop_between);
  start_order_service(2, 0);
  narrator_.tell("Two order services take " + grouped(task_.orders) + " orders in " + seconds(opening_hours) +
                 ": order and message in one transaction, both rolled back when the payment is declined.");
  const bool is_file = task_.to == "file:" + task_.events;
  narrator_.tell("A relay carries what is committed to the broker" +
                 std::string(is_file ? ", here a file" : "") + ": outboxd run --db sqlite:shop.db --to " +
                 (is_file ? "file:events.ndjson" : redacted(task_.to)));
  if (!is_file) narrator_.tell("A consumer of another make writes down what arrives there: events.ndjson");
  narrator_.tell("A cart service reads the broker and clears the cart of each order, in its own database.");
}

void Story::kill_the_relay(int percent) {
  Database shop(task_.directory + "/" + shop_database);
  must_be([&] { return events_ >= share(percent); }, "the relay to publish");
  const std::int64_t before = events_;
  must_be([&] { return events_ > before; }, "the relay to publish");
  processes_.erase("relay");
  look_at_events({});
  const std::int64_t repeats_before = repeats();
  const std::size_t seen_before = seen_.size();
  narrator_.tell("kill -9 the relay just as it writes event " + grouped(events_) +
                 " to the broker: it cannot note any more how far it came.");
  const auto waiting = [&] { return count_outbox(shop) - static_cast<std::int64_t>(seen_.size()); };
  must_be([&] { return waiting() >= share(5); }, "more orders");
  narrator_.tell("The shop does not mind: " + grouped(waiting()) +
                 " messages wait in its outbox. A new relay is started.");
  start_relay();
  must_be([&] { return seen_.size() > seen_before; }, "the new relay to publish");
  const std::int64_t again = repeats() - repeats_before;
  narrator_.tell("It goes on where the dead one saved its mark. " +
                 (again == 0 ? "This time nothing had to be sent again."
                             : "Sent again, with the same ids: " + grouped(again) + "."));
}

void Story::kill_an_order_service() {
  Child& service = *processes_[order_service(1)];
  must_be([&] { return service.state() == Child::State::stopped; },
          "an order service to be between its statements");
  processes_.erase(order_service(1));
  narrator_.tell(
      "kill -9 an order service between its two statements: the order is written, its message is not, "
      "nothing "
      "is committed. The database takes the order back.");
  start_order_service(1, 0);
}

void Story::kill_the_cart_service(int percent) {
  Database carts(task_.directory + "/" + carts_database);
  const auto taken = [&] { return carts.number("SELECT count(*) FROM inbox"); };
  const auto unsaved = [&] {
    return carts.number("SELECT max(read_up_to) - (SELECT position FROM saved) FROM sessions");
  };
  must_be([&] { return taken() >= share(percent) && unsaved() > 0; }, "the cart service to clear carts");
  processes_.erase("cart service");
  narrator_.tell(
      "kill -9 the cart service after " + grouped(taken()) +
      " carts. The next one starts from the last saved position, so it reads some events again; its "
      "inbox knows their ids and drops them.");
  start_cart_service();
}

bool Story::see_it_through() {
  Database shop(task_.directory + "/" + shop_database);
  Database carts(task_.directory + "/" + carts_database);
  const auto has_ended = [&](int instance) {
    return processes_[order_service(instance)]->state() == Child::State::ended;
  };
  must_be([&] { return has_ended(1) && has_ended(2); }, "the last order");
  narrator_.tell("The last order is placed. What is still in the outbox goes out.");
  const bool is_through = until(
      [&] {
        return static_cast<std::int64_t>(seen_.size()) >= count_outbox(shop) &&
               carts.number("SELECT max(read_up_to) FROM sessions") == read_up_to_;
      },
      patience);
  end("relay");
  end("cart service");
  narrator_.tell(is_through
                     ? "Everything is through and every process has ended. Now count, in the files they left:"
                     : "Not everything went through within " + seconds(patience) + ".");
  return is_through;
}

void Story::start(const std::string& name, std::vector<std::string> arguments) {
  processes_[name] = std::make_unique<Child>(std::move(arguments), task_.directory, log_of(name));
}

void Story::start_relay() {
  start("relay", {"run", "--db", std::string("sqlite:") + shop_database, "--to", task_.to, "--listen", "",
                  "--set", "relay.lease=1s"});
}

void Story::start_cart_service() {
  start("cart service", {"demo-service", "carts", "--from", task_.events});
}

void Story::start_order_service(int instance, std::int64_t stop_between) {
  const auto pace = std::chrono::duration_cast<std::chrono::microseconds>(opening_hours) * order_services /
                    std::max<std::int64_t>(task_.orders, 1);
  start(order_service(instance),
        {"demo-service", "orders", "--instance", std::to_string(instance), "--orders",
         std::to_string(task_.orders), "--seed", std::to_string(task_.seed), "--pace",
         std::to_string(pace.count()), "--stop-between", std::to_string(stop_between)});
}

void Story::end(const std::string& name) {
  Child& child = *processes_[name];
  child.ask_to_end();
  must_be([&] { return child.state() == Child::State::ended; }, "the " + name + " to end");
}

bool Story::until(const std::function<bool()>& condition, Duration deadline) {
  const auto end = Clock::now() + deadline;
  while (!condition()) {
    if (stop_requested()) throw Failed("interrupted");
    if (Clock::now() >= end) return false;
    look_at_events(5ms);
    for (auto& [name, child] : processes_) watch(name, *child);
  }
  return true;
}

void Story::must_be(const std::function<bool()>& condition, const std::string& what) {
  if (!until(condition, patience)) throw Failed("waited " + seconds(patience) + " in vain for " + what);
}

void Story::watch(const std::string& name, Child& child) {
  if (child.state() != Child::State::ended || child.exit_code() == 0) return;
  const std::string words = last_words(task_.directory + "/" + log_of(name));
  throw Failed("the " + name + " ended with " + std::to_string(*child.exit_code()) +
               (words.empty() ? "" : ": " + words));
}

void Story::look_at_events(Duration wait) {
  for (const Event& event : source_.read(wait)) {
    seen_.insert(event.id);
    ++events_;
    read_up_to_ = event.read_up_to;
  }
}

std::int64_t Story::repeats() const {
  return events_ - static_cast<std::int64_t>(seen_.size());
}

}  // namespace outbox::demo
