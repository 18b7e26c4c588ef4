"""What goes between two MariaDB databases as it is, and what has to take the general way."""
import os
import signal
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import sql_case
import support
import tcp_proxy

ROWS = ("CREATE TABLE t (id int PRIMARY KEY, v varchar(40), f float, b bit(3), "
        "l varchar(20) CHARACTER SET latin1, n int);"
        "INSERT INTO t SELECT seq, CONCAT('v\\t', seq, '\\n\\\\'), seq / 7, seq % 8, 'ä', IF(seq % 3, NULL, "
        "seq) FROM seq_1_to_3000;")


class Express(sql_case.SqlCase):
    SERVERS = mariadb

    def rows(self, name, table):
        return sorted(self.server.ask(name, "SELECT id, hex(v), f * 1e0, b + 0, hex(l), n FROM %s" % table), key=repr)

    def copied(self, source, target, *options, code=0):
        """What a run said; the general way is told at the debug level."""
        return self.run_program("migrate", "--verbose", self.server.uri(source), self.server.uri(target), *options,
                                code=code).err

    def assert_lanes(self, said, general):
        self.assertEqual("of t takes the general path" in said, general, said)

    def test_what_is_the_same_on_both_sides(self):
        for options in ((), ("--chunk-rows", "700"), ("--jobs", "1")):
            with self.subTest(options):
                source, target = self.made(ROWS), self.made()
                said = self.copied(source, target, *options, "--state",
                                   self.path("state%d" % len(options) + "".join(options)))
                self.assert_lanes(said, False)
                self.assert_same_rows(source, target, "t")

    def test_what_is_not(self):
        """A column of another width, a generated one, a table whose records are replaced."""
        for column, options in (("id bigint PRIMARY KEY, n int", ()), ("id int PRIMARY KEY, n int, v varchar(41)", ()),
                                ("id int PRIMARY KEY, n int", ("--existing", "upsert"))):
            with self.subTest(column):
                source = self.made("CREATE TABLE t (id int PRIMARY KEY, n int, v varchar(40)); "
                                   "INSERT INTO t VALUES (1, 2, 'x'), (2, NULL, NULL)")
                target = self.made("CREATE TABLE t (%s)" % (column if " v " in column else column + ", v varchar(40)"))
                existing = options or ("--existing", "append")
                said = self.copied(source, target, *existing, "--state",
                                   self.path("state%d" % len(os.listdir(self.folder))))
                self.assert_lanes(said, True)
                self.assertEqual(self.server.ask(target, "SELECT id, n, v FROM t ORDER BY id"),
                                 [["1", "2", "x"], ["2", None, None]])

    def test_a_refused_record_costs_no_other(self):
        """
        By a key, by a check, or by what the server would make of it with a mere warning: the general way rejects it.
        """
        script = ("CREATE TABLE t (id int PRIMARY KEY, u int, v varchar(40)); INSERT INTO t SELECT seq, seq, "
                  "'x' FROM seq_1_to_3000; ")
        for column, change in (("UNIQUE", "u = 1999"), ("CHECK (u <> 7 OR id <> 2000)", "u = 7"),
                               ("NOT NULL", "u = NULL")):
            with self.subTest(column):
                source = self.made(script + "UPDATE t SET %s WHERE id = 2000" % change)
                target = self.made("CREATE TABLE t (id int PRIMARY KEY, u int %s, v varchar(40))" % column)
                state = self.path("state%d" % len(os.listdir(self.folder)))
                said = self.copied(source, target, "--existing", "append", "--chunk-rows", "1000", "--state", state,
                                   code=1)
                self.assert_lanes(said, True)
                self.assertEqual("pulled in" in said, column != "NOT NULL")
                self.assertEqual(self.server.ask(target, "SELECT count(*), sum(id = 2000) FROM t"), [["2999", "0"]])

    def test_nulls_that_the_server_would_fill(self):
        """LOAD DATA makes the present time and a fresh number of them, without a warning."""
        for column in ("timestamp", "int", "bigint"):
            kept = {"timestamp": "NOT NULL DEFAULT current_timestamp()", "int": "NOT NULL AUTO_INCREMENT UNIQUE",
                    "bigint": "NOT NULL DEFAULT 5"}[column]
            with self.subTest(column):
                some = "'2024-01-01'" if column == "timestamp" else "3"
                source = self.made("CREATE TABLE t (id int PRIMARY KEY, v %s NULL); INSERT INTO t VALUES (1, %s), "
                                   "(2, NULL)" % (column, some))
                target = self.made("CREATE TABLE t (id int PRIMARY KEY, v %s %s)" % (column, kept))
                said = self.copied(source, target, "--existing", "append", "--state", self.path("state-" + column),
                                   code=1)
                self.assert_lanes(said, True)
                self.assertEqual(self.server.ask(target, "SELECT id FROM t"), [["1"]])

    def test_values_that_the_source_computes(self):
        """The target keeps them as plain values: on both ways they are left out."""
        script = "CREATE TABLE t (id int PRIMARY KEY, n int, g int %s)"
        for options in ((), ("--no-express",)):
            with self.subTest(options):
                source = self.made(script % "GENERATED ALWAYS AS (n * 2) STORED"
                                   + "; INSERT INTO t (id, n) VALUES (1, 2), (2, 3)")
                target = self.made(script % "")
                self.copied(source, target, "--existing", "append", "--state", self.path("state%d" % len(options)),
                            *options)
                self.assertEqual(self.server.ask(target, "SELECT * FROM t ORDER BY id"),
                                 [["1", "2", None], ["2", "3", None]])

    def test_json_in_another_character_set(self):
        for number, (uri, *options) in enumerate((("",), ("", "--no-express"), ("?load=data", "--no-express"),
                                                  ("?load=insert",))):
            with self.subTest((uri, *options)):
                source = self.made("CREATE TABLE t (id int PRIMARY KEY, j longtext CHARACTER SET latin1 CHECK "
                                   "(json_valid(j))); "
                                   "INSERT INTO t VALUES (1, '{\"a\": \"ä\"}')")
                target = self.made()
                self.run_program("migrate", "--state", self.path("state%d" % number), *options, self.server.uri(source),
                                 self.server.uri(target, uri))
                told = "SELECT hex(j), j FROM t"
                self.assertEqual(self.server.ask(target, told), self.server.ask(source, told))

    def resume(self, *arguments):
        """1 where the server can't tell the target's own writes, which it counts, too, from changes of the source."""
        resumed = support.transhume("resume", *arguments, cwd=self.folder)
        self.assert_code(resumed, 1 if "the snapshot is mixed" in resumed.err else 0)

    def test_a_rollback_that_the_server_refuses(self):
        """
        Of a chunk of which a record was refused when others were written: what comes next would commit those, without a
        mark, and find them there when the chunk goes again.
        """
        source = self.made("CREATE TABLE t (id int PRIMARY KEY, u int, v varchar(2000)); INSERT INTO t SELECT seq, "
                           "seq, repeat('x', 2000) FROM seq_1_to_3000; UPDATE t SET u = 2 WHERE id IN (1999, 3000)")
        target, state = self.made("CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE, v varchar(2000))"), self.path(
            "refused")
        with tcp_proxy.AnsweringProxy(self.server.port, *tcp_proxy.AnsweringProxy.MYSQL_ROLLBACK) as proxy:
            said = self.run_program("migrate", "--verbose", "--existing", "append", "--chunk-rows", "3000", "--jobs",
                                    "1", "--state", state,
                                    self.server.uri(source), self.through(proxy, target) + "?sslmode=disable",
                                    code=1).err
            self.assertEqual(proxy.answered, 1)
        self.assert_lanes(said, True)
        self.assertEqual([reject["key"] for reject in self.rejects(state)], [{"id": 1999}, {"id": 3000}])
        self.assertEqual(self.server.ask(target, "SELECT count(*), sum(id) FROM t"),
                         [["2998", str(3000 * 3001 // 2 - 4999)]])

    def test_a_source_session_that_is_killed(self):
        """The snapshot's other connections carry the rest, or a resume does."""
        source, target = self.made(ROWS), self.made()
        pair = [self.server.uri(source), self.server.uri(target)]
        process = self.stopped_at("mysql.before_pull:stop:2", "migrate", "--jobs", "2", "--chunk-rows", "500", *pair)
        for (number,) in self.server.ask("",
                                         "SELECT id FROM information_schema.processlist WHERE db = '%s' ORDER BY "
                                         "id LIMIT 3" % source):
            self.server.ask("", "KILL %s" % number)
        process.send_signal(signal.SIGCONT)
        process.wait()
        if process.returncode != 0:
            self.assertEqual(process.returncode, 3)
            self.resume(*pair)
        self.assert_same_rows(source, target, "t")

    def through(self, proxy, source):
        return self.server.uri(source, via=proxy)

    def test_a_source_that_breaks_off_while_the_target_pulls(self):
        """The target's connection is none the worse for it; the readers' connections carry the chunk."""
        source, target = self.made(ROWS), self.made()
        with tcp_proxy.TcpProxy(self.server.port) as proxy:
            proxy.cut_at(b"` AS _t0")
            said = self.run_program("migrate", "--verbose", "--jobs", "1", self.through(proxy, source),
                                    self.server.uri(target)).err
            self.assertEqual(proxy.cuts, 1)
            self.assertIn("t: the source broke off while the target pulled: 127.0.0.1:%d/" % proxy.port, said)
        self.assertNotIn("try 2", said)
        self.assert_same_rows(source, target, "t")

    def test_a_source_that_is_gone_while_the_target_pulls(self):
        source, target = self.made(ROWS), self.made()
        with tcp_proxy.SilentProxy(self.server.port) as proxy:
            process = self.stopped_at("mysql.before_pull:stop:1", "migrate", "--verbose", "--timeout", "1s",
                                      self.through(proxy, source), self.server.uri(target))
            proxy.silent.set()
            proxy.cut_all()
            process.send_signal(signal.SIGCONT)
            result = support.finish(process)
            self.assert_code(result, 3)
            error = result.err[result.err.index("error:"):]
            self.assertIn("127.0.0.1:%d/" % proxy.port, error)
            self.assertNotIn("writing", error)
            proxy.silent.clear()
            proxy.cut_all()
            # what the broken target session still rolls back is of the same server
            self.resume()
        self.assert_same_rows(source, target, "t")

    def test_a_pull_over_a_slow_link_moves(self):
        source, target = self.made("CREATE TABLE t (id int PRIMARY KEY, v varchar(200)); INSERT INTO t SELECT seq, "
                                   "repeat('x', 200) FROM seq_1_to_3000"), self.made()
        with tcp_proxy.SlowProxy(self.server.port, 200000) as proxy:
            said = self.run_program("migrate", "--verbose", "--jobs", "1", "--stall",
                                    "%dms" % (1000 * support.PATIENCE), self.through(proxy, source),
                                    self.server.uri(target)).err
        self.assertIn("pulled in", said)
        self.assertNotIn("nothing moved", said)

    def test_connections_to_spare(self):
        """A server has few: only where a target pulls is there one more for each reader."""
        source = self.made(ROWS)
        sessions = "SELECT count(*) FROM information_schema.processlist WHERE db = '%s'" % source
        for number, (count, options) in enumerate(((9, ()), (7, ("--no-express",)),
                                                   (7, ("--rows-per-second", "1000000")))):
            with self.subTest(options):
                process = self.stopped_at("mysql.snapshot_taken:stop:1", "migrate", "--jobs", "2", *options, "--state",
                                          self.path("state%d" % number),
                                          self.server.uri(source), self.server.uri(self.made()))
                self.wait_until("it has %d" % count, lambda: self.server.ask("", sessions) == [[str(count)]],
                                limit_s=10)
                process.kill()
                process.wait()
                self.wait_until("they are gone", lambda: self.server.ask("", sessions) == [["0"]])

    def test_no_connection_to_spare(self):
        """An account that may lock nothing reads by one connection, which is the readers'."""
        source, target = self.made(ROWS), self.made()
        self.server.ask("", "CREATE OR REPLACE USER poor@'%%' IDENTIFIED BY 'p'; GRANT SELECT ON %s.* TO poor@'%%'"
                        % source)
        uri = self.server.uri(source).replace("root@", "poor:p@")
        said = self.run_program("migrate", "--verbose", uri, self.server.uri(target)).err
        self.assert_lanes(said, True)
        self.assert_same_rows(source, target, "t")


if __name__ == "__main__":
    unittest.main()
