// Leases and marks in the relay's own file, and what happens when it or the database is exchanged.
#include <doctest/doctest.h>

#include <signal.h>
#include <sys/resource.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "adapters/common/owner.h"
#include "tests/conformance/log_syncs.h"
#include "tests/conformance/sqlite_fixture.h"
#include "tests/conformance/store_suite.h"

namespace outbox::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

Error refused(Store& store) {
  auto result = store.acquire(request());
  REQUIRE_FALSE(result.ok());
  return result.error();
}

TEST_CASE("of two relays on one file one gets the lease, the other learns who has it") {
  SqliteFixture outbox;
  auto first = outbox.store(), second = outbox.store();
  const Granted grant = granted(*first, request("relay-a"));
  auto answer = must(second->acquire(request("relay-b")));
  REQUIRE(std::holds_alternative<LeaseHolder>(answer));
  const LeaseHolder holder = std::get<LeaseHolder>(answer);
  CHECK(holder.owner == "relay-a");
  CHECK(holder.epoch == grant.lease.epoch);

  must(first->renew(grant.lease));
  answer = must(second->acquire(request("relay-b")));
  CHECK(std::get<LeaseHolder>(answer).beat != holder.beat);

  LeaseRequest stale = request("relay-b");
  stale.expired = holder;  // it has moved since
  CHECK(std::holds_alternative<LeaseHolder>(must(second->acquire(stale))));
}

TEST_CASE("who takes over fences the one before, whose writes change nothing") {
  SqliteFixture outbox;
  outbox.insert(5);
  auto first = outbox.store(), second = outbox.store();
  const Granted before = granted(*first, request("relay-a"));
  must(first->settle(before.lease, {"", 2}, {}));
  LeaseRequest takeover = request("relay-b");
  takeover.expired = std::get<LeaseHolder>(must(second->acquire(takeover)));
  const Granted after = granted(*second, takeover);
  CHECK(after.lease.epoch > before.lease.epoch);
  CHECK(after.mark.seq == 2);

  CHECK(first->settle(before.lease, {"", 5}, {}).error().fault == Fault::fenced);
  CHECK(first->renew(before.lease).error().fault == Fault::fenced);
  CHECK(first->release(before.lease).error().fault == Fault::fenced);
  must(second->release(after.lease));
  CHECK(second->settle(after.lease, {"", 5}, {}).error().fault == Fault::fenced);
  CHECK(granted(*first, request("relay-c")).mark.seq == 2);
}

TEST_CASE("a holder whose process is gone is not waited for") {
  SqliteFixture outbox;
  auto first = outbox.store();
  std::string owner = this_owner();
  const auto last = owner.rfind('/');
  owner.replace(last, std::string::npos, "/1");  // this pid, but started at another time
  granted(*first, request(owner));
  auto second = outbox.store();
  granted(*second, request(this_owner()));
}

TEST_CASE("routes have marks of their own, and a new one may start now") {
  SqliteFixture outbox;
  outbox.insert(7);
  auto store = outbox.store();
  CHECK(granted(*store, request("a", "old")).mark.seq == 0);
  LeaseRequest now = request("a", "new");
  now.start = Start::now;
  CHECK(granted(*store, now).mark.seq == 7);
  outbox.insert(1);
  CHECK(granted(*store, now).mark.seq == 7);
}

TEST_CASE("a hold is stored with the mark, or not at all") {
  SqliteFixture outbox;
  outbox.insert(3);
  auto store = outbox.store();
  const Granted grant = granted(*store);
  const Batch batch = must(store->read({}, plenty));
  Hold hold = hold_of(batch.messages[1], HeldState::retrying);
  hold.attempts = 2;
  hold.due_in = std::chrono::seconds(90);
  hold.last_error = "nack";
  Lease stale = grant.lease;
  --stale.epoch;
  CHECK(store->settle(stale, {"", 2}, {{hold}, {}, {}}).error().fault == Fault::fenced);
  auto state = must(sqlite::Connection::open(outbox.state_path(), sqlite::Access::existing, {}));
  CHECK(must(state.number("SELECT count(*) FROM outbox_held", "test")) == 0);
  must(store->settle(grant.lease, {"", 2}, {{hold}, {}, {}}));
  CHECK(must(state.number(
            "SELECT count(*) FROM outbox_held WHERE seq = 2 AND state = 'retrying' AND attempts = 2 AND "
            "unixepoch(next_attempt_at) - unixepoch('now') BETWEEN 88 AND 91",
            "test")) == 1);
}

TEST_CASE("a mark is not saved when what it passes cannot be held") {
  SqliteFixture outbox;
  outbox.insert(3);
  auto store = outbox.store();
  const Granted grant = granted(*store);
  const Batch batch = must(store->read({}, plenty));
  must(store->settle(grant.lease, {"", 1}, {}));
  auto state =
      must(sqlite::Connection::open(outbox.state_path(), sqlite::Access::existing, std::chrono::seconds(5)));
  must(state.execute(
      "CREATE TRIGGER full BEFORE INSERT ON outbox_held BEGIN SELECT RAISE(ABORT, 'full'); END", "test"));
  const HeldWrites held{{hold_of(batch.messages[1], HeldState::retrying)}, {}, {}};
  CHECK(store->settle(grant.lease, {"", 3}, held).error().fault == Fault::unavailable);
  CHECK(must(state.number("SELECT seq FROM outbox_mark", "test")) == 1);
}

TEST_CASE("a mark is saved only when the rows behind it are on the disk") {
  SqliteFixture outbox;
  auto service = outbox.service();
  must(service.execute("PRAGMA synchronous = NORMAL; INSERT INTO outbox (topic, payload) VALUES ('t', 'p')",
                       "test"));  // so the service has synced nothing
  auto store = outbox.store();
  const Granted grant = granted(*store);
  const Batch batch = must(store->read({}, plenty));
  {
    LogSyncs syncs(outbox.path() + "-wal");
    must(store->settle(grant.lease, batch.end, {}));
    CHECK(syncs.seen() == 1);
    must(store->settle(grant.lease, batch.end, {}));
    CHECK(syncs.seen() == 1);  // nothing was committed since
  }
  must(service.execute("INSERT INTO outbox (topic, payload) VALUES ('t', 'p')", "test"));
  const Batch next = must(store->read(batch.end, plenty));
  {
    LogSyncs failing(outbox.path() + "-wal", EIO);
    CHECK(store->settle(grant.lease, next.end, {}).error().fault == Fault::unavailable);
  }
  CHECK(granted(*store).mark.seq == batch.end.seq);
}

TEST_CASE("without the relay's file a route starts at the oldest row") {
  SqliteFixture outbox;
  outbox.insert(5);
  {
    auto store = outbox.store();
    must(store->settle(granted(*store).lease, {"", 5}, {}));
  }
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(outbox.state_path() + suffix);
  auto store = outbox.store();
  CHECK(granted(*store).mark.seq == 0);
}

TEST_CASE("the relay's file removed while it runs ends the session instead of taking writes") {
  SqliteFixture outbox;
  outbox.insert(5);
  auto store = outbox.store();
  const Granted grant = granted(*store);
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(outbox.state_path() + suffix);
  CHECK(store->settle(grant.lease, {"", 5}, {}).error().fault == Fault::unavailable);
  CHECK(granted(*store).mark.seq == 0);
}

TEST_CASE("a mark beyond a restored database does not hide its new rows") {
  SqliteFixture outbox;
  outbox.insert(5);
  const std::string backup = outbox.back_up();
  outbox.insert(5);
  {
    auto store = outbox.store();
    must(store->settle(granted(*store).lease, {"", 10}, {}));
    CHECK(granted(*store).mark.seq == 10);
  }
  outbox.put_back(backup);
  SUBCASE("while it is shorter than the mark") {
    auto store = outbox.store();
    CHECK(granted(*store).mark.seq == 0);
  }
  SUBCASE("when it has grown past the mark") {
    outbox.insert(20);
    auto store = outbox.store();
    CHECK(granted(*store).mark.seq == 0);
  }
}

/// Into the file that everybody has open, as `.restore` does.
void restore_into(const SqliteFixture& outbox, const std::string& backup) {
  auto from = must(sqlite::Connection::open(backup, sqlite::Access::existing, {}));
  auto to = outbox.service(5s);
  sqlite3_backup* copy = sqlite3_backup_init(to.handle(), "main", from.handle(), "main");
  REQUIRE(copy != nullptr);
  CHECK(sqlite3_backup_step(copy, -1) == SQLITE_DONE);
  CHECK(sqlite3_backup_finish(copy) == SQLITE_OK);
}

TEST_CASE("contents that are exchanged under a running relay are read from their oldest row") {
  SqliteFixture outbox;
  outbox.insert(5);
  const std::string backup = outbox.back_up();
  outbox.insert(5);
  auto store = outbox.store();
  const Granted grant = granted(*store);
  Batch batch = must(store->read({}, plenty));
  const auto exchange = [&] {
    SUBCASE("numbers begin anew, and end before the mark") {
      outbox.execute("DELETE FROM outbox; DELETE FROM sqlite_sequence");
      outbox.insert(3);
    }
    SUBCASE("numbers begin anew, and grow past the mark") {
      outbox.execute("DELETE FROM outbox; DELETE FROM sqlite_sequence");
      outbox.insert(20);
    }
    SUBCASE("an older state is restored") {
      restore_into(outbox, backup);
    }
    SUBCASE("an older state is restored and grows past the mark") {
      restore_into(outbox, backup);
      outbox.insert(20);
    }
  };
  const auto over = [](const auto& result) {
    return !result && result.error().fault == Fault::unavailable &&
           result.error().text.find("replaced or restored") != std::string::npos;
  };
  SUBCASE("behind the saved mark") {
    must(store->settle(grant.lease, batch.end, {}));
    exchange();
    CHECK(over(store->read(batch.end, plenty)));
    const Granted again = granted(*store);
    CHECK(again.mark.seq == 0);
    CHECK(again.reset.find("replaced or restored") != std::string::npos);
    auto state = must(sqlite::Connection::open(outbox.state_path(), sqlite::Access::existing, 5s));
    CHECK(must(state.number("SELECT count(*) FROM outbox_audit WHERE action = 'mark_reset'", "test")) == 1);
  }
  SUBCASE("between a read and its settle") {
    exchange();
    CHECK(over(store->settle(grant.lease, batch.end, {})));
    CHECK(granted(*store).mark.seq == 0);
  }
  SUBCASE("while rows are held") {
    Hold hold = hold_of(batch.messages[1], HeldState::retrying);
    hold.due_in = Duration::zero();
    must(store->settle(grant.lease, batch.end, {{hold}, {}, {}}));
    exchange();
    CHECK(over(store->read_held(grant.lease, plenty)));
    CHECK(granted(*store).mark.seq == 0);
    CHECK(must(outbox.admin()->held({}, {}, 10)).empty());
  }
  batch = must(store->read({}, plenty));
  CHECK(batch.messages.front().seq == 1);
  CHECK(std::ssize(batch.messages) == must(outbox.service(5s).number("SELECT count(*) FROM outbox", "test")));
}

TEST_CASE("what changes in the database without an exchange ends no session") {
  SqliteFixture outbox;
  outbox.insert(5);
  auto store = outbox.store();
  const Granted grant = granted(*store);
  Batch batch = must(store->read({}, plenty));
  SUBCASE("rows go, the last one read as well") {
    outbox.execute("DELETE FROM outbox");
  }
  SUBCASE("the sequence is emptied, the rows stay") {
    outbox.execute("DELETE FROM sqlite_sequence");
  }
  SUBCASE("the file is packed") {
    outbox.execute("DELETE FROM outbox WHERE seq < 4; VACUUM");
  }
  SUBCASE("a newer state is restored") {
    outbox.insert(1);
    const std::string backup = outbox.back_up();
    restore_into(outbox, backup);
    CHECK(seqs_of(must(store->read(batch.end, plenty))) == std::vector<std::int64_t>{6});
    return;
  }
  outbox.insert(2);
  CHECK(seqs_of(must(store->read(batch.end, plenty))) == std::vector<std::int64_t>{6, 7});
  must(store->settle(grant.lease, batch.end, {}));
  CHECK(granted(*store).reset.empty());
}

TEST_CASE("rows removed behind and at the mark do not move it") {
  SqliteFixture outbox;
  outbox.insert(5);
  auto store = outbox.store();
  must(store->settle(granted(*store).lease, {"", 5}, {}));
  outbox.execute("DELETE FROM outbox");
  CHECK(granted(*store).mark.seq == 5);
  outbox.insert(1);
  CHECK(seqs_of(must(store->read({"", 5}, plenty))) == std::vector<std::int64_t>{6});
}

TEST_CASE("a database replaced by another file ends the session, and the new one is opened") {
  SqliteFixture outbox;
  outbox.insert(3);
  auto store = outbox.store();
  const Granted grant = granted(*store);
  must(store->settle(grant.lease, {"", 3}, {}));
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(outbox.path() + suffix);
  CHECK(store->read({"", 3}, plenty).error().fault == Fault::unavailable);
  CHECK(refused(*store).fault == Fault::unavailable);
  CHECK_FALSE(fs::exists(outbox.path()));
  outbox.migrate();
  outbox.insert(1);
  CHECK(granted(*store).mark.seq == 0);
  CHECK(must(store->read({}, plenty)).messages.size() == 1);
}

TEST_CASE("two names of one database share its leases") {
  SqliteFixture outbox;
  auto store = outbox.store();
  granted(*store, request("relay-a"));
  const std::string link = outbox.directory() / "link.db";
  fs::create_symlink(outbox.path(), link);
  auto other = must(sqlite_adapter().open_store({"sqlite:" + link, "outbox"}));
  CHECK(std::holds_alternative<LeaseHolder>(must(other->acquire(request("relay-b")))));
}

TEST_CASE("the relay's file can be read by nobody who cannot read the database") {
  const auto mode_of = [](const std::string& path) {
    return static_cast<unsigned>(std::filesystem::status(path).permissions());
  };
  for (const unsigned mode : {0600U, 0660U, 0640U, 0644U}) {
    SqliteFixture outbox;
    std::filesystem::permissions(outbox.path(), std::filesystem::perms(mode));
    {
      auto store = outbox.store();
      must(store->acquire(request()));
      CHECK(mode_of(outbox.state_path()) == mode);
      CHECK(mode_of(outbox.state_path() + "-wal") == mode);
    }
    std::filesystem::permissions(outbox.state_path(), std::filesystem::perms(0666));  // of an older relay
    must(outbox.store()->acquire(request()));
    CHECK(mode_of(outbox.state_path()) == mode);
  }
}

TEST_CASE("a state file that cannot be written is named, with what to do") {
  SqliteFixture outbox;
  fs::create_directory(outbox.state_path());
  auto store = outbox.store();
  const Error error = refused(*store);
  CHECK(error.text.find(".outboxd") != std::string::npos);
  CHECK(error.text.find("give its user the right") != std::string::npos);
}

TEST_CASE("a full disk makes settle unavailable and saves nothing") {
  SqliteFixture outbox;
  outbox.insert(5);
  auto store = outbox.store();
  const Granted grant = granted(*store);
  must(store->settle(grant.lease, {"", 1}, {}));
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit tight = before;
  tight.rlim_cur = 1;
  setrlimit(RLIMIT_FSIZE, &tight);
  const auto settled = store->settle(grant.lease, {"", 5}, {});
  setrlimit(RLIMIT_FSIZE, &before);
  REQUIRE_FALSE(settled.ok());
  CHECK(settled.error().fault == Fault::unavailable);
  CHECK(settled.error().text.find("sqlite.settle") != std::string::npos);
  CHECK(granted(*store).mark.seq == 1);
}

TEST_CASE("a database that is not there is waited for and never made") {
  TempDir directory;
  auto store = must(sqlite_adapter().open_store({"sqlite:" + (directory / "none.db"), "outbox"}));
  const Error error = refused(*store);
  CHECK(error.fault == Fault::unavailable);
  CHECK(error.text.find("does not exist yet") != std::string::npos);
  CHECK(fs::is_empty(directory.path()));
}

TEST_CASE("a missing table, a missing column and a foreign file are misconfigured, with the fix") {
  SqliteFixture outbox;
  const auto fault = [&] {
    auto store = outbox.store();
    const Error error = refused(*store);
    CHECK(error.fault == Fault::misconfigured);
    return error.text;
  };
  SUBCASE("column") {
    outbox.execute("ALTER TABLE outbox RENAME COLUMN deliver_at TO later");
    CHECK(fault().find("no column deliver_at") != std::string::npos);
  }
  SUBCASE("seq that can be drawn twice") {
    outbox.execute(
        "DROP TABLE outbox; CREATE TABLE outbox (seq INTEGER PRIMARY KEY, id, topic, message_key, type, "
        "payload, data, content_type, headers, deliver_at, created_at)");
    CHECK(fault().find("AUTOINCREMENT") != std::string::npos);
  }
  SUBCASE("table") {
    outbox.execute("DROP TABLE outbox");
    CHECK(fault().find("outboxd migrate up") != std::string::npos);
  }
  SUBCASE("no database") {
    fs::resize_file(outbox.path(), 0);
    fs::remove(outbox.path() + "-wal");
    fs::remove(outbox.path() + "-shm");
    FILE* file = fopen(outbox.path().c_str(), "w");
    fputs(std::string(4096, 'x').c_str(), file);
    fclose(file);
    CHECK(fault().find("not a database") != std::string::npos);
  }
}

}  // namespace
}  // namespace outbox::test
