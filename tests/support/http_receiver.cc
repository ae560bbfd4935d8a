#include "tests/support/http_receiver.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/support/decode.h"
#include "tests/support/eventually.h"
#include "tests/support/free_port.h"

namespace outbox::test {
namespace {

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

}  // namespace

std::string WebhookRequest::header(const std::string& name) const {
  for (const auto& [found, value] : headers)
    if (lower(found) == name) return value;
  return {};
}

WebhookServer::WebhookServer(const WebhookOptions& options) : Server("http") {
  more_ = {"--authorization", options.authorization, "--body-max", std::to_string(options.body_max)};
  if (!options.certificate.empty())
    more_.insert(more_.end(), {"--certificate", options.certificate, "--key", options.key});
  if (!options.client_authority.empty())
    more_.insert(more_.end(), {"--client-authority", options.client_authority});
  start();
}

void WebhookServer::answers(const std::vector<WebhookRule>& rules) {
  nlohmann::json list = nlohmann::json::array();
  for (const WebhookRule& rule : rules)
    list.push_back({{"path", rule.path},
                    {"status", rule.status},
                    {"headers", rule.headers},
                    {"delay", static_cast<double>(rule.delay.count()) / 1000},
                    {"way", rule.way},
                    {"body", rule.body},
                    {"method", rule.method}});
  std::ofstream(directory_ / "rules.new") << list.dump();
  std::filesystem::rename(directory_ / "rules.new", directory_ / "rules");
}

std::vector<WebhookRequest> WebhookServer::requests(const std::string& method) const {
  std::vector<WebhookRequest> found;
  std::ifstream file(directory_ / "record");
  for (std::string line; std::getline(file, line);) {
    const auto record = nlohmann::json::parse(line);
    if (record["method"] != method) continue;
    WebhookRequest& request = found.emplace_back();
    request.method = method;
    request.path = record["path"];
    request.status = record["status"];
    request.connection = record["connection"];
    request.parallel = record["parallel"];
    for (const auto& header : record["headers"])
      request.headers.emplace_back(header[0], from_base64(header[1].get<std::string>()));
    request.body = from_base64(record["body"].get<std::string>());
  }
  return found;
}

void WebhookServer::forget() {
  std::filesystem::resize_file(directory_ / "record", 0);
}

Http2Proxy::Http2Proxy(int server_port, const std::string& certificate, const std::string& key)
    : port_(free_port()),
      process_({"nghttpx", "--conf=/dev/null", "--frontend=127.0.0.1," + std::to_string(port_),
                "--backend=127.0.0.1," + std::to_string(server_port), "--workers=1", "--no-via",
                "--no-add-x-forwarded-proto", "--errorlog-file=/dev/stderr", key, certificate}) {
  if (!eventually([&] { return !process_.running() || is_listening(port_); }) || !process_.running())
    throw std::runtime_error("nghttpx did not start:\n" + process_.output());
}

}  // namespace outbox::test
