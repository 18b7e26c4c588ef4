"""A copy, a repair of it, and the repair's rollback: afterwards the copy is what the state folder is about, as before
the repair.

Each of the three is carried out whole or killed at a failpoint, and gone on with; then status, report, resume and
validate are asked about
the copy, and finish forgets it or a rollback takes it back. `make test` kills each at one place drawn by a seed, `make
soak` at every one.
"""
import itertools
import json
import os
import random
import shutil
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import matrix
import postgres
import support

SCRIPT = """
CREATE TABLE herd(id INTEGER PRIMARY KEY, wool TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90) INSERT INTO herd SELECT i, 'wool ' || i FROM n;
"""
COPY = ("migrate", "--chunk-rows", "30")
REPAIR = ("validate", "--repair", "--delete-extra", "--confirm")
# Where a kill leaves a copy that the ledger knows as complete, and the state folder does not.
COPY_KILLED = "engine.after_completed"
# Before its ledger a repair is no run.
REPAIR_BEGUN = "engine.after_claim"


class CopyBelow:
    """
    Brings: target() of the program, clear(), damage(), rows(), and leftovers(): what of the program's is in the target.
    """
    one_database_each = True

    PAIR = ""

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), SCRIPT)
        self.pair = ["source.db", self.target()]
        self.random = random.Random("%d %s" % (support.SEED, self.id()))

    def begin(self, copy_killed):
        """The copy's id and its rows, damaged."""
        self.clear()
        shutil.rmtree(self.path(".transhume"), ignore_errors=True)
        if copy_killed:
            self.assertEqual(support.kill_at(COPY_KILLED, 1, *COPY, *self.pair, cwd=self.folder).code, -9)
        else:
            self.run_program(*COPY, *self.pair)
        copy = self.run_id()
        self.damage()
        return copy, self.rows()

    def status(self):
        return json.loads(self.run_program("status", "--json").out)

    def reached(self, *command):
        result, counts = support.count_failpoints(*command, cwd=self.folder)
        self.assert_code(result, 0)
        return [(name, occurrence) for name, count in sorted(counts.items()) for occurrence in sorted({1, count})
                if not name.endswith("state_before_rename")]

    def places(self):
        """Where the repair and its rollback can be killed."""
        self.begin(False)
        repair = self.reached(*REPAIR, *self.pair)
        rollback = self.reached("rollback", "--run", self.run_id(), "--confirm")
        self.assertIn((REPAIR_BEGUN, 1), repair)
        self.assertTrue({"rollback.before_forget", "rollback.before_retire",
                         "rollback.before_recall"} <= {name for name, _ in rollback})
        return repair, rollback

    def test_it_is_known(self):
        repair, rollback = self.places()
        for killed in itertools.product((False, True), repeat=3):
            repairs = repair if killed[1] and support.SOAK else [self.random.choice(repair)]
            rollbacks = rollback if killed[2] and support.SOAK else [self.random.choice(rollback)]
            cases = itertools.zip_longest(repairs, rollbacks)   # each of both once
            for repair_at, rollback_at in cases:
                repair_at, rollback_at = repair_at or self.random.choice(repair), rollback_at or self.random.choice(
                    rollback)
                fault = "kill-rollback" if killed[2] else "kill-repair" if killed[1] else "kill"
                with self.subTest(killed=killed, repair=repair_at, rollback=rollback_at):
                    if any(killed):
                        with matrix.case(self.PAIR, fault) as entry:
                            entry.struck(self.one_case(*killed, repair_at, rollback_at))
                    else:
                        self.one_case(*killed, repair_at, rollback_at)

    def one_case(self, copy_killed, repair_killed, rollback_killed, repair_at, rollback_at):
        copy, damaged = self.begin(copy_killed)
        if repair_killed:
            killed = support.kill_at(*repair_at, *REPAIR, *self.pair, cwd=self.folder)
            self.assertIn(killed.code, (0, -9), killed.err)
        else:
            self.run_program(*REPAIR, *self.pair)
        command = ["rollback", "--run", self.run_id(), "--confirm"]
        if self.run_id() == copy or "no run" in support.transhume(*command[:3], "--dry-run", cwd=self.folder).err:
            return False   # the repair was no run yet
        self.assertNotEqual(self.run_id(), copy)
        if rollback_killed:
            killed = support.kill_at(*rollback_at, *command, cwd=self.folder)
            self.assertIn(killed.code, (0, -9), killed.err)
            if killed.code == -9 and rollback_at[0] == "rollback.before_recall":
                self.assert_known(copy, copy_killed)
            elif killed.code == -9 and rollback_at[0] not in ("rollback.before_begin", "rollback.after_begin"):
                self.assertRegex(self.run_program("status").out, "rollback --run %s|run +%s" % (command[2], command[2]))
        for _ in range(2):   # the second one says that it is done already
            self.run_program(*command)
            self.assertEqual(self.rows(), damaged)
        self.assert_known(copy, copy_killed)
        self.assert_ends(copy)
        return True

    def assert_known(self, copy, copy_killed):
        state = self.status()
        self.assertEqual((state["run"], state["status"]), (copy, "in_progress" if copy_killed else "completed"))
        self.assertIn(copy, self.run_program("status").out)
        report = json.loads(self.run_program("report", "--json").out)
        self.assertEqual(report["run"], copy)
        self.run_program("report")
        self.assertNotIn("rollback", state)

    def assert_ends(self, copy):
        """What goes on with a run does so with the copy."""
        self.run_program("resume")
        self.assertEqual((self.run_id(), self.status()["status"]), (copy, "completed"))
        found = json.loads(self.run_program("validate", "--json", code=1).out)
        self.assertEqual((found["run"], sum(entity["different"] for entity in found["entities"])), (copy, 1))
        self.run_program("finish", code=5)
        self.mend()   # a table that others changed can't be dropped, nor files in which they wrote be trusted
        if self.random.random() < 0.5:
            self.assertIn(copy, self.run_program("finish", "--confirm").out)
            self.assertEqual(self.leftovers(), [])
            self.assertEqual(self.status()["run"], copy)
            return
        self.run_program("rollback", "--run", copy, "--confirm")
        self.assertEqual(self.rows(), [])
        self.assertEqual(self.status()["status"], "not_started")

    def test_a_copy_that_was_broken_off(self):
        """It has no repair before it is complete, and is known from its resume on."""
        self.clear()
        self.assertEqual(support.kill_at("engine.after_commit", 2, *COPY, *self.pair, cwd=self.folder).code, -9)
        copy = self.run_id()
        self.assertIn("run-unfinished", self.run_program(*REPAIR, code=5).err)
        self.assertEqual(self.status()["run"], copy)
        self.run_program("resume")
        self.damage()
        damaged = self.rows()
        self.run_program(*REPAIR)
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.rows(), damaged)
        self.assert_known(copy, False)
        self.assert_ends(copy)


class Sqlite(CopyBelow, support.TestCase):
    PAIR = "sqlite to sqlite"

    def target(self):
        return "sqlite:copy.db"

    def clear(self):
        for name in ("copy.db", "copy.db-journal", "copy.db-transhume-lock"):
            if os.path.exists(self.path(name)):
                os.remove(self.path(name))

    def damage(self):
        support.make_sqlite(self.path("copy.db"),
                            "UPDATE herd SET wool = 'shorn' WHERE id = 40; DELETE FROM herd WHERE id = 7; "
                            "INSERT INTO herd VALUES (1000, 'extra')")

    def mend(self):
        support.make_sqlite(self.path("copy.db"),
                            "UPDATE herd SET wool = 'wool 40' WHERE id = 40; INSERT INTO herd VALUES (7, 'wool 7'); "
                            "DELETE FROM herd WHERE id = 1000")

    def query(self, sql):
        if not os.path.exists(self.path("copy.db")):
            return []
        with support.open_sqlite(self.path("copy.db")) as database:
            rows = database.execute(sql).fetchall()
        database.close()
        return rows

    def rows(self):
        there = self.query("SELECT 1 FROM sqlite_schema WHERE name = 'herd'")
        return self.query("SELECT id, wool FROM herd ORDER BY id") if there else []

    def leftovers(self):
        return self.query("SELECT name FROM sqlite_schema WHERE name LIKE '%transhume%'")


class Folder(CopyBelow, support.TestCase):
    PAIR = "sqlite to dynamodb-json"

    def target(self):
        return "dynamodb-json:out"

    def clear(self):
        shutil.rmtree(self.path("out"), ignore_errors=True)

    def files(self):
        folder = self.path("out", "herd")
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder))] if os.path.isdir(folder) else []

    def damage(self):
        self.kept = {}
        for path in self.files():
            with open(path, encoding="utf-8") as file:
                self.kept[path] = file.read()
        path, text = next((path, text) for path, text in self.kept.items() if '"wool 40"' in text)
        lines = [line for line in text.splitlines(True) if '"wool 38"' not in line]
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(lines).replace('"wool 40"', '"shorn"')
                       + '{"Item":{"id":{"N":"1000"},"wool":{"S":"extra"}}}\n')

    def mend(self):
        for path, text in self.kept.items():
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

    def rows(self):
        items = [json.loads(line)["Item"] for path in self.files() for line in support.read_lines(path)]
        return sorted((int(item["id"]["N"]), item["wool"]["S"]) for item in items)

    def leftovers(self):
        return [name for name in os.listdir(self.path("out")) if "transhume" in name
                and os.listdir(self.path("out", name)) != ["tables"]]


class Postgres(CopyBelow, support.TestCase):
    PAIR = "sqlite to postgres"

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def target(self):
        self.name = self.server.database()
        return self.server.uri(self.name)

    def clear(self):
        self.server.psql(self.name, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def damage(self):
        self.server.psql(self.name,
                         "UPDATE herd SET wool = 'shorn' WHERE id = 40; DELETE FROM herd WHERE id = 7; "
                         "INSERT INTO herd VALUES (1000, 'extra')")

    def mend(self):
        self.server.psql(self.name,
                         "UPDATE herd SET wool = 'wool 40' WHERE id = 40; INSERT INTO herd VALUES (7, 'wool 7'); "
                         "DELETE FROM herd WHERE id = 1000")

    def rows(self):
        there = self.server.psql(self.name, "SELECT to_regclass('herd') IS NOT NULL")[0][0] == "t"
        return self.server.psql(self.name, "SELECT id, wool FROM herd ORDER BY id") if there else []

    def leftovers(self):
        return self.server.psql(self.name, "SELECT relname FROM pg_class WHERE relname LIKE '%transhume%'")


if __name__ == "__main__":
    unittest.main()
