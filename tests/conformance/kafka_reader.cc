#include "tests/conformance/kafka_reader.h"

#include <sstream>
#include <stdexcept>
#include <string_view>

#include "tests/support/process.h"

namespace outbox::test {
namespace {

void add_headers(Received& message, const std::string& list) {
  std::istringstream entries(list);
  for (std::string entry; std::getline(entries, entry, ',');) {
    const auto equals = entry.find('=');
    message.add("content-type", "ce_", entry.substr(0, equals), entry.substr(equals + 1));
  }
}

/// No header holds it.
constexpr std::string_view end_of_headers = "\x1e\x1e\n";

/// "partition keylength length\n", key and value without anything between (both may hold any byte; length -1
/// is null), and then the headers.
KafkaRecord record_at(const std::string& output, std::size_t& at, const std::string& topic) {
  const auto line_end = output.find('\n', at);
  std::istringstream line(output.substr(at, line_end - at));
  KafkaRecord record;
  int key_length = 0, length = 0;
  if (line_end == output.npos || !(line >> record.partition >> key_length >> length))
    throw std::runtime_error("kcat: not understood: " + line.str().substr(0, 200));
  at = line_end + 1;
  if (key_length >= 0) record.key = output.substr(at, static_cast<std::size_t>(key_length));
  at += record.key.value_or("").size();
  record.has_value = length >= 0;
  if (length > 0) record.message.payload = output.substr(at, static_cast<std::size_t>(length));
  at += record.message.payload.size();
  record.message.topic = topic;
  const auto end = output.find(end_of_headers, at);
  if (end == output.npos) throw std::runtime_error("kcat: the headers have no end");
  add_headers(record.message, output.substr(at, end - at));
  at = end + end_of_headers.size();
  return record;
}

}  // namespace

std::vector<KafkaRecord> read_kafka(int port, const std::string& topic) {
  const Finished done =
      run({"kcat", "-C", "-q", "-e", "-b", "127.0.0.1:" + std::to_string(port), "-t", topic, "-o",
           "beginning", "-X", "fetch.wait.max.ms=5", "-X", "fetch.message.max.bytes=100000000", "-X",
           "check.crcs=true", "-f", "%p %K %S\n%k%s%h\\x1e\\x1e\n"});
  if (done.exit_code != 0) throw std::runtime_error("kcat: " + done.output);
  std::vector<KafkaRecord> records;
  for (std::size_t at = 0; at < done.output.size();) records.push_back(record_at(done.output, at, topic));
  return records;
}

}  // namespace outbox::test
