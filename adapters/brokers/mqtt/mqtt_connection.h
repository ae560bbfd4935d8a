// One session of libmosquitto with an MQTT server: connects, publishes, hands over acknowledgements, never
// blocks but to look up a host's name, and never reconnects. Belongs to one broker and its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/brokers/mqtt/mqtt_settings.h"
#include "adapters/common/tcp_connector.h"
#include "adapters/common/tls.h"
#include "core/broker.h"

struct mosquitto;
struct mqtt5__property;

namespace outbox {

/// What the server says of itself when it takes a session.
struct MqttGreeting {
  std::size_t receive_max = 65535;     ///< messages in flight
  std::uint32_t packet_bytes_max = 0;  ///< 0: none but the protocol's
  int qos_max = 2;
};

/// The answer to one message.
struct MqttAcknowledgement {
  int id = 0;
  int reason = 0;
  std::string text;  ///< the server's own words, if any
};

class MqttConnection {
 public:
  enum class Handover { done, refused, broken };

  /// `settings` must outlive the connection.
  explicit MqttConnection(const MqttSettings& settings)
      : settings_(settings), addresses_(settings.hosts, settings.default_port) {}
  MqttConnection(const MqttConnection&) = delete;
  MqttConnection& operator=(const MqttConnection&) = delete;
  ~MqttConnection() { close(); }

  /// Begins anew with the next of the hosts and their addresses; all are tried before it fails.
  void begin();

  /// Goes on with connecting; after `waiting` call it again when the descriptor is ready for events().
  Progress advance();

  /// For poll().
  [[nodiscard]] int descriptor() const;
  [[nodiscard]] short events() const;

  /// Once ready.
  [[nodiscard]] const MqttGreeting& greeting() const { return greeting_; }

  /// Whether the socket has not taken all that was handed over: what comes next would only wait in the
  /// library.
  [[nodiscard]] bool is_writing() const;

  /// Hands a message over and writes what the socket takes. refused: the library will not have it, see
  /// error(); broken: so is the connection, and part of the message may have left.
  Handover publish(const char* topic, std::string_view payload, const mqtt5__property* properties, int& id);

  /// Reads and writes what the socket is ready for. False: the session is over, see error().
  bool exchange(short ready);

  /// After a write failed: reads what had come before. The session is over then.
  void read_rest();

  /// Asks a silent server whether it is there; call it once a second. False: the session is over.
  bool keep_alive();

  /// In the order in which they came; the caller takes them away.
  std::vector<MqttAcknowledgement>& acknowledgements() { return acknowledgements_; }

  /// Why it failed or broke, with the server's address.
  [[nodiscard]] Error error() const { return {fault_, endpoint() + ": " + what_}; }
  /// The reason code with which the server ended the session; 0: without one.
  [[nodiscard]] int end_reason() const { return end_reason_; }
  /// "host:port" of the server in use.
  [[nodiscard]] const std::string& endpoint() const { return addresses_.endpoint(); }

  void close();

 private:
  struct Callbacks;
  struct Destroy {
    void operator()(mosquitto* client) const;
  };
  enum class Phase { connecting, greeting, ready };

  Progress try_next_address();
  bool open_client(const Address& address);
  bool finish_connecting();
  Progress take_greeting();
  Progress failed(Fault fault, std::string what);
  bool check(int result);

  const MqttSettings& settings_;
  Phase phase_ = Phase::connecting;
  Addresses addresses_;

  std::unique_ptr<TlsContext> tls_;
  std::unique_ptr<mosquitto, Destroy> client_;

  // Filled by the library's callbacks.
  MqttGreeting greeting_;
  bool is_greeted_ = false;
  int refusal_ = 0;
  std::string refusal_text_;
  int end_reason_ = 0;
  bool has_ended_ = false;
  std::string logged_;  ///< the library's last error message while connecting
  std::vector<MqttAcknowledgement> acknowledgements_;

  Fault fault_ = Fault::unavailable;
  std::string what_;
};

}  // namespace outbox
