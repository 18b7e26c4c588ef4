"""
MongoDB as a target and as a source, on FerretDB over DocumentDB; what is there is read by pymongo. It is no replica
set: what needs one is not shown here.
"""
import datetime
import decimal
import json
import os
import random
import signal
import sqlite3
import struct
import uuid

import ferretdb
import postgres
import support

from bson_proxy import BsonProxy
from test_redis import MANY, CuttingProxy

OWN = {"_transhume_ledger", "_transhume_tables"}
ODD = """CREATE TABLE odd (id INTEGER PRIMARY KEY, t TEXT, n NUMERIC, r REAL, b BLOB);
INSERT INTO odd VALUES (1, '12', 12, 0.1, x'3132'), (2, '007', 1.50, 1e300, x'00ff'), (3, '', NULL, -0.0, x''), (4, NULL, -9223372036854775808, 3.0, NULL),
  (5, 'caf\u00e9 \U0001f411', 9223372036854775807, 5e-324, x'c3a9'), (6, '-0', 0, NULL, x'2d30'), (7, '507f1f77bcf86cd799439011', 2147483648, 2.5, x'74727565');
CREATE TABLE pair (x TEXT NOT NULL, y INTEGER NOT NULL, note TEXT, PRIMARY KEY (x, y));
INSERT INTO pair VALUES ('a', 1, '1'), ('a', 2, '2'), ('', 1, '3'), ('$x', -5, '4'), ('a.b', 9223372036854775807, '5');
CREATE TABLE "Order Lines" ("Line No" INTEGER PRIMARY KEY, "a b" TEXT, "c.d" TEXT, "$e" TEXT);
INSERT INTO "Order Lines" VALUES (1, 'x', 'dotted', 'dollar'), (2, NULL, NULL, NULL);"""


class SoonCutting(CuttingProxy):
    def passers(self, program, server):
        left = [self.draw.randint(20000, 150000) if self.cuts < 8 else 1 << 40]
        return [lambda: self.carry(program, server, left), lambda: self.carry(server, program, left)]


class MongodbCase(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ferretdb.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.name = self.server.database()

    def uri(self, options="", name=None):
        return self.server.uri(name or self.name, options)

    @property
    def there(self):
        return self.server.client()[self.name]

    def documents(self, collection, name=None):
        """Decimals as Python has them."""
        return [{field: value.to_decimal() if hasattr(value, "to_decimal") else value
                 for field, value in document.items()}
                for document in self.server.client()[name or self.name][collection].find().sort("_id", 1)]

    def facts(self, collection):
        return next(self.there.list_collections(filter={"name": collection}))

    def lines(self, table, folder="out"):
        """The records of a folder of JSON lines, by their first field."""
        found = [json.loads(line) for name in os.listdir(self.path(folder, table))
                 for line in support.read_lines(self.path(folder, table, name))]
        return sorted(found, key=lambda record: json.dumps(next(iter(record.values()))))

    def many(self, rows):
        support.make_sqlite(self.path("source.db"), MANY % rows)

    def assert_things(self, rows):
        """Each document, field by field."""
        wanted = [{"_id": i, "id": i, "name": "name %d" % i, **({"city": "city %d" % (i % 97)} if i % 7 else {}),
                   "price": decimal.Decimal(i) / 4}
                  for i in range(1, rows + 1)]
        self.assertEqual(self.documents("things"), wanted)


class Copies(MongodbCase):
    def test_there_and_back(self):
        """Every value of SQLite comes back as it was; keys of several columns, names with dots, blanks and dollars."""
        support.make_sqlite(self.path("source.db"), ODD)
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        self.assertEqual(self.documents("odd")[1], {"_id": 2, "id": 2, "t": "007", "n": decimal.Decimal("1.5"),
                                                    "r": 1e300, "b": b"\x00\xff"})
        self.assertEqual(self.documents("odd")[3], {"_id": 4, "id": 4, "n": -9223372036854775808, "r": 3.0})
        self.assertEqual(self.there.pair.find_one({"_id": {"x": "a", "y": 2}}),
                         {"_id": {"x": "a", "y": 2}, "x": "a", "y": 2, "note": "2"})
        self.assertEqual(self.documents("Order Lines")[0], {"_id": 1, "Line No": 1, "a b": "x", "c.d": "dotted",
                                                            "$e": "dollar"})
        self.run_program("validate", "--level", "full", "--quiet")
        self.run_program("finish", "--quiet")
        self.assertNotIn("_transhume_ledger", self.there.list_collection_names())
        self.run_program("migrate", self.uri(), "back.db", "--state", "back", "--quiet")
        source, back = (sqlite3.connect(self.path(name)) for name in ("source.db", "back.db"))
        for table, order in (("odd", "id"), ("pair", "x, y"), ('"Order Lines"', '"Line No"')):
            columns = [row[1] for row in source.execute("PRAGMA table_info(%s)" % table)]
            query = "SELECT %s FROM %s ORDER BY %s" % (", ".join("CAST(n AS NUMERIC)" if column == "n"
                                                                 else '"%s"' % column for column in columns), table,
                                                       order)
            self.assertEqual(back.execute(query).fetchall(), source.execute(query).fetchall())
        source.close()
        back.close()

    def test_killed_at_each_place(self):
        """
        Killed at each failpoint on the way, first and last time, and resumed: each record once and whole, and nothing
        else.
        """
        self.many(3000)
        options = ["--chunk-rows", "500", "--jobs", "2", "--quiet"]
        result, counts = support.count_failpoints("migrate", "source.db", self.uri(), *options, cwd=self.folder)
        self.assert_code(result, 0)
        places = sorted((name, at) for name, count in counts.items() if name.startswith("mongodb.")
                        for at in {1, count})
        self.assertGreater(len(places), 10)
        for name, at in support.drawn(places, 8, self.id()):
            with self.subTest(failpoint=name, occurrence=at):
                self.name = self.server.database()
                state = "killed-%s-%d" % (name, at)
                support.kill_at(name, at, "migrate", "source.db", self.uri(), *options, "--state", state,
                                cwd=self.folder)
                again = support.transhume("resume", "--state", state, "--quiet", cwd=self.folder)
                if again.code == 2 and "run-nothing" in again.err:  # before there was a run
                    again = support.transhume("migrate", "source.db", self.uri(), *options, "--state", state,
                                              cwd=self.folder)
                self.assert_code(again, 0)
                self.assert_things(3000)

    def test_connections_that_break(self):
        self.many(12000)
        with SoonCutting(self.server.port, random.Random(support.SEED)) as proxy:
            self.run_program("migrate", "source.db", "mongodb://127.0.0.1:%d/%s" % (proxy.port, self.name),
                             "--chunk-rows", "1000", "--quiet")
            self.assertGreater(proxy.cuts, 2)
        self.assert_things(12000)

    def test_an_index_whose_name_holds_that_of_id(self):
        """Who is refused by it is a reject, whatever is done about records that are there."""
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE t (id INTEGER PRIMARY KEY, customer INTEGER); INSERT INTO t VALUES (1, "
                            "7), (2, 8)")
        for number, (name, policy) in enumerate((("customer_id_1", "append"), ("customer_id_1", "upsert"),
                                                 ("x$_id_", "replace"), ("_id_ x", "skip"),
                                                 ("_id_ dup key: x", "append"))):
            self.name = self.server.database()
            there = self.server.client()[self.name].t
            there.create_index("customer", unique=True, name=name)
            there.insert_one({"_id": 99, "customer": 7})
            self.run_program("migrate", "--existing", policy, "--state", str(number), "source.db", self.uri(),
                             "--quiet", code=1)
            self.assertEqual(sorted(document["_id"] for document in there.find()), [2, 99], (name, policy))

    def test_a_collection_that_somebody_makes_meanwhile(self):
        """Between the look and the making: it stays theirs, and no rollback drops it."""
        self.many(300)
        process = self.stopped_at("mongodb.after_note:stop", "migrate", "source.db", self.uri(), "--quiet")
        self.there.things.insert_one({"_id": 5000, "name": "theirs"})
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 3)
        self.assertIn("somebody made the collection meanwhile", result.err)
        self.assertEqual(self.documents("things"), [{"_id": 5000, "name": "theirs"}])
        support.transhume("resume", "--quiet", cwd=self.folder)
        support.transhume("rollback", "--run", self.run_id(), "--confirm", "--quiet", cwd=self.folder)
        self.assertEqual(self.there.things.find_one({"_id": 5000}), {"_id": 5000, "name": "theirs"})

    def test_a_collection_that_was_dropped_and_made_by_others(self):
        """
        What was noted of the one says nothing of the other, where the server tells them apart: their documents are read
        as they are, and appended to under another key.
        """
        self.many(3)
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        first = self.facts("things").get("info", {}).get("uuid")
        self.there.things.drop()
        self.there.things.insert_many([{"_id": "a", "v": 1}, {"_id": "b", "v": 2}])
        if first is None or first == self.facts("things")["info"]["uuid"]:
            self.skipTest("the server gives its collections no uuids")
        self.run_program("migrate", self.uri(), "jsonl:out", "--state", "out-state", "--quiet")
        self.assertEqual(self.lines("things"), [{"_id": "a", "v": 1}, {"_id": "b", "v": 2}])

    def test_a_note_of_a_collection_that_was_dropped(self):
        """It is an earlier run's, also for a run that broke off before it made its own."""
        self.many(3)
        self.run_program("migrate", "source.db", self.uri(), "--quiet", "--state", "first")
        for point in ("mongodb.after_intent", "mongodb.after_note"):
            self.there.things.drop()
            support.kill_at(point, 1, "migrate", "source.db", self.uri(), "--quiet", "--state", point, cwd=self.folder)
            self.run_program("resume", "--quiet", "--state", point)
            self.run_program("validate", "--quiet", "--state", point)
            result = self.run_program("rollback", "--run", self.run_id(point), "--confirm", "--state", point)
            self.assertNotIn("another one", result.err)
            self.assertNotIn("things", self.there.list_collection_names())
            self.run_program("migrate", "source.db", self.uri(), "--quiet", "--state", "between-" + point)

    def test_documents_of_others_among_ours(self):
        """
        A document whose _id is not made of the key as that of ours is: no part of it is left out in silence. A number
        of another type is the same number.
        """
        self.many(3)
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        self.there.things.insert_many([{"_id": "theirs", "id": 77, "name": "x"}, {"_id": 78, "id": 78.0, "name": "y"},
                                       {"_id": "keyless", "name": "z"}])
        self.run_program("migrate", self.uri(), "jsonl:out", "--state", "out-state", "--quiet", code=1)
        self.assertEqual([line["id"] for line in self.lines("things")], [1, 2, 3, 78])
        rejects = self.rejects("out-state")
        self.assertEqual(sorted(reject["key"]["_id"] if isinstance(reject["key"], dict) and "_id" in reject["key"]
                                else list(reject["key"].values())[0] for reject in rejects), ["keyless", "theirs"])
        self.assertTrue(all("_id is not made of its key (id)" in json.dumps(reject) for reject in rejects))

    def test_a_note_of_another_run(self):
        """A rollback deletes what its own run noted, and no more."""
        self.many(3)
        self.there.things.insert_one({"_id": 9, "id": 9})
        self.there["_transhume_tables"].insert_one({"_id": "other", "key": ["a"], "run": "20200101T000000-somebody"})
        self.run_program("migrate", "--existing", "append", "--rollback-keys", "source.db", self.uri(), "--quiet")
        self.assertEqual([note["_id"] for note in self.documents("_transhume_tables")], ["other", "things"])
        self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
        self.assertEqual([note["_id"] for note in self.documents("_transhume_tables")], ["other"])
        self.assertEqual(self.documents("things"), [{"_id": 9, "id": 9}])

    def test_indexes_of_a_plan_in_a_collection_that_is_there(self):
        """They are not made there, which `check` and the run say; one that serves under another name is as good."""
        self.many(3)
        self.there.things.create_index("city", name="mine")
        self.write("plan.yaml", """transhume: 1
source: source.db
target: "%s"
existing: append
tables:
  things: { key: [id], from: things, indexes: { by_city: { columns: [city] }, by_name: { columns: [name], unique: true } } }
""" % self.uri())
        for command in (["check", "--plan", "plan.yaml"], ["migrate", "--plan", "plan.yaml"]):
            result = self.run_program(*command)
            self.assertIn("the index by_name is not made", result.out + result.err)
            self.assertNotIn("the index by_city is not made", result.out + result.err)
        self.assertEqual(sorted(self.there.things.index_information()), ["_id_", "mine"])
        other = self.server.database()
        self.server.client()[other].things.insert_one({"_id": 7000})
        result = self.run_program("migrate", "--existing", "append", self.uri(), self.uri(name=other), "--state",
                                  "whole")
        self.assertIn("the index mine is not made", result.err)

    def test_two_records_under_one_key(self):
        support.make_sqlite(self.path("source.db"), "CREATE TABLE t (a INTEGER PRIMARY KEY, k TEXT, v TEXT);"
                                                    "INSERT INTO t VALUES (1, 'x', 'first'), (2, 'x', NULL), (3, 'y', "
                                                    "'other')")
        self.write("plan.yaml", """transhume: 1
source: source.db
target: %s
tables:
  t: { key: [k], from: t, fields: { k: copy, v: copy } }
""" % self.uri())
        self.run_program("migrate", "--plan", "plan.yaml", code=1)
        self.assertEqual(self.documents("t"), [{"_id": "x", "k": "x", "v": "first"},
                                               {"_id": "y", "k": "y", "v": "other"}])
        self.assertEqual([reject["code"] for reject in self.rejects()], ["key-duplicate"])

    def test_a_key_named_id_is_not_written_twice(self):
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE t (a INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'one'), "
                            "(2, 'two')")
        self.write("plan.yaml", """transhume: 1
source: source.db
target: %s
tables:
  t: { key: [_id], from: t, fields: { _id: { column: a }, v: copy } }
""" % self.uri())
        self.run_program("migrate", "--plan", "plan.yaml", "--quiet")
        self.assertEqual(self.documents("t"), [{"_id": 1, "v": "one"}, {"_id": 2, "v": "two"}])
        self.run_program("validate", "--level", "full", "--quiet")


class Examples(MongodbCase):
    def test_the_ready_plan(self):
        """examples/chinook-mongodb, against SQL of the test's own; killed and resumed."""
        support.musicshop(self.path("shop.db"))
        plan = os.path.join(support.ROOT, "examples", "chinook-mongodb", "transhume.yaml")
        command = ["--plan", plan, "sqlite:shop.db", self.uri(), "--state", "state"]
        self.run_program("check", *command[:4])
        support.kill_at("mongodb.after_answer", 4, "migrate", *command, "--chunk-rows", "300", cwd=self.folder)
        self.run_program("resume", "--state", "state", "--quiet")
        self.run_program("validate", "--state", "state", "--level", "full", "--quiet")
        db = sqlite3.connect(self.path("shop.db"))
        db.row_factory = sqlite3.Row
        customers = {document["_id"]: document for document in self.documents("customers")}
        for row in db.execute("SELECT c.*, e.FirstName || ' ' || e.LastName AS SupportRep FROM Customer c LEFT JOIN "
                              "Employee e ON e.EmployeeId = c.SupportRepId"):
            totals = [decimal.Decimal(repr(total))
                      for total, in db.execute("SELECT Total FROM Invoice WHERE CustomerId = ?", (row["CustomerId"],))]
            found = customers.pop(row["CustomerId"])
            spent = found.pop("Spent")
            self.assertEqual(spent, sum(totals, decimal.Decimal(0)))
            wanted = {name: row[name] for name in row.keys() if name not in ("SupportRepId", "CustomerId")
                      and row[name] is not None}
            self.assertEqual(found, {"_id": row["CustomerId"], **wanted, "Orders": len(totals)})
        self.assertEqual(customers, {})
        invoices = {document["_id"]: document for document in self.documents("invoices")}
        lines = list(db.execute("SELECT l.*, t.Name FROM InvoiceLine l JOIN Track t USING (TrackId) ORDER BY "
                                "InvoiceLineId"))
        self.assertEqual([(line["InvoiceLineId"], line["Track"], line["Quantity"]) for invoice in invoices.values()
                          for line in invoice["Lines"]],
                         [(line["InvoiceLineId"], line["Name"], line["Quantity"])
                          for line in sorted(lines, key=lambda line: (line["InvoiceId"], line["InvoiceLineId"]))])
        first, = db.execute("SELECT InvoiceDate FROM Invoice WHERE InvoiceId = 1").fetchone()
        self.assertEqual(invoices[1]["InvoiceDate"].strftime("%Y-%m-%d %H:%M:%S"), first)
        for collection, query in (("invoices", "SELECT count(*) FROM Invoice"),
                                  ("albums", "SELECT count(*) FROM Album"),
                                  ("playlists", "SELECT count(*) FROM Playlist")):
            self.assertEqual(len(self.documents(collection)), db.execute(query).fetchone()[0])
        self.assertEqual(sum(len(album["Tracks"]) for album in self.documents("albums")),
                         db.execute("SELECT count(*) FROM Track WHERE AlbumId IS NOT NULL").fetchone()[0])
        self.assertEqual(self.there.invoices.index_information()["by_customer"]["key"],
                         [("CustomerId", 1), ("InvoiceDate", 1)])
        db.close()


class Steps(MongodbCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres = postgres.for_class(cls)

    def test_a_frameworks_steps(self):
        """examples/steps-postgres-mongodb: rename, concatenate, function, nested object."""
        folder = os.path.join(support.ROOT, "examples", "steps-postgres-mongodb")
        source = self.postgres.database()
        with open(os.path.join(folder, "schema.sql"), encoding="utf-8") as file:
            self.postgres.psql(source, file.read())
        command = ["--plan", os.path.join(folder, "transhume.yaml"), self.postgres.uri(source), self.uri(), "--state",
                   "state"]
        self.run_program("check", *command[:4])
        self.run_program("migrate", *command, "--quiet")
        self.run_program("validate", "--state", "state", "--level", "full", "--quiet")
        born = datetime.datetime(1985, 12, 10, tzinfo=datetime.timezone.utc)
        self.assertEqual(self.documents("users")[0], {"_id": 1, "full_name": "Ada Byron", "email": "ada@example.org",
                                                      "born": born, "adult": True,
                                                      "metadata": {"locale": "en", "logins": 12,
                                                                   "address": {"city": "London", "country": "UK"}}})
        self.assertEqual([(user["full_name"], user["email"], user["adult"], user["metadata"]["address"])
                          for user in self.documents("users")[1:]],
                         [("Grace Hopper", "grace@example.org", True, {"city": None, "country": "US"}),
                          ("J\u00fcrgen Gro\u00df", "jg@example.org", False, {"city": "K\u00f6ln", "country": "DE"})])
        self.assertTrue(self.there.users.index_information()["by_email"]["unique"])


class Policies(MongodbCase):
    plan = """transhume: 1
source: source.db
target: "%s"
existing: %s
tables:
  things: { key: [id], from: things }
"""
    theirs = {"_id": 2, "id": 2, "name": "theirs", "mine": "kept"}
    ours = {"_id": 2, "id": 2, "name": "name 2", "city": "city 2", "price": decimal.Decimal("0.5")}

    def run_policy(self, policy, code=0):
        self.many(5)
        self.there.things.insert_one(dict(self.theirs))
        self.write("plan.yaml", self.plan % (self.uri(), policy))
        return self.run_program("migrate", "--plan", "plan.yaml", "--rollback-keys", code=code)

    def test_refuse(self):
        self.assertIn("target-not-empty", self.run_policy("refuse", 5).err)
        self.assertEqual(self.documents("things"), [self.theirs])

    def test_append(self):
        self.run_policy("append", 1)
        self.assertEqual(self.documents("things")[1], self.theirs)
        self.assertEqual([reject["code"] for reject in self.rejects()], ["key-duplicate"])
        self.assertEqual(len(self.documents("things")), 5)

    def test_skip(self):
        self.run_policy("skip")
        self.assertEqual(self.documents("things")[1], self.theirs)
        self.assertEqual(len(self.documents("things")), 5)

    def test_upsert_and_back(self):
        self.run_policy("upsert")
        self.assertEqual(self.documents("things")[1], {**self.ours, "mine": "kept"})
        self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
        self.assertEqual(self.documents("things"), [self.theirs])

    def test_replace_and_back(self):
        self.run_policy("replace")
        self.assertEqual(self.documents("things")[1], self.ours)
        self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
        self.assertEqual(self.documents("things"), [self.theirs])

    def test_rollback_and_repair(self):
        self.many(300)
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        self.there.things.update_one({"_id": 7}, {"$set": {"name": "changed"}})
        eighth = self.there.things.find_one_and_delete({"_id": 8})
        self.there.things.insert_one({"_id": 5000, "id": 5000, "name": "extra"})
        result = self.run_program("validate", "--level", "full", code=1)
        self.assertRegex(result.out, r"things +things +300 +300 +1 +1 +1")
        first = self.run_id()
        self.run_program("validate", "--level", "full", "--repair", "--delete-extra", "--confirm", "--quiet")
        self.assert_things(300)
        self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
        self.assertEqual((self.there.things.find_one({"_id": 7})["name"], self.there.things.find_one({"_id": 8}),
                          self.there.things.find_one({"_id": 5000})["name"]),
                         ("changed", None, "extra"))
        self.there.things.update_one({"_id": 7}, {"$set": {"name": "name 7"}})
        self.there.things.insert_one(eighth)
        self.there.things.delete_one({"_id": 5000})
        self.run_program("rollback", "--run", first, "--confirm", "--quiet")
        self.assertEqual(set(self.there.list_collection_names()) - OWN, set())
        self.assertEqual(self.documents("_transhume_tables"), [])

    def test_what_a_table_can_not_be(self):
        support.make_sqlite(self.path("source.db"),
                            'CREATE TABLE "a$b" (id INTEGER PRIMARY KEY); INSERT INTO "a$b" VALUES (1); '
                            'CREATE TABLE t (a INTEGER PRIMARY KEY, _id TEXT);')
        result = self.run_program("check", "source.db", self.uri(), code=2)
        self.assertIn("begins with a dot or has a $", result.out + result.err)
        self.assertIn("a field is named _id and is not the key", result.out + result.err)
        self.run_program("migrate", "source.db", self.uri(), code=2)
        self.assertEqual(set(self.there.list_collection_names()) - OWN, set())


def bson_values():
    """{name: value} of every type that pymongo can write."""
    from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
    return {"int": 5, "long": Int64(5), "large": Int64(2 ** 63 - 1), "double": 0.1, "zero": -0.0, "whole": 3.0,
            "text": "caf\u00e9\0x", "empty": "", "yes": True, "null": None,
            "decimal": Decimal128("0.10"), "long decimal": Decimal128("-1234567890123456789012345678901.234"),
            "nan": Decimal128("NaN"), "minus zero": Decimal128("-0"),
            "date": datetime.datetime(2024, 2, 29, 12, 30, 15, 123000, datetime.timezone.utc),
            "oid": ObjectId("507f1f77bcf86cd799439011"),
            "bytes": Binary(b"\x00\xff", 0), "md5": Binary(b"0123456789abcdef", 5), "mine": Binary(b"xy", 128),
            "uuid": Binary(uuid.UUID(int=7).bytes, 4), "old uuid": Binary(b"0123456789abcdef", 3),
            "regex": Regex("^a.*b$", "im"), "time": Timestamp(1700000000, 3), "low": MinKey(), "high": MaxKey(),
            "code": Code("f()"), "scoped": Code("f(x)", {"x": 1}),
            "nested": {"a": [1, {"b": None}, []], "c": {}}, "list": [Int64(1), 2, 3.5], "ref": DBRef("other", 1)}


class Types(MongodbCase):
    def test_every_type_through_a_plan(self):
        """From MongoDB to MongoDB field by field: types stay what they are, byte for byte."""
        import bson
        from bson.raw_bson import RawBSONDocument
        bson_documents = [{"_id": i, name: value} for i, (name, value) in enumerate(bson_values().items())]
        bson_documents.append({"_id": "far", "date": None})
        self.there.all.insert_many(bson_documents)
        self.there.command("update", "all", updates=[{"q": {"_id": "far"},
                                                      "u": {"$set": {"date": bson.DatetimeMS(2 ** 62),
                                                                     "soon": bson.DatetimeMS(253402300800000)}}}])
        other = self.server.database()
        self.write("plan.yaml", """transhume: 1
source: "%s"
target: "%s"
tables:
  all: { key: [_id], from: all, nulls: keep, fields: { "*": copy, added: { const: true } } }
""" % (self.uri(), self.uri(name=other)))
        self.run_program("migrate", "--plan", "plan.yaml", "--quiet")
        options = bson.CodecOptions(document_class=RawBSONDocument)
        source, target = ([document.raw for document in self.server.client()[name].get_collection("all",
            codec_options=options).find().sort("_id", 1)] for name in (self.name, other))
        added = b"\x08added\0\x01\0"
        self.assertEqual(target, [struct.pack("<i", len(document) + len(added) - 1) + document[4:-1] + added
                                  for document in source])
        self.run_program("validate", "--level", "full", "--quiet")

    def test_into_tables(self):
        """
        Documents become rows: columns are learned from all of them, what is nested is JSON, what only MongoDB has is
        its extended JSON.
        """
        from bson import ObjectId, Timestamp
        self.there.people.insert_many([{"_id": ObjectId("507f1f77bcf86cd799439011"), "name": "Ann", "tags": ["a", 1],
                                        "at": datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc)},
                                       {"_id": ObjectId("507f1f77bcf86cd799439012"), "name": "Bob", "age": 33,
                                        "ts": Timestamp(5, 6)}])
        self.run_program("migrate", self.uri(), "back.db", "--quiet")
        with sqlite3.connect(self.path("back.db")) as back:
            back.row_factory = sqlite3.Row
            rows = [dict(row) for row in back.execute("SELECT * FROM people ORDER BY _id")]
        self.assertEqual([row["_id"] for row in rows], ["507f1f77bcf86cd799439011", "507f1f77bcf86cd799439012"])
        self.assertEqual((rows[0]["name"], rows[0]["tags"], rows[0]["age"], rows[1]["age"]),
                         ("Ann", '["a",1]', None, 33))
        self.assertEqual((rows[0]["at"], rows[1]["at"]), ("2024-02-29T00:00:00Z", None))
        self.assertIn("$timestamp", rows[1]["ts"])

    def test_times_finer_than_milliseconds(self):
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT); INSERT INTO t VALUES (1, "
                            "'2024-02-29 12:00:00.123'), (2, '2024-02-29 12:00:00.123456')")
        self.write("plan.yaml", """transhume: 1
source: source.db
target: %s
tables:
  t: { key: [id], from: t, fields: { id: copy, at: { column: at, cast: timestamp } } }
""" % self.uri())
        self.run_program("migrate", "--plan", "plan.yaml", code=1)
        self.assertEqual(self.documents("t"), [{"_id": 1, "id": 1,
                                                "at": datetime.datetime(2024, 2, 29, 12, 0, 0, 123000,
                                                                        datetime.timezone.utc)}])
        self.assertEqual([reject["code"] for reject in self.rejects()], ["type"])


class Same(MongodbCase):
    """From MongoDB to MongoDB, unchanged: documents go byte for byte, with what is kept of their collection."""

    def raw(self, name, collection):
        import bson
        from bson.raw_bson import RawBSONDocument
        found = self.server.client()[name].get_collection(collection,
                                                          codec_options=bson.CodecOptions(
                                                              document_class=RawBSONDocument)).find().sort("_id", 1)
        return [document.raw for document in found]

    def test_documents_and_what_is_kept_of_their_collection(self):
        import bson
        schema = {"$jsonSchema": {"bsonType": "object", "required": ["name"],
                                  "properties": {"name": {"bsonType": "string"}}}}
        self.there.create_collection("all", validator=schema)
        self.there.all.insert_many([{"_id": i, "name": name, "value": value}
                                    for i, (name, value) in enumerate(bson_values().items())])
        self.there.command("update", "all", updates=[{"q": {"_id": 0},
                                                      "u": {"$set": {"far": bson.DatetimeMS(2 ** 62)}}}])
        self.there.all.create_index([("name", 1), ("value", -1)], name="both")
        self.there.all.create_index("mail", unique=True, partialFilterExpression={"mail": {"$exists": True}})
        # as a run makes it of a column that may be NULL
        self.there.all.create_index("some", unique=True, partialFilterExpression={"some": {"$type": ["int", "long",
            "string"]}})
        self.there.all.create_index("seen", expireAfterSeconds=3600)
        self.there.all.create_index([("about", "text")])
        self.there.all.create_index([("place", "2dsphere")])
        self.there.many.insert_many([{"_id": bson.ObjectId(), "n": i, "$odd": i} for i in range(5000)])
        other = self.server.database()
        self.run_program("migrate", self.uri(), self.uri(name=other), "--chunk-rows", "800", "--quiet")
        for collection in ("all", "many"):
            self.assertEqual(self.raw(other, collection), self.raw(self.name, collection))
        there = self.server.client()[other]
        own = {"storageEngine"}   # DocumentDB's own word on how a text index was made
        found, wanted = ({name: {word: value for word, value in facts.items() if word not in own}
                          for name, facts in each.all.index_information().items()} for each in (there, self.there))
        self.assertEqual(found, wanted)
        self.assertEqual(there.all.options(), self.there.all.options())
        self.run_program("validate", "--level", "full", "--quiet")

    def test_a_document_of_nearly_16_mib_behind_small_ones(self):
        """A command has no more than one of these."""
        self.there.t.insert_many([{"_id": i, "v": "x" * 1000} for i in range(900)]
                                 + [{"_id": 1000, "v": "y" * ((16 << 20) - 100)}, {"_id": 1001, "v": "z"}])
        other = self.server.database()
        self.run_program("migrate", self.uri(), self.uri(name=other), "--quiet")
        self.assertEqual(self.raw(other, "t"), self.raw(self.name, "t"))

    def test_killed(self):
        self.there.many.insert_many([{"_id": i, "n": "x" * (i % 50)} for i in range(5000)])
        other = self.server.database()
        options = ["--chunk-rows", "500", "--jobs", "2", "--quiet"]
        support.kill_at("mongodb.chunk_begin", 5, "migrate", self.uri(), self.uri(name=other), *options,
                        cwd=self.folder)
        self.run_program("resume", "--quiet")
        self.assertEqual(self.raw(other, "many"), self.raw(self.name, "many"))

    def test_a_document_that_is_refused(self):
        """The chunk goes the general path, where it is a reject."""
        self.there.t.insert_many([{"_id": i, "mail": "m%d" % i} for i in range(50)])
        other = self.server.database()
        self.write("plan.yaml", """transhume: 1
source: "%s"
target: "%s"
tables:
  t: { key: [_id], from: t, indexes: { by_mail: { columns: [mail], unique: true } } }
""" % (self.uri(), self.uri(name=other)))
        self.there.t.insert_one({"_id": 99, "mail": "m7"})
        self.run_program("migrate", "--plan", "plan.yaml", code=1)
        self.assertEqual([(reject["code"], reject["key"]) for reject in self.rejects()], [("constraint", {"_id": 99})])
        self.assertEqual(len(self.documents("t", other)), 50)


class Struck(MongodbCase):
    """
    Errors that a server of its own does not give on demand: a proxy before FerretDB answers in its place, or changes
    its answer.
    """

    def run_struck(self, *strikes, code=0, options=()):
        self.many(4000)
        with BsonProxy(self.server.port) as proxy:
            for how, name, reply in strikes:
                getattr(proxy, how)(name, reply, when=lambda command: not any(str(value).startswith("_transhume")
                                                                              for value in command.values()))
            result = self.run_program("migrate", "source.db", "mongodb://127.0.0.1:%d/%s" % (proxy.port, self.name),
                                      "--chunk-rows", "1000", "--jobs", "1", *options, code=code)
            self.assertEqual(proxy.strikes, [])
            return result

    def test_an_election(self):
        """
        What a server that is no primary any more did not do is sent again; so is what nobody knows of, and it does not
        double.
        """
        self.run_struck(("instead", "insert", {"ok": 0.0, "code": 10107, "codeName": "NotWritablePrimary",
                                               "errmsg": "not primary"}),
                        ("after", "insert", {"ok": 0.0, "code": 91, "codeName": "ShutdownInProgress",
                                             "errmsg": "The server is in quiesce mode and will shut down"}),
                        ("after", "insert", None), ("instead", "insert", None))
        self.assert_things(4000)

    def test_a_write_concern_that_was_not_met(self):
        """The documents are there; that they are kept is not known: they are sent again."""
        self.run_struck(("after", "insert", {"ok": 1.0, "n": 1000,
                                             "writeConcernError": {"code": 64, "codeName": "WriteConcernTimeout",
                                                                   "errmsg": "waiting for replication timed out"}}))
        self.assert_things(4000)

    def test_a_validator_that_refuses(self):
        """
        FerretDB keeps validators and does not enforce them: the answer is made up, so that the document is there all
        the same, in a collection whose documents are not counted.
        """
        self.there.create_collection("things")
        self.run_struck(("after", "update", {"ok": 1.0, "n": 999,
                                             "writeErrors": [{"index": 2, "code": 121,
                                                              "errmsg": "Document failed validation"}]}), code=1)
        reject, = self.rejects()
        self.assertEqual((reject["code"], reject["key"]), ("constraint", {"id": 3}))
        self.assertIn("Document failed validation", json.dumps(reject))

    def test_what_ends_a_run(self):
        result = self.run_struck(("instead", "insert", {"ok": 0.0, "code": 13, "codeName": "Unauthorized",
                                                        "errmsg": "not authorized on shop to execute command"}), code=3)
        self.assertIn("not authorized on shop", result.err)


class Kinds(MongodbCase):
    """Kinds of collections that FerretDB has none of: the proxy makes its answers say so."""

    def run_told(self, facts, *command, code):
        with BsonProxy(self.server.port) as proxy:
            reply = {"ok": 1.0, "cursor": {"id": 0, "ns": self.name + ".$cmd.listCollections", "firstBatch": [facts]}}
            for _ in range(20):
                proxy.after("listCollections", reply)
            return self.run_program(*[word.replace("PORT", str(proxy.port)) for word in command], code=code)

    def test_targets_that_lose_or_double(self):
        """A time series has no unique _id, a capped collection drops its oldest documents: neither takes a run's."""
        self.many(3)
        uri = "mongodb://127.0.0.1:PORT/" + self.name
        for facts, reason in (({"name": "things", "type": "timeseries", "options": {"timeseries": {"timeField": "at"}}},
                               "it is a time series"),
                              ({"name": "things", "type": "collection", "options": {"capped": True, "size": 4096}},
                               "it is a capped collection"),
                              ({"name": "things", "type": "view", "options": {"viewOn": "x", "pipeline": []}},
                               "it is a view")):
            with self.subTest(reason):
                result = self.run_told(facts, "migrate", "--existing", "append", "source.db", uri, code=2)
                self.assertIn(reason, result.err)
        self.assertEqual(set(self.there.list_collection_names()) - OWN, set())

    def test_a_time_series_as_a_source(self):
        """It has no key: a copy of it whole is refused, by its name."""
        self.there.readings.insert_many([{"_id": 1, "v": 1}, {"_id": 2, "v": 2}])
        result = self.run_told({"name": "readings", "type": "timeseries",
                                "options": {"timeseries": {"timeField": "at"}}}, "migrate",
                               "mongodb://127.0.0.1:PORT/" + self.name,
                               self.uri(name=self.server.database()), code=2)
        self.assertIn("readings", result.err)
        self.assertIn("has no key", result.err)


class Doors(MongodbCase):
    """What is not sent in the clear."""

    def test_hosts(self):
        self.many(1)
        for host, options in (("127.0.0.1.example.org", ""), ("10.0.0.1", ""), ("127.0.0.1,127.0.0.2", ""),
                              ("127.0.0.1", "?replicaSet=rs0")):
            with self.subTest(host=host, options=options):
                result = self.run_program("migrate", "source.db", "mongodb://%s/x%s" % (host, options), code=2)
                self.assertIn("without TLS only connections to this machine are made", result.err)


class Spans(MongodbCase):
    def test_ids_of_all_types_tile(self):
        """Chunks are ranges of _id; those of several types, NaN among them, are each read once."""
        from bson import Binary, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp
        ids = [MinKey(), None, float("nan"), float("-inf"), -1.5, 0, Int64(2 ** 60), Decimal128("2.5"), 7, 8, 9, "",
               "a", "b", "c", {"a": 1}, {"a": "x"}, {"b": 0}, Binary(b"", 0), Binary(b"zz", 0),
               Binary(b"aa", 5), ObjectId("507f1f77bcf86cd799439011"), ObjectId("507f1f77bcf86cd799439012"), False,
               True, datetime.datetime(1969, 1, 1), datetime.datetime(2024, 1, 1), Timestamp(1, 1),
               Timestamp(2, 1), MaxKey()]
        self.there.mixed.insert_many([{"_id": each, "n": n} for n, each in enumerate(ids)])
        others = [MinKey(), Decimal128("NaN"), 1, 2, MaxKey()]
        self.there.others.insert_many([{"_id": each, "n": n} for n, each in enumerate(others)])
        for rows in (1, 2, 3, 7):
            with self.subTest(rows=rows):
                out = "out-%d" % rows
                state = "state-%d" % rows
                self.run_program("migrate", self.uri(), "jsonl:" + out, "--chunk-rows", str(rows), "--state", state,
                                 "--quiet", code=1)
                self.assertEqual(sorted(line["n"] for line in self.lines("others", out)), list(range(len(others))))
                found = [line for name in os.listdir(self.path(out, "mixed"))
                         for line in support.read_lines(self.path(out, "mixed", name))]
                rejected = [json.loads(line) for name in os.listdir(self.path(state, "rejects"))
                            for line in support.read_lines(self.path(state, "rejects", name))]
                self.assertEqual([reject["code"] for reject in rejected], ["key-null"])   # of files null is no key
                numbers = [int(line.rpartition('"n":')[2].rstrip("}\n")) for line in found] + [reject["record"]["n"]
                    for reject in rejected]
                self.assertEqual(sorted(numbers), list(range(len(ids))))

    def test_killed_and_resumed(self):
        self.there.n.insert_many([{"_id": i, "v": i * 3} for i in range(20000)])
        options = ["--chunk-rows", "700", "--quiet"]
        support.kill_after(0.3, "migrate", self.uri(), "back.db", *options, cwd=self.folder)
        result = support.transhume("resume", "--quiet", cwd=self.folder)
        if result.code == 2:
            result = support.transhume("migrate", self.uri(), "back.db", *options, cwd=self.folder)
        self.assertIn(result.code, (0, 1), result.err)
        with sqlite3.connect(self.path("back.db")) as back:
            self.assertEqual(back.execute("SELECT count(*), sum(v), count(DISTINCT _id) FROM n").fetchone(),
                             (20000, 3 * sum(range(20000)), 20000))
