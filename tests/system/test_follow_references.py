"""
Foreign keys behind a followed copy that was resumed: it is of several moments, until the changes since are applied.
What is told in the end is the truth.
"""
import json
import unittest

import support
from follow_schema_case import MariadbServer, PostgresServer
from test_follow import PostgresSide, SqliteSide
from test_follow_mysql import MysqlSide

ROWS = 30
SCHEMA = ("CREATE TABLE parent (id INTEGER PRIMARY KEY, name VARCHAR(20));"
          "CREATE TABLE child (id INTEGER PRIMARY KEY, pid INTEGER, FOREIGN KEY (pid) REFERENCES parent (id));"
          "INSERT INTO parent VALUES %s; INSERT INTO child VALUES %s;"
          % (", ".join("(%d, 'p')" % (i * 10) for i in range(ROWS)),
             ", ".join("(%d, %d)" % (i * 10, i * 10) for i in range(ROWS))))
MOVED = ("INSERT INTO parent VALUES (5, 'new'), (295, 'new'); INSERT INTO child VALUES (6, 5), (296, 295); "
         "UPDATE child SET pid = 5 WHERE pid >= 200;"
         "DELETE FROM child WHERE pid = 10 OR pid = 190; DELETE FROM parent WHERE id = 10 OR id = 190;")
KILLS = (1, 3, 5, 7, 9, 11)


class References(PostgresServer):
    """Brings: sides()"""

    made = 0

    def resumed(self, occurrence, moved):
        """A copy that was killed after so many commits, with what changed since; what --catch-up ends with."""
        self.made += 1
        state = "--state=state%d" % self.made
        self.source, self.target = self.sides()
        self.source.make(SCHEMA)
        support.kill_at("engine.after_commit", occurrence, "migrate", state, "--follow", "--catch-up", "--jobs", "1",
                        "--chunk-rows", "5", self.source.uri, self.target.uri,
                        cwd=self.folder)
        self.source.make(moved)
        self.addCleanup(support.transhume, "cutover", state, "--abandon", "--confirm", cwd=self.folder)
        return state

    def broken(self, state):
        return json.loads(support.transhume("status", state, "--json", cwd=self.folder).out)["broken_references"]

    def test_what_the_changes_mend(self):
        looked = 0
        for occurrence in KILLS:
            with self.subTest(kill=occurrence):
                state = self.resumed(occurrence, MOVED)
                result = self.run_program("follow", state, "--take-over", "--catch-up")
                looked += "foreign keys that were broken behind the copy are obeyed now" in result.err
                self.assertEqual(self.broken(state), 0)
                for table in ("parent", "child"):
                    self.assertEqual(self.target.rows(table), self.source.rows(table))
                self.assert_keys_hold()
        self.assertGreater(looked, 0, "no copy was of two moments")

    def assert_keys_hold(self):
        """Of a target that validates its keys."""

    def test_what_they_do_not_mend(self):
        """Orphans of the source's own stay told."""
        state = self.resumed(3, MOVED + self.orphan)
        self.run_program("follow", state, "--take-over", "--catch-up", code=1)
        self.assertGreater(self.broken(state), 0)
        self.source.make("DELETE FROM child WHERE id = 7;")
        self.run_program("follow", state, "--catch-up")
        self.assertEqual(self.broken(state), 0)

    orphan = ("SET session_replication_role = replica; INSERT INTO child VALUES (7, 7777); "
              "SET session_replication_role = origin;")


class PostgresToSqlite(References, support.TestCase):
    def sides(self):
        return PostgresSide(self, self.server, "source"), SqliteSide(self, "copy%d.db" % self.made)


class PostgresToPostgres(References, support.TestCase):
    def sides(self):
        return PostgresSide(self, self.server, "source"), PostgresSide(self, self.server, "copy")

    def assert_keys_hold(self):
        self.assertEqual(self.server.psql(self.target.name,
                                          "SELECT convalidated FROM pg_constraint WHERE contype = 'f'"), [["t"]])


class PostgresToMariadb(References, MariadbServer, support.TestCase):
    def sides(self):
        return PostgresSide(self, self.server, "source"), MysqlSide(self.maria)


if __name__ == "__main__":
    unittest.main()
