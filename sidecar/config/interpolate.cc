#include "config/interpolate.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/text.h"

namespace outbox {
namespace {

constexpr std::size_t file_bytes_max = 1 << 20;

bool is_name(std::string_view text) {
  return !text.empty() && !is_digit(text[0]) &&
         std::ranges::all_of(text, [](char c) { return is_alphanumeric(c, "_"); });
}

void replace(std::string_view reference, const Environment& environment, Interpolated& result) {
  const auto problem = [&](const std::string& why) {
    result.problems.push_back("${" + std::string(reference) + "}: " + why);
  };
  if (reference.starts_with("file:")) {
    FileContent file = read_file(std::string(reference.substr(5)));
    if (!file.problem.empty()) return problem("the file " + file.problem);
    std::string& content = file.content;
    if (content.ends_with('\n')) content.pop_back();
    if (content.ends_with('\r')) content.pop_back();
    result.text += content;
    return;
  }
  if (!is_name(reference)) {
    result.problems.push_back("a reference is written ${NAME} or ${file:/path}; write $${ for a plain ${");
    return;
  }
  const auto variable = environment.find(reference);
  if (variable == environment.end()) return problem("this environment variable is not set");
  result.text += variable->second;
}

}  // namespace

Interpolated interpolate(std::string_view text, const Environment& environment) {
  Interpolated result;
  while (!text.empty()) {
    const auto dollar = text.find('$');
    result.text += text.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar);
    if (text.starts_with("$${")) {
      result.text += "${";
      text.remove_prefix(3);
      continue;
    }
    if (!text.starts_with("${")) {
      result.text += '$';
      text.remove_prefix(1);
      continue;
    }
    result.replaced = true;
    const auto close = text.find('}');
    if (close == std::string_view::npos) {
      result.problems.emplace_back("${ without }; write $${ for a plain ${");
      break;
    }
    replace(text.substr(2, close - 2), environment, result);
    text.remove_prefix(close + 1);
  }
  return result;
}

FileContent read_file(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return {"", "is a directory"};
  std::ifstream file(path, std::ios::binary);
  if (!file) return {"", std::string("cannot be read: ") + std::strerror(errno)};
  FileContent result;
  result.content.resize(file_bytes_max + 1);
  file.read(result.content.data(), static_cast<std::streamsize>(result.content.size()));
  if (file.bad()) return {"", std::string("cannot be read: ") + std::strerror(errno)};
  result.content.resize(static_cast<std::size_t>(file.gcount()));
  if (result.content.size() > file_bytes_max) return {"", "is larger than 1 MiB"};
  return result;
}

}  // namespace outbox
