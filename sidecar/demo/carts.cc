#include "demo/services.h"

#include <chrono>

#include "demo/child.h"
#include "demo/database.h"
#include "demo/events.h"

namespace outbox::demo {
namespace {

/// Saved now and then, as consumers of brokers do. What a crash repeats, the inbox knows.
constexpr auto save_interval = std::chrono::milliseconds(250);

class CartService {
 public:
  explicit CartService(const std::string& events)
      : carts_(carts_database),
        position_(carts_.number("SELECT position FROM saved")),
        events_(events, position_),
        note_(carts_.prepare("INSERT INTO inbox (id) VALUES (?1) "
                             "ON CONFLICT (id) DO UPDATE SET deliveries = deliveries + 1 "
                             "RETURNING deliveries")),
        clear_(carts_.prepare("UPDATE carts SET items = 0, cleared = cleared + 1 WHERE id = ?1")),
        advance_(carts_.prepare("UPDATE sessions SET read_up_to = ?1 "
                                "WHERE id = (SELECT max(id) FROM sessions)")),
        save_(carts_.prepare("UPDATE saved SET position = ?1")) {
    carts_.execute("INSERT INTO sessions (began_at, read_up_to) SELECT position, position FROM saved");
  }

  void serve() {
    auto saved_at = std::chrono::steady_clock::now();
    while (!stop_requested()) {
      for (const Event& event : events_.read(save_interval)) take(event);
      if (std::chrono::steady_clock::now() - saved_at < save_interval) continue;
      save();
      saved_at = std::chrono::steady_clock::now();
    }
    save();
  }

 private:
  /// The inbox and the cart change together or not at all.
  void take(const Event& event) {
    auto transaction = carts_.begin();
    note_.bind(1, std::string_view(event.id));
    const bool is_new = carts_.step(note_) && note_.number(0) == 1;
    note_.reset();
    if (is_new) {
      clear_.bind(1, event.order);
      carts_.run(clear_);
    }
    advance_.bind(1, event.read_up_to);
    carts_.run(advance_);
    carts_.commit(transaction);
    position_ = event.read_up_to;
  }

  void save() {
    save_.bind(1, position_);
    carts_.run(save_);
  }

  Database carts_;
  std::int64_t position_;
  EventFile events_;
  sqlite::Statement note_, clear_, advance_, save_;
};

}  // namespace

void set_up_carts(const std::string& directory, std::int64_t orders) {
  Database carts(directory + "/" + carts_database);
  carts.execute(
      "CREATE TABLE carts (id INTEGER PRIMARY KEY, items INTEGER NOT NULL, cleared INTEGER NOT NULL DEFAULT "
      "0);"
      "CREATE TABLE inbox (id TEXT PRIMARY KEY, deliveries INTEGER NOT NULL DEFAULT 1) WITHOUT ROWID;"
      "CREATE TABLE saved (position INTEGER NOT NULL);"
      "INSERT INTO saved VALUES (0);"
      // One row for each start of the service: where it began and how far it came.
      "CREATE TABLE sessions (id INTEGER PRIMARY KEY, began_at INTEGER NOT NULL, read_up_to INTEGER NOT "
      "NULL)");
  auto fill = carts.prepare(
      "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?1) "
      "INSERT INTO carts (id, items) SELECT n, 1 + n % 5 FROM number");
  fill.bind(1, orders);
  carts.run(fill);
}

void serve_carts(const std::string& events) {
  remember_stop_signals();
  CartService(events).serve();
}

}  // namespace outbox::demo
