"""What becomes of a followed run when tables of a MariaDB or SQLite source are altered, dropped, made again or made (follow_schema_case.py)."""
import unittest

import support
from follow_schema_case import MariadbServer, OfMariadb, OfSqlite, PostgresServer
from test_follow import PostgresSide, SqliteSide
from test_follow_mysql import MysqlSide


class MariadbToMariadb(MariadbServer, OfMariadb, support.TestCase):
    def sides(self):
        return MysqlSide(self.maria), MysqlSide(self.maria)


class MariadbToPostgres(MariadbServer, PostgresServer, OfMariadb, support.TestCase):
    def sides(self):
        return MysqlSide(self.maria), PostgresSide(self, self.server, "copy")


class SqliteToSqlite(OfSqlite, support.TestCase):
    def sides(self):
        return SqliteSide(self, "bank%d.db" % self.made), SqliteSide(self, "copy%d.db" % self.made)


if __name__ == "__main__":
    unittest.main()
