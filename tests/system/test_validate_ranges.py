"""
Validation between servers by ranges of a key of whole numbers: of both sides only the ranges that differ are read
again.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import mariadb
import postgres
import support
import tcp_proxy
import test_validate

ROWS = 9000
NUMBERS = {"postgres": "(SELECT i::bigint FROM generate_series(1, %d) i) n" % ROWS,
           "mysql": "(SELECT CAST(seq AS SIGNED) AS i FROM seq_1_to_%d) AS n" % ROWS}
# What is a key, and of the row i (from 1) its value; other keys go into buckets.
INT = ("int", "i * 3 - 5000")
WIDE = ("bigint", "CASE i WHEN 1 THEN -9223372036854775807 WHEN %d THEN 9223372036854775807 ELSE i END" % ROWS)
TEXT, NUMBER = ("varchar(20)", "concat('k', i)"), ("numeric(20)", "i * 1000000000000")


class Ranges(test_validate.Validate):
    @classmethod
    def setUpClass(cls):
        cls.servers = {"postgres": postgres.for_class(cls), "mysql": mariadb.for_class(cls)}

    def copied(self, source, target, key, *arguments):
        self.pair = (source, target)
        names = [self.servers[kind].database() for kind in self.pair]
        self.uris = [self.servers[kind].uri(name) for kind, name in zip(self.pair, names)]
        self.ask = lambda sql: self.servers[target].ask(names[1], sql)
        self.servers[source].ask(names[0],
                                 "CREATE TABLE t (id %s PRIMARY KEY, v text); INSERT INTO t SELECT %s, concat('v', "
                                 "i) FROM %s" % (
                                     *key, NUMBERS[source]))
        self.run_program("migrate", *arguments, *self.uris)

    def each_pair(self, key):
        """All pairs in a soak; else each server once as the source and once as the target."""
        ways = [list(zip(self.servers, self.servers)), list(zip(self.servers, reversed(self.servers)))]
        for source, target in (pair for way in support.drawn(ways, 1, self.id() + str(key)) for pair in way):
            with self.subTest(source=source, target=target, key=key):
                self.copied(source, target, key)
                yield
                self.run_program("finish", "--confirm")

    def found(self, report):
        return sorted((record["kind"], record["key"]["id"]) for record in report["records"])

    def bytes_read(self, code):
        """(what is found, bytes from and to each side)"""
        with tcp_proxy.CountingProxy(self.servers[self.pair[0]].port) as left, tcp_proxy.CountingProxy(
            self.servers[self.pair[1]].port) as right:
            uris = [uri.replace(":%d/" % self.servers[kind].port, ":%d/" % proxy.port)
                    for uri, kind, proxy in zip(self.uris, self.pair, (left, right))]
            report = self.validate(*uris, "--state", "other", code=code)
            return self.found(report), left.bytes, right.bytes

    def test_one_range_is_read_again(self):
        for key, rows in ((INT, (ROWS // 2,)), (WIDE, (0, ROWS - 1))):
            for _ in self.each_pair(key):
                ids = [row[0] for row in self.ask("SELECT id FROM t ORDER BY id")]
                found, left, right = self.bytes_read(0)
                self.assertEqual(found, [])
                for row in (0, 1, ROWS // 2, ROWS - 2, ROWS - 1) if support.SOAK else rows:
                    self.ask("UPDATE t SET v = 'other' WHERE id = %s" % ids[row])
                    found, left_again, right_again = self.bytes_read(1)
                    self.assertEqual(found, [("different", int(ids[row]))])
                    self.assertLess(left_again, left * 1.4)
                    self.assertLess(right_again, right * 1.4)
                    self.ask("UPDATE t SET v = 'v%d' WHERE id = %s" % (row + 1, ids[row]))

    def test_all_that_differs_is_found(self):
        """Also below the first key and above the last, and what has moved from one range into another."""
        missing = [("missing", id) for id in (-4997, 10000, 19000)]
        for _ in self.each_pair(INT):
            self.ask("INSERT INTO t VALUES (-5001, 'below'), (90000, 'above'), (2, 'between')")
            self.ask("DELETE FROM t WHERE id IN (-4997, 19000)")
            self.ask("UPDATE t SET id = 90001 WHERE id = 10000")
            for level in ("hash", "full"):
                self.assertEqual(self.found(self.validate("--level", level, code=1)),
                                 [("extra", id) for id in (-5001, 2, 90000, 90001)] + missing)
            self.run_program("validate", "--repair", "--delete-extra", "--confirm")
            for level in ("sample", "hash", "full"):
                self.assertEqual(self.validate("--level", level)["records"], [])

    def test_other_keys_are_compared_as_before(self):
        for key in (TEXT, NUMBER) if support.SOAK else (TEXT,):
            for _ in self.each_pair(key):
                id = self.ask("SELECT min(id) FROM t")[0][0]
                self.ask("UPDATE t SET v = 'other' WHERE id = '%s'" % id)
                self.assertEqual([(kind, str(key)) for kind, key in self.found(self.validate(code=1))],
                                 [("different", id)])

    def test_a_key_that_could_not_hold_a_bound(self):
        """The target's column is narrower than the source's, though all values fit."""
        plan = self.write("plan.yaml",
                          "transhume: 1\nsource: none\ntarget: none\ntables:\n  t:\n    from: t\n    key: [id]\n    "
                          "columns: "
                          "{ id: { type: smallint }, v: { type: text } }\n    fields: { id: copy, v: copy }\n")
        for source in self.servers:
            with self.subTest(source=source):
                self.copied(source, "postgres", ("int", "i"), "--plan", plan)
                self.assertEqual(self.ask("SELECT data_type FROM information_schema.columns WHERE table_name = 't' AND "
                                          "column_name = 'id'"),
                                 [["smallint"]])
                self.assertEqual(self.validate()["records"], [])
                self.ask("DELETE FROM t WHERE id = 5; INSERT INTO t VALUES (-32768, 'x')")
                self.assertEqual(self.found(self.validate(code=1)), [("extra", -32768), ("missing", 5)])
                self.run_program("finish", "--confirm")
