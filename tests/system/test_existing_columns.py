"""
Columns of a SQL target's tables that were there before the run, and that give values by themselves: generated ones, and
counters.
"""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import mariadb
import postgres
import refusals
import sql_case
import support

PLAIN = "CREATE TABLE t(id INTEGER PRIMARY KEY, r TEXT, v TEXT); INSERT INTO t VALUES (1, 'a', 'one'), (2, 'b', 'two')"
GENERATED = ("CREATE TABLE t(id INTEGER PRIMARY KEY, r TEXT, v TEXT AS ('x' || r) STORED); INSERT INTO t(id, "
             "r) VALUES (1, 'a'), (2, 'b')")
PLAN = ("transhume: 1\nsource: sqlite:%s\ntarget: '%s'\ntables: { t: { key: id, existing: append, "
        "entities: { e: { from: t, fields: { '*': copy%s } } } } }\n")


class Cases:
    """The target's column v is generated of r."""
    one_database_each = True

    TABLE = "CREATE TABLE t(id int PRIMARY KEY, r varchar(20), v varchar(20) GENERATED ALWAYS AS ('x' || r) STORED)"

    def begin(self, source):
        self.target = self.new_target()
        self.ask(self.TABLE)
        return support.make_sqlite(self.path("shop.db"), source)

    def assert_generated(self):
        self.assertEqual(self.ask("SELECT id, r, v FROM t ORDER BY id"), [["1", "a", "xa"], ["2", "b", "xb"]])

    def test_values_for_a_generated_column_are_not_swallowed(self):
        source = self.begin(PLAIN)
        for policy in ("refuse", "append", "upsert", "replace", "skip"):
            for command in ("check", "migrate"):
                with self.subTest(policy=policy, command=command):
                    self.run_program(command, "--existing", policy, source, self.target, code=2)
        says = ["the column v in the target is generated there", "v: { drop: true }"]
        self.refused("migrate", source, self.target, code=2, name="plan-invalid", says=says)
        plan = self.write("named.yaml", PLAN % (source, self.target, ", v: { column: r }"))
        self.refused("migrate", "--plan", plan, code=2, name="plan-invalid", says=says)
        self.assertEqual(self.ask("SELECT count(*) FROM t"), [["0"]])

    def test_a_plan_that_leaves_it_out(self):
        source = self.begin(PLAIN)
        self.run_program("migrate", "--plan", self.write("dropped.yaml",
                                                         PLAN % (source, self.target, ", v: { drop: true }")))
        self.assert_generated()
        self.run_program("validate", "--level", "full")

    def test_a_source_that_generates_it_too(self):
        source = self.begin(GENERATED)
        self.run_program("migrate", "--existing", "append", source, self.target)
        self.assert_generated()
        self.run_program("validate", "--level", "full")


class Sqlite(sql_case.SqliteTarget, Cases, refusals.TestCase):
    pass


class Server(sql_case.ServerTarget, Cases):
    def test_a_table_without_columns_is_refused_before_the_run(self):
        """PostgreSQL alone has such."""
        source = postgres.for_class(type(self))
        name = source.database()
        source.ask(name,
                   "CREATE TABLE empty(); CREATE TABLE t(id int PRIMARY KEY); INSERT INTO empty DEFAULT VALUES; "
                   "INSERT INTO t VALUES (1)")
        target = self.new_target()
        self.refused("migrate", source.uri(name), target, code=2, name="plan-invalid",
                     says=["empty", "at least one column"])
        self.run_program("check", source.uri(name), target, code=2)
        self.run_program("migrate", "--exclude", "empty", source.uri(name), target)
        self.assertEqual(self.ask("SELECT id FROM t"), [["1"]])


class Postgres(Server, refusals.TestCase):
    SERVERS = postgres


class Mysql(Server, refusals.TestCase):
    SERVERS = mariadb
    TABLE = Cases.TABLE.replace("'x' || r", "concat('x', r)")

    def test_replaced_records_keep_their_numbers(self):
        """A counter's DEFAULT is 0: it would be the number of all of them, and of what refers to them."""
        source = support.make_sqlite(self.path("shop.db"),
                                     "CREATE TABLE t(code TEXT PRIMARY KEY, v TEXT); INSERT INTO t VALUES ('x', "
                                     "'new'), ('y', 'newer'), ('w', 'first')")
        for key in ("PRIMARY KEY", "UNIQUE", ", KEY(id)"):
            with self.subTest(key=key):
                target = self.new_target()
                self.ask("CREATE TABLE t(id int NOT NULL AUTO_INCREMENT %s, code varchar(9) NOT NULL UNIQUE, "
                         "v varchar(9), kind varchar(9) DEFAULT 'plain')" % key)
                self.ask("INSERT INTO t(code, v, kind) VALUES ('x', 'old', 'odd'), ('z', 'z', 'odd'), ('y', "
                         "'old', 'odd')")
                if key == "PRIMARY KEY":
                    self.ask("CREATE TABLE c(id int PRIMARY KEY, t int, FOREIGN KEY (t) REFERENCES t(id) ON UPDATE "
                             "CASCADE)")
                    self.ask("INSERT INTO c VALUES (1, 1), (2, 3)")
                state = ("--state", "s%d" % len(key))
                self.run_program("migrate", *state, "--existing", "replace", source, target)
                replaced = self.ask("SELECT id, code, v, kind FROM t WHERE code IN ('x', 'y', 'z') ORDER BY code")
                self.assertEqual(replaced, [["1", "x", "new", "plain"], ["3", "y", "newer", "plain"],
                                            ["2", "z", "z", "odd"]])
                self.assertGreater(int(self.ask("SELECT id FROM t WHERE code = 'w'")[0][0]), 3)
                if key == "PRIMARY KEY":
                    self.assertEqual(self.ask("SELECT id, t FROM c ORDER BY id"), [["1", "1"], ["2", "3"]])
                self.run_program("validate", *state, "--level", "full")


if __name__ == "__main__":
    unittest.main()
