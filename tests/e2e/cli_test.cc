// The binary's commands on real databases: exit codes, output, faults. What the relay does with the rows is
// other tests' matter.
#include <doctest/doctest.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "tests/support/eventually.h"
#include "tests/support/free_port.h"
#include "tests/support/postgresql_server.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

using namespace outbox::test;

namespace {

Finished outboxd(std::vector<std::string> arguments, ProcessOptions options = {}) {
  arguments.insert(arguments.begin(), OUTBOXD_PROGRAM);
  return run(std::move(arguments), std::move(options));
}

ProcessOptions with_input(std::string bytes) {
  ProcessOptions options;
  options.input = std::move(bytes);
  return options;
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool is_uuid_line(const std::string& text) {
  return std::regex_match(text, std::regex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n"));
}

/// An HTTP address where nobody listens, so that status asks the database.
std::string nobody() {
  return "127.0.0.1:" + std::to_string(free_port());
}

/// A new user's first commands, on an empty database.
void first_steps(const std::string& url) {
  CAPTURE(url);
  const Finished unready = outboxd({"check", "--db", url, "--to", "null:"});
  CHECK(unready.exit_code != 0);
  CHECK(holds(unready.output, "migrate up"));

  const Finished up = outboxd({"migrate", "up", "--db", url});
  CHECK(up.exit_code == 0);
  CHECK(holds(up.output, "0001_outbox applied"));
  CHECK(holds(outboxd({"migrate", "up", "--db", url}).output, "nothing to do"));
  CHECK(std::regex_search(outboxd({"migrate", "status", "--db", url}).output,
                          std::regex("0001_outbox +applied +20")));
  const Finished check = outboxd({"check", "--db", url, "--to", "null:"});
  CAPTURE(check.output);
  CHECK(check.exit_code == 0);

  CHECK(is_uuid_line(
      outboxd({"send", "--db", url, "--topic", "orders", "--key", "42", "--payload", "{}"}).output));
  const std::string id = "9f1c2b7e-5d3a-4c1b-8e2f-0a1b2c3d4e5f";
  const std::vector<std::string> with_id = {"send", "--db", url,        "--topic", "orders",
                                            "--id", id,     "--header", "a=b",     "-"};
  CHECK(outboxd(with_id, with_input(std::string("\0\xFF", 2))).output == id + "\n");

  const Finished status = outboxd({"status", "--db", url, "--listen", nobody(), "--json"});
  CHECK(status.exit_code == 1);
  CHECK(nlohmann::json::parse(status.output)["state"] == "degraded");

  const Finished refused = outboxd({"migrate", "down", "--db", url});
  CHECK(refused.exit_code == 1);
  CHECK(holds(refused.output, "--force"));
  CHECK(outboxd({"migrate", "down", "--force", "--db", url}).exit_code == 0);
  CHECK(outboxd({"send", "--db", url, "--topic", "orders", "--payload", "{}"}).exit_code != 0);
}

/// Several start at once, as replicas do at a roll-out.
void migrate_from_many(const std::string& url) {
  std::vector<std::unique_ptr<Process>> processes;
  for (int i = 0; i < 6; ++i)
    processes.push_back(
        std::make_unique<Process>(std::vector<std::string>{OUTBOXD_PROGRAM, "migrate", "up", "--db", url}));
  int applied = 0;
  for (const auto& process : processes) {
    const auto code = process->wait();
    CAPTURE(process->output());
    CHECK(code == 0);
    applied += holds(process->output(), "0001_outbox applied");
  }
  CHECK(applied == 1);
}

/// A relay that runs is asked by status and healthcheck, and ends by a signal.
void ask_a_relay(const std::string& url, const std::string& target) {
  CHECK(outboxd({"migrate", "up", "--db", url}).exit_code == 0);
  CHECK(outboxd({"send", "--db", url, "--topic", "orders", "--payload", "{}"}).exit_code == 0);
  const std::string listen = nobody();
  CHECK(outboxd({"healthcheck", "--listen", listen}).exit_code == 69);
  Process relay({OUTBOXD_PROGRAM, "run", "--db", url, "--to", target, "--listen", listen});
  const bool seen = eventually([&] {
    const Finished status = outboxd({"status", "--listen", listen, "--json"});
    if (status.exit_code != 0) return false;
    const auto json = nlohmann::json::parse(status.output, nullptr, false);
    return json.is_object() && json["routes"][0]["sent_total"] == 1;
  });
  CAPTURE(relay.output());
  CHECK(seen);
  CHECK(outboxd({"healthcheck", "--listen", listen}).exit_code == 0);
  CHECK(eventually([&] { return outboxd({"healthcheck", "--ready", "--listen", listen}).exit_code == 0; }));
  const Finished text = outboxd({"status", "--listen", listen});
  CHECK(text.exit_code == 0);
  CHECK(std::regex_search(text.output, std::regex("main +running +0 ")));

  CHECK(outboxd({"pause", "--db", url, "--route", "main"}).output == "main paused\n");
  CHECK(eventually([&] { return holds(outboxd({"status", "--listen", listen}).output, "paused"); }));
  CHECK(outboxd({"resume", "--db", url}).output == "main resumed\n");
  relay.signal(SIGTERM);
  CHECK(relay.wait() == 0);
}

}  // namespace

TEST_CASE("a wrong configuration is told completely, without secrets, and nothing starts") {
  const TempDir folder;
  const std::string path = folder / "outboxd.toml";
  std::ofstream(path) << "[database]\nurl = \"sqlite:a.db\"\n[relay]\nwindow = 0\nleese = "
                         "\"5s\"\n[http]\nlisten = \"0.0.0.0:1\"\n"
                         "[[route]]\nname = \"a\"\nto = \"redis://u:hunter2@h:x\"\n";
  ProcessOptions options;
  options.environment = {{"OUTBOXD_LOG_LEVEL", "loud"}};
  options.directory = folder.path().string();
  for (const std::string command : {"run", "check"}) {
    const Finished ran = outboxd({command, "--config", path}, options);
    CAPTURE(ran.output);
    CHECK(ran.exit_code == 78);
    CHECK(holds(ran.output, path + ":4:10: relay.window: is 0, allowed: an integer, 1 to 1000000\n"));
    CHECK(holds(ran.output, path + ":5:1: relay.leese: unknown key, did you mean lease?\n"));
    CHECK(holds(ran.output, path + ":7:10: http.listen: another address than loopback needs http.token"));
    CHECK(holds(ran.output, path + ":10:6: route.a.to: "));
    CHECK(holds(ran.output, "environment: OUTBOXD_LOG_LEVEL: is \"loud\""));
    CHECK_FALSE(holds(ran.output, "hunter2"));
  }
  CHECK_FALSE(std::filesystem::exists(folder / "a.db"));
}

TEST_CASE("wrong usage is exit code 2") {
  CHECK(outboxd({}).exit_code == 2);
  CHECK(outboxd({"rnu"}).exit_code == 2);
  const Finished option = outboxd({"run", "--ocne"});
  CHECK(option.exit_code == 2);
  CHECK(holds(option.output, "did you mean --once?"));
}

TEST_CASE("the version names databases and brokers") {
  const Finished version = outboxd({"version"});
  CHECK(version.exit_code == 0);
  CHECK(version.output.starts_with("outboxd "));
  const auto json = nlohmann::json::parse(outboxd({"version", "--json"}).output);
  CHECK(json["databases"] == nlohmann::json{"postgresql", "sqlite"});
  CHECK(holds(json["brokers"].dump(), "\"redis\""));
}

TEST_CASE("the documented defaults are a configuration that check accepts") {
  const TempDir folder;
  const std::string path = folder / "outboxd.toml";
  const std::string url = "sqlite:" + folder / "a.db";
  std::ofstream(path) << outboxd({"check", "--defaults"}).output;
  CHECK(outboxd({"migrate", "up", "--db", url}).exit_code == 0);
  const Finished check = outboxd({"check", "--config", path, "--db", url, "--to", "null:"});
  CAPTURE(check.output);
  CHECK(check.exit_code == 0);
}

TEST_CASE("the first steps on SQLite") {
  const TempDir folder;
  first_steps("sqlite:" + folder / "shop.db");
}

TEST_CASE("the first steps on PostgreSQL") {
  first_steps(PostgresqlServer::shared().new_database());
}

TEST_CASE("several processes migrate one database at once, one applies") {
  const TempDir folder;
  migrate_from_many("sqlite:" + folder / "shop.db");
  migrate_from_many(PostgresqlServer::shared().new_database());
}

TEST_CASE("what is not there is exit code 69") {
  const std::string database = "postgresql://postgres@127.0.0.1:" + std::to_string(free_port()) + "/shop";
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"migrate", "up"},
                                                    {"migrate", "status"},
                                                    {"send", "--topic", "t", "--payload", "x"},
                                                    {"pause"},
                                                    {"status", "--listen", nobody()},
                                                    {"check", "--to", "null:"}}) {
    auto all = arguments;
    all.insert(all.end(), {"--db", database});
    const Finished ran = outboxd(all);
    CAPTURE(arguments.front());
    CAPTURE(ran.output);
    CHECK(ran.exit_code == 69);
    CHECK(holds(ran.output, "refused"));
  }
  const TempDir folder;
  const std::string url = "sqlite:" + folder / "shop.db";
  CHECK(outboxd({"migrate", "up", "--db", url}).exit_code == 0);
  const Finished broker =
      outboxd({"check", "--db", url, "--to", "redis://127.0.0.1:" + std::to_string(free_port())});
  CHECK(broker.exit_code == 69);
  CHECK(holds(broker.output, "fault    route main (redis://"));
}

TEST_CASE("status, healthcheck and pause reach a relay on SQLite") {
  const TempDir folder;
  ask_a_relay("sqlite:" + folder / "shop.db", "file:" + folder / "out.ndjson");
}

TEST_CASE("status, healthcheck and pause reach a relay on PostgreSQL") {
  ask_a_relay(PostgresqlServer::shared().new_database(), "null:");
}
