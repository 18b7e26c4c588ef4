"""
Static columns of Cassandra as a target: one value a partition, whatever the records say, on a real node, read back by
the Python driver.
"""
import json
import os
import shutil
import signal
import sqlite3
import time
import unittest

import cassandra_server
import support

PLAN = """transhume: 1
source: source.db
target: "%s"
existing: %s
tables:
  t:
    key: { partition: p, clustering: c, static: [s, n] }
    from: t
    fields: { "*": copy }
"""
TABLE = "CREATE TABLE t (p INTEGER, c INTEGER, s TEXT, n INTEGER, v TEXT, PRIMARY KEY (p, c));"
# (p, c): (s, n, v). Of partition 1 the first says x, of 2 a null, 3 agrees, in 4 n contradicts.
ROWS = {(1, 1): ("x", 1, "a"), (1, 2): ("y", 1, "b"), (1, 3): ("x", 1, "c"), (2, 1): (None, 1, "d"),
        (2, 2): ("z", 1, "e"),
        (3, 1): ("w", 1, "f"), (3, 2): ("w", 1, "g"), (4, 1): ("v", 1, "h"), (4, 2): ("v", 2, "i"),
        (4, 3): ("v", None, "j")}
LOSERS = [(1, 2), (2, 2), (4, 2), (4, 3)]


class Static(support.TestCase):
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

    def prepare(self, rows=ROWS, existing="refuse", table=TABLE):
        if os.path.exists(self.path("source.db")):
            os.unlink(self.path("source.db"))
        support.make_sqlite(self.path("source.db"), table)
        with sqlite3.connect(self.path("source.db")) as database:
            database.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", [key + row for key, row in rows.items()])
        self.write("plan.yaml", PLAN % (self.uri(), existing))

    def make_there(self):
        self.ask("CREATE TABLE t (p bigint, c bigint, s text static, n bigint static, v text, PRIMARY KEY (p, c))")

    def migrate(self, *options, code=0, **settings):
        return self.run_program("migrate", "--plan", "plan.yaml", "--quiet", *options, code=code, **settings)

    def rows(self):
        return {(row[0], row[1]): tuple(row[2:]) for row in self.ask("SELECT p, c, s, n, v FROM t")}

    def lost(self, **options):
        """What was rejected, by key."""
        return {(reject["record"]["p"], reject["record"]["c"]): reject for reject in self.rejects(**options)}

    def assert_settled(self):
        self.assertEqual(self.rows(), {key: row for key, row in ROWS.items() if key not in LOSERS})
        rejects = self.lost()
        self.assertEqual(sorted(rejects), LOSERS)
        for key, column, theirs, kept in ((LOSERS[0], "s", "y", "x"), (LOSERS[1], "s", "z", "null"),
                                          (LOSERS[2], "n", "2", "1"), (LOSERS[3], "n", "null", "1")):
            reject = rejects[key]
            self.assertEqual(reject["code"], "constraint")
            self.assertRegex(reject["reason"], "static column %s: .*%s.*%s.*partition p = %d" % (column, theirs, kept,
                key[0]))

    # --- contradictions

    def test_the_first_record_of_a_partition_decides(self):
        self.prepare()
        self.migrate("--max-rejects", "10", code=1)
        self.assert_settled()
        self.run_program("validate", "--plan", "plan.yaml", code=1)
        self.assertFalse([key for key in self.ask('SELECT * FROM "_transhume_ledger"') if "spill" in str(key)])

    def test_after_a_kill(self):
        for point in ("cassandra.after_answer", "cassandra.before_restore", "cassandra.after_restore"):
            with self.subTest(point=point):
                self.keyspace = self.server.database()
                self.prepare()
                killed = support.transhume("migrate", "--plan", "plan.yaml", "--quiet", "--max-rejects", "10",
                                           "--state", point, cwd=self.folder,
                                           env={"TRANSHUME_FAILPOINT": point + ":kill:1"})
                self.assert_code(killed, -signal.SIGKILL)
                result = self.run_program("resume", "--plan", "plan.yaml", "--progress", "none", "--max-rejects", "10",
                                          "--state", point, code=1)
                self.assertNotRegex(result.err, "copying it again|in doubt")
                self.assertEqual(self.rows(), {key: row for key, row in ROWS.items() if key not in LOSERS})

    def test_what_is_proven_costs_nothing(self):
        """Of a source partition with the same static columns, and of what is looked up by the partition key."""
        self.make_there()
        for p, c, s, n, v in ((1, 1, "x", 1, "a"), (1, 2, "x", 1, "b"), (2, 1, "y", 2, "c")):
            self.ask("INSERT INTO t (p, c, s, n, v) VALUES (%s, %s, %s, %s, %s)", p, c, s, n, v)
        other = self.server.database()
        self.run_program("migrate", self.uri(), self.server.uri(other), "--quiet")
        self.assertFalse([key for key in self.server.ask(other, 'SELECT * FROM "_transhume_ledger"')
                          if "spill" in str(key)])

    def test_partitions_without_rows_that_become_one(self):
        """
        Keys of Cassandra's own that are two there and one as they are written; the order of tokens decides which record
        is the first.
        """
        self.ask("CREATE TABLE t (p decimal, c int, s text static, v text, PRIMARY KEY (p, c))")
        for p, s in (("20", "first"), ("2E+1", "second"), ("30", "same"), ("3E+1", "same"), ("40", "same"),
                     ("50", "alone"), ("60", "only")):
            self.ask("INSERT INTO t (p, s) VALUES (%s, '%s')" % (p, s))
        for p, s in (("4E+1", "same"), ("5E+1", "row")):
            self.ask("INSERT INTO t (p, c, s, v) VALUES (%s, 1, '%s', 'v')" % (p, s))
        first, self.keyspace = self.uri(), self.server.database()
        self.run_program("migrate", first, self.uri(), "--quiet", "--max-rejects", "9", code=1)
        kept = {int(row[0]): row[1:] for row in self.ask("SELECT p, c, s, v FROM t")}
        self.assertEqual({p: kept.pop(p) for p in (30, 40, 60)},
                         {30: (None, "same", None), 40: (1, "same", "v"), 60: (None, "only", None)})
        self.assertIn(kept.pop(20)[1], ("first", "second"))
        self.assertIn(kept.pop(50), ((None, "alone", None), (1, "row", "v")))
        self.assertEqual(kept, {})
        self.assertEqual([int(reject["record"]["p"]["$decimal"])
                          for reject in sorted(self.rejects(), key=lambda reject: reject["record"]["p"]["$decimal"])],
                         [20, 30, 40, 50])
        self.run_program("validate", first, self.uri(), code=1)

    # --- tables that are there

    def there(self):
        """Partition 1 has a row, 2 static values alone, 3 a row without static values."""
        self.ask("CREATE TABLE t (p bigint, c bigint, s text static, n bigint static, v text, PRIMARY KEY (p, c))")
        self.ask("INSERT INTO t (p, c, s, n, v) VALUES (1, 100, 'there', 7, 'old')")
        self.ask("INSERT INTO t (p, s, n) VALUES (2, 'alone', 8)")
        self.ask("INSERT INTO t (p, c, v) VALUES (3, 100, 'bare')")

    def test_append_and_skip_leave_static_values_as_they_are(self):
        rows = {(1, 1): ("there", 7, "agrees"), (1, 2): ("other", 7, "a"), (1, 100): ("other", 7, "same key"),
                (2, 1): ("alone", 8, "agrees"), (2, 2): ("other", 8, "a"),
                (3, 1): (None, None, "agrees"), (3, 2): ("other", None, "a"), (4, 1): ("new", None, "a"),
                (4, 2): ("new", None, "b"), (5, 1): (None, None, "a")}
        for existing, lost in (("append", [(1, 2), (1, 100), (2, 2), (3, 2)]), ("skip", [(1, 2), (2, 2), (3, 2)])):
            with self.subTest(existing=existing):
                self.keyspace = self.server.database()
                self.there()
                self.prepare(rows, existing)
                self.migrate("--max-rejects", "9", "--state", existing, code=1)
                self.assertEqual(sorted(self.lost(state=existing)), lost)
                self.assertRegex(self.lost(state=existing)[(1, 2)]["reason"],
                                 'static column s: .*"other".*"there".*partition p = 1')
                kept = {key: row for key, row in rows.items() if key not in lost and key != (1, 100)}
                self.assertEqual(self.rows(), {**kept, (1, 100): ("there", 7, "old"), (3, 100): (None, None, "bare")})

    def test_what_the_plan_has_no_field_for_stays(self):
        for existing in ("upsert", "replace"):
            with self.subTest(existing=existing):
                self.keyspace = self.server.database()
                self.there()
                self.prepare({(1, 1): ("x", 1, "a"), (2, 1): ("x", 1, "b")}, existing)
                self.write("plan.yaml", (PLAN % (self.uri(), existing)).replace("static: [s, n]",
                                                                                "static: [n]").replace('"*": copy',
                                                                                    '"*": copy, s: { drop: true }'))
                self.migrate("--state", existing)
                self.assertEqual(self.rows(), {(1, 1): ("there", 1, "a"), (1, 100): ("there", 1, "old"),
                                               (2, 1): ("alone", 1, "b"), (3, 100): (None, None, "bare")})

    def test_what_can_not_be_rolled_back_is_told_before(self):
        self.there()
        self.prepare({(1, 1): ("x", 1, "a")}, "upsert")
        self.assertIn("can't be rolled back: its static column", self.run_program("check", "--plan", "plan.yaml").out)
        self.migrate()
        self.run_program("rollback", "--plan", "plan.yaml", "--confirm", "--run", self.run_id(), code=5)

    # --- times to live

    def prepare_ttl(self, rows, existing="refuse"):
        """Rows of p, c, s, v and the moment at which each is over."""
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE IF NOT EXISTS t (p INTEGER, c INTEGER, s TEXT, v TEXT, e INTEGER, "
                            "PRIMARY KEY (p, c));")
        with sqlite3.connect(self.path("source.db")) as database:
            database.execute("DELETE FROM t")
            database.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", rows)
        self.write("plan.yaml", (PLAN % (self.uri(), existing)).replace("static: [s, n]",
                                                                        "static: [s]").replace("from: t",
                                                                            "ttl: e\n    from: t"))

    def test_a_record_whose_time_is_over_is_skipped(self):
        now = int(time.time())
        rows = [(1, 1, "x", "live", now + 5000), (2, 1, "y", "over", now - 5), (3, 1, "z", "for ever", None),
                (3, 2, "other", "over", now - 5)]
        for existing in ("refuse", "upsert", "replace", "append", "skip"):
            with self.subTest(existing=existing):
                self.keyspace = self.server.database()
                if existing != "refuse":
                    self.ask("CREATE TABLE t (p bigint, c bigint, s text static, v text, e bigint, PRIMARY KEY (p, c))")
                self.prepare_ttl(rows, existing)
                self.migrate("--state", existing)
                self.assertEqual(sorted(self.ask("SELECT p, c, s, v FROM t")),
                                 [(1, 1, "x", "live"), (3, 1, "z", "for ever")])

    def test_a_static_value_outlives_the_rows(self):
        """A time to live is the row's: whichever record says the static value, it has none."""
        now = int(time.time())
        rows = [(1, 1, "x", "for ever", None), (1, 2, "x", "ends", now + 5000), (2, 1, "y", "ends", now + 5000),
                (3, 1, None, "ends", now + 5000)]
        for existing in ("refuse", "upsert", "replace", "append"):
            with self.subTest(existing=existing):
                self.keyspace = self.server.database()
                if existing != "refuse":
                    self.ask("CREATE TABLE t (p bigint, c bigint, s text static, v text, e bigint, PRIMARY KEY (p, c))")
                self.prepare_ttl(rows, existing)
                self.migrate("--state", existing)
                self.assert_lives(rows)
        # a repair, once as it is and once above a time that is ahead
        self.ask("DELETE FROM t WHERE p = 2")
        self.ask("UPDATE t USING TIMESTAMP %d SET s = 'ahead', v = 'ahead' WHERE p = 1 AND c = 2"
                 % ((now + 600) * 10 ** 6))
        self.ask("UPDATE t USING TIMESTAMP %d SET v = 'ahead' WHERE p = 1 AND c = 1" % ((now + 600) * 10 ** 6))
        self.run_program("validate", "--plan", "plan.yaml", "--state", "repair", "--repair", "--confirm")
        self.assert_lives(rows)

    def test_the_first_record_decides_even_if_it_is_over_by_then(self):
        over = int(time.time()) + 8
        self.prepare_ttl([(1, 1, "x", "first", over), (1, 2, "y", "contradicts", None), (1, 3, "x", "agrees", None)])
        killed = support.transhume("migrate", "--plan", "plan.yaml", "--quiet", "--max-rejects", "9", cwd=self.folder,
                                   env={"TRANSHUME_FAILPOINT": "cassandra.before_restore:kill:1"})
        self.assert_code(killed, -signal.SIGKILL)
        time.sleep(max(0, over + 1 - time.time()))
        self.run_program("resume", "--plan", "plan.yaml", "--quiet", "--max-rejects", "9", code=1)
        self.assertEqual([tuple(row) for row in self.ask("SELECT p, c, s, v FROM t")], [(1, 3, "x", "agrees")])

    def assert_lives(self, rows):
        found = {tuple(row[:4]): tuple(left is not None for left in row[4:])
                 for row in self.ask("SELECT p, c, s, v, ttl(s), ttl(v) FROM t")}
        self.assertEqual(found, {row[:4]: (False, row[4] is not None) for row in rows})

    def test_the_first_record_wins_over_times_that_are_ahead(self):
        """Under another partition key the static values and the rows of `p` meet, with times of their own."""
        now = int(time.time())
        self.ask("CREATE TABLE t (p int, c int, s text static, v text, PRIMARY KEY (p, c))")
        for p in range(6):
            ahead = (now + (p - 1) * 1000) * 10 ** 6
            self.ask("UPDATE t USING TIMESTAMP %d AND TTL %d SET s = 's%d' WHERE p = %d" % (ahead, 5000 + p, p % 3, p))
            self.ask("INSERT INTO t (p, c, v) VALUES (%d, 1, 'v%d') USING TIMESTAMP %d" % (p, p, ahead))
        target = self.server.database()
        self.write("plan.yaml", """transhume: 1
source: "%s"
target: "%s"
tables:
  t: { key: { partition: c, clustering: p, static: [s] }, from: t, fields: { "*": copy } }
""" % (self.uri("?times=true"), self.server.uri(target)))
        self.migrate("--max-rejects", "9", code=1)
        kept = {reject["record"]["s"] for reject in self.rejects()}
        rows = self.server.ask(target, "SELECT p, s, v, ttl(s) FROM t")
        first = rows[0][1]
        self.assertNotIn(first, kept)
        self.assertEqual(sorted(tuple(row) for row in rows), [(p, first, "v%d" % p, None) for p in range(6)
                                                              if "s%d" % (p % 3) == first])
        self.run_program("validate", "--plan", "plan.yaml", code=1)

    # --- lists, whose elements add up where a list is written twice at one time

    LISTS = "CREATE TABLE t (p bigint, c bigint, sl list<int> static, v text, PRIMARY KEY (p, c))"

    def lists(self, keyspace=None):
        return sorted(tuple(row) for row in self.server.ask(keyspace or self.keyspace, "SELECT p, c, sl, v FROM t"))

    def assert_repairs_lists(self, target, right):
        self.server.ask(target, "UPDATE t SET sl = [9] WHERE p = 1")
        self.run_program("validate", "--plan", "plan.yaml", "--state", "repair", "--repair", "--confirm")
        self.assertEqual(self.lists(target), right)
        shutil.rmtree(self.path("repair"))

    def test_a_list_out_of_cassandra_is_written_once(self):
        """Of whole partitions, and of others, whose records come apart."""
        self.ask(self.LISTS)
        right = sorted([(p, c, [p, p + 1], "v%d" % (c % 3)) for p in range(4) for c in range(40)] + [(7, 1, None, "x")])
        for p, c, sl, v in right:
            self.ask("INSERT INTO t (p, c, v) VALUES (%s, %s, %s)", p, c, v)
            self.ask("UPDATE t SET sl = %s WHERE p = %s", sl, p)
        for options, existing, partition in (("", "refuse", "p"), ("?times=true", "refuse", "p"), ("", "upsert", "p"),
                                             ("?times=true", "replace", "p"), ("", "upsert", "[p, v]"),
                                             ("?batch_rows=3", "refuse", "p")):
            with self.subTest(options=options, existing=existing, partition=partition):
                target = self.server.database()
                reading = options if "times" in options else ""
                self.write("plan.yaml", """transhume: 1
source: "%s"
target: "%s"
existing: %s
tables:
  t: { key: { partition: %s, clustering: c, static: [sl] }, from: t, fields: { "*": copy } }
""" % (self.uri(reading), self.server.uri(target, options.replace(reading, "")), existing, partition))
                if existing != "refuse":
                    self.server.ask(target, self.LISTS.replace("(p, c)",
                                                               "((p, v), c)" if "v" in partition else "(p, c)"))
                state = "%s-%s-%d" % (options[1:], existing, len(partition))
                self.migrate("--state", state)
                self.assertEqual(self.lists(target), right)
                if partition == "p":
                    self.assertFalse([key for key in self.server.ask(target, 'SELECT * FROM "_transhume_ledger"')
                                      if "spill" in str(key)])
                    self.assert_repairs_lists(target, right)
                if existing == "upsert":
                    self.migrate("--state", state + "-again")
                    self.assertEqual(self.lists(target), right)

    def prepare_lists(self, existing, rows):
        support.make_sqlite(self.path("source.db"), """DROP TABLE IF EXISTS t; DROP TABLE IF EXISTS owner;
            CREATE TABLE owner (p INTEGER PRIMARY KEY, sl TEXT); CREATE TABLE t (p INTEGER REFERENCES owner, c INTEGER, sl TEXT, v TEXT, PRIMARY KEY (p, c));
            INSERT INTO owner VALUES (1, '[1, 2]'), (2, '[7]'), (3, '[3]');""")
        with sqlite3.connect(self.path("source.db")) as database:
            database.executemany("INSERT INTO t VALUES (?, ?, ?, 'v')", rows)
        if existing != "refuse":
            self.ask(self.LISTS)
        self.write("plan.yaml", (PLAN % (self.uri(), existing)).replace("static: [s, n] }",
                                                                        'static: [sl] }\n    columns: { sl: { type: '
                                                                        '"list<int>" } }'))

    def test_a_list_that_records_from_anywhere_say(self):
        rows = [(1, c, "[1, 2]") for c in range(5)] + [(2, 1, "[7]"), (3, 1, "[3]"), (3, 2, "[3, 3]"), (3, 3, "[3]")]
        right = sorted((p, c, json.loads(sl), "v") for p, c, sl in rows if (p, c) != (3, 2))
        for existing, lookup in (("refuse", False), ("upsert", False), ("refuse", True), ("replace", True)):
            with self.subTest(existing=existing, lookup=lookup):
                self.keyspace = self.server.database()
                self.prepare_lists(existing, rows)
                if lookup:
                    self.write("plan.yaml", open(self.path("plan.yaml"), encoding="utf-8").read().replace("copy }",
                        "copy, sl: { lookup: owner, column: sl } }"))
                self.migrate("--max-rejects", "9", "--state", existing + str(lookup), code=0 if lookup else 1)
                self.assertEqual(self.lists(), sorted(right + [(3, 2, [3], "v")]) if lookup else right)
        self.keyspace = self.server.database()
        self.prepare_lists("upsert", rows)
        killed = support.transhume("migrate", "--plan", "plan.yaml", "--quiet", "--max-rejects", "9", cwd=self.folder,
                                   env={"TRANSHUME_FAILPOINT": "cassandra.after_answer:kill:1"})
        self.assert_code(killed, -signal.SIGKILL)
        self.run_program("resume", "--plan", "plan.yaml", "--quiet", "--max-rejects", "9", code=1)
        self.assertEqual(self.lists(), right)

    def test_a_list_stays_when_the_record_that_brings_it_is_refused(self):
        self.ask(self.LISTS)
        self.ask("INSERT INTO t (p, c, sl, v) VALUES (1, 1, [1, 2], %s)", "x" * 70000)
        for c in range(2, 5):
            self.ask("INSERT INTO t (p, c, v) VALUES (1, %s, 'v')", c)
        target = self.server.database()
        self.server.ask(target, self.LISTS)
        self.server.ask(target, "CREATE INDEX ON t (v)")
        result = self.run_program("migrate", self.uri(), self.server.uri(target), "--existing", "upsert", "--quiet",
                                  "--max-rejects", "1", code=1)
        self.assertEqual(self.lists(target), [(1, c, [1, 2], "v") for c in range(2, 5)], result)

    def test_a_file_of_rejects_has_a_partition_in_any_order(self):
        self.ask(self.LISTS)
        for p in (1, 2):
            for c in range(4):
                self.ask("INSERT INTO t (p, c, sl, v) VALUES (%s, %s, [1, 2], %s)", p, c, "x" * (70000 if c else 1))
        right = self.lists()
        target = self.server.database()
        self.server.ask(target, self.LISTS)
        self.server.ask(target, "CREATE INDEX wide ON t (v)")
        self.run_program("migrate", self.uri(), self.server.uri(target), "--existing", "upsert", "--quiet",
                         "--max-rejects", "9", code=1)
        self.server.ask(target, "DROP INDEX wide")
        with open(self.path("lost.jsonl"), "w", encoding="utf-8") as file:
            rejects = sorted(self.rejects(), key=lambda reject: (reject["record"]["c"], reject["record"]["p"]))
            file.writelines(json.dumps(reject) + "\n" for reject in rejects)
        self.run_program("migrate", self.uri(), self.server.uri(target), "--existing", "upsert", "--quiet", "--rejects",
                         "lost.jsonl", "--state", "again")
        self.assertEqual(self.lists(target), right)

    # --- repairs

    def validate(self, state, code):
        """As somebody who does not know what the run rejected."""
        return self.run_program("validate", "--plan", "plan.yaml", "--state", state, "--repair", "--confirm", code=code)

    def test_a_repair_does_not_change_what_others_say(self):
        self.prepare()
        self.migrate("--max-rejects", "10", code=1)
        for state in ("first", "second"):
            result = self.validate(state, 1)
            self.assertIn("4 records contradict others of the same partition in a static column", result.out)
            self.assertRegex(result.err,
                             'static column s: it is "y" here, and "x" in the rows that are there of the '
                             'partition p = 1')
            self.assert_settled()

    def test_a_repair_of_a_value_that_all_records_say(self):
        self.prepare({key: row for key, row in ROWS.items() if key not in LOSERS})
        self.migrate()
        self.ask("UPDATE t SET s = 'changed' WHERE p = 3")
        self.ask("DELETE FROM t WHERE p = 4")
        self.validate("first", 0)
        self.assertEqual(self.rows(), {key: row for key, row in ROWS.items() if key not in LOSERS})

    def test_extra_records_are_not_what_the_source_says(self):
        """Of partition 1 all rows differ but an extra one; of 2 there are extra ones alone."""
        rows = {key: row for key, row in ROWS.items() if key not in LOSERS}
        self.prepare(rows)
        self.migrate()
        self.ask("UPDATE t SET s = 'bad' WHERE p = 1")
        self.ask("INSERT INTO t (p, c, v) VALUES (1, 99, 'extra')")
        self.ask("DELETE FROM t WHERE p = 2")
        self.ask("INSERT INTO t (p, c, s, v) VALUES (2, 99, 'bad', 'extra')")
        result = self.validate("first", 1)
        self.assertIn("3 records have another value of a static column than extra records of the partition",
                      " ".join(result.out.split()))
        self.assertNotIn("contradict", result.out)
        self.assertEqual({key[1] for key in self.rows() if key[0] == 2}, {99})
        self.run_program("validate", "--plan", "plan.yaml", "--state", "second", "--repair", "--delete-extra",
                         "--confirm")
        self.assertEqual(self.rows(), rows)
        self.run_program("validate", "--plan", "plan.yaml", "--state", "third")


if __name__ == "__main__":
    unittest.main()
