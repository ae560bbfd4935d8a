#include "base/encoding.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "base/uuid.h"

namespace outbox {
namespace {

using namespace std::string_literals;

std::string base64(std::string_view bytes) {
  std::string text;
  append_base64(text, bytes);
  return text;
}

std::string hex(std::string_view bytes) {
  std::string text;
  append_hex(text, bytes);
  return text;
}

TEST_CASE("base64 is that of RFC 4648") {
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(base64("\xFF\xFE\x00"s) == "//4A");
}

TEST_CASE("base64 and hexadecimal are read back as they were written") {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) {
    bytes += static_cast<char>(byte);
    CHECK(decode_base64(base64(bytes)) == bytes);
    CHECK(decode_hex(hex(bytes)) == bytes);
  }
  CHECK(hex("\x00\xAF"s) == "00af");
  CHECK(decode_hex("aFAf") == "\xAF\xAF");
  for (const char* text : {"Zg", "Zg=", "Zg===", "Z!==", "=Zg=", "Zm9v\n"}) CHECK_FALSE(decode_base64(text));
  for (const char* text : {"a", "0g", "0x", "a a", "aaa"}) CHECK_FALSE(decode_hex(text));
}

TEST_CASE("an attribute in a header line is percent-encoded as CloudEvents has it") {
  const auto encoded = [](std::string_view text) {
    std::string result;
    append_percent_encoded(result, text);
    return result;
  };
  CHECK(encoded("") == "");
  CHECK(encoded("customer-3/a~!'()*") == "customer-3/a~!'()*");
  CHECK(encoded("a b\"c%d") == "a%20b%22c%25d");
  CHECK(encoded("\xE2\x82\xAC\r\n\x7F\0"s) == "%E2%82%AC%0D%0A%7F%00");
}

TEST_CASE("a UUID has one canonical form") {
  CHECK(canonical_uuid("01234567-89AB-cdef-0123-456789abCDEF") == "01234567-89ab-cdef-0123-456789abcdef");
  UuidText text;
  format_uuid("\x01\x23\x45\x67\x89\xAB\xCD\xEF\x01\x23\x45\x67\x89\xAB\xCD\xEF", text);
  CHECK(std::string_view(text.data(), text.size()) == "01234567-89ab-cdef-0123-456789abcdef");
  for (const char* wrong : {"", "0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdeg",
                            "01234567-89ab-cdef-0123-456789abcdef0", "0123456-789ab-cdef-0123-456789abcdef"})
    CHECK_FALSE(canonical_uuid(wrong));
}

}  // namespace
}  // namespace outbox
