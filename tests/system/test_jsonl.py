"""JSON lines as source and target: values both ways, types declared and learnt, bad lines, pipes.

What was written is read by Python's own json, numbers as Decimal and int.
"""
import base64
import csv
import decimal
import gzip
import json
import os
import resource
import signal
import sqlite3
import subprocess
import unittest

import large_values
import support

TYPES_SCRIPT = """
CREATE TABLE plain(id INTEGER PRIMARY KEY, i INTEGER, t TEXT, b BLOB, n NUMERIC(10,2), r REAL, any_kind, note TEXT);
CREATE TABLE keyless(word TEXT, n INTEGER);
CREATE TABLE "a/b .c\u00e9"(x TEXT PRIMARY KEY NOT NULL, "q""y" INTEGER) WITHOUT ROWID;
CREATE TABLE child(id INTEGER PRIMARY KEY, plain_id INTEGER REFERENCES plain(id), u TEXT UNIQUE);
CREATE INDEX child_plain ON child(plain_id);
CREATE TABLE empty_one(id INTEGER PRIMARY KEY, v TEXT);
"""
BIG = 2**63 - 1


def type_rows():
    """Each kind of SQLite in each kind of column."""
    values = [None, 0, 1, -1, BIG, -BIG - 1, 9007199254740993, 0.0, -0.0, 0.1, 1.5e300, 5e-324, float("inf"),
              -float("inf"), 0.30000000000000004, "", "text", "12", "1e5", "NaN", "Infinity", "null", "true",
              "quotes \" \\ / \b\f\n\r\t\u2028", "caf\u00e9 \U0001f411", "a\0b", b"", b"\x00\xff", b"plain",
              "2024-02-29", "{\"a\": 1}", "AAE="]
    return [(number, value, value, value, value, value, value, "note %d" % number)
            for number, value in enumerate(values, 1)]


def make_types(path):
    support.make_sqlite(path, TYPES_SCRIPT)
    with sqlite3.connect(path) as db:
        db.executemany("INSERT INTO plain VALUES (?,?,?,?,?,?,?,?)", type_rows())
        db.executemany("INSERT INTO keyless VALUES (?,?)", [("w%d" % (i % 3), i % 2) for i in range(200)])
        db.executemany('INSERT INTO "a/b .c\u00e9" VALUES (?,?)', [("k%d" % i, i) for i in range(30)])
        db.executemany("INSERT INTO child VALUES (?,?,?)", [(i, 1 + i % 30, "u%d" % i) for i in range(300)])
    db.close()
    return path


def no_twice(pairs):
    if len({name for name, _ in pairs}) != len(pairs):
        raise AssertionError("a key is there twice: %s" % pairs)
    return dict(pairs)


def read_records(folder):
    """All records of a table's folder, as somebody else's reader has them."""
    records = []
    for name in sorted(os.listdir(folder)):
        if not name.startswith("part-"):
            raise AssertionError("%s is no data file" % name)
        for line in support.read_lines(os.path.join(folder, name)):
            records.append(json.loads(line, object_pairs_hook=no_twice, parse_float=decimal.Decimal,
                                      parse_int=int, parse_constant=lambda word: 1 / 0))
    return records


def plain_value(value):
    """What a tag stands for, in Python's kinds."""
    if not isinstance(value, dict):
        return value
    (tag, inner), = value.items()
    return {"$bytes": base64.b64decode, "$text": str, "$float64": float, "$decimal": decimal.Decimal}[tag](inner)


def rows_of(path):
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    tables = {}
    for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
                               " AND name NOT LIKE '\\_transhume%' ESCAPE '\\'").fetchall():
        columns = [row[1] for row in db.execute("PRAGMA table_info(%s)" % support.quoted(table))]
        names = ", ".join("typeof({0}), {0}".format(support.quoted(c)) for c in columns)
        tables[table] = (columns, sorted(map(repr, db.execute("SELECT %s FROM %s" % (names, support.quoted(table))))))
    db.close()
    return tables


class Lines(support.TestCase):
    maxDiff = 4000

    def write_lines(self, name, lines, end="\n", last=True):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(end.encode().join(line if isinstance(line, bytes) else line.encode() for line in lines))
            file.write(end.encode() if last else b"")
        return self.path(name)


class BothWays(Lines):

    def test_sqlite_to_jsonl_to_sqlite(self):
        """Every kind in every column comes back as it was: 32 values x 6 columns, keys, names, keyless tables."""
        make_types(self.path("a.db"))
        for number, options in enumerate(("", "?compression=gzip", "?compression=zstd&file_bytes=1KiB")):
            with self.subTest(options=options):
                out, back = "out%d" % number, "back%d.db" % number
                self.run_program("migrate", "--state", "s%d" % number, "--chunk-rows", "20", "a.db",
                                 "jsonl:%s%s" % (out, options))
                self.run_program("migrate", "--state", "b%d" % number, "--jobs", "3", "jsonl:" + out, back)
                self.assertEqual(rows_of(self.path(back)), rows_of(self.path("a.db")))

    def test_python_reads_the_same(self):
        make_types(self.path("a.db"))
        self.run_program("migrate", "a.db", "jsonl:out")
        db = sqlite3.connect(self.path("a.db"))
        expected = db.execute("SELECT id, i, t, b, n, r, any_kind, note FROM plain ORDER BY id").fetchall()
        db.close()
        found = sorted(read_records(self.path("out", "plain")), key=lambda record: record["id"])
        self.assertEqual(len(found), len(expected))
        for record, row in zip(found, expected):
            for name, value in zip(("id", "i", "t", "b", "n", "r", "any_kind", "note"), row):
                got = record[name]
                with self.subTest(row=row[0], column=name):
                    if isinstance(value, float) and value - value != 0:
                        self.assertEqual(repr(float(plain_value(got))), repr(value))
                    elif isinstance(value, float):
                        # exact digits, no double rounding: the decimal's nearest float is the value
                        self.assertEqual(repr(float(plain_value(got))), repr(value))
                        self.assertIsInstance(got, (decimal.Decimal, int))
                    elif isinstance(value, bytes):
                        self.assertEqual(base64.b64decode(got) if name == "b" else plain_value(got), value)
                    else:
                        self.assertEqual(plain_value(got), value)
                        self.assertIs(type(plain_value(got)), type(value))

    def test_the_definition_keeps_types_keys_indexes_and_references(self):
        make_types(self.path("a.db"))
        self.run_program("migrate", "a.db", "jsonl:out")
        with open(self.path("out", "_transhume", "tables", "child.json"), encoding="utf-8") as file:
            child = json.load(file)
        self.assertEqual(child["key"], ["id"])
        self.assertIn({"name": "child_plain", "columns": ["plain_id"]}, child["indexes"])
        self.assertEqual(child["references"][0]["table"], "plain")
        self.run_program("migrate", "--state", "s2", "jsonl:out", "back.db")
        db = sqlite3.connect(self.path("back.db"))
        self.assertEqual(db.execute("PRAGMA foreign_key_list(child)").fetchone()[2:5], ("plain", "plain_id", "id"))
        self.assertIn("child_plain", [row[1] for row in db.execute("PRAGMA index_list(child)")])
        db.close()

    CASTS = """
transhume: 1
source: a.db
target: jsonl:out
tables:
  typed:
    key: [id]
    from: v
    fields:
      id: copy
      d:  { column: d, cast: date }
      t:  { column: t, cast: time }
      ts: { column: ts, cast: timestamp }
      u:  { column: u, cast: uuid }
      x:  { column: x, cast: bytes }
      n:  { column: n, cast: "decimal(12,3)" }
      f:  { column: f, cast: float64 }
      g:  { column: f, cast: float64 }
      b:  { column: b, cast: bool }
      j:  { column: j, cast: json }
      big: { column: big, cast: uint64 }
"""

    def test_typed_columns(self):
        """Kinds that SQLite lacks: as plain JSON by the column's type, and back the same."""
        support.make_sqlite(self.path("a.db"), """
            CREATE TABLE v(id INTEGER PRIMARY KEY, d TEXT, t TEXT, ts TEXT, u TEXT, x BLOB, n TEXT, f REAL, b INTEGER,
                           j TEXT, big TEXT);
            INSERT INTO v VALUES
              (1, '2024-02-29', '23:59:59.5', '2024-02-29T12:00:00.000001', '123e4567-e89b-12d3-a456-426614174000',
               x'00ff', '1.500', 0.5, 1, '{"k": [1, 2.50, null]}', '18446744073709551615'),
              (2, '0001-01-01', '00:00:00', '9999-12-31T23:59:59', '00000000-0000-0000-0000-000000000000',
               x'', '-0.001', -1e300, 0, '{"$date": "no tag"}', '0'),
              (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);""")
        self.write("transhume.yaml", self.CASTS)
        self.run_program("migrate")
        one, two, three = sorted(read_records(self.path("out", "typed")), key=lambda record: record["id"])
        self.assertEqual(one, {
            "id": 1, "d": "2024-02-29", "t": "23:59:59.5", "ts": "2024-02-29T12:00:00.000001",
            "u": "123e4567-e89b-12d3-a456-426614174000", "x": "AP8=", "n": decimal.Decimal("1.500"),
            "f": decimal.Decimal("0.5"), "g": decimal.Decimal("0.5"), "b": True,
            "j": {"k": [1, decimal.Decimal("2.50"), None]},
            "big": 18446744073709551615})
        self.assertEqual(str(one["n"]), "1.500")
        self.assertEqual(two["j"], {"$json": '{"$date": "no tag"}'})
        self.assertEqual({name: value for name, value in three.items() if value is not None}, {"id": 3})
        with open(self.path("out", "_transhume", "tables", "typed.json"), encoding="utf-8") as file:
            types = {column["name"]: column["type"] for column in json.load(file)["columns"]}
        self.assertEqual(types, {"id": "int64", "d": "date", "t": "time", "ts": "timestamp", "u": "uuid", "x": "bytes",
                                 "n": "decimal", "f": "float64", "g": "float64", "b": "bool", "j": "json",
                                 "big": "uint64"})
        # into another folder of the same kind, by the general path: the same lines again
        self.run_program("migrate", "--state", "s2", "jsonl:out", "jsonl:again")
        self.assertEqual(sorted(map(str, read_records(self.path("again", "typed")))),
                         sorted(map(str, (one, two, three))))
        self.run_program("migrate", "--state", "s3", "jsonl:out?records=documents", "jsonl:documents")
        self.run_program("migrate", "--state", "s4", "jsonl:documents", "jsonl:learnt")
        learnt = {record["id"]: record for record in read_records(self.path("learnt", "typed"))}
        self.assertEqual(learnt[1]["ts"], "2024-02-29T12:00:00.000001")
        self.assertEqual(learnt[1]["x"], "AP8=")
        self.assertEqual(str(learnt[1]["n"]), "1.500")

    def test_items_of_dynamodb_and_back(self):
        """Sets, binary, numbers of 38 digits, nested lists and maps, null: all there and back as documents."""
        items = [{"Id": {"N": "1"}, "N": {"N": "12345678901234567890123456789012345678"}, "D": {"N": "0.1"},
                  "S": {"S": "caf\u00e9"}, "B": {"B": "AP8="}, "SS": {"SS": ["a", "b"]}, "NS": {"NS": ["1", "2.5"]},
                  "BS": {"BS": ["AA=="]}, "L": {"L": [{"N": "1"}, {"B": "AQ=="}, {"NULL": True}]},
                  "M": {"M": {"$date": {"S": "x"}, "k": {"SS": ["z"]}}}, "T": {"BOOL": True}, "Z": {"NULL": True}},
                 {"Id": {"N": "2"}}]
        os.makedirs(self.path("in", "things"))
        os.makedirs(self.path("in", "_transhume", "tables"))
        with open(self.path("in", "things", "data-1.json"), "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"Item": item}) + "\n" for item in items)
        self.write("in/_transhume/tables/things.json", json.dumps(
            {"TableName": "things", "KeySchema": [{"AttributeName": "Id", "KeyType": "HASH"}],
             "AttributeDefinitions": [{"AttributeName": "Id", "AttributeType": "N"}]}))
        self.run_program("migrate", "dynamodb-json:in", "jsonl:out")
        self.write("back.yaml", """
transhume: 1
source: "jsonl:out?records=documents"
target: dynamodb-json:back
tables:
  things: { key: { partition: Id }, from: things, nulls: keep, fields: { "*": copy } }
""")
        self.run_program("migrate", "--plan", "back.yaml", "--state", "s2")
        self.assertEqual(support.dynamodb_differences({"things": items}, support.read_dynamodb_json(self.path("back"))),
                         [])

    def test_without_tags(self):
        make_types(self.path("a.db"))
        self.run_program("migrate", "--include", "plain", "a.db", "jsonl:out?tags=no")
        for record in read_records(self.path("out", "plain")):
            self.assertFalse([value for value in record.values() if isinstance(value, dict) and "$" in str(value)])

    def test_infinities_are_rejected_on_demand(self):
        support.make_sqlite(self.path("a.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL);"
                                               "INSERT INTO t VALUES (1, 9e999), (2, 1.5), (3, -9e999)")
        result = self.run_program("migrate", "a.db", "jsonl:out?non_finite=reject", code=1)
        self.assertIn("2 records were rejected", result.err)
        self.assertEqual(read_records(self.path("out", "t")), [{"id": 2, "r": decimal.Decimal("1.5")}])

    def test_nulls_and_missing_fields(self):
        self.write_lines("in/t.jsonl", ['{"a":1,"b":null}', '{"a":2}', '{"b":3}', "{}"])
        self.run_program("migrate", "jsonl:in", "jsonl:out")
        self.assertEqual(read_records(self.path("out", "t")), [{"a": 1, "b": None}, {"a": 2}, {"b": 3}, {}])


class Learning(Lines):
    """Types from all rows."""

    def columns(self, *lines):
        self.write_lines("in/t.jsonl", lines)
        self.run_program("migrate", "--state", "s", "jsonl:in", "jsonl:out")
        with open(self.path("out", "_transhume", "tables", "t.json"), encoding="utf-8") as file:
            columns = json.load(file)["columns"]
        for name in ("in", "out", "s"):
            subprocess.run(["rm", "-r", self.path(name)], check=True)
        return {c["name"]: c["type"] + ("(%d,%d)" % (c["precision"], c["scale"]) if "precision" in c else "")
                + (" mixed" if c.get("dynamic") else "") + ("" if c.get("null") is False else " null")
                for c in columns}

    def test_each_type(self):
        for values, expected in (
                (["1", "-2"], "int64"), (["1", "18446744073709551615"], "uint64"),
                (["-1", "18446744073709551615"], "decimal(20,0)"),
            (["1", "123456789012345678901234567890"], "decimal(30,0)"),
                (["1.5", "2"], "decimal(2,1)"), (["0.10", "123"], "decimal(5,2)"), (["1e5", "2"], "float64"),
                (["1e-7", "0.1"], "float64"), (["-0.0", "1.5"], "float64"), (["-0", "5"], "int64"),
                (["1e5", "9007199254740993"], "decimal"), (["true", "false"], "bool"),
                (['"a"', '"1"'], "text"), (['"2024-01-01"', '"2024-01-02"'], "text"), (["[1]", "[]"], "list"),
                (["{}", '{"a":1}'], "map"), (["null", "null"], "text mixed null"), (["1", "null"], "int64 null"),
                (["1", '"a"'], "text mixed"), (["[1]", "1"], "text mixed"), (["true", "1"], "text mixed"),
                (['{"$date":"2024-01-01"}', "{}"], "map")):
            with self.subTest(values=values):
                self.assertEqual(self.columns(*('{"v":%s}' % value for value in values)), {"v": expected})
        self.assertEqual(self.columns('{"a":1}', '{"b":"x","a":2}'), {"a": "int64", "b": "text null"})

    def test_minus_zero_keeps_its_sign(self):
        self.write_lines("in/t.jsonl", ['{"v":-0.0,"l":[-0.0,0.0],"m":-0.0}', '{"v":2.5,"l":[],"m":"x"}'])
        self.run_program("migrate", "jsonl:in", "jsonl:out")
        folder = self.path("out", "t")
        with open(os.path.join(folder, os.listdir(folder)[0]), encoding="utf-8") as file:
            first = json.loads(file.readline())
        for number in (first["v"], first["l"][0], first["m"]):
            self.assertEqual(str(number), "-0.0")
        self.assertEqual(str(first["l"][1]), "0.0")

    def test_kinds_of_one_column_survive_csv(self):
        columns = {"mixed": [True, "true", 1, "1", False, "false", "t", 0, "x", None],
                   "truth": [True, False, True, 1, 0, True, 2, "1", "true", True],
                   "whole": [1, 2, True, 0, False, "true", 1, "false", "\\x00", "3"]}
        records = [{"id": number, **{name: values[number] for name, values in columns.items()}} for number in range(10)]
        self.write_lines("in/t.jsonl", [json.dumps(record) for record in records])
        os.makedirs(self.path("in", "_transhume", "tables"))
        with open(self.path("in", "_transhume", "tables", "t.json"), "w", encoding="utf-8") as file:
            json.dump({"format": 1, "tags": False, "key": ["id"], "columns": [{"name": "id", "type": "int64"}] + [
                {"name": name, "type": kind, "dynamic": True} for name, kind in (("mixed", "text"), ("truth", "bool"),
                    ("whole", "int64"))]}, file)
        self.run_program("migrate", "--state", "there", "jsonl:in", "csv:middle")
        self.run_program("migrate", "--state", "back", "csv:middle", "jsonl:out")
        found = {record["id"]: record for record in read_records(self.path("out", "t"))}
        for record in records:
            other = found[record["id"]]
            self.assertEqual({name: repr(other.get(name)) for name in record},
                             {name: repr(value) for name, value in record.items()})

    def test_distinct_takes_a_float_and_a_decimal_for_two(self):
        """As the target does; so it is not by chance, of where chunks are cut, that one is rejected."""
        values = ['0.5', '{"$decimal":"0.5"}', '0.5'], ['{"$decimal":"0.25"}', '0.25'], ['{"$decimal":"0.50"}', '0.5']
        self.write_lines("in/t.jsonl", ['{"K":%d,"V":%s}' % (key, value) for key, of_key in enumerate(values)
                                        for value in of_key])
        os.makedirs(self.path("in", "_transhume", "tables"))
        self.write("in/_transhume/tables/t.json", json.dumps({"format": 1, "tags": True, "columns": [
            {"name": "K", "type": "int64"}, {"name": "V", "type": "float64", "dynamic": True}]}))
        self.write("plan.yaml", "transhume: 1\nsource: jsonl:in\ntarget: jsonl:out?tags=yes\n"
                                "tables:\n  t: { from: t, key: [K], distinct: true, fields: { K: copy, V: copy } }\n")
        for rows in (100, 1):
            with self.subTest(chunk_rows=rows):
                state = "s%d" % rows
                self.run_program("migrate", "--plan", "plan.yaml", "--jobs", "1", "--chunk-rows", str(rows), "--state",
                                 state, "jsonl:in",
                                 "jsonl:out%d?tags=yes" % rows, code=1)
                self.assertEqual(sorted(reject["record"]["K"] for reject in rejects(self.path(state))), [0, 1, 2])
                self.assertEqual(len(list(read_records(self.path("out%d" % rows, "t")))), 3)

    def test_check_shows_them(self):
        self.write_lines("in/t.jsonl", ['{"a":1,"b":"x"}', '{"a":2.50}'])
        self.assertIn("t: types learned from all 2 rows: a decimal(3,2), b text null",
                      " ".join(self.run_program("check", "jsonl:in", "x.db").out.split()))

    def test_a_type_that_changes_in_row_two_million(self):
        rows = 2000000
        os.makedirs(self.path("in"))
        with open(self.path("in", "t.jsonl"), "wb") as file:
            file.write(b'{"a":1}\n' * (rows - 1))
            file.write(b'{"a":"x"}\n')
        self.run_program("migrate", "jsonl:in", "x.db", time_limit=120)
        db = sqlite3.connect(self.path("x.db"))
        self.assertEqual(db.execute("SELECT typeof(a), count(*) FROM t GROUP BY 1 ORDER BY 1").fetchall(),
                         [("integer", rows - 1), ("text", 1)])
        db.close()
        # declared, it is a reject with its line
        os.makedirs(self.path("in", "_transhume", "tables"))
        self.write("in/_transhume/tables/t.json", '{"format":1,"columns":[{"name":"a","type":"int64"}]}')
        self.run_program("migrate", "--state", "s2", "jsonl:in", "y.db", code=1, time_limit=120)
        reject, = rejects(self.path("s2"))
        self.assertIn("t.jsonl line %d: " % rows, reject["reason"])
        self.assertEqual(reject["key"], {"$file": "t.jsonl", "$line": rows})
        db = sqlite3.connect(self.path("y.db"))
        self.assertEqual(db.execute("SELECT count(*) FROM t").fetchone(), (rows - 1,))
        db.close()

    def test_too_many_fields(self):
        self.write_lines("in/t.jsonl", [json.dumps({"k%d" % i: 1}) for i in range(65536)])
        result = self.run_program("check", "jsonl:in", "x.db", code=2)
        self.assertIn("65,535 different fields", result.err)
        self.assertIn("records=documents", result.err)

    def test_declared_types_hold(self):
        self.write_lines("in/t.jsonl", [
            '{"i":1,"d":"2024-01-01","n":1.25}', '{"i":1.5}', '{"i":"x"}', '{"d":"yesterday"}', '{"n":123.4}',
            '{"n":1.255}',
            '{"z":1}', '{"i":null,"n":12.50}'])
        os.makedirs(self.path("in", "_transhume", "tables"))
        self.write("in/_transhume/tables/t.json", json.dumps({"format": 1, "columns": [
            {"name": "i", "type": "int64"}, {"name": "d", "type": "date"},
            {"name": "n", "type": "decimal", "precision": 4, "scale": 2}]}))
        self.run_program("migrate", "jsonl:in", "jsonl:out", code=1)
        self.assertEqual(len(read_records(self.path("out", "t"))), 2)
        reasons = [reject["reason"] for reject in rejects(self.path(".transhume"))]
        for line, words in ((2, "1.5 is no int64"), (3, "x is no int64"), (4, "yesterday is no date"),
                            (5, "123.4 is no decimal"), (6, "1.255 is no decimal"), (7, "no such column")):
            self.assertTrue([r for r in reasons if "t.jsonl line %d: " % line in r and words in r], (line, reasons))
        self.assertEqual(len(reasons), 6)

    def test_a_broken_definition(self):
        for text, words in (("{", "is damaged"), ("[]", "no object"), ('{"format":1}', "columns"),
                            ('{"format":1,"columns":[{"name":"a","type":"money"}]}', "money"),
                            ('{"format":1,"columns":[{"name":"a","type":"text"},{"name":"a","type":"text"}]}',
                             "two columns"),
                            ('{"format":2,"columns":[]}', "newer"),
                            ('{"format":1,"key":["b"],"columns":[{"name":"a","type":"text"}]}', '"b"')):
            with self.subTest(text=text):
                self.write_lines("in/t.jsonl", ['{"a":"1"}'])
                os.makedirs(self.path("in", "_transhume", "tables"), exist_ok=True)
                self.write("in/_transhume/tables/t.json", text)
                result = support.transhume("check", "jsonl:in", "x.db", cwd=self.folder)
                self.assertIn(result.code, (2, 5))
                self.assertIn("t.json", result.err)
                self.assertIn(words, result.err)


def rejects(state):
    found = []
    for root, _, names in os.walk(os.path.join(state, "rejects")):
        for name in sorted(names):
            with open(os.path.join(root, name), encoding="utf-8") as file:
                found += [json.loads(line) for line in file]
    return found


class BadLines(Lines):
    def test_each_kind_of_broken_line(self):
        """Rejected with file and line, and what stands around them is there."""
        bad = {"not UTF-8": b'{"v":"\xff"}', "a malformed escape": b'{"v":"\\ud800"}',
               "malformed escape": b'{"v":"\\udc00x"}',
               "\"id\": the key is there twice": b'{"id":1,"id":2}',
               "the key \"a\" is there twice": b'{"v":{"a":1,"a":2}}',
               "no JSON object": b"[1]", "expected a key": b'{"id":8,',
               "nested deeper": b'{"v":' + b"[" * 10000 + b"]" * 10000 + b"}",
               "more after the value": b"{} x", "malformed number": b'{"id":01}', "control character": b'{"v":"a\tb"}',
               "neither true, false nor null": b'{"v":nul}', "exponent": b'{"id":1e999999}', "closing quote": b'{"v":"'}
        lines = []
        for number, line in enumerate(bad.values()):
            lines += [('{"id":%d,"v":"good"}' % (number + 100)).encode(), line]
        self.write_lines("in/t.jsonl", lines)
        result = self.run_program("migrate", "jsonl:in", "jsonl:out", code=1)
        self.assertIn("%d records were rejected" % len(bad), result.err)
        found = {reject["key"]["$line"]: reject for reject in rejects(self.path(".transhume"))}
        for number, words in enumerate(bad):
            line = 2 * number + 2
            with self.subTest(words=words):
                self.assertIn("t.jsonl line %d: " % line, found[line]["reason"])
                self.assertIn(words, found[line]["reason"])
                self.assertEqual(found[line]["key"], {"$file": "t.jsonl", "$line": line})
        self.assertEqual(sorted(record["id"] for record in read_records(self.path("out", "t"))),
                         [number + 100 for number in range(len(bad))])

    def test_a_field_that_broken_lines_alone_have(self):
        """No type is learnt from them; what is told is what is wrong in them."""
        for value, words in (("tru", "neither true"), ("01", "malformed number"), ("0x10", "expected"),
                             ('"\\ud800"', "malformed escape"),
                             ("[1,]", "expected a value"), ("{\"a\":1,\"a\":2}", "is there twice"), ("1 2", "expected"),
                             ("[" * 600, "nested deeper")):
            for first in ("1", '"text"'):  # another kind than is learnt
                with self.subTest(value=value[:20], first=first):
                    self.write_lines("in/t.jsonl", ['{"k":1}', '{"k":%s,"v":%s}' % (first, value), '{"k":3}'])
                    self.run_program("migrate", "--state", "s", "jsonl:in", "jsonl:out", code=1)
                    reject, = rejects(self.path("s"))
                    self.assertIn("t.jsonl line 2: ", reject["reason"])
                    self.assertIn(words, reject["reason"])
                    subprocess.run(["rm", "-r", self.path("s"), self.path("out")], check=True)

    def test_records_without_any_field(self):
        self.write_lines("in/t.jsonl", ["{}", "{}"])
        result = self.run_program("migrate", "jsonl:in", "jsonl:out", code=2)
        self.assertIn("a table needs at least one column", result.err)
        self.assertIn("records=documents", result.err)
        self.run_program("migrate", "jsonl:in?records=documents", "jsonl:out")
        self.assertEqual(read_records(self.path("out", "t")), [{}, {}])

    def test_blank_lines_mark_carriage_returns_and_no_last_end(self):
        self.write_lines("in/t.jsonl", [b'\xef\xbb\xbf{"a":1}', "", "  \t ", '{"a":2} ', "{bad", '\t{"a":3}'],
                         end="\r\n",
                         last=False)
        self.run_program("migrate", "jsonl:in", "jsonl:out", code=1)
        self.assertEqual([record["a"] for record in read_records(self.path("out", "t"))], [1, 2, 3])
        reject, = rejects(self.path(".transhume"))
        self.assertIn("line 5:", reject["reason"])

    def test_line_numbers_in_the_middle_of_a_large_file(self):
        lines = ['{"id":%d,"text":"%s"}' % (number, "x" * (number % 90)) for number in range(1, 60001)]
        broken = [1, 777, 29999, 30000, 45678, 60000]
        for number in broken:
            lines[number - 1] = "{broken %d" % number
        self.write_lines("in/t.jsonl", lines)
        self.run_program("migrate", "--chunk-rows", "500", "--jobs", "4", "jsonl:in", "x.db", code=1)
        found = {reject["key"]["$line"]: reject["record"]["unreadable"] for reject in rejects(self.path(".transhume"))}
        self.assertEqual(found, {number: "{broken %d" % number for number in broken})
        db = sqlite3.connect(self.path("x.db"))
        self.assertEqual(db.execute("SELECT count(*), sum(id) FROM t").fetchone(),
                         (60000 - len(broken), 60000 * 60001 // 2 - sum(broken)))
        db.close()

    def test_lines_of_keyless_rows_name_rejects_of_the_target(self):
        self.write_lines("in/t.jsonl", ['{"a":1}'] * 5000 + ['{"a":18446744073709551615}'] + ['{"a":2}'] * 5000)
        support.make_sqlite(self.path("x.db"), "CREATE TABLE t (a INTEGER)")
        self.run_program("migrate", "--existing", "append", "--chunk-rows", "1000", "jsonl:in", "x.db", code=1)
        reject, = rejects(self.path(".transhume"))
        self.assertEqual(reject["key"], {"$file": "t.jsonl", "$line": 5001})

    def test_a_gzip_that_ends_early(self):
        text = "".join('{"id":%d,"v":"%s"}\n' % (i, os.urandom(20).hex()) for i in range(20000)).encode()
        os.makedirs(self.path("in"))
        packed = gzip.compress(text)
        with open(self.path("in", "t.jsonl.gz"), "wb") as file:
            file.write(packed[:len(packed) // 2])
        result = support.transhume("migrate", "jsonl:in", "x.db", cwd=self.folder)
        self.assertEqual(result.code, 3)
        self.assertIn("t.jsonl.gz", result.err)
        self.assertIn("ends too early", result.err)
        self.assertFalse(os.path.exists(self.path("x.db")))

    def test_a_line_of_a_gibibyte(self):
        """Constant memory; the lines around it are there."""
        os.makedirs(self.path("in"))
        with open(self.path("in", "t.jsonl"), "wb") as file:
            file.write(b'{"a":1}\n{"a":"')
            file.seek(1 << 30, os.SEEK_CUR)
            file.write(b'"}\n{"a":3}\n')
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        result = self.run_program("migrate", "jsonl:in", "jsonl:out", code=1, time_limit=240)
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
                        max(before, 64 * 1024 * support.PATIENCE))
        self.assertIn("1 record was rejected", result.err)
        reject, = rejects(self.path(".transhume"))
        self.assertEqual((reject["code"], reject["key"]["$line"]), ("record-too-large", 2))
        self.assertEqual([record["a"] for record in read_records(self.path("out", "t"))], [1, 3])

    def test_records_that_are_too_long_to_be_read_again_are_not_written(self):
        support.make_sqlite(self.path("a.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);"
                                               "INSERT INTO t VALUES (1, 'x'), (2, printf('%.*c', 5000, 'y'))")
        self.run_program("migrate", "a.db", "jsonl:out?record_bytes=2KiB", code=1)
        self.assertEqual([record["id"] for record in read_records(self.path("out", "t"))], [1])
        self.run_program("migrate", "--state", "s2", "a.db", "jsonl:two?record_bytes=8KiB")
        self.run_program("migrate", "--state", "s3", "jsonl:two?record_bytes=8KiB", "back.db")
        self.assertEqual(rows_of(self.path("back.db")), rows_of(self.path("a.db")))

    def test_equal_keys(self):
        """The first record of a key stays, the others are rejects; numbers are equal by value."""
        self.write_lines("in/t.jsonl", ['{"k":1,"v":"a"}', '{"k":2,"v":"b"}', '{"k":1,"v":"c"}', '{"k":3.0,"v":"d"}',
                                        '{"k":3.00,"v":"e"}', '{"k":null,"v":"f"}'])
        self.write("plan.yaml", "transhume: 1\nsource: jsonl:in\ntarget: jsonl:out\ntables:\n"
                                "  t: { key: [k], from: t, fields: { \"*\": copy } }\n")
        self.run_program("migrate", "--plan", "plan.yaml", code=1)
        self.assertEqual([record["v"] for record in read_records(self.path("out", "t"))], ["a", "b", "d"])
        self.assertEqual(sorted(reject["code"] for reject in rejects(self.path(".transhume"))),
                         ["key-duplicate", "key-duplicate", "key-null"])

    def test_segments_are_rewritten_whole_with_a_smaller_record_bytes(self):
        """What a run wrote it reads again, whatever a resume says is the longest record of a source."""
        support.make_sqlite(self.path("a.db"), "CREATE TABLE t(k TEXT, v TEXT)")
        rows = [("k%d" % (n % 15), "x" * 400000 if n % 3 == 0 else "small %d" % n) for n in range(20)]
        with sqlite3.connect(self.path("a.db")) as db:
            db.executemany("INSERT INTO t VALUES (?,?)", rows)
        db.close()
        first = {}
        for key, value in rows:
            first.setdefault(key, value)
        plan = self.write("plan.yaml", "transhume: 1\ntables:\n  t: { key: [k], from: t, fields: { \"*\": copy } }\n")
        for connector in ("jsonl", "csv"):
            for place in ("engine.before_settle", "files.before_rewrite"):
                with self.subTest(connector=connector, place=place):
                    name = connector + place
                    killed = support.kill_at(place, 1, "migrate", "--plan", plan, "--state", "s" + name, "a.db",
                                             "%s:%s?record_bytes=1MiB" % (connector, name), cwd=self.folder)
                    self.assertEqual(killed.code, -signal.SIGKILL)
                    self.run_program("resume", "--plan", plan, "--state", "s" + name, "a.db",
                                     "%s:%s?record_bytes=64KiB" % (connector, name), code=1)
                    folder = self.path(name, "t")
                    if connector == "jsonl":
                        read = [(record["k"], record["v"]) for record in read_records(folder)]
                    else:
                        csv.field_size_limit(1 << 20)
                        read = []
                        for part in sorted(os.listdir(folder)):
                            with open(os.path.join(folder, part), newline="", encoding="utf-8") as file:
                                read += [(row["k"], row["v"]) for row in csv.DictReader(file)]
                    self.assertEqual(len(read), len(first))
                    self.assertTrue(dict(read) == first, "a record is not as it was")

    def test_what_is_taken_out_is_told_as_it_stood_there(self):
        """The source may have changed since the chunks were copied."""
        support.make_sqlite(self.path("a.db"), "CREATE TABLE a(k TEXT, v TEXT); CREATE TABLE b(k TEXT, v TEXT);"
                                               "INSERT INTO a VALUES ('x', 'old a'), ('y', 'old a'); "
                                               "INSERT INTO b VALUES ('x', 'old b')")
        plan = self.write("plan.yaml",
                          "transhume: 1\ntables:\n  t: { key: [k], entities: { a: { from: a }, b: { from: b } } }\n")
        arguments = ("--plan", plan, "a.db", "jsonl:out")
        self.assertEqual(support.kill_at("engine.before_settle", 1, "migrate", *arguments, cwd=self.folder).code,
                         -signal.SIGKILL)
        support.make_sqlite(self.path("a.db"), "UPDATE b SET v = 'new b'")
        result = self.run_program("resume", "--json", *arguments, code=1)
        self.assertEqual(json.loads(result.out)["snapshot"], "one")
        self.assertEqual([reject["record"]["v"] for reject in rejects(self.path(".transhume"))], ["old b"])
        self.assertEqual([record["v"] for record in read_records(self.path("out", "t"))], ["old a", "old a"])

    def test_a_resume_without_the_tags_it_began_with_is_refused(self):
        """Else tags written before would be taken for data, or data for tags."""
        support.make_sqlite(self.path("a.db"), """CREATE TABLE t(id INTEGER PRIMARY KEY, v);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
            INSERT INTO t SELECT i, 9e999 FROM n;""")
        for began, goes_on in (("yes", "no"), ("no", "yes")):
            with self.subTest(began=began):
                targets = ["jsonl:%s?tags=%s" % (began, tags) for tags in (began, goes_on)]
                killed = support.kill_at("engine.after_commit", 1, "migrate", "--state", "s" + began, "--chunk-rows",
                                         "5", "a.db", targets[0], cwd=self.folder)
                self.assertEqual(killed.code, -signal.SIGKILL)
                refused = self.run_program("resume", "--state", "s" + began, "a.db", targets[1], code=3)
                self.assertIn("and this run says tags=" + goes_on, refused.err)
                self.run_program("resume", "--state", "s" + began, "a.db", targets[0])
                self.assertEqual(len(read_records(self.path(began, "t"))), 20)

    def test_a_resume_with_another_choice_for_infinities_is_refused(self):
        """Else some of them would be texts and some rejects."""
        support.make_sqlite(self.path("a.db"), """CREATE TABLE t(id INTEGER PRIMARY KEY, v REAL);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
            INSERT INTO t SELECT i, CASE i % 2 WHEN 0 THEN 9e999 ELSE i END FROM n;""")
        for began, goes_on, records in (("text", "reject", 20), ("reject", "text", 10)):
            with self.subTest(began=began):
                targets = ["jsonl:%s?non_finite=%s" % (began, choice) for choice in (began, goes_on)]
                killed = support.kill_at("engine.after_commit", 1, "migrate", "--state", "s" + began, "--chunk-rows",
                                         "5", "a.db", targets[0], cwd=self.folder)
                self.assertEqual(killed.code, -signal.SIGKILL)
                refused = self.run_program("resume", "--state", "s" + began, "a.db", targets[1], code=3)
                self.assertIn("begun with non_finite=%s, and this run says non_finite=%s" % (began, goes_on),
                              refused.err)
                self.run_program("resume", "--state", "s" + began, "a.db", targets[0], code=0 if records == 20 else 1)
                self.assertEqual(len(read_records(self.path(began, "t"))), records)

    def test_places(self):
        self.write("file.txt", "{}")
        self.write_lines("in/t.jsonl", ['{"a":1}'])
        self.write_lines("in/t/part.jsonl", ['{"a":1}'])
        for arguments, words in ((["jsonl:missing", "x.db"], "missing"),
                                 (["jsonl:file.txt", "x.db"], "does not end in .jsonl"),
                                 (["jsonl:in", "x.db"], "a second place for the same table t"),
                                 (["jsonl:in/t?record_bytes=1", "x.db"], "1KiB..1GiB"),
                                 (["jsonl:in/t?records=rows", "x.db"], "records")):
            with self.subTest(arguments=arguments):
                result = support.transhume("migrate", *arguments, cwd=self.folder)
                self.assertEqual(result.code, 2, result.err)
                self.assertIn(words, result.err)

    def test_one_file(self):
        self.write_lines("orders.jsonl", ['{"a":1}', '{"a":2}'])
        self.run_program("migrate", "jsonl:orders.jsonl", "x.db")
        self.assertEqual(rows_of(self.path("x.db"))["orders"][1], ["('integer', 1)", "('integer', 2)"])


class Pipes(Lines):
    def pipe(self, data, *arguments, code=0, env=None):
        result = subprocess.run([support.PROGRAM, *arguments], input=data, cwd=self.folder,
                                timeout=60 * support.PATIENCE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=support.environment_with(env))
        self.assertEqual(result.returncode, code, result.stderr.decode())
        return result

    def test_standard_input(self):
        text = b"".join(b'{"a":%d,"b":"x"}\n' % i for i in range(5000))
        for number, data in enumerate((text, gzip.compress(text), subprocess.run(["zstd", "-q"], input=text, check=True,
                                                                                 stdout=subprocess.PIPE).stdout)):
            name = "x%d.db" % number
            self.pipe(data, "migrate", "--state", "s%d" % number, "--chunk-rows", "500", "jsonl:-?table=nums", name)
            db = sqlite3.connect(self.path(name))
            self.assertEqual(db.execute("SELECT count(*), sum(a) FROM nums").fetchone(), (5000, 5000 * 4999 // 2))
            db.close()

    def test_a_resume_takes_the_same_bytes_again(self):
        text = b"".join(b'{"a":%d}\n' % i for i in range(5000))
        arguments = ("--chunk-rows", "500", "jsonl:-", "x.db")
        self.pipe(text, "migrate", *arguments, code=-9, env={"TRANSHUME_FAILPOINT": "engine.after_commit:kill:3"})
        result = self.pipe(text, "resume")
        self.assertIn(b"one snapshot", result.stdout)
        db = sqlite3.connect(self.path("x.db"))
        self.assertEqual(db.execute("SELECT count(*), sum(a) FROM stdin").fetchone(), (5000, 5000 * 4999 // 2))
        db.close()

    def test_an_empty_input_and_a_cut_one(self):
        result = self.pipe(b"", "migrate", "jsonl:-", "x.db", code=2)
        self.assertIn(b"stdin: a table needs at least one column", result.stderr)
        self.pipe(b"", "migrate", "--state", "s1", "jsonl:-", "jsonl:out")
        result = self.pipe(gzip.compress(b'{"a":1}\n' * 1000)[:-12], "migrate", "--state", "s2", "jsonl:-", "y.db",
                           code=3)
        self.assertIn(b"ends too early", result.stderr)

    def test_standard_output(self):
        make_types(self.path("a.db"))
        result = self.pipe(b"", "migrate", "--include", "child", "--chunk-rows", "50", "--jobs", "3", "a.db", "jsonl:-")
        records = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual(sorted(record["id"] for record in records), list(range(300)))
        self.assertIn(b"at least once", result.stderr)
        self.assertEqual([name for name in os.listdir(self.folder) if name not in (".transhume", "a.db")], [])

    def test_through_both(self):
        text = b'{"a":1,"n":1.50}\n{"a":2,"n":null}\n'
        self.assertEqual(self.pipe(text, "migrate", "jsonl:-", "jsonl:-").stdout, text)

    def test_what_standard_output_can_not(self):
        make_types(self.path("a.db"))
        result = self.pipe(b"", "migrate", "a.db", "jsonl:-", code=2)
        self.assertIn(b"takes one table", result.stderr)
        self.assertEqual(result.stdout, b"")
        result = self.pipe(b"", "migrate", "--include", "child", "a.db", "jsonl:-?compression=gzip", code=2)
        self.assertIn(b"without compression", result.stderr)
        # killed half-way, it is known nowhere what was read by others: it is not gone on with
        self.pipe(b"", "migrate", "--include", "child", "--chunk-rows", "50", "a.db", "jsonl:-", code=-9,
                  env={"TRANSHUME_FAILPOINT": "engine.after_commit:kill:2", "TMPDIR": self.folder})
        result = self.pipe(b"", "resume", code=5)
        self.assertIn(b"ledger", result.stderr)

    def test_a_reader_that_goes_away(self):
        make_types(self.path("a.db"))
        process = subprocess.run("%s migrate --include child --chunk-rows 20 a.db jsonl:- 2>err | head -c 10"
                                 % support.PROGRAM,
                                 shell=True, cwd=self.folder, stdout=subprocess.PIPE, timeout=60 * support.PATIENCE)
        self.assertEqual(len(process.stdout), 10)


class NestedOfText(support.TestCase):
    """
    `cast: map` and `cast: list`: what a text of JSON says, as it is; what says another thing, or nothing, is rejected.
    """
    TEXTS = ['{"a": [1, 2.50, null, "x"], "b": {}}', "[1]", "no", None, "[]", '"text"', '{"a": 1, "a": 2}']
    PLAN = """transhume: 1
source: sqlite:%s
target: %s
tables:
  things:
    key: %s
    from: t
    fields: { id: copy, j: { column: j, cast: %s } }
"""

    def run_cast(self, kind, target, key="id", code=1):
        source = self.path("s.db")
        if not os.path.exists(source):
            with sqlite3.connect(source) as database:
                database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, j TEXT)")
                database.executemany("INSERT INTO t (j) VALUES (?)", [(text,) for text in self.TEXTS])
            database.close()
        plan = self.write(kind + ".yaml", self.PLAN % (source, target, key, kind))
        return self.run_program("migrate", "--plan", plan, "--state", "state-" + target.split(":")[1], code=code)

    def test_each(self):
        for kind, wanted in (("map", {1: json.loads(self.TEXTS[0]), 4: None, 7: {"$map": [["a", 1], ["a", 2]]}}),
                             ("list", {2: [1], 4: None, 5: []})):
            with self.subTest(kind):
                self.run_cast(kind, "jsonl:out-" + kind)
                self.validate_copy("--plan", kind + ".yaml", state="state-out-" + kind)
                found = {}
                folder = self.path("out-" + kind, "things")
                for name in os.listdir(folder):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        found.update((record["id"], record["j"]) for record in map(json.loads, file))
                self.assertEqual(found, wanted)
                with open(self.path("out-" + kind, "things", sorted(os.listdir(folder))[0]), encoding="utf-8") as file:
                    self.assertIn("2.50" if kind == "map" else "[1]", file.read())

    def test_as_items(self):
        self.run_cast("map", "dynamodb-json:items", "{ partition: id }")
        found = {int(item["id"]["N"]): item.get("j")
                 for item in support.read_dynamodb_json(self.path("items"))["things"]}
        self.assertEqual(found, {1: {"M": {"a": {"L": [{"N": "1"}, {"N": "2.5"}, {"NULL": True}, {"S": "x"}]},
                                           "b": {"M": {}}}}, 4: None})

    def test_columns_hold_none(self):
        for target in ("sqlite:c.db", "csv:c"):
            result = self.run_cast("map", target, code=2)
            self.assertIn("say cast: json", result.err)


class LookedAt(large_values.LookedAt):
    """Large values of SQLite that casts and expressions look at."""
    LARGE_BYTES = 2 << 20
    BOUND = 64 << 20

    def make(self, rows, bytes_too=True):
        support.make_sqlite(self.path("big.db"), "CREATE TABLE big (id INTEGER PRIMARY KEY, t TEXT, b BLOB)")
        with sqlite3.connect(self.path("big.db")) as db:
            db.executemany("INSERT INTO big VALUES (?, ?, ?)",
                           ((number, text, text.encode() if text and bytes_too else None) for number, text in rows))
        db.close()

    def test_casts_and_expressions(self):
        self.make([(number, self.text_of(number)) for number in range(1, 6)] + [(6, None)])
        self.assert_looked_at("sqlite:big.db")
        self.run_program("validate", "--level", "full", "--plan", "plan.yaml")

    def test_beyond_the_bound(self):
        """
        Neither in nor out because of its size without a word; what only carries it goes on, and so do values that come
        whole.
        """
        self.make([(1, "x" * self.BOUND), (2, "x" * (self.BOUND + 1)), (3, "x")], bytes_too=False)
        slices = ("", "?slice=512MiB")
        for slice_bytes in slices:
            with self.subTest(slice_bytes):
                folder = "out%d" % slices.index(slice_bytes)
                self.write("plan.yaml", """transhume: 1
source: "sqlite:big.db%s"
target: "jsonl:%s?tags=no&record_bytes=256MiB"
tables:
  among:  { key: [id], from: big, where: "length(t) > 1", fields: { id: copy } }
  others: { key: [id], from: big, where: "length(t) <= 1", fields: { id: copy } }
  cut:    { key: [id], from: big, fields: { id: copy, t: { sql: "substr(t, 1, 3)", cast: text } } }
""" % (slice_bytes, folder))
                state = "state" + folder
                self.run_program("migrate", "--plan", "plan.yaml", "--jobs", "1", "--state", state, code=1)
                ids = {table: sorted(record["id"] for record in read_records(self.path(folder, table)))
                       for table in ("among", "others", "cut")}
                self.assertEqual(ids, {"among": [1], "others": [3], "cut": [1, 3]})
                found = rejects(self.path(state))
                self.assertEqual(sorted(reject["entity"] for reject in found), ["among", "cut", "others"])
                for reject in found:
                    self.assertEqual(reject["key"], {"id": 2})
                    self.assertIn(str(self.BOUND + 1), reject["reason"])
                    self.assertIn(str(self.BOUND), reject["reason"].replace(str(self.BOUND + 1), ""))

    def test_a_cast_beyond_the_bound(self):
        self.make([(1, '"%s"' % ("x" * (self.BOUND - 1))), (2, '"x"')], bytes_too=False)
        self.write("plan.yaml", """transhume: 1
source: sqlite:big.db
target: jsonl:out
tables:
  t: { key: [id], from: big, fields: { id: copy, t: { column: t, cast: json } } }
""")
        self.run_program("migrate", "--plan", "plan.yaml", code=1)
        self.assertEqual([record["t"] for record in read_records(self.path("out", "t"))], ["x"])
        (reject,) = rejects(self.path(".transhume"))
        self.assertIn("a value of %d bytes is too large here: %d bytes at most" % (self.BOUND + 1, self.BOUND),
                      reject["reason"])

    def test_memory(self):
        """What is made of many of them is not in memory at once."""
        count = 400 if support.SOAK else 24
        self.make((number, self.text_of(1)) for number in range(count))
        self.write("plan.yaml", """transhume: 1
source: sqlite:big.db
target: jsonl:out
tables:
  t: { key: [id], from: big, where: "length(t) > 1", fields: { id: copy, t: { column: t, cast: json }, length: { sql: "length(b)", cast: int64 } } }
""")
        self.assertLess(self.peak_mib("migrate", "-q", "--plan", "plan.yaml", "--jobs", "1"), 64 * support.PATIENCE)
        self.assertEqual(len(read_records(self.path("out", "t"))), count)


if __name__ == "__main__":
    unittest.main()
