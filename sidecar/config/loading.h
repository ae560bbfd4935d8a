// What the steps of load_config share: values with their origin, and the faults found so far. One thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/keys.h"
#include "config/load.h"

namespace outbox::loading {

/// Where a value comes from. Faults are told in this order.
struct Origin {
  enum class Rank { file, environment, flag, whole };
  Rank rank = Rank::whole;
  Position at;
  std::string label;  ///< "orders.toml:3:9: relay.window", "environment: OUTBOXD_RELAY_WINDOW", "--db"
};

struct Raw {
  Origin origin;
  Node node;           ///< as it stands, references not replaced
  bool loose = false;  ///< text may stand for a number
};

/// An environment variable OUTBOXD_ROUTE_<rest>.
struct RouteVariable {
  std::string rest;
  Raw raw;
};

class Loading {
 public:
  explicit Loading(const Sources& given) : sources(given) {}

  void fault(const Origin& origin, const std::string& problem) { faults_.push_back({origin, problem}); }
  [[nodiscard]] bool failed() const { return !faults_.empty(); }
  std::vector<std::string> take_faults();

  /// Replaces references and converts; reports and answers nothing when that fails.
  std::optional<Value> resolve(const Rule& rule, const Raw& raw);

  [[nodiscard]] Origin file_origin(Position at, const std::string& path) const;
  /// For what no source gives: the file, if there is one.
  [[nodiscard]] Origin whole_origin(const std::string& path) const;

  const Sources& sources;
  bool file_unreadable = false;  ///< what is missing may stand in it: not a fault of its own

 private:
  bool replace_references(Node& node, const Origin& origin, bool& replaced);

  struct Fault {
    Origin origin;
    std::string problem;
  };
  std::vector<Fault> faults_;
};

Raw text_raw(Origin origin, std::string text);

/// Checks the URL's scheme and form; the adapter, or nothing after reporting.
template <class Adapter>
const Adapter* adapter_for(Loading& loading, std::span<const Adapter> adapters, const std::string& url,
                           const Origin& origin);

/// The routes from file, variables and the --to flag.
std::vector<RouteConfig> load_routes(Loading& loading, const std::vector<const Node*>& nodes,
                                     const std::vector<RouteVariable>& variables,
                                     const std::optional<Raw>& to_flag, const std::string& source);

}  // namespace outbox::loading
