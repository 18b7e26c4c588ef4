"""The kill matrix of runs out of MariaDB, and between it and PostgreSQL."""
import os
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import engines
from engines import rows
import mariadb
import postgres
import support
from kill_matrix import KillMatrix, make_source, rows_by_table
from test_kill_postgres import dump

OPTIONS = ["--chunk-rows", "100", "--jobs", "2", "--exclude", "found*"]


class KillFromMysql(KillMatrix):
    """No server is written into while it is a source: then a resume can tell that it is unchanged."""

    @classmethod
    def setUpClass(cls):
        cls.mysql = mariadb.for_class(cls)
        cls.postgres = postgres.for_class(cls, settings={"autovacuum": "off"})

    def server_of(self, kind):
        return {"postgres": self.postgres, "mysql": self.mysql}[kind]

    def copied(self, source, target, held):
        """A copy that nobody disturbs; what `held` tells of it is what the shop holds."""
        self.assert_code(support.transhume("migrate", "--state", "state-of-" + str(target).split(":")[0], *OPTIONS,
                                           source, target,
                                           cwd=self.folder), 0)
        rows.assert_same(self, engines.sqlite.contents(self.path("shop.db"), left_out="found"), held())

    def shop(self, server, contents_in):
        """A database that holds the shop."""
        make_source(self.path("shop.db"), keyless=True)
        name = server.database()
        self.copied(self.path("shop.db"), server.uri(name), lambda: contents_in(server, name))
        return name

    def dump_mysql(self, name):
        return {table: rows for table, rows in self.mysql.rows(name).items() if not table.startswith("_transhume")}

    def test_mysql_to_sqlite(self):
        source = self.mysql.uri(self.shop(self.mysql, engines.mysql.contents))
        self.copied(source, "sqlite:back.db", lambda: engines.sqlite.contents(self.path("back.db")))
        expected = rows_by_table(self.path("back.db"))
        self.matrix([*OPTIONS, source, "sqlite:copy.db"],
                    lambda folder: self.assertEqual(rows_by_table(os.path.join(folder, "copy.db")), expected))

    def test_mysql_to_postgres(self):
        source = self.mysql.uri(self.shop(self.mysql, engines.mysql.contents))
        whole, target = self.postgres.database(), self.postgres.database()
        self.copied(source, self.postgres.uri(whole), lambda: engines.postgres.contents(self.postgres, whole))
        expected = dump(self.postgres, whole)
        self.empty_target = lambda: self.postgres.psql(target, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        self.everything = lambda: (self.postgres.rows(target), self.postgres.dump(target))
        self.matrix([*OPTIONS, source, self.postgres.uri(target)],
                    lambda folder: self.assertEqual(dump(self.postgres, target), expected))

    def test_postgres_to_mysql(self):
        source = self.postgres.uri(self.shop(self.postgres, engines.postgres.contents))
        whole, target = self.mysql.database(), self.mysql.database()
        self.copied(source, self.mysql.uri(whole), lambda: engines.mysql.contents(self.mysql, whole))
        expected = self.dump_mysql(whole)
        self.empty_target = lambda: self.mysql.ask("", "DROP DATABASE %s; CREATE DATABASE %s" % (target, target))
        self.everything = lambda: (self.mysql.rows(target), self.mysql.dump(target))
        self.matrix([*OPTIONS, source, self.mysql.uri(target)],
                    lambda folder: self.assertEqual(self.dump_mysql(target), expected))


if __name__ == "__main__":
    unittest.main()
