"""SQLite to DynamoDB-JSON, exactly: every value as DynamoDB writes it, computed here apart."""
import base64
import decimal
import gzip
import json
import os
import random
import sqlite3
import struct
import subprocess
import unittest

import refusals
import support

CONTEXT = decimal.Context(prec=400)


def number_text(value):
    """The digits that DynamoDB gives back: no scale, no minus zero; exact where it is an integer."""
    number = decimal.Decimal(repr(value) if isinstance(value, float) else value)
    text = format(number.normalize(CONTEXT), "f")
    return "0" if text in ("-0", "0") else text


def attribute(value):
    if isinstance(value, (int, float)):
        return {"N": number_text(value)}
    if isinstance(value, bytes):
        return {"B": base64.b64encode(value).decode()}
    return {"S": value}


def same_number(a, b):
    return decimal.Decimal(a) == decimal.Decimal(b)


class ExactTestCase(refusals.TestCase):
    def make(self, script, rows=(), name="source.db"):
        db = sqlite3.connect(self.path(name))
        db.executescript(script)
        for statement, parameters in rows:
            db.execute(statement, parameters)
        db.commit()
        db.close()
        return self.path(name)

    def migrate(self, *options, source="source.db", out="out", query="", code=0):
        return self.run_program("migrate", "--state", "state-" + out, *options, source,
                                "dynamodb-json:%s%s" % (out, query), code=code)

    def items(self, table="thing", out="out", key="id"):
        items = support.read_dynamodb_json(self.path(out))[table]
        return {next(iter(item[key].values())): item for item in items}

    def assert_items(self, expected, found):
        """Numbers by value, and their form by the form that DynamoDB gives: no '+', no '-0' ..."""
        self.assertEqual(set(expected), set(found))
        for key, item in expected.items():
            self.assertEqual(set(item), set(found[key]), key)
            for name, wanted in item.items():
                got = found[key][name]
                if "N" in wanted and "N" in got:
                    self.assertTrue(same_number(wanted["N"], got["N"]), (key, name, wanted, got))
                    self.assertRegex(got["N"], r"^-?\d+(\.\d*[1-9])?(E[-+]?\d+)?$", (key, name))
                    self.assertNotEqual(got["N"], "-0")
                else:
                    self.assertEqual(wanted, got, (key, name))


class Values(ExactTestCase):
    def test_numbers(self):
        integers = [0, 1, -1, 2 ** 31, 2 ** 53, 2 ** 53 + 1, 2 ** 63 - 1, -2 ** 63, 10 ** 18, 100, 1000000]
        floats = [0.1, 1.98, 0.99, 39.62, -2.5, 1e15, 1e16, 1e17, 1.5e-7, 123456789.123, 5e-130, 9.99e125,
                  0.30000000000000004, 2.675, 1 / 3, -0.0, 3.0, 1e21, 1e22, 1e23]
        values = integers + floats
        self.make("CREATE TABLE thing(id INTEGER PRIMARY KEY, v);"
                  "CREATE TABLE money(id INTEGER PRIMARY KEY, v NUMERIC(10,2));"
                  "CREATE TABLE real(id INTEGER PRIMARY KEY, v REAL);",
                  [("INSERT INTO %s VALUES (?, ?)" % table, (i, v)) for i, v in enumerate(values)
                   for table in ("thing", "money", "real")])
        self.migrate()
        db = sqlite3.connect(self.path("source.db"))
        for table in ("thing", "money", "real"):
            # As SQLite stored them: an integer in a REAL column is a float.
            stored = dict(db.execute("SELECT id, v FROM %s" % table))
            expected = {str(i): {"id": {"N": str(i)}, "v": attribute(v)} for i, v in stored.items()}
            self.assert_items(expected, self.items(table))
        db.close()

    def test_prices_keep_their_digits(self):
        # 0.10 is 0.1: DynamoDB knows no scale. 1.98 is never 1.9799999999999999.
        self.make("CREATE TABLE thing(id INTEGER PRIMARY KEY, v NUMERIC(10,2));",
                  [("INSERT INTO thing VALUES (?, ?)", (i, "%d.%02d" % divmod(i, 100))) for i in range(3000)])
        self.migrate()
        found = self.items()
        for i in range(3000):
            self.assertEqual(found[str(i)]["v"], {"N": number_text(decimal.Decimal(i) / 100)
                                                  if i % 100 else str(i // 100)})

    def test_texts(self):
        texts = ["", "plain", 'quote " and \\ backslash', "line\nbreak\r\ttab", "\0", "a\0b", "\x01\x1f\x7f",
                 "\u00e9", "\u20ac", "\U0001f411", "\u2028\u2029", "\ufeff", "\uffff", "</script>", "/", "x" * 100000,
                 "\u0080", "\U0010ffff", " lead and trail ", "2024-02-30", "12", "null"]
        self.make("CREATE TABLE thing(id INTEGER PRIMARY KEY, v TEXT);",
                  [("INSERT INTO thing VALUES (?, ?)", pair) for pair in enumerate(texts)])
        self.migrate()
        self.assert_items({str(i): {"id": {"N": str(i)}, "v": {"S": v}} for i, v in enumerate(texts)},
                          self.items())

    def test_bytes(self):
        values = [b"", b"\0", bytes(range(256)), b"a", b"ab", b"abc", os.urandom(100000)]
        self.make("CREATE TABLE thing(id INTEGER PRIMARY KEY, v BLOB);",
                  [("INSERT INTO thing VALUES (?, ?)", pair) for pair in enumerate(values)])
        self.migrate()
        self.assert_items({str(i): {"id": {"N": str(i)}, "v": attribute(v)} for i, v in enumerate(values)},
                          self.items())

    def test_nulls_are_left_out_or_kept(self):
        self.make("CREATE TABLE thing(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO thing VALUES (1, NULL), (2, 'x');")
        self.migrate()
        self.assertEqual(self.items(), {"1": {"id": {"N": "1"}}, "2": {"id": {"N": "2"}, "v": {"S": "x"}}})
        self.write("transhume.yaml", "transhume: 1\nsource: sqlite:source.db\ntarget: dynamodb-json:kept\n"
                   "tables: { thing: { key: { partition: id }, from: thing, nulls: keep, fields: { '*': copy } } }\n")
        self.run_program("migrate")
        self.assertEqual(self.items(out="kept")["1"], {"id": {"N": "1"}, "v": {"NULL": True}})

    def test_declared_booleans(self):
        self.make("CREATE TABLE thing(id INTEGER PRIMARY KEY, v BOOLEAN);"
                  "INSERT INTO thing VALUES (1, 0), (2, 1), (3, 2), (4, 'yes'), (5, NULL);")
        self.migrate()
        self.assertEqual({k: item.get("v") for k, item in self.items().items()},
                         {"1": {"BOOL": False}, "2": {"BOOL": True}, "3": {"N": "2"}, "4": {"S": "yes"}, "5": None})

    def test_keys_of_each_type(self):
        self.make("CREATE TABLE nnn(id INTEGER PRIMARY KEY, v); CREATE TABLE sss(id TEXT PRIMARY KEY, v) WITHOUT ROWID;"
                  "CREATE TABLE bbb(id BLOB PRIMARY KEY, v) WITHOUT ROWID;"
                  "CREATE TABLE two(p TEXT, s INTEGER, v, PRIMARY KEY (p, s));"
                  "INSERT INTO nnn VALUES (-5, 1); INSERT INTO sss VALUES ('k\u00e9', 1); "
                  "INSERT INTO bbb VALUES (x'ff00', 1);"
                  "INSERT INTO two VALUES ('p', 7, 1);")
        self.migrate()
        tables = support.read_dynamodb_json(self.path("out"))
        self.assertEqual(tables["nnn"][0]["id"], {"N": "-5"})
        self.assertEqual(tables["sss"][0]["id"], {"S": "k\u00e9"})
        self.assertEqual(tables["bbb"][0]["id"], {"B": "/wA="})
        self.assertEqual((tables["two"][0]["p"], tables["two"][0]["s"]), ({"S": "p"}, {"N": "7"}))

    def test_generated_columns_are_values_here(self):
        self.make("CREATE TABLE thing(id INTEGER PRIMARY KEY, a INTEGER, b INTEGER AS (a * 2), "
                  "c TEXT AS ('c' || a) STORED);"
                  "INSERT INTO thing(id, a) VALUES (1, 21);")
        self.migrate()
        self.assertEqual(self.items()["1"], {"id": {"N": "1"}, "a": {"N": "21"}, "b": {"N": "42"}, "c": {"S": "c21"}})

    def test_names_of_attributes(self):
        names = ["two words", "qu\"ote", "back\\slash", "new\nline", "\u00e9\U0001f411", "Item", "S", "n" * 200]
        self.make("CREATE TABLE thing(id INTEGER PRIMARY KEY, %s);" % ", ".join(map(support.quoted, names)),
                  [("INSERT INTO thing VALUES (1%s)" % (", ?" * len(names)), list(range(len(names))))])
        self.migrate()
        expected = {name: {"N": str(i)} for i, name in enumerate(names)}
        self.assertEqual(self.items()["1"], dict(expected, id={"N": "1"}))

    def test_random_values(self):
        seed = random.Random(support.SEED)
        values = []
        while len(values) < (20000 if support.SOAK else 3000):
            value, = struct.unpack("d", seed.randbytes(8))
            kind = seed.randrange(4)
            if kind == 0 and value == value and (value == 0 or 1e-130 <= abs(value) < 1e126):
                values.append(value)
            elif kind == 1:
                values.append(seed.getrandbits(63) - seed.getrandbits(63))
            elif kind == 2:
                values.append(seed.randrange(10 ** 9) / 10 ** seed.randrange(9))
            elif kind == 3:
                values.append("".join(chr(seed.choice((0, 9, 34, 92, 97, 233, 0x20ac, 0x1f411, 0x7f)))
                                      for _ in range(seed.randrange(40))))
        self.make("CREATE TABLE thing(id INTEGER PRIMARY KEY, v);",
                  [("INSERT INTO thing VALUES (?, ?)", pair) for pair in enumerate(values)])
        self.migrate("--jobs", "2", "--chunk-rows", "500")
        self.assert_items({str(i): {"id": {"N": str(i)}, "v": attribute(v)} for i, v in enumerate(values)},
                          self.items())


class Files(ExactTestCase):
    def fill(self, rows=5000):
        self.make("CREATE TABLE thing(id INTEGER PRIMARY KEY, v TEXT);",
                  [("INSERT INTO thing VALUES (?, ?)", (i, "value %d " % i * 20)) for i in range(rows)])
        return {str(i): {"id": {"N": str(i)}, "v": {"S": "value %d " % i * 20}} for i in range(rows)}

    def names(self, out="out", table="thing"):
        return sorted(os.listdir(self.path(out, table)))

    def test_compressions_hold_the_same(self):
        expected = self.fill()
        for compression, ending in (("none", ".json"), ("gzip", ".json.gz"), ("zstd", ".json.zst")):
            with self.subTest(compression=compression):
                self.migrate(out=compression, query="?compression=" + compression)
                names = self.names(compression)
                self.assertTrue(names and all(n.startswith("data-") and n.endswith(ending) for n in names), names)
                self.assertEqual(self.items(out=compression), expected)
        sizes = [sum(os.path.getsize(self.path(c, "thing", n)) for n in self.names(c))
                 for c in ("none", "gzip", "zstd")]
        self.assertLess(max(sizes[1:]) * 3, sizes[0])

    def test_files_of_bounded_size(self):
        expected = self.fill()
        bound = 128 << 10
        for compression in ("none", "gzip", "zstd"):
            with self.subTest(compression=compression):
                self.migrate(out=compression, query="?compression=%s&file_bytes=128KiB" % compression)
                names = self.names(compression)
                self.assertGreater(len(names), 3)
                for name in names:
                    size = sum(len(line.encode()) + 1 for line in
                               support.read_lines(self.path(compression, "thing", name)))
                    self.assertLessEqual(size, bound, name)
                self.assertEqual(self.items(out=compression), expected)

    def test_each_file_stands_alone(self):
        # Concatenated or split anyhow, each file is whole: gzip and zstd check themselves.
        self.fill()
        for compression, tool in (("gzip", ["gzip", "-t"]), ("zstd", ["zstd", "-tq"])):
            self.migrate("--chunk-rows", "700", "--jobs", "2", out=compression, query="?compression=" + compression)
            for name in self.names(compression):
                subprocess.run([*tool, self.path(compression, "thing", name)], check=True)

    def test_nothing_else_lies_in_the_tables_folder(self):
        self.fill(100)
        self.migrate()
        self.assertTrue(all(name.startswith("data-") for name in self.names()))
        self.assertEqual(sorted(os.listdir(self.path("out"))), ["_transhume", "thing"])

    def test_the_definition_of_the_table(self):
        self.make("CREATE TABLE thing(p TEXT, s INTEGER, mail TEXT, PRIMARY KEY (p, s));"
                  "INSERT INTO thing VALUES ('a', 1, 'm');")
        self.write("transhume.yaml", """transhume: 1
source: sqlite:source.db
target: dynamodb-json:out
tables:
  thing:
    key: { partition: p, sort: s }
    indexes: { by-mail: { partition: mail, sort: s } }
    billing: { read: 5, write: 6 }
    from: thing
    fields: { "*": copy }
""")
        self.run_program("migrate")
        with open(self.path("out", "_transhume", "tables", "thing.json"), encoding="utf-8") as file:
            definition = json.load(file)
        self.assertEqual(definition["TableName"], "thing")
        self.assertEqual(definition["KeySchema"], [{"AttributeName": "p", "KeyType": "HASH"},
                                                   {"AttributeName": "s", "KeyType": "RANGE"}])
        types = {a["AttributeName"]: a["AttributeType"] for a in definition["AttributeDefinitions"]}
        self.assertEqual(types, {"p": "S", "s": "N", "mail": "S"})
        self.assertEqual(definition["ProvisionedThroughput"], {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6})
        index, = definition["GlobalSecondaryIndexes"]
        self.assertEqual(index["IndexName"], "by-mail")
        self.assertEqual(index["Projection"], {"ProjectionType": "ALL"})

    def test_jobs_and_chunks_make_no_difference(self):
        expected = self.fill(2000)
        for number, options in enumerate((("--jobs", "1"), ("--jobs", "4", "--chunk-rows", "11"),
                                          ("--jobs", "2", "--batch-rows", "1"), ("--batch-bytes", "1KiB"))):
            with self.subTest(options=options):
                self.migrate(*options, out="out%d" % number)
                self.assertEqual(self.items(out="out%d" % number), expected)

    def test_there_and_back_again(self):
        self.make("CREATE TABLE thing(id INTEGER PRIMARY KEY, a TEXT, n INTEGER, b BLOB, f REAL);",
                  [("INSERT INTO thing VALUES (?, ?, ?, ?, ?)", (i, "text %d" % i, i * 7, bytes([i % 256]), i / 4))
                   for i in range(1000)])
        self.migrate(query="?compression=zstd")
        self.run_program("migrate", "--state", "back", "dynamodb-json:out", "dynamodb-json:again")
        self.assertEqual(support.dynamodb_differences(support.read_dynamodb_json(self.path("out")),
                                                      support.read_dynamodb_json(self.path("again"))), [])


class BrokenFolders(ExactTestCase):
    """DynamoDB-JSON as a source: lines that are none are rejects with file and line."""

    def put(self, lines, name="data-1.json"):
        os.makedirs(self.path("in", "thing"), exist_ok=True)
        with open(self.path("in", "thing", name), "wb") as file:
            file.write(b"\n".join(lines) + b"\n")

    def plan(self):
        self.write("transhume.yaml", "transhume: 1\nsource: dynamodb-json:in\ntarget: dynamodb-json:out\n"
                   "tables: { thing: { key: { partition: id }, from: thing, fields: { '*': copy } } }\n")

    def test_broken_lines(self):
        good = [b'{"Item":{"id":{"N":"%d"},"v":{"S":"x"}}}' % i for i in range(10)]
        bad = [b"", b"not json", b'{"Item":', b'{"Item":{"id":{"N":"1x"}}}', b'{"Item":{"id":{"Q":"1"}}}',
               b'{"Item":{"id":{"S":"\xff"}}}', b'{"Item":[]}', b"[]", b'{"Other":{}}',
               b'{"Item":{"id":{"N":"77"},"v":' + b'{"L":[' * 5000 + b"]}" * 5000 + b"}}"]
        lines = good[:5] + bad + good[5:]
        self.put(lines)
        self.plan()
        self.run_program("migrate", code=1)
        self.assertEqual(sorted(self.items(), key=int), [str(i) for i in range(10)])
        rejects = self.rejects()
        # An empty line is nothing, or a reject; the others are rejects.
        self.assertIn(len(rejects), (len(bad) - 1, len(bad)))
        for reject in rejects:
            self.assertIn("data-1.json", json.dumps(reject["key"]), reject)
        # The same words, whatever the target is: what is wrong, in which line.
        words = {7: "neither true, false nor null", 8: "byte 8", 9: "\"1x\" is not a number",
                 10: "\"Q\" is no attribute type",
                 11: "not UTF-8", 12: "", 13: "must be an object", 14: "no \"Item\"", 15: "nested deeper than"}
        for target in ("jsonl:lines", "sqlite:copy.db"):
            state = "s-" + target[:5]
            self.write("other.yaml",
                       "transhume: 1\nsource: dynamodb-json:in\ntarget: %s\ntables: { thing: { key: [id], "
                       "entities: { t: { from: thing, "
                       "fields: { id: { column: id, cast: text } } } } } }\n" % target)
            self.run_program("migrate", "--plan", "other.yaml", "--state", state, code=1)
            found = {reject["key"]["$line"]: reject["reason"] for reject in self.rejects(state)}
            self.assertEqual(sorted(found), sorted(words), target)
            for line, text in words.items():
                self.assertIn("data-1.json line %d: " % line, found[line])
                self.assertIn(text, found[line])

    def test_a_cut_gzip_file(self):
        whole = gzip.compress(b"".join(b'{"Item":{"id":{"N":"%d"}}}\n' % i for i in range(20000)))
        os.makedirs(self.path("in", "thing"))
        with open(self.path("in", "thing", "data-1.json.gz"), "wb") as file:
            file.write(whole[:len(whole) // 2])
        self.plan()
        result = support.transhume("migrate", cwd=self.folder)
        self.assertEqual(result.code, 3, result.err)
        self.assertRegex(result.err, r"(?m)^error: .*data-1\.json\.gz.*\[source-(read|invalid)\]$")

    def test_missing_and_empty_folders(self):
        self.refused("migrate", "dynamodb-json:none", "copy.db", code=2, name="source-missing", says="none",
                     unharmed=[self.path("copy.db"), self.path("none")])
        os.mkdir(self.path("empty"))
        result = support.transhume("migrate", "dynamodb-json:empty", "copy.db", cwd=self.folder)
        self.assertIn(result.code, (0, 2), result.err)
        self.assertRegex((result.out + result.err).lower(), "no table|empty|nothing to")


if __name__ == "__main__":
    unittest.main()
