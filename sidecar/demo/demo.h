// `outboxd demo` and its services, behind one door: without SQLite another file stands in, which answers
// unavailable. Main thread.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "core/message.h"
#include "base/result.h"

namespace outbox::demo {

struct Options {
  std::int64_t orders = 2'000;
  std::uint64_t seed = 1;
  bool keep = false;
  std::string to;  ///< a broker of its own, empty: a file
  std::string
      events;  ///< the file to which a consumer of that broker writes what arrives; empty without `to`
};

/// One line of the account.
struct Count {
  std::string what;
  std::string counted_in;
  std::int64_t number = 0;
  std::optional<std::int64_t> must_be;  ///< what the others say; none: nobody else knows

  [[nodiscard]] bool agrees() const { return !must_be || *must_be == number; }
};

struct Outcome {
  std::vector<Count> account;
  bool is_through = false;  ///< everything arrived in time
};

/// Tells the story on `out` while it runs. Errors: refused, when it could not be told to the end.
Result<Outcome> run(const Options& options, std::ostream& out);

/// What one of the order services does.
struct ShopTask {
  int instance = 1;         ///< of order_services: it takes every second order
  std::int64_t orders = 0;  ///< of all instances
  std::uint64_t seed = 1;
  Duration pace{};  ///< between two customers of this instance
  /// At this order the process stops itself (SIGSTOP) between the order's row and the message's. 0: at none.
  std::int64_t stop_between = 0;
};

// The processes of the story, in its directory. Errors: refused, with what ended them.
Result<void> run_order_service(const ShopTask& task);
Result<void> run_cart_service(const std::string& events);

}  // namespace outbox::demo
