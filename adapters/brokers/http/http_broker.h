// Broker that posts messages to a webhook receiver, many at a time. Belongs to one publishing thread, wake()
// to any.
#pragma once

#include <curl/curl.h>

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adapters/brokers/http/http_loop.h"
#include "adapters/brokers/http/http_request.h"
#include "adapters/brokers/http/http_settings.h"
#include "adapters/brokers/http/http_transfer.h"
#include "adapters/common/server_broker.h"

namespace outbox {

class HttpBroker final : public ServerBroker {
 public:
  HttpBroker(HttpSettings settings, const BrokerTarget& target);
  ~HttpBroker() override;

 private:
  void begin() override;
  /// Begins as many requests as may be in flight, the others in this order as room is made.
  void take(std::span<const Submission> messages) override;
  void advance() override;
  void step(Duration wait) override;
  [[nodiscard]] bool awaits_answers() const override { return !busy_.empty(); }
  void end(const std::string& reason) override;
  [[nodiscard]] std::string endpoint() const override { return settings_.endpoint; }
  /// Each request has its own.
  [[nodiscard]] std::optional<Instant> deadline() const override { return std::nullopt; }

  void begin_waiting();
  bool post(const Submission& submission);
  HttpTransfer& free_transfer();
  void release(HttpTransfer& transfer);
  void take_probe(CURLcode code);
  void take_end(HttpTransfer& transfer, CURLcode code);
  void take_answer(HttpTransfer& transfer);
  void take_failure(HttpTransfer& transfer, CURLcode code);
  void end_after_the_others(Session::State state, const std::string& reason);
  std::string heed_retry_after(const HttpTransfer& transfer);
  [[nodiscard]] std::string failure(const HttpTransfer& transfer, CURLcode code) const;

  const HttpSettings settings_;
  RequestWriter writer_;
  HttpLoop loop_;
  bool is_http2_ = false;  ///< as the last answer came
  std::unique_ptr<HttpTransfer> probe_;
  std::vector<std::unique_ptr<HttpTransfer>> transfers_;
  std::vector<HttpTransfer*> free_, busy_;
  std::deque<Submission> waiting_;
  std::optional<Instant> wait_until_;  ///< the receiver asked for it
};

/// As server_adapter() has it.
std::vector<Finding> check_http(const HttpSettings& settings, const BrokerTarget& target,
                                std::span<const std::string> topics, Duration limit);

}  // namespace outbox
