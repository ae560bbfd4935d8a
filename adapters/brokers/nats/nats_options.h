// The settings as nats.c takes them. Pure but for the files of certificates and credentials.
#pragma once

#include "adapters/brokers/nats/nats_handles.h"
#include "adapters/brokers/nats/nats_settings.h"

namespace outbox {

/// Options for one host, with reconnecting switched off. Reads the files each time, so that renewed ones are
/// taken. Errors: misconfigured, names the setting.
Result<NatsOptions> make_nats_options(const NatsSettings& settings, const Url::Host& host, Duration limit);

/// Why natsConnection_Connect() failed; call it in the same thread. misconfigured: login or certificate were
/// refused; else unavailable. Without the endpoint.
Error nats_connect_error(natsStatus status);

}  // namespace outbox
