"""Plain copies from DynamoDB to DynamoDB: what a table has besides its items arrives too, as boto3 reads it."""
import unittest

import items
import servers
from dynamodb_case import DynamodbCase
from fault_proxy import FaultProxy
from test_dynamodb_exchange import shape_of

HERE, THERE = "us-east-1", "eu-west-1"


def units(read, write):
    return {"ReadCapacityUnits": read, "WriteCapacityUnits": write}


def units_of(throughput):
    return throughput.get("ReadCapacityUnits", 0), throughput.get("WriteCapacityUnits", 0)


def settings_of(client, name):
    """Billing, class, time to live and tags, the run's own mark left out."""
    table = client.describe_table(TableName=name)["Table"]
    expiry = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    tags = {tag["Key"]: tag["Value"] for tag in tags_of(client, table["TableArn"])}
    mark = tags.pop("transhume:run", None)
    return {"billing": table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
            "units": units_of(table.get("ProvisionedThroughput", {})),
            "indexes": {index["IndexName"]: units_of(index.get("ProvisionedThroughput", {}))
                        for index in table.get("GlobalSecondaryIndexes", [])},
            "caps": table.get("OnDemandThroughput"),
            "class": table.get("TableClassSummary", {}).get("TableClass", "STANDARD"),
            "ttl": expiry.get("AttributeName") if expiry["TimeToLiveStatus"] in ("ENABLED", "ENABLING") else None,
            "tags": tags}, mark


def tags_of(client, arn):
    return [tag for page in client.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
            for tag in page["Tags"]]


class Whole(DynamodbCase):
    """moto keeps its regions apart: one of them is the source, one the target."""
    server_name = "moto"

    def setUp(self):
        super().setUp()
        self.other = items.client_of(self.server, region_name=THERE)
        items.empty(self.other)
        self.target = self.uri(region=THERE)

    def make_provisioned(self):
        self.client.create_table(
            TableName="orders", BillingMode="PROVISIONED", ProvisionedThroughput=units(7, 11),
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("id", "day")],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[{"IndexName": "by-day", "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
                                     "Projection": {"ProjectionType": "KEYS_ONLY"},
                                     "ProvisionedThroughput": units(3, 5)}],
            Tags=[{"Key": "team", "Value": "é \"x\""}, {"Key": "empty", "Value": ""},
                  {"Key": "transhume:run", "Value": "of an older run"}])
        items.wait_active(self.client, "orders")
        self.client.update_time_to_live(TableName="orders",
                                        TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires at"})
        self.orders = [{"id": {"S": "a"}, "day": {"S": "d"}, "expires at": {"N": "4102444800"}}, {"id": {"S": "b"}}]
        items.put(self.client, "orders", self.orders)

    def make_on_demand(self):
        items.create(self.client, "events")
        self.events = [{"id": {"S": "e%d" % n}} for n in range(30)]
        items.put(self.client, "events", self.events)

    def assert_settings_equal(self, names):
        for name in names:
            wanted, _ = settings_of(self.client, name)
            found, mark = settings_of(self.other, name)
            self.assertEqual(found, wanted)
            self.assertTrue(mark)
            self.assertNotEqual(mark, "of an older run")
            self.assertEqual(shape_of(self.other, name), shape_of(self.client, name))

    def test_there_and_validated(self):
        self.make_provisioned()
        self.make_on_demand()
        wanted, _ = settings_of(self.client, "orders")
        self.assertEqual((wanted["billing"], wanted["units"], wanted["indexes"], wanted["ttl"], wanted["tags"]),
                         ("PROVISIONED", (7, 11), {"by-day": (3, 5)}, "expires at", {"team": "é \"x\"", "empty": ""}))
        told = " ".join(self.run_aws("check", self.uri(), self.target).out.split())
        self.assertIn("orders: made as the source's is: provisioned for 7 read and 11 write units a second, "
                      "time to live by expires at, 2 tags", told)
        self.assertIn("events: made as the source's is: on demand", told)
        self.assertIn("autoscaling, backups, alarms and policies", told)
        result = self.run_aws("migrate", self.uri(), self.target)
        self.assertNotIn("not carried", result.err)
        self.assert_tables({"orders": self.orders, "events": self.events}, self.other)
        self.assert_settings_equal(["orders", "events"])
        for level in ("hash", "full"):
            self.run_aws("validate", "--level", level)
        result = self.run_aws("validate",
                              TRANSHUME_FAILPOINT="verify.checkpoint_due:error:0,verify.checkpoint_written:kill:1")
        self.assertEqual(result.err.count("if this validation is interrupted, it starts again: the source can't prove"),
                         1)
        run = settings_of(self.other, "events")[1]
        self.run_aws("rollback", "--run", run, "--confirm")
        self.assertEqual(items.tables(self.other), [])

    def test_and_back(self):
        """
        Into a region and out of it again: nothing is lost on the way, nor does the mark of the first run go along.
        """
        self.make_provisioned()
        wanted = settings_of(self.client, "orders")[0]
        self.run_aws("migrate", "--state", "there", self.uri(), self.target)
        self.run_aws("migrate", "--state", "back", self.target, self.uri(region="ap-south-1"))
        back = items.client_of(self.server, region_name="ap-south-1")
        self.addCleanup(items.empty, back)
        found, mark = settings_of(back, "orders")
        self.assertEqual(found, wanted)
        self.assertNotEqual(mark, settings_of(self.other, "orders")[1])
        self.assert_tables({"orders": self.orders}, back)

    def test_a_plan_wins(self):
        self.make_provisioned()
        self.write("plan.yaml", """
transhume: 1
source: "%s"
target: "%s"
tables:
  orders:
    from: orders
    billing: on_demand
    tags: { team: other, new: one }
""" % (self.uri(), self.target))
        self.assertIn("orders: made as the source's is: billed as the plan says, time to live by expires at",
                      " ".join(self.run_aws("check", "--plan", "plan.yaml").out.split()))
        self.run_aws("migrate", "--plan", "plan.yaml")
        found, _ = settings_of(self.other, "orders")
        self.assertEqual((found["billing"], found["indexes"]), ("PAY_PER_REQUEST", {"by-day": (0, 0)}))
        self.assertEqual(found["tags"], {"team": "other", "empty": "", "new": "one"})
        self.assertEqual(found["ttl"], "expires at")
        self.assertEqual(shape_of(self.other, "orders"), shape_of(self.client, "orders"))

    def test_by_the_proposed_plan(self):
        """`init` between two of a kind proposes the tables as they are, so that nothing is lost by way of a plan."""
        self.make_provisioned()
        self.run_aws("init", self.uri(), self.target)
        self.run_aws("migrate")
        self.assert_tables({"orders": self.orders}, self.other)
        self.assert_settings_equal(["orders"])

    def test_what_is_left_out_is_said(self):
        self.make_on_demand()
        self.client.update_table(TableName="events", DeletionProtectionEnabled=True,
                                 StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
        self.addCleanup(self.client.update_table, TableName="events", DeletionProtectionEnabled=False)

        def encrypted(answer):
            if answer.get("Table", {}).get("TableName") == "events":
                answer["Table"]["SSEDescription"] = {"Status": "ENABLED", "SSEType": "KMS",
                                                     "KMSMasterKeyArn": "arn:aws:kms:us-east-1:1:key/x"}
                answer["Table"]["Replicas"] = [{"RegionName": "us-west-2"}]
        with FaultProxy(self.server.endpoint) as proxy:
            proxy.add("rewrite", operation="DescribeTable", change=encrypted)
            source = self.uri(proxy.endpoint)
            left = ("its stream (NEW_IMAGE), deletion protection, encryption under a KMS key, "
                    "replicas in other regions")
            self.assertIn("events: made as the source's is: on demand; not carried: " + left,
                          " ".join(self.run_aws("check", source, self.target).out.split()))
            result = self.run_aws("migrate", source, self.target)
        self.assertIn("table events: not carried: " + left, result.err)
        table = self.other.describe_table(TableName="events")["Table"]
        self.assertFalse(table.get("DeletionProtectionEnabled"))
        self.assertNotIn("StreamSpecification", table)

    def test_class_and_caps(self):
        """No emulator keeps them: what is asked for is looked at, on both sides of a proxy."""
        self.make_on_demand()

        def capped(answer):
            if answer.get("Table", {}).get("TableName") == "events":
                answer["Table"]["TableClassSummary"] = {"TableClass": "STANDARD_INFREQUENT_ACCESS"}
                answer["Table"]["OnDemandThroughput"] = {"MaxReadRequestUnits": 40, "MaxWriteRequestUnits": -1}
        with FaultProxy(self.server.endpoint) as proxy, FaultProxy(self.server.endpoint) as beyond:
            proxy.add("rewrite", operation="DescribeTable", change=capped)
            beyond.keep_bodies = True
            self.assertIn("events: made as the source's is: on demand, capped, class STANDARD_INFREQUENT_ACCESS",
                          " ".join(self.run_aws("check", self.uri(proxy.endpoint), self.target).out.split()))
            self.run_aws("migrate", self.uri(proxy.endpoint), self.uri(beyond.endpoint, region=THERE))
            made = [body for operation, body in beyond.bodies
                    if operation == "CreateTable" and body["TableName"] == "events"]
        self.assertEqual(len(made), 1)
        self.assertEqual({name: made[0].get(name) for name in ("BillingMode", "TableClass", "OnDemandThroughput")},
                         {"BillingMode": "PAY_PER_REQUEST", "TableClass": "STANDARD_INFREQUENT_ACCESS",
                          "OnDemandThroughput": {"MaxReadRequestUnits": 40}})

    def test_no_right_to_read_them(self):
        """One line says so, and the items arrive."""
        self.make_provisioned()
        for operations, words in ((["DescribeTimeToLive"], ["its time to live"]),
                                  (["ListTagsOfResource"], ["its tags"]),
                                  (["DescribeTimeToLive", "ListTagsOfResource"], ["its time to live", "its tags"])):
            with self.subTest(operations=operations), FaultProxy(self.server.endpoint) as proxy:
                items.empty(self.other)
                proxy.add("refuse", operation=operations, code="AccessDeniedException",
                          message="User: x is not authorized to perform: dynamodb:%s" % operations[0])
                result = self.run_aws("migrate", "--state", operations[0] + str(len(operations)),
                                      self.uri(proxy.endpoint), self.target)
                said = [line for line in result.err.splitlines() if "not carried" in line]
                self.assertEqual(len(said), 1, result.err)
                for word in words:
                    self.assertIn(word + ": ", said[0])
                self.assertIn("not authorized to perform", said[0])
                self.assert_tables({"orders": self.orders}, self.other)
                found, _ = settings_of(self.other, "orders")
                self.assertEqual(found["ttl"] is None, "its time to live" in words)
                self.assertEqual(found["tags"] == {}, "its tags" in words)
                self.assertEqual(found["units"], (7, 11))

    def test_kill_and_resume_while_the_table_is_made(self):
        self.make_provisioned()
        for number, point in enumerate(("dynamodb.before_table", "dynamodb.after_table", "dynamodb.table_active",
                                        "dynamodb.before_made")):
            with self.subTest(failpoint=point):
                items.empty(self.other)
                state = "state-%d" % number
                self.run_aws("migrate", "--state", state, self.uri(), self.target, code=-9,
                             TRANSHUME_FAILPOINT=point + ":kill")
                self.run_aws("resume", "--state", state, "--take-over")
                self.assert_settings_equal(["orders"])
                self.assert_tables({"orders": self.orders}, self.other)

    def test_as_many_tags_as_there_may_be(self):
        items.create(self.client, "events")
        arn = self.client.describe_table(TableName="events")["Table"]["TableArn"]
        wanted = [{"Key": "k%02d" % n, "Value": "v%d" % n} for n in range(50)]
        self.client.tag_resource(ResourceArn=arn, Tags=wanted)
        self.run_aws("migrate", self.uri(), self.target)
        found, mark = settings_of(self.other, "events")
        self.assertEqual(found["tags"], {tag["Key"]: tag["Value"] for tag in wanted})
        self.assertIsNone(mark)


class BetweenEmulators(DynamodbCase):
    """What knows no time to live (dynalite) has none, and says nothing of it."""
    server_name = "dynalite"

    def test_from_one_that_knows_less(self):
        other = servers.start("dynoxide")
        self.addCleanup(other.stop)
        items.create(self.client, "table", read=4, write=6)
        items.put(self.client, "table", [{"id": {"S": "1"}}])
        result = self.run_aws("migrate", self.uri(), self.uri(other.endpoint))
        self.assertNotIn("not carried", result.err)
        client = items.client_of(other)
        found, _ = settings_of(client, "table")
        self.assertEqual((found["billing"], found["units"], found["ttl"]), ("PROVISIONED", (4, 6), None))
        self.assert_tables({"table": [{"id": {"S": "1"}}]}, client)


if __name__ == "__main__":
    unittest.main()
