"""`types:` of a plan: rules by table, column and type, in plain copies and in plans, read back by other clients."""
import contextlib
import json
import os
import sqlite3
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "servers"))
import mariadb
import postgres
import support

SHOP = """
CREATE TABLE orders(id INTEGER PRIMARY KEY, paid TINYINT, price NUMERIC(10,2) NOT NULL DEFAULT 5, placed_at TEXT, name VARCHAR(20));
CREATE TABLE lines(id INTEGER PRIMARY KEY, orders_id INTEGER REFERENCES orders(id), paid TINYINT, note TEXT);
INSERT INTO orders VALUES (1, 1, 1.98, '2020-01-02 03:04:05', 'x'), (2, 0, 3.5, NULL, 'y');
INSERT INTO lines VALUES (1, 1, 1, 'n'), (2, 2, NULL, NULL);
"""
RULES = """
transhume: 1
types:
  flags:   { from: "tinyint*", cast: bool, lossy: allow }
  moments: { table: "ord*", column: "*_at", from: text, cast: timestamp }
  numbers: { column: "*id", kind: int64, cast: text }
  later:   { from: "TINYINT", cast: text }
"""


class TypeRules(support.TestCase):
    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("shop.db"), SHOP)

    def plan(self, text):
        self.write("plan.yaml", text)
        return "--plan", "plan.yaml"

    def columns(self, table):
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
            return [(row[1], row[2], row[3], row[5]) for row in db.execute("PRAGMA table_info(%s)" % table)]

    def rows(self, sql):
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
            return db.execute(sql).fetchall()

    def test_a_plain_copy(self):
        self.run_program("migrate", *self.plan(RULES), "shop.db", "copy.db")
        self.assertEqual(self.columns("orders"), [("id", "TEXT", 1, 1), ("paid", "BOOLEAN", 0, 0),
                                                  ("price", "NUMERIC(10,2)", 1, 0),
                                                  ("placed_at", "TEXT", 0, 0), ("name", "VARCHAR(20)", 0, 0)])
        self.assertEqual(self.rows("SELECT typeof(id), id, paid, price, name FROM orders ORDER BY id"),
                         [("text", "1", 1, 1.98, "x"), ("text", "2", 0, 3.5, "y")])
        self.assertEqual(self.rows("SELECT id, orders_id, paid FROM lines ORDER BY id"),
                         [("1", "1", 1), ("2", "2", None)])
        self.assertEqual(self.rows('SELECT "from", "table", "to" FROM pragma_foreign_key_list(\'lines\')'),
                         [("orders_id", "orders", "id")])
        self.run_program("validate", *self.plan(RULES), "--level", "full", "shop.db", "copy.db")

    def test_columns_that_are_left_out_or_filled(self):
        support.make_sqlite(self.path("shop.db"),
                            "UPDATE orders SET name = '' WHERE id = 2; INSERT INTO orders(id, price) VALUES (3, 0)")
        plan = self.plan("transhume: 1\ntypes:\n  gone: { table: orders, column: placed_at, "
                         "drop: true }\n  none: { column: n*, empty: null }\n"
                         "  paid: { table: lines, column: paid, default: 7 }\n  name: { table: orders, column: name, "
                         "default: nobody }\n"
                         "  whole: { table: orders, column: price, cast: int64, lossy: allow }\n")
        for target in ("copy.db", "csv:out"):
            with self.subTest(target=target):
                self.run_program("migrate", *plan, "--state", "s" + target[:3], "shop.db", target)
                self.run_program("validate", *plan, "--state", "s" + target[:3], "--level", "full")
        self.assertEqual([column[0] for column in self.columns("orders")], ["id", "paid", "price", "name"])
        self.assertEqual(self.rows("SELECT id, price, name FROM orders ORDER BY id"),
                         [(1, 2, "x"), (2, 4, "nobody"), (3, 0, "nobody")])
        self.assertEqual(self.rows("SELECT id, paid, note FROM lines ORDER BY id"), [(1, 1, "n"), (2, 7, None)])

    def test_a_rule_that_leaves_out_says_nothing_else(self):
        for rule, words in (("{ column: paid, drop: true, cast: text }", "leaves its columns out"),
                            ("{ column: paid, drop: false }", "does not say what its columns become"),
                            ("{ column: paid, lossy: allow }", "does not say what its columns become"),
                            ("{ column: paid, empty: none }", "null")):
            with self.subTest(rule=rule):
                result = self.run_program("check", *self.plan("transhume: 1\ntypes: { r: %s }\n" % rule), "shop.db",
                                          "copy.db", code=2)
                self.assertIn(words, result.err)

    def test_what_no_rule_fits_is_copied_whole(self):
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE plain(a TEXT COLLATE NOCASE CHECK (a <> ''), UNIQUE (a)); "
                            "CREATE VIEW v AS SELECT a FROM plain")
        self.run_program("migrate",
                         *self.plan('transhume: 1\ntypes: { flags: { table: orders, from: "tinyint*", '
                                    'cast: int64 } }\n'), "shop.db", "copy.db")
        self.assertIn("COLLATE NOCASE CHECK (a <> '')",
                      self.rows("SELECT sql FROM sqlite_schema WHERE name = 'plain'")[0][0])
        self.assertEqual(self.rows("SELECT count(*) FROM v"), [(0,)])

    def test_a_plan_that_takes_tables_whole(self):
        tables = "tables: { orders: { from: orders }, lines: { from: lines } }\n"
        rules = RULES + "  wide: { column: name, type: 'VARCHAR(50)' }\n"
        self.run_program("migrate", *self.plan(rules + tables), "shop.db", "copy.db")
        self.assertEqual(self.columns("orders"), [("id", "TEXT", 1, 1), ("paid", "BOOLEAN", 0, 0),
                                                  ("price", "NUMERIC(10,2)", 1, 0),
                                                  ("placed_at", "TEXT", 0, 0), ("name", "VARCHAR(50)", 0, 0)])
        self.assertEqual(self.columns("lines")[:3], [("id", "TEXT", 1, 1), ("orders_id", "TEXT", 0, 0),
                                                     ("paid", "BOOLEAN", 0, 0)])

    def test_the_store_of_a_virtual_table_stays_as_it_is(self):
        support.make_sqlite(self.path("shop.db"), "CREATE VIRTUAL TABLE docs USING fts5(body); "
                            "INSERT INTO docs(rowid, body) VALUES (7, 'one two'), (9, 'two three')")
        self.run_program("migrate", *self.plan(RULES), "shop.db", "copy.db")
        self.assertEqual(self.rows("SELECT rowid, body FROM docs WHERE docs MATCH 'two' ORDER BY rowid"),
                         [(7, "one two"), (9, "two three")])
        self.rows("INSERT INTO docs(docs) VALUES ('integrity-check')")

    def test_the_last_number_given_goes_on(self):
        for tables, ids, following in (("CREATE TABLE o(id INTEGER PRIMARY KEY AUTOINCREMENT, paid TINYINT)", "int64",
                                        10),
                                       ("CREATE TABLE o(id INTEGER PRIMARY KEY AUTOINCREMENT, paid TINYINT)", "text",
                                        None),
                                       ("CREATE TABLE o(id INTEGER PRIMARY KEY AUTOINCREMENT, paid TINYINT); "
                                        "CREATE TABLE kept("
                                        "a INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO kept VALUES (5)", "text",
                                        None)):
            with self.subTest(tables=tables, ids=ids):
                self.doCleanups()
                self.setUp()
                support.make_sqlite(self.path("one.db"), tables
                                    + "; INSERT INTO o VALUES (2, 1), (9, 0); DELETE FROM o WHERE id = 9")
                self.run_program("migrate",
                                 *self.plan('transhume: 1\ntypes: { flags: { table: o, column: paid, cast: bool, '
                                            'lossy: allow }, '
                                            'ids: { table: o, column: id, cast: %s } }\n' % ids), "one.db", "copy.db")
                with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
                    if following:
                        db.execute("INSERT INTO o(paid) VALUES (1)")
                        self.assertEqual(db.execute("SELECT max(id) FROM o").fetchall(), [(following,)])
                    else:
                        self.assertEqual(db.execute("SELECT id FROM o").fetchall(), [("2",)])
                    if "kept" in tables:
                        self.assertEqual(db.execute("SELECT * FROM sqlite_sequence").fetchall(), [("kept", 5)])

    def test_a_rule_that_loses_keeps_what_it_can(self):
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE p(code INTEGER NOT NULL PRIMARY KEY, other NUMERIC(9,4) NOT NULL UNIQUE, "
                            "b NUMERIC(9,4) "
                            "NOT NULL DEFAULT 7); CREATE INDEX p_b ON p(b); CREATE TABLE c(a NUMERIC(9,4) REFERENCES "
                            "p(other)); "
                            "CREATE TABLE lost(k NUMERIC(9,4) NOT NULL PRIMARY KEY)")
        plan = self.plan("transhume: 1\ntypes: { n: { from: 'numeric*', cast: 'decimal(12,2)', lossy: allow } }\n")
        self.run_program("migrate", *plan, "shop.db", "copy.db")
        self.assertEqual(self.columns("p"), [("code", "INTEGER", 1, 1), ("other", "NUMERIC(12,2)", 1, 0),
                                             ("b", "NUMERIC(12,2)", 1, 0)])
        self.assertEqual(self.columns("lost"), [("k", "NUMERIC(12,2)", 1, 0)])
        self.assertEqual(self.rows("SELECT dflt_value FROM pragma_table_info('p') WHERE name = 'b'"), [("7",)])
        self.assertEqual(self.rows("SELECT name, \"unique\" FROM pragma_index_list('p') WHERE origin = 'c'"),
                         [("p_b", 0)])
        notes = json.loads(self.run_program("check", "--json", *plan, "shop.db", "other.db").out)["notes"]
        for said in ("lost: the key of lost is not carried: by a rule of types two of its values may become one",
                     "p: the index sqlite_autoindex_p_1 of p is not carried: by a rule of types two of its values may "
                     "become one",
                     "c: the foreign key to p is not carried"):
            self.assertTrue([note for note in notes if said in note], (said, notes))

    def test_in_a_plan_the_field_has_the_last_word(self):
        plan = RULES + """tables:
  orders:
    key: [id]
    from: orders
    columns: { name: { type: "CHAR(9)" } }
    fields: { "*": copy, id: copy, mark: { column: paid, cast: int64 }, paid: copy, said: { column: paid } }
"""
        self.run_program("migrate", *self.plan(plan), "shop.db", "copy.db")
        self.assertEqual({name: kind for name, kind, _, _ in self.columns("orders")},
                         {"id": "TEXT", "mark": "INTEGER", "paid": "BOOLEAN", "said": "BOOLEAN",
                          "price": "NUMERIC(10,2)",
                          "placed_at": "TEXT", "name": "CHAR(9)"})
        self.assertEqual(self.rows("SELECT mark, paid, said FROM orders ORDER BY id"), [(1, 1, 1), (0, 0, 0)])

    def test_losses_that_the_field_allows(self):
        tables = """tables:
  orders:
    key: [id]
    from: orders
    columns: { price: { type: "NUMERIC(10,1)" } }
    fields: { id: copy, price: { column: price, lossy: allow } }
"""
        # neither does the rule take the field's word away, nor is its cast one that nobody makes
        for rule in ("type: 'NUMERIC(10,2)'", "cast: int64"):
            with self.subTest(rule=rule):
                self.run_program("migrate", "--state", rule[:4],
                                 *self.plan("transhume: 1\ntypes: { r: { column: price, %s } }\n%s" % (rule, tables)),
                                 "shop.db", rule[:4] + ".db")
                with contextlib.closing(sqlite3.connect(self.path(rule[:4] + ".db"))) as db:
                    self.assertEqual(db.execute(
                        "SELECT type FROM pragma_table_info('orders') WHERE name = 'price'").fetchall(),
                                     [("NUMERIC(10,1)",)])
        # nor does a rule's word hold for the type that `columns` gives
        result = self.run_program("check",
                                  *self.plan("transhume: 1\ntypes: { r: { column: price, cast: int64, "
                                             "lossy: allow } }\n" +
                                             tables.replace("{ column: price, lossy: allow }", "copy")), "shop.db",
                                  "copy.db", code=2)
        self.assertIn("'price' may lose something: decimal (NUMERIC(10,2)) to NUMERIC(10,1)", result.err + result.out)

    def test_lists_by_name_and_by_star(self):
        for fields in ('"*": copy, note: { drop: true }, orders_id: { drop: true }', "id: copy, paid: copy",
                       "id: { column: id }, paid: copy"):
            with self.subTest(fields=fields):
                out = "out%d" % len(fields)
                plan = RULES + """tables:
  orders:
    key: { partition: id }
    from: orders
    fields: { id: copy, lines: { embed: lines, order: id, fields: { %s } } }
""" % fields
                self.run_program("migrate", "--state", out + "-state", *self.plan(plan), "shop.db",
                                 "dynamodb-json:" + out)
                found = sorted(support.read_dynamodb_json(self.path(out))["orders"],
                               key=lambda item: item["id"]["S"])[0]
                self.assertEqual(found["lines"], {"L": [{"M": {"id": {"S": "1"}, "paid": {"BOOL": True}}}]})

    def test_look_ups_are_no_columns_as_they_are(self):
        plan = RULES + """tables:
  lines:
    key: { partition: id }
    from: lines
    fields: { id: copy, order: { lookup: orders, column: id }, paid: { lookup: orders, column: paid } }
"""
        self.run_program("migrate", *self.plan(plan), "shop.db", "dynamodb-json:out")
        self.assertIn({"id": {"S": "1"}, "order": {"N": "1"}, "paid": {"N": "1"}},
                      support.read_dynamodb_json(self.path("out"))["lines"])

    def test_items_and_lists(self):
        plan = RULES + """tables:
  orders:
    key: { partition: id }
    from: orders
    fields: { id: copy, paid: copy, lines: { embed: lines, order: id, fields: { "*": copy, paid: { drop: true } } } }
"""
        self.run_program("migrate", *self.plan(plan), "shop.db", "dynamodb-json:out")
        self.assertEqual(sorted(support.read_dynamodb_json(self.path("out"))["orders"],
                                key=lambda item: item["id"]["S"])[0],
                         {"id": {"S": "1"}, "paid": {"BOOL": True},
                          "lines": {"L": [{"M": {"id": {"S": "1"}, "orders_id": {"S": "1"}, "note": {"S": "n"}}}]}})

    def test_faults(self):
        for rule, target, said in (
                ("r: { cast: text }", "copy.db", "the rule 'r' does not say which columns it is for"),
                ("r: { column: x }", "copy.db", "the rule 'r' does not say what its columns become"),
                ("r: { column: x, cast: txt }", "copy.db", "'txt' is no type"),
                ("r: { kind: txt, cast: text }", "copy.db", "'txt' is no kind"),
                ("r: { column: x, casts: text }", "copy.db", "casts"),
                ("r: { column: x, type: 'NUMERIC(10)' }", "dynamodb-json:out",
                 "the columns of this target have no types of their own"),
                ("r: { column: price, cast: int64 }", "copy.db",
                 "'price' may lose something: decimal (NUMERIC(10,2)) to int64"),
                ("r: { table: orders, column: id, cast: uuid }", "copy.db",
                 "'id' is int64, which can not become uuid")):
            with self.subTest(rule=rule):
                result = support.transhume("check", *self.plan("transhume: 1\ntypes: { %s }\n" % rule), "shop.db",
                                           target, cwd=self.folder)
                self.assertEqual(result.code, 2, result.err)
                self.assertIn(said, result.err + result.out)
                self.assertFalse(os.path.exists(self.path("copy.db")))

    def test_a_rule_that_fits_nothing_is_told(self):
        plan = self.plan("transhume: 1\ntypes: { none: { column: zzz, cast: text } }\n")
        notes = json.loads(self.run_program("check", "--json", *plan, "shop.db", "copy.db").out)["notes"]
        self.assertIn("none: this rule of types fits no column that is copied as it is", notes)
        for rule, said in (("from: int64",
                            "r: this rule of types fits no column that is copied as it is: the source has no type of "
                            "that name, "
                                           "`kind: int64` means the kind"),
                           ("kind: uuid", "r: this rule of types fits no column that is copied as it is")):
            found = json.loads(self.run_program("check", "--json",
                                                *self.plan("transhume: 1\ntypes: { r: { %s, cast: text } }\n" % rule),
                                                "shop.db", "copy.db").out)["notes"]
            self.assertIn(said, found)
        found = json.loads(self.run_program("check", "--json", *self.plan(RULES), "shop.db", "copy.db").out)["notes"]
        self.assertIn("later: an earlier rule holds for all columns that this rule of types fits", found)
        plan = self.plan("transhume: 1\ntypes: { none: { column: zzz, cast: text } }\n")
        self.assertIn("[strict-refused]", self.run_program("migrate", "--strict", *plan, "shop.db", "copy.db",
                                                           code=5).err)

    def test_documents_have_no_types(self):
        self.run_program("migrate", "--state", "there", "shop.db", "dynamodb-json:items")
        result = self.run_program("check", *self.plan("transhume: 1\ntypes: { r: { column: x, cast: text } }\n"),
                                  "dynamodb-json:items", "copy.db", code=2)
        self.assertIn("rules of types are for sources whose columns have types", result.err + result.out)

    def test_killed_and_resumed(self):
        pair = (*self.plan(RULES), "--chunk-rows", 1, "shop.db", "copy.db")
        self.assertEqual(support.kill_at("engine.before_commit", 2, "migrate", *pair, cwd=self.folder).code, -9)
        self.run_program("resume", *pair)
        self.assertEqual(self.rows("SELECT id, paid FROM orders ORDER BY id"), [("1", 1), ("2", 0)])


class Servers(support.TestCase):
    """Between the servers and within one, whose tables are else copied by their own statements."""
    SOURCE = ("CREATE TABLE t (id INTEGER PRIMARY KEY, flag %s, v VARCHAR(20) NOT NULL DEFAULT 'd', at %s); "
              "CREATE INDEX t_v ON t (v); "
              "INSERT INTO t VALUES (1, 1, 'a', '2020-01-02 03:04:05'), (2, 0, 'b', NULL)")

    @classmethod
    def setUpClass(cls):
        cls.postgres, cls.mariadb = postgres.for_class(cls), mariadb.for_class(cls)

    def made(self, server, script=""):
        name = server.database()
        server.ask(name, script)
        return name

    def migrate(self, source, target, rules):
        self.write("plan.yaml", "transhume: 1\ntypes:\n" + rules)
        self.run_program("migrate", "--state", self.path("state-" + self.id() + source[:5]), "--plan", "plan.yaml",
                         source, target)
        self.run_program("validate", "--state", self.path("state-" + self.id() + source[:5]), "--plan", "plan.yaml",
                         "--level", "full", source, target)

    def test_mariadb_to_postgres(self):
        source, target = self.made(self.mariadb, self.SOURCE % ("TINYINT(1)", "DATETIME")), self.made(self.postgres)
        self.migrate(self.mariadb.uri(source), self.postgres.uri(target),
                     "  flags: { from: tinyint(1), cast: bool, lossy: allow }\n  texts: { from: \"varchar*\", "
                     "type: \"varchar(40)\" }\n")
        self.assertEqual(self.postgres.psql(target, "SELECT id, flag, v, at FROM t ORDER BY id"),
                         [["1", "t", "a", "2020-01-02 03:04:05"], ["2", "f", "b", None]])
        self.assertEqual(self.postgres.psql(target,
                                            "SELECT column_name, data_type, character_maximum_length FROM "
                                            "information_schema.columns "
                                                    "WHERE table_name = 't' AND column_name IN ('flag', "
                                                    "'v') ORDER BY 1"),
                         [["flag", "boolean", None], ["v", "character varying", "40"]])

    def test_what_is_no_matter_of_the_type_stays(self):
        source = self.made(self.mariadb,
                           "CREATE TABLE t (id INT PRIMARY KEY, active TINYINT(1) NOT NULL DEFAULT 1 COMMENT 'said'); "
                           "INSERT INTO t VALUES (1, 0), (2, 1)")
        target = self.made(self.postgres)
        self.migrate(self.mariadb.uri(source), self.postgres.uri(target),
                     "  flags: { from: tinyint(1), cast: bool, lossy: allow }\n")
        self.assertEqual(self.postgres.psql(target,
                                            "INSERT INTO t (id) VALUES (3); SELECT id, active FROM t ORDER BY id"),
                         [["1", "f"], ["2", "t"], ["3", "t"]])
        self.assertEqual(self.postgres.psql(target,
                                            "SELECT is_nullable, col_description('t'::regclass, "
                                            "2) FROM information_schema.columns "
                                                    "WHERE table_name = 't' AND column_name = 'active'"),
                         [["NO", "said"]])
        source = self.made(self.postgres, "CREATE TABLE t (code NUMERIC(5,0) PRIMARY KEY); INSERT INTO t VALUES (5)")
        target = self.made(self.mariadb)
        self.migrate(self.postgres.uri(source), self.mariadb.uri(target),
                     "  n: { from: \"numeric*\", cast: \"decimal(12,2)\", lossy: allow }\n")
        self.assertEqual(self.mariadb.ask(target,
                                          "SELECT column_key, column_type FROM information_schema.columns WHERE "
                                          "table_schema = '%s' "
                                                  "AND table_name = 't'" % target), [["PRI", "decimal(12,2)"]])

    def test_a_type_is_that_type_and_none_of_its_kind(self):
        source = self.made(self.postgres,
                           "CREATE TABLE t (id INT PRIMARY KEY, a TEXT, b VARCHAR(9), c CHAR(3)); "
                           "INSERT INTO t VALUES (1, '{}', 'x', 'y')")
        for state, rule, types in (("native", "from: text, type: jsonb",
                                    ["integer", "jsonb", "character varying", "character"]),
                                   ("kind", "kind: text, type: varchar(20), lossy: allow",
                                    ["integer"] + ["character varying"] * 3)):
            with self.subTest(rule=rule):
                target = self.made(self.postgres)
                self.write("plan.yaml", "transhume: 1\ntypes: { r: { %s } }\n" % rule)
                self.run_program("migrate", "--state", self.path(state), "--plan", "plan.yaml",
                                 self.postgres.uri(source), self.postgres.uri(target))
                self.assertEqual([row[0] for row in self.postgres.psql(target,
                                                                       "SELECT data_type FROM "
                                                                       "information_schema.columns WHERE "
                                                                               "table_name = 't' ORDER BY "
                                                                               "ordinal_position")], types)

    def test_a_default_of_another_type_is_left_out(self):
        for server in (self.postgres, self.mariadb):
            with self.subTest(server.TITLE):
                source = self.made(server,
                                   "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER NOT NULL DEFAULT 5); "
                                   "INSERT INTO t (id) VALUES (1)")
                target = self.made(server)
                self.migrate(server.uri(source), server.uri(target), "  texts: { column: n, cast: text }\n")
                self.assertEqual(server.ask(target, "SELECT n FROM t"), [["5"]])
                told = self.run_program("check", "--plan", "plan.yaml", server.uri(source),
                                        server.uri(self.made(server))).out
                self.assertRegex(told, "the default of 'n' .*is left")

    def test_within_one_server(self):
        for server, moment, wider in ((self.postgres, "timestamp", "VARCHAR(50)"),
                                      (self.mariadb, "DATETIME", "VARCHAR(50)")):
            with self.subTest(server.TITLE):
                source, target = self.made(server, self.SOURCE % ("SMALLINT", moment)), self.made(server)
                self.migrate(server.uri(source), server.uri(target),
                             "  keys: { column: id, cast: text }\n  texts: { column: v, type: \"%s\" }\n" % wider)
                self.assertEqual(server.ask(target, "SELECT id, flag, v FROM t ORDER BY id"),
                                 [["1", "1", "a"], ["2", "0", "b"]])
                self.assertIn(server.ask(target,
                                         "SELECT data_type FROM information_schema.columns WHERE table_name = 't' AND "
                                         "column_name = 'id' "
                                                 "AND table_schema IN ('public', '%s')" % target)[0][0],
                              ("text", "varchar"))
                self.assertEqual(server.ask(target,
                                            "SELECT character_maximum_length FROM information_schema.columns WHERE "
                                            "table_name = 't' AND "
                                                    "column_name = 'v' AND table_schema IN ('public', '%s')" % target),
                                 [["50"]])
                server.ask(target, "INSERT INTO t (id) VALUES ('3')")
                self.assertEqual(server.ask(target, "SELECT v FROM t WHERE id = '3'"), [["d"]])


if __name__ == "__main__":
    unittest.main()
