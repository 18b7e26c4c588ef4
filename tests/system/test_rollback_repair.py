"""A repair that takes out what is extra is rolled back like any run: what it took out of a SQLite target comes back.

What was there before and what is there after are compared by Python's sqlite3.
"""
import contextlib
import json
import os
import random
import shutil
import sqlite3
import unittest

import refusals
import support
from support import SEED, SOAK, count_failpoints, kill_at

SOURCE = """
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price NUMERIC, bin BLOB, any_kind, twice INTEGER GENERATED ALWAYS AS (id * 2));
CREATE TABLE pair(x TEXT COLLATE NOCASE, y INTEGER, v REAL, PRIMARY KEY (x, y)) WITHOUT ROWID;
CREATE TABLE odd(k, v TEXT, PRIMARY KEY (k));
CREATE TABLE keyless(a TEXT);
INSERT INTO keyless VALUES ('1'), ('1'), (NULL);
"""
DAMAGE = """
UPDATE item SET name = 'damaged', any_kind = '7' WHERE id % 5 = 0;
DELETE FROM item WHERE id BETWEEN 11 AND 19;
DELETE FROM pair WHERE y IN (3, 4);
INSERT INTO item(id, name, price, bin, any_kind) VALUES (-9223372036854775808, 'extra', 1.50, x'00ff', 1), (9000, NULL, 'text', x'', '1'),
    (9001, char(0) || 'x', 1e300, NULL, -0.0), (9002, 'y', -1, zeroblob(70000), x'');
INSERT INTO pair VALUES ('extra', 1, 0.1), ('EXTRA', 2, NULL), ('', 0, 1e-300);
UPDATE pair SET x = upper(x) WHERE y = 5;
INSERT INTO odd VALUES (7, 'int'), ('7', 'text'), (7.5, 'real'), (x'37', 'blob');
"""
REPAIR = ("validate", "--repair", "--delete-extra", "--confirm", "-q")


class Sqlite(refusals.TestCase):
    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), SOURCE)
        with contextlib.closing(sqlite3.connect(self.path("source.db"))) as db, db:
            db.executemany("INSERT INTO item(id, name, price, bin, any_kind) VALUES (?, ?, ?, ?, ?)",
                           [(i, "name %d" % i, i / 4, bytes([i]), i) for i in range(1, 120)])
            db.executemany("INSERT INTO pair VALUES (?, ?, ?)", [("k%d" % (i % 7), i, i / 3) for i in range(1, 120)])

    def sql(self, script):
        with contextlib.closing(sqlite3.connect(self.path("target.db"))) as db:
            db.executescript(script)

    def rows(self, sql):
        with contextlib.closing(sqlite3.connect(self.path("target.db"))) as db:
            return db.execute(sql).fetchall()

    def damaged(self, damage=DAMAGE):
        for name in ("target.db", "target.db-wal", "target.db-shm"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        shutil.rmtree(self.path(".transhume"), ignore_errors=True)
        self.run_program("migrate", "-q", "source.db", "target.db")
        self.sql(damage)
        shutil.copyfile(self.path("target.db"), self.path("before.db"))

    def rollback(self, *arguments, run=None, **options):
        return self.run_program("rollback", "--run", run or self.run_id(), "--json", *(arguments or ("--confirm",)),
                                **options)

    def tables(self, result):
        return {table["name"]: table for table in json.loads(result.out)["tables"]}

    def assert_as_before(self):
        self.assert_same_sqlite(self.path("before.db"), self.path("target.db"))
        self.assertEqual(self.rows("SELECT name FROM sqlite_schema WHERE name LIKE '%undo%'"), [])

    def test_what_was_taken_out_comes_back(self):
        self.damaged()
        self.run_program(*REPAIR)
        self.assert_same_sqlite(self.path("source.db"), self.path("target.db"))
        counted = self.tables(self.rollback("--dry-run"))
        self.assert_same_sqlite(self.path("source.db"), self.path("target.db"))
        done = self.tables(self.rollback())
        self.assertEqual(done, counted)
        told = {name: tuple(done[name][what] for what in ("removed", "restored", "changed", "missing"))
                for name in done}
        # pair: what differs in the case of its key was overwritten
        self.assertEqual(told["item"], (9, 22 + 4, 0, 0))
        self.assertEqual(told["odd"], (0, 4, 0, 0))
        self.assert_as_before()
        self.assertEqual(self.rows("SELECT twice FROM item WHERE id = 9000"), [(18000,)])
        self.assertEqual(len(json.loads(self.run_program("validate", "--json", "source.db", "target.db",
                                                         code=1).out)["records"]), 9 + 22 + 4 + 4 + 2 + 3 + 2 * 1)

    def test_what_applications_wrote_meanwhile_survives(self):
        self.damaged()
        self.run_program(*REPAIR)
        mine = (
            """INSERT INTO item(id, name) VALUES (9000, 'mine'), (9500, 'mine'); INSERT INTO odd VALUES ('7', 'mine');
                  DELETE FROM item WHERE id = 11; UPDATE item SET name = 'mine' WHERE id IN (10, 12);""")
        self.sql(mine)
        done = self.tables(self.rollback())
        with contextlib.closing(sqlite3.connect(self.path("before.db"))) as db:
            db.executescript("""DELETE FROM item WHERE id IN (9000, 10); DELETE FROM odd WHERE typeof(k) = 'text';
                                INSERT INTO item(id, name) VALUES (9000, 'mine'), (9500, 'mine'); INSERT INTO odd VALUES ('7', 'mine');
                                INSERT INTO item(id, name, price, bin, any_kind) VALUES (10, 'mine', 2.5, x'0a', 10), (12, 'mine', 3, x'0c', 12);""")
        self.assert_as_before()
        self.assertEqual([done["item"][what] for what in ("changed", "missing")], [3, 1])
        self.assertEqual(done["odd"]["changed"], 1)

    def test_triggers_and_constraints(self):
        """No trigger saw them go, none sees them come; what a constraint forbids by now stays away."""
        self.damaged()
        self.sql("""CREATE TABLE log(what); CREATE UNIQUE INDEX once ON item(name) WHERE id >= 9000;
                    CREATE TRIGGER come BEFORE INSERT ON item BEGIN INSERT INTO log VALUES (NEW.id); END""")
        self.run_program(*REPAIR)
        self.sql("INSERT INTO item(id, name) VALUES (9999, 'y')")
        self.sql("DELETE FROM log")
        done = self.tables(self.rollback())
        self.assertEqual((done["item"]["restored"], done["item"]["changed"]), (22 + 3, 1))
        self.assertEqual(self.rows("SELECT * FROM log"), [])
        self.assertEqual(self.rows("SELECT id FROM item WHERE id NOT BETWEEN 0 AND 1000"),
                         [(-9223372036854775808,), (9000,), (9001,), (9999,)])

    def test_what_is_not_kept_is_refused(self):
        self.damaged("INSERT INTO keyless VALUES ('extra')")
        repaired = self.run_program(*REPAIR[:-1])
        self.assertIn("keyless: deleted records are not stored (it has no key)", repaired.err)
        self.assert_same_sqlite(self.path("source.db"), self.path("target.db"))
        self.assertIn("deleted records", self.rollback(code=5).err)
        self.assert_same_sqlite(self.path("source.db"), self.path("target.db"))

    def test_what_has_null_in_its_key_stays(self):
        """By such a key no one record can be named: others that have it, too, would go with it."""
        with contextlib.closing(sqlite3.connect(self.path("source.db"))) as db, db:
            db.execute("INSERT INTO odd VALUES (NULL, 'one'), (NULL, 'two'), (1, 'x')")
        self.damaged("INSERT INTO odd VALUES (NULL, 'extra'), (2, 'extra')")
        self.assertIn("1 extra record stays, because its key is incomplete", self.run_program(*REPAIR, code=1).out)
        self.assertEqual(self.rows("SELECT k, v FROM odd ORDER BY v"),
                         [(None, "extra"), (None, "one"), (None, "two"), (1, "x")])
        self.rollback()
        self.assert_as_before()

    def cases(self, reached, wanted, most):
        names = [name for name in sorted(reached) if not name.endswith("state_before_rename")]
        cases = [(name, k) for name in names for k in sorted({1, (reached[name] + 1) // 2, reached[name]})]
        first = [case for case in cases if case[0] in wanted]
        return cases if SOAK else first + random.Random(SEED).sample(cases, most)

    def test_a_killed_repair(self):
        self.damaged()
        _, reached = count_failpoints(*REPAIR, cwd=self.folder)
        wanted = {"sqlite.before_delete", "sqlite.after_delete", "engine.before_repair_delete", "engine.after_commit"}
        self.assertLessEqual(wanted, set(reached))
        for point, occurrence in self.cases(reached, wanted, 3):
            for resumed in (False, True):
                with self.subTest(point=point, occurrence=occurrence, resumed=resumed):
                    self.damaged()
                    copy = self.run_id()
                    self.assertEqual(kill_at(point, occurrence, *REPAIR, cwd=self.folder).code, -9)
                    if self.run_id() == copy or not self.known(self.run_id()):
                        continue  # the repair was no run yet
                    if resumed:
                        self.run_program("resume", "-q")
                        self.assert_same_sqlite(self.path("source.db"), self.path("target.db"))
                    self.rollback()
                    self.assert_as_before()

    def known(self, run):
        return self.rows("SELECT count(*) FROM _transhume_ledger WHERE name = 'run/%s/head'" % run) == [(1,)]

    def test_a_killed_rollback(self):
        self.damaged()
        self.run_program(*REPAIR)
        _, reached = count_failpoints("rollback", "--run", self.run_id(), "--confirm", cwd=self.folder)
        wanted = {"sqlite.before_undo", "sqlite.after_undo", "rollback.before_forget"}
        self.assertLessEqual(wanted, set(reached))
        for point, occurrence in self.cases(reached, wanted, 3):
            with self.subTest(point=point, occurrence=occurrence):
                self.damaged()
                self.run_program(*REPAIR)
                run = self.run_id()
                self.assertEqual(kill_at(point, occurrence, "rollback", "--run", run, "--confirm",
                                         cwd=self.folder).code, -9)
                self.rollback(run=run)
                self.assert_as_before()
                self.rollback(run=run)


class Status(refusals.TestCase):
    """`transhume status` while a rollback is broken off."""

    def setUp(self):
        super().setUp()
        for name in ("one", "two"):
            support.make_sqlite(self.path(name + ".db"),
                                "CREATE TABLE %s(id INTEGER PRIMARY KEY); INSERT INTO %s VALUES (1), (2)" % (name,
                                    name))

    def migrate(self, name):
        self.run_program("migrate", "-q", name + ".db", "target.db")
        with open(self.path(".transhume/run.json"), encoding="utf-8") as file:
            return json.load(file)["run"]

    def kill(self, run, point="rollback.after_table"):
        self.assertEqual(kill_at(point, 1, "rollback", "--run", run, "--confirm", cwd=self.folder).code, -9)
        return "`transhume rollback --run %s --confirm`" % run

    def status(self):
        return self.run_program("status").out, json.loads(self.run_program("status", "--json").out)

    def test_of_the_run_itself(self):
        run = self.migrate("one")
        whole = self.status()[1]
        next_command = self.kill(run)
        for _ in range(2):
            text, state = self.status()
            self.assertIn("a rollback was begun: %s continues it" % next_command, text)
            self.assertNotIn("completed", text.split("started")[0])
            self.assertEqual((state["status"], state["resumable"]), ("rolling_back", False))
            self.assertEqual(state["rollback"], {"run": run, "next": next_command.strip("`")})
            for command in ("resume", "validate"):
                self.assertIn(next_command, self.run_program(command, code=5).err)
            kept = {name: value for name, value in state.items() if name not in ("status", "resumable", "rollback")}
            self.assertEqual(kept, {name: value for name, value in whole.items()
                                    if name not in ("status", "resumable")})
            self.kill(run, "rollback.before_forget")  # and once more
        self.run_program("rollback", "--run", run, "--confirm")
        self.assertEqual(self.status()[1]["status"], "not_started")
        with open(self.path(".transhume/runs", run, "state.json"), encoding="utf-8") as file:
            state = json.load(file)
        self.assertEqual((state["status"], "rollback" in state), ("rolled_back", False))

    def test_of_an_older_run(self):
        first, second = self.migrate("one"), self.migrate("two")
        next_command = self.kill(first)
        text, state = self.status()
        self.assertIn("status   completed", text)
        self.assertIn("a rollback of run %s was begun: %s continues it" % (first, next_command), text)
        self.assertEqual((state["run"], state["status"]), (second, "completed"))
        self.assertEqual(state["rollback"], {"run": first, "next": next_command.strip("`")})
        self.run_program("rollback", "--run", second, "--confirm")
        text, state = self.status()  # the first is the folder's own again
        self.assertIn("a rollback was begun: %s continues it" % next_command, text)
        self.assertEqual((state["run"], state["status"], state["rollback"]["run"]), (first, "rolling_back", first))
        self.run_program("rollback", "--run", first, "--confirm")
        text, state = self.status()
        self.assertNotIn("rollback", text)
        self.assertNotIn("rollback", state)

    def test_while_it_is_at_work(self):
        run = self.migrate("one")
        process = self.stopped("rollback", "--run", run, "--confirm", failpoint="rollback.after_table", occurrence=1)
        self.assertIn("being rolled back", self.status()[0])
        self.end(process)


if __name__ == "__main__":
    unittest.main()
