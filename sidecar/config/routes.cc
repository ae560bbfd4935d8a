#include <algorithm>
#include <cassert>

#include "config/checks.h"
#include "config/loading.h"

namespace outbox::loading {
namespace {

struct SettingInput {
  std::string adapter;
  std::string key;
  Raw raw;
};

struct Draft {
  std::string name;  ///< as written; "main" without one
  Origin origin;
  std::vector<std::optional<Raw>> values{route_keys().size()};
  std::vector<SettingInput> settings;                  ///< later ones win
  std::vector<std::pair<std::string, Origin>> tables;  ///< the adapters' tables of the file

  [[nodiscard]] std::string path(std::string_view key) const {
    return "route." + name + "." + std::string(key);
  }
};

constexpr std::size_t name_place = 0, to_place = 1;  // in route_keys(); asserted in load_routes

std::vector<std::string> adapter_names(const Loading& loading) {
  std::vector<std::string> names;
  for (const BrokerAdapter& adapter : loading.sources.brokers) names.emplace_back(adapter.name);
  return names;
}

void take_adapter_table(Loading& loading, Draft& draft, const Node& table) {
  const std::string path = draft.path(table.name);
  if (table.kind != Node::Kind::table)
    return loading.fault(loading.file_origin(table.at, path),
                         "is " + std::string(described(table.kind)) + ", allowed: a table");
  draft.tables.emplace_back(table.name, loading.file_origin(table.name_at, path));
  const auto adapter = std::ranges::find(loading.sources.brokers, table.name, &BrokerAdapter::name);
  std::vector<std::string> keys;
  for (const SettingSpec& spec : adapter->settings) keys.emplace_back(spec.key);
  for (const Node& node : table.items) {
    const std::string key_path = path + "." + node.name;
    if (std::ranges::find(keys, node.name) == keys.end())
      loading.fault(loading.file_origin(node.name_at, key_path), "unknown key" + suggestion(node.name, keys));
    else
      draft.settings.push_back(
          {table.name, node.name, {loading.file_origin(node.at, key_path), node, false}});
  }
}

Draft draft_of(Loading& loading, const Node& table) {
  Draft draft;
  draft.name = "main";
  for (const Node& node : table.items)
    if (node.name == "name" && node.kind == Node::Kind::text) draft.name = node.text.substr(0, 63);
  draft.origin = loading.file_origin(table.at, draft.path("name"));

  std::vector<std::string> known = adapter_names(loading);
  for (const auto& key : route_keys()) known.emplace_back(key.name);
  for (const Node& node : table.items) {
    const auto key = std::ranges::find(route_keys(), node.name, &Key<RouteConfig>::name);
    if (key != route_keys().end())
      draft.values[static_cast<std::size_t>(key - route_keys().begin())] =
          Raw{loading.file_origin(node.at, draft.path(node.name)), node, false};
    else if (std::ranges::find(known, node.name) != known.end())
      take_adapter_table(loading, draft, node);
    else
      loading.fault(loading.file_origin(node.name_at, draft.path(node.name)),
                    "unknown key" + suggestion(node.name, known));
  }
  return draft;
}

/// Without routes in the file, every OUTBOXD_ROUTE_<NAME>_TO makes one. With some it does not: a slip in a
/// name would make a route that publishes everything once more.
void add_routes_of_variables(std::vector<Draft>& drafts, const std::vector<RouteVariable>& variables) {
  for (const RouteVariable& variable : variables) {
    if (!variable.rest.ends_with("_TO") || variable.rest.size() < 4) continue;
    Draft& draft = drafts.emplace_back();
    draft.name = variable.rest.substr(0, variable.rest.size() - 3);
    std::ranges::transform(draft.name, draft.name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    draft.origin = variable.raw.origin;
    draft.values[name_place] = text_raw(variable.raw.origin, draft.name);
  }
}

/// True when `rest` is a key of the route, or a setting of an adapter: taken.
bool take_variable(Loading& loading, Draft& draft, std::string_view rest, const Raw& raw) {
  const auto keys = route_keys();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i == name_place || environment_name(keys[i].name) != rest) continue;
    draft.values[i] = raw;
    return true;
  }
  for (const BrokerAdapter& adapter : loading.sources.brokers)
    for (const SettingSpec& spec : adapter.settings) {
      if (environment_name(adapter.name) + "_" + environment_name(spec.key) != rest) continue;
      draft.settings.push_back({std::string(adapter.name), std::string(spec.key), raw});
      return true;
    }
  return false;
}

std::vector<std::string> variable_names(const Loading& loading, const std::vector<Draft>& drafts) {
  std::vector<std::string> names;
  for (const Draft& draft : drafts) {
    const std::string prefix = "OUTBOXD_ROUTE_" + environment_name(draft.name) + "_";
    for (const auto& key : route_keys().subspan(to_place))
      names.push_back(prefix + environment_name(key.name));
    for (const BrokerAdapter& adapter : loading.sources.brokers)
      for (const SettingSpec& spec : adapter.settings)
        names.push_back(prefix + environment_name(adapter.name) + "_" + environment_name(spec.key));
  }
  return names;
}

void take_variables(Loading& loading, std::vector<Draft>& drafts,
                    const std::vector<RouteVariable>& variables) {
  for (const RouteVariable& variable : variables) {
    std::vector<std::string> takers;
    for (Draft& draft : drafts) {
      const std::string prefix = environment_name(draft.name) + "_";
      if (!variable.rest.starts_with(prefix)) continue;
      if (take_variable(loading, draft, std::string_view(variable.rest).substr(prefix.size()), variable.raw))
        takers.push_back(draft.name);
    }
    if (takers.size() > 1)
      loading.fault(variable.raw.origin,
                    "fits the routes " + takers[0] + " and " + takers[1] + ", rename one of them");
    if (!takers.empty() || loading.file_unreadable) continue;
    const std::string like = nearest("OUTBOXD_ROUTE_" + variable.rest, variable_names(loading, drafts));
    loading.fault(variable.raw.origin,
                  "names no key of a route" +
                      (like.empty() ? ", allowed: OUTBOXD_ROUTE_<NAME>_<KEY> of a configured route"
                                    : ", did you mean " + like + "?"));
  }
}

void take_to_flag(Loading& loading, std::vector<Draft>& drafts, const Raw& to) {
  if (drafts.empty()) {
    Draft& draft = drafts.emplace_back();
    draft.name = "main";
    draft.origin = to.origin;
  }
  if (drafts.size() == 1) {
    drafts[0].values[to_place] = to;
    return;
  }
  loading.fault(
      to.origin,
      "there are " + std::to_string(drafts.size()) +
          " routes, it is not clear which is meant; allowed: OUTBOXD_ROUTE_<NAME>_TO, or one route");
}

Value fallback_of(const SettingSpec& spec) {
  Given given{{}, true, false};
  given.node.kind = Node::Kind::text;
  given.node.text = spec.fallback;
  Converted converted = convert(rule_of(spec), given);
  assert(converted.problem.empty() &&
         "the default of an adapter's setting does not keep to the setting's own rule");
  return converted.value;
}

SettingValue setting_value(Value value) {
  if (auto* text = std::get_if<std::string>(&value)) return std::move(*text);
  if (auto* number = std::get_if<std::int64_t>(&value)) return *number;
  if (auto* flag = std::get_if<bool>(&value)) return *flag;
  return std::get<Duration>(value);
}

void fill_settings(Loading& loading, const Draft& draft, const BrokerAdapter& adapter, Settings& settings) {
  for (const SettingSpec& spec : adapter.settings)
    settings[std::string(spec.key)] = setting_value(fallback_of(spec));
  for (const auto& [name, origin] : draft.tables)
    if (name != adapter.name)
      loading.fault(origin, "these are settings of another adapter than \"to\" names, allowed: " +
                                (adapter.settings.empty() ? "none" : draft.path(adapter.name)));
  for (auto input = draft.settings.begin(); input != draft.settings.end(); ++input) {
    if (input->adapter != adapter.name) {
      if (input->raw.origin.rank != Origin::Rank::file)  // in the file, its table is the fault
        loading.fault(input->raw.origin, "is a setting of another adapter than \"to\" names");
      continue;
    }
    const auto same_key = [&](const SettingInput& other) {
      return other.adapter == input->adapter && other.key == input->key;
    };
    if (std::any_of(input + 1, draft.settings.end(), same_key)) continue;  // overridden
    const auto spec = std::ranges::find(adapter.settings, input->key, &SettingSpec::key);
    if (auto value = loading.resolve(rule_of(*spec), input->raw))
      settings[input->key] = setting_value(*std::move(value));
  }
}

RouteConfig finish(Loading& loading, const Draft& draft, const std::string& source) {
  RouteConfig route;
  route.name = draft.name;
  bool to_right = false;
  for (std::size_t i = 0; i < draft.values.size(); ++i) {
    if (!draft.values[i]) continue;
    auto value = loading.resolve(route_keys()[i].rule, *draft.values[i]);
    if (!value) continue;
    assign(route, route_keys()[i], *std::move(value));
    to_right |= i == to_place;
  }
  const auto& to = draft.values[to_place];
  if (!to) {
    Origin origin = draft.origin;
    if (origin.rank == Origin::Rank::file) origin = loading.file_origin(origin.at, draft.path("to"));
    loading.fault(origin, "is missing, allowed: a broker URL");
  }
  if (!to_right) return route;
  if (route.to.empty()) {
    loading.fault(to->origin, "is empty, allowed: a broker URL");
    return route;
  }
  const BrokerAdapter* adapter = adapter_for(loading, loading.sources.brokers, route.to, to->origin);
  if (!adapter) return route;
  fill_settings(loading, draft, *adapter, route.settings);
  if (!adapter->open) return route;
  if (const auto broker = adapter->open({route.to, source, route.attributes, route.settings}); !broker)
    loading.fault(to->origin, broker.error().text);
  return route;
}

}  // namespace

std::vector<RouteConfig> load_routes(Loading& loading, const std::vector<const Node*>& nodes,
                                     const std::vector<RouteVariable>& variables,
                                     const std::optional<Raw>& to_flag, const std::string& source) {
  assert(route_keys()[name_place].name == "name" && route_keys()[to_place].name == "to");
  std::vector<Draft> drafts;
  for (const Node* node : nodes) drafts.push_back(draft_of(loading, *node));
  if (drafts.empty() && !loading.file_unreadable) add_routes_of_variables(drafts, variables);
  if (to_flag && !loading.file_unreadable) take_to_flag(loading, drafts, *to_flag);
  take_variables(loading, drafts, variables);

  if (drafts.empty() && loading.sources.routes_required && !loading.file_unreadable)
    loading.fault(loading.whole_origin("route"),
                  "is missing, allowed: at least one [[route]] (or --to, or OUTBOXD_ROUTE_<NAME>_TO)");
  std::vector<RouteConfig> routes;
  for (const Draft& draft : drafts) {
    if (drafts.size() > 1 && !draft.values[name_place])
      loading.fault(draft.origin, "is missing: with several routes each needs its own name");
    const bool again =
        std::ranges::any_of(routes, [&](const RouteConfig& other) { return other.name == draft.name; });
    if (again && draft.values[name_place])
      loading.fault(draft.values[name_place]->origin,
                    "another route has this name, allowed: a name of its own");
    routes.push_back(finish(loading, draft, source));
  }
  return routes;
}

}  // namespace outbox::loading
