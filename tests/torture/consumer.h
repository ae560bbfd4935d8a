// What has arrived, read by other means than the relay's, in the order of arrival. Stays in its thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "tests/conformance/redis_reader.h"

namespace outbox::test {

class Consumer {
 public:
  virtual ~Consumer() = default;
  /// Reads what is new. A broker that is away is asked again the next time.
  virtual void catch_up() = 0;
  /// Waits until nothing that a killed relay has sent is still on its way; then reads it.
  virtual void settle() { catch_up(); }
  /// The route's `to`.
  [[nodiscard]] virtual std::string url() const = 0;

  std::vector<Received> arrived;
  /// How often it was emptied, to be read again from the beginning.
  std::size_t beginnings = 0;

 protected:
  void begin_again() {
    arrived.clear();
    ++beginnings;
  }
};

/// The topic "orders" of a server that is emptied first.
class RedisConsumer : public Consumer {
 public:
  /// `as_seen_by_relay`: the port in the relay's URL, when something stands between.
  explicit RedisConsumer(int port, int as_seen_by_relay = 0, int database = 0);
  void catch_up() override;
  void settle() override;
  [[nodiscard]] std::string url() const override;

 private:
  int port_, relay_port_, database_;
  std::unique_ptr<RedisReader> reader_;
  std::string last_ = "-";
};

class FileConsumer : public Consumer {
 public:
  explicit FileConsumer(std::string path) : path_(std::move(path)) {}
  void catch_up() override;
  [[nodiscard]] std::string url() const override { return "file:" + path_; }

 private:
  /// Complete lines from there on.
  [[nodiscard]] std::string read_from(std::size_t position) const;

  const std::string path_;
  std::size_t read_to_ = 0;
  std::string last_line_;  ///< before read_to_
};

}  // namespace outbox::test
