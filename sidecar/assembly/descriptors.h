// File descriptors for what is about to be opened. Any thread.
#pragma once

#include <cstddef>

#include "base/result.h"

namespace outbox {

/// Raises the process's limit as far as it may be raised, and looks whether `lanes` more lanes fit. What runs
/// out of descriptors later fails in places that nobody expects to fail. Errors: refused, with the number that
/// is needed.
Result<void> reserve_descriptors(std::size_t lanes);

}  // namespace outbox
