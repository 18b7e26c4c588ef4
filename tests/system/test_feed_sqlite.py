"""Following a SQLite file by its triggers: what foreign programs write by any statement arrives, and what can't
be followed, or is not followed any more, is said in one line."""
import itertools
import os
import sqlite3
import subprocess
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
            self.source.executescript("DELETE FROM item; DELETE FROM part;" + SCHEMA[SCHEMA.index("INSERT INTO item VALUES"):])
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
                            "BEGIN IMMEDIATE; REPLACE INTO item VALUES (%d, 'a', 0, '%d'); UPDATE part SET size = size * 1.5; COMMIT"
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
        name, = self.source.execute("SELECT name FROM sqlite_schema WHERE name GLOB '_transhume_feed_*.update'").fetchone()
        self.source.execute('DROP TRIGGER "%s"' % name)
        self.source.execute("UPDATE item SET note = 'lost'")
        result = self.run_program("follow", "--catch-up", code=5)
        self.assertIn("changes may be missing: the triggers of the feed were dropped in part, or altered [feed-lost]", result.err)
        self.assertIn("--resync", result.err)

    def test_a_log_that_was_cut(self):
        self.follow_anew()
        self.source.execute("UPDATE item SET note = 'lost'")
        log, = self.source.execute("SELECT name FROM sqlite_schema WHERE name GLOB '_transhume_feed_*' AND type = 'table'").fetchone()
        self.source.execute("DELETE FROM %s WHERE sequence < (SELECT max(sequence) FROM %s)" % (log, log))
        result = self.run_program("follow", "--catch-up", code=5)
        self.assertIn("[feed-lost]", result.err)


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
