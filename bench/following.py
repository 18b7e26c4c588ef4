"""Following PostgreSQL into PostgreSQL beside the server's own subscription (and pgcopydb, where it is installed): updates of a row each, live and
as a backlog; how late changes are; one large transaction; a cut-over while pgbench writes."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import time

import harness
import sql_servers

NAME = "following"
SOURCE = {"wal_level": "logical", "max_wal_senders": "20", "max_replication_slots": "20", "fsync": "off",
          "wal_retrieve_retry_interval": "100ms"}   # else a subscription that is enabled waits for up to five seconds
WAIT_S = 600


def run(bench):
    try:
        with contextlib.ExitStack() as stack:
            ends = []
            for _ in range(2):
                ends.append(sql_servers.Postgres(SOURCE))
                stack.callback(ends[-1].stop)
            pair = Pair(bench, *ends)
            yield from updates(bench, pair)
            yield from lag(bench, pair)
            yield from large_transaction(bench, pair)
            yield from lanes(bench, pair)
            yield from cut_over(bench, pair)
    except sql_servers.Unavailable as reason:
        yield harness.fact(NAME, "not measured", str(reason))


class Pair:
    """A source, a target, and the program between them."""

    def __init__(self, bench, source, target):
        self.bench, self.source, self.target = bench, source, target
        self.state = os.path.join(bench.scratch, "state")

    def uris(self):
        return [self.source.uri("src"), self.target.uri("dst")]

    def fill(self, rows):
        self.source.fill("src", sql_servers.write_lines(self.bench, rows))

    def command(self, *words):
        return [self.bench.program, *words, "--state", self.state, "--progress", "none", *self.uris()]

    def begin(self, *words):
        shutil.rmtree(self.state, ignore_errors=True)
        self.target.make("dst")
        subprocess.run(self.command("migrate", "--follow", "--catch-up", *words), check=True, stdout=subprocess.DEVNULL)

    def end(self):
        subprocess.run(self.command("cutover", "--abandon", "--confirm"), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def write(self, script):
        """Seconds that the source took for it."""
        begun = time.monotonic()
        environment = dict(os.environ, PGOPTIONS="-c synchronous_commit=off")
        subprocess.run(["psql", "-qX", "-h", "127.0.0.1", "-p", str(self.source.server.port), "-U", "postgres", "src", "-f", script], check=True, env=environment)
        return time.monotonic() - begun

    def wait(self, sql, expected, end=None):
        until = time.monotonic() + WAIT_S
        while (end or self.target).server.psql("dst", sql) != [[str(expected)]]:
            if time.monotonic() > until:
                raise harness.Failed("it did not come: %s = %s" % (sql, expected))
            time.sleep(0.05)


@contextlib.contextmanager
def following(pair):
    """`follow`, as long as it lasts; its peak of resident memory in KiB comes with the end."""
    process = subprocess.Popen(pair.command("follow"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seen = {"process": process}
    try:
        yield seen
        with open("/proc/%d/status" % process.pid, encoding="ascii") as file:
            seen["peak_kib"] = int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


# --- updates of one row each

def updates(bench, pair):
    rows = bench.size(50000, 5000)
    pair.fill(rows)
    scripts = {k: script(bench, rows, k) for k in range(-2 * bench.repeat, 0)}
    ours, ours_live, peaks = backlog_and_live(bench, pair, rows, scripts)
    native, native_live, alone = subscription(bench, pair, rows, scripts)
    yield harness.at_least(NAME, "backlog of %d transactions against the subscription" % rows, 100 * min(native) / min(ours), 100, "%")
    yield harness.fact(NAME, "backlog, transhume and the subscription", "%d/s, %d/s" % (rows / min(ours), rows / min(native)))
    yield harness.at_most(NAME, "live: seconds behind the last write", min(ours_live), max(1.0, 1.5 * min(native_live)), "s")
    yield harness.fact(NAME, "live: the subscription's seconds behind, the source's rate", "%.2f s, %d/s" % (min(native_live), rows / min(alone)))
    yield harness.at_most(NAME, "peak resident memory", max(peaks) / 1024, harness.MEMORY_MARK_MIB, "MiB", "%.1f")


def script(bench, rows, value):
    path = os.path.join(bench.scratch, "updates%d.sql" % value)
    with open(path, "w", encoding="ascii") as file:
        file.writelines("UPDATE t SET c = %d, a = 'changed %d' WHERE id = %d;\n" % (value, i, i) for i in range(1, rows + 1))
    return path


def backlog_and_live(bench, pair, rows, scripts):
    """Seconds of each backlog; seconds behind the last write of each live burst; peaks in KiB."""
    took, late, peaks = [], [], []
    pair.begin()
    for number in range(bench.repeat):
        value = -2 * number - 1
        pair.write(scripts[value])
        done = bench.measure(pair.command("follow", "--catch-up"))
        took.append(done.wall_s)
        peaks.append(done.peak_kib)
        with following(pair) as seen:
            pair.write(scripts[value - 1])
            begun = time.monotonic()
            pair.wait("SELECT count(*) FROM t WHERE c = %d" % (value - 1), rows)
            late.append(time.monotonic() - begun)
        peaks.append(seen["peak_kib"])
    pair.end()
    return took, late, peaks


def subscription(bench, pair, rows, scripts):
    took, late, alone = [], [], []
    source, target = pair.source.server, pair.target.server
    source.psql("src", "CREATE PUBLICATION p FOR TABLE t")
    pair.target.make("dst", sql_servers.Postgres.TABLE)
    target.psql("dst", "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=%d user=postgres dbname=src' PUBLICATION p WITH (copy_data = true)" % source.port)
    pair.wait("SELECT count(*) FROM pg_subscription_rel WHERE srsubstate = 'r'", 1)
    for number in range(bench.repeat):
        value = -2 * number - 1
        target.psql("dst", "ALTER SUBSCRIPTION s DISABLE")
        pair.wait("SELECT count(*) FROM pg_stat_subscription WHERE pid IS NOT NULL", 0)
        pair.write(scripts[value])
        begun = time.monotonic()
        target.psql("dst", "ALTER SUBSCRIPTION s ENABLE")
        pair.wait("SELECT count(*) FROM t WHERE c = %d" % value, rows)
        took.append(time.monotonic() - begun)
        alone.append(pair.write(scripts[value - 1]))
        begun = time.monotonic()
        pair.wait("SELECT count(*) FROM t WHERE c = %d" % (value - 1), rows)
        late.append(time.monotonic() - begun)
    target.psql("dst", "DROP SUBSCRIPTION s")
    source.psql("src", "DROP PUBLICATION p")
    return took, late, alone


# --- how late a change is

def lag(bench, pair):
    seconds = bench.size(20, 5)
    pair.source.make("src", "CREATE TABLE moment (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL)")
    pair.begin()
    statement = os.path.join(bench.scratch, "moment.sql")
    with open(statement, "w", encoding="ascii") as file:
        file.write("INSERT INTO moment (at) VALUES (clock_timestamp());\n")
    with following(pair), looking(pair) as looks:
        time.sleep(1)
        subprocess.run(["pgbench", "-n", "-h", "127.0.0.1", "-p", str(pair.source.server.port), "-U", "postgres", "-f", statement, "-R", "2000", "-c", "4", "-T",
                        str(seconds), "src"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        written = pair.source.server.psql("src", "SELECT EXTRACT(EPOCH FROM at) FROM moment ORDER BY id")
        pair.wait("SELECT count(*) FROM moment", len(written))
        time.sleep(0.2)
    late = sorted(delays([float(at) for at, in written], looks))
    pair.end()
    yield harness.at_most(NAME, "lag at %d changes/s, 99th percentile" % (len(written) / seconds), 1000 * late[len(late) * 99 // 100], 250, "ms", "%.0f")
    yield harness.fact(NAME, "lag, median", "%.0f ms" % (1000 * late[len(late) // 2]))


@contextlib.contextmanager
def looking(pair):
    """[(newest, moment)] of the target, fifty times a second."""
    looks = []
    process = subprocess.Popen(["psql", "-qXAt", "-h", "127.0.0.1", "-p", str(pair.target.server.port), "-U", "postgres", "dst"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    process.stdin.write("SELECT coalesce(max(id), 0), EXTRACT(EPOCH FROM clock_timestamp()) FROM moment \\watch 0.02\n")
    process.stdin.flush()
    yield looks
    process.terminate()
    for line in process.communicate()[0].splitlines():
        rows, _, moment = line.partition("|")
        if moment:
            looks.append((int(rows), float(moment)))


def delays(written, looks):
    """Seconds from each change until the look that saw it. Late by a look's period at most."""
    at = 0
    for number, moment in enumerate(written):
        while looks[at][0] <= number:
            at += 1
        yield looks[at][1] - moment


# --- one large transaction

def large_transaction(bench, pair):
    rows = bench.size(5000000, 200000)
    pair.source.make("src", "CREATE TABLE big (id bigint PRIMARY KEY, v text)")
    pair.begin()
    pair.source.server.psql("src", "INSERT INTO big SELECT i, 'value ' || i FROM generate_series(1, %d) i" % rows)
    done = bench.measure(pair.command("follow", "--catch-up"))
    pair.wait("SELECT count(*) FROM big", rows)
    pair.end()
    yield harness.at_most(NAME, "one transaction of %d rows: peak resident memory" % rows, done.peak_kib / 1024, harness.MEMORY_MARK_MIB, "MiB", "%.1f")
    yield harness.fact(NAME, "one transaction of %d rows" % rows, "%d/s" % (rows / done.wall_s))


# --- lanes, where the target works a millisecond on each row

SLOW = ("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END $$;"
        "CREATE TRIGGER slow BEFORE UPDATE ON s FOR EACH ROW EXECUTE FUNCTION slow(); ALTER TABLE s ENABLE ALWAYS TRIGGER slow")


def lanes(bench, pair):
    rows, took = bench.size(10000, 1000), {}
    pair.source.make("src", "CREATE TABLE s (id int PRIMARY KEY, v int); INSERT INTO s SELECT i, 0 FROM generate_series(1, %d) i" % rows)
    pair.begin()
    pair.target.server.psql("dst", SLOW)
    for number, count in enumerate((1, 4), 1):
        for rest in range(20):   # a transaction that comes in pieces would be applied by one lane
            pair.source.server.psql("src", "UPDATE s SET v = %d WHERE id %% 20 = %d" % (number, rest))
        took[count] = bench.measure(pair.command("follow", "--catch-up", "--lanes", str(count))).wall_s
        pair.wait("SELECT count(*) FROM s WHERE v = %d" % number, rows)
    pair.end()
    yield harness.fact(NAME, "a target that works 1 ms on each row: 1 lane, 4 lanes", "%d/s, %d/s" % (rows / took[1], rows / took[4]))


# --- cut-over while pgbench writes

SAME = ("SELECT count(*), sum(abalance) FROM pgbench_accounts", "SELECT sum(bbalance) FROM pgbench_branches", "SELECT sum(tbalance) FROM pgbench_tellers",
        "SELECT count(*), sum(delta), max(id) FROM pgbench_history")


def cut_over(bench, pair):
    pair.source.make("src")
    subprocess.run(["pgbench", "-i", "-q", "-s", str(bench.size(10, 1)), "-h", "127.0.0.1", "-p", str(pair.source.server.port), "-U", "postgres", "src"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pair.source.server.psql("src", "ALTER TABLE pgbench_history ADD id bigserial PRIMARY KEY")
    pair.begin()
    pauses, lost = [], 0
    for after in ("exit 3", "true"):   # taken back the first time
        writers = pgbench(pair)
        time.sleep(2)
        done = subprocess.run(pair.command("cutover", "--confirm", "--no-validate", "--after", after), stderr=subprocess.PIPE, check=False)
        with open(os.path.join(pair.state, "transhume.log"), encoding="utf-8") as log:
            said = re.findall(r"ready, (\d+) ms after writers were stopped", log.read())
        if len(said) <= len(pauses):
            raise harness.Failed("no cut-over: " + done.stderr.decode()[-1000:])
        pauses.append(int(said[-1]))
        writers.wait()
        lost += sum(pair.source.server.psql("src", sql) != pair.target.server.psql("dst", sql) for sql in SAME)
        if after == "exit 3":
            subprocess.run(pair.command("cutover", "--back", "--confirm"), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (follows,), = pair.target.server.psql("dst", "SELECT nextval(pg_get_serial_sequence('pgbench_history', 'id')) > max(id) FROM pgbench_history")
    yield harness.at_most(NAME, "cut-over under pgbench: writers paused", max(pauses) / 1000, 2, "s")
    yield harness.at_most(NAME, "cut-over under pgbench, taken back and done: sums that differ", lost + (follows != "t"), 0, "", "%d")


def pgbench(pair):
    return subprocess.Popen(["pgbench", "-n", "-c", "4", "-T", "60", "-h", "127.0.0.1", "-p", str(pair.source.server.port), "-U", "postgres", "src"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
