"""
Foreign keys that not every record obeys: named, counted, and told by the exit status, in each target that has them.
"""
import json
import os
import re
import signal
import sqlite3
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
    one_database_each = True

    NAMED = "4 orphaned rows, the first of them: id 11; id 12; id 14"

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
        self.assertIn("1 foreign key is missing or broken", result.err)
        self.assertEqual(self.rows(target), 6)
        self.assertEqual(self.state()["broken_references"], 1)
        self.assertIn("foreign keys: missing or broken", self.run_program("status").out)
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


KINDS = ("INTEGER", "REAL", "NUMERIC", "BOOLEAN", "TEXT", "BLOB", "DATE", "JSON", "UUID")


def refused(ask):
    """What the server says against a statement; None if it carries it out."""
    try:
        ask()
    except AssertionError as fault:
        return str(fault)
    return None


class Refused:
    """
    Keys that the server does not make of what the plan says: SQLite compares a number with another one of any kind.
    """
    one_database_each = True

    def test_kinds_that_the_server_does_not_compare_are_told_before(self):
        """
        Each kind that refers to each: those told are refused by the server, and those not told are there in the end or
        counted.
        """
        script = "".join("CREATE TABLE p%d(id %s PRIMARY KEY);" % (number, kind) for number, kind in enumerate(KINDS))
        script += "CREATE TABLE c(id INTEGER PRIMARY KEY, %s);" % ", ".join(
            "k%d_%d %s REFERENCES p%d(id)" % (number, parent, kind, parent)
            for number, kind in enumerate(KINDS) for parent in range(len(KINDS)))
        path, target = support.make_sqlite(self.path("kinds.db"), script), self.target()
        notes = json.loads(self.run_program("check", "--json", path, target).out)["notes"]
        told = {tuple(re.search(r" the foreign key to p(\d+) is not carried: k(\d+)_", note).group(2, 1))
                for note in notes if "compare" in note}
        result = support.transhume("migrate", "--json", path, target, cwd=self.folder)
        broken = json.loads(result.out)["broken_references"]
        self.assertEqual(result.code, 1 if broken else 0, result.err)
        made = self.made(target)
        self.assertEqual(len(made) + len(told) + broken, len(KINDS) ** 2)
        self.assertEqual(made & told, set())
        for child, parent in told:
            self.assertIsNotNone(self.refusal(target, "ALTER TABLE c ADD FOREIGN KEY (k%s_%s) REFERENCES p%s(id)"
                                              % (child, parent, parent)),
                                 (KINDS[int(child)], KINDS[int(parent)]))
        self.assertGreater(len(told), 30)
        self.run_program("check", "--strict", path, self.target(), code=5)

    def test_what_the_plan_asks_for_is_tried(self):
        path = support.make_sqlite(self.path("odd.db"), """
CREATE TABLE parent(id INTEGER PRIMARY KEY); CREATE TABLE child(id INTEGER PRIMARY KEY, parent_id TEXT);
INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, '1');""")
        self.write("asks.yaml", """
transhume: 1
tables:
  parent: { from: parent, key: [id] }
  child: { from: child, key: [id], references: { parent_id: parent.id } }
""")
        target = self.target()
        notes = json.loads(self.run_program("check", "--json", "--plan", "asks.yaml", path, target).out)["notes"]
        said = ("child: the target may refuse the foreign key to parent, which the plan asks for: parent_id is text "
                "and id there int64")
        self.assertEqual([note.partition(", which it does")[0] for note in notes if "foreign key" in note], [said])
        result = self.run_program("migrate", "--json", "--plan", "asks.yaml", path, target, code=1)
        self.assertEqual(json.loads(result.out)["broken_references"], 1)
        self.assertEqual(result.err.count("child: the foreign key to parent is not made"), 1, result.err)

    def test_a_key_that_the_server_does_not_make(self):
        path = support.make_sqlite(self.path("odd.db"), """
CREATE TABLE parent(id INTEGER PRIMARY KEY, code TEXT);
CREATE TABLE child(id INTEGER PRIMARY KEY, parent_id REAL REFERENCES parent(id), fine INTEGER REFERENCES parent(id));
INSERT INTO parent VALUES (1, 'a'); INSERT INTO child VALUES (1, 1.0, 1), (2, NULL, NULL);""")
        for options in ((), ("--broken-references", "reject")):
            with self.subTest(options):
                target, state = self.target(), "state%d" % len(options)
                result = self.run_program("migrate", "--json", "--state", state, *options, path, target, code=1)
                self.assertEqual(json.loads(result.out)["broken_references"], 1)
                self.assertEqual(result.err.count("child: the foreign key to parent is not made"), 1, result.err)
                self.assertIn("1 foreign key is missing or broken", result.err)
                self.assertEqual(self.rows(target), 2)

    def test_one_beside_records_without_a_partner(self):
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE odd(id INTEGER PRIMARY KEY, parent_id REAL REFERENCES parent(id))")
        for options, broken in ((), 2), (("--broken-references", "reject"), 1):
            with self.subTest(options):
                result = self.run_program("migrate", "--json", "--state", "state%d" % broken, *options, "source.db",
                                          self.target(), code=1)
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

    def made(self, target):
        return {tuple(row) for row in self.server.psql(target.rsplit("/", 1)[1], r"""
SELECT (regexp_match(pg_get_constraintdef(oid), '\(k(\d+)_'))[1], substr(confrelid::regclass::text, 2) FROM pg_constraint WHERE contype = 'f'""")}

    def refusal(self, target, sql):
        return refused(lambda: self.server.psql(target.rsplit("/", 1)[1], sql))

    def test_a_key_that_the_source_did_not_check_either(self):
        """Such a copy is as good as its source."""
        source, target = self.server.database(), self.server.database()
        self.server.psql(source,
                         "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p_id int); "
                         "INSERT INTO c VALUES (1, 5);"
                                 "ALTER TABLE c ADD CONSTRAINT c_p FOREIGN KEY (p_id) REFERENCES p NOT VALID")
        result = self.run_program("migrate", "--json", self.server.uri(source), self.server.uri(target))
        self.assertEqual(json.loads(result.out)["broken_references"], 0)
        self.assertIn("1 orphaned row: id 1", result.err)


class Mysql(Refused, Cases, support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def target(self):
        return self.server.uri(self.server.database())

    def rows(self, target):
        return int(self.server.ask(target.rsplit("/", 1)[1], "SELECT count(*) FROM child")[0][0])

    def made(self, target):
        return {tuple(row) for row in self.server.ask(target.rsplit("/", 1)[1], """
SELECT substring_index(substr(column_name, 2), '_', 1), substr(referenced_table_name, 2) FROM information_schema.key_column_usage
WHERE referenced_table_name IS NOT NULL AND table_schema = database()""")}

    def refusal(self, target, sql):
        return refused(lambda: self.server.ask(target.rsplit("/", 1)[1], sql))

    def test_partners_that_are_not_unique(self):
        """
        InnoDB lets a key refer to any index; nobody else does, and SQLite then refuses every write of either table.
        """
        source = self.server.database()
        self.server.ask(source, """
CREATE TABLE p (id INT PRIMARY KEY, code INT, a INT NOT NULL, b INT NOT NULL, KEY (code), UNIQUE (a, b));
CREATE TABLE c (id INT PRIMARY KEY, code INT, a INT, b INT, FOREIGN KEY (code) REFERENCES p (code), FOREIGN KEY (b, a) REFERENCES p (a, b),
                FOREIGN KEY (a) REFERENCES p (a));
INSERT INTO p VALUES (1, 5, 1, 2), (2, 5, 1, 3), (3, 6, 2, 9); INSERT INTO c VALUES (1, 5, 2, 1), (2, NULL, NULL, NULL)""".replace("\n", " "))
        other = postgres.for_class(type(self))
        told = "c: the foreign key to p is not carried: what it refers to is not unique there"
        for target, left in ("sqlite:kept.db", 2), (other.uri(other.database()), 2), (self.target() + "?load=data", 0):
            with self.subTest(target):
                notes = json.loads(self.run_program("check", "--json", self.server.uri(source), target).out)["notes"]
                self.assertEqual(notes.count(told), left, notes)
                result = self.run_program("migrate", "--json", "--state", "state" + target[:2], self.server.uri(source),
                                          target)
                self.assertEqual(json.loads(result.out)["broken_references"], 0)
        db = sqlite3.connect(self.path("kept.db"))
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("INSERT INTO c VALUES (3, 5, 9, 2)")
        with self.assertRaisesRegex(sqlite3.IntegrityError, "FOREIGN KEY"):
            db.execute("INSERT INTO c VALUES (4, 5, 7, 7)")
        db.execute("DELETE FROM c")
        db.execute("DELETE FROM p")
        db.close()



class SqliteCheck(support.TestCase):
    """
    The check of foreign keys in a copy can't be made: only where the keys themselves are the reason it is a warning.
    """

    def test_a_parent_without_a_key_or_none_at_all(self):
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE p(a); CREATE TABLE c(a REFERENCES p(a)); "
                            "CREATE TABLE d(a REFERENCES gone(a));"
                            "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1); INSERT INTO d VALUES (NULL);")
        result = self.run_program("migrate", "source.db", "sqlite:copy.db")
        self.assertIn("warning: table c: its foreign keys can't be checked: foreign key mismatch", result.err)
        self.assert_same_sqlite(self.path("source.db"), self.path("copy.db"))

    def test_a_damaged_index(self):
        support.make_sqlite(self.path("source.db"), """
            CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT UNIQUE, small INTEGER);
            CREATE INDEX counted ON p(small);
            CREATE TABLE c(code TEXT REFERENCES p(code));
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO p SELECT i, 'code ' || i, 1 FROM n;
            INSERT INTO c SELECT code FROM p;""")
        run = self.stopped_at("sqlite.after_objects:stop", "migrate", "source.db", "sqlite:copy.db")
        db = sqlite3.connect(self.path("copy.db"))
        page, = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_p_1'").fetchone()
        size, = db.execute("PRAGMA page_size").fetchone()
        db.close()
        with open(self.path("copy.db"), "r+b") as file:
            file.seek((page - 1) * size)
            file.write(bytes(size))
        run.send_signal(signal.SIGCONT)
        result = support.finish(run)
        self.assert_code(result, 3)
        self.assertNotIn("warning: ", result.err)
        self.assertIn("error: copy.db: its foreign keys can't be checked: database disk image is malformed "
                      "[target-invalid]", result.err)

if __name__ == "__main__":
    unittest.main()
