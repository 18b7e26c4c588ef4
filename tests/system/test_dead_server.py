"""A server that dies in the middle and stays dead: the command ends by itself, says by which command it is gone on
with, and
that one finishes the work once the server is there again."""
import os
import random
import re
import shutil
import signal
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), name)
                for name in ("servers", "faults")]
import items
import mariadb
import postgres
import servers
import support
from dynamodb_case import DynamodbCase
from fault_proxy import FaultProxy

ROWS = 120
CASES_EACH = None if support.SOAK else 2
REPAIR = ("validate", "--repair", "--delete-extra", "--confirm")


class GoesOn:
    """A SQLite file as the source, and what the program says after a failure."""

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("herd.db"), "CREATE TABLE herd(id INTEGER PRIMARY KEY, wool TEXT);"
                            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
                            "INSERT INTO herd SELECT i, 'wool ' || i FROM n" % ROWS)
        self.random = random.Random("%d %s" % (support.SEED, self.id()))

    def environment(self):
        return None

    def goes_on(self, result, places):
        """Carries out what the message says, with its words for databases replaced."""
        for _ in range(3):
            said = re.findall(r"`transhume ([^`]*)`", re.sub(r"\s+", " ", result.err))
            self.assertTrue(said, result.err)
            words = [word for word in said[0].split() if word not in ("SRC", "DST", "TARGET")]
            result = support.transhume(*words, *places(words[0]), cwd=self.folder, env=self.environment())
            if result.code == 0:
                return
        self.assert_code(result, 0)


class DeadDynamodb(GoesOn, DynamodbCase):
    def environment(self):
        return servers.aws_environment(self.folder)

    def whole(self):
        return [self.item(n, "wool %d" % n) for n in range(1, ROWS + 1)]

    def item(self, n, wool):
        return {"id": {"N": str(n)}, "wool": {"S": wool}}

    def fresh(self):
        items.empty(self.client)
        shutil.rmtree(self.path(".transhume"), ignore_errors=True)

    def damage(self):
        """A record is missing, one is different, one is extra, and more than one request takes."""
        for n in range(1, ROWS, 2):
            self.client.put_item(TableName="herd", Item=self.item(n, "moth-eaten"))
        self.client.delete_item(TableName="herd", Key={"id": {"N": "2"}})
        self.client.put_item(TableName="herd", Item={"id": {"N": "-1"}})

    def dies(self, prepare, command, places, check):
        """`places`: the databases that a command names."""
        with FaultProxy(self.server.endpoint, support.SEED) as proxy:
            self.target = self.uri(proxy.endpoint)
            prepare()
            proxy.clear()
            self.run_aws(*command(), *places(command()[0]))
            operations = sorted(set(proxy.operations()))
            check()
            if CASES_EACH:
                operations = self.random.sample(operations, min(CASES_EACH, len(operations)))
            for operation in operations:
                with self.subTest(operation=operation):
                    proxy.clear()
                    self.fresh()
                    prepare()
                    proxy.add("rewrite", operation=operation, count=1, change=lambda _: proxy.add("cut_before"))
                    result = support.transhume(*command(), "--timeout", "500ms", *places(command()[0]), cwd=self.folder,
                                               env=servers.aws_environment(self.folder))
                    self.assertIn(result.code, (0, 3), result.err)  # 0: it was all but over
                    proxy.clear()
                    if result.code != 0:
                        self.goes_on(result, places)
                    check()

    def both(self, name):
        return (self.target,) if name == "rollback" else ("herd.db", self.target)

    def copy(self):
        self.run_aws("migrate", "herd.db", self.target)

    def test_migrate(self):
        self.dies(lambda: None, lambda: ("migrate",), self.both, lambda: self.assert_tables({"herd": self.whole()}))

    def test_repair(self):
        def check():
            """What was cut off before the repair was a run is validated anew, and by then repaired."""
            self.run_aws("validate", "herd.db", self.target)
            self.assert_tables({"herd": self.whole()})

        def prepare():
            self.copy()
            self.damage()

        self.dies(prepare, lambda: REPAIR, self.both, check)

    def test_check(self):
        """Said again, since there is no run to go on with."""
        def prepare():
            items.create(self.client, "herd", (("id", "N"),))
            items.put(self.client, "herd", self.whole())

        self.dies(prepare, lambda: ("check",), lambda _: (self.target, "jsonl:out"), lambda: None)

    def test_rollback(self):
        self.dies(self.copy, lambda: ("rollback", "--run", self.run_id(), "--confirm"), self.both,
                  lambda: self.assertEqual(items.tables(self.client), []))

    def test_rollback_of_records(self):
        """Into a table that was there: record by record, with what was kept of them."""
        def prepare():
            items.create(self.client, "herd", (("id", "N"),))
            items.put(self.client, "herd", [self.item(n, "old") for n in range(100, 130)])
            self.run_aws("migrate", "--existing", "upsert", "herd.db", self.target)

        self.dies(prepare, lambda: ("rollback", "--run", self.run_id(), "--confirm"), self.both,
                  lambda: self.assert_tables({"herd": [self.item(n, "old") for n in range(100, 130)]}))


class DeadSql(GoesOn):
    """
    The server is killed while the program is stopped at one of its failpoints, and started again once the program
    ended.
    """

    def fresh(self):
        shutil.rmtree(self.path(".transhume"), ignore_errors=True)
        self.name = self.server.database()
        self.target = self.server.uri(self.name)

    def whole(self):
        return [[str(n), "wool %d" % n] for n in range(1, ROWS + 1)]

    def rows(self):
        return self.ask("SELECT id, wool FROM herd ORDER BY id")

    def copied(self):
        self.run_program("migrate", "herd.db", self.target)

    def damaged(self):
        self.copied()
        self.ask("UPDATE herd SET wool = 'moth-eaten' WHERE id % 2 = 1")
        self.ask("DELETE FROM herd WHERE id = 2")
        self.ask("INSERT INTO herd VALUES (-1, NULL)")

    def dies(self, prepare, command, check):
        def arguments():
            words = command()
            return (*words, "--timeout", "500ms", *self.places(words[0]))
        self.fresh()
        prepare()
        result, counts = support.count_failpoints(*arguments(), cwd=self.folder)
        self.assert_code(result, 0)
        check()
        names = sorted(counts)
        for name in self.random.sample(names, min(CASES_EACH or len(names), len(names))):
            with self.subTest(failpoint=name):
                self.fresh()
                prepare()
                process = self.stopped_at("%s:stop:1" % name, *arguments(), may_end=True)
                self.server.kill()
                process.send_signal(signal.SIGCONT)
                try:
                    result = support.finish(process)
                finally:
                    self.server.start()
                self.assertIn(result.code, (0, 3), result.err)
                if result.code != 0:
                    self.goes_on(result, self.places)
                check()

    def places(self, name):
        return (self.target,) if name == "rollback" else ("herd.db", self.target)

    def test_migrate(self):
        self.dies(lambda: None, lambda: ("migrate",), lambda: self.assertEqual(self.rows(), self.whole()))

    def test_repair(self):
        def check():
            self.run_program("validate", "herd.db", self.target)
            self.assertEqual(self.rows(), self.whole())
        self.dies(self.damaged, lambda: REPAIR, check)

    def test_rollback(self):
        self.dies(self.copied, lambda: ("rollback", "--run", self.run_id(), "--confirm"),
                  lambda: self.assertEqual(self.ask(self.tables), []))


class DeadPostgres(DeadSql, support.TestCase):
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def ask(self, sql):
        return [list(row) for row in self.server.psql(self.name, sql)]


class DeadMariadb(DeadSql, support.TestCase):
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = database()"

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def ask(self, sql):
        return self.server.ask(self.name, sql)


if __name__ == "__main__":
    unittest.main()
