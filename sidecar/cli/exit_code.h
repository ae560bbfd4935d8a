// What the process answers its caller; the numbers above 2 are those of sysexits.h.
#pragma once

#include "base/result.h"

namespace outbox::exit_code {

inline constexpr int done = 0;
inline constexpr int failed = 1;
inline constexpr int usage = 2;
inline constexpr int unavailable = 69;  ///< a dependency is not there
inline constexpr int configuration = 78;

constexpr int of(Fault fault) {
  switch (fault) {
    case Fault::unavailable:
      return unavailable;
    case Fault::misconfigured:
      return configuration;
    case Fault::fenced:
      return failed;
    case Fault::refused:
      return failed;
  }
  return failed;
}

}  // namespace outbox::exit_code
