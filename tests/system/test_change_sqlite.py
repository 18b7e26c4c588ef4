"""`transhume change` on SQLite: each operation there and back, and a writer beside the copy."""
import contextlib
import os
import random
import sqlite3
import threading
import unittest

import sql_case
import support

TABLES = ("CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, age TEXT DEFAULT '0', "
          "mail TEXT, CONSTRAINT short CHECK (length(name) < 40));"
          "CREATE INDEX by_age ON users (age); CREATE TABLE log (what TEXT); CREATE TRIGGER noted AFTER INSERT ON "
          "users BEGIN INSERT INTO log VALUES (NEW.name); END;"
          "CREATE VIEW seen AS SELECT id, name FROM users; CREATE TABLE posts (id INTEGER PRIMARY KEY, "
          "user INTEGER REFERENCES users (id) ON DELETE CASCADE);"
          "CREATE TABLE pairs (a INTEGER, b TEXT, c TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID; "
          "INSERT INTO pairs VALUES (1, 'x', 'one'), (1, 'y', NULL), (2, 'x', 'two');"
          "INSERT INTO users (name, age, mail) VALUES ('ann', '31', 'a@x'), ('bob', '7', NULL), ('cid', '64', 'c@x'), "
          "('dot', '1', 'd@x'); DELETE FROM users WHERE name = 'dot';"
          "INSERT INTO posts VALUES (1, 1), (2, 2);")
OPERATIONS = {
    "light": ["add_column: {table: users, column: {name: z, type: INTEGER, default: 7}}",
              "create_index: {table: users, name: by_name, columns: [{column: name, sort: DESC}]}",
              "drop_index: {table: users, name: by_age}"],
    "type": ["alter_column: {table: users, column: age, type: INTEGER, nullable: false, default: '1'}"],
    "value": ["alter_column: {table: users, column: mail, nullable: false, up: \"coalesce(mail, 'none')\"}"],
    "check": ["create_constraint: {table: users, name: old, type: check, columns: [age], check: age <> 'x'}",
              "drop_constraint: {table: users, name: short}"],
    "drop": ["drop_column: {table: users, column: mail}"],
    "pairs": ["alter_column: {table: pairs, column: c, type: BLOB}"],
    "tables": ["create_table: {name: pets, columns: [{name: id, type: INTEGER, pk: true}]}",
               "rename_table: {from: log, to: diary}", "drop_table: {name: posts}"],
}
EXPECTED = {   # of the table that is made anew
    "type": ("users",
             "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, "
             "age INTEGER NOT NULL DEFAULT (1), mail TEXT, CONSTRAINT short CHECK (length(name) < 40))"),
    "check": ("users",
              "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, age TEXT DEFAULT '0', "
              "mail TEXT, CONSTRAINT old CHECK (age <> 'x'))"),
    "pairs": ("pairs", "CREATE TABLE pairs (a INTEGER, b TEXT, c BLOB, PRIMARY KEY (a, b)) WITHOUT ROWID"),
}


class ChangesOfSqlite(sql_case.SqliteTarget, support.TestCase):
    def new(self, kind):
        uri = self.new_target()
        with contextlib.closing(sqlite3.connect(self.path(self.file))) as db:
            db.executescript(TABLES)
        self.write("001_c.change.yaml", "operations:\n" + "".join("- %s\n" % operation
                                                                  for operation in OPERATIONS[kind]))
        return uri

    def dump(self):
        bare = lambda sql: " ".join(sql.replace('"', "").replace("( ", "(").split()).replace(", CONSTRAINT",
            ", CONSTRAINT")
        found = self.ask("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE tbl_name NOT LIKE "
                         "'\\_transhume\\_schema%' ESCAPE '\\' AND sql IS NOT NULL ORDER BY type, name")
        return [(kind, name, table, bare(sql))
                for kind, name, table, sql in found], {row[1]: self.ask("SELECT * FROM %s ORDER BY 1, 2" % row[1]
                                                                        if row[1] not in ("log", "diary", "pets") else
                                                                        "SELECT * FROM %s ORDER BY 1" % row[1])
                                                       for row in found if row[0] == "table"}

    def test_there_and_back(self):
        for kind in OPERATIONS:
            with self.subTest(kind=kind):
                uri = self.new(kind)
                before = self.dump()
                self.run_program("change", "start", "001_c.change.yaml", uri)
                self.run_program("change", "abort", uri)
                self.assertEqual(self.dump(), before)

    def test_completed(self):
        for kind in OPERATIONS:
            with self.subTest(kind=kind):
                uri = self.new(kind)
                before = self.dump()
                self.run_program("change", "start", "001_c.change.yaml", uri)
                self.ask("INSERT INTO users (name, age, mail) VALUES ('eve', '5', 'e@x')")
                self.ask("UPDATE users SET age = '8' WHERE id = 2")
                self.ask("UPDATE pairs SET b = 'z' WHERE a = 2")
                self.ask("DELETE FROM users WHERE id = 3")
                self.run_program("change", "complete", uri, "--confirm")
                objects, rows = self.dump()
                self.assertEqual([row[:2] for row in self.ask("SELECT id, age FROM users ORDER BY id")],
                                 [["1", "31"], ["2", "8"], ["5", "5"]])
                self.assertEqual(self.ask("SELECT a, b FROM pairs ORDER BY a, b"), [["1", "x"], ["1", "y"], ["2", "z"]])
                if kind in EXPECTED:
                    table, sql = EXPECTED[kind]
                    self.assertEqual([found[3] for found in objects if found[1] == table], [sql])
                if kind not in ("light", "tables"):
                    self.assertEqual([found[:3] for found in objects], [found[:3] for found in before[0]])
                if kind == "value":
                    self.assertEqual(self.ask("SELECT mail FROM users ORDER BY id"), [["a@x"], ["none"], ["e@x"]])
                if kind != "tables":
                    self.ask("INSERT INTO users (name, age%s) VALUES ('fay', '1'%s)" % (("", "") if kind == "drop"
                        else (", mail", ", 'f@x'")))
                    self.assertEqual(self.ask("SELECT max(id) FROM users"), [["6"]])
                    self.assertEqual(self.ask("SELECT what FROM log WHERE what = 'fay'"), [["fay"]])
                    self.assertEqual(self.ask("PRAGMA foreign_key_check"), [])
                self.assertEqual(self.ask("PRAGMA integrity_check"), [["ok"]])

    def test_what_stands_is_not_gone_below(self):
        """
        007 and 7 are one version; what is below one that stands would be made on another schema than it was written
        for.
        """
        uri = self.new("light")
        os.rename(self.path("001_c.change.yaml"), self.path("005_c.change.yaml"))
        self.run_program("change", "run", "005_c.change.yaml", uri, "--confirm")
        for name, line in (("003_d", "005_c, which is above it, is applied"),
                           ("5_d", "005_c of this version is applied"), ("0004.2_d", "which is above it")):
            self.write(name + ".change.yaml",
                       "operations:\n- create_table: {name: pets, columns: [{name: id, type: INTEGER, pk: true}]}\n")
            self.assertIn(line, self.run_program("change", "start", name + ".change.yaml", uri, code=5).err)
        os.rename(self.path("003_d.change.yaml"), self.path("10_d.change.yaml"))
        self.run_program("change", "start", "10_d.change.yaml", uri)
        os.rename(self.path("10_d.change.yaml"), self.path("11_d.change.yaml"))
        self.assertIn("is under way", self.run_program("change", "start", "11_d.change.yaml", uri, code=5).err)
        self.run_program("change", "abort", uri)
        self.run_program("change", "run", "11_d.change.yaml", uri, "--confirm")

    def test_writer(self):
        uri = self.new("type")
        path = self.path(self.file)
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            db.executescript("INSERT INTO users (name, age) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                             "FROM n WHERE i < 20000) SELECT 'n' || i, i % 90 FROM n;"
                             "CREATE TABLE mirror AS SELECT id, name, CAST(age AS INTEGER) AS age FROM users; "
                             "CREATE UNIQUE INDEX m ON mirror (id)")
        over, failed = threading.Event(), []

        def write():
            seed = random.Random(self.id())
            with contextlib.closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as db:
                while not over.is_set():
                    key, age = seed.randrange(1, 22000), seed.randrange(90)
                    one = seed.choice(["UPDATE %%s SET age = %d WHERE id = %d" % (age, key),
                                       "DELETE FROM %%s WHERE id = %d" % key,
                                       "INSERT OR REPLACE INTO %%s (id, name, age) VALUES (%d, 'w', %d)" % (key, age),
                                       "UPDATE OR IGNORE %%s SET id = id + 7 WHERE id = %d" % key])
                    try:
                        db.execute("BEGIN IMMEDIATE")
                        db.execute(one % "users")
                        db.execute(one % "mirror")
                        db.execute("COMMIT")
                    except sqlite3.Error as fault:
                        failed.append(str(fault))
                        db.execute("ROLLBACK")

        writer = threading.Thread(target=write)
        writer.start()
        try:
            self.run_program("change", "run", "001_c.change.yaml", uri, "--confirm", "--batch-time", "10ms")
        finally:
            over.set()
            writer.join()
        self.assertEqual(failed, [])
        self.assertEqual(self.ask("SELECT count(*), sum(id * 7 + age) FROM users"),
                         self.ask("SELECT count(*), sum(id * 7 + age) FROM mirror"))
        self.assertEqual(self.ask("SELECT count(*) FROM users JOIN mirror USING (id) WHERE users.age = mirror.age AND "
                                  "users.name = mirror.name"), self.ask("SELECT count(*) FROM mirror"))
        self.assertEqual(self.ask("SELECT DISTINCT typeof(age) FROM users"), [["integer"]])


if __name__ == "__main__":
    unittest.main()
