// `outboxd demo` from outside: what it shows, what it leaves, and that its account can fail.
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "demo/account.h"
#include "demo/database.h"
#include "tests/support/eventually.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using namespace outbox::demo;
using outbox::test::eventually;
using outbox::test::Process;
using outbox::test::run;
using outbox::test::TempDir;

outbox::test::ProcessOptions in(const TempDir& directory) {
  // A relay's settings in the environment are none of the demo's business.
  return {.environment = {{"TMPDIR", directory.path().string()}, {"OUTBOXD_RELAY_WINDOW", "nonsense"}},
          .directory = directory.path().string(),
          .output_file = {},
          .input = {}};
}

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

void write_lines(const std::string& path, const std::vector<std::string>& lines) {
  std::ofstream file(path, std::ios::trunc);
  for (const std::string& line : lines) file << line << "\n";
}

/// What a demo has left because it was asked to.
class Kept {
 public:
  Kept() {
    const auto demo = run({OUTBOXD, "demo", "--orders", "100", "--keep"}, in(directory_));
    REQUIRE_MESSAGE(demo.exit_code == 0, demo.output);
    REQUIRE(!fs::is_empty(directory_.path()));
    path_ = fs::directory_iterator(directory_.path())->path().string();
    CHECK(demo.output.find(path_) != std::string::npos);
  }

  void copy_to(const TempDir& directory) const {
    fs::copy(path_, directory.path(), fs::copy_options::recursive);
  }

 private:
  TempDir directory_;
  std::string path_;
};

/// The lines of the account that do not agree.
std::vector<std::string> disagreements(const TempDir& directory) {
  std::vector<std::string> found;
  for (const Count& count : take_account({directory.path().string(), directory / "events.ndjson", 100}))
    if (!count.agrees()) found.push_back(count.what);
  return found;
}

}  // namespace

TEST_CASE("the demo's counts agree, in less than 20 s, and it leaves nothing behind") {
  const TempDir directory;
  const auto begun = std::chrono::steady_clock::now();
  const auto demo = run({OUTBOXD, "demo", "--orders", "300"}, in(directory));
  CHECK_MESSAGE(demo.exit_code == 0, demo.output);
  CHECK(demo.output.find("✗") == std::string::npos);
  CHECK(demo.output.find("kill -9 the relay") != std::string::npos);
  CHECK(std::chrono::steady_clock::now() - begun < 20s);
  CHECK(fs::is_empty(directory.path()));
}

TEST_CASE("an interrupted demo leaves nothing behind") {
  const TempDir directory;
  Process demo({OUTBOXD, "demo", "--orders", "300"}, in(directory));
  REQUIRE(eventually([&] { return demo.output().find("kill -9 the relay") != std::string::npos; }));
  demo.signal(SIGINT);
  CHECK(demo.wait() == 1);
  CHECK(demo.output().find("interrupted") != std::string::npos);
  CHECK(fs::is_empty(directory.path()));
}

TEST_CASE("the demo's account finds what is wrong") {
  static const Kept kept;
  const TempDir directory;
  kept.copy_to(directory);
  CHECK(disagreements(directory).empty());
  const std::string events = directory / "events.ndjson";
  const auto lines = lines_of(events);
  Database shop(directory / "shop.db");
  Database carts(directory / "carts.db");

  SUBCASE("an event that was never published") {
    // Both copies, if a relay that was killed has left two.
    const std::string id = lines.back().substr(0, lines.back().find("\"source\""));
    std::vector<std::string> others;
    std::ranges::copy_if(lines, std::back_inserter(others),
                         [&](const auto& line) { return !line.starts_with(id); });
    write_lines(events, others);
  }
  SUBCASE("an order of events that was not kept") {
    std::vector<std::string> reversed(lines.rbegin(), lines.rend());
    write_lines(events, reversed);
  }
  SUBCASE("a published message whose transaction was rolled back") {
    shop.execute("DELETE FROM outbox WHERE seq = 7");
  }
  SUBCASE("a payload that was changed") {
    shop.execute("UPDATE outbox SET payload = replace(payload, 'customer', 'consumer') WHERE seq = 7");
  }
  SUBCASE("an order without a message") {
    shop.execute("INSERT INTO orders VALUES (1000, 'customer-1', 100)");
  }
  SUBCASE("a cart that was cleared twice") {
    carts.execute("UPDATE carts SET cleared = 2 WHERE id = (SELECT min(id) FROM carts WHERE cleared = 1)");
  }
  SUBCASE("a duplicate that was not noticed") {
    carts.execute("UPDATE inbox SET deliveries = deliveries + 1 WHERE id = (SELECT min(id) FROM inbox)");
  }
  CHECK(!disagreements(directory).empty());
}
