"""The servers that tests/bench/run measures with: private, on free loopback ports, stopped with the block that uses them."""
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
from brokers import NotInstalled, Server, broker, free_port  # pylint: disable=wrong-import-position


def wait_for(condition, what, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"run: {what} within {seconds} s")
        time.sleep(0.05)


def cpu_seconds(pid, with_ended_children=False):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return sum(int(ticks) for ticks in fields[11:15 if with_ended_children else 13]) / os.sysconf("SC_CLK_TCK")


def cpu_of_group(pid):
    """Of the process and of all that it has started: its children, and the rest of its session."""
    pids = {pid}
    for flag in ("-P", "-s"):
        found = subprocess.run(["pgrep", flag, str(pid)], stdout=subprocess.PIPE, text=True, check=False).stdout
        pids.update(int(line) for line in found.split())
    total = 0
    for each in pids:
        with contextlib.suppress(FileNotFoundError):
            total += cpu_seconds(each, with_ended_children=True)
    return total


@contextlib.contextmanager
def child(command, **options):
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


class Postgresql(Server):
    """A server of its own; new_database() makes an empty database and answers its URL."""
    name, count = "postgresql", 0
    stop_signal = signal.SIGQUIT  # nobody asks for the data any more

    def program(self, name):
        return f"{self.directory}/programs/{name}"

    def database(self, database):
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self):
        self.count += 1
        self.ask(self.url, f"CREATE DATABASE bench_{self.count}")
        return self.database(f"bench_{self.count}")

    def ask(self, url, sql):
        return subprocess.run([self.program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", url, "-c", sql], check=True,
                              stdout=subprocess.PIPE, text=True).stdout.strip()

    @contextlib.contextmanager
    def holding(self, url, sql):
        """A session that has run `sql` and stays as it is."""
        psql = [self.program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", url]
        with child(psql, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
            session.stdin.write(sql + ";\n\\echo held\n")
            session.stdin.flush()
            while (line := session.stdout.readline()).strip() != "held":
                if not line:
                    sys.exit(f"run: could not hold: {sql}")
            yield
            if session.poll() is not None:
                sys.exit(f"run: the session did not stay open: {sql}")


@contextlib.contextmanager
def redis_server(directory):
    """Fresh and empty; answers its port."""
    with tempfile.TemporaryDirectory(dir=directory) as data, broker("redis", data) as redis:
        yield redis.port
