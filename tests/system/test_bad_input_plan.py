"""Plans with faults: every one named with its line and column, all at once, exit 2, nothing touched."""
import os
import unittest

import refusals
import support

HEAD = """transhume: 1
source: sqlite:shop.db
target: dynamodb-json:out
"""
# The table begins at line 4 and the fields at line 10.
ENTITY = HEAD + """tables:
  orders:
    key: { partition: PK, sort: SK }
    entities:
      order:
        from: invoice
        fields:
          PK: "CUSTOMER#{customer_id}"
          SK: "ORDER#{id}"
"""


class PlanTestCase(refusals.TestCase):
    def setUp(self):
        super().setUp()
        self.shop()
        self.touched = [self.path(n) for n in ("shop.db", "out", "copy.db")]

    def faults(self, plan, *places_and_texts, name="plan-invalid", commands=("migrate", "check")):
        """Every command that reads the plan refuses it in the same words."""
        if isinstance(plan, bytes):
            with open(self.path("transhume.yaml"), "wb") as file:
                file.write(plan)
        else:
            self.write("transhume.yaml", plan)
        for command in commands:
            before = refusals.listing(*self.touched)
            result = support.transhume(command, cwd=self.folder)
            self.assert_plan_refused(result, *places_and_texts, name=name)
            self.assert_listing(before, *self.touched)
        return result


class Names(PlanTestCase):
    def test_an_unknown_table(self):
        result = self.faults(ENTITY.replace("from: invoice", "from: invoce"), ("9:15", "invoce"))
        self.assertIn("invoice", result.err)

    def test_an_unknown_table_that_is_near_to_nothing(self):
        self.faults(ENTITY.replace("from: invoice", "from: Zebra"), ("9:15", "Zebra"))

    def test_an_unknown_column(self):
        result = self.faults(ENTITY + "          Sum: { column: totl }\n", (13, "totl"))
        self.assertIn("total", result.err)

    def test_a_template_with_an_unknown_column(self):
        result = self.faults(ENTITY.replace("{customer_id}", "{custmer_id}"), (11, "custmer_id"))
        self.assertIn("customer_id", result.err)

    def test_an_unknown_column_in_expressions(self):
        self.faults(ENTITY + '          Big: { const: true, when: "totale > 5" }\n', (13, "totale"))
        self.faults(ENTITY + '          Big: { sql: "totale > 5" }\n', (13, "totale"))
        self.faults(ENTITY.replace("        fields:", '        where: "totale > 0"\n        fields:'),
                    (10, "totale"))

    def test_a_field_that_has_its_fault_is_not_asked_for_a_type(self):
        for field, word in (("{ lookup: custommer, column: name }", "custommer"), ("{ column: totl }", "totl"),
                            ('{ sql: "totl + 1" }', "totl")):
            with self.subTest(field):
                result = self.faults(ENTITY.replace("dynamodb-json:out",
                                                    "sqlite:copy.db") + "          Name: %s\n" % field, (13, word))
                self.assertNotIn("the type of", result.err)

    def test_parentheses_that_close_those_around_an_expression(self):
        for text in ("total > 0) OR (total > 5", "total) + (1", "1) FROM record WHERE (1", "total) -- "):
            for line, number in (('          Big: { const: true, when: "%s" }\n', 13),
                                 ('          Big: { sql: "%s" }\n', 13)):
                with self.subTest(text=text, line=line):
                    self.faults(ENTITY + line % text, (number, ""))
            self.faults(ENTITY.replace("        fields:", '        where: "%s"\n        fields:' % text), (10, ""))

    def test_an_unknown_column_in_an_embedded_list(self):
        self.faults(ENTITY + """          Lines:
            embed: line
            order: numbr
            fields: { titel: copy }
""", (15, "numbr"), (16, "titel"))

    def test_an_unknown_path(self):
        self.faults(ENTITY + "          Name: { lookup: custommer, column: name }\n",
                    (13, "custommer"))
        self.faults(ENTITY + "          Name: { lookup: customer, column: nam }\n", (13, "nam"))
        self.faults(ENTITY + "          N: { aggregate: lines, value: \"count(*)\" }\n", (13, "lines"))
        self.faults(ENTITY + '          N: { aggregate: line, value: "sum(prize)" }\n', (13, "prize"))

    def test_a_path_without_foreign_key_asks_for_match(self):
        self.execute(self.path("shop.db"), "CREATE TABLE note(about INTEGER, body TEXT);")
        result = self.faults(ENTITY + "          Notes: { embed: note, order: body, fields: { body: copy } }\n",
                             (13, "note"))
        self.assertIn("match", result.err)

    def test_a_path_with_two_foreign_keys_asks_which(self):
        self.execute(self.path("shop.db"), "CREATE TABLE swap(id INTEGER PRIMARY KEY,"
                     " old INTEGER REFERENCES invoice(id), new INTEGER REFERENCES invoice(id));")
        result = self.faults(ENTITY + '          N: { aggregate: swap, value: "count(*)" }\n',
                             (13, "swap"))
        for text in ("match", "old", "new"):
            self.assertIn(text, result.err)

    def test_a_key_field_that_is_not_made(self):
        self.faults(ENTITY.replace('          SK: "ORDER#{id}"\n', ""), ("[6-9]|1[0-2]", "SK"))
        self.faults(ENTITY.replace('"ORDER#{id}"', "{ drop: true }"), ("[6-9]|1[0-2]", "SK"))

    def test_a_column_to_leave_out_that_is_not_there(self):
        """The one that was meant would be copied."""
        plan = HEAD + """tables:
  customer:
    key: [id]
    from: customer
    fields:
      "*": copy
      mial: { drop: true }
      Name: { drop: true }
"""
        self.faults(plan, (10, "'mial'"), (11, "'Name'"))
        result = self.faults(plan.replace("mial", "mail"), (11, "did you mean 'name'?"))
        self.assertNotIn("mail", result.err)

    def test_tables_that_are_chosen_by_a_wrong_name(self):
        """A slip would leave a table out, or copy one that was not to be; a pattern may fit none."""
        for option, name in (("--include", "custmer"), ("--exclude", "custmer"), ("--exclude", "Customer")):
            for command in ("check", "migrate"):
                result = self.run_program(command, option, name, "shop.db", "copy.db", code=2)
                self.assertIn("%s: the source has no table '%s'; did you mean 'customer'? [plan-invalid]" % (option,
                    name), " ".join((result.out + result.err).split()))
        for option in ("include", "exclude"):
            self.faults(HEAD + option + ": [invoice, custmer, \"x*\"]\ntables: { c: { key: [id], from: customer } }\n",
                        (4, "%s: the source has no table 'custmer'; did you mean 'customer'?" % option))
        self.run_program("check", "--include", "c*", "--include", "invoice", "--exclude", "x*", "shop.db", "copy.db")

    def test_pages_of_a_list_that_is_not_there(self):
        page = """      page:
        pages: order.Lines
        size: 10
        fields:
          PK: "CUSTOMER#{customer_id}"
          SK: "PAGE#{$page}"
          Lines: { column: $list }
"""
        self.faults(ENTITY + page, (14, "Lines"))
        self.faults(ENTITY + page.replace("order.Lines", "ordr.Lines"), (14, "ordr"))

    def test_all_at_once(self):
        result = self.faults(ENTITY.replace("from: invoice", "form: invoice")
                             .replace("partition: PK", "partion: PK") + "          X: { colum: id }\n",
                             ("6:12", "partion"), ("9:9", "form"), ("13:16", "colum"))
        for nearest in ("partition", "from", "column"):
            self.assertIn(nearest, result.err)
        self.assertRegex(result.err, r"\b[3-9] faults in the plan")

    def test_columns_that_only_resolving_finds_all_at_once(self):
        self.faults(ENTITY + """          A: { column: aaa }
          B: "{bbb}"
          C: { lookup: ccc, column: name }
""", (13, "aaa"), (14, "bbb"), (15, "ccc"))

    def test_names_from_the_plan_can_not_write_to_the_terminal(self):
        result = self.faults(ENTITY + '          X: { column: "a\\e[31m\\nerror: b" }\n', (13,))
        self.assertNotIn("\x1b", result.err)
        self.assertFalse([line for line in result.err.splitlines() if line.startswith("error: b")])


class Form(PlanTestCase):
    def test_unknown_keys_name_the_nearest(self):
        for line, wrong, place in (("targt: x", "targt", "4:1"), ("tabels: {}", "tabels", "4:1"),
                                   ("option: {}", "option", "4:1")):
            with self.subTest(wrong=wrong):
                self.faults(HEAD + line + "\n", (place, wrong))

    def test_what_is_of_an_entity_beside_entities(self):
        """It would be of none of them: a condition there let all records through."""
        head = ENTITY[:ENTITY.index("    entities:")]
        for line in ("size: 5", "where: id > 5", "when: id > 5", "nulls: keep", "match: { a: 1 }", "unnest: a",
                     "distinct: true", "fields: { a: copy }"):
            with self.subTest(line):
                self.faults(ENTITY.replace(head, head + "    %s\n" % line),
                            (head.count("\n") + 1, "'%s'" % line.split(":")[0], "in each entity"))

    def test_duplicate_keys(self):
        self.faults(ENTITY + '          PK: "X"\n', ("13:11", "PK"), name="plan-syntax")
        self.faults(ENTITY.replace("target:", "source: a.db\ntarget:"), ("3:1", "source"),
                    name="plan-syntax")

    def test_unquoted_braces(self):
        result = self.faults(ENTITY.replace('"ORDER#{id}"', "{id}"), (12,),
                             name="plan-syntax")
        self.assertIn("quot", result.err)

    def test_syntax(self):
        for name, plan, place in (
                ("tab", HEAD + "tables:\n\torders: {}\n", "5"),
                ("bracket", HEAD + "tables: { orders: \n", "[45]"),
                ("quote", ENTITY + '          X: "abc\n', "1[34]"),
                ("indent", ENTITY + "     bad: 1\n", "13")):
            with self.subTest(name=name):
                self.faults(plan, (place,), name="plan-syntax")

    def test_what_yaml_can_do_and_a_plan_may_not(self):
        for name, plan, place in (
                ("anchor", HEAD + "tables: &a {}\n", 4), ("alias", HEAD + "tables: *a\n", 4),
                ("tag", HEAD + "tables: !!map {}\n", 4),
                ("two documents", ENTITY + "---\ntranshume: 1\n", "1[34]")):
            with self.subTest(name=name):
                self.write("transhume.yaml", plan)
                result = support.transhume("migrate", cwd=self.folder)
                self.assertEqual(result.code, 2, result.err)
                self.assertRegex(result.err, r"transhume\.yaml:(%s):\d+" % place)

    def test_bytes_that_are_no_text(self):
        for data in (ENTITY.encode() + b"          X: \"\xff\xfe\"\n", b"\0\1\2\3" * 100,
                     ENTITY.encode("utf-16")[:101], os.urandom(2000)):
            with self.subTest(data=data[:20]), open(self.path("transhume.yaml"), "wb") as file:
                file.write(data)
                file.flush()
                result = support.transhume("migrate", cwd=self.folder)
                self.assertEqual(result.code, 2, result.err)
                self.assertTrue(refusals.first_line_of(result.err))
                self.assertNotRegex(result.err.replace("\n", ""), r"[\x00-\x1f\x7f]")

    def test_nothing_in_it(self):
        for text in ("", "\n\n", "# only a comment\n", "null\n", "- a\n- b\n", "just text\n", "{}\n"):
            with self.subTest(text=text):
                self.write("transhume.yaml", text)
                result = support.transhume("migrate", cwd=self.folder)
                self.assertEqual(result.code, 2, result.err)
                self.assertIn("transhume.yaml", refusals.first_line_of(result.err)[0])

    def test_too_large_too_deep(self):
        for plan in ("# " + "x" * (5 << 20) + "\n" + ENTITY, HEAD + "tables: " + "[" * 500 + "]" * 500,
                     HEAD + "tables: " + "{a: " * 5000):
            with self.subTest(size=len(plan)):
                self.write("transhume.yaml", plan)
                result = support.transhume("migrate", cwd=self.folder)
                self.assertEqual(result.code, 2, result.err[:500])
                self.assertTrue(refusals.first_line_of(result.err))

    def test_every_truncation_ends_well(self):
        with open(os.path.join(support.ROOT, "examples", "chinook", "transhume.yaml"), "rb") as file:
            whole = file.read()
        step = 37 if support.SOAK else 401
        for size in range(0, len(whole), step):
            with open(self.path("transhume.yaml"), "wb") as file:
                file.write(whole[:size])
            result = support.transhume("check", cwd=self.folder)
            self.assertEqual(result.code, 2, "%d bytes: %s" % (size, result.err))

    def test_a_missing_plan(self):
        self.refused("migrate", "--plan", "no.yaml", code=2,
                     name=("plan-invalid", "usage", "plan-syntax"), says="no.yaml",
                     unharmed=self.touched)
        result = self.refused("migrate", code=2, name=("usage", "plan-invalid"),
                              unharmed=self.touched)
        self.assertIn("transhume init", result.err)

    def test_a_folder_as_plan(self):
        os.mkdir(self.path("p.yaml"))
        result = support.transhume("migrate", "--plan", "p.yaml", cwd=self.folder)
        self.assertEqual(result.code, 2, result.err)
        self.assertIn("p.yaml", refusals.first_line_of(result.err)[0])

    def test_a_newer_version_of_the_language(self):
        self.write("transhume.yaml", ENTITY.replace("transhume: 1", "transhume: 2"))
        result = support.transhume("migrate", cwd=self.folder)
        self.assertEqual(result.code, 5, result.err)
        self.assertRegex(result.err, r"transhume\.yaml:1:12: .*(newer|version)")
        self.assertIn("[format-newer]", result.err)

    def test_without_version_source_or_target(self):
        for key in ("transhume: 1\n", "source: sqlite:shop.db\n", "target: dynamodb-json:out\n"):
            with self.subTest(key=key):
                self.write("transhume.yaml", ENTITY.replace(key, ""))
                result = support.transhume("migrate", cwd=self.folder)
                self.assertEqual(result.code, 2, result.err)
                self.assertIn(key.split(":")[0], result.err)

    def test_wrong_values(self):
        for old, new, place, text in (
                ("key: { partition: PK, sort: SK }", "key: { partition: { PK: x }, sort: SK }", 6, "partition"),
                ("target: dynamodb-json:out", "target: dynamodb-json:out\nexisting: maybe", 4, "maybe"),
                ("target: dynamodb-json:out", "target: dynamodb-json:out\noptions: { jobs: many }", 4, "jobs"),
                ("entities:", "billing: free\n    entities:", 7, "free"),
                ('SK: "ORDER#{id}"', "SK: { drop: perhaps }", 12, "perhaps"),
                ('SK: "ORDER#{id}"', "SK: { column: id, cast: txet }", 12, "txet")):
            with self.subTest(new=new):
                self.faults(ENTITY.replace(old, new), (place, text))

    def test_what_needs_documents(self):
        self.faults(ENTITY.replace("from: invoice", "from: invoice\n        unnest: Lines"), (10, "no column"))
        self.faults(ENTITY.replace("from: invoice", "from: invoice\n        match: { id: 5 }"), (10, "where:"))
        self.faults(ENTITY.replace("from: invoice", "unnest: Lines"), (8, "one of from, query and pages"))

    def test_combinations_that_mean_nothing(self):
        for field in ("X: { drop: true, column: id }", "X: { embed: line }",
                      "X: { lookup: customer }", "X: {}", "X: [a]",
                      'X: { aggregate: line, value: "median(price)" }',
                      'X: "{id"', 'X: "id}"', 'X: "{}"', 'X: "{id:0x}"'):
            with self.subTest(field=field):
                self.write("transhume.yaml", ENTITY + "          %s\n" % field)
                result = support.transhume("check", cwd=self.folder)
                if field == "X: { embed: line }":
                    self.assertIn(result.code, (0, 2), result.err)
                    continue
                self.assert_plan_refused(result, (13,), name="plan-invalid")

    def test_expressions_out_of_their_sandbox(self):
        for sql in ("random()", "load_extension('x')", "(SELECT count(*) FROM sqlite_schema)",
                    "datetime('now')", "id; DROP TABLE invoice", "readfile('/etc/passwd')",
                    "writefile('x', 'y')", "1 +", "no_such_function(id)", "id) FROM invoice --"):
            with self.subTest(sql=sql):
                self.faults(ENTITY + '          X: { sql: "%s", cast: text }\n' % sql, (13,))

    def test_queries_that_write(self):
        for query in ("DELETE FROM invoice", "SELECT 1; DELETE FROM invoice", "ATTACH 'x' AS y",
                      "PRAGMA journal_mode=WAL", "INSERT INTO invoice SELECT * FROM invoice RETURNING id",
                      "SELECT no_such FROM invoice", ""):
            with self.subTest(query=query):
                self.write("transhume.yaml", ENTITY.replace("from: invoice", 'query: "%s"' % query))
                with self.unharmed(*self.touched, self.path("x")):
                    result = support.transhume("migrate", cwd=self.folder)
                self.assertEqual(result.code, 2, result.err)
                self.assertTrue(refusals.first_line_of(result.err))

    def test_json_is_accepted_and_its_faults_have_places(self):
        self.faults('{"transhume": 1, "source": "sqlite:shop.db",\n "target": "dynamodb-json:out",\n'
                    ' "tables": {"things": {"key": {"partition": "id"}, "from": "invoce"}}}\n', (3, "invoce"))


class Types(PlanTestCase):
    def test_a_lossy_mapping_wants_permission(self):
        lossy = ENTITY + "          Whole: { column: total, cast: int64%s }\n"
        self.faults(lossy % "", (13, "lossy"), name="plan-lossy")
        self.write("transhume.yaml", lossy % ", lossy: allow")
        self.run_program("migrate")

    def test_decimal_arithmetic_wants_a_cast(self):
        result = self.faults(ENTITY + '          Net: { sql: "total * 0.8" }\n', (13,))
        self.assertIn("cast", result.err)

    def test_sql_targets_want_their_key_among_the_fields(self):
        self.write("transhume.yaml", """transhume: 1
source: sqlite:shop.db
target: sqlite:copy.db
tables:
  orders:
    key: [number]
    entities:
      order:
        from: invoice
        fields: { "*": copy }
""")
        result = support.transhume("migrate", cwd=self.folder)
        self.assert_plan_refused(result, (6, "number"))
        self.assertFalse(os.path.exists(self.path("copy.db")))

    def test_a_key_value_key_for_a_sql_target_and_back(self):
        self.write("transhume.yaml", ENTITY.replace("dynamodb-json:out", "sqlite:copy.db"))
        result = support.transhume("check", cwd=self.folder)
        self.assertIn(result.code, (0, 2), result.err)
        self.faults(ENTITY.replace("{ partition: PK, sort: SK }", "[PK, SK, SK2]"), (6,))


if __name__ == "__main__":
    unittest.main()
