"""`check` foresees which records of its sample a run rejects, and says why as the run does: kinds of values × targets ×
tables that are there or
that the run makes.

A source has a table a kind, each with that kind's edge values. `check --json` is then held against the rejects of
`migrate`: the same
tables, as many records for each code, and each reason one that the run gave. An ordinary run draws a few pairs, a soak
takes them all.
"""
import collections
import contextlib
import json
import os
import random
import re
import sqlite3
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "servers"), os.path.join(TESTS, "faults")]
import cassandra_server
import ferretdb
import items
import mariadb
import opensearch_server
import postgres
import redis_server
import servers
import support
import test_kinds as types
from engines import duckdb

# {source: {kind: (the declaration of the column, its values as literals)}}
TIMES = ["'2024-01-01 10:00:00'", "'2024-01-01 10:00:00.123'", "'2024-01-01 10:00:00.123456'", "'0001-01-01 00:00:00'",
         "'9999-12-31 23:59:59.999999'"]
BEYOND = ["'infinity'", "'-infinity'", "'0044-03-15 12:00:00 BC'", "'20240-01-01 00:00:00'", "'294276-12-31 23:59:59'"]
KINDS = {
    "postgres": {
        "day": ("date", ["'2024-02-29'", "'infinity'", "'-infinity'", "'0044-03-15 BC'", "'20240-01-01'",
                         "'0001-01-01'", "NULL"]),
        "moment": ("timestamp", TIMES + BEYOND),
        "instant": ("timestamptz", TIMES + BEYOND + ["NULL"]),
        "whole": ("bigint", ["0", "-1", "9223372036854775807", "-9223372036854775808", "70000"]),
        "double": ("float8", ["'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "1e300", "0.1", "5e-324"]),
        "single": ("real", ["'NaN'", "'Infinity'", "0.1", "3.4e38"]),
        "number": ("numeric", ["'NaN'", "'Infinity'", "0.10", "1e60", "1e-40",
                               "12345678901234567890123456789012345678.12345", "1e130"]),
        "fixed": ("numeric(12,4)", ["1.2345", "'NaN'", "0", "-99999999.9999"]),
        "length": ("interval", ["'1 year 2 mons 3 days 04:05:06.000007'", "'-1 mons +2 days -00:00:00.5'", "'0'",
                                "'178000000 years'"]),
        "clock": ("time", ["'00:00:00'", "'23:59:59.999999'", "'24:00:00'", "'12:00:00.123'"]),
        "zoned": ("timetz", ["'12:00:00+02'", "'24:00:00-15:59'"]),
        "letters": ("text", ["''", "' x '", "'\U0001F411'", "'a''b\\c'", "repeat('x', 300)", "repeat('y', 70000)",
                             "NULL"]),
        "bytes": ("bytea", ["''", "'\\x00ff'", "decode(repeat('ab', 3000), 'hex')"]),
        "identity": ("uuid", ["'00112233-4455-6677-8899-aabbccddeeff'"]),
        "document": ("json", ["'{\"a\": [1, 2.50, null]}'", "'[]'", "'\"text\"'", "'1e400'", "'{\"a\": 1, \"a\": 2}'",
                              "'\"a\\u0000b\"'", "'{\"\": {\"$x.y\": 1}}'"]),
        "texts": ("text[]", ["'{a,b}'", "'{{a,b},{c,d}}'", "'{a,NULL}'", "'{}'", "NULL"]),
        "numbers": ("int[]", ["'{1,2}'", "'{{1,2},{3,4}}'", "'{1,NULL,3}'", "'[2:3]={1,2}'", "'{}'"]),
        "label": ("mood", ["'sad'", "'so ''so'''"]),
        "bits": ("bit(8)", ["B'10101010'"]),
        "range": ("int4range", ["'[1,5)'", "'empty'"]),
        "address": ("inet", ["'10.0.0.1'", "'::1'", "'10.0.0.0/8'"]),
        "truth": ("boolean", ["true", "false", "NULL"]),
    },
    "mysql": {
        "day": ("date", ["'2024-02-29'", "'0000-00-00'", "'2024-00-00'", "'2024-02-31'", "'0001-01-01'", "NULL"]),
        "moment": ("datetime(6)", TIMES + ["'0000-00-00 00:00:00'", "NULL"]),
        "instant": ("timestamp(6) NULL", ["'2024-01-01 10:00:00.123456'", "'1970-01-01 00:00:01'",
                                          "'0000-00-00 00:00:00'", "NULL"]),
        "whole": ("bigint unsigned", ["0", "18446744073709551615", "9223372036854775808"]),
        "fixed": ("decimal(40,10)", ["0.1", "123456789012345678901234567890.0123456789"]),
        "double": ("double", ["0.1", "1e300"]),
        "clock": ("time(6)", ["'00:00:00'", "'838:59:59'", "'-838:59:59'", "'12:00:00.123456'"]),
        "year": ("year", ["'2024'", "0", "1901"]),
        "bits": ("bit(10)", ["b'1010101010'", "b'0'"]),
        "letters": ("longtext", ["''", "'a'", "concat('a', char(0), 'b')", "repeat('x', 3000)"]),
        "bytes": ("longblob", ["''", "x'00ff'", "repeat('x', 3000)"]),
        "label": ("enum('sad','plain')", ["'sad'", "'no such'", "NULL"]),
        "labels": ("set('sad','plain')", ["'sad,plain'", "''", "'no such'"]),
        "document": ("json", ["'{\"a\": 1.5}'", "'[]'"]),
        "identity": ("uuid", ["'00112233-4455-6677-8899-aabbccddeeff'"]),
    },
    "sqlite": {
        "whole": ("INTEGER", ["1", "-9223372036854775808", "'abc'", "1.5", "NULL"]),
        "double": ("REAL", ["0.1", "9e999", "-9e999", "'abc'"]),
        "fixed": ("NUMERIC(10,2)", ["1.25", "12.345", "123456789012.5", "'abc'", "9e999"]),
        "letters": ("TEXT", ["''", "'a'", "CAST(x'610062' AS TEXT)", "CAST(x'c328' AS TEXT)", "hex(zeroblob(1500))"]),
        "bytes": ("BLOB", ["x''", "x'00ff'", "zeroblob(3000)"]),
        "day": ("DATE", ["'2024-02-29'", "'0000-00-00'", "'soon'"]),
        "moment": ("DATETIME", ["'2024-01-01 10:00:00'", "'2024-01-01 10:00:00.123456789'", "'soon'"]),
        "truth": ("BOOLEAN", ["0", "1", "2"]),
        "short": ("VARCHAR(5)", ["'abc'", "'abcdefgh'"]),
        "long": ("TEXT", ["hex(zeroblob(300000))", "hex(zeroblob(700000))"]),
    },
    "jsonl": {
        "large": ({"type": "uint64"}, ["0", "18446744073709551615", "9223372036854775808"]),
        "fixed": ({"type": "decimal", "precision": 40, "scale": 10},
                  ["1.1", "123456789012345678901234567890.0123456789"]),
        "moment": ({"type": "timestamp"}, ['"2024-02-29T13:14:15"', '"2024-02-29T13:14:15.123456789"',
                                           '"+10000-01-01T00:00:00"']),
        "instant": ({"type": "timestamp", "zoned": True}, ['"2024-02-29T13:14:15Z"', '"2024-02-29T13:14:15.1234567Z"',
                                                           '"1500-01-01T00:00:00Z"']),
        "clock": ({"type": "time"}, ['"13:14:15"', '"23:59:59.9999999"']),
        "length": ({"type": "interval"}, ['"PT2H"', '"-PT1H"', '"P1Y2M3DT4H5M6.000007S"', '"P1M"']),
        "letters": ({"type": "text"}, ['""', '"a\\u0000b"', '"%s"' % ("x" * 1200)]),
        "bytes": ({"type": "bytes"}, ['""', '"AP8="']),
        "document": ({"type": "json"}, ['{"a":[1,[2,3]],"b":null}', '[]', '"x"', '{"":1}', '{"a.b":1,"$c":2}']),
        "double": ({"type": "float64"}, ["0.1", "1e300", "-0.0"]),
    },
    "cassandra": {
        "set": ("frozen<set<text>>", ["{'a','b'}"]),
        "person": ("frozen<person>", ["{street: 'x', tags: {'a','b'}}", "{street: null, tags: null}"]),
        "map": ("frozen<map<int,text>>", ["{1: 'a', 2: ''}"]),
        "wide": ("varint", ["0", "1" + "0" * 60, "-9223372036854775809"]),
        "number": ("decimal", ["0.10", "1" + "0" * 60 + ".5"]),
        "moment": ("timestamp", ["0", "253402300800000", "-62167219200001", "1704103200123"]),
        "day": ("date", ["'2024-02-29'", "0"]),
        "length": ("duration", ["1y2mo3d4h5m6s7us", "1ns", "-1mo"]),
        "double": ("double", ["NaN", "Infinity", "0.1"]),
        "letters": ("text", ["''", "'a'"]),
        "pair": ("frozen<tuple<int,text>>", ["(1, 'a')", "(1, null)"]),
    },
}
TYPE_OF_KEY = {"postgres": ("text", ["''", "'a'", "repeat('x', 600)", "repeat('y', 1500)", "'a:b%c'"]),
               "sqlite": ("TEXT", ["''", "'a'", "hex(zeroblob(300))", "hex(zeroblob(1100))"]),
               "mysql": ("varbinary(700)", ["''", "'a'", "repeat('x', 600)"])}
for source_of_keys, keys in TYPE_OF_KEY.items():
    KINDS[source_of_keys]["key"] = keys
TARGETS = ("sqlite", "postgres", "mysql", "duckdb", "cassandra", "mongodb", "redis", "opensearch", "dynamodb", "csv",
           "jsonl", "dynamodb-json", "parquet", "arrow", "toy")
FOLDERS = ("csv", "jsonl", "dynamodb-json", "parquet", "arrow", "toy")
EXISTING = {"sqlite": types.SQLITE, "postgres": types.POSTGRES, "mysql": types.MYSQL, "cassandra": types.CASSANDRA}
# Columns of a table that the program makes of a SQLite file, for targets whose tables have no statements of their own.
SEEDS = ("INTEGER", "BIGINT", "REAL", "NUMERIC(10,2)", "TEXT", "BLOB", "BOOLEAN", "DATE", "DATETIME")
MAPPINGS = ({"type": "long"}, {"type": "integer"}, {"type": "byte"}, {"type": "double"}, {"type": "boolean"},
            {"type": "keyword"}, {"type": "text"}, {"type": "ip"}, {"type": "binary"},
            {"type": "date"}, {"type": "date", "format": "epoch_millis"}, {"type": "date", "format": "yyyy-MM-dd"},
            {"type": "object"}, {"type": "unsigned_long"}, {"type": "date_nanos"},
            {"type": "float"}, {"type": "half_float"}, {"type": "scaled_float", "scaling_factor": 100},
            {"type": "short"})
# What MariaDB and OpenSearch say themselves of a value, in more words than are known before.
BY_SERVER = r"^(Incorrect|Out of range value|Data too long)|immense term|failed to parse: "
os.environ["TRANSHUME_MODULES"] = os.path.join(support.BUILD, "toy.so")
MODULES = {"postgres": postgres, "mysql": mariadb, "cassandra": cassandra_server, "mongodb": ferretdb,
           "opensearch": opensearch_server, "redis": redis_server}
ROUNDS = 1 if not support.SOAK else 3
DRAWN = 6


class Places(support.TestCase):
    """Targets of every kind, and tables in them; test_check_against_run uses them too."""
    maxDiff = None
    running = {}

    @classmethod
    def server(cls, name):
        """Started when it is first wanted; the test is skipped without it."""
        if name not in cls.running:
            own = name in ("postgres", "mysql")
            module = MODULES[name] if name != "dynamodb" else None
            cls.running[name] = servers.for_class(cls,
                                                  "dynalite") if module is None else module.for_class(
                                                      cls) if own else module.shared_for_class(cls)
            cls.addClassCleanup(cls.running.pop, name)
        return cls.running[name]

    # --- targets

    def place(self, target):
        if target == "sqlite":
            return "sqlite:" + self.path("target.db")
        if target == "duckdb":
            os.environ["TRANSHUME_DUCKDB"] = duckdb.library()
            return "duckdb:" + self.path("target.duckdb")
        if target in FOLDERS:
            return "%s:%s" % (target, self.path("target"))
        server = self.server(target)
        if target == "dynamodb":
            items.empty(items.client_of(server))
            return "dynamodb://us-east-1?endpoint=" + server.endpoint
        self.name = server.database()
        return server.uri(self.name)

    def fill(self, target, place, kinds, drawn):
        """Makes a table for each kind, with columns of types that are drawn."""
        chosen = {kind: drawn.choice(EXISTING[target])[0] if target in EXISTING else drawn.choice(SEEDS)
                  for kind in kinds}
        chosen.pop("key", None)
        if target in EXISTING:
            quote = "`%s`" if target == "mysql" else '"%s"'
            script = ["CREATE TYPE mood AS ENUM ('sad', 'plain')"] if target == "postgres" else []
            for kind, declared in chosen.items():
                limits = "" if target == "cassandra" else drawn.choice(("", "", " NOT NULL")) or (" NULL"
                    if target == "mysql" else "")
                script.append("CREATE TABLE %s (id bigint PRIMARY KEY, v %s%s)" % (quote % kind, declared, limits))
            if target == "sqlite":
                with contextlib.closing(sqlite3.connect(self.path("target.db"))) as db, db:
                    db.executescript(";\n".join(script))
            else:
                getattr(self.server(target), "run_script" if target == "cassandra" else "ask")(self.name,
                    ";\n".join(script))
            return chosen
        if target == "opensearch":
            chosen = {kind: drawn.choice(MAPPINGS) for kind in chosen}
            for kind, mapping in chosen.items():
                body = {"mappings": {"dynamic": False, "properties": {"id": {"type": "long"}, "v": mapping}}}
                self.server(target).ask("PUT", "/%s%s" % (self.name, kind.replace(" ", "%20")), body)
            return {kind: mapping for kind, mapping in chosen.items()}
        path = self.path("seed.db")
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            for kind, declared in chosen.items():
                db.execute('CREATE TABLE "%s" (id INTEGER PRIMARY KEY, v %s)' % (kind, declared))
        self.run_program("migrate", "--quiet", "--state", self.path(".seed"), "sqlite:" + path, place,
                         env=servers.aws_environment(self.folder))
        return chosen


class Foresees(Places):
    # --- sources

    def source(self, source):
        """Its URI, and {kind: how many records}."""
        kinds = KINDS[source]
        if source == "sqlite":
            path = self.path("source.db")
            with contextlib.closing(sqlite3.connect(path)) as db, db:
                for statement in self.statements(source, '"%s"'):
                    db.execute(statement)
            uri = "sqlite:" + path
        elif source == "jsonl":
            uri = self.write_lines()
        elif source == "cassandra":
            name = self.server(source).database()
            self.server(source).run_script(name, ";\n".join(["CREATE TYPE person (street text, tags frozen<set<text>>)",
                                                             *self.statements(source, '"%s"')]))
            uri = self.server(source).uri(name)
        else:
            name = self.server(source).database()
            first = ("CREATE TYPE mood AS ENUM ('sad', 'so ''so'''); SET timezone = 'UTC'" if source == "postgres"
                     else "SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'")
            self.server(source).ask(name, ";\n".join([first, *self.statements(source,
                                                                              '"%s"' if source == "postgres"
                                                                              else "`%s`")]))
            uri = self.server(source).uri(name)
        return uri, {kind: len(values) for kind, (_, values) in kinds.items()}

    @staticmethod
    def statements(source, quote):
        for kind, (declared, values) in KINDS[source].items():
            if kind == "key":
                yield "CREATE TABLE %s (v %s NOT NULL PRIMARY KEY, id int)" % (quote % kind, declared)
            else:
                yield "CREATE TABLE %s (id int PRIMARY KEY, v %s)" % (quote % kind, declared)
            for number, value in enumerate(values, 1):
                yield "INSERT INTO %s (id, v) VALUES (%d, %s)" % (quote % kind, number, value)

    def write_lines(self):
        folder = self.path("source")
        os.makedirs(os.path.join(folder, "_transhume", "tables"))
        for kind, (declared, values) in KINDS["jsonl"].items():
            os.makedirs(os.path.join(folder, kind))
            definition = {"format": 1, "key": ["id"], "columns": [{"name": "id", "type": "int64", "null": False},
                                                                  {"name": "v", **declared}]}
            self.write(os.path.join("source", "_transhume", "tables", kind + ".json"), json.dumps(definition))
            self.write(os.path.join("source", kind, "part-1.jsonl"),
                       "".join('{"id":%d,"v":%s}\n' % (number, value) for number, value in enumerate(values, 1)))
        return "jsonl:" + folder

    # --- the two, side by side

    def refused_tables(self, report, kinds):
        return {kind for kind in kinds for line in report["problems"] if line.startswith(kind + ": ")
                and "would be rejected" not in line}

    def compare(self, source, target, there, drawn):
        """How many pairs of kind and target were compared."""
        first, kinds = self.source(source)
        second = self.place(target)
        chosen = self.fill(target, second, kinds, drawn) if there else {}
        environment = servers.aws_environment(self.folder)
        left_out = set() if source in TYPE_OF_KEY and not there else {"key"} & set(kinds)
        for _ in range(4):
            arguments = ["--time-zone", "UTC", *(["--existing", "append"] if there else [])]
            arguments += [word for kind in sorted(left_out) for word in ("--exclude", kind)] + [first, second]
            checked = support.transhume("check", "--json", *arguments, cwd=self.folder, env=environment)
            report = json.loads(checked.out)
            self.assertIn("problems", report)
            if checked.code not in (2, 5):
                break
            found = self.refused_tables(report, set(kinds) - left_out)   # no value of the column could be written
            self.assertTrue(found, report["problems"])
            left_out |= found
        self.assertIn(checked.code, (0, 1), report["problems"])
        result = support.transhume("migrate", "--quiet", *arguments, cwd=self.folder, env=environment)
        self.assertIn(result.code, (0, 1), result.err)
        rejected = collections.defaultdict(collections.Counter)
        reasons = collections.defaultdict(set)
        for reject in self.rejects():
            rejected[reject["entity"]][reject["code"]] += 1
            reasons[reject["entity"], reject["code"]].add(reject["reason"])
        told = collections.defaultdict(collections.Counter)
        for foreseen in report["rejects"]:
            told[foreseen["entity"]][foreseen["code"]] += foreseen["count"]
        wrong = {kind: ("in", chosen.get(kind), "check", dict(told[kind]), "migrate", dict(rejected[kind]),
                        [sorted(reasons[kind, code]) for code in rejected[kind]],
                        [one["reason"] for one in report["rejects"] if one["entity"] == kind])
                 for kind in set(kinds) - left_out if told[kind] != rejected[kind]}
        self.assertEqual(wrong, {}, "\n".join(report["problems"]) + "\n" + result.err)
        for one in report["rejects"]:
            ran = reasons[one["entity"], one["code"]]
            if not any(re.search(BY_SERVER, reason) for reason in ran):   # whose words it has itself
                self.assertTrue(any(printable(reason).startswith(one["reason"]) for reason in ran), (one, ran))
        self.assert_code(checked, result.code)
        return len(kinds) - len(left_out)


def printable(reason):
    return reason if len(reason.encode()) < 400 else reason[:399]


def add_pairs():
    pairs = [(source, target, there, number) for source in KINDS for target in TARGETS for there in (False, True)
             for number in range(ROUNDS if there else 1)
             if not (there and target in FOLDERS)]   # which take no records into tables of others
    for source, target, there, number in support.drawn(pairs, DRAWN, "foresees"):
        def test(self, source=source, target=target, there=there, number=number):
            self.compare(source, target, there, random.Random("%d %s %s %d" % (support.SEED, source, target, number)))
        setattr(Foresees, "test_%s_into_%s_%s_%d" % (source, target.replace("-", "_"), "there" if there else "new",
                                                     number + 1), test)


add_pairs()


if __name__ == "__main__":
    unittest.main()
