"""
`.mongo.json` through `schema up`, on FerretDB: no command is in a transaction, and the lock is a lease. pymongo reads
what stands.
"""
import json
import os
import signal
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import ferretdb
import support
from test_schema_settle import POINTS, Case

COMMANDS = [{"create": "t"}, {"createIndexes": "t", "indexes": [{"key": {"v": 1}, "name": "by_v", "unique": True}]},
            {"insert": "t", "documents": [{"_id": 1, "v": 1}]},
            {"update": "t", "updates": [{"q": {"_id": 1}, "u": {"$set": {"v": 5}}}]},
            {"renameCollection": "t", "to": "u"}, {"create": "w"}, {"drop": "w"},
            {"dropIndexes": "u", "index": "by_v"}]


class OnMongodb(Case, support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ferretdb.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.new_database()

    def new_database(self):
        self.name = self.server.database()
        self.uri = self.server.uri(self.name)

    @property
    def there(self):
        return self.server.client()[self.name]

    def collections(self):
        return {name for name in self.there.list_collection_names() if not name.startswith("_transhume")}

    def put_commands(self, name, *commands):
        self.put(json.dumps(list(commands) if len(commands) > 1 else commands[0], indent=1), name)

    def up(self, code=0, **environment):
        return self.run_program("schema", "up", self.uri, code=code, env=environment)

    def test_up_and_down(self):
        self.put_commands("001_users.up.mongo.json", {"create": "users"},
                          {"createIndexes": "users", "indexes": [{"key": {"name": 1}, "name": "by_name"}]})
        self.put_commands("001_users.down.mongo.json", {"drop": "users"})
        self.put_commands("002_rows.up.mongo.json", {"insert": "users",
                                                     "documents": [{"_id": 1, "name": "a;b"},
                                                                   {"_id": 2,
                                                                    "at": {"$date": "2026-01-31T00:00:00Z"}}]})
        self.put_commands("002_rows.down.mongo.json", {"delete": "users", "deletes": [{"q": {}, "limit": 0}]})
        self.assertIn("2 migrations applied", self.up().out)
        self.assertEqual([document["_id"] for document in self.there.users.find()], [1, 2])
        self.assertEqual(self.there.users.find_one({"_id": 2})["at"].year, 2026)
        self.assertIn("by_name", self.there.users.index_information())
        self.assertEqual(self.up().out, "nothing to do\n")
        self.run_program("schema", "down", self.uri, "--confirm")
        self.assertEqual(self.there.users.count_documents({}), 0)
        self.run_program("schema", "down", self.uri, "--confirm")
        self.assertEqual(self.collections(), set())
        self.assertIn("2 migrations applied", self.up().out)

    def test_a_way_back_whose_file_is_gone(self):
        """The history has kept it, in the database's own language."""
        self.put_commands("001_users.up.mongo.json", {"create": "users"})
        self.put_commands("001_users.down.mongo.json", {"drop": "users"})
        self.up()
        for way in ("up", "down"):
            os.remove(self.path("migrations/001_users.%s.mongo.json" % way))
        self.put_commands("002_more.mongo.json", {"create": "more"})
        self.run_program("schema", "down", self.uri, "--confirm")
        self.assertEqual(self.collections(), set())

    def test_dry_run(self):
        """Costs are those of MongoDB's rules, and what is shown is no SQL."""
        self.put_commands("001_x.mongo.json", {"create": "t"}, {"drop": "t"})
        self.put_commands("002_y.mongo.json", {"update": "t", "updates": [{"q": {}, "u": {"$set": {"a": 1}},
                                                                           "multi": True}]})
        shown = self.run_program("schema", "up", self.uri, "--dry-run").out
        self.assertIn('"create": "t"', shown)
        self.assertNotIn(";", shown)
        told = json.loads(self.run_program("schema", "up", self.uri, "--dry-run", "--json").out)
        self.assertEqual([len(act["statements"]) for act in told["would"]], [2, 1])
        self.assertEqual(self.collections(), set())

    def test_golang_migrate(self):
        """Its collection, and the names of its files."""
        for number in (1, 2, 10):
            self.put_commands("%d_c.up.json" % number, {"create": "c%d" % number})
            self.put_commands("%d_c.down.json" % number, {"drop": "c%d" % number})
        self.there.create_collection("c1")
        self.there.create_collection("c2")
        self.assertIn("no table of another tool", self.run_program("schema", "import", self.uri, code=2).err)
        self.there.schema_migrations.insert_one({"version": 2, "dirty": True})
        self.assertIn("began it and did not end it", self.run_program("schema", "import", self.uri, code=5).err)
        self.there.schema_migrations.update_one({}, {"$set": {"dirty": False}})
        self.there.migrate_advisory_lock.insert_one({"locking_key": 0, "pid": 1, "hostname": "builder"})
        self.assertIn("holds its lock: builder", self.run_program("schema", "import", self.uri, code=5).err)
        self.there.migrate_advisory_lock.delete_many({})
        told = json.loads(self.run_program("schema", "import", self.uri, "--json").out)
        self.assertEqual((told["tool"], {row["version"]: row["state"] for row in told["migrations"]}),
                         ("golang-migrate", {"1": "applied", "2": "applied", "10": "pending"}))
        self.assertIn("1 migration applied", self.up().out)
        self.run_program("schema", "down", "3", self.uri, "--confirm")
        self.assertEqual(self.collections(), {"schema_migrations", "migrate_advisory_lock"})

    def test_what_is_compared_in_SQL_alone(self):
        self.put_commands("001_a.mongo.json", {"create": "a"})
        for words in (("diff", "", self.uri), ("drift", self.uri), ("dump", self.uri)):
            refused = self.run_program("schema", *words, code=2)
            self.assertIn("MongoDB", refused.err)
            self.assertEqual(refused.err.count("error"), 1)

    def test_what_the_server_refuses(self):
        """The commands ahead of it stand, and it may be put right."""
        self.put_commands("001_x.mongo.json", {"create": "t"}, {"insert": "t", "documents": [{"_id": 1}]},
                          {"insert": "t", "documents": [{"_id": 1}]}, {"create": "u"})
        failed = self.up(code=3)
        self.assertRegex(failed.err, r"001_x\.mongo\.json:\d+:\d+: .*[Dd]uplicate key")
        self.assertEqual(self.collections(), {"t"})
        self.put_commands("001_x.mongo.json", {"create": "t"}, {"insert": "t", "documents": [{"_id": 1}]},
                          {"insert": "t", "documents": [{"_id": 2}]}, {"create": "u"})
        self.up()
        self.assertEqual((self.collections(), self.there.t.count_documents({})), ({"t", "u"}, 2))
        self.put("CREATE TABLE x (id int);\n", "002_x.cql")
        self.assertIn(".cql", self.up(code=2).err)
        os.remove(self.path("migrations/002_x.cql"))
        self.put('{"create": nobody}', "002_x.mongo.json")
        self.assertRegex(self.up(code=3).err, r"002_x\.mongo\.json:1:\d+: it is no JSON")

    def test_kills(self):
        for point in POINTS:
            for occurrence in (1, 4, 7) if point in POINTS[:3] else (1,):
                with self.subTest(point=point, occurrence=occurrence):
                    self.new_database()
                    self.put_commands("001_x.mongo.json", *[command for command in COMMANDS if "insert" not in command])
                    came, _ = self.killed_and_resumed(point, occurrence)
                    self.assertTrue(came)
                    self.assertEqual((self.collections(), set(self.there.u.index_information())), ({"u"}, {"_id_"}))

    def test_what_cannot_be_told(self):
        """An insert may not be repeated: a person says what became of it."""
        self.put_commands("001_x.mongo.json", *COMMANDS[:4])
        self.up(code=-signal.SIGKILL, TRANSHUME_FAILPOINT="evolve.after_statement:kill:3")
        refused = self.up(code=5)
        self.assertIn("--resume-from 4", refused.err)
        self.run_program("schema", "repair", "001", self.uri, "--resume-from", "4")
        self.up()
        self.assertEqual(list(self.there.t.find()), [{"_id": 1, "v": 5}])

    def test_what_may_be_repeated(self):
        """What would find other documents the second time is asked; what finds the same ones is sent again."""
        for command, repeats in (({"delete": "t", "deletes": [{"q": {"v": 1}, "limit": 1}]}, False),
                                 ({"delete": "t", "deletes": [{"q": {"v": 1}, "limit": 0}]}, True),
                                 ({"update": "t", "updates": [{"q": {"v": 1}, "u": {"$set": {"v": 2}}}]}, False),
                                 ({"update": "t", "updates": [{"q": {"v": 1}, "u": {"$set": {"v": 2}}, "multi": True}]},
                                  True),
                                 ({"update": "t", "updates": [{"q": {"v": one}, "u": {"$set": {"v": one + 1}},
                                                               "multi": True} for one in (2, 1)]}, False),
                                 ({"aggregate": "t", "pipeline": [{"$project": {"v": {"$add": ["$v", 1]}}},
                                                                  {"$merge": {"into": "t"}}], "cursor": {}}, False)):
            with self.subTest(command=command):
                self.new_database()
                self.there.t.insert_many([{"_id": i, "v": 1} for i in range(3)])
                self.put_commands("001_x.mongo.json", command)
                self.up(code=-signal.SIGKILL, TRANSHUME_FAILPOINT="evolve.after_statement:kill:1")
                stands = list(self.there.t.find())
                self.up(code=0 if repeats else 5)
                self.assertEqual(list(self.there.t.find()), stands)

    def test_checks(self):
        self.put_commands("001_t.mongo.json", {"insert": "t", "documents": [{"_id": i, "v": i % 3} for i in range(9)]})
        self.put_commands("002_x.mongo.json", {"delete": "t", "deletes": [{"q": {"v": 0}, "limit": 0}]})
        zeros, whole = 'query {"count": "t", "query": {"v": 0}}', 'query {"count": "t", "query": {"_id": {"$gte": 0}}}'
        total = 'query {"aggregate": "t", "pipeline": [{"$group": {"_id": null, "all": {"$sum": "$v"}}}], "cursor": {}}'
        self.put("before:\n  - '%s => 4'\n" % zeros, "002_x.checks.yaml")
        refused = self.up(code=5)
        self.assertIn("expected: 4", refused.err)
        for command in ('{"delete": "t", "deletes": [{"q": {}, "limit": 0}]}',
                        '{"aggregate": "t", "pipeline": [{"$match": {}}, {"$out": "u"}], "cursor": {}}'):
            self.put("before:\n  - 'query %s => 9'\n" % command, "002_x.checks.yaml")
            self.assertIn("is no question", self.up(code=3).err)
        self.assertEqual(self.there.t.count_documents({}), 9)
        self.put("before:\n  - '%s => 3'\nafter:\n  - '%s => 6'\n  - '%s => unchanged'\n" % (zeros, whole, total),
                 "002_x.checks.yaml")
        self.up()
        self.assertEqual(self.there.t.count_documents({}), 6)

    def test_two_at_once(self):
        """One works, and the other one waits and finds nothing to do."""
        self.put_commands("001_x.mongo.json", *COMMANDS)
        first = self.stopped_at("evolve.before_statement:stop:2", "schema", "up", self.uri)
        self.assertIn("pid %d" % first.pid, self.run_program("schema", "up", self.uri, "--lock-wait", "0", code=5).err)
        second = support.start("schema", "up", self.uri, cwd=self.folder)
        self.addCleanup(self.end, second)
        first.send_signal(signal.SIGCONT)
        self.assertEqual((first.wait(60), second.wait(60)), (0, 0))
        self.assertEqual((self.collections(), self.there.u.count_documents({})), ({"u"}, 1))

    def test_status_baseline_repair(self):
        self.put_commands("001_a.mongo.json", {"create": "a"})
        self.put_commands("002_b.mongo.json", {"create": "b"})
        self.run_program("schema", "baseline", "001", self.uri)
        self.assertIn("1 migration applied", self.up().out)
        self.assertEqual(self.collections(), {"b"})
        self.put_commands("002_b.mongo.json", {"create": "bb"})
        self.up(code=5)
        self.run_program("schema", "repair", "002", self.uri, "--accept-checksum")
        self.assertEqual(self.up().out, "nothing to do\n")
        self.run_program("schema", "repair", "002", self.uri, "--mark-reverted")
        states = lambda: {row["version"]: row["state"] for row in json.loads(self.run_program("schema", "status",
            self.uri, "--json").out)["migrations"]}
        self.assertEqual(states()["002"], "pending")
        self.up()
        self.assertEqual((states()["002"], self.collections()), ("applied", {"b", "bb"}))


if __name__ == "__main__":
    unittest.main()
