#include "scripted_broker.h"

#include <algorithm>
#include <utility>

namespace outbox::simulation {

ScriptedBroker::ScriptedBroker(VirtualTime& time, Random& random, BrokerLog& log, const Faults& faults,
                               const std::map<std::int64_t, Poison>& poison,
                               const std::vector<Outage>& outages, const std::vector<BadTopic>& bad_topics,
                               bool ordered_pipeline, std::function<void(Answers)> deliver)
    : time_(time),
      random_(random),
      log_(log),
      faults_(faults),
      poison_(poison),
      outages_(outages),
      bad_topics_(bad_topics),
      ordered_pipeline_(ordered_pipeline),
      deliver_(std::move(deliver)) {}

void ScriptedBroker::connect() {
  time_.after(random_.within(std::chrono::microseconds(100), faults_.broker_latency_max),
              [this, session = session_, was = *session_] {
                if (*session != was) return;
                Answers answers;
                up_ = !random_.chance(faults_.connect_fails) && outage() != Outage::Look::refuses;
                answers.session = up_ ? Session{Session::State::up, ""}
                                      : Session{Session::State::down, "connection refused"};
                ++unseen_;
                deliver_(std::move(answers));
              });
}

void ScriptedBroker::submit(const std::vector<Submission>& messages) {
  for (const Submission& submission : messages) {
    if (!submission.message->defect.empty()) std::abort();
    if (up_)
      wire_.push_back({submission.ticket, submission.message->seq, std::string(submission.message->topic)});
    else
      answer(Verdict::unavailable,
             submission.ticket);  // the relay does not know yet that the session is over
  }
  if (!busy_) begin_next();
}

void ScriptedBroker::begin_next() {
  if (wire_.empty()) return;
  busy_ = true;
  time_.after(random_.within(std::chrono::microseconds(10), faults_.broker_latency_max),
              [this, session = session_, was = *session_] {
                if (*session != was) return;
                busy_ = false;
                answer_next();
              });
}

std::optional<Outage::Look> ScriptedBroker::outage() const {
  for (const Outage& outage : outages_)
    if (time_.now() >= outage.begin && time_.now() < outage.end) return outage.look;
  return std::nullopt;
}

const BadTopic* ScriptedBroker::bad_topic_of(const OnTheWire& message) const {
  const auto found = std::ranges::find_if(bad_topics_, [&](const BadTopic& bad) {
    return message.topic == bad.topic && time_.now() >= bad.begin && time_.now() < bad.end;
  });
  return found == bad_topics_.end() ? nullptr : &*found;
}

void ScriptedBroker::answer_next() {
  const auto look = outage();
  if (look == Outage::Look::silent) {
    busy_ = true;
    time_.after(faults_.broker_latency_max * 4, [this, session = session_, was = *session_] {
      if (*session == was) break_session();
    });
    return;
  }
  if (look == Outage::Look::refuses || look == Outage::Look::closes) return break_session();
  if (random_.chance(faults_.session_breaks)) return break_session();
  // Sessions without an order answer, and accept, whichever they like.
  const auto which = ordered_pipeline_ ? 0 : random_.between(0, static_cast<int>(wire_.size()) - 1);
  const OnTheWire message = wire_[static_cast<std::size_t>(which)];
  wire_.erase(wire_.begin() + which);
  const auto poison = poison_.find(message.row);
  if (!look && !failing_ && poison != poison_.end() && poison->second == Poison::breaks_session) {
    wire_.push_front(message);
    return break_session();
  }
  Scope scope = Scope::route;
  Verdict verdict = verdict_on(message, scope);
  if (verdict == Verdict::accepted) log_.push_back({message.row, time_.now()});
  if (verdict != Verdict::accepted && ordered_pipeline_) failing_ = true;
  if (verdict == Verdict::accepted && random_.chance(faults_.answer_lost)) {
    verdict = Verdict::in_doubt;
    if (ordered_pipeline_) failing_ = true;
  }
  if (!busy_) begin_next();
  answer(verdict, message.ticket, scope);
}

Verdict ScriptedBroker::verdict_on(const OnTheWire& message, Scope& scope) {
  if (failing_) return Verdict::unavailable;
  const auto look = outage();
  if (look == Outage::Look::nacks) return Verdict::retry;
  if (look == Outage::Look::throttles) return Verdict::unavailable;
  if (look == Outage::Look::forbids) return Verdict::misconfigured;
  if (const BadTopic* const bad = bad_topic_of(message)) {
    scope = Scope::topic;
    return bad->verdict;
  }
  if (const auto poison = poison_.find(message.row); poison != poison_.end())
    return poison->second == Poison::nacked ? Verdict::retry : Verdict::rejected;
  if (random_.chance(faults_.rejects_for_now)) return Verdict::retry;
  if (random_.chance(faults_.throttles)) return Verdict::unavailable;
  if (random_.chance(faults_.forbids)) return Verdict::misconfigured;
  return Verdict::accepted;
}

void ScriptedBroker::seen() {
  --unseen_;
  if (unseen_ == 0 && wire_.empty()) failing_ = false;
}

void ScriptedBroker::answer(Verdict verdict, Ticket ticket, Scope scope) {
  Answers answers;
  answers.deliveries.push_back({ticket, verdict, verdict == Verdict::accepted ? "" : "scripted", scope});
  ++unseen_;
  deliver_(std::move(answers));
}

void ScriptedBroker::break_session() {
  Answers answers;
  for (const OnTheWire& message : wire_)
    answers.deliveries.push_back({message.ticket, Verdict::in_doubt, "connection lost"});
  let_go();
  answers.session = Session{Session::State::down, "connection lost"};
  ++unseen_;
  deliver_(std::move(answers));
}

void ScriptedBroker::let_go() {
  auto left = std::move(wire_);
  wire_.clear();
  bool cut = failing_;
  up_ = busy_ = failing_ = false;
  ++*session_;
  // An ordered pipe is cut at one place; other sends are independent of each other.
  Instant when = time_.now();
  for (const OnTheWire& message : left) {
    const bool lost = random_.chance(0.5) || poison_.contains(message.row) || bad_topic_of(message);
    cut = cut || (ordered_pipeline_ && lost);
    if (lost || cut) continue;
    when = (ordered_pipeline_ ? when : time_.now()) +
           random_.within(Duration::zero(), faults_.broker_latency_max * 2);
    time_.at(when, [this, row = message.row] { log_.push_back({row, time_.now()}); });
  }
}

void ScriptedBroker::crash() {
  let_go();
}

}  // namespace outbox::simulation
