// `outboxd bench` runs and prints its figures; what they are is tests/bench's matter.
#include <string>

#include <doctest/doctest.h>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace {

using outbox::test::Finished;
using outbox::test::run;
using outbox::test::TempDir;

bool has(const Finished& finished, const std::string& text) {
  return finished.output.find(text) != std::string::npos;
}

TEST_CASE("bench drain relays the backlog that it has made and says how fast") {
  const TempDir directory;
  const std::string database = "sqlite:" + directory / "bench.db";
  const Finished finished = run({OUTBOXD_PROGRAM, "bench", "drain", "--db", database, "--to",
                                 "null:", "--rows", "2000", "--keys", "100"});
  CHECK_MESSAGE(finished.exit_code == 0, finished.output);
  CHECK_MESSAGE(has(finished, "messages                    2000\n"), finished.output);
  for (const char* figure : {"messages per second", "first message milliseconds", "cpu seconds per million",
                             "resident peak megabytes", "reads", "settles"})
    CHECK_MESSAGE(has(finished, figure), figure << " is missing in:\n" << finished.output);
}

TEST_CASE("bench drain begins at the oldest row in every run") {
  const TempDir directory;
  const std::string database = "sqlite:" + directory / "bench.db";
  REQUIRE(
      run({OUTBOXD_PROGRAM, "bench", "drain", "--db", database, "--rows", "500", "--seed-only"}).exit_code ==
      0);
  for (int number = 0; number < 2; ++number) {
    const Finished finished =
        run({OUTBOXD_PROGRAM, "bench", "drain", "--db", database, "--to", "null:", "--rows", "0", "--json"});
    CHECK_MESSAGE(finished.exit_code == 0, finished.output);
    CHECK_MESSAGE(has(finished, "\"messages\": 500,"), finished.output);
  }
}

TEST_CASE("bench drain fails when the broker takes nothing, and says so") {
  const TempDir directory;
  const Finished finished =
      run({OUTBOXD_PROGRAM, "bench", "drain", "--db", "sqlite:" + directory / "bench.db", "--to",
           "file:" + directory / "missing" + "/out", "--rows", "10"});
  CHECK_MESSAGE(finished.exit_code == 1, finished.output);
  CHECK_MESSAGE(has(finished, "unsent"), finished.output);
}

TEST_CASE("bench broker sends rows from memory") {
  const Finished finished =
      run({OUTBOXD_PROGRAM, "bench", "broker", "--to", "null:", "--rows", "5000", "--json"});
  CHECK_MESSAGE(finished.exit_code == 0, finished.output);
  CHECK_MESSAGE(has(finished, "\"messages\": 5000,"), finished.output);
}

TEST_CASE("bench latency takes the time of every commit") {
  const TempDir directory;
  const Finished finished =
      run({OUTBOXD_PROGRAM, "bench", "latency", "--db", "sqlite:" + directory / "bench.db", "--to",
           "null:", "--rate", "50", "--seconds", "1", "--warm-up", "0", "--producers", "1", "--json"});
  CHECK_MESSAGE(finished.exit_code == 0, finished.output);
  CHECK_MESSAGE(has(finished, "\"messages\": 50,"), finished.output);
  CHECK_MESSAGE(has(finished, "\"committed_to_accepted_p99_milliseconds\""), finished.output);
}

}  // namespace
