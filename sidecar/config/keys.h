// Every key of the configuration: where it goes, what it allows, its default and its documentation. One table
// per kind of section; the loader, the environment, the flags and the documentation are all made of these.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.h"
#include "config/value.h"

namespace outbox {

template <class Owner>
using Member =
    std::variant<std::string Owner::*, int Owner::*, Duration Owner::*, std::optional<Duration> Owner::*,
                 bool Owner::*, Start Owner::*, Attributes Owner::*, std::vector<std::string> Owner::*>;

template <class Owner>
struct Key {
  std::string_view section;  ///< "relay"; empty within a route
  std::string_view name;     ///< "window"
  Member<Owner> member;      ///< a choice goes to an enum or bool as its place among the choices
  Rule rule;
  std::string_view fallback;  ///< the default as TOML, for the documentation; empty: none
  std::string_view doc;       ///< one line, with the unit

  [[nodiscard]] std::string path() const {
    return section.empty() ? std::string(name) : std::string(section) + "." + std::string(name);
  }
};

std::span<const Key<Config>> config_keys();
std::span<const Key<RouteConfig>> route_keys();

/// Stores a value that was converted by the key's rule.
template <class Owner>
void assign(Owner& owner, const Key<Owner>& key, Value value);

/// As part of an environment variable: upper case, everything but letters and digits as '_'.
std::string environment_name(std::string_view name);

}  // namespace outbox
