#include "tests/torture/consumer.h"

#include <exception>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "tests/conformance/event_lines.h"
#include "tests/support/eventually.h"

namespace outbox::test {

RedisConsumer::RedisConsumer(int port, int as_seen_by_relay, int database)
    : port_(port), relay_port_(as_seen_by_relay > 0 ? as_seen_by_relay : port), database_(database) {
  reader_ = std::make_unique<RedisReader>(port_);
  reader_->command({"SELECT", std::to_string(database_)});
  reader_->command({"FLUSHDB"});
}

std::string RedisConsumer::url() const {
  return "redis://127.0.0.1:" + std::to_string(relay_port_) + "/" + std::to_string(database_);
}

void RedisConsumer::catch_up() {
  try {
    if (!reader_) {
      reader_ = std::make_unique<RedisReader>(port_);
      reader_->command({"SELECT", std::to_string(database_)});
    }
    for (Received& message : reader_->stream_after("orders", last_)) arrived.push_back(std::move(message));
  } catch (const std::exception&) {
    reader_.reset();
  }
}

void RedisConsumer::settle() {
  // The server closes a connection after it has carried out all that came over it.
  const auto is_gone = [&] {
    const std::string clients = reader_->command({"CLIENT", "LIST"});
    const std::string mine = " db=" + std::to_string(database_) + " ";
    for (std::size_t at = 0; (at = clients.find("name=outboxd", at)) != clients.npos; ++at)
      if (clients.substr(at, clients.find('\n', at) - at).find(mine) != clients.npos) return false;
    return true;
  };
  if (!eventually(is_gone)) throw std::runtime_error("redis keeps the connection of a killed relay");
  catch_up();
}

std::string FileConsumer::read_from(std::size_t position) const {
  std::ifstream file(path_, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(position));
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  text.resize(text.rfind('\n') + 1);
  return text;
}

void FileConsumer::catch_up() {
  std::string text = read_from(read_to_ - last_line_.size());
  if (text.starts_with(last_line_)) {
    text.erase(0, last_line_.size());
  } else {
    // The relay takes back what a full disk has spoilt: what is there now is what counts.
    begin_again();
    read_to_ = 0;
    text = read_from(0);
  }
  if (text.empty()) return;
  read_to_ += text.size();
  last_line_ = text.substr(text.rfind('\n', text.size() - 2) + 1);
  for (Received& message : read_event_lines(text)) arrived.push_back(std::move(message));
}

}  // namespace outbox::test
