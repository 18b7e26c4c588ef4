"""
What becomes of records that are there is the run's own word: a resume and a validation by SRC and DST, or without a
state folder, keep to it.
"""
import contextlib
import json
import os
import shutil
import sqlite3
import unittest

import support

COUNT = 300
THEIRS = ((1, "theirs"), (1000, "application"))


class Policies(support.TestCase):
    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("s.db"),
                            "CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT); "
                            "CREATE TABLE other (id INTEGER PRIMARY KEY); "
                            "INSERT INTO a WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                            "%d) SELECT i, 'ours' FROM n" % COUNT)

    def fill(self):
        for name in ("d.db", ".transhume"):
            path = self.path(name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.unlink(path)
        support.make_sqlite(self.path("d.db"),
                            "CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT); INSERT INTO a VALUES %s, %s" % THEIRS)

    def begin(self, existing, *arguments):
        self.fill()
        killed = support.kill_at("engine.chunk_started", 3, "migrate", "--existing", existing, "--include", "a",
                                 "--chunk-rows", "50", "--no-express",
                                 *arguments, "s.db", "d.db", cwd=self.folder)
        self.assertEqual(killed.code, -9)

    def rows(self):
        with contextlib.closing(sqlite3.connect(self.path("d.db"))) as db:
            return db.execute("SELECT id, t FROM a ORDER BY id").fetchall()

    def assert_kept(self, existing):
        first = "theirs" if existing in ("append", "skip") else "ours"
        self.assertEqual(self.rows(), [(1, first), *((i, "ours") for i in range(2, COUNT + 1)), (1000, "application")])

    def test_resumed_and_validated(self):
        for existing, code in (("append", 1), ("skip", 0), ("upsert", 0), ("replace", 0)):
            for state in (True, False):
                for ends in ((), ("s.db", "d.db")):
                    if not state and not ends:
                        continue
                    with self.subTest(existing, state=state, ends=ends):
                        self.begin(existing)
                        if not state:
                            shutil.rmtree(self.path(".transhume"))
                        more = () if state else ("--include", "a")
                        self.run_program("resume", *more, *ends, code=code)
                        self.assert_kept(existing)
                        for how in ((), ("s.db", "d.db", "--include", "a"),
                                    ("s.db", "d.db", "--include", "a", "--repair", "--delete-extra", "--confirm"),
                                    None, ("s.db", "d.db", "--include", "a", "--repair", "--delete-extra",
                                           "--confirm")):
                            if how is None:
                                shutil.rmtree(self.path(".transhume"))   # from now on the ledger alone knows
                                continue
                            found = support.transhume("validate", *how, "--json", cwd=self.folder)
                            self.assertIn(found.code, (0, 1), found.err)
                            entity, = json.loads(found.out)["entities"]
                            self.assertEqual(entity["extra"], 0, how)
                            self.assertEqual([row for row in self.rows() if row[0] == 1000], [THEIRS[1]])

    def test_after_a_load_of_an_older_copys_rejects(self):
        """
        Two copies, of which the second skipped what was there; then the first one's rejects are loaded: each keeps to
        its own.
        """
        support.make_sqlite(self.path("two.db"),
                            "CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT, u TEXT); INSERT INTO a VALUES (1, 'x', "
                            "'p'), (2, 'y', 'q'), (3, 'z', 'q')")
        support.make_sqlite(self.path("t.db"),
                            "CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT, u TEXT UNIQUE); INSERT INTO a VALUES (1, "
                            "'application', 'z')")
        self.run_program("migrate", "--existing", "append", "two.db", "t.db", code=1)
        folder = self.path(".transhume", "rejects")
        name, = os.listdir(folder)
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            lines = file.readlines()
        self.write("mended.jsonl", next(line for line in lines if '"id":3' in line).replace('"u":"q"', '"u":"qq"'))
        self.run_program("migrate", "--existing", "skip", "two.db", "t.db", code=1)
        self.run_program("validate", code=1)
        self.run_program("migrate", "--rejects", "mended.jsonl")
        self.run_program("validate")
        self.run_program("validate", "--repair")
        with contextlib.closing(sqlite3.connect(self.path("t.db"))) as db:
            self.assertEqual(db.execute("SELECT * FROM a ORDER BY id").fetchall(),
                             [(1, "application", "z"), (2, "y", "q"), (3, "z", "qq")])

    def test_a_load_that_never_began(self):
        """Nothing came of it: what is validated is still the copy, with what it rejected."""
        support.make_sqlite(self.path("two.db"),
                            "CREATE TABLE a (id INTEGER PRIMARY KEY, u TEXT); INSERT INTO a VALUES (1, 'p'), (2, 'p')")
        support.make_sqlite(self.path("t.db"), "CREATE TABLE a (id INTEGER PRIMARY KEY, u TEXT UNIQUE)")
        self.run_program("migrate", "two.db", "t.db", code=1)
        name, = os.listdir(self.path(".transhume", "rejects"))
        shutil.copy(self.path(".transhume", "rejects", name), self.path("r.jsonl"))
        self.run_program("migrate", "--rejects", "r.jsonl", code=3,
                         env={"TRANSHUME_FAILPOINT": "engine.before_ledger_create:error:1"})
        self.assertEqual(json.loads(self.run_program("validate", "--json", code=1).out)["entities"][0]["rejected"], 1)

    def test_another_one_is_refused(self):
        self.begin("append")
        for ends in ((), ("s.db", "d.db")):
            result = self.run_program("resume", "--existing", "upsert", *ends, code=5)
            self.assertIn("a: the run began with `existing: append` for it, which is another one now [plan-changed]",
                          result.err)
        self.run_program("resume", "--existing", "append", code=1)
        self.assert_kept("append")

    def test_of_a_plan(self):
        """
        An edited plan says another one: nobody knows which is meant. One that says none any more means what the run
        began with.
        """
        plan = ("transhume: 1\nsource: sqlite:s.db\ntarget: sqlite:d.db\n%s"
                "tables: { a: { key: [id], %s entities: { a: { from: a, fields: { '*': copy } } } } }\n")
        for begun, edited, code in ((("existing: skip\n", ""), ("existing: upsert\n", ""), 5),
                                    (("", "existing: skip,"), ("", "existing: replace,"), 5),
                                    (("existing: skip\n", ""), ("", ""), 0),
                                    (("", "existing: skip,"), ("existing: skip\n", ""), 0)):
            with self.subTest(begun=begun, edited=edited):
                self.fill()
                self.write("p.yaml", plan % begun)
                self.assertEqual(support.kill_at("engine.chunk_started", 3, "migrate", "--plan", "p.yaml",
                                                 "--chunk-rows", "50", cwd=self.folder).code, -9)
                self.write("p.yaml", plan % edited)
                result = self.run_program("resume", "--plan", "p.yaml", code=code)
                if code == 5:
                    self.assertIn("existing: skip", result.err)
                    self.write("p.yaml", plan % begun)
                    self.run_program("resume", "--plan", "p.yaml")
                self.assert_kept("skip")


if __name__ == "__main__":
    unittest.main()
