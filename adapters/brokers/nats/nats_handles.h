// Owners of nats.c's objects. Each belongs to whoever holds it.
#pragma once

#include <nats/nats.h>

#include "base/owned.h"

namespace outbox {

using NatsOptions = Owned<natsOptions, natsOptions_Destroy>;
using NatsHandle = Owned<natsConnection, natsConnection_Destroy>;
using NatsSubscription = Owned<natsSubscription, natsSubscription_Destroy>;
using NatsMsg = Owned<natsMsg, natsMsg_Destroy>;

}  // namespace outbox
