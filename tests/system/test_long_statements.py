"""Statements that take longer than any timeout: fine as long as the server works on them, an end if nobody answers."""
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers")]
import mariadb
import postgres
import support
from striking_proxy import TO_SERVER, StrikingProxy

ROWS = 150


class LongStatement:
    """The table is there already, and a trigger of it takes its time with each row."""
    one_database_each = True

    TABLE = LOST = LOST_ON_THE_WAY = ""

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("herd.db"), "CREATE TABLE herd(id INTEGER PRIMARY KEY, wool TEXT);"
                            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
                            "INSERT INTO herd SELECT i, 'wool ' || i FROM n" % ROWS)
        self.name = self.server.database()
        self.server.ask(self.name, self.TABLE)

    def begin(self, uri, *options, source="herd.db"):
        process = support.start("migrate", "--existing", "append", "--timeout", "2s", "--jobs", "1", *options, source,
                                uri,
                                cwd=self.folder)
        self.addCleanup(process.kill)
        return process

    def test_it_works_for_longer_than_the_timeout(self):
        begun = time.monotonic()
        self.assert_code(support.finish(self.begin(self.server.uri(self.name))), 0)
        self.assertGreater(time.monotonic() - begun, 3, "nothing was long about it")
        self.assert_whole()

    def assert_whole(self):
        self.assertEqual(self.server.ask(self.name, "SELECT count(*), count(DISTINCT wool) FROM herd"),
                         [[str(ROWS)] * 2])

    def test_what_is_sent_is_lost(self):
        """The server waits for the rest of the rows, and the kernel that took it from the program says nothing."""
        support.make_sqlite(self.path("herd.db"), "UPDATE herd SET wool = wool || hex(zeroblob(4500))")
        with StrikingProxy(self.server.port) as proxy:
            proxy.strike("half open", TO_SERVER, ROWS * 9000 // 2)
            uri = self.server.uri(self.name, via=proxy)
            result = support.finish(self.begin(uri, "--stall", "%ds" % (60 * support.PATIENCE)))
            self.assertEqual(proxy.struck, 1)
        self.assert_code(result, 0)
        self.assertRegex(result.err, self.LOST_ON_THE_WAY)
        self.assert_whole()

    def test_its_answer_is_lost(self):
        """What the server says after it goes nowhere: the session waits for its client, which is told so."""
        with StrikingProxy(self.server.port) as proxy:
            uri = self.server.uri(self.name, via=proxy)
            process = self.begin(uri)
            deadline = time.monotonic() + 30 * support.PATIENCE
            while not self.works():
                self.assertLess(time.monotonic(), deadline, "it does not load")
                self.assertIsNone(process.poll())
                time.sleep(0.02)
            proxy.silence_all()
            while self.works():
                time.sleep(0.02)
            result = support.finish(process)
        self.assert_code(result, 0)
        self.assertRegex(result.err, self.LOST)
        self.assert_whole()


class Postgres(LongStatement, support.TestCase):
    LOST = "the connection is dead: what was said over it is lost"
    LOST_ON_THE_WAY = "what was sent does not arrive at the server"
    TABLE = """CREATE TABLE herd(id bigint PRIMARY KEY, wool text);
        CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.03); RETURN NEW; END';
        CREATE TRIGGER dawdle BEFORE INSERT ON herd FOR EACH ROW EXECUTE FUNCTION dawdle()"""

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def works(self):
        return self.server.ask("postgres", "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'") != []

    def stand_still(self, condition):
        """One row takes long, and so many bytes come behind it that no buffer holds them."""
        support.make_sqlite(self.path("herd.db"), "UPDATE herd SET wool = hex(zeroblob(30000000)) WHERE id = 25")
        self.server.ask(self.name,
                        "CREATE OR REPLACE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN %s; "
                        "RETURN NEW; END'" % condition)

    def test_one_row_takes_longer_than_the_timeout(self):
        self.stand_still("IF NEW.id = 20 THEN PERFORM pg_sleep(8); END IF")
        begun = time.monotonic()
        result = support.finish(self.begin(self.server.uri(self.name)))
        self.assert_code(result, 0)
        self.assertNotIn("trying again", result.err)
        self.assertGreater(time.monotonic() - begun, 8, "nothing was long about it")
        self.assert_whole()

    def test_the_same_on_the_express_lane(self):
        self.stand_still("IF NEW.id = 20 THEN PERFORM pg_sleep(8); END IF")
        source = self.server.database()
        self.server.ask(source,
                        "CREATE TABLE herd(id bigint PRIMARY KEY, wool text); INSERT INTO herd SELECT i, "
                        "i || repeat('wool', 100000) "
                                "FROM generate_series(1, %d) i" % ROWS)
        result = support.finish(self.begin(self.server.uri(self.name), source=self.server.uri(source)))
        self.assert_code(result, 0)
        self.assertNotIn("trying again", result.err)
        self.assert_whole()

    def test_a_row_waits_for_a_lock(self):
        """The session that holds it goes on after more than thrice the timeout."""
        session = self.server.session(self.name)
        self.addCleanup(session.close)
        self.stand_still("IF NEW.id = 20 THEN PERFORM 1 FROM held FOR UPDATE; END IF")
        self.server.ask(self.name, "CREATE TABLE held (id int); INSERT INTO held VALUES (1)")
        session.ask("BEGIN; SELECT id FROM held FOR UPDATE")
        process = self.begin(self.server.uri(self.name))
        self.wait_until("it waits", lambda: self.server.waiting(self.name) == 1)
        pid = self.waiter()
        time.sleep(7)  # that it is left alone for longer than the timeout is what is tested
        self.assertEqual(self.waiter(), pid)
        session.ask("ROLLBACK; SELECT 1")
        self.assert_code(support.finish(process), 0)
        self.assert_whole()

    def waiter(self):
        return self.server.ask("postgres", "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'")

    def test_stopped_while_it_stands_still(self):
        """Twice: the statement is cancelled, and the run can go on."""
        self.stand_still("IF NEW.id = 20 THEN PERFORM pg_sleep(600); END IF")
        process = self.begin(self.server.uri(self.name))
        self.wait_until("it works", self.works)
        process.send_signal(signal.SIGINT)
        process.stderr.readline()  # that it was heard
        process.send_signal(signal.SIGINT)
        self.assert_code(support.finish(process), 4)

    def test_a_server_that_tells_nothing_of_its_sessions(self):
        self.server.ask(self.name, "ALTER DATABASE %s SET track_activities = off" % self.name)
        self.test_it_works_for_longer_than_the_timeout()


class MariaDb(LongStatement, support.TestCase):
    LOST = LOST_ON_THE_WAY = "Lost connection"
    TABLE = """CREATE TABLE herd(id bigint PRIMARY KEY, wool text);
        CREATE TRIGGER dawdle BEFORE INSERT ON herd FOR EACH ROW SET @x = SLEEP(0.03)"""

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def works(self):
        return self.server.ask("mysql", "SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep'") != []


class Failover:
    """
    Another server takes the place of the first behind one address; its sessions have the same numbers, and are somebody
    else's.
    """
    one_database_each = True

    MAINTENANCE = WORKING = SESSION = ""
    WORK = ""   # a statement that does

    def lose(self, begin, statement, meanwhile=lambda process: None):
        """
        What came of the run whose session sleeps on the first server, while one of its number does that on the second.
        """
        with StrikingProxy(self.first.port) as proxy:
            process = begin(proxy)
            self.wait_until("it works", lambda: self.working(self.first))
            number, = self.working(self.first)
            self.hold(number, statement)
            self.wait_until("they are at it", lambda: self.working(self.second) == ([number] if statement else []))
            before = self.second.ask(self.MAINTENANCE, self.SESSION % number)
            self.assertEqual(len(before), 1)
            proxy.silence_all()
            proxy.upstream = self.second.port
            meanwhile(process)
            result = support.finish(process, time_limit=60 * support.PATIENCE)
        self.assertEqual(self.second.ask(self.MAINTENANCE, self.SESSION % number), before,
                         "a session of somebody else was struck")
        return result

    def working(self, server):
        return [int(row[0]) for row in server.ask(self.MAINTENANCE, self.WORKING)]

    def hold(self, number, statement):
        """A session of that number on the second server, which does that."""
        seen = 0
        while seen != number:
            session = self.second.session(self.MAINTENANCE)
            self.addCleanup(session.close)
            self.addCleanup(session.process.kill)
            seen = int(session.ask(self.NUMBER))
            self.assertLessEqual(seen, number, "the second server has given away that number")
            if seen != number:
                session.close()
        if statement:
            session.send(statement)

    def begin_read(self, proxy):
        self.first.ask(self.name,
                       "CREATE TABLE herd (id int PRIMARY KEY, pad varchar(400)); INSERT INTO herd VALUES (1, 'x')")
        self.write("plan.yaml", self.PLAN % self.first.uri(self.name, via=proxy))
        return self.begun("--plan", "plan.yaml")

    def begin_write(self, proxy):
        self.first.ask(self.name, self.TABLE)
        support.make_sqlite(self.path("herd.db"),
                            "CREATE TABLE herd(id INTEGER PRIMARY KEY, wool TEXT); INSERT INTO herd VALUES (1, 'wool')")
        return self.begun("--existing", "append", "herd.db", self.first.uri(self.name, via=proxy))

    def begun(self, *arguments):
        process = support.start("migrate", "--timeout", "2s", "--jobs", "1", *arguments, cwd=self.folder)
        self.addCleanup(process.kill)
        return process

    def test_of_a_reader_while_others_idle(self):
        self.assert_code(self.lose(self.begin_read, ""), 3)

    def test_of_a_reader_while_others_work(self):
        """Their statement is not taken for one of the run's, which would wait for it."""
        self.assert_code(self.lose(self.begin_read, self.WORK), 3)

    def test_of_a_writer_while_others_idle(self):
        self.assertNotEqual(self.lose(self.begin_write, "").code, 0)

    def test_of_a_writer_while_others_work(self):
        self.assertNotEqual(self.lose(self.begin_write, self.WORK).code, 0)

    def test_of_a_writer_that_is_stopped(self):
        """Twice: what it has under way is cancelled, and nothing of others."""
        def stop(process):
            process.send_signal(signal.SIGINT)
            self.wait_until("it was heard", lambda: b", stopping" in process.stderr.readline())
            process.send_signal(signal.SIGINT)
        self.assertNotEqual(self.lose(self.begin_write, self.WORK, stop).code, 0)


class MariaDbFailover(Failover, support.TestCase):
    MAINTENANCE = "mysql"
    WORKING = "SELECT id FROM information_schema.processlist WHERE state = 'User sleep'"
    SESSION = "SELECT id, host, command, state FROM information_schema.processlist WHERE id = %d"
    NUMBER = "SELECT connection_id()"
    WORK = "SELECT sleep(600)"
    TABLE = MariaDb.TABLE.replace("0.03", "600")

    def setUp(self):
        super().setUp()
        self.first, self.second = mariadb.Server(), mariadb.Server()
        self.addCleanup(self.first.stop)
        self.addCleanup(self.second.stop)
        self.name = self.first.database()
        self.assertEqual(self.second.database(), self.name)
        self.PLAN = MariaDbReads.PLAN.replace("0.1", "600")


class Apart(postgres.Server):
    """Its processes have numbers of their own, from one on, and all of them end with the first."""
    CRASH = signal.SIGKILL

    def _guard(self):
        return ["setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child", *super()._guard()]

    def end(self):
        self.kill()


class PostgresFailover(Failover, support.TestCase):
    MAINTENANCE = "postgres"
    WORKING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    SESSION = "SELECT pid, backend_start, state, query FROM pg_stat_activity WHERE pid = %d"
    NUMBER = "SELECT pg_backend_pid()"
    WORK = "SELECT pg_sleep(600)"
    TABLE = Postgres.TABLE.replace("0.03", "600")
    PLAN = ("transhume: 1\nsource: %s\ntarget: sqlite:out.db\ntables:\n  slow:\n    key: id\n    entities:\n    "
            "  one:\n"
            "        query: \"SELECT id, pad FROM herd, pg_sleep(600)\"\n")
    AHEAD = 25   # of what the second has done, the sessions of a run among it

    @classmethod
    def setUpClass(cls):
        if subprocess.run(["unshare", "--pid", "--fork", "true"], stderr=subprocess.DEVNULL,
                          check=False).returncode != 0:
            raise unittest.SkipTest("who may not unshare --pid has no two servers whose sessions have the same numbers")
        cls.first, cls.second = (Apart.for_class(cls, settings={"autovacuum": "off"}) for _ in range(2))

    def setUp(self):
        super().setUp()
        for server in (self.first, self.second):   # what another test left there sleeps on
            server.ask(self.MAINTENANCE, self.WORKING.replace("pid FROM", "pg_terminate_backend(pid) FROM"))
            self.wait_until("nobody sleeps", lambda server=server: not self.working(server))
        self.name = self.first.database()
        self.assertEqual(self.second.database(), self.name)
        ahead = self.number(self.second) + self.AHEAD
        while self.number(self.first) < ahead:
            pass

    def number(self, server):
        return int(server.ask(self.MAINTENANCE, self.NUMBER)[0][0])


class MariaDbReads(support.TestCase):
    """Rows that the server finds one by one: it sends nothing before it has 16 KiB of them."""
    ROWS = 100
    PLAN = ("transhume: 1\nsource: %s\ntarget: sqlite:out.db\ntables:\n  slow:\n    key: id\n    entities:\n    "
            "  one:\n"
            "        query: \"SELECT id, pad, SLEEP(0.1) AS s FROM herd\"\n")

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls, tls=True)
        cls.name = cls.server.database()
        cls.server.ask(cls.name,
                       "CREATE TABLE herd (id int PRIMARY KEY, pad varchar(400)); INSERT INTO herd SELECT seq, "
                       "REPEAT('x', 400) "
                                 "FROM seq_1_to_%d" % cls.ROWS)

    def begin(self, uri):
        self.write("plan.yaml", self.PLAN % uri)
        process = support.start("migrate", "--plan", "plan.yaml", "--timeout", "2s", "--jobs", "1", cwd=self.folder)
        self.addCleanup(process.kill)
        return process

    def test_it_finds_few_rows_a_second(self):
        for mode in ("disable", "require"):
            with self.subTest(mode):
                begun = time.monotonic()
                shutil.rmtree(self.path(".transhume"), ignore_errors=True)
                pathlib.Path(self.path("out.db")).unlink(missing_ok=True)
                self.assert_code(support.finish(self.begin(self.server.uri(self.name, "?sslmode=" + mode))), 0)
                self.assertGreater(time.monotonic() - begun, self.ROWS * 0.1, "nothing was slow about it")
                with support.open_sqlite(self.path("out.db")) as database:
                    self.assertEqual(database.execute("SELECT count(*), count(DISTINCT id), "
                                                      "sum(length(pad)) FROM slow").fetchall(),
                                     [(self.ROWS, self.ROWS, self.ROWS * 400)])

    def test_it_is_stopped_by_an_account_of_few_rights(self):
        """It sees no sessions but its own, and ends the statement that the server works on."""
        self.server.ask("", "CREATE OR REPLACE USER few@'127.0.0.1'; GRANT SELECT ON `%s`.* TO few@'127.0.0.1'"
                        % self.name)
        self.write("plan.yaml", self.PLAN.replace("0.1", "600") % self.server.uri(self.name).replace("root@", "few@"))
        process = support.start("migrate", "--plan", "plan.yaml", "--timeout", "2s", "--jobs", "1", cwd=self.folder)
        self.addCleanup(process.kill)
        works = "SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep'"
        self.wait_until("it reads", lambda: self.server.ask("mysql", works))
        process.send_signal(signal.SIGINT)
        self.wait_until("it was heard", lambda: b", stopping" in process.stderr.readline())
        process.send_signal(signal.SIGINT)
        self.assert_code(support.finish(process), 4)
        self.wait_until("the statement ends", lambda: not self.server.ask("mysql", works), limit_s=20)

    def test_the_rest_is_lost(self):
        with StrikingProxy(self.server.port) as proxy:
            uri = self.server.uri(self.name, "?sslmode=disable", via=proxy)
            process = self.begin(uri)
            self.wait_until("it reads", lambda: self.server.ask("mysql",
                                                                "SELECT 1 FROM information_schema.PROCESSLIST WHERE "
                                                                "STATE = 'User sleep'"))
            proxy.silence_all()
            result = support.finish(process, time_limit=60 * support.PATIENCE)
        self.assert_code(result, 3)
        self.assertRegex(result.err, "the connection is dead|does not answer")


if __name__ == "__main__":
    unittest.main()
