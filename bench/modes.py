"""A nightly run of a table of which one record in a hundred changed, by `since` and by `migrate --mirror`, beside a full copy.

The records that changed lie together, as the latest ones do, or all over the table, where nearly each of its pages has one. The targets are kept from night to
night, as those of a nightly job are, and so are the state folders. In the source the column of `since` has an index.
"""
import os
import shutil
import sqlite3

import harness
import sql_servers

NAME = "modes"
PLAN = "transhume: 1\ntables:\n  t: { key: [id], from: t, since: created }\n"
CHANGE = "UPDATE t SET a = 'changed in night %d', created = %s WHERE "
PATTERNS = ("together", "all over")


class Sqlite:
    title = "SQLite to SQLite"
    MOMENT = "'2030-01-%02d ' || time(id %% 86400, 'unixepoch')"   # hardly two are the same

    def __init__(self, bench, rows):
        self.folder = bench.scratch
        self.source = os.path.join(bench.scratch, "modes.db")
        shutil.copy(bench.flat(rows), self.source)
        self.ask("CREATE INDEX by_created ON t(created)")
        self.from_uri = "sqlite:" + self.source

    def ask(self, statement):
        with sqlite3.connect(self.source) as database:
            database.execute(statement)
        database.close()

    def empty(self, name):
        for suffix in ("", "-wal", "-shm"):
            path = os.path.join(self.folder, name + ".db" + suffix)
            if os.path.exists(path):
                os.unlink(path)
        return "sqlite:%s/%s.db" % (self.folder, name)


class Postgres:
    title = "PostgreSQL to PostgreSQL"
    MOMENT = "timestamp '2030-01-%02d' + id %% 86400 * interval '1 second'"

    def __init__(self, bench, rows, server):
        self.server = server
        server.fill("source", sql_servers.write_lines(bench, rows))
        server.ask("source", "CREATE INDEX by_created ON t(created)")
        self.from_uri = server.uri("source")

    def ask(self, statement):
        self.server.ask("source", statement)

    def empty(self, name):
        self.server.make(name)
        return self.server.uri(name)


def run(bench):
    rows = bench.size(2000000, 100000)
    yield from compare(bench, Sqlite(bench, rows), rows)
    yield from sql_servers.run_with(NAME, {"postgres"}, lambda ends: compare(bench, Postgres(bench, rows, ends["postgres"]), rows))


def nightly(bench, ends, target, state, *more):
    return [bench.program, "migrate", "--progress", "none", "--state", os.path.join(bench.scratch, state), *more, ends.from_uri, target]


def compare(bench, ends, rows):
    plan = os.path.join(bench.scratch, "since.yaml")
    with open(plan, "w", encoding="utf-8") as file:
        file.write(PLAN)
    for state in ("state-since", "state-mirror"):
        shutil.rmtree(os.path.join(bench.scratch, state), ignore_errors=True)
    since = nightly(bench, ends, ends.empty("kept"), "state-since", "--plan", plan)
    mirror = nightly(bench, ends, ends.empty("mirrored"), "state-mirror", "--mirror", "--confirm")
    bench.measure(since)
    bench.measure(mirror)
    copies, changed, mirrored = [], {pattern: [] for pattern in PATTERNS}, {pattern: [] for pattern in PATTERNS}
    for night in range(1, bench.repeat + 1):
        copies.append(bench.measure(bench.migrate(ends.from_uri, ends.empty("whole"))))
        for number, pattern in enumerate(PATTERNS):
            where = "id % 100 = " + str(night) if number else "id > %d AND id <= %d" % (rows - night * rows // 100, rows - (night - 1) * rows // 100)
            ends.ask(CHANGE % (night, ends.MOMENT % (2 * night + number)) + where)
            changed[pattern].append(bench.measure(since))
            mirrored[pattern].append(bench.measure(mirror))
    bench.measure([bench.program, "validate", "--progress", "none", "--state", os.path.join(bench.scratch, "state-since"), "--plan", plan, ends.from_uri, since[-1]])
    whole = harness.median(copies, harness.wall_s)
    for pattern in PATTERNS:
        by_since, by_mirror = (harness.median(runs[pattern], harness.wall_s) for runs in (changed, mirrored))
        yield harness.at_most(NAME, "%s: since, 1 %% changed %s, against a full copy" % (ends.title, pattern), by_since / whole, 0.15, "x")
        yield harness.at_most(NAME, "%s: --mirror, 1 %% changed %s, against a full copy" % (ends.title, pattern), by_mirror / whole, 0.6, "x")
        yield harness.fact(NAME, ends.title + ", " + pattern + ": seconds of a copy, of since, of --mirror", "%.2f, %.2f, %.2f" % (whole, by_since, by_mirror))
    yield harness.memory(NAME, [run for runs in (changed, mirrored) for pattern in PATTERNS for run in runs[pattern]])
