"""What follows a load into a server: indexes of the largest tables first, several at once, and statistics when they are there; by the server's own log."""
import os
import re
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
            script += ("CREATE TABLE {0} (id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX by_{0} ON {0} (v); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {1}) "
                       "INSERT INTO {0} SELECT i, i || hex(zeroblob(100)) FROM c;").format("t%d" % number, 200 * (number + 1) if number != 4 else 6000)
        return support.make_sqlite(self.path("s.db"), script)

    def test_largest_first_and_statistics_last(self):
        target = self.server.database()
        self.run_program("migrate", self.source(), self.server.uri(target))
        statements = self.logged()
        indexes = [found[1] for found in (re.search(self.INDEX, line) for line in statements) if found]
        self.assertEqual(sorted(indexes), ["t%d" % number for number in range(TABLES)])
        # who takes one has taken all larger ones, of which as many may not be at work yet as there are others
        for place, number in enumerate([4, *(number for number in reversed(range(TABLES)) if number != 4)]):
            self.assertGreater(indexes.index("t%d" % number) + AT_ONCE, place, indexes)
        for number in range(TABLES):
            made = [place for place, line in enumerate(statements) if re.search(self.INDEX, line) and re.search(r"\bt%d\b" % number, line)]
            counted = [place for place, line in enumerate(statements) if re.search(r"ANALYZE\b.*\bt%d\b" % number, line)]
            self.assertEqual(len(counted), 1, number)
            self.assertGreater(counted[0], made[0], number)


class Postgres(AfterLoad, support.TestCase):
    INDEX = r"CREATE INDEX.* ON .*\b(t\d)\b"

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls, settings={"log_statement": "all"})

    def logged(self):
        with open(os.path.join(self.server.folder, "log"), encoding="utf-8", errors="replace") as file:
            return re.findall(r"LOG:  (?:statement|execute [^:]*): (.*)", file.read())


class Mysql(AfterLoad, support.TestCase):
    INDEX = r"(?:ALTER TABLE|CREATE INDEX).*\b(t\d)`.*by_"

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)
        cls.server.ask("", "SET GLOBAL log_output = 'TABLE', general_log = 1")

    def logged(self):
        return [row[0] for row in self.server.ask("", "SELECT REPLACE(CONVERT(argument USING utf8mb4), '\\n', ' ') FROM mysql.general_log WHERE command_type = 'Query' "
                                                      "ORDER BY event_time, thread_id")]


if __name__ == "__main__":
    unittest.main()
