// What a measurement says, for people and for scripts, and what it took. Main thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/message.h"

namespace outbox::cli {

/// A number with its unit in its name, as in "messages_per_second".
struct Figure {
  std::string name;
  double value = 0;
  int decimals = 0;
};

/// One line per figure, or one JSON object.
std::string figures_text(const std::vector<Figure>& figures, bool json);

/// The value below which `share` of the sorted values lie; 0 when there are none.
double percentile(const std::vector<double>& sorted, double share);

/// CPU time and memory of this process from now on.
class UsageMeter {
 public:
  /// Forgets the peak of what came before.
  UsageMeter();

  struct Usage {
    double elapsed_seconds = 0;
    double cpu_seconds = 0;  ///< user and system, all threads
    double resident_megabytes = 0;
    double resident_peak_megabytes = 0;  ///< since this object was made, where the system can tell
  };
  [[nodiscard]] Usage usage() const;

 private:
  Instant begun_;
  double cpu_seconds_before_ = 0;
};

/// Nobody should take the figures of another build for the program's; empty for what is shipped.
std::string build_warning();

}  // namespace outbox::cli
