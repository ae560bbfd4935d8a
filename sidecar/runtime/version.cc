#include "runtime/version.h"

namespace outbox {

std::string_view version() {
  return OUTBOX_VERSION;
}

}  // namespace outbox
