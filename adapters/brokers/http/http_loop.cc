#include "adapters/brokers/http/http_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdlib>

namespace outbox {
namespace {

Instant now() {
  return std::chrono::steady_clock::now();
}

void start_libcurl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) std::abort();
}

std::uint32_t epoll_events(int what) {
  std::uint32_t events = 0;
  if (what & CURL_POLL_IN) events |= EPOLLIN;
  if (what & CURL_POLL_OUT) events |= EPOLLOUT;
  return events;
}

}  // namespace

HttpLoop::HttpLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  start_libcurl();
  epoll_event bell{};
  bell.events = EPOLLIN;
  bell.data.fd = wakeup_.descriptor();
  if (epoll_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wakeup_.descriptor(), &bell) != 0)
    std::abort();  // as Wakeup does: no file descriptor is left
}

HttpLoop::~HttpLoop() {
  close();
  ::close(epoll_);
}

void HttpLoop::open(std::size_t connections_max) {
  close();
  multi_ = curl_multi_init();
  if (!multi_) std::abort();  // out of memory
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &HttpLoop::on_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &HttpLoop::on_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  // Otherwise libcurl closes connections whenever few requests are under way, and opens them again.
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(connections_max));
  curl_multi_setopt(multi_, CURLMOPT_MAX_CONCURRENT_STREAMS, static_cast<long>(connections_max));
}

void HttpLoop::close() {
  if (multi_) curl_multi_cleanup(multi_);
  multi_ = nullptr;
  timer_.reset();
}

void HttpLoop::add(CURL* transfer) {
  [[maybe_unused]] const CURLMcode done = curl_multi_add_handle(multi_, transfer);
  assert(done == CURLM_OK);
}

void HttpLoop::remove(CURL* transfer) {
  curl_multi_remove_handle(multi_, transfer);
}

void HttpLoop::kick() {
  if (multi_ && timer_ && *timer_ <= now()) run_timer();
}

bool HttpLoop::drive(Duration wait) {
  if (multi_ && timer_) wait = std::min(wait, *timer_ - now());
  std::array<epoll_event, 64> ready;
  const int count =
      ::epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), poll_milliseconds(wait));
  bool is_woken = false;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = ready[static_cast<std::size_t>(i)];
    if (event.data.fd == wakeup_.descriptor()) {
      wakeup_.clear();
      is_woken = true;
      continue;
    }
    int events = 0;
    if (event.events & EPOLLIN) events |= CURL_CSELECT_IN;
    if (event.events & EPOLLOUT) events |= CURL_CSELECT_OUT;
    if (event.events & (EPOLLERR | EPOLLHUP)) events |= CURL_CSELECT_ERR;
    act(event.data.fd, events);
  }
  kick();
  return is_woken;
}

void HttpLoop::run_timer() {
  timer_.reset();
  act(CURL_SOCKET_TIMEOUT, 0);
}

void HttpLoop::act(curl_socket_t socket, int events) {
  int running = 0;
  if (multi_) curl_multi_socket_action(multi_, socket, events, &running);
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

/// `known` is not null once the socket is in the epoll.
int HttpLoop::on_socket(CURL*, curl_socket_t socket, int what, void* loop, void* known) {
  auto& self = *static_cast<HttpLoop*>(loop);
  epoll_event event{};
  event.events = epoll_events(what);
  event.data.fd = socket;
  if (what == CURL_POLL_REMOVE) {
    ::epoll_ctl(self.epoll_, EPOLL_CTL_DEL, socket, nullptr);
    return 0;
  }
  ::epoll_ctl(self.epoll_, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
  if (!known) curl_multi_assign(self.multi_, socket, &self);
  return 0;
}

int HttpLoop::on_timer(CURLM*, long milliseconds, void* loop) {
  auto& self = *static_cast<HttpLoop*>(loop);
  self.timer_.reset();
  if (milliseconds >= 0) self.timer_ = now() + std::chrono::milliseconds(milliseconds);
  return 0;
}

}  // namespace outbox
