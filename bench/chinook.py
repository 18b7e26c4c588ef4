"""The single-table design of examples/chinook on the music shop at scale 100."""
import os
import sqlite3

import harness

NAME = "chinook"
PLAN = os.path.join(harness.ROOT, "examples", "chinook", "transhume.yaml")


def row_count(path):
    db = sqlite3.connect(path)
    tables = [name for name, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    count = sum(db.execute('SELECT count(*) FROM "%s"' % table).fetchone()[0] for table in tables)
    db.close()
    return count


def run(bench):
    source = bench.shop("--scale", bench.size(100, 10))
    rows = row_count(source)
    runs, = bench.alternate(bench.migrate("--plan", PLAN, "sqlite:" + source,
                                          "dynamodb-json:{folder}/out"))
    yield harness.at_least(NAME, "source rows by processor second",
                           rows / harness.median(runs, harness.cpu_s), 200000, "rows/s")
    yield harness.fact(NAME, "source rows, wall seconds", "{:,}, {:.2f}".format(
        rows, harness.median(runs, harness.wall_s)))
    yield harness.memory(NAME, runs)
