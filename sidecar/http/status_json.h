// /status: the relay's state as JSON. Pure function, any thread.
#pragma once

#include <string>

#include "core/status.h"

namespace outbox {

/// One JSON object. Names as in Status; durations are seconds; what has not happened yet is null. Bytes that
/// are not UTF-8 are replaced.
[[nodiscard]] std::string status_json(const Status& status);

}  // namespace outbox
