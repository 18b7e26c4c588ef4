"""What columns become in another engine that has no like of their types: `plan/resolve/resolve_own.c`."""
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
        source = self.sqlite("CREATE TABLE t (id INTEGER PRIMARY KEY, instant TIMESTAMP, moment DATETIME, day DATE, "
                             "wide DECIMAL(2000,5), narrow DECIMAL(10,2), "
                             "flag BOOLEAN, note JSON, length VARCHAR(9000));"
                             "INSERT INTO t VALUES (1, '2024-01-01T00:00:00Z', '2024-01-01 00:00:00', '2024-01-01', "
                             "1.5, 1.5, 1, '{}', 'x'), "
                             "(2, '2024-07-01T02:00:00+02:00', NULL, NULL, NULL, NULL, 0, NULL, NULL)")
        for server in self.servers:
            with self.subTest(server.TITLE):
                name = server.database()
                state = ("--state", self.path("state-" + server.TITLE))
                result = support.transhume("migrate", *state, source, server.uri(name), cwd=self.folder,
                                           env={"TRANSHUME_FAILPOINT": "engine.after_commit:kill:1"})
                self.assertNotEqual(result.code, 0)
                self.run_program("resume", *state, source, server.uri(name))
                self.run_program("validate", *state, "--level", "full", source, server.uri(name))
                self.assertEqual(server.ask(name, "SET time_zone = '+00:00'; SELECT instant FROM t ORDER BY id"
                                            if server is self.servers[1] else
                                            "SELECT instant AT TIME ZONE 'UTC' FROM t ORDER BY id"),
                                 [["2024-01-01 00:00:00" + fraction]
                                  for fraction in [self.fraction(server)]]
                                 + [["2024-07-01 00:00:00" + self.fraction(server)]])

    def fraction(self, server):
        return ".000000" if server is self.servers[1] else ""

    def test_instants_where_no_type_knows_the_zone(self):
        server = self.servers[1]
        source = self.sqlite("CREATE TABLE t (id INTEGER PRIMARY KEY, tz TIMESTAMP); INSERT INTO t VALUES (1, "
                             "'2024-01-01T00:00:00Z')")
        told = self.run_program("check", source, server.uri(server.database())).out
        self.assertIn("tz (TIMESTAMP) becomes a timestamp in UTC", told)

    def columns(self, server, name, table):
        """{column: (type, may it be NULL?, default)}"""
        rows = server.ask(name,
                          "SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns "
                          "WHERE table_name = '%s' "
                                "AND table_schema IN ('public', '%s')" % (table, name))
        return {row[0]: tuple(row[1:]) for row in rows}

    def copied_to_postgres(self, script):
        source, target = self.servers[1].database(), self.servers[0].database()
        self.servers[1].ask(source, "SET sql_mode = ''; " + script)
        self.run_program("migrate", "--state", self.path("state"), self.servers[1].uri(source),
                         self.servers[0].uri(target))
        return target

    def test_a_default_of_a_zero_day_alone_empties_nothing(self):
        target = self.copied_to_postgres("CREATE TABLE t (id INT PRIMARY KEY, d DATE NOT NULL DEFAULT '0000-00-00', "
                                         "z DATE NOT NULL DEFAULT '0000-00-00'); "
                                         "INSERT INTO t VALUES (1, '2024-01-01', '0000-00-00')")
        self.assertEqual(self.columns(self.servers[0], target, "t"),
                         {"id": ("integer", "NO", None), "d": ("date", "NO", None), "z": ("date", "YES", None)})

    def test_numbers_that_a_default_or_a_foreign_key_shows_to_be_such(self):
        target = self.copied_to_postgres("CREATE TABLE p (id INT PRIMARY KEY, k TINYINT(1), UNIQUE (k)); "
                                         "INSERT INTO p VALUES (1, 1); CREATE TABLE c (id INT PRIMARY KEY, "
                                         "k TINYINT(1), five TINYINT(1) DEFAULT 5, one TINYINT(1) DEFAULT 1, "
                                         "FOREIGN KEY (k) REFERENCES p (k)); INSERT INTO c VALUES (1, 1, 0, 0)")
        self.assertEqual({name: column[0] for name, column in self.columns(self.servers[0], target, "c").items()},
                         {"id": "integer", "k": "smallint", "five": "smallint", "one": "boolean"})
        self.assertEqual(self.columns(self.servers[0], target, "p")["k"][0], "smallint")

    def test_both_ends_of_a_foreign_key_are_of_one_type(self):
        source = self.sqlite("CREATE TABLE p (at DATETIME PRIMARY KEY, d DATE UNIQUE); "
                             "INSERT INTO p VALUES ('2024-01-01 00:00:00', '2024-01-01');"
                             "CREATE TABLE c (id INTEGER PRIMARY KEY, at DATETIME REFERENCES p(at), "
                             "d DATE REFERENCES p(d), other DATETIME);"
                             "INSERT INTO c VALUES (1, '2024-01-01 00:00:00', '2024-01-01', '2024-01-01 00:00:00')")
        for server in self.servers:
            with self.subTest(server.TITLE):
                name = server.database()
                self.run_program("migrate", "--state", self.path("state-" + server.TITLE), source, server.uri(name))
                parent, child = self.columns(server, name, "p"), self.columns(server, name, "c")
                self.assertEqual((child["at"][0], child["d"][0]), (parent["at"][0], parent["d"][0]))
                self.assertNotEqual(child["other"][0], child["at"][0])
                self.assertEqual(server.ask(name,
                                            "SELECT COUNT(*) FROM information_schema.referential_constraints WHERE "
                                            "constraint_schema IN ('public', '%s')" % name), [["2"]])

    def test_numbers_in_texts_that_are_there(self):
        script = ("CREATE TABLE t (id INT PRIMARY KEY, r %s, n NUMERIC(6,3)); INSERT INTO t VALUES (1, 0.1, 1.5), (2, "
                  "16777216, 0), (3, NULL, NULL)")
        for server, single in zip(self.servers, ("REAL", "FLOAT")):
            for other in self.servers:
                with self.subTest(source=server.TITLE, target=other.TITLE):
                    source, target = server.database(), other.database()
                    server.ask(source, script % single)
                    other.ask(target, "CREATE TABLE t (id INT PRIMARY KEY, r VARCHAR(40), n VARCHAR(40))")
                    arguments = ("--state", self.path("state-%s-%s" % (server.TITLE, other.TITLE)), server.uri(source),
                                 other.uri(target))
                    self.run_program("migrate", *arguments)
                    self.run_program("validate", "--level", "full", *arguments)
                    self.assertEqual(other.ask(target, "SELECT r, n FROM t ORDER BY id"),
                                     [["0.1", "1.500"], ["16777216", "0.000"], [None, None]])


if __name__ == "__main__":
    unittest.main()
