"""Sums of numeric columns and checksums of all columns at level hash, in every target that keeps the numbers: each sum
is what
Python's decimals make of the rows, to the last digit, and what a server says of its own; a number that somebody else
changed in
the target shows in its column's sum and checksum, and in no other's.
"""
import decimal
import glob
import json
import sqlite3
import unittest

import support
import test_validate_pairs

ROWS, CHANGED = 150, 77
COLUMNS = "id i d f n w e".split()
STEP = decimal.Decimal("0.0000000001")
decimal.getcontext().prec = 200


def rows():
    """Sums beyond 64 bits, beyond 38 digits, of floats by their shortest digits, with nulls between, and of nothing."""
    for i in range(1, ROWS + 1):
        yield (i, 2 ** 63 - i, "%d.%010d" % (10 ** 27 - i * 7, i * 31), i / 7 * 10 ** (i % 30), None if i % 3 else -i,
               "w%d" % i, None)


def sums():
    columns = [[decimal.Decimal(value if isinstance(value, str) else repr(value)) for value in column
                if value is not None]
               for column in list(zip(*rows()))[:5]]
    return dict(zip("id i d f n".split(), map(sum, columns)))


class Columns(test_validate_pairs.Places):
    def copied(self, kind):
        uri, name = self.place(kind, "target")
        fields = {column: "copy" for column in ("id", "i", "f", "n", "w", "e")}
        fields["d"] = {"column": "d", "cast": "decimal(38,10)"}
        self.write("plan-%s.json" % kind, json.dumps({"transhume": 1, "source": "sqlite:origin.db", "target": uri,
                                                      "tables": {"sheep": {"key": ["id"], "from": "sheep",
                                                                           "fields": fields}}}))
        self.run_program("migrate", "--plan", "plan-%s.json" % kind, "--state", "state-" + kind)
        return name

    def columns(self, kind, code=0):
        result = self.run_program("validate", "--level", "hash", "--json", "--state", "state-" + kind, "--plan",
                                  "plan-%s.json" % kind, code=code)
        return {column["name"]: column for column in json.loads(result.out)["columns"]}

    def change(self, kind, name):
        """One more at the last digit of one row's `d`, by somebody else."""
        old = dict(zip("id i d".split(), list(rows())[CHANGED - 1]))["d"]
        new = str(decimal.Decimal(old) + STEP)
        if kind in ("postgres", "mysql", "cassandra"):
            self.running[kind].ask(name, "UPDATE sheep SET d = %s WHERE id = %d" % (new, CHANGED))
        elif kind == "dynamodb":
            name.update_item(TableName="sheep", Key={"id": {"N": str(CHANGED)}}, UpdateExpression="SET d = :d",
                             ExpressionAttributeValues={":d": {"N": new}})
        else:
            found = 0
            for path in glob.glob(self.path(name, "sheep", "*-*")):
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                found += text.count(old)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text.replace(old, new))
            self.assertEqual(found, 1)

    def assert_sums(self, found, side, changed=0):
        for column in found:
            wanted = sums().get(column)
            self.assertEqual(found[column][side] and decimal.Decimal(found[column][side]),
                             wanted and wanted + (changed if column == "d" else 0), (column, side))

    def each(self, kind):
        name = self.copied(kind)
        clean = self.columns(kind)
        self.assertEqual(sorted(clean), sorted(COLUMNS))
        for column in clean.values():
            self.assertEqual(column["source_checksum"], column["target_checksum"])
        self.assert_sums(clean, "source_sum")
        self.assert_sums(clean, "target_sum")
        if kind in ("postgres", "mysql"):
            says = self.running[kind].ask(name, "SELECT sum(id), sum(i), sum(d), sum(n) FROM sheep")
            self.assertEqual([decimal.Decimal(value) for value in says[0]],
                             [sums()[column] for column in ("id", "i", "d", "n")])
        self.change(kind, name)
        damaged = self.columns(kind, code=1)
        self.assert_sums(damaged, "source_sum")
        self.assert_sums(damaged, "target_sum", STEP)
        for column, found in damaged.items():
            self.assertEqual(found["source_checksum"] != found["target_checksum"], column == "d", column)
            self.assertEqual(found["source_checksum"], clean[column]["source_checksum"])
        return clean

    def test_each_target(self):
        support.make_sqlite(self.path("origin.db"),
                            "CREATE TABLE sheep(id INTEGER PRIMARY KEY, i BIGINT, d TEXT, f REAL, n INTEGER, w TEXT, "
                            "e INTEGER);")
        db = sqlite3.connect(self.path("origin.db"))
        db.executemany("INSERT INTO sheep VALUES (?,?,?,?,?,?,?)", rows())
        db.commit()
        db.close()
        checksums = {}
        for kind in ("postgres", "mysql", "cassandra", "csv", "jsonl", "dynamodb-json", "dynamodb"):
            with self.subTest(target=kind):
                for column, found in self.each(kind).items():
                    checksums.setdefault(column, {})[kind] = found["source_checksum"]
        # Different values have different checksums, whatever the target makes of them.
        for kind in checksums["d"]:
            self.assertEqual(len({checksums[column][kind] for column in "id i d f w".split()}), 5)


if __name__ == "__main__":
    unittest.main()
