"""The edge values of every type, one by one, between SQL databases and between these and files,
DynamoDB and Cassandra; in a soak between all pairs.

Each source has a table a type, each value a row of its own. What a target has to hold is told here, by rules about what
its types
can hold and not by the program: a value arrives as it was, or its record is a reject of its key. What arrived is read
by sqlite3,
psql, mariadb, boto3 and Cassandra's driver, and from the files by what is here.
"""
import base64
import collections
import decimal
import json
import os
import random
import re
import sqlite3
import struct
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "servers"), os.path.join(TESTS, "faults")]
import cassandra_server
import items
import mariadb
import postgres
from engines import cassandra
from engines import csv as csv_files
from engines import records
import servers
import support

SQL = ("sqlite", "postgres", "mysql")
OTHERS = ("csv", "jsonl", "dynamodb-json", "dynamodb", "cassandra")
PAIRS = [(source, target) for source in SQL + OTHERS for target in SQL + OTHERS if source in SQL or target in SQL]
CONTEXT = decimal.Context(prec=200, Emin=-5000, Emax=5000)
REJECTED = "rejected"

# --- the values. kind: what it is called here: {source: its declaration}, then the values; of files: the cast that a
# plan makes.
TYPES = {
    "whole": {"sqlite": "BIGINT", "postgres": "bigint", "mysql": "bigint", "cassandra": "bigint", "csv": "",
              "jsonl": "int64", "dynamodb-json": "int64"},
    "large": {"postgres": "numeric(20)", "mysql": "bigint unsigned", "cassandra": "varint", "csv": "",
              "jsonl": "uint64", "dynamodb-json": "uint64"},
    "double": {"sqlite": "DOUBLE", "postgres": "double precision", "mysql": "double", "cassandra": "double", "csv": "",
               "jsonl": "float64", "dynamodb-json": "float64"},
    "single": {"postgres": "real", "mysql": "float", "cassandra": "float"},
    "exact": {"postgres": "numeric(38,10)", "mysql": "decimal(38,10)", "cassandra": "decimal", "csv": "",
              "jsonl": "decimal(38,10)", "dynamodb-json": "decimal(38,10)"},
    "number": {"postgres": "numeric", "cassandra": "decimal"},
    "truth": {"sqlite": "BOOLEAN", "postgres": "boolean", "cassandra": "boolean", "jsonl": "bool",
              "dynamodb-json": "bool"},
    "text": {"sqlite": "TEXT", "postgres": "text", "mysql": "longtext", "cassandra": "text", "csv": "", "jsonl": "text",
             "dynamodb-json": "text"},
    "bytes": {"sqlite": "BLOB", "postgres": "bytea", "mysql": "longblob", "cassandra": "blob",
              "dynamodb-json": "bytes"},
    "date": {"postgres": "date", "mysql": "date", "cassandra": "date", "csv": "", "jsonl": "date",
             "dynamodb-json": "date"},
    "moment": {"postgres": "timestamp", "mysql": "datetime(6)", "csv": "", "jsonl": "timestamp",
               "dynamodb-json": "timestamp"},
    "instant": {"postgres": "timestamptz", "mysql": "timestamp(6) NULL", "cassandra": "timestamp"},
    "clock": {"postgres": "time", "mysql": "time(6)", "cassandra": "time", "jsonl": "time", "dynamodb-json": "time"},
    "interval": {"postgres": "interval", "cassandra": "duration"},
    "uuid": {"postgres": "uuid", "mysql": "uuid", "cassandra": "uuid", "jsonl": "uuid", "dynamodb-json": "uuid"},
    "json": {"postgres": "json", "mysql": "json", "jsonl": "json", "dynamodb-json": "json"},
    "label": {"postgres": "mood", "mysql": "enum('sad','so ''so''','\U0001F411') CHARACTER SET utf8mb4"},
    "list": {"postgres": "int[]", "cassandra": "frozen<list<int>>"},
}
VALUES = {
    "whole": ["-9223372036854775808", "9223372036854775807", "-1", "0", "9007199254740993", None],
    "large": ["9223372036854775808", "18446744073709551615", "9223372036854775807", "0", None],
    "double": ["5e-324", "1.7976931348623157e308", "0.1", "-0.0", "NaN", "Infinity", "-Infinity",
               "2.2250738585072014e-308", "1e22", None],
    "single": ["1.1754944e-38", "3.4028235e+38", "0.1", "-0.0", "NaN", "Infinity", None],
    "exact": ["9999999999999999999999999999.9999999999", "-9999999999999999999999999999.9999999999", "0.1000000000",
              "0.0000000001", "0.0000000000",
              "123456789012345678.1000000000", None],
    "number": ["NaN", "Infinity", "-Infinity", "0.10", "0.00000000000000000001", "9" * 60 + "." + "9" * 60,
               "1" + "0" * 125, "1" + "0" * 126,
               "0." + "0" * 129 + "1", "0." + "0" * 130 + "1", None],
    "truth": ["true", "false", None],
    "text": ["", " x ", "\U0001F411", "a\0b", "quote ' \" ` \\ \\N", "NULL", "tab\tnl\ncr\r,;", "007", "\u00e9e\u0301",
             "null", "\ufeffx", None],
    "bytes": [b"", b"\0\xff", b"\xc3\x28", b"\\x00", bytes(range(256)), None],
    "date": ["0001-01-01", "9999-12-31", "2024-02-29", "+10000-01-01", "-0043-03-15", "+5874897-12-31", "-4713-11-24",
             "infinity", "-infinity", "0000-00-00", None],
    "moment": ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "2024-03-31T02:30:00", "2024-10-27T02:30:00.5",
               "+294276-12-31T23:59:59.999999",
               "-4712-01-01T00:00:00", "infinity", "-infinity", "0000-00-00", "1970-01-01T00:00:00", None],
    "instant": ["2024-03-31T01:00:00Z", "2024-10-27T00:30:00.000001Z", "1970-01-01T00:00:01Z", "2038-01-19T03:14:07Z",
                "0001-01-01T00:00:00Z",
                "9999-12-31T23:59:59.999999Z", "+294276-12-31T23:59:59Z", "-4712-01-01T00:00:00Z", "infinity",
                "-infinity", "0000-00-00", None],
    "clock": ["00:00:00", "23:59:59.999999", "24:00:00", "PT-838H-59M-59S", "PT838H59M59S", None],
    "interval": ["P1Y2M3DT4H5M6.000007S", "P-1M2DT-0.5S", "PT0S", "P178000000Y", None],
    "uuid": ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-4fff-bfff-ffffffffffff", None],
    "json": ['{"a":1,"b":[1,2.50,null,{"c":"\U0001F411"}]}', "[]", "{}", '"text"', "1e2", "18446744073709551616",
             "true", None],
    "label": ["sad", "so 'so'", "\U0001F411", None],
    "list": ["{1,NULL,3}", "{1,2}", "{}", "{{1,2},{3,4}}", None],
}
for declarations in TYPES.values():   # over the network as in its files
    if "dynamodb-json" in declarations:
        declarations["dynamodb"] = declarations["dynamodb-json"]
NO_SPECIAL = {"NaN", "Infinity", "-Infinity"}
NO_FAR_TIME = {"+10000-01-01", "-0043-03-15", "+5874897-12-31", "-4713-11-24", "infinity", "-infinity",
               "+294276-12-31T23:59:59.999999",
               "-4712-01-01T00:00:00", "+294276-12-31T23:59:59Z", "-4712-01-01T00:00:00Z"}
NO_LENGTH = {"PT-838H-59M-59S", "PT838H59M59S"}
# Beyond the µs since 1970 that 64 bits count: only PostgreSQL holds them.
BEYOND = {"+294276-12-31T23:59:59.999999", "+294276-12-31T23:59:59Z"}
# What no column of that kind in the source holds.
ABSENT = {
    ("sqlite", "double"): {"NaN", "-0.0"},
    ("postgres", "text"): {"a\0b"}, ("postgres", "date"): {"0000-00-00"}, ("postgres", "moment"): {"0000-00-00"},
    ("postgres", "instant"): {"0000-00-00"},
    ("postgres", "clock"): NO_LENGTH,
    ("mysql", "double"): NO_SPECIAL | {"-0.0"}, ("mysql", "single"): NO_SPECIAL | {"-0.0"},
    ("mysql", "date"): NO_FAR_TIME, ("mysql", "moment"): NO_FAR_TIME,
    ("mysql", "instant"): NO_FAR_TIME | {"0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"},
    ("cassandra", "number"): NO_SPECIAL, ("cassandra", "date"): {"infinity", "-infinity", "0000-00-00"},
    ("cassandra", "clock"): NO_LENGTH | {"24:00:00"},
    ("cassandra", "instant"): {"infinity", "-infinity", "0000-00-00", "2024-10-27T00:30:00.000001Z",
                               "9999-12-31T23:59:59.999999Z"},
    ("cassandra", "interval"): {"P-1M2DT-0.5S"}, ("cassandra", "list"): {"{1,NULL,3}", "{{1,2},{3,4}}"},
    ("csv", "date"): NO_FAR_TIME | {"0000-00-00"}, ("csv", "moment"): NO_FAR_TIME | {"0000-00-00"},
    ("csv", "text"): {"a\0b"},
    ("jsonl", "clock"): NO_LENGTH, ("dynamodb-json", "clock"): NO_LENGTH, ("jsonl", "double"): NO_SPECIAL,
    ("dynamodb-json", "double"): NO_SPECIAL | {"5e-324", "1.7976931348623157e308", "2.2250738585072014e-308", "-0.0"},
}
ABSENT.update({("dynamodb", word): values for (kind, word), values in ABSENT.items() if kind == "dynamodb-json"})


def number(text):
    """One form of each number, -0 apart from 0."""
    text = str(text)
    special = {"nan": "NaN", "inf": "Infinity", "infinity": "Infinity", "-inf": "-Infinity",
               "-infinity": "-Infinity"}.get(text.lower())
    if special:
        return special
    value = CONTEXT.create_decimal(text)
    return ("-0" if value.is_signed() else "0") if not value else str(CONTEXT.normalize(value))


def single(text):
    value = struct.unpack("f", struct.pack("f", float(text)))[0]
    return number(repr(value))


def as_float(text):
    """The shortest digits of the float next to it."""
    return number(repr(float(text)))


def year_of(value):
    found = re.match(r"([+-]?\d+)-\d\d-\d\d", value)
    return int(found.group(1)) if found else None


# --- what each target holds of it

def length(clock):
    """Of a clock's time the length of time since midnight."""
    if clock.startswith("PT"):
        return clock
    hours, minutes, seconds = clock.split(":")
    parts = [(hours.lstrip("0"), "H"), (minutes.lstrip("0"), "M"), (seconds.lstrip("0"), "S")]
    return "PT" + ("".join(number + letter for number, letter in parts if number) or "0S")


def in_postgres(source, kind, value):
    if source == "mysql" and kind == "clock":
        return length(value)   # of a column with times beyond a day
    if value == "0000-00-00":
        return None if source == "mysql" else REJECTED
    if kind == "text" and "\0" in value or kind == "clock" and value in NO_LENGTH:
        return REJECTED
    return value


def in_mysql(source, kind, value):
    # SHOW CREATE TABLE has another letter in its place
    if source == "mysql" and kind == "label" and max(value) > "\uffff":
        return REJECTED
    if kind in ("double", "single", "number") and value in NO_SPECIAL:
        return REJECTED
    if kind == "number" and (CONTEXT.create_decimal(value).adjusted() >= 35
                             or CONTEXT.create_decimal(value).as_tuple().exponent < -30):
        return REJECTED
    if kind in ("date", "moment", "instant") and value != "0000-00-00" and (year_of(value) is None
                                                                            or not 0 <= year_of(value) <= 9999):
        return REJECTED
    return "0" if kind in ("double", "single") and value == "-0.0" else value


def in_sqlite(source, kind, value):
    if kind == "clock" and value in NO_LENGTH:
        return value.replace("PT", "").replace("H-", ":").replace("H", ":").replace("M-", ":").replace("M",
            ":").replace("S", "")
    if kind in ("large", "exact", "number") and source in SQL + ("csv",):
        return value   # in a column of texts, as some value of the column needs
    if value == "NaN" and kind in ("double", "single", "number"):
        return REJECTED
    if kind == "large" and int(value) > 2 ** 63 - 1:
        return REJECTED
    if kind in ("exact", "number") and value not in NO_SPECIAL:
        exact = CONTEXT.create_decimal(value)
        whole = exact == exact.to_integral_value() and abs(exact) < 2 ** 63
        if not whole and number(value) != as_float(value):
            return REJECTED
    return "0" if kind in ("double", "single") and value == "-0.0" else value


def in_dynamodb(source, kind, value):
    if kind not in ("whole", "large", "double", "single", "exact", "number"):
        return value
    if value in NO_SPECIAL:
        return REJECTED
    digits = CONTEXT.normalize(CONTEXT.create_decimal(value))
    if digits and (len(digits.as_tuple().digits) > 38 or not -130 <= digits.adjusted() <= 125):
        return REJECTED
    return "0" if not digits else value


def in_cassandra(source, kind, value):
    if source == "mysql" and kind == "clock":
        return length(value)   # of a column with times beyond a day
    if kind == "list":   # of elements that are not null; an empty one is null
        return None if value == "{}" else value if value == "{1,2}" else REJECTED
    if source == "mysql" and value == "0000-00-00":
        return None
    finer = kind in ("moment", "instant") and re.search(r"\.\d{4,}", value)   # than milliseconds
    unknown = kind in ("date", "moment", "instant") and value in ("infinity", "-infinity",
                                                                  "0000-00-00") or kind == "clock" and (
                                                                      value in NO_LENGTH or value == "24:00:00")
    mixed = kind == "interval" and "-" in value
    return REJECTED if finer or unknown or mixed or kind == "number" and value in NO_SPECIAL else value


HOLDS = {"cassandra": in_cassandra, "sqlite": in_sqlite, "postgres": in_postgres, "mysql": in_mysql,
         "dynamodb-json": in_dynamodb, "dynamodb": in_dynamodb,
         "csv": lambda source, kind, value: value, "jsonl": lambda source, kind, value: value}


def elements(value):
    """A list as JSON, whatever its form."""
    if isinstance(value, str):
        return value.replace("{", "[").replace("}", "]").replace("NULL", "null").replace(" ", "")
    if isinstance(value, dict):
        (kind, inner), = value.items()
        return "null" if kind == "NULL" else elements(inner) if kind == "L" else str(inner)
    return "null" if value is None else "[%s]" % ",".join(elements(element) for element in value) if isinstance(value,
        list) else str(value)


def canonical(kind, value):
    """Of a value of VALUES, or what was read, in words that are no database's."""
    if kind == "list":
        return elements(value)
    if kind in ("whole", "large", "double", "exact", "number"):
        return number(value)
    if kind == "single":
        return value if value in NO_SPECIAL else single(value)
    if kind == "json":
        return json.dumps(json.loads(value, parse_float=number, parse_int=number), sort_keys=True, ensure_ascii=False)
    return value


def attribute(value):
    """A value of JSON as DynamoDB has it."""
    if isinstance(value, (dict, list)):
        return {"M": {name: attribute(one) for name, one in value.items()}} if isinstance(value,
            dict) else {"L": list(map(attribute, value))}
    letters = {type(None): "NULL", bool: "BOOL", str: "S", decimal.Decimal: "N"}
    return {letters[type(value)]: True if value is None else str(value) if isinstance(value, decimal.Decimal)
            else value}


# --- times as servers write them

def iso(text):
    """'0044-03-15 12:00:00.500000+00 BC' -> '-0043-03-15T12:00:00.5Z'"""
    found = re.fullmatch(r"(\d+)-(\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d)(\.\d+)?(\+00)?)?( BC)?", text)
    if not found:
        return text
    year, day, clock, fraction, zone, before = found.groups()
    number_of_year = 1 - int(year) if before else int(year)
    day = "%s-%s" % ("%04d" % number_of_year if 0 <= number_of_year <= 9999 else "%+05d" % number_of_year, day)
    if day == "0000-00-00":
        return day
    return day + ("T" + clock + (fraction or "").rstrip("0").rstrip(".") if clock else "") + ("Z" if zone else "")


def clock(text):
    """'838:59:59' of a time that is a length is an interval."""
    found = re.fullmatch(r"(-?)(\d+):(\d\d):(\d\d)(\.\d+)?", text)
    if not found or not found.group(1) and int(found.group(2)) < 25:
        return (text.rstrip("0").rstrip(".") if "." in text else text)
    return "PT%s%dH%s%dM%s%dS" % tuple(part for number in found.group(2, 3, 4)
                                       for part in (found.group(1), int(number)))


class EdgeValues(support.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.servers = {"postgres": postgres.for_class(cls), "mysql": mariadb.for_class(cls)}
        cls.made = {}
        cls.dynamodb = cls.cassandra = None

    def emulator(self):
        """Of DynamoDB, without tables."""
        if self.dynamodb is None:
            type(self).dynamodb = servers.for_class(type(self), "dynalite")
        client = items.client_of(self.dynamodb)
        items.empty(client)
        return client

    def dynamodb_uri(self):
        return "dynamodb://us-east-1?endpoint=" + self.dynamodb.endpoint

    # --- sources

    def source(self, kind):
        """Its URI, made when it is first wanted, and {type: {id: value}}."""
        content = {}
        for word, declared in TYPES.items():
            if kind in declared:
                rows = [value for value in VALUES[word] if value is None or value not in ABSENT.get((kind, word), ())]
                content[word] = dict(enumerate(rows, 1))
        if kind == "sqlite":
            return self.write_sqlite(content), content
        if kind in self.servers:
            if kind not in self.made:
                self.made[kind] = self.write_server(kind, content)
            return self.made[kind], content
        if kind == "dynamodb":
            return self.write_items(content), content
        if kind == "cassandra":
            return self.write_keyspace(content), content
        return self.write_files(kind, content), content

    def write_sqlite(self, content):
        path = self.path("source.db")
        db = sqlite3.connect(path)
        for word, rows in content.items():
            db.execute('CREATE TABLE "%s" (id INTEGER PRIMARY KEY, v %s)' % (word, TYPES[word]["sqlite"]))
            take = {"whole": int, "double": float, "truth": lambda value: int(value == "true")}.get(word,
                lambda value: value)
            db.executemany('INSERT INTO "%s" VALUES (?, ?)' % word,
                           [(number, value if value is None else take(value)) for number, value in rows.items()])
        db.commit()
        db.close()
        return "sqlite:" + path

    def literal(self, kind, word, value):
        if value is None:
            return "NULL"
        if word == "bytes":
            return "'\\x%s'" % value.hex() if kind == "postgres" else "x'%s'" % value.hex()
        if kind == "mysql" and word in ("text", "label", "json"):
            return "CONVERT(x'%s' USING utf8mb4)" % value.encode().hex()
        if kind == "postgres" and word == "text":
            return "convert_from('\\x%s', 'UTF8')" % value.encode().hex()
        if kind == "mysql" and word == "double":
            return "'%s'" % value
        if kind == "mysql" and word in ("date", "moment", "instant"):
            return "'%s'" % value.replace("T", " ").rstrip("Z")
        if word in ("date", "moment", "instant"):
            year = year_of(value)
            if year is not None:
                rest = value[value.index("-", 1):]
                value = "%04d%s%s" % (year if year > 0 else 1 - year, rest, " BC" if year <= 0 else "")
        if kind == "mysql" and word == "clock" and "PT" in value:
            value = re.sub(r"PT(-?\d+)H-?(\d+)M-?(\d+)S", r"\1:\2:\3", value)
        return "'%s'" % value.replace("'", "''")

    def write_server(self, kind, content):
        name = self.servers[kind].database()
        script = ["CREATE TYPE mood AS ENUM ('sad', 'so ''so''', '\U0001F411')"] if kind == "postgres" else []
        script += ["SET timezone = 'UTC'" if kind == "postgres" else "SET time_zone = '+00:00'"]
        quote = '"%s"' if kind == "postgres" else "`%s`"
        for word, rows in content.items():
            script.append("CREATE TABLE %s (id int PRIMARY KEY, v %s)" % (quote % word, TYPES[word][kind]))
            script += ["INSERT INTO %s VALUES (%d, %s)" % (quote % word, number, self.literal(kind, word, value))
                       for number, value in rows.items()]
        self.servers[kind].ask(name, ";\n".join(script))
        return self.servers[kind].uri(name)

    def write_items(self, content):
        client = self.emulator()
        for word, rows in content.items():
            items.create(client, word, (("id", "N"),))
            items.put(client, word, [{"id": {"N": str(number)}, "v": self.typed(word, value)}
                                     for number, value in rows.items()])
        return self.dynamodb_uri()

    def keyspace(self):
        """A new one."""
        if self.cassandra is None:
            type(self).cassandra = cassandra_server.shared_for_class(type(self))
        return self.cassandra.database()

    def write_keyspace(self, content):
        name = self.keyspace()
        for word, rows in content.items():
            self.cassandra.ask(name, 'CREATE TABLE "%s" (id int PRIMARY KEY, v %s)' % (word, TYPES[word]["cassandra"]))
            for number_of_row, value in rows.items():
                self.cassandra.ask(name, 'INSERT INTO "%s" (id, v) VALUES (%d, %s)' % (word, number_of_row,
                    self.cql(word, value)))
        return self.cassandra.uri(name)

    @staticmethod
    def cql(word, value):
        """A literal. Of days and moments that have no text there, their number."""
        if value is None or word in ("whole", "large", "exact", "number", "double", "single", "truth", "uuid"):
            return "null" if value is None else value
        if word == "bytes":
            return "0x" + value.hex()
        if word in ("date", "instant"):
            days = cassandra.day_number(*map(int, re.match(r"([+-]?\d+)-(\d\d)-(\d\d)", value).groups()))
            hours, minutes, seconds = map(int, re.search(r"T(\d\d):(\d\d):(\d\d)Z",
                                                         value).groups()) if word == "instant" else (0, 0, 0)
            return str(days + 2 ** 31 if word == "date" else ((days * 24 + hours) * 60 + minutes) * 60000 + seconds
                       * 1000)
        if word == "interval":
            return {"P1Y2M3DT4H5M6.000007S": "1y2mo3d4h5m6s7us", "PT0S": "0s", "P178000000Y": "178000000y"}[value]
        return value.replace("{", "[").replace("}", "]") if word == "list" else "'%s'" % value.replace("'", "''")

    def write_files(self, kind, content):
        folder = self.path("source-" + kind)
        for word, rows in content.items():
            os.makedirs(os.path.join(folder, word))
            lines = [getattr(self, kind.partition("-")[0] + "_line")(word, number, value)
                     for number, value in rows.items()]
            name = {"csv": "part-1.csv", "jsonl": "part-1.jsonl", "dynamodb-json": "data-1.json"}[kind]
            with open(os.path.join(folder, word, name), "w", encoding="utf-8", newline="") as file:
                file.write(("id,v\n" if kind == "csv" else "") + "\n".join(lines) + "\n")
        return "%s:%s" % (kind, folder)

    @staticmethod
    def csv_line(word, number, value):
        if value is None:
            return "%d," % number
        return '%d,"%s"' % (number, value.replace('"', '""')) if word == "text" else "%d,%s" % (number, value)

    @staticmethod
    def jsonl_line(word, number, value):
        plain = word in ("whole", "large", "double", "exact", "truth", "json")
        return '{"id":%d,"v":%s}' % (number, "null" if value is None else value if plain else json.dumps(value))

    @staticmethod
    def typed(word, value):
        """As boto3 has it."""
        if value is None:
            return {"NULL": True}
        if word in ("whole", "large", "double", "exact"):
            return {"N": value}
        if word == "truth":
            return {"BOOL": value == "true"}
        if word == "json":
            return attribute(json.loads(value, parse_int=decimal.Decimal, parse_float=decimal.Decimal))
        return {"B" if word == "bytes" else "S": value}

    def dynamodb_line(self, word, number, value):
        return json.dumps({"Item": {"id": {"N": str(number)}, "v": items.attribute(self.typed(word, value))
                                    if word == "bytes" else self.typed(word, value)}})

    def plan(self, kind, content):
        """For documents, whose fields have no types."""
        tables = ['  %s: { key: [id], from: %s, fields: { id: { column: id, cast: int64 }, v: { column: v, '
                  'cast: "%s"%s } } }'
                  % (word, word, TYPES[word][kind], ", lossy: allow" if word in ("double", "exact") else "")
                  for word in content]
        return "--plan", self.write("plan.yaml", "transhume: 1\nsource: none\ntarget: none\ntables:\n%s\n"
                                    % "\n".join(tables))

    # --- targets: {id: the value, or None}

    def place(self, kind):
        if kind in self.servers:
            name = self.servers[kind].database()
            return self.servers[kind].uri(name), name
        if kind == "dynamodb":
            client = self.emulator()
            return self.dynamodb_uri(), client
        if kind == "cassandra":
            name = self.keyspace()
            return self.cassandra.uri(name), name
        name = self.path("target-" + kind)
        return "%s:%s" % (kind, name), name

    def read(self, kind, place, word):
        return {int(number): value for number, value in getattr(self, "read_" + kind.partition("-")[0])(place, word)}

    def read_sqlite(self, path, word):
        db = sqlite3.connect(path)
        db.text_factory = bytes
        stored_as = {"number": (int, float), "text": (bytes,)}
        for number_of_row, type_name, value in db.execute('SELECT id, typeof(v), v FROM "%s"' % word):
            if value is None:
                yield number_of_row, None
            elif word == "bytes":
                self.assertEqual(type_name, b"blob")
                yield number_of_row, value
            elif word == "truth":
                yield number_of_row, {0: "false", 1: "true"}[value]
            elif isinstance(value, stored_as["text"]):
                yield number_of_row, value.decode()
            else:
                yield number_of_row, repr(value)
        db.close()

    def read_postgres(self, name, word):
        value = "encode(v, 'hex')" if word == "bytes" else "encode(convert_to(v::text, 'UTF8'), 'hex')"
        for number_of_row, text in self.servers["postgres"].ask(name,
                                                                "SET timezone = 'UTC'; SET intervalstyle = 'iso_8601'; "
                                                                "SELECT id, %s FROM \"%s\"" % (value, word)):
            yield number_of_row, None if text is None else self.of_server(word, bytes.fromhex(text))

    def read_mysql(self, name, word):
        value = {"bytes": "v", "single": "CONVERT(CAST(v AS DOUBLE) USING utf8mb4)"}.get(word,
            "CONVERT(v USING utf8mb4)")
        for number_of_row, text in self.servers["mysql"].ask(name, "SELECT id, HEX(%s) FROM `%s`" % (value, word)):
            value = None if text is None else self.of_server(word, bytes.fromhex(text))
            if word == "truth" and value is not None:
                value = {"0": "false", "1": "true"}[value]
            yield (number_of_row, value + "Z" if word == "instant" and value and value != "0000-00-00"
                   and not value.endswith("Z") else value)

    @staticmethod
    def of_server(word, data):
        if word == "bytes":
            return data
        text = data.decode()
        return iso(text) if word in ("date", "moment", "instant") else clock(text) if word == "clock" else text

    def read_cassandra(self, name, word):
        column = "toUnixTimestamp(v)" if word in ("moment", "instant") else "v"   # Python has no room for all of them
        for number_of_row, value in self.cassandra.ask(name, 'SELECT id, %s FROM "%s"' % (column, word)):
            text = value if value is None or word == "bytes" else cassandra.moment_text(
                value) if column != "v" else cassandra.text_of(value)
            yield number_of_row, text if text is None or word not in ("moment", "instant", "clock",
                                                                      "list") else self.of_cassandra(word, text)

    @staticmethod
    def of_cassandra(word, text):
        if word == "list":
            return text.replace('"', "")
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return text + "Z" if word == "instant" else text

    def read_csv(self, folder, word):
        for line in records.texts(os.path.join(folder, word)):
            for (_, number_of_row), (quoted, text) in list(csv_files.records_in(line))[1:]:
                null = text == "" and not quoted
                yield number_of_row, None if null else bytes.fromhex(text[2:]) if word == "bytes" else text

    def read_jsonl(self, folder, word):
        for text in records.texts(os.path.join(folder, word)):
            for line in text.split("\n")[:-1]:
                record = json.loads(line, parse_float=str, parse_int=str)
                yield record["id"], self.of_json(word, line, record["v"])

    def of_json(self, word, line, value):
        if word == "json" and value is not None:
            value = json.loads(line.partition(",")[2].partition(":")[2][:-1], parse_float=decimal.Decimal,
                               parse_int=decimal.Decimal)
            if isinstance(value, dict) and set(value) == {"$json"}:
                return value["$json"]
            return line.partition(",")[2].partition(":")[2][:-1]
        if isinstance(value, dict) and len(value) == 1:
            (_, value), = value.items()
        if isinstance(value, bool):
            return "true" if value else "false"
        return base64.b64decode(value) if word == "bytes" and value is not None else value

    def read_dynamodb(self, place, word):
        """Of a folder, or by a client."""
        for item in support.read_dynamodb_json(place)[word] if isinstance(place, str) else items.scan(place, word):
            (letter, value), = item.get("v", {"NULL": True}).items()
            yield item["id"]["N"], {"NULL": lambda: None, "B": lambda: value if isinstance(value, bytes)
                                    else base64.b64decode(value), "BOOL": lambda: "true" if value else "false"}.get(
                                        letter, lambda: value)()

    # --- a pair

    def rejects(self):
        """{(type, id)}"""
        found = set()
        folder = self.path(".transhume", "rejects")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            for line in support.read_lines(os.path.join(folder, name)):
                reject = json.loads(line)
                self.assertGreater(len(reject["reason"]), 10)
                found.add((reject["entity"], int(reject["record"]["id"])))
        return found

    def pair(self, source, target):
        first, content = self.source(source)
        second, place = self.place(target)
        plan = self.plan(source, content) if source in ("jsonl", "dynamodb-json", "dynamodb") else ()
        expected = {(word, number_of_row): None if value is None else REJECTED if value in BEYOND
                    and not source == target == "postgres" else HOLDS[target](source, word, value)
                    for word, rows in content.items() for number_of_row, value in rows.items()}
        rejected = {key for key, value in expected.items() if value == REJECTED}
        environment = servers.aws_environment(self.folder)
        result = support.transhume("migrate", *plan, first, second, "--progress", "none", cwd=self.folder,
                                   env=environment)
        self.assertIn(result.code, (0, 1), result.err)
        found = {(word, number_of_row): value if value is None else canonical(word, value)
                 for word in content for number_of_row, value in self.read(target, place, word).items()}
        wanted = {key: value if value is None else canonical(key[0], value) for key, value in expected.items()
                  if value != REJECTED}
        rejects = self.rejects()
        wrong = {key: (content[key[0]][key[1]], "rejected" if key in rejects else "not rejected")
                 for key in rejects ^ rejected}
        wrong.update({key: (content[key[0]][key[1]], found.get(key, "missing")) for key in wanted.keys() | found.keys()
                      if found.get(key, "missing") != wanted.get(key, "missing")})
        self.assertEqual(wrong, {})
        self.assert_code(result, 1 if rejected else 0)
        if support.SOAK or random.Random("%d %s %s" % (support.SEED, source, target)).randrange(3) == 0:
            report = json.loads(self.run_program("validate", "--level", "full", "--json", "--progress", "none",
                                                 env=environment, code=1 if rejected else 0).out)
            self.assertEqual((report["records"], sum(entity["rejected"] for entity in report["entities"])),
                             ([], len(rejected)))


def pairs_tried():
    """All in a soak; else, drawn by the seed, each kind at least twice as a source and twice as a target."""
    if support.SOAK:
        return PAIRS
    sources, targets, found = collections.Counter(), collections.Counter(), []
    for source, target in random.Random(support.SEED).sample(PAIRS, len(PAIRS)):
        if min(sources[source], targets[target]) < 2:
            found.append((source, target))
            sources[source] += 1
            targets[target] += 1
    return found


def add_pairs():
    for source, target in pairs_tried():
        def test(self, source=source, target=target):
            self.pair(source, target)
        setattr(EdgeValues, "test_%s_to_%s" % (source.replace("-", "_"), target.replace("-", "_")), test)


add_pairs()

if __name__ == "__main__":
    unittest.main()
