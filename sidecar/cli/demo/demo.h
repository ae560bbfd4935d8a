// `outboxd demo` and its services, behind one door: without SQLite another file stands in. Main thread.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

namespace outbox::cli::demo {

struct Options {
  std::int64_t orders = 2'000;
  std::uint64_t seed = 1;
  bool keep = false;
  std::string to;  ///< a broker of its own, empty: a file
  std::string
      events;  ///< the file to which a consumer of that broker writes what arrives; empty without `to`
};

struct OrderService {
  int instance = 1;
  std::int64_t orders = 0;
  std::uint64_t seed = 1;
  std::int64_t pace_microseconds = 0;
  std::int64_t stop_between = 0;
};

// Each answers the exit code.
int run(const Options& options, std::ostream& out, std::ostream& err);
int run_order_service(const OrderService& service, std::ostream& err);
int run_cart_service(const std::string& from, std::ostream& err);

}  // namespace outbox::cli::demo
