#include "adapters/brokers/mqtt/mqtt_connection.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "adapters/brokers/mqtt/mqtt_reasons.h"
#include "base/address.h"

namespace outbox {
namespace {

void initialise_library() {
  static const int result = mosquitto_lib_init();
  static_cast<void>(result);
}

std::string reason_text(const mosquitto_property* properties) {
  char* text = nullptr;
  mosquitto_property_read_string(properties, MQTT_PROP_REASON_STRING, &text, false);
  const std::unique_ptr<char, decltype(&std::free)> owned(text, std::free);
  return text ? text : "";
}

std::string error_text(int result) {
  return result == MOSQ_ERR_ERRNO && errno != 0 ? std::strerror(errno) : mosquitto_strerror(result);
}

}  // namespace

struct MqttConnection::Callbacks {
  static void connected(mosquitto*, void* self, int reason, int, const mosquitto_property* properties) {
    auto& connection = *static_cast<MqttConnection*>(self);
    if (reason != MQTT_RC_SUCCESS) {
      connection.refusal_ = reason;
      connection.refusal_text_ = reason_text(properties);
      return;
    }
    MqttGreeting& greeting = connection.greeting_;
    std::uint16_t receive_max = 65535;
    mosquitto_property_read_int16(properties, MQTT_PROP_RECEIVE_MAXIMUM, &receive_max, false);
    greeting.receive_max = std::max<std::uint16_t>(receive_max, 1);
    mosquitto_property_read_int32(properties, MQTT_PROP_MAXIMUM_PACKET_SIZE, &greeting.packet_bytes_max,
                                  false);
    std::uint8_t qos_max = 2;
    mosquitto_property_read_byte(properties, MQTT_PROP_MAXIMUM_QOS, &qos_max, false);
    greeting.qos_max = qos_max;
    connection.is_greeted_ = true;
  }

  static void published(mosquitto*, void* self, int id, int reason, const mosquitto_property* properties) {
    static_cast<MqttConnection*>(self)->acknowledgements_.push_back(
        {id, reason, reason == MQTT_RC_SUCCESS ? "" : reason_text(properties)});
  }

  /// Below 0x80 the number is an error of the library's.
  static void disconnected(mosquitto*, void* self, int reason, const mosquitto_property*) {
    auto& connection = *static_cast<MqttConnection*>(self);
    if (!connection.has_ended_ && reason >= 0x80) connection.end_reason_ = reason;
    connection.has_ended_ = true;
  }

  static void logged(mosquitto*, void* self, int level, const char* text) {
    if (level == MOSQ_LOG_ERR) static_cast<MqttConnection*>(self)->logged_ = text;
  }
};

void MqttConnection::Destroy::operator()(mosquitto* client) const {
  mosquitto_destroy(client);
}

void MqttConnection::close() {
  // Without this the server takes the end for an accident; the two bytes go or do not.
  if (client_ && phase_ == Phase::ready && !has_ended_ && !is_writing()) mosquitto_disconnect(client_.get());
  client_.reset();
  tls_.reset();
}

void MqttConnection::begin() {
  close();
  phase_ = Phase::connecting;
  addresses_.begin();
}

Progress MqttConnection::failed(Fault fault, std::string what) {
  fault_ = fault;
  what_ = std::move(what);
  return Progress::failed;
}

Progress MqttConnection::advance() {
  while (phase_ == Phase::connecting) {
    if (!client_)
      if (const Progress progress = try_next_address(); progress != Progress::ready) return progress;
    if (!client_) continue;
    if (!is_ready(descriptor(), POLLOUT)) return Progress::waiting;
    if (finish_connecting()) phase_ = Phase::greeting;
  }
  return phase_ == Phase::greeting ? take_greeting() : Progress::ready;
}

/// failed: there is none left, or none would be better; the error is the last one's.
Progress MqttConnection::try_next_address() {
  fault_ = Fault::unavailable;
  const Address* address = nullptr;
  if (const Progress progress = addresses_.next(address, what_); progress != Progress::ready) return progress;
  if (settings_.is_tls) {
    auto tls = TlsContext::make(settings_, address->host);
    if (!tls) return failed(tls.error().fault, tls.error().text);
    tls_ = std::move(tls).value();
  }
  if (open_client(*address)) return Progress::ready;
  // It begins the handshake, and where the server is quick it has gone through all of it.
  const std::string refusal = tls_ ? tls_->refusal() : "";
  client_.reset();
  tls_.reset();
  if (refusal.empty()) return Progress::ready;
  return failed(Fault::misconfigured, refusal);
}

/// The library would try only the first of a host's addresses: it is given each as a number.
bool MqttConnection::open_client(const Address& address) {
  initialise_library();
  client_.reset(mosquitto_new(settings_.client_id.c_str(), true, this));
  mosquitto* const client = client_.get();
  if (!client) std::abort();  // out of memory
  greeting_ = {};
  is_greeted_ = has_ended_ = false;
  refusal_ = end_reason_ = 0;
  logged_.clear();
  acknowledgements_.clear();
  mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_int_option(client, MOSQ_OPT_SEND_MAXIMUM, 65535);  // until the server says less
  if (tls_) {
    mosquitto_int_option(client, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);  // or it wants a ca_file of its own
    mosquitto_void_option(client, MOSQ_OPT_SSL_CTX, tls_->handle());
  }
  const auto text_or_none = [](const std::string& text) { return text.empty() ? nullptr : text.c_str(); };
  mosquitto_username_pw_set(client, text_or_none(settings_.user), text_or_none(settings_.password));
  mosquitto_connect_v5_callback_set(client, Callbacks::connected);
  mosquitto_disconnect_v5_callback_set(client, Callbacks::disconnected);
  mosquitto_publish_v5_callback_set(client, Callbacks::published);
  mosquitto_log_callback_set(client, Callbacks::logged);
  const auto keepalive = std::chrono::duration_cast<std::chrono::seconds>(settings_.keepalive).count();
  errno = 0;
  const int result = mosquitto_connect_bind_async(client, address.socket.host().c_str(), address.port,
                                                  static_cast<int>(keepalive), nullptr);
  if (result == MOSQ_ERR_SUCCESS) return true;
  failed(Fault::unavailable, error_text(result));
  return false;
}

bool MqttConnection::finish_connecting() {
  std::string error = connect_error(descriptor());
  if (error.empty()) return true;
  failed(Fault::unavailable, std::move(error));
  client_.reset();
  tls_.reset();
  return false;
}

/// Goes on with TLS, sends CONNECT, reads CONNACK. In this phase the library's wish to write cannot be relied
/// upon: it stays set through the handshake.
Progress MqttConnection::take_greeting() {
  const bool is_closed = is_ready(descriptor(), POLLRDHUP);
  const bool is_alive =
      check(mosquitto_loop_read(client_.get(), 1)) && check(mosquitto_loop_write(client_.get(), 1));
  if (refusal_ != 0)
    return failed(
        mqtt_refusal(refusal_) == Session::State::misconfigured ? Fault::misconfigured : Fault::unavailable,
        "the server refuses the session: " + describe_mqtt(refusal_, refusal_text_));
  if (tls_ && !tls_->refusal().empty()) return failed(Fault::misconfigured, tls_->refusal());
  if (!is_alive) {
    if (!logged_.empty()) what_ += " (" + logged_ + ")";
    return Progress::failed;
  }
  if (!is_greeted_)
    return is_closed ? failed(Fault::unavailable, "the server closed the connection") : Progress::waiting;
  if (greeting_.qos_max < 1)
    return failed(Fault::misconfigured,
                  "the server takes messages without an acknowledgement only; allow QoS 1 there");
  mosquitto_log_callback_set(client_.get(), nullptr);  // it costs a formatted line per packet
  phase_ = Phase::ready;
  return Progress::ready;
}

/// False: the session is over, see error().
bool MqttConnection::check(int result) {
  if (result == MOSQ_ERR_SUCCESS && !has_ended_) return true;
  if (end_reason_ != 0)
    failed(Fault::unavailable, "the server ended the session: " + describe_mqtt(end_reason_, {}));
  else if (result == MOSQ_ERR_CONN_LOST || result == MOSQ_ERR_NO_CONN || result == MOSQ_ERR_SUCCESS)
    failed(Fault::unavailable, "the connection was lost");
  else
    failed(Fault::unavailable, error_text(result));
  return false;
}

int MqttConnection::descriptor() const {
  return client_ ? mosquitto_socket(client_.get()) : addresses_.descriptor();
}

short MqttConnection::events() const {
  switch (phase_) {
    case Phase::connecting:
      return client_ ? POLLOUT : POLLIN;
    case Phase::greeting:
      return POLLIN | POLLRDHUP;
    case Phase::ready:
      return is_writing() ? POLLIN | POLLOUT : POLLIN;
  }
  return 0;
}

bool MqttConnection::is_writing() const {
  return client_ && mosquitto_want_write(client_.get());  // the library looks into what it is given
}

MqttConnection::Handover MqttConnection::publish(const char* topic, std::string_view payload,
                                                 const mqtt5__property* properties, int& id) {
  errno = 0;
  const int result = mosquitto_publish_v5(client_.get(), &id, topic, static_cast<int>(payload.size()),
                                          payload.data(), 1, false, properties);
  switch (result) {
    case MOSQ_ERR_SUCCESS:
      return Handover::done;
    case MOSQ_ERR_INVAL:
    case MOSQ_ERR_MALFORMED_UTF8:
    case MOSQ_ERR_OVERSIZE_PACKET:
    case MOSQ_ERR_PAYLOAD_SIZE:
    case MOSQ_ERR_DUPLICATE_PROPERTY:
      what_ = mosquitto_strerror(result);
      return Handover::refused;
    default:
      check(result);
      return Handover::broken;
  }
}

bool MqttConnection::exchange(short ready) {
  errno = 0;
  if ((ready & (POLLIN | POLLHUP | POLLERR)) && !check(mosquitto_loop_read(client_.get(), 1))) return false;
  return !(ready & POLLOUT) || check(mosquitto_loop_write(client_.get(), 1));
}

void MqttConnection::read_rest() {
  const std::string why = what_;
  while (client_ && descriptor() >= 0 && is_ready(descriptor(), POLLIN)) {
    if (!check(mosquitto_loop_read(client_.get(), 1))) break;
  }
  if (end_reason_ == 0) what_ = why;
}

bool MqttConnection::keep_alive() {
  const int result = mosquitto_loop_misc(client_.get());
  if (result != MOSQ_ERR_KEEPALIVE) return check(result);
  failed(Fault::unavailable, "the server is silent");
  return false;
}

}  // namespace outbox
