"""One flat table of nine columns into CSV and out of it, beside the sqlite3 shell doing the same."""
import os
import sqlite3
import subprocess

import harness

NAME = "csv"
TYPED = ("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT, c INTEGER NOT NULL, d INTEGER NOT NULL,"
         " price NUMERIC(10,2) NOT NULL, r REAL NOT NULL, created TEXT NOT NULL, flag INTEGER NOT NULL)")
TYPES = "id:int64,a:text,b:text,c:int64,d:int64,price:decimal(10,2),r:float64,created:text,flag:int64"


def shell(script):
    return ["sh", "-c", script]


def run(bench):
    source = bench.flat(bench.size(2000000, 200000))
    yield from to_csv(bench, source)
    folder = os.path.join(bench.scratch, "csv")
    os.makedirs(folder, exist_ok=True)
    file = os.path.join(folder, "t.csv")
    with open(file, "wb") as out:
        subprocess.run([bench.program, "migrate", "--state", os.path.join(folder, "state"), "--quiet",
                        "sqlite:" + source, "csv:-"], stdout=out, stderr=subprocess.PIPE, check=True)
    yield from from_csv(bench, source, file)


def compare(figure, ours, peer, mark):
    ratio = harness.median(ours, harness.wall_s) / harness.median(peer, harness.wall_s)
    yield harness.at_most(NAME, figure, ratio, mark, "x")
    ratio = harness.median(ours, harness.cpu_s) / harness.median(peer, harness.cpu_s)
    yield harness.fact(NAME, "processor time against it", "%.2f x" % ratio)
    yield harness.fact(NAME, "wall seconds, ours and its", "%.2f, %.2f" % (
        harness.median(ours, harness.wall_s), harness.median(peer, harness.wall_s)))
    yield harness.memory(NAME, ours)


def to_csv(bench, source):
    peer, ours = bench.alternate(
        shell("exec sqlite3 -csv -header '%s' 'SELECT * FROM t' > {folder}/t.csv" % source),
        bench.migrate("sqlite:" + source, "csv:{folder}/out"))
    yield from compare("sqlite to csv, time against sqlite3 -csv", ours, peer, 0.5)


def from_csv(bench, source, file):
    load = "sqlite3 {folder}/copy.db \"%s\" '.mode csv' '.import --skip 1 %s t'" % (TYPED, file)
    peer, ours, learned = bench.alternate(
        shell("exec " + load),
        bench.migrate("--plan", bench.plans + "/csv_sqlite.yaml", "csv:%s?types=%s" % (file, TYPES),
                      "sqlite:{folder}/copy.db"),
        bench.migrate("csv:" + file, "sqlite:{folder}/copy.db"))
    expect_equal(bench, source)
    bench.measure(bench.migrate("--plan", bench.plans + "/csv_sqlite.yaml", "csv:%s?types=%s" % (file, TYPES),
                                "sqlite:{folder}/copy.db"))
    expect_equal(bench, source)
    yield from compare("csv to sqlite, time against .import", ours, peer, 0.5)
    yield from compare("the same, types learned from all rows", learned, peer, 0.5)


def expect_equal(bench, source):
    """copy.db of the last command holds the table, value by value."""
    db = sqlite3.connect(os.path.join(bench.scratch, "run", "copy.db"))
    db.execute("ATTACH ? AS source", (source,))
    different = db.execute("SELECT count(*) FROM (SELECT * FROM source.t EXCEPT SELECT * FROM t)").fetchone()[0]
    counts = db.execute("SELECT (SELECT count(*) FROM source.t), (SELECT count(*) FROM t)").fetchone()
    db.close()
    if different or counts[0] != counts[1]:
        raise harness.Failed("%d rows of %d differ, %d are there" % (different, *counts))
