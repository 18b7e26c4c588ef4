"""What befalls a copy into a table without a key in a SQL server: connections that break, crashes, a rival.

    class Deaths(SqlDeaths, support.TestCase):
        SERVERS = mariadb
"""
import json
import os
import random
import signal
import time

import support
from tcp_proxy import DeathProxy, TcpProxy

KEYLESS, KEYED = ("CREATE TABLE t (id INTEGER%s, v TEXT); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM "
                  "c WHERE i < %%d) "
                  "INSERT INTO t SELECT i, 'text ' || i FROM c" % key for key in ("", " PRIMARY KEY"))

class SqlDeaths:
    SERVERS = None        # the module that starts one
    NAME = ""             # of the connector
    COMMIT = b""          # as the server is told
    OPEN = ""             # options of a URI whose bytes a proxy can read
    TABLE_IS_THERE = ""   # asks for a row if the table t is
    INDEXES = ""          # of the source
    ROWS = 3000

    @classmethod
    def setUpClass(cls):
        cls.server = cls.SERVERS.for_class(cls)

    def setUp(self):
        super().setUp()
        self.target = self.server.database()
        self.source = support.make_sqlite(
            self.path("s.db"), "CREATE TABLE t (id INTEGER, v TEXT); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL "
            "SELECT i + 1 FROM c WHERE i < %d) INSERT INTO t SELECT i, 'text ' || i FROM c; %s" % (self.ROWS,
                self.INDEXES))

    def assert_whole(self):
        """Each record once, though there is no key that would refuse a second one."""
        self.assertEqual(self.server.ask(self.target, "SELECT count(*), count(DISTINCT id), sum(id) FROM t"),
                         [[str(self.ROWS), str(self.ROWS), str(self.ROWS * (self.ROWS + 1) // 2)]])

    def through(self, proxy):
        return self.server.uri(self.target, self.OPEN, via=proxy)

    def test_a_connection_that_breaks_in_commit(self):
        """Whether the commit happened is looked up, whichever way it was."""
        for before, occurrence in support.covering((True, False), (3, 5, 8), by=self.id()):
            with self.subTest(before=before, occurrence=occurrence), TcpProxy(self.server.port) as proxy:
                self.target = self.server.database()
                proxy.cut_at(self.COMMIT, occurrence, before)
                state = self.path("state-%s-%d" % (before, occurrence))
                result = support.transhume("migrate", "--chunk-rows", "500", "--jobs", "1", "--state", state,
                                           self.source, self.through(proxy), cwd=self.folder)
                self.assertEqual(proxy.cuts, 1)
                if result.code != 0:
                    self.assertEqual(result.code, 3, result.err)
                    self.run_program("resume", "--state", state, self.source, self.through(proxy))
                self.assert_whole()

    def test_a_server_that_is_killed_in_commit(self):
        """
        All of it, by SIGKILL. Whether the commit happened is looked up once it is there again, be it that the run waits
        for it or is gone on with.
        """
        cases = [(table, row, waits) for table in (KEYLESS, KEYED) for row in (234, 1234, 2999)
                 for waits in (False, True)]
        for case in cases if support.SOAK else random.Random(support.SEED).sample(cases, 1):
            held = {moment: self.killed_in_commit(moment, *case)
                    for moment in (DeathProxy.BEFORE, DeathProxy.AFTER, *((DeathProxy.AMID,) if support.SOAK else ()))}
            # both outcomes happened
            self.assertEqual(held[DeathProxy.AFTER] - held[DeathProxy.BEFORE], 500, case)
            self.assertIn(held.get(DeathProxy.AMID, 0), (0, held[DeathProxy.BEFORE], held[DeathProxy.AFTER]))

    def killed_in_commit(self, moment, table, row, waits):
        """
        How many records there are once the server is back, before anybody goes on. The commit is that of the chunk with
        the row.
        """
        self.target = self.server.database()
        source = support.make_sqlite(self.path("%s.db" % self.target), table % self.ROWS)
        arguments = ("--state", self.path("state-" + self.target), source)
        with self.subTest(moment, table=table[:40], row=row, waits=waits), \
                DeathProxy(self.server.port, b"text %d" % row, self.COMMIT, moment, self.server.slay) as proxy:
            process = support.start("migrate", "--chunk-rows", "500", "--jobs", "1",
                                    *(() if waits else ("--timeout", "1s")), *arguments, self.through(proxy),
                                    cwd=self.folder)
            self.addCleanup(self.end, process)
            self.assertTrue(proxy.dead.wait(support.TIME_LIMIT_S * support.PATIENCE), "it never came so far")
            result = None if waits else support.finish(process)
            if waits:
                process.send_signal(signal.SIGSTOP)
            self.server.start()
            found = int(self.server.ask(self.target, "SELECT count(*) FROM t")[0][0])
            if waits:
                process.send_signal(signal.SIGCONT)
                result = support.finish(process)
            if result.code != 0:
                self.assert_code(result, 3)
                self.run_program("resume", *arguments, self.server.uri(self.target))
            self.assertEqual(sorted(self.server.ask(self.target, "SELECT id, v FROM t"), key=lambda row: int(row[0])),
                             [[str(number), "text %d" % number] for number in range(1, self.ROWS + 1)])
            return found

    def test_a_connection_that_breaks_as_a_run_is_forgotten(self):
        """
        It is gone, and only the answer is wanting: another try says neither that it failed nor that somebody took it
        over.
        """
        cases = [("rollback", 1, 1), ("rollback", 2, 1), ("finish", 1, 1), ("finish", 2, 1), ("finish", 2, 2)]
        for command, runs, occurrence in cases if support.SOAK else random.Random(support.SEED).sample(cases, 2):
            with self.subTest(command=command, runs=runs, occurrence=occurrence), TcpProxy(self.server.port) as proxy:
                self.target = self.server.database()
                state = self.path("state-%s-%d-%d" % (command, runs, occurrence))
                if runs > 1:
                    other = support.make_sqlite(self.path("other-%s-%d.db" % (command, occurrence)),
                                                "CREATE TABLE u (id INTEGER); INSERT INTO u VALUES (7)")
                    self.run_program("migrate", "--state", self.path(state + "-other"), other,
                                     self.server.uri(self.target))
                self.run_program("migrate", "--state", state, self.source, self.server.uri(self.target))
                with open(os.path.join(state, "run.json"), encoding="utf-8") as file:
                    run = ["--run", json.load(file)["run"]] if command == "rollback" else []
                process = self.stopped_at("%s.before_forget:stop:%d" % (self.NAME, occurrence), command, *run,
                                          "--confirm", "--state", state,
                                          self.through(proxy))
                proxy.cut_at(self.COMMIT, 1, False)
                process.send_signal(signal.SIGCONT)
                result = support.finish(process)
                self.assertEqual(proxy.cuts, 1)
                self.assert_code(result, 0)
                tables = [name for name in ("_transhume_ledger", "t", "u")
                          if self.server.ask(self.target, self.TABLE_IS_THERE.replace("'t'", "'%s'" % name))]
                self.assertEqual(tables, (["_transhume_ledger", "u"] if runs > 1 else []) if command == "rollback"
                                 else ["t", "u"][:runs])
                # nothing is left to do
                self.run_program(command, *run, "--confirm", "--state", state, self.server.uri(self.target))

    def test_rows_without_a_key_start_again_when_their_source_changed(self):
        """Also where the process dies as it takes out what there is."""
        reopening = "ledger.after_empty"
        for dies in (False, True):
            with self.subTest(dies=dies):
                self.target = self.server.database()
                state = self.path("state-" + self.target)
                uri = self.server.uri(self.target)
                killed = support.kill_at(self.NAME + ".after_commit", 3, "migrate", "--chunk-rows", "500", "--jobs",
                                         "1", "--state", state,
                                         self.source, uri, cwd=self.folder)
                self.assert_code(killed, -signal.SIGKILL)
                self.assertEqual(self.server.ask(self.target,
                                                 "SELECT count(*) FROM _transhume_ledger WHERE name LIKE "
                                                 "'run/%/done/%'"), [["3"]])
                self.assertEqual(self.server.ask(self.target, "SELECT count(*) FROM t"), [["1500"]])
                support.make_sqlite(self.source,
                                    "DELETE FROM t WHERE id IN (1, 2999); INSERT INTO t VALUES (1, '%s'), (2999, NULL)"
                                    % state)
                if dies:
                    self.assert_code(support.kill_at(reopening, 1, "resume", "--state", state, self.source, uri,
                                                     cwd=self.folder), -signal.SIGKILL)
                    self.assertEqual(self.server.ask(self.target, "SELECT count(*) FROM t"), [["0"]])
                result, reached = support.count_failpoints("resume", "--state", state, self.source, uri,
                                                           cwd=self.folder)
                self.assert_code(result, 1)
                self.assertEqual(reached[reopening], 1)
                self.assertIn("table t starts over: the source changed, and a stream of it has no stable key",
                              result.err)
                self.assertIn("the snapshot is mixed", result.err)
                with support.open_sqlite(self.source) as database:
                    held = [[str(number), text and text.decode()]
                            for number, text in database.execute("SELECT id, v FROM t ORDER BY id")]
                self.assertEqual(self.server.ask(self.target, "SELECT id, v FROM t ORDER BY id"), held)

    def test_a_connection_that_breaks_in_a_load(self):
        with TcpProxy(self.server.port) as proxy:
            proxy.cut_at(b"text 1234", 1, True)
            result = self.run_program("migrate", "--chunk-rows", "500", self.source, self.through(proxy))
            self.assertEqual(proxy.cuts, 1)
            self.assertIn("try 2", result.err)
        self.assert_whole()

    def test_a_server_that_crashes(self):
        process = support.start("migrate", "--chunk-rows", "100", "--rows-per-second", "1500", self.source,
                                self.server.uri(self.target), cwd=self.folder)
        time.sleep(1)
        self.server.kill()
        time.sleep(0.3)
        self.server.start()
        result = support.finish(process)
        if result.code != 0:
            self.assertEqual(result.code, 3, result.err)
            self.run_program("resume", self.source, self.server.uri(self.target))
        self.assert_whole()

    def test_a_second_process_is_told_of_the_first(self):
        first = support.start("migrate", "--chunk-rows", "100", "--rows-per-second", "1000", self.source,
                              self.server.uri(self.target), "--state", self.path("first"), cwd=self.folder)
        deadline = time.monotonic() + 20 * support.PATIENCE
        while time.monotonic() < deadline and not self.server.ask(self.target, self.TABLE_IS_THERE):
            time.sleep(0.05)
        second = support.transhume("resume", self.source, self.server.uri(self.target), "--state",
                                   self.path("second"), cwd=self.folder)
        self.assertEqual(second.code, 5, second.err)
        self.assertIn("pid %d" % first.pid, second.err)
        self.assert_code(support.finish(first), 0)
        self.assert_whole()
