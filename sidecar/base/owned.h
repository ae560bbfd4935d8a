// Objects of C libraries that are freed with whoever holds them.
#pragma once

#include <memory>

namespace outbox {

template <auto destroy>
struct Destroy {
  template <class Object>
  void operator()(Object* object) const {
    destroy(object);
  }
};

/// `destroy` takes a pointer to the object, and is never given nullptr.
template <class Object, auto destroy>
using Owned = std::unique_ptr<Object, Destroy<destroy>>;

}  // namespace outbox
