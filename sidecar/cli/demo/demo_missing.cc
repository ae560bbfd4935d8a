// In place of the demo when outboxd is built without SQLite.
#include <ostream>

#include "cli/demo/demo.h"
#include "cli/exit_code.h"

namespace outbox::cli::demo {
namespace {

int refuse(std::ostream& err) {
  err << "outboxd: the demo needs SQLite, and this outboxd was built without it; install libsqlite3-dev and "
         "build it again\n";
  return exit_code::unavailable;
}

}  // namespace

int run(const Options&, std::ostream&, std::ostream& err) {
  return refuse(err);
}

int run_order_service(const OrderService&, std::ostream& err) {
  return refuse(err);
}

int run_cart_service(const std::string&, std::ostream& err) {
  return refuse(err);
}

}  // namespace outbox::cli::demo
