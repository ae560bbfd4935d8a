// The measure that the HTTP adapter is held against: nothing but libcurl's multi interface, posting the
// messages that `outboxd bench` posts, with as many requests in flight as the adapter has by default.
// Usage: bare_http HOST PORT MESSAGES PAYLOAD_BYTES KEYS WINDOW [CONCURRENCY]
#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

[[noreturn]] void fail(const char* why) {
  std::fprintf(stderr, "bare_http: %s\n", why);
  std::exit(1);
}

std::size_t ignore(char*, std::size_t one, std::size_t size, void*) {
  return one * size;
}

/// One handle with its header lines, of which only those change that a message changes.
class Request {
 public:
  Request(const std::string& url, const std::string& payload) : easy_(curl_easy_init()) {
    if (!easy_) fail("no memory");
    curl_easy_setopt(easy_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy_, CURLOPT_PRIVATE, this);
    curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &ignore);
    curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS, 10000L);
    curl_easy_setopt(easy_, CURLOPT_USERAGENT, "outboxd");
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(payload.size()));
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, payload.data());
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      nodes_[i].data = lines_[i].data();
      nodes_[i].next = i + 1 < nodes_.size() ? &nodes_[i + 1] : nullptr;
    }
    curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, nodes_.data());
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  ~Request() { curl_easy_cleanup(easy_); }

  [[nodiscard]] CURL* easy() const { return easy_; }

  void set(long number, const std::string& key) {
    const auto digits = static_cast<unsigned long>(number);
    std::snprintf(lines_[2].data(), lines_[2].size(), "ce-id: 00000000-0000-4000-8000-%012lx", digits);
    std::snprintf(lines_[7].data(), lines_[7].size(), "ce-subject: %s", key.c_str());
    std::snprintf(lines_[8].data(), lines_[8].size(), "ce-partitionkey: %s", key.c_str());
    std::snprintf(lines_[9].data(), lines_[9].size(), "Idempotency-Key: 00000000-0000-4000-8000-%012lx",
                  digits);
  }

 private:
  using Line = std::array<char, 80>;

  CURL* easy_;
  std::array<Line, 10> lines_ = {Line{"Content-Type: application/json"},
                                 Line{"Expect:"},
                                 Line{"ce-id: "},
                                 Line{"ce-source: outboxd/bench"},
                                 Line{"ce-specversion: 1.0"},
                                 Line{"ce-type: bench.happened"},
                                 Line{"ce-time: 2026-01-31T12:00:00.000000Z"},
                                 Line{"ce-subject: "},
                                 Line{"ce-partitionkey: "},
                                 Line{"Idempotency-Key: "}};
  std::array<curl_slist, 10> nodes_{};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7 && argc != 8) {
    std::fprintf(stderr, "usage: bare_http HOST PORT MESSAGES PAYLOAD_BYTES KEYS WINDOW [CONCURRENCY]\n");
    return 2;
  }
  const std::string url = "http://" + std::string(argv[1]) + ":" + argv[2] + "/bench";
  const long count = std::atol(argv[3]);
  const std::string payload(static_cast<std::size_t>(std::atol(argv[4])), 'x');
  const long keys = std::atol(argv[5]);
  const long concurrency = std::min(std::atol(argv[6]), argc == 8 ? std::atol(argv[7]) : 32L);
  std::vector<std::string> key_texts;
  for (long i = 0; i < keys; ++i) key_texts.push_back("key-" + std::to_string(i));

  curl_global_init(CURL_GLOBAL_DEFAULT);
  CURLM* const multi = curl_multi_init();
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, concurrency);
  std::vector<std::unique_ptr<Request>> requests;
  long sent = 0;
  const auto send = [&](Request& request) {
    request.set(sent, key_texts[static_cast<std::size_t>(sent % keys)]);
    curl_multi_add_handle(multi, request.easy());
    ++sent;
  };
  const auto begun = std::chrono::steady_clock::now();
  while (sent < std::min(count, concurrency))
    send(*requests.emplace_back(std::make_unique<Request>(url, payload)));
  for (long answered = 0; answered < count;) {
    int running = 0, left = 0;
    curl_multi_perform(multi, &running);
    bool is_any = false;
    while (const CURLMsg* const message = curl_multi_info_read(multi, &left)) {
      long status = 0;
      curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
      if (message->data.result != CURLE_OK || status / 100 != 2) fail("a request was not accepted");
      Request* request = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
      curl_multi_remove_handle(multi, request->easy());
      ++answered;
      is_any = true;
      if (sent < count) send(*request);
    }
    if (!is_any && curl_multi_poll(multi, nullptr, 0, 1000, nullptr) != CURLM_OK) fail("poll");
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::printf("{\"messages_per_second\": %.0f}\n", static_cast<double>(count) / seconds);
  requests.clear();
  curl_multi_cleanup(multi);
  return 0;
}
