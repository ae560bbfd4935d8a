#include "adapters/brokers/nats/nats_connector.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <system_error>
#include <utility>

#include "base/background.h"

namespace outbox {

struct NatsConnector::Attempt {
  NatsSettings settings;
  std::shared_ptr<NatsMailbox> mailbox;
  std::atomic<bool> is_given_up = false;
  std::mutex mutex;
  std::optional<Result<std::unique_ptr<NatsConnection>>> outcome;

  void run();
  void finish(Result<std::unique_ptr<NatsConnection>> result);
};

void NatsConnector::Attempt::run() {
  const Duration share = settings.connect_timeout / static_cast<int>(settings.hosts.size());
  Error error{Fault::unavailable, {}};
  for (const Url::Host& host : settings.hosts) {
    if (is_given_up) return;
    auto connection = NatsConnection::open(settings, host, share, mailbox);
    if (connection) return finish(std::move(connection));
    if (connection.error().fault == Fault::misconfigured) error.fault = Fault::misconfigured;
    error.text += (error.text.empty() ? "" : "; ") + connection.error().text;
  }
  finish(std::move(error));
}

void NatsConnector::Attempt::finish(Result<std::unique_ptr<NatsConnection>> result) {
  {
    const std::lock_guard lock(mutex);
    if (!is_given_up) outcome.emplace(std::move(result));
  }
  mailbox->bell.ring();
}

void NatsConnector::begin(const std::shared_ptr<NatsMailbox>& mailbox) {
  give_up();
  attempt_ = std::make_shared<Attempt>();
  attempt_->settings = settings_;
  attempt_->mailbox = mailbox;
  // A host that swallows connections must not be the first one for ever.
  auto& hosts = attempt_->settings.hosts;
  std::ranges::rotate(hosts, hosts.begin() + static_cast<std::ptrdiff_t>(attempts_++ % hosts.size()));
  try {
    BackgroundThread("nats-connect", [attempt = attempt_] { attempt->run(); });
  } catch (const std::system_error& failure) {
    attempt_->finish(Error{Fault::unavailable, std::string("no thread can be started: ") + failure.what()});
  }
}

std::optional<Result<std::unique_ptr<NatsConnection>>> NatsConnector::take() {
  if (!attempt_) return std::nullopt;
  const std::lock_guard lock(attempt_->mutex);
  return std::exchange(attempt_->outcome, std::nullopt);
}

void NatsConnector::give_up() {
  if (!attempt_) return;
  std::optional<Result<std::unique_ptr<NatsConnection>>> unwanted;
  {
    const std::lock_guard lock(attempt_->mutex);
    attempt_->is_given_up = true;
    unwanted.swap(attempt_->outcome);
  }
  attempt_.reset();
}

std::string NatsConnector::endpoints() const {
  std::string text;
  for (const Url::Host& host : settings_.hosts) text += (text.empty() ? "" : ", ") + nats_endpoint(host);
  return text;
}

}  // namespace outbox
