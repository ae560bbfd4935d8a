#include "demo/account.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <ranges>
#include <set>
#include <utility>

#include "base/json_text.h"
#include "demo/database.h"
#include "demo/events.h"
#include "demo/services.h"

namespace outbox::demo {
namespace {

using Ids = std::vector<std::string>;
using IdsByKey = std::map<std::string, Ids>;

/// What was committed: the outbox, in the order of the commits.
struct Outbox {
  struct Row {
    std::string topic, key, data;
  };
  std::map<std::string, Row> rows;
  IdsByKey order;
  std::multiset<std::int64_t> orders;  ///< that the messages tell of
};

Outbox read_outbox(Database& shop) {
  Outbox outbox;
  auto rows = shop.prepare("SELECT id, topic, message_key, payload FROM outbox ORDER BY seq");
  while (shop.step(rows)) {
    const auto data = read_json<nlohmann::json>(rows.text(3));
    outbox.orders.insert(data.at("order").get<std::int64_t>());
    outbox.order[rows.string(2)].push_back(rows.string(0));
    outbox.rows[rows.string(0)] = {rows.string(1), rows.string(2), data.dump()};
  }
  return outbox;
}

/// What the broker has, repeats included.
struct Published {
  std::vector<std::int64_t> positions;  ///< behind each event
  std::set<std::string> ids;
  IdsByKey order;  ///< of the first time
  std::int64_t changed = 0;
};

Published read_published(const std::string& path, const Outbox& outbox) {
  Published published;
  EventFile file(path, 0);
  for (auto events = file.read({}); !events.empty(); events = file.read({}))
    for (const Event& event : events) {
      published.positions.push_back(event.read_up_to);
      if (published.ids.insert(event.id).second) published.order[event.key].push_back(event.id);
      const auto row = outbox.rows.find(event.id);
      if (row == outbox.rows.end()) continue;
      const auto& [topic, key, data] = row->second;
      published.changed += event.topic != topic || event.key != key || event.data != data ? 1 : 0;
    }
  return published;
}

/// Of the events that the cart service had taken when it died, those that it read once more.
std::int64_t count_read_again(Database& carts, const Published& published) {
  std::int64_t count = 0;
  std::int64_t reached = 0;
  auto sessions = carts.prepare("SELECT began_at, read_up_to FROM sessions ORDER BY id");
  while (carts.step(sessions)) {
    const std::int64_t begin = sessions.number(0);
    const std::int64_t end = std::min(reached, sessions.number(1));
    count += std::ranges::count_if(published.positions, [&](auto at) { return at > begin && at <= end; });
    reached = std::max(reached, sessions.number(1));
  }
  return count;
}

std::int64_t count_in_order(const Outbox& outbox, const Published& published) {
  return std::ranges::count_if(outbox.order, [&](const auto& customer) {
    const auto found = published.order.find(customer.first);
    return found != published.order.end() && found->second == customer.second;
  });
}

std::int64_t count_missing(const auto& wanted, const auto& there) {
  return std::ranges::count_if(wanted, [&](const auto& value) { return !there.contains(value); });
}

/// The transactions: both rows or neither.
void add_shop(std::vector<Count>& counts, const AccountTask& task, const Outbox& outbox, Database& shop) {
  const ShopLog log = read_shop_log(task.directory);
  std::set<std::int64_t> orders;
  auto rows = shop.prepare("SELECT id FROM orders");
  while (shop.step(rows)) orders.insert(rows.number(0));

  std::set<std::int64_t> refused(log.declined.begin(), log.declined.end());
  refused.insert(log.unanswered.begin(), log.unanswered.end());
  const std::int64_t begun = std::ssize(log.committed) + std::ssize(refused);
  const std::int64_t surplus = std::ssize(outbox.orders) - std::ssize(orders);
  counts.push_back({"orders asked for", "services' logs", begun, task.orders});
  counts.push_back({"- rolled back (payment declined)", "services' logs", std::ssize(log.declined), {}});
  counts.push_back(
      {"- died with their process", "services' logs", std::ssize(log.unanswered), task.killed_between});
  counts.push_back({"= orders committed", "shop.db orders", std::ssize(orders), std::ssize(log.committed)});
  counts.push_back({"rolled back or died, yet stored", "shop.db orders",
                    std::ssize(refused) - count_missing(refused, orders), 0});
  counts.push_back({"orders without message, or the reverse", "shop.db outbox",
                    count_missing(orders, outbox.orders) + count_missing(outbox.orders, orders) +
                        std::max<std::int64_t>(surplus, 0),
                    0});
}

/// The relay: everything, nothing else, in order.
void add_events(std::vector<Count>& counts, const Outbox& outbox, const Published& published) {
  counts.push_back(
      {"events published, repeats included", "events.ndjson", std::ssize(published.positions), {}});
  counts.push_back({"different events", "events.ndjson", std::ssize(published.ids), std::ssize(outbox.rows)});
  counts.push_back({"committed, never published", "outbox and events",
                    std::ranges::count_if(
                        outbox.rows, [&](const auto& row) { return !published.ids.contains(row.first); }),
                    0});
  counts.push_back(
      {"published, never committed", "outbox and events", count_missing(published.ids, outbox.rows), 0});
  counts.push_back({"changed on the way", "outbox and events", published.changed, 0});
  counts.push_back({"customers whose order of events was kept", "outbox and events",
                    count_in_order(outbox, published), std::ssize(outbox.order)});
}

/// The cart service: each event once.
void add_carts(std::vector<Count>& counts, const Outbox& outbox, const Published& published,
               Database& carts) {
  const std::int64_t repeated = std::ssize(published.positions) - std::ssize(published.ids);
  const std::int64_t read_again = count_read_again(carts, published);
  std::int64_t wrong = 0;
  std::int64_t cleared = 0;
  auto rows = carts.prepare("SELECT id, items, cleared FROM carts");
  while (carts.step(rows)) {
    const std::int64_t expected = outbox.orders.contains(rows.number(0)) ? 1 : 0;
    const bool is_empty = rows.number(1) == 0;
    wrong += rows.number(2) != expected || is_empty != (expected == 1) ? 1 : 0;
    cleared += is_empty ? 1 : 0;
  }
  counts.push_back({"sent again by relays that were killed", "events.ndjson", repeated, {}});
  counts.push_back({"read again by the killed cart service", "carts.db sessions", read_again, {}});
  counts.push_back({"duplicates dropped", "carts.db inbox",
                    carts.number("SELECT sum(deliveries - 1) FROM inbox"), repeated + read_again});
  counts.push_back({"carts cleared", "carts.db carts", cleared, std::ssize(outbox.orders)});
  counts.push_back({"carts cleared twice, wrongly or not at all", "carts.db carts", wrong, 0});
}

}  // namespace

std::vector<Count> take_account(const AccountTask& task) {
  Database shop(task.directory + "/" + shop_database);
  Database carts(task.directory + "/" + carts_database);
  const Outbox outbox = read_outbox(shop);
  const Published published = read_published(task.events, outbox);
  std::vector<Count> counts;
  add_shop(counts, task, outbox, shop);
  add_events(counts, outbox, published);
  add_carts(counts, outbox, published, carts);
  return counts;
}

}  // namespace outbox::demo
