// Broker that posts messages to a webhook receiver, many at a time. Belongs to one publishing thread, wake()
// to any.
#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/brokers/http/http_loop.h"
#include "adapters/brokers/http/http_request.h"
#include "adapters/brokers/http/http_settings.h"
#include "adapters/brokers/http/http_transfer.h"
#include "core/broker.h"

namespace outbox {

class HttpBroker final : public Broker {
 public:
  HttpBroker(HttpSettings settings, const BrokerTarget& target);
  ~HttpBroker() override;

  void connect() override;
  /// Begins as many requests as may be in flight, the others in this order as room is made.
  void submit(std::span<const Submission> messages) override;
  void poll(Duration timeout, Answers& answers) override;
  void wake() noexcept override { loop_.wake(); }

 private:
  enum class Phase { closed, connecting, up };

  void begin_waiting();
  bool begin(const Submission& submission);
  HttpTransfer& free_transfer();
  void release(HttpTransfer& transfer);
  void take_ended();
  void take_probe(CURLcode code);
  void take(HttpTransfer& transfer, CURLcode code);
  void take_answer(HttpTransfer& transfer);
  void take_failure(HttpTransfer& transfer, CURLcode code);
  void end_after_the_others(Session::State state, const std::string& reason);
  std::string heed_retry_after(const HttpTransfer& transfer);
  [[nodiscard]] std::string failure(const HttpTransfer& transfer, CURLcode code) const;
  void deliver(const Submission& submission, Verdict verdict, std::string reason);
  void end_session(Session::State state, const std::string& reason);

  const HttpSettings settings_;
  RequestWriter writer_;
  HttpLoop loop_;
  Phase phase_ = Phase::closed;
  bool is_http2_ = false;  ///< as the last answer came
  std::unique_ptr<HttpTransfer> probe_;
  std::vector<std::unique_ptr<HttpTransfer>> transfers_;
  std::vector<HttpTransfer*> free_, busy_;
  std::deque<Submission> waiting_;
  std::optional<Session> ending_;  ///< nothing more is taken, the session ends once all have been answered
  std::optional<Instant> wait_until_;  ///< the receiver asked for it
  Answers pending_;                    ///< for the next poll()
};

}  // namespace outbox
