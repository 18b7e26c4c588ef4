"""init writes plans that hold; check tells before a run what the run then does; neither changes anything."""
import json
import os
import re
import sqlite3
import unittest

import refusals
import support

ODD_SCHEMA = """
CREATE TABLE "two words"("id" INTEGER PRIMARY KEY, "a ""quoted"" name" TEXT, "line
break" TEXT, "{brace}" TEXT, "#hash: yes" TEXT, "null" TEXT, "on" TEXT, "*" TEXT, "1" TEXT, "\u00e9\U0001f411" TEXT);
CREATE TABLE "select"("order" INTEGER PRIMARY KEY, "two words" INTEGER REFERENCES "two words"(id), "group" TEXT);
CREATE TABLE "- dash"("id" TEXT PRIMARY KEY, "select" INTEGER REFERENCES "select"("order"), v NUMERIC(10,2)) WITHOUT ROWID;
CREATE TABLE "yes"("id" INTEGER PRIMARY KEY, up INTEGER REFERENCES "yes"(id));
CREATE TABLE many(a TEXT, b TEXT, c TEXT, d, PRIMARY KEY (a, b, c));
CREATE TABLE keyless(x, y);
CREATE TABLE link(l INTEGER REFERENCES "select"("order"), r INTEGER REFERENCES "yes"(id), PRIMARY KEY (l, r));
CREATE VIEW "a view" AS SELECT * FROM "select";
INSERT INTO "two words" VALUES (1, 'q', 'l', 'b', 'h', 'n', 'o', 's', 'e', 'u'), (2, NULL, '', '{', '#', ':', '-', '*', '''', '"');
INSERT INTO "select" VALUES (10, 1, 'g'), (11, 2, NULL), (12, NULL, 'x');
INSERT INTO "- dash" VALUES ('d1', 10, 1.98), ('d2', 10, 0.10), ('d3', NULL, 5);
INSERT INTO "yes" VALUES (1, NULL), (2, 1), (3, 1);
INSERT INTO many VALUES ('a', 'b', 'c', 1), ('a', 'b', 'd', 2);
INSERT INTO keyless VALUES (1, 2);
INSERT INTO link VALUES (10, 1), (10, 2), (11, 3);
"""


class InitTestCase(refusals.TestCase):
    def setUp(self):
        super().setUp()
        self.shop()


class Init(InitTestCase):
    def test_every_pair_of_files_and_tables(self):
        """What init writes can be checked and migrated as it stands, and loses nothing."""
        support.musicshop(self.path("shop.db"))
        os.makedirs(self.path("bare"))
        with open(self.path("bare", "herd.csv"), "w", encoding="ascii") as file:
            file.write("name,herd_id\nFlora,1\nBella,2\n")
        for target in ("csv:tables", "jsonl:lines", "dynamodb-json:items"):
            self.run_program("migrate", "--state", "s", "shop.db", target)
        for source, rows in (("shop.db", None), ("csv:tables", 15861), ("jsonl:lines", 15861),
                             ("dynamodb-json:items", 15861), ("csv:bare", 2)):
            for kind in ("sqlite", "csv", "jsonl", "dynamodb-json"):
                with self.subTest(source=source, target=kind):
                    target = "%s:%s" % (kind, "to-%s-%s" % (source.replace(":", "-"), kind))
                    self.run_program("init", source, target, "-o", "p.yaml", "--force")
                    self.run_program("check", "--plan", "p.yaml")
                    result = self.run_program("migrate", "--plan", "p.yaml", "--state", "pairs", "--json")
                    written = sum(entity["written"] for entity in json.loads(result.out)["entities"])
                    self.assertIn(written, (rows,) if rows else (15861, 4754))

    def test_passwords_are_left_out(self):
        """The target is not opened by init: the plan must work as it stands once the password is in its place."""
        for given, kept in (("postgres://dba:correct-horse@127.0.0.1:9/shop", "postgres://dba@127.0.0.1:9/shop"),
                            ("postgres://dba:c@127.0.0.1:9/shop", "postgres://dba@127.0.0.1:9/shop"),
                            ("postgres://dba@127.0.0.1:9/shop?sslpassword=staple&sslmode=disable",
                             "postgres://dba@127.0.0.1:9/shop?sslmode=disable"),
                            ("postgres://dba@127.0.0.1:9/shop?sslmode=disable&sslpassword=staple",
                             "postgres://dba@127.0.0.1:9/shop?sslmode=disable"),
                            ("postgres://dba@127.0.0.1:9/shop?sslpassword=staple", "postgres://dba@127.0.0.1:9/shop"),
                            ("mysql://dba:correct-horse@127.0.0.1/shop", "mysql://dba@127.0.0.1/shop")):
            with self.subTest(given=given):
                result = self.run_program("init", "shop.db", given, "-o", "p.yaml", "--force")
                self.assertIn("passwords are left out of the plan", result.err)
                with open(self.path("p.yaml"), encoding="utf-8") as file:
                    self.assertRegex(file.read(), r"(?m)^target: ['\"]?%s['\"]?$" % re.escape(kept))

    def test_a_guessed_key_says_so(self):
        with open(self.path("herd.csv"), "w", encoding="ascii") as file:
            file.write("name,HERD_ID\nFlora,1\nBella,1\n")
        self.run_program("init", "csv:herd.csv", "dynamodb-json:out")
        with open(self.path("transhume.yaml"), encoding="utf-8") as file:
            plan = file.read()
        self.assertIn("# A guess: herd declares no key. Records that share HERD_ID would be\n", plan)
        self.assertIn('PK: "HERD#{HERD_ID}"\n', plan)
        result = self.run_program("migrate", code=1)
        self.assertIn("1 record was rejected", result.err.replace("\n", " "))

    def test_the_whole_way(self):
        with self.unharmed(self.path("shop.db"), self.path("out")):
            self.run_program("init", "shop.db", "dynamodb-json:out")
            check = self.run_program("check", "--sample", "2")
        self.assertRegex(check.out, r"(?i)guarantee\s+.*once|idempotent")
        self.run_program("migrate")
        status = self.run_program("status")
        self.assertIn("completed", status.out)
        tables = support.read_dynamodb_json(self.path("out"))
        self.assertGreater(sum(map(len, tables.values())), 0)
        # Whatever shape it proposes, each customer's name and each line's title is in there.
        text = json.dumps(tables)
        for name, in self.query(self.path("shop.db"), "SELECT name FROM customer"):
            self.assertIn('"%s"' % name, text)
        for title, in self.query(self.path("shop.db"), "SELECT title FROM line"):
            self.assertIn('"%s"' % title, text)

    def test_the_plan_is_commented_yaml(self):
        self.run_program("init", "shop.db", "dynamodb-json:out")
        with open(self.path("transhume.yaml"), encoding="utf-8") as file:
            text = file.read()
        self.assertRegex(text, r"(?m)^transhume: 1")
        self.assertRegex(text, r"(?m)^source: .*shop\.db")
        self.assertRegex(text, r"(?m)^target: .*dynamodb-json:out")
        self.assertGreater(len(re.findall(r"(?m)^\s*#|\s#\s", text)), 5)

    def test_to_stdout(self):
        result = self.run_program("init", "shop.db", "dynamodb-json:out", "-o", "-")
        self.assertFalse(os.path.exists(self.path("transhume.yaml")))
        self.write("plan.yaml", result.out)
        self.run_program("migrate", "--plan", "plan.yaml")

    def test_to_another_file_and_never_over_one(self):
        self.run_program("init", "shop.db", "dynamodb-json:out", "-o", "a.yaml")
        self.write("b.yaml", "mine")
        self.refused("init", "shop.db", "dynamodb-json:out", "-o", "b.yaml", code=2, name="usage", says="b.yaml",
                     unharmed=[self.path("b.yaml")])
        self.run_program("init", "shop.db", "dynamodb-json:out", "-o", "b.yaml", "--force")
        with open(self.path("a.yaml")) as a, open(self.path("b.yaml")) as b:
            self.assertEqual(a.read(), b.read())

    def test_force_does_not_write_through_a_link(self):
        self.write("precious", "mine")
        os.symlink("precious", self.path("transhume.yaml"))
        support.transhume("init", "shop.db", "dynamodb-json:out", "--force", cwd=self.folder)
        with open(self.path("precious")) as file:
            self.assertEqual(file.read(), "mine")

    def test_sql_to_sql_is_one_to_one(self):
        self.run_program("init", "shop.db", "sqlite:copy.db")
        self.run_program("migrate")
        for table in ("customer", "invoice", "line"):
            self.assertEqual(self.query(self.path("copy.db"), "SELECT * FROM %s ORDER BY 1, 2" % table),
                             self.query(self.path("shop.db"), "SELECT * FROM %s ORDER BY 1, 2" % table))

    def test_odd_names_make_plans_that_hold(self):
        support.make_sqlite(self.path("odd.db"), ODD_SCHEMA)
        rows = sum(support.sqlite_counts(self.path("odd.db")).values())
        self.run_program("init", "odd.db", "sqlite:copy.db", "-o", "sql.yaml")
        self.run_program("check", "--plan", "sql.yaml")
        self.run_program("migrate", "--plan", "sql.yaml", "--state", "s1")
        self.assertEqual(support.sqlite_counts(self.path("copy.db")), support.sqlite_counts(self.path("odd.db")))
        self.run_program("init", "odd.db", "dynamodb-json:out", "-o", "nosql.yaml")
        self.run_program("check", "--plan", "nosql.yaml")
        self.run_program("migrate", "--plan", "nosql.yaml", "--state", "s2")
        self.assertGreater(rows, 10)

    def test_the_music_shop_and_its_tables(self):
        support.musicshop(self.path("music.db"))
        self.run_program("init", "music.db", "dynamodb-json:out")
        self.run_program("check")
        self.run_program("migrate")

    def test_include_and_exclude(self):
        result = self.run_program("init", "shop.db", "dynamodb-json:out", "-o", "-", "--exclude", "line")
        self.assertNotRegex(result.out, r"(from|embed): \"?line\b")
        self.assertRegex(result.out, r"from: \"?customer\b")

    def test_a_source_without_tables(self):
        support.make_sqlite(self.path("empty.db"), "VACUUM")
        result = support.transhume("init", "empty.db", "dynamodb-json:out", cwd=self.folder)
        self.assertIn(result.code, (0, 2), result.err)
        self.assertRegex((result.out + result.err).lower(), "no table|empty|nothing")


class Check(InitTestCase):
    def report(self, *arguments, code=0):
        return json.loads(self.run_program("check", "--json", *arguments, code=code).out)

    def test_counts_are_those_of_the_run(self):
        report = self.report("shop.db", "copy.db")
        self.assertEqual({e["entity"]: e["records"] for e in report["entities"]},
                         support.sqlite_counts(self.path("shop.db")))
        self.assertEqual(report["guarantee"], "exactly once")
        self.assertEqual(report["exit_status"], 0)
        self.run_program("migrate", "shop.db", "copy.db")
        state = self.state()
        for entity in report["entities"]:
            self.assertEqual(state["tables"][entity["table"]]["records_migrated"], entity["records"])

    def test_samples_are_what_arrives(self):
        plan = os.path.join(support.ROOT, "examples", "chinook", "transhume.yaml")
        support.musicshop(self.path("music.db"))
        arguments = ("--plan", plan, "--state", "s", "music.db", "dynamodb-json:out")
        report = self.report("--sample", "2", *arguments)
        self.run_program("migrate", *arguments)
        items = {(i["PK"]["S"], i["SK"]["S"]): i for table in
                 support.read_dynamodb_json(self.path("out")).values() for i in table}
        entities = {}
        for sample in report["samples"]:
            entities.setdefault(sample["entity"], []).append(sample["record"])
            record = sample["record"]
            item = items[record["PK"], record["SK"]]
            self.assertEqual(set(record), set(item), sample["entity"])
            for name, value in record.items():
                if isinstance(value, str):
                    self.assertEqual(item[name], {"S": value})
                elif isinstance(value, bool):
                    self.assertEqual(item[name], {"BOOL": value})
                elif isinstance(value, (int, float)):
                    self.assertAlmostEqual(float(item[name]["N"]), value)
                elif isinstance(value, list):
                    self.assertEqual(len(item[name]["L"]), len(value))
        self.assertEqual(len(entities), 8, sorted(entities))
        self.assertTrue(all(len(records) <= 2 for records in entities.values()))

    def test_text_sample(self):
        result = self.run_program("check", "--sample", "1", "shop.db", "copy.db")
        self.assertIn("Customer 1", result.out)

    def test_what_can_not_be_carried_is_said(self):
        self.execute(self.path("shop.db"), """
            CREATE VIEW rich AS SELECT * FROM customer;
            CREATE TRIGGER watch_it AFTER INSERT ON customer BEGIN SELECT 1; END;
            CREATE UNIQUE INDEX by_name ON customer(name);""")
        text = json.dumps(self.report("shop.db", "dynamodb-json:out")).lower()
        for word in ("rich", "watch_it"):
            self.assertIn(word, text)
        plain = json.dumps(self.report("shop.db", "copy.db")["notes"]).lower()
        self.assertNotIn("watch_it", plain)

    def test_a_refusal_is_foretold_with_its_exit_status(self):
        self.run_program("migrate", "shop.db", "copy.db")
        for state in (".transhume", "other"):
            report = self.report("--state", state, "shop.db", "copy.db", code=5)
            self.assertEqual(report["exit_status"], 5)
            self.assertTrue(report["problems"])

    def test_nothing_is_changed_or_left_behind(self):
        for target in ("copy.db", "dynamodb-json:out"):
            names = sorted(os.listdir(self.folder))
            with self.unharmed(self.path("shop.db")):
                self.run_program("check", "--sample", "3", "shop.db", target)
                self.run_program("migrate", "--dry-run", "shop.db", target)
            self.assertEqual(sorted(os.listdir(self.folder)), names)

    def test_the_estimate_of_bytes_is_of_the_right_size(self):
        support.musicshop(self.path("music.db"))
        plan = os.path.join(support.ROOT, "examples", "chinook", "transhume.yaml")
        arguments = ("--plan", plan, "--state", "s", "music.db", "dynamodb-json:out")
        estimate = self.report(*arguments)["bytes_estimate"]
        self.run_program("migrate", *arguments)
        size = sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(self.path("out"))
                   for name in names if name.startswith("data-"))
        self.assertIsNotNone(estimate)
        self.assertLess(size / 4, estimate)
        self.assertLess(estimate, size * 4)

    def test_widened_and_lossy_are_told_apart(self):
        report = self.report("shop.db", "dynamodb-json:out")
        self.assertEqual(report["exit_status"], 0)
        text = json.dumps(report["notes"]).lower()
        self.assertIn("widened", text)


class Plans(InitTestCase):
    def test_a_query_as_source(self):
        for target, key in (("sqlite:copy.db", "[id]"), ("dynamodb-json:out", "{ partition: id }")):
            self.write("transhume.yaml", """transhume: 1
source: sqlite:shop.db
target: %s
tables:
  rich:
    key: %s
    query: "SELECT c.id, c.name, sum(total) AS spent FROM customer c JOIN invoice i ON i.customer_id = c.id GROUP BY c.id"
    fields: { "*": copy }
""" % (target, key))
            self.run_program("migrate", "--state", target[:6])
        expected = self.query(self.path("shop.db"), "SELECT c.id, name, sum(total) FROM customer c JOIN invoice i"
                              " ON customer_id = c.id GROUP BY c.id ORDER BY c.id")
        found = self.query(self.path("copy.db"), "SELECT id, name, spent FROM rich ORDER BY id")
        self.assertEqual([r[:2] for r in found], [r[:2] for r in expected])
        for a, b in zip(found, expected):
            self.assertAlmostEqual(a[2], b[2])
        items = support.items_by_key(support.read_dynamodb_json(self.path("out"))["rich"], "id")
        self.assertEqual(len(items), 40)

    def test_a_view_as_source(self):
        self.execute(self.path("shop.db"), "CREATE VIEW cheap AS SELECT id, total FROM invoice WHERE total < 50;")
        self.write("transhume.yaml", """transhume: 1
source: sqlite:shop.db
target: sqlite:copy.db
tables:
  cheap: { key: [id], from: cheap, fields: { "*": copy } }
""")
        self.run_program("migrate")
        self.assertEqual(self.query(self.path("copy.db"), "SELECT id, total FROM cheap ORDER BY id"),
                         self.query(self.path("shop.db"), "SELECT id, total FROM cheap ORDER BY id"))

    def test_json_plans(self):
        self.write("transhume.yaml", json.dumps({
            "transhume": 1, "source": "sqlite:shop.db", "target": "dynamodb-json:out",
            "tables": {"clients": {"key": {"partition": "PK"}, "from": "customer",
                             "fields": {"PK": "C#{id:05}", "name": "copy", "Open": "{{literal}}"}}}}))
        self.run_program("migrate")
        item = support.items_by_key(support.read_dynamodb_json(self.path("out"))["clients"], "PK")[("C#00007",)]
        self.assertEqual(item, {"PK": {"S": "C#00007"}, "name": {"S": "Customer 7"}, "Open": {"S": "{literal}"}})

    def test_embedding_into_sql_makes_json(self):
        self.write("transhume.yaml", """transhume: 1
source: sqlite:shop.db
target: sqlite:copy.db
tables:
  invoice:
    key: [id]
    from: invoice
    fields:
      id: copy
      Total: { aggregate: line, value: "sum(price)" }
      Lines: { embed: line, order: number, fields: { number: copy, title: copy } }
""")
        self.run_program("migrate")
        for id_, text in self.query(self.path("copy.db"), "SELECT id, Lines FROM invoice"):
            self.assertEqual(json.loads(text), [{"number": n, "title": "Title %d/%d" % (id_, n)} for n in (1, 2)])
        db = sqlite3.connect(self.path("copy.db"))
        self.assertEqual(db.execute("SELECT count(*) FROM invoice WHERE abs(Total - id * 1.98) > 0.001").fetchone(),
                         (0,))
        db.close()


if __name__ == "__main__":
    unittest.main()
