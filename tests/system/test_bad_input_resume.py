"""What may have happened between a run's start and its resume, and that no harm comes of it."""
import functools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import unittest

import refusals
import support

TOY = {"TRANSHUME_MODULES": os.path.join(support.BUILD, "toy.so")}

PLAN = """transhume: 1
source: sqlite:shop.db
target: %s
tables:
  invoices:
    key: %s
    entities:
      invoice:
        from: invoice
        fields:
          "*": copy
          CustomerName: { lookup: customer, column: name }
"""


TARGETS = ("sqlite:copy.db", "dynamodb-json:out")


def each_target(test):
    """The test with each target, in a fresh folder: self.target is its URI, self.place its path."""
    @functools.wraps(test)
    def run(self):
        for target in TARGETS:
            with self.subTest(target=target):
                self.aim_at(target)
                test(self, target)
    return run


class ResumeTestCase(refusals.TestCase):
    arguments = ("--chunk-rows", "20", "shop.db")

    def setUp(self):
        super().setUp()
        self.shop()

    def aim_at(self, target):
        self.fresh()
        self.target = target
        self.place = self.path(target.split(":")[1])

    def fresh(self):
        """An empty folder but for the shop."""
        for name in os.listdir(self.folder):
            path = self.path(name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        self.shop()

    def start(self, commits=3):
        self.interrupted(*self.arguments, self.target, commits=commits)

    def resume(self, code=0, *options):
        return self.run_program("resume", *options, *self.arguments, self.target, code=code)

    def refused_resume(self, code, name, says=(), command="resume", arguments=None):
        arguments = (*self.arguments, self.target) if arguments is None else arguments
        return self.refused(command, *arguments, code=code, name=name, says=says,
                            unharmed=[self.path("shop.db"), self.place])

    def assert_complete(self, source="shop.db"):
        if self.target.startswith("sqlite"):
            self.assert_same_sqlite(self.path(source), self.place)
        else:
            found = {t: len(items) for t, items in support.read_dynamodb_json(self.place).items()}
            self.assertEqual(found, support.sqlite_counts(self.path(source)))
            for table, key in (("customer", "id"), ("invoice", "id")):
                support.items_by_key(support.read_dynamodb_json(self.place)[table], key)


class SecondProcess(ResumeTestCase):
    @each_target
    def test_beside_a_running_one(self, target):
        process = self.stopped("migrate", *self.arguments, target)
        pid = str(process.pid)
        # The same state folder, and another one.
        for command in ("migrate", "resume"):
            self.refused_resume(5, "run-held", pid, command)
        self.refused_resume(5, "run-held", pid, "migrate",
                            ("--state", "other", *self.arguments, target))
        self.refused_resume(5, "run-held", pid, "reset", ("--confirm",))
        # Looking is allowed.
        self.assertIn("in_progress", self.run_program("status", "--json").out)
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 0)
        self.assert_complete()

    def test_beside_one_stopped_within_the_ledger(self):
        self.aim_at("dynamodb-json:out")
        process = self.stopped("migrate", *self.arguments, self.target,
                               failpoint="files.within_record", occurrence=8)
        for command in ("migrate", "resume"):
            self.refused_resume(5, "run-held", str(process.pid), command)
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 0)
        self.assert_complete()

    @each_target
    def test_another_run_of_other_tables_into_the_same_target(self, target):
        process = self.stopped("migrate", "--include", "customer", "--chunk-rows", "10",
                               "shop.db", target)
        support.make_sqlite(self.path("diary.db"),
                            "CREATE TABLE diary(id INTEGER PRIMARY KEY); INSERT INTO diary VALUES (1);")
        self.refused_resume(5, "run-held", str(process.pid), "migrate",
                            ("--state", "other", "diary.db", target))
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 0)

    @each_target
    def test_a_killed_one_leaves_no_lock(self, target):
        process = self.stopped("migrate", *self.arguments, target)
        process.kill()
        process.wait()
        self.resume()
        self.assert_complete()

    @each_target
    def test_many_at_once_one_wins(self, target):
        self.start()
        processes = [support.start("resume", *self.arguments, target, cwd=self.folder)
                     for _ in range(6)]
        results = [support.finish(process) for process in processes]
        codes = sorted(result.code for result in results)
        # A late one may come when all is done, and then there is nothing left to do.
        self.assertIn(0, codes, results)
        for result in results:
            self.assertIn(result.code, (0, 5), result.err)
            if result.code == 5:
                self.assertIn("[run-held]", result.err)
        self.assert_complete()


class Unfinished(ResumeTestCase):
    @each_target
    def test_migrate_again_wants_resume(self, target):
        self.start()
        result = self.refused_resume(5, "run-unfinished", command="migrate")
        self.assertIn("transhume resume", result.err)
        self.resume()
        self.assert_complete()

    @each_target
    def test_migrate_again_from_elsewhere_wants_resume_too(self, target):
        # Without the local state, the ledger in the target still knows.
        self.start()
        self.refused_resume(5, "run-unfinished", command="migrate",
                            arguments=("--state", "other", *self.arguments, target))
        self.resume()
        self.assert_complete()

    @each_target
    def test_nothing_to_resume(self, target):
        self.refused_resume(2, ("run-nothing", "source-missing", "target-missing"))

    def test_nothing_at_all(self):
        self.refused("resume", code=2, name=("run-nothing", "usage"),
                     unharmed=[self.path("shop.db")])

    @each_target
    def test_finished_already(self, target):
        self.run_program("migrate", *self.arguments, target)
        with self.unharmed(self.place):
            result = self.resume()
        self.assertRegex(result.out + result.err, "(?i)complete|finished")

    def test_restart_wants_to_be_confirmed(self):
        self.interrupted("--no-express", "--chunk-rows", "20", "shop.db", "copy.db")
        self.refused("migrate", "--restart", "shop.db", "copy.db", code=2, name="usage", says=["rolled back"])
        self.run_program("migrate", "--restart", "--confirm", "shop.db", "copy.db")


class ChangedPlan(ResumeTestCase):
    KEYS = {"sqlite:copy.db": "[id]", "dynamodb-json:out": "{ partition: id }"}

    def start_with_plan(self):
        self.plan = PLAN % (self.target, self.KEYS[self.target])
        self.write("transhume.yaml", self.plan)
        self.interrupted("--chunk-rows", "20", commits=2)

    @each_target
    def test_another_mapping_is_refused(self, target):
        self.start_with_plan()
        for old, new in (("CustomerName: { lookup: customer, column: name }", "id: copy"),
                         ("column: name", "column: mail"), ("  invoices:", "  bills:"),
                         ("CustomerName", "Name"), ('"*": copy', "id: copy")):
            with self.subTest(old=old, new=new):
                changed = self.plan.replace(old, new)
                self.assertNotEqual(changed, self.plan)
                self.write("transhume.yaml", changed)
                result = self.refused_resume(5, "plan-changed", arguments=())
                self.assertRegex(result.err, "(?i)undo|reset|as it was|state folder")
        # Undoing the edit is enough.
        self.write("transhume.yaml", self.plan)
        self.run_program("resume")

    @each_target
    def test_comments_order_and_tuning_may_change(self, target):
        self.start_with_plan()
        self.write("transhume.yaml", "# a comment\n" + self.plan.replace("\n  invoices", "\n\n  invoices")
                   + "options: { jobs: 1, batch_rows: 7 }\n")
        self.run_program("resume")
        found = support.sqlite_counts(self.place)["invoices"] if "copy" in self.place else \
            len(support.read_dynamodb_json(self.place)["invoices"])
        self.assertEqual(found, 120)

    @each_target
    def test_a_plan_that_was_removed(self, target):
        self.start_with_plan()
        os.unlink(self.path("transhume.yaml"))
        result = support.transhume("resume", cwd=self.folder)
        # The state folder has a copy: either it is taken, or the error says where the plan went.
        self.assertIn(result.code, (0, 2, 5), result.err)
        if result.code:
            self.assertEqual(len(refusals.first_line_of(result.err)), 1, result.err)

    @each_target
    def test_other_tables_than_before(self, target):
        self.start()
        self.refused_resume(5, "plan-changed", arguments=("--include", "customer",
                                                          *self.arguments, target))
        self.resume()
        self.assert_complete()


class ChangedSource(ResumeTestCase):
    @each_target
    def test_a_changed_schema_is_refused(self, target):
        for change in ("ALTER TABLE customer ADD COLUMN age INTEGER;",
                       "ALTER TABLE invoice RENAME COLUMN day TO date;", "DROP TABLE line;"):
            with self.subTest(change=change):
                self.aim_at(target)
                self.start(commits=4)
                self.execute(self.path("shop.db"), change)
                result = self.refused_resume(5, "source-changed")
                self.assertIn("reset", result.err)

    @each_target
    def test_a_table_that_came_since_is_no_part_of_the_run(self, target):
        self.start(commits=4)
        self.execute(self.path("shop.db"), "CREATE TABLE extra(id INTEGER PRIMARY KEY);")
        result = self.run_program("resume", *self.arguments, target, code=1)
        self.assertIn("table extra is in the source only since the run began", result.err)

    @each_target
    def test_the_new_column_is_named(self, target):
        self.start()
        self.execute(self.path("shop.db"), "ALTER TABLE customer ADD COLUMN age INTEGER;")
        self.refused_resume(5, "source-changed", "customer")

    @each_target
    def test_another_file_is_refused(self, target):
        self.start()
        shutil.copy(self.path("shop.db"), self.path("new.db"))
        os.rename(self.path("new.db"), self.path("shop.db"))
        self.refused_resume(5, "source-changed")

    @each_target
    def test_another_source_is_refused(self, target):
        self.start()
        self.shop("other.db")
        self.refused_resume(5, ("source-changed", "run-unfinished", "state-invalid"),
                            arguments=("--chunk-rows", "20", "other.db", target))

    @each_target
    def test_another_target_is_refused(self, target):
        self.start()
        other = target.replace("copy.db", "copy2.db").replace("out", "out2")
        self.refused("resume", *self.arguments, other, code=5,
                     name=("ledger-missing", "run-unfinished", "state-invalid"),
                     unharmed=[self.path("shop.db"), self.place, self.path("copy2.db"),
                               self.path("out2")])

    @each_target
    def test_changed_records_make_a_mixed_snapshot(self, target):
        self.arguments = ("--jobs", "1", *self.arguments)
        self.start(commits=1)
        self.execute(self.path("shop.db"), "UPDATE customer SET name = 'New name';"
                     "INSERT INTO customer VALUES (1000, 'Late', 'late@example.org');")
        result = self.resume(1)
        self.assertIn("mixed snapshot", result.out + result.err)
        # Chunks before were kept, chunks after were read anew: old and new names, each row once.
        if target.startswith("sqlite"):
            names = [n for n, in self.query(self.place, "SELECT name FROM customer ORDER BY id")]
        else:
            names = [i["name"]["S"] for i in
                     sorted(support.read_dynamodb_json(self.place)["customer"],
                            key=lambda item: int(item["id"]["N"]))]
        self.assertEqual(names[0], "Customer 1")
        self.assertEqual(names[-1], "Late")
        self.assertEqual(len(names), 41)
        # The verdict stays: status tells of it, too.
        self.assertIn("mixed", self.run_program("status").out)

    @each_target
    def test_nothing_is_mixed_before_the_first_record(self, target):
        """Whatever the attempt before was at, none of its chunks can be there."""
        for failpoint in ("engine.after_ledger_create", "engine.after_claim"):
            with self.subTest(failpoint=failpoint):
                self.aim_at(target)
                killed = support.kill_at(failpoint, 1, "migrate", *self.arguments, target, cwd=self.folder)
                self.assertEqual(killed.code, -signal.SIGKILL, killed.err)
                self.execute(self.path("shop.db"), "UPDATE customer SET name = 'New name'")
                result = self.resume()
                self.assertNotIn("mixed", result.out + result.err)

    @each_target
    def test_unchanged_is_no_mixed_snapshot(self, target):
        self.start()
        result = self.resume()
        self.assertNotIn("mixed", result.out + result.err)

    def test_a_keyless_table_starts_again(self):
        for options in ((), ("--no-express",)):
            with self.subTest(options=options):
                self.fresh()
                self.target, self.place = "sqlite:copy.db", self.path("copy.db")
                self.execute(self.path("shop.db"), "CREATE TABLE word(w TEXT, n INTEGER);")
                db = sqlite3.connect(self.path("shop.db"))
                db.executemany("INSERT INTO word VALUES (?, ?)", [("w%d" % (i % 9), i) for i in range(300)])
                db.commit()
                db.close()
                arguments = ("--include", "word", *options, *self.arguments, self.target)
                self.interrupted(*arguments, commits=5)
                self.execute(self.path("shop.db"), "DELETE FROM word WHERE n % 2; VACUUM;")
                result = support.transhume("resume", *arguments, cwd=self.folder)
                self.assertIn(result.code, (0, 1), result.err)
                self.assertEqual(self.query(self.place, "SELECT w, n FROM word ORDER BY n"),
                                 self.query(self.path("shop.db"), "SELECT w, n FROM word ORDER BY n"))

    @each_target
    def test_a_keyless_table_with_a_key_in_the_plan_starts_again(self, target):
        # Read by rowid, which VACUUM changes, so its rows of the old snapshot go.
        self.execute(self.path("shop.db"), "CREATE TABLE word(w TEXT, n INTEGER);"
                     "INSERT INTO word SELECT 'w' || id, id FROM invoice;")
        key = "[w]" if target.startswith("sqlite") else "{ partition: w }"
        self.write("transhume.yaml", """transhume: 1
source: sqlite:shop.db
target: %s
tables:
  words: { key: %s, from: word, fields: { "*": copy } }
""" % (target, key))
        self.interrupted("--jobs", "1", "--chunk-rows", "10", commits=3)
        self.execute(self.path("shop.db"), "DELETE FROM word WHERE n % 3 = 0; VACUUM;")
        result = support.transhume("resume", cwd=self.folder)
        self.assertIn(result.code, (0, 1), result.err)
        if target.startswith("sqlite"):
            found = [n for n, in self.query(self.place, "SELECT n FROM words ORDER BY n")]
        else:
            found = sorted(int(i["n"]["N"]) for i in support.read_dynamodb_json(self.place)["words"])
        self.assertEqual(found, [n for n in range(1, 121) if n % 3])

    def test_a_keyless_table_into_one_that_was_there_is_refused(self):
        self.target, self.place = "sqlite:copy.db", self.path("copy.db")
        script = "CREATE TABLE word(w TEXT, n INTEGER);"
        self.execute(self.path("shop.db"), script)
        db = sqlite3.connect(self.path("shop.db"))
        db.executemany("INSERT INTO word VALUES (?, ?)", [("w", i) for i in range(300)])
        db.commit()
        db.close()
        support.make_sqlite(self.place, script + "INSERT INTO word VALUES ('mine', -1);")
        arguments = ("--include", "word", "--existing", "append", *self.arguments, self.target)
        self.interrupted(*arguments, commits=5)
        self.execute(self.path("shop.db"), "DELETE FROM word WHERE n % 2; VACUUM;")
        rows = self.query(self.place, "SELECT w, n FROM word ORDER BY rowid")
        self.refused("resume", *arguments, code=5, name=("source-changed", "target-not-empty"), says="word",
                     unharmed=[self.path("shop.db")])
        self.assertEqual(self.query(self.place, "SELECT w, n FROM word ORDER BY rowid"), rows)

    @each_target
    def test_a_source_that_is_gone(self, target):
        self.start()
        os.rename(self.path("shop.db"), self.path("away.db"))
        self.refused("resume", *self.arguments, target, code=2, name="source-missing",
                     says="shop.db", unharmed=[self.place])
        os.rename(self.path("away.db"), self.path("shop.db"))
        # To have been renamed is enough to prove nothing.
        result = support.transhume("resume", *self.arguments, target, cwd=self.folder)
        self.assertIn(result.code, (0, 1), result.err)
        self.assert_complete()


class Ledger(ResumeTestCase):
    """The truth in the target: dropped, emptied, edited, of a newer version."""

    def ledger_file(self):
        """Of a DynamoDB-JSON target."""
        return self.path("out", "_transhume", "ledger.log")

    @each_target
    def test_dropped(self, target):
        self.start()
        if target.startswith("sqlite"):
            names = self.query(self.place, "SELECT name FROM sqlite_schema WHERE type = 'table'"
                               " AND name LIKE '\\_transhume%' ESCAPE '\\'")
            self.execute(self.place, "".join('DROP TABLE "%s";' % name for name in names))
        else:
            shutil.rmtree(self.path("out", "_transhume"))
        self.refused_resume(5, "ledger-missing")
        result = support.transhume("migrate", *self.arguments, target, cwd=self.folder)
        self.assertEqual(result.code, 5, result.err)

    @each_target
    def test_the_target_is_gone(self, target):
        self.start()
        if os.path.isdir(self.place):
            shutil.rmtree(self.place)
        else:
            os.unlink(self.place)
        self.refused_resume(5, "ledger-missing")
        # The way out that the hint names.
        self.run_program("reset", "--confirm")
        self.run_program("migrate", *self.arguments, target)
        self.assert_complete()

    @each_target
    def test_a_newer_format(self, target):
        self.start()
        if target.startswith("sqlite"):
            self.execute(self.place,
                         "UPDATE _transhume_ledger SET value = replace(value, '\"format\":3', "
                         "'\"format\":99') WHERE name LIKE 'run/%/head';")
        else:
            self.edit_format()
        self.refused_resume(5, "format-newer")

    def edit_format(self):
        """The ledger begins with a line of JSON."""
        with open(self.ledger_file(), "r+b") as file:
            self.assertEqual(file.read(11), b'{"format":2')
            file.seek(10)
            file.write(b"9")

    def test_edited_in_sqlite(self):
        value = "UPDATE _transhume_ledger SET value = %s WHERE name LIKE 'run/%%/%s'"
        edits = ("DELETE FROM _transhume_ledger WHERE name LIKE 'run/%/chunks/%'", "DROP TABLE _transhume_ledger",
                 value % ("'{'", "header/%"), value % ("'[]'", "header/%"), value % ("'well'", "status"),
                 value % ("'{}'", "done/%"),
                 value % ("replace(value, '\"number\":2', '\"number\":3')", "chunks/%"),
                 value % ("replace(value, '\"stream\":0', '\"stream\":99')", "chunks/%"),
                 "INSERT INTO _transhume_ledger SELECT replace(name, '/done/0', '/done/9'), version, "
                 "value FROM _transhume_ledger "
                 "WHERE name LIKE 'run/%/done/%' LIMIT 1",
                 value % ("replace(value, '\"epoch\":1', '\"epoch\":\"soon\"')", "leader"), value % ("'{}'", "leader"),
                 "UPDATE _transhume_ledger SET version = 'soon'")
        for edit in edits:
            with self.subTest(edit=edit):
                self.fresh()
                self.target, self.place = "sqlite:copy.db", self.path("copy.db")
                self.start()
                self.execute(self.place, edit + ";")
                self.refused_resume(5, ("ledger-invalid", "ledger-missing"))

    def test_a_done_mark_that_is_gone_from_a_finished_run(self):
        """The counts that are left would blame others for the records."""
        for chunks in ("= 2", "> 0"):
            with self.subTest(chunks):
                self.fresh()
                self.target, self.place = "sqlite:copy.db", self.path("copy.db")
                self.start()
                self.run_program("resume")
                count, = self.query(self.place,
                                    "SELECT count(*) FROM _transhume_ledger WHERE name LIKE 'run/%/done/%'")[0]
                run, = self.query(self.place,
                                  "SELECT value ->> 'run' FROM _transhume_ledger WHERE name LIKE 'runs/%'")[0]
                self.execute(self.place,
                             "DELETE FROM _transhume_ledger WHERE name LIKE 'run/%%/done/%%' AND CAST(substr(name, "
                             "-10) AS INTEGER) %s;" % chunks)
                left = count - 1 if chunks == "= 2" else 0
                for command in (("resume",), ("rollback", "--run", run, "--confirm")):
                    result = self.run_program(*command, code=5)
                    self.assertIn("the run is complete, but %d of its %d done marks are there [ledger-invalid]" % (left,
                        count), result.err)

    def test_edited_in_files(self):
        self.target, self.place = "dynamodb-json:out", self.path("out")
        self.start(commits=4)
        kept = self.path("kept")
        shutil.copytree(self.place, kept)
        inside = self.path("out", "_transhume")
        names = sorted(os.path.relpath(os.path.join(folder, name), inside)
                       for folder, _, files in os.walk(inside) for name in files)
        self.assertIn("ledger.log", names)
        refused = 0
        for name in names:
            for how in ("cut", "garbage", "garbage within"):
                with self.subTest(name=name, how=how):
                    for inner in os.listdir(self.place):
                        shutil.rmtree(os.path.join(self.place, inner))
                    shutil.copytree(kept, self.place, dirs_exist_ok=True)
                    path = os.path.join(inside, name)
                    size = os.path.getsize(path)
                    if size < 2:
                        continue
                    with open(path, "r+b") as file:
                        if how == "cut":
                            file.truncate(size // 2)
                        else:
                            file.seek(size // 2 if how == "garbage within" else 0)
                            file.write(b"\xff\x00garbage")
                    shutil.rmtree(self.path("state"), ignore_errors=True)
                    shutil.copytree(self.path(".transhume"), self.path("state"))
                    result = support.transhume("resume", "--state", "state", *self.arguments,
                                               self.target, cwd=self.folder)
                    # Either it is of no matter and all arrives, or it is refused and named.
                    if result.code == 0:
                        self.assert_complete()
                        continue
                    self.assertEqual(result.code, 5, result.err)
                    self.assertRegex(result.err, r"\[(ledger-invalid|ledger-missing|format-newer)\]")
                    refused += 1
        self.assertGreater(refused, 1)

    def test_the_last_done_mark_in_files(self):
        """
        Edited it is refused like any other; what a crash leaves of a record is not done: without its end, or with zeros
        in it.
        """
        changes = (("edited", lambda head, body: head + body.replace(b'"chunk":', b'"chunk":1'), 5),
                   ("garbage", lambda head, body: head + b"garbage".ljust(len(body), b"!"), 5),
                   ("checksum", lambda head, body: bytes([head[0] ^ 1]) + head[1:] + body, 5),
                   ("length", lambda head, body: head.replace(b" ", b" 9", 1) + body, 5),
                   ("cut", lambda head, body: head + body[:-1], 0), ("cut early", lambda head, body: head[:-1], 0),
                   ("zeros", lambda head, body: head + body[:9] + bytes(len(body) - 30) + body[-21:], 0),
                   ("all zeros", lambda head, body: bytes(len(head + body)), 0))
        for name, change, code in changes:
            with self.subTest(name):
                self.fresh()
                self.target, self.place = "dynamodb-json:out", self.path("out")
                self.start(commits=4)
                with open(self.ledger_file(), "r+b") as file:
                    lines = file.read().splitlines(True)
                    self.assertIn(b"/done/", lines[-2])
                    whole = b"".join(lines[:-3])
                    file.seek(len(whole))
                    file.write(change(lines[-3], lines[-2] + lines[-1]))
                    file.truncate()
                if code == 5:
                    self.refused_resume(5, "ledger-invalid", ["the record at byte %d was edited" % len(whole)])
                else:
                    self.resume()
                    self.assert_complete()

    def test_an_older_backup_of_the_target_was_put_back(self):
        # The ledger goes back with the data: in one file they can't part, and all is done again.
        self.target, self.place = "sqlite:copy.db", self.path("copy.db")
        self.start(commits=2)
        shutil.copy(self.place, self.path("backup"))
        result = support.kill_at("engine.after_commit", 3, "resume", *self.arguments, self.target,
                                 cwd=self.folder)
        self.assert_code(result, -9)
        with open(self.path("backup"), "rb") as backup, open(self.place, "wb") as file:
            file.write(backup.read())
        journal = self.place + "-journal"
        if os.path.exists(journal):
            os.unlink(journal)
        self.resume()
        self.assert_complete()

    def test_segments_that_were_removed_are_missed(self):
        self.target, self.place = "dynamodb-json:out", self.path("out")
        self.start(commits=4)
        folder = self.path("out", "customer")
        names = sorted(os.listdir(folder))
        self.assertTrue(names)
        os.unlink(os.path.join(folder, names[0]))
        result = support.transhume("resume", *self.arguments, self.target, cwd=self.folder)
        self.assertIn(result.code, (3, 5), result.err)
        self.assertRegex(result.err, r"\[(reconcile|ledger-invalid|target-invalid)\]")

    def test_rows_that_were_removed_are_missed(self):
        self.target, self.place = "sqlite:copy.db", self.path("copy.db")
        self.start(commits=4)
        self.execute(self.place, "DELETE FROM customer WHERE id = 1;")
        result = support.transhume("resume", *self.arguments, self.target, cwd=self.folder)
        self.assertEqual(result.code, 3, result.err)
        self.assertRegex(result.err, r"(?m)^error: .*customer.*\[reconcile\]$")


class LocalState(ResumeTestCase):
    """The state folder: never the truth, so most damage to it does no harm."""

    @each_target
    def test_missing_it_is_rebuilt(self, target):
        self.start()
        shutil.rmtree(self.path(".transhume"))
        self.resume()
        self.assert_complete()
        state = self.state()
        self.assertEqual(state["status"], "completed")
        self.assertEqual(state["tables"]["customer"]["records_migrated"], 40)

    @each_target
    def test_any_single_file_cut_or_edited(self, target):
        self.start()
        kept, kept_target = self.path("kept"), self.path("kept-target")
        shutil.copytree(self.path(".transhume"), kept)
        copy = shutil.copytree if os.path.isdir(self.place) else shutil.copy
        copy(self.place, kept_target)
        names = sorted(os.path.relpath(os.path.join(folder, name), kept)
                       for folder, _, files in os.walk(kept) for name in files)
        for name in names:
            for how in ("remove", "empty", "cut", "garbage"):
                with self.subTest(name=name, how=how):
                    self.put_back(kept, kept_target)
                    self.damage(self.path(".transhume", name), how)
                    result = support.transhume("resume", *self.arguments, target, cwd=self.folder)
                    if result.code == 0:
                        self.assert_complete()
                    else:
                        self.assert_refusal(result, 5, ("state-invalid", "format-newer"), name)
                        # The way out that the hint names.
                        shutil.rmtree(self.path(".transhume"))
                        self.resume()
                        self.assert_complete()

    def put_back(self, kept, kept_target):
        """What was kept, in the same files and folders: by their inodes they are known again."""
        shutil.rmtree(self.path(".transhume"), ignore_errors=True)
        shutil.copytree(kept, self.path(".transhume"))
        if not os.path.isdir(kept_target):
            if os.path.exists(self.place + "-journal"):
                os.unlink(self.place + "-journal")
            with open(kept_target, "rb") as copy, open(self.place, "wb") as file:
                file.write(copy.read())
            return
        for name in os.listdir(self.place):
            shutil.rmtree(os.path.join(self.place, name))
        shutil.copytree(kept_target, self.place, dirs_exist_ok=True)

    @staticmethod
    def damage(path, how):
        if how == "remove":
            os.unlink(path)
            return
        with open(path, "r+b") as file:
            size = os.path.getsize(path)
            if how == "garbage":
                file.write(b"\xff{garbage")
            else:
                file.truncate(0 if how == "empty" else size // 2)

    @each_target
    def test_a_newer_format(self, target):
        self.start()
        path = self.path(".transhume", "run.json")
        with open(path, encoding="utf-8") as file:
            run = dict(json.load(file), format=99)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(run, file)
        self.refused_resume(5, "format-newer", "run.json")
        self.refused_resume(5, "format-newer", command="migrate")

    @each_target
    def test_a_newer_format_of_state_json(self, target):
        self.start()
        path = self.path(".transhume", "state.json")
        with open(path, encoding="utf-8") as file:
            state = dict(json.load(file), format=99)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(state, file)
        self.refused("status", code=5, name="format-newer")

    @each_target
    def test_of_another_run(self, target):
        self.start()
        path = self.path(".transhume", "run.json")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        run = json.loads(text)["run"]
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(run, "20200101T000000Z-abcdef"))
        self.refused_resume(5, ("ledger-missing", "state-invalid", "run-unfinished"))

    @each_target
    def test_reject_files_that_were_edited(self, target):
        self.execute(self.path("shop.db"), "UPDATE customer SET mail = NULL, id = id + 0;")
        self.write("transhume.yaml", """transhume: 1
source: sqlite:shop.db
target: %s
tables:
  clients: { key: %s, from: customer, fields: { id: copy, K: "{mail}", name: copy } }
""" % (target, "[K]" if target.startswith("sqlite") else "{ partition: K }"))
        # One job, so that the first file's chunk is among those that are done.
        self.interrupted("--jobs", "1", "--chunk-rows", "10", commits=2)
        folder = self.path(".transhume", "rejects")
        name = sorted(os.listdir(folder))[0]
        with open(os.path.join(folder, name), "r+", encoding="utf-8") as file:
            text = file.read().replace("is null", "is nill")
            file.seek(0)
            file.write(text)
        result = support.transhume("resume", cwd=self.folder)
        self.assertEqual(result.code, 5, result.err)
        self.assertRegex(refusals.first_line_of(result.err)[0], name + r".*\[state-invalid\]$")

    def test_a_symbolic_link_is_not_followed(self):
        os.mkdir(self.path("elsewhere"))
        os.symlink("elsewhere", self.path(".transhume"))
        self.refused("migrate", "shop.db", "copy.db", code=5, name="state-invalid",
                     says=".transhume", unharmed=[self.path("copy.db"), self.path("elsewhere")])

    def test_a_file_in_its_place(self):
        self.write(".transhume", "mine")
        result = support.transhume("migrate", "shop.db", "copy.db", cwd=self.folder)
        self.assertIn(result.code, (2, 3, 5), result.err)
        self.assertIn(".transhume", refusals.first_line_of(result.err)[0])
        self.assertFalse(os.path.exists(self.path("copy.db")))

    def test_files_are_closed_to_others(self):
        self.target = "sqlite:copy.db"
        self.start()
        for folder, folders, files in os.walk(self.path(".transhume")):
            for name in folders:
                self.assertEqual(os.stat(os.path.join(folder, name)).st_mode & 0o077, 0, name)
            for name in files:
                self.assertEqual(os.stat(os.path.join(folder, name)).st_mode & 0o077, 0, name)

    @each_target
    def test_a_plain_copy_is_resumed_without_its_words(self, target):
        self.start()
        self.run_program("resume")
        self.assert_complete()

    @each_target
    def test_resumed_from_another_folder(self, target):
        self.start()
        os.mkdir(self.path("deep"))
        relative = target.split(":")[0] + ":../" + target.split(":")[1]
        result = subprocess.run(
            [support.PROGRAM, "resume", "--state", "../.transhume", "--chunk-rows", "20",
             "../shop.db", relative], cwd=self.path("deep"), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_complete()


class Toy(ResumeTestCase):
    """The same rules where the target has no transactions."""

    def test_refusals(self):
        target = "toy:toy"
        arguments = (*self.arguments, target)
        self.interrupted(*arguments, commits=3, env=TOY)
        self.refused("migrate", *arguments, code=5, name="run-unfinished", env=TOY)
        self.run_program("resume", *arguments, env=TOY)
        self.refused("migrate", *arguments, code=5, name="target-not-empty", env=TOY)
        self.run_program("migrate", "--state", "back.state", target, "dynamodb-json:back", env=TOY)
        found = support.read_dynamodb_json(self.path("back"))
        self.assertEqual({table: len(items) for table, items in found.items()},
                         support.sqlite_counts(self.path("shop.db")))

    def test_restart_and_finish_without_rollback(self):
        target = "toy:toy"
        arguments = (*self.arguments, target)
        self.run_program("migrate", "--restart", "--confirm", *arguments, env=TOY)
        self.refused("finish", target, code=5, name="finish-refused", env=TOY)
        other = (*self.arguments, "toy:other")
        self.interrupted("--state", "other.state", *other, commits=3, env=TOY)
        self.refused("migrate", "--state", "other.state", "--restart", "--confirm", *other, code=5,
                     name="rollback-refused", env=TOY)

    def test_a_missing_module(self):
        result = support.transhume("migrate", "shop.db", "toy:toy", cwd=self.folder,
                                   env={"TRANSHUME_MODULES": "/no/such.so"})
        self.assert_refusal(result, 2, "module", "/no/such.so")
        self.write("not.so", "not a module")
        result = support.transhume("migrate", "shop.db", "toy:toy", cwd=self.folder,
                                   env={"TRANSHUME_MODULES": self.path("not.so")})
        self.assert_refusal(result, 2, "module", "not.so")


if __name__ == "__main__":
    unittest.main()
