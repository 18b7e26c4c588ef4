"""
Files as sources by their path alone, and JSON arrays beside JSON lines: alone, in folders, packed, pretty printed.
"""
import gzip
import json
import os
import signal
import sqlite3
import subprocess
import unittest

import support
from test_csv import CsvTestCase


class FilesTestCase(CsvTestCase):
    def tables(self, database="copy.db"):
        db = sqlite3.connect(self.path(database))
        names = [name for name, in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE "
                                              "'\\_transhume%' ESCAPE '\\' ORDER BY name")]
        db.close()
        return names


class Arrays(FilesTestCase):
    records = [{"id": 1, "name": "a ], [ { \"x\"", "tags": [[1, 2], {"k": ["]"]}]}, {"id": 2, "name": None, "tags": []},
               {"id": 3, "name": "\u00e9\U0001f411\n", "tags": [{}]}]

    def test_however_it_is_printed(self):
        rows = [(r["id"], r["name"], json.dumps(r["tags"], separators=(",", ":"))) for r in self.records]
        for number, text in enumerate((json.dumps(self.records), json.dumps(self.records, indent=2),
                                       json.dumps(self.records, indent="\t", ensure_ascii=False).replace("\n", "\r\n"),
                                       "\ufeff" + json.dumps(self.records, separators=(",", ":")) + "\n\n")):
            for name, data in (("t.json", text.encode()), ("t.json.gz", gzip.compress(text.encode()))):
                with self.subTest(number=number, name=name):
                    copy = "%s-%d.db" % (name, number)
                    self.put(name, data)
                    self.migrate(name, copy)
                    self.assertEqual(self.rows(copy, order="id"), rows)
                    os.remove(self.path(name))

    def test_beside_lines_in_a_folder(self):
        self.put("in/a.json", "[\n{\"id\": 1},\n{\"id\": 2}\n]\n")
        self.put("in/b.jsonl", "{\"id\": 3}\n")
        self.put("in/c.ndjson", "{\"id\": 4}\n")
        self.put("in/d.json", "{\"id\": 5}\n{\"id\": 6}\n")
        self.put("in/e/one.json", "[{\"id\": 7}]")
        self.put("in/e/two.jsonl", "{\"id\": 8}\n")
        self.put("in/package.json", "{\n  \"name\": \"x\"\n}\n")
        result = self.migrate("jsonl:in", "copy.db")
        self.assertIn("package.json: left out, since it holds no records", result.err)
        self.assertEqual(self.tables(), ["a", "b", "c", "d", "e"])
        self.assertEqual([self.rows(table=t, order="id") for t in self.tables()],
                         [[(1,), (2,)], [(3,)], [(4,)], [(5,), (6,)], [(7,), (8,)]])
        check = self.run_program("check", "jsonl:in", "none.db")
        self.assertIn("a: a.json is one JSON array", " ".join(check.out.split()))
        result = self.migrate("in/package.json", "none.db", code=2)
        self.assertIn("it holds no records", result.err)

    def test_an_array_that_is_called_lines(self):
        self.put("t.jsonl", json.dumps(self.records))
        result = self.migrate("jsonl:t.jsonl", "copy.db")
        self.assertIn("t.jsonl: it is one JSON array, and is read as such", result.err)
        self.assertEqual(len(self.rows()), 3)
        # a first line that is no record is a reject as ever
        self.put("u.jsonl", "[1]\n{\"id\": 1}\n")
        self.migrate("jsonl:u.jsonl", "other.db", code=1)
        self.assertEqual(self.rows("other.db", "u"), [(1,)])
        self.assertIn("u.jsonl line 1: it is no JSON object", self.reasons()[0])

    def test_standard_input(self):
        result = subprocess.run([support.PROGRAM, "migrate", "jsonl:-?table=t", "copy.db"], cwd=self.folder,
                                input=json.dumps(self.records, indent=1).encode(), timeout=60 * support.PATIENCE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=support.environment_with({}))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(self.rows()), 3)

    def test_elements_that_are_no_records(self):
        self.put("t.json", "[\n {\"id\": 1},\n 5, \"a,b\", [1, {}], null,\n {\"id\": },\n {\"id\": 1, \"id\": 2},\n"
                           " {\"id\": 2}\n]")
        self.migrate("t.json", "copy.db", code=1)
        self.assertEqual(self.rows(), [(1,), (2,)])
        found = {reject["key"]["$line"]: reject for reject in self.rejects(self.state)}
        self.assertEqual(sorted(found), [2, 3, 4, 5, 6, 7])
        self.assertIn("t.json element 2 (line 3, byte 15): it is no JSON object", found[2]["reason"])
        self.assertIn("t.json element 6 (line 4, byte ", found[6]["reason"])
        self.assertIn("expected a value", found[6]["reason"])
        self.assertIn("is there twice", found[7]["reason"])
        self.assertEqual(found[6]["record"]["unreadable"], "{\"id\": }")

    def test_too_long_an_element(self):
        self.put("t.json", json.dumps([{"id": 1, "v": "x"}, {"id": 2, "v": "y" * 500000}, {"id": 3, "v": "z"}],
                                      indent=1))
        self.migrate("t.json?record_bytes=100KiB", "copy.db", code=1)
        self.assertEqual(self.rows(), [(1, "x"), (3, "z")])
        self.assertIn("element 2 (line 6, byte ", self.reasons()[0])
        self.assertIn("the element is longer than record_bytes allows", self.reasons()[0])

    def test_what_can_not_be_read_on_is_refused(self):
        cases = (("[{\"id\":1},\n", "the file ends within the array (byte 11, line 2, after 1 elements)"),
                 ("[{\"id\":1}]\n[{\"id\":2}]", "something follows the end of the array (byte 11, line 2"),
                 ("[{\"id\":1} {\"id\":2}]", "a comma is missing before the next element"),
                 ("[{\"id\":1},]", "an element is missing"),
                 ("[1, 2]", "none of its 2 elements is a JSON object"),
                 ("[]", "t.json: the JSON array is empty"))
        for number, (text, words) in enumerate(cases):
            with self.subTest(text=text):
                self.put("t.json", text)
                result = self.migrate("t.json", "never.db", code=2)
                self.assertIn(words, " ".join(result.err.split()))
                if number < 4:  # without a first reading the run comes to it
                    result = self.migrate("t.json?records=documents", "jsonl:out%d" % number, code=3)
                    self.assertIn(words, " ".join(result.err.split()))

    def test_utf16(self):
        for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
            self.put("t.json", "[{\"id\":1}]".encode(encoding))
            result = self.migrate("t.json", "copy.db", code=2)
            self.assertIn("UTF-16", result.err)

    def test_documents(self):
        self.put("t.json", json.dumps([{"id": 1, "a": {"b": [1]}}, {"x": 2}], indent=1))
        self.migrate("t.json?records=documents", "jsonl:out")
        found = [json.loads(line) for path in self.files("out", "t") for line in support.read_lines(path)]
        self.assertEqual(found, [{"id": 1, "a": {"b": [1]}}, {"x": 2}])

    def test_killed_runs_resume(self):
        count = 30000
        self.put("in/t/a.json", json.dumps([{"id": i, "v": "x]" * (i % 50)} for i in range(count)], indent=1))
        self.put("in/t/b.jsonl", "".join(json.dumps({"id": i, "v": "x]" * (i % 50)}) + "\n"
                                         for i in range(count, 2 * count)))
        self.put("in/t/c.json.gz", gzip.compress(json.dumps([{"id": i, "v": "x]" * (i % 50)}
                                                             for i in range(2 * count, 3 * count)]).encode()))
        for point, hit in (("engine.after_commit", 1), ("engine.before_commit", 2), ("engine.after_commit", 5)):
            with self.subTest(point=point, hit=hit):
                copy = "%s-%d.db" % (point, hit)
                killed = support.kill_at(point, hit, "migrate", "--state", "s" + copy, "--chunk-rows", "2000",
                                         "jsonl:in",
                                         copy, cwd=self.folder)
                self.assertEqual(killed.code, -signal.SIGKILL)
                self.run_program("resume", "--state", "s" + copy, "jsonl:in", copy)
                self.assertEqual(self.rows(copy, order="id"), [(i, "x]" * (i % 50)) for i in range(3 * count)])
                self.run_program("validate", "--state", "s" + copy, "jsonl:in", copy)

    def test_rejects_of_the_target_name_the_element(self):
        self.put("t.json", json.dumps([{"a": 1}] * 50 + [{"a": 18446744073709551615}] + [{"a": 2}] * 50))
        support.make_sqlite(self.path("copy.db"), "CREATE TABLE t (a INTEGER)")
        self.migrate("t.json", "copy.db", "--existing", "append", code=1)
        reject, = self.rejects(self.state)
        self.assertEqual(reject["key"], {"$file": "t.json", "$line": 51})


class Paths(FilesTestCase):
    def test_each_ending(self):
        for name, contents in (("csv", b"id,v\n1,x\n"), ("tsv", b"id\tv\n1\tx\n"), ("jsonl", b'{"id":1,"v":"x"}\n'),
                               ("ndjson", b'{"id":1,"v":"x"}\n'), ("json", b'[{"id":1,"v":"x"}]'),
                               ("JSON", b'[{"id":1,"v":"x"}]')):
            for end, data in (("", contents), (".gz", gzip.compress(contents)),
                              (".zst", subprocess.run(["zstd", "-q"], input=contents, check=True,
                                                      stdout=subprocess.PIPE).stdout)):
                for place in ("people", "./deep/my.people"):
                    with self.subTest(name=name, end=end, place=place):
                        path = "%s.%s%s" % (place, name, end)
                        copy = "%s-%s.db" % (name, len(os.listdir(self.folder)))
                        self.put(path, data)
                        self.migrate(path, copy)
                        self.assertEqual(self.rows(copy, os.path.basename(place)), [(1, "x")])

    def test_with_a_scheme_and_options(self):
        self.put("people.csv", "id,v\n1,x\n")
        for number, source in enumerate(("csv:people.csv", "csv://" + self.path("people.csv"), self.path("people.csv"),
                                         "people.csv?header=yes")):
            self.migrate(source, "copy%d.db" % number)
            self.assertEqual(self.rows("copy%d.db" % number, "people"), [(1, "x")])

    def test_what_is_not_there_is_not_made(self):
        self.put("people.csv", "id,v\n1,x\n")
        self.migrate("people.csv", "copy.db")
        for name in ("new.csv", "new.json"):
            result = self.migrate("copy.db", name, code=2)
            self.assertIn("neither a URI nor a file", result.err)
            self.assertFalse(os.path.exists(self.path(name)))
        result = self.migrate("copy.db", "people.csv", code=2)
        self.assertIn("it is a file, and should be a folder", result.err)
        self.migrate("missing.csv", "copy2.db", code=2)

    def test_a_table_in_two_files(self):
        self.put("in/t.csv", "a\nx\n")
        self.put("in/t.tsv", "a\tb\nx\ty\n")
        result = self.migrate("csv:in", "copy.db", code=2)
        self.assertIn("a second place for the same table t", result.err)


if __name__ == "__main__":
    unittest.main()
