"""A flat table of ten columns into FerretDB, against pymongo's bulk_write from the same table.

pymongo does the same work in the same way, unordered and a thousand documents at a time: its processor time inside the copying is compared with all of
ours. It inserts, and in a second measurement replaces or inserts by _id, which is what a script that can be started again has to do.
FerretDB and pymongo come from the cache of test servers; without them there is no figure.
"""
import json
import os
import statistics
import subprocess
import sys
import unittest

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "servers"))

NAME = "mongodb"
CLIENT = os.path.join(harness.ROOT, "bench", "mongodb_client.py")


def client(cache, *words):
    """Runs mongodb_client.py with the Python that has pymongo: its figures."""
    python = os.path.join(os.path.dirname(cache.get("pymongo")), "..", "..", "..", "..", "bin", "python")
    done = subprocess.run([os.path.normpath(python), CLIENT, *map(str, words)], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise harness.Failed("mongodb_client.py %s:\n%s" % (words[0], done.stderr[-2000:]))
    return json.loads(done.stdout)


def run(bench):
    import cache
    import ferretdb
    rows = bench.size(100000, 20000)
    source = bench.flat(rows, columns=10)
    ours, inserts, upserts = [], [], []
    try:
        server = ferretdb.Server()
    except unittest.SkipTest as fault:
        yield harness.fact(NAME, "not measured", str(fault))
        return
    with server:
        for at in range(bench.repeat):
            name = "flat_%d" % at
            ours.append(bench.measure(bench.migrate("--jobs", "1", "sqlite:" + source, server.uri(name))))
            found = server.client()[name].t.count_documents({})
            if found != rows:
                raise harness.Failed("%d documents are in the collection, not %d" % (found, rows))
            inserts.append(client(cache, server.port, name, "insert", source))
            upserts.append(client(cache, server.port, name, "upsert", source))
            server.client().drop_database(name)
    cpu = harness.median(ours, harness.cpu_s) * 1000 / rows
    insert_cpu, upsert_cpu = (statistics.median(one["cpu_s"] for one in found) * 1000 / rows for found in (inserts, upserts))
    rate = rows / harness.median(ours, harness.wall_s)
    yield harness.at_most(NAME, "processor time by 1,000 documents, against pymongo's bulk_write of inserts", cpu / insert_cpu, 1 / 10, "x", "%.3f")
    yield harness.at_most(NAME, "the same, of replacements that insert", cpu / upsert_cpu, 1 / 10, "x", "%.3f")
    yield harness.fact(NAME, "the same in seconds", "%.4f s, pymongo %.4f s and %.4f s" % (cpu, insert_cpu, upsert_cpu))
    yield harness.fact(NAME, "documents by second", "%s, pymongo %s and %s" % tuple(
        format(int(each), ",") for each in (rate, *(statistics.median(rows / one["wall_s"] for one in found) for found in (inserts, upserts)))))
    yield harness.memory(NAME, ours)
