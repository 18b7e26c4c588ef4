"""The kill matrix of runs into and out of PostgreSQL, and its server's and its connections' deaths."""
import contextlib
import os
import shutil
import signal
import sqlite3
import sys
import time
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import engines
from engines import rows
import postgres
import support
from kill_matrix import KillMatrix, make_source, rows_by_table
from sql_deaths import SqlDeaths

OPTIONS = ["--chunk-rows", "100", "--jobs", "2", "--exclude", "found*"]


def dump(server, name):
    """{table: sorted rows as texts}, without the program's own."""
    return {table: found for (schema, table), found in server.rows(name).items() if schema == "public"
            and not table.startswith("_transhume")}


class KillPostgres(KillMatrix):
    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)
        # of its own, and left alone: then a resume can tell that nothing was written
        cls.quiet = postgres.for_class(cls, settings={"autovacuum": "off"})

    def setUp(self):
        super().setUp()
        self.target = self.server.database()

    def empty_target(self):
        self.server.psql(self.target, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def source(self):
        source = self.path("shop.db")
        make_source(source, keyless=True)
        return source

    def whole(self, source):
        """What a copy that nobody disturbs leaves, seen to hold what the source does."""
        name = self.quiet.database()
        self.assert_code(support.transhume("migrate", "--state", "state-whole", *OPTIONS, source,
                                           self.quiet.uri(name), cwd=self.folder), 0)
        rows.assert_same(self, engines.sqlite.contents(source, left_out="found"),
                         engines.postgres.contents(self.quiet, name))
        return name, dump(self.quiet, name)

    def test_sqlite_to_postgres(self):
        source = self.source()
        _, expected = self.whole(source)
        self.matrix([*OPTIONS, source, self.server.uri(self.target)],
                    lambda folder: self.assertEqual(dump(self.server, self.target), expected))

    def test_postgres_to_postgres(self):
        source, expected = self.whole(self.source())
        self.matrix([*OPTIONS, self.quiet.uri(source), self.server.uri(self.target)],
                    lambda folder: self.assertEqual(dump(self.server, self.target), expected))

    def test_postgres_to_sqlite(self):
        source, _ = self.whole(self.source())
        self.assert_code(support.transhume("migrate", "--state", "state-back", *OPTIONS, self.quiet.uri(source),
                                           "back.db", cwd=self.folder), 0)
        rows.assert_same(self, engines.sqlite.contents(self.path("shop.db"), left_out="found"),
                         engines.sqlite.contents(self.path("back.db")))
        expected = rows_by_table(self.path("back.db"))
        self.matrix([*OPTIONS, self.quiet.uri(source), "sqlite:copy.db"],
                    lambda folder: self.assertEqual(rows_by_table(os.path.join(folder, "copy.db")), expected))


class Deaths(SqlDeaths, support.TestCase):
    SERVERS, NAME = postgres, "postgres"
    COMMIT = b"COMMIT\0"
    TABLE_IS_THERE = "SELECT 1 FROM pg_tables WHERE tablename = 't'"

    def test_a_session_that_is_ended(self):
        process = support.start("migrate", "--chunk-rows", "100", "--rows-per-second", "1500", self.source,
                                self.server.uri(self.target), cwd=self.folder)
        deadline = time.monotonic() + 20 * support.PATIENCE
        ended = []
        while time.monotonic() < deadline and process.poll() is None and not ended:
            ended = self.server.psql(
                self.target,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND (query LIKE '%COPY%' OR query LIKE 'COMMIT%') AND pid <> pg_backend_pid() AND EXISTS "
                "(SELECT 1 FROM pg_tables WHERE tablename = 't')")
        self.assert_code(support.finish(process), 0)
        self.assertTrue(ended)
        self.assert_whole()


class SourceDeaths(support.TestCase):
    """The source's sessions and server end while it is read; what was copied is whole after a resume."""

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def setUp(self):
        super().setUp()
        self.source = self.server.database()
        self.server.psql(self.source, "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE nokey (id int);"
                                      "INSERT INTO t SELECT i, 'text ' || i FROM generate_series(1, 3000) i;"
                                      "INSERT INTO nokey SELECT generate_series(1, 500)")

    def begun(self):
        """A copy to SQLite that is at work on its first chunks."""
        process = support.start("migrate", "--chunk-rows", "100", "--jobs", "2", "--rows-per-second", "1200",
                                self.server.uri(self.source), "sqlite:copy.db", cwd=self.folder)
        deadline = time.monotonic() + 60 * support.PATIENCE
        while time.monotonic() < deadline and process.poll() is None and not self.done():
            time.sleep(0.02)
        return process

    def done(self):
        if not os.path.exists(self.path("copy.db")):
            return 0
        with contextlib.closing(sqlite3.connect("file:%s?mode=ro" % self.path("copy.db"), uri=True)) as db:
            try:
                return db.execute("SELECT count(*) FROM _transhume_ledger WHERE name LIKE 'run/%/done/%'").fetchone()[0]
            except sqlite3.Error:
                return 0

    def ended(self, condition):
        """How many sessions of the program were ended."""
        return len(self.server.psql(self.source,
                                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                                                 "current_database() AND application_name = 'transhume' AND "
                                    + condition))

    def go_on(self, process, codes):
        result = support.finish(process)
        self.assertIn(result.code, codes, result.err)
        if result.code != 0:
            resumed = support.transhume("resume", self.server.uri(self.source), "sqlite:copy.db", cwd=self.folder)
            self.assertIn(resumed.code, (0, 1), resumed.err)
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
            self.assertEqual(db.execute("SELECT count(*), count(DISTINCT id), sum(id), min(v) FROM t").fetchone(),
                             (3000, 3000, 3000 * 3001 // 2, "text 1"))
            self.assertEqual(db.execute("SELECT count(*), sum(id) FROM nokey").fetchone(), (500, 500 * 501 // 2))
        return result

    def test_the_session_that_holds_the_snapshot(self):
        """Those who read it go on."""
        process = self.begun()
        self.assertEqual(self.ended("state = 'idle in transaction' AND query NOT LIKE 'COPY%' AND backend_start = "
                                    "(SELECT "
                                    "min(backend_start) FROM pg_stat_activity WHERE application_name = 'transhume' AND "
                                    "datname = current_database())"), 1)
        self.go_on(process, (0, 3))

    def test_all_sessions(self):
        """The snapshot is gone with them, and that is said."""
        process = self.begun()
        self.assertGreater(self.ended("true"), 1)
        result = self.go_on(process, (3,))
        self.assertIn("the snapshot is lost", result.err)
        self.assertIn("resume", result.err)

    def test_the_server(self):
        process = self.begun()
        self.server.kill()
        time.sleep(0.2)
        self.server.start()
        self.go_on(process, (3,))


class ChangedSource(support.TestCase):
    """A source that somebody changed before the resume: what is read in the order of a key goes on and is said to be
    mixed, what is read by its
    place in the heap starts again."""
    ROWS = 4300
    # a row a block, each block full: more than what is read whole, and an updated row moves to the heap's end
    HEAP = ("CREATE TABLE heap (id int%s, v text); ALTER TABLE heap ALTER v SET STORAGE PLAIN; INSERT INTO heap "
            "SELECT i, repeat('x', 4100) FROM generate_series(1, %d) i ORDER BY md5(i::text); ANALYZE heap")
    FIRST = "UPDATE heap SET v = v || '!' WHERE ctid = '(0,1)'"   # its chunk is done

    @classmethod
    def setUpClass(cls):
        # left alone: then a resume can tell that nothing was written
        cls.server = postgres.for_class(cls, settings={"autovacuum": "off"})

    def setUp(self):
        super().setUp()
        self.source = self.server.database()
        self.uri = self.server.uri(self.source)

    def heap(self, key=""):
        self.server.psql(self.source, self.HEAP % (key, self.ROWS))

    def killed(self, target, failpoint):
        self.arguments = ("--chunk-rows", "500", "--jobs", "1", self.uri, target)
        self.assert_code(support.kill_at(failpoint, 4, "migrate", *self.arguments, cwd=self.folder), -signal.SIGKILL)

    def resume(self, code):
        result = self.run_program("resume", *self.arguments, code=code)
        status = self.run_program("status").out
        for said in (result.out, result.err, status):
            (self.assertIn if code == 1 else self.assertNotIn)("mixed", said)
        return result

    def test_a_table_with_a_key_goes_on(self):
        self.server.psql(self.source,
                         "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, "
                         "'old' FROM generate_series(1, 3000) i")
        for changed in (False, True):
            with self.subTest(changed=changed):
                shutil.rmtree(self.path(".transhume"), ignore_errors=True)
                self.killed("sqlite:%s.db" % changed, "sqlite.after_commit")
                if changed:
                    self.server.psql(self.source,
                                     "UPDATE t SET v = 'new'; DELETE FROM t WHERE id = 2999; "
                                     "INSERT INTO t VALUES (3001, 'new')")
                result = self.resume(1 if changed else 0)
                if changed:
                    self.assertIn("a mixed snapshot of the source", " ".join(result.out.split()))
                    self.assertIn("the snapshot is mixed: the source may have changed between the attempts", result.err)
                self.assertNotIn("starts over", result.err)
                with contextlib.closing(sqlite3.connect(self.path("%s.db" % changed))) as db:
                    found = dict(db.execute("SELECT id, v FROM t"))
                self.assertEqual(sorted(found), [*range(1, 2999), 3000, 3001] if changed else [*range(1, 3001)])
                self.assertEqual({found[1], found[500]}, {"old"})
                self.assertEqual({found[3000], found[2998]}, {"new" if changed else "old"})

    def test_a_heap_that_is_cut_by_blocks_starts_again(self):
        """Else a row that moved behind what was read would be there twice."""
        for key in ("", " PRIMARY KEY"):
            with self.subTest(key=key):
                self.server.psql(self.source, "DROP TABLE IF EXISTS heap")
                shutil.rmtree(self.path(".transhume"), ignore_errors=True)
                self.heap(key)
                target = self.server.database()
                self.killed(self.server.uri(target), "postgres.after_commit")
                self.assertEqual(len(self.server.psql(target,
                                                      "SELECT name FROM _transhume_ledger WHERE name LIKE "
                                                      "'run/%/done/%'")), 4)
                self.server.psql(self.source, self.FIRST)
                result = self.resume(1)
                self.assertIn("table heap starts over: the source changed, and a stream of it has no stable key",
                              result.err)
                digest = ("SELECT count(*), count(DISTINCT id), sum(id), sum(length(v)), md5(string_agg(id || v, "
                          "',' ORDER BY id)) FROM heap")
                self.assertEqual(self.server.psql(target, digest), self.server.psql(self.source, digest))

    def test_into_a_table_of_others_it_is_refused(self):
        self.heap()
        target = self.server.database()
        self.server.psql(target, "CREATE TABLE heap (id int, v text)")
        self.killed(self.server.uri(target), "postgres.after_commit")
        counted = self.server.psql(target, "SELECT count(*), count(DISTINCT id) FROM heap")
        self.server.psql(self.source, self.FIRST)
        result = self.run_program("resume", *self.arguments, code=5)
        self.assertIn("source-changed", result.err)
        self.assertIn("heap", result.err)
        self.assertIn("this run did not make the table", result.err)
        self.assertIn("transhume reset --confirm", result.err)
        self.assertEqual(self.server.psql(target, "SELECT count(*), count(DISTINCT id) FROM heap"), counted)


if __name__ == "__main__":
    unittest.main()
