"""
`schema up --dry-run` and `schema lint --database`: what is told of locks, rewrites and sizes, beside what the server
does.
"""
import contextlib
import json
import os
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import sql_case
import support

# By the strongest lock on the table: who waits.
WAITS = {"AccessExclusiveLock": "reads and writes", "ExclusiveLock": "writes", "ShareRowExclusiveLock": "writes",
         "ShareLock": "writes",
         "ShareUpdateExclusiveLock": "schema changes", "RowExclusiveLock": "none", "AccessShareLock": "none"}
ROWS = 20000


class Case:
    def setUp(self):
        super().setUp()
        self.uri = self.new_target()
        os.mkdir(self.path("migrations"))

    def migration(self, name, text):
        return self.write(os.path.join("migrations", name), text)

    def told(self):
        """By line: what is told of the statements of all pending files."""
        return {one["line"]: one for act in json.loads(self.run_program("schema", "up", self.uri, "--dry-run",
                                                                        "--json").out)["would"]
                for one in act["statements"]}

    def lint(self, *arguments, code=1):
        return self.run_program("schema", "lint", "--database", self.uri, *arguments, code=code).out


class OnPostgres(sql_case.ServerTarget, Case, support.TestCase):
    SERVERS = postgres
    # One a line; the last part says what is done to all rows.
    STATEMENTS = [("ALTER TABLE t ALTER n TYPE bigint;", "rewrite"), ("ALTER TABLE t ADD c int;", "none"),
                  ("CREATE INDEX t_n ON t (n);", "index"),
                  ("ALTER TABLE t ADD CHECK (n > -1);", "read"),
                  ("ALTER TABLE t ADD CHECK (n > -1) NOT VALID;", "none"),
                  ("ALTER TABLE t VALIDATE CONSTRAINT later;", "read"), ("ALTER TABLE t ADD UNIQUE (id);", "index"),
                  ("ALTER TABLE t RENAME n TO m;", "none"),
                  ("ALTER TABLE t ALTER n SET STATISTICS 10;", "none"),
                  ("ALTER TABLE t ADD FOREIGN KEY (n) REFERENCES other (id);", "read"),
                  ("ALTER TABLE t ALTER n SET NOT NULL;", "read"), ("UPDATE t SET n = n;", "rows"),
                  ("DELETE FROM t;", "rows"), ("TRUNCATE t;", "none"),
                  ("DROP TABLE t;", "none"), ("COMMENT ON TABLE t IS 'x';", "none"),
                  ("INSERT INTO t VALUES (-1, 1);", "none"),
                  ("CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION "
                   "suppress_redundant_updates_trigger();", "none")]

    def setUp(self):
        super().setUp()
        self.ask("CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other SELECT generate_series(0, 9);"
                 "CREATE TABLE t (id int, n int); INSERT INTO t SELECT g, g %% 10 FROM generate_series(1, %d) g;"
                 "ALTER TABLE t ADD CONSTRAINT later CHECK (n < 99) NOT VALID; ANALYZE" % ROWS)

    def held(self, statement):
        """Who waits for the table while the statement's transaction is open."""
        modes = self.ask("BEGIN; CREATE TEMP TABLE before ON COMMIT DROP AS SELECT 't'::regclass::oid AS t; %s "
                         "SELECT mode FROM pg_locks, before WHERE relation = t AND pid = pg_backend_pid(); ROLLBACK"
                         % statement)
        found = {WAITS.get(row[0]) for row in modes}
        return next(word for word in ("reads and writes", "writes", "schema changes", "none") if word in found)

    def test_what_is_told_is_what_is_held(self):
        for statement, work in self.STATEMENTS:
            with self.subTest(statement):
                self.migration("001_x.sql", statement + "\n")
                told = self.told()[1]
                self.assertEqual((told["lock"], told["work"]), (self.held(statement), work))
                if work not in ("none", "rows"):
                    self.assertEqual((told["table"], told["rows"]), ("t", ROWS))
                    self.assertGreater(told["bytes"], ROWS * 20)
                    self.assertGreater(told["seconds"], -0.1)

    def test_in_words(self):
        self.migration("001_x.sql",
                       "CREATE TABLE fresh (a int);\nCREATE INDEX ON fresh (a);\nALTER TABLE t ALTER n TYPE bigint;\n")
        self.migration("002_y.sql", "CREATE INDEX CONCURRENTLY t_n ON t (n);\n")
        said = self.run_program("schema", "up", self.uri, "--dry-run").out
        self.assertRegex(said,
                         r"-- line 3: t: readers and writers wait; the table is written anew: about 20(\.0)? ?k? ?\S* "
                         r"?rows, [\d.]+ .*iB, some moments\nALTER")
        self.assertIn("-- without a transaction\n-- line 1: t: other schema changes wait; an index is built", said)
        self.assertIn("-- line 2: fresh: nobody waits", said)
        self.assertEqual(self.ask("SELECT count(*) FROM pg_tables WHERE tablename LIKE '%transhume%'"), [["0"]])

    def test_lint_knows_the_database(self):
        self.migration("001_x.sql", "ALTER TABLE t ALTER n TYPE bigint;\n")
        self.migration("002_y.sql", "CREATE INDEX few_a ON few (a);\n")
        self.ask("CREATE TABLE few (a int); INSERT INTO few VALUES (1); ANALYZE few")
        alone = self.run_program("schema", "lint", code=1).out
        self.assertIn("on the table's size: --database URI looks at it", alone)
        said = self.lint()
        self.assertIn("The table has about %d rows" % ROWS, said)
        self.assertRegex(said, r"by the tables of PostgreSQL \d+")
        levels = {(row["file"], row["level"]) for row in json.loads(self.lint("--json")) if "concurrent" in row["rule"]
                  or "type" in row["rule"]}
        self.assertIn(("migrations/001_x.sql", "warning"), levels)
        self.assertIn(("migrations/002_y.sql", "note"), levels)
        self.run_program("schema", "up", "1", self.uri)
        self.assertNotIn("001_x.sql", self.lint("--json", code=0))   # it is applied
        # its column is a bigint by now
        self.assertEqual(json.loads(self.lint("migrations/001_x.sql", "--json", code=0)), [])

    def test_a_database_that_is_not_there(self):
        self.migration("001_x.sql", "CREATE TABLE x (a int);\n")
        self.uri = "postgres://postgres@127.0.0.1:1/none"
        self.run_program("schema", "lint", "--database", self.uri, "--timeout", "1s", code=3)


class OnMariadb(sql_case.ServerTarget, Case, support.TestCase):
    SERVERS = mariadb

    def test_sizes(self):
        self.ask("CREATE TABLE t (id int PRIMARY KEY, v varchar(10)); INSERT INTO t SELECT seq, 'x' FROM seq_1_to_%d; "
                 "ANALYZE TABLE t" % ROWS)
        self.migration("001_x.sql",
                       "ALTER TABLE t MODIFY v int;\nALTER TABLE t ADD COLUMN c int;\nCREATE INDEX t_v ON t (v);\n")
        told = self.told()
        self.assertEqual([(told[line]["lock"], told[line]["work"]) for line in (1, 2, 3)],
                         [("reads and writes", "rewrite"), ("schema changes", "none"), ("schema changes", "index")])
        self.assertGreater(told[1]["rows"], ROWS // 2)
        self.assertIn("by the tables of MariaDB", self.lint())


class OnSqlite(sql_case.SqliteTarget, Case, support.TestCase):
    def test_sizes(self):
        with contextlib.closing(sqlite3.connect(self.path(self.file))) as db, db:
            db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
            db.executemany("INSERT INTO t VALUES (?, 'x')", [(number,) for number in range(1, ROWS + 1)])
        self.migration("001_x.sql", "CREATE INDEX t_v ON t (v);\nSELECT 1;\n")
        told = self.told()
        self.assertEqual([(told[1][key]) for key in ("lock", "work", "table", "rows")], ["writes", "index", "t", ROWS])
        self.assertEqual(told[2]["lock"], "none")
        said = self.run_program("schema", "up", self.uri, "--dry-run").out
        self.assertIn("writers of the whole database wait; an index is built", said)


if __name__ == "__main__":
    unittest.main()
