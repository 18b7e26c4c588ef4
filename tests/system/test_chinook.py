"""The Chinook example: every item, field by field, against an expectation computed apart from the program."""
import json
import os
import random
import unittest

import support
from chinook_expected import Expectation

PLAN = os.path.join(support.ROOT, "examples", "chinook", "transhume.yaml")
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

    def test_killed_at_instants_and_resumed(self):
        source = support.musicshop(self.path("shop.db"))
        random_source = random.Random(support.SEED)
        arguments = ("--plan", PLAN, "--state", self.path("state"), "--chunk-rows", "97", source,
                     "dynamodb-json:" + self.path("out"))
        support.kill_after(random_source.uniform(0.0, 0.3), "migrate", *arguments, cwd=self.folder)
        for _ in range(200):
            begun = os.path.exists(self.path("out", "_transhume"))
            command = "resume" if begun else "migrate"
            result = support.kill_after(random_source.uniform(0.02, 0.4), command, *arguments, cwd=self.folder)
            if result.code == 2 and command == "resume":
                result = support.kill_after(5, "migrate", *arguments, cwd=self.folder)
            if result.code == 0:
                break
            self.assertEqual(result.code, -9, result.err)
        self.assertEqual(result.code, 0)
        self.assert_items(source)

    @unittest.skipUnless(FOREIGN, "TRANSHUME_CHINOOK does not name a Chinook database")
    def test_the_foreign_database(self):
        self.migrate(FOREIGN)
        self.assertEqual(self.assert_items(FOREIGN), 4709)


if __name__ == "__main__":
    unittest.main()
