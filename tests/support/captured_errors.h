// Standard error of a test's own process, as long as it lives: what the log wrote. Stays in its test.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

namespace outbox::test {

class CapturedErrors {
 public:
  CapturedErrors() : saved_(::dup(2)) {
    const int file = ::open(path().c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(file, 2);
    ::close(file);
  }
  CapturedErrors(const CapturedErrors&) = delete;
  CapturedErrors& operator=(const CapturedErrors&) = delete;
  ~CapturedErrors() {
    ::dup2(saved_, 2);
    ::close(saved_);
  }

  [[nodiscard]] std::string all() const {
    std::ifstream file(path());
    return {std::istreambuf_iterator<char>(file), {}};
  }
  /// Waits for it.
  [[nodiscard]] bool show(const std::string& text) const {
    return eventually([&] { return all().find(text) != std::string::npos; });
  }
  [[nodiscard]] int count(const std::string& text) const {
    const std::string shown = all();
    int found = 0;
    for (auto at = shown.find(text); at != shown.npos; at = shown.find(text, at + 1)) ++found;
    return found;
  }

 private:
  [[nodiscard]] std::string path() const { return directory_ / "log"; }

  TempDir directory_;
  int saved_;
};

}  // namespace outbox::test
