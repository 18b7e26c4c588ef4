"""The kill matrix where DynamoDB is source or target: a real server that lives on, read back by boto3."""
import base64
import json
import os
import unittest

import items
import servers
import support
from kill_matrix import TABLES_PLAN, KillMatrix, make_source, plain_items, rows_by_table

KEYS = {"plain": (("id", "N"),), "pair": (("x", "S"), ("y", "N")), "counted": (("id", "N"),)}


class KillDynamodb(KillMatrix):
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
        for table, wanted in tables.items():
            items.create(self.client, table, KEYS[table])
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
        plan = self.write("plan.yaml", TABLES_PLAN % (self.uri, "out.db"))
        self.matrix(["--plan", plan, "--state", "state", "--chunk-rows", "100", "--jobs", "2", self.uri, "out.db"],
                    lambda folder: self.assertEqual(rows_by_table(os.path.join(folder, "out.db")), expected),
                    self.environment)

    def test_dynamodb_to_jsonl(self):
        self.matrix(["--chunk-rows", "100", "--jobs", "2", self.uri, "jsonl:out"], self.check_lines, self.environment)

    def check_lines(self, folder):
        for table, wanted in self.tables.items():
            found = []
            for name in sorted(os.listdir(os.path.join(folder, "out", table))):
                self.assertTrue(name.startswith("part-"), name)
                for line in support.read_lines(os.path.join(folder, "out", table, name)):
                    record = json.loads(line, parse_float=Number, parse_int=Number)
                    found.append({field: typed(value) for field, value in record.items()})
            items.assert_same(self, wanted, found)


def typed(value):
    """A value of a JSON line (numbers as they are written) as an attribute; bytes are tagged."""
    if isinstance(value, dict):
        return {"B": value["$bytes"]}
    return {"N": value} if isinstance(value, Number) else {"S": value}


class Number(str):
    """The digits of a number, to tell them from a text."""


def binary(item):
    """boto3 takes bytes, where DynamoDB-JSON has base64."""
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
