"""What becomes of a followed run when tables of its source are altered, dropped, made again or made.

Each change is made while `follow` is stopped, and while it runs. Then the target has to hold what the source holds,
also in
rows that nobody changed since; or the table is left with a line that names it, and the others go on.
"""
import json
import os
import shutil
import signal
import sqlite3
import sys

import support
from test_follow import PostgresSide, SqliteSide
from test_follow_mysql import MysqlSide, followed

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import mariadb  # noqa: E402
import postgres  # noqa: E402
from tcp_proxy import TcpProxy  # noqa: E402

SCHEMA = ("CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, c VARCHAR(5) NOT NULL);"
          "CREATE TABLE old (id INTEGER PRIMARY KEY, v INTEGER); CREATE TABLE other (id INTEGER PRIMARY KEY, "
          "v INTEGER);"
          "INSERT INTO t VALUES (1, 1, 10, 'x'), (2, 300, 20, 'y'), (3, 3, 30, 'z'); INSERT INTO old VALUES (1, 1), "
          "(2, 2); INSERT INTO other VALUES (1, 1);")


class Changes:
    """What holds for each source and target: subclasses say which, and how a change is written."""

    columns = "id, a, b, c"
    reread = ()     # (what, statements) behind which the target is what the source is
    constraints = ()  # statements that change no value
    left = ()       # (what, statements, table) behind which the table is left, and the others go on

    made = 0
    keyless_is_followed = False  # of new tables that do nothing for it

    def some(self, cases, salt=""):
        """All in a soak; else one that is drawn."""
        return support.drawn(cases, 1, "%s %s" % (self.id(), salt))

    def fresh(self):
        """Two databases of which nobody knows yet."""
        self.abandon()
        shutil.rmtree(self.path(".transhume"), ignore_errors=True)
        self.made += 1
        self.source, self.target = self.sides()
        self.source.make(SCHEMA)

    def begin(self):
        self.fresh()
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)

    def abandon(self):
        if os.path.exists(self.path(".transhume", "run.json")):
            support.transhume("cutover", "--abandon", "--confirm", cwd=self.folder)

    def tearDown(self):
        self.abandon()
        super().tearDown()

    def change(self, statements):
        for statement in statements:
            self.source.make(statement + ";")

    def of(self, side, table, columns):
        return side.rows("(SELECT %s FROM %s) AS q" % (columns, table))

    def same(self, table, columns):
        return self.of(self.target, table, columns) == self.of(self.source, table, columns)

    def assert_same(self, table, columns):
        self.assertEqual(self.of(self.target, table, columns), self.of(self.source, table, columns), table)

    def follow(self, *more, code=0):
        return self.run_program("follow", "--catch-up", *more, code=code, time_limit=60)

    def running(self):
        process = support.start("follow", cwd=self.folder)
        self.addCleanup(support.TestCase.end, process)
        self.source.make("INSERT INTO other VALUES (77, 77);")
        self.wait_until("it follows", lambda: self.same("other", "id, v"))
        return process

    def stop(self, process, codes=(4,)):
        process.send_signal(signal.SIGINT)
        result = support.finish(process)
        self.assertIn(result.code, codes, result.err)
        return result

    # --- read again

    def test_while_it_is_stopped(self):
        for what, statements, *columns in self.some(self.reread):
            with self.subTest(what):
                self.begin()
                self.change(statements)
                self.source.make("INSERT INTO other VALUES (2, 2);")
                self.follow()
                self.assert_same("t", *(columns or [self.columns]))
                self.assert_same("other", "id, v")
                self.source.make("UPDATE t SET b = 77 WHERE id = 1;")
                self.follow()
                self.assert_same("t", *(columns or [self.columns]))
                self.run_program("cutover", "--confirm")

    def test_while_it_runs(self):
        for what, statements, *columns in self.some(self.reread):
            with self.subTest(what):
                self.begin()
                process = self.running()
                self.change(statements)
                self.wait_until("it arrives", lambda: self.same("t", *(columns or [self.columns])))
                self.stop(process, (1, 4))

    def test_while_it_is_copied(self):
        """
        The change comes behind what the copy has read of the schema, and waits, where a server lets it, until that is
        done.
        """
        what, statements, *columns = self.reread[0]
        self.fresh()
        process = support.start("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri, cwd=self.folder,
                                env={"TRANSHUME_FAILPOINT": "engine.before_after_load:sleep:1"})
        self.addCleanup(support.TestCase.end, process)
        self.wait_until("it is copied", self.is_copied)
        self.change(statements)
        result = support.finish(process)
        self.assertEqual(result.code, 0, result.err)
        self.follow()
        self.assert_same("t", *(columns or [self.columns]))

    def test_what_came_before_it_is_copied(self):
        """It is left to following: the copy goes on with what there was."""
        self.fresh()
        support.kill_at("engine.before_commit", 2, "migrate", "--follow", "--chunk-rows", "1", self.source.uri,
                        self.target.uri, cwd=self.folder)
        self.change(["ALTER TABLE t ADD COLUMN d INTEGER", "UPDATE t SET d = 4 WHERE id = 2",
                     "CREATE TABLE late (id INTEGER PRIMARY KEY, v INTEGER)",
                     "INSERT INTO late VALUES (1, 7)", "CREATE INDEX of_a ON t (a)",
                     "CREATE UNIQUE INDEX of_d ON t (d)",
                     "ALTER TABLE t ADD COLUMN e INTEGER CHECK (e > 0)",
                     "ALTER TABLE t ADD COLUMN f INTEGER REFERENCES late (id)"])
        self.follow()
        self.change(["UPDATE t SET b = 77, d = 5 WHERE id = 1", "INSERT INTO late VALUES (2, 8)"])
        self.follow()
        self.assert_same("t", "id, a, b, c, d")
        self.assert_same("late", "id, v")

    def test_a_renamed_table_that_has_an_index(self):
        """The target's former table has the index's name still; the rest goes on all the same."""
        self.fresh()
        self.source.make("CREATE INDEX of_v ON other (v);")
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.change(["ALTER TABLE other RENAME TO another", "INSERT INTO another VALUES (2, 2)",
                     "UPDATE t SET b = 78 WHERE id = 1"])
        self.follow(code=1)
        self.change(["INSERT INTO another VALUES (3, 3)"])
        self.follow(code=1)
        self.assert_same("another", "id, v")
        self.assert_same("t", "id, b")
        self.follow("--resync")
        self.run_program("cutover", "--confirm")

    def test_given_up_before_it_is_copied(self):
        """
        The copy is not gone on with where columns or tables that it reads are others; but the run can be given up, and
        nothing of it stays in the source.
        """
        other = [["ALTER TABLE t DROP COLUMN b"], ["DROP TABLE other"],
                 ["DROP TABLE t", "CREATE TABLE t (id INTEGER PRIMARY KEY, z INTEGER)"]]
        for statements in [*self.some(other), []]:
            with self.subTest(statements):
                self.fresh()
                support.kill_at("engine.before_commit", 2, "migrate", "--follow", "--chunk-rows", "1", self.source.uri,
                                self.target.uri, cwd=self.folder)
                self.change(statements)
                if statements:
                    self.assertIn("`transhume cutover --abandon --confirm`", self.follow(code=5).err)
                self.assertIn("the copy had not ended", self.run_program("cutover", "--abandon", "--confirm").err)
                self.assertFalse(self.source.feeds())
                self.assertNotIn("in the source", self.run_program("reset", "--confirm").out)

    def test_killed_while_it_is_adopted(self):
        what, statements, *columns = self.reread[0]
        for failpoint in self.some(("follow.before_adopt", "follow.after_adopt", "follow.before_apply",
                                    "follow.after_align")):
            with self.subTest(failpoint):
                self.begin()
                self.change(statements)
                support.kill_at(failpoint, 1, "follow", "--catch-up", cwd=self.folder)
                self.follow("--take-over")
                self.assert_same("t", *(columns or [self.columns]))

    def test_it_may_be_told_to_stop(self):
        self.begin()
        self.change(["ALTER TABLE t ADD COLUMN d INTEGER", "UPDATE t SET d = 4 WHERE id = 2"])
        said = self.follow("--on-schema-change", "stop", code=5).err
        self.assertIn("--on-schema-change stop was given: t has the new column d", said)
        self.assertNotIn("read again", said)
        self.assertRaises((AssertionError, sqlite3.Error), self.of, self.target, "t", "d")
        self.follow()
        self.assert_same("t", "id, a, b, c, d")

    def is_copied(self):
        try:
            with open(self.path(".transhume", "transhume.log"), encoding="utf-8") as file:
                return ": loaded" in file.read()
        except OSError:
            return False

    # --- constraints, of which no value changes

    def test_constraints_come_and_go(self):
        """They are adopted once; nothing is read again."""
        for statements in self.constraints:
            with self.subTest(statements[0]):
                self.begin()
                self.change(statements)
                self.source.make("INSERT INTO t (id, a, b, c) VALUES (44, 44, 44, 'v');")
                for told in (True, False):
                    before = len(self.log())
                    err = self.follow().err
                    self.assertEqual("has other constraints or indexes" in self.log()[before:], told)
                    if "NOT NULL" not in statements[-1]:
                        self.assertRegex(err, "is not what it was when the run began: .*(index|foreign key) .* is new")
                self.assert_same("t", self.columns)
                self.run_program("cutover", "--confirm")

    def log(self):
        with open(self.path(".transhume", "transhume.log"), encoding="utf-8") as file:
            return file.read()

    # --- new tables

    def test_tables_that_are_new(self):
        """Also such as refer to each other; while it is stopped, killed while they are made, and while it runs."""
        self.begin()
        self.change(["CREATE TABLE later (id INTEGER PRIMARY KEY, v VARCHAR(20) UNIQUE)",
                     "INSERT INTO later VALUES (1, 'x'), (2, 'y')",
                     "CREATE TABLE a_new (id INTEGER PRIMARY KEY, later INTEGER REFERENCES later (id))",
                     "INSERT INTO a_new VALUES (1, 2)"])
        for failpoint in ("follow.before_make", "follow.after_make", "follow.after_align"):
            support.kill_at(failpoint, 1, "follow", "--catch-up", "--take-over", cwd=self.folder)
        self.follow("--take-over")
        self.assert_same("later", "id, v")
        self.assert_same("a_new", "id, later")
        process = self.running()
        self.change(["UPDATE later SET v = 'z' WHERE id = 2", "CREATE TABLE live (id INTEGER PRIMARY KEY)",
                     "INSERT INTO live VALUES (7)"])
        self.wait_until("it is followed", lambda: self.is_there("live") and self.same("live", "id")
                        and self.same("later", "id, v"))
        self.change(["INSERT INTO live VALUES (8)", "DELETE FROM live WHERE id = 7"])
        self.wait_until("it is followed on", lambda: self.same("live", "id"))
        self.stop(process)
        self.run_program("status")
        self.run_program("cutover", "--confirm")
        self.assert_same("live", "id")

    def is_there(self, table):
        try:
            self.of(self.target, table, "id")
        except (AssertionError, sqlite3.Error):
            return False
        return True

    # --- left

    def test_a_resync_takes_up_what_was_left(self):
        """Also what is written to it from then on, by the same process."""
        self.begin()
        self.change(self.left[-1][1])
        self.follow(code=1)
        process = support.start("follow", "--resync", cwd=self.folder)
        self.addCleanup(support.TestCase.end, process)
        for number in (90, 91):  # the first may come by the comparison
            for table in ("other", "old"):
                self.source.make("INSERT INTO %s (id) VALUES (%d);" % (table, number))
            self.wait_until("both arrive", lambda: self.same("other", "id") and self.same("old", "id"))
        self.stop(process)
        self.assertNotIn("not followed", self.run_program("status").out)

    def test_a_new_table_without_a_key(self):
        """It is followed by whole rows, or left with a line, and a cut-over says so; nothing of it is silent."""
        self.begin()
        self.change(["CREATE TABLE journal (nr INTEGER, what VARCHAR(9))",
                     "INSERT INTO journal VALUES (1, 'paid'), (1, 'paid')"])
        for number in (2, 3):
            self.source.make("INSERT INTO other VALUES (%d, 5);" % number)
            result = support.transhume("follow", "--catch-up", cwd=self.folder)
            self.assert_same("other", "id, v")
            if self.keyless_is_followed:
                self.assert_code(result, 0)
                self.assert_same("journal", "nr, what")
            else:
                self.assert_code(result, 1)
                self.assertRegex(self.run_program("status").out,
                                 r"journal is not followed any more: .*key|journal is not followed any more: "
                                 r".*identity")
        if not self.keyless_is_followed:
            self.assertIn("journal", self.run_program("cutover", "--dry-run", code=5).err)

    def test_a_table_that_is_left(self):
        for live in (False, True):
            for what, statements, table in self.some(self.left, live):
                with self.subTest(what, live=live):
                    self.begin()
                    process = self.running() if live else None
                    self.change(statements)
                    self.source.make("INSERT INTO other VALUES (2, 2);")
                    if live:
                        self.wait_until("the others go on", lambda: self.same("other", "id, v"))
                        self.wait_until("it is left", lambda: table in self.left_tables())
                        self.stop(process, (1, 4))
                    else:
                        self.assertIn("%s is not followed any more" % table, self.follow(code=1).err)
                    self.assert_same("other", "id, v")
                    self.assertEqual(self.left_tables(), [table])
                    self.assertIn(table, self.run_program("cutover", "--confirm", code=5).err)
                    self.follow("--resync")
                    self.assertEqual(self.left_tables(), [])
                    self.source.make("INSERT INTO other VALUES (3, 3);")
                    self.follow()
                    self.assert_same("other", "id, v")

    def test_the_target_goes_away_while_a_table_is_made(self):
        """It waits, as it does while it applies changes."""
        self.fresh()
        if not isinstance(self.target, (PostgresSide, MysqlSide)):
            return   # a file does not go away
        with TcpProxy(self.target.server.port) as proxy:
            self.run_program("migrate", "--follow", "--catch-up", self.source.uri,
                             self.target.server.uri(self.target.name, via=proxy))
            self.change(["CREATE TABLE later (id INTEGER PRIMARY KEY)", "INSERT INTO later VALUES (1)",
                         "ALTER TABLE t ADD COLUMN d INTEGER"])
            for failpoint in ("follow.before_adopt", "follow.before_make", "follow.after_align"):
                process = self.stopped_at(failpoint + ":stop:1", "follow", "--catch-up", may_end=True)
                proxy.cut_all()
                process.send_signal(signal.SIGCONT)
                result = support.finish(process)
                self.assert_code(result, 0)
                self.assert_same("later", "id")
                self.change(["ALTER TABLE t ADD COLUMN %s INTEGER" % failpoint[-5:], "DROP TABLE IF EXISTS more",
                             "CREATE TABLE more (id INTEGER PRIMARY KEY)"])
            self.run_program("cutover", "--abandon", "--confirm")

    def test_a_column_that_goes_before_its_table_is_read_again(self):
        """What fails to be read then is of before."""
        self.begin()
        _, statements, table = self.left[-1]
        self.source.make("INSERT INTO other VALUES (5, 5);")
        process = self.stopped_at("follow.before_apply:stop:1", "follow", "--catch-up", "--refresh", table)
        self.change(statements)
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 1)
        self.assertIn("%s is not followed any more" % table, result.err)
        self.assert_same("other", "id, v")

    def left_tables(self):
        said = json.loads(self.run_program("status", "--json").out).get("follow") or {}
        return sorted(said.get("left") or {})


GONE = [("a table is dropped", ["DROP TABLE old"], "old"), ("a table is renamed", ["ALTER TABLE old RENAME TO t2"],
                                                            "old")]


class OfPostgres(Changes):
    reread = [
        ("a column is dropped and added", ["ALTER TABLE t DROP b", "ALTER TABLE t ADD b INTEGER",
                                           "UPDATE t SET b = 5 WHERE id = 2"]),
        ("a column is rewritten", ["ALTER TABLE t ALTER a TYPE INTEGER USING a + 100"]),
        ("a column holds more", ["ALTER TABLE t ALTER a TYPE BIGINT", "INSERT INTO t VALUES (4, 5000000000, 1, 'w')"]),
        ("texts are longer", ["ALTER TABLE t ALTER c TYPE VARCHAR(50)",
                              "UPDATE t SET c = 'a longer text' WHERE id = 1"]),
        ("a table is made again",
         ["BEGIN; CREATE TABLE t2 (LIKE t INCLUDING ALL); INSERT INTO t2 SELECT id, a, b + 1, c FROM t WHERE id < 3; "
          "INSERT INTO t VALUES (9, 9, 9, 'old');"
          "DROP TABLE t; ALTER TABLE t2 RENAME TO t; COMMIT", "INSERT INTO t VALUES (4, 4, 4, 'w')"]),
        ("a table is dropped and made", ["DROP TABLE t",
                                         "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, "
                                         "c VARCHAR(5) NOT NULL)", "INSERT INTO t VALUES (2, 2, 2, 'n')"]),
        ("a column is dropped, and all are written anew", ["VACUUM FULL t", "ALTER TABLE t ALTER b SET DEFAULT 3",
                                                           "INSERT INTO t (id, c) VALUES (5, 'n')"])]
    constraints = [["ALTER TABLE t ALTER a SET NOT NULL", "CREATE UNIQUE INDEX u ON t (b)"],
                   ["CREATE INDEX i ON t (b)"],
                   ["ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES t (id)"]]
    left = GONE + [("a column is gone", ["ALTER TABLE old DROP v"], "old")]


class OfMariadb(Changes):
    keyless_is_followed = True
    reread = [
        ("a column is dropped and added", ["ALTER TABLE t DROP COLUMN b", "ALTER TABLE t ADD COLUMN b INTEGER",
                                           "UPDATE t SET b = 5 WHERE id = 2"]),
        ("values are cut", ["SET sql_mode = ''; ALTER TABLE t MODIFY a TINYINT", "ALTER TABLE t MODIFY a INTEGER"]),
        ("a column holds more", ["ALTER TABLE t MODIFY a BIGINT",
                                 "INSERT INTO t (id, a, b, c) VALUES (4, 5000000000, 1, 'w')"]),
        ("columns have another order", ["ALTER TABLE t MODIFY b INTEGER FIRST",
                                        "INSERT INTO t (id, a, b, c) VALUES (4, 4, 4, 'w')"]),
        ("columns change names", ["ALTER TABLE t RENAME COLUMN a TO q", "ALTER TABLE t RENAME COLUMN b TO a",
                                  "ALTER TABLE t RENAME COLUMN q TO b",
                                  "INSERT INTO t (id, a, b, c) VALUES (4, 4, 5, 'w')"]),
        ("texts are longer", ["ALTER TABLE t MODIFY c VARCHAR(50) NOT NULL",
                              "UPDATE t SET c = 'a longer text' WHERE id = 1"]),
        ("a table is made again", ["CREATE TABLE t2 LIKE t",
                                   "INSERT INTO t2 SELECT id, a, b + 1, c FROM t WHERE id < 3",
                                   "RENAME TABLE t TO old2, t2 TO t"])]
    constraints = [["ALTER TABLE t MODIFY a INTEGER NOT NULL"],
                   ["ALTER TABLE t ADD UNIQUE (b)", "ALTER TABLE t ADD INDEX (a)"],
                   ["ALTER TABLE other ADD FOREIGN KEY (id) REFERENCES old (id)"]]
    left = GONE + [("a column is gone", ["ALTER TABLE old DROP COLUMN v"], "old")]


class OfSqlite(Changes):
    reread = [
        ("a table is made again with another type", [
            "BEGIN; CREATE TABLE t2 (id INTEGER PRIMARY KEY, a BIGINT, b INTEGER, c VARCHAR(5) NOT NULL); "
            "INSERT INTO t2 SELECT id, a + 1, b, c FROM t WHERE id < 3;"
            "DROP TABLE t; ALTER TABLE t2 RENAME TO t; COMMIT", "INSERT INTO t VALUES (4, 5000000000, 1, 'w')"])]
    constraints = [["CREATE INDEX i ON t (b)"]]  # a unique one ends its feed
    left = GONE + [("a column is renamed", ["ALTER TABLE old RENAME COLUMN v TO w"], "old")]


class PostgresServer:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = followed(postgres, postgres.FOLLOWED)


class MariadbServer:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.maria = followed(mariadb, mariadb.FOLLOWED)
