// Lines of outbox_audit: who did what. On the session's thread, in the transaction of what was done.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "adapters/stores/sql/session.h"

namespace outbox::sql {

/// A flat JSON object; what is not set is left out.
class Details {
 public:
  Details& add(std::string_view name, std::int64_t number);
  Details& add(std::string_view name, const std::optional<std::string>& text);
  Details& add(std::string_view name, std::span<const std::int64_t> numbers);  ///< empty: not set

  [[nodiscard]] std::string text() const { return text_ + "}"; }

 private:
  void name(std::string_view name);
  std::string text_ = "{";
};

Result<void> audit(Session& session, const std::string& actor, std::string_view action,
                   const std::optional<std::string>& route, const Details& details);

}  // namespace outbox::sql
