// A small file system of a test's own, to be filled up. Stays in its test.
#pragma once

#include <sys/mount.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temp_dir.h"

namespace outbox::test {

class TinyDisk {
 public:
  explicit TinyDisk(std::size_t bytes = 512 << 10) {
    const std::string options = "size=" + std::to_string(bytes);
    mounted_ = ::mount("tmpfs", path().c_str(), "tmpfs", 0, options.c_str()) == 0;
  }
  TinyDisk(const TinyDisk&) = delete;
  TinyDisk& operator=(const TinyDisk&) = delete;
  ~TinyDisk() {
    if (mounted_) ::umount2(path().c_str(), MNT_DETACH);
  }

  /// False: this process has no right to mount.
  [[nodiscard]] bool is_there() const { return mounted_; }
  [[nodiscard]] std::string path() const { return directory_.path().string(); }

  /// Takes all room but for about `bytes_left`.
  void fill(std::size_t bytes_left = 0) const {
    {
      std::ofstream filler(filler_path(), std::ios::binary);
      const std::string block(4096, 'x');
      while (filler.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
      }
    }
    std::error_code ignored;
    const auto size = std::filesystem::file_size(filler_path(), ignored);
    if (bytes_left > 0 && !ignored && size > bytes_left)
      std::filesystem::resize_file(filler_path(), size - bytes_left, ignored);
  }
  void free() const { std::filesystem::remove(filler_path()); }

 private:
  [[nodiscard]] std::string filler_path() const { return path() + "/filler"; }

  TempDir directory_;
  bool mounted_ = false;
};

}  // namespace outbox::test
