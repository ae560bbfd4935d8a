#include "adapters/brokers/mqtt/mqtt_reasons.h"

#include <doctest/doctest.h>

namespace outbox {
namespace {

TEST_CASE("the reason code of an acknowledgement is a verdict") {
  CHECK(mqtt_verdict(0x00) == Verdict::accepted);
  CHECK(mqtt_verdict(0x87) == Verdict::misconfigured);
  for (int reason : {0x90, 0x95, 0x99}) CHECK(mqtt_verdict(reason) == Verdict::rejected);
  for (int reason : {0x88, 0x89, 0x93, 0x97}) CHECK(mqtt_verdict(reason) == Verdict::unavailable);
  for (int reason : {0x80, 0x83, 0x91, 0xFF}) CHECK(mqtt_verdict(reason) == Verdict::retry);
}

TEST_CASE("a refused session is misconfigured where somebody has to change something, else down") {
  for (int reason : {0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C, 0x9D})
    CHECK(mqtt_refusal(reason) == Session::State::misconfigured);
  for (int reason : {0x80, 0x88, 0x89, 0x97, 0x9C, 0x9F, 0xFF})
    CHECK(mqtt_refusal(reason) == Session::State::down);
}

TEST_CASE("a session that the server ends blames a message only for what a message can do") {
  for (int reason : {0x87, 0x90, 0x95, 0x99}) CHECK(mqtt_blames_message(reason));
  for (int reason : {0x00, 0x81, 0x82, 0x8B, 0x8D, 0x8E, 0x93, 0x97, 0x98})
    CHECK(!mqtt_blames_message(reason));
}

TEST_CASE("a reason is told with its code, the server's words and the fix") {
  CHECK(describe_mqtt(0x87, "") == "0x87 Not authorized (give the user the right to it)");
  CHECK(describe_mqtt(0x80, "disk\nfull") == "0x80 Unspecified error: disk?full");
}

}  // namespace
}  // namespace outbox
