"""Runs that come while the ledger's table goes: it leaves with the last run, and nobody else's run with it."""
import json
import os
import signal
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), room)
                for room in ("system", "servers")]
import items
import support
from fault_proxy import FaultProxy
from test_take_over_dynamodb import TakeOver

LEDGER = "_transhume_ledger"
ROWS = 120


class Ledger(TakeOver):
    """One run is complete; `transhume finish` of it, and a migrate of another table, stop each other at every place."""

    def setUp(self):
        super().setUp()
        for name, table in (("source.db", "things"), ("other.db", "others")):
            support.make_sqlite(self.path(name),
                                """DROP TABLE IF EXISTS %s; CREATE TABLE %s(id INTEGER PRIMARY KEY, v TEXT);
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
                INSERT INTO %s SELECT i, 'value ' || i FROM n;""" % (table, table, ROWS, table))
        self.assert_code(support.finish(self.begin("migrate", "first", "source.db")), 0)

    def begin(self, command, state, source, *options, endpoint=None, **changes):
        process = support.start(command, *options, "--state", state, *([source, self.uri(endpoint)] if source else []),
                                *(self.common if source else []), cwd=self.folder, env=self.environment(**changes))
        self.addCleanup(process.kill)
        return process

    def finish_first(self, **changes):
        return self.begin("finish", "first", None, "--confirm", **changes)

    def migrate_other(self, **changes):
        return self.begin("migrate", "second", "other.db", **changes)

    def go_on(self, process, code=0):
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, code)
        return result

    def runs(self):
        """The ids of runs in the ledger, the newest one last, as boto3 sees them."""
        kept = self.client.scan(TableName=LEDGER, ConsistentRead=True)["Items"]
        return [json.loads(item["text"]["S"])["run"] for item in sorted(kept, key=lambda item: item["key"]["S"])
                if item["place"]["S"] == "runs"]

    def heads(self):
        return [item for item in self.client.scan(TableName=LEDGER, ConsistentRead=True)["Items"]
                if item["key"]["S"].startswith("run/") and item["key"]["S"].endswith("/head")]

    def assert_both(self):
        rows = [{"id": {"N": str(n)}, "v": {"S": "value %d" % n}} for n in range(1, ROWS + 1)]
        self.assert_tables({"things": rows, "others": rows})

    def assert_second_is_known(self):
        """Its ledger is whole: it can be validated and finished, and the table goes with it."""
        self.assertEqual(len(self.runs()), 1)
        self.assert_both()
        self.assert_code(support.finish(self.begin("validate", "second", None)), 0)
        self.assert_code(support.finish(self.begin("finish", "second", None, "--confirm")), 0)
        items.wait_gone(self.client, LEDGER)

    def test_a_run_is_published_after_the_list_was_read(self):
        finishing = self.finish_first(TRANSHUME_FAILPOINT="ledger.before_closing:stop")
        self.wait_until_stopped(finishing)
        self.assert_code(support.finish(self.migrate_other()), 0)
        self.go_on(finishing)
        self.assert_second_is_known()

    def test_a_run_waits_for_a_ledger_that_goes(self):
        finishing = self.finish_first(TRANSHUME_FAILPOINT="ledger.after_closing:stop")
        self.wait_until_stopped(finishing)
        with FaultProxy(self.server.endpoint) as proxy:
            second = self.migrate_other(endpoint=proxy.endpoint)
            self.wait_until("it has looked at the ledger several times", lambda: proxy.operations()["GetItem"] > 6)
            self.go_on(finishing)
            result = support.finish(second)
            self.assert_code(result, 0)
            self.assertRegex(result.err, "waiting for the ledger of finished runs to be removed")
            self.assert_second_is_known()

    def test_the_ledger_goes_while_a_run_is_made(self):
        """At each place where it can be: before its parts, with its parts and head there, and not published."""
        for number, place in enumerate(("ledger.before_parts", "ledger.before_publish")):
            with self.subTest(place=place):
                if number > 0:
                    self.setUp()
                second = self.migrate_other(TRANSHUME_FAILPOINT=place + ":stop")
                self.wait_until_stopped(second)
                self.assert_code(support.finish(self.finish_first()), 0)
                self.go_on(second)
                self.assert_second_is_known()
                self.doCleanups()

    def test_a_closing_that_was_cut_short(self):
        """No other run gets in, and says what to do; finished once more, it goes."""
        finishing = support.finish(self.finish_first(TRANSHUME_FAILPOINT="ledger.after_closing:kill"))
        self.assert_code(finishing, -signal.SIGKILL)
        second = support.finish(self.migrate_quickly())
        self.assert_code(second, 5)
        self.assertIn("run-held", second.err)
        self.assertIn("another process began to remove it, and did not finish", second.err)
        self.assertIn("transhume finish", second.err)
        self.assert_code(support.finish(self.finish_first()), 0)
        items.wait_gone(self.client, LEDGER)
        self.assert_code(support.finish(self.begin("migrate", "third", "other.db")), 0)
        self.assert_both()

    def migrate_quickly(self):
        process = support.start("migrate", "--state", "second", "other.db", self.uri(lease="1"), "--timeout", "400ms",
                                cwd=self.folder, env=self.environment())
        self.addCleanup(process.kill)
        return process

    def test_what_a_killed_run_left_does_not_keep_the_table(self):
        killed = support.finish(self.migrate_other(TRANSHUME_FAILPOINT="ledger.before_publish:kill"))
        self.assert_code(killed, -signal.SIGKILL)
        self.assertEqual((len(self.runs()), len(self.heads())), (1, 2))
        self.assert_code(support.finish(self.finish_first()), 0)
        items.wait_gone(self.client, LEDGER)

    def test_one_of_two_leaves(self):
        """The newest one leaves: the one before it is the newest again, and a run that is being made sees that."""
        self.assert_code(support.finish(self.migrate_other()), 0)
        first = self.runs()
        self.assertEqual(len(first), 2)
        self.assert_code(support.finish(self.begin("rollback", "second", None, "--confirm", "--run", first[1])), 0)
        self.assertEqual(self.runs(), first[:1])
        self.assert_code(support.finish(self.begin("migrate", "third", "other.db")), 0)
        self.assertEqual(len(self.runs()), 2)
        self.assert_both()


for name in [name for name in dir(TakeOver) if name.startswith("test_")]:
    setattr(Ledger, name, None)
del TakeOver

if __name__ == "__main__":
    unittest.main()
