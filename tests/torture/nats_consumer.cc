#include "tests/torture/nats_consumer.h"

#include <exception>
#include <stdexcept>

#include "tests/support/eventually.h"
#include "tests/support/socket.h"

namespace outbox::test {

NatsConsumer::NatsConsumer(int port, int as_seen_by_relay)
    : port_(port), relay_port_(as_seen_by_relay > 0 ? as_seen_by_relay : port) {
  open();
}

std::string NatsConsumer::url() const {
  return "nats://127.0.0.1:" + std::to_string(relay_port_);
}

void NatsConsumer::open() {
  reader_.emplace(port_);
  begin_again();
  last_ = 0;
  reader_->create_stream("orders", {"orders", "orders-marker"});
}

void NatsConsumer::catch_up() {
  try {
    if (!reader_) open();
    for (Received& message : reader_->stream_after("orders", last_))
      if (message.topic == "orders") arrived.push_back(std::move(message));
  } catch (const std::exception&) {
    reader_.reset();
  }
}

void NatsConsumer::settle() {
  if (!eventually([&] { return abandoned_connections(port_) == 0; }))
    throw std::runtime_error("nats keeps the connection of a killed relay");
  // A stream takes in its messages one after the other: what came before the marker is there when it is.
  if (!reader_) open();
  reader_->request("orders-marker", "settled");
  catch_up();
}

}  // namespace outbox::test
