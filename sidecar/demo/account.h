// The demo's account: what the files it leaves tell, and whether they agree. Nothing here was counted while
// the demo ran. Called by one thread, after all services have ended.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "demo/demo.h"

namespace outbox::demo {

struct AccountTask {
  std::string directory;
  std::string events;               ///< the file with what was published
  std::int64_t orders = 0;          ///< asked for
  std::int64_t killed_between = 1;  ///< order services that were killed between their two statements
};

/// Throws Failed when something cannot be read.
std::vector<Count> take_account(const AccountTask& task);

}  // namespace outbox::demo
