"""Keys that differ in the source and are equal in a target that was there: no change reaches another record."""
import json
import os
import sqlite3
import sys
import unittest

import support

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import mariadb  # noqa: E402
import postgres  # noqa: E402

WITHOUT_CASE = "CREATE COLLATION anycase (provider = icu, locale = 'und-u-ks-level2', deterministic = false); "
TABLE = "CREATE TABLE k (k %s, n int, v int, PRIMARY KEY (k, n))"
SPOKEN = "the target's column k takes for equal what differs in"


class Equal:
    uri = None

    def setUp(self):
        super().setUp()
        self.source = self.path("source.db")
        self.change("CREATE TABLE k (k TEXT NOT NULL, n INT NOT NULL, v INT, PRIMARY KEY (k, n)) WITHOUT ROWID; "
                    "INSERT INTO k VALUES ('a', 1, 1), ('c', 1, 3)")

    def change(self, sql):
        connection = sqlite3.connect(self.source, isolation_level=None)
        connection.executescript(sql)
        connection.close()

    def follow(self, *options, code=0):
        return self.run_program("follow", "--catch-up", *options, code=code)

    def records(self):
        return sorted((k, int(n), int(v)) for k, n, v in self.ask("SELECT k, n, v FROM k"))

    def test_no_other_record_is_reached(self):
        said = self.run_program("check", "--follow", "sqlite:" + self.source, self.uri).out
        self.assertIn("enforced by the target", said)
        self.assertIn(SPOKEN, " ".join(said.split()))
        self.run_program("migrate", "--follow", "--catch-up", "sqlite:" + self.source, self.uri)
        self.change("INSERT INTO k VALUES ('A', 1, 10), ('c', 2, 4)")
        self.follow(code=1)
        self.assertEqual(self.records(), [("a", 1, 1), ("c", 1, 3), ("c", 2, 4)])
        self.assertIn("1 record is missing", " ".join(self.run_program("validate", code=1).out.split()))
        # the record that is there takes its changes, also beside one of the other
        self.change("BEGIN; UPDATE k SET v = 11 WHERE k = 'A'; UPDATE k SET v = 101 WHERE k = 'a'; COMMIT; "
                    "UPDATE k SET v = 12 WHERE k = 'A';"
                    "UPDATE k SET k = 'C' WHERE k = 'c' AND n = 1")
        self.follow(code=1)
        self.assertEqual(self.records(), [("C", 1, 3), ("a", 1, 101), ("c", 2, 4)])
        self.follow("--resync", code=1)
        self.assertEqual(self.records(), [("C", 1, 3), ("a", 1, 101), ("c", 2, 4)])
        # the refused one goes: the other stays
        self.change("DELETE FROM k WHERE k = 'A'")
        self.follow()
        self.assertEqual(self.records(), [("C", 1, 3), ("a", 1, 101), ("c", 2, 4)])
        # one in place of the other, in whatever order
        self.change("BEGIN; INSERT INTO k VALUES ('A', 1, 5); DELETE FROM k WHERE k = 'a'; COMMIT")
        self.follow()
        self.assertEqual(self.records(), [("A", 1, 5), ("C", 1, 3), ("c", 2, 4)])
        self.run_program("validate")

    def test_many_at_once(self):
        """A batch of them is one statement."""
        self.run_program("migrate", "--follow", "--catch-up", "sqlite:" + self.source, self.uri)
        self.change("BEGIN; INSERT INTO k SELECT char(97 + value % 26) || value, 1, "
                    "value FROM (WITH RECURSIVE s(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM s "
                    "WHERE value < 300) SELECT value FROM s); COMMIT")
        self.follow()
        self.change("BEGIN; UPDATE k SET v = v + 1; INSERT INTO k SELECT upper(k), n, "
                    "-v FROM k WHERE v BETWEEN 100 AND 102; COMMIT")
        self.follow(code=1)
        self.assertEqual(len(self.records()), 302)
        self.assertFalse([record for record in self.records() if record[2] < 0])
        self.change("DELETE FROM k WHERE v < 0")
        self.follow()
        self.assertEqual(len(self.records()), 302)
        self.change("DELETE FROM k WHERE v BETWEEN 100 AND 102")
        self.follow()
        self.run_program("validate")


class InSqlite(Equal, support.TestCase):
    def setUp(self):
        super().setUp()
        self.uri = "sqlite:" + self.path("target.db")
        self.ask(TABLE % "text COLLATE NOCASE")

    def ask(self, sql):
        connection = sqlite3.connect(self.path("target.db"))
        rows = connection.execute(sql).fetchall()
        connection.commit()
        connection.close()
        return rows


class OnServer(Equal):
    KIND = server = None
    COLUMN = BEFORE = ""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.KIND.Server.for_class(cls) if hasattr(cls.KIND.Server, "for_class") else cls.KIND.Server()
        if not hasattr(cls.KIND.Server, "for_class"):
            cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        self.uri = self.server.uri(self.name)
        for sql in filter(None, (self.BEFORE, TABLE % self.COLUMN)):
            self.ask(sql)

    def ask(self, sql):
        return self.server.ask(self.name, sql)

    def test_a_reason_names_the_column(self):
        self.run_program("migrate", "--follow", "--catch-up", "sqlite:" + self.source, self.uri)
        self.change("UPDATE k SET v = 'text' WHERE k = 'a'; INSERT INTO k VALUES ('d', 1, 'word'), ('e', 1, 'word')")
        self.follow(code=1)
        folder = self.path(".transhume", "rejects")
        reasons = []
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                reasons += [json.loads(line)["reason"] for line in file]
        self.assertEqual([reason.partition(" ")[0] for reason in reasons], ["v:"] * 3)


class InMariadb(OnServer, support.TestCase):
    KIND, COLUMN = mariadb, "varchar(20) COLLATE utf8mb4_general_ci"


class InMariadbWithBlanks(OnServer, support.TestCase):
    KIND, COLUMN = mariadb, "char(20) COLLATE utf8mb4_general_ci"


class InPostgres(OnServer, support.TestCase):
    KIND, COLUMN, BEFORE = postgres, "varchar(20) COLLATE anycase", WITHOUT_CASE


class InPostgresCitext(OnServer, support.TestCase):
    KIND, COLUMN, BEFORE = postgres, "citext", "CREATE EXTENSION citext"


if __name__ == "__main__":
    unittest.main()
