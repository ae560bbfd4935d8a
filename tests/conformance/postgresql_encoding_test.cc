// PostgreSQL databases that are not UTF-8: texts that cannot be converted, or are none.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/conformance/held_rows.h"
#include "tests/conformance/postgresql_fixture.h"

namespace outbox::test {
namespace {

class EncodedFixture : public PostgresqlFixture {
 public:
  explicit EncodedFixture(const std::string& encoding)
      : PostgresqlFixture("ENCODING '" + encoding + "' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'") {
    sql_.run("SET client_encoding = '" + encoding + "'");
  }

  /// In the database's own bytes.
  void run(const std::string& text) const { sql_.run(text); }
  /// A row of which one column is this SQL.
  void insert(const std::string& column, const std::string& value) const {
    run(column == "topic" ? "INSERT INTO outbox (topic, payload) VALUES (" + value + ", 'p')"
                          : "INSERT INTO outbox (topic, " + column + ") VALUES ('t', " + value + ")");
  }

 private:
  Sql sql_{url};
};

Batch read_some(Holder& holder, std::size_t rows_max = 1000) {
  auto batch = holder.store->read(holder.mark, {rows_max, 1u << 24});
  REQUIRE_MESSAGE(batch, batch.error().text);
  holder.mark = batch->end;
  return std::move(*batch);
}

/// Every row until nothing more is there, with the memory that it lies in.
std::vector<Batch> read_batches(Holder& holder, std::size_t rows_max = 1000) {
  std::vector<Batch> batches;
  do batches.push_back(read_some(holder, rows_max));
  while (batches.back().more);
  return batches;
}

std::vector<Message> messages_of(const std::vector<Batch>& batches) {
  std::vector<Message> all;
  for (const Batch& batch : batches) all.insert(all.end(), batch.messages.begin(), batch.messages.end());
  return all;
}

// 0x81 is nothing in WIN1252; the server takes it all the same
constexpr const char* broken_text = "convert_from('\\x6b81', 'WIN1252')";

/// Two broken rows behind so many good ones.
void check_broken(const std::string& column, const std::string& value, std::size_t before) {
  CAPTURE(column);
  CAPTURE(before);
  EncodedFixture fixture("WIN1252");
  const std::string good = "INSERT INTO outbox (topic, message_key, payload) VALUES ('t', 'k\xe9', 'good')";
  Holder holder = holder_of(fixture);
  if (before != 2) read_batches(holder);  // else the first range of all, which is not sorted
  for (std::size_t i = 0; i < before; ++i) fixture.run(good);
  fixture.insert(column, value);
  fixture.insert(column, value);
  fixture.run(good);

  const auto batches = read_batches(holder, 10);
  const auto messages = messages_of(batches);
  REQUIRE(messages.size() == before + 3);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const Message& message = messages[i];
    CAPTURE(message.defect);
    if (i < before || i == before + 2) {
      CHECK(message.defect == "");
      CHECK(message.key == "k\xc3\xa9");
      CHECK(message.payload == "good");
      continue;
    }
    CHECK(message.defect.find("column " + column + " cannot be converted") == 0);
    CHECK(message.defect.find("0x81") != std::string_view::npos);
    CHECK(message.topic == (column == "topic" ? "k\\201" : "t"));
    if (column == "message_key") CHECK(message.key == "k\\201");
  }
  REQUIRE(holder.store->settle(holder.lease, holder.mark, {}));
  CHECK(fixture.admin()->backlog("orders")->pending == 0);
  CHECK(read_some(holder).messages.empty());
}

TEST_CASE("PostgreSQL: a text that cannot be converted is a defect of its row alone, and is named") {
  SUBCASE("in any column") {
    for (const char* column : {"topic", "message_key", "type", "data", "content_type"})
      check_broken(column, broken_text, 0);
    check_broken("headers", "jsonb_build_object('name', " + std::string(broken_text) + ")", 0);
  }
  SUBCASE("behind few others") {
    check_broken("topic", broken_text, 2);
    check_broken("topic", broken_text, 5);
  }
  SUBCASE("behind so many that they are paged") {
    check_broken("message_key", broken_text, 300);
  }
}

TEST_CASE("PostgreSQL: a held row that cannot be converted is found among those that are due") {
  EncodedFixture fixture("EUC_JP");
  Holder holder = holder_of(fixture);
  fixture.run("INSERT INTO outbox (topic, message_key, payload) VALUES ('t', 'a', 'good')");
  // a row of JIS X 0212 that has no character of Unicode
  fixture.insert("topic", "convert_from('\\x8fa2a1', 'EUC_JP')");
  fixture.run("INSERT INTO outbox (topic, message_key, payload) VALUES ('t', 'b', 'good')");
  HeldWrites held;
  const auto batches = read_batches(holder);
  for (const Message& message : messages_of(batches)) {
    held.holds.push_back(hold_of(message, HeldState::retrying));
    held.holds.back().due_in = Duration::zero();
  }
  REQUIRE(held.holds.size() == 3);
  const auto settled = holder.store->settle(holder.lease, holder.mark, held);
  REQUIRE_MESSAGE(settled, settled.error().text);

  std::string seen;
  for (int reads = 0; reads < 10; ++reads) {
    const auto due = holder.store->read_held(holder.lease, {10, 1u << 20});
    REQUIRE_MESSAGE(due, due.error().text);
    HeldWrites done;
    for (const Message& message : due->rows.messages) {
      seen += message.defect.empty() ? "good " : "broken ";
      done.removals.push_back({message.seq, std::nullopt});
      if (message.key) done.removals.back().key = std::string(*message.key);
    }
    REQUIRE(holder.store->settle(holder.lease, holder.mark, done));
    if (!due->rows.more && due->rows.messages.empty()) break;
  }
  CHECK(std::ranges::count(seen, ' ') == 3);
  CHECK(seen.find("broken") != std::string::npos);
}

TEST_CASE("PostgreSQL: operators see rows that cannot be converted, and all others") {
  EncodedFixture fixture("WIN1252");
  Holder holder = holder_of(fixture);
  fixture.insert("topic", "convert_from('\\x6b81', 'WIN1252')");
  fixture.insert("topic", "'caf\xe9'");
  fixture.insert("topic", "'tea'");
  HeldWrites held;
  const auto batches = read_batches(holder);
  for (const Message& message : messages_of(batches))
    held.holds.push_back(hold_of(message, HeldState::unrouted));
  REQUIRE(held.holds.size() == 3);
  held.holds[2].state = HeldState::dead;
  held.holds[2].last_error = "no \u2192 route: caf\u00e9";
  const auto settled = holder.store->settle(holder.lease, holder.mark, held);
  REQUIRE_MESSAGE(settled, settled.error().text);

  const auto admin = fixture.admin();
  const auto listed = admin->held({}, {}, 10);
  REQUIRE_MESSAGE(listed, listed.error().text);
  REQUIRE(listed->size() == 3);
  CHECK((*listed)[0].topic == "k\\201");
  CHECK((*listed)[2].last_error == "no ? route: caf?");
  CHECK(listed->at(1).topic == "caf\u00e9");
  const auto topics = admin->unrouted_topics();
  REQUIRE_MESSAGE(topics, topics.error().text);
  CHECK(topics->size() == 2);
  const auto shown = admin->message({}, 1, true);
  REQUIRE_MESSAGE(shown, shown.error().text);
  REQUIRE(*shown);
  CHECK((*shown)->topic == "k\\201");
  CHECK((*shown)->routes.size() == 1);
  HeldFilter all;
  all.route = "orders";
  const auto gone = admin->change_held(HeldAction::discard, all, 10, false, "jos\u00e9 \u2192");
  REQUIRE_MESSAGE(gone, gone.error().text);
  CHECK(gone->changed == 3);
  CHECK(fixture.audit() == std::vector<std::string>{"jos? ? discard orders"});
}

TEST_CASE("PostgreSQL: without an encoding texts arrive as their bytes") {
  EncodedFixture fixture("SQL_ASCII");
  Holder holder = holder_of(fixture);
  fixture.run(
      "INSERT INTO outbox (topic, message_key, headers, payload) VALUES ('t', E'k\\xff', '{}', 'p'), "
      "('\xc3\xa9', 'k', '{\"a\": \"\xc3\xa9\"}', 'p')");
  const Batch batch = read_some(holder);
  REQUIRE(batch.messages.size() == 2);
  CHECK(batch.messages[0].key == "k\xff");
  CHECK(batch.messages[1].topic == "\u00e9");
  CHECK(batch.messages[1].headers.front().value == "\u00e9");
  HeldWrites held;
  for (const Message& message : batch.messages) held.holds.push_back(hold_of(message, HeldState::dead));
  const auto settled = holder.store->settle(holder.lease, holder.mark, held);
  REQUIRE_MESSAGE(settled, settled.error().text);
  const auto listed = fixture.admin()->held({}, {}, 10);
  REQUIRE_MESSAGE(listed, listed.error().text);
  CHECK(listed->front().key == "k\xff");
}

TEST_CASE("PostgreSQL: a topic that the database cannot write makes its route misconfigured") {
  EncodedFixture fixture("WIN1252");
  LeaseRequest request = request_of("relay-1");
  request.topics = {"caf\u00e9.*"};
  const auto store = fixture.store();
  REQUIRE(store->acquire(request));
  request.route = "other";
  request.topics = {"orders", "\u0437\u0430\u043a\u0430\u0437.*"};
  for (int attempts = 0; attempts < 2; ++attempts) {
    const auto refused = fixture.store()->acquire(request);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().fault == Fault::misconfigured);
    CHECK(refused.error().text.find(request.topics[1]) != std::string::npos);
    CHECK(refused.error().text.find("WIN1252") != std::string::npos);
  }
}

TEST_CASE("PostgreSQL: check names an encoding that is not UTF-8") {
  const auto warns = [](PostgresqlFixture&& fixture) {
    const auto findings = fixture.admin()->check();
    REQUIRE_MESSAGE(findings, findings.error().text);
    return std::ranges::any_of(*findings, [](const Finding& finding) {
      return finding.level == Finding::Level::warning && finding.what.find("encoding") != std::string::npos;
    });
  };
  CHECK(warns(EncodedFixture("SQL_ASCII")));
  CHECK(warns(EncodedFixture("EUC_JP")));
  CHECK_FALSE(warns(EncodedFixture("UTF8")));
}

}  // namespace
}  // namespace outbox::test
