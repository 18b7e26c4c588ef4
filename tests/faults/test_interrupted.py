"""Runs that are interrupted in odd ways, and resumed in others."""
import os
import shutil
import signal
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import support


class AtTheEnd(support.TestCase):
    def test_killed_when_all_is_done_but_said(self):
        # The run is complete; what it had to say with its exit status is said by the resume.
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE things(id INTEGER PRIMARY KEY, v REAL); INSERT INTO things VALUES (1, "
                            "9e999), (2, 5);")
        arguments = ["source.db", "dynamodb-json:out"]
        killed = support.kill_at("engine.after_completed", 1, "migrate", *arguments, cwd=self.folder)
        self.assertEqual(killed.code, -9)
        for _ in range(2):
            result = self.run_program("resume", *arguments, code=1)
            self.assertIn("1 record was rejected", result.err)
        shutil.rmtree(self.path("out"))
        shutil.rmtree(self.path(".transhume"))
        self.run_program("migrate", *arguments, code=1)


class RolledBack(support.TestCase):
    """Rollbacks that were killed when the target knew the run no more."""

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE things(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO things VALUES (1, 'x');")

    def test_nothing_of_the_ledger_stays(self):
        for target in ("sqlite:copy.db", "csv:out", "jsonl:out/", "dynamodb-json:out"):
            with self.subTest(target=target):
                self.run_program("migrate", "source.db", target)
                point = "ledger.after_drop"
                command = ["rollback", "--run", self.run_id(), "--confirm"]
                self.assertEqual(support.kill_at(point, 1, *command, cwd=self.folder).code, -9)
                self.run_program(*command)
                self.assertEqual(sorted(os.listdir(self.folder)), [".transhume", "source.db"])
                shutil.rmtree(self.path(".transhume"))

    def test_no_empty_file_stays(self):
        """A process that only looked for the run, and was killed, had made the file that was gone."""
        self.run_program("migrate", "source.db", "copy.db")
        command = ["rollback", "--run", self.run_id(), "--confirm"]
        for point in ("rollback.before_local", "rollback.before_local", "rollback.before_retire"):
            self.assertEqual(support.kill_at(point, 1, *command, cwd=self.folder).code, -9)
        self.run_program(*command)
        self.assertEqual(sorted(os.listdir(self.folder)), [".transhume", "source.db"])

    def test_a_folder_of_the_same_name_as_the_ledger_put_aside_is_left_alone(self):
        os.mkdir(self.path("out-transhume-forgotten"))
        self.write("out-transhume-forgotten/mine.txt", "mine")
        self.run_program("migrate", "source.db", "jsonl:out")
        command = ["rollback", "--run", self.run_id(), "--confirm"]
        self.assertEqual(support.kill_at("ledger.after_drop", 1, *command, cwd=self.folder).code, -9)
        self.run_program(*command)
        self.assertEqual(os.listdir(self.path("out-transhume-forgotten")), ["mine.txt"])
        self.assertFalse(os.path.exists(self.path("out", "_transhume")))

    def test_a_run_that_is_not_the_newest(self):
        for where in ([], ["--state", "elsewhere"]):
            with self.subTest(where=where):
                support.make_sqlite(self.path("copy.db"),
                                    "CREATE TABLE things(id INTEGER PRIMARY KEY, v TEXT); "
                                    "INSERT INTO things VALUES (1, 'old');")
                upsert = ["migrate", "--existing", "upsert", "source.db", "copy.db"]
                self.run_program(*upsert)
                earlier = self.run_id()
                self.run_program(*upsert)
                self.run_program("rollback", "--run", self.run_id(), "--confirm")
                command = ["rollback", *where, "--run", earlier, "--confirm", *(["copy.db"] if where else [])]
                self.assertEqual(support.kill_at("rollback.after_forget", 1, *command, cwd=self.folder).code, -9)
                for _ in range(2):
                    self.run_program(*command)
                self.assertEqual(sqlite3.connect(self.path("copy.db")).execute("SELECT v FROM things").fetchall(),
                                 [("old",)])
                os.remove(self.path("copy.db"))
                shutil.rmtree(self.path(".transhume"))


class Overtaken(support.TestCase):
    """A run that is stopped between its look at the empty target and its ledger, while another one runs."""

    toy = {"TRANSHUME_MODULES": os.path.join(support.BUILD, "toy.so")}
    rows = 300

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), """
            CREATE TABLE things(id INTEGER PRIMARY KEY, v TEXT);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
            INSERT INTO things SELECT i, 'value ' || i FROM n;""" % self.rows)

    def stopped(self, *arguments, place="engine.before_ledger_create", then=None):
        """The process once it has stopped itself."""
        return self.stopped_at(",".join(filter(None, (place + ":stop:1", then))), *arguments, env=self.toy)

    def overtaken(self, target):
        late = self.stopped("migrate", "--state", "late", "source.db", target)
        self.run_program("migrate", "--state", "early", "source.db", target, env=self.toy)
        late.send_signal(signal.SIGCONT)
        result = support.finish(late)
        self.assert_code(result, 5)
        self.assertIn("things", result.err)
        # Nothing is left to go on with: that would double what is there.
        again = support.transhume("resume", "--state", "late", "source.db", target, cwd=self.folder, env=self.toy)
        self.assertIn(again.code, (0, 2), again.err)
        self.run_program("migrate", "--state", "late", "source.db", target, code=5, env=self.toy)

    def test_and_killed_before_it_saw(self):
        late = self.stopped("migrate", "--state", "late", "source.db", "dynamodb-json:out",
                            then="engine.after_ledger_create:kill:1")
        self.run_program("migrate", "--state", "early", "source.db", "dynamodb-json:out")
        late.send_signal(signal.SIGCONT)
        self.assertEqual(support.finish(late).code, -signal.SIGKILL)
        result = self.run_program("resume", "--state", "late", "source.db", "dynamodb-json:out", code=5)
        self.assertIn("another run was here first", result.err)
        self.assertEqual(len(support.read_dynamodb_json(self.path("out"))["things"]), self.rows)

    def test_sqlite(self):
        self.overtaken("sqlite:copy.db")
        self.assert_same_sqlite(self.path("source.db"), self.path("copy.db"))

    def test_dynamodb_json(self):
        self.overtaken("dynamodb-json:out")
        items = support.items_by_key(support.read_dynamodb_json(self.path("out"))["things"], "id")
        self.assertEqual(len(items), self.rows)

    def test_toy(self):
        self.overtaken("toy:toy")

    def test_a_target_that_is_taken_away(self):
        # SQLite must not write into a file that has no name any more, and success is not to be said.
        for number, place in enumerate(("engine.before_ledger_create", "engine.before_prepare", "engine.chunk_started",
                                        "engine.before_completed")):
            with self.subTest(place=place):
                arguments = ["migrate", "--state", "state%d" % number, "source.db", "sqlite:copy.db"]
                late = self.stopped(*arguments, place=place)
                os.rename(self.path("copy.db"), self.path("elsewhere.db"))
                late.send_signal(signal.SIGCONT)
                result = support.finish(late)
                self.assert_code(result, 3)
                self.assertRegex(result.err, "copy.db.*(No such file|removed or replaced|\n.*was moved)")
                if number > 0:
                    os.rename(self.path("elsewhere.db"), self.path("copy.db"))
                    self.run_program("resume", *arguments[1:])
                    self.assert_same_sqlite(self.path("source.db"), self.path("copy.db"))
                    os.remove(self.path("copy.db"))


if __name__ == "__main__":
    unittest.main()
