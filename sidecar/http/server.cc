#include "http/server.h"

#include <utility>

#include "http/answers.h"
#include "http/listener.h"

namespace outbox {

struct HttpServer::Serving {
  Serving(Listener listener, const StatusSource& source, HttpAnswersOptions options, const HttpLimits& limits)
      : answers(source, std::move(options), mailbox),
        connections(std::move(listener), limits, mailbox,
                    [this](const HttpRequest& request) { return answers.to(request); }) {}

  const std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>();
  HttpAnswers answers;
  Connections connections;
};

Result<std::unique_ptr<HttpServer>> HttpServer::start(const std::string& listen, const std::string& token,
                                                      const StatusSource& source, const HttpLimits& limits,
                                                      Administration administration) {
  auto listener = listen_on(listen);
  if (!listener) return listener.error();
  if (!listener->is_loopback() && token.empty())
    return Error{
        Fault::misconfigured,
        "http.listen: " + listen + " is not a loopback address: set http.token, or listen on 127.0.0.1"};
  HttpAnswersOptions options;
  if (!listener->is_loopback()) options.read_token = token;
  options.token = token;
  options.listen_host = listen.substr(0, listen.rfind(':'));
  options.administration = std::move(administration);
  options.limits = limits;
  options.idle_seconds = static_cast<int>(std::chrono::ceil<std::chrono::seconds>(limits.idle_time).count());
  options.requests_max = limits.requests_max;
  auto serving = std::make_unique<Serving>(*std::move(listener), source, std::move(options), limits);
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(serving)));
}

HttpServer::HttpServer(std::unique_ptr<Serving> serving)
    : serving_(std::move(serving)), port_(serving_->connections.port()) {}

HttpServer::~HttpServer() = default;

int HttpServer::port() const {
  return port_;
}

void HttpServer::stop() {
  serving_.reset();
}

}  // namespace outbox
