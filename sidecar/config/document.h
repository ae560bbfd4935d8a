// A configuration file as a tree in which every name and value knows its place. Plain data; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outbox {

struct Position {
  int line = 0;    ///< from 1; 0: unknown
  int column = 0;  ///< from 1, in bytes
};

struct Node {
  enum class Kind { text, integer, number, boolean, table, array, other };

  Kind kind = Kind::other;
  std::string text;
  std::int64_t integer = 0;
  bool boolean = false;
  Position at;
  std::vector<Node> items;  ///< of an array; of a table: its members, each with a name

  std::string name;  ///< as a member of a table
  Position name_at;
};

struct Document {
  Node root;  ///< a table; empty when there is a problem
  struct Problem {
    Position at;
    std::string text;  ///< never repeats what the file says: it may be a secret
  };
  std::optional<Problem> problem;
};

Position position_in(std::string_view text, std::size_t offset);

/// JSON when the first character that is not blank is '{', else TOML.
Document parse_document(std::string_view text);

Document parse_json(std::string_view text);

}  // namespace outbox
