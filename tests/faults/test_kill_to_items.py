"""The kill matrix of runs whose target has no transactions: DynamoDB-JSON folders and the toy."""
import os
import unittest

from kill_matrix import TABLES_PLAN, KillMatrix, make_source, plain_items, rows_by_table
import support
from chinook_expected import Expectation

CHINOOK_PLAN = os.path.join(support.ROOT, "examples", "chinook", "transhume.yaml")


class KillToItems(KillMatrix):
    def test_sqlite_to_dynamodb_json(self):
        source = self.path("shop.db")
        make_source(source, keyless=False)
        expected = plain_items(source)
        self.matrix(["--chunk-rows", "100", "--jobs", "2", source, "dynamodb-json:out"],
                    lambda folder: self.assert_items(expected, os.path.join(folder, "out")))

    def test_chinook_to_dynamodb_json(self):
        source = support.musicshop(self.path("shop.db"))
        expected = Expectation(source).tables()
        self.matrix(["--plan", CHINOOK_PLAN, "--state", ".transhume", "--chunk-rows", "500", source,
                     "dynamodb-json:out"],
                    lambda folder: self.assert_items(expected, os.path.join(folder, "out")))

    def test_toy_to_dynamodb_json(self):
        source, _, toy = self.toy_source()
        expected = plain_items(source)
        self.matrix(["--chunk-rows", "100", "toy:" + toy, "dynamodb-json:out"],
                    lambda folder: self.assert_items(expected, os.path.join(folder, "out")), self.toy)

    def test_sqlite_to_toy(self):
        source = self.path("shop.db")
        make_source(source, keyless=False)
        expected = rows_by_table(source)

        def check(folder):
            back = os.path.join(folder, "back.db")
            with open(os.path.join(folder, "back.yaml"), "w", encoding="utf-8") as plan:
                plan.write(TABLES_PLAN % ("toy:toy", "back.db"))
            self.assert_code(support.transhume("migrate", "--plan", "back.yaml", "--state", "state-back",
                                               cwd=folder, env=self.toy), 0)
            self.assertEqual(rows_by_table(back), expected)

        self.matrix(["--chunk-rows", "100", "--jobs", "2", source, "toy:toy"], check, self.toy)


if __name__ == "__main__":
    unittest.main()
