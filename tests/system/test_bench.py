"""
What the benches make of runs: one table, the fastest of the others, and an exit code that tells a missed mark from a
bench that can't run.
"""
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import sys
import types
import unittest
from unittest import mock

import support

BENCH = os.path.join(support.ROOT, "bench")
sys.path.insert(0, BENCH)
import harness
import sql_pairs
from sql_peers import Peer

LOADER = importlib.machinery.SourceFileLoader("bench_run", os.path.join(BENCH, "run"))
SCRIPT = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_run", LOADER))
LOADER.exec_module(SCRIPT)


def bench_of(name, *rows, error=None):
    def run(_):
        yield from rows
        if error is not None:
            raise error
    return types.SimpleNamespace(NAME=name, run=run)


def a_run(wall_s):
    return harness.Run(wall_s=wall_s, user_s=1, system_s=0, peak_kib=1024, exit=0)


MET, MISSED = (harness.at_most("x", "seconds", value, 1, "s") for value in (1, 2))


class Codes(unittest.TestCase):
    def run_benches(self, *benches):
        """The exit code, and the verdicts of the one table."""
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as said:
            code = SCRIPT.run_benches(None, benches)
        head, rows = out.getvalue().strip().split("\n|---|---|---|---|---|\n")
        self.assertEqual(head, "| bench | figure | measured | mark | |")
        self.said = said.getvalue()
        return code, [row.split("|")[5].strip() for row in rows.split("\n")]

    def test_every_mark_met(self):
        self.assertEqual(self.run_benches(bench_of("a", MET, harness.fact("a", "b", "c"))), (0, ["met", ""]))

    def test_a_mark_missed(self):
        self.assertEqual(self.run_benches(bench_of("a", MISSED), bench_of("b", MET)), (1, ["**MISSED**", "met"]))

    def test_a_bench_that_cannot_run(self):
        for error in (harness.Failed("it did not"), AssertionError("psql: no table"), OSError("no file")):
            self.assertEqual(self.run_benches(bench_of("a", error=error), bench_of("b", MET)), (3, ["", "met"]))
            self.assertIn("a: ", self.said)
            self.assertIn(str(error), self.said)

    def test_a_mark_missed_beside_it(self):
        self.assertEqual(self.run_benches(bench_of("a", MISSED), bench_of("b", error=harness.Failed("no")))[0], 1)


class Pair(sql_pairs.Pair):
    NAME, FASTEST = "pair", 0.5


class Fastest(unittest.TestCase):
    def tell(self, *rivals):
        """`rivals`: (name, seconds)."""
        row, = Pair().tell_fastest([a_run(3), a_run(3), a_run(30)],
                                   [(Peer(name, "", []), [a_run(seconds)]) for name, seconds in rivals])
        return row

    def test_it_is_the_mark_s(self):
        row = self.tell(("slow", 9), ("quick", 5), ("slower", 12))
        self.assertEqual((row.figure, row.measured, row.ok), (
            "time against the fastest of slow, quick, slower: quick", "0.600 x", False))
        self.assertTrue(self.tell(("slow", 9), ("slower", 12)).ok)

    def test_none_of_them_ran(self):
        self.assertIsNone(self.tell().ok)

    def test_slow_and_failing_peers_are_not_run_for_ever(self):
        for runs, failed, enough in (([], None, False), ([], (1, "no"), False), ([], (2, "no"), True),
                                     ([a_run(7)], None, False),
                                     ([a_run(9)], None, True), ([a_run(7)], (2, "no"), False)):
            self.assertEqual(Pair.is_enough(runs, failed, [a_run(1)]), enough, (runs, failed))


class Arrived(unittest.TestCase):
    def test_values_types_and_keys_are_told(self):
        pair = sql_pairs.SqliteToPostgres()
        pair.true_sums = [str(number) for number in range(9)]
        for sums, types, told in ((pair.true_sums, ["id bigint, r real", "8", "1"],
                                   "every value as in the source; NOT NULL of 8 columns; its key; id bigint, r real"),
                                  (["0", "1", "x", "3", "4", "5", "y", "7", "8"], ["id bigint", "0", "0"],
                                   "other values than the source's in b, r; NOT NULL of 0 columns; no key; id bigint")):
            target = mock.Mock(ask=mock.Mock(side_effect=[[sums], [types]]))
            self.assertEqual(pair.look(target), told)


if __name__ == "__main__":
    unittest.main()
