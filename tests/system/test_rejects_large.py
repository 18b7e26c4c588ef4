"""Rejects that are large, or lack what could not be made: never loaded as if nothing were missing."""
import copy
import json
import os
import re
import sqlite3
import subprocess
import unittest

import refusals
import support

BOUND_KIB = 64 << 10


class LargeRejects(refusals.TestCase):
    def measured(self, *arguments, code=0, bound_kib=BOUND_KIB):
        report = self.path("measure.json")
        result = subprocess.run([os.path.join(support.BUILD, "measure"), report, support.PROGRAM, *arguments],
                                cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                timeout=120 * support.PATIENCE)
        with open(report, encoding="ascii") as file:
            figures = json.load(file)
        os.unlink(report)
        self.assertEqual(figures["exit"], code, result.stderr.decode("utf-8", "replace")[-3000:])
        if not os.environ.get("TRANSHUME_SANITIZE"):
            self.assertLessEqual(figures["peak_kib"], bound_kib)

    def make_source(self, *values):
        db = sqlite3.connect(self.path("source.db"))
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, b)")
        db.executemany("INSERT INTO t VALUES (?, ?, ?)", [(i + 1, "n%d" % (i + 1), value)
                                                          for i, value in enumerate(values)])
        db.commit()
        db.close()

    def mend(self, change):
        """What was rejected at first, changed, as one file."""
        if not hasattr(self, "first"):
            self.first = self.rejects()
        rejects = copy.deepcopy(self.first)
        for reject in rejects:
            change(reject["record"])
        with open(self.path("mended.jsonl"), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(reject) + "\n" for reject in rejects)

    def test_a_value_that_the_target_refused_comes_back_whole(self):
        size = 40 << 20
        blob = os.urandom(1 << 20) * (size >> 20) + b"end"
        text = ("\u00e4\"\\\n\x01\U0001f600x" * ((3 << 20) // 12)) + "end"
        self.make_source(blob, b"small", text)
        support.make_sqlite(self.path("copy.db"),
                            "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT CHECK (name NOT IN ('n1', 'n3')), b);")
        self.measured("migrate", "--no-express", "--jobs", "1", "source.db", "copy.db", code=1)
        self.assertEqual(len(self.rejects()), 2)
        self.mend(lambda record: record.update(name="mended"))
        # A line is read whole: twice the text and the value that it stands for.
        self.measured("migrate", "--rejects", "mended.jsonl", "source.db", "copy.db",
                      bound_kib=BOUND_KIB + 5 * (size >> 10))
        db = sqlite3.connect(self.path("copy.db"))
        self.addCleanup(db.close)
        rows = dict(db.execute("SELECT id, b FROM t"))
        self.assertTrue(rows[1] == blob and rows[2] == b"small" and rows[3] == text)

    def test_a_value_beside_one_that_could_not_be_made(self):
        blob = os.urandom(1 << 20) * 20
        self.make_source(b"a" * 100, blob, bytes(20 << 20))
        self.write("transhume.yaml", """transhume: 1
source: sqlite:source.db
target: sqlite:copy.db
tables:
  t: { key: [id], from: t, fields: { id: copy, n: { column: name, cast: int64 }, b: copy } }
""")
        self.measured("migrate", code=1)
        self.assertEqual([list(reject["record"]["n"]) for reject in self.rejects()], [["$omitted", "was"]] * 3)
        self.mend(lambda record: record.update(n=record["id"]))
        self.run_program("migrate", "--rejects", "mended.jsonl")
        db = sqlite3.connect(self.path("copy.db"))
        self.addCleanup(db.close)
        rows = dict(db.execute("SELECT n, b FROM t"))
        self.assertTrue(rows == {1: b"a" * 100, 2: blob, 3: bytes(20 << 20)}, "a value came back as another one")

    def test_a_value_that_could_not_be_kept(self):
        # A record with embedded lists is made as a whole, of at most 16 MiB.
        self.make_source(b"a" * 100, bytes(20 << 20))
        with sqlite3.connect(self.path("source.db")) as db:
            db.execute("CREATE TABLE child(id INTEGER PRIMARY KEY, t INT REFERENCES t(id))")
        db.close()
        self.write("transhume.yaml", """transhume: 1
source: sqlite:source.db
target: dynamodb-json:out
tables:
  things: { key: { partition: id }, from: t, fields: { id: copy, b: copy, L: { embed: child, fields: { id: copy } } } }
""")
        self.measured("migrate", code=1)
        (reject,) = self.rejects()
        self.assertEqual(list(reject["record"]["b"]), ["$omitted"])
        self.assertIn("20971520 bytes", reject["record"]["b"]["$omitted"])
        self.mend(lambda record: None)
        result = self.run_program("migrate", "--rejects", "mended.jsonl", code=2)
        self.assertRegex(result.err, r"mended\.jsonl:1: a value is not in the reject \(b: .*20971520 bytes")
        self.assertEqual(len(support.read_dynamodb_json(self.path("out"))["things"]), 1)
        self.mend(lambda record: record.update(b="mended"))
        self.run_program("migrate", "--rejects", "mended.jsonl")
        items = support.items_by_key(support.read_dynamodb_json(self.path("out"))["things"], "id")
        self.assertEqual(items[("2",)], {"id": {"N": "2"}, "b": {"S": "mended"}, "L": {"L": []}})

    def test_a_list_that_grew_too_large(self):
        support.make_sqlite(self.path("source.db"), """
            CREATE TABLE parent(id INTEGER PRIMARY KEY);
            CREATE TABLE child(id INTEGER PRIMARY KEY, parent INT REFERENCES parent(id), v TEXT);
            INSERT INTO parent VALUES (1), (2);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
            INSERT INTO child SELECT i, CASE i WHEN 1 THEN 1 ELSE 2 END, hex(zeroblob(3000)) FROM n;""")
        self.write("transhume.yaml", """transhume: 1
source: sqlite:source.db
target: dynamodb-json:out
tables:
  things:
    key: { partition: id }
    from: parent
    fields: { id: copy, Children: { embed: child, fields: { id: copy, v: copy } } }
""")
        self.run_program("migrate", code=1)
        (reject,) = self.rejects()
        self.assertEqual(reject["code"], "record-too-large")
        self.assertEqual(list(reject["record"]["Children"]), ["$omitted"])
        self.mend(lambda record: None)
        result = self.run_program("migrate", "--rejects", "mended.jsonl", code=2)
        self.assertIn("mended.jsonl:1: a value is not in the reject (Children: ", result.err)
        self.assertEqual(len(support.read_dynamodb_json(self.path("out"))["things"]), 1)
        self.mend(lambda record: record.update(Children=[{"id": 2, "v": "the first"}]))
        self.run_program("migrate", "--rejects", "mended.jsonl")
        items = support.items_by_key(support.read_dynamodb_json(self.path("out"))["things"], "id")
        self.assertEqual(items[("2",)]["Children"], {"L": [{"M": {"id": {"N": "2"}, "v": {"S": "the first"}}}]})

    def test_a_page_that_grew_too_large(self):
        support.make_sqlite(self.path("source.db"), """
            CREATE TABLE parent(id INTEGER PRIMARY KEY);
            CREATE TABLE child(id INTEGER PRIMARY KEY, parent INT REFERENCES parent(id), v TEXT);
            INSERT INTO parent VALUES (1);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3001)
            INSERT INTO child SELECT i, 1, hex(zeroblob(3000)) FROM n;""")
        self.write("transhume.yaml", """transhume: 1
source: sqlite:source.db
target: dynamodb-json:out
tables:
  things:
    key: { partition: PK, sort: SK }
    entities:
      p: { from: parent, fields: { PK: "P#{id}", SK: M, L: { embed: child, when: "1 = 0", order: id, fields: { id: copy, v: copy } } } }
      page: { pages: p.L, size: 3000, fields: { PK: "P#{id}", SK: "{$page}", L: { column: $list } } }
""")
        self.run_program("migrate", code=1)
        (reject,) = self.rejects()
        self.assertEqual(list(reject["record"]["L"]), ["$omitted"], str(reject)[:300])
        self.mend(lambda record: None)
        self.run_program("migrate", "--rejects", "mended.jsonl", code=2)
        self.assertEqual(len(support.read_dynamodb_json(self.path("out"))["things"]), 2)

    def test_every_other_record_is_refused(self):
        # What is noted of a chunk does not grow with its rejects; equal keys are found all the same.
        rows = 20000
        support.make_sqlite(self.path("source.db"), """
            CREATE TABLE t(id INTEGER PRIMARY KEY, k INT, v REAL);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
            INSERT INTO t SELECT i, CASE i WHEN 401 THEN 201 WHEN %d THEN 203 ELSE i END,
            CASE i %% 2 WHEN 0 THEN 9e999 ELSE i END FROM n;""" % (rows, rows - 1))
        self.write("transhume.yaml", """transhume: 1
source: sqlite:source.db
target: dynamodb-json:out
tables:
  things: { key: { partition: k }, from: t, fields: { k: copy, id: copy, v: copy } }
""")
        self.run_program("migrate", "--chunk-rows", "100000", code=1)
        with open(self.path("out", "_transhume", "ledger.log"), "rb") as file:
            marks = [int(line.split()[1]) for line in file.readlines() if re.match(rb"\d+ \d+ run/[^/]+/done/", line)]
        self.assertEqual(len(marks), 1)
        self.assertLess(marks[0], 40000)
        items = support.items_by_key(support.read_dynamodb_json(self.path("out"))["things"], "k")
        self.assertEqual(sorted(int(item["id"]["N"]) for item in items.values()),
                         [i for i in range(1, rows, 2) if i not in (401, rows - 1)])
        rejects = self.rejects()
        self.assertEqual(len(rejects), rows // 2 + 2)
        equal = sorted((reject["record"]["id"], reject["record"]["k"], reject["record"]["v"]["$decimal"]
                        if isinstance(reject["record"]["v"], dict) else reject["record"]["v"])
                       for reject in rejects if reject["code"] == "key-duplicate")
        self.assertEqual([(int(i["$decimal"]) if isinstance(i, dict) else i) for i, _, _ in equal], [401, rows - 1])

    def test_fields_that_could_not_be_made(self):
        self.make_source("12", "twelve")
        self.write("transhume.yaml", """transhume: 1
source: sqlite:source.db
target: sqlite:copy.db
tables:
  t: { key: [id], from: t, fields: { id: copy, n: { column: b, cast: int64 } } }
""")
        self.run_program("migrate", code=1)
        (reject,) = self.rejects()
        self.assertEqual(list(reject["record"]["n"]), ["$omitted", "was"])
        self.mend(lambda record: None)
        result = self.run_program("migrate", "--rejects", "mended.jsonl", code=2)
        self.assertIn("(n: ", result.err)
        self.mend(lambda record: record.pop("n"))  # said so: a record without it
        self.run_program("migrate", "--rejects", "mended.jsonl")
        self.assertEqual(self.query(self.path("copy.db"), "SELECT id, n FROM t"), [(1, 12), (2, None)])


if __name__ == "__main__":
    unittest.main()
