"""Random tables of every type that MariaDB has, copied to another database and into tables of the same types again:
what comes
back is what was there, or was rejected with its key and a reason. The seed is in every failure.
"""
import collections
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
from engines.mysql import quoted

SECONDS = 240 if support.SOAK else 8
WAYS = ("mysql", "sqlite", "csv", "jsonl", "postgres")
TYPES = {
    "tinyint": ("-128", "127"), "tinyint unsigned": ("255",), "tinyint(1)": ("0", "1", "-7"), "smallint": ("-32768",),
    "mediumint": ("-8388608",), "int": ("-2147483648", "0"), "int unsigned": ("4294967295",),
    "int(5) unsigned zerofill": ("42",),
    "bigint": ("-9223372036854775808", "9223372036854775807"),
    "bigint unsigned": ("18446744073709551615", "9223372036854775808"),
    "decimal(38,10)": ("0.10", "-9999999999999999999999999999.9999999999"), "decimal(5,2) unsigned": ("999.99",),
    "decimal(65,30)": ("12345678901234567890123456789012345.000000000000000000000000000001",),
    "float": ("0.1", "3.4028234e38", "1e-45", "-0.0"), "double": ("0.1", "1.7976931348623157e308", "5e-324",
                                                                  "9007199254740993"),
    "bit(1)": ("1", "0"), "bit(64)": ("18446744073709551615", "65"), "year": ("1901", "2155", "0000"),
    "char(5)": ("'a'", "''", "' b'", "'ü🐑'"), "char(3) character set latin1": ("'ü'",),
    "varchar(20)": ("'a '", "''", r"'n\0t\t\n\\'", "'🐑'"),
    "varchar(10) character set utf16": ("'🐑x'",), "tinytext": ("'x'",), "text": (r"'\r\n'", "repeat('y', 70000)"),
    "longtext": ("''",),
    "binary(4)": ("x'00'", "x'ff00ff00'"), "varbinary(9)": ("x'5c4e00ff'", "''"),
    "longblob": ("repeat(x'ff5c', 50000)", "x'09'"),
    "date": ("'0000-00-00'", "'0001-01-01'", "'9999-12-31'", "'2024-02-29'"),
    "datetime": ("'0000-00-00'", "'9999-12-31 23:59:59'"),
    "datetime(6)": ("'9999-12-31 23:59:59.999999'",), "datetime(3)": ("'2024-03-31 02:30:00.123'",),
    "timestamp null": ("'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'", "'0000-00-00'"),
    "timestamp(6) null": ("'2001-09-09 01:46:40.000001'",),
    "time": ("'00:00:00'", "'-838:59:59'", "'838:59:59'", "'24:00:00'", "'-00:00:01'"),
    "time(6)": ("'12:00:00.000001'", "'-00:00:00.5'"),
    "enum('a','B','it''s','')": ("'a'", "''", '"it\'s"'), "set('x','y','z')": ("''", "'x,z'"),
    "uuid": ("'123e4567-e89b-12d3-a456-426614174000'",),
    "inet6": ("'::1'", "'2001:db8::ff00:42:8329'"), "json": ("'{\"b\": 1, \"a\":[1.0]}'", "'null'")}
# The n-th value of a key.
KEYS = {"int": "%d", "bigint unsigned": "18446744073709551615 - %d", "varchar(20) collate utf8mb4_bin": "'k%d'",
        "varchar(20)": "'k%d'",
        "varbinary(16)": "unhex(lpad(hex(%d), 8, '0'))", "date": "date_add('2000-01-01', interval %d day)",
        "decimal(20,5)": "%d.00001",
        "char(8)": "'k%d'", "uuid": "concat('123e4567-e89b-12d3-a456-', lpad(%d, 12, '0'))",
        "enum('k0','k1','k2','k3')": "'k%d'",
        "datetime(6)": "date_add('2000-01-01', interval %d microsecond)", "double": "%d.5", "bit(12)": "%d",
        "year": "1950 + %d",
        "inet6": "concat('::', %d)"}
# Of these a reject says the value as the server shows it.
SHOWN_ALIKE = ("int", "bigint unsigned", "varchar(20) collate utf8mb4_bin", "varchar(20)", "date", "char(8)", "uuid",
               "enum('k0','k1','k2','k3')", "year", "inet6")
NAMES = ("a", "select", "quo`te", "two words", "it's", "%s", "x.y", "ü", "#c", "$d", "@e", "col\\n", "x" * 60, "{z}",
         "null", '"dq"', "-1", "1e5", "rowid")
MODE = "ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO"


def untyped(value):
    """{"$date": "2000-01-01"} and the like, as the server shows it."""
    return str(next(iter(value.values())) if isinstance(value, dict) else value)


class RandomMysql(support.TestCase):
    ways, names, keys, types, table_names, seconds = WAYS, NAMES, KEYS, TYPES, ("T", "select", "odd `t", "x.y",
                                                                                "#t"), SECONDS
    parts = (1, 1, 2, 0)   # of a key

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)
        cls.postgres = postgres.for_class(cls)

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

    def trip(self, seed, way, counts):
        folder = self.path("trip")
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        first, last = self.server.database(), self.server.database()
        self.told = collections.defaultdict(list)
        tables = self.make(seed, first, way)
        if way == "mysql":
            rejected = self.copy(folder, "one", self.server.uri(first),
                                 self.server.uri(last, seed.choice(mariadb.LOADS)),
                                 *seed.choice(((), ("--no-express",))))
        else:
            middle = self.middle(way)
            rejected = self.copy(folder, "one", self.server.uri(first), middle)
            self.define(last, tables)
            rejected += self.copy(folder, "two", middle, self.server.uri(last, seed.choice(mariadb.LOADS)),
                                  "--existing", "append", *self.plan_back(seed, folder, tables))
        for table, columns in tables.items():
            before, after = (collections.Counter(self.rows(name, table, columns)) for name in (first, last))
            lost, extra = list((before - after).elements()), list((after - before).elements())
            self.assertEqual((len(lost), extra[:1]), (rejected[table], []),
                             "%s %s, lost: %s" % (table, columns, lost[:1]))
            self.assert_lost_by_their_keys(table, columns, lost, counts)
            counts["equal"] += sum(after.values())
            counts["rejected"] += rejected[table]

    def assert_lost_by_their_keys(self, table, columns, lost, counts):
        """The rejects are of those records and of no others."""
        names = [name for name in columns if name in ("k0", "k1")]
        if names and all(columns[name] in SHOWN_ALIKE for name in names):
            told = [tuple(untyped(key[name]).encode().hex().upper() for name in names) for key in self.told[table]]
            self.assertEqual(sorted(told), sorted(row[:len(names)] for row in lost), table)
            counts["told by key"] += len(told)

    def middle(self, way):
        return self.postgres.uri(self.postgres.database()) if way == "postgres" else "%s:middle%s" % (way,
            ".db" if way == "sqlite" else "")

    def plan_back(self, seed, folder, tables):
        return ()

    def environment(self, folder):
        return None

    def make(self, seed, name, way):
        """{table: {column: type}}, the keys first; of some tables there are none."""
        tables = {}
        for number in range(seed.randint(1, 3)):
            columns = {"k%d" % at: seed.choice(list(self.keys)) for at in range(seed.choice(self.parts))}
            # A text in the middle goes into a column of JSON as a JSON string.
            columns.update({column: seed.choice([t for t in self.types if t != "json" or way != "sqlite"])
                            for column in seed.sample(self.names, seed.randint(1, 8))})
            tables[seed.choice(self.table_names) + str(number)] = columns
        self.define(name, tables)
        sql = []
        for table, columns in tables.items():
            for at in range(seed.choice((0, 3, 20, 60))):
                values = [self.keys[kind] % at if column in ("k0", "k1") else seed.choice((*self.types[kind], "NULL"))
                          for column, kind in columns.items()]
                sql.append("INSERT IGNORE INTO %s VALUES (%s)" % (quoted(table), ", ".join(values)))
        self.server.ask(name, ";\n".join(sql), MODE)
        return tables

    def define(self, name, tables):
        self.server.ask(name, ";\n".join("CREATE TABLE %s (%s%s)" % (
            quoted(table), ", ".join("%s %s" % (quoted(column), kind) for column, kind in columns.items()),
            ", PRIMARY KEY (%s)" % ", ".join(column for column in columns if column in ("k0", "k1")) if "k0" in columns
            else "")
            for table, columns in tables.items()), MODE)

    def copy(self, folder, state, source, target, *options):
        """How many records of each table were rejected."""
        result = support.transhume("migrate", "--quiet", "--state", state, "--chunk-rows", "20", *options, source,
                                   target, cwd=folder,
                                   env=self.environment(folder))
        self.assertIn(result.code, (0, 1), result.err)
        random_validate.assert_clean(self, folder, "--state", state, env=self.environment(folder))
        rejected = collections.Counter()
        rejects = os.path.join(folder, state, "rejects")
        for name in sorted(os.listdir(rejects)) if os.path.isdir(rejects) else ():
            with open(os.path.join(rejects, name), encoding="utf-8") as file:
                for reject in map(json.loads, file):
                    # MariaDB has nothing to tell a record of a table without a key by, but all of the record.
                    keyless = source.startswith("mysql") and "k0" not in reject["record"]
                    self.assertTrue(reject["code"] and reject["reason"] and reject["record"], reject)
                    self.assertEqual(bool(reject["key"]), not keyless, reject)
                    rejected[reject["source"]] += 1
                    self.told[reject["source"]].append(reject["key"])
        return rejected

    def rows(self, name, table, columns):
        """Each value as the hexadecimal digits of its text or bytes."""
        shown = [quoted(column) + " + 0" if kind.startswith("bit") else
                 quoted(column) if "binary" in kind or "blob" in kind else "convert(%s USING utf8mb4)" % quoted(column)
                 for column, kind in columns.items()]
        return [tuple(row) for row in self.server.ask(name, "SELECT %s FROM %s" % (
            ", ".join("hex(convert(%s USING utf8mb4))" % text if text.endswith("+ 0") else "hex(%s)" % text
                      for text in shown), quoted(table)))]


if __name__ == "__main__":
    unittest.main()
