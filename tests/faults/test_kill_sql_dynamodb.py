"""The kill matrix between SQL servers and DynamoDB over the network, both ways."""
import os
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import engines
from engines import rows
import items
import mariadb
import postgres
from kill_matrix import make_source, plain_items, sample_tests
from test_kill_dynamodb import KillDynamodb, binary

OPTIONS = ["--chunk-rows", "100", "--jobs", "2"]
# Items have no columns: the way into tables names them.
PLAN = """
transhume: 1
source: none
target: none
tables:
  plain:
    key: [id]
    from: plain
    fields: { id: { column: id, cast: int64 }, a: { column: a, cast: text }, b: { column: b, cast: bytes },
              price: { column: price, cast: "decimal(10,2)", lossy: allow }, r: { column: r, cast: float64 , lossy: allow } }
  pair:
    key: [x, y]
    from: pair
    fields: { x: { column: x, cast: text }, y: { column: y, cast: int64 }, note: { column: note, cast: text } }
  counted:
    key: [id]
    from: counted
    fields: { id: { column: id, cast: int64 }, plain_id: { column: plain_id, cast: int64 }, u: { column: u, cast: text } }
"""
EMPTY = {"postgres": "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
         "mysql": "DROP DATABASE TARGET; CREATE DATABASE TARGET"}


class KillSqlDynamodb(KillDynamodb):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sql = {"mysql": mariadb.for_class(cls), "postgres": postgres.for_class(cls, settings={"autovacuum": "off"})}

    def setUp(self):
        super().setUp()
        self.shop = self.path("shop.db")
        make_source(self.shop, keyless=False)
        self.expected = plain_items(self.shop)

    def server_of(self, kind):
        return self.sql[kind]

    def into_dynamodb(self, kind):
        name = self.sql[kind].database()
        source = self.sql[kind].uri(name)
        self.run_program("migrate", "--state", "state-shop", "--progress", "none", self.shop, source)
        self.assert_whole(kind, name)
        self.empty_target = lambda: items.empty(self.client)

        def check(_folder):
            self.assertEqual(items.tables(self.client), sorted(self.expected))
            for table, wanted in self.expected.items():
                items.assert_same(self, [binary(item) for item in wanted], items.scan(self.client, table))

        self.matrix([*OPTIONS, source, self.uri], check, self.environment)

    def out_of_dynamodb(self, kind):
        self.fill({table: [binary(item) for item in wanted] for table, wanted in self.expected.items()})
        name = self.sql[kind].database()
        self.empty_target = lambda: self.sql[kind].ask("" if kind == "mysql" else name,
                                                       EMPTY[kind].replace("TARGET", name))
        self.everything = lambda: (self.sql[kind].rows(name), self.sql[kind].dump(name))
        plan = self.write("plan.yaml", PLAN)
        self.matrix(["--plan", plan, "--state", "state", *OPTIONS, self.uri, self.sql[kind].uri(name)],
                    lambda folder: self.assert_whole(kind, name), self.environment)

    def assert_whole(self, kind, name):
        found = (engines.mysql.contents if kind == "mysql" else engines.postgres.contents)(self.sql[kind], name)
        rows.assert_same(self, engines.sqlite.contents(self.shop), found)

    def test_postgres_to_dynamodb(self):
        self.into_dynamodb("postgres")

    def test_mysql_to_dynamodb(self):
        self.into_dynamodb("mysql")

    def test_dynamodb_to_postgres(self):
        self.out_of_dynamodb("postgres")

    def test_dynamodb_to_mysql(self):
        self.out_of_dynamodb("mysql")


# before any is drawn
ALL = {name: getattr(KillSqlDynamodb, name) for name in dir(KillSqlDynamodb) if name.startswith("test_")}
sample_tests(KillSqlDynamodb, 1)

if __name__ == "__main__":
    unittest.main()
