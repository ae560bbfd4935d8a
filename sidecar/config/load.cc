#include "config/load.h"

#include <algorithm>

#include "base/address.h"
#include "config/checks.h"
#include "config/loading.h"
#include "config/value.h"

namespace outbox {
namespace {

using loading::Loading;
using loading::Origin;
using loading::Raw;
using loading::RouteVariable;

constexpr std::string_view variable_prefix = "OUTBOXD_";

/// Every value given for a key of config_keys(), by its place there; the route's beside them.
struct Inputs {
  std::vector<std::optional<Raw>> values{config_keys().size()};
  std::vector<bool> right =
      std::vector<bool>(config_keys().size());  ///< given, and as the key's rule wants it
  std::vector<const Node*> routes;
  std::vector<RouteVariable> route_variables;
  std::optional<Raw> to_flag;
};

std::vector<std::string> all_paths() {
  std::vector<std::string> paths;
  for (const auto& key : config_keys()) paths.push_back(key.path());
  return paths;
}

std::optional<std::size_t> key_index(std::string_view path) {
  const auto keys = config_keys();
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (keys[i].path() == path) return i;
  return std::nullopt;
}

void take_section(Loading& loading, Inputs& inputs, const Node& section) {
  if (section.kind != Node::Kind::table)
    return loading.fault(loading.file_origin(section.at, section.name),
                         "is " + std::string(described(section.kind)) + ", allowed: a table");
  for (const Node& node : section.items) {
    const std::string path = section.name + "." + node.name;
    if (const auto index = key_index(path)) {
      inputs.values[*index] = Raw{loading.file_origin(node.at, path), node, false};
      continue;
    }
    std::vector<std::string> names;
    for (const auto& key : config_keys())
      if (key.section == section.name) names.emplace_back(key.name);
    const bool alike = !nearest(node.name, names).empty();
    const auto elsewhere = std::ranges::find(config_keys(), node.name, &Key<Config>::name);
    const std::string hint = !alike && elsewhere != config_keys().end()
                                 ? ", did you mean " + elsewhere->path() + "?"
                                 : suggestion(node.name, names);
    loading.fault(loading.file_origin(node.name_at, path), "unknown key" + hint);
  }
}

void take_routes(Loading& loading, Inputs& inputs, const Node& node) {
  if (node.kind != Node::Kind::array)
    return loading.fault(
        loading.file_origin(node.at, "route"),
        "is " + std::string(described(node.kind)) + ", allowed: a list of tables, each written [[route]]");
  for (const Node& item : node.items) {
    if (item.kind == Node::Kind::table)
      inputs.routes.push_back(&item);
    else
      loading.fault(loading.file_origin(item.at, "route"),
                    "is " + std::string(described(item.kind)) + ", allowed: a table");
  }
}

void take_file(Loading& loading, Inputs& inputs, const Node& root) {
  std::vector<std::string> sections = {"route"};
  for (const auto& key : config_keys())
    if (std::ranges::find(sections, key.section) == sections.end()) sections.emplace_back(key.section);
  for (const Node& node : root.items) {
    if (node.name == "route")
      take_routes(loading, inputs, node);
    else if (std::ranges::find(sections, node.name) != sections.end())
      take_section(loading, inputs, node);
    else {
      const auto within = std::ranges::find(config_keys(), node.name, &Key<Config>::name);
      const std::string hint = node.kind != Node::Kind::table && within != config_keys().end()
                                   ? ", did you mean " + within->path() + "?"
                                   : suggestion(node.name, sections);
      loading.fault(loading.file_origin(node.name_at, node.name), "unknown key" + hint);
    }
  }
}

/// Kubernetes puts the address of a service that is called outboxd into such variables of every pod.
bool is_service_link(std::string_view rest) {
  return rest == "PORT" || rest.starts_with("PORT_") || rest == "SERVICE_HOST" || rest == "SERVICE_PORT" ||
         rest.starts_with("SERVICE_PORT_");
}

void take_environment(Loading& loading, Inputs& inputs) {
  std::vector<std::string> names;
  for (const auto& key : config_keys()) names.push_back(environment_name(key.path()));
  for (const auto& [variable, value] : loading.sources.environment) {
    if (!variable.starts_with(variable_prefix) || variable == config_file_variable) continue;
    const std::string rest = variable.substr(variable_prefix.size());
    Raw raw = loading::text_raw({Origin::Rank::environment, {}, "environment: " + variable}, value);
    if (const auto found = std::ranges::find(names, rest); found != names.end())
      inputs.values[static_cast<std::size_t>(found - names.begin())] = std::move(raw);
    else if (rest.starts_with("ROUTE_"))
      inputs.route_variables.push_back({rest.substr(6), std::move(raw)});
    else if (!is_service_link(rest)) {
      const std::string like = nearest(rest, names);
      loading.fault(raw.origin,
                    "unknown variable" +
                        (like.empty() ? ", allowed: OUTBOXD_<SECTION>_<KEY>, OUTBOXD_ROUTE_<NAME>_<KEY>"
                                      : ", did you mean OUTBOXD_" + like + "?"));
    }
  }
}

void take_flags(Loading& loading, Inputs& inputs) {
  for (const Flag& flag : loading.sources.flags) {
    Raw raw = loading::text_raw({Origin::Rank::flag, {}, flag.name}, flag.value);
    if (flag.key == "route.to")
      inputs.to_flag = std::move(raw);
    else if (const auto index = key_index(flag.key))
      inputs.values[*index] = std::move(raw);
    else
      loading.fault(raw.origin, "unknown key" + suggestion(flag.key, all_paths()));
  }
}

/// Where a key's value comes from, for rules that concern several keys.
Origin origin_of(const Loading& loading, const Inputs& inputs, std::string_view path) {
  const auto& value = inputs.values[*key_index(path)];
  return value ? value->origin : loading.whole_origin(std::string(path));
}

void check_database(Loading& loading, const Inputs& inputs, const Config& config) {
  const Origin origin = origin_of(loading, inputs, "database.url");
  if (config.database_url.empty()) {
    const std::size_t place = *key_index("database.url");
    if (inputs.right[place]) loading.fault(origin, "is empty, allowed: a database URL");
    if (!inputs.values[place] && loading.sources.database_required && !loading.file_unreadable)
      loading.fault(origin, "is missing, allowed: a database URL (or --db, or OUTBOXD_DATABASE_URL)");
    return;
  }
  const StoreAdapter* adapter =
      loading::adapter_for(loading, loading.sources.stores, config.database_url, origin);
  if (!adapter || !adapter->open_store) return;
  if (const auto store = adapter->open_store({config.database_url, config.table}); !store)
    loading.fault(origin, store.error().text);
}

void check_together(Loading& loading, const Inputs& inputs, const Config& config) {
  if (config.backoff_min > config.backoff_max)
    loading.fault(origin_of(loading, inputs, "retry.backoff_max"),
                  "is less than retry.backoff_min, allowed: at least " + duration_text(config.backoff_min));
  const auto listen = parse_listen(config.http_listen);
  const std::size_t token = *key_index("http.token");
  const bool token_wrong = inputs.values[token] && !inputs.right[token];  // told already
  if (listen && !is_loopback(listen->host) && config.http_token.empty() && !token_wrong)
    loading.fault(origin_of(loading, inputs, "http.listen"),
                  "another address than loopback needs http.token, allowed: 127.0.0.1:port without one");
}

}  // namespace

Loaded load_config(const Sources& sources) {
  Loading loading(sources);
  Inputs inputs;
  Document document;
  if (sources.file) {
    const FileContent file = read_file(*sources.file);
    if (file.problem.empty()) document = parse_document(file.content);
    if (!file.problem.empty()) loading.fault(loading.file_origin({}, ""), file.problem);
    if (document.problem)
      loading.fault(loading.file_origin(document.problem->at, ""), document.problem->text);
    loading.file_unreadable = loading.failed();
    take_file(loading, inputs, document.root);
  }
  take_environment(loading, inputs);
  take_flags(loading, inputs);

  Loaded loaded;
  Config& config = loaded.config;
  for (std::size_t i = 0; i < inputs.values.size(); ++i) {
    if (!inputs.values[i]) continue;
    const auto& key = config_keys()[i];
    auto value = loading.resolve(key.rule, *inputs.values[i]);
    if (!value) continue;
    assign(config, key, *std::move(value));
    inputs.right[i] = true;
  }
  check_database(loading, inputs, config);
  check_together(loading, inputs, config);
  if (config.source.empty()) config.source = default_source(config.database_url);
  config.routes = load_routes(loading, inputs.routes, inputs.route_variables, inputs.to_flag, config.source);
  loaded.faults = loading.take_faults();
  return loaded;
}

}  // namespace outbox
