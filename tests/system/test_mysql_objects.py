"""One of every object that MariaDB knows: each is in the copy as SHOW CREATE tells it, or `check` names it and
`--strict` refuses.

What there is, information_schema tells: by each of its views that have a column for the database's name.
"""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import mariadb
import support
import test_mysql_catalog

MORE = r"""
CREATE TABLE packed (id int PRIMARY KEY) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8 STATS_PERSISTENT=1 COMMENT='a ''table''';
CREATE TABLE paged (id int PRIMARY KEY, v text COMPRESSED COMMENT 'a column') PAGE_COMPRESSED=1 DEFAULT CHARSET=latin1 COLLATE=latin1_german2_ci;
CREATE TABLE hidden (id int AUTO_INCREMENT PRIMARY KEY, v int INVISIBLE DEFAULT 3, w int, KEY down (w DESC) COMMENT 'an index', KEY unused (v) IGNORED) AUTO_INCREMENT=70;
CREATE TABLE booked (id int, begins date, ends date, PERIOD FOR stay (begins, ends), UNIQUE (id, stay WITHOUT OVERLAPS));
CREATE TABLE made (id int PRIMARY KEY, a int AS (id * 2) PERSISTENT, b int AS (id + 1), j json, u uuid, at timestamp DEFAULT current_timestamp() ON UPDATE current_timestamp());
CREATE TABLE past (id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING;
INSERT INTO past VALUES (1, 1), (2, 2); UPDATE past SET v = 3; DELETE FROM past WHERE id = 2;
INSERT INTO hidden (w) VALUES (5); INSERT INTO made (id) VALUES (1); INSERT INTO booked VALUES (1, '2020-01-01', '2020-02-01');
"""
NAMED = ("past: the history is left out: its records of the past are not copied, those of now are",
         "'clerk'@'%': the grant is left out: who may do what in the database is not carried",
         "'porter'@'%': the grant is left out: who may do what in the database is not carried")
# Views of what is part of other objects, of what runs, or of what this run's own ledger adds; and the grants, which are
# named.
NOT_OBJECTS = {"STATISTICS", "KEY_COLUMN_USAGE", "PARAMETERS", "SCHEMA_PRIVILEGES", "TABLE_PRIVILEGES",
               "COLUMN_PRIVILEGES"}
KINDS = {   # {view: (the column of the database's name, of the object's)}
    "TABLES": ("table_schema", "concat(table_name, ' ', table_type)"), "VIEWS": ("table_schema", "table_name"),
    "ROUTINES": ("routine_schema", "concat(routine_name, ' ', routine_type)"),
    "TRIGGERS": ("trigger_schema", "trigger_name"), "EVENTS": ("event_schema", "event_name"),
    "COLUMNS": ("table_schema", "concat(table_name, '.', column_name, ' ', column_type, ' ', extra)"),
    "PARTITIONS": ("table_schema",
                   "concat(table_name, ' ', coalesce(partition_name, ''), ' ', coalesce(subpartition_name, ''))"),
    "TABLE_CONSTRAINTS": ("constraint_schema", "concat(table_name, '.', constraint_name, ' ', constraint_type)"),
    "CHECK_CONSTRAINTS": ("constraint_schema", "concat(table_name, '.', constraint_name, ' ', check_clause)"),
    "REFERENTIAL_CONSTRAINTS": ("constraint_schema",
                                "concat(table_name, '.', constraint_name, ' ', update_rule, delete_rule)")}


class Objects(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def definitions(self, name):
        """{table: SHOW CREATE}, without the database's name."""
        tables = [row[0] for row in self.server.ask(name,
                                                    "SHOW FULL TABLES WHERE Table_type NOT IN ('VIEW', 'SEQUENCE')")
                  if not row[0].startswith("_transhume")]
        return {table: self.server.ask(name, "SHOW CREATE TABLE `%s`" % table)[0][1].replace("`%s`" % name,
            "`the database`") for table in tables}

    def listed(self, name, view):
        schema, called = KINDS[view]
        return sorted(row[0] for row in self.server.ask(name,
                                                        "SELECT %s FROM information_schema.%s WHERE %s = database()"
                                                        % (called, view, schema)) if "_transhume" not in row[0])

    def test_every_object_is_in_the_copy_or_named(self):
        source, target = self.server.database(), self.server.database()
        self.server.ask(source, test_mysql_catalog.TABLES + test_mysql_catalog.OBJECTS + MORE +
                        "CREATE USER clerk, porter; GRANT SELECT ON %s.* TO clerk; GRANT SELECT (id) ON past TO porter;"
                        % source)
        arguments = (self.server.uri(source), self.server.uri(target))
        report = json.loads(self.run_program("check", "--strict", "--json", *arguments, code=5).out)
        self.assertEqual(sorted(report["problems"]), sorted(NAMED))
        self.run_program("migrate", "--strict", *arguments, code=5)
        self.assertEqual(self.definitions(target), {})
        self.run_program("migrate", *arguments)
        self.maxDiff = None
        self.assertEqual(self.definitions(source), self.definitions(target))
        views = {row[0].upper() for row in self.server.ask(source,
                                                           "SELECT DISTINCT table_name FROM information_schema.columns "
                                                           "WHERE table_schema = 'information_schema' AND "
                                                           "column_name IN "
                                                                    "('TABLE_SCHEMA', 'ROUTINE_SCHEMA', "
                                                                    "'TRIGGER_SCHEMA', 'EVENT_SCHEMA', "
                                                                    "'CONSTRAINT_SCHEMA', 'SPECIFIC_SCHEMA')")}
        holding = {view for view in views - NOT_OBJECTS if not view.startswith(("INNODB", "TABLE_STATISTICS",
                                                                                "INDEX_STATISTICS"))}
        self.assertLessEqual(holding - {"FILES", "GEOMETRY_COLUMNS", "PERIODS", "KEY_PERIOD_USAGE"}, KINDS.keys(),
                             "a view that this test does not know")
        for view in sorted(KINDS):
            with self.subTest(view):
                self.assertGreater(len(self.listed(source, view)), 0, "the script makes none")
                self.assertEqual(self.listed(source, view), self.listed(target, view))
        self.assertEqual(self.server.ask(target, "SELECT id, v FROM past FOR SYSTEM_TIME ALL"), [["1", "3"]])


if __name__ == "__main__":
    unittest.main()
