"""Rollback into SQL databases: exactly what the run wrote goes, what it overwrote comes back. The cases that are alike.

A module of tests brings a class of its own before `Rollbacks`, with
    sql(statements)          rows of texts, by the server's own client
    clear()                  takes everything out of the target
    contents()               (definitions, {key of a table: its rows})
    key(table)               of those rows
    records(table)           {what names a record, as a list of texts: all of it}
    own_tables()             names of tables of the program's
    filled, target_script    SQL
    failpoints               how the connector's begin
"""
import itertools
import json
import os
import random
import shutil
import sqlite3

import refusals
import support
from support import SEED, SOAK, count_failpoints, kill_at

COUNT = 300
SOURCE = """
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price NUMERIC, bin BLOB, note TEXT);
CREATE TABLE pair(x TEXT, y INTEGER, v REAL, item_id INTEGER REFERENCES item(id), PRIMARY KEY (x, y)) WITHOUT ROWID;
CREATE INDEX item_name ON item(name);
"""
POLICIES = ("refuse", "append", "upsert", "replace", "skip")


def fill_source(path, ids=range(1, COUNT + 1), tag="new"):
    support.make_sqlite(path, SOURCE)
    with sqlite3.connect(path) as db:
        for i in ids:
            db.execute("INSERT INTO item VALUES (?, ?, ?, ?, ?)",
                       (i, "%s %d \u00e9\U0001f411 \\ \"" % (tag, i), [i / 4, None, 7, -i][i % 4],
                        bytes([i % 256]) * (i % 9), None))
            db.execute("INSERT INTO pair VALUES (?, ?, ?, ?)", ("k%d" % (i % 7), i, i / 3, i))
    db.close()
    return path


class Rollbacks(refusals.TestCase):
    whole_runs = 3   # of all cases; the soak tries each
    other_kills = {("filled",): 1, ("created", "--rollback-keys"): 1}

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        self.uri = self.server.uri(self.name)
        fill_source(self.path("source.db"))

    def target(self, kind):
        """A target with nothing in it, empty tables, or records of its own."""
        shutil.rmtree(self.path(".transhume"), ignore_errors=True)
        self.clear()
        if kind != "created":
            self.sql(self.target_script)
        if kind == "filled":
            self.sql(self.filled)

    def assert_as(self, before):
        self.maxDiff = None
        after = self.contents()
        self.assertEqual(before[1], after[1])
        self.assertEqual(before[0], after[0])

    def migrate(self, *arguments, code=0, **options):
        return self.run_program("migrate", "-q", "--chunk-rows", 64, "--batch-rows", 20, *arguments, "source.db",
                                self.uri, code=code, **options)

    def rollback(self, *arguments, code=0, run=None, **options):
        return self.run_program("rollback", "--run", run or self.run_id(), "--json",
                                *(arguments or ["--confirm"]), code=code, **options)

    @staticmethod
    def code_of(kind, policy):
        """With skip, pairs that refer to items which are there with other values are rejects."""
        return 1 if (kind, policy) in (("filled", "append"), ("filled", "skip")) else 0

    def cases(self):
        for kind, policy in itertools.product(("created", "empty", "filled"), POLICIES):
            if not (kind == "filled" and policy == "refuse"):
                yield kind, policy

    def test_a_whole_run(self):
        numbers = random.Random(SEED)
        cases = list(itertools.product(self.cases(), ([], ["--rollback-keys"])))
        for (kind, policy), flags in cases if SOAK else numbers.sample(cases, self.whole_runs):
            with self.subTest(kind=kind, policy=policy, flags=flags):
                self.target(kind)
                before = self.contents()
                self.migrate("--existing", policy, *flags, code=self.code_of(kind, policy))
                self.assertNotEqual(self.contents()[1], before[1])
                counted = json.loads(self.rollback("--dry-run").out)
                done = json.loads(self.rollback().out)
                for table, told in zip(done["tables"], counted["tables"]):
                    self.assertEqual({k: v for k, v in table.items() if k != "dropped"},
                                     {k: v for k, v in told.items() if k != "dropped"})
                self.assert_as(before)
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

    def test_what_is_compared_by_its_count_alone_is_said(self):
        for flags, told in ((["--no-hashes"], {"item", "pair"}), ([], set())):
            with self.subTest(flags=flags):
                self.target("created")
                self.migrate(*flags)
                self.assertEqual(set(json.loads(self.rollback("--dry-run").out)["compared_by_count"]) & {"item",
                    "pair"}, told)
                self.assertEqual("only the number of records is compared" in self.rollback().err, bool(told))

    def has_begun(self):
        """
        Does the target's ledger know the run that the state folder holds? Killed before it does, it has changed
        nothing.
        """
        return ("_transhume_ledger" in self.own_tables() and os.path.exists(self.path(".transhume", "run.json")) and
                any(self.run_id() in value
                    for value, in self.sql("SELECT value FROM _transhume_ledger WHERE name LIKE 'runs/%'")))

    def test_killed_run_is_taken_back(self):
        numbers = random.Random(SEED)
        filled = support.drawn((("filled", "upsert"), ("filled", "replace"), ("filled", "skip")), 1, self.id())
        for kind, policy in (("created", "refuse"), *filled):
            arguments = ("migrate", "-q", "--chunk-rows", 64, "--batch-rows", 20, "--existing", policy, "source.db",
                         self.uri)
            self.target(kind)
            _, reached = count_failpoints(*arguments, cwd=self.folder)
            names = sorted(n for n in reached if n.startswith((self.failpoints, "engine.")) and
                           not n.endswith("state_before_rename"))   # how often depends on the time
            cases = [(n, k) for n in names for k in sorted({1, (reached[n] + 1) // 2, reached[n]})]
            for point, occurrence in cases if SOAK else numbers.sample(cases, 1):
                for resumed in (False, True) if SOAK else (numbers.choice((False, True)),):
                    with self.subTest(kind=kind, policy=policy, point=point, occurrence=occurrence, resumed=resumed):
                        self.target(kind)
                        before = self.contents()
                        self.assertEqual(kill_at(point, occurrence, *arguments, cwd=self.folder).code, -9)
                        if not self.has_begun():
                            self.migrate("--existing", policy)
                        elif resumed:
                            support.transhume("resume", "-q", "source.db", self.uri, cwd=self.folder)
                        self.rollback()
                        self.assert_as(before)

    def test_rollback_killed_anywhere(self):
        numbers = random.Random(SEED)
        others = support.drawn((("empty", "refuse", []), ("created", "refuse", ["--rollback-keys"])), 1, self.id())
        for kind, policy, flags in (("created", "refuse", []), *others, ("filled", "upsert", [])):
            self.target(kind)
            self.migrate("--existing", policy, *flags)
            _, reached = count_failpoints("rollback", "--run", self.run_id(), "--confirm", cwd=self.folder)
            wanted = {"rollback.before_begin", "rollback.after_table", self.failpoints + "before_forget",
                      self.failpoints + "after_forget"}
            wanted |= {self.failpoints + "before_undo", self.failpoints
                       + "after_undo"} if kind == "filled" or flags else {
                           self.failpoints + "before_remove_table", self.failpoints + "after_remove_table"}
            self.assertLessEqual(wanted, set(reached))
            cases = [(n, k) for n in sorted(reached) for k in sorted({1, (reached[n] + 1) // 2, reached[n]})]
            if not SOAK:
                cases = numbers.sample([case for case in cases if case[0] in wanted and case[1] == 1],
                                       1) + numbers.sample(cases, self.other_kills.get((kind, *flags), 0))
            for point, occurrence in cases:
                with self.subTest(kind=kind, policy=policy, flags=flags, point=point, occurrence=occurrence):
                    self.target(kind)
                    before = self.contents()
                    self.migrate("--existing", policy, *flags)
                    run = self.run_id()
                    self.assertEqual(kill_at(point, occurrence, "rollback", "--run", run, "--confirm",
                                             cwd=self.folder).code, -9)
                    self.rollback(run=run)
                    self.assert_as(before)
                    self.rollback(run=run)

    def test_a_changed_table_is_refused(self):
        changes = {"added": "INSERT INTO item(id, name) VALUES (90000, 'mine')",
                   "deleted": "DELETE FROM pair WHERE y = 7",
                   "changed": "UPDATE item SET name = 'mine' WHERE id = 7",
                   "last digit": "UPDATE pair SET v = v + 1e-9 WHERE y = 7"}
        for kind, (name, statement) in support.covering(("created", "empty"), changes.items(), by=self.id()):
            with self.subTest(kind=kind, change=name):
                self.target(kind)
                self.migrate()
                self.sql(statement)
                before = self.contents()
                self.assertIn("[rollback-refused]", self.rollback(code=5).err)
                # only who holds the run may have changed
                before[1].pop(self.key("_transhume_ledger"))
                after = self.contents()
                after[1].pop(self.key("_transhume_ledger"))
                self.assertEqual(before, after)
                self.rollback("--dry-run", code=5)

    def test_a_table_that_others_renamed(self):
        """Nobody can tell it from one that was dropped: that is said."""
        for options in ((), ("--rollback-keys",)):
            with self.subTest(options):
                self.target("created")
                self.migrate(*options)
                self.sql("ALTER TABLE item RENAME TO kept")
                report = json.loads(self.rollback("--dry-run").out)
                self.assertEqual({table["name"]: (table["gone"], table["missing"]) for table in report["tables"]},
                                 {"item": (True, COUNT), "pair": (False, 0)})
                self.assertIn("1 table is gone: others dropped it, or gave it another name",
                              self.run_program("rollback", "--run", self.run_id(), "--confirm").out)
                self.assertEqual([[str(value) for value in row] for row in self.sql("SELECT count(*) FROM kept")],
                                 [[str(COUNT)]])
                self.sql("DROP TABLE kept")

    def test_a_column_that_others_took_away(self):
        self.target("created")
        self.migrate("--no-express")
        self.sql("ALTER TABLE item RENAME COLUMN note TO remark")
        before = self.contents()
        result = self.rollback(code=5)
        self.assertIn("item: its column note is gone", result.err)
        self.assertIn("[rollback-refused]", result.err)
        self.assertEqual(before[1][self.key("item")], self.contents()[1][self.key("item")])

    def test_with_keys_the_rows_of_others_survive(self):
        overwriting = support.drawn((("empty", "refuse"), ("filled", "upsert"), ("filled", "replace")), 1, self.id())
        for kind, policy in (("created", "refuse"), *overwriting, ("filled", "skip")):
            with self.subTest(kind=kind, policy=policy):
                self.target(kind)
                before = {table: self.records(table) if kind == "filled" else {} for table in ("item", "pair")}
                self.migrate("--existing", policy, "--rollback-keys", code=self.code_of(kind, policy))
                self.sql("INSERT INTO item(id, name) VALUES (90000, 'mine'); DELETE FROM pair WHERE y IN (7, 298);"
                         "UPDATE item SET name = 'mine' WHERE id = 9; UPDATE pair SET v = -0.5 WHERE y = 299;")
                items, pairs = self.records("item"), self.records("pair")
                report = {t["name"]: t for t in json.loads(self.rollback().out)["tables"]}
                skipped = policy == "skip"
                # what the application has changed it keeps, and a record that refers to it or is referred to
                self.assertEqual(report["item"]["changed"], 2 if kind == "created" else 1)
                self.assertEqual((report["pair"]["changed"], report["pair"]["missing"]), (0, 1) if skipped else (1, 2))
                # created: item 299 stays, since the changed pair refers to it
                mine = (("9",), ("90000",)) + ((("299",),) if kind == "created" else ())
                self.assertEqual(self.records("item"), {**before["item"], **{key: items[key] for key in mine}})
                expected = {key: row for key, row in before["pair"].items() if key[1] not in ("298", "299")}
                expected.update((key, row) for key, row in pairs.items() if key[1] == "299")
                self.assertEqual(self.records("pair"), expected)

    def test_what_refers_to_others_goes_before_them(self):
        """Whatever the order in which the source lists its tables."""
        self.target("created")
        support.make_sqlite(self.path("order.db"), """
            CREATE TABLE child(id INTEGER PRIMARY KEY, up INTEGER REFERENCES parent(id));
            CREATE TABLE parent(id INTEGER PRIMARY KEY, top INTEGER REFERENCES root(id));
            CREATE TABLE root(id INTEGER PRIMARY KEY);
            INSERT INTO root VALUES (1), (2); INSERT INTO parent VALUES (1, 1), (2, 2), (3, 2); INSERT INTO child VALUES (1, 1), (2, 3);""")
        self.run_program("migrate", "-q", "--rollback-keys", "order.db", self.uri)
        self.sql("INSERT INTO root VALUES (10); INSERT INTO child VALUES (10, NULL)")
        report = {t["name"]: (t["removed"], t["changed"]) for t in json.loads(self.rollback().out)["tables"]}
        self.assertEqual(report, {"child": (2, 0), "parent": (3, 0), "root": (2, 0)})
        self.assertEqual(self.sql("SELECT id FROM root") + self.sql("SELECT id FROM child"), [["10"], ["10"]])

    def test_two_runs(self):
        self.target("filled")
        zero = self.contents()
        self.migrate("--existing", "upsert")
        first = self.run_id()
        one = self.contents()[1]
        with sqlite3.connect(self.path("source.db")) as db:
            db.execute("UPDATE item SET name = 'second ' || id")
        db.close()
        self.migrate("--existing", "replace")
        second = self.run_id()
        self.assertIn(second, self.rollback(run=first, code=5).err)
        self.rollback(run=second)
        for table in ("item", "pair"):
            self.assertEqual(one[self.key(table)], self.contents()[1][self.key(table)])
        self.rollback(run=first)
        self.assert_as(zero)

    # ---- a repair that takes out what is extra

    REPAIR = ("validate", "-q", "--repair", "--delete-extra", "--confirm")
    DAMAGE = """
    INSERT INTO item(id, name, price, note) VALUES (-5, 'extra', 1.50, ''), (9001, NULL, NULL, NULL), (9000, 'x, y', -0.25, '-');
    INSERT INTO pair(x, y, v, item_id) VALUES ('extra', 1, 0.1, 9000), ('', 0, NULL, -5), ('extra', -9, 1e300, 9000);
    DELETE FROM pair WHERE y IN (3, 4); UPDATE item SET name = 'damaged' WHERE id IN (5, 6, 7);
    """

    def damaged(self):
        self.target("created")
        self.migrate()
        self.sql(self.DAMAGE)
        return {table: self.records(table) for table in ("item", "pair")}

    def assert_records(self, expected):
        self.assertEqual({table: self.records(table) for table in ("item", "pair")}, expected)
        self.assertEqual([name for name in self.own_tables() if "undo" in name], [])

    def test_what_a_repair_took_out_comes_back(self):
        """What refers to others after them; their foreign key is in force."""
        before = self.damaged()
        self.run_program(*self.REPAIR)
        repaired = {table: self.records(table) for table in ("item", "pair")}
        self.assertEqual([len(repaired[table]) for table in ("item", "pair")], [COUNT, COUNT])
        counted = json.loads(self.rollback("--dry-run").out)["tables"]
        self.assertEqual({table: self.records(table) for table in ("item", "pair")}, repaired)
        done = json.loads(self.rollback().out)["tables"]
        self.assertEqual(done, counted)
        self.assertEqual({t["name"]: tuple(t[what] for what in ("removed", "restored", "changed", "missing"))
                          for t in done},
                         {"item": (0, 3 + 3, 0, 0), "pair": (2, 3, 0, 0)})
        self.assert_records(before)

    def test_what_applications_wrote_in_its_place_survives(self):
        before = self.damaged()
        self.run_program(*self.REPAIR)
        self.sql("INSERT INTO item(id, name) VALUES (9001, 'mine'); INSERT INTO pair(x, y) VALUES ('extra', 1)")
        mine = self.records("item")["9001",], self.records("pair")["extra", "1"]
        done = {t["name"]: (t["restored"], t["changed"]) for t in json.loads(self.rollback().out)["tables"]}
        self.assertEqual(done, {"item": (3 + 2, 1), "pair": (2, 1)})
        before["item"]["9001",], before["pair"]["extra", "1"] = mine
        self.assert_records(before)

    def test_what_a_constraint_forbids_stays_away(self):
        before = self.damaged()
        self.run_program(*self.REPAIR)
        self.sql("CREATE UNIQUE INDEX once ON pair(item_id, v); INSERT INTO item(id, name) VALUES (9000, 'mine'); "
                 "INSERT INTO pair(x, y, v, item_id) VALUES ('mine', 1, 0.1, 9000)")
        done = {t["name"]: (t["restored"], t["changed"]) for t in json.loads(self.rollback().out)["tables"]}
        self.assertEqual(done, {"item": (3 + 2, 1), "pair": (2, 1)})
        found = self.records("pair")
        self.assertEqual(found.keys(), before["pair"].keys() - {("extra", "1")} | {("mine", "1")})

    def test_records_that_refer_to_each_other_come_back(self):
        self.target("created")
        support.make_sqlite(self.path("order.db"), """
            CREATE TABLE leaf(id INTEGER PRIMARY KEY, node_id INTEGER REFERENCES node(id));
            CREATE TABLE node(id INTEGER PRIMARY KEY, up INTEGER REFERENCES node(id)); INSERT INTO node VALUES (1, NULL);""")
        self.run_program("migrate", "-q", "order.db", self.uri)
        self.sql("INSERT INTO node VALUES (30, NULL), (20, NULL), (10, NULL); UPDATE node SET up = id + 10 WHERE id IN "
                 "(10, 20);"
                 "INSERT INTO leaf VALUES (1, 10), (2, 30)")
        both = sorted(self.sql("SELECT * FROM node")), sorted(self.sql("SELECT * FROM leaf"))
        self.run_program(*self.REPAIR)
        self.assertEqual(len(self.sql("SELECT * FROM node")), 1)
        self.rollback()
        self.assertEqual((sorted(self.sql("SELECT * FROM node")), sorted(self.sql("SELECT * FROM leaf"))), both)

    def deaths(self, wanted, reached):
        cases = [(n, k) for n in sorted(reached) for k in sorted({1, (reached[n] + 1) // 2, reached[n]})
                 if not n.endswith("state_before_rename")]
        first = [case for case in cases if case[0] in wanted]
        self.assertEqual({name for name, _ in first}, wanted)
        return cases if SOAK else random.Random(SEED).sample(first, 2) + random.Random(SEED).sample(cases, 1)

    def test_a_killed_repair_is_taken_back(self):
        self.damaged()
        _, reached = count_failpoints(*self.REPAIR, cwd=self.folder)
        wanted = {self.failpoints + "before_delete", self.failpoints + "after_delete", "engine.after_repair_delete",
                  "engine.after_commit"}
        numbers = random.Random(SEED)
        for point, occurrence in self.deaths(wanted, reached):
            for resumed in (False, True) if SOAK else (numbers.choice((False, True)),):
                with self.subTest(point=point, occurrence=occurrence, resumed=resumed):
                    before = self.damaged()
                    copy = self.run_id()
                    self.assertEqual(kill_at(point, occurrence, *self.REPAIR, cwd=self.folder).code, -9)
                    if self.run_id() == copy or not self.has_begun():
                        self.assertNotIn(point, wanted)
                        self.assert_records(before)
                        continue
                    if resumed:
                        self.run_program("resume", "-q")
                        self.run_program("validate", "-q")
                    self.rollback()
                    self.assert_records(before)

    def test_the_rollback_of_a_repair_is_killed(self):
        self.damaged()
        self.run_program(*self.REPAIR)
        _, reached = count_failpoints("rollback", "--run", self.run_id(), "--confirm", cwd=self.folder)
        for point, occurrence in self.deaths({self.failpoints + "before_undo", self.failpoints + "after_undo"},
                                             reached):
            with self.subTest(point=point, occurrence=occurrence):
                before = self.damaged()
                self.run_program(*self.REPAIR)
                run = self.run_id()
                self.assertEqual(kill_at(point, occurrence, "rollback", "--run", run, "--confirm",
                                         cwd=self.folder).code, -9)
                self.rollback(run=run)
                self.assert_records(before)
                self.rollback(run=run)

    def test_finish_and_restart(self):
        self.target("filled")
        self.migrate("--existing", "upsert", "--no-before-images")
        self.assertIn("nothing was kept", self.rollback(code=5).err)
        self.assertIn("[finish-refused]", self.run_program("finish", code=5).err)
        self.assertIn("[finish-refused]", self.run_program("finish", "--dry-run", code=5).err)
        self.run_program("finish", "--confirm")
        self.assertIn("nothing to drop", self.run_program("finish").out)
        self.assertEqual(self.own_tables(), [])
        self.assertEqual(self.sql("SELECT count(*) FROM item"), [[str(COUNT + 39)]])
        for kind, policy in (*support.drawn((("created", "refuse"), ("empty", "refuse")), 1, self.id()),
                             ("filled", "replace")):
            with self.subTest(kind=kind):
                self.target(kind)
                arguments = ("migrate", "-q", "--chunk-rows", 64, "--existing", policy, "source.db", self.uri)
                kill_at("engine.after_commit", 3, *arguments, cwd=self.folder)
                run = self.run_id()
                self.run_program(*arguments, code=5)
                self.assertIn("--confirm", self.run_program(*arguments, "--restart", code=2).err)
                self.run_program(*arguments, "--restart", "--confirm")
                self.assertNotEqual(self.run_id(), run)
                self.assertEqual(self.sql("SELECT count(*) FROM item WHERE name LIKE 'new%'"), [[str(COUNT)]])
        self.target("empty")
        self.migrate()
        self.run_program("validate")
        self.run_program("finish")
        self.assertEqual(self.own_tables(), [])

    def test_a_running_run_is_not_taken_back(self):
        self.target("created")
        before = self.contents()
        process = self.stopped("migrate", "-q", "source.db", self.uri)
        self.assertIn("[run-held]", self.rollback(code=5).err)
        self.end(process)
        self.rollback()
        self.assert_as(before)
