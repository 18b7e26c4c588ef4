"""
What follows a load into a server: indexes of the largest tables first, several at once, and statistics when they are
there; by the server's own log.
"""
import os
import re
import signal
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import support

TABLES, AT_ONCE = 9, 4


class AfterLoad:
    def source(self):
        """Tables of which each is larger than the one before, whatever order their names have."""
        script = ""
        for number in range(TABLES):
            script += ("CREATE TABLE {0} (id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX by_{0} ON {0} (v); "
                       "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {1}) "
                       "INSERT INTO {0} SELECT i, i || hex(zeroblob(100)) FROM c;").format("t%d" % number,
                           200 * (number + 1) if number != 4 else 6000)
        return support.make_sqlite(self.path("s.db"), script)

    def test_largest_first_and_statistics_last(self):
        target = self.server.database()
        self.run_program("migrate", self.source(), self.server.uri(target))
        statements = self.logged(target)
        self.assert_largest_first(statements)
        for number in range(TABLES):
            made = [place for place, line in enumerate(statements) if re.search(self.INDEX, line)
                    and re.search(r"\bt%d\b" % number, line)]
            counted = [place for place, line in enumerate(statements)
                       if re.search(r"ANALYZE\b.*\bt%d\b" % number, line)]
            self.assertEqual(len(counted), 1, number)
            self.assertGreater(counted[0], made[0], number)

    def assert_largest_first(self, statements):
        indexes = [found[1] for found in (re.search(self.INDEX, line) for line in statements) if found]
        self.assertEqual(sorted(indexes), ["t%d" % number for number in range(TABLES)])
        # who takes one has taken all larger ones, of which as many may not be at work yet as there are others
        for place, number in enumerate([4, *(number for number in reversed(range(TABLES)) if number != 4)]):
            self.assertGreater(indexes.index("t%d" % number) + AT_ONCE, place, indexes)

    def test_one_that_waits_holds_no_other_up(self):
        """
        The first of all, that of the largest table, waits for a lock: the indexes of all others are made meanwhile.
        """
        target = self.server.database()
        process = self.stopped_at("engine.after_commit:stop:1", "migrate", self.source(), self.server.uri(target))
        holder = self.server.session(target)
        self.addCleanup(holder.close)
        holder.ask("BEGIN; %s; SELECT 1" % self.LOCK)
        process.send_signal(signal.SIGCONT)
        self.wait_until("the others have theirs", lambda: len(self.indexed(target)) == TABLES - 1
                        or process.poll() is not None)
        self.assertEqual(self.indexed(target), ["t%d" % number for number in range(TABLES) if number != 4])
        self.assertIsNone(process.poll())
        holder.close()
        self.assert_code(support.finish(process), 0)
        self.assertEqual(len(self.indexed(target)), TABLES)


class Postgres(AfterLoad, support.TestCase):
    INDEX = r"CREATE INDEX.* ON .*\b(t\d)\b"
    LOCK = "LOCK TABLE t4 IN ROW EXCLUSIVE MODE"   # as who writes has it

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls, settings={"log_statement": "all", "log_line_prefix": "%d: "})

    def indexed(self, name):
        return [row[0] for row in self.server.ask(name,
                                                  "SELECT tablename FROM pg_indexes WHERE indexname LIKE 'by%' "
                                                  "ORDER BY 1")]

    def test_a_large_table_is_counted_once(self):
        """With its statistics, by a session of its own; the others are by the one that asks for each."""
        target = self.server.database()
        self.run_program("migrate", self.source(), self.server.uri(target))
        counts = [found[1] for found in (re.search(r"SELECT count\(\*\) FROM .*\b(t\d)\b", line)
                                         for line in self.logged(target)) if found]
        self.assertEqual(sorted(counts), ["t%d" % number for number in range(TABLES)])
        self.assertEqual(counts[0], "t4")

    def test_records_that_are_gone_are_missed(self):
        """Whoever counted the table."""
        source = self.source()
        for table, there in (("t4", 6000), ("t0", 200)):
            with self.subTest(table=table):
                target = self.server.database()
                process = self.stopped_at("engine.before_after_load:stop:1", "migrate", "--state", "of " + table,
                                          source, self.server.uri(target))
                self.server.ask(target, "DELETE FROM %s WHERE id = 1" % table)
                process.send_signal(signal.SIGCONT)
                result = support.finish(process)
                self.assert_code(result, 3)
                self.assertIn("error: %s: %d records were written, but %d are in the table [reconcile]" % (table, there,
                    there - 1), result.err)

    def logged(self, name):
        with open(os.path.join(self.server.folder, "log"), encoding="utf-8", errors="replace") as file:
            return re.findall(r"(?m)^%s: LOG:  (?:statement|execute [^:]*): (.*)" % name, file.read())


class Mysql(AfterLoad, support.TestCase):
    INDEX = r"(?:ALTER TABLE|CREATE INDEX).*\b(t\d)`.*by_"
    LOCK = "SELECT count(*) FROM t4"   # the transaction keeps it from being altered

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)
        cls.server.ask("", "SET GLOBAL log_output = 'TABLE', general_log = 1")

    def setUp(self):
        super().setUp()
        self.server.ask("", "TRUNCATE mysql.general_log")

    def indexed(self, name):
        return [row[0] for row in self.server.ask(name,
                                                  "SELECT DISTINCT table_name FROM information_schema.statistics WHERE "
                                                  "table_schema = database() AND index_name LIKE 'by%' "
                                                        "ORDER BY 1")]

    def test_the_server_takes_the_largest_for_the_smallest(self):
        """Its counts are estimates, which may be of a moment when a table was nearly empty."""
        target = self.server.database()
        self.server.ask("", "SET GLOBAL innodb_stats_persistent = ON")   # they can be edited
        self.addCleanup(self.server.ask, "", "SET GLOBAL innodb_stats_persistent = OFF")
        process = self.stopped_at("engine.before_after_load:stop:1", "migrate", self.source(), self.server.uri(target))
        self.server.ask(target,
                        "UPDATE mysql.innodb_table_stats SET n_rows = 1 WHERE database_name = '%s' AND table_name IN "
                        "('t4', 't7', 't8')" % target)
        # so it reads them
        self.server.ask(target,
                        "RENAME TABLE t4 TO other, other TO t4, t7 TO other, other TO t7, t8 TO other, other TO t8")
        self.assertEqual(self.server.ask(target,
                                         "SELECT table_rows FROM information_schema.tables WHERE table_schema = "
                                         "database() AND table_name = 't4'")[0][0], "1")
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 0)
        self.assert_largest_first(self.logged(target))

    def logged(self, _name):
        return [row[0] for row in self.server.ask("",
                                                  "SELECT REPLACE(CONVERT(argument USING utf8mb4), '\\n', "
                                                  "' ') FROM mysql.general_log WHERE command_type = 'Query' "
                                                      "ORDER BY event_time, thread_id")]


if __name__ == "__main__":
    unittest.main()
