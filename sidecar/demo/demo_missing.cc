// In place of the demo when outboxd is built without SQLite.
#include "demo/demo.h"

namespace outbox::demo {
namespace {

Error missing() {
  return {Fault::unavailable,
          "the demo needs SQLite, and this outboxd was built without it; install libsqlite3-dev and build it "
          "again"};
}

}  // namespace

Result<Outcome> run(const Options&, std::ostream&) {
  return missing();
}

Result<void> run_order_service(const ShopTask&) {
  return missing();
}

Result<void> run_cart_service(const std::string&) {
  return missing();
}

}  // namespace outbox::demo
