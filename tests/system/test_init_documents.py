"""`init` over a source of documents and an SQL target: the plan is proposed from a sample, and runs as it stands."""
import json
import os
import random
import sqlite3
import unittest

import support
from test_plan_back import attribute

PLAN = os.path.join(support.ROOT, "examples", "chinook", "transhume.yaml")


class Proposals(support.TestCase):
    def write_items(self, table, items, folder="in"):
        os.makedirs(self.path(folder, table), exist_ok=True)
        with open(self.path(folder, table, "data-1.json"), "w", encoding="utf-8") as file:
            for item in items:
                file.write("%s\n" % json.dumps({"Item": {name: attribute(value) for name, value in item.items()}}))

    def propose(self, source="dynamodb-json:in"):
        self.run_program("init", source, "sqlite:copy.db")
        with open(self.path("transhume.yaml"), encoding="utf-8") as file:
            return file.read()

    def migrate(self, code=0):
        self.run_program("check", "--sample", "1")
        self.run_program("migrate", code=code)
        db = sqlite3.connect("file:%s?mode=ro" % self.path("copy.db"), uri=True)
        self.addCleanup(db.close)
        return db

    def tables(self, db):
        return {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
                if not name.startswith("_transhume_")}

    def chinook(self, *dropped):
        """The shop's items, without some attributes."""
        support.musicshop(self.path("shop.db"))
        self.run_program("migrate", "--plan", PLAN, "--state", self.path("there"), "shop.db", "dynamodb-json:made")
        for table, items in support.read_dynamodb_json(self.path("made")).items():
            os.makedirs(self.path("in", table))
            with open(self.path("in", table, "data-1.json"), "w", encoding="utf-8") as file:
                for item in items:
                    file.write("%s\n" % json.dumps({"Item": {name: value for name, value in item.items()
                                                            if name not in dropped}}))
        return sqlite3.connect(self.path("shop.db"))

    def assert_shop(self, db, shop, names):
        count = "SELECT count(*) FROM "
        for source, name in names.items():
            self.assertEqual(db.execute(count + support.quoted(name)).fetchone(),
                             shop.execute(count + source).fetchone(), name)

    def test_kinds_by_a_field(self):
        shop = self.chinook()
        text = self.propose()
        self.assertRegex(text, r"(?m)^# Assumed from a sample")
        self.assertIn('match: { "EntityType": "Order", "PK": "CUSTOMER#{PK_2}", '
                      '"SK": "ORDER#{InvoiceDate}#{InvoiceId}" }', text)
        db = self.migrate()
        self.assertEqual(self.tables(db), {
            "Artist", "Album", "Track", "CustomerProfile", "Order", "Order_LineItems", "Playlist", "Playlist_Tracks",
            "PlaylistTracksPage", "PlaylistTracksPage_Tracks", "Employee"})
        self.assert_shop(db, shop, {
            "Artist": "Artist", "Album": "Album", "Track": "Track", "Customer": "CustomerProfile", "Invoice": "Order",
            "InvoiceLine": "Order_LineItems", "Employee": "Employee"})
        self.assertEqual(
            sorted(db.execute("SELECT TrackId, Name, Milliseconds, UnitPrice, Composer FROM Track")),
            sorted(shop.execute("SELECT TrackId, Name, Milliseconds, UnitPrice, Composer FROM Track")))
        self.assertEqual(
            sorted(db.execute("SELECT o.InvoiceId, o.PK_2, l.InvoiceLineId, l.UnitPrice FROM \"Order\" o "
                              "JOIN Order_LineItems l USING (PK, SK)")),
            sorted(shop.execute("SELECT InvoiceId, CustomerId, InvoiceLineId, UnitPrice FROM Invoice "
                                "JOIN InvoiceLine USING (InvoiceId)")))
        shop.close()

    def test_kinds_by_their_keys(self):
        shop = self.chinook("EntityType")
        text = self.propose()
        self.assertNotIn("EntityType", text)
        db = self.migrate()
        names = self.tables(db)
        self.assertTrue({"chinook-music-catalog_TRACK", "chinook-music-catalog_ALBUM", "chinook-music-catalog_METADATA",
                         "chinook-customer-orders_ORDER", "chinook-customer-orders_PROFILE"} <= names, names)
        self.assert_shop(db, shop, {
            "Artist": "chinook-music-catalog_METADATA", "Album": "chinook-music-catalog_ALBUM",
            "Track": "chinook-music-catalog_TRACK", "Customer": "chinook-customer-orders_PROFILE",
            "Invoice": "chinook-customer-orders_ORDER", "InvoiceLine": "chinook-customer-orders_ORDER_LineItems"})
        shop.close()

    def test_one_kind(self):
        self.write_items("things", [{"id": i, "name": "n%d" % i, "on": i % 2 == 0, "map": {"a": [i]},
                                     "mixed": i if i % 2 else "x", "tags": {"a", "b%d" % i}, "none": None}
                                    for i in range(30)])
        text = self.propose()
        self.assertNotIn("match:", text)
        db = self.migrate()
        self.assertEqual(self.tables(db), {"things", "things_tags"})
        self.assertEqual(db.execute('SELECT id, name, "on", map, mixed, none FROM things WHERE id IN (2, 3) ORDER BY 1')
                         .fetchall(), [(2, "n2", 1, '{"a":[2]}', "x", None), (3, "n3", 0, '{"a":[3]}', "3", None)])
        self.assertEqual(db.execute("SELECT id, Nr, Value FROM things_tags WHERE id = 7 ORDER BY Nr").fetchall(),
                         [(7, 1, "a"), (7, 2, "b7")])

    def test_names_are_data(self):
        odd = ['say "x"', "back\\slash", "new\nline", "{brace}", "drop: true", "copy", "Id", "ID", "$parent.x", "#",
               "*", "a.b", " ", "\u00e9"]
        self.write_items("odd", [{"id": i, "type": "it's {odd}" if i % 2 else "plain\n- key: [x]",
                                  **{name: "%s %d" % (name, i) for name in odd}, "li.st": [{"{x}": i}]}
                                 for i in range(20)])
        self.propose()
        self.run_program("check")

    def test_what_can_not_be_told_apart_stays_together(self):
        # keys that begin alike or not at all: no two matches that could both fit
        self.write_items("mixed", [{"PK": text, "SK": "x%d" % i} for i, text in enumerate(
            ["A#1", "A#1#2", "plain", "#", "A", "", "B##", "other", "C#{x}"] * 3)])
        self.propose()
        self.run_program("check")

    def test_random_tables_make_plans(self):
        numbers = random.Random(support.SEED)
        for case in range(30):
            with self.subTest(seed=support.SEED, case=case):
                folder = "in%d" % case
                words = ["A", "B#", "C#%d", "D#%d#%d", "%d", "E#F", "#%d", "G#x%d"]
                shapes = [(numbers.choice(words), numbers.choice(words)) for _ in range(numbers.randint(1, 6))]
                items = {}
                for i in range(numbers.randint(1, 80)):
                    pk, sk = (shape.replace("%d", str(numbers.randint(0, 9) * i)) for shape in numbers.choice(shapes))
                    items[pk, sk] = {"PK": pk, "SK": sk,
                                     "v%d" % (i % 3): numbers.choice([1, "x", None, True, [1], {"a": 1}])}
                self.write_items("t-%d" % case, items.values(), folder)
                self.run_program("init", "dynamodb-json:" + folder, "sqlite:c%d.db" % case, "--force")
                self.run_program("check", "--state", self.path("s%d" % case))
                result = support.transhume("migrate", "--state", self.path("s%d" % case), cwd=self.folder)
                # what the sample saw is all there is: nothing is unmatched
                self.assertEqual(result.code, 0, result.err)

    def test_an_empty_table(self):
        self.write_items("nothing", [])
        text = self.propose()
        self.assertIn("nothing", text)
        self.run_program("check")


if __name__ == "__main__":
    unittest.main()
