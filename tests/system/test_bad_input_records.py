"""Records that the target can't take: each is a reject with its key and reason, the others arrive."""
import json
import os
import shutil
import sqlite3
import unittest

import refusals
import support

TOY = {"TRANSHUME_MODULES": os.path.join(support.BUILD, "toy.so")}
ITEM_BYTES_MAX = 400 * 1024


class RecordsTestCase(refusals.TestCase):
    def database(self, script, rows=(), name="source.db"):
        """`rows`: (statement, parameters) pairs; parameters may hold bytes for CAST(? AS TEXT)."""
        db = sqlite3.connect(self.path(name))
        db.executescript(script)
        for statement, parameters in rows:
            db.execute(statement, parameters)
        db.commit()
        db.close()
        return self.path(name)

    def migrate(self, *arguments, code=1, **more):
        with self.unharmed(self.path("source.db")):
            result = self.run_program("migrate", *arguments, code=code, **more)
        if code == 1:
            # What next: where the rejects are.
            self.assertIn("rejects", result.out + result.err)
        return result

    def assert_rejected(self, expected, state=".transhume"):
        """`expected`: {source key: code}; one reject each, whole, with a reason."""
        found = self.rejects(state)
        by_key = {}
        for reject in found:
            self.assertEqual(reject["format"], 1)
            for name in ("run", "chunk", "entity", "table", "source", "reason", "record"):
                self.assertIn(name, reject)
            self.assertGreater(len(reject["reason"]), 10, reject)
            by_key[reject["key"].get("id", (reject["record"] or {}).get("id"))] = reject
        self.assertEqual({key: reject["code"] for key, reject in by_key.items()}, expected)
        self.assertEqual(len(found), len(expected), "a reject was written twice")
        return by_key

    def items(self, table, folder="out"):
        return support.read_dynamodb_json(self.path(folder))[table]

    def numbers(self, table="thing", field="id", folder="out"):
        return sorted(int(item[field]["N"]) for item in self.items(table, folder))


class DuplicateKeys(RecordsTestCase):
    """A plan whose key is not unique: the lowest source key stays, whatever the target."""

    PLAN = """transhume: 1
source: sqlite:source.db
target: %s
tables:
  thing:
    key: %s
    entities:
      thing:
        from: thing
        fields: { "*": copy, K: "G#{g}" }
"""
    # ids 1..300 in 100 groups, ids in an order that is not the order of the groups
    ROWS = 300
    GROUPS = 100

    def setUp(self):
        super().setUp()
        self.database("CREATE TABLE thing(id INTEGER PRIMARY KEY, g INTEGER, v TEXT);",
                      [("INSERT INTO thing VALUES (?, ?, ?)", (i, i * 7 % self.GROUPS, "v%d" % i))
                       for i in range(1, self.ROWS + 1)])
        first = {}
        for i in range(1, self.ROWS + 1):
            first.setdefault(i * 7 % self.GROUPS, i)
        self.kept = sorted(first.values())
        self.expected = {i: "key-duplicate" for i in range(1, self.ROWS + 1) if i not in self.kept}

    def test_sqlite(self):
        for options in ((), ("--chunk-rows", "17"), ("--chunk-rows", "17", "--jobs", "4")):
            with self.subTest(options=options):
                name = "copy%d.db" % len(options)
                self.write("transhume.yaml", self.PLAN % ("sqlite:" + name, "[K]"))
                self.migrate("--state", name + ".state", *options)
                self.assertEqual([i for i, in self.query(self.path(name), "SELECT id FROM thing ORDER BY 1")],
                                 self.kept)
                self.assert_rejected(self.expected, name + ".state")

    def test_dynamodb_json(self):
        for options in ((), ("--chunk-rows", "17", "--jobs", "4")):
            with self.subTest(options=options):
                name = "out%d" % len(options)
                self.write("transhume.yaml", self.PLAN % ("dynamodb-json:" + name, "{ partition: K }"))
                self.migrate("--state", name + ".state", *options)
                self.assertEqual(self.numbers(folder=name), self.kept)
                rejects = self.assert_rejected(self.expected, name + ".state")
                record = rejects[max(self.expected)]["record"]
                self.assertEqual(record["v"], "v%d" % max(self.expected))

    def test_toy(self):
        for options in ((), ("--chunk-rows", "17", "--jobs", "4")):
            with self.subTest(options=options):
                name = "toy%d" % len(options)
                self.write("transhume.yaml", self.PLAN % ("toy:" + name, "{ partition: K }"))
                self.migrate("--state", name + ".state", *options, env=TOY)
                self.assert_rejected(self.expected, name + ".state")
                back = "back-" + name
                self.run_program("migrate", "--state", back + ".state", "toy:" + name,
                                 "dynamodb-json:" + back, env=TOY)
                self.assertEqual(self.numbers(folder=back), self.kept)

    def test_the_rejects_name_the_source_records(self):
        for target in ("sqlite:copy.db", "dynamodb-json:out"):
            with self.subTest(target=target):
                key = "[K]" if target.startswith("sqlite") else "{ partition: K }"
                self.write("transhume.yaml", self.PLAN % (target, key))
                self.migrate("--state", target[:6])
                self.assertEqual(sorted(r["key"].get("id", 0) for r in self.rejects(target[:6])),
                                 sorted(self.expected))

    def test_the_plan_says_before_that_keys_are_not_proven(self):
        self.write("transhume.yaml", self.PLAN % ("dynamodb-json:out", "{ partition: K }"))
        result = self.run_program("check", "--json")
        report = json.dumps(json.loads(result.out))
        self.assertRegex(report, "(?i)after the load|not proven|at the end")

    def test_two_entities_under_one_key(self):
        self.write("transhume.yaml", """transhume: 1
source: sqlite:source.db
target: dynamodb-json:out
tables:
  thing:
    key: { partition: K }
    entities:
      first:  { from: thing, where: "id <= 10", fields: { K: "{id}", From: { const: first } } }
      second: { from: thing, where: "id <= 12", fields: { K: "{id}", From: { const: second } } }
""")
        self.migrate()
        found = {item["K"]["S"]: item["From"]["S"] for item in self.items("thing")}
        self.assertEqual(found, {str(i): "first" if i <= 10 else "second" for i in range(1, 13)})
        rejects = self.rejects()
        self.assertEqual({r["entity"] for r in rejects}, {"second"})
        self.assertEqual(len(rejects), 10)

    def test_after_a_kill_the_same_ones_stay(self):
        self.write("transhume.yaml", self.PLAN % ("dynamodb-json:out", "{ partition: K }"))
        for place, occurrence in (("engine.after_commit", 5), ("engine.before_settle", 1),
                                  ("engine.after_settle", 1)):
            with self.subTest(place=place):
                for name in ("out", ".transhume"):
                    shutil.rmtree(self.path(name), ignore_errors=True)
                result = support.kill_at(place, occurrence, "migrate", "--chunk-rows", "20",
                                         cwd=self.folder)
                self.assertEqual(result.code, -9, result.err)
                self.run_program("resume", code=1)
                self.assertEqual(self.numbers(), self.kept)
                self.assert_rejected(self.expected)


class DynamoDB(RecordsTestCase):
    def test_numbers(self):
        values = {1: 2 ** 63 - 1, 2: -2 ** 63, 3: 0.1, 4: 1e125, 5: -9.9e125, 6: 1e-130, 7: 0.0,
                  8: -0.0, 9: None, 10: 1e126, 11: 1e300, 12: float("inf"), 13: float("-inf"),
                  14: 1e-131, 15: 5e-324, 16: 1.7976931348623157e308, 17: 123456789.125}
        self.database("CREATE TABLE thing(id INTEGER PRIMARY KEY, v REAL, w);",
                      [("INSERT INTO thing VALUES (?, NULL, ?)", pair) for pair in values.items()])
        self.migrate("source.db", "dynamodb-json:out")
        by_key = self.assert_rejected({i: "number-range" for i in (10, 11, 12, 13, 14, 15, 16)})
        for reject in by_key.values():
            self.assertIn("w", reject["reason"])
        self.assertEqual(self.numbers(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 17])

    def test_numbers_of_more_than_38_digits(self):
        plan = """transhume: 1
source: sqlite:source.db
target: dynamodb-json:out
tables:
  thing: { key: { partition: id }, from: thing, fields: { id: copy, v: { column: v, cast: decimal } } }
"""
        self.write("transhume.yaml", plan)
        texts = {1: "1" * 38, 2: "1" * 39, 3: "0." + "3" * 38, 4: "0." + "3" * 39,
                 5: "1" + "0" * 100, 6: "1" + "0" * 126, 7: "none", 8: "NaN", 9: "Infinity",
                 10: "-" + "9" * 38, 11: "0001.5000"}
        self.database("CREATE TABLE thing(id INTEGER PRIMARY KEY, v TEXT);",
                      [("INSERT INTO thing VALUES (?, ?)", pair) for pair in texts.items()])
        self.migrate()
        rejects = {r["key"]["id"]: r["code"] for r in self.rejects()}
        self.assertEqual({k: v for k, v in rejects.items() if k != 7 and k not in (8, 9)},
                         {2: "number-range", 4: "number-range", 6: "number-range"})
        self.assertEqual(rejects[7], "type")
        for key in (8, 9):
            self.assertIn(rejects[key], ("number-range", "type"))
        found = {int(item["id"]["N"]): item["v"]["N"] for item in self.items("thing")}
        self.assertEqual(found[1], "1" * 38)
        self.assertEqual(found[11], "1.5")
        self.assertEqual(sorted(found), [1, 3, 5, 10, 11])

    def test_items_around_the_size_limit(self):
        # id: 2 + ~2 bytes, v: 1 + length; so somewhere within these bytes lies the limit.
        sizes = {1: ITEM_BYTES_MAX - 64, 2: ITEM_BYTES_MAX + 1, 3: 5 * ITEM_BYTES_MAX, 4: 10,
                 5: ITEM_BYTES_MAX // 2 - 64, 6: ITEM_BYTES_MAX // 2 + 1}
        self.database("CREATE TABLE thing(id INTEGER PRIMARY KEY, v TEXT);",
                      [("INSERT INTO thing VALUES (?, ?)", (i, ("\u00e9" if i > 4 else "x") * n))
                       for i, n in sizes.items()])
        self.migrate("source.db", "dynamodb-json:out")
        self.assert_rejected({i: "record-too-large" for i in (2, 3, 6)})
        self.assertEqual(self.numbers(), [1, 4, 5])

    def test_a_value_of_many_mebibytes(self):
        self.database("CREATE TABLE thing(id INTEGER PRIMARY KEY, v);",
                      [("INSERT INTO thing VALUES (1, zeroblob(?))", (30 << 20,)),
                       ("INSERT INTO thing VALUES (2, CAST(zeroblob(?) AS TEXT))", (30 << 20,)),
                       ("INSERT INTO thing VALUES (3, 'small')", ())])
        self.migrate("source.db", "dynamodb-json:out")
        self.assert_rejected({1: "record-too-large", 2: "record-too-large"})
        self.assertEqual(self.numbers(), [3])

    def test_invalid_utf8(self):
        bad = {2: b"\xff", 3: b"ok\xc3", 4: b"\xed\xa0\x80", 5: b"\xc0\x80", 6: b"\xf4\x90\x80\x80"}
        rows = [("INSERT INTO thing VALUES (?, CAST(? AS TEXT))", pair) for pair in bad.items()]
        rows += [("INSERT INTO thing VALUES (1, 'fine \U0001f411')", ()),
                 ("INSERT INTO thing VALUES (7, CAST(x'610062' AS TEXT))", ())]
        self.database("CREATE TABLE thing(id INTEGER PRIMARY KEY, v TEXT);", rows)
        self.migrate("source.db", "dynamodb-json:out")
        rejects = self.assert_rejected({i: "text-invalid" for i in bad})
        self.assertIn("v", rejects[2]["reason"])
        found = {int(item["id"]["N"]): item["v"]["S"] for item in self.items("thing")}
        self.assertEqual(found, {1: "fine \U0001f411", 7: "a\0b"})

    def test_keys(self):
        self.database(
            "CREATE TABLE thing(id INTEGER PRIMARY KEY, p TEXT, s TEXT);",
            [("INSERT INTO thing VALUES (?, ?, ?)", row) for row in (
                (1, "a", "b"), (2, None, "b"), (3, "a", None), (4, "", "b"), (5, "a", ""),
                (6, "p" * 2048, "s" * 1024), (7, "p" * 2049, "s"), (8, "p", "s" * 1025),
                (9, "\u00e9" * 1024, "s"), (10, "\u00e9" * 1025, "s"))])
        self.write("transhume.yaml", """transhume: 1
source: sqlite:source.db
target: dynamodb-json:out
tables:
  thing: { key: { partition: p, sort: s }, from: thing, fields: { "*": copy } }
""")
        self.migrate()
        self.assert_rejected({2: "key-null", 3: "key-null", 4: "key-null", 5: "key-null",
                              7: "key-too-long", 8: "key-too-long", 10: "key-too-long"})
        self.assertEqual(self.numbers(), [1, 6, 9])

    def test_keys_from_templates_with_a_null(self):
        self.database("CREATE TABLE thing(id INTEGER PRIMARY KEY, p TEXT);"
                      "INSERT INTO thing VALUES (1, 'a'), (2, NULL), (3, '');")
        self.write("transhume.yaml", """transhume: 1
source: sqlite:source.db
target: dynamodb-json:out
tables:
  thing: { key: { partition: PK, sort: id }, from: thing, fields: { id: copy, PK: "P#{p}" } }
""")
        self.migrate()
        self.assert_rejected({2: "key-null"})
        self.assertEqual({i["PK"]["S"] for i in self.items("thing")}, {"P#a", "P#"})

    def test_index_keys(self):
        self.database("CREATE TABLE thing(id INTEGER PRIMARY KEY, mail TEXT);"
                      "INSERT INTO thing VALUES (1, 'a@b'), (2, NULL), (3, '');")
        self.write("transhume.yaml", """transhume: 1
source: sqlite:source.db
target: dynamodb-json:out
tables:
  thing: { key: { partition: id }, indexes: { by-mail: { partition: mail } }, from: thing, fields: { "*": copy } }
""")
        self.migrate()
        # NULL: not in the index, which is fine. Empty: DynamoDB refuses the item.
        self.assertEqual([r["key"]["id"] for r in self.rejects()], [3])
        self.assertEqual(self.numbers(), [1, 2])

    def test_a_text_where_the_key_is_a_number(self):
        self.database("CREATE TABLE thing(id INT PRIMARY KEY, v TEXT);"
                      "INSERT INTO thing VALUES (1, 'a'), ('two', 'b'), (3, 'c');")
        self.migrate("source.db", "dynamodb-json:out")
        self.assertEqual(self.numbers(), [1, 3])
        rejects = self.rejects()
        self.assertEqual(len(rejects), 1)
        self.assertEqual(rejects[0]["record"]["v"], "b")

    def test_the_limits_of_rejects(self):
        self.database("CREATE TABLE thing(id INTEGER PRIMARY KEY, v REAL);",
                      [("INSERT INTO thing VALUES (?, ?)", (i, 1e300 if i % 10 == 0 else 1.5))
                       for i in range(1, 101)])
        result = self.run_program("migrate", "--max-rejects", "3", "--state", "a", "source.db",
                                  "dynamodb-json:a.out", code=3)
        self.assertIn("[too-many-rejects]", result.err)
        result = self.run_program("migrate", "--fail-fast", "--state", "b", "source.db",
                                  "dynamodb-json:b.out", code=3)
        self.assertIn("[too-many-rejects]", result.err)
        self.run_program("migrate", "--max-rejects", "10", "--state", "c", "source.db",
                         "dynamodb-json:c.out", code=1)
        self.assertEqual(len(self.numbers(folder="c.out")), 90)


class SQLite(RecordsTestCase):
    def test_constraints_of_the_target(self):
        self.database("CREATE TABLE thing(id INTEGER PRIMARY KEY, n INTEGER, u TEXT);",
                      [("INSERT INTO thing VALUES (?, ?, ?)", (i, None if i == 5 else i, "u%d" % (i % 20)))
                       for i in range(1, 26)])
        support.make_sqlite(self.path("copy.db"), "CREATE TABLE thing(id INTEGER PRIMARY KEY,"
                            " n INTEGER NOT NULL CHECK (n <> 7), u TEXT UNIQUE);")
        self.migrate("source.db", "copy.db")
        found = {r["key"]["id"]: (r["code"], r["reason"]) for r in self.rejects()}
        # 25 would have the u of 5, but that one was refused.
        self.assertEqual(set(found), {5, 7, 21, 22, 23, 24})
        self.assertEqual(found[5][0], "constraint")
        self.assertIn("n", found[5][1])
        self.assertEqual(found[7][0], "constraint")
        self.assertIn(found[21][0], ("constraint", "key-duplicate"))
        self.assertEqual(support.sqlite_counts(self.path("copy.db")), {"thing": 25 - len(found)})

    def test_both_lanes_reject_the_same(self):
        self.database("CREATE TABLE thing(id INTEGER PRIMARY KEY, n INTEGER);",
                      [("INSERT INTO thing VALUES (?, ?)", (i, i % 50)) for i in range(1, 401)])
        seen = []
        for options in ((), ("--no-express",), ("--no-express", "--jobs", "4", "--chunk-rows", "33")):
            name = "copy%d.db" % len(options)
            support.make_sqlite(self.path(name),
                                "CREATE TABLE thing(id INTEGER PRIMARY KEY, n INTEGER CHECK (n <> 13));")
            self.migrate("--state", name + ".state", *options, "source.db", name)
            seen.append(sorted((r["key"]["id"], r["code"]) for r in self.rejects(name + ".state")))
            self.assertEqual(support.sqlite_counts(self.path(name)), {"thing": 392})
        self.assertEqual(seen[0], [(i, "constraint") for i in range(13, 401, 50)])
        self.assertEqual(seen[1:], seen[:1] * 2)

    def test_invalid_utf8_survives_a_plain_copy(self):
        self.database("CREATE TABLE thing(id INTEGER PRIMARY KEY, v TEXT);",
                      [("INSERT INTO thing VALUES (?, CAST(? AS TEXT))", (i, bytes([i]) + b"\xff\xc3"))
                       for i in range(1, 200)])
        for options in ((), ("--no-express",)):
            with self.subTest(options=options):
                name = "copy%d.db" % len(options)
                self.run_program("migrate", "--state", name + ".state", *options, "source.db", name)
                self.assert_same_sqlite(self.path("source.db"), self.path(name))

    def test_a_text_in_a_number_column_survives_a_plain_copy(self):
        self.database("CREATE TABLE thing(id INTEGER PRIMARY KEY, n INTEGER, d NUMERIC(5,2), r REAL);"
                      "INSERT INTO thing VALUES (1, 'many', 'some', 'few'), (2, x'00', 1e300, '7 of 9'),"
                      " (3, 2.5, 9007199254740993, 1), (4, '0x10', '1.980', '1e5');")
        for options in ((), ("--no-express",)):
            with self.subTest(options=options):
                name = "copy%d.db" % len(options)
                self.run_program("migrate", "--state", name + ".state", *options, "source.db", name)
                self.assert_same_sqlite(self.path("source.db"), self.path(name))

    def test_policies_for_existing_records(self):
        self.database("CREATE TABLE thing(id INTEGER PRIMARY KEY, a TEXT, b TEXT);"
                      "INSERT INTO thing VALUES (1, 'a1', 'b1'), (2, 'a2', 'b2'), (3, 'a3', 'b3');")
        plan = """transhume: 1
source: sqlite:source.db
target: sqlite:%s
existing: %s
tables:
  thing: { key: [id], from: thing, fields: { id: copy, a: copy } }
"""
        # What becomes of record 2, which is there with a, b = 'old', 'keep'; record 9 is nobody's.
        expected = {"append": ("old", "keep"), "skip": ("old", "keep"), "upsert": ("a2", "keep"),
                    "replace": ("a2", None)}
        for policy, (a, b) in expected.items():
            with self.subTest(policy=policy):
                name = policy + ".db"
                support.make_sqlite(self.path(name), "CREATE TABLE thing(id INTEGER PRIMARY KEY, a TEXT,"
                                    " b TEXT); INSERT INTO thing VALUES (2, 'old', 'keep'), (9, 'x', 'y');")
                self.write("transhume.yaml", plan % (name, policy))
                self.migrate("--state", policy, code=1 if policy == "append" else 0)
                self.assertEqual(self.query(self.path(name), "SELECT * FROM thing ORDER BY id"),
                                 [(1, "a1", None), (2, a, b), (3, "a3", None), (9, "x", "y")])
                if policy == "append":
                    self.assert_rejected({2: "key-duplicate"}, policy)
                if policy == "skip":
                    entity = self.state("skip")["tables"]["thing"]["entities"]["thing"]
                    self.assertEqual((entity["total"], entity["migrated"]), (3, 2))


if __name__ == "__main__":
    unittest.main()
