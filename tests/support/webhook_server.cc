#include "tests/support/webhook_server.h"

#include <signal.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/encoding.h"
#include "base/text.h"
#include "tests/support/eventually.h"
#include "tests/support/free_port.h"

namespace outbox::test {
namespace {

void wait_until_it_listens(Process& process, int port, const std::string& name) {
  if (!eventually([&] { return !process.running() || is_listening(port); }) || !process.running())
    throw std::runtime_error(name + " did not start:\n" + process.output());
}

}  // namespace

std::string WebhookRequest::header(const std::string& name) const {
  for (const auto& [found, value] : headers)
    if (lower(found) == name) return value;
  return {};
}

WebhookServer::WebhookServer(WebhookOptions options) : options_(std::move(options)), port_(free_port()) {
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
      request.headers.emplace_back(header[0], decode_base64(header[1].get<std::string>()).value());
    request.body = decode_base64(record["body"].get<std::string>()).value();
  }
  return found;
}

void WebhookServer::forget() {
  std::filesystem::resize_file(directory_ / "record", 0);
}

void WebhookServer::kill() {
  process_.reset();
}

void WebhookServer::start() {
  std::vector<std::string> arguments = {
      "python3",         std::string(OUTBOX_SOURCE_DIR) + "/tests/support/webhook_receiver.py",
      "--port",          std::to_string(port_),
      "--record",        directory_ / "record",
      "--rules",         directory_ / "rules",
      "--authorization", options_.authorization,
      "--body-max",      std::to_string(options_.body_max)};
  if (!options_.certificate.empty())
    arguments.insert(arguments.end(), {"--certificate", options_.certificate, "--key", options_.key});
  if (!options_.client_authority.empty())
    arguments.insert(arguments.end(), {"--client-authority", options_.client_authority});
  process_ = std::make_unique<Process>(std::move(arguments));
  wait_until_it_listens(*process_, port_, "the webhook receiver");
}

void WebhookServer::freeze() {
  process_->signal(SIGSTOP);
}
void WebhookServer::thaw() {
  process_->signal(SIGCONT);
}

Http2Proxy::Http2Proxy(int server_port, const std::string& certificate, const std::string& key)
    : port_(free_port()) {
  const auto endpoint = [](int port) { return "127.0.0.1," + std::to_string(port); };
  process_ = std::make_unique<Process>(std::vector<std::string>{
      "nghttpx", "--conf=/dev/null", "--frontend=" + endpoint(port_), "--backend=" + endpoint(server_port),
      "--workers=1", "--no-via", "--no-add-x-forwarded-proto", "--errorlog-file=/dev/stderr", key,
      certificate});
  wait_until_it_listens(*process_, port_, "nghttpx");
}

}  // namespace outbox::test
