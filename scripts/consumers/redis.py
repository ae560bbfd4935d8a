"""Reads streams over a plain socket."""
import socket
import sys

import brokers


class Broker(brokers.Broker):
    name = "redis"

    def arriving(self, topics, stop):
        places = {topic: "0" for topic in topics}
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            answer = connection.makefile("rb")
            while not stop.is_set():
                words = ["XREAD", "COUNT", "1000", "BLOCK", "100", "STREAMS", *places, *places.values()]
                connection.sendall(b"*%d\r\n" % len(words) + b"".join(
                    b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words))
                for topic, entries in self._reply(answer) or []:
                    for place, fields in entries:
                        places[topic.decode()] = place.decode()
                        pairs = dict(zip((name.decode() for name in fields[::2]), fields[1::2]))
                        payload = pairs.pop("data")
                        attributes, rest = brokers.split_prefix(
                            {name: value.decode() for name, value in pairs.items()}, "ce_")
                        yield brokers.event(attributes, topic.decode(), payload, rest.pop("content-type", ""), rest)

    def _reply(self, answer):
        kind, rest = (line := answer.readline())[:1], line[1:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self._reply(answer) for _ in range(int(rest))]
        if kind == b"$":
            return None if rest == b"-1" else answer.read(int(rest) + 2)[:-2]
        if kind == b"-":
            sys.exit("redis: " + rest.decode())
        return rest
