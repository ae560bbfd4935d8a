// The endpoints: one request in, the bytes of its answer out. cpp-httplib reads the request line, finds the
// handler and writes the answer; it never sees a socket or a header that the client chose. Owned by the
// server's thread.
#pragma once

#include <memory>
#include <string>

#include "core/status.h"
#include "http/request_head.h"

namespace outbox {

struct HttpAnswersOptions {
  /// Bearer token for what shows data (/, /status, /metrics); empty: they are open. Probes always are.
  std::string read_token;
  int idle_seconds = 15;    ///< told to clients as Keep-Alive
  int requests_max = 1000;  ///< ditto
};

class HttpAnswers {
 public:
  /// `source` must outlive the answers.
  HttpAnswers(const StatusSource& source, HttpAnswersOptions options);
  HttpAnswers(HttpAnswers&&) noexcept;
  ~HttpAnswers();

  /// A complete HTTP answer. Never waits; never throws; a fault of ours is a 500 without its text.
  [[nodiscard]] std::string to(const RequestHead& request) noexcept;

 private:
  class Endpoints;
  std::unique_ptr<Endpoints> endpoints_;
};

}  // namespace outbox
