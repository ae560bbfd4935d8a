#include "config/value.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"

namespace outbox {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t milliseconds;
};

constexpr std::array units = {Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1000},
                              Unit{"ms", 1}};
constexpr std::int64_t milliseconds_max = 36'525 * units[0].milliseconds;

/// ` "value"` where it may be shown.
std::string shown(const Rule& rule, const Given& given) {
  if (rule.secret || given.hidden) return " (not shown)";
  constexpr std::size_t length_max = 60;
  std::string text = given.node.text.substr(0, length_max);
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < ' ' || c == 0x7F; }, '?');
  return " \"" + text + (given.node.text.size() > length_max ? "...\"" : "\"");
}

Converted wrong(const Rule& rule, const std::string& what) {
  return {{}, what + ", allowed: " + allowed(rule)};
}

Converted wrong_kind(const Rule& rule, const Given& given) {
  return wrong(rule, "is " + std::string(described(given.node.kind)));
}

Converted convert_integer(const Rule& rule, const Given& given) {
  std::int64_t number = given.node.integer;
  if (given.node.kind == Node::Kind::text && given.loose) {
    const auto parsed = parse_number<std::int64_t>(given.node.text);
    if (!parsed) return wrong(rule, "is" + shown(rule, given) + ", no integer");
    number = *parsed;
  } else if (given.node.kind != Node::Kind::integer) {
    return wrong_kind(rule, given);
  }
  if (number >= rule.min && number <= rule.max) return {number, ""};
  const bool hidden = rule.secret || given.hidden;
  return wrong(rule, hidden ? "is out of range" : "is " + std::to_string(number));
}

Converted convert_boolean(const Rule& rule, const Given& given) {
  if (given.node.kind == Node::Kind::boolean) return {given.node.boolean, ""};
  if (given.node.kind == Node::Kind::text && given.loose && given.node.text == "true") return {true, ""};
  if (given.node.kind == Node::Kind::text && given.loose && given.node.text == "false") return {false, ""};
  return wrong_kind(rule, given);
}

Converted convert_duration(const Rule& rule, const Given& given) {
  if (given.node.kind != Node::Kind::text) return wrong_kind(rule, given);
  if (rule.can_lack && given.node.text.empty()) return {std::string(), ""};
  const auto duration = parse_duration(given.node.text);
  if (!duration) return wrong(rule, "is" + shown(rule, given) + ", no duration");
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(*duration).count();
  if (milliseconds < rule.min || milliseconds > rule.max)
    return wrong(rule, "is out of range" + shown(rule, given));
  return {*duration, ""};
}

Converted convert_text(const Rule& rule, const Given& given) {
  if (given.node.kind != Node::Kind::text) return wrong_kind(rule, given);
  const std::string& text = given.node.text;
  if (text.find('\0') != std::string::npos) return wrong(rule, "holds a zero byte");
  if (rule.secret && given.hidden && text.empty())
    return wrong(rule, "is empty after replacing its reference");
  if (rule.check)
    if (std::string problem = rule.check(text); !problem.empty())
      return {{}, "is" + shown(rule, given) + problem};
  return {text, ""};
}

Converted convert_choice(const Rule& rule, const Given& given) {
  if (given.node.kind != Node::Kind::text) return wrong_kind(rule, given);
  const auto choices = choices_of(rule.choices);
  if (std::ranges::find(choices, given.node.text) != choices.end()) return {given.node.text, ""};
  return wrong(rule, "is" + shown(rule, given));
}

Converted convert_list(const Rule& rule, const Given& given) {
  std::vector<Node> items = given.node.items;
  if (given.node.kind == Node::Kind::text) {
    // One text is a list of one; from a variable or a flag, commas separate.
    std::string_view rest = given.node.text;
    while (true) {
      const auto comma = given.loose ? rest.find(',') : std::string_view::npos;
      items.emplace_back().kind = Node::Kind::text;
      items.back().text = rest.substr(0, comma);
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  } else if (given.node.kind != Node::Kind::array) {
    return wrong_kind(rule, given);
  }
  if (items.empty()) return wrong(rule, "is empty");
  Rule item_rule = rule;
  item_rule.kind = Rule::Kind::text;
  std::vector<std::string> texts;
  for (Node& item : items) {
    Converted text = convert_text(item_rule, {std::move(item), given.loose, given.hidden});
    if (!text.problem.empty()) return {{}, "an item " + text.problem};
    texts.push_back(std::get<std::string>(std::move(text.value)));
  }
  return {std::move(texts), ""};
}

std::string range(const Rule& rule, std::string (*text)(std::int64_t)) {
  return rule.max == INT64_MAX ? "at least " + text(rule.min) : text(rule.min) + " to " + text(rule.max);
}

}  // namespace

Rule rule_of(const SettingSpec& spec) {
  Rule rule{.choices = spec.choices, .min = spec.min, .max = spec.max, .secret = spec.secret};
  switch (spec.kind) {
    case SettingSpec::Kind::text:
      rule.kind = Rule::Kind::text;
      break;
    case SettingSpec::Kind::integer:
      rule.kind = Rule::Kind::integer;
      break;
    case SettingSpec::Kind::boolean:
      rule.kind = Rule::Kind::boolean;
      break;
    case SettingSpec::Kind::duration:
      rule.kind = Rule::Kind::duration;
      break;
    case SettingSpec::Kind::choice:
      rule.kind = Rule::Kind::choice;
      break;
  }
  return rule;
}

std::vector<std::string> choices_of(std::string_view choices) {
  std::vector<std::string> result;
  while (!choices.empty()) {
    const auto bar = choices.find('|');
    result.emplace_back(choices.substr(0, bar));
    choices = bar == std::string_view::npos ? std::string_view{} : choices.substr(bar + 1);
  }
  return result;
}

Converted convert(const Rule& rule, const Given& given) {
  switch (rule.kind) {
    case Rule::Kind::text:
      return convert_text(rule, given);
    case Rule::Kind::integer:
      return convert_integer(rule, given);
    case Rule::Kind::boolean:
      return convert_boolean(rule, given);
    case Rule::Kind::duration:
      return convert_duration(rule, given);
    case Rule::Kind::choice:
      return convert_choice(rule, given);
    case Rule::Kind::list:
      return convert_list(rule, given);
  }
  return {};
}

std::string allowed(const Rule& rule) {
  const auto milliseconds = [](std::int64_t count) {
    return duration_text(std::chrono::milliseconds(count));
  };
  switch (rule.kind) {
    case Rule::Kind::text:
      return "text";
    case Rule::Kind::integer:
      return "an integer, " + range(rule, [](std::int64_t n) { return std::to_string(n); });
    case Rule::Kind::boolean:
      return "true | false";
    case Rule::Kind::duration:
      return "a duration, " + range(rule, +milliseconds) + " (units ms, s, m, h, d, as in \"10s\")" +
             (rule.can_lack ? ", or \"\"" : "");
    case Rule::Kind::list:
      return "a list of text, not empty";
    case Rule::Kind::choice:
      break;
  }
  std::string result;
  for (const std::string& choice : choices_of(rule.choices))
    result += (result.empty() ? "\"" : " | \"") + choice + "\"";
  return result;
}

std::string_view described(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::text:
      return "text";
    case Node::Kind::integer:
      return "an integer";
    case Node::Kind::number:
      return "a number with a fraction";
    case Node::Kind::boolean:
      return "true or false";
    case Node::Kind::table:
      return "a table";
    case Node::Kind::array:
      return "a list";
    case Node::Kind::other:
      return "a value of another kind";
  }
  return "";
}

std::optional<Duration> parse_duration(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || count < 0) return std::nullopt;
  const std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const Unit& unit : units)
    if (unit.name == name && count <= milliseconds_max / unit.milliseconds)
      return std::chrono::milliseconds(count * unit.milliseconds);
  return std::nullopt;
}

std::string duration_text(Duration duration) {
  const std::int64_t milliseconds = std::chrono::floor<std::chrono::milliseconds>(duration).count();
  if (milliseconds == 0) return "0s";
  for (const Unit& unit : units)
    if (milliseconds % unit.milliseconds == 0)
      return std::to_string(milliseconds / unit.milliseconds) + std::string(unit.name);
  return "";
}

}  // namespace outbox
