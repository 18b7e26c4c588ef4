"""The kill matrix between SQL servers and files: out of one into folders, and the other way round."""
import contextlib
import json
import os
import sqlite3
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import mariadb
import postgres
import support
from kill_matrix import KillMatrix, make_source, plain_items, sample_tests
from test_kill_csv import csv_rows
from test_kill_jsonl import records_by_table
from test_kill_postgres import dump
from test_kill_sql_dynamodb import EMPTY, PLAN, values_in, values_of

OPTIONS = ["--chunk-rows", "100", "--jobs", "2", "--exclude", "found*"]
# What is a number or a text in each of them.
PLAIN = {"plain": "id, a", "pair": "x, y, note", "counted": "id, plain_id, u", "keyless": "word, n"}


def plain_values(ask):
    """{table: sorted rows}, NULL as an empty text, which CSV can't tell from it; `ask` gives a table's rows."""
    return {table: sorted(tuple("" if value is None else str(value) for value in row) for row in ask(table, columns))
            for table, columns in PLAIN.items()}


class KillSqlFiles(KillMatrix):
    """Expected is what a copy that nobody disturbs leaves, once it is seen to be of the source's values."""
    sample_seconds = None if support.SOAK else 1
    instants = 200 if support.SOAK else 1
    resume_points_max = None if support.SOAK else 1
    kills_least = 6 if support.SOAK else 2

    @classmethod
    def setUpClass(cls):
        cls.mysql = mariadb.for_class(cls)
        cls.postgres = postgres.for_class(cls, settings={"autovacuum": "off"})

    def setUp(self):
        super().setUp()
        self.shop = self.path("shop.db")
        make_source(self.shop, keyless=True)
        with contextlib.closing(sqlite3.connect(self.shop)) as db:
            self.values = plain_values(lambda table, columns: db.execute("SELECT %s FROM %s" % (columns, table)).fetchall())

    def copied(self, source, target):
        self.assert_code(support.transhume("migrate", "--state", "state-of-" + str(target).split(":")[0], *OPTIONS, source, target,
                                           cwd=self.folder), 0)
        return target

    def values_of(self, server, name):
        return plain_values(lambda table, columns: server.ask(name, "SELECT %s FROM %s" % (columns, table)))

    def shop_in(self, server):
        name = server.database()
        self.copied(self.shop, server.uri(name))
        self.assertEqual(self.values_of(server, name), self.values)
        return server.uri(name)

    def into_server(self, server, source, contents, empty):
        whole, target = server.database(), server.database()
        self.copied(source, server.uri(whole))
        self.assertEqual(self.values_of(server, whole), self.values)
        expected = contents(server, whole)
        self.empty_target = lambda: server.ask("" if server is self.mysql else target, empty.replace("TARGET", target))
        self.everything = lambda: (server.rows(target), server.dump(target))
        self.matrix([*OPTIONS, source, server.uri(target)], lambda folder: self.assertEqual(contents(server, target), expected))

    def into_folder(self, source, target, contents, records):
        """`contents` are what is compared, `records` {table: dictionaries}."""
        form = target.split(":")[0]
        self.copied(source, form + ":" + self.path("whole"))
        whole = contents(self.path("whole"))
        found = records(whole)
        self.assertEqual(plain_values(lambda table, columns: [[record[name] for name in columns.split(", ")]
                                                              for record in found[table]]), self.values)
        self.matrix([*OPTIONS, source, target], lambda folder: self.assertEqual(contents(os.path.join(folder, "out")), whole))

    def test_postgres_to_csv(self):
        self.into_folder(self.shop_in(self.postgres), "csv:out?file_bytes=2KiB", csv_rows,
                         lambda whole: {table: [dict(zip(*heads, row)) for row in rows] for table, (heads, rows) in whole.items()})

    def test_mysql_to_jsonl(self):
        self.into_folder(self.shop_in(self.mysql), "jsonl:out?file_bytes=2KiB", records_by_table,
                         lambda whole: {table: [json.loads(line) for line in lines] for table, lines in whole.items()})

    def test_postgres_to_dynamodb_json(self):
        os.remove(self.shop)
        make_source(self.shop, keyless=False)
        name = self.postgres.database()
        self.copied(self.shop, self.postgres.uri(name))
        expected = plain_items(self.shop)
        self.matrix([*OPTIONS, self.postgres.uri(name), "dynamodb-json:out"],
                    lambda folder: self.assert_items(expected, os.path.join(folder, "out")))

    def test_csv_to_postgres(self):
        self.into_postgres("csv")

    def test_jsonl_to_mysql(self):
        self.into_mysql("jsonl")

    def into_postgres(self, form):
        self.into_server(self.postgres, self.copied(self.shop, form + ":" + self.path("files")), dump,
                         "DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def into_mysql(self, form):
        self.into_server(self.mysql, self.copied(self.shop, form + ":" + self.path("files")),
                         lambda server, name: {table: rows for table, rows in server.rows(name).items() if not table.startswith("_transhume")},
                         "DROP DATABASE TARGET; CREATE DATABASE TARGET")


class OtherPairs(KillSqlFiles):
    """The same code paths in other company: one of them in each ordinary run."""
    test_postgres_to_csv = test_mysql_to_jsonl = test_postgres_to_dynamodb_json = test_csv_to_postgres = test_jsonl_to_mysql = None

    def test_mysql_to_csv(self):
        self.into_folder(self.shop_in(self.mysql), "csv:out?file_bytes=2KiB", csv_rows,
                         lambda whole: {table: [dict(zip(*heads, row)) for row in rows] for table, (heads, rows) in whole.items()})

    def test_postgres_to_jsonl(self):
        self.into_folder(self.shop_in(self.postgres), "jsonl:out?file_bytes=2KiB", records_by_table,
                         lambda whole: {table: [json.loads(line) for line in lines] for table, lines in whole.items()})

    def test_mysql_to_dynamodb_json(self):
        os.remove(self.shop)
        make_source(self.shop, keyless=False)
        name = self.mysql.database()
        self.copied(self.shop, self.mysql.uri(name))
        expected = plain_items(self.shop)
        self.matrix([*OPTIONS, self.mysql.uri(name), "dynamodb-json:out"],
                    lambda folder: self.assert_items(expected, os.path.join(folder, "out")))

    def test_jsonl_to_postgres(self):
        self.into_postgres("jsonl")

    def test_csv_to_mysql(self):
        self.into_mysql("csv")

    def out_of_items(self, server, kind):
        os.remove(self.shop)
        make_source(self.shop, keyless=False)
        name, source = server.database(), self.copied(self.shop, "dynamodb-json:" + self.path("items"))
        self.empty_target = lambda: server.ask("" if kind == "mysql" else name, EMPTY[kind].replace("TARGET", name))
        self.matrix(["--plan", self.write("plan.yaml", PLAN), "--state", "state", *OPTIONS[:4], source, server.uri(name)],
                    lambda folder: self.assertEqual(values_in(server, kind, name), values_of(self.shop)))

    def test_dynamodb_json_to_postgres(self):
        self.out_of_items(self.postgres, "postgres")

    def test_dynamodb_json_to_mysql(self):
        self.out_of_items(self.mysql, "mysql")


# Before any is drawn.
ALL = {name: getattr(kind, name) for kind in (KillSqlFiles, OtherPairs) for name in dir(kind) if name.startswith("test_") and getattr(kind, name)}
sample_tests(OtherPairs, 1)


if __name__ == "__main__":
    unittest.main()
