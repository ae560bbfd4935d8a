#include "config/checks.h"

#include <algorithm>
#include <filesystem>

#include "base/address.h"
#include "base/encoding.h"
#include "base/text.h"
#include "core/url.h"

namespace outbox {
namespace {

bool is_control(char c) {
  return static_cast<unsigned char>(c) < ' ' || c == 0x7F;
}
bool is_visible(char c) {
  return c > ' ' && c < 0x7F;
}

bool is_identifier(std::string_view text) {
  return !text.empty() && text.size() <= 63 && !is_digit(text[0]) && text[0] != '$' &&
         std::ranges::all_of(text, [](char c) { return is_alphanumeric(c, "_$"); });
}

}  // namespace

std::string check_table(std::string_view text) {
  const auto dot = text.find('.');
  const bool right = dot == std::string_view::npos
                         ? is_identifier(text)
                         : is_identifier(text.substr(0, dot)) && is_identifier(text.substr(dot + 1));
  if (right) return "";
  return ", no table name, allowed: [schema.]name, each up to 63 of A-Z a-z 0-9 _ $, beginning with a letter "
         "or _";
}

std::string check_route_name(std::string_view text) {
  const bool right = !text.empty() && text.size() <= 63 &&
                     std::ranges::all_of(text, [](char c) { return is_alphanumeric(c, "_-"); });
  return right ? "" : ", no route name, allowed: 1 to 63 of A-Z a-z 0-9 _ -";
}

std::string check_topic_pattern(std::string_view text) {
  const bool right = !text.empty() && text.size() <= 255 && std::ranges::none_of(text, is_control);
  return right ? ""
               : ", no topic pattern, allowed: 1 to 255 bytes without control characters, * for any run of "
                 "characters";
}

std::string check_source(std::string_view text) {
  const bool right = text.size() <= 255 && std::ranges::all_of(text, is_visible);
  return right ? ""
               : ", no CloudEvents source, allowed: a URI reference, up to 255 visible ASCII characters, as "
                 "in /orders";
}

std::string check_token(std::string_view text) {
  const bool right = text.size() <= 1024 && std::ranges::all_of(text, is_visible);
  return right ? ""
               : ", not usable as a bearer token, allowed: up to 1024 visible ASCII characters, no blanks";
}

std::string check_listen(std::string_view text) {
  if (text.empty() || parse_listen(text)) return "";
  return ", no address, allowed: host:port, as in 127.0.0.1:8477 or [::1]:8477, :port for every address, or "
         "\"\" for off";
}

std::string default_source(std::string_view database_url) {
  std::string name;
  if (const auto url = parse_url(database_url)) {
    name = url->parameter("dbname").value_or(url->path);
    if (url->hosts.empty() && !url->parameter("dbname"))
      name = std::filesystem::path(url->path).stem().string();
    if (name.empty()) name = url->user;
  }
  std::string source = "outboxd";
  if (!name.empty()) source += '/';
  for (const char c : name) {
    if (is_alphanumeric(c, "_-."))
      source += c;
    else
      append_percent(source, c);
  }
  return source;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  constexpr std::size_t length_max = 100;  // names are short; the cost is the product of the lengths
  a = a.substr(0, length_max);
  b = b.substr(0, length_max);
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = std::min(now[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, now);
  }
  return last[b.size()];
}

std::string nearest(std::string_view name, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string suggestion(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string best = nearest(name, candidates);
  if (!best.empty()) return ", did you mean " + best + "?";
  if (candidates.empty() || candidates.size() > 12) return "";
  std::string all;
  for (const std::string& candidate : candidates) all += (all.empty() ? "" : ", ") + candidate;
  return ", allowed: " + all;
}

}  // namespace outbox
