"""Following a SQLite file by its triggers: what foreign programs write by any statement arrives, and what can't
be followed, or is not followed any more, is said in one line."""
import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import unittest

import refusals
import support

SCHEMA = """
    CREATE TABLE item (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, place, note TEXT);
    CREATE UNIQUE INDEX item_place ON item (place) WHERE place > 0;
    CREATE TABLE part (item INTEGER NOT NULL, number INTEGER NOT NULL, size REAL, PRIMARY KEY (item, number)) WITHOUT ROWID;
    CREATE UNIQUE INDEX part_size ON part (abs(size), item % 2);
    CREATE TABLE seen (id INTEGER PRIMARY KEY, what TEXT);
    CREATE TRIGGER item_deleted AFTER DELETE ON item BEGIN INSERT INTO seen (what) VALUES (old.code); END;
    CREATE VIEW codes AS SELECT code FROM item;
    INSERT INTO item VALUES (1, 'a', 1, NULL), (2, 'b', 2, x'00ff'), (3, 'c', 0, 'é'), (4, 'd', 0, 1.5);
    INSERT INTO part VALUES (1, 1, 1), (1, 2, 2), (2, 1, 1), (2, 2, -2.5);
"""
HALF_WRITTEN = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.executescript("PRAGMA cache_size = 5; BEGIN; CREATE TABLE half (a); INSERT INTO half VALUES (zeroblob(200000))")
os.kill(os.getpid(), signal.SIGKILL)
"""
CLAUSES = ["", "OR REPLACE", "OR IGNORE", "OR FAIL", "OR ABORT", "OR ROLLBACK"]
STATEMENTS = [
    "INSERT %s INTO item VALUES (2, 'c', 1, 'new')",
    "INSERT %s INTO item (code, place) VALUES ('x', 2), ('d', -1)",
    "UPDATE %s item SET id = 3, code = 'b' WHERE id = 1",
    "UPDATE %s item SET place = 1 WHERE place >= 0",
    "INSERT %s INTO part SELECT item, number + 1, -size FROM part",
    "UPDATE %s part SET item = 1, size = abs(size)",
]


class Feed(support.TestCase):
    def setUp(self):
        super().setUp()
        self.source = sqlite3.connect(self.path("source.db"), isolation_level=None)
        self.addCleanup(self.source.close)

    def follow_anew(self, mode="WAL"):
        self.source.execute("PRAGMA journal_mode = %s" % mode)
        self.source.executescript(SCHEMA)
        self.run_program("migrate", "--quiet", "--follow", "--catch-up", "source.db", "copy.db")

    def assert_followed(self, message=None):
        self.run_program("follow", "--quiet", "--catch-up")
        with sqlite3.connect(self.path("copy.db")) as copy:
            for table in ("item", "part", "seen"):
                query = "SELECT * FROM %s ORDER BY 1, 2" % table
                self.assertEqual(copy.execute(query).fetchall(), self.source.execute(query).fetchall(), message)

    def test_rows_that_are_replaced(self):
        self.follow_anew()
        for recursive, clause in itertools.product(("OFF", "ON"), CLAUSES):
            self.source.executescript("DELETE FROM item; DELETE FROM part;"
                                      + SCHEMA[SCHEMA.index("INSERT INTO item VALUES"):])
            self.source.execute("PRAGMA recursive_triggers = %s" % recursive)
            for statement in STATEMENTS:
                try:
                    self.source.execute(statement % clause)
                except sqlite3.IntegrityError:
                    pass
            self.assert_followed(clause)

    def test_other_programs_write_meanwhile(self):
        """Without WAL, too: then writers and the follow wait for each other."""
        self.follow_anew("DELETE")
        process = support.start("follow", "--quiet", cwd=self.folder)
        self.addCleanup(process.kill)
        for number in range(30):
            subprocess.run(["sqlite3", "-cmd", ".timeout 20000", self.path("source.db"),
                            "BEGIN IMMEDIATE; REPLACE INTO item VALUES (%d, 'a', 0, '%d'); "
                            "UPDATE part SET size = size * 1.5; COMMIT"
                            % (number % 7, number)], check=True, stdout=subprocess.DEVNULL)
        process.terminate()
        self.assertEqual(support.finish(process).code, 4)
        self.assert_followed()

    def test_a_plain_copy_leaves_the_feed_out(self):
        self.follow_anew()
        self.run_program("migrate", "--quiet", "--state", "other", "source.db", "plain.db")
        with sqlite3.connect(self.path("plain.db")) as copy:
            names = {name for name, in copy.execute("SELECT name FROM sqlite_schema")}
        self.assertFalse([name for name in names if "feed" in name])
        self.assertTrue({"item", "part", "codes", "item_deleted"} <= names)

    def test_a_trigger_that_was_dropped(self):
        self.follow_anew()
        name, = self.source.execute(
            "SELECT name FROM sqlite_schema WHERE name GLOB '_transhume_feed_*.update'").fetchone()
        self.source.execute('DROP TRIGGER "%s"' % name)
        self.source.execute("UPDATE item SET note = 'lost'")
        result = self.run_program("follow", "--catch-up", code=5)
        self.assertIn("changes may be missing: the triggers of the feed were dropped in part, or altered [feed-lost]",
                      result.err)
        self.assertIn("--resync", result.err)

    def test_a_log_that_was_cut(self):
        self.follow_anew()
        self.source.execute("UPDATE item SET note = 'lost'")
        log, = self.source.execute("SELECT name FROM sqlite_schema WHERE name GLOB '_transhume_feed_*' AND type "
                                   "= 'table'").fetchone()
        self.source.execute("DELETE FROM %s WHERE sequence < (SELECT max(sequence) FROM %s)" % (log, log))
        result = self.run_program("follow", "--catch-up", code=5)
        self.assertIn("[feed-lost]", result.err)

    # --- a file that is put back from a backup

    def put_back(self, backup):
        self.source.close()
        for ending in ("-wal", "-shm", "-journal"):
            if os.path.exists(self.path("source.db" + ending)):
                os.unlink(self.path("source.db" + ending))
        shutil.copyfile(self.path(backup), self.path("source.db"))  # over the same file: another one is refused
        self.source = sqlite3.connect(self.path("source.db"), isolation_level=None)
        self.addCleanup(self.source.close)

    def test_a_source_put_back_from_a_backup(self):
        """It is noticed however many changes have been logged again."""
        self.follow_anew("DELETE")
        self.source.execute("INSERT INTO seen VALUES (1, 'kept')")
        shutil.copy(self.path("source.db"), self.path("backup.db"))
        self.source.execute("INSERT INTO seen VALUES (2, 'lost'), (3, 'lost'), (4, 'lost')")
        self.run_program("follow", "--quiet", "--catch-up")
        for mode, count in (("DELETE", 0), ("DELETE", 2), ("DELETE", 3), ("WAL", 3), ("WAL", 5)):
            with self.subTest(mode=mode, count=count):
                self.put_back("backup.db")
                self.source.execute("PRAGMA journal_mode = %s" % mode)
                self.source.executemany("INSERT INTO seen VALUES (?, 'new')",
                                        [(10 + number,) for number in range(count)])
                result = self.run_program("follow", "--catch-up", code=5)
                self.assertIn("[feed-lost]", result.err)
                self.assertIn("transhume follow --resync", result.err)
        self.run_program("follow", "--quiet", "--resync", "--catch-up")
        self.assert_followed()
        self.source.execute("VACUUM INTO ?", (self.path("all.db"),))
        self.put_back("all.db")  # with all that was followed
        self.source.execute("INSERT INTO seen VALUES (20, 'newer')")
        self.assert_followed()

    # --- a writer that was killed, without WAL

    def leave_half_written(self, name):
        """Killed in its transaction, when a part of it is in the file: a journal has to be rolled back."""
        process = subprocess.run([sys.executable, "-c", HALF_WRITTEN, self.path(name)], check=False)
        self.assertEqual(process.returncode, -signal.SIGKILL)
        self.assertTrue(self.is_half_written(name))

    def is_half_written(self, name):
        connection = sqlite3.connect("file:%s?mode=ro" % self.path(name), uri=True)
        try:
            connection.execute("SELECT count(*) FROM sqlite_schema")
        except sqlite3.OperationalError:
            return True
        finally:
            connection.close()
        return False

    def test_a_writer_that_was_killed(self):
        self.follow_anew("DELETE")
        self.source.execute("UPDATE item SET note = 'new'")
        for name, *arguments in (("source.db", "follow", "--catch-up"), ("source.db", "validate"),
                                 ("copy.db", "validate"),
                                 ("copy.db", "follow", "--catch-up"), ("source.db", "cutover", "--confirm")):
            with self.subTest(name=name, arguments=arguments):
                self.leave_half_written(name)
                self.run_program(*arguments)
                self.assertFalse(self.is_half_written(name))
        self.source.close()
        self.source = sqlite3.connect(self.path("source.db"), isolation_level=None)
        self.addCleanup(self.source.close)

    def test_the_way_back_of_a_writer_that_was_killed(self):
        self.follow_anew("DELETE")
        self.run_program("cutover", "--confirm", "--reverse")
        with sqlite3.connect(self.path("copy.db")) as copy:
            copy.execute("INSERT INTO seen VALUES (1, 'new')")
        for name, *arguments in (("copy.db", "follow", "--catch-up", "--state", ".transhume/back"),
                                 ("source.db", "follow", "--catch-up", "--state", ".transhume/back"),
                                 ("copy.db", "cutover", "--back", "--confirm")):
            with self.subTest(name=name, arguments=arguments):
                self.leave_half_written(name)
                self.run_program(*arguments)
                self.assertFalse(self.is_half_written(name))
        self.assertEqual(self.source.execute("SELECT * FROM seen").fetchall(), [(1, "new")])

    def test_a_plain_copy_leaves_a_journal_as_it_is(self):
        self.source.executescript("PRAGMA journal_mode = DELETE;" + SCHEMA)
        self.leave_half_written("source.db")
        for command in (("migrate",), ("check",), ("check", "--follow")):
            self.assertIn("has to be rolled back", self.run_program(*command, "source.db", "copy.db", code=2).err)
            self.assertTrue(self.is_half_written("source.db"))
        self.run_program("migrate", "--quiet", "--follow", "--catch-up", "source.db", "copy.db")

    def test_killed_while_it_writes_the_source(self):
        """Triggers are made again for an added column; what was not committed is undone by whoever comes next."""
        self.follow_anew("DELETE")
        self.source.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
                            "INSERT INTO seen SELECT i, hex(randomblob(1000)) FROM n")
        self.source.execute("ALTER TABLE seen ADD COLUMN more DEFAULT 1")
        self.assertEqual(support.kill_at("sqlite.before_feed", 1, "follow", "--catch-up", cwd=self.folder).code,
                         -signal.SIGKILL)
        self.run_program("follow", "--quiet", "--catch-up", "--take-over")
        self.assert_followed()


class Closed(refusals.TestCase):
    def test_a_file_that_can_not_be_written(self):
        folder = self.open_folder()
        data = os.path.join(folder, "data")
        os.mkdir(data)
        path = refusals.make_shop(os.path.join(data, "shop.db"))
        for file_mode, folder_mode, words in ((0o444, 0o777, "the source can't be written"),
                                              (0o666, 0o555, "the folder of the source can't be written")):
            os.chmod(path, file_mode)
            os.chmod(data, folder_mode)
            result = self.run_unprivileged(folder, "migrate", "--follow", "data/shop.db", "copy.db")
            self.assert_refusal(result, 2, "permission", words)
        os.chmod(data, 0o777)


if __name__ == "__main__":
    unittest.main()
