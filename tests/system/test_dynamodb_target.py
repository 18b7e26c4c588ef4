"""DynamoDB over the network as a target: tables made, records written, read back by boto3."""
import contextlib
import decimal
import json
import os
import re
import shutil
import sqlite3
import time

import items
import servers
import support
from chinook_expected import Expectation
from fault_proxy import FaultProxy

CHINOOK = os.path.join(support.ROOT, "examples", "chinook", "transhume.yaml")

SHOP = """
CREATE TABLE goods(id INTEGER PRIMARY KEY, name TEXT, price NUMERIC, city TEXT, expires INTEGER);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 300)
INSERT INTO goods SELECT i, 'thing ' || i, i * 0.25, 'city ' || (i % 7), 1900000000 + i FROM c;
"""

PLAN = """
transhume: 1
tables:
  goods:
    key: { partition: PK, sort: SK }
%s
    entities:
      good:
        from: goods
        fields:
          PK: "CITY#{city}"
          SK: { column: id }
          name: copy
          price: copy
          expires: copy
"""


class OnServer(support.TestCase):
    server_name = "dynalite"

    @classmethod
    def setUpClass(cls):
        cls.server = servers.for_class(cls, cls.server_name)
        cls.client = servers.dynamodb_client(cls.server.endpoint)

    def setUp(self):
        super().setUp()
        self.environment = servers.aws_environment(self.folder)
        items.empty(self.client)

    def uri(self, endpoint=None, options=""):
        return "dynamodb://us-east-1?endpoint=%s%s" % (endpoint or self.server.endpoint, options)

    def migrate(self, source, *options, code=0, uri=None, state="state", env=None):
        return self.run_program("migrate", "--state", self.path(state), *options, source, uri or self.uri(),
                                code=code, env=dict(self.environment, **(env or {})))

    def migrate_plan(self, plan, source, *options, **more):
        return self.migrate(source, "--plan", self.write("plan.yaml", plan), *options, **more)

    def scan(self, table):
        return items.scan(self.client, table)

    def goods(self):
        return support.make_sqlite(self.path("shop.db"), SHOP)

    def wanted_goods(self, table="goods"):
        with contextlib.closing(sqlite3.connect(self.path("shop.db"))) as db:
            return [{"PK": {"S": "CITY#" + city}, "SK": {"N": str(id)}, "name": {"S": name},
                     "price": {"N": str(decimal.Decimal(repr(price)))}, "expires": {"N": str(expires)}}
                    for id, name, price, city, expires in db.execute("SELECT * FROM %s" % table)]


class Tables(OnServer):
    server_name = "dynoxide"

    def test_a_plan_with_everything(self):
        """Global and local indexes, provisioned capacity, time to live, tags: as the server has them."""
        plan = PLAN % """
    indexes:
      ByName: { partition: name }
      ByPrice: { partition: PK, sort: price, local: true }
    billing: { read: 5, write: 6 }
    ttl: expires
    tags: { team: herd, "cost centre": "42" }"""
        self.migrate_plan(plan, self.goods())
        table = self.client.describe_table(TableName="goods")["Table"]
        self.assertEqual(table["KeySchema"], [{"AttributeName": "PK", "KeyType": "HASH"},
                                              {"AttributeName": "SK", "KeyType": "RANGE"}])
        self.assertEqual({one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]},
                         {"PK": "S", "SK": "N", "name": "S", "price": "N"})
        (index,) = table["GlobalSecondaryIndexes"]
        self.assertEqual((index["IndexName"], index["KeySchema"], index["Projection"]["ProjectionType"]),
                         ("ByName", [{"AttributeName": "name", "KeyType": "HASH"}], "ALL"))
        (local,) = table["LocalSecondaryIndexes"]
        self.assertEqual((local["IndexName"], local["KeySchema"]),
                         ("ByPrice", [{"AttributeName": "PK", "KeyType": "HASH"},
                                      {"AttributeName": "price", "KeyType": "RANGE"}]))
        self.assertEqual((table["ProvisionedThroughput"]["ReadCapacityUnits"],
                          table["ProvisionedThroughput"]["WriteCapacityUnits"]), (5, 6))
        ttl = self.client.describe_time_to_live(TableName="goods")["TimeToLiveDescription"]
        self.assertEqual((ttl["AttributeName"], ttl["TimeToLiveStatus"][:3]), ("expires", "ENA"))
        tags = {tag["Key"]: tag["Value"]
                for tag in self.client.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]}
        self.assertEqual((tags.pop("transhume:run")[:2], tags), ("20", {"team": "herd", "cost centre": "42"}))
        items.assert_same(self, self.wanted_goods(), self.scan("goods"))
        found = self.client.query(TableName="goods", IndexName="ByPrice", KeyConditionExpression="PK = :p",
                                  ExpressionAttributeValues={":p": {"S": "CITY#city 3"}})["Items"]
        self.assertEqual(len(found), 43)

    def test_every_chinook_item(self):
        source = os.environ.get("TRANSHUME_CHINOOK") or support.musicshop(self.path("shop.db"))
        self.migrate(source, "--plan", CHINOOK)
        expected = Expectation(source).tables()
        self.assertEqual(set(self.client.list_tables()["TableNames"]) - set(expected), {"_transhume_ledger"})
        total = 0
        for table, wanted in expected.items():
            found = self.scan(table)
            items.assert_same(self, wanted, found)
            total += len(found)
        self.assertGreater(total, 4000)
        indexes = {(table, index["IndexName"]) for table in expected for index in
                   self.client.describe_table(TableName=table)["Table"].get("GlobalSecondaryIndexes", [])}
        self.assertEqual(indexes, {("chinook-customer-orders", "GSI1-EmailSearch"),
                                   ("chinook-music-catalog", "GSI1-NameSearch"),
                                   ("chinook-music-catalog", "GSI2-GenreSearch")})

    def make_goods(self, key, indexes=(), attributes=None):
        definition = dict(TableName="goods", BillingMode="PAY_PER_REQUEST", KeySchema=[
            {"AttributeName": name, "KeyType": kind} for name, kind in zip(key, ("HASH", "RANGE"))])
        if indexes:
            definition["GlobalSecondaryIndexes"] = [
                {"IndexName": name, "KeySchema": [{"AttributeName": field, "KeyType": "HASH"}],
                 "Projection": {"ProjectionType": "ALL"}} for name, field in indexes]
        letters = attributes or {"PK": "S", "SK": "N"}
        used = set(key) | {field for _, field in indexes}
        definition["AttributeDefinitions"] = [{"AttributeName": name, "AttributeType": letters.get(name, "S")}
                                              for name in used]
        self.client.create_table(**definition)
        self.client.get_waiter("table_exists").wait(TableName="goods", WaiterConfig={"Delay": 0.05})

    def refused(self, plan, *words):
        result = self.migrate_plan(plan, self.goods(), code=2)
        for word in words:
            self.assertIn(word, result.err)
        self.assertNotIn("_transhume_ledger", self.client.list_tables()["TableNames"], "nothing is touched")

    def test_a_table_with_another_key(self):
        self.make_goods(("SK", "PK"))
        self.refused(PLAN % "", "goods", "key SK, PK", "PK, SK")

    def test_a_table_whose_key_has_another_type(self):
        self.make_goods(("PK", "SK"), attributes={"PK": "S", "SK": "S"})
        self.refused(PLAN % "", "SK of type S", "makes it N")

    def test_a_table_without_an_index_of_the_plan(self):
        self.make_goods(("PK", "SK"))
        self.refused(PLAN % "    indexes: { ByName: { partition: name } }", "without the index \"ByName\"")

    def test_an_index_with_another_key(self):
        self.make_goods(("PK", "SK"), indexes=[("ByName", "city")])
        self.refused(PLAN % "    indexes: { ByName: { partition: name } }", "\"ByName\" has the key city")

    def test_local_indexes_that_can_not_be(self):
        self.refused(PLAN % "    indexes: { ByName: { partition: name, sort: price, local: true } }",
                     "ByName", "the table's partition key PK")

    def test_a_table_that_holds_records(self):
        self.make_goods(("PK", "SK"))
        self.client.put_item(TableName="goods", Item={"PK": {"S": "a"}, "SK": {"N": "1"}})
        result = self.migrate_plan(PLAN % "", self.goods(), code=5)
        self.assertIn("goods", result.err)
        self.assertEqual(len(self.scan("goods")), 1)

    def test_an_empty_table_is_taken_as_it_is(self):
        self.make_goods(("PK", "SK"), indexes=[("More", "city")])
        self.migrate_plan(PLAN % "", self.goods())
        items.assert_same(self, self.wanted_goods(), self.scan("goods"))

    def test_large_items_go_a_few_a_request_and_too_large_ones_are_rejected(self):
        source = support.make_sqlite(self.path("shop.db"), """
            CREATE TABLE files(id INTEGER PRIMARY KEY, body BLOB);
            WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 30)
            INSERT INTO files SELECT i, zeroblob(399000 + 500 * i) FROM c;""")
        result = self.migrate(source, code=1)
        self.assertIn("9 rejected", result.err + result.out)
        found = {int(item["id"]["N"]): len(item["body"]["B"]) for item in self.scan("files")}
        self.assertEqual(found, {i: 399000 + 500 * i for i in range(1, 22)})


class Policies(OnServer):
    """existing: what is done about records that are there, with single conditional requests."""
    old = {"PK": {"S": "CITY#city 3"}, "SK": {"N": "10"}, "name": {"S": "old"}, "own": {"S": "kept?"}}

    def prepare_table(self):
        self.migrate_plan(PLAN % "", self.goods())
        for item in self.scan("goods"):
            if int(item["SK"]["N"]) > 200:
                self.client.delete_item(TableName="goods", Key={"PK": item["PK"], "SK": item["SK"]})
            else:
                self.client.put_item(TableName="goods", Item=dict(item, name={"S": "before"}))
        self.client.put_item(TableName="goods", Item=self.old)
        self.before = {item["SK"]["N"]: item for item in self.scan("goods")}

    def run_policy(self, policy, code=0, **more):
        self.prepare_table()
        result = self.migrate_plan(PLAN % ("    existing: " + policy), self.path("shop.db"), state="second",
                                   code=code, **more)
        return result, {item["SK"]["N"]: item for item in self.scan("goods")}

    def wanted(self):
        return {item["SK"]["N"]: item for item in self.wanted_goods()}

    def test_append_rejects_what_is_there(self):
        result, found = self.run_policy("append", code=1)
        self.assertIn("200", result.out)
        wanted = dict(self.wanted(), **self.before)
        items.assert_same(self, wanted.values(), found.values())
        rejects = [json.loads(line) for name in os.listdir(self.path("second", "rejects"))
                   for line in support.read_lines(self.path("second", "rejects", name))]
        self.assertEqual(len(rejects), 200)
        self.assertEqual({reject["code"] for reject in rejects}, {"key-duplicate"})

    def test_skip_counts_what_is_there(self):
        _, found = self.run_policy("skip")
        items.assert_same(self, dict(self.wanted(), **self.before).values(), found.values())

    def test_replace_takes_its_place(self):
        _, found = self.run_policy("replace")
        items.assert_same(self, self.wanted().values(), found.values())

    def test_upsert_leaves_fields_outside_the_plan(self):
        _, found = self.run_policy("upsert")
        wanted = self.wanted()
        wanted["10"] = dict(wanted["10"], own={"S": "kept?"})
        items.assert_same(self, wanted.values(), found.values())

    def test_append_knows_its_own_records_when_answers_get_lost(self):
        """The record is there because a try whose answer was lost wrote it: it counts as written."""
        self.prepare_table()
        with FaultProxy(self.server.endpoint, seed=11) as proxy:
            proxy.add("cut_after", operation="PutItem", table="goods", every=9)
            self.migrate_plan(PLAN % "    existing: skip", self.path("shop.db"), state="second",
                              uri=self.uri(proxy.endpoint))
            self.assertGreater(proxy.hits["cut_after"], 10)
        found = {item["SK"]["N"]: item for item in self.scan("goods")}
        items.assert_same(self, dict(self.wanted(), **self.before).values(), found.values())
        status = json.loads(self.run_program("status", "--state", self.path("second"), "--json",
                                             env=self.environment).out)
        self.assertEqual(status["tables"]["goods"]["entities"]["good"]["skipped"], 200)

    def test_a_record_that_is_gone_when_it_is_looked_at(self):
        """Its time to live was over just then: the record is put again, and there once."""
        self.prepare_table()
        vanished = []

        def vanish(reply):
            item = reply.pop("Item")
            vanished.append(item["SK"]["N"])
            self.client.delete_item(TableName="goods", Key={"PK": item["PK"], "SK": item["SK"]})

        with FaultProxy(self.server.endpoint, seed=11) as proxy:
            proxy.add("cut_after", operation="PutItem", table="goods", every=40)
            proxy.add("rewrite", operation="GetItem", table="goods", change=vanish, count=3)
            self.migrate_plan(PLAN % "    existing: skip", self.path("shop.db"), state="second",
                              uri=self.uri(proxy.endpoint))
            self.assertEqual(proxy.hits["rewrite"], 3)
        found = {item["SK"]["N"]: item for item in self.scan("goods")}
        there = {key: item for key, item in self.before.items() if key not in vanished}
        items.assert_same(self, dict(self.wanted(), **there).values(), found.values())

    def test_a_record_that_comes_and_goes(self):
        """Not for ever: the table is in use."""
        self.prepare_table()
        with FaultProxy(self.server.endpoint, seed=11) as proxy:
            proxy.add("cut_after", operation="PutItem", table="goods", first=5, count=1)
            proxy.add("rewrite", operation="GetItem", table="goods", change=lambda reply: reply.pop("Item"))
            result = self.migrate_plan(PLAN % "    existing: skip", self.path("shop.db"), state="second",
                                       uri=self.uri(proxy.endpoint), code=3)
            self.assertIn("comes and goes", result.err)
            self.assertIn("transhume resume", result.err)
            proxy.clear()
            self.run_program("resume", "--state", self.path("second"), env=self.environment)
        found = {item["SK"]["N"]: item for item in self.scan("goods")}
        items.assert_same(self, dict(self.wanted(), **self.before).values(), found.values())

    def test_a_resumed_append_takes_no_record_of_its_own_for_another(self):
        self.prepare_table()
        plan = self.write("plan.yaml", PLAN % "    existing: append")
        arguments = ("migrate", "--state", self.path("second"), "--plan", plan, "--chunk-rows", "60",
                     self.path("shop.db"), self.uri())
        result = support.kill_at("ledger.before_mark", 4, *arguments, cwd=self.folder, env=self.environment)
        self.assertEqual(result.code, -9)
        self.run_program("resume", "--state", self.path("second"), "--take-over", code=1, env=self.environment)
        found = {item["SK"]["N"]: item for item in self.scan("goods")}
        items.assert_same(self, dict(self.wanted(), **self.before).values(), found.values())
        status = json.loads(self.run_program("status", "--state", self.path("second"), "--json",
                                             env=self.environment).out)
        good = status["tables"]["goods"]["entities"]["good"]
        self.assertEqual((good["migrated"], good["rejected"]), (100, 200))


class StartingOver(OnServer):
    PLAN = """
transhume: 1
tables: { numbers: { key: { partition: id }, entities: { number: { from: t, fields: { "*": copy } } } } }
"""

    def put(self, factor):
        self.write("t.csv", "id\n" + "".join("%d\n" % (factor * i) for i in range(2000)))

    def test_killed_while_chunks_are_opened_again_and_the_table_is_emptied(self):
        """The source changed and has no key: nothing of the first copy stays, wherever the second one stops."""
        plan = self.write("plan.yaml", self.PLAN)
        arguments = ("--state", self.path("state"), "--plan", plan, "--chunk-rows", "200", "csv:" + self.path("t.csv"),
                     self.uri())
        self.put(1)
        result = support.kill_at("engine.after_commit", 3, "migrate", *arguments, cwd=self.folder, env=self.environment)
        self.assertEqual(result.code, -9, result.err)
        self.put(3)
        for place, occurrence in (("dynamodb.before_empty", 1), ("ledger.after_empty", 1), ("ledger.before_reopen", 2),
                                  ("ledger.after_reopen", 1)):
            with self.subTest(place):
                result = support.kill_at(place, occurrence, "resume", *arguments, cwd=self.folder,
                                         env=self.environment)
                self.assertEqual(result.code, -9, result.err)
        self.run_program("resume", *arguments, code=1, env=self.environment)
        self.assertEqual(sorted(int(item["id"]["N"]) for item in self.scan("numbers")), [3 * i for i in range(2000)])

    def test_nothing_done_but_something_written(self):
        """Killed before the first mark: what was written by then is no part of the source as it is now."""
        plan = self.write("plan.yaml", self.PLAN)
        arguments = ("--state", self.path("state"), "--plan", plan, "--chunk-rows", "200", "csv:" + self.path("t.csv"),
                     self.uri())
        self.put(1)
        result = support.kill_at("ledger.before_mark", 1, "migrate", *arguments, cwd=self.folder, env=self.environment)
        self.assertEqual(result.code, -9, result.err)
        self.assertGreater(len(self.scan("numbers")), 100)
        self.put(3)
        result = self.run_program("resume", *arguments, code=1, env=self.environment)
        self.assertIn("starts over", result.err)
        self.assertEqual(sorted(int(item["id"]["N"]) for item in self.scan("numbers")), [3 * i for i in range(2000)])


class EqualKeys(OnServer):
    plan = """
transhume: 1
tables:
  goods:
    key: { partition: name }
    entities: { good: { from: goods, fields: { "*": copy } } }
"""

    def make(self, rows):
        return support.make_sqlite(self.path("shop.db"), """
            CREATE TABLE goods(id INTEGER PRIMARY KEY, name TEXT NOT NULL, n INTEGER);
            WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)
            INSERT INTO goods SELECT i, 'thing ' || (i %% 100), i FROM c;""" % rows)

    def check(self, rows):
        found = {item["name"]["S"]: int(item["id"]["N"]) for item in self.scan("goods")}
        self.assertEqual(found, {"thing %d" % (i % 100): i for i in range(1, 101)}, "the lowest stays")
        rejects = [json.loads(line) for name in os.listdir(self.path("state", "rejects"))
                   for line in support.read_lines(self.path("state", "rejects", name))]
        self.assertEqual(len(rejects), rows - 100)
        self.assertEqual({reject["code"] for reject in rejects}, {"key-duplicate"})
        self.assertEqual({reject["record"]["n"] for reject in rejects}, set(range(101, rows + 1)))

    def test_within_a_chunk_and_between_chunks(self):
        self.migrate_plan(self.plan, self.make(500), "--chunk-rows", "130", "--jobs", "2", code=1)
        self.check(500)

    def test_all_under_one_key(self):
        """No record waits for the one before it, so this takes no round trip a record."""
        source = self.make(20000)
        with contextlib.closing(sqlite3.connect(source)) as db:
            db.execute("UPDATE goods SET name = 'the same'")
            db.commit()
        begun = time.monotonic()
        self.migrate_plan(self.plan, source, "--chunk-rows", "3000", code=1)
        self.assertLess(time.monotonic() - begun, 15)
        self.assertEqual([(item["id"]["N"], item["name"]["S"]) for item in self.scan("goods")], [("1", "the same")])
        status = json.loads(self.run_program("status", "--state", self.path("state"), "--json",
                                             env=self.environment).out)
        good = status["tables"]["goods"]["entities"]["good"]
        self.assertEqual((good["migrated"], good["rejected"]), (1, 19999))

    def test_in_a_table_that_was_there(self):
        """With upsert the first record's fields are set again; fields outside the plan stay."""
        items.create(self.client, "goods", key=(("name", "S"),))
        items.put(self.client, "goods", [{"name": {"S": "thing %d" % i}, "own": {"N": str(i)}} for i in range(100)])
        self.migrate_plan(self.plan.replace("    key:", "    existing: upsert\n    key:"), self.make(500),
                          "--chunk-rows", "130", "--jobs", "2", code=1)
        self.check(500)
        self.assertEqual({item["name"]["S"]: item["own"]["N"] for item in self.scan("goods")},
                         {"thing %d" % i: str(i) for i in range(100)})

    def test_killed_while_the_first_ones_are_made_again(self):
        source, plan = self.make(500), self.write("plan.yaml", self.plan)
        arguments = ("migrate", "--state", self.path("state"), "--plan", plan, "--chunk-rows", "130", source,
                     self.uri())
        for place, occurrence in (("before", 1), ("before", 40), ("after", 99)):
            result = support.kill_at("dynamodb.%s_restore" % place, occurrence, *arguments, cwd=self.folder,
                                     env=self.environment)
            self.assertEqual(result.code, -9)
            arguments = ("resume", "--state", self.path("state"), "--take-over")
        self.run_program(*arguments, code=1, env=self.environment)
        self.check(500)

    def test_the_first_ones_of_a_source_that_changed_are_said_to_be(self):
        """Whoever makes them again reads the source once more."""
        source, plan = self.make(500), self.write("plan.yaml", self.plan)
        arguments = ("--state", self.path("state"), "--plan", plan, source, self.uri())
        for changes in (False, True):
            with self.subTest(changes=changes):
                items.empty(self.client)
                killed = support.kill_at("dynamodb.before_restore", 1, "migrate", *arguments, cwd=self.folder,
                                         env=self.environment)
                self.assertEqual(killed.code, -9)
                if changes:
                    support.make_sqlite(source, "UPDATE goods SET n = n + 1000")
                result = self.run_program("resume", "--json", *arguments, code=1, env=self.environment)
                self.assertEqual(json.loads(result.out)["snapshot"], "mixed" if changes else "one")
                shutil.rmtree(self.path("state"))

    def test_documents_that_moved_in_their_source(self):
        """Documents have keys, too: by their places alone, others would be the first ones and the rejects."""
        for letter, cast, other, keys in (("S", "text", "new", ["thing %d" % n for n in range(5)]),
                                          ("N", "decimal", "7",
                                           ["1.0", "1.50", "1e3", "-0.001", "12345678901234567890.1"]),
                                          ("B", "bytes", "BBBB", ["AAEC", "AA==", "//8=", "QQ==", "Qg=="])):
            with self.subTest(letter=letter):
                items.empty(self.client)
                lines = [json.dumps({"Item": {"id": {"N": str(n)}, "name": {letter: keys[n % 5]}}}) + "\n"
                         for n in range(15)]
                os.makedirs(self.path("in", "goods"), exist_ok=True)
                self.write("in/goods/data-1.json", "".join(lines))
                plan = self.write("plan.yaml", self.plan.replace('"*": copy',
                                                                 'name: { column: name, cast: %s }, "*": copy' % cast))
                arguments = ("--state", self.path("state"), "--plan", plan, "dynamodb-json:" + self.path("in"),
                             self.uri())
                killed = support.kill_at("engine.before_settle", 1, "migrate", *arguments, cwd=self.folder,
                                         env=self.environment)
                self.assertEqual(killed.code, -9, killed.err)
                # where the first of all was, nobody's key is; two others changed places
                first = json.dumps({"Item": {"id": {"N": "100"}, "name": {letter: other}}}) + "\n"
                self.write("in/goods/data-1.json", "".join([first] + lines[1:6] + [lines[7], lines[6]] + lines[8:]))
                result = self.run_program("resume", *arguments, code=1, env=self.environment)
                self.assertIn("is not in the source any more (it was number 1 of chunk 1)", result.err)
                self.assertEqual(sorted(int(item["id"]["N"]) for item in self.scan("goods")), [0, 1, 2, 3, 4])
                told = {int(re.search(r"it was number (\d+) of", line["reason"]).group(1)) - 1: line["record"]
                        for line in self.rejects("state")}
                self.assertEqual({n: record and record["id"] for n, record in told.items()},
                                 {n: None if n in (6, 7) else n for n in range(5, 15)})
                shutil.rmtree(self.path("state"))

    def test_found_again_after_a_kill_and_without_the_state_folder(self):
        source = self.make(500)
        plan = self.write("plan.yaml", self.plan)
        arguments = ("migrate", "--state", self.path("old"), "--plan", plan, "--chunk-rows", "130", source,
                     self.uri())
        result = support.kill_at("engine.before_settle", 1, *arguments, cwd=self.folder, env=self.environment)
        self.assertEqual(result.code, -9)
        self.run_program("resume", "--state", self.path("state"), "--plan", plan, "--take-over", source,
                         self.uri(), code=1, env=self.environment)
        self.check(500)


class Faults(OnServer):
    """What the writer itself does about answers; the sweep over all faults is in tests/faults."""

    def through_proxy(self, *rules, code=0, rows_seen=300, options=""):
        with FaultProxy(self.server.endpoint, seed=5) as proxy:
            for fault, more in rules:
                proxy.add(fault, **more)
            result = self.migrate_plan(PLAN % "", self.goods(), code=code,
                                       uri=self.uri(proxy.endpoint, options))
            for fault, _ in rules:
                self.assertGreater(proxy.hits[fault], 0)
        if code == 0:
            items.assert_same(self, self.wanted_goods(), self.scan("goods"))
        return result

    def test_items_left_unprocessed_are_found_by_their_keys(self):
        self.through_proxy(("unprocessed", {"chance": 0.5, "share": 0.4}))

    def test_a_refused_request_is_halved_until_it_passes(self):
        self.through_proxy(("refuse", {"operation": "BatchWriteItem", "code": "ValidationException",
                                       "message": "one of these is wrong", "count": 4}))

    def test_a_record_that_is_refused_alone_is_a_reject(self):
        """Requests are refused until single records are: those are the rejects, all others arrive."""
        with FaultProxy(self.server.endpoint, seed=5) as proxy:
            proxy.add("refuse", operation="BatchWriteItem", code="ValidationException",
                      message="one of these is wrong", count=450)
            result = self.migrate_plan(PLAN % "", self.goods(), code=1, uri=self.uri(proxy.endpoint))
        lost = [json.loads(line) for name in os.listdir(self.path("state", "rejects"))
                for line in support.read_lines(self.path("state", "rejects", name))]
        self.assertTrue(0 < len(lost) < 300, result.out)
        self.assertIn("one of these is wrong", lost[0]["reason"])
        self.assertEqual(len(self.scan("goods")) + len(lost), 300)

    def test_write_units_are_kept(self):
        begun = time.monotonic()
        self.through_proxy(options="&write_units=100")
        self.assertGreater(time.monotonic() - begun, 1.5, "300 items of a unit each, 100 at once at first")


del OnServer
