"""`mask:` of a plan: values that the target is not to have, the same wherever they stand."""
import base64
import contextlib
import json
import os
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import postgres
import support

SOURCE = """CREATE TABLE person(email VARCHAR(60) PRIMARY KEY, name TEXT, phone TEXT, born DATE, salary INTEGER, note TEXT) WITHOUT ROWID;
CREATE TABLE account(id INTEGER PRIMARY KEY, owner VARCHAR(60) REFERENCES person(email), total INTEGER);
CREATE VIEW seen AS SELECT name FROM person;
CREATE TABLE entry(id INTEGER PRIMARY KEY, account INTEGER NOT NULL REFERENCES account(id), text TEXT);
"""
HEAD = """transhume: 1
source: sqlite:src.db
target: %s
mask:
  key: "${file:key}"
  columns:
    person.email: hash
    "*.name": fake name
    person.phone: partial 2
    person.born: redact 2000-01-01
    person.note: redact
    account.id: hash
"""


class Mask(support.TestCase):
    def setUp(self):
        super().setUp()
        self.write("key", "k-0123456789")
        database = sqlite3.connect(self.path("src.db"))
        database.executescript(SOURCE)
        for number in range(1, 41):
            database.execute("INSERT INTO person VALUES(?, ?, ?, ?, ?, ?)",
                             ("p%d@secret.test" % number, "Secret %d" % (number % 5), "+49 %06d" % number,
                              "1970-01-%02d" % (number % 28 + 1), number, None if number % 2 else "secret"))
            database.execute("INSERT INTO account VALUES(?, ?, ?)",
                             (number * 1000, "p%d@secret.test" % (number % 7 + 1), number))
            database.executemany("INSERT INTO entry(account, text) VALUES(?, ?)",
                                 [(number * 1000, "e%d" % part) for part in range(3)])
        database.commit()
        database.close()

    def rows(self, statement, name="out.db"):
        database = sqlite3.connect(self.path(name))
        try:
            return database.execute(statement).fetchall()
        finally:
            database.close()

    def migrate(self, plan, code=0, **more):
        self.write("p.yaml", plan)
        return self.run_program("migrate", "--plan", "p.yaml", code=code, **more)

    def test_a_whole_database(self):
        self.migrate(HEAD % "sqlite:out.db")
        self.assertEqual(self.rows("SELECT count(*) FROM person"), [(40,)])
        self.assertNotIn("secret", json.dumps(self.rows("SELECT * FROM person")
                                              + self.rows("SELECT * FROM account")).lower())
        joined = ("SELECT count(*), sum(total), count(DISTINCT owner) FROM account JOIN person ON owner = email JOIN "
                  "entry ON entry.account = account.id")
        self.assertEqual(self.rows(joined), self.rows(joined, "src.db"))
        self.assertEqual(self.rows("PRAGMA foreign_key_check"), [])
        self.assertEqual(self.rows("SELECT count(DISTINCT name), sum(salary), count(note), min(born), "
                                   "max(born) FROM person"), [(5, 820, 20, "2000-01-01", "2000-01-01")])
        self.assertEqual(self.rows("SELECT DISTINCT note FROM person ORDER BY 1"), [(None,), ("***",)])
        self.assertEqual(self.rows("SELECT phone FROM person WHERE phone NOT LIKE '+** ****__'"), [])
        self.assertEqual(self.rows("SELECT count(*) FROM account JOIN entry ON account.id = entry.account WHERE "
                                   "account.id = total * 1000"), [(0,)])
        self.run_program("validate", "--plan", "p.yaml", "--level", "full")
        self.run_program("validate", "--plan", "p.yaml", "--level", "hash")
        kept = [self.path("out.db")] + [os.path.join(folder, name)
                                        for folder, _, names in os.walk(self.path(".transhume")) for name in names]
        wanted = [b"@secret.test", b"k-0123456789"] + [base64.b64encode(b"x" * by + b"@secret.test")[4:12]
                                                       for by in (1, 2, 3)]
        for path in kept:   # the ledger is in the target
            with open(path, "rb") as file:
                text = file.read()
            self.assertEqual([one for one in wanted if one in text], [], path)

    def test_what_is_made_of_masked_columns_is_masked(self):
        """Templates, expressions, lists and their keys, lookups."""
        self.migrate(HEAD % "jsonl:out" + """tables:
  owners:
    key: Id
    from: person
    fields:
      Id: "P#{email}"
      Length: { sql: "length(email)", cast: int64 }
      Accounts:
        embed: account
        fields: { id: copy, Name: { lookup: person, column: name }, total: copy }
""")
        records = []
        for name in os.listdir(self.path("out", "owners")):
            with open(self.path("out", "owners", name), encoding="utf-8") as file:
                records += [json.loads(line) for line in file]
        self.assertEqual(len(records), 40)
        self.assertEqual({record["Length"] for record in records}, {32})
        self.assertEqual(sum(item["total"] for record in records for item in record.get("Accounts") or ()), 820)
        self.assertNotIn("secret", json.dumps(records).lower())
        self.assertEqual(sum(item["id"] == item["total"] * 1000 for record in records for item in record.get("Accounts")
                             or ()), 0)
        self.run_program("validate", "--plan", "p.yaml", "--level", "full")

    def test_killed_and_resumed_with_the_same_key(self):
        plan = HEAD % "sqlite:out.db" + "options: { chunk_rows: 5 }\n"
        self.write("p.yaml", plan)
        self.run_program("migrate", "--plan", "p.yaml", code=-9,
                         env={"TRANSHUME_FAILPOINT": "engine.before_commit:kill:3"})
        self.write("key", "another")
        self.assertIn("plan", self.run_program("resume", code=5).err)
        self.write("key", "k-0123456789")
        self.run_program("resume")
        self.assertEqual(self.rows("PRAGMA foreign_key_check"), [])
        self.run_program("validate", "--plan", "p.yaml", "--level", "full")

    def test_what_is_refused(self):
        columns = ('transhume: 1\nsource: sqlite:src.db\ntarget: sqlite:out.db\nmask: { key: "${file:key}", '
                   'columns: { "%s": "%s" } }\n%s')
        for column, mask, more, line in (
                ("person.mail", "hash", "", "no column of the source is 'person.mail'"),
                ("person.email", "redact", "",
                 "person.email belongs to a key, and by 'redact' two of its values may become one"),
                ("person.salary", "partial", "", "partial and fake are for texts"),
                ("person.salary", "redact soon", "", "'soon' is no value of its kind"),
                ("person.name", "fake animal", "", "'fake animal' is no mask"),
                ("account.total", "hash", "tables: { q: { query: 'SELECT * FROM account', key: id } }",
                 "is a query, whose columns can't be masked")):
            self.assertIn(line, self.migrate(columns % (column, mask, more), code=2).err)
        both = (columns % ("person.email", "hash", "")).replace('"hash" }', '"hash", account.owner: "fake email" }')
        self.assertIn("account.owner refers to person.email and is masked in another way",
                      self.migrate(both, code=2).err)
        self.assertIn("'hash' needs a key", self.migrate((columns % ("person.email", "hash",
                                                                     "")).replace('key: "${file:key}", ', ""),
                                                         code=2).err)
        self.assertIn("the key of masks stands in the plan", self.migrate((columns % ("person.email", "hash",
            "")).replace("${file:key}", "${KEY:-k}"), code=2).err)
        self.assertIn("is no table", self.migrate(columns % ("person.name", "hash",
                                                             "tables: { v: { from: seen, key: name } }"), code=2).err)
        self.migrate((columns % ("person.email", "hash", "")).replace('key: "${file:key}", ', ""), code=2)
        told = self.run_program("migrate", "--plan", "p.yaml", "--follow", "--catch-up", code=2)
        self.assertIn("needs a key", told.err)

    # ---- shuffle

    SHUFFLED = HEAD.replace("person.note: redact",
                            "person.note: redact\n    person.salary: shuffle\n    account.total: shuffle\n    "
                            "entry.text: shuffle")

    def test_shuffled_values_are_those_that_were_there(self):
        self.migrate(self.SHUFFLED % "sqlite:out.db")
        for statement in ("SELECT salary FROM person ORDER BY 1", "SELECT total FROM account ORDER BY 1",
                          "SELECT text FROM entry ORDER BY 1"):
            self.assertEqual(self.rows(statement), self.rows(statement, "src.db"))
        rows = self.rows("SELECT id, text FROM entry ORDER BY id")
        self.assertNotEqual(rows, self.rows("SELECT id, text FROM entry ORDER BY id", "src.db"))
        self.assertGreater(sum(text != "e%d" % ((id - 1) % 3) for id, text in rows), 40)
        self.assertEqual(self.rows("PRAGMA foreign_key_check"), [])
        self.run_program("validate", "--plan", "p.yaml", "--level", "full")
        self.run_program("validate", "--plan", "p.yaml", "--level", "hash")

    def test_each_column_is_shuffled_its_own_way(self):
        """Else two columns of a row would tell whose they were."""
        database = sqlite3.connect(self.path("src.db"))
        with database:
            database.execute("CREATE TABLE pair(id INTEGER PRIMARY KEY, one INTEGER, other INTEGER)")
            database.executemany("INSERT INTO pair VALUES(?, ?, ?)", [(n, n, n) for n in range(1, 201)])
        database.close()
        self.migrate((HEAD % "sqlite:out.db").replace("person.note: redact",
                                                      "person.note: redact\n    pair.one: shuffle\n    "
                                                      "pair.other: shuffle"))
        self.assertLess(self.rows("SELECT count(*) FROM pair WHERE one = other")[0][0], 20)
        self.assertLess(self.rows("SELECT count(*) FROM pair WHERE one = id")[0][0], 20)

    def test_the_key_says_which_and_chunks_do_not(self):
        statement = "SELECT id, text FROM entry ORDER BY id"
        self.migrate(self.SHUFFLED % "sqlite:out.db")
        killed = support.kill_at("engine.after_commit", 3, "migrate", "--plan", "p.yaml", "sqlite:src.db",
                                 "sqlite:two.db", "--state", "two",
                                 "--chunk-rows", "20", cwd=self.folder)
        self.assert_code(killed, -9)
        self.run_program("resume", "--state", "two")
        self.assertEqual(self.rows(statement), self.rows(statement, "two.db"))
        self.write("key", "another-0123456789")
        self.run_program("migrate", "--plan", "p.yaml", "sqlite:src.db", "sqlite:three.db", "--state", "three")
        self.assertNotEqual(self.rows(statement), self.rows(statement, "three.db"))

    def test_what_can_not_be_shuffled(self):
        columns = ('transhume: 1\nsource: sqlite:src.db\ntarget: sqlite:out.db\nmask: { key: "${file:key}", '
                   'columns: { %s: shuffle } }\n%s\n')
        for column, more, line in (
                ("person.email", "", "person.email belongs to a key"),
                ("account.owner", "", "account.owner can't be shuffled: it refers to another table"),
                ("entry.account", "", "entry.account"),
                ("person.name",
                 "tables: { a: { from: account, fields: { id: copy, n: { lookup: person, column: name } } } }",
                 "reads it as a part of another table's records")):
            with self.subTest(column + more):
                self.assertIn(line, self.migrate(columns % (column, more), code=2).err)
        self.migrate(columns % ("person.salary", ""))
        self.assertIn("its values are shuffled", self.run_program("migrate", "--plan", "p.yaml", "sqlite:src.db",
                                                                  "sqlite:new.db", "--state", "new", "--follow",
                                                                  "--catch-up", code=2).err)


class Followed(support.TestCase):
    """What is followed is masked as the copy was: in the end the target is what a copy of now would be."""
    PLAN = """transhume: 1
source: sqlite:src.db
target: %s
mask:
  key: "${file:key}"
  columns: { person.email: hash, "*.name": fake name, person.note: redact, account.id: hash }
"""
    LISTS = """tables:
  owners:
    from: person
    key: email
    fields:
      email: copy
      name: copy
      accounts: { embed: account, order: id, fields: { id: copy, total: copy } }
"""

    def setUp(self):
        super().setUp()
        self.write("key", "k-0123456789")
        with self.source() as database:
            database.executescript(SOURCE)
            database.executemany("INSERT INTO person VALUES(?, ?, NULL, NULL, ?, 'secret')",
                                 [("p%d@secret.test" % n, "Secret %d" % n, n) for n in range(30)])
            database.executemany("INSERT INTO account VALUES(?, ?, ?)",
                                 [(n * 1000, "p%d@secret.test" % (n % 30), n) for n in range(1, 60)])
            database.executemany("INSERT INTO entry(account, text) VALUES(?, ?)",
                                 [(n * 1000, "e") for n in range(1, 60)])

    @contextlib.contextmanager
    def source(self):
        with contextlib.closing(sqlite3.connect(self.path("src.db"))) as database, database:
            yield database

    def change(self):
        with self.source() as database:
            database.execute("INSERT INTO person VALUES('new@secret.test', 'Secret new', NULL, NULL, 1, 'secret')")
            database.execute("UPDATE person SET name = 'Secret other', note = 'secret more' WHERE salary < 5")
            database.execute("UPDATE account SET id = id + 7, owner = 'new@secret.test' WHERE id IN (3000, 4000)")
            database.execute("UPDATE entry SET account = 3007 WHERE account = 3000")
            database.execute("DELETE FROM entry WHERE account > 50000 OR account = 4000")
            database.execute("DELETE FROM account WHERE id > 50000")
            database.execute("DELETE FROM person WHERE email = 'p29@secret.test' AND NOT EXISTS (SELECT 1 FROM account "
                             "WHERE owner = email)")

    def contents(self, name):
        with contextlib.closing(sqlite3.connect(self.path(name))) as database:
            tables = [row[0]
                      for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT "
                                                  "LIKE '\\_transhume%' ESCAPE '\\' ORDER BY 1")]
            return {table: sorted(database.execute("SELECT * FROM %s" % table).fetchall(), key=repr)
                    for table in tables}

    def follow(self, more, killed=None):
        self.write("p.yaml", self.PLAN % "sqlite:out.db" + more)
        self.run_program("migrate", "--plan", "p.yaml", "--follow", "--catch-up")
        self.change()
        if killed:
            self.assert_code(support.kill_at(killed, 1, "follow", "--plan", "p.yaml", "--catch-up", cwd=self.folder),
                             -9)
        self.run_program("follow", "--plan", "p.yaml", "--catch-up")
        self.run_program("migrate", "--plan", "p.yaml", "sqlite:src.db", "sqlite:now.db", "--state", "now")
        found = self.contents("out.db")
        self.assertEqual(found, self.contents("now.db"))
        self.assertNotIn("secret", json.dumps(found).lower())

    def test_rows(self):
        self.follow("")

    def test_rows_after_a_kill(self):
        self.follow("", killed="sqlite.after_apply")

    def test_lists_and_their_roots(self):
        self.follow(self.LISTS)

    def test_no_way_back(self):
        self.write("p.yaml", self.PLAN % "sqlite:out.db")
        self.run_program("migrate", "--plan", "p.yaml", "--follow", "--catch-up")
        told = self.run_program("cutover", "--plan", "p.yaml", "--reverse", "--confirm", code=5).err
        self.assertIn("its values are masked, and would be fed back", told)


class FollowedPostgres(support.TestCase):
    """
    A long value that an update leaves alone does not come with the change: the row is read again, and masked then.
    """

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls, settings={"wal_level": "logical"})

    def test_values_that_do_not_come_along(self):
        name = self.server.database()
        self.write("key", "k-0123456789")
        self.server.ask(name, "CREATE TABLE person(id int PRIMARY KEY, name text, note text, n int); "
                        "ALTER TABLE person ALTER note SET STORAGE EXTERNAL; "
                        "INSERT INTO person SELECT g, 'Secret ' || g, repeat('secret ' || g, 800), "
                        "0 FROM generate_series(1, 20) g")
        self.write("p.yaml",
                   "transhume: 1\nsource: %s\ntarget: sqlite:out.db\ninclude: person\nmask: { key: '${file:key}', "
                   "columns: { person.id: hash, person.name: fake name, person.note: hash } }\n"
                   % self.server.uri(name))
        self.run_program("migrate", "--plan", "p.yaml", "--follow", "--catch-up")
        self.server.ask(name,
                        "UPDATE person SET n = 1 WHERE id < 5; UPDATE person SET name = 'Secret new' WHERE id = 6; "
                        "UPDATE person SET id = 77 WHERE id = 7; "
                        "DELETE FROM person WHERE id = 8; INSERT INTO person VALUES (90, 'Secret 90', 'secret', 2)")
        self.run_program("follow", "--plan", "p.yaml", "--catch-up")
        self.run_program("migrate", "--plan", "p.yaml", self.server.uri(name), "sqlite:now.db", "--state", "now")
        found = []
        for file in ("out.db", "now.db"):
            with contextlib.closing(sqlite3.connect(self.path(file))) as database:
                found.append(database.execute("SELECT * FROM person ORDER BY id").fetchall())
        self.assertEqual(found[0], found[1])
        self.assertEqual(len(found[0]), 20)
        self.assertNotIn("secret", json.dumps(found).lower())


if __name__ == "__main__":
    unittest.main()
