"""
A MySQL server that wants files of the machine that the program runs on, and servers that may not be loaded into by LOAD
DATA LOCAL.
"""
import os
import random
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import mariadb
import support
import test_mysql
from tcp_proxy import AskingProxy

ROWS = 60
CASES = None if support.SOAK else 5


class Hostile(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def setUp(self):
        super().setUp()
        self.secret = self.write("secret", "a secret of this machine\n")
        self.source = support.make_sqlite(self.path("s.db"),
                                          "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); "
                                          "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL "
                                          "SELECT i + 1 FROM c WHERE i < %d) INSERT INTO t SELECT i, "
                                          "'text ' || i FROM c" % ROWS)
        self.name = self.server.database()
        self.server.ask(self.name,
                        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT seq, 'v' FROM seq_1_to_%d"
                        % ROWS)

    def run_against(self, out, load="", **how):
        """The result, and the proxy that asked."""
        self.runs = getattr(self, "runs", 0) + 1
        with AskingProxy(self.server.port, self.secret, **how) as proxy:
            name = self.name if out else self.server.database()
            uri = self.server.uri(name, "?sslmode=disable" + load, via=proxy)
            result = support.transhume("migrate", "--jobs", "1", "--chunk-rows", "20", "--timeout", "5s", "--state",
                                       self.path("s%d" % self.runs),
                                       *((uri, "sqlite:out%d.db" % self.runs) if out else (self.source, uri)),
                                       cwd=self.folder)
            self.assertEqual(proxy.given, b"", how)
        return result, proxy

    def assert_clear(self, result):
        self.assertIn(result.code, (0, 1, 2, 3, 5), result.err)
        if result.code > 1:
            self.assertEqual(len([line for line in result.err.splitlines() if line.startswith("error: ")]), 1,
                             result.err)

    def test_a_file_that_is_asked_for_anywhere(self):
        for out, load in ((True, ""), (False, ""), (False, "&load=data")):
            result, proxy = self.run_against(out, load)
            self.assert_code(result, 0)
            places = range(proxy.count)
            self.assertGreater(len(places), 40)
            for at in sorted({0, 1, *random.Random(support.SEED).sample(places, CASES or len(places))}):
                for ending in (AskingProxy.ERROR, AskingProxy.OK) if support.SOAK else (AskingProxy.ERROR,):
                    with self.subTest(out=out, load=load, at=at, ending=ending):
                        result, proxy = self.run_against(out, load, at=at, ending=ending)
                        if at < proxy.count:   # a run that is slow asks for its lock now and then, and so more in all
                            self.assertEqual(proxy.asked, 1)
                        else:
                            self.assertGreater(at, len(places) // 2)
                        self.assert_clear(result)

    def test_a_file_that_is_asked_for_in_a_load(self):
        for at in (0, 1):
            for ending in (AskingProxy.ERROR, AskingProxy.OK):
                with self.subTest(at=at, ending=ending):
                    result, proxy = self.run_against(False, "&load=data", at=at, wanted=b"LOAD DATA", ending=ending)
                    self.assertEqual(proxy.asked, 1)
                    self.assert_code(result, 3)
                    self.assert_clear(result)
                    self.assertIn("the server asked for a file of this machine, which it will not get", result.err)

    def test_a_file_that_is_asked_for_instead_of_rows(self):
        for out, wanted in ((True, b"SELECT"), (False, b"SELECT"), (False, b"COMMIT"), (False, b"CREATE TABLE")):
            with self.subTest(wanted, out=out):
                result, _ = self.run_against(out, at=3 if wanted == b"SELECT" else 0, wanted=wanted,
                                             ending=AskingProxy.OK)
                self.assert_clear(result)
                self.assertIn(result.code, (2, 3))
                self.assertRegex(result.err,
                                 "the server asked for a file of this machine, which it will not get|infile")


class WithoutLocal(test_mysql.MysqlCase):
    def loads(self):
        return int(self.server.ask("", "SHOW GLOBAL STATUS LIKE 'Com_load'")[0][1])

    def local(self, on):
        self.server.ask("", "SET GLOBAL local_infile = %d" % on)
        self.addCleanup(self.server.ask, "", "SET GLOBAL local_infile = 1")

    def source(self):
        return support.make_sqlite(self.path("s.db"),
                                   "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); "
                                   "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL "
                                   "SELECT i + 1 FROM c WHERE i < 3000) INSERT INTO t SELECT i, 'text ' || i FROM c")

    def test_inserts_instead_are_said(self):
        path = self.source()
        for on, options, said in ((1, "", False), (1, "?load=data", False), (1, "?load=insert", False),
                                  (0, "?load=insert", False), (0, "?load=data", True), (0, "", True)):
            with self.subTest(on=on, options=options):
                self.local(on)
                before, target = self.loads(), self.made()
                uri = self.server.uri(target, options)
                for command in ("check", "migrate"):
                    result = self.run_program(command, path, uri, "--state", self.path("state%d%s" % (on, options[1:])))
                    self.assertEqual("local_infile is off" in result.out + result.err, said, result.out + result.err)
                self.assertEqual(self.loads() > before, (on, options) == (1, "?load=data"))
                self.assertEqual(self.server.ask(target, "SELECT count(*), sum(id), max(v) FROM t"),
                                 [["3000", "4501500", "text 999"]])

    def test_local_that_is_turned_off_in_mid_run(self):
        arguments = (self.source(), self.server.uri(self.made(), "?load=data"))
        process = self.stopped_at("mysql.after_commit:stop:2", "migrate", "--chunk-rows", "500", "--jobs", "1",
                                  *arguments)
        self.local(0)
        process.send_signal(support.signal.SIGCONT)
        result = support.finish(process)
        if result.code != 0:
            self.assert_code(result, 3)
            self.assertIn("local_infile", result.err)
            self.run_program("resume", *arguments)
        self.assertEqual(self.server.ask("test_%d" % self.server.count, "SELECT count(*), sum(id), max(v) FROM t"),
                         [["3000", "4501500", "text 999"]])

    def test_engines_without_transactions(self):
        path = self.source()
        for engine in ("MyISAM", "Aria", "MEMORY"):
            for existing in ("refuse", "append", "replace"):
                with self.subTest(engine, existing=existing):
                    target = self.made("CREATE TABLE t (id int PRIMARY KEY, v varchar(20)) ENGINE=%s; %s" % (
                        engine, "" if existing == "refuse" else "INSERT INTO t VALUES (7000, 'theirs')"))
                    before = self.rows(target, "t")
                    for command in ("check", "migrate"):
                        result = self.run_program(command, path, self.server.uri(target), "--existing", existing,
                                                  "--state", self.path(engine + existing), code=2)
                        self.assertRegex((result.out + result.err).replace("\n  ", " "),
                                         "the table's engine is %s, which has no transactions: ALTER TABLE" % engine)
                    self.assertEqual(self.server.rows(target), {"t": before})


if __name__ == "__main__":
    unittest.main()
