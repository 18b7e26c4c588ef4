"""What becomes of a followed run when tables of a PostgreSQL source are altered, dropped, made again or made (follow_schema_case.py)."""
import unittest

import support
from follow_schema_case import OfPostgres, PostgresServer
from test_follow import PostgresSide, SqliteSide


class PostgresToPostgres(PostgresServer, OfPostgres, support.TestCase):
    reread = OfPostgres.reread + [("NULL is let in", ["ALTER TABLE t ALTER c DROP NOT NULL", "UPDATE t SET c = NULL WHERE id = 1"])]

    def sides(self):
        return PostgresSide(self, self.server, "source"), PostgresSide(self, self.server, "copy")


class PostgresToSqlite(PostgresServer, OfPostgres, support.TestCase):
    def sides(self):
        return PostgresSide(self, self.server, "source"), SqliteSide(self, "copy%d.db" % self.made)


if __name__ == "__main__":
    unittest.main()
