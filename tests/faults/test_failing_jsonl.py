"""Calls of the C library that fail while JSON lines are written, and while their types are learnt and they are read."""
import base64
import json
import os
import shutil
import unittest

import engines
from engines import rows
from test_failing_calls import FailingCalls as Calls
import support


@unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "sanitizers bring an allocator of their own")
class FailingJsonl(Calls):
    test_sqlite = test_dynamodb_json = test_back_to_sqlite = None

    def records(self, folder):
        tables = {}
        for table in ("child", "parent"):
            lines = [line for name in os.listdir(self.path(folder, table))
                     for line in support.read_lines(self.path(folder, table, name))]
            tables[table] = sorted(json.dumps(json.loads(line, parse_float=str), sort_keys=True) for line in lines)
        return tables

    def test_to_jsonl(self):
        arguments = ["--chunk-rows", "100", "source.db", "jsonl:out?compression=gzip"]
        self.run_program("migrate", *arguments)
        expected = self.records("out")
        held = engines.sqlite.contents(self.path("source.db"))
        rows.assert_same(self, held, engines.jsonl.contents(self.path("out"), held))
        self.every_call(arguments, ("out",), lambda: self.assertEqual(self.records("out"), expected))

    def test_from_jsonl(self):
        self.run_program("migrate", "--state", "first", "source.db", "jsonl:lines")
        shutil.rmtree(self.path("lines", "_transhume"))
        arguments = ["--chunk-rows", "100", "--jobs", "2", "jsonl:lines", "copy.db"]
        self.run_program("migrate", *arguments)
        held = rows.bytes_as_texts(engines.sqlite.contents(self.path("source.db")),
                                   lambda data: base64.b64encode(data).decode())
        rows.assert_same(self, held, engines.sqlite.contents(self.path("copy.db")))
        os.rename(self.path("copy.db"), self.path("expected.db"))
        self.every_call(arguments, ("copy.db", "copy.db-journal"),
                        lambda: self.assert_same_sqlite(self.path("expected.db"), self.path("copy.db")))


del Calls

if __name__ == "__main__":
    unittest.main()
