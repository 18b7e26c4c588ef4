"""
What the tests of files that keep records by column (test_parquet.py, test_arrow.py) share: a source, the hands of
others, values.
"""
import base64
import decimal
import glob
import json
import os
import shutil
import sqlite3
import subprocess
import sys

import support
sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "servers"))
import cache  # noqa: E402

ORACLE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "columnar_oracle.py")
SCRIPT = """
CREATE TABLE plain(id INTEGER PRIMARY KEY, i INTEGER, t TEXT, b BLOB, n NUMERIC(10,2), wide DECIMAL(30,4), r REAL, note VARCHAR(20));
CREATE TABLE keyless(word TEXT, n INTEGER);
CREATE TABLE "a/b .c\u00e9"(x TEXT PRIMARY KEY NOT NULL, "q""y" INTEGER) WITHOUT ROWID;
CREATE TABLE child(id INTEGER PRIMARY KEY, plain_id INTEGER REFERENCES plain(id), u TEXT UNIQUE);
CREATE INDEX child_plain ON child(plain_id);
CREATE TABLE empty_one(id INTEGER PRIMARY KEY, v TEXT);
"""
TABLES = ("plain", "keyless", "a/b .c\u00e9", "child", "empty_one")
ROWS = 300

# Kinds that SQLite lacks, by a plan, and how the oracle tells them.
TYPED_SCRIPT = """
CREATE TABLE v(id INTEGER PRIMARY KEY, d TEXT, t TEXT, ts TEXT, u TEXT, n TEXT, f REAL, b INTEGER, j TEXT, l TEXT, i TEXT, big TEXT);
INSERT INTO v VALUES
  (1, '2024-02-29', '23:59:59.5', '2024-02-29T12:00:00.000001', '123e4567-e89b-12d3-a456-426614174000', '1.500', 0.5, 1,
   '{"k": [1, 2.50, null]}', '[1,"a"]', 'P1DT2H', '18446744073709551615'),
  (2, '0001-01-01', '00:00:00', '9999-12-31T23:59:59', '00000000-0000-0000-0000-000000000000',
   '-12345678901234567890123456789012345.678', -0.25, 0, 'null', '[]', 'PT0S', '0'),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
"""
CASTS = """
transhume: 1
source: a.db
target: %s
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
      n:  { column: n, cast: "decimal(38,3)" }
      free: { column: n, cast: decimal }
      f:  { column: f, cast: float32, lossy: allow }
      b:  { column: b, cast: bool }
      j:  { column: j, cast: json }
      l:  { column: l, cast: list }
      i:  { column: i, cast: interval }
      big: { column: big, cast: uint64 }
"""
TYPED = [
    {"id": ["number", "1"], "d": ["date", "2024-02-29"], "t": ["time", "23:59:59.500000"],
     "ts": ["timestamp", "2024-02-29T12:00:00.000001"],
     "u": ["uuid", "123e4567-e89b-12d3-a456-426614174000"], "n": ["decimal", "1.500"], "free": ["text", "1.500"],
     "f": ["number", "0.5"],
     "b": ["bool", "true"], "j": ["text", '{"k": [1, 2.50, null]}'], "l": ["text", '[1,"a"]'], "i": ["text", "P1DT2H"],
     "big": ["number", "18446744073709551615"]},
    {"id": ["number", "2"], "d": ["date", "0001-01-01"], "t": ["time", "00:00:00"],
     "ts": ["timestamp", "9999-12-31T23:59:59"],
     "u": ["uuid", "00000000-0000-0000-0000-000000000000"], "n": ["decimal",
                                                                  "-12345678901234567890123456789012345.678"],
     "free": ["text", "-12345678901234567890123456789012345.678"], "f": ["number", "-0.25"], "b": ["bool", "false"],
     "j": ["text", "null"],
     "l": ["text", "[]"], "i": ["text", "PT0S"], "big": ["number", "0"]},
    dict.fromkeys(("id", "d", "t", "ts", "u", "n", "free", "f", "b", "j", "l", "i", "big"))]
TYPED[2]["id"] = ["number", "3"]


def is_built(connector):
    """Whether the build has the module: its library is no distribution's."""
    return os.path.exists(os.path.join(os.path.dirname(support.PROGRAM), connector + ".so"))


def make(path):
    support.make_sqlite(path, SCRIPT)
    edges = [0, 1, -1, 2**63 - 1, -2**63, 9007199254740993]
    floats = [0.0, -0.0, 0.1, 1.5e300, 5e-324, float("inf"), -float("inf"), 0.30000000000000004]
    texts = ["", "text", "caf\u00e9 \U0001f411", "a\0b", "quotes \" '", "x" * 5000, None]
    with sqlite3.connect(path) as db:
        db.executemany("INSERT INTO plain VALUES (?,?,?,?,?,?,?,?)", [
            (row, edges[row % 6] if row % 8 else None, texts[row % 7], [b"", b"\x00\xff", None][row % 3],
             row / 4 if row % 5 else None,
             row * 10**9 if row % 2 else -row, floats[row % 8], "note %d" % (row % 9)) for row in range(1, ROWS + 1)])
        db.executemany("INSERT INTO keyless VALUES (?,?)", [("w%d" % (row % 3), row % 2) for row in range(200)])
        db.executemany('INSERT INTO "a/b .c\u00e9" VALUES (?,?)', [("k%d" % row, row) for row in range(30)])
        db.executemany("INSERT INTO child VALUES (?,?,?)", [(row, 1 + row % 30, "u%d" % row) for row in range(300)])
    db.close()
    return path


def seen_by_others(path):
    """The rows of `plain` in a database that make() made, as the oracle tells them."""
    db = sqlite3.connect(path)
    rows = db.execute("SELECT * FROM plain ORDER BY id").fetchall()
    db.close()
    return [[["number", str(id_)], None if i is None else ["number", str(i)], None if t is None else ["text", t],
             None if b is None else ["bytes", b.hex()], None if n is None else ["decimal", "%.2f" % n],
             ["decimal", "%d.0000" % wide],
             ["number", repr(r)], ["text", note]] for id_, i, t, b, n, wide, r, note in rows]


class ColumnarCase(support.TestCase):
    maxDiff = 4000
    CONNECTOR = None

    def hands(self, *arguments):
        """What the oracle says, as JSON."""
        try:
            python = os.path.normpath(os.path.join(os.path.dirname(cache.get("parquet-hands")), "..", "..", "..", "..",
                                                   "bin", "python"))
        except cache.Unavailable as fault:
            self.skipTest(str(fault))
        done = subprocess.run([python, ORACLE, *arguments], cwd=self.folder, check=True, stdout=subprocess.PIPE)
        return json.loads(done.stdout) if done.stdout else None

    def files(self, folder, table):
        return sorted(glob.glob(self.path(folder, table, "*." + self.CONNECTOR)))

    def records(self, table, folder="j"):
        """Of JSON lines that the program wrote, as Python's json reads them."""
        found = []
        for path in sorted(glob.glob(self.path(folder, table, "*.jsonl"))):
            found += [json.loads(line, parse_float=decimal.Decimal, parse_int=decimal.Decimal)
                      for line in support.read_lines(path)]
        return found

    def rows(self, path, table):
        """Columns and rows of a table in SQLite, with their types."""
        db = sqlite3.connect(self.path(path))
        columns = [row[1] for row in db.execute("PRAGMA table_info(%s)" % support.quoted(table))]
        names = ", ".join("typeof({0}), {0}".format(support.quoted(column)) for column in columns)
        found = sorted(map(repr, db.execute("SELECT %s FROM %s" % (names, support.quoted(table)))))
        db.close()
        return columns, found

    def refused(self, name, codes=(2, 3)):
        """One line that names the file, and a hint; never a signal."""
        said = support.transhume("migrate", "--state", "s", "--restart", self.CONNECTOR + ":in", "jsonl:j",
                                 cwd=self.folder)
        self.assertIn(said.code, codes, said.err)
        errors = [line for line in said.err.splitlines() if line.startswith("error:")]
        self.assertEqual(len(errors), 1, said.err)
        self.assertIn(name, errors[0])
        for folder in ("s", "j"):
            shutil.rmtree(self.path(folder), ignore_errors=True)
        return errors[0]

    def read_or_refused(self, what):
        """A damaged file in the folder `in`: read, or refused in one line, but never worse."""
        said = support.transhume("migrate", "-q", "--state", "s", self.CONNECTOR + ":in", "jsonl:j", cwd=self.folder)
        self.assertIn(said.code, (0, 1, 2, 3), "%s of seed %s: %s" % (what, support.SEED, said.err))
        if said.code > 1:
            self.assertEqual(len([line for line in said.err.splitlines() if line.startswith("error:")]), 1, said.err)
        for folder in ("s", "j"):
            shutil.rmtree(self.path(folder), ignore_errors=True)


MAPS = ("map",)


def told_value(told, name=""):
    """What the oracle tells, as the program's JSON lines have it."""
    if told is None or isinstance(told, dict):
        return told and {key: told_value(inner) for key, inner in told.items()}
    if len(told) == 2 and all(isinstance(part, str) for part in told):
        kind, text = told
        return {"number": decimal.Decimal, "decimal": decimal.Decimal, "bool": "true".__eq__,
                "bytes": lambda hexes: base64.b64encode(bytes.fromhex(hexes)).decode()}.get(kind, plain_time)(text)
    values = [told_value(inner) for inner in told]
    return dict(values) if name in MAPS else values


def plain_time(text):
    """Without zeros at the end of a second, and UTC as Z."""
    text = text.replace("+00:00", "Z")
    if "." in text and ":" in text:
        zone = "Z" if text.endswith("Z") else ""
        text = text.removesuffix("Z").rstrip("0").rstrip(".") + zone
    return text


def found_value(value):
    """What the program's JSON lines have, without the marks of kinds."""
    if isinstance(value, dict):
        if set(value) == {"$float64"}:
            return decimal.Decimal(value["$float64"])
        if set(value) == {"$bytes"}:
            return value["$bytes"]
        return {key: found_value(inner) for key, inner in value.items()}
    return [found_value(inner) for inner in value] if isinstance(value, list) else value
