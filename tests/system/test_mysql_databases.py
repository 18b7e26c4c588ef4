"""Several databases of one MariaDB server as one source, and why they are no target."""
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

SHOP = """CREATE TABLE users (id int AUTO_INCREMENT PRIMARY KEY, name varchar(20) UNIQUE);
INSERT INTO users (name) SELECT CONCAT('n', seq) FROM seq_1_to_100;"""
OTHER = """CREATE TABLE users (id int PRIMARY KEY);
CREATE TABLE `ord.ers` (id int PRIMARY KEY, user_id int, FOREIGN KEY (user_id) REFERENCES `%s`.users (id) ON DELETE CASCADE);
CREATE VIEW shown AS SELECT id FROM users;
INSERT INTO users SELECT seq FROM seq_1_to_10; INSERT INTO `ord.ers` SELECT seq, 1 + seq %% 100 FROM seq_1_to_3000;"""


class DatabasesCase(sql_case.SqlCase):
    SERVERS = mariadb

    def setUp(self):
        super().setUp()
        self.shop = self.made(SHOP)
        self.other = self.made(OTHER % self.shop)
        self.uri = self.server.uri(self.shop)
        self.both = ("--schema", "%s,%s" % (self.shop, self.other))


class Databases(DatabasesCase):
    def ask(self, sql):
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
            return db.execute(sql).fetchall()

    def test_into_sqlite(self):
        names = sorted(["users", self.other + ".users", self.other + ".ord.ers"])
        notes = json.loads(self.run_program("check", "--json", self.uri, "copy.db", *self.both).out)["notes"]
        self.assertIn("%s.shown: the view is not carried: of several databases only tables are copied; "
                      "a plan can copy its rows: "
                      "from: %s.shown" % (self.other, self.other), notes)
        support.kill_at("sqlite.after_commit", 2, "migrate", self.uri, "copy.db", *self.both, cwd=self.folder)
        result = support.transhume("resume", cwd=self.folder)
        self.assertTrue(result.code == 0 or "a mixed snapshot" in result.out, result)
        self.run_program("validate")
        self.run_program("validate", self.uri, "copy.db", *self.both, "--state", "new")
        self.assertEqual([name
                          for name, in self.ask("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE "
                                                "'\\_transhume%' ESCAPE '\\' ORDER BY 1")], names)
        self.assertEqual(self.ask("SELECT count(*) FROM '%s.ord.ers' JOIN users ON users.id = user_id" % self.other),
                         [(3000,)])
        self.assertEqual([row[2] for row in self.ask("PRAGMA foreign_key_list('%s.ord.ers')" % self.other)], ["users"])
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertFalse(os.path.exists(self.path("copy.db")))

    def test_one_of_them(self):
        self.run_program("migrate", self.uri, "copy.db", "--schema", self.other)
        self.assertEqual(self.ask("SELECT count(*) FROM users"), [(10,)])
        self.run_program("validate")

    def test_by_a_plan_into_one_database(self):
        target = self.made()
        plan = self.write("plan.yaml", """transhume: 1
source: %s
target: %s
schemas: [%s, %s]
tables:
  users: { key: id, from: users, fields: { id: copy, name: copy } }
  orders: { key: id, from: %s.ord.ers, references: { user_id: users.id }, fields: { id: copy, user_id: copy, name: { lookup: users, column: name } } }
""" % (self.uri, self.server.uri(target), self.shop, self.other, self.other))
        self.run_program("migrate", "--plan", plan)
        self.run_program("validate", "--plan", plan)
        self.assertEqual(self.server.ask(target, "SELECT count(*), count(name), min(name) FROM orders"),
                         [["3000", "3000", "n1"]])
        refused = self.run_program("migrate", self.uri, self.server.uri(self.made()), *self.both, "--state", "second",
                                   code=2)
        self.assertIn("it is of the database %s, and a run writes into one database" % self.other, refused.err)

    def test_what_is_refused(self):
        result = self.run_program("check", self.uri, "copy.db", "--schema", self.shop + ",nope", code=2)
        self.assertIn("there is no database nope [source-missing]\n  the account sees ", result.err)


class Postgres(DatabasesCase):
    """Where databases become schemas."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres = postgres.for_class(cls)

    def test_they_are_made(self):
        target = self.postgres.database()
        self.run_program("migrate", self.uri, self.postgres.uri(target), *self.both)
        self.run_program("validate", "--level", "full")
        self.assertEqual(self.postgres.psql(target, "SELECT count(*) FROM %s.\"ord.ers\" JOIN users u ON u.id = user_id"
                                            % self.other), [["3000"]])
        self.assertEqual(self.postgres.psql(target,
                                            "SELECT confrelid::regclass FROM pg_constraint WHERE contype = 'f'"),
                         [["users"]])
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.postgres.psql(target,
                                            "SELECT nspname FROM pg_namespace WHERE nspname !~ "
                                            "'^pg_|^information_schema$'"), [["public"]])

    def test_schemas_become_plain_names(self):
        source = self.postgres.database()
        self.postgres.psql(source,
                           "CREATE SCHEMA sales; CREATE TABLE p (id int PRIMARY KEY); "
                           "CREATE TABLE sales.t (id int PRIMARY KEY REFERENCES p); INSERT INTO p VALUES (1); "
                           "INSERT INTO sales.t VALUES (1)")
        target = self.made()
        self.run_program("migrate", self.postgres.uri(source), self.server.uri(target))
        self.assertEqual(self.server.ask(target, "SELECT id FROM `sales.t`"), [["1"]])
        self.run_program("validate", "--level", "full")


if __name__ == "__main__":
    unittest.main()
