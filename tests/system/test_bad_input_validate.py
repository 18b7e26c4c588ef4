"""What goes wrong around a validation, a repair and a rollback: each is said in one clear line, and none does harm.

Every case runs over a database and over folders of files; what is not here is in test_validate, test_rollback and
test_report.
"""
import glob
import json
import os
import shutil
import sqlite3
import subprocess
import time
import unittest

import refusals
import support

TARGETS = ("sqlite:copy.db", "jsonl:out", "csv:out")
ROWS = 12000


def make(path, rows=ROWS):
    support.make_sqlite(path,
                        "CREATE TABLE t(id INTEGER PRIMARY KEY, w TEXT); CREATE TABLE k(c TEXT PRIMARY KEY, "
                        "n INTEGER) WITHOUT ROWID;"
                        "INSERT INTO k VALUES ('a', 1), ('B', 2), ('b', 3)")
    db = sqlite3.connect(path)
    db.executemany("INSERT INTO t VALUES (?,?)", [(i, "name %d" % i) for i in range(1, rows + 1)])
    db.commit()
    db.close()


class BadInput(refusals.TestCase):
    def each_target(self, rows=ROWS):
        for target in TARGETS:
            with self.subTest(target=target):
                for name in ("shop.db", "copy.db", "out", ".transhume"):
                    shutil.rmtree(self.path(name), ignore_errors=True)
                    if os.path.exists(self.path(name)):
                        os.unlink(self.path(name))
                make(self.path("shop.db"), rows)
                self.run_program("migrate", "-q", "--chunk-rows", 5000, "shop.db", target)
                yield target

    def held(self):
        """All bytes of the target, its own notes left out."""
        found = {}
        for path in [self.path("copy.db")] + glob.glob(self.path("out", "*", "*")):
            if os.path.isfile(path) and "_transhume" not in path:
                with open(path, "rb") as file:
                    found[path] = file.read()
        return found

    def begun(self, *arguments):
        """A validation that takes seconds, when it has begun to read."""
        process = support.start("validate", "--json", "--rows-per-second", 2000 if support.UNDER_VALGRIND else 9000,
                                *arguments, cwd=self.folder)
        deadline = time.monotonic() + 30 * support.PATIENCE
        while not os.path.exists(self.path(".transhume", "validate.jsonl")) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.2)
        self.assertIsNone(process.poll(), "it ended before anything could come in between")
        return process

    def first_error(self, result):
        return [line for line in result.err.splitlines() if line.startswith("error:")][0]

    def test_a_target_altered_under_the_verifier(self):
        for target in self.each_target():
            process = self.begun()
            if target.startswith("sqlite"):
                db = sqlite3.connect(self.path("copy.db"), timeout=60 * support.PATIENCE)
                db.execute("UPDATE t SET w = 'other' WHERE id = 11999")
                db.commit()
                db.close()
                self.assertEqual(support.finish(process).code, 0)  # one moment of it was compared
            else:
                for path in glob.glob(self.path("out", "t", "*")):
                    os.unlink(path)
                result = support.finish(process)
                self.assertEqual(result.code, 3, result.err)
                self.assertRegex(self.first_error(result), r"the target: .*out/t/.*No such file")
                self.assertIn("validate` again", result.err)
            report = json.loads(self.run_program("validate", "--json", code=1).out)
            self.assertFalse(report["ok"])
            self.run_program("validate", "--repair")
            self.run_program("validate")

    def test_a_source_dropped_in_mid_validate(self):
        for _ in self.each_target():
            before = self.held()
            process = self.begun()
            db = sqlite3.connect(self.path("shop.db"), timeout=60 * support.PATIENCE)
            db.execute("DROP TABLE t")
            db.commit()
            db.close()
            self.assertEqual(support.finish(process).code, 0)
            refused = self.run_program("validate", "--repair", "--delete-extra", "--confirm", code=5)
            self.assertRegex(self.first_error(refused),
                             r"shop\.db: its tables are not those that run \S+ copied: one came, went")
            os.unlink(self.path("shop.db"))
            refused = self.run_program("validate", "--repair", code=2)
            self.assertIn("[source-missing]", refused.err)
            self.assertEqual(self.held(), before)

    def test_a_folder_of_items_dropped_in_mid_validate(self):
        support.make_sqlite(self.path("shop.db"), "CREATE TABLE things(id INTEGER PRIMARY KEY, w TEXT);"
                            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO "
                            "things SELECT i, 'name ' || i FROM n" % ROWS)
        self.run_program("migrate", "-q", "--state", "begin", "--chunk-rows", 1000, "shop.db", "dynamodb-json:in")
        for target in ("dynamodb-json:out", "jsonl:out"):
            with self.subTest(target=target):
                self.run_program("migrate", "-q", "--chunk-rows", 5000, "dynamodb-json:in", target)
                before = self.held()
                process = self.begun()
                os.rename(self.path("in"), self.path("kept"))
                result = support.finish(process)
                self.assertEqual(result.code, 3, result.err)  # files that were not open yet are not there
                self.assertRegex(self.first_error(result), r"in/things/data-\S+: .*No such file")
                self.assertIn("validate` again", result.err)
                for arguments in (("validate",), ("validate", "--repair", "--delete-extra", "--confirm")):
                    refused = self.run_program(*arguments, code=2)
                    self.assertIn("[source-missing]", refused.err)
                os.mkdir(self.path("in"))
                for arguments in (("validate",), ("validate", "--repair", "--delete-extra", "--confirm")):
                    refused = self.run_program(*arguments, code=5)
                    self.assertRegex(self.first_error(refused), r"in: its tables are not those that run \S+ copied")
                self.assertEqual(self.held(), before)
                os.rmdir(self.path("in"))
                os.rename(self.path("kept"), self.path("in"))
                self.run_program("validate")
                shutil.rmtree(self.path("out"))
                shutil.rmtree(self.path(".transhume"))

    def test_tables_of_the_run_that_are_left_out(self):
        """
        The source is as it was: it is the option that makes the difference, also where a foreign key leads to what is
        left out.
        """
        support.make_sqlite(self.path("two.db"), "CREATE TABLE a(id INTEGER PRIMARY KEY); INSERT INTO a VALUES (1);"
                            "CREATE TABLE b(id INTEGER PRIMARY KEY, a INTEGER REFERENCES a(id)); "
                            "CREATE TABLE c(id INTEGER PRIMARY KEY)")
        for target in ("two_copy.db", "jsonl:two_copy"):
            self.run_program("migrate", "-q", "--state", "two", "two.db", target)
            for option, table in (("--include", "a"), ("--include", "b"), ("--exclude", "c"), ("--exclude", "a")):
                refused = self.run_program("validate", "--state", "two", option, table, code=5)
                self.assertRegex(self.first_error(refused), option + r": it leaves tables out that run \S+ copied")
                self.assertIn("say SRC DST", refused.err)
                self.run_program("validate", "--state", "two", option, table, "two.db", target)
            self.run_program("validate", "--state", "two")
            support.make_sqlite(self.path("two.db"), "ALTER TABLE a ADD n%d" % len(target))
            self.assertRegex(self.first_error(self.run_program("validate", "--state", "two", "--include", "a", code=5)),
                             "its tables are not those")

    def test_a_plan_changed_since_the_run(self):
        for target in self.each_target(rows=20):
            shutil.rmtree(self.path(".transhume"))
            shutil.rmtree(self.path("out"), ignore_errors=True)
            if os.path.exists(self.path("copy.db")):
                os.unlink(self.path("copy.db"))
            plan = ("transhume: 1\nsource: sqlite:shop.db\ntarget: %s\ntables:\n  t:\n    key: [id]\n    entities:\n  "
                    "    t:\n"
                    "        from: t\n        where: \"id <= %d\"\n        fields: { \"*\": copy }\n")
            self.write("transhume.yaml", plan % (target, 15))
            self.run_program("migrate", "-q")
            before = self.held()
            self.write("transhume.yaml", plan % (target, 10))
            refused = self.run_program("validate", "--repair", "--delete-extra", "--confirm", code=5)
            self.assertIn("[plan-changed]", refused.err)
            self.assertIn("--plan FILE", refused.err)
            self.assertEqual(self.held(), before)
            # meant: records that the plan selects no more are extra, and go only when that is said
            report = json.loads(self.run_program("validate", "--json", "--plan", "transhume.yaml", code=1).out)
            self.assertEqual([record["kind"] for record in report["records"]], ["extra"] * 5)
            self.assertEqual(self.held(), before)
            os.unlink(self.path("transhume.yaml"))

    def test_an_unknown_run_and_one_that_is_rolled_back(self):
        for target in self.each_target(rows=20):
            before = self.held()
            for name in ("nonsense", "20260131T235959Z-1f3a5c", "../x", ""):
                for flag in ("--dry-run", "--confirm"):
                    refused = self.run_program("rollback", "--run", name, flag, code=2)
                    self.assertTrue(refusals.first_line_of(refused.err))
            refused = self.run_program("rollback", "--run", "20260131T235959Z-1f3a5c", "--confirm", target, code=2)
            self.assertIn("20260131T235959Z-1f3a5c", self.first_error(refused))
            self.assertEqual(self.held(), before)
            with open(self.path(".transhume", "run.json"), encoding="utf-8") as file:
                run = json.load(file)["run"]
            self.write(".transhume/state.json", "{ no JSON")
            self.run_program("rollback", "--run", run, "--confirm")
            with open(self.path(".transhume", "runs", run, "state.json"), encoding="utf-8") as file:
                state = json.load(file)
            self.assertEqual((state["run"], state["status"]), (run, "rolled_back"))
            self.assertIn("rolled back already", self.run_program("rollback", "--run", run, "--confirm").out)
            for command in (("validate",), ("validate", "--repair"), ("report",)):
                self.assertIn("[run-nothing]", self.run_program(*command, code=2).err)

    def test_a_report_of_a_run_that_never_started(self):
        for command in ("report", "validate", "finish", "resume"):
            self.assertIn("[run-nothing]", self.run_program(command, code=2).err)
        self.assertFalse(os.path.exists(self.path(".transhume", "report.html")))

    def test_two_verifiers_at_once(self):
        for target in self.each_target():
            process = self.begun()
            refused = self.run_program("validate", code=5)
            self.assertIn("[run-held]", refused.err)
            self.assertIn(str(process.pid), refused.err)
            # its own folder: neither minds the other
            self.run_program("validate", "--state", "other", "shop.db", target)
            self.assertEqual(support.finish(process).code, 0)
            shutil.rmtree(self.path("other"))

    def test_a_repair_of_a_target_that_can_only_be_read(self):
        for target in self.each_target(rows=20):
            place = self.path("copy.db" if target.startswith("sqlite") else "out")
            if target.startswith("sqlite"):
                db = sqlite3.connect(place)
                db.execute("UPDATE t SET w = 'other' WHERE id = 7")
                db.commit()
                db.close()
            else:
                path = glob.glob(self.path("out", "t", "*"))[0]
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text.replace("name 7", "other"))
            before = self.held()
            if subprocess.run(["mount", "--bind", "-o", "ro", place, place], stderr=subprocess.DEVNULL,
                              check=False).returncode != 0:
                self.skipTest("nothing can be mounted here")
            try:
                subprocess.run(["mount", "-o", "remount,ro,bind", place], check=True)
                result = support.transhume("validate", "--repair", cwd=self.folder)
                self.assertIn(result.code, (2, 3), result.err)
                self.assertRegex(self.first_error(result), r"[Rr]ead-only|can only be read")
                self.assertEqual(self.held(), before)
            finally:
                subprocess.run(["umount", place], check=True)
            again = support.transhume("resume", cwd=self.folder)  # no repair began, or it goes on
            self.assertTrue(again.code == 0 or "[run-nothing]" in again.err, again.err)
            self.run_program("validate", "--repair")
            self.run_program("validate")

    def test_keys_that_compare_differently(self):
        """
        A NOCASE key takes one of 'B' and 'b'; what is only written otherwise is missing and extra, and repaired as
        such.
        """
        make(self.path("shop.db"), 5)
        support.make_sqlite(self.path("copy.db"),
                            "CREATE TABLE k(c TEXT COLLATE NOCASE PRIMARY KEY, n INTEGER) WITHOUT ROWID")
        self.run_program("migrate", "-q", "--include", "k", "shop.db", "copy.db", code=1)
        report = json.loads(self.run_program("validate", "--json", code=1).out)
        self.assertEqual((report["entities"][0]["rejected"], report["rejects_missing"], report["records"]), (1, 1, []))
        db = sqlite3.connect(self.path("copy.db"), isolation_level=None)
        db.execute("UPDATE k SET c = 'A' WHERE c = 'a'")
        report = json.loads(self.run_program("validate", "--json", code=1).out)
        self.assertEqual(sorted((record["kind"], record["key"]["c"]) for record in report["records"]),
                         [("extra", "A"), ("missing", "a")])
        self.run_program("validate", "--repair", "--delete-extra", "--confirm", code=1)  # 'b' stays a reject
        self.assertEqual(json.loads(self.run_program("validate", "--json", code=1).out)["rejects_missing"], 1)
        self.assertEqual(db.execute("SELECT c, n FROM k ORDER BY n").fetchall(), [("a", 1), ("B", 2)])
        db.close()
        for form in ("csv", "jsonl"):
            self.run_program("migrate", "-q", "--state", form, "shop.db", form + ":out")  # both keys, told apart
            self.run_program("validate", "--state", form, "--level", "full")
            shutil.rmtree(self.path("out"))


if __name__ == "__main__":
    unittest.main()
