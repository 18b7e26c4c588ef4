"""
What indexes, keys and tables have besides columns, and another engine has not: each is named, `--strict` refuses, and
the rest of them is made.
"""
import contextlib
import json
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import mariadb
import postgres
import support

POSTGRES = """
CREATE TABLE parent (id int PRIMARY KEY, a int, b int, UNIQUE (a, b));
CREATE TABLE plain (id int PRIMARY KEY, v varchar(20), w int REFERENCES parent ON DELETE CASCADE);
CREATE INDEX plain_v ON plain (v);
CREATE TABLE deferred (id int, n int, PRIMARY KEY (id) DEFERRABLE, CONSTRAINT deferred_n UNIQUE (n) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE indexed (id int PRIMARY KEY, "v w" varchar(20), n int, m int);
CREATE INDEX down ON indexed (n DESC, m);
CREATE INDEX ends ON indexed (n NULLS FIRST, m DESC NULLS LAST);
CREATE INDEX covering ON indexed (n) INCLUDE (m, "v w");
CREATE INDEX patterns ON indexed ("v w" varchar_pattern_ops);
CREATE UNIQUE INDEX one_null ON indexed (m) NULLS NOT DISTINCT;
CREATE TABLE fuller (id int PRIMARY KEY, a int, b int, CONSTRAINT fuller_of FOREIGN KEY (a, b) REFERENCES parent (a, b) MATCH FULL);
CREATE TABLE partly (id int PRIMARY KEY, a int, b int, CONSTRAINT partly_of FOREIGN KEY (a, b) REFERENCES parent (a, b) ON DELETE SET NULL (b));
CREATE TABLE late (id int PRIMARY KEY, p int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE unproven (id int PRIMARY KEY, p int); ALTER TABLE unproven ADD FOREIGN KEY (p) REFERENCES parent NOT VALID;
CREATE TABLE defaulted (id int PRIMARY KEY, p int DEFAULT 1 REFERENCES parent ON DELETE SET DEFAULT ON UPDATE SET DEFAULT);
CREATE TABLE parted (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
CREATE TABLE parted1 PARTITION OF parted FOR VALUES FROM (0) TO (9);
CREATE UNLOGGED TABLE fast (id int PRIMARY KEY) WITH (fillfactor = 50);
"""
OF_POSTGRES = (
    "deferred: the key deferred_pkey is carried without what only its own engine has: DEFERRABLE",
    "deferred: the index deferred_n is carried without what only its own engine has: DEFERRABLE INITIALLY DEFERRED",
    "indexed: the index down is carried without what only its own engine has: n DESC",
    "indexed: the index ends is carried without what only its own engine has: n NULLS FIRST, m DESC NULLS LAST",
    'indexed: the index covering is carried without what only its own engine has: INCLUDE (m, "v w")',
    'indexed: the index patterns is carried without what only its own engine has: "v w" varchar_pattern_ops',
    "indexed: the index one_null is carried without what only its own engine has: NULLS NOT DISTINCT",
    "fuller: the foreign key to parent is carried without what only its own engine has: MATCH FULL",
    "partly: the foreign key to parent is carried without what only its own engine has: SET NULL (b)",
    "late: the foreign key to parent is carried without what only its own engine has: DEFERRABLE INITIALLY DEFERRED",
    "unproven: the foreign key to parent is carried without what only its own engine has: NOT VALID",
    "parted: the table parted is carried without what only its own engine has: PARTITION BY RANGE (id)",
    "fast: the table fast is carried without what only its own engine has: UNLOGGED, WITH (fillfactor=50)",
)
SET_DEFAULT = ("defaulted: the foreign key to parent is carried without what only its own engine has: ON DELETE SET "
               "DEFAULT, ON UPDATE SET DEFAULT")
MYSQL = """
CREATE TABLE plain (id int PRIMARY KEY, v varchar(20), KEY plain_v (v));
CREATE TABLE indexed (id int PRIMARY KEY, n int, m int, KEY down (n DESC, m));
CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2;
CREATE TABLE packed (id int PRIMARY KEY) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8;
CREATE TABLE hidden (id int PRIMARY KEY, v int INVISIBLE DEFAULT 3);
CREATE TABLE past (id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING;
"""
OF_MYSQL = (
    "indexed: the index down is carried without what only its own engine has: n DESC",
    "parted: the table parted is carried without what only its own engine has: partitioned",
    "packed: the table packed is carried without what only its own engine has: row_format=COMPRESSED key_block_size=8",
    "hidden: the clause of v (INVISIBLE) is not carried: only its own engine understands it",
    "past: the table past is carried without what only its own engine has: WITH SYSTEM VERSIONING",
    "past: the history is not carried: its records of the past are not copied, those of now are",
)
SQLITE = """
CREATE TABLE parent (id INTEGER PRIMARY KEY);
CREATE TABLE plain (id INTEGER PRIMARY KEY, n INTEGER REFERENCES parent);
CREATE INDEX plain_n ON plain (n);
CREATE TABLE indexed (id INTEGER PRIMARY KEY, n INTEGER, m INTEGER, p INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
CREATE INDEX down ON indexed (n DESC, m);
"""
OF_SQLITE = (
    "indexed: the index down is carried without what only its own engine has: n DESC",
    "indexed: the foreign key to parent is carried without what only its own engine has: DEFERRABLE",
)


class Details(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.postgres, cls.mysql = postgres.for_class(cls), mariadb.for_class(cls)

    def made(self, server, script=""):
        name = server.database()
        server.ask(name, script) if script else None
        return name

    def assert_named(self, source, target, expected):
        """All of them and no others, and each is refused."""
        self.maxDiff = None
        report = json.loads(self.run_program("check", "--strict", "--json", source, target, code=5).out)
        told = [problem for problem in report["problems"] if " is carried without " in problem or "INVISIBLE" in problem
                or "the history" in problem]
        self.assertEqual(sorted(told), sorted(expected))
        self.run_program("migrate", source, target, "--state", "state-%d" % len(os.listdir(self.folder)))

    def test_out_of_postgres(self):
        source, target = self.postgres.uri(self.made(self.postgres, POSTGRES)), self.made(self.mysql)
        self.assert_named(source, "sqlite:" + self.path("copy.db"), OF_POSTGRES)
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
            self.assertEqual([row[5:7] for row in db.execute("PRAGMA foreign_key_list(defaulted)")],
                             [("SET DEFAULT", "SET DEFAULT")])
        self.assert_named(source, self.mysql.uri(target), OF_POSTGRES + (SET_DEFAULT,))
        # the key is there without, which InnoDB does not know
        keys = ("SELECT table_name, delete_rule FROM information_schema.referential_constraints WHERE "
                "constraint_schema = database() AND table_name NOT LIKE '\\_transhume%' ORDER BY 1")
        self.assertEqual([row[0] for row in self.mysql.ask(target, keys)],
                         ["defaulted", "fuller", "late", "partly", "plain", "unproven"])

    def test_out_of_mysql(self):
        source = self.mysql.uri(self.made(self.mysql, MYSQL))
        self.assert_named(source, "sqlite:" + self.path("copy.db"), OF_MYSQL)
        self.assert_named(source, self.postgres.uri(self.made(self.postgres)), OF_MYSQL)

    def test_out_of_sqlite(self):
        source = support.make_sqlite(self.path("source.db"), SQLITE)
        self.assert_named(source, self.mysql.uri(self.made(self.mysql)), OF_SQLITE)
        self.assert_named(source, self.postgres.uri(self.made(self.postgres)), OF_SQLITE)

    def test_within_an_engine_nothing_is_lost(self):
        """Nor named: but for what a plan makes anew."""
        for server, script in ((self.postgres, POSTGRES), (self.mysql, MYSQL.replace("WITH SYSTEM VERSIONING", ""))):
            source, target = self.made(server, script), self.made(server)
            self.run_program("migrate", "--strict", server.uri(source), server.uri(target), "--state",
                             "state-" + server.TITLE)
        source = support.make_sqlite(self.path("source.db"), SQLITE)
        self.run_program("migrate", "--strict", source, "sqlite:copy.db", "--state", "state-sqlite")
        self.write("plan.yaml",
                   "transhume: 1\nsource: %s\ntarget: %s\ntables:\n  indexed: { entities: { indexed: { from: indexed, "
                   "fields: { '*': copy, extra: { const: 1 } } } } }\n" % (
                       self.postgres.uri(self.made(self.postgres, POSTGRES)),
                       self.postgres.uri(self.made(self.postgres))))
        notes = json.loads(self.run_program("check", "--json", "--plan", "plan.yaml").out)["notes"]
        self.assertEqual(sorted(note for note in notes if " is carried without " in note),
                         sorted(note for note in OF_POSTGRES if note.startswith("indexed: ")))


if __name__ == "__main__":
    unittest.main()
