#include "core/url.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace outbox;

TEST_CASE("a URL comes apart into its decoded parts") {
  const auto url = parse_url("Redis://us%40er:p%3Aw@h1:6379,[::1]:6380/orders%20x?timeout=2s&x");
  REQUIRE(url);
  CHECK(url->scheme == "redis");
  CHECK(url->user == "us@er");
  CHECK(url->password == "p:w");
  REQUIRE(url->hosts.size() == 2);
  CHECK(url->hosts[0].name == "h1");
  CHECK(url->hosts[0].port == 6379);
  CHECK(url->hosts[1].name == "::1");
  CHECK(url->hosts[1].port == 6380);
  CHECK(url->path == "orders x");
  CHECK(url->parameter("timeout") == "2s");
  CHECK(url->parameter("x") == "");
  CHECK_FALSE(url->parameter("y"));
}

TEST_CASE("what follows a scheme without an authority is a path") {
  const auto url = parse_url("sqlite:/var/lib/app.db");
  REQUIRE(url);
  CHECK(url->path == "/var/lib/app.db");
  CHECK(url->hosts.empty());
}

TEST_CASE("a URL that cannot be read says which part is wrong") {
  CHECK_FALSE(parse_url("nonsense"));
  CHECK_FALSE(parse_url("redis://host:0"));
  CHECK_FALSE(parse_url("redis://host:99999"));
  CHECK_FALSE(parse_url("redis://u:%zz@host"));
  CHECK(parse_url("redis://secret%zz@host").error().text.find("secret") == std::string::npos);
}

TEST_CASE("a shown URL has all that tells endpoints apart and is no secret") {
  for (const char* url : {"redis://h:1/0", "rediss://h1:1,[::1]:2", "amqp://h/shop", "nats://h:4222,k",
                          "file:a/b.ndjson", "file:///var/a@b", "sqlite:a.db", "stdout:", "https://h:8443/",
                          "mqtts://h", "postgresql://u@h:5432/d?sslmode=require",
                          "postgresql:///d?host=/run/postgresql", "postgres://%2Frun%2Fpostgresql/d"})
    CHECK(redacted(url) == url);
  CHECK(redacted("redis://u:pw@h:1/0") == "redis://u:***@h:1/0");
  CHECK(redacted("kafka://u:p@ss@h:1,k") == "kafka://u:***@h:1,k");
  CHECK(redacted("nats://token@h") == "nats://***@h");
  CHECK(redacted("https://h:8443/hooks/T000/secret?code=x") == "https://h:8443/***?***");
  CHECK(redacted("postgresql://u@h/d?password=x&sslmode=require") ==
        "postgresql://u@h/d?sslmode=require&***");
  CHECK(redacted("u:pw@h") == "u:***");
}

TEST_CASE("no part of a URL that can hold a secret is shown, whatever the scheme") {
  const std::vector<std::string> servers = {"redis",      "rediss",   "nats",   "tls",    "amqp", "amqps",
                                            "mqtt",       "mqtts",    "kafka",  "kafkas", "http", "https",
                                            "postgresql", "postgres", "oracle", "HTTPS"};
  // Where a login stands: right, raw, and with its '@' or its user forgotten.
  const std::vector<std::string> logins = {
      "://u:SECRET@h:1",      "://:SECRET@h",      "://u:SECRET%40x@h", "://u:a@SECRET@h",
      "://u:SECRET/x@h",      "://u:a/SECRET@h/d", "://u:a?SECRET@h/d", "://u:a@b/SECRET@h",
      "://u:SECRET",          "://u:1SECRET/0",    "://h:1,u:SECRET",   "://u:SECRET@h:1,k:2",
      "://u:a@b?SECRET=@h/d", ":u:SECRET@h",       ":SECRET@h",         "://h/?password=SECRET",
      "://h/?x&SECRET",       "://h/0?SECRET=1",   "://h?sig=SECRET",   "://h/?code=a@SECRET"};
  for (const std::string& scheme : servers)
    for (const std::string& rest : logins) {
      CAPTURE(scheme + rest);
      CHECK(redacted(scheme + rest).find("SECRET") == std::string::npos);
    }
  for (const std::string scheme : {"redis", "nats", "mqtt", "kafka", "http", "https", "oracle"})
    for (const std::string path :
         {"/SECRET", "/0SECRET", "/hooks/T000/SECRET", "/botSECRET/send", "/a@SECRET"}) {
      CAPTURE(scheme + path);
      CHECK(redacted(scheme + "://h:1" + path).find("SECRET") == std::string::npos);
    }
  for (const std::string scheme : {"nats", "tls", "redis", "mqtt", "http", "https", "amqp", "kafka"})
    for (const std::string user : {"SECRET", "SECRET:"})
      CHECK(redacted(scheme + "://" + user + "@h").find("SECRET") == std::string::npos);
  for (const std::string text : {"SECRET@h", "//u:SECRET@h", "SECRET", "", "a b:SECRET",
                                 "file://u:SECRET@h/SECRET", "sqlite://h/SECRET", "sqlite:a.db?key=SECRET"})
    CHECK(redacted(text).find("SECRET") == std::string::npos);
}

TEST_CASE("an endpoint is a host and its port, IPv6 in brackets") {
  CHECK(endpoint_of({"h1", 6380}, 6379) == "h1:6380");
  CHECK(endpoint_of({"::1", std::nullopt}, 6379) == "[::1]:6379");
}
