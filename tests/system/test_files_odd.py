"""Files as they come: very wide tables, suffixes in capitals, odd delimiters, names and ends.

What was written is read by Python's csv and json modules, never by the program.
"""
import csv
import glob
import gzip
import io
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess

import support

# AddressSanitizer's strict checks measure a text to its end whenever a number in it is read.
COLUMNS = 6000 if os.environ.get("TRANSHUME_SANITIZE") else 60000
WIDE_SECONDS_MAX = 6  # of a processor; about a quarter of a second, and 22 when it was quadratic


class FilesTestCase(support.TestCase):
    def put(self, name, contents):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(contents if isinstance(contents, bytes) else contents.encode())
        return path

    def migrate(self, *arguments, code=0, command="migrate", **more):
        self.state = self.path("state-%d" % len(os.listdir(self.folder)))
        return self.run_program(command, "--state", self.state, *arguments, code=code, **more)

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

    def quickly(self, *arguments, **more):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        result = self.migrate(*arguments, **more)
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
        for target in ("jsonl:o", "csv:again"):
            self.quickly("csv:c", target, command="validate")

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
            self.assertIn("it has %d columns; SQLite takes 2000" % COLUMNS, result.err)


class Places(FilesTestCase):
    def test_suffixes_in_any_case(self):
        rows = b"a,b\n1,x\n"
        self.put("in/T.CSV", rows)
        self.put("in/u.Csv.GZ", gzip.compress(rows))
        self.put("in/w/Part.CSV.Gz", gzip.compress(rows))
        self.migrate("csv:in", "jsonl:out")
        for table in ("T", "u", "w"):
            self.assertEqual(self.json_records("out", table), [{"a": 1, "b": "x"}], table)
        self.put("lines/T.JSONL", b'{"a":1}\n')
        self.migrate("jsonl:lines", "csv:lines-out")
        self.assertEqual(self.csv_rows("lines-out", "T"), [["a"], ["1"]])
        self.migrate("csv:in/T.CSV", "jsonl:one")
        self.assertEqual(self.json_records("one", "T"), [{"a": 1, "b": "x"}])

    def test_two_files_of_one_table(self):
        self.put("in/t.csv", "a\n1\n")
        self.put("in/t.CSV", "a\n1\n")
        result = self.migrate("csv:in", "jsonl:out", code=2)
        self.assertIn("a second place for the same table t; the first is in/t.CSV", result.err)

    def test_nothing_to_read_is_said(self):
        os.mkdir(self.path("empty"))
        result = self.migrate("csv:empty", "jsonl:out")
        self.assertIn("empty: the folder is empty", result.err)
        self.put("in/notes.txt", "a,b\n")
        self.put("in/t.tab", "a\tb\n")
        self.put("in/old/t.xls", "")
        for command in ("migrate", "check"):
            result = self.run_program(command, "--state", "s-" + command, "csv:in", "jsonl:out2")
            self.assertIn("in: none of its 2 files and 1 folders is a table: notes.txt is not called like "
                          "TABLE.csv, TABLE.csv.gz or TABLE.csv.zst", result.err)
            self.assertIn("the source has no tables", result.err)

    def test_folders_within_a_table_s_folder(self):
        """As others lay partitions out: not passed over in silence."""
        self.put("in/t.csv", "a\n1\n")
        for number, name in enumerate(("u/more/2.csv", "u/year=2024/month=01/part.csv.gz", "u/a/b/c/d/e/3.CSV")):
            for beside in (False, True):
                with self.subTest(name=name, beside=beside):
                    source = "deep%d%s" % (number, beside)
                    self.put(source + "/t.csv", "a\n1\n")
                    self.put(source + "/" + name, "a\n2\n")
                    if beside:
                        self.put(source + "/u/1.csv", "a\n1\n")
                    result = self.migrate("csv:" + source, "jsonl:out", code=2)
                    self.assertIn("%s/%s: it is a folder with data" % (source, "/".join(name.split("/")[:2])),
                                  result.err)
                    self.assertFalse(os.path.exists(self.path("out")))
        self.put("in/u/1.csv", "a\n2\n")
        self.put("in/u/notes/readme.txt", "no data")
        self.put("in/u/.hidden/3.csv", "a\n3\n")
        self.migrate("csv:in", "jsonl:out")
        self.assertEqual(self.json_records("out", "u"), [{"a": 2}])
        for scheme, name, line in (("jsonl", "u/x/1.jsonl", '{"a":1}\n'),
                                   ("dynamodb-json", "u/x/1.json", '{"Item":{"a":{"S":"x"}}}\n')):
            self.put("in-%s/%s" % (scheme, name), line)
            self.migrate("%s:in-%s" % (scheme, scheme), "jsonl:out2", code=2)

    def test_names_that_are_no_text(self):
        """A file goes by its name with %XX for the bytes; the others are not held up by it."""
        folder = os.fsencode(self.path("in"))
        os.mkdir(folder)
        for name, value in ((b"a\xff.csv", b"1"), (b"plain.csv", b"2")):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(b"v\n" + value + b"\n")
        os.mkdir(os.path.join(folder, b"f\xfe"))
        for name, value in ((b"1\xff.csv", b"3"), (b"2.csv", b"4,bad")):
            with open(os.path.join(folder, b"f\xfe", name), "wb") as file:
                file.write(b"v\n" + value + b"\n")
        result = self.migrate("csv:in", "copy.db", code=1)
        self.assertIn("is not UTF-8; the table is called a%FF", result.err)
        self.assertIn("is not UTF-8; the table is called f%FE", result.err)
        for table, value in (("a%FF", 1), ("plain", 2), ("f%FE", 3)):
            self.assertEqual(self.table("copy.db", 'SELECT v FROM "%s"' % table), [(value,)])
        self.assertEqual(len(self.reasons()), 1)
        again = self.migrate("csv:in", "jsonl:out", code=1)
        self.assertNotIn("error", again.err)

    def test_tables_of_dots(self):
        """Folders whose names are dots alone are others'."""
        names = (".", "..", "...", ".hidden", "a.b", "%2E")
        support.make_sqlite(self.path("dots.db"),
                            "".join('CREATE TABLE "%s"(id INTEGER PRIMARY KEY, v TEXT); '
                                    'INSERT INTO "%s" VALUES (%d, \'v\');'
                                    % (name, name, number) for number, name in enumerate(names)))
        for target in ("jsonl", "csv"):
            with self.subTest(target):
                state = ("--state", "state-" + target)
                self.run_program("migrate", "dots.db", "%s:%s" % (target, target), *state)
                self.assertEqual(len([name for name in os.listdir(self.path(target)) if name != "_transhume"]),
                                 len(names))
                self.run_program("validate", *state)

    def test_a_pipe_is_no_folder(self):
        os.mkfifo(self.path("t.csv"))
        result = self.migrate("csv:t.csv", "jsonl:out", code=2)
        self.assertIn("t.csv: it is a pipe, and should be a folder", result.err)
        self.assertIn("csv:- < t.csv", result.err)
        self.put("in/u.csv", "a\n1\n")
        result = self.migrate("csv:in", "jsonl:t.csv", code=2)
        self.assertIn("it is a pipe", result.err)
        self.assertIn("jsonl:- > t.csv", result.err)
        result = self.migrate("csv:in", "dynamodb-json:t.csv", code=2)
        self.assertIn("it is a pipe", result.err)
        self.assertNotIn("dynamodb-json:-", result.err)


class Options(FilesTestCase):
    def test_types_of_columns_that_are_not_there(self):
        self.put("in/t.csv", "price,name\n1,x\n")
        self.put("in/u.csv", "zip\n1\n")
        for types, words in (("pric:int64", ("no table has a column pric", "did you mean price?")),
                             ("qqqqqqqq:text", ("no table has a column qqqqqqqq", "transhume check")),
                             ("price:int64,price:text", ("column price is there twice",)),
                             ("price:int65", ("no column with its type",))):
            with self.subTest(types=types):
                result = self.migrate("csv:in?types=" + types, "jsonl:out", code=2)
                for word in words:
                    self.assertIn(word, result.err)
                self.assertFalse(os.path.exists(self.path("out")))
        self.migrate("csv:in?types=price:text,zip:text", "jsonl:out")  # of two tables
        self.assertEqual(self.json_records("out", "t"), [{"price": "1", "name": "x"}])
        self.assertEqual(self.json_records("out", "u"), [{"zip": "1"}])

    def test_delimiters(self):
        """Each byte that can delimit does, both ways, with values that hold it."""
        values = ["", "a", "10:11:12", "x\x01y", "\x7f", "a:b", "\x1f\"", "2024-01-31T10:11:12"]
        for byte in [*range(1, 128)]:
            mark = chr(byte)
            option = "delimiter=%%%02X" % byte
            if mark in "\n\r\"\\+-." or mark.isalnum():
                continue
            with self.subTest(byte=byte):
                out = io.StringIO(newline="")
                writer = csv.writer(out, delimiter=mark, lineterminator="\n")
                writer.writerows([["id", "v", "at"]] + [[number, value, "2024-01-31T10:11:12"]
                                                       for number, value in enumerate(values)])
                self.put("in%d/t.csv" % byte, out.getvalue())
                self.migrate("csv:in%d?types=v:text&%s" % (byte, option), "csv:out%d?%s" % (byte, option))
                found = []
                for path in glob.glob(self.path("out%d" % byte, "t", "*.csv")):
                    with open(path, encoding="utf-8", newline="") as file:
                        found = list(csv.reader(file, delimiter=mark, strict=True))
                self.assertEqual(found[1:], [[str(number), value, "2024-01-31T10:11:12"]
                                             for number, value in enumerate(values)])
                self.migrate("csv:out%d" % byte, "jsonl:back%d" % byte)  # by the definition
                self.assertEqual([record["v"] for record in self.json_records("back%d" % byte, "t")],
                                 [value or None for value in values])

    def test_marks_that_can_not_delimit(self):
        self.put("t.csv", "a\n1\n")
        for mark in ("1", "a", "-", ".", "%5C", "%0A", "%0D", "ab", "%C3%A9", "%80"):
            with self.subTest(mark=mark):
                result = self.migrate("csv:t.csv?delimiter=" + mark, "jsonl:out", code=2)
                self.assertIn("is neither a word for a mark nor one byte of ASCII", result.err)
                self.assertIn("write for example csv:DIR?delimiter=: or, for a control character, "
                              "csv:DIR?delimiter=%01", " ".join(result.err.split()))
        for option in ("quote=:", "comment=%01"):
            result = self.migrate("csv:t.csv?" + option, "jsonl:out", code=2)
            self.assertIn("colon or control character", " ".join(result.err.split()))

    def test_a_password_file(self):
        self.put("passwd.csv", "root:x:0:0:root:/root:/bin/bash\nnobody:*:65534:65534:nobody:/:/bin/false\n")
        self.migrate("csv:passwd.csv?delimiter=:&header=no", "copy.db")
        self.assertEqual(self.table("copy.db", "SELECT c1, c3, c7 FROM passwd"),
                         [("root", 0, "/bin/bash"), ("nobody", 65534, "/bin/false")])


class Contents(FilesTestCase):
    def test_a_nul_in_a_name_rejects_its_record(self):
        self.put("in/t.jsonl", '{"a\\u0000b":1,"a":7}\n{"a":2}\n')
        self.migrate("jsonl:in", "copy.db", code=1)
        self.assertEqual(self.table("copy.db", "SELECT a FROM t"), [(2,)])
        reasons = self.reasons()
        self.assertEqual(len(reasons), 1)
        self.assertIn("holds a NUL", str(reasons))
        self.migrate("jsonl:in?records=documents", "jsonl:out")  # what has no columns keeps it
        self.assertEqual(self.json_records("out", "t"), [{"a\0b": 1, "a": 7}, {"a": 2}])

    def test_lines_in_another_unicode_encoding(self):
        """One clear line rather than a reject for each of millions of lines."""
        lines = '{"Item":{"id":{"S":"a"}}}\n{"Item":{"id":{"S":"b"}}}\n'
        plain = "".join("%s\n" % json.dumps({"id": i}) for i in range(3))
        for number, encoding in enumerate(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be")):
            for scheme, name, text in (("jsonl", "t.jsonl", plain), ("dynamodb-json", "t/a.json", lines)):
                for options, code in (("", 2), ("?records=documents", 3)) if scheme == "jsonl" else (("", 3),):
                    with self.subTest(encoding=encoding, scheme=scheme, options=options):
                        self.put("wide%d/%s/%s" % (number, scheme, name), text.encode(encoding))
                        result = self.migrate("%s:wide%d/%s%s" % (scheme, number, scheme, options),
                                              "jsonl:out-%s-%s-%d" % (scheme, encoding, code), code=code)
                        self.assertIn("it is in UTF-16 or UTF-32, and JSON lines are UTF-8", result.err)
                        self.assertIn(os.path.basename(name), result.err)
                        self.assertIn("iconv", result.err)
                        self.assertEqual(self.reasons(), [])
        for scheme, name, text in (("jsonl", "t.jsonl", plain), ("dynamodb-json", "t/a.json", lines)):
            self.put("marked/%s/%s" % (scheme, name), text.encode("utf-8-sig"))
            self.migrate("%s:marked/%s" % (scheme, scheme), "jsonl:marked-" + scheme)
            self.assertEqual(len(self.json_records("marked-" + scheme, "t")), text.count("\n"))

    def packed(self, pack, suffix, tail):
        self.put("in/t.csv" + suffix, pack(b"a\n1\n") + tail)

    def packers(self):
        zstd = lambda data: subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout
        return ((".gz", gzip.compress), (".zst", zstd))

    def test_packed_files_whose_names_do_not_say_so(self):
        for suffix, pack in self.packers():
            for scheme, name, text in (("csv", "t.csv", b"a\n1\n"), ("jsonl", "t.jsonl", b'{"a":1}\n'),
                                       ("dynamodb-json", "t/a.json", b'{"Item":{"a":{"N":"1"}}}\n')):
                with self.subTest(suffix=suffix, scheme=scheme):
                    self.put("named%s/%s/%s" % (suffix, scheme, name), pack(text))
                    source = "%s:named%s/%s" % (scheme, suffix, scheme)
                    result = self.migrate(source, "jsonl:out%s-%s" % (suffix, scheme), code=2)
                    self.assertIn("its name does not say so", result.err)
                    self.assertIn("let its name end in " + suffix, result.err)
                    self.assertIn(name, result.err)
                    path = self.path("named" + suffix, scheme, name)
                    os.rename(path, path + suffix)
                    self.migrate(source, "jsonl:named-%s-%s" % (suffix[1:], scheme))
                    self.assertEqual(self.json_records("named-%s-%s" % (suffix[1:], scheme), "t"), [{"a": 1}])

    def test_zeros_behind_a_packed_file(self):
        for suffix, pack in self.packers():
            for number, tail in enumerate((b"\0", b"\0" * 512, b"\0" * 200000, b"\0\0" + pack(b"2\n"))):
                with self.subTest(suffix=suffix, number=number):
                    self.packed(pack, suffix, tail)
                    out = "out%d%s" % (number, suffix)
                    self.migrate("csv:in", "jsonl:" + out)
                    expected = [{"a": 1}] + ([{"a": 2}] if number == 3 else [])
                    self.assertEqual(self.json_records(out, "t"), expected)
            os.unlink(self.path("in", "t.csv" + suffix))

    def test_what_else_stands_behind_a_packed_file(self):
        for suffix, pack in self.packers():
            for tail in (b"x", b"garbage that is longer", b"\n", pack(b"2\n")[:5]):
                with self.subTest(suffix=suffix, tail=tail):
                    self.packed(pack, suffix, tail)
                    result = self.migrate("csv:in", "jsonl:out", code=3)
                    self.assertIn("behind its end stand bytes that are no", result.err)
                    self.assertEqual(glob.glob(self.path("out", "t", "*")), [])
            self.put("in/t.csv" + suffix, pack(b"a\n1\n")[:-6])
            result = self.migrate("csv:in", "jsonl:out", code=3)
            self.assertIn("it ends too early", result.err)
            os.unlink(self.path("in", "t.csv" + suffix))

    def test_check_writes_nothing_into_a_folder(self):
        """Though it tries the sample with the encoder of the format."""
        self.put("in/things.jsonl", '{"id":"a","v":null}\n{"id":"b","v":1}\n')
        for target in ("jsonl", "csv", "dynamodb-json", "parquet", "arrow"):
            for options in ("", "?records=documents"):
                with self.subTest(target=target, options=options):
                    os.mkdir(self.path("out"))
                    self.write("plan.json", json.dumps({"transhume": 1, "source": "jsonl:in" + options,
                                                        "target": target + ":out", "tables": {
                                                            "things": {"key": {"partition": "id"}
                                                                       if target == "dynamodb-json" else ["id"],
                                                                       "entities": {"t": {"from": "things",
                                                                           "fields": {"id": "copy", "v": "copy"}}}}}}))
                    result = support.transhume("check", "--plan", "plan.json", cwd=self.folder)
                    self.assertIn(result.code, (0, 2), result.err)
                    self.assertEqual(os.listdir(self.path("out")), [])
                    os.rmdir(self.path("out"))

    def test_check_says_that_nulls_go(self):
        self.put("in/things.jsonl", '{"id":"a","v":null}\n')
        plan = {"transhume": 1, "source": "jsonl:in", "target": "dynamodb-json:out",
                "tables": {"things": {"key": {"partition": "id"},
                                      "entities": {"t": {"from": "things", "fields": {"*": "copy"}}}}}}
        words = "fields that are null arrive as missing ones"
        for nulls in (None, "omit", "keep"):
            for options in ("", "?records=documents"):
                with self.subTest(nulls=nulls, options=options):
                    plan["source"] = "jsonl:in" + options
                    if nulls is not None:
                        plan["tables"]["things"]["entities"]["t"]["nulls"] = nulls
                    self.write("plan.json", json.dumps(plan))
                    result = self.run_program("check", "--plan", "plan.json", "--json")
                    self.assertEqual(words in result.out, nulls is None and not options, result.out)
                    self.run_program("migrate", "--state", "s%s%s" % (nulls, options), "--plan", "plan.json")
                    item, = support.read_dynamodb_json(self.path("out"))["things"]
                    self.assertEqual(item.get("v"), None if not options and nulls != "keep" else {"NULL": True})
                    shutil.rmtree(self.path("out"))
        plan["source"], plan["target"] = "jsonl:in", "jsonl:out"  # a target that keeps them by itself
        del plan["tables"]["things"]["entities"]["t"]["nulls"], plan["tables"]["things"]["key"]
        self.write("plan.json", json.dumps(plan))
        self.assertNotIn(words, self.run_program("check", "--plan", "plan.json", "--json").out)


class FirstReading(FilesTestCase):
    """What is read before the run begins: said when it takes long, on several threads, and stopped when asked."""

    def test_it_is_said(self):
        self.put("in/t.csv", "a,b\n" + "".join("%d,text %d\n" % (i, i) for i in range(60000)))
        self.put("in/u.jsonl", "".join('{"a":%d,"b":"text that is somewhat longer, number %d"}\n' % (i, i)
                                       for i in range(70000)))
        for source, place in (("csv:in", "in/t.csv"), ("jsonl:in", "in/u.jsonl")):
            with self.subTest(source=source):
                result = self.migrate(source, "jsonl:out-" + source[:3],
                                      env={"TRANSHUME_FAILPOINT": "files.first_reading:sleep:0"})
                self.assertRegex(result.err, r"reading %s: [1-9]\d? %%" % place)

    def test_nothing_is_said_of_a_short_one(self):
        self.put("in/t.csv", "a,b\n1,2\n")
        self.assertNotIn("reading", self.migrate("csv:in", "jsonl:out").err)

    def test_an_interruption_ends_it(self):
        self.put("in/t.csv", "a,b\n" + "".join("%d,text %d\n" % (i, i) for i in range(200000)))
        self.put("in/t.jsonl", "".join('{"a":%d,"b":"text that is somewhat longer, number %d"}\n' % (i, i)
                                       for i in range(200000)))
        for source in ("csv:in", "jsonl:in"):
            with self.subTest(source=source):
                process = self.stopped_at("files.first_reading:stop:1", "migrate", "--state", "s-" + source[:3], source,
                                          "copy.db")
                process.send_signal(signal.SIGINT)
                process.send_signal(signal.SIGCONT)
                result = support.finish(process)
                self.assert_code(result, 4)
                self.assertFalse(os.path.exists(self.path("copy.db")))

    def test_pieces_show_what_the_whole_file_shows(self):
        """Names in the order of their first rows, and types of all of them, wherever the pieces are cut."""
        seed = random.Random(support.SEED)
        lines, names = [], []
        for number in range(150000):
            record = {"id": number, "pad": "x" * seed.randrange(160)}
            if number % 10007 == 0:
                names.append("n%d" % number)
                record[names[-1]] = seed.choice((1, 1.5, "t", None, True, [1]))
            record["late"] = number if number < 149999 else "no number"
            record["wide"] = 0.123456789 if number == 75000 else 1
            record["scale"] = 1.5 if number else 123456.75
            lines.append(json.dumps(record))
        text = "\n".join(lines) + "\n"
        self.put("plain/t.jsonl", text)
        self.put("packed/t.jsonl.gz", gzip.compress(text.encode(), 1))  # one piece
        shown = {}
        for source in ("plain", "packed"):
            self.migrate("jsonl:" + source, source + ".db")
            shown[source] = self.table(source + ".db", "SELECT name, type FROM pragma_table_info('t')")
            self.assertEqual(self.table(source + ".db", "SELECT count(*), count(late), sum(id) FROM t"),
                             [(150000, 150000, 150000 * 149999 // 2)])
        self.assertEqual(shown["plain"], shown["packed"])
        self.assertGreater(os.path.getsize(self.path("plain", "t.jsonl")), 3 * (4 << 20))
        self.assertEqual([name for name, _ in shown["plain"] if name in names], names)
