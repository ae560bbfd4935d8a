#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "adapters/brokers/brokers.h"
#include "tests/conformance/broker_suite.h"
#include "tests/conformance/event_lines.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {
namespace {

class FileFixture : public BrokerFixture {
 public:
  std::unique_ptr<Broker> open(Attributes attributes = Attributes::full) override {
    return open_broker(file_adapter(), "file:" + path, {}, attributes);
  }
  [[nodiscard]] bool has_structured_mode() const override { return false; }
  std::vector<Received> received() override { return read_event_lines(read_file(path)); }

  TempDir directory;
  std::string path = directory / "orders.ndjson";
};

void append(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary | std::ios::app) << text;
}

Rows text_rows(int count, std::size_t payload_size = 20) {
  Rows rows;
  for (int i = 0; i < count; ++i)
    rows.add({.payload = std::string(payload_size, 'x'), .content_type = "text/plain"});
  return rows;
}

/// The largest file this process may write, for as long as it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_CASE("file:") {
  FileFixture fixture;
  broker_suite(fixture);
}

TEST_CASE("file: a link in the file's place is not followed, unless the route says so") {
  const TempDir directory;
  const std::string target = directory / "target", link = directory / "link.ndjson";
  std::filesystem::create_symlink(target, link);
  for (const bool is_there : {false, true}) {
    if (is_there) append(target, "");
    const auto broker = open_broker(file_adapter(), "file:" + link);
    const Session session = Driver(*broker).connect();
    CHECK(session.state == Session::State::misconfigured);
    CHECK(session.reason.find("follow_symlinks = true") != std::string::npos);
    CHECK(std::filesystem::exists(target) == is_there);
  }
  const auto broker = open_broker(file_adapter(), "file:" + link, {{"follow_symlinks", true}});
  CHECK(count(Driver(*broker).publish(text_rows(1)), Verdict::accepted) == 1);
  CHECK_FALSE(read_file(target).empty());
}

TEST_CASE("file: JSON goes in as it stands, on one line") {
  FileFixture fixture;
  const auto broker = fixture.open();
  Rows rows;
  rows.add(
      {.payload =
           "{\r\n  \"price\" : 1.10,\n\t\"large\": 12345678901234567890123,\n  \"text\": \"a\\nb\"\n}\n"});
  CHECK(count(Driver(*broker).publish(rows), Verdict::accepted) == 1);
  const std::string text = read_file(fixture.path);
  CHECK(text.find(R"("data":{    "price" : 1.10, )"
                  "\t"
                  R"("large": 12345678901234567890123,   "text": "a\nb" } })") != text.npos);
  CHECK(std::ranges::count(text, '\n') == 1);
}

TEST_CASE("file: rows that JSON cannot carry are rejected, and their key waits for that") {
  FileFixture fixture;
  const auto broker = fixture.open();
  Driver driver(*broker);
  Rows rows;
  rows.add({.key = "a"});
  rows.add({.key = "a", .headers = {{"name", "\xFF"}}});
  rows.add({.key = "a"});
  rows.add({.key = "b"});
  rows.add({.topic = "\xC0\xAF"});
  rows.add({});
  const auto deliveries = driver.publish(rows);
  CHECK(delivery_of(deliveries, 1).verdict == Verdict::accepted);
  CHECK(delivery_of(deliveries, 2).verdict == Verdict::rejected);
  CHECK(delivery_of(deliveries, 2).reason == "header 'name' is not UTF-8 in its value");
  CHECK(delivery_of(deliveries, 3).verdict == Verdict::unavailable);
  CHECK(delivery_of(deliveries, 4).verdict == Verdict::accepted);
  CHECK(delivery_of(deliveries, 5).verdict == Verdict::rejected);
  CHECK(delivery_of(deliveries, 6).verdict == Verdict::accepted);
  CHECK(fixture.received().size() == 3);
  CHECK(delivery_of(driver.publish(rows, 3), 3).verdict == Verdict::accepted);
}

TEST_CASE("file: a torn last line is cut off before anything is appended") {
  FileFixture fixture;
  const Rows rows = text_rows(3);
  CHECK(count(Driver(*fixture.open()).publish(rows), Verdict::accepted) == 3);
  const std::string whole = read_file(fixture.path);
  const std::size_t last = whole.rfind('\n', whole.size() - 2) + 1;
  for (std::size_t cut = whole.size() - 1; cut > last; --cut) {
    std::filesystem::resize_file(fixture.path, cut);
    const auto broker = fixture.open();
    REQUIRE(Driver(*broker).connect().state == Session::State::up);
    REQUIRE(read_file(fixture.path) == whole.substr(0, last));
    append(fixture.path, whole.substr(last));
  }
  append(fixture.path, std::string(100000, '\0'));  // a length that the file system kept, without the bytes
  const auto broker = fixture.open();
  REQUIRE(Driver(*broker).connect().state == Session::State::up);
  CHECK(read_file(fixture.path) == whole);
}

TEST_CASE("file: a last line of somebody else's is never cut off") {
  FileFixture fixture;
  append(fixture.path, "first\nprecious");
  const auto broker = fixture.open();
  const Session session = Driver(*broker).connect();
  CHECK(session.state == Session::State::misconfigured);
  CHECK(session.reason.find(fixture.path) != std::string::npos);
  CHECK(read_file(fixture.path) == "first\nprecious");
}

TEST_CASE("file: a second writer is refused until the first is gone") {
  FileFixture fixture;
  auto first = fixture.open();
  const auto second = fixture.open();
  REQUIRE(Driver(*first).connect().state == Session::State::up);
  const Session refused = Driver(*second).connect();
  CHECK(refused.state == Session::State::misconfigured);
  CHECK(refused.reason ==
        "file: " + fixture.path + " is being written by another process; give each relay a file of its own");
  first.reset();
  CHECK(Driver(*second).connect().state == Session::State::up);
}

TEST_CASE("file: a probe neither minds a writer nor stands in its way") {
  FileFixture fixture;
  const std::string torn = "{}\n{\"specversion\":\"1.0\",\"id\":\"7";
  append(fixture.path, torn);
  const auto probe = file_adapter().open(
      {"file:" + fixture.path, "", Attributes::full, default_settings(file_adapter().settings), true});
  REQUIRE(probe);
  CHECK(Driver(**probe).connect().state == Session::State::up);
  CHECK(read_file(fixture.path) == torn);
  const auto writer = fixture.open();
  CHECK(Driver(*writer).connect().state == Session::State::up);
  CHECK(Driver(**probe).connect().state == Session::State::up);
}

TEST_CASE("file: a batch that does not fit leaves nothing behind and is unavailable") {
  FileFixture fixture;
  const auto broker = fixture.open();
  Driver driver(*broker);
  CHECK(count(driver.publish(text_rows(5)), Verdict::accepted) == 5);
  const std::string before = read_file(fixture.path);
  {
    const FileSizeLimit limit(before.size() + 10000);
    const Rows rows = text_rows(100, 300);
    driver.submit(rows.submissions());
    const auto deliveries = driver.deliveries();
    CHECK(count(deliveries, Verdict::unavailable) == 100);
    CHECK(deliveries[0].reason == "file: " + fixture.path + " cannot be written: File too large");
    CHECK(driver.session().state == Session::State::down);
    CHECK(read_file(fixture.path) == before);
  }
  CHECK(count(driver.publish(text_rows(100, 300)), Verdict::accepted) == 100);
  CHECK(fixture.received().size() == 105);
}

TEST_CASE("file: a full disk makes the route unavailable, and it goes on when there is room") {
  FileFixture fixture;
  const std::string disk = fixture.directory / "disk";
  std::filesystem::create_directory(disk);
  if (::mount("none", disk.c_str(), "tmpfs", 0, "size=256k") != 0)
    return;  // not root: the size limit above stands in
  fixture.path = disk + "/orders.ndjson";
  {
    const auto broker = fixture.open();
    Driver driver(*broker);
    CHECK(count(driver.publish(text_rows(10)), Verdict::accepted) == 10);
    const std::string before = read_file(fixture.path);
    append(disk + "/ballast", std::string(200 << 10, 'b'));
    const Rows rows = text_rows(300, 1000);
    driver.submit(rows.submissions());
    const auto deliveries = driver.deliveries();
    CHECK(count(deliveries, Verdict::unavailable) == 300);
    CHECK(deliveries[0].reason == "file: " + fixture.path + " cannot be written: No space left on device");
    CHECK(driver.session().state == Session::State::down);
    CHECK(read_file(fixture.path) == before);
    std::filesystem::remove(disk + "/ballast");
    CHECK(count(driver.publish(text_rows(100, 300)), Verdict::accepted) == 100);
    CHECK(fixture.received().size() == 110);
  }
  CHECK(::umount2(disk.c_str(), MNT_DETACH) == 0);
}

TEST_CASE("file: after a rename the next batch begins a new file") {
  FileFixture fixture;
  const auto broker = fixture.open();
  Driver driver(*broker);
  CHECK(count(driver.publish(text_rows(2)), Verdict::accepted) == 2);
  std::filesystem::rename(fixture.path, fixture.path + ".1");
  const Rows rows = text_rows(3);
  driver.submit(rows.submissions());
  CHECK(count(driver.deliveries(), Verdict::unavailable) == 3);
  CHECK(driver.session().state == Session::State::down);
  CHECK(count(driver.publish(rows), Verdict::accepted) == 3);
  CHECK(read_event_lines(read_file(fixture.path + ".1")).size() == 2);
  CHECK(fixture.received().size() == 3);
}

TEST_CASE("file: what can never be written is misconfigured and says what to do") {
  FileFixture fixture;
  const auto session_of = [](const std::string& url) {
    return Driver(*open_broker(file_adapter(), url)).connect();
  };
  CHECK(session_of("file:" + (fixture.directory / "missing/orders.ndjson")).state ==
        Session::State::misconfigured);
  CHECK(session_of("file:" + fixture.directory.path().string()).state == Session::State::misconfigured);
  CHECK(session_of("file:/dev/null").state == Session::State::misconfigured);
  for (const char* url : {"file:", "file://host/path", "file:dir/"}) {
    const auto opened =
        file_adapter().open({url, "", Attributes::full, default_settings(file_adapter().settings)});
    REQUIRE(!opened);
    CHECK(opened.error().fault == Fault::misconfigured);
  }
}

TEST_CASE("file: a route with several shards is refused, for a file has one writer") {
  const auto opened = file_adapter().open(
      {"file:/tmp/x", "", Attributes::full, default_settings(file_adapter().settings), false, 2});
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().fault == Fault::misconfigured);
  CHECK(opened.error().text.find("set relay.shards = 1") != std::string::npos);
}

TEST_CASE("file: a new file can be read by owner and group only") {
  FileFixture fixture;
  const mode_t before = ::umask(0);
  const auto broker = fixture.open();
  REQUIRE(Driver(*broker).connect().state == Session::State::up);
  ::umask(before);
  struct stat status {};
  REQUIRE(::stat(fixture.path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0640U);
}

}  // namespace
}  // namespace outbox::test
