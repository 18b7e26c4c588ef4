"""`migrate --mirror`: both sides equal at the end, deletions included, by one command that continues after a kill."""
import json
import sqlite3
import unittest

import mariadb
import postgres
import support

TABLES = """CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE child(id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent(id), note TEXT);
"""


def fill(path):
    support.make_sqlite(path, TABLES)
    with sqlite3.connect(path) as database:
        database.executemany("INSERT INTO parent VALUES(?, ?)", [(i, "p%d" % i) for i in range(1, 201)])
        database.executemany("INSERT INTO child VALUES(?, ?, ?)", [(i, i % 200 + 1, "c%d" % i) for i in range(1, 401)])
    database.close()


def change(path):
    """3 to write and 4 to delete among parents and children."""
    with sqlite3.connect(path) as database:
        database.executescript("UPDATE parent SET name = 'other' WHERE id = 7; INSERT INTO parent VALUES(900, 'came'); "
                               "INSERT INTO child VALUES(901, 900, NULL);"
                               "DELETE FROM child WHERE parent = 50; DELETE FROM parent WHERE id = 50; "
                               "DELETE FROM child WHERE id = 400;")
    database.close()


class Mirrors:
    """Of any target: `uri`, and `rows(table)` of texts, in order."""

    def setUp(self):
        super().setUp()
        fill(self.path("src.db"))

    def source_rows(self, table):
        database = sqlite3.connect(self.path("src.db"))
        try:
            return [tuple(None if value is None else str(value) for value in row)
                    for row in database.execute("SELECT * FROM %s ORDER BY id" % table)]
        finally:
            database.close()

    def mirror(self, *arguments, code=0, **more):
        return self.run_program("migrate", "-q", "--mirror", *arguments, "src.db", self.uri, code=code, **more)

    def assert_equal(self):
        for table in ("parent", "child"):
            self.assertEqual(self.rows(table), self.source_rows(table))

    def test_from_nothing_and_again(self):
        self.mirror("--confirm")
        self.assert_equal()
        before = self.rows("parent"), self.rows("child")
        change(self.path("src.db"))
        looked = self.run_program("migrate", "--mirror", "src.db", self.uri, code=1)
        self.assertIn("3 records would be written and 4 deleted", " ".join(looked.err.split()))
        self.assertEqual((self.rows("parent"), self.rows("child")), before)
        self.mirror("--confirm", "--dry-run", code=1)
        self.assertEqual((self.rows("parent"), self.rows("child")), before)
        told = json.loads(self.mirror("--confirm", "--json").out)
        self.assertEqual([(e["missing"], e["different"], e["extra"])
                          for e in sorted(told["entities"], key=lambda e: e["name"], reverse=True)],
                         [(1, 1, 1), (1, 0, 3)])
        self.assert_equal()
        self.assertTrue(json.loads(self.mirror("--confirm", "--json").out)["ok"])
        self.mirror()

    def test_killed_and_resumed(self):
        """At each place, by the same command or by resume; also while what is missing is copied."""
        arguments = "migrate", "-q", "--chunk-rows", 32, "--jobs", 1, "--mirror", "--confirm", "src.db", self.uri
        cases = [("engine.after_commit", "copy"), ("engine.before_completed", "copy"),
                 ("engine.before_repair_delete", "repair"), ("engine.after_repair_delete", "repair"),
                 ("engine.before_commit", "repair"), ("engine.before_completed", "repair")]
        for number, (point, during) in enumerate(cases):
            with self.subTest(point=point, during=during):
                self.setUp()
                arguments = (*arguments[:-1], self.uri)
                if during == "repair":
                    self.mirror("--confirm")
                    change(self.path("src.db"))
                self.assertEqual(support.kill_at(point, 1, *arguments, cwd=self.folder).code, -9)
                if number % 2:
                    self.run_program("resume", "-q", "src.db", self.uri)
                else:
                    self.mirror("--confirm")
                self.assert_equal()


class Sqlite(Mirrors, support.TestCase):
    uri = "there.db"

    def rows(self, table):
        database = sqlite3.connect(self.path("there.db"))
        try:
            return [tuple(None if value is None else str(value) for value in row)
                    for row in database.execute("SELECT * FROM %s ORDER BY id" % table)]
        finally:
            database.close()

    def change_there(self, script):
        with sqlite3.connect(self.path("there.db")) as database:
            database.executescript(script)
        database.close()

    def test_missing_and_empty_tables_are_copied(self):
        self.mirror("--confirm")
        for script in ("DROP TABLE child; DELETE FROM parent WHERE id = 3;",
                       "DELETE FROM child; UPDATE parent SET name = 'x';"):
            self.change_there(script)
            self.mirror("--confirm")
            self.assert_equal()

    def test_tables_of_others_stay(self):
        """What the plan does not name is not there for it."""
        self.mirror("--confirm")
        self.change_there("CREATE TABLE mine(a); INSERT INTO mine VALUES(1);")
        self.mirror("--confirm")
        self.change_there("DELETE FROM mine WHERE a = 1 AND a = 2")
        database = sqlite3.connect(self.path("there.db"))
        self.assertEqual(database.execute("SELECT * FROM mine").fetchall(), [(1,)])
        database.close()

    def test_taken_back(self):
        self.mirror("--confirm")
        before = self.rows("parent"), self.rows("child")
        change(self.path("src.db"))
        self.mirror("--confirm")
        self.run_program("rollback", "-q", "--run", self.run_id(), "--confirm")
        self.assertEqual((self.rows("parent"), self.rows("child")), before)

    def test_what_it_does_not_go_with(self):
        for arguments, word in ((("--existing", "upsert"), "--existing"), (("--schema-only",), "--schema-only"),
                                (("--renumber", "parent"), "--renumber")):
            with self.subTest(word=word):
                self.assertIn("does not go with %s" % word, self.mirror(*arguments, "--confirm", code=2).err)
        self.mirror("--confirm")
        self.write("p.yaml",
                   "transhume: 1\nsource: src.db\ntarget: there.db\ntables:\n  parent: { key: [id], from: parent, "
                   "existing: append }\n")
        self.assertIn("`existing:` says what else", " ".join(self.run_program("migrate", "-q", "--plan", "p.yaml",
                                                                              "--mirror", "--confirm",
                                                                              code=2).err.split()))


class Postgres(Mirrors, support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        self.uri = self.server.uri(self.name)

    def rows(self, table):
        return [tuple(row) for row in self.server.psql(self.name, "SELECT * FROM %s ORDER BY id" % table)]


# of each column a value, and one that is hardly another
TYPES = {"bool": ("true", "false"), "int2": ("7", "8"), "int4": ("70000", "70001"),
         "int8": ("5000000000", "5000000001"), "oid": ("26", "27"),
         "float4": ("0.1", "0.10000001"), "float8": ("0.1", "0.10000000000000002"), "numeric": ("1.5", "1.50000001"),
         "numeric(9,2)": ("1.10", "1.11"),
         "text": ("''", "NULL"), "varchar(9)": ("'a'", "'a '"), "char(5)": ("'x'", "'X'"),
         "text COLLATE loose": ("'word'", "'Word'"), "bytea": ("'\\x0001'", "'\\x0002'"),
         "date": ("'2024-02-29'", "'2024-03-01'"), "time": ("'12:00:00.000001'", "'12:00:00.000002'"),
         "timestamp": ("'2024-02-29 00:00:00.5'", "'2024-02-29 00:00:00.500001'"),
         "timestamptz": ("'2024-02-29 12:00+00'", "'2024-02-29 12:00+01'"),
         "uuid": ("'123e4567-e89b-12d3-a456-426614174000'", "'123e4567-e89b-12d3-a456-426614174001'"),
         "jsonb": ("'{\"a\": 1}'", "'{\"a\": \"1\"}'"), "json": ("'{\"a\": 1}'", "'{\"a\": 2}'")}


class PostgresToPostgres(support.TestCase):
    """Where both sides hash their rows themselves, no difference of any type is missed."""

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def setUp(self):
        super().setUp()
        self.names = self.server.database(), self.server.database()
        for name in self.names:
            self.server.psql(name,
                             "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', "
                             "deterministic = false)")
        columns = ", ".join("c%d %s" % pair for pair in enumerate(TYPES))
        self.server.psql(self.names[0],
                         "CREATE TABLE t(id bigint PRIMARY KEY, %s); INSERT INTO t SELECT i, "
                         "%s FROM generate_series(1, 400) AS i"
                         % (columns, ", ".join(values[0] for values in TYPES.values())))

    def mirror(self):
        told = json.loads(self.run_program("migrate", "-q", "--mirror", "--confirm", "--json",
                                           *map(self.server.uri, self.names)).out)
        rows = [self.server.psql(name, "SELECT t::text FROM t ORDER BY id") for name in self.names]
        self.assertEqual(*rows)
        return [(e["missing"], e["different"], e["extra"]) for e in told.get("entities", ()) if "missing" in e]

    def test_each_type(self):
        self.mirror()
        for number, values in enumerate(TYPES.values()):
            self.server.psql(self.names[number % 2], "UPDATE t SET c%d = %s WHERE id = %d" % (number, values[1],
                10 + number))
        self.server.psql(self.names[0], "DELETE FROM t WHERE id = 7; INSERT INTO t(id) VALUES(-1), (9000000000)")
        self.server.psql(self.names[1], "DELETE FROM t WHERE id = 8; INSERT INTO t(id) VALUES(-2)")
        self.assertEqual(self.mirror(), [(3, len(TYPES), 2)])

    def test_most_of_a_table(self):
        self.mirror()
        self.server.psql(self.names[1],
                         "UPDATE t SET c1 = 9 WHERE id > 50; DELETE FROM t WHERE id < 9; "
                         "INSERT INTO t(id) SELECT generate_series(1001, 1300)")
        self.assertEqual(self.mirror(), [(8, 350, 300)])


class Mysql(Mirrors, support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        self.uri = self.server.uri(self.name)

    def rows(self, table):
        return [tuple(row) for row in self.server.ask(self.name, "SELECT * FROM %s ORDER BY id" % table)]


if __name__ == "__main__":
    unittest.main()
