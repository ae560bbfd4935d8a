// Broker that appends one CloudEvent per line to a file and syncs every batch. Belongs to one publishing
// thread, wake() to any. The first adapter to read, and the one to copy.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "adapters/common/event_line.h"
#include "base/wakeup.h"
#include "core/broker.h"

namespace outbox {

class FileBroker final : public Broker {
 public:
  FileBroker(std::string path, const BrokerTarget& target);
  ~FileBroker() override;

  [[nodiscard]] Traits traits() const override { return {.ordered_pipeline = true}; }
  /// Opens or creates the file (mode 0640), locks it against other writers, cuts off what a crash left of a
  /// last line.
  void connect() override;
  void submit(std::span<const Submission> messages) override;
  /// Writes all that was submitted in one go and syncs it: then it is accepted. On failure none of it is, and
  /// the file ends where it ended before.
  void poll(Duration timeout, Answers& answers) override;
  void wake() noexcept override { wakeup_.ring(); }

 private:
  Session open_file();
  int look_at_path(struct stat& status) const;
  [[nodiscard]] Session is_link() const;
  Session lock_file();
  Session cut_torn_line();
  void write_batch();
  void take_back(off_t end, const std::string& what);
  void end_session(Verdict verdict, const std::string& what);
  [[nodiscard]] Session session(Session::State state, std::string_view what) const;
  [[nodiscard]] bool is_still_ours(const struct stat& opened) const;
  void close_file();

  const std::string path_;
  const bool probe_;  ///< neither lock nor cut: another relay may be writing
  const bool follows_links_;
  int descriptor_ = -1;
  LineQueue lines_;
  std::optional<Session> session_;
  Wakeup wakeup_;
};

}  // namespace outbox
