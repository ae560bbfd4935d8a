// A message as URL and header lines in CloudEvents' binary mode for HTTP. Belongs to one broker and its
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/brokers/http/http_settings.h"
#include "adapters/brokers/http/http_signature.h"
#include "adapters/common/cloud_event.h"

namespace outbox {

/// Keeps its memory from message to message. The body is the message's payload.
struct Request {
  std::string url;
  std::string text;                ///< header lines as libcurl takes them, each ends with a NUL
  std::vector<std::size_t> lines;  ///< where in `text` they begin
};

class RequestWriter {
 public:
  RequestWriter(const HttpSettings& settings, std::string source, Attributes attributes);

  /// Makes the request. `unix_time`: now, in seconds, for the signature. On failure says why the message
  /// cannot be carried, and the request is worthless; empty: done.
  std::string write(Request& to, const Message& message, std::int64_t unix_time);

  /// Where messages of a topic go, or why they cannot: then the URL is empty.
  std::string append_url(std::string& to, std::string_view topic) const;

  /// Where the session's first request goes.
  [[nodiscard]] std::string probe_url() const;

  /// "Authorization: Bearer ..."; empty without a token.
  [[nodiscard]] const std::string& authorization() const { return authorization_; }

 private:
  void write_attributes(Request& to, const Message& message);
  void write_signature(Request& to, const Message& message, std::int64_t unix_time);

  CloudEvents events_;
  Signer signer_;
  std::string source_line_;
  std::string prefix_, suffix_;  ///< of the URL, around the topic
  std::string plain_url_;        ///< without a topic
  bool append_topic_;
  std::string authorization_;
};

}  // namespace outbox
