// Places at which a test can kill the relay: between two steps of which one is done and the other is not. Any
// thread. Nothing of it is in what is shipped: see OUTBOX_CRASH_POINTS in CMakeLists.txt.
#pragma once

namespace outbox {

/// With OUTBOXD_CRASH_AT="label:N" in the environment, the N-th pass of that label ends the process by
/// SIGKILL.
#ifdef OUTBOX_CRASH_POINTS
void crash_point(const char* label);
#else
constexpr void crash_point(const char*) {}
#endif

}  // namespace outbox
