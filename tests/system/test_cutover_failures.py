"""A cut-over that is made to fail at each of its steps: the source's writers are never left outside.

A writer in the background measures for how long it could not write. Whatever ends the command before the
application may have been sent to the target lets it in again within two seconds, and the last line says so;
after `kill -9`, or where the source could not be reached, the next command does it.
"""
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import unittest

import support

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import mariadb  # noqa: E402
import postgres  # noqa: E402

LET_IN_S = 2.0 * support.PATIENCE
AGAIN, STOPPED = "the source's writers write again", "the source's writers are still stopped"
SCHEMA = "CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(100))"


class Writer(threading.Thread):
    """Writes again and again, and knows for how long at most it could not."""

    def __init__(self, write, refused):
        super().__init__(daemon=True)
        self.write, self.refused, self.ending = write, refused, threading.Event()
        self.since, self.longest, self.times = None, 0.0, 0

    def run(self):
        while not self.ending.is_set():
            begun = time.monotonic()
            try:
                self.write()
                if self.since is not None:
                    self.longest = max(self.longest, time.monotonic() - self.since)
                    self.times += 1
                self.since = None
            except self.refused:
                self.since = self.since if self.since is not None else begun
            time.sleep(0.01)

    def stop(self):
        self.ending.set()
        self.join()


class SqliteFile:
    refused = sqlite3.Error

    def __init__(self, path):
        self.path, self.uri = path, "sqlite:" + path

    def run(self, *statements, timeout=30):
        connection = sqlite3.connect(self.path, timeout=timeout)
        try:
            with connection:
                for statement in statements:
                    connection.execute(statement)
        finally:
            connection.close()

    def rows(self):
        connection = sqlite3.connect(self.path, timeout=30)
        try:
            return sorted(connection.execute("SELECT id, v FROM t").fetchall())
        finally:
            connection.close()


class CutOver:
    """What holds for each pair."""

    def setUp(self):
        super().setUp()
        self.source, self.target = self.sides()
        self.source.run(SCHEMA, *("INSERT INTO t VALUES (%d, 'v')" % i for i in range(1, 6)))
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.source.run("INSERT INTO t VALUES (6, 'followed')")
        self.addCleanup(self.abandon)
        self.writer = Writer(lambda: self.source.run("UPDATE t SET v = 'written' WHERE id = 1"), self.source.refused)

    def abandon(self):
        support.transhume("cutover", "--abandon", "--confirm", "--take-over", cwd=self.folder)

    def cut(self, *arguments, failpoint=None, **options):
        """Cuts over with the writer at work; what the command said."""
        env = {"TRANSHUME_FAILPOINT": failpoint} if failpoint else {}
        self.writer.start()
        result = support.transhume("cutover", "--confirm", *arguments, cwd=self.folder, env=env, **options)
        time.sleep(0.1)
        self.writer.stop()
        return result

    def assert_let_in(self, result, taken=True, limit=LET_IN_S):
        """Nobody waits any more, nobody waited for long, and the last line says so."""
        self.assertNotIn(result.code, (0, 1), result.err)
        self.assertIsNone(self.writer.since, result.err)
        self.assertLess(self.writer.longest, limit, result.err)
        if taken:
            self.assertIn(AGAIN, result.err.strip().splitlines()[-1])
        self.assertFalse(os.path.exists(self.path(".transhume", "fence.json")))

    def assert_shut_out(self, result):
        self.assertIsNotNone(self.writer.since, result.err)
        self.assertRaises(self.source.refused, self.source.run, "UPDATE t SET v = 'late' WHERE id = 2")

    def assert_goes_on(self):
        """As if nothing had been tried: following, then a cut-over."""
        self.source.run("INSERT INTO t VALUES (7, 'afterwards')")
        self.run_program("follow", "--catch-up")
        self.run_program("cutover", "--confirm")
        self.assertEqual(self.source.rows(), self.target.rows())
        self.assertRaises(self.source.refused, self.source.run, "UPDATE t SET v = 'late' WHERE id = 2")

    def script(self, name, text):
        self.write(name, "#!/bin/sh\n%s\n" % text)
        os.chmod(self.path(name), 0o755)
        return "./" + name


def failing_at(name, action):
    """A test: the cut-over fails there."""
    def test(self):
        self.assert_let_in(self.cut(failpoint="%s:%s" % (name, action)), name in FENCED)
        self.assert_goes_on()
    return test


def killed_at(name, occurrence=1):
    """A test: it is killed there; the next command opens the fence, and says so."""
    def test(self):
        self.writer.start()
        result = support.kill_at(name, occurrence, "cutover", "--confirm", cwd=self.folder)
        time.sleep(0.2)
        self.writer.stop()
        self.assertEqual(result.code, -signal.SIGKILL, result.err)
        self.assert_shut_out(result)
        self.assertIn("writers", self.run_program("status").out)
        self.assertIn("have been stopped since", self.run_program("follow", "--catch-up", "--take-over").err)
        self.assertNotIn("writers", self.run_program("status").out)
        self.assert_goes_on()
    return test


UNFENCED = ("cutover.before_ask", "cutover.before_gate", "cutover.before_fence", "cutover.noted_fence")
FENCED = ("cutover.after_fence", "cutover.before_drain", "cutover.before_prime", "cutover.before_validate",
          "cutover.before_sent", "cutover.before_end")


class SqliteToSqlite(CutOver, support.TestCase):
    def sides(self):
        return SqliteFile(self.path("source.db")), SqliteFile(self.path("target.db"))

    # --- the target

    def hold_target(self, seconds):
        """Somebody else writes it from the fence on."""
        def hold():
            while not os.path.exists(self.path(".transhume", "fence.json")):
                time.sleep(0.002)
            connection = sqlite3.connect(self.target.path, timeout=60, isolation_level=None)
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            connection.execute("ROLLBACK")
            connection.close()
        thread = threading.Thread(target=hold, daemon=True)
        thread.start()
        return thread

    def test_a_locked_target(self):
        thread = self.hold_target(6)
        before = self.script("b.sh", 'sqlite3 -cmd ".timeout 10000" source.db "INSERT INTO t VALUES (9, 1)"')
        result = self.cut("--max-pause", "1s", "--before", before)
        self.assert_let_in(result)
        self.assertEqual(result.code, 5)
        self.assertIn("longer than --max-pause allows", result.err)
        thread.join()
        self.assert_goes_on()

    def held(self, path, seconds):
        """Somebody writes the file meanwhile, and does not come to an end."""
        connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        connection.execute("BEGIN IMMEDIATE")

        def let_go():
            time.sleep(seconds)
            connection.execute("ROLLBACK")
            connection.close()
        thread = threading.Thread(target=let_go, daemon=True)
        thread.start()
        return thread

    def test_the_deadline_while_a_target_is_locked(self):
        """The command itself ends in time, too, whatever it waits for."""
        thread = self.hold_target(9 * support.PATIENCE)
        result = self.cut("--max-pause", "1s", "--before", self.script("b.sh",
                                                                       'sqlite3 -cmd ".timeout 10000" source.db '
                                                                       '"INSERT INTO t VALUES (9, 1)"'))
        self.assert_let_in(result)
        self.assertEqual(result.code, 5, result.err)
        self.assertLess(result.seconds, 3 * support.PATIENCE + 1)
        self.assertNotIn("stopped since", self.run_program("status").out)
        thread.join()
        # the ledger could not be told that they write again, and its note says nothing else than that it stays
        self.assertNotIn("have been stopped since", self.run_program("follow", "--catch-up").err)
        self.assert_goes_on()

    def test_the_deadline_while_the_source_is_locked(self):
        """Before the fence could be set: nobody was kept out by it, but by whoever holds the lock."""
        before = self.script("b.sh", "touch now; while [ ! -e held ]; do sleep 0.02; done")

        def hold():
            while not os.path.exists(self.path("now")):
                time.sleep(0.002)
            self.held(self.source.path, 6 * support.PATIENCE)
            open(self.path("held"), "w", encoding="utf-8").close()
        thread = threading.Thread(target=hold, daemon=True)
        thread.start()
        result = support.transhume("cutover", "--confirm", "--max-pause", "1s", "--before", before, cwd=self.folder)
        thread.join()
        self.assertEqual(result.code, 5, result.err)
        self.assertLess(result.seconds, 4 * support.PATIENCE)
        self.assertIn(AGAIN, result.err.strip().splitlines()[-1])
        self.assertFalse(os.path.exists(self.path(".transhume", "fence.json")))
        self.source.run("UPDATE t SET v = 'free' WHERE id = 2")
        self.assert_goes_on()

    def test_a_fenced_source_that_somebody_locks(self):
        """Nobody can be let in meanwhile: the command says so in time, and the next one does it."""
        def hold():
            while not os.path.exists(self.path(".transhume", "fence.json")):
                time.sleep(0.002)
            time.sleep(0.3 * support.PATIENCE)
            holders.append(self.held(self.source.path, 8 * support.PATIENCE))
        holders, thread = [], threading.Thread(target=hold, daemon=True)
        thread.start()
        result = support.transhume("cutover", "--confirm", "--max-pause", "%dms" % (1000 * support.PATIENCE),
                                   cwd=self.folder,
                                   env={"TRANSHUME_FAILPOINT": "cutover.before_prime:sleep"})
        self.assertEqual(result.code, 5, result.err)
        self.assertLess(result.seconds, 5 * support.PATIENCE)
        self.assertIn("STILL STOPPED", result.err.strip().splitlines()[-1])
        thread.join()
        holders[0].join()
        self.assertIn("writers", self.run_program("status").out)
        self.assertIn("have been stopped since", self.run_program("follow", "--catch-up").err)
        self.assert_goes_on()

    def test_a_reset_keeps_the_fence_in_mind(self):
        """Nothing else says that writers are stopped."""
        support.kill_at("cutover.before_drain", 1, "cutover", "--confirm", cwd=self.folder)
        refused = self.run_program("reset", "--confirm", code=5).err
        self.assertIn("writers have been stopped since", refused)
        self.assertIn("cutover --back --confirm", refused)
        self.assertTrue(os.path.exists(self.path(".transhume", "fence.json")))
        self.run_program("cutover", "--back", "--confirm", "--take-over")
        self.source.run("UPDATE t SET v = 'free' WHERE id = 2")
        self.run_program("cutover", "--abandon", "--confirm")
        self.run_program("reset", "--confirm")

    def test_a_dry_run_foresees_what_would_be_left(self):
        """What `follow` has not seen yet; a change of another kind the cut-over takes over itself."""
        self.source.run("CREATE TABLE u (id INTEGER PRIMARY KEY)")
        self.run_program("follow", "--catch-up")
        self.run_program("cutover", "--dry-run")
        self.source.run("ALTER TABLE t ADD COLUMN w")
        self.run_program("cutover", "--dry-run")
        self.source.run("DROP TABLE u")
        said = self.run_program("cutover", "--dry-run", code=5).err
        self.assertIn("u: ", said)
        self.assertIn("it was dropped or renamed", said)
        result = self.cut()
        self.assertEqual((result.code, self.writer.times), (5, 0), result.err)
        self.run_program("follow", "--resync", "--catch-up")
        self.run_program("cutover", "--dry-run")

    def test_triggers_of_the_feed_that_were_altered(self):
        names = [name
                 for name, in sqlite3.connect(self.source.path).execute("SELECT name FROM sqlite_schema WHERE type = "
                                                                        "'trigger'")]
        self.source.run("DROP TRIGGER \"%s\"" % names[0])
        said = self.run_program("cutover", "--dry-run", code=5).err
        self.assertIn("the triggers of the feed were dropped in part, or altered", said)
        result = self.cut()
        self.assertEqual((result.code, self.writer.times), (5, 0), result.err)

    def test_a_dry_run_asks_who_follows(self):
        """How far behind it says it is."""
        process = support.start("follow", cwd=self.folder)
        self.addCleanup(self.end, process)
        state = self.path(".transhume", "state.json")

        def follows():
            with open(self.path(".transhume", "lock"), encoding="utf-8") as lock, open(state, encoding="utf-8") as file:
                made = json.load(file)
                return str(process.pid) in lock.read() and made["status"] == "in_progress" and made.get(
                    "follow") is not None

        def told(**members):
            with open(state, encoding="utf-8") as file:
                made = json.load(file)
            made["follow"].update(members)
            with open(state + ".new", "w", encoding="utf-8") as file:
                json.dump(made, file)
            os.rename(state + ".new", state)
        self.wait_until("it follows", follows)
        process.send_signal(signal.SIGSTOP)
        told(idle=False, lag_seconds=7.5)
        self.assertIn("ms behind", self.run_program("cutover", "--dry-run", code=5).err)
        self.run_program("cutover", "--dry-run", "--max-lag", "8s")
        told(idle=True)
        self.run_program("cutover", "--dry-run")
        process.send_signal(signal.SIGCONT)

    def test_a_target_that_goes_away(self):
        def leave():
            while not os.path.exists(self.path(".transhume", "fence.json")):
                time.sleep(0.002)
            os.rename(self.target.path, self.path("gone.db"))
        thread = threading.Thread(target=leave, daemon=True)
        thread.start()
        result = self.cut("--before", self.script("b.sh",
                                                  'sqlite3 -cmd ".timeout 10000" source.db "INSERT INTO t '
                                                  'VALUES (9, 1)"'),
                           failpoint="cutover.before_drain:sleep")
        thread.join()
        self.assert_let_in(result)
        if os.path.exists(self.target.path):
            os.remove(self.target.path)
        os.rename(self.path("gone.db"), self.target.path)
        self.assert_goes_on()

    def test_a_target_that_can_not_be_written(self):
        """From then on: a ledger that has a trigger when a run begins is refused."""
        self.write("no.sql", "CREATE TRIGGER no BEFORE UPDATE ON _transhume_ledger WHEN new.value LIKE '%\"drained\"%' "
                             "BEGIN SELECT RAISE(ABORT, 'no'); END;")
        self.assert_let_in(self.cut("--before", self.script("b.sh",
                                                            "sqlite3 -cmd '.timeout 10000' %s <no.sql"
                                                            % self.target.path)))

    def test_a_full_disk(self):
        self.assert_let_in(self.cut(failpoint="cutover.before_prime:enospc"))
        self.assert_goes_on()

    # --- the deadline

    def test_the_deadline_in_each_step(self):
        for step in ("cutover.before_drain", "cutover.before_prime", "cutover.before_validate"):
            with self.subTest(step=step):
                self.writer = Writer(self.writer.write, self.writer.refused)
                result = self.cut("--max-pause", "300ms", failpoint=step + ":sleep")
                self.assert_let_in(result)
                self.assertEqual(result.code, 5, result.err)
                self.assertIn("longer than --max-pause allows", result.err)
                self.assertLess(self.writer.longest, 0.9 * support.PATIENCE)
        self.assert_goes_on()

    # --- signals

    def interrupted(self, times, *arguments):
        self.writer.start()
        process = support.start("cutover", "--confirm", *arguments, cwd=self.folder,
                                env={"TRANSHUME_FAILPOINT": "cutover.before_drain:sleep"})
        self.wait_until("the fence stands", lambda: os.path.exists(self.path(".transhume", "fence.json")), 20)
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
        result = support.finish(process)
        time.sleep(0.1)
        self.writer.stop()
        return result

    def test_a_signal(self):
        result = self.interrupted(1)
        self.assert_let_in(result)
        self.assertEqual(result.code, 4, result.err)
        self.assert_goes_on()

    def test_two_signals(self):
        self.assert_let_in(self.interrupted(2))
        self.assert_goes_on()

    # --- the user's commands

    def test_before_fails(self):
        result = self.cut("--before", "exit 3")
        self.assert_let_in(result, taken=False)
        self.assertEqual(self.writer.times, 0)
        self.assert_goes_on()

    def test_after_fails(self):
        """The application may be at the target: only --back lets anybody in."""
        result = self.cut("--after", "exit 3")
        self.assertEqual(result.code, 5, result.err)
        self.assert_shut_out(result)
        self.assertIn(STOPPED, result.err.strip().splitlines()[-1])
        self.assertIn("the application may be at the target", self.run_program("follow", "--catch-up").err)
        self.assert_shut_out(result)
        self.run_program("cutover", "--back", "--confirm")
        self.assert_goes_on()

    def test_after_fails_and_the_same_command_continues(self):
        self.assertEqual(self.cut("--after", "exit 3").code, 5)
        self.run_program("cutover", "--confirm", "--after", "touch sent")
        self.assertTrue(os.path.exists(self.path("sent")))
        self.assertEqual(self.source.rows(), self.target.rows())

    def test_a_command_as_fence(self):
        closed = self.script("close.sh", "touch closed")
        opened = self.script("open.sh", "rm closed")
        result = self.cut("--fence", closed, "--unfence", opened, failpoint="cutover.before_prime:error")
        self.assert_let_in(result)
        self.assertFalse(os.path.exists(self.path("closed")))
        support.kill_at("cutover.before_drain", 1, "cutover", "--confirm", "--fence", closed, cwd=self.folder)
        self.assertIn("undo what it did", self.run_program("follow", "--catch-up", "--take-over").err)
        self.assertTrue(os.path.exists(self.path("closed")))
        self.run_program("cutover", "--back", "--confirm", "--unfence", opened)
        self.assertFalse(os.path.exists(self.path("closed")))
        result = support.transhume("cutover", "--confirm", "--fence", closed, cwd=self.folder,
                                   env={"TRANSHUME_FAILPOINT": "cutover.before_prime:error"})
        self.assertIn("STILL STOPPED", result.err.strip().splitlines()[-1])

    def test_a_fence_that_fails(self):
        self.assert_let_in(self.cut("--fence", "exit 3", "--unfence", "true"))
        self.assert_goes_on()

    # --- the source

    def test_a_schema_change_on_the_way(self):
        """What is written behind the new column arrives, or the command says that it does not."""
        before = self.script("b.sh", "sqlite3 source.db \"ALTER TABLE t ADD COLUMN w; "
                                     "INSERT INTO t VALUES (9, 'late', 'w'); UPDATE t SET v = 'changed' WHERE id = 3\"")
        self.run_program("cutover", "--confirm", "--no-validate", "--before", before)
        self.assertIn((9, "late"), self.target.rows())
        self.assertIn((3, "changed"), self.target.rows())

    def test_a_column_that_nobody_wrote_yet(self):
        before = self.script("b.sh", "sqlite3 source.db \"ALTER TABLE t ADD COLUMN w DEFAULT 5\"")
        self.run_program("cutover", "--confirm", "--no-validate", "--before", before)
        connection = sqlite3.connect(self.target.path)
        self.addCleanup(connection.close)
        self.assertEqual(connection.execute("SELECT DISTINCT w FROM t").fetchall(), [(5,)])

    def test_a_source_that_can_not_be_opened_again(self):
        """The next command does it."""
        result = self.cut(failpoint="cutover.before_prime:error,fence.before_release:error:0")
        self.assertIn("STILL STOPPED", result.err.strip().splitlines()[-1])
        self.assert_shut_out(result)
        self.assertIn("writers", self.run_program("status").out)
        self.assertIn("have been stopped since", self.run_program("follow", "--catch-up").err)
        self.assert_goes_on()

    # --- what the comparison finds

    def test_a_difference(self):
        self.target.run("UPDATE t SET v = 'broken' WHERE id = 2")
        result = self.cut()
        self.assert_let_in(result)
        self.assertEqual(result.code, 5, result.err)
        self.assertIn("differ in 1 record", result.err)
        self.run_program("follow", "--resync", "--catch-up")
        self.assert_goes_on()

    # --- the way back

    def test_a_way_back_that_fails(self):
        result = self.cut("--reverse", failpoint="cutover.before_reverse:error")
        self.assert_let_in(result)
        self.assert_goes_on()

    def test_a_way_back_that_fails_in_the_middle(self):
        result = self.cut("--reverse", failpoint="follow.after_feed:error")
        self.assert_let_in(result)
        self.assert_goes_on()

    # --- staying closed

    def test_the_fence_is_kept(self):
        result = self.cut("--keep-fence", failpoint="cutover.before_prime:error")
        self.assertEqual(result.code, 3, result.err)
        self.assert_shut_out(result)
        self.assertIn(STOPPED, result.err.strip().splitlines()[-1])
        self.assertIn("as --keep-fence says", self.run_program("follow", "--catch-up").err)
        self.assert_shut_out(result)
        self.run_program("cutover", "--confirm")
        self.assertEqual(self.source.rows(), self.target.rows())

    def test_killed_before_its_end(self):
        """Beyond the comparison the same command completes it."""
        support.kill_at("cutover.before_end", 1, "cutover", "--confirm", cwd=self.folder)
        self.run_program("cutover", "--confirm", "--take-over")
        self.assertEqual(self.source.rows(), self.target.rows())
        self.assertRaises(self.source.refused, self.source.run, "UPDATE t SET v = 'late' WHERE id = 2")

    def test_killed_and_cut_over_again(self):
        support.kill_at("cutover.before_drain", 1, "cutover", "--confirm", cwd=self.folder)
        self.assertIn("have been stopped since", self.run_program("cutover", "--confirm", "--take-over").err)
        self.assertEqual(self.source.rows(), self.target.rows())


for step in UNFENCED + FENCED:
    setattr(SqliteToSqlite, "test_error_at_" + step.replace(".", "_"), failing_at(step, "error"))
    setattr(SqliteToSqlite, "test_retry_at_" + step.replace(".", "_"), failing_at(step, "retry"))
for step in ("cutover.after_fence", "cutover.before_drain", "cutover.before_prime", "cutover.before_validate"):
    setattr(SqliteToSqlite, "test_killed_at_" + step.replace(".", "_"), killed_at(step))


class PostgresDatabase:
    refused = AssertionError

    def __init__(self, server, role="postgres"):
        self.server, self.name = server, server.database()
        self.uri = server.uri(self.name).replace("postgres@", role + "@")

    def run(self, *statements):
        self.server.psql(self.name, ";".join(statements))

    def rows(self):
        return sorted((int(row[0]), row[1]) for row in self.server.psql(self.name, "SELECT id, v FROM t"))


class PostgresToPostgres(CutOver, support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = postgres.Server(settings=postgres.FOLLOWED)
        cls.addClassCleanup(cls.server.stop)

    def sides(self):
        return PostgresDatabase(self.server), PostgresDatabase(self.server)

    def test_a_locked_target(self):
        """A lock that is taken behind the fence."""
        def hold():
            while not os.path.exists(self.path(".transhume", "fence.json")):
                time.sleep(0.002)
            locker.send("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
            released.wait(20)
            locker.send("ROLLBACK")
        locker, released = self.server.session(self.target.name), threading.Event()
        self.addCleanup(locker.close)
        thread = threading.Thread(target=hold, daemon=True)
        thread.start()
        result = self.cut("--max-pause", "2s", failpoint="cutover.before_drain:sleep")
        released.set()
        thread.join()
        self.assert_let_in(result, limit=2.5)
        self.assertEqual(result.code, 5, result.err)
        self.assert_goes_on()

    def test_a_source_that_is_locked(self):
        """The fence itself waits for a transaction that has written: no longer than the others may wait."""
        locker = self.server.session(self.source.name)
        self.addCleanup(locker.close)
        locker.ask("BEGIN; UPDATE t SET v = 'open' WHERE id = 5; SELECT 1")
        result = self.cut("--max-pause", "1s", "--max-lag", "1h")
        self.assert_let_in(result, limit=1.5)
        locker.send("ROLLBACK")
        self.assert_goes_on()

    def test_all_that_is_missing_is_told_before(self):
        """Rights that were there when the run began."""
        role, name = "r_" + self.source.name, self.source.name
        self.server.psql(name, "CREATE ROLE %s LOGIN REPLICATION; REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
                               "GRANT SELECT ON ALL TABLES IN SCHEMA public TO %s" % (role, role))
        self.server.psql(self.target.name, "GRANT ALL ON SCHEMA public TO %s; "
                                           "GRANT ALL ON ALL TABLES IN SCHEMA public TO %s;"
                                           "REVOKE DELETE ON t FROM %s" % (role, role, role))
        source = self.source.uri.replace("postgres@", role + "@")
        target = self.target.uri.replace("postgres@", role + "@")
        said = self.run_program("cutover", "--dry-run", source, target, code=5).err
        for words in ("it does not own", "has no CREATE on the schema public", "GRANT DELETE ON public.t TO"):
            self.assertIn(words, said)
        result = self.cut(source, target)
        self.assertEqual(result.code, 5, result.err)
        self.assertEqual(self.writer.times, 0)
        self.assertIn("has no DELETE on public.t", result.err)

    def test_a_follower_waits_for_a_server_that_is_away(self):
        """Also when it begins."""
        away = "postgres://postgres@127.0.0.1:1/none"
        process = support.start("follow", self.source.uri, away, cwd=self.folder)
        self.addCleanup(self.end, process)
        time.sleep(1.5)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        result = support.finish(process)
        self.assertEqual(result.code, 4, result.err)
        self.assertIn("try 2 in", result.err)

    def refuse_both(self, words):
        """A dry run and the command itself say the same, and nobody is stopped."""
        said = self.run_program("cutover", "--dry-run", code=5).err
        self.assertIn(words, said)
        result = self.cut()
        self.assertEqual((result.code, self.writer.times), (5, 0), result.err)
        self.assertIn(words, result.err)
        self.assertNotIn("STILL STOPPED", result.err)

    def feed(self):
        return self.server.psql(self.source.name,
                                "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()")[0][0]

    def test_a_feed_without_its_slot(self):
        self.server.psql(self.source.name, "SELECT pg_drop_replication_slot('%s')" % self.feed())
        self.refuse_both("the slot was dropped")

    def test_a_feed_without_its_publication(self):
        self.server.psql(self.source.name, "DROP PUBLICATION " + self.feed())
        self.refuse_both("its publication was dropped")

    def test_a_publication_that_leaves_deletes_out(self):
        self.server.psql(self.source.name, "ALTER PUBLICATION %s SET (publish = 'insert')" % self.feed())
        self.refuse_both("leaves operations out")

    def test_a_source_that_is_read_only(self):
        self.server.psql("postgres", "ALTER DATABASE %s SET default_transaction_read_only = on" % self.source.name)
        self.refuse_both("are read-only there")
        self.server.psql("postgres", "ALTER DATABASE %s RESET default_transaction_read_only" % self.source.name)
        self.run_program("cutover", "--confirm")

    def test_a_fence_of_a_source_that_became_read_only(self):
        support.kill_at("cutover.after_fence", 1, "cutover", "--confirm", cwd=self.folder)
        self.server.psql("postgres", "ALTER DATABASE %s SET default_transaction_read_only = on" % self.source.name)
        self.run_program("cutover", "--back", "--confirm", "--take-over")
        self.server.psql(self.source.name, "BEGIN READ WRITE; UPDATE t SET v = 'open' WHERE id = 5; COMMIT")

    def test_a_column_that_the_target_has_no_more(self):
        self.target.run("ALTER TABLE t RENAME v TO w")
        self.refuse_both("the target's table has no column v any more")
        self.target.run("ALTER TABLE t RENAME w TO v")
        self.source.run("CREATE TABLE beside (id int PRIMARY KEY)")
        self.run_program("cutover", "--dry-run")
        self.target.run("ALTER TABLE t RENAME TO w")
        self.source.run("DROP TABLE beside")
        self.assertIn("the target has no table of this name any more",
                      self.run_program("cutover", "--dry-run", code=5).err)
        self.target.run("ALTER TABLE w RENAME TO t")
        self.run_program("cutover", "--confirm")

    def test_an_alter_that_waits_for_the_comparison(self):
        """Whose readers come later than it: they do not wait for each other, and the writers are let in."""
        process = self.stopped_at("postgres.snapshot_taken:stop:1", "cutover", "--confirm", "--max-lag", "1h")
        waiting = subprocess.Popen(self.server.session_command(self.source.name) + ["-c", "ALTER TABLE t ADD n int"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(waiting.kill)
        self.wait_until("it waits", lambda: self.server.waiting(self.source.name) > 0)
        begun = time.monotonic()
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assertLess(time.monotonic() - begun, 8 * support.PATIENCE)
        self.assertEqual(result.code, 3, result.err)
        self.assertIn("somebody waits to alter or lock a table until this run has read it", result.err)
        self.assertIn(AGAIN, result.err.strip().splitlines()[-1])
        self.assertEqual(waiting.wait(20), 0)

    def test_rejects_are_told_before(self):
        self.target.run("ALTER TABLE t ADD CHECK (id < 1000)")
        self.source.run("INSERT INTO t VALUES (2000, 'refused')")
        self.run_program("follow", "--catch-up", code=1)
        self.assertIn("missing", self.run_program("cutover", "--dry-run", code=5).err)
        result = self.cut()
        self.assertEqual((result.code, self.writer.times), (5, 0), result.err)
        self.source.run("DELETE FROM t WHERE id = 2000")
        self.run_program("follow", "--catch-up")
        self.run_program("cutover", "--dry-run")
        self.run_program("cutover", "--confirm")


class MariadbDatabase:
    refused = AssertionError

    def __init__(self, server):
        self.server, self.name = server, server.database()
        self.uri = server.uri(self.name)

    def run(self, *statements):
        self.server.ask(self.name, ";".join(statements))

    def rows(self):
        return sorted((int(row[0]), row[1]) for row in self.server.ask(self.name, "SELECT id, v FROM t"))


class MariadbToSqlite(CutOver, support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mariadb.Server(settings=mariadb.FOLLOWED)
        cls.addClassCleanup(cls.server.stop)

    def sides(self):
        return MariadbDatabase(self.server), SqliteFile(self.path("target.db"))

    def test_a_source_that_is_read_only(self):
        name = self.source.name
        self.server.ask(name,
                        "CREATE USER reader@'127.0.0.1'; GRANT SELECT, CREATE, ALTER, DROP, TRIGGER, REFERENCES, "
                        "RELOAD, PROCESS, REPLICATION SLAVE, "
                              "BINLOG MONITOR ON *.* TO reader@'127.0.0.1'; SET GLOBAL log_bin_trust_function_creators "
                              "= 1, read_only = 1")
        self.addCleanup(self.server.ask, name, "SET GLOBAL read_only = 0; DROP USER reader@'127.0.0.1'")
        source = self.source.uri.replace("root@", "reader@")
        said = self.run_program("cutover", "--dry-run", source, self.target.uri, code=5).err
        self.assertIn("the account may write nothing there: read_only is ON", said)
        result = self.cut(source, self.target.uri)
        self.assertEqual((result.code, self.writer.times), (5, 0), result.err)
        self.assertNotIn("STILL STOPPED", result.err)


for pair in (PostgresToPostgres, MariadbToSqlite):
    for step in support.drawn(FENCED, 2, pair.__name__):
        setattr(pair, "test_error_at_" + step.replace(".", "_"), failing_at(step, "error"))
    setattr(pair, "test_killed_at_cutover_before_drain", killed_at("cutover.before_drain"))


if __name__ == "__main__":
    unittest.main()
