#include "adapters/brokers/redis/redis_errors.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace outbox {
namespace {

TEST_CASE("Redis' errors mean what its documentation says") {
  const auto verdict_of = [](std::string_view error) { return meaning_of(error).verdict; };
  CHECK(verdict_of("OOM command not allowed when used memory > 'maxmemory'.") == Verdict::unavailable);
  CHECK(verdict_of("BUSY Redis is busy running a script.") == Verdict::unavailable);
  CHECK(verdict_of("NOREPLICAS Not enough good replicas to write.") == Verdict::unavailable);
  CHECK(verdict_of("TRYAGAIN Multiple keys request during rehashing of slot") == Verdict::unavailable);
  CHECK(!meaning_of("OOM command not allowed").ends_session);
  for (std::string_view error :
       {"READONLY You can't write against a read only replica.", "LOADING Redis is loading",
        "MASTERDOWN Link with MASTER is down", "CLUSTERDOWN The cluster is down", "MOVED 3999 127.0.0.1:6381",
        "ERR max number of clients reached"}) {
    CHECK(verdict_of(error) == Verdict::unavailable);
    CHECK(meaning_of(error).ends_session);
  }
  CHECK(verdict_of("WRONGTYPE Operation against a key") == Verdict::misconfigured);
  CHECK(verdict_of("NOPERM this user has no permissions") == Verdict::misconfigured);
  CHECK(verdict_of("NOAUTH Authentication required.") == Verdict::misconfigured);
  CHECK(verdict_of("ERR unknown command 'XADD', with args beginning with: 'a'") == Verdict::misconfigured);
  CHECK(verdict_of("ERR Elements are too large to be stored") == Verdict::rejected);
  CHECK(verdict_of("ERR something else") == Verdict::retry);
}

TEST_CASE("an error that is shown holds neither arguments nor the password") {
  CHECK(shown_error("ERR unknown command 'AUTH', with args beginning with: 'me' 'pw'", "other") ==
        "ERR unknown command 'AUTH'");
  CHECK(shown_error("ERR no pw here, pw there", "pw") == "ERR no *** here, *** there");
  CHECK(shown_error(std::string(500, 'x'), "").size() == 203);
}

}  // namespace
}  // namespace outbox
