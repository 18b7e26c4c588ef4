"""Nothing that somebody planted in a SQLite file, as source or target, runs because a command looks at it, and nothing
is taken for what the program makes itself.

SQLite's own SQL is all that a file can make run: triggers, here those that write into a table `fired`, and functions
that reach out of it in views.
"""
import contextlib
import json
import os
import signal
import sqlite3
import time
import unittest

import support

NAMES = "name, version, value"
# Functions and tables that could reach out of the file; what this SQLite does not have fails, too.
REACHING = ("load_extension('./evil.so')", "fts3_tokenizer('simple')", "readfile('/etc/passwd')",
            "writefile('./written', 'x')", "edit('x', 'touch ./written')", "sqlite_dbpage(1)")
SCHEMA = """
CREATE TABLE fired (id INTEGER PRIMARY KEY, what TEXT);
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL CHECK (length(name) < 30), age INT DEFAULT (abs(-7)), upper_name TEXT AS (upper(name)) STORED, lower_name AS (lower(name)),
  doc TEXT CHECK (doc IS NULL OR json_valid(doc)), mail TEXT UNIQUE);
CREATE TABLE item (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customer (id) ON DELETE CASCADE, n INT);
CREATE UNIQUE INDEX customer_upper ON customer (upper(name)); CREATE INDEX customer_old ON customer (age) WHERE abs(age) > 3;
CREATE VIEW seen AS SELECT c.id, c.name, count(i.id) AS items FROM customer c LEFT JOIN item i ON i.customer = c.id GROUP BY c.id;
CREATE VIEW parts AS SELECT c.id, p.value FROM customer c, json_each(c.doc) p;
CREATE TABLE pages (id INTEGER PRIMARY KEY, body TEXT);
INSERT INTO customer (id, name, doc, mail) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT i, 'n' || i, '[1]', 'm' || i FROM n;
INSERT INTO item (customer, n) SELECT id, id FROM customer;
INSERT INTO pages (body) VALUES ('one'), ('two');
"""
TRIGGERS = ("".join("CREATE TRIGGER %s_%s_%s %s %s ON %s BEGIN INSERT INTO fired (what) VALUES ('%s %s'); END;"
                    % (table, when, event, when, event, table, event, table)
                    for table in ("customer", "item", "pages") for when in ("BEFORE", "AFTER")
                    for event in ("INSERT", "UPDATE", "DELETE"))
            + "".join("CREATE TRIGGER seen_%s INSTEAD OF %s ON seen BEGIN INSERT INTO fired (what) VALUES ('%s "
                      "seen'); END;" % (event, event, event) for event in ("INSERT", "UPDATE", "DELETE")))
VIEWS = ("".join("CREATE VIEW reaches_%d AS SELECT %s AS x;" % (number, call) for number, call in enumerate(REACHING)) +
         "CREATE VIEW reaches_zip AS SELECT * FROM zipfile('x.zip'); CREATE VIEW reaches_pages AS SELECT * FROM "
         "sqlite_dbpage; CREATE VIEW reaches_files AS SELECT * FROM fsdir('/etc');")


class SqliteTraps(support.TestCase):
    def setUp(self):
        super().setUp()
        self.make("s.db")

    def make(self, name, more=""):
        support.make_sqlite(self.path(name), SCHEMA + VIEWS + TRIGGERS + more)

    def ask(self, name, sql):
        with contextlib.closing(sqlite3.connect(self.path(name), isolation_level=None, timeout=60)) as db:
            return db.execute(sql).fetchall()

    def script(self, name, sql):
        with contextlib.closing(sqlite3.connect(self.path(name), isolation_level=None, timeout=60)) as db:
            db.executescript(sql)

    def run_it(self, *arguments, codes=(0, 1), fired=()):
        """`fired`: what the user's own writes made run before it."""
        done = support.transhume(*arguments, cwd=self.folder)
        self.assertIn(done.code, codes, (arguments, done.out[-1500:], done.err[-1500:]))
        self.assert_quiet(arguments, fired)
        return done

    def assert_quiet(self, what, fired=()):
        for name in ("s.db", "d.db"):
            if os.path.exists(self.path(name)) and self.ask(name, "SELECT 1 FROM sqlite_schema WHERE name = 'fired'"):
                self.assertEqual([row[0] for row in self.ask(name, "SELECT what FROM fired ORDER BY id")], list(fired),
                                 (what, name))
        self.assertFalse(os.path.exists(self.path("written")), what)

    def test_copy(self):
        self.run_it("analyze", "--out", "a", "s.db")
        self.run_it("init", "s.db", "jsonl:out")
        self.run_it("check", "--sample", "5", "s.db", "d.db")
        self.run_it("diff", "s.db", "d.db", codes=(0, 1, 3))
        self.run_it("migrate", "--chunk-rows", "50", "s.db", "d.db")
        self.assertEqual(self.ask("d.db", "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"),
                         self.ask("s.db", "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"))
        for command in (("status",), ("report",), ("diff", "s.db", "d.db")):
            self.run_it(*command)
        for level in ("count", "sample", "hash", "full"):
            self.run_it("validate", "--level", level, codes=(0,))
        self.script("d.db",
                    "DELETE FROM item WHERE id < 5; UPDATE customer SET name = 'other' WHERE id = 7; "
                    "INSERT INTO item (id, n) VALUES (100000, 1)")
        self.assertEqual(self.ask("d.db", "SELECT count(*) FROM fired"), [(12,)])   # theirs, when somebody writes
        self.script("d.db", "DELETE FROM fired")
        self.run_it("validate", "--repair", "--delete-extra", "--confirm")
        self.run_it("validate", "--level", "full", codes=(0,))
        self.run_it("rollback", "--run", self.run_id(), "--confirm", codes=(0,))

    def test_existing(self):
        """
        Triggers of the target's own tables fire while records are written to them; here the run makes them, and they do
        not when that is repaired or taken back.
        """
        support.make_sqlite(self.path("d.db"), SCHEMA + VIEWS)
        for how, more in (("skip", ()), ("upsert", ("--rollback-keys",)), ("replace", ()), ("truncate", ())):
            self.script("d.db", "UPDATE customer SET name = 'other' || id WHERE id < 9; DELETE FROM item WHERE id < 5")
            self.run_it("migrate", "--existing", how, *more, "--exclude", "fired", "--state", how, "--confirm", "s.db",
                        "d.db")
            self.run_it("validate", "--repair", "--delete-extra", "--confirm", "--state", how)
            self.run_it("rollback", "--state", how, "--run", self.run_id(how), "--confirm")
            self.script("d.db", "".join("DROP TRIGGER %s;" % name
                                        for name, in self.ask("d.db",
                                                              "SELECT name FROM sqlite_schema WHERE type = 'trigger'")))

    def test_other_engines(self):
        self.run_it("migrate", "s.db", "jsonl:out", "--state", "one")
        self.run_it("validate", "--state", "one")
        support.make_sqlite(self.path("d.db"), "CREATE TABLE fired (id INTEGER PRIMARY KEY, what TEXT);" + VIEWS)
        self.run_it("migrate", "jsonl:out", "d.db", "--exclude", "fired", "--state", "two")
        self.run_it("validate", "--state", "two")

    def test_follow(self):
        process = support.start("migrate", "--follow", "--exclude", "fired", "s.db", "d.db", cwd=self.folder)
        try:
            self.wait_for(process, lambda: self.phase() == "following")
            self.script("s.db",
                        "UPDATE customer SET name = 'y' WHERE id = 3; DELETE FROM item WHERE id = 4; "
                        "INSERT INTO customer (id, name) VALUES (1000, 'last')")
            self.wait_for(process, lambda: self.ask("d.db", "SELECT 1 FROM customer WHERE id = 1000"))
            process.send_signal(signal.SIGINT)
        finally:
            if process.poll() is None and process.returncode is None:
                process.send_signal(signal.SIGINT)
            done = support.finish(process)
        self.assertIn(done.code, (0, 1, 4), done.err)
        wrote = [what for (what,) in self.ask("s.db", "SELECT what FROM fired ORDER BY id")]
        self.assertEqual(len(wrote), 6)   # once for each write of the user's
        self.script("s.db", "DELETE FROM fired")
        for command in (("follow", "--catch-up"), ("cutover", "--dry-run"), ("cutover", "--confirm"),
                        ("finish", "--confirm")):
            self.run_it(*command)
        self.assertEqual(self.ask("d.db", "SELECT name FROM customer WHERE id IN (3, 1000) ORDER BY id"),
                         [("y",), ("last",)])

    def wait_for(self, process, what):
        end = time.monotonic() + 120
        while not what():
            self.assertIsNone(process.poll(), "it ended")
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def phase(self):
        try:
            with open(self.path(".transhume/state.json"), encoding="utf-8") as file:
                return json.load(file).get("phase")
        except (OSError, ValueError):
            return None

    def test_schema_and_change(self):
        self.make("d.db")
        os.mkdir(self.path("m"))
        self.write("m/1_a.up.sql", "CREATE TABLE a (id int PRIMARY KEY, v varchar(10));\n")
        self.write("m/1_a.down.sql", "DROP TABLE a;\n")
        for command in (("status",), ("up",), ("status",), ("drift",), ("down", "1", "--confirm"), ("up",)):
            self.run_it("schema", *command, "--dir", "m", "d.db", codes=(0, 1, 3))
        self.run_it("schema", "dump", "d.db")
        self.run_it("schema", "diff", "s.db", "d.db", codes=(0, 1, 3))
        self.write("007_c.change.yaml",
                   "operations:\n  - add_column: {table: item, column: {name: z, type: INTEGER, "
                   "default: 7}}\n  - alter_column: {table: pages, column: body, type: BLOB}\n")
        for command in (("check", "007_c.change.yaml"), ("start", "007_c.change.yaml"), ("status",),
                        ("complete", "--confirm")):
            self.run_it("change", *command, "d.db", codes=(0,))
        self.assertEqual(self.ask("d.db", "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"),
                         self.ask("s.db", "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"))

    def test_views_that_reach_out_are_told(self):
        done = self.run_it("migrate", "s.db", "d.db")
        self.assertEqual(self.ask("d.db", "SELECT count(*) FROM parts"), [(300,)])
        for number in range(len(REACHING)):
            with self.assertRaises(sqlite3.Error, msg=number):
                self.ask("d.db", "SELECT * FROM reaches_%d" % number)
        self.assertEqual(done.code, 0, done.err)


class SqliteNames(support.TestCase):
    """Names of the program's own tables, taken beforehand."""
    TABLES = {"_transhume_ledger": "name TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL, value TEXT NOT NULL",
              "_transhume_object": "run TEXT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL COLLATE NOCASE, "
                                   "sql TEXT NOT NULL, PRIMARY KEY (run, type, name)",
              "_transhume_schema": "number INTEGER", "_transhume_schema_step": "number INTEGER",
              "_transhume_schema_lock": "number INTEGER",
              "_transhume_feeds": "feed TEXT NOT NULL, number INTEGER NOT NULL, ordinal INTEGER NOT NULL, name TEXT, "
                                  "type TEXT, value INTEGER, PRIMARY KEY (feed, number, ordinal)"}

    def planted(self, name):
        columns = self.TABLES[name]
        first = columns.split(" ", 1)[0]
        fires = "BEGIN INSERT INTO fired VALUES (1); END"
        yield "the trigger x", "CREATE TABLE %s (%s); CREATE TRIGGER x AFTER INSERT ON %s %s" % (name, columns,
            name.upper(), fires)
        yield "but is a view", "CREATE VIEW %s AS SELECT 1 AS %s; CREATE TRIGGER x INSTEAD OF INSERT ON %s %s" % (name,
            first, name, fires)
        yield "but is a virtual table", "CREATE VIRTUAL TABLE %s USING fts5(%s, version, value)" % (name, first)
        yield "is written in small letters", "CREATE TABLE %s (%s)" % (name.upper(), columns)
        yield "generated column", "CREATE TABLE %s (more AS (1), %s)" % (name, columns)
        yield "the index i", "CREATE TABLE %s (%s); CREATE UNIQUE INDEX i ON %s (abs(length(%s)))" % (name, columns,
            name, first)

    def test_each(self):
        support.make_sqlite(self.path("s.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
        os.mkdir(self.path("m"))
        self.write("m/1_a.up.sql", "CREATE TABLE a (id int PRIMARY KEY);\n")
        number = 0
        for name in self.TABLES:
            for said, sql in self.planted(name):
                number += 1
                file = "p%d.db" % number
                feeds = name.endswith("feeds")
                support.make_sqlite(self.path(file),
                                    "CREATE TABLE fired (n); CREATE TABLE t (id INTEGER PRIMARY KEY); "
                                    "INSERT INTO t VALUES (1);" + sql)
                commands = [("migrate", "--follow", "--catch-up", "--include", "t", file,
                             "other%d.db" % number)] if feeds else [("migrate", "--state", "state%d" % number,
                                                                     "--existing", "append", "--include", "t", "s.db",
                                                                     file)]
                commands += [("schema", command, "--dir", "m", file)
                             for command in ("up", "status")] if "schema" in name else []
                for command in commands:
                    with self.subTest(name=name, said=said, command=command):
                        done = support.transhume(*command, cwd=self.folder)
                        self.assert_code(done, 5)
                        self.assertIn(said, done.err)
                        self.assertIn("[not-ours]", done.err)
                        self.assertEqual(len([line for line in done.err.splitlines() if line.startswith("error:")]), 1,
                                         done.err)
                        with contextlib.closing(sqlite3.connect(self.path(file))) as db:
                            self.assertEqual(db.execute("SELECT count(*) FROM fired").fetchall(), [(0,)])

    def test_a_ledger_of_capitals(self):
        """To SQLite it is the ledger, so that none would be made, and none be found."""
        support.make_sqlite(self.path("s.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
        support.make_sqlite(self.path("d.db"), "CREATE TABLE _Transhume_Ledger (%s)" % self.TABLES["_transhume_ledger"])
        for command in (("check", "s.db", "d.db"), ("migrate", "s.db", "d.db")):
            done = support.transhume(*command, cwd=self.folder)
            self.assert_code(done, 5)
            self.assertIn("_Transhume_Ledger: to SQLite it has the name of a table of ours", done.out + done.err)


if __name__ == "__main__":
    unittest.main()
