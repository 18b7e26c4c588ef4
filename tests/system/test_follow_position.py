"""A target that has no place for a position: the engine keeps it in the run's ledger. Killed at every step, in one lane
and in
several, and failing once at every step, the target ends as the source is."""
import os
import random
import shutil
import signal
import sqlite3
import unittest
import unittest.mock

import support

SEED = support.SEED
POINTS = ("toy.before_apply", "toy.after_apply", "follow.before_position", "follow.after_apply", "follow.before_apply")


class PositionInLedger(support.TestCase):
    """SQLite into the toy, whose records a copy into a new file tells."""

    def setUp(self):
        super().setUp()
        patch = unittest.mock.patch.dict(os.environ, TRANSHUME_MODULES=os.path.join(support.BUILD, "toy.so"))
        patch.start()
        self.addCleanup(patch.stop)
        self.pick = random.Random(SEED)
        self.first, self.toy, self.copies = self.path("first.db"), "toy:" + self.path("toy"), 0
        self.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
        self.execute(*("INSERT INTO t VALUES (%d, 'v%d')" % (i, i) for i in range(40)))

    def execute(self, *statements):
        connection = sqlite3.connect(self.first)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    def change(self, count):
        """One transaction of several rows, of other keys each time."""
        steps = ("INSERT OR REPLACE INTO t VALUES ({0}, 'new {1}')", "UPDATE t SET v = 'up {1}' WHERE id = {0}",
                 "DELETE FROM t WHERE id = {0}")
        self.execute(*(self.pick.choice(steps).format(self.pick.randrange(60), self.pick.random())
                       for _ in range(count)))

    def rows(self, path):
        connection = sqlite3.connect(path)
        rows = connection.execute("SELECT id, v FROM t ORDER BY id").fetchall()
        connection.close()
        return rows

    def follow(self, lanes=1, *more):
        self.run_program("follow", "--catch-up", "--take-over", "--lanes", lanes, *more)
        self.copied()

    def copied(self):
        """A copy of the toy is as the source."""
        self.copies += 1
        last = self.path("last%d.db" % self.copies)
        self.run_program("migrate", "--state", "copy%d" % self.copies, self.toy, last)
        self.assertEqual(self.rows(self.first), self.rows(last))

    def begin(self):
        self.run_program("migrate", "--follow", "--catch-up", self.first, self.toy)

    def test_killed_at_every_step(self):
        self.begin()
        kills = 0
        for occurrence in (1, 2, 4):
            for point in POINTS:
                lanes = self.pick.choice((1, 1, 3))
                self.change(7)
                result = support.kill_at(point, occurrence, "follow", "--catch-up", "--take-over", "--lanes", lanes,
                                         cwd=self.folder)
                kills += result.code == -signal.SIGKILL
                self.change(3)
                self.follow(self.pick.choice((1, 2)))
        self.assertGreaterEqual(kills, len(POINTS))

    def test_fails_once_at_every_step(self):
        self.begin()
        failed = 0
        for point in POINTS:
            self.change(5)
            result = support.transhume("follow", "--catch-up", "--take-over", cwd=self.folder,
                                       env={"TRANSHUME_FAILPOINT": point + ":error:1"})
            self.assertIn(result.code, (0, 3))
            failed += result.code == 3
            self.follow()
        self.assertGreaterEqual(failed, 3)

    def test_taken_over_by_another_process(self):
        """The one that was taken over applies nothing more: the position in the ledger is no longer its own."""
        self.begin()
        self.change(5)
        slow = self.stopped_at("follow.before_apply:stop:1", "follow", "--catch-up", "--take-over")
        self.change(5)
        shutil.copytree(self.path(".transhume"), self.path("elsewhere"))
        self.follow(1, "--state", "elsewhere")
        slow.send_signal(signal.SIGCONT)
        result = support.finish(slow)
        self.assertIn(result.code, (3, 5), result.err)
        self.copied()


class OrderByKey(support.TestCase):
    """The toy's changes are in order within a key only."""

    def test_foreign_keys_are_refused(self):
        patch = unittest.mock.patch.dict(os.environ, TRANSHUME_MODULES=os.path.join(support.BUILD, "toy.so"))
        patch.start()
        self.addCleanup(patch.stop)
        for name, more in (("first.db", ""), ("last.db", " REFERENCES t")):
            connection = sqlite3.connect(self.path(name))
            connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, other INTEGER%s)" % more)
            connection.commit()
            connection.close()
        self.run_program("migrate", "--state", "in", self.path("first.db"), "toy:toy")
        result = self.run_program("migrate", "--follow", "--existing", "append", "toy:toy", self.path("last.db"),
                                  code=2)
        self.assertIn("in order within a key only", result.err)
        self.assertIn("drop the foreign keys", result.err)


if __name__ == "__main__":
    unittest.main()
