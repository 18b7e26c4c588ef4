"""Following MySQL 9 and MariaDB by their binary logs, and applying changes to them."""
import json
import os
import signal
import sqlite3
import sys
import time
import unittest

import support
from test_follow import Pair, Plans, PostgresSide, SqliteSide, ToDynamodb, WholePair, WithDynamodb

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import mariadb  # noqa: E402
import mysql  # noqa: E402
import postgres  # noqa: E402
import tcp_proxy  # noqa: E402

# Those of test_follow.Bank and Shop.
WORDS = (("a TEXT", "a VARCHAR(20)"), ("live TEXT", "live VARCHAR(20)"),
         (" ON CONFLICT (a, b) DO UPDATE SET value = excluded.value", " ON DUPLICATE KEY UPDATE value = VALUES(value)"),
         ("FROM churn c ", "FROM (SELECT * FROM churn) c "), ("INSERT OR REPLACE", "REPLACE"),
         ("INSERT OR IGNORE", "INSERT IGNORE"),
         ("UPDATE OR IGNORE", "UPDATE IGNORE"), ("UPDATE OR REPLACE", "UPDATE IGNORE"), ("price REAL", "price DOUBLE"),
         (" STRICT;", ";"))


def in_mysql(sql):
    for one, other in WORDS:
        sql = sql.replace(one, other)
    return "INSERT IGNORE" + sql[len("INSERT"):-len(" ON CONFLICT DO NOTHING")] if sql.endswith(" ON CONFLICT "
                                                                                                "DO NOTHING") else sql


class MysqlSide:
    """A database of a server, through MariaDB's client."""

    def __init__(self, server):
        self.server = server
        self.name = server.database()
        self.uri = server.uri(self.name)

    def make(self, schema):
        self.server.ask(self.name, in_mysql(schema))

    def transaction(self, statements, commit):
        self.server.ask(self.name, "SET foreign_key_checks = 0; BEGIN;%s;%s;"
                        % (";".join(in_mysql(s) for s in statements), "COMMIT" if commit else "ROLLBACK"))

    def feeds(self):
        return []  # nothing of a feed is in the server

    forgets = 0

    def forgotten(self):
        """It keeps nothing that it could forget."""
        self.forgets += 1
        return self.forgets

    def asked(self, sql):
        return self.server.ask(self.name, sql)

    def rows(self, table):
        return sorted(self.server.ask(self.name, "SELECT * FROM %s" % table), key=repr)

    def contents(self):
        return {name: rows for name, rows in self.server.rows(self.name).items() if not name.startswith("_")}

    def sum(self):
        try:
            return int(self.server.ask(self.name, "SELECT sum(balance) FROM account")[0][0])
        except (RuntimeError, TypeError, ValueError, AssertionError):
            return None


SERVERS = {}   # by their kind, for all classes


def followed(kind, settings):
    if kind not in SERVERS:
        SERVERS[kind] = kind.Server(settings=settings)
        unittest.addModuleCleanup(SERVERS[kind].stop)
    return SERVERS[kind]


class OnMariadb:
    RESET = "RESET MASTER"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = followed(mariadb, mariadb.FOLLOWED)


class OnMysql:
    SETTINGS = {**mariadb.FOLLOWED, "gtid-mode": "ON", "enforce-gtid-consistency": "ON",
                "binlog-transaction-compression": "ON"}

    RESET = "RESET BINARY LOGS AND GTIDS"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = followed(mysql, cls.SETTINGS)


# --- pairs: what is the same for all of them once, the rest with each kind of target

@support.inheriting(2)
class MariadbToSqlite(OnMariadb, Pair, support.TestCase):
    def sides(self):
        return MysqlSide(self.server), SqliteSide(self, "copy.db")


@support.inheriting(2)
class SqliteToMariadb(OnMariadb, Pair, support.TestCase):
    def sides(self):
        return SqliteSide(self, "bank.db"), MysqlSide(self.server)


@support.inheriting(4)
class MysqlToMysql(OnMysql, WholePair, support.TestCase):
    makes_objects = False
    computed = "AS (balance * 2) STORED"
    test_the_log_is_kept_here_during_the_copy = None  # a binary log is kept by time, whatever is confirmed

    def sides(self):
        return MysqlSide(self.server), MysqlSide(self.server)

    def free_the_source(self):
        self.assertIn("--max-retained has no effect", self.run_program("follow", "--catch-up", "--max-retained",
                                                                       "1KiB").err)
        self.steps(3)
        self.server.ask("mysql", self.RESET)

    def test_what_is_closed_is_not_emptied(self):
        """TRUNCATE fires no trigger."""
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.run_program("cutover", "--confirm", "--after", "exit 3", code=5)
        self.assertRaises(AssertionError, self.server.ask, self.source.name, "TRUNCATE TABLE churn")
        self.run_program("cutover", "--back", "--confirm")
        self.server.ask(self.source.name, "TRUNCATE TABLE churn")
        self.run_program("cutover", "--confirm")
        self.assertRaises(AssertionError, self.server.ask, self.source.name, "TRUNCATE TABLE entry")
        self.assert_same()


class AcrossServers(Pair):
    """A database of each of two servers."""

    kills = Pair.kills // 2


class ToPostgres(AcrossServers):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other = followed(postgres, postgres.FOLLOWED)

    def sides(self):
        return MysqlSide(self.server), PostgresSide(self, self.other, "copy")


@support.inheriting(2)
class MariadbToPostgres(OnMariadb, ToPostgres, support.TestCase):
    pass


@support.inheriting(2)
class MysqlToPostgres(OnMysql, ToPostgres, support.TestCase):
    """Without a lock its readers see different moments, and changes from before are applied once more."""

    whole_transactions = False

    def sides(self):
        source, target = super().sides()
        source.uri += "?lock=none"
        return source, target


@support.inheriting(2)
class MysqlToMariadb(OnMysql, AcrossServers, support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other = followed(mariadb, mariadb.FOLLOWED)

    def sides(self):
        return MysqlSide(self.server), MysqlSide(self.other)


class IntoItems(ToDynamodb):
    def sides(self):
        return MysqlSide(self.server), self.target_side()


@support.inheriting(1)
class MariadbToDynamodb(OnMariadb, IntoItems, support.TestCase):
    pass


@support.inheriting(1)
class MysqlToDynamodb(OnMysql, IntoItems, support.TestCase):
    test_killed_at_any_moment = None  # as from MariaDB


# --- plans

class MariadbPlans(OnMariadb, Plans, support.TestCase):
    def source_side(self, _path):
        return MysqlSide(self.server)

    def target_side(self, path):
        return SqliteSide(self, path)


class MariadbPlansIntoPostgres(OnMariadb, Plans, support.TestCase):
    SEEDS = 2

    def source_side(self, _path):
        return MysqlSide(self.server)

    def target_side(self, _path):
        return PostgresSide(self, followed(postgres, postgres.FOLLOWED), "copy")


class MysqlPlans(OnMysql, Plans, support.TestCase):
    """Into the same server, as other databases."""

    def source_side(self, _path):
        return MysqlSide(self.server)

    target_side = source_side


class MysqlPlansIntoDynamodb(OnMysql, WithDynamodb, Plans, support.TestCase):
    SEEDS = 2

    def source_side(self, _path):
        return MysqlSide(self.server)


class Source:
    """What a source may be like, and what happens to its tables."""

    CASCADE = ("CREATE TABLE p (id int PRIMARY KEY, v int); CREATE TABLE c (id int PRIMARY KEY, p int, "
               "FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE);"
               "INSERT INTO p VALUES (1, 1), (2, 2); INSERT INTO c VALUES (10, 1), (20, 2)")

    def setUp(self):
        super().setUp()
        self.source, self.target = MysqlSide(self.server), SqliteSide(self, "copy.db")

    def ask(self, sql):
        self.server.ask(self.source.name, sql)

    def begin(self, code=0):
        return self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri, code=code)

    def test_what_can_not_be_followed(self):
        """One line each, with what helps."""
        self.ask("CREATE TABLE k (v int, w int AS (v + 1) STORED)")
        self.assertIn("generated columns", self.begin(2).err)
        self.ask("DROP TABLE k; CREATE TABLE k (v int PRIMARY KEY) ENGINE=MyISAM")
        self.assertIn("ALTER TABLE `k` ENGINE = InnoDB", self.begin(2).err)
        self.ask("DROP TABLE k; CREATE TABLE k (v int PRIMARY KEY); SET GLOBAL binlog_row_image = MINIMAL")
        self.addCleanup(self.ask, "SET GLOBAL binlog_row_image = FULL")
        self.assertIn("SET GLOBAL binlog_row_image = FULL", self.begin(2).err)
        self.ask("SET GLOBAL binlog_row_image = FULL")
        self.addCleanup(self.ask, "SET GLOBAL binlog_format = ROW")
        for form in ("STATEMENT", "MIXED"):
            self.ask("SET GLOBAL binlog_format = %s" % form)
            self.assertIn("SET GLOBAL binlog_format = ROW", self.begin(2).err)

    def test_an_account_without_the_right(self):
        self.ask("CREATE TABLE k (v int PRIMARY KEY); CREATE USER reader@'127.0.0.1'; "
                 "GRANT SELECT ON *.* TO reader@'127.0.0.1'")
        self.addCleanup(self.ask, "DROP USER reader@'127.0.0.1'")
        self.source.uri = self.source.uri.replace("root@", "reader@")
        self.assertIn("GRANT REPLICATION SLAVE", self.begin(2).err)
        self.ask("GRANT REPLICATION CLIENT ON *.* TO reader@'127.0.0.1'")
        self.assertIn("GRANT REPLICATION SLAVE", self.begin(2).err)
        self.ask("GRANT REPLICATION SLAVE ON *.* TO reader@'127.0.0.1'")
        self.begin()
        self.ask("INSERT INTO k VALUES (1)")
        self.run_program("follow", "--catch-up")
        self.assertEqual(self.target.rows("k"), [["1"]])

    def test_a_log_of_the_same_name(self):
        """RESET MASTER begins the files anew, and the numbers of transactions."""
        self.ask("CREATE TABLE k (v int PRIMARY KEY)")
        self.begin()
        self.ask("INSERT INTO k VALUES (1)")
        self.run_program("follow", "--catch-up")
        time.sleep(1.1)   # a file says its second
        self.ask(self.RESET)
        for number in range(40):
            self.ask("INSERT INTO k VALUES (%d); FLUSH BINARY LOGS" % (10 + number))
        self.assertIn("feed-lost", self.run_program("follow", "--catch-up", code=5).err)

    def purge(self):
        """All files but the last."""
        files = self.server.ask("mysql", "SHOW BINARY LOGS")
        deadline = time.monotonic() + 20 * support.PATIENCE
        while len(files) > 1 and time.monotonic() < deadline:   # not before InnoDB has what is in it
            self.ask("PURGE BINARY LOGS TO '%s'" % files[-1][0])
            files = self.server.ask("mysql", "SHOW BINARY LOGS")
            time.sleep(0.1)

    def test_the_log_is_gone(self):
        self.ask("CREATE TABLE k (v int PRIMARY KEY)")
        self.begin()
        self.ask("INSERT INTO k VALUES (1); FLUSH BINARY LOGS; INSERT INTO k VALUES (2); FLUSH BINARY LOGS")
        self.purge()
        self.assertIn("feed-lost", self.run_program("follow", "--catch-up", code=5).err)

    def test_the_file_is_gone_but_nothing_was_in_it(self):
        """An idle source whose log is purged has lost nothing, by its GTIDs."""
        self.ask("CREATE TABLE k (v int PRIMARY KEY); INSERT INTO k VALUES (1)")
        self.begin()
        self.ask("FLUSH BINARY LOGS")
        self.purge()
        self.ask("INSERT INTO k VALUES (2)")
        self.run_program("follow", "--catch-up")
        self.assertEqual(self.target.rows("k"), [["1"], ["2"]])

    def test_tables_change(self):
        """A column that is there for a time is passed over; logs end; TRUNCATE arrives, and many rows at once."""
        self.ask("CREATE TABLE t (id int PRIMARY KEY, a varchar(10), b int); INSERT INTO t VALUES (1, 'x', 1)")
        self.begin()
        self.ask("INSERT INTO t VALUES (2, 'y', 2); ALTER TABLE t ADD COLUMN z int FIRST; INSERT INTO t VALUES (9, 3, "
                 "'w', 3); ALTER TABLE t DROP COLUMN z;"
                 "FLUSH BINARY LOGS; UPDATE t SET a = 'q' WHERE id = 1")
        self.run_program("follow", "--catch-up")
        self.assertEqual(self.target.rows("t"), [["1", "q", "1"], ["2", "y", "2"], ["3", "w", "3"]])
        self.ask("TRUNCATE TABLE t; INSERT INTO t (id, a) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 "
                 "FROM n WHERE i < 900) "
                 "SELECT n.i * 1000 + m.i, 'm' FROM n JOIN n m WHERE m.i <= 25")
        self.run_program("follow", "--catch-up")
        self.assertEqual(len(self.target.rows("t")), 22500)


class SourceMariadb(OnMariadb, Source, support.TestCase):
    def test_a_server_without_a_log(self):
        server = mariadb.Server()
        self.addCleanup(server.stop)
        source = MysqlSide(server)
        server.ask(source.name, "CREATE TABLE k (v int PRIMARY KEY)")
        self.assertIn("--log-bin", self.run_program("migrate", "--follow", source.uri, self.target.uri, code=2).err)

    def test_actions_are_not_in_the_log(self):
        """What they did is found in the target, or the target does it, where its triggers may fire."""
        self.ask(self.CASCADE)
        self.assertIn("--follow-triggers fire", self.run_program("migrate", "--follow", "--catch-up", "--cascades",
                                                                 "target", "--state", "refused",
                                                                 self.source.uri, "sqlite:refused.db", code=2).err)
        self.begin()
        self.ask("DELETE FROM p WHERE id = 1")
        self.run_program("follow", "--catch-up")
        self.assertEqual(self.target.rows("c"), [["20", "2"]])


class SourceMysql(OnMysql, Source, support.TestCase):
    def test_actions_are_in_the_log(self):
        self.ask(self.CASCADE)
        self.begin()
        self.ask("DELETE FROM p WHERE id = 1")
        self.run_program("follow", "--catch-up")
        self.assertEqual(self.target.rows("c"), [["20", "2"]])


class Failover:
    """A replica takes its source's place: the feed goes on there, if it has all that the target has."""

    def setUp(self):
        super().setUp()
        self.server.ask("mysql", self.RESET)   # the replica gets everything
        self.replica = self.replica_server()
        self.addCleanup(self.replica.stop)
        self.replica.ask("mysql", self.REPLICATE % self.server.port)
        self.source, self.target = MysqlSide(self.server), SqliteSide(self, "copy.db")
        self.server.ask(self.source.name,
                        "CREATE TABLE k (v int PRIMARY KEY, w int); INSERT INTO k VALUES (1, 0), (2, 0)")
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)

    def elsewhere(self):
        return self.replica.uri(self.source.name)

    def wait_for_replica(self, count):
        self.wait_until("the replica has them", lambda: self.has(count), 30 * support.PATIENCE)

    def has(self, count):
        try:
            return self.replica.ask(self.source.name, "SELECT count(*) FROM k") == [[str(count)]]
        except AssertionError:
            return False

    def test_it_goes_on(self):
        self.server.ask(self.source.name, "INSERT INTO k VALUES (3, 0); UPDATE k SET w = 3")
        self.run_program("follow", "--catch-up")
        # which is read from the replica
        self.server.ask(self.source.name, "INSERT INTO k VALUES (4, 0); UPDATE k SET w = w + 1")
        self.wait_for_replica(4)
        self.replica.ask("mysql", self.STOP)
        self.replica.ask(self.source.name, "INSERT INTO k VALUES (5, 5); DELETE FROM k WHERE v = 1; FLUSH BINARY LOGS")
        self.assertIn("another server", self.run_program("follow", "--catch-up", self.elsewhere(), self.target.uri).err)
        self.replica.ask(self.source.name, "UPDATE k SET w = w + 1")
        self.run_program("follow", "--catch-up", self.elsewhere(), self.target.uri)
        self.assertEqual(self.target.rows("k"), sorted(self.replica.ask(self.source.name, "SELECT * FROM k")))
        # it has no 5
        self.assertIn("feed-lost", self.run_program("follow", "--catch-up", self.source.uri, self.target.uri,
                                                    code=5).err)
        self.run_program("cutover", "--confirm", self.elsewhere(), self.target.uri)
        self.assertRaises(AssertionError, self.replica.ask, self.source.name, "INSERT INTO k VALUES (6, 0)")

    def test_what_it_lacks(self):
        """The source had transactions that nobody else got, and the target has them."""
        self.wait_for_replica(2)
        self.replica.ask("mysql", self.STOP)
        self.server.ask(self.source.name, "INSERT INTO k VALUES (3, 0)")
        self.run_program("follow", "--catch-up")
        self.replica.ask(self.source.name, "INSERT INTO k VALUES (7, 0), (8, 0)")
        self.assertIn("feed-lost", self.run_program("follow", "--catch-up", self.elsewhere(), self.target.uri,
                                                    code=5).err)


    def another_server(self, *command):
        """Behind one address: what was to be waited for never comes, and nothing says that all has arrived."""
        self.wait_for_replica(2)
        self.replica.ask("mysql", self.STOP)
        with tcp_proxy.TcpProxy(self.server.port) as proxy:
            source = self.source.uri.replace(":%d/" % self.server.port, ":%d/" % proxy.port)
            self.run_program("migrate", "--follow", "--catch-up", source, "sqlite:other.db", "--state", "other")
            for server, key in (self.server, 3), (self.replica, 4):
                server.ask(self.source.name, "INSERT INTO k VALUES (%d, 0)" % key)
            process = support.start(*command, "--state", "other", cwd=self.folder,
                                    env={"TRANSHUME_FAILPOINT": "follow.before_apply:stop:1,"
                                                                "follow.before_apply:retry:1"})
            self.addCleanup(process.kill)
            self.wait_until("it is stopped", lambda: os.waitid(os.P_PID, process.pid,
                                                               os.WSTOPPED | os.WNOHANG | os.WNOWAIT))
            proxy.upstream = self.replica.port
            proxy.cut_all()
            process.send_signal(signal.SIGCONT)
            result = support.finish(process)
            self.assert_code(result, 5)
            self.assertIn("the source lacks transactions that it had when this began", " ".join(result.err.split()))
            self.assertNotIn("done", result.out)
            self.run_program("follow", "--catch-up", "--state", "other")
            with sqlite3.connect(self.path("other.db")) as file:
                self.assertEqual(file.execute("SELECT v FROM k ORDER BY v").fetchall(), [(1,), (2,), (4,)])

    def test_it_is_another_server_meanwhile(self):
        self.another_server("follow", "--catch-up")

    def test_it_is_another_server_during_a_cut_over(self):
        self.another_server("cutover", "--confirm")


class FailoverMariadb(OnMariadb, Failover, support.TestCase):
    REPLICATE = ("CHANGE MASTER TO master_host = '127.0.0.1', master_port = %d, master_user = 'root', "
                 "master_use_gtid = slave_pos, "
                 "master_connect_retry = 1; START SLAVE")
    STOP = "STOP SLAVE"

    def replica_server(self):
        return mariadb.Server(settings={**mariadb.FOLLOWED, "server-id": "2", "log-slave-updates": "1"})


class FailoverMysql(OnMysql, Failover, support.TestCase):
    REPLICATE = ("CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = %d, SOURCE_USER = 'root', "
                 "SOURCE_AUTO_POSITION = 1, "
                 "SOURCE_SSL = 0, SOURCE_CONNECT_RETRY = 1, GET_SOURCE_PUBLIC_KEY = 1; START REPLICA")
    STOP = "STOP REPLICA"

    def replica_server(self):
        return mysql.Server(settings={**self.SETTINGS, "server-id": "2"})


# A column's type and values of it: what the log has of them has to be what a query gives.
VALUES = [
    ("tinyint", "-128", "127"), ("tinyint unsigned", "255"), ("smallint", "-32768"), ("smallint unsigned", "65535"),
    ("mediumint", "-8388608", "8388607"),
    ("mediumint unsigned", "16777215"), ("int", "-2147483648"), ("int unsigned", "4294967295"),
    ("bigint", "-9223372036854775808"),
    ("bigint unsigned", "18446744073709551615"), ("tinyint(1)", "1"), ("bit(1)", "b'1'"),
    ("bit(13)", "b'1010101010101'"), ("bit(64)", "0xffffffffffffffff"),
    ("decimal(10,0)", "-1"), ("decimal(38,10)", "-1234567890123456789012345678.0123456789", "0.1"),
    ("decimal(5,5)", "0.00001", "-0.5"),
    ("decimal(65,30)", "12345678901234567890123456789012345.123456789012345678901234567891"),
    ("decimal(9,2) unsigned", "0.10"),
    ("float", "0.1", "-1e30", "16777216"), ("double", "0.1", "-1e300", "123456789012345680"), ("float(7,3)", "1.5"),
    ("year", "1901", "2155", "0"),
    ("date", "'0001-01-01'", "'9999-12-31'", "'0000-00-00'", "'2024-02-29'"),
    ("time", "'-838:59:59'", "'838:59:59'", "'00:00:00'"),
    ("time(3)", "'-00:00:00.001'", "'-11:22:33.444'", "'12:00:00.5'"),
    ("time(6)", "'-00:00:01.000001'", "'23:59:59.999999'"),
    ("datetime", "'1000-01-01 00:00:00'", "'0000-00-00 00:00:00'", "'9999-12-31 23:59:59'"),
    ("datetime(1)", "'2024-01-01 01:02:03.4'"),
    ("datetime(3)", "'2024-01-01 01:02:03.456'"), ("datetime(6)", "'2024-01-01 01:02:03.000001'"),
    ("timestamp NULL", "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'"),
    ("timestamp(5) NULL", "'2024-06-30 23:59:59.99999'"), ("char(10)", "'a b  '", "''"),
    ("char(200)", "'\u00e4\U0001f600'"), ("varchar(10)", "'x '"),
    ("varchar(300)", "repeat('\u00e9', 300)"), ("varchar(20) character set latin1", "'\u00e4\u20ac'"),
    ("text character set utf16", "'\u00e4\U0001f600'"),
    ("tinytext", "'t'"), ("text", "'%s'" % ("y" * 300)), ("mediumtext", "'m'"), ("longtext", "repeat('l', 70000)"),
    ("binary(6)", "0x610000", "''"),
    ("varbinary(300)", "0x00ff", "repeat(0xff, 290)"), ("tinyblob", "0x00"), ("blob", "0x0001feff"),
    ("longblob", "repeat(0xfe, 70000)"),
    ("enum('a','b,c','d''e')", "'d''e'", "'b,c'"), ("set('a','b','c''d')", "'a,c''d'", "''"),
    ("json", "'{\"a\": [1, -2.5, true, null, \"\\u00e4\"], \"b\": {}}'", "'[]'"),
    ("point", "ST_PointFromText('POINT(1 2)')"),
]
JSON = [("json",
         "json_object('d', cast(1.10 as decimal(5,2)), 't', cast('12:00:00' as time), 'x', "
         "cast('2024-01-01 00:00:00.5' as datetime(6)))"),
        ("json",
         "json_array(1, 40000, -40000, 3000000000, 18446744073709551615, 1e100, 2.0, 1e15, 123456789012345.0, "
         "123456789012345680.0, 0.00001, 1e-14, 1.5e-15, -0.1e0, 1.25e-300)"),
        ("json", "json_object('k', repeat('v', 70000), 'l', json_array(1, 'z'))")]
OF_MARIADB = [("uuid", "'123e4567-e89b-12d3-a456-426655440000'", "'ffffffff-ffff-4fff-8fff-ffffffffffff'",
               "'00000000-0000-0000-0000-000000000000'"),
              ("inet6", "'::1'", "'2001:db8::ff00:42:8329'", "'::'"), ("inet4", "'127.0.0.1'", "'0.0.0.0'")]


class Values:
    """
    The same values in rows that are copied and in rows that are followed: both arrive alike, in a file and in a server.
    """

    VALUES = VALUES

    def setUp(self):
        super().setUp()
        self.source = MysqlSide(self.server)
        columns = [(name.replace(" NULL", ""), values) for name, *values in self.VALUES]
        self.count = max(len(values) for _, values in columns)
        null = [" NULL" if name.startswith("timestamp") else "" for name, _ in columns]
        self.columns = columns
        self.source.make("SET sql_mode = ''; CREATE TABLE v (id int PRIMARY KEY, %s, spare int)" % ", ".join(
            "c%d %s%s" % (i, name, null[i]) for i, (name, _) in enumerate(columns)))

    def insert(self, first, extra=0):
        for number in range(self.count):
            self.server.ask(self.source.name, "SET sql_mode = ''; INSERT INTO v VALUES (%d, %s, %d)" % (
                first + number, ", ".join(values[number] if number < len(values) else "NULL"
                                          for _, values in self.columns), extra), mode="")

    def check(self, rows):
        found = {int(row[0]): row[1:] for row in rows}
        self.assertEqual(len(found), 3 * self.count)
        for number in range(self.count):
            for other in (100, 200):
                for i, (one, followed) in enumerate(zip(found[number], found[other + number])):
                    self.assertEqual(followed, one, (other, self.columns[i] if i < len(self.columns) else "spare"))

    def follow_into(self, uri):
        self.insert(0)
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, uri)
        self.insert(100)
        self.insert(200, 7)
        self.server.ask(self.source.name, "UPDATE v SET spare = 0 WHERE id >= 200")
        self.run_program("follow", "--catch-up")

    def test_into_a_file(self):
        side = SqliteSide(self, "copy.db")
        self.follow_into(side.uri)
        self.check(side.rows("v"))

    def test_into_a_server(self):
        side = MysqlSide(self.server)
        self.follow_into(side.uri)
        self.check(side.rows("v"))


class ValuesOfMariadb(OnMariadb, Values, support.TestCase):
    VALUES = VALUES + OF_MARIADB


class ValuesOfMysql(OnMysql, Values, support.TestCase):
    VALUES = VALUES + JSON


# --- what a source does beside its rows

class Statements:
    """What a statement does to a table as a whole, and what the log does not tell: carried, or read from the table."""

    def setUp(self):
        super().setUp()
        self.source, self.target = MysqlSide(self.server), SqliteSide(self, "copy.db")
        self.ask("CREATE TABLE a (id int PRIMARY KEY, v text, n int UNIQUE); INSERT INTO a VALUES (1, 'x', 10), (2, "
                 "'y', 20);"
                 "CREATE TABLE b (id int PRIMARY KEY, a int, KEY (a)) PARTITION BY RANGE (id) (PARTITION p0 VALUES "
                 "LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);"
                 "INSERT INTO b VALUES (1, 1), (20, 2); CREATE TABLE left_out (id int PRIMARY KEY)")
        self.run_program("migrate", "--follow", "--catch-up", "--exclude", "left_out", self.source.uri, self.target.uri)

    def ask(self, sql):
        self.server.ask(self.source.name, sql)

    def read_again(self, sql):
        """What the log does not tell of it is read from the table, and nothing of before stays."""
        self.ask(sql)
        self.assertIn("was read again", self.run_program("follow", "--catch-up").err)
        self.assert_followed()

    def resync(self, tables="ab"):
        self.run_program("follow", "--resync", "--catch-up")
        self.assert_followed(tables)

    def assert_followed(self, tables="ab"):
        for name in tables:
            self.assertEqual(self.target.rows(name), self.source.rows(name))

    def test_a_session_that_logs_less(self):
        for kind in ("MINIMAL", "NOBLOB"):
            for sql in ("UPDATE a SET v = 'min' WHERE id = 1", "REPLACE INTO a (id, n) VALUES (3, 30)",
                        "DELETE FROM a WHERE id = 3"):
                with self.subTest(kind + " " + sql):
                    self.ask("SET SESSION binlog_row_image = %s; %s" % (kind, sql))
                    told = support.transhume("follow", "--catch-up", cwd=self.folder)
                    self.assertIn(told.code, (0, 5))
                    if told.code == 5:
                        self.assertIn("SET GLOBAL binlog_row_image = FULL", told.err)
                        self.assertRegex(told.err, r"\ba: a row is in the binary log without")
                        self.resync()
                    self.assert_followed()
        self.ask("SET SESSION binlog_row_image = NOBLOB; UPDATE a SET n = 99 WHERE id = 1")
        self.run_program("follow", "--catch-up")
        self.assert_followed()

    def test_tables_in_place_of_others(self):
        for sql in ("DROP TABLE b; CREATE TABLE b (id int PRIMARY KEY, a int, KEY (a)); INSERT INTO b VALUES (7, 2)",
                    "CREATE TABLE b2 LIKE b; INSERT INTO b2 VALUES (1, 5); RENAME TABLE b TO b_old, b2 TO b; "
                    "INSERT INTO b VALUES (3, 1)",
                    "RENAME TABLE b TO bb; INSERT INTO bb VALUES (8, 2); RENAME TABLE bb TO b",
                    "CREATE TABLE b3 LIKE b; ALTER TABLE b RENAME b_older; ALTER TABLE b3 RENAME TO b; "
                    "INSERT INTO b VALUES (4, 4)"):
            with self.subTest(sql):
                self.read_again(sql)

    def test_partitions(self):
        for sql in ("ALTER TABLE b TRUNCATE PARTITION p0", "ALTER TABLE b DROP PARTITION p1",
                    "CREATE TABLE ex (id int PRIMARY KEY, a int, KEY (a)); INSERT INTO ex VALUES (3, 3); "
                    "ALTER TABLE b EXCHANGE PARTITION p0 WITH TABLE ex"):
            with self.subTest(sql):
                self.read_again(sql)

    def test_what_is_nobodys(self):
        """Others' tables, temporary ones, and what changes no row."""
        other = self.server.database()
        self.ask("CREATE TEMPORARY TABLE b (id int); DROP TABLE b; DROP TABLE left_out; "
                 "CREATE TABLE left_out (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY); "
                 "RENAME TABLE c TO d; DROP TABLE d; DROP TABLE IF EXISTS e;"
                 "CREATE TABLE %s.b (id int PRIMARY KEY); TRUNCATE %s.b; RENAME TABLE %s.b TO %s.a; DROP TABLE %s.a; "
                 "ALTER TABLE a ADD KEY (v(3)); ALTER TABLE b REORGANIZE PARTITION p1 INTO "
                 "(PARTITION p1 VALUES LESS THAN (100), PARTITION p2 VALUES LESS THAN MAXVALUE); "
                 "INSERT INTO b VALUES (200, 1)" % ((other,) * 5))
        self.server.ask(other, "TRUNCATE /* not this one's */ `%s`.`b`; INSERT INTO %s.b VALUES (5, 5)"
                        % (self.source.name, self.source.name))
        self.run_program("follow", "--catch-up")
        self.assert_followed()

    def test_columns_are_read_as_they_were(self):
        """Altered while nobody follows: what is older is read by what the log says of it."""
        self.ask("CREATE TABLE c (id int PRIMARY KEY, y year, g point, bin varbinary(5), bl blob, v varchar(20), "
                 "w varchar(20) CHARACTER SET latin2, e enum('x', 'y', 'z'), u int unsigned, s set('p', 'q'), t text)"
                 " CHARACTER SET utf8mb4")
        self.run_program("migrate", "--follow", "--catch-up", "--state", "other", "--include", "c", self.source.uri,
                         "sqlite:other.db")
        self.ask("SET NAMES utf8mb4; INSERT INTO c VALUES (1, 2024, NULL, 'b', 'b', 'ä€', 'ž', 'y', 4000000000, 'q', "
                 "'ß'); ALTER TABLE c MODIFY w varchar(20) CHARACTER SET utf8mb4; "
                 "ALTER TABLE c CONVERT TO CHARACTER SET latin1;"
                 "INSERT INTO c VALUES (2, 2024, NULL, 'b', 'b', 'ö', 'ü', 'y', 4000000001, 'p,q', 'é')")
        self.run_program("follow", "--catch-up", "--state", "other")
        self.assertEqual([row[5:] for row in SqliteSide(self, "other.db").rows("c")],
                         [["ä€", "ž", "y", "4000000000", "q", "ß"], ["ö", "ü", "y", "4000000001", "p,q", "é"]])


class StatementsMariadb(OnMariadb, Statements, support.TestCase):
    def test_made_again(self):
        for sql in ("CREATE OR REPLACE TABLE b (id int PRIMARY KEY, a int, KEY (a))",
                    "CREATE OR REPLACE TABLE b (id int PRIMARY KEY, a int, KEY (a)) SELECT 5 AS id, 2 AS a"):
            with self.subTest(sql):
                self.read_again(sql)

    def test_an_action_that_comes_later(self):
        self.ask("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int, KEY (p), "
                 "CONSTRAINT k FOREIGN KEY (p) REFERENCES p (id)); INSERT INTO p VALUES (1), (2); "
                 "INSERT INTO c VALUES (1, 1), (2, 2)")
        begin = ("--include", "p", "--include", "c", self.source.uri, "sqlite:other.db", "--state", "other")
        self.run_program("migrate", "--follow", "--catch-up", *begin)
        self.ask("ALTER TABLE c DROP FOREIGN KEY k; ALTER TABLE c ADD CONSTRAINT acts FOREIGN KEY (p) REFERENCES p "
                 "(id) ON DELETE CASCADE; DELETE FROM p WHERE id = 1")
        self.run_program("follow", "--catch-up", "--state", "other")
        self.assertEqual(SqliteSide(self, "other.db").rows("c"), [["2", "2"]])


    def test_a_log_that_says_less(self):
        """Nothing there tells what the texts of earlier rows were in."""
        self.ask("SET GLOBAL binlog_row_metadata = NO_LOG")
        self.addCleanup(self.ask, "SET GLOBAL binlog_row_metadata = FULL")
        self.ask("UPDATE a SET v = 'z' WHERE id = 1; ALTER TABLE a ADD KEY (v(3))")
        self.run_program("follow", "--catch-up")
        self.assert_followed()
        self.read_again("UPDATE a SET v = 'ä' WHERE id = 2; ALTER TABLE a CONVERT TO CHARACTER SET latin2")
        self.read_again("DELETE FROM a WHERE id = 1; ALTER TABLE a ADD COLUMN w int; INSERT INTO a VALUES (9, "
                        "'q', 90, 5)")


class StatementsMysql(OnMysql, Statements, support.TestCase):
    pass


if __name__ == "__main__":
    unittest.main()
