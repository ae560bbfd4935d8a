// One request's head, as bytes: found, checked and cut to what the server uses. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace outbox {

/// Views into the bytes it was read from.
struct RequestHead {
  std::string_view line;           ///< "GET /livez HTTP/1.1"
  std::string_view authorization;  ///< the header's value; empty: none
  std::string_view host;           ///< ditto
  std::string_view content_type;   ///< ditto
  std::size_t content_length = 0;
  bool has_transfer_encoding = false;
  bool has_origin = false;
  bool expects_continue = false;  ///< the client waits for a go-ahead before it sends the body
  bool close = false;             ///< the connection ends with the answer

  [[nodiscard]] bool is_post() const { return line.starts_with("POST "); }
};

/// The length of the head with its blank line; nullopt while it is not complete.
[[nodiscard]] std::optional<std::size_t> head_length(std::string_view bytes);

/// Reads a complete head. nullopt: not HTTP/1.0 or 1.1, or written so that two readers could disagree about
/// it (bare line feeds, control characters, folded lines, spaces before a colon, a header of ours given
/// twice).
[[nodiscard]] std::optional<RequestHead> read_head(std::string_view head);

}  // namespace outbox
