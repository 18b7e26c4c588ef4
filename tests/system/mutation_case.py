"""What tests of the verifier by mutation share: the records, and the check that a difference is found and named."""
import decimal
import json
import os
import shutil
import sqlite3
import zlib

import support
from support import SEED, SOAK

LONG = decimal.Decimal("1234567890123456789012345678.0123456789")
ROWS = 300
VICTIM = 157
ACCENT = "caf\u00e9"


class Mutations(support.TestCase):
    """`check` validates and wants exactly this difference."""

    def validate(self, level, code):
        result = self.run_program("validate", "--json", "--level", level, code=code, env=self.environment())
        return json.loads(result.out)

    def environment(self):
        return None

    levels_checked = 2  # of those that compare everything, drawn for each mutation; both in a soak

    def check(self, what, table, expected, key=None, fields=None):
        """`expected`: {kind: count}; the record has the key, and the fields are named."""
        for level in support.drawn(("hash", "full"), self.levels_checked, what + self.id()):
            with self.subTest(mutation=what, level=level):
                report = self.validate(level, 1)
                found = {kind: sum(row[kind] for row in report["entities"])
                         for kind in ("missing", "different", "extra", "unreadable")}
                self.assertEqual(found, dict({"missing": 0, "different": 0, "extra": 0, "unreadable": 0}, **expected),
                                 report["records"])
                self.assertEqual({record["table"] for record in report["records"]}, {table})
                if key is not None:
                    self.assertIn(key, [record.get("key") for record in report["records"]])
                if fields is not None:
                    named = [field["name"] for record in report["records"] for field in record.get("fields", ())]
                    self.assertEqual(sorted(named), sorted(fields))

        if self.places is not None and (SOAK or zlib.crc32(("%d %s" % (SEED, what)).encode()) % 5 == 0):
            with self.subTest(mutation=what, repaired=True, seed=SEED):
                self.repair(table, expected)

    def check_each(self, expected):
        """
        Many at once: `expected` is a list of (kind, table, key, names of fields), one for each record that was changed.
        """
        def sortable(kind, table, key, fields=()):
            return kind, table, json.dumps(key, sort_keys=True), sorted(fields)

        wanted = sorted(sortable(*record) for record in expected)
        for level in ("hash", "full"):
            records = self.validate(level, 1)["records"]
            found = sorted(sortable(record["kind"], record["table"], record["key"],
                                    [field["name"] for field in record.get("fields", ())])
                           for record in records)
            for record in wanted + found:
                with self.subTest(record=record, level=level):
                    self.assertEqual(found.count(record), wanted.count(record))

    places = None  # files and folders that a repair changes, put back after it; None: nothing is repaired here

    def repair(self, table, expected):
        """Puts it right, if it can be, and looks."""
        if "unreadable" in expected or (table == "keyless" and "out" in self.places):
            return
        for place in self.places:
            (shutil.copytree if os.path.isdir(self.path(place)) else shutil.copy)(self.path(place),
                self.path("kept-" + place))
        self.run_program("validate", "--repair", "--delete-extra", "--confirm", env=self.environment())
        self.assertEqual(self.validate("full", 0)["records"], [])
        for place in self.places:
            (shutil.rmtree if os.path.isdir(self.path(place)) else os.unlink)(self.path(place))
            os.rename(self.path("kept-" + place), self.path(place))

    def clean(self):
        for level in ("hash", "full"):
            self.assertEqual(self.validate(level, 0)["records"], [])


SQLITE_SCRIPT = """
CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT, score REAL, price DECIMAL(10,2), photo BLOB, any_kind, note TEXT);
CREATE TABLE word(w TEXT PRIMARY KEY, n INTEGER);
CREATE TABLE keyless(w, n);
"""


def make_sqlite(path):
    support.make_sqlite(path, SQLITE_SCRIPT)
    db = sqlite3.connect(path)
    db.executemany("INSERT INTO person VALUES (?,?,?,?,?,?,?)",
                   [(i, ACCENT if i == VICTIM else "name %d" % i, i / 8, i / 100, b"\x00%d" % i,
                     {VICTIM: 1, VICTIM + 1: 1.0, VICTIM + 2: -0.0, VICTIM + 3: "1"}.get(i, i),
                     {VICTIM: "", VICTIM + 1: None, VICTIM + 2: str(LONG), VICTIM + 5: None}.get(i, "n"))
                    for i in range(1, ROWS + 1)])
    db.executemany("INSERT INTO word VALUES (?,?)", [("word%d" % i, i) for i in range(ROWS)])
    db.executemany("INSERT INTO keyless VALUES (?,?)", [("w%d" % (i % 50), i % 2) for i in range(ROWS)])
    db.commit()
    db.close()


class Unnested(Mutations):
    """
    Rows out of the lists of documents, and what `distinct` left of them: each change by its table, the columns of its
    key, and the row.
    """
    PLAN = """
transhume: 1
source: jsonl:in
target: %s
tables:
  doc: { key: [id], from: docs, fields: { id: copy, name: copy } }
  line:
    key: [doc, nr]
    from: docs
    unnest: lines
    fields:
      doc: { column: $parent.id }
      nr: { column: $ordinal }
      w: { column: w, cast: text }
      n: { column: n, cast: int64 }
      exact: { column: exact, cast: "%s" }
  word:
    key: [w]
    from: docs
    unnest: lines
    distinct: true
    fields: { w: { column: w, cast: text }, n: { column: n, cast: int64 } }
"""
    EXACT = "12345678901234567890123456789012345678"

    def migrate(self, target, exact):
        """Each document has three lines; the words w0 to w8 are in several of them."""
        os.mkdir(self.path("in"))
        with open(self.path("in", "docs.jsonl"), "w", encoding="ascii") as file:
            for i in range(1, 41):
                file.write('{"id":%d,"name":"name %d","lines":[%s]}\n' % (i, i, ",".join(
                    '{"w":"w%d","n":%d,"exact":%s}' % (w, w % 4, self.EXACT) for w in ((i + n) % 9 for n in range(3)))))
        self.write("transhume.yaml", self.PLAN % (target, exact))
        self.run_program("migrate")
        self.clean()

    def changes(self):
        """(table, the columns of its key, the row or just its key, what it is found as)"""
        exact = self.EXACT
        # of the first line of document 4 and on
        word = ("w4", "w5", "w6", "w7", "w8", "w0", "w1", "w2", "w3").__getitem__
        yield "doc", 1, (2, "Name 2"), ("different", {"id": 2}, ["name"])
        yield "line", 2, (3, 2, "w4 ", 0, exact), ("different", {"doc": 3, "nr": 2}, ["w"])
        yield "line", 2, (4, 1), ("missing", {"doc": 4, "nr": 1}, [])
        yield "line", 2, (5, 9, "w1", 1, exact), ("extra", {"doc": 5, "nr": 9}, [])
        yield "line", 2, (6, 1, word(3), 3, exact), ("different", {"doc": 6, "nr": 1}, ["n", "w"])  # two lines swapped
        yield "line", 2, (6, 2, word(2), 2, exact), ("different", {"doc": 6, "nr": 2}, ["n", "w"])
        yield "line", 2, (7, 3), ("missing", {"doc": 7, "nr": 3}, [])  # and moved
        yield "line", 2, (7, 4, word(5), 0, exact), ("extra", {"doc": 7, "nr": 4}, [])
        yield "line", 2, (8, 1, word(4), 0, exact[:-1] + "9"), ("different", {"doc": 8, "nr": 1}, ["exact"])
        yield "line", 2, (9, 1, word(5), None, exact), ("different", {"doc": 9, "nr": 1}, ["n"])
        yield "word", 1, ("w4", 7), ("different", {"w": "w4"}, ["n"])
        yield "word", 1, ("w5",), ("missing", {"w": "w5"}, [])
        yield "word", 1, ("W6", 2), ("extra", {"w": "W6"}, [])

    def expected(self):
        return [(kind, table, key, fields) for table, _, _, (kind, key, fields) in self.changes()]

    COLUMNS = {"doc": ("id", "name"), "line": ("doc", "nr", "w", "n", "exact"), "word": ("w", "n")}

    def statements(self):
        """The same in SQL."""
        def literal(value):
            return "NULL" if value is None else "'%s'" % value if isinstance(value, str) else str(value)

        sql = ""
        for table, width, row, _ in self.changes():
            names = self.COLUMNS[table]
            sql += "DELETE FROM %s WHERE %s;\n" % (table, " AND ".join(
                "%s = %s" % (name, literal(value)) for name, value in zip(names[:width], row)))
            if len(row) > width:
                sql += "INSERT INTO %s VALUES (%s);\n" % (table, ", ".join(map(literal, row)))
        return sql

    def found_and_repaired(self):
        self.check_each(self.expected())
        self.run_program("validate", "--repair", "--delete-extra", "--confirm")
        self.clean()
