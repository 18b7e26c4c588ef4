"""
What becomes of a followed run when tables of a MariaDB or SQLite source are altered, dropped, made again or made
(follow_schema_case.py).
"""
import unittest

import support
from follow_schema_case import MariadbServer, OfMariadb, OfSqlite, PostgresServer
from test_follow import PostgresSide, SqliteSide
from test_follow_mysql import MysqlSide


class MariadbToMariadb(MariadbServer, OfMariadb, support.TestCase):
    def sides(self):
        return MysqlSide(self.maria), MysqlSide(self.maria)

    def test_lists_of_values_grow(self):
        """So do those of the target, unless they have values of their own."""
        self.fresh()
        self.source.make("CREATE TABLE m (id INTEGER PRIMARY KEY, e ENUM('x','y'), s SET('p','q')); "
                         "INSERT INTO m VALUES (1, 'x', 'p');")
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.change(["ALTER TABLE m MODIFY e ENUM('x','y','it''s')", "INSERT INTO m VALUES (2, 'it''s', 'q')",
                     "ALTER TABLE m MODIFY s SET('p','q','r')", "INSERT INTO m VALUES (3, 'y', 'p,r')"])
        self.follow()
        self.assert_same("m", "id, e, s")
        self.target.make("ALTER TABLE m MODIFY e ENUM('x','y','it''s','own');")
        self.change(["ALTER TABLE m MODIFY e ENUM('x','y','it''s','z')", "INSERT INTO m VALUES (4, 'z', 'q')"])
        self.assertIn("1 record", self.follow(code=1).err)
        self.target.make("ALTER TABLE m MODIFY e ENUM('x','y','it''s','z','own');")
        self.follow("--refresh", "m")
        self.assert_same("m", "id, e, s")


class MariadbToPostgres(MariadbServer, PostgresServer, OfMariadb, support.TestCase):
    def sides(self):
        return MysqlSide(self.maria), PostgresSide(self, self.server, "copy")


class SqliteToSqlite(OfSqlite, support.TestCase):
    def sides(self):
        return SqliteSide(self, "bank%d.db" % self.made), SqliteSide(self, "copy%d.db" % self.made)


if __name__ == "__main__":
    unittest.main()
