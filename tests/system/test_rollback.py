"""Rollback into SQLite: exactly what the run wrote goes, what it overwrote comes back.

What was there before and what is there after are compared by Python's sqlite3.
"""
import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import sqlite3
import unittest

import refusals
import support
from support import SEED, SOAK, count_failpoints, kill_at, make_sqlite

SOURCE = """
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price NUMERIC, blob BLOB, note TEXT DEFAULT 'n');
CREATE TABLE pair(x TEXT, y INTEGER, v REAL, PRIMARY KEY (x, y)) WITHOUT ROWID;
CREATE INDEX item_name ON item(name);
"""
VIEWS = """
CREATE VIEW cheap AS SELECT id FROM item WHERE price < 10;
CREATE TRIGGER item_gone AFTER DELETE ON item BEGIN DELETE FROM pair WHERE y = old.id; END;
"""
POLICIES = ("refuse", "append", "upsert", "replace", "skip")
COUNT = 300


def fill(db, ids, tag):
    for i in ids:
        db.execute("INSERT INTO item VALUES (?, ?, ?, ?, ?)",
                   (i, "%s %d \u00e9\U0001f411" % (tag, i), [i / 4, None, "text", i][i % 4], bytes([i % 256]) * (i % 9),
                    None))
        db.execute("INSERT INTO pair VALUES (?, ?, ?)", ("k%d" % (i % 7), i, i / 3))


def make_source(path, ids=range(1, COUNT + 1), tag="new", script=SOURCE):
    make_sqlite(path, script)
    with sqlite3.connect(path) as db:
        fill(db, ids, tag)
    db.close()
    return path


class Sqlite(refusals.TestCase):

    def setUp(self):
        super().setUp()
        make_source(self.path("source.db"))

    def target(self, kind):
        """A target that is not there, holds empty tables, or records of its own."""
        path = self.path("target.db")
        for ending in ("", "-wal", "-shm", "-journal", "-transhume-lock"):
            if os.path.exists(path + ending):
                os.unlink(path + ending)
        shutil.rmtree(self.path(".transhume"), ignore_errors=True)
        if kind == "created":
            return path
        make_sqlite(path, SOURCE + "CREATE TABLE other(a); INSERT INTO other VALUES (1), ('x'), (NULL);")
        if kind == "filled":
            with sqlite3.connect(path) as db:
                fill(db, range(COUNT // 2, COUNT + 40), "old")
            db.close()
        return path

    def before(self):
        """A copy of the target to compare with; None: there is no target."""
        if not os.path.exists(self.path("target.db")):
            return None
        shutil.copyfile(self.path("target.db"), self.path("before.db"))
        return self.path("before.db")

    def assert_as_before(self, before):
        if before is None:
            self.assertFalse(os.path.exists(self.path("target.db")))
            return
        self.assert_same_sqlite(before, self.path("target.db"))
        with sqlite3.connect(self.path("target.db")) as db:
            self.assertEqual(db.execute("SELECT name FROM sqlite_schema WHERE name LIKE '\\_transhume%' ESCAPE '\\'"
                                        ).fetchall(), [])
            self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        db.close()

    def migrate(self, *arguments, code=0, **options):
        return self.run_program("migrate", "-q", "--chunk-rows", 64, "--batch-rows", 20, *arguments, "source.db",
                                "target.db", code=code, **options)

    def rollback(self, *arguments, code=0, run=None, **options):
        return self.run_program("rollback", "--run", run or self.run_id(), "--json",
                                *(arguments or ["--confirm"]), code=code, **options)

    def cases(self):
        for kind, policy in itertools.product(("created", "empty", "filled"), POLICIES):
            if not (kind == "filled" and policy == "refuse"):
                yield kind, policy

    def test_a_whole_run(self):
        for (kind, policy), flags in support.covering(self.cases(), ([], ["--rollback-keys"], ["--no-express"]),
                                                      by=self.id()):
            with self.subTest(kind=kind, policy=policy, flags=flags):
                self.target(kind)
                before = self.before()
                self.migrate("--existing", policy, *flags, code=1 if (kind, policy) == ("filled", "append") else 0)
                counted = json.loads(self.rollback("--dry-run").out)
                done = json.loads(self.rollback().out)
                for table, told in zip(done["tables"], counted["tables"]):
                    self.assertEqual({k: v for k, v in table.items() if k != "dropped"},
                                     {k: v for k, v in told.items() if k != "dropped"})
                self.assert_as_before(before)
                with open(os.path.join(self.path(".transhume/runs"), done["run"], "state.json"),
                          encoding="utf-8") as file:
                    self.assertEqual(json.load(file)["status"], "rolled_back")

    def test_counts(self):
        self.target("filled")
        self.migrate("--existing", "upsert")
        self.assertIn("--confirm", self.rollback("--quiet", code=2).err)
        tables = {t["name"]: t for t in json.loads(self.rollback("--dry-run").out)["tables"]}
        overlap = COUNT - COUNT // 2 + 1
        for name in ("item", "pair"):
            self.assertEqual((tables[name]["restored"], tables[name]["removed"], tables[name]["changed"]),
                             (overlap, COUNT - overlap, 0))

    ALONE = "only the number of records is compared"

    def test_what_is_compared_by_its_count_alone_is_said(self):
        """
        An application's change that leaves the count goes with the table: no word of it where hashes would refuse.
        """
        for flags, kind, told in (([], "created", {"item", "pair"}),
                                  (["--no-express", "--no-hashes"], "empty", {"item", "pair"}),
                                  (["--no-express"], "created", set()), (["--rollback-keys"], "created", set())):
            with self.subTest(flags=flags, kind=kind):
                self.target(kind)
                self.migrate(*flags)
                if told:
                    self.change("UPDATE item SET name = 'by an application' WHERE id = 7")
                run = self.run_id()
                dry = self.run_program("rollback", "--run", run, "--dry-run")
                self.assertEqual(dry.out.replace("\n", " ").count(self.ALONE), int(bool(told)), dry.out)
                report = json.loads(self.rollback("--dry-run").out)
                names = {table["name"] for table in report["tables"] if table["removed"]}
                self.assertEqual((set(report["compared_by_count"]), names if told else set()),
                                 (told & names, told & names))
                refused = self.run_program("rollback", "--run", run, code=2)
                self.assertEqual(refused.err.count(self.ALONE), int(bool(told)), refused.err)
                done = self.run_program("rollback", "--run", run, "--confirm")
                self.assertEqual((done.err.count(self.ALONE), done.out.replace("\n", " ").count(self.ALONE)),
                                 (int(bool(told)),) * 2)
                again = self.run_program("rollback", "--run", run, "--confirm")
                self.assertNotIn(self.ALONE, again.out + again.err)

    def test_nothing_is_said_of_what_is_empty(self):
        make_sqlite(self.path("empty.db"), SOURCE)
        self.target("created")
        self.run_program("migrate", "-q", "empty.db", "target.db")
        self.assertEqual(json.loads(self.rollback("--dry-run").out)["compared_by_count"], [])
        done = self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertNotIn(self.ALONE, done.out + done.err)

    def test_views_triggers_and_indexes_go(self):
        with sqlite3.connect(self.path("source.db")) as db:
            db.executescript(VIEWS)
        db.close()
        for express in ([], ["--no-express"]):
            self.target("created")
            self.migrate(*express)
            self.rollback()
            self.assert_as_before(None)
        make_sqlite(self.path("target.db"), "CREATE TABLE other(a); CREATE VIEW mine AS SELECT a FROM other;")
        before = self.before()
        self.migrate()
        self.rollback()
        self.assert_as_before(before)

    VIRTUAL = ("CREATE VIRTUAL TABLE words USING fts5(body); INSERT INTO words VALUES ('sheep'), ('goats'); "
               "CREATE VIRTUAL TABLE terms USING fts5vocab(words, row);"
               "CREATE VIRTUAL TABLE box USING rtree(id, x0, x1); INSERT INTO box VALUES (1, 2, 3);")

    def test_virtual_tables_go_with_what_they_keep(self):
        make_sqlite(self.path("source.db"), self.VIRTUAL)
        cases = itertools.product(("created", "empty"), ([], ["--no-express"]),
                                  (None, "sqlite.before_remove_objects:kill"))
        for kind, flags, point in support.drawn(cases, 4, self.id()):
            with self.subTest(kind=kind, flags=flags, point=point):
                self.target(kind)
                before = self.before()
                self.migrate(*flags, *(("--existing", "append") if kind == "empty" else ()))
                told = json.loads(self.rollback("--dry-run").out)["objects"]
                self.assertEqual([line for line in told if line != "index item_name"],
                                 ["virtual table box", "virtual table terms", "virtual table words"])
                if point:
                    self.assertEqual(support.transhume("rollback", "--run", self.run_id(), "--confirm", cwd=self.folder,
                                                       env={"TRANSHUME_FAILPOINT": point}).code, -9)
                self.rollback()
                self.assert_as_before(before)

    def test_a_virtual_table_whose_module_is_not_here_goes(self):
        """Neither DROP TABLE nor anything else that opens it could."""
        make_sqlite(self.path("source.db"),
                    "CREATE TABLE far_store(k INTEGER PRIMARY KEY, v); INSERT INTO far_store VALUES (1, x'00ff'); "
                    "PRAGMA writable_schema=ON;"
                    "INSERT INTO sqlite_schema VALUES ('table', 'far', 'far', 0, 'CREATE VIRTUAL TABLE far USING "
                    "nosuchmodule(k, v)');")
        make_sqlite(self.path("target.db"), "CREATE TABLE other(a); INSERT INTO other VALUES (1);")
        before = self.before()
        self.migrate()
        self.rollback()
        self.assert_as_before(before)

    def test_a_virtual_table_that_was_made_anew_holds_the_rollback(self):
        make_sqlite(self.path("source.db"), "CREATE TABLE kept(a); CREATE VIRTUAL TABLE box USING rtree(id, x0, x1);")
        self.migrate()
        with sqlite3.connect(self.path("target.db")) as db:
            db.executescript("DROP TABLE box; CREATE VIRTUAL TABLE box USING rtree(id, y0, y1); "
                             "INSERT INTO box VALUES (5, 6, 7)")
        db.close()
        self.assertRegex(self.rollback(code=5).err, "box_[a-z]+: it was changed since")
        with sqlite3.connect(self.path("target.db")) as db:
            self.assertEqual(db.execute("SELECT id, y0, y1 FROM box").fetchall(), [(5, 6, 7)])
        db.close()

    def test_a_view_that_was_changed_stays(self):
        with sqlite3.connect(self.path("source.db")) as db:
            db.executescript(VIEWS)
        db.close()
        self.migrate()
        with sqlite3.connect(self.path("target.db")) as db:
            db.executescript("DROP VIEW cheap; CREATE VIEW cheap AS SELECT 1 AS one")
        db.close()
        self.assertEqual(json.loads(self.rollback().out)["objects"],
                         ["trigger item_gone", "index item_name",
                          "view cheap: changed since the run made it, so it stays"])
        with sqlite3.connect(self.path("target.db")) as db:
            self.assertEqual(db.execute("SELECT type, name FROM sqlite_schema").fetchall(), [("view", "cheap")])
        db.close()

    def test_killed_anywhere_then_rolled_back(self):
        numbers = random.Random(SEED)
        for kind, policy in (("created", "refuse"), ("empty", "append"), ("filled", "upsert"),
                             ("filled", "replace"), ("filled", "skip"), ("filled", "append")):
            arguments = ("migrate", "-q", "--chunk-rows", 64, "--batch-rows", 20, "--existing", policy, "--no-express",
                         "source.db", "target.db")
            self.target(kind)
            _, reached = count_failpoints(*arguments, cwd=self.folder)
            names = sorted(n for n in reached if not n.startswith("rollback"))
            cases = [(n, k) for n in names for k in sorted({1, (reached[n] + 1) // 2, reached[n]})]
            if not SOAK:
                cases = numbers.sample(cases, 8)
            for (point, occurrence), resumed in support.covering(cases, (False, True), by=self.id() + policy):
                with self.subTest(kind=kind, policy=policy, point=point, occurrence=occurrence, resumed=resumed):
                    self.target(kind)
                    before = self.before()
                    result = kill_at(point, occurrence, *arguments, cwd=self.folder)
                    if not point.endswith("state_before_rename"):  # how often depends on the time
                        self.assertEqual(result.code, -9)
                    if not os.path.exists(self.path(".transhume/run.json")):
                        continue
                    with open(self.path(".transhume/run.json"), encoding="utf-8") as file:
                        if not json.load(file)["begun"] and not self.ledger_has_run():
                            continue
                    if resumed:
                        support.transhume("resume", "-q", "source.db", "target.db", cwd=self.folder)
                    self.rollback()
                    self.assert_as_before(before)

    def ledger_has_run(self):
        if not os.path.exists(self.path("target.db")):
            return False
        with sqlite3.connect(self.path("target.db")) as db:
            found = db.execute("SELECT count(*) FROM sqlite_schema WHERE name = '_transhume_ledger'").fetchone()[0]
            if found > 0:
                found = db.execute("SELECT count(*) FROM _transhume_ledger WHERE name LIKE 'runs/%'").fetchone()[0]
        db.close()
        return found > 0

    def test_rollback_killed_anywhere(self):
        numbers = random.Random(SEED)
        for kind, policy, flags in (("created", "refuse", []), ("empty", "refuse", []), ("filled", "upsert", []),
                                    ("created", "refuse", ["--rollback-keys"]), ("filled", "append", [])):
            self.target(kind)
            self.migrate("--existing", policy, *flags, code=1 if (kind, policy) == ("filled", "append") else 0)
            arguments = ("rollback", "--run", self.run_id(), "--confirm")
            _, reached = count_failpoints(*arguments, cwd=self.folder)
            cases = [(n, k) for n in sorted(reached) for k in sorted({1, (reached[n] + 1) // 2, reached[n]})]
            for name in ("rollback.before_begin", "rollback.after_table", "rollback.before_forget",
                         "rollback.before_local", "rollback.before_retire"):
                self.assertIn(name, reached)
            if not SOAK:
                cases = numbers.sample(cases, min(8, len(cases)))
            for point, occurrence in cases:
                with self.subTest(kind=kind, policy=policy, flags=flags, point=point, occurrence=occurrence):
                    self.target(kind)
                    before = self.before()
                    self.migrate("--existing", policy, *flags,
                                 code=1 if (kind, policy) == ("filled", "append") else 0)
                    run = self.run_id()
                    result = kill_at(point, occurrence, "rollback", "--run", run, "--confirm", cwd=self.folder)
                    self.assertEqual(result.code, -9)
                    self.rollback(run=run)
                    self.assert_as_before(before)
                    self.rollback(run=run)
                    with open(self.path(".transhume/runs", run, "state.json"), encoding="utf-8") as file:
                        state = json.load(file)
                    self.assertEqual(state["status"], "rolled_back")
                    self.assertIn("records_migrated", state)

    def change(self, *statements):
        with sqlite3.connect(self.path("target.db")) as db:
            for statement in statements:
                db.execute(statement)
        db.close()

    def test_whoever_meets_a_rollback_that_broke_off_names_it(self):
        self.target("created")
        self.run_program("migrate", "source.db", "target.db")
        run = json.loads(self.run_program("status", "--json").out)["run"]
        killed = kill_at("rollback.before_forget", 1, "rollback", "--run", run, "--confirm", cwd=self.folder)
        self.assertEqual(killed.code, -9, killed.err)
        for command in ("migrate", "resume", "validate", "check"):
            result = self.run_program(command, "source.db", "target.db", code=5)
            said = " ".join((result.out + result.err).split())
            self.assertIn("`transhume rollback --run %s --confirm` continues it" % run, said, command)
            self.assertNotIn("transhume resume", said, command)
        self.run_program("rollback", "--run", run, "--confirm")

    def test_a_changed_table_is_refused(self):
        changes = {"added": "INSERT INTO item(id, name) VALUES (90000, 'mine')",
                   "deleted": "DELETE FROM item WHERE id = 7",
                   "changed": "UPDATE item SET name = 'mine' WHERE id = 7",
                   "last digit": "UPDATE pair SET v = v + 1e-9 WHERE y = 7"}
        for kind, (name, statement) in support.covering(("created", "empty"), changes.items(), by=self.id()):
            with self.subTest(kind=kind, change=name):
                self.target(kind)
                self.migrate("--no-express")
                self.change(statement)
                before = self.before()
                result = self.rollback(code=5)
                self.assertIn("[rollback-refused]", result.err)
                self.assert_same_sqlite(before, self.path("target.db"))
                self.rollback("--dry-run", code=5)

    def test_a_table_changed_after_a_killed_rollback_is_refused(self):
        for kind, point in itertools.product(("created", "empty"), ("rollback.after_begin", "rollback.after_table")):
            with self.subTest(kind=kind, point=point):
                self.target(kind)
                self.migrate("--no-express")
                run = self.run_id()
                self.assertEqual(kill_at(point, 1, "rollback", "--run", run, "--confirm", cwd=self.folder).code, -9)
                self.change("UPDATE item SET name = 'mine' WHERE id = 7")
                before = self.before()
                self.assertIn("[rollback-refused]", self.rollback(code=5, run=run).err)
                self.assert_same_sqlite(before, self.path("target.db"))

    def test_with_keys_the_rows_of_others_survive(self):
        for kind, policy in (("created", "refuse"), ("empty", "refuse"), ("filled", "upsert"), ("filled", "replace"),
                             ("filled", "skip")):
            with self.subTest(kind=kind, policy=policy):
                self.target(kind)
                before = self.before()
                self.migrate("--existing", policy, "--rollback-keys")
                self.change("INSERT INTO item(id, name) VALUES (90000, 'mine')", "DELETE FROM item WHERE id = 7",
                            "UPDATE item SET name = 'mine' WHERE id = 9", "UPDATE pair SET v = -0.5 WHERE y = 299",
                            "DELETE FROM pair WHERE y = 298")
                with sqlite3.connect(self.path("target.db")) as db:
                    kept = db.execute("SELECT * FROM item WHERE id IN (9, 90000)").fetchall()
                    kept_pair = db.execute("SELECT * FROM pair WHERE y = 299").fetchall()
                db.close()
                report = {t["name"]: t for t in json.loads(self.rollback().out)["tables"]}
                skipped = policy == "skip"
                self.assertEqual((report["item"]["changed"], report["item"]["missing"]), (1, 1))
                self.assertEqual((report["pair"]["changed"], report["pair"]["missing"]),
                                 (0, 0) if skipped else (1, 1))
                if before is None:
                    before = make_sqlite(self.path("before.db"), SOURCE.replace(
                        "CREATE INDEX item_name ON item(name);", ""))
                with sqlite3.connect(before) as db:
                    db.executemany("INSERT OR REPLACE INTO item VALUES (?, ?, ?, ?, ?)", kept)
                    db.executemany("INSERT OR REPLACE INTO pair VALUES (?, ?, ?)", kept_pair)
                    db.execute("DELETE FROM pair WHERE y = 298")
                db.close()
                self.assert_same_sqlite(before, self.path("target.db"))

    def test_a_damaged_list_of_keys_fails_a_dry_run_too(self):
        self.target("filled")
        self.migrate("--existing", "upsert")
        with sqlite3.connect(self.path("target.db")) as db:
            (name,) = db.execute("SELECT name FROM sqlite_schema WHERE name LIKE '\\_transhume\\_undo\\_%item' "
                                 "ESCAPE '\\'"
                                 ).fetchone()
            db.execute('ALTER TABLE "%s" RENAME COLUMN hash TO sum' % name)
        db.close()
        for option in ("--dry-run", "--confirm"):
            result = self.rollback(option, code=3)
            self.assertIn("no such column", result.err)

    def test_two_runs(self):
        self.target("filled")
        zero = self.before()
        shutil.copyfile(zero, self.path("zero.db"))
        self.migrate("--existing", "upsert")
        first = self.run_id()
        one = self.before()
        shutil.copyfile(one, self.path("one.db"))
        with sqlite3.connect(self.path("source.db")) as db:
            db.execute("UPDATE item SET name = 'second ' || id")
        db.close()
        self.migrate("--existing", "replace")
        second = self.run_id()
        result = self.rollback(run=first, code=5)
        self.assertIn(second, result.err)
        self.rollback(run=second)
        self.assert_same_sqlite(self.path("one.db"), self.path("target.db"))
        self.rollback(run=first)
        self.assert_as_before(self.path("zero.db"))

    def test_two_runs_of_different_tables(self):
        self.target("empty")
        before = self.before()
        self.migrate("--include", "item")
        first = self.run_id()
        self.migrate("--include", "pair")
        second = self.run_id()
        self.rollback(run=first)
        with sqlite3.connect(self.path("target.db")) as db:
            self.assertEqual(db.execute("SELECT (SELECT count(*) FROM item), (SELECT count(*) FROM pair)").fetchone(),
                             (0, COUNT))
        db.close()
        self.rollback(run=second)
        self.assert_as_before(before)

    def test_refusals(self):
        self.target("filled")
        self.migrate("--existing", "upsert", "--no-before-images")
        result = self.rollback(code=5)
        self.assertIn("nothing was kept", result.err)
        run = self.run_id()
        self.assert_code(support.transhume("rollback", cwd=self.folder), 2)
        unknown = self.rollback(run="20200101T000000Z-000000", code=2)
        self.assertIn("[run-nothing]", unknown.err)
        finish = self.run_program("finish", code=5)
        self.assertIn("[finish-refused]", finish.err)
        for extra in ((), ("--json",)):
            told = self.run_program("finish", "--dry-run", *extra, code=5)
            self.assertEqual(told.err, finish.err)
            self.assertEqual([json.loads(line)["error"]["code"] for line in told.out.splitlines()],
                             ["finish-refused"] if extra else [])
        self.assertIn("was not validated", finish.err)
        self.assertIn("was not validated", self.run_program("finish", "--dry-run", "--confirm").out)
        doubted = json.loads(self.run_program("finish", "--dry-run", "--confirm", "--json").out)
        self.assertEqual((doubted["dry_run"], doubted["runs"]), (True, [run]))
        self.assertIn("was not validated", doubted["doubt"])
        self.assertIn("was not validated", self.run_program("finish", "--confirm").out)
        self.assertIn("nothing to drop", self.run_program("finish").out)
        after = self.rollback(run=run, code=2)
        self.assertIn("[run-nothing]", after.err)
        with sqlite3.connect(self.path("target.db")) as db:
            self.assertEqual(db.execute("SELECT count(*) FROM sqlite_schema WHERE name LIKE '\\_transhume%' ESCAPE "
                                        "'\\'").fetchone(), (0,))
            self.assertEqual(db.execute("SELECT count(*) FROM item").fetchone(), (COUNT + 39,))
        db.close()

    def test_finish_wants_a_proof_of_the_whole_run(self):
        self.target("empty")
        self.migrate()
        part = "transhume: 1\nsource: sqlite:source.db\ntarget: sqlite:target.db\ntables:\n  pair:\n" \
               "    key: [x, y]\n    entities:\n      pair:\n        from: pair\n        fields: { \"*\": copy }\n"
        self.write("part.yaml", part)
        db = sqlite3.connect(self.path("target.db"), isolation_level=None)
        db.execute("DELETE FROM item")
        db.close()
        for arguments in (("--plan", "part.yaml", "--level", "count"), ("--plan", "part.yaml", "--level", "full")):
            result = self.run_program("validate", "--json", *arguments)
            self.assertIsNone(json.loads(result.out)["run"])
            self.assertIn("[finish-refused]", self.run_program("finish", code=5).err)

    def test_finish_goes_by_what_was_found_last(self):
        """
        The run is validated while the folder's own is another one, and once more when that is gone: two files tell of
        it.
        """
        for damage in (False, True):
            with self.subTest(damage=damage):
                self.doCleanups()
                self.setUp()
                self.target("created")
                self.migrate()
                self.run_program("migrate", "-q", "source.db", "elsewhere.db")
                self.run_program("validate", "source.db", "target.db")
                self.assertTrue(os.path.exists(self.path(".transhume/validation-other.json")))
                self.rollback(run=self.run_id())
                if damage:
                    with contextlib.closing(sqlite3.connect(self.path("target.db"), isolation_level=None)) as db:
                        db.execute("DELETE FROM item")
                    self.run_program("validate", "source.db", "target.db", code=1)
                    self.assertIn("[finish-refused]", self.run_program("finish", "target.db", code=5).err)
                else:
                    self.run_program("finish", "target.db")

    def test_finish_wants_more_than_counts_and_samples(self):
        self.target("empty")
        self.migrate()
        for level in ("count", "sample"):
            self.run_program("validate", "--level", level)
            self.assertIn("[finish-refused]", self.run_program("finish", code=5).err)
        self.run_program("validate")
        self.run_program("finish")
        self.assertIn("nothing to drop", self.run_program("finish").out)

    def test_finish_looks_at_every_run(self):
        self.target("filled")
        self.migrate("--include", "item", "--existing", "upsert")
        first = self.run_id()
        self.migrate("--include", "pair", "--existing", "upsert")
        self.run_program("validate")
        refused = self.run_program("finish", code=5)
        self.assertIn(first + " was not validated", refused.err)
        self.assertEqual(kill_at("rollback.after_begin", 1, "rollback", "--run", first, "--confirm",
                                 cwd=self.folder).code, -9)
        refused = self.run_program("finish", code=5)
        self.assertIn(first + " is being rolled back", refused.err)
        self.rollback(run=first)
        self.run_program("validate")
        self.run_program("finish")

    def test_finish_wants_a_proof_of_what_each_run_wrote(self):
        """
        A validation by a plan with a condition, or of another source, does not see what an older run wrote to the same
        table.
        """
        support.make_sqlite(self.path("a.db"),
                            "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y')")
        support.make_sqlite(self.path("b.db"),
                            "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (3, 'z')")
        self.write("later.yaml",
                   "transhume: 1\ntables: { t: { key: [id], from: t, where: id > 2, existing: append } }\n")
        later = ("--plan", "later.yaml", "a.db")
        for name, again in (("condition", later), ("source", ("--existing", "append", "b.db"))):
            with self.subTest(name):
                target = "sqlite:%s.db" % name
                self.run_program("migrate", "-q", "--state", "first" + name, "a.db", target)
                first = json.loads(self.run_program("status", "--json", "--state", "first" + name).out)["run"]
                support.make_sqlite(self.path("a.db"), "INSERT OR IGNORE INTO t VALUES (5, 'five')")
                self.run_program("migrate", "-q", "--state", name, *again, target)
                support.make_sqlite(self.path(name + ".db"), "UPDATE t SET v = 'damaged' WHERE id = 1")
                validated = [word for word in again if word not in ("--existing", "append")]
                support.transhume("validate", "-q", "--state", name, *validated, target, cwd=self.folder)
                refused = self.run_program("finish", "--state", name, target, code=5)
                self.assertIn("[finish-refused]", refused.err)
                self.assertTrue(name == "source" or "run %s has another plan" % first in refused.err, refused.err)
                self.run_program("finish", "--state", name, "--confirm", target)

    def test_finish_after_a_repair(self):
        self.target("created")
        self.migrate()
        with contextlib.closing(sqlite3.connect(self.path("target.db"), isolation_level=None)) as db:
            db.execute("DELETE FROM item")
        self.run_program("validate", "--repair")
        self.run_program("validate")
        self.run_program("finish")

    def test_a_stop_while_a_lock_is_waited_for_is_no_end(self):
        for command in ("rollback", "finish"):
            with self.subTest(command=command):
                self.target("created")
                self.migrate()
                name = ("--run", self.run_id()) if command == "rollback" else ()
                process = self.stopped_at(command + ".before_forget:stop:1", command, *name, "--confirm", "--timeout",
                                          "1s", "target.db")
                with contextlib.closing(sqlite3.connect(self.path("target.db"), isolation_level=None)) as db:
                    db.execute("BEGIN IMMEDIATE")
                    process.send_signal(signal.SIGCONT)
                    line = process.stderr.readline()
                    while b"only the number of records is compared" in line:
                        line = process.stderr.readline()
                    self.assertIn(b"try 2 in", line)
                    process.send_signal(signal.SIGTERM)
                    ended = support.finish(process)
                self.assert_code(ended, 4)
                self.assertIn("continues it", ended.err)
                self.assertEqual(ended.out, "")
                self.run_program(command, *name, "--confirm", "target.db")

    def test_keyless_records_among_others(self):
        make_sqlite(self.path("keyless.db"), "CREATE TABLE word(w TEXT); INSERT INTO word VALUES ('a'), ('b');")
        make_sqlite(self.path("target.db"), "CREATE TABLE word(w TEXT); INSERT INTO word VALUES ('c');")
        checked = self.run_program("check", "--existing", "append", "keyless.db", "target.db")
        self.assertIn("can't be rolled back", checked.out)
        self.run_program("migrate", "-q", "--existing", "append", "keyless.db", "target.db")
        self.assertIn("no key", self.rollback(code=5).err)

    def test_restart(self):
        for kind, policy in (("created", "refuse"), ("empty", "refuse"), ("filled", "replace")):
            with self.subTest(kind=kind):
                self.target(kind)
                arguments = ("migrate", "-q", "--chunk-rows", 64, "--no-express", "--existing", policy, "source.db",
                             "target.db")
                kill_at("engine.after_commit", 3, *arguments, cwd=self.folder)
                run = self.run_id()
                self.run_program(*arguments, code=5)
                result = self.run_program(*arguments, "--restart", code=2)
                self.assertIn("--confirm", result.err)
                self.run_program(*arguments, "--restart", "--confirm")
                self.assertNotEqual(self.run_id(), run)
                with open(self.path(".transhume/runs", run, "state.json"), encoding="utf-8") as file:
                    self.assertEqual(json.load(file)["status"], "rolled_back")
                with sqlite3.connect(self.path("target.db")) as db:
                    self.assertEqual(db.execute("SELECT count(*) FROM item WHERE name LIKE 'new%'").fetchone(),
                                     (COUNT,))
                db.close()
                self.run_program("migrate", "-q", "--existing", "replace", "--restart", "source.db", "target.db")

    def test_a_running_run_is_not_taken_back(self):
        self.target("created")
        process = self.stopped("migrate", "-q", "--no-express", "source.db", "target.db")
        result = self.rollback(code=5)
        self.assertIn("[run-held]", result.err)
        self.end(process)
        self.rollback()
        self.assert_as_before(None)


if __name__ == "__main__":
    unittest.main()
