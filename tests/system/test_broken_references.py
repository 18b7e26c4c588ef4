"""Foreign keys that not every record obeys: named, counted, and told by the exit status, in each target that has them."""
import json
import os
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "servers"))
import mariadb
import postgres
import support

SCRIPT = """
CREATE TABLE parent(id INTEGER PRIMARY KEY);
CREATE TABLE child(id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent(id), other INTEGER REFERENCES parent(id));
CREATE TABLE fine(id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent(id));
INSERT INTO parent VALUES (1), (2);
INSERT INTO child VALUES (10, 1, NULL), (11, 7, 2), (12, 8, 1), (13, NULL, NULL), (14, 9, 1), (15, 9, 2);
INSERT INTO fine VALUES (1, 2);
"""


PLAN = """
transhume: 1
tables:
  parent: { from: parent, key: [id] }
  child: { from: child, key: [id], references: { parent_id: parent.id, other: parent.id } }
  fine: { from: fine, key: [id], references: { parent_id: parent.id } }
"""


class Cases:
    NAMED = "4 rows have no partner, the first of them: id 11; id 12; id 14"

    OPTIONS = ()

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), SCRIPT)
        self.write("plan.yaml", PLAN)

    def target(self):
        raise NotImplementedError

    def rows(self, target):
        raise NotImplementedError

    def state(self):
        with open(self.path(".transhume", "state.json"), encoding="utf-8") as file:
            return json.load(file)

    def test_it_is_told_and_all_arrives(self):
        target = self.target()
        result = self.run_program("migrate", "--json", *self.OPTIONS, "source.db", target, code=1)
        self.assertEqual(json.loads(result.out)["broken_references"], 1)
        self.assertIn(self.NAMED, result.err)
        self.assertIn("1 foreign key is missing, or not obeyed by every record", result.err)
        self.assertEqual(self.rows(target), 6)
        self.assertEqual(self.state()["broken_references"], 1)
        self.assertIn("foreign keys: missing, or not every record has a partner", self.run_program("status").out)
        with open(self.path(".transhume", "report.html"), encoding="utf-8") as file:
            page = file.read()
        self.assertIn("done, foreign keys broken", page)
        self.assertIn("Foreign keys are missing in the target, or records break them", page)
        self.run_program("validate", *self.OPTIONS, "source.db", target)
        with open(self.path(".transhume", "report.md"), encoding="utf-8") as file:
            page = file.read()
        self.assertIn("Foreign keys are missing in the target, or records break them", page)
        self.assertNotIn("Nothing is left to do", page)

    def test_after_a_kill_too(self):
        for point in ("engine.after_after_load", "engine.before_completed"):
            with self.subTest(point=point):
                target = self.target()
                arguments = ("--state", point, *self.OPTIONS, "source.db", target)
                self.assertEqual(support.kill_at(point, 1, "migrate", *arguments, cwd=self.folder).code, -9)
                result = self.run_program("resume", "--json", *arguments, code=1)
                self.assertEqual(json.loads(result.out)["broken_references"], 1)

    def test_without_any_the_exit_status_is_0(self):
        support.make_sqlite(self.path("source.db"), "DELETE FROM child WHERE parent_id > 2")
        result = self.run_program("migrate", "--json", *self.OPTIONS, "source.db", self.target())
        self.assertEqual(json.loads(result.out)["broken_references"], 0)


class Sqlite(Cases, support.TestCase):
    """By a plan: a whole copy of a database that enforces none is as good as its source."""
    NAMED = "table child, rowid 12: its foreign key finds no row in parent"
    OPTIONS = ("--plan", "plan.yaml")

    def target(self):
        return "sqlite:copy-%d.db" % len(os.listdir(self.folder))

    def rows(self, target):
        return support.sqlite_counts(self.path(target.split(":")[1]))["child"]


    def test_a_whole_copy_is_as_good_as_its_source(self):
        result = self.run_program("migrate", "--json", "source.db", "whole.db")
        self.assertEqual(json.loads(result.out)["broken_references"], 0)
        self.assertIn(self.NAMED, result.err)


class Refused:
    """Keys that the server does not make of what the plan says: SQLite compares a text with a number, and looks for no unique key."""

    def test_a_key_that_the_server_does_not_make(self):
        path = support.make_sqlite(self.path("odd.db"), """
CREATE TABLE parent(id INTEGER PRIMARY KEY, code TEXT);
CREATE TABLE child(id INTEGER PRIMARY KEY, parent_id TEXT REFERENCES parent(id), fine INTEGER REFERENCES parent(id));
INSERT INTO parent VALUES (1, 'a'); INSERT INTO child VALUES (1, '1', 1), (2, NULL, NULL);""")
        for options in ((), ("--broken-references", "reject")):
            with self.subTest(options):
                target, state = self.target(), "state%d" % len(options)
                result = self.run_program("migrate", "--json", "--state", state, *options, path, target, code=1)
                self.assertEqual(json.loads(result.out)["broken_references"], 1)
                self.assertEqual(result.err.count("child: the foreign key to parent is not made"), 1, result.err)
                self.assertIn("1 foreign key is missing, or not obeyed by every record", result.err)
                self.assertEqual(self.rows(target), 2)

    def test_one_beside_records_without_a_partner(self):
        support.make_sqlite(self.path("source.db"), "CREATE TABLE odd(id INTEGER PRIMARY KEY, parent_id TEXT REFERENCES parent(id))")
        for options, broken in ((), 2), (("--broken-references", "reject"), 1):
            with self.subTest(options):
                result = self.run_program("migrate", "--json", "--state", "state%d" % broken, *options, "source.db", self.target(), code=1)
                self.assertEqual(json.loads(result.out)["broken_references"], broken)
                self.assertEqual(result.err.count("odd: the foreign key to parent is not made"), 1, result.err)


class Postgres(Refused, Cases, support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def target(self):
        return self.server.uri(self.server.database())

    def rows(self, target):
        return int(self.server.psql(target.rsplit("/", 1)[1], "SELECT count(*) FROM child")[0][0])

    def test_a_key_that_the_source_did_not_check_either(self):
        """Such a copy is as good as its source."""
        source, target = self.server.database(), self.server.database()
        self.server.psql(source, "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int); INSERT INTO c VALUES (1, 5);"
                                 "ALTER TABLE c ADD CONSTRAINT c_p FOREIGN KEY (p_id) REFERENCES p NOT VALID")
        result = self.run_program("migrate", "--json", self.server.uri(source), self.server.uri(target))
        self.assertEqual(json.loads(result.out)["broken_references"], 0)
        self.assertIn("1 row has no partner: id 1", result.err)


class Mysql(Refused, Cases, support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def target(self):
        return self.server.uri(self.server.database())

    def rows(self, target):
        return int(self.server.ask(target.rsplit("/", 1)[1], "SELECT count(*) FROM child")[0][0])


if __name__ == "__main__":
    unittest.main()
