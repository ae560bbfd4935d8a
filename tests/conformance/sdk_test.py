#!/usr/bin/python3
"""What outboxd publishes to real brokers, read by the CloudEvents SDKs of Python, Java and JavaScript: sdk_test.py OUTBOXD"""
import asyncio
import base64
import contextlib
import glob
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = HERE + "/../../scripts"
SDKS = subprocess.run([SCRIPTS + "/sdks"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
sys.path[:0] = [SCRIPTS, SDKS + "/python"]

import nats  # noqa: E402
import paho.mqtt.client as paho  # noqa: E402
import pika  # noqa: E402
import redis  # noqa: E402
from cloudevents.core.bindings import amqp, http, kafka, rabbitmq  # noqa: E402
from cloudevents.core.formats.json import JSONFormat  # noqa: E402

from brokers import broker  # noqa: E402

TOPIC = "order.placed"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OWN = {"specversion": "1.0", "id": "own", "source": "/own", "type": "own.event", "subject": "of its own",
       "datacontenttype": "application/json"}

# message_key, type, payload, content_type, headers
ROWS = [
    ("42", "com.example.placed", b'{"order":42}', "application/json", {"traceparent": TRACE}),
    ("Größe 100% \U0001F6D2", "größe", "naïve".encode(), "text/plain; charset=utf-8", {"X-Tenant": "a b%20c"}),
    ("tab\tand\x01more", "placed\n", b"\x00\xff", "application/octet-stream", {}),
    (None, None, json.dumps(dict(OWN, data={"order": 1})).encode(), "application/cloudevents+json", {}),
    ("", "", b"none", " no media type", {}),
]
# To MQTT alone, where each header is an attribute.
MQTT_TOPIC = "order.named"
MQTT_ROW = ("42", "named", b"{}", "application/json", {"tenant": "größe \U0001F6D2", "empty": "", "Größe": "100% 'a b'"})


def rows_of(reader):
    return [*ROWS, MQTT_ROW] if "mqtt" in reader else ROWS


def expected(number, row, reader):
    """Attributes and data of an event, as every reader must find them."""
    key, kind, payload, content_type, headers = row
    is_line = "lines" in reader
    beside = {"python redis": headers, "python nats": {**headers, "Nats-Msg-Id": id_of(number)}}.get(reader, {})
    if content_type.startswith("application/cloudevents") and not (is_line or "redis" in reader):
        return {**OWN, **beside}, {"order": 1}
    attributes = {"id": id_of(number), "source": "/sdks", "specversion": "1.0", "type": TOPIC, **beside}
    if kind and kind.isprintable():
        attributes["type"] = kind
    if key and key.isprintable():
        attributes.update(subject=key, partitionkey=key)
    if not content_type.startswith(" "):
        attributes["datacontenttype"] = content_type
    if "mqtt" in reader:
        attributes.update(headers)
        attributes.update(("refused", f'invalid attribute name: "{name}"') for name in headers if not name.islower())
    if is_line:
        attributes["topic"] = TOPIC
        attributes.update((name, value) for name, value in headers.items() if name.islower())
        if not all(name.islower() for name in headers):
            attributes["headers"] = json.dumps(headers)
    return attributes, json.loads(payload) if "json" in content_type else payload


def id_of(number):
    return f"00000000-0000-4000-8000-{number:012}"


def make_database(outboxd, url):
    subprocess.run([outboxd, "migrate", "up", "--db", url], stdout=subprocess.DEVNULL, check=True)
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:"))) as database, database:
        for number, row in enumerate([*ROWS, MQTT_ROW], 1):
            database.execute("INSERT INTO outbox (id, topic, message_key, type, payload, content_type, headers)"
                             " VALUES (?, ?, ?, ?, ?, ?, ?)",
                             (id_of(number), MQTT_TOPIC if row is MQTT_ROW else TOPIC, *row[:-1], json.dumps(row[-1])))


def publish(outboxd, directory, routes):
    """One route each, in one run."""
    settings = {"database": {"url": f"sqlite:{directory}/shop.db"}, "relay": {"source": "/sdks"}, "http": {"listen": ""},
                "route": [{"name": name, "topics": [TOPIC], **route} for name, route in routes.items()]}
    with open(directory + "/outboxd.json", "w", encoding="utf-8") as file:
        json.dump(settings, file)
    done = subprocess.run([outboxd, "run", "--once", "--config", directory + "/outboxd.json"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    if done.returncode != 0:
        sys.exit(f"outboxd run --once: {done.returncode}\n{done.stdout}")


# ---- Python's SDK ----

def of_python(event):
    attributes = {name: value for name, value in event.get_attributes().items() if name != "time"}
    return attributes, event.get_data()


def queue_of(url, queue, read):
    channel = pika.BlockingConnection(pika.URLParameters(url + "/%2F")).channel()
    while (message := channel.basic_get(queue, auto_ack=True))[0]:
        yield of_python(read(*message[1:]))
    channel.connection.close()


def by_amqp(properties, body):
    found = {} if properties.content_type is None else {"content-type": properties.content_type}
    return amqp.from_amqp(amqp.AMQPMessage(found, properties.headers, body), JSONFormat())


def by_rabbitmq(properties, body):
    return rabbitmq.from_rabbitmq(rabbitmq.RabbitMQMessage(properties.headers, properties.content_type, body),
                                  JSONFormat())


def entries_of(port):
    """By redis-py. There is no binding: names and values are those of Kafka's. With all other fields."""
    for _, entry in redis.Redis(port=port).xrange(TOPIC):
        fields = {name.decode(): value for name, value in entry.items() if name != b"data"}
        attributes, data = of_python(kafka.from_kafka(kafka.KafkaMessage(fields, None, entry[b"data"]), JSONFormat()))
        attributes.update((name, value.decode()) for name, value in fields.items()
                          if not name.startswith(("ce_", "content-type")))
        yield attributes, data


# Messages of HTTP, NATS and MQTT: their headers, content type and body.

def requests_of(record):
    with open(record, encoding="utf-8") as lines:
        for request in map(json.loads, lines):
            if request["method"] == "POST":  # headers as servers in Python take them: Latin-1
                headers = {name.lower(): base64.b64decode(value).decode("latin-1") for name, value in request["headers"]}
                yield headers, headers.get("content-type"), base64.b64decode(request["body"])


def records_of(port):
    """kcat writes "key length, value length, headers' length", a line, and these three."""
    out = subprocess.run(["kcat", "-C", "-q", "-e", "-b", f"127.0.0.1:{port}", "-t", TOPIC, "-o", "beginning",
                          "-f", "%S\n%s%h\x1e\n"], stdout=subprocess.PIPE, check=True).stdout
    while out:
        size, _, rest = out.partition(b"\n")
        value, (headers, _, out) = rest[:int(size)], rest[int(size):].partition(b"\x1e\n")
        pairs = dict(pair.split(b"=", 1) for pair in headers.split(b",") if pair)
        message = kafka.KafkaMessage({name.decode(): value for name, value in pairs.items()}, None, value)
        yield of_python(kafka.from_kafka(message, JSONFormat()))


async def stored_of(url):
    """By nats-py, from JetStream."""
    connection = await nats.connect(url)
    consumer = await connection.jetstream().pull_subscribe(TOPIC)
    found = await consumer.fetch(len(ROWS), timeout=30)
    await connection.close()
    return [(headers := message.headers, headers.get("content-type", headers.get("ce-datacontenttype")), message.data)
            for message in found]


def delivered_of(port):
    """By paho, in the session that the broker has kept the messages for."""
    found = []
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "reader", protocol=paho.MQTTv5)
    client.on_message = lambda _, __, message: found.append(message)
    client.connect("127.0.0.1", port, clean_start=False)
    deadline = time.monotonic() + 30
    while len(found) < len(rows_of("mqtt")) and time.monotonic() < deadline:
        client.loop(0.1)
    client.disconnect()
    return [(dict(getattr(message.properties, "UserProperty", [])), getattr(message.properties, "ContentType", None),
             message.payload) for message in found]


def by_http(headers, _, body):
    return of_python(http.from_http(http.HTTPMessage(headers, body), JSONFormat()))


def by_nats(headers, content_type, body):
    """By HTTP's binding, which is NATS' but for the content type: that must stand there as it is. With all other headers."""
    attributes, data = by_http(headers, content_type, body)
    if "ce-datacontenttype" in headers:
        attributes["datacontenttype"] = content_type
    attributes.update(pair for pair in headers.items() if not pair[0].startswith(("ce-", "content-type")))
    return attributes, data


def lines_of(path):
    with open(path, "rb") as lines:
        for line in lines:
            yield of_python(JSONFormat().read(None, line))


def decoded(attributes):
    """HTTP's, which other SDKs leave to their users."""
    return {name: value if name == "datacontenttype" else urllib.parse.unquote(value) for name, value in attributes.items()}


# ---- Java's SDK ----

def by_java(directory, kafka_port, record, lines):
    jars = glob.glob(SDKS + "/jars/*.jar")
    subprocess.run(["java", "-jar", *(jar for jar in jars if "/ecj-" in jar), "-17", "-nowarn", "-d", directory,
                    "-cp", ":".join(jars), HERE + "/SdkReader.java"], check=True)
    found = {}
    out = subprocess.run(["java", "-XX:+UseSerialGC", "-cp", ":".join([directory, *jars]), "SdkReader",
                          f"127.0.0.1:{kafka_port}", TOPIC, str(len(ROWS)), record, lines],
                         stdout=subprocess.PIPE, check=True, timeout=90).stdout
    for line in map(json.loads, out.splitlines()):
        attributes = {name: value for name, value in line["attributes"].items() if name != "time"}
        if line["from"] == "http":
            attributes = decoded(attributes)
        found.setdefault("java " + line["from"], []).append((attributes, base64.b64decode(line["data"])))
    return found


# ---- JavaScript's SDK ----

def by_javascript(protocol, messages):
    lines = [json.dumps({"headers": headers, "content_type": content_type, "body": base64.b64encode(body).decode()})
             for headers, content_type, body in messages]
    out = subprocess.run([SDKS + "/node/bin/node", HERE + "/sdk_reader.js", protocol], input="\n".join(lines), text=True,
                         env={"NODE_PATH": SDKS + "/node/node_modules"}, stdout=subprocess.PIPE, check=True, timeout=60).stdout
    for line in map(json.loads, out.splitlines()):
        attributes = {name: value for name, value in line["attributes"].items() if name != "time"}
        yield attributes if protocol == "mqtt" else decoded(attributes), base64.b64decode(line["data"])


# ---- what they found ----

def same_data(data, wanted):
    """Each SDK has types of its own for what it takes for text and for JSON."""
    if isinstance(data, str):
        data = data.encode()
    if isinstance(data, bytes) and not isinstance(wanted, bytes):
        data = json.loads(data)
    return data == wanted


def faults(reader, events):
    rows = rows_of(reader)
    if len(events) != len(rows):
        yield f"{len(events)} events of {len(rows)}"
    found = {attributes["id"]: (attributes, data) for attributes, data in events}
    for number, row in enumerate(rows, 1):
        attributes, data = expected(number, row, reader)
        if attributes["id"] not in found:
            yield f"row {number} has not come"
            continue
        seen, seen_data = found[attributes["id"]]
        if "headers" in seen:
            seen["headers"] = json.dumps(json.loads(seen["headers"]))
        if seen != attributes:
            yield f"row {number} has {seen}, not {attributes}"
        if not same_data(seen_data, data):
            yield f"row {number} has the data {seen_data!r}, not {data!r}"


def main():
    outboxd = sys.argv[1]
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="outboxd-sdks-"))
        os.chmod(directory, 0o755)
        rabbit, kafkas, receiver, jetstream, mosquitto, streams = (
            stack.enter_context(broker(name, f"{directory}/{name}"))
            for name in ("amqp", "kafka", "http", "nats", "mqtt", "redis"))
        for server in (rabbit, kafkas, jetstream):
            server.prepare([TOPIC])
        mosquitto.prepare([TOPIC, MQTT_TOPIC])
        channel = pika.BlockingConnection(pika.URLParameters(rabbit.url + "/%2F")).channel()
        channel.exchange_declare("short", "fanout")
        channel.queue_declare("short", durable=True)
        channel.queue_bind("short", "short")
        channel.connection.close()
        make_database(outboxd, f"sqlite:{directory}/shop.db")
        lines = directory + "/events.ndjson"
        publish(outboxd, directory, {
            "amqp": {"to": rabbit.url},
            "rabbitmq": {"to": rabbit.url, "amqp": {"exchange": "short", "attribute_prefix": "ce-"}},
            "kafka": {"to": kafkas.url}, "http": {"to": receiver.url}, "lines": {"to": "file:" + lines},
            "redis": {"to": streams.url}, "nats": {"to": jetstream.url},
            "mqtt": {"to": mosquitto.url, "topics": [TOPIC, MQTT_TOPIC]}})
        record = receiver.directory + "/record"
        requests, stored = list(requests_of(record)), asyncio.run(stored_of(jetstream.url))
        found = {"python amqp": list(queue_of(rabbit.url, TOPIC, by_amqp)),
                 "python rabbitmq": list(queue_of(rabbit.url, "short", by_rabbitmq)),
                 "python kafka": list(records_of(kafkas.port)),
                 "python http": [by_http(*words) for words in requests],
                 "python redis": list(entries_of(streams.port)),
                 "python nats": [by_nats(*words) for words in stored],
                 "python lines": list(lines_of(lines)),
                 "javascript http": list(by_javascript("http", requests)),
                 "javascript nats": list(by_javascript("nats", stored)),
                 "javascript mqtt": list(by_javascript("mqtt", delivered_of(mosquitto.port))),
                 **by_java(directory, kafkas.port, record, lines)}
    failed = [f"{reader}: {fault}" for reader, events in found.items() for fault in faults(reader, events)]
    print("\n".join(failed) or f"{len(ROWS)} rows read alike by {', '.join(found)}")
    missing = {"java kafka", "java http", "java lines"} - set(found)
    return 1 if failed or missing else 0


sys.exit(main())
