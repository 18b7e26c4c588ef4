"""Rollback where records stand in each other's way: unique values that moved, references among what comes and goes.

Everything is brought about, and compared, by each engine's own client.
"""
import contextlib
import json
import os
import random
import shutil
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import mariadb
import mysql
import postgres
import refusals
import support
from support import SEED, SOAK

UNIQUE = "CREATE TABLE u(id bigint PRIMARY KEY, e varchar(20) NOT NULL UNIQUE, n varchar(20))"
COPY = ("migrate", "-q", "--batch-rows", 1)
REPAIR = ("validate", "-q", "--repair", "--delete-extra", "--confirm")


def place(value):
    return "NULL" if value is None else "'%s'" % value if isinstance(value, str) else str(value)


def inserts(table, rows):
    return "".join("INSERT INTO %s VALUES (%s);" % (table, ", ".join(place(value) for value in row)) for row in rows)


def any_contents(numbers):
    """Inserts into p, c and e: keys and unique values of few, so that they meet, and references that hold."""
    ids = {table: numbers.sample(range(1, 10), numbers.randrange(7)) for table in "pce"}
    unique = {table: iter(numbers.sample("abcdefghij", 10)) for table in "pce"}
    rows = {"p": [(i, numbers.choice((None, next(unique["p"]))), numbers.choice("xyz")) for i in ids["p"]],
            "c": [(i, numbers.choice([None, *ids["p"]]), numbers.choice((None, next(unique["c"])))) for i in ids["c"]],
            "e": [(i, None, next(unique["e"])) for i in ids["e"]]}
    bosses = "".join("UPDATE e SET boss = %d WHERE id = %d;" % (numbers.choice(ids["e"]), i) for i in ids["e"]
                     if numbers.randrange(3))
    return "".join(inserts(table, rows[table]) for table in "pce") + bosses


class Tangles:
    """A class of tests says `open_target` (the target's URI, empty), `sql` and what `same` orders rows by."""
    one_database_each = True

    def prepare(self, source, target, **rows):
        """Both sides; `rows` are the target's."""
        self.uri = self.open_target()
        self.remove("source.db", "source.db-wal", "source.db-shm")
        shutil.rmtree(self.path(".transhume"), ignore_errors=True)
        support.make_sqlite(self.path("source.db"), source)
        self.sql(target + ";" + "".join(inserts(table, found) for table, found in rows.items()))

    def remove(self, *names):
        for name in names:
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))

    def plan(self, tables, existing):
        with open(self.path("transhume.yaml"), "w", encoding="utf-8") as file:
            file.write("transhume: 1\nsource: sqlite:source.db\ntarget: '%s'\nexisting: %s\ntables:\n%s" % (
                self.uri, existing, "".join("  %s: { key: [id], from: %s }\n" % (table, table) for table in tables)))

    def migrate(self, tables, existing="upsert"):
        self.plan(tables, existing)
        self.run_program(*COPY)

    def rollback(self, *arguments, code=0):
        result = self.run_program("rollback", "--run", self.run_id(), "--json", *(arguments or ("--confirm",)),
                                  code=code)
        return {table["name"]: tuple(table[what] for what in ("removed", "restored", "changed", "missing"))
                for table in json.loads(result.out)["tables"]} if code == 0 else result.err

    def assert_taken_back(self, before, **counts):
        """As it was, with nothing changed by others, and as the dry run said."""
        told = self.rollback("--dry-run")
        self.assertEqual(self.rollback(), told)
        self.assertEqual({table: self.rows(table) for table in before}, before)
        for table, expected in counts.items():
            self.assertEqual(told[table], expected)

    def upserted(self, before, source):
        self.prepare("CREATE TABLE u(id INTEGER, e TEXT, n TEXT);" + inserts("u", source), UNIQUE, u=before)
        self.migrate(["u"])
        return self.rows("u")

    # ---- unique values that moved

    def test_a_unique_value_moved(self):
        for before, source in (([(1, "x", "a"), (4, "z", "a")], [(1, "q", "b"), (4, "x", "b")]),
                               ([(1, "x", "a"), (2, "y", "b")], [(1, "x2", "b"), (2, "y", "b"), (3, "x", "b")])):
            with self.subTest(source=source):
                self.assertEqual(self.upserted(before, source), source)
                self.assert_taken_back({"u": before}, u=(len(source) - len(before), len(before), 0, 0))

    def test_unique_values_moved_along_the_key(self):
        """Also where they are many, forth and back."""
        count = 60
        before = [(i, "e%d" % i, "a") for i in range(1, count + 1)]
        for step in (1, -1):
            after = [(i, "e%d" % (i + step), "b") for i, _, _ in before]
            with self.subTest(step=step):
                self.assertEqual(self.upserted(before, after[::-step]), after)
                self.assert_taken_back({"u": before}, u=(0, count, 0, 0))

    def test_only_what_others_hold_stays(self):
        """z is somebody else's by now: so 4 keeps x, and 1 can't have it. All others are as they were."""
        before = [(1, "x", "a"), (4, "z", "a"), (5, "v", "a"), (6, "w", "a")]
        source = [(1, "q", "b"), (4, "x", "b"), (5, "r", "b"), (6, "v", "b")]
        self.upserted(before, source)
        self.sql("INSERT INTO u VALUES (9, 'z', 'mine')")
        self.assertEqual(self.rollback(), {"u": (0, 2, 2, 0)})
        self.assertEqual(self.rows("u"), source[:2] + before[2:] + [(9, "z", "mine")])


    # ---- references among what comes and goes

    SELF = "CREATE TABLE e(id bigint PRIMARY KEY, boss bigint REFERENCES e(id))"

    def referring(self, before, source):
        self.prepare("CREATE TABLE e(id INTEGER, boss INTEGER);" + inserts("e", source), self.SELF, e=before)
        self.migrate(["e"])
        self.assertEqual(self.rows("e"), sorted(source, key=lambda row: row[0]))

    def test_what_only_the_run_made_refer_to_what_it_added_goes(self):
        for before, source in (([(2, None)], [(1, None), (2, 1)]),
                               ([(2, None), (5, 2)], [(1, None), (2, 1), (3, 2), (5, 3)])):
            with self.subTest(source=source):
                self.referring(before, source)
                self.assert_taken_back({"e": before}, e=(len(source) - len(before), len(before), 0, 0))

    def test_parents_of_others_stay(self):
        self.prepare("CREATE TABLE p(id INTEGER PRIMARY KEY, n TEXT); INSERT INTO p VALUES (1, 'new'), (2, 'new'), "
                     "(3, 'new')",
                     "CREATE TABLE p(id bigint PRIMARY KEY, n varchar(20)); CREATE TABLE c(id bigint PRIMARY KEY, "
                     "p_id bigint REFERENCES p(id))",
                     p=[(1, "old")], c=[(1, 1)])
        self.migrate(["p"])
        self.sql("INSERT INTO c VALUES (7, 2)")
        self.assertEqual(self.rollback(), {"p": (1, 1, 1, 0)})
        self.assertEqual((self.rows("p"), self.rows("c")), ([(1, "old"), (2, "new")], [(1, 1), (7, 2)]))

    def test_what_others_refer_to_stays(self):
        self.referring([(2, None)], [(1, None), (2, 1), (3, 1)])
        self.sql("INSERT INTO e VALUES (9, 3)")
        self.assertEqual(self.rollback(), {"e": (0, 1, 2, 0)})
        self.assertEqual(self.rows("e"), [(1, None), (2, None), (3, 1), (9, 3)])

    def test_what_goes_or_changes_with_its_partner(self):
        """
        Keys of a table to itself with an action: what of others leads to a record, and what is still to be restored, is
        not reached.
        """
        for action in ("CASCADE", "SET NULL"):
            self.SELF = Tangles.SELF[:-1] + " ON DELETE %s)" % action
            with self.subTest(action=action):
                before, source = [(2, None), (5, 2), (8, 5)], [(1, None), (2, 1), (3, 2), (4, 3), (5, 4), (8, None)]
                self.referring(before, source)
                self.assert_taken_back({"e": before}, e=(3, 3, 0, 0))
                self.referring([(2, None)], [(1, None), (2, 1), (3, 1), (4, 3), (6, 1), (7, 6), (11, 11)])
                self.sql("INSERT INTO e VALUES (9, 4), (10, 9)")
                self.assertEqual(self.rollback(), {"e": (3, 1, 3, 0)})
                self.assertEqual(self.rows("e"), [(1, None), (2, None), (3, 1), (4, 3), (9, 4), (10, 9)])

    def test_what_others_refer_to_from_two_tables_stays(self):
        self.SELF = Tangles.SELF[:-1] + " ON DELETE CASCADE)"
        self.referring([(2, None)], [(1, None), (2, 1), (3, 1), (4, 3), (5, None)])
        self.sql("CREATE TABLE note(id bigint PRIMARY KEY, e_id bigint REFERENCES e(id) ON DELETE CASCADE); "
                 "INSERT INTO note VALUES (1, 4)")
        self.assertEqual(self.rollback(), {"e": (1, 1, 3, 0)})
        self.assertEqual((self.rows("e"), self.rows("note")), ([(1, None), (2, None), (3, 1), (4, 3)], [(1, 4)]))

    # ---- repairs that take records out

    PAIR = ("CREATE TABLE p(id INTEGER PRIMARY KEY, e TEXT); CREATE TABLE c(id INTEGER PRIMARY KEY, p_id INTEGER);"
            "INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO c VALUES (1, 1), (2, 2)")
    PAIR_TARGET = ("CREATE TABLE p(id bigint PRIMARY KEY, e varchar(20) UNIQUE);"
                   "CREATE TABLE c(id bigint PRIMARY KEY, p_id bigint REFERENCES p(id))")

    def repaired(self, tables, damage):
        """What the tables held before a repair, and the repair."""
        self.sql(damage)
        before = {table: self.rows(table) for table in tables}
        self.run_program(*REPAIR)
        self.assertNotEqual({table: self.rows(table) for table in tables}, before)
        return before

    def test_what_was_taken_out_is_referred_to_by_what_was_overwritten(self):
        for damage in ("INSERT INTO p VALUES (99, 'x'); UPDATE c SET p_id = 99 WHERE id = 2",
                       "INSERT INTO p VALUES (99, 'x'); UPDATE c SET p_id = 99 WHERE id = 2; "
                       "DELETE FROM p WHERE id = 2",
                       "INSERT INTO p VALUES (99, 'x'); UPDATE c SET p_id = 99 WHERE id = 2; INSERT INTO c VALUES (7, "
                       "99), (8, 2)"):
            with self.subTest(damage=damage):
                self.prepare(self.PAIR, self.PAIR_TARGET)
                self.migrate("pc", "refuse")
                self.assert_taken_back(self.repaired("pc", damage))

    def test_records_that_refer_to_each_other_come_back(self):
        self.prepare("CREATE TABLE e(id INTEGER PRIMARY KEY, boss INTEGER, n TEXT); INSERT INTO e VALUES (1, NULL, "
                     "'a'), (2, 1, 'b')",
                     "CREATE TABLE e(id bigint PRIMARY KEY, boss bigint REFERENCES e(id), n varchar(20) UNIQUE)")
        self.migrate("e", "refuse")
        before = self.repaired("e",
                               "INSERT INTO e VALUES (80, NULL, 'c'), (81, 80, 'd'), (82, 82, 'e'), (83, 81, 'f'); "
                                    "UPDATE e SET boss = 81 WHERE id = 80; UPDATE e SET boss = 83 WHERE id = 2")
        self.assert_taken_back(before, e=(0, 1 + 4, 0, 0))

    # ---- any contents

    ANY = ("CREATE TABLE p(id bigint PRIMARY KEY, e varchar(20) UNIQUE, n varchar(20));"
           "CREATE TABLE c(id bigint PRIMARY KEY, p_id bigint REFERENCES p(id), e varchar(20) UNIQUE);"
           "CREATE TABLE e(id bigint PRIMARY KEY, boss bigint REFERENCES e(id), e varchar(20) NOT NULL UNIQUE)")
    samples = 1

    def test_any_contents_come_back(self):
        for seed in range(SEED, SEED + (40 if SOAK else self.samples)):
            numbers = random.Random(seed)
            policy = numbers.choice(("upsert", "replace", "skip", "repair"))
            with self.subTest(seed=seed, policy=policy):
                self.prepare(self.ANY + ";" + any_contents(numbers),
                             self.ANY + ";" + (any_contents(numbers) if policy != "repair" else ""))
                self.plan("pce", "refuse" if policy == "repair" else policy)
                if policy == "repair":
                    support.transhume(*COPY, cwd=self.folder)
                    self.sql("UPDATE e SET boss = NULL; DELETE FROM e; DELETE FROM c; DELETE FROM p;"
                             + any_contents(numbers))
                before = {table: self.rows(table) for table in "pce"}
                result = support.transhume(*(REPAIR if policy == "repair" else COPY), cwd=self.folder)
                self.assertIn(result.code, (0, 1), result.err)
                told = self.rollback()
                self.assertEqual({table: self.rows(table) for table in before}, before)
                self.assertEqual({counts[2:] for counts in told.values()}, {(0, 0)})

    # ---- what is lost

    def test_lost_undo_records_are_refused(self):
        before, after = [(1, "x", "old"), (7, "w", "old")], [(1, "x", "new"), (2, "y", "new"), (3, "z", "new")]
        for lost in ("DROP TABLE %s", "DELETE FROM %s", 'DELETE FROM %s WHERE "+id" > 1'):
            with self.subTest(lost=lost):
                self.upserted(before, after)
                self.sql(self.named(lost, self.undo_table()))
                for step in ("--dry-run", "--confirm"):
                    self.assertIn("u: images were not kept or are lost: the run wrote 3 records",
                                  self.rollback(step, code=5))
                self.assertEqual(self.rows("u"), after + before[1:])
                self.assertIn(self.run_id(), self.run_program("status").out)

    def test_lost_undo_records_of_a_repair_that_only_took_out_are_refused(self):
        for lost in ("DROP TABLE %s", "DELETE FROM %s", 'DELETE FROM %s WHERE "+id" > 80'):
            with self.subTest(lost=lost):
                self.prepare("CREATE TABLE u(id INTEGER, e TEXT, n TEXT);" + inserts("u",
                    [(1, "x", "a"), (2, "y", "a")]), UNIQUE)
                self.migrate(["u"], "refuse")
                left = self.rows("u")
                self.repaired("u", inserts("u", [(80, "v", "extra"), (81, "w", "extra")]))
                self.sql(self.named(lost, self.undo_table()))
                for step in ("--dry-run", "--confirm"):
                    self.assertIn("u: images were not kept or are lost: the run deleted 2 records",
                                  self.rollback(step, code=5))
                self.assertEqual(self.rows("u"), left)
                self.assertIn(self.run_id(), self.run_program("status").out)

    def named(self, statement, table):
        return statement % ('"%s"' % table)


class Sqlite(Tangles, refusals.TestCase):
    samples = 8

    def open_target(self):
        self.remove("target.db", "target.db-wal", "target.db-shm")
        return "sqlite:target.db"

    def sql(self, script):
        with contextlib.closing(sqlite3.connect(self.path("target.db"))) as db:
            db.executescript(script)

    def rows(self, table):
        with contextlib.closing(sqlite3.connect(self.path("target.db"))) as db:
            return db.execute("SELECT * FROM %s ORDER BY id" % table).fetchall()


    def undo_table(self):
        with contextlib.closing(sqlite3.connect(self.path("target.db"))) as db:
            return db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE "
                              "'\\_transhume\\_undo%' ESCAPE '\\'").fetchone()[0]


class Server(Tangles):
    def open_target(self):
        self.name = self.server.database()
        return self.server.uri(self.name)

    def undo_table(self):
        return self.sql("SELECT table_name FROM information_schema.tables WHERE table_name LIKE "
                        "'\\_transhume\\_undo%' AND "
                        "(table_schema = '" + self.name + "' OR table_catalog = '" + self.name + "')")[0][0]

    def named(self, statement, table):
        return (statement % (self.quote + table + self.quote)).replace('"+id"', self.key)

    def rows(self, table):
        return sorted(tuple(None if value is None else int(value) if value.lstrip("-").isdigit() else value
                            for value in row)
                      for row in self.sql("SELECT * FROM %s" % table))


class Postgres(Server, refusals.TestCase):
    quote, key = '"', "c1"

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def sql(self, script):
        return self.server.psql(self.name, script)

    def test_records_of_partitions_are_told_apart(self):
        """Their places are numbered in each partition: 1 and 11 are the second of theirs."""
        before = [(5, None), (15, None)]
        for action, source, others, counts in (("CASCADE", [(1, None)], [(11, 1)], (0, 0, 1, 0)),
                                               ("SET NULL", [(1, None), (11, None)], [(12, 1)], (1, 0, 1, 0))):
            with self.subTest(action=action):
                self.SELF = (Tangles.SELF[:-1]
                             + " ON DELETE %s) PARTITION BY RANGE (id); CREATE TABLE low PARTITION OF e FOR VALUES "
                               "FROM (0) TO (10);"
                             "CREATE TABLE high PARTITION OF e FOR VALUES FROM (10) TO (20)") % action
                self.prepare("CREATE TABLE e(id INTEGER, boss INTEGER);" + inserts("e", source), self.SELF, e=before)
                self.migrate(["e"])
                self.sql(inserts("e", others))
                self.assertEqual(self.rollback(), {"e": counts})
                self.assertEqual(self.rows("e"), sorted([*before, (1, None), *others], key=lambda row: row[0]))


class Mysql(Server, refusals.TestCase):
    quote, key = "`", "id"

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def sql(self, script):
        return self.server.ask(self.name, script)

    def test_what_others_keep_from_a_circle_stays_away(self):
        """82 can't come back, so what refers to it can't; others can."""
        self.prepare("CREATE TABLE e(id INTEGER PRIMARY KEY, boss INTEGER, n TEXT); INSERT INTO e VALUES (1, "
                     "NULL, 'a')",
                     "CREATE TABLE e(id bigint PRIMARY KEY, boss bigint REFERENCES e(id), n varchar(20) UNIQUE)")
        self.migrate("e", "refuse")
        self.repaired("e",
                      "INSERT INTO e VALUES (80, NULL, 'c'), (81, 80, 'd'), (82, NULL, 'e'), (83, 82, 'f'), (84, "
                      "NULL, 'g'); "
                           "UPDATE e SET boss = 81 WHERE id = 80; UPDATE e SET boss = 83 WHERE id = 82")
        self.sql("INSERT INTO e VALUES (9, NULL, 'e')")
        self.assertEqual(self.rollback(), {"e": (0, 3, 2, 0)})
        self.assertEqual(self.rows("e"), [(1, None, "a"), (9, None, "e"), (80, 81, "c"), (81, 80, "d"),
                                          (84, None, "g")])


class Mysql9(Mysql):
    """MySQL's own rules of what an UPDATE may ask of its table differ from MariaDB's."""
    @classmethod
    def setUpClass(cls):
        cls.server = mysql.for_class(cls)


if __name__ == "__main__":
    unittest.main()
