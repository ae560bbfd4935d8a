// A database that is none: a given number of equal rows, made up as they are read. For measuring a broker's
// adapter alone.
#pragma once

#include <cstdint>

#include "core/adapter.h"

namespace outbox::cli {

/// Scheme "memory". Each store it opens has all rows unsent; its Admin knows nothing.
StoreAdapter memory_adapter(NewRow row, std::int64_t count, std::int64_t keys);

}  // namespace outbox::cli
