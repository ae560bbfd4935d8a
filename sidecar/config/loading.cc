#include "config/loading.h"

#include <algorithm>
#include <tuple>

#include "config/checks.h"
#include "core/url.h"

namespace outbox::loading {

std::vector<std::string> Loading::take_faults() {
  std::ranges::stable_sort(faults_, [](const Fault& a, const Fault& b) {
    return std::tie(a.origin.rank, a.origin.at.line, a.origin.at.column, a.origin.label) <
           std::tie(b.origin.rank, b.origin.at.line, b.origin.at.column, b.origin.label);
  });
  std::vector<std::string> result;
  for (const Fault& fault : faults_) result.push_back(fault.origin.label + ": " + fault.problem);
  return result;
}

std::optional<Value> Loading::resolve(const Rule& rule, const Raw& raw) {
  Given given{raw.node, raw.loose, false};
  if (!replace_references(given.node, raw.origin, given.hidden)) return std::nullopt;
  given.loose |= given.hidden;
  Converted converted = convert(rule, given);
  if (converted.problem.empty()) return std::move(converted.value);
  fault(raw.origin, converted.problem);
  return std::nullopt;
}

bool Loading::replace_references(Node& node, const Origin& origin, bool& replaced) {
  bool right = true;
  if (node.kind == Node::Kind::text) {
    Interpolated text = interpolate(node.text, sources.environment);
    for (const std::string& problem : text.problems) fault(origin, problem);
    right = text.problems.empty();
    replaced |= text.replaced;
    node.text = std::move(text.text);
  } else if (node.kind == Node::Kind::array) {
    for (Node& item : node.items) right &= replace_references(item, origin, replaced);
  }
  return right;
}

Origin Loading::file_origin(Position at, const std::string& path) const {
  std::string label = sources.file.value_or("configuration");
  if (at.line > 0) label += ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
  return {Origin::Rank::file, at, path.empty() ? label : label + ": " + path};
}

Origin Loading::whole_origin(const std::string& path) const {
  return {Origin::Rank::whole, {}, sources.file.value_or("configuration") + ": " + path};
}

Raw text_raw(Origin origin, std::string text) {
  Raw raw{std::move(origin), {}, true};
  raw.node.kind = Node::Kind::text;
  raw.node.text = std::move(text);
  return raw;
}

template <class Adapter>
const Adapter* adapter_for(Loading& loading, std::span<const Adapter> adapters, const std::string& url,
                           const Origin& origin) {
  const std::string scheme = scheme_of(url);
  std::vector<std::string> schemes;
  const Adapter* found = nullptr;
  for (const Adapter& adapter : adapters)
    for (const std::string_view known : adapter.schemes) {
      schemes.emplace_back(known);
      if (known == scheme) found = &adapter;
    }
  if (!found) {
    std::string all;
    for (const std::string& known : schemes) all += (all.empty() ? "" : ", ") + known + ":";
    const std::string like = nearest(scheme, schemes);
    loading.fault(origin, (scheme.empty() ? "has no scheme"
                                          : "has the unknown scheme \"" + scheme.substr(0, 20) + "\"") +
                              (like.empty() ? "" : ", did you mean " + like + ":?") + ", allowed: " + all);
    return nullptr;
  }
  if (!found->missing.empty()) {
    loading.fault(origin,
                  std::string(found->name) + " is not part of this build: " + std::string(found->missing));
    return nullptr;
  }
  if (const auto parsed = parse_url(url); !parsed) {
    loading.fault(origin, parsed.error().text);
    return nullptr;
  }
  return found;
}

template const BrokerAdapter* adapter_for(Loading&, std::span<const BrokerAdapter>, const std::string&,
                                          const Origin&);
template const StoreAdapter* adapter_for(Loading&, std::span<const StoreAdapter>, const std::string&,
                                         const Origin&);

}  // namespace outbox::loading
