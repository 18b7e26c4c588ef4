"""Random tables of every type that PostgreSQL has, with random limits, copied to another PostgreSQL, or to another
database and into tables
of the same types again: what comes back is what was there, was rejected with its key and a reason, or was refused
before anything
was written. A text of psql's is what a value is. The seed is in every failure.
"""
import collections
import decimal
import json
import os
import random
import shutil
import sys
import time
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import mariadb
import postgres
import random_validate
import support
from random_database import quoted

SECONDS = 300 if support.SOAK else 10
WAYS = ("postgres", "sqlite", "jsonl", "mysql", "csv")
TEXTS = ("", " ", "a", "a ", " b", "\u00e9", "e\u0301", "\U0001f411 bleats", "it's", 'q"x', "tab\t nl\n cr\r", "\\",
         "\\N", "\\.", "NULL", "null", "{}",
         "{1,2}", "1", "1.0", "true", "\u2028\ufeff\ufffd", "x" * 300, "2024-02-30", "\x01\x7f", ",", "(1,2)", "%s",
         "$$", "\x1b[31m")
NAMES = ("a", "select", 'quo"te', "two words", "it's", "%s", "x.y", "\u00fc", "#c", "$d", "@e", "col\\n", "x" * 60,
         "{z}", "null", "-1", "1e5", "ctid2",
         "A", "rowid")
DATES = ("0001-01-01", "4713-01-01 BC", "5874897-12-31", "infinity", "-infinity", "2024-02-29", "1970-01-01",
         "9999-12-31", "0044-03-15 BC", "1582-10-10")
INSTANTS = ("4713-01-01 00:00:00 BC", "infinity", "-infinity", "294276-12-31 23:59:58.999999",
            "2024-03-31 02:30:00.123456", "1970-01-01 00:00:00",
            "9999-12-31 23:59:59.999999", "0001-01-01 00:00:00", "10000-01-01 00:00:00.5", "0001-12-31 23:59:59 BC",
            "2001-09-09 01:46:40.000001")
TIMES = ("00:00:00", "24:00:00", "23:59:59.999999", "12:00:00.000001", "00:00:00.5", "06:30:00")
ZONES = ("+00", "-15:59", "+15:59", "+05:30", "-00:00:01", "+01")
INTERVALS = ("0", "1 year 2 mons 3 days 04:05:06.000007", "-1 mons +2 days -00:00:00.5", "178000000 years",
             "-178000000 years", "00:00:00.000001",
             "-00:00:00.000001", "25:00:00", "1000000 hours", "1 day", "-1 day", "2147483647 days", "3 days -04:00:00",
             "1 mon", "838:59:59")
# type: the texts of its values. What has limits of its own is in LIMITED.
PLAIN = {
    "boolean": ("true", "false"), "smallint": ("32767", "-32768", "0"), "integer": ("2147483647", "-2147483648", "-1"),
    "bigint": ("9223372036854775807", "-9223372036854775808", "9007199254740993"), "oid": ("0", "4294967295"),
    "real": ("NaN", "Infinity", "-Infinity", "-0", "0.1", "3.4028235e38", "1e-45", "1.17549435e-38", "16777217"),
    "double precision": ("NaN", "Infinity", "-Infinity", "-0", "0.1", "1.7976931348623157e308", "5e-324",
                         "0.30000000000000004", "9007199254740993", "1e15"),
    "numeric": ("NaN", "Infinity", "-Infinity", "0", "0.00", "1.10", "-0.000", "1e-20", "1e20",
                "123456789012345678901234567890.12345678901234567890",
                "1e300", "1e-300", "9" * 200 + "." + "9" * 100, "0.30000000000000004"),
    "money": ("$1,234.56", "-$0.01", "-$92,233,720,368,547,758.08", "$92,233,720,368,547,758.07", "0"), "text": TEXTS,
    "name": ("", "n", "x" * 63, "\u00fc\U0001f411"),
    '"char"': ("", "a", "\\", "~"), "bytea": ("", "\\x00", "\\x5c4e00ff", "\\x0d0a09", "\\x" + "ff5c" * 3000),
    "date": DATES,
    "uuid": ("123e4567-e89b-12d3-a456-426614174000", "00000000-0000-0000-0000-000000000000",
             "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    "json": ('{"a": 1,  "a":2}', "null", '"\\u0041"', "[1.0, 1e400, -0]", ' {"b":1,"a":[]} ', '"\U0001f411"',
             "12345678901234567890123"),
    "jsonb": ('{"b":1,"a":[1,2.50,null]}', "null", '"\\u0041"', "[]", "{}", "1e300", "[1.0, -0]", '{"":{"":[[]]}}',
              "12345678901234567890123"),
    "xml": ("<a>x</a>", "text only", "<a b='1'/>", "<r>\u00fc</r>", ""),
    "inet": ("10.0.0.1/8", "::1", "0.0.0.0/0", "2001:db8::ff00:42:8329/64", "255.255.255.255"),
    "cidr": ("10.0.0.0/8", "::/0", "2001:db8::/32", "192.168.0.1"),
    "macaddr": ("08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff"),
    "macaddr8": ("08:00:2b:01:02:03:04:05",), "point": ("(1,2)", "(0,-0)", "(1e-300,Infinity)", "(NaN,5e-324)"),
    "line": ("{1,2,3}", "{-1,0,0.1}"),
    "lseg": ("[(1,2),(3,4)]",), "box": ("(3,4),(1,2)", "(0.1,0.2),(0,0)"),
    "path": ("[(1,2),(3,4)]", "((1,2),(3,4),(0.1,0))"),
    "polygon": ("((1,2),(3,4),(5,0))",), "circle": ("<(1,2),3>", "<(0.1,-0.5),0>"),
    "tsvector": ("a:1 b:2", "", "'it''s':1A,2B c", "'\u00fc'"),
    "tsquery": ("a & !b", "'it''s' | c:*", ""), "int4range": ("[1,5)", "empty", "(,)", "[2147483646,)"),
    "int8range": ("[1,5)", "(,0)"),
    "numrange": ("[1.10,2.0]", "(,1e20)", "empty", "[NaN,NaN]"),
    "daterange": ("[2024-01-01,2024-02-29)", "[-infinity,infinity]", "(,)"),
    "tsrange": ('["2024-01-01 00:00:00","2024-01-01 00:00:00.000001")', "empty"),
    "tstzrange": ('["2024-01-01 00:00:00+01",infinity)', "(,)"),
    "int4multirange": ("{}", "{[1,5),[7,9)}"), "nummultirange": ("{[1.10,2.0],(5,)}",),
    "pg_lsn": ("16/B374D848", "0/0"), "jsonpath": ('$."a"[*] ? (@ > 1)',),
    "txid_snapshot": ("10:20:10,14,15",), "citext": TEXTS, "hstore": ("", '"a"=>"1", "b"=>NULL',
                                                                      '"it\'s \\" "=>"\u00fc"'),
    "regclass": ("pg_class",),
    "mood": ("sad", "it's", "Happy", "\u00fc, x"), "posint": ("1", "2147483647"), "shortword": ("ab", "x ", ""),
    "pair": ("(1,a)", '(,"q ""x"" ,")', "(-5,)"),
    "floats": ("[0.1,0.30000000000000004)", "(,Infinity]"), "nested": ('("(1,a)","{1.50,NULL}")', "(,)"),
}
MADE = """CREATE EXTENSION citext; CREATE EXTENSION hstore;
CREATE TYPE mood AS ENUM ('sad', 'it''s', 'Happy', '\u00fc, x');
CREATE DOMAIN posint AS integer CHECK (VALUE > 0);
CREATE DOMAIN shortword AS varchar(5);
CREATE TYPE pair AS (n integer, t text);
CREATE TYPE nested AS (p pair, a numeric(5,2)[]);
CREATE TYPE floats AS RANGE (subtype = float8);
"""
# The n-th value of a key, an expression.
KEYS = {"integer": "%d", "bigint": "9223372036854775807 - %d", "smallint": "%d", 'text COLLATE "C"': "'k%d \u00fc'",
        "varchar(20)": "'k%d'",
        "numeric(20,5)": "%d.00001",
        "uuid": "('123e4567-e89b-12d3-a456-' || lpad('%d', 12, '0'))::uuid", "date": "date '2000-01-01' + %d",
        "timestamptz(3)": "timestamptz '2000-01-01 00:00Z' + %d * interval '1 ms'",
        "timestamp": "timestamp '2000-01-01' + %d * interval '1 us'", "bytea": "int4send(%d)",
        "inet": "inet '10.0.0.0' + %d", "char(8)": "'k%d'",
        "double precision": "%d.5",
        "bit(12)": "%d::bit(12)", "time": "time '00:00' + %d * interval '1 s'", "interval": "%d * interval '1 hour'",
        "oid": "%d", "boolean": "%d %% 2 = 0",
        "mood": "(enum_range(NULL::mood))[1 + %d]"}


def digits(seed, precision, scale):
    """A number of that many digits at most."""
    value = decimal.Decimal(seed.randrange(10 ** seed.randint(1, precision))).scaleb(-scale, decimal.Context(prec=1100))
    return ("-" if seed.random() < 0.5 else "") + format(value, "f")


def limited(seed):
    """(type, its texts): one with limits of its own."""
    length, small = seed.randint(1, 12), seed.randint(0, 6)
    kind = seed.choice(("numeric", "char", "varchar", "bit", "varbit", "time", "timetz", "timestamp", "timestamptz",
                        "interval", "fields"))
    if kind == "numeric":
        precision = seed.choice((1, 5, 18, 38, 65, 100))
        scale = seed.choice((0, precision // 2, precision, precision + 3, -3))
        return "numeric(%d,%d)" % (precision, scale), [digits(seed, precision, scale) for _ in range(6)] + ["0", "NaN"]
    if kind in ("char", "varchar"):
        return "%s(%d)" % (kind, length), [text[:length] for text in TEXTS]
    if kind in ("bit", "varbit"):
        length = seed.choice((1, 3, 8, 64, 100))
        return "%s(%d)" % (kind, length), ["".join(seed.choice("01")
                                                   for _ in range(length if kind == "bit" else seed.randint(0, length)))
                                           for _ in range(4)]
    if kind == "fields":
        return "interval %s" % seed.choice(("year", "year to month", "day", "day to hour", "day to second(2)",
                                            "minute to second", "hour")), INTERVALS
    texts = {"time": TIMES, "timetz": [t + seed.choice(ZONES) for t in TIMES], "timestamp": INSTANTS,
             "timestamptz": INSTANTS, "interval": INTERVALS}[kind]
    return "%s(%d)" % (kind, small) if seed.random() < 0.7 else kind, texts


def literal(text):
    return "NULL" if text is None else "'%s'" % text.replace("'", "''")


class Column:
    """`kind`: its type as it is declared; `values`: expressions of it."""

    def __init__(self, seed):
        self.kind, texts = limited(seed) if seed.random() < 0.35 else seed.choice(list(PLAIN.items()))
        values = ["%s::%s" % (literal(text), self.kind) for text in texts]
        if seed.random() < 0.2 and self.kind not in ("shortword", "posint"):
            self.kind += "[]"
            values = ["ARRAY[%s]::%s" % (", ".join(seed.choices((*values, "NULL"), k=seed.randint(0, 4))), self.kind)
                      for _ in range(4)]
            one = seed.choice(values)
            values += ["'{}'::" + self.kind, "ARRAY[%s, %s]" % (one, one) if "[]" not in one else one]
        self.values = values

    def shown(self, column, way):
        """Its text; but a middle that keeps no scale, or no -0, is no fault."""
        if self.kind == "numeric" and way in ("sqlite", "mysql"):
            return "trim_scale(%s)::text" % column
        if self.kind in ("real", "double precision") and way in ("sqlite", "mysql"):
            return "CASE WHEN %s = 0 THEN '0' ELSE %s::text END" % (column, column)
        return "%s::text" % column


class RandomPostgres(support.TestCase):
    ways, names, keys, table_names = WAYS, NAMES, KEYS, ("T", "select", 'odd "t', "x.y", "#t")
    column, seconds = Column, SECONDS
    parts = (1, 1, 2, 0)   # of a key

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)
        cls.mysql = mariadb.for_class(cls)
        cls.template = cls.server.database()
        cls.server.psql(cls.template, "SET client_min_messages = error;" + MADE)

    def test_there_and_back(self):
        counts = collections.Counter()
        deadline = time.monotonic() + self.seconds * support.PATIENCE
        number = 0
        while number < len(self.ways) or time.monotonic() < deadline:
            way = self.ways[number % len(self.ways)]
            seed = "%d/%s/%d" % (support.SEED, way, number)
            with self.subTest(seed=seed):
                self.trip(random.Random(seed), way, counts)
            number += 1
        print("%d databases: %s" % (number, dict(counts)), file=sys.stderr)
        self.assertGreater(counts["equal"], counts["rejected"])
        # what stands in the way in one of three databases, of many of a way not in most
        for way in self.ways if number >= 20 * len(self.ways) else ():
            self.assertLess(3 * counts["refused by " + way], 2 * number // len(self.ways), way)

    def trip(self, seed, way, counts):
        folder = self.path("trip")
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        first, last = self.database(), self.database()
        tables = self.make(seed, first, way)
        if way == "postgres":
            options = seed.choice(((), ("--no-express",), ("--existing", "append")))
            if "append" in options:
                self.define(last, tables)
            rejected = self.copy(counts, folder, "one", self.server.uri(first), self.server.uri(last), *options)
        else:
            database = self.mysql.database() if way == "mysql" else None
            middle = self.middle(way, database)
            rejected = self.copy(counts, folder, "one", self.server.uri(first), middle)
            self.define(last, tables)
            if rejected is not None:
                rejected += self.copy(counts, folder, "two", middle, self.server.uri(last), "--existing", "append",
                                      *self.plan_back(seed, folder, tables))
        if rejected is None:
            self.assertEqual(self.left_by_refusal(folder, way, last if way == "postgres" else database), [])
            counts["refused by " + way] += 1
            return
        for table, columns in tables.items():
            if way == "postgres":
                self.assertEqual(*(self.types(name, table) for name in (first, last)))
            before, after = (collections.Counter(self.rows(name, table, columns, way)) for name in (first, last))
            lost, extra = list((before - after).elements()), list((after - before).elements())
            self.assertEqual((len(lost), extra[:1]), (rejected[table], []), "%s %s, lost: %s" % (
                table, {name: column.kind for name, column in columns.items()}, lost[:1]))
            counts["equal"] += sum(after.values())
            counts["rejected"] += rejected[table]

    def middle(self, way, database):
        return self.mysql.uri(database) if database else "%s:middle%s" % (way, ".db" if way == "sqlite" else "")

    def plan_back(self, seed, folder, tables):
        return ()

    def environment(self, folder):
        return None

    def left_by_refusal(self, folder, way, name):
        """What is in the target, but for empty tables that were there."""
        if way == "postgres":
            return [table for table, rows in self.server.rows(name).items() if rows or "_transhume" in table[1]]
        return list(self.mysql.rows(name)) if way == "mysql" else [name for name in os.listdir(folder)
                                                                   if name.startswith("middle")]

    def database(self):
        """A new one, with the types."""
        self.server.count += 1
        name = "test_%d" % self.server.count
        self.server.psql(self.server.MAINTENANCE, "CREATE DATABASE %s TEMPLATE %s" % (name, self.template))
        return name

    def make(self, seed, name, way):
        """{table: {column: Column}}, the keys first; of some tables there are none."""
        tables = {}
        for number in range(seed.randint(2, 5)):
            columns = {}
            for at in range(seed.choice(self.parts)):
                columns["k%d" % at] = key = self.column(seed)
                key.kind = seed.choice(list(self.keys))
            for column in seed.sample(self.names, seed.randint(1, 8)):
                columns[column] = self.column(seed)
                # A text in the middle goes into a column of JSON as a JSON string.
                while way == "sqlite" and columns[column].kind in ("json", "jsonb"):
                    columns[column] = self.column(seed)
            tables[seed.choice(self.table_names) + str(number)] = columns
        self.define(name, tables)
        sql = []
        for table, columns in tables.items():
            for at in range(seed.choice((0, 3, 20, 60))):
                if at >= min(({"boolean": 2, "mood": 4}.get(columns[key].kind, at + 1) for key in columns
                              if key in ("k0", "k1")), default=at + 1):
                    break
                values = [self.keys[column.kind] % at if key in ("k0", "k1") else seed.choice((*column.values, "NULL"))
                          for key, column in columns.items()]
                sql.append("INSERT INTO %s VALUES (%s)" % (quoted(table), ", ".join(values)))
        self.server.psql(name, "SET timezone = 'UTC';\n" + ";\n".join(sql))
        return tables

    def define(self, name, tables):
        self.server.psql(name, ";\n".join("CREATE TABLE %s (%s%s)" % (
            quoted(table), ", ".join("%s %s" % (quoted(column), of.kind) for column, of in columns.items()),
            ", PRIMARY KEY (%s)" % ", ".join(column for column in columns if column in ("k0", "k1")) if "k0" in columns
            else "")
            for table, columns in tables.items()))

    def copy(self, counts, folder, state, source, target, *options):
        """How many records of each table were rejected; None: it was refused."""
        result = support.transhume("migrate", "--quiet", "--state", state, "--chunk-rows", "20", "--time-zone", "UTC",
                                   *options, source, target, cwd=folder,
                                   env=self.environment(folder))
        if result.code == 2 and state == "one":
            return None
        self.assertIn(result.code, (0, 1), result.err)
        random_validate.assert_clean(self, folder, "--state", state, env=self.environment(folder))
        rejected = collections.Counter()
        rejects = os.path.join(folder, state, "rejects")
        for name in sorted(os.listdir(rejects)) if os.path.isdir(rejects) else ():
            with open(os.path.join(rejects, name), encoding="utf-8") as file:
                for reject in map(json.loads, file):
                    self.assertTrue(reject["code"] and reject["reason"] and reject["key"], reject)
                    rejected[reject["source"]] += 1
                    counts["because %s" % reject["code"]] += 1
        return rejected

    def types(self, name, table):
        return self.server.psql(name,
                                "SELECT attname, format_type(atttypid, atttypmod), "
                                "attnotnull FROM pg_attribute WHERE attnum > 0 AND "
                                      "attrelid = %s::regclass ORDER BY attnum" % literal(quoted(table)))

    def rows(self, name, table, columns, way):
        """Each value as the hexadecimal digits of its text."""
        shown = ("encode(convert_to(%s, 'UTF8'), 'hex')" % column.shown(quoted(key), way)
                 for key, column in columns.items())
        return [tuple(row) for row in self.server.psql(name, "SET timezone = 'UTC'; SELECT %s FROM %s"
                                                       % (", ".join(shown), quoted(table)))]


if __name__ == "__main__":
    unittest.main()
