// Names that top, gdb and core dumps show.
#pragma once

#include <pthread.h>

#include <string>

namespace outbox {

/// Names the calling thread; at most 15 characters are kept.
inline void name_thread(const char* name) {
  pthread_setname_np(pthread_self(), name);
}

}  // namespace outbox
