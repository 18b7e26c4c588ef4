"""Several schemas of PostgreSQL in one run: names, what refers from one to another, and all that follows a copy."""
import json
import os
import signal
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import postgres
import support
from test_postgres import PostgresCase

SHOP = r"""
CREATE SCHEMA sales; CREATE SCHEMA "Od.d ""x";
CREATE TYPE sales.mood AS ENUM ('sad', 'ok'); CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE TYPE sales.pair AS (a posint, b sales.mood);
CREATE COLLATION sales.coll (provider = icu, locale = 'und');
CREATE FUNCTION sales.touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE SEQUENCE sales.free START 77; CREATE SEQUENCE numbers;
CREATE TABLE users (id serial PRIMARY KEY, name text COLLATE sales.coll UNIQUE, m sales.mood);
CREATE TABLE sales.users (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n posint, p sales.pair);
CREATE TABLE sales.orders (id bigserial PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE,
  other int REFERENCES sales.users, m sales.mood DEFAULT 'ok', n bigint DEFAULT nextval('numbers'));
CREATE TABLE "Od.d ""x"."T.a ""b" (id int PRIMARY KEY DEFAULT nextval('sales.free'), o bigint REFERENCES sales.orders);
CREATE TABLE "do.t" (id int PRIMARY KEY);
CREATE TABLE parts (id int, k text, PRIMARY KEY (id, k)) PARTITION BY RANGE (id);
CREATE TABLE sales.parts1 PARTITION OF parts FOR VALUES FROM (0) TO (500);
CREATE TABLE parts2 PARTITION OF parts FOR VALUES FROM (500) TO (2000);
CREATE INDEX orders_user ON sales.orders (user_id); CREATE INDEX parts_k ON parts (k);
CREATE UNIQUE INDEX users_n ON sales.users (n); ALTER TABLE sales.users CLUSTER ON users_n;
CREATE VIEW sales.shown AS SELECT o.id, u.name FROM sales.orders o JOIN users u ON u.id = o.user_id;
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM sales.shown;
CREATE TRIGGER touched BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION sales.touch();
CREATE TRIGGER touched BEFORE INSERT ON sales.users FOR EACH ROW EXECUTE FUNCTION sales.touch();
ALTER TABLE sales.users DISABLE TRIGGER touched;
CREATE RULE quiet AS ON DELETE TO sales.users DO INSTEAD NOTHING;
ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON sales.orders USING (true);
CREATE STATISTICS sales.stat ON id, user_id FROM sales.orders;
ALTER TABLE sales.orders ALTER m SET STORAGE PLAIN, ADD CHECK (id > 0);
COMMENT ON TABLE sales.orders IS 'the orders'; COMMENT ON COLUMN sales.orders.m IS 'how'; COMMENT ON TYPE sales.mood IS 'moods';
COMMENT ON FUNCTION sales.touch() IS 'nothing'; COMMENT ON INDEX sales.orders_user IS 'whose';
INSERT INTO users (name, m) SELECT 'n' || i, 'sad' FROM generate_series(1, 100) i;
INSERT INTO sales.users (n, p) SELECT i, ('(' || i || ',ok)')::sales.pair FROM generate_series(1, 10) i;
INSERT INTO sales.orders (user_id, other) SELECT 1 + i % 100, 1 + i % 10 FROM generate_series(1, 4000) i;
INSERT INTO "Od.d ""x"."T.a ""b" (o) VALUES (1), (2);
INSERT INTO "do.t" VALUES (1); INSERT INTO parts SELECT i, 'k' FROM generate_series(1, 1000) i;
REFRESH MATERIALIZED VIEW counted;
"""
ODD = '"Od.d ""x".T.a "b'   # as runs call the table
NAMES = [ODD, "do.t", "parts", "sales.orders", "sales.users", "users"]
PLACES = {ODD: '"Od.d ""x"."T.a ""b"', "do.t": '"do.t"', "parts": "parts", "sales.orders": "sales.orders",
          "sales.users": "sales.users", "users": "users"}
SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$' ORDER BY 1"
TABLES = ("SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname !~ "
          "'^pg_|^information_schema$'")


class SchemasCase(PostgresCase):
    def arguments(self, source, target, *more, options=("", "")):
        return (self.server.uri(source, options[0]), self.server.uri(target, options[1]), "--state",
                self.path("state-" + target), *more)

    def resume(self, *arguments):
        """What the test wrote into the same server makes the snapshot a mixed one."""
        result = support.transhume("resume", *arguments, cwd=self.folder)
        self.assertTrue(result.code == 0 or result.code == 1 and "a mixed snapshot" in result.out, result)

    def dump(self, name):
        return self.server.dump(name, "--schema-only", "-T", "public._transhume*")

    def assert_copied(self, source, target):
        self.maxDiff = None
        self.assertEqual(self.dump(source), self.dump(target))
        for place in PLACES.values():
            self.assert_same_rows(source, target, place)
        self.assertEqual(self.server.psql(source, "SELECT last_value, is_called FROM sales.free"),
                         self.server.psql(target, "SELECT last_value, is_called FROM sales.free"))


class Copy(SchemasCase):
    def test_all_are_copied_with_what_refers_from_one_to_another(self):
        source, target = self.made(SHOP), self.made()
        arguments = self.arguments(source, target)
        report = json.loads(self.run_program("check", "--strict", "--json", *arguments).out)
        self.assertEqual([entity["table"] for entity in report["entities"]], NAMES)
        self.assertIn('tables without a schema in their names go into the schema public, '
                      'others into that of their names; '
                      'the run creates the missing ones: Od.d "x, sales', report["notes"])
        self.run_program("migrate", "--strict", *arguments)
        self.assert_copied(source, target)
        self.server.psql(target,
                         'INSERT INTO sales.users (n) VALUES (500); INSERT INTO sales.orders (user_id, '
                         'other) VALUES (1, 11); INSERT INTO "Od.d ""x"."T.a ""b" VALUES (DEFAULT)')
        state = arguments[2:4]
        self.run_program("validate", "--level", "full", *state, code=1)   # by these three
        status = json.loads(self.run_program("status", "--json", *state).out)
        self.assertEqual([name for name in NAMES if json.dumps(name) not in json.dumps(status)], [])

    def test_what_was_extra_is_deleted_and_a_rollback_leaves_nothing(self):
        source, target = self.made(SHOP), self.made()
        arguments = self.arguments(source, target)
        state = arguments[2:]
        empty = self.server.psql(target, TABLES)
        self.run_program("migrate", *arguments, "--no-express")
        run = self.run_id(state[1])
        self.server.psql(target,
                         "INSERT INTO sales.orders (user_id) VALUES (1); UPDATE sales.orders SET m = 'sad' WHERE id = "
                         "7; DELETE FROM \"Od.d \"\"x\".\"T.a \"\"b\" WHERE o = 2")
        self.run_program("validate", "--repair", "--delete-extra", "--confirm", *state)
        self.run_program("validate", "--level", "full", *state)
        for place in PLACES.values():
            self.assert_same_rows(source, target, place)
        self.run_program("rollback", "--run", self.run_id(state[1]), "--confirm", *state)
        self.assertEqual(self.server.psql(target, "SELECT m FROM sales.orders WHERE id = 7"), [["sad"]])
        self.server.psql(target,
                         "DELETE FROM sales.orders WHERE id > 4000; UPDATE sales.orders SET m = 'ok' WHERE id = 7; "
                         "INSERT INTO \"Od.d \"\"x\".\"T.a \"\"b\" VALUES (78, 2)")
        self.run_program("rollback", "--run", run, "--confirm", *state)
        self.assertEqual(self.server.psql(target, SCHEMAS), [["public"]])
        self.assertEqual(self.server.psql(target, TABLES), empty)

    def test_a_schema_that_others_use_stays(self):
        source, target = self.made(SHOP), self.made("CREATE SCHEMA sales")
        arguments = self.arguments(source, target)
        self.run_program("migrate", *arguments)
        self.server.psql(target, 'CREATE TABLE "Od.d ""x".mine (id int)')
        self.run_program("rollback", "--run", self.run_id(arguments[3]), "--confirm", *arguments[2:])
        self.assertEqual(self.server.psql(target, SCHEMAS), [['Od.d "x'], ["public"], ["sales"]])
        self.assertEqual(self.server.psql(target,
                                          "SELECT tablename FROM pg_tables WHERE schemaname !~ "
                                          "'^pg_|^information_schema$'"), [["mine"]])

    def test_killed_and_resumed_at_every_step(self):
        source = self.made(SHOP)
        steps = ((("postgres.before_schema", 1), ("postgres.after_schema", 1)),
                 (("postgres.before_commit", 3), ("postgres.after_commit", 4)),
                 (("postgres.before_reference", 2),), (("postgres.before_objects", 2), ("postgres.after_objects", 2)))
        for point, occurrence in (point for step in steps for point in support.drawn(step, 1, self.id() + str(step))):
            with self.subTest(point):
                target = self.made()
                arguments = self.arguments(source, target)
                support.kill_at(point, occurrence, "migrate", *arguments, "--chunk-rows", "2048", cwd=self.folder)
                self.resume(*arguments[2:])
                self.assert_copied(source, target)
                self.run_program("validate", *arguments[2:])

    def test_a_schema_that_came_since_is_none_of_the_runs(self):
        source, target = self.made(SHOP), self.made()
        arguments = self.arguments(source, target)
        support.kill_at("postgres.after_commit", 3, "migrate", *arguments, cwd=self.folder)
        self.server.psql(source, "CREATE SCHEMA later; CREATE TABLE later.t (id int)")
        self.assertIn("a mixed snapshot", self.run_program("resume", *arguments[2:], code=1).out)
        self.run_program("validate", *arguments[2:])
        self.assertEqual(self.server.psql(target, SCHEMAS), [['Od.d "x'], ["public"], ["sales"]])

    def test_a_killed_rollback(self):
        source = self.made(SHOP)
        steps = (("postgres.before_remove_objects", "postgres.after_remove_objects"),
                 ("postgres.before_forget", "postgres.after_forget"))
        for point in (point for step in steps for point in support.drawn(step, 1, self.id() + str(step))):
            with self.subTest(point):
                target = self.made()
                arguments = self.arguments(source, target)
                self.run_program("migrate", *arguments)
                run = self.run_id(arguments[3])
                support.kill_at(point, 1, "rollback", "--run", run, "--confirm", *arguments[2:], cwd=self.folder)
                self.run_program("rollback", "--run", run, "--confirm", *arguments[2:])
                self.assertEqual(self.server.psql(target, SCHEMAS), [["public"]])

    def test_without_its_state_folder(self):
        source, target = self.made(SHOP), self.made()
        arguments = self.arguments(source, target)
        support.kill_at("postgres.after_commit", 3, "migrate", *arguments, cwd=self.folder)
        self.resume(*arguments[:2], "--state", "new")
        self.assert_copied(source, target)
        self.run_program("validate", *arguments[:2], "--state", "newer")
        run = self.run_id("new")
        self.run_program("rollback", arguments[1], "--run", run, "--confirm", "--state", "newest")
        self.assertEqual(self.server.psql(target, SCHEMAS), [["public"]])

    def test_finish(self):
        source, target = self.made(SHOP), self.made()
        arguments = self.arguments(source, target)
        self.run_program("migrate", *arguments)
        self.run_program("finish", "--confirm", *arguments[2:])
        self.assertEqual(self.dump(source), self.dump(target))
        self.assertEqual(self.server.psql(target, "SELECT count(*) FROM pg_class WHERE relname LIKE '\\_transhume%'"),
                         [["0"]])


class Existing(SchemasCase):
    """Tables that are in the target already, or are made by a plan."""
    PLAN = """transhume: 1
source: %s
target: %s
schemas: [public, sales]
existing: upsert
tables:
  users: { key: id, from: users, fields: { id: copy, name: copy } }
  sales.orders: { key: id, from: sales.orders, references: { user_id: users.id }, indexes: { by_user: { columns: [user_id] } },
                  fields: { id: copy, user_id: copy, name: { lookup: users, column: name } } }
"""

    def test_a_plan(self):
        source, target = self.made(SHOP), self.made()
        plan = self.write("plan.yaml", self.PLAN % (self.server.uri(source), self.server.uri(target)))
        self.run_program("check", "--plan", plan)
        self.run_program("migrate", "--plan", plan)
        first = self.run_id()
        self.assertEqual(self.server.psql(target,
                                          "SELECT count(*), count(name), min(name) FROM sales.orders JOIN users u "
                                          "USING (name)"), [["4000", "4000", "n1"]])
        self.assertEqual(self.server.psql(target,
                                          "SELECT conrelid::regclass, confrelid::regclass FROM pg_constraint WHERE "
                                          "contype = 'f'"), [["sales.orders", "users"]])
        self.assertEqual(self.server.psql(target, "SELECT schemaname FROM pg_indexes WHERE indexname = 'by_user'"),
                         [["sales"]])
        self.server.psql(source, "UPDATE users SET name = 'new' WHERE id = 5; DELETE FROM sales.orders WHERE id = 9")
        self.server.psql(target, "UPDATE sales.orders SET name = 'mine' WHERE id = 8")
        before = self.server.psql(target, "SELECT * FROM sales.orders ORDER BY id") + self.server.psql(target,
            "SELECT * FROM users ORDER BY id")
        support.kill_at("postgres.before_commit", 2, "migrate", "--plan", plan, "--indexes", "rebuild", "--chunk-rows",
                        "1000", cwd=self.folder)
        self.assertEqual(self.server.psql(target, "SELECT schemaname FROM pg_indexes WHERE indexname = 'by_user'"), [])
        self.resume()
        self.assertEqual(self.server.psql(target, "SELECT schemaname FROM pg_indexes WHERE indexname = 'by_user'"),
                         [["sales"]])
        self.assertEqual(self.server.psql(target, "SELECT name FROM sales.orders WHERE id = 8"),
                         self.server.psql(source, "SELECT name FROM users WHERE id = 9"))
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.server.psql(target, "SELECT * FROM sales.orders ORDER BY id") + self.server.psql(target,
            "SELECT * FROM users ORDER BY id"), before)
        self.server.psql(target, "UPDATE sales.orders SET name = 'n9' WHERE id = 8")
        self.run_program("rollback", "--run", first, "--confirm")
        self.assertEqual(self.server.psql(target, SCHEMAS), [["public"]])

    def test_an_orphan_of_another_schema(self):
        source = self.made("CREATE SCHEMA s; CREATE TABLE p (id int PRIMARY KEY); "
                           "CREATE TABLE s.c (id int PRIMARY KEY, p int REFERENCES p);"
                           "INSERT INTO p VALUES (1); INSERT INTO s.c VALUES (1, 1); "
                           "SET session_replication_role = replica; INSERT INTO s.c VALUES (2, 7)")
        target = self.made()
        arguments = self.arguments(source, target)
        result = self.run_program("migrate", *arguments, code=1)
        self.assertIn("s.c: the foreign key", result.err)
        target = self.made()
        arguments = self.arguments(source, target, "--broken-references", "reject")
        self.run_program("migrate", *arguments, code=1)
        reject, = self.rejects(arguments[3])
        self.assertEqual((reject["table"], reject["key"]), ("s.c", {"id": 2}))
        self.assertEqual(self.server.psql(target, "SELECT id FROM s.c"), [["1"]])

    def test_into_tables_that_are_there(self):
        source = self.made(SHOP)
        target = self.made(SHOP.split("INSERT INTO users")[0]
                           + "DROP MATERIALIZED VIEW counted; INSERT INTO sales.users (n) VALUES (900)")
        arguments = self.arguments(source, target)
        self.assertIn("sales.users: there are records in it already", self.run_program("check", *arguments, code=5).out)
        self.server.psql(target, "ALTER TABLE sales.users DISABLE RULE quiet; DELETE FROM sales.users")
        self.run_program("migrate", *arguments)
        for place in PLACES.values():
            self.assert_same_rows(source, target, place)
        self.server.psql(target, "INSERT INTO sales.orders (user_id) VALUES (1)")   # its sequence moved


class Choice(SchemasCase):
    MANY = ("".join('CREATE SCHEMA %s; CREATE TABLE %s.t (id int PRIMARY KEY); INSERT INTO %s.t VALUES (%d);' % (name,
        name, name, number)
                    for number, name in enumerate(("a", "b", '"c,d"')))
            + "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (9);")

    def places(self, name):
        return [schema for schema, in self.server.psql(name,
                                                       "SELECT schemaname FROM pg_tables WHERE tablename = 't' ORDER "
                                                       "BY schemaname COLLATE \"C\"")]

    def test_which_are_read_and_where_they_go(self):
        source = self.made(self.MANY)
        for options, more, script, expected in (
                (("", ""), (), "", ["a", "b", "c,d", "public"]),
                (("?schema=a", ""), (), "", ["public"]),
                (("", ""), ("--schema", "a"), "", ["public"]),
                (("?schema=a,b", ""), (), "", ["a", "b"]),
                (("", ""), ("--schema", "a", "--schema", '"c,d",public'), "", ["a", "c,d", "public"]),
                (("?schema=a,b", "?schema=x"), (), "CREATE SCHEMA x", ["a", "b"]),
                (("", "?schema=x"), ("--schema", "public,a"), "CREATE SCHEMA x", ["a", "x"]),
                (("?schema=a,b", "?schema=a"), (), "CREATE SCHEMA a", ["a", "b"])):
            with self.subTest(options=options, more=more):
                target = self.made(script)
                arguments = self.arguments(source, target, options=options)
                self.run_program("check", *arguments, *more)
                self.run_program("migrate", *arguments, *more)
                self.assertEqual(self.places(target), expected)
                for words in support.drawn((arguments[2:], (*arguments, *more)), 1, self.id() + str((options, more))):
                    self.run_program("validate", *words)
                self.run_program("rollback", "--run", self.run_id(arguments[3]), "--confirm", *arguments[2:])
                self.assertEqual(self.places(target), [])

    def test_what_is_refused(self):
        source, target = self.made(self.MANY), self.made("CREATE SCHEMA a")
        for options, more, code, words in (
                (("", ""), ("--schema", "a,nope"), 2,
                 "there is no schema nope [source-missing]\n  it has a, b, c,d, public: choose"),
                (("", "?schema=a"), (), 2, "one table would be written for two"),
                (("", "?schema=x"), (), 2, "there is no schema x [target-missing]")):
            with self.subTest(options=options):
                result = self.run_program("migrate", *self.arguments(source, target, *more, options=options), code=code)
                self.assertIn(words, result.err)
        self.assertEqual(self.server.psql(target, TABLES), [["0"]])
        same = self.run_program("migrate", self.server.uri(source), self.server.uri(source, "?schema=a"), code=2)
        self.assertIn("[same-database]", same.err)
        self.assertIn("SQLite has no schemas", self.run_program("check", "--schema", "a",
                                                                support.make_sqlite(self.path("s.db"),
                                                                    "CREATE TABLE t (id)"), "t.db", code=2).err)

    def test_a_schema_that_the_role_may_not_use(self):
        source, target = self.made(self.MANY), self.made()
        role = "reader_" + source
        self.server.psql(source,
                         "CREATE ROLE %s LOGIN; GRANT USAGE ON SCHEMA a TO %s; GRANT SELECT ON ALL TABLES IN SCHEMA "
                         "public, a, b TO %s" % (role, role, role))
        uri = self.server.uri(source).replace("postgres@", role + "@")
        result = self.run_program("migrate", uri, self.server.uri(target))
        self.assertIn("not seen: tables", result.out)
        self.assertEqual(self.places(target), ["a", "public"])
        report = json.loads(self.run_program("check", "--json", uri, "x.db").out)
        self.assertIn("b: the role may not use the schema: GRANT USAGE ON SCHEMA b TO %s, "
                      "or choose others with --schema" % role, report["notes"])
        self.assertIn("GRANT USAGE ON SCHEMA b TO", self.run_program("migrate", "--schema", "a,b", uri, "x.db",
                                                                     code=2).err)

    def test_a_default_schema_that_is_not_there(self):
        source, target = self.made(self.MANY + "DROP SCHEMA public CASCADE"), self.made()
        self.run_program("migrate", *self.arguments(source, target))
        self.assertEqual(self.places(target), ["a", "b", "c,d"])
        only = self.made("DROP SCHEMA public; CREATE SCHEMA a; CREATE TABLE a.t (id int PRIMARY KEY)")
        target = self.made()
        self.run_program("migrate", *self.arguments(only, target))
        self.assertEqual(self.places(target), ["public"])

    def test_a_plain_name_like_that_of_another_schema(self):
        source = self.made(self.MANY + 'CREATE TABLE "a.t" (id int PRIMARY KEY)')
        target = self.made('CREATE TABLE "a.t" (x text)')
        self.assertIn("the schema public has a table of this name",
                      self.run_program("check", *self.arguments(source, target), code=2).err)
        self.run_program("migrate", *self.arguments(source, target, "--schema", "a,b"))
        self.assertEqual(self.places(target), ["a", "b"])
        self.assertEqual(self.server.psql(target, 'SELECT count(*) FROM "a.t"'), [["0"]])

    def test_extensions_have_schemas_of_their_own(self):
        source = self.made("CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE TABLE t (id int PRIMARY KEY, "
                           "c ext.citext); INSERT INTO t VALUES (1, 'x')")
        target = self.made("CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext")
        report = json.loads(self.run_program("check", "--json", *self.arguments(source, target)).out)
        self.assertEqual([entity["table"] for entity in report["entities"]], ["t"])
        self.assertNotIn("go into the schema", str(report["notes"]))
        self.run_program("migrate", *self.arguments(source, target))
        self.assert_same_rows(source, target, "t")


class Elsewhere(SchemasCase):
    """Into databases that know no schemas the names stay whole."""

    def test_sqlite_and_back(self):
        source, target = self.made(SHOP), self.made()
        self.run_program("migrate", self.server.uri(source), "copy.db")
        with sqlite3.connect(self.path("copy.db")) as db:
            self.assertEqual(
                db.execute('SELECT count(*) FROM "sales.orders" JOIN users ON users.id = user_id').fetchone(), (4000,))
            self.assertEqual(sorted(name
                                    for name, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND "
                                                            "name NOT LIKE '\\_transhume%' ESCAPE '\\'")), NAMES)
            self.assertEqual(sorted(row[2] for row in db.execute("PRAGMA foreign_key_list('sales.orders')")),
                             ["sales.users", "users"])
        self.run_program("validate")
        # the names are plain again, unless schemas of the target are named
        self.run_program("migrate", "copy.db", self.server.uri(target), "--include", "sales.*", "--state", "back")
        self.assertEqual(self.server.psql(target, 'SELECT count(*) FROM "sales.orders"'), [["4000"]])
        named = self.made("CREATE SCHEMA sales")
        self.run_program("migrate", "copy.db", self.server.uri(named, "?schema=public,sales"), "--include", "*users",
                         "--state", "named")
        self.assertEqual(self.server.psql(named,
                                          "SELECT (SELECT count(*) FROM sales.users), (SELECT count(*) FROM users)"),
                         [["10", "100"]])
        self.run_program("validate", "--state", "named")

    def test_files(self):
        source = self.made(SHOP)
        self.run_program("migrate", self.server.uri(source), "csv:files", "--exclude", "Od*", "--exclude", '"*')
        self.assertEqual(sorted(name for name in os.listdir(self.path("files")) if not name.startswith("_")),
                         ["do.t", "parts", "sales.orders", "sales.users", "users"])
        self.run_program("validate")

    def test_init_names_the_schemas(self):
        source, target = self.made(SHOP), self.made()
        self.run_program("init", "--schema", "public,sales", self.server.uri(source), self.server.uri(target))
        self.assertIn('schemas: ["public", "sales"]', self.read("transhume.yaml"))
        self.run_program("migrate")
        self.assertEqual(self.server.psql(target, "SELECT count(*) FROM sales.orders"), [["4000"]])

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()


if __name__ == "__main__":
    unittest.main()
