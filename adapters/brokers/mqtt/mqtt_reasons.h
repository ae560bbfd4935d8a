// What MQTT's reason codes mean for a message and for the session. Pure.
#pragma once

#include <string>
#include <string_view>

#include "core/broker.h"
#include "core/verdict.h"

namespace outbox {

/// Of a message's acknowledgement. 0x10, no matching subscribers, is the caller's to judge.
Verdict mqtt_verdict(int reason);

/// Of the server's answer to a connection: down or misconfigured. Precondition: 0x80 or more.
Session::State mqtt_refusal(int reason);

/// Whether the server, when it ends the session for this reason, speaks of a message and not of itself.
bool mqtt_blames_message(int reason);

/// For people: the code, the library's name for it, what the server says, and the fix.
std::string describe_mqtt(int reason, std::string_view server_text);

inline constexpr int mqtt_no_subscribers = 0x10;

}  // namespace outbox
