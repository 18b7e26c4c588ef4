"""A source whose changes are in order within a key only, and a target that has no place for a position: a chain of two runs, killed
at every step, in one lane and in several, ends with the last target as the first source is."""
import os
import random
import signal
import sqlite3
import unittest
import unittest.mock

import support

SEED = support.SEED
POINTS = ("toy.before_apply", "toy.after_apply", "follow.before_position", "follow.after_apply", "follow.before_apply")


class Partitions(support.TestCase):
    """SQLite into the toy, and the toy into SQLite."""

    def setUp(self):
        super().setUp()
        patch = unittest.mock.patch.dict(os.environ, TRANSHUME_MODULES=os.path.join(support.BUILD, "toy.so"))
        patch.start()
        self.addCleanup(patch.stop)
        self.pick = random.Random(SEED)
        self.first, self.last, self.toy = self.path("first.db"), self.path("last.db"), "toy:" + self.path("toy")
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
        steps = ("INSERT OR REPLACE INTO t VALUES ({0}, 'new {1}')", "UPDATE t SET v = 'up {1}' WHERE id = {0}", "DELETE FROM t WHERE id = {0}")
        self.execute(*(self.pick.choice(steps).format(self.pick.randrange(60), self.pick.random()) for _ in range(count)))

    def rows(self, path):
        connection = sqlite3.connect(path)
        rows = connection.execute("SELECT id, v FROM t ORDER BY id").fetchall()
        connection.close()
        return rows

    def begin(self):
        self.run_program("migrate", "--follow", "--catch-up", "--state", "in", self.first, self.toy)
        self.run_program("migrate", "--follow", "--catch-up", "--state", "out", self.toy, self.last)

    def follow(self, lanes=1):
        for state in ("in", "out"):
            self.run_program("follow", "--catch-up", "--take-over", "--lanes", lanes, "--state", state)
        self.assertEqual(self.rows(self.first), self.rows(self.last))

    def test_killed_at_every_step(self):
        self.begin()
        kills = 0
        for occurrence in (1, 2, 4):
            for point in POINTS:
                for state in ("in", "out"):
                    lanes = self.pick.choice((1, 1, 3))
                    self.change(7)
                    result = support.kill_at(point, occurrence, "follow", "--catch-up", "--take-over", "--lanes", lanes, "--state", state, cwd=self.folder)
                    kills += result.code == -signal.SIGKILL
                    self.change(3)
                    self.follow(self.pick.choice((1, 2)))
        self.assertGreater(kills, 15)

    def test_fails_once_at_every_step(self):
        self.begin()
        for point in POINTS:
            for state in ("in", "out"):
                self.change(5)
                with unittest.mock.patch.dict(os.environ, TRANSHUME_FAILPOINT=point + ":error:1"):
                    self.run_program("follow", "--catch-up", "--take-over", "--state", state, code=None)
                self.follow()

    def test_what_is_known_before(self):
        self.begin()
        said = self.run_program("check", "--follow", "--state", "other", self.toy, self.path("another.db")).out
        self.assertIn("in order within a key", said)


if __name__ == "__main__":
    unittest.main()
