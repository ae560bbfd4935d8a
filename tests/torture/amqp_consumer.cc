#include "tests/torture/amqp_consumer.h"

#include <exception>
#include <stdexcept>
#include <string_view>

#include "tests/support/eventually.h"
#include "tests/torture/big_endian.h"

namespace outbox::test {
namespace {

using namespace std::chrono_literals;

constexpr int method_frame = 1, header_frame = 2, body_frame = 3;
constexpr char frame_end = '\xce';
constexpr std::string_view marker = "marker-";

std::string short_text(std::string_view text) {
  return sized(text, 1);
}

std::string long_text(std::string_view text) {
  return sized(text, 4);
}

std::string method(int class_id, int method_id) {
  return number(static_cast<std::uint64_t>(class_id), 2) + number(static_cast<std::uint64_t>(method_id), 2);
}

void read_headers(const std::string& table, Received& message) {
  Fields fields(table);
  while (!fields.is_empty()) {
    const std::string name = fields.sized(1);
    if (fields.text(1) != "S") throw std::runtime_error("header " + name + " is no text");
    message.add("", "cloudEvents_", name, fields.sized(4));
  }
}

}  // namespace

AmqpConsumer::AmqpConsumer(int port, int as_seen_by_relay)
    : port_(port), relay_port_(as_seen_by_relay > 0 ? as_seen_by_relay : port) {
  open();
}

std::string AmqpConsumer::url() const {
  return "amqp://guest:guest@127.0.0.1:" + std::to_string(relay_port_);
}

void AmqpConsumer::open() {
  socket_ = std::make_unique<Socket>(port_);
  begin_again();
  body_left_ = 0;
  socket_->send(std::string_view("AMQP\0\0\x09\x01", 8));
  await(10, 10);
  send(method_frame, 0,
       method(10, 11) + long_text("") + short_text("PLAIN") +
           long_text(std::string_view("\0guest\0guest", 12)) + short_text("en_US"));
  await(10, 30);
  send(method_frame, 0, method(10, 31) + number(8, 2) + number(131072, 4) + number(0, 2));
  send(method_frame, 0, method(10, 40) + short_text("/") + short_text("") + number(0, 1));
  await(10, 41);
  send(method_frame, 1, method(20, 10) + short_text(""));
  await(20, 11);
  send(method_frame, 1,
       method(50, 10) + number(0, 2) + short_text("orders") + number(2, 1) + long_text(""));  // durable
  await(50, 11);
  send(method_frame, 1,
       method(60, 20) + number(0, 2) + short_text("orders") + short_text("reader") + number(0, 1) +
           long_text(""));
  await(60, 21);
}

void AmqpConsumer::send(int type, int channel, const std::string& payload) {
  socket_->send(number(static_cast<std::uint64_t>(type), 1) + number(static_cast<std::uint64_t>(channel), 2) +
                long_text(payload) + frame_end);
}

std::optional<AmqpConsumer::Frame> AmqpConsumer::take() {
  std::string& input = socket_->input;
  if (input.size() < 7) return std::nullopt;
  Fields start(input);
  const auto type = static_cast<int>(start.number(1));
  start.number(2);
  const std::size_t size = start.number(4);
  if (input.size() < 7 + size + 1) return std::nullopt;
  if (input[7 + size] != frame_end) throw std::runtime_error("not the end of a frame");
  Frame frame{type, input.substr(7, size)};
  input.erase(0, 7 + size + 1);
  return frame;
}

void AmqpConsumer::await(int class_id, int method_id) {
  for (;;) {
    while (const auto frame = take()) {
      if (frame->type == method_frame && frame->payload.starts_with(method(class_id, method_id))) return;
      absorb(*frame);
    }
    if (!socket_->receive(patience)) throw std::runtime_error("rabbitmq does not answer");
  }
}

void AmqpConsumer::absorb(const Frame& frame) {
  Fields fields(frame.payload);
  if (frame.type == method_frame) {
    if (!frame.payload.starts_with(method(60, 60)))
      throw std::runtime_error("rabbitmq ends the connection: " + frame.payload.substr(4));
    coming_ = {};
    coming_.topic = "orders";
  } else if (frame.type == header_frame) {
    fields.number(4);  // class, weight
    body_left_ = fields.number(8);
    const std::uint64_t flags = fields.number(2);
    if ((flags >> 15 & 1) != 0) coming_.content_type = fields.sized(1);
    if ((flags >> 14 & 1) != 0) fields.sized(1);
    if ((flags >> 13 & 1) != 0) read_headers(fields.sized(4), coming_);
    if (body_left_ == 0) keep();
  } else if (frame.type == body_frame) {
    coming_.payload += frame.payload;
    body_left_ -= frame.payload.size();
    if (body_left_ == 0) keep();
  }
}

void AmqpConsumer::keep() {
  if (coming_.content_type && coming_.content_type->starts_with(marker))
    marker_seen_ = *coming_.content_type;
  else
    arrived.push_back(std::move(coming_));
}

void AmqpConsumer::catch_up() {
  try {
    if (!socket_) open();
    do {
      while (const auto frame = take()) absorb(*frame);
    } while (socket_->receive(0ms));
  } catch (const std::exception&) {
    socket_.reset();
  }
}

void AmqpConsumer::settle() {
  // A connection closes after its channels have handed over all that came; the queue keeps what follows
  // behind it.
  if (!eventually([&] { return abandoned_connections(port_) == 0; }))
    throw std::runtime_error("rabbitmq keeps the connection of a killed relay");
  catch_up();
  if (!socket_) throw std::runtime_error("rabbitmq is away");
  const std::string name = std::string(marker) + std::to_string(++markers_);
  send(method_frame, 1, method(60, 40) + number(0, 2) + short_text("") + short_text("orders") + number(0, 1));
  send(header_frame, 1, number(60, 2) + number(0, 2) + number(0, 8) + number(1 << 15, 2) + short_text(name));
  const auto is_there = [&] {
    catch_up();
    return marker_seen_ == name;
  };
  if (!eventually(is_there)) throw std::runtime_error("rabbitmq does not hand over what it was sent");
}

}  // namespace outbox::test
