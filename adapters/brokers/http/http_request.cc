#include "adapters/brokers/http/http_request.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/encoding.h"
#include "base/text.h"

namespace outbox {
namespace {

/// libcurl builds no head of more than a megabyte, and hardly a server takes one of more than 64 KiB.
constexpr std::size_t head_bytes_max = 512 << 10;

// What frames a request, says who sends it, or is written by this adapter.
constexpr std::array<std::string_view, 16> reserved_names = {
    "authorization", "connection", "content-length",    "content-type",
    "expect",        "host",       "http2-settings",    "idempotency-key",
    "keep-alive",    "te",         "trailer",           "transfer-encoding",
    "upgrade",       "webhook-id", "webhook-timestamp", "webhook-signature"};
constexpr std::array<std::string_view, 2> reserved_prefixes = {"ce-", "proxy-"};
constexpr HeaderRules rules{.reserved_names = reserved_names,
                            .reserved_prefixes = reserved_prefixes,
                            .ignores_case = true,
                            .is_token = true};

/// One header line. libcurl takes "name: value", and "name;" where the value is empty.
class Line {
 public:
  Line(Request& request, std::string_view prefix, std::string_view name) : text_(request.text) {
    request.lines.push_back(text_.size());
    text_ += prefix;
    text_ += name;
  }
  void plain(std::string_view value) {
    end(value.empty(), [&] { text_ += value; });
  }
  void encoded(std::string_view value) {
    end(value.empty(), [&] { append_percent_encoded(text_, value); });
  }

 private:
  template <class Append>
  void end(bool is_empty, Append append) {
    if (is_empty) {
      text_ += ';';
    } else {
      text_ += ": ";
      append();
    }
    text_ += '\0';
  }

  std::string& text_;
};

void whole_line(Request& to, std::string_view line) {
  to.lines.push_back(to.text.size());
  to.text += line;
  to.text += '\0';
}

/// RFC 3986, 2.3
bool is_unreserved(char c) {
  return is_alphanumeric(c, "-._~");
}

/// A segment that receivers or proxies take out again: with it a row would leave the configured path, or two
/// topics would become one. Some take '\' for '/'.
std::string topic_fault(std::string_view topic) {
  for (std::size_t begin = 0; begin <= topic.size();) {
    const std::size_t end = std::min(topic.find_first_of("/\\", begin), topic.size());
    const std::string_view segment = topic.substr(begin, end - begin);
    if (segment.empty())
      return "topic '" + printable(topic, 60) + "' has an empty segment, which paths do not keep";
    if (segment == "." || segment == "..")
      return "topic '" + printable(topic, 60) + "' has a segment '" + std::string(segment) +
             "', which would leave the URL's path";
    begin = end + 1;
  }
  return {};
}

}  // namespace

RequestWriter::RequestWriter(const HttpSettings& settings, std::string source, Attributes attributes)
    : events_(std::move(source), attributes),
      signer_(settings.signing_keys),
      source_line_("ce-source: "),
      prefix_(settings.origin + settings.path),
      suffix_(settings.query),
      plain_url_(settings.origin + (settings.path.empty() ? "/" : settings.path) + settings.query),
      append_topic_(settings.append_topic) {
  append_percent_encoded(source_line_, events_.source());
  if (!prefix_.ends_with('/')) prefix_ += '/';
  if (!settings.bearer_token.empty()) authorization_ = "Authorization: Bearer " + settings.bearer_token;
}

std::string RequestWriter::probe_url() const {
  return plain_url_;
}

std::string RequestWriter::append_url(std::string& to, std::string_view topic) const {
  if (!append_topic_) {
    to += plain_url_;
    return {};
  }
  if (std::string fault = topic_fault(topic); !fault.empty()) return fault;
  to += prefix_;
  for (const char c : topic) {
    if (is_unreserved(c) || c == '/')
      to += c;
    else
      append_percent(to, c);
  }
  to += suffix_;
  return {};
}

std::string RequestWriter::write(Request& to, const Message& message, std::int64_t unix_time) {
  to.url.clear();
  to.text.clear();
  to.lines.clear();
  if (std::string fault = header_fault(message, rules); !fault.empty()) return fault;
  if (std::string fault = append_url(to.url, message.topic); !fault.empty()) return fault;
  if (const std::string_view content_type = content_type_of(message); !content_type.empty())
    Line(to, "", "Content-Type").plain(content_type);
  else
    whole_line(to, "Content-Type:");  // libcurl's own is not sent either
  whole_line(to, "Expect:");          // libcurl would ask first, and wait, before it sends a megabyte
  if (!authorization_.empty()) whole_line(to, authorization_);
  write_attributes(to, message);
  std::string room;
  Line(to, "", "Idempotency-Key").plain(deduplication_id(message, room));
  if (signer_.signs()) write_signature(to, message, unix_time);
  for (const Header& header : message.headers) Line(to, "", header.name).plain(header.value);
  const std::size_t size = to.url.size() + to.text.size();
  if (size <= head_bytes_max) return {};
  return "topic, key, type and headers take " + std::to_string(size) +
         " bytes in the request's head, more than the " + std::to_string(head_bytes_max) + " that are sent";
}

void RequestWriter::write_attributes(Request& to, const Message& message) {
  for (const Attribute& attribute : events_.beside_payload(message)) {
    if (attribute.name == "source")
      whole_line(to, source_line_);
    else
      Line(to, "ce-", attribute.name).encoded(attribute.value);
  }
}

void RequestWriter::write_signature(Request& to, const Message& message, std::int64_t unix_time) {
  const std::string timestamp = std::to_string(unix_time);
  Line(to, "", "webhook-id").plain(message.id_text());
  Line(to, "", "webhook-timestamp").plain(timestamp);
  to.lines.push_back(to.text.size());
  to.text += "webhook-signature: ";
  signer_.append(to.text, message.id_text(), timestamp, message.payload);
  to.text += '\0';
}

}  // namespace outbox
