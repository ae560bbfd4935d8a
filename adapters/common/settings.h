// Reads checked settings. The configuration has put every key of an adapter's specs there, with its kind.
#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "core/adapter.h"

namespace outbox {

/// T: std::string for text and choice, std::int64_t, bool or Duration.
template <class T>
const T& setting(const Settings& settings, std::string_view key) {
  const auto found = settings.find(key);
  assert(found != settings.end());
  assert(std::holds_alternative<T>(found->second));
  return std::get<T>(found->second);
}

}  // namespace outbox
