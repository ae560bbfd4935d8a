// libcurl's multi handle on an epoll of its own: moves all transfers at once, waits for the first that ends.
// Belongs to one broker and its thread, wake() to any.
#pragma once

#include <curl/curl.h>

#include <cstddef>
#include <optional>

#include "adapters/common/wakeup.h"
#include "core/message.h"

namespace outbox {

class HttpLoop {
 public:
  HttpLoop();
  HttpLoop(const HttpLoop&) = delete;
  HttpLoop& operator=(const HttpLoop&) = delete;
  ~HttpLoop();

  /// Begins without connections; so many are kept open, and used at once. close() ends them all; no transfer
  /// may be there any more.
  void open(std::size_t connections_max);
  void close();

  void add(CURL* transfer);
  void remove(CURL* transfer);

  /// Writes what was added to its sockets, as far as they take it, without waiting.
  void kick();

  /// Waits until a socket is ready or a timer of libcurl's is due, and does what is to be done. True: woken.
  bool drive(Duration wait);

  /// The next transfer that has ended, and how; null: none.
  CURL* ended(CURLcode& code);

  void wake() noexcept { wakeup_.ring(); }

 private:
  static int on_socket(CURL*, curl_socket_t socket, int what, void* loop, void* known);
  static int on_timer(CURLM*, long milliseconds, void* loop);

  void act(curl_socket_t socket, int events);
  void run_timer();

  int epoll_;
  Wakeup wakeup_;
  CURLM* multi_ = nullptr;
  std::optional<Instant> timer_;
};

}  // namespace outbox
