// The measure that the MQTT adapter is held against: nothing but libmosquitto, sending the messages that
// `outboxd bench` sends with QoS 1, as fast as one session takes them with so many in flight. What the server
// does not take at once waits in the library.
// Usage: bare_mqtt HOST PORT MESSAGES PAYLOAD_BYTES KEYS WINDOW
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace {

struct State {
  bool is_connected = false;
  long answered = 0;
};

[[noreturn]] void fail(const char* why) {
  std::fprintf(stderr, "bare_mqtt: %s\n", why);
  std::exit(1);
}

void connected(mosquitto*, void* state, int reason, int, const mosquitto_property*) {
  if (reason != MQTT_RC_SUCCESS) fail(mosquitto_reason_string(reason));
  static_cast<State*>(state)->is_connected = true;
}

void published(mosquitto*, void* state, int, int reason, const mosquitto_property*) {
  if (reason >= 0x80) fail(mosquitto_reason_string(reason));
  ++static_cast<State*>(state)->answered;
}

void check(int result) {
  if (result != MOSQ_ERR_SUCCESS) fail(mosquitto_strerror(result));
}

void publish(mosquitto* client, const std::string& id, const std::string& key, const std::string& payload) {
  const std::pair<const char*, const char*> attributes[] = {{"id", id.c_str()},
                                                            {"source", "outboxd/bench"},
                                                            {"specversion", "1.0"},
                                                            {"type", "bench.happened"},
                                                            {"time", "2026-01-31T12:00:00.000000Z"},
                                                            {"subject", key.c_str()},
                                                            {"partitionkey", key.c_str()}};
  mosquitto_property* properties = nullptr;
  check(mosquitto_property_add_string(&properties, MQTT_PROP_CONTENT_TYPE, "application/json"));
  for (const auto& [name, value] : attributes)
    check(mosquitto_property_add_string_pair(&properties, MQTT_PROP_USER_PROPERTY, name, value));
  check(mosquitto_publish_v5(client, nullptr, "bench", static_cast<int>(payload.size()), payload.data(), 1,
                             false, properties));
  mosquitto_property_free_all(&properties);
}

void exchange(mosquitto* client) {
  pollfd socket{mosquitto_socket(client), POLLIN, 0};
  if (mosquitto_want_write(client)) socket.events |= POLLOUT;
  if (::poll(&socket, 1, 1000) < 0) fail("poll");
  if (socket.revents & (POLLIN | POLLHUP | POLLERR)) check(mosquitto_loop_read(client, 1));
  if (socket.revents & POLLOUT) check(mosquitto_loop_write(client, 1));
  check(mosquitto_loop_misc(client));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: bare_mqtt HOST PORT MESSAGES PAYLOAD_BYTES KEYS WINDOW\n");
    return 2;
  }
  const long count = std::atol(argv[3]), keys = std::atol(argv[5]), window = std::atol(argv[6]);
  const std::string payload(static_cast<std::size_t>(std::atol(argv[4])), 'x');
  std::vector<std::string> key_texts;
  for (long i = 0; i < keys; ++i) key_texts.push_back("key-" + std::to_string(i));
  mosquitto_lib_init();
  State state;
  mosquitto* const client = mosquitto_new("bare-loop", true, &state);
  mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_int_option(client, MOSQ_OPT_SEND_MAXIMUM, 65535);
  mosquitto_connect_v5_callback_set(client, connected);
  mosquitto_publish_v5_callback_set(client, published);
  check(mosquitto_connect(client, argv[1], std::atoi(argv[2]), 60));
  while (!state.is_connected) exchange(client);

  std::string id = "00000000-0000-4000-8000-000000000000";
  const auto begun = std::chrono::steady_clock::now();
  for (long sent = 0; state.answered < count;) {
    for (; sent < count && sent - state.answered < window; ++sent) {
      std::snprintf(&id[24], 13, "%012lx", static_cast<unsigned long>(sent));
      publish(client, id, key_texts[static_cast<std::size_t>(sent % keys)], payload);
    }
    exchange(client);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::printf("{\"messages_per_second\": %.0f}\n", static_cast<double>(count) / seconds);
  mosquitto_destroy(client);
  return 0;
}
