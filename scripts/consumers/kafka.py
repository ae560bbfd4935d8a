"""Reads topics with kcat."""
import json
import subprocess
import sys
import time

import brokers


class Broker(brokers.Broker):
    name, programs = "kafka", ["kcat"]
    more = ["num.partitions=4", "auto.create.topics.enable=true"]

    def _kcat(self, *arguments):
        return ["kcat", "-b", f"127.0.0.1:{self.port}", *arguments]

    def prepare(self, topics):
        """A consumer that may make topics asks for each; the relay may not."""
        for topic in topics:
            subprocess.run(self._kcat("-C", "-t", topic, "-e", "-q", "-X", "allow.auto.create.topics=true"), check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 30
            while b"partition 0" not in subprocess.run(self._kcat("-L", "-t", topic), capture_output=True,
                                                       check=False).stdout:
                if time.monotonic() > deadline:
                    sys.exit(f"kafka: topic {topic} was not made")
                time.sleep(0.1)

    def arriving(self, topics, stop):
        # -J would escape what is no UTF-8; the demo's payloads are JSON.
        commands = [self._kcat("-C", "-t", topic, "-o", "beginning", "-q", "-u", "-J") for topic in topics]
        with brokers.lines_of(commands) as lines:
            for line in brokers.until(stop, lines):
                message = json.loads(line)
                pairs = message["headers"]
                attributes, rest = brokers.split_prefix(dict(zip(pairs[::2], pairs[1::2])), "ce_")
                yield brokers.event(attributes, message["topic"], (message["payload"] or "").encode(),
                                    rest.pop("content-type", ""), rest)
