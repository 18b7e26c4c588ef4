"""What tests/run promises of itself: seeds, budgets, and the modules that it picks for a change."""
import argparse
import contextlib
import importlib.machinery
import importlib.util
import io
import os
import re
import subprocess
import sys
import unittest
from unittest import mock

import engines
import pool
import support
from runner import changes
from runner import pool as pool_of_run

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
        self.assertEqual((self.seed(TRANSHUME_SEED="77"), self.seed(TRANSHUME_SOAK="1", TRANSHUME_SEED="77")),
                         ("77", "77"))

    def test_it_is_told_first_and_last(self):
        run, out = module(), io.StringIO()
        only = [run.Module("layers", "check", [os.path.join(support.ROOT, "tests", "layers")])]
        with (mock.patch.dict(os.environ, TRANSHUME_SEED="77"),
              mock.patch.object(sys, "argv", ["run", "--build", support.BUILD, "layers"]),
              mock.patch.object(run, "find_modules", lambda build: only), contextlib.redirect_stdout(out)):
            self.assertEqual(run.main(), 0)
        lines = out.getvalue().splitlines()
        self.assertIn("TRANSHUME_SEED=77", lines[0])
        self.assertEqual(lines[-2:], [lines[0], "1 passed, 0 failed, 0 skipped"])

    def test_what_is_no_number(self):
        for seed in ("", "x", "-1", "1.5"):
            result = subprocess.run([sys.executable, PROGRAM, "--list"], text=True, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE,
                                    env=dict(os.environ, TRANSHUME_SEED=seed))
            self.assertEqual((result.returncode, result.stdout), (2, ""))
            self.assertIn("TRANSHUME_SEED is no number", result.stderr)


class Budgets(support.TestCase):
    def test_a_module_over_its_budget(self):
        budgets = module().budgets
        record = {"unit/test_a": {"processor": budgets.USUAL_S + 1},
                  "system/test_limits": {"processor": budgets.USUAL_S + 1}}
        outcome = budgets.check(record, 1.0)
        self.assertEqual(outcome.result, "failed")
        self.assertIn("unit/test_a took %d s" % (budgets.USUAL_S + 1), outcome.detail)
        self.assertNotIn("test_limits", outcome.detail)
        self.assertEqual(budgets.check(record, 1.5).result, "passed")   # on a slower processor

    def test_the_pace_of_this_machine(self):
        pace = module().budgets.Pace()
        self.assertEqual(pace.factor(), 1.0)
        pace.measure()
        self.assertGreaterEqual(pace.factor(), 1.0)
        pace.seconds = [0.1 * module().budgets.REFERENCE_S, 3 * module().budgets.REFERENCE_S, 9.0]
        self.assertAlmostEqual(pace.factor(), 3.0)

    def test_of_long_tests_a_share_is_run(self):
        """Of each module at least one, and all that are not long."""
        budgets = module().budgets
        long = {"system/test_a.A.test_%d" % number for number in range(7)} | {"system/test_b.B.test_only"}
        with mock.patch.object(budgets, "long_tests", lambda: long):
            left = [budgets.left_out("system/test_a", [*(name for name in long if "test_a" in name),
                                                       "system/test_a.A.test_short"], seed) for seed in "112"]
            self.assertEqual(budgets.left_out("system/test_b", {"system/test_b.B.test_only"}, "1"), set())
        self.assertEqual([len(names) for names in left], [5, 5, 5])
        self.assertEqual(left[0], left[1])
        self.assertLessEqual(left[0] | left[2], long - {"system/test_b.B.test_only"})

    def test_what_was_left_is_told_by_module(self):
        line = module().budgets.left_line
        name = "system/test_follow_mysql"
        self.assertIsNone(line(name, {"of": 9, "by_share": 0, "long": 0}))
        told = line(name, {"of": 9, "by_share": 6, "long": 2})
        self.assertRegex(told, r"^system/test_follow_mysql +8 of +9 tests: 6 as one in 3 of this module is run, "
                               r"2 as one in 5 of its long ones is run$")

    def test_what_changed_is_run_whole(self):
        run = module()
        for words, drawn in (([], True), (["--changed"], False), (["--changed", "HEAD"], False), (["layers"], False),
                             (["--drawn", "--changed"], True)):
            with mock.patch.object(sys, "argv", ["run", "--build", support.BUILD, *words]), \
                    mock.patch.dict(os.environ, TRANSHUME_SOAK="0"):
                self.assertEqual(run.parse_arguments().drawn, drawn, words)

    def test_each_line_of_the_table_is_a_module_and_has_a_reason(self):
        run = module()
        names = [found.name for found in run.find_modules(support.BUILD)]
        self.assertEqual(run.budgets.unknown(names), [])
        self.assertEqual({name.partition(".")[0] for name in run.budgets.long_tests()} - set(names), set())
        self.assertTrue(all(seconds > run.budgets.USUAL_S and reason
                            for seconds, reason in run.budgets.LARGER.values()))
        self.assertEqual(set(run.WAITING) - set(names), set())


class Shared(support.TestCase):
    """The pool, with a program that holds no server."""
    HOLD = """
import os, signal, sys
with open(%r, "a") as file: file.write("%%d\\n" %% os.getpid())
if sys.argv[1] == "none": sys.exit("no such server: this one is for nobody")
print(4711, flush=True)
signal.pause()
"""

    def setUp(self):
        super().setUp()
        hold = self.write("hold", self.HOLD % self.path("started"))
        with mock.patch.object(pool_of_run, "HOLD", hold):
            self.pool = pool_of_run.Pool(dict(os.environ, SERVERS_FOLDER=self.folder))
            self.asked = [self.ask(kind) for kind in ("one", "one", "none", "two", "one", "none")]

    def ask(self, kind):
        with mock.patch.dict(os.environ, TRANSHUME_POOL=self.pool.path):
            try:
                return pool.port(kind)
            except unittest.SkipTest as reason:
                return str(reason)

    def test_one_of_a_kind_for_all_and_for_the_run(self):
        reason = "no such server: this one is for nobody"
        self.assertEqual(self.asked, [4711, 4711, reason, 4711, 4711, reason])
        with open(self.path("started"), encoding="ascii") as file:
            started = [int(line) for line in file]
        self.assertEqual(len(started), 3)
        self.pool.end()
        self.assertEqual(sorted(self.pool.processor_seconds), ["one", "two"])
        self.assertGreater(sum(self.pool.processor_seconds.values()), 0)
        for process in started:
            self.assertRaises(ProcessLookupError, os.kill, process, 0)
        self.assertEqual(sorted(os.listdir(self.folder)), ["hold", "started"])


class Engines(support.TestCase):
    def test_each_database_of_the_contract_suite_has_its_file(self):
        with open(os.path.join(support.ROOT, "tests", "contract", "main.c"), encoding="utf-8") as file:
            entries = re.findall(r'{\.name = "([^"]+)"', file.read())
        places = {"csv-s3"}   # files in another place, by the connector of csv
        self.assertEqual(sorted(set(entries) - places), sorted(engine.NAME for engine in engines.all()))

    def test_the_pairs_of_an_ordinary_run(self):
        whole = engines.all_pairs()
        for seed in (1, 2, 77):
            pairs = engines.pairs(seed)
            self.assertEqual(len(pairs), len(set(map(names, pairs))))
            self.assertLessEqual(set(map(names, engines.star())), set(map(names, pairs)))
            self.assertEqual(set(map(engines.class_of, pairs)), set(map(engines.class_of, whole)))
            self.assertLess(len(pairs), len(whole))
        self.assertNotEqual(*(list(map(names, engines.pairs(seed))) for seed in (1, 2)))

    def test_one_pair_of_each_class(self):
        chosen = [tuple(map(engines.of, pair)) for pair in engines.one_of_each_class(map(names, engines.all_pairs()),
            3)]
        classes = list(map(engines.commits_of, chosen))
        self.assertEqual(sorted(classes), sorted(set(map(engines.commits_of, engines.all_pairs()))))


def names(pair):
    return pair[0].NAME, pair[1].NAME


class Changed(support.TestCase):
    """A tree with a change in it, and what `--changed` picks."""
    FILES = {
        "src/base/a.h": "", "src/base/a.c": '#include "base/a.h"\n', "src/plan/p.h": '#include "base/a.h"\n',
        "src/plan/p.c": '#include "p.h"\n',
        "src/plan/q.c": '#include "q.h"\n#include "plan/p.h"\n', "src/plan/q.h": "", "src/cli/c.c": "",
        "src/connectors/csv/w.c": "",
        "src/connectors/postgres/w.c": "", "src/connectors/sql/s.c": "",
        "tests/unit/test_p.c": '#include "plan/p.h"\n', "tests/unit/test_o.c": "",
        "tests/system/test_one.py": "import helper\n",
        "tests/system/helper.py": "import postgres\n", "tests/system/test_two.py": "'csv:a'\n",
        "tests/faults/test_three.py": "sqlite\n"}
    MODULES = ("unit/test_p", "unit/test_o", "contract/csv", "contract/postgres", "contract/sqlite", "system/test_one",
               "system/test_two", "faults/test_three",
               "layers")

    def setUp(self):
        super().setUp()
        for name, text in self.FILES.items():
            os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
            self.write(name, text)
        for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "all")):
            self.git(*words)

    def git(self, *words):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *words], cwd=self.folder, check=True,
                       stdout=subprocess.DEVNULL)

    def picked(self, *files):
        for name in files:
            self.write(name, self.FILES.get(name, "") + "\n")
        found, _ = changes.pick(self.folder, self.MODULES, "HEAD")
        self.git("checkout", "-q", ".")
        return {name for name, _ in found}

    def test_by_the_graph_of_includes(self):
        programs = {"system/test_one", "system/test_two", "faults/test_three", "layers"}
        self.assertEqual(self.picked("src/plan/p.h"), programs | {"unit/test_p"})
        self.assertEqual(self.picked("src/plan/p.c"), programs | {"unit/test_p"})
        self.assertEqual(self.picked("src/plan/q.c"), programs | {"unit/test_p"})   # it may define what p.h declares
        self.assertEqual(self.picked("src/plan/q.h"), programs)
        self.assertLessEqual(programs | {"unit/test_p", "contract/csv", "contract/postgres", "contract/sqlite"},
                             self.picked("src/base/a.h"))

    def test_by_the_databases_that_are_named(self):
        self.assertEqual(self.picked("src/connectors/csv/w.c"), {"contract/csv", "system/test_two", "layers"})
        self.assertEqual(self.picked("src/connectors/postgres/w.c"), {"contract/postgres", "system/test_one", "layers"})
        self.assertEqual(self.picked("src/connectors/sql/s.c"),
                         {"contract/postgres", "contract/sqlite", "system/test_one", "faults/test_three", "layers"})

    def test_tests_and_what_they_import(self):
        self.assertEqual(self.picked("tests/system/helper.py"), {"system/test_one"})
        self.assertEqual(self.picked("tests/system/test_two.py"), {"system/test_two"})
        self.assertEqual(self.picked("tests/unit/test_o.c"), {"unit/test_o", "layers"})

    def test_modules_in_a_folder_below(self):
        os.makedirs(self.path("tests", "system", "real"))
        self.write("tests/system/real/test_job.py", "import steps\n")
        self.write("tests/system/real/test_other.py", "")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "jobs")
        self.write("tests/system/real/steps.py", "import postgres\n")
        found, _ = changes.pick(self.folder, ("system/real/test_job", "system/real/test_other"), "HEAD")
        self.assertEqual([name for name, _ in found], ["system/real/test_job"])

    def test_a_change_of_the_commands(self):
        self.assertEqual(self.picked("src/cli/c.c"), {"system/test_one", "system/test_two", "layers"})

    def test_what_git_does_not_know_yet_and_what_no_commit_is(self):
        self.write("src/connectors/csv/new.c", "")
        self.assertIn("contract/csv", dict(changes.pick(self.folder, self.MODULES, "")[0]))
        self.assertEqual(changes.pick(self.folder, self.MODULES, "no-such")[0], None)

    def test_on_a_branch_all_of_it(self):
        self.git("checkout", "-q", "-b", "work")
        for name in ("src/connectors/csv/w.c", "src/connectors/postgres/w.c"):
            self.write(name, "\n")
            self.git("commit", "-q", "-a", "-m", name)
        self.assertLessEqual({"contract/csv", "contract/postgres"},
                             set(dict(changes.pick(self.folder, self.MODULES, "")[0])))


if __name__ == "__main__":
    unittest.main()
