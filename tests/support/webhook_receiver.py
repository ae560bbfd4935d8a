#!/usr/bin/env python3
"""A webhook receiver for tests: HTTP/1.1 with keep-alive, a thread per connection, the standard library alone.

Every request is one line of JSON in --record, written before it is answered. What it answers is told by --rules, a JSON
file that is read for each request: the first rule whose method and path prefix fit; without one, 204 at once.
"""
import argparse
import base64
import itertools
import json
import os
import socket
import socketserver
import ssl
import threading
import time

parallel = 0
parallel_lock = threading.Lock()
connections = itertools.count(1)


def rule_for(rules_file, method, path):
    try:
        with open(rules_file, encoding="utf-8") as file:
            rules = json.load(file)
    except FileNotFoundError:
        rules = []
    for rule in rules:
        if method == rule.get("method", "POST") and path.startswith(rule.get("path", "/")):
            return rule
    return {}


class Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    rbufsize = 1 << 16

    def setup(self):
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self):
        self.number = next(connections)
        while self.one_request():
            pass

    def one_request(self):
        global parallel
        line = self.rfile.readline()
        if not line:
            return False
        method, path, _ = line.decode("latin-1").rstrip("\r\n").split(" ", 2)
        headers = []
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            name, value = line.rstrip(b"\r\n").split(b":", 1)
            headers.append((name.decode("latin-1"), value.strip(b" \t")))
        known = {name.lower(): value for name, value in headers}
        size = int(known.get("content-length", b"0"))
        if rule_for(self.server.options.rules, method, path).get("way") == "early":
            self.wfile.write(b"HTTP/1.1 200 Because\r\nContent-Length: 0\r\n\r\n")
            return False
        body = self.rfile.read(size)
        if len(body) < size:
            return False
        with parallel_lock:
            parallel += 1
        try:
            rule = rule_for(self.server.options.rules, method, path)
            status = self.status(rule, method, known, body)
            self.record(method, path, headers, body, status)
            return self.answer(rule, status)
        finally:
            with parallel_lock:
                parallel -= 1

    def record(self, method, path, headers, body, status):
        record = {"method": method, "path": path, "status": status, "connection": self.number, "parallel": parallel,
                  "headers": [[name, base64.b64encode(value).decode()] for name, value in headers],
                  "body": base64.b64encode(body).decode()}
        os.write(self.server.record, (json.dumps(record) + "\n").encode())

    def status(self, rule, method, headers, body):
        options = self.server.options
        if options.authorization and method == "POST":
            if headers.get("authorization", b"").decode("latin-1") != options.authorization:
                return 401
        if options.body_max and len(body) > options.body_max:
            return 413
        return rule.get("status", 204)

    def answer(self, rule, status):
        time.sleep(rule.get("delay", 0))
        text = rule.get("body", "").encode()
        head = f"HTTP/1.1 {status} Because\r\n"
        for name, value in rule.get("headers", {}).items():
            head += f"{name}: {value}\r\n"
        way = rule.get("way", "whole")
        if way == "hangs":
            threading.Event().wait()
        if way == "cuts":
            return False
        if way == "half head":
            self.wfile.write(head[: len(head) // 2].encode())
            return False
        if way == "open head":  # whole lines, but not the empty one
            self.wfile.write(head.encode())
            return False
        if way == "half body":
            self.wfile.write((head + "Content-Length: 100\r\n\r\nhalf").encode())
            return False
        if way == "endless":
            self.wfile.write((head + "\r\n").encode())
            while True:
                self.wfile.write(b"x" * 65536)
        if status != 204:
            head += f"Content-Length: {len(text)}\r\n"
        self.wfile.write((head + "\r\n").encode() + text)
        return True


class Receiver(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        pass  # a connection that was cut; the test knows

    def shutdown_request(self, request):
        try:
            request.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self.close_request(request)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--record", required=True)
    parser.add_argument("--rules", required=True)
    parser.add_argument("--authorization", default="")
    parser.add_argument("--body-max", type=int, default=0)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--client-authority")
    options = parser.parse_args()
    server = Receiver(("127.0.0.1", options.port), Connection)
    server.options = options
    server.record = os.open(options.record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    server.tls = None
    if options.certificate:
        server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.tls.load_cert_chain(options.certificate, options.key)
        if options.client_authority:
            server.tls.verify_mode = ssl.CERT_REQUIRED
            server.tls.load_verify_locations(options.client_authority)
    server.serve_forever()


main()
