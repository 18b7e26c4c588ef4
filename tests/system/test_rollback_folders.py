"""Rollback into folders of files: what was in the folder before is in it after, byte for byte."""
import json
import os
import random
import re
import shutil
import unittest

import refusals
from support import SEED, SOAK, count_failpoints, kill_at
from test_rollback import make_source

FORMATS = ("csv", "jsonl", "dynamodb-json")
OTHERS = {"csv": ("other.csv", b"id\n1\n"), "jsonl": ("other.jsonl", b'{"id":1}\n'),
          "dynamodb-json": ("data-other.json", b'{"Item":{"id":{"N":"1"}}}\n')}


def contents(folder):
    """{path: bytes} of all files and {path: None} of all folders, the program's own left out."""
    found = {}
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "_transhume"]
        for name in files:
            with open(os.path.join(place, name), "rb") as file:
                found[os.path.relpath(os.path.join(place, name), folder)] = file.read()
        for name in folders:
            found[os.path.relpath(os.path.join(place, name), folder)] = None
    return found


class Folders(refusals.TestCase):

    def setUp(self):
        super().setUp()
        make_source(self.path("source.db"))

    def target(self, kind):
        shutil.rmtree(self.path("out"), ignore_errors=True)
        shutil.rmtree(self.path(".transhume"), ignore_errors=True)
        if kind == "empty":
            os.makedirs(self.path("out", "item"))
        return contents(self.path("out"))

    def migrate(self, form, *arguments, code=0):
        return self.run_program("migrate", "-q", "--chunk-rows", 64, *arguments, "source.db", form + ":out", code=code)

    def rollback(self, *arguments, run=None, code=0):
        return self.run_program("rollback", "--run", run or self.run_id(), "--json", *(arguments or ["--confirm"]),
                                code=code)

    def assert_as_before(self, before, kind):
        self.assertEqual(contents(self.path("out")), before)
        self.assertFalse(os.path.exists(self.path("out", "_transhume")))
        if kind == "created":
            self.assertFalse(os.path.exists(self.path("out")))

    def test_a_whole_run(self):
        for form in FORMATS:
            for kind in ("created", "empty"):
                with self.subTest(form=form, kind=kind):
                    before = self.target(kind)
                    self.migrate(form)
                    told = {t["name"]: t["removed"] for t in json.loads(self.rollback("--dry-run").out)["tables"]}
                    self.assertEqual(told, {"item": 300, "pair": 300})
                    self.rollback()
                    self.assert_as_before(before, kind)
                    self.rollback(run=os.listdir(self.path(".transhume/runs"))[0])

    def test_what_somebody_changed_is_told_by_its_bytes_not_by_its_time(self):
        for form in FORMATS:
            with self.subTest(form=form):
                before = self.target("created")
                self.migrate(form)
                folder = self.path("out", "item")
                path = os.path.join(folder, sorted(name for name in os.listdir(folder) if not name.startswith("."))[0])
                with open(path, "rb") as file:
                    good = file.read()
                facts = os.stat(path)
                for changed in (good[:-3] + bytes([good[-3] ^ 1]) + good[-2:], good.replace(b"1", b"2", 1)):
                    self.assertEqual((len(changed), changed == good), (len(good), False))
                    with open(path, "wb") as file:
                        file.write(changed)
                    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
                    held = contents(self.path("out"))
                    self.assertIn("changed since", self.rollback(code=5).err)
                    self.assertEqual(contents(self.path("out")), held)
                with open(path, "wb") as file:
                    file.write(good)
                os.utime(path)  # later than the run, and all that it wrote
                self.rollback()
                self.assert_as_before(before, "created")

    def test_killed_anywhere_then_rolled_back(self):
        numbers = random.Random(SEED)
        for form in FORMATS:
            arguments = ("migrate", "-q", "--chunk-rows", 64, "source.db", form + ":out")
            self.target("created")
            _, reached = count_failpoints(*arguments, cwd=self.folder)
            cases = [(n, k) for n in sorted(reached) if n != "engine.state_before_rename"
                     for k in sorted({1, (reached[n] + 1) // 2, reached[n]})]
            for point, occurrence in cases if SOAK else numbers.sample(cases, 8):
                for resumed in (False, True):
                    with self.subTest(form=form, point=point, occurrence=occurrence, resumed=resumed):
                        before = self.target("created")
                        self.assertEqual(kill_at(point, occurrence, *arguments, cwd=self.folder).code, -9)
                        runs = [n for n in self.listed("out/_transhume") if n.startswith("run-")]
                        if not runs:
                            continue
                        if resumed:
                            self.run_program("resume", "-q", "source.db", form + ":out")
                        self.rollback(run=runs[0][4:])
                        self.assert_as_before(before, "created")

    def listed(self, name):
        return os.listdir(self.path(name)) if os.path.isdir(self.path(name)) else []

    def test_rollback_killed_anywhere(self):
        numbers = random.Random(SEED)
        for form in FORMATS:
            self.target("created")
            self.migrate(form)
            _, reached = count_failpoints("rollback", "--run", self.run_id(), "--confirm", cwd=self.folder)
            for name in ("files.undo_removed", "files.before_undo", "files.after_undo", "files.before_remove_table",
                         "files.before_forget", "files.after_forget"):
                self.assertIn(name, reached)
            cases = [(n, k) for n in sorted(reached) for k in sorted({1, (reached[n] + 1) // 2, reached[n]})]
            for point, occurrence in cases if SOAK else numbers.sample(cases, 8):
                with self.subTest(form=form, point=point, occurrence=occurrence):
                    before = self.target("created")
                    self.migrate(form)
                    run = self.run_id()
                    result = kill_at(point, occurrence, "rollback", "--run", run, "--confirm", cwd=self.folder)
                    self.assertEqual(result.code, -9)
                    self.rollback(run=run)
                    self.assert_as_before(before, "created")
                    self.rollback(run=run)

    def test_files_of_others_survive(self):
        for form in FORMATS:
            with self.subTest(form=form):
                self.target("created")
                self.migrate(form)
                name, data = OTHERS[form]
                with open(self.path("out/item", name), "wb") as file:
                    file.write(data)
                self.rollback()
                self.assertEqual(contents(self.path("out")), {"item": None, os.path.join("item", name): data})

    def test_a_changed_file_is_refused(self):
        for form in FORMATS:
            for change in ("same length", "longer", "gone"):
                with self.subTest(form=form, change=change):
                    self.target("created")
                    self.migrate(form)
                    path = next(os.path.join(self.path("out/item"), n)
                                for n in sorted(os.listdir(self.path("out/item"))))
                    with open(path, "rb") as file:
                        data = file.read()
                    if change == "gone":
                        os.unlink(path)
                    else:
                        with open(path, "wb") as file:
                            file.write(data.replace(b"new 2", b"old 2") if change == "same length" else data * 2)
                    before = contents(self.path("out"))
                    result = self.rollback(code=5)
                    self.assertRegex(result.err, r"\[(rollback-refused|ledger-invalid)\]")
                    self.assertEqual(contents(self.path("out")), before)

    def lines(self):
        """Of each table, sorted; of a CSV file its head once a file."""
        found = {}
        for name, data in contents(self.path("out")).items():
            if data is not None:
                found.setdefault(os.path.dirname(name), []).extend(data.splitlines())
        return {table: sorted(lines) for table, lines in found.items()}

    def test_restart(self):
        """What a run that broke off had written is taken back first; what comes is what one run writes."""
        for form in FORMATS:
            for kind in ("created", "empty"):
                with self.subTest(form=form, kind=kind):
                    before = self.target(kind)
                    self.migrate(form)
                    whole = self.lines()
                    for i in range(1, 301):
                        self.assertEqual(sum(b"new %d" % i == word for line in whole["item"]
                                             for word in re.findall(rb"new \d+", line)), 1)
                    self.target(kind)
                    broken = self.run_program("migrate", "-q", "--chunk-rows", 64, "source.db", form + ":out", code=3,
                                              env={"TRANSHUME_FAILPOINT": "engine.after_commit:error:3"})
                    self.assertIn("resume", broken.err)
                    run = self.run_id()
                    self.assertTrue(set(contents(self.path("out"))) - {"item"})
                    self.migrate(form, code=5)
                    self.assertIn("--confirm", self.migrate(form, "--restart", code=2).err)
                    self.migrate(form, "--restart", "--confirm")
                    self.assertNotEqual(self.run_id(), run)
                    with open(self.path(".transhume/runs", run, "state.json"), encoding="utf-8") as file:
                        self.assertEqual(json.load(file)["status"], "rolled_back")
                    self.assertEqual(self.lines(), whole)
                    self.rollback()
                    self.assert_as_before(before, kind)

    def test_a_restart_leaves_files_of_others(self):
        for form in FORMATS:
            with self.subTest(form=form):
                self.target("created")
                kill_at("engine.after_commit", 3, "migrate", "-q", "--chunk-rows", 64, "source.db", form + ":out",
                        cwd=self.folder)
                run = self.run_id()
                name, data = OTHERS[form]
                with open(self.path("out/item", name), "wb") as file:
                    file.write(data)
                told = self.migrate(form, "--restart", "--confirm", code=5)
                self.assertRegex(told.err, "out/item|item: ")
                self.assertEqual(contents(self.path("out")), {"item": None, os.path.join("item", name): data})
                self.assertNotIn("run-" + run, self.listed("out/_transhume"))
                os.unlink(self.path("out/item", name))
                self.migrate(form)

    def test_finish_keeps_what_tells_the_types(self):
        for form in FORMATS:
            with self.subTest(form=form):
                self.target("created")
                self.migrate(form)
                before = contents(self.path("out"))
                self.run_program("finish", code=5)
                self.run_program("finish", "--confirm")
                self.assertEqual(contents(self.path("out")), before)
                self.assertEqual([n for n in self.listed("out/_transhume") if n != "tables"], [])
                self.assertEqual([n for n in self.listed("out/_transhume/tables") if not n.endswith(".json")], [])


if __name__ == "__main__":
    unittest.main()
