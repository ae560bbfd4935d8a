// What the codes mean with which RabbitMQ closes a channel or a connection
// (https://www.rabbitmq.com/amqp-0-9-1-reference). Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "core/verdict.h"

namespace outbox {

/// For the one message on account of which a channel was closed.
Verdict verdict_of_close(int code);

/// For the session whose connection, or whose channel before anything was published, was closed.
Fault fault_of_close(int code, std::string_view text);

/// "404 NOT_FOUND - no exchange 'orders' in vhost '/'", on one line and without `secret`.
std::string shown_close(int code, std::string_view text, std::string_view secret);

}  // namespace outbox
