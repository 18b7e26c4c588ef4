"""
The Python package: installed by pip from the source and from its wheel, and its runs against real files and a server.
"""
import os
import re
import sqlite3
import subprocess
import sys
import unittest

import support

PACKAGE = os.path.join(support.ROOT, "python")
sys.path.insert(0, PACKAGE)
import transhume


class TestCase(support.TestCase):
    def setUp(self):
        super().setUp()
        self.database("shop.db", 2000)

    def database(self, name, count):
        with sqlite3.connect(self.path(name)) as database:
            database.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT)")
            database.executemany("INSERT INTO item VALUES (?, ?)", ((i, "item %d" % i) for i in range(count)))
        database.close()

    def items(self, name):
        with sqlite3.connect(self.path(name)) as database:
            found = database.execute("SELECT id, name FROM item ORDER BY id").fetchall()
        database.close()
        return found

    def run_here(self, function, *arguments, **options):
        return function(*arguments, folder=self.folder, program=support.PROGRAM, **options)


class Runs(TestCase):
    def test_events_and_result_of_a_copy(self):
        run = self.run_here(transhume.migrate, "shop.db", "copy.db", chunk_rows=500)
        events = list(run)
        result = run.result()
        self.assertEqual(self.items("copy.db"), self.items("shop.db"))
        self.assertEqual((result.exit_status, result.needs_attention, result.written, result.rejected),
                         (0, False, 2000, 0))
        [entity] = result.entities
        self.assertEqual((entity.entity, entity.table, entity.read, entity.written), ("item", "item", 2000, 2000))
        self.assertEqual(result.run, self.run_id())
        kinds = {event.kind for event in events if isinstance(event, transhume.Event)}
        self.assertLessEqual({"run", "phase", "chunk"}, kinds)
        chunks = [event for event in events if isinstance(event, transhume.Event) and event.kind == "chunk"]
        self.assertEqual(sum(event.count for event in chunks), 2000)
        self.assertEqual({event.table for event in chunks}, {"item"})
        last = [event for event in events if isinstance(event, transhume.Progress)][-1]
        self.assertEqual((last.done, last.written), (2000, 2000))

    def test_a_result_needs_no_reader_of_events(self):
        self.assertEqual(self.run_here(transhume.migrate, "shop.db", "copy.db").result().written, 2000)
        found = self.run_here(transhume.validate).result()
        self.assertEqual((found.ok, found.level, found.rows, found.entities[0].missing), (True, "hash", 4000, 0))

    def test_a_difference_is_a_result(self):
        self.run_here(transhume.migrate, "shop.db", "copy.db").result()
        with sqlite3.connect(self.path("copy.db")) as database:
            database.execute("DELETE FROM item WHERE id = 7")
            database.execute("UPDATE item SET name = 'other' WHERE id = 8")
        database.close()
        found = self.run_here(transhume.validate).result()
        self.assertEqual((found.ok, found.needs_attention, found.entities[0].missing, found.entities[0].different),
                         (False, True, 1, 1))

    def test_failures_are_exceptions_with_their_parts(self):
        with self.assertRaises(transhume.UsageError) as caught:
            self.run_here(transhume.migrate, "none.db", "copy.db").result()
        fault = caught.exception
        self.assertEqual((fault.code, fault.object, fault.exit_status), ("source-missing", "none.db", 2))
        self.assertIn("check the path", fault.hint)
        self.database("copy.db", 1)
        with self.assertRaises(transhume.RefusedError) as caught:
            self.run_here(transhume.migrate, "shop.db", "copy.db").result()
        self.assertEqual((caught.exception.code, caught.exception.exit_status), ("target-not-empty", 5))
        with self.assertRaises(transhume.UsageError) as caught:
            self.run_here(transhume.migrate, "shop.db", "copy.db", no_such_option=1).result()
        self.assertEqual(caught.exception.code, "usage")
        self.write("plan.yaml", "transhume: 1\nsource: shop.db\ntarget: copy.db\nno_such: 1\nnor_such: 2\n")
        with self.assertRaises(transhume.UsageError) as caught:
            self.run_here(transhume.migrate, plan="plan.yaml").result()
        self.assertEqual(len(caught.exception.faults), 2)

    def test_a_missing_program_is_named(self):
        with self.assertRaises(transhume.UsageError) as caught:
            transhume.migrate("a.db", "b.db", program=self.path("none"))
        self.assertEqual((caught.exception.code, caught.exception.object), ("program-missing", self.path("none")))

    def test_endless_output_is_bounded(self):
        with self.assertRaises(transhume.FailedError) as caught:
            transhume.start("status", program="/usr/bin/yes").result()
        self.assertEqual(caught.exception.code, "output-too-large")

    def test_a_killed_run_is_resumed(self):
        run = self.run_here(transhume.migrate, "shop.db", "copy.db", chunk_rows=100,
                            environment={"TRANSHUME_FAILPOINT": "sqlite.before_commit:kill:5"})
        with self.assertRaises(transhume.FailedError) as caught:
            run.result()
        self.assertEqual(caught.exception.code, "program-ended")
        self.assertIn("signal 9", caught.exception.message)
        self.assertEqual(self.run_here(transhume.resume).result().run, self.run_id())
        self.assertEqual(self.items("copy.db"), self.items("shop.db"))

    def test_an_interrupted_run_is_resumed(self):
        """It sleeps at each commit, so that it is still at work when it is asked to stop."""
        run = self.run_here(transhume.migrate, "shop.db", "copy.db", chunk_rows=100,
                            environment={"TRANSHUME_FAILPOINT": "sqlite.before_commit:sleep:0"})
        with run:
            for event in run:
                if isinstance(event, transhume.Event) and event.kind == "chunk":
                    break
        with self.assertRaises(transhume.InterruptedRun) as caught:
            run.result()
        self.assertEqual((caught.exception.code, caught.exception.exit_status), ("interrupted", 4))
        self.assertLess(len(self.items("copy.db")), 2000)
        self.run_here(transhume.resume).result()
        self.assertEqual(self.items("copy.db"), self.items("shop.db"))

    def test_any_command_can_be_started(self):
        names = {entry["name"] for entry in self.run_here(transhume.start, "connectors").result().data["connectors"]}
        self.assertIn("sqlite", names)
        self.assertEqual(self.run_here(transhume.status).result().data["status"], "not_started")
        self.assertEqual(self.run_here(transhume.check, "shop.db", "copy.db").result().exit_status, 0)
        with self.assertRaises(ValueError):
            self.run_here(transhume.migrate, "shop.db", "copy.db", dry_run=True)

    def test_what_is_no_json_is_a_text(self):
        """`init` prints a plan."""
        result = self.run_here(transhume.start, "init", "shop.db", "copy.db", output="-").result()
        self.assertIn("transhume: 1", result.data["text"])

    def test_arguments_that_look_like_options(self):
        self.database("--version.db", 3)
        self.assertEqual(self.run_here(transhume.migrate, "--version.db", "copy.db").result().written, 3)


class Installed(TestCase):
    def pip(self, *arguments):
        done = subprocess.run(["/usr/bin/python3", "-m", "pip", "--disable-pip-version-check", "--no-cache-dir",
                               *arguments], cwd=self.folder,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=120 * support.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_the_wheel_works_alone(self):
        for module in ("pip", "setuptools", "wheel"):
            if subprocess.run(["/usr/bin/python3", "-c", "import " + module],
                              stderr=subprocess.DEVNULL).returncode != 0:
                self.skipTest("the distribution's Python has no " + module)
        # setuptools writes beside the source
        source = self.path("source")
        subprocess.run(["cp", "-r", PACKAGE, source], check=True)
        self.pip("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", self.path("wheels"), source)
        [wheel] = os.listdir(self.path("wheels"))
        self.assertEqual(wheel, "transhume-%s-py3-none-any.whl" % transhume.__version__)
        self.pip("install", "--quiet", "--no-deps", "--no-index", "--target", self.path("site"),
                 self.path("wheels", wheel))
        self.assertTrue(os.path.exists(self.path("site", "transhume", "py.typed")))
        program = ("import transhume; r = transhume.migrate('shop.db', 'copy.db').result(); print(r.written, "
                   "transhume.__file__)")
        done = subprocess.run(["/usr/bin/python3", "-c", program], cwd=self.folder, text=True, stdout=subprocess.PIPE,
                              check=True,
                              env=dict(os.environ, PYTHONPATH=self.path("site"), TRANSHUME=support.PROGRAM),
                              timeout=60 * support.PATIENCE)
        self.assertEqual(done.stdout.split(), ["2000", self.path("site", "transhume", "__init__.py")])

    def test_the_version_is_the_programs(self):
        self.assertEqual(self.run_here(transhume.start, "version").result().data["version"], transhume.__version__)

    def test_what_the_page_names_is_there(self):
        with open(os.path.join(support.ROOT, "docs", "libraries.md"), encoding="utf-8") as file:
            page = file.read()
        names = set(re.findall(r"transhume\.([A-Za-z_]+)\(|`([A-Z][A-Za-z]+(?:Error|Run|Result))`", page))
        self.assertGreater(len(names), 5)
        for name in {one or other for one, other in names}:
            self.assertIn(name, transhume.__all__)


if __name__ == "__main__":
    unittest.main()
