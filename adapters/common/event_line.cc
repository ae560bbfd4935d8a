#include "adapters/common/event_line.h"

#include <algorithm>
#include <cassert>
#include <iterator>

#include "base/encoding.h"
#include "base/json_text.h"
#include "base/text.h"

namespace outbox {
namespace {

constexpr std::size_t memory_kept = 4 << 20;
constexpr std::string_view full_start = R"({"specversion":"1.0","id":")";
constexpr std::string_view minimal_start = R"({"id":")";

/// CloudEvents 1.0, JSON format, 3.1: a media subtype "json" or ending in "+json", whatever the parameters.
bool is_json_type(std::string_view content_type) {
  if (content_type == "application/json") return true;
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.ends_with(' ') || content_type.ends_with('\t')) content_type.remove_suffix(1);
  if (content_type.size() < 5) return false;
  const std::string suffix = lower(content_type.substr(content_type.size() - 5));
  return suffix == "/json" || suffix == "+json";
}

void append_member(std::string& to, std::string_view name_with_comma, std::string_view value) {
  to += name_with_comma;
  append_json_string(to, value);
}

void append_attribute(std::string& to, std::string_view name, std::string_view value) {
  to += ",\"";
  to += name;
  to += "\":";
  append_json_string(to, value);
}

/// In a valid JSON text line breaks stand only between tokens: as spaces they change nothing, and the line
/// stays one.
void append_on_one_line(std::string& to, std::string_view json) {
  const std::size_t start = to.size();
  to += json;
  if (json.find('\n') == json.npos && json.find('\r') == json.npos) return;
  std::replace_if(
      to.begin() + static_cast<std::ptrdiff_t>(start), to.end(),
      [](char c) { return c == '\r' || c == '\n'; }, ' ');
}

/// CloudEvents 1.0, naming conventions; and none that the line has already.
bool is_extension_name(std::string_view name) {
  static constexpr std::string_view taken[] = {"id",         "source",  "specversion",  "type",
                                               "time",       "subject", "partitionkey", "datacontenttype",
                                               "dataschema", "topic",   "headers",      "data"};
  const auto is_legal = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && std::ranges::all_of(name, is_legal) &&
         std::ranges::find(taken, name) == std::end(taken);
}

/// As the JSON format wants it, where an attribute is a string: those that may be one are attributes. Where
/// there are others, all of them stand in one attribute, as the text of a JSON object.
void append_headers(std::string& to, std::span<const Header> headers) {
  bool are_all_attributes = true;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto has_name = [&](const Header& other) { return other.name == headers[i].name; };
    if (!is_extension_name(headers[i].name)) {
      are_all_attributes = false;
    } else if (std::ranges::none_of(headers.subspan(i + 1), has_name)) {
      append_attribute(to, headers[i].name, headers[i].value);
    }
  }
  if (are_all_attributes) return;
  std::string object = "{";
  for (const Header& header : headers) {
    if (object.size() > 1) object += ',';
    append_json_string(object, header.name);
    object += ':';
    append_json_string(object, header.value);
  }
  append_member(to, R"(,"headers":)", object + "}");
}

}  // namespace

std::string EventLine::append(std::string& to, const Message& message) {
  static constexpr HeaderRules rules{.is_utf8 = true};
  if (std::string fault = header_fault(message, rules); !fault.empty()) return fault;
  if (!is_utf8(message.topic)) return "the topic is not UTF-8, as JSON demands";

  to += events_.is_minimal() ? minimal_start : full_start;
  to += message.id_text();
  to += '"';
  for (const Attribute& attribute : events_.of(message)) {
    if (attribute.name == "id" || attribute.name == "specversion") continue;
    append_attribute(to, attribute.name, attribute.value);
  }
  const std::string_view content_type = content_type_of(message);
  if (!content_type.empty()) append_member(to, R"(,"datacontenttype":)", content_type);
  append_member(to, R"(,"topic":)", message.topic);
  append_headers(to, message.headers);
  if (message.is_tombstone) {
    to += "}\n";
  } else if (is_json_type(content_type) && is_json(message.payload)) {
    to += R"(,"data":)";
    append_on_one_line(to, message.payload);
    to += "}\n";
  } else {
    to += R"(,"data_base64":")";
    append_base64(to, message.payload);
    to += "\"}\n";
  }
  return {};
}

bool is_torn_event(std::string_view text) {
  const auto begins_like = [text](std::string_view start) {
    const std::size_t size = std::min(text.size(), start.size());
    return text.substr(0, size) == start.substr(0, size);
  };
  return text.starts_with('\0') || begins_like(full_start) || begins_like(minimal_start);
}

void LineQueue::add(std::span<const Submission> messages) {
  drop_written();
  for (const Submission& submission : messages) {
    const Message& message = *submission.message;
    Waiting waiting{submission.ticket, 0, {}};
    if (message.key && !refused_keys_.empty() &&
        std::ranges::find(refused_keys_, *message.key) != refused_keys_.end()) {
      waiting.verdict = Verdict::unavailable;
      waiting.refusal = "not sent: an earlier message of its key was refused";
    } else if (waiting.refusal = line_.append(text_, message); !waiting.refusal.empty()) {
      waiting.verdict = Verdict::rejected;
      if (message.key) refused_keys_.emplace_back(*message.key);
    }
    waiting.end = text_.size();
    waiting_.push_back(std::move(waiting));
  }
  conclude();
}

void LineQueue::written(std::size_t bytes) {
  written_ += bytes;
  assert(written_ <= text_.size());
  conclude();
  if (written_ == text_.size()) clear_text();
}

/// The messages whose lines are complete, up to the first that is not, get their deliveries.
void LineQueue::conclude() {
  while (!waiting_.empty() && waiting_.front().end <= written_) {
    Waiting& done = waiting_.front();
    deliveries_.push_back({done.ticket, done.verdict, std::move(done.refusal)});
    waiting_.pop_front();
  }
}

bool LineQueue::fail(Verdict verdict, const std::string& reason) {
  const bool is_torn = written_ > 0 && text_[written_ - 1] != '\n';
  for (Waiting& waiting : waiting_) {
    const bool is_refused = waiting.verdict != Verdict::accepted;
    deliveries_.push_back({waiting.ticket, is_refused ? waiting.verdict : verdict,
                           is_refused ? std::move(waiting.refusal) : reason});
  }
  waiting_.clear();
  clear_text();
  return is_torn;
}

void LineQueue::clear_text() {
  text_.clear();
  if (text_.capacity() > memory_kept) text_.shrink_to_fit();
  written_ = 0;
}

/// A reader that is always a little behind must not make the text grow for ever.
void LineQueue::drop_written() {
  if (written_ < memory_kept) return;
  text_.erase(0, written_);
  for (Waiting& waiting : waiting_) waiting.end -= written_;
  written_ = 0;
}

bool LineQueue::deliver(Answers& answers) {
  if (deliveries_.empty()) return false;
  if (answers.deliveries.empty()) {
    answers.deliveries.swap(deliveries_);
  } else {
    std::ranges::move(deliveries_, std::back_inserter(answers.deliveries));
    deliveries_.clear();
  }
  const auto is_refused = [](const Waiting& waiting) { return !waiting.refusal.empty(); };
  if (!refused_keys_.empty() && std::ranges::none_of(waiting_, is_refused)) refused_keys_.clear();
  return true;
}

}  // namespace outbox
