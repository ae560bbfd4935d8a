#include "tests/conformance/mqtt_reader.h"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>

#include "tests/support/decode.h"

namespace outbox::test {
namespace {

constexpr std::string_view mark_topic = "mark-of-the-test";

std::string text_of(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A line is the payload in hexadecimal, a tab, and JSON, of which the payload is the last: it is cut off,
/// for it need not be UTF-8.
Received message_of(const std::string& line) {
  static const std::set<std::string> attributes = {"id",   "source",  "specversion", "type",
                                                   "time", "subject", "partitionkey"};
  const std::size_t tab = line.find('\t');
  const auto json = nlohmann::json::parse(line.substr(tab + 1, line.find(R"(,"payload":)") - tab - 1) + "}");
  Received received;
  received.payload = from_hexadecimal(std::string_view(line).substr(0, tab));
  received.topic = json.at("topic").get<std::string>();
  if (!json.contains("properties")) return received;
  const auto& properties = json.at("properties");
  if (properties.contains("content-type"))
    received.content_type = properties.at("content-type").get<std::string>();
  if (!properties.contains("user-properties")) return received;
  for (const auto& [name, value] : properties.at("user-properties").items())
    (attributes.contains(name) ? received.attributes : received.headers)[name] = value.get<std::string>();
  return received;
}

}  // namespace

MqttReader::MqttReader(const MosquittoServer& server) : server_(server) {
  auto arguments = client("mosquitto_sub");
  for (const char* word :
       {"-i", "reader", "-c", "-x", "4294967295", "-q", "1", "-t", "#", "-t", "$5", "-F", "%x\t%j"})
    arguments.emplace_back(word);
  ProcessOptions options;
  options.output_file = file_;
  process_ = std::make_unique<Process>(std::move(arguments), options);
  await();
}

std::vector<std::string> MqttReader::client(const char* program) const {
  std::vector<std::string> arguments = {
      program, "-V", "5", "-h", "127.0.0.1", "-p", std::to_string(server_.port())};
  if (!server_.user().empty())
    arguments.insert(arguments.end(), {"-u", server_.user(), "-P", server_.password()});
  return arguments;
}

/// A server passes on in its order: behind the mark nothing is missing.
bool MqttReader::sees_mark(std::chrono::milliseconds deadline) {
  const std::string mark = "mark " + std::to_string(++marks_);
  auto arguments = client("mosquitto_pub");
  arguments.insert(arguments.end(), {"-q", "1", "-t", std::string(mark_topic), "-m", mark});
  run(std::move(arguments));
  const std::string line_end = "\"payload\":\"" + mark + "\"}\n";
  return eventually([&] { return text_of(file_).ends_with(line_end); }, deadline);
}

void MqttReader::await() {
  const auto is_there = [this] { return sees_mark(std::chrono::milliseconds(300)); };
  if (!eventually(is_there))
    throw std::runtime_error("mqtt: the reader is not subscribed\n" + text_of(file_));
}

std::vector<Received> MqttReader::received() {
  if (!sees_mark(patience)) throw std::runtime_error("mqtt: the reader does not get what was published");
  std::vector<Received> result;
  std::istringstream lines(text_of(file_));
  for (std::string line; std::getline(lines, line);) {
    if (line.find('\t') == line.npos) continue;  // what mosquitto_sub says of a lost connection
    Received message = message_of(line);
    if (message.topic != mark_topic) result.push_back(std::move(message));
  }
  return result;
}

}  // namespace outbox::test
