#include "base/text.h"
#include "base/encoding.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>

#include "base/json_text.h"

namespace outbox {
namespace {

using namespace std::string_literals;

std::string json_string(std::string_view bytes) {
  std::string text;
  append_json_string(text, bytes);
  return text;
}

TEST_CASE("UTF-8 is taken strictly, wherever the fault stands") {
  for (std::string_view good : {"", "plain", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF",
                                "\xEE\x80\x80", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"})
    for (std::size_t before = 0; before < 17; ++before)
      CHECK(is_utf8(std::string(before, 'a') + std::string(good) + "tail after it"));
  for (std::string_view bad :
       {"\x80", "\xC0\xAF", "\xC1\xBF", "\xC2", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xE2\x82",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF"})
    for (std::size_t before = 0; before < 17; ++before) {
      CHECK(!is_utf8(std::string(before, 'a') + std::string(bad)));
      CHECK(!is_utf8(std::string(before, 'a') + std::string(bad) + "tail after it"));
    }
}

TEST_CASE("every byte but ASCII's printable ones is found, wherever it stands") {
  for (int byte = 0; byte < 256; ++byte)
    for (std::size_t size : {1, 7, 8, 9, 16, 23})
      for (std::size_t at = 0; at < size; ++at) {
        std::string text(size, 'a');
        text[at] = static_cast<char>(byte);
        REQUIRE(is_printable_ascii(text) == (byte >= 0x20 && byte <= 0x7E));
      }
  CHECK(is_printable_ascii(""));
}

TEST_CASE("plain text is UTF-8 without control characters and noncharacters") {
  for (const std::string_view text :
       {"", "a b~", "gr\u00F6\u00DFe", "\xC2\xA0", "\xEF\xB7\x8F", "\xEF\xB7\xB0", "\xEF\xBF\xBD",
        "\xF0\x9F\xBE\xBE", "\xEE\xBF\xBF", "\U0001F6D2"})
    CHECK_MESSAGE(is_plain_text(text), text);
  for (const std::string_view text :
       {std::string_view("\0", 1), std::string_view("\x01"), std::string_view("\t"), std::string_view("\x1F"),
        std::string_view("\x7F"), std::string_view("\xC2\x80"), std::string_view("\xC2\x9F"),
        std::string_view("\xEF\xB7\x90"), std::string_view("\xEF\xB7\xAF"), std::string_view("\xEF\xBF\xBE"),
        std::string_view("\xEF\xBF\xBF"), std::string_view("\xF0\x9F\xBF\xBE"), std::string_view("\xFF"),
        std::string_view("\xC3"), std::string_view("\xED\xA0\x80")}) {
    CHECK(!is_plain_text(text));
    CHECK(!is_plain_text("before " + std::string(text) + " behind"));
  }
}

TEST_CASE("a JSON string reads back as what it was made of") {
  std::string text;
  for (int i = 0; i < 128; ++i) text += static_cast<char>(i);
  text += "gr\u00f6\u00dfe \U0001F6D2";
  CHECK(nlohmann::json::parse(json_string(text)).get<std::string>() == text);
  CHECK(json_string("a\nb") == R"("a\u000ab")");
}

TEST_CASE("JSON is exactly one text") {
  for (const std::string& good :
       {"{}"s, "[]"s, "0"s, "-0.5e+10"s, "1e999"s, "true"s, "null"s, "\"\""s,
        " \t\r\n[ 1 , {\"a\" : [ ] } ] \n"s, R"("\u00e9\ud83d\uded2\"\\\/\b\f\n\r\t")"s,
        std::string(1000, '[') + std::string(1000, ']')})
    CHECK_MESSAGE(is_json(good), good);
  for (const std::string& bad : {""s,
                                 " "s,
                                 "{"s,
                                 "}"s,
                                 "[1,]"s,
                                 "[,1]"s,
                                 "{\"a\":1,}"s,
                                 "{\"a\"}"s,
                                 "{a:1}"s,
                                 "{\"a\" 1}"s,
                                 "01"s,
                                 "1."s,
                                 ".5"s,
                                 "+1"s,
                                 "-"s,
                                 "1e"s,
                                 "NaN"s,
                                 "tru"s,
                                 "truex"s,
                                 "'a'"s,
                                 "\"a"s,
                                 "\"\\x\""s,
                                 "\"\\u12g4\""s,
                                 "\"\\u12"s,
                                 "\"\t\""s,
                                 "{} {}"s,
                                 "[}"s,
                                 "{]"s,
                                 "{}\0"s,
                                 "\xEF\xBB\xBF{}"s,
                                 "\"\xFF\""s,
                                 R"("\ud83d")"s,
                                 R"("\uded2")"s,
                                 R"("\ud83dx")"s,
                                 std::string(1001, '[') + std::string(1001, ']')})
    CHECK_MESSAGE(!is_json(bad), bad);
}

TEST_CASE("JSON is judged as a well-known parser judges it, whatever is broken in it") {
  const std::string whole =
      R"({"a":[1,-2.5e3,true,false,null,"x\u00e9\n\"",{"b":{}},[[]]], "c" : "gr\u00f6","d":{"e":[0,{"f":"\\"}]}})";
  const std::string_view spare = "{}[]\",:\\ 0123456789eE+-.truefalsn\nu\t\x01";
  std::mt19937 random(1);
  const auto below = [&random](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  int valid = 0;
  for (int i = 0; i < 50000; ++i) {
    std::string text = whole;
    for (std::size_t n = below(3) + (i % 4 == 0 ? 0 : 1); n > 0; --n) {
      const std::size_t at = below(text.size());
      switch (below(3)) {
        case 0:
          text.erase(at, 1 + below(3));
          break;
        case 1:
          text.insert(at, 1, spare[below(spare.size())]);
          break;
        default:
          text[at] = spare[below(spare.size())];
          break;
      }
    }
    const bool expected = nlohmann::json::accept(text);
    valid += expected ? 1 : 0;
    REQUIRE_MESSAGE(is_json(text) == expected, text);
  }
  CHECK(valid > 1000);
}

TEST_CASE("foreign JSON is read to a depth of 32; brackets in strings are none") {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  const auto is_read = [](std::string_view text) { return !read_json<nlohmann::json>(text).is_discarded(); };
  CHECK(is_read(nested(32)));
  CHECK_FALSE(is_read(nested(33)));
  CHECK_FALSE(is_read(nested(1'000'000)));
  CHECK_FALSE(is_read(std::string(1'000'000, '[')));
  std::string objects = "1";
  for (int depth = 0; depth < 33; ++depth) objects = "{\"\\\"]\":" + objects + "}";
  CHECK_FALSE(is_read(objects));
  CHECK(is_read(objects.substr(7, objects.size() - 8)));
  CHECK(is_read("[\"" + std::string(1000, '[') + "\\\"{\", " + nested(31) + "]"));
  std::string wide = "[[]";
  for (int i = 0; i < 1000; ++i) wide += ",[]";
  CHECK(is_read(wide + "]"));
  CHECK_FALSE(is_read("[1"));
}

TEST_CASE("a long text is cut after 256 characters and says so") {
  std::string text(256, 'a');
  CHECK(cut(text) == text);
  CHECK(cut(text + "b") == text + "... (cut)");
  std::string umlauts;
  for (int i = 0; i < 257; ++i) umlauts += "ü";
  CHECK(cut(umlauts) == umlauts.substr(0, 512) + "... (cut)");
  CHECK(cut(std::string(257, '\xff')).starts_with(std::string(256, '\xff') + "..."));
  CHECK(cut("").empty());
}

TEST_CASE("a number is the whole text or none") {
  CHECK(parse_number<int>("17") == 17);
  CHECK(parse_number<int>("-17") == -17);
  CHECK(parse_number<unsigned>("ff", 16) == 255U);
  for (const char* text : {"", " 1", "1 ", "+1", "1x", "99999999999"}) CHECK_FALSE(parse_number<int>(text));
  CHECK_FALSE(parse_number<unsigned>("-1"));
}

TEST_CASE("a name is of ASCII's letters, digits, and what it may hold besides") {
  for (const char c : {'a', 'z', 'A', 'Z', '0', '9', '_', '$'}) CHECK(is_alphanumeric(c, "_$"));
  for (const char c : {'@', '[', '`', '{', '/', ':', '\0', '\xC3', '-'})
    CHECK_FALSE(is_alphanumeric(c, "_$"));
}

TEST_CASE("only ASCII's letters have a lower case") {
  CHECK(lower("AZaz09[`{\xC3\x84") == "azaz09[`{\xC3\x84");
  CHECK(same_ignoring_case("Content-TYPE", "content-type"));
  CHECK_FALSE(same_ignoring_case("content-type", "content-types"));
  CHECK_FALSE(same_ignoring_case("[", "{"));
}

TEST_CASE("what is shown to people is one short line of ASCII") {
  CHECK(printable("plain", 10) == "plain");
  CHECK(printable("a\nb\x1b[0m\xC3\xA9", 20) == "a?b?[0m??");
  CHECK(printable("0123456789ab", 10) == "0123456789...");
}

TEST_CASE("a secret is hidden wherever a server repeats it") {
  CHECK(shown_without("s3", "user s3 with s3\nrefused", 40) == "user *** with ***?refused");
  CHECK(shown_without("*", "a*b", 40) == "a***b");
  CHECK(shown_without("", "nothing to hide", 40) == "nothing to hide");
  CHECK(shown_without("secret", "0123456789secret", 10) == "0123456789...");
}

TEST_CASE("what a database is to store is text of limited length") {
  CHECK(storable("plain, ключ, 😀", 100) == "plain, ключ, 😀");
  CHECK(storable(std::string("a\0b", 3), 100) == "a?b");
  CHECK(storable("\xff\xc3(\xe2\x82", 100) ==
        "?"
        "?(?"
        "?");
  CHECK(storable("ключ", 2) == "кл");
  CHECK(storable("", 5).empty());
  CHECK(storable("abc", 0).empty());
}

}  // namespace
}  // namespace outbox
