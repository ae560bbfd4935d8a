"""Private servers on free loopback ports, for scripts/demo and tests/bench/run: started by scripts/servers/NAME, ended with
the block that uses them. Brokers can be read too, each by its file in scripts/consumers.

    with broker("redis", directory) as redis:
        redis.prepare(["order.placed"])
        ... redis.url ...
        for message in redis.arriving(["order.placed"], stop): ...
"""
import base64
import contextlib
import importlib
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

SCRIPTS = os.path.dirname(os.path.abspath(__file__))


class NotInstalled(Exception):
    """Its text names what is missing."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """What scripts/servers/NAME starts; see common.sh there."""
    name = ""
    more = []  # of its configuration
    stop_signal = signal.SIGKILL

    def __init__(self, directory):
        self.directory, self.ports = directory, [free_port() for _ in range(3)]
        self.port, self.url, self.process = self.ports[0], None, None
        self.launcher = f"{SCRIPTS}/servers/{self.name}"
        asked = subprocess.run([self.launcher, "--check"], stderr=subprocess.PIPE, text=True, check=False)
        if asked.returncode != 0:
            raise NotInstalled(asked.stderr.strip())

    def __enter__(self):
        os.makedirs(self.directory, exist_ok=True)
        command = [self.launcher, self.directory, ",".join(map(str, self.ports)), *self.more]
        with open(self.directory + "/server.log", "wb") as log:
            # A group of its own: with the server ends what it has started. It ends with this program in any case.
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdout=log, stderr=log,
                                            start_new_session=True)
        deadline = time.monotonic() + 60
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                sys.exit(f"{self.name} did not start:\n{self.log()[-3000:]}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, self.stop_signal)
        self.process.wait()

    def log(self):
        with open(self.directory + "/server.log", encoding="utf-8", errors="replace") as log:
            return log.read()

    def is_ready(self):
        first, _, rest = self.log().partition("\n")
        self.url, _, words = first.partition(" ")
        return words != "" and words in rest


class Broker(Server):
    """One that messages are published to. A subclass says how it is read."""
    programs = []  # that read it

    def __init__(self, directory, variant=""):
        super().__init__(directory)
        self.variant = variant
        for program in self.programs:
            if not shutil.which(program):
                raise NotInstalled(f"{program} is not there: scripts/setup installs it")

    def prepare(self, topics):
        """Makes what must be there before anything is published."""

    def arriving(self, topics, stop):
        """What arrives on the topics from the first message on, as events; ends some time after `stop` is set."""
        raise NotImplementedError


def listed():
    """The brokers that can be started and read, in the order of the list."""
    with open(f"{SCRIPTS}/../adapters/brokers/brokers.list", encoding="utf-8") as lines:
        names = [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
    return [name for name in names if os.path.exists(f"{SCRIPTS}/consumers/{name}.py")]


def broker(kind, directory):
    """kind: a name of the list, or NAME-VARIANT."""
    name, _, variant = kind.partition("-")
    try:
        return importlib.import_module("consumers." + name).Broker(directory, variant)
    except ImportError as error:
        raise NotInstalled(f"Python's {error.name} is not there: scripts/setup installs it") from None


# ---- for those who read ----

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


@contextlib.contextmanager
def lines_of(commands):
    """A queue of the lines that the programs write, which are ended with the block."""
    lines, processes = queue.Queue(), [subprocess.Popen(command, stdout=subprocess.PIPE) for command in commands]

    def pass_on(output):
        for line in output:
            lines.put(line)

    for process in processes:
        threading.Thread(target=pass_on, args=(process.stdout,), daemon=True).start()
    try:
        yield lines
    finally:
        for process in processes:
            process.kill()
            process.wait()


def until(stop, found):
    """What is put into the queue, until `stop` is set and the queue is empty."""
    while True:
        try:
            yield found.get(timeout=0.1)
        except queue.Empty:
            if stop.is_set():
                return
