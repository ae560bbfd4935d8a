// The demo's services, each a process: two that place orders in shop.db, each order and its message in one
// transaction, and one that reads events and clears carts in carts.db, its own database, each event exactly
// once. Their main(), and what others may ask of their databases.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "demo/demo.h"

namespace outbox::demo {

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

inline constexpr auto carts_database = "carts.db";

/// One full cart for each of the orders 1 to `orders`.
void set_up_carts(const std::string& directory, std::int64_t orders);

/// Runs in the demo's directory until SIGTERM; begins at the saved position of the file `events`. Throws
/// Failed.
void serve_carts(const std::string& events);

}  // namespace outbox::demo
