"""The kill matrix of the pairs that no other module has: between files, items, DynamoDB and Cassandra. An ordinary run
draws one of them.

Expected is what sqlite3 reads in the shop, and what is found is told by csv, json, boto3 and the Python driver
(rows.py), after each case.
"""
import os
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import cassandra_server
import engines
from engines import rows
import items
import servers
import support
from kill_matrix import KillMatrix, make_source, plain_items, sample_tests
from test_kill_dynamodb import KEYS, binary
from test_kill_sql_dynamodb import PLAN

PAIRS = [*((source, target) for source in ("csv", "jsonl") for target in ("csv", "jsonl", "dynamodb-json", "dynamodb")),
         *(("dynamodb", target) for target in ("csv", "dynamodb-json", "dynamodb")),
         *(("dynamodb-json", target) for target in ("sqlite", "csv", "dynamodb-json", "dynamodb")),
         *((source, "cassandra") for source in ("csv", "jsonl", "dynamodb-json", "dynamodb")),
         *(("cassandra", target) for target in ("csv", "jsonl", "dynamodb-json", "dynamodb"))]
OPTIONS = ["--chunk-rows", "100", "--jobs", "2"]


class KillOtherPairs(KillMatrix):
    def setUp(self):
        super().setUp()
        self.shop = self.path("shop.db")
        make_source(self.shop, keyless=False)
        self.held = engines.sqlite.contents(self.shop)
        self.items = plain_items(self.shop)

    def dynamodb(self):
        """(URI, client) of a server of its own: a source and a target have the same tables."""
        server = servers.for_class(type(self), "dynalite")
        return "dynamodb://us-east-1?endpoint=" + server.endpoint, items.client_of(server)

    def cassandra(self):
        """A new keyspace's (server, name)."""
        server = cassandra_server.shared_for_class(type(self))
        return server, server.database()

    def source(self, kind):
        if kind == "cassandra":
            server, name = self.cassandra()
            plan = self.write("given.yaml", PLAN.replace("key: [x, y]", "key: { partition: [x], clustering: [y] }"))
            self.assert_code(support.transhume("migrate", "--plan", plan, "--state", "state-shop", self.shop,
                                               server.uri(name), cwd=self.folder), 0)
            self.check(kind, (server, name))
            return server.uri(name)
        if kind == "dynamodb":
            uri, client = self.dynamodb()
            for table, wanted in self.items.items():
                items.create(client, table, KEYS[table])
                items.put(client, table, map(binary, wanted))
            return uri
        self.assert_code(support.transhume("migrate", "--state", "state-shop", self.shop,
                                           kind + ":" + self.path("given"), cwd=self.folder), 0)
        self.check(kind, self.path("given"))
        return kind + ":" + self.path("given")

    def check(self, kind, place, sparse=False):
        """Whether a folder, a file or a server holds the shop; `sparse`: a null is missing there."""
        if kind == "csv":
            rows.assert_same(self, rows.without_empty(self.held), engines.csv.contents(place, self.held))
        elif kind == "jsonl":
            rows.assert_same(self, self.held, engines.jsonl.contents(place, self.held, sparse))
        elif kind == "sqlite":
            rows.assert_same(self, self.held, engines.sqlite.contents(place))
        elif kind == "cassandra":
            rows.assert_same(self, self.held, engines.cassandra.contents(*place))
        elif kind == "dynamodb-json":
            self.assert_items(self.items, place)
        else:
            self.assertEqual(items.tables(place), sorted(self.items))
            for table, wanted in self.items.items():
                items.assert_same(self, map(binary, wanted), items.scan(place, table))

    def pair(self, source, target):
        given = self.source(source)
        from_items = source.startswith("dynamodb")
        # Items have no columns: the way into tables names them.
        plan = ["--plan", self.write("plan.yaml", PLAN), "--state", "state"] if from_items and target in ("csv",
            "sqlite", "cassandra") else []
        if target == "dynamodb":
            uri, client = self.dynamodb()
            self.empty_target = lambda: items.empty(client)
            place = lambda folder: client
        elif target == "cassandra":
            server, name = self.cassandra()
            self.empty_target = lambda: server.renew(name)
            uri, place = server.uri(name), lambda folder: (server, name)
        else:
            uri, place = target + ":out", lambda folder: os.path.join(folder, "out")
        self.matrix([*plan, *OPTIONS, given, uri], lambda folder: self.check(target, place(folder), from_items),
                    servers.aws_environment(self.folder))


for pair in PAIRS:
    setattr(KillOtherPairs, "test_%s_to_%s" % tuple(kind.replace("-", "_") for kind in pair),
            lambda self, pair=pair: self.pair(*pair))
sample_tests(KillOtherPairs, 1)

if __name__ == "__main__":
    unittest.main()
