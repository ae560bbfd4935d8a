#include "core/url.h"

#include <doctest/doctest.h>

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

TEST_CASE("a shown URL has no secret in it") {
  CHECK(redacted("redis://u:pw@h:1/0") == "redis://u:***@h:1/0");
  CHECK(redacted("redis://:p@w/x?y@h:1/0") == "redis://:***@h:1/0");
  CHECK(redacted("postgresql://u@h/d?password=x&sslmode=require") ==
        "postgresql://u@h/d?password=***&sslmode=require");
  CHECK(redacted("u:pw@h") == "u:***@h");
  CHECK(redacted("sqlite:a.db") == "sqlite:a.db");
}

TEST_CASE("an endpoint is a host and its port, IPv6 in brackets") {
  CHECK(endpoint_of({"h1", 6380}, 6379) == "h1:6380");
  CHECK(endpoint_of({"::1", std::nullopt}, 6379) == "[::1]:6379");
}
