"""The kill matrix of JSON lines, as target (segments and done log) and as source."""
import json
import os
import unittest

import engines
from engines import rows
from kill_matrix import KillMatrix, make_source, rows_by_table
import support


def records_by_table(folder):
    """{table: [record as canonical text]}; a record twice in a file counts twice."""
    tables = {}
    for table in sorted(os.listdir(folder)):
        if table == "_transhume":
            continue
        records = tables[table] = []
        for name in sorted(os.listdir(os.path.join(folder, table))):
            for line in support.read_lines(os.path.join(folder, table, name)):
                records.append(json.dumps(json.loads(line, parse_float=str, parse_int=int), sort_keys=True))
        records.sort()
    return tables


class KillJsonl(KillMatrix):
    def source(self):
        source = self.path("shop.db")
        make_source(source, keyless=True)
        return source

    def whole_copy(self, source):
        """What a copy that nobody disturbs leaves, seen to hold what the source does."""
        self.assert_code(support.transhume("migrate", "--state", "state-whole", "--exclude", "found*", source,
                                           "jsonl:" + self.path("whole"), cwd=self.folder), 0)
        held = engines.sqlite.contents(source, left_out="found")
        rows.assert_same(self, held, engines.jsonl.contents(self.path("whole"), held))
        return self.path("whole")

    def test_sqlite_to_jsonl(self):
        source = self.source()
        expected = records_by_table(self.whole_copy(source))
        self.matrix(["--chunk-rows", "100", "--jobs", "2", "--exclude", "found*", source, "jsonl:out?file_bytes=2KiB"],
                    lambda folder: self.assertEqual(records_by_table(os.path.join(folder, "out")), expected))

    def test_jsonl_to_sqlite(self):
        source = self.source()
        whole = self.whole_copy(source)
        expected = {table: rows for table, rows in rows_by_table(source).items() if not table.startswith("found")}
        self.matrix(["--chunk-rows", "100", "--jobs", "2", "jsonl:" + whole, "sqlite:copy.db"],
                    lambda folder: self.assertEqual(rows_by_table(os.path.join(folder, "copy.db")), expected))

    def test_dynamodb_json_to_jsonl(self):
        source = self.path("shop.db")
        make_source(source, keyless=False)
        for state, target in (("state-items", "items"), ("state-all", "all")):
            given = [source, "dynamodb-json:items"] if target == "items" else ["dynamodb-json:items", "jsonl:all"]
            self.assert_code(support.transhume("migrate", "--state", state, *given, cwd=self.folder), 0)
        held = engines.sqlite.contents(source)
        rows.assert_same(self, held, engines.jsonl.contents(self.path("all"), held, sparse=True))
        expected = records_by_table(self.path("all"))
        self.matrix(["--chunk-rows", "100", "dynamodb-json:" + self.path("items"), "jsonl:out?compression=zstd"],
                    lambda folder: self.assertEqual(records_by_table(os.path.join(folder, "out")), expected))


if __name__ == "__main__":
    unittest.main()
