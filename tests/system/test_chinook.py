"""The Chinook example: every item, field by field, against an expectation computed apart from the program."""
import json
import os
import random
import re
import unittest

import statements
import support
from chinook_expected import Expectation

PLAN = os.path.join(support.ROOT, "examples", "chinook", "transhume.yaml")
BACK = os.path.join(support.ROOT, "examples", "chinook", "back.yaml")
FOREIGN = os.environ.get("TRANSHUME_CHINOOK")


class Chinook(support.TestCase):
    def migrate(self, source, *options, code=0, **more):
        return self.run_program("migrate", "--plan", PLAN, "--state", self.path("state"), *options,
                                source, "dynamodb-json:" + self.path("out"), code=code, **more)

    def assert_items(self, source):
        expected = Expectation(source).tables()
        found = support.read_dynamodb_json(self.path("out"))
        self.assertEqual(support.dynamodb_differences(expected, found), [])
        for table, items in found.items():
            support.items_by_key(items, "PK", "SK")
        return sum(map(len, found.values()))

    def test_the_projects_own_sample(self):
        source = support.musicshop(self.path("shop.db"))
        self.migrate(source)
        self.assertGreater(self.assert_items(source), 4000)

    def test_the_example_runs_as_it_stands(self):
        support.musicshop(self.path("shop.db"))
        with open(PLAN, encoding="utf-8") as plan:
            self.write("transhume.yaml", plan.read())
        self.run_program("check")
        self.run_program("migrate")
        self.assert_items(self.path("shop.db"))

    def test_a_shop_without_foreign_key_indexes(self):
        source = support.musicshop(self.path("shop.db"))
        import sqlite3
        with sqlite3.connect(source) as db:
            for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
                                      ).fetchall():
                db.execute("DROP INDEX " + support.quoted(name))
        db.close()
        self.migrate(source)
        self.assert_items(source)

    def test_many_jobs_and_small_chunks(self):
        source = support.musicshop(self.path("shop.db"))
        self.migrate(source, "--jobs", "4", "--chunk-rows", "37")
        self.assert_items(source)

    def test_index_definitions(self):
        source = support.musicshop(self.path("shop.db"))
        self.migrate(source)
        with open(self.path("out", "_transhume", "tables", "chinook-music-catalog.json"), encoding="utf-8") as file:
            definition = json.load(file)
        names = {index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]]
                 for index in definition["GlobalSecondaryIndexes"]}
        self.assertEqual(names, {"GSI1-NameSearch": ["GSI1PK", "GSI1SK"], "GSI2-GenreSearch": ["GSI2PK"]})
        self.assertEqual(definition["BillingMode"], "PAY_PER_REQUEST")

    @unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "a sanitizer does not load behind another library")
    def test_nothing_is_read_more_often_than_the_plan_needs(self):
        """A table with its look-ups once, the child rows of a list or an aggregate once. Only the tracks of playlists
        are
        read twice: their number decides, before the first of them is kept, whether they become a list or pages."""
        source = support.musicshop(self.path("shop.db"))
        recorder = statements.Recorder(self)
        self.migrate(source, "--chunk-rows", 1000000, env=recorder.environment("shop.db"))
        reads = {}
        for sql in recorder.statements():
            root = re.match(r'SELECT (?:_t.*|1) FROM main."(\w+)" AS _t0', sql)
            if root:
                way = ".".join([root.group(1), *re.findall(r'CROSS JOIN main."(\w+)"', sql)])
                reads[way] = reads.get(way, 0) + 1
        self.assertEqual(reads, {
            "Artist": 1, "Artist.Album": 1, "Artist.Album.Track": 1, "Album": 1, "Album.Track": 1, "Track": 1,
            "Customer": 1, "Customer.Invoice": 1, "Invoice": 1, "Invoice.InvoiceLine": 1,
            "Playlist": 1, "Playlist.PlaylistTrack": 2, "Employee": 1, "Employee.Customer": 1})

    def test_killed_at_instants_and_resumed(self):
        source = support.musicshop(self.path("shop.db"))
        random_source = random.Random(support.SEED)
        arguments = ("--plan", PLAN, "--state", self.path("state"), "--chunk-rows", "97", source,
                     "dynamodb-json:" + self.path("out"))
        support.kill_after(random_source.uniform(0.0, 0.3), "migrate", *arguments, cwd=self.folder)
        for kills in range(200):
            begun = os.path.exists(self.path("out", "_transhume"))
            command = "resume" if begun else "migrate"
            # Longer and longer: what ends a run may take more time on this machine than the first ones have.
            instant_s = random_source.uniform(0.02, 0.4) * support.PATIENCE * (1 + kills / 20)
            result = support.kill_after(instant_s, command, *arguments, cwd=self.folder)
            if result.code == 2 and command == "resume":
                result = support.kill_after(5 * support.PATIENCE, "migrate", *arguments, cwd=self.folder)
            if result.code == 0:
                break
            self.assertEqual(result.code, -9, result.err)
        self.assertEqual(result.code, 0)
        self.assert_items(source)

    @unittest.skipUnless(FOREIGN, "TRANSHUME_CHINOOK does not name a Chinook database")
    def test_the_foreign_database(self):
        self.migrate(FOREIGN)
        self.assertEqual(self.assert_items(FOREIGN), 4709)


# What the items never held, as SQL over the source: nothing of it may be waited for.
NEVER_HELD = {
    "Genre": "GenreId NOT IN (SELECT GenreId FROM Track WHERE GenreId IS NOT NULL)",
    "MediaType": "MediaTypeId NOT IN (SELECT MediaTypeId FROM Track)",
}


class Back(support.TestCase):
    """There and back again: the eleven tables, row by row and type by type."""

    def there(self, source):
        self.run_program("migrate", "--plan", PLAN, "--state", self.path("there"), source, "dynamodb-json:out")

    def rows(self, path, table, columns, condition="0"):
        cells = ", ".join("typeof(%s), %s" % (support.quoted(c), support.quoted(c)) for c in columns)
        db = support.open_sqlite(path)
        rows = db.execute("SELECT %s FROM %s WHERE NOT (%s) ORDER BY 2, 4" % (cells, support.quoted(table), condition)
                          ).fetchall()
        db.close()
        return rows

    def assert_shop(self, source, back):
        db = support.open_sqlite(source)
        names = [name.decode() for (name,) in db.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")]
        tables = {name: [row[1].decode() for row in db.execute("PRAGMA table_info(%s)" % support.quoted(name))]
                  for name in names}
        db.close()
        self.assertEqual(len(tables), 11)
        rows = 0
        for table, columns in tables.items():
            expected = self.rows(source, table, columns, NEVER_HELD.get(table, "0"))
            self.assertEqual(self.rows(back, table, columns), expected, table)
            rows += len(expected)
        return rows

    def assert_references(self, source, back):
        """Every foreign key is there again, and holds."""
        def references(path):
            db = support.open_sqlite(path)
            found = {row for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
                     for row in ((name,) + r[2:5] for r in db.execute(
                         "PRAGMA foreign_key_list(%s)" % support.quoted(name.decode())))}
            broken = db.execute("PRAGMA foreign_key_check").fetchall()
            db.close()
            return found, broken
        self.assertEqual(references(back), (references(source)[0], []))

    def test_the_projects_own_sample(self):
        source = support.musicshop(self.path("shop.db"))
        # what no track has is what no item holds
        support.make_sqlite(source, "INSERT INTO Genre VALUES (9001, 'Unheard');"
                                    "INSERT INTO MediaType VALUES (9002, 'Wax');")
        self.there(source)
        with open(BACK, encoding="utf-8") as plan:
            self.write("transhume.yaml", plan.read())
        self.run_program("check", "--sample", "2")
        result = json.loads(self.run_program("migrate", "--json").out)
        self.assertGreater(self.assert_shop(source, self.path("shop-again.db")), 15000)
        self.assert_references(source, self.path("shop-again.db"))
        counts = {entity["entity"]: entity for entity in result["entities"]}
        tracks = counts["Track"]["written"]
        self.assertEqual(counts["MediaType"]["written"] + counts["MediaType"]["skipped"], tracks)
        self.assertEqual((result["rejected"], result["unmatched"]), (0, 0))
        # one scan a table, whatever it feeds
        self.assertEqual({counts[name]["read"] for name in ("Artist", "Album", "Track", "Genre", "MediaType")},
                         {tracks + counts["Artist"]["written"] + counts["Album"]["written"]})

    def test_killed_and_resumed(self):
        source = support.musicshop(self.path("shop.db"))
        self.there(source)
        random_source = random.Random(support.SEED)
        arguments = ("--plan", BACK, "--state", self.path("back"), "--chunk-rows", "97", "dynamodb-json:out",
                     "again.db")
        killed = support.kill_at("engine.after_commit", random_source.randint(2, 9), "migrate", *arguments,
                                 cwd=self.folder)
        self.assertEqual(killed.code, -9, killed.err)
        for _ in range(3):
            support.kill_after(random_source.uniform(0.01, 0.1), "resume", *arguments, cwd=self.folder)
        result = support.transhume("resume", *arguments, cwd=self.folder)
        self.assertEqual(result.code, 0, result.err)
        self.assert_shop(source, self.path("again.db"))

    @unittest.skipUnless(FOREIGN, "TRANSHUME_CHINOOK does not name a Chinook database")
    def test_the_foreign_database(self):
        self.there(FOREIGN)
        self.run_program("migrate", "--plan", BACK, "--state", self.path("back"), "dynamodb-json:out", "again.db")
        self.assertEqual(self.assert_shop(FOREIGN, self.path("again.db")), 15607)
        self.assert_references(FOREIGN, self.path("again.db"))


if __name__ == "__main__":
    unittest.main()
