"""The kill matrix of runs from and to folders of CSV."""
import csv
import io
import os
import unittest

import engines
from engines import rows
from kill_matrix import KillMatrix, make_source, rows_by_table
import support


def csv_rows(folder):
    """{table: sorted rows} of a written folder, by Python's csv module; each file has its head."""
    tables = {}
    for table in sorted(os.listdir(folder)):
        if table == "_transhume":
            continue
        rows, heads = [], set()
        for name in sorted(os.listdir(os.path.join(folder, table))):
            text = "\n".join(support.read_lines(os.path.join(folder, table, name))) + "\n"
            found = list(csv.reader(io.StringIO(text, newline=""), strict=True))
            heads.add(tuple(found[0]))
            rows += [tuple(row) for row in found[1:]]
        tables[table] = (heads, sorted(rows))
    return tables


class KillCsv(KillMatrix):
    def source(self):
        source = self.path("shop.db")
        make_source(source, keyless=True)
        self.assert_code(support.transhume("migrate", "--state", "state-whole", "--exclude", "found*", source,
                                           "csv:" + self.path("whole"), cwd=self.folder), 0)
        held = engines.sqlite.contents(source, left_out="found")
        rows.assert_same(self, rows.without_empty(held), engines.csv.contents(self.path("whole"), held))
        return source

    def test_sqlite_to_csv(self):
        """
        Expected is what a copy that nobody disturbs leaves: the bytes, once they are seen to hold what the source does.
        """
        source = self.source()
        expected = csv_rows(self.path("whole"))
        self.matrix(["--chunk-rows", "100", "--jobs", "2", "--exclude", "found*", source, "csv:out?file_bytes=2KiB"],
                    lambda folder: self.assertEqual(csv_rows(os.path.join(folder, "out")), expected))

    def test_csv_to_sqlite(self):
        expected = {table: rows for table, rows in rows_by_table(self.source()).items()
                    if not table.startswith("found")}
        self.matrix(["--chunk-rows", "100", "--jobs", "2", "csv:" + self.path("whole"), "sqlite:copy.db"],
                    lambda folder: self.assertEqual(rows_by_table(os.path.join(folder, "copy.db")), expected))


if __name__ == "__main__":
    unittest.main()
