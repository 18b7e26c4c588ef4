"""Each version of PostgreSQL, MariaDB and MySQL that is to be had, in a soak: a source that is followed, versioned
files up and down, a declared change there and back.

Copies between the versions are those of test_versions and test_versions_mysql. The servers come from the cache of test
servers, which `make servers` fills.
"""
import contextlib
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import cache
import mariadb
import mysql
import postgres
import support

TABLE = ("CREATE TABLE t (id int PRIMARY KEY, v varchar(20) NOT NULL, n varchar(10)); INSERT INTO t VALUES %s"
         % ", ".join("(%d, 'row %d', '%d')" % (i, i, i) for i in range(1, 301)))
WRITES = "UPDATE t SET v = 'new' WHERE id < 4; DELETE FROM t WHERE id = 9; INSERT INTO t VALUES (1000, 'last', NULL)"
ROWS = "SELECT id, v, n FROM t ORDER BY id"
UP = ("CREATE TABLE more (id int PRIMARY KEY, t int REFERENCES t (id));\nINSERT INTO more VALUES (1, "
      "1);\nALTER TABLE t ADD COLUMN w int;\n")
DOWN = "ALTER TABLE t DROP COLUMN w;\nDROP TABLE more;\n"
CHANGE = "operations:\n- alter_column: {table: t, column: n, type: bigint, up: \"%s\", down: \"%s\"}\n"


@unittest.skipUnless(support.SOAK, "a soak: each version of each server")
class InPlace(support.TestCase):
    maxDiff = None

    def each(self, names, start):
        """(its name, a server of it), of those that are there."""
        found = [name for name in names if cache.PACKAGES[name].path()]
        if not found:
            self.skipTest("none of %s is in %s: `make servers` fetches them" % (", ".join(names), cache.cache_folder()))
        for name in found:
            with self.subTest(name):
                server = start(name)
                try:
                    yield name, server
                finally:
                    server.stop()

    def followed(self, name, server, ask):
        """Into a file, with what is written meanwhile."""
        source, target, state = server.database(), self.path(name + ".db"), ("--state", self.path("state-" + name))
        ask(source, TABLE)
        self.run_program("migrate", "--follow", "--catch-up", server.uri(source), "sqlite:" + target, *state)
        ask(source, WRITES)
        self.run_program("follow", "--catch-up", *state)
        with contextlib.closing(sqlite3.connect(target)) as db:
            self.assertEqual([[None if value is None else str(value) for value in row] for row in db.execute(ROWS)],
                             ask(source, ROWS))
        self.run_program("cutover", "--confirm", *state)

    def versioned(self, name, server, ask):
        database, folder = server.database(), "migrations-" + name
        ask(database, TABLE)
        os.mkdir(self.path(folder))
        self.write(folder + "/001_more.up.sql", UP)
        self.write(folder + "/001_more.down.sql", DOWN)
        for _ in range(2):
            self.run_program("schema", "up", "--dir", folder, server.uri(database))
            self.assertEqual(ask(database, "SELECT count(*), count(w), (SELECT max(id) FROM more) FROM t"),
                             [["300", "0", "1"]])
            self.run_program("schema", "down", "--confirm", "--dir", folder, server.uri(database))
            self.assertEqual(ask(database, ROWS)[0], ["1", "row 1", "1"])

    def changed(self, name, server, ask, up, down):
        os.mkdir(self.path(name))
        database, file = server.database(), self.write(name + "/001_c.change.yaml", CHANGE % (up, down))
        ask(database, TABLE)
        self.run_program("change", "start", file, server.uri(database))
        ask(database, "UPDATE t SET n = '77' WHERE id = 3; INSERT INTO t VALUES (301, 'x', '5')")
        self.run_program("change", "abort", server.uri(database))
        self.assertEqual(ask(database, "SELECT n FROM t WHERE id IN (3, 301) ORDER BY id"), [["77"], ["5"]])
        self.run_program("change", "run", file, server.uri(database), "--confirm")
        self.assertEqual(ask(database, "SELECT sum(n + 1), count(*) FROM t"),
                         [[str(sum(range(1, 301)) + 74 + 5 + 301), "301"]])

    def test_postgres(self):
        for name, server in self.each(["postgres-%d" % version for version in (12, 14, 16, 17, 18)],
                                      lambda name: postgres.Server(version=int(name[len("postgres-"):]),
                                                                   settings=postgres.FOLLOWED)):
            self.followed(name, server, server.ask)
            self.versioned(name, server, server.ask)
            self.changed(name, server, server.ask, "n::bigint", "n::text")

    def test_mysql(self):
        for name, server in self.each(["mariadb-10.2", "mariadb-11.4", "mysql-9"],
                                      lambda name: (mysql if name == mysql.VERSION else mariadb).Server(version=name,
                                          settings=mariadb.FOLLOWED)):
            self.followed(name, server, server.ask)
            self.versioned(name, server, server.ask)
            self.changed(name, server, server.ask, "cast(n as signed)", "cast(n as char)")


if __name__ == "__main__":
    unittest.main()
