// What services write with the drivers and ORMs that they use arrives character by character, under the
// rights of grants.sql.
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/conformance/postgresql_fixture.h"
#include "tests/support/fetched.h"
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

const std::string programs = OUTBOX_SOURCE_DIR "/tests/e2e/drivers/";

/// The texts come back as they went, through data and through outbox_send where `topics` has "call"; so do
/// all bytes there are. A text with NUL, which PostgreSQL cannot keep, is refused and never cut.
void check_driver(const std::function<std::vector<std::string>(const PostgresqlFixture&)>& program,
                  const std::vector<std::string>& topics) {
  const PostgresqlFixture fixture;
  const Sql sql(fixture.url);
  grant_roles(fixture.url, "test_service", "test_relay");
  std::string bytes, wanted;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  const TempDir directory;
  const std::string file = directory / "lines";
  std::ofstream lines(file);
  lines << in_hex(bytes) << "\n";
  for (const std::string& text : texts) {
    lines << in_hex(text) << "\n";
    wanted += (wanted.empty() ? "" : ",") + in_hex(text);
  }
  lines.close();
  std::vector<std::string> command = program(fixture);
  command.push_back(file);
  const Finished finished = run(command);
  REQUIRE_MESSAGE(finished.exit_code == 0, finished.output);
  CHECK_MESSAGE(finished.output.find("refused: ") != std::string::npos, finished.output);
  for (const std::string& topic : topics)
    CHECK(sql.run("SELECT string_agg(encode(convert_to(data, 'UTF8'), 'hex'), ',' ORDER BY seq) FROM outbox "
                  "WHERE payload IS NULL AND topic = '" +
                  topic + "'") == wanted);
  CHECK(sql.run("SELECT encode(payload, 'hex') FROM outbox WHERE data IS NULL AND topic = 'bytes'") ==
        in_hex(bytes));
  CHECK(sql.run("SELECT count(*) FROM outbox WHERE topic NOT IN ('insert', 'call', 'bytes')") == "0");
}

std::string service_url(const PostgresqlFixture& fixture) {
  return as_role(fixture.url, "test_service");
}

void check_python(const std::string& program, const std::vector<std::string>& topics) {
  check_driver(
      [&](const PostgresqlFixture& fixture) {
        return std::vector<std::string>{"/usr/bin/python3", programs + program, service_url(fixture)};
      },
      topics);
}

void check_java(const std::string& name, const std::vector<std::string>& topics) {
  const TempDir classes;
  std::vector<std::string> command = compiled_java(programs + name + ".java", classes.path().string());
  check_driver(
      [&](const PostgresqlFixture& fixture) {
        command.push_back("jdbc:postgresql://" + fixture.url.substr(fixture.url.find('@') + 1));
        command.emplace_back("test_service");
        return command;
      },
      topics);
}

}  // namespace

TEST_CASE("psycopg2 sends text and bytes as they are") {
  check_python("with_psycopg2.py", {"insert", "call"});
}

TEST_CASE("psycopg 3 sends text and bytes as they are") {
  check_python("with_psycopg3.py", {"insert", "call"});
}

TEST_CASE("node-pg sends text and bytes as they are") {
  const std::string node = fetched() + "/node";
  check_driver(
      [&](const PostgresqlFixture& fixture) {
        return std::vector<std::string>{"env", "NODE_PATH=" + node + "/node_modules", node + "/bin/node",
                                        programs + "with_node_pg.js", service_url(fixture)};
      },
      {"insert", "call"});
}

TEST_CASE("JDBC sends text and bytes as they are") {
  check_java("WithJdbc", {"insert", "call"});
}

TEST_CASE("SQLAlchemy writes messages as the service's role, and reads back what the database filled in") {
  check_python("with_sqlalchemy.py", {"insert"});
}

TEST_CASE("Django writes messages as the service's role") {
  check_python("with_django.py", {"insert"});
}

TEST_CASE("Hibernate writes messages as the service's role, and reads back what the database filled in") {
  check_java("WithHibernate", {"insert"});
}

}  // namespace outbox::test
