// What every store adapter must do, whatever the database: one suite, run by each adapter's test with a
// fixture of its own against the real thing.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/admin.h"
#include "core/store.h"

namespace outbox::test {

/// A row as a service writes it.
struct ServiceRow {
  std::string topic = "orders";
  std::optional<std::string> key = {};
  std::optional<std::string> type = {};
  std::string payload = "{}";
  std::string content_type = "application/json";
  std::string headers = "{}";                           ///< JSON text, also such as the relay must refuse
  std::optional<std::chrono::seconds> deliver_in = {};  ///< by the database's clock
};

/// A service's own connection, one transaction at a time.
class ServiceWriter {
 public:
  virtual ~ServiceWriter() = default;
  virtual void begin() = 0;
  virtual void insert(const ServiceRow& row) = 0;
  virtual void commit() = 0;
  virtual void rollback() = 0;

  /// begin, insert each, commit.
  void commit_rows(const std::vector<ServiceRow>& rows);
};

/// One database with the outbox's tables in it and no row.
class StoreFixture {
 public:
  virtual ~StoreFixture() = default;
  virtual std::unique_ptr<Store> store() = 0;
  virtual std::unique_ptr<Admin> admin() = 0;
  virtual std::unique_ptr<ServiceWriter> writer() = 0;
  /// What an INSERT that gives seq itself needs behind its columns.
  [[nodiscard]] virtual std::string with_own_seq() const { return ""; }
  /// SQL that every database understands, on the service's database, as somebody who may do anything there.
  virtual void execute(const std::string& sql) = 0;
  /// outbox_audit, a line each: "<actor> <action> <route>".
  virtual std::vector<std::string> audit() = 0;
  /// True: several writers may have transactions open at a time.
  [[nodiscard]] virtual bool has_concurrent_writers() const { return true; }
};

/// Runs every claim as a SUBCASE; call it from a TEST_CASE with a fresh fixture.
void store_suite(StoreFixture& fixture);
/// Parts of it.
void store_rows_suite(StoreFixture& fixture);
void store_lease_suite(StoreFixture& fixture);
/// What is held, through the Store port; looks at it through Admin::held().
void store_held_suite(StoreFixture& fixture);
/// Which of the held rows may be tried, and in which order.
void store_due_suite(StoreFixture& fixture);
/// Shards of a route, and what is held when their number changes.
void store_shard_suite(StoreFixture& fixture);
void operator_suite(StoreFixture& fixture);
void upkeep_suite(StoreFixture& fixture);
/// A part of it.
void retention_suite(StoreFixture& fixture);
/// Rows that no route takes.
void unrouted_suite(StoreFixture& fixture);

/// A store that holds the lease of route "orders", and where it stands.
struct Holder {
  std::unique_ptr<Store> store;
  Lease lease;
  Mark mark;
};
Holder holder_of(StoreFixture& fixture, const std::string& owner = "relay-1", Start start = Start::oldest);
LeaseRequest request_of(const std::string& owner);
/// Takes the lease; the test fails when it is not granted, or for refusal_of(), when it is.
Granted grant_of(Store& store, const LeaseRequest& request);
LeaseHolder refusal_of(Store& store, const LeaseRequest& request);
/// The same with a store of its own.
Holder holder_of(StoreFixture& fixture, const LeaseRequest& request);
/// Of both shards of the route "orders".
std::array<Holder, 2> holders_of_two_shards(StoreFixture& fixture);
Hold hold_of(const Message& message, HeldState state);

/// By relay-1.
LeaseRequest request_of_route(const std::string& route, std::vector<std::string> topics = {"*"});
/// With the payloads 0, 1, 2, ...
std::vector<ServiceRow> service_rows(int count);
/// Reads everything and saves the mark.
void settle_all(Holder& holder);

/// Reads until nothing more is there and moves the holder's mark along, without saving it. The payloads, in
/// order.
std::vector<std::string> read_all(Holder& holder, const ReadLimit& limit = {1000, 1u << 24});

/// Waits again when a wait ends for nothing, which the port allows; how it ended in the end.
Woken wait_for(Store& store, Woken wanted, Duration timeout);

/// A relay at rest, in a thread of its own: waits and reads until a read brings rows. Nobody else uses the
/// holder's store meanwhile. Its end ends the rest.
class Sleeper {
 public:
  explicit Sleeper(Holder& holder);
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  ~Sleeper();

  /// How many rows it woke for; 0: none have come for a minute.
  std::size_t rows() { return rows_.get(); }

 private:
  Holder& holder_;
  std::atomic<bool> ending_ = false;
  std::future<std::size_t> rows_;
};

}  // namespace outbox::test
