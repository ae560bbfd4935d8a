// Owners of nats.c's objects. Each belongs to whoever holds it.
#pragma once

#include <nats/nats.h>

#include <memory>

namespace outbox {

template <auto destroy>
struct NatsDestroy {
  template <class Object>
  void operator()(Object* object) const {
    destroy(object);
  }
};

using NatsOptions = std::unique_ptr<natsOptions, NatsDestroy<natsOptions_Destroy>>;
using NatsHandle = std::unique_ptr<natsConnection, NatsDestroy<natsConnection_Destroy>>;
using NatsSubscription = std::unique_ptr<natsSubscription, NatsDestroy<natsSubscription_Destroy>>;
using NatsMsg = std::unique_ptr<natsMsg, NatsDestroy<natsMsg_Destroy>>;

}  // namespace outbox
