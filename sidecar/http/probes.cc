#include "http/probes.h"

#include <string_view>

namespace outbox {
namespace {

/// The lines that Kubernetes' own servers print.
class Report {
 public:
  void passed(const std::string& name) { lines_ += "[+]" + name + " ok\n"; }
  void failed(const std::string& name, std::string_view reason) {
    const std::string line = "[-]" + name + " failed: " + std::string(reason) + "\n";
    lines_ += line;
    failures_ += line;
  }

  [[nodiscard]] ProbeAnswer answer(std::string_view check, bool verbose) const {
    const bool is_passed = failures_.empty();
    const std::string verdict = std::string(check) + " check " + (is_passed ? "passed" : "failed") + "\n";
    if (verbose) return {is_passed, lines_ + verdict};
    return {is_passed, is_passed ? "ok\n" : failures_};
  }

 private:
  std::string lines_;
  std::string failures_;
};

}  // namespace

ProbeAnswer liveness(const std::vector<std::string>& stuck, bool verbose) {
  Report report;
  for (const std::string& name : stuck) report.failed(name, "no progress");
  if (stuck.empty()) report.passed("loops");
  return report.answer("livez", verbose);
}

ProbeAnswer readiness(const Status& status, const ReadinessQuestion& question) {
  Report report;
  report.passed("configuration");
  if (status.database.seen)
    report.passed("database");
  else
    report.failed("database", "not reached yet with the right schema; see /status");
  if (status.state == "draining")
    report.failed("shutdown", "draining");
  else
    report.passed("shutdown");
  if (question.with_broker) {
    for (const RouteStatus& route : status.routes) {
      if (route.connected)
        report.passed("broker " + route.name);
      else
        report.failed("broker " + route.name, "not connected; see /status");
    }
  }
  return report.answer("readyz", question.verbose);
}

}  // namespace outbox
