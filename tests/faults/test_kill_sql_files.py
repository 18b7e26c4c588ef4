"""The kill matrix between SQL servers and files: out of one into folders, and the other way round."""
import os
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import engines
from engines import rows
import mariadb
import postgres
import support
from kill_matrix import KillMatrix, make_source, plain_items, sample_tests
from test_kill_csv import csv_rows
from test_kill_jsonl import records_by_table
from test_kill_postgres import dump
from test_kill_sql_dynamodb import EMPTY, PLAN

OPTIONS = ["--chunk-rows", "100", "--jobs", "2", "--exclude", "found*"]


class KillSqlFiles(KillMatrix):
    """Expected is what a copy that nobody disturbs leaves, once it is seen to hold what the source does."""

    @classmethod
    def setUpClass(cls):
        cls.mysql = mariadb.for_class(cls)
        cls.postgres = postgres.for_class(cls, settings={"autovacuum": "off"})

    def setUp(self):
        super().setUp()
        self.shop = self.path("shop.db")
        make_source(self.shop, keyless=True)
        self.held = engines.sqlite.contents(self.shop, left_out="found")

    def server_of(self, kind):
        return {"postgres": self.postgres, "mysql": self.mysql}[kind]

    def copied(self, source, target):
        self.assert_code(support.transhume("migrate", "--state", "state-of-" + str(target).split(":")[0], *OPTIONS,
                                           source, target,
                                           cwd=self.folder), 0)
        return target

    def assert_whole(self, server, name):
        rows.assert_same(self, self.held, (engines.mysql.contents if server is self.mysql
                                           else engines.postgres.contents)(server, name))

    def shop_in(self, server):
        name = server.database()
        self.copied(self.shop, server.uri(name))
        self.assert_whole(server, name)
        return server.uri(name)

    def into_server(self, server, source, told, empty):
        whole, target = server.database(), server.database()
        self.copied(source, server.uri(whole))
        self.assert_whole(server, whole)
        expected = told(server, whole)
        self.empty_target = lambda: server.ask("" if server is self.mysql else target, empty.replace("TARGET", target))
        self.everything = lambda: (server.rows(target), server.dump(target))
        self.matrix([*OPTIONS, source, server.uri(target)], lambda folder: self.assertEqual(told(server, target),
            expected))

    def into_csv(self, source):
        self.copied(source, "csv:" + self.path("whole"))
        rows.assert_same(self, rows.without_empty(self.held), engines.csv.contents(self.path("whole"), self.held))
        self.into_folder(source, "csv:out?file_bytes=2KiB", csv_rows)

    def into_jsonl(self, source):
        self.copied(source, "jsonl:" + self.path("whole"))
        rows.assert_same(self, self.held, engines.jsonl.contents(self.path("whole"), self.held))
        self.into_folder(source, "jsonl:out?file_bytes=2KiB", records_by_table)

    def into_folder(self, source, target, told):
        expected = told(self.path("whole"))
        self.matrix([*OPTIONS, source, target], lambda folder: self.assertEqual(told(os.path.join(folder, "out")),
                                                                                expected))

    def test_postgres_to_csv(self):
        self.into_csv(self.shop_in(self.postgres))

    def test_mysql_to_jsonl(self):
        self.into_jsonl(self.shop_in(self.mysql))

    def test_postgres_to_dynamodb_json(self):
        self.into_items(self.postgres)

    def with_keys(self):
        """The shop again, without what no items can be made of."""
        os.remove(self.shop)
        make_source(self.shop, keyless=False)
        self.held = engines.sqlite.contents(self.shop)

    def into_items(self, server):
        self.with_keys()
        source, expected = self.shop_in(server), plain_items(self.shop)
        self.matrix([*OPTIONS, source, "dynamodb-json:out"], lambda folder: self.assert_items(expected,
            os.path.join(folder, "out")))

    def test_csv_to_postgres(self):
        self.into_postgres("csv")

    def test_jsonl_to_mysql(self):
        self.into_mysql("jsonl")

    def into_postgres(self, form):
        self.into_server(self.postgres, self.copied(self.shop, form + ":" + self.path("files")), dump,
                         "DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def into_mysql(self, form):
        self.into_server(self.mysql, self.copied(self.shop, form + ":" + self.path("files")),
                         lambda server, name: {table: rows for table, rows in server.rows(name).items()
                                               if not table.startswith("_transhume")},
                         "DROP DATABASE TARGET; CREATE DATABASE TARGET")


class OtherPairs(KillSqlFiles):
    """The same code paths in other company: one of them in each ordinary run."""
    test_postgres_to_csv = None
    test_mysql_to_jsonl = None
    test_postgres_to_dynamodb_json = None
    test_csv_to_postgres = None
    test_jsonl_to_mysql = None

    def test_mysql_to_csv(self):
        self.into_csv(self.shop_in(self.mysql))

    def test_postgres_to_jsonl(self):
        self.into_jsonl(self.shop_in(self.postgres))

    def test_mysql_to_dynamodb_json(self):
        self.into_items(self.mysql)

    def test_jsonl_to_postgres(self):
        self.into_postgres("jsonl")

    def test_csv_to_mysql(self):
        self.into_mysql("csv")

    def out_of_items(self, server, kind):
        self.with_keys()
        name, source = server.database(), self.copied(self.shop, "dynamodb-json:" + self.path("items"))
        self.empty_target = lambda: server.ask("" if kind == "mysql" else name, EMPTY[kind].replace("TARGET", name))
        self.everything = lambda: (server.rows(name), server.dump(name))
        self.matrix(["--plan", self.write("plan.yaml", PLAN), "--state", "state", *OPTIONS[:4], source,
                     server.uri(name)],
                    lambda folder: self.assert_whole(server, name))

    def test_dynamodb_json_to_postgres(self):
        self.out_of_items(self.postgres, "postgres")

    def test_dynamodb_json_to_mysql(self):
        self.out_of_items(self.mysql, "mysql")


# Before any is drawn.
ALL = {name: getattr(kind, name) for kind in (KillSqlFiles, OtherPairs) for name in dir(kind)
       if name.startswith("test_") and getattr(kind, name)}
sample_tests(OtherPairs, 1)


if __name__ == "__main__":
    unittest.main()
