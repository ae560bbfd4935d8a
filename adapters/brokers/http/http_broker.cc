#include "adapters/brokers/http/http_broker.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include "adapters/brokers/brokers.h"
#include "adapters/brokers/http/http_answer.h"
#include "adapters/common/server_adapter.h"
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
    : ServerBroker(http_server, settings),
      settings_(std::move(settings)),
      writer_(settings_, target.source, target.attributes) {}

HttpBroker::~HttpBroker() {
  for (HttpTransfer* const transfer : busy_) loop_.remove(transfer->handle());
  if (probe_) loop_.remove(probe_->handle());
}

void HttpBroker::begin() {
  if (wait_until_ && now() < *wait_until_)
    return fail(Session::State::down,
                settings_.endpoint + " asked to wait: another " + seconds_text(*wait_until_ - now()));
  wait_until_.reset();
  loop_.open(settings_.concurrency);
  is_http2_ = false;
  probe_ = std::make_unique<HttpTransfer>(settings_);
  probe_->limit(settings_.connect_timeout);
  if (settings_.asks_options)
    probe_->ask_options(writer_.probe_url(), writer_.authorization());
  else
    probe_->only_connect(writer_.probe_url());
  loop_.add(probe_->handle());
}

void HttpBroker::take(std::span<const Submission> messages) {
  waiting_.insert(waiting_.end(), messages.begin(), messages.end());
  begin_waiting();
}

void HttpBroker::advance() {
  loop_.perform();
  CURLcode code = CURLE_OK;
  while (CURL* const handle = loop_.ended(code)) {
    if (probe_ && handle == probe_->handle())
      take_probe(code);
    else
      take_end(HttpTransfer::of(handle), code);
  }
  begin_waiting();
}

void HttpBroker::step(Duration wait) {
  if (wait > Duration::zero() && loop_.wait(wait, bell())) woken();
}

// ---- requests ----

void HttpBroker::begin_waiting() {
  bool has_begun = false;
  while (!waiting_.empty() && busy_.size() < settings_.concurrency && !ending()) {
    const Submission submission = waiting_.front();
    waiting_.pop_front();
    has_begun |= post(submission);
  }
  if (has_begun) loop_.perform();
}

/// False: the message cannot be carried.
bool HttpBroker::post(const Submission& submission) {
  HttpTransfer& transfer = free_transfer();
  const Message& message = *submission.message;
  if (std::string fault = writer_.write(transfer.request(), message, unix_time()); !fault.empty()) {
    free_.push_back(&transfer);
    deliver(submission.ticket, Verdict::rejected, std::move(fault));
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

void HttpBroker::take_probe(CURLcode code) {
  const std::unique_ptr<HttpTransfer> probe = std::move(probe_);
  loop_.remove(probe->handle());
  is_http2_ = probe->used_http2();
  const long status = probe->status();
  if (code != CURLE_OK && !(probe->was_too_long() && status != 0))
    return fail(is_misconfigured(code) ? Session::State::misconfigured : Session::State::down,
                failure(*probe, code));
  if (is_absent(status))
    return fail(Session::State::down, settings_.endpoint + " answers OPTIONS with " + status_text(status) +
                                          heed_retry_after(*probe));
  come_up();
}

void HttpBroker::take_end(HttpTransfer& transfer, CURLcode code) {
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
    return deliver(transfer.submission().ticket, Verdict::in_doubt, doubt);
  }
  if (meaning.verdict == Verdict::accepted) return deliver(transfer.submission().ticket, Verdict::accepted);
  std::string reason = "http: POST of '" + printable(transfer.submission().message->topic, 60) + "' to " +
                       settings_.endpoint + ": " + status_text(status);
  if (!meaning.advice.empty()) reason.append("; ").append(meaning.advice);
  const std::string asked = meaning.verdict == Verdict::unavailable ? heed_retry_after(transfer) : "";
  reason += asked;
  if (meaning.ends_session || !asked.empty()) end_after_the_others(Session::State::down, reason);
  deliver(transfer.submission().ticket, meaning.verdict, std::move(reason), meaning.scope);
}

void HttpBroker::take_failure(HttpTransfer& transfer, CURLcode code) {
  const std::string reason = failure(transfer, code);
  end_after_the_others(is_misconfigured(code) ? Session::State::misconfigured : Session::State::down, reason);
  give_up(transfer.submission().ticket, transfer.has_begun(), reason);
}

std::string HttpBroker::failure(const HttpTransfer& transfer, CURLcode code) const {
  const std::string prefix = where();
  if (code == CURLE_OPERATION_TIMEDOUT && transfer.has_begun())
    return prefix + "no answer within " +
           milliseconds_text(is_up() ? settings_.timeout : settings_.connect_timeout);
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
  end_after_answers(state, reason);
  give_up_unsent(waiting_, ending()->reason);
}

/// What to add to the reason; empty: it asked for nothing.
std::string HttpBroker::heed_retry_after(const HttpTransfer& transfer) {
  const Duration asked = std::chrono::seconds(std::min(transfer.retry_after(), 86400L));
  const Duration wait = std::min<Duration>(asked, wait_max);
  if (wait <= Duration::zero()) return {};
  wait_until_ = std::max(wait_until_.value_or(Instant{}), now() + wait);
  return "; it asks to wait " + seconds_text(wait);
}

void HttpBroker::end(const std::string& reason) {
  for (HttpTransfer* const transfer : busy_) {
    loop_.remove(transfer->handle());
    give_up(transfer->submission().ticket, transfer->has_begun(), reason);
    free_.push_back(transfer);
  }
  busy_.clear();
  give_up_unsent(waiting_, reason);
  if (probe_) loop_.remove(probe_->handle());
  probe_.reset();
  loop_.close();
}

BrokerAdapter http_adapter() {
  return server_adapter<HttpBroker>(http_server, http_setting_specs(), parse_http_settings, check_http);
}

}  // namespace outbox
