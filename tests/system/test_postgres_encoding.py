"""
PostgreSQL databases in an encoding that is not UTF-8, as source and as target: names, texts, and what the encoding
refuses. By psql.
"""
import contextlib
import os
import shutil
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import postgres
import sql_case
import support

# In KOI8-R the order of letters is that of the Latin ones they sound like: not UTF-8's.
NAMES = ("\u0446\u0432\u0435\u0442", "\u0430\u0440\u0431\u0443\u0437", "\u044e\u0433", "\u0432\u0435\u0441",
         "\u0447\u0430\u0441", "\u0433\u043e\u0434",
         "\u0416\u0443\u043a", "zebra", "\u0431\u0435\u0440\u0435\u0433", "\u044f\u043c\u0430", "Alpha",
         "\u0442\u0435\u043d\u044c")
KEY, TEXT = "\u043d\u043e\u043c\u0435\u0440", "\u0441\u043b\u043e\u0432\u043e"
SCRIPT = ("".join('CREATE TABLE "%s" ("%s" int PRIMARY KEY, "%s" text); INSERT INTO "%s" SELECT i, '
                  '\'%s \' || i FROM generate_series(1, 20) i; '
                  'CREATE INDEX ON "%s" ("%s"); ' % (name, KEY, TEXT, name, name, name, TEXT) for name in NAMES) +
          'ALTER TABLE "%s" ADD FOREIGN KEY ("%s") REFERENCES "%s"' % (NAMES[0], KEY, NAMES[1]))
ENCODINGS = ("KOI8R", "WIN1251", "ISO_8859_5", "EUC_JP", "UTF8")


class Encodings(sql_case.SqlCase):
    SERVERS = postgres

    def encoded(self, encoding, script=""):
        name = "%s_%s" % (self.server.database(), encoding.lower())
        self.server.ask("postgres", "CREATE DATABASE %s ENCODING '%s' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
                        % (name, encoding))
        self.server.ask(name, "SET client_encoding = 'UTF8'; " + script)
        return name

    def rows(self, name, table):
        return self.server.ask(name, "SET client_encoding = 'UTF8'; SELECT * FROM \"%s\" ORDER BY 1" % table)

    def all_rows(self, name):
        return sorted(self.server.ask(name, "SET client_encoding = 'UTF8'; " + " UNION ALL ".join(
            "SELECT '%s', \"%s\", \"%s\" FROM \"%s\"" % (table, KEY, TEXT, table) for table in NAMES)))

    def test_each_to_each(self):
        for source_encoding in ENCODINGS:
            source = self.encoded(source_encoding, SCRIPT)
            targets = support.drawn(ENCODINGS, 3, self.id()) if source_encoding == "UTF8" else support.drawn(("UTF8",
                source_encoding), 1, self.id() + source_encoding)
            for target_encoding in targets:
                with self.subTest(source=source_encoding, target=target_encoding):
                    target = self.encoded(target_encoding)
                    arguments = ("--state", "state-" + target, self.server.uri(source), self.server.uri(target))
                    self.run_program("migrate", "--strict", *arguments)
                    self.assertEqual(self.all_rows(source), self.all_rows(target))
                    self.assertEqual(len(self.all_rows(target)), 20 * len(NAMES))
                    self.run_program("validate", "--level", "full", *arguments)

    def test_into_tables_that_are_there(self):
        source, target = self.encoded("UTF8", SCRIPT), self.encoded("KOI8R",
                                                                    SCRIPT + "".join('; TRUNCATE "%s" CASCADE' % name
                                                                        for name in NAMES))
        self.run_program("migrate", "--existing", "append", self.server.uri(source), self.server.uri(target))
        self.assertEqual(self.all_rows(source), self.all_rows(target))

    def test_a_plan_with_look_ups(self):
        source = self.encoded("KOI8R", SCRIPT)
        self.write("plan.yaml", """
transhume: 1
source: %s
target: sqlite:out.db
tables:
  out:
    key: [id]
    entities:
      out: { from: %s, fields: { id: { column: %s }, own: { column: %s }, other: { lookup: %s, column: %s } } }
""" % (self.server.uri(source), NAMES[0], KEY, TEXT, NAMES[1], TEXT))
        self.run_program("migrate", "--plan", "plan.yaml")
        with contextlib.closing(sqlite3.connect(self.path("out.db"))) as db:
            self.assertEqual(db.execute("SELECT own, other FROM out WHERE id = 3").fetchall(),
                             [(NAMES[0] + " 3", NAMES[1] + " 3")])

    def test_texts_that_the_target_can_not_hold(self):
        """Rejected by their keys; the others arrive."""
        script = ("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, "
                  "CASE WHEN i % 10 = 0 THEN '\u7f8a' ELSE '\u043e\u0432\u0446\u0430' END || i "
                  "FROM generate_series(1, 40) i")
        for options in ((), ("--no-express",)):
            with self.subTest(options=options):
                source, target = self.encoded("UTF8", script), self.encoded("KOI8R")
                self.run_program("migrate", "--state", self.path(".transhume"), "--max-rejects", "10", *options,
                                 self.server.uri(source),
                                 self.server.uri(target), code=1)
                self.assertEqual(sorted((reject["key"]["id"], reject["code"]) for reject in self.rejects()),
                                 [(key, "text-invalid") for key in (10, 20, 30, 40)])
                self.assertEqual(self.rows(target, "t"), [row for row in self.rows(source, "t") if int(row[0]) % 10])
                shutil.rmtree(self.path(".transhume"))


class Timeouts(sql_case.SqlCase):
    SERVERS = postgres

    def test_of_the_servers_that_end_idle_sessions(self):
        """A run that keeps a session idle for longer is not ended by the database's own settings."""
        source = self.made("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 400)")
        target = self.made()
        version = int(self.server.ask(source, "SHOW server_version_num")[0][0])
        settings = ["idle_in_transaction_session_timeout", "statement_timeout", "lock_timeout"]
        settings += ["idle_session_timeout"] if version >= 140000 else []
        settings += ["transaction_timeout"] if version >= 170000 else []
        for name in (source, target):
            for setting in settings:
                self.server.ask("postgres", "ALTER DATABASE %s SET %s = '1500ms'" % (name, setting))
        result = self.run_program("migrate", "--no-express", "--rows-per-second", "100", "--chunk-rows", "400",
                                  self.server.uri(source),
                                  self.server.uri(target))
        self.assertNotIn("trying again", result.err)
        self.assertNotIn("warning", result.err)
        self.assertEqual(self.server.ask(target, "SELECT count(*) FROM t"), [["400"]])


if __name__ == "__main__":
    unittest.main()
