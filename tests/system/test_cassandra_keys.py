"""
Keys that differ in the source and are one in Cassandra: all but the first are rejects, whole, and none is lost without
a word.
"""
import sqlite3
import unittest

import cassandra_server
import support

# A type of a key column, and two texts that are one value of it.
SPELLINGS = {
    "inet": ("::1", "0:0:0:0:0:0:0:1"),
    "uuid": ("5c1bb2ca-6d3a-4a8e-9d3a-0123456789ab", "5C1BB2CA-6D3A-4A8E-9D3A-0123456789AB"),
    "timeuuid": ("a0eebc99-9c0b-11ee-8c90-0242ac120002", "A0EEBC99-9C0B-11EE-8C90-0242AC120002"),
    "bigint": ("7", "07"),
    "varint": ("7", "+7"),
    "decimal": ("10", "1E+1"),
    "double": ("1.5", "1.50"),
    "float": ("1.5", "1.50"),
    "boolean": ("true", "TRUE"),
    "timestamp": ("2024-01-02T03:04:05Z", "2024-01-02T04:04:05+01:00"),
    "date": ("2024-01-02", "2024-01-02T00:00:00"),
    "time": ("10:00", "10:00:00"),
    "frozen<list<int>>": ("[1,2]", "[1, 2]"),
    "frozen<set<int>>": ("[1,2]", "[2,1]"),
    "frozen<map<text, int>>": ('{"a":1,"b":2}', '{"b":2,"a":1}'),
}
# Keys of Cassandra's own that this program reads as one value: what writes them, and how many rows of the target that
# makes.
OWN = {
    "decimal": (("10", "1E+1", "1.0", "1.00"), 3),
    "varint": (("1", "blob_as_varint(0x0001)"), 1),
    "boolean": (("true", "blob_as_boolean(0x02)"), 1),
    "double": (("0.0", "-0.0", "blob_as_double(0x7ff8000000000000)", "blob_as_double(0x7ff8000000000001)"), 4),
}
# Types that hold decimals, and two texts of one value to the order of clustering columns.
NESTED = {
    "frozen<list<decimal>>": ('["1.0"]', '["1.00"]'),
    "frozen<set<decimal>>": ('["1.0","2"]', '["2.0","1.00"]'),
    "frozen<map<text, decimal>>": ('{"a":"1.0"}', '{"a":"1.00"}'),
    "frozen<map<decimal, int>>": ('{"1.0":1}', '{"1.00":1}'),
    "frozen<tuple<int, decimal>>": ('[1,"1.0"]', '[1,"1.00"]'),
    "frozen<list<frozen<tuple<decimal, varint>>>>": ('[["1.0","100"]]', '[["1.00","0100"]]'),
    "frozen<priced>": ('{"d":"1.0"}', '{"d":"1.00","e":null}'),
    "vector<decimal, 2>": ('["1.0","2"]', '["1.00","2.0"]'),
}


class Keys(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cassandra_server.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.keyspace = self.server.database()

    def ask(self, cql, *values):
        return self.server.ask(self.keyspace, cql, *values)

    def make_source(self, key):
        with sqlite3.connect(self.path("source.db")) as source:
            for number, texts in enumerate(SPELLINGS.values()):
                source.execute("CREATE TABLE t%d (p TEXT NOT NULL, k TEXT NOT NULL, v TEXT, PRIMARY KEY (%s)) STRICT"
                               % (number, key))
                source.executemany("INSERT INTO t%d VALUES ('p', ?, ?)" % number, zip(texts, ("first", "second")))
        source.close()

    def plan(self, key, columns):
        self.write("plan.yaml", "transhume: 1\nsource: source.db\ntarget: \"%s\"\nexisting: upsert\ntables:\n%s" % (
            self.server.uri(self.keyspace), "".join("  t%d: { key: %s, %sfrom: t%d, fields: { \"*\": copy } }\n" % (
                number, key, 'columns: { k: { type: "%s" } }, ' % kind if columns else "", number)
                                                    for number, kind in enumerate(SPELLINGS))))

    def assert_second_is_rejected(self):
        self.run_program("migrate", "--plan", "plan.yaml", "--max-rejects", "100", "--quiet", code=1)
        rejects = {reject["table"]: reject for reject in self.rejects()}
        for number, (kind, texts) in enumerate(SPELLINGS.items()):
            with self.subTest(type=kind):
                self.assertEqual(self.ask("SELECT v FROM t%d" % number), [("first",)])
                reject = rejects["t%d" % number]
                self.assertEqual((reject["code"], reject["record"]["v"]), ("key-duplicate", "second"))
                self.assertIn("number 2 of chunk", reject["reason"])
        self.assertEqual(len(self.rejects()), len(SPELLINGS))

    def test_spellings_in_new_tables(self):
        self.make_source("k")
        self.plan("{ partition: k }", True)
        self.assert_second_is_rejected()

    def test_spellings_in_tables_that_are_there(self):
        self.make_source("p, k")
        for number, kind in enumerate(SPELLINGS):
            self.ask("CREATE TABLE t%d (p text, k %s, v text, PRIMARY KEY (p, k))" % (number, kind))
        self.plan("{ partition: p, clustering: k }", False)
        self.assert_second_is_rejected()

    def test_clustering_decimals_are_equal_by_value(self):
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE t (p TEXT NOT NULL, k TEXT NOT NULL, v TEXT, PRIMARY KEY (p, k)) STRICT;"
                                                    "INSERT INTO t VALUES ('p', '1.0', 'first'), ('p', '1.00', "
                                                    "'second'), ('p', '2', 'other');")
        self.ask("CREATE TABLE t (p text, k decimal, v text, PRIMARY KEY (p, k))")
        self.write("plan.yaml", "transhume: 1\nsource: source.db\ntarget: \"%s\"\nexisting: upsert\ntables:\n"
                                "  t: { key: { partition: p, clustering: k }, from: t, fields: { \"*\": copy } }\n"
                   % self.server.uri(self.keyspace))
        self.run_program("migrate", "--plan", "plan.yaml", "--max-rejects", "100", "--quiet", code=1)
        self.assertEqual(self.ask("SELECT v FROM t"), [("first",), ("other",)])
        self.assertEqual([reject["record"]["v"] for reject in self.rejects()], ["second"])

    def test_nested_decimals_are_equal_by_value_in_clustering_columns(self):
        self.ask("CREATE TYPE priced (d decimal, e int)")
        with sqlite3.connect(self.path("source.db")) as source:
            for number, (kind, texts) in enumerate(NESTED.items()):
                source.execute("CREATE TABLE c%d (p TEXT, k TEXT, v TEXT)" % number)
                source.executemany("INSERT INTO c%d VALUES ('p', ?, ?)" % number, zip(texts, ("first", "second")))
                self.ask("CREATE TABLE c%d (p text, k %s, v text, PRIMARY KEY (p, k))" % (number, kind))
                self.ask("CREATE TABLE p%d (k %s PRIMARY KEY, v text)" % (number, kind))
        source.close()
        self.write("plan.yaml", "transhume: 1\nsource: source.db\ntarget: \"%s\"\nexisting: upsert\ntables:\n%s" % (
            self.server.uri(self.keyspace), "".join(
                "  c%d: { key: { partition: p, clustering: k }, from: c%d, fields: { \"*\": copy } }\n"
                "  p%d: { key: { partition: k }, from: c%d, fields: { k: { column: k }, v: { column: v } } }\n"
                % ((number,) * 4)
                for number in range(len(NESTED)))))
        self.run_program("migrate", "--plan", "plan.yaml", "--max-rejects", "100", "--quiet", code=1)
        rejects = {reject["table"]: reject["record"]["v"] for reject in self.rejects()}
        for number, kind in enumerate(NESTED):
            with self.subTest(type=kind):
                self.assertEqual(self.ask("SELECT v FROM c%d" % number), [("first",)])
                self.assertEqual(rejects.get("c%d" % number), "second")
                self.assertEqual(len(self.ask("SELECT v FROM p%d" % number)), 2)
        self.assertEqual(len(self.rejects()), len(NESTED))

    def test_keys_of_cassandra(self):
        for kind, (keys, _) in OWN.items():
            self.ask("CREATE TABLE t_%s (k %s, n int, v text, PRIMARY KEY ((k, n)))" % (kind, kind))
            for number, key in enumerate(keys):
                self.ask("INSERT INTO t_%s (k, n, v) VALUES (%s, 1, '%d')" % (kind, key, number))
        first, self.keyspace = self.keyspace, self.server.database()
        self.run_program("migrate", self.server.uri(first), self.server.uri(self.keyspace), "--max-rejects", "100",
                         "--quiet", code=1)
        for kind, (keys, rows) in OWN.items():
            with self.subTest(type=kind):
                rejected = [reject["record"]["v"] for reject in self.rejects() if reject["table"] == "t_" + kind]
                kept = [v for v, in self.ask("SELECT v FROM t_" + kind)]
                self.assertEqual(len(kept), rows)
                self.assertEqual(sorted(kept + rejected), [str(number) for number in range(len(keys))])

    def test_a_reject_can_be_loaded(self):
        support.make_sqlite(self.path("source.db"), "CREATE TABLE t (k TEXT PRIMARY KEY NOT NULL, v TEXT) STRICT;"
                                                    "INSERT INTO t VALUES ('::1', 'one'), ('0:0:0:0:0:0:0:1', 'two'), "
                                                    "('::0002', 'other');")
        self.write("plan.yaml", "transhume: 1\nsource: source.db\ntarget: \"%s\"\ntables:\n"
                                "  t: { key: { partition: k }, columns: { k: { type: inet } }, from: t, "
                                "fields: { \"*\": copy } }\n" % self.server.uri(self.keyspace))
        result = self.run_program("migrate", "--plan", "plan.yaml", "--max-rejects", "1", code=1)
        self.assertNotIn("not in the source any more", result.err)
        with open(self.path(".transhume/rejects/settled.jsonl"), encoding="utf-8") as file:
            self.write("again.jsonl", file.read().replace("0:0:0:0:0:0:0:1", "::3"))
        self.run_program("migrate", "--plan", "plan.yaml", "--rejects", "again.jsonl", "--quiet")
        self.assertEqual(sorted(self.ask("SELECT k, v FROM t")), [("::1", "one"), ("::2", "other"), ("::3", "two")])

    def test_skip_does_not_skip_what_is_of_the_run(self):
        self.ask("CREATE TABLE t (k inet PRIMARY KEY, v text)")
        self.ask("INSERT INTO t (k, v) VALUES ('::9', 'there')")
        support.make_sqlite(self.path("source.db"), "CREATE TABLE t (k TEXT, v TEXT);"
                                                    "INSERT INTO t VALUES ('::1', 'a'), ('0::1', 'b'), ('::9', 'c'), "
                                                    "('::2', 'd'), ('0::2', 'd'), ('0::9', 'e');")
        self.write("plan.yaml", "transhume: 1\nsource: source.db\ntarget: \"%s\"\nexisting: skip\ntables:\n"
                                "  t: { key: { partition: k }, from: t, fields: { \"*\": copy } }\n"
                   % self.server.uri(self.keyspace))
        result = self.run_program("migrate", "--plan", "plan.yaml", "--max-rejects", "3", "--progress", "none", code=1)
        self.assertRegex(result.out, r"(?m)^ *t +6 +2 +3 +1 ")
        kept = dict(self.ask("SELECT k, v FROM t"))
        rejected = {reject["record"]["k"]: reject for reject in self.rejects()}
        self.assertEqual(kept.pop("::9"), "there")
        self.assertEqual(sorted(kept), ["::1", "::2"])
        self.assertEqual(sorted([*kept.values(), *(reject["record"]["v"] for reject in rejected.values())]),
                         ["a", "b", "d", "d", "e"])
        self.assertEqual({reject["code"] for reject in rejected.values()}, {"key-duplicate"})
        self.run_program("validate", "--plan", "plan.yaml", code=1)

    def test_most_keys_are_proven(self):
        """Looking for duplicates costs something, so it is left out where a type has one spelling."""
        kinds = ("text", "int", "bigint", "uuid", "timestamp", "date", "inet", "blob", "frozen<list<text>>")
        self.ask("CREATE TABLE ordered (p int, k decimal, b boolean, PRIMARY KEY (p, k, b))")
        for number, kind in enumerate(kinds):
            self.ask("CREATE TABLE t%d (k %s PRIMARY KEY, v text)" % (number, kind))
        first, self.keyspace = self.keyspace, self.server.database()
        result = self.run_program("check", self.server.uri(first), self.server.uri(self.keyspace))
        self.assertEqual(result.out.count("proven"), len(kinds) + 1, result.out)
        self.assertNotIn("looked for", result.out)


if __name__ == "__main__":
    unittest.main()
