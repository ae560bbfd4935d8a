#include "demo/services.h"

#include <signal.h>

#include <chrono>
#include <fstream>
#include <map>
#include <thread>

#include "demo/database.h"

namespace outbox::demo {
namespace {

constexpr std::uint64_t customers = 20;
constexpr std::uint64_t declined_one_in = 20;

/// SplitMix64: a few good bits for every number, without a state.
std::uint64_t mix(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

std::string log_name(int instance) {
  return "orders-" + std::to_string(instance) + ".log";
}

/// The last word about every order of one instance.
std::map<std::int64_t, std::string> read_log(const std::string& path) {
  std::map<std::int64_t, std::string> words;
  std::ifstream file(path);
  std::int64_t order = 0;
  for (std::string word; file >> order >> word;) words[order] = word;
  return words;
}

struct Statements {
  explicit Statements(Database& shop)
      : order(shop.prepare("INSERT INTO orders (id, customer, cents) VALUES (?1, ?2, ?3)")),
        message(shop.prepare("INSERT INTO outbox (topic, message_key, payload) "
                             "VALUES ('order.placed', ?1, ?2)")) {}
  sqlite::Statement order, message;
};

/// The heart of the matter. True: committed, order and message. False: declined, neither.
bool place(Database& shop, Statements& statements, const Order& order, bool stops_between) {
  const std::string payload = order.payload();
  auto transaction = shop.begin();
  statements.order.bind(1, order.id).bind(2, std::string_view(order.customer)).bind(3, order.cents);
  shop.run(statements.order);
  if (stops_between) ::raise(SIGSTOP);  // and kill -9 follows
  statements.message.bind(1, std::string_view(order.customer)).bind_blob(2, payload);
  shop.run(statements.message);
  if (order.is_declined) return false;  // the transaction's end rolls back
  shop.commit(transaction);
  return true;
}

}  // namespace

Order order_of(std::int64_t id, std::uint64_t seed) {
  const std::uint64_t drawn = mix(seed ^ mix(static_cast<std::uint64_t>(id)));
  Order order;
  order.id = id;
  order.customer = "customer-" + std::to_string(1 + drawn % customers);
  order.is_declined = (drawn >> 16) % declined_one_in == 0;
  order.cents = static_cast<std::int64_t>(100 + (drawn >> 32) % 20'000);
  return order;
}

std::string Order::payload() const {
  const std::string number = std::to_string(id);
  return R"({"order":)" + number + R"(,"cart":)" + number + R"(,"customer":")" + customer + R"(","cents":)" +
         std::to_string(cents) + "}";
}

void set_up_shop(const std::string& directory) {
  Database shop(directory + "/" + shop_database);
  shop.execute(
      "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, cents INTEGER NOT NULL)");
}

void serve_orders(const ShopTask& task) {
  const auto told = read_log(log_name(task.instance));
  Database shop(shop_database);
  Statements statements(shop);
  std::ofstream log(log_name(task.instance), std::ios::app);
  auto next_customer = std::chrono::steady_clock::now();
  // The order at which the last process died is not tried again: its customer had no answer and has gone.
  std::int64_t id = told.empty() ? task.instance : told.rbegin()->first + order_services;
  for (; id <= task.orders; id += order_services) {
    std::this_thread::sleep_until(next_customer);  // customers come when they come
    next_customer += task.pace;
    log << id << " begun" << std::endl;
    const bool is_committed = place(shop, statements, order_of(id, task.seed), id == task.stop_between);
    log << id << (is_committed ? " committed" : " declined") << std::endl;
    if (!log) throw Failed(log_name(task.instance) + " cannot be written");
  }
}

ShopLog read_shop_log(const std::string& directory) {
  ShopLog result;
  for (int instance = 1; instance <= order_services; ++instance) {
    std::string path = directory;
    path += "/" + log_name(instance);
    for (const auto& [order, word] : read_log(path))
      (word == "committed"  ? result.committed
       : word == "declined" ? result.declined
                            : result.unanswered)
          .push_back(order);
  }
  return result;
}

}  // namespace outbox::demo
