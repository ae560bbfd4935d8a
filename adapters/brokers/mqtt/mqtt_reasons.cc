#include "adapters/brokers/mqtt/mqtt_reasons.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace outbox {
namespace {

struct Known {
  int reason;
  Verdict verdict;
  std::string_view fix = {};
};

constexpr std::string_view login_fix = "check user and password in the route's URL";

// What is not here is an unknown error, perhaps of the message: it is tried again and uses an attempt.
constexpr std::array table = {
    Known{MQTT_RC_SUCCESS, Verdict::accepted},
    Known{MQTT_RC_NOT_AUTHORIZED, Verdict::misconfigured, "give the user the right to it"},
    Known{MQTT_RC_TOPIC_NAME_INVALID, Verdict::rejected},
    Known{MQTT_RC_PACKET_TOO_LARGE, Verdict::rejected, "see the server's limit for messages"},
    Known{MQTT_RC_PAYLOAD_FORMAT_INVALID, Verdict::rejected},
    Known{MQTT_RC_QUOTA_EXCEEDED, Verdict::unavailable},
    Known{MQTT_RC_SERVER_UNAVAILABLE, Verdict::unavailable},
    Known{MQTT_RC_SERVER_BUSY, Verdict::unavailable},
    Known{MQTT_RC_SERVER_SHUTTING_DOWN, Verdict::unavailable},
    Known{MQTT_RC_RECEIVE_MAXIMUM_EXCEEDED, Verdict::unavailable},
    Known{MQTT_RC_CONNECTION_RATE_EXCEEDED, Verdict::unavailable},
    Known{MQTT_RC_USE_ANOTHER_SERVER, Verdict::unavailable},
    Known{MQTT_RC_SESSION_TAKEN_OVER, Verdict::unavailable,
          "another client has come with the same client_id"},
    Known{MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION, Verdict::misconfigured, "the server has to speak MQTT 5"},
    Known{MQTT_RC_CLIENTID_NOT_VALID, Verdict::misconfigured, "set a client_id that the server takes"},
    Known{MQTT_RC_BAD_USERNAME_OR_PASSWORD, Verdict::misconfigured, login_fix},
    Known{MQTT_RC_BANNED, Verdict::misconfigured},
    Known{MQTT_RC_BAD_AUTHENTICATION_METHOD, Verdict::misconfigured},
    Known{MQTT_RC_QOS_NOT_SUPPORTED, Verdict::misconfigured, "allow QoS 1 on the server"},
    Known{MQTT_RC_SERVER_MOVED, Verdict::misconfigured, "change the route's URL"},
};

const Known* find(int reason) {
  const auto found = std::ranges::find(table, reason, &Known::reason);
  return found == table.end() ? nullptr : &*found;
}

std::string hexadecimal(int reason) {
  constexpr std::string_view digits = "0123456789abcdef";
  return {'0', 'x', digits[static_cast<std::size_t>(reason >> 4 & 15)],
          digits[static_cast<std::size_t>(reason & 15)]};
}

}  // namespace

Verdict mqtt_verdict(int reason) {
  const Known* const known = find(reason);
  if (known) return known->verdict;
  return reason < 0x80 ? Verdict::accepted : Verdict::retry;
}

Session::State mqtt_refusal(int reason) {
  if (reason == MQTT_RC_NOT_AUTHORIZED) return Session::State::misconfigured;
  return mqtt_verdict(reason) == Verdict::misconfigured ? Session::State::misconfigured
                                                        : Session::State::down;
}

bool mqtt_blames_message(int reason) {
  return reason == MQTT_RC_PACKET_TOO_LARGE || reason == MQTT_RC_TOPIC_NAME_INVALID ||
         reason == MQTT_RC_PAYLOAD_FORMAT_INVALID || reason == MQTT_RC_NOT_AUTHORIZED;
}

std::string describe_mqtt(int reason, std::string_view server_text) {
  std::string text = hexadecimal(reason) + " " + printable(mosquitto_reason_string(reason), 100);
  if (text.ends_with('.')) text.pop_back();
  if (!server_text.empty()) text += ": " + printable(server_text, 200);
  if (const Known* const known = find(reason); known && !known->fix.empty())
    text += " (" + std::string(known->fix) + ")";
  return text;
}

}  // namespace outbox
