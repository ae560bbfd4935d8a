#include "http/operator_json.h"

#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/json_text.h"
#include "base/text.h"

namespace outbox {
namespace {

using Json = nlohmann::ordered_json;

Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

Json text_or_null(const std::optional<std::string>& text) {
  return text ? Json(*text) : Json(nullptr);
}

Json held_array(const std::vector<HeldEntry>& entries) {
  Json array = Json::array();
  for (const HeldEntry& entry : entries) array.push_back(held_json(entry));
  return array;
}

/// A row may hold any JSON, or none: only what can be a message's headers is shown as such.
Json headers_of(const MessageDetails& message) {
  if (message.headers.size() > headers_shown_max) return cut(message.headers);
  Json headers = read_json<Json>(message.headers);
  if (!headers.is_object()) return cut(message.headers);
  for (const auto& [name, value] : headers.items()) {
    if (!value.is_string() || cut(name) != name) return cut(message.headers);
    value = cut(value.get_ref<const std::string&>());
  }
  return headers;
}

}  // namespace

Json blocked_key_json(const BlockedKeyStatus& key) {
  return {{"key", key.key},
          {"seq", key.seq},
          {"id", text_or_null(key.id)},
          {"state", name_of(key.state)},
          {"attempts", key.attempts},
          {"last_error", text_or_null(key.last_error)},
          {"age_seconds", key.age_seconds},
          {"rows", key.rows}};
}

Json held_json(const HeldEntry& entry) {
  return {{"route", entry.route},
          {"seq", entry.seq},
          {"shard", entry.shard},
          {"id", text_or_null(entry.id)},
          {"topic", text_or_null(entry.topic)},
          {"key", text_or_null(entry.key)},
          {"state", name_of(entry.state)},
          {"attempts", entry.attempts},
          {"next_attempt_at", text_or_null(entry.next_attempt_at)},
          {"last_error", text_or_null(entry.last_error)},
          {"held_at", text_or_null(entry.held_at)},
          {"first_failed_at", text_or_null(entry.first_failed_at)},
          {"last_failed_at", text_or_null(entry.last_failed_at)}};
}

Json message_json(const MessageDetails& message, bool with_payload) {
  Json routes = Json::array();
  for (const auto& [route, state] : message.routes) routes.push_back({{"route", route}, {"state", state}});
  Json json = {{"seq", message.seq},
               {"id", message.id},
               {"topic", message.topic},
               {"key", text_or_null(message.key)},
               {"type", text_or_null(message.type)},
               {"content_type", message.content_type},
               {"headers", headers_of(message)},
               {"created_at", text_or_null(message.created_at)},
               {"deliver_at", text_or_null(message.deliver_at)},
               {"payload_bytes", message.payload_bytes},
               {"routes", routes}};
  if (!with_payload) return json;
  if (is_utf8(message.payload)) {
    json["payload"] = message.payload;
    return json;
  }
  std::string base64;
  append_base64(base64, message.payload);
  json["payload_base64"] = base64;
  return json;
}

std::string held_page_text(const std::vector<HeldEntry>& page, bool more) {
  const Json next = more ? Json(page.back().route + ":" + std::to_string(page.back().seq)) : Json(nullptr);
  return json_text({{"held", held_array(page)}, {"next_after", next}});
}

std::string held_row_text(const std::vector<HeldEntry>& entries, const std::optional<MessageDetails>& message,
                          bool with_payload) {
  return json_text({{"held", held_array(entries)},
                    {"message", message ? message_json(*message, with_payload) : Json(nullptr)}});
}

std::string matched_text(const Matched& matched) {
  return json_text({{"matched", matched.matched}, {"changed", matched.changed}});
}

std::string json_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

BlockedKeyStatus blocked_key_status(const BlockedKey& key) {
  return {key.key, key.seq, key.id, key.state, key.attempts, key.last_error, in_seconds(key.age), key.rows};
}

}  // namespace outbox
