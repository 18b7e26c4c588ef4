"""Fencing by lease in DynamoDB: a stopped process, its take-over, and what it does when it wakes."""
import json
import os
import shutil
import signal
import sys
import threading
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), room)
                for room in ("system", "servers")]
import items
import servers
import support
from dynamodb_case import DynamodbCase
from fault_proxy import FaultProxy

SLOWER = min(support.PATIENCE, 3)
LEASE_S = 2 * SLOWER
ROWS = 400


class TakeOver(DynamodbCase):
    common = ["--chunk-rows", "50", "--timeout", "%dms" % (500 * SLOWER)]

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), """PRAGMA journal_mode = WAL;
            CREATE TABLE things(id INTEGER PRIMARY KEY, v TEXT);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
            INSERT INTO things SELECT i, 'value ' || i FROM n;""" % ROWS)

    def target(self, endpoint=None):
        return self.uri(endpoint, lease=str(LEASE_S))

    def environment(self, **changes):
        return servers.aws_environment(self.folder, **changes)

    def begun(self, command, state, target, *options, jobs=2, **changes):
        process = support.start(command, *options, "--state", state, "source.db", target, "--jobs", str(jobs),
                                *self.common, cwd=self.folder, env=self.environment(**changes))
        self.addCleanup(process.kill)
        return process

    def stopped(self, place, occurrence=1, jobs=2):
        """A migrate that has stopped itself at the place."""
        process = self.begun("migrate", "first", self.target(), jobs=jobs,
                             TRANSHUME_FAILPOINT="%s:stop:%d" % (place, occurrence))
        self.wait_until_stopped(process)
        return process

    def resume(self, *options, code=0, endpoint=None):
        result = support.transhume("resume", *options, "--state", "second", "source.db", self.target(endpoint),
                                   "--jobs", "2", *self.common, cwd=self.folder, env=self.environment())
        self.assert_code(result, code)
        return result

    def assert_target(self):
        self.assert_tables({"things": [{"id": {"N": str(n)}, "v": {"S": "value %d" % n}} for n in range(1, ROWS + 1)]})

    def test_a_stopped_process_holds_the_run(self):
        first = self.stopped("engine.after_commit", 2)
        result = self.resume(code=5)
        self.assertIn("run-held", result.err)
        self.assertRegex(result.err, r"pid %d on \S+ works on this run" % first.pid)
        self.assertIn("--take-over", result.err)

    def test_a_source_that_changed_before_the_recheck(self):
        """Chunks that are copied again are of another moment than the rest."""
        self.stopped("engine.after_commit", 2)
        killed = support.start("resume", "--take-over", "--state", "second", "source.db", self.target(), *self.common,
                               cwd=self.folder,
                               env=self.environment(TRANSHUME_FAILPOINT="engine.before_recheck:kill:1"))
        self.assert_code(support.finish(killed), -9)
        support.make_sqlite(self.path("source.db"), "UPDATE things SET v = 'new ' || id")
        result = self.resume("--json", code=1)
        self.assertEqual(json.loads(result.out)["snapshot"], "mixed")

    def test_take_over_and_late_waking(self):
        for place in ("engine.after_commit", "dynamodb.before_send", "dynamodb.after_answer", "ledger.before_mark"):
            with self.subTest(place=place):
                items.empty(self.client)
                # One job: a second may stand between its check and its request.
                first = self.stopped(place, 2, jobs=1)
                begun = time.monotonic()
                result = self.resume("--take-over")
                self.assertGreaterEqual(time.monotonic() - begun, LEASE_S)
                self.assertRegex(result.err, r"waiting \d+ s for the lease of pid %d on \S+ to be over" % first.pid)
                self.assert_target()
                # Whoever writes now would bring these back.
                for number in range(1, ROWS + 1):
                    self.client.delete_item(TableName="things", Key={"id": {"N": str(number)}})
                first.send_signal(signal.SIGCONT)
                ended = support.finish(first)
                self.assert_code(ended, 5)
                self.assertIn("run-fenced", ended.err)
                self.assertEqual(items.scan(self.client, "things"), [], "it wrote after its lease was over")
                for state in ("first", "second"):
                    os.system("rm -rf '%s'" % self.path(state))
            if not support.SOAK:
                break

    def steady(self, table):
        """What is there once no request of a stopped process is on its way any more."""
        before, now = None, items.scan(self.client, table)
        while before is None or len(before) != len(now):
            time.sleep(0.5 * support.PATIENCE)
            before, now = now, items.scan(self.client, table)
        return now

    def test_stopped_while_it_is_waited_for(self):
        """Nothing was taken over, and none of the commands may say that it is done."""
        self.stopped("engine.after_commit", 2)
        run = json.loads(self.run_program("status", "--json", "--state", "first", env=self.environment()).out)["run"]
        written = self.steady("things")
        self.assertTrue(written)
        for number, (command, *options) in enumerate((("rollback", "--run", run, "--confirm"),
                                                      ("rollback", "--run", run, "--dry-run"),
                                                      ("finish", "--confirm"), ("resume", "source.db"))):
            for sent in (signal.SIGINT, signal.SIGTERM) if number == 0 else (signal.SIGTERM,):
                with self.subTest(command=command, options=options, sent=sent):
                    waiting = support.start(command, "--take-over", *options, self.uri(lease="600"), "--state",
                                            "state%d" % number,
                                            cwd=self.folder, env=self.environment())
                    self.addCleanup(self.end, waiting)
                    told = waiting.stderr.readline()
                    while told and b"for the lease" not in told:
                        told = waiting.stderr.readline()
                    self.assertIn(b"for the lease", told)
                    waiting.send_signal(sent)
                    ended = support.finish(waiting)
                    self.assert_code(ended, 4)
                    self.assertNotIn("already", ended.out)
                    self.assertIn("stopped", ended.err)
                    self.assertEqual(len(items.scan(self.client, "things")), len(written))
        self.assertEqual(json.loads(self.run_program("status", "--json", "--state", "first",
                                                     env=self.environment()).out)["run"], run)

    def test_held_up_for_longer_than_its_lease(self):
        """A machine that slept: nobody took the run over, so the claim is renewed late and the run goes on."""
        for place in ("dynamodb.before_send", "ledger.before_mark", "engine.after_commit"):
            with self.subTest(place=place):
                items.empty(self.client)
                first = self.stopped(place)
                time.sleep(1.5 * LEASE_S)
                first.send_signal(signal.SIGCONT)
                self.assert_code(support.finish(first), 0)
                self.assert_target()
                shutil.rmtree(self.path("first"))

    def test_held_up_while_a_request_is_on_its_way(self):
        """On waking its time is over, and so is all patience by the clock: it is sent again all the same."""
        for operation in ("BatchWriteItem", "PutItem"):
            with self.subTest(operation=operation), FaultProxy(self.server.endpoint) as proxy:
                items.empty(self.client)
                released = threading.Event()
                proxy.add("held", operation=operation, first=3, count=1, released=released)
                first = self.begun("migrate", "first", self.target(proxy.endpoint))
                self.wait_until("a request is held", lambda held=proxy: held.hits["held"] == 1)
                first.send_signal(signal.SIGSTOP)
                time.sleep(1.5 * LEASE_S)
                first.send_signal(signal.SIGCONT)
                ended = support.finish(first)
                released.set()
                self.assert_code(ended, 0)
                self.assert_target()
                shutil.rmtree(self.path("first"))

    def test_a_request_that_arrives_late_repeats_its_own_bytes(self):
        """It was sent in time, and is on its way for longer than the lease, the deadline and the take-over."""
        with FaultProxy(self.server.endpoint) as proxy:
            released = threading.Event()
            self.addCleanup(released.set)
            proxy.add("held", operation="BatchWriteItem", first=3, count=1, released=released)
            first = self.begun("migrate", "first", self.target(proxy.endpoint))
            self.wait_until("a request is held", lambda: proxy.hits["held"] == 1)
            first.send_signal(signal.SIGSTOP)
            self.resume("--take-over", endpoint=proxy.endpoint)
            self.assert_target()
            self.assertEqual([one for one in proxy.seen if one.fault == "held"], [])
            released.set()
            self.wait_until("it arrives", lambda: any(one.fault == "held" for one in proxy.seen))
            self.assert_target()
            first.send_signal(signal.SIGCONT)
            self.assert_code(support.finish(first), 5)
            self.assert_target()

    def test_what_is_left_of_reading_back_is_asked_for_later(self):
        """After a take-over chunks are compared; of their 50 keys 25 are left, then 12, 6, 3 and 2."""
        with FaultProxy(self.server.endpoint) as proxy:
            proxy.add("unprocessed", operation="BatchGetItem", share=0.5, count=5)
            first = self.begun("migrate", "first", self.target(proxy.endpoint),
                               TRANSHUME_FAILPOINT="engine.after_commit:stop:2")
            self.wait_until_stopped(first)
            self.resume("--take-over", endpoint=proxy.endpoint)
            self.assertEqual(proxy.hits["unprocessed"], 5)
            asked = [one.seconds for one in proxy.seen if one.operation == "BatchGetItem"]
            # at random, of up to 0.1, 0.2, 0.4, 0.8 and 1.6 s: all below 0.1 s once in 100,000,000 times
            self.assertGreater(asked[5] - asked[0], 0.1)
        self.assert_target()

    def test_a_dead_process_is_replaced_at_once(self):
        killed = support.kill_at("engine.after_commit", 2, "migrate", "--state", "first", "source.db", self.target(),
                                 "--jobs", "2", *self.common, cwd=self.folder, env=self.environment())
        self.assertEqual(killed.code, -signal.SIGKILL)
        result = self.resume()
        self.assertNotIn("waiting", result.err)
        self.assert_target()

    def test_of_two_that_make_a_ledger_one_is_first(self):
        first = self.stopped("ledger.before_publish")
        second = support.finish(self.begun("migrate", "second", self.target()))
        self.assert_code(second, 0)
        first.send_signal(signal.SIGCONT)
        first = support.finish(first)
        self.assert_code(first, 5)
        self.assertIn("another run was here first", first.err)
        self.assert_target()

    def test_two_at_once(self):
        """Neither is stopped: one of them has the run, the other is refused."""
        first = self.begun("migrate", "first", self.target())
        self.wait_until("there is a ledger", lambda: first.poll() is not None
                        or "_transhume_ledger" in self.client.list_tables()["TableNames"])
        second = support.finish(self.begun("migrate", "second", self.target()))
        first = support.finish(first)
        self.assertEqual(sorted((first.code, second.code)), [0, 5], first.err + second.err)
        self.assert_target()


if __name__ == "__main__":
    unittest.main()
