#include "tests/conformance/amqp_reader.h"

#include <nlohmann/json.hpp>

#include <sstream>
#include <stdexcept>
#include <utility>

#include "tests/support/decode.h"
#include "tests/support/process.h"

namespace outbox::test {
namespace {

std::string text_in(const nlohmann::json& object, const char* name) {
  return object.at(name).is_null() ? "" : object.at(name).get<std::string>();
}

AmqpReceived parse(const nlohmann::json& object) {
  AmqpReceived found;
  found.received.topic = object.at("routing_key");
  found.received.payload = from_base64(object.at("body").get<std::string>());
  if (!object.at("content_type").is_null()) found.received.content_type = object.at("content_type");
  found.delivery_mode = object.at("delivery_mode").is_null() ? 0 : object.at("delivery_mode").get<int>();
  found.exchange = text_in(object, "exchange");
  found.message_id = text_in(object, "message_id");
  found.type = text_in(object, "type");
  if (!object.at("timestamp").is_null()) found.timestamp = object.at("timestamp");
  for (const auto& [name, value] : object.at("headers").items()) {
    if (name == "message_key")
      found.key_header = value;
    else
      found.received.add("", "cloudEvents_", name, value);
  }
  return found;
}

}  // namespace

std::vector<AmqpReceived> AmqpReader::take(const std::string& queue) const {
  std::istringstream lines(command({"read", queue}));
  std::vector<AmqpReceived> all;
  for (std::string line; std::getline(lines, line);) all.push_back(parse(nlohmann::json::parse(line)));
  return all;
}

std::string AmqpReader::command(std::vector<std::string> words) const {
  // Debian's own Python, which is the one that has python3-pika.
  words.insert(words.begin(),
               {"/usr/bin/python3", OUTBOX_SOURCE_DIR "/tests/conformance/amqp_reader.py", url_});
  const Finished finished = run(std::move(words), {}, 2 * patience);
  if (finished.exit_code != 0) throw std::runtime_error("amqp_reader.py failed:\n" + finished.output);
  return finished.output;
}

}  // namespace outbox::test
