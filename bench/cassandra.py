"""A table of SQLite into one node of Cassandra, against a threaded migrator in Python with batches of 50.

The node is on the same cores and is what bounds both, so the processor time of the client says more than the clock. Cassandra and the
driver come from the cache of test servers (`make servers`); without them there is no figure. DSBulk is not measured here.
"""
import json
import os
import sqlite3
import subprocess
import sys
import unittest

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "servers"))

NAME = "cassandra"
CLIENT = os.path.join(harness.ROOT, "bench", "cassandra_migrator.py")
TABLE = "CREATE TABLE t (id bigint PRIMARY KEY, name text, email text, age bigint, score double, note text)"


def make_source(path, rows):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, email TEXT, age INTEGER, score REAL, note TEXT)")
        db.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", (
            (i, "name %d" % i, "user%d@example.org" % i, i % 90, i / 7, "a note about number %d" % i) for i in range(rows)))


def migrator(packages, source, port, keyspace):
    done = subprocess.run([sys.executable, CLIENT, source, "t", str(port), keyspace], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, PYTHONPATH=packages))
    if done.returncode != 0:
        raise harness.Failed("cassandra_migrator.py:\n%s" % done.stderr[-2000:])
    return json.loads(done.stdout)


def run(bench):
    import cassandra_server
    rows = bench.size(100000, 10000)
    source = os.path.join(bench.scratch, "cassandra.db")
    make_source(source, rows)
    try:
        packages = os.path.dirname(os.path.dirname(cassandra_server.driver().__file__))
        server = cassandra_server.Server(heap="1G")
    except unittest.SkipTest as reason:
        yield harness.fact(NAME, "not measured", str(reason))
        return
    ours, theirs = [], []
    with server:
        for _ in range(bench.repeat):
            theirs_in = server.database()
            server.ask(theirs_in, TABLE)
            theirs.append(migrator(packages, source, server.port, theirs_in))
            ours.append(bench.measure(bench.migrate("sqlite:" + source, server.uri(server.database(), "?consistency=QUORUM"))))
    wall = min(one["wall_s"] for one in theirs) / harness.median(ours, harness.wall_s)
    cpu = min(one["cpu_s"] for one in theirs) / harness.median(ours, harness.cpu_s)
    yield harness.Row(NAME, "rows by second, against a migrator in Python with batches of 50", "%.1f x" % wall, ">= 10 x", wall >= 10)
    yield harness.fact(NAME, "processor time of the client, likewise", "1/%.1f" % cpu)
    yield harness.memory(NAME, ours)
