#include "tests/torture/services.h"

#include <chrono>
#include <exception>
#include <random>

namespace outbox::test {
namespace {

void pause(unsigned microseconds) {
  std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
}

}  // namespace

Services::Services(Shop& shop, Ledger& ledger, ServicesOptions options)
    : shop_(shop), ledger_(ledger), options_(std::move(options)) {
  for (int i = 0; i < options_.threads; ++i)
    threads_.emplace_back([this, seed = options_.seed * 1000U + static_cast<unsigned>(i)] { serve(seed); });
}

void Services::stop() {
  stopping_ = true;
  threads_.clear();
}

void Services::serve(unsigned seed) {
  std::mt19937 random(seed);
  std::unique_ptr<Session> session;
  while (!stopping_) {
    if (ledger_.committed() >= allowed_) {
      pause(500);
      continue;
    }
    try {
      if (!session) {
        session = shop_.session();
        for (const std::string& statement : options_.setup) session->run(statement);
      }
      transaction(*session, random);
      if (options_.pause_max > 0) pause(random() % (1000U * static_cast<unsigned>(options_.pause_max)));
    } catch (const std::exception&) {
      session.reset();  // the database is away
      pause(2000);
    }
  }
}

/// An expression, in the database's own words.
std::string Services::moment_in(int milliseconds) const {
  if (milliseconds == 0) return "NULL";
  const std::string seconds = std::to_string(milliseconds / 1000.0);
  if (shop_.url().starts_with("sqlite:"))
    return "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+" + seconds + " seconds')";
  return "now() + interval '" + seconds + " s'";
}

/// delay: milliseconds until they may be delivered.
std::vector<std::size_t> Services::write(Session& session, const std::string& key, int count, int delay) {
  std::vector<std::size_t> rows;
  std::string sql = "INSERT INTO outbox (id, topic, message_key, payload, deliver_at) VALUES ";
  for (int i = 0; i < count; ++i) {
    rows.push_back(ledger_.add(key, delay > 0));
    const LedgerRow row = ledger_.row(rows.back());
    sql += (i > 0 ? ", ('" : "('") + row.id + "', 'orders', " + (key.empty() ? "NULL" : "'" + key + "'") +
           ", '" + row.payload + "', " + moment_in(delay) + ")";
  }
  session.run(sql);
  return rows;
}

void Services::transaction(Session& session, std::mt19937& random) {
  const std::string key = std::to_string(random() % Shop::keys);
  const bool commits = random() % 10 != 0;
  std::vector<std::size_t> rows;
  bool committing = false;
  try {
    session.begin();
    // Its transaction is older than those that commit before it.
    if (random() % 20 == 0) {
      rows = write(session, "", 1);
      pause(random() % 5000);
    }
    session.run("UPDATE account SET number = number + 1 WHERE key = '" + key + "'");
    const int count = 1 + static_cast<int>(random() % static_cast<unsigned>(options_.rows_max));
    const bool is_scheduled =
        options_.scheduled > 0 && random() % static_cast<unsigned>(options_.scheduled) == 0;
    const int delay = is_scheduled ? 1 + static_cast<int>(random() % 100) : 0;
    for (const std::size_t row : write(session, key, count, delay)) rows.push_back(row);
    if (random() % 20 == 0) pause(random() % 5000);
    if (commits) {
      // Written down before it is said, so that a commit without an answer is not forgotten.
      ledger_.set(rows, Fate::unknown);
      committing = true;
    }
    session.run(commits ? "COMMIT" : "ROLLBACK");
    ledger_.set(rows, commits ? Fate::committed : Fate::rolled_back);
  } catch (const std::exception&) {
    if (!committing) ledger_.set(rows, Fate::rolled_back);
    throw;
  }
}

}  // namespace outbox::test
