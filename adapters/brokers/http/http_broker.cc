#include "adapters/brokers/http/http_broker.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include "adapters/brokers/brokers.h"
#include "adapters/brokers/http/http_answer.h"
#include "adapters/brokers/http/http_check.h"
#include "adapters/common/polling.h"
#include "base/text.h"

namespace outbox {
namespace {

/// A receiver may ask for days, by mistake; asked again, it can say so again.
constexpr Duration wait_max = std::chrono::hours(1);

std::int64_t unix_time() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now())
      .time_since_epoch()
      .count();
}

std::string seconds_text(Duration time) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(time).count()) + " s";
}

}  // namespace

HttpBroker::HttpBroker(HttpSettings settings, const BrokerTarget& target)
    : settings_(std::move(settings)), writer_(settings_, target.source, target.attributes) {
  ignore_write_signals();
}

HttpBroker::~HttpBroker() {
  for (HttpTransfer* const transfer : busy_) loop_.remove(transfer->handle());
  if (probe_) loop_.remove(probe_->handle());
}

void HttpBroker::connect() {
  if (phase_ != Phase::closed) end_session(Session::State::down, "http: a new session was asked for");
  pending_.session.reset();
  if (wait_until_ && now() < *wait_until_) {
    pending_.session =
        Session{Session::State::down, "http: " + settings_.endpoint + " asked to wait: another " +
                                          seconds_text(*wait_until_ - now())};
    return;
  }
  wait_until_.reset();
  loop_.open(settings_.concurrency);
  phase_ = Phase::connecting;
  is_http2_ = false;
  probe_ = std::make_unique<HttpTransfer>(settings_);
  curl_easy_setopt(
      probe_->handle(), CURLOPT_TIMEOUT_MS,
      static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(settings_.connect_timeout).count()));
  if (settings_.asks_options)
    probe_->ask_options(writer_.probe_url(), writer_.authorization());
  else
    probe_->only_connect(writer_.probe_url());
  loop_.add(probe_->handle());
}

void HttpBroker::submit(std::span<const Submission> messages) {
  for (const Submission& submission : messages) {
    if (phase_ != Phase::up || ending_)
      deliver(submission, Verdict::unavailable, ending_ ? ending_->reason : "http: not connected");
    else
      waiting_.push_back(submission);
  }
  begin_waiting();
}

void HttpBroker::poll(Duration timeout, Answers& answers) {
  const Instant end = now() + std::min<Duration>(timeout, std::chrono::hours(1));
  for (;;) {
    loop_.perform();
    take_ended();
    if (hand_over(pending_, answers)) return;
    const Duration left = end - now();
    if (left <= Duration::zero() || loop_.wait(left)) return;
  }
}

// ---- requests ----

void HttpBroker::begin_waiting() {
  bool has_begun = false;
  while (!waiting_.empty() && busy_.size() < settings_.concurrency && !ending_) {
    const Submission submission = waiting_.front();
    waiting_.pop_front();
    has_begun |= begin(submission);
  }
  if (has_begun) loop_.perform();
}

/// False: the message cannot be carried.
bool HttpBroker::begin(const Submission& submission) {
  HttpTransfer& transfer = free_transfer();
  const Message& message = *submission.message;
  if (std::string fault = writer_.write(transfer.request(), message, unix_time()); !fault.empty()) {
    free_.push_back(&transfer);
    pending_.deliveries.push_back({submission.ticket, Verdict::rejected, std::move(fault)});
    return false;
  }
  // Servers end HTTP/2 connections as a matter of course and refuse what came too late (GOAWAY); a connection
  // of HTTP/1.1 says with its last answer that it is the last one.
  transfer.post(submission, is_http2_);
  busy_.push_back(&transfer);
  loop_.add(transfer.handle());
  return true;
}

HttpTransfer& HttpBroker::free_transfer() {
  if (free_.empty())
    free_.push_back(transfers_.emplace_back(std::make_unique<HttpTransfer>(settings_)).get());
  HttpTransfer& transfer = *free_.back();
  free_.pop_back();
  return transfer;
}

void HttpBroker::release(HttpTransfer& transfer) {
  loop_.remove(transfer.handle());
  const auto place = std::ranges::find(busy_, &transfer);
  *place = busy_.back();
  busy_.pop_back();
  free_.push_back(&transfer);
}

// ---- their ends ----

void HttpBroker::take_ended() {
  CURLcode code = CURLE_OK;
  while (CURL* const handle = loop_.ended(code)) {
    if (probe_ && handle == probe_->handle())
      take_probe(code);
    else
      take(HttpTransfer::of(handle), code);
  }
  if (ending_ && busy_.empty()) {
    const Session end = *ending_;
    end_session(end.state, end.reason);
  }
  begin_waiting();
}

void HttpBroker::take_probe(CURLcode code) {
  const std::unique_ptr<HttpTransfer> probe = std::move(probe_);
  loop_.remove(probe->handle());
  is_http2_ = probe->used_http2();
  const long status = probe->status();
  if (code != CURLE_OK && !(probe->was_too_long() && status != 0)) {
    const auto state = is_misconfigured(code) ? Session::State::misconfigured : Session::State::down;
    return end_session(state, failure(*probe, code));
  }
  if (is_absent(status))
    return end_session(Session::State::down, "http: " + settings_.endpoint + " answers OPTIONS with " +
                                                 status_text(status) + heed_retry_after(*probe));
  phase_ = Phase::up;
  pending_.session = Session{Session::State::up, {}};
}

void HttpBroker::take(HttpTransfer& transfer, CURLcode code) {
  if (code == CURLE_OK || (transfer.was_too_long() && transfer.status() != 0))
    take_answer(transfer);
  else
    take_failure(transfer, code);
  release(transfer);
}

void HttpBroker::take_answer(HttpTransfer& transfer) {
  is_http2_ = transfer.used_http2();
  const long status = transfer.status();
  const AnswerMeaning meaning = meaning_of_status(status);
  if (meaning.verdict == Verdict::accepted && !transfer.was_taken_whole()) {
    const std::string doubt = "http: " + settings_.endpoint + ": " + status_text(status) +
                              " came before the whole message was sent, or broke off";
    end_after_the_others(Session::State::down, doubt);
    return deliver(transfer.submission(), Verdict::in_doubt, doubt);
  }
  if (meaning.verdict == Verdict::accepted)
    return pending_.deliveries.push_back({transfer.submission().ticket, Verdict::accepted, {}});
  std::string reason = "http: POST of '" + printable(transfer.submission().message->topic, 60) + "' to " +
                       settings_.endpoint + ": " + status_text(status);
  if (!meaning.advice.empty()) reason.append("; ").append(meaning.advice);
  const std::string asked = meaning.verdict == Verdict::unavailable ? heed_retry_after(transfer) : "";
  reason += asked;
  if (meaning.ends_session || !asked.empty()) end_after_the_others(Session::State::down, reason);
  deliver(transfer.submission(), meaning.verdict, std::move(reason));
}

void HttpBroker::take_failure(HttpTransfer& transfer, CURLcode code) {
  const std::string reason = failure(transfer, code);
  const bool has_left = transfer.has_begun();
  end_after_the_others(is_misconfigured(code) ? Session::State::misconfigured : Session::State::down, reason);
  deliver(transfer.submission(), has_left ? Verdict::in_doubt : Verdict::unavailable,
          reason + (has_left ? " (sent, not answered)" : " (not sent)"));
}

std::string HttpBroker::failure(const HttpTransfer& transfer, CURLcode code) const {
  const std::string prefix = "http: " + settings_.endpoint + ": ";
  if (code == CURLE_OPERATION_TIMEDOUT && transfer.has_begun())
    return prefix + "no answer within " +
           milliseconds_text(phase_ == Phase::up ? settings_.timeout : settings_.connect_timeout);
  if (code == CURLE_OPERATION_TIMEDOUT)
    return prefix + "no connection within " + milliseconds_text(settings_.connect_timeout);
  const std::string what = transfer.failure(code);
  switch (static_cast<int>(code)) {
    case CURLE_SSL_CACERT_BADFILE:
      return prefix + "ca_file " + settings_.ca_file + " cannot be used: " + what;
    case CURLE_SSL_CERTPROBLEM:
      return prefix + "cert_file " + settings_.cert_file + " or key_file " + settings_.key_file +
             " cannot be used: " + what;
    case CURLE_PEER_FAILED_VERIFICATION:
      return prefix + "the server's certificate is refused: " + what + "; see ca_file and server_name";
    default:
      return prefix + what;
  }
}

/// The others in flight have answers on their way, or their own time limits: ending at once would leave them
/// in doubt.
void HttpBroker::end_after_the_others(Session::State state, const std::string& reason) {
  if (!ending_) ending_ = Session{state, reason};
  for (const Submission& submission : waiting_)
    deliver(submission, Verdict::unavailable, ending_->reason + " (not sent)");
  waiting_.clear();
}

/// What to add to the reason; empty: it asked for nothing.
std::string HttpBroker::heed_retry_after(const HttpTransfer& transfer) {
  const Duration asked = std::chrono::seconds(std::min(transfer.retry_after(), 86400L));
  const Duration wait = std::min<Duration>(asked, wait_max);
  if (wait <= Duration::zero()) return {};
  wait_until_ = std::max(wait_until_.value_or(Instant{}), now() + wait);
  return "; it asks to wait " + seconds_text(wait);
}

void HttpBroker::deliver(const Submission& submission, Verdict verdict, std::string reason) {
  pending_.deliveries.push_back({submission.ticket, verdict, std::move(reason)});
}

void HttpBroker::end_session(Session::State state, const std::string& reason) {
  for (HttpTransfer* const transfer : busy_) {
    loop_.remove(transfer->handle());
    const bool has_left = transfer->has_begun();
    deliver(transfer->submission(), has_left ? Verdict::in_doubt : Verdict::unavailable,
            reason + (has_left ? " (sent, not answered)" : " (not sent)"));
    free_.push_back(transfer);
  }
  busy_.clear();
  for (const Submission& submission : waiting_)
    deliver(submission, Verdict::unavailable, reason + " (not sent)");
  waiting_.clear();
  if (probe_) loop_.remove(probe_->handle());
  probe_.reset();
  loop_.close();
  ending_.reset();
  phase_ = Phase::closed;
  pending_.session = Session{state, reason};
}

BrokerAdapter http_adapter() {
  const auto open = [](const BrokerTarget& target) -> Result<std::unique_ptr<Broker>> {
    auto settings = parse_http_settings(target);
    if (!settings) return settings.error();
    return std::unique_ptr<Broker>(std::make_unique<HttpBroker>(std::move(*settings), target));
  };
  return {.name = "http",
          .schemes = {"http", "https"},
          .settings = http_setting_specs(),
          .open = open,
          .check = check_http};
}

}  // namespace outbox
