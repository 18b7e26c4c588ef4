"""Rejects, from being refused to being mended and loaded: none lost, none doubled."""
import json
import os
import re
import shutil
import sqlite3
import unittest

import refusals
import support

ROWS = 200


class RejectsTestCase(refusals.TestCase):
    """Rows 10, 20 ... are refused: by a CHECK of the SQLite target, or as numbers that DynamoDB lacks."""

    def setUp(self):
        super().setUp()
        db = sqlite3.connect(self.path("source.db"))
        db.execute("CREATE TABLE thing(id INTEGER PRIMARY KEY, v REAL, note TEXT, b BLOB, price NUMERIC(10,2))")
        db.executemany("INSERT INTO thing VALUES (?, ?, ?, ?, ?)",
                       [(i, float("inf") if i % 10 == 0 else i / 4, "n\u00f6te %d\n\"x\"" % i, bytes([i]),
                         i * 1.98) for i in range(1, ROWS + 1)])
        db.commit()
        db.close()
        self.bad = list(range(10, ROWS + 1, 10))

    def aim_at(self, target):
        self.target = target
        if target.startswith("sqlite"):
            support.make_sqlite(self.path("copy.db"),
                                "CREATE TABLE thing(id INTEGER PRIMARY KEY, v REAL CHECK (v < 1e300), note TEXT,"
                                " b BLOB, price NUMERIC(10,2));")

    def migrate(self, *options, code=1):
        return self.run_program("migrate", "--chunk-rows", "50", *options, "source.db", self.target,
                                code=code)

    def mend(self, path, value=1.5, only=None):
        """Reads all rejects, puts a number where the infinity is, and writes them as one file."""
        rejects = self.rejects()
        for reject in rejects:
            if only is None or reject["key"]["id"] in only:
                reject["record"]["v"] = value
        with open(self.path(path), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(reject) + "\n" for reject in rejects)
        return rejects

    def load(self, *options, file="mended.jsonl", code=0):
        return self.run_program("migrate", "--rejects", file, *options, "source.db", self.target, code=code)

    def assert_holds(self, expected):
        """`expected`: {id: v}."""
        if self.target.startswith("sqlite"):
            self.assertEqual(dict(self.query(self.path("copy.db"), "SELECT id, v FROM thing")), expected)
            return
        items = support.items_by_key(support.read_dynamodb_json(self.path("out"))["thing"], "id")
        self.assertEqual({int(key[0]): float(item["v"]["N"]) for key, item in items.items()}, expected)

    def expected(self, mended=None):
        values = {i: i / 4 for i in range(1, ROWS + 1) if i % 10}
        values.update(mended or {})
        return values


class RoundTrip(RejectsTestCase):
    TARGETS = ("sqlite:copy.db", "dynamodb-json:out")

    def each_target(self, test):
        for target in self.TARGETS:
            with self.subTest(target=target):
                self.doCleanups()
                self.setUp()
                self.aim_at(target)
                test()

    def test_reject_mend_load_complete(self):
        def test():
            result = self.migrate()
            self.assertIn("--rejects", result.out + result.err)
            self.assertEqual(sorted(r["key"]["id"] for r in self.rejects()), self.bad)
            self.assert_holds(self.expected())
            self.mend("mended.jsonl")
            result = self.load()
            self.assertIn(str(len(self.bad)), result.out)
            self.assert_holds(self.expected({i: 1.5 for i in self.bad}))
        self.each_target(test)

    def say_next_step(self, result, file, code=0):
        """The command of the warning, as pasted."""
        told = " ".join((result.out + result.err).split())
        command = re.search(r"load them with `transhume (migrate [^`]*--rejects) FILE`", told).group(1)
        return self.run_program(*command.split(), file, code=code)

    def test_loaded_by_the_command_that_the_end_names(self):
        def test():
            for state in (".transhume", "elsewhere"):
                with self.subTest(state=state):
                    self.doCleanups()
                    self.setUp()
                    self.aim_at(self.target)
                    result = self.migrate(*(("--state", state) if state == "elsewhere" else ()))
                    self.mend_of(self.path(state), "mended.jsonl", only={10})
                    result = self.say_next_step(result, "mended.jsonl", code=1)
                    self.assert_holds(self.expected({10: 1.5}))
                    self.mend_of(self.path(state), "again.jsonl")  # of the load, a run itself
                    self.say_next_step(result, "again.jsonl")
                    self.assert_holds(self.expected({i: 1.5 for i in self.bad}))
        self.each_target(test)

    def mend_of(self, state, path, only=None):
        rejects = []
        for name in sorted(os.listdir(os.path.join(state, "rejects"))):
            with open(os.path.join(state, "rejects", name), encoding="utf-8") as file:
                rejects += map(json.loads, file)
        for reject in rejects:
            if only is None or reject["key"]["id"] in only:
                reject["record"]["v"] = 1.5
        with open(self.path(path), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(reject) + "\n" for reject in rejects)

    def test_rejects_go_where_their_run_went(self):
        """Though the folder is about another run by now, and a plan of something else lies there."""
        def test():
            self.migrate()
            self.mend("mended.jsonl")
            support.make_sqlite(self.path("other.db"), "CREATE TABLE thing(id INTEGER PRIMARY KEY, v REAL, note TEXT,"
                                " b BLOB, price NUMERIC(10,2));")
            self.run_program("migrate", "other.db", "sqlite:other-copy.db")
            with open(self.path("transhume.yaml"), "w", encoding="utf-8") as file:
                file.write("transhume: 1\nsource: sqlite:other.db\ntarget: sqlite:other-copy.db\n"
                           "tables: {thing: {entities: {thing: {from: thing, fields: copy}}}}\n")
            self.run_program("migrate", "--rejects", "mended.jsonl")
            self.assert_holds(self.expected({i: 1.5 for i in self.bad}))
            self.assertEqual(self.query(self.path("other-copy.db"), "SELECT count(*) FROM thing"), [(0,)])
        self.each_target(test)

    def test_rejects_of_a_run_that_is_not_known_here(self):
        def test():
            self.migrate()
            self.mend("mended.jsonl")
            shutil.rmtree(self.path(".transhume"))
            for says in ("there is no run here", "knows nothing of run"):
                result = self.run_program("migrate", "--rejects", "mended.jsonl", code=2)
                line = " ".join(result.err.split())
                self.assertIn(says, line)
                self.assertIn("SRC DST", line)
                self.assertIn("[run-nothing]", line)
                self.assert_holds(self.expected())
                support.make_sqlite(self.path("other.db"), "CREATE TABLE thing(id INTEGER PRIMARY KEY, v REAL);")
                self.run_program("migrate", "other.db", "sqlite:other-copy.db")
                os.remove(self.path("other.db"))
                os.remove(self.path("other-copy.db"))
            self.load()
            self.assert_holds(self.expected({i: 1.5 for i in self.bad}))
        self.each_target(test)

    def test_what_was_not_mended_is_rejected_again(self):
        def test():
            self.migrate()
            self.mend("mended.jsonl", only={10, 30})
            self.load(code=1)
            self.assert_holds(self.expected({10: 1.5, 30: 1.5}))
            # The second round: the rejects of the load are rejects like the others.
            self.assertEqual(sorted(r["key"]["id"] for r in self.rejects()),
                             [i for i in self.bad if i not in (10, 30)])
            self.mend("again.jsonl", 2.5)
            self.load(file="again.jsonl")
            self.assert_holds(self.expected({i: 1.5 if i in (10, 30) else 2.5 for i in self.bad}))
        self.each_target(test)

    def test_what_is_known_of_a_record_stays_with_it(self):
        """Operation, times and position of a line that is loaded stand in the line that rejects it again."""
        known = {"operation": "update", "write_time": 1700000000000001, "ttl": 3600, "position": "AP8=",
                 "cell_times": {"note": {"write_time": 5, "ttl": -1}}}

        def test():
            self.migrate()
            rejects = self.mend("mended.jsonl", only={10})
            self.assertFalse([r for r in rejects if set(known) & set(r)])
            with open(self.path("mended.jsonl"), "w", encoding="utf-8") as file:
                file.writelines(json.dumps(dict(r, **known) if r["key"]["id"] != 30 else r) + "\n" for r in rejects)
            self.load(code=1)
            again = {r["key"]["id"]: r for r in self.rejects()}
            self.assertEqual(sorted(again), [i for i in self.bad if i != 10])
            for number, reject in again.items():
                self.assertEqual({name: reject[name] for name in known if name in reject},
                                 {} if number == 30 else known)
            self.assertEqual(self.mend("again.jsonl", 2.5)[0].keys() & known.keys(), known.keys())
            self.load(file="again.jsonl")
            self.assert_holds(self.expected({i: 1.5 if i == 10 else 2.5 for i in self.bad}))
        self.each_target(test)

    def test_mended_where_it_lies(self):
        def test():
            self.migrate()
            folder = self.path(".transhume", "rejects")
            for name in sorted(os.listdir(folder)):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    lines = [json.loads(line) for line in file]
                for reject in lines:
                    reject["record"]["v"] = 3.5
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.writelines(json.dumps(line) + "\n" for line in lines)
            names = sorted(os.listdir(folder))
            kept = self.path("kept")
            shutil.copytree(folder, kept)
            self.load(file=os.path.join(".transhume", "rejects", names[0]))
            for name in names[1:]:
                self.load(file=os.path.join("kept", name))
            self.assert_holds(self.expected({i: 3.5 for i in self.bad}))
        self.each_target(test)

    def test_other_values_come_back_exactly(self):
        def test():
            self.migrate()
            self.mend("mended.jsonl")
            self.load()
            if self.target.startswith("sqlite"):
                source = dict((row[0], row[1:]) for row in self.query(
                    self.path("source.db"), "SELECT id, note, hex(b), price, typeof(price) FROM thing"))
                copy = dict((row[0], row[1:]) for row in self.query(
                    self.path("copy.db"), "SELECT id, note, hex(b), price, typeof(price) FROM thing"))
                self.assertEqual(copy, source)
            else:
                items = support.items_by_key(support.read_dynamodb_json(self.path("out"))["thing"], "id")
                for i in self.bad:
                    item = items[(str(i),)]
                    self.assertEqual(item["note"], {"S": "n\u00f6te %d\n\"x\"" % i})
                    self.assertEqual(float(item["price"]["N"]), round(i * 1.98, 6))
        self.each_target(test)

    def test_loading_twice_is_no_doubling(self):
        def test():
            self.migrate()
            self.mend("mended.jsonl")
            self.load()
            result = support.transhume("migrate", "--rejects", "mended.jsonl", "source.db", self.target,
                                       cwd=self.folder)
            # Refused, or each one a duplicate: in any case none twice.
            self.assertIn(result.code, (1, 2, 5), result.err)
            self.assert_holds(self.expected({i: 1.5 for i in self.bad}))
        self.each_target(test)

    def test_killed_while_loading(self):
        def test():
            self.migrate()
            self.mend("mended.jsonl")
            place = "engine.before_commit"
            result = support.kill_at(place, 1, "migrate", "--rejects", "mended.jsonl", "source.db", self.target,
                                     cwd=self.folder)
            self.assert_code(result, -9)
            self.run_program("resume", "source.db", self.target)
            self.assert_holds(self.expected({i: 1.5 for i in self.bad}))
            result = support.kill_at("engine.after_commit", 1, "migrate", "--rejects", "mended.jsonl", "source.db",
                                     self.target, cwd=self.folder)
        self.each_target(test)

    def test_a_file_that_fills_a_table_without_a_key_is_loaded_once(self):
        support.make_sqlite(self.path("bare.db"), "CREATE TABLE t(x, n); INSERT INTO t VALUES ('a', 1), ('b', -1)")
        support.make_sqlite(self.path("copy.db"), "CREATE TABLE t(x, n CHECK (n > 0))")
        self.run_program("migrate", "bare.db", "copy.db", code=1)
        name, = os.listdir(self.path(".transhume", "rejects"))
        with open(self.path(".transhume", "rejects", name), encoding="utf-8") as file:
            self.write("mended.jsonl", file.read().replace('"n":-1', '"n":7'))
        load = ("migrate", "--rejects", "mended.jsonl", "bare.db", "copy.db")
        self.run_program(*load)
        result = self.run_program(*load, code=5)
        self.assertIn("loaded these very records already", result.err)
        db = sqlite3.connect(self.path("copy.db"))
        self.assertEqual(db.execute("SELECT * FROM t ORDER BY x").fetchall(), [("a", 1), ("b", 7)])
        db.close()

    def test_deleted_lines_are_given_up(self):
        def test():
            self.migrate()
            self.mend("mended.jsonl")
            with open(self.path("mended.jsonl"), encoding="utf-8") as file:
                lines = file.readlines()[:3]
            self.write("few.jsonl", "".join(lines))
            self.load(file="few.jsonl")
            kept = [json.loads(line)["key"]["id"] for line in lines]
            self.assert_holds(self.expected({i: 1.5 for i in kept}))
        self.each_target(test)


class Refused(refusals.TestCase):
    """Values that the plan's mapping does not take: they are in the reject, and refused until they are corrected."""
    PLAN = ("transhume: 1\nsource: sqlite:source.db\ntarget: sqlite:copy.db\ntables:\n  t:\n    entities:\n      t: { "
            "from: t, fields: { \"*\": copy, v: { column: v, cast: json } } }\n")

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, '{}'), (2, "
                            "'bad'), (3, X'FF00');")
        self.write("plan.yaml", self.PLAN)
        self.run_program("migrate", "--plan", "plan.yaml", code=1)

    def correct(self):
        with open(self.path("corrected.jsonl"), "w", encoding="utf-8") as file:
            for reject in self.rejects():
                reject["record"]["v"] = {"$json": "[5]"}
                file.write(json.dumps(reject) + "\n")

    def test_the_values_are_kept(self):
        self.assertEqual({reject["key"]["id"]: reject["record"]["v"]["was"] for reject in self.rejects()},
                         {2: "bad", 3: {"$bytes": "/wA="}})
        with open(self.path("as-it-was.jsonl"), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(reject) + "\n" for reject in self.rejects())
        self.assertIn("a value is not in the reject", self.run_program("migrate", "--plan", "plan.yaml", "--rejects",
                                                                       "as-it-was.jsonl", code=2).err)

    def test_corrected_records_are_not_extra(self):
        self.correct()
        self.run_program("migrate", "--plan", "plan.yaml", "--rejects", "corrected.jsonl")
        for level in ("hash", "full"):
            self.assertRegex(self.run_program("validate", "--plan", "plan.yaml", "--level", level).out,
                             r"rejected  kept\nt .* 2 +2\n")
        self.run_program("validate", "--plan", "plan.yaml", "--repair", "--delete-extra", "--confirm")
        self.assertEqual(self.query(self.path("copy.db"), "SELECT id, v FROM t ORDER BY id"),
                         [(1, "{}"), (2, "[5]"), (3, "[5]")])

    def test_what_is_not_of_a_reject_stays_extra(self):
        self.correct()
        self.run_program("migrate", "--plan", "plan.yaml", "--rejects", "corrected.jsonl")
        support.make_sqlite(self.path("copy.db"), "INSERT INTO t VALUES (4, '{}')")
        self.assertRegex(self.run_program("validate", "--plan", "plan.yaml", "--level", "full", code=1).out,
                         r"extra +t +id 4")


class Kills(RejectsTestCase):
    """However a run with rejects is interrupted: each reject once, in the end."""

    def test_at_each_place_around_the_commit(self):
        places = ("engine.before_rejects_sync", "engine.after_rejects_sync", "engine.before_commit",
                  "engine.after_commit")
        for target in ("sqlite:copy.db", "dynamodb-json:out"):
            for place in places:
                for occurrence in (1, 3):
                    with self.subTest(target=target, place=place, occurrence=occurrence):
                        self.doCleanups()
                        self.setUp()
                        self.aim_at(target)
                        arguments = ("--chunk-rows", "30", "source.db", target)
                        result = support.kill_at(place, occurrence, "migrate", *arguments, cwd=self.folder)
                        self.assert_code(result, -9)
                        self.run_program("resume", *arguments, code=1)
                        self.assertEqual(sorted(r["key"]["id"] for r in self.rejects()), self.bad)
                        self.assert_holds(self.expected())


class BadFiles(RejectsTestCase):
    def setUp(self):
        super().setUp()
        self.aim_at("dynamodb-json:out")
        self.migrate()
        self.mend("mended.jsonl")
        with open(self.path("mended.jsonl"), encoding="utf-8") as file:
            self.lines = [json.loads(line) for line in file]

    def refused_file(self, text, says=(), code=2, name=None):
        with open(self.path("bad.jsonl"), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        before = refusals.listing(self.path("out", "thing"))
        result = support.transhume("migrate", "--rejects", "bad.jsonl", "source.db", self.target,
                                   cwd=self.folder)
        self.assertEqual(result.code, code, result.err)
        lines = refusals.first_line_of(result.err)
        self.assertEqual(len(lines), 1, result.err)
        for word in ("bad.jsonl", *says):
            self.assertIn(word, lines[0])
        if name:
            self.assertIn("[%s]" % name, lines[0])
        self.assert_listing(before, self.path("out", "thing"))

    def line(self, **changes):
        return json.dumps(dict(self.lines[0], **changes)) + "\n"

    def test_a_missing_file(self):
        self.refused("migrate", "--rejects", "none.jsonl", "source.db", self.target, code=2,
                     name=("usage", "source-missing", "bad-value", "state-invalid"), says="none.jsonl",
                     unharmed=[self.path("out")])

    def test_what_is_no_reject_file(self):
        good = self.line()
        for text, says in ((good + "not json\n", ("2",)), (good + '{"a": 1}\n', ("2",)), (b"\xff\xfe\n", ()),
                           ("[1, 2]\n", ()), (good[:-20] + "\n", ())):
            with self.subTest(text=text[-40:]):
                self.refused_file(text, says)

    def test_an_empty_file(self):
        self.write("bad.jsonl", "")
        result = support.transhume("migrate", "--rejects", "bad.jsonl", "source.db", self.target, cwd=self.folder)
        self.assertIn(result.code, (0, 2), result.err)

    def test_tables_and_entities_that_are_not_in_the_plan(self):
        self.refused_file(self.line(entity="nobody"), ("nobody",))
        self.refused_file(self.line(table="../etc"), ("../etc",))

    def test_a_newer_format(self):
        self.refused_file(self.line(format=99), (), code=5, name="format-newer")

    def test_a_field_that_does_not_belong(self):
        self.refused_file(self.line(record={"$decimal": ["x"]}))

    def test_what_no_record_can_have(self):
        for changes, says in (({"operation": "upsert"}, "operation"), ({"ttl": "1 h"}, "ttl"),
                              ({"write_time": 0.5}, "write_time"), ({"position": "?"}, "position"),
                              ({"cell_times": {"w": {}}}, "no field 'w'")):
            with self.subTest(changes):
                self.refused_file(self.line() + self.line(**changes), (":2", says))

    def test_dry_run_changes_nothing(self):
        with self.unharmed(self.path("out")):
            result = support.transhume("migrate", "--dry-run", "--rejects", "mended.jsonl", "source.db",
                                       self.target, cwd=self.folder)
        self.assertIn(result.code, (0, 2), result.err)


if __name__ == "__main__":
    unittest.main()
