// The endpoints under /v1: who may ask what, and what is to be done about it. Decides on the connections'
// thread and never waits; what needs the database is handed back as work for another. Any one thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "http/administration.h"
#include "http/request_head.h"

namespace outbox {

struct ApiRequest {
  std::string method;
  std::string path;                               ///< percent-decoded, without the query
  std::multimap<std::string, std::string> query;  ///< percent-decoded
  RequestHead head;
  std::string_view body;
  std::string peer;  ///< the client's address
};

struct ApiAnswer {
  int status = 200;
  std::string body;
  std::string allow;  ///< for 405
  const char* content_type = "application/json";
};

using ApiWork = std::function<ApiAnswer()>;

class OperatorApi {
 public:
  struct Options {
    std::string token;        ///< empty: nothing can be changed, reads are open
    std::string listen_host;  ///< as configured; empty: every address
    std::size_t body_max = 64 * 1024;
  };

  OperatorApi(Administration administration, Options options);

  [[nodiscard]] static bool is_path_of_ours(std::string_view path);

  /// Answers at once what is wrong with a request; else the work whose end is the answer.
  [[nodiscard]] std::variant<ApiAnswer, ApiWork> take(const ApiRequest& request) const;

 private:
  [[nodiscard]] std::variant<ApiAnswer, ApiWork> read(const ApiRequest& request,
                                                      const std::vector<std::string>& path) const;
  [[nodiscard]] std::variant<ApiAnswer, ApiWork> change(const ApiRequest& request,
                                                        const std::vector<std::string>& path) const;
  [[nodiscard]] ApiWork with_operator(std::function<ApiAnswer(Admin&)> work) const;

  Administration administration_;
  Options options_;
};

[[nodiscard]] ApiAnswer api_error(int status, const std::string& text);

/// The head of an answer with a body of so many bytes.
[[nodiscard]] std::string response_head(const ApiAnswer& answer, std::size_t body_size, bool close);

/// The bytes of an HTTP answer. `head_only`: to HEAD.
[[nodiscard]] std::string response_text(const ApiAnswer& answer, bool close, bool head_only);

}  // namespace outbox
