#include "adapters/brokers/http/http_transfer.h"

#include <cassert>
#include <cstdlib>

#include "base/text.h"

namespace outbox {
namespace {

long milliseconds(Duration time) {
  return static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(time).count());
}

}  // namespace

HttpTransfer::HttpTransfer(const HttpSettings& settings)
    : handle_(curl_easy_init()), connect_to_text_(settings.connect_to) {
  if (!handle_) std::abort();  // out of memory
  set(CURLOPT_PRIVATE, static_cast<void*>(this));
  set(CURLOPT_ERRORBUFFER, error_.data());
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // the end does not wait for a name to be looked up
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_PROXY, "");  // whatever the environment says
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_USERAGENT, "outboxd");
  limit(settings.timeout);
  set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(settings.connect_timeout));
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_WRITEFUNCTION, &HttpTransfer::on_answer);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(CURLOPT_HEADERFUNCTION, &HttpTransfer::on_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_PREREQFUNCTION, &HttpTransfer::on_request);
  set(CURLOPT_PREREQDATA, static_cast<void*>(this));
  // Streams wait for a connection that may take them all, instead of each opening its own.
  set(CURLOPT_HTTP_VERSION, long{settings.allows_http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1});
  set(CURLOPT_PIPEWAIT, settings.allows_http2 ? 1L : 0L);
  if (settings.has_login()) {
    set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    set(CURLOPT_USERNAME, settings.user.c_str());
    set(CURLOPT_PASSWORD, settings.password.c_str());
  }
  if (!connect_to_text_.empty()) {
    connect_to_.data = connect_to_text_.data();
    set(CURLOPT_CONNECT_TO, &connect_to_);
  }
  if (settings.is_tls) set_tls(settings);
}

HttpTransfer::~HttpTransfer() {
  curl_easy_cleanup(handle_);
}

void HttpTransfer::set_tls(const HttpSettings& settings) {
  set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});  // or newer
  if (!settings.ca_file.empty()) {
    set(CURLOPT_CAINFO, settings.ca_file.c_str());
    set(CURLOPT_CAPATH, nullptr);  // these authorities and no others
  }
  if (!settings.cert_file.empty()) {
    set(CURLOPT_SSLCERT, settings.cert_file.c_str());
    set(CURLOPT_SSLKEY, settings.key_file.c_str());
  }
}

template <class Value>
void HttpTransfer::set(CURLoption option, Value value) {
  // They fail for want of memory alone, or for an option that this libcurl does not have.
  [[maybe_unused]] const CURLcode done = curl_easy_setopt(handle_, option, value);
  assert(done == CURLE_OK);
}

HttpTransfer& HttpTransfer::of(CURL* handle) {
  char* transfer = nullptr;
  curl_easy_getinfo(handle, CURLINFO_PRIVATE, &transfer);
  return *reinterpret_cast<HttpTransfer*>(transfer);
}

void HttpTransfer::begin(const std::string& url, bool may_resend) {
  if (url != url_) {
    url_ = url;
    set(CURLOPT_URL, url_.c_str());
  }
  answer_bytes_ = 0;
  has_begun_ = was_stopped_ = is_head_whole_ = false;
  may_resend_ = may_resend;
  error_[0] = '\0';
  if (request_.lines.empty()) return set(CURLOPT_HTTPHEADER, nullptr);
  lines_.resize(request_.lines.size());
  for (std::size_t i = 0; i < lines_.size(); ++i)
    lines_[i] = {request_.text.data() + request_.lines[i], i + 1 < lines_.size() ? &lines_[i + 1] : nullptr};
  set(CURLOPT_HTTPHEADER, lines_.data());
}

void HttpTransfer::post(const Submission& submission, bool may_resend) {
  submission_ = submission;
  begin(request_.url, may_resend);
  const std::string_view payload = submission.message->payload;
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(payload.size()));
  set(CURLOPT_POSTFIELDS, payload.empty() ? "" : payload.data());
}

void HttpTransfer::limit(Duration time) {
  set(CURLOPT_TIMEOUT_MS, milliseconds(time));
}

void HttpTransfer::ask_options(const std::string& url, const std::string& authorization) {
  if (!authorization.empty()) {
    request_.lines = {0};
    request_.text = authorization;
  }
  begin(url, false);
  set(CURLOPT_CUSTOMREQUEST, "OPTIONS");
}

void HttpTransfer::only_connect(const std::string& url) {
  begin(url, false);
  set(CURLOPT_CONNECT_ONLY, 1L);
}

std::size_t HttpTransfer::on_answer(char*, std::size_t one, std::size_t size, void* transfer) {
  auto& self = *static_cast<HttpTransfer*>(transfer);
  self.answer_bytes_ += one * size;
  return self.was_too_long() ? 0 : one * size;
}

/// Line by line; those of an answer that only announces another one (1xx) come first.
std::size_t HttpTransfer::on_header(char* data, std::size_t one, std::size_t size, void* transfer) {
  const std::string_view line(data, one * size);
  auto& self = *static_cast<HttpTransfer*>(transfer);
  if (line.starts_with("HTTP/")) self.is_head_whole_ = false;
  if (line == "\r\n" || line == "\n") self.is_head_whole_ = true;
  return line.size();
}

/// libcurl calls it when it has a connection, before it writes to it. A second time means that the connection
/// ended without an answer, and that libcurl would send the request again by itself.
int HttpTransfer::on_request(void* transfer, char*, char*, int, int) {
  auto& self = *static_cast<HttpTransfer*>(transfer);
  if (self.has_begun_ && !self.may_resend_) {
    self.was_stopped_ = true;
    return CURL_PREREQFUNC_ABORT;
  }
  self.has_begun_ = true;
  return CURL_PREREQFUNC_OK;
}

long HttpTransfer::status() const {
  long status = 0;
  curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

bool HttpTransfer::was_taken_whole() const {
  curl_off_t sent = 0;
  curl_easy_getinfo(handle_, CURLINFO_SIZE_UPLOAD_T, &sent);
  return is_head_whole_ && sent >= static_cast<curl_off_t>(submission_.message->payload.size());
}

long HttpTransfer::retry_after() const {
  curl_off_t seconds = 0;
  curl_easy_getinfo(handle_, CURLINFO_RETRY_AFTER, &seconds);
  return static_cast<long>(seconds);
}

bool HttpTransfer::used_http2() const {
  long version = 0;
  curl_easy_getinfo(handle_, CURLINFO_HTTP_VERSION, &version);
  return version == CURL_HTTP_VERSION_2_0;
}

std::string HttpTransfer::failure(CURLcode code) const {
  if (was_stopped_) return "the connection ended before an answer came";
  const std::string_view told = error_.data();
  return printable(told.empty() ? curl_easy_strerror(code) : told, 200);
}

bool is_misconfigured(CURLcode code) {
  switch (static_cast<int>(code)) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      return true;
    default:
      return false;
  }
}

}  // namespace outbox
