#include "http/request_head.h"

#include <doctest/doctest.h>

#include <string>

using namespace outbox;

namespace {

std::string head(const std::string& headers, const std::string& line = "GET /livez HTTP/1.1") {
  return line + "\r\n" + headers + "\r\n";
}

}  // namespace

TEST_CASE("a head is complete with its blank line and not before") {
  CHECK_FALSE(head_length("GET / HTTP/1.1\r\nHost: x\r\n"));
  CHECK(head_length("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET") == 27);
}

TEST_CASE("the line and the token are read as they were sent") {
  const std::string bytes = head("Host: x\r\nauthorization:  Bearer a%41b \r\n");
  const auto read = read_head(bytes);
  REQUIRE(read);
  CHECK(read->line == "GET /livez HTTP/1.1");
  CHECK(read->authorization == "Bearer a%41b");
  CHECK_FALSE(read->close);
}

TEST_CASE("what says who asks and what the body is, is read") {
  const std::string bytes = head(
      "host: localhost:8477\r\norigin: null\r\nCONTENT-TYPE: application/json\r\n"
      "Expect: 100-Continue\r\nContent-Length: 12\r\n",
      "POST /v1/reload HTTP/1.1");
  const auto read = read_head(bytes);
  REQUIRE(read);
  CHECK(read->is_post());
  CHECK(read->host == "localhost:8477");
  CHECK(read->has_origin);
  CHECK(read->content_type == "application/json");
  CHECK(read->expects_continue);
  CHECK(read->content_length == 12);
}

TEST_CASE("a connection ends when the client says so, with HTTP/1.0, and after a request with a body") {
  for (const std::string headers : {"Connection: close\r\n", "connection: x, CLOSE\r\n",
                                    "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"}) {
    CAPTURE(headers);
    const std::string bytes = head(headers);
    REQUIRE(read_head(bytes));
    CHECK(read_head(bytes)->close);
  }
  CHECK(read_head("GET / HTTP/1.0\r\n\r\n")->close);
  CHECK_FALSE(read_head("GET / HTTP/1.1\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n")->close);
}

TEST_CASE("a head that two readers could read differently is refused") {
  for (const std::string headers :
       {"X: a\nY: b\r\n", "X : a\r\n", " X: folded\r\n", "no colon\r\n", ": empty name\r\n",
        "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n", "Host: a\r\nHost: b\r\n",
        "Content-Length: 0, 5\r\n", "Content-Length: 4\r\nContent-Length: 5\r\n", "Content-Length: x\r\n",
        "Content-Length: \r\n", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 99999999999999999999\r\n", "X: a\rb\r\n"}) {
    CAPTURE(headers);
    const std::string bytes = head(headers);
    CHECK_FALSE(read_head(bytes));
  }
  const std::string with_zero = head(std::string("X: a\0b\r\n", 8));
  CHECK_FALSE(read_head(with_zero));
}

TEST_CASE("what is not HTTP/1.0 or 1.1 is refused") {
  for (const std::string line :
       {"GET / HTTP/2.0", "GET /", "GET  / HTTP/1.1", "", "\x16\x03\x01 a b", "GET / HTTP/1.1 "}) {
    CAPTURE(line);
    const std::string bytes = head("", line);
    CHECK_FALSE(read_head(bytes));
  }
}
