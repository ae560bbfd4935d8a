#include "http/bearer.h"

#include <algorithm>
#include <cstddef>

#include "base/text.h"

namespace outbox {
namespace {

bool same_secret(std::string_view given, std::string_view expected) {
  unsigned char difference = given.size() == expected.size() ? 0 : 1;
  for (std::size_t index = 0; index < expected.size(); ++index) {
    const char other = index < given.size() ? given[index] : '\0';
    difference = static_cast<unsigned char>(difference | (expected[index] ^ other));
  }
  return difference == 0;
}

}  // namespace

bool has_bearer(std::string_view authorization, std::string_view token) {
  constexpr std::string_view scheme = "bearer ";
  if (!same_ignoring_case(authorization.substr(0, scheme.size()), scheme)) return false;
  authorization.remove_prefix(scheme.size());
  authorization.remove_prefix(std::min(authorization.find_first_not_of(' '), authorization.size()));
  return same_secret(authorization, token);
}

}  // namespace outbox
