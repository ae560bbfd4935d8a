// A message as one line of NDJSON: a CloudEvent in JSON with `topic` as an extension. Shared by file and
// stdout; belongs to one broker and its thread.
#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/common/cloud_event.h"
#include "core/broker.h"

namespace outbox {

class EventLine {
 public:
  EventLine(std::string source, Attributes attributes) : events_(std::move(source), attributes) {}

  /// Appends the line with its '\n'. `data` holds the payload as it stands when content type and bytes are
  /// JSON, with line breaks between its tokens as spaces; else `data_base64`. On failure appends nothing and
  /// says why JSON cannot carry it; empty: done.
  std::string append(std::string& to, const Message& message);

 private:
  CloudEvents events_;
};

/// Whether text that a crash left without its '\n' is the beginning of a line of EventLine's, or bytes that
/// the file system never wrote. Only that may be cut off.
bool is_torn_event(std::string_view text);

/// The lines that wait to be written, and whose they are. Keeps the promise of Traits::ordered_pipeline: once
/// a message is refused, later ones of its key are not taken until the refusal has been delivered.
class LineQueue {
 public:
  LineQueue(std::string source, Attributes attributes) : line_(std::move(source), attributes) {}

  void add(std::span<const Submission> messages);

  /// What is still to be written; valid until the next add() or written().
  [[nodiscard]] std::string_view text() const { return std::string_view(text_).substr(written_); }

  /// So many more bytes are where they belong: lines now complete are accepted.
  void written(std::size_t bytes);

  /// Every line that is not complete gets this verdict; nothing is left to write. True: the first of them has
  /// been written in part.
  bool fail(Verdict verdict, const std::string& reason);

  /// Hands over the deliveries so far, in the order of submission. True: there were some.
  bool deliver(Answers& answers);

 private:
  struct Waiting {
    Ticket ticket;
    std::size_t end;  ///< of its line in text_
    std::string refusal;
    Verdict verdict = Verdict::accepted;
  };

  void conclude();
  void clear_text();
  void drop_written();

  EventLine line_;
  std::string text_;
  std::size_t written_ = 0;
  std::deque<Waiting> waiting_;
  std::vector<Delivery> deliveries_;
  std::vector<std::string> refused_keys_;
};

}  // namespace outbox
