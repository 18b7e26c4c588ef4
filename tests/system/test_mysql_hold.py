"""
MySQL as a source: what it reads is touched within its snapshot, so that nobody alters it before it is read. The others'
doings by mariadb.
"""
import contextlib
import os
import signal
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import support
import test_mysql

SCRIPT = """
CREATE TABLE plain (id int PRIMARY KEY, w int);
INSERT INTO plain SELECT seq, seq FROM seq_1_to_500;
CREATE TABLE keyless (id int, w int);
INSERT INTO keyless SELECT seq, seq FROM seq_1_to_500;
CREATE TABLE child (id int PRIMARY KEY, plain int);
INSERT INTO child SELECT seq, seq FROM seq_1_to_500;
CREATE TABLE behind (id int, w int);
INSERT INTO behind SELECT seq, seq FROM seq_1_to_500;
CREATE VIEW seen AS SELECT id, w FROM behind;
CREATE TABLE beside (id int PRIMARY KEY);
"""
SUM = 500 * 501 // 2
# What would be carried out at once, and have an older snapshot read its rows by the new columns; and what empties,
# drops or moves.
DOINGS = ("ALTER TABLE %s DROP COLUMN w, ADD COLUMN w int DEFAULT 7",
          "ALTER TABLE %s ADD COLUMN x int NOT NULL DEFAULT 7 FIRST",
          "ALTER TABLE %s MODIFY w text", "TRUNCATE %s", "DROP TABLE %s", "ALTER TABLE %s RENAME TO other")


class HoldCase(test_mysql.MysqlCase):
    def setUp(self):
        super().setUp()
        self.name = self.made(SCRIPT)
        self.source = self.server.uri(self.name)

    def sums(self, *tables):
        with contextlib.closing(sqlite3.connect(self.path("out.db"))) as db:
            return [db.execute("SELECT count(*), sum(w) FROM " + table).fetchone() for table in tables]

    def assert_held(self, sql):
        with self.assertRaisesRegex(AssertionError, "[Ll]ock wait timeout", msg=sql):
            self.server.ask(self.name, "SET lock_wait_timeout = 1; " + sql)


class WhatARunReads(HoldCase):
    def test_is_not_altered_before_it_is_read(self):
        process = self.stopped_at("mysql.snapshot_taken:stop:1", "migrate", "--include", "plain", "--include",
                                  "keyless", self.source, "sqlite:out.db")
        for sql in (DOINGS[0] % "plain", DOINGS[0] % "keyless", "TRUNCATE plain"):
            self.assert_held(sql)
        self.server.ask(self.name,
                        "INSERT INTO plain VALUES (1000, 1); UPDATE keyless SET w = 0; "
                        "ALTER TABLE beside ADD extra int")
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 0)
        self.assertEqual(self.sums("plain", "keyless"), [(500, SUM)] * 2)
        self.server.ask(self.name, "SET lock_wait_timeout = 1; TRUNCATE plain")

    def test_a_server_that_forgets_when_it_made_a_table(self):
        """MariaDB does, of one with an index on a virtual column, some time after it was filled: that is no change."""
        for number in range(10):
            self.server.ask(self.name, """DROP TABLE IF EXISTS forgotten;
CREATE TABLE forgotten (id int PRIMARY KEY, a int, w varchar(9) AS (concat('v', a)) VIRTUAL, UNIQUE KEY (w)); INSERT INTO forgotten(id, a) VALUES (1, 1), (2, 2)""")
            self.run_program("migrate", "-q", "--include", "forgotten", "--state", "state%d" % number, self.source,
                             "sqlite:forgotten%d.db" % number)

    def test_whatever_a_plan_reads(self):
        self.write("plan.yaml", """
transhume: 1
source: %s
target: sqlite:out.db
tables:
  q:
    entities: { q: { query: "SELECT id, w FROM keyless" } }
  child:
    entities: { child: { from: child, fields: { id: copy, w: { lookup: plain, match: { id: plain }, column: w } } } }
  view:
    entities: { view: { from: seen } }
""" % self.source)
        process = self.stopped_at("mysql.snapshot_taken:stop:1", "migrate", "--plan", "plan.yaml")
        for table in ("keyless", "plain", "child", "behind"):
            self.assert_held("ALTER TABLE %s ADD COLUMN y int" % table)
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 0)
        self.assertEqual(self.sums("q", "child", "view"), [(500, SUM)] * 3)

    def test_validate_holds_both_sides(self):
        target = self.made()
        self.run_program("migrate", "--include", "plain", self.source, self.server.uri(target))
        process = self.stopped_at("mysql.snapshot_taken:stop:2", "validate", "--include", "plain", self.source,
                                  self.server.uri(target))
        for name in (self.name, target):
            with self.assertRaisesRegex(AssertionError, "[Ll]ock wait timeout"):
                self.server.ask(name, "SET lock_wait_timeout = 1; ALTER TABLE plain ADD COLUMN x int")
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 0)


class WhatIsInTheWay(HoldCase):
    def between(self, sql, *options):
        """A run between whose snapshot and touching the statement comes."""
        process = self.stopped_at("mysql.snapshot_begun:stop:1", "migrate", "--include", "plain", "--include",
                                  "keyless", *options, self.source, "sqlite:out.db")
        self.server.ask(self.name, sql)
        process.send_signal(signal.SIGCONT)
        return support.finish(process)

    def test_a_table_that_was_altered(self):
        for doing in DOINGS:
            for table, options in (("plain", ()), ("keyless", ("--no-express",))):
                with self.subTest(doing % table):
                    self.server.ask(self.name,
                                    "DROP TABLE IF EXISTS plain, keyless, child, behind, other, beside; "
                                    "DROP VIEW IF EXISTS seen;" + SCRIPT)
                    result = self.between(doing % table, *options)
                    self.assert_code(result, 5)
                    self.assertIn("[source-changed]", result.err)
                    self.assertIn(table, result.err)

    def test_what_changed_beside_it(self):
        result = self.between("ALTER TABLE child ADD extra int; DROP VIEW seen; ANALYZE TABLE plain, keyless; "
                              "UPDATE plain SET w = 0; INSERT INTO keyless VALUES (1, 1)")
        self.assert_code(result, 0)
        self.assertEqual(self.sums("plain", "keyless"), [(500, SUM)] * 2)

    def test_a_lock_of_another_session(self):
        session = self.server.session(self.name)
        self.addCleanup(session.close)
        process = self.stopped_at("mysql.snapshot_begun:stop:1", "migrate", "--include", "plain", "--include",
                                  "keyless", "--timeout", "2s",
                                  self.source, "sqlite:out.db")
        session.ask("LOCK TABLES keyless WRITE; SELECT 1")
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 3)
        self.assertIn("[source-locked]", result.err)
        self.assertIn("keyless", result.err)


if __name__ == "__main__":
    unittest.main()
