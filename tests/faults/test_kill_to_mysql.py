"""The kill matrix of runs into MariaDB, and between two databases of it."""
import os
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import engines
from engines import rows
import mariadb
import support
from kill_matrix import KillMatrix, make_source

OPTIONS = ["--chunk-rows", "100", "--jobs", "2", "--exclude", "found*"]


class KillToMysql(KillMatrix):
    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)
        # of its own, and left alone: then a resume can tell that nothing was written
        cls.quiet = mariadb.for_class(cls)

    def setUp(self):
        super().setUp()
        self.target = self.server.database()
        self.shop = self.path("shop.db")
        make_source(self.shop, keyless=True)

    def empty_target(self):
        self.server.ask("", "DROP DATABASE %s; CREATE DATABASE %s" % (self.target, self.target))

    def rows(self, server, name):
        return {table: rows for table, rows in server.rows(name).items() if not table.startswith("_transhume")}

    def whole(self):
        """What a copy that nobody disturbs leaves, seen to hold what the source does."""
        name = self.quiet.database()
        self.assert_code(support.transhume("migrate", "--state", "state-whole", *OPTIONS, self.shop,
                                           self.quiet.uri(name),
                                           cwd=self.folder), 0)
        rows.assert_same(self, engines.sqlite.contents(self.shop, left_out="found"),
                         engines.mysql.contents(self.quiet, name))
        return name, self.rows(self.quiet, name)

    def test_sqlite_to_mysql(self):
        _, expected = self.whole()
        self.matrix([*OPTIONS, self.shop, self.server.uri(self.target)],
                    lambda folder: self.assertEqual(self.rows(self.server, self.target), expected))

    def test_mysql_to_mysql(self):
        source, expected = self.whole()
        self.matrix([*OPTIONS, self.quiet.uri(source), self.server.uri(self.target)],
                    lambda folder: self.assertEqual(self.rows(self.server, self.target), expected))


if __name__ == "__main__":
    unittest.main()
