"""MariaDB whose administrator chose other settings for every session: what is copied, compared and refused is the same.

What MariaDB's client is asked is asked with the settings that a server has of itself.
"""
import os
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import support
from test_mysql import SHAPES, TABLES, MysqlCase

# that change what is read, written, refused or told, as no server has them of itself
ODD = {"sql_select_limit": "2", "system_versioning_asof": "'2001-02-03 04:05:06'", "completion_type": "'RELEASE'",
       "foreign_key_checks": "0",
       "check_constraint_checks": "0", "unique_checks": "0", "sql_auto_is_null": "1", "sql_big_selects": "0",
       "max_join_size": "1",
       "alter_algorithm": "'INSTANT'", "sql_if_exists": "1", "sql_safe_updates": "1", "sql_buffer_result": "1",
       "sql_mode": "'ANSI,ORACLE,EMPTY_STRING_IS_NULL,PAD_CHAR_TO_FULL_LENGTH,NO_BACKSLASH_ESCAPES,"
                   "SIMULTANEOUS_ASSIGNMENT'",
       "old_mode": "'NO_DUP_KEY_WARNINGS_WITH_IGNORE,NO_PROGRESS_INFO,ZERO_DATE_TIME_CAST'",
       "explicit_defaults_for_timestamp": "0",
       "time_zone": "'+05:45'", "lc_messages": "'de_DE'", "lc_time_names": "'ar_SA'",
       "tx_isolation": "'READ-UNCOMMITTED'",
       "default_storage_engine": "MyISAM", "default_tmp_storage_engine": "MEMORY", "auto_increment_increment": "7",
       "auto_increment_offset": "3",
       "max_sort_length": "8", "group_concat_max_len": "4", "div_precision_increment": "0",
       "sql_quote_show_create": "0", "sql_notes": "0",
       "max_error_count": "0", "sql_warnings": "1", "innodb_snapshot_isolation": "1", "innodb_strict_mode": "0",
       "query_cache_type": "1",
       "low_priority_updates": "1", "in_predicate_conversion_threshold": "2", "join_cache_level": "8",
       "wait_timeout": "1",
       "max_statement_time": "0.01", "idle_transaction_timeout": "1", "default_regex_flags": "'EXTENDED'",
       "session_track_state_change": "1",
       "session_track_transaction_info": "'CHARACTERISTICS'", "innodb_lock_wait_timeout": "1", "lock_wait_timeout": "1",
       "autocommit": "0"}
PLAIN = ("SET %s, sql_mode = '', time_zone = '+00:00', old_mode = 'UTF8_IS_UTF8MB3', max_statement_time = 0; "
         % ", ".join(
             "%s = %s" % (name, value) for name, value in {
                 "sql_select_limit": "18446744073709551615", "system_versioning_asof": "DEFAULT",
                 "completion_type": "0", "foreign_key_checks": "1",
                 "check_constraint_checks": "1", "sql_auto_is_null": "0", "sql_big_selects": "1",
                 "alter_algorithm": "'DEFAULT'", "sql_if_exists": "0",
                 "sql_safe_updates": "0", "sql_quote_show_create": "1", "autocommit": "1", "max_sort_length": "1024",
                 "group_concat_max_len": "1048576",
                 "lc_messages": "en_US", "default_storage_engine": "InnoDB", "explicit_defaults_for_timestamp": "1",
                 "auto_increment_increment": "1",
                 "auto_increment_offset": "1", "innodb_lock_wait_timeout": "50",
                 "tx_isolation": "'REPEATABLE-READ'"}.items()))
MORE = """
CREATE TABLE versioned (id int PRIMARY KEY, v text) WITH SYSTEM VERSIONING;
INSERT INTO versioned SELECT seq, concat('v', seq) FROM seq_1_to_500;
UPDATE versioned SET v = 'changed' WHERE id % 7 = 0;
"""


class Settings(MysqlCase):
    def odd(self):
        for name, value in ODD.items():
            self.addCleanup(self.server.ask, "", "SET GLOBAL %s = DEFAULT" % name)
            self.server.ask("", "SET GLOBAL %s = %s" % (name, value))

    def plain(self, name, sql):
        return self.server.ask(name, PLAIN + sql)

    def contents(self, name, tables):
        return {table: sorted(self.plain(name, "SELECT * FROM " + table), key=repr) for table in tables}

    def assert_same(self, source, target, tables=TABLES + ("versioned",)):
        expected, found = self.contents(source, tables), self.contents(target, tables)
        for table in tables:
            self.assertEqual(len(found[table]), len(expected[table]), table)
            self.assertEqual(found[table], expected[table], table)

    def sides(self):
        """The source, with all that its tables hold, and an empty target: both of a server with odd settings."""
        source, target = self.made(SHAPES + MORE), self.made()
        self.assertEqual(self.plain(source, "SELECT count(*) FROM child"), [["3000"]])
        self.odd()
        self.assertEqual(self.server.ask(source, "SET sql_big_selects = 1; SELECT id FROM child ORDER BY id"),
                         [["1"], ["2"]])
        self.assertEqual(self.server.ask(source, "SET sql_big_selects = 1; SELECT id FROM versioned"), [])
        return source, target

    def test_between_two(self):
        source, target = self.sides()
        for options in ([], ["--no-express", "--chunk-rows", "400"]):
            with self.subTest(options):
                target = self.made()
                pair = [self.server.uri(source), self.server.uri(target), "--state", self.path("s%d" % len(options))]
                self.run_program("migrate", "--quiet", *options, *pair)
                self.assert_same(source, target)
                for table in ("parent", "child", "versioned"):
                    self.assertEqual(*(self.plain(name, "SHOW CREATE TABLE " + table)[0][1]
                                       for name in (source, target)))
                self.run_program("validate", "--level", "full", *pair)
                self.plain(target, "DELETE FROM child WHERE id > 2990; UPDATE versioned SET v = 'other' WHERE id = 450")
                self.run_program("validate", "--level", "hash", "--repair", "--confirm", *pair)
                self.assert_same(source, target)

    def test_schemas_compared(self):
        """All tables of both sides are seen, as they are, though names are quoted in another way and lists are cut."""
        source = self.made("CREATE TABLE a (id int PRIMARY KEY, v varchar(9) DEFAULT 'it''s'); CREATE TABLE b LIKE a; "
                           "CREATE TABLE c LIKE a; CREATE VIEW w AS SELECT id FROM a")
        target = self.made()
        for name, value in {**ODD, "sql_mode": "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'", "max_statement_time": "0"}.items():
            self.addCleanup(self.server.ask, "", "SET GLOBAL %s = DEFAULT" % name)
            self.server.ask("", "SET GLOBAL %s = %s" % (name, value))
        pair = [self.server.uri(source), self.server.uri(target)]
        self.run_program("migrate", "--quiet", *pair)
        self.assertIn("as the plan makes it", self.run_program("diff", *pair).out)
        self.plain(target, "DROP TABLE c; ALTER TABLE a ADD x int")
        told = self.run_program("diff", *pair, code=1).out
        self.assertIn("+ table c", told)
        self.assertIn("column a.x", told)
        self.assertEqual(self.plain("", "SHOW DATABASES LIKE '%scratch%'"), [])

    def test_by_way_of_sqlite(self):
        source, target = self.sides()
        tables = ("parent", "child", "nokey", "versioned", "parted")
        only = [word for table in tables for word in ("--include", table)]
        self.run_program("migrate", "--quiet", *only, self.server.uri(source), "sqlite:there.db", "--state", "there")
        self.run_program("validate", "--level", "full", "--state", "there")
        self.run_program("migrate", "--quiet", "sqlite:there.db", self.server.uri(target), "--state", "back")
        self.run_program("validate", "--level", "full", "--state", "back")
        self.assert_same(source, target, tables[1:])   # times of `parent` are texts by now
        self.run_program("rollback", "--run", self.run_id("back"), "--confirm", "--state", "back")
        self.assertEqual(self.plain(target, "SHOW TABLES"), [])

    def test_what_a_table_refuses(self):
        """Its foreign key and its CHECK answer, whatever sessions have by default."""
        target = self.made("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, "
                           "p int REFERENCES p (id), v int CHECK (v > 0)); "
                           "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1, 1)")
        self.odd()
        source = support.make_sqlite(self.path("s.db"),
                                     "CREATE TABLE c (id INTEGER PRIMARY KEY, p INT, v INT); INSERT INTO c VALUES (2, "
                                     "1, 5), (3, 9, 5), (4, 1, 0)")
        self.run_program("migrate", "--quiet", "--existing", "append", source, self.server.uri(target), code=1)
        self.assertEqual(self.plain(target, "SELECT id FROM c ORDER BY id"), [["1"], ["2"]])

    def test_sessions_that_only_read(self):
        source, target = self.made("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)"), self.made()
        self.addCleanup(self.server.ask, "", "SET GLOBAL tx_read_only = 0")
        self.server.ask("", "SET GLOBAL tx_read_only = 1")
        self.run_program("migrate", "--quiet", self.server.uri(source), "sqlite:there.db", "--state", "there")
        said = self.run_program("migrate", "--quiet", "sqlite:there.db", self.server.uri(target), code=2).err
        self.assertRegex(said,
                         r"(?s)Cannot execute statement in a READ ONLY transaction .*\n  sessions there are read-only")


if __name__ == "__main__":
    unittest.main()
