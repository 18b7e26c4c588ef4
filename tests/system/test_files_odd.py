"""Files as they come: very wide tables, suffixes in capitals, odd delimiters, names and ends.

What was written is read by Python's csv and json modules, never by the program.
"""
import csv
import glob
import json
import os
import random
import resource
import sqlite3

import support

COLUMNS = 60000
WIDE_SECONDS_MAX = 6  # of a processor; about a quarter of a second, and 22 when it was quadratic


class FilesTestCase(support.TestCase):
    def put(self, name, contents):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(contents if isinstance(contents, bytes) else contents.encode())
        return path

    def migrate(self, *arguments, code=0, **more):
        self.state = self.path("state-%d" % len(os.listdir(self.folder)))
        return self.run_program("migrate", "--state", self.state, *arguments, code=code, **more)

    def reasons(self):
        found = []
        for path in sorted(glob.glob(os.path.join(self.state, "rejects", "*"))):
            found += [json.loads(line)["reason"] for line in support.read_lines(path)]
        return found

    def csv_rows(self, folder, table):
        """Of a written table, with the names first."""
        names, rows = None, []
        for path in sorted(glob.glob(self.path(folder, table, "*.csv"))):
            with open(path, encoding="utf-8", newline="") as file:
                found = list(csv.reader(file, strict=True))
            names = found[0]
            rows += found[1:]
        return [names] + rows

    def json_records(self, folder, table):
        records = []
        for path in sorted(glob.glob(self.path(folder, table, "*.jsonl"))):
            records += map(json.loads, support.read_lines(path))
        return records

    def table(self, database, sql):
        db = sqlite3.connect(self.path(database))
        rows = db.execute(sql).fetchall()
        db.close()
        return rows


class Wide(FilesTestCase):
    """Tens of thousands of columns take time in proportion."""

    def setUp(self):
        super().setUp()
        self.names = ["c%d" % number for number in range(COLUMNS)]
        self.shuffled = random.Random(support.SEED).sample(self.names, COLUMNS)
        line = ",".join(map(str, range(COLUMNS)))
        self.put("c/w/1.csv", ",".join(self.names) + "\n" + line + "\n")
        self.put("c/w/2.csv", ",".join(self.shuffled) + "\n" + line + "\n")
        self.put("j/w.jsonl", "".join(json.dumps(dict(zip(names, range(COLUMNS)))) + "\n"
                                      for names in (self.names, self.shuffled)))
        self.expected = [dict(zip(self.names, range(COLUMNS))), dict(zip(self.shuffled, range(COLUMNS)))]

    def quickly(self, *arguments, code=0):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        result = self.migrate(*arguments, code=code)
        seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        self.assertLess(seconds, WIDE_SECONDS_MAX * support.PATIENCE, arguments)
        return result

    def check_csv(self, folder):
        names, *rows = self.csv_rows(folder, "w")
        found = [dict(zip(names, map(int, row))) for row in rows]
        self.assertEqual(sorted(found, key=str), sorted(({name: one[name] for name in names}
                                                         for one in self.expected), key=str))

    def test_csv_to_jsonl_and_on(self):
        self.quickly("csv:c", "jsonl:o")
        self.assertEqual(self.json_records("o", "w"), self.expected)
        self.quickly("jsonl:o", "csv:again")  # by the definition that the first copy left
        self.check_csv("again")

    def test_csv_to_csv(self):
        self.quickly("csv:c", "csv:o")
        self.check_csv("o")

    def test_jsonl(self):
        self.quickly("jsonl:j", "csv:o")
        self.check_csv("o")
        self.quickly("jsonl:j?records=documents", "jsonl:d")
        self.assertEqual(self.json_records("d", "w"), self.expected)

    def test_every_field_named_by_the_plan(self):
        fields = {name: {"column": name, "cast": "text"} for name in self.shuffled}
        plan = {"transhume": 1, "source": "csv:c", "target": "jsonl:o",
                "tables": {"w": {"entities": {"w": {"from": "w", "fields": fields}}}}}
        self.write("plan.json", json.dumps(plan))
        self.quickly("--plan", "plan.json")
        self.assertEqual(self.json_records("o", "w"), [{name: str(one[name]) for name in one}
                                                       for one in self.expected])

    def test_a_target_that_takes_fewer_says_so(self):
        for source in ("csv:c", "jsonl:j"):
            result = self.quickly(source, "sqlite:o.db", code=2)
            self.assertIn("it has 60000 columns; SQLite takes 2000", result.err)
