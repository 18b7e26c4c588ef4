"""Following MySQL 9 and MariaDB by their binary logs, and applying changes to them."""
import os
import sys
import unittest

import support
from test_follow import Pair, SqliteSide

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import mariadb  # noqa: E402
import mysql  # noqa: E402

# Those of test_follow.Bank.
WORDS = (("a TEXT", "a VARCHAR(20)"), (" ON CONFLICT (a, b) DO UPDATE SET value = excluded.value", " ON DUPLICATE KEY UPDATE value = VALUES(value)"),
         ("FROM churn c ", "FROM (SELECT * FROM churn) c "))


def in_mysql(sql):
    for one, other in WORDS:
        sql = sql.replace(one, other)
    return "INSERT IGNORE" + sql[len("INSERT"):-len(" ON CONFLICT DO NOTHING")] if sql.endswith(" ON CONFLICT DO NOTHING") else sql


class MysqlSide:
    """A database of a server, through MariaDB's client."""

    def __init__(self, server):
        self.server = server
        self.name = server.database()
        self.uri = server.uri(self.name)

    def make(self, schema):
        self.server.ask(self.name, in_mysql(schema))

    def transaction(self, statements, commit):
        self.server.ask(self.name, "BEGIN;%s;%s;" % (";".join(in_mysql(s) for s in statements), "COMMIT" if commit else "ROLLBACK"))

    def feeds(self):
        return []  # nothing of a feed is in the server

    def rows(self, table):
        return sorted(self.server.ask(self.name, "SELECT * FROM %s" % table), key=repr)

    def sum(self):
        try:
            return int(self.server.ask(self.name, "SELECT sum(balance) FROM account")[0][0])
        except (RuntimeError, TypeError, ValueError, AssertionError):
            return None


class OnMariadb:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mariadb.Server(settings=mariadb.FOLLOWED)
        cls.addClassCleanup(cls.server.stop)


class MariadbToSqlite(OnMariadb, Pair, support.TestCase):
    def sides(self):
        return MysqlSide(self.server), SqliteSide(self, "copy.db")


class SqliteToMariadb(OnMariadb, Pair, support.TestCase):
    def sides(self):
        return SqliteSide(self, "bank.db"), MysqlSide(self.server)


class OnMysql:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mysql.Server(settings={**mariadb.FOLLOWED, "gtid-mode": "ON", "enforce-gtid-consistency": "ON", "binlog-transaction-compression": "ON"})
        cls.addClassCleanup(cls.server.stop)


class MysqlToMysql(OnMysql, Pair, support.TestCase):
    def sides(self):
        return MysqlSide(self.server), MysqlSide(self.server)


# A column's type and values of it: what the log has of them has to be what a query gives.
VALUES = [
    ("tinyint", "-128", "127"), ("tinyint unsigned", "255"), ("smallint", "-32768"), ("smallint unsigned", "65535"), ("mediumint", "-8388608", "8388607"),
    ("mediumint unsigned", "16777215"), ("int", "-2147483648"), ("int unsigned", "4294967295"), ("bigint", "-9223372036854775808"),
    ("bigint unsigned", "18446744073709551615"), ("tinyint(1)", "1"), ("bit(1)", "b'1'"), ("bit(13)", "b'1010101010101'"), ("bit(64)", "0xffffffffffffffff"),
    ("decimal(10,0)", "-1"), ("decimal(38,10)", "-1234567890123456789012345678.0123456789", "0.1"), ("decimal(5,5)", "0.00001", "-0.5"),
    ("decimal(65,30)", "12345678901234567890123456789012345.123456789012345678901234567891"), ("decimal(9,2) unsigned", "0.10"),
    ("float", "0.1", "-1e30", "16777216"), ("double", "0.1", "-1e300", "123456789012345680"), ("float(7,3)", "1.5"), ("year", "1901", "2155", "0"),
    ("date", "'0001-01-01'", "'9999-12-31'", "'0000-00-00'", "'2024-02-29'"), ("time", "'-838:59:59'", "'838:59:59'", "'00:00:00'"),
    ("time(3)", "'-00:00:00.001'", "'-11:22:33.444'", "'12:00:00.5'"), ("time(6)", "'-00:00:01.000001'", "'23:59:59.999999'"),
    ("datetime", "'1000-01-01 00:00:00'", "'0000-00-00 00:00:00'", "'9999-12-31 23:59:59'"), ("datetime(1)", "'2024-01-01 01:02:03.4'"),
    ("datetime(3)", "'2024-01-01 01:02:03.456'"), ("datetime(6)", "'2024-01-01 01:02:03.000001'"), ("timestamp NULL", "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'"),
    ("timestamp(5) NULL", "'2024-06-30 23:59:59.99999'"), ("char(10)", "'a b  '", "''"), ("char(200)", "'\u00e4\U0001f600'"), ("varchar(10)", "'x '"),
    ("varchar(300)", "repeat('\u00e9', 300)"), ("varchar(20) character set latin1", "'\u00e4\u20ac'"), ("text character set utf16", "'\u00e4\U0001f600'"),
    ("tinytext", "'t'"), ("text", "'%s'" % ("y" * 300)), ("mediumtext", "'m'"), ("longtext", "repeat('l', 70000)"), ("binary(6)", "0x610000", "''"),
    ("varbinary(300)", "0x00ff", "repeat(0xff, 290)"), ("tinyblob", "0x00"), ("blob", "0x0001feff"), ("longblob", "repeat(0xfe, 70000)"),
    ("enum('a','b,c','d''e')", "'d''e'", "'b,c'"), ("set('a','b','c''d')", "'a,c''d'", "''"), ("json", "'{\"a\": [1, -2.5, true, null, \"\\u00e4\"], \"b\": {}}'", "'[]'"),
    ("point", "ST_PointFromText('POINT(1 2)')"),
]
JSON = [("json", "json_object('d', cast(1.10 as decimal(5,2)), 't', cast('12:00:00' as time), 'x', cast('2024-01-01 00:00:00.5' as datetime(6)))"),
        ("json", "json_array(1, 40000, -40000, 3000000000, 18446744073709551615, 1e100, 2.0, 1e15, 123456789012345.0, 123456789012345680.0, 0.00001, 1e-14, 1.5e-15, -0.1e0, 1.25e-300)"), ("json", "json_object('k', repeat('v', 70000), 'l', json_array(1, 'z'))")]
OF_MARIADB = [("uuid", "'123e4567-e89b-12d3-a456-426655440000'", "'ffffffff-ffff-4fff-8fff-ffffffffffff'", "'00000000-0000-0000-0000-000000000000'"),
              ("inet6", "'::1'", "'2001:db8::ff00:42:8329'", "'::'"), ("inet4", "'127.0.0.1'", "'0.0.0.0'")]


class Values:
    """The same values in rows that are copied and in rows that are followed: both arrive alike, in a file and in a server."""

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
                first + number, ", ".join(values[number] if number < len(values) else "NULL" for _, values in self.columns), extra), mode="")

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


if __name__ == "__main__":
    unittest.main()
