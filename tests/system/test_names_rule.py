"""`names:` of a plan and `--names`: what tables and columns are called that no plan names."""
import json
import sqlite3
import unittest

import support

SOURCE = """CREATE TABLE "Order Head"("OrderNo" INTEGER PRIMARY KEY, "HTTPServer" TEXT NOT NULL, "Address2" TEXT, "already_so" TEXT);
CREATE TABLE OrderLine("LineNo" INTEGER PRIMARY KEY, "OrderNo" INTEGER NOT NULL REFERENCES "Order Head"("OrderNo"), "Ünit-Price" REAL);
CREATE INDEX ByOrder ON OrderLine("OrderNo");
CREATE VIEW Names AS SELECT "HTTPServer" FROM "Order Head";
INSERT INTO "Order Head" VALUES(1, 'a', 'b', 'c'), (2, 'd', NULL, NULL);
INSERT INTO OrderLine VALUES(10, 1, 1.5), (11, 2, NULL);
"""


class NamesRule(support.TestCase):
    def setUp(self):
        super().setUp()
        self.make(SOURCE)

    def make(self, script):
        with sqlite3.connect(self.path("src.db")) as database:
            database.executescript(script)
        database.close()

    def ask(self, statement):
        database = sqlite3.connect(self.path("out.db"))
        try:
            return database.execute(statement).fetchall()
        finally:
            database.close()

    def columns(self, table):
        return [row[1] for row in self.ask('PRAGMA table_info("%s")' % table)]

    def copy(self, *arguments, code=0):
        return self.run_program("migrate", *arguments, "sqlite:src.db", "sqlite:out.db", code=code)

    def test_snake(self):
        told = self.run_program("check", "--names", "snake", "sqlite:src.db", "sqlite:out.db")
        self.assertIn("the view is not carried", told.out + told.err)
        self.copy("--names", "snake")
        self.assertEqual(self.columns("order_head"), ["order_no", "http_server", "address2", "already_so"])
        self.assertEqual(self.columns("order_line"), ["line_no", "order_no", "ünit_price"])
        self.assertEqual(self.ask("SELECT * FROM order_line ORDER BY 1"), [(10, 1, 1.5), (11, 2, None)])
        self.assertEqual([row[2:5] for row in self.ask('PRAGMA foreign_key_list("order_line")')],
                         [("order_head", "order_no", "order_no")])
        self.assertEqual([row[2] for row in self.ask('PRAGMA index_info("ByOrder")')], ["order_no"])
        self.assertEqual(self.ask("SELECT count(*) FROM sqlite_master WHERE type = 'view'"), [(0,)])
        self.run_program("validate", "--level", "full")

    def test_lower_is_remembered_by_the_run(self):
        self.copy("--names", "lower")
        self.assertEqual(self.columns("orderline"), ["lineno", "orderno", "ünit-price"])
        self.run_program("validate", "--level", "full")
        run = json.loads(self.run_program("status", "--json").out)["run"]
        self.run_program("rollback", "--run", run, "--confirm")
        self.assertEqual(self.ask("SELECT name FROM sqlite_master WHERE name LIKE 'order%'"), [])

    def test_patterns_and_prefix(self):
        self.write("p.yaml", """transhume: 1
source: sqlite:src.db
target: sqlite:out.db
names:
  letters: snake
  prefix: crm_
  tables: { "Order Head": sale, "Nothing*": "x_*" }
  columns: { LineNo: id, "*No": "*_number" }
""")
        self.run_program("migrate", "--plan", "p.yaml")
        self.assertEqual(self.columns("sale"), ["order_number", "http_server", "address2", "already_so"])
        self.assertEqual(self.columns("crm_order_line"), ["id", "order_number", "ünit_price"])
        self.run_program("validate", "--plan", "p.yaml", "--level", "full")

    def test_columns_of_a_plan_with_tables(self):
        """What the plan names keeps the name that it gives."""
        self.write("p.yaml", """transhume: 1
source: sqlite:src.db
target: sqlite:out.db
names: snake
tables:
  Lines:
    from: OrderLine
    fields:
      "*": copy
      Price: { column: "Ünit-Price" }
      "Ünit-Price": { drop: true }
""")
        self.run_program("migrate", "--plan", "p.yaml")
        self.assertEqual(self.columns("Lines"), ["line_no", "order_no", "Price"])

    def test_two_that_become_one_are_refused(self):
        self.make('CREATE TABLE order_line(id INTEGER PRIMARY KEY); CREATE TABLE t(Ab INT, "A-b" INT, "a b" INT);')
        told = self.copy("--names", "snake", code=2)
        self.assertIn("'OrderLine' and 'order_line' would both be named 'order_line'", told.err)
        self.assertIn("t: 'A-b' and 'a b' would both be named 'a_b'", told.err)
        self.copy("--names", "snake", "--exclude", "order_line", "--exclude", "t")

    def test_what_names_nothing_new_is_a_plain_copy(self):
        """Where no name changes, views go along as ever."""
        self.run_program("migrate", "--names", "keep", "sqlite:src.db", "sqlite:out.db")
        self.assertEqual(self.ask("SELECT count(*) FROM sqlite_master WHERE type = 'view'"), [(1,)])

    def test_patterns_that_can_not_be_told(self):
        self.write("p.yaml", """transhume: 1
source: sqlite:src.db
target: sqlite:out.db
names: { tables: { "*a*": "x_*" }, columns: { a: "" } }
""")
        told = self.run_program("check", "--plan", "p.yaml", code=2)
        self.assertIn("it can't be told what * is in 'x_*'", told.err)
        self.assertIn("a name can't be empty", told.err)


if __name__ == "__main__":
    unittest.main()
