"""A disk that becomes full while a folder of files is written: data, ledger, definitions.

From one call on every call of its kind fails with ENOSPC, as on a disk that stays full. The run ends with exit status
3,
one clear line and what to do, never with rejects; once there is room, a resume makes the target whole.
"""
import errno
import json
import os
import random
import unittest

import failing
import support

CALLS = ("write", "short", "open", "sync", "rename")
CASES = 60 if support.SOAK else 2
FOR_EVER = 1000000
TARGETS = ("csv:filled", "jsonl:filled", "jsonl:filled?compression=gzip", "csv:filled?compression=zstd&file_bytes=1KiB")
SCRIPT = """
CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT, price NUMERIC(10,2));
CREATE TABLE child(a TEXT, n INTEGER, parent_id INTEGER REFERENCES parent(id), PRIMARY KEY (a, n)) WITHOUT ROWID;
WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 300)
INSERT INTO parent SELECT x * 3, 'name ' || x, x / 100.0 FROM i;
INSERT INTO child SELECT 'k' || (id % 7), id, id FROM parent;
"""


@unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "sanitizers bring an allocator of their own")
class DiskFull(failing.FailingTestCase):
    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), SCRIPT)

    def contents(self):
        """Lines of all tables; of CSV without the names."""
        tables = {}
        for table in ("child", "parent"):
            tables[table] = []
            for name in os.listdir(self.path("filled", table)):
                lines = list(support.read_lines(self.path("filled", table, name)))
                tables[table] += lines[1:] if ".csv" in name else [json.dumps(json.loads(line)) for line in lines]
            tables[table].sort()
        return tables

    def rejects(self):
        folder = self.path(".transhume", "rejects")
        return os.listdir(folder) if os.path.isdir(folder) else []

    def one_case(self, arguments, call, at, expected):
        self.clean("filled", ".transhume")
        env = self.failing(call, at, FOR_EVER, errno.ENOSPC, path="filled/")
        result = support.transhume("migrate", *arguments, cwd=self.folder, env=env)
        if result.code != 0:
            self.assert_code(result, 3)
            errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
            self.assertEqual(len(errors), 1, result.err)
            self.assertRegex(errors[0], r"filled\b.*\[disk-full\]$")
            self.assertEqual(self.rejects(), [])
            # As long as there is no room a resume says the same, and spoils nothing.
            again = support.transhume("resume", *arguments, cwd=self.folder,
                                      env=self.failing(call, 0, FOR_EVER, errno.ENOSPC, path="filled/"))
            self.assertIn(again.code, (0, 2, 3), again.err)  # 0: only the last sync was missing
            resumed = support.transhume("resume", *arguments, cwd=self.folder)
            self.assertIn(resumed.code, (0, 2), resumed.err)  # 2: it had not begun
            self.assertEqual("resume" in result.err, resumed.code == 0, result.err + resumed.err)
            self.to_the_end(*arguments)
        self.assertEqual(self.contents(), expected)
        return result.code != 0

    def test_each_place(self):
        generator = random.Random("%d/full" % support.SEED)
        for target in TARGETS:
            arguments = ["--chunk-rows", "100", "source.db", target]
            self.clean("filled", ".transhume")
            self.run_program("migrate", *arguments)
            expected = self.contents()
            self.assertEqual({table: len(lines) for table, lines in expected.items()}, {"child": 300, "parent": 300})
            for call in CALLS:
                self.clean("filled", ".transhume")
                calls = self.calls(call, "migrate", *arguments, path="filled/")
                self.assertGreater(calls, 0, call)
                failures = 0
                places = {0, calls - 1} | {generator.randrange(calls) for _ in range(CASES)}
                for at in sorted(places):
                    with self.case("sqlite to %s" % target.partition(":")[0], "call", target=target, place=(call, at)):
                        failures += self.one_case(arguments, call, at, expected)
                self.assertGreater(failures, 0, "no %s that failed was noticed" % call)


if __name__ == "__main__":
    unittest.main()
