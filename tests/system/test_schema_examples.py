"""
examples/migrations: each folder is clean by lint, goes up, is what the database looks like then, and goes all the way
down.
"""
import os
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import sql_case
import support

EXAMPLES = os.path.join(support.ROOT, "examples", "migrations")


class Case:
    DIALECT = None

    def schema(self, command, *arguments, code=0):
        return self.run_program("schema", command, *arguments, "--dir", os.path.join(EXAMPLES, self.DIALECT),
                                code=code).out

    def countries(self):
        return [row[0] for row in self.ask("SELECT country FROM customers ORDER BY id")]

    def test_up_and_down(self):
        uri = self.new_target()
        self.assertIn("0 errors, 0 warnings", self.schema("lint", "--dialect", self.DIALECT))
        self.assertIn("CREATE TABLE customers", self.schema("up", uri, "--dry-run"))
        self.assertIn("4 migrations applied", self.schema("up", uri))
        self.assertEqual(self.countries(), ["FR", "DE", "TR"])
        self.assertEqual([(row[0], int(row[1]), float(row[2]))
                          for row in self.ask("SELECT name, orders, total FROM customer_totals ORDER BY id")],
                         [("Ann", 2, 15.5), ("Bob", 0, 0), ("Cem", 1, 7.25)])
        self.schema("drift", uri)
        self.schema("status", uri, "--exit-code")
        self.schema("down", "1", uri, "--confirm")
        self.assertEqual(self.countries(), ["fr", "DE", "tr"])
        self.schema("up", uri)
        self.ask("DROP VIEW customer_totals")
        self.schema("down", uri, "--to", "0", "--confirm")
        self.assertIn("3 pending", self.schema("status", uri))


class OnSqlite(sql_case.SqliteTarget, Case, support.TestCase):
    DIALECT = "sqlite"


class OnPostgres(sql_case.ServerTarget, Case, support.TestCase):
    SERVERS = postgres
    DIALECT = "postgres"


class OnMariadb(sql_case.ServerTarget, Case, support.TestCase):
    SERVERS = mariadb
    DIALECT = "mysql"


if __name__ == "__main__":
    unittest.main()
