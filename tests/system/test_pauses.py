"""Giving way to others: a run pauses by running statements, their time and replication lag, and goes on by itself."""
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import support
import tcp_proxy

ROWS = 500
PLAN = """
transhume: 1
source: %s
target: sqlite:out.db
options: { pause_running: 2 }
tables:
  t: { from: t, fields: { "*": copy } }
"""


class Pauses:
    """Of one engine; the source is its server, the target a SQLite file."""
    one_database_each = True

    SLEEP = GRANT = STAYS_OPEN = ""

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        self.server.ask(self.name, "CREATE TABLE t (id int PRIMARY KEY, v varchar(20))")
        self.server.ask(self.name, "INSERT INTO t VALUES " + ", ".join("(%d, 'v%d')" % (n, n) for n in range(ROWS)))

    def session(self):
        """One of somebody else, at work until it is killed."""
        raise NotImplementedError

    def busy(self, count):
        self.addCleanup(self.stop_statements)   # the server would go on after its client's end
        sessions = [self.session() for _ in range(count)]
        for session in sessions:
            self.addCleanup(self.end, session)
        self.wait_until("they run", lambda: self.running() >= count)

    @staticmethod
    def end(session):
        session.kill()
        session.wait()

    def begun(self, *options, command="migrate", source=None):
        """Small batches, so that there is something to hold."""
        process = support.start(command, source or self.server.uri(self.name), "sqlite:out.db", "--state", "s",
                                "--jobs", "2",
                                "--chunk-rows", "50", "--batch-rows", "10", *options, cwd=self.folder)
        self.addCleanup(process.kill)
        return process

    def log(self):
        text = ""
        for folder, _, names in os.walk(self.path("s")):
            for name in names:
                if name.endswith("log"):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        text += file.read()
        return text

    def arrived(self):
        with contextlib.closing(sqlite3.connect(self.path("out.db"))) as database:
            return [row[0] for row in database.execute("SELECT id FROM t ORDER BY id")]

    def pauses_and_goes_on(self, said, release, *options, **how):
        process = self.begun(*options, **how)
        self.wait_until("it pauses", lambda: said in self.log() or process.poll() is not None)
        self.assertIsNone(process.poll(), self.log())
        time.sleep(1.5)
        self.assertIsNone(process.poll(), "it went on all the same")
        release()
        result = support.finish(process)
        self.assert_code(result, 0)
        self.assertIn("going on after a pause of", result.err + self.log())
        self.assertEqual(self.arrived(), list(range(ROWS)))

    def test_what_stays_open_is_said(self):
        """Before the run, and by it: beside the progress and in its log."""
        words = "a long read transaction is open; " + self.STAYS_OPEN
        ends = (self.server.uri(self.name), "sqlite:out.db", "--state", "s")
        self.assertIn(words, " ".join(self.run_program("check", *ends).out.split()))
        self.assertEqual(self.run_program("migrate", *ends).err.count(words), 1)
        self.assertEqual(self.log().count(words), 1)

    def test_running_statements(self):
        self.busy(3)
        self.pauses_and_goes_on("pausing: source: others run 3 statements, more than 2", self.stop_statements,
                                "--pause-running", "2")

    def test_a_long_statement(self):
        self.busy(1)
        time.sleep(1)
        self.pauses_and_goes_on("pausing: source: a statement has been running for", self.stop_statements,
                                "--pause-statement", "500ms")

    def test_below_the_mark(self):
        self.busy(2)
        result = support.finish(self.begun("--pause-running", "2", "--pause-statement", "1h"))
        self.assert_code(result, 0)
        self.assertNotIn("pausing", result.err)
        self.assertEqual(self.arrived(), list(range(ROWS)))

    def test_by_plan_and_in_validation(self):
        self.write("plan.yaml", PLAN % self.server.uri(self.name))
        self.run_program("migrate", "--plan", "plan.yaml", "--state", "s")
        self.busy(3)
        process = support.start("validate", "--level", "hash", "--plan", "plan.yaml", "--state", "s",
                                cwd=self.folder)
        self.addCleanup(process.kill)
        time.sleep(12 if support.UNDER_VALGRIND else 2)
        if process.poll() is not None:
            self.fail(support.finish(process))
        self.stop_statements()
        result = support.finish(process)
        self.assert_code(result, 0)
        self.assertIn("pausing: source: others run 3 statements, more than 2", result.err)

    def test_stopped_while_it_pauses(self):
        self.busy(3)
        process = self.begun("--pause-running", "2")
        self.wait_until("it pauses", lambda: "pausing: source" in self.log() or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        self.assert_code(support.finish(process), 4)
        self.stop_statements()
        self.run_program("resume", "--state", "s", self.server.uri(self.name), "sqlite:out.db")
        self.assertEqual(self.arrived(), list(range(ROWS)))

    def test_what_nobody_tells(self):
        result = support.finish(self.begun("--pause-lag", "1s"))
        self.assert_code(result, 2)
        self.assertIn("--pause-lag: neither source nor target reports how far a replica is behind", result.err)
        self.assertFalse(os.path.exists(self.path("out.db")) and os.path.getsize(self.path("out.db")), "it wrote")

    def test_without_the_right_to_see_others(self):
        self.busy(3)
        result = support.finish(self.begun("--pause-running", "2", source=self.reader()))
        self.assert_code(result, 2)
        self.assertIn("neither source nor target reports how many statements others run", result.err)
        self.assertIn(self.GRANT, result.err)

    def test_a_watch_that_breaks_off(self):
        self.busy(3)
        process = self.begun("--pause-running", "2")
        self.wait_until("it pauses", lambda: "pausing: source: others" in self.log() or process.poll() is not None)
        self.wait_until("its session is ended", self.end_watch)
        self.stop_statements()
        self.assert_code(support.finish(process), 0)
        self.assertEqual(self.arrived(), list(range(ROWS)))


class Target:
    """The server as the target, others at work on what is loaded."""
    one_database_each = True

    ROWS, BYTES = 300, 100000

    def loading(self, uri=None, chunk_rows=1000, rows_per_second=60):
        """A run whose open transaction holds the lock of record 0."""
        self.server.ask(self.name, "CREATE TABLE wide (id int PRIMARY KEY, v %s); INSERT INTO wide VALUES (0, 'before')"
                        % self.TEXT)
        support.make_sqlite(self.path("wide.db"),
                            "CREATE TABLE wide (id INTEGER PRIMARY KEY, v TEXT); WITH RECURSIVE c(i) AS (SELECT 0 "
                            "UNION ALL SELECT i + 1 FROM c WHERE i < %d) INSERT INTO wide SELECT i, "
                            "substr(hex(zeroblob(%d)), 1, %d) FROM c"
                            % (self.ROWS - 1, self.BYTES, self.BYTES))
        process = support.start("migrate", "wide.db", uri or self.server.uri(self.name), "--state", "s", "--existing",
                                "upsert", "--jobs", "1",
                                "--chunk-rows", str(chunk_rows), "--batch-rows", "10", "--rows-per-second",
                                str(rows_per_second), "--pause-statement", "1s", cwd=self.folder)
        self.addCleanup(process.kill)
        self.wait_until("it writes", lambda: "copying" in self.log() or process.poll() is not None)
        self.wait_until("record 0 is locked", lambda: process.poll() is not None or self.server.ask(
            self.name, "SELECT id FROM wide WHERE id = 0 FOR UPDATE SKIP LOCKED") == [])
        self.assertIsNone(process.poll(), self.log())
        return process

    def other(self):
        session = self.server.session(self.name)
        self.addCleanup(session.close)
        return session

    def arrived_here(self):
        return self.server.ask(self.name, "SELECT count(*) FROM wide WHERE length(v) = %d" % self.BYTES)

    def test_who_waits_for_us_is_no_cause(self):
        process, session = self.loading(), self.other()
        session.send("UPDATE wide SET v = 'theirs' WHERE id = 0")
        self.assert_code(support.finish(process), 0)
        self.assertEqual(session.ask("SELECT v FROM wide WHERE id = 0"), "theirs")
        self.assertNotIn("pausing", self.log())
        self.assertEqual(self.arrived_here(), [[str(self.ROWS - 1)]])

    def test_a_pause_keeps_no_locks(self):
        process, session = self.loading(), self.other()
        self.busy(1)
        self.wait_until("it pauses", lambda: "pausing: target" in self.log() or process.poll() is not None)
        session.send("UPDATE wide SET v = 'theirs' WHERE id = 0")
        self.wait_until("they get their lock", lambda: self.server.ask(self.name,
                                                                       "SELECT v FROM wide WHERE id = 0")
                        == [["theirs"]])
        self.assertIsNone(process.poll())
        self.assertNotIn("going on", self.log())
        self.stop_statements()
        self.assert_code(support.finish(process), 0)
        self.assertEqual(self.arrived_here(), [[str(self.ROWS)]])


class Postgres(Pauses, Target, support.TestCase):
    TEXT = "text"
    STAYS_OPEN = "VACUUM cannot remove newer dead rows until it ends"
    GRANT = "GRANT pg_read_all_stats"

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls, settings={"wal_level": "replica", "max_wal_senders": "4",
                                                       "hot_standby": "on"})

    def session(self):
        return subprocess.Popen([self.server._client("psql"), "-X", "-q", "-h", "127.0.0.1", "-p",
                                 str(self.server.port), "-U",
                                 "postgres", "-d", self.name, "-c", "SELECT pg_sleep(600)"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def running(self):
        return int(self.server.ask("postgres",
                                   "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' "
                                               "AND state = 'active'")[0][0])

    def stop_statements(self):
        self.server.ask("postgres",
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' "
                                    "AND pid <> pg_backend_pid()")

    def reader(self):
        self.server.ask(self.name,
                        "DROP ROLE IF EXISTS modest_%s; CREATE ROLE modest_%s LOGIN; GRANT SELECT ON t TO modest_%s"
                        % ((self.name,) * 3))
        return self.server.uri(self.name).replace("postgres@", "modest_%s@" % self.name)

    def end_watch(self):
        return self.server.ask("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE "
                                           "'%pg_last_wal_replay_lsn%' AND pid <> pg_backend_pid()") != []

    def test_a_lock_on_the_source(self):
        """Nobody queues behind the reader for long; it is said what is in its way, and it tries again."""
        holder = subprocess.Popen([self.server._client("psql"), "-X", "-q", "-h", "127.0.0.1", "-p",
                                   str(self.server.port), "-U",
                                   "postgres", "-d", self.name, "-c", "BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; "
                                   "SELECT pg_sleep(600)"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(self.end, holder)
        self.addCleanup(self.stop_statements)
        self.wait_until("it is locked", lambda: self.running() == 1)
        process = self.begun("--timeout", "2s")
        result = support.finish(process)
        self.assert_code(result, 3)
        self.assertIn("[source-locked]", result.err)
        self.assertIn("another session holds a lock on the table: pg_locks shows it", result.err)
        self.stop_statements()
        self.run_program("resume" if os.path.exists(self.path("s", "run.json")) else "migrate", "--state", "s",
                         self.server.uri(self.name), "sqlite:out.db")
        self.assertEqual(self.arrived(), list(range(ROWS)))

    def test_lag_of_a_replica(self):
        """Told by the primary, and by the replica itself."""
        replica = Replica(self.server)
        self.addCleanup(replica.stop)
        replica.delay("600s")
        self.server.ask(self.name, "UPDATE t SET v = v")
        self.wait_until("the primary knows", lambda: self.server.ask(
            "postgres", "SELECT 1 FROM pg_stat_replication WHERE replay_lag > '1 s'") != [] or self.server.ask(
                self.name, "UPDATE t SET v = v") != [])
        self.pauses_and_goes_on("pausing: source: a replica is", lambda: replica.delay("0"), "--pause-lag", "1s")
        os.unlink(self.path("out.db"))
        shutil.rmtree(self.path("s"))
        replica.delay("600s")
        self.server.ask(self.name, "UPDATE t SET v = v")
        time.sleep(1.2)
        self.pauses_and_goes_on("pausing: source: a replica is", lambda: replica.delay("0"), "--pause-lag", "1s",
                                source=replica.uri(self.name))


class Replica(postgres.Server):
    """Of a primary, by pg_basebackup."""
    def __init__(self, primary):
        self.primary = primary
        self.programs = postgres.programs()
        postgres.DatabaseServer.__init__(self)
        self.run(os.path.join(self.programs, "pg_basebackup"), "-D", self.data, "-h", "127.0.0.1", "-p",
                 str(primary.port),
                 "-U", "postgres", "-R", "-X", "stream", "--no-sync", "-c", "fast")
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as file:
            file.write("unix_socket_directories = '%s'\nmax_standby_streaming_delay = -1\n" % self.folder)
        self.start()

    def delay(self, time_text):
        self.ask("postgres", "ALTER SYSTEM SET recovery_min_apply_delay = '%s'" % time_text)
        self.ask("postgres", "SELECT pg_reload_conf()")


class MariaDb(Pauses, Target, support.TestCase):
    TEXT = "longtext"
    STAYS_OPEN = "the undo log keeps newer changes until it ends"
    GRANT = "GRANT PROCESS"

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls, settings={"server-id": "1", "log-bin": "binlog", "binlog-format": "ROW"})

    def session(self):
        return subprocess.Popen(["mariadb", *self.server._account(), self.name, "-e", "SELECT SLEEP(600)"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def threads(self):
        return [number for number, in self.server.ask("mysql", "SELECT ID FROM information_schema.PROCESSLIST "
                                                               "WHERE INFO = 'SELECT SLEEP(600)'")]

    def running(self):
        return len(self.threads())

    def stop_statements(self):
        for number in self.threads():
            self.server.ask("mysql", "KILL %s" % number)

    def reader(self):
        self.server.ask("mysql", "CREATE OR REPLACE USER modest@'127.0.0.1'; GRANT SELECT, LOCK TABLES ON %s.* TO "
                                 "modest@'127.0.0.1'; GRANT RELOAD ON *.* TO modest@'127.0.0.1'" % self.name)
        return self.server.uri(self.name).replace("root@", "modest@")

    def end_watch(self):
        """Its number is the latest but one of those that sleep: killed are all that do nothing but sleep."""
        found = self.server.ask("mysql", "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND = 'Sleep' AND "
                                         "USER = 'root' ORDER BY ID DESC LIMIT 1")
        for number, in found:
            self.server.ask("mysql", "KILL %s" % number)
        return found != []

    def test_who_waited_for_us_until_now_is_no_cause(self):
        """The server lists statements and locks one after the other: in between the lock may have come."""
        with tcp_proxy.HoldingProxy(self.server.port, b"innodb_lock_waits") as proxy:
            process = self.loading("mysql://root@127.0.0.1:%d/%s?sslmode=disable" % (proxy.port, self.name),
                                   chunk_rows=240, rows_per_second=30)
            session = self.other()
            session.send("UPDATE wide SET v = 'theirs' WHERE id = 0")
            self.wait_until("it waits for longer than the mark", lambda: process.poll() is not None or self.server.ask(
                "mysql", "SELECT 1 FROM information_schema.processlist WHERE time >= 2 AND info LIKE 'UPDATE wide%'")
                            != [])
            proxy.hold()
            self.wait_until("the list of locks is late", lambda: proxy.held.is_set() or process.poll() is not None)
            self.wait_until("they have their lock", lambda: self.server.ask(self.name,
                                                                            "SELECT v FROM wide WHERE id = 0")
                            == [["theirs"]])
            self.assertTrue(proxy.held.is_set() and process.poll() is None, self.log())
            proxy.release()
            self.assert_code(support.finish(process), 0)
        self.assertNotIn("pausing", self.log())

    def test_sessions_of_ours_on_both_sides(self):
        """Each side's watch knows the sessions of the other, and of what a validation reads again."""
        self.server.ask(self.name, "CREATE TABLE wide (id int PRIMARY KEY, v longtext); "
                                   "INSERT INTO wide SELECT seq, REPEAT('v', 100000) FROM seq_1_to_300")
        target, options = self.server.database(), ("--jobs", "2", "--pause-statement", "1s")
        source, second = self.server.uri(self.name), self.server.uri(target).replace("127.0.0.1", "localhost")
        for command, capped in (("migrate", ("--chunk-rows", "150", "--rows-per-second", "75")),
                                ("validate", ("--level", "hash", "--bytes-per-second", "10MiB"))):
            result = self.run_program(command, source, second, "--state", "s", *options, *capped)
            self.assertGreater(result.seconds, 2)
            self.assertNotIn("pausing", result.err + self.log())
        self.assertEqual(self.server.ask(target, "SELECT count(*), sum(length(v)) FROM wide"), [["300", "30000000"]])

    def test_lag_of_a_replica(self):
        replica = mariadb.start(settings={"server-id": "2", "log-bin": "binlog"})
        self.addCleanup(replica.stop)
        replica.ask("mysql", "CHANGE MASTER TO master_host='127.0.0.1', master_port=%d, master_user='root', "
                             "master_use_gtid=slave_pos; START SLAVE" % self.server.port)
        self.wait_until("it has followed", lambda: [str(ROWS)] in self.tolerant(replica,
                                                                                "SELECT count(*) FROM %s.t"
                                                                                % self.name))
        replica.ask("mysql", "STOP SLAVE")
        self.pauses_and_goes_on("pausing: source: replication stands still",
                                lambda: replica.ask("mysql", "START SLAVE"),
                                "--pause-lag", "2s", source=replica.uri(self.name))

    @staticmethod
    def tolerant(server, sql):
        try:
            return server.ask("mysql", sql)
        except AssertionError:
            return []


class Elsewhere(support.TestCase):
    def test_files_have_no_load(self):
        support.make_sqlite(self.path("a.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY)")
        for option, value, what in (("--pause-running", "2", "how many statements others run"),
                                    ("--pause-statement", "2s", "how long statements of others take"),
                                    ("--pause-lag", "2s", "how far a replica is behind")):
            for command in ("migrate", "check"):
                result = self.run_program(command, option, value, "a.db", "sqlite:b.db", code=2)
                self.assertIn("%s: neither source nor target reports %s" % (option, what), result.err + result.out)
            self.assertFalse(os.path.exists(self.path("b.db")), "it was made")


if __name__ == "__main__":
    unittest.main()
