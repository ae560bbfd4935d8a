#include "http/operator_request.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <span>

#include "base/json_text.h"
#include "base/text.h"
#include "base/timestamp.h"

namespace outbox {
namespace {

using Json = nlohmann::json;
using Names = std::span<const std::string_view>;

constexpr std::array<std::string_view, 7> question_names = {"route", "state", "key",  "topic",
                                                            "seq",   "after", "limit"};
constexpr std::array<std::string_view, 6> order_names = {"route", "seqs",  "filter",
                                                         "all",   "limit", "dry_run"};
constexpr std::array<std::string_view, 3> replay_names = {"from_seq", "from_time", "dry_run"};

constexpr std::size_t rows_max = 1000;
constexpr std::size_t seqs_max = 10'000;

Error wrong(const std::string& text) {
  return {Fault::refused, text};
}

std::string joined(Names names) {
  std::string text;
  for (const std::string_view name : names) ((text += text.empty() ? "" : ", ") += name);
  return text;
}

bool is_among(Names names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

std::optional<HeldState> parse_state(std::string_view text) {
  for (const HeldState state :
       {HeldState::retrying, HeldState::blocked, HeldState::scheduled, HeldState::dead, HeldState::unrouted})
    if (text == name_of(state)) return state;
  return std::nullopt;
}

const Error unknown_state = {Fault::refused, "state: allowed: retrying, blocked, scheduled, dead, unrouted"};

/// What databases take as text.
bool is_text(std::string_view text) {
  return is_utf8(text) && text.find('\0') == text.npos;
}

Result<void> take_parameter(ListRequest& question, const std::string& name, const std::string& value) {
  if (!is_text(value)) return wrong(name + ": is not UTF-8, or holds a zero byte");
  if (name == "route") {
    question.filter.route = value;
  } else if (name == "key") {
    question.filter.key = value;
  } else if (name == "topic") {
    question.filter.topic = value;
  } else if (name == "state") {
    question.filter.state = parse_state(value);
    if (!question.filter.state) return unknown_state;
  } else if (name == "seq") {
    const auto seq = parse_seq(value);
    if (!seq) return wrong("seq: allowed: a whole number; may be repeated");
    question.filter.seqs.push_back(*seq);
  } else if (name == "limit") {
    const auto limit = parse_seq(value);
    if (!limit || *limit < 1 || *limit > static_cast<std::int64_t>(rows_max))
      return wrong("limit: allowed: 1 to " + std::to_string(rows_max));
    question.rows_max = static_cast<std::size_t>(*limit);
  } else {
    const auto colon = value.rfind(':');
    const auto seq =
        colon == std::string::npos ? std::nullopt : parse_seq(std::string_view(value).substr(colon + 1));
    if (!seq) return wrong("after: allowed: route:seq, as in orders:17");
    question.after = ListPlace{value.substr(0, colon), *seq};
  }
  return {};
}

/// The body as an object that has no other names than those allowed.
Result<Json> read_object(std::string_view body, Names allowed) {
  if (body.empty()) return wrong("the body is missing: a JSON object is expected");
  if (is_nested_deeper(body, json_depth_max)) return wrong("the body is nested too deeply");
  Json json;
  try {
    json = Json::parse(body);
  } catch (const Json::exception& error) {
    return wrong(std::string("the body is not valid JSON: ") + error.what());
  }
  if (!json.is_object())
    return wrong(std::string("the body is a JSON ") + json.type_name() + ", allowed: an object");
  for (const auto& [name, value] : json.items())
    if (!is_among(allowed, name)) return wrong("\"" + name + "\" is unknown, allowed: " + joined(allowed));
  return json;
}

Error wrong_kind(const std::string& name, const Json& value, const std::string& allowed) {
  return wrong("\"" + name + "\" is " + (value.is_number() ? "another number" : value.type_name()) +
               ", allowed: " + allowed);
}

Result<std::optional<std::string>> text_of(const Json& object, const std::string& name) {
  const auto found = object.find(name);
  if (found == object.end()) return std::optional<std::string>();
  if (!found->is_string() || !is_text(found->get<std::string>()))
    return wrong_kind(name, *found, "a text without zero bytes");
  return std::optional(found->get<std::string>());
}

Result<bool> flag_of(const Json& object, const std::string& name) {
  const auto found = object.find(name);
  if (found == object.end()) return false;
  if (!found->is_boolean()) return wrong_kind(name, *found, "true, false");
  return found->get<bool>();
}

bool is_seq(const Json& value) {
  return value.is_number_unsigned() && value.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX);
}

Result<void> take_seqs(const Json& object, HeldFilter& filter) {
  const auto found = object.find("seqs");
  if (found == object.end()) return {};
  if (!found->is_array() || found->empty() || found->size() > seqs_max ||
      !std::ranges::all_of(*found, is_seq))
    return wrong_kind("seqs", *found, "an array of 1 to " + std::to_string(seqs_max) + " whole numbers");
  filter.seqs = found->get<std::vector<std::int64_t>>();
  return {};
}

Result<void> take_filter(const Json& object, HeldFilter& filter) {
  const auto found = object.find("filter");
  if (found == object.end()) return {};
  const std::string allowed = "an object with one or more of state, key, topic";
  if (!found->is_object() || found->empty()) return wrong_kind("filter", *found, allowed);
  for (const auto& [name, value] : found->items())
    if (name != "state" && name != "key" && name != "topic")
      return wrong("\"filter." + name + "\" is unknown, allowed: state, key, topic");
  auto key = text_of(*found, "key");
  auto topic = text_of(*found, "topic");
  const auto state = text_of(*found, "state");
  if (!key) return key.error();
  if (!topic) return topic.error();
  if (!state) return state.error();
  filter.key = std::move(*key);
  filter.topic = std::move(*topic);
  if (*state && !(filter.state = parse_state(**state))) return unknown_state;
  return {};
}

/// As in RFC 3339, a date that exists: 2026-01-31T10:00:00.5+01:00. Stricter than what people may type.
bool is_time(std::string_view text) {
  if (!parse_timestamp(text) || text.size() <= 19 || lower(text[10]) != 't' || text[16] != ':') return false;
  const auto zone = text.find_first_of("Zz+-", 19);
  constexpr std::size_t fraction_max = 10;  // with its point
  if (zone == text.npos || zone > 19 + fraction_max || text[19] == ',') return false;
  return text.size() == zone + 1 || (text.size() == zone + 6 && text[zone + 3] == ':');
}

}  // namespace

Result<ListRequest> read_list_request(const QueryParameters& query) {
  ListRequest question;
  for (const auto& [name, value] : query) {
    if (!is_among(question_names, name))
      return wrong("unknown parameter, allowed: " + joined(question_names));
    if (name != "seq" && query.count(name) > 1) return wrong(name + ": is given twice");
    if (auto taken = take_parameter(question, name, value); !taken) return taken.error();
  }
  return question;
}

Result<bool> read_wants_payload(const QueryParameters& query) {
  for (const auto& [name, value] : query)
    if (name != "payload" || (value != "0" && value != "1"))
      return wrong("unknown parameter, allowed: payload=1");
  return query.contains("payload") && query.find("payload")->second == "1";
}

Result<ActionRequest> read_action_request(std::string_view body) {
  const auto json = read_object(body, order_names);
  if (!json) return json.error();
  ActionRequest order;
  auto route = text_of(*json, "route");
  if (!route) return route.error();
  if (!*route || !is_route_name(**route)) return wrong("\"route\" is missing or no name of a route");
  order.filter.route = std::move(*route);
  if (auto taken = take_seqs(*json, order.filter); !taken) return taken.error();
  if (auto taken = take_filter(*json, order.filter); !taken) return taken.error();
  const auto all = flag_of(*json, "all");
  if (!all) return all.error();
  const bool has_filter = !order.filter.seqs.empty() || json->contains("filter");
  if (!*all && !has_filter)
    return wrong(
        "this would change everything that the route holds: say which by \"seqs\" or \"filter\", or \"all\": "
        "true");
  const auto dry_run = flag_of(*json, "dry_run");
  if (!dry_run) return dry_run.error();
  order.dry_run = *dry_run;
  if (const auto limit = json->find("limit"); limit != json->end()) {
    if (!is_seq(*limit) || *limit == 0) return wrong_kind("limit", *limit, "a whole number, at least 1");
    order.rows_max = limit->get<std::int64_t>();
  }
  return order;
}

Result<ReplayRequest> read_replay_request(std::string_view body) {
  const auto json = read_object(body, replay_names);
  if (!json) return json.error();
  ReplayRequest order;
  const auto dry_run = flag_of(*json, "dry_run");
  if (!dry_run) return dry_run.error();
  order.dry_run = *dry_run;
  if (json->contains("from_seq") == json->contains("from_time"))
    return wrong("either \"from_seq\" or \"from_time\" says where it begins");
  if (const auto seq = json->find("from_seq"); seq != json->end()) {
    if (!is_seq(*seq)) return wrong_kind("from_seq", *seq, "a whole number");
    order.from.kind = MarkPlace::Kind::seq;
    order.from.seq = seq->get<std::int64_t>();
    return order;
  }
  const Json& time = (*json)["from_time"];
  if (!time.is_string() || !is_time(time.get<std::string>()))
    return wrong("\"from_time\": allowed: a time as in 2026-01-31T10:00:00Z (RFC 3339)");
  order.from.kind = MarkPlace::Kind::time;
  order.from.time = time.get<std::string>();
  return order;
}

Result<void> read_empty_order(std::string_view body) {
  if (body.empty()) return {};
  const auto json = read_object(body, {});
  if (!json) return json.error();
  return {};
}

std::optional<std::int64_t> parse_seq(std::string_view text) {
  const auto seq = parse_number<std::int64_t>(text);
  return seq && *seq >= 0 ? seq : std::nullopt;
}

bool is_route_name(std::string_view text) {
  return !text.empty() && text.size() <= 63 &&
         std::ranges::all_of(text, [](char c) { return is_alphanumeric(c, "_-"); });
}

}  // namespace outbox
