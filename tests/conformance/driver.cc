#include <doctest/doctest.h>

#include <algorithm>
#include <utility>

#include "tests/conformance/broker_suite.h"

namespace outbox::test {

using std::chrono::steady_clock;

Session Driver::connect() {
  session_.reset();
  broker_.connect();
  return session();
}

void Driver::submit(std::span<const Submission> messages) {
  open_ += messages.size();
  broker_.submit(messages);
}

bool Driver::poll() {
  Answers answers;
  broker_.poll(std::chrono::milliseconds(100), answers);
  REQUIRE_MESSAGE(answers.deliveries.size() <= open_, "more deliveries than messages were submitted");
  open_ -= answers.deliveries.size();
  std::ranges::move(answers.deliveries, std::back_inserter(deliveries_));
  if (!answers.session) return false;
  session_ = answers.session;
  is_up_ = session_->state == Session::State::up;
  if (!is_up_) REQUIRE_MESSAGE(open_ == 0, "a session that ended owes deliveries");
  return true;
}

std::vector<Delivery> Driver::deliveries(std::chrono::milliseconds deadline) {
  const auto end = steady_clock::now() + deadline;
  while (open_ > 0) {
    REQUIRE_MESSAGE(steady_clock::now() < end, open_, " messages without a delivery");
    poll();
  }
  return std::exchange(deliveries_, {});
}

Session Driver::session(std::chrono::milliseconds deadline) {
  const auto end = steady_clock::now() + deadline;
  while (!session_) {
    REQUIRE_MESSAGE(steady_clock::now() < end, "the session does not change");
    poll();
  }
  const Session found = *std::exchange(session_, std::nullopt);
  // The relay goes on polling while it waits before the next session.
  for (int i = 0; i < 2 && found.state != Session::State::up; ++i) {
    Answers none;
    broker_.poll(std::chrono::milliseconds(1), none);
    REQUIRE_MESSAGE((none.deliveries.empty() && !none.session), "a session that ended has more to say");
  }
  return found;
}

std::vector<Delivery> Driver::publish(const Rows& rows, std::int64_t first) {
  if (!is_up_) {
    const Session session = connect();
    REQUIRE_MESSAGE(session.state == Session::State::up, session.reason);
  }
  submit(rows.submissions(first));
  return deliveries();
}

Delivery delivery_of(const std::vector<Delivery>& deliveries, std::int64_t number) {
  const auto is_it = [=](const Delivery& delivery) { return delivery.ticket == static_cast<Ticket>(number); };
  REQUIRE(std::ranges::count_if(deliveries, is_it) == 1);
  return *std::ranges::find_if(deliveries, is_it);
}

std::string refusal(const BrokerAdapter& adapter, const std::string& url, const Settings& changed,
                    int sessions) {
  BrokerTarget target{url, "/tests", Attributes::full, default_settings(adapter.settings)};
  for (const auto& [key, value] : changed) target.settings.at(key) = value;
  target.sessions = sessions;
  const auto opened = adapter.open(target);
  REQUIRE_MESSAGE(!opened, url);
  CHECK(opened.error().fault == Fault::misconfigured);
  CHECK(opened.error().text.find("hidden") == std::string::npos);
  return opened.error().text;
}

CheckReport::CheckReport(const BrokerAdapter& adapter, const std::string& url,
                         const std::vector<std::string>& topics, const Settings& changed) {
  BrokerTarget target{url, "/tests", Attributes::full, default_settings(adapter.settings), true};
  for (const auto& [key, value] : changed) target.settings.at(key) = value;
  all_ = adapter.check(target, topics, patience);
  for (const Finding& finding : all_)
    CHECK_MESSAGE((finding.level == Finding::Level::ok) == finding.fix.empty(), finding.what);
}

Finding CheckReport::about(std::string_view text) const {
  const auto found = std::ranges::find_if(
      all_, [=](const Finding& finding) { return finding.what.find(text) != std::string::npos; });
  REQUIRE_MESSAGE(found != all_.end(), "nothing is said of ", text);
  return *found;
}

std::string CheckReport::of(std::string_view text) const {
  for (const Finding& finding : all_)
    if (finding.what.find(text) != std::string::npos)
      return finding.level == Finding::Level::ok        ? "ok"
             : finding.level == Finding::Level::warning ? "warning"
                                                        : "fault";
  return "none";
}

bool CheckReport::are_all_ok() const {
  return std::ranges::all_of(all_, [](const Finding& one) { return one.level == Finding::Level::ok; });
}

}  // namespace outbox::test
