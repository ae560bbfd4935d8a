#include "cli/demo/demo.h"

#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <ostream>
#include <stdexcept>

#include "cli/demo/account.h"
#include "cli/demo/carts.h"
#include "cli/demo/child.h"
#include "cli/demo/database.h"
#include "cli/demo/narrator.h"
#include "cli/demo/shop.h"
#include "cli/demo/story.h"
#include "cli/exit_code.h"

namespace outbox::cli::demo {
namespace {

namespace fs = std::filesystem;

/// Removed with everything in it, unless it is kept.
class Workspace {
 public:
  explicit Workspace(bool keep) : keep_(keep) {
    std::error_code error;
    std::string name = (fs::temp_directory_path(error) / "outboxd-demo-XXXXXX").string();
    if (error || !::mkdtemp(name.data()))
      throw Failed("no temporary directory can be made (" + name + "): " +
                   (error ? error.message() : std::strerror(errno)) + "; set TMPDIR to a place for it");
    path_ = name;
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace() {
    std::error_code ignored;
    if (!keep_) fs::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool keep_;
};

int tell(const Options& options, Narrator& narrator) {
  const Workspace workspace(options.keep);
  narrator.remark(
      "A shop, its carts and a relay, on SQLite. Processes die at bad moments; see what is lost.");
  if (options.keep) narrator.remark("Everything is kept in " + workspace.path());
  narrator.verbatim("\n");
  const std::string events = options.to.empty() ? workspace.path() + "/events.ndjson" : options.events;
  Story story({workspace.path(), options.orders, options.seed,
               options.to.empty() ? "file:" + events : options.to, "file:" + events},
              narrator);
  const bool is_through = story.tell();
  const auto counts = take_account({workspace.path(), "file:" + events, options.orders});
  const bool agree = std::ranges::all_of(counts, &Count::agrees);
  narrator.verbatim("\n" + account_table(counts) + "\n");
  narrator.remark(
      agree && is_through
          ? "✓ All agree: nothing lost, nothing invented, nothing done twice, every customer's "
            "order kept."
          : "✗ They do not agree, and they should: see the lines marked ✗. With --keep all files stay.");
  return agree && is_through ? exit_code::done : exit_code::failed;
}

/// What ends with an exception ends with its text and exit code 1.
template <class Action>
int guarded(std::ostream& err, Action action) {
  try {
    return action();
  } catch (const std::exception& error) {
    err << "outboxd: demo: " << error.what() << std::endl;
    return exit_code::failed;
  }
}

}  // namespace

int run(const Options& options, std::ostream& out, std::ostream& err) {
  remember_stop_signals();
  Narrator narrator(out);
  return guarded(err, [&] { return tell(options, narrator); });
}

int run_order_service(const OrderService& service, std::ostream& err) {
  return guarded(err, [&] {
    serve_orders({service.instance, service.orders, service.seed,
                  std::chrono::microseconds(service.pace_microseconds), service.stop_between});
    return exit_code::done;
  });
}

int run_cart_service(const std::string& from, std::ostream& err) {
  return guarded(err, [&] {
    serve_carts(from);
    return exit_code::done;
  });
}

}  // namespace outbox::cli::demo
