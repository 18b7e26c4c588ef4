"""OpenSearch as a target and as a source, on a real server; what is there is read by Python's own HTTP client (opensearch_server.Server.ask)."""
import json
import os
import random
import sqlite3
import unittest
from decimal import Decimal

import opensearch_server
import support

from tcp_proxy import Proxy, close

ODD = """CREATE TABLE odd (id INTEGER PRIMARY KEY, t TEXT, n NUMERIC, r REAL, b BLOB);
INSERT INTO odd VALUES (1, '12', 12, 0.1, x'3132'), (2, '007', 1.50, 1e300, x'00ff'), (3, '', NULL, -0.0, x''), (4, NULL, -9223372036854775808, 3.0, NULL),
  (5, 'caf\u00e9 \U0001f411', 9223372036854775807, 5e-324, x'c3a9'), (6, '-0', 0, NULL, x'2d30'), (7, 'true', 1, 2.5, x'74727565'), (-8, char(10) || '$5"\\' || char(13, 10), 0.25, 1.0, x'0d0a');
CREATE TABLE pair (x TEXT NOT NULL, y TEXT NOT NULL, note TEXT, PRIMARY KEY (x, y));
INSERT INTO pair VALUES ('a', 'b:c', '1'), ('a:b', 'c', '2'), ('a%3Ab', 'c', '3'), ('', '', '4'), ('%', ':', '5'), ('{x}', '*', '6'), ('[a]', '?', '7');"""
MANY = """CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT, city TEXT, price NUMERIC);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
INSERT INTO things SELECT i, 'name ' || i, CASE WHEN i %% 7 THEN 'city ' || (i %% 97) END, i / 4.0 FROM n;"""


class SearchCase(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = opensearch_server.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.prefix = self.server.database()

    def uri(self, options=""):
        return self.server.uri(self.prefix, options)

    def documents(self, table):
        return self.server.documents(self.prefix + table)

    def indexes(self):
        return [name[len(self.prefix):] for name in self.server.indexes(self.prefix)]

    def many(self, rows):
        support.make_sqlite(self.path("source.db"), MANY % rows)

    def assert_things(self, rows, prefix=None):
        """Each record, field by field."""
        found = self.server.documents((prefix or self.prefix) + "things")
        self.assertEqual(len(found), rows)
        for i in range(1, rows + 1):
            wanted = {"id": i, "name": "name %d" % i, "city": "city %d" % (i % 97) if i % 7 else None, "price": i / 4}
            self.assertEqual({**found[str(i)], "price": float(found[str(i)]["price"])}, wanted)


class Copies(SearchCase):
    def test_there_and_back(self):
        """Every value of SQLite comes back as it was; keys with colons and percents stay apart."""
        support.make_sqlite(self.path("source.db"), ODD)
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        odd = self.documents("odd")
        self.assertEqual(odd["2"], {"id": 2, "t": "007", "n": Decimal("1.5"), "r": Decimal("1e+300"), "b": "AP8="})
        self.assertEqual(odd["4"], {"id": 4, "t": None, "n": -9223372036854775808, "r": 3, "b": None})
        self.assertEqual(sorted(self.documents("pair")), sorted(["a:b:c", "a%3Ab:c", "a%253Ab:c", "%:%", "%25::", "{x}:*", "[a]:?"]))
        self.run_program("validate", "--level", "full", "--quiet")
        self.run_program("finish", "--quiet")
        self.assertEqual(self.indexes(), ["odd", "pair"])
        self.run_program("migrate", self.uri(), "back.db", "--state", "back", "--quiet")
        source, back = (sqlite3.connect(self.path(name)) for name in ("source.db", "back.db"))
        for table, order in (("odd", "id"), ("pair", "x, y")):
            columns = [row[1] for row in source.execute("PRAGMA table_info(%s)" % table)]
            query = "SELECT %s FROM %s ORDER BY %s" % (", ".join("CAST(n AS NUMERIC)" if column == "n" else '"%s"' % column for column in columns), table, order)
            self.assertEqual(back.execute(query).fetchall(), source.execute(query).fetchall())
        source.close()
        back.close()

    def test_settings_and_mapping(self):
        """The mapping is made of the types, and what was suspended for the load is as the server has it by default."""
        self.many(10)
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        made = self.server.ask("GET", "/%sthings" % self.prefix)[self.prefix + "things"]
        self.assertEqual(made["mappings"]["dynamic"], "false")
        self.assertEqual(made["mappings"]["properties"]["id"], {"type": "long"})
        self.assertEqual(made["mappings"]["properties"]["name"], {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}})
        self.assertNotIn("refresh_interval", made["settings"]["index"])
        self.assertEqual(made["settings"]["index"]["number_of_replicas"], "1")
        self.assertEqual(self.server.ask("GET", "/%sthings/_count" % self.prefix)["count"], 10)

    def test_killed_at_each_place(self):
        """Killed at each failpoint on the way, first and last time, and resumed: each record once and whole, and nothing else."""
        self.many(3000)
        options = ["--chunk-rows", "500", "--jobs", "2", "--quiet"]
        result, counts = support.count_failpoints("migrate", "source.db", self.uri(), *options, cwd=self.folder)
        self.assert_code(result, 0)
        places = sorted((name, at) for name, count in counts.items() if name.startswith("opensearch.") for at in {1, count})
        self.assertGreater(len(places), 10)
        for name, at in support.drawn(places, 6, self.id()):
            with self.subTest(failpoint=name, occurrence=at):
                self.prefix = self.server.database()
                state = "killed-%s-%d" % (name, at)
                support.kill_at(name, at, "migrate", "source.db", self.uri(), *options, "--state", state, cwd=self.folder)
                again = support.transhume("resume", "--state", state, "--quiet", cwd=self.folder)
                if again.code == 2 and "run-nothing" in again.err:  # before there was a run
                    again = support.transhume("migrate", "source.db", self.uri(), *options, "--state", state, cwd=self.folder)
                self.assert_code(again, 0)
                self.assert_things(3000)
                self.assertNotIn("refresh_interval", self.server.ask("GET", "/%sthings/_settings" % self.prefix)[self.prefix + "things"]["settings"]["index"])

    def test_connections_that_break(self):
        self.many(8000)
        with CuttingProxy(self.server.port, random.Random(support.SEED)) as proxy:
            self.run_program("migrate", "source.db", self.server.uri(self.prefix, via=proxy), "--chunk-rows", "2000", "--quiet")
            self.assertGreater(proxy.cuts, 2)
        self.assert_things(8000)

    def test_document_that_the_mapping_refuses(self):
        """One record of many is refused by the server: it is a reject with the server's reason, and all others are written."""
        support.make_sqlite(self.path("source.db"), "CREATE TABLE seen (id INTEGER PRIMARY KEY, at TEXT);"
                                                    "INSERT INTO seen VALUES (1, '2024-02-29T12:00:00Z'), (2, 'never'), (3, '2024-03-01')")
        self.write("plan.yaml", """transhume: 1
source: source.db
target: %s
tables:
  seen: { key: [id], from: seen, columns: { at: { type: ip } } }
""" % self.uri())
        result = self.run_program("migrate", "--plan", "plan.yaml", code=1)
        self.assertIn("3", result.out)
        self.assertEqual({reject["code"] for reject in self.rejects()}, {"type"})
        self.assertIn("not an IP string literal", self.rejects()[0]["reason"])


class CuttingProxy(Proxy):
    """Cuts every connection after some hundred KB, in either direction, at any byte."""

    def __init__(self, port, draw):
        self.draw, self.cuts = draw, 0
        super().__init__(port)

    def passers(self, program, server):
        left = [self.draw.randint(20000, 400000) if self.cuts < 6 else 1 << 40]
        return [lambda: self.carry(program, server, left), lambda: self.carry(server, program, left)]

    def carry(self, source, target, left):
        try:
            while True:
                data = source.recv(1 << 16)
                if not data:
                    break
                target.sendall(data[:max(0, left[0])])
                left[0] -= len(data)
                if left[0] <= 0:
                    self.cuts += 1
                    break
        except OSError:
            pass
        close(source)
        close(target)


class Policies(SearchCase):
    plan = """transhume: 1
source: source.db
target: "%s"
existing: %s
tables:
  things: { key: [id], from: things%s }
"""

    def run_policy(self, policy, code=0, fields=""):
        self.many(5)
        self.server.ask("PUT", "/%sthings" % self.prefix, {"settings": {"refresh_interval": "7s"}, "mappings": {"properties": {
            "id": {"type": "long"}, "name": {"type": "text"}, "city": {"type": "keyword"}, "price": {"type": "double"}, "mine": {"type": "keyword"}}}})
        self.server.bulk(self.prefix + "things", {"2": {"id": 2, "name": "theirs", "mine": "kept"}})
        self.write("plan.yaml", self.plan % (self.uri(), policy, fields))
        result = self.run_program("migrate", "--plan", "plan.yaml", "--rollback-keys", code=code)
        self.assertEqual(self.server.ask("GET", "/%sthings/_settings" % self.prefix)[self.prefix + "things"]["settings"]["index"]["refresh_interval"], "7s")
        return result

    def test_refuse(self):
        self.assertIn("target-not-empty", self.run_policy("refuse", 5).err)
        self.assertEqual(self.documents("things"), {"2": {"id": 2, "name": "theirs", "mine": "kept"}})

    def test_append(self):
        self.run_policy("append", 1)
        self.assertEqual(self.documents("things")["2"]["name"], "theirs")
        self.assertEqual([reject["code"] for reject in self.rejects()], ["key-duplicate"])
        self.assertEqual(len(self.documents("things")), 5)

    def test_skip(self):
        self.run_policy("skip")
        self.assertEqual(self.documents("things")["2"], {"id": 2, "name": "theirs", "mine": "kept"})
        self.assertEqual(len(self.documents("things")), 5)

    def test_replace_and_back(self):
        self.run_policy("replace")
        found = self.documents("things")["2"]
        self.assertEqual({**found, "price": float(found["price"])}, {"id": 2, "name": "name 2", "city": "city 2", "price": 0.5})
        self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
        self.assertEqual(self.documents("things"), {"2": {"id": 2, "name": "theirs", "mine": "kept"}})

    def test_rollback_of_what_was_made(self):
        self.many(50)
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        self.run_program("rollback", "--run", self.run_id(), "--confirm", "--quiet")
        self.assertNotIn("things", self.indexes())

    def test_repair(self):
        """What somebody changed, deleted and added is found and put right."""
        self.many(40)
        self.run_program("migrate", "source.db", self.uri(), "--quiet")
        things = "/%sthings/_doc/" % self.prefix
        self.server.ask("POST", "/%sthings/_update/3" % self.prefix, {"doc": {"name": "changed"}})
        self.server.ask("DELETE", things + "4")
        self.server.ask("PUT", things + "77", {"id": 77, "name": "more", "city": None, "price": 1})
        self.run_program("validate", "--level", "full", "--quiet", code=1)
        self.run_program("validate", "--level", "full", "--repair", "--delete-extra", "--confirm", "--quiet")
        self.assert_things(40)


if __name__ == "__main__":
    unittest.main()
