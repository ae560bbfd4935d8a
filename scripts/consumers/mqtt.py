"""Reads topics with mosquitto_sub."""
import subprocess

import brokers


class Broker(brokers.Broker):
    name, programs = "mqtt", ["mosquitto_sub"]
    more = ["max_inflight_messages 1000"]
    reader = None

    def prepare(self, topics):
        """A subscription that stays: without one the broker throws away what is published."""
        subscription = [flag for topic in topics for flag in ("-t", topic)]
        self.reader = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.port), "-V", "5", "-q", "1", "-c", "-i", "reader",
                       "-x", "3600", "-F", "%t\t%C\t%x\t%P", *subscription]
        subprocess.run([*self.reader, "-E"], check=True)

    def arriving(self, topics, stop):
        with brokers.lines_of([self.reader]) as lines:
            for line in brokers.until(stop, lines):
                topic, content_type, payload, properties = line.decode().rstrip("\n").split("\t")
                # Properties are "name:value name:value": enough for the demo's own, which hold no blank.
                fields = dict(pair.split(":", 1) for pair in properties.split(" ") if ":" in pair)
                known = ("id", "source", "specversion", "type", "time", "subject", "partitionkey")
                attributes = {name: value for name, value in fields.items() if name in known}
                rest = {name: value for name, value in fields.items() if name not in known}
                yield brokers.event(attributes, topic, bytes.fromhex(payload), content_type, rest)
