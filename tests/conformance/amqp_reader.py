"""Looks at a RabbitMQ server with pika, as any consumer would, and gives it orders.

amqp_reader.py URL COMMAND [ARGUMENTS...], where COMMAND is one of
  read QUEUE                            takes all messages; one JSON object per line, bytes in base64
  queue NAME TYPE(classic|quorum|transient|transient-exclusive) [ARGUMENT=NUMBER|TEXT...]
                                        makes it anew, empty
  exchange NAME TYPE
  bind QUEUE EXCHANGE ROUTING_KEY
  purge QUEUE, delete-queue NAME, delete-exchange NAME, count QUEUE
Several commands may follow each other, separated by "--".
"""
import base64
import json
import sys

import pika


def as_text(value):
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def read(channel, queue):
    """All that is there now, in the queue's order. Acknowledged, so that nothing comes a second time."""
    while channel.queue_declare(queue, passive=True).method.message_count > 0:
        last = None
        for method, properties, body in channel.consume(queue, inactivity_timeout=0.2):
            if method is None:
                break
            last = method.delivery_tag
            print(json.dumps({
                "exchange": method.exchange,
                "routing_key": method.routing_key,
                "content_type": properties.content_type,
                "delivery_mode": properties.delivery_mode,
                "message_id": properties.message_id,
                "timestamp": properties.timestamp,
                "type": properties.type,
                "headers": {name: as_text(value) for name, value in (properties.headers or {}).items()},
                "body": base64.b64encode(body).decode(),
            }))
        if last is not None:
            channel.basic_ack(last, multiple=True)
        channel.cancel()


def declare_queue(channel, name, kind, *arguments):
    table = {}
    for argument in arguments:
        key, _, value = argument.partition("=")
        table[key] = int(value) if value.isdigit() else value
    if kind == "quorum":
        table["x-queue-type"] = "quorum"
    channel.queue_delete(name)
    channel.queue_declare(name, durable=not kind.startswith("transient"),
                          exclusive=kind == "transient-exclusive", arguments=table)


COMMANDS = {
    "read": read,
    "queue": declare_queue,
    "exchange": lambda channel, name, kind: channel.exchange_declare(name, kind, durable=True),
    "bind": lambda channel, queue, exchange, key: channel.queue_bind(queue, exchange, key),
    "purge": lambda channel, queue: channel.queue_purge(queue),
    "delete-queue": lambda channel, queue: channel.queue_delete(queue),
    "delete-exchange": lambda channel, exchange: channel.exchange_delete(exchange),
    "count": lambda channel, queue: print(channel.queue_declare(queue, passive=True).method.message_count),
}


def main():
    connection = pika.BlockingConnection(pika.URLParameters(sys.argv[1]))
    channel = connection.channel()
    words = sys.argv[2:]
    while words:
        end = words.index("--") if "--" in words else len(words)
        COMMANDS[words[0]](channel, *words[1:end])
        words = words[end + 1:]
    connection.close()


main()
