"""
AWS's published cases with generated rows: each query is asked of the source and of the design, on an emulator of
DynamoDB.
"""
import os
import random
import re
import sqlite3

import dynamodb_case
import support

FOLDER = os.path.join(support.ROOT, "tests", "data", "design", "cases", "dynamodb")
ROWS_OF_LINKS, ROWS_OF_OTHERS, NULLS = 120, 30, 0.1


def value_of(column, kind, is_alone, number, drawn):
    """Few different values, so that conditions find several rows; a key of one column has its own."""
    kind = kind.lower()
    if kind.startswith(("timestamp", "date")):
        time = " %02d:%02d:00" % (drawn.randint(0, 23), drawn.randint(0, 59)) if kind.startswith("timestamp") else ""
        return "2024-%02d-%02d%s" % (drawn.randint(1, 12), drawn.randint(1, 28), time)
    if kind.startswith("integer"):
        return drawn.randint(1, 500)
    if kind.startswith("numeric"):
        return drawn.randint(1, 5000) / 10
    if kind.startswith("boolean"):
        return drawn.randint(0, 1)
    return "%s%d" % (column[:3], number if is_alone else drawn.randint(1, 8))


def references(db, table, made, drawn):
    """Values of foreign keys, each of a row that is there; two that share a column agree."""
    keys, row = {}, {}
    for number, _, other, own, foreign, *_ in db.execute("PRAGMA foreign_key_list(%s)" % table):
        keys.setdefault(number, []).append((own, other, foreign))
    for pairs in keys.values():
        parents = [parent for parent in made[pairs[0][1]] if all(row.get(own, parent[foreign]) == parent[foreign]
                                                                 for own, _, foreign in pairs)]
        if parents:
            parent = drawn.choice(parents)
            row.update({own: parent[foreign] for own, _, foreign in pairs})
    return row


def fill(path, schema):
    db, drawn, made = sqlite3.connect(path), random.Random(1), {}
    db.executescript(schema)
    for table in re.findall(r"^CREATE TABLE (\w+)", schema, re.MULTILINE):
        columns = db.execute("PRAGMA table_info(%s)" % table).fetchall()
        keys = sum(column[5] > 0 for column in columns)
        made[table] = []
        for number in range(ROWS_OF_LINKS if keys > 1 else ROWS_OF_OTHERS):
            row = references(db, table, made, drawn)
            for _, name, kind, not_null, _, key in columns:
                if name not in row:
                    absent = not key and not not_null and drawn.random() < NULLS
                    row[name] = None if absent else value_of(name, kind, key and keys == 1, number, drawn)
            try:
                db.execute("INSERT INTO %s (%s) VALUES (%s)" % (table, ", ".join(row), ", ".join("?" * len(row))),
                           list(row.values()))
                made[table].append(row)
            except sqlite3.IntegrityError:
                pass
    db.commit()
    db.close()


class Cases(dynamodb_case.DynamodbCase):
    def prove(self, name):
        with open(os.path.join(FOLDER, name + ".sql"), encoding="utf-8") as file:
            fill(self.path("case.db"), file.read())
        queries = os.path.join(FOLDER, name + ".queries.sql")
        with open(queries, encoding="utf-8") as file:
            count = len(re.findall(r"^SELECT", file.read(), re.MULTILINE))
        done = self.run_aws("analyze", "case.db", self.uri(), "--queries", queries, "--dialect", "postgres", "--prove",
                            "--out", "out")
        self.assertIn("%d of %d queries were answered alike" % (count, count), done.out)
        self.assertNotIn("no values", done.out)

    def test_rows_that_are_made_for_a_schema(self):
        """A file of DDL has none."""
        for name in ("deals", "shop"):
            queries = os.path.join(FOLDER, name + ".queries.sql")
            done = self.run_aws("analyze", os.path.join(FOLDER, name + ".sql"), self.uri(), "--queries", queries,
                                "--dialect", "postgres", "--prove", "--out", name)
            with self.subTest(name):
                self.assertRegex(done.out, r"(\d+) of \1 queries were answered alike")
                self.assertIn("generated.sqlite: rows that are made for the proof", done.err)
                db = sqlite3.connect(self.path(name, "generated.sqlite"))
                self.assertEqual(db.execute("PRAGMA foreign_key_check").fetchall(), [])
                db.close()

    def test_deals(self):
        self.prove("deals")

    def test_food(self):
        self.prove("food")

    def test_parcels(self):
        self.prove("parcels")

    def test_shop(self):
        self.prove("shop")
