#include "http/server.h"

#include <pthread.h>

#include <thread>
#include <utility>

#include "http/answers.h"
#include "http/listener.h"

namespace outbox {

class HttpServer::Serving {
 public:
  Serving(Listener listener, HttpAnswers answers, const HttpLimits& limits)
      : port_(listener.port()),
        answers_(std::move(answers)),
        connections_(std::move(listener), limits,
                     [this](const RequestHead& head) { return answers_.to(head); }),
        thread_([this] {
          ::pthread_setname_np(::pthread_self(), "http");
          connections_.run();
        }) {}

  ~Serving() {
    connections_.stop();
    thread_.join();
  }

  [[nodiscard]] int port() const { return port_; }

 private:
  int port_;
  HttpAnswers answers_;
  Connections connections_;
  std::thread thread_;
};

Result<std::unique_ptr<HttpServer>> HttpServer::start(const std::string& listen, const std::string& token,
                                                      const StatusSource& source, const HttpLimits& limits) {
  auto listener = listen_on(listen);
  if (!listener) return listener.error();
  if (!listener->is_loopback() && token.empty())
    return Error{
        Fault::misconfigured,
        "http.listen: " + listen + " is not a loopback address: set http.token, or listen on 127.0.0.1"};
  HttpAnswersOptions options;
  if (!listener->is_loopback()) options.read_token = token;
  options.idle_seconds = static_cast<int>(std::chrono::ceil<std::chrono::seconds>(limits.idle_time).count());
  options.requests_max = limits.requests_max;
  auto serving = std::make_unique<Serving>(*std::move(listener), HttpAnswers(source, std::move(options)), limits);
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(serving)));
}

HttpServer::HttpServer(std::unique_ptr<Serving> serving)
    : serving_(std::move(serving)), port_(serving_->port()) {}

HttpServer::~HttpServer() = default;

int HttpServer::port() const {
  return port_;
}

void HttpServer::stop() {
  serving_.reset();
}

}  // namespace outbox
