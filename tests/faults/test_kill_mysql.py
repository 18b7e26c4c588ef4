"""MariaDB as source and target, killed, cut off and crashed: nothing doubled, nothing lost, with and without a key."""
import os
import signal
import sys
import threading
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", name) for name in ("system", "servers")]
import mariadb
import support
from sql_deaths import SqlDeaths


class KillMysql(SqlDeaths, support.TestCase):
    SERVERS, NAME = mariadb, "mysql"
    COMMIT = b"\x03COMMIT"
    OPEN = "?sslmode=disable"
    TABLE_IS_THERE = "SELECT 1 FROM information_schema.tables WHERE table_name = 't' AND table_schema = database()"
    INDEXES = "CREATE INDEX by_v ON t (v);"

    def test_kills_at_every_place(self):
        """Whatever was reached once is killed there, at its first and its last time."""
        arguments = ("--chunk-rows", "500", "--jobs", "2")
        result, reached = support.count_failpoints("migrate", *arguments, "--state", self.path("counted"), self.source,
                                                   self.server.uri(self.target), cwd=self.folder)
        self.assertEqual(result.code, 0, result.err)
        names = sorted(name for name in reached if name.startswith(("mysql.", "ledger.")))
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
                    comment = self.server.ask(self.target,
                                              "SELECT concat('<', table_comment, '>') FROM information_schema"
                                                           ".tables WHERE table_schema = database() AND "
                                                           "table_name = 't'")
                    self.assertEqual(comment, [["<>"]])

    def test_a_session_that_is_ended(self):
        """The one that loads, by KILL, once it has rows that are not committed: the program goes on with another."""
        for place in ("mysql.before_mark", "mysql.before_commit"):
            with self.subTest(place):
                self.target = self.server.database()
                process = self.stopped_at(place + ":stop:3", "migrate", "--chunk-rows", "500", "--jobs", "1", "--state",
                                          place, self.source,
                                          self.server.uri(self.target))
                loading = self.server.ask("",
                                          "SELECT p.id FROM information_schema.innodb_trx x JOIN "
                                          "information_schema.processlist p ON p.id = "
                                              "x.trx_mysql_thread_id WHERE p.db = '%s' AND x.trx_rows_modified >= 500"
                                          % self.target)
                self.assertEqual(len(loading), 1)
                self.assertEqual(self.server.ask(self.target, "SELECT count(*) FROM t"), [["1000"]])
                self.server.ask("", "KILL %s" % loading[0][0])
                self.wait_until("it is gone", lambda: loading[0] not in self.server.ask("",
                    "SELECT id FROM information_schema.processlist"))
                process.send_signal(signal.SIGCONT)
                result = support.finish(process)
                self.assert_code(result, 0)
                self.assertIn("try 2", result.err)
                self.assert_whole()

    def test_a_source_that_is_killed_and_one_that_changed(self):
        source = self.server.database()
        self.server.ask(source, "CREATE TABLE t (id int PRIMARY KEY, v varchar(20)); "
                                "INSERT INTO t SELECT seq, CONCAT('text ', seq) FROM seq_1_to_%d" % self.ROWS)
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
                    self.server.ask(source, "UPDATE t SET v = 'new' WHERE id = %d" % self.ROWS)
                result = self.run_program("resume", "--state", state, uri, target, code=code)
                (self.assertIn if changed
                 else self.assertNotIn)("the snapshot is mixed: the source may have changed between the attempts",
                                        result.err)
                (self.assertIn if changed else self.assertNotIn)("a mixed snapshot of the source",
                                                                 " ".join(result.out.split()))
                with support.open_sqlite(self.path("out-%s.db" % changed)) as database:
                    found = database.execute("SELECT id, v FROM t ORDER BY id").fetchall()
                self.assertEqual(found, [*((number, b"text %d" % number) for number in range(1, self.ROWS)),
                                         (self.ROWS, b"new" if changed else b"text %d" % self.ROWS)])

    def test_a_source_where_somebody_reads_the_list_of_transactions(self):
        """
        InnoDB shows a copy of it, which stays as it is while it is read again and again: one that began since is not in
        it. Its commit counts.
        """
        source, target, state = self.server.database(), "sqlite:" + self.path("out.db"), self.path("state")
        self.server.ask(source, "CREATE TABLE t (id int PRIMARY KEY, v varchar(20)); "
                                "INSERT INTO t SELECT seq, CONCAT('text ', seq) FROM seq_1_to_%d" % self.ROWS)
        reader, writer, ended = self.server.session(source), self.server.session(source), threading.Event()
        self.addCleanup(reader.close)
        self.addCleanup(writer.close)
        first = threading.Event()

        def read():
            while not ended.wait(0.01):
                reader.ask("SELECT count(*) FROM information_schema.innodb_trx")
                first.set()
        thread = threading.Thread(target=read)
        thread.start()
        try:
            first.wait()
            writer.ask("BEGIN; UPDATE t SET v = 'new' WHERE id = %d; SELECT 1" % self.ROWS)
            killed = support.kill_at("sqlite.after_commit", 4, "migrate", "--chunk-rows", "500", "--jobs", "1",
                                     "--state", state,
                                     self.server.uri(source), target, cwd=self.folder)
        finally:
            ended.set()
            thread.join()
        self.assertEqual(killed.code, -9)
        writer.ask("COMMIT; SELECT 1")
        result = self.run_program("resume", "--state", state, self.server.uri(source), target, code=1)
        self.assertIn("the snapshot is mixed: the source may have changed between the attempts", result.err)


if __name__ == "__main__":
    unittest.main()
