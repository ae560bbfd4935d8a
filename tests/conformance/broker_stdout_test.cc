#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <future>
#include <string>
#include <thread>

#include "adapters/brokers/brokers.h"
#include "adapters/brokers/stdout/stdout_broker.h"
#include "tests/conformance/broker_suite.h"
#include "tests/conformance/event_lines.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {
namespace {

BrokerTarget target_with(Attributes attributes = Attributes::full) {
  return {"stdout:", "/tests", attributes, {}};
}

/// Standard output redirected to a file.
class RedirectedFixture : public BrokerFixture {
 public:
  ~RedirectedFixture() override { ::close(output_); }
  std::unique_ptr<Broker> open(Attributes attributes) override {
    return std::make_unique<StdoutBroker>(output_, target_with(attributes));
  }
  [[nodiscard]] bool has_structured_mode() const override { return false; }
  std::vector<Received> received() override { return read_event_lines(read_file(path_)); }

 private:
  TempDir directory_;
  std::string path_ = directory_ / "out.ndjson";
  int output_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
};

struct Pipe {
  Pipe() { REQUIRE(::pipe2(ends, O_CLOEXEC) == 0); }
  ~Pipe() {
    close_reader();
    ::close(ends[1]);
  }
  void close_reader() {
    if (ends[0] >= 0) ::close(ends[0]);
    ends[0] = -1;
  }
  std::string read_to_end() const {
    std::string text;
    char block[4096];
    for (ssize_t size; (size = ::read(ends[0], block, sizeof block)) > 0;)
      text.append(block, static_cast<std::size_t>(size));
    return text;
  }
  int ends[2] = {-1, -1};
};

TEST_CASE("stdout: redirected to a file") {
  RedirectedFixture fixture;
  broker_suite(fixture);
}

TEST_CASE("stdout: lines longer than a pipe's room arrive whole") {
  Pipe pipe;
  StdoutBroker broker(pipe.ends[1], target_with());
  auto reader = std::async(std::launch::async, [&] { return pipe.read_to_end(); });
  Driver driver(broker);
  Rows rows;
  for (int i = 0; i < 20; ++i) rows.add({.payload = std::string(200000, 'x'), .content_type = "text/plain"});
  CHECK(count(driver.publish(rows), Verdict::accepted) == 20);
  ::close(pipe.ends[1]);
  pipe.ends[1] = -1;
  CHECK(read_event_lines(reader.get()).size() == 20);
}

TEST_CASE("stdout: a reader that does not read neither blocks a poll nor loses a line") {
  Pipe pipe;
  StdoutBroker broker(pipe.ends[1], target_with());
  Driver driver(broker);
  REQUIRE(driver.connect().state == Session::State::up);
  Rows rows;
  for (int i = 0; i < 2000; ++i) rows.add();
  broker.submit(rows.submissions());
  Answers answers;
  broker.poll(std::chrono::milliseconds(20), answers);
  const std::size_t at_first = answers.deliveries.size();
  CHECK(at_first > 0);
  CHECK(at_first < 2000);
  const auto start = std::chrono::steady_clock::now();
  broker.wake();
  broker.poll(2 * patience, answers);
  CHECK(std::chrono::steady_clock::now() - start < patience);

  auto reader = std::async(std::launch::async, [&] { return pipe.read_to_end(); });
  while (answers.deliveries.size() < 2000) broker.poll(std::chrono::seconds(1), answers);
  ::close(pipe.ends[1]);
  pipe.ends[1] = -1;
  CHECK(read_event_lines(reader.get()).size() == 2000);
}

TEST_CASE("stdout: when the reader goes, nothing is accepted and the session is down") {
  Pipe pipe;
  StdoutBroker broker(pipe.ends[1], target_with());
  Driver driver(broker);
  REQUIRE(driver.connect().state == Session::State::up);
  pipe.close_reader();
  Rows rows;
  rows.add();
  rows.add();
  driver.submit(rows.submissions());
  CHECK(count(driver.deliveries(), Verdict::unavailable) == 2);
  CHECK(driver.session().reason == "stdout: nobody reads standard output any more");
  CHECK(driver.connect().state == Session::State::down);
}

}  // namespace
}  // namespace outbox::test
