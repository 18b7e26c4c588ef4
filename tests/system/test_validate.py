"""`transhume validate`: clean copies are clean, and what somebody else changed in a target is found and named.

Changes are made by Python's sqlite3 and by edits of files, never by the program.
"""
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import sqlite3
import time

import support

SCRIPT = """
CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT, score REAL, price DECIMAL(10,2), photo BLOB, any_kind);
CREATE TABLE pair(a TEXT, b INTEGER, v, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE keyless(word TEXT, n INTEGER);
CREATE TABLE empty_one(id INTEGER PRIMARY KEY, v TEXT);
"""


def make(path, rows=500):
    support.make_sqlite(path, SCRIPT)
    db = sqlite3.connect(path)
    db.executemany("INSERT INTO person VALUES (?,?,?,?,?,?)",
                   [(i, "name %d" % i, i / 4, i / 100, bytes([i % 256]) * 3, [i, str(i), i + 0.5, None][i % 4])
                    for i in range(1, rows + 1)])
    db.executemany("INSERT INTO pair VALUES (?,?,?)", [("k%d" % (i % 40), i, i * 0.25) for i in range(rows)])
    db.executemany("INSERT INTO keyless VALUES (?,?)", [("w%d" % (i % 30), i % 3) for i in range(rows)])
    db.commit()
    db.close()
    return path


class Validate(support.TestCase):
    def validate(self, *arguments, code=0):
        result = self.run_program("validate", "--json", *arguments, code=code)
        report = json.loads(result.out)
        self.assertEqual(report["ok"], code == 0)
        return report

    def entity(self, report, name):
        found, = [row for row in report["entities"] if row["name"] == name]
        return found

    def change(self, path, *statements):
        db = sqlite3.connect(path, isolation_level=None)
        for statement in statements:
            db.execute(*([statement] if isinstance(statement, str) else statement))
        db.close()

    def copied(self, *arguments):
        make(self.path("shop.db"))
        self.run_program("migrate", *arguments, "shop.db", "copy.db")


class Levels(Validate):
    def test_a_clean_copy_is_equal_at_each_level(self):
        self.copied()
        for level in ("count", "hash", "full"):
            for jobs in ("1", "3"):
                report = self.validate("--level", level, "--jobs", jobs)
                self.assertEqual(report["level"], level)
                self.assertEqual([(row["name"], row["source"], row["target"]) for row in report["entities"]],
                                 [("empty_one", 0, 0), ("keyless", 500, 500), ("pair", 500, 500),
                                  ("person", 500, 500)])
                self.assertEqual(report["source_since_run"], "unchanged")
                self.assertEqual(report["records"], [])

    def test_each_kind_of_difference_is_counted_and_named(self):
        self.copied()
        self.change("%s" % self.path("copy.db"), "UPDATE person SET name = 'other', photo = NULL WHERE id = 77",
                    "DELETE FROM pair WHERE b = 5", "INSERT INTO pair VALUES ('new', 1, 2)",
                    "INSERT INTO keyless VALUES ('w1', 1)")
        for level in ("hash", "full"):
            report = self.validate("--level", level, code=1)
            person, pair, keyless = (self.entity(report, name) for name in ("person", "pair", "keyless"))
            self.assertEqual((person["missing"], person["different"], person["extra"]), (0, 1, 0))
            self.assertEqual((pair["missing"], pair["different"], pair["extra"]), (1, 0, 1))
            self.assertEqual((keyless["missing"], keyless["different"], keyless["extra"]), (0, 0, 1))
            self.assertEqual((keyless["source"], keyless["target"]), (500, 501))
            records = {(record["table"], record["kind"]): record for record in report["records"]}
            self.assertEqual(len(records), 4)
            self.assertEqual(records["person", "different"]["key"], {"id": 77})
            self.assertEqual(records["person", "different"]["fields"],
                             [{"name": "name", "source": '"name 77"', "target": '"other"'},
                              {"name": "photo", "source": "0x4d4d4d", "target": None}])
            self.assertEqual(records["pair", "missing"]["key"], {"a": "k5", "b": 5})
            self.assertEqual(records["pair", "extra"]["key"], {"a": "new", "b": 1})
        report = self.validate("--level", "count", code=1)
        self.assertEqual(self.entity(report, "keyless")["extra"], 1)
        self.assertEqual(self.entity(report, "person")["missing"], 0)

    def test_a_sample_finds_what_it_draws(self):
        self.copied()
        report = self.validate("--level", "sample", "--sample", "50", "--seed", "7")
        self.assertEqual([(row["name"], row["source"], row["target"]) for row in report["entities"]],
                         [("empty_one", 0, 0), ("keyless", 50, 50), ("pair", 50, 50), ("person", 50, 50)])
        self.assertEqual(report["seed"], 7)
        self.change(self.path("copy.db"), "DELETE FROM person WHERE id % 2 = 0", "UPDATE pair SET v = -1")
        report = self.validate("--sample", "50", "--seed", "7", code=1)
        missing = self.entity(report, "person")["missing"]
        self.assertTrue(10 < missing < 40, missing)
        self.assertEqual(self.entity(report, "pair")["different"], 50)
        again = self.validate("--sample", "50", "--seed", "7", "--jobs", "1", code=1)
        self.assertEqual(again["entities"], report["entities"])
        report = self.validate("--level", "sample", "--sample", "1000", code=1)
        self.assertEqual(self.entity(report, "person")["missing"], 250)

    def test_equal_records_take_no_place_of_others_in_a_sample(self):
        support.make_sqlite(self.path("shop.db"), "CREATE TABLE aaa(v TEXT); CREATE TABLE b(id INTEGER PRIMARY KEY, "
                            "v TEXT)")
        db = sqlite3.connect(self.path("shop.db"))
        db.executemany("INSERT INTO aaa VALUES (?)", [("same",)] * 3000)
        db.executemany("INSERT INTO b VALUES (?,?)", [(i, "v") for i in range(1, 11)])
        db.commit()
        db.close()
        self.run_program("migrate", "shop.db", "copy.db")
        self.change(self.path("copy.db"), "UPDATE b SET v = 'other'")
        report = self.validate("--sample", "10", "--jobs", "1", "--seed", "7", code=1)
        self.assertEqual(self.entity(report, "b")["different"], 10)

    def test_long_values_are_shown_from_where_they_differ(self):
        text = "".join("é%d " % i for i in range(2000))
        cases = {"late": ("'%s'" % text, "'%s'" % text.replace("é900 ", "é9o0 ")),
                 "early": ("'abc%s'" % text, "'abd%s'" % text),
                 "end": ("'%s'" % text, "'%s!'" % text), "bytes": ("x'%s'" % ("00" * 5000 + "11"),
                                                                   "x'%s'" % ("00" * 5000 + "12")),
                 "huge": ("'%s1'" % ("h" * 100000), "'%s2'" % ("h" * 100000)), "kind": ("7", "7.0"),
                 "short": ("'one'", "'two'")}
        support.make_sqlite(self.path("shop.db"), "CREATE TABLE long(id TEXT PRIMARY KEY, v) WITHOUT ROWID;" + "".join(
            "INSERT INTO long VALUES ('%s', %s);" % (name, source) for name, (source, _) in cases.items()))
        self.run_program("migrate", "shop.db", "copy.db")
        self.change(self.path("copy.db"), *("UPDATE long SET v = %s WHERE id = '%s'" % (target, name)
                                            for name, (_, target) in cases.items()))
        for level in ("hash", "full", "sample"):
            report = self.validate("--level", level, code=1)
            shown = {record["key"]["id"]: (record["fields"][0]["source"], record["fields"][0]["target"])
                     for record in report["records"]}
            self.assertEqual(sorted(shown), sorted(cases))
            for name, (source, target) in shown.items():
                self.assertNotEqual(source, target, name)
                self.assertLess(max(len(source), len(target)), 160, name)
            self.assertEqual(shown["short"], ('"one"', '"two"'))
            self.assertEqual(shown["kind"], ("7 (int64)", "7 (float64)"))
            for side, piece in zip(shown["late"], ("é900 é901", "é9o0 é901")):
                self.assertRegex(side, r"^\.\.\.é?\d* .*%s.*\.\.\.$" % piece)
            self.assertTrue(shown["early"][0].startswith('"abcé') and shown["early"][1].startswith('"abdé'))
            self.assertTrue(shown["end"][0].endswith('é1999 "') and shown["end"][1].endswith('é1999 !"'), shown["end"])
            self.assertEqual((shown["bytes"][0][-4:], shown["bytes"][1][-4:]), ("0011", "0012"))
        self.assertRegex(self.run_program("validate", code=1).out, r"late.*é900 .*é9o0 ")
        with open(self.path(".transhume", "report.md"), encoding="utf-8") as file:
            report = file.read()
        self.assertIn("| difference | entity | key | field | source | target |", report)
        self.assertRegex(report, r"(?m)^\| different \| long \| .*late.* \| v \| .*é900 .*é9o0 ")

    def test_long_values_of_records_without_a_key(self):
        """They are all that names the record, and are shown as those of fields are."""
        support.make_sqlite(self.path("shop.db"), "CREATE TABLE t(n INTEGER, w TEXT, b BLOB)")
        self.change(self.path("shop.db"), ("INSERT INTO t VALUES (7, ?, ?), (8, 'short', x'00ff')",
                                           ("\u00e9long " * 50000, b"\1" * 200000)))
        self.run_program("migrate", "-q", "shop.db", "copy.db")
        self.change(self.path("copy.db"), "UPDATE t SET n = n + 10")
        for level in ("hash", "full"):
            result = self.run_program("validate", "--json", "--level", level, code=1)
            keys = [record["key"] for record in json.loads(result.out)["records"]]
            self.assertEqual(sorted(key["n"] for key in keys), [7, 8, 17, 18])
            for key in keys:
                if key["n"] % 10 == 7:
                    self.assertTrue(key["w"].startswith('"\u00e9long \u00e9long'), key)
                    self.assertTrue(key["b"].startswith("0x0101") and key["b"].endswith("..."), key)
                    self.assertLess(len(key["w"]) + len(key["b"]), 300)
                else:
                    self.assertEqual(key["w"], "short")
            self.assertLess(len(result.out), 8000)
            for name in ("validation.json", "validate.jsonl", "report.json", "report.html", "report.md"):
                self.assertLess(os.path.getsize(self.path(".transhume", name)), 200000)
        self.run_program("validate", "--repair", "--delete-extra", "--confirm")
        self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))

    def test_records_of_nothing(self):
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE t(a, b); INSERT INTO t VALUES (NULL, NULL), (NULL, 1), (NULL, NULL)")
        self.run_program("migrate", "-q", "shop.db", "copy.db")
        self.change(self.path("copy.db"), "DELETE FROM t WHERE b IS NULL AND rowid = 1")
        self.assertRegex(self.run_program("validate", code=1).out, r"(?m)^missing +t +\(no values\)$")
        self.assertEqual([record["key"] for record in self.validate(code=1)["records"]], [{}])

    def test_a_column_without_a_name(self):
        support.make_sqlite(self.path("shop.db"), 'CREATE TABLE t("" TEXT, a INTEGER PRIMARY KEY); '
                            "INSERT INTO t VALUES ('one', 1), ('two', 2)")
        for form in ("csv", "jsonl", "sqlite"):
            self.run_program("migrate", "--state", form, "shop.db", form + ":out-" + form)
            self.run_program("validate", "--state", form)
            self.run_program("validate", "--state", form, "--level", "full")
            self.run_program("migrate", "--state", form + "-back", form + ":out-" + form, "sqlite:" + form + ".db")
            self.assertEqual(sqlite3.connect(self.path(form
                                                       + ".db")).execute('SELECT "", a FROM t ORDER BY a').fetchall(),
                             [("one", 1), ("two", 2)])

    def test_people_get_a_table_of_what_differs(self):
        self.copied()
        self.change(self.path("copy.db"),
                    "UPDATE person SET name = 'o\x1b[31m', photo = NULL, score = 1e300 WHERE id = 77",
                    "DELETE FROM pair WHERE b = 5", "INSERT INTO pair VALUES ('new', 1, 2)")
        out = self.run_program("validate", code=1).out
        self.assertNotIn("{", out)
        self.assertNotIn("\x1b", out)
        rows = [re.split(r" {2,}", line.rstrip()) for line in out.split("\n\n")[0].splitlines()]
        self.assertEqual(rows[0], ["kind", "entity", "key", "field", "source", "target"])
        self.assertCountEqual(rows[1:], [
            ["missing", "pair", 'a "k5", b 5'], ["extra", "pair", 'a "new", b 1'],
            ["different", "person", "id 77", "name", '"name 77"', '"o\\x1b[31m"'],
            ["", "photo", "0x4d4d4d", "(none)"], ["", "score", "19.25", "1e+300"]])
        self.assertIn("DIFFERENT at level hash", out)

    def test_one_of_many_records_in_each_range(self):
        make(self.path("shop.db"), 40000)
        self.run_program("migrate", "shop.db", "copy.db")
        self.change(self.path("copy.db"), "UPDATE person SET name = 'x' WHERE id IN (1, 19999, 40000)",
                    "INSERT INTO person(id) VALUES (-5), (99999)")
        for level in ("hash", "full"):
            person = self.entity(self.validate("--level", level, code=1), "person")
            self.assertEqual((person["missing"], person["different"], person["extra"]), (0, 3, 2))

    def test_all_differences_are_in_the_file_and_a_few_on_the_screen(self):
        self.copied()
        self.change(self.path("copy.db"), "DELETE FROM person")
        report = self.validate("--limit", "3", code=1)
        self.assertEqual(len(report["records"]), 3)
        self.assertEqual(report["record_count"], 500)
        with open(self.path(report["record_file"]), encoding="utf-8") as file:
            keys = {json.loads(line)["key"]["id"] for line in file}
        self.assertEqual(keys, set(range(1, 501)))
        text = self.run_program("validate", "--limit", "3", code=1)
        self.assertIn("3 of 500 differences are shown", text.out)
        self.assertIn("DIFFERENT", text.out)

    def test_columns_have_checksums_and_sums(self):
        self.copied()
        columns = {(column["table"], column["name"]): column for column in self.validate()["columns"]}
        person = sqlite3.connect(self.path("shop.db")).execute("SELECT sum(id) FROM person").fetchone()[0]
        self.assertEqual(columns["person", "id"]["source_sum"], str(person))
        self.assertEqual(columns["person", "price"]["source_sum"], "1252.50")
        for column in columns.values():
            self.assertEqual(column["source_checksum"], column["target_checksum"])
            self.assertEqual(column["source_sum"], column["target_sum"])
        self.change(self.path("copy.db"), "UPDATE person SET price = price + 1 WHERE id = 3")
        columns = {(column["table"], column["name"]): column for column in self.validate(code=1)["columns"]}
        self.assertEqual(columns["person", "price"]["target_sum"], "1253.50")
        self.assertNotEqual(columns["person", "price"]["source_checksum"],
                            columns["person", "price"]["target_checksum"])
        self.assertEqual(columns["person", "name"]["source_checksum"], columns["person", "name"]["target_checksum"])


    def test_rejects_and_repeats_are_in_no_sum(self):
        """
        Where all is as it should be, checksums and sums are the same on both sides: in even buckets and in bad ones.
        """
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE t(id TEXT PRIMARY KEY, n INTEGER, f REAL, d DECIMAL(10,2), w TEXT);"
                                                  "CREATE TABLE visit(c TEXT, n INTEGER);")
        with contextlib.closing(sqlite3.connect(self.path("shop.db"))) as db:
            db.executemany("INSERT INTO t VALUES (?,?,?,?,?)",
                           [("k%d" % i, i, i / 7, i / 100, "w%d" % i) for i in range(1, 40)])
            db.executemany("INSERT INTO visit VALUES (?,?)", [("c%d" % (i % 5), i % 5 - 2) for i in range(20)])
            db.commit()
        support.make_sqlite(self.path("copy.db"),
                            "CREATE TABLE t(id TEXT PRIMARY KEY, n INTEGER CHECK (n NOT IN (5, 6)), f REAL, "
                            "d DECIMAL(10,2), w TEXT);"
                                                  "CREATE TABLE c(c TEXT PRIMARY KEY, n INTEGER)")
        self.write("transhume.yaml", "transhume: 1\nsource: sqlite:shop.db\ntarget: sqlite:copy.db\ntables:\n"
                                     "  t: { key: id, entities: { t: { from: t, fields: { \"*\": copy } } } }\n"
                                     "  c: { key: c, entities: { c: { from: visit, distinct: true, fields: { c: copy, "
                                     "n: copy } } } }\n")
        self.run_program("migrate", code=1)

        def columns(report):
            return {(column["table"], column["name"]): (column["source_checksum"] == column["target_checksum"],
                                                        column["source_sum"], column["target_sum"])
                    for column in report["columns"]}

        report = self.validate(code=1)
        self.assertEqual((self.entity(report, "t")["rejected"], report["rejects_missing"]), (2, 2))
        for name, (same, source, target) in columns(report).items():
            self.assertTrue(same, name)
            self.assertEqual(source, target, name)
        self.assertEqual(columns(report)["t", "n"][1], str(sum(range(1, 40)) - 11))
        self.assertEqual(columns(report)["c", "n"][1], "0")
        self.change(self.path("copy.db"), "DELETE FROM t WHERE n <> 7")  # every bucket that has a reject may be bad now
        self.assertEqual(columns(self.validate(code=1))["t", "n"][1:], (str(sum(range(1, 40)) - 11), "7"))


class CountsOfRejects(support.TestCase):
    """What the mapping rejects is none of what there should be: at level count, too."""
    PLAN = ("transhume: 1\nsource: s.db\ntarget: jsonl:out\ntables:\n  t:\n    key: { partition: k }\n    from: t\n"
            "    fields: { k: copy, %s }\n")

    def counted(self, field, rejected):
        with self.subTest(field=field):
            for place in ("out", ".transhume"):
                shutil.rmtree(self.path(place), ignore_errors=True)
            self.write("transhume.yaml", self.PLAN % field)
            self.run_program("migrate", "-q", code=1 if rejected else 0)
            for level in ("count", "hash"):
                report = json.loads(self.run_program("validate", "--json", "--level", level,
                                                     code=1 if rejected else 0).out)
                self.assertEqual(report["rejects_missing"], rejected)
                self.assertEqual([(row["source"], row["target"], row["missing"], row["extra"])
                                  for row in report["entities"]],
                                 [(100 - rejected, 100 - rejected, 0, 0)])

    def test_counts(self):
        db = sqlite3.connect(self.path("s.db"))
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT, v)")
        db.executemany("INSERT INTO t VALUES(?, ?, ?)", [(n, "k%d" % n, n if n % 10 else "bad") for n in range(1, 101)])
        db.commit()
        self.counted("v: copy", 0)
        self.counted("v: { column: v, cast: int64 }", 10)
        db.execute("UPDATE t SET k = NULL WHERE id % 20 = 7")
        db.commit()
        db.close()
        self.counted("v: copy", 5)
        self.counted("v: { column: v, cast: int64 }", 15)


class Caps(Validate):
    """A reader that has to wait says so by a failpoint: nothing here depends on how long it takes."""
    POINTS = ("verify.source_waits", "verify.target_waits")

    def test_both_sides_keep_to_them(self):
        self.copied()
        for cap in ("--rows-per-second", "--bytes-per-second"):
            for point, level in zip(self.POINTS * 2, ("hash", "full", "full", "hash")):
                with self.subTest(cap=cap, point=point, level=level):
                    process = self.stopped_at(point + ":stop:1", "validate", "--jobs", "2", "--level", level, cap, "1")
                    process.send_signal(signal.SIGCONT)
                    process.send_signal(signal.SIGINT)  # it need not wait to its end
                    self.assertEqual(support.finish(process).code, 4)
        _, reached = support.count_failpoints("validate", cwd=self.folder)
        self.assertEqual([reached[point] for point in self.POINTS], [0, 0])

    def test_rows_of_lists_count(self):
        """A batch of more than a second's worth is waited for in any case: the second one comes after a wait, too."""
        support.make_sqlite(self.path("shop.db"), """
            CREATE TABLE parent(id INTEGER PRIMARY KEY);
            CREATE TABLE child(id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent(id));
            CREATE INDEX of_parent ON child(parent);
            INSERT INTO parent VALUES (1);
            INSERT INTO child WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000) SELECT i, 1 FROM n;""")
        self.write("transhume.yaml", "transhume: 1\nsource: sqlite:shop.db\ntarget: jsonl:out\ntables:\n"
                                     "  t: { key: [id], from: parent, fields: { id: copy, L: { embed: child, "
                                     "order: id, fields: { id: copy } } } }\n")
        self.run_program("migrate")
        self.stopped_at("verify.source_waits:stop:2", "validate", "--jobs", "1", "--rows-per-second", "1900")

    def test_records_that_a_sample_looks_up(self):
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE t(k TEXT PRIMARY KEY); INSERT INTO t VALUES ('a'), ('b'), ('c'), ('d'), "
                            "('e'), ('f')")
        self.run_program("migrate", "shop.db", "copy.db")
        self.stopped_at("verify.target_waits:stop:1", "validate", "--level", "sample", "--rows-per-second", "5")


class Runs(Validate):
    def test_without_a_state_folder_and_without_a_ledger(self):
        self.copied()
        self.validate("--state", "elsewhere", "shop.db", "copy.db")
        db = sqlite3.connect(self.path("copy.db"))
        for (name,) in db.execute(
            "SELECT name FROM sqlite_schema WHERE name LIKE '\\_transhume%' ESCAPE '\\'").fetchall():
            db.execute("DROP TABLE " + name)
        db.commit()
        db.close()
        report = self.validate("--state", "other", "shop.db", "copy.db")
        self.assertIsNone(report["run"])
        self.assertIn("no ledger", " ".join(report["notes"]))
        self.validate()

    def test_another_plan_keeps_its_own_ends(self):
        for name in ("a", "b"):
            support.make_sqlite(self.path("%s.db" % name),
                                "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, '%s')" % name)
            self.write(name + ".yaml", "transhume: 1\nsource: sqlite:%s.db\ntarget: sqlite:%s-copy.db\n" % (name, name))
            self.run_program("migrate", "--plan", name + ".yaml")
        self.change(self.path("a-copy.db"), "UPDATE t SET v = 'changed'")
        self.validate("--plan", "b.yaml")
        self.validate("--plan", "a.yaml", code=1)
        with open(self.path(".transhume", "run.json"), encoding="utf-8") as file:
            run = json.load(file)["run"]
        self.run_program("rollback", "--run", run, "--confirm")
        self.assertIn("b-copy.db", self.run_program("validate", "--plan", "b.yaml", code=2).err)
        self.validate("--plan", "a.yaml", code=1)
        self.validate(code=1)

    def test_the_source_changed_since(self):
        self.copied()
        self.change(self.path("shop.db"), "UPDATE person SET name = 'later' WHERE id = 9")
        report = self.validate(code=1)
        self.assertEqual(report["source_since_run"], "changed")
        self.assertIn("changed since", " ".join(report["notes"]))

    def test_a_later_run_that_was_rolled_back_hides_nothing(self):
        """The copy's rejects stay known, and it is the copy that stands that is validated."""
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 1), (2, "
                            "2), (3, 3);"
                                                  "CREATE TABLE later(id INTEGER PRIMARY KEY); "
                                                  "INSERT INTO later VALUES (1)")
        support.make_sqlite(self.path("copy.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER CHECK (n <> 3))")
        self.run_program("migrate", "-q", "--include", "t", "shop.db", "copy.db", code=1)
        copy = self.validate(code=1)["run"]

        def stands(*ends):
            for end in ends:
                for level in ("count", "sample", "hash", "full"):
                    report = self.validate("--level", level, *end, code=1)
                    self.assertEqual((report["run"], report["entities"][0]["rejected"], report["notes"]), (copy, 1, []))

        def roll_back(run):
            self.run_program("rollback", "--run", run, "--confirm")

        self.change(self.path("copy.db"), "DELETE FROM t WHERE id = 1")
        self.run_program("validate", "--repair", code=1)  # 3 is rejected again
        roll_back(self.validate(code=1)["run"])
        self.assertEqual(self.entity(self.validate(code=1), "t")["missing"], 1)
        self.change(self.path("copy.db"), "INSERT INTO t VALUES (1, 1)")
        stands((), ("--include", "t", "shop.db", "copy.db"))
        self.run_program("migrate", "-q", "--include", "later", "shop.db", "copy.db")
        with open(self.path(".transhume", "run.json"), encoding="utf-8") as file:
            roll_back(json.load(file)["run"])
        stands((), ("--include", "t", "shop.db", "copy.db"))
        self.change(self.path("copy.db"), "DELETE FROM t WHERE id = 1")
        self.run_program("validate", "--repair", code=1)
        repair = self.validate(code=1)["run"]
        roll_back(repair)
        self.assertNotEqual(repair, copy)
        self.change(self.path("copy.db"), "INSERT INTO t VALUES (1, 1)")
        stands(())

    def test_what_else_lies_among_older_runs_stops_nothing(self):
        """Not where nothing of theirs is asked, and not where the copy is among them."""
        self.copied()
        copy = self.validate()["run"]
        runs = self.path(".transhume", "runs")
        for name, run in (("19990101", "{"), ("19990102", ""), ("19990103", '{"run": 5}'), ("99990101", "{")):
            os.makedirs(os.path.join(runs, name))
            self.write(os.path.join(runs, name, "run.json"), run)
        os.makedirs(os.path.join(runs, "99990102", "run.json"))
        os.symlink("nowhere", os.path.join(runs, "99990103"))
        self.write(os.path.join(runs, "notes.txt"), "mine")
        damaged = ("19990101", "19990102", "19990103", "99990101", "99990102")

        def stands(run, told, code=0):
            result = self.run_program("validate", "--json", code=code)
            self.assertEqual(json.loads(result.out)["run"], run)
            for name in damaged:
                self.assertEqual(os.path.join("runs", name) in result.err, told, result.err)
            for name in ("notes.txt", "99990103"):
                self.assertNotIn(name, result.err)
        stands(copy, False)
        self.change(self.path("copy.db"), "DELETE FROM person WHERE id = 5")
        self.run_program("validate", "--repair")
        with open(self.path(".transhume", "run.json"), encoding="utf-8") as file:
            repair = json.load(file)["run"]
        stands(repair, True)
        self.run_program("rollback", "--run", repair, "--confirm")
        stands(copy, False, code=1)   # its files are the folder's own again

    def test_a_plan_that_is_not_the_runs_own(self):
        make(self.path("shop.db"))
        plan = "transhume: 1\nsource: sqlite:shop.db\ntarget: sqlite:copy.db\ntables:\n  person:\n" \
               "    key: [id]\n    entities:\n      person:\n        from: person\n        fields: { \"*\": copy }\n"
        self.write("transhume.yaml", plan)
        self.run_program("migrate")
        self.validate()
        self.write("transhume.yaml", plan.replace('{ "*": copy }', '{ "*": copy, name: { const: x } }'))
        result = self.run_program("validate", code=5)
        self.assertIn("[plan-changed]", result.err)
        report = self.validate("--plan", "transhume.yaml", code=1)
        self.assertEqual(self.entity(report, "person")["different"], 500)
        os.unlink(self.path("transhume.yaml"))
        self.validate()

    def test_a_target_that_is_not_there_is_not_made(self):
        make(self.path("shop.db"))
        result = self.run_program("validate", "shop.db", "copy.db", code=2)
        self.assertIn("[target-missing]", result.err)
        self.assertFalse(os.path.exists(self.path("copy.db")))

    def test_a_target_that_can_only_be_read(self):
        self.copied()
        os.chmod(self.path("copy.db"), 0o400)
        self.validate()

    def test_a_dropped_table_is_missing_whole(self):
        self.copied()
        self.change(self.path("copy.db"), "DROP TABLE pair")
        self.assertEqual(self.entity(self.validate(code=1), "pair")["missing"], 500)

    def test_the_result_is_kept(self):
        self.copied()
        self.change(self.path("copy.db"), "DELETE FROM person WHERE id = 1")
        self.validate(code=1)
        with open(self.path(".transhume", "validation.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["records"][0]["key"], {"id": 1})
        state = json.loads(self.run_program("status", "--json").out)
        self.assertEqual([(item["ok"], item["level"], item["missing"]) for item in state["validation"]],
                         [(False, "hash", 1)])
        self.assertIn("DIFFERENT at level hash", self.run_program("status").out)

    def kept(self, name="validation.json", state=".transhume"):
        with open(self.path(state, name), encoding="utf-8") as file:
            return json.load(file)

    def test_the_result_names_source_and_target(self):
        self.copied()
        for report in (self.validate(), self.kept()):
            self.assertEqual((report["source"], report["target"]), ("shop.db", "copy.db"))

    def test_another_target_leaves_the_runs_own_result(self):
        """Also one that has the run in its ledger, being a copy of the target."""
        self.copied()
        shutil.copy(self.path("copy.db"), self.path("twin.db"))
        self.change(self.path("twin.db"), "DELETE FROM person WHERE id = 1")
        own = self.validate()
        state = self.kept("state.json")
        report = self.validate("shop.db", "twin.db", code=1)
        self.assertEqual((report["target"], report["record_file"]), ("twin.db", ".transhume/validate-other.jsonl"))
        self.assertEqual(len(support.read_lines(self.path(report["record_file"]))), 1)
        self.assertIn("validation-other.json", " ".join(report["notes"]))
        self.assertEqual(self.kept("validation-other.json"), report)
        self.assertEqual(self.kept(), own)
        self.assertEqual(self.kept("state.json"), state)
        self.assertEqual(support.read_lines(self.path(".transhume", "validate.jsonl")), [])
        self.assertTrue(self.kept("report.json")["validation"]["ok"])
        self.run_program("finish")
        self.assertIn("nothing to drop", self.run_program("finish").out)
        self.run_program("reset", "--confirm")
        self.assertFalse(os.path.exists(self.path(".transhume")))

    def test_another_target_proves_nothing_of_the_run(self):
        for state in (".transhume", "no-run"):
            with self.subTest(state=state):
                if state == ".transhume":
                    self.copied()
                    shutil.copy(self.path("copy.db"), self.path("twin.db"))
                    self.change(self.path("copy.db"), "DELETE FROM person WHERE id = 1")
                    self.validate(code=1)
                self.validate("--state", state, "shop.db", "twin.db")
                self.assertIn("[finish-refused]", self.run_program("finish", "--state", state, "copy.db", code=5).err)

    def test_the_target_by_another_name(self):
        self.copied()
        os.symlink("copy.db", self.path("link.db"))
        self.validate("shop.db", "link.db")
        self.assertEqual(self.kept()["target"], "link.db")
        self.run_program("finish")
        self.assertIn("nothing to drop", self.run_program("finish").out)

    def test_an_earlier_run_of_the_folder(self):
        self.copied()
        first = self.kept("run.json")["run"]
        self.run_program("migrate", "shop.db", "second.db")
        own = self.validate()
        self.assertEqual(self.validate("shop.db", "copy.db")["run"], first)
        self.assertEqual(self.kept(), own)
        for target in ("copy.db", "second.db"):
            self.run_program("finish", target)

    def test_another_plan_leaves_the_runs_own_result(self):
        self.copied()
        own = self.validate()
        self.write("part.yaml", "transhume: 1\nsource: sqlite:shop.db\ntarget: sqlite:copy.db\ntables:\n  person:\n"
                                "    key: [id]\n    from: person\n    fields: { \"*\": copy }\n")
        self.assertIsNone(self.validate("--plan", "part.yaml")["run"])
        self.assertEqual(self.kept(), own)
        self.run_program("finish")

    def test_an_unfinished_run_is_not_validated(self):
        make(self.path("shop.db"))
        support.kill_at("engine.before_completed", 1, "migrate", "shop.db", "copy.db", cwd=self.folder)
        self.assertIn("[run-unfinished]", self.run_program("validate", code=5).err)

    def test_two_at_once(self):
        self.copied()
        first = support.start("validate", "--rows-per-second", "200", "--level", "full", cwd=self.folder)
        try:
            deadline = time.monotonic() + 20 * support.PATIENCE
            while not os.path.exists(self.path(".transhume", "validate.jsonl")) and time.monotonic() < deadline:
                time.sleep(0.01)
            second = support.transhume("validate", cwd=self.folder)
            self.assertEqual(second.code, 5, second.err)
            self.assertIn("[run-held]", second.err)
        finally:
            first.send_signal(signal.SIGINT)
            self.assertIn(support.finish(first).code, (0, 4))
        self.validate()

    def test_killed_and_said_again(self):
        self.copied()
        support.kill_after(0.5, "validate", "--rows-per-second", "300", "--level", "full", cwd=self.folder)
        self.validate("--level", "full")

    def test_a_source_that_is_gone(self):
        self.copied()
        os.unlink(self.path("shop.db"))
        self.assertIn("[source-missing]", self.run_program("validate", code=2).err)

    def test_records_that_the_plan_no_longer_selects(self):
        make(self.path("shop.db"))
        self.write("transhume.yaml",
                   "transhume: 1\nsource: sqlite:shop.db\ntarget: sqlite:copy.db\ntables:\n  person:\n"
                                     "    key: [id]\n    entities:\n      person:\n        from: person\n"
                                     "        where: \"score < 50\"\n        fields: { \"*\": copy }\n")
        self.run_program("migrate")
        self.validate()
        self.change(self.path("shop.db"), "UPDATE person SET score = 1000 WHERE id IN (3, 4)")
        report = self.validate(code=1)
        self.assertEqual(self.entity(report, "person")["extra"], 2)
        self.assertEqual(report["source_since_run"], "changed")

    def test_records_that_were_there_before(self):
        for existing in ("append", "upsert", "replace", "skip"):
            with self.subTest(existing=existing):
                for name in ("shop.db", "copy.db"):
                    if os.path.exists(self.path(name)):
                        os.unlink(self.path(name))
                self.run_program("reset", "--confirm")
                support.make_sqlite(self.path("shop.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);"
                                                          "INSERT INTO t VALUES (1, 'one'), (2, 'two')")
                taken = "" if existing == "append" else ", (2, 'there', 5)"
                support.make_sqlite(self.path("copy.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, w);"
                                                          "INSERT INTO t VALUES (9, 'nine', 1)" + taken)
                self.run_program("migrate", "--existing", existing, "shop.db", "copy.db")
                row = self.entity(self.validate(), "t")
                self.assertEqual((row["source"], row["extra"], row["kept"]), (2, 0, existing == "skip"))
                self.change(self.path("copy.db"), "DELETE FROM t WHERE id = 1")
                self.assertEqual(self.entity(self.validate(code=1), "t")["missing"], 1)

    def test_mended_records_are_no_difference(self):
        support.make_sqlite(self.path("odd.db"), "CREATE TABLE odd(id INTEGER PRIMARY KEY, v);"
                                                 "INSERT INTO odd VALUES (1, 'a'), (2, 1e999), (3, 'c')")
        self.write("transhume.yaml", "transhume: 1\nsource: sqlite:odd.db\ntarget: dynamodb-json:out\ntables:\n"
                                     "  odd:\n    key: { partition: id }\n    entities:\n      odd:\n"
                                     "        from: odd\n        fields: { \"*\": copy }\n")
        self.run_program("migrate", code=1)
        folder = self.path(".transhume", "rejects")
        name, = os.listdir(folder)
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            line = json.loads(file.readline())
        line["record"]["v"] = "mended"
        self.write("mended.jsonl", json.dumps(line) + "\n")
        gone = os.path.join(folder, "gone.jsonl")
        os.symlink("nowhere", gone)   # whatever its place among the others: they are not left out without a word
        result = self.run_program("validate", code=5)
        self.assertIn("gone.jsonl: can't read the rejects", result.err)
        os.unlink(gone)
        self.run_program("migrate", "--rejects", "mended.jsonl")
        row = self.entity(self.validate(), "odd")
        self.assertEqual((row["source"], row["rejected"], row["kept"]), (2, 1, 1))
        for level in ("count", "sample", "full"):
            self.validate("--level", level)

    def test_fields_of_others_in_a_table_of_several_entities(self):
        """With upsert each entity answers for the columns that it fills, and for all of them."""
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE p(id INTEGER PRIMARY KEY, a TEXT); INSERT INTO p VALUES (1, 'a1'), (2, NULL);"
                                                  "CREATE TABLE q(id INTEGER PRIMARY KEY, b TEXT); "
                                                  "INSERT INTO q VALUES (11, 'b1')")
        support.make_sqlite(self.path("copy.db"), "CREATE TABLE both(id INTEGER PRIMARY KEY, a TEXT, b TEXT);"
                                                  "INSERT INTO both VALUES (1, 'old', 'keepb'), (2, 'old', 'keepb'), "
                                                  "(11, 'keepa', 'old')")
        self.write("transhume.yaml",
                   "transhume: 1\nsource: sqlite:shop.db\ntarget: sqlite:copy.db\ntables:\n  both:\n    key: id\n"
                                     "    existing: upsert\n    entities:\n"
                                     "      p: { from: p, fields: { id: copy, a: copy } }\n      q: { from: q, "
                                     "fields: { id: copy, b: copy } }\n")
        self.run_program("migrate")
        for level in ("count", "sample", "hash", "full"):
            self.validate("--level", level)
        for change, key, field in (("a = 'x' WHERE id = 1", 1, "a"), ("a = 'x' WHERE id = 2", 2, "a"),
                                   ("b = NULL WHERE id = 11", 11, "b")):
            for level in ("hash", "full"):
                self.change(self.path("copy.db"), "UPDATE both SET " + change)
                report = self.validate("--level", level, code=1)
                self.assertEqual([(record["kind"], record["key"], [field["name"] for field in record["fields"]])
                                  for record in report["records"]],
                                 [("different", {"id": key}, [field])])
                self.run_program("validate", "--repair")
                self.validate("--level", level)
        self.change(self.path("copy.db"), "UPDATE both SET b = 'else' WHERE id = 1")
        self.validate()

    def test_what_the_mapping_rejects_counts_once(self):
        """Of a stream that has to be read to be counted, with what the target rejected beside it."""
        support.make_sqlite(self.path("odd.db"), "CREATE TABLE odd(id INTEGER PRIMARY KEY, mail TEXT, v)")
        with contextlib.closing(sqlite3.connect(self.path("odd.db"))) as db:
            db.executemany("INSERT INTO odd VALUES (?,?,?)",
                           [(i, None if i == 4 else "m%d" % i, float("inf") if i == 6 else i) for i in range(1, 11)])
            db.commit()
        self.write("transhume.yaml", "transhume: 1\nsource: sqlite:odd.db\ntarget: dynamodb-json:out\ntables:\n  odd:\n"
                                     "    key: { partition: mail }\n    entities:\n      odd:\n        from: odd\n     "
                                     "   where: \"id > 0\"\n"
                                     "        fields: { mail: \"{mail}\", \"*\": copy }\n")
        self.run_program("migrate", code=1)
        for level in ("count", "hash", "full"):
            report = self.validate("--level", level, code=1)
            row = self.entity(report, "odd")
            self.assertEqual((row["source"], row["target"], row["rejected"], report["rejects_missing"]), (8, 8, 2, 2),
                             level)
        name, = glob.glob(self.path("out", "odd", "*.json"))
        with open(name, encoding="utf-8") as file:
            lines = file.readlines()
        self.write(name, "".join(lines[:-1]))
        self.assertEqual(self.entity(self.validate("--level", "count", code=1), "odd")["missing"], 1)
        self.write(name, "".join(lines) + lines[0].replace("m1", "m99"))
        self.assertEqual(self.entity(self.validate("--level", "count", code=1), "odd")["extra"], 1)

    def test_what_the_run_rejected_is_missing(self):
        support.make_sqlite(self.path("odd.db"), "CREATE TABLE odd(id INTEGER PRIMARY KEY, v);"
                                                 "INSERT INTO odd VALUES (1, 'a'), (2, 1e999), (3, 'c')")
        self.write("transhume.yaml", "transhume: 1\nsource: sqlite:odd.db\ntarget: dynamodb-json:out\ntables:\n  odd:\n"
                                     "    key: { partition: id }\n    entities:\n      odd:\n        from: odd\n"
                                     "        fields: { \"*\": copy }\n")
        self.run_program("migrate", code=1)
        report = self.validate(code=1)
        row = self.entity(report, "odd")
        self.assertEqual((row["source"], row["target"], row["rejected"]), (2, 2, 1))
        self.assertIn("1 record is missing, since it was rejected: 1 of odd (number-range", report["rejects_text"])
