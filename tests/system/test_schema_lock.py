"""
Several `transhume schema up` at once: one works, the others wait and then find nothing to do; who holds the lock is
told, and can be ended.
"""
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import servers
import sql_case
import support
import tcp_proxy


class Rewriting(tcp_proxy.Proxy):
    """
    Puts a number of the same length in place of what the program asks for, in the order of `answers` (None: as it is).
    """

    def __init__(self, port, told, answers):
        self.told, self.answers, self.seen = told, answers, {}
        super().__init__(port)

    def passers(self, program, server):
        def forth():
            seen = 0
            with contextlib.suppress(OSError):
                while piece := program.recv(tcp_proxy.PIECE):
                    if self.told in piece:
                        answer = self.answers[min(seen, len(self.answers) - 1)]
                        seen += 1
                        piece = piece.replace(self.told, answer if answer is not None else self.told)
                    server.sendall(piece)
            tcp_proxy.close(server)

        def back():
            with contextlib.suppress(OSError):
                while piece := server.recv(tcp_proxy.PIECE):
                    program.sendall(piece)
            tcp_proxy.close(program)
        return forth, back


class LockCase:
    SLOW = ""   # some SQL that takes half a second

    def setUp(self):
        super().setUp()
        self.uri = self.new_target()
        os.mkdir(self.path("migrations"))
        self.migration("001_a.sql", "CREATE TABLE marker (n INT);\nINSERT INTO marker VALUES (1);\n")
        self.migration("002_b.sql", "CREATE TABLE b (n INT);\n%s\nINSERT INTO marker VALUES (2);\n" % self.SLOW)

    def migration(self, name, text):
        return self.write(os.path.join("migrations", name), text)

    def start(self, *arguments, **options):
        process = support.start("schema", "up", self.uri, *arguments, cwd=self.folder, **options)
        self.addCleanup(self.end, process)
        return process

    def hold(self, point="evolve.before_statement"):
        return self.stopped_at(point + ":stop:1", "schema", "up", self.uri)

    def assert_once(self, *steps):
        self.assertEqual(self.ask("SELECT n FROM marker ORDER BY n"), [[str(step)] for step in steps])

    def test_four_at_once(self):
        results = [support.finish(process) for process in [self.start() for _ in range(4)]]
        self.assertEqual([result.code for result in results], [0] * 4, "\n".join(result.err for result in results))
        self.assertEqual(sorted(result.out.splitlines()[-1].split(" in ")[0] for result in results),
                         ["2 migrations applied"] + ["nothing to do"] * 3)
        self.assert_once(1, 2)

    def test_who_holds_it_is_told(self):
        holder = self.hold()
        refused = self.run_program("schema", "up", self.uri, "--lock-wait", "0", code=5)
        self.assertRegex(refused.err, r"another one changes the schema: pid %d on \S+.*, since \d{4}-" % holder.pid)
        waiter = self.start("--lock-wait", "60s")
        time.sleep(0.3)
        holder.send_signal(signal.SIGCONT)
        first, second = support.finish(holder), support.finish(waiter)
        self.assertEqual((first.code, second.code, second.out), (0, 0, "nothing to do\n"), first.err + second.err)
        self.assertRegex(second.err, "waiting for pid %d on " % holder.pid)
        self.assert_once(1, 2)

    def test_a_stopped_holder_is_waited_for_and_no_longer(self):
        holder = self.hold("evolve.after_claim")
        begun = time.monotonic()
        self.run_program("schema", "up", self.uri, "--lock-wait", "1s", code=5)
        self.assertGreater(time.monotonic() - begun, 0.9)
        self.run_program("schema", "status", self.uri)
        holder.kill()
        support.finish(holder)
        self.run_program("schema", "up", self.uri)
        self.assert_once(1, 2)

    def test_the_lock_is_stolen(self):
        holder = self.hold("evolve.before_commit")
        self.run_program("schema", "up", self.uri, "--steal-lock")
        holder.send_signal(signal.SIGCONT)
        late = support.finish(holder)
        self.assertNotIn("error: unknown", late.err)
        self.assert_once(1, 2)
        self.assertEqual(self.run_program("schema", "up", self.uri).out, "nothing to do\n")


class OnSqlite(sql_case.SqliteTarget, LockCase, support.TestCase):
    SLOW = ("INSERT INTO b SELECT max(i) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i "
            "< 200000) SELECT i FROM n);")

    def test_the_lock_is_stolen(self):
        """There is no session of a server to be ended; it says so, and does not wait in silence."""
        holder = self.hold()
        failed = self.run_program("schema", "up", self.uri, "--steal-lock", code=5)
        self.assertIn("--steal-lock can't end a session of SQLite; ", failed.err)
        self.assertIn("end that one", failed.err)
        self.assertNotIn("--steal-lock ends", self.run_program("schema", "up", self.uri, "--lock-wait", "0",
                                                               code=5).err)
        self.end(holder)

    def test_a_run_keeps_it_out(self):
        support.make_sqlite(self.path("source.db"), "CREATE TABLE t (a INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);")
        holder = self.hold()
        refused = self.run_program("migrate", "sqlite:source.db", self.uri, code=5)
        self.assertRegex(refused.err, "pid %d changes the schema of this file" % holder.pid)
        holder.kill()
        support.finish(holder)
        run = self.stopped_at("sqlite.before_commit:stop:1", "migrate", "sqlite:source.db", self.uri)
        refused = self.run_program("schema", "up", self.uri, "--lock-wait", "0", code=5)
        self.assertRegex(refused.err, "pid %d" % run.pid)
        run.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(run), 0)
        self.run_program("schema", "up", self.uri)
        self.assert_once(1, 2)


class OnPostgres(sql_case.ServerTarget, LockCase, support.TestCase):
    SERVERS = postgres
    SLOW = "SELECT pg_sleep(0.5);"

    def test_an_index_is_built_beside_those_who_wait(self):
        """CREATE INDEX CONCURRENTLY waits for every snapshot: who waits for the lock has none."""
        self.migration("003_index.sql",
                       "CREATE FUNCTION slowly(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM "
                       "pg_sleep(0.3); RETURN $1; END $$;\n"
                       "CREATE INDEX CONCURRENTLY ON marker (slowly(n));\n")
        results = [support.finish(process, 60) for process in [self.start() for _ in range(3)]]
        self.assertEqual([result.code for result in results], [0] * 3, "\n".join(result.err for result in results))
        self.assertEqual(self.ask("SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indrelid = "
                                  "'marker'::regclass"), [["1", "t"]])

    def test_what_a_waiter_is_told_of_a_long_statement(self):
        self.migration("002_b.sql", "INSERT INTO marker SELECT 2 FROM pg_sleep(2);\n")
        holder = self.start()
        self.wait_until("the statement is at work",
                        lambda: self.ask("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'") != [])
        refused = self.run_program("schema", "up", self.uri, "--lock-wait", "0", code=5)
        self.assertRegex(re.sub(r"\s+", " ", refused.err), r"pid %d on .*session \d+ .*INSERT INTO marker" % holder.pid)
        self.assert_code(support.finish(holder), 0)

    def test_a_lock_that_a_migration_gives_up(self):
        self.migration("003_c.sql",
                       "-- transhume:transaction none\nSELECT pg_advisory_unlock_all();\nINSERT INTO marker "
                       "VALUES (3);\n")
        self.migration("004_d.sql", "INSERT INTO marker VALUES (4);\n")
        self.assertIn("gave the lock of the schema up", self.run_program("schema", "up", self.uri).err)
        self.assert_once(1, 2, 3, 4)

    def pooler(self, mode):
        """A running PgBouncer before the server: its port."""
        port = servers.free_port()
        with tempfile.NamedTemporaryFile("w", suffix=".ini", dir="/tmp", encoding="utf-8", delete=False) as file:
            settings = file.name
            self.addCleanup(os.remove, settings)
            os.chmod(settings, 0o644)   # the servers' user reads it, who may not into the folder of the tests
            file.write("[databases]\n* = host=127.0.0.1 port=%d "
                       "user=postgres\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=%d\n"
                       "unix_socket_dir=\nauth_type=any\nmax_client_conn=40\npool_mode=%s\n" % (self.server.port, port,
                           mode))
        guard = ["setpriv", "--pdeathsig", "KILL"]
        if os.geteuid() == 0:
            guard = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig", "KILL"]
        try:
            pooler = subprocess.Popen([*guard, "pgbouncer", settings], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        except FileNotFoundError:
            self.skipTest("no pgbouncer is installed")
        self.addCleanup(pooler.wait, 10)
        self.addCleanup(pooler.terminate)
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                return port
            except OSError:
                self.assertLess(time.monotonic(), deadline, "PgBouncer does not answer")
                time.sleep(0.02)

    def test_poolers(self):
        uri = "postgres://postgres@127.0.0.1:%d/%s"
        refused = self.run_program("schema", "up", uri % (self.pooler("transaction"), self.database), code=2)
        self.assertIn("pooler=session", refused.err)
        session = uri % (self.pooler("session"), self.database) + "?pooler=session"
        self.run_program("schema", "up", session)
        self.assertEqual(self.run_program("schema", "up", session).out, "nothing to do\n")
        self.assert_once(1, 2)


class OnMariadb(sql_case.ServerTarget, LockCase, support.TestCase):
    SERVERS = mariadb
    SLOW = "INSERT INTO b SELECT SLEEP(0.5);"

    def test_proxies(self):
        """
        Of ProxySQL and MaxScale what gives them away: a session's number of their own, or another one within a
        transaction.
        """
        for told, answers in ((b"CONNECTION_ID()", [b"987654321012345"]),
                              (b"@@session.pseudo_thread_id", [None, b"98765432101234567890123456"])):
            with self.subTest(told), Rewriting(self.server.port, told, answers) as proxy:
                uri = self.server.uri(self.database, via=proxy)
                refused = self.run_program("schema", "up", uri, code=2)
                self.assertIn("a proxy (ProxySQL, MaxScale) stands before the server", refused.err)
                self.assertIn("?pooler=session", refused.err)
                self.run_program("schema", "up", uri + "?pooler=session")
        with Rewriting(self.server.port, b"nothing of that kind", []) as proxy:
            self.assertEqual(self.run_program("schema", "up", self.server.uri(self.database, via=proxy)).out,
                             "nothing to do\n")
        self.assert_once(1, 2)


if __name__ == "__main__":
    unittest.main()
