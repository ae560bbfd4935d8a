"""Reads a JetStream stream over a plain socket."""
import json
import socket
import sys
import threading
import urllib.parse

import brokers


class Broker(brokers.Broker):
    name = "nats"

    def _connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.sendall(b'CONNECT {"verbose":false,"headers":true}\r\n')
        return connection, connection.makefile("rb")

    def prepare(self, topics):
        stream = json.dumps({"name": "OUTBOX", "subjects": topics, "storage": "file"}).encode()
        self._request("$JS.API.STREAM.CREATE.OUTBOX", stream)

    def _request(self, subject, body):
        connection, answer = self._connect()
        with connection:
            connection.sendall(b"SUB reply 1\r\nPUB %s reply %d\r\n%s\r\n" % (subject.encode(), len(body), body))
            _, _, payload = next(self._messages(connection, answer, threading.Event()))
            if b'"error"' in payload:
                sys.exit(f"nats: {subject}: {payload.decode()}")

    def _messages(self, connection, answer, stop):
        """(subject, headers, payload) until `stop`."""
        while not stop.is_set():
            words = answer.readline().split()
            if words and words[0] == b"PING":
                connection.sendall(b"PONG\r\n")
            if not words or words[0] not in (b"MSG", b"HMSG"):
                continue
            block = answer.read(int(words[-1]) + 2)[:-2]
            head = int(words[-2]) if words[0] == b"HMSG" else 0
            lines = block[:head].decode().split("\r\n")[1:]
            yield words[1].decode(), dict(line.split(":", 1) for line in lines if line), block[head:]

    def arriving(self, topics, stop):
        connection, answer = self._connect()
        with connection:
            connection.sendall(b"SUB arriving 1\r\n")
            consumer = {"stream_name": "OUTBOX",
                        "config": {"deliver_subject": "arriving", "deliver_policy": "all", "ack_policy": "none"}}
            self._request("$JS.API.CONSUMER.CREATE.OUTBOX", json.dumps(consumer).encode())
            threading.Thread(target=lambda: (stop.wait(), connection.shutdown(socket.SHUT_RDWR)), daemon=True).start()
            for subject, headers, payload in self._messages(connection, answer, stop):
                fields = {name: value.strip() for name, value in headers.items() if not name.startswith("Nats-")}
                attributes, rest = brokers.split_prefix(fields, "ce-")
                content_type = attributes.pop("datacontenttype", "")
                attributes = {name: urllib.parse.unquote(value) for name, value in attributes.items()}
                yield brokers.event(attributes, subject, payload, content_type, rest)
