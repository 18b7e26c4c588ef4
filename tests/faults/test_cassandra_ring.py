"""A ring of three nodes of Cassandra: kills, take-overs and dead nodes in mid-load. In a soak."""
import os
import random
import signal
import sqlite3
import time
import unittest

import cassandra_server
import support

ROWS = 30000
PLAN = """transhume: 1
source: source.db
target: "%s"
tables:
  things:
    key: { partition: id }
    columns: { tags: { type: "list<text>" } }
    from: things
    fields: { "*": copy, tags: { column: tags, cast: list } }
"""
OPTIONS = "?create=true&replication=3&lease=10&consistency=QUORUM"


@unittest.skipUnless(support.SOAK, "a ring of three takes minutes: make soak")
class Ring(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ring = cassandra_server.Ring.for_class(cls)

    def setUp(self):
        super().setUp()
        self.keyspace = "k" + self.id().rpartition("_")[2]
        with sqlite3.connect(self.path("source.db")) as db:
            db.execute("CREATE TABLE things(id INTEGER PRIMARY KEY, v TEXT, tags TEXT)")
            db.executemany("INSERT INTO things VALUES (?, ?, ?)",
                           ((i, "value %d" % i, '["a", "%d"]' % i) for i in range(1, ROWS + 1)))
        self.write("plan.yaml", PLAN % self.ring.uri(self.keyspace, OPTIONS))

    def begin(self, command, **environment):
        process = support.start(command, "--plan", "plan.yaml", "--timeout", "4s", "--progress", "none",
                                cwd=self.folder, env=environment)
        self.addCleanup(self.end, process)
        return process

    def assert_things(self, changed=()):
        """None is lost, doubled or altered, elements of lists included."""
        found = self.ring.ask("SELECT id, v, tags FROM %s.things" % self.keyspace)
        self.assertEqual(len(found), ROWS)
        wrong = [row for row in found if (row[1], list(row[2] or ())) != ("new" if row[0] in changed
                                                                          else "value %d" % row[0], ["a", str(row[0])])]
        self.assertEqual(wrong[:3], [])

    def test_kills(self):
        draw = random.Random(support.SEED)
        process = self.begin("migrate")
        self.wait_until("the run begins", lambda: os.path.exists(self.path(".transhume/state.json"))
                        or process.poll() is not None)
        for _ in range(8):
            time.sleep(draw.uniform(0.3, 1.5))
            if process.poll() is not None:
                break
            process.kill()
            support.finish(process)
            process = self.begin("resume")
        self.assert_code(support.finish(process), 0)
        self.assert_things()

    def test_takeover(self):
        first = self.begin("migrate", TRANSHUME_FAILPOINT="cassandra.after_send:stop:2000")
        self.wait_until_stopped(first)
        second = support.start("resume", "--take-over", "--state", "second", "--plan", "plan.yaml", "--timeout", "4s",
                               "source.db",
                               self.ring.uri(self.keyspace, OPTIONS), cwd=self.folder)
        self.addCleanup(self.end, second)
        self.assert_code(support.finish(second), 0)
        changed = range(1, 3500, 7)
        for number in changed:
            self.ring.ask("UPDATE %s.things SET v = 'new' WHERE id = %d" % (self.keyspace, number))
        first.send_signal(signal.SIGCONT)
        ended = support.finish(first)
        self.assert_code(ended, 5)
        self.assertIn("run-fenced", ended.err)
        self.assert_things(changed)

    def test_node(self):
        process = self.begin("migrate")
        time.sleep(1)
        self.ring.kill(1)
        time.sleep(3)
        self.ring.restart(1)
        self.assert_code(support.finish(process), 0)
        self.assert_things()


if __name__ == "__main__":
    unittest.main()
