"""Plans in odd combinations: what each makes is compared with what is written here."""
import json
import os
import sqlite3
import unittest

import support


class OddPlans(support.TestCase):
    def items(self, script, tables, code=0):
        """What the plan makes of the source, per table, as plain values."""
        support.make_sqlite(self.path("source.db"), script)
        self.write("plan.yaml", "transhume: 1\nsource: sqlite:source.db\ntarget: dynamodb-json:out\ntables:\n" + tables)
        self.run_program("migrate", "--plan", "plan.yaml", code=code)
        return support.read_dynamodb_json(self.path("out"))

    def test_a_column_that_is_named_like_the_star(self):
        found = self.items('CREATE TABLE t(id INTEGER PRIMARY KEY, "*" TEXT, b TEXT); INSERT INTO t VALUES (1, '
                           '\'x\', \'y\');', """
  things: { key: { partition: id }, from: t, fields: { b: { drop: true }, "*": copy } }
""")
        self.assertEqual(found, {"things": [{"id": {"N": "1"}, "*": {"S": "x"}}]})

    def test_an_attribute_that_is_named_like_the_star(self):
        os.makedirs(self.path("in", "things"))
        self.write("in/things/data-1.json", '{"Item":{"id":{"N":"1"},"*":{"S":"x"},"b":{"S":"y"}}}\n')
        self.write("plan.yaml", """transhume: 1
source: dynamodb-json:in
target: dynamodb-json:out
tables:
  things: { key: { partition: id }, from: things, fields: { id: { column: id, cast: int64 }, b: { drop: true }, "*": copy } }
""")
        self.run_program("migrate", "--plan", "plan.yaml")
        self.assertEqual(support.read_dynamodb_json(self.path("out")),
                         {"things": [{"id": {"N": "1"}, "*": {"S": "x"}}]})

    def test_json_writes_characters_as_pairs_of_surrogates(self):
        """As Python's json does; a backslash before such a text is one, in YAML's own quotes, too."""
        support.make_sqlite(self.path("source.db"),
                            'CREATE TABLE t(id INTEGER PRIMARY KEY, "🐑" TEXT); INSERT INTO t VALUES (1, \'x\');')
        plan = {"transhume": 1, "source": "sqlite:source.db", "target": "dynamodb-json:out", "tables": {"things": {
            "key": {"partition": "id"}, "from": "t", "fields": {
                "id": "copy", "𝄞": {"column": "🐑"},
                "const": {"const": "\U0010ffff \U00010000 é \\ud83d\\ude00 \" ' # \t end"},
                "template": "{🐑}😀{🐑}"}}}}
        self.write("plan.json", json.dumps(plan, indent=1))
        self.assertIn("\\ud834\\udd1e", json.dumps(plan))
        self.run_program("migrate", "--plan", "plan.json")
        expected = [{"id": {"N": "1"}, "𝄞": {"S": "x"},
                     "const": {"S": plan["tables"]["things"]["fields"]["const"]["const"]},
                     "template": {"S": "x😀x"}}]
        self.assertEqual(support.read_dynamodb_json(self.path("out")), {"things": expected})
        self.run_program("validate", "--plan", "plan.json")
        self.write("plan.yaml",
                   "{transhume: 1, source: 'sqlite:source.db', target: 'dynamodb-json:yaml', "
                   "tables: {things: {key: {partition: id}, "
                                "from: t, fields: {id: copy, c: {const: '\\ud83d\\ude00'}}}}}\n")
        self.run_program("migrate", "--plan", "plan.yaml", "--state", "other")
        self.assertEqual(support.read_dynamodb_json(self.path("yaml"))["things"],
                         [{"id": {"N": "1"}, "c": {"S": "\\ud83d\\ude00"}}])

    def test_half_of_a_pair_of_surrogates_is_refused_with_its_line(self):
        for text in ("\\ud83d", "\\ude00", "\\ud83d x", "\\ude00\\ud83d", "\\ud83d\\u0041", "\\ud83d\\ude0"):
            self.write("plan.json",
                       '{"transhume": 1, "source": "sqlite:source.db", "target": "dynamodb-json:out",\n "tables": '
                       '{"\\ud83d\\ude00":\n'
                                    '  {"key": {"partition": "%s"}}}}' % text)
            refused = self.run_program("check", "--plan", "plan.json", code=2)
            self.assertRegex(refused.err, r"plan\.json:3:\d+: .*Unicode", text)

    def test_check_finds_a_query_key_that_repeats(self):
        """Wherever the two rows are, also far behind what a sample reads; nulls are nobody's key."""
        support.make_sqlite(self.path("source.db"), """
            CREATE TABLE p(n INTEGER PRIMARY KEY, a INTEGER, b TEXT); CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER);
            WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 100000)
            INSERT INTO p SELECT x, x / 2, 'k' || (x % 2) FROM i;
            INSERT INTO p VALUES (200000, NULL, 'k0'), (200001, NULL, 'k0'); INSERT INTO c VALUES (1, 7), (2, 7);
        """)
        plan = """transhume: 1
source: sqlite:source.db
target: dynamodb-json:out
tables:
  things:
    key: { partition: PK }
    entities:
      thing:
        query: "SELECT n, a, b FROM p%s"
        key: %s
        fields: { PK: "{n}", a: copy%s }
"""
        children = ', count: { aggregate: c, match: { p: a }, value: "count(*)" }'
        for where, key, fields, says in (
                ("", "[a, b]", children, None),
                ("", "[n]", children, None),
                (" UNION ALL SELECT 300000, 49999, 'k1'", "[a, b]", children, '(a = 49999, b = "k1")'),
                ("", "[a]", children, "(a = 1)"),
                (" WHERE a IS NULL", "[a, b]", children, None),
                ("", "[a]", "", None)):  # no lists, nothing that could be mixed up
            with self.subTest(where=where, key=key):
                self.write("plan.yaml", plan % (where, key, fields))
                result = self.run_program("check", "--plan", "plan.yaml", "--sample", "1", code=2 if says else 0)
                out = " ".join(result.out.split())
                if says:
                    self.assertIn("thing: two rows of its query have the same key " + says, out)
                else:
                    self.assertNotIn("have the same key", out)

    def test_a_query_whose_key_repeats(self):
        # The lists and counts of two rows of one key would be mixed up; nothing shows it afterwards.
        support.make_sqlite(self.path("source.db"), """
            CREATE TABLE p(n INTEGER PRIMARY KEY, id INTEGER); INSERT INTO p VALUES (1, 1), (2, 1), (3, NULL), (4, NULL);
            CREATE TABLE c(id INTEGER PRIMARY KEY, p INTEGER); INSERT INTO c VALUES (10, 1), (11, 1);
        """)
        plan = """transhume: 1
source: sqlite:source.db
target: dynamodb-json:%s
tables:
  things:
    key: { partition: n }
    entities:
      thing:
        query: "SELECT CAST(n AS TEXT) AS n, id FROM p WHERE %s"
        key: [id]
        fields:
          n: copy
          cs: { embed: c, match: { p: id }, fields: { id: copy } }
          count: { aggregate: c, match: { p: id }, value: "count(*)" }
"""
        self.write("repeats.yaml", plan % ("repeats", "1"))
        for options in ((), ("--batch-rows", "1")):
            with self.subTest(options=options):
                state = "state%d" % len(options)
                result = self.run_program("migrate", "--plan", "repeats.yaml", "--state", state, *options,
                                          "sqlite:source.db", "dynamodb-json:" + state + "-out", code=3)
                self.assertIn("two rows have the same key", result.err)
        # A null is equal to nothing: such rows have no children, and there may be many.
        self.write("nulls.yaml", plan % ("nulls", "n > 1"))
        self.run_program("migrate", "--plan", "nulls.yaml", "--state", "nulls-state")
        found = support.read_dynamodb_json(self.path("nulls"))["things"]
        self.assertEqual([(item["n"]["S"], len(item["cs"]["L"]), item["count"]["N"])
                          for item in sorted(found, key=lambda item: item["n"]["S"])],
                         [("2", 2, "2"), ("3", 0, "0"), ("4", 0, "0")])

    def test_tables_whose_names_differ_in_case_only(self):
        support.make_sqlite(self.path("source.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);")
        self.write("plan.yaml", """transhume: 1
source: sqlite:source.db
target: sqlite:copy.db
tables:
  Foo: { key: [id], from: t }
  foo: { key: [id], from: t, fields: { id: { sql: "id + 100", cast: int64 } } }
""")
        for command in ("check", "migrate"):
            result = self.run_program(command, "--plan", "plan.yaml", code=2)
            self.assertIn("differ in case", result.out + result.err)
        self.assertFalse(os.path.exists(self.path("copy.db")))

    INDEXED = ("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX by_v ON t(v); "
               "INSERT INTO t VALUES (1, 'x');")

    def test_two_tables_of_one_with_an_index(self):
        # Both take the index over, and SQLite has room for one of the name.
        support.make_sqlite(self.path("source.db"), self.INDEXED)
        self.write("plan.yaml", """transhume: 1
source: sqlite:source.db
target: sqlite:copy.db
tables:
  a: { key: [id], from: t, fields: { id: copy, v: copy } }
  t: { from: t }
  b: { key: [id], from: t, fields: { id: copy, v: copy } }
""")
        self.run_program("migrate", "--plan", "plan.yaml")
        db = sqlite3.connect(self.path("copy.db"))
        found = db.execute("SELECT tbl_name, name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
                           " AND name NOT LIKE '\\_transhume%' ESCAPE '\\' ORDER BY 1").fetchall()
        db.close()
        self.assertEqual(found, [("a", "a_by_v"), ("b", "b_by_v"), ("t", "by_v")])

    def test_index_names_that_clash(self):
        support.make_sqlite(self.path("source.db"), self.INDEXED)
        table = "  %s: { key: [id], from: t, fields: { id: copy, v: copy }, indexes: { %s: { columns: [v] } } }\n"
        for first, second in ((("a", "same"), ("b", "SAME")), (("a", "b"), ("b", "other")), (("a", "A"), ("b", "c"))):
            with self.subTest(first=first, second=second):
                self.write("plan.yaml", "transhume: 1\nsource: sqlite:source.db\ntarget: sqlite:copy.db\ntables:\n"
                           + table % first + table % second)
                for command in ("check", "migrate"):
                    result = self.run_program(command, "--plan", "plan.yaml", code=2)
                    self.assertIn("has the name of another", result.out + result.err)
                self.assertFalse(os.path.exists(self.path("copy.db")))


if __name__ == "__main__":
    unittest.main()
