// What a SQLite outbox row becomes, whatever a service has put into it.
#include <doctest/doctest.h>

#include <map>
#include <string>

#include "tests/conformance/sqlite_fixture.h"

namespace outbox::test {
namespace {

using namespace std::chrono_literals;

Batch all_rows(const SqliteFixture& outbox) {
  auto store = outbox.store();
  granted(*store);
  return must(store->read({}, plenty));
}

Message only_row(const SqliteFixture& outbox, Batch& batch) {
  batch = all_rows(outbox);
  REQUIRE(batch.messages.size() == 1);
  return batch.messages.front();
}

TEST_CASE("a plain INSERT arrives with every column and the table's defaults") {
  SqliteFixture outbox;
  outbox.execute(
      "INSERT INTO outbox (topic, message_key, type, payload, headers) VALUES "
      "('orders', 'k\xC3\xA4se', 'order.placed', x'00ff80', "
      "'{\"traceparent\":\"00-1\",\"x\":\"\xF0\x9F\x98\x80\"}')");
  Batch batch;
  const Message message = only_row(outbox, batch);
  CHECK(message.seq == 1);
  CHECK(message.id_text()[14] == '4');
  CHECK(message.topic == "orders");
  CHECK(message.key == "k\xC3\xA4se");
  CHECK(message.type == "order.placed");
  CHECK(message.payload == std::string_view("\0\xff\x80", 3));
  CHECK(message.content_type == "application/json");
  REQUIRE(message.headers.size() == 2);
  CHECK(message.headers[1].value == "\xF0\x9F\x98\x80");
  CHECK(message.age >= -1ms);
  CHECK(message.age < 1min);
  CHECK(message.due_in <= 0s);
  CHECK(message.defect.empty());
}

TEST_CASE("a batch ends at the limit of messages and says whether there are more") {
  SqliteFixture outbox;
  outbox.insert(10);
  auto store = outbox.store();
  granted(*store);
  const Batch first = must(store->read({}, {4, 1 << 20}));
  CHECK(seqs_of(first) == std::vector<std::int64_t>{1, 2, 3, 4});
  CHECK(first.more);
  CHECK(first.end.seq == 4);
  const Batch second = must(store->read(first.end, {6, 1 << 20}));
  CHECK(second.messages.size() == 6);
  CHECK_FALSE(second.more);
  const Batch third = must(store->read(second.end, {6, 1 << 20}));
  CHECK(third.messages.empty());
  CHECK_FALSE(third.more);
  CHECK(third.end == second.end);
}

TEST_CASE("a batch ends with the row that reaches the limit of bytes, and has one at least") {
  SqliteFixture outbox;
  outbox.execute(
      "INSERT INTO outbox (topic, payload) VALUES ('t', zeroblob(1000000)), ('t', zeroblob(500)), ('t', "
      "zeroblob(500))");
  auto store = outbox.store();
  granted(*store);
  Batch batch = must(store->read({}, {100, 1}));
  CHECK(seqs_of(batch) == std::vector<std::int64_t>{1});
  CHECK(batch.more);
  CHECK(batch.messages.front().payload == std::string(1'000'000, '\0'));
  batch = must(store->read({"", 1}, {100, 600}));
  CHECK(seqs_of(batch) == std::vector<std::int64_t>{2});
}

TEST_CASE("every byte value, an empty payload and text for a blob arrive byte for byte") {
  SqliteFixture outbox;
  std::string bytes;
  for (int value = 0; value < 256; ++value) bytes += static_cast<char>(value);
  auto service = outbox.service();
  auto insert = must(service.prepare("INSERT INTO outbox (topic, payload) VALUES ('t', ?1)", "test"));
  CHECK(insert.bind_blob(1, bytes).run() == SQLITE_DONE);
  CHECK(insert.bind_blob(1, "").run() == SQLITE_DONE);
  CHECK(insert.bind(1, std::string_view("a\0b", 3)).run() == SQLITE_DONE);
  CHECK(insert.bind(1, std::int64_t{-42}).run() == SQLITE_DONE);
  const Batch batch = all_rows(outbox);
  REQUIRE(batch.messages.size() == 4);
  CHECK(batch.messages[0].payload == bytes);
  CHECK(batch.messages[1].payload.empty());
  CHECK(batch.messages[2].payload == std::string_view("a\0b", 3));
  CHECK(batch.messages[3].payload == "-42");
  for (const Message& message : batch.messages) CHECK(message.defect.empty());
}

TEST_CASE("a database in UTF-16 delivers text as UTF-8 and blobs untouched") {
  TempDir directory;
  const StoreTarget target{"sqlite:" + (directory / "utf16.db"), "outbox"};
  auto service = must(sqlite::Connection::open(directory / "utf16.db", sqlite::Access::create, {}));
  must(service.execute("PRAGMA encoding = 'UTF-16le'; CREATE TABLE orders (a)", "test"));
  must(must(sqlite_adapter().open_admin(target))->apply(sqlite_adapter().migrations.front()));
  must(service.execute("INSERT INTO outbox (topic, payload) VALUES ('\xC3\xA9', '\xC3\xA9'), ('t', x'e900')",
                       "test"));
  auto store = must(sqlite_adapter().open_store(target));
  granted(*store);
  const Batch batch = must(store->read({}, plenty));
  CHECK(batch.messages[0].topic == "\xC3\xA9");
  CHECK(batch.messages[0].payload == "\xC3\xA9");
  CHECK(batch.messages[1].payload == std::string_view("\xe9\0", 2));
  CHECK(batch.messages[1].defect.empty());
}

TEST_CASE("an id may be a UUID in any case or its sixteen bytes") {
  SqliteFixture outbox;
  outbox.execute(
      "INSERT INTO outbox (id, topic, payload) VALUES ('01234567-89AB-CDEF-0123-456789ABCDEF', 't', ''), "
      "(x'0123456789abcdef0123456789abcdef', 't', '')");
  const Batch batch = all_rows(outbox);
  for (const Message& message : batch.messages) {
    CHECK(message.id_text() == "01234567-89ab-cdef-0123-456789abcdef");
    CHECK(message.defect.empty());
  }
}

TEST_CASE("what cannot be delivered exactly is a defect that names the column") {
  const std::map<std::string, std::string> faults = {
      {"id, payload) VALUES ('t', 'order 1', '')", "id"},
      {"id, payload) VALUES ('t', 'sixteen letters.', '')", "id"},
      {"headers, payload) VALUES ('t', '[1]', '')", "headers"},
      {"headers, payload) VALUES ('t', '{\"a\":1}', '')", "headers"},
      {"headers, payload) VALUES ('t', 'not json', '')", "headers"},
      {"headers, payload) VALUES ('t', 7, '')", "headers"},
      {"created_at, payload) VALUES ('t', 'yesterday', '')", "created_at"},
      {"created_at, payload) VALUES ('t', '2026-02-30', '')", "created_at"},
      {"deliver_at, payload) VALUES ('t', 'soon', '')", "deliver_at"},
      {"payload) VALUES ('t', 0.1)", "floating"},
  };
  for (const auto& [sql, named] : faults) {
    CAPTURE(sql);
    SqliteFixture outbox;
    outbox.execute("INSERT INTO outbox (topic, " + sql);
    Batch batch;
    const Message message = only_row(outbox, batch);
    CAPTURE(message.defect);
    CHECK(message.defect.find(named) != std::string_view::npos);
    CHECK(message.topic == "t");
  }
}

TEST_CASE("deliver_at is understood in every spelling, and far away is no overflow") {
  SqliteFixture outbox;
  outbox.execute(
      "INSERT INTO outbox (topic, payload, deliver_at) VALUES "
      "('t', '', strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1 hour')), ('t', '', datetime('now', '+1 hour')), "
      "('t', '', datetime('now', '+2 hour') || '+01:00'), ('t', '', '1999-12-31'), ('t', '', '9999-12-31')");
  const Batch batch = all_rows(outbox);
  REQUIRE(batch.messages.size() == 5);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(batch.messages[i].due_in > 59min);
    CHECK(batch.messages[i].due_in <= 1h);
  }
  CHECK(batch.messages[3].due_in < 0s);
  CHECK(batch.messages[4].due_in > 24h * 365 * 99);
}

TEST_CASE("a table of another name is created, filled, read and removed by that name") {
  SqliteFixture outbox("Order$outbox_2");
  outbox.insert(2);
  CHECK(all_rows(outbox).messages.size() == 2);
  NewRow row;
  row.topic = "t";
  must(outbox.admin()->send(row));
  CHECK(must(outbox.admin()->backlog("main")).pending == 3);
  must(outbox.admin()->revert(sqlite_adapter().migrations.front(), true));
  auto store = outbox.store();
  CHECK(store->acquire(request()).error().fault == Fault::misconfigured);
}

}  // namespace
}  // namespace outbox::test
