#include "tests/torture/nats_consumer.h"

#include <cstdlib>
#include <exception>
#include <random>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "tests/support/eventually.h"

namespace outbox::test {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view marker = "orders-marker", copies = "copies";

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream words(line);
  std::vector<std::string> result;
  for (std::string word; words >> word;) result.push_back(std::move(word));
  return result;
}

/// Of "$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence in the stream>....".
std::uint64_t sequence_of(const std::string& reply) {
  std::istringstream tokens(reply);
  std::string token;
  for (int i = 0; i < 6; ++i) std::getline(tokens, token, '.');
  return std::strtoull(token.c_str(), nullptr, 10);
}

}  // namespace

NatsConsumer::NatsConsumer(int port, int as_seen_by_relay)
    : port_(port), relay_port_(as_seen_by_relay > 0 ? as_seen_by_relay : port) {
  open();
}

std::string NatsConsumer::url() const {
  return "nats://127.0.0.1:" + std::to_string(relay_port_);
}

void NatsConsumer::open() {
  socket_ = std::make_unique<Socket>(port_);
  begin_again();
  last_ = 0;
  const std::string copy = "orders-copy." + std::to_string(std::random_device()());
  socket_->send(
      "CONNECT {\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true,"
      "\"lang\":\"test\",\"version\":\"1\"}\r\nSUB answer.* answers\r\nSUB " +
      copy + " copies\r\n");
  request("$JS.API.STREAM.CREATE.orders",
          R"({"name":"orders","subjects":["orders","orders-marker"],"storage":"file","num_replicas":1,)"
          R"("retention":"limits","discard":"old","duplicate_window":120000000000})");
  request("$JS.API.CONSUMER.CREATE.orders", R"({"stream_name":"orders","config":{"deliver_subject":")" +
                                                copy +
                                                R"(","deliver_policy":"all",)"
                                                R"("ack_policy":"none","replay_policy":"instant"}})");
}

std::string NatsConsumer::request(const std::string& subject, const std::string& text) {
  socket_->send("PUB " + subject + " answer.1 " + std::to_string(text.size()) + "\r\n" + text + "\r\n");
  for (;;) {
    while (auto message = take()) {
      if (message->subscription == copies) {
        keep(*message);
        continue;
      }
      if (message->payload.empty() || message->payload.find("\"error\"") != std::string::npos)
        throw std::runtime_error(subject + ": " + message->headers + message->payload);
      return message->payload;
    }
    if (!socket_->receive(patience)) throw std::runtime_error("nats does not answer " + subject);
  }
}

std::optional<NatsConsumer::Delivered> NatsConsumer::take() {
  std::string& input = socket_->input;
  for (;;) {
    const std::size_t end = input.find("\r\n");
    if (end == std::string::npos) return std::nullopt;
    const std::vector<std::string> words = words_of(input.substr(0, end));
    if (words.empty() || (words[0] != "MSG" && words[0] != "HMSG")) {
      if (!words.empty() && words[0] == "PING") socket_->send("PONG\r\n");
      if (!words.empty() && words[0] == "-ERR") throw std::runtime_error(input.substr(0, end));
      input.erase(0, end + 2);
      continue;
    }
    // MSG <subject> <sid> [reply] <size>, HMSG <subject> <sid> [reply] <size of headers> <size of all>
    const bool has_headers = words[0] == "HMSG";
    const std::size_t size = std::strtoul(words.back().c_str(), nullptr, 10);
    const std::size_t headers = has_headers ? std::strtoul(words[words.size() - 2].c_str(), nullptr, 10) : 0;
    if (input.size() < end + 2 + size + 2) return std::nullopt;
    Delivered message;
    message.subscription = words[2];
    if (words.size() == (has_headers ? 6 : 5)) message.reply = words[3];
    message.headers = input.substr(end + 2, headers);
    message.payload = input.substr(end + 2 + headers, size - headers);
    input.erase(0, end + 2 + size + 2);
    return message;
  }
}

void NatsConsumer::keep(const Delivered& message) {
  const std::uint64_t sequence = sequence_of(message.reply);
  if (sequence != last_ + 1)
    throw std::runtime_error("nats left out what comes after message " + std::to_string(last_));
  last_ = sequence;
  if (message.headers.empty()) return;  // the marker of settle()
  Received received;
  received.topic = "orders";
  received.payload = message.payload;
  std::istringstream lines(message.headers);
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string value = line.substr(line.find_first_not_of(' ', colon + 1));
    if (line.starts_with("ce-"))
      received.attributes[line.substr(3, colon - 3)] = value;
    else
      received.headers[line.substr(0, colon)] = value;
  }
  arrived.push_back(std::move(received));
}

void NatsConsumer::catch_up() {
  try {
    if (!socket_) open();
    do {
      while (const auto message = take())
        if (message->subscription == copies) keep(*message);
    } while (socket_->receive(0ms));
  } catch (const std::exception&) {
    socket_.reset();
  }
}

void NatsConsumer::settle() {
  if (!eventually([&] { return abandoned_connections(port_) == 0; }))
    throw std::runtime_error("nats keeps the connection of a killed relay");
  // A stream takes in its messages one after the other: what came before the marker is there when it is.
  (void)request(std::string(marker), "settled");
  catch_up();
}

}  // namespace outbox::test
