"""A SQLite target each of whose calls fails in turn: the file, its journal, its lock.

Whatever call it is, the run ends with exit status 3 and one clear line, and a resume makes the target whole.
`make test` takes a seeded part of the calls in turn, `make soak` each of them.
"""
import errno
import os
import random
import re
import unittest

import failing
import support

PART = 1 if support.SOAK else 13
FEW = 60   # of so few calls more are tried
CALLS = (("read", errno.EIO), ("write", errno.EIO), ("write", errno.ENOSPC), ("short", errno.ENOSPC),
         ("sync", errno.EIO),
         ("open", errno.EIO), ("open", errno.EMFILE), ("cut", errno.EIO), ("close", errno.EIO))
INTERRUPTED = ("read", "write", "open", "close")
UNNOTICED = "close"  # of what was synced before
SCRIPT = """
CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT, price NUMERIC(10,2), b BLOB);
CREATE TABLE child(a TEXT, n INTEGER, parent_id INTEGER REFERENCES parent(id), PRIMARY KEY (a, n)) WITHOUT ROWID;
CREATE INDEX child_parent ON child(parent_id);
CREATE VIEW cheap AS SELECT id FROM parent WHERE price < 1;
WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 60)
INSERT INTO parent SELECT x * 3, 'name ' || x, x / 100.0, randomblob(x % 50) FROM i;
INSERT INTO child SELECT 'k' || (id % 7), id, id FROM parent;
"""


@unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "sanitizers bring an allocator of their own")
class FailingTarget(failing.FailingTestCase):
    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), SCRIPT)

    def clean_target(self):
        self.clean("copy.db", "copy.db-journal", "copy.db-wal", "copy.db-shm", "copy.db-transhume-lock", ".transhume")

    def assert_one_clear_line(self, result, case):
        errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, result.err)
        self.assertRegex(errors[0], r"copy\.db.* \[[a-z-]+\]$")
        self.assertNotRegex(errors[0], r"\[internal\]")

    def one_case(self, arguments, call, number, at):
        self.clean_target()
        result = support.transhume("migrate", *arguments, cwd=self.folder,
                                   env=self.failing(call, at, 1, number, path="/copy.db"))
        # SQLite may live with a call that fails, such as a sync of the folder.
        self.assertIn(result.code, (0, 3), result.err)
        if result.code != 0:
            self.assert_one_clear_line(result, (call, number, at))
            self.to_the_end(*arguments)
        self.assert_same_sqlite(self.path("source.db"), self.path("copy.db"))
        return result.code != 0

    def in_turn(self, *way):
        arguments = ["--jobs", "1", "--chunk-rows", "30", *way, "source.db", "sqlite:copy.db"]
        seed = random.Random("%d/%s" % (support.SEED, self.id()))
        for call, number in CALLS:
            self.clean_target()
            calls = self.calls(call, "migrate", *arguments, path="/copy.db")
            self.assertGreater(calls, 0, call)
            failures = 0
            part = PART if calls > FEW else min(PART, 7)
            for at in range(seed.randrange(part), calls, part):
                with self.case("sqlite to sqlite", "call", call=call, errno=errno.errorcode[number], at=at):
                    failures += self.one_case(arguments, call, number, at)
            self.assertGreater(failures + (call == UNNOTICED), 0, "no %s that failed was noticed" % call)

    def test_what_a_signal_cut_short_is_done_again(self):
        arguments = ["--jobs", "1", "--chunk-rows", "30", "source.db", "sqlite:copy.db"]
        seed = random.Random("%d/%s" % (support.SEED, self.id()))
        for call in INTERRUPTED:
            self.clean_target()
            calls = self.calls(call, "migrate", *arguments)
            for at in seed.sample(range(calls), min(calls, 200 // PART)):
                with self.case("sqlite to sqlite", "call", call=call, at=at):
                    self.clean_target()
                    self.run_program("migrate", *arguments, env=self.failing(call, at, 1, errno.EINTR))
                    self.assert_same_sqlite(self.path("source.db"), self.path("copy.db"))

    def test_express_lane(self):
        self.in_turn()

    def test_general_path(self):
        self.in_turn("--no-express")


@unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "sanitizers bring an allocator of their own")
class FailingLedger(failing.FailingTestCase):
    """A folder's ledger that can't be read, file by file: that is a failure, and no damage."""

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), SCRIPT)
        self.arguments = ["--chunk-rows", "20", "--jobs", "1", "source.db", "dynamodb-json:out"]

    def files(self):
        """The ledger's files of an interrupted run, under names that do not hold its id."""
        found = set()
        for folder, _, names in os.walk(self.path("out", "_transhume")):
            for name in names:
                found.add(re.sub(r"run-[^/]*", "run-", os.path.relpath(os.path.join(folder, name), self.path("out"))))
        return found

    def interrupted(self):
        self.clean("out", ".transhume")
        self.run_program("migrate", *self.arguments, code=3,
                         env={"TRANSHUME_FAILPOINT": "engine.before_commit:error:3"})

    def test_each_file_and_errno(self):
        self.interrupted()
        files = sorted(self.files())
        interrupted = self.saved("out", ".transhume")
        self.assertGreater(len(files), 5, files)
        noticed = set()
        for file in files:
            name = "/" + file.split("/")[-1]
            for call in ("open", "read"):
                for number in support.drawn((errno.EIO, errno.EMFILE, errno.ENOSPC), 1, file + call):
                    for at in range(3):
                        with self.case("sqlite to dynamodb-json", "call", file=file, call=call,
                                       errno=errno.errorcode[number], at=at):
                            interrupted()
                            result = support.transhume("resume", *self.arguments, cwd=self.folder,
                                                       env=self.failing(call, at, 1, number, path=name))
                            self.assertIn(result.code, (0, 3), result.err)
                            if result.code == 3:
                                noticed.add(file)
                                self.assertRegex(result.err, r"(?m)^error: .* \[[a-z-]+\]$")
                                self.to_the_end(*self.arguments)
                        if not self.has_struck():
                            break   # it is not opened, or read, that often
        self.assertGreater(len(noticed), 3, noticed)


if __name__ == "__main__":
    unittest.main()
