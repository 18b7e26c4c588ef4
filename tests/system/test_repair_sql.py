"""
`validate --repair` in each SQL target: what it says is repaired stands as the source has it, by the target's own
client.
"""
import contextlib
import itertools
import json
import os
import random
import signal
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import mariadb
import mysql
import postgres
import sql_case
import support

SHARED = """
transhume: 1
source: sqlite:shop.db
target: '%s'
tables:
  mix:
    key: [id]
    entities:
      ea: { from: a }
      eb: { from: b }
"""
SHARED_SOURCE = ("CREATE TABLE a(id INTEGER PRIMARY KEY, n TEXT); CREATE TABLE b(id INTEGER PRIMARY KEY, m INTEGER, "
                 "k TEXT);"
                 "INSERT INTO a VALUES (1, 'x'), (2, 'y'), (3, NULL); INSERT INTO b VALUES (101, 1, 'p'), (102, "
                 "2, NULL);")
SHARED_ROWS = [["1", "x", None, None], ["2", "y", None, None], ["3", None, None, None], ["101", None, "1", "p"],
               ["102", None, "2", None]]

UNIQUE = [[str(number), letter] for number, letter in enumerate("abcdefgh", 1)]


def drawn(count, *lists):
    """In an ordinary run so many of their combinations."""
    cases = list(itertools.product(*lists))
    return cases if support.SOAK else random.Random(support.SEED).sample(cases, min(count, len(cases)))


class Cases:
    """For each target: `ask` lets its own client speak."""
    one_database_each = True

    def setUp(self):
        super().setUp()
        self.target = self.new_target()

    def validate(self, *arguments, code=0):
        return json.loads(self.run_program("validate", "--json", "-q", *arguments, code=code).out)

    def repair(self, *arguments, code=0):
        return self.validate("--repair", *arguments, code=code)

    # --- what is refused

    def test_a_table_that_takes_no_records_any_more_is_refused_before_anything_is_written(self):
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE a(id INTEGER PRIMARY KEY, n TEXT); INSERT INTO a VALUES (1, 'x');"
                                                  "CREATE TABLE b(id INTEGER PRIMARY KEY, n TEXT); "
                                                  "INSERT INTO b VALUES (1, 'x'), (2, 'y')")
        self.run_program("migrate", "-q", "shop.db", self.target)
        copy = self.run_id()
        self.ask("ALTER TABLE a DROP COLUMN n")
        self.ask("UPDATE b SET n = 'damaged' WHERE id = 1")
        self.ask("INSERT INTO b VALUES (9, 'extra')")
        for arguments in ((), ("--delete-extra", "--confirm")):
            refused = self.run_program("validate", "--repair", *arguments, code=5)
            self.assertRegex(refused.err, r"error: a: .*no column n")
            self.assertIn("[not-repairable]", refused.err)
            self.assertIn("nothing was changed; put that right", refused.err)
            self.assertEqual(self.ask("SELECT id, n FROM b ORDER BY id"),
                             [["1", "damaged"], ["2", "y"], ["9", "extra"]])
            self.assertEqual(self.run_id(), copy)
        self.validate(code=1)
        self.ask("ALTER TABLE a ADD n varchar(20)")
        self.repair("--delete-extra", "--confirm")
        self.assertEqual(self.ask("SELECT id, n FROM b ORDER BY id"), [["1", "x"], ["2", "y"]])
        self.assertEqual(self.ask("SELECT id, n FROM a"), [["1", "x"]])

    # --- keys that the table does not keep

    def test_what_a_killed_repair_wrote_stays(self):
        """Records without a key of the table's own make room for what is written: not once more on the way on."""
        rows = [[str(number), "name %d" % number] for number in range(1, 31)]
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO p VALUES %s"
                            % ", ".join("(%s, '%s')" % tuple(row) for row in rows))
        self.write("loose.yaml",
                   "transhume: 1\nsource: sqlite:shop.db\ntarget: '%s'\ntables: { p: { from: p, key: [id] } }\n"
                   % self.target)
        points = ["engine.before_repair_delete:1", "engine.after_repair_delete:1", "engine.after_commit:1",
                  "engine.after_commit:2", "engine.before_completed:1"]
        for at, point in enumerate(points):
            with self.subTest(point):
                self.ask("DROP TABLE IF EXISTS p")
                self.ask("CREATE TABLE p(id bigint, name varchar(20))")
                self.run_program("reset", "--confirm", "--state", "s%d" % at)
                base = ("--plan", "loose.yaml", "--state", "s%d" % at)
                self.run_program("migrate", "-q", *base)
                self.ask("UPDATE p SET name = 'damaged' WHERE id % 2 = 0")
                self.ask("INSERT INTO p VALUES (3, 'other'), (3, 'name 3'), (77, 'extra')")
                name, _, count = point.partition(":")
                killed = support.kill_at(name, int(count), "validate", "--repair", "--delete-extra", "--confirm", *base,
                                         cwd=self.folder)
                self.assertEqual(killed.code, -9)
                self.run_program("resume", "-q", *base)
                self.assertEqual(self.ask("SELECT id, name FROM p ORDER BY id, name"), rows)
                self.run_program("finish", "--confirm", *base)

    # --- unique values

    def unique(self, *damage):
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE u(id INTEGER PRIMARY KEY, e TEXT); INSERT INTO u VALUES %s"
                            % ", ".join("(%s, '%s')" % tuple(row) for row in UNIQUE))
        self.ask("CREATE TABLE u(id bigint PRIMARY KEY, e varchar(20) UNIQUE)")
        self.run_program("migrate", "-q", "shop.db", self.target)
        for statement in damage:
            self.ask(statement)

    def held(self):
        return self.ask("SELECT id, e FROM u ORDER BY id")

    def assert_again(self, told):
        """What the run's own report advises: to load what was rejected would not help."""
        with open(self.path(".transhume", "report.md"), encoding="utf-8") as file:
            report = file.read()
        self.assertIn("validate --repair` again", report)
        self.assertNotIn("migrate --rejects", report)
        self.assertIn("repair again", " ".join(told.out.split()))

    def test_a_chain_of_unique_values_is_put_right_at_once(self):
        """Whichever way it leads, and back again."""
        count = 30
        rows = [(number, "e%d" % number) for number in range(1, count + 1)]
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE u(id INTEGER PRIMARY KEY, e TEXT); INSERT INTO u VALUES %s"
                            % ", ".join(map(str, rows)))
        self.ask("CREATE TABLE u(id bigint PRIMARY KEY, e varchar(20) UNIQUE)")
        self.run_program("migrate", "-q", "shop.db", self.target)
        shuffled = random.Random(support.SEED).sample(range(1, count + 1), count)
        for chain in (range(1, count + 1), range(count, 0, -1), shuffled):
            chain = list(chain)
            moved = {number: "e%d" % after for number, after in zip(chain, chain[1:])}
            moved[chain[-1]] = "t"
            self.ask("DELETE FROM u")
            self.ask("INSERT INTO u VALUES %s" % ", ".join(map(str, moved.items())))
            damaged = self.held()
            found = self.repair()
            self.assertEqual(found["entities"][0]["different"], len(chain))
            self.assertEqual(self.held(), [[str(number), text] for number, text in rows])
            self.run_program("rollback", "--run", self.run_id(), "--confirm")
            self.assertEqual(self.held(), damaged)

    def test_a_repair_that_is_stopped_among_what_is_tried_again_is_resumed(self):
        """The first batch is the chunk's, those after it are one record each."""
        self.unique("UPDATE u SET e = 't' WHERE id = 1", *("UPDATE u SET e = '%s' WHERE id = %d" % (UNIQUE[n - 2][1], n)
                                                           for n in range(2, 9)))
        damaged = self.held()
        process = self.stopped_at("engine.batch_submitted:stop:3", "validate", "--repair")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 4)
        self.assertEqual(self.held(), damaged)
        self.run_program("resume", "-q")
        self.assertEqual(self.held(), UNIQUE)

    def test_what_refers_to_later_records_is_put_right_at_once(self):
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE e(id INTEGER PRIMARY KEY, boss INTEGER); INSERT INTO e VALUES (1, 2), (2, "
                            "3), (3, 5), (4, 1), (5, NULL)")
        self.ask("CREATE TABLE e(id bigint PRIMARY KEY, boss bigint REFERENCES e(id))")
        self.ask("INSERT INTO e VALUES (5, NULL)")
        self.run_program("validate", "-q", "--repair", "shop.db", self.target)
        self.assertEqual(self.ask("SELECT id, boss FROM e ORDER BY id"),
                         [["1", "2"], ["2", "3"], ["3", "5"], ["4", "1"], ["5", None]])

    def test_swapped_unique_values_are_put_right_once_one_record_is_gone(self):
        self.unique("UPDATE u SET e = 't' WHERE id = 1", "UPDATE u SET e = 'a' WHERE id = 2",
                    "UPDATE u SET e = 'b' WHERE id = 1")
        told = self.run_program("validate", "--repair", code=1)
        self.assert_again(told)
        self.assertIn("delete one in the target", " ".join(told.out.split()))
        self.assertEqual(self.held(), [["1", "b"], ["2", "a"], *UNIQUE[2:]])
        self.ask("DELETE FROM u WHERE id = 1")
        # two writers are at work: the record that is missing, in a chunk of its own, may come before the other one let
        # go of its value
        if support.transhume("validate", "--repair", cwd=self.folder).code == 1:
            self.repair()
        self.assertEqual(self.held(), UNIQUE)

    # --- a table of several entities

    def shared(self, *arguments):
        support.make_sqlite(self.path("shop.db"), SHARED_SOURCE)
        self.write("transhume.yaml", SHARED % self.target)
        self.run_program("migrate", "-q", *arguments)

    def mix(self):
        return self.ask("SELECT id, n, m, k FROM mix ORDER BY id")

    def test_what_another_entity_of_the_table_fills_is_emptied(self):
        self.shared()
        self.ask("ALTER TABLE mix ADD w integer")
        self.ask("UPDATE mix SET w = id")
        self.ask("UPDATE mix SET m = 77 WHERE id = 1")
        self.ask("UPDATE mix SET n = NULL, m = 5, k = 'kind' WHERE id = 2")
        self.ask("UPDATE mix SET n = 'kind', m = NULL, k = NULL WHERE id = 101")
        damaged = self.mix()
        self.repair()
        self.assertEqual(self.mix(), SHARED_ROWS)
        self.validate("--level", "full")
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.mix(), damaged)
        self.repair("--level", "full")
        self.assertEqual(self.mix(), SHARED_ROWS)
        self.assertEqual(self.ask("SELECT id FROM mix WHERE w = id ORDER BY id"), [row[:1] for row in SHARED_ROWS])

    def test_what_was_there_of_other_columns_stays_with_upsert(self):
        self.ask("CREATE TABLE mix(id bigint PRIMARY KEY, n varchar(20), m bigint, k varchar(20))")
        self.ask("INSERT INTO mix VALUES (1, 'old', 77, 'theirs')")
        self.shared("--existing", "upsert")
        self.validate()
        self.ask("UPDATE mix SET n = 'damaged' WHERE id = 1")
        self.repair()
        self.assertEqual(self.mix(), [["1", "x", "77", "theirs"], *SHARED_ROWS[1:]])
        self.validate()

    def test_what_upsert_leaves_alone_is_not_said_to_be_repaired(self):
        self.shared("--existing", "upsert")
        self.ask("UPDATE mix SET m = 77 WHERE id = 1")
        told = self.run_program("validate", "--repair", code=1)
        self.assertIn("1 record keeps what is in columns of other entities", told.out)
        self.assertNotIn("repaired; it was", told.out)


class Sqlite(Cases, support.TestCase):
    def new_target(self):
        return "sqlite:target.db"

    def ask(self, sql):
        with contextlib.closing(sqlite3.connect(self.path("target.db"))) as db, db:
            return [[None if value is None else str(value) for value in row] for row in db.execute(sql)]

    def test_tables_without_a_key_whose_columns_hide_the_row_number(self):
        """One record goes, none that is equal in a column of that name; NULL there is a value as any other."""
        columns = {"one": "rowid INTEGER, msg TEXT", "two": "ROWID INTEGER, _rowid_ TEXT, msg TEXT",
                   "own": "oid INTEGER PRIMARY KEY, msg TEXT"}
        rows = {"one": ((1, "a"), (None, "b"), (2, "c"), (2, "c")),
                "two": ((1, "x", "a"), (1, "x", "a"), (None, None, "b")), "own": ((1, "a"), (2, "b"))}
        extra = {"one": ((1, "b"), (None, "z"), (2, "c")), "two": ((1, "x", "z"), (None, None, "b")),
                 "own": ((3, "a"),)}
        with contextlib.closing(sqlite3.connect(self.path("shop.db"))) as db, db:
            for name, words in columns.items():
                db.execute("CREATE TABLE %s(%s)" % (name, words))
                db.executemany("INSERT INTO %s VALUES (%s)" % (name, ", ".join("?" * len(rows[name][0]))), rows[name])
        self.run_program("migrate", "-q", "shop.db", self.target)
        with contextlib.closing(sqlite3.connect(self.path("target.db"))) as db, db:
            for name, records in extra.items():
                db.executemany("INSERT INTO %s VALUES (%s)" % (name, ", ".join("?" * len(records[0]))), records)
        self.repair("--delete-extra", "--confirm")
        self.validate()
        for name, records in rows.items():
            self.assertEqual(sorted(self.ask("SELECT * FROM %s" % name), key=repr),
                             sorted([[None if value is None else str(value) for value in record] for record in records],
                                    key=repr), name)

    def test_a_table_that_hides_all_names_of_the_row_number_is_not_repaired(self):
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE t(rowid TEXT, _rowid_ TEXT, oid TEXT); INSERT INTO t VALUES ('a', 'b', 'c')")
        self.run_program("migrate", "-q", "shop.db", self.target)
        self.ask("INSERT INTO t VALUES ('a', 'b', 'x')")
        refused = self.run_program("validate", "--repair", "--delete-extra", "--confirm", code=5)
        self.assertIn("its columns take all names of SQLite's row number", refused.err)
        self.assertEqual(self.ask("SELECT * FROM t ORDER BY oid"), [["a", "b", "c"], ["a", "b", "x"]])

    def test_a_table_without_row_numbers_that_the_plan_gives_no_key(self):
        self.write("loose.yaml",
                   "transhume: 1\nsource: sqlite:shop.db\ntarget: '%s'\ntables: { t: { from: t, existing: append } }\n"
                   % self.target)
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE t(a TEXT, b INTEGER); INSERT INTO t VALUES ('x', 1), ('x', 2), ('y', 1)")
        self.ask("CREATE TABLE t(a TEXT, b INTEGER, PRIMARY KEY (b, a)) WITHOUT ROWID")
        self.run_program("migrate", "-q", "--plan", "loose.yaml")
        self.ask("INSERT INTO t VALUES ('z', 1)")
        self.run_program("validate", "--repair", "--delete-extra", "--confirm", "--plan", "loose.yaml")
        self.assertEqual(self.ask("SELECT a, b FROM t ORDER BY a, b"), [["x", "1"], ["x", "2"], ["y", "1"]])


class Postgres(sql_case.ServerTarget, Cases, support.TestCase):
    SERVERS = postgres

    def test_what_a_trigger_keeps_is_not_said_to_be_taken_out(self):
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE u(id INTEGER PRIMARY KEY, e TEXT); INSERT INTO u VALUES (1, 'a')")
        self.run_program("migrate", "-q", "shop.db", self.target)
        self.ask("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; "
                 "CREATE TRIGGER keep BEFORE DELETE ON u FOR EACH ROW "
                 "EXECUTE FUNCTION keep(); ALTER TABLE u ENABLE ALWAYS TRIGGER keep; INSERT INTO u VALUES (2, "
                 "'extra'), (3, 'extra')")
        told = self.run_program("validate", "--repair", "--delete-extra", "--confirm", code=1)
        self.assertIn("table u: of 2 keys to delete, records of 0 were deleted", told.err)
        self.assertEqual(self.held(), [["1", "a"], ["2", "extra"], ["3", "extra"]])
        self.ask("DROP TRIGGER keep ON u")
        self.repair("--delete-extra", "--confirm")
        self.assertEqual(self.held(), [["1", "a"]])

    # the rule, and what becomes of records that it reaches
    RULES = tuple("CREATE RULE r AS ON %s TO u %s" % (event, what) for event in ("INSERT", "UPDATE", "DELETE")
                  for what in ("DO ALSO INSERT INTO noted VALUES (1)", "WHERE false DO INSTEAD NOTHING"))

    def ruled(self, rule, role, existing, state):
        """A copy with all sorts of damage, of a table that got the rule meanwhile."""
        self.target = self.new_target()
        if role is not None:
            self.server.ask(self.database,
                            "CREATE ROLE %s LOGIN; ALTER DATABASE %s OWNER TO %s; GRANT ALL ON SCHEMA public TO %s"
                            % (role, self.database, role, role))
            self.target = self.target.replace("postgres@", role + "@")
        base = ("--state", state, "--existing", existing, "shop.db", self.target)
        self.run_program("migrate", "-q", *base)
        self.ask("UPDATE u SET e = 'damaged' WHERE id = 1; DELETE FROM u WHERE id = 2; INSERT INTO u VALUES (9, "
                 "'extra'); CREATE TABLE noted(id int); "
                 "GRANT ALL ON noted TO PUBLIC; " + rule)
        return base

    def test_rules_are_told_before_anything_is_written_where_they_stand_in_the_way(self):
        """
        Where they don't the repair works: superusers silence most of them, and what was to be written over is taken out
        first.
        """
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE u(id INTEGER PRIMARY KEY, e TEXT); INSERT INTO u VALUES (1, 'a'), (2, 'b'), "
                            "(3, 'c')")
        damaged = [["1", "damaged"], ["3", "c"], ["9", "extra"]]
        for number, (rule, role, existing) in enumerate(drawn(7, self.RULES, (None, "mender%d"), ("append", "upsert"))):
            with self.subTest(rule, role=role, existing=existing):
                base = self.ruled(rule, role and role % number, existing, "state%d" % number)
                refused = existing == "upsert" if "UPDATE" in rule else role and ("DELETE" in rule
                    or (existing == "upsert" and "noted" in rule))
                if refused:
                    told = self.run_program("validate", "--repair", "--delete-extra", "--confirm", *base, code=5)
                    self.assertIn("[not-repairable]", told.err)
                    self.assertRegex(told.err, r"error: u: .*the rule r .*ON %s" % rule.split()[5])
                    self.assertEqual(self.held(), damaged)
                    self.ask("DROP RULE r ON u")
                self.run_program("validate", "-q", "--repair", "--delete-extra", "--confirm", *base)
                self.assertEqual(self.held(), [["1", "a"], ["2", "b"], ["3", "c"]])

    def test_a_rule_that_is_disabled_keeps_nothing_but_upsert(self):
        """Which the server refuses with any rule ON UPDATE."""
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE u(id INTEGER PRIMARY KEY, e TEXT); INSERT INTO u VALUES (1, 'a'), (2, 'b'), "
                            "(3, 'c')")
        for number, (rule,) in enumerate(drawn(3, self.RULES)):
            with self.subTest(rule):
                base = self.ruled(rule + "; ALTER TABLE u DISABLE RULE r", "idle%d" % number, "upsert",
                                  "state%d" % number)
                if "UPDATE" in rule:
                    self.run_program("validate", "--repair", *base, code=5)
                    self.ask("DROP RULE r ON u")
                self.run_program("validate", "-q", "--repair", "--delete-extra", "--confirm", *base)
                self.assertEqual(self.held(), [["1", "a"], ["2", "b"], ["3", "c"]])

    def test_a_copy_that_writes_over_records_is_told_of_rules(self):
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE u(id INTEGER PRIMARY KEY, e TEXT); INSERT INTO u VALUES (1, 'a')")
        for number, (rule, existing) in enumerate(drawn(3, (self.RULES[0], *self.RULES[2:4]), ("upsert", "replace"))):
            with self.subTest(rule, existing=existing):
                self.target = self.new_target()
                self.ask("CREATE TABLE u(id int PRIMARY KEY, e text); CREATE TABLE noted(id int); "
                         "INSERT INTO u VALUES (1, 'old'); " + rule)
                for command in ("check", "migrate"):
                    told = self.run_program(command, "--state", "state%d" % number, "--existing", existing, "shop.db",
                                            self.target, code=2)
                    self.assertIn("the rule r", " ".join((told.out + told.err).split()))
                self.assertEqual(self.held(), [["1", "old"]])


class Mysql(sql_case.ServerTarget, Cases, support.TestCase):
    SERVERS = mariadb


class Mysql9(Mysql):
    SERVERS = mysql


if __name__ == "__main__":
    unittest.main()
