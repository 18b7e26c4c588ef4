"""Parquet as source and target: values both ways, files of others, broken files, kills, repairs and rollbacks.

What was written is read by pyarrow and by DuckDB, and what is read was written by pyarrow (columnar_oracle.py).
"""
import decimal
import glob
import gzip
import json
import os
import random
import shutil
import sqlite3
import subprocess
import unittest

import parquet_by_hand as by_hand
import support
from columnar_case import (CASTS, ROWS, TABLES, TYPED, TYPED_SCRIPT, ColumnarCase, found_value, is_built, make,
                           seen_by_others, told_value)
from test_limits import BOUND_KIB, LimitsTestCase


def setUpModule():
    if not is_built("parquet"):
        raise unittest.SkipTest("this build has no Parquet: tools/carquet gets its library")


class ParquetCase(ColumnarCase):
    CONNECTOR = "parquet"


class BothWays(ParquetCase):

    def test_back_as_it_was(self):
        """Every kind of SQLite in a column of its own, keys, names, tables without a key, through each codec."""
        make(self.path("a.db"))
        for codec in ("zstd", "snappy", "gzip", "lz4", "brotli", "none"):
            with self.subTest(codec=codec):
                self.run_program("migrate", "--state", "s" + codec, "--chunk-rows", "70", "a.db",
                                 "parquet:%s?compression=%s" % (codec, codec))
                self.run_program("migrate", "--state", "b" + codec, "parquet:" + codec, codec + ".db")
                for table in TABLES:
                    self.assertEqual(self.rows(codec + ".db", table), self.rows("a.db", table))

    def test_others_read_the_same(self):
        make(self.path("a.db"))
        self.run_program("migrate", "--chunk-rows", "140", "a.db", "parquet:out?row_group_bytes=64KiB")
        expected = seen_by_others(self.path("a.db"))
        paths = self.files("out", "plain")
        self.assertGreater(len(paths), 2)
        for reader in ("arrow", "duckdb"):
            found = sorted((list(row.values()) for row in self.hands(reader, *paths)), key=lambda row: int(row[0][1]))
            self.assertEqual(found, expected, reader)
        said = self.hands("schema", paths[0])
        self.assertEqual(said["types"], {
            "id": "int64 not null", "i": "int64", "t": "string", "b": "binary", "n": "decimal128(10, 2)",
            "wide": "decimal128(30, 4)",
            "r": "double", "note": "string"})
        self.assertEqual(said["compression"], "ZSTD")
        self.assertGreater(said["row_groups"], 1)

    def test_the_definition_keeps_keys_indexes_and_references(self):
        make(self.path("a.db"))
        self.run_program("migrate", "a.db", "parquet:out")
        self.run_program("migrate", "--state", "s2", "parquet:out", "back.db")
        db = sqlite3.connect(self.path("back.db"))
        self.assertEqual(db.execute("PRAGMA foreign_key_list(child)").fetchone()[2:5], ("plain", "plain_id", "id"))
        self.assertIn("child_plain", [row[1] for row in db.execute("PRAGMA index_list(child)")])
        db.close()

    def test_typed_columns(self):
        """
        Kinds that SQLite lacks: as others see them, and back the same, by the definition also those that are texts.
        """
        support.make_sqlite(self.path("a.db"), TYPED_SCRIPT)
        self.write("transhume.yaml", CASTS % "parquet:out")
        self.run_program("migrate")
        for reader in ("arrow", "duckdb"):
            self.assertEqual(self.hands(reader, *self.files("out", "typed")), TYPED, reader)
        self.run_program("migrate", "--state", "s2", "parquet:out", "jsonl:j")
        one, two, _ = self.records("typed")
        self.assertEqual((str(one["n"]), str(one["free"]), one["l"], one["big"]),
                         ("1.500", "1.500", [1, "a"], 2**64 - 1))
        self.assertEqual((str(two["n"]), two["i"], two["j"]), ("-12345678901234567890123456789012345.678", "PT0S",
                                                               {"$json": "null"}))
        with open(self.path("j", "_transhume", "tables", "typed.json"), encoding="utf-8") as file:
            types = {column["name"]: column["type"] for column in json.load(file)["columns"]}
        self.assertEqual(types, {"id": "int64", "d": "date", "t": "time", "ts": "timestamp", "u": "uuid",
                                 "n": "decimal", "free": "decimal",
                                 "f": "float32", "b": "bool", "j": "json", "l": "list", "i": "interval",
                                 "big": "uint64"})
        for unit, lost in (("millis", True), ("nanos", True), ("micros", False)):
            with self.subTest(unit=unit):
                self.write("transhume.yaml", CASTS % "parquet:{0}?timestamps={0}".format(unit))
                self.run_program("migrate", "--state", "s-" + unit, code=1 if lost else 0)

    def test_from_parquet_to_parquet(self):
        """Every type of somebody else's file, lists, structs and maps too, comes out as it was."""
        self.hands("make", "in")
        shutil.rmtree(self.path("in", "delta"))
        self.run_program("migrate", "--include", "plain", "parquet:in", "parquet:out")
        with open(self.path("in", "expected.json"), encoding="utf-8") as file:
            expected = json.load(file)
        found = sorted(self.hands("arrow", *self.files("out", "plain")), key=lambda row: int(row["id"][1]))
        self.assertEqual(len(found), len(expected))
        for name in expected[0]:
            different = [(one[name], other[name]) for one, other in zip(found, expected) if one[name] != other[name]]
            self.assertEqual(different[:3], [], name)
        self.assertEqual(len(self.hands("duckdb", *self.files("out", "plain"))), 1000)
        said = self.hands("schema", self.files("out", "plain")[0])["types"]
        self.assertEqual((said["i8"], said["u16"], said["i32"], said["u64"]), ("int8", "int32", "int32", "uint64"))
        self.run_program("validate", "--level", "full")


class Rejected(ParquetCase):

    def test_what_does_not_fit_is_named(self):
        support.make_sqlite(self.path("a.db"), """
            CREATE TABLE v(id INTEGER PRIMARY KEY, n NUMERIC(6,2), i INTEGER, t TEXT NOT NULL);
            INSERT INTO v VALUES (1, 1234.56, 1, 'a'), (2, 12345.6, 2, 'b'), (3, 0.125, 3, 'c'), (4, 'word', 4, 'd'), (5, 5, 'five', 'e'),
                                 (6, 6, 6.0, 'f'), (7, 7, 7.5, 'g'), (8, 8, 8, x'00ff');""")
        self.run_program("migrate", "a.db", "parquet:out", code=1)
        rows = self.hands("arrow", *self.files("out", "v"))
        self.assertEqual([row["id"][1] for row in rows], ["1", "6"])
        reasons = {reject["key"]["id"] if isinstance(reject["key"], dict) else reject["key"][0]: reject["reason"]
                   for reject in self.rejects()}
        self.assertEqual(set(reasons), {2, 3, 4, 5, 7, 8})
        for number, column in ((2, "n"), (3, "n"), (4, "n"), (5, "i"), (7, "i"), (8, "t")):
            self.assertIn("column %s: " % column, reasons[number])

    def test_times_that_parquet_lacks(self):
        support.make_sqlite(self.path("a.db"), """
            CREATE TABLE v(id INTEGER PRIMARY KEY, d TEXT, t TEXT);
            INSERT INTO v VALUES (1, '2024-01-01', '12:00:00'), (2, 'infinity', NULL), (3, NULL, '24:00:00'), (4, NULL, '12:00:00.0000001');""")
        self.write("transhume.yaml", """
transhume: 1
source: a.db
target: parquet:out
tables: { v: { key: [id], from: v, fields: { id: copy, d: { column: d, cast: date }, t: { column: t, cast: time } } } }
""")
        self.run_program("migrate", code=1)
        self.assertEqual([row["id"][1] for row in self.hands("duckdb", *self.files("out", "v"))], ["1"])
        self.assertEqual(len(self.rejects()), 3)


class OfOthers(ParquetCase):
    """Every type of pyarrow's, by each way that it writes them, against what pyarrow itself says that it wrote."""

    WAYS = ("plain", "snappy", "gzip", "zstd", "lz4", "brotli", "pages_v2", "groups", "int96", "old", "small_decimals",
            "flat_lists", "delta")
    def test_every_type_in_every_way(self):
        self.hands("make", "in")
        with open(self.path("in", "expected.json"), encoding="utf-8") as file:
            rows = [{name: told_value(told, name) for name, told in row.items()} for row in json.load(file)]
        with decimal.localcontext(decimal.Context(prec=100)):
            self.run_program("migrate", "parquet:in", "jsonl:j")
            for way in self.WAYS:
                records = sorted(self.records(way), key=lambda record: record["id"])
                self.assertEqual(len(records), len(rows), way)
                for name in rows[0]:
                    if way == "old" and name in ("ts_us", "tz_us"):
                        continue  # pyarrow cut them to milliseconds
                    expected = [row[name] for row in rows]
                    if way == "int96" and name == "tz_us":
                        expected = [instant and instant.removesuffix("Z") for instant in expected]  # INT96 has no zone
                    got = [found_value(record.get(name)) for record in records]
                    different = [(record["id"], one, other) for record, one, other in zip(records, got, expected)
                                 if one != other]
                    self.assertEqual(different[:3], [], "%s of %s" % (name, way))

    def test_one_file_and_a_folder_of_files(self):
        self.hands("make", "in")
        shutil.copy(self.path("in", "groups", "part-0.parquet"), self.path("one.parquet"))
        os.makedirs(self.path("spark", "t"))
        for number in range(3):
            shutil.copy(self.path("in", "snappy", "part-0.parquet"),
                        self.path("spark", "t", "part-%05d-1a2b.snappy.parquet" % number))
        for name in ("_SUCCESS", ".part-00000.crc"):
            self.write(os.path.join("spark", "t", name), "")
        self.run_program("migrate", "--state", "s1", "parquet:one.parquet", "jsonl:j")
        self.assertEqual(len(self.records("one")), 1000)
        self.run_program("migrate", "--state", "s2", "--chunk-rows", "100", "parquet:spark", "jsonl:k")
        self.assertEqual(len(self.records("t", "k")), 3000)

    def test_different_columns_and_types(self):
        support.make_sqlite(self.path("a.db"),
                            "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'one');")
        support.make_sqlite(self.path("b.db"),
                            "CREATE TABLE t(a INTEGER PRIMARY KEY, c REAL); INSERT INTO t VALUES (2, 0.5);")
        support.make_sqlite(self.path("c.db"), "CREATE TABLE t(a TEXT PRIMARY KEY); INSERT INTO t VALUES ('x');")
        os.makedirs(self.path("all", "t"))
        for name in "abc":
            self.run_program("migrate", "--state", "s" + name, name + ".db", "parquet:" + name)
            path, = self.files(name, "t")
            if name != "c":
                shutil.copy(path, self.path("all", "t", name + ".parquet"))
        said = self.run_program("check", "--state", "sk", "parquet:all", "jsonl:k")
        self.assertIn("have no column b", said.out + said.err)
        self.run_program("migrate", "--state", "sj", "parquet:all", "jsonl:j")
        self.assertEqual(sorted(self.records("t"), key=lambda record: record["a"]),
                         [{"a": 1, "b": "one", "c": None}, {"a": 2, "b": None, "c": decimal.Decimal("0.5")}])
        path, = self.files("c", "t")
        shutil.copy(path, self.path("all", "t", "c.parquet"))
        said = self.run_program("migrate", "--state", "sl", "parquet:all", "jsonl:l", code=2)
        self.assertIn("column a is int64 in a.parquet, and text in c.parquet", said.err)

    def test_folders_of_partitions_are_refused(self):
        support.make_sqlite(self.path("a.db"), "CREATE TABLE t(a INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);")
        self.run_program("migrate", "a.db", "parquet:one")
        os.makedirs(self.path("all", "t", "year=2024"))
        shutil.copy(self.files("one", "t")[0], self.path("all", "t", "year=2024", "x.parquet"))
        said = self.run_program("migrate", "--state", "s2", "parquet:all", "jsonl:j", code=2)
        self.assertIn("year=2024", said.err)


class Broken(ParquetCase):

    def test_what_is_no_parquet_file(self):
        support.make_sqlite(self.path("a.db"),
                            "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y');")
        self.run_program("migrate", "a.db", "parquet:out")
        with open(self.files("out", "t")[0], "rb") as file:
            good = file.read()
        os.makedirs(self.path("in", "t"))
        for what, data in (("nothing", b""), ("text", b"id,name\n1,x\n" * 10), ("cut", good[:-20]),
                           ("headless", b"XXXX" + good[4:]),
                           ("encrypted", b"PARE" + good[4:-4] + b"PARE"),
                           ("long footer", good[:-8] + b"\xff\xff\xff\x7f" + b"PAR1"),
                           ("magic alone", b"PAR1" + bytes(8) + b"PAR1")):
            with self.subTest(what=what):
                with open(self.path("in", "t", "x.parquet"), "wb") as file:
                    file.write(data)
                self.refused("x.parquet")

    def test_damaged_bytes(self):
        """Files with a few bytes changed, cut or doubled: read, or refused in one line, but never worse."""
        self.hands("make", "made")
        draw = random.Random(support.SEED)
        os.makedirs(self.path("in", "t"))
        sources = []
        for way in ("plain", "snappy", "pages_v2", "delta"):
            with open(self.path("made", way, "part-0.parquet"), "rb") as file:
                sources.append(file.read())
        for number in range(400 if support.SOAK else 60):
            data = bytearray(draw.choice(sources))
            footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
            for _ in range(draw.choice((1, 1, 2, 8))):
                place = draw.randrange(footer, len(data) - 8) if draw.random() < 0.6 else draw.randrange(4, footer)
                data[place] = draw.randrange(256)
            with open(self.path("in", "t", "x.parquet"), "wb") as file:
                file.write(data)
            self.read_or_refused("number %d" % number)

    def test_checksums_are_looked_at(self):
        support.make_sqlite(self.path("a.db"),
                            "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'one'), (2, "
                            "'tw\u00fc'), (3, 'x');")
        self.run_program("migrate", "a.db", "parquet:in?compression=none")
        path, = self.files("in", "t")
        with open(path, "rb") as file:
            data = file.read()
        place = data.index("tw\u00fc".encode())
        with open(path, "wb") as file:
            file.write(data[:place] + b"tww\xbc" + data[place + 4:])
        self.refused(os.path.basename(path))

    def test_texts_that_are_not_utf8_are_rejected(self):
        self.hands("odd", "in")
        self.run_program("migrate", "parquet:in", "jsonl:j", code=1)
        self.assertEqual([record["id"] for record in self.records("texts")], [1, 3])
        reject, = self.rejects()
        self.assertIn("field word: the text is not UTF-8", reject["reason"])
        self.assertIn("row 2", reject["reason"])


class Runs(ParquetCase):

    POINTS = ("files.before_sync", "files.before_rename", "files.after_rename", "files.after_part", "files.after_table")

    def test_kills_and_resumes(self):
        make(self.path("a.db"))
        for point in self.POINTS:
            with self.subTest(point=point):
                arguments = ("--chunk-rows", "50", "a.db", "parquet:%s?file_bytes=16KiB" % point)
                killed = support.kill_at(point, 3, "migrate", "--state", "s" + point, *arguments, cwd=self.folder)
                self.assertEqual(killed.code, -9)
                self.run_program("resume", "--state", "s" + point)
                found = [int(row["id"][1]) for row in self.hands("arrow", *self.files(point, "plain"))]
                self.assertEqual(sorted(found), list(range(1, ROWS + 1)))
                self.assertEqual(len(self.hands("duckdb", *self.files(point, "keyless"))), 200)

    def test_repair(self):
        """Extra records go out of their files, missing and different ones are written again."""
        make(self.path("a.db"))
        self.run_program("migrate", "--chunk-rows", "100", "a.db", "parquet:out")
        before = self.hands("arrow", *self.files("out", "plain"))
        with sqlite3.connect(self.path("a.db")) as db:
            db.execute("DELETE FROM plain WHERE id % 50 = 0")
            db.execute("UPDATE plain SET note = 'changed' WHERE id % 50 = 1")
            db.execute("INSERT INTO plain(id, note) VALUES (1000, 'new')")
        db.close()
        self.run_program("validate", "--level", "full", code=1)
        self.run_program("validate", "--level", "full", "--repair", "--delete-extra", "--confirm")
        found = {int(row["id"][1]): row["note"][1] for row in self.hands("duckdb", *self.files("out", "plain"))}
        expected = {int(row["id"][1]): row["note"][1] for row in before if int(row["id"][1]) % 50}
        expected.update({number: "changed" for number in expected if number % 50 == 1})
        expected[1000] = "new"
        self.assertEqual(found, expected)
        self.assertEqual(len(self.hands("arrow", *self.files("out", "plain"))), len(expected))

    def test_rollback(self):
        make(self.path("a.db"))
        self.run_program("migrate", "a.db", "parquet:out")
        self.run_program("rollback", "--confirm", "--run", self.run_id())
        self.assertEqual(glob.glob(self.path("out", "*", "*.parquet")), [])

    def test_duplicate_keys_settle(self):
        support.make_sqlite(self.path("a.db"), "CREATE TABLE t(a INTEGER, b TEXT);")
        with sqlite3.connect(self.path("a.db")) as db:
            db.executemany("INSERT INTO t VALUES (?, ?)", [(row % 40, "b%d" % row) for row in range(50)])
        db.close()
        self.write("transhume.yaml", """
transhume: 1
source: a.db
target: parquet:out
tables: { t: { key: [a], from: t, fields: { "*": copy } } }
""")
        self.run_program("migrate", "--chunk-rows", "20", code=1)
        rows = self.hands("arrow", *self.files("out", "t"))
        self.assertEqual(sorted((int(row["a"][1]), row["b"][1]) for row in rows),
                         [(number, "b%d" % number) for number in range(40)])
        self.assertEqual(len(self.rejects()), 10)

    def test_a_second_run_is_refused(self):
        make(self.path("a.db"))
        self.run_program("migrate", "a.db", "parquet:out")
        self.run_program("migrate", "--state", "s2", "a.db", "parquet:out", code=5)


class Bounds(LimitsTestCase, ParquetCase):
    """The most memory of a process, as test_limits.py measures it."""

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("a.db"), "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);")
        with sqlite3.connect(self.path("a.db")) as db:
            db.executemany("INSERT INTO t VALUES (?, ?)", ((row, "%06d" % row * 340) for row in range(50000)))
        db.close()

    def test_written(self):
        self.measured("migrate", "a.db", "parquet:out")
        self.assertEqual(sum(self.hands("schema", path)["rows"] for path in self.files("out", "t")), 50000)

    def test_a_row_group_larger_than_the_bound(self):
        self.run_program("migrate", "--chunk-rows", "100000", "a.db",
                         "parquet:out?row_group_bytes=1GiB&file_bytes=1GiB")
        path, = self.files("out", "t")
        said = self.hands("schema", path)
        self.assertEqual((said["row_groups"], said["rows"]), (1, 50000))
        self.measured("migrate", "--state", "s2", "parquet:out", "jsonl:j")
        self.assertEqual(sum(1 for name in glob.glob(self.path("j", "t", "*.jsonl")) for _ in support.read_lines(name)),
                         50000)


class Claims(LimitsTestCase, ParquetCase):
    """What headers claim is refused in one line, before it costs memory."""
    MANY = 1 << 30

    def lies(self):
        """(what, columns, rows)"""
        many, nulls = self.MANY, by_hand.levels((0, self.MANY))
        Column, page = by_hand.Column, by_hand.page
        yield "a page of a thousand million nulls", [Column(by_hand.BYTE_ARRAY, [page(nulls, many)], many)], many
        yield "more numbers than bytes", [Column(by_hand.INT64, [page(bytes(80), many)], many, by_hand.REQUIRED)], many
        yield "numbers as deltas", [Column(by_hand.INT32, [page(bytes(80), many, encoding=by_hand.DELTA_BINARY)], many,
                                           by_hand.REQUIRED)], many
        yield "lengths as deltas", [Column(by_hand.BYTE_ARRAY, [page(bytes(80), many, encoding=by_hand.DELTA_LENGTH)],
                                           many, by_hand.REQUIRED)], many
        yield "a dictionary that is none", [Column(by_hand.INT64,
                                                   [page(b"\1\x02\0", 2, encoding=by_hand.RLE_DICTIONARY)], 2,
                                                   by_hand.REQUIRED,
                                                   dictionary=page(bytes(16), many, dictionary=True))], 2
        yield "a dictionary of texts that is none", [Column(by_hand.BYTE_ARRAY,
                                                            [page(b"\1\x02\0", 2, encoding=by_hand.RLE_DICTIONARY)], 2,
                                                            by_hand.REQUIRED,
                                                            dictionary=page(bytes(16), many, dictionary=True))], 2
        yield "values of two GiB", [Column(by_hand.FIXED, [page(bytes(16), 1)], 1, by_hand.REQUIRED,
                                           width=2**31 - 1)], 1
        yield "many columns of wide values", [Column(by_hand.FIXED, [page(bytes(16), 1)], 1, by_hand.REQUIRED,
                                                     width=1 << 20, name="v%d" % at) for at in range(200)], 1
        for codec in (by_hand.SNAPPY, by_hand.GZIP, by_hand.ZSTD):
            yield "a page unpacked, codec %d" % codec, [Column(by_hand.INT64,
                                                               [page(b"", 2, claims=255 << 20, packed=bytes(90))], 2,
                                                               by_hand.REQUIRED, codec=codec)], 2
        yield "a page of two GiB unpacked", [Column(by_hand.INT64, [page(b"", 2, claims=2**31 - 1, packed=bytes(90))],
                                                    2, by_hand.REQUIRED, codec=by_hand.ZSTD)], 2
        yield "a page longer than the file", [Column(by_hand.INT64, [page(bytes(16), 2, length=1 << 28)], 2,
                                                     by_hand.REQUIRED)], 2

    @staticmethod
    def bombs():
        """What is there, but from very few bytes."""
        Column, page, zeros, each = by_hand.Column, by_hand.page, bytes(240 << 20), 3 << 20
        yield "a page that unpacks a thousandfold", [Column(by_hand.BYTE_ARRAY,
                                                            [page(zeros, len(zeros) // 4,
                                                                  packed=gzip.compress(zeros, 1))], len(zeros) // 4,
                                                            by_hand.REQUIRED, codec=by_hand.GZIP)], len(zeros) // 4
        lists = [by_hand.levels((first, 1), (1, each - 1)) + by_hand.levels((1, each)) + bytes(4 * each)
                 for first in (0, 1)]
        yield "a row of too many elements", [Column(by_hand.INT32,
                                                    [page(data, each, packed=gzip.compress(data, 1)) for data in lists],
                                                    2 * each, by_hand.REPEATED,
                                                    codec=by_hand.GZIP)], 1

    def refuse(self, cases, bound_kib):
        os.makedirs(self.path("in", "t"))
        for number, (what, columns, rows) in enumerate(cases):
            with self.subTest(what=what):
                by_hand.write(self.path("in", "t", "x.parquet"), columns, rows)
                said = self.measured("migrate", "--state", "s%d" % number, "parquet:in", "jsonl:j%d" % number, code=3,
                                     bound_kib=bound_kib)
                errors = [line for line in said["err"].splitlines() if line.startswith("error:")]
                self.assertEqual(len(errors), 1, said["err"])
                self.assertIn("x.parquet", errors[0])
                self.assertIn("[source-invalid]", errors[0])

    def test_what_headers_claim(self):
        self.refuse(self.lies(), BOUND_KIB)

    def test_little_that_becomes_much(self):
        self.refuse(self.bombs(), 5 * BOUND_KIB)


class Example(ParquetCase):

    def test_invoices_parquet(self):
        support.musicshop(self.path("shop.db"))
        shutil.copy(os.path.join(support.ROOT, "examples", "invoices-parquet", "transhume.yaml"),
                    self.path("transhume.yaml"))
        self.run_program("check", "--sample", "1")
        self.run_program("migrate")
        self.run_program("validate", "--level", "full")
        db = sqlite3.connect(self.path("shop.db"))
        expected = db.execute("""
            SELECT l.InvoiceLineId, i.InvoiceDate, i.BillingCountry, c.FirstName || ' ' || c.LastName, t.Name, g.Name, r.Name,
                   printf('%.2f', l.UnitPrice), l.Quantity, printf('%.2f', l.UnitPrice * l.Quantity)
            FROM InvoiceLine l JOIN Invoice i USING (InvoiceId) JOIN Customer c USING (CustomerId) JOIN Track t USING (TrackId)
            LEFT JOIN Genre g USING (GenreId) LEFT JOIN Album a USING (AlbumId) LEFT JOIN Artist r USING (ArtistId) ORDER BY 1""").fetchall()
        db.close()
        found = [tuple(value and value[1] for value in row.values())
                 for row in self.hands("duckdb", *self.files("lake", "sales"))]
        self.assertEqual(sorted(found, key=lambda row: int(row[0])),
                         [tuple(None if value is None else str(value) for value in row) for row in expected])


class Module(support.TestCase):

    def test_a_build_without_it_says_so(self):
        os.makedirs(self.path("bin"))
        shutil.copy(support.PROGRAM, self.path("bin", "transhume"))
        for arguments, code in ((("migrate", "parquet:a", "jsonl:b"), 2), (("migrate", "arrow:a", "jsonl:b"), 2),
                                (("connectors",), 0)):
            done = subprocess.run([self.path("bin", "transhume"), *arguments], cwd=self.folder,
                                  stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            self.assertEqual(done.returncode, code)
            self.assertIn("tools/nanoarrow" if "arrow:a" in arguments else "tools/carquet", done.stdout.decode())


if __name__ == "__main__":
    unittest.main()
