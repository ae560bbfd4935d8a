#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "config/document.h"

namespace outbox {
namespace {

using nlohmann::json;

constexpr std::size_t depth_max = 32;

/// Builds the tree. The library keeps no places of values (from 3.12 it can), but its input tells how far it
/// has read: a token begins at the first character after the one before it that is no blank and no separator.
class Builder : public nlohmann::json_sax<json> {
 public:
  Builder(std::string_view text, std::streambuf& input) : text_(text), input_(input) {}

  bool null() override { return add(Node::Kind::other) != nullptr; }
  bool boolean(bool value) override {
    Node* node = add(Node::Kind::boolean);
    if (node) node->boolean = value;
    return node != nullptr;
  }
  bool number_integer(number_integer_t value) override { return add_integer(value); }
  bool number_unsigned(number_unsigned_t value) override {
    return value <= INT64_MAX ? add_integer(static_cast<std::int64_t>(value))
                              : add(Node::Kind::number) != nullptr;
  }
  bool number_float(number_float_t, const string_t&) override { return add(Node::Kind::number) != nullptr; }
  bool string(string_t& value) override {
    Node* node = add(Node::Kind::text);
    if (node) node->text = value;
    return node != nullptr;
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Node::Kind::table); }
  bool start_array(std::size_t) override { return open(Node::Kind::array); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    name_at_ = take_token();
    name_ = name;
    const auto& members = open_.back()->items;
    if (std::ranges::find(members, name, &Node::name) == members.end()) return true;
    return fail(name_at_, "this name stands twice in the same object");
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    // The library's text quotes what it read last, which may be a secret: only the expectation is passed on.
    const std::string_view what = error.what();
    const auto expected = what.rfind("; expected ");
    return fail(position_in(text_, std::min(position == 0 ? 0 : position - 1, text_.size())),
                expected == std::string_view::npos ? "this is no JSON"
                                                   : "this is no JSON" + std::string(what.substr(expected)));
  }

  Document take() {
    if (document_.problem) document_.root = {};
    return std::move(document_);
  }

 private:
  Position take_token() {
    const std::size_t begin = text_.find_first_not_of(" \t\r\n,:", end_);
    end_ = static_cast<std::size_t>(input_.pubseekoff(0, std::ios::cur, std::ios::in));
    return position_in(text_, std::min(begin, end_));
  }

  bool fail(Position at, std::string text) {
    document_.problem = Document::Problem{at, std::move(text)};
    return false;
  }

  Node* add(Node::Kind kind) {
    const Position at = take_token();
    if (open_.size() >= depth_max) {
      fail(at, "nested too deeply");
      return nullptr;
    }
    Node& node = open_.empty() ? document_.root : open_.back()->items.emplace_back();
    node.kind = kind;
    node.at = at;
    node.name = std::move(name_);
    node.name_at = name_at_;
    name_.clear();
    return &node;
  }

  bool add_integer(std::int64_t value) {
    Node* node = add(Node::Kind::integer);
    if (node) node->integer = value;
    return node != nullptr;
  }

  bool open(Node::Kind kind) {
    Node* node = add(kind);
    if (node) open_.push_back(node);
    return node != nullptr;
  }

  bool close() {
    take_token();
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  std::streambuf& input_;
  std::size_t end_ = 0;  ///< of the token before
  Document document_;
  std::vector<Node*> open_;  // a parent's items do not grow while a child is open: the pointers hold
  std::string name_;
  Position name_at_;
};

}  // namespace

Document parse_json(std::string_view text) {
  std::istringstream input{std::string(text)};
  Builder builder(text, *input.rdbuf());
  json::sax_parse(input, &builder);
  Document document = builder.take();
  if (!document.problem && document.root.kind != Node::Kind::table)
    document.problem = Document::Problem{{1, 1}, "a JSON configuration is one object"};
  return document;
}

}  // namespace outbox
