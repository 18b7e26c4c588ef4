"""DynamoDB over the network as a source: filled by boto3 on real servers, and nothing lost, doubled or altered."""
import json
import os
import random
import sqlite3
import subprocess
import time
import unittest

import items
import joins_support
import servers
import support
from dynamodb_case import DynamodbCase
from fault_proxy import FaultProxy
from support import SEED, SOAK


class SourceCase(DynamodbCase):
    """What arrives is read from DynamoDB-JSON files by Python."""

    def copy(self, *options, out="out", code=0, endpoint=None, uri=None, **changes):
        return self.run_aws("migrate", "--state", "state-" + out, *options, uri or self.uri(endpoint),
                            "dynamodb-json:" + out, code=code, **changes)

    def arrived(self, out="out"):
        return support.read_dynamodb_json(self.path(out))

    def assert_arrived(self, expected, out="out"):
        found = self.arrived(out)
        self.assertEqual(sorted(found), sorted(expected))
        for table, wanted in expected.items():
            items.assert_same(self, wanted, found[table])


class Joins(SourceCase):
    """Look-ups, lists and aggregates: what DynamoDB can't join the program does."""

    def test_every_construct(self):
        print("seed %d" % SEED)
        joins_support.make_database(self.path("shop.db"), random.Random(SEED), 6)
        self.run_aws("migrate", "--state", "export", "shop.db", self.uri())
        for uri, name in (("sqlite:shop.db", "expected"), (self.uri(), "found")):
            plan = self.write(name + ".yaml", joins_support.PLAN % (uri, name))
            self.run_aws("migrate", "--plan", plan, "--state", name + ".state")
        self.assertEqual(support.dynamodb_differences(self.arrived("expected"), self.arrived("found")), [])
        # a check would cost the units of whole tables
        check = self.run_aws("check", "--plan", "found.yaml", "--state", "check.state", "--sample", "1", code=5).out
        self.assertIn("to spare that, no records with look-ups or lists are sampled here", " ".join(check.split()))


class Values(SourceCase):
    def test_every_type_unchanged(self):
        items.create(self.client, "types")
        wanted = items.every_type()
        items.put(self.client, "types", wanted)
        items.assert_same(self, wanted, items.scan(self.client, "types"))
        self.copy()
        self.assert_arrived({"types": wanted})

    def test_keys_of_every_type(self):
        expected = {}
        for letter, keys in (("S", items.TEXTS), ("N", items.NUMBERS), ("B", items.BYTES)):
            name = "by-" + letter
            items.create(self.client, name, (("part", letter), ("sort", letter)))
            usual = keys[0]
            pairs = [(k, usual) for k in keys if not isinstance(k, str) or len(k) < 2000]
            pairs += [(usual, k) for k in keys[1:] if len(k) < 1000]
            expected[name] = [{"part": {letter: a}, "sort": {letter: b}} for a, b in pairs]
            items.put(self.client, name, expected[name])
        self.copy()
        self.assert_arrived(expected)

    def test_random_items(self):
        print("seed %d" % SEED)
        items.create(self.client, "random")
        wanted = items.random_items(4000 if SOAK else 500, SEED)
        items.put(self.client, "random", wanted)
        self.copy("--chunk-rows", "60", "--jobs", "3")
        self.assert_arrived({"random": wanted})

    def test_a_text_that_is_no_unicode_is_rejected_with_its_key(self):
        items.create(self.client, "texts")
        items.put(self.client, "texts", [{"id": {"S": "good"}, "text": {"S": "fine"}}])
        self.put_raw("texts", '{"id":{"S":"bad"},"text":{"S":"half \\ud83d a pair"}}')
        self.copy("--max-rejects", "1", code=1)
        self.assert_arrived({"texts": [{"id": {"S": "good"}, "text": {"S": "fine"}}]})
        rejects = self.rejects("state-out")
        self.assertEqual(len(rejects), 1, rejects)
        self.assertIn("bad", json.dumps(rejects[0]))
        self.assertIn("half", json.dumps(rejects[0]))

    def put_raw(self, table, item):
        """Text that boto3 would not send."""
        import http.client
        body = '{"TableName":"%s","Item":%s}' % (table, item)
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        connection.request("POST", "/", body.encode(), {
            "X-Amz-Target": "DynamoDB_20120810.PutItem", "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Date": "20260101T000000Z",
            "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDTEST/20260101/us-east-1/dynamodb/aws4_request, "
                             "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        self.assertEqual(answer.status, 200, text)


class ValuesDynoxide(Values):
    """The same where another server answers."""
    server_name = "dynoxide"

    def test_a_text_that_is_no_unicode_is_rejected_with_its_key(self):
        """It can't be in this server."""


class Tables(SourceCase):
    def test_many_are_described_at_once(self):
        """Some answers fail, one table vanishes: the others are asked for again, alone; order and number are right."""
        count, wait_s = 40, 0.1
        for number in range(count):
            items.create(self.client, "table-%02d" % number)
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            proxy.add("throttle", operation="DescribeTable", every=9, count=3)
            proxy.add("error", operation="DescribeTable", every=13, count=2)
            proxy.add("refuse", operation="DescribeTable", table="table-07", code="ResourceNotFoundException")
            proxy.add("slow", operation="DescribeTable", before=wait_s)
            result = self.run_aws("migrate", self.uri(proxy.endpoint), "dynamodb-json:out")
            asked = [one.seconds for one in proxy.seen if one.operation == "DescribeTable"]
            self.assertEqual((proxy.hits["throttle"], proxy.hits["error"]), (3, 2))
        self.assertEqual(len(asked), count + 5)
        self.assertLess(max(asked) - min(asked), count * wait_s / 2)
        told = [line.split()[0] for line in result.out.splitlines() if line.startswith("table-")]
        self.assertEqual(told, ["table-%02d" % number for number in range(count) if number != 7])

    def test_several_tables_but_not_our_own(self):
        expected = {}
        for name in ("herd", "Herd", "a.b-c_d", "empty"):
            items.create(self.client, name)
            expected[name] = [{"id": {"S": "%s %d" % (name, n)}} for n in range(0 if name == "empty" else 7)]
            items.put(self.client, name, expected[name])
        for name in ("_transhume_ledger", "_transhume_other"):
            items.create(self.client, name)
            items.put(self.client, name, [{"id": {"S": "not for copying"}}])
        self.copy()
        found = self.arrived()
        del expected["empty"]
        self.assertEqual({name: len(found[name]) for name in found if found[name]},
                         {name: 7 for name in expected})

    def test_more_tables_than_a_page_of_names(self):
        for number in range(103):
            items.create(self.client, "table-%03d" % number)
        items.put(self.client, "table-102", [{"id": {"S": "last"}}])
        result = self.run_aws("check", "--include", "table-10*", self.uri(), "dynamodb-json:out")
        self.assertIn("table-102", result.out)

    def test_segments_hold_each_item_once(self):
        items.create(self.client, "many", (("part", "N"), ("sort", "S")))
        wanted = [{"part": {"N": str(n % 700)}, "sort": {"S": "s%d" % n}, "n": {"N": str(n)}} for n in range(2000)]
        items.put(self.client, "many", wanted)
        for rows, jobs in (("100000", "1"), ("300", "2"), ("50", "4")):
            with self.subTest(rows=rows):
                self.copy("--chunk-rows", rows, "--jobs", jobs, out="out-" + rows)
                self.assert_arrived({"many": wanted}, "out-" + rows)

    def test_pages_short_and_empty(self):
        items.create(self.client, "pages")
        wanted = items.random_items(300, SEED)
        items.put(self.client, "pages", wanted)
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            proxy.add("empty_page", chance=0.3)
            proxy.add("short_page")
            self.copy("--chunk-rows", "80", endpoint=proxy.endpoint)
            self.assertGreater(proxy.hits["empty_page"], 3)
            self.assertGreater(proxy.hits["short_page"], 20)
        self.assert_arrived({"pages": wanted})

    def test_large_items(self):
        items.create(self.client, "large")
        wanted = [{"id": {"S": "%d" % n}, "text": {"S": "\u00e9" * (199000 - n)}} for n in range(12)]
        for item in wanted:
            self.client.put_item(TableName="large", Item=item)
        self.copy()
        self.assert_arrived({"large": wanted})

    def test_consistent_reads_are_asked_for(self):
        items.create(self.client, "herd")
        items.put(self.client, "herd", [{"id": {"S": "1"}}])
        for consistent in ("yes", "no"):
            with FaultProxy(self.server.endpoint) as proxy:
                proxy.keep_bodies = True
                uri = self.uri(proxy.endpoint, consistent=consistent)
                self.copy(uri=uri, out="out-" + consistent)
                asked = [body for operation, body in proxy.bodies if operation == "Scan" and "Select" not in body]
                self.assertTrue(asked)
                self.assertEqual({body.get("ConsistentRead", False) for body in asked}, {consistent == "yes"})

    @unittest.skipIf(support.UNDER_VALGRIND, "takes longer than the cap asks for")
    def test_a_cap_in_read_units_is_kept(self):
        items.create(self.client, "capped")
        wanted = [{"id": {"S": "%d" % n}, "text": {"S": "x" * 4000}} for n in range(160)]
        items.put(self.client, "capped", wanted)
        seconds = {}
        for cap in ("0", "40"):
            begun = time.monotonic()
            self.copy("--jobs", "2", "--chunk-rows", "16", uri=self.uri(read_units=cap), out="out-" + cap)
            seconds[cap] = time.monotonic() - begun
            self.assert_arrived({"capped": wanted}, "out-" + cap)
        # 80 units, of which a second's worth is there at once, and the last page may be owed: 0.8 s.
        self.assertGreater(seconds["40"], seconds["0"] + 0.4)

    def test_it_says_that_there_is_no_snapshot(self):
        items.create(self.client, "herd")
        items.put(self.client, "herd", [{"id": {"S": "1"}}])
        result = self.copy()
        self.assertIn("no snapshot", result.out + result.err)


class Memory(SourceCase):
    """Items that take many times more as JSON, and as cells, than DynamoDB counts."""
    BOUND_KIB = 64 << 10

    def test_items_larger_than_they_count(self):
        items.create(self.client, "large")
        wanted = [{"id": {"S": "bools %d" % n}, "list": {"L": [{"BOOL": True}] * 15000}}
                  for n in range(200 if SOAK else 24)]
        wanted += [{"id": {"S": "text %d" % n}, "text": {"S": "\x01\u00e9" * 100000}}
                   for n in range(100 if SOAK else 16)]
        for at in range(0, len(wanted), 5):
            items.put(self.client, "large", wanted[at:at + 5])
        report = self.path("measure.json")
        environment = support.environment_with(servers.aws_environment(self.folder))
        result = subprocess.run([os.path.join(support.BUILD, "measure"), report, support.PROGRAM, "migrate",
                                 "--jobs", "4", "--chunk-rows", "10", self.uri(), "dynamodb-json:out"],
                                cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                                timeout=120 * support.PATIENCE, check=False)
        with open(report, encoding="ascii") as file:
            figures = json.load(file)
        self.assertEqual(figures["exit"], 0, result.stderr.decode("utf-8", "replace"))
        self.assert_arrived({"large": wanted})
        if not os.environ.get("TRANSHUME_SANITIZE"):
            self.assertLessEqual(figures["peak_kib"], self.BOUND_KIB)


class Sqlite(SourceCase):
    PLAN = """
transhume: 1
source: "%s"
target: sqlite:out.db
tables:
  sheep:
    key: [id]
    from: sheep
    columns: { id: { type: INTEGER }, name: { type: TEXT }, weight: { type: "NUMERIC(10,2)" }, wool: { type: BLOB } }
    fields: { id: copy, name: copy, weight: copy, wool: copy }
"""

    def test_into_a_table(self):
        items.create(self.client, "sheep", (("id", "N"),))
        rows = [(n, "sheep %d \U0001f411" % n, n / 4, bytes([n % 256])) for n in range(400)]
        items.put(self.client, "sheep", [
            {"id": {"N": str(a)}, "name": {"S": b}, "weight": {"N": str(c)}, "wool": {"B": d}} for a, b, c, d in rows])
        self.write("plan.yaml", self.PLAN % self.uri())
        self.run_aws("migrate", "--plan", "plan.yaml", "--chunk-rows", "100")
        db = sqlite3.connect(self.path("out.db"))
        self.assertEqual(db.execute("SELECT id, name, weight, wool FROM sheep ORDER BY id").fetchall(), rows)
        db.close()


# What the reader has to live through: the proxy's rule, and whether each request of a kind meets it once.
FAULTS = {
    "throttle": {"every": 3, "count": 8},
    "throttle ": {"every": 3, "count": 5, "code": "ThrottlingException"},
    "throttle  ": {"every": 3, "count": 5, "code": "RequestLimitExceeded"},
    "error": {"every": 3, "count": 5},
    "error ": {"every": 3, "count": 5, "status": 503},
    "cut_before": {"every": 3, "count": 5},
    "cut_after": {"every": 3, "count": 5},
    "wrong_crc": {"every": 3, "count": 5},
    "altered": {"every": 3, "count": 5},
    "truncated": {"every": 3, "count": 5},
    "slow": {"every": 4, "count": 4, "before": 0.1, "after": 0.1},
    "drip": {"every": 4, "count": 4, "pieces": 7, "pause": 0.02},
    "half_open": {"first": 3, "every": 9, "count": 2},
    "html": {"every": 3, "count": 3, "status": 503},
    "short_page": {},
    "empty_page": {"every": 2},
}


class Faults(SourceCase):
    def test_each_kind(self):
        items.create(self.client, "herd")
        wanted = items.random_items(250, SEED)
        items.put(self.client, "herd", wanted)
        for number, (kind, rule) in enumerate(FAULTS.items()):
            with self.subTest(kind=kind, rule=rule), FaultProxy(self.server.endpoint, SEED) as proxy:
                proxy.add(kind.strip(), operation="Scan", **dict({"first": 2}, **rule))
                if kind.strip() != "short_page":
                    proxy.add("short_page", limit=20)
                out = "out-%d" % number
                self.copy("--chunk-rows", "70", "--timeout", "2s", endpoint=proxy.endpoint, out=out)
                self.assertGreater(proxy.hits[kind.strip()], 0)
                self.assert_arrived({"herd": wanted}, out)

    def test_all_together(self):
        items.create(self.client, "herd")
        wanted = items.random_items(2000 if SOAK else 300, SEED)
        items.put(self.client, "herd", wanted)
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            for kind, rule in FAULTS.items():
                if kind.strip() not in ("short_page", "half_open", "slow", "html"):
                    proxy.add(kind.strip(), chance=0.04, **{name: value for name, value in rule.items()
                                                            if name not in ("every", "count")})
            proxy.add("short_page", limit=10)
            self.copy("--chunk-rows", "40", "--jobs", "3", "--timeout", "5s", endpoint=proxy.endpoint)
            print("faults: %s" % dict(proxy.hits))
            self.assertGreater(sum(proxy.hits[kind.strip()] for kind in FAULTS), 5)
        self.assert_arrived({"herd": wanted})


if __name__ == "__main__":
    unittest.main()
