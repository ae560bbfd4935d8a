#include "demo/demo.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <type_traits>

#include "demo/account.h"
#include "demo/child.h"
#include "demo/database.h"
#include "demo/narrator.h"
#include "demo/services.h"
#include "demo/story.h"

namespace outbox::demo {
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

Outcome tell(const Options& options, std::ostream& out) {
  const Workspace workspace(options.keep);
  Narrator narrator(out);
  narrator.remark(
      "A shop, its carts and a relay, on SQLite. Processes die at bad moments; see what is lost.");
  if (options.keep) narrator.remark("Everything is kept in " + workspace.path());
  narrator.verbatim("\n");
  const std::string events = options.to.empty() ? workspace.path() + "/events.ndjson" : options.events;
  Story story({workspace.path(), options.orders, options.seed,
               options.to.empty() ? "file:" + events : options.to, events},
              narrator);
  const bool is_through = story.tell();
  return {take_account({workspace.path(), events, options.orders}), is_through};
}

/// What ends with an exception ends with its text.
template <class Action>
auto guarded(Action action) -> Result<decltype(action())> {
  try {
    if constexpr (std::is_void_v<decltype(action())>) {
      action();
      return {};
    } else {
      return action();
    }
  } catch (const std::exception& error) {
    return Error{Fault::refused, std::string("demo: ") + error.what()};
  }
}

}  // namespace

Result<Outcome> run(const Options& options, std::ostream& out) {
  remember_stop_signals();
  return guarded([&] { return tell(options, out); });
}

Result<void> run_order_service(const ShopTask& task) {
  return guarded([&] { serve_orders(task); });
}

Result<void> run_cart_service(const std::string& events) {
  return guarded([&] { serve_carts(events); });
}

}  // namespace outbox::demo
