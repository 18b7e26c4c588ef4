"""Memory that can't be had, in turn: the 1st allocation of a command fails, then the 2nd, and so on until it comes to its end without one.

The other sweeps take one allocation of each chain of calls (test_failing_memory); this one takes all of them, of small commands, in a soak.
An ordinary run takes some.
"""
import contextlib
import os
import sqlite3
import unittest

import failing
import support

SCRIPT = "CREATE TABLE word(id INTEGER PRIMARY KEY, w TEXT); INSERT INTO word VALUES (1, 'a'), (2, 'b'), (3, NULL);"


@unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "sanitizers bring an allocator of their own")
class InTurn(failing.MemoryTestCase):
    allocations_taken = None if support.SOAK else 8
    leaks_each = 40

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), SCRIPT)

    def allocations(self, *arguments, code=0, env=None):
        """Each one for itself."""
        places = super().allocations(*arguments, code=code, env=env)
        return [[number] for number in range(sum(map(len, places)))]

    def copied(self):
        self.clean("copy.db", ".transhume")
        self.run_program("migrate", "--jobs", "1", "source.db", "sqlite:copy.db")

    def test_check_of_a_sample(self):
        self.in_turn(["check", "--sample", "2", "source.db", "sqlite:copy.db"])
        self.nothing_was_made()

    def nothing_was_made(self):
        """Who has no memory to lock the empty file that SQLite opened leaves it."""
        self.assertTrue(not os.path.exists(self.path("copy.db")) or os.path.getsize(self.path("copy.db")) == 0)

    def test_validate(self):
        self.copied()
        self.in_turn(["validate", "--jobs", "1", "--level", "count"])

    def test_rollback(self):
        self.copied()
        restore = self.saved("copy.db", ".transhume")
        run = self.run_id()

        def after(result):
            if result.code != 0:
                self.run_program("rollback", "--run", run, "--confirm")
            if os.path.exists(self.path("copy.db")):
                with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
                    self.assertEqual(db.execute("SELECT name FROM sqlite_schema").fetchall(), [])

        self.in_turn(["rollback", "--run", run, "--confirm"], restore, after)


if __name__ == "__main__":
    unittest.main()
