// Bytes that came as text. Written apart from the product's own, which is what is tested.
#pragma once

#include <string>
#include <string_view>

namespace outbox::test {

std::string from_base64(std::string_view text);
std::string from_hexadecimal(std::string_view text);
/// "%20" is a blank; what is not escaped stays.
std::string from_percent(std::string_view text);

}  // namespace outbox::test
