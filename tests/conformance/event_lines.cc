#include "tests/conformance/event_lines.h"

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>

namespace outbox::test {
namespace {

std::string base64_decoded(const std::string& text) {
  static const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned group = 0;
  int bits = 0;
  for (char c : text) {
    if (c == '=') break;
    group = group << 6U | static_cast<unsigned>(digits.find(c));
    bits += 6;
    if (bits >= 8) bytes += static_cast<char>(group >> static_cast<unsigned>(bits -= 8));
  }
  return bytes;
}

Received read_line(const std::string& line) {
  // Checked beside the parser, because that takes numbers beyond a double for an error: data is to be passed
  // on as it is.
  static const std::string before_data = "\",\"data\":";
  static const std::set<std::string> attributes = {"id",   "source",  "specversion", "type",
                                                   "time", "subject", "partitionkey"};
  const auto data = line.find(before_data);
  std::string head = line;
  Received received;
  if (data != std::string::npos) {
    received.payload = line.substr(data + before_data.size(), line.size() - data - before_data.size() - 1);
    head = line.substr(0, data) + "\"}";
  }
  const auto event = nlohmann::json::parse(head);
  std::string all_headers;
  for (const auto& [name, value] : event.items()) {
    if (name == "topic")
      received.topic = value;
    else if (name == "datacontenttype")
      received.content_type = value;
    else if (name == "data_base64")
      received.payload = base64_decoded(value);
    else if (name == "headers")
      all_headers = value;
    else
      (attributes.contains(name) ? received.attributes : received.headers)[name] = value;
  }
  if (!all_headers.empty())
    received.headers = nlohmann::json::parse(all_headers).get<std::map<std::string, std::string>>();
  return received;
}

}  // namespace

std::vector<Received> read_event_lines(std::string_view text) {
  if (!text.empty() && !text.ends_with('\n')) throw std::runtime_error("the last line is not complete");
  std::vector<Received> result;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) result.push_back(read_line(line));
  return result;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<Received> complete_events(const std::string& path) {
  const std::string text = read_file(path);
  return read_event_lines(std::string_view(text).substr(0, text.rfind('\n') + 1));
}

}  // namespace outbox::test
