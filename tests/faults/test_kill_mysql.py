"""MariaDB as source and target, killed, cut off and crashed: nothing doubled, nothing lost, with and without a key."""
import os
import sys
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", name) for name in ("system", "servers")]
import mariadb
import support
from tcp_proxy import TcpProxy

ROWS = 3000


class KillMysql(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def setUp(self):
        super().setUp()
        self.target = self.server.database()
        self.source = support.make_sqlite(
            self.path("s.db"), "CREATE TABLE t (id INTEGER, v TEXT); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL "
            "SELECT i + 1 FROM c WHERE i < %d) INSERT INTO t SELECT i, 'text ' || i FROM c; "
            "CREATE INDEX by_v ON t (v);" % ROWS)

    def assert_whole(self):
        """Each record once, though there is no key that would refuse a second one."""
        self.assertEqual(self.server.ask(self.target, "SELECT count(*), count(DISTINCT id), sum(id) FROM t"),
                         [[str(ROWS), str(ROWS), str(ROWS * (ROWS + 1) // 2)]])

    def through(self, proxy):
        return "mysql://root@127.0.0.1:%d/%s?sslmode=disable" % (proxy.port, self.target)

    def test_kills_at_every_place(self):
        """Whatever was reached once is killed there, at its first and its last time."""
        arguments = ("--chunk-rows", "500", "--jobs", "2")
        result, reached = support.count_failpoints("migrate", *arguments, "--state", self.path("counted"), self.source,
                                                   self.server.uri(self.target), cwd=self.folder)
        self.assertEqual(result.code, 0, result.err)
        names = sorted(name for name in reached if name.startswith("mysql."))
        self.assertGreater(len(names), 12)
        for name in names:
            for occurrence in sorted({1, reached[name]}):
                with self.subTest(name, occurrence=occurrence):
                    self.target = self.server.database()
                    state = self.path("%s-%d" % (name, occurrence))
                    uri = self.server.uri(self.target)
                    killed = support.kill_at(name, occurrence, "migrate", *arguments, "--state", state, self.source,
                                             uri, cwd=self.folder)
                    self.assertEqual(killed.code, -9, killed.err)
                    resumed = support.transhume("resume", "--state", state, self.source, uri, cwd=self.folder)
                    if resumed.code == 2:   # nothing had begun
                        resumed = support.transhume("migrate", *arguments, "--state", state, self.source, uri,
                                                    cwd=self.folder)
                    self.assertEqual(resumed.code, 0, resumed.err)
                    self.assert_whole()
                    comment = self.server.ask(self.target, "SELECT concat('<', table_comment, '>') FROM information_schema"
                                                           ".tables WHERE table_schema = database() AND table_name = 't'")
                    self.assertEqual(comment, [["<>"]])

    def test_a_connection_that_breaks_in_commit(self):
        """Whether the commit happened is looked up, whichever way it was."""
        for before in (True, False):
            for occurrence in (3, 5, 8):
                with self.subTest(before=before, occurrence=occurrence), TcpProxy(self.server.port) as proxy:
                    self.target = self.server.database()
                    proxy.cut_at(b"\x03COMMIT", occurrence, before)
                    state = self.path("state-%s-%d" % (before, occurrence))
                    result = support.transhume("migrate", "--chunk-rows", "500", "--jobs", "1", "--state", state,
                                               self.source, self.through(proxy), cwd=self.folder)
                    self.assertEqual(proxy.cuts, 1)
                    if result.code != 0:
                        self.assertEqual(result.code, 3, result.err)
                        self.run_program("resume", "--state", state, self.source, self.through(proxy))
                    self.assert_whole()

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
        while time.monotonic() < deadline and not self.server.ask(
                self.target, "SELECT 1 FROM information_schema.tables WHERE table_name = 't' AND "
                             "table_schema = database()"):
            time.sleep(0.05)
        second = support.transhume("resume", self.source, self.server.uri(self.target), "--state",
                                   self.path("second"), cwd=self.folder)
        self.assertEqual(second.code, 5, second.err)
        self.assertIn("pid %d" % first.pid, second.err)
        self.assert_code(support.finish(first), 0)
        self.assert_whole()

    def test_a_source_that_is_killed_and_one_that_changed(self):
        source = self.server.database()
        self.server.ask(source, "CREATE TABLE t (id int PRIMARY KEY, v varchar(20)); "
                                "INSERT INTO t SELECT seq, CONCAT('text ', seq) FROM seq_1_to_%d" % ROWS)
        target = "sqlite:" + self.path("out.db")
        uri = self.server.uri(source)
        for changed, code in ((False, 0), (True, 1)):
            with self.subTest(changed=changed):
                state = self.path("state-%s" % changed)
                target = "sqlite:" + self.path("out-%s.db" % changed)
                killed = support.kill_at("sqlite.after_commit", 4, "migrate", "--chunk-rows", "500", "--jobs", "1",
                                         "--state", state, uri, target, cwd=self.folder)
                self.assertEqual(killed.code, -9)
                if changed:
                    self.server.ask(source, "UPDATE t SET v = 'new' WHERE id = %d" % ROWS)
                self.run_program("resume", "--state", state, uri, target, code=code)


if __name__ == "__main__":
    unittest.main()
