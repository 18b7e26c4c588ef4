"""state.json, status and reset: what people and scripts see of a run, at every moment whole."""
import json
import os
import re
import shutil
import signal
import time
import unittest

import refusals
import support

STAMP = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"
STATUSES = ("not_started", "in_progress", "completed", "failed")


class StateTestCase(refusals.TestCase):
    arguments = ("--chunk-rows", "20", "shop.db")

    def setUp(self):
        super().setUp()
        self.shop()

    def assert_form(self, state):
        """All that the documentation of state.json says."""
        self.assertEqual(state["format"], 1)
        self.assertIn(state["status"], STATUSES)
        self.assertRegex(state["run"], r"^\d{8}T\d{6}Z-\w+$")
        for name in ("started_at", "updated_at"):
            self.assertRegex(state[name], STAMP)
        self.assertLessEqual(state["started_at"], state["updated_at"])
        self.assertIsInstance(state["errors"], list)
        for error in state["errors"]:
            self.assertRegex(error["at"], STAMP)
            self.assertRegex(error["code"], r"^[a-z-]+$")
            self.assertTrue(error["message"])
        self.assertIsInstance(state["validation"], list)
        for table in state["tables"].values():
            self.assertIn(table["status"], STATUSES)
            self.assertEqual(table["records_migrated"],
                             sum(e["migrated"] for e in table["entities"].values()))
            for entity in table["entities"].values():
                self.assertIn("last_id", entity)
                self.assertIsInstance(entity["migrated"], int)
                self.assertTrue(entity["total"] is None or entity["migrated"] <= entity["total"])

    def status_json(self, *options):
        result = self.run_program("status", "--json", *options)
        return json.loads(result.out)


class StateFile(StateTestCase):
    def test_completed(self):
        for target in ("sqlite:copy.db", "dynamodb-json:out"):
            with self.subTest(target=target):
                folder = "state" + target[:4]
                self.run_program("migrate", "--state", folder, *self.arguments, target)
                state = self.state(folder)
                self.assert_form(state)
                self.assertEqual(state["status"], "completed")
                self.assertEqual(state["errors"], [])
                for name, rows in support.sqlite_counts(self.path("shop.db")).items():
                    table = state["tables"][name]
                    self.assertEqual((table["status"], table["total_records"], table["records_migrated"]),
                                     ("completed", rows, rows))
                    entity, = table["entities"].values()
                    self.assertEqual((entity["total"], entity["migrated"]), (rows, rows))

    def test_interrupted(self):
        for target in ("sqlite:copy.db", "dynamodb-json:out"):
            with self.subTest(target=target):
                shutil.rmtree(self.path(".transhume"), ignore_errors=True)
                self.interrupted("--jobs", "1", *self.arguments, target, commits=4)
                state = self.state()
                self.assert_form(state)
                self.assertEqual(state["status"], "in_progress")
                migrated = sum(t["records_migrated"] for t in state["tables"].values())
                self.assertLess(migrated, 40 + 120 + 240)
                self.run_program("resume", *self.arguments, target)
                state = self.state()
                self.assertEqual(state["status"], "completed")
                self.assertEqual(sum(t["records_migrated"] for t in state["tables"].values()), 400)

    def test_last_id_ends_the_unbroken_prefix(self):
        process = self.stopped("migrate", "--jobs", "1", "--include", "invoice", "--chunk-rows", "10", "shop.db",
                               "copy.db", failpoint="engine.after_commit", occurrence=5)
        time.sleep(0)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 4)
        entity = self.state()["tables"]["invoice"]["entities"]["invoice"]
        done = self.query(self.path("copy.db"), "SELECT max(id), count(*) FROM invoice")[0]
        self.assertEqual(done[0], done[1], "the chunks done are no prefix")
        self.assertEqual(entity["migrated"], done[1])
        self.assertIn(str(done[0]), re.findall(r"\d+", str(entity["last_id"])))

    def test_a_pid_that_is_another_process_now(self):
        process = self.stopped("migrate", "--include", "invoice", "--chunk-rows", "10", "shop.db", "copy.db",
                               failpoint="engine.after_commit", occurrence=3)
        self.assertNotIn("no process", self.run_program("status").out)
        process.kill()
        process.wait()
        # The number of the killed one is given to another process: this one.
        with open(self.path(".transhume", "lock"), "w", encoding="ascii") as file:
            file.write("%d\n" % os.getpid())
        self.assertIn("no process is running", self.run_program("status").out)
        self.run_program("status", "--watch")
        self.run_program("resume", "--include", "invoice", "shop.db", "copy.db")

    def test_a_refused_run_leaves_the_finished_one_to_be_seen(self):
        self.run_program("migrate", *self.arguments, "copy.db")
        run = self.state()["run"]
        self.run_program("migrate", *self.arguments, "copy.db", code=5)
        self.assertEqual(self.state()["run"], run)
        self.assertIn("completed", self.run_program("status").out)
        self.assertFalse(os.path.exists(self.path(".transhume", "runs", run)))
        self.run_program("migrate", *self.arguments, "other.db")
        self.assertNotEqual(self.state()["run"], run)
        self.assertTrue(os.path.exists(self.path(".transhume", "runs", run, "state.json")))

    def test_failed(self):
        result = self.run_program("migrate", *self.arguments, "copy.db", code=3,
                                  env={"TRANSHUME_FAILPOINT": "engine.before_commit:error:3"})
        self.assertTrue(refusals.first_line_of(result.err))
        state = self.state()
        self.assert_form(state)
        self.assertEqual(state["status"], "failed")
        self.assertTrue(state["errors"])
        self.assertIn("failed", self.run_program("status").out)
        self.run_program("resume", *self.arguments, "copy.db")
        self.assertEqual(self.state()["status"], "completed")

    def test_the_percentage_of_a_filtered_run(self):
        # One record in ten is wanted: half of the source read is half of the run, not a twentieth.
        support.make_sqlite(self.path("many.db"), """
            CREATE TABLE things(id INTEGER PRIMARY KEY, v TEXT);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
            INSERT INTO things SELECT i, 'v' || i FROM n;""")
        self.write("plan.yaml", """transhume: 1
source: sqlite:many.db
target: sqlite:few.db
tables:
  things: { key: [id], entities: { thing: { from: things, where: "id % 10 = 0", fields: { "*": copy } } } }
""")
        arguments = ["--plan", "plan.yaml", "--chunk-rows", "100", "--jobs", "1"]
        self.run_program("migrate", *arguments, code=3, env={"TRANSHUME_FAILPOINT": "engine.before_commit:error:6"})
        state = self.state()
        entity = state["tables"]["things"]["entities"]["thing"]
        self.assertEqual((entity["total"], entity["migrated"], entity["read"], entity["source_records"]),
                         (None, 50, 500, 1000))
        self.assertRegex(self.run_program("status").out, r"things +thing +50 +0 +\? +50\.0%")
        result = self.run_program("resume", *arguments, "--progress", "json")
        self.assertEqual(self.state()["tables"]["things"]["entities"]["thing"]["total"], 100)
        self.assertRegex(self.run_program("status").out, r"things +thing +100 +0 +100 +100\.0%")

    def test_whole_at_every_moment(self):
        # Read as fast as it goes while the run writes it: never half, never empty.
        refusals.make_shop(self.path("big.db"), customers=2000)
        process = support.start("migrate", "--rows-per-second", "8000", "--chunk-rows", "100", "big.db", "copy.db",
                                cwd=self.folder)
        self.addCleanup(self.end, process)
        looks, seen = 0, set()
        while process.poll() is None:
            if os.path.exists(self.path(".transhume", "state.json")):
                state = self.state()
                self.assert_form(state)
                seen.add(state["tables"]["customer"]["records_migrated"] if state["tables"] else None)
                looks += 1
            time.sleep(0.001)
        self.assert_code(support.finish(process), 0)
        self.assertGreater(looks, 20)
        self.assertGreater(len(seen), 1, "it was not kept up to date")

    def test_a_kill_while_it_is_written(self):
        for occurrence in (1, 2, 3):
            with self.subTest(occurrence=occurrence):
                self.doCleanups()
                self.setUp()
                result = support.kill_at("engine.state_before_rename", occurrence, "migrate", *self.arguments,
                                         "copy.db", cwd=self.folder)
                self.assert_code(result, -9)
                if os.path.exists(self.path(".transhume", "state.json")):
                    self.assert_form(self.state())
                again = support.transhume("resume", *self.arguments, "copy.db", cwd=self.folder)
                if again.code == 2:
                    again = support.transhume("migrate", *self.arguments, "copy.db", cwd=self.folder)
                self.assert_code(again, 0)
                self.assertFalse([n for n in os.listdir(self.path(".transhume")) if "tmp" in n.lower()])

    def test_finished_runs_are_kept(self):
        self.run_program("migrate", "shop.db", "copy.db")
        first = self.state()["run"]
        self.run_program("migrate", "shop.db", "copy2.db")
        second = self.state()["run"]
        self.assertNotEqual(first, second)
        self.assertEqual(os.listdir(self.path(".transhume", "runs")), [first])
        with open(self.path(".transhume", "runs", first, "state.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["run"], first)

    def test_ids_of_one_second_sort_by_time(self):
        """What was before a run that is rolled back is known by them."""
        support.make_sqlite(self.path("tiny.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
        ids = []
        for number in range(12):
            self.run_program("migrate", "-q", "tiny.db", "copy%d.db" % number)
            ids.append(self.state()["run"])
        self.assertEqual(ids, sorted(ids))
        self.assertEqual(len(set(ids)), 12)

    def test_the_plan_as_it_was_is_kept(self):
        self.run_program("init", "shop.db", "dynamodb-json:out")
        self.run_program("migrate")
        with open(self.path("transhume.yaml"), encoding="utf-8") as file:
            plan = file.read()
        with open(self.path(".transhume", "plan.yaml"), encoding="utf-8") as file:
            self.assertEqual(file.read(), plan)

    def test_the_log_has_levels_and_times(self):
        self.run_program("migrate", *self.arguments, "copy.db")
        with open(self.path(".transhume", "transhume.log"), encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertTrue(lines)
        for line in lines:
            self.assertRegex(line, r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*Z (error|warning|info|debug): |  )")


class Status(StateTestCase):
    def test_without_a_run(self):
        result = self.run_program("status")
        self.assertIn("transhume migrate", result.out + result.err)
        state = self.status_json()
        self.assertEqual((state["format"], state["status"]), (1, "not_started"))

    def test_an_older_run_that_is_damaged(self):
        os.makedirs(self.path(".transhume", "runs", "x"))
        for text in ("{", "", "[]"):
            self.write(".transhume/runs/x/run.json", text)
            self.assertEqual(self.status_json()["status"], "not_started")

    def test_json_is_the_file(self):
        self.run_program("migrate", *self.arguments, "copy.db")
        told = self.status_json()
        mapping = told.pop("mapping")  # which the ledger keeps
        self.assertEqual((mapping["version"], len(mapping["hash"])), (1, 32))
        self.assertEqual(told, self.state())

    def test_table_with_percent(self):
        self.interrupted("--jobs", "1", *self.arguments, "copy.db", commits=4)
        out = self.run_program("status").out
        for word in ("customer", "invoice", "line", "%"):
            self.assertIn(word, out)
        self.run_program("resume", *self.arguments, "copy.db")
        self.assertIn("100", self.run_program("status").out)

    def test_rate_and_time_left_of_a_live_run(self):
        refusals.make_shop(self.path("big.db"), customers=2000)
        process = support.start("migrate", "--rows-per-second", "4000", "--chunk-rows", "200", "big.db", "copy.db",
                                cwd=self.folder)
        self.addCleanup(self.end, process)

        def moved():
            try:
                return sum(t["records_migrated"] for t in self.state()["tables"].values()) > 2000
            except (OSError, KeyError):
                return False
        refusals.wait_until(moved, "records to move")
        out = self.run_program("status").out
        self.assertRegex(out, r"(?i)rate\s+[\d.,]+")
        self.assertRegex(out, r"(?i)\b(eta|left)\b")
        process.send_signal(signal.SIGINT)
        self.assert_code(support.finish(process), 4)

    def test_watch_ends_with_the_run(self):
        process = self.stopped("migrate", *self.arguments, "copy.db")
        watch = support.start("status", "--watch", cwd=self.folder)
        self.addCleanup(self.end, watch)
        time.sleep(0.3)
        self.assertIsNone(watch.poll(), "it did not wait for the run")
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 0)
        result = support.finish(watch, time_limit=10)
        self.assert_code(result, 0)
        self.assertIn("completed", result.out)

    def test_watch_waits_for_a_run_that_is_about_to_begin(self):
        watch = support.start("status", "--watch", cwd=self.folder)
        self.addCleanup(self.end, watch)
        time.sleep(0.3)
        self.assertIsNone(watch.poll(), "it did not wait")
        self.run_program("migrate", *self.arguments, "copy.db")
        result = support.finish(watch, time_limit=20)
        self.assertNotIn("there is no run", result.out)
        self.assertIn("completed", result.out)

    def test_watch_without_a_run_ends(self):
        self.assert_code(support.transhume("status", "--watch", cwd=self.folder, time_limit=10), 0)

    def test_a_damaged_file(self):
        self.run_program("migrate", *self.arguments, "copy.db")
        for text in ("", "{", "[]", "null", '{"format": 1}', '{"format": 1, "tables": []}', "\xff"):
            with self.subTest(text=text):
                with open(self.path(".transhume", "state.json"), "w", encoding="latin-1") as file:
                    file.write(text)
                result = support.transhume("status", cwd=self.folder)
                self.assertIn(result.code, (0, 5), result.err)
                if result.code:
                    self.assertIn("state.json", refusals.first_line_of(result.err)[0])

    def test_names_can_not_write_to_the_terminal(self):
        support.make_sqlite(self.path("odd.db"), "CREATE TABLE \"a\x1b[31m\nb\"(id INTEGER PRIMARY KEY);"
                            "INSERT INTO \"a\x1b[31m\nb\" VALUES (1);")
        ran = self.run_program("migrate", "--progress", "log", "--verbose", "odd.db", "copy.db")
        shown = self.run_program("status")
        checked = self.run_program("check", "--sample", "1", "odd.db", "copy2.db")
        for result in (ran, shown, checked):
            self.assertNotIn("\x1b", result.out + result.err)


class NoFolder(StateTestCase):
    def test_a_file_in_its_place(self):
        """Said by every command, before it looks at anything else."""
        self.write("note", "dear diary")
        ends = (*self.arguments, "copy.db")
        for place, said in (("note", "note: this is a file"), ("note/in/it", "note/in/it: it would lie below a file")):
            for command in (("migrate", *ends), ("check", *ends), ("validate", *ends[-2:]),
                            ("migrate", "--dry-run", *ends), ("resume",), ("resume", *ends), ("validate",),
                            ("status",), ("rollback", "--run", "r", "--confirm"), ("finish",), ("report",),
                            ("reset", "--confirm")):
                with self.subTest(command, place=place), self.unharmed(self.path("note")):
                    result = self.run_program(*command, "--state", place, code=2)
                    self.assertIn(said, result.err)
                    self.assertIn("--state DIR", result.err)
                    self.assertFalse(os.path.exists(self.path("copy.db")))


class Reset(StateTestCase):
    def test_without_confirm(self):
        self.interrupted(*self.arguments, "copy.db")
        self.refused("reset", code=2, name="usage", unharmed=[self.path("copy.db")])
        self.assertTrue(os.path.exists(self.path(".transhume", "state.json")))

    def test_says_what_stays_in_the_target(self):
        for target, place in (("sqlite:copy.db", "copy.db"), ("dynamodb-json:out", "out")):
            with self.subTest(target=target):
                self.interrupted(*self.arguments, target)
                with self.unharmed(self.path(place), self.path("shop.db")):
                    result = self.run_program("reset", "--confirm")
                self.assertIn(place, result.out)
                self.assertFalse(os.path.exists(self.path(".transhume", "state.json")))
                self.assertEqual(self.status_json()["status"], "not_started")

    def test_nothing_of_records_stays(self):
        """After whatever wrote into the folder: it is gone, and so is each value of the records."""
        def repair(code=0, env=None):
            support.make_sqlite(self.path("copy.db"), "UPDATE customer SET name = 'CANARY' WHERE id = 3; "
                                "INSERT OR REPLACE INTO customer VALUES (777, 'CANARY', NULL); "
                                "DELETE FROM line WHERE invoice_id = 5")
            return self.run_program("validate", "--repair", "--delete-extra", "--confirm", code=code, env=env)

        def kill_listing():
            process = support.start("validate", "--repair", "--rows-per-second", "1", cwd=self.folder)
            self.addCleanup(self.end, process)
            self.wait_until("its lists are open", lambda: os.path.exists(self.path(".transhume", "delete.jsonl")))
            process.kill()
            self.end(process)
        steps = {"migrate": lambda: None,
                 "repair": repair,
                 "killed before the repair": kill_listing,
                 "killed repair": lambda: repair(code=-9, env={"TRANSHUME_FAILPOINT": "engine.before_commit:kill:1"}),
                 "rolled back": lambda: (repair(), self.run_program("rollback", "--run", self.status_json()["run"],
                                                                    "--confirm")),
                 "two repairs, and another run": lambda: (repair(), repair(),
                                                          self.run_program("migrate", *self.arguments, "next.db"))}
        for name, step in steps.items():
            with self.subTest(name):
                self.setUp()
                self.run_program("migrate", *self.arguments, "copy.db")
                step()
                self.run_program("reset", "--confirm")
                left = [os.path.join(at, name) for at, _, names in os.walk(self.path(".transhume")) for name in names]
                self.assertEqual(left, [])
                self.assertFalse(os.path.exists(self.path(".transhume")))

    def test_a_repair_takes_its_lists_along(self):
        lists = ("repair.jsonl", "delete.jsonl")
        self.run_program("migrate", *self.arguments, "copy.db")
        copy = self.status_json()["run"]
        support.make_sqlite(self.path("copy.db"), "UPDATE customer SET name = 'CANARY' WHERE id = 3")
        self.run_program("validate", "--repair")
        repair = self.status_json()["run"]
        for name in lists:
            self.assertFalse(os.path.exists(self.path(".transhume", "runs", copy, name)), name)
            self.assertTrue(os.path.exists(self.path(".transhume", name)), name)
        with open(self.path(".transhume", "repair.jsonl"), "rb") as file:
            listed = file.read()
        self.run_program("migrate", *self.arguments, "next.db")
        for name in lists:
            self.assertFalse(os.path.exists(self.path(".transhume", name)), name)
        with open(self.path(".transhume", "runs", repair, "repair.jsonl"), "rb") as file:
            self.assertEqual(file.read(), listed)

    def test_nothing_to_reset(self):
        result = self.run_program("reset", "--confirm")
        self.assertTrue(result.out + result.err)

    def test_a_folder_that_is_not_ours(self):
        os.mkdir(self.path("mine"))
        with open(self.path("mine", "diary"), "w", encoding="ascii") as file:
            file.write("dear diary")
        with self.unharmed(self.path("mine")):
            result = support.transhume("reset", "--confirm", "--state", "mine", cwd=self.folder)
        self.assertIn(result.code, (0, 2, 5), result.err)

    def test_other_files_in_the_folder_stay_or_are_named(self):
        self.run_program("migrate", *self.arguments, "copy.db")
        with open(self.path(".transhume", "diary"), "w", encoding="ascii") as file:
            file.write("dear diary")
        self.run_program("reset", "--confirm")
        self.assertTrue(os.path.exists(self.path(".transhume", "diary")), "a foreign file was removed")

    def test_a_link_is_not_followed(self):
        self.run_program("migrate", "--state", "real", *self.arguments, "copy.db")
        os.symlink("real", self.path("link"))
        with self.unharmed(self.path("real")):
            result = support.transhume("reset", "--confirm", "--state", "link", cwd=self.folder)
        self.assertEqual(result.code, 5, result.err)


if __name__ == "__main__":
    unittest.main()
