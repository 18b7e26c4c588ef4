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

    def check(self, what, table, expected, key=None, fields=None):
        """`expected`: {kind: count}; the record has the key, and the fields are named."""
        for level in ("hash", "full"):
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
        """Many at once: `expected` is a list of (kind, table, key, names of fields), one for each record that was changed."""
        def sortable(kind, table, key, fields=()):
            return kind, table, json.dumps(key, sort_keys=True), sorted(fields)

        wanted = sorted(sortable(*record) for record in expected)
        for level in ("hash", "full"):
            records = self.validate(level, 1)["records"]
            found = sorted(sortable(record["kind"], record["table"], record["key"], [field["name"] for field in record.get("fields", ())])
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
            (shutil.copytree if os.path.isdir(self.path(place)) else shutil.copy)(self.path(place), self.path("kept-" + place))
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
