// librabbitmq alone: persistent, mandatory and with confirms.
#include <array>
#include <string_view>
#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_tcp_socket.h>
#endif

#include "tests/bench/bare_loop.h"

namespace {

void must(amqp_rpc_reply_t reply, const char* what) {
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) fail(what);
}

amqp_bytes_t bytes_of(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};
}

class Connection {
 public:
  explicit Connection(const Arguments& arguments) : state_(amqp_new_connection()) {
    amqp_socket_t* const socket = amqp_tcp_socket_new(state_);
    if (!socket ||
        amqp_socket_open(socket, arguments.host.c_str(), std::stoi(arguments.port)) != AMQP_STATUS_OK)
      fail("no connection");
    must(amqp_login(state_, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"), "login");
    amqp_channel_open(state_, 1);
    must(amqp_get_rpc_reply(state_), "channel.open");
    amqp_confirm_select(state_, 1);
    must(amqp_get_rpc_reply(state_), "confirm.select");
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { amqp_destroy_connection(state_); }

  void send(const Message& message) {
    std::array<amqp_table_entry_t, 8> headers = {header("cloudEvents_id", message.id),
                                                 header("cloudEvents_source", "outboxd/bench"),
                                                 header("cloudEvents_specversion", "1.0"),
                                                 header("cloudEvents_type", "bench.happened"),
                                                 header("cloudEvents_time", "2026-01-31T12:00:00.000000Z"),
                                                 header("cloudEvents_subject", message.key),
                                                 header("cloudEvents_partitionkey", message.key),
                                                 header("message_key", message.key)};
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_HEADERS_FLAG |
                        AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
                        AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_TYPE_FLAG;
    properties.content_type = bytes_of("application/json");
    properties.headers = {static_cast<int>(headers.size()), headers.data()};
    properties.delivery_mode = 2;
    properties.message_id = bytes_of(message.id);
    properties.timestamp = 1769860800;
    properties.type = bytes_of("bench.happened");
    if (amqp_basic_publish(state_, 1, amqp_empty_bytes, bytes_of("bench"), true, false, &properties,
                           bytes_of(message.payload)) != AMQP_STATUS_OK)
      fail("basic.publish");
  }

  /// How many messages further confirms have settled: waits for one, then takes all that are there.
  long take() {
    long settled = 0;
    while (settled == 0 || amqp_frames_enqueued(state_) || amqp_data_in_buffer(state_))
      settled += take_confirm();
    return settled;
  }

 private:
  static amqp_table_entry_t header(std::string_view name, std::string_view value) {
    amqp_table_entry_t made{};
    made.key = bytes_of(name);
    made.value.kind = AMQP_FIELD_KIND_UTF8;
    made.value.value.bytes = bytes_of(value);
    return made;
  }

  /// One queue confirms in order, so that a tag says how many there are.
  long take_confirm() {
    amqp_frame_t frame;
    if (amqp_simple_wait_frame(state_, &frame) != AMQP_STATUS_OK) fail("the connection broke");
    if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
      fail("something else than basic.ack came");
    const auto& ack = *static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded);
    const auto tag = static_cast<long>(ack.delivery_tag);
    long settled = 1;
    if (ack.multiple) {
      settled = tag - last_;
      last_ = tag;
    } else if (tag == last_ + 1) {
      last_ = tag;
    } else {
      fail("a confirm came out of order");
    }
    amqp_maybe_release_buffers(state_);
    return settled;
  }

  amqp_connection_state_t state_;
  long last_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  return bare_loop<Connection>(argc, argv);
}
