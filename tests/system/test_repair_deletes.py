"""
What `validate --repair --delete-extra` takes out of SQL targets while they fail: it is tried again, and counted only
once it is gone.
"""
import contextlib
import json
import os
import signal
import sqlite3
import sys
import time
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
    one_database_each = True

    POINTS = ""    # how its failpoints begin
    UNDO = ""      # asks for the name of the table with images
    LOSE = ""      # some of what is in a table

    def damaged(self, extra=30):
        """A copy with some extra records."""
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t VALUES %s"
                            % ", ".join("(%s, '%s')" % tuple(row) for row in KEPT))
        self.target = self.new_target()
        self.run_program("migrate", "-q", "shop.db", self.target)
        self.ask("INSERT INTO t VALUES %s" % ", ".join("(%d, 'extra')" % (100 + number) for number in range(extra)))
        return self.held()

    def keyless(self):
        """Two of each record, and two more of one of them."""
        support.make_sqlite(self.path("shop.db"),
                            "CREATE TABLE n(v TEXT); INSERT INTO n VALUES ('a'), ('a'), ('b'), ('b')")
        self.target = self.new_target()
        self.run_program("migrate", "-q", "shop.db", self.target)
        self.ask("INSERT INTO n VALUES ('a'), ('a')")

    def held(self):
        return self.ask("SELECT id, name FROM t ORDER BY id")

    def left(self):
        return [value for value, in self.ask("SELECT v FROM n ORDER BY v")]

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
        self.assertIn("the run deleted %d records, undo records are there of 150" % (AT_ONCE + 100), refused.err)
        self.assertEqual(self.held(), KEPT)

    # --- trying again

    def test_what_fails_in_passing_is_tried_again(self):
        self.assert_tried_again("before_delete:retry")

    def test_what_fails_after_its_commit_is_tried_again(self):
        """Nothing is left to be taken out then, which is no reason to warn."""
        self.assert_tried_again("after_delete:retry")

    def assert_tried_again(self, rule):
        damaged = self.damaged()
        self.repair(rule)
        self.assertRegex(self.log(), r"try 2 in \d+ ms after: ")
        self.assertNotIn("keys to delete", self.log())
        self.assert_taken_back(damaged)

    def test_what_may_be_gone_of_a_table_without_a_key_is_not_taken_out_again(self):
        self.keyless()
        self.repair("after_delete:retry", code=1)
        self.assertIn("table n has no key: the rest of its 2 extra records stays", self.log())
        self.assertEqual(self.left(), ["a", "a", "b", "b"])
        self.run_program("validate", "-q")

    def held_up(self, table):
        """
        A repair that tries again, since somebody locked the table's records when it was about to take some out, and
        what lets go of them.
        """
        raise NotImplementedError

    def test_a_lock_is_waited_for(self):
        damaged = self.damaged()
        process, let_go = self.held_up("t")
        let_go()
        self.assert_code(support.finish(process), 0)
        self.assert_taken_back(damaged)

    def test_a_lock_is_waited_for_without_a_key_too(self):
        self.keyless()
        process, let_go = self.held_up("n")
        let_go()
        self.assert_code(support.finish(process), 0)
        self.assertEqual(self.left(), ["a", "a", "b", "b"])

    def test_stopped_while_it_tries_again(self):
        damaged = self.damaged()
        process, let_go = self.held_up("t")
        process.send_signal(signal.SIGINT)
        self.assert_code(support.finish(process), 4)
        let_go()
        self.assertEqual(self.held(), damaged)
        self.run_program("resume", "-q")
        self.assert_taken_back(damaged)

    def held_up_by(self, let_go, lock):
        process = self.stopped_at("engine.before_repair_delete:stop", *REPAIR, "--timeout", "1s")
        self.addCleanup(let_go)
        lock()
        process.send_signal(signal.SIGCONT)
        self.wait_until("it tries again", lambda: "try 2 in" in self.log() or process.poll() is not None)
        return process, let_go


class Sqlite(sql_case.SqliteTarget, Cases, support.TestCase):
    POINTS = "sqlite."
    UNDO = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE '%undo%'"
    LOSE = "DELETE FROM \"%(table)s\" WHERE \"+id\" IN (SELECT \"+id\" FROM \"%(table)s\" LIMIT %(count)d)"

    def held_up(self, _):
        holder = sqlite3.connect(self.path(self.file), isolation_level=None)
        return self.held_up_by(holder.close, lambda: holder.execute("BEGIN IMMEDIATE"))


class OfServer(sql_case.ServerTarget):
    IMPATIENT = ""   # whoever connects from now on waits for a record's lock for a second

    def hold(self, table):
        """Somebody's session that has locked all records."""
        holder = self.server.session(self.database)
        self.addCleanup(holder.close)
        holder.ask("BEGIN; SELECT count(*) FROM (SELECT * FROM %s FOR UPDATE) AS x" % table)
        return holder

    def held_up(self, table):
        self.ask(self.IMPATIENT.replace("DATABASE", "DATABASE " + self.database))
        holders = []
        return self.held_up_by(lambda: holders[0].close(), lambda: holders.append(self.hold(table)))

    def end_waiting(self):
        """Ends the session that waits for a record, if there is one."""
        raise NotImplementedError

    def test_a_session_that_was_ended_is_made_anew(self):
        damaged = self.damaged()
        process = self.stopped_at("engine.before_repair_delete:stop", *REPAIR)
        holder = self.hold("t")
        process.send_signal(signal.SIGCONT)
        self.wait_until("its session ends", lambda: self.end_waiting() or process.poll() is not None)
        self.wait_until("it tries again", lambda: "try 2 in" in self.log() or process.poll() is not None)
        holder.close()
        self.assert_code(support.finish(process), 0)
        self.assert_taken_back(damaged)


class Postgres(OfServer, Cases, support.TestCase):
    SERVERS = postgres
    POINTS = "postgres."
    IMPATIENT = "ALTER DATABASE SET lock_timeout = '1s'"
    UNDO = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE '%undo%'"
    LOSE = "DELETE FROM \"%(table)s\" WHERE ctid IN (SELECT ctid FROM \"%(table)s\" LIMIT %(count)d)"

    def end_waiting(self):
        return self.ask("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted")

    def test_a_trigger_that_raises_for_one_record(self):
        damaged = self.damaged()
        self.ask("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'not this one'; END$$;"
                 "CREATE TRIGGER keep BEFORE DELETE ON t FOR EACH ROW WHEN (OLD.id = 120) EXECUTE FUNCTION keep(); "
                 "ALTER TABLE t ENABLE ALWAYS TRIGGER keep")
        self.assertIn("not this one", self.repair(code=3).err)
        self.ask("DROP TRIGGER keep ON t")
        self.run_program("resume", "-q")
        self.assert_taken_back(damaged)


class Mysql(OfServer, Cases, support.TestCase):
    SERVERS = mariadb
    POINTS = "mysql."
    IMPATIENT = "SELECT 1"   # --timeout does it
    UNDO = ("SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_name LIKE "
            "'%undo%'")
    LOSE = "DELETE FROM `%(table)s` LIMIT %(count)d"

    def end_waiting(self):
        time.sleep(0.12)   # whoever reads it more often reads the same copy, for ever
        waiting = self.ask("SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_state = "
                           "'LOCK WAIT'")
        for thread, in waiting:
            with contextlib.suppress(AssertionError):   # gone meanwhile
                self.ask("KILL %s" % thread)
        return waiting


if __name__ == "__main__":
    unittest.main()
