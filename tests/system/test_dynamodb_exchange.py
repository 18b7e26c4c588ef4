"""DynamoDB over the network as a target: what boto3 reads back from real servers is what was sent."""
import base64
import random
import sqlite3
import unittest

import items
import servers
import support
import test_chinook
from chinook_expected import Expectation
from dynamodb_case import DynamodbCase
from fault_proxy import FaultProxy
from support import SEED, SOAK

TYPES_PLAN = """
transhume: 1
source: "%s"
target: "%s"
tables:
  types:
    key: { partition: id }
    from: types
    fields: { "*": copy%s }
    nulls: keep
"""
# Files do not tell what a key is; a DynamoDB table does.
KEY_TYPE = ", id: { column: id, cast: text }"


def sqlite_items(path):
    """What a plain copy of a SQLite file holds: nulls are left out."""
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    db.row_factory = sqlite3.Row
    tables = {}
    for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        tables[table] = [{name: sqlite_attribute(row[name]) for name in row.keys() if row[name] is not None}
                         for row in db.execute("SELECT * FROM %s" % support.quoted(table))]
    db.close()
    return tables


def sqlite_attribute(value):
    if isinstance(value, (int, float)):
        return {"N": repr(value)}
    return {"B": base64.b64encode(value).decode()} if isinstance(value, bytes) else {"S": value}


def make_shop(path, rows=240):
    """Three tables: integer, composite and text keys; every storage class."""
    chooser = random.Random(11)
    db = sqlite3.connect(path)
    db.executescript("CREATE TABLE plain(id INTEGER PRIMARY KEY, a TEXT, b BLOB, price NUMERIC(10,2), r REAL);"
                     "CREATE TABLE pair(x TEXT, y INTEGER, note TEXT, PRIMARY KEY (x, y)) WITHOUT ROWID;"
                     "CREATE TABLE named(name TEXT PRIMARY KEY, n) WITHOUT ROWID;")
    for n in range(rows):
        db.execute("INSERT INTO plain VALUES (?, ?, ?, ?, ?)",
                   (n * 3 - 50, None if n % 11 == 0 else "text %d \u00e9\U0001f411\n\"" % n,
                    chooser.randbytes(n % 40), chooser.randrange(10000) / 100, chooser.random() * 1e6))
        db.execute("INSERT INTO pair VALUES (?, ?, ?)", ("k%d" % (n % 13), n, "n" * (n % 50)))
        db.execute("INSERT INTO named VALUES (?, ?)", ("name %d" % n, [n, n / 8, "t", b"\0\xff", None][n % 5]))
    db.commit()
    db.close()
    return path


class Values(DynamodbCase):
    def test_every_type_from_files(self):
        wanted = items.every_type()
        source = self.write_json_folder("in", {"types": wanted})
        self.write("plan.yaml", TYPES_PLAN % (source, self.uri(), KEY_TYPE))
        self.run_aws("migrate", "--plan", "plan.yaml")
        self.assert_tables({"types": wanted})

    def test_random_items_from_files(self):
        print("seed %d" % SEED)
        wanted = items.random_items(3000 if SOAK else 400, SEED)
        source = self.write_json_folder("in", {"types": wanted})
        self.write("plan.yaml", TYPES_PLAN % (source, self.uri(), KEY_TYPE))
        self.run_aws("migrate", "--plan", "plan.yaml", "--chunk-rows", "90", "--jobs", "3")
        self.assert_tables({"types": wanted})

    def test_from_sqlite(self):
        source = make_shop(self.path("shop.db"))
        self.run_aws("migrate", "--chunk-rows", "100", source, self.uri())
        self.assert_tables(sqlite_items(source))

    def test_and_back_to_sqlite(self):
        source = make_shop(self.path("shop.db"))
        self.run_aws("migrate", source, self.uri())
        self.write("back.yaml", """
transhume: 1
source: "%s"
target: sqlite:back.db
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
""" % self.uri())
        self.run_aws("migrate", "--plan", "back.yaml", "--state", "state-back")
        before, after = sqlite3.connect(source), sqlite3.connect(self.path("back.db"))
        for query in ("SELECT id, a, b, price, r FROM plain ORDER BY id", "SELECT x, y, note FROM pair ORDER BY x, y"):
            self.assertEqual(after.execute(query).fetchall(), before.execute(query).fetchall())
        before.close()
        after.close()


class ValuesDynoxide(Values):
    """The same where another server answers."""
    server_name = "dynoxide"


class FromServerToServer(DynamodbCase):
    """Both directions at once, where source and target are two servers that know nothing of each other."""
    server_name = "dynoxide"

    def test_every_type_both_ways(self):
        wanted = items.every_type()
        other = servers.start("dynalite")
        self.addCleanup(other.stop)
        other_client = items.client_of(other)
        items.create(self.client, "types")
        items.put(self.client, "types", wanted)
        for number, (here, there, client) in enumerate(((self.server, other, other_client),
                                                        (other, self.server, self.client))):
            if number == 1:
                items.empty(self.client)
            self.write("plan.yaml", TYPES_PLAN % (self.uri(here.endpoint), self.uri(there.endpoint), ""))
            self.run_aws("migrate", "--plan", "plan.yaml", "--state", "state-%d" % number, "--chunk-rows", "20")
            self.assert_tables({"types": wanted}, client)


    UNITS = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}

    @staticmethod
    def key(*names):
        return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"))]

    def test_a_plain_copy_has_the_keys_and_indexes_too(self):
        other = servers.start("dynalite")
        self.addCleanup(other.stop)
        other_client = items.client_of(other)
        expected = {}
        for letter, keys in (("S", items.TEXTS[:7]), ("N", items.NUMBERS), ("B", items.BYTES)):
            name = "by-" + letter
            items.create(self.client, name, (("part", letter), ("sort", letter)),
                         [("turned", (("sort", letter), ("part", letter))), ("other", (("else", "N"),))],
                         local=[("beside", (("part", letter), ("else", "N")))])
            expected[name] = [{"part": {letter: keys[0]}, "sort": {letter: key}, "else": {"N": str(at)}}
                              for at, key in enumerate(keys)]
            items.put(self.client, name, expected[name])
        self.client.create_table(
            TableName="projected", BillingMode="PROVISIONED", ProvisionedThroughput=self.UNITS,
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("a", "b", "c")],
            KeySchema=self.key("a", "b"),
            LocalSecondaryIndexes=[{"IndexName": "keys-only", "KeySchema": self.key("a", "c"),
                                    "Projection": {"ProjectionType": "KEYS_ONLY"}}],
            GlobalSecondaryIndexes=[{"IndexName": "some", "KeySchema": self.key("c"),
                                     "ProvisionedThroughput": self.UNITS,
                                     "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x", 'q"\\ é']}}])
        items.wait_active(self.client, "projected")
        expected["projected"] = [{"a": {"S": "1"}, "b": {"S": "2"}, "c": {"S": "3"}, "x": {"N": "4"}}]
        items.put(self.client, "projected", expected["projected"])
        self.run_aws("migrate", self.uri(), self.uri(other.endpoint))
        self.assert_tables(expected, other_client)
        for name in expected:
            self.assertEqual(shape_of(other_client, name), shape_of(self.client, name))


def projection_of(index):
    return index["Projection"]["ProjectionType"], sorted(index["Projection"].get("NonKeyAttributes", []))


def shape_of(client, name):
    """Keys, their types and indexes."""
    table = client.describe_table(TableName=name)["Table"]
    return (table["KeySchema"], sorted(map(repr, table["AttributeDefinitions"])),
            sorted((kind, index["IndexName"], repr(index["KeySchema"]), projection_of(index))
                   for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
                   for index in table.get(kind, [])))


class Chinook(DynamodbCase):
    """Eleven tables to DynamoDB by the example's plan, and back by its other one: each item and each row."""
    rows, assert_shop = test_chinook.Back.rows, test_chinook.Back.assert_shop
    assert_references = test_chinook.Back.assert_references

    def there_and_back(self, source):
        expected = Expectation(source).tables()
        self.run_aws("migrate", "--plan", test_chinook.PLAN, "--state", "there", source, self.uri())
        self.assert_tables(expected)
        with FaultProxy(self.server.endpoint) as proxy:
            proxy.keep_bodies = True
            self.run_aws("migrate", "--plan", test_chinook.BACK, "--state", "back", self.uri(proxy.endpoint),
                         "again.db")
            scans = [(body["TableName"], body.get("Segment"), repr(body.get("ExclusiveStartKey")))
                     for operation, body in proxy.bodies if operation == "Scan" and "Select" not in body]
        # One scan a table feeds all of its entities: no page is asked for twice.
        self.assertEqual(len(scans), len(set(scans)), scans)
        self.assert_references(source, self.path("again.db"))
        return sum(map(len, expected.values())), self.assert_shop(source, self.path("again.db"))

    def test_the_projects_own_sample(self):
        items_count, rows_count = self.there_and_back(support.musicshop(self.path("shop.db")))
        self.assertGreater(items_count, 4000)
        self.assertGreater(rows_count, 15000)

    @unittest.skipUnless(test_chinook.FOREIGN, "TRANSHUME_CHINOOK does not name a Chinook database")
    def test_the_foreign_database(self):
        self.assertEqual(self.there_and_back(test_chinook.FOREIGN), (4709, 15607))


# The rule of each fault; those of one kind differ in blanks at the end.
WRITE_FAULTS = {
    "unprocessed": {"chance": 0.6},
    "unprocessed ": {"share": 0.95, "count": 12},
    "throttle": {"every": 2, "count": 6},
    "throttle ": {"every": 3, "count": 4, "code": "ThrottlingException"},
    "throttle  ": {"every": 3, "count": 4, "code": "RequestLimitExceeded"},
    "error": {"every": 3, "count": 4},
    "error ": {"every": 3, "count": 4, "status": 503},
    "error  ": {"every": 3, "count": 4, "applied": True},
    "cut_before": {"every": 3, "count": 4},
    "cut_after": {"every": 2, "count": 6},
    "wrong_crc": {"every": 3, "count": 4},
    "altered": {"every": 3, "count": 4},
    "truncated": {"every": 3, "count": 4},
    "slow": {"every": 4, "count": 4, "before": 0.1, "after": 0.1},
    "drip": {"every": 4, "count": 4, "pieces": 5, "pause": 0.02},
    "half_open": {"first": 2, "every": 5, "count": 2},
    "half_open ": {"first": 2, "every": 5, "count": 2, "applied": True},
    "html": {"every": 3, "count": 2, "status": 503},
}
# Of these `make test` takes some, the soak all.
SAMPLED = 6
CONTROL = ("CreateTable", "DescribeTable", "PutItem", "UpdateItem", "GetItem", "Query", "ListTables", "DeleteItem",
           "TransactWriteItems", "Scan")
CONTROL_FAULTS = ("throttle", "error", "cut_before", "cut_after", "wrong_crc", "truncated")


class Faults(DynamodbCase):
    def setUp(self):
        super().setUp()
        self.source = make_shop(self.path("shop.db"))
        self.expected = sqlite_items(self.source)

    def migrate_through(self, proxy, state):
        self.run_aws("migrate", "--state", state, "--chunk-rows", "60", "--timeout", "2s", self.source,
                     self.uri(proxy.endpoint))
        self.assert_tables(self.expected)

    def test_writes(self):
        names = list(WRITE_FAULTS)
        if not SOAK:
            print("seed %d" % SEED)
            others = random.Random(SEED).sample([n for n in names if n not in ("unprocessed", "cut_after")],
                                                SAMPLED - 2)
            names = ["unprocessed", "cut_after"] + others
        for number, name in enumerate(names):
            items.empty(self.client)
            with self.subTest(fault=name, rule=WRITE_FAULTS[name]), \
                    FaultProxy(self.server.endpoint, SEED) as proxy:
                proxy.add(name.strip(), operation="BatchWriteItem", **WRITE_FAULTS[name])
                self.migrate_through(proxy, "state-%d" % number)
                self.assertGreater(proxy.hits[name.strip()], 0)

    def test_control_requests(self):
        """The ledger's and the tables' requests: each third of them fails, in turn before and after it was done."""
        kinds = CONTROL_FAULTS if SOAK else random.Random(SEED).sample(CONTROL_FAULTS, 2) + ["cut_after"]
        for number, kind in enumerate(kinds):
            items.empty(self.client)
            with self.subTest(fault=kind), FaultProxy(self.server.endpoint, SEED) as proxy:
                proxy.add(kind, operation=CONTROL, first=2, every=3)
                self.migrate_through(proxy, "state-%d" % number)
                self.assertGreater(proxy.hits[kind], 5)

    def test_all_together(self):
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            for name, rule in WRITE_FAULTS.items():
                if name.strip() not in ("half_open", "slow", "html"):
                    proxy.add(name.strip(), chance=0.03,
                              **{k: v for k, v in rule.items() if k not in ("every", "count", "chance", "first")})
            self.migrate_through(proxy, "state")
            print("faults: %s" % dict(proxy.hits))
            self.assertGreater(sum(proxy.hits.values()), 5)


if __name__ == "__main__":
    unittest.main()
