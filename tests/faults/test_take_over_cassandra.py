"""
Fencing in Cassandra: a stopped process, its take-over, and what it does when it wakes; and a node that ends in
mid-load.
"""
import random
import shutil
import signal
import time
import unittest

import cassandra_server
import strikes
import support
import test_kill_cassandra
from kill_matrix import sample_of_all

SLOWER = min(support.PATIENCE, 3)
LEASE_S = 2 * SLOWER
ROWS = 400
PLACES = (("engine.after_commit", 2), ("cassandra.before_send", 4), ("cassandra.after_send", 4),
          ("cassandra.after_answer", 4), ("cassandra.before_keys", 2),
          ("ledger.before_mark", 2))
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


class TakeOver(support.TestCase):
    common = ["--plan", "plan.yaml", "--chunk-rows", "50", "--timeout", "%dms" % (500 * SLOWER)]

    @classmethod
    def setUpClass(cls):
        cls.server = cassandra_server.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.keyspace = self.server.database()
        self.uri = self.server.uri(self.keyspace, "?lease=%d" % LEASE_S)
        self.write("plan.yaml", PLAN % self.uri)
        support.make_sqlite(self.path("source.db"), """PRAGMA journal_mode = WAL;
            CREATE TABLE things(id INTEGER PRIMARY KEY, v TEXT, tags TEXT);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
            INSERT INTO things SELECT i, 'value ' || i, json_array('a', 'b' || i, 'a') FROM n;""" % ROWS)

    def stopped(self, place, occurrence=1):
        """
        A migrate that has stopped itself at the place. One job: a second may stand between its check and its request.
        """
        return self.stopped_at("%s:stop:%d" % (place, occurrence), "migrate", "--state", "first", "source.db", self.uri,
                               "--jobs", "1", *self.common)

    def resume(self, *options, code=0):
        return self.run_program("resume", *options, "--state", "second", "source.db", self.uri, "--jobs", "2",
                                *self.common, code=code)

    def things(self):
        return {number: (v, list(tags or ())) for number, v, tags in self.server.ask(self.keyspace,
            "SELECT id, v, tags FROM things")}

    def assert_target(self, changed=()):
        wanted = {number: ("new" if number in changed else "value %d" % number, ["a", "b%d" % number, "a"])
                  for number in range(1, ROWS + 1)}
        self.assertEqual({number: row for number, row in self.things().items() if row != wanted.get(number)}, {})
        self.assertEqual(len(self.things()), ROWS)

    def test_a_stopped_process_holds_the_run(self):
        first = self.stopped("engine.after_commit", 2)
        result = self.resume(code=5)
        self.assertIn("run-held", result.err)
        self.assertRegex(result.err, r"pid %d on \S+ works on this run" % first.pid)
        self.assertIn("--take-over", result.err)

    def test_take_over_and_late_waking(self):
        """
        What it still sends changes nothing: no element of a list is there twice, and what an application wrote since
        stays.
        """
        places = PLACES if support.SOAK else random.Random(support.SEED).sample(PLACES, 1)
        for place, occurrence in places:
            with self.subTest(place=place):
                self.server.renew(self.keyspace)
                first = self.stopped(place, occurrence)
                result = self.resume("--take-over")
                self.assertRegex(result.err, r"waiting \d+ s for the lease of pid %d on \S+ to be over" % first.pid)
                self.assert_target()
                changed = range(1, ROWS + 1, 3)
                for number in changed:
                    self.server.ask(self.keyspace, "UPDATE things SET v = 'new' WHERE id = %s", number)
                first.send_signal(signal.SIGCONT)
                ended = support.finish(first)
                self.assert_code(ended, 5)
                self.assertIn("run-fenced", ended.err)
                self.assert_target(changed)
                for state in ("first", "second"):
                    shutil.rmtree(self.path(state))

    def test_held_up_for_longer_than_its_lease(self):
        """A machine that slept: nobody took the run over, so the claim is renewed late and the run goes on."""
        place, occurrence = random.Random(support.SEED).choice(PLACES)
        first = self.stopped(place, occurrence)
        time.sleep(1.5 * LEASE_S)
        first.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(first), 0)
        self.assert_target()


class Restarts(strikes.Restarts, test_kill_cassandra.KillCassandra):
    """The node ends as by a crash, and comes back; what it had answered is on its disk."""
    engine_cases = 40 if support.SOAK else 1
    test_sqlite_to_cassandra, test_toy_to_cassandra, test_cassandra_to_sqlite, test_cassandra_to_toy = (
        test_kill_cassandra.ALL["test_" + name] for name in ("sqlite_to_cassandra", "toy_to_cassandra",
                                                             "cassandra_to_sqlite", "cassandra_to_toy"))
    test_cassandra_to_cassandra = None

    @classmethod
    def setUpClass(cls):
        cls.server = cassandra_server.for_class(cls, settings={"commitlog_sync": "batch",
                                                               "commitlog_sync_period_in_ms": 0})


sample_of_all((Restarts,), 1)

if __name__ == "__main__":
    unittest.main()
