#include "http/status_json.h"

#include <array>
#include <nlohmann/json.hpp>

#include "core/store.h"
#include "http/names.h"
#include "http/operator_json.h"

namespace outbox {
namespace {

using Json = nlohmann::ordered_json;

Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

template <class Value>
Json by_state(const std::map<std::string, Value>& values) {
  Json all = Json::object();
  for (const std::string_view state : held_states) all[std::string(state)] = Value();
  for (const auto& [state, value] : values) all[state] = value;
  return all;
}

Json failures_of(const RouteStatus& route) {
  Json failures = Json::object();
  for (const Verdict verdict : failing_verdicts)
    failures[std::string(name_of(verdict))] = route.failures[static_cast<std::size_t>(verdict)];
  return failures;
}

Json blocked_keys_of(const RouteStatus& route) {
  Json keys = Json::array();
  for (const BlockedKeyStatus& key : route.blocked_keys) keys.push_back(blocked_key_json(key));
  return keys;
}

Json topics_of(const RouteStatus& route) {
  Json topics = Json::array();
  for (const TopicTroubleStatus& trouble : route.topics)
    topics.push_back({{"topic", trouble.topic},
                      {"reason", trouble.reason},
                      {"since_seconds", trouble.since_seconds},
                      {"waiting", trouble.waiting}});
  return topics;
}

Json leases_of(const RouteStatus& route) {
  Json leases = Json::array();
  for (const LeaseStatus& lease : route.leases)
    leases.push_back(
        {{"shard", lease.shard}, {"owner", lease.owner}, {"epoch", lease.epoch}, {"mine", lease.mine}});
  return leases;
}

Json relay_json(const RelayStatus& relay) {
  Json leases = Json::array();
  for (const RelayStatus::Held& lease : relay.leases)
    leases.push_back({{"route", lease.route}, {"shard", lease.shard}, {"epoch", lease.epoch}});
  const bool is_known = relay.last_seen_seconds.has_value();
  return {{"instance", relay.instance},
          {"me", relay.me},
          {"lives", is_known ? Json(relay.lives) : Json(nullptr)},
          {"last_seen_seconds", is_known ? Json(*relay.last_seen_seconds) : Json(nullptr)},
          {"leases", std::move(leases)}};
}

Json route_json(const RouteStatus& route) {
  Json json = {{"name", route.name},
               {"to", route.to},
               {"state", name_of(route.state)},
               {"reasons", route.reasons},
               {"connected", route.connected},
               {"pending", route.pending},
               {"pending_exact", route.pending_exact},
               {"oldest_pending_age_seconds", route.oldest_pending_age_seconds},
               {"held", by_state(route.held)},
               {"oldest_held_age_seconds", by_state(route.oldest_held_age_seconds)},
               {"blocked_keys", blocked_keys_of(route)},
               {"topics", topics_of(route)},
               {"inflight", route.inflight},
               {"failures", failures_of(route)},
               {"last_error", text_or_null(route.last_error)},
               {"last_error_at", text_or_null(route.last_error_at)},
               {"last_success_at", text_or_null(route.last_success_at)},
               {"leases", leases_of(route)}};
  for (const RouteCounter& counter : route_counters) json[std::string(counter.name)] = route.*counter.value;
  return json;
}

}  // namespace

std::string status_json(const Status& status) {
  Json routes = Json::array();
  for (const RouteStatus& route : status.routes) routes.push_back(route_json(route));
  Json unattended = Json::array();
  for (const UnattendedStatus& route : status.unattended)
    unattended.push_back({{"name", route.name}, {"idle_seconds", route.idle_seconds}});
  Json relays = Json::array();
  for (const RelayStatus& relay : status.relays) relays.push_back(relay_json(relay));
  const Json database = {{"kind", status.database.kind},
                         {"url", status.database.url},
                         {"connected", status.database.connected},
                         {"seen", status.database.seen},
                         {"last_error", text_or_null(status.database.last_error)},
                         {"last_error_at", text_or_null(status.database.last_error_at)}};
  const Json whole = {{"version", status.version},
                      {"instance", status.instance},
                      {"state", status.state},
                      {"reasons", status.reasons},
                      {"started_at", text_or_null(status.started_at)},
                      {"uptime_seconds", status.uptime_seconds},
                      {"database", database},
                      {"routes", routes},
                      {"unattended", unattended},
                      {"relays", relays},
                      {"retention_removed_total", status.retention_removed_total},
                      {"retention_lag_seconds", status.retention_lag_seconds},
                      {"config_reload_success", status.config_reload_success}};
  return json_text(whole);
}

}  // namespace outbox
