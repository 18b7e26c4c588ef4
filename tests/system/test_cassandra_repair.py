"""
Repairs of Cassandra against times that are ahead, reads at a lower consistency, large partitions: on a real node, read
back by the Python driver.
"""
import contextlib
import json
import sqlite3
import time
import unittest

import cassandra_server
import support

PLAN = """transhume: 1
source: source.db
target: "%s"
tables:
  t:
    key: { partition: p, clustering: c, static: [s] }
    columns: { l: { type: "list<text>" } }
    from: t
    fields: { "*": copy, l: { column: l, cast: list } }
"""
ROWS = """CREATE TABLE t (p INTEGER, c INTEGER, s TEXT, v TEXT, n INTEGER, l TEXT, PRIMARY KEY (p, c));
INSERT INTO t SELECT p, c, 'static ' || p, 'value ' || c, CASE c WHEN 1 THEN NULL ELSE c END, '["a", "' || c || '"]'
FROM (SELECT 1 AS p UNION SELECT 2 UNION SELECT 3), (SELECT 1 AS c UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5);"""
MINUTES, DAYS = 60 * 1000000, 86400 * 1000000


def ahead(microseconds):
    return int(time.time() * 1000000) + microseconds


class Cassandra(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cassandra_server.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.keyspace = self.server.database()

    def uri(self, options=""):
        return self.server.uri(self.keyspace, options)

    def ask(self, cql, *values):
        return self.server.ask(self.keyspace, cql, *values)


class Repair(Cassandra):
    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), ROWS)
        self.write("plan.yaml", PLAN % self.uri())
        self.run_program("migrate", "--plan", "plan.yaml", "--quiet")
        self.assert_rows()

    def validate(self, *options, code=0):
        return self.run_program("validate", "--plan", "plan.yaml", *options, code=code)

    def rows(self):
        return {(row[0], row[1]): (*row[2:5], row[5] and list(row[5]))
                for row in self.ask("SELECT p, c, s, v, n, l FROM t")}

    def assert_rows(self, **changed):
        wanted = {(p, c): ("static %d" % p, "value %d" % c, None if c == 1 else c, ["a", str(c)]) for p in (1, 2, 3)
                  for c in range(1, 6)}
        wanted.update(changed.get("but", {}))
        self.assertEqual(self.rows(), {key: row for key, row in wanted.items() if row is not None})

    def test_what_can_be_outranked(self):
        """By the time of now, or by one above that of a value which is an hour ahead at most: all of it is repaired."""
        self.ask("DELETE FROM t WHERE p = 1 AND c = 2")
        self.ask("UPDATE t USING TIMESTAMP %d SET v = 'ahead' WHERE p = 1 AND c = 3" % ahead(10 * MINUTES))
        self.ask("UPDATE t USING TIMESTAMP %d SET n = 5 WHERE p = 1 AND c = 1" % ahead(20 * MINUTES))
        self.ask("UPDATE t USING TIMESTAMP %d SET l = l + ['more'] WHERE p = 1 AND c = 4" % ahead(30 * MINUTES))
        self.ask("UPDATE t USING TIMESTAMP %d SET s = 'ahead' WHERE p = 2" % ahead(40 * MINUTES))
        self.ask("INSERT INTO t (p, c, v) VALUES (9, 9, 'extra') USING TIMESTAMP %d" % ahead(50 * MINUTES))
        result = json.loads(self.validate("--repair", "--delete-extra", "--confirm", "--json").out)
        self.assertEqual((result["repaired"], result["repair_rejected"]), (True, 0), result)
        self.assert_rows()
        self.validate()
        # only what differed was written ahead
        self.assertLess(self.ask("SELECT writetime(n) FROM t WHERE p = 1 AND c = 3")[0][0], ahead(0))

    def test_what_stays_hidden(self):
        """Never is it called repaired: each record is told with its reason, and so it is of the next repair."""
        self.ask("DELETE FROM t USING TIMESTAMP %d WHERE p = 1 AND c = 1" % ahead(30 * MINUTES))
        self.ask("DELETE v FROM t USING TIMESTAMP %d WHERE p = 1 AND c = 2" % ahead(30 * MINUTES))
        self.ask("UPDATE t USING TIMESTAMP %d SET v = 'ahead' WHERE p = 1 AND c = 3" % ahead(2 * DAYS))
        self.ask("UPDATE t USING TIMESTAMP %d SET n = 1 WHERE p = 2 AND c = 1" % ahead(2 * DAYS))
        self.ask("UPDATE t USING TIMESTAMP %d SET l = l + ['more'] WHERE p = 2 AND c = 4" % ahead(2 * DAYS))
        self.ask("INSERT INTO t (p, c, v) VALUES (9, 9, 'extra') USING TIMESTAMP %d" % ahead(2 * DAYS))
        self.ask("UPDATE t SET v = 'changed' WHERE p = 3 AND c = 3")
        for _ in range(2):
            result = self.validate("--repair", "--delete-extra", "--confirm", "--json", code=1)
            self.assertEqual((json.loads(result.out)["repaired"], json.loads(result.out)["repair_rejected"]),
                             (False, 5), result.out)
            self.assertRegex(result.err,
                             r"table t: the record of p = 9, c = 9 was deleted and is still there: it was written with "
                             r"a time that is ahead \(20")
            told = {(one["record"]["p"], one["record"]["c"]): (one["code"], one["reason"]) for one in self.rejects()}
            self.assertEqual({code for code, _ in told.values()}, {"hidden"})
            for key, reason in (((1, 1),
                                 "it was written and is not there: a deletion with a time that is ahead hides it"),
                                ((1, 2), "column v: it was written and reads as null: a deletion"),
                                ((1, 3),
                                 "column v: it was written, and a value that was written with a later time, 20"),
                                ((2, 1),
                                 "column n: it was written, and a value that was written with a later time, 20"),
                                ((2, 4),
                                 "column l: it was written, and a value that was written with a later time, 20")):
                self.assertIn(reason, told[key][1])
        self.assert_rows(but={(1, 1): None, (1, 2): ("static 1", None, 2, ["a", "2"]),
                              (1, 3): ("static 1", "ahead", 3, ["a", "3"]),
                              (2, 1): ("static 2", "value 1", 1, ["a", "1"]),
                              (2, 4): ("static 2", "value 4", 4, ["more", "a", "4"]),
                              (9, 9): (None, "extra", None, None)})


class Consistency(Cassandra):
    """Two copies on one node: QUORUM finds too few alive."""
    def setUp(self):
        super().setUp()
        self.ask("ALTER KEYSPACE %s WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2}"
                 % self.keyspace)

    def test_reads_fall_back(self):
        self.ask("CREATE TABLE t (p int, c int, v text, PRIMARY KEY (p, c))")
        self.server.fill(self.keyspace, "INSERT INTO t (p, c, v) VALUES (?, ?, 'v')",
                         [(p, c) for p in range(40) for c in range(3)])
        begun = time.monotonic()
        result = self.run_program("migrate", self.uri("?consistency=QUORUM&retries=1&retry_delay=0.2"), "sqlite:out.db",
                                  "--timeout", "1s", code=3)
        self.assertIn("unavailable: ", result.err)
        self.assertIn("QUORUM: 1 of 2 replicas alive", result.err)
        self.assertLess(time.monotonic() - begun, 4)
        result = self.run_program("migrate", self.uri("?consistency=QUORUM&fallback=ONE"), "sqlite:copy.db", "--state",
                                  "copy")
        self.assertIn("such reads are made at ONE instead of QUORUM", result.err)
        with open(self.path("copy", "report.json"), encoding="utf-8") as file:
            self.assertGreater(json.load(file)["source_use"]["fallbacks"], 0)
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
            self.assertEqual(db.execute("SELECT count(*) FROM t").fetchall(), [(120,)])

    def test_a_target_is_counted_and_fetched(self):
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b'), "
                            "(3, 'c')")
        target = self.uri("?consistency=QUORUM&fallback=ONE")
        self.run_program("migrate", "source.db", target, "--ledger", "sqlite:ledger.db", "--quiet")
        self.run_program("validate", "--level", "count")
        self.ask("DELETE FROM t WHERE id = 2")
        self.run_program("validate", "--repair", "--confirm")
        self.assertEqual(sorted(self.ask("SELECT id, v FROM t")), [(1, "a"), (2, "b"), (3, "c")])


class Partitions(Cassandra):
    PLAN = """transhume: 1
source: source.db
target: "%s"
tables:
  t: { key: { partition: [who], clustering: [id] }, from: t, fields: { id: copy, who: "c{customer}", v: copy } }
  all: { key: { partition: [kind], clustering: [id] }, from: t, fields: { id: copy, kind: { const: x } } }
  ninth: { key: { partition: [some], clustering: [id] }, from: t, fields: { id: copy, some: { sql: "id %% 9 > 0", cast: int64 } } }
  each: { key: { partition: [id] }, from: t, fields: { id: copy } }
  wide: { key: { partition: [customer], clustering: [id] }, from: wide, fields: { "*": copy } }
"""

    def test_large_ones_are_foretold(self):
        support.make_sqlite(self.path("source.db"), """CREATE TABLE t (id INTEGER PRIMARY KEY, customer INTEGER, v TEXT);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 130000) INSERT INTO t SELECT i, i > 120000, 'v' FROM n;
            CREATE TABLE wide (id INTEGER PRIMARY KEY, customer INTEGER, v BLOB);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150) INSERT INTO wide SELECT i, i > 130, zeroblob(1000000) FROM n;""")
        self.write("plan.yaml", self.PLAN % self.uri())
        told = " ".join(self.run_program("check", "--plan", "plan.yaml").out.split())
        self.assertRegex(told,
                         r"- t: the partition of customer = 0 would have about 120,000 rows and 3\.\d MiB; "
                         r"as a rule one should have no more than "
                               r"100,000 rows and 100.0 MiB: add a column to the partition key, or a bucket")
        self.assertRegex(told, r"- all: the partition of all records would have about 130,000 rows and ")
        self.assertRegex(told, r"- wide: the partition of customer = 0 would have about 130 rows and 12\d\.\d MiB;")
        # by a sample, since the source can't group by it
        self.assertRegex(told, r"- ninth: the partition of some = 1 would have about 11\d,\d\d\d rows and ")
        self.assertEqual(told.count("the partition of"), 4, told)
        killed = support.kill_at("engine.before_ledger_create", 1, "migrate", "--plan", "plan.yaml", "--progress",
                                 "none", cwd=self.folder)
        self.assertEqual(killed.err.count("the partition of"), 4, killed.err)


if __name__ == "__main__":
    unittest.main()
