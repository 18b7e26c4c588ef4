"""Random databases, each copied in several ways and compared record by record; the seed is in every failure.

TRANSHUME_SEED begins elsewhere. `make test` copies for some seconds a pair, `make soak` for minutes.
"""
import base64
import collections
import decimal
import json
import os
import random
import shutil
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import support
from engines.sqlite import is_utf8, key_type, tables_of
from random_database import RandomDatabase
from engines.toy import BOOL, BYTES, DECIMAL, ESCAPE, FLOAT64, INT64, NULL, TEXT, ToyLog

SECONDS = 240 if support.SOAK else 8
DATABASES_MIN = 5
KEY_BYTES_MAX = (2048, 1024)
EXPONENT_MAX, EXPONENT_MIN = 125, -130


# --- what a DynamoDB item is

class Refused(Exception):
    """DynamoDB would not take the record."""


def number(text):
    value = decimal.Decimal(text).normalize()
    if not value.is_finite():
        raise Refused("NaN or infinity")
    if value and not EXPONENT_MIN <= value.adjusted() <= EXPONENT_MAX:
        raise Refused("out of range")
    return ("N", decimal.Decimal(0) if not value else value)


def attribute(kind, value, rule):
    if kind == "integer":
        return ("BOOL", bool(value)) if rule == "bool" and value in (0, 1) else number(str(value))
    if kind == "real":
        return number(repr(value))
    if kind == "text":
        if not is_utf8(value):
            raise Refused("not UTF-8")
        return ("S", value.decode())
    return ("B", value)


def check_key(table, item):
    for position, column in enumerate(table.key):
        if column not in item:
            raise Refused("null key")
        kind, value = item[column]
        if kind != key_type(table.declared[column]):
            raise Refused("key of another type")
        if kind in "SB":
            size = len(value.encode()) if kind == "S" else len(value)
            if not 0 < size <= KEY_BYTES_MAX[position]:
                raise Refused("length of the key")


def expected_items(table):
    """([item], refused)"""
    items, refused = [], 0
    for row in table.rows:
        try:
            item = {column: attribute(kind, value, rule)
                    for column, (kind, value), rule in zip(table.columns, row, table.rules) if kind != "null"}
            check_key(table, item)
            items.append(item)
        except Refused:
            refused += 1
    return items, refused


def found_item(item):
    def value_of(kind, value):
        return {"N": lambda: decimal.Decimal(value).normalize(), "B": lambda: base64.b64decode(value, validate=True)
                }.get(kind, lambda: value)()

    return {name: (kind, value_of(kind, value)) for name, typed in item.items() for kind, value in typed.items()}


def counted(records):
    return collections.Counter(repr(sorted(record.items())) for record in records)


# --- what the toy's log holds

def toy_value(kind, value, rule):
    if kind == "null":
        return (NULL, 0)
    if kind == "integer":
        if rule == "bool" and value in (0, 1):
            return (BOOL, value)
        return (DECIMAL, decimal.Decimal(value)) if rule == "decimal" else (INT64, value)
    if kind == "real":
        return (DECIMAL, decimal.Decimal(repr(value))) if rule == "decimal" else (FLOAT64, value)
    if kind == "text":
        return (TEXT if is_utf8(value) else ESCAPE, value)
    return (BYTES, value)


def same_kind(value):
    """Decimals as one kind: small and large ones, plain digits."""
    kind, content = value
    if kind == DECIMAL and isinstance(content, bytes):
        content = decimal.Decimal(content.decode())
    if kind == DECIMAL:
        content = content.normalize() if content else decimal.Decimal(0)
    return (kind, content)


class RandomCopies(support.TestCase):
    toy = {"TRANSHUME_MODULES": os.path.join(support.BUILD, "toy.so")}

    def each(self, check, **options):
        """Calls `check` with random sources for as long as a test may take: (generator, empty folder, source)."""
        deadline = time.monotonic() + SECONDS * support.PATIENCE
        number = 0
        while number < DATABASES_MIN or time.monotonic() < deadline:
            seed = "%d/%s/%d" % (support.SEED, self.id().split(".")[-1], number)
            generator = random.Random(seed)
            folder = self.path("random")
            shutil.rmtree(folder, ignore_errors=True)
            os.mkdir(folder)
            source = os.path.join(folder, "source.db")
            number += 1
            made = RandomDatabase(generator, source, **options)
            if made.tables:
                with self.subTest(seed=seed):
                    check(generator, folder, source)
        print("%s: %d databases" % (self.id().split(".")[-1], number), file=sys.stderr)

    def ways(self, seed):
        options = ["--jobs", seed.randint(1, 4)]
        if seed.random() < 0.7:
            options += ["--chunk-rows", seed.choice((1, 2, 3, 10, 100))]
        if seed.random() < 0.5:
            options += ["--batch-rows", seed.choice((1, 2, 7, 100))]
        if seed.random() < 0.3:
            options += ["--batch-bytes", "1KiB"]
        return [*options, *(("--no-express",) if seed.random() < 0.5 else ())]

    def migrate(self, seed, folder, source, target, codes=(0,), env=None):
        """Copies, often killed at an instant and resumed, once or more often, each time another way."""
        kill = seed.random() < 0.4
        command = "migrate"
        while True:
            arguments = [command, *self.ways(seed), source, target]
            if kill:
                result = support.kill_after(seed.uniform(0.005, 0.12), *arguments, cwd=folder, env=env)
            else:
                result = support.transhume(*arguments, cwd=folder, env=env)
            if result.code == 2 and "run-nothing" in result.err:
                command, kill = "migrate", False
            elif result.code == -9:
                command, kill = "resume", seed.random() < 0.3
            else:
                break
        self.assertIn(result.code, codes, "%s\n%s" % (" ".join(map(str, arguments)), result.err))
        return result

    def rejects(self, folder):
        """{table: number of rejected records}, each of its source records once."""
        found, seen = collections.Counter(), set()
        rejects = os.path.join(folder, ".transhume", "rejects")
        for name in sorted(os.listdir(rejects)) if os.path.isdir(rejects) else ():
            with open(os.path.join(rejects, name), encoding="utf-8") as file:
                for line in file:
                    record = json.loads(line)
                    mark = (record["table"], json.dumps(record["key"]))
                    self.assertNotIn(mark, seen, "rejected twice")
                    seen.add(mark)
                    found[record["table"]] += 1
        return found

    def test_sqlite_to_sqlite(self):
        self.each(self.sqlite_to_sqlite)

    def sqlite_to_sqlite(self, seed, folder, source):
        self.migrate(seed, folder, "sqlite:source.db", "sqlite:copy.db")
        self.assert_same_sqlite(source, os.path.join(folder, "copy.db"))

    def test_sqlite_to_jsonl_and_back(self):
        """All kinds in all columns; only texts that are not UTF-8 and keys that are null can't go."""
        self.each(self.sqlite_to_jsonl_and_back, simple=True, keyless=True)

    def sqlite_to_jsonl_and_back(self, seed, folder, source):
        self.migrate(seed, folder, "sqlite:source.db", "jsonl:out?file_bytes=%s&compression=%s" % (
            seed.choice(("1KiB", "128MiB")), seed.choice(("none", "gzip", "zstd"))), codes=(0, 1))
        rejected = self.rejects(folder)
        self.migrate(seed, folder, "jsonl:out", "sqlite:back.db", codes=(0, 1))
        self.assertEqual(self.rejects(folder), {})
        back = {table.name: table for table in tables_of(os.path.join(folder, "back.db"))}
        for table in tables_of(source):
            keys = [table.columns.index(column) for column in table.key]
            rows = [row for row in table.rows if all(row[i][0] != "null" for i in keys) and
                    all(kind != "text" or is_utf8(value) for kind, value in row)]
            wanted = counted([dict(zip(table.columns, row)) for row in rows])
            present = counted([dict(zip(back[table.name].columns, row)) for row in back[table.name].rows])
            self.assertEqual((list((wanted - present))[:3], list((present - wanted))[:3]), ([], []),
                             "table %s: missing, extra" % table.name)
            self.assertEqual(rejected[table.name], len(table.rows) - len(rows))

    def test_sqlite_to_dynamodb_json(self):
        self.each(self.sqlite_to_dynamodb_json, simple=True)

    def sqlite_to_dynamodb_json(self, seed, folder, source):
        tables = {table.name: table for table in tables_of(source)}
        expected = {name: expected_items(table) for name, table in tables.items()}
        compression = seed.choice(("none", "gzip", "zstd"))
        result = self.migrate(seed, folder, "sqlite:source.db",
                              "dynamodb-json:out?compression=" + compression, codes=(0, 1))
        found = support.read_dynamodb_json(os.path.join(folder, "out"))
        refused = {name: count for name, (_, count) in expected.items() if count}
        for name, (items, _) in expected.items():
            wanted, present = counted(items), counted(map(found_item, found.get(name, [])))
            self.assertEqual((list((wanted - present))[:3], list((present - wanted))[:3]), ([], []),
                             "table %s: missing, extra\n%s" % (name, result.err))
        self.assertEqual(dict(self.rejects(folder)), refused)
        self.assertEqual(result.code, 1 if refused else 0, result.err)

    def test_sqlite_to_toy(self):
        self.each(self.sqlite_to_toy, simple=True)

    def sqlite_to_toy(self, seed, folder, source):
        self.migrate(seed, folder, "sqlite:source.db", "toy:toy", codes=(0, 1), env=self.toy)
        found = ToyLog(os.path.join(folder, "toy")).tables
        rejected = self.rejects(folder)
        for table in tables_of(source):
            keys = [table.columns.index(column) for column in table.key]
            rows = [row for row in table.rows if all(row[i][1] not in (None, b"") for i in keys)]
            # A null is left out where records are free to have a field or not.
            wanted = counted([{column: same_kind(toy_value(kind, value, rule)) for column, (kind, value), rule
                               in zip(table.columns, row, table.rules) if kind != "null"} for row in rows])
            present = counted([{column: same_kind(value) for column, value in record.items()}
                               for record in found[table.name].values()])
            self.assertEqual((list((wanted - present))[:3], list((present - wanted))[:3]), ([], []),
                             "table %s: missing, extra" % table.name)
            self.assertEqual(rejected[table.name], len(table.rows) - len(rows))

    def test_sqlite_to_csv_and_back(self):
        self.each(self.sqlite_to_csv_and_back, simple=True, keyless=True)

    def sqlite_to_csv_and_back(self, seed, folder, source):
        dialect = "&".join(["compression=" + seed.choice(("none", "gzip", "zstd")),
                            "delimiter=" + seed.choice(("comma", "tab", "semicolon", "pipe")),
                            "quote=" + seed.choice(("double", "single")),
                            "escape=" + seed.choice(("doubled", "backslash")),
                            "line_end=" + seed.choice(("lf", "crlf", "cr")), "bytes=" + seed.choice(("hex", "base64")),
                            "encoding=" + seed.choice(("utf-8", "utf-8", "utf-16")),
                            "bom=" + seed.choice(("yes", "no"))])
        self.migrate(seed, folder, "sqlite:source.db", "csv:out?" + dialect, codes=(0, 1))
        rejected = self.rejects(folder)
        result = self.migrate(seed, folder, "csv:out", "sqlite:back.db", codes=(0, 1))
        self.assertTrue(result.code == 0 or "missing or broken" in result.err, result.err)
        back = {table.name: table for table in tables_of(os.path.join(folder, "back.db"))}
        for table in tables_of(source):
            keys = [table.columns.index(column) for column in table.key]
            rows = [row for row in table.rows if all(row[i][0] != "null" for i in keys) and
                    all(kind != "text" or is_utf8(value) for kind, value in row)]
            wanted = counted([dict(zip(table.columns, row)) for row in rows])
            present = counted([dict(zip(back[table.name].columns, row)) for row in back[table.name].rows])
            self.assertEqual((list((wanted - present))[:3], list((present - wanted))[:3]), ([], []),
                             "table %s: missing, extra, by ?%s\n%s" % (table.name, dialect, result.err))
            self.assertEqual(rejected[table.name], len(table.rows) - len(rows))


if __name__ == "__main__":
    unittest.main()
