// One request at a time by libcurl, on a handle that is used again and again. Belongs to one broker and its
// thread.
#pragma once

#include <curl/curl.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/brokers/http/http_request.h"
#include "adapters/brokers/http/http_settings.h"
#include "core/broker.h"

namespace outbox {

class HttpTransfer {
 public:
  explicit HttpTransfer(const HttpSettings& settings);
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;
  ~HttpTransfer();

  /// The transfer that libcurl speaks of.
  static HttpTransfer& of(CURL* handle);
  [[nodiscard]] CURL* handle() const { return handle_; }

  /// Makes ready to be added to a multi handle: a POST of the message with the request written into
  /// request(), or an OPTIONS request, or no more than a connection. may_resend: libcurl may send a request
  /// again whose connection ended before an answer.
  void post(const Submission& submission, bool may_resend);
  /// For the whole request, instead of `timeout`.
  void limit(Duration time);
  void ask_options(const std::string& url, const std::string& authorization);
  void only_connect(const std::string& url);

  /// To be written before post(); keeps its memory.
  Request& request() { return request_; }
  [[nodiscard]] const Submission& submission() const { return submission_; }
  /// A byte of the request may have left this process.
  [[nodiscard]] bool has_begun() const { return has_begun_; }

  // After the end:

  /// 0: there was no answer.
  [[nodiscard]] long status() const;
  /// What the answer's Retry-After asks for, seconds; 0: nothing.
  [[nodiscard]] long retry_after() const;
  [[nodiscard]] bool used_http2() const;
  /// All of the payload was sent, and all of the answer's head has come: libcurl is content with less, when
  /// the receiver answers early or the connection ends between two header lines.
  [[nodiscard]] bool was_taken_whole() const;
  /// The answer was longer than anyone reads; its status counts, the rest was not read.
  [[nodiscard]] bool was_too_long() const { return answer_bytes_ > answer_bytes_max; }
  /// What libcurl says of its failure; for people, without secrets.
  [[nodiscard]] std::string failure(CURLcode code) const;

 private:
  static constexpr std::size_t answer_bytes_max = 1 << 20;

  static std::size_t on_answer(char* data, std::size_t one, std::size_t size, void* transfer);
  static std::size_t on_header(char* data, std::size_t one, std::size_t size, void* transfer);
  static int on_request(void* transfer, char*, char*, int, int);

  template <class Value>
  void set(CURLoption option, Value value);
  void set_tls(const HttpSettings& settings);
  void begin(const std::string& url, bool may_resend);

  CURL* handle_;
  Request request_;
  std::vector<curl_slist> lines_;
  curl_slist connect_to_{};
  std::string connect_to_text_;
  std::string url_;  ///< the one that the handle has
  Submission submission_;
  std::size_t answer_bytes_ = 0;
  bool has_begun_ = false, may_resend_ = false, was_stopped_ = false, is_head_whole_ = false;
  std::array<char, CURL_ERROR_SIZE> error_{};
};

/// Whether a failure stays until somebody changes something: certificates, names, files.
bool is_misconfigured(CURLcode code);

}  // namespace outbox
