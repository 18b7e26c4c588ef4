"""
A resume whose source's schema is another one by now: told and refused, or read again; never rows of two schemas in
silence.
"""
import os
import sys
import unittest

import support
from test_follow import PostgresSide, SqliteSide
from test_follow_mysql import MysqlSide

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import mariadb  # noqa: E402
import postgres  # noqa: E402

ROWS = 4000
SERVERS = {}


def server(kind):
    if kind not in SERVERS:
        SERVERS[kind] = kind.Server()
        unittest.addModuleCleanup(SERVERS[kind].stop)
    return SERVERS[kind]


class OtherTables:
    # does the catalogue tell a table from another one of its name and columns? Else the run says that its snapshot is
    # mixed
    TOLD_APART = False
    NUMBERS = ""  # a query of the numbers 1 to ROWS
    TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b VARCHAR(20))"
    AGAIN = ("DROP TABLE t; " + TABLE + "; INSERT INTO t SELECT n, -n, 'new' FROM (%s) q WHERE n %% 3 > 0",
             "ALTER TABLE t DROP COLUMN b; ALTER TABLE t ADD COLUMN b VARCHAR(20)")
    REFUSED = (("ALTER TABLE t ADD COLUMN c INTEGER", "t.c"), ("ALTER TABLE t DROP COLUMN b", "t.b"),
               ("DROP TABLE u", "u"),
               ("ALTER TABLE t RENAME COLUMN b TO d", "t.d"))

    def setUp(self):
        super().setUp()
        self.places = 0

    def interrupt(self):
        """A copy of both tables, half of one of which is done."""
        self.places += 1
        self.source, self.target = self.make_source("source%d" % self.places), SqliteSide(self,
            "copy%d.db" % self.places)
        self.source.make("%s; CREATE TABLE u (id INTEGER PRIMARY KEY); INSERT INTO t SELECT n, n, 'old' FROM (%s) q; "
                         "INSERT INTO u VALUES (1), (2)" % (self.TABLE, self.NUMBERS))
        self.state = ("--state", "state%d" % self.places)
        self.places_uris = (self.source.uri, self.target.uri)
        support.kill_at("engine.after_commit", 2, "migrate", "-q", "--chunk-rows", "1000", "--jobs", "1", *self.state,
                        *self.places_uris, cwd=self.folder)

    def test_another_table_or_column_is_read_again(self):
        for change in self.AGAIN:
            with self.subTest(change=change):
                self.interrupt()
                self.source.make(change % self.NUMBERS if "%s" in change else change)
                if not self.TOLD_APART:
                    self.assertIn("mixed snapshot", self.run_program("resume", *self.state, code=1).out)
                    continue
                for kill in "resume.after_reopen", "engine.after_commit":
                    support.kill_at(kill, 1, "resume", *self.state, cwd=self.folder)
                result = support.transhume("resume", *self.state, cwd=self.folder)
                self.assertIn(result.code, (0, 1))   # whether both tables are of one moment
                self.assertEqual(self.target.rows("t")[:3], self.source.rows("t")[:3])
                # a difference of thousands would be printed for minutes
                self.assertTrue(self.target.rows("t") == self.source.rows("t"))

    def test_another_schema_is_refused(self):
        for change, what in self.REFUSED:
            with self.subTest(change=change):
                self.interrupt()
                self.source.make(change)
                result = self.run_program("resume", *self.state, code=5)
                self.assertIn("its schema is not the one that the run began with", result.err)
                self.assertIn(what, result.err)


class OfPostgres(OtherTables, support.TestCase):
    TOLD_APART = True
    NUMBERS = "SELECT generate_series(1, %d) AS n" % ROWS
    AGAIN = OtherTables.AGAIN + ("ALTER TABLE t ALTER b TYPE VARCHAR(20) USING b || 'x'",)
    REFUSED = OtherTables.REFUSED + (("ALTER TABLE t ALTER a TYPE BIGINT", "t.a"),)

    def make_source(self, name):
        return PostgresSide(self, server(postgres), name)


class OfMariadb(OtherTables, support.TestCase):
    NUMBERS = "SELECT seq AS n FROM seq_1_to_%d" % ROWS
    REFUSED = OtherTables.REFUSED + (("ALTER TABLE t MODIFY a BIGINT", "t.a"),)

    def make_source(self, name):
        return MysqlSide(server(mariadb))


class OfSqlite(OtherTables, support.TestCase):
    NUMBERS = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d) SELECT n FROM c" % ROWS

    def make_source(self, name):
        return SqliteSide(self, name + ".db")
