"""Every kind of value into every type of column, in tables that are there: the value, or a reject with a reason; and
`check` foresees which.

Tests are against what values mean (kinds.py), and against tables of what came of each (tests/data/kinds), so that a
change shows.
TRANSHUME_WRITE_KINDS=1 writes these anew.
"""
import base64
import collections
import contextlib
import json
import os
import re
import sqlite3
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "servers")]
from engines import cassandra
from engines import csv as csv_files
from engines import records
import cassandra_server
import kinds
import mariadb
import postgres
import support

# (type, class of kinds.py, what a client selects of it)
PLAIN = "CAST(%s AS char)"
BYTES = "\0bytes"
POSTGRES = [
    ("boolean", "bool"), ("smallint", "number"), ("integer", "number"), ("bigint", "number"), ("numeric", "number"),
    ("numeric(10,2)", "number"), ("real", "single"),
    ("double precision", "double"), ("text", "text"), ("varchar(10)", "text"), ("char(10)", "padded"),
    ("bytea", "bytes"), ("date", "date"), ("time", "clock"),
    ("timestamp", "moment"), ("timestamp(0)", "moment"), ("timestamptz", "instant"), ("interval", "length"),
    ("uuid", "uuid"), ("json", "json"), ("jsonb", "json"),
    ("integer[]", "array of numbers"), ("text[]", "array of texts"), ("mood", "text"), ("bit(8)", "bits"),
    ("inet", "address")]
MYSQL = [
    ("tinyint(1)", "number"), ("smallint", "number"), ("int", "number"), ("bigint", "number"),
    ("bigint unsigned", "number"), ("decimal(10,2)", "number"),
    ("decimal(40,10)", "number"), ("float", "single"), ("double", "double"), ("varchar(10)", "text"),
    ("longtext", "text"), ("char(10)", "padded"), ("varbinary(20)", "bytes"),
    ("longblob", "bytes"), ("date", "date"), ("time(6)", "clock"), ("datetime", "moment"), ("datetime(6)", "moment"),
    ("timestamp(6)", "instant"), ("year", "number"),
    ("json", "json"), ("uuid", "uuid"), ("inet6", "address"), ("enum('sad','plain')", "text"),
    ("set('sad','plain')", "text"), ("bit(8)", "counted bits")]
CASSANDRA = [
    ("boolean", "bool"), ("tinyint", "number"), ("smallint", "number"), ("int", "number"), ("bigint", "number"),
    ("varint", "number"), ("decimal", "number"), ("float", "single"),
    ("double", "double"), ("text", "text"), ("ascii", "text"), ("blob", "bytes"), ("date", "date"), ("time", "clock"),
    ("timestamp", "instant"), ("duration", "length"), ("uuid", "uuid"),
    ("inet", "address"), ("frozen<list<int>>", "array of numbers"), ("frozen<list<text>>", "list of texts")]
SQLITE = [(declared, "any") for declared in ("INTEGER", "REAL", "NUMERIC", "DECIMAL(10,2)", "TEXT", "VARCHAR(10)",
                                             "BLOB", "BOOLEAN", "DATE", "DATETIME", "JSON", "")]
FILES = [("bool", "bool"), ("int64", "number"), ("uint64", "number"), ("float64", "number"),
         ("decimal(20,2)", "number"), ("text", "text"), ("bytes", "bytes"), ("date", "date"),
         ("time", "clock"), ("timestamp", "moment"), ("interval", "length"), ("uuid", "uuid"), ("json", "json")]


class Kinds(support.TestCase):
    maxDiff = None

    def columns_of(self, types):
        """{column: (type, class)}"""
        return {"c%d" % number: one for number, one in enumerate(types)}

    def write_source(self, columns):
        """A folder with a table a kind; {(kind, id): (column, value)}."""
        content, folder = {}, self.path("source")
        os.makedirs(os.path.join(folder, "_transhume", "tables"))
        for kind, (declared, values) in kinds.KINDS.items():
            os.makedirs(os.path.join(folder, kind))
            definition = {"format": 1, "key": ["id"], "columns": [{"name": "id", "type": "int64", "null": False},
                                                                  *({"name": column, **declared}
                                                                    for column in columns)]}
            self.write(os.path.join("source", "_transhume", "tables", kind + ".json"), json.dumps(definition))
            lines = []
            for column in columns:
                for value in values:
                    content[kind, len(lines) + 1] = column, value
                    lines.append('{"id":%d,"%s":%s}' % (len(lines) + 1, column, self.line(value)))
            self.write(os.path.join("source", kind, "part-1.jsonl"), "\n".join(lines) + "\n")
        return "jsonl:" + folder, content

    @staticmethod
    def line(value):
        if isinstance(value, dict):
            return "{%s}" % ",".join("%s:%s" % (json.dumps(name), Kinds.line(one)) for name, one in value.items())
        return "[%s]" % ",".join(map(Kinds.line, value)) if isinstance(value, list) else str(value) if isinstance(value,
            kinds.decimal.Decimal) else json.dumps(value)

    def reasons(self):
        """{(kind, id): code}"""
        found = {}
        for reject in self.rejects():
            self.assertGreater(len(reject["reason"]), 10, reject)
            if "id" not in reject["record"]:
                raise AssertionError(json.dumps(reject)[:900])
            found[reject["entity"], int(reject["record"]["id"])] = reject["code"]
        return found

    def into(self, name, target, types, read, planned=False, existing="append"):
        columns = self.columns_of(types)
        source, content = self.write_source(columns)
        target = target(columns)
        arguments = ("--existing", existing, "--time-zone", "UTC", source, target)
        refused = {}
        if planned:
            refused = self.refused_casts(source, target, columns)
            arguments = ("--time-zone", "UTC", "--plan", self.plan(source, target, columns, refused))
        checked = json.loads(support.transhume("check", "--json", *arguments, cwd=self.folder).out)
        result = support.transhume("migrate", "--quiet", *arguments, cwd=self.folder)
        self.assertIn(result.code, (0, 1), result.err)
        reasons = self.reasons()
        self.assert_foreseen(checked, reasons, content, columns)
        silent, outcomes = [], collections.defaultdict(lambda: collections.defaultdict(list))
        for kind in kinds.KINDS:
            rows = read(kind, columns)
            for (of, number), (column, value) in content.items():
                if of != kind:
                    continue
                declared, column_class = columns[column]
                if (kind, column) in refused:
                    outcomes[kind, self.shown(value)]["refused before the run"].append(declared)
                    continue
                found = rows.get(number, {}).get(column)
                self.assertEqual(number in rows, (kind, number) not in reasons, (kind, value, declared))
                outcome = ("reject: " + reasons[kind, number] if number not in rows else "NULL" if found is None
                           else self.shown(found))
                outcomes[kind, self.shown(value)][outcome].append(declared or "no type")
                if number in rows and (found is None or not self.is_same(kind, value, column_class, found)):
                    silent.append("%s %s into %s: %s" % (kind, self.shown(value), declared, outcome))
        self.assertEqual(silent, [])
        self.compare(name, outcomes)
        self.validate_copy("--level", "full")

    def assert_foreseen(self, checked, reasons, content, columns):
        """`check` tells of as many rejects as there were, of each column."""
        self.assertEqual(checked["rejects_foreseen"] > 0, len(reasons) > 0)
        foreseen = collections.Counter()
        for line in checked["notes"] + checked["problems"]:
            found = re.match(r"(\w+): (all|\d+) of the first (\d+) records would be rejected: (c\d+): ", line)
            if found:
                foreseen[found.group(1), columns[found.group(4)][0]] += int(found.group(3) if found.group(2) == "all"
                                                                            else found.group(2))
        happened = collections.Counter((kind, columns[content[kind, number][0]][0]) for kind, number in reasons)
        self.assertEqual({key: (foreseen[key], happened[key]) for key in foreseen | happened
                          if foreseen[key] != happened[key]}, {})

    @staticmethod
    def shown(value):
        return json.dumps(value, default=str, ensure_ascii=True) if not isinstance(value, tuple) else "%s %s" % value

    def is_same(self, kind, value, column_class, found):
        if column_class == "bits":
            return found == value or kinds.worth(kind, value) == int(found, 2)
        if column_class == "counted bits":   # of a text they are its digits, whatever number these are
            return int(found) == int(value, 2) if kind == "text" and re.fullmatch("[01]+",
                value) else kinds.is_same(kind, value, "number", found)
        if column_class == "address":
            return found.partition("/")[0] == value or kind == "bytes" and found.partition("/")[
                0] == kinds.text_of_bytes(value)
        if column_class == "list of texts":   # of lists in it their JSON
            if isinstance(value, list) and any(isinstance(one, list) for one in value):
                return [kinds.json_of(one) for one in kinds.array(found)[1:]] == list(map(kinds.as_json, value))
            column_class = "array of texts"
        return kinds.is_same(kind, value, column_class, found)

    def compare(self, name, outcomes):
        path = os.path.join(TESTS, "data", "kinds", name + ".txt")
        lines = []
        for (kind, value), found in outcomes.items():
            lines += ["%s %s" % (kind, value), *("    %s <- %s" % (outcome, ", ".join(types))
                                                 for outcome, types in found.items())]
        if os.environ.get("TRANSHUME_WRITE_KINDS"):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
        with open(path, encoding="utf-8") as file:
            self.assertEqual(lines, file.read().split("\n")[:-1])

    # --- plans

    def plan(self, source, target, columns, refused):
        """All columns are cast to their types."""
        lines = ["transhume: 1", "source: " + source, "target: " + target, "tables:"]
        for kind in kinds.KINDS:
            fields = ["id: { column: id }"] + ['%s: { column: %s, cast: "%s" }' % (column, column, declared)
                                               for column, (declared, _) in columns.items()
                                               if (kind, column) not in refused]
            lines.append("  %s: { key: [id], from: %s, fields: { %s } }" % (kind, kind, ", ".join(fields)))
        return self.write("plan.yaml", "\n".join(lines) + "\n")

    def refused_casts(self, source, target, columns):
        """{(kind, column): why}; of what no value of the kind can become the plan is refused, all of it at once."""
        result = support.transhume("check", "--plan", self.plan(source, target, columns, {}), cwd=self.folder)
        self.assert_code(result, 2)
        plan = self.read_lines("plan.yaml")
        found = {}
        for line, place in re.findall(r"plan\.yaml:(\d+):(\d+)", result.err + result.out):
            text = plan[int(line) - 1]
            found[text.split(":")[0].strip(), re.findall(r"(c\d+): ", text[:int(place)])[-1]] = True
        return found

    def read_lines(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read().split("\n")

    # --- targets

    def test_postgres(self):
        server = postgres.for_class(type(self))
        name = server.database()

        def target(columns):
            server.ask(name, "CREATE TYPE mood AS ENUM ('sad', 'plain');" + ";".join(
                "CREATE TABLE \"%s\" (id int PRIMARY KEY, %s)" % (kind,
                                                                  ", ".join("%s %s" % (column, declared)
                                                                            for column, (declared,
                                                                                _) in columns.items()))
                for kind in kinds.KINDS))
            return server.uri(name)

        def read(kind, columns):
            selected = ", ".join("encode(%s, 'hex')" % column if of == "bytes"
                                 else "encode(convert_to(%s::text, 'UTF8'), 'hex')" % column
                                 for column, (_, of) in columns.items())
            return self.of_hex(server.ask(name,
                                          "SET timezone = 'UTC'; SET intervalstyle = 'iso_8601'; SELECT id, "
                                          "%s FROM \"%s\"" % (selected, kind)), columns)
        self.into("postgres", target, POSTGRES, read)

    def test_mysql(self):
        server = mariadb.for_class(type(self))
        name = server.database()

        def target(columns):
            server.ask(name, ";".join("CREATE TABLE `%s` (id int PRIMARY KEY, %s)" % (
                kind, ", ".join("%s %s NULL" % (column, declared) for column, (declared, _) in columns.items()))
                                      for kind in kinds.KINDS))
            return server.uri(name)

        def read(kind, columns):
            forms = {"bytes": "HEX(%s)", "single": "HEX(CONVERT(CAST(%s AS DOUBLE) USING utf8mb4))",
                     "bit(8)": "HEX(CONVERT(%s + 0 USING utf8mb4))"}
            selected = ", ".join(forms.get(declared, forms.get(of, "HEX(CONVERT(%s USING utf8mb4))")) % column
                                 for column, (declared, of) in columns.items())
            return self.of_hex(server.ask(name, "SELECT id, %s FROM `%s`" % (selected, kind)), columns)
        self.into("mysql", target, MYSQL, read)

    @staticmethod
    def of_hex(rows, columns):
        return {int(row[0]): {column: None if text is None else text.lower() if of == "bytes"
                              else bytes.fromhex(text).decode()
                              for (column, (_, of)), text in zip(columns.items(), row[1:])} for row in rows}

    def test_cassandra(self):
        server = cassandra_server.shared_for_class(type(self))
        name = server.database()

        def target(columns):
            for kind in kinds.KINDS:
                server.ask(name, 'CREATE TABLE "%s" (id int PRIMARY KEY, %s)' % (kind,
                    ", ".join("%s %s" % (column, declared) for column, (declared, _) in columns.items())))
            return server.uri(name)

        def read(kind, columns):
            return {row[0]: {column: cassandra.text_of(value) for column, value in zip(columns, row[1:])}
                    for row in server.ask(name, 'SELECT id, %s FROM "%s"' % (", ".join(columns), kind))}
        self.into("cassandra", target, CASSANDRA, read, existing="upsert")   # to append, it asks for each key first

    def test_sqlite(self):
        path = self.path("target.db")

        def target(columns):
            with contextlib.closing(sqlite3.connect(path)) as db, db:
                for kind in kinds.KINDS:
                    db.execute("CREATE TABLE \"%s\" (id INTEGER PRIMARY KEY, %s)" % (kind,
                        ", ".join("%s %s" % (column, declared) for column, (declared, _) in columns.items())))
            return "sqlite:" + path

        def read(kind, columns):
            with contextlib.closing(sqlite3.connect(path)) as db:
                rows = db.execute("SELECT * FROM \"%s\"" % kind).fetchall()
            return {row[0]: dict(zip(columns, map(self.of_sqlite, row[1:]))) for row in rows}
        self.into("sqlite", target, SQLITE, read)

    def test_csv(self):
        def read(kind, columns):
            found = {}
            for text in records.texts(self.path("target", kind)):
                rows = list(csv_files.records_in(text))
                names = [name for _, name in rows[0]]
                for row in rows[1:]:
                    values = {name: self.of_csv(columns.get(name, ("", ""))[1], field)
                              for name, field in zip(names, row)}
                    found[int(values.pop("id"))] = values
            return found
        self.into("csv", lambda columns: "csv:" + self.path("target"), FILES, read, planned=True)

    @staticmethod
    def of_csv(column_class, field):
        quoted, text = field
        return None if not quoted and text == "" else text[2:] if column_class == "bytes" else text

    def test_jsonl(self):
        def read(kind, columns):
            found = {}
            for text in records.texts(self.path("target", kind)):
                for line in text.split("\n")[:-1]:
                    record = json.loads(line, parse_float=kinds.decimal.Decimal)
                    number = record.pop("id")
                    found[number] = {name: self.of_json(columns[name][1], value) for name, value in record.items()}
            return found
        self.into("jsonl", lambda columns: "jsonl:" + self.path("target"), FILES, read, planned=True)

    def of_json(self, column_class, value):
        if isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith("$"):
            (_, value), = value.items()
        if value is None or column_class == "json":
            return value if value is None else self.line(value)
        return base64.b64decode(value).hex() if column_class == "bytes" else value if isinstance(value,
            str) else self.line(value)

    @staticmethod
    def of_sqlite(value):
        if isinstance(value, float) and abs(value) < 2 ** 64 and value.is_integer():
            value = int(value)
        return value if value is None else ("text", value) if isinstance(value, str) else ("bytes",
            value.hex()) if isinstance(value, bytes) else ("number", repr(value))


if __name__ == "__main__":
    unittest.main()
