// What the probes say. Pure functions, any thread.
#pragma once

#include <string>
#include <vector>

#include "core/status.h"

namespace outbox {

struct ProbeAnswer {
  bool passed = false;
  std::string text;
};

struct ReadinessQuestion {
  bool with_broker =
      false;  ///< the brokers count too: they do not by default, a sidecar's readiness is its pod's
  bool verbose = false;
};

/// /livez and /healthz. `stuck`: see StatusSource::stuck(). Never depends on database or broker.
[[nodiscard]] ProbeAnswer liveness(const std::vector<std::string>& stuck, bool verbose);

/// /readyz: configuration, schema and database have been seen, and the relay is not draining. Open to
/// everybody who can connect: the text has no addresses and no errors in it.
[[nodiscard]] ProbeAnswer readiness(const Status& status, const ReadinessQuestion& question);

}  // namespace outbox
