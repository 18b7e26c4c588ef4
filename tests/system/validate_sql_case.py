"""Validation with a SQL server on either side, the cases that are alike: clean copies at every level, mutations found
and named,
repairs, and the rollback of a repair.

A module of tests brings a class of its own before these, with
    server                   database() makes one and gives its name, uri(name)
    sql(name, statements)    rows of texts, by the server's own client
    keep(), refill()         the target as it was copied: kept, put back
    mutate(what, statement)  refills, and runs a statement that has to change something
    rows(name)               {table: its rows}
and what the dialects say otherwise: `a_byte`, `a_space_more`, `swap_two`, `one_of_equal`, and `KEYS_ALIKE`: statements
before, and
a type of keys to which b and B are one.
"""
import json
import os
import shutil
import sqlite3
import unicodedata

import mutation_case as mutations
import support
import test_plan_constructs as constructs

VICTIM, ROWS = mutations.VICTIM, mutations.ROWS
LEVELS = ("count", "sample", "hash", "full")


def some_levels(by):
    """
    All in a soak; else one that counts or samples and one that reads everything, drawn by the seed and the text `by`.
    """
    return (*support.drawn(LEVELS[:2], 1, by), *support.drawn(LEVELS[2:], 1, by))


class FromSqlite(mutations.Mutations):
    levels_checked = 1  # each mutation at both levels is a matter of test_validate_mutations
    DAMAGE = ("UPDATE person SET name = 'other' WHERE id IN (5, 6); DELETE FROM person WHERE id > 290; "
              "INSERT INTO word VALUES ('extra', 1); DELETE FROM keyless WHERE w = 'w6' AND n = '0'; "
              "INSERT INTO keyless VALUES ('zz', NULL), ('zz', NULL);")

    def setUp(self):
        super().setUp()
        mutations.make_sqlite(self.path("shop.db"))
        db = sqlite3.connect(self.path("shop.db"))
        db.execute("UPDATE person SET any_kind = id")  # a column has one type there
        db.commit()
        db.close()
        self.target = self.server.database()
        self.run_program("migrate", "shop.db", self.server.uri(self.target))
        self.keep()

    def test_a_clean_copy(self):
        for level in LEVELS:
            self.assertEqual(self.validate(level, 0)["records"], [])

    def field(self, what, column, value, row=VICTIM):
        self.mutate(what, "UPDATE person SET %s = %s WHERE id = %d" % (column, value, row))
        self.check(what, "person", {"different": 1}, {"id": row}, [column])

    def test_values(self):
        self.field("flip a letter", "name", "'cafe'")
        self.field("NFC and NFD", "name", "'%s'" % unicodedata.normalize("NFD", mutations.ACCENT))
        self.field("case", "name", "'Caf\u00e9'")
        self.field("trailing space", "name", self.a_space_more)
        self.field("truncate", "name", "'caf'")
        self.field("truncate bytes", "photo", self.a_byte)
        self.field("a float's last bit", "score", "19.625000000000004")
        self.field("a cent", "price", "1.58")
        self.field("null and empty", "note", "NULL")
        self.field("empty and null", "note", "''", VICTIM + 1)
        self.field("the last digit of 38", "note", "'%s'" % (str(mutations.LONG)[:-1] + "8"), VICTIM + 2)
        self.field("1 and 1.0 as texts", "note", "'n.0'", VICTIM + 4)

    def test_records(self):
        self.mutate("drop", "DELETE FROM person WHERE id = %d" % VICTIM)
        self.check("drop", "person", {"missing": 1}, {"id": VICTIM})
        self.mutate("add", "INSERT INTO person(id, name) VALUES (9999, 'new')")
        self.check("add", "person", {"extra": 1}, {"id": 9999})
        self.mutate("swap two", self.swap_two)
        self.check("swap two", "person", {"different": 2}, {"id": 5})
        self.mutate("swap a field of two", "UPDATE word SET n = 11 - n WHERE n IN (5, 6)")
        self.check("swap a field of two", "word", {"different": 2}, {"w": "word5"}, ["n", "n"])
        self.mutate("move a key", "UPDATE word SET w = 'Word7' WHERE w = 'word7'")
        self.check("move a key", "word", {"missing": 1, "extra": 1}, {"w": "Word7"})
        self.mutate("empty", "DELETE FROM word")
        self.check("empty", "word", {"missing": ROWS})

    def test_records_without_a_key(self):
        self.mutate("duplicate", "INSERT INTO keyless SELECT * FROM good.keyless WHERE w = 'w6' LIMIT 1")
        self.check("duplicate", "keyless", {"extra": 1})
        self.mutate("drop one of equal ones", self.one_of_equal("DELETE FROM keyless"))
        self.check("drop one of equal ones", "keyless", {"missing": 1})
        self.mutate("flip", self.one_of_equal("UPDATE keyless SET w = 'W6'"))
        self.check("flip", "keyless", {"missing": 1, "extra": 1})

    in_the_way = ""  # what must not answer to a repair

    def test_a_repair_puts_it_right(self):
        expected = self.rows(self.target)
        self.refill()
        self.sql(self.target, self.DAMAGE + self.in_the_way)
        report = json.loads(self.run_program("validate", "--json", "--repair", code=1).out)
        self.assertEqual(report["to_delete"], 0)
        self.assertEqual({(record["kind"], record["table"]) for record in self.validate("full", 1)["records"]},
                         {("extra", "word"), ("extra", "keyless")})
        self.run_program("validate", "--repair", "--delete-extra", "--confirm")
        self.validate("full", 0)
        found = self.rows(self.target)
        for table in ("person", "word", "keyless"):
            self.assertEqual(expected[table], found[table])

    def test_a_repair_is_rolled_back(self):
        self.target = self.server.database()
        shutil.rmtree(self.path(".transhume"))
        self.run_program("migrate", "--include", "person", "--include", "word", "shop.db", self.server.uri(self.target))
        self.sql(self.target,
                 "UPDATE person SET name = 'other', score = NULL WHERE id IN (5, 6); DELETE FROM word WHERE n < 4")
        before = self.rows(self.target)
        self.run_program("validate", "--repair")
        self.validate("full", 0)
        with open(self.path(".transhume/run.json"), encoding="utf-8") as file:
            run = json.load(file)["run"]
        self.run_program("rollback", "--run", run, "--confirm")
        after = self.rows(self.target)
        for table in ("person", "word"):
            self.assertEqual(before[table], after[table])


    def test_a_missing_record_takes_no_place_of_another(self):
        """Its key is another to the source, but not to the column that was there."""
        for number, (before, column) in enumerate(self.KEYS_ALIKE):
            with self.subTest(column=column):
                name, state = "keys%d.db" % number, "keys%d" % number
                support.make_sqlite(self.path(name),
                                    "CREATE TABLE k(c VARCHAR(20) PRIMARY KEY, n INTEGER); INSERT INTO k VALUES ('a', "
                                    "1), ('B', 2)")
                self.target = self.server.database()
                self.sql(self.target, "%s CREATE TABLE k(c %s PRIMARY KEY, n BIGINT)" % (before, column))
                self.run_program("migrate", "-q", "--state", state, name, self.server.uri(self.target))
                db = sqlite3.connect(self.path(name))
                db.execute("INSERT INTO k VALUES ('b', 3), ('new', 4)")
                db.commit()
                db.close()
                self.sql(self.target, "UPDATE k SET n = 9 WHERE c = 'a'")
                damaged = self.rows(self.target)["k"]
                told = self.run_program("validate", "--state", state, "--repair", code=1)
                self.assertIn("some were REJECTED", told.out)
                mended = self.sql(self.target, "SELECT c, n FROM k ORDER BY n")
                self.assertEqual([[str(value) for value in row] for row in mended],
                                 [["a", "1"], ["B", "2"], ["new", "4"]])
                with open(self.path(state, "run.json"), encoding="utf-8") as file:
                    run = json.load(file)["run"]
                self.run_program("rollback", "--state", state, "--run", run, "--confirm")
                self.assertEqual(self.rows(self.target)["k"], damaged)


class Unnested(mutations.Unnested):
    """Rows out of lists, and `distinct` ones, in the server's tables."""
    PLAN = mutations.Unnested.PLAN.replace("id: copy, name: copy",
                                           "id: { column: id, cast: int64 }, name: { column: name, cast: text }")

    def test_rows_of_a_server(self):
        target = self.server.database()
        self.migrate(self.server.uri(target), "decimal(38,0)")
        for level in LEVELS:
            self.assertEqual(self.validate(level, 0)["records"], [])
        expected = self.rows(target)
        self.sql(target, self.statements())
        self.found_and_repaired()
        found = self.rows(target)
        for table in self.COLUMNS:
            self.assertEqual(expected[table], found[table])


class Counted(mutations.Mutations):
    """
    `MANY` makes a table of more than 16 MiB of which the server's statistics tell a number that is none; ROWS_LEFT is
    right.
    """
    ROWS_LEFT = 135000

    def test_counts_are_no_guesses(self):
        source = self.server.database()
        self.sql(source, self.MANY)
        self.run_program("migrate", "-q", self.server.uri(source), "many.db")
        report = self.validate("count", 0)
        self.assertEqual([(row["source"], row["target"]) for row in report["entities"]],
                         [(self.ROWS_LEFT, self.ROWS_LEFT)])
        db = sqlite3.connect(self.path("many.db"))
        db.execute("DELETE FROM many WHERE id = 7")
        db.commit()
        db.close()
        report = self.validate("count", 1)
        self.assertEqual([(row["missing"], row["extra"]) for row in report["entities"]], [(1, 0)])


class Constructs(mutations.Mutations):
    """What plans make of the server's rows: clean at every level, and what somebody else changed is named.

    What `embed` and `aggregate` bring of tables without a key has no order that could be told in advance here."""
    LEFT_OUT = ("matches_without_foreign_keys",)
    # A field of each construct that reads more than a row: (table, key, field).
    CHANGED = {"a_table_that_refers_to_itself": ("people", ("Id",), "Team"),
               "composite_foreign_keys": ("regions", ("code", "zone"), "Names"),
               "aggregates_along_paths": ("people", ("Id",), "Spent"), "lists_in_order": ("sales", ("Id",), "Items"),
               "pages_beside_short_lists": ("shop", ("PK", "SK"), "Items"),
               "queries_with_lists": ("buyers", ("who",), "Days"),
               "lookups_through_nullable_keys": ("items", ("Id",), "Buyer")}

    def test_out_of_the_server(self):
        shop = constructs.Shop(constructs.make_shop(self.path("shop.db")))
        self.addCleanup(shop.db.close)
        source = self.server.database()
        self.run_program("migrate", "-q", "--state", "begin", "shop.db", self.server.uri(source))
        self.sql(source, constructs.SHOP[constructs.SHOP.index("CREATE VIEW"):])
        for one in constructs.CONSTRUCTS:
            if one.name in self.LEFT_OUT:
                continue
            with self.subTest(construct=one.name):
                for place in ("out", ".transhume"):
                    shutil.rmtree(self.path(place), ignore_errors=True)
                plan = constructs.plan_text(one.plan, "dynamodb-json:out")
                self.write("transhume.yaml", plan.replace("sqlite:shop.db", self.server.uri(source)))
                self.run_program("migrate", "-q", "--chunk-rows", 13, code=1 if one.rejected else 0)
                self.assert_made(one.expect(shop))
                for level in some_levels(one.name + self.id()):
                    self.validate_copy("--level", level, env=self.environment())
                if one.name in self.CHANGED:
                    table, key, field = self.CHANGED[one.name]
                    self.check(one.name, table, {"different": 1}, self.alter(table, key, field), [field])

    def assert_made(self, expected):
        found = support.read_dynamodb_json(self.path("out"))
        self.assertEqual(set(found), set(expected))
        for table, records in expected.items():
            self.assertEqual(support.dynamodb_differences({table: list(map(constructs.item_of, records))},
                                                          {table: found[table]}), [])

    def alter(self, table, key, field):
        """The last element of a list goes, or a value becomes another one; the key of what was changed."""
        for name in sorted(os.listdir(self.path("out", table))):
            with open(self.path("out", table, name), encoding="utf-8") as file:
                lines = file.readlines()
            for at, line in enumerate(lines):
                item = json.loads(line)["Item"]
                (letter, value), = item.get(field, {"NULL": True}).items()
                if value not in ([], True):
                    item[field] = {letter: value[:-1] if letter == "L" else "7" + value}
                    lines[at] = json.dumps({"Item": item}) + "\n"
                    with open(self.path("out", table, name), "w", encoding="utf-8") as file:
                        file.writelines(lines)
                    return {name: int(item[name]["N"]) if "N" in item[name] else item[name]["S"] for name in key}
        raise AssertionError("nothing to change in %s.%s" % (table, field))
