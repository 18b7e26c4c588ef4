"""
A server that has no connection to give, at the beginning of a run and in its midst: said, and gone on with once there
is one.
"""
import os
import random
import signal
import subprocess
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import mariadb
import postgres
import support

ROWS = 1000
SHOW = "has no connection left|too many|remaining connection slots|Too many connections"


class NoConnections:
    """Of a server with few connections; the run's account has none of those that are kept for others."""
    TARGET_POINTS = SOURCE_POINTS = ()
    HOLDER = ()   # a client of that account that stays connected and says a line once it is

    def setUp(self):
        super().setUp()
        self.name, self.held = self.server.database(), []
        self.addCleanup(self.let_go)
        self.let_in()
        support.make_sqlite(self.path("herd.db"),
                            "CREATE TABLE herd (id INTEGER PRIMARY KEY, wool TEXT); "
                            "CREATE INDEX herd_wool ON herd (wool); CREATE TABLE pen "
                            "(id INTEGER PRIMARY KEY, name TEXT); CREATE INDEX pen_name ON pen (name); "
                            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                            "WHERE i < %d) INSERT INTO herd SELECT i, 'wool ' || i FROM n; "
                            "INSERT INTO pen SELECT * FROM herd" % ROWS)

    def occupy(self):
        """Until there is none left."""
        while True:
            process = subprocess.Popen(self.holder(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True)
            process.stdin.write("SELECT 'in';\n")
            process.stdin.flush()
            self.held.append(process)
            if process.stdout.readline() == "":
                return

    def let_go(self):
        while self.held:
            process = self.held.pop()
            process.communicate()
        self.wait_until("their sessions are over", lambda: self.others() == 0)

    def uri(self):
        return self.server.uri(self.name).replace("%s@" % self.SUPERUSER, "mover@")

    def assert_said(self, result):
        self.assert_code(result, 3)
        errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, result.err)
        self.assertRegex(errors[0], SHOW)
        self.assertNotIn("side by side", errors[0])   # there are no lists
        self.assertRegex(result.err.replace("\n  ", " "), "lower --jobs, or raise")

    def assert_whole(self, target):
        asked = "SELECT count(*), count(DISTINCT id), sum(id), max(%s) FROM %s"
        for table, column in (("herd", "wool"), ("pen", "name")):
            wanted = [str(ROWS), str(ROWS), str(ROWS * (ROWS + 1) // 2), "wool 999"]
            if target:
                self.assertEqual(self.server.ask(self.name, asked % (column, table)), [wanted])
            else:
                with support.open_sqlite(self.path("copy.db")) as database:
                    found, = database.execute(asked % (column, table)).fetchall()
                    self.assertEqual([value.decode() if isinstance(value, bytes) else str(value) for value in found],
                                     wanted)

    def test_at_the_beginning(self):
        self.occupy()
        for arguments in (("herd.db", self.uri()), (self.uri(), "sqlite:copy.db")):
            self.assert_said(self.run_program("migrate", *arguments, code=3))
        self.let_go()
        self.assertEqual(self.server.rows(self.name), {})
        self.run_program("migrate", "herd.db", self.uri())
        self.assert_whole(True)

    def test_in_the_midst(self):
        self.let_go()
        cases = [(True, point) for point in self.TARGET_POINTS] + [(False, point) for point in self.SOURCE_POINTS]
        for target, point in cases if support.SOAK else random.Random(support.SEED).sample(cases, 2):
            with self.subTest(point, target=target):
                self.let_go()
                self.name = self.server.database()
                self.let_in()
                if not target:
                    self.run_program("migrate", "--state", "fill-" + self.name, "herd.db", self.uri())
                    if os.path.exists(self.path("copy.db")):
                        os.unlink(self.path("copy.db"))
                arguments = ("--state", "state-" + self.name, *(("herd.db", self.uri()) if target
                                                                else (self.uri(), "sqlite:copy.db")))
                process = self.stopped_at(point, "migrate", "--timeout", "1s", "--chunk-rows", "200", "--jobs", "2",
                                          *arguments)
                self.occupy()
                process.send_signal(signal.SIGCONT)
                result = support.finish(process)
                begun = "before_snapshot" not in point
                if result.code != 0:
                    self.assert_said(result)
                    (self.assertRegex if begun else self.assertNotRegex)(result.err,
                                                                         "`transhume resume[^`]*` continues")
                self.let_go()
                if result.code != 0:
                    self.run_program("resume" if begun else "migrate", *arguments)
                self.assert_whole(target)

    def test_more_jobs_than_connections(self):
        """What can't be had is done without, or said."""
        result = support.transhume("migrate", "--timeout", "1s", "--chunk-rows", "50", "--jobs", "16", "herd.db",
                                   self.uri(), cwd=self.folder)
        if result.code != 0:
            self.assert_said(result)
            self.run_program("resume", "--jobs", "1", "herd.db", self.uri())
        self.assert_whole(True)


class Postgres(NoConnections, support.TestCase):
    SUPERUSER = "postgres"
    TARGET_POINTS = ("ledger.after_claim:stop:1", *("postgres.%s:stop:%d" % point
                                                    for point in (("after_schema", 1), ("before_commit", 2),
                                                                  ("before_index", 1), ("before_key", 1))))
    SOURCE_POINTS = ("postgres.snapshot_taken:stop:1", "engine.after_commit:stop:2")

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls, settings={"max_connections": "13"})
        cls.server.ask("postgres", "CREATE ROLE mover LOGIN")

    def let_in(self):
        self.server.ask(self.name, "GRANT ALL ON SCHEMA public TO mover")

    def holder(self):
        return [*self.server.session_command("postgres")[:-3], "mover", "-d", "postgres"]

    def others(self):
        return int(self.server.ask("postgres",
                                   "SELECT count(*) FROM pg_stat_activity WHERE usename = 'mover' AND datname = "
                                   "'postgres'")[0][0])


class Mysql(NoConnections, support.TestCase):
    SUPERUSER = "root"
    TARGET_POINTS = ("ledger.after_claim:stop:1", *("mysql.%s:stop:%d" % point
                                                    for point in (("after_schema", 1), ("before_commit", 2),
                                                                  ("before_index", 1), ("after_index", 1))))
    SOURCE_POINTS = ("mysql.before_snapshot:stop:1", "mysql.snapshot_taken:stop:1", "engine.after_commit:stop:2")

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls, settings={"max-connections": "12"})
        cls.server.ask("", "CREATE USER mover@'127.0.0.1'; GRANT RELOAD, PROCESS ON *.* TO mover@'127.0.0.1'")

    def let_in(self):
        self.server.ask("", "GRANT ALL ON `%s`.* TO mover@'127.0.0.1'" % self.name)

    def holder(self):
        return [word.replace("-uroot", "-umover") for word in self.server.session_command("")[:-1]]

    def others(self):
        return int(self.server.ask("",
                                   "SELECT count(*) FROM information_schema.processlist WHERE user = 'mover' AND "
                                   "db IS NULL")[0][0])


if __name__ == "__main__":
    unittest.main()
