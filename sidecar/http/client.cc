#include "http/client.h"

#include <httplib.h>

namespace outbox {

Result<HttpReply> http_get(const std::string& host, int port, const std::string& path,
                           const std::string& token) {
  httplib::Client client(host, port);
  client.set_connection_timeout(std::chrono::seconds(1));
  client.set_read_timeout(std::chrono::seconds(2));
  client.set_write_timeout(std::chrono::seconds(1));
  httplib::Headers headers;
  if (!token.empty()) headers.emplace("Authorization", "Bearer " + token);
  const auto answer = client.Get(path, headers);
  if (!answer)
    return Error{Fault::unavailable, "nobody answers at " + host + ":" + std::to_string(port) + " (" +
                                         httplib::to_string(answer.error()) + ")"};
  return HttpReply{answer->status, answer->body};
}

}  // namespace outbox
