"""The mode `brokers` of tests/bench/run: each broker with a bare loop of its client library, with outboxd from memory,
with outboxd from PostgreSQL, with one key only, and at 1,000 messages a second."""
import contextlib
import os
import statistics
import subprocess
import tempfile

from servers import NotInstalled, broker, child, cpu_of_group, free_port

# By the kind for scripts/brokers.py: the name in the table, the bare program's way beside the common arguments, and how many
# messages: a million, or what takes about half a minute. One key is one message at a time but for Kafka.
BENCHES = {
    "redis": ("Redis Streams", ["sliding"], 1_000_000, 100_000),
    "kafka": ("Kafka", [], 1_000_000, 300_000),
    "amqp": ("RabbitMQ, quorum queue", [], 400_000, 20_000),
    "amqp-classic": ("RabbitMQ, classic durable queue", [], 400_000, 20_000),
    "nats": ("NATS JetStream, file", [], 1_000_000, 50_000),
    "mqtt": ("MQTT 5, mosquitto", [], 500_000, 50_000),
    "http": ("HTTP/1.1, keep-alive", [], 300_000, 50_000),
}
TOPIC = "bench"


class Sink:
    """tests/bench/http_sink: answers every POST, so that the receiver is not what is measured."""

    def __init__(self, build):
        self.port, self.program = free_port(), os.path.join(build, "tests/bench/http_sink")
        self.url, self.process = f"http://127.0.0.1:{self.port}", None

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        self.process = self.stack.enter_context(child([self.program, str(self.port)]))
        return self

    def __exit__(self, *_):
        self.stack.close()

    def prepare(self, topics):
        """Nothing: it takes every path."""


def bare(bench, kind, server, rows, way):
    """The bare loop's command. libmosquitto walks through all that it is given: its loop gets as many as the adapter."""
    options = bench.options
    window = min(options.window, 250) if kind == "mqtt" else options.window
    return [os.path.join(options.build, "tests/bench/bare_" + kind.split("-")[0]), "127.0.0.1", str(server.port), str(rows),
            str(options.payload), str(options.keys), str(window), *way]


@contextlib.contextmanager
def fresh(bench, kind, way):
    """A broker of this kind, new, with the bench's topic. Java compiles what it has run for a while: Kafka gets 300,000
    messages first."""
    with tempfile.TemporaryDirectory(dir=bench.directory) as directory:
        os.chmod(directory, 0o755)
        with Sink(bench.options.build) if kind == "http" else broker(kind, directory) as server:
            server.prepare([TOPIC])
            if kind == "kafka":
                subprocess.run(bare(bench, kind, server, 300_000, way), stdout=subprocess.DEVNULL, check=True)
            yield server


def once(bench, kind, way, rows, rows_of_one_key):
    """Every figure once, each on a new broker."""
    options, figures = bench.options, {}
    with fresh(bench, kind, way) as server:
        run = bench.figures(f"{kind}: bare loop", bare(bench, kind, server, rows, way))
        figures["bare"] = run["messages_per_second"]
    with fresh(bench, kind, way) as server:
        run = bench.outboxd(f"{kind}: from memory", "broker", "--to", server.url, "--rows", str(rows))
        figures["memory"] = run["messages_per_second"]
    url = bench.backlog("postgresql", rows)
    with fresh(bench, kind, way) as server:
        servers = bench.postgresql.process.pid, server.process.pid
        before = [cpu_of_group(pid) for pid in servers]
        run = bench.drain_rate(f"{kind}: from PostgreSQL", url, server.url)
        figures["postgresql"] = run["messages_per_second"]
        seconds = rows / run["messages_per_second"]
        for what, pid, ticks in zip(("postgresql_cpu", "broker_cpu"), servers, before):
            figures[what] = (cpu_of_group(pid) - ticks) / seconds
        figures["relay_cpu"] = run["cpu_seconds_per_million"] * rows / 1e6 / seconds
    with fresh(bench, kind, way) as server:
        run = bench.outboxd(f"{kind}: one key", "broker", "--to", server.url, "--rows", str(rows_of_one_key), keys=1)
        figures["one_key"] = run["messages_per_second"]
    with fresh(bench, kind, way) as server:
        run = bench.outboxd(f"{kind}: 1,000 a second", "latency", "--db", bench.postgresql.new_database(), "--to",
                            server.url, "--rate", "1000", "--seconds", str(max(5, options.seconds // 3)))
        figures["p50"] = run["committed_to_accepted_p50_milliseconds"]
        figures["p99"] = run["committed_to_accepted_p99_milliseconds"]
    return figures


def measure(bench, names):
    print("Each broker: a bare loop of its library, outboxd from memory, from PostgreSQL, with one key, at 1,000/s")
    rows = []
    for name in names:
        title, way, messages, of_one_key = BENCHES[name]
        try:
            runs = [once(bench, name, way, messages, of_one_key) for _ in range(bench.options.repeat)]
        except NotInstalled as error:
            print(f"  {name}: left out: {error}")
            continue
        median = {figure: statistics.median(run[figure] for run in runs) for figure in runs[0]}
        share = median["postgresql"] / median["bare"]
        of_left = share / (1 - median["postgresql_cpu"] / os.cpu_count())
        bench.line(f"{title}: from PostgreSQL / bare loop on the CPU that PostgreSQL leaves", ">= 90 %",
                   f"{of_left:.0%}; {share:.0%} of the bare loop alone", of_left >= 0.9)
        rows.append((title, f"{median['bare']:,.0f}", f"{median['memory']:,.0f}", f"{median['postgresql']:,.0f}", f"{share:.0%} ({of_left:.0%})",
                     f"{median['relay_cpu']:.2f} + {median['postgresql_cpu']:.2f} + {median['broker_cpu']:.2f}",
                     f"{median['p50']:.2f} / {median['p99']:.2f}", f"{median['one_key']:,.0f}"))
    print("\n| broker | bare loop/s | from memory/s | from PostgreSQL/s | of the bare loop (on the CPU that PostgreSQL leaves) "
          "| cores: relay + PostgreSQL + broker | p50 / p99 ms at 1,000/s | one key/s |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
