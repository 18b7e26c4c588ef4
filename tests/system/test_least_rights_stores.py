"""Whole migrations by accounts that have just the role or the policy that `check --rights-for` prints: Elasticsearch,
which keeps to roles itself; MongoDB's
protocol behind a guard that does, as the server that can be had here knows no roles of one's own; and buckets of a
store that keeps to policies."""
import json
import os
import re
import sqlite3
import struct
import subprocess
import unittest

import ferretdb
import opensearch_server
import servers
import support

from bson_proxy import HEAD, BsonProxy

SHOP = """CREATE TABLE customers (id INTEGER PRIMARY KEY, u INTEGER); CREATE TABLE orders (id INTEGER PRIMARY KEY, pid INTEGER REFERENCES customers);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO customers SELECT i, 0 FROM n; INSERT INTO orders SELECT id, id FROM customers;"""


class StoreCase(support.TestCase):
    """What holds for each: `wide` are the administrator's URIs, `narrow` those of the account."""

    def shop(self, name="shop.db"):
        if not os.path.exists(self.path(name)):
            support.make_sqlite(self.path(name), SHOP)
        return "sqlite:" + self.path(name)

    def rights(self, side, *arguments):
        """What an account needs on that side, as check says it to the administrator."""
        said = json.loads(self.run_program("check", "--json", "--rights-for", "mover",
                                           *arguments).out)["rights_for"][side]
        self.assertTrue(said)
        return [statement["text"] for statement in said]

    def execute(self, script):
        with sqlite3.connect(self.path("shop.db")) as db:
            db.executescript(script)
        db.close()


class Documents:
    """Migrations that are alike for both: `allow` gives an account what is printed, and `count` counts."""

    def test_without_them_nothing_is_done(self):
        self.assertIn(support.transhume("migrate", self.shop(), self.narrow(), cwd=self.folder).code, (2, 3))
        self.assertEqual(self.tables(), set())

    def test_a_copy_is_made_and_taken_back(self):
        self.allow("target", self.shop(), self.wide())
        self.run_program("check", self.shop(), self.narrow())
        self.run_program("migrate", self.shop(), self.narrow())
        self.run_program("validate", "--level", "hash", self.shop(), self.narrow())
        self.assertEqual(self.count("orders"), 50)
        self.run_program("rollback", "--run", self.run_id(), "--confirm", self.narrow())
        self.assertEqual(self.tables(), set())

    def test_a_copy_that_was_stopped_is_resumed_and_finished(self):
        self.allow("target", self.shop(), self.wide())
        process = self.stopped_at("engine.chunk_started:stop:2", "migrate", self.shop(), self.narrow(), may_end=True)
        self.end(process)
        self.run_program("resume", self.shop(), self.narrow())
        self.run_program("validate", "--level", "full", self.shop(), self.narrow())
        self.run_program("finish", "--confirm", self.narrow())
        self.assertEqual(self.count("customers"), 50)

    def test_records_that_are_there_are_overwritten_and_put_back(self):
        self.run_program("migrate", "--state", "first", self.shop(), self.wide())
        self.run_program("finish", "--state", "first", "--confirm", self.wide())
        self.execute("UPDATE customers SET u = 7 WHERE id < 9; INSERT INTO customers VALUES (51, 1)")
        self.allow("target", "--existing", self.EXISTING, "sqlite:shop.db", self.wide())
        self.run_program("migrate", "--existing", self.EXISTING, "sqlite:shop.db", self.narrow())
        self.assertEqual(self.count("customers"), 51)
        self.run_program("validate", "--level", "hash", self.shop(), self.narrow())
        self.run_program("rollback", "--run", self.run_id(), "--confirm", self.narrow())
        self.assertEqual(self.count("customers"), 50)

    def test_differences_are_repaired(self):
        self.run_program("migrate", self.shop(), self.wide())
        self.run_program("finish", "--confirm", self.wide())
        self.execute("UPDATE customers SET u = 7 WHERE id < 9; DELETE FROM orders WHERE id = 4")
        self.allow("target", "--existing", self.EXISTING, "sqlite:shop.db", self.wide())
        self.run_program("validate", "--level", "full", "--repair", "--delete-extra", "--confirm", "--state", "second",
                         "sqlite:shop.db", self.narrow())
        self.assertEqual(self.count("orders"), 49)

    def test_changes_are_followed(self):
        self.allow("target", "--follow", self.shop(), self.wide())
        self.run_program("migrate", "--follow", "--catch-up", "sqlite:shop.db", self.narrow())
        self.execute("INSERT INTO customers VALUES (51, 7); UPDATE customers SET u = 9 WHERE id = 3; "
                     "DELETE FROM orders WHERE id = 4; ALTER TABLE customers ADD COLUMN note TEXT")
        self.execute("UPDATE customers SET note = 'x' WHERE id = 5")
        self.run_program("follow", "--catch-up", self.shop(), self.narrow())
        self.assertEqual((self.count("customers"), self.count("orders")), (51, 49))
        self.run_program("validate", "--level", "hash", self.shop(), self.narrow())
        self.run_program("cutover", "--confirm", "--max-lag", "1m", self.shop(), self.narrow())
        self.run_program("finish", "--confirm", self.shop(), self.narrow())

    def test_a_copy_is_read(self):
        self.run_program("migrate", "--state", "first", self.shop(), self.wide())
        self.run_program("finish", "--state", "first", "--confirm", self.wide())
        self.allow("source", self.wide(), "jsonl:out")
        self.run_program("check", self.narrow(), "jsonl:out")
        self.run_program("migrate", self.narrow(), "jsonl:out")
        self.run_program("validate", "--level", "hash", self.narrow(), "jsonl:out")
        self.assertEqual(sum(len(support.read_lines(self.path("out", "orders", name)))
                             for name in os.listdir(self.path("out", "orders"))), 50)


class Elasticsearch(Documents, StoreCase):
    EXISTING = "replace"   # upsert is refused, since SQLite's columns may hold values of several kinds

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = opensearch_server.SecuredElasticsearch()
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        super().setUp()
        self.prefix = self.server.database()
        self.account = "mover-" + self.prefix
        self.roles = {}
        self.addCleanup(self.server.drop_databases)
        self.make_user()

    def make_user(self):
        self.server.set_user(self.account, "secret-of-it", self.roles)

    def uri(self, login, prefix=None, options=""):
        return "elasticsearch://%s@127.0.0.1:%d/%s%s" % (login, self.server.port, prefix or self.prefix, options)

    def wide(self, **more):
        return self.uri(self.server.LOGIN, **more)

    def narrow(self, **more):
        return self.uri(self.account + ":secret-of-it", **more)

    def put_role(self, name, body):
        self.roles[name] = body
        self.make_user()

    def allow(self, side, *arguments):
        (text,) = self.rights(side, *arguments)
        head, body = text.split("\n", 1)
        self.assertEqual(head, "PUT /_security/role/mover_" + side)
        self.put_role("%s_%s" % (self.account, side), json.loads(body))

    def count(self, table):
        self.server.ask("POST", "/%s%s/_refresh" % (self.prefix, table))
        return self.server.ask("GET", "/%s%s/_count" % (self.prefix, table))["count"]

    def tables(self):
        return {name for name in self.server.indexes(self.prefix) if "transhume" not in name}

    def test_between_two_of_one_server(self):
        other = self.server.database()
        self.run_program("migrate", "--state", "first", self.shop(), self.wide())
        for side in ("source", "target"):
            self.allow(side, self.wide(), self.wide(prefix=other))
        self.run_program("migrate", self.narrow(), self.narrow(prefix=other))
        self.run_program("validate", "--level", "hash", self.narrow(), self.narrow(prefix=other))
        self.assertEqual(self.server.ask("GET", "/%sorders/_count" % other)["count"], 50)

    def test_an_alias_is_switched_and_switched_back(self):
        options = "?alias=%snow-{table}" % self.prefix
        for version in ("v1-", "v2-"):
            self.allow("target", self.shop(version + "shop.db"),
                       self.wide(prefix=self.prefix + version, options=options))
            self.run_program("migrate", "--state", version, "sqlite:%sshop.db" % version,
                             self.narrow(prefix=self.prefix + version, options=options))
            self.assertEqual(list(self.server.ask("GET", "/%snow-orders" % self.prefix)),
                             [self.prefix + version + "orders"])
        self.run_program("rollback", "--state", "v2-", "--run", self.run_id("v2-"), "--confirm",
                         self.narrow(prefix=self.prefix + "v2-", options=options))
        self.assertEqual(list(self.server.ask("GET", "/%snow-orders" % self.prefix)), [self.prefix + "v1-orders"])

    # --- what the docs say

    def documented(self):
        """{who: (of the cluster, of the indexes)}"""
        with open(os.path.join(support.ROOT, "docs", "opensearch.md"), encoding="utf-8") as file:
            section = file.read().split("\n## Permissions\n", 1)[1].split("\n## ", 1)[0]
        return {who.strip(): [re.findall("`([^`]+)`", cell) for cell in (cluster, indexes)]
                for who, cluster, indexes in re.findall(r"^\| ([^|]+) \| ([^|]*) \| ([^|]*) \|$", section, re.M)}

    def test_the_docs_say_the_same(self):
        said = self.documented()
        self.run_program("migrate", "--state", "first", self.shop(), self.wide())
        other = self.wide(prefix=self.server.database())
        for side, arguments, more in (("source", (self.wide(), "jsonl:out"), ()), ("target", (self.shop(), other), ()),
                                      ("target", ("--follow", self.shop(), other), ("target that follows",))):
            role = json.loads(self.rights(side, *arguments)[0].split("\n", 1)[1])
            self.assertEqual(set(role["cluster"]), set(said[side][0]))
            (group,) = role["indices"]
            self.assertEqual(set(group["privileges"]), set(said[side][1]).union(*(said[who][1] for who in more)))

    def test_a_schema_is_migrated_and_changed(self):
        """With what the docs say."""
        said = self.documented()
        cluster, indexes = ([name for who in ("target", "schema, change") for name in said[who][place]]
                            for place in (0, 1))
        self.put_role(self.account + "_schema", {"cluster": cluster,
                                                 "indices": [{"names": [self.prefix + "*"], "privileges": indexes}]})
        os.makedirs(self.path("migrations"))
        self.write("migrations/001_things.up.http",
                   'PUT /${prefix}things\n\n{"mappings": {"properties": {"name": {"type": "keyword"}}}}\n\n'
                                                    'PUT /${prefix}things/_doc/1?refresh=true\n\n{"name": "x"}\n')
        self.write("migrations/001_things.down.http", "DELETE /${prefix}things\n")
        self.run_program("schema", "up", self.narrow())
        self.run_program("schema", "status", self.narrow())
        self.assertEqual(self.count("things"), 1)
        self.write("migrations/002_w.change.yaml",
                   "operations:\n  - add_column: { table: things, column: { name: w, type: long } }\n")
        file = self.path("migrations", "002_w.change.yaml")
        self.run_program("change", "check", file, self.narrow())
        self.run_program("change", "run", file, self.narrow(), "--confirm")
        self.assertIn("w", self.server.ask("GET", "/%sthings" % self.prefix)[self.prefix
                                                                             + "things"]["mappings"]["properties"])


class OpenSearch(StoreCase):
    """Whose security cannot be had here: what is printed has its form, and says what Elasticsearch's role says."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = opensearch_server.shared_for_class(cls)

    def test_the_role_and_its_mapping(self):
        prefix = self.server.database()
        self.run_program("migrate", "--state", "first", self.shop(), self.server.uri(prefix))
        for side, arguments, indexes in (("source", (self.server.uri(prefix), "jsonl:out"), {"customers", "orders"}),
                                         ("target", (self.shop(), self.server.uri(prefix + "new-")),
                                          {"new-customers", "new-orders", "new-transhume-ledger"})):
            role, mapping = (text.split("\n", 1) for text in self.rights(side, *arguments))
            self.assertEqual((role[0], mapping[0]), ("PUT /_plugins/_security/api/roles/mover_" + side,
                                                     "PUT /_plugins/_security/api/rolesmapping/mover_" + side))
            self.assertEqual(json.loads(mapping[1]), {"users": ["mover"]})
            said = json.loads(role[1])
            self.assertEqual(set(said), {"cluster_permissions", "index_permissions"})
            (group,) = said["index_permissions"]
            self.assertEqual(set(group["index_patterns"]), {prefix + name for name in indexes})
            self.assertEqual("indices:data/write/*" in group["allowed_actions"], side == "target")
            self.assertEqual("indices:data/write/bulk" in said["cluster_permissions"], side == "target")
            self.assertIn("indices:data/read/scroll*", said["cluster_permissions"])

    def test_an_odd_account(self):
        (head, _), _ = (text.split("\n", 1) for text in self.odd())
        self.assertEqual(head, "PUT /_plugins/_security/api/roles/a%2Fb%20%22c_target")

    def odd(self):
        said = json.loads(self.run_program("check", "--json", "--rights-for", 'a/b "c', self.shop(),
                                           self.server.uri(self.server.database())).out)["rights_for"]["target"]
        self.assertEqual(json.loads(said[1]["text"].split("\n", 1)[1]), {"users": ['a/b "c']})
        return [statement["text"] for statement in said]


# What MongoDB asks of whom for a command (https://www.mongodb.com/docs/manual/reference/privilege-actions/), and what
# everybody may.
ASKED = {"find": "find", "aggregate": "find", "count": "find", "distinct": "find", "insert": "insert",
         "update": "update", "delete": "remove", "create": "createCollection",
         "drop": "dropCollection", "createIndexes": "createIndex", "dropIndexes": "dropIndex",
         "listIndexes": "listIndexes", "listCollections": "listCollections",
         "collStats": "collStats", "collMod": "collMod", "renameCollection": "renameCollectionSameDB"}
FREE = {"hello", "isMaster", "ismaster", "buildInfo", "buildinfo", "ping", "getMore", "killCursors", "endSessions"}
# The server's own roles (https://www.mongodb.com/docs/manual/reference/built-in-roles/), as far as they matter here.
BUILT_IN = {"read": {"find", "listCollections", "listIndexes", "collStats", "dbStats"}}
BUILT_IN["readWrite"] = BUILT_IN["read"] | {"insert", "update", "remove", "createCollection", "dropCollection",
                                            "createIndex", "dropIndex", "renameCollectionSameDB"}
BUILT_IN["dbAdmin"] = {"collMod", "collStats", "createCollection", "createIndex", "dropCollection", "dropIndex",
                       "listCollections", "listIndexes", "renameCollectionSameDB"}


class MongodbGuard(BsonProxy):
    """Refuses what the privileges do not allow."""

    def __init__(self, port):
        self.privileges, self.refused = [], []
        super().__init__(port)

    def documents(self, message):
        """The command, and what comes beside it: [(name, [document])]."""
        at, found = HEAD.size + 4, []
        while at < len(message):
            if message[at:at + 1] == b"\0":
                length, = struct.unpack_from("<i", message, at + 1)
                found.append((None, [self.bson.decode(message[at + 1:at + 1 + length])]))
                at += 1 + length
            else:
                length, = struct.unpack_from("<i", message, at + 1)
                end = message.index(b"\0", at + 5)
                found.append((message[at + 5:end].decode(), self.bson.decode_all(message[end + 1:at + 1 + length])))
                at += 1 + length
        return found

    def needs(self, command, beside):
        """[(action, database, collection)]"""
        name = next(iter(command))
        if name in FREE:
            return []
        action, database, collection = ASKED.get(name, name), command["$db"], command[name] if isinstance(command[name],
            str) else ""
        if name == "renameCollection":
            database, _, collection = collection.partition(".")
        upserts = name == "update" and any(update.get("upsert")
                                           for update in command.get("updates", beside.get("updates", [])))
        stages = {stage for part in command.get("pipeline", []) for stage in part}
        writes = [("insert", database, ""), ("remove", database, ""), ("update", database, "")] if stages & {"$merge",
            "$out"} else []
        return [(action, database, collection)] + ([("insert", database, collection)] if upserts else []) + writes

    def allows(self, need):
        action, database, collection = need
        return any(action in privilege["actions"] and privilege["resource"]["db"] == database
                   and privilege["resource"]["collection"] in ("", collection)
                   for privilege in self.privileges)

    def strike(self, message):
        found = self.documents(message)
        command = next(documents[0] for name, documents in found if name is None)
        lacking = [need for need in self.needs(command, {name: documents for name, documents in found if name})
                   if not self.allows(need)]
        if not lacking:
            return None
        self.refused.append(lacking[0])
        return None, {"ok": 0.0, "code": 13, "codeName": "Unauthorized",
                      "errmsg": "not authorized on %s to execute command" % lacking[0][1]}, None, False


class Mongodb(Documents, StoreCase):
    EXISTING = "upsert"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = ferretdb.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        self.guard = MongodbGuard(self.server.port)
        self.addCleanup(self.guard.__exit__)
        self.refused = 0

    def tearDown(self):
        if self.guard.privileges:
            self.assertEqual(self.guard.refused, [])
        super().tearDown()

    def wide(self, name=None):
        return self.server.uri(name or self.name)

    def narrow(self, name=None):
        return self.server.uri(name or self.name, via=self.guard)

    def allow(self, side, *arguments):
        role, granted = self.rights(side, *arguments)
        database, text = re.fullmatch(r'db\.getSiblingDB\("(.*?)"\)\.createRole\((.*)\)', role, re.S).groups()
        made = json.loads(text)
        self.assertEqual((made["role"], made["roles"], {privilege["resource"]["db"]
                                                        for privilege in made["privileges"]}),
                         ("mover_" + side, [], {database}))
        self.assertEqual(granted, 'db.getSiblingDB("%s").grantRolesToUser("mover", [{"role": "mover_%s", "db": "%s"}])'
                         % (database, side, database))
        self.guard.privileges += made["privileges"]

    def count(self, table):
        return self.server.client()[self.name][table].count_documents({})

    def tables(self):
        return {name for name in self.server.client()[self.name].list_collection_names()
                if not name.startswith("_transhume")}

    def test_between_two_databases(self):
        other = self.server.database()
        self.run_program("migrate", "--state", "first", self.shop(), self.wide())
        self.server.client()[self.name]["orders"].create_index("pid")
        for side in ("source", "target"):
            self.allow(side, self.wide(), self.wide(other))
        self.run_program("migrate", self.narrow(), self.narrow(other))
        self.run_program("validate", "--level", "hash")
        self.assertIn("pid_1", self.server.client()[other]["orders"].index_information())
        self.run_program("rollback", "--run", self.run_id(), "--confirm")

    def test_who_knows_the_user(self):
        self.assertIn('db.getSiblingDB("admin").grantRolesToUser("mover"',
                      self.rights("target", self.shop(), self.wide() + "?authSource=admin")[1])

    def test_a_schema_is_migrated_and_changed(self):
        """By the server's own roles, as the docs say."""
        with open(os.path.join(support.ROOT, "docs", "mongodb.md"), encoding="utf-8") as file:
            line = re.search(r"^\| `schema`, `change` \|.*$", file.read(), re.M).group()
        roles = [name for name in re.findall("`([a-zA-Z]+)`", line) if name in BUILT_IN]
        self.assertEqual(roles, ["readWrite", "dbAdmin"])
        self.guard.privileges = [{"resource": {"db": self.name, "collection": ""}, "actions": BUILT_IN[role]}
                                 for role in roles]
        os.makedirs(self.path("migrations"))
        self.write("migrations/001_things.up.mongo.json",
                   '[{"create": "things"}, {"insert": "things", "documents": [{"_id": 1, "name": "x"}]}, '
                                                          '{"createIndexes": "things", "indexes": [{"key": {"name": '
                                                          '1}, "name": "named"}]}]')
        self.run_program("schema", "up", self.narrow())
        self.run_program("schema", "status", self.narrow())
        self.write("migrations/002_w.change.yaml",
                   "operations:\n  - add_column: { table: things, column: { name: w, type: string }, up: \"$name\" }\n"
                                                   "  - set_table: { table: things, "
                                                   "options: { validator: '{\"name\": {\"$type\": \"string\"}}' } }\n"
                                                   "  - drop_index: { table: things, name: named }\n")
        file = self.path("migrations", "002_w.change.yaml")
        self.run_program("change", "check", file, self.narrow())
        self.run_program("change", "start", file, self.narrow())
        self.run_program("change", "abort", self.narrow())
        self.run_program("change", "run", file, self.narrow(), "--confirm")
        self.assertEqual(self.server.client()[self.name]["things"].find_one(), {"_id": 1, "name": "x", "w": "x"})


class Buckets(StoreCase):
    """
    The policies before a store that obeys them: a policy of a bucket is that of an account with the account in it.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server, cls.client = servers.s3_for_class(cls)
        if cls.server.name != "versitygw":
            raise unittest.SkipTest("moto keeps to no policies")

    def setUp(self):
        super().setUp()
        self.bucket = "least-%s-0" % os.path.basename(self.folder).replace("_", "-").lower()
        self.client.create_bucket(Bucket=self.bucket)
        self.account = "mover" + self.bucket.replace("-", "")
        self.environment = servers.aws_environment(self.folder)
        self.mover = dict(self.environment, AWS_ACCESS_KEY_ID=self.account, AWS_SECRET_ACCESS_KEY="secret-of-it")
        subprocess.run([self.server.path, "admin", "--access", servers.ACCESS_KEY_ID, "--secret",
                        servers.SECRET_ACCESS_KEY, "--endpoint-url", self.server.endpoint, "--region",
                        servers.REGION, "create-user", "--access", self.account, "--secret", "secret-of-it", "--role",
                        "user"], check=True, capture_output=True)

    def uri(self, kind="csv", prefix="out"):
        return "%s:s3://%s/%s?endpoint=%s" % (kind, self.bucket, prefix, self.server.endpoint)

    def rights(self, side, *arguments):
        result = self.run_program("check", "--json", "--rights-for", "mover", *arguments, env=self.environment)
        return [statement["text"] for statement in json.loads(result.out)["rights_for"][side]]

    def allow(self, *policies):
        statements = [statement for text in policies for statement in json.loads(text)["Statement"]]
        policy = {"Version": "2012-10-17", "Statement": [{**statement, "Principal": {"AWS": [self.account]}}
                                                         for statement in statements]}
        self.client.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps(policy))

    def keys(self):
        return [found["Key"] for found in self.client.list_objects_v2(Bucket=self.bucket).get("Contents", ())]

    def test_what_a_policy_does_not_allow_is_refused(self):
        self.assertIn("permission", self.run_program("migrate", self.shop(), self.uri(), env=self.mover, code=2).err)
        self.allow(*self.rights("target", self.shop(), self.uri(prefix="other")))
        self.assertIn(support.transhume("migrate", self.shop(), self.uri(), cwd=self.folder, env=self.mover).code,
                      (2, 3))
        self.assertEqual(self.keys(), [])

    def test_a_copy_is_made_and_taken_back(self):
        policies = self.rights("target", self.shop(), self.uri())
        self.allow(*policies)
        self.run_program("check", self.shop(), self.uri(), env=self.mover)
        process = self.stopped_at("engine.chunk_started:stop:2", "migrate", self.shop(), self.uri(), may_end=True,
                                  env=self.mover)
        self.end(process)
        self.run_program("resume", env=self.mover)
        self.run_program("validate", "--level", "hash", env=self.mover)
        self.run_program("rollback", "--run", self.run_id(), "--confirm", env=self.mover)
        self.assertEqual(self.keys(), [])

    def test_what_is_large_comes_in_parts(self):
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE wide (id INTEGER PRIMARY KEY, v BLOB); WITH RECURSIVE n(i) AS (SELECT 1 "
                            "UNION ALL SELECT i + 1 FROM n WHERE i < 24)"
                            " INSERT INTO wide SELECT i, randomblob(1000000) FROM n")
        self.allow(*self.rights("target", "sqlite:shop.db", self.uri("jsonl")))
        self.run_program("migrate", "sqlite:shop.db", self.uri("jsonl"), env=self.mover)
        self.run_program("validate", "--level", "hash", env=self.mover)
        self.run_program("finish", "--confirm", env=self.mover)

    def test_a_source_is_read(self):
        self.run_program("migrate", "--state", "first", self.shop(), self.uri(), env=self.environment)
        self.client.put_object(Bucket=self.bucket, Key="one/orders.csv", Body=b"id,v\n1,x\n")
        self.client.put_object(Bucket=self.bucket, Key="one/shop.sql",
                               Body=b"CREATE TABLE t (id integer PRIMARY KEY);\nINSERT INTO t VALUES (1);\n")
        for number, (uri, count) in enumerate(((self.uri(), 2), (self.uri(prefix="one/orders.csv"), 1),
                                               (self.uri("dump", "one/shop.sql") + "&dialect=sqlite", 1))):
            with self.subTest(uri=uri):
                target = "sqlite:%d.db" % number
                self.allow(*self.rights("source", uri, target))
                self.run_program("migrate", "--state", "s%d" % number, uri, target, env=self.mover)
                with sqlite3.connect(self.path("%d.db" % number)) as db:
                    self.assertEqual(db.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT "
                                                "LIKE '\\_%' ESCAPE '\\'").fetchone(), (count,))
                db.close()

