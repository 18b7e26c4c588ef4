"""
MongoDB as a replica set: what a scripted set before FerretDB (tests/servers/replica_set.py) can show of elections,
retried writes and reads as of a time. What is kept is read by pymongo.
"""
import json
import os

import support

from replica_set import ReplicaSet
from test_mongodb import MongodbCase


def of_records(command):
    return not any(str(value).startswith("_transhume") for value in command.values())


class SetCase(MongodbCase):
    def setUp(self):
        super().setUp()
        self.members = ReplicaSet(self.server.port)
        self.addCleanup(self.members.__exit__)

    def set_uri(self, name=None, options=""):
        return self.members.uri(name or self.name, options)

    def tearDown(self):
        self.assertEqual((self.members.faults, self.members.strikes), ([], []))
        super().tearDown()


class Writes(SetCase):
    def migrate(self, *strikes, rows=4000, code=0, options=()):
        self.many(rows)
        for name, strike in strikes:
            self.members.when(name, strike, of_records)
        return self.run_program("migrate", "source.db", self.set_uri(), "--chunk-rows", "1000", "--jobs", "1", *options,
                                code=code)

    def test_an_election_between_two_requests(self):
        """
        The first member is no primary any more: the other one gets what it refused, at once and under the same number.
        """
        self.migrate(("insert", ReplicaSet.election))
        self.assertEqual(self.members.primary, 1)
        self.assert_things(4000)
        self.run_program("validate", "--level", "full", "--quiet")

    def test_an_answer_that_was_lost(self):
        """The write goes again under its number; the set knows it, and does not do it twice."""
        self.migrate(("insert", ReplicaSet.lost), ("insert", ReplicaSet.lost))
        self.assertGreaterEqual(self.members.repeats, 1)
        self.assert_things(4000)

    def test_errors_that_pass(self):
        """By their codes, or by the label that a server gives them."""
        errors = [{"ok": 0.0, "code": code, "errmsg": "passing"} for code in (91, 189, 24, 11601)]
        labelled = {"ok": 0.0, "code": 64, "errmsg": "labelled", "errorLabels": ["RetryableWriteError"]}
        self.migrate(*[("insert", ReplicaSet.reply(error)) for error in (*errors, labelled)])
        self.assert_things(4000)

    def test_a_write_concern_that_was_not_met(self):
        trouble = {"code": 64, "codeName": "WriteConcernTimeout", "errmsg": "waiting for replication timed out"}
        self.migrate(("insert", ReplicaSet.changed(writeConcernError=trouble)))
        self.assert_things(4000)

    def test_a_write_concern_that_was_not_met_for_a_collection(self):
        """It is there, on one server: the run does not go on as if most had it, but says so and makes it again."""
        trouble = {"code": 64, "codeName": "WriteConcernTimeout", "errmsg": "waiting for replication timed out"}
        result = self.migrate(("create", ReplicaSet.changed(writeConcernError=trouble)), rows=10)
        self.assertIn("not acknowledged by as many servers", result.err)
        self.assert_things(10)

    def test_validators(self):
        """
        Made on demand from the types of the key and of what has an index; all documents of the run satisfy them, and
        one of another type does not. FerretDB takes them, and keeps none.
        """
        support.make_sqlite(self.path("source.db"),
                            """CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, score REAL, raw BLOB) STRICT;
INSERT INTO t VALUES (1, 'one', 1.5, x'00'), (2, 'two', NULL, NULL)""")
        plan = ('transhume: 1\nsource: source.db\ntarget: "%s"\ntables:\n  t: { key: [id], from: t, nulls: keep, '
                'indexes: { by_name: { columns: [name, score] } } }\n')
        for action in ("warn", "none", "error"):
            self.name = self.server.database()
            self.write("plan.yaml", plan % self.set_uri(options="&validator=" + action))
            self.run_program("migrate", "--plan", "plan.yaml", "--state", action, "--quiet")
        made = [command for command in self.members.made if command["create"] == "t"]
        self.assertEqual([command.get("validationAction") for command in made], ["warn", None, "error"])
        self.assertNotIn("validator", made[1])
        self.assertEqual(made[2]["validator"], {"$jsonSchema": {"bsonType": "object", "required": ["id"],
                                                                "properties": {
                                                                    "id": {"bsonType": ["int", "long"]},
                                                                    "name": {"bsonType": ["string"]},
                                                                    "score": {"bsonType": ["double", "null"]}}}})
        self.assertEqual(self.there.t.count_documents(made[2]["validator"]), 2)
        self.there.t.insert_one({"_id": 3, "id": "three"})
        self.assertEqual(self.there.t.count_documents(made[2]["validator"]), 2)

    def test_a_secondary(self):
        """Reached alone it takes no writes: that is said before anything else, with the primary's name."""
        self.many(10)
        result = self.run_program("migrate", "source.db", "mongodb://127.0.0.1:%d/%s" % (self.members.members[1].port,
            self.name), code=2)
        self.assertIn("secondary of the replica set rs0", result.err)
        self.assertIn(self.members.members[0].address, result.err)

    def test_one_set_by_any_of_its_names(self):
        """Source and target are the same database, whichever member a URI begins with."""
        self.there.t.insert_one({"_id": 1})
        both = [member.address for member in self.members.members]
        uri = "mongodb://%s/%s?replicaSet=rs0&plaintext=yes"
        result = self.run_program("migrate", uri % (both[0], self.name), uri % (both[1], self.name), code=2)
        self.assertIn("same-database", result.err)


class Reads(SetCase):
    def fill(self, rows=3000):
        self.there.things.insert_many([{"_id": i, "v": i} for i in range(rows)])

    def assert_lines(self, rows):
        """Each document once."""
        lines = [json.loads(line) for name in os.listdir(self.path("out", "things"))
                 for line in support.read_lines(self.path("out", "things", name))]
        self.assertEqual(sorted(line["_id"] for line in lines), list(range(rows)))

    def test_all_readers_see_one_time(self):
        self.fill()
        self.run_program("migrate", self.set_uri(), "jsonl:out", "--chunk-rows", "300", "--jobs", "3", "--quiet")
        self.assertGreaterEqual(len(self.members.times), 10)
        self.assertEqual(len(set(self.members.times)), 1)
        self.assert_lines(3000)
        with open(self.path(".transhume", "state.json"), encoding="utf-8") as file:
            self.assertFalse(json.load(file)["mixed_snapshot"])

    def test_from_set_to_server_byte_for_byte(self):
        """The express lane reads as of the same time."""
        self.fill()
        other = self.server.database()
        self.run_program("migrate", self.set_uri(), self.uri(name=other), "--chunk-rows", "300", "--quiet")
        self.assertEqual(len(set(self.members.times)), 1)
        self.assertEqual(self.documents("things", other), self.documents("things"))

    def test_a_time_that_is_too_old(self):
        """
        A chunk whose time the set knows no more is read as of a new one, and the run says that its snapshot is mixed.
        """
        self.fill()
        self.members.when("find", ReplicaSet.too_old, lambda command: command["find"] == "things" and command["filter"]
                          and len(self.members.times) > 4)
        result = self.run_program("migrate", self.set_uri(), "jsonl:out", "--chunk-rows", "300", "--jobs", "2", code=1)
        self.assertIn("mixed", result.out + result.err)
        self.assertEqual(len(set(self.members.times)), 2)
        self.assert_lines(3000)

    def test_a_time_that_is_too_old_amid_a_chunk(self):
        self.fill()
        self.members.when("getMore", ReplicaSet.too_old, lambda command: len(self.members.times) > 1)
        self.run_program("migrate", self.set_uri(options="&page=100"), "jsonl:out", "--chunk-rows", "1000", "--quiet",
                         code=1)
        self.assertEqual(len(set(self.members.times)), 2)
        self.assert_lines(3000)

