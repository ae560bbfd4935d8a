#include <hiredis/hiredis.h>

#include <cassert>

#include "adapters/brokers/redis/redis_tls.h"

#define OUTBOX_TEXT_OF(number) #number
#define OUTBOX_TEXT(number) OUTBOX_TEXT_OF(number)

namespace outbox {

struct RedisTls::Session {};

RedisTls::RedisTls(std::unique_ptr<Session> session) : session_(std::move(session)) {}
RedisTls::~RedisTls() = default;

std::string RedisTls::missing() {
  return "rediss:// needs hiredis with TLS (1.0 or newer with hiredis_ssl, as in Debian 13); this build has hiredis " OUTBOX_TEXT(
      HIREDIS_MAJOR) "." OUTBOX_TEXT(HIREDIS_MINOR) "." OUTBOX_TEXT(HIREDIS_PATCH) " without. Use a build with it, or "
         "redis:// through a TLS tunnel";
}

Result<std::unique_ptr<RedisTls>> RedisTls::start(redisContext&, const RedisSettings&, const std::string&) {
  return Error{Fault::misconfigured, missing()};
}

RedisTls::Progress RedisTls::advance() {
  assert(!"never started");
  return Progress::failed;
}

}  // namespace outbox
