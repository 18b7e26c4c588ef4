"""The kill matrix where DynamoDB is source or target: a real server that lives on, read back by boto3."""
import os
import unittest

import items
import servers
import support
from kill_matrix import KillMatrix, make_source, plain_items, rows_by_table

BACK_PLAN = """
transhume: 1
source: "%s"
target: sqlite:out.db
tables:
  plain:
    key: [id]
    from: plain
    columns: { id: { type: INTEGER }, a: { type: TEXT }, b: { type: BLOB }, price: { type: "NUMERIC(10,2)" }, r: { type: REAL } }
    fields: { id: copy, a: copy, b: copy, price: copy, r: copy }
  pair:
    key: [x, y]
    from: pair
    columns: { x: { type: TEXT }, y: { type: INTEGER }, note: { type: TEXT } }
    fields: { x: copy, y: copy, note: copy }
  counted:
    key: [id]
    from: counted
    columns: { id: { type: INTEGER }, plain_id: { type: INTEGER }, u: { type: TEXT } }
    fields: { id: copy, plain_id: copy, u: copy }
"""


class KillDynamodb(KillMatrix):
    sample_seconds = None if support.SOAK else 8

    @classmethod
    def setUpClass(cls):
        cls.server = servers.for_class(cls, "dynalite")
        cls.client = items.client_of(cls.server)

    def setUp(self):
        super().setUp()
        items.empty(self.client)
        self.environment = servers.aws_environment(self.folder)
        self.uri = "dynamodb://us-east-1?endpoint=" + self.server.endpoint

    def fill(self, tables):
        keys = {"plain": (("id", "N"),), "pair": (("x", "S"), ("y", "N")), "counted": (("id", "N"),)}
        for table, wanted in tables.items():
            items.create(self.client, table, keys[table])
            items.put(self.client, table, wanted)


class FromDynamodb(KillDynamodb):
    def setUp(self):
        super().setUp()
        self.source = self.path("shop.db")
        make_source(self.source, keyless=False)
        self.tables = {table: [binary(item) for item in wanted]
                       for table, wanted in plain_items(self.source).items()}
        self.fill(self.tables)

    def test_dynamodb_to_sqlite(self):
        expected = rows_by_table(self.source)
        plan = self.write("plan.yaml", BACK_PLAN % self.uri)
        self.matrix(["--plan", plan, "--state", "state", "--chunk-rows", "100", "--jobs", "2", self.uri, "out.db"],
                    lambda folder: self.assertEqual(rows_by_table(os.path.join(folder, "out.db")), expected),
                    self.environment)

    def test_dynamodb_to_dynamodb_json(self):
        self.matrix(["--chunk-rows", "100", "--jobs", "2", self.uri, "dynamodb-json:out"], self.check_items,
                    self.environment)

    def check_items(self, folder):
        found = support.read_dynamodb_json(os.path.join(folder, "out"))
        self.assertEqual(sorted(found), sorted(self.tables))
        for table, wanted in self.tables.items():
            items.assert_same(self, wanted, found[table])


def binary(item):
    """boto3 takes bytes, where DynamoDB-JSON has base64."""
    import base64
    return {name: {"B": base64.b64decode(value["B"])} if "B" in value else value for name, value in item.items()}


class ToDynamodb(KillDynamodb):
    def empty_target(self):
        items.empty(self.client)

    def test_sqlite_to_dynamodb(self):
        source = self.path("shop.db")
        make_source(source, keyless=False)
        expected = plain_items(source)

        def check(_folder):
            self.assertEqual(items.tables(self.client), sorted(expected))
            for table, wanted in expected.items():
                items.assert_same(self, wanted, items.scan(self.client, table))

        self.matrix(["--chunk-rows", "100", "--jobs", "2", source, self.uri], check, self.environment)




if __name__ == "__main__":
    unittest.main()
