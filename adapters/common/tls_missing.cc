// Stands in for tls.cc in a build without OpenSSL: no route with a TLS scheme is opened, see
// server_adapter.h.
#include <utility>

#include "adapters/common/tls.h"

namespace outbox {

std::string tls_missing(const ServerKind& kind) {
  return "this build has no OpenSSL for " + std::string(kind.tls_scheme) +
         "://; install libssl-dev and build again, or use " + std::string(kind.scheme) +
         ":// through a TLS tunnel";
}

struct TlsContext::State {};
struct TlsStream::State {};

TlsContext::TlsContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsContext::~TlsContext() = default;
TlsStream::TlsStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsStream::~TlsStream() = default;

Result<std::unique_ptr<TlsContext>> TlsContext::make(const ServerSettings&, const std::string&) {
  return Error{Fault::misconfigured, "this build has no OpenSSL"};
}
void* TlsContext::handle() const {
  return nullptr;
}
std::string TlsContext::refusal() const {
  return {};
}

Result<std::unique_ptr<TlsStream>> TlsStream::start(int, const ServerSettings&, const std::string&) {
  return Error{Fault::misconfigured, "this build has no OpenSSL"};
}
TlsStream::Progress TlsStream::handshake() {
  return Progress::failed;
}
TlsStream::Progress TlsStream::read(char*, std::size_t, std::size_t&) {
  return Progress::failed;
}
TlsStream::Progress TlsStream::write(std::string_view, std::size_t&) {
  return Progress::failed;
}

}  // namespace outbox
