"""Options that no other module has: each is given once, and what it says happens. And every option of the command line
is named
in some test, since an option that nobody tries is one that may do anything.
"""
import json
import os
import re
import sqlite3
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import postgres
import support

TESTS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
OPTIONS = os.path.join(os.path.dirname(TESTS), "src", "cli", "options.def")


def test_texts():
    for folder, _, names in os.walk(TESTS):
        for name in names:
            if name.endswith((".py", ".c")):
                with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                    yield file.read()


class EveryOption(unittest.TestCase):
    def test_is_named_in_a_test(self):
        with open(OPTIONS, encoding="utf-8") as file:
            options = re.findall(r'CLI_OPTION\(\w+,\s*"([a-z-]+)"', file.read())
        self.assertGreater(len(options), 100)
        text = "\n".join(test_texts())
        self.assertEqual([name for name in options if not re.search(r"--%s(?![a-z-])" % re.escape(name), text)], [])


class SchemaOptions(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = postgres.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.database = self.server.database()
        self.uri = self.server.uri(self.database)
        os.mkdir(self.path("migrations"))

    def states(self, *arguments):
        told = json.loads(self.run_program("schema", "status", *arguments, "--json", self.uri).out)
        return [row["state"] for row in told["migrations"]]

    def test_history_in_another_schema(self):
        self.write("migrations/001_t.up.sql", "CREATE TABLE t(id int PRIMARY KEY);\n")
        self.server.psql(self.database, "CREATE SCHEMA history")
        self.run_program("schema", "up", "-q", "--history-schema", "history", self.uri)
        self.assertEqual(self.server.psql(self.database, "SELECT DISTINCT table_schema FROM information_schema.tables "
                                                         "WHERE table_name LIKE '\\_transhume\\_schema%'"),
                         [["history"]])
        self.assertEqual(self.states("--history-schema", "history"), ["applied"])
        self.assertEqual(self.states(), ["pending"])

    def test_a_statement_that_takes_too_long(self):
        self.write("migrations/001_t.up.sql", "CREATE TABLE t(id int PRIMARY KEY);\nSELECT pg_sleep(60);\n")
        began = time.monotonic()
        result = self.run_program("schema", "up", "-q", "--statement-timeout", "300ms", self.uri, code=3)
        self.assertLess(time.monotonic() - began, 30)
        self.assertIn("001_t.up.sql", result.err)
        self.assertEqual(self.server.psql(self.database, "SELECT to_regclass('t') IS NULL"), [["t"]])

    def test_whose_layout_a_folder_has(self):
        """Flyway's names are no names of goose."""
        self.write("migrations/V1__t.sql", "CREATE TABLE t(id int PRIMARY KEY);\n")
        result = self.run_program("schema", "up", "-q", "--from", "nobody", self.uri, code=2)
        self.assertIn("nobody", result.err)
        self.run_program("schema", "up", "-q", "--from", "flyway", self.uri)
        self.assertEqual(self.states("--from", "flyway"), ["applied"])

    def test_plain_forms_of_statements(self):
        other = self.server.database()
        self.server.psql(self.database, "CREATE TABLE t(id int PRIMARY KEY, v int)")
        self.server.psql(other, "CREATE TABLE t(id int PRIMARY KEY, v int); CREATE INDEX by_v ON t(v)")
        self.assertIn("CREATE INDEX CONCURRENTLY", self.run_program("schema", "diff", self.uri,
                                                                    self.server.uri(other)).out)
        told = self.run_program("schema", "diff", "--blocking", self.uri, self.server.uri(other)).out
        self.assertIn("CREATE INDEX", told)
        self.assertNotIn("CONCURRENTLY", told)


class Pace(support.TestCase):
    def test_batches_that_leave_room(self):
        """So many times as long as each took nothing is done."""
        support.make_sqlite(self.path("a.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);"
                            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) INSERT "
                            "INTO t SELECT i, i FROM n")
        self.write("001_c.change.yaml", "operations:\n- alter_column: {table: t, column: v, type: INTEGER}\n")
        took = []
        for nice in ("0", "30"):
            began = time.monotonic()
            self.run_program("change", "start", "-q", "--nice", nice, "001_c.change.yaml", "a.db")
            took.append(time.monotonic() - began)
            self.run_program("change", "abort", "-q", "a.db")
        self.assertGreater(took[1], took[0])


class Designer(support.TestCase):
    def test_bytes_weigh_more(self):
        """The same design costs more where what it stores twice is weighed."""
        support.musicshop(self.path("shop.db"))
        self.write("q.sql",
                   "SELECT i.InvoiceId, c.LastName FROM Invoice i JOIN Customer c ON c.CustomerId = i.CustomerId WHERE "
                   "i.CustomerId = ?;\n")
        costs = []
        for options in ((), ("--minimize-duplication",)):
            told = self.run_program("analyze", "shop.db", "--queries", "q.sql", "--out", "out%d" % len(costs),
                                    *options).out
            costs.append(float(re.search(r"^ +cost +([0-9.]+)$", told, re.MULTILINE).group(1)))
        self.assertGreater(costs[1], costs[0])


if __name__ == "__main__":
    unittest.main()
