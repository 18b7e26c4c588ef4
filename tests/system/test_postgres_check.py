"""
What a PostgreSQL source and target do not let be copied: `check` says so, and a run comes to its end all the same or
changes nothing.
"""
import json
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import postgres
import sql_case
import support
import test_pauses

KEYS = "SELECT conrelid::regclass, conname, convalidated FROM pg_constraint WHERE contype = 'f' ORDER BY 1, 2"
ELSEWHERE = """
CREATE SCHEMA "o.ther";
CREATE TABLE "o.ther".partner (id int PRIMARY KEY);
INSERT INTO "o.ther".partner SELECT generate_series(1, 20);
"""
REFERRING = """
CREATE TABLE t (id int PRIMARY KEY);
CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t, at int CONSTRAINT away REFERENCES "o.ther".partner);
INSERT INTO t SELECT generate_series(1, 20);
INSERT INTO child SELECT i, i, i FROM generate_series(1, 20) i;
"""


class CheckCase(sql_case.SqlCase):
    SERVERS = postgres

    def arguments(self, source, target, *more):
        return (self.server.uri(source), self.server.uri(target), "--state", self.path("state-" + target), *more)

    def report(self, *arguments, code=0):
        return json.loads(self.run_program("check", "--json", *arguments, code=code).out)

    def tables(self, name):
        return self.server.psql(name,
                                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1")


class Heirs(CheckCase):
    """A unique index ends at its own table; reading a table that others inherit from goes on to theirs."""
    TABLES = ("CREATE TABLE first (id int PRIMARY KEY, v text); CREATE TABLE heir () INHERITS (first); "
              "CREATE TABLE alone (id int PRIMARY KEY, v text);"
              "CREATE TABLE parts (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); "
              "CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (9999);"
              "CREATE TABLE noted (id int NOT NULL UNIQUE, v text); CREATE TABLE noted_heir () INHERITS (noted);"
              "INSERT INTO first SELECT i, 'own' FROM generate_series(1, 9) i; INSERT INTO heir VALUES (7, 'heir'), "
              "(70, 'heir');"
              "INSERT INTO noted SELECT * FROM ONLY first; INSERT INTO noted_heir SELECT * FROM heir; "
              "INSERT INTO parts SELECT * FROM ONLY first; INSERT INTO alone SELECT * FROM parts;")

    def each_target(self, test):
        for target in ("sqlite:copy.db", "dynamodb-json:out", "csv:folder", "jsonl:lines",
                       self.server.uri(self.made())):
            with self.subTest(target=target):
                test(target)

    def plan(self, source, target, tables):
        return self.write("plan.yaml", "transhume: 1\nsource: %s\ntarget: %s\ntables:\n%s" % (
            self.server.uri(source), target, "".join("  %s: { from: %s, key: [id], fields: { id: copy, v: copy } }\n"
                                                     % (one, one) for one in tables)))

    def test_their_keys_are_not_proven(self):
        source = self.made(self.TABLES)

        def test(target):
            report = self.report("--plan", self.plan(source, target, ("first", "noted", "parts", "alone")))
            keys = {entity["table"]: entity["keys"] for entity in report["entities"]}
            for table in ("first", "noted"):
                self.assertRegex(keys[table], "^(enforced by the target|looked for after the load): .*inherits")
            for table in ("parts", "alone"):
                self.assertRegex(keys[table], "^proven: ")
        self.each_target(test)

    def test_what_two_of_them_share_is_rejected(self):
        source = self.made(self.TABLES)

        def test(target):
            state = ("--state", self.path("state-" + target.split(":")[0]))
            plan = self.plan(source, target, ("first", "noted"))
            self.run_program("migrate", "--plan", plan, *state, code=1)
            told = [(reject["table"], reject["key"]["id"], reject["code"]) for reject in self.rejects(state[1])]
            self.assertEqual(sorted(told), [("first", 7, "key-duplicate"), ("noted", 7, "key-duplicate")])
            self.run_program("validate", "--plan", plan, "--level", "full", *state, code=1)
        self.each_target(test)

    def test_a_plain_copy(self):
        source, target = self.made(self.TABLES), self.made()
        self.run_program("migrate", *self.arguments(source, target), "--exclude", "noted*", code=1)
        told = [(reject["table"], reject["key"]["id"], reject["code"])
                for reject in self.rejects(self.path("state-" + target))]
        self.assertEqual(told, [("first", 7, "key-duplicate")])
        self.assertEqual(self.server.psql(target, "SELECT count(*), count(DISTINCT id) FROM first"), [["10", "10"]])


class OtherSchemas(CheckCase):
    """What a schema stands on that belongs to another one, which the run does not read, or to an extension."""

    def arguments(self, source, target, *more):
        first, *others = super().arguments(source, target, *more)
        return (first + "?schema=public", *others)

    def test_a_foreign_key_to_one_that_is_not_there(self):
        source, target = self.made(ELSEWHERE + REFERRING), self.made()
        arguments = self.arguments(source, target)
        report = self.report(*arguments)
        words = "the foreign key away is left out: the target has no table o.ther.partner; copy its schema first"
        self.assertIn("child: " + words, report["notes"])
        self.assertIn("pg_constraint: 4 objects, 3 copied, 1 left out: foreign key 2 (1 left out), primary key 2",
                      report["notes"])
        self.assertIn("child: " + words, self.report("--strict", *arguments, code=5)["problems"])
        self.assertIn("[strict-refused]", self.run_program("migrate", "--strict", *arguments, code=5).err)
        self.assertEqual(self.tables(target), [])
        self.assertRegex(self.run_program("migrate", *arguments).err,
                         "warning: child: the foreign key to o.ther.partner is not made")
        self.assertEqual(self.server.psql(target, KEYS), [["child", "child_t_fkey", "t"]])
        self.run_program("validate", "--level", "full", "--state", self.path("state-" + target))

    def test_a_foreign_key_to_one_that_is_there(self):
        source, target = self.made(ELSEWHERE + REFERRING), self.made(ELSEWHERE)
        self.run_program("check", "--strict", *self.arguments(source, target))
        self.run_program("migrate", "--strict", *self.arguments(source, target))
        self.assertEqual(self.server.psql(target, KEYS), self.server.psql(source, KEYS))

    def test_a_foreign_key_whose_partner_goes_or_differs(self):
        """After the check, by when all is loaded; broken references are to be taken out, too."""
        changes = ("DROP SCHEMA \"o.ther\" CASCADE", "DROP TABLE \"o.ther\".partner",
                   "ALTER TABLE \"o.ther\".partner RENAME id TO number", "DELETE FROM \"o.ther\".partner WHERE id = 1")
        source = self.made(ELSEWHERE + REFERRING)
        for number, change in enumerate(changes):
            with self.subTest(change):
                target = self.made(ELSEWHERE)
                more = ("--broken-references", "reject") if number % 2 else ()
                process = self.stopped_at("engine.before_after_load:stop:1", "migrate",
                                          *self.arguments(source, target, *more))
                self.server.psql(target, change)
                process.send_signal(signal.SIGCONT)
                result = support.finish(process)
                self.assert_code(result, 0 if number < 3 else 1)
                self.assertIn("warning: child: the foreign key ", result.err)
                self.assertEqual(self.server.psql(target, "SELECT count(*) FROM child"), [["20"]])
                self.assertEqual(self.server.psql(target, KEYS)[-1], ["child", "child_t_fkey", "t"])

    def test_a_foreign_key_that_the_role_may_not_make(self):
        source, target = self.made(ELSEWHERE + REFERRING), self.made(ELSEWHERE)
        role = "mover_" + target
        self.server.psql(target, "CREATE ROLE %s LOGIN; GRANT ALL ON SCHEMA public TO %s" % (role, role))
        uri = self.server.uri(target).replace("postgres@", role + "@")
        for granted in ("GRANT USAGE ON SCHEMA \"o.ther\" TO ", "GRANT REFERENCES ON \"o.ther\".partner TO "):
            problem, = self.report(self.server.uri(source) + "?schema=public", uri, code=2)["problems"]
            self.assertIn("the role may not refer to o.ther.partner: GRANT USAGE of its schema, and REFERENCES",
                          problem)
            self.server.psql(target, granted + role)
        self.run_program("migrate", "--strict", self.server.uri(source) + "?schema=public", uri)
        self.assertEqual(self.server.psql(target, KEYS), self.server.psql(source, KEYS))

    STOOD_ON = (
        """CREATE SCHEMA o; CREATE TYPE o.mood AS ENUM ('sad', 'glad'); CREATE DOMAIN o.d AS int; CREATE SEQUENCE o.s;
CREATE FUNCTION o.f() RETURNS int LANGUAGE sql AS 'SELECT 7'; CREATE FUNCTION o.g(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION o.h(int, int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true'; CREATE OPERATOR o.### (FUNCTION = o.h, LEFTARG = int, RIGHTARG = int);
CREATE COLLATION o.c (provider = icu, locale = 'und'); CREATE EXTENSION citext SCHEMA o; CREATE EXTENSION hstore;""")
    NEEDS = (
        ("CREATE TABLE a1 (id int PRIMARY KEY, m o.mood)",
         "a1: the target has not the type o.mood, on which this table stands: make it there first"),
        ("CREATE TABLE a2 (id int PRIMARY KEY, m o.mood[])",
         "a2: the target has not the type o.mood, on which this table stands: make it there first"),
        ("CREATE TABLE a3 (id o.d PRIMARY KEY)",
         "a3: the target has not the type o.d, on which this table stands: make it there first"),
        ("CREATE DOMAIN b1 AS o.mood",
         "b1: the target has not the type o.mood, on which this type stands: make it there first"),
        ("CREATE DOMAIN b2 AS int CHECK (o.g(VALUE))",
         "b2: the target has not the function o.g, on which this type stands: make it there first"),
        ("CREATE TYPE b3 AS (a int, b o.mood)",
         "b3: the target has not the type o.mood, on which this type stands: make it there first"),
        ("CREATE TABLE c1 (id int PRIMARY KEY, n int DEFAULT o.f())",
         "c1: the target has not the function o.f, on which this table stands: make it there first"),
        ("CREATE TABLE c2 (id int PRIMARY KEY, n bool GENERATED ALWAYS AS (o.g(id)) STORED)",
         "c2: the target has not the function o.g, on which this table stands: make it there first"),
        ("CREATE TABLE c3 (id int PRIMARY KEY CHECK (o.g(id)))",
         "c3: the target has not the function o.g, on which this table stands: make it there first"),
        ("CREATE TABLE c4 (id int PRIMARY KEY DEFAULT nextval('o.s'))",
         "c4: the target has not the sequence o.s, on which this table stands: make it there first"),
        ("CREATE TABLE c5 (id int PRIMARY KEY, k text COLLATE o.c)",
         "c5: the target has not the collation o.c, on which this table stands: make it there first"),
        ("CREATE TABLE c6 (id int PRIMARY KEY CHECK (id OPERATOR(o.###) 1))",
         "c6: the target has not the operator o.###, on which this table stands: make it there first"),
        ("CREATE TABLE d1 (id int PRIMARY KEY, k o.citext)",
         "d1: the target has not the type o.citext, on which this table stands: CREATE EXTENSION citext there first"),
        ("CREATE TABLE d2 (id int PRIMARY KEY, k hstore)",
         "d2: the target has not the type public.hstore, on which this table stands: CREATE EXTENSION hstore "
         "there first"),
        ("CREATE TABLE e1 (id int, m o.mood) PARTITION BY RANGE (id); CREATE TABLE e1p PARTITION OF e1 FOR VALUES FROM "
         "(0) TO (9)",
         "e1: the target has not the type o.mood, on which this table stands: make it there first"),
        ("CREATE TABLE e2 (id int PRIMARY KEY, n int) PARTITION BY RANGE (id); CREATE TABLE e2p PARTITION OF e2 (n "
         "DEFAULT o.f()) FOR VALUES FROM (0) TO (9)",
         "e2: the target has not the function o.f, on which this table stands: make it there first"),
        ("CREATE TABLE z1 (id int PRIMARY KEY, a b1, b b2, c b3, d text COLLATE \"C\" DEFAULT upper('x'))", None),
    )

    def test_types_functions_and_others_that_tables_stand_on(self):
        source, target, ready = self.made(self.STOOD_ON + ";".join(sql
                                                                   for sql, _ in self.NEEDS)), self.made(), self.made(
                                                                       self.STOOD_ON)
        problems = self.report(*self.arguments(source, target), code=2)["problems"]
        self.maxDiff = None
        self.assertEqual(sorted(problems), sorted(words for _, words in self.NEEDS if words))
        self.assertIn("the target has not the ", self.run_program("migrate", *self.arguments(source, target),
                                                                  code=2).err)
        self.assertEqual(self.tables(target), [])
        self.run_program("check", *self.arguments(source, ready))
        self.run_program("migrate", *self.arguments(source, ready))
        self.assertEqual(self.server.rows(source).keys() - self.server.rows(ready).keys(), set())

    def test_what_is_not_copied_needs_nothing(self):
        """A part of the tables, and tables that are there."""
        elsewhere = ("CREATE SCHEMA o; CREATE TYPE o.mood AS ENUM ('sad', 'glad'); "
                     "CREATE FUNCTION o.f() RETURNS int LANGUAGE sql AS 'SELECT 7';")
        source = self.made(elsewhere
                           + "CREATE TABLE t (id int PRIMARY KEY, m o.mood); CREATE TABLE plain (id int PRIMARY KEY); "
                             "CREATE TABLE there (id int PRIMARY KEY, n int DEFAULT o.f())")
        target = self.made("CREATE TABLE there (id int PRIMARY KEY, n int)")
        self.run_program("migrate", *self.arguments(source, target, "--exclude", "t", "--existing", "append"))
        self.assertEqual(sorted(table for _, table in self.server.rows(target) if not table.startswith("_transhume")),
                         ["plain", "there"])


class Unproven(CheckCase):
    """What the source itself did not prove, or did not finish."""

    def test_a_check_of_a_domain_that_its_values_break(self):
        source = self.made(
            """CREATE DOMAIN "the dom" AS int CONSTRAINT small CHECK (VALUE < 1000); CREATE DOMAIN over AS "the dom";
CREATE TABLE t (id int PRIMARY KEY, d "the dom", o over); INSERT INTO t VALUES (1, -5, -6), (2, 7, 8);
ALTER DOMAIN "the dom" ADD CONSTRAINT "pos itive" CHECK (VALUE > 0) NOT VALID; ALTER DOMAIN over ADD CONSTRAINT even CHECK (VALUE % 2 = 0) NOT VALID;
COMMENT ON CONSTRAINT "pos itive" ON DOMAIN "the dom" IS 'new ones'""")
        target = self.made()
        empty = self.server.dump(target, "--schema-only")
        self.assertEqual(self.report(*self.arguments(source, target, "--strict"))["problems"], [])
        self.run_program("migrate", "--strict", *self.arguments(source, target))
        self.assertEqual(self.server.dump(source, "--schema-only"),
                         self.server.dump(target, "--schema-only", "-T", "_transhume*"))
        self.assertEqual(self.server.psql(target, "TABLE t"), self.server.psql(source, "TABLE t"))
        with self.assertRaisesRegex(AssertionError, "pos itive"):
            self.server.psql(target, "INSERT INTO t VALUES (3, -1, 2)")
        with open(self.path("state-" + target) + "/run.json", encoding="utf-8") as file:
            run = json.load(file)["run"]
        self.run_program("rollback", "--run", run, "--state", self.path("state-" + target), "--confirm")
        self.assertEqual(self.server.dump(target, "--schema-only"), empty)

    def test_an_index_that_is_not_valid(self):
        """
        As CREATE INDEX CONCURRENTLY leaves one that it could not make; or one of a partitioned table that is not on all
        partitions.
        """
        source = self.made("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 1); "
                           "CREATE INDEX fine ON t (v);"
                           "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES "
                           "FROM (0) TO (9); CREATE INDEX half ON ONLY p (id)")
        with self.assertRaisesRegex(AssertionError, "could not create unique index"):
            self.server.psql(source, "CREATE UNIQUE INDEX CONCURRENTLY broken ON t (v)")
        for target, verb in ((self.server.uri(self.made()), "copied"),
                             (self.path("out.db"), "converted with their tables")):
            with self.subTest(target):
                report = self.report(self.server.uri(source), target)
                classes, = (note for note in report["notes"] if note.startswith("pg_class: "))
                self.assertRegex(classes, "pg_class: 7 objects, 5 %s, 2 left out: " % verb)
                self.assertIn("invalid index 2 (2 left out)", classes)
                for name in ("broken", "half"):
                    self.assertTrue(any(note.startswith("%s: the invalid index is " % name)
                                        for note in report["notes"]), report["notes"])
        target = self.made()
        self.assertIn("[strict-refused]", self.run_program("migrate", "--strict", *self.arguments(source, target),
                                                           code=5).err)
        self.run_program("migrate", *self.arguments(source, target))
        indexes = ("SELECT indexrelid::regclass FROM pg_index WHERE indrelid IN ('t'::regclass, "
                   "'p'::regclass) ORDER BY 1")
        self.assertEqual(self.server.psql(target, indexes), [["t_pkey"], ["fine"]])


class ReadOnly(CheckCase):
    """A target that can't be written to is refused before anything is read."""

    def assert_refused(self, uri, words):
        source = self.path("s.db")
        if not os.path.exists(source):
            support.make_sqlite(source, "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
        for command in ("check", "migrate"):
            self.assertIn(words, self.run_program(command, source, uri, code=2).err)

    def test_a_database_or_role(self):
        name = self.made()
        for change in ("ALTER DATABASE %s SET default_transaction_read_only = on",
                       "CREATE ROLE r_%s LOGIN SUPERUSER; ALTER ROLE r_%s SET default_transaction_read_only = on"):
            with self.subTest(change):
                self.server.psql("postgres", change.replace("%s", name))
                uri = self.server.uri(name)
                self.assert_refused(uri.replace("postgres@", "r_%s@" % name) if "ROLE" in change else uri,
                                    "its sessions are read-only")
                self.server.psql("postgres", "ALTER DATABASE %s RESET default_transaction_read_only" % name)
        self.assertEqual(self.tables(name), [])
        # as a source it will do
        self.run_program("check", self.server.uri(self.made("CREATE TABLE t (id int PRIMARY KEY)")).replace("postgres@",
            "r_%s@" % name), "sqlite:out.db")

    def test_a_standby(self):
        primary = postgres.Server(settings={"wal_level": "replica", "max_wal_senders": "4", "hot_standby": "on"})
        self.addCleanup(primary.stop)
        name = primary.database()
        standby = test_pauses.Replica(primary)
        self.addCleanup(standby.stop)
        self.assert_refused(standby.uri(name), "the server is a standby")


class SourceRights(CheckCase):
    """
    What the role may not read is told with the statements that would let it, all at once, before the target is touched.
    """
    TABLES = ("CREATE TABLE big (id int PRIMARY KEY, v text); CREATE TABLE \"odd one\" (id int PRIMARY KEY); "
              "CREATE TABLE open_one (id int PRIMARY KEY);"
              "CREATE TABLE partly (id int PRIMARY KEY, v text, w text REFERENCES words); "
              "CREATE VIEW shown AS SELECT * FROM big;")

    def setUp(self):
        super().setUp()
        self.source = self.made("CREATE TABLE words (w text PRIMARY KEY); INSERT INTO words VALUES ('a');" + self.TABLES
                                +
                                "INSERT INTO big VALUES (1, 'x'); INSERT INTO partly VALUES (1, 'x', 'a')")
        self.role = "reader of " + self.source
        self.server.psql(self.source,
                         "CREATE ROLE \"%s\" LOGIN; GRANT SELECT ON open_one, words TO \"%s\"; GRANT SELECT (id, "
                         "w) ON partly TO \"%s\"" % ((self.role,) * 3))
        self.uri = self.server.uri(self.source).replace("postgres@", self.role.replace(" ", "%20") + "@")

    def grants(self, *tables):
        return ['%s: the role may not read it: GRANT SELECT ON public.%s TO "%s"' % (name.strip('"'), name, self.role)
                for name in tables]

    def test_all_that_is_lacking(self):
        target = self.made()
        expected = self.grants("big", '"odd one"', "partly")
        for uri in (self.server.uri(target), "sqlite:out.db"):
            with self.subTest(uri):
                self.assertEqual(self.report(self.uri, uri, code=2)["problems"], expected)
                told = self.run_program("migrate", self.uri, uri, code=2).err
                for line in expected:
                    self.assertIn(line, told.replace("\n  ", " "))
        self.assertEqual(self.tables(target), [])
        for line in expected:   # as they are
            self.server.psql(self.source, line.split(": ")[2])
        self.run_program("migrate", self.uri, self.server.uri(target))
        self.assertEqual(self.server.psql(target, "TABLE partly"), [["1", "x", "a"]])

    def plan(self, text):
        self.write("plan.yaml", "transhume: 1\nsource: %s\ntarget: sqlite:out.db\ntables:\n%s" % (self.uri, text))
        return json.loads(support.transhume("check", "--json", "--plan", "plan.yaml", cwd=self.folder).out)

    def test_a_plan_needs_what_it_reads(self):
        """Some columns of a table, a table that is looked up, a query."""
        self.assertEqual(self.plan("  partly: { entities: { e: { from: partly, fields: { id: copy, w: copy } } } }")[
            "problems"], [])
        self.assertEqual(self.plan("  partly: { entities: { e: { from: partly, fields: { id: copy, v: copy } } } }")[
            "problems"], self.grants("partly"))
        self.assertEqual(self.plan("  partly: { entities: { e: { from: partly, fields: { id: copy, "
                                   "word: { lookup: words, column: w } } } } }")["problems"], [])
        self.server.psql(self.source, "REVOKE SELECT ON words FROM \"%s\"" % self.role)
        self.assertEqual(self.plan("  partly: { entities: { e: { from: partly, fields: { id: copy, "
                                   "word: { lookup: words, column: w } } } } }")["problems"],
                         self.grants("partly", "words"))
        problem, = self.plan("  q: { key: [id], columns: { id: { type: INTEGER } }, "
                             "entities: { e: { query: 'SELECT id FROM big', key: [id] } } }")["problems"]
        self.assertIn("permission denied for table big", problem)

    def test_no_right_to_connect(self):
        self.server.psql(self.source, "REVOKE CONNECT ON DATABASE %s FROM PUBLIC" % self.source)
        for arguments in ((self.uri, "sqlite:out.db"), (support.make_sqlite(self.path("s.db"),
                                                                            "CREATE TABLE t (id INTEGER PRIMARY KEY)"),
                                                        self.uri)):
            told = self.run_program("check", *arguments, code=2).err
            self.assertIn("[permission]", told)
            self.assertIn("GRANT CONNECT ON DATABASE", told)

    def test_no_right_to_use_the_schema(self):
        """One that is on the search_path all the same, or that was named, is there."""
        lite = support.make_sqlite(self.path("s.db"),
                                   "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
        target = self.made('CREATE SCHEMA "o,d ""d"; GRANT CREATE ON SCHEMA public TO PUBLIC')
        uri = self.server.uri(target).replace("postgres@", self.role.replace(" ", "%20") + "@")
        self.run_program("migrate", lite, uri)
        self.server.psql(target, "REVOKE USAGE ON SCHEMA public FROM PUBLIC")
        self.server.psql(self.source, "REVOKE USAGE ON SCHEMA public FROM PUBLIC")
        for arguments in (("check", self.uri, "sqlite:out.db"), ("check", lite, uri), ("validate",),
                          ("validate", lite, uri)):
            told = self.run_program(*arguments, code=2).err
            self.assertIn("the role may not use the schema public [permission]", told)
            self.assertIn('GRANT USAGE ON SCHEMA public TO "%s"' % self.role, told)
        for path, schema, options in (('nobody, "o,d ""d", public', '"o,d ""d"', ""),
                                      ("public", '"o,d ""d"', "?schema=o%2Cd%20%22d"),
                                      ('"$user", nobody, public', "public", "")):
            self.server.psql(target, "ALTER ROLE \"%s\" SET search_path = %s" % (self.role, path))
            told = self.run_program("check", lite, uri + options, code=2).err
            self.assertIn("GRANT USAGE ON SCHEMA %s TO" % schema, told)
        self.server.psql(target, "ALTER ROLE \"%s\" SET search_path = nobody" % self.role)
        self.assertIn("there is no schema on the search_path [target-missing]",
                      self.run_program("check", lite, uri, code=2).err)


if __name__ == "__main__":
    unittest.main()
