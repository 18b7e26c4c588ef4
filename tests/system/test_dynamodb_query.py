"""`query:` over DynamoDB: the JSON of a Query or a Scan, of a table or an index."""
import json
import unittest

import items
import servers
import support
from dynamodb_case import DynamodbCase
from fault_proxy import FaultProxy
from support import SEED

PLAN = """
transhume: 1
source: "%s"
target: dynamodb-json:out
tables:
  found:
    key: { partition: shepherd, sort: id }
    query: '%s'
    fields: { "*": copy }
"""


class Queries(DynamodbCase):
    def setUp(self):
        super().setUp()
        items.create(self.client, "herd", (("shepherd", "S"), ("id", "N")),
                     [("by-breed", (("breed", "S"), ("id", "N")))])
        self.items = [{"shepherd": {"S": "Flo\u00efne %d" % (n % 3)}, "id": {"N": str(n)}, "weight": {"N": str(n % 50)}}
                      for n in range(300)]
        for n, item in enumerate(self.items):
            if n % 4:
                item["breed"] = {"S": "merino" if n % 2 else "heidschnucke"}
        items.put(self.client, "herd", self.items)

    def run_query(self, query, *options, endpoint=None, command="migrate", code=0, out="out"):
        self.write("plan.yaml", PLAN % (self.uri(endpoint), json.dumps(query)))
        return self.run_aws(command, "--plan", "plan.yaml", "--state", "state-" + out, *options, code=code)

    def assert_found(self, wanted):
        items.assert_same(self, wanted, support.read_dynamodb_json(self.path("out"))["found"])

    def test_one_partition(self):
        query = {"TableName": "herd", "KeyConditionExpression": "shepherd = :s AND id BETWEEN :a AND :b",
                 "ExpressionAttributeValues": {":s": {"S": "Flo\u00efne 1"}, ":a": {"N": "10"}, ":b": {"N": "200"}}}
        self.run_query(query)
        self.assert_found([item for item in self.items
                           if item["shepherd"]["S"] == "Flo\u00efne 1" and 10 <= int(item["id"]["N"]) <= 200])

    def test_an_index_in_pages_with_faults(self):
        query = {"TableName": "herd", "IndexName": "by-breed", "KeyConditionExpression": "#b = :b",
                 "ExpressionAttributeNames": {"#b": "breed"}, "ExpressionAttributeValues": {":b": {"S": "merino"}},
                 "ScanIndexForward": False}
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            proxy.add("throttle", operation="Query", first=3, every=3)
            proxy.add("short_page", operation="Query", limit=20)
            proxy.keep_bodies = True
            self.run_query(query, "--chunk-rows", "50", endpoint=proxy.endpoint)
            self.assertGreater(proxy.hits["throttle"], 1)
            self.assertEqual({operation for operation, body in proxy.bodies if "TableName" in body},
                             {"DescribeTable", "Query"})
        self.assert_found([item for item in self.items if item.get("breed") == {"S": "merino"}])

    def test_a_filtered_scan_in_segments(self):
        query = {"TableName": "herd", "FilterExpression": "weight < :w",
                 "ExpressionAttributeValues": {":w": {"N": "5"}}}
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            proxy.keep_bodies = True
            self.run_query(query, "--chunk-rows", "50", "--jobs", "2", endpoint=proxy.endpoint)
            segments = {body.get("Segment") for operation, body in proxy.bodies if "FilterExpression" in body}
            self.assertGreater(len(segments), 3)
        self.assert_found([item for item in self.items if int(item["weight"]["N"]) < 5])

    def test_what_an_index_holds(self):
        self.run_query({"TableName": "herd", "IndexName": "by-breed"})
        self.assert_found([item for item in self.items if "breed" in item])

    def test_killed_and_resumed(self):
        query = {"TableName": "herd", "FilterExpression": "weight < :w",
                 "ExpressionAttributeValues": {":w": {"N": "40"}}}
        self.write("plan.yaml", PLAN % (self.uri(), json.dumps(query)))
        arguments = ("--plan", "plan.yaml", "--state", "state", "--chunk-rows", "40")
        env = servers.aws_environment(self.folder)
        killed = support.kill_at("engine.after_commit", 3, "migrate", *arguments, cwd=self.folder, env=env)
        self.assertEqual(killed.code, -9, killed.err)
        self.run_aws("resume", *arguments)
        self.assert_found([item for item in self.items if int(item["weight"]["N"]) < 40])

    def test_queries_that_are_refused(self):
        cases = [
            ({"TableName": "herds"}, "herds"),
            ({"IndexName": "by-breed"}, "TableName"),
            ({"TableName": "herd", "Limit": 7}, "Limit"),
            ({"TableName": "herd", "Segment": 1}, "Segment"),
            ({"TableName": "herd", "IndexName": "by-wool"}, "by-wool"),
            ({"TableName": "herd", "KeyConditionExpression": "id = :i",
              "ExpressionAttributeValues": {":i": {"N": "1"}}}, "shepherd"),
            ({"TableName": "herd", "FilterExpression": "weight <"}, "FilterExpression"),
            ("SELECT * FROM herd", "JSON"),
        ]
        for query, words in cases:
            with self.subTest(query=query):
                result = self.run_query(query, command="check", code=2)
                self.assertIn(words, result.err)
                self.assertEqual(len([line for line in result.err.splitlines() if line.startswith("error: ")]), 1,
                                 result.err)


if __name__ == "__main__":
    unittest.main()
