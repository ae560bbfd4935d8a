// The clock by which SQLite dates rows, which is this machine's, and how the relay's file writes its dates.
// Any thread.
#pragma once

#include <chrono>
#include <string>

#include "base/timestamp.h"

namespace outbox::sqlite {

using outbox::wall_clock;

/// All of one length, so that their order as text is their order in time.
inline std::string wall_text(Timestamp time) {
  return format_timestamp(std::chrono::floor<std::chrono::milliseconds>(time));
}

}  // namespace outbox::sqlite
