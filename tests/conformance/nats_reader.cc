#include "tests/conformance/nats_reader.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <sstream>
#include <stdexcept>

#include "tests/support/decode.h"
#include "tests/support/eventually.h"

namespace outbox::test {
namespace {

using Json = nlohmann::json;

/// CloudEvents' binding: all but the content type is percent-encoded.
bool is_encoded(const std::string& name) {
  return name.starts_with("ce-") && name != "ce-datacontenttype";
}

/// "NATS/1.0", then "name: value" lines and an empty one.
Received received_of(const NatsMessage& arrived) {
  const std::string& headers = arrived.headers;
  Received received;
  received.topic = arrived.subject;
  received.payload = arrived.payload;
  bool is_structured = false;
  constexpr std::string_view end = "\r\n";
  for (std::size_t begin = headers.find(end) + 2; begin < headers.size();) {
    const std::size_t stop = headers.find(end, begin), colon = headers.find(": ", begin);
    if (stop == begin) break;
    if (colon > stop) throw std::runtime_error("nats: a header has no value");
    const std::string name = headers.substr(begin, colon - begin);
    const std::string value = headers.substr(colon + 2, stop - colon - 2);
    is_structured |= name == "content-type";
    received.add(name == "content-type" ? name : "ce-datacontenttype", "ce-", name,
                 is_encoded(name) ? from_percent(value) : value);
    begin = stop + 2;
  }
  // By contract the id travels twice; where it does not, the test sees a header that it does not expect.
  const auto id = received.headers.find("Nats-Msg-Id");
  if (id == received.headers.end())
    received.headers["Nats-Msg-Id"] = "is missing";
  else if (id->second == received.id() || (is_structured && received.id().empty()))
    received.headers.erase(id);
  return received;
}

/// The next whole message of those received; nullopt: there is none yet.
std::optional<NatsMessage> take_message(Socket& socket) {
  std::string& input = socket.input;
  for (std::size_t end = 0; (end = input.find("\r\n")) != input.npos;) {
    const std::string line = input.substr(0, end);
    std::istringstream text(line);
    const std::vector<std::string> words{std::istream_iterator<std::string>(text), {}};
    if (line.starts_with("-ERR")) throw std::runtime_error("nats: " + line);
    if (words.empty() || (words[0] != "MSG" && words[0] != "HMSG")) {
      if (line == "PING") socket.send("PONG\r\n");
      input.erase(0, end + 2);
      continue;
    }
    // MSG <subject> <sid> [reply] <size>, HMSG <subject> <sid> [reply] <size of headers> <size of all>
    const bool has_headers = words[0] == "HMSG";
    const std::size_t size = std::stoul(words.back()), begin = end + 2;
    const std::size_t headers = has_headers ? std::stoul(words[words.size() - 2]) : 0;
    if (input.size() < begin + size + 2) return std::nullopt;
    NatsMessage message{words[1], input.substr(begin, headers),
                        input.substr(begin + headers, size - headers)};
    input.erase(0, begin + size + 2);
    return message;
  }
  return std::nullopt;
}

}  // namespace

NatsReader::NatsReader(int port, const Json& login) : socket_(port) {
  Json connect = {{"verbose", false}, {"headers", true}, {"no_responders", true}, {"name", "reader"}};
  connect.update(login);
  socket_.send("CONNECT " + connect.dump() + "\r\nSUB reader.> 1\r\nPING\r\n");
  while (socket_.input.find("PONG\r\n") == std::string::npos) {
    if (socket_.input.find("-ERR") != std::string::npos) throw std::runtime_error("nats: " + socket_.input);
    socket_.receive_until(socket_.input.size() + 1);
  }
}

NatsMessage NatsReader::next() {
  for (;;) {
    if (auto message = take_message(socket_)) return *std::move(message);
    socket_.receive_until(socket_.input.size() + 1);
  }
}

std::string NatsReader::send_request(const std::string& subject, const std::string& text) {
  std::string reply = "reader.answer." + std::to_string(++requests_);
  socket_.send("PUB " + subject + " " + reply + " " + std::to_string(text.size()) + "\r\n" + text + "\r\n");
  return reply;
}

NatsReader::Json NatsReader::request(const std::string& subject, const std::string& text) {
  const std::string reply = send_request(subject, text);
  NatsMessage answer = next();
  while (answer.subject != reply) answer = next();
  if (answer.payload.empty()) throw std::runtime_error("nats: nobody answers " + subject);
  Json json = Json::parse(answer.payload);
  if (json.contains("error")) throw std::runtime_error("nats: " + subject + ": " + json["error"].dump());
  return json;
}

NatsReader::Json NatsReader::api(const std::string& what, const Json& body) {
  return request("$JS.API." + what, body.empty() ? "" : body.dump());
}

void NatsReader::create_stream(const std::string& name, const std::vector<std::string>& subjects,
                               const Json& more) {
  Json config = {{"name", name}, {"subjects", subjects}, {"storage", "file"}, {"num_replicas", 1}};
  config.update(more);
  api("STREAM.CREATE." + name, config);
}

std::vector<Received> NatsReader::stream(const std::string& name) {
  std::uint64_t last = 0;
  return stream_after(name, last);
}

std::vector<Received> NatsReader::stream_after(const std::string& name, std::uint64_t& last) {
  const Json state = api("STREAM.INFO." + name)["state"];
  const auto end = state["last_seq"].get<std::uint64_t>(), first = state["first_seq"].get<std::uint64_t>();
  if (state["messages"].get<std::uint64_t>() != end + 1 - first)
    throw std::runtime_error("nats: stream " + name + " has lost messages of its middle");
  std::vector<Received> result;
  const std::uint64_t begin = std::max(last + 1, first);
  if (begin > end) return result;
  const Json made = api("CONSUMER.CREATE." + name, {{"stream_name", name},
                                                    {"config",
                                                     {{"deliver_policy", "by_start_sequence"},
                                                      {"opt_start_seq", begin},
                                                      {"ack_policy", "explicit"},
                                                      {"max_ack_pending", -1}}}});
  const std::string consumer = name + "." + made["name"].get<std::string>();
  // A message comes under the subject that it was published to, though it is sent to the request's inbox.
  send_request("$JS.API.CONSUMER.MSG.NEXT." + consumer, Json{{"batch", end + 1 - begin}}.dump());
  while (result.size() < end + 1 - begin) result.push_back(received_of(next()));
  api("CONSUMER.DELETE." + consumer);
  last = end;
  return result;
}

std::vector<Received> NatsReader::streams() {
  std::vector<Received> result;
  const Json names = api("STREAM.NAMES");
  if (names["streams"].is_array())
    for (const auto& name : names["streams"])
      for (Received& received : stream(name.get<std::string>())) result.push_back(std::move(received));
  return result;
}

}  // namespace outbox::test
