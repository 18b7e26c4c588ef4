"""A table of SQLite into Redis as hashes, against redis-cli --pipe of a ready file with the same commands.

The server is on the same cores and bounds both. Ours also reads the table, makes the commands, keeps a ledger and counts what is there. redis-cli reads its file and sends it on one
connection. Redis comes from the machine; without it, or without redis-cli, there is no figure.
"""
import os
import shutil
import sqlite3
import sys
import unittest

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "servers"))

NAME = "redis"
FIELDS = ("id", "a", "b")
OWN = ("transhume:tables", "{_transhume_ledger}:values", "{_transhume_ledger}:keys")


def make_inputs(folder, count):
    """The table, and the same records as HSET commands in a file."""
    source, ready = os.path.join(folder, "redis.db"), os.path.join(folder, "redis.resp")
    with sqlite3.connect(source) as db, open(ready, "wb") as file:
        db.execute("CREATE TABLE pairs (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER NOT NULL)")
        rows = ((i, "value %d" % i, i * 7919 % 1000003) for i in range(1, count + 1))
        for row in rows:
            db.execute("INSERT INTO pairs VALUES (?, ?, ?)", row)
            words = [b"HSET", b"pairs:%d" % row[0]]
            for name, value in zip(FIELDS, row):
                words += [name.encode(), str(value).encode()]
            file.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
    return source, ready


def run(bench):
    import redis_server
    count = bench.size(2000000, 50000)
    if not shutil.which("redis-cli"):
        yield harness.fact(NAME, "not measured", "redis-cli is not installed")
        return
    source, ready = make_inputs(bench.scratch, count)
    ours, theirs = [], []
    try:
        server = redis_server.Server(append_only=False)
    except unittest.SkipTest as reason:
        yield harness.fact(NAME, "not measured", str(reason))
        return
    with server:
        for _ in range(bench.repeat):
            for figures, command in ((theirs, ["sh", "-c", "redis-cli -p %d --pipe < '%s'" % (server.port, ready)]),
                                     (ours, bench.migrate("sqlite:" + source, server.uri(0)))):
                server.ask(0, "FLUSHALL")
                figures.append(bench.measure(command))
                found = server.ask(0, "DBSIZE") - server.ask(0, "EXISTS", *OWN)
                if found != count:
                    raise harness.Failed("%d records are in Redis, not %d" % (found, count))
    rate = count / harness.median(ours, harness.wall_s)
    yield harness.fact(NAME, "records by second", "%s, redis-cli %s" % (format(int(rate), ","), format(int(count / harness.median(theirs, harness.wall_s)), ",")))
    yield harness.at_most(NAME, "time, against redis-cli --pipe of a ready file", harness.median(ours, harness.wall_s) / harness.median(theirs, harness.wall_s), 1.1, "x")
    yield harness.fact(NAME, "processor time of the client", "%.1f s" % harness.median(ours, harness.cpu_s))
    yield harness.memory(NAME, ours)
