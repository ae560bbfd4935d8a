"""Private brokers on free loopback ports, for scripts/demo and tests/bench/run: started, prepared, read, and ended with
the block that uses them. Each is what its package installs, with its data in a directory that the caller gives.

    with BROKERS["redis"](directory) as broker:
        broker.prepare(["order.placed"])
        ... broker.url ...
        for message in broker.arriving(["order.placed"], stop): ...
"""
import base64
import contextlib
import http.server
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

SCRIPTS = os.path.dirname(os.path.abspath(__file__))


class NotInstalled(Exception):
    """Its text names what is missing."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def event(attributes, topic, payload, content_type, headers):
    """One message as the file adapter would have written it."""
    line = dict(attributes, topic=topic, datacontenttype=content_type, headers=headers)
    try:
        return dict(line, data=json.loads(payload))
    except ValueError:
        return dict(line, data_base64=base64.b64encode(payload).decode())


def split_prefix(fields, prefix):
    """CloudEvents attributes, and all the rest."""
    attributes = {name[len(prefix):]: value for name, value in fields.items() if name.startswith(prefix)}
    return attributes, {name: value for name, value in fields.items() if not name.startswith(prefix)}


class Broker:
    """One server process. A subclass says how it is started and read."""
    programs = []  # that must be there
    package = ""  # that brings them

    def __init__(self, directory):
        self.directory, self.port, self.process = directory, free_port(), None
        for program in self.programs:
            if not (shutil.which(program) or os.path.exists(program)):
                raise NotInstalled(f"{program} is not there: scripts/setup installs it (package {self.package})")

    def __enter__(self):
        os.makedirs(self.directory, exist_ok=True)
        command, environment = self.command()
        with open(self.directory + "/log", "wb") as log:
            # A group of its own: with the server ends what it has started.
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.directory, start_new_session=True,
                                            env=dict(os.environ, **environment))
        deadline = time.monotonic() + 60
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                with open(self.directory + "/log", encoding="utf-8", errors="replace") as log:
                    sys.exit(f"{self.programs[0]} did not start:\n{log.read()[-3000:]}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def is_ready(self):
        return answers(self.port)

    def command(self):
        raise NotImplementedError

    def prepare(self, topics):
        """Makes what must be there before anything is published."""

    def arriving(self, topics, stop):
        """What arrives on the topics from the first message on, as events; ends some time after `stop` is set."""
        raise NotImplementedError


class Redis(Broker):
    programs, package = ["redis-server"], "redis-server"

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def command(self):
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.directory, "--save", "",
                "--appendonly", "yes", "--appendfsync", "everysec"], {}

    def is_ready(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
        return False

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
                        attributes, rest = split_prefix({name: value.decode() for name, value in pairs.items()}, "ce_")
                        yield event(attributes, topic.decode(), payload, rest.pop("content-type", ""), rest)

    def _reply(self, answer):
        kind, rest = (line := answer.readline())[:1], line[1:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self._reply(answer) for _ in range(int(rest))]
        if kind == b"$":
            return None if rest == b"-1" else answer.read(int(rest) + 2)[:-2]
        if kind == b"-":
            sys.exit("redis: " + rest.decode())
        return rest


class Kafka(Broker):
    programs, package = ["java", "kcat"], "default-jre-headless, kcat"

    def __init__(self, directory):
        super().__init__(directory)
        self.controller = free_port()
        fetched = subprocess.run([SCRIPTS + "/kafka"], stdout=subprocess.PIPE, text=True, check=False)
        if fetched.returncode != 0:
            raise NotInstalled("Apache Kafka is not there, and scripts/kafka could not fetch it")
        self.jars = fetched.stdout.strip().splitlines()[-1] + "/*"

    @property
    def url(self):
        return f"kafka://127.0.0.1:{self.port}"

    def command(self):
        settings = {
            "process.roles": "broker,controller", "node.id": 1, "log.dirs": self.directory + "/data",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller}", "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}", "inter.broker.listener.name": "PLAINTEXT",
            "offsets.topic.replication.factor": 1, "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1, "num.partitions": 4, "group.initial.rebalance.delay.ms": 0,
        }
        with open(self.directory + "/server.properties", "w", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in settings.items())
        java = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-cp", self.jars]
        subprocess.run([*java, "kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c",
                        self.directory + "/server.properties"], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        return [*java, "kafka.Kafka", self.directory + "/server.properties"], {}

    def is_ready(self):
        with open(self.directory + "/log", "rb") as log:
            return b"Kafka Server started" in log.read() or (
                answers(self.port) and subprocess.run(["kcat", "-L", "-b", f"127.0.0.1:{self.port}", "-m", "1"],
                                                      capture_output=True, check=False).returncode == 0)

    def prepare(self, topics):
        """A consumer that may make topics asks for each; the relay may not."""
        for topic in topics:
            subprocess.run(["kcat", "-b", f"127.0.0.1:{self.port}", "-C", "-t", topic, "-e", "-q", "-X",
                            "allow.auto.create.topics=true"], check=False, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 30
            while b"partition 0" not in subprocess.run(["kcat", "-b", f"127.0.0.1:{self.port}", "-L", "-t", topic],
                                                       capture_output=True, check=False).stdout:
                if time.monotonic() > deadline:
                    sys.exit(f"kafka: topic {topic} was not made")
                time.sleep(0.1)

    def arriving(self, topics, stop):
        with contextlib.ExitStack() as readers:
            lines = queue.Queue()
            for topic in topics:
                # -J would escape what is no UTF-8; the demo's payloads are JSON.
                reader = readers.enter_context(reading(
                    ["kcat", "-b", f"127.0.0.1:{self.port}", "-C", "-t", topic, "-o", "beginning", "-q", "-u", "-J"]))
                threading.Thread(target=pass_on, args=(reader.stdout, lines), daemon=True).start()
            for line in until(stop, lines):
                message = json.loads(line)
                pairs = message["headers"]
                attributes, rest = split_prefix(dict(zip(pairs[::2], pairs[1::2])), "ce_")
                yield event(attributes, message["topic"], (message["payload"] or "").encode(),
                            rest.pop("content-type", ""), rest)


class Rabbitmq(Broker):
    programs, package = ["/usr/lib/rabbitmq/bin/rabbitmq-server"], "rabbitmq-server"
    queue_type = "quorum"

    @property
    def url(self):
        return f"amqp://guest:guest@127.0.0.1:{self.port}"

    def command(self):
        with open(self.directory + "/rabbitmq.conf", "w", encoding="utf-8") as file:
            file.write(f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.console = true\n")
        with open(self.directory + "/plugins", "w", encoding="utf-8") as file:
            file.write("[].")
        environment = {
            "HOME": self.directory, "RABBITMQ_NODENAME": f"outboxd-{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": self.directory + "/data", "RABBITMQ_LOG_BASE": self.directory,
            "RABBITMQ_CONFIG_FILE": self.directory + "/rabbitmq.conf", "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.directory + "/plugins", "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(free_port()), "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
                "+S 2:2 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        }
        # Erlang would start a port mapper that outlives it; one that is there already is used, and ends with the group.
        return ["sh", "-c", f'epmd -port "$ERL_EPMD_PORT" & exec {self.programs[0]}'], environment

    def is_ready(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.sendall(b"AMQP\0\0\x09\x01")
            return connection.recv(1) == b"\x01"
        return False

    def _channel(self):
        try:
            import pika  # pylint: disable=import-outside-toplevel
        except ImportError:
            raise NotInstalled("pika is not there: scripts/setup installs it (package python3-pika)") from None
        return pika.BlockingConnection(pika.URLParameters(self.url + "/%2F")).channel()

    def prepare(self, topics):
        channel = self._channel()
        for topic in topics:
            channel.queue_declare(topic, durable=True, arguments={"x-queue-type": self.queue_type})
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
                attributes, rest = split_prefix(fields, "cloudEvents_")
                yield event(attributes, method.routing_key, body, properties.content_type or "", rest)
        channel.connection.close()


class ClassicRabbitmq(Rabbitmq):
    queue_type = "classic"


class Nats(Broker):
    programs, package = ["nats-server"], "nats-server"

    @property
    def url(self):
        return f"nats://127.0.0.1:{self.port}"

    def command(self):
        with open(self.directory + "/nats.conf", "w", encoding="utf-8") as file:
            file.write(f'listen: 127.0.0.1:{self.port}\njetstream {{ store_dir: "{self.directory}/data" }}\n')
        return ["nats-server", "-c", "nats.conf"], {}

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
                attributes, rest = split_prefix(fields, "ce-")
                attributes = {name: urllib.parse.unquote(value) for name, value in attributes.items()}
                yield event(attributes, subject, payload, attributes.pop("datacontenttype", ""), rest)


class Mosquitto(Broker):
    programs, package = ["mosquitto", "mosquitto_sub"], "mosquitto, mosquitto-clients"

    @property
    def url(self):
        return f"mqtt://127.0.0.1:{self.port}"

    def __init__(self, directory):
        if os.path.exists("/usr/sbin/mosquitto") and not shutil.which("mosquitto"):
            os.environ["PATH"] += ":/usr/sbin"
        super().__init__(directory)
        self.reader = None

    def command(self):
        with open(self.directory + "/mosquitto.conf", "w", encoding="utf-8") as file:
            file.write(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
                       f"persistence_location {self.directory}/\nmax_queued_messages 10000000\nmax_inflight_messages 1000\n"
                       + ("user root\n" if os.geteuid() == 0 else ""))
        return ["mosquitto", "-c", "mosquitto.conf"], {}

    def prepare(self, topics):
        """A subscription that stays: without one the broker throws away what is published."""
        subscription = [flag for topic in topics for flag in ("-t", topic)]
        self.reader = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.port), "-V", "5", "-q", "1", "-c", "-i", "reader",
                       "-x", "3600", "-F", "%t\t%C\t%x\t%P", *subscription]
        subprocess.run([*self.reader, "-E"], check=True)

    def arriving(self, topics, stop):
        with reading(self.reader) as reader:
            lines = queue.Queue()
            threading.Thread(target=pass_on, args=(reader.stdout, lines), daemon=True).start()
            for line in until(stop, lines):
                topic, content_type, payload, properties = line.decode().rstrip("\n").split("\t")
                # Properties are "name:value name:value": enough for the demo's own, which hold no blank.
                fields = dict(pair.split(":", 1) for pair in properties.split(" ") if ":" in pair)
                known = ("id", "source", "specversion", "type", "time", "subject", "partitionkey")
                attributes = {name: value for name, value in fields.items() if name in known}
                rest = {name: value for name, value in fields.items() if name not in known}
                yield event(attributes, topic, bytes.fromhex(payload), content_type, rest)


class Webhook:
    """An HTTP receiver in this process: answers 204 once the message is with the reader."""

    def __init__(self, directory):
        self.directory, self.found = directory, queue.Queue()
        found = self.found

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # pylint: disable=invalid-name
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                found.put((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()

    def prepare(self, topics):
        """Nothing: every path is taken."""

    def arriving(self, topics, stop):
        del topics
        for path, headers, body in until(stop, self.found):
            attributes, _ = split_prefix(headers, "ce-")
            attributes = {name: urllib.parse.unquote(value) for name, value in attributes.items()}
            yield event(attributes, urllib.parse.unquote(path.lstrip("/")), body, headers.get("content-type", ""), {})


@contextlib.contextmanager
def reading(command):
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def pass_on(lines, found):
    for line in lines:
        found.put(line)


def until(stop, found):
    """What is put into the queue, until `stop` is set and the queue is empty."""
    while True:
        try:
            yield found.get(timeout=0.1)
        except queue.Empty:
            if stop.is_set():
                return


BROKERS = {"redis": Redis, "kafka": Kafka, "amqp": Rabbitmq, "amqp-classic": ClassicRabbitmq, "nats": Nats,
           "mqtt": Mosquitto, "http": Webhook}
