// The demo's account: what the files it leaves tell, and whether they agree. Nothing here was counted while
// the demo ran. Called by one thread, after all services have ended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace outbox::cli::demo {

/// One line of the account.
struct Count {
  std::string what;
  std::string counted_in;
  std::int64_t number = 0;
  std::optional<std::int64_t> must_be;  ///< what the others say; none: nobody else knows

  [[nodiscard]] bool agrees() const { return !must_be || *must_be == number; }
};

struct AccountTask {
  std::string directory;
  std::string to;                   ///< what the relay published to
  std::int64_t orders = 0;          ///< asked for
  std::int64_t killed_between = 1;  ///< order services that were killed between their two statements
};

/// Throws Failed when something cannot be read.
std::vector<Count> take_account(const AccountTask& task);

/// The table, a line each, with a mark where something must agree.
std::string account_table(const std::vector<Count>& counts);

/// "1,234,567"
std::string grouped(std::int64_t number);

}  // namespace outbox::cli::demo
