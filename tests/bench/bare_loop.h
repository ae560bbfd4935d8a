// The frame of the bare loops, what each adapter is held against: a client library and nothing else, sending
// the messages that `outboxd bench` sends as fast as one connection takes them with so many in flight. Usage
// of each: bare_NAME HOST PORT MESSAGES PAYLOAD_BYTES KEYS WINDOW [MORE...]
#pragma once

#include <errno.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

struct Arguments {
  std::string host, port;
  long count = 0;
  std::size_t payload_size = 0;
  long keys = 1;
  long window = 1;
  std::vector<std::string> more;
};

struct Message {
  std::string id = "00000000-0000-4000-8000-000000000000";
  std::string key;
  std::string payload;
};

[[noreturn]] inline void fail(const char* why) {
  std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, why);
  std::_Exit(1);
}

inline Arguments arguments_of(int argc, char** argv) {
  if (argc < 7) {
    std::fprintf(stderr, "usage: %s HOST PORT MESSAGES PAYLOAD_BYTES KEYS WINDOW [MORE...]\n",
                 program_invocation_short_name);
    std::exit(2);
  }
  return {.host = argv[1],
          .port = argv[2],
          .count = std::atol(argv[3]),
          .payload_size = static_cast<std::size_t>(std::atol(argv[4])),
          .keys = std::max(std::atol(argv[5]), 1L),
          .window = std::max(std::atol(argv[6]), 1L),
          .more = {argv + 7, argv + argc}};
}

/// Client: connects when made from Arguments&, whose window it may change; send(message); take(), which waits
/// for an answer and says how many messages further it has settled.
template <class Client>
int bare_loop(int argc, char** argv) {
  Arguments arguments = arguments_of(argc, argv);
  Client client(arguments);
  Message message;
  message.payload.assign(arguments.payload_size, 'x');
  std::vector<std::string> keys;
  for (long i = 0; i < arguments.keys; ++i) keys.push_back("key-" + std::to_string(i));

  const auto begun = std::chrono::steady_clock::now();
  long in_flight = 0;
  for (long sent = 0; sent < arguments.count || in_flight > 0;) {
    for (; sent < arguments.count && in_flight < arguments.window; ++sent, ++in_flight) {
      std::snprintf(&message.id[24], 13, "%012lx", static_cast<unsigned long>(sent) & 0xFFFFFFFFFFFF);
      message.key = keys[static_cast<std::size_t>(sent % arguments.keys)];
      client.send(message);
    }
    in_flight -= client.take();
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::printf("{\"messages_per_second\": %.0f}\n", static_cast<double>(arguments.count) / seconds);
  return 0;
}
