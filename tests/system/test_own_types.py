"""What columns become in another engine that has no like of their types: `plan/resolve_own.c`."""
import os
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers")]
import mariadb
import postgres
import support


class OwnTypes(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = postgres.for_class(cls), mariadb.for_class(cls)

    def sqlite(self, script, name="own.db"):
        with sqlite3.connect(self.path(name)) as database:
            database.executescript(script)
        return "sqlite:" + name

    def test_the_mapping_is_the_same_once_the_tables_are_made(self):
        source = self.sqlite("CREATE TABLE t (id INTEGER PRIMARY KEY, instant TIMESTAMP, moment DATETIME, day DATE, wide DECIMAL(2000,5), narrow DECIMAL(10,2), "
                             "flag BOOLEAN, note JSON, length VARCHAR(9000));"
                             "INSERT INTO t VALUES (1, '2024-01-01T00:00:00Z', '2024-01-01 00:00:00', '2024-01-01', 1.5, 1.5, 1, '{}', 'x'), "
                             "(2, '2024-07-01T02:00:00+02:00', NULL, NULL, NULL, NULL, 0, NULL, NULL)")
        for server in self.servers:
            with self.subTest(server.TITLE):
                name = server.database()
                state = ("--state", self.path("state-" + server.TITLE))
                result = support.transhume("migrate", *state, source, server.uri(name), cwd=self.folder, env={"TRANSHUME_FAILPOINT": "engine.after_commit:kill:1"})
                self.assertNotEqual(result.code, 0)
                self.run_program("resume", *state, source, server.uri(name))
                self.run_program("validate", *state, "--level", "full", source, server.uri(name))
                self.assertEqual(server.ask(name, "SET time_zone = '+00:00'; SELECT instant FROM t ORDER BY id" if server is self.servers[1] else
                                            "SELECT instant AT TIME ZONE 'UTC' FROM t ORDER BY id"),
                                 [["2024-01-01 00:00:00" + fraction] for fraction in [self.fraction(server)]] + [["2024-07-01 00:00:00" + self.fraction(server)]])

    def fraction(self, server):
        return ".000000" if server is self.servers[1] else ""

    def test_instants_where_no_type_knows_the_zone(self):
        server = self.servers[1]
        source = self.sqlite("CREATE TABLE t (id INTEGER PRIMARY KEY, tz TIMESTAMP); INSERT INTO t VALUES (1, '2024-01-01T00:00:00Z')")
        told = self.run_program("check", source, server.uri(server.database())).out
        self.assertIn("tz (TIMESTAMP) becomes a timestamp in UTC", told)


if __name__ == "__main__":
    unittest.main()
