#include "http/answers.h"

#include <httplib.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <string_view>
#include <utility>

#include "base/encoding.h"
#include "http/bearer.h"
#include "http/dashboard.h"
#include "http/operator_work.h"
#include "http/probes.h"
#include "http/status_pages.h"

namespace outbox {
namespace {

constexpr const char* plain_text = "text/plain; charset=utf-8";
constexpr std::string_view internal_error =
    "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// What cpp-httplib takes for a connection: the request is there already, the answer stays in memory.
class MemoryStream final : public httplib::Stream {
 public:
  explicit MemoryStream(std::string request) : request_(std::move(request)) {}

  std::string take_answer() { return std::move(answer_); }

  [[nodiscard]] bool is_readable() const override { return read_ < request_.size(); }
  [[nodiscard]] bool is_writable() const override { return true; }
  ssize_t read(char* target, size_t size) override {
    const size_t count = std::min(size, request_.size() - read_);
    std::memcpy(target, request_.data() + read_, count);
    read_ += count;
    return static_cast<ssize_t>(count);
  }
  ssize_t write(const char* bytes, size_t size) override {
    answer_.append(bytes, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    ip.clear();
    port = 0;
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    ip.clear();
    port = 0;
  }
  [[nodiscard]] socket_t socket() const override { return -1; }

 private:
  std::string request_;
  std::string answer_;
  size_t read_ = 0;
};

/// Lets the page's own script and style run, and nothing that somebody might bring into it.
std::string random_nonce() {
  std::array<char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return {};
  std::string text;
  append_hex(text, {bytes.data(), bytes.size()});
  return text;
}

bool takes_get(const std::string& path) {
  constexpr std::array<std::string_view, 6> paths = {"/",       "/livez",  "/healthz",
                                                     "/readyz", "/status", "/metrics"};
  return std::ranges::find(paths, path) != paths.end();
}

}  // namespace

class HttpAnswers::Endpoints : private httplib::Server {
 public:
  Endpoints(const StatusSource& source, HttpAnswersOptions options, std::shared_ptr<Mailbox> mailbox)
      : source_(source),
        options_(std::move(options)),
        operators_(options_.administration, {options_.token, options_.listen_host, options_.limits.body_max},
                   options_.limits.work_time, mailbox),
        pages_(source, options_.limits.status_age, mailbox) {
    set_default_headers({{"Cache-Control", "no-store"}, {"X-Content-Type-Options", "nosniff"}});
    set_keep_alive_timeout(options_.idle_seconds);
    set_keep_alive_max_count(static_cast<size_t>(options_.requests_max));
    set_payload_max_length(0);
    set_exception_handler([](const httplib::Request&, httplib::Response& response, std::exception_ptr) {
      response.status = 500;
      response.set_content("internal error; see the log\n", plain_text);
    });
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      return refuse(request, response) ? HandlerResponse::Handled : HandlerResponse::Unhandled;
    });
    set_error_handler([](const httplib::Request&, httplib::Response& response) { explain(response); });
    // cpp-httplib promises ranges for HEAD, which nobody gets.
    set_post_routing_handler([](const httplib::Request&, httplib::Response& response) {
      response.headers.erase("Accept-Ranges");
    });
    add_probes();
    add_pages();
  }

  HttpOutcome answer(const HttpRequest& request) {
    request_ = &request;
    elsewhere_.reset();
    MemoryStream stream(std::string(request.head.line) + "\r\n\r\n");
    bool closed = false;
    process(*this, stream, request.head.close, closed);
    request_ = nullptr;
    if (elsewhere_) return *std::exchange(elsewhere_, std::nullopt);
    return {stream.take_answer(), false};
  }

 private:
  /// Debian 12's cpp-httplib asks the stream for the addresses, Debian 13's wants them as arguments.
  template <class Self>
  static void process(Self& self, httplib::Stream& stream, bool close, bool& closed) {
    if constexpr (requires { self.process_request(stream, close, closed, nullptr); })
      self.process_request(stream, close, closed, nullptr);
    else
      self.process_request(stream, "", 0, "", 0, close, closed, nullptr);
  }

  /// True: the request is answered.
  bool refuse(const httplib::Request& request, httplib::Response& response) {
    if (OperatorApi::is_path_of_ours(request.path)) {
      elsewhere_ = operators_.take(*request_, request.method, request.path, request.params);
      return true;  // what cpp-httplib writes is dropped
    }
    if (request.method != "GET" && request.method != "HEAD") {
      response.status = 404;
      if (takes_get(request.path)) {
        response.status = 405;
        response.set_header("Allow", "GET, HEAD");
      }
      return true;
    }
    const bool shows_data = request.path == "/" || request.path == "/status" || request.path == "/metrics";
    if (!shows_data || options_.read_token.empty() ||
        has_bearer(request_->head.authorization, options_.read_token))
      return false;
    response.status = 401;
    response.set_header("WWW-Authenticate", "Bearer");
    return true;
  }

  static void explain(httplib::Response& response) {
    if (!response.body.empty()) return;
    const char* text = "the request is not valid\n";
    if (response.status == 401) text = "a token is needed: Authorization: Bearer <http.token>\n";
    if (response.status == 404) text = "not found\n";
    if (response.status == 405) text = "only GET and HEAD\n";
    if (response.status == 503) text = "too many wait for the status already; try again later\n";
    response.set_content(text, plain_text);
  }

  /// The answer comes later; what cpp-httplib writes is dropped.
  template <class What>
  void ask(const httplib::Request& request, httplib::Response& response, What what) {
    const bool head_only = request.method == "HEAD";
    if (pages_.ask({what, request_->ticket, request_->head.close, head_only}))
      elsewhere_ = HttpOutcome{
          response_text(api_error(504, "the status was not there in time"), true, head_only), true};
    else
      response.status = 503;
  }

  void add_probes() {
    const auto give = [](httplib::Response& response, const ProbeAnswer& probe) {
      response.status = probe.passed ? 200 : 503;
      response.set_content(probe.text, plain_text);
    };
    const auto live = [this, give](const httplib::Request& request, httplib::Response& response) {
      give(response, liveness(source_.stuck(), request.has_param("verbose")));
    };
    Get("/livez", live);
    Get("/healthz", live);
    Get("/readyz", [this](const httplib::Request& request, httplib::Response& response) {
      const ReadinessQuestion question{.with_broker = request.get_param_value("broker") == "1",
                                       .verbose = request.has_param("verbose")};
      ask(request, response, question);
    });
  }

  void add_pages() {
    Get("/status", [this](const httplib::Request& request, httplib::Response& response) {
      ask(request, response, StatusPages::Page::status);
    });
    Get("/metrics", [this](const httplib::Request& request, httplib::Response& response) {
      ask(request, response, StatusPages::Page::metrics);
    });
    Get("/", [](const httplib::Request&, httplib::Response& response) {
      const std::string nonce = random_nonce();
      response.set_header("Content-Security-Policy",
                          "default-src 'none'; connect-src 'self'; script-src 'nonce-" + nonce +
                              "'; style-src 'nonce-" + nonce +
                              "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
      response.set_header("Referrer-Policy", "no-referrer");
      response.set_content(dashboard_page(nonce), "text/html; charset=utf-8");
    });
  }

  const StatusSource& source_;
  HttpAnswersOptions options_;
  OperatorWork operators_;
  StatusPages pages_;
  const HttpRequest* request_ = nullptr;  ///< that is being answered
  std::optional<HttpOutcome> elsewhere_;  ///< its answer, when it is not cpp-httplib's
};

HttpAnswers::HttpAnswers(const StatusSource& source, HttpAnswersOptions options,
                         std::shared_ptr<Mailbox> mailbox)
    : endpoints_(std::make_unique<Endpoints>(source, std::move(options), std::move(mailbox))) {}
HttpAnswers::HttpAnswers(HttpAnswers&&) noexcept = default;
HttpAnswers::~HttpAnswers() = default;

HttpOutcome HttpAnswers::to(const HttpRequest& request) noexcept {
  try {
    HttpOutcome outcome = endpoints_->answer(request);
    if (!outcome.answer.empty()) return outcome;
  } catch (const std::exception&) {
    // Out of memory in cpp-httplib itself: handlers' exceptions it has turned into a 500 already.
  }
  return {std::string(internal_error), false};
}

}  // namespace outbox
