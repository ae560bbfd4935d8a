// What operators see and do over HTTP.
#include <doctest/doctest.h>

#include "tests/unit/http_operator_fixture.h"

using namespace outbox;
using namespace outbox::test;
using Served = OperatorServer;

TEST_CASE("held rows are listed as the query filters them, page by page") {
  const Served served;
  CHECK(served.seqs("") == Seqs{5, 1, 2, 3, 4});
  CHECK(served.seqs("?route=orders") == Seqs{1, 2, 3, 4});
  CHECK(served.seqs("?state=dead") == Seqs{5, 3, 4});
  CHECK(served.seqs("?key=b") == Seqs{5, 3});
  CHECK(served.seqs("?topic=order.paid") == Seqs{2, 4});
  CHECK(served.seqs("?seq=2&seq=5") == Seqs{5, 2});
  CHECK(served.seqs("?limit=2") == Seqs{5, 1});
  CHECK(served.json("/v1/held?limit=2")["next_after"] == "orders:1");
  CHECK(served.seqs("?limit=2&after=orders:1") == Seqs{2, 3});
  CHECK(served.json("/v1/held?limit=2&after=orders:2")["next_after"].is_null());
  CHECK(served.json("/v1/held?seq=1")["held"][0] == Json{{"route", "orders"},
                                                         {"seq", 1},
                                                         {"shard", 0},
                                                         {"id", "00000000-0000-4000-8000-000000000001"},
                                                         {"topic", "order.placed"},
                                                         {"key", "a"},
                                                         {"state", "retrying"},
                                                         {"attempts", 2},
                                                         {"next_attempt_at", nullptr},
                                                         {"last_error", "redis: refused"},
                                                         {"held_at", "2026-01-31T10:00:00.000Z"},
                                                         {"first_failed_at", nullptr},
                                                         {"last_failed_at", nullptr}});
}

TEST_CASE("a question that cannot be understood is told what is allowed") {
  const Served served;
  for (const char* query : {"?state=lost", "?seq=x", "?seq=-1", "?limit=0", "?limit=1001", "?limit=2&limit=3",
                            "?after=17", "?nonsense=1", "?key=%00", "?key=%ff"}) {
    CAPTURE(query);
    const HttpAnswer answer = served.get(std::string("/v1/held") + query);
    CHECK(answer.status == 400);
    CHECK(answer.header("Content-Type") == "application/json");
    CHECK_FALSE(error_of(answer).empty());
  }
  CHECK(served.get("/v1/held/orders/x").status == 400);
  CHECK(served.get("/v1/held/or%20ders/1").status == 400);
  CHECK(served.get("/v1/held/orders/1?payload=2").status == 400);
  CHECK(served.get("/v1/messages/1").status == 400);
  for (const char* path : {"/v1/", "/v1/heldx", "/v1/held/", "/v1/held/orders", "/v1/held/orders/1/2",
                           "/v1/messages", "/v1/routes/orders/stop"})
    CHECK(served.get(path).status == 404);
}

TEST_CASE("one held row comes with its message, and a message alone with its state on each route") {
  const Served served;
  const Json held = served.json("/v1/held/orders/1");
  CHECK(held["held"]["state"] == "retrying");
  CHECK(held["message"]["headers"] == Json{{"tenant", "x"}});
  CHECK(held["message"]["routes"][1] == Json{{"route", "audit"}, {"state", "sent"}});
  CHECK_FALSE(held["message"].contains("payload"));
  CHECK(served.json("/v1/held/audit/5")["message"].is_null());
  CHECK(served.get("/v1/held/audit/1").status == 404);
  CHECK(served.json("/v1/messages/00000000-0000-4000-8000-000000000003")["seq"] == 3);
  CHECK(served.get("/v1/messages/00000000-0000-4000-8000-00000000000F").status == 404);
  HttpClient client = served.client();
  const HttpAnswer head =
      client.ask("HEAD /v1/held HTTP/1.1\r\nHost: localhost\r\n" + bearer + "\r\n", false);
  CHECK(head.status == 200);
  CHECK(std::stoul(head.header("Content-Length")) == served.get("/v1/held").body.size());
  CHECK(client.get("/livez").status == 200);
}

TEST_CASE("a payload is shown only on demand and only with a token") {
  const Served served;
  CHECK(served.json("/v1/held/orders/1?payload=1")["message"]["payload"] == "{\"order\": 7}");
  CHECK(served.json("/v1/held/orders/2?payload=1")["message"]["payload_base64"] == "/wAB");
  CHECK(served.json("/v1/messages/00000000-0000-4000-8000-000000000001?payload=1")["payload"] ==
        "{\"order\": 7}");
  CHECK_FALSE(served.json("/v1/messages/00000000-0000-4000-8000-000000000001?payload=0").contains("payload"));
  served.rows->messages[0].payload_bytes = 5 * 1024 * 1024;
  const Json large = served.json("/v1/held/orders/1?payload=1")["message"];
  CHECK_FALSE(large.contains("payload"));
  CHECK(large.contains("payload_omitted"));

  const Served open("");
  CHECK(open.get("/v1/held/orders/1?payload=1", "").status == 403);
  CHECK(open.get("/v1/held/orders/1", "").status == 200);
}

TEST_CASE("without a token in the configuration nothing that changes something exists") {
  const Served served("");
  for (const std::string& path : mutations) {
    CAPTURE(path);
    CHECK(served.post(path, "{}").status == 404);
    CHECK(served.get(path, "").status == 404);
    CHECK(served.post(path, "{}", bearer + "Content-Type: application/json\r\n").status == 404);
  }
  CHECK(served.rows->audit.empty());
}

TEST_CASE("everything under /v1 asks for the token, in every form of it") {
  const Served served;
  for (const std::string headers :
       {"", "Authorization: Bearer s3cre\r\n", "Authorization: Bearer s3crets\r\n",
        "Authorization: Bearer\r\n", "Authorization: Basic s3cret\r\n", "Authorization: Bearer S3CRET\r\n"}) {
    CAPTURE(headers);
    for (const std::string& path : mutations) {
      const HttpAnswer answer = served.post(path, "{}", headers + "Content-Type: application/json\r\n");
      CHECK(answer.status == 401);
      CHECK(answer.header("WWW-Authenticate") == "Bearer");
    }
    CHECK(served.get("/v1/held", headers).status == 401);
    CHECK(served.get("/v1/messages/00000000-0000-4000-8000-000000000001", headers).status == 401);
  }
  CHECK(served.get("/status", "").status == 200);
  CHECK(served.get("/metrics", "").status == 200);
  CHECK(served.get("/livez", "").status == 200);
  CHECK(served.rows->audit.empty());
}

TEST_CASE("what changes something is POST only, what reads is GET only") {
  const Served served;
  for (const std::string& path : mutations) {
    CAPTURE(path);
    const HttpAnswer answer = served.get(path);
    CHECK(answer.status == 405);
    CHECK(answer.header("Allow") == "POST");
    CHECK(
        served.client().ask("DELETE " + path + " HTTP/1.1\r\nHost: localhost\r\n" + bearer + "\r\n").status ==
        405);
  }
  const HttpAnswer read = served.post("/v1/held", "{}");
  CHECK(read.status == 405);
  CHECK(read.header("Allow") == "GET, HEAD");
  CHECK(served.rows->audit.empty());
}

TEST_CASE("requeue and discard change what the body names, and who asked is recorded") {
  const Served served;
  const HttpAnswer requeued =
      served.post("/v1/held/requeue", R"({"route": "orders", "filter": {"state": "dead", "key": "b"}})");
  CHECK(requeued.status == 200);
  CHECK(Json::parse(requeued.body) == Json{{"matched", 1}, {"changed", 1}});
  CHECK(served.seqs("?state=dead") == Seqs{5, 4});
  CHECK(Json::parse(served.post("/v1/held/discard", R"({"route":"orders","seqs":[1,2],"limit":1})").body) ==
        Json{{"matched", 2}, {"changed", 1}});
  CHECK(served.seqs("") == Seqs{5, 2, 3, 4});
  CHECK(Json::parse(
            served.post("/v1/held/discard", R"({"route":"orders","filter":{"topic":"order.paid"}})").body) ==
        Json{{"matched", 2}, {"changed", 2}});
  CHECK(Json::parse(served.post("/v1/held/discard", R"({"route":"audit","all":true})").body) ==
        Json{{"matched", 1}, {"changed", 1}});
  CHECK(served.seqs("") == Seqs{3});
  CHECK(served.rows->audit == std::vector<std::string>{"http:127.0.0.1 requeue 1", "http:127.0.0.1 discard 1",
                                                       "http:127.0.0.1 discard 2",
                                                       "http:127.0.0.1 discard 1"});
}

TEST_CASE("a dry run says what would change and changes nothing") {
  const Served served;
  for (const char* path : {"/v1/held/requeue", "/v1/held/discard"})
    CHECK(Json::parse(served.post(path, R"({"route":"orders","all":true,"dry_run":true})").body) ==
          Json{{"matched", 4}, {"changed", 0}});
  CHECK(Json::parse(served.post("/v1/routes/orders/replay", R"({"from_seq":1,"dry_run":true})").body) ==
        Json{{"matched", 7}, {"changed", 0}});
  CHECK(served.seqs("").size() == 5);
  CHECK(served.rows->audit.empty());
}

TEST_CASE("a body that cannot be understood is told what is wrong") {
  const Served served;
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"", "the body is missing"},
      {"{\"route\": \"orders\"", "the body is not valid JSON: "},
      {"[]", "the body is a JSON array, allowed: an object"},
      {"{}", "\"route\" is missing"},
      {R"({"route":"a b","all":true})", "\"route\" is missing or no name of a route"},
      {R"({"route":7,"all":true})", "\"route\" is another number, allowed: a text"},
      {R"({"route":"orders"})", "say which by \"seqs\" or \"filter\", or \"all\": true"},
      {R"({"route":"orders","all":false})", "say which"},
      {R"({"route":"orders","filter":{}})", "\"filter\" is object, allowed: an object with one or more of"},
      {R"({"route":"orders","filter":{"sate":"dead"}})",
       "\"filter.sate\" is unknown, allowed: state, key, topic"},
      {R"({"route":"orders","filter":{"state":"lost"}})", "state: allowed: retrying, blocked"},
      {R"({"route":"orders","filter":{"key":"\u0000"}})",
       "\"key\" is string, allowed: a text without zero bytes"},
      {R"({"route":"orders","seqs":[]})", "\"seqs\" is array, allowed: an array of 1 to"},
      {R"({"route":"orders","seqs":[1.5]})", "\"seqs\""},
      {R"({"route":"orders","seqs":[-1]})", "\"seqs\""},
      {R"({"route":"orders","seqs":[9223372036854775808]})", "\"seqs\""},
      {R"({"route":"orders","all":"yes"})", "\"all\" is string, allowed: true, false"},
      {R"({"route":"orders","all":true,"limit":0})", "\"limit\""},
      {R"({"route":"orders","all":true,"dryrun":true})", "\"dryrun\" is unknown, allowed: route, seqs"},
      {std::string(60'000, '['), "the body is nested too deeply"},
  };
  for (const auto& [body, text] : wrong) {
    CAPTURE(body.substr(0, 80));
    const HttpAnswer answer = served.post("/v1/held/discard", body);
    CHECK(answer.status == 400);
    CHECK_MESSAGE(holds(error_of(answer), text), error_of(answer));
  }
  CHECK(served.post("/v1/held/discard?all=1", R"({"route":"orders","all":true})").status == 400);
  CHECK(served.post("/v1/routes/orders/pause", R"({"all":true})").status == 400);
  CHECK(served.seqs("").size() == 5);
}

TEST_CASE("pause, resume, replay and reload do what they say") {
  const Served served;
  CHECK(Json::parse(served.post("/v1/routes/orders/pause").body) ==
        Json{{"route", "orders"}, {"paused", true}});
  CHECK(served.rows->marks[0].paused);
  CHECK(Json::parse(served.post("/v1/routes/orders/resume", "{}").body) ==
        Json{{"route", "orders"}, {"paused", false}});
  CHECK_FALSE(served.rows->marks[0].paused);
  CHECK(served.post("/v1/routes/none/pause").status == 404);
  CHECK(Json::parse(served.post("/v1/routes/orders/replay", R"({"from_seq":17})").body) ==
        Json{{"matched", 7}, {"changed", 7}});
  CHECK(served.post("/v1/routes/orders/replay", R"({"from_time":"2026-01-31T10:00:00.5+01:00"})").status ==
        200);
  CHECK(served.post("/v1/routes/none/replay", R"({"from_seq":17})").status == 409);
  for (const char* wrong :
       {"{}", R"({"from_seq":1,"from_time":"2026-01-31T10:00:00Z"})", R"({"from_seq":"1"})",
        R"({"from_time":"2026-02-30T10:00:00Z"})", R"({"from_time":"soon"})",
        R"({"from_time":"2026-01-31T10:00:00"})", R"({"from_time":"2026-01-31T10:00:00Z; DROP"})",
        R"({"from_time":"2026-01-31T10:00:00.Z"})"})
    CHECK_MESSAGE(served.post("/v1/routes/orders/replay", wrong).status == 400, wrong);
  CHECK(served.rows->audit ==
        std::vector<std::string>{"http:127.0.0.1 pause orders", "http:127.0.0.1 resume orders",
                                 "http:127.0.0.1 replay orders seq 17",
                                 "http:127.0.0.1 replay orders time 02026-01-31T10:00:00.5+01:00"});
  CHECK(Json::parse(served.post("/v1/reload").body) == Json{{"reloaded", true}, {"audited", true}});
  CHECK(served.rows->audit.back() == "http:127.0.0.1 reload");
  CHECK(served.reload->actor == "http:127.0.0.1");
  served.reload->error = Error{Fault::refused, "the file has faults"};
  CHECK(served.post("/v1/reload").status == 409);
  CHECK(error_of(served.post("/v1/reload")) == "the file has faults");
}

TEST_CASE("a database that is away is 503, one that is wrong 500, with its text") {
  const Served served;
  served.rows->error = Error{Fault::unavailable, "postgresql: connection refused (db:5432)"};
  CHECK(served.get("/v1/held").status == 503);
  CHECK(error_of(served.post("/v1/held/discard", R"({"route":"orders","all":true})")) ==
        "postgresql: connection refused (db:5432)");
  served.rows->error = Error{Fault::misconfigured, "table outbox_held is missing"};
  CHECK(served.get("/v1/messages/00000000-0000-4000-8000-000000000001").status == 500);
}
