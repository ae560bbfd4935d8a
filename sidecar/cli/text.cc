#include "cli/text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace outbox::cli {
namespace {

/// Characters, not bytes: continuation bytes of UTF-8 take no room.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](unsigned char byte) { return (byte & 0xC0) != 0x80; }));
}

using Json = nlohmann::ordered_json;

std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return "";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

double number_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

std::string held_text(const Json& route) {
  const auto held = route.find("held");
  if (held == route.end() || !held->is_object()) return "";
  std::string result;
  for (const auto& [state, count] : held->items())
    if (count.is_number() && count.get<double>() > 0)
      result += (result.empty() ? "" : ", ") + count.dump() + " " + state;
  return result.empty() ? "0" : result;
}

std::string owners_text(const Json& route) {
  const auto leases = route.find("leases");
  if (leases == route.end() || !leases->is_array()) return "";
  std::string result;
  for (const Json& lease : *leases) {
    if (!lease.is_object()) continue;
    const bool mine = lease.contains("mine") && lease["mine"] == true;
    const std::string owner = mine ? "this relay" : text_of(lease, "owner");
    if (!result.ends_with(owner) || result.empty())
      result += (result.empty() ? "" : ", ") + (owner.empty() ? "nobody" : owner);
  }
  return result;
}

void append_reasons(std::string& text, const Json& object, const std::string& subject) {
  const auto reasons = object.find("reasons");
  if (reasons == object.end() || !reasons->is_array()) return;
  for (const Json& reason : *reasons)
    if (reason.is_string()) text += "  " + subject + printable(reason.get<std::string>()) + "\n";
}

void append_blocked_keys(std::vector<std::vector<std::string>>& rows, const Json& route) {
  const auto keys = route.find("blocked_keys");
  if (keys == route.end() || !keys->is_array()) return;
  for (const Json& key : *keys)
    if (key.is_object())
      rows.push_back({text_of(route, "name"), text_of(key, "key"), text_of(key, "state"),
                      text_of(key, "rows"), age_text(number_of(key, "age_seconds")), text_of(key, "attempts"),
                      text_of(key, "seq"), text_of(key, "id"), text_of(key, "last_error")});
}

/// "last error, 2026-01-31T10:00:00Z: refused"; empty: there is none.
std::string error_text(const Json& of) {
  const std::string error = text_of(of, "last_error"), at = text_of(of, "last_error_at");
  if (error.empty()) return "";
  return "last error" + (at.empty() ? "" : ", " + printable(at)) + ": " + printable(error);
}

std::string blocked_keys_text(const Json& routes) {
  std::vector<std::vector<std::string>> rows;
  for (const Json& route : routes)
    if (route.is_object()) append_blocked_keys(rows, route);
  if (rows.empty()) return "";
  return "\nkeys that wait for their first row:\n" +
         table({"ROUTE", "KEY", "STATE", "ROWS", "SINCE", "ATTEMPTS", "SEQ", "ID", "LAST ERROR"}, rows);
}

/// The others; of a database with one relay there is nothing to tell.
std::string relays_text(const Json& status) {
  std::string text;
  const auto relays = status.find("relays");
  if (relays == status.end() || !relays->is_array()) return text;
  for (const Json& relay : *relays) {
    if (!relay.is_object() || relay.value("me", false)) continue;
    std::string leases;
    for (const Json& lease : relay.value("leases", Json::array()))
      leases +=
          (leases.empty() ? "" : ", ") + printable(text_of(lease, "route")) + "/" + text_of(lease, "shard");
    text += "other relay: " + printable(text_of(relay, "instance")) +
            (leases.empty() ? ", stands by" : ", holds " + leases);
    if (relay.contains("last_seen_seconds") && relay["last_seen_seconds"].is_number())
      text += ", seen " + age_text(number_of(relay, "last_seen_seconds")) + " ago";
    text += "\n";
  }
  return text;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result(text);
  for (std::size_t i = 0; i < result.size(); ++i) {
    const auto byte = static_cast<unsigned char>(result[i]);
    const bool c1 = byte == 0xC2 && i + 1 < result.size() && static_cast<unsigned char>(result[i + 1]) < 0xA0;
    if (c1) result[i + 1] = '?';
    if (byte < ' ' || byte == 0x7F || c1) result[i] = '?';
  }
  return result;
}

std::string table(const std::vector<std::string>& headings,
                  const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> lines = {headings};
  lines.insert(lines.end(), rows.begin(), rows.end());
  std::vector<std::size_t> widths(headings.size());
  for (auto& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i) {
      line[i] = printable(line[i]);
      widths[i] = std::max(widths[i], width(line[i]));
    }
  std::string result;
  for (const auto& line : lines) {
    std::string text;
    for (std::size_t i = 0; i < line.size(); ++i)
      text += line[i] + std::string(widths[i] - width(line[i]) + 2, ' ');
    text.erase(text.find_last_not_of(' ') + 1);
    result += text + "\n";
  }
  return result;
}

std::string status_text(const Json& status) {
  std::string text = "state:     " + printable(text_of(status, "state")) + "\n";
  append_reasons(text, status, "");
  if (const std::string instance = text_of(status, "instance"); !instance.empty())
    text += "instance:  " + printable(instance) + ", version " + printable(text_of(status, "version")) +
            ", up " + age_text(number_of(status, "uptime_seconds")) + "\n";
  if (const auto database = status.find("database"); database != status.end() && database->is_object()) {
    text += "database:  " + printable(text_of(*database, "url")) +
            (text_of(*database, "connected") == "true" ? ", connected" : ", not connected") + "\n";
    if (const std::string error = error_text(*database); !error.empty()) text += "  " + error + "\n";
  }
  if (const auto unattended = status.find("unattended"); unattended != status.end() && unattended->is_array())
    for (const Json& route : *unattended)
      text += "unattended: no relay has run route " + printable(text_of(route, "name")) + " for " +
              age_text(number_of(route, "idle_seconds")) +
              "; rows that it has not sent are kept for it (outboxd route drop)\n";
  text += relays_text(status);
  const auto routes = status.find("routes");
  if (routes == status.end() || !routes->is_array()) return text;
  std::vector<std::vector<std::string>> rows;
  std::string remarks;
  for (const Json& route : *routes) {
    if (!route.is_object()) continue;
    const std::string about = (text_of(route, "pending_exact") == "false" ? "~" : "");
    rows.push_back({text_of(route, "name"), text_of(route, "state"), about + text_of(route, "pending"),
                    age_text(number_of(route, "oldest_pending_age_seconds")), held_text(route),
                    text_of(route, "sent_total"), text_of(route, "failed_total"), owners_text(route),
                    text_of(route, "to")});
    append_reasons(remarks, route, printable(text_of(route, "name")) + ": ");
    if (const std::string error = error_text(route); !error.empty())
      remarks += "  " + printable(text_of(route, "name")) + ": " + error + "\n";
  }
  return text + "\n" +
         table({"ROUTE", "STATE", "PENDING", "OLDEST", "HELD", "SENT", "FAILED", "LEASE", "TO"}, rows) +
         remarks + blocked_keys_text(*routes);
}

std::string age_text(double seconds) {
  char text[48];
  const auto whole =
      static_cast<long long>(std::isfinite(seconds) && seconds > 0 && seconds < 1e15 ? seconds : 0);
  if (whole < 60)
    std::snprintf(text, sizeof text, "%.1f s", std::isfinite(seconds) ? seconds : 0.0);
  else if (whole < 3600)
    std::snprintf(text, sizeof text, "%lld min %lld s", whole / 60, whole % 60);
  else if (whole < 86400)
    std::snprintf(text, sizeof text, "%lld h %lld min", whole / 3600, whole % 3600 / 60);
  else
    std::snprintf(text, sizeof text, "%lld d %lld h", whole / 86400, whole % 86400 / 3600);
  return text;
}

}  // namespace outbox::cli
