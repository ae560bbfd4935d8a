#include "tests/conformance/nats_reader.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace outbox::test {
namespace {

using Json = nlohmann::json;

std::string percent_decoded(const std::string& text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] == '%' && i + 2 < text.size()) {
      decoded += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      decoded += text[i];
    }
  return decoded;
}

void add_header(Received& received, const std::string& name, const std::string& value) {
  if (name == "ce-datacontenttype")
    received.content_type = percent_decoded(value);
  else if (name.starts_with("ce-"))
    received.attributes[name.substr(3)] = percent_decoded(value);
  else
    received.headers[name] = value;
}

/// "NATS/1.0", then "name: value" lines and an empty one.
Received received_of(const NatsReader::Arrived& arrived) {
  const std::string& headers = arrived.headers;
  Received received;
  received.topic = arrived.subject;
  received.payload = arrived.payload;
  constexpr std::string_view end = "\r\n";
  for (std::size_t begin = headers.find(end) + 2; begin < headers.size();) {
    const std::size_t stop = headers.find(end, begin), colon = headers.find(": ", begin);
    if (stop == begin) break;
    if (colon > stop) throw std::runtime_error("nats: a header has no value");
    add_header(received, headers.substr(begin, colon - begin), headers.substr(colon + 2, stop - colon - 2));
    begin = stop + 2;
  }
  // By contract the id travels twice; where it does not, the test sees a header that it does not expect.
  const auto id = received.headers.find("Nats-Msg-Id");
  if (id == received.headers.end())
    received.headers["Nats-Msg-Id"] = "is missing";
  else if (id->second == received.id())
    received.headers.erase(id);
  return received;
}

}  // namespace

NatsReader::NatsReader(int port, const Json& login)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval limit{std::chrono::duration_cast<std::chrono::seconds>(patience).count(), 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(socket_);
    throw std::runtime_error("nats: the reader cannot connect");
  }
  Json connect = {{"verbose", false}, {"headers", true}, {"no_responders", true}, {"name", "reader"}};
  connect.update(login);
  send("CONNECT " + connect.dump() + "\r\nSUB reader.> 1\r\nPING\r\n");
  for (std::string text = line(); text != "PONG"; text = line())
    if (text.starts_with("-ERR")) throw std::runtime_error("nats: " + text);
}

NatsReader::~NatsReader() {
  ::close(socket_);
}

void NatsReader::send(const std::string& text) {
  for (std::size_t sent = 0; sent < text.size();) {
    const auto size = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (size <= 0) throw std::runtime_error("nats: the reader's connection broke");
    sent += static_cast<std::size_t>(size);
  }
}

void NatsReader::fill() {
  if (read_ > (1 << 20)) {
    unread_.erase(0, read_);
    read_ = 0;
  }
  char block[65536];
  const auto size = ::recv(socket_, block, sizeof block, 0);
  if (size <= 0) throw std::runtime_error("nats: the reader gets no answer");
  unread_.append(block, static_cast<std::size_t>(size));
}

std::string NatsReader::line() {
  std::size_t end = 0;
  while ((end = unread_.find("\r\n", read_)) == unread_.npos) fill();
  std::string text = unread_.substr(read_, end - read_);
  read_ = end + 2;
  return text;
}

std::string NatsReader::bytes(std::size_t size) {
  while (unread_.size() - read_ < size + 2) fill();
  std::string text = unread_.substr(read_, size);
  read_ += size + 2;
  return text;
}

NatsReader::Arrived NatsReader::next() {
  for (;;) {
    const std::string text = line();
    if (text.starts_with("-ERR")) throw std::runtime_error("nats: " + text);
    if (text == "PING") send("PONG\r\n");
    if (!text.starts_with("MSG ") && !text.starts_with("HMSG ")) continue;
    std::istringstream words(text);
    std::vector<std::string> parts{std::istream_iterator<std::string>(words), {}};
    const bool has_headers = parts[0] == "HMSG";
    Arrived arrived;
    arrived.subject = parts[1];
    std::string body = bytes(std::stoul(parts.back()));
    if (has_headers) {
      const std::size_t size = std::stoul(parts[parts.size() - 2]);
      arrived.headers = body.substr(0, size);
      body.erase(0, size);
    }
    arrived.payload = std::move(body);
    return arrived;
  }
}

std::string NatsReader::request(const std::string& what, const Json& body) {
  const std::string text = body.empty() ? "" : body.dump();
  std::string reply = "reader.answer." + std::to_string(++requests_);
  send("PUB $JS.API." + what + " " + reply + " " + std::to_string(text.size()) + "\r\n" + text + "\r\n");
  return reply;
}

NatsReader::Json NatsReader::api(const std::string& what, const Json& body) {
  const std::string reply = request(what, body);
  Arrived answer = next();
  while (answer.subject != reply) answer = next();
  if (answer.payload.empty()) throw std::runtime_error("nats: nobody answers " + what);
  Json json = Json::parse(answer.payload);
  if (json.contains("error")) throw std::runtime_error("nats: " + what + ": " + json["error"].dump());
  return json;
}

void NatsReader::create_stream(const std::string& name, const std::vector<std::string>& subjects,
                               const Json& more) {
  Json config = {{"name", name}, {"subjects", subjects}, {"storage", "file"}, {"num_replicas", 1}};
  config.update(more);
  api("STREAM.CREATE." + name, config);
}

void NatsReader::delete_streams() {
  const Json names = api("STREAM.NAMES");
  if (names["streams"].is_array())
    for (const auto& name : names["streams"]) api("STREAM.DELETE." + name.get<std::string>());
}

std::vector<Received> NatsReader::stream(const std::string& name) {
  const auto count = api("STREAM.INFO." + name)["state"]["messages"].get<std::size_t>();
  std::vector<Received> result;
  if (count == 0) return result;
  const Json made =
      api("CONSUMER.CREATE." + name,
          {{"stream_name", name},
           {"config", {{"deliver_policy", "all"}, {"ack_policy", "explicit"}, {"max_ack_pending", -1}}}});
  const auto consumer = made["name"].get<std::string>();
  // A message comes under the subject that it was published to, though it is sent to the request's inbox.
  request("CONSUMER.MSG.NEXT." + name + "." + consumer, {{"batch", count}});
  while (result.size() < count) result.push_back(received_of(next()));
  api("CONSUMER.DELETE." + name + "." + consumer);
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
