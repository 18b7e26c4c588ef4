"""A query's key with nulls says nothing of the children: whose they are can't be told where such a key repeats."""
import os
import shutil
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import mysql
import postgres
import sql_case
import support

TABLES = ("CREATE TABLE p (n int PRIMARY KEY); INSERT INTO p VALUES (1), (2), (3); CREATE TABLE c (id int PRIMARY KEY, "
          "p int); INSERT INTO c ")
CHILDREN = ("VALUES (10, 1), (11, 2), (12, 2)", [("1", ["10"]), ("2", ["11", "12"]), ("3", [])])
NOBODYS = ("SELECT n, 7 FROM p", [("1", []), ("2", []), ("3", [])])
# the key, the query's columns, the children and what is made of them, how the refusal names the key
CASES = (("[id]", "n, NULL AS id, n AS link", CHILDREN, "(id = null)"),
         ("[id, a]", "n, NULL AS id, CASE n WHEN 1 THEN 0 ELSE 1 END AS a, n AS link", CHILDREN, "(id = null, a = 1)"),
         ("[id]", "n, nullif(n, 1) AS id, n AS link", CHILDREN, None),   # one alone
         ("[id, n]", "n, NULL AS id, n AS link", CHILDREN, None),
         ("[id]", "n, NULL AS id, nullif(n, n) AS link", NOBODYS, None))
PLAN = """transhume: 1
source: "%s"
target: dynamodb-json:out
tables:
  things:
    key: { partition: N }
    entities:
      thing:
        query: "SELECT %s FROM p"
        key: %s
        fields:
          N: "{n}"
          cs: { embed: c, match: { p: link }, fields: { id: copy } }
          count: { aggregate: c, match: { p: link }, value: "count(*)" }
"""


class Keys:
    one_database_each = True

    def source(self, script):
        """The URI of a database with it."""
        return self.server.uri(self.made(script))

    def clean(self):
        for name in os.listdir(self.folder):
            path = self.path(name)
            (shutil.rmtree if os.path.isdir(path) else os.remove)(path)

    def assert_made(self, expected):
        items = support.read_dynamodb_json(self.path("out"))["things"]
        self.assertEqual(sorted((item["N"]["S"], [c["M"]["id"]["N"] for c in item["cs"]["L"]]) for item in items),
                         expected)
        self.assertEqual(sorted(int(item["count"]["N"]) for item in items), sorted(len(ids) for _, ids in expected))

    def test_whose_children_are_found_by_other_columns(self):
        for key, columns, (rows, expected), says in CASES:
            for options in ((), ("--batch-rows", "1")):
                with self.subTest(key=key, columns=columns, options=options):
                    self.clean()
                    self.write("plan.yaml", PLAN % (self.source(TABLES + rows), columns, key))
                    checked = self.run_program("check", "--plan", "plan.yaml", code=2 if says else 0)
                    self.assertEqual("two rows of its query have the same key %s"
                                     % says in " ".join(checked.out.split()), bool(says), checked.out)
                    result = self.run_program("migrate", "--plan", "plan.yaml", *options, code=3 if says else 0)
                    if says:
                        self.assertIn("two rows have the same key", result.err)
                    else:
                        self.assert_made(expected)


class Sqlite(Keys, support.TestCase):
    def source(self, script):
        return "sqlite:" + support.make_sqlite(self.path("source.db"), script)


class Postgres(Keys, sql_case.SqlCase):
    SERVERS = postgres


class MariaDb(Keys, sql_case.SqlCase):
    SERVERS = mariadb


class MySql9(MariaDb):
    SERVERS = mysql
