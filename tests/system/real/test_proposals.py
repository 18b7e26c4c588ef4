"""
Columns of applications one by one: what check proposes makes the table there take their values, and means what they
mean.
"""
import json
import sqlite3
import unittest

import move

# Declared type, value and the type there: what the target holds after check was obeyed; and a part of what it proposed,
# None where it is ready at once.
CASES = (
    ("INTEGER", 1, "boolean NOT NULL", "t", None),
    ("INTEGER", 7, "boolean", "t", "cast: bool, lossy: allow"),
    ("TEXT", "true", "boolean", "t", None),
    ("TEXT", "", "boolean", None, "empty: null"),
    ("TEXT", "", "integer NOT NULL DEFAULT 5", "5", "empty: null, default: 5"),
    ("TEXT", None, "text NOT NULL", "", 'default: ""'),
    ("BOOLEAN", None, "boolean NOT NULL DEFAULT true", "t", "default: true"),
    ("DATETIME", None, "timestamp NOT NULL", "1970-01-01 00:00:00", "default: "),
    ("TEXT", None, "varchar(9) NOT NULL DEFAULT 'it''s'", "it's", 'default: "it\'s"'),
    ("TEXT", "x" * 30, "varchar(10)", "x" * 10, "cast: text, lossy: allow"),
    ("TEXT", "a\0b", "text", "ab", "cast: text, lossy: allow"),
    ("TEXT", '{"a":"\\u0000b"}', "jsonb", '{"a": "b"}', "cast: json, lossy: allow"),
    ("TEXT", '{"a":"\\u0000b"}', "json", '{"a":"\\u0000b"}', None),
    ("TEXT", b'{"a": 1}', "jsonb", '{"a": 1}', None),
    ("TEXT", "5a1b2c3d-0000-4000-8000-00000000000A", "uuid", "5a1b2c3d-0000-4000-8000-00000000000a", None),
    ("BLOB", "text", "bytea", "\\x74657874", None),
    ("REAL", 2.5, "integer", "2", "cast: int64, lossy: allow"),
    ("REAL", 2.0, "integer", "2", None),
    ("REAL", 1.2345, "numeric(5,2)", "1.23", 'cast: "decimal(5,2)", lossy: allow'),
    ("NUMERIC", 12, "numeric(5,2)", "12.00", None),
    ("DATETIME", "2020-01-01 10:00:00.123456789", "timestamp", "2020-01-01 10:00:00.123457",
     "cast: timestamp, lossy: allow"),
    ("DATETIME", "2020-01-01 10:00:00.5678", "timestamp(3)", "2020-01-01 10:00:00.568",
     "cast: timestamp, lossy: allow"),
    ("DATETIME", "2020-01-01 10:00:00+02:00", "timestamp", "2020-01-01 08:00:00", "cast: timestamp, lossy: allow"),
    ("DATETIME", "2020-01-01 10:00:00+02:00", "timestamptz", "2020-01-01 08:00:00+00", None),
    ("DATETIME", "2020-07-01 10:00:00", "timestamptz", "2020-07-01 10:00:00+00", "--time-zone"),
    ("TEXT", "2020-07-01T10:00:00.25", "timestamp", "2020-07-01 10:00:00.25", None),
    ("INTEGER", 1714980000, "timestamp", "2024-05-06 07:20:00", "cast: timestamp, from: epoch_s"),
    ("INTEGER", 1714980000123, "timestamptz", "2024-05-06 07:20:00.123+00", "cast: timestamp, from: epoch_ms"),
    ("REAL", 1714980000.25, "timestamptz", "2024-05-06 07:20:00.25+00", "cast: timestamp, from: epoch_s"),
    ("TEXT", "1714980000", "timestamp", "2024-05-06 07:20:00", "cast: timestamp, from: epoch_s"),
    ("DATETIME", "2020-01-01 10:00:00", "date", "2020-01-01", "cast: date, lossy: allow"),
    ("DATETIME", "2020-01-01 00:00:00", "date", "2020-01-01", None),
    ("DATETIME", "2020-07-01 10:00:00", "bigint", "1593597600", "cast: int64, to: epoch_s"),
    ("TEXT", "[1,2]", "integer[]", "{1,2}", None),
    ("TEXT", "26:30:00", "interval", "26:30:00", None),
    ("TEXT", "-838:59:59.5", "interval", "-838:59:59.5", None),
    ("DATETIME", "2020-07-01 10:00:00.5", "double precision", "1593597600.5", "cast: float64, to: epoch_s"),
    ("TEXT", "08:15", "time", "08:15:00", None),
    ("DATETIME", "2020-07-01 10:00:00", "time", "10:00:00", "cast: time, lossy: allow"),
    ("TEXT", "12", "integer", "12", None),
    ("TEXT", "12.5", "integer", "12", "cast: int64, lossy: allow"),
    ("INTEGER", "0012", "text", "12", None),
    ("TEXT", "0012", "text", "0012", None),
    ("TEXT", "0", "boolean", "f", None),
    ("REAL", 1.0, "boolean", "t", None),
    ("TEXT", "192.168.0.1", "inet", "192.168.0.1", None),
    ("INTEGER", 9007199254740993, "double precision", "9.007199254740992e+15", "cast: float64, lossy: allow"),
    ("TEXT", "null", "jsonb", "null", None),
)


class Proposals(move.Move):
    def test_each_of_them(self):
        path = self.path("app.db")
        db = sqlite3.connect(path)
        with db:
            for number, (declared, value, _, _, _) in enumerate(CASES):
                db.execute("CREATE TABLE t%d (id INTEGER PRIMARY KEY, v %s)" % (number, declared))
                db.execute("INSERT INTO t%d VALUES (1, ?)" % number, (value,))
        db.close()
        self.begin(path, "\n".join("CREATE TABLE t%d (id integer PRIMARY KEY, v %s);" % (number, there)
                                   for number, (_, _, there, _, _) in enumerate(CASES)))
        self.ask("ALTER DATABASE %s SET timezone = 'UTC'" % self.database)
        told = self.follow()
        for number, case in enumerate(CASES):
            with self.subTest(case=case):
                about = [line for line in told if line.startswith("t%d: " % number)]
                self.assertEqual(bool(about), case[4] is not None, about)
                self.assertIn(case[4] or "", " ".join(about))
        self.migrate()
        for number, case in enumerate(CASES):
            with self.subTest(case=case):
                self.assertEqual(self.ask("SELECT id, v FROM t%d" % number), [["1", case[3]]])

    def test_what_no_plan_helps_is_told_all_the_same(self):
        path = self.path("app.db")
        db = sqlite3.connect(path)
        with db:
            db.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER, j TEXT, d DATETIME); "
                             "INSERT INTO t VALUES (1, 99999999999, '{', 'soon')")
        db.close()
        self.begin(path,
                   "CREATE TABLE t(id integer PRIMARY KEY, n integer, j jsonb, d timestamp, must integer NOT NULL)")
        self.assertEqual(self.check(), 2)
        said = json.dumps(self.report["problems"])
        for words in ("must in the target is NOT NULL, has no default", "it is not JSON"):
            self.assertIn(words, said)
        self.ask("ALTER TABLE t DROP must")
        self.assertEqual(self.check(), 1)
        self.ask("ALTER TABLE t ALTER j TYPE text, ALTER d TYPE text")
        self.assertEqual(self.check(), 1)
        self.assertIn("t: the first record would be rejected: n: the value is out of range for integer",
                      self.report["problems"])

    def test_a_reject_keeps_what_a_column_does_not_take(self):
        path = self.path("app.db")
        db = sqlite3.connect(path)
        with db:
            db.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, d DATETIME, n REAL); INSERT INTO t VALUES (1, "
                             "'soon', 1)")
        db.close()
        self.begin(path, "CREATE TABLE t(id integer PRIMARY KEY, d timestamp, n integer)")
        self.run_program("migrate", self.source, self.target, code=1)
        reject, = self.rejects()
        self.assertEqual(reject["record"], {"id": 1, "d": "soon", "n": 1.0})
        self.write("again.jsonl", json.dumps(dict(reject, record={"id": 1, "d": "2024-05-06 07:08:09", "n": 2})) + "\n")
        self.run_program("migrate", "--rejects", "again.jsonl")
        self.assertEqual(self.ask("SELECT d, n FROM t"), [["2024-05-06 07:08:09", "2"]])


if __name__ == "__main__":
    unittest.main()
