"""Targets that are not empty, not ours, full, locked or forbidden: refused, and left as they were."""
import os
import shutil
import signal
import unittest

import refusals
import support


class TargetTestCase(refusals.TestCase):
    def setUp(self):
        super().setUp()
        self.shop()

    def refused_here(self, target, code, name, says=(), unharmed=(), **more):
        """migrate and check refuse alike."""
        for command in ("migrate", "check"):
            with self.subTest(command=command, target=target):
                arguments = (command, "shop.db", target)
                touched = [self.path("shop.db"), *unharmed]
                if command == "migrate":
                    self.refused(*arguments, code=code, name=name, says=says, unharmed=touched,
                                 **more)
                    continue
                # check reports what it found, so its stdout may hold the report.
                before = refusals.listing(*touched)
                result = support.transhume(*arguments, cwd=self.folder)
                self.assert_code(result, code)
                for text in [says] if isinstance(says, str) else says:
                    self.assertIn(text.lower(), (result.out + result.err).lower())
                self.assert_listing(before, *touched)


class NotEmpty(TargetTestCase):
    def test_a_sqlite_table_with_a_record(self):
        support.make_sqlite(self.path("copy.db"), refusals.SHOP +
                            "INSERT INTO customer VALUES (1, 'Mine', 'mine@example.org');")
        self.refused_here("copy.db", 5, "target-not-empty", "customer",
                          unharmed=[self.path("copy.db")])

    def test_the_next_step_works(self):
        support.make_sqlite(self.path("copy.db"), refusals.SHOP +
                            "INSERT INTO customer VALUES (1000, 'Mine', 'mine@example.org');")
        result = self.refused("migrate", "shop.db", "copy.db", code=5, name="target-not-empty")
        self.assertIn("existing", result.err)
        self.run_program("migrate", "--existing", "append", "shop.db", "copy.db")
        self.assertEqual(support.sqlite_counts(self.path("copy.db"))["customer"], 41)

    def test_empty_tables_of_the_same_shape_are_fine(self):
        support.make_sqlite(self.path("copy.db"), refusals.SHOP)
        self.run_program("migrate", "shop.db", "copy.db")
        self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))

    def test_other_tables_in_the_target_stay(self):
        support.make_sqlite(self.path("copy.db"),
                            "CREATE TABLE diary(day); INSERT INTO diary VALUES ('monday');")
        self.run_program("migrate", "shop.db", "copy.db")
        self.assertEqual(self.query(self.path("copy.db"), "SELECT day FROM diary"), [("monday",)])
        self.assertEqual(support.sqlite_counts(self.path("copy.db")),
                         dict(support.sqlite_counts(self.path("shop.db")), diary=1))

    def test_a_dynamodb_json_folder_with_items(self):
        os.makedirs(self.path("out", "customer"))
        with open(self.path("out", "customer", "data-mine.json"), "w", encoding="utf-8") as file:
            file.write('{"Item":{"id":{"N":"1"}}}\n')
        self.refused_here("dynamodb-json:out", 5, "target-not-empty", "customer",
                          unharmed=[self.path("out")])

    def test_a_finished_run_is_not_repeated_over_itself(self):
        for target in ("copy.db", "dynamodb-json:out"):
            with self.subTest(target=target):
                self.run_program("migrate", "--state", "state" + target[:4], "shop.db", target)
                self.refused("migrate", "--state", "state" + target[:4], "shop.db", target, code=5,
                             name="target-not-empty",
                             unharmed=[self.path("copy.db"), self.path("out")])

    def test_an_empty_source_into_tables_with_records_is_refused_too(self):
        support.make_sqlite(self.path("empty.db"), refusals.SHOP)
        shutil.copy(self.path("shop.db"), self.path("copy.db"))
        self.refused("migrate", "empty.db", "copy.db", code=5, name="target-not-empty",
                     unharmed=[self.path("copy.db")])


class SameDatabase(TargetTestCase):
    def refused_as_same(self, source, target):
        for command in ("migrate", "check"):
            with self.subTest(source=source, target=target, command=command):
                before = refusals.listing(self.path("shop.db"))
                result = support.transhume(command, source, target, cwd=self.folder)
                self.assert_code(result, 2)
                self.assertIn("[same-database]", result.err)
                self.assert_listing(before, self.path("shop.db"))

    def test_the_same_path(self):
        self.refused_as_same("shop.db", "shop.db")
        self.refused_as_same("shop.db", "sqlite:" + self.path("shop.db"))

    def test_other_ways_to_write_it(self):
        os.mkdir(self.path("sub"))
        self.refused_as_same("shop.db", "./shop.db")
        self.refused_as_same("./sub/../shop.db", "shop.db")
        self.refused_as_same("sqlite:shop.db", "sqlite:%73hop.db")
        self.refused_as_same("sqlite:shop.db?slice=64KiB", "sqlite:shop.db")

    def test_a_symbolic_link(self):
        os.symlink("shop.db", self.path("link.db"))
        self.refused_as_same("shop.db", "link.db")
        self.refused_as_same("link.db", "shop.db")

    def test_a_linked_folder(self):
        os.symlink(".", self.path("here"))
        self.refused_as_same("shop.db", "here/shop.db")

    def test_a_hard_link(self):
        os.link(self.path("shop.db"), self.path("hard.db"))
        self.refused_as_same("shop.db", "hard.db")
        self.refused_as_same("hard.db", "shop.db")

    def test_a_dynamodb_json_folder_onto_itself(self):
        self.run_program("migrate", "shop.db", "dynamodb-json:out")
        with self.unharmed(self.path("out")):
            result = support.transhume("migrate", "--state", "other", "dynamodb-json:out",
                                       "dynamodb-json:./out/", cwd=self.folder)
            self.assert_code(result, 2)
            self.assertIn("[same-database]", result.err)

    def test_a_copy_of_the_file_is_another_database(self):
        shutil.copy(self.path("shop.db"), self.path("twin.db"))
        self.refused("migrate", "shop.db", "twin.db", code=5, name="target-not-empty",
                     unharmed=[self.path("twin.db")])


class NotOurs(TargetTestCase):
    def test_a_file_that_is_no_database(self):
        self.write("copy.db", "Dear diary,\n" * 500)
        self.refused_here("sqlite:copy.db", 2, "target-invalid", "copy.db",
                          unharmed=[self.path("copy.db")])

    def test_a_damaged_database(self):
        support.make_sqlite(self.path("copy.db"), refusals.SHOP)
        with open(self.path("copy.db"), "r+b") as file:
            file.seek(100)
            file.write(b"\xff" * 300)
        self.refused_here("sqlite:copy.db", 2, "target-invalid", "copy.db",
                          unharmed=[self.path("copy.db")])

    def test_a_folder_where_a_file_should_be(self):
        os.mkdir(self.path("copy.db"))
        self.refused_here("sqlite:copy.db", 2, "target-invalid", ("copy.db", "folder"),
                          unharmed=[self.path("copy.db")])

    def test_a_file_where_a_folder_should_be(self):
        self.write("out", "a file\n")
        self.refused_here("dynamodb-json:out", 2, "target-invalid", "out",
                          unharmed=[self.path("out")])

    def test_a_table_folder_that_is_a_link(self):
        os.mkdir(self.path("out"))
        os.mkdir(self.path("elsewhere"))
        os.symlink("../elsewhere", self.path("out/customer"))
        self.refused_here("dynamodb-json:out", 2, "target-invalid", ("customer", "symbolic link"),
                          unharmed=[self.path("out"), self.path("elsewhere")])

    def test_a_link_that_leads_nowhere(self):
        os.symlink("elsewhere.db", self.path("copy.db"))
        self.refused_here("copy.db", 2, "target-invalid", ("copy.db", "symbolic link"),
                          unharmed=[self.path("copy.db")])
        self.assertFalse(os.path.exists(self.path("elsewhere.db")))

    def test_a_new_database_is_private(self):
        self.addCleanup(os.umask, os.umask(0o022))
        self.run_program("migrate", "shop.db", "copy.db")
        self.assertEqual(os.stat(self.path("copy.db")).st_mode & 0o777, 0o600)
        # and one that was there keeps its mode
        support.make_sqlite(self.path("open.db"), "")
        os.chmod(self.path("open.db"), 0o664)
        self.run_program("migrate", "--state", "other", "shop.db", "open.db")
        self.assertEqual(os.stat(self.path("open.db")).st_mode & 0o777, 0o664)

    def test_a_folder_that_is_not_there(self):
        self.refused_here("sqlite:no/such/copy.db", 2, "target-missing", "no/such",
                          unharmed=[self.path("no")])

    def test_an_empty_file_becomes_a_database(self):
        open(self.path("copy.db"), "wb").close()
        self.run_program("migrate", "shop.db", "sqlite:copy.db")
        self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))

    def test_a_table_in_the_way_with_other_columns(self):
        support.make_sqlite(self.path("copy.db"), "CREATE TABLE customer(number INTEGER);")
        self.refused_here("copy.db", 2, ("target-schema", "plan-invalid", "target-invalid"),
                          "customer", unharmed=[self.path("copy.db")])

    def test_a_view_in_the_way(self):
        support.make_sqlite(self.path("copy.db"), "CREATE VIEW customer AS SELECT 1 AS id;")
        with self.unharmed(self.path("shop.db")):
            result = support.transhume("migrate", "shop.db", "copy.db", cwd=self.folder)
        self.assertIn(result.code, (2, 3, 5), result.err)
        self.assertIn("customer", refusals.first_line_of(result.err)[0])
        self.assertEqual(self.query(self.path("copy.db"), "SELECT type FROM sqlite_schema WHERE"
                                    " name = 'customer'"), [("view",)])

    def test_table_names_that_dynamodb_does_not_take(self):
        for name in ("a b", "x", "caf\u00e9", "t/../../etc", "n" * 256):
            with self.subTest(name=name):
                support.make_sqlite(self.path("odd.db"), "DROP TABLE IF EXISTS %s; CREATE TABLE %s"
                                    "(id INTEGER PRIMARY KEY);" % ((support.quoted(name),) * 2))
                with self.unharmed(self.path("out")):
                    result = support.transhume("migrate", "odd.db", "dynamodb-json:out",
                                               cwd=self.folder)
                self.assert_code(result, 2)
                self.assertTrue(refusals.first_line_of(result.err))
                os.unlink(self.path("odd.db"))

    def test_a_table_without_key_into_dynamodb(self):
        support.make_sqlite(self.path("loose.db"), "CREATE TABLE loose(a, b);"
                            "INSERT INTO loose VALUES (1, 2);")
        with self.unharmed(self.path("out")):
            result = support.transhume("migrate", "loose.db", "dynamodb-json:out", cwd=self.folder)
        self.assert_code(result, 2)
        self.assertIn("loose", "\n".join(refusals.first_line_of(result.err)))
        self.assertIn("key", result.err)

    def test_existing_policies_that_files_can_not_do(self):
        for policy in ("append", "upsert", "replace", "skip"):
            with self.subTest(policy=policy):
                with self.unharmed(self.path("out")):
                    result = support.transhume("migrate", "--existing", policy, "shop.db",
                                               "dynamodb-json:out", cwd=self.folder)
                self.assertIn(result.code, (0, 2), result.err)
                if result.code == 2:
                    self.assertTrue(refusals.first_line_of(result.err))
                else:
                    self.fail("a folder of files can't look keys up, and yet: " + result.err)


class Locked(TargetTestCase):
    def test_a_target_that_another_process_writes_to(self):
        support.make_sqlite(self.path("copy.db"), "CREATE TABLE other(a);")
        for how in ("BEGIN EXCLUSIVE", "BEGIN IMMEDIATE"):
            with self.subTest(how=how):
                lock = refusals.Lock(self, self.path("copy.db"), how)
                self.refused("migrate", "--timeout", "300ms", "shop.db", "copy.db", code=3,
                             name="target-locked", says="copy.db",
                             unharmed=[self.path("shop.db"), self.path("copy.db")])
                lock.release()
        # Nothing hinders afterwards: it had not begun.
        self.run_program("migrate", "shop.db", "copy.db")

    def test_a_lock_in_the_middle_fails_and_resumes(self):
        process = self.stopped("migrate", "--timeout", "300ms", "--chunk-rows", "20", "shop.db",
                               "copy.db", failpoint="engine.after_commit", occurrence=3)
        lock = refusals.Lock(self, self.path("copy.db"), "BEGIN IMMEDIATE")
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        lock.release()
        self.assert_refusal(result, 3, "target-locked", "copy.db")
        self.run_program("resume", "shop.db", "copy.db")
        self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))


class TakenNames(TargetTestCase):
    """Names of indexes, views and triggers that are taken: known before anything is read or written."""

    SCRIPT = """CREATE TABLE a(id INTEGER PRIMARY KEY, n); CREATE INDEX ix ON a(n);
                CREATE TABLE b(id INTEGER PRIMARY KEY, n UNIQUE); INSERT INTO a VALUES (1, 2); INSERT INTO b VALUES (1, 2);
                CREATE VIEW v AS SELECT n FROM a; CREATE TRIGGER tr AFTER INSERT ON a BEGIN SELECT 1; END;"""
    WHOLE = "  a: { from: a }\n"
    OTHER = "  c: { from: b, key: [id], fields: { id: copy, n: copy }, indexes: { %s: { columns: [n] } } }\n"

    def refused_by_both(self, before, tables, says):
        """check and migrate refuse, and the target is as it was."""
        for path in ("a.db", "copy.db", ".transhume"):
            self.remove(path)
        support.make_sqlite(self.path("a.db"), self.SCRIPT)
        if before:
            support.make_sqlite(self.path("copy.db"), before)
        arguments = ["a.db", "copy.db"]
        if tables:
            self.write("plan.yaml", "transhume: 1\ntables:\n" + tables)
            arguments = ["--plan", "plan.yaml", *arguments]
        self.assertIn(says, " ".join(self.run_program("check", *arguments, code=2).out.split()))
        self.refused("migrate", *arguments, code=2, name="plan-invalid", says=says,
                     unharmed=[self.path("a.db")] + ([self.path("copy.db")] if before else []))
        self.assertEqual(os.path.exists(self.path("copy.db")), bool(before))

    def remove(self, name):
        if os.path.isdir(self.path(name)):
            shutil.rmtree(self.path(name))
        elif os.path.exists(self.path(name)):
            os.remove(self.path(name))

    def test_within_the_plan(self):
        taken = "its index %s has the name of another index or table of the plan"
        for tables, name in ((self.WHOLE + self.OTHER % "ix", "ix"), (self.WHOLE + self.OTHER % "IX", "IX"),
                             (self.OTHER % "ix" + self.WHOLE, "ix"), (self.OTHER % "c", "c"),
                             (self.WHOLE + "  ix: { from: b, key: [id], fields: { id: copy } }\n", "ix")):
            with self.subTest(tables=tables):
                self.refused_by_both(None, tables, taken % name)

    def test_names_that_differ_in_case_only(self):
        fields = "{ from: a, key: [id], fields: { id: copy, %s: { column: n } } }\n"
        self.refused_by_both(None, "  Aa: " + fields % "n" + "  aA: " + fields % "n",
                             "this target takes it for the same table as Aa: the names differ in case only")
        self.refused_by_both(None, "  Aa: " + fields % "ID",
                             "column ID: SQLite takes two names that differ in case only for one")
        # In a folder of items they are two tables, and two fields.
        self.write("plan.yaml", "transhume: 1\nsource: a.db\ntarget: dynamodb-json:out\ntables:\n"
                   + ("  Aaa: " + fields % "ID" + "  aAa: " + fields % "n").replace("[id]", "{ partition: id }"))
        self.run_program("migrate", "--plan", "plan.yaml")
        items = support.read_dynamodb_json(self.path("out"))
        self.assertEqual(items, {"Aaa": [{"id": {"N": "1"}, "ID": {"N": "2"}}],
                                 "aAa": [{"id": {"N": "1"}, "n": {"N": "2"}}]})

    def test_in_the_target(self):
        for before in ("CREATE TABLE ix(a);", "CREATE TABLE o(a); CREATE INDEX IX ON o(a);",
                       "CREATE VIEW ix AS SELECT 1;"):
            for tables in (None, self.WHOLE, self.OTHER % "ix"):
                with self.subTest(before=before, tables=tables):
                    self.refused_by_both(before, tables, "its index ix can't be made")

    def test_views_and_triggers_in_the_target(self):
        for before, says in (("CREATE TABLE v(a);", "v: the view can't be made: the target has another table"),
                             ("CREATE VIEW v AS SELECT 3;", "v: the view can't be made: the target has another view"),
                             ("CREATE TABLE o(a); CREATE TRIGGER TR AFTER INSERT ON o BEGIN SELECT 1; END;",
                              "tr: the trigger can't be made: the target has another trigger")):
            with self.subTest(before=before):
                self.refused_by_both(before, None, says)
        # What is there in the same words is no conflict.
        self.remove("copy.db")
        support.make_sqlite(self.path("copy.db"), "CREATE VIEW v AS SELECT n FROM a;")
        self.run_program("migrate", "a.db", "copy.db")


class NewFile(TargetTestCase):
    def test_the_file_of_whoever_was_first_stays(self):
        """Two make a new target at once: the second one to come only looks, and leaves it alone."""
        process = self.stopped("check", "shop.db", "copy.db", failpoint="sqlite.before_file", occurrence=1)
        with open(self.path("copy.db"), "xb") as file:
            inode = os.fstat(file.fileno()).st_ino
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 0)
        self.assertEqual(os.stat(self.path("copy.db")).st_ino, inode)

    def test_a_run_beside_one_that_only_looks(self):
        """The one that made the file removes it, unused; the other's run begins just before or after."""
        process = self.stopped("migrate", "shop.db", "copy.db", failpoint="sqlite.snapshot_taken", occurrence=1)
        os.remove(self.path("copy.db"))
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 0)
        self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))


class Forbidden(TargetTestCase):
    def place(self):
        folder = self.open_folder()
        refusals.make_shop(os.path.join(folder, "shop.db"))
        os.chmod(os.path.join(folder, "shop.db"), 0o644)
        os.mkdir(os.path.join(folder, "ro"))
        return folder

    def close_folder(self, folder):
        os.chmod(os.path.join(folder, "ro"), 0o555)
        self.addCleanup(os.chmod, os.path.join(folder, "ro"), 0o700)

    def test_a_folder_that_may_not_be_written(self):
        folder = self.place()
        self.close_folder(folder)
        for target in ("sqlite:ro/copy.db", "dynamodb-json:ro", "dynamodb-json:ro/out"):
            with self.subTest(target=target), self.unharmed(os.path.join(folder, "ro")):
                result = self.run_unprivileged(folder, "migrate", "--state", "s" + target[:6],
                                               "shop.db", target)
                self.assert_refusal(result, 2, "permission", "ro")

    def test_a_database_that_may_only_be_read(self):
        folder = self.place()
        path = support.make_sqlite(os.path.join(folder, "ro", "copy.db"), "CREATE TABLE other(a);")
        os.chmod(path, 0o444)
        self.close_folder(folder)
        with self.unharmed(path):
            result = self.run_unprivileged(folder, "migrate", "shop.db", "ro/copy.db")
        self.assert_refusal(result, 2, "permission", "ro/copy.db")

    def test_a_database_that_may_not_be_read_at_all(self):
        folder = self.place()
        path = support.make_sqlite(os.path.join(folder, "copy.db"), "CREATE TABLE other(a);")
        os.chmod(path, 0o000)
        result = self.run_unprivileged(folder, "migrate", "shop.db", "copy.db")
        self.assert_refusal(result, 2, "permission", "copy.db")

    def test_a_state_folder_that_may_not_be_made(self):
        folder = self.place()
        self.close_folder(folder)
        result = self.run_unprivileged(folder, "migrate", "--state", "ro/state", "shop.db", "copy.db")
        self.assert_refusal(result, 2, "permission", "ro/state")
        self.assertFalse(os.path.exists(os.path.join(folder, "copy.db")))

    def test_a_plan_that_may_not_be_written(self):
        folder = self.place()
        self.close_folder(folder)
        result = self.run_unprivileged(folder, "init", "shop.db", "dynamodb-json:out", "-o",
                                       "ro/transhume.yaml")
        self.assert_refusal(result, 2, "permission", "ro/transhume.yaml")


class FullDisk(TargetTestCase):
    """On a file system of a few hundred KiB; what is there is copied out before it vanishes."""

    def setUp(self):
        super().setUp()
        self.big = refusals.make_shop(self.path("big.db"), customers=4000)

    def full_then_resumed(self, target, options, result_name, kibibytes=600):
        result = self.on_small_disk(kibibytes, """
            $T migrate %(options)s --chunk-rows 500 big.db %(target)s >out1 2>err1; echo $? >code1
            ls -R $DISK >listing
            grow 64m
            $T resume %(options)s big.db %(target)s >out2 2>err2; echo $? >code2
            cp -r $DISK/. result
        """ % {"options": options, "target": target})
        self.assertEqual(result.returncode, 0, result.stderr)
        first, second = (support.Result(int(self.read("code" + n)), self.read("out" + n),
                                        self.read("err" + n), 0) for n in "12")
        # Chunks were written, so a report of them on stdout is fine; the error is still one line.
        self.assertEqual(first.code, 3, first.err)
        lines = refusals.first_line_of(first.err)
        self.assertEqual(len(lines), 1, first.err)
        self.assertTrue(lines[0].endswith("[disk-full]"), first.err)
        self.assertIn("resume", first.err)
        self.assert_code(second, 0)
        return self.path("result", result_name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def test_sqlite_target(self):
        for express in ("", "--no-express"):
            with self.subTest(express=express):
                shutil.rmtree(self.path("result"), ignore_errors=True)
                shutil.rmtree(self.path(".transhume"), ignore_errors=True)
                copy = self.full_then_resumed("sqlite:$DISK/copy.db", express, "copy.db")
                self.assert_same_sqlite(self.big, copy)

    def test_dynamodb_json_target(self):
        out = self.full_then_resumed("dynamodb-json:$DISK/out", "", "out", kibibytes=1200)
        counts = {t: len(items) for t, items in support.read_dynamodb_json(out).items()}
        self.assertEqual(counts, support.sqlite_counts(self.big))

    def test_no_room_at_all(self):
        result = self.on_small_disk(8, """
            $T migrate big.db sqlite:$DISK/copy.db >out1 2>err1; echo $? >code1
        """)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.read("code1"), "3\n", self.read("err1"))
        self.assertRegex(self.read("err1"), r"(?m)^error: .*\[disk-full\]$")

    def test_no_room_for_the_state_folder(self):
        with self.unharmed(self.big):
            result = self.on_small_disk(4, """
                $T migrate --state $DISK/state big.db copy.db >out1 2>err1; echo $? >code1
            """)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.read("code1"), "3\n", self.read("err1"))
        self.assertRegex(self.read("err1"), r"(?m)^error: .*\[disk-full\]$")

    def test_at_named_places(self):
        for target, places in (
                ("copy.db", ("sqlite.before_commit", "sqlite.before_index")),
                ("dynamodb-json:out", ("files.before_sync", "ledger.before_mark"))):
            for place in places:
                with self.subTest(target=target, place=place):
                    for name in ("copy.db", "out", ".transhume"):
                        shutil.rmtree(self.path(name), ignore_errors=True)
                    if os.path.exists(self.path("copy.db")):
                        os.unlink(self.path("copy.db"))
                    self.full_at(place, target)

    def full_at(self, place, target):
        arguments = ("--chunk-rows", "50", "shop.db", target)
        occurrence = 1 if place == "sqlite.before_index" else 2
        result = self.run_program("migrate", *arguments, code=3, env={
            "TRANSHUME_FAILPOINT": "%s:enospc:%d" % (place, occurrence)})
        lines = refusals.first_line_of(result.err)
        self.assertTrue(len(lines) == 1 and lines[0].endswith("[disk-full]"), result.err)
        self.run_program("resume", *arguments)
        if target == "copy.db":
            self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))
        else:
            counts = {t: len(items) for t, items in
                      support.read_dynamodb_json(self.path("out")).items()}
            self.assertEqual(counts, support.sqlite_counts(self.path("shop.db")))


class StandardOutput(TargetTestCase):
    def test_results_that_can_not_be_printed(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full")
        import subprocess
        for arguments in (["connectors"], ["init", "shop.db", "dynamodb-json:out", "-o", "-"],
                          ["check", "shop.db", "copy.db"]):
            with self.subTest(arguments=arguments), open("/dev/full", "wb") as full:
                result = subprocess.run([support.PROGRAM, *arguments], stdout=full,
                                        stderr=subprocess.PIPE, cwd=self.folder, timeout=30)
                self.assertEqual(result.returncode, 3, result.stderr)
                self.assertIn(b"stdout", result.stderr)


if __name__ == "__main__":
    unittest.main()
