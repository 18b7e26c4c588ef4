"""
`source_since_run` of a validation, by each source's own proof: as the run read it, changed (by another client), or not
to be known.
"""
import json
import os
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import dynamodb_case
import mariadb
import mysql
import postgres
import servers
import support

ROWS = 40


class SinceRun(support.TestCase):
    """
    `make()` gives the source's URI, `change()` alters a record of it that a target shows, `change_unseen()` one of no
    concern.
    """

    environment = None

    def told(self, *arguments, code=0):
        result = self.run_program("validate", "--json", *arguments, code=code, env=self.environment)
        report = json.loads(result.out)
        self.assertIn("state", os.listdir(self.folder))
        words = self.run_program("validate", *arguments, code=code, env=self.environment).out
        return report["source_since_run"], " ".join(report["notes"]), words.replace("\n", " ")

    def migrated(self):
        uri = self.make()
        self.write("plan.yaml",
                   "transhume: 1\nsource: '%s'\ntarget: sqlite:copy.db\ntables:\n  tee: { key: [id], "
                   "entities: { tee: { from: tee, "
                   "fields: { id: { column: id, cast: int64 }, v: { column: v, cast: text } } } } }\n" % uri)
        self.run_program("migrate", "--state", "state", "--plan", "plan.yaml", env=self.environment)
        self.assertEqual(sum(support.sqlite_counts(self.path("copy.db")).values()), ROWS)

    def damage(self):
        """In the target, so that there is a difference to be explained."""
        support.make_sqlite(self.path("copy.db"), "UPDATE tee SET v = 'damaged' WHERE v LIKE '%7'")

    def says(self, word):
        damaged = {"unchanged": "the source is as the run read it, so differences are damage",
                   "changed": "the source changed since the run read it"}
        state = ("--state", "state")
        for level in ("hash", "full"):
            with self.subTest(level=level):
                known, notes, words = self.told(*state, "--level", level, code=1)
                self.assertEqual(known, word)
                self.assertEqual("the source changed since run" in notes, word == "changed", notes)
                for name, text in damaged.items():
                    self.assertEqual(text in words, name == word, words)


class Proven(SinceRun):
    """For sources that prove it."""
    one_database_each = True

    def test_unchanged(self):
        self.migrated()
        self.assertEqual(self.told("--state", "state")[0], "unchanged")
        self.damage()
        self.says("unchanged")

    def test_changed(self):
        self.migrated()
        self.change()
        self.says("changed")


class Postgres(Proven):
    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls, settings={"autovacuum": "off"})

    def make(self):
        self.name = self.server.database()
        self.ask("CREATE TABLE tee(id int PRIMARY KEY, v text); INSERT INTO tee SELECT i, "
                 "'v' || i FROM generate_series(1, %d) i" % ROWS)
        return self.server.uri(self.name)

    def ask(self, sql):
        self.server.psql(self.name, sql)

    def change(self):
        self.ask("UPDATE tee SET v = 'later' WHERE id = 9")

    def test_changed_elsewhere_in_the_cluster(self):
        """The proof is the cluster's transaction ids, and these tell nothing of where."""
        self.migrated()
        self.damage()
        self.server.psql(self.server.database(), "CREATE TABLE another(a int)")
        self.says("changed")


class Mysql(Proven):
    WITHOUT_TRANSACTIONS = "Aria"

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def make(self, options=""):
        self.name = self.server.database()
        self.ask("CREATE TABLE tee(id int PRIMARY KEY, v varchar(40)); INSERT INTO tee WITH RECURSIVE n(i) AS "
                 "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT i, concat('v', i) FROM n" % ROWS)
        return self.server.uri(self.name, options)

    def ask(self, sql):
        self.server.ask(self.name, sql)

    def change(self):
        self.ask("UPDATE tee SET v = 'later' WHERE id = 9")

    def test_a_table_that_no_counter_tells_of(self):
        """One that is not InnoDB's: its changes move no counter."""
        self.make = self.make_with_another
        self.run_program("migrate", "--state", "state", "--include", "tee", self.make(), "copy.db")
        self.damage()
        self.says("unknown")

    def make_with_another(self):
        uri = Mysql.make(self)
        self.ask("CREATE TABLE aside(a int) ENGINE=" + self.WITHOUT_TRANSACTIONS)
        return uri


class Mysql9(Mysql):
    WITHOUT_TRANSACTIONS = "MyISAM"

    @classmethod
    def setUpClass(cls):
        cls.server = mysql.for_class(cls)


class Files:
    """Of files: names, sizes and times of change."""

    def part(self, number=1):
        return self.path("in", "tee", "part-%d%s" % (number, self.suffix))

    def make(self):
        os.makedirs(self.path("in", "tee"))
        with open(self.part(), "w", encoding="utf-8") as file:
            file.write(self.head + "".join(self.line(i, "v%d" % i) for i in range(1, ROWS + 1)))
        return self.scheme + ":in"

    def change(self):
        with open(self.part(), encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(text.count(self.line(9, "v9")), 1)
        with open(self.part(), "w", encoding="utf-8") as file:
            file.write(text.replace(self.line(9, "v9"), self.line(9, "w9")))

    def test_another_file_and_another_time(self):
        """A file more, and one whose bytes are the same, but not its time: it may have been written."""
        for what in ("file", "time"):
            with self.subTest(what=what):
                self.setUp()
                self.migrated()
                self.damage()
                if what == "time":
                    os.utime(self.part(), (1, 1))
                else:
                    with open(self.part(2), "w", encoding="utf-8") as file:
                        file.write(self.head + self.line(900, "v900"))
                self.says("changed")


class Csv(Files, Proven):
    scheme, suffix, head = "csv", ".csv", "id,v\n"

    def line(self, number, text):
        return "%d,%s\n" % (number, text)


class Jsonl(Files, Proven):
    scheme, suffix, head = "jsonl", ".jsonl", ""

    def line(self, number, text):
        return json.dumps({"id": number, "v": text}) + "\n"


class DynamodbJson(Files, Proven):
    scheme, suffix, head = "dynamodb-json", ".json", ""

    def line(self, number, text):
        return json.dumps({"Item": {"id": {"N": str(number)}, "v": {"S": text}}}) + "\n"


class Dynamodb(dynamodb_case.DynamodbCase, SinceRun):
    """Nothing there tells of changes."""

    def setUp(self):
        super().setUp()
        self.environment = servers.aws_environment(self.folder)

    def make(self):
        self.client.create_table(TableName="tee", BillingMode="PAY_PER_REQUEST",
                                 KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                                 AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}])
        self.client.get_waiter("table_exists").wait(TableName="tee", WaiterConfig={"Delay": 1})
        for i in range(1, ROWS + 1):
            self.client.put_item(TableName="tee", Item={"id": {"N": str(i)}, "v": {"S": "v%d" % i}})
        return self.uri()

    def test_unknown(self):
        self.migrated()
        self.assertEqual(self.told("--state", "state")[0], "unknown")
        self.damage()
        self.says("unknown")

    def test_unknown_when_changed(self):
        self.migrated()
        self.client.put_item(TableName="tee", Item={"id": {"N": "9"}, "v": {"S": "later"}})
        self.says("unknown")


del SinceRun, Proven  # noqa: F821

if __name__ == "__main__":
    unittest.main()
