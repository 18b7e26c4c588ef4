"""Random databases copied there and back, for every ordered pair of kinds: what comes back is what was there, or was rejected
with its key and a reason, or was refused before anything was written.

TRANSHUME_SEED begins elsewhere. `make test` takes half a minute over all pairs, `make soak` minutes.
"""
import base64
import collections
import itertools
import json
import os
import random
import shutil
import sys
import time
import unittest

import items
import mariadb
import postgres
import round_trip
import round_trip_mysql
import servers
import support
from dynamodb_case import DynamodbCase
from random_database import RandomDatabase

SECONDS = 300 if support.SOAK else 30
TRIPS = 240
KINDS = ("sqlite", "csv", "jsonl", "dynamodb-json", "dynamodb", "postgres", "mysql")
# The toy's files are written by the program alone: it stands in the middle.
PAIRS = list(itertools.product(KINDS, (*KINDS, "toy")))
DOCUMENTS = ("dynamodb-json", "dynamodb", "toy")
# Names that a plan can't give a field, or that have a meaning there.
UNNAMABLE = ("*", "")


class RoundTrips(DynamodbCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.second = servers.for_class(cls, cls.server_name)
        cls.second_client = items.client_of(cls.second)
        cls.postgres, cls.mysql = cls.where_it_is(postgres), cls.where_it_is(mariadb)

    @classmethod
    def where_it_is(cls, server):
        try:
            return server.for_class(cls)
        except unittest.SkipTest as reason:
            print("without it: %s" % reason, file=sys.stderr)
            return None

    def setUp(self):
        super().setUp()
        self.counts = collections.Counter()

    def test_every_ordered_pair(self):
        pairs = [pair for pair in PAIRS if (self.postgres or "postgres" not in pair) and (self.mysql or "mysql" not in pair)]
        deadline = time.monotonic() + SECONDS * support.PATIENCE
        number = 0
        # Outside of soaks the same trips each time, wherever time allows them.
        while number < len(pairs) or time.monotonic() < deadline and (support.SOAK or number < TRIPS):
            there, over = pairs[number % len(pairs)]
            seed = "%d/%s/%s/%d" % (support.SEED, there, over, number)
            with self.subTest(seed=seed):
                self.round_trip(random.Random(seed), there, over)
            number += 1
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
            self.postgres.psql("postgres", "; ".join("DROP SCHEMA IF EXISTS %s CASCADE; CREATE SCHEMA %s" % (name, name) for name in "abc"))
        if "mysql" in (there, over):
            self.mysql.ask("", "; ".join("DROP DATABASE IF EXISTS %s; CREATE DATABASE %s" % (name, name) for name in "abc"))
        RandomDatabase(seed, os.path.join(folder, "made.db"), rows_max=30 if "dynamodb" in (there, over) else 150, simple=True,
                       keyless={there, over}.isdisjoint(DOCUMENTS))
        tables = round_trip.neutral_tables(os.path.join(folder, "made.db"))
        self.types = {}
        self.mysql_types = {}
        typed = not {"postgres", "mysql"}.isdisjoint((there, over))  # their columns hold one kind of values
        planned = (typed or there in DOCUMENTS and over in round_trip.TABULAR, typed or over in DOCUMENTS and there in round_trip.TABULAR)
        if "postgres" in (there, over):
            tables = round_trip.fit_for_postgres(tables)
        if "mysql" in (there, over):
            tables = round_trip_mysql.fit(tables)
        if there != "sqlite":
            for table in tables:
                if there in DOCUMENTS:
                    round_trip.fit_for_dynamodb(table)
                round_trip.fit_for_keys(table)
        if any(planned):
            tables = [table for table in tables if not any(c in UNNAMABLE or c.startswith("$") for c in table.columns)]
        if planned[0] or planned[1] and there != "sqlite":
            self.types = {table.name: round_trip.one_tag_a_column(table) for table in tables}
        elif there in DOCUMENTS and over != "jsonl":
            self.add_nested(seed, tables)
        if there in DOCUMENTS or over in DOCUMENTS:
            # Without a record nothing tells the type of a key, or, in lines of documents, that there is one.
            tables = [table for table in tables if table.records]
        if not tables:
            return
        keyless = {table.name for table in tables if not table.key}
        if "mysql" in (there, over):
            self.choose_types(seed, tables)
        if there == "sqlite":
            self.make_sqlite_source(tables, planned[1])
        elif there == "postgres":
            round_trip.write_postgres(self.postgres, "a", tables, self.types)
        elif there == "mysql":
            round_trip_mysql.write(seed, self.mysql, "a", tables, self.mysql_types)
        else:
            self.write(there, tables)
        truths = {"sqlite", "mysql"}.isdisjoint((there, over))
        before = self.read(there, "a")
        expected = {name: collections.Counter(round_trip.canonical(r, truths) for r in records) for name, records in before.items()}
        self.copy(seed, self.place(there, "a"), self.place(over, "b"), tables if planned[0] else None, over, "one", before, expected, truths)
        if there == "dynamodb":
            items.empty(self.client)
        middle = self.read(over, "b")
        self.copy(seed, self.place(over, "b"), self.place(there, "c"), tables if planned[1] else None, there, "two", middle, expected, truths)
        after = self.read(there, "c")
        for name, records in expected.items():
            found = collections.Counter(round_trip.canonical(r, truths) for r in after.get(name, []))
            self.assertEqual((list((records - found).elements())[:2], list((found - records).elements())[:2]), ([], []),
                             "table %s of %s over %s: missing, extra" % (name, there, over))
            self.counts["equal"] += sum(records.values())
            self.counts["without a key"] += sum(records.values()) if name in keyless else 0
            for kind in {there, over}:
                self.counts["by way of " + kind] += sum(records.values())

    def choose_types(self, seed, tables):
        for table in tables:
            kinds = self.mysql_types[table.name] = round_trip_mysql.types_of(seed, table, self.types[table.name])
            round_trip_mysql.drop_unfit(table, kinds, self.there == "mysql")
            if self.there != "sqlite":
                round_trip.fit_for_keys(table)

    def make_sqlite_source(self, tables, planned):
        """The random file itself; where a plan leads back, only the tables and the rows that it can lead back."""
        os.rename(os.path.join(self.trip, "made.db"), os.path.join(self.trip, "a.db"))
        if planned:
            self.types = {table.name: round_trip.one_tag_a_column(table) for table in tables}
            os.remove(os.path.join(self.trip, "a.db"))
            round_trip.write_sqlite(os.path.join(self.trip, "a"), tables, self.types)

    def add_nested(self, seed, tables):
        for table, record in ((table, record) for table in tables for record in table.records):
            if seed.random() < 0.3:
                (letter, value), = items.random_value(seed).items()
                record["nested"] = {"N": lambda v: round_trip.number(v), "S": lambda v: ("s", v), "B": lambda v: ("b", v),
                                    "BOOL": lambda v: ("t", v)}.get(letter, lambda v: (letter, v))(value)
                if letter == "NULL":
                    del record["nested"]

    def copy(self, seed, source, target, tables, over, state, before, expected, truths):
        options = ["--state", state, "--jobs", seed.randint(1, 3), "--chunk-rows", seed.choice((3, 20, 1000))]
        if tables:
            with open(os.path.join(self.trip, state + ".json"), "w", encoding="utf-8") as plan:
                json.dump(self.plan(source, target, tables, over), plan, ensure_ascii=False)
            options += ["--plan", state + ".json"]
        environment = servers.aws_environment(self.trip, TRANSHUME_MODULES=os.path.join(support.BUILD, "toy.so"))
        result = support.transhume("migrate", *options, source, target, cwd=self.trip, env=environment)
        self.assertIn(result.code, (0, 1), "%s to %s\n%s" % (source, target, result.err))
        self.take_rejects(state, before, expected, truths)
        self.look_at_rollback(state, over, environment)

    def look_at_rollback(self, state, over, environment):
        """What was written and what is read back have one hash sum: else the run's own tables would count as changed by others."""
        if over == "toy":
            return  # it has none
        run = self.run_id(os.path.join("trip", state))
        result = support.transhume("rollback", "--state", state, "--run", run, "--dry-run", "--json", cwd=self.trip, env=environment)
        self.assert_code(result, 0)
        self.counts["rollbacks by contents"] += len(json.loads(result.out)["compared_by_count"]) == 0

    def plan(self, source, target, tables, over):
        columns = {"n": "NUMERIC", "s": "TEXT", "b": "bytea" if over == "postgres" else "BLOB", "t": "BOOLEAN"}
        casts = {"n": "decimal", "s": "text", "b": "bytes", "t": "bool"}
        planned = {}
        for table in tables:
            types = self.types[table.name]
            planned[table.name] = {"from": table.name, **({"key": table.key} if table.key else {})}
            planned[table.name]["fields"] = {column: "copy" if over == "sqlite" else {"column": column, "cast": casts[types[column]]}
                                             for column in table.columns}
            if over == "mysql":
                kinds = self.mysql_types[table.name]
                planned[table.name]["columns"] = {column: {"type": kinds[column]} for column in table.columns}
                planned[table.name]["fields"] = {column: round_trip_mysql.field_of(column, types[column]) for column in table.columns}
            elif over in ("sqlite", "postgres"):
                planned[table.name]["columns"] = {column: {"type": columns[types[column]]} for column in table.columns}
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
        if not names or not all(any(name in record for record in before[table]) for name in names):  # a rowid: by what it holds
            names, whole = {name: value for name, value in reject["record"].items() if value is not None}, True
        untold = {name for name, value in names.items() if isinstance(value, dict) and "$omitted" in value}
        key = {name: key_value(value) for name, value in names.items() if name not in untold}
        for record in before[table]:
            if all(same(record.get(name), value) for name, value in key.items()) and (not whole or record.keys() == names.keys()):
                text = round_trip.canonical(record, truths)
                if expected[table][text] > 0:
                    expected[table][text] -= 1
                    return
        self.fail("a reject whose record is not in the source: %s %s" % (reject, before[table][:3]))

    # --- kinds

    def is_second(self, name):
        """Between two databases of DynamoDB, what is in the middle has a server of its own."""
        return self.there == self.over == "dynamodb" and name == "b"

    def place(self, kind, name):
        if kind == "dynamodb":
            return self.uri(self.second.endpoint if self.is_second(name) else None)
        if kind == "postgres":
            return self.postgres.uri("postgres", "?schema=" + name)
        if kind == "mysql":
            return self.mysql.uri(name)
        return round_trip.SCHEMES[kind] % name

    def write(self, kind, tables):
        path = os.path.join(self.trip, "a")
        if kind == "dynamodb":
            round_trip.write_dynamodb(self.client, tables)
        else:
            {"csv": round_trip.write_csv, "jsonl": round_trip.write_jsonl, "dynamodb-json": round_trip.write_items}[kind](path, tables)

    def read(self, kind, name):
        if kind == "dynamodb":
            return round_trip.read_dynamodb(self.second_client if self.is_second(name) else self.client)
        if kind == "postgres":
            return round_trip.read_postgres(self.postgres, name)
        if kind == "mysql":
            return round_trip_mysql.read(self.mysql, name)
        return {"sqlite": round_trip.read_sqlite, "toy": round_trip.read_toy, "csv": round_trip.read_csv, "jsonl": round_trip.read_jsonl,
                "dynamodb-json": round_trip.read_items}[kind](os.path.join(self.trip, name))


def key_value(value):
    if isinstance(value, dict):
        (tag, inner), = value.items()
        if tag == "$bytes":
            return ("b", base64.b64decode(inner))
        if tag in ("$decimal", "$float64", "$uint64", "$float32"):
            return round_trip.number(round_trip.WORDS.get(inner, inner))
        return ("e", base64.b64decode(inner[-1])) if tag == "$escape" else (tag, inner)
    if value is None or isinstance(value, bool):
        return None if value is None else ("t", value)
    return ("s", value) if isinstance(value, str) else round_trip.number(repr(value))


def same(left, right):
    if left and right and "t" in (left[0], right[0]):
        left, right = ([(("n", int(v)) if t == "t" else (t, v)) for t, v in (left, right)])
    return left == right


if __name__ == "__main__":
    unittest.main()
