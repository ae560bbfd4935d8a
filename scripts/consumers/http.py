"""Reads what the receiver writes down before it answers."""
import base64
import json
import urllib.parse

import brokers


class Broker(brokers.Broker):
    name = "http"

    def arriving(self, topics, stop):
        with brokers.lines_of([["tail", "-n", "+1", "-F", self.directory + "/record"]]) as lines:
            for line in brokers.until(stop, lines):
                request = json.loads(line)
                if request["method"] != "POST":
                    continue
                headers = {name.lower(): base64.b64decode(value).decode() for name, value in request["headers"]}
                attributes, _ = brokers.split_prefix(headers, "ce-")
                attributes = {name: urllib.parse.unquote(value) for name, value in attributes.items()}
                yield brokers.event(attributes, urllib.parse.unquote(request["path"].lstrip("/")),
                                    base64.b64decode(request["body"]), headers.get("content-type", ""), {})
