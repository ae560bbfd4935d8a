"""Reads queues with pika. The variant "classic": classic queues instead of quorum queues."""
import queue

import pika

import brokers


class Broker(brokers.Broker):
    name = "amqp"

    def _channel(self):
        return pika.BlockingConnection(pika.URLParameters(self.url + "/%2F")).channel()

    def prepare(self, topics):
        channel = self._channel()
        for topic in topics:
            channel.queue_declare(topic, durable=True, arguments={"x-queue-type": self.variant or "quorum"})
        channel.connection.close()

    def arriving(self, topics, stop):
        channel = self._channel()
        found = queue.SimpleQueue()
        for topic in topics:
            channel.basic_consume(topic, lambda *message: found.put(message), auto_ack=True)
        while not stop.is_set():
            channel.connection.process_data_events(time_limit=0.1)
            while not found.empty():
                _, method, properties, body = found.get()
                fields = {name: str(value) for name, value in (properties.headers or {}).items()}
                attributes, rest = brokers.split_prefix(fields, "cloudEvents_")
                yield brokers.event(attributes, method.routing_key, body, properties.content_type or "", rest)
        channel.connection.close()
