#include <string>

#include "config/keys.h"
#include "config/load.h"

namespace outbox {
namespace {

constexpr std::size_t comment_column = 36;

/// `name = value   # documentation (what is allowed)`; a key without a default stands as a comment.
std::string line(std::string_view name, std::string_view fallback, std::string_view doc, const Rule& rule) {
  std::string result = fallback.empty() ? "# " + std::string(name) + " = \"...\""
                                        : std::string(name) + " = " + std::string(fallback);
  result.resize(std::max(result.size() + 1, comment_column), ' ');
  ((result += "# ") += doc);
  if (rule.kind != Rule::Kind::text && rule.kind != Rule::Kind::list && rule.kind != Rule::Kind::boolean)
    ((result += "; ") += allowed(rule));
  return result + "\n";
}

std::string quoted_fallback(const SettingSpec& spec) {
  const bool bare = spec.kind == SettingSpec::Kind::integer || spec.kind == SettingSpec::Kind::boolean;
  return bare ? std::string(spec.fallback) : "\"" + std::string(spec.fallback) + "\"";
}

}  // namespace

std::string documented_defaults(std::span<const BrokerAdapter> brokers) {
  std::string result;
  std::string_view section;
  for (const auto& key : config_keys()) {
    if (key.section != section) {
      if (!section.empty()) result += "\n";
      section = key.section;
      ((result += "[") += section) += "]\n";
    }
    result += line(key.name, key.fallback, key.doc, key.rule);
  }
  result += "\n[[route]]\n";
  for (const auto& key : route_keys()) result += line(key.name, key.fallback, key.doc, key.rule);
  for (const BrokerAdapter& adapter : brokers) {
    if (adapter.settings.empty()) continue;
    ((result += "\n# [route.") += adapter.name) += "]\n";
    for (const SettingSpec& spec : adapter.settings)
      result += "# " + line(spec.key, quoted_fallback(spec), spec.doc, rule_of(spec));
  }
  return result;
}

}  // namespace outbox
