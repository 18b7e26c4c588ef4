"""Arrow's IPC files as source and target: values both ways, files of others, broken files, kills, repairs and
rollbacks.

What was written is read by pyarrow, and what is read was written by pyarrow (columnar_oracle.py).
"""
import decimal
import glob
import json
import os
import random
import shutil
import sqlite3
import struct
import tempfile
import unittest

import support
from columnar_case import (CASTS, ROWS, TABLES, TYPED, TYPED_SCRIPT, ColumnarCase, found_value, is_built, make,
                           seen_by_others, told_value)
from test_limits import LimitsTestCase


def setUpModule():
    if not is_built("arrow"):
        raise unittest.SkipTest("this build has no Arrow: tools/nanoarrow gets its library")


class ArrowCase(ColumnarCase):
    CONNECTOR = "arrow"

    made = None

    def of_others(self, folder):
        """A folder of what pyarrow wrote, made once for the module, and what it holds."""
        if ArrowCase.made is None:
            made = tempfile.mkdtemp()
            unittest.addModuleCleanup(shutil.rmtree, made)
            self.hands("make_arrow", os.path.join(made, "in"))
            ArrowCase.made = os.path.join(made, "in")
        shutil.copytree(self.made, self.path(folder))
        with open(self.path(folder, "expected.json"), encoding="utf-8") as file:
            return json.load(file)


class BothWays(ArrowCase):

    def test_back_as_it_was(self):
        """Every kind of SQLite in a column of its own, keys, names, tables without a key."""
        make(self.path("a.db"))
        self.run_program("migrate", "--chunk-rows", "70", "a.db", "arrow:out")
        self.run_program("migrate", "--state", "s2", "arrow:out", "back.db")
        for table in TABLES:
            self.assertEqual(self.rows("back.db", table), self.rows("a.db", table))
        db = sqlite3.connect(self.path("back.db"))
        self.assertEqual(db.execute("PRAGMA foreign_key_list(child)").fetchone()[2:5], ("plain", "plain_id", "id"))
        self.assertIn("child_plain", [row[1] for row in db.execute("PRAGMA index_list(child)")])
        db.close()
        self.run_program("validate", "--level", "full", "--state", "s2")

    def test_others_read_the_same(self):
        make(self.path("a.db"))
        self.run_program("migrate", "--chunk-rows", "140", "a.db", "arrow:out?batch_bytes=64KiB")
        paths = self.files("out", "plain")
        self.assertGreater(len(paths), 2)
        found = sorted((list(row.values()) for row in self.hands("arrow", *paths)), key=lambda row: int(row[0][1]))
        self.assertEqual(found, seen_by_others(self.path("a.db")))
        said = self.hands("schema", paths[0])
        self.assertEqual(said["types"], {
            "id": "int64 not null", "i": "int64", "t": "string", "b": "binary", "n": "decimal128(10, 2)",
            "wide": "decimal128(30, 4)",
            "r": "double", "note": "string"})
        self.assertGreater(said["batches"], 1)
        self.assertEqual(self.hands("arrow", *self.files("out", "empty_one")), [])

    def test_typed_columns(self):
        """
        Kinds that SQLite lacks: as others see them, and back the same, by the definition also those that are texts.
        """
        support.make_sqlite(self.path("a.db"), TYPED_SCRIPT)
        self.write("transhume.yaml", CASTS % "arrow:out")
        self.run_program("migrate")
        path, = self.files("out", "typed")
        self.assertEqual(self.hands("arrow", path), TYPED)
        types = self.hands("schema", path)["types"]
        self.assertEqual([types[name] for name in ("d", "t", "ts", "u", "n", "f", "j", "big")],
                         ["date32[day]", "time64[us]", "timestamp[us]", "extension<arrow.uuid>", "decimal128(38, 3)",
                          "float",
                          "extension<arrow.json>", "uint64"])
        self.run_program("migrate", "--state", "s2", "arrow:out", "jsonl:j")
        one, two, _ = self.records("typed")
        self.assertEqual((str(one["n"]), str(one["free"]), one["l"], one["big"]),
                         ("1.500", "1.500", [1, "a"], 2**64 - 1))
        self.assertEqual((str(two["n"]), two["i"], two["j"]), ("-12345678901234567890123456789012345.678", "PT0S",
                                                               {"$json": "null"}))
        for unit, lost in (("millis", True), ("nanos", True), ("micros", False)):
            with self.subTest(unit=unit):
                self.write("transhume.yaml", CASTS % "arrow:{0}?timestamps={0}".format(unit))
                self.run_program("migrate", "--state", "s-" + unit, code=1 if lost else 0)

    def test_from_arrow_to_arrow(self):
        """Every type of somebody else's file, lists, structs and maps too, comes out as it was."""
        rows = self.of_others("in")["lz4"]
        self.run_program("migrate", "--include", "lz4", "arrow:in", "arrow:out")
        found = sorted(self.hands("arrow", *self.files("out", "lz4")), key=lambda row: int(row["id"][1]))
        self.assertEqual(len(found), len(rows))
        for name in rows[0].keys() - {"lasting"}:   # which becomes a text
            different = [(one[name], other[name]) for one, other in zip(found, rows) if one[name] != other[name]]
            self.assertEqual(different[:3], [], name)
        self.run_program("validate", "--level", "full")

    def test_what_does_not_fit_is_named(self):
        support.make_sqlite(self.path("a.db"), """
            CREATE TABLE v(id INTEGER PRIMARY KEY, n NUMERIC(6,2), i INTEGER, t TEXT NOT NULL);
            INSERT INTO v VALUES (1, 1234.56, 1, 'a'), (2, 12345.6, 2, 'b'), (3, 0.125, 3, 'c'), (4, 'word', 4, 'd'), (5, 5, 'five', 'e'),
                                 (6, 6, 6.0, 'f'), (7, 7, 7.5, 'g'), (8, 8, 8, x'00ff');""")
        self.run_program("migrate", "a.db", "arrow:out", code=1)
        self.assertEqual([row["id"][1] for row in self.hands("arrow", *self.files("out", "v"))], ["1", "6"])
        reasons = {reject["key"]["id"] if isinstance(reject["key"], dict) else reject["key"][0]: reject["reason"]
                   for reject in self.rejects()}
        self.assertEqual(set(reasons), {2, 3, 4, 5, 7, 8})
        for number, column in ((2, "n"), (3, "n"), (4, "n"), (5, "i"), (7, "i"), (8, "t")):
            self.assertIn("column %s: " % column, reasons[number])


class OfOthers(ArrowCase):
    """Every type of pyarrow's, in both formats, packed and not, against what pyarrow itself says that it wrote."""

    def test_every_type_in_every_way(self):
        expected = self.of_others("in")
        with decimal.localcontext(decimal.Context(prec=100)):
            self.run_program("migrate", "--chunk-rows", "150", "arrow:in", "jsonl:j")
            for way, told in expected.items():
                rows = [{name: told_value(value, name) for name, value in row.items()} for row in told]
                records = sorted(self.records(way), key=lambda record: record["id"])
                self.assertEqual(len(records), len(rows), way)
                for name in rows[0]:
                    different = [(record["id"], found_value(record.get(name)), row[name])
                                 for record, row in zip(records, rows)
                                 if found_value(record.get(name)) != row[name]]
                    self.assertEqual(different[:3], [], "%s of %s" % (name, way))

    def test_in_sqlite(self):
        """What has no kind of its own there: exact decimals, instants, days, nested values."""
        self.of_others("in")
        names = ("u64", "d76", "d38", "hundreds", "day", "noon", "t_us", "ts_ms", "tz_ms", "kept", "raw", "flag", "f16",
                 "nothing", "people", "map",
                 "id", "i8")
        self.write("transhume.yaml",
                   "transhume: 1\nsource: arrow:in\ntarget: a.db\ntables:\n  t:\n    key: [id]\n    from: "
                   "stream_zstd\n    fields:\n"
                   + "".join("      %s: %s\n" % (name, "{ column: d38, cast: text }" if name == "d38" else "copy")
                             for name in names))
        self.run_program("migrate")
        db = sqlite3.connect(self.path("a.db"))
        found = db.execute("SELECT %s FROM t WHERE id = 1" % ", ".join("[%s]" % name for name in names)).fetchone()
        self.assertEqual(found[:14], (
            "18446744073709551614", "1%s.00001" % ("0" * 70),
            "-999999999999999999999999999.9999999999", 100, "0001-01-02", "1900-01-02", "01:02:03.000001",
            "1969-12-31T23:59:59.005",
            "2024-02-29T23:59:59Z", "k1", b"\x01\x00\xff", 0, 0.125, None))
        self.assertEqual([json.loads(value) for value in found[14:16]], [[{"name": "n0", "tags": []}], {"k0": None}])
        self.assertEqual(db.execute("SELECT count(*), count(i8), sum(i8) FROM t").fetchone(),
                         (300, 257, sum(row % 256 - 128 for row in range(300) if row % 7 != 3)))
        db.close()

    def test_one_file_names_and_empty_files(self):
        self.of_others("in")
        shutil.copy(self.path("in", "stream", "part-0.arrows"), self.path("one.arrows"))
        self.run_program("migrate", "--state", "s1", "arrow:one.arrows", "jsonl:j")
        self.assertEqual(len(self.records("one")), 300)
        # A format is told by its first bytes, whatever the file is called.
        os.makedirs(self.path("named", "t"))
        for number, (way, name) in enumerate((("stream", "x.arrow"), ("whole", "y.arrows"), ("whole", "z.feather"),
                                              ("lz4", "w.ipc"))):
            part, = glob.glob(self.path("in", way, "part-0.*"))
            shutil.copy(part, self.path("named", "t", name))
        self.run_program("migrate", "--state", "s2", "--chunk-rows", "100", "arrow:named", "jsonl:k")
        self.assertEqual(len(self.records("t", "k")), 1200)
        self.hands("empty_arrow", "none")
        self.run_program("migrate", "--state", "s3", "arrow:none", "none.db")
        for table in ("no_rows", "no_batches", "no_batches_stream"):
            self.assertEqual(self.rows("none.db", table), (["a", "b"], []))

    def test_different_columns_and_types(self):
        for name, script in (("a", "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'one');"),
                             ("b", "CREATE TABLE t(a INTEGER PRIMARY KEY, c REAL); INSERT INTO t VALUES (2, 0.5);"),
                             ("c", "CREATE TABLE t(a TEXT PRIMARY KEY); INSERT INTO t VALUES ('x');")):
            support.make_sqlite(self.path(name + ".db"), script)
            self.run_program("migrate", "--state", "s" + name, name + ".db", "arrow:" + name)
        os.makedirs(self.path("all", "t"))
        for name in "ab":
            shutil.copy(self.files(name, "t")[0], self.path("all", "t", name + ".arrow"))
        said = self.run_program("check", "--state", "sk", "arrow:all", "jsonl:k")
        self.assertIn("have no column b", said.out + said.err)
        self.run_program("migrate", "--state", "sj", "arrow:all", "jsonl:j")
        self.assertEqual(sorted(self.records("t"), key=lambda record: record["a"]),
                         [{"a": 1, "b": "one", "c": None}, {"a": 2, "b": None, "c": decimal.Decimal("0.5")}])
        shutil.copy(self.files("c", "t")[0], self.path("all", "t", "c.arrow"))
        said = self.run_program("migrate", "--state", "sl", "arrow:all", "jsonl:l", code=2)
        self.assertIn("column a is int64 in a.arrow, and text in c.arrow", said.err)

    def test_what_is_not_read_is_named(self):
        """
        Types and forms that have no kind here, or that the library can't read, are refused before the run; texts that
        are none are rejected.
        """
        self.hands("odd_arrow", "odd")
        for name, word in (("list_view", "c"), ("runs", "c"), ("union", "c"), ("view", "view"), ("delta", "delta"),
                           ("legacy", "0.15")):
            with self.subTest(what=name):
                self.assertIn(word, self.run_program("migrate", "--state", "s-" + name, "arrow:odd/" + name,
                                                     "jsonl:j-" + name, code=2).err.lower())
        self.run_program("migrate", "arrow:odd/texts", "jsonl:j", code=1)
        self.assertEqual([record["id"] for record in self.records("texts")], [1, 3])
        reject, = self.rejects()
        self.assertIn("word: the text is not UTF-8", reject["reason"])
        self.assertIn("row 2", reject["reason"])


class Broken(ArrowCase):

    def small(self):
        """The bytes of a whole file, and where its parts begin."""
        support.make_sqlite(self.path("a.db"),
                            "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y');")
        self.run_program("migrate", "a.db", "arrow:out")
        with open(self.files("out", "t")[0], "rb") as file:
            return file.read()

    def test_what_is_no_arrow_file(self):
        good = self.small()
        os.makedirs(self.path("in", "t"))
        for what, data in (("nothing", b""), ("text", b"id,name\n1,x\n" * 10),
                           ("cut in a message", good[:len(good) // 2]), ("cut", good[:-6]),
                           ("headless", b"XXXX" + good[4:]), ("feather 1", b"FEA1" + bytes(40) + b"FEA1"),
                           ("magic alone", b"ARROW1\0\0"),
                           ("two magics", b"ARROW1\0\0" + bytes(4) + b"ARROW1"),
                           ("long head", b"\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(64)),
                           ("negative head", b"\xff\xff\xff\xff\xff\xff\xff\xff" + bytes(64)),
                           ("old long head", b"\xf8\xff\xff\x7f" + bytes(64))):
            with self.subTest(what=what):
                with open(self.path("in", "t", "x.arrow"), "wb") as file:
                    file.write(data)
                self.refused("x.arrow", codes=(2,))

    def test_damaged_bytes(self):
        """Files with a few bytes changed, cut or doubled: read, or refused in one line, but never worse."""
        self.of_others("made")
        draw = random.Random(support.SEED)
        os.makedirs(self.path("in", "t"))
        sources = []
        for way in ("whole", "lz4", "stream_zstd", "replaced"):
            with open(glob.glob(self.path("made", way, "part-0.*"))[0], "rb") as file:
                sources.append(file.read())
        for number in range(400 if support.SOAK else 40):
            data = bytearray(draw.choice(sources))
            heads = [at for at in range(0, len(data) - 8, 8) if data[at:at + 4] == b"\xff\xff\xff\xff"
                     and 0 < struct.unpack_from("<i", data, at + 4)[0] < 99999]
            for _ in range(draw.choice((1, 1, 2, 8))):
                place = draw.choice(heads)
                place += draw.randrange(8 + struct.unpack_from("<I", data,
                                                               place + 4)[0]
                                        % 99999) if draw.random() < 0.7 else draw.randrange(9999)
                data[min(place, len(data) - 1)] = draw.randrange(256)
            if number % 10 == 0:
                del data[draw.randrange(len(data)):]
            with open(self.path("in", "t", "x.arrow"), "wb") as file:
                file.write(data)
            self.read_or_refused("number %d" % number)


class Runs(ArrowCase):

    POINTS = ("files.before_sync", "files.before_rename", "files.after_rename", "files.after_part", "files.after_table")

    def test_kills_and_resumes(self):
        make(self.path("a.db"))
        for point in support.drawn(self.POINTS, 2, by="arrow"):
            with self.subTest(point=point):
                arguments = ("--chunk-rows", "50", "a.db", "arrow:%s?file_bytes=16KiB" % point)
                self.assertEqual(support.kill_at(point, 3, "migrate", "--state", "s" + point, *arguments,
                                                 cwd=self.folder).code, -9)
                self.run_program("resume", "--state", "s" + point)
                found = [int(row["id"][1]) for row in self.hands("arrow", *self.files(point, "plain"))]
                self.assertEqual(sorted(found), list(range(1, ROWS + 1)))
                self.assertEqual(len(self.hands("arrow", *self.files(point, "keyless"))), 200)

    def test_repair(self):
        """Extra records go out of their files, missing and different ones are written again."""
        make(self.path("a.db"))
        self.run_program("migrate", "--chunk-rows", "100", "a.db", "arrow:out")
        with sqlite3.connect(self.path("a.db")) as db:
            db.execute("DELETE FROM plain WHERE id % 50 = 0")
            db.execute("UPDATE plain SET note = 'changed' WHERE id % 50 = 1")
            db.execute("INSERT INTO plain(id, wide, r, note) VALUES (1000, 1, 1.5, 'new')")
        db.close()
        self.run_program("validate", "--level", "full", code=1)
        self.run_program("validate", "--level", "full", "--repair", "--delete-extra", "--confirm")
        found = sorted((list(row.values()) for row in self.hands("arrow", *self.files("out", "plain"))),
                       key=lambda row: int(row[0][1]))
        self.assertEqual(found, seen_by_others(self.path("a.db")))
        self.run_program("migrate", "--state", "s2", "a.db", "arrow:out", code=5)

    def test_rollback(self):
        make(self.path("a.db"))
        self.run_program("migrate", "a.db", "arrow:out")
        self.run_program("rollback", "--confirm", "--run", self.run_id())
        self.assertEqual(glob.glob(self.path("out", "*", "*.arrow")), [])


class Bounds(LimitsTestCase, ArrowCase):
    """The most memory of a process, as test_limits.py measures it."""

    def test_written_and_read(self):
        support.make_sqlite(self.path("a.db"), "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);")
        with sqlite3.connect(self.path("a.db")) as db:
            db.executemany("INSERT INTO t VALUES (?, ?)", ((row, "%06d" % row * 340) for row in range(35000)))
        db.close()
        self.measured("migrate", "a.db", "arrow:out")
        self.assertEqual(sum(self.hands("schema", path)["rows"] for path in self.files("out", "t")), 35000)
        self.measured("migrate", "--state", "s2", "arrow:out", "jsonl:j")
        self.assertEqual(sum(1 for name in glob.glob(self.path("j", "t", "*.jsonl")) for _ in support.read_lines(name)),
                         35000)

    def test_what_a_file_claims_is_not_believed(self):
        """Small files whose packed buffers, rows and bodies claim to be large: one line, and little memory."""
        self.hands("lying_arrow", "lies")
        for name in sorted(os.listdir(self.path("lies"))):
            with self.subTest(what=name):
                said = self.measured("migrate", "--state", "s-" + name, "arrow:lies/" + name, "jsonl:j-" + name,
                                     code=3 if "unpacked" in name else 2)
                self.assertEqual(len([line for line in said["err"].splitlines() if line.startswith("error:")]), 1,
                                 said["err"])


if __name__ == "__main__":
    unittest.main()
