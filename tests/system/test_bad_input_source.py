"""Sources that are missing, damaged, locked or forbidden: one clear line, and nothing harmed."""
import os
import shutil
import sqlite3
import subprocess
import unittest

import refusals
import support

TARGETS = ("sqlite:copy.db", "dynamodb-json:out")
PAGE = 4096


def overwrite(path, offset, data):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


def truncate(path, size):
    with open(path, "r+b") as file:
        file.truncate(size)


class SourceTestCase(refusals.TestCase):
    def refused_everywhere(self, source, code, name, says, **more):
        """migrate to each target, check and init refuse, and leave no target behind."""
        touched = [self.path("copy.db"), self.path("out"), self.path("transhume.yaml")]
        touched += [self.path(source)] if os.path.exists(self.path(source)) else []
        for target in TARGETS:
            for command in ("migrate", "check", "init"):
                with self.subTest(command=command, target=target):
                    self.refused(command, "sqlite:" + source, target, code=code, name=name,
                                 says=says, unharmed=touched, **more)


class Missing(SourceTestCase):
    def test_a_missing_file(self):
        self.refused_everywhere("no-such.db", 2, "source-missing", "no-such.db")
        self.assertFalse(os.path.exists(self.path("no-such.db")), "a source was created")

    def test_a_missing_folder(self):
        self.refused_everywhere("no/such/shop.db", 2, "source-missing", "no/such/shop.db")

    def test_a_dangling_symbolic_link(self):
        os.symlink("gone.db", self.path("shop.db"))
        self.refused_everywhere("shop.db", 2, "source-missing", "shop.db")

    def test_a_folder(self):
        os.mkdir(self.path("shop.db"))
        self.refused_everywhere("shop.db", 2, "source-invalid", ("shop.db", "folder"))

    def test_a_pipe_does_not_hang(self):
        os.mkfifo(self.path("shop.db"))
        self.refused("migrate", "sqlite:shop.db", "sqlite:copy.db", code=2, name="source-invalid",
                     says="shop.db")

    def test_an_empty_path(self):
        self.refused("migrate", "sqlite:", "sqlite:copy.db", code=2,
                     name=("bad-value", "source-missing", "usage"), unharmed=[self.path("copy.db")])

    def test_a_name_with_a_newline_stays_one_line(self):
        self.refused("migrate", "sqlite:no\nsuch\x1b[31m.db", "sqlite:copy.db", code=2,
                     name="source-missing")


class NotADatabase(SourceTestCase):
    def test_a_text_file(self):
        self.write("shop.db", "id,name\n" * 1000)
        self.refused_everywhere("shop.db", 2, "source-invalid", "shop.db")

    def test_random_bytes(self):
        with open(self.path("shop.db"), "wb") as file:
            file.write(os.urandom(3 * PAGE))
        self.refused_everywhere("shop.db", 2, "source-invalid", "shop.db")

    def test_less_than_a_header(self):
        for size in (1, 16, 99):
            with self.subTest(size=size):
                self.shop()
                truncate(self.path("shop.db"), size)
                self.refused_everywhere("shop.db", 2, "source-invalid", "shop.db")
                os.unlink(self.path("shop.db"))

    def test_a_damaged_header(self):
        for offset, data in ((0, b"SQLite format 2\0"), (0, bytes(16)), (16, b"\x00\x03"),
                             (18, b"\x09\x09"), (44, b"\x00\x00\x00\x63")):
            with self.subTest(offset=offset, data=data):
                self.shop()
                overwrite(self.path("shop.db"), offset, data)
                self.refused_everywhere("shop.db", 2, "source-invalid", "shop.db")
                os.unlink(self.path("shop.db"))

    def test_a_damaged_schema(self):
        self.shop()
        overwrite(self.path("shop.db"), 100, b"\xff" * 400)
        self.refused_everywhere("shop.db", 2, "source-invalid", "shop.db")

    def test_an_encrypted_database_is_named_as_possible(self):
        with open(self.path("shop.db"), "wb") as file:
            file.write(os.urandom(8 * PAGE))
        result = self.refused("migrate", "shop.db", "copy.db", code=2, name="source-invalid")
        self.assertIn("encrypt", result.err.lower())

    def test_a_bare_path_without_suffix_that_is_no_database(self):
        self.write("notes", "just text\n")
        self.refused("migrate", "notes", "copy.db", code=2,
                     name=("unknown-scheme", "source-invalid"), says="notes",
                     unharmed=[self.path("copy.db")])

    def test_a_bare_path_is_known_by_its_first_bytes(self):
        self.shop("shop")
        self.run_program("migrate", "shop", "copy.db")
        self.assert_same_sqlite(self.path("shop"), self.path("copy.db"))


class Damaged(SourceTestCase):
    """Faults that only reading the records finds: the run fails, and goes on once it is mended."""

    def damage(self, how):
        self.shop(customers=400)
        shutil.copy(self.path("shop.db"), self.path("whole.db"))
        how(self.path("shop.db"))

    def leaf_in_the_middle(self, path):
        """Overwrites the third leaf page of the table invoice."""
        db = sqlite3.connect(path)
        pages = [row[0] for row in db.execute(
            "SELECT pageno FROM dbstat WHERE name = 'invoice' AND pagetype = 'leaf' ORDER BY path"
        )] if self.has_dbstat(db) else [self.invoice_root(db) + 2]
        db.close()
        overwrite(path, (pages[2 % len(pages)] - 1) * PAGE, b"\xee" * PAGE)

    @staticmethod
    def has_dbstat(db):
        try:
            db.execute("SELECT 1 FROM dbstat LIMIT 1").fetchone()
            return True
        except sqlite3.OperationalError:
            return False

    @staticmethod
    def invoice_root(db):
        return db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'invoice'").fetchone()[0]

    def rows_out_of_order(self, path):
        """The first leaf page of the table invoice: its second and its last row change places."""
        db = sqlite3.connect(path)
        root = self.invoice_root(db)
        db.close()
        with open(path, "rb") as file:
            file.seek((root - 1) * PAGE + 12)
            child = int.from_bytes(file.read(2), "big")
            file.seek((root - 1) * PAGE + child)
            leaf = (int.from_bytes(file.read(4), "big") - 1) * PAGE
            file.seek(leaf)
            head = file.read(PAGE)
        self.assertEqual(head[0], 0x0d, "a leaf page of a table")
        last = 8 + 2 * (int.from_bytes(head[3:5], "big") - 1)
        overwrite(path, leaf + 10, head[last:last + 2])
        overwrite(path, leaf + last, head[10:12])

    def mend(self):
        """The old bytes in the same file, as a restore in place does it."""
        with open(self.path("whole.db"), "rb") as whole:
            overwrite(self.path("shop.db"), 0, whole.read())

    def fails_then_resumes(self, how, *options, target="sqlite:copy.db"):
        self.damage(how)
        before = refusals.listing(self.path("shop.db"))
        result = support.transhume("migrate", "--chunk-rows", "100", *options, "shop.db", target,
                                   cwd=self.folder)
        # 2 where the preparation saw it and nothing was touched, 3 where the copy did.
        self.assertIn(result.code, (2, 3), result.err)
        self.assert_refusal(result, result.code,
                            "source-invalid" if result.code == 2 else "source-read")
        self.assertRegex(refusals.first_line_of(result.err)[0], "shop.db|customer|invoice|line")
        begun = os.path.exists(self.path("copy.db")) or os.path.exists(self.path("out"))
        self.assertEqual(result.code, 3 if begun else 2, "2 means that nothing was touched")
        self.assert_listing(before, self.path("shop.db"))
        self.mend()
        again = "resume" if result.code == 3 else "migrate"
        # The file's times have changed, so a resume can't prove that it is the same snapshot.
        result = support.transhume(again, "--chunk-rows", "100", *options, "shop.db", target,
                                   cwd=self.folder)
        self.assertIn(result.code, (0, 1), result.err)
        if result.code == 1:
            self.assertIn("mixed snapshot", result.out + result.err)

    def test_a_page_in_the_middle_express(self):
        self.fails_then_resumes(self.leaf_in_the_middle)
        self.assert_same_sqlite(self.path("whole.db"), self.path("copy.db"))

    def test_a_page_in_the_middle_general(self):
        self.fails_then_resumes(self.leaf_in_the_middle, "--no-express", "--jobs", "2")
        self.assert_same_sqlite(self.path("whole.db"), self.path("copy.db"))

    def test_a_page_in_the_middle_to_dynamodb_json(self):
        self.fails_then_resumes(self.leaf_in_the_middle, "--jobs", "2", target="dynamodb-json:out")
        counts = {t: len(items) for t, items in
                  support.read_dynamodb_json(self.path("out")).items()}
        self.assertEqual(counts, support.sqlite_counts(self.path("whole.db")))

    def test_rows_out_of_order(self):
        """A walk from row to row meets one beyond its chunk, and ends before the rows behind that."""
        for rows in (10, 50, 100):
            for target in ("dynamodb-json:out", "sqlite:copy.db"):
                with self.subTest(rows=rows, target=target):
                    self.setUp()
                    self.fails_then_resumes(self.rows_out_of_order, "--jobs", "2", "--no-express", "--chunk-rows",
                                            str(rows), target=target)
                    if target.startswith("sqlite"):
                        self.assert_same_sqlite(self.path("whole.db"), self.path("copy.db"))
                    else:
                        self.assertEqual({t: len(items)
                                          for t, items in support.read_dynamodb_json(self.path("out")).items()},
                                         support.sqlite_counts(self.path("whole.db")))

    def test_cut_in_half(self):
        for options in ((), ("--no-express",)):
            with self.subTest(options=options):
                self.setUp()
                self.fails_then_resumes(
                    lambda path: truncate(path, os.path.getsize(path) // 2 // PAGE * PAGE), *options)
                self.assert_same_sqlite(self.path("whole.db"), self.path("copy.db"))

    def test_cut_inside_a_page(self):
        self.fails_then_resumes(lambda path: truncate(path, os.path.getsize(path) - PAGE - 100))
        self.assert_same_sqlite(self.path("whole.db"), self.path("copy.db"))


class Empty(SourceTestCase):
    """A database without tables, and tables without rows."""

    def test_without_tables_says_so(self):
        make = {"nothing.db": lambda path: open(path, "wb").close(),
                "header.db": lambda path: support.make_sqlite(path, "VACUUM")}
        for name, maker in make.items():
            maker(self.path(name))
            for target in TARGETS:
                with self.subTest(name=name, target=target):
                    before = refusals.listing(self.path(name))
                    result = support.transhume("migrate", "--state", "state-" + name + target[:3],
                                               "sqlite:" + name, target, cwd=self.folder)
                    self.assertIn(result.code, (0, 2), result.err)
                    self.assertRegex((result.out + result.err).lower(),
                                     "no table|empty|nothing to (copy|migrate)")
                    self.assert_listing(before, self.path(name))

    def test_tables_without_rows(self):
        make = refusals.SHOP + "CREATE VIEW v AS SELECT * FROM customer;"
        support.make_sqlite(self.path("shop.db"), make)
        self.run_program("migrate", "shop.db", "copy.db")
        self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))
        self.run_program("migrate", "--state", "other", "shop.db", "dynamodb-json:out")
        self.assertEqual(support.read_dynamodb_json(self.path("out")),
                         {"customer": [], "invoice": [], "line": []})


class Locked(SourceTestCase):
    def lock(self, how, mode="DELETE"):
        self.shop()
        return refusals.Lock(self, self.path("shop.db"), "PRAGMA journal_mode=" + mode, *how)

    def refused_then_works(self, lock):
        for target in TARGETS:
            with self.subTest(target=target):
                self.refused("migrate", "--timeout", "300ms", "shop.db", target, code=3,
                             name="source-locked", says="shop.db",
                             unharmed=[self.path("shop.db"), self.path("copy.db"), self.path("out")])
        lock.release()
        self.run_program("migrate", "--timeout", "300ms", "shop.db", "copy.db")
        self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))

    def test_an_exclusive_lock(self):
        self.refused_then_works(self.lock(["BEGIN EXCLUSIVE"]))

    def test_a_writer_in_wal_mode(self):
        # All readers begin under a brief write lock, so that they see one moment.
        self.refused_then_works(self.lock(["BEGIN IMMEDIATE"], mode="WAL"))

    def test_a_lock_that_is_given_back_in_time(self):
        lock = self.lock(["BEGIN EXCLUSIVE"])
        process = support.start("migrate", "--timeout", "20s", "shop.db", "copy.db", cwd=self.folder)
        self.addCleanup(self.end, process)
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(timeout=0.4)
        lock.release()
        self.assert_code(support.finish(process), 0)
        self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))

    def test_another_reader_is_no_hindrance(self):
        lock = self.lock(["BEGIN", "SELECT * FROM customer"])
        self.run_program("migrate", "--timeout", "2s", "shop.db", "copy.db")
        lock.release()
        self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))


class Forbidden(SourceTestCase):
    def place(self, name, mode, **options):
        """A shop in a folder that everybody may enter; the file has this mode."""
        folder = self.open_folder()
        refusals.make_shop(os.path.join(folder, name), **options)
        os.chmod(os.path.join(folder, name), mode)
        return folder

    def test_a_file_that_may_not_be_read(self):
        folder = self.place("shop.db", 0o000)
        for target in TARGETS:
            with self.subTest(target=target):
                result = self.run_unprivileged(folder, "migrate", "shop.db", target)
                self.assert_refusal(result, 2, "permission", "shop.db")
                self.assertEqual(sorted(n for n in os.listdir(folder) if not n.startswith(".")),
                                 ["program", "shop.db"])

    def test_a_folder_that_may_not_be_entered(self):
        folder = self.open_folder()
        os.mkdir(os.path.join(folder, "closed"))
        refusals.make_shop(os.path.join(folder, "closed", "shop.db"))
        os.chmod(os.path.join(folder, "closed"), 0o000)
        self.addCleanup(os.chmod, os.path.join(folder, "closed"), 0o700)
        result = self.run_unprivileged(folder, "migrate", "closed/shop.db", "copy.db")
        self.assert_refusal(result, 2, "permission", "closed/shop.db")

    def test_a_file_that_may_only_be_read_is_enough(self):
        folder = self.place("shop.db", 0o444)
        if os.geteuid() != 0:
            os.chmod(folder, 0o755)
        source = os.path.join(folder, "shop.db")
        with self.unharmed(source):
            result = self.run_unprivileged(folder, "migrate", "shop.db", "copy.db")
            self.assert_code(result, 0)
        self.assert_same_sqlite(source, os.path.join(folder, "copy.db"))

    def read_only_wal(self):
        """A WAL database, closed cleanly, in a folder that may not be written."""
        folder = self.open_folder()
        os.mkdir(os.path.join(folder, "ro"))
        path = refusals.make_shop(os.path.join(folder, "ro", "shop.db"),
                                  script="PRAGMA journal_mode=WAL;")
        os.chmod(path, 0o444)
        os.chmod(os.path.join(folder, "ro"), 0o555)
        self.addCleanup(os.chmod, os.path.join(folder, "ro"), 0o700)
        return folder, path

    def test_a_wal_database_in_a_folder_that_may_not_be_written(self):
        folder, path = self.read_only_wal()
        with self.unharmed(path):
            result = self.run_unprivileged(folder, "migrate", "ro/shop.db", "copy.db")
        self.assert_refusal(result, 2, ("permission", "source-invalid"), "ro/shop.db")
        self.assertIn("immutable", result.err)

    def test_the_same_declared_immutable(self):
        folder, path = self.read_only_wal()
        with self.unharmed(os.path.dirname(path)):
            result = self.run_unprivileged(folder, "migrate", "sqlite:ro/shop.db?immutable=true",
                                           "copy.db")
            self.assert_code(result, 0)
        # The comparison by SQLite itself would want to write beside the source.
        shutil.copy(path, self.path("shop.db"))
        self.assert_same_sqlite(self.path("shop.db"), os.path.join(folder, "copy.db"))


class Addresses(SourceTestCase):
    """Unknown schemes and options."""

    def setUp(self):
        super().setUp()
        self.shop()
        self.touched = [self.path(n) for n in ("shop.db", "copy.db", "out")]

    def wrong(self, source, target, name, says, suggests=None):
        with self.subTest(source=source, target=target):
            result = self.refused("migrate", source, target, code=2, name=name, says=says,
                                  unharmed=self.touched)
            if suggests:
                self.assertIn(suggests, result.err)

    def test_unknown_schemes(self):
        self.wrong("sqlit:shop.db", "copy.db", "unknown-scheme", "sqlit", "sqlite")
        self.wrong("shop.db", "sqllite:copy.db", "unknown-scheme", "sqllite", "sqlite")
        self.wrong("shop.db", "dynamo-json:out", "unknown-scheme", "dynamo-json", "dynamodb-json")
        self.wrong("shop.db", "oracle://host/db", "unknown-scheme", "oracle", "transhume connectors")
        self.wrong("shop.db", "somewhere", "unknown-scheme", "somewhere")
        self.wrong("shop.db", "", ("unknown-scheme", "usage", "bad-value"), ())

    def test_unknown_options(self):
        self.wrong("sqlite:shop.db?imutable=true", "copy.db", "unknown-option", "imutable",
                   "immutable")
        self.wrong("shop.db", "dynamodb-json:out?compresion=gzip", "unknown-option", "compresion",
                   "compression")

    def test_wrong_values_of_options(self):
        self.wrong("sqlite:shop.db?immutable=maybe", "copy.db", "bad-value", "maybe")
        self.wrong("sqlite:shop.db?slice=lots", "copy.db", "bad-value", "lots")
        self.wrong("shop.db", "dynamodb-json:out?compression=lz4", "bad-value", "lz4", "zstd")
        self.wrong("shop.db", "dynamodb-json:out?file_bytes=-1", "bad-value", "file_bytes")

    def test_a_percent_that_is_no_escape(self):
        self.wrong("sqlite:shop%zz.db", "copy.db", ("usage", "bad-value"), "shop%zz.db")

    def test_a_password_is_never_shown(self):
        result = support.transhume("migrate", "shop.db", "oracle://me:hunter22@host/db",
                                   cwd=self.folder)
        self.assertEqual(result.code, 2)
        self.assertNotIn("hunter22", result.out + result.err)


if __name__ == "__main__":
    unittest.main()
