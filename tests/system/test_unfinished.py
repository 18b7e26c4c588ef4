"""Runs that broke off: what the next command is, and that the ledger can be dropped with them."""
import glob
import sqlite3

import support


class Unfinished(support.TestCase):
    def setUp(self):
        super().setUp()
        self.sql("source.db",
                 "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b')")

    def sql(self, name, script):
        with sqlite3.connect(self.path(name)) as file:
            file.executescript(script)

    def test_finish_drops_one_that_keeps_the_tables_of_another(self):
        """A finished run, and one that is not, have written the same table."""
        self.run_program("migrate", "-q", "source.db", "copy.db")
        support.kill_at("engine.before_commit", 1, "migrate", "-q", "source.db", "copy.db", "--existing", "upsert",
                        cwd=self.folder)
        self.assertIn("is not finished", self.run_program("finish", code=5).err)
        for point in "finish.before_forget", "finish.after_forget":
            support.kill_at(point, 1, "finish", "--confirm", "--take-over", cwd=self.folder)
        self.run_program("finish", "--confirm", "--take-over")
        self.assertIn("nothing to drop", self.run_program("finish").out)

    def test_rejects_that_were_about_to_be_loaded(self):
        """Once the ledger has the run, a resume loads them; before, the same command begins again."""
        for point, resumes in (("engine.before_ledger_create", False), ("ledger.before_publish", False),
                               ("ledger.after_publish", True),
                               ("engine.after_ledger_create", True), ("ledger.before_claim", True)):
            with self.subTest(point=point):
                target, state = point + ".db", point + ".state"
                self.sql(target, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT CHECK (v <> 'b'))")
                self.run_program("migrate", "-q", "source.db", target, "--state", state, code=1)
                rejects, = glob.glob(self.path(state, "rejects", "*.jsonl"))
                with open(rejects, encoding="utf-8") as file:
                    lines = file.read().replace('"v":"b"', '"v":"c"')
                with open(self.path("fixed.jsonl"), "w", encoding="utf-8") as file:
                    file.write(lines)
                load = ("migrate", "-q", "--rejects", "fixed.jsonl", "--state", state)
                failed = support.transhume(*load, cwd=self.folder, env={"TRANSHUME_FAILPOINT": point + ":error:1"})
                self.assertEqual(failed.code, 3)
                self.assertEqual("transhume resume" in failed.err, resumes, failed.err)
                self.run_program(*(("resume", "--state", state) if resumes else load))
                with sqlite3.connect(self.path(target)) as file:
                    self.assertEqual(file.execute("SELECT * FROM t ORDER BY id").fetchall(), [(1, "a"), (2, "c")])
