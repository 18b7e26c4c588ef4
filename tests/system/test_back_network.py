"""The way back from DynamoDB itself: the Chinook example over the network, both ways, against a real server."""
import collections
import json
import os
import unittest

import items
import servers
import support
import test_chinook
import test_plan_back
from dynamodb_case import DynamodbCase
from fault_proxy import FaultProxy


class Back(DynamodbCase):
    rows = test_chinook.Back.rows
    assert_shop = test_chinook.Back.assert_shop
    assert_references = test_chinook.Back.assert_references

    loaded = False

    def setUp(self):
        """The tables are filled once: what is tried here only reads them."""
        support.TestCase.setUp(self)
        self.source = support.musicshop(self.path("shop.db"))
        if not type(self).loaded:
            items.empty(self.client)
            self.run_aws("migrate", "--plan", test_chinook.PLAN, "--state", self.path("there"), "shop.db", self.uri())
            type(self).loaded = True

    def back(self, *options, endpoint=None, target="again.db", command="migrate", code=0):
        return self.run_aws(command, "--plan", test_chinook.BACK, "--state", self.path("back-" + target), *options,
                            self.uri(endpoint), target, code=code)

    def scans(self, proxy):
        """How often each table was asked for items; counting alone brings none."""
        return collections.Counter(body["TableName"] for operation, body in proxy.bodies
                                   if operation == "Scan" and body.get("Select") != "COUNT")

    def test_eleven_tables_by_one_scan_each(self):
        with FaultProxy(self.server.endpoint) as proxy:
            proxy.keep_bodies = True
            self.back("--jobs", "1", endpoint=proxy.endpoint)
            many = self.scans(proxy)
        self.assertGreater(self.assert_shop(self.source, self.path("again.db")), 15000)
        self.assert_references(self.source, self.path("again.db"))
        with FaultProxy(self.server.endpoint) as proxy:
            proxy.keep_bodies = True
            self.run_aws("migrate", "--jobs", "1", "--state", self.path("plain"), self.uri(proxy.endpoint),
                         "dynamodb-json:out")
            self.assertEqual(many, self.scans(proxy))
        self.assertEqual(len(many), 4)

    def test_killed_and_resumed(self):
        options = ("--chunk-rows", "500")
        killed = support.kill_at("engine.after_commit", 3, "migrate", "--plan", test_chinook.BACK, "--state",
                                 self.path("back-again.db"), *options, self.uri(), "again.db", cwd=self.folder,
                                 env=servers.aws_environment(self.folder))
        self.assertEqual(killed.code, -9, killed.err)
        self.back(*options, command="resume")
        self.assert_shop(self.source, self.path("again.db"))

    def test_faults_on_the_way(self):
        with FaultProxy(self.server.endpoint, seed=support.SEED) as proxy:
            proxy.add("throttle", operation="Scan", first=2, every=3, count=4)
            proxy.add("error", operation="Scan", every=5, count=3)
            proxy.add("cut_after", operation="Scan", every=7, count=3)
            proxy.add("short_page", operation="Scan", limit=40, every=2)
            self.back(endpoint=proxy.endpoint)
            self.assertGreater(sum(proxy.hits.values()), 5)
        self.assert_shop(self.source, self.path("again.db"))


class Repeats(DynamodbCase):
    """Equal records as one in DynamoDB, which overwrites without a word."""

    RECORDS = test_plan_back.Distinct.RECORDS
    PLAN = test_plan_back.Distinct.PLAN

    def test_equal_records_as_one(self):
        os.makedirs(self.path("in", "shop"))
        with open(self.path("in", "shop", "data-1.json"), "w", encoding="utf-8") as file:
            for name, dial in self.RECORDS:
                file.write(json.dumps({"Item": {"Name": {"S": name}, "Dial": {"N": str(dial)}}}) + "\n")
        self.write("transhume.yaml", self.PLAN.replace("TARGET", self.uri()).replace("KEY", "{ partition: Name }")
                   .replace("EXISTING", "refuse"))
        options = ("--chunk-rows", 5, "--batch-rows", 3, "--json")
        killed = support.kill_at("engine.after_commit", 4, "migrate", *options, cwd=self.folder,
                                 env=servers.aws_environment(self.folder))
        self.assertEqual(killed.code, -9, killed.err)
        result = self.run_aws("resume", *options, code=1)
        (counts,) = json.loads(result.out)["entities"]
        self.assertEqual((counts["written"], counts["written"] + counts["rejected"] + counts["skipped"]), (3, 70))
        self.assertEqual({tuple(reject["record"].values()) for reject in self.rejects(".transhume")}, {("Peru", 4)})
        found = items.scan(self.client, "countries")
        self.assertEqual({(item["Name"]["S"], item["Dial"]["N"]) for item in found},
                         {("Chad", "1"), ("Peru", "2"), ("Fiji", "3")})


if __name__ == "__main__":
    unittest.main()
