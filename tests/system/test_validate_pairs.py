"""Validation of pairs of databases, as tests/engines draws them, in a soak of all: each level is clean as it was
copied, and a record
that misses, one that was changed and one too many are named, in every target and whatever the source.

Somebody else changes the target: sqlite3, psql, mariadb, boto3, or an edit of lines.
"""
import os
import random
import re
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import cassandra_server
import engines
import ferretdb
import items
import mariadb
import mysql
import opensearch_server
import postgres
import redis_server
import servers
import support
import test_validate
import validate_sql_case

# Nobody else can change what is in the toy.
PAIRS = [(source.NAME, target.NAME) for source, target in (engines.all_pairs() if support.SOAK
                                                           else engines.pairs(support.SEED)) if target.NAME != "toy"]
SERVERS = {"postgres": postgres, "mysql": mariadb, "mysql9": mysql, "cassandra": cassandra_server,
           "redis": redis_server, "mongodb": ferretdb, "opensearch": opensearch_server}
LEVELS = ("count", "sample", "hash", "full")
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
    key: [id]
    from: things
    fields:
      id: { column: id, cast: int64 }
      name: { column: name, cast: text }
      price: { column: price, cast: "decimal(10,2)" }
      photo: { column: photo, cast: bytes }
      note: { column: note, cast: text }
  words:
    key: [word]
    from: words
    fields: { word: { column: word, cast: text }, amount: { column: amount, cast: int64 } }
"""
DAMAGE = ("DELETE FROM things WHERE id = 7; UPDATE things SET name = 'other 11' WHERE id = 11; "
          "INSERT INTO things(id, name) VALUES (9999, 'new'); DELETE FROM words WHERE word = 'w3'")
FOUND = [("different", "things", {"id": 11}, ["name"]), ("missing", "things", {"id": 7}, []),
         ("missing", "words", {"word": "w3"}, [])]
EXTRA = ("extra", "things", {"id": 9999}, [])
# A line's key in each kind of files.
KEY_OF_LINE = {"csv": '^()%s(?=,)', "jsonl": r'("id":|"word":")%s\b', "dynamodb-json": r'(\{"[NS]":")%s(?=")'}


class Places(test_validate.Validate):
    """Databases of every kind, for sources and for targets."""

    @classmethod
    def setUpClass(cls):
        cls.running = {}

    @classmethod
    def server(cls, name, start):
        """Begun when it is first wanted: without one, the pairs without it stay."""
        if name not in cls.running:
            cls.running[name] = start(cls)
        return cls.running[name]

    def client(self, role):
        """boto3's, of a server for all sources and one for all targets."""
        server = self.server("dynamodb of the %s" % role, lambda cls: servers.for_class(cls, "dynalite"))
        return server, items.client_of(server)

    def run_program(self, *arguments, **options):
        return super().run_program(*arguments, env=servers.aws_environment(self.folder), **options)

    def place(self, kind, role):
        """A new one's URI, and its name to those who change it."""
        if kind == "dynamodb":
            server, client = self.client(role)
            items.empty(client)
            return "dynamodb://us-east-1?endpoint=" + server.endpoint, client
        if kind in SERVERS:
            server = self.server(kind, SERVERS[kind].shared_for_class
                                 if kind in ("cassandra", "redis", "mongodb", "opensearch")
                                 else SERVERS[kind].for_class)
            name = server.database()
            return server.uri(name), name
        name = "%s-%s%s" % (role, kind, ".db" if kind == "sqlite" else "")
        return "%s:%s" % (kind, name), name


class Pairs(Places):
    def make(self):
        support.make_sqlite(self.path("origin.db"), SCRIPT)
        db = sqlite3.connect(self.path("origin.db"))
        db.executemany("INSERT INTO things VALUES (?,?,?,?,?)",
                       [(i, "thing %d \u00e9" % i, i / 100, bytes([i % 256]), ["", "note", None][i % 3])
                        for i in range(1, 120)])
        db.executemany("INSERT INTO words VALUES (?,?)", [("w%d" % i, i) for i in range(80)])
        db.commit()
        db.close()

    # --- changes by others

    def damage(self, kind, name):
        if kind == "sqlite":
            self.change(self.path(name), *DAMAGE.split(";"))
        elif kind == "cassandra":
            self.running[kind].run_script(name, DAMAGE.replace("; ", ";\n"))
        elif kind == "redis":
            for words in (("DEL", "things:7"), ("HSET", "things:11", "name", "other 11"),
                          ("HSET", "things:9999", "id", "9999", "name", "new"), ("DEL", "words:w3")):
                self.running[kind].ask(name, *words)
        elif kind == "mongodb":
            there = self.running[kind].client()[name]
            there.things.delete_one({"_id": 7})
            there.things.update_one({"_id": 11}, {"$set": {"name": "other 11"}})
            there.things.insert_one({"_id": 9999, "id": 9999, "name": "new"})
            there.words.delete_one({"_id": "w3"})
        elif kind == "opensearch":
            for method, path, body in (("DELETE", "things/_doc/7", None),
                                       ("POST", "things/_update/11", {"doc": {"name": "other 11"}}),
                                       ("PUT", "things/_doc/9999", {"id": 9999, "name": "new"}),
                                       ("DELETE", "words/_doc/w3", None)):
                self.running[kind].ask(method, "/%s%s" % (name, path), body)
        elif kind in SERVERS:
            self.running[kind].ask(name, DAMAGE)
        elif kind == "dynamodb":
            name.delete_item(TableName="things", Key={"id": {"N": "7"}})
            item = name.get_item(TableName="things", Key={"id": {"N": "11"}})["Item"]
            name.put_item(TableName="things", Item=dict(item, name={"S": "other 11"}))
            name.put_item(TableName="things", Item={"id": {"N": "9999"}, "name": {"S": "new"}})
            name.delete_item(TableName="words", Key={"word": {"S": "w3"}})
        else:
            self.edit(kind, name, "things", {"7": lambda line: [],
                                             "11": lambda line: [line.replace("thing", "other", 1)],
                                             "12": lambda line: [line,
                                                                 re.sub(KEY_OF_LINE[kind] % 12, r"\g<1>9999", line,
                                                                        count=1)]})
            self.edit(kind, name, "words", {"w3": lambda line: []})

    def edit(self, kind, name, table, changes):
        """`changes` make of the line with each key other lines."""
        left = set(changes)
        for file_name in os.listdir(self.path(name, table)):
            with open(self.path(name, table, file_name), encoding="utf-8", newline="") as file:
                lines = file.readlines()
            changed = []
            for line in lines:
                key, = [key for key in changes if re.search(KEY_OF_LINE[kind] % key, line)] or [None]
                changed += changes[key](line) if key else [line]
                left.discard(key)
            with open(self.path(name, table, file_name), "w", encoding="utf-8", newline="") as file:
                file.writelines(changed)
        self.assertEqual(left, set())

    # --- a pair

    def pair(self, source, first, target):
        second, name = self.place(target, "target")
        state, plan = ("--state", "state-" + target), ()
        if engines.of(source).SHAPE == "items" and engines.of(target).SHAPE == "tables":
            plan = ("--plan", self.write("plan.yaml", PLAN))
        self.run_program("migrate", *state, "--progress", "none", *plan, first, second)
        for level in validate_sql_case.some_levels("%s %s" % (source, target)):
            self.assert_clean(self.validate(*state, "--level", level), level)
        self.damage(target, name)
        draw = random.Random("%d %s %s" % (support.SEED, source, target))
        for level in LEVELS if support.SOAK else ("full", draw.choice(LEVELS[:-1])):
            self.assert_found(self.validate(*state, "--level", level, "--sample", 1000, code=1), level)
        if support.SOAK or draw.randrange(4) == 0:
            self.run_program("validate", *state, "--repair", "--delete-extra", "--confirm")
            self.assert_clean(self.validate(*state, "--level", "full"), "full")

    def assert_clean(self, report, level):
        self.assertEqual(report["records"], [])
        for side in ("source", "target"):
            self.assertEqual(sum(row[side] for row in report["entities"]), 199 if level != "sample" else 180)

    def assert_found(self, report, level):
        if level == "count":
            self.assertEqual([self.entity(report, "words")[what] for what in ("source", "target", "missing")],
                             [80, 79, 1])
            return
        found = [(record["kind"], record["table"], record["key"], [field["name"] for field in record.get("fields", ())])
                 for record in report["records"]]
        # a sample is drawn from the source
        self.assertCountEqual(found, FOUND if level == "sample" else FOUND + [EXTRA], level)

    def from_kind(self, source):
        self.make()
        first = "sqlite:origin.db"
        if source != "sqlite":
            first, _ = self.place(source, "source")
            self.run_program("migrate", "--state", "begin", "--progress", "none", "sqlite:origin.db", first)
        targets = [target for wanted, target in PAIRS if wanted == source]
        self.assertTrue(targets)
        for target in targets:
            with self.subTest(source=source, target=target, seed=support.SEED):
                self.pair(source, first, target)

    def test_from_sqlite(self):
        self.from_kind("sqlite")

    def test_from_postgres(self):
        self.from_kind("postgres")

    def test_from_mysql(self):
        self.from_kind("mysql")

    def test_from_mysql9(self):
        self.from_kind("mysql9")

    def test_from_cassandra(self):
        self.from_kind("cassandra")

    def test_from_opensearch(self):
        self.from_kind("opensearch")

    def test_from_csv(self):
        self.from_kind("csv")

    def test_from_jsonl(self):
        self.from_kind("jsonl")

    def test_from_dynamodb_json(self):
        self.from_kind("dynamodb-json")

    def test_from_dynamodb(self):
        self.from_kind("dynamodb")
