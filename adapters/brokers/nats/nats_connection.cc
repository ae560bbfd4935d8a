#include "adapters/brokers/nats/nats_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <charconv>
#include <string_view>
#include <utility>

#include "adapters/brokers/nats/nats_options.h"
#include "adapters/common/tcp_connector.h"
#include "base/background.h"
#include "base/text.h"

namespace outbox {
namespace {

// The callbacks below run in threads of nats.c's.

void on_answer(natsConnection*, natsSubscription*, natsMsg* raw, void* name) {
  const NatsMsg message(raw);
  const auto mailbox = NatsMailbox::find(name);
  if (!mailbox) return;
  const std::string_view subject = natsMsg_GetSubject(raw);
  const std::string_view token = subject.substr(subject.rfind('.') + 1);
  std::uint64_t number = 0;
  std::from_chars(token.data(), token.data() + token.size(), number);
  const std::string_view body(natsMsg_GetData(raw), static_cast<std::size_t>(natsMsg_GetDataLength(raw)));
  const char* status = nullptr;
  if (body.empty()) natsMsgHeader_Get(raw, "Status", &status);
  NatsAnswer answer = meaning_of_nats_answer(status ? status : "", body);
  if (answer.is_foreign && number != 0) return;  // JetStream's own is still to come; 0 is the greeting
  mailbox->put(number, std::move(answer));
}

void on_error(natsConnection*, natsSubscription*, natsStatus status, void* name) {
  const auto mailbox = NatsMailbox::find(name);
  if (!mailbox) return;
  const char* const text = nats_GetLastError(&status);  // of this error, not of the connection's last one
  mailbox->put_error(text && *text ? text : natsStatus_GetText(status));
}

void on_lame_duck(natsConnection*, void* name) {
  if (const auto mailbox = NatsMailbox::find(name)) mailbox->put_leaving();
}

}  // namespace

Result<std::unique_ptr<NatsConnection>> NatsConnection::open(const NatsSettings& settings,
                                                             const Url::Host& host, Duration limit,
                                                             const std::shared_ptr<NatsMailbox>& mailbox) {
  std::unique_ptr<NatsConnection> made(new NatsConnection);
  made->endpoint_ = nats_endpoint(host);
  const auto failed = [&made](const Error& error) {
    return Error{error.fault, made->endpoint_ + ": " + error.text};
  };
  auto options = make_nats_options(settings, host, limit);
  if (!options) return failed(options.error());
  natsOptions* const raw = options->get();
  natsOptions_SetEventLoop(raw, made.get(), attach, want_read, want_write, detach);
  natsOptions_SetSendAsap(raw, true);   // no thread that writes
  natsOptions_SetPingInterval(raw, 0);  // no timer's thread that does
  natsOptions_SetIOBufSize(raw, 64 << 10);
  natsOptions_SetWriteDeadline(
      raw, std::chrono::duration_cast<std::chrono::milliseconds>(settings.timeout).count());
  natsOptions_SetErrorHandler(raw, on_error, mailbox->name());
  natsOptions_SetLameDuckModeCB(raw, on_lame_duck, mailbox->name());

  natsConnection* connection = nullptr;
  // Some of its threads end after their connection, and nats_Close() frees what libcrypto frees again at
  // exit.
  leave_library_threads();
  if (const auto status = natsConnection_Connect(&connection, raw); status != NATS_OK)
    return failed(nats_connect_error(status));
  made->handle_.reset(connection);
  if (auto done = made->subscribe(settings, mailbox); !done) return failed(done.error());
  return made;
}

NatsConnection::~NatsConnection() {
  // Ended by nats.c itself it would flush first, for half a second. What the server has answered until now is
  // still taken.
  if (handle_ && !is_closed_) ::shutdown(socket_, SHUT_RDWR);
  for (int rounds = 0; handle_ && !is_closed_ && rounds < 1000; ++rounds) read();
  subscription_.reset();
  handle_.reset();
#if NATS_VERSION_NUMBER >= 0x030A00
  natsConnection_ProcessCloseEvent(&socket_);  // since 3.10 the event loop closes the socket
#endif
}

Result<void> NatsConnection::subscribe(const NatsSettings& settings,
                                       const std::shared_ptr<NatsMailbox>& mailbox) {
  natsInbox* unique = nullptr;
  natsSubscription* subscription = nullptr;
  auto status = natsInbox_Create(&unique);
  if (status == NATS_OK) {
    const std::string_view text = unique;
    inbox_ = settings.inbox_prefix + std::string(text.substr(text.rfind('.')));
    natsInbox_Destroy(unique);
    status = natsConnection_Subscribe(&subscription, handle_.get(), (inbox_ + ".*").c_str(), on_answer,
                                      mailbox->name());
  }
  subscription_.reset(subscription);
  if (status == NATS_OK) status = natsSubscription_SetPendingLimits(subscription, -1, -1);
  if (status != NATS_OK) return nats_connect_error(status);
  count_appended();
  return {};
}

short NatsConnection::events() const {
  return waiting_ > 0 || wants_write_ ? POLLIN | POLLOUT : POLLIN;
}

natsStatus NatsConnection::publish(natsMsg* message) {
  const auto status = natsConnection_PublishMsg(handle_.get(), message);
  count_appended();
  return status;
}

void NatsConnection::write() {
  natsConnection_ProcessWriteEvent(handle_.get());
  const int buffered = natsConnection_Buffered(handle_.get());
  // Over TLS a part may have gone before it failed: then all counts as sent.
  waiting_ = buffered > 0 ? static_cast<std::size_t>(buffered) : 0;
}

void NatsConnection::read() {
  natsConnection_ProcessReadEvent(handle_.get());
  count_appended();
}

/// Nothing but write() makes the buffer shorter. A closed connection has none, and what waited stays counted.
void NatsConnection::count_appended() {
  const int buffered = natsConnection_Buffered(handle_.get());
  if (buffered < 0) return;
  appended_ += static_cast<std::size_t>(buffered) - waiting_;
  waiting_ = static_cast<std::size_t>(buffered);
}

std::string NatsConnection::error() const {
  const char* text = nullptr;
  natsConnection_GetLastError(handle_.get(), &text);
  return text && *text ? printable(text, 200) : "the connection was closed";
}

std::size_t NatsConnection::payload_max() const {
  return static_cast<std::size_t>(natsConnection_GetMaxPayload(handle_.get()));
}

natsStatus NatsConnection::attach(void** user, void* loop, natsConnection*, natsSock socket) {
  *user = loop;
  auto& self = *static_cast<NatsConnection*>(loop);
  self.socket_ = socket;
  keep_alive(socket);
  return NATS_OK;
}

natsStatus NatsConnection::want_read(void*, bool) {
  return NATS_OK;
}

natsStatus NatsConnection::want_write(void* user, bool is_wanted) {
  static_cast<NatsConnection*>(user)->wants_write_ = is_wanted;
  return NATS_OK;
}

natsStatus NatsConnection::detach(void* user) {
  static_cast<NatsConnection*>(user)->is_closed_ = true;
  return NATS_OK;
}

}  // namespace outbox
