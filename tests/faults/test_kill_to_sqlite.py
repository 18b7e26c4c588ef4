"""The kill matrix of runs whose target is a SQLite file: done marks and data in one commit."""
import os
import unittest

from kill_matrix import TABLES_PLAN, KillMatrix, make_source, rows_by_table


class KillToSqlite(KillMatrix):
    def test_sqlite_to_sqlite(self):
        source = self.path("shop.db")
        make_source(source, keyless=True)
        self.matrix(["--chunk-rows", "100", source, "sqlite:copy.db"],
                    lambda folder: self.assert_same_sqlite(source, os.path.join(folder, "copy.db")))

    def test_sqlite_to_sqlite_general_path(self):
        source = self.path("shop.db")
        make_source(source, keyless=True)
        self.matrix(["--chunk-rows", "100", "--no-express", "--jobs", "3", source, "sqlite:copy.db"],
                    lambda folder: self.assert_same_sqlite(source, os.path.join(folder, "copy.db")))

    def test_toy_to_sqlite(self):
        source, expected, toy = self.toy_source()
        plan = self.write("toy.yaml", TABLES_PLAN % ("toy:" + toy, "copy.db"))
        self.matrix(["--plan", plan, "--state", ".transhume", "--chunk-rows", "100", "toy:" + toy,
                     "sqlite:copy.db"],
                    lambda folder: self.assertEqual(rows_by_table(os.path.join(folder, "copy.db")), expected),
                    self.toy)


if __name__ == "__main__":
    unittest.main()
