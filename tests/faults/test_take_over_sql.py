"""
A run into a SQL server is taken over from a process that is stopped: what it had locked goes, and woken it changes
nothing.
"""
import json
import os
import random
import re
import signal
import sys
import time
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import mariadb
import postgres
import support
from sql_case import SqlCase

ROWS = 2000


class TakeOverSql:
    OPTIONS = ("--chunk-rows", "200", "--jobs", "2")
    NO_RIGHT = ""   # what the server says
    UNMARKED = 0    # sessions that at_work counts, and that no take-over ends

    def setUp(self):
        super().setUp()
        self.source = support.make_sqlite(
            self.path("s.db"),
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX t_v ON t (v); "
            "CREATE TABLE nokey (id INTEGER);"
            "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) INSERT INTO t SELECT i, "
            "'text ' || i FROM c;"
            "INSERT INTO nokey SELECT id FROM t" % ROWS)
        self.target = self.server.database()

    def everything(self):
        return self.server.rows(self.target), self.server.dump(self.target)

    def stopped(self, rule, command="migrate", uri=None, state="first"):
        return self.stopped_at(rule, command, *self.OPTIONS, "--state", state, *self.ends(uri), cwd=self.folder)

    def ends(self, uri=None):
        return (self.source, uri or self.server.uri(self.target))

    def take_over(self, *ends, code=0, command="resume", options=(), **more):
        begun = time.monotonic()
        result = self.run_program(command, "--take-over", "--state", "second", "--timeout", "1s", *options,
                                  *(ends or self.ends()),
                                  code=code, **more)
        self.assertLess(time.monotonic() - begun, 20 * support.PATIENCE)
        return result

    def run_of(self, state):
        with open(self.path(state, "run.json"), encoding="utf-8") as file:
            return json.load(file)["run"]

    def assert_whole(self):
        """By the server's own client: each record once, also where no key says so, and the index."""
        for table in ("t", "nokey"):
            self.assertEqual(self.server.ask(self.target, "SELECT count(*), count(DISTINCT id), sum(id) FROM %s"
                                             % table),
                             [[str(ROWS), str(ROWS), str(ROWS * (ROWS + 1) // 2)]], table)
        self.assertEqual(self.server.ask(self.target, "SELECT count(*) FROM t WHERE v = concat('text ', id)"),
                         [[str(ROWS)]])
        self.assertIn("t_v", self.server.dump(self.target))

    def assert_changes_nothing(self, first):
        before = self.everything()
        first.send_signal(signal.SIGCONT)
        ended = support.finish(first)
        self.assert_code(ended, 5)
        self.assertIn("[run-fenced]", ended.err)
        self.assertEqual(self.everything(), before)

    def test_stopped_anywhere(self):
        """Within the transaction of a chunk, at its end, in the middle of the indexes."""
        rules = ["%s.before_mark:stop:2", "%s.before_commit:stop:3", "engine.before_commit:stop:4",
                 "%s.after_index:stop:1",
                 "ledger.before_status:stop:1", "ledger.after_scope:stop:2"]
        for rule in rules if support.SOAK else random.Random(support.SEED).sample(rules, 1):
            with self.subTest(rule):
                rule = rule.replace("%s", self.NAME)
                self.target = self.server.database()
                first = self.stopped(rule, state=self.path(rule))
                self.assertIn("[run-held]", self.run_program("resume", "--state", "third", *self.ends(), code=5).err)
                self.assertRegex(self.take_over().err, r"ending \d+ sessions of the process")
                self.assert_whole()
                self.assert_changes_nothing(first)
                self.assert_whole()

    def test_stopped_before_its_claim(self):
        """The ledger is there, and nobody holds it."""
        first = self.stopped("engine.after_ledger_create:stop:1")
        self.run_program("resume", "--state", "second", *self.ends())
        self.assert_whole()
        self.assert_changes_nothing(first)

    def test_woken_while_it_is_taken_over(self):
        """Its new sessions work at the old epoch until that is raised: they are ended, too."""
        first = self.stopped("engine.before_commit:stop:4")
        second = self.stopped_at("ledger.before_claim:stop:1", "resume", "--take-over", "--state", "second",
                                 *self.ends())
        first.send_signal(signal.SIGCONT)
        self.wait_until("it works again", lambda: self.at_work() > 0)
        second.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(second), 0)
        ended = support.finish(first)
        self.assert_code(ended, 5)
        self.assertIn("[run-fenced]", ended.err)
        self.assert_whole()

    def test_others_stay(self):
        """Another run of the program on the same server, and sessions of an application that calls itself so."""
        other = self.sibling()
        stranger = self.server.session(self.target)
        self.addCleanup(stranger.close)
        stranger.ask(self.STRANGER)
        first = self.stopped("engine.before_commit:stop:4")
        beside = self.stopped("engine.before_commit:stop:4", uri=other, state="beside")
        self.take_over()
        self.assert_changes_nothing(first)
        self.assertEqual(stranger.ask("SELECT 17"), "17")
        beside.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(beside), 0)

    def test_rollback(self):
        first = self.stopped("engine.before_commit:stop:4")
        run = self.run_of("first")
        self.take_over(self.ends()[1], command="rollback", options=("--run", run, "--confirm"))
        self.assertNotIn("CREATE TABLE", self.everything()[1])
        before = self.everything()
        first.send_signal(signal.SIGCONT)
        self.assertIn(support.finish(first).code, (3, 5))
        self.assertEqual(self.everything(), before)

    def test_other_commands_are_stopped(self):
        """
        Others are refused before long; a rollback and a finish can be taken over, a repair whose lists lie in its
        folder goes on there.
        """
        ways = [self.stopped_repair, self.stopped_rollback, self.stopped_finish]
        for way in ways if support.SOAK else random.Random(support.SEED).sample(ways, 1):
            with self.subTest(way.__name__):
                self.target = self.server.database()
                self.run_program("migrate", "--state", way.__name__, *self.ends())
                way(way.__name__)

    def stopped_repair(self, state):
        self.server.ask(self.target, "UPDATE t SET v = 'altered' WHERE id = 17")
        first = self.stopped_at("%s.before_commit:stop:1" % self.NAME, "validate", "--repair", "--confirm", "--state",
                                state, *self.ends())
        for command in (["validate", "--repair", "--confirm", "--state", "third", *self.ends()],
                        ["finish", "--confirm", "--state", "third", self.ends()[1]],
                        ["migrate", "--state", "third", *self.ends()]):
            self.assert_refused(command)
        first.kill()
        self.end(first)
        self.run_program("resume", "--state", state, *self.ends())
        self.assert_whole()

    def stopped_rollback(self, state):
        run = self.run_of(state)
        first = self.stopped_at("%s.before_remove_table:stop:1" % self.NAME, "rollback", "--run", run, "--confirm",
                                "--state", state, self.ends()[1])
        self.assert_refused(["rollback", "--run", run, "--confirm", "--state", "third", self.ends()[1]])
        self.take_over(self.ends()[1], command="rollback", options=("--run", run, "--confirm"))
        before = self.everything()
        self.assertNotIn("CREATE TABLE", before[1])
        first.send_signal(signal.SIGCONT)
        self.assertIn(support.finish(first).code, (0, 3, 5))
        self.assertEqual(self.everything(), before)

    def stopped_finish(self, state):
        """Also in the transaction that takes the ledger away, which nobody can read meanwhile."""
        finish = ["finish", "--confirm", "--state", state, self.ends()[1]]
        first = self.stopped_at("%s.before_forget:stop:1" % self.NAME, *finish)
        self.assert_refused(["finish", "--confirm", "--state", "third", self.ends()[1]], codes=(3, 5))
        first.kill()
        self.end(first)
        first = self.stopped_at("ledger.after_claim:stop:1", *finish)
        self.assert_refused(["finish", "--confirm", "--state", "third", self.ends()[1]])
        self.finished_for(first, codes=(0, 3, 5))

    def test_another_run_is_at_work(self):
        """A run over other tables goes on beside it; the end of all runs does not."""
        self.run_program("migrate", "--state", "done", *self.ends())
        others = [support.make_sqlite(self.path(name + ".db"),
                                      "CREATE TABLE %s (id INTEGER PRIMARY KEY); INSERT INTO %s VALUES (1), (2)"
                                      % (name, name))
                  for name in ("u", "w")]
        first = self.stopped_at("engine.before_commit:stop:1", "migrate", "--state", "first", others[0], self.ends()[1])
        self.run_program("migrate", "--state", "beside", others[1], self.ends()[1])
        self.run_program("rollback", "--run", self.run_of("beside"), "--confirm", "--state", "beside", self.ends()[1])
        result = support.transhume("finish", "--timeout", "1s", "--confirm", "--state", "second", self.ends()[1],
                                   cwd=self.folder)
        self.assert_code(result, 5)
        self.assertRegex(result.err, r"%s: pid %d on \S+ works on this run" % (self.run_of("first"), first.pid))
        self.finished_for(first, codes=(3, 5))

    def finished_for(self, first, codes):
        self.take_over(self.ends()[1], command="finish", options=("--confirm",))
        before = self.everything()
        self.assertNotIn("_transhume", before[1])
        first.send_signal(signal.SIGCONT)
        self.assertIn(support.finish(first).code, codes)
        self.assertEqual(self.everything(), before)
        self.assert_whole()

    def assert_refused(self, command, codes=(5,)):
        result = support.transhume(command[0], "--timeout", "1s", *command[1:], cwd=self.folder)
        self.assertIn(result.code, codes, result.err)
        self.assertRegex(result.err, r"\[run-held\]" if result.code == 5 else r"\[network\]")
        self.assertLess(result.seconds, 20 * support.PATIENCE)

    def test_without_the_right(self):
        """Nothing is taken over, and what there is to do is said."""
        self.make_accounts()
        first = self.stopped("engine.before_commit:stop:4", uri=self.uri_of("one"))
        self.share()
        before = self.server.rows(self.target)
        result = self.take_over(self.source, self.uri_of("two"), code=5)
        self.assertIn("[run-held]", result.err)
        self.assertIn(self.NO_RIGHT, result.err)
        self.assertEqual(self.server.rows(self.target), before)
        statements = re.search("`(.*?)`", result.err).group(1).split("; ")
        self.assertEqual((len(statements), self.at_work()), (4, 4 + self.UNMARKED))
        for statement in statements:
            self.server.ask(self.target, statement)
        self.wait_until("they end", lambda: self.at_work() == self.UNMARKED)
        self.take_over(self.source, self.uri_of("one"))
        self.assert_whole()
        self.assert_changes_nothing(first)


class TakeOverPostgres(TakeOverSql, SqlCase):
    SERVERS, NAME, ENDS = postgres, "postgres", "pg_terminate_backend("
    NO_RIGHT = "must be a member of the role"
    STRANGER = "SET application_name = 'transhume'; BEGIN; SELECT pg_try_advisory_lock_shared(4711)"

    def everything(self):
        return self.server.rows(self.target), self.server.dump(self.target, "--schema-only")

    def at_work(self):
        return int(self.server.psql(self.target,
                                    "SELECT count(*) FROM pg_stat_activity a WHERE datname = current_database() AND "
                                                 "application_name = 'transhume' AND EXISTS (SELECT 1 FROM pg_locks l "
                                                 "WHERE l.pid = a.pid "
                                                 "AND l.locktype = 'advisory')")[0][0])

    def sibling(self):
        self.server.psql(self.target, "CREATE SCHEMA beside")
        return self.server.uri(self.target, "?schema=beside")

    def make_accounts(self):
        self.server.psql(self.target, "CREATE ROLE one LOGIN; CREATE ROLE two LOGIN; ALTER DATABASE %s OWNER TO one; "
                                      "ALTER SCHEMA public OWNER TO one" % self.target)

    def share(self):
        self.server.psql(self.target,
                         "GRANT ALL ON SCHEMA public TO two; GRANT ALL ON ALL TABLES IN SCHEMA public TO two")

    def uri_of(self, account):
        return self.server.uri(self.target).replace("postgres@", account + "@")


class TakeOverMysql(TakeOverSql, SqlCase):
    SERVERS, NAME, ENDS = mariadb, "mysql", "KILL "
    NO_RIGHT = "You are not owner of thread"
    STRANGER = "START TRANSACTION; SELECT GET_LOCK('transhume session 4711', 0)"
    UNMARKED = 1   # the ledger's

    def at_work(self):
        return int(self.server.ask(self.target,
                                   "SELECT count(*) FROM information_schema.processlist WHERE db = database() "
                                   "AND id <> "
                                                "connection_id()")[0][0])

    def sibling(self):
        return self.server.uri(self.server.database())

    def make_accounts(self):
        for account in ("one", "two"):
            self.server.ask("", "CREATE USER IF NOT EXISTS %s@'127.0.0.1'; GRANT ALL ON %s.* TO %s@'127.0.0.1'"
                            % (account, self.target, account))

    def share(self):
        pass

    def uri_of(self, account):
        return self.server.uri(self.target).replace("root@", account + "@")


if __name__ == "__main__":
    unittest.main()
