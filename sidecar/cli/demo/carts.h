// The demo's cart service: a process that reads events and clears carts in carts.db, its own database, each
// event exactly once. The service's main(), and what others may ask of its database.
#pragma once

#include <cstdint>
#include <string>

namespace outbox::cli::demo {

inline constexpr auto carts_database = "carts.db";

/// One full cart for each of the orders 1 to `orders`.
void set_up_carts(const std::string& directory, std::int64_t orders);

/// Runs in the demo's directory until SIGTERM; begins at the saved position. Throws Failed.
void serve_carts(const std::string& to);

}  // namespace outbox::cli::demo
