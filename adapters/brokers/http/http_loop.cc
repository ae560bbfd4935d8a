#include "adapters/brokers/http/http_loop.h"

#include <cassert>
#include <cstdlib>

namespace outbox {
namespace {

void start_libcurl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) std::abort();
}

}  // namespace

HttpLoop::HttpLoop() {
  start_libcurl();
}

HttpLoop::~HttpLoop() {
  close();
}

void HttpLoop::open(std::size_t connections_max) {
  close();
  multi_ = curl_multi_init();
  if (!multi_) std::abort();  // out of memory
  // Otherwise libcurl closes connections whenever few requests are under way, and opens them again.
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(connections_max));
  curl_multi_setopt(multi_, CURLMOPT_MAX_CONCURRENT_STREAMS, static_cast<long>(connections_max));
}

void HttpLoop::close() {
  if (multi_) curl_multi_cleanup(multi_);
  multi_ = nullptr;
}

void HttpLoop::add(CURL* transfer) {
  [[maybe_unused]] const CURLMcode done = curl_multi_add_handle(multi_, transfer);
  assert(done == CURLM_OK);
}

void HttpLoop::remove(CURL* transfer) {
  curl_multi_remove_handle(multi_, transfer);
}

void HttpLoop::perform() {
  int running = 0;
  if (multi_) curl_multi_perform(multi_, &running);
}

bool HttpLoop::wait(Duration limit, const Wakeup& bell) {
  curl_waitfd source{bell.descriptor(), CURL_WAIT_POLLIN, 0};
  curl_multi_poll(multi_, &source, 1, poll_milliseconds(limit), nullptr);
  return source.revents != 0;
}

CURL* HttpLoop::ended(CURLcode& code) {
  int left = 0;
  while (CURLMsg* const message = multi_ ? curl_multi_info_read(multi_, &left) : nullptr) {
    if (message->msg != CURLMSG_DONE) continue;
    code = message->data.result;
    return message->easy_handle;
  }
  return nullptr;
}

}  // namespace outbox
