"""What tests/run promises of itself: seeds, and how long the kill matrices may take."""
import argparse
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import subprocess
import sys
import unittest
from unittest import mock

import support

PROGRAM = os.path.join(support.ROOT, "tests", "run")


def module():
    loader = importlib.machinery.SourceFileLoader("tests_run", PROGRAM)
    loaded = importlib.util.module_from_spec(importlib.util.spec_from_loader("tests_run", loader))
    with mock.patch.object(sys, "dont_write_bytecode", True):
        loader.exec_module(loaded)
    return loaded


class Seeds(support.TestCase):
    def seed(self, **variables):
        with mock.patch.dict(os.environ, variables, clear=True):
            return module().test_environment(argparse.Namespace(build="build", sanitize=""))["TRANSHUME_SEED"]

    def test_ordinary_runs_have_one_and_soaks_one_each(self):
        self.assertEqual({self.seed() for _ in range(4)}, {"1"})
        drawn = {self.seed(TRANSHUME_SOAK="1") for _ in range(8)}
        self.assertGreater(len(drawn), 6)
        self.assertTrue(all(2 <= int(seed) <= 10 ** 9 for seed in drawn))
        self.assertEqual((self.seed(TRANSHUME_SEED="77"), self.seed(TRANSHUME_SOAK="1", TRANSHUME_SEED="77")), ("77", "77"))

    def test_it_is_told_first_and_last(self):
        run, out = module(), io.StringIO()
        only = [run.Module("layers", "check", os.path.join(support.ROOT, "tests", "layers"))]
        with mock.patch.dict(os.environ, TRANSHUME_SEED="77"), mock.patch.object(sys, "argv", ["run", "--build", support.BUILD, "layers"]), \
                mock.patch.object(run, "find_modules", lambda build: only), contextlib.redirect_stdout(out):
            self.assertEqual(run.main(), 0)
        lines = out.getvalue().splitlines()
        self.assertIn("TRANSHUME_SEED=77", lines[0])
        self.assertEqual(lines[-2:], [lines[0], "1 passed, 0 failed, 0 skipped"])

    def test_what_is_no_number(self):
        for seed in ("", "x", "-1", "1.5"):
            result = subprocess.run([sys.executable, PROGRAM, "--list"], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                    env=dict(os.environ, TRANSHUME_SEED=seed))
            self.assertEqual((result.returncode, result.stdout), (2, ""))
            self.assertIn("TRANSHUME_SEED is no number", result.stderr)


class KillMatrices(support.TestCase):
    def test_they_have_six_minutes(self):
        run = module()

        def result(jobs, *tests):
            return run.check_kill_matrices([run.Outcome(name, "passed", seconds, "") for name, seconds in tests], jobs)
        kills = [("faults/test_kill_csv.KillCsv.test_a", 500.0), ("faults/test_matrix_repairs.R.test_b", 100.0), ("faults/test_matrix_rollbacks.R.test_c", 119.0)]
        others = [("faults/test_matrix_network.N.test_d", 5000.0), ("system/test_cli.C.test_e", 5000.0)]
        self.assertEqual(result(2, *kills, *others).result, "passed")
        self.assertEqual(result(1, *kills, *others).result, "failed")
        late = result(2, *kills, ("faults/test_kill_x.X.test_f", 3.0))
        self.assertEqual(late.result, "failed")
        self.assertIn("722 s one after the other are 361 s for each of 2 workers, and 360 may be", late.detail)


if __name__ == "__main__":
    unittest.main()
