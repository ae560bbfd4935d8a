#include "adapters/brokers/kafka/kafka_broker.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include "adapters/brokers/brokers.h"
#include "adapters/brokers/kafka/kafka_errors.h"
#include "adapters/common/server_adapter.h"
#include "base/text.h"

namespace outbox {
namespace {

/// For answers that are on their way when the session has to end.
constexpr Duration last_answers = std::chrono::seconds(1);
/// That the cluster is known comes without an event, and what a closing producer puts back into its queue.
constexpr Duration silent_interval = std::chrono::milliseconds(5);

/// Of what librdkafka says.
constexpr std::size_t text_max = 300;

constexpr int purge_all = RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT;

std::string failure_text(std::string_view topic, rd_kafka_resp_err_t error, std::string_view fix) {
  std::string text =
      "kafka: topic '" + printable(topic, 60) + "': " + printable(rd_kafka_err2str(error), 200);
  if (!fix.empty()) text += "; " + std::string(fix);
  return text;
}

void* opaque_of(std::size_t slot) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(slot));
}

std::size_t slot_of(const void* opaque) {
  return static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(opaque));
}

}  // namespace

KafkaBroker::KafkaBroker(KafkaSettings settings, const BrokerTarget& target)
    : ServerBroker(kafka_server, settings),
      settings_(std::move(settings)),
      encoder_(target.source, target.attributes) {}

Traits KafkaBroker::traits() const {
  return {.ordered_pipeline = true};
}

void KafkaBroker::begin() {
  last_error_.clear();
  unreachable_until_.reset();
  auto client = KafkaClient::start(settings_, events_.descriptor());
  if (!client) return fail(client.error());
  client_ = std::move(*client);
}

// ---- out ----

void KafkaBroker::take(std::span<const Submission> messages) {
  take_events();  // a failure that is known already must not be overtaken
  for (const Submission& submission : messages) produce(submission);
}

void KafkaBroker::produce(const Submission& submission) {
  const Message& message = *submission.message;
  if (ending()) return refuse(submission, Verdict::unavailable, ending()->reason + " (not sent)");
  if (is_behind_refused(message))
    return refuse(submission, Verdict::unavailable, "kafka: not sent: an earlier message of its key failed");
  if (std::string fault = RecordEncoder::fault(message); !fault.empty())
    return refuse(submission, Verdict::rejected, std::move(fault));

  KafkaTopic& topic = topic_of(message.topic);
  const std::size_t group = message.key ? groups_.index_of(*message.key) : no_group;
  if (message.key && has_to_wait(message, topic, group)) {
    ++groups_.at(group).waiting;
    return waiting_.push_back(submission);
  }
  produce(submission, topic, group);
}

/// What goes to one partition that knows the producer keeps its order, failures included. Elsewhere a later
/// message of the key could be accepted although the earlier one fails.
bool KafkaBroker::has_to_wait(const Message& message, KafkaTopic& topic, std::size_t group) {
  const KeyGroup& others = groups_.at(group);
  if (others.waiting > 0) return true;
  return others.in_flight > 0 && (others.place != &topic || !topic.knows_producer(*message.key, alive_at()));
}

void KafkaBroker::produce_waiting() {
  may_release_ = false;
  std::deque<Submission> waiting = std::exchange(waiting_, {});
  for (const Submission& submission : waiting)
    groups_.at(groups_.index_of(*submission.message->key)).waiting = 0;
  for (const Submission& submission : waiting) produce(submission);
}

void KafkaBroker::produce(const Submission& submission, KafkaTopic& topic, std::size_t group) {
  const Message& message = *submission.message;
  const std::size_t slot = free_slot();
  const rd_kafka_resp_err_t error =
      encoder_.produce(client_->handle(), topic.handle(), message, opaque_of(slot));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    free_slots_.push_back(slot);
    const ErrorMeaning meaning = meaning_of(error);
    const bool is_session = meaning.reach == ErrorMeaning::Reach::session;
    return refuse(submission, is_session ? Verdict::unavailable : meaning.verdict,
                  failure_text(message.topic, error, meaning.fix));
  }
  slots_[slot] = {submission.ticket, &topic, message.payload.size() + (message.key ? message.key->size() : 0),
                  group};
  ++in_flight_;
  topic.submitted();
  if (group == no_group) return;
  groups_.at(group).place = &topic;
  ++groups_.at(group).in_flight;
}

KafkaTopic& KafkaBroker::topic_of(std::string_view name) {
  if (const auto found = topics_.find(name); found != topics_.end()) return *found->second;
  auto topic = std::make_unique<KafkaTopic>(client_->handle(), std::string(name));
  const std::string_view key = topic->name();
  return *topics_.emplace(key, std::move(topic)).first->second;
}

std::size_t KafkaBroker::free_slot() {
  if (free_slots_.empty()) {
    slots_.emplace_back();
    return slots_.size() - 1;
  }
  const std::size_t slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

void KafkaBroker::refuse(const Submission& submission, Verdict verdict, std::string reason) {
  deliver(submission.ticket, verdict, std::move(reason));
  if (submission.message->key) refused_keys_.emplace_back(*submission.message->key);
}

bool KafkaBroker::is_behind_refused(const Message& message) const {
  return message.key && !refused_keys_.empty() &&
         std::ranges::find(refused_keys_, *message.key) != refused_keys_.end();
}

// ---- in ----

void KafkaBroker::take_events() {
  events_.clear();
  client_->take_events([this](rd_kafka_event_t& event) {
    switch (rd_kafka_event_type(&event)) {
      case RD_KAFKA_EVENT_DR:
        while (const rd_kafka_message_t* const report = rd_kafka_event_message_next(&event))
          take_report(*report);
        break;
      case RD_KAFKA_EVENT_ERROR:
        take_error(event);
        break;
      default:  // no other is asked for
        break;
    }
  });
  if (is_connecting() && !ending() && client_->knows_cluster()) come_up();
  if (may_release_) produce_waiting();
}

void KafkaBroker::take_report(const rd_kafka_message_t& report) {
  const std::size_t slot = slot_of(report._private);
  const InFlight message = std::exchange(slots_[slot], {});
  const bool is_believed = report.offset >= 0 || message.topic->knows_producer(report.partition, now());
  const bool is_accepted = report.err == RD_KAFKA_RESP_ERR_NO_ERROR && is_believed;
  if (is_accepted)
    deliver(message.ticket, Verdict::accepted);
  else if (report.err == RD_KAFKA_RESP_ERR_NO_ERROR)
    doubt(report, message);
  else
    take_failure(report, message);
  free_slots_.push_back(slot);
  --in_flight_;
  message.topic->answered();
  if (!ending()) alive();
  if (is_accepted) message.topic->accepted(report.partition, alive_at());
  if (message.group == no_group) return;
  --groups_.at(message.group).in_flight;
  may_release_ = may_release_ || groups_.at(message.group).waiting > 0;
}

/// librdkafka takes the success of a batch for that of all before it, and reports those without an offset.
/// That is so where the broker checks the sequence; a partition that is new to the producer takes any.
void KafkaBroker::doubt(const rd_kafka_message_t& report, const InFlight& message) {
  if (report.key) refused_keys_.emplace_back(static_cast<const char*>(report.key), report.key_len);
  deliver(message.ticket, Verdict::in_doubt,
          "kafka: topic '" + printable(message.topic->name(), 60) +
              "': only a later message of its partition was acknowledged");
}

void KafkaBroker::take_failure(const rd_kafka_message_t& report, const InFlight& message) {
  const ErrorMeaning meaning = meaning_of(report.err);
  std::string reason = failure_text(message.topic->name(), report.err, meaning.fix);
  Verdict verdict = meaning.verdict;
  switch (meaning.reach) {
    case ErrorMeaning::Reach::session: {
      const bool has_left = rd_kafka_message_status(&report) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
      verdict = has_left ? Verdict::in_doubt : Verdict::unavailable;
      if (ending()) reason = ending()->reason + (has_left ? " (sent, not answered)" : " (not sent)");
      break;
    }
    case ErrorMeaning::Reach::topic:
      break;
    case ErrorMeaning::Reach::batch: {
      // librdkafka puts a message that is larger than a batch into one of its own.
      const bool is_too_large = report.err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE &&
                                message.bytes > static_cast<std::size_t>(settings_.batch_bytes);
      if (message.topic->is_in_company() && !is_too_large) verdict = Verdict::in_doubt;
      break;
    }
  }
  if (report.key) refused_keys_.emplace_back(static_cast<const char*>(report.key), report.key_len);
  deliver(message.ticket, verdict, std::move(reason));
}

void KafkaBroker::take_error(rd_kafka_event_t& event) {
  if (rd_kafka_event_error_is_fatal(&event)) return take_fatal_error();
  const rd_kafka_resp_err_t error = rd_kafka_event_error(&event);
  const std::string_view text = rd_kafka_event_error_string(&event);
  const std::string shown = shown_without(settings_.password, text, text_max);
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    if (last_error_.empty()) last_error_ = settings_.servers + ": " + shown;
    if (is_up()) return close(Session::State::down, last_error_, purge_all);
    // The hosts' other addresses get half of the time: librdkafka tries them, and tells nothing new.
    if (!unreachable_until_) unreachable_until_ = now() + settings_.connect_timeout / 2;
    return;
  }
  if (fault_of(error, text) == Fault::misconfigured)
    return close(Session::State::misconfigured, shown, purge_all);
  last_error_ = shown;
}

/// The producer does nothing more. What it had sent may still be answered.
void KafkaBroker::take_fatal_error() {
  char text[512] = "";
  const rd_kafka_resp_err_t error = rd_kafka_fatal_error(client_->handle(), text, sizeof text);
  const bool is_misconfigured = fault_of(error, text) == Fault::misconfigured;
  close(is_misconfigured ? Session::State::misconfigured : Session::State::down,
        shown_without(settings_.password, text, text_max), RD_KAFKA_PURGE_F_QUEUE);
}

// ---- time ----

void KafkaBroker::step(Duration wait) {
  if (await(events_.descriptor(), POLLIN, wait) != 0) take_events();
}

Instant KafkaBroker::tick_at() const {
  return is_connecting() || ending() ? now() + silent_interval : Instant::max();
}

void KafkaBroker::tick() {
  if (ending()) rd_kafka_purge(client_->handle(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

std::optional<Instant> KafkaBroker::deadline() const {
  if (ending()) return alive_at() + last_answers;
  const auto limit = ServerBroker::deadline();
  return is_connecting() && unreachable_until_ ? std::min(limit, unreachable_until_) : limit;
}

void KafkaBroker::overdue() {
  if (ending()) return fail(ending()->state, ending()->reason);
  const bool is_unreachable = is_connecting() && unreachable_until_;
  const std::string last = last_error_.empty() ? "" : "; last error: " + last_error_;
  close(Session::State::down, is_unreachable ? last_error_ : silence() + last, purge_all);
}

// ---- the end ----

/// The first reason stays. What is purged comes back as reports, soon.
void KafkaBroker::close(Session::State state, std::string_view what, int purge) {
  if (ending()) return;
  end_after_answers(state, what);
  alive();
  rd_kafka_purge(client_->handle(), purge | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

/// Nothing of the old session is sent after this.
void KafkaBroker::end(const std::string& reason) {
  std::deque<Submission> waiting = std::exchange(waiting_, {});
  if (client_) take_events();  // answers that came before
  for (const InFlight& message : slots_)
    if (message.topic) deliver(message.ticket, Verdict::in_doubt, reason + " (perhaps sent, not answered)");
  give_up_unsent(waiting, reason);
  slots_.clear();
  free_slots_.clear();
  in_flight_ = 0;
  groups_.clear();
  may_release_ = false;
  drop_client();
}

void KafkaBroker::drop_client() {
  for (const auto& [name, topic] : topics_) topic->release();
  if (client_) client_->keep(std::make_shared<decltype(topics_)>(std::exchange(topics_, {})));
  client_.reset();
}

BrokerAdapter kafka_adapter() {
  return server_adapter<KafkaBroker>(kafka_server, kafka_setting_specs(), parse_kafka_settings, check_kafka);
}

}  // namespace outbox
