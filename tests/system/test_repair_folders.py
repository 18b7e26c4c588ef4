"""`validate --repair` in folders of files: what differs and what is extra goes out of the file that holds it, whatever
wrote it.

Files are damaged by this script and packed and unpacked by the gzip and zstd commands; a repaired folder has to hold
the very lines of a
good copy, in whatever files.
"""
import collections
import glob
import json
import os
import random
import shutil
import sqlite3
import subprocess
import unittest

import support
from test_limits import LimitsTestCase
from support import SEED, SOAK, count_failpoints, kill_at

FORMATS = {"csv": ".csv", "jsonl": ".jsonl", "dynamodb-json": ".json"}
PACKERS = {"": None, ".gz": ["gzip", "-c"], ".zst": ["zstd", "-qc"]}
SCRIPT = """
CREATE TABLE thing(id INTEGER PRIMARY KEY, name TEXT NOT NULL, price DECIMAL(10,2), note TEXT);
CREATE TABLE pair(a TEXT, b INTEGER, v TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE word(w TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID;
CREATE TABLE cost(p DECIMAL(12,3) PRIMARY KEY, n INTEGER) WITHOUT ROWID;
CREATE TABLE code(k BLOB PRIMARY KEY, n INTEGER) WITHOUT ROWID;
"""
KEYED = ("pair", "word", "cost", "code")


def make(path):
    support.make_sqlite(path, SCRIPT)
    db = sqlite3.connect(path)
    db.executemany("INSERT INTO thing VALUES (?,?,?,?)",
                   [(i, "name %d." % i, i / 4, ["a, \"b\"", "two\nlines", "", None][i % 4]) for i in range(1, 301)])
    db.executemany("INSERT INTO pair VALUES (?,?,?)", [("k%d" % (i % 7), i, "value %d." % i) for i in range(60)])
    db.executemany("INSERT INTO word VALUES (?,?)", [("wört %d" % i, i) for i in range(60)])
    db.executemany("INSERT INTO cost VALUES (?,?)", [(i * 1.25 - 20, i) for i in range(60)])
    db.executemany("INSERT INTO code VALUES (?,?)", [(bytes([i, 255 - i, 0]), i) for i in range(60)])
    db.commit()
    db.close()


class RepairFolders(LimitsTestCase):
    form = "csv"

    def setUp(self):
        super().setUp()
        make(self.path("shop.db"))

    def copy(self, form, compression="none", *arguments):
        self.form = form
        for name in ("out", "good", ".transhume"):
            shutil.rmtree(self.path(name), ignore_errors=True)
        self.run_program("migrate", "-q", "--chunk-rows", 100, *arguments, "shop.db",
                         "%s:out?compression=%s" % (form, compression))
        shutil.copytree(self.path("out"), self.path("good"))

    def files(self, folder, table):
        names = [name for name in sorted(os.listdir(self.path(folder, table))) if FORMATS[self.form] in name]
        return [self.path(folder, table, name) for name in names]

    def read(self, path):
        """The records of a file, each with its line break; of CSV the first is the head."""
        tool = PACKERS[os.path.splitext(path)[1] if path.endswith((".gz", ".zst")) else ""]
        data = subprocess.run([tool[0], "-dc", path], check=True, stdout=subprocess.PIPE).stdout if tool else open(path,
            "rb").read()
        records, quotes = [b""], 0
        for line in data.splitlines(keepends=True):
            records[-1] += line
            quotes += line.count(b'"')
            if self.form != "csv" or quotes % 2 == 0:
                records.append(b"")
        return records[:-1]

    def write_records(self, path, records):
        tool = PACKERS[os.path.splitext(path)[1] if path.endswith((".gz", ".zst")) else ""]
        data = b"".join(records)
        with open(path, "wb") as file:
            file.write(subprocess.run(tool, check=True, input=data, stdout=subprocess.PIPE).stdout if tool else data)

    def contents(self, folder):
        """{table: every record's bytes, counted}."""
        tables = {}
        for table in ("thing",) + KEYED:
            tables[table] = collections.Counter()
            for path in self.files(folder, table):
                records = self.read(path)
                tables[table].update(record.rstrip(b"\r\n") for record in (records[1:] if self.form == "csv"
                                                                           else records))
        return tables

    def edit(self, table, change):
        """`change` is given all records of a table, file by file, and gives what is to be there instead."""
        for number, path in enumerate(self.files("out", table)):
            records = self.read(path)
            head = records[:1] if self.form == "csv" else []
            changed = change(number, records[len(head):])
            if changed is not None:
                self.write_records(path, head + changed)

    def damage(self):
        """Flips, drops, adds, duplicates and swaps records of every table; a file of somebody else comes in, too."""
        def of_thing(number, records):
            if number != 0:
                return None
            def place(text):
                return next(i for i, record in enumerate(records) if text in record)
            one, two = place(b"name 20."), place(b"name 21.")
            records[one], records[two] = (records[one].replace(b"name 20.", b"name 21."),
                                          records[two].replace(b"name 21.", b"name 20."))
            records[place(b"name 5.")] = records[place(b"name 5.")].replace(b"name 5.", b"changed")
            records.append(records[place(b"name 7.")])
            records.insert(3, records[place(b"name 9.")].replace(b"name 9.", b"name 9 again"))
            del records[place(b"name 30.")]
            return records
        self.edit("thing", of_thing)
        path = self.files("out", "thing")[0]
        extra = [record.replace(b"41", b"9041").replace(b"name 9041.", b"name x") for record in self.read(path)
                 if b"name 41." in record]
        self.assertEqual(len(extra), 1)
        head = self.read(path)[:1] if self.form == "csv" else []
        ending = path[path.index(FORMATS[self.form]):]
        stranger = self.path("out", "thing", ("data-stranger" if self.form == "dynamodb-json" else "stranger") + ending)
        self.write_records(stranger, head + [extra[0].rstrip(b"\n")])  # without its last line break
        for table in KEYED:
            self.edit(table, lambda number, records: records[1:] + records[5:7] if number == 0 else None)

    def validate(self, *arguments, code=0):
        return json.loads(self.run_program("validate", "--json", *arguments, code=code).out)

    def repair(self, *arguments, code=0):
        return self.validate("--repair", "--delete-extra", "--confirm", *arguments, code=code)

    def assert_good(self):
        found, wanted = self.contents("out"), self.contents("good")
        for table, records in wanted.items():
            self.assertEqual((found[table] - records, records - found[table]), ({}, {}), table)
        self.validate("--level", "full")

    def snapshot(self):
        found = {}
        for path in glob.glob(self.path("out", "*", "*")):
            if "_transhume" not in path:
                with open(path, "rb") as file:
                    found[os.path.relpath(path, self.folder)] = file.read()
        return found

    def test_every_kind_in_every_format_and_packing(self):
        for form in FORMATS:
            for compression in ("none", "gzip", "zstd"):
                with self.subTest(form=form, compression=compression):
                    self.copy(form, compression)
                    self.damage()
                    report = self.repair()
                    self.assertEqual((report["ok"], report["repaired"]), (False, True))
                    kinds = collections.Counter(record["kind"] for record in report["records"])
                    self.assertEqual(kinds, {"different": 3, "missing": 5, "extra": 11})
                    self.assert_good()
                    left = [os.path.relpath(path, self.path("out"))
                            for path in glob.glob(self.path("out", "_transhume", "*", "tmp", "*"))]
                    self.assertEqual(left, [])

    def test_what_is_extra_stays_unless_it_is_said(self):
        for form in FORMATS:
            with self.subTest(form=form):
                self.copy(form)
                self.edit("thing", lambda number, records: None if number else [
                    record.replace(b"name 5.", b"changed") for record in records]
                          + [records[8].replace(b"name 9.", b"again")])
                self.edit("word", lambda number, records: records[2:] + [records[6]] if number == 0 else None)
                report = self.validate("--repair", code=1)
                self.assertEqual((report["to_write"], report["to_delete"]), (3, 1))
                report = self.validate(code=1)
                self.assertEqual(sorted((record["kind"], record["table"]) for record in report["records"]),
                                 [("extra", "thing"), ("extra", "word")])
                self.repair()
                self.assert_good()

    def test_what_stays_is_said(self):
        """A line that is no record, and extra records where nothing says that they go."""
        self.copy("jsonl")
        self.edit("thing", lambda number, records: None if number else [
            *(record.replace(b"name 5.", b"changed") for record in records), b"no record {\n", b"nor this\n",
            records[8].replace(b"name 9.", b"again")])
        for _ in range(2):  # also when nothing is left to be written
            out = self.run_program("validate", "--repair", code=1).out
            self.assertIn("2 unreadable lines or records stay", out)
            self.assertIn("1 extra record stays; --delete-extra --confirm deletes it", out)
            self.assertIn("DIFFERENT", out)
        out = self.run_program("validate", "--repair", "--delete-extra", "--confirm", code=1).out
        self.assertIn("2 unreadable lines or records stay", out)
        self.assertNotIn("extra record", out)
        self.assertNotIn(" stay", self.run_program("validate", code=1).out)

    def test_rolled_back_byte_for_byte(self):
        for form in FORMATS:
            with self.subTest(form=form):
                self.copy(form)
                copy = self.run_id()
                self.damage()
                damaged = self.snapshot()
                self.repair()
                repair = self.run_id()
                self.assertIn("roll that one back first", self.run_program("rollback", "--run", copy, "--confirm",
                                                                           code=5).err)
                told = json.loads(self.run_program("rollback", "--run", repair, "--dry-run", "--json").out)["tables"]
                thing, = [table for table in told if table["name"] == "thing"]
                self.assertEqual((thing["removed"], thing["restored"]), (6, 8))
                self.assertNotEqual(self.snapshot(), damaged)
                self.run_program("rollback", "--run", repair, "--confirm")
                self.assertEqual(self.snapshot(), damaged)

    def test_a_repair_of_which_something_changed_is_not_rolled_back(self):
        for form in FORMATS:
            with self.subTest(form=form):
                self.copy(form)
                self.damage()
                self.repair()
                path = self.files("out", "thing")[0]
                facts = os.stat(path)
                records = self.read(path)
                records[-1] = records[-1].replace(b"name ", b"nime ")
                self.write_records(path, records)
                os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
                before = self.snapshot()
                self.assertIn("changed since", self.run_program("rollback", "--run", self.run_id(), "--confirm",
                                                                code=5).err)
                self.assertEqual(self.snapshot(), before)

    def test_killed_anywhere_and_resumed(self):
        numbers = random.Random(SEED)
        for form in FORMATS:
            arguments = ("validate", "--repair", "--delete-extra", "--confirm")
            self.copy(form)
            self.damage()
            shutil.copytree(self.path("out"), self.path("damaged"))
            shutil.copytree(self.path(".transhume"), self.path("state"))
            _, reached = count_failpoints(*arguments, cwd=self.folder)
            for name in ("files.after_keep", "files.before_rewrite", "files.after_rewrite",
                         "engine.before_repair_delete"):
                self.assertGreater(reached[name], 0, name)
            cases = [(name, occurrence) for name in sorted(reached) for occurrence in sorted({1, reached[name]})]
            if not SOAK:
                always = [case for case in cases if "rewrite" in case[0] or "keep" in case[0] or "repair" in case[0]]
                cases = numbers.sample(always, 5) + numbers.sample(cases, 3)
            for name, occurrence in cases:
                with self.subTest(form=form, failpoint=name, occurrence=occurrence, seed=SEED):
                    for folder, kept in (("out", "damaged"), (".transhume", "state")):
                        shutil.rmtree(self.path(folder))
                        shutil.copytree(self.path(kept), self.path(folder))
                    self.assertEqual(kill_at(name, occurrence, *arguments, cwd=self.folder).code, -9)
                    if name.startswith("verify."):  # of the validation, before there is a run
                        self.run_program(*arguments)
                    else:
                        self.go_on(arguments)
                    self.assert_good()
            for folder in ("damaged", "state"):
                shutil.rmtree(self.path(folder))

    def go_on(self, arguments):
        """A repair that was killed before its ledger was whole is begun anew."""
        result = support.transhume("resume", cwd=self.folder)
        if result.code != 0:
            self.assertIn("run-nothing", result.err)
            support.transhume(*arguments, cwd=self.folder)

    def test_a_rollback_that_is_killed_goes_on(self):
        numbers = random.Random(SEED)
        for form in FORMATS:
            self.copy(form)
            self.damage()
            damaged = self.snapshot()
            self.repair()
            run = self.run_id()
            for folder, kept in (("out", "repaired"), (".transhume", "state")):
                shutil.copytree(self.path(folder), self.path(kept))
            arguments = ("rollback", "--run", run, "--confirm")
            _, reached = count_failpoints(*arguments, cwd=self.folder)
            self.assertGreater(reached["files.undo_restored"], 0)
            names = sorted(reached) if SOAK else ["files.undo_restored"] + numbers.sample(sorted(reached), 5)
            for name in names:
                with self.subTest(form=form, failpoint=name, seed=SEED):
                    for folder, kept in (("out", "repaired"), (".transhume", "state")):
                        shutil.rmtree(self.path(folder))
                        shutil.copytree(self.path(kept), self.path(folder))
                    self.assertEqual(kill_at(name, 1, *arguments, cwd=self.folder).code, -9)
                    self.run_program(*arguments)
                    self.assertEqual(self.snapshot(), damaged)
            for folder in ("repaired", "state"):
                shutil.rmtree(self.path(folder))

    def test_the_copy_goes_once_the_repair_is_rolled_back(self):
        self.copy("jsonl")
        copy = self.run_id()
        self.edit("thing", lambda number, records: records + [records[3].replace(b"name 4.", b"again")] if number == 0
                  else None)
        self.repair()
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertIn("it was done with", self.run_program("rollback", "--run", copy, "--confirm", code=5).err)
        shutil.copyfile(self.files("good", "thing")[0], self.files("out", "thing")[0])
        self.run_program("rollback", "--run", copy, "--confirm")
        self.assertFalse(os.path.exists(self.path("out")))

    def test_lines_of_others_stay_as_they_are(self):
        """
        Line ends of another system, blanks, lines that are no record, records without a key: none of them is touched.
        """
        for form, name in (("jsonl", "other.jsonl"), ("dynamodb-json", "data-other.json")):
            with self.subTest(form=form):
                self.copy(form)
                first = self.read(self.files("out", "thing")[0])
                self.edit("thing", lambda number, records: records[3:] + [first[0]] if number == 0 else None)
                extra = first[0].replace(b"name", b"naem")
                broken = b'{"id": 7, "name":\r\n'
                self.write("out/thing/" + name, b"".join([first[0].strip() + b"\r\n", broken,
                                                          first[1].replace(b":", b" : ", 1), b"\n",
                                                          extra.replace(b'"id"', b'"nokey"'),
                                                          first[2].rstrip()]).decode())
                before = self.snapshot()["out/thing/" + name]
                self.repair(code=1)
                after = self.snapshot()["out/thing/" + name]
                self.assertEqual(after, before[before.index(broken):].replace(b"\n\n", b"\n") + b"\n")

    def test_columns_of_others_stand_in_another_order(self):
        """What is the key by its place in our files is a number in theirs: it must not be taken for one."""
        self.copy("csv")
        self.edit("pair", lambda number, records: [r for r in records
                                                   if r not in (b"k1,1,value 1.\n", b"k2,2,value 2.\n")])
        self.write("out/pair/other.csv", 'v,"b",a\nk3,1,k1\nvalue 2.,2,k2\nextra,1000,k3\nk9,9,k9\n')
        self.edit("word", lambda number, records: records + [b"57,3\n"])
        self.write("out/word/other.csv", "n,w\n7,57\n57,wört 57\n")
        self.edit("word", lambda number, records: [r for r in records if "wört 57".encode() not in r] if number
                  else None)
        self.repair()
        self.validate("--level", "full")
        with open(self.path("out/pair/other.csv"), "rb") as file:
            self.assertEqual(file.read(), b'v,"b",a\nvalue 2.,2,k2\n')
        with open(self.path("out/word/other.csv"), "rb") as file:
            self.assertEqual(file.read(), "n,w\n57,wört 57\n".encode())

    def test_a_table_without_a_key_is_refused(self):
        support.make_sqlite(self.path("loose.db"),
                            "CREATE TABLE loose(v TEXT); INSERT INTO loose VALUES ('one'), ('two')")
        for form in ("csv", "jsonl"):
            with self.subTest(form=form):
                shutil.rmtree(self.path(".transhume"), ignore_errors=True)
                shutil.rmtree(self.path("out"), ignore_errors=True)
                self.form = form
                self.run_program("migrate", "loose.db", form + ":out")
                self.edit("loose", lambda number, records: records + records)
                before = self.snapshot()
                refused = self.run_program("validate", "--repair", "--delete-extra", "--confirm", code=5)
                self.assertIn("[not-repairable]", refused.err)
                self.assertIn("without a key", refused.err)
                self.assertEqual(self.snapshot(), before)

    def test_a_big_file_is_streamed(self):
        db = sqlite3.connect(self.path("shop.db"))
        db.executemany("INSERT INTO thing VALUES (?,?,?,?)", [(i, "name %d." % i, 1, "x" * 400)
                                                              for i in range(1000, 70000)])
        db.commit()
        db.close()
        self.copy("jsonl", "zstd", "--chunk-rows", 200000)
        self.edit("thing", lambda number, records: records + [record for record in records if b"0.\"" in record])
        self.measured("validate", "--repair", "--delete-extra", "--confirm")
        self.assert_good()


del LimitsTestCase

if __name__ == "__main__":
    unittest.main()
