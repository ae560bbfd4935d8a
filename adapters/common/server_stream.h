// Bytes to and from a server, over TCP or TLS: connects, writes, reads, never blocks. Belongs to one broker
// and its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "adapters/common/output_buffer.h"
#include "adapters/common/server_settings.h"
#include "adapters/common/tcp_connector.h"
#include "adapters/common/tls.h"

namespace outbox {

class ServerStream {
 public:
  /// `settings` must outlive the stream.
  explicit ServerStream(const ServerSettings& settings);
  ServerStream(const ServerStream&) = delete;
  ServerStream& operator=(const ServerStream&) = delete;
  ~ServerStream();

  /// Begins anew with the next of the hosts and their addresses; all are tried before it fails.
  void begin();

  /// Goes on with connecting; after `waiting` call it again when the descriptor is ready for events().
  Progress advance();

  /// For poll(); -1 when closed.
  [[nodiscard]] int descriptor() const {
    return phase_ == Phase::connecting ? connector_.descriptor() : descriptor_;
  }
  [[nodiscard]] short events() const;

  /// What is to be sent is appended here, then flush()ed.
  OutputBuffer& output() { return output_; }
  /// Counted from begin().
  [[nodiscard]] std::uint64_t appended_bytes() const { return sent_ + output_.view().size(); }
  /// How far the bytes have left this process.
  [[nodiscard]] std::uint64_t sent_bytes() const { return sent_; }

  /// Sends what the socket takes. False: the stream is broken.
  bool flush();

  /// Reads all that is there, block by block, until `use` returns false. False: the stream is broken; what
  /// came before it broke is given to `use` all the same, also after flush() has failed.
  bool receive(const std::function<bool(std::string_view)>& use);

  /// Why it failed or broke, with the server's address.
  [[nodiscard]] Error error() const { return {fault_, endpoint() + ": " + what_}; }
  /// "host:port" of the server in use.
  [[nodiscard]] const std::string& endpoint() const { return connector_.endpoint(); }

  void close();

 private:
  enum class Phase { connecting, securing, ready };
  enum class Io { done, later, broken };

  Progress secure();
  Io read(char* to, std::size_t size_max, std::size_t& size);
  Io write(std::string_view bytes, std::size_t& size);
  Io progress_of(TlsStream::Progress progress);
  Io broken(const char* what);
  Progress failed(Fault fault, std::string what);

  const ServerSettings& settings_;
  TcpConnector connector_;
  Phase phase_ = Phase::connecting;

  int descriptor_ = -1;
  std::unique_ptr<TlsStream> tls_;
  bool tls_wants_write_ = false;  ///< to go on with the handshake or with reading
  bool tls_wants_read_ = false;   ///< to go on with writing
  OutputBuffer output_;
  std::uint64_t sent_ = 0;

  Fault fault_ = Fault::unavailable;
  std::string what_;
};

}  // namespace outbox
