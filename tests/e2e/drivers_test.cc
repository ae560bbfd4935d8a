// What services write with the drivers and ORMs that they use arrives character by character, under the
// rights of grants.sql.
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "tests/conformance/postgresql_fixture.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {
namespace {

/// What a driver that takes text for an escape literal, or the reverse, would change or refuse.
const std::vector<std::string> texts = {R"({"path": "C:\\temp\\new", "quote": "\"", "line": "a\nb"})",
                                        R"(C:\temp\x41\\)",
                                        "it's; -- $1 %s :name ?",
                                        "\xf0\x9f\x98\x80 \xc3\xa9 e\xcc\x81",
                                        "line\r\n\tnext\x01\x7f",
                                        "\\x",
                                        ""};

std::string in_hex(const std::string& text) {
  std::string result;
  for (const char c : text)
    for (const int nibble : {static_cast<unsigned char>(c) >> 4, c & 15})
      result += "0123456789abcdef"[nibble];
  return result;
}

void check_driver(const std::string& program, const std::vector<std::string>& topics) {
  const PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  grant_roles(fixture.url, "test_service", "test_relay");
  const TempDir directory;
  const std::string file = directory / "texts.json";
  std::ofstream(file) << nlohmann::json(texts).dump();
  const Finished finished = run({"/usr/bin/python3", OUTBOX_SOURCE_DIR "/tests/e2e/drivers/" + program,
                                 as_role(fixture.url, "test_service"), file});
  REQUIRE_MESSAGE(finished.exit_code == 0, finished.output);
  for (const std::string& topic : topics) {
    std::string wanted;
    for (const std::string& text : texts) wanted += (wanted.empty() ? "" : ",") + in_hex(text);
    CHECK(sql.run("SELECT string_agg(encode(convert_to(data, 'UTF8'), 'hex'), ',' ORDER BY seq) FROM outbox "
                  "WHERE payload IS NULL AND topic = '" +
                  topic + "'") == wanted);
  }
}

}  // namespace

TEST_CASE("psycopg2 sends text as it is") {
  check_driver("with_psycopg2.py", {"insert", "call"});
}

TEST_CASE("psycopg 3 sends text as it is") {
  check_driver("with_psycopg3.py", {"insert", "call"});
}

TEST_CASE("SQLAlchemy writes messages as the service's role, and reads back what the database filled in") {
  check_driver("with_sqlalchemy.py", {"insert"});
}

TEST_CASE("Django writes messages as the service's role") {
  check_driver("with_django.py", {"insert"});
}

}  // namespace outbox::test
