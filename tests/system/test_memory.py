"""
Memory that runs out in the middle of a copy: the program ends with one line and exit status 3, and a resume makes the
copy whole.
"""
import contextlib
import os
import shutil
import sqlite3
import subprocess
import unittest

import support

ROWS = 3000
SCRIPT = """
CREATE TABLE word(id INTEGER PRIMARY KEY, w TEXT, price NUMERIC(10,2), b BLOB);
WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < %d)
INSERT INTO word SELECT x, 'word ' || x, x / 100.0, zeroblob(x %% 50) FROM i;
""" % ROWS


@unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "sanitizers bring an allocator of their own")
class Memory(support.TestCase):
    def setUp(self):
        super().setUp()
        self.library = self.path("failing_memory.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "failing_memory.c")
        subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC",
                        "-o", self.library, source],
                       check=True)
        support.make_sqlite(self.path("source.db"), SCRIPT)

    def migrate(self, target, state, code, **variables):
        return self.run_program("migrate", "--no-express", "--jobs", "1", "--chunk-rows", "50", "--state", state,
                                "source.db", "sqlite:" + target,
                                code=code, env=dict(variables, LD_PRELOAD=self.library))

    def test_in_the_middle_of_a_copy(self):
        self.migrate("whole.db", "whole", 0, FAIL_REPORT=self.path("report"))
        with open(self.path("report"), encoding="ascii") as file:
            asked = int(file.read())
        for part in (2, 3, 4, 6):   # what is asked for by the clock moves the middle
            result = self.migrate("copy.db", "state", 3, FAIL_AT=str(asked // part))
            with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
                copied, = db.execute("SELECT count(*) FROM word").fetchone()
            if copied < ROWS:
                break
            os.unlink(self.path("copy.db"))
            shutil.rmtree(self.path("state"))
        self.assertEqual([line for line in result.err.splitlines() if "memory" in line],
                         [line for line in result.err.splitlines() if "error: " in line], result.err)
        self.assertEqual(result.err.count("error: "), 1, result.err)
        self.assertGreater(copied, 0)
        self.assertLess(copied, ROWS)
        self.run_program("resume", "--state", "state")
        self.assert_same_sqlite(self.path("source.db"), self.path("copy.db"))

    def test_a_value_without_room(self):
        """It is known how large it is: so it is an error like others, whole or in slices."""
        for number, value in enumerate(("zeroblob(8000000)", "replace(hex(zeroblob(4000000)), '0', '\"')")):
            source = "large%d.db" % number
            support.make_sqlite(self.path(source),
                                "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, %s);" % value)
            for kind in ("csv", "jsonl"):
                for slice_ in ("16MiB", "1MiB"):
                    with self.subTest(value=value, kind=kind, slice=slice_):
                        name = "%s-%d-%s" % (kind, number, slice_)
                        result = self.run_program("migrate", "--state", "state-" + name,
                                                  "sqlite:%s?slice=%s" % (source, slice_), kind + ":" + name,
                                                  code=3, env={"LD_PRELOAD": self.library, "FAIL_ABOVE": str(12 << 20)})
                        self.assertIn("error: writing chunk 1 of t: no memory ", result.err)


if __name__ == "__main__":
    unittest.main()
