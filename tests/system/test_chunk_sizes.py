"""How large chunks are: keys of which nine in ten lie in a hundredth of their range, rows that are narrow or wide."""
import json
import os
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import support

LITTLE, WANTED = 20000, 1000
# Of the row i: nine in ten are near each other.
KEYS = {
    "whole": ("id bigint", "CASE WHEN i % 10 > 0 THEN 5000000000 + i ELSE 1000000 * {wide} END"),
    "words": ("id varchar(40)",
              "CASE WHEN i % 10 > 0 THEN concat('common-prefix-', lpad({i}, 10, '0')) ELSE concat(md5({i}), {i}) END"),
    "uuids": ("id {uuid}",
              "{cast}CASE WHEN i % 10 > 0 THEN concat('7f000000-0000-7000-8000-', lpad({i}, 12, '0')) ELSE "
                           "concat('f', substr(md5({i}), 1, 7), '-', lpad({i}, 4, '0'), '-4000-8000-', "
                           "substr(md5({i}), 1, 12)) END{end}"),
    "pairs": ("a int, b varchar(20)", "CASE WHEN i % 10 > 0 THEN 7 ELSE i END, concat('k', {i})"),
}


class Chunks:
    def chunks(self, state=".transhume"):
        """{table: how many records each of its chunks has}"""
        with open(self.path(state, "chunks.jsonl"), encoding="utf-8") as file:
            header, *done = map(json.loads, file)
        names = [stream["name"] for stream in header["streams"] for _ in range(stream["chunks"])]
        self.assertEqual(sorted(chunk["chunk"] for chunk in done), list(range(1, len(names) + 1)))
        found = {}
        for chunk in done:
            found.setdefault(names[chunk["chunk"] - 1], []).append(chunk["read"])
        return found


class Skewed(Chunks):
    """Tables of one engine, into SQLite."""
    WORDS = {}

    def make(self, name, table, rows, filler="'v'"):
        columns, values = (part.format(**self.WORDS) for part in KEYS[table])
        key = "a, b" if table == "pairs" else "id"
        self.server.ask(name, "CREATE TABLE %s (%s, v text, PRIMARY KEY (%s)); INSERT INTO %s SELECT %s, %s FROM %s; %s"
                        % (table, columns, key, table, values, filler, self.NUMBERS % rows, self.ANALYZE % table))

    def assert_bounded(self, rows, wanted, most):
        chunks = self.chunks()
        self.assertEqual(set(chunks), set(KEYS))
        for table, read in chunks.items():
            self.assertEqual(sum(read), rows, table)
            self.assertLessEqual(max(read), most, "%s: %s" % (table, read))
            self.assertLessEqual(len(read), 3 * rows // wanted, table)

    def test_of_little_tables(self):
        name = self.server.database()
        for table in KEYS:
            self.make(name, table, LITTLE)
        self.run_program("migrate", "--chunk-rows", str(WANTED), self.server.uri(name), "sqlite:out.db")
        self.assert_bounded(LITTLE, WANTED, WANTED)
        self.assertEqual(support.sqlite_counts(self.path("out.db")), dict.fromkeys(KEYS, LITTLE))

    def test_of_large_tables(self):
        """Whose keys are not all looked at."""
        name, rows, wanted = self.server.database(), 24000, 3000
        for table in KEYS:
            self.make(name, table, rows, self.LONG)
        self.run_program("migrate", "--chunk-rows", str(wanted), self.server.uri(name), "sqlite:out.db")
        self.assert_bounded(rows, wanted, 2 * wanted)
        self.assertEqual(support.sqlite_counts(self.path("out.db")), dict.fromkeys(KEYS, rows))


class Postgres(Skewed, support.TestCase):
    NUMBERS, ANALYZE = "generate_series(1, %d) i", "ANALYZE %s"
    LONG = "repeat(md5(i::text), 25)"
    WORDS = {"i": "i::text", "wide": "i::bigint", "uuid": "uuid", "cast": "(", "end": ")::uuid"}

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)


class Mysql(Skewed, support.TestCase):
    NUMBERS, ANALYZE = "(SELECT seq AS i FROM seq_1_to_%d) AS n", "ANALYZE TABLE %s"
    LONG = "repeat(md5(i), 25)"
    WORDS = {"i": "i", "wide": "i", "uuid": "uuid", "cast": "", "end": ""}

    if not support.SOAK:
        test_of_large_tables = None   # all keys are walked there, too

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)


class Sqlite(Chunks, support.TestCase):
    """SQLite does not say how large a table is: its file is a bound."""

    def largest(self, rows, filler):
        support.make_sqlite(self.path("in.db"),
                            "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t WITH RECURSIVE n(i) AS (SELECT "
                            "1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT i, %s FROM n" % (rows, filler))
        self.run_program("migrate", "--jobs", "1", "sqlite:in.db", "jsonl:out")
        return max(self.chunks()["t"])

    def test_narrow_rows(self):
        self.assertEqual(self.largest(600000, "NULL"), 131072)

    def test_wide_rows(self):
        self.assertEqual(self.largest(270000, "format('%0400d', i)"), 65536)


if __name__ == "__main__":
    unittest.main()
