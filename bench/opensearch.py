"""A table of SQLite into one node of OpenSearch, against curl that posts ready _bulk files of the same size on as many connections.

The node is on the same cores and is what bounds both. Ours also reads the table, makes the index, refreshes it and counts what is there; curl only posts, into an index of the same
mapping without refreshes and replicas. OpenSearch comes from the cache of test servers; without it there is no figure.
"""
import glob
import json
import os
import random
import shutil
import sqlite3
import sys
import unittest

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "servers"))

NAME = "opensearch"
COLUMNS = ("id", "name", "city", "price", "qty", "at", "note")
DOCUMENTS_A_FILE = 5000
CONNECTIONS = 8   # 4 writers with 2 requests each


def rows_of(count):
    draw = random.Random(7)
    for i in range(1, count + 1):
        yield (i, "name %d" % i, "city %d" % (i % 997), round(draw.random() * 1000, 2), draw.randrange(100), "2024-%02d-%02dT10:00:00Z" % (i % 12 + 1, i % 28 + 1),
               "some words of note %d and %d" % (draw.randrange(10 ** 6), i))


def make_inputs(folder, count):
    """The table, and the same documents as files of _bulk requests."""
    rows = list(rows_of(count))
    source = os.path.join(folder, "opensearch.db")
    with sqlite3.connect(source) as db:
        db.execute("CREATE TABLE docs (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT, price NUMERIC, qty INTEGER, at TEXT, note TEXT)")
        db.executemany("INSERT INTO docs VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    for first in range(0, count, DOCUMENTS_A_FILE):
        with open(os.path.join(folder, "bulk-%06d" % first), "w", encoding="utf-8") as file:
            for row in rows[first:first + DOCUMENTS_A_FILE]:
                file.write('{"index":{"_id":"%d"}}\n%s\n' % (row[0], json.dumps(dict(zip(COLUMNS, row)), separators=(",", ":"))))
    return source


def like(server, index, made):
    """An empty index of the mapping that ours was given."""
    mapping = server.ask("GET", "/%s/_mapping" % made)[made]["mappings"]
    mapping.pop("_meta")
    server.ask("PUT", "/" + index, {"settings": {"refresh_interval": "-1", "number_of_replicas": 0}, "mappings": mapping})


def post(bench, server, index):
    """Shares of the files, each by one curl over one connection."""
    files = sorted(glob.glob(os.path.join(bench.scratch, "bulk-*")))
    shares = []
    for at in range(CONNECTIONS):
        own = files[at::CONNECTIONS]
        one = " --next ".join("-s -o /dev/null -H Content-Type:application/x-ndjson --data-binary @%s http://127.0.0.1:%d/%s/_bulk" % (file, server.port, index) for file in own)
        shares += ["curl %s &" % one] if own else []
    return bench.measure(["sh", "-c", " ".join(shares) + " wait"])


def run(bench):
    import opensearch_server
    count = bench.size(500000, 20000)
    source = make_inputs(bench.scratch, count)
    if not shutil.which("curl"):
        yield harness.fact(NAME, "not measured", "curl is not installed")
        return
    try:
        server = opensearch_server.Server(heap="1g")
    except unittest.SkipTest as reason:
        yield harness.fact(NAME, "not measured", str(reason))
        return
    ours, theirs = [], []
    with server:
        for at in range(bench.repeat + 1):   # the first pair warms the node's compiler up
            prefix = server.database()
            own = bench.measure(bench.migrate("sqlite:" + source, server.uri(prefix)))
            like(server, prefix + "curl", prefix + "docs")
            other = post(bench, server, prefix + "curl")
            for index in ("docs", "curl"):
                server.ask("POST", "/%s%s/_refresh" % (prefix, index))
                if server.ask("GET", "/%s%s/_count" % (prefix, index))["count"] != count:
                    raise harness.Failed("%s has not all documents" % index)
                server.ask("DELETE", "/%s%s" % (prefix, index))
            if at > 0:
                ours.append(own)
                theirs.append(other)
    yield harness.fact(NAME, "documents by second", "%.0f" % (count / harness.median(ours, harness.wall_s)))
    yield harness.at_most(NAME, "time, against curl posting ready files", harness.median(ours, harness.wall_s) / harness.median(theirs, harness.wall_s), 1.1, "x")
    yield harness.fact(NAME, "processor time of the client", "%.1f s" % harness.median(ours, harness.cpu_s))
    yield harness.memory(NAME, ours)
