"""Cassandra as a source, against a real node that the Python driver filled."""
import collections
import contextlib
import glob
import json
import sqlite3
import unittest

import cassandra_server
import support

TYPES = """CREATE TYPE phone (kind text, number text);
CREATE TYPE address (street text, phones list<frozen<phone>>, zip int);
CREATE TABLE kinds (id int PRIMARY KEY, a_ascii ascii, a_big bigint, a_blob blob, a_bool boolean, a_date date, a_decimal decimal, a_double double,
  a_duration duration, a_float float, a_inet inet, a_list list<timestamp>, a_map map<text, frozen<set<int>>>, a_set set<text>, a_small smallint, a_text text,
  a_time time, a_timestamp timestamp, a_timeuuid timeuuid, a_tiny tinyint, a_tuple tuple<int, text>, a_udt frozen<address>, a_uuid uuid, a_varint varint,
  a_vector vector<float, 3>, "Quoted ""name" text);
INSERT INTO kinds (id) VALUES (1);
INSERT INTO kinds (id, a_ascii, a_big, a_blob, a_bool, a_date, a_decimal, a_double, a_duration, a_float, a_inet, a_list, a_map, a_set, a_small, a_text, a_time,
  a_timestamp, a_timeuuid, a_tiny, a_tuple, a_udt, a_uuid, a_varint, a_vector, "Quoted ""name")
VALUES (2, 'plain', -9223372036854775808, 0x00ff, true, '2020-02-29', 12.340, 0.1, 1mo2d3s, 1.5, '::1', ['1969-12-31T23:59:59.999Z'], {'x': {2, 1}}, {'b', 'a'},
  -32768, 'dü€😀', '23:59:59.999999999', '2024-03-31T01:30:00.123Z', 50554d6e-29bb-11e5-b345-feff819cdc9f, -128, (7, null),
  {street: 's', phones: [{kind: 'home', number: '1'}], zip: null}, 123e4567-e89b-12d3-a456-426614174000, -170141183460469231731687303715884105728, [1, -2.5, 0],
  'x')"""
FOUND = {"id": 2, "a_ascii": "plain", "a_big": -2**63, "a_blob": "AP8=", "a_bool": True, "a_date": "2020-02-29",
         "a_double": 0.1, "a_duration": "P1M2DT3S",
         "a_float": 1.5, "a_inet": "::1", "a_list": [{"$timestamp": "1969-12-31T23:59:59.999Z"}],
         "a_map": {"x": {"$set": [1, 2]}}, "a_set": ["a", "b"], "a_small": -32768,
         "a_text": "dü€😀", "a_time": "23:59:59.999999999", "a_timestamp": "2024-03-31T01:30:00.123Z",
         "a_timeuuid": "50554d6e-29bb-11e5-b345-feff819cdc9f",
         "a_tiny": -128, "a_tuple": [7, None], "a_udt": {"street": "s", "phones": [{"kind": "home", "number": "1"}],
                                                         "zip": None},
         "a_uuid": "123e4567-e89b-12d3-a456-426614174000", "a_vector": [1, -2.5, 0], 'Quoted "name': "x"}
EVENTS = """CREATE TABLE event (tenant text, day int, at int, seq int, body text, plan text static, PRIMARY KEY ((tenant, day), at, seq))
  WITH CLUSTERING ORDER BY (at DESC, seq ASC)"""
PLAN = """
transhume: 1
source: "%s"
target: "%s"
tables:
  found:
    key: [%s]
    %s
"""


class Source(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cassandra_server.shared_for_class(cls)

    def made(self, script):
        name = self.server.database()
        self.server.run_script(name, script)
        return name

    def events(self, tenants, days, each):
        """A keyspace with so many partitions, with `each` rows."""
        name = self.made(EVENTS)
        self.server.fill(name, "INSERT INTO event (tenant, day, at, seq, body) VALUES (?, ?, ?, ?, ?)",
                         [("t%d" % tenant, day, n // 3, n % 3, "body %d" % n) for tenant in range(tenants)
                          for day in range(days) for n in range(each)])
        return name

    def migrate(self, source, target, *options, code=0):
        return self.run_program("migrate", source, target, "--quiet", *options, code=code)

    def run_plan(self, name, entity, key, options="", code=0, target="sqlite:out.db"):
        self.write("plan.yaml", PLAN % (self.server.uri(name, options), target, key, entity))
        return self.run_program("migrate", "--plan", "plan.yaml", "--quiet", code=code)

    def rows(self, sql, file="out.db"):
        with contextlib.closing(sqlite3.connect(self.path(file))) as db:
            return db.execute(sql).fetchall()

    def assert_events(self, name, file="out.db"):
        found = self.rows("SELECT tenant, day, at, seq, body, plan FROM event", file)
        wanted = self.server.ask(name, "SELECT tenant, day, at, seq, body, plan FROM event")
        self.assertEqual(collections.Counter(found), collections.Counter(row for row in wanted if row[2] is not None))

    # --- values

    def test_every_type(self):
        name = self.made(TYPES)
        self.migrate(self.server.uri(name), "jsonl:out")
        texts = {json.loads(line)["id"]: line for path in glob.glob(self.path("out", "kinds", "*.jsonl"))
                 for line in support.read_lines(path)}
        found = json.loads(texts[2])
        self.assertIn('12.340', texts[2])
        self.assertIn('-170141183460469231731687303715884105728', texts[2])
        for column in ("a_decimal", "a_varint"):
            del found[column]
        self.assertEqual(found, FOUND)
        self.assertEqual({key: value for key, value in json.loads(texts[1]).items() if value is not None}, {"id": 1})

    def test_counters(self):
        name = self.made("CREATE TABLE hits (page text, day int, n counter, PRIMARY KEY (page, day))")
        for n in range(50):
            self.server.ask(name, "UPDATE hits SET n = n + %s WHERE page = %s AND day = %s", n - 25, "p%d" % (n % 7), n)
        self.migrate(self.server.uri(name), "sqlite:out.db")
        self.assertEqual(sorted(self.rows("SELECT page, day, n FROM hits")),
                         sorted(("p%d" % (n % 7), n, n - 25) for n in range(50)))

    def test_times(self):
        """They go with a record, into its reject too; what has none of its own has the record's."""
        name = self.made("CREATE TABLE t (k int PRIMARY KEY, a text, b text, l list<int>)")
        self.server.ask(name,
                        "INSERT INTO t (k, a, l) VALUES (1, 'x', [1]) USING TIMESTAMP 1700000000000001 AND TTL 100000")
        self.server.ask(name, "UPDATE t USING TIMESTAMP 1700000000000002 SET b = 'y' WHERE k = 1")
        self.run_plan(name, "from: t\n    fields: { '*': copy, b: { column: b, cast: int64 } }", "k", "?times=true",
                      code=1)
        reject, = self.rejects()
        self.assertEqual((reject["write_time"], reject.get("ttl", 0)), (1700000000000002, 0))
        self.assertEqual(list(reject["cell_times"]), ["a"])
        self.assertEqual(reject["cell_times"]["a"]["write_time"], 1700000000000001)
        self.assertTrue(90000 < reject["cell_times"]["a"]["ttl"] <= 100000, reject)

    # --- ranges and pages

    def test_spans_and_pages_add_up(self):
        name = self.events(40, 5, 20)
        self.migrate(self.server.uri(name, "?page_rows=10"), "sqlite:out.db", "--chunk-rows", "150")
        self.assert_events(name)
        self.assertGreater(len(json.loads(self.rows("SELECT json_group_array(name) FROM _transhume_ledger")[0][0])), 10)

    def test_one_large_partition(self):
        name = self.events(1, 1, 3000)
        self.migrate(self.server.uri(name, "?page_rows=64"), "sqlite:out.db", "--chunk-rows", "100")
        self.assert_events(name)

    def test_empty_table(self):
        self.migrate(self.server.uri(self.made(EVENTS)), "sqlite:out.db")
        self.assertEqual(self.rows("SELECT count(*) FROM event"), [(0,)])

    def test_old_protocols(self):
        name = self.events(3, 3, 30)
        for version in (3, 4):
            self.migrate(self.server.uri(name, "?protocol=%d" % version), "sqlite:v%d.db" % version, "--state",
                         "v%d" % version)
            self.assert_events(name, "v%d.db" % version)

    # --- static columns

    def test_a_partition_without_rows(self):
        name = self.events(4, 1, 5)
        self.server.ask(name, "UPDATE event SET plan = 'gold' WHERE tenant = 't1' AND day = 0")
        self.server.ask(name, "UPDATE event SET plan = 'alone' WHERE tenant = 'nobody' AND day = 9")
        self.migrate(self.server.uri(name), "sqlite:out.db", code=1)
        self.assert_events(name)
        self.assertEqual(self.rows("SELECT count(*) FROM event WHERE plan = 'gold'"), [(5,)])
        reject, = self.rejects()
        self.assertEqual((reject["code"], reject["reason"]), ("key-null",
                                                              "the partition has static values and no rows"))
        self.assertEqual({key: value for key, value in reject["key"].items() if value is not None},
                         {"tenant": "nobody", "day": 9})
        self.assertEqual({key: value for key, value in reject["record"].items() if value is not None},
                         {"tenant": "nobody", "day": 9, "plan": "alone"})

    def test_static_columns_by_a_query(self):
        name = self.events(3, 1, 4)
        self.server.ask(name, "UPDATE event SET plan = 'alone' WHERE tenant = 'nobody' AND day = 9")
        self.run_plan(name, 'query: "SELECT DISTINCT tenant, day, plan FROM %s.event"\n    fields: { "*": copy }'
                      % name, "tenant, day")
        self.assertEqual(sorted(self.rows("SELECT tenant, day, plan FROM found")),
                         [("nobody", 9, "alone"), ("t0", 0, None), ("t1", 0, None), ("t2", 0, None)])

    # --- views and queries

    def test_a_view(self):
        name = self.events(5, 2, 6)
        self.server.ask(name,
                        "CREATE MATERIALIZED VIEW by_body AS SELECT tenant, day, at, seq, "
                        "body FROM event WHERE body IS NOT NULL AND tenant IS NOT NULL AND day IS NOT NULL "
                              "AND at IS NOT NULL AND seq IS NOT NULL PRIMARY KEY (body, tenant, day, at, seq)")
        self.wait_until("the view is built", lambda: self.server.ask(name, "SELECT count(*) FROM by_body") == [(60,)])
        self.run_plan(name, 'from: by_body\n    fields: { "*": copy }', "body, tenant, day, at, seq")
        self.assertEqual(self.rows("SELECT count(*) FROM found"), [(60,)])

    def test_a_query(self):
        name = self.events(5, 4, 30)
        self.run_plan(name,
                      "query: \"/* of one */ SELECT tenant, day, at, seq AS n FROM event WHERE tenant = 't3' AND day "
                      "IN (1, 2)\"\n"
                            '    fields: { "*": copy }', "tenant, day, at, n", "?page_rows=10")
        self.assertEqual(self.rows("SELECT count(*), min(day), max(day), max(at) FROM found"), [(60, 1, 2, 9)])

    def test_no_query(self):
        name = self.made(EVENTS)
        for text, said in (("DELETE FROM %s.event WHERE tenant = 'a' AND day = 1" % name, "no SELECT"),
                           ("SELECT * FROM %s.event WHERE tenant = ? AND day = 1" % name, "parameters"),
                           ("SELECT * FROM %s.nothing" % name, "nothing")):
            result = self.run_plan(name, 'query: "%s"\n    fields: { "*": copy }' % text, "tenant", code=2)
            self.assertIn(said, result.err)

    # --- by key, what changed

    def test_validate(self):
        name = self.events(20, 5, 10)
        self.migrate(self.server.uri(name), "sqlite:out.db")
        for level in ("sample", "full"):
            self.run_program("validate", "--level", level, "--quiet", code=0)
        self.server.ask(name, "UPDATE event SET body = 'other' WHERE tenant = 't3' AND day = 1 AND at = 2 AND seq = 1")
        self.server.ask(name, "DELETE FROM event WHERE tenant = 't4' AND day = 1 AND at = 2 AND seq = 1")
        self.run_program("validate", "--level", "full", "--repair", "--delete-extra", "--confirm", "--quiet", code=0)
        self.assert_events(name)

    def test_an_unknown_keyspace(self):
        result = self.migrate(self.server.uri("nowhere"), "sqlite:out.db", code=2)
        self.assertIn("there is no keyspace nowhere", result.err)


class Tombstones(support.TestCase):
    """A node that gives up reading early."""

    @classmethod
    def setUpClass(cls):
        cls.server = cassandra_server.for_class(cls, settings={"tombstone_failure_threshold": 300,
                                                               "tombstone_warn_threshold": 200}, durable=False)

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        self.server.ask(self.name, "CREATE TABLE t (p int, c int, v text, PRIMARY KEY (p, c))")

    def fill(self, partitions, dead, live):
        self.server.fill(self.name, "DELETE FROM t WHERE p = ? AND c = ?",
                         [(p, c) for p in range(partitions) for c in range(dead)])
        self.server.fill(self.name, "INSERT INTO t (p, c, v) VALUES (?, ?, 'v')",
                         [(p, c + dead) for p in range(partitions) for c in range(live)])

    def test_ranges_are_cut(self):
        self.fill(60, 50, 7)
        self.run_program("migrate", self.server.uri(self.name), "sqlite:out.db", "--quiet")
        with contextlib.closing(sqlite3.connect(self.path("out.db"))) as db:
            self.assertEqual(db.execute("SELECT count(*), count(DISTINCT p) FROM t").fetchall(), [(60 * 7, 60)])

    def test_ranges_are_cut_between_pages(self):
        """Within the partition that a page ended in, too."""
        self.fill(60, 60, 1)
        self.server.fill(self.name, "INSERT INTO t (p, c, v) VALUES (?, ?, 'v')",
                         [(p, c) for p in range(100, 130) for c in range(45)])
        self.run_program("migrate", self.server.uri(self.name, "?page_rows=20"), "sqlite:out.db", "--quiet")
        with contextlib.closing(sqlite3.connect(self.path("out.db"))) as db:
            self.assertEqual(db.execute("SELECT count(*), count(DISTINCT p) FROM t").fetchall(), [(60 + 30 * 45, 90)])

    def test_one_partition_of_too_many(self):
        self.fill(3, 400, 2)
        result = self.run_program("migrate", self.server.uri(self.name), "sqlite:out.db", "--quiet", code=3)
        self.assertIn("tombstone", result.err)


if __name__ == "__main__":
    unittest.main()
