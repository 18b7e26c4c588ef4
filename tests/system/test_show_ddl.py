"""
`check --ddl` and `migrate --dry-run` print the statements that a run sends, as the databases themselves saw it; `diff`
compares schemas by them.
"""
import contextlib
import json
import os
import re
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import cassandra_server
import dynamodb_case
import items
import mariadb
import opensearch_server
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
    maxDiff = None

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
        there = [row[0] for row in self.ask("copy.db",
                                            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE "
                                            "'sqlite%' AND name NOT LIKE '_transhume%'")]
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
        self.assertEqual((columns["id"]["from"], columns["id"]["source_type"], columns["id"]["target_type"],
                          columns["id"]["why"]), ("person.id", "INTEGER", "INTEGER", None))
        self.assertEqual((columns["paid"]["target_type"], columns["paid"]["why"]),
                         ("REAL", "by `columns:` in the plan"))
        self.assertEqual((columns["label"]["from"], columns["label"]["source_type"]), ("a template", None))
        self.assertEqual(columns["orders"]["from"], "an aggregate")
        self.run_program("migrate", "--plan", "p.yaml")
        there = [row[0] for row in self.ask("copy.db", "SELECT sql FROM sqlite_schema WHERE name = 'people'")]
        self.assertEqual([s["text"] for s in report["statements"]], there)

    def test_a_table_that_is_there_is_not_shown(self):
        shop = self.shop()
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
            db.executescript("CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, born TEXT, paid NUMERIC, "
                             "gone BOOLEAN); CREATE VIEW names AS SELECT name FROM person;")
        shown = self.shown(shop, "sqlite:copy.db")
        self.assertEqual({c["table"] for c in shown["columns"]}, {"order"})
        self.assertEqual([(s["what"], s["name"]) for s in shown["statements"]],
                         [("table", "order"), ("index", "by_person"), ("index", "by_code")])

    def test_the_text_of_a_dry_run(self):
        shop = self.shop()
        out = self.run_program("migrate", "--dry-run", shop, "sqlite:copy.db").out
        self.assertLess(out.index("statements before the records"), out.index("CREATE TABLE person"))
        self.assertLess(out.index("statements after the records"), out.index("CREATE INDEX by_person"))
        self.assertIn("nothing was changed", out)
        self.assertEqual(sorted(os.listdir(self.folder)), ["shop.db"])
        self.assertNotIn("CREATE TABLE", self.run_program("check", shop, "sqlite:copy.db").out)
        self.assertIn("need none", self.run_program("check", "--ddl", shop, "jsonl:out").out)


class Diff:
    """What a migrate has made differs in nothing; what is changed then is found, and nothing is changed by looking."""

    def diff(self, *arguments, code=0):
        changes = json.loads(self.run_program("diff", "--json", *arguments, code=code).out)["changes"]
        return sorted((c["action"], c["kind"], c["name"].split(".", 1)[-1] if c["name"].startswith("public.")
                       else c["name"]) for c in changes)

    def assert_no_difference(self, source, name, *options):
        target = self.server.uri(name)
        self.run_program("migrate", "--quiet", source, target, *options)
        self.assertEqual(self.diff(source, target, *options), [])
        self.run_program("validate", source, target, *options)

    def assert_found(self, source, name, change, expected):
        target = self.server.uri(name)
        self.run_program("migrate", "--quiet", "--schema-only", source, target)
        self.server.ask(name, change)
        before = self.server.ask(name, self.LIST)
        self.assertEqual(self.diff(source, target, code=1), sorted(expected))
        self.assertEqual(self.server.ask(name, self.LIST), before)
        self.assertEqual(self.scratch_places(name), [])


class IntoPostgres(Diff, sql_case.SqlCase, Shown):
    SERVERS = postgres
    LIST = ("SELECT c.relname, a.attname, a.atttypid::regtype FROM pg_class c JOIN pg_attribute a ON a.attrelid = "
            "c.oid WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1, a.attnum")
    WATCH = """CREATE SCHEMA watch; CREATE TABLE watch.seen (number serial, text text);
CREATE FUNCTION watch.see() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO watch.seen (text) VALUES (current_query()); END $$;
CREATE EVENT TRIGGER watch_%s ON ddl_command_end EXECUTE FUNCTION watch.see();"""
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
        return [row[0] for row in self.server.ask(target,
                                                  "SELECT text FROM watch.seen WHERE text NOT LIKE '%\\_transhume%' "
                                                  "ORDER BY number")]

    def assert_shown_is_sent(self, source, *options):
        target = self.made()
        self.server.ask(target, self.WATCH % target)
        shown = self.texts(source, self.server.uri(target), *options)
        self.assertEqual(self.seen(target), [])
        self.run_program("migrate", source, self.server.uri(target), *options)
        # what sets a sequence is no DDL, which event triggers do not see
        self.assertEqual(sorted(text for text in shown if not text.startswith("SELECT pg_catalog.setval")),
                         sorted(self.seen(target)))
        return shown

    def test_from_another_engine(self):
        shown = self.assert_shown_is_sent(self.shop())
        self.assertTrue(any("FOREIGN KEY" in text and text.endswith("NOT VALID") for text in shown), shown)

    def test_from_the_same_engine(self):
        shown = self.assert_shown_is_sent(self.server.uri(self.made(self.PEOPLE)))
        for word in ("CREATE TYPE", "CREATE VIEW", "CREATE TRIGGER", "CREATE FUNCTION", "GENERATED ALWAYS"):
            self.assertTrue(any(word in text for text in shown), word)

    def scratch_places(self, name):
        return self.server.ask(name, "SELECT datname FROM pg_database WHERE datname LIKE '\\_transhume%'")

    def test_no_difference(self):
        self.assert_no_difference(self.shop(), self.made())
        self.assert_no_difference(self.server.uri(self.made(self.PEOPLE)), self.made())

    def test_differences(self):
        shop = self.shop()
        key, = [s["name"] for s in self.shown(shop, self.server.uri(self.made()))["statements"]
                if s["text"].endswith("NOT VALID")]
        self.assert_found(shop, self.made(),
                          'ALTER TABLE person ALTER paid TYPE numeric(12,2), DROP gone; DROP INDEX by_person; '
                          'CREATE TABLE other (id int); '
                          'ALTER TABLE "order" DROP CONSTRAINT "%s"; ALTER TABLE "order" ADD more int' % key,
                          [("alter", "column", "person.paid"), ("create", "column", "person.gone"),
                           ("create", "index", "order.by_person"), ("drop", "table", "other"),
                           ("create", "foreign key", "order." + key), ("drop", "column", "order.more")])

    def test_why_a_type_changes(self):
        report = self.shown(self.shop(), self.server.uri(self.made()))
        columns = {(c["table"], c["column"]): c for c in report["columns"]}
        self.assertEqual(columns["person", "gone"]["target_type"], "boolean")
        self.assertEqual((columns["person", "born"]["target_type"], columns["person", "born"]["why"]),
                         ("date", "since all of its values are such"))
        self.assertEqual((columns["person", "name"]["source_type"], columns["person", "name"]["target_type"]),
                         ("VARCHAR(40)", "text"))
        self.assertIn("PostgreSQL keeps text as text", columns["person", "name"]["why"])
        self.assertIn("PostgreSQL keeps int64 as bigint", columns["order", "id"]["why"])


class IntoMysql(Diff, sql_case.SqlCase, Shown):
    SERVERS = mariadb
    LIST = ("SELECT table_name, column_name, column_type, column_key FROM information_schema.columns WHERE "
            "table_schema = database() ORDER BY 1, ordinal_position")
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
            self.server.ask(target, "SET GLOBAL general_log = %s; SET GLOBAL log_output = '%s'" % (before[1],
                before[0]))
        sent = [row[0] for row in self.server.ask(target,
                                                  "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log WHERE "
                                                  "thread_id IN (SELECT thread_id FROM mysql.general_log WHERE "
                                                  "argument LIKE '%%on %s using%%') AND argument REGEXP "
                                                  "'^(CREATE|ALTER)'" % target)]
        run = re.compile(r"transhume run [^']*")
        self.assertEqual(sorted(run.sub("run", text.rstrip()) for text in shown if not text.startswith("SET ")),
                         sorted(run.sub("run", text) for text in sent if "_transhume_" not in text
                                and "AUTO_INCREMENT = " not in text))
        return shown

    def scratch_places(self, name):
        return self.server.ask(name,
                               "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE "
                               "'\\_transhume%'")

    def test_from_another_engine(self):
        self.assert_shown_is_sent(self.shop())

    def test_from_the_same_engine(self):
        shown = self.assert_shown_is_sent(self.server.uri(self.made(self.PEOPLE)))
        self.assertTrue(any("FOREIGN KEY" in text for text in shown), shown)

    def test_no_difference(self):
        self.assert_no_difference(self.shop(), self.made())
        self.assert_no_difference(self.server.uri(self.made(self.PEOPLE)), self.made())

    def test_differences(self):
        self.assert_found(self.shop(), self.made(),
                          "ALTER TABLE person MODIFY paid numeric(12,2), DROP gone; CREATE TABLE other (id int); "
                          "ALTER TABLE `order` ADD more int, DROP KEY by_code",
                          [("alter", "column", "person.paid"), ("create", "column", "person.gone"),
                           ("create", "index", "order.by_code"), ("drop", "table", "other"),
                           ("drop", "column", "order.more")])


class IntoCassandra(Shown):
    """The statements that were shown make the same tables in another keyspace."""
    PLAN = """transhume: 1
source: %s
target: %s
tables:
  orders:
    key: { partition: [person], clustering: [{ id: desc }] }
    indexes: { by_code: { columns: [code] } }
    entities: { o: { from: order } }
"""

    @classmethod
    def setUpClass(cls):
        cls.server = cassandra_server.shared_for_class(cls)

    def told(self, keyspace):
        columns = self.server.ask(keyspace,
                                  "SELECT table_name, column_name, kind, type, clustering_order FROM "
                                  "system_schema.columns WHERE keyspace_name = '%s'" % keyspace)
        indexes = self.server.ask(keyspace,
                                  "SELECT table_name, index_name FROM system_schema.indexes WHERE keyspace_name = '%s'"
                                  % keyspace)
        return sorted(tuple(row) for row in columns if "_transhume" not in row[0]), sorted(tuple(row)
            for row in indexes)

    def test_a_plan(self):
        one, other = self.server.database(), self.server.database()
        plan = self.write("p.yaml", self.PLAN % (self.shop(), self.server.uri(one)))
        report = self.shown("--plan", plan)
        self.assertEqual([s["what"] for s in report["statements"]], ["table", "index"])
        self.assertIn("bigint", {c["target_type"] for c in report["columns"]})
        self.assertEqual(self.told(one)[0], [])
        for statement in report["statements"]:
            self.server.ask(other, statement["text"].replace(one, other))
        self.run_program("migrate", "--plan", plan)
        self.assertEqual(self.told(one), self.told(other))


class IntoDynamodb(dynamodb_case.DynamodbCase, Shown):
    """The request that was shown makes the same table, sent by another client."""
    PLAN = """transhume: 1
source: %s
target: %s
tables:
  orders:
    key: { partition: PK, sort: id }
    indexes: { by_code: { partition: code } }
    entities: { o: { from: order, fields: { PK: "P#{person}", id: copy, code: copy } } }
"""

    def described(self):
        table = self.client.describe_table(TableName="orders")["Table"]
        return table["KeySchema"], table["BillingModeSummary"]["BillingMode"], sorted(map(str,
            table["AttributeDefinitions"])), [
                (index["IndexName"], index["KeySchema"], index["Projection"])
                for index in table["GlobalSecondaryIndexes"]]

    def test_a_plan(self):
        plan = self.write("p.yaml", self.PLAN % (self.shop(), self.uri()))
        report = json.loads(self.run_aws("check", "--ddl", "--json", "--plan", plan).out)
        self.assertEqual({c["column"]: c["target_type"] for c in report["columns"]},
                         {"PK": "S", "id": "N", "code": "S"})
        statement, = report["statements"]
        action, request = statement["text"].split(" ", 1)
        self.assertEqual((action, items.tables(self.client)), ("CreateTable", []))
        self.client.create_table(**json.loads(request))
        self.client.get_waiter("table_exists").wait(TableName="orders", WaiterConfig={"Delay": 1})
        by_hand = self.described()
        items.empty(self.client)
        self.run_aws("migrate", "--plan", plan)
        self.assertEqual(self.described(), by_hand)


class IntoOpensearch(Shown):
    """The requests that were shown make the same mappings, sent by another client."""

    @classmethod
    def setUpClass(cls):
        cls.server = opensearch_server.shared_for_class(cls)

    def mappings(self, prefix):
        """{table: its mapping} without what it says of the run."""
        found = self.server.ask("GET", "/%s*/_mapping" % prefix)
        return {name[len(prefix):]: {key: value for key, value in index["mappings"].items() if key != "_meta"}
                for name, index in found.items() if "_transhume" not in name}

    def test_a_copy(self):
        prefix, by_hand = self.server.database(), self.server.database()
        shop, target = self.shop(), self.server.uri(prefix)
        shown = self.texts("--include", "person", shop, target)
        self.assertEqual(self.mappings(prefix), {})
        for text in shown:
            method, path, body = text.split(" ", 2)
            self.server.ask(method, path.replace(prefix, by_hand), body)
        self.run_program("migrate", "--quiet", "--include", "person", shop, target)
        self.assertEqual(set(self.mappings(prefix)), {"person"})
        self.assertEqual(self.mappings(prefix), self.mappings(by_hand))


class Parts(Shown):
    """--schema-only and --data-only, of which the one fills what the other has made."""

    def objects(self, name="copy.db"):
        return sorted(row[0] for row in self.ask(name,
                                                 "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite%' AND "
                                                 "name NOT LIKE '_transhume%'"))

    def migrate(self, *options, code=0):
        result = self.run_program("migrate", "--json", *options, "sqlite:shop.db", "sqlite:copy.db", code=code)
        return json.loads(result.out)

    def test_schema_then_data(self):
        self.shop()
        schema = self.migrate("--schema-only")
        self.assertTrue(schema["schema_only"])
        self.assertEqual(self.objects(), self.objects("shop.db"))
        self.assertEqual(self.ask("copy.db", "SELECT count(*) FROM person"), [(0,)])
        self.assertIn("made tables and no records", self.run_program("validate", code=1).out)
        before = self.ask("copy.db", "SELECT type, name, sql FROM sqlite_schema")
        data = self.migrate("--data-only")
        self.assertEqual([e["written"] for e in data["entities"]], [2, 2])
        self.assertEqual(self.ask("copy.db", "SELECT type, name, sql FROM sqlite_schema"), before)
        self.run_program("validate", "--level", "full")
        self.assertIn("came after it", self.run_program("rollback", "--run", schema["run"], "--confirm", code=5).err)
        self.run_program("rollback", "--run", data["run"], "--confirm")
        self.assertEqual(self.ask("copy.db", "SELECT (SELECT count(*) FROM person) + (SELECT count(*) FROM \"order\")"),
                         [(0,)])
        self.run_program("rollback", "--run", schema["run"], "--confirm")
        self.assertEqual(self.objects(), [])

    def test_schema_only_beside_records(self):
        """Tables that are there stay as they are, whatever is in them."""
        self.shop()
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db, db:
            db.execute("CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, born TEXT, paid NUMERIC, gone BOOLEAN)")
            db.execute("INSERT INTO person (id, name) VALUES (7, 'Cy')")
        self.migrate("--schema-only")
        self.assertEqual(self.ask("copy.db", "SELECT id, name FROM person"), [(7, "Cy")])
        self.assertIn("order", self.objects())

    def test_schema_only_beside_records_is_resumed(self):
        self.shop()
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db, db:
            db.execute("CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, born TEXT, paid NUMERIC, gone BOOLEAN)")
            db.execute("INSERT INTO person (id, name) VALUES (7, 'Cy')")
        self.run_program("migrate", "--schema-only", "sqlite:shop.db", "sqlite:copy.db", code=-9,
                         env={"TRANSHUME_FAILPOINT": "engine.after_claim:kill"})
        self.run_program("resume")
        self.assertEqual(self.ask("copy.db", "SELECT id, name FROM person"), [(7, "Cy")])
        self.assertIn("order", self.objects())

    def test_a_killed_one_is_resumed(self):
        self.shop()
        for rule in ("engine.before_ledger_create", "engine.after_prepare", "engine.after_after_load"):
            with self.subTest(rule):
                for name in ("copy.db", "copy.db-wal", "copy.db-shm"):
                    if os.path.exists(self.path(name)):
                        os.remove(self.path(name))
                state = self.path(rule)
                arguments = ("--state", state, "sqlite:shop.db", "sqlite:copy.db")
                self.run_program("migrate", "--schema-only", *arguments, code=-9,
                                 env={"TRANSHUME_FAILPOINT": rule + ":kill"})
                with contextlib.closing(sqlite3.connect(self.path("shop.db"))) as db, db:
                    db.execute("UPDATE person SET name = name || 'x'")
                self.run_program("resume", *arguments)
                self.assertEqual(self.objects(), self.objects("shop.db"))
                self.assertEqual(self.ask("copy.db", "SELECT count(*) FROM person"), [(0,)])

    def test_data_only_makes_nothing(self):
        self.shop()
        result = self.run_program("migrate", "--data-only", "sqlite:shop.db", "sqlite:copy.db", code=2)
        self.assertIn("the target has no such table, and --data-only makes none", result.err)
        self.assertFalse(os.path.exists(self.path("copy.db")))
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db, db:
            db.execute("CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, paid NUMERIC, gone BOOLEAN)")
            db.execute('CREATE TABLE "order" (id INTEGER PRIMARY KEY, person INTEGER, code TEXT, note TEXT)')
        problems = self.shown("--data-only", "sqlite:shop.db", "sqlite:copy.db", code=2)["problems"]
        self.assertEqual(len(problems), 1)
        self.assertIn("no column born", problems[0])
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db, db:
            db.execute("ALTER TABLE person ADD born TEXT")
        self.migrate("--data-only")
        self.assertEqual(self.objects(), ["order", "person"])
        self.assertEqual(self.ask("copy.db", "SELECT count(*) FROM person"), [(2,)])

    def test_a_table_that_goes_before_a_resume(self):
        self.shop()
        self.migrate("--schema-only")
        self.run_program("migrate", "--data-only", "sqlite:shop.db", "sqlite:copy.db", code=-9,
                         env={"TRANSHUME_FAILPOINT": "engine.after_claim:kill"})
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db, db:
            db.execute("DROP TABLE person")
        self.assertIn("person", self.run_program("resume", code=3).err)
        self.assertNotIn("person", self.objects())

    def test_what_contradicts_itself(self):
        self.shop()
        for other in ("--data-only", "--follow"):
            self.assertIn("moves no records", self.run_program("migrate", "--schema-only", other, "sqlite:shop.db",
                                                               "sqlite:copy.db", code=2).err)
        self.assertIn("--data-only adds no columns", self.run_program("migrate", "--data-only", "--follow",
                                                                      "sqlite:shop.db", "sqlite:copy.db", code=2).err)
        self.assertIn("has no tables that are made", self.run_program("migrate", "--schema-only", "sqlite:shop.db",
                                                                      "jsonl:out", code=2).err)
        self.assertFalse(os.path.exists(self.path("out")))


if __name__ == "__main__":
    unittest.main()
