// A message as NATS carries it, with CloudEvents headers. Belongs to one broker and its thread.
#pragma once

#include <string>
#include <string_view>

#include "adapters/brokers/nats/nats_handles.h"
#include "adapters/common/cloud_event.h"

namespace outbox {

class NatsMessageMaker {
 public:
  NatsMessageMaker(std::string source, Attributes attributes) : events_(std::move(source), attributes) {}

  /// Why the message cannot be carried; empty: it can.
  static std::string fault(const Message& message);

  /// Precondition: no fault.
  NatsMsg make(const Message& message, const std::string& reply);

 private:
  void set(natsMsg* to, std::string_view name, std::string_view value);
  void set_encoded(natsMsg* to, std::string_view name, std::string_view value);

  CloudEvents events_;
  std::string topic_, name_, value_,
      deduplication_id_;  // nats.c takes text that ends in NUL: memory that is used again
};

}  // namespace outbox
