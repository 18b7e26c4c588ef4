"""
Somebody who waits for a table while it is copied, as TRUNCATE does: what reads it does not queue behind, and the copy
comes to its end.
"""
import contextlib
import signal
import sqlite3
import subprocess
import time
import unittest

import support
from follow_schema_case import PostgresServer

TABLES = "abcdefgh"


class Waiting(PostgresServer, support.TestCase):
    def test_a_truncate_waits_until_it_is_copied(self):
        name = self.server.database()
        self.server.psql(name,
                         "; ".join("CREATE TABLE %s (id int primary key); INSERT INTO %s SELECT "
                                   "generate_series(1, 3000)" % (table, table) for table in TABLES))
        process = self.stopped_at("engine.batch_submitted:stop:1", "migrate", "--chunk-rows", "100", "--jobs", "2",
                                  "--timeout", "2s", self.server.uri(name), "sqlite:copy.db")
        waiting = subprocess.Popen(self.server.session_command(name) + ["-c", "TRUNCATE h"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(waiting.kill)
        self.wait_until("it waits", lambda: self.server.psql(name,
                                                             "SELECT count(*) FROM pg_locks WHERE NOT granted")
                        == [["1"]])
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 0)
        self.assertNotIn("lock timeout", result.err)
        self.assertEqual(support.sqlite_counts(self.path("copy.db")), dict.fromkeys(TABLES, 3000))
        self.assertEqual(waiting.wait(20), 0)
        self.assertEqual(self.server.psql(name, "SELECT count(*) FROM h"), [["0"]])

    def waited_for(self, name, statement, *words):
        """It comes before the readers, which wait briefly: then the run lets go."""
        self.server.psql(name,
                         "; ".join("CREATE TABLE %s (id int primary key); INSERT INTO %s SELECT "
                                   "generate_series(1, 3000)" % (table, table) for table in TABLES))
        process = self.stopped_at("postgres.snapshot_taken:stop:1", "migrate", "--jobs", "2", *words,
                                  self.server.uri(name), "sqlite:copy.db")
        waiting = subprocess.Popen(self.server.session_command(name) + ["-c", statement], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.addCleanup(waiting.kill)
        self.wait_until("it waits", lambda: self.server.psql(name,
                                                             "SELECT count(*) FROM pg_locks WHERE NOT granted")
                        == [["1"]])
        begun = time.monotonic()
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assertLess(time.monotonic() - begun, 8 * support.PATIENCE)
        self.assertIn("somebody waits to alter or lock a table until this run has read it", result.err)
        self.assertEqual(waiting.wait(20), 0)
        return result

    def test_one_that_comes_before_the_readers_gets_through(self):
        name = self.server.database()
        result = self.waited_for(name, "ALTER TABLE c ADD n int")
        self.assert_code(result, 3)
        self.assertIn("[source-locked]", result.err)
        self.run_program("migrate", "--state", "again", self.server.uri(name), "sqlite:again.db")

    def goes_on_behind(self, statement, left):
        """At a new moment of the source: the changes in between put right what was copied before."""
        name = self.server.database()
        result = self.waited_for(name, statement, "--follow", "--catch-up")
        self.assert_code(result, 0)
        self.assertIn("goes on behind the other one", result.err)
        self.assertEqual(support.sqlite_counts(self.path("copy.db")), {**dict.fromkeys(TABLES, 3000), "c": left})
        self.addCleanup(self.run_program, "cutover", "--abandon", "--confirm")
        return name

    def test_a_run_that_follows_goes_on_behind_a_truncate(self):
        self.goes_on_behind("TRUNCATE c", 0)

    def test_a_run_that_follows_goes_on_behind_an_alter(self):
        name = self.goes_on_behind("ALTER TABLE c ADD n int", 3000)
        self.server.psql(name, "UPDATE c SET n = 7 WHERE id = 1")
        self.run_program("follow", "--catch-up")
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
            self.assertEqual(db.execute("SELECT n FROM c WHERE id = 1").fetchall(), [(7,)])


if __name__ == "__main__":
    unittest.main()
