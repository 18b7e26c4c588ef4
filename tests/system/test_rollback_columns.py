"""Rollback of what went into empty tables of others, whose columns make something else of it: a time of a text, a text
of a number.

Every kind of value into every type of column: what got in is taken back, and one value that is not as it was written
forbids it.
"""
import collections
import json
import os
import random
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers")]
import mariadb
import postgres
import support

COLUMNS = {
    "postgres": ("smallint", "integer", "bigint", "numeric", "numeric(12,4)", "real", "double precision", "text",
                 "varchar(60)", "char(40)", "bytea",
                 "boolean", "date", "time", "timestamp", "timestamp(0)", "timestamptz", "interval", "uuid", "json",
                 "jsonb", "xml", "inet", "text[]",
                 "timetz", "bit varying(80)", "address", "place", "padded", "verbatim", "exact"),
    "mysql": ("smallint", "int", "bigint", "bigint unsigned", "decimal(12,4)", "float", "double", "longtext",
              "varchar(60)", "char(40)", "longblob",
              "varbinary(60)", "tinyint(1)", "date", "time", "time(6)", "datetime", "datetime(6)", "timestamp(6) NULL",
              "year", "uuid", "json",
              "enum('12', 'true', 'x')", "set('12', 'x')", "bit(64)", "binary(40)", "inet6", "inet4"),
    "sqlite": ("INTEGER", "TEXT", "REAL", "NUMERIC", "BLOB", "DATE", "BOOLEAN", "DECIMAL(12,4)"),
}
SCRIPTS = {"postgres": "CREATE DOMAIN address AS inet; CREATE DOMAIN place AS address; "
                       "CREATE DOMAIN char_40 AS char(40); CREATE DOMAIN padded AS char_40; "
                       "CREATE DOMAIN verbatim AS json; CREATE DOMAIN decimals AS numeric(12,4); "
                       "CREATE DOMAIN exact AS decimals; ", "mysql": "", "sqlite": ""}
SAMPLE = 6   # of them, in an ordinary run
REWRITTEN = ("int4range", "money")   # which the server gives back in other words than it got
# what SQLite holds in a column without a type
VALUES = ("'2024-07-01 12:00:00'", "'2024-07-01T12:00:00Z'", "'2024-07-01 12:00:00.123456+05:30'", "'2024-07-01'",
          "'12:00'", "'12:34:56.5'",
          "'12'", "'012'", "'1.50'", "'-0'", "'1e3'", "' 12'", "'0x1f'", "'x'", "'X '", "''", "'true'", "'t'",
          "'[1, 2]'", "'{\"b\": 1, \"a\": 2.50}'",
          "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "'{a,NULL,\"b c\"}'", "'[1,5)'", "'1 day 02:03:04'", "'P1DT2H'",
          "'PT2H3M4S'", "'12:00:00+01'",
          "'10.0.0.1'", "'10.0.0.1/32'", "'10.0.0.1/8'", "'2001:DB8::1'", "'2001:db8::1/128'", "'0:0:0:0:0:0:0:1'",
          "'2001:db8:0:1:0:0:0:1'", "'1:0:3:4:5:6:7:8'",
          "'::FFFF:10.0.0.1'", "'::10.0.0.1'", "'::'", "'<a/>'", "'101'",
          "'\u00e9\U0001F411'", "0", "1", "-1", "12", "2024", "40000", "3000000000", "9223372036854775807", "1.5",
          "0.1", "-0.0", "1e22", "1e300",
          "x''", "x'" + "61" * 40 + "'", "x'3132'", "x'00ff'", "NULL")
TEXTS = ("'true'", "'12'", "'2024'", "'2024-07-01 12:00:00'", "'2024-07-01'", "'02:03:04'", "'12:00:00+01'", "'101'",
         "'10.0.0.1'", "'0::1'", "'{a}'", "'[1]'",
         "'<a/>'", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'")   # one for each column
# of PostgreSQL and MySQL, by the types of columns that they come from
TYPED = {
    "postgres": {"text": TEXTS, "numeric": "'1.500'", "numeric(20,2)": "'12.00'", "boolean": "true",
                 "date": "'2024-07-01'", "timestamp": "'2024-07-01 12:00:00.5'",
                 "timestamptz": "'2024-07-01 12:00:00+02'", "time": "'12:34:56.25'",
                 "interval": ("'02:03:04'", "'1 day 02:03:04'", "'24:00:00'", "'-00:00:01'", "'00:00:00'"),
                 "real": "0.1",
                 "double precision": "1.5", "uuid": "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'",
                 "json": "'{\"b\": 1,  \"a\": 2.50}'", "jsonb": "'[1, 2]'",
                 "bytea": ("'\\x3132'", "'\\x" + "61" * 40 + "'"), "bigint": "12", "char(8)": "'x'",
                 "text[]": "'{a,b}'", "inet": ("'10.0.0.1'", "'2001:DB8::1'", "'10.0.0.1/8'")},
    "mysql": {"varchar(60)": TEXTS, "decimal(20,2)": "12.00", "date": "'2024-07-01'",
              "datetime(6)": "'2024-07-01 12:00:00.5'", "timestamp(6) NULL": "'2024-07-01 12:00:00'",
              "time(6)": ("'12:34:56.25'", "'-01:00:00'", "'24:00:00'", "'30:00:00'"), "float": "0.1", "double": "1.5",
              "json": "'{\"b\": 1, \"a\": 2.50}'", "longblob": ("x'3132'", "x'" + "61" * 40 + "'"),
              "bigint unsigned": "12", "year": "2024", "bit(9)": "b'101'",
              "uuid": "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "char(8)": "'x'", "inet6": ("'2001:DB8::1'", "'::'")},
}
CHANGES = ("UPDATE %s SET id = id + 100000 WHERE id = (SELECT m FROM (SELECT min(id) AS m FROM %s) AS first)",
           "UPDATE %s SET v = NULL WHERE id = (SELECT m FROM (SELECT max(id) AS m FROM %s WHERE v IS NOT NULL) "
           "AS last)")


class Columns(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = {"postgres": postgres.for_class(cls), "mysql": mariadb.for_class(cls)}

    def columns(self, target):
        all_of = COLUMNS[target]
        return all_of if support.SOAK or len(all_of) <= SAMPLE else random.Random("%d %s" % (support.SEED,
            self.id())).sample(all_of, SAMPLE)

    # --- both ends

    def source(self, kind, tables):
        """A column with every value, in tables of these names."""
        if kind == "sqlite":
            rows = ", ".join("(%d, %s)" % (number, value) for number, value in enumerate(VALUES, 1))
            return support.make_sqlite(self.path("source-%d.db" % len(os.listdir(self.folder))), "".join(
                "CREATE TABLE %s(id INTEGER PRIMARY KEY, v); INSERT INTO %s VALUES %s;" % (table, table, rows)
                for table in tables))
        server, types = self.servers[kind], TYPED[kind]
        name, script = server.database(), []
        for number, (type_, value) in enumerate(types.items()):
            for table in tables:
                values = [value, "NULL", value] if isinstance(value, str) else [*value, "NULL"]
                script.append(
                    "CREATE TABLE {0}_{1}(id bigint PRIMARY KEY, v {2}); INSERT INTO {0}_{1} VALUES {3};".format(
                        table, number, type_, ", ".join("(%d, %s)" % pair for pair in enumerate(values, 1))))
        server.ask(name, "".join(script))
        return server.uri(name)

    def target(self, kind, tables, columns):
        """Empty tables; what can be said to it."""
        script = SCRIPTS[kind] + "".join("CREATE TABLE %s(id bigint PRIMARY KEY, v %s);" % pair
                                         for pair in zip(tables, columns))
        if kind == "sqlite":
            path = support.make_sqlite(self.path("target-%d.db" % len(os.listdir(self.folder))), script)

            def ask(statement):
                with sqlite3.connect(path) as database:
                    found = [[str(cell) for cell in row] for row in database.execute(statement)]
                database.close()
                return found
            return "sqlite:" + path, ask
        name = self.servers[kind].database()
        self.servers[kind].ask(name, script)
        return self.servers[kind].uri(name), lambda statement: self.servers[kind].ask(name, statement)

    # --- a copy and its end

    def copied(self, source, uri, *options):
        state = self.path("state-%d" % len(os.listdir(self.folder)))
        result = support.transhume("migrate", source, uri, "--existing", "append", "--time-zone", "UTC", "--state",
                                   state, "--quiet",
                                  "--no-express", "--max-rejects", 1000000, *options, cwd=self.folder)
        self.assertIn(result.code, (0, 1), result.err)
        with open(os.path.join(state, "run.json"), encoding="utf-8") as file:
            return state, json.load(file)["run"]

    def rollback(self, state, run, code=0):
        return self.run_program("rollback", "--state", state, "--run", run, "--confirm", "--json", code=code)

    def assert_taken_back(self, source, kind, tables, columns):
        uri, ask = self.target(kind, tables, columns)
        state, run = self.copied(source, uri)
        arrived = collections.Counter()
        for table, column in zip(tables, columns):
            arrived[column] += int(ask("SELECT count(v) FROM " + table)[0][0])
        compared = support.transhume("validate", source, uri, "--state", state, "--time-zone", "UTC", "--json",
                                     "--quiet", cwd=self.folder)
        found = {entity["name"]: (entity["different"], entity["missing"], entity["extra"])
                 for entity in json.loads(compared.out)["entities"]}
        self.assertEqual({columns[tables.index(name)]: counts for name, counts in found.items() if any(counts)}, {})
        report = json.loads(self.rollback(state, run).out)
        self.assertEqual(report.get("compared_by_count", []), [])
        self.assertEqual({table: ask("SELECT count(*) FROM " + table) for table in tables},
                         dict.fromkeys(tables, [["0"]]))
        self.assertEqual({column for column in columns if arrived[column] == 0}, set())   # or nothing was tried

    def test_every_value_of_sqlite_into_every_column(self):
        for kind in COLUMNS:
            columns = self.columns(kind)
            tables = ["t%d" % number for number in range(len(columns))]
            with self.subTest(target=kind, columns=columns):
                self.assert_taken_back(self.source("sqlite", tables), kind, tables, columns)

    def test_every_type_into_every_column(self):
        for source in TYPED:
            for kind in COLUMNS:
                all_of = self.columns(kind) if support.SOAK else self.columns(kind)[:1]
                for columns in (all_of[at:at + SAMPLE] for at in range(0, len(all_of), SAMPLE)):
                    short = ["t%d" % number for number in range(len(columns))]
                    tables = ["%s_%d" % (table, number) for table in short for number in range(len(TYPED[source]))]
                    with self.subTest(source=source, target=kind, columns=columns):
                        self.assert_taken_back(self.source(source, short), kind, tables,
                                               [column for column in columns for _ in TYPED[source]])

    def test_what_the_server_says_in_other_words(self):
        """It would not be known from what others wrote: it is not taken back, but by its keys."""
        tables = ["t%d" % number for number in range(len(REWRITTEN))]
        source = self.source("sqlite", tables)
        uri, ask = self.target("postgres", tables, REWRITTEN)
        state, run = self.copied(source, uri)
        self.assertIn("not all with the contents that it wrote", self.rollback(state, run, code=5).err)
        uri, ask = self.target("postgres", tables, REWRITTEN)
        state, run = self.copied(source, uri, "--rollback-keys")
        self.rollback(state, run)
        self.assertEqual([ask("SELECT count(*) FROM " + table) for table in tables], [[["0"]]] * len(tables))

    def test_what_a_type_would_make_something_else_of(self):
        """Texts that are no money or no bits, and that the server takes for some without a word."""
        values = {"money": ("''", "' 12'", "'1e1'", "'$1.5'"), "bit varying(80)": ("'x1f'", "'b101'", "'B1'", "'X'"),
                  "bit(3)": ("'x1'", "'b101'")}
        for column, texts in values.items():
            with self.subTest(column=column):
                source = support.make_sqlite(self.path("%s.db" % column.replace(" ", "")),
                                             "CREATE TABLE t0(id INTEGER PRIMARY KEY, v); INSERT INTO t0 VALUES %s"
                                             % ", ".join("(%d, %s)" % pair for pair in enumerate(texts + ("NULL",))))
                uri, ask = self.target("postgres", ["t0"], [column])
                state, _ = self.copied(source, uri)
                self.assertEqual(ask("SELECT id FROM t0"), [[str(len(texts))]])

    def test_one_value_that_is_not_as_written(self):
        columns = {"postgres": ("timestamp", "timestamptz", "text", "jsonb"),
                   "mysql": ("datetime(6)", "timestamp(6) NULL", "longtext", "json"),
                   "sqlite": ("TEXT", "NUMERIC", "INTEGER")}
        for kind in COLUMNS:
            for column in columns[kind] if support.SOAK else random.Random("%d %s" % (support.SEED,
                kind)).sample(columns[kind], 2):
                for change in support.drawn(CHANGES, 1, self.id() + column):
                    with self.subTest(target=kind, column=column, change=change):
                        uri, ask = self.target(kind, ["t0"], [column])
                        state, run = self.copied(self.source("sqlite", ["t0"]), uri)
                        before = ask("SELECT count(*) FROM t0")
                        ask(change % ("t0", "t0"))
                        self.assertIn("not all with the contents that it wrote", self.rollback(state, run, code=5).err)
                        self.assertEqual(ask("SELECT count(*) FROM t0"), before)

    def test_a_resumed_run(self):
        """What one process summed and what another one does is one sum."""
        for kind, column in (("postgres", "timestamp"), ("mysql", "datetime(6)"), ("sqlite", "TEXT")):
            with self.subTest(target=kind):
                uri, ask = self.target(kind, ["t0"], [column])
                source = support.make_sqlite(self.path("many-%s.db" % kind),
                                             "CREATE TABLE t0(id INTEGER PRIMARY KEY, v); "
                                             "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL "
                                             "SELECT i + 1 FROM c WHERE i < 500) INSERT INTO t0 SELECT i, "
                                             "datetime(i * 86400, 'unixepoch') FROM c;")
                state = self.path("resumed-" + kind)
                arguments = ("migrate", source, uri, "--existing", "append", "--chunk-rows", "64", "--state", state,
                             "--quiet")
                self.assertEqual(support.kill_at("engine.after_commit", 3, *arguments, cwd=self.folder).code, -9)
                self.run_program("resume", "--state", state, "--quiet")
                with open(os.path.join(state, "run.json"), encoding="utf-8") as file:
                    run = json.load(file)["run"]
                self.assertEqual(ask("SELECT count(*) FROM t0"), [["500"]])
                self.rollback(state, run)
                self.assertEqual(ask("SELECT count(*) FROM t0"), [["0"]])


if __name__ == "__main__":
    unittest.main()
