// For the tests of what operators do over HTTP: a server on a database that is only played.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "http/server.h"
#include "tests/unit/fake_admin.h"
#include "tests/unit/http_client.h"
#include "tests/unit/status_sample.h"

namespace outbox::test {

using Json = nlohmann::json;

class OperatorSource final : public StatusSource {
 public:
  Status status() const override { return fresh_status(); }
  std::vector<std::string> stuck() const override { return {}; }
};

struct FakeReload {
  std::string actor;
  std::optional<Error> error;
};

inline constexpr const char* token = "s3cret";
inline const std::string bearer = "Authorization: Bearer s3cret\r\n";

struct OperatorServer {
  explicit OperatorServer(const std::string& given_token = token, const HttpLimits& limits = {},
                          const std::string& listen = "127.0.0.1:0") {
    fill(*rows);
    Administration administration;
    administration.open_admin = [rows = rows]() -> Result<std::unique_ptr<Admin>> {
      return std::unique_ptr<Admin>(new FakeAdmin(*rows));
    };
    administration.reload = [reload = reload](const std::string& actor) -> Result<void> {
      reload->actor = actor;
      if (reload->error) return *reload->error;
      return {};
    };
    auto started = HttpServer::start(listen, given_token, source, limits, administration);
    if (!started) throw std::runtime_error(started.error().text);
    server = *std::move(started);
  }

  HttpClient client() const { return HttpClient(server->port()); }
  /// As curl would: with Host, Content-Type and Content-Length, and the token unless other headers are given.
  HttpAnswer post(const std::string& path, const std::string& body = "",
                  const std::string& headers = bearer + "Content-Type: application/json\r\n") const {
    return client().ask("POST " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers +
                        "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  HttpAnswer get(const std::string& path, const std::string& headers = bearer) const {
    return client().ask("GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:8477\r\n" + headers + "\r\n");
  }
  Json json(const std::string& path) const {
    const HttpAnswer answer = get(path);
    if (answer.status != 200) throw std::runtime_error(path + ": " + answer.body);
    return Json::parse(answer.body);
  }
  std::vector<int> seqs(const std::string& query) const {
    const Json answer = json("/v1/held" + query);
    std::vector<int> result;
    for (const Json& row : answer["held"]) result.push_back(row["seq"]);
    return result;
  }

  std::shared_ptr<FakeDatabase> rows = std::make_shared<FakeDatabase>();
  std::shared_ptr<FakeReload> reload = std::make_shared<FakeReload>();
  OperatorSource source;
  std::unique_ptr<HttpServer> server;
};

using Seqs = std::vector<int>;

inline const std::vector<std::string> mutations = {"/v1/held/requeue",         "/v1/held/discard",
                                                   "/v1/routes/orders/pause",  "/v1/routes/orders/resume",
                                                   "/v1/routes/orders/replay", "/v1/reload"};

inline std::string error_of(const HttpAnswer& answer) {
  return Json::parse(answer.body).at("error");
}

inline bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace outbox::test
