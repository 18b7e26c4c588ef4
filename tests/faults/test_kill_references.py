"""kill -9 at every failpoint of a run into tables that refer to each other, and of one that merges databases; then
again in the resume,
or in a rollback. Whatever is filled in, renumbered or rejected is so once."""
import os
import random
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", name) for name in ("servers", "system")]
import mariadb
import postgres
import support
import taking_back

CASES = 1000 if support.SOAK else 5   # of a kind
TABLES = """
CREATE TABLE team (id INTEGER PRIMARY KEY, head INTEGER, name VARCHAR(20));
CREATE TABLE person (id INTEGER PRIMARY KEY, team INTEGER NOT NULL, boss INTEGER, house INTEGER);
CREATE TABLE house (id INTEGER PRIMARY KEY, keeper INTEGER);
"""
KEYS = """
ALTER TABLE team ADD FOREIGN KEY (head) REFERENCES person (id);
ALTER TABLE person ADD FOREIGN KEY (team) REFERENCES team (id);
ALTER TABLE person ADD FOREIGN KEY (boss) REFERENCES person (id);
ALTER TABLE person ADD FOREIGN KEY (house) REFERENCES house (id);
ALTER TABLE house ADD FOREIGN KEY (keeper) REFERENCES person (id);
"""
THERE = "INSERT INTO team VALUES (1, NULL, 'theirs'); INSERT INTO person VALUES (1, 1, NULL, NULL);"
# What stands in the keys' way is what is read back, with the numbers taken off by which keys were moved.
READ = {"team": "SELECT id, head, name FROM team ORDER BY id",
        "person": "SELECT id, team, boss, house FROM person ORDER BY id",
        "house": "SELECT id, keeper FROM house ORDER BY id"}
KINDS = {
    "circle": ("--existing", "append"),
    "merged": ("--existing", "skip", "--renumber", "team", "--renumber", "person", "--renumber", "house"),
}


class References:
    SERVERS = None

    @classmethod
    def setUpClass(cls):
        cls.server = cls.SERVERS.for_class(cls)

    def setUp(self):
        super().setUp()
        self.random = random.Random("%d %s" % (support.SEED, self.id()))
        self.sources = {}
        for kind, first in (("circle", 2), ("merged", 1)):
            numbers = "WITH RECURSIVE n(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM n WHERE i < 60) " % first
            self.sources[kind] = support.make_sqlite(self.path(kind + ".db"),
                                                     TABLES.replace("team INTEGER NOT NULL",
                                                                    "team INTEGER NOT NULL REFERENCES team (id)")
                                                     .replace("head INTEGER", "head INTEGER REFERENCES person (id)")
                                                     .replace("boss INTEGER", "boss INTEGER REFERENCES person (id)")
                                                     .replace("house INTEGER", "house INTEGER REFERENCES house (id)")
                                                     .replace("keeper INTEGER",
                                                              "keeper INTEGER REFERENCES person (id)") +
                                                     numbers
                                                     + "INSERT INTO team SELECT i, %d + 60 - i, 't' || i FROM n;"
                                                     % first +
                                                     numbers
                                                     + "INSERT INTO person SELECT i, i, nullif(%d + (i * 7) %% %d, i), "
                                                       "i FROM n;" % (first, 61 - first) +
                                                     numbers + "INSERT INTO house SELECT i, i FROM n;")

    def fresh(self):
        name = self.server.database()
        self.server.ask(name, TABLES + KEYS + THERE)
        return name

    def read(self, name):
        return {table: self.server.ask(name, sql) for table, sql in READ.items()}

    def arguments(self, kind, name, state):
        return (self.sources[kind], self.server.uri(name), *KINDS[kind], "--chunk-rows", "20", "--jobs", "2", "--state",
                state)

    def test_kills(self):
        for kind in KINDS:
            whole = self.fresh()
            result, counts = support.count_failpoints("migrate",
                                                      *self.arguments(kind, whole, self.path("whole-" + kind)),
                                                      cwd=self.folder)
            self.assert_code(result, 0)
            expected, empty = self.read(whole), self.read(self.fresh())
            cases = taking_back.occurrences(counts)
            for number, (point, _, occurrence) in enumerate(self.random.sample(cases, min(CASES, len(cases)))):
                with self.subTest(kind=kind, point=point, occurrence=occurrence):
                    self.kill(kind, self.path("%s%d" % (kind, number)), point, occurrence, expected, empty)

    def kill(self, kind, state, point, occurrence, expected, empty):
        name = self.fresh()
        arguments = self.arguments(kind, name, state)
        killed = support.kill_at(point, occurrence, "migrate", *arguments, cwd=self.folder)
        self.assertIn(killed.code, (-9, 0))
        if self.random.random() < 0.5:
            support.kill_at(self.random.choice(("engine.after_commit", "engine.after_fill", "engine.before_settle")), 1,
                            "resume", "--state", state,
                            cwd=self.folder)
        resumed = support.transhume("resume", "--state", state, cwd=self.folder)
        if resumed.code != 0:   # it died before it had begun anything
            self.run_program("migrate", *arguments)
        self.assertEqual(self.read(name), expected)
        self.run_program("validate", "--level", "full", "--state", state)
        run = self.run_id(state)
        taken_back = ("rollback", "--run", run, "--confirm", "--state", state)
        place = self.random.choice(("rollback.after_loosening", "rollback.after_table", None))
        if place is not None:
            support.kill_at(place, 1, *taken_back, cwd=self.folder)
        self.run_program(*taken_back)
        self.assertEqual(self.read(name), empty)


class Postgres(References, support.TestCase):
    SERVERS = postgres


class MariaDb(References, support.TestCase):
    SERVERS = mariadb


if __name__ == "__main__":
    unittest.main()
