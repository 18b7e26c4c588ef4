"""`validate --repair`: writes what is missing or different, as a run of its own; the next validation is clean."""
import contextlib
import json
import os
import sqlite3

import support
from test_validate import Validate, make

DAMAGE = ("UPDATE person SET name = 'other' WHERE id IN (5, 6)", "UPDATE person SET any_kind = '8' WHERE id = 8",
          "DELETE FROM person WHERE id > 490", "DELETE FROM pair WHERE b = 3", "INSERT INTO pair VALUES ('new', 1, 2)",
          "DELETE FROM keyless WHERE rowid = 3", "INSERT INTO keyless VALUES ('zz', NULL), ('zz', NULL)")


class Repair(Validate):
    def damaged(self):
        self.copied()
        self.change(self.path("copy.db"), *DAMAGE)

    def state(self):
        return json.loads(self.run_program("status", "--json").out)

    def test_missing_and_different_are_written_and_extra_stay(self):
        self.damaged()
        report = self.validate("--repair", code=1)
        self.assertEqual((report["to_write"], report["to_delete"]), (15, 0))
        self.assertEqual(self.state()["kind"], "repair")
        report = self.validate(code=1)
        self.assertEqual(report["run"], self.state()["run"])
        self.assertEqual({(record["kind"], record["table"]) for record in report["records"]},
                         {("extra", "pair"), ("extra", "keyless")})

    def test_one_is_no_many(self):
        self.copied("--no-express")
        for number, (statement, text) in enumerate((
                ("UPDATE person SET name = 'other' WHERE id = 1", "1 record to write, 0 to delete"),
                ("DELETE FROM person WHERE id < 3", "2 records to write, 0 to delete"))):
            self.change(self.path("copy.db"), statement)
            self.assertIn("repaired it: %s\n" % text, self.run_program("validate", "--repair", "-v").out, number)
        self.change(self.path("copy.db"), "INSERT INTO person(id) VALUES (9000)")
        told = self.run_program("validate", "--repair", code=1).out
        self.assertIn("1 extra record stays; --delete-extra --confirm deletes it", told)
        took = self.run_program("validate", "--repair", "--delete-extra", "--confirm", "-v")
        self.assertIn("deleted 1 record of the target", took.err)
        self.assertIn("0 records to write, 1 to delete", took.out)

    def test_caps_in_units_that_nobody_keeps_are_told(self):
        """And refused before anything is compared where a repair would be refused for them."""
        self.copied()
        self.change(self.path("copy.db"), "UPDATE person SET name = 'other' WHERE id = 1")
        reads, writes = "--read-units-per-second", "--write-units-per-second"
        told = self.run_program("validate", reads, "5", writes, "5", code=1).err
        self.assertIn("%s has no effect: neither side has capacity units" % reads, told)
        self.assertIn("%s has no effect: nothing is written without --repair" % writes, told)
        self.assertIn("%s has no effect" % writes, self.run_program("validate", code=1,
                                                                    env={"TRANSHUME_WRITE_UNITS_PER_SECOND": "5"}).err)
        self.assertNotIn("no effect", self.run_program("validate", code=1).err)
        for option, side in ((reads, "shop.db"), (writes, "copy.db")):
            refused = self.run_program("validate", "--repair", option, "5", code=2)
            self.assertEqual(refused.out, "")
            self.assertIn("%s: SQLite has no capacity units, so %s can't be kept" % (side, option), refused.err)
            self.assertNotIn("records", refused.err)
        self.run_program("validate", "--repair")

    def test_the_largest_sample(self):
        self.copied()
        self.validate("--sample", "1000")
        refused = self.run_program("validate", "--sample", "1001", code=2)
        self.assertIn("--sample: '1001' is not within 0..1000", refused.err)
        self.assertIn("for more than 1000 compare all", self.run_program("help", "--as", "markdown").out)

    def test_extra_go_when_it_is_said_and_confirmed(self):
        self.damaged()
        self.assertIn("--confirm", self.run_program("validate", "--repair", "--delete-extra", code=2).err)
        self.assertIn("--repair", self.run_program("validate", "--delete-extra", code=2).err)
        result = self.run_program("validate", "--repair", "--delete-extra", "--confirm")
        self.assertIn("15 records to write, 3 to delete", result.out)
        self.assertIn("repaired; it was DIFFERENT at level hash", result.out)
        self.validate("--level", "full")
        self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))

    def test_what_deleted_can_not_be_rolled_back_nor_the_copy_below(self):
        self.copied()
        copy = self.state()["run"]
        self.change(self.path("copy.db"), *DAMAGE)
        result = self.run_program("validate", "--json", "--repair", "--delete-extra", "--confirm")
        report = json.loads(result.out)
        self.assertEqual((report["ok"], report["repaired"]), (False, True))
        self.assertIn("keyless: deleted records are not stored", result.err)
        for run in (self.state()["run"], copy):
            refused = self.run_program("rollback", "--run", run, "--confirm", code=5)
            self.assertIn("deleted records", refused.err)
            self.assertIn("finish --confirm", refused.err)
            self.assertNotIn("roll that one back first", refused.err)

    def test_rolled_back(self):
        self.copied("--include", "person", "--include", "pair")
        self.change(self.path("copy.db"), "UPDATE person SET name = 'other' WHERE id IN (5, 6)",
                    "DELETE FROM pair WHERE b = 3")
        before = sqlite3.connect(self.path("copy.db")).execute("SELECT * FROM person").fetchall()
        self.run_program("validate", "--repair")
        run = self.state()["run"]
        self.validate()
        self.run_program("rollback", "--run", run, "--confirm")
        self.assertEqual(sqlite3.connect(self.path("copy.db")).execute("SELECT * FROM person").fetchall(), before)
        self.assertEqual(sqlite3.connect(self.path("copy.db")).execute("SELECT count(*) FROM pair").fetchone()[0], 499)

    def test_columns_that_the_plan_does_not_fill_stay(self):
        for existing in ("refuse", "append", "upsert", "replace"):
            with self.subTest(existing=existing):
                for name in ("shop.db", "copy.db"):
                    if os.path.exists(self.path(name)):
                        os.unlink(self.path(name))
                self.run_program("reset", "--confirm")
                support.make_sqlite(self.path("shop.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);"
                                                          "INSERT INTO t VALUES (1, 'one'), (2, NULL), (3, 'three')")
                support.make_sqlite(self.path("copy.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, w TEXT)")
                self.run_program("migrate", "--existing", existing, "shop.db", "copy.db")
                self.change(self.path("copy.db"), "UPDATE t SET w = 'app ' || id",
                            "UPDATE t SET v = 'damaged' WHERE id < 3")
                self.run_program("validate", "--repair")
                self.validate("--level", "full")
                self.assertEqual(sqlite3.connect(self.path("copy.db")).execute(
                    "SELECT * FROM t ORDER BY id").fetchall(),
                                 [(1, "one", "app 1"), (2, None, "app 2"), (3, "three", "app 3")])

    def test_an_unfinished_repair_keeps_its_lists(self):
        self.copied()
        self.change(self.path("copy.db"), *DAMAGE[:5])
        make(self.path("other.db"), 20)
        make(self.path("other_copy.db"), 30)
        result = support.kill_at("engine.before_repair_delete", 1, "validate", "--repair", "--delete-extra",
                                 "--confirm",
                                 cwd=self.folder)
        self.assertEqual(result.code, -9)
        with open(self.path(".transhume", "delete.jsonl"), "rb") as file:
            listed = file.read()
        for pair in ((), ("other.db", "other_copy.db")):
            result = self.run_program("validate", "--repair", "--delete-extra", "--confirm", *pair, code=5)
            self.assertIn("[run-unfinished]", result.err)
            with open(self.path(".transhume", "delete.jsonl"), "rb") as file:
                self.assertEqual(file.read(), listed)
        self.assertIn("what it was not to put right, such as extra records, `transhume validate` says",
                      self.run_program("resume").err)
        self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))

    def killed_before_delete(self, *damage):
        self.copied()
        self.change(self.path("copy.db"), *damage)
        result = support.kill_at("engine.before_repair_delete", 1, "validate", "--repair", "--delete-extra",
                                 "--confirm",
                                 cwd=self.folder)
        self.assertEqual(result.code, -9)

    def test_another_list_is_not_gone_on_with(self):
        self.killed_before_delete(*DAMAGE[:5], "INSERT INTO person(id) VALUES (70001)")
        path = self.path(".transhume", "delete.jsonl")
        with open(path, encoding="utf-8") as file:
            listed = file.read()
        self.assertIn("70001", listed)
        self.write(".transhume/delete.jsonl", listed.replace("70001", "1"))
        self.assertIn("not the list", self.run_program("resume", code=5).err)
        os.unlink(path)
        self.assertIn("is gone", self.run_program("resume", code=5).err)
        db = sqlite3.connect(self.path("copy.db"))
        self.assertEqual(db.execute("SELECT id FROM person WHERE id IN (1, 70001)").fetchall(), [(1,), (70001,)])
        db.close()
        self.write(".transhume/delete.jsonl", listed)
        self.run_program("resume")
        self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))

    def test_what_resume_leaves_of_tables_without_a_key_is_said(self):
        self.killed_before_delete("INSERT INTO keyless VALUES ('zz', NULL), ('zz', NULL)")
        self.assertIn("keyless has no key", self.run_program("resume", code=1).err)
        report = self.validate(code=1)
        self.assertEqual(sum(row["extra"] for row in report["entities"]), 2)

    def test_a_missing_record_takes_no_place_of_another(self):
        """Its key is another to the source, but not to the target."""
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE k(c TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID; INSERT INTO k VALUES ('a', "
                            "1), ('B', 2)")
        support.make_sqlite(self.path("copy.db"), "CREATE TABLE k(c TEXT COLLATE NOCASE PRIMARY KEY, n INTEGER)")
        self.run_program("migrate", "-q", "shop.db", "copy.db")
        self.change(self.path("shop.db"), "INSERT INTO k VALUES ('b', 3), ('x', 4), ('X', 5)")
        self.change(self.path("copy.db"), "UPDATE k SET n = 9 WHERE c = 'a'")
        told = self.run_program("validate", "--repair", code=1)
        self.assertIn("some were REJECTED", told.out)
        self.assertNotIn("repaired; it was", told.out)
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
            rows = db.execute("SELECT c, n FROM k ORDER BY c").fetchall()
        self.assertEqual(rows[:2], [("a", 1), ("B", 2)])
        self.assertIn(rows[2:], ([("x", 4)], [("X", 5)]))
        left = self.validate(code=1)["records"]
        self.assertEqual([record["kind"] for record in left], ["missing", "missing"])
        self.assertIn({"c": "b"}, [record["key"] for record in left])

    def test_a_record_too_large_for_a_repair_is_named(self):
        support.make_sqlite(self.path("shop.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER, b BLOB);"
                                                  "INSERT INTO t VALUES (1, 1, NULL), (7, 7, zeroblob(210000000))")
        self.run_program("migrate", "-q", "shop.db", "copy.db")
        self.change(self.path("copy.db"), "UPDATE t SET n = 9")
        refused = self.run_program("validate", "--repair", code=5)
        self.assertIn("error: t, id 7: the record has 200 MiB", refused.err)
        self.assertIn("[not-repairable]", refused.err)
        self.assertIn("--exclude", refused.err)
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
            self.assertEqual(db.execute("SELECT n FROM t").fetchall(), [(9,), (9,)])
        self.assertEqual({record["key"]["id"] for record in self.validate("--level", "full", code=1)["records"]},
                         {1, 7})

    def test_names_of_fields_like_those_of_typed_values(self):
        support.make_sqlite(self.path("shop.db"), 'CREATE TABLE a("$int" TEXT PRIMARY KEY) WITHOUT ROWID; '
                            "INSERT INTO a VALUES ('one')")
        self.run_program("migrate", "shop.db", "copy.db")
        self.change(self.path("copy.db"), "INSERT INTO a VALUES ('7')")
        self.run_program("validate", "--repair", "--delete-extra", "--confirm")
        self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))

    def test_extra_records_with_null_in_their_key_stay(self):
        """By such a key none can be told from others: all of them were taken out."""
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE a(k, v TEXT, PRIMARY KEY (k)); INSERT INTO a VALUES (NULL, 'one'), "
                            "(NULL, 'two')")
        self.run_program("migrate", "shop.db", "copy.db")
        self.change(self.path("copy.db"), "INSERT INTO a VALUES (NULL, 'extra'), (2, 'extra')")
        self.run_program("validate", "--repair", "--delete-extra", "--confirm", code=1)
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
            self.assertEqual(db.execute("SELECT v FROM a ORDER BY v").fetchall(), [("extra",), ("one",), ("two",)])

    def test_nothing_to_repair_is_no_run(self):
        self.copied()
        self.validate("--repair")
        self.assertEqual(self.state()["kind"], "copy")

    def test_triggers_of_the_target_stay_silent(self):
        self.copied()
        self.change(self.path("copy.db"),
                    "CREATE TABLE log(what TEXT)",
                    "CREATE TRIGGER inserted AFTER INSERT ON person BEGIN INSERT INTO pair SELECT -NEW.id, 1, 'x'; "
                    "INSERT INTO log VALUES('i'); END",
                    "CREATE TRIGGER updated AFTER UPDATE ON person BEGIN INSERT INTO log VALUES('u'); END",
                    "CREATE TRIGGER deleted AFTER DELETE ON person BEGIN INSERT INTO log VALUES('d'); END")
        self.change(self.path("copy.db"), *DAMAGE)
        self.change(self.path("copy.db"), "INSERT INTO person(id) VALUES(70001)")
        self.change(self.path("copy.db"), "DELETE FROM log")
        self.run_program("validate", "--repair", "--delete-extra", "--confirm")
        self.validate("--level", "full")
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
            self.assertEqual(db.execute("SELECT * FROM log").fetchall(), [])
            db.execute("DELETE FROM person WHERE id = 1")
            self.assertEqual(db.execute("SELECT * FROM log").fetchall(), [("d",)])

    def test_a_dropped_table_comes_back(self):
        self.copied()
        self.change(self.path("copy.db"), "DROP TABLE pair")
        self.run_program("validate", "--repair")
        self.validate()
        self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))

    def test_killed_and_resumed(self):
        for failpoint in ("engine.before_repair_delete", "engine.after_repair_delete", "sqlite.before_commit",
                          "sqlite.after_commit", "engine.after_ledger_create", "engine.before_completed"):
            with self.subTest(failpoint=failpoint):
                for name in ("shop.db", "copy.db"):
                    if os.path.exists(self.path(name)):
                        os.unlink(self.path(name))
                self.run_program("reset", "--confirm")
                make(self.path("shop.db"))
                self.run_program("migrate", "shop.db", "copy.db")
                self.change(self.path("copy.db"), *DAMAGE[:5])
                result = support.kill_at(failpoint, 1, "validate", "--repair", "--delete-extra", "--confirm",
                                         cwd=self.folder)
                self.assertEqual(result.code, -9)
                self.run_program("resume")
                self.validate()
                self.assert_same_sqlite(self.path("shop.db"), self.path("copy.db"))

    def test_what_the_run_rejected_stays_rejected(self):
        support.make_sqlite(self.path("odd.db"), "CREATE TABLE odd(id INTEGER PRIMARY KEY, v);"
                                                 "INSERT INTO odd VALUES (1, 'a'), (2, 1e999), (3, 'c')")
        self.write("transhume.yaml", "transhume: 1\nsource: sqlite:odd.db\ntarget: dynamodb-json:out\ntables:\n"
                                     "  odd:\n    key: { partition: id }\n    entities:\n      odd:\n"
                                     "        from: odd\n        fields: { \"*\": copy }\n")
        self.run_program("migrate", code=1)
        report = self.validate("--repair", code=1)
        self.assertEqual((self.entity(report, "odd")["missing"], report["repair_rejected"]), (1, 1))
        report = self.validate(code=1)
        self.assertEqual((self.entity(report, "odd")["missing"], report["rejects_missing"]), (0, 1))

    def test_a_repair_tries_rejects_again(self):
        """What the target takes by now is settled, and what it does not take stays a reject."""
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 1), (2, 200), "
                            "(3, 3000)")
        support.make_sqlite(self.path("copy.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER CHECK (n < 100))")
        self.run_program("migrate", "-q", "shop.db", "copy.db", code=1)
        for limit, missing in ((1000, 1), (10000, 0)):
            with contextlib.closing(sqlite3.connect(self.path("copy.db"), isolation_level=None)) as db:
                db.executescript("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE t(id "
                                 "INTEGER PRIMARY KEY, "
                                 "n INTEGER CHECK (n < %d))' WHERE name = 't'; PRAGMA writable_schema = RESET" % limit)
            self.run_program("validate", "--repair", code=1 if missing else 0)
            self.assertEqual(self.validate(code=1 if missing else 0)["rejects_missing"], missing)
            with open(self.path(".transhume", "state.json"), encoding="utf-8") as file:
                self.assertEqual(json.load(file)["rejects"]["unsettled"], missing)
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
            self.assertEqual(db.execute("SELECT * FROM t ORDER BY id").fetchall(), [(1, 1), (2, 200), (3, 3000)])

    def test_what_a_repair_rejected_is_missing_to_the_next(self):
        """Where no run copied: the rejects of a repair said that all was well, until the next repair had others."""
        for name, rows in (("shop.db", "(1, 'a'), (2, 'b'), (3, 'c')"), ("copy.db", "(900, 'a')")):
            support.make_sqlite(self.path(name),
                                "CREATE TABLE u(id INTEGER PRIMARY KEY, e TEXT UNIQUE); INSERT INTO u VALUES " + rows)
        self.write("transhume.yaml", "transhume: 1\nsource: sqlite:shop.db\ntarget: sqlite:copy.db\nexisting: upsert\n"
                                     "tables:\n  u: { key: [id], from: u }\n")
        for damage in ("SELECT 1", "UPDATE u SET e = 'x' WHERE id = 2"):
            self.change(self.path("copy.db"), damage)
            self.run_program("validate", "--repair", code=1)
            reject, = self.rejects()
            self.assertEqual((reject["key"], reject["source"], reject["code"]), ({"id": 1}, "repair", "constraint"))
            report = self.validate(code=1)
            self.assertEqual([(record["kind"], record["key"]) for record in report["records"]],
                             [("missing", {"id": 1})])
            self.assertIn("[finish-refused]", self.run_program("finish", code=5).err)

    def test_missing_records_of_a_folder_are_appended(self):
        make(self.path("shop.db"))
        self.run_program("migrate", "shop.db", "jsonl:out")
        folder = self.path("out", "person")
        name, = os.listdir(folder)
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            lines = file.readlines()
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.writelines(lines[:100] + lines[110:])
        self.assertEqual(self.entity(self.validate(code=1), "person")["missing"], 10)
        self.run_program("validate", "--repair")
        self.validate("--level", "full")

    def test_a_folder_that_differs_is_repaired(self):
        make(self.path("shop.db"))
        self.run_program("migrate", "shop.db", "csv:out")
        folder = self.path("out", "person")
        name, = os.listdir(folder)
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            text = file.read()
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text.replace("name 77", "other", 1))
        self.run_program("validate", "--repair")
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            self.assertEqual(file.read(), "".join(line for line in text.splitlines(keepends=True)
                                                  if "name 77" not in line))
        self.validate("--level", "full")


del Validate
