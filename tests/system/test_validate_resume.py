"""A validation at level hash or full that was broken off is gone on with: what was compared is not read again, and the
result is that of one
that nobody disturbed. Where a side may have changed it begins anew, and says why.

A checkpoint is due after 30 s; here a failpoint makes each part's end due, and counts the parts that were read.
"""
import errno
import glob
import json
import os
import re
import shutil
import signal
import sqlite3
import sys
import unittest

import support

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "faults"))
import failing
import test_validate
import test_validate_push_down

DUE = "verify.checkpoint_due"
HURRY = DUE + ":error:0"
ANEW = "starts again"


class ResumeCase(test_validate.Validate):
    LEVEL = "hash"

    def file(self):
        return self.path(".transhume", {"hash": "validate.checkpoint", "full": "validate-full.checkpoint"}[self.LEVEL])

    def spill(self):
        return self.path(".transhume", "spill", "full")

    def broken(self, rule, *arguments, code=-signal.SIGKILL):
        """A validation that ends by a failpoint's rule, every part's end being due."""
        result = support.transhume("validate", "--level", self.LEVEL, *arguments, cwd=self.folder,
                                   env={"TRANSHUME_FAILPOINT": HURRY + "," + rule})
        if code is not None:
            self.assert_code(result, code)
        return result

    def killed_after(self, checkpoints, *arguments):
        return self.broken("verify.checkpoint_written:kill:%d" % checkpoints, *arguments)

    def keep(self):
        """What is kept is the test's, to be brought back."""
        shutil.copy(self.file(), self.path("kept"))
        if os.path.exists(self.spill()):
            shutil.copytree(self.spill(), self.path("kept-spill"), dirs_exist_ok=True)

    def bring_back(self):
        shutil.copy(self.path("kept"), self.file())
        if os.path.exists(self.path("kept-spill")):
            shutil.copytree(self.path("kept-spill"), self.spill())

    def said(self, *arguments, code=0):
        """(the report, how many parts were read, stderr)"""
        result, reached = support.count_failpoints("validate", "--json", "--level", self.LEVEL, *arguments,
                                                   cwd=self.folder)
        self.assert_code(result, code)
        return json.loads(result.out), reached[DUE], result.err

    @staticmethod
    def content(report):
        left = {name: value for name, value in report.items() if name != "milliseconds"}
        left["notes"] = [note for note in report["notes"] if "interrupted" not in note]
        left["records"] = sorted(report["records"], key=json.dumps)
        return left

    def note(self, report):
        found = [note for note in report["notes"] if "interrupted" in note]
        self.assertLess(len(found), 2)
        return found[0] if found else ""

    def parts(self, report):
        """(compared before, all) of a validation that went on."""
        return tuple(map(int, re.search(r"continues the interrupted validation: (\d+) of (\d+) parts",
                                        self.note(report)).groups()))

    def goes_on(self, expected, parts, *arguments, code=0, before=None):
        """It goes on where `before` parts of all were compared, with what an undisturbed one says."""
        report, read, err = self.said(*arguments, code=code)
        done, every = self.parts(report)
        self.assertEqual((every, done + read), (parts, parts))
        if before is not None:
            self.assertEqual(done, before)
        self.assertEqual(self.content(report), self.content(expected))
        self.assertIn("continues the interrupted validation", err)
        self.assertFalse(os.path.exists(self.file()))
        self.assertFalse(os.path.exists(self.spill()))
        return report

    def begins_anew(self, why, *arguments, code=0):
        report, read, err = self.said(*arguments, code=code)
        self.assertGreater(read, 0)
        self.assertIn(ANEW, self.note(report))
        self.assertRegex(self.note(report), why)
        self.assertEqual(len(re.findall(ANEW, err)), 1)
        return report

    def each_kill(self, *arguments, code=0):
        """Killed after the first, a middle and the last checkpoint, and while one is written."""
        expected, parts, _ = self.said("--jobs", "1", *arguments, code=code)
        for checkpoints in support.drawn(sorted({1, (parts + 1) // 2, parts}), 2, self.id() + str(code)):
            with self.subTest(checkpoints=checkpoints):
                self.killed_after(checkpoints, "--jobs", "1", *arguments)
                self.goes_on(expected, parts, *arguments, code=code, before=checkpoints)
        self.broken("verify.before_checkpoint:kill:2", "--jobs", "1", *arguments)
        self.goes_on(expected, parts, *arguments, code=code, before=1)
        self.assertEqual([name for name in os.listdir(self.path(".transhume")) if "checkpoint" in name], [])
        self.killed_after(2, "--jobs", "1", *arguments)  # and once more, before it is through
        self.killed_after(1, "--jobs", "1", *arguments)
        self.goes_on(expected, parts, *arguments, code=code, before=3)
        return expected, parts


class Pairs(ResumeCase):
    DAMAGE = ("UPDATE person SET name = 'other', price = 77.125 WHERE id IN (3, 2999)",
              "DELETE FROM person WHERE id = 5",
              "INSERT INTO person(id, name) VALUES (9999, 'new')", "DELETE FROM pair WHERE b IN (7, 2990)",
              "UPDATE keyless SET word = 'x' WHERE rowid IN (1, 2998)")

    REPAIR = ("--repair",)

    def copied_rows(self, *pair):
        test_validate.make(self.path("shop.db"), 3000)
        self.run_program("migrate", "shop.db", *pair)

    def test_sqlite_by_ranges(self):
        self.copied_rows("copy.db")
        expected, parts = self.each_kill()
        self.assertGreater(parts, 8)
        self.change(self.path("copy.db"), *self.DAMAGE)
        expected, parts = self.each_kill(code=1)
        self.assertEqual(self.entity(expected, "person")["different"], 2)
        self.after_the_first_reading(expected, parts)

    def after_the_first_reading(self, expected, parts):
        self.broken("verify.before_rereading:kill")
        self.goes_on(expected, parts, code=1, before=parts)

    def test_killed_again_and_again(self):
        """By several threads, whose parts are done in any order."""
        self.copied_rows("copy.db")
        self.change(self.path("copy.db"), *self.DAMAGE)
        expected, parts, _ = self.said("--jobs", "1", code=1)
        rounds = 0
        while self.broken("verify.checkpoint_written:kill:1", "--jobs", "3", code=None).code != 1:
            rounds += 1
            self.assertLessEqual(rounds, parts)
            if rounds % 3 == 0:
                self.keep()
        self.assertGreater(rounds, 3)
        self.bring_back()
        self.goes_on(expected, parts, "--jobs", "2", code=1)

    def test_other_jobs_and_a_repair(self):
        """Whatever drives the reading may be another."""
        self.copied_rows("copy.db")
        self.change(self.path("copy.db"), *self.DAMAGE)
        expected, parts, _ = self.said(code=1)
        self.killed_after(4, "--jobs", "1")
        self.goes_on(expected, parts, "--jobs", "3", "--rows-per-second", "1000000", code=1, before=4)
        self.killed_after(5, "--jobs", "1", *self.REPAIR)
        report, read, _ = self.said("--repair", "--delete-extra", "--confirm")
        self.assertEqual((self.parts(report), read), ((5, parts), parts - 5))
        self.assertTrue(report["repaired"])
        self.validate("--level", "full")
        self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))

    def test_files_by_buckets(self):
        for target in ("jsonl:out", "csv:out"):
            with self.subTest(target=target):
                self.copied_rows(target)
                self.each_kill()
                os.unlink(self.path("shop.db"))
                shutil.rmtree(self.path("out"))
                shutil.rmtree(self.path(".transhume"))

    def test_from_files(self):
        test_validate.make(self.path("shop.db"), 3000)
        for folder in ("jsonl:in", "csv:in"):
            with self.subTest(folder=folder):
                self.run_program("migrate", "--state", "made", "shop.db", folder)
                shutil.rmtree(self.path("in", "_transhume"))
                self.run_program("migrate", folder, "copy.db")
                self.each_kill()
                self.killed_after(3, "--jobs", "1")
                name, = os.listdir(self.path("in", "pair"))[:1]
                with open(self.path("in", "pair", name), "ab") as file:
                    file.write(b'{"a":"k","b":90000,"v":1}\n' if folder == "jsonl:in" else b"k,90000,1\n")
                self.assertEqual(self.entity(self.begins_anew("the source changed since", code=1), "pair")["missing"],
                                 1)
                for left in ("in", "made", ".transhume"):
                    shutil.rmtree(self.path(left))
                os.unlink(self.path("copy.db"))

    def test_two_entities_in_a_table_and_rejects(self):
        support.make_sqlite(self.path("shop.db"), """
            CREATE TABLE a(id INTEGER PRIMARY KEY, n INT, price NUMERIC); CREATE TABLE b(id INTEGER PRIMARY KEY, v);
            INSERT INTO a WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT i, i * 3, i / 8.0 FROM n;
            INSERT INTO b SELECT id, CASE WHEN id % 900 = 7 THEN 1e999 ELSE 'v' || id END FROM a;""")
        self.write("transhume.yaml", """
transhume: 1
source: sqlite:shop.db
target: dynamodb-json:out
tables:
  both:
    key: { partition: PK }
    entities:
      a: { from: a, fields: { PK: "A#{id}", "*": copy } }
      b: { from: b, fields: { PK: "B#{id}", "*": copy } }
""")
        self.run_program("migrate", code=1)
        expected, _ = self.each_kill(code=1)
        self.assertEqual((self.entity(expected, "b")["rejected"], expected["rejects_missing"]), (6, 6))
        damaged = 0
        for path in sorted(glob.glob(self.path("out", "both", "data-*"))):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            for key in ("A#17", "A#4990", "B#18", "B#4991"):
                cut = re.sub(r'[^\n]*"S":"%s"[^\n]*\n' % key, "", text)
                damaged, text = damaged + (cut != text), cut
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        self.assertEqual(damaged, 4)
        expected, _ = self.each_kill(code=1)
        self.assertEqual([self.entity(expected, name)["missing"] for name in "ab"], [2, 2])

    def test_sums_of_columns(self):
        """Numbers that need more than 128 bits, infinities, whole numbers that wrap in 64."""
        support.make_sqlite(self.path("shop.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, i INT, d TEXT, f REAL)")
        db = sqlite3.connect(self.path("shop.db"))
        db.executemany("INSERT INTO t VALUES (?,?,?,?)", [
            (i, (1 << 63) - i, "%d.%09d" % (10 ** 36 + i, i), 1e300 if i % 2 else float("inf"))
            for i in range(1, 9000)])
        db.commit()
        db.close()
        self.write("transhume.yaml",
                   "transhume: 1\nsource: sqlite:shop.db\ntarget: jsonl:out\ntables:\n  t:\n    key: [id]\n    "
                   "from: t\n"
                                     "    fields: { id: copy, i: copy, d: { column: d, cast: decimal }, f: copy }\n")
        self.run_program("migrate")
        expected, _ = self.each_kill()
        sums = {column["name"]: column["source_sum"] for column in expected["columns"]}
        self.assertEqual(sums["i"], str(sum((1 << 63) - i for i in range(1, 9000))))
        self.assertEqual(sums["d"], str(8999 * 10 ** 36 + sum(range(1, 9000))) + ".%09d" % sum(range(1, 9000)))


class Changes(ResumeCase):
    one_database_each = True   # here: one level
    def setUp(self):
        super().setUp()
        test_validate.make(self.path("shop.db"), 3000)
        self.run_program("migrate", "shop.db", "copy.db")

    def test_a_side_that_changed(self):
        for number, (name, side) in enumerate((("shop.db", "source"), ("copy.db", "target"))):
            with self.subTest(side=side):
                self.killed_after(3, "--jobs", "1")
                self.change(self.path(name), "UPDATE person SET name = 'changed' WHERE id = %d" % (number + 1))
                report = self.begins_anew("the %s changed since" % side, code=1)
                self.assertEqual(self.entity(report, "person")["different"], number + 1)
                self.assertFalse(os.path.exists(self.file()))

    def test_a_file_that_is_no_checkpoint(self):
        self.killed_after(3, "--jobs", "1")
        with open(self.file(), "rb") as file:
            whole = file.read()
        self.assertEqual(os.stat(self.file()).st_mode & 0o777, 0o600)
        newer = whole[:24] + bytes([99]) + whole[25:]
        edited = whole[:len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1:]
        for why, text in (("another version", newer), ("is damaged", edited), ("is damaged", whole[:-1]),
                          ("is damaged", whole[:30]),
                          ("is damaged", b""), ("is damaged", whole + b"x"), ("is damaged", b"{}" * 1000)):
            with open(self.file(), "wb") as file:
                file.write(text)
            self.begins_anew(why)
        self.killed_after(3, "--jobs", "1")
        self.assertEqual(self.parts(self.said()[0])[0], 3)

    def test_a_result_that_can_not_be_stored(self):
        """It failed at its very end: all that was compared is kept."""
        expected, parts, _ = self.said()
        self.killed_after(3, "--jobs", "1")
        os.remove(self.path(".transhume", "validation.json"))
        os.mkdir(self.path(".transhume", "validation.json"))
        result = self.broken("verify.none:kill:1", "--jobs", "1", code=3)
        self.assertIn("validation.json", result.err)
        self.assertIn("%d of %d parts are compared; the same command continues" % (parts, parts), result.err)
        os.rmdir(self.path(".transhume", "validation.json"))
        self.goes_on(expected, parts, before=parts)

    def test_another_level(self):
        self.killed_after(3, "--jobs", "1")
        for level in ("count", "sample", "full" if self.LEVEL == "hash" else "hash"):
            report, _, _ = self.said("--level", level)
            self.assertIn("at level %s was interrupted" % self.LEVEL, self.note(report))
        self.assertEqual(self.parts(self.said()[0])[0], 3)

    def test_another_plan_and_another_target(self):
        self.killed_after(3, "--jobs", "1")
        self.write("plan.yaml",
                   "transhume: 1\nsource: sqlite:shop.db\ntarget: sqlite:copy.db\ntables:\n  person:\n    key: [id]\n"
                                "    from: person\n    where: \"id > 10\"\n    fields: { \"*\": copy }\n")
        self.begins_anew("it compared something else", "--plan", "plan.yaml", code=1)
        self.killed_after(3, "--jobs", "1")
        self.run_program("migrate", "--state", "other", "shop.db", "third.db")
        self.begins_anew("it compared something else", "shop.db", "third.db")

    def test_begun_anew_on_purpose(self):
        self.killed_after(3, "--jobs", "1")
        os.unlink(self.file())
        report, read, _ = self.said()
        self.assertEqual(self.note(report), "")
        self.assertGreater(read, 3)

    def test_a_new_run_and_a_reset(self):
        self.killed_after(3, "--jobs", "1")
        os.unlink(self.path("copy.db"))
        self.run_program("migrate", "shop.db", "copy.db")
        self.begins_anew("it compared something else")
        self.killed_after(3, "--jobs", "1")
        self.run_program("reset", "--confirm")
        self.assertFalse(os.path.exists(self.path(".transhume")))

    def test_interrupted(self):
        expected, parts, _ = self.said()
        process = self.stopped_at(HURRY + ",verify.checkpoint_written:stop:4", "validate", "--level", self.LEVEL,
                                  "--jobs", "1")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 4)
        self.assertIn("the same command continues if neither side changes: 4 of %d parts are compared" % parts,
                      " ".join(result.err.split()))
        self.goes_on(expected, parts, before=4)

    def test_interrupted_before_it_was_due(self):
        """What is done by then is written at once."""
        expected, parts, _ = self.said()
        process = self.stopped_at(DUE + ":stop:4", "validate", "--level", self.LEVEL, "--jobs", "1")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 4)
        self.goes_on(expected, parts, before=4)
        process = self.stopped_at("sqlite.snapshot_taken:stop:1", "validate", "--level", self.LEVEL)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 4)
        self.assertIn("a validation starts from the beginning", result.err)

    def test_a_failure(self):
        """What was compared before it is kept."""
        expected, parts, _ = self.said()
        # Slow enough that it must wait, which it hardly has to under valgrind.
        result = self.run_program("validate", "--level", self.LEVEL, "--jobs", "1",
                                  "--rows-per-second", str(8000 // support.PATIENCE), code=3,
                                  env={"TRANSHUME_FAILPOINT": "verify.target_waits:error:1"})
        self.assertIn("parts are compared; the same command continues", result.err)
        done, every = self.parts(self.goes_on(expected, parts))
        self.assertTrue(0 < done < every)

    def test_a_full_disk(self):
        expected, parts, _ = self.said()
        result = self.broken("verify.before_checkpoint:enospc:0", "--json", code=0)
        self.assertEqual(self.content(json.loads(result.out)), self.content(expected))
        self.assertEqual(result.err.count("can't be kept"), 1)
        self.broken("verify.before_checkpoint:enospc:4,verify.checkpoint_written:kill:4", "--jobs", "1")
        self.goes_on(expected, parts, before=5)

    def test_for_people(self):
        self.killed_after(3, "--jobs", "1")
        result = self.run_program("validate", "--level", self.LEVEL)
        self.assertIn("note: continues the interrupted validation: 3 of", result.out)
        self.assertIn("continues the interrupted validation: 3 of", result.err)
        self.assertIn("(to start again, remove .transhume/%s)" % os.path.basename(self.file()), result.err)
        for name in ("report.html", "report.md", "report.json"):
            with open(self.path(".transhume", name), encoding="utf-8") as file:
                self.assertRegex(file.read()[-20000:], r"interrupted validation.{1,5} 3 of \d+ parts were compared",
                                 name)

    def test_a_short_one_leaves_nothing(self):
        _, reached = support.count_failpoints("validate", "--level", self.LEVEL, cwd=self.folder)
        self.assertEqual(reached["verify.checkpoint_written"], 0)
        self.assertFalse(os.path.exists(self.file()))
        self.assertFalse(os.path.exists(self.spill()))


class PairsFull(Pairs):
    """Every record that was read stands on disk, and is not read again."""
    LEVEL = "full"
    test_sums_of_columns = None  # there are none at this level

    def after_the_first_reading(self, expected, parts):
        """In the middle of the matching."""
        for rule in ("verify.before_matching:kill:1", "verify.before_matching:kill:3"):
            self.broken(rule, "--jobs", "1")
            self.goes_on(expected, parts, code=1, before=parts)

    def test_parts_that_are_sorted_on_disk(self):
        """What is sorted does not take the place of what was kept; what was read in vain is left out of it."""
        support.make_sqlite(self.path("shop.db"), """
            CREATE TABLE t(k TEXT PRIMARY KEY, w TEXT);
            INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000) SELECT 'k' || i, 'w' FROM n;""")
        self.run_program("migrate", "shop.db", "csv:out")
        name = os.listdir(self.path("out", "t"))[0]
        with open(self.path("out", "t", name), "a", encoding="ascii") as file:
            file.writelines("k7,%s%d\n" % ("long" * 1500, i) for i in range(6000))  # all of them in one part
        expected, parts, _ = self.said(code=1)
        self.assertEqual(self.entity(expected, "t")["extra"], 6000)
        self.killed_after(2, "--jobs", "2")
        self.killed_after(1, "--jobs", "2")
        _, reached = support.count_failpoints("validate", "--level", "full", "--state", "other", "shop.db", "csv:out",
                                              cwd=self.folder)
        # all but one were sorted
        self.broken("verify.before_matching:kill:%d" % reached["verify.before_matching"], "--jobs", "1")
        self.assertGreater(max(entry.stat().st_size for entry in os.scandir(self.spill())), 16 << 20)
        self.write(os.path.join(self.spill(), "sorting"),
                   "of a process that was killed while it made this file nameless")
        self.goes_on(expected, parts, code=1, before=parts)


class ChangesFull(Changes):
    LEVEL = "full"

    def test_what_was_read_is_damaged(self):
        self.killed_after(3, "--jobs", "1")
        parts = [os.path.join(self.spill(), name) for name in sorted(os.listdir(self.spill()))]
        self.assertEqual({os.stat(part).st_mode & 0o777 for part in parts}, {0o600})
        self.keep()

        def edit(path):
            with open(path, "r+b") as file:
                file.seek(100)
                byte = file.read(1)
                file.seek(100)
                file.write(bytes([byte[0] ^ 1]))

        def to_link(path):
            os.rename(path, self.path("elsewhere"))
            os.symlink(self.path("elsewhere"), path)

        for damage in (edit, os.unlink, to_link, lambda path: os.truncate(path, os.stat(path).st_size - 1),
                       lambda path: os.truncate(path, 0),
                       lambda path: shutil.rmtree(self.spill())):
            damage(parts[0])
            self.begins_anew("spill/full is not as it was left")
            self.assertFalse(os.path.exists(self.spill()))
            self.bring_back()
        self.assertEqual(self.parts(self.said()[0])[0], 3)

    def test_stopped_while_what_was_kept_is_checked(self):
        expected, parts, _ = self.said()
        self.killed_after(3, "--jobs", "1")
        process = self.stopped_at("verify.before_rereading:stop:1", "validate", "--level", "full")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 4)
        self.assertIn("3 of %d parts" % parts, result.err)
        self.assertNotIn("continues the interrupted validation", result.err)  # it did not get so far
        self.goes_on(expected, parts, before=3)

    @unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "sanitizers bring an allocator of their own")
    def test_what_was_kept_can_not_be_read(self):
        """That is no reason to read it all again: it may be so for a moment."""
        expected, parts, _ = self.said()
        self.killed_after(3, "--jobs", "1")
        library, _ = failing.libraries()
        for call, number in (("open", errno.EMFILE), ("read", errno.EIO)):
            with self.subTest(call=call):
                result = support.transhume("validate", "--level", "full", cwd=self.folder, env={
                    "LD_PRELOAD": library, "FAIL_CALL": call, "FAIL_AT": "1", "FAIL_ERRNO": str(number),
                    "FAIL_PATH": "spill/full/part"})
                self.assertIn(result.code, (3, 5), result.err)
                self.assertRegex(result.err, r"error: .*spill/full/part-\d+: can't be read: .*%s" % os.strerror(number))
                self.assertNotIn(ANEW, result.err)
        self.goes_on(expected, parts, before=3)

    def test_what_was_written_after_it_does_not_count(self):
        """What was written behind the last mark. Of parts that were begun tests/unit/test_spill_sort.c tells."""
        self.change(self.path("copy.db"), *Pairs.DAMAGE)
        expected, parts, _ = self.said(code=1)
        for rule in ("verify.source_waits:kill:4", "verify.target_waits:kill:5"):
            with self.subTest(rule=rule):
                # Slow enough that it must wait so often, which a program under a sanitizer hardly has to.
                self.broken(rule, "--jobs", "3", "--rows-per-second", str(20000 // support.PATIENCE))
                self.goes_on(expected, parts, code=1)

    def test_a_repair_keeps_other_things(self):
        self.change(self.path("copy.db"), *Pairs.DAMAGE)
        self.killed_after(3, "--jobs", "1")
        self.begins_anew("it compared something else", "--repair", "--delete-extra", "--confirm")
        self.validate("--level", "full")

    def test_a_full_disk_for_what_is_read(self):
        """What was kept before it stays, and the next goes on with that."""
        expected, parts, _ = self.said()
        self.killed_after(2, "--jobs", "1")
        result = self.broken("verify.before_spilling:enospc:0", "--jobs", "1", code=3)
        self.assertIn("No space left", result.err)
        self.goes_on(expected, parts, before=2)
        result = self.broken("verify.before_spilling:enospc:1", "--json", "--jobs", "1", code=0)
        self.assertEqual(self.content(json.loads(result.out)), self.content(expected))
        self.assertEqual(result.err.count("can't be kept"), 1)

    def test_it_takes_no_room_in_the_end(self):
        self.killed_after(3, "--jobs", "1")
        self.assertTrue(os.listdir(self.spill()))
        self.run_program("reset", "--confirm")
        self.assertFalse(os.path.exists(self.path(".transhume")))


class Servers(test_validate_push_down.PushDownCase, ResumeCase):
    """Of what only a server makes: sums of its own, spans of its keys, a proof by its transactions."""
    SCRIPT = """
        CREATE TABLE person (id int PRIMARY KEY, name text, price numeric(10,2), day date);
        INSERT INTO person SELECT i, 'name ' || i, i / 8.0, date '2024-01-01' + i % 700 FROM generate_series(1, 9000) i;
        CREATE TABLE word (w text PRIMARY KEY, f float8); INSERT INTO word SELECT 'word ' || i, i / 3.0 FROM generate_series(1, 5000) i;
        CREATE TABLE keyless (w text, n int); INSERT INTO keyless SELECT 'w' || i % 30, i % 3 FROM generate_series(1, 5000) i;
        ANALYZE;"""
    DAMAGE = ("UPDATE person SET name = 'other' WHERE id IN (3, 8990)", "DELETE FROM person WHERE id IN (4, 8991)",
              "UPDATE word SET f = 0 WHERE w IN ('word 7', 'word 4990')", "INSERT INTO keyless VALUES ('extra', 1)")

    FLIPPED, BACK = "UPDATE person SET name = 'flipped' WHERE id = 5", "UPDATE person SET name = 'name 5' WHERE id = 5"

    def damaged(self, target, analyze):
        ask_source, ask = self.copied(self.postgres, target, self.SCRIPT)
        for statement in self.DAMAGE:
            ask(statement)
        ask(analyze)  # parts are made by guesses of how many rows there are
        return ask_source, ask

    def goes_on_once(self):
        expected, parts, _ = self.said("--jobs", "1", code=1)
        self.killed_after(parts // 2, "--jobs", "1")
        self.goes_on(expected, parts, code=1, before=parts // 2)

    def each_way(self, ask, *options):
        expected, parts, _ = self.said("--jobs", "1", *options, code=1)
        self.assertEqual([self.entity(expected, name)["different"] for name in ("person", "word")], [2, 2])
        for checkpoints in (1, parts // 2, parts - 1) if support.SOAK else (parts // 2,):
            self.killed_after(checkpoints, "--jobs", "1", *options)
            self.goes_on(expected, parts, *options, code=1, before=checkpoints)
        self.broken("verify.before_rereading:kill", "--jobs", "1", *options)
        self.goes_on(expected, parts, *options, code=1, before=parts)
        for statement in (self.FLIPPED, self.BACK) if support.SOAK else (self.FLIPPED,):
            self.killed_after(2, "--jobs", "1", *options)
            ask(statement)
            # one cluster may hold both
            report = self.begins_anew("the (source|target) changed since", *options, code=1)
            self.assertEqual(self.entity(report, "person")["different"], 2 + (statement == self.FLIPPED))
        ask(self.BACK)

    def test_postgres_and_mysql(self):
        ask_source, ask = self.damaged(self.mysql, "ANALYZE TABLE person, word, keyless")
        self.goes_on_once()
        self.each_way(ask, "--push-down")
        if support.SOAK:
            self.each_way(ask)
        self.killed_after(2, "--jobs", "1")
        self.begins_anew("it compared something else", "--push-down", code=1)
        self.killed_after(2, "--jobs", "1")
        ask_source("UPDATE person SET name = 'changed' WHERE id = 6")
        report = self.begins_anew("the source changed since", code=1)
        self.assertEqual(self.entity(report, "person")["different"], 3)

    def test_a_moment_that_proves_nothing(self):
        self.copied(self.postgres, self.mysql, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
        uri = self.uris[1] + ("&" if "?" in self.uris[1] else "?") + "lock=none"
        result = self.run_program("validate", "-v", self.uris[0], uri, env={
            "TRANSHUME_FAILPOINT": "verify.checkpoint_due:error:0,verify.checkpoint_written:kill:1"})
        self.assertEqual(result.err.count("if this validation is interrupted, it starts again: the target can't prove"),
                         1, result.err)

    def test_postgres_and_postgres(self):
        _, ask = self.damaged(self.postgres, "ANALYZE")
        self.goes_on_once()
        if support.SOAK:
            self.each_way(ask)
