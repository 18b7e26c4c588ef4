"""Runs that are interrupted in odd ways, and resumed in others."""
import os
import shutil
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
import support


class AtTheEnd(support.TestCase):
    def test_killed_when_all_is_done_but_said(self):
        # The run is complete; what it had to say with its exit status is said by the resume.
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE things(id INTEGER PRIMARY KEY, v REAL); INSERT INTO things VALUES (1, 9e999), (2, 5);")
        arguments = ["source.db", "dynamodb-json:out"]
        killed = support.kill_at("engine.after_completed", 1, "migrate", *arguments, cwd=self.folder)
        self.assertEqual(killed.code, -9)
        for _ in range(2):
            result = self.run_program("resume", *arguments, code=1)
            self.assertIn("1 record was rejected", result.err)
        shutil.rmtree(self.path("out"))
        shutil.rmtree(self.path(".transhume"))
        self.run_program("migrate", *arguments, code=1)


if __name__ == "__main__":
    unittest.main()
