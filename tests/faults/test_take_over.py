"""Fencing by lease: a stopped process, its take-over, and what it does when it wakes."""
import fcntl
import os
import re
import shutil
import signal
import sqlite3
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import support

LEASE_S = 1.0
ROWS = 400


class TakeOver(support.TestCase):
    """The toy has no transactions: only the lease keeps a second process from writing beside the first."""

    env = {"TRANSHUME_MODULES": os.path.join(support.BUILD, "toy.so")}
    common = ["--chunk-rows", "50", "--timeout", "300ms"]

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), """PRAGMA journal_mode = WAL;
            CREATE TABLE things(id INTEGER PRIMARY KEY, v TEXT);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
            INSERT INTO things SELECT i, 'value ' || i FROM n;""" % ROWS)
        self.target = "toy:out?lease=%d" % (LEASE_S * 1000 * support.PATIENCE)

    def change(self, word):
        with sqlite3.connect(self.path("source.db")) as db:
            db.execute("UPDATE things SET v = '%s ' || id" % word)
        db.close()

    def stopped(self, place, occurrence=1, state="first", jobs=2):
        """
        A migrate that has stopped itself at the place, with none of its threads in the middle of a write to the ledger.
        """
        while True:
            process = self.stopped_at("%s:stop:%d" % (place, occurrence), "migrate", "--state", state, "source.db",
                                      self.target,
                                      "--jobs", str(jobs), *self.common, env=self.env)
            if not self.ledger_is_held():
                return process
            self.end(process)
            shutil.rmtree(self.path("out"))
            shutil.rmtree(self.path(state))

    def ledger_is_held(self):
        """Nobody can write to it then: the toy waits for its lock."""
        with open(self.path("out", "_transhume", ".lock"), "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def resume(self, *arguments, code=0, env=None):
        return self.run_program("resume", "--state", "second", "source.db", self.target, "--jobs", "2",
                                *self.common, *arguments, code=code, env=dict(self.env, **(env or {})))

    def target_rows(self):
        """What is in the target, through a copy into files that Python reads: {id: v}."""
        self.copies = getattr(self, "copies", 0) + 1
        back = "back%d" % self.copies
        self.run_program("migrate", "--state", back + "-state", "toy:out", "dynamodb-json:" + back, env=self.env)
        items = support.read_dynamodb_json(self.path(back))["things"]
        rows = {int(item["id"]["N"]): item["v"]["S"] for item in items}
        self.assertEqual(len(rows), len(items))
        return rows

    def assert_target(self, word):
        self.assertEqual(self.target_rows(), {i: "%s %d" % (word, i) for i in range(1, ROWS + 1)})

    def assert_fenced(self, process):
        """It wakes, is told that its lease is over, and writes nothing more."""
        size = os.path.getsize(self.path("out", "data.log"))
        process.send_signal(signal.SIGCONT)
        ended = support.finish(process)
        self.assert_code(ended, 5)
        self.assertIn("run-fenced", ended.err)
        self.assertEqual(os.path.getsize(self.path("out", "data.log")), size, "it wrote after its lease was over")

    def test_a_stopped_process_holds_the_run(self):
        first = self.stopped("engine.after_commit", 2)
        result = self.resume(code=5)
        self.assertIn("run-held", result.err)
        self.assertRegex(result.err, r"pid %d on \S+ works on this run" % first.pid)
        self.assertIn("--take-over", result.err)
        result = support.transhume("migrate", "--state", "third", "source.db", self.target, cwd=self.folder,
                                   env=self.env)
        self.assert_code(result, 5)
        self.assertIn("pid %d" % first.pid, result.err)

    def test_take_over_and_late_waking(self):
        # One job: a second may stand between its check and its write, which is test_a_late_request's matter.
        first = self.stopped("engine.after_commit", 2, jobs=1)
        begun = time.monotonic()
        result = self.resume("--take-over")
        self.assertGreaterEqual(time.monotonic() - begun, LEASE_S * support.PATIENCE)
        self.assertRegex(result.err, r"waiting \d+ s for the lease of pid %d on \S+ to be over" % first.pid)
        self.assert_target("value")
        self.assert_fenced(first)
        self.assert_target("value")

    def test_woken_after_the_take_over(self):
        """The second one has waited for the lease to be over, and has not looked at the target yet."""
        first = self.stopped("engine.after_commit", 2, jobs=1)
        second = self.stopped_at("engine.before_recheck:stop:1", "resume", "--take-over", "--state", "second",
                                 "source.db", self.target,
                                 "--jobs", "2", *self.common, env=self.env)
        self.assert_fenced(first)
        second.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(second), 0)
        self.assert_target("value")

    def test_woken_while_it_is_waited_for(self):
        first = self.stopped("engine.after_commit", 2)
        second = support.start("resume", "--take-over", "--state", "second", "source.db", self.target,
                               "--jobs", "2", *self.common, cwd=self.folder, env=self.env)
        self.addCleanup(second.kill)
        time.sleep(LEASE_S * support.PATIENCE / 4)
        first.send_signal(signal.SIGCONT)
        # The first renews or ends; either way it is the first that completes the run.
        self.assert_code(support.finish(first), 0)
        result = support.finish(second)
        self.assertIn(result.code, (0, 5), result.err)
        if result.code == 5:
            self.assertIn("run-held", result.err)
        self.assert_target("value")

    def test_held_up_for_longer_than_its_lease(self):
        """A machine that slept: nobody took the run over, so the claim is renewed late and the run goes on."""
        for place in ("engine.after_claim", "engine.after_commit", "toy.before_append"):
            with self.subTest(place=place):
                state = place.split(".")[1]
                process = self.stopped(place, state=state)
                time.sleep(2 * LEASE_S * support.PATIENCE)
                process.send_signal(signal.SIGCONT)
                self.assert_code(support.finish(process), 0)
                self.assert_target("value")
                shutil.rmtree(self.path("out"))

    def test_a_dead_process_is_replaced_at_once(self):
        killed = support.kill_at("engine.after_commit", 2, "migrate", "--state", "first", "source.db", self.target,
                                 "--jobs", "2", *self.common, cwd=self.folder, env=self.env)
        self.assertEqual(killed.code, -signal.SIGKILL)
        begun = time.monotonic()
        result = self.resume()
        self.assertLess(time.monotonic() - begun, LEASE_S * support.PATIENCE)
        self.assertIn("comparing", result.err)
        self.assert_target("value")

    def test_a_late_request_is_found_and_mended(self):
        # The first has passed its check and is stopped just before it sends; by the time that it wakes, the
        # source has changed, and the second has written the same chunk anew: the late request is carried out
        # over that, before the second looks.
        first = self.stopped("toy.before_append", 3)
        self.change("changed")
        second = self.stopped_at("engine.before_recheck:stop:1", "resume", "--take-over", "--state", "second",
                                 "source.db", self.target,
                                 "--jobs", "2", *self.common, env=self.env)
        size = os.path.getsize(self.path("out", "data.log"))
        first.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(first), 5)
        self.assertGreater(os.path.getsize(self.path("out", "data.log")), size, "the late request was not sent")
        second.send_signal(signal.SIGCONT)
        result = support.finish(second)
        self.assert_code(result, 1)  # a mixed snapshot: the first chunks are of the source as it was
        self.assertRegex(result.err, r"chunk \d+ is not in the target as it was written")
        words = {}
        for key, value in self.target_rows().items():
            words.setdefault((key - 1) // 50, set()).add(value.split()[0])
        self.assertEqual(len(words), ROWS // 50)
        for chunk, found in words.items():
            self.assertEqual(len(found), 1, "chunk %d is of two moments: %s" % (chunk + 1, found))

    def test_killed_while_it_mends(self):
        first = self.stopped("toy.before_append", 3)
        self.change("changed")
        for place in ("engine.before_recheck", "engine.before_recheck_reopen", "engine.after_recheck_reopen"):
            second = self.stopped_at("engine.before_recheck:stop:1,%s:kill:1" % place, "resume", "--take-over",
                                     "--state", "second", "source.db",
                                     self.target, "--jobs", "2", *self.common, env=self.env, may_end=True)
            if first.poll() is None:
                first.send_signal(signal.SIGCONT)
                self.assert_code(support.finish(first), 5)
            if second.poll() is None:
                second.send_signal(signal.SIGCONT)
            support.finish(second)
        self.resume(code=1)
        for key, value in self.target_rows().items():
            self.assertRegex(value, r"^(value|changed) %d$" % key)
        self.assertEqual(len(self.target_rows()), ROWS)

    def late_entry(self, word, number):
        """The bytes of a record as a run of another moment wrote it."""
        self.change(word)
        self.run_program("migrate", "--state", "late-state", "source.db", "toy:late", env=self.env)
        with open(self.path("late", "data.log"), "rb") as file:
            data = file.read()
        at, found = 0, []
        while at < len(data):
            length, _ = struct.unpack_from("<IQ", data, at)
            entry = data[at:at + 12 + length]
            found += [entry] if b"%s %d" % (word.encode(), number) in entry else []
            at += 12 + length
        self.assertEqual(len(found), 1)
        return found[0]

    def test_a_doubt_that_is_left_is_said(self):
        """A chunk is compared twice; that it was written over each time does not pass in silence."""
        late = self.late_entry("stale", 101)
        self.change("value")
        for rounds in (1, 2):
            with self.subTest(rounds):
                state = "state%d" % rounds
                support.kill_at("engine.after_commit", 2, "migrate", "--state", state, "source.db", self.target,
                                "--jobs", "1",
                                *self.common, cwd=self.folder, env=self.env)
                process = self.stopped_at("engine.before_recheck:stop:1,engine.before_recheck:stop:2", "resume",
                                          "--state", state, "source.db",
                                          self.target, "--jobs", "1", *self.common, env=self.env)
                for turn in (1, 2):
                    self.wait_until_stopped(process)
                    if turn <= rounds:
                        with open(self.path("out", "data.log"), "ab") as file:
                            file.write(late)
                    process.send_signal(signal.SIGCONT)
                    self.wait_until("it wakes", lambda: support.process_state(process.pid) not in "T")
                result = support.finish(process)
                self.assert_code(result, 0)
                self.assertEqual(result.err.count("chunk 3 is not in the target as it was written"), rounds)
                self.assertEqual(re.findall(r"chunk (\d+) stays in doubt", result.err), ["3"] if rounds == 2 else [])
                self.assert_target("value")
                shutil.rmtree(self.path("out"))


if __name__ == "__main__":
    unittest.main()
