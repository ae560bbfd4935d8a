// ${NAME} and ${file:/path} inside string values.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace outbox {

using Environment = std::map<std::string, std::string, std::less<>>;

struct Interpolated {
  std::string text;
  bool replaced = false;              ///< something came from elsewhere: never show the text
  std::vector<std::string> problems;  ///< each says which reference cannot be replaced, and why
};

/// Replaces once: what is put in is not looked at again. `$${` stands for `${`. A file's last line end is cut
/// off.
Interpolated interpolate(std::string_view text, const Environment& environment);

/// The content of a file, or why it cannot be read. At most 1 MiB.
struct FileContent {
  std::string content;
  std::string problem;
};
FileContent read_file(const std::string& path);

}  // namespace outbox
