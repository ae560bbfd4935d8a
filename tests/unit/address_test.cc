#include "base/address.h"
#include "base/look_up.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/eventually.h"

namespace outbox {

TEST_CASE("an address to listen on has a host and a port") {
  CHECK(parse_listen("127.0.0.1:0")->port == 0);
  CHECK(parse_listen("[::1]:8477")->host == "::1");
  CHECK(parse_listen(":8477")->host == "");
  for (const char* text : {"", "8477", "h:", "h:x", "h:65536", "h:-1", "::1:8477", "[h]:1", "a b:1", "[]:1"})
    CHECK_FALSE(parse_listen(text));
}

TEST_CASE("only what no other machine reaches is loopback") {
  for (const char* host : {"localhost", "::1", "127.0.0.1", "127.1"}) CHECK(is_loopback(host));
  for (const char* host : {"", "0.0.0.0", "::", "128.0.0.1", "127.example.org", "localhost.example.org"})
    CHECK_FALSE(is_loopback(host));
}

TEST_CASE("a host is looked up as addresses that say themselves what they are") {
  const auto four = look_up("127.0.0.1", 80), six = look_up("::1", 80), every = look_up(nullptr, 80);
  REQUIRE(four);
  CHECK(four.value().front().host() == "127.0.0.1");
  CHECK(four.value().front().family() == AF_INET);
  REQUIRE(six);
  CHECK(six.value().front().host() == "::1");
  REQUIRE(every);
  CHECK(std::ranges::none_of(every.value(),
                             [](const SocketAddress& each) { return is_loopback(each.host()); }));
  CHECK_FALSE(look_up("", 80));
  CHECK_FALSE(look_up("no name at all", 80));
}

TEST_CASE("what is looked up elsewhere is answered one by one, and numbers at once") {
  const LookUp numbers({{"127.0.0.1", 1}, {"::1", 2}});
  REQUIRE(numbers.is_over());
  CHECK(numbers.answers()[1].value().front().host() == "::1");
  const LookUp names({{"127.0.0.1", 1}, {"host.invalid", 2}});
  REQUIRE(test::eventually([&] { return names.is_over(); }));
  CHECK(names.answers()[0]);
  CHECK_FALSE(names.answers()[1]);
}

}  // namespace outbox
