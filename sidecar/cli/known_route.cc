#include "cli/known_route.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace outbox::cli {

bool KnownRoute::is_paused() const {
  return std::ranges::any_of(marks, &RouteShard::paused);
}

bool KnownRoute::is_leased() const {
  return !marks.empty() &&
         std::ranges::none_of(marks, [](const RouteShard& mark) { return mark.owner.empty(); });
}

Result<KnownRoute> known_route(Admin& admin, const std::string& name, const std::vector<RouteShard>& marks) {
  KnownRoute route;
  route.name = name;
  std::ranges::copy_if(marks, std::back_inserter(route.marks),
                       [&](const RouteShard& mark) { return mark.route == name; });
  const auto backlog = admin.backlog(name);
  if (!backlog) return backlog.error();
  route.backlog = *backlog;
  auto held = admin.held_counts(name);
  if (!held) return held.error();
  route.held = std::move(*held);
  return route;
}

}  // namespace outbox::cli
