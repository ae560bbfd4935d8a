// The endpoints: one request in, the bytes of its answer out. cpp-httplib reads the request line, finds the
// handler and writes the answer; it never sees a socket or a header that the client chose. Owned by the
// server's thread.
#pragma once

#include <memory>
#include <string>

#include "core/status.h"
#include "http/administration.h"
#include "http/connections.h"
#include "http/work_thread.h"

namespace outbox {

struct HttpAnswersOptions {
  /// Bearer token for what shows data (/, /status, /metrics); empty: they are open. Probes always are.
  std::string read_token;
  std::string token;        ///< of /v1; empty: what changes something does not exist
  std::string listen_host;  ///< as configured; empty: every address
  Administration administration;
  HttpLimits limits;
  int idle_seconds = 15;    ///< told to clients as Keep-Alive
  int requests_max = 1000;  ///< ditto
};

class HttpAnswers {
 public:
  /// `source` must outlive the answers. Those that come later are put into the mailbox.
  HttpAnswers(const StatusSource& source, HttpAnswersOptions options, std::shared_ptr<Mailbox> mailbox);
  HttpAnswers(HttpAnswers&&) noexcept;
  ~HttpAnswers();

  /// A complete HTTP answer, or that it comes later. Never waits; never throws; a fault of ours is a 500
  /// without its text.
  [[nodiscard]] HttpOutcome to(const HttpRequest& request) noexcept;

 private:
  class Endpoints;
  std::unique_ptr<Endpoints> endpoints_;
};

}  // namespace outbox
