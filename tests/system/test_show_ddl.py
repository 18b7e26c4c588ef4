"""`check --ddl` and `migrate --dry-run`: what they print of statements is what a run sends, as the databases themselves saw it."""
import contextlib
import json
import os
import re
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import mariadb
import postgres
import sql_case
import support

SHOP = """CREATE TABLE person (id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(40) NOT NULL, born DATE, paid NUMERIC(10,2), gone BOOLEAN);
CREATE TABLE "order" (id INTEGER PRIMARY KEY, person INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE, code TEXT UNIQUE, note TEXT);
CREATE INDEX by_person ON "order" (person);
CREATE UNIQUE INDEX by_code ON "order" (person, code);
CREATE VIEW names AS SELECT name FROM person;
CREATE TRIGGER noted AFTER INSERT ON person BEGIN UPDATE person SET gone = 0 WHERE id = NEW.id; END;
INSERT INTO person VALUES (1, 'Ada', '1815-12-10', 1.5, 1), (2, 'Bo', NULL, NULL, 0);
INSERT INTO "order" VALUES (10, 1, 'a', NULL), (11, 2, 'b', 'x');
"""


class Shown(support.TestCase):
    def shop(self):
        return "sqlite:" + support.make_sqlite(self.path("shop.db"), SHOP)

    def shown(self, *arguments, command=("check", "--ddl"), code=0):
        return json.loads(self.run_program(*command, "--json", *arguments, code=code).out)

    def texts(self, *arguments):
        return [statement["text"] for statement in self.shown(*arguments)["statements"]]

    def ask(self, name, sql):
        with contextlib.closing(sqlite3.connect(self.path(name))) as db:
            return db.execute(sql).fetchall()


class IntoSqlite(Shown):
    def test_the_file_holds_what_was_shown(self):
        shop = self.shop()
        shown = self.shown(shop, "sqlite:copy.db")["statements"]
        self.assertFalse(os.path.exists(self.path("copy.db")))
        self.assertEqual([s["what"] for s in shown], ["table", "table", "index", "index", "view", "trigger"])
        self.assertEqual([s["when"].split()[0] for s in shown], ["before"] * 2 + ["after"] * 4)
        self.run_program("migrate", shop, "sqlite:copy.db")
        there = [row[0] for row in self.ask("copy.db", "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' AND name NOT LIKE '_transhume%'")]
        self.assertEqual(sorted(s["text"] for s in shown), sorted(there))

    def test_of_a_plan_whose_tables_are_no_copies(self):
        self.write("p.yaml", """transhume: 1
source: %s
target: sqlite:copy.db
tables:
  people:
    key: [id]
    columns: { paid: { type: REAL } }
    entities:
      person: { from: person, fields: { id: copy, name: copy, paid: { column: paid, lossy: allow }, label: "{id}-{name}", orders: { aggregate: order, value: "count(*)" } } }
""" % self.shop())
        report = self.shown("--plan", "p.yaml")
        columns = {c["column"]: c for c in report["columns"]}
        self.assertEqual((columns["id"]["from"], columns["id"]["source_type"], columns["id"]["target_type"], columns["id"]["why"]), ("person.id", "INTEGER", "INTEGER", None))
        self.assertEqual((columns["paid"]["target_type"], columns["paid"]["why"]), ("REAL", "by `columns:` in the plan"))
        self.assertEqual((columns["label"]["from"], columns["label"]["source_type"]), ("a template", None))
        self.assertEqual(columns["orders"]["from"], "an aggregate")
        self.run_program("migrate", "--plan", "p.yaml")
        there = [row[0] for row in self.ask("copy.db", "SELECT sql FROM sqlite_schema WHERE name = 'people'")]
        self.assertEqual([s["text"] for s in report["statements"]], there)

    def test_a_table_that_is_there_is_not_shown(self):
        shop = self.shop()
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
            db.executescript("CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, born TEXT, paid NUMERIC, gone BOOLEAN); CREATE VIEW names AS SELECT name FROM person;")
        shown = self.shown(shop, "sqlite:copy.db")
        self.assertEqual({c["table"] for c in shown["columns"]}, {"order"})
        self.assertEqual([(s["what"], s["name"]) for s in shown["statements"]], [("table", "order"), ("index", "by_person"), ("index", "by_code")])

    def test_the_text_of_a_dry_run(self):
        shop = self.shop()
        out = self.run_program("migrate", "--dry-run", shop, "sqlite:copy.db").out
        self.assertLess(out.index("statements before the records"), out.index("CREATE TABLE person"))
        self.assertLess(out.index("statements after the records"), out.index("CREATE INDEX by_person"))
        self.assertIn("nothing was changed", out)
        self.assertEqual(sorted(os.listdir(self.folder)), ["shop.db"])
        self.assertNotIn("CREATE TABLE", self.run_program("check", shop, "sqlite:copy.db").out)
        self.assertIn("need none", self.run_program("check", "--ddl", shop, "jsonl:out").out)


class IntoPostgres(sql_case.SqlCase, Shown):
    SERVERS = postgres
    WATCH = """CREATE SCHEMA watch; CREATE TABLE watch.seen (number serial, text text);
CREATE FUNCTION watch.see() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO watch.seen (text) VALUES (current_query()); END $$;
CREATE EVENT TRIGGER watch_%s ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE INDEX', 'ALTER TABLE', 'COMMENT', 'CREATE VIEW', 'CREATE FUNCTION', 'CREATE TRIGGER', 'CREATE TYPE',
'CREATE SEQUENCE', 'CREATE DOMAIN', 'CREATE SCHEMA') EXECUTE FUNCTION watch.see();"""
    PEOPLE = """CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE TABLE person (id serial PRIMARY KEY, name text NOT NULL DEFAULT 'x', mood mood, twice int GENERATED ALWAYS AS (twice(1)) STORED, CHECK (name <> ''));
CREATE TABLE pet (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, person int REFERENCES person ON DELETE CASCADE, name varchar(9) UNIQUE);
CREATE INDEX pet_name ON pet (lower(name)); CREATE VIEW glad AS SELECT name FROM person WHERE mood = 'glad';
COMMENT ON TABLE pet IS 'an animal';
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER seen BEFORE INSERT ON pet FOR EACH ROW EXECUTE FUNCTION see();
INSERT INTO person (name, mood) VALUES ('Ada', 'glad'); INSERT INTO pet (person, name) VALUES (1, 'Rex');"""

    def seen(self, target):
        return [row[0] for row in self.server.ask(target, "SELECT text FROM watch.seen WHERE text NOT LIKE '%\\_transhume%' ORDER BY number")]

    def assert_shown_is_sent(self, source, *options):
        target = self.made()
        self.server.ask(target, self.WATCH % target)
        shown = self.texts(source, self.server.uri(target), *options)
        self.assertEqual(self.seen(target), [])
        self.run_program("migrate", source, self.server.uri(target), *options)
        self.assertEqual(sorted(shown), sorted(self.seen(target)))
        return shown

    def test_from_another_engine(self):
        shown = self.assert_shown_is_sent(self.shop())
        self.assertTrue(any("FOREIGN KEY" in text and text.endswith("NOT VALID") for text in shown), shown)

    def test_from_the_same_engine(self):
        shown = self.assert_shown_is_sent(self.server.uri(self.made(self.PEOPLE)))
        for word in ("CREATE TYPE", "CREATE VIEW", "CREATE TRIGGER", "CREATE FUNCTION", "GENERATED ALWAYS"):
            self.assertTrue(any(word in text for text in shown), word)

    def test_why_a_type_changes(self):
        report = self.shown(self.shop(), self.server.uri(self.made()))
        columns = {(c["table"], c["column"]): c for c in report["columns"]}
        self.assertEqual(columns["person", "gone"]["target_type"], "boolean")
        self.assertIn("0 or 1", columns["person", "gone"]["why"])
        self.assertEqual((columns["person", "name"]["source_type"], columns["person", "name"]["target_type"]), ("VARCHAR(40)", "varchar(40)"))
        self.assertIsNone(columns["person", "name"]["why"])
        self.assertIn("PostgreSQL keeps int64 as bigint", columns["order", "id"]["why"])


class IntoMysql(sql_case.SqlCase, Shown):
    SERVERS = mariadb
    PEOPLE = """CREATE TABLE person (id int AUTO_INCREMENT PRIMARY KEY, name varchar(40) NOT NULL, mood enum('sad','glad'), UNIQUE KEY by_name (name), KEY by_mood (mood)) COMMENT='people';
CREATE TABLE pet (id int PRIMARY KEY, person int, FOREIGN KEY (person) REFERENCES person (id) ON DELETE CASCADE);
CREATE VIEW glad AS SELECT name FROM person WHERE mood = 'glad';
INSERT INTO person (name, mood) VALUES ('Ada', 'glad'); INSERT INTO pet VALUES (1, 1);"""

    def assert_shown_is_sent(self, source):
        target = self.made()
        shown = self.texts(source, self.server.uri(target))
        before = self.server.ask(target, "SELECT @@global.log_output, @@global.general_log")[0]
        self.server.ask(target, "SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = 1")
        try:
            self.run_program("migrate", source, self.server.uri(target))
        finally:
            self.server.ask(target, "SET GLOBAL general_log = %s; SET GLOBAL log_output = '%s'" % (before[1], before[0]))
        sent = [row[0] for row in self.server.ask(target, "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log WHERE argument LIKE '%%`%s`.%%' AND argument REGEXP '^(CREATE|ALTER)'" % target)]
        run = re.compile(r"transhume run [^']*")
        self.assertEqual(sorted(run.sub("run", text) for text in shown if not text.startswith("SET ")),
                         sorted(run.sub("run", text) for text in sent if "_transhume_" not in text and "AUTO_INCREMENT = " not in text))
        return shown

    def test_from_another_engine(self):
        self.assert_shown_is_sent(self.shop())

    def test_from_the_same_engine(self):
        shown = self.assert_shown_is_sent(self.server.uri(self.made(self.PEOPLE)))
        self.assertTrue(any("FOREIGN KEY" in text for text in shown), shown)


if __name__ == "__main__":
    unittest.main()
