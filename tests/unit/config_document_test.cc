#include <doctest/doctest.h>

#include <random>

#include "config/checks.h"
#include "config/document.h"
#include "config/value.h"
#include "config_fixture.h"

using namespace outbox;
using namespace outbox::test;
using namespace std::chrono_literals;

TEST_CASE("JSON and TOML make the same configuration, and JSON has places too") {
  const std::string json = R"({
  "database": {"url": "sqlite:a.db"},
  "relay": {"window": 5, "lease": "20s"},
  "route": [{"name": "a", "to": "redis://h", "topics": ["x", "y"], "redis": {"trim": true, "maxlen": 3}}]
})";
  const Loaded loaded = load({.file = json});
  CHECK(joined(loaded.faults) == "");
  CHECK(loaded.config.window == 5);
  CHECK(loaded.config.lease == 20s);
  CHECK(loaded.config.routes.at(0).topics == std::vector<std::string>{"x", "y"});
  CHECK(std::get<bool>(loaded.config.routes[0].settings.at("trim")));

  const Loaded wrong = load({.file = "{\n  \"database\": {\"url\": \"sqlite:a\"},\n  \"relay\": { \"window\" "
                                     ": -12,\n\"shrads\":1},\n \"route\": [{\"to\": \"file:a\"}, 5]}"});
  REQUIRE(wrong.faults.size() == 3);
  CHECK(wrong.faults[0].starts_with("FILE:3:25: relay.window: is -12"));
  CHECK(wrong.faults[1] == "FILE:4:1: relay.shrads: unknown key, did you mean shards?");
  CHECK(wrong.faults[2].starts_with("FILE:5:30: route: is an integer"));
}

TEST_CASE("a JSON fault of form names its place") {
  const auto fault = [](const std::string& text) { return joined(load({.file = text}).faults); };
  CHECK(fault("{\"a\": 1,\n \"a\": 2}") == "FILE:2:2: this name stands twice in the same object\n");
  CHECK(fault("{\n\"relay\": {]}").starts_with("FILE:2:11: this is no JSON; expected "));
  CHECK(fault("{\"a\":" + std::string(100, '[')).ends_with("nested too deeply\n"));
}

TEST_CASE("a TOML fault of form names its place") {
  const auto fault = [](const std::string& text) { return joined(load({.file = text}).faults); };
  CHECK(fault("[relay]\nwindow = \n").starts_with("FILE:2:"));
  CHECK(fault("[relay]\nwindow = 1\nwindow = 2\n").starts_with("FILE:3:"));
  CHECK(fault("[relay]\nx = \"unfinished\n").starts_with("FILE:2:"));
}

TEST_CASE("a file nested too deeply is a fault with its place, whatever nests it") {
  const auto repeated = [](const std::string& text, int times) {
    std::string result;
    for (int i = 0; i < times; ++i) result += text;
    return result;
  };
  const std::string dots = repeated("a.", 200'000);
  for (const std::string& text : {"x = 1\n" + dots + "b = 1\n", "x = 1\n[" + dots + "b]\n",
                                  "x = 1\n" + repeated("'a' . ", 50'000) + "b = 1\n",
                                  "x = 1\ny = " + repeated("{a.b = [\n", 100) + repeated("]}", 100),
                                  "x = 1\ny = " + std::string(200'000, '[')}) {
    const Document document = parse_document(text);
    REQUIRE(document.problem);
    CHECK(document.problem->at.line >= 2);
    CHECK(document.problem->text.find("nest") != std::string::npos);
  }
  const Document nested = parse_document(repeated("{\"a\":", 100'000));
  REQUIRE(nested.problem);
  CHECK(nested.problem->text == "nested too deeply");
}

TEST_CASE("dots in strings and comments nest nothing") {
  const std::string dots(1000, '.');
  const Document document =
      parse_document("# " + dots + "\na = \"" + dots + "\\\"\" # " + dots + "\nb = ['" + dots + "',\n\"\"\"" +
                     dots + "\n\"" + dots + "\"\"\"]\nc.d.e = 1.5\n");
  CHECK_FALSE(document.problem);
  CHECK(document.root.items.size() == 3);
}

TEST_CASE("a duration is a whole number with a unit") {
  CHECK(parse_duration("200ms") == 200ms);
  CHECK(parse_duration("10s") == 10s);
  CHECK(parse_duration("5m") == 5min);
  CHECK(parse_duration("1h") == 1h);
  CHECK(parse_duration("0s") == 0s);
  CHECK(parse_duration("1d") == 24h);
  for (const char* text : {"", "s", "10", "-1s", "1.5s", " 1s", "1 s", "1s ", "1S", "1w",
                           "99999999999999999999s", "9999999999d", "+1s"})
    CHECK_FALSE(parse_duration(text));
  for (const char* text : {"200ms", "10s", "5m", "36h", "2d", "0s"})
    CHECK(duration_text(*parse_duration(text)) == text);
}

TEST_CASE("table names cannot carry SQL") {
  for (const char* text : {"outbox", "app.outbox", "_a$1", "A.b"}) CHECK(check_table(text) == "");
  for (const char* text : {"", ".", "a.", ".a", "a.b.c", "1a", "a b", "a\"b", "a;b", "a-b", "ä", "$a"})
    CHECK(check_table(text) != "");
  CHECK(check_table(std::string(63, 'a')) == "");
  CHECK(check_table(std::string(64, 'a')) != "");
}

TEST_CASE("the default source names the database and is a URI") {
  CHECK(default_source("postgresql://u:p@h/orders?sslmode=require") == "outboxd/orders");
  CHECK(default_source("postgresql:///?dbname=a b") == "outboxd/a%20b");
  CHECK(default_source("postgresql://u@h") == "outboxd/u");
  CHECK(default_source("sqlite:/data/shop.db") == "outboxd/shop");
  CHECK(default_source("") == "outboxd");
}

TEST_CASE("a suggestion is near or none") {
  CHECK(edit_distance("window", "windwo") == 1);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(nearest("windw", {"lease", "window"}) == "window");
  CHECK(nearest("zzz", {"lease", "window"}) == "");
  CHECK(suggestion("zzz", {"a", "b"}) == ", allowed: a, b");
}

TEST_CASE("no damage to a file crashes the loader, and every fault names a place") {
  std::mt19937 random(20240131);
  const Folder folder;
  const std::string json =
      R"({"database":{"url":"sqlite:a"},"relay":{"window":5},"route":[{"name":"a","to":"redis://h","redis":{"maxlen":1}}]})";
  const std::string pieces[] = {"\"",
                                "[",
                                "]",
                                "{",
                                "}",
                                "=",
                                "\n",
                                "${",
                                "$${",
                                "}",
                                ".",
                                ",",
                                "[[",
                                "]]",
                                "\xFF",
                                std::string(1, '\0'),
                                "99999999999999999999",
                                "'''",
                                "#",
                                "\\u00",
                                "true",
                                "1.5",
                                "e",
                                "-"};
  for (int run = 0; run < 4000; ++run) {
    std::string text = run % 2 ? right_file : json;
    for (unsigned change = random() % 4 + 1; change > 0; --change) {
      const std::size_t place = random() % (text.size() + 1);
      switch (random() % 4) {
        case 0:
          text.erase(place, random() % 8);
          break;
        case 1:
          text.insert(place, pieces[random() % std::size(pieces)]);
          break;
        case 2:
          if (place < text.size()) text[place] = static_cast<char>(random());
          break;
        default:
          text.insert(place, text.substr(random() % (text.size() + 1), random() % 40));
          break;
      }
    }
    if (text.empty()) continue;
    Sources sources;
    sources.file = folder.write("outboxd.conf", text);
    sources.brokers = brokers();
    sources.stores = stores();
    for (const std::string& fault : load_config(sources).faults) {
      CAPTURE(run);
      CHECK(fault.starts_with(*sources.file + ":"));
    }
  }
}
