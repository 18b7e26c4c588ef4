"""Rollback into PostgreSQL: exactly what the run wrote goes, what it overwrote comes back.

What was there before and what is there after are compared by pg_dump (definitions) and psql (rows).
"""
import itertools
import json
import os
import random
import shutil
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import postgres
import refusals
import support
from support import SEED, SOAK, count_failpoints, kill_at

COUNT = 300
SOURCE = """
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price NUMERIC, bin BLOB, note TEXT);
CREATE TABLE pair(x TEXT, y INTEGER, v REAL, item_id INTEGER REFERENCES item(id), PRIMARY KEY (x, y)) WITHOUT ROWID;
CREATE INDEX item_name ON item(name);
"""
TARGET = """
CREATE TABLE item(id bigint PRIMARY KEY, name text, price numeric, bin bytea, note text DEFAULT 'n',
                  twice bigint GENERATED ALWAYS AS (id * 2) STORED, kept jsonb DEFAULT '{"a": [1, 2]}');
CREATE TABLE pair(x text, y bigint, v double precision, item_id bigint, PRIMARY KEY (x, y));
CREATE INDEX item_name ON item(name);
CREATE TABLE other(a text); INSERT INTO other VALUES ('1'), ('x'), (NULL);
CREATE VIEW mine AS SELECT a FROM other;
"""
POLICIES = ("refuse", "append", "upsert", "replace", "skip")


def fill_source(path, ids=range(1, COUNT + 1), tag="new"):
    support.make_sqlite(path, SOURCE)
    with sqlite3.connect(path) as db:
        for i in ids:
            db.execute("INSERT INTO item VALUES (?, ?, ?, ?, ?)",
                       (i, "%s %d \u00e9\U0001f411 \\ \"" % (tag, i), [i / 4, None, 7, -i][i % 4], bytes([i % 256]) * (i % 9), None))
            db.execute("INSERT INTO pair VALUES (?, ?, ?, ?)", ("k%d" % (i % 7), i, i / 3, i))
    db.close()
    return path


FILL = """
INSERT INTO item SELECT i, 'old ' || i, i / 8.0, decode(repeat('ab', i %% 5), 'hex'), NULL FROM generate_series(%d, %d) i;
INSERT INTO pair SELECT 'k' || i %% 7, i, i / 7.0::float8, i FROM generate_series(%d, %d) i;
""" % (COUNT // 2, COUNT + 39, COUNT // 2, COUNT + 39)


class Postgres(refusals.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        self.uri = self.server.uri(self.name)
        fill_source(self.path("source.db"))

    def sql(self, statements):
        return self.server.psql(self.name, statements)

    def target(self, kind):
        """A target with nothing in it, empty tables, or records of its own."""
        shutil.rmtree(self.path(".transhume"), ignore_errors=True)
        self.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS app CASCADE")
        if kind != "created":
            self.sql(TARGET)
        if kind == "filled":
            self.sql(FILL)

    def contents(self):
        """Definitions as pg_dump tells them, and all rows."""
        return self.server.dump(self.name, "--schema-only"), self.server.rows(self.name)

    def assert_as(self, before):
        self.maxDiff = None
        after = self.contents()
        self.assertEqual(before[1], after[1])
        self.assertEqual(before[0], after[0])

    def migrate(self, *arguments, code=0, **options):
        return self.run_program("migrate", "-q", "--chunk-rows", 64, "--batch-rows", 20, *arguments, "source.db",
                                self.uri, code=code, **options)

    def run_id(self):
        with open(self.path(".transhume/run.json"), encoding="utf-8") as file:
            return json.load(file)["run"]

    def rollback(self, *arguments, code=0, run=None, **options):
        return self.run_program("rollback", "--run", run or self.run_id(), "--json",
                                *(arguments or ["--confirm"]), code=code, **options)

    @staticmethod
    def code_of(kind, policy):
        return 1 if (kind, policy) == ("filled", "append") else 0

    def cases(self):
        for kind, policy in itertools.product(("created", "empty", "filled"), POLICIES):
            if not (kind == "filled" and policy == "refuse"):
                yield kind, policy

    def test_a_whole_run(self):
        numbers = random.Random(SEED)
        cases = list(itertools.product(self.cases(), ([], ["--rollback-keys"])))
        for (kind, policy), flags in cases if SOAK else numbers.sample(cases, 9):
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
                with open(os.path.join(self.path(".transhume/runs"), done["run"], "state.json"), encoding="utf-8") as file:
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

    def test_from_postgres_with_every_type(self):
        """Before-images of each type, and keys of each kind that there is."""
        types = {"k1": ("int", "7"), "k2": ("text COLLATE \"C\"", "'a''b'"), "k3": ("uuid", "md5('x')::uuid"),
                 "k4": ("numeric", "1.50"), "k5": ("inet", "'10.0.0.1'"), "k6": ("timestamptz", "'2020-02-02 02:02:02.123456+01'"),
                 "k7": ("bytea", "'\\x00ff'"), "k8": ("char(5)", "'ab'"), "k9": ("date", "'infinity'")}
        values = {"b": ("bool", "true"), "f": ("real", "'NaN'"), "d": ("float8", "-0.0"), "i": ("interval", "'1 mon 2 days'"),
                  "j": ("json", "'{\"b\": 1, \"a\" : 2}'"), "jb": ("jsonb", "'{\"b\": 1}'"), "a": ("int[]", "'{1,NULL,3}'"),
                  "t": ("time", "'24:00'"), "tz": ("timetz", "'12:00+05:30'"), "c": ("cidr", "'10.0.0.0/8'"),
                  "p": ("point", "'(1,2)'"), "r": ("int4range", "'[1,5)'"), "m": ("money", "'1.23'"), "x": ("xml", "'<a/>'"),
                  "bits": ("varbit", "'1011'"), "n": ("numeric(38,10)", "1234567890123456789012345678.0123456789"),
                  "ts": ("timestamp", "'0044-03-15 BC'"), "tv": ("tsvector", "'a:1 b:2'"), "mac": ("macaddr", "'08:00:2b:01:02:03'")}
        source = self.server.database()
        script = "CREATE TABLE t(%s, PRIMARY KEY (%s));" % (
            ", ".join("%s %s" % (name, kind[0]) for name, kind in {**types, **values}.items()), ", ".join(types))
        row = "INSERT INTO t VALUES (%s);"
        filled = row % ", ".join(kind[1] for kind in {**types, **values}.values())
        nulls = row % ", ".join([kind[1] for kind in types.values()] + ["NULL"] * len(values))
        self.server.psql(source, script + filled + filled.replace("VALUES (7", "VALUES (8"))
        for policy in ("upsert", "replace", "skip"):
            for there in (filled, nulls):
                with self.subTest(policy=policy, there=there[:60]):
                    shutil.rmtree(self.path(".transhume"), ignore_errors=True)
                    self.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public;" + script + there)
                    before = self.contents()
                    self.run_program("migrate", "-q", "--existing", policy, self.server.uri(source), self.uri)
                    self.assertEqual(self.sql("SELECT count(*) FROM t"), [["2"]])
                    report = json.loads(self.rollback().out)["tables"][0]
                    self.assertEqual((report["removed"], report["restored"]), (1, 0 if policy == "skip" else 1))
                    self.assert_as(before)

    def test_killed_run_is_taken_back(self):
        numbers = random.Random(SEED)
        for kind, policy in (("created", "refuse"), ("filled", "upsert"), ("filled", "replace"), ("filled", "skip")):
            arguments = ("migrate", "-q", "--chunk-rows", 64, "--batch-rows", 20, "--existing", policy, "source.db", self.uri)
            self.target(kind)
            _, reached = count_failpoints(*arguments, cwd=self.folder)
            names = sorted(n for n in reached if n.startswith(("postgres.", "engine.")) and
                           not n.endswith("state_before_rename"))   # how often depends on the time
            cases = [(n, k) for n in names for k in sorted({1, (reached[n] + 1) // 2, reached[n]})]
            for point, occurrence in cases if SOAK else numbers.sample(cases, 2):
                for resumed in (False, True) if SOAK else (numbers.choice((False, True)),):
                    with self.subTest(kind=kind, policy=policy, point=point, occurrence=occurrence, resumed=resumed):
                        self.target(kind)
                        before = self.contents()
                        self.assertEqual(kill_at(point, occurrence, *arguments, cwd=self.folder).code, -9)
                        if not self.sql("SELECT 1 FROM pg_class WHERE relname = '_transhume_run'"):
                            continue
                        if resumed:
                            support.transhume("resume", "-q", "source.db", self.uri, cwd=self.folder)
                        self.rollback()
                        self.assert_as(before)

    def test_rollback_killed_anywhere(self):
        numbers = random.Random(SEED)
        for kind, policy, flags in (("created", "refuse", []), ("empty", "refuse", []), ("filled", "upsert", []),
                                    ("created", "refuse", ["--rollback-keys"])):
            self.target(kind)
            self.migrate("--existing", policy, *flags)
            _, reached = count_failpoints("rollback", "--run", self.run_id(), "--confirm", cwd=self.folder)
            wanted = {"rollback.before_begin", "rollback.after_table", "postgres.before_forget", "postgres.after_forget"}
            wanted |= {"postgres.before_undo", "postgres.after_undo"} if kind == "filled" or flags else {
                "postgres.before_remove_table", "postgres.after_remove_table"}
            self.assertLessEqual(wanted, set(reached))
            cases = [(n, k) for n in sorted(reached) for k in sorted({1, (reached[n] + 1) // 2, reached[n]})]
            if not SOAK:
                cases = numbers.sample([case for case in cases if case[0] in wanted and case[1] == 1], 4) + numbers.sample(cases, 1)
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
        for kind, (name, statement) in itertools.product(("created", "empty"), changes.items()):
            with self.subTest(kind=kind, change=name):
                self.target(kind)
                self.migrate()
                self.sql(statement)
                before = self.contents()
                self.assertIn("[rollback-refused]", self.rollback(code=5).err)
                # only who holds the run may have changed
                before[1].pop(("public", "_transhume_run"))
                after = self.contents()
                after[1].pop(("public", "_transhume_run"))
                self.assertEqual(before, after)
                self.rollback("--dry-run", code=5)

    def test_with_keys_the_rows_of_others_survive(self):
        for kind, policy in (("created", "refuse"), ("empty", "refuse"), ("filled", "upsert"), ("filled", "replace"),
                             ("filled", "skip")):
            with self.subTest(kind=kind, policy=policy):
                self.target(kind)
                before = self.contents()[1]
                self.migrate("--existing", policy, "--rollback-keys")
                self.sql("INSERT INTO item(id, name) VALUES (90000, 'mine'); DELETE FROM pair WHERE y IN (7, 298);"
                         "UPDATE item SET name = 'mine' WHERE id = 9; UPDATE pair SET v = -0.5 WHERE y = 299;")
                kept = self.sql("SELECT t::text FROM item t WHERE id IN (9, 90000) ORDER BY id")
                kept_pair = self.sql("SELECT t::text FROM pair t WHERE y = 299")
                report = {t["name"]: t for t in json.loads(self.rollback().out)["tables"]}
                skipped = policy == "skip"
                # what the application has changed it keeps, and a record that refers to it or is referred to
                self.assertEqual(report["item"]["changed"], 2 if kind == "created" else 1)
                self.assertEqual((report["pair"]["changed"], report["pair"]["missing"]), (0, 1) if skipped else (1, 2))
                after = self.contents()[1]
                expected = set(before.get(("public", "item"), ())) | {row for row, in kept}
                if kind == "created":  # item 299 stays: the changed pair refers to it
                    expected |= {row for row in after["public", "item"] if row.startswith("(299,")}
                self.assertEqual(set(after["public", "item"]), expected)
                pairs = {row for row in before.get(("public", "pair"), ()) if ",298," not in row}
                if not skipped:
                    pairs = {row for row in pairs if ",299," not in row} | {row for row, in kept_pair}
                else:
                    pairs = {row for row in pairs if ",299," not in row} | {row for row, in kept_pair}
                self.assertEqual(set(after["public", "pair"]), pairs)

    def test_what_others_made_of_it_is_not_taken_along(self):
        made = {"a view": "CREATE VIEW app_view AS SELECT id FROM item",
                "a reference": "CREATE TABLE app_note (item bigint REFERENCES item ON DELETE CASCADE, t text); "
                               "INSERT INTO app_note VALUES (5, 'mine')",
                "a function": "CREATE FUNCTION app_function(item) RETURNS bigint LANGUAGE sql AS 'SELECT $1.id'",
                "in another schema": "CREATE SCHEMA app; CREATE VIEW app.v AS SELECT * FROM public.pair"}
        for kind, (what, statement) in itertools.product(("created", "empty"), made.items()):
            with self.subTest(kind=kind, what=what):
                self.target(kind)
                before = self.contents()
                self.migrate()
                self.sql(statement)
                if kind == "empty" and what != "a reference":
                    self.rollback()   # the table stays
                    continue
                result = self.rollback(code=5)
                self.assertIn("[rollback-refused]", result.err)
                self.assertEqual(self.sql("SELECT count(*) FROM item"), [[str(COUNT)]])
                self.sql({"a view": "DROP VIEW app_view", "a reference": "DROP TABLE app_note", "in another schema":
                          "DROP SCHEMA app CASCADE", "a function": "DROP FUNCTION app_function(item)"}[what])
                self.rollback()
                self.assert_as(before)

    def test_a_cascade_does_not_reach_the_rows_of_others(self):
        self.target("filled")
        self.migrate("--existing", "upsert")
        self.sql("CREATE TABLE app_note (item bigint REFERENCES item ON DELETE CASCADE); INSERT INTO app_note VALUES (5), (200);"
                 "CREATE TABLE strict_note (item bigint REFERENCES item); INSERT INTO strict_note VALUES (6), (201);")
        report = {t["name"]: t for t in json.loads(self.rollback().out)["tables"]}
        self.assertEqual(report["item"]["changed"], 2)
        self.assertEqual(self.sql("SELECT (SELECT count(*) FROM app_note), (SELECT count(*) FROM strict_note)"), [["2", "2"]])
        self.assertEqual(self.sql("SELECT id FROM item WHERE name LIKE 'new%' ORDER BY id"), [["5"], ["6"]])

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
            self.assertEqual(one["public", table], self.contents()[1]["public", table])
        self.rollback(run=first)
        self.assert_as(zero)

    def test_finish_and_restart(self):
        self.target("filled")
        self.migrate("--existing", "upsert", "--no-before-images")
        self.assertIn("nothing was kept", self.rollback(code=5).err)
        self.assertIn("[finish-refused]", self.run_program("finish", code=5).err)
        self.run_program("finish", "--dry-run")
        self.run_program("finish", "--confirm")
        self.assertIn("nothing to drop", self.run_program("finish").out)
        self.assertEqual(self.sql("SELECT relname FROM pg_class WHERE relname LIKE '\\_transhume%'"), [])
        self.assertEqual(self.sql("SELECT count(*) FROM item"), [[str(COUNT + 39)]])
        for kind, policy in (("created", "refuse"), ("empty", "refuse"), ("filled", "replace")):
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
        self.assertEqual(self.sql("SELECT relname FROM pg_class WHERE relname LIKE '\\_transhume%'"), [])

    def test_a_running_run_is_not_taken_back(self):
        self.target("created")
        before = self.contents()
        process = self.stopped("migrate", "-q", "source.db", self.uri)
        self.assertIn("[run-held]", self.rollback(code=5).err)
        self.end(process)
        self.rollback()
        self.assert_as(before)


if __name__ == "__main__":
    unittest.main()
