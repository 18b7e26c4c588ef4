"""Rows of MySQL come in the binary protocol, or as texts where only these say what a value is: both bring the same."""
import json
import os
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import support
import tcp_proxy

COLUMNS = """id int PRIMARY KEY, t tinyint, tu tinyint unsigned, b tinyint(1), s smallint, m mediumint, mu mediumint unsigned, i int, iu int unsigned,
l bigint, lu bigint unsigned, z int(9) zerofill, y year, bits bit(64), one bit(1), f float, d double, n decimal(65,30), nu decimal(20,0) unsigned,
dt date, ti time, ti6 time(6), at datetime, at3 datetime(3), at6 datetime(6), ts timestamp NULL, ts6 timestamp(6) NULL,
c char(5), v varchar(300), vb varbinary(300), bi binary(4), tx text, bl blob, e enum('a','b''c','é'), st set('x','y'), j json, g geometry, u uuid, ip inet6"""
ROWS = (
    "NULL, " * 37 + "NULL",
    "-128, 0, 0, -32768, -8388608, 0, -2147483648, 0, -9223372036854775808, 0, 0, 0, b'0', b'0', -3.4028234e38, "
    "-1.7976931348623157e308, "
    "-99999999999999999999999999999999999.999999999999999999999999999999, 0, '0000-00-00', '-838:59:59', "
    "'-838:59:59.999999', '0000-00-00', '0000-00-00', "
    "'0000-00-00', '0000-00-00', '0000-00-00', '', '', '', '', '', '', 'a', '', '{}', POINT(0, 0), "
    "'00000000-0000-0000-0000-000000000000', '::'",
    "127, 255, 1, 32767, 8388607, 16777215, 2147483647, 4294967295, 9223372036854775807, 18446744073709551615, 7, "
    "2155, b'%s', b'1', 0.1, 0.1, 0.000000000000000000000000000001, "
    "99999999999999999999, '9999-12-31', '838:59:59', '838:59:59.999999', '9999-12-31 23:59:59', "
    "'9999-12-31 23:59:59.999', '9999-12-31 23:59:59.999999', "
    "'2038-01-19 03:14:07', '2038-01-19 03:14:07.999999', 'ééééé', REPEAT('é', 300), REPEAT(X'00FF', 150), "
    "X'00010203', REPEAT('x', 60000), REPEAT(X'80', 60000), 'é', 'x,y', "
    "'{\"a\": [1, null, \"é\"]}', LINESTRING(POINT(1, 2), POINT(3, 4)), 'ffffffff-ffff-ffff-ffff-ffffffffffff', "
    "'fe80::1'" % ("1" * 64),
    "0, 1, 7, 0, 0, 1, 0, 1, 0, 1, 12, 1901, b'1', b'0', -0.0, 5e-324, 1.5, 1, '2024-02-30', '00:00:00', "
    "'00:00:00.000001', '2024-02-30 00:00:00', '2023-00-00 00:00:00.500', "
    "'1000-01-01 00:00:00.000001', '1970-01-01 00:00:01', '2024-02-29 12:00:00.100000', ' a', 'a ', X'2020', 'a', "
    "'\\n', X'0A', 'b''c', 'y', '[]', POINT(-1, 1e300), "
    "'123e4567-e89b-12d3-a456-426614174000', '2001:db8::ff00:42:8329'",
    "0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 12, 2000, b'1', b'0', 16777216, 0.30000000000000004, -0.5, 1, '0001-01-01', "
    "'24:00:00', '-00:00:00.000001', '2024-02-29 23:59:59', '2024-02-29 00:00:00.120', "
    "'2024-02-29 00:00:00', '2000-01-01 00:00:00', '2000-01-01 00:00:00', 'x', 'y', 'z', 'w', 't', 'b', 'a', 'x', "
    "'null', POINT(0, 0), "
    "'123e4567-e89b-12d3-a456-426614174001', '::1'",
)


class Protocols(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        self.server.ask(self.name,
                        "SET sql_mode = 'ALLOW_INVALID_DATES'; SET time_zone = '+00:00'; CREATE TABLE same (%s); "
                        % COLUMNS + "".join(
                            "INSERT INTO same VALUES (%d, %s);" % (number, row) for number, row in enumerate(ROWS)) +
            "CREATE TABLE texts LIKE same; ALTER TABLE texts ADD rounded float(7,4); INSERT INTO texts SELECT *, "
            "0.1 FROM same")

    def executed(self):
        return int(self.server.ask("", "SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'")[0][1])

    def copied(self, table):
        """Lines and rejects, without what names the table; and how many statements were executed for it."""
        before = self.executed()
        result = support.transhume("migrate", self.server.uri(self.name), "jsonl:" + table, "--include", table,
                                   "--state", table + ".state", cwd=self.folder)
        self.assertIn(result.code, (0, 1), result.err)
        lines, rejects = [], []
        for name in sorted(os.listdir(self.path(table, table))):
            lines += [json.loads(line) for line in support.read_lines(self.path(table, table, name))]
        folder = self.path(table + ".state", "rejects")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            rejects += [json.loads(line) for line in support.read_lines(os.path.join(folder, name))]
        return sorted(lines, key=lambda line: line["id"]), rejects, self.executed() - before

    def test_both_bring_the_same(self):
        lines, rejects, executed = self.copied("same")
        self.assertGreater(executed, 0)
        texts, texts_rejects, executed = self.copied("texts")
        self.assertEqual(executed, 0, "a float(7,4) is what its text says")
        self.assertEqual([line.pop("rounded") for line in texts], [0.1] * len(texts))
        self.assertEqual(len(lines) + len(rejects), len(ROWS))
        self.assertGreaterEqual(len(lines), 3)
        self.assertEqual(lines, texts)
        self.assertEqual([[reject["key"], reject["reason"]] for reject in rejects],
                         [[reject["key"], reject["reason"]] for reject in texts_rejects])

    def test_a_query_that_can_not_be_prepared(self):
        """What is wrong with it is said as ever."""
        self.write("plan.yaml",
                   "transhume: 1\nsource: %s\ntarget: jsonl:out\ntables: { t: { entities: { e: { query: 'SELECT id, "
                   "nothing FROM same', fields: { id: copy } } } } }\n"
                   % self.server.uri(self.name))
        result = self.run_program("migrate", "--plan", "plan.yaml", code=2)
        self.assertIn("nothing", result.err)

    def test_a_statement_limit_of_the_server(self):
        """max_prepared_stmt_count reached: the text protocol needs none."""
        limit = self.server.ask("", "SELECT @@GLOBAL.max_prepared_stmt_count")[0][0]
        self.server.ask("", "SET GLOBAL max_prepared_stmt_count = 0")
        self.addCleanup(self.server.ask, "", "SET GLOBAL max_prepared_stmt_count = " + limit)
        lines, rejects, executed = self.copied("same")
        self.assertEqual(executed, 0)
        self.assertEqual(len(lines) + len(rejects), len(ROWS))

    def test_a_deadlock_while_it_prepares(self):
        """
        It has ended the transaction, and the snapshot with it: nothing is read beside that, and the run lets go; it can
        be resumed.
        """
        with tcp_proxy.RefusingProxy(self.server.port, "SELECT", 1213, "40001", "Deadlock found",
                                     tcp_proxy.RefusingProxy.PREPARE, 1) as proxy:
            uri = self.server.uri(self.name, "?sslmode=disable", via=proxy)
            result = support.transhume("migrate", "--jobs", "1", "--include", "same", uri, "jsonl:deadlock",
                                       cwd=self.folder)
            self.assertEqual(proxy.refused, 1)
        self.assert_code(result, 3)
        self.assertIn("somebody waits to alter or lock a table", result.err)
        self.assertIn("Deadlock found", result.err)
        resumed = support.transhume("resume", self.server.uri(self.name), "jsonl:deadlock", cwd=self.folder)
        self.assertIn(resumed.code, (0, 1), resumed.err)


if __name__ == "__main__":
    unittest.main()
