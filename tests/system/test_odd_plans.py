"""Plans in odd combinations: what each makes is compared with what is written here."""
import os
import sqlite3
import unittest

import support


class OddPlans(support.TestCase):
    def items(self, script, tables, code=0):
        """What the plan makes of the source, per table, as plain values."""
        support.make_sqlite(self.path("source.db"), script)
        self.write("plan.yaml", "transhume: 1\nsource: sqlite:source.db\ntarget: dynamodb-json:out\ntables:\n" + tables)
        self.run_program("migrate", "--plan", "plan.yaml", code=code)
        return support.read_dynamodb_json(self.path("out"))

    def test_a_column_that_is_named_like_the_star(self):
        found = self.items('CREATE TABLE t(id INTEGER PRIMARY KEY, "*" TEXT, b TEXT); INSERT INTO t VALUES (1, \'x\', \'y\');', """
  things: { key: { partition: id }, from: t, fields: { b: { drop: true }, "*": copy } }
""")
        self.assertEqual(found, {"things": [{"id": {"N": "1"}, "*": {"S": "x"}}]})

    def test_an_attribute_that_is_named_like_the_star(self):
        os.makedirs(self.path("in", "things"))
        self.write("in/things/data-1.json", '{"Item":{"id":{"N":"1"},"*":{"S":"x"},"b":{"S":"y"}}}\n')
        self.write("plan.yaml", """transhume: 1
source: dynamodb-json:in
target: dynamodb-json:out
tables:
  things: { key: { partition: id }, from: things, fields: { id: { column: id, cast: int64 }, b: { drop: true }, "*": copy } }
""")
        self.run_program("migrate", "--plan", "plan.yaml")
        self.assertEqual(support.read_dynamodb_json(self.path("out")),
                         {"things": [{"id": {"N": "1"}, "*": {"S": "x"}}]})


if __name__ == "__main__":
    unittest.main()
