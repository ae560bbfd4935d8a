#include "adapters/stores/sql/audit.h"

#include "base/json_text.h"
#include "base/text.h"

namespace outbox::sql {
namespace {

constexpr std::size_t characters_max = 2000;

const Statement line = {"outbox_audit_line", 4,
                        "INSERT INTO {audit} (actor, action, route, details) VALUES ($1, $2, $3, $4::jsonb)"};

}  // namespace

void Details::name(std::string_view name) {
  if (text_.size() > 1) text_ += ", ";
  append_json_string(text_, name);
  text_ += ": ";
}

Details& Details::add(std::string_view name, std::int64_t number) {
  this->name(name);
  text_ += std::to_string(number);
  return *this;
}

Details& Details::add(std::string_view name, const std::optional<std::string>& text) {
  if (!text) return *this;
  this->name(name);
  append_json_string(text_, storable(*text, characters_max));
  return *this;
}

Details& Details::add(std::string_view name, std::span<const std::int64_t> numbers) {
  if (numbers.empty()) return *this;
  this->name(name);
  text_ += '[';
  for (const std::int64_t& number : numbers)
    text_ += (&number == numbers.data() ? "" : ", ") + std::to_string(number);
  text_ += ']';
  return *this;
}

Result<void> audit(Session& session, const std::string& actor, std::string_view action,
                   const std::optional<std::string>& route, const Details& details) {
  const std::string text = details.text();
  auto done = session.run("audit", {&line, {Value::prose(actor), action, route, Value::prose(text)}});
  if (!done) return done.error();
  return {};
}

}  // namespace outbox::sql
