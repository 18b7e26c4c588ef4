"""Signals and streams: one stops gently, two stop now, a pause is a pause, a closed pipe is no reason to die."""
import os
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import refusals
import support

TARGETS = ("sqlite:copy.db", "dynamodb-json:out")


class SignalTestCase(refusals.TestCase):
    arguments = ("--chunk-rows", "20", "--jobs", "2", "shop.db")

    def setUp(self):
        super().setUp()
        self.shop()

    def clean(self):
        self.doCleanups()
        self.setUp()

    def done_chunks(self, target):
        """How many chunks the target's ledger holds as done."""
        if target.startswith("sqlite"):
            return self.query(self.path("copy.db"),
                              "SELECT count(*) FROM _transhume_ledger WHERE name LIKE 'run/%/done/%'")[0][0]
        counts = support.sqlite_counts(self.path("shop.db"))
        items = support.read_dynamodb_json(self.path("out"))
        self.assertEqual(set(items), set(counts))
        return sum(len(os.listdir(self.path("out", table))) for table in items)

    def assert_complete(self, target):
        if target.startswith("sqlite"):
            self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))
        else:
            found = {t: len(items) for t, items in
                     support.read_dynamodb_json(self.path("out")).items()}
            self.assertEqual(found, support.sqlite_counts(self.path("shop.db")))

    def assert_interrupted(self, result, target):
        self.assert_code(result, 4)
        self.assertIn("transhume resume", result.out + result.err)
        self.assertIn("in_progress", self.run_program("status", "--json").out)
        self.assertTrue(self.state()["interrupted"])
        # Nothing is held any more, and resume goes on.
        resumed = self.run_program("resume", *self.arguments, target)
        self.assertNotIn("mixed", resumed.out + resumed.err)
        self.assert_complete(target)


class Stop(SignalTestCase):
    def test_once_finishes_the_chunks_in_hand(self):
        for target in TARGETS:
            for number in (signal.SIGINT, signal.SIGTERM):
                with self.subTest(target=target, signal=number):
                    self.clean()
                    process = self.stopped("migrate", *self.arguments, target, occurrence=4)
                    before = self.done_chunks(target)
                    process.send_signal(number)
                    process.send_signal(signal.SIGCONT)
                    result = support.finish(process)
                    after = self.done_chunks(target)
                    # The chunk whose commit it stood before is among those that are done now.
                    self.assertGreater(after, before)
                    self.assertLess(after, before + 12, "it went on with new chunks")
                    self.assert_interrupted(result, target)

    def test_twice_stops_now(self):
        for target in TARGETS:
            with self.subTest(target=target):
                self.clean()
                process = self.stopped("migrate", *self.arguments, target, occurrence=4)
                # Two different ones: the same signal is not queued twice.
                process.send_signal(signal.SIGINT)
                process.send_signal(signal.SIGTERM)
                process.send_signal(signal.SIGCONT)
                self.assert_interrupted(support.finish(process), target)

    def test_once_and_once_more_while_a_slow_chunk_is_in_hand(self):
        for target in TARGETS:
            with self.subTest(target=target):
                self.clean()
                refusals.make_shop(self.path("big.db"), customers=3000)
                arguments = ("--include", "customer", "--chunk-rows", "3000", "--rows-per-second", "300",
                             "--batch-rows", "50", "big.db", target)
                process = support.start("migrate", *arguments, cwd=self.folder)
                self.addCleanup(self.end, process)
                refusals.wait_until(lambda: os.path.exists(self.path(".transhume", "state.json")),
                                    "the run to begin")
                time.sleep(0.5)
                process.send_signal(signal.SIGINT)
                with self.assertRaises(subprocess.TimeoutExpired):
                    process.wait(timeout=1)   # ten seconds' worth of records are in hand
                begun = time.monotonic()
                process.send_signal(signal.SIGINT)
                result = support.finish(process)
                self.assertLess(time.monotonic() - begun, 3 * support.PATIENCE)
                self.assert_code(result, 4)
                self.run_program("resume", *(a for a in arguments
                                             if a not in ("--rows-per-second", "300")))
                count = support.sqlite_counts(self.path("copy.db")) if "copy" in target else \
                    {t: len(i) for t, i in support.read_dynamodb_json(self.path("out")).items()}
                self.assertEqual(count, {"customer": 3000})

    def test_before_the_first_chunk(self):
        for place in ("engine.before_ledger_create", "engine.after_ledger_create", "engine.before_prepare"):
            with self.subTest(place=place):
                self.clean()
                process = self.stopped("migrate", *self.arguments, "copy.db", failpoint=place, occurrence=1)
                process.send_signal(signal.SIGTERM)
                process.send_signal(signal.SIGCONT)
                result = support.finish(process)
                self.assert_code(result, 4)
                again = support.transhume("resume", *self.arguments, "copy.db", cwd=self.folder)
                if again.code == 2:
                    again = support.transhume("migrate", *self.arguments, "copy.db", cwd=self.folder)
                self.assert_code(again, 0)
                self.assert_complete("sqlite:copy.db")

    def test_after_the_last_chunk(self):
        for place in ("engine.before_after_load", "engine.before_completed"):
            with self.subTest(place=place):
                self.clean()
                process = self.stopped("migrate", *self.arguments, "copy.db", failpoint=place, occurrence=1)
                process.send_signal(signal.SIGINT)
                process.send_signal(signal.SIGCONT)
                result = support.finish(process)
                self.assertIn(result.code, (0, 4), result.err)
                if result.code == 4:
                    self.run_program("resume", *self.arguments, "copy.db")
                self.assert_complete("sqlite:copy.db")

    def test_a_resume_is_stopped_as_a_migrate_is(self):
        for target in TARGETS:
            with self.subTest(target=target):
                self.clean()
                self.interrupted(*self.arguments, target, commits=3)
                process = self.stopped("resume", *self.arguments, target, occurrence=3)
                process.send_signal(signal.SIGINT)
                process.send_signal(signal.SIGCONT)
                self.assert_interrupted(support.finish(process), target)

    def test_again_and_again(self):
        for target in TARGETS:
            with self.subTest(target=target):
                self.clean()
                command, code = "migrate", 4
                for _ in range(40):
                    process = self.stopped_at("engine.after_commit:stop:2", command, *self.arguments, target,
                                              may_end=True)
                    if process.poll() is None:
                        process.send_signal(signal.SIGTERM)
                        process.send_signal(signal.SIGCONT)
                    result = support.finish(process)
                    code, command = result.code, "resume"
                    if code == 0:
                        break
                    self.assert_code(result, 4)
                self.assertEqual(code, 0)
                self.assert_complete(target)


class Builds(refusals.TestCase):
    """An index that is being built is no chunk in hand: one signal ends it, and a resume builds it."""

    SOURCE = """CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER NOT NULL);
        WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) INSERT INTO t SELECT i, i %% 7 FROM c;
        CREATE INDEX t_v ON t(%s);"""

    def begin(self, failpoint, *arguments):
        """The run, which stands before its index."""
        process = self.stopped("migrate", *arguments, failpoint=failpoint, occurrence=1)
        process.send_signal(signal.SIGCONT)
        return process

    def assert_stopped(self, process):
        result = support.finish(process)
        self.assert_code(result, 4)
        self.assertIn("[interrupted]", result.err)
        self.assertIn("transhume resume", result.err)
        self.assertTrue(self.state()["interrupted"])

    def test_sqlite(self):
        # An expression that takes its time for each row, here and when the sample is made.
        support.make_sqlite(self.path("shop.db"), self.SOURCE % (60,
                                                                 "length(replace(printf('%.*c', 3000000 + v, 'x'), "
                                                                 "'x', 'yz'))"))
        process = self.begin("sqlite.before_index", "shop.db", "copy.db")
        refusals.wait_until(lambda: os.path.exists(self.path("copy.db-journal")), "the index's transaction")
        process.send_signal(signal.SIGINT)
        self.assert_stopped(process)
        db = sqlite3.connect(self.path("copy.db"))
        self.assertEqual(db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 't_v'").fetchone(), (0,))
        self.assertEqual(db.execute("SELECT count(*) FROM t").fetchone(), (60,))
        db.close()
        self.run_program("resume", "shop.db", "copy.db")
        self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))

    def network(self, server, name, failpoint, hold, waiting, left, indexes):
        """The build waits for a lock as long as it is held; nothing of it may be left in the server."""
        support.make_sqlite(self.path("shop.db"), self.SOURCE % (3000, "v"))
        uri = server.uri(name)
        process = self.stopped("migrate", "shop.db", uri, failpoint=failpoint, occurrence=1)
        holder = server.session(name)
        self.addCleanup(holder.close)
        holder.ask(hold)
        process.send_signal(signal.SIGCONT)
        refusals.wait_until(waiting, "the build to wait")
        process.send_signal(signal.SIGINT)
        self.assert_stopped(process)
        refusals.wait_until(lambda: left() == 0, "the build to be gone from the server")
        self.assertEqual(indexes(), 0)
        holder.close()
        self.run_program("resume", "shop.db", uri)
        self.assertEqual(indexes(), 1)

    def test_postgres(self):
        server = postgres.start()
        self.addCleanup(server.stop)
        name = server.database()
        def number(sql):
            return int(server.psql(name, sql)[0][0])
        building = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE%%INDEX%%' AND state = 'active'%s"
        self.network(server, name, "postgres.before_index",
                     "BEGIN; LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE; SELECT 1",
                     lambda: number(building % " AND wait_event_type = 'Lock'") == 1, lambda: number(building % ""),
                     lambda: number("SELECT count(*) FROM pg_indexes WHERE tablename = 't' AND indexdef LIKE '%(v)%'"))

    def test_mariadb(self):
        server = mariadb.start()
        self.addCleanup(server.stop)
        name = server.database()
        def number(sql):
            return int(server.ask(name, sql)[0][0])
        building = "SELECT count(*) FROM information_schema.processlist WHERE info LIKE 'ALTER TABLE%%ADD%%'%s"
        self.network(server, name, "mysql.before_index", "BEGIN; SELECT id FROM t WHERE id = 1 FOR UPDATE",
                     lambda: number(building % " AND state LIKE '%metadata lock%'") == 1, lambda: number(building % ""),
                     lambda: number("SELECT count(*) FROM information_schema.statistics WHERE table_name = 't' AND "
                                    "table_schema = database() AND column_name = 'v'"))


class Pause(SignalTestCase):
    def test_stopped_and_continued(self):
        for target in TARGETS:
            with self.subTest(target=target):
                self.clean()
                process = self.stopped("migrate", *self.arguments, "--timeout", "2s", "--stall", "500ms", target)
                time.sleep(1.0)
                process.send_signal(signal.SIGCONT)
                self.assert_code(support.finish(process), 0)
                self.assert_complete(target)

    def test_hang_up_by_the_terminal_is_no_data_loss(self):
        process = self.stopped("migrate", *self.arguments, "copy.db")
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assertIn(result.code, (0, 4, -signal.SIGHUP), result.err)
        if result.code:
            self.run_program("resume", *self.arguments, "copy.db")
        self.assert_complete("sqlite:copy.db")


class Streams(SignalTestCase):
    """stdout holds results only, and a run does not depend on anybody reading."""

    def run_with(self, target, **streams):
        return subprocess.run([support.PROGRAM, "migrate", *self.arguments, target], cwd=self.folder,
                              stdin=subprocess.DEVNULL, timeout=60 * support.PATIENCE, **streams)

    def test_readers_that_went_away(self):
        for target in TARGETS:
            for closed in ("stdout", "stderr"):
                with self.subTest(target=target, closed=closed):
                    self.clean()
                    reading, writing = os.pipe()
                    os.close(reading)
                    other = "stderr" if closed == "stdout" else "stdout"
                    result = self.run_with(target, **{closed: writing, other: subprocess.PIPE})
                    os.close(writing)
                    self.assertEqual(result.returncode, 0, result)
                    self.assert_complete(target)

    def test_no_streams_at_all(self):
        # With 0, 1 and 2 free, the first files opened get these numbers: nothing may be printed there.
        for target in TARGETS:
            for mode in ("log", "json", "bar", "none"):
                with self.subTest(target=target, mode=mode):
                    self.clean()
                    result = subprocess.run(
                        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", support.PROGRAM, "migrate", "--verbose",
                         "--progress", mode, *self.arguments, target],
                        cwd=self.folder, timeout=60 * support.PATIENCE)
                    self.assertIn(result.returncode, (0, 3))
                    self.assert_complete(target)
                    self.assertEqual(self.state()["status"], "completed")

    def test_a_full_stdout_after_the_run(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full")
        with open("/dev/full", "wb") as full:
            result = self.run_with("sqlite:copy.db", stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertIn(b"stdout", result.stderr)
        # The copy itself was done, and is known to be.
        self.assert_complete("sqlite:copy.db")
        self.assertEqual(self.state()["status"], "completed")

    def test_a_full_stderr_does_not_matter(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full")
        with open("/dev/full", "wb") as full:
            result = self.run_with("sqlite:copy.db", stdout=subprocess.PIPE, stderr=full)
        self.assertEqual(result.returncode, 0)
        self.assert_complete("sqlite:copy.db")

    def test_results_on_stdout_and_the_rest_on_stderr(self):
        for mode in ("auto", "log", "json", "none"):
            with self.subTest(mode=mode):
                self.clean()
                result = self.run_program("migrate", "--progress", mode, *self.arguments, "copy.db")
                for word in ("customer", "invoice", "line", "written"):
                    self.assertIn(word, result.out)
                self.assertNotIn("\x1b", result.out + result.err)
                self.assertNotIn("error:", result.out + result.err)
                self.assertNotIn("\r", result.err)


@unittest.skipIf(support.UNDER_VALGRIND, "moves less often than it is called stalled after")
class StoodStill(SignalTestCase):
    def test_for_longer_than_it_takes_to_be_called_stalled(self):
        """Nothing moved since the process was stopped, and nobody was there to move it: on waking it goes on."""
        for target in TARGETS:
            with self.subTest(target):
                self.clean()
                process = self.stopped("migrate", "--stall", "400ms", *self.arguments, target, occurrence=4)
                time.sleep(5)   # more than ten times as long
                process.send_signal(signal.SIGCONT)
                result = support.finish(process)
                self.assert_code(result, 0)
                self.assertNotIn("nothing moved", result.err)
                self.assert_complete(target)


if __name__ == "__main__":
    unittest.main()
