"""What goes wrong around a validation and a repair where a server keeps one side, or files the source: each is said in
one clear line,
and none does harm.

The same over targets that are files is in test_bad_input_validate. Here the verifier stands still (SIGSTOP) in the
midst of reading while
somebody comes in between.
"""
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import dynamodb_case
import items
import mariadb
import postgres
import servers
import support
from fault_proxy import FaultProxy

ROWS = 1500
SLOWLY = ("--level", "full", "--rows-per-second", 1500)
REPAIR = ("validate", "--repair", "--delete-extra", "--confirm")
PLAN = """
transhume: 1
source: sqlite:shop.db
target: %s
tables: { sheep: { key: [id], entities: { sheep: { from: sheep, where: "id <= %d", fields: { "*": copy } } } } }
"""


def make(path, rows):
    support.make_sqlite(path, """CREATE TABLE sheep(id INTEGER PRIMARY KEY, w TEXT); CREATE TABLE wool(id INTEGER PRIMARY KEY, w TEXT);
        WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) INSERT INTO sheep SELECT i, 'name ' || i FROM c;
        INSERT INTO wool VALUES (1, 'one');""" % rows)


class Case(support.TestCase):
    def environment(self):
        return None

    def run_program(self, *arguments, **options):
        return super().run_program(*arguments, env=self.environment(), **options)

    def report(self, *arguments, code=0):
        return json.loads(self.run_program("validate", "--json", *arguments, code=code).out)

    def stopped(self, side):
        """A verifier stopped when it has read something of that side, and not all."""
        return self.stopped_at("verify.%s_waits:stop:1" % side, "validate", "--json", *SLOWLY, env=self.environment())

    @staticmethod
    def go_on(process):
        process.send_signal(signal.SIGCONT)
        return support.finish(process)

    def assert_said(self, result, code, words):
        """In one line."""
        self.assert_code(result, code)
        errors = [line for line in result.err.splitlines() if line.startswith("error:")]
        self.assertEqual(len(errors), 1, result.err)
        self.assertRegex(errors[0], words)


class Sql(Case):
    """A server's database by its own client."""
    @classmethod
    def setUpClass(cls):
        cls.server = cls.SERVERS.for_class(cls)

    def new(self):
        self.name = self.server.database()
        return self.server.uri(self.name)

    def held(self):
        return {table: rows for table, rows in self.server.rows(self.name).items() if "_transhume" not in str(table)}

    def change_one(self, number):
        self.server.ask(self.name, "UPDATE sheep SET w = 'other' WHERE id = %d" % number)

    def drop(self, table):
        """By somebody who waits for those who read it; what waits for him."""
        session = self.server.session(self.name)
        self.addCleanup(session.close)
        session.send("DROP TABLE %s" % table)
        return session.close


class Postgres(Sql):
    SERVERS = postgres

    @contextlib.contextmanager
    def read_only(self):
        self.server.ask("postgres", "ALTER DATABASE %s SET default_transaction_read_only = on" % self.name)
        yield ()
        self.server.ask("postgres", "ALTER DATABASE %s RESET default_transaction_read_only" % self.name)


class Mysql(Sql):
    SERVERS = mariadb

    @contextlib.contextmanager
    def read_only(self):
        self.server.ask("",
                        "CREATE OR REPLACE USER w@'127.0.0.1'; GRANT ALL ON `%s`.* TO w@'127.0.0.1'; "
                        "SET GLOBAL read_only = 1" % self.name)
        yield ("shop.db", self.server.uri(self.name).replace("root@", "w@"))
        self.server.ask("", "SET GLOBAL read_only = 0")


class Dynamodb(dynamodb_case.DynamodbCase, Case):
    """Through a proxy, which gives small pages."""
    def setUp(self):
        super().setUp()
        self.proxy = FaultProxy(self.server.endpoint, support.SEED)
        self.addCleanup(self.proxy.stop)

    def environment(self):
        return servers.aws_environment(self.folder)

    def new(self):
        items.empty(self.client)
        self.proxy.clear()
        self.proxy.add("short_page", limit=100)
        return self.uri(self.proxy.endpoint)

    def held(self):
        return {table: sorted(map(items.canonical, found)) for table, found in items.everything(self.client).items()}

    def change_one(self, number):
        self.client.put_item(TableName="sheep", Item={"id": {"N": str(number)}, "w": {"S": "other"}})

    def drop(self, table):
        self.client.delete_table(TableName=table)
        items.wait_gone(self.client, table)
        return lambda: None

    @contextlib.contextmanager
    def read_only(self):
        for operation in ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "CreateTable", "UpdateTable",
                          "TransactWriteItems"):
            self.proxy.add("refuse", operation=operation, code="AccessDeniedException",
                           message="User: arn:aws:iam::1:user/x is not authorized to perform: dynamodb:" + operation)
        yield ()
        self.proxy.clear()


class Target:
    """The server's database is the target."""
    snapshot = True

    def copied(self, rows=ROWS):
        make(self.path("shop.db"), rows)
        self.place = self.new()
        self.run_program("migrate", "-q", "shop.db", self.place)

    def test_altered_under_the_verifier(self):
        self.copied()
        process = self.stopped("target")
        self.change_one(1499)
        result = self.go_on(process)
        if self.snapshot:
            self.assert_code(result, 0)  # one moment of it was compared
        elif result.code != 0:
            self.assertEqual([record["key"] for record in json.loads(result.out)["records"]], [{"id": 1499}])
        self.assertEqual([(record["kind"], record["key"]) for record in self.report(code=1)["records"]],
                         [("different", {"id": 1499})])
        self.run_program("validate", "--repair")
        self.run_program("validate")

    def test_a_plan_changed_since_the_run(self):
        make(self.path("shop.db"), 20)
        self.place = self.new()
        self.write("transhume.yaml", PLAN % (self.place, 15))
        self.run_program("migrate", "-q")
        before = self.held()
        self.write("transhume.yaml", PLAN % (self.place, 10))
        self.assert_said(self.run_program(*REPAIR, code=5), 5, r"\[plan-changed\]")
        self.assertEqual(self.held(), before)
        # meant: records that the plan selects no more are extra, and go only when that is said
        self.assertEqual([record["kind"] for record in self.report("--plan", "transhume.yaml", code=1)["records"]],
                         ["extra"] * 5)
        self.assertEqual(self.held(), before)

    def test_two_verifiers_at_once(self):
        self.copied()
        process = self.stopped("target")
        refused = self.run_program("validate", code=5)
        self.assert_said(refused, 5, r"\[run-held\]")
        self.assertIn(str(process.pid), refused.err)
        # its own folder: neither minds the other
        self.run_program("validate", "--state", "other", "shop.db", self.place)
        self.assert_code(self.go_on(process), 0)

    def test_a_repair_where_nothing_may_be_written(self):
        self.copied(20)
        self.change_one(7)
        before = self.held()
        with self.read_only() as endpoints:
            result = support.transhume(*REPAIR, *endpoints, cwd=self.folder, env=self.environment())
            self.assertIn(result.code, (2, 3), result.err)
            self.assert_said(result, result.code, r"[Rr]ead.only|not authorized")
        self.assertEqual(self.held(), before)
        again = support.transhume("resume", cwd=self.folder, env=self.environment())  # no repair began, or it goes on
        self.assertTrue(again.code == 0 or "[run-nothing]" in again.err, again.err)
        self.run_program("validate", "--repair")
        self.run_program("validate")


class PostgresTarget(Postgres, Target):
    pass


class MysqlTarget(Mysql, Target):
    pass


class DynamodbTarget(Dynamodb, Target):
    snapshot = False

    def test_dropped_under_the_verifier(self):
        self.copied()
        process = self.stopped("target")
        self.drop("sheep")
        result = self.go_on(process)
        self.assert_said(result, 3, "the target: sheep")
        self.assertIn("validate` again", result.err)
        self.assertEqual([(row["name"], row["missing"]) for row in self.report(code=1)["entities"]],
                         [("sheep", ROWS), ("wool", 0)])
        self.run_program("validate", "--repair")
        self.run_program("validate")


class Source:
    """The server's database is the source, and sqlite:copy.db the target."""
    # A table that is being read can't be dropped until that is over; one that is not read yet makes the reader wait
    # behind who drops it,
    # as long as it waits for locks.
    TABLES = ("sheep", "wool") if support.SOAK else ("sheep",)

    def copied(self):
        make(self.path("shop.db"), ROWS)
        self.place = self.new()
        self.run_program("migrate", "-q", "--state", "begin", "shop.db", self.place)
        self.run_program("migrate", "-q", *self.plan(), self.place, "sqlite:copy.db")

    def plan(self):
        return ()

    def target(self):
        db = sqlite3.connect(self.path("copy.db"))
        rows = [db.execute("SELECT * FROM %s ORDER BY id" % table).fetchall() for table in ("sheep", "wool")]
        db.close()
        return rows

    def assert_no_harm(self, before):
        """Whatever a repair says: records that nobody has any more are not taken for extra ones."""
        refused = support.transhume(*REPAIR, cwd=self.folder, env=self.environment())
        self.assertIn(refused.code, (2, 3, 5), refused.err)
        self.assert_said(refused, refused.code, "sheep|wool|one came, went")
        self.assertEqual(self.target(), before)

    def test_dropped_under_the_verifier(self):
        for table in self.TABLES:
            with self.subTest(table=table):
                shutil.rmtree(self.folder)
                os.mkdir(self.folder)
                self.copied()
                before = self.target()
                process = self.stopped("source")
                wait_for_it = self.drop(table)
                result = self.go_on(process)
                wait_for_it()
                if result.code != 0:
                    self.assert_said(result, 3, table)
                    self.assertIn("`transhume validate`", result.err)
                self.assertEqual(self.target(), before)
                self.assert_no_harm(before)


class PostgresSource(Postgres, Source):
    pass


class MysqlSource(Mysql, Source):
    pass


class FilesSource(Source, Case):
    TABLES = ("sheep", "wool")

    def new(self):
        return "%s:in" % self.KIND

    def drop(self, table):
        shutil.rmtree(self.path("in", table))
        return lambda: None


class CsvSource(FilesSource):
    KIND = "csv"


class JsonlSource(FilesSource):
    KIND = "jsonl"


class DynamodbSource(Dynamodb, Source):
    TABLES = ("sheep", "wool")

    def plan(self):
        fields = "fields: { id: { column: id, cast: int64 }, w: { column: w, cast: text } }"
        return ("--plan", self.write("plan.yaml", "transhume: 1\nsource: none\ntarget: none\ntables:\n"
                                     "  sheep: { key: [id], from: sheep, %s }\n  wool: { key: [id], from: wool, %s }\n"
                                     % (fields, fields)))


del FilesSource


if __name__ == "__main__":
    unittest.main()
