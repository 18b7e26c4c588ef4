"""DuckDB files as source and target: all types both ways, keys, policies, kills, rollbacks, and what is said where it
can't be.

What was written is read by DuckDB's own Python module, and what is read was written by it (duckdb_oracle.py). The
program opens
DuckDB's C library while it runs; without that, or without the module, the tests are skipped.
"""
import glob
import json
import os
import sqlite3
import subprocess
import sys
import unittest

import support
sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))
from engines import duckdb as engine  # noqa: E402
sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "servers"))
import cache  # noqa: E402

ORACLE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "duckdb_oracle.py")
TYPES = """
CREATE TABLE typed(id INTEGER PRIMARY KEY, j JSON, u UNION(n INTEGER, s VARCHAR), bits BIT, h HUGEINT, uh UHUGEINT, ub UBIGINT, uuid UUID, iv INTERVAL,
 st STRUCT(a INTEGER, b VARCHAR[]), mp MAP(VARCHAR, INTEGER), ar INTEGER[3], tz TIMESTAMPTZ, tt TIMETZ, ts TIMESTAMP_S, tm TIMESTAMP_MS, tn TIMESTAMP_NS,
 t TIMESTAMP, da DATE, ti TIME, e ENUM('a', 'b'), d DECIMAL(20,4), wide DECIMAL(38,10), bl BLOB, f FLOAT, x DOUBLE, b BOOLEAN, tiny TINYINT,
 g INTEGER GENERATED ALWAYS AS (id * 2))
"""
FULL = """
INSERT INTO typed VALUES (1, '{"a": [1, 2]}', union_value(n := 5), '10101', -170141183460469231731687303715884105728,
 340282366920938463463374607431768211455, 18446744073709551615, 'b6d2f5a2-8e6b-4d0b-9a55-5b0a6b0e0f10', INTERVAL '1 year 2 days 3.5 seconds',
 {'a': 1, 'b': ['x', NULL]}, MAP {'k': 1, 'l': NULL}, [1, 2, NULL], '2024-01-01 12:00:00+00', '10:00:00+05:30', '2024-01-01 00:00:01',
 '2024-01-01 00:00:01.123', '2024-01-01 00:00:01.123456789', 'infinity', '-infinity', '24:00:00', 'b', -1234567890.1234,
 12345678901234567890.0123456789, '\\x00\\xff'::BLOB, 1.5, 'nan', true, -128)
"""
EXPECTED = {
    "id": 1, "j": {"a": [1, 2]}, "u": {"n": 5}, "bits": "10101", "h": -170141183460469231731687303715884105728,
    "uh": 340282366920938463463374607431768211455, "ub": 18446744073709551615,
    "uuid": "b6d2f5a2-8e6b-4d0b-9a55-5b0a6b0e0f10",
    "st": {"a": 1, "b": ["x", None]}, "mp": {"k": 1, "l": None}, "ar": [1, 2, None], "e": "b", "f": 1.5, "b": True,
    "tiny": -128, "g": 2}


def setUpModule():
    if not os.path.exists(os.path.join(os.path.dirname(support.PROGRAM), "duckdb.so")):
        raise unittest.SkipTest("no libduckdb: this build has no module for it")
    try:
        os.environ["TRANSHUME_DUCKDB"] = engine.library()
    except cache.Unavailable as fault:
        raise unittest.SkipTest("no libduckdb: %s" % fault) from fault


class DuckdbCase(support.TestCase):
    maxDiff = 4000

    def python(self):
        try:
            return os.path.normpath(os.path.join(os.path.dirname(cache.get("parquet-hands")), "..", "..", "..", "..",
                                                 "bin", "python"))
        except cache.Unavailable as fault:
            return self.skipTest(str(fault))

    def ask(self, file, *statements):
        """What DuckDB itself answers to the last one."""
        done = subprocess.run([self.python(), ORACLE, file, *statements], cwd=self.folder, check=True,
                              stdout=subprocess.PIPE)
        return json.loads(done.stdout)

    def number(self, file, sql):
        return int(self.ask(file, sql)[0][0])

    def same(self, one, other, table):
        """Do both files hold the same rows of a table?"""
        for left, right in ((one, other), (other, one)):
            self.assertEqual(self.ask(left, "ATTACH '%s' AS other (READ_ONLY)" % right,
                                      "SELECT count(*) FROM (SELECT * FROM %s EXCEPT ALL SELECT * FROM other.%s)"
                                      % (table, table)), [["0"]], (left, table))

    def make_sqlite(self, rows=3000):
        support.make_sqlite(self.path("a.db"), """
            CREATE TABLE artist(id INTEGER PRIMARY KEY, name TEXT NOT NULL, born DATE, price NUMERIC(10,2));
            CREATE TABLE album(id INTEGER PRIMARY KEY, artist_id INTEGER REFERENCES artist(id), title VARCHAR(40), b BLOB, r REAL, u TEXT UNIQUE);
            CREATE INDEX album_artist ON album(artist_id);
            CREATE TABLE keyless(a, b TEXT);""")
        with sqlite3.connect(self.path("a.db")) as db:
            db.executemany("INSERT INTO artist VALUES (?,?,?,?)",
                           [(i, "n%d" % i, "2024-01-%02d" % (1 + i % 28), i / 4) for i in range(1, rows + 1)])
            db.executemany("INSERT INTO album VALUES (?,?,?,?,?,?)", [
                (i, 1 + i % rows, "t%d \U0001f411" % i if i % 3 else None, bytes([i % 256, 0]) if i % 2 else None,
                 i / 7, "u%d" % i)
                for i in range(1, 2 * rows + 1)])
            db.executemany("INSERT INTO keyless VALUES (?,?)", [(i % 50, "x" * (i % 30)) for i in range(500)])
        db.close()


class Source(DuckdbCase):

    def test_all_types(self):
        self.ask("t.duckdb", TYPES, FULL, "INSERT INTO typed(id) VALUES (2)")
        self.run_program("migrate", "t.duckdb", "jsonl:out")
        with open(glob.glob(self.path("out", "typed", "*.jsonl"))[0], encoding="utf-8") as file:
            first, second = sorted((json.loads(line) for line in file), key=lambda record: record["id"])
        self.assertEqual({name: first[name] for name in EXPECTED}, EXPECTED)
        self.assertEqual((first["d"], first["t"], first["da"]), (-1234567890.1234, "infinity", "-infinity"))
        self.assertEqual(first["tn"], "2024-01-01T00:00:01.123456789")
        self.assertTrue(all(value is None for name, value in second.items() if name not in ("id", "g")))

    def test_many_rows_views_and_queries(self):
        self.ask("t.duckdb", "CREATE TABLE big AS SELECT i AS id, i * 2 AS v, 'text' || i AS s FROM range(300000) r(i)",
                 "CREATE TABLE keyed(w VARCHAR PRIMARY KEY, n INTEGER)",
                 "INSERT INTO keyed SELECT 'w' || i, i FROM range(20000) r(i)",
                 'CREATE TABLE "we ird"("a b" INTEGER, "q""q" VARCHAR)',
                 "INSERT INTO \"we ird\" VALUES (1, 'x'), (2, NULL)")
        self.run_program("migrate", "--chunk-rows", "50000", "t.duckdb", "o.db")
        db = sqlite3.connect(self.path("o.db"))
        self.assertEqual(db.execute("SELECT count(*), sum(id), sum(v), sum(length(s)) FROM big").fetchone(),
                         tuple(map(int, self.ask(
                             "t.duckdb", "SELECT count(*), sum(id), sum(v), sum(length(s)) FROM big")[0])))
        self.assertEqual(db.execute("SELECT count(*), sum(n) FROM keyed").fetchone(), (20000, 199990000))
        self.assertEqual(db.execute('SELECT * FROM "we ird" ORDER BY 1').fetchall(), [(1, "x"), (2, None)])
        db.close()
        self.run_program("validate")


class Target(DuckdbCase):

    def test_written_as_it_was(self):
        self.make_sqlite()
        self.run_program("migrate", "--chunk-rows", "700", "a.db", "duckdb:out.duckdb")
        db = sqlite3.connect(self.path("a.db"))
        for table, columns in (("artist", "count(*), sum(id), count(DISTINCT name), sum(price)"),
                               ("album", "count(*), sum(artist_id), count(title), sum(length(b))")):
            expected = [float(value) for value in db.execute("SELECT %s FROM %s" % (columns, table)).fetchone()]
            found = self.ask("out.duckdb", "SELECT %s FROM %s" % (columns.replace("length(b)", "octet_length(b)"),
                                                                  table))[0]
            self.assertEqual([float(value) for value in found], expected)
        db.close()
        self.assertEqual(self.ask("out.duckdb",
                                  "SELECT column_name, data_type, is_nullable FROM duckdb_columns() WHERE table_name = "
                                  "'artist' ORDER BY column_index"),
                         [["id", "BIGINT", "False"], ["name", "VARCHAR", "False"], ["born", "DATE", "True"],
                          ["price", "DECIMAL(10,2)", "True"]])
        self.assertEqual(self.ask("out.duckdb",
                                  "SELECT constraint_type, constraint_column_names FROM duckdb_constraints() WHERE "
                                  "table_name = 'album' AND "
                                  "constraint_type = 'PRIMARY KEY'"), [["PRIMARY KEY", "['id']"]])
        self.assertEqual(self.ask("out.duckdb", "SELECT index_name, is_unique FROM duckdb_indexes() ORDER BY 1")[0],
                         ["album_artist", "False"])
        self.assertEqual(self.ask("out.duckdb",
                                  "SELECT constraint_column_names, referenced_table, "
                                  "referenced_column_names FROM duckdb_constraints() WHERE "
                                  "constraint_type = 'FOREIGN KEY'"), [["['artist_id']", "artist", "['id']"]])
        self.run_program("validate")
        self.assertEqual(os.stat(self.path("out.duckdb")).st_mode & 0o777, 0o600)
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertFalse(os.path.exists(self.path("out.duckdb")))

    def test_copy_of_its_own_kind(self):
        self.ask("t.duckdb", TYPES.replace("u UNION(n INTEGER, s VARCHAR), bits BIT, ", ""),
                 FULL.replace("union_value(n := 5), '10101', ", ""), "INSERT INTO typed(id) VALUES (2)",
                 "CREATE TABLE checked(id INTEGER PRIMARY KEY CHECK (id > 0), w VARCHAR UNIQUE NOT NULL DEFAULT 'w')",
                 "INSERT INTO checked SELECT i, 'w' || i FROM range(1, 5000) r(i)",
                 "CREATE INDEX checked_w ON checked(lower(w))",
                 "CREATE TABLE nested AS SELECT i AS id, {'w': 'word' || (i % 5), 'l': ['x' || (i % 3), NULL]} AS st, "
                 "MAP {'k' || (i % 4): i} AS m FROM range(20000) r(i)",
                 "CREATE TABLE lists AS SELECT i AS id, list_transform(range(5000), "
                 "x -> CASE WHEN x % 7 = i THEN NULL ELSE x END) AS l FROM range(3) r(i)")
        self.run_program("migrate", "t.duckdb", "duckdb:o.duckdb")
        for table in ("typed", "checked", "nested", "lists"):
            self.same("t.duckdb", "o.duckdb", table)
        words = "SELECT sql FROM duckdb_tables() WHERE table_name NOT LIKE '\\_trans%' ESCAPE '\\' ORDER BY 1"
        self.assertEqual(len(self.ask("o.duckdb", words)), 4)
        self.assertEqual(self.ask("o.duckdb", "SELECT index_name FROM duckdb_indexes() WHERE index_name = 'checked_w'"),
                         [["checked_w"]])

    def test_killed_and_resumed(self):
        self.make_sqlite()
        for place in ("duckdb.before_schema", "duckdb.after_schema", "duckdb.before_mark", "duckdb.before_commit",
                      "duckdb.after_commit:kill:4",
                      "duckdb.before_references", "duckdb.after_references", "duckdb.before_index"):
            with self.subTest(place=place):
                state, target = "s" + place, "%s.duckdb" % place.replace(":", "-")
                rule = place if ":" in place else place + ":kill"
                done = support.transhume("migrate", "--state", state, "--chunk-rows", "700", "a.db", "duckdb:" + target,
                                         cwd=self.folder,
                                         env={"TRANSHUME_FAILPOINT": rule})
                self.assertEqual(done.code, -9, done)
                self.run_program("resume", "--state", state)
                self.assertEqual(self.ask(target, "SELECT count(*), count(DISTINCT id), sum(id) FROM album"),
                                 [["6000", "6000", "18003000"]])
                self.assertEqual(self.ask(target, "SELECT count(*) FROM keyless"), [["500"]])

    def existing(self, policy, code=0):
        self.write("plan.yaml",
                   "transhume: 1\nsource: a.db\ntarget: duckdb:o.duckdb\ntables:\n  artist: { from: artist, key: [id], "
                   "existing: %s }\n" % policy)
        return self.run_program("migrate", "--state", policy, "--plan", "plan.yaml", code=code)

    def test_records_that_are_there(self):
        self.make_sqlite()
        for policy, kept, rejected in (("append", "old", 2), ("skip", "old", 1), ("upsert", "n2", 1),
                                       ("replace", "n2", 1)):
            with self.subTest(policy=policy):
                for name in ("o.duckdb", "o.duckdb.wal"):
                    if os.path.exists(self.path(name)):
                        os.unlink(self.path(name))
                self.ask("o.duckdb",
                         "CREATE TABLE artist(id BIGINT PRIMARY KEY, name VARCHAR NOT NULL, born DATE, "
                         "price DECIMAL(10,2), mine VARCHAR, CHECK (id <> 7))",
                         "INSERT INTO artist VALUES (2, 'old', NULL, NULL, 'mine')",
                         "INSERT INTO artist VALUES (-5, 'other', NULL, NULL, 'mine')")
                self.existing(policy, code=1)
                self.assertEqual(len(self.rejects(policy)), rejected)
                rows = self.ask("o.duckdb", "SELECT name, mine FROM artist WHERE id = 2")
                self.assertEqual(rows, [[kept, None if policy == "replace" else "mine"]])
                self.assertEqual(self.number("o.duckdb", "SELECT count(*) FROM artist"), 3000)
                self.run_program("rollback", "--state", policy, "--run", self.run_id(policy), "--confirm")
                self.assertEqual(self.ask("o.duckdb", "SELECT id, name, mine FROM artist ORDER BY id"),
                                 [["-5", "other", "mine"], ["2", "old", "mine"]])
        self.assertEqual(self.existing("refuse", code=5).code, 5)


class Refusals(DuckdbCase):

    def test_a_file_that_another_process_has(self):
        self.make_sqlite(10)
        holder = subprocess.Popen([self.python(), ORACLE, "hold", "o.duckdb"], cwd=self.folder, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        self.addCleanup(self.end, holder)
        self.assertEqual(holder.stdout.readline(), b"held\n")
        for arguments in (("migrate", "a.db", "duckdb:o.duckdb"), ("migrate", "duckdb:o.duckdb", "jsonl:out")):
            done = self.run_program(*arguments, code=3)
            self.assertIn("open in another process: ", done.err)
            self.assertIn("PID %d" % holder.pid, done.err)

    def test_no_library(self):
        self.make_sqlite(10)
        done = self.run_program("migrate", "a.db", "duckdb:o.duckdb", code=2,
                                env={"TRANSHUME_DUCKDB": "/nonexistent/libduckdb.so"})
        self.assertIn("DuckDB's library can't be loaded", done.err)
        self.assertIn("TRANSHUME_DUCKDB=", done.err)

    def test_what_is_no_duckdb_file(self):
        self.write("x.duckdb", "this is a text of some length that no database begins with\n" * 400)
        self.assertIn("not a valid DuckDB database", self.run_program("migrate", "x.duckdb", "jsonl:out", code=2).err)
        self.assertIn("can't be reached", self.run_program("migrate", "duckdb:none.duckdb", "jsonl:out", code=2).err)


if __name__ == "__main__":
    unittest.main()
