#include "tests/torture/kafka_consumer.h"

#include <exception>
#include <stdexcept>

#include "tests/support/eventually.h"
#include "tests/torture/big_endian.h"

namespace outbox::test {
namespace {

constexpr int fetch_api = 1;

/// A length of -1 stands for nothing.
std::string varint_text(Fields& fields) {
  const std::int64_t size = fields.varint();
  return size < 0 ? std::string() : std::string(fields.text(static_cast<std::size_t>(size)));
}

Received record_of(Fields record) {
  Received message;
  message.topic = "orders";
  (void)varint_text(record);  // its key is the attribute partitionkey too
  message.payload = varint_text(record);
  for (std::int64_t left = record.varint(); left > 0; --left) {
    const std::string name = varint_text(record);
    message.add("content-type", "ce_", name, varint_text(record));
  }
  return message;
}

}  // namespace

KafkaConsumer::KafkaConsumer(int port, int as_seen_by_relay)
    : port_(port), relay_port_(as_seen_by_relay > 0 ? as_seen_by_relay : port) {
  open();
}

std::string KafkaConsumer::url() const {
  return "kafka://127.0.0.1:" + std::to_string(relay_port_);
}

void KafkaConsumer::open() {
  socket_ = std::make_unique<Socket>(port_);
  begin_again();
  next_.fill(0);
}

std::string KafkaConsumer::request(int api, int version, const std::string& body) {
  const std::string header = number(static_cast<std::uint64_t>(api), 2) +
                             number(static_cast<std::uint64_t>(version), 2) + number(1, 4) +
                             sized("reader", 2);
  socket_->send(sized(header + body, 4));
  socket_->receive_until(4);
  const std::size_t size = Fields(socket_->input).number(4);
  socket_->receive_until(4 + size);
  std::string answer = socket_->input.substr(8, size - 4);  // behind size and number of the request
  socket_->input.erase(0, 4 + size);
  return answer;
}

bool KafkaConsumer::fetch() {
  std::string body = number(~0ULL, 4) + number(0, 4) + number(0, 4) + number(8 << 20, 4) + number(0, 1) +
                     number(1, 4) + sized("orders", 2) + number(partitions, 4);
  for (std::size_t partition = 0; partition < partitions; ++partition)
    body +=
        number(partition, 4) + number(static_cast<std::uint64_t>(next_[partition]), 8) + number(1 << 20, 4);
  const std::string answer = request(fetch_api, 4, body);
  Fields fields(answer);
  fields.number(8);  // throttle time, topics
  fields.sized(2);
  bool is_new = false;
  for (std::uint64_t left = fields.number(4); left > 0; --left) {
    const auto partition = static_cast<int>(fields.number(4));
    const auto error = static_cast<std::int16_t>(fields.number(2));
    fields.text(16);  // ends of the partition
    if (fields.number(4) != 0xffffffff) throw std::runtime_error("kafka tells of transactions");
    const auto size = static_cast<std::int32_t>(fields.number(4));
    const std::string_view batches = fields.text(size > 0 ? static_cast<std::size_t>(size) : 0);
    if (error != 0) throw std::runtime_error("kafka does not let read: error " + std::to_string(error));
    is_new = keep_batches(batches, partition) || is_new;
  }
  return is_new;
}

bool KafkaConsumer::keep_batches(std::string_view batches, int partition) {
  std::int64_t& next = next_.at(static_cast<std::size_t>(partition));
  bool is_new = false;
  for (Fields rest(batches); rest.size() > 12;) {
    const auto first = static_cast<std::int64_t>(rest.number(8));
    const std::size_t size = rest.number(4);
    if (rest.size() < size) break;  // the next answer has the whole of it
    Fields batch(rest.text(size));
    batch.text(4 + 1 + 4);  // epoch, magic number, checksum
    const std::uint64_t attributes = batch.number(2);
    if ((attributes & 0x27) != 0) throw std::runtime_error("a batch is compressed or not one of messages");
    batch.text(4 + 8 + 8 + 8 + 2 + 4);  // last offset, times, producer
    for (std::uint64_t left = batch.number(4); left > 0; --left) {
      Fields record(batch.text(static_cast<std::size_t>(batch.varint())));
      record.number(1);
      record.varint();  // time
      const std::int64_t offset = first + record.varint();
      if (offset < next) continue;
      next = offset + 1;
      is_new = true;
      arrived.push_back(record_of(record));
    }
  }
  return is_new;
}

void KafkaConsumer::catch_up() {
  try {
    if (!socket_) open();
    while (fetch()) {
    }
  } catch (const std::exception&) {
    socket_.reset();
  }
}

void KafkaConsumer::settle() {
  // A connection is not read on, and so not closed, before the request that came last is carried out.
  if (!eventually([&] { return abandoned_connections(relay_port_) == 0; }))
    throw std::runtime_error("kafka keeps the connection of a killed relay");
  catch_up();
}

}  // namespace outbox::test
