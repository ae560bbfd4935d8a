// The broker of a simulated run: one log of what it accepted, and sessions that turn away, lose answers and
// break by seed.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model_database.h"

namespace outbox::simulation {

/// What was accepted, in this order, repeats included.
struct Accepted {
  std::int64_t row = 0;
  Instant when{};
};
using BrokerLog = std::vector<Accepted>;

/// A time in which the broker takes nothing, and what that looks like.
struct Outage {
  enum class Look {
    refuses,    ///< no connection
    closes,     ///< connections break with the first message
    silent,     ///< no answer comes, until the adapter gives the session up
    nacks,      ///< every message is turned away
    throttles,  ///< every message is turned away, and told not to be to blame
    forbids,    ///< ... for want of a right
  };
  static constexpr int looks = 6;

  Look look = Look::refuses;
  Instant begin{}, end{};
};

/// A topic that is not taken for a while, for somebody has to mend it.
struct BadTopic {
  std::string topic;
  Verdict verdict = Verdict::misconfigured;
  Instant begin{}, end{};
};

/// What happens to a message that is never taken.
enum class Poison { rejected, nacked, breaks_session };

class ScriptedBroker {
 public:
  ScriptedBroker(VirtualTime& time, Random& random, BrokerLog& log, const Faults& faults,
                 const std::map<std::int64_t, Poison>& poison, const std::vector<Outage>& outages,
                 const std::vector<BadTopic>& bad_topics, bool ordered_pipeline,
                 std::function<void(Answers)> deliver);

  void connect();
  void submit(const std::vector<Submission>& messages);

  /// The relay has taken in one of the answers.
  void seen();

  /// The process is gone: what is on the wire may still arrive, and late.
  void crash();

 private:
  struct OnTheWire {
    Ticket ticket = 0;
    std::int64_t row = 0;
    std::string topic;
  };

  [[nodiscard]] std::optional<Outage::Look> outage() const;
  [[nodiscard]] const BadTopic* bad_topic_of(const OnTheWire& message) const;
  Verdict verdict_on(const OnTheWire& message, Scope& scope);
  void begin_next();
  void answer_next();
  void break_session();
  void answer(Verdict verdict, Ticket ticket, Scope scope = Scope::route);
  /// What was sent and not answered arrives now, later or never; in order where the session promises order.
  void let_go();

  VirtualTime& time_;
  Random& random_;
  BrokerLog& log_;
  const Faults& faults_;
  const std::map<std::int64_t, Poison>& poison_;  ///< rows that are never taken
  const std::vector<Outage>& outages_;
  const std::vector<BadTopic>& bad_topics_;
  const bool ordered_pipeline_;
  std::function<void(Answers)> deliver_;
  std::deque<OnTheWire> wire_;
  bool up_ = false;
  bool busy_ = false;
  bool failing_ =
      false;        ///< ordered: one was turned away, so all are that were sent before the relay could know
  int unseen_ = 0;  ///< answers that the relay has not taken in yet
  std::shared_ptr<std::uint64_t> session_ = std::make_shared<std::uint64_t>(1);
};

}  // namespace outbox::simulation
