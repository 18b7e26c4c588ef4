"""The same copies as of sql_pairs, of a table of 9 and one of 20 columns, beside DuckDB with its scanners.

DuckDB inserts into a table with its key that is there; ours makes the table. It is a Python package with its extensions (duckdb, duckdb-ext-postgres, -mysql, -sqlite of one
version): DUCKDB_PYTHON is the Python that has them.
"""
import os
import random
import sqlite3
import subprocess
import sys

import harness
import sql_pairs
import sql_servers
from sql_peers import Peer

PYTHON = os.environ.get("DUCKDB_PYTHON", sys.executable)
COPY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "duckdb_copy.py")
NUMBERS, TEXTS = 10, 9   # of the wide table, beside its key
WIDE = {
    "sqlite": ("id INTEGER PRIMARY KEY", "INTEGER NOT NULL", "TEXT"),
    "postgres": ("id bigint PRIMARY KEY", "bigint NOT NULL", "text"),
    "mysql": ("id bigint NOT NULL PRIMARY KEY", "bigint NOT NULL", "varchar(64)"),
}


def has_duckdb():
    return subprocess.run([PYTHON, "-c", "import duckdb, duckdb_ext"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def wide_table(kind):
    key, number, text = WIDE[kind]
    return "CREATE TABLE t (%s, %s)" % (key, ", ".join(["n%d %s" % (i, number) for i in range(NUMBERS)] + ["x%d %s" % (i, text) for i in range(TEXTS)]))


def wide_rows(count):
    draw = random.Random(11)
    words = ["word %d of many" % i for i in range(997)] + [None] * 3
    for i in range(1, count + 1):
        yield (i, *[draw.randrange(10 ** (2 + j)) for j in range(NUMBERS)], *[words[draw.randrange(1000)] for _ in range(TEXTS)])


def wide_file(bench, count):
    path = os.path.join(bench.scratch, "wide-%d.db" % count)
    if not os.path.exists(path):
        with sqlite3.connect(path) as db:
            db.execute(wide_table("sqlite"))
            db.executemany("INSERT INTO t VALUES (%s)" % ", ".join("?" * (1 + NUMBERS + TEXTS)), wide_rows(count))
        db.close()
    return path


def wide_lines(bench, count):
    path = os.path.join(bench.scratch, "wide-%d.tsv" % count)
    if not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as file:
            for row in wide_rows(count):
                file.write("\t".join("\\N" if value is None else str(value) for value in row) + "\n")
    return path


def address(kind, ends, name):
    if kind == "postgres":
        return "host=127.0.0.1 port=%d user=postgres dbname=%s" % (ends[kind].server.port, name)
    return "host=127.0.0.1 port=%d user=root database=%s" % (ends[kind].server.port, name)


class Pair(sql_pairs.Pair):
    def __init__(self, source, target, mark, wide):
        self.SOURCE, self.TARGET, self.wide, self.mark = source, target, wide, mark
        self.NAME = "duckdb_%s_%s%s" % (source, target, "_wide" if wide else "")

    def run(self, bench):
        if not has_duckdb():
            return iter([harness.fact(self.NAME, "not measured", "%s has no duckdb and duckdb-ext" % PYTHON)])
        return super().run(bench)

    def make_source(self, bench, ends, count):
        if not self.wide:
            return super().make_source(bench, ends, count)
        if self.SOURCE == "sqlite":
            return "sqlite:" + wide_file(bench, count)
        ends[self.SOURCE].TABLE = wide_table(self.SOURCE)
        ends[self.SOURCE].fill("source", wide_lines(bench, count))
        return ends[self.SOURCE].uri("source")

    def peers(self, bench, ends, count):
        target = ends[self.TARGET]
        table = wide_table(self.TARGET) if self.wide else target.TABLE_OF_SQLITE if self.SOURCE == "sqlite" else target.TABLE
        source = (wide_file(bench, count) if self.wide else bench.flat(count)) if self.SOURCE == "sqlite" else address(self.SOURCE, ends, "source")
        yield Peer("DuckDB", PYTHON, [PYTHON, COPY, self.SOURCE, source, self.TARGET, address(self.TARGET, ends, "target")], table, mark_time=self.mark)


class CsvToPostgres(Pair):
    """A file without types, which both learn from its rows."""
    TABLE = ("CREATE TABLE t (id bigint PRIMARY KEY, a text NOT NULL, b text, c bigint NOT NULL, d bigint NOT NULL, price numeric(10,2) NOT NULL, "
             "r double precision NOT NULL, created timestamp NOT NULL, flag bigint NOT NULL)")

    def __init__(self):
        super().__init__("csv", "postgres", 1.0, wide=False)

    def make_source(self, bench, ends, count):
        folder = os.path.join(bench.scratch, "csv-%d" % count)
        self.file = os.path.join(folder, "t.csv")
        if not os.path.exists(self.file):
            os.makedirs(folder)
            with open(self.file, "wb") as out:
                subprocess.run([bench.program, "migrate", "--state", os.path.join(bench.scratch, "csv-state"), "--quiet", "sqlite:" + bench.flat(count), "csv:-"],
                               stdout=out, stderr=subprocess.PIPE, check=True)
        return "csv:" + self.file

    def ours(self, bench, source, target):
        return bench.migrate("--plan", os.path.join(bench.plans, "csv_postgres.yaml"), source, target)

    def peers(self, bench, ends, count):
        yield Peer("DuckDB", PYTHON, [PYTHON, COPY, "csv", self.file, "postgres", address("postgres", ends, "target")], self.TABLE, mark_time=self.mark)


BENCHES = [CsvToPostgres(), *[Pair(source, target, 1 / factor, wide) for wide in (False, True) for source, target, factor in (
    ("sqlite", "postgres", 1.3), ("postgres", "postgres", 1.3), ("mysql", "postgres", 1.6), ("postgres", "mysql", 1.6))]]
