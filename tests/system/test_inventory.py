"""
What `check` says becomes of keys and indexes in another engine: as many as it says are in the target, counted there by
its own client.
"""
import contextlib
import json
import os
import re
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import support
import test_mysql_catalog
import test_postgres_catalog

MORE_OF_MYSQL = """
CREATE TABLE pieces (id int PRIMARY KEY, long_text text, KEY piece (long_text(10)), KEY whole (id, long_text(5)), UNIQUE KEY once (id));
CREATE TABLE parted_own (id int PRIMARY KEY, other int REFERENCES orders (id), FOREIGN KEY (other) REFERENCES orders (id));
"""
MORE_OF_POSTGRES = """
CREATE TABLE own (id int, to_parent int REFERENCES parent, UNIQUE (to_parent));
CREATE TABLE own_parts (id int, pid int REFERENCES parent) PARTITION BY RANGE (id);
CREATE TABLE own_part PARTITION OF own_parts FOR VALUES FROM (0) TO (9);
ALTER TABLE own_part ADD UNIQUE (pid), ADD PRIMARY KEY (id), ADD FOREIGN KEY (id) REFERENCES parent;
"""
# {what the note calls it: how the target counts it}
IN_POSTGRES = {
    "index": "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = "
             "'public'::regnamespace AND c.relname NOT LIKE '\\_transhume%'",
    "primary key": "SELECT count(*) FROM pg_constraint c WHERE contype = 'p' AND conrelid::regclass::text NOT LIKE "
                   "'\\_transhume%' AND connamespace = 'public'::regnamespace",
    "foreign key": "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace"}
IN_MYSQL = {
    # an index that MySQL makes by itself for a foreign key bears that one's name, and is none of the source's
    "index": "SELECT count(DISTINCT s.table_name, s.index_name) FROM information_schema.statistics s WHERE "
             "s.table_schema = database() AND s.table_name NOT LIKE "
             "'\\_transhume%' AND NOT EXISTS (SELECT 1 FROM information_schema.table_constraints c WHERE "
             "c.table_schema = s.table_schema AND "
             "c.table_name = s.table_name AND c.constraint_type = 'FOREIGN KEY' AND c.constraint_name = s.index_name)",
    "primary key": "SELECT count(*) FROM information_schema.table_constraints WHERE table_schema = database() AND "
                   "constraint_type = 'PRIMARY KEY' AND table_name NOT LIKE '\\_transhume%'",
    "foreign key": "SELECT count(*) FROM information_schema.table_constraints WHERE table_schema = database() AND "
                   "constraint_type = 'FOREIGN KEY' AND table_name NOT LIKE '\\_transhume%'"}


class Inventory(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.postgres = postgres.for_class(cls)
        cls.mysql = mariadb.for_class(cls)

    def rich_postgres(self):
        name = self.postgres.database()
        self.postgres.psql(name, test_postgres_catalog.RICH + MORE_OF_POSTGRES)
        return self.postgres.uri(name)

    def rich_mysql(self):
        name = self.mysql.database()
        self.mysql.ask(name, test_mysql_catalog.TABLES + MORE_OF_MYSQL)
        return self.mysql.uri(name)

    def said(self, source, target):
        """{kind of object: how many of it go along}, by `check`; each line adds up."""
        notes = json.loads(self.run_program("check", "--json", source, target).out)["notes"]
        kinds = {}
        for note in notes:
            line = re.fullmatch(r"(pg_\w+|information_schema\.\w+): (\d+) objects, (\d+) converted with their tables, "
                                r"(\d+) left out: (.*)", note)
            if line is None:
                continue
            parts = [re.fullmatch(r"(.+) (\d+)(?: \((\d+) left out\))?", part).groups("0")
                     for part in line[5].split(", ")]
            self.assertEqual(int(line[2]), sum(int(total) for _, total, _ in parts), note)
            self.assertEqual(int(line[4]), sum(int(left) for _, _, left in parts), note)
            self.assertEqual(int(line[2]), int(line[3]) + int(line[4]), note)
            kinds.update({what: int(total) - int(left) for what, total, left in parts})
        return kinds

    def assert_said(self, said, counted):
        self.assertEqual({what: said[what] for what in counted}, counted)

    def in_sqlite(self, path):
        counts = dict.fromkeys(("index", "primary key", "foreign key"), 0)
        with contextlib.closing(sqlite3.connect(path)) as db:
            for table, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE "
                                     "'\\_transhume%' ESCAPE '\\' AND name NOT LIKE 'sqlite_%'"):
                key = db.execute("SELECT max(pk) > 0 FROM pragma_table_info(?)", (table,)).fetchone()[0]
                others = db.execute("SELECT count(*) FROM pragma_index_list(?) WHERE origin <> 'pk'",
                                    (table,)).fetchone()[0]
                counts["primary key"] += key
                counts["index"] += key + others
                counts["foreign key"] += db.execute("SELECT count(DISTINCT id) FROM pragma_foreign_key_list(?)",
                                                    (table,)).fetchone()[0]
        return counts

    def test_into_sqlite(self):
        for source in (self.rich_postgres(), self.rich_mysql()):
            with self.subTest(source.partition(":")[0]):
                target = self.path(source.partition(":")[0] + ".db")
                said = self.said(source, "sqlite:" + target)
                self.run_program("migrate", source, "sqlite:" + target, "--state", target + ".state")
                self.assert_said(said, self.in_sqlite(target))

    def test_between_the_servers(self):
        name = self.mysql.database()
        source = self.rich_postgres()
        said = self.said(source, self.mysql.uri(name))
        self.run_program("migrate", source, self.mysql.uri(name), "--state", "a")
        self.assert_said(said, {what: int(self.mysql.ask(name, sql)[0][0]) for what, sql in IN_MYSQL.items()})
        name = self.postgres.database()
        source = self.rich_mysql()
        said = self.said(source, self.postgres.uri(name))
        self.run_program("migrate", source, self.postgres.uri(name), "--state", "b")
        self.assert_said(said, {what: int(self.postgres.psql(name, sql)[0][0]) for what, sql in IN_POSTGRES.items()})

    def test_into_files_go_rows_alone(self):
        for source in (self.rich_postgres(), self.rich_mysql()):
            for target in ("csv:files", "jsonl:files"):
                with self.subTest(source.partition(":")[0] + " " + target):
                    self.assert_said(self.said(source, target),
                                     {"index": 0, "primary key": 0, "unique key": 0, "foreign key": 0, "check": 0})

    def test_what_goes_with_a_key(self):
        said = self.said(self.rich_postgres(), "sqlite:" + self.path("a.db"))
        self.assertEqual(said["trigger of a foreign key"], 4 * said["foreign key"])
        self.assertEqual(said["exclusion"], 0)
        # parts1, parts2, parts2a, parts2b
        self.assertEqual((said["primary key of a partition"], said["foreign key of a partition"]), (4, 0))


if __name__ == "__main__":
    unittest.main()
