// The demo's order services: processes that place orders in shop.db, each order and its message in one
// transaction. Pure functions of the seed, and the service's main().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/message.h"

namespace outbox::cli::demo {

inline constexpr auto shop_database = "shop.db";
inline constexpr int order_services = 2;

/// What a customer asks for. The same seed asks for the same.
struct Order {
  std::int64_t id = 0;
  std::string customer;
  std::int64_t cents = 0;
  bool is_declined = false;  ///< the payment fails after both rows were written

  /// The message: what the cart service needs to know.
  [[nodiscard]] std::string payload() const;
};
Order order_of(std::int64_t id, std::uint64_t seed);

/// Adds the tables of the service's own to a database that has the outbox.
void set_up_shop(const std::string& directory);

struct ShopTask {
  int instance = 1;         ///< of order_services: it takes every second order
  std::int64_t orders = 0;  ///< of all instances
  std::uint64_t seed = 1;
  Duration pace{};  ///< between two customers of this instance
  /// At this order the process stops itself (SIGSTOP) between the order's row and the message's. 0: at none.
  std::int64_t stop_between = 0;
};

/// Runs in the demo's directory, goes on behind the last order of its own log, and returns after the last
/// one. Throws Failed.
void serve_orders(const ShopTask& task);

/// What the services' logs tell: every order that was begun, in any of these lists.
struct ShopLog {
  std::vector<std::int64_t> committed;
  std::vector<std::int64_t> declined;
  std::vector<std::int64_t> unanswered;  ///< begun, and then the process was no more
};
ShopLog read_shop_log(const std::string& directory);

}  // namespace outbox::cli::demo
