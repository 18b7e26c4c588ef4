"""Following MariaDB into PostgreSQL: updates of a row each, each its own transaction, as a backlog and while they are written.

TRANSHUME_CONNECT names a Kafka Connect that has Debezium's connectors for MariaDB and JDBC and does nothing else, which are then measured beside:
`URL BOOTSTRAP PROCESS`, as in "http://127.0.0.1:8083 127.0.0.1:9092 1234".
"""
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request

import harness
import sql_servers

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "servers"))
import mariadb

NAME = "following_mysql"
UPDATES, UPDATES_QUICK = 50000, 5000
WAIT_S = 600
# The source is to write faster than anybody follows.
SOURCE = {**mariadb.FOLLOWED, "innodb-flush-log-at-trx-commit": "2"}
TICKS = os.sysconf("SC_CLK_TCK")


def process_figures(pid):
    """(processor seconds, most resident MiB) so far."""
    with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
        words = file.read().rpartition(")")[2].split()
    with open("/proc/%d/status" % pid, encoding="ascii", errors="replace") as file:
        peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))
    return sum(map(int, words[11:15])) / TICKS, peak / 1024


class Figures:
    def __init__(self):
        self.backlog, self.live, self.lag, self.cpu, self.peak = [], [], [], [], 0


class Follower:
    """One database of the source into one of the target; `round` counts what was written to all rows."""
    DATABASE = ""

    def __init__(self, bench, ends, count):
        self.bench, self.source, self.target, self.count, self.round, self.figures = bench, ends["mysql"], ends["postgres"], count, 0, Figures()
        self.source.fill(self.DATABASE, sql_servers.write_lines(bench, count))
        self.target.make(self.DATABASE)
        self.begin()

    def write(self):
        """Seconds that the source took."""
        self.round += 1
        path = os.path.join(self.bench.scratch, "updates.sql")
        with open(path, "w", encoding="ascii") as file:
            for number in range(1, self.count + 1):
                file.write("update t set c = -%d, a = 'changed %d %d' where id = %d;\n" % (self.round, self.round, number, number))
        begun = time.monotonic()
        with open(path, encoding="ascii") as file:
            subprocess.run(["mariadb", "--no-defaults", "-h127.0.0.1", "-P%d" % self.source.server.port, "-uroot", self.DATABASE], stdin=file, check=True)
        return time.monotonic() - begun

    def has_all(self):
        return self.target.ask(self.DATABASE, "SELECT count(*) FROM t WHERE c = %d" % -self.round) == [[str(self.count)]]

    def wait(self):
        """Until the last row is there, and with it all others."""
        deadline = time.monotonic() + WAIT_S
        while self.target.ask(self.DATABASE, "SELECT c FROM t WHERE id = %d" % self.count) != [[str(-self.round)]]:
            if time.monotonic() > deadline:
                raise harness.Failed("what was written does not arrive")
            time.sleep(0.05)
        if not self.has_all():
            raise harness.Failed("changes are missing")

    def measure(self):
        self.measure_backlog()
        self.figures.peak = max(self.figures.peak, self.measure_live())

    def measure_live(self):
        """Gives the most memory that was used."""
        pid = self.follow()
        cpu = process_figures(pid)[0]
        begun = time.monotonic()
        self.write()
        written = time.monotonic()
        self.wait()
        ended = time.monotonic()
        self.figures.live.append(self.count / (ended - begun))
        self.figures.lag.append(ended - written)
        now, peak = process_figures(pid)
        self.figures.cpu.append(now - cpu)
        self.rest(pid)
        return peak


class Ours(Follower):
    DATABASE = "ours"

    def state(self):
        return ["--state", os.path.join(self.bench.scratch, "state"), "--quiet"]

    def begin(self):
        self.bench.measure([self.bench.program, "migrate", "--follow", "--catch-up", *self.state(), self.source.uri(self.DATABASE), self.target.uri(self.DATABASE)])

    def measure_backlog(self):
        self.write()
        run = self.bench.measure([self.bench.program, "follow", "--catch-up", *self.state()])
        if not self.has_all():
            raise harness.Failed("changes are missing")
        self.figures.backlog.append(self.count / run.wall_s)
        self.figures.peak = max(self.figures.peak, run.peak_kib / 1024)

    def follow(self):
        self.process = subprocess.Popen([self.bench.program, "follow", *self.state()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)
        return self.process.pid

    def rest(self, _pid):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()


class Debezium(Follower):
    """Of its MariaDB connector, by a topic, into its JDBC connector: a Connect with both is one process."""
    DATABASE = "theirs"

    def __init__(self, bench, ends, count, connect):
        url, self.bootstrap, pid = connect.split()
        self.url, self.pid, self.tag = url.rstrip("/"), int(pid), str(int(time.time()))
        super().__init__(bench, ends, count)

    def ask(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, method=method, data=json.dumps(body).encode() if body else None,
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def begin(self):
        form = {"%s.converter%s" % (part, more): value for part in ("key", "value") for more, value in (
            ("", "org.apache.kafka.connect.json.JsonConverter"), (".schemas.enable", "true"))}
        self.source.ask("", "CREATE USER IF NOT EXISTS dbz@'127.0.0.1' IDENTIFIED BY 'dbz'; GRANT ALL ON *.* TO dbz@'127.0.0.1'")
        self.ask("POST", "/connectors", {"name": "source" + self.tag, "config": {
            **form, "connector.class": "io.debezium.connector.mariadb.MariaDbConnector", "database.hostname": "127.0.0.1",
            "database.port": str(self.source.server.port), "database.user": "dbz", "database.password": "dbz", "database.server.id": "5402",
            "topic.prefix": "p" + self.tag, "database.include.list": self.DATABASE, "table.include.list": self.DATABASE + ".t",
            "schema.history.internal.kafka.bootstrap.servers": self.bootstrap, "schema.history.internal.kafka.topic": "history" + self.tag,
            "schema.history.internal.skip.unparseable.ddl": "true", "database.ssl.mode": "disable", "time.precision.mode": "connect",
            "topic.creation.default.replication.factor": "1", "topic.creation.default.partitions": "1"}})
        self.ask("POST", "/connectors", {"name": "target" + self.tag, "config": {
            **form, "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "tasks.max": "1", "topics": "p%s.%s.t" % (self.tag, self.DATABASE),
            "connection.url": "jdbc:postgresql://127.0.0.1:%d/%s?reWriteBatchedInserts=true" % (self.target.server.port, self.DATABASE),
            "connection.username": "postgres", "connection.password": "x", "insert.mode": "upsert", "delete.enabled": "true", "batch.size": "2000",
            "primary.key.mode": "record_key", "schema.evolution": "basic", "collection.name.format": "t", "consumer.override.max.poll.records": "2000"}})
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            try:
                if self.target.ask(self.DATABASE, "SELECT count(*) FROM t") == [[str(self.count)]]:
                    break
            except AssertionError:
                pass   # the table is not there yet
            time.sleep(0.5)
        self.set("pause")

    def set(self, what):
        for name in ("target", "source"):
            self.ask("PUT", "/connectors/%s%s/%s" % (name, self.tag, what))
        wanted = "PAUSED" if what == "pause" else "RUNNING"
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            states = [json.loads(self.ask("GET", "/connectors/%s%s/status" % (name, self.tag))) for name in ("target", "source")]
            if all(part["state"] == wanted for state in states for part in (state["connector"], *state["tasks"])):
                return
            time.sleep(0.1)
        raise harness.Failed("Connect does not %s: %s" % (what, states))

    def measure_backlog(self):
        self.write()
        begun = time.monotonic()
        self.set("resume")
        self.wait()
        self.figures.backlog.append(self.count / (time.monotonic() - begun))
        self.set("pause")

    def follow(self):
        self.set("resume")
        time.sleep(1)
        return self.pid

    def rest(self, _pid):
        self.set("pause")

    def end(self):
        for name in ("target", "source"):
            self.ask("DELETE", "/connectors/%s%s" % (name, self.tag))


def tell(name, figures):
    yield harness.fact(NAME, name, "backlog %s changes/s, live %s changes/s, %.1f s behind the last write, %.1f s of processor while live, %.0f MiB" % (
        "{:,.0f}".format(statistics.median(figures.backlog)), "{:,.0f}".format(statistics.median(figures.live)), statistics.median(figures.lag),
        statistics.median(figures.cpu), figures.peak))


def compare(bench, ends):
    count = bench.size(UPDATES, UPDATES_QUICK)
    connect = os.environ.get("TRANSHUME_CONNECT")
    ours, theirs = Ours(bench, ends, count), None
    if connect:
        try:
            theirs = Debezium(bench, ends, count, connect)
        except (OSError, urllib.error.URLError) as error:
            raise harness.Failed("TRANSHUME_CONNECT: %s" % error) from None
    for _ in range(bench.repeat):
        ours.measure()
        if theirs:
            theirs.measure()
    yield from tell("ours", ours.figures)
    yield harness.at_most(NAME, "peak resident memory", ours.figures.peak, harness.MEMORY_MARK_MIB, "MiB", "%.1f")
    if not theirs:
        yield harness.fact(NAME, "Debezium", "left out: no TRANSHUME_CONNECT")
        return
    theirs.end()
    yield from tell("Debezium and its JDBC sink", theirs.figures)
    for figure in ("backlog", "live"):
        ratio = statistics.median(getattr(ours.figures, figure)) / statistics.median(getattr(theirs.figures, figure))
        yield harness.Row(NAME, figure + ": rate against Debezium's", "%.1f x" % ratio, ">= 5 x" if figure == "backlog" else "",
                          ratio >= 5 if figure == "backlog" else None)
    yield harness.at_most(NAME, "memory against Debezium's", ours.figures.peak / theirs.figures.peak, 0.1, "x", "%.3f")


def run(bench):
    yield from sql_servers.run_with(NAME, {"mysql", "postgres"}, lambda ends: compare(bench, ends), {"mysql": SOURCE})
