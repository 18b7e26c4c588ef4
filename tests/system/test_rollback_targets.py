"""Rollback and starting over when the state folder's run goes to another target than the one that is named."""
import json
import os
import sqlite3
import unittest

import refusals
import support

SCRIPT = "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three');"
WHERE = ("-q", "--chunk-rows", 1, "--no-express")


class Targets(refusals.TestCase):

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), SCRIPT)
        support.make_sqlite(self.path("two.db"), "CREATE TABLE other(a); INSERT INTO other VALUES (1);")

    def read(self, *names):
        with open(self.path(*names), encoding="utf-8") as file:
            return json.load(file)

    def count(self, name):
        with sqlite3.connect("file:%s?mode=ro" % self.path(name), uri=True) as db:
            count = db.execute("SELECT count(*) FROM t").fetchone()[0]
        db.close()
        return count

    def kill(self, point, *arguments, occurrence=1):
        self.assertEqual(support.kill_at(point, occurrence, *arguments, cwd=self.folder).code, -9)

    def half_taken_back(self, point="rollback.before_table", retired=False):
        """The id of a run into one.db whose rollback was killed."""
        self.run_program("migrate", *WHERE, "source.db", "one.db")
        run = self.run_id()
        if retired:
            self.run_program("migrate", *WHERE, "source.db", "later.db")
        self.kill(point, "rollback", "--run", run, "--confirm")
        return run

    def assert_state(self, run, status, retired=False):
        folder = (".transhume", "runs", run) if retired else (".transhume",)
        self.assertEqual((self.read(*folder, "state.json")["run"], self.read(*folder, "state.json")["status"]),
                         (run, status))
        self.assertEqual(self.run_id(os.path.join(*folder)), run)

    def test_another_target_ends_no_rollback(self):
        for retired in (False, True):
            for point in ("rollback.before_table", "rollback.before_local"):
                for flag in ("--confirm", "--dry-run"):
                    with self.subTest(retired=retired, point=point, flag=flag):
                        run = self.half_taken_back(point, retired)
                        self.refused("rollback", "--run", run, "two.db", flag, code=2, name="run-nothing",
                                     says=["one.db", run],
                                     unharmed=[self.path("two.db")])
                        self.assert_state(run, "rolling_back", retired)
                        if point == "rollback.before_table":
                            self.assertEqual(self.count("one.db"), 3)
                        self.assertIn("rolled back already" if point == "rollback.before_local" else "run " + run,
                                      self.run_program("rollback", "--run", run, "one.db", "--confirm").out)
                        self.assertFalse(os.path.exists(self.path("one.db")))
                        self.assertEqual(self.read(".transhume", "runs", run, "state.json")["status"], "rolled_back")
                        for target in ([], ["one.db"]):
                            self.assertIn("already", self.run_program("rollback", "--run", run, *target,
                                                                      "--confirm").out)
                        self.refused("rollback", "--run", run, "two.db", flag, code=2, name="run-nothing",
                                     says=["one.db", run])
                        self.setUp()

    def test_a_dry_run_ends_nothing_either(self):
        run = self.half_taken_back("rollback.before_local")
        self.assertIn("already", self.run_program("rollback", "--run", run, "--dry-run").out)
        self.assert_state(run, "rolling_back")

    def test_another_spelling_of_the_same_target(self):
        self.run_program("migrate", *WHERE, "source.db", "one.db")
        run = self.run_id()
        self.run_program("rollback", "--run", run, "sqlite:" + self.path("one.db"), "--confirm")
        self.assertFalse(os.path.exists(self.path(".transhume", "run.json")))
        self.assertEqual(self.read(".transhume", "runs", run, "state.json")["status"], "rolled_back")
        self.assertIn("already", self.run_program("rollback", "--run", run, "--confirm").out)

    def test_a_copy_of_the_target(self):
        self.run_program("migrate", *WHERE, "source.db", "one.db")
        run = self.run_id()
        support.shutil.copyfile(self.path("one.db"), self.path("copy.db"))
        self.run_program("rollback", "--run", run, "copy.db", "--confirm")
        self.assertFalse(os.path.exists(self.path("copy.db")))
        self.assert_state(run, "completed")
        self.assertEqual(self.count("one.db"), 3)
        self.assertIn("drop the table", self.run_program("rollback", "--run", run, "--confirm").out)
        self.assertFalse(os.path.exists(self.path("one.db")))

    def unfinished(self, target, state=".transhume"):
        self.kill("engine.after_commit", "migrate", *WHERE, "--state", state, "source.db", target)
        return self.run_id(state)

    def test_starting_over_elsewhere(self):
        os.remove(self.path("two.db"))
        ours, other = self.unfinished("one.db"), self.unfinished("two.db", "other")
        found = self.refused("migrate", "--restart", "--confirm", *WHERE, "source.db", "two.db", code=5,
                             name="run-unfinished",
                             says=[ours], unharmed=[self.path("one.db"), self.path("two.db")])
        self.assertIn("it goes to one.db", found.err)
        self.assertNotIn(other, found.err)
        self.assert_state(ours, "in_progress")
        self.assertFalse(os.path.exists(self.path(".transhume", "runs", other)))
        self.run_program("resume", "-q")
        self.assertEqual(self.count("one.db"), 3)
        self.run_program("migrate", "--restart", "--confirm", *WHERE, "source.db", "two.db")
        self.assertEqual(self.count("two.db"), 3)
        self.assertEqual(self.read(".transhume", "runs", ours, "state.json")["status"], "completed")
        self.assertEqual(self.read(".transhume", "runs", other, "state.json")["status"], "rolled_back")

    def test_starting_over_elsewhere_while_one_is_taken_back(self):
        os.remove(self.path("two.db"))
        run = self.unfinished("one.db")
        self.kill("rollback.before_local", "rollback", "--run", run, "--confirm")
        found = self.refused("migrate", "--restart", "--confirm", *WHERE, "source.db", "two.db", code=5,
                             name="run-unfinished", says=[run])
        self.assertIn("`transhume rollback --run %s --confirm`" % run, found.err)
        self.assert_state(run, "rolling_back")
        self.run_program("rollback", "--run", run, "--confirm")
        self.run_program("migrate", *WHERE, "source.db", "two.db")

    def test_starting_over_by_a_plan_after_a_run_elsewhere(self):
        os.remove(self.path("two.db"))
        self.write("plan.yaml", "transhume: 1\nsource: sqlite:source.db\ntarget: sqlite:two.db\n")
        self.run_program("migrate", *WHERE, "source.db", "one.db")
        other = self.unfinished("two.db", "other")
        self.refused("migrate", *WHERE, "--plan", "plan.yaml", code=5, name="run-unfinished", says=[other])
        self.run_program("migrate", *WHERE, "--restart", "--confirm", "--plan", "plan.yaml")
        self.assertEqual((self.count("one.db"), self.count("two.db")), (3, 3))


if __name__ == "__main__":
    unittest.main()
