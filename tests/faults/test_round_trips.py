"""Random databases copied there and back, for pairs of databases as tests/engines draws them, in a soak for all: what
comes back is what was there, or was rejected
with its key and a reason, or was refused before anything was written.

TRANSHUME_SEED begins elsewhere. `make test` takes half a minute over all pairs, `make soak` minutes.
"""
import base64
import collections
import json
import os
import random
import shutil
import sys
import time
import unittest

import cassandra_server
import engines
import ferretdb
import items
import mariadb
import mysql as mysql9
import opensearch_server
import postgres
import redis_server
import servers
import support
from dynamodb_case import DynamodbCase
from engines import mysql, sqlite
from random_database import RandomDatabase

SECONDS = 300 if support.SOAK else 8
TRIPS = 240
PAIRS = engines.all_pairs() if support.SOAK else engines.pairs(support.SEED)
DOCUMENTS = tuple(engine.NAME for engine in engines.all() if engine.SHAPE == "items")
TABULAR = tuple(engine.NAME for engine in engines.all() if engine.SHAPE == "tables")
MYSQL = ("mysql", "mysql9")
# their columns hold one kind of values
TYPED = (*MYSQL, *(engine.NAME for engine in engines.all() if engine.column("s")))
# Names that a plan can't give a field, or that have a meaning there.
UNNAMABLE = ("*", "")


def neutral_tables(path):
    """The random SQLite file as tables of tagged records, without what only SQLite can hold."""
    tables = []
    for table in sqlite.tables_of(path):
        found = []
        for row in table.rows:
            record = {}
            for column, (kind, value), rule in zip(table.columns, row, table.rules):
                if kind == "text" and sqlite.is_utf8(value):
                    record[column] = ("s", value.decode())
                elif kind == "blob":
                    record[column] = ("b", bytes(value))
                elif kind == "integer":
                    record[column] = ("t", bool(value)) if rule == "bool" and value in (0,
                        1) else engines.records.number(str(value))
                elif kind == "real":
                    record[column] = engines.records.number(repr(value))
            found.append(record)
        letters = {column: sqlite.key_type(table.declared[column]) for column in table.key}
        tables.append(engines.records.Table(table.name, table.columns, table.key, letters, found))
    return tables


class RoundTrips(DynamodbCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.second = servers.for_class(cls, cls.server_name)
        cls.second_client = items.client_of(cls.second)
        cls.servers = {kind: cls.where_it_is(server) for kind, server in (("postgres", postgres), ("mysql", mariadb),
                                                                          ("mysql9", mysql9),
                                                                          ("cassandra", cassandra_server),
                                                                          ("redis", redis_server),
                                                                          ("mongodb", ferretdb),
                                                                          ("opensearch", opensearch_server))}

    @classmethod
    def where_it_is(cls, server):
        try:
            return (server.shared_for_class if server in (cassandra_server, redis_server, ferretdb, opensearch_server)
                    else server.for_class)(cls)
        except unittest.SkipTest as reason:
            print("without it: %s" % reason, file=sys.stderr)
            return None

    def setUp(self):
        super().setUp()
        self.counts = collections.Counter()

    def test_there_and_back(self):
        pairs = [(source.NAME, target.NAME) for source, target in PAIRS]
        pairs = [pair for pair in pairs if all(self.servers.get(kind, True) for kind in pair)]
        deadline = time.monotonic() + SECONDS * support.PATIENCE
        number = 0
        # Outside of soaks the same trips each time, wherever time allows them.
        while number < len(pairs) or time.monotonic() < deadline and (support.SOAK or number < TRIPS):
            there, over = pairs[number % len(pairs)]
            seed = "%d/%s/%s/%d" % (support.SEED, there, over, number)
            number += 1
            with self.subTest(seed=seed):
                self.round_trip(random.Random(seed), there, over)
        print("%d round trips: %s" % (number, dict(self.counts)), file=sys.stderr)
        self.assertGreater(self.counts["equal"], 3 * self.counts["rejected"])
        # Tables that have none, and keys with a NULL in them, which only SQLite holds.
        self.assertGreater(min(self.counts["without a key"], self.counts["because key-null"]), 0)
        self.assertGreater(self.counts["rollbacks by contents"], number // 2)
        for kind in {kind for pair in pairs for kind in pair}:
            self.assertGreater(self.counts["by way of " + kind], 0)

    # --- one trip

    def round_trip(self, seed, there, over):
        folder = self.path("trip")
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        items.empty(self.client)
        items.empty(self.second_client)
        self.trip, self.there, self.over = folder, there, over
        if "postgres" in (there, over):
            self.servers["postgres"].psql("postgres", "; ".join("DROP SCHEMA IF EXISTS %s CASCADE; CREATE SCHEMA %s"
                                                                % (name, name) for name in "abc"))
        for kind in {there, over}.intersection(MYSQL):
            self.servers[kind].ask("", "; ".join("DROP DATABASE IF EXISTS %s; CREATE DATABASE %s" % (name, name)
                                                 for name in "abc"))
        self.keyspaces = {}
        RandomDatabase(seed, os.path.join(folder, "made.db"), rows_max=30 if "dynamodb" in (there, over) else 150,
                       simple=True,
                       keyless={there, over}.isdisjoint((*DOCUMENTS, "cassandra", "redis", "mongodb", "opensearch")),
                       **({"tables_named": "Name_%d_x"} if "cassandra" in (there, over) else {}))
        tables = neutral_tables(os.path.join(folder, "made.db"))
        self.types = {}
        self.mysql_types = {}
        typed = not set(TYPED).isdisjoint((there, over))
        planned = (typed or there in DOCUMENTS and over in TABULAR, typed or over in DOCUMENTS and there in TABULAR)
        # What a document store does not hold is rejected on the way to it, and can't be written into one that is the
        # source.
        for engine in {engines.of(there), engines.of(over)} if there in DOCUMENTS else {engines.of(there),
            engines.of(over)} - set(map(engines.of, DOCUMENTS)):
            tables = engine.fit(tables)
        for table in tables if there != "sqlite" else ():
            engines.records.fit_for_keys(table)
        if any(planned):
            tables = [table for table in tables if not any(c in UNNAMABLE or c.startswith("$") for c in table.columns)]
        if planned[0] or planned[1] and there != "sqlite":
            self.types = {table.name: engines.records.one_tag_a_column(table) for table in tables}
        elif there in DOCUMENTS and over != "jsonl":
            self.add_nested(seed, tables)
        if there in DOCUMENTS or over in DOCUMENTS:
            # Without a record nothing tells the type of a key, or, in lines of documents, that there is one.
            tables = [table for table in tables if table.records]
        if not tables:
            return
        keyless = {table.name for table in tables if not table.key}
        if {there, over}.intersection(MYSQL):
            self.choose_types(seed, tables)
        if there == "sqlite":
            self.make_sqlite_source(tables, planned[1])
        else:
            engines.of(there).write(self.at(there, "a"), tables, self.mysql_types if there in MYSQL else self.types,
                                    seed)
        truths = {"sqlite", *MYSQL}.isdisjoint((there, over))
        before = self.read(there, "a")
        expected = {name: collections.Counter(engines.records.canonical(r, truths) for r in records)
                    for name, records in before.items()}
        self.copy(seed, self.place(there, "a"), self.place(over, "b"), tables if planned[0] else None, over, "one",
                  before, expected, truths)
        if there == "dynamodb":
            items.empty(self.client)
        middle = self.read(over, "b")
        self.copy(seed, self.place(over, "b"), self.place(there, "c"), tables if planned[1] else None, there, "two",
                  middle, expected, truths)
        after = self.read(there, "c")
        for name, records in expected.items():
            found = collections.Counter(engines.records.canonical(r, truths) for r in after.get(name, []))
            self.assertEqual((list((records - found).elements())[:2], list((found - records).elements())[:2]), ([], []),
                             "table %s of %s over %s: missing, extra" % (name, there, over))
            self.counts["equal"] += sum(records.values())
            self.counts["without a key"] += sum(records.values()) if name in keyless else 0
            for kind in {there, over}:
                self.counts["by way of " + kind] += sum(records.values())

    def choose_types(self, seed, tables):
        for table in tables:
            kinds = self.mysql_types[table.name] = mysql.types_of(seed, table, self.types[table.name])
            mysql.drop_unfit(table, kinds, self.there in MYSQL)
            if self.there != "sqlite":
                engines.records.fit_for_keys(table)

    def make_sqlite_source(self, tables, planned):
        """The random file itself; where a plan leads back, only the tables and the rows that it can lead back."""
        os.rename(os.path.join(self.trip, "made.db"), os.path.join(self.trip, "a.db"))
        if planned:
            self.types = {table.name: engines.records.one_tag_a_column(table) for table in tables}
            os.remove(os.path.join(self.trip, "a.db"))
            sqlite.write(os.path.join(self.trip, "a"), tables, self.types, None)

    def add_nested(self, seed, tables):
        for table, record in ((table, record) for table in tables for record in table.records):
            if seed.random() < 0.3:
                (letter, value), = items.random_value(seed).items()
                record["nested"] = {"N": lambda v: engines.records.number(v), "S": lambda v: ("s", v),
                                    "B": lambda v: ("b", v),
                                    "BOOL": lambda v: ("t", v)}.get(letter, lambda v: (letter, v))(value)
                if letter == "NULL":
                    del record["nested"]

    def copy(self, seed, source, target, tables, over, state, before, expected, truths):
        options = ["--state", state, "--jobs", seed.randint(1, 3), "--chunk-rows", seed.choice((3, 20, 1000))]
        if tables:
            with open(os.path.join(self.trip, state + ".json"), "w", encoding="utf-8") as plan:
                json.dump(self.plan(seed, source, target, tables, over), plan, ensure_ascii=False)
            options += ["--plan", state + ".json"]
        environment = servers.aws_environment(self.trip, TRANSHUME_MODULES=os.path.join(support.BUILD, "toy.so"))
        result = support.transhume("migrate", *options, source, target, cwd=self.trip, env=environment)
        self.assertIn(result.code, (0, 1), "%s to %s\n%s" % (source, target, result.err))
        self.take_rejects(state, before, expected, truths)
        self.look_at_rollback(state, over, environment)

    def look_at_rollback(self, state, over, environment):
        """
        What was written and what is read back have one hash sum: else the run's own tables would count as changed by
        others.
        """
        if over == "toy":
            return  # it has none
        run = self.run_id(os.path.join("trip", state))
        result = support.transhume("rollback", "--state", state, "--run", run, "--dry-run", "--json", cwd=self.trip,
                                   env=environment)
        self.assert_code(result, 0)
        self.counts["rollbacks by contents"] += len(json.loads(result.out)["compared_by_count"]) == 0

    def plan(self, seed, source, target, tables, over):
        casts = {"n": "decimal", "s": "text", "b": "bytes", "t": "bool"}
        planned = {}
        for table in tables:
            types = self.types[table.name]
            planned[table.name] = {"from": table.name, **({"key": engines.of(over).key(table, seed)} if table.key
                                                          else {})}
            planned[table.name]["fields"] = {column: "copy" if over == "sqlite"
                                             else {"column": column, "cast": casts[types[column]]}
                                             for column in table.columns}
            if over in MYSQL:
                kinds = self.mysql_types[table.name]
                planned[table.name]["columns"] = {column: {"type": kinds[column]} for column in table.columns}
                planned[table.name]["fields"] = {column: mysql.field_of(column, types[column])
                                                 for column in table.columns}
            elif engines.of(over).column("s"):
                kinds = {column: engines.of(over).column(types[column]) for column in table.columns}
                planned[table.name].update({"columns": {column: {"type": kind} for column, kind in kinds.items()
                                                        if kind}} if any(kinds.values()) else {})
        return {"transhume": 1, "source": source, "target": target, "tables": planned}

    def take_rejects(self, state, before, expected, truths):
        """Each reject names one record of the source, by its key; that one is not expected any more."""
        folder = os.path.join(self.trip, state, "rejects")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                for line in file:
                    reject = json.loads(line)
                    # one whose columns have all of the names that SQLite gives a row's number has no key
                    hidden = {"rowid", "_rowid_", "oid"} <= {column.lower() for column in reject["record"]}
                    self.assertTrue(reject["code"] and reject["reason"] and (reject["key"] or hidden), line)
                    self.counts["rejected"] += 1
                    self.counts["because " + reject["code"]] += 1
                    self.forget(reject, before, expected, truths)

    def forget(self, reject, before, expected, truths):
        table = reject["source"]
        names, whole = reject["key"], False
        # a rowid: by what it holds
        if not names or not all(any(name in record for record in before[table]) for name in names):
            names, whole = {name: value for name, value in reject["record"].items() if value is not None}, True
        untold = {name for name, value in names.items() if isinstance(value, dict) and "$omitted" in value}
        key = {name: key_value(value) for name, value in names.items() if name not in untold}
        for record in before[table]:
            if all(same(record.get(name), value) for name, value in key.items()) and (not whole
                or record.keys() == names.keys()):
                text = engines.records.canonical(record, truths)
                if expected[table][text] > 0:
                    expected[table][text] -= 1
                    return
        self.fail("a reject whose record is not in the source: %s %s" % (reject, before[table][:3]))

    # --- kinds

    def is_second(self, name):
        """Between two databases of DynamoDB, what is in the middle has a server of its own."""
        return self.there == self.over == "dynamodb" and name == "b"

    def place(self, kind, name):
        return engines.of(kind).uri(self.at(kind, name))

    def at(self, kind, name):
        """Where it is to its engine."""
        if kind == "dynamodb":
            return (self.second, self.second_client) if self.is_second(name) else (self.server, self.client)
        server = self.servers.get(kind)
        if kind in ("cassandra", "redis", "mongodb", "opensearch") and name not in self.keyspaces:
            self.keyspaces[name] = server.database()
        return (server, self.keyspaces.get(name, name)) if server else os.path.join(self.trip, name)

    def read(self, kind, name):
        return engines.of(kind).read(self.at(kind, name))


def key_value(value):
    if isinstance(value, dict):
        (tag, inner), = value.items()
        if tag == "$bytes":
            return ("b", base64.b64decode(inner))
        if tag in ("$decimal", "$float64", "$uint64", "$float32"):
            return engines.records.number(engines.records.WORDS.get(inner, inner))
        return ("e", base64.b64decode(inner[-1])) if tag == "$escape" else (tag, inner)
    if value is None or isinstance(value, bool):
        return None if value is None else ("t", value)
    return ("s", value) if isinstance(value, str) else engines.records.number(repr(value))


def same(left, right):
    if left and right and "t" in (left[0], right[0]):
        left, right = ([(("n", int(v)) if t == "t" else (t, v)) for t, v in (left, right)])
    return left == right


if __name__ == "__main__":
    unittest.main()
