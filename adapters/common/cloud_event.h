// The CloudEvents 1.0 attributes of a message, for any protocol. An object belongs to one broker and its
// thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/adapter.h"
#include "core/message.h"

namespace outbox {

inline constexpr std::string_view cloud_events_version = "1.0";

/// Writes dates as RFC 3339 in UTC with microseconds. Rows of one second share all but the last digits.
class TimeText {
 public:
  /// "2026-01-31T23:59:59.000001Z"; valid until the next call. Empty outside of the years 1 to 9999, which
  /// RFC 3339 cannot write; the attribute is optional.
  std::string_view of(Timestamp time);

 private:
  std::int64_t second_ = INT64_MIN;
  bool is_writable_ = false;
  std::array<char, 27> text_{};
};

/// One attribute, named as CloudEvents names it: an adapter adds its protocol's prefix.
struct Attribute {
  std::string_view name;
  std::string_view value;
};

class CloudEvents {
 public:
  CloudEvents(std::string source, Attributes attributes)
      : source_(std::move(source)), attributes_(attributes) {}

  /// In this order: id, source, specversion, type, time, subject, partitionkey; only id with
  /// Attributes::minimal. Left out is what would be empty or cannot be written (is_plain_text); the topic
  /// stands in for such a type. The content type is left to the protocol, which has a place of its own for
  /// it: content_type_of(). Valid until the next call.
  std::span<const Attribute> of(const Message& message);

  /// The same, and none when the row is an event of its own: to readers of CloudEvents' binary mode its
  /// content type means structured mode, where attributes beside the payload are a second id and a second
  /// type.
  std::span<const Attribute> beside_payload(const Message& message);

  [[nodiscard]] const std::string& source() const { return source_; }
  [[nodiscard]] bool is_minimal() const { return attributes_ == Attributes::minimal; }

 private:
  std::string source_;
  Attributes attributes_;
  TimeText time_;
  std::array<Attribute, 7> list_;
};

/// What a receiver that keeps ids knows this message by, in every attempt: its id. A replay has ids of its
/// own, or who keeps them would drop it. Valid as long as the message and `room`.
std::string_view deduplication_id(const Message& message, std::string& room);

/// The row's content type, as it is. Empty: none is sent, for it is empty or not to be written everywhere (a
/// media type is printable ASCII without a blank at an end).
std::string_view content_type_of(const Message& message);

/// Whether it says of the payload that it is an event, or several: "application/cloudevents+json" or alike.
bool is_structured(std::string_view content_type);

/// What a protocol cannot carry as a header. No protocol gets CR, LF or NUL in a name or a value, or an empty
/// name: a row fares alike on every route that takes it.
struct HeaderRules {
  std::span<const std::string_view> reserved_names{};     ///< the protocol's own
  std::span<const std::string_view> reserved_prefixes{};  ///< ditto
  bool ignores_case = false;  ///< reserved names and prefixes are in lower case, and meant in any
  bool is_token =
      false;             ///< as in HTTP: names are tokens, values ASCII that prints and tabs, no outer blanks
  bool is_utf8 = false;  ///< names and values must be valid UTF-8
};

/// Why the row cannot be sent: its own defect, or a header against the rules. Empty: it can. Names the
/// header, never shows its value.
std::string header_fault(const Message& message, const HeaderRules& rules);

}  // namespace outbox
