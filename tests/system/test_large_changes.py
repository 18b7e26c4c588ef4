"""One large value among the changes of a large transaction: following holds it as few times as it can, and applies all
of it.

docs/guarantees.md says how much memory that takes: 64 MiB and twice the value; libpq keeps a buffer as large on either
side.
"""
import contextlib
import os
import sqlite3
import unittest

import large_values
import postgres
import support

ROWS = 200_000 if support.SOAK else 20_000
VALUE_BYTES = 60_000_000
BASE_MIB = 64
VALUE_MIB = (VALUE_BYTES >> 20) + 1
LIBPQ_MIB = 64   # its buffers grow by doubling


class LargeChanges(large_values.Measured):
    DEFINITION = "CREATE TABLE big (id INTEGER PRIMARY KEY, v TEXT)"

    def write_sqlite(self):
        with contextlib.closing(sqlite3.connect(self.path("source.db"))) as db, db:
            db.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
                       "INSERT INTO big SELECT i, CASE WHEN i = %d THEN hex(zeroblob(%d)) ELSE 'value ' || i END FROM n"
                       % (ROWS, ROWS // 2, VALUE_BYTES // 2))

    def write_postgres(self, server, name):
        server.psql(name,
                    "INSERT INTO big SELECT i, CASE WHEN i = %d THEN repeat('0', %d) ELSE 'value ' || i END FROM "
                    "generate_series(1, %d) i" % (ROWS // 2, VALUE_BYTES, ROWS))

    def follow(self, source, target, write, bound_mib):
        self.run_program("migrate", "--quiet", "--follow", "--catch-up", source, target)
        write()
        peak = self.peak_mib("follow", "--catch-up")
        if not os.environ.get("TRANSHUME_SANITIZE"):
            self.assertLess(peak, bound_mib)

    def assert_arrived(self, server=None, name=None):
        asked = "SELECT count(*), max(length(v)), sum(length(v)) FROM big"
        if server:
            found, = server.psql(name, asked)
        else:
            with contextlib.closing(sqlite3.connect(self.path("target.db"))) as db:
                found = map(str, db.execute(asked).fetchone())
        others = sum(len("value %d" % number) for number in range(1, ROWS + 1) if number != ROWS // 2)
        self.assertEqual(list(found), [str(ROWS), str(VALUE_BYTES), str(VALUE_BYTES + others)])

    def test_sqlite(self):
        with contextlib.closing(sqlite3.connect(self.path("source.db"))) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(self.DEFINITION)
        self.follow("sqlite:source.db", "sqlite:target.db", self.write_sqlite, BASE_MIB + 2 * VALUE_MIB)
        self.assert_arrived()

    def test_postgres(self):
        server = postgres.for_class(type(self), settings=postgres.FOLLOWED)
        source, target = server.database(), server.database()
        server.psql(source, self.DEFINITION)
        write = lambda: self.write_postgres(server, source)
        self.follow(server.uri(source), server.uri(target), write, BASE_MIB + VALUE_MIB + 2 * LIBPQ_MIB)
        self.assert_arrived(server, target)

    def test_postgres_to_sqlite(self):
        server = postgres.for_class(type(self), settings=postgres.FOLLOWED)
        source = server.database()
        server.psql(source, self.DEFINITION)
        self.follow(server.uri(source), "sqlite:target.db", lambda: self.write_postgres(server, source),
                    BASE_MIB + 2 * VALUE_MIB + LIBPQ_MIB)
        self.assert_arrived()


if __name__ == "__main__":
    unittest.main()
