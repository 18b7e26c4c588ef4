"""A plain copy of records without fixed fields into tables: columns are learned from all of them, once a run."""
import base64
import contextlib
import csv
import json
import os
import random
import signal
import sqlite3
import time
import unittest

import items
import large_values
import mariadb
import postgres
import sql_case
import support
from dynamodb_case import DynamodbCase
from fault_proxy import FaultProxy
from support import SEED

TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_transhume\\_%' ESCAPE '\\'"


class Folder(large_values.Measured):
    """DynamoDB-JSON files under in/, with keys where a test gives some."""

    def write_items(self, table, records, key=None):
        os.makedirs(self.path("in", table), exist_ok=True)
        with open(self.path("in", table, "data-1.json"), "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"Item": item}) + "\n" for item in records)
        if key is not None:
            names = [name for name, _ in key]
            os.makedirs(self.path("in", "_transhume", "tables"), exist_ok=True)
            described = {"TableName": table, "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": kind} for name, kind in key], "KeySchema": [
                {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"))]}
            self.write("in/_transhume/tables/%s.json" % table, json.dumps(described))

    def copied(self, *options, code=0, target="copy.db"):
        self.run_program("migrate", "dynamodb-json:in", target, *options, code=code)
        return self.opened() if target == "copy.db" else None

    def opened(self):
        db = sqlite3.connect("file:%s?mode=ro" % self.path("copy.db"), uri=True)
        self.addCleanup(db.close)
        return db

    def columns(self, db, table):
        return {name: (kind, key) for _, name, kind, _, _, key in db.execute("PRAGMA table_info(%s)"
                                                                             % support.quoted(table))}

    def checked(self, *options, code=0):
        return " ".join(self.run_program("check", "dynamodb-json:in", "copy.db", *options, code=code).out.split())


class Columns(Folder):
    def test_every_kind_of_field(self):
        self.write_items("things", [
            {"id": {"N": "1"}, "word": {"S": "x"}, "yes": {"BOOL": True}, "bin": {"B": "AP8="}, "price": {"N": "1.98"},
             "list": {"L": [{"N": "1.50"}, {"NULL": True}]}, "none": {"NULL": True}},
            {"id": {"N": "-2"}, "words": {"SS": ["a", "b"]}, "numbers": {"NS": ["1", "2.5"]}, "price": {"N": "-10"},
             "map": {"M": {"a": {"BOOL": False}}}, "bins": {"BS": ["AA=="]}}], key=[("id", "N")])
        db = self.copied()
        self.assertEqual(self.columns(db, "things"), {
            "id": ("INTEGER", 1), "word": ("TEXT", 0), "yes": ("BOOLEAN", 0), "bin": ("BLOB", 0),
            "price": ("NUMERIC(4,2)", 0), "list": ("TEXT", 0), "none": ("TEXT", 0), "words": ("TEXT", 0),
            "numbers": ("TEXT", 0), "map": ("TEXT", 0), "bins": ("TEXT", 0)})
        self.assertEqual(db.execute("SELECT word, yes, bin, price, list, none, words, "
                                    "map FROM things ORDER BY id DESC").fetchall(), [
                                        ("x", 1, b"\x00\xff", 1.98, "[1.5,null]", None, None, None),
                                        (None, None, None, -10, None, None, '["a","b"]', '{"a":false}')])
        self.assertEqual(db.execute("SELECT json(numbers), bins FROM things WHERE id = -2").fetchone(),
                         ("[1,2.5]", '["AA=="]'))

    def test_a_field_that_only_the_last_record_has(self):
        self.write_items("things", [{"id": {"N": str(n)}} for n in range(20000)]
                         + [{"id": {"N": "20000.25"}, "late": {"S": "x"}}])
        db = self.copied()
        self.assertEqual(self.columns(db, "things"), {"id": ("NUMERIC(7,2)", 0), "late": ("TEXT", 0)})
        self.assertEqual(db.execute("SELECT count(*), max(id), max(late) FROM things").fetchone(),
                         (20001, 20000.25, "x"))

    def test_columns_stand_in_the_order_of_the_records(self):
        os.makedirs(self.path("in", "things"))
        for number in range(8):   # a span each, at least
            with open(self.path("in", "things", "data-%d.json" % number), "w", encoding="utf-8") as file:
                file.writelines(json.dumps({"Item": {"id": {"N": "1"}, "b%d" % number: {"N": "1"},
                                                     "a%d" % (number // 2): {"S": "x"}}}) + "\n"
                                for _ in range(500))
        expected = ["id"] + [name for number in range(8) for name in ["b%d" % number] + ["a%d" % (number // 2)]
                             * (number % 2 == 0)]
        for place in range(3):
            target = "order%d.db" % place
            self.run_program("migrate", "--jobs", "4", "dynamodb-json:in", target, "--state", target + ".state")
            with contextlib.closing(sqlite3.connect(self.path(target))) as db:
                self.assertEqual([row[1] for row in db.execute("PRAGMA table_info(things)")], expected)
                self.assertEqual(db.execute("SELECT count(*) FROM things").fetchone(), (4000,))

    def test_numbers_keep_their_digits(self):
        numbers = ["1", "12345678901234567890.5", "9223372036854775808", "0.1"]
        self.write_items("things", [{"n": {"N": str(place)}, "v": {"N": number}, "whole": {"N": "9223372036854775807"}}
                                    for place, number in enumerate(numbers)])
        self.assertIn("'v' have more digits than the target keeps of numbers: its column is text", self.checked())
        db = self.copied()
        self.assertEqual([value for (value,) in db.execute("SELECT v FROM things ORDER BY n")], numbers)
        self.assertEqual(db.execute("SELECT DISTINCT typeof(whole), whole FROM things").fetchall(),
                         [("integer", 2**63 - 1)])

    def test_a_field_of_several_kinds(self):
        values = [{"S": "[1,2"}, {"N": "7"}, {"M": {"q": {"N": "1"}}}, {"L": [{"S": "y"}]}, {"BOOL": True},
                  {"NULL": True}]
        self.write_items("things", [{"n": {"N": str(place)}, "v": value} for place, value in enumerate(values)])
        self.assertRegex(self.checked(),
                         r"'v' holds values of several kinds \([a-z0-9, ]*text[a-z0-9, ]*\): its column is text")
        db = self.copied()
        self.assertEqual([value for (value,) in db.execute("SELECT v FROM things ORDER BY n")],
                         ["[1,2", "7", '{"q":1}', '["y"]', "true", None])

    def test_bytes_among_other_kinds(self):
        self.write_items("things", [
            {"n": {"N": "1"}, "a": {"B": "aGk="}, "b": {"B": "AP8="}, "c": {"B": "AP8="}},
            {"n": {"N": "2"}, "a": {"S": "x"}, "b": {"S": "x"}, "c": {"N": "1"}}])
        self.assertRegex(self.checked(code=1),
                         r"'c' holds values of several kinds \([^)]*\): its column is text; "
                         r"bytes that are no text will be rejects")
        db = self.copied(code=1)
        self.assertEqual(self.columns(db, "things"), {"n": ("INTEGER", 0), "a": ("TEXT", 0), "b": ("BLOB", 0),
                                                      "c": ("TEXT", 0)})
        self.assertEqual(db.execute("SELECT * FROM things").fetchall(), [(2, "x", b"x", "1")])
        (reject,) = self.rejects()
        self.assertEqual(reject["code"], "text-invalid")

    def test_odd_names(self):
        self.write_items("things", [{"id": {"S": "1"}, "Id": {"S": "2"}, "ID": {"S": "3"}, "a.b": {"S": "4"},
                                     "*": {"S": "5"},
                                     "$x": {"S": "6"}, "{y}": {"S": "7"}, "select": {"S": "8"},
                                     "\u00e9 #: \"": {"S": "9"}}])
        self.assertIn("the field 'Id' goes into the column 'Id_2'", self.checked())
        db = self.copied()
        self.assertEqual(list(self.columns(db, "things")),
                         ["id", "Id_2", "ID_3", "a.b", "star", "$x", "{y}", "select", "\u00e9 #: \""])
        self.assertEqual(db.execute("SELECT * FROM things").fetchall(), [tuple("123456789")])

    def test_names_that_no_column_can_have(self):
        for name, said in (("", "an empty name"), ("a\x00b", "U+0000")):
            self.write_items("things", [{"id": {"S": "1"}, name: {"S": "2"}}])
            result = self.run_program("migrate", "dynamodb-json:in", "copy.db", code=2)
            self.assertIn("things: its records have a field with %s" % said, result.err)
            self.assertEqual(result.err.count("error:"), 1, result.err)
            self.assertFalse(os.path.exists(self.path("copy.db")))

    def test_more_fields_than_a_table_has(self):
        self.write_items("things", [{"f%d" % (n * 50 + m): {"N": "1"} for m in range(50)} for n in range(83)])
        result = self.run_program("migrate", "dynamodb-json:in", "copy.db", code=2)
        self.assertIn("more than 4,096 different fields", result.err)

    def test_it_can_be_stopped_meanwhile(self):
        self.write_items("things", [{"id": {"N": str(n)}} for n in range(5000)])
        process = support.start("migrate", "--rows-per-second", "1000", "--batch-rows", "100", "dynamodb-json:in",
                                "copy.db", cwd=self.folder)
        self.assertIn("reading things for its columns", process.stderr.readline().decode())
        process.send_signal(signal.SIGINT)
        result = support.finish(process)
        self.assert_code(result, 4)
        self.assertIn("stopped while all records were read for their columns", result.err)
        self.assertFalse(os.path.exists(self.path("copy.db")))

    def test_check_says_what_was_learned(self):
        self.write_items("things", [{"id": {"N": "1"}, "tags": {"SS": ["a"]}}], key=[("id", "N")])
        self.assertIn("things: its columns were learned from its only record: id int64, tags json", self.checked())
        self.assertEqual([name for name in os.listdir(self.folder) if name == "copy.db"], [])

    def test_tables_without_records(self):
        self.write_items("empty", [])
        self.write_items("keyed", [], key=[("id", "N")])
        self.assertIn("empty: it has no record", self.checked())
        db = self.copied()
        self.assertEqual([name for (name,) in db.execute(TABLES)], ["keyed"])

    def test_only_what_is_included_is_read(self):
        self.write_items("things", [{"id": {"N": "1"}}])
        self.write_items("broken", [{"id": {"S": "1"}, "": {"S": "2"}}])
        db = self.copied("--exclude", "broken")
        self.assertEqual([name for (name,) in db.execute(TABLES)], ["things"])

    def test_below_what_a_plan_says(self):
        self.write_items("things", [{"id": {"N": "1"}}])
        self.write_items("other", [{"id": {"N": "1"}}])
        self.write("transhume.yaml",
                   "transhume: 1\nsource: dynamodb-json:in\ntarget: sqlite:copy.db\nexclude: [other]\n"
                                     "options: { nested: tables }\n")
        self.run_program("migrate")
        self.assertEqual([name for (name,) in self.opened().execute(TABLES)], ["things"])
        self.run_program("validate")

    def test_into_csv(self):
        self.write_items("things", [{"id": {"N": "1"}, "l": {"L": [{"S": "a"}]}},
                                    {"id": {"N": "2"}, "b": {"BOOL": True}}])
        self.copied(target="csv:out")
        (name,) = [name for name in os.listdir(self.path("out")) if name.startswith("things")]
        path = self.path("out", name)
        path = path if os.path.isfile(path) else os.path.join(path, os.listdir(path)[0])
        with open(path, newline="", encoding="utf-8") as file:
            self.assertEqual(list(csv.reader(file)), [["id", "l", "b"], ["1", '["a"]', ""], ["2", "", "true"]])

    def test_documents_of_json_lines(self):
        os.makedirs(self.path("lines"))
        self.write("lines/people.jsonl", '{"id":1,"o":{"a":1}}\n{"id":2,"x":1.5}\n')
        self.run_program("migrate", "jsonl:lines?records=documents", "copy.db")
        self.assertEqual(self.opened().execute("SELECT id, o, x FROM people ORDER BY id").fetchall(),
                         [(1, '{"a":1}', None), (2, None, 1.5)])
        result = self.run_program("migrate", "jsonl:-?records=documents", "other.db", "--state", "second", code=2)
        self.assertIn("standard input can be read once only", result.err)

    def test_memory_does_not_grow_with_the_records(self):
        record = {"id": {"N": "1"}, "text": {"S": "x" * 1000}, "list": {"L": [{"N": "1"}] * 50}}
        self.write_items("things", [record] * 40000)
        self.assertLess(self.peak_mib("check", "--memory", "8MiB", "dynamodb-json:in", "copy.db"), 48)


class ChildTables(Folder):
    RECORDS = [
        {"PK": {"S": "a"}, "SK": {"N": "1"}, "lines": {"L": [
            {"M": {"sku": {"S": "x"}, "qty": {"N": "2"}, "PK": {"S": "own"}, "deep": {"M": {"z": {"N": "1"}}}}},
            {"M": {"sku": {"S": "y"}}}]}, "odd": {"L": [{"S": "a"}, {"M": {}}]}, "tags": {"SS": ["t"]}},
        {"PK": {"S": "a"}, "SK": {"N": "2"}, "lines": {"L": []}},
        {"PK": {"S": "b"}, "SK": {"N": "1"}, "lines": {"L": [{"M": {"sku": {"S": "z"}}}]}}]

    def test_lists_of_maps(self):
        self.write_items("orders", self.RECORDS, key=[("PK", "S"), ("SK", "N")])
        told = self.checked("--nested", "tables")
        self.assertIn("orders: the lists in 'odd' stay JSON: not all values are lists of maps alone", told)
        db = self.copied("--nested", "tables")
        self.assertEqual(self.columns(db, "orders"), {"PK": ("TEXT", 1), "SK": ("INTEGER", 2), "odd": ("TEXT", 0),
                                                      "tags": ("TEXT", 0)})
        self.assertEqual(self.columns(db, "orders_lines"), {
            "PK": ("TEXT", 1), "SK": ("INTEGER", 2), "Nr": ("INTEGER", 3), "sku": ("TEXT", 0), "qty": ("INTEGER", 0),
            "PK_2": ("TEXT", 0), "deep": ("TEXT", 0)})
        self.assertEqual(db.execute("SELECT * FROM orders_lines ORDER BY 1, 2, 3").fetchall(), [
            ("a", 1, 1, "x", 2, "own", '{"z":1}'), ("a", 1, 2, "y", None, None, None),
            ("b", 1, 1, "z", None, None, None)])
        self.run_program("validate", "--level", "full")

    def test_without_a_key(self):
        self.write_items("orders", self.RECORDS)
        self.write_items("loose", [{"lines": {"L": [{"M": {"a": {"S": "x"}}}]}}])
        told = self.checked("--nested", "tables")
        self.assertIn("orders_lines: its rows name their record by 'PK' and 'SK', which nothing says is its key", told)
        self.assertIn("loose: the lists in 'lines' stay JSON: the records have no key that its rows could name", told)
        db = self.copied("--nested", "tables")
        self.assertEqual(db.execute("SELECT count(*) FROM orders_lines").fetchone(), (3,))
        self.assertEqual(db.execute("SELECT lines FROM loose").fetchall(), [('[{"a":"x"}]',)])

    def test_odd_names_of_lists(self):
        one = [{"M": {"a": {"N": "1"}}}]
        self.write_items("t", [{"id": {"S": "1"}, "x": {"L": one}, "X": {"L": one}, "y.z": {"L": one},
                                "u": {"L": [{"M": {}}]},
                                "s": {"L": [{"M": {"$value": {"S": "v"}}}]},
                                "Nr": {"L": [{"M": {"Nr": {"S": "n"}, "*": {"S": "s"}}}]}}])
        self.write_items("t_x", [{"id": {"S": "own"}}])
        self.assertIn("t: the lists in 's' stay JSON: a field of their maps is called $value",
                      self.checked("--nested", "tables"))
        db = self.copied("--nested", "tables")
        self.assertEqual({name: db.execute("SELECT * FROM %s" % support.quoted(name)).fetchall()
                          for (name,) in db.execute(TABLES)}, {
                              "t": [("1", '[{"$value":"v"}]')], "t_x": [("own",)], "t_x_2": [("1", 1, 1)],
                              "t_X_3": [("1", 1, 1)], "t_y.z": [("1", 1, 1)],
                              "t_u": [("1", 1)], "t_Nr": [("1", 1, "n", "s")]})
        self.run_program("validate")

    def test_of_json_lines(self):
        os.makedirs(self.path("lines"))
        self.write("lines/people.jsonl",
                   '{"id":1,"pets":[{"n":"x","age":1},{"n":"y"}],"l":[1]}\n{"id":2,"pets":[]}\n{"id":3}\n')
        self.run_program("migrate", "--nested", "tables", "jsonl:lines", "copy.db")
        db = self.opened()
        self.assertEqual(list(self.columns(db, "people")), ["id", "l"])
        self.assertEqual(db.execute("SELECT * FROM people_pets ORDER BY 1, 2").fetchall(),
                         [(1, 1, "x", 1), (1, 2, "y", None)])
        self.run_program("validate")

    def test_where_it_has_no_effect_it_says_so(self):
        self.write_items("orders", self.RECORDS, key=[("PK", "S"), ("SK", "N")])
        self.write("plan.yaml",
                   "transhume: 1\ntables: { o: { from: orders, fields: { PK: { column: PK, cast: text } } } }\n")
        result = self.run_program("migrate", "--nested", "tables", "--plan", "plan.yaml", "dynamodb-json:in", "copy.db")
        self.assertIn("--nested tables has no effect: the plan names its tables", result.err)
        result = self.run_program("migrate", "--nested", "tables", "dynamodb-json:in", "dynamodb-json:out", "--state",
                                  "second")
        self.assertIn("--nested tables has no effect", result.err)

    def test_without_it_lists_are_json(self):
        self.write_items("orders", self.RECORDS, key=[("PK", "S"), ("SK", "N")])
        db = self.copied()
        self.assertEqual([name for (name,) in db.execute(TABLES)], ["orders"])


class LearnedOnce(Folder):
    def write_many(self):
        self.write_items("things", [{"id": {"N": str(n)}, "f%d" % (n % 7): {"S": "x"},
                                     "l": {"L": [{"M": {"n": {"N": "1"}}}]}}
                                    for n in range(3000)], key=[("id", "N")])

    def killed(self, *options):
        result = support.kill_at("engine.after_commit", 3, "migrate", *options, "--chunk-rows", "500",
                                 "dynamodb-json:in", "copy.db",
                                 cwd=self.folder)
        self.assertEqual(result.code, -9, result.err)

    def test_a_resume_takes_what_the_run_learned(self):
        self.write_many()
        for options in ((), ("--nested", "tables")):
            self.killed(*options)
            result = self.run_program("resume", "--verbose")
            self.assertNotIn("for its columns", result.err)
            db = self.opened()
            self.assertEqual(db.execute("SELECT count(*), count(DISTINCT id) FROM things").fetchone(), (3000, 3000))
            for arguments in ((), ("dynamodb-json:in", "copy.db")):
                self.assertIn("equal", self.run_program("validate", *arguments).out)
            db.close()
            self.run_program("rollback", "--run", self.run_id(), "--confirm")

    def test_a_resume_that_names_both_ends(self):
        self.write_many()
        self.killed("--nested", "tables")
        self.run_program("resume", "dynamodb-json:in", "copy.db")
        self.assertEqual(self.opened().execute("SELECT count(*) FROM things_l").fetchone(), (3000,))

    def test_a_resume_without_the_state_folder(self):
        self.write_many()
        self.killed("--nested", "tables")
        self.run_program("resume", "--state", "other", "dynamodb-json:in", "copy.db")
        result = self.run_program("validate", "--state", "third", "dynamodb-json:in", "copy.db")
        self.assertIn("things_l", result.out)
        self.assertEqual(self.opened().execute("SELECT count(*) FROM things_l").fetchone(), (3000,))

    def test_mended_rejects_and_repairs(self):
        self.write_items("things", [{"id": {"N": "1"}, "v": {"S": "a"}}, {"v": {"S": "no key"}}, {"id": {"N": "2"}}],
                         key=[("id", "N")])
        self.run_program("migrate", "dynamodb-json:in", "copy.db", code=1)
        (reject,) = self.rejects()
        self.assertEqual(reject["code"], "key-null")
        reject["record"]["id"] = 3
        self.write("mended.jsonl", json.dumps(reject) + "\n")
        self.run_program("migrate", "--rejects", "mended.jsonl")
        with sqlite3.connect(self.path("copy.db")) as db:
            self.assertEqual(db.execute("SELECT id, v FROM things ORDER BY id").fetchall(),
                             [(1, "a"), (2, None), (3, "no key")])
            db.execute("DELETE FROM things WHERE id = 2")
        db.close()
        self.run_program("validate", "--repair", code=1)
        self.assertEqual(self.opened().execute("SELECT id FROM things ORDER BY id").fetchall(), [(1,), (2,), (3,)])

    def test_tables_that_are_there_decide(self):
        support.make_sqlite(self.path("copy.db"),
                            "CREATE TABLE Things(ID TEXT PRIMARY KEY, v REAL, extra TEXT DEFAULT 'd')")
        self.write_items("things", [{"id": {"N": "1"}, "v": {"N": "2"}}])
        self.run_program("migrate", "--existing", "append", "dynamodb-json:in", "copy.db")
        self.assertEqual(self.opened().execute("SELECT id, typeof(id), v, typeof(v), extra FROM things").fetchall(),
                         [("1", "text", 2.0, "real", "d")])

    def test_a_field_that_the_table_has_no_column_for(self):
        support.make_sqlite(self.path("copy.db"), "CREATE TABLE things(id TEXT PRIMARY KEY)")
        self.write_items("things", [{"id": {"N": "1"}}, {"id": {"N": "2"}, "late": {"N": "2"}}])
        told = self.run_program("check", "--existing", "append", "dynamodb-json:in", "copy.db", code=2)
        self.assertIn("things: the table in the target has no column late", told.out)


def on_disk(typed):
    """boto3's form of a value as DynamoDB-JSON has it, without U+0000, which PostgreSQL does not store."""
    (kind, value), = typed.items()
    if kind == "S":
        return {kind: value.replace("\0", "")}
    if kind == "B":
        return {kind: base64.b64encode(value).decode()}
    if kind == "BS":
        return {kind: [base64.b64encode(part).decode() for part in value]}
    if kind == "L":
        return {kind: [on_disk(part) for part in value]}
    return {kind: {name: on_disk(part) for name, part in value.items()}} if kind == "M" else typed


class Servers:
    """The same values into a server's own types."""

    def test_every_kind_and_child_tables(self):
        Folder.write_items(self, "orders", [
            {"PK": {"S": "a"}, "SK": {"N": "1"}, "price": {"N": "12345678901234567890.5"}, "yes": {"BOOL": True},
             "bin": {"B": "AP8="},
             "map": {"M": {"k": {"S": "v"}}}, "words": {"SS": ["a"]}, "Price": {"S": "other"},
             "lines": {"L": [{"M": {"sku": {"S": "x"}, "qty": {"N": "2"}}}, {"M": {"sku": {"S": "y"}}}]}},
            {"PK": {"S": "b"}, "SK": {"N": "-9223372036854775808"}, "price": {"N": "0.125"}}],
                           key=[("PK", "S"), ("SK", "N")])
        target = self.new_target()
        self.run_program("check", "--nested", "tables", "dynamodb-json:in", target)
        self.run_program("migrate", "--nested", "tables", "dynamodb-json:in", target)
        self.assertEqual(self.ask(self.ORDERS), self.WANTED)
        self.assertEqual([[str(value) for value in row] for row in self.ask("SELECT sku FROM orders_lines ORDER BY %s"
                                                                            % self.NR)],
                         [["x"], ["y"]])
        self.run_program("validate", "--level", "full")

    def test_names_that_are_too_long(self):
        Folder.write_items(self, "things", [{"id": {"S": "1"}, "n" * 100 + "a": {"S": "x"},
                                             "n" * 100 + "b": {"S": "y"}}])
        target = self.new_target()
        result = self.run_program("migrate", "dynamodb-json:in", target, code=2)
        self.assertEqual(result.err.count("error:"), 1, result.err)
        self.assertRegex(result.err, "n{60}")

    def test_random_records(self):
        print("seed %d" % SEED)
        chooser = random.Random(SEED)
        records = [{name: on_disk(value) for name, value in item.items()} for item in items.random_items(120, SEED)]
        for place, record in enumerate(records):
            for name in [name for name, value in record.items() if set(value) & {"B"}]:
                del record[name]   # among other kinds no column takes them
            record["id"] = {"S": "r%d" % place}
        chooser.shuffle(records)
        Folder.write_items(self, "things", records, key=[("id", "S")])
        target = self.new_target()
        self.run_program("migrate", "dynamodb-json:in", target)
        self.assertEqual([[str(value) for value in row] for row in self.ask("SELECT count(*) FROM things")], [["120"]])
        self.run_program("validate", "--level", "full")


class Postgres(Servers, sql_case.ServerTarget, support.TestCase):
    SERVERS = postgres
    NR = '"Nr"'
    ORDERS = ("""SELECT "PK", "SK"::text, price::text, yes::text, encode(bin, 'hex'), map->>'k', words->>0, "Price_2",
                 pg_typeof(map)::text FROM orders ORDER BY 1""")
    WANTED = [["a", "1", "12345678901234567890.500", "true", "00ff", "v", "a", "other", "json"],
              ["b", "-9223372036854775808", "0.125", None, None, None, None, None, "json"]]


class Mysql(Servers, sql_case.ServerTarget, support.TestCase):
    SERVERS = mariadb
    NR = "Nr"
    ORDERS = ("""SELECT PK, cast(SK AS char), cast(price AS char), cast(yes AS char), hex(bin), json_value(map, '$.k'),
                 json_value(words, '$[0]'), Price_2 FROM orders ORDER BY 1""")
    WANTED = [["a", "1", "12345678901234567890.500", "1", "00FF", "v", "a", "other"],
              ["b", "-9223372036854775808", "0.125", None, None, None, None, None]]


class Dynamodb(DynamodbCase):
    """Over the network: the table's own key, and what reading twice costs."""

    def test_into_a_table(self):
        items.create(self.client, "orders", (("PK", "S"), ("SK", "N")))
        items.put(self.client, "orders", [
            {"PK": {"S": "p%d" % (n % 5)}, "SK": {"N": str(n)}, "f%d" % (n % 3): {"N": "%d.5" % n},
             "lines": {"L": [{"M": {"sku": {"S": "s%d" % n}}}]}} for n in range(100)])
        told = " ".join(self.run_aws("check", self.uri(), "sqlite:out.db").out.split())
        self.assertIn("takes twice the read units", told)
        self.assertIn("orders: its columns were learned from all 100 records", told)
        result = self.run_aws("migrate", "--nested", "tables", self.uri(), "sqlite:out.db")
        self.assertIn("that takes read units twice", result.err)
        self.run_aws("validate")
        db = sqlite3.connect(self.path("out.db"))
        self.assertEqual([row[5] for row in db.execute("PRAGMA table_info(orders)")][:2], [1, 2])
        self.assertEqual(db.execute("SELECT count(*), sum(coalesce(f0, f1, f2)) FROM orders").fetchone(), (100, 5000))
        self.assertEqual(db.execute("SELECT count(*), count(DISTINCT sku) FROM orders_lines").fetchone(), (100, 100))
        db.close()

    def test_over_a_network_that_fails(self):
        items.create(self.client, "herd")
        items.put(self.client, "herd", [{"id": {"S": "%d" % n}, "f%d" % (n // 50): {"N": "1"}} for n in range(250)])
        with FaultProxy(self.server.endpoint, SEED) as proxy:
            for kind in ("throttle", "error", "cut_after", "truncated"):
                proxy.add(kind, operation="Scan", first=2, every=5, count=4)
            proxy.add("short_page", limit=20)
            self.run_aws("migrate", "--timeout", "5s", self.uri(proxy.endpoint), "sqlite:out.db")
            self.assertGreater(min(proxy.hits[kind] for kind in ("throttle", "error", "cut_after", "truncated")), 0)
        with contextlib.closing(sqlite3.connect(self.path("out.db"))) as db:
            self.assertEqual(sorted(row[1] for row in db.execute("PRAGMA table_info(herd)")),
                             ["f0", "f1", "f2", "f3", "f4", "id"])
            self.assertEqual(db.execute("SELECT count(*), count(f0), count(f4) FROM herd").fetchone(), (250, 50, 50))

    @unittest.skipIf(support.UNDER_VALGRIND, "takes longer than the cap asks for")
    def test_the_first_reading_keeps_the_cap(self):
        items.create(self.client, "capped")
        items.put(self.client, "capped", [{"id": {"S": "%d" % n}, "text": {"S": "x" * 4000}} for n in range(900)])
        seconds = {}
        for cap in ("0", "200"):
            begun = time.monotonic()
            self.run_aws("check", "--estimate-time", "100ms", self.uri(read_units=cap), "sqlite:out.db")
            seconds[cap] = time.monotonic() - begun
        # 450 units, of which a second's worth is there at once, and the last page may be owed
        self.assertGreater(seconds["200"], seconds["0"] + 0.4)


if __name__ == "__main__":
    unittest.main()
