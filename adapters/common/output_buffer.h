// Bytes on their way out: written once into place, taken from the front. Belongs to one connection and its
// thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace outbox {

class OutputBuffer {
 public:
  /// Room for `size` bytes behind those that wait; valid until the next call.
  char* reserve(std::size_t size) {
    if (capacity_ - end_ < size) make_room(size);
    return data_.get() + end_;
  }
  /// So many of the reserved bytes have been filled.
  void commit(std::size_t size) { end_ += size; }

  void append(std::string_view bytes) {
    std::memcpy(reserve(bytes.size()), bytes.data(), bytes.size());
    commit(bytes.size());
  }

  [[nodiscard]] std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }

  /// The first `size` bytes have gone. Large memory goes back as soon as nothing waits.
  void consume(std::size_t size) {
    begin_ += size;
    if (begin_ < end_) return;
    begin_ = end_ = 0;
    if (capacity_ > kept) release();
  }

  void clear() { consume(end_ - begin_); }

 private:
  static constexpr std::size_t kept = 4 << 20;

  void make_room(std::size_t size) {
    const std::size_t waiting = end_ - begin_;
    if (waiting + size <= capacity_ && begin_ >= capacity_ / 2) {
      std::memmove(data_.get(), data_.get() + begin_, waiting);
    } else {
      const std::size_t capacity = std::max({waiting + size, 2 * capacity_, std::size_t{64} << 10});
      auto grown = std::make_unique_for_overwrite<char[]>(capacity);
      if (waiting > 0) std::memcpy(grown.get(), data_.get() + begin_, waiting);
      data_ = std::move(grown);
      capacity_ = capacity;
    }
    begin_ = 0;
    end_ = waiting;
  }

  void release() {
    data_.reset();
    capacity_ = 0;
  }

  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

}  // namespace outbox
