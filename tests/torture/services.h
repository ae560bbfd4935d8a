// Services that write into the outbox and keep a ledger of it. Threads of their own, ended with the object.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/shop.h"
#include "tests/torture/ledger.h"

namespace outbox::test {

struct ServicesOptions {
  int threads = 3;
  unsigned seed = 1;
  int rows_max = 8;                ///< per transaction
  int pause_max = 0;               ///< milliseconds between two transactions
  int scheduled = 60;              ///< one in so many transactions is to be delivered a little later; 0: none
  std::vector<std::string> setup;  ///< statements for each new session
};

/// As fast as they may: short and long transactions, one in ten rolled back, one in twenty rows without a
/// key. They wait for a database that is away. The seed decides everything but the interleaving.
class Services {
 public:
  Services(Shop& shop, Ledger& ledger, ServicesOptions options);
  ~Services() { stop(); }
  Services(const Services&) = delete;
  Services& operator=(const Services&) = delete;

  /// They rest while so many rows or more are committed.
  void allow(std::size_t rows) { allowed_ = rows; }
  void stop();

 private:
  void serve(unsigned seed);
  void transaction(Session& session, std::mt19937& random);
  std::vector<std::size_t> write(Session& session, const std::string& key, int count, int delay = 0);
  [[nodiscard]] std::string moment_in(int milliseconds) const;

  Shop& shop_;
  Ledger& ledger_;
  const ServicesOptions options_;
  std::atomic<std::size_t> allowed_ = 0;
  std::atomic<bool> stopping_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace outbox::test
