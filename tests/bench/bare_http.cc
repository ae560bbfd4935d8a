// libcurl's multi interface alone, with as many requests in flight as the adapter has by default. MORE:
// another number.
#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/bare_loop.h"

namespace {

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

  void set(const Message& message) {
    const char* const id = message.id.c_str();
    std::snprintf(lines_[2].data(), lines_[2].size(), "ce-id: %s", id);
    std::snprintf(lines_[7].data(), lines_[7].size(), "ce-subject: %s", message.key.c_str());
    std::snprintf(lines_[8].data(), lines_[8].size(), "ce-partitionkey: %s", message.key.c_str());
    std::snprintf(lines_[9].data(), lines_[9].size(), "Idempotency-Key: %s", id);
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

class Client {
 public:
  explicit Client(Arguments& arguments) : url_("http://" + arguments.host + ":" + arguments.port + "/bench") {
    arguments.window =
        std::min(arguments.window, arguments.more.empty() ? 32L : std::stol(arguments.more[0]));
    curl_global_init(CURL_GLOBAL_DEFAULT);
    multi_ = curl_multi_init();
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, arguments.window);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() {
    requests_.clear();
    curl_multi_cleanup(multi_);
  }

  void send(const Message& message) {
    if (idle_.empty())
      idle_.push_back(requests_.emplace_back(std::make_unique<Request>(url_, message.payload)).get());
    idle_.back()->set(message);
    curl_multi_add_handle(multi_, idle_.back()->easy());
    idle_.pop_back();
  }

  long take() {
    for (;;) {
      int running = 0, left = 0;
      long answered = 0;
      curl_multi_perform(multi_, &running);
      for (; const CURLMsg* const message = curl_multi_info_read(multi_, &left); ++answered) {
        long status = 0;
        curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        if (message->data.result != CURLE_OK || status / 100 != 2) fail("a request was not accepted");
        Request* request = nullptr;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
        curl_multi_remove_handle(multi_, request->easy());
        idle_.push_back(request);
      }
      if (answered > 0) return answered;
      if (curl_multi_poll(multi_, nullptr, 0, 1000, nullptr) != CURLM_OK) fail("poll");
    }
  }

 private:
  const std::string url_;
  CURLM* multi_ = nullptr;
  std::vector<std::unique_ptr<Request>> requests_;
  std::vector<Request*> idle_;
};

}  // namespace

int main(int argc, char** argv) {
  return bare_loop<Client>(argc, argv);
}
