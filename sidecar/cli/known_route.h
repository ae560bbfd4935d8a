// What the database knows of one route, whoever runs it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/admin.h"

namespace outbox::cli {

struct KnownRoute {
  std::string name;
  std::vector<RouteShard> marks;  ///< none: no relay has run it
  Backlog backlog;
  std::map<HeldState, HeldCount> held;

  [[nodiscard]] double oldest_waiting_seconds() const { return in_seconds(oldest_waiting(backlog, held)); }
  [[nodiscard]] bool is_paused() const;
  /// Each of its shards has an owner.
  [[nodiscard]] bool is_leased() const;
};

/// `marks`: of all routes. Errors: as the functions of Admin.
Result<KnownRoute> known_route(Admin& admin, const std::string& name, const std::vector<RouteShard>& marks);

}  // namespace outbox::cli
