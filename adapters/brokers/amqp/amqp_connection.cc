#include "adapters/brokers/amqp/amqp_connection.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "adapters/brokers/amqp/amqp_errors.h"
#include "base/text.h"

namespace outbox {
namespace {

constexpr std::string_view protocol_header{"AMQP\0\0\x09\x01", 8};
constexpr std::size_t frame_max_wanted = 128 << 10;

amqp_table_entry_t text_entry(std::string_view name, std::string_view text) {
  amqp_table_entry_t made{};
  made.key = amqp_bytes_of(name);
  made.value.kind = AMQP_FIELD_KIND_UTF8;
  made.value.value.bytes = amqp_bytes_of(text);
  return made;
}

amqp_table_entry_t flag_entry(std::string_view name, bool value) {
  amqp_table_entry_t made{};
  made.key = amqp_bytes_of(name);
  made.value.kind = AMQP_FIELD_KIND_BOOLEAN;
  made.value.value.boolean = value;
  return made;
}

template <std::size_t size>
amqp_table_t table_of(std::array<amqp_table_entry_t, size>& entries) {
  return {static_cast<int>(size), entries.data()};
}

std::string text_in(const amqp_table_t& table, std::string_view name) {
  for (int i = 0; i < table.num_entries; ++i)
    if (text_of(table.entries[i].key) == name && table.entries[i].value.kind == AMQP_FIELD_KIND_UTF8)
      return printable(text_of(table.entries[i].value.value.bytes), 60);
  return {};
}

bool has_word(std::string_view words, std::string_view word) {
  return (" " + std::string(words) + " ").find(" " + std::string(word) + " ") != std::string::npos;
}

}  // namespace

AmqpConnection::AmqpConnection(const AmqpSettings& settings) : settings_(settings), stream_(settings) {}

void AmqpConnection::begin() {
  stream_.begin();
  reader_.reset();
  phase_ = Phase::connecting;
  frame_max_ = AMQP_FRAME_MIN_SIZE;
  heartbeat_ = {};
  sent_before_ = 0;
  blocked_.clear();
  product_.clear();
  version_.clear();
  error_ = {};
}

void AmqpConnection::close() {
  // Not behind messages that wait: they would leave the process after all.
  if (phase_ == Phase::ready && stream_.output().view().empty()) {
    amqp_connection_close_t goodbye{};
    goodbye.reply_code = AMQP_REPLY_SUCCESS;
    append_method(stream_.output(), 0, AMQP_CONNECTION_CLOSE_METHOD, &goodbye);
    (void)stream_.flush();
  }
  phase_ = Phase::failed;
  stream_.close();
}

Progress AmqpConnection::advance() {
  if (phase_ == Phase::connecting) {
    switch (stream_.advance()) {
      case Progress::waiting:
        return Progress::waiting;
      case Progress::failed:
        error_ = stream_.error();
        return Progress::failed;
      case Progress::ready:
        stream_.output().append(protocol_header);
        phase_ = Phase::greeting;
        received_at_ = sent_at_ = now();
    }
  }
  if (phase_ == Phase::greeting && (!flush() || !receive([](const amqp_frame_t&) { return true; })))
    return Progress::failed;
  return phase_ == Phase::ready ? Progress::ready : Progress::waiting;
}

bool AmqpConnection::flush() {
  if (!stream_.flush()) return broken();
  if (const std::uint64_t sent = stream_.sent_bytes(); sent != sent_before_) {
    sent_before_ = sent;
    sent_at_ = now();
  }
  return true;
}

bool AmqpConnection::receive(const UseFrame& use) {
  const bool was_broken = phase_ == Phase::failed;  // what came before it broke is still read
  bool is_amqp = true;
  const bool is_alive = stream_.receive([&](std::string_view bytes) {
    received_at_ = now();
    is_amqp = reader_.feed(bytes, [&](const amqp_frame_t& frame) {
      return take(frame, use) && (was_broken || phase_ != Phase::failed);
    });
    return is_amqp && (was_broken || phase_ != Phase::failed);
  });
  if (!is_amqp) fail(Fault::unavailable, "no AMQP 0-9-1 answers there: " + reader_.error());
  if (phase_ == Phase::failed) return false;
  return is_alive ? flush() : broken();
}

/// False: nothing more is to be read.
bool AmqpConnection::take(const amqp_frame_t& frame, const UseFrame& use) {
  if (frame.frame_type == AMQP_FRAME_HEARTBEAT) return true;
  if (phase_ == Phase::greeting)
    take_greeting(frame);
  else if (frame.channel == 0 && frame.frame_type == AMQP_FRAME_METHOD)
    take_control(frame.payload.method);
  else
    return use(frame);
  return true;
}

void AmqpConnection::take_greeting(const amqp_frame_t& frame) {
  if (frame.frame_type != AMQP_FRAME_METHOD || frame.channel != 0)
    return fail(Fault::unavailable, "the server does not speak AMQP 0-9-1");
  switch (frame.payload.method.id) {
    case AMQP_CONNECTION_START_METHOD:
      return start(*static_cast<const amqp_connection_start_t*>(frame.payload.method.decoded));
    case AMQP_CONNECTION_TUNE_METHOD:
      return tune(*static_cast<const amqp_connection_tune_t*>(frame.payload.method.decoded));
    case AMQP_CONNECTION_OPEN_OK_METHOD:
      phase_ = Phase::ready;
      return;
    case AMQP_CONNECTION_CLOSE_METHOD:
      return take_close(*static_cast<const amqp_connection_close_t*>(frame.payload.method.decoded));
    default:
      return fail(Fault::unavailable, "the server gave an answer to the login that nobody had asked for");
  }
}

void AmqpConnection::start(const amqp_connection_start_t& start) {
  product_ = text_in(start.server_properties, "product");
  version_ = text_in(start.server_properties, "version");
  // Who shows a certificate and names no user is known to RabbitMQ by that certificate.
  const bool is_external = settings_.user.empty();
  const std::string_view mechanism = is_external ? "EXTERNAL" : "PLAIN";
  if (!has_word(text_of(start.mechanisms), mechanism))
    return fail(Fault::misconfigured, "the server takes no login by " + std::string(mechanism) +
                                          (is_external ? "; enable rabbitmq_auth_mechanism_ssl there, or "
                                                         "give user and password in the route's URL"
                                                       : "; enable it in the server's auth_mechanisms"));
  const std::string login =
      is_external ? "" : std::string(1, '\0') + settings_.user + std::string(1, '\0') + settings_.password;
  std::array capabilities = {flag_entry("publisher_confirms", true), flag_entry("connection.blocked", true),
                             flag_entry("authentication_failure_close", true)};
  std::array properties = {text_entry("product", "outboxd"), text_entry("connection_name", "outboxd"),
                           text_entry("capabilities", "")};
  properties[2].value.kind = AMQP_FIELD_KIND_TABLE;
  properties[2].value.value.table = table_of(capabilities);
  amqp_connection_start_ok_t answer{table_of(properties), amqp_bytes_of(mechanism), amqp_bytes_of(login),
                                    amqp_bytes_of("en_US")};
  append_method(stream_.output(), 0, AMQP_CONNECTION_START_OK_METHOD, &answer, 1024 + login.size());
}

void AmqpConnection::tune(const amqp_connection_tune_t& tune) {
  frame_max_ =
      tune.frame_max == 0 ? frame_max_wanted : std::min<std::size_t>(tune.frame_max, frame_max_wanted);
  frame_max_ = std::max<std::size_t>(frame_max_, AMQP_FRAME_MIN_SIZE);
  reader_.limit(frame_max_);
  heartbeat_ = settings_.heartbeat;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(heartbeat_).count();
  amqp_connection_tune_ok_t answer{tune.channel_max, static_cast<std::uint32_t>(frame_max_),
                                   static_cast<std::uint16_t>(seconds)};
  append_method(stream_.output(), 0, AMQP_CONNECTION_TUNE_OK_METHOD, &answer);
  amqp_connection_open_t open{};
  open.virtual_host = amqp_bytes_of(settings_.virtual_host);
  append_method(stream_.output(), 0, AMQP_CONNECTION_OPEN_METHOD, &open);
}

void AmqpConnection::take_control(const amqp_method_t& method) {
  switch (method.id) {
    case AMQP_CONNECTION_CLOSE_METHOD:
      return take_close(*static_cast<const amqp_connection_close_t*>(method.decoded));
    case AMQP_CONNECTION_BLOCKED_METHOD:
      blocked_ =
          printable(text_of(static_cast<const amqp_connection_blocked_t*>(method.decoded)->reason), 100);
      if (blocked_.empty()) blocked_ = "no reason given";
      return;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
      blocked_.clear();
      return;
    default:
      return;
  }
}

void AmqpConnection::take_close(const amqp_connection_close_t& close) {
  const std::string_view text = text_of(close.reply_text);
  if (stream_.output().view().empty()) {
    amqp_connection_close_ok_t answer{};
    append_method(stream_.output(), 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &answer);
    (void)stream_.flush();
  }
  fail(fault_of_close(close.reply_code, text),
       "the server closed the connection: " + shown_close(close.reply_code, text, settings_.password));
}

std::optional<Instant> AmqpConnection::beat_at() const {
  if (phase_ != Phase::ready || heartbeat_ == Duration::zero()) return std::nullopt;
  return std::min(sent_at_ + heartbeat_ / 2, received_at_ + 2 * heartbeat_);
}

bool AmqpConnection::beat(Instant now) {
  if (phase_ != Phase::ready || heartbeat_ == Duration::zero()) return true;
  if (now >= received_at_ + 2 * heartbeat_) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(2 * heartbeat_).count();
    fail(Fault::unavailable, "no sign of life within " + std::to_string(seconds) + " s");
    return false;
  }
  if (now < sent_at_ + heartbeat_ / 2) return true;
  sent_at_ = now;
  if (stream_.output().view().empty()) append_heartbeat(stream_.output());
  return flush();
}

void AmqpConnection::fail(Fault fault, std::string_view what) {
  phase_ = Phase::failed;
  error_ = {fault, stream_.endpoint() + ": " + std::string(what)};
}

bool AmqpConnection::broken() {
  if (phase_ != Phase::failed) error_ = stream_.error();
  phase_ = Phase::failed;
  return false;
}

}  // namespace outbox
