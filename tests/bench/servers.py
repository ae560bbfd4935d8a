"""The servers that tests/bench/run measures with: private, on free loopback ports, stopped with the block that uses them."""
import contextlib
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
from brokers import BROKERS, NotInstalled, free_port  # pylint: disable=wrong-import-position


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
def child(command, stop=signal.SIGTERM, **options):
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(stop)
            process.wait(60)


class Postgresql:
    """A server of its own; new_database() makes an empty database and answers its URL."""

    def __init__(self, directory):
        self.directory, self.port = directory, free_port()
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
        if not programs:
            sys.exit("run: no PostgreSQL below /usr/lib/postgresql: scripts/setup installs it")
        self.programs, self.count, self.process = programs[-1], 0, None

    def _server_command(self, *command):
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.geteuid() == 0 else []
        return [*user, os.path.join(self.programs, command[0]), *command[1:]]

    @contextlib.contextmanager
    def running(self):
        os.makedirs(self.directory)
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")
        subprocess.run(self._server_command("initdb", "-D", self.directory + "/data", "-U", "postgres", "-A", "trust",
                                            "-E", "UTF8", "--locale=C.UTF-8"), check=True, cwd=self.directory,
                       stdout=subprocess.DEVNULL)
        command = self._server_command("postgres", "-D", self.directory + "/data", "-c", f"port={self.port}",
                                       "-c", "listen_addresses=127.0.0.1",
                                       "-c", f"unix_socket_directories={self.directory}")
        with open(self.directory + "/log", "wb") as log:
            with child(command, stop=signal.SIGINT, stdout=log, stderr=log, cwd=self.directory) as self.process:
                ready = [self.programs + "/pg_isready", "-q", "-d", self.url("postgres")]
                wait_for(lambda: subprocess.run(ready, check=False).returncode == 0, "PostgreSQL did not start")
                yield self

    def url(self, database):
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self):
        self.count += 1
        self.ask(self.url("postgres"), f"CREATE DATABASE bench_{self.count}")
        return self.url(f"bench_{self.count}")

    def ask(self, url, sql):
        return subprocess.run([self.programs + "/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", url, "-c", sql], check=True,
                              stdout=subprocess.PIPE, text=True).stdout.strip()

    @contextlib.contextmanager
    def holding(self, url, sql):
        """A session that has run `sql` and stays as it is."""
        psql = [self.programs + "/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", url]
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
    with tempfile.TemporaryDirectory(dir=directory) as data, BROKERS["redis"](data) as redis:
        yield redis.port
