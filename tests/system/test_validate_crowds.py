"""
Validation of many records that are equal, or stand under one key: in the memory of any other, and counted exactly.
"""
import collections
import json
import os
import sqlite3

import support
import test_limits

ROWS = 1600000 if support.SOAK else 400000
LEVELS = ("hash", "full")
ROW_OF_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"


class Crowds(test_limits.LimitsTestCase):
    def change(self, name, *statements):
        db = sqlite3.connect(self.path(name))
        for statement in statements:
            db.execute(statement)
        db.commit()
        db.close()

    def differences(self, level):
        """{kind: records} of the table t, told within the memory bound and counted in the list of all records, too."""
        self.measured("validate", "--level", level, code=1)
        with open(self.path(".transhume", "validation.json"), encoding="utf-8") as file:
            row, = [row for row in json.load(file)["entities"] if row["name"] == "t"]
        with open(self.path(".transhume", "validate.jsonl"), encoding="utf-8") as file:
            listed = collections.Counter(line[:20].split('"')[3] for line in file)
        found = {kind: row[kind] for kind in ("missing", "different", "extra") if row[kind] > 0}
        self.assertEqual(dict(listed), found)
        return found

    def repaired(self, code=0):
        self.measured("validate", "--repair", "--delete-extra", "--confirm", code=code)
        self.run_program("validate", "--level", "full", code=code)

    def test_equal_records(self):
        self.change("shop.db", "CREATE TABLE t(w TEXT, n)", "INSERT INTO t %s SELECT 'same', 1 FROM n"
                    % (ROW_OF_NUMBERS % (ROWS - 1)))
        self.run_program("migrate", "-q", "shop.db", "copy.db")
        self.change("copy.db", "DELETE FROM t WHERE rowid IN (5, 6, 70)",
                    "INSERT INTO t VALUES ('same', '1'), ('same', '1')")
        for level in LEVELS:
            self.assertEqual(self.differences(level), {"missing": 3, "extra": 2})
        self.repaired()
        db = sqlite3.connect(self.path("copy.db"))
        self.assertEqual(db.execute("SELECT w, typeof(n), count(*) FROM t GROUP BY 1, 2").fetchall(),
                         [("same", "integer", ROWS)])
        db.close()

    def test_records_equal_to_some(self):
        """More kinds of them than are remembered while they are written: they meet when they are sorted."""
        rows, kinds = ROWS // 2, ROWS // 8
        self.change("shop.db", "CREATE TABLE t(w TEXT, n)",
                    "INSERT INTO t %s SELECT 'one of several equal records', i %% %d FROM n" %
                    (ROW_OF_NUMBERS % (rows - 1), kinds))
        self.run_program("migrate", "-q", "shop.db", "copy.db")
        self.change("copy.db", "DELETE FROM t WHERE n = 7", "INSERT INTO t VALUES ('one of several equal records', 8)",
                    "UPDATE t SET n = -1 WHERE n = %d" % (kinds - 1))
        self.assertEqual(self.differences("full"), {"missing": 8, "extra": 5})
        self.repaired()

    def test_a_key_that_many_records_have(self):
        self.change("shop.db", "CREATE TABLE t(k TEXT PRIMARY KEY, n)", "INSERT INTO t VALUES ('one', 7), ('other', 8)")
        self.run_program("migrate", "-q", "shop.db", "csv:out")
        name, = os.listdir(self.path("out", "t"))
        with open(self.path("out", "t", name), "a", encoding="ascii") as file:
            file.writelines("one,%d\n" % (i + 100) for i in range(ROWS))
        for level in LEVELS:
            self.assertEqual(self.differences(level), {"extra": ROWS})
        self.repaired()

    def test_a_key_that_many_records_have_on_both_sides(self):
        rows = ROWS // 8
        self.change("shop.db", "CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT, n)",
                    "INSERT INTO t %s SELECT i, 'one', i FROM n" % (ROW_OF_NUMBERS % (rows - 1)))
        self.write("transhume.yaml", "transhume: 1\nsource: sqlite:shop.db\ntarget: csv:out\ntables:\n"
                                     "  t: { key: [k], from: t, fields: { k: copy, n: copy } }\n")
        self.run_program("migrate", "-q", code=1)  # the first stays, the others are rejects
        with open(self.path("out", "t", "more.csv"), "w", encoding="ascii") as file:
            file.write("k,n\n")
            file.writelines("one,%d\n" % -i for i in range(1, rows))
        for level in LEVELS:
            self.assertEqual(self.differences(level), {"extra": rows - 1})
        self.repaired(code=1)  # the other records with the key are still rejects
