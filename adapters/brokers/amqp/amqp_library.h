// librabbitmq's headers, wherever the installed version keeps them.
#pragma once

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#else
#include <amqp.h>
#endif

#include <string_view>

namespace outbox {

inline amqp_bytes_t amqp_bytes_of(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};  // the library only reads what it is given to encode
}

inline std::string_view text_of(amqp_bytes_t bytes) {
  return {static_cast<const char*>(bytes.bytes), bytes.len};
}

}  // namespace outbox
