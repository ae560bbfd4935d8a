// libcurl's multi handle: moves all transfers at once, waits for the first that can go on. Belongs to one
// broker and its thread.
#pragma once

#include <curl/curl.h>

#include <cstddef>

#include "base/wakeup.h"
#include "core/message.h"

namespace outbox {

class HttpLoop {
 public:
  HttpLoop();
  HttpLoop(const HttpLoop&) = delete;
  HttpLoop& operator=(const HttpLoop&) = delete;
  ~HttpLoop();

  /// Begins without connections; so many are kept open. close() ends them all; no transfer may be there any
  /// more.
  void open(std::size_t connections_max);
  void close();

  void add(CURL* transfer);
  void remove(CURL* transfer);

  /// Reads and writes what the sockets take, without waiting.
  void perform();

  /// Waits until a socket or a timer of libcurl's is ready to be performed, or the bell rings. True: it did.
  bool wait(Duration limit, const Wakeup& bell);

  /// The next transfer that has ended, and how; null: none.
  CURL* ended(CURLcode& code);

 private:
  CURLM* multi_ = nullptr;
};

}  // namespace outbox
