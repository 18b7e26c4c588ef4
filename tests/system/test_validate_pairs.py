"""Validation of every pair of source and target, each level clean as it was copied."""
import os
import shutil
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import dynamodb_case
import servers
import support
import test_validate

KINDS = ("sqlite", "csv", "jsonl", "dynamodb-json", "dynamodb")
SCRIPT = """
CREATE TABLE things(id INTEGER PRIMARY KEY, name TEXT NOT NULL, price DECIMAL(10,2), photo BLOB, note TEXT);
CREATE TABLE words(word TEXT PRIMARY KEY, amount INTEGER);
"""


# From documents to columns.
PLAN = """
transhume: 1
source: none
target: none
tables:
  things:
    key: %s
    from: things
    fields:
      id: { column: id, cast: int64 }
      name: { column: name, cast: text }
      price: { column: price, cast: "decimal(10,2)" }
      photo: { column: photo, cast: bytes }
      note: { column: note, cast: text }
  words:
    key: %s
    from: words
    fields: { word: { column: word, cast: text }, amount: { column: amount, cast: int64 } }
"""


class Pairs(test_validate.Validate, dynamodb_case.DynamodbCase):
    def run_program(self, *arguments, **options):
        return super().run_program(*arguments, env=servers.aws_environment(self.folder), **options)

    def place(self, kind, name):
        """A URI for the kind; DynamoDB has one region a name, so that two of them are two databases."""
        if kind == "dynamodb":
            return self.uri(region="us-east-1" if name == "first" else "eu-west-1")
        return "%s:%s%s" % (kind, name, ".db" if kind == "sqlite" else "")

    def make(self):
        support.make_sqlite(self.path("origin.db"), SCRIPT)
        db = sqlite3.connect(self.path("origin.db"))
        db.executemany("INSERT INTO things VALUES (?,?,?,?,?)",
                       [(i, "thing %d" % i, i / 100, bytes([i % 256]), ["", "note", None][i % 3]) for i in range(1, 120)])
        db.executemany("INSERT INTO words VALUES (?,?)", [("w%d" % i, i) for i in range(80)])
        db.commit()
        db.close()

    def pair(self, source, target, number):
        first, second = self.place(source, "first"), self.place(target, "second%d" % number)
        plan = ()
        if source.startswith("dynamodb") and target in ("sqlite", "csv"):
            plan = ("--plan", self.write("plan%d.yaml" % number, PLAN % ("[id]", "[word]")))
        self.run_program("migrate", "--state", "state%d" % number, "--progress", "none", *plan, first, second)
        for level in ("count", "sample", "hash", "full"):
            report = self.validate("--state", "state%d" % number, "--level", level)
            self.assertEqual(sum(row["source"] for row in report["entities"]), 199 if level != "sample" else 180)

    def from_kind(self, source):
        self.make()
        origin = "sqlite:origin.db"
        if source == "sqlite":
            shutil.copy(self.path("origin.db"), self.path("first.db"))
        else:
            self.run_program("migrate", "--state", "begin", "--progress", "none", origin, self.place(source, "first"))
        for number, target in enumerate(KINDS):
            if source == target == "dynamodb":
                continue  # one endpoint is one database
            with self.subTest(source=source, target=target):
                self.pair(source, target, number)

    def test_from_sqlite(self):
        self.from_kind("sqlite")

    def test_from_csv(self):
        self.from_kind("csv")

    def test_from_jsonl(self):
        self.from_kind("jsonl")

    def test_from_dynamodb_json(self):
        self.from_kind("dynamodb-json")

    def test_from_dynamodb(self):
        self.from_kind("dynamodb")
