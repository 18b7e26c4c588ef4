"""Look-ups, lists and aggregates out of sources that can't join: the engine joins, and what comes is what SQLite gives."""
import os
import random

import support
from chinook_expected import Expectation

PLAN = os.path.join(support.ROOT, "examples", "chinook", "transhume.yaml")


class Shop(support.TestCase):
    """The music shop out of files: the very items that its database gives."""

    def shop(self, uri):
        source = support.musicshop(self.path("shop.db"))
        self.run_program("migrate", "--state", self.path("export"), source, uri)
        return source

    def assert_items(self, source):
        found = support.read_dynamodb_json(self.path("out"))
        self.assertEqual(support.dynamodb_differences(Expectation(source).tables(), found), [])

    def arguments(self, uri, *more):
        return ("--plan", PLAN, "--state", self.path("state"), *more, uri, "dynamodb-json:" + self.path("out"))

    def test_from_csv(self):
        source = self.shop("csv:files")
        result = self.run_program("migrate", *self.arguments("csv:files"))
        self.assert_items(source)
        self.assertIn("reading Album for look-ups and lists", result.err)
        self.assertFalse(os.path.exists(self.path("state", "spill")))

    def test_from_jsonl_with_many_jobs_and_small_chunks(self):
        source = self.shop("jsonl:files")
        self.run_program("migrate", *self.arguments("jsonl:files", "--jobs", "4", "--chunk-rows", "37"))
        self.assert_items(source)

    def test_killed_and_resumed(self):
        source = self.shop("csv:files")
        random_source = random.Random(support.SEED)
        arguments = self.arguments("csv:files", "--chunk-rows", "97")
        for failpoint, occurrence in (("engine.joins_table_kept", random_source.randint(1, 8)),
                                      ("engine.joins_kept", 1),
                                      ("engine.after_commit", random_source.randint(2, 9))):
            command = "resume" if os.path.exists(self.path("out", "_transhume")) else "migrate"
            killed = support.kill_at(failpoint, occurrence, command, *arguments, cwd=self.folder)
            self.assertEqual(killed.code, -9, "%s %d\n%s" % (failpoint, occurrence, killed.err))
        self.run_program("resume", *arguments)
        self.assert_items(source)
        self.assertFalse(os.path.exists(self.path("state", "spill")))


if __name__ == "__main__":
    import unittest
    unittest.main()
