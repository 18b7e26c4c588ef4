"""What `validate --repair --delete-extra` takes out of SQL targets while they fail: it is counted only once it is gone."""
import json
import os
import signal
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import mariadb
import postgres
import sql_case
import support

REPAIR = ("validate", "-q", "--repair", "--delete-extra", "--confirm")
KEPT = [[str(number), "kept"] for number in range(1, 11)]
AT_ONCE = 500   # keys that a call takes out


class Cases:
    """For each target: `ask` lets its own client speak."""
    POINTS = ""    # how its failpoints begin
    UNDO = ""      # asks for the name of the table with images
    LOSE = ""      # some of what is in a table

    def damaged(self, extra=30):
        """A copy with some extra records."""
        support.make_sqlite(self.path("shop.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t VALUES %s"
                            % ", ".join("(%s, '%s')" % tuple(row) for row in KEPT))
        self.target = self.new_target()
        self.run_program("migrate", "-q", "shop.db", self.target)
        self.ask("INSERT INTO t VALUES %s" % ", ".join("(%d, 'extra')" % (100 + number) for number in range(extra)))
        return self.held()

    def held(self):
        return self.ask("SELECT id, name FROM t ORDER BY id")

    def repair(self, rule=None, code=0):
        return self.run_program(*REPAIR, code=code, env={"TRANSHUME_FAILPOINT": self.POINTS + rule} if rule else None)

    def log(self):
        with open(self.path(".transhume/transhume.log"), encoding="utf-8") as file:
            return file.read()

    def assert_taken_back(self, damaged):
        self.assertEqual(self.held(), KEPT)
        self.run_program("rollback", "-q", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.held(), damaged)

    # --- counts

    def test_what_was_rolled_back_is_taken_out_and_counted_once(self):
        damaged = self.damaged()
        self.repair("before_delete:enospc", code=3)
        self.assertNotIn("out of the target", self.log())
        self.assertEqual(self.held(), damaged)
        self.run_program("resume", "-q")
        self.assert_taken_back(damaged)

    def test_a_repair_that_is_stopped_at_once_among_them_can_be_rolled_back(self):
        damaged = self.damaged()
        process = self.stopped_at(self.POINTS + "before_delete:stop", *REPAIR)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 4)
        self.assertTrue(json.loads(self.run_program("status", "--json").out)["interrupted"])
        self.run_program("resume", "-q")
        self.assert_taken_back(damaged)

    def test_what_a_killed_repair_took_out_is_missed_if_its_images_are_lost(self):
        self.damaged(AT_ONCE + 100)
        self.assertEqual(support.kill_at("engine.before_repair_delete", 2, *REPAIR, cwd=self.folder).code, -9)
        self.assertEqual(len(self.held()), len(KEPT) + 100)
        self.run_program("resume", "-q")
        (undo,), = self.ask(self.UNDO)
        self.ask(self.LOSE % {"table": undo, "count": AT_ONCE - 50})
        refused = self.run_program("rollback", "--run", self.run_id(), "--confirm", code=5)
        self.assertIn("the run took out %d records, undo records are there of 150" % (AT_ONCE + 100), refused.err)
        self.assertEqual(self.held(), KEPT)


class Sqlite(sql_case.SqliteTarget, Cases, support.TestCase):
    POINTS = "sqlite."
    UNDO = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE '%undo%'"
    LOSE = "DELETE FROM \"%(table)s\" WHERE \"+id\" IN (SELECT \"+id\" FROM \"%(table)s\" LIMIT %(count)d)"


class Postgres(sql_case.ServerTarget, Cases, support.TestCase):
    SERVERS = postgres
    POINTS = "postgres."
    UNDO = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE '%undo%'"
    LOSE = "DELETE FROM \"%(table)s\" WHERE ctid IN (SELECT ctid FROM \"%(table)s\" LIMIT %(count)d)"

    def test_a_trigger_that_raises_for_one_record(self):
        damaged = self.damaged()
        self.ask("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'not this one'; END$$;"
                 "CREATE TRIGGER keep BEFORE DELETE ON t FOR EACH ROW WHEN (OLD.id = 120) EXECUTE FUNCTION keep(); ALTER TABLE t ENABLE ALWAYS TRIGGER keep")
        self.assertIn("not this one", self.repair(code=3).err)
        self.ask("DROP TRIGGER keep ON t")
        self.run_program("resume", "-q")
        self.assert_taken_back(damaged)


class Mysql(sql_case.ServerTarget, Cases, support.TestCase):
    SERVERS = mariadb
    POINTS = "mysql."
    UNDO = "SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_name LIKE '%undo%'"
    LOSE = "DELETE FROM `%(table)s` LIMIT %(count)d"


if __name__ == "__main__":
    unittest.main()
