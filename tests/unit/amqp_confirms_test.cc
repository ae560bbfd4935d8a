// Which messages a confirm speaks of, and what RabbitMQ's codes mean.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "adapters/brokers/amqp/amqp_errors.h"
#include "adapters/brokers/amqp/unconfirmed.h"
#include "tests/support/rows.h"

namespace outbox::test {
namespace {

class Window {
 public:
  explicit Window(int count) {
    for (int i = 1; i <= count; ++i) {
      rows.add();
      unconfirmed.push(static_cast<Ticket>(i), &rows.message(i), 0, 1);
    }
  }
  /// The tickets that it settled; empty also when it knows no such tag.
  std::vector<Ticket> answer(std::uint64_t tag, bool multiple) {
    std::vector<Ticket> settled;
    is_known = unconfirmed.answer(tag, multiple, [&](const Unconfirmed::Entry& entry) {
      settled.push_back(entry.ticket);
      if (entry.is_returned) returned.push_back(entry.ticket);
    });
    return settled;
  }

  Rows rows;
  Unconfirmed unconfirmed;
  bool is_known = false;
  std::vector<Ticket> returned;
};

using Tickets = std::vector<Ticket>;

TEST_CASE("confirms: one of many settles all before it that were not settled yet") {
  Window messages(6);
  CHECK(messages.answer(3, false) == Tickets{3});
  CHECK(messages.answer(5, true) == Tickets{1, 2, 4, 5});
  CHECK(messages.unconfirmed.open() == 1);
  CHECK(messages.unconfirmed.oldest().ticket == 6);
  CHECK(messages.answer(6, true) == Tickets{6});
  CHECK(messages.unconfirmed.empty());
}

TEST_CASE("confirms: in any order each settles its own message") {
  Window messages(3);
  CHECK(messages.answer(2, false) == Tickets{2});
  CHECK(messages.unconfirmed.oldest().ticket == 1);
  CHECK(messages.answer(1, false) == Tickets{1});
  CHECK(messages.unconfirmed.oldest().ticket == 3);
}

TEST_CASE("confirms: a tag that nobody waits for is known as such") {
  Window messages(2);
  CHECK(messages.answer(1, false) == Tickets{1});
  for (const std::uint64_t tag : {0, 1, 3}) {
    CHECK(messages.answer(tag, true).empty());
    CHECK(!messages.is_known);
  }
  CHECK(messages.answer(2, true) == Tickets{2});
}

TEST_CASE("confirms: a returned message is the first with its id and topic that is not returned yet") {
  Window messages(3);
  messages.rows.message(2).id = messages.rows.message(1).id;
  const std::string id(messages.rows.message(1).id_text());
  CHECK(messages.unconfirmed.mark_returned(id, "order.placed"));
  CHECK(messages.unconfirmed.mark_returned(id, "order.placed"));
  CHECK(!messages.unconfirmed.mark_returned(id, "order.placed"));
  CHECK(!messages.unconfirmed.mark_returned(uuid_of(3), "another.topic"));
  messages.answer(3, true);
  CHECK(messages.returned == Tickets{1, 2});
}

TEST_CASE("confirms: what is given up is what has no answer, and tags begin anew") {
  Window messages(3);
  messages.answer(2, false);
  Tickets given_up;
  messages.unconfirmed.give_up([&](const Unconfirmed::Entry& entry) { given_up.push_back(entry.ticket); });
  CHECK(given_up == Tickets{1, 3});
  messages.unconfirmed.push(9, &messages.rows.message(1), 0, 1);
  CHECK(messages.answer(1, false) == Tickets{9});
}

TEST_CASE("codes: of a message, too large is rejected, no exchange and no right are misconfigured") {
  CHECK(verdict_of_close(311) == Verdict::rejected);
  CHECK(verdict_of_close(406) == Verdict::rejected);
  CHECK(verdict_of_close(403) == Verdict::misconfigured);
  CHECK(verdict_of_close(404) == Verdict::misconfigured);
  CHECK(verdict_of_close(541) == Verdict::retry);
}

TEST_CASE("codes: of a session, login and virtual host are misconfigured, a limit and a stop pass") {
  CHECK(fault_of_close(403, "ACCESS_REFUSED - Login was refused") == Fault::misconfigured);
  CHECK(fault_of_close(530, "NOT_ALLOWED - vhost shop not found") == Fault::misconfigured);
  CHECK(fault_of_close(530, "NOT_ALLOWED - connection limit (1) is reached") == Fault::unavailable);
  CHECK(fault_of_close(320, "CONNECTION_FORCED - shutdown") == Fault::unavailable);
}

TEST_CASE("codes: shown without the password, on one line") {
  CHECK(shown_close(403, "no\nhidden here", "hidden") == "403 no?*** here");
}

}  // namespace
}  // namespace outbox::test
