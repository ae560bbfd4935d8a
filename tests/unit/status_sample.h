// A status for tests of what shows it.
#pragma once

#include "core/status.h"

namespace outbox::test {

/// As right after the start: one route, nothing has happened.
inline Status fresh_status() {
  Status status;
  status.version = "1.2.3";
  status.instance = "host-1";
  status.state = "running";
  status.started_at = "2026-01-02T03:04:05Z";
  status.database = {"postgresql", "postgresql://orders@localhost/orders", true, true, "", ""};
  RouteStatus route;
  route.name = "orders";
  route.to = "redis://h:***@localhost";
  status.routes = {route};
  return status;
}

}  // namespace outbox::test
