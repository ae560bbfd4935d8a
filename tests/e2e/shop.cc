#include "tests/e2e/shop.h"

#include <random>

#include "tests/support/eventually.h"

namespace outbox::test {

bool Shop::all_sent(std::size_t count) {
  const std::map<std::string, long> wanted = {{"sent", static_cast<long>(count)}};
  return eventually([&] { return states("main") == wanted; });
}

void Shop::order(int count) {
  const auto service = session();
  for (int i = 0; i < count; ++i) service->order(std::to_string(i % keys), true);
}

Producers::Producers(Shop& shop, int threads, unsigned seed) {
  for (int i = 0; i < threads; ++i)
    threads_.emplace_back([this, &shop, mine = seed + static_cast<unsigned>(i)] { produce(shop, mine); });
}

void Producers::stop() {
  stopping_ = true;
  threads_.clear();
}

void Producers::produce(Shop& shop, unsigned seed) const {
  std::mt19937 random(seed);
  std::unique_ptr<Session> session;
  while (!stopping_) {
    try {
      if (!session) session = shop.session();
      const std::string key = std::to_string(random() % Shop::keys);
      session->order(key, random() % 10 != 0);
    } catch (const std::exception&) {
      session.reset();  // the database is away: services wait for it, as they would
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
}

}  // namespace outbox::test
