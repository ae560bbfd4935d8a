// One line per broker adapter: the table in adapters/registry.cc is made of these.
#pragma once

#include "core/adapter.h"

namespace outbox {

BrokerAdapter null_adapter();
BrokerAdapter stdout_adapter();
BrokerAdapter file_adapter();
BrokerAdapter redis_adapter();
BrokerAdapter mqtt_adapter();
BrokerAdapter http_adapter();
BrokerAdapter amqp_adapter();
BrokerAdapter nats_adapter();
BrokerAdapter kafka_adapter();

}  // namespace outbox
