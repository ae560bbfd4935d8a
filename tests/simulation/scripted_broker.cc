#include "scripted_broker.h"

#include <algorithm>
#include <utility>

namespace outbox::simulation {

ScriptedBroker::ScriptedBroker(VirtualTime& time, Random& random, BrokerLog& log, const Faults& faults,
                               const std::set<std::int64_t>& poison, bool ordered_pipeline,
                               std::function<void(Answers)> deliver)
    : time_(time),
      random_(random),
      log_(log),
      faults_(faults),
      poison_(poison),
      ordered_pipeline_(ordered_pipeline),
      deliver_(std::move(deliver)) {}

void ScriptedBroker::connect() {
  time_.after(random_.within(std::chrono::microseconds(100), faults_.broker_latency_max),
              [this, session = session_, was = *session_] {
                if (*session != was) return;
                Answers answers;
                up_ = !random_.chance(faults_.connect_fails);
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
      wire_.push_back({submission.ticket, submission.message->seq});
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

void ScriptedBroker::answer_next() {
  if (random_.chance(faults_.session_breaks)) return break_session();
  // Sessions without an order answer, and accept, whichever they like.
  const auto which = ordered_pipeline_ ? 0 : random_.between(0, static_cast<int>(wire_.size()) - 1);
  const OnTheWire message = wire_[static_cast<std::size_t>(which)];
  wire_.erase(wire_.begin() + which);
  Verdict verdict = Verdict::accepted;
  if (failing_)
    verdict = Verdict::unavailable;
  else if (poison_.contains(message.row))
    verdict = Verdict::rejected;
  else if (random_.chance(faults_.rejects_for_now))
    verdict = Verdict::retry;
  else if (random_.chance(faults_.throttles))
    verdict = Verdict::unavailable;
  else if (random_.chance(faults_.forbids))
    verdict = Verdict::misconfigured;
  else
    log_.push_back({message.row, time_.now()});
  if (verdict != Verdict::accepted && ordered_pipeline_) failing_ = true;
  if (verdict == Verdict::accepted && random_.chance(faults_.answer_lost)) {
    verdict = Verdict::in_doubt;
    if (ordered_pipeline_) failing_ = true;
  }
  if (!busy_) begin_next();
  answer(verdict, message.ticket);
}

void ScriptedBroker::seen() {
  --unseen_;
  if (unseen_ == 0 && wire_.empty()) failing_ = false;
}

void ScriptedBroker::answer(Verdict verdict, Ticket ticket) {
  Answers answers;
  answers.deliveries.push_back({ticket, verdict, verdict == Verdict::accepted ? "" : "scripted"});
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
    const bool lost = random_.chance(0.5) || poison_.contains(message.row);
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
