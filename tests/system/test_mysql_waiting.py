"""
MySQL: somebody who waits to alter a table while it is copied. The run does not wait behind him for what it holds
itself. The others' doings by mariadb.
"""
import signal
import subprocess
import sys
import os
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import support
import test_mysql

TABLES = "abcdefgh"
ALTER = "ALTER TABLE %s ADD COLUMN n int"


class Waiting(test_mysql.MysqlCase):
    def setUp(self):
        super().setUp()
        self.name = self.made("; ".join("CREATE TABLE %s (id int PRIMARY KEY, t text); INSERT INTO %s SELECT seq, "
                                        "'x' FROM seq_1_to_3000" % (table, table) for table in TABLES))
        self.source = self.server.uri(self.name)

    def altering(self, tables):
        """Sessions that alter the tables, as soon as each waits."""
        sessions = [subprocess.Popen([*self.server.session_command(self.name), "-e",
                                      "ALTER TABLE %s ADD COLUMN n int" % table],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for table in tables]
        for session in sessions:
            self.addCleanup(session.kill)
        self.wait_until("they wait", lambda: self.server.waiting(self.name) == len(tables))
        return sessions

    def assert_altered(self, sessions, tables):
        self.assertEqual([session.wait(20) for session in sessions], [0] * len(tables))
        altered = self.server.ask(self.name,
                                  "SELECT table_name FROM information_schema.columns WHERE table_schema = database() "
                                  "AND column_name = 'n' ORDER BY 1")
        self.assertEqual("".join(name for name, in altered), tables)

    def test_an_alter_waits_until_its_table_is_copied(self):
        """By then every reader has touched every table: none of them has to queue behind it."""
        process = self.stopped_at("engine.batch_submitted:stop:1", "migrate", "--chunk-rows", "100", "--jobs", "2",
                                  "--timeout", "2s", self.source, "sqlite:copy.db")
        sessions = self.altering("fgh")
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 0)
        self.assertNotIn("Lock wait timeout", result.err)
        self.assertEqual(support.sqlite_counts(self.path("copy.db")), dict.fromkeys(TABLES, 3000))
        self.assert_altered(sessions, "fgh")

    def test_validate_likewise(self):
        self.run_program("migrate", self.source, "sqlite:copy.db")
        process = self.stopped_at("mysql.snapshot_taken:stop:1", "validate", "--jobs", "2", "--timeout", "2s",
                                  self.source, "sqlite:copy.db")
        sessions = self.altering("ah")
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 0)
        self.assert_altered(sessions, "ah")

    def test_validate_of_two_databases_of_one_server(self):
        """The lock for the other one's snapshot waits for the ALTER, which waits for the first one's: briefly."""
        target = self.made()
        self.run_program("migrate", self.source, self.server.uri(target))
        process = self.stopped_at("mysql.snapshot_taken:stop:1", "validate", "--jobs", "2", "--timeout", "4s",
                                  self.source, self.server.uri(target))
        sessions = self.altering("a")
        begun = time.monotonic()
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assertLess(time.monotonic() - begun, 8 * support.PATIENCE)
        self.assert_code(result, 3)
        self.assertIn("[source-locked]", result.err)
        self.assert_altered(sessions, "a")

    def test_one_that_comes_before_the_readers_gets_through(self):
        """They wait briefly; then the run ends, and lets go."""
        process = self.stopped_at("mysql.snapshot_held:stop:1", "migrate", "--jobs", "2", self.source, "sqlite:copy.db")
        sessions = self.altering("c")
        begun = time.monotonic()
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assertLess(time.monotonic() - begun, 6 * support.PATIENCE)
        self.assert_code(result, 3)
        self.assertIn("[source-locked]", result.err)
        self.assertIn("somebody waits to alter or lock a table until this run has read it", result.err)
        self.assert_altered(sessions, "c")
        self.run_program("migrate", self.source, "sqlite:again.db")


if __name__ == "__main__":
    unittest.main()
