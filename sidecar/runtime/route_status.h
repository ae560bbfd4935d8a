// The status of a route from the statuses of its shards. Pure.
#pragma once

#include <vector>

#include "core/status.h"

namespace outbox {

/// Precondition: at least one.
RouteStatus merged(std::vector<RouteStatus> shards);

}  // namespace outbox
