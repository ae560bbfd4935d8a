// libmosquitto alone, with QoS 1. What the server does not take at once waits in the library.
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>

#include <utility>

#include "tests/bench/bare_loop.h"

namespace {

void check(int result) {
  if (result != MOSQ_ERR_SUCCESS) fail(mosquitto_strerror(result));
}

class Session {
 public:
  explicit Session(const Arguments& arguments) {
    mosquitto_lib_init();
    client_ = mosquitto_new("bare-loop", true, this);
    mosquitto_int_option(client_, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_int_option(client_, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_int_option(client_, MOSQ_OPT_SEND_MAXIMUM, 65535);
    mosquitto_connect_v5_callback_set(client_, connected);
    mosquitto_publish_v5_callback_set(client_, published);
    check(mosquitto_connect(client_, arguments.host.c_str(), std::stoi(arguments.port), 60));
    while (!is_connected_) exchange();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() { mosquitto_destroy(client_); }

  void send(const Message& message) {
    const std::pair<const char*, const char*> attributes[] = {{"id", message.id.c_str()},
                                                              {"source", "outboxd/bench"},
                                                              {"specversion", "1.0"},
                                                              {"type", "bench.happened"},
                                                              {"time", "2026-01-31T12:00:00.000000Z"},
                                                              {"subject", message.key.c_str()},
                                                              {"partitionkey", message.key.c_str()}};
    mosquitto_property* properties = nullptr;
    check(mosquitto_property_add_string(&properties, MQTT_PROP_CONTENT_TYPE, "application/json"));
    for (const auto& [name, value] : attributes)
      check(mosquitto_property_add_string_pair(&properties, MQTT_PROP_USER_PROPERTY, name, value));
    check(mosquitto_publish_v5(client_, nullptr, "bench", static_cast<int>(message.payload.size()),
                               message.payload.data(), 1, false, properties));
    mosquitto_property_free_all(&properties);
  }

  long take() {
    exchange();
    return std::exchange(answered_, 0);
  }

 private:
  static void connected(mosquitto*, void* session, int reason, int, const mosquitto_property*) {
    if (reason != MQTT_RC_SUCCESS) fail(mosquitto_reason_string(reason));
    static_cast<Session*>(session)->is_connected_ = true;
  }
  static void published(mosquitto*, void* session, int, int reason, const mosquitto_property*) {
    if (reason >= 0x80) fail(mosquitto_reason_string(reason));
    ++static_cast<Session*>(session)->answered_;
  }

  void exchange() {
    pollfd socket{mosquitto_socket(client_), POLLIN, 0};
    if (mosquitto_want_write(client_)) socket.events |= POLLOUT;
    if (::poll(&socket, 1, 1000) < 0) fail("poll");
    if (socket.revents & (POLLIN | POLLHUP | POLLERR)) check(mosquitto_loop_read(client_, 1));
    if (socket.revents & POLLOUT) check(mosquitto_loop_write(client_, 1));
    check(mosquitto_loop_misc(client_));
  }

  mosquitto* client_ = nullptr;
  bool is_connected_ = false;
  long answered_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  return bare_loop<Session>(argc, argv);
}
