#include "core/topics.h"

#include <string>

#include <doctest/doctest.h>

using outbox::foreign_wildcard;
using outbox::Topics;

TEST_CASE("a pattern without a star is one topic") {
  const Topics topics({"order.placed"});
  CHECK(topics.take("order.placed"));
  CHECK_FALSE(topics.take("order.placed.again"));
  CHECK_FALSE(topics.take("order.place"));
  CHECK_FALSE(topics.take("ORDER.PLACED"));
  CHECK_FALSE(topics.take(""));
}

TEST_CASE("a star stands for any run of characters, dots and nothing included") {
  const Topics topics({"order.*"});
  CHECK(topics.take("order.placed"));
  CHECK(topics.take("order.placed.by.hand"));
  CHECK(topics.take("order."));
  CHECK_FALSE(topics.take("order"));
  CHECK_FALSE(topics.take("reorder.placed"));
}

TEST_CASE("a star may stand anywhere and more than once") {
  const Topics topics({"*.placed*now"});
  CHECK(topics.take("order.placed.right.now"));
  CHECK(topics.take(".placednow"));
  CHECK(topics.take("a.placed.placed.now.now"));
  CHECK_FALSE(topics.take("order.placed.now.not"));
}

TEST_CASE("what a star took is given back when the rest would not fit") {
  CHECK(Topics({"*aab"}).take("aaaab"));
  CHECK(Topics({"a*b*c"}).take("abbcbc"));
  CHECK_FALSE(Topics({"a*b*c"}).take("acb"));
}

TEST_CASE("other signs of patterns mean themselves") {
  CHECK(Topics({"a?b"}).take("a?b"));
  CHECK_FALSE(Topics({"a?b"}).take("axb"));
  CHECK_FALSE(Topics({"a.b"}).take("axb"));
  CHECK_FALSE(Topics({"[ab]"}).take("a"));
}

TEST_CASE("one fitting pattern of several is enough, and no pattern takes nothing") {
  const Topics topics({"order.*", "cart.*"});
  CHECK(topics.take("cart.cleared"));
  CHECK_FALSE(topics.take("stock.moved"));
  CHECK_FALSE(Topics({}).take("order.placed"));
}

TEST_CASE("a lone star takes every topic, the empty one too") {
  CHECK(Topics({"order", "*"}).take("anything"));
  CHECK(Topics({"*"}).take(""));
  CHECK(Topics({"**"}).take(""));
}

TEST_CASE("many stars on a long topic end soon") {
  CHECK_FALSE(Topics({"*a*a*a*a*a*a*a*a*b"}).take(std::string(10'000, 'a')));
}

TEST_CASE("what is a wildcard elsewhere is noticed, and what is a topic is not") {
  for (const char* pattern :
       {"order.>", ">", "order.#", "#", "order/+/placed", "+", "order.{a,b}", "order.[ab]", "order.?",
        "order.%", "^order", "order$", "order|cart", "order\\.placed"}) {
    CAPTURE(pattern);
    CHECK_FALSE(foreign_wildcard(pattern).empty());
  }
  for (const char* pattern :
       {"*", "order.*", "*.placed*now", "order->cart", "a+b", "$SYS/x", "a%20b", "C++.x", ""}) {
    CAPTURE(pattern);
    CHECK(foreign_wildcard(pattern).empty());
  }
}
