"""Declared changes of stores: Cassandra's keyspaces and DynamoDB's tables, started, killed, taken back, completed."""
import json
import os
import unittest

import cassandra_server
import dynamodb_case
import support

KILLS = ("change.after_intent", "change.before_statement", "change.after_statement", "change.after_step")


class Declares:
    """What the tests of both say of a change."""

    def declare(self, operations, name="010_it.change.yaml"):
        self.write(name, json.dumps({"operations": operations}))
        return name

    def change(self, *words, code=0, **environment):
        return self.run_it("change", *words, code=code, **environment)

    def assert_refused(self, operation, words, code=5):
        file = self.declare([operation])
        refused = self.change("start", file, self.where(), code=code)
        self.assertIn(words, refused.err)
        self.assertRegex(refused.err, r"010_it(.change.yaml)?:1:")   # with its place
        self.assertEqual(self.seen(), self.before)

    def assert_way(self, operations, started, completed, switches=()):
        """Start, abort, start, complete; each broken off behind each of its moments once."""
        file = self.declare(operations)
        for point in KILLS:
            self.change("start", file, self.where(), code=-9, TRANSHUME_FAILPOINT=point + ":kill:1")
            self.change("start", file, self.where())
            self.assertEqual(self.seen(), started, point)
            self.change("abort", self.where(), code=-9, TRANSHUME_FAILPOINT="change.after_undo:kill:1")
            self.change("abort", self.where())
            self.assertEqual(self.seen(), self.before, point)
        self.change("start", file, self.where())
        for word in switches:
            self.change("switch", self.where(), word, code=-9, TRANSHUME_FAILPOINT="change.after_statement:kill:1")
            self.change("switch", self.where(), word)
        self.change("complete", self.where(), "--confirm")
        self.assertEqual(self.seen(), completed)
        self.assertIn("completed", self.change("status", self.where()).out)


class OnCassandra(support.TestCase, Declares):
    @classmethod
    def setUpClass(cls):
        cls.server = cassandra_server.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.keyspace = self.server.database()
        self.ask("CREATE TABLE users (id int, at int, name text, mail text, old text, PRIMARY KEY (id, "
                 "at)) WITH default_time_to_live = 60 AND comment = 'it''s'")
        self.ask("CREATE TABLE gone (id int PRIMARY KEY)")
        self.ask("CREATE INDEX by_old ON users (old)")
        for i in range(50):
            self.ask("INSERT INTO users (id, at, name, mail, old) VALUES (%d, 1, 'n%d', 'm%d', 'o')" % (i, i, i))
        self.before = self.seen()

    def ask(self, cql):
        return self.server.ask(self.keyspace, cql)

    def where(self):
        return self.server.uri(self.keyspace)

    def run_it(self, *words, code=0, **environment):
        return self.run_program(*words, code=code, env=dict(os.environ, **environment))

    def seen(self):
        """The schema as another client sees it."""
        named = "WHERE keyspace_name = '%s'" % self.keyspace
        own = lambda rows: sorted(row for row in rows if not row[0].startswith("_transhume"))
        return [own(tuple(map(str, row)) for row in self.ask("SELECT %s FROM system_schema.%s %s" % (columns, table,
            named)))
                for columns, table in (("table_name, column_name, type, kind, position", "columns"),
                                       ("table_name, default_time_to_live, comment, gc_grace_seconds, compaction",
                                        "tables"),
                                       ("table_name, index_name, options", "indexes"),
                                       ("view_name, where_clause", "views"))]

    def test_each_operation(self):
        self.assert_way([
            {"create_table": {"name": "notes", "columns": [{"name": "a", "type": "text", "pk": True},
                                                           {"name": "b", "type": "int", "pk": True},
                                                           {"name": "Body", "type": "text", "nullable": True}]}},
            {"add_column": {"table": "users", "column": {"name": "age", "type": "int", "nullable": True}}},
            {"create_index": {"table": "users", "name": "by_mail", "columns": [{"column": "mail"}]}},
            {"create_view": {"name": "by_name",
                             "as": "SELECT * FROM users WHERE name IS NOT NULL AND id IS NOT NULL AND at IS NOT NULL "
                                   "PRIMARY KEY (name, id, at)"}},
            {"set_table": {"table": "users", "comment": "the users'",
                           "options": {"gc_grace_seconds": "1000", "default_time_to_live": "0"}}},
            {"rename_column": {"table": "users", "from": "at", "to": "since"}},
            {"sql": {"up": "CREATE TYPE pair (a int, b int)", "down": "DROP TYPE IF EXISTS pair", "on_complete": True}},
            {"drop_index": {"name": "by_old"}},
            {"drop_table": {"name": "gone"}}], *self.expected(), switches=("writes",))
        self.assertEqual(len(self.ask("SELECT * FROM by_name")), 50)
        self.assertEqual(len(self.ask("SELECT * FROM users WHERE mail = 'm7'")), 1)

    def expected(self):
        """What another client makes of it by statements, in a keyspace of its own."""
        mine, self.keyspace = self.keyspace, self.server.database()
        try:
            for cql in ("CREATE TABLE users (id int, at int, name text, mail text, old text, PRIMARY KEY (id, "
                        "at)) WITH comment = 'the users''' AND gc_grace_seconds = 1000",
                        "CREATE TABLE gone (id int PRIMARY KEY)", "CREATE INDEX by_old ON users (old)",
                        "CREATE TABLE notes (a text, b int, \"Body\" text, PRIMARY KEY (a, b))",
                        "ALTER TABLE users ADD age int", "CREATE INDEX by_mail ON users (mail)",
                        "CREATE MATERIALIZED VIEW by_name AS SELECT * FROM users WHERE name IS NOT NULL AND id IS NOT "
                        "NULL AND at IS NOT NULL PRIMARY KEY (name, id, at)"):
                self.ask(cql)
            started = self.seen()
            for cql in ("ALTER TABLE users RENAME at TO since", "DROP INDEX by_old", "DROP TABLE gone"):
                self.ask(cql)
            return started, self.seen()
        finally:
            self.keyspace = mine

    def test_a_dropped_column(self):
        file = self.declare([{"drop_column": {"table": "users", "column": "mail"}}])
        self.change("start", file, self.where())
        self.assertEqual(self.seen(), self.before)
        for point in KILLS:
            self.change("complete", self.where(), "--confirm", code=-9, TRANSHUME_FAILPOINT=point + ":kill:1")
        self.change("complete", self.where(), "--confirm")
        self.assertNotIn("mail", str(self.seen()[0]))

    def test_a_column_that_was_dropped_before(self):
        """What the catalogue remembers of an earlier one is not taken for this one's end."""
        for cql in ("ALTER TABLE users DROP mail", "ALTER TABLE users ADD mail text"):
            self.ask(cql)
        self.change("start", self.declare([{"drop_column": {"table": "users", "column": "mail"}}]), self.where())
        self.change("complete", self.where(), "--confirm", code=-9, TRANSHUME_FAILPOINT="change.after_intent:kill:1")
        self.change("complete", self.where(), "--confirm")
        self.assertNotIn("mail", str(self.seen()[0]))

    def test_a_step_that_cannot_succeed(self):
        file = self.declare([{"drop_index": {"name": "by_old"}},
                             {"sql": {"up": "ALTER TABEL users", "on_complete": True}},
                             {"drop_table": {"name": "gone"}}])
        self.change("start", file, self.where())
        self.assertIn("before that", self.change("skip", self.where(), "2", "--confirm", code=5).err.lower())
        failed = self.change("complete", self.where(), "--confirm", code=3)
        self.assertIn("transhume change skip DB 2 --confirm", failed.err)
        self.change("abort", self.where(), code=5)
        self.assertIn("the step that is next is 2", self.change("skip", self.where(), "3", "--confirm", code=5).err)
        self.change("skip", self.where(), "2", code=2)
        self.change("skip", self.where(), "2", "--confirm", code=-9, TRANSHUME_FAILPOINT="change.before_skip:kill:1")
        self.change("skip", self.where(), "2", "--confirm")
        self.change("complete", self.where(), "--confirm")
        self.assertNotIn("gone", str(self.seen()))

    def test_refusals(self):
        for operation, words, code in (
                ({"alter_column": {"table": "users", "column": "mail", "type": "int"}}, "types of Cassandra's columns",
                 5),
                ({"add_column": {"table": "users", "column": {"name": "x", "type": "int"}, "up": "1"}}, "no triggers",
                 5),
                ({"add_column": {"table": "users", "column": {"name": "mail", "type": "text"}}},
                 "has a column 'mail' already", 2),
                ({"add_column": {"table": "nobody", "column": {"name": "x", "type": "text"}}},
                 "there is no table 'nobody'", 2),
                ({"drop_column": {"table": "users", "column": "id"}}, "of the table's key", 5),
                ({"drop_column": {"table": "users", "column": "nothing"}}, "has no column 'nothing'", 2),
                ({"rename_column": {"table": "users", "from": "mail", "to": "email"}}, "columns of the key alone", 5),
                ({"create_table": {"name": "users", "columns": [{"name": "a", "type": "int", "pk": True}]}},
                 "there is a table or view 'users' already", 2),
                ({"create_table": {"name": "x", "columns": [{"name": "a", "type": "int"}]}},
                 "none of the columns is marked", 2),
                ({"create_index": {"table": "users", "name": "u", "unique": True, "columns": [{"column": "mail"}]}},
                 "not unique", 5),
                ({"set_table": {"table": "users", "options": {"nonsense": "1"}}}, "no such option", 5),
                ({"rename_table": {"from": "users", "to": "people"}}, "nothing like it", 5),
                ({"copy_table": {"table": "users", "to": "v2_users"}}, "nothing like it", 5)):
            with self.subTest(operation=operation):
                self.assert_refused(operation, words, code)

    def test_what_the_server_refuses(self):
        file = self.declare([{"add_column": {"table": "users",
                                             "column": {"name": "age", "type": "int", "nullable": True}}},
                             {"add_column": {"table": "users", "column": {"name": "odd", "type": "no_such_type"}}}])
        failed = self.change("start", file, self.where(), code=3)
        self.assertIn("add column users.odd", failed.err)
        self.assertIn("transhume change abort", failed.err)
        self.change("abort", self.where())
        self.assertEqual(self.seen(), self.before)


class OnDynamodb(dynamodb_case.DynamodbCase, Declares):
    server_name = "moto"

    def setUp(self):
        super().setUp()
        key = {"KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
               "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}]}
        self.client.create_table(TableName="users", ProvisionedThroughput={"ReadCapacityUnits": 5,
                                                                           "WriteCapacityUnits": 6}, **key)
        self.client.create_table(TableName="gone", BillingMode="PAY_PER_REQUEST", **key)
        for i in range(20):
            self.client.put_item(TableName="users", Item={"k": {"S": str(i)}, "mail": {"S": "m%d" % i},
                                                          "at": {"N": str(i)}})
        self.before = self.seen()

    def tearDown(self):
        self.client.update_table(TableName="users", DeletionProtectionEnabled=False)
        super().tearDown()

    def where(self):
        return self.uri()

    def run_it(self, *words, code=0, **environment):
        return self.run_aws(*words, code=code, **environment)

    def seen(self):
        seen = {}
        for name in self.client.list_tables()["TableNames"]:
            if name.startswith("_transhume"):
                continue
            table = self.client.describe_table(TableName=name)["Table"]
            expiry = self.client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
            seen[name] = (table["KeySchema"], table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
                          table["ProvisionedThroughput"]["ReadCapacityUnits"],
                          table["ProvisionedThroughput"]["WriteCapacityUnits"],
                          sorted((index["IndexName"], str(index["KeySchema"]), str(index["Projection"]),
                                  index["IndexStatus"]) for index in table.get("GlobalSecondaryIndexes", [])),
                          table.get("StreamSpecification", {}).get("StreamEnabled", False),
                          table.get("DeletionProtectionEnabled", False),
                          expiry["TimeToLiveStatus"] == "ENABLED" and expiry["AttributeName"])
        return seen

    def test_each_operation(self):
        key = self.before["users"][0]
        index = ("by_mail",
                 "[{'AttributeName': 'mail', 'KeyType': 'HASH'}, {'AttributeName': 'at', 'KeyType': 'RANGE'}]",
                 "{'ProjectionType': 'INCLUDE', 'NonKeyAttributes': ['name']}", "ACTIVE")
        users = (key, "PROVISIONED", 7, 8, [index], False, True, "expires")
        notes = ([{"AttributeName": "a", "KeyType": "HASH"}, {"AttributeName": "b", "KeyType": "RANGE"}],
                 "PAY_PER_REQUEST", 0, 0, [], False, False, False)
        started = {"users": users, "notes": notes, "gone": self.before["gone"]}
        self.assert_way([
            {"create_table": {"name": "notes", "columns": [{"name": "a", "type": "S", "pk": True},
                                                           {"name": "b", "type": "N", "pk": True}]}},
            {"create_index": {"table": "users", "name": "by_mail",
                              "columns": [{"column": "mail"}, {"column": "at", "type": "N"}], "include": ["name"]}},
            {"set_table": {"table": "users", "options": {"read_capacity": 7, "write_capacity": 8, "ttl": "expires",
                                                         "deletion_protection": True}}},
            {"drop_table": {"name": "gone"}}], started, {"users": users, "notes": notes})

    def test_a_stream(self):
        """The stand-in makes one but once of a table."""
        file = self.declare([{"set_table": {"table": "users", "options": {"stream": "NEW_AND_OLD_IMAGES",
                                                                          "billing_mode": "PAY_PER_REQUEST"}}}])
        self.change("start", file, self.where(), code=-9, TRANSHUME_FAILPOINT="change.after_statement:kill:2")
        self.change("start", file, self.where())
        self.assertEqual((self.seen()["users"][1], self.seen()["users"][5]), ("PAY_PER_REQUEST", True))
        self.change("abort", self.where())
        self.assertEqual(self.seen(), self.before)

    def test_a_dropped_index(self):
        file = self.declare([{"create_index": {"table": "users", "name": "by_mail", "columns": [{"column": "mail"}]}}])
        self.change("run", file, self.where(), "--confirm")
        self.assertEqual(len(self.seen()["users"][4]), 1)
        self.change("run", self.declare([{"drop_index": {"table": "users", "name": "by_mail"}}],
                                        "011_drop.change.yaml"), self.where(), "--confirm", code=-9,
                    TRANSHUME_FAILPOINT="change.after_statement:kill:1")
        self.change("complete", self.where(), "--confirm")
        self.assertEqual(self.seen(), self.before)

    def test_refusals(self):
        for operation, words, code in (
                ({"add_column": {"table": "users", "column": {"name": "x", "type": "S"}}}, "no schema for it", 5),
                ({"create_table": {"name": "users", "columns": [{"name": "k", "type": "S", "pk": True}]}},
                 "such a table already", 2),
                ({"create_table": {"name": "x", "columns": [{"name": "k", "type": "S"}]}},
                 "one or two columns are the key", 2),
                ({"create_index": {"table": "nobody", "name": "i", "columns": [{"column": "a"}]}},
                 "there is no table 'nobody'", 2),
                ({"create_index": {"table": "users", "name": "i", "unique": True, "columns": [{"column": "a"}]}},
                 "never unique", 5),
                ({"set_table": {"table": "users", "options": {"nonsense": "1"}}}, "no such option", 2),
                ({"create_index": {"table": "users", "name": "i", "include": [None], "columns": [{"column": "a"}]}},
                 "include is a list of names", 2),
                ({"create_index": {"table": "users", "name": "i", "columns": [{"sort": "ASC"}]}},
                 "needs 'column' or 'expression'", 2),
                ({"drop_table": {"name": "nobody"}}, "there is no table 'nobody'", 2)):
            with self.subTest(operation=operation):
                self.assert_refused(operation, words, code)


if __name__ == "__main__":
    unittest.main()
