"""
Who may read, write and call what after a plain copy: nobody more than in the source, or the run ends with 1 and says
the statement that closes it.
"""
import json
import os
import random
import unittest

import mariadb
import mysql
import postgres
import support
import tcp_proxy
from support import SEED, SOAK

ROLES = ["rights_%s" % name for name in ("app", "web", "audit", "clerk", "guest", "batch")]
TABLES = ["orders", "notes", "log"]

# Asks as a role, and takes back whatever that did: what it answers, or the state of the error.
PROBE = r"""
CREATE FUNCTION pg_temp.probe(who text, what text) RETURNS text LANGUAGE plpgsql AS $f$
DECLARE answer text;
BEGIN
  BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    EXECUTE what INTO answer;
    RAISE EXCEPTION 'done' USING errcode = 'P9999', detail = coalesce(answer, '');
  EXCEPTION WHEN SQLSTATE 'P9999' THEN GET STACKED DIAGNOSTICS answer = PG_EXCEPTION_DETAIL; RETURN '=' || answer;
            WHEN OTHERS THEN RETURN 'E' || SQLSTATE; END;
END $f$;
"""


class Generator:
    """A database with roles, owners, grants, policies and definers, by a seed."""

    def __init__(self, seed):
        self.seed = seed
        self.draw = random.Random("rights %s" % seed)
        self.lines = []
        self.probes = []   # what is asked as each role
        self.tables = {}   # the question about a view: that about its table, for the view alone
        self.members = [(a, b) for a in ROLES for b in ROLES if a < b and self.draw.random() < 0.12]
        self.missing = [role for role in ROLES if self.draw.random() < 0.2]
        self.superuser = self.draw.random() < 0.7   # does a superuser copy?
        self.grants = self.draw.random() < 0.5
        self.make()

    def some(self, list_of, most=3):
        return self.draw.sample(list_of, self.draw.randint(1, min(most, len(list_of))))

    def maybe(self, chance):
        return self.draw.random() < chance

    def owner(self):
        return self.draw.choice(ROLES[:4] + ["postgres"])

    def grantees(self):
        return [name for name in self.some(ROLES) + (["PUBLIC"] if self.maybe(0.2) else [])]

    def add(self, text, *values):
        self.lines.append(text % values if values else text)

    def as_owner(self, owner, text):
        self.add("SET ROLE %s; %s; RESET ROLE", owner, text)

    def make(self):
        for role in ROLES:
            self.add("GRANT CREATE, USAGE ON SCHEMA public TO %s", role)
        for role in self.some(ROLES, 2):
            if self.maybe(0.4):
                self.add("ALTER DEFAULT PRIVILEGES FOR ROLE %s REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC", role)
            if self.maybe(0.4):
                self.add("ALTER DEFAULT PRIVILEGES FOR ROLE %s GRANT SELECT ON TABLES TO %s", role,
                         self.draw.choice(ROLES))
        if self.maybe(0.2):
            self.add("REVOKE USAGE ON SCHEMA public FROM PUBLIC")
        for name in TABLES:
            self.table(name)
        for number in range(self.draw.randint(1, 3)):
            self.view("v%d" % number, "VIEW")
        if self.maybe(0.6):
            self.view("m0", "MATERIALIZED VIEW")
        for number in range(self.draw.randint(2, 4)):
            self.function("f%d" % number)
        if self.maybe(0.6):
            self.trigger()
        if self.maybe(0.5):
            self.add("CREATE TYPE mood AS ENUM ('a', 'b')")
            if self.maybe(0.6):
                self.add("REVOKE USAGE ON TYPE mood FROM PUBLIC")
            self.grant("USAGE", "TYPE mood")
            self.ask("SELECT has_type_privilege(current_user, 'mood', 'USAGE')")
        if self.maybe(0.5):
            self.add("CREATE SEQUENCE counter")
            self.grant(self.draw.choice(["USAGE", "SELECT", "USAGE, SELECT"]), "SEQUENCE counter")
            self.ask("SELECT 'used' FROM (SELECT nextval('counter')) n")

    def ask(self, what):
        self.probes.append(what)

    def grant(self, what, place):
        for role in self.grantees():
            option = " WITH GRANT OPTION" if role != "PUBLIC" and self.maybe(0.2) else ""
            self.add("GRANT %s ON %s TO %s%s", what, place, role, option)

    def table(self, name):
        owner = self.owner()
        self.as_owner(owner, "CREATE TABLE %s (id int PRIMARY KEY, who text, note text)" % name)
        self.add("INSERT INTO %s SELECT i, (ARRAY['%s'])[1 + i %% %d], 'note ' || i FROM generate_series(1, 12) i"
                 % (name, "','".join(ROLES), len(ROLES)))
        for privilege in self.some(["SELECT", "INSERT", "UPDATE", "DELETE", "SELECT, INSERT", "TRUNCATE", "REFERENCES",
                                    "SELECT (id)", "SELECT (id, who)", "UPDATE (note)"], 4):
            self.grant(privilege, "TABLE " + name)
        if self.maybe(0.7):
            self.add("ALTER TABLE %s ENABLE ROW LEVEL SECURITY", name)
            if self.maybe(0.3):
                self.add("ALTER TABLE %s FORCE ROW LEVEL SECURITY", name)
            for number in range(self.draw.randint(1, 4)):
                condition = self.draw.choice(["id %% %d = 0" % self.draw.randint(2, 3), "who = current_user", "true",
                                              "id > %d" % self.draw.randint(2, 9)])
                self.add("CREATE POLICY p%d ON %s AS %s TO %s USING (%s)", number, name,
                         self.draw.choice(["PERMISSIVE", "RESTRICTIVE"]), ", ".join(self.grantees()), condition)
        for what in ("SELECT string_agg(id::text, ',' ORDER BY id) FROM %s", "SELECT string_agg(note, ',') FROM %s",
                     "WITH x AS (UPDATE %s SET note = 'x' RETURNING 1) SELECT 'updated'",
                     "WITH x AS (INSERT INTO %s VALUES (100, 'x', 'x') RETURNING 1) SELECT 'inserted'",
                     "WITH x AS (DELETE FROM %s) SELECT 'deleted'"):
            self.ask(what % name)
        for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "SELECT WITH GRANT OPTION"):
            self.ask("SELECT has_table_privilege(current_user, '%s', '%s')" % (name, privilege))
        for column in ("id", "who", "note"):
            for privilege in ("SELECT", "UPDATE"):
                self.ask("SELECT has_column_privilege(current_user, '%s', '%s', '%s')" % (name, column, privilege))

    def view(self, name, kind):
        owner = self.owner()
        invoker = " WITH (security_invoker=true)" if kind == "VIEW" and self.maybe(0.2) else ""
        table = self.draw.choice(TABLES)
        if kind != "VIEW":   # whoever makes it reads
            self.add("GRANT SELECT ON %s TO %s", table, owner)
        self.add("CREATE %s %s%s AS SELECT id, note FROM %s", kind, name, invoker, table)
        self.add("ALTER %s %s OWNER TO %s", kind, name, owner)
        if kind != "VIEW":
            self.add("REFRESH MATERIALIZED VIEW %s", name)
        self.grant(self.draw.choice(["SELECT", "SELECT", "SELECT, INSERT", "UPDATE"]), name)
        self.ask("SELECT string_agg(id::text, ',' ORDER BY id) FROM %s" % name)
        if kind == "VIEW":
            self.tables[len(self.probes) - 1] = self.probes.index("SELECT string_agg(id::text, ',' ORDER BY id) FROM %s"
                                                                  % table)
        self.ask("SELECT has_table_privilege(current_user, '%s', 'SELECT')" % name)

    def function(self, name):
        owner = self.owner()
        definer = " SECURITY DEFINER" if self.maybe(0.6) else ""
        body = self.draw.choice(["SELECT string_agg(id::text, '','' ORDER BY id) FROM %s" % self.draw.choice(TABLES),
                                 "SELECT CASE WHEN rolsuper THEN ''1'' END FROM pg_roles WHERE rolname = current_user"])
        self.as_owner(owner, "CREATE FUNCTION %s(i int) RETURNS text LANGUAGE plpgsql%s AS 'BEGIN RETURN (%s); END'"
                      % (name, definer, body))
        if self.maybe(0.5):
            self.add("REVOKE ALL ON FUNCTION %s FROM PUBLIC", name)
        if self.maybe(0.6):
            self.grant("EXECUTE", "FUNCTION %s" % name)
        self.ask("SELECT %s(1)" % name)
        self.ask("SELECT has_function_privilege(current_user, '%s(int)', 'EXECUTE')" % name)

    def trigger(self):
        owner, table = self.owner(), self.draw.choice(TABLES)
        self.as_owner(owner,
                      "CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql%s AS 'BEGIN INSERT INTO log VALUES "
                      "(1000 + new.id, current_user, ''x''); RETURN new; END'"
                      % (" SECURITY DEFINER" if self.maybe(0.7) else ""))
        if table != "log":
            self.add("CREATE TRIGGER fire AFTER INSERT ON %s FOR EACH ROW EXECUTE FUNCTION fire()", table)

    def make_roles(self, present):
        lines = ["DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '%s') THEN CREATE ROLE %s; "
                 "END IF; END $$" % (role, role) for role in present]
        lines += ["GRANT %s TO %s" % pair for pair in self.members if pair[0] in present and pair[1] in present]
        return ";\n".join(lines)

    def ask_sql(self, present):
        asked = [(number, role) for number in range(len(self.probes)) for role in present]
        return (PROBE
                + "SELECT number, role, pg_temp.probe(role, what) FROM (VALUES %s) p(number, role, "
                  "what) ORDER BY number, role" % ", ".join(
                      "(%d, '%s', $q$%s$q$)" % (number, role, self.probes[number]) for number, role in asked))


def is_more(there, here):
    """Does the answer in the target tell, or let, more than that of the source?"""
    if there[0] == "E" or there == here:
        return False
    if here[0] == "E":
        return there not in ("=", "=false")
    if there in ("=true", "=false"):
        return there == "=true" and here == "=false"
    return not set(filter(None, there[1:].split(","))) <= set(filter(None, here[1:].split(",")))


class Rights(support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.source = postgres.for_class(cls)
        cls.target = postgres.Server()
        cls.addClassCleanup(cls.target.stop)

    def drop_roles(self, server, name):
        for role in ROLES + ["rights_mover"]:
            found = server.psql("postgres", "SELECT 1 FROM pg_roles WHERE rolname = '%s'" % role)
            if found:
                server.psql(name, "REASSIGN OWNED BY %s TO postgres; DROP OWNED BY %s" % (role, role))
                server.psql("postgres", "DROP ROLE %s" % role)

    def answers(self, server, name, made, present):
        return {(int(number), role): answer for number, role, answer in server.psql(name, made.ask_sql(present))}

    def more(self, made, before, after):
        """A view with security_invoker may show what its reader sees in the table itself."""
        def known(number, role):
            view, table = before[number, role], before.get((made.tables.get(number), role), "E")
            return "=" + ",".join(answer[1:] for answer in (view, table)
                                  if answer[0] == "=") if table[0] == "=" else view
        return ["%s: %s\n  source %s\n  target %s" % (role, made.probes[number], before[number, role], answer)
                for (number, role), answer in sorted(after.items()) if is_more(answer, known(number, role))]

    def less(self, made, before, after):
        return ["%s: %s\n  source %s\n  target %s" % (role, made.probes[number], before[number, role], answer)
                for (number, role), answer in sorted(after.items()) if is_more(before[number, role], answer)]

    def one(self, seed):
        made = Generator(seed)
        source, target = self.source.database(), self.target.database()
        try:
            self.compare(seed, made, source, target)
        finally:
            self.drop_roles(self.source, source)
            self.drop_roles(self.target, target)

    def compare(self, seed, made, source, target):
        present = [role for role in ROLES if role not in made.missing]
        self.source.psql(source, made.make_roles(ROLES) + ";\n" + ";\n".join(made.lines))
        self.target.psql(target, made.make_roles(present) or "SELECT 1")
        uri = self.target.uri(target)
        if not made.superuser:
            self.target.psql(target,
                             "CREATE ROLE rights_mover LOGIN; GRANT ALL ON DATABASE %s TO rights_mover; "
                             "GRANT ALL ON SCHEMA public TO rights_mover" % target)
            for role in present[:2]:
                self.target.psql(target, "GRANT %s TO rights_mover; GRANT CREATE ON SCHEMA public TO %s" % (role, role))
            uri = uri.replace("postgres@", "rights_mover@")
        if made.maybe(0.3) and present:
            self.target.psql(target, "ALTER DEFAULT PRIVILEGES FOR ROLE %s GRANT SELECT ON TABLES TO %s" % ("postgres"
                if made.superuser else "rights_mover", present[0]))
        result = support.transhume("migrate", "--json", "--state", "state-%s" % seed,
                                   *(["--grants"] if made.grants else []), self.source.uri(source), uri,
                                   cwd=self.folder)
        self.assertIn(result.code, (0, 1), result.err)
        report = json.loads(result.out)
        said = "seed %s, missing %s, %s, %s\n%s" % (seed, made.missing, "superuser" if made.superuser else "mover",
                                                    "--grants" if made.grants else "", result.err)
        with self.subTest("schema", seed=seed):
            self.assertNotIn("is not made", "\n".join(line for line in result.err.splitlines() if "policy" not in line),
                             said)

        before = self.answers(self.source, source, made, ROLES)
        opens = [item for item in report["rights"] if item["opens"]]
        self.assertEqual(result.code, 1 if opens else 0, said)
        more = self.more(made, before, self.answers(self.target, target, made, present))
        with self.subTest("nobody may more, or it is said", seed=seed):
            if more:
                self.assertTrue(opens, "\n".join(more) + "\n" + said)
                statements = [item["statement"] for item in report["rights"] if item["kind"] == "role" or item["opens"]
                              and item["statement"]]
                self.target.psql(target, ";\n".join(statements))
                self.assertEqual(self.more(made, before, self.answers(self.target, target, made, present)), [],
                                 said + "\n".join(statements))
        with self.subTest("what is less is listed", seed=seed):
            left = [item["statement"] for item in report["rights"] if item["statement"]
                    and not (more and (item["kind"] == "role" or item["opens"]))]
            self.target.psql(target, ";\n".join(left) or "SELECT 1")
            # roles belong to each other as an administrator of the server says
            self.target.psql(target, made.make_roles(ROLES))
            after = self.answers(self.target, target, made, ROLES)
            self.assertEqual(self.more(made, before, after), [], said + "\n".join(left))
            self.assertEqual(self.less(made, before, after), [], said + "\n".join(left))

    def test_drawn_databases(self):
        for seed in range(30) if SOAK else ["%s.%d" % (SEED, number) for number in range(4)]:
            self.one(seed)


class Guards(support.TestCase):
    """What the seeds draw, each by itself."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = postgres.for_class(cls)
        cls.server.psql("postgres",
                        "DROP ROLE IF EXISTS guard_owner; CREATE ROLE guard_owner; DROP ROLE IF EXISTS guard_reader; "
                        "CREATE ROLE guard_reader")
        cls.addClassCleanup(cls.server.psql, "postgres", "DROP ROLE guard_owner; DROP ROLE guard_reader")

    def setUp(self):
        super().setUp()
        self.source, self.target = self.server.database(), self.server.database()
        for name in (self.source, self.target):
            self.server.psql(name, "GRANT CREATE ON SCHEMA public TO guard_owner")
            self.addCleanup(self.server.psql, name,
                            "REASSIGN OWNED BY guard_owner TO postgres; DROP OWNED BY guard_owner, guard_reader")

    def migrate(self, *arguments, code=0):
        result = support.transhume("migrate", "--json", *arguments, self.server.uri(self.source),
                                   self.server.uri(self.target), cwd=self.folder)
        self.assert_code(result, code)
        return {item["statement"]: item["opens"] for item in json.loads(result.out)["rights"]}

    def test_functions_and_types(self):
        self.server.psql(self.source,
                         "CREATE TYPE mood AS ENUM ('a'); REVOKE USAGE ON TYPE mood FROM PUBLIC; "
                         "CREATE FUNCTION open() RETURNS int LANGUAGE sql AS 'SELECT 1';"
                         "CREATE FUNCTION closed(mood) RETURNS int LANGUAGE sql AS 'SELECT 1'; "
                         "REVOKE ALL ON FUNCTION closed FROM PUBLIC; GRANT EXECUTE ON FUNCTION closed TO "
                         "guard_reader;"
                         "CREATE PROCEDURE act() LANGUAGE sql AS ''; REVOKE ALL ON PROCEDURE act FROM PUBLIC;"
                         "CREATE TABLE t (id int); CREATE FUNCTION later(t) RETURNS int LANGUAGE sql AS 'SELECT 1'; "
                         "REVOKE ALL ON FUNCTION later FROM PUBLIC;"
                         "SET ROLE guard_owner; CREATE FUNCTION definer() RETURNS text LANGUAGE sql SECURITY DEFINER "
                         "AS 'SELECT current_user::text'")
        ddl = json.loads(support.transhume("check", "--json", "--ddl", self.server.uri(self.source),
                                           self.server.uri(self.target), cwd=self.folder).out)
        self.assertEqual(sum("REVOKE ALL ON" in statement["text"] for statement in ddl["statements"]), 5,
                         ddl["statements"])
        left = self.migrate()
        asked = ("SELECT has_function_privilege('guard_reader', 'open()', 'EXECUTE'), "
                 "has_function_privilege('guard_reader', 'closed(mood)', 'EXECUTE'), "
                 "has_function_privilege('guard_reader', 'act()', 'EXECUTE'), "
                 "has_function_privilege('guard_reader', 'later(t)', 'EXECUTE'), has_function_privilege('guard_reader',"
                 " 'definer()', 'EXECUTE'), has_type_privilege('guard_reader', 'mood', 'USAGE')")
        self.assertEqual(self.server.psql(self.target, asked), [["t", "f", "f", "f", "f", "f"]])
        self.assertEqual(left, {'ALTER FUNCTION definer() OWNER TO "guard_owner"': False,
                                "GRANT EXECUTE ON FUNCTION definer() TO PUBLIC": False,
                                'GRANT EXECUTE ON FUNCTION closed(mood) TO "guard_reader"': False})
        self.server.psql(self.target, ";".join(left))
        self.assertEqual(self.server.psql(self.target, asked), self.server.psql(self.source, asked))

    def test_a_view_of_one_who_is_held_back(self):
        self.server.psql(self.source,
                         "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2); "
                         "ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id = 1);"
                         "GRANT SELECT ON t TO guard_owner; SET ROLE guard_owner; CREATE VIEW v AS SELECT id FROM t; "
                         "CREATE MATERIALIZED VIEW m AS SELECT id FROM t; GRANT SELECT ON v, m TO guard_reader")
        left = self.migrate()
        self.server.psql(self.target, "GRANT SELECT ON v, m TO guard_reader")
        self.assertEqual(self.server.psql(self.target,
                                          "SELECT has_table_privilege('guard_reader', 't', 'SELECT'), "
                                          "relispopulated FROM pg_class WHERE relname = 'm'"), [["f", "f"]])
        with self.assertRaises(AssertionError):
            self.server.psql(self.target, "SET ROLE guard_reader; SELECT id FROM v")
        self.server.psql(self.target, ";".join(left))
        self.assertEqual(self.server.psql(self.target,
                                          "SET ROLE guard_reader; SELECT id FROM v UNION ALL SELECT id FROM m"),
                         [["1"], ["1"]])

    def test_with_grants(self):
        self.server.psql(self.source,
                         "CREATE TABLE t (id int PRIMARY KEY, note text); GRANT SELECT (id), "
                         "UPDATE (note) ON t TO guard_reader WITH GRANT OPTION; GRANT INSERT ON t TO guard_reader; "
                         "ALTER TABLE t OWNER TO guard_owner;"
                         "CREATE VIEW v AS SELECT id FROM t; ALTER VIEW v OWNER TO guard_owner; CREATE SEQUENCE s; "
                         "GRANT USAGE ON s TO guard_reader")
        self.migrate("--grants")
        asked = ("SELECT relname, pg_get_userbyid(relowner), relacl::text FROM pg_class WHERE relname IN ('t', 'v', "
                 "'s') UNION ALL SELECT attname, '', attacl::text FROM pg_attribute WHERE attrelid = 't'::regclass "
                 "AND attacl IS NOT NULL ORDER BY 1")
        self.assertEqual(self.server.psql(self.target, asked), self.server.psql(self.source, asked))
        with open(self.path("plan.yaml"), "w", encoding="utf-8") as file:
            file.write("transhume: 1\nsource: %s\ntarget: %s\noptions: { grants: true }\n"
                       % (self.server.uri(self.source), self.server.uri(self.server.database())))
        for arguments in (["--plan", "plan.yaml"], ["--grants", self.server.uri(self.source),
                                                    self.server.uri(self.server.database())]):
            said = support.transhume("check", "--json", *arguments, cwd=self.folder)
            # it is the target's own
            self.assertEqual(json.loads(said.out)["rights"], ['GRANT CREATE ON SCHEMA "public" TO "guard_owner";'],
                             said.out)

    def test_a_definer_that_the_target_gives_by_default(self):
        self.server.psql(self.source,
                         "CREATE TABLE t (id int PRIMARY KEY); SET ROLE guard_owner; "
                         "CREATE FUNCTION definer() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT "
                         "current_user::text'")
        self.server.psql(self.target,
                         "ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT EXECUTE ON FUNCTIONS TO guard_reader WITH "
                         "GRANT OPTION; ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT EXECUTE ON "
                         "FUNCTIONS TO guard_owner")
        asked = ("SELECT has_function_privilege('guard_reader', 'definer()', 'EXECUTE'), "
                 "has_function_privilege('guard_owner', 'definer()', 'EXECUTE')")
        left = self.migrate()
        self.assertEqual(self.server.psql(self.target, asked), [["f", "f"]])
        self.server.psql(self.target, ";".join(left))
        self.assertEqual(self.server.psql(self.target, asked + ", definer()"), [["t", "t", "guard_owner"]])

    HELD = ("CREATE TABLE t (id int PRIMARY KEY, who text); INSERT INTO t VALUES (1, 'guard_owner'), (2, 'secret'); "
            "ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (who = 'guard_owner'); "
            "GRANT SELECT ON t TO guard_owner;"
            "SET ROLE guard_owner; CREATE VIEW v1 AS SELECT id FROM t; CREATE VIEW v2 AS SELECT id FROM v1; "
            "CREATE MATERIALIZED VIEW m0 AS SELECT id FROM t; CREATE MATERIALIZED VIEW m1 AS SELECT id FROM v2;"
            "CREATE FUNCTION rows() RETURNS SETOF int LANGUAGE plpgsql AS 'BEGIN RETURN QUERY SELECT id FROM t; END'; "
            "CREATE VIEW vf AS SELECT rows FROM rows();"
            "CREATE MATERIALIZED VIEW m2 AS SELECT * FROM rows(); CREATE MATERIALIZED VIEW m3 AS SELECT * FROM vf; "
            "CREATE MATERIALIZED VIEW m4 AS SELECT current_user::text AS u; CREATE MATERIALIZED VIEW m5 AS SELECT "
            "length('x') AS u;"
            "GRANT SELECT ON v1, v2, m0, m1, m2, m3, m4 TO guard_reader; RESET ROLE; "
            "CREATE VIEW top AS SELECT id FROM v2; GRANT SELECT ON top TO guard_reader")
    SEEN = ("SET ROLE guard_reader; SELECT * FROM (SELECT 'v2', id::text FROM v2 UNION ALL SELECT 'top', "
            "id::text FROM top UNION ALL SELECT 'm0', id::text FROM m0 UNION ALL SELECT 'm1', "
            "id::text FROM m1 UNION ALL SELECT 'm2', rows::text FROM m2 UNION ALL SELECT 'm3', "
            "rows::text FROM m3 UNION ALL SELECT 'm4', u FROM m4) x ORDER BY 1, 2")

    def test_what_reads_through_what_is_held_back(self):
        self.server.psql(self.source, self.HELD)
        left = self.migrate()
        self.assertEqual(self.server.psql(self.target,
                                          "SELECT relname FROM pg_class WHERE relkind = 'm' AND relispopulated UNION "
                                          "ALL SELECT relname FROM pg_class WHERE relkind = 'v' AND relnamespace = "
                                          "'public'::regnamespace AND reloptions IS NULL"), [["m5"], ["vf"]])
        self.server.psql(self.target, ";".join(left))
        self.assertEqual(self.server.psql(self.target, self.SEEN), self.server.psql(self.source, self.SEEN))

    def test_what_reads_through_what_is_held_back_with_grants(self):
        self.server.psql(self.source, self.HELD)
        self.server.psql(self.target, "GRANT USAGE ON SCHEMA public TO guard_reader")
        self.assertEqual(self.migrate("--grants"), {})
        self.assertEqual(self.server.psql(self.target, self.SEEN), self.server.psql(self.source, self.SEEN))

    def test_columns_of_a_view_that_may_be_written(self):
        self.server.psql(self.source,
                         "CREATE TABLE n (id int PRIMARY KEY, note text); CREATE TABLE log (id int); "
                         "GRANT SELECT ON n, log TO guard_owner; SET ROLE guard_owner; "
                         "CREATE VIEW v AS SELECT * FROM n; GRANT SELECT, UPDATE (note) ON v TO guard_reader;"
                         "CREATE TABLE ruled (id int); CREATE RULE r AS ON INSERT TO ruled DO INSTEAD INSERT INTO log "
                         "VALUES (new.id); GRANT INSERT (id) ON ruled TO guard_reader")
        left = self.migrate(code=1)
        self.assertIn('ALTER TABLE ruled OWNER TO "guard_owner"',
                      [statement for statement, opens in left.items() if opens])
        self.assertEqual(self.server.psql(self.target, "SELECT reloptions FROM pg_class WHERE relname = 'v'"),
                         [["{security_invoker=true}"]])

    def test_what_an_owner_may_not(self):
        self.server.psql(self.source,
                         "SET ROLE guard_owner; CREATE TABLE own (id int PRIMARY KEY); "
                         "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE INSERT, "
                         "UPDATE ON own FROM guard_owner; REVOKE EXECUTE ON FUNCTION f FROM PUBLIC, guard_owner")
        asked = ("SELECT relname, relacl::text FROM pg_class WHERE relname = 'own' UNION ALL SELECT proname, "
                 "proacl::text FROM pg_proc WHERE proname = 'f'")
        self.assertEqual(self.migrate("--grants"), {})
        self.assertEqual(self.server.psql(self.target, asked), self.server.psql(self.source, asked))
        self.target = self.server.database()
        self.addCleanup(self.server.psql, self.target, "DROP OWNED BY guard_owner CASCADE")
        left = self.migrate()
        self.assertIn('REVOKE INSERT, UPDATE ON TABLE own FROM "guard_owner"', left)
        self.server.psql(self.target, ";".join(left))
        self.assertEqual(self.server.psql(self.target, asked), self.server.psql(self.source, asked))

    def check(self, *arguments, code=0):
        result = support.transhume("check", *arguments, self.server.uri(self.source), self.server.uri(self.target),
                                   cwd=self.folder)
        self.assert_code(result, code)
        return result

    def test_rights_for_whom_nobody_knows(self):
        self.server.psql(self.source, "CREATE TABLE t (id int PRIMARY KEY)")
        for account in ("public", "none"):
            self.assertIn("no role is called like this", self.check("--rights-for", account, code=2).err)
        self.assertIn('CREATE ROLE "guard nobody" LOGIN;', self.check("--rights-for", "guard nobody").out)
        self.assertNotIn("CREATE ROLE", self.check("--rights-for", "guard_reader").out)

    def test_what_is_left_without_code(self):
        self.server.psql(self.source,
                         "CREATE FUNCTION f(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END'; "
                         "CREATE TABLE t (id int PRIMARY KEY, x int CHECK (f(x)), y int CHECK (y > 0)); "
                         "CREATE INDEX i ON t (f(x)); CREATE VIEW v AS SELECT 1 AS one")
        said = self.check("--no-code").out
        for line in ("pg_proc: 1 objects, 0 copied, 1 left out", "view 1 (1 left out)", "index 2 (1 left out)",
                     "check 2 (1 left out)"):
            self.assertIn(line, " ".join(said.split()))

    def test_everybody_may_create(self):
        self.server.psql(self.source, "CREATE TABLE t (id int)")
        self.server.psql(self.target, "GRANT CREATE ON SCHEMA public TO PUBLIC")
        self.assertEqual(self.migrate(code=1), {'REVOKE CREATE ON SCHEMA public FROM PUBLIC': True})

    def test_what_the_target_gives_by_default(self):
        self.server.psql(self.source, "CREATE TABLE t (id int PRIMARY KEY); GRANT SELECT (id) ON t TO guard_reader")
        self.server.psql(self.target,
                         "ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT SELECT ON TABLES TO guard_reader")
        left = self.migrate("--grants", code=1)
        closing = [statement for statement, opens in left.items() if opens]
        self.assertEqual(closing,
                         ['REVOKE SELECT ON TABLE t FROM "guard_reader"; GRANT SELECT (id) ON TABLE t TO '
                          '"guard_reader"'])
        self.server.psql(self.target, closing[0])
        self.assertEqual(self.server.psql(self.target,
                                          "SELECT has_table_privilege('guard_reader', 't', 'SELECT'), "
                                          "has_column_privilege('guard_reader', 't', 'id', 'SELECT')"), [["f", "t"]])

    def test_what_the_target_lets_grant_on(self):
        """Only that is taken: not the right itself, nor one to a column."""
        self.server.psql(self.source,
                         "CREATE TABLE t (id int PRIMARY KEY, note text); GRANT SELECT ON t TO guard_reader; "
                         "CREATE TABLE u (id int PRIMARY KEY, note text); GRANT SELECT (id) ON u TO guard_reader")
        asked = " UNION ALL ".join("SELECT '%s', has_table_privilege('guard_reader', '%s', 'SELECT'), "
                                   "has_table_privilege('guard_reader', '%s', 'SELECT WITH GRANT OPTION'), "
                                   "has_column_privilege('guard_reader', '%s', 'id', 'SELECT'), "
                                   "has_column_privilege('guard_reader', '%s', 'id', 'SELECT WITH GRANT OPTION')"
                                   % ((name,) * 5) for name in "tu")
        for arguments in ([], ["--grants"]):
            with self.subTest(arguments=arguments):
                self.target = self.server.database()
                self.server.psql(self.target,
                                 "ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT SELECT ON TABLES TO guard_reader "
                                 "WITH GRANT OPTION")
                self.addCleanup(self.server.psql, self.target, "DROP OWNED BY guard_owner, guard_reader")
                left = self.migrate("--state", "state" + "".join(arguments), *arguments, code=1)
                self.server.psql(self.target, ";".join(left))
                self.assertEqual(self.server.psql(self.target, asked), self.server.psql(self.source, asked), left)

    def mover(self, words):
        self.server.psql(self.target,
                         "CREATE ROLE guard_mover LOGIN %s; GRANT ALL ON DATABASE %s TO guard_mover; "
                         "GRANT ALL ON SCHEMA public TO guard_mover" % (words, self.target))
        self.addCleanup(self.server.psql, self.target,
                        "REASSIGN OWNED BY guard_mover TO postgres; DROP OWNED BY guard_mover; DROP ROLE guard_mover")
        return self.server.uri(self.target).replace("postgres@", "guard_mover@")

    def test_one_who_may_give_but_not_use(self):
        """A member that does not inherit could give a table away, and then do nothing with it."""
        self.server.psql(self.source,
                         "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); "
                         "ALTER TABLE t OWNER TO guard_owner")
        uri = self.mover("NOINHERIT IN ROLE guard_owner")
        said = json.loads(support.transhume("check", "--json", "--grants", self.server.uri(self.source), uri,
                                            cwd=self.folder).out)
        self.assertIn('ALTER TABLE t OWNER TO "guard_owner";', said["rights"])
        result = support.transhume("migrate", "--json", "--grants", self.server.uri(self.source), uri, cwd=self.folder)
        self.assert_code(result, 0)
        self.assertIn('ALTER TABLE t OWNER TO "guard_owner"', [item["statement"]
                                                               for item in json.loads(result.out)["rights"]])
        self.assert_code(support.transhume("validate", self.server.uri(self.source), uri, cwd=self.folder), 0)
        self.assert_code(support.transhume("rollback", "--confirm", "--run", json.loads(result.out)["run"],
                                           cwd=self.folder), 0)
        self.assertEqual(self.server.psql(self.target, "SELECT to_regclass('t')"), [[None]])

    def test_views_that_say_who_reads(self):
        """security_invoker, in whatever words."""
        self.server.psql(self.source,
                         "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2); "
                         "ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id = 1); "
                         "GRANT SELECT ON t TO guard_owner;"
                         "SET ROLE guard_owner; CREATE VIEW no WITH (security_barrier=true, "
                         "security_invoker=false) AS SELECT id FROM t; CREATE VIEW off WITH (security_invoker=OFF) "
                         "AS SELECT id FROM t;"
                         "CREATE VIEW yes WITH (security_invoker=ON, security_barrier=true) AS SELECT id FROM t; "
                         "GRANT SELECT ON no, off, yes TO guard_reader")
        options = ("SELECT relname, coalesce('security_barrier=true' = ANY(reloptions), false), "
                   "(SELECT bool_or(split_part(o, '=', 2)::bool) FROM unnest(reloptions) o WHERE o LIKE "
                   "'security_invoker=%') "
                   "FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace ORDER BY 1")
        self.migrate()
        self.assertEqual(self.server.psql(self.target, options),
                         [["no", "t", "t"], ["off", "f", "t"], ["yes", "t", "t"]])
        self.target = self.server.database()
        self.server.psql(self.target, "GRANT CREATE ON SCHEMA public TO guard_owner")
        self.addCleanup(self.server.psql, self.target,
                        "REASSIGN OWNED BY guard_owner TO postgres; DROP OWNED BY guard_owner, guard_reader")
        self.migrate("--grants", "--state", "grants")
        self.assertEqual(self.server.psql(self.target, options),
                         [["no", "t", None], ["off", "f", None], ["yes", "t", "t"]])

    def test_many_are_counted(self):
        self.server.psql(self.source,
                         "DO $$ BEGIN FOR i IN 1..1100 LOOP EXECUTE format('CREATE FUNCTION f%s() RETURNS int LANGUAGE "
                         "sql AS $f$SELECT 1$f$; ALTER FUNCTION f%s OWNER TO guard_owner', i, i); END LOOP; END $$")
        result = support.transhume("migrate", self.server.uri(self.source), self.server.uri(self.target),
                                   cwd=self.folder)
        self.assert_code(result, 0)
        self.assertIn("rights: 1100 are left to do", result.out)

    def test_a_ledger_and_its_schema_are_made_at_once(self):
        """Whoever drops the one sees the other."""
        self.server.psql(self.source, "CREATE TABLE t (id int PRIMARY KEY)")
        self.migrate("--ledger-schema", "kept")
        self.assertEqual(self.server.psql(self.target,
                                          "SELECT n.xmin = c.xmin FROM pg_namespace n JOIN pg_class c ON "
                                          "c.relnamespace = n.oid WHERE n.nspname = 'kept' AND c.relname = "
                                          "'_transhume_ledger'"), [["t"]])

    def lied_to(self, lies, command, *arguments, uri=None):
        for true, false in lies.items():
            self.assertEqual(len(true), len(false), "the message's length is told, too")

        def change(data, _):
            for true, false in lies.items():
                data = data.replace(true, false)
            return data
        with tcp_proxy.ChangingProxy(self.server.port, change) as proxy:
            return support.transhume(command, "--json", *arguments, self.server.uri(self.source, via=proxy),
                                     uri or self.server.uri(self.target), cwd=self.folder)

    def test_what_a_source_tells_of_rights_is_no_command(self):
        """Nor what is printed for the hands of a superuser."""
        self.server.psql(self.source,
                         "CREATE TABLE t (id int PRIMARY KEY); GRANT SELECT ON t TO guard_reader; "
                         "CREATE FUNCTION shut(a integer) RETURNS int LANGUAGE sql AS 'SELECT 1'; "
                         "REVOKE ALL ON FUNCTION shut FROM PUBLIC;"
                         "GRANT EXECUTE ON FUNCTION shut TO guard_reader; GRANT CREATE ON SCHEMA public TO "
                         "guard_reader; ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT SELECT ON SEQUENCES TO "
                         "guard_reader")
        for number, (true, false) in enumerate(((b" ON SEQUENCES TO guard_reader", b" ON SEQUENCES TO a; DROP x --"),
                                                (b" GRANT SELECT ON SEQUENCES", b" GRANT x; DROP SEQUENCE--S"),
                                                (b"\0\0\0\x18FUNCTION shut(a integer)",
                                                 b"\0\0\0\x18FUNCTION a; DROP ROLE b;"),
                                                (b"\0\0\0\x06SELECT", b"\0\0\0\x06;DROP "),
                                                (b"\0\0\0\x06CREATE", b"\0\0\0\x06;DROP "))):
            for command in ("check", "migrate"):
                with self.subTest(command, lie=false):
                    self.target = self.server.database()
                    result = self.lied_to({true: false}, command,
                                          *([] if command == "check" else ["--state", "state-%d" % number]))
                    self.assertIn(result.code, (2, 3), result.out + result.err)
                    self.assertIn("what the source tells is no right of it", result.err)
                    self.assertEqual(self.server.psql(self.target, "SELECT to_regclass('t'), to_regproc('shut')"),
                                     [[None, None]])

    def test_a_statement_of_the_source_is_printed_if_it_is_one(self):
        self.server.psql(self.source,
                         "CREATE TABLE quite_a_long_name (id int PRIMARY KEY); ALTER TABLE quite_a_long_name ENABLE "
                         "ROW LEVEL SECURITY; ALTER TABLE quite_a_long_name FORCE ROW LEVEL SECURITY;"
                         "CREATE POLICY p ON quite_a_long_name AS RESTRICTIVE TO guard_reader USING (id < 1234567890)")
        uri = self.mover("NOSUPERUSER")
        result = self.lied_to({b"ALTER TABLE quite_a_long_name FORCE": b"ALTER TABLE q; DROP ROLE x;-- FORCE",
                               b"< 1234567890": b"< 1); DROP x"}, "migrate", uri=uri)
        self.assert_code(result, 1)
        said = {item["kind"]: (item["opens"], item["statement"]) for item in json.loads(result.out)["rights"]
                if item["opens"]}
        self.assertEqual(said, {"policy": (True, None), "row security": (True, None)}, result.out)
        self.assertNotIn("DROP", " ".join(str(item["statement"]) for item in json.loads(result.out)["rights"]))

    def test_what_is_not_told(self):
        """NULL, where something is due."""
        self.server.psql(self.source,
                         "CREATE TABLE t (id int PRIMARY KEY); CREATE VIEW vv AS SELECT id FROM t; "
                         "GRANT SELECT ON vv TO guard_reader; REVOKE CONNECT ON DATABASE %s FROM PUBLIC; "
                         "CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING;"
                         "CREATE FUNCTION shut() RETURNS int LANGUAGE sql AS 'SELECT 1'; "
                         "REVOKE ALL ON FUNCTION shut FROM PUBLIC; CREATE AGGREGATE agg (int) (sfunc = int4pl, "
                         "stype = int)" % self.source)

        def field(text):
            return len(text).to_bytes(4, "big") + text

        def none_first(one, other):
            return b"\xff\xff\xff\xff" + field(b"x" * (len(one) + len(other)))

        def none_last(one, other):
            return field(b"x" * (len(one) + len(other))) + b"\xff\xff\xff\xff"
        for one, other in ((b"owner", b"table"), (b"grant", b"view"), (b"closed", b"function"), (b"shut", b"database"),
                           (b"view", b"vv"), (b"rule", b"r"), (b"aggregate", b"agg(integer)")):
            for lie in (none_first, none_last):
                with self.subTest(one=one, lie=lie.__name__):
                    result = self.lied_to({field(one) + field(other): lie(one, other)}, "check")
                    self.assertIn(result.code, (2, 3), result.out + result.err)
                    self.assertIn("is not told as it was asked for", result.err)

    def test_the_report_says_what_is_left(self):
        self.server.psql(self.source,
                         "CREATE TABLE t (id int PRIMARY KEY); GRANT SELECT ON t TO guard_reader; "
                         "REVOKE CONNECT ON DATABASE %s FROM PUBLIC" % self.source)
        left = self.migrate("--state", "s", code=1)
        self.assertTrue(left["REVOKE CONNECT ON DATABASE %s FROM PUBLIC" % self.target])
        for name in ("report.html", "report.md"):
            with open(self.path("s", name), encoding="utf-8") as file:
                said = file.read().replace("&quot;", '"')
            self.assertIn("Rights: left to do", said)
            self.assertIn("REVOKE CONNECT ON DATABASE %s FROM PUBLIC;" % self.target, said)
            self.assertIn("GRANT SELECT ON TABLE t TO", said)


class Missing(support.TestCase):
    """Roles that the target has not."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = postgres.for_class(cls)
        cls.other = postgres.Server()
        cls.addClassCleanup(cls.other.stop)
        cls.server.psql("postgres", "CREATE ROLE missing_audit; CREATE ROLE \"PUBLIC\"")
        cls.addClassCleanup(cls.server.psql, "postgres", "DROP ROLE missing_audit; DROP ROLE \"PUBLIC\"")

    def setUp(self):
        super().setUp()
        self.source, self.target = self.server.database(), self.other.database()
        self.addCleanup(self.server.psql, self.source, "DROP OWNED BY missing_audit, \"PUBLIC\"")
        self.addCleanup(self.other.psql, "postgres", "DROP ROLE IF EXISTS missing_audit, \"PUBLIC\"")
        self.addCleanup(self.other.psql, self.target, "DROP TABLE IF EXISTS t")

    def run_it(self, command, *arguments, code):
        result = support.transhume(command, *arguments, self.server.uri(self.source), self.other.uri(self.target),
                                   cwd=self.folder)
        self.assert_code(result, code)
        return result

    def test_roles_come_before_what_names_them(self):
        self.server.psql(self.source,
                         "CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t ENABLE ROW LEVEL SECURITY; "
                         "CREATE POLICY p ON t AS RESTRICTIVE TO missing_audit, postgres USING (id > 1)")
        said = json.loads(self.run_it("check", "--json", code=1).out)
        self.assertEqual(said["openings"][0], 'CREATE ROLE "missing_audit";')
        self.assertEqual(len(said["rights"]), len(said["unopened"]))
        lines = self.run_it("migrate", code=1).err
        self.assertLess(lines.index('CREATE ROLE "missing_audit"'), lines.index("ALTER POLICY"), lines)
        statements = [line.split(": ")[-1] for line in lines.splitlines() if "CREATE ROLE" in line
                      or "ALTER POLICY" in line]
        self.other.psql(self.target, ";".join(statements))
        self.assertEqual(self.other.psql(self.target, "SELECT array_length(polroles, 1) FROM pg_policy"), [["2"]])

    def test_one_who_is_called_like_everybody(self):
        self.server.psql(self.source,
                         "CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t ENABLE ROW LEVEL SECURITY; "
                         "CREATE POLICY all_of_them ON t TO PUBLIC USING (true);"
                         "CREATE POLICY p ON t AS RESTRICTIVE TO \"PUBLIC\" USING (id > 1); "
                         "CREATE POLICY q ON t AS PERMISSIVE TO \"PUBLIC\" USING (id > 1)")
        result = json.loads(self.run_it("migrate", "--json", code=1).out)
        self.assertEqual(self.other.psql(self.target, "SELECT polname FROM pg_policy"), [["all_of_them"]])
        self.other.psql(self.target, ";".join(item["statement"] for item in result["rights"]))
        asked = "SELECT polname, polroles::regrole[] FROM pg_policy ORDER BY 1"
        self.assertEqual(self.other.psql(self.target, asked), self.server.psql(self.source, asked))

    def test_a_ledger_whose_texts_are_short(self):
        """What has no room there is counted, and in the log."""
        ledger = mariadb.for_class(type(self))
        condition = " OR ".join("id = %d" % (i + 1000000) for i in range(1500))
        self.server.psql(self.source, "CREATE TABLE t (id int PRIMARY KEY); "
                         + ";".join("CREATE POLICY p%d ON t AS RESTRICTIVE TO missing_audit USING (%s)" % (number,
                             condition) for number in range(30)))
        result = self.run_it("migrate", "--json", "--ledger", ledger.uri(ledger.database()), code=1)
        rights = json.loads(result.out)["rights"]
        self.assertEqual(rights[-1]["kind"], "more")
        self.assertEqual(sum(item["opens"] for item in rights[:-1]) + rights[-1]["opening"], 30)
        self.assertIn("30 things are more open than in the source", result.err)
        for number in range(30):
            self.assertIn(" open: p%d: " % number, result.err)

    def test_long_statements_are_whole(self):
        self.server.psql(self.source,
                         "CREATE TABLE t (id int PRIMARY KEY); CREATE POLICY p ON t TO missing_audit USING (%s)"
                         % " OR ".join("id = %d" % (i + 1000000) for i in range(1500)))
        out = self.run_it("check", code=0).out
        line, = [line for line in out.splitlines() if "CREATE POLICY" in line]
        self.assertTrue(line.startswith("    CREATE POLICY") and line.count("id = ") == 1500 and line.endswith(";"),
                        line[-200:])

    def test_statements_of_several_lines_are_told_whole(self):
        self.server.psql(self.source,
                         "CREATE TABLE t (id int PRIMARY KEY); CREATE POLICY p ON t AS RESTRICTIVE TO missing_audit "
                         "USING (EXISTS (SELECT 1 FROM t o WHERE o.id = t.id AND (%s)))"
                         % " OR ".join("o.id = %d" % (i + 1000000) for i in range(1500)))
        err = self.run_it("migrate", code=1).err
        lines = err.partition(" open: p: ")[2].splitlines()
        end = next(number for number, line in enumerate(lines) if number and not line.startswith("    "))
        self.assertTrue(lines[0].endswith(":") and end > 2, lines[:3])
        statement = "\n".join(line[4:] for line in lines[1:end])
        self.other.psql(self.target, "BEGIN; CREATE ROLE missing_audit; %s; ROLLBACK" % statement)
        self.assertEqual(statement.count("o.id = "), 1501)
        records = [json.loads(line) for line in support.transhume("migrate", "--log-format", "json", "--state", "json",
                                                                  self.server.uri(self.source),
                                                                  self.other.uri(self.other.database()),
                                                                  cwd=self.folder).err.splitlines()]
        self.assertEqual("".join(record["text"] for record in records).count("o.id = "), 1501)


class Definers(support.TestCase):
    KIND, PREPARES, READS_ROUTINES = mariadb, True, "SELECT ON mysql.proc"
    DEFINERS = ("SELECT table_name, definer FROM information_schema.views WHERE table_schema = DATABASE() UNION ALL "
                "SELECT trigger_name, definer FROM information_schema.triggers WHERE trigger_schema = DATABASE()")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.KIND.for_class(cls)

    def setUp(self):
        super().setUp()
        self.source, self.target = self.server.database(), self.server.database()
        self.server.ask(self.source,
                        "CREATE TABLE t (id int PRIMARY KEY); CREATE DEFINER=`app one`@`10.%` VIEW v AS SELECT id FROM "
                        "t; CREATE DEFINER=`app one`@`10.%` SQL SECURITY INVOKER VIEW i AS SELECT id FROM t;"
                        "CREATE DEFINER=`app one`@`10.%` TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.id = "
                        "NEW.id + 1; CREATE VIEW mine AS SELECT id FROM t")

    def definers(self):
        return sorted(map(tuple, self.server.ask(self.target, self.DEFINERS)))

    def run_it(self, command, *arguments, code, uri=None):
        result = support.transhume(command, *arguments, self.server.uri(self.source),
                                   uri or self.server.uri(self.target), cwd=self.folder)
        self.assert_code(result, code)
        return result

    def test_keep_is_told(self):
        said = self.run_it("check", code=0).out
        self.assertIn("v: the view runs as app one@10.%, its definer in the source", said)
        self.assertIn("tr: the trigger runs as app one@10.%", said)
        self.assertNotIn("i: the view runs", said)
        self.assertNotIn("mine: the view", said)
        self.assertIn("definers: 2 of views", self.run_it("migrate", code=0).out)
        self.assertEqual(dict(self.definers())["tr"], "app one@10.%")

    def test_self(self):
        self.run_it("migrate", "--definer", "self", code=0)
        account = dict(self.definers())["mine"]
        self.assertEqual({definer for _, definer in self.definers()}, {account})

    def test_refuse(self):
        result = self.run_it("migrate", "--definer", "refuse", code=5)
        self.assertIn("[definer-refused]", result.err)
        self.assertEqual(self.definers(), [])
        self.run_it("check", "--definer", "refuse", code=5)

    def mover(self):
        """The URI of an account that may make objects, but none of another definer."""
        made = self.server.database()   # a name of its own
        self.account = "m_" + made
        self.server.ask("",
                        "CREATE USER %s@'127.0.0.1'; GRANT ALL ON `%s`.* TO %s@'127.0.0.1'; GRANT SELECT, SHOW VIEW, "
                        "TRIGGER, EVENT ON `%s`.* TO %s@'127.0.0.1'"
                        % (self.account, self.target, self.account, self.source, self.account))
        self.server.ask("", "GRANT %s TO %s@'127.0.0.1'" % (self.READS_ROUTINES, self.account))
        self.addCleanup(self.server.ask, "", "DROP USER %s@'127.0.0.1'" % self.account)
        return "mysql://%s@%s" % (self.account, self.server.uri(self.target).partition("@")[2])

    def opened(self, code=1):
        """{object: its statement}"""
        out = json.loads(self.run_it("migrate", "--json", code=code, uri=self.mover()).out)
        return {item["object"]: item["statement"] for item in out["rights"] if item["opens"]}

    def made(self, name):
        """What stands there, and as whose."""
        return sorted(map(tuple, self.server.ask(name, """
            SELECT 'trigger', trigger_name, definer, action_statement, sql_mode, collation_connection FROM information_schema.triggers WHERE trigger_schema = DATABASE()
            UNION ALL SELECT 'view', table_name, definer, REPLACE(view_definition, CONCAT('`', DATABASE(), '`.'), ''), security_type, '' FROM information_schema.views WHERE table_schema = DATABASE()
            UNION ALL SELECT routine_type, routine_name, definer, routine_definition, sql_mode, collation_connection FROM information_schema.routines WHERE routine_schema = DATABASE()
            UNION ALL SELECT 'event', event_name, definer, event_definition, sql_mode, time_zone FROM information_schema.events WHERE event_schema = DATABASE()""")))

    def test_one_that_the_server_did_not_take_is_open(self):
        opened = self.opened()
        self.assertEqual(sorted(opened), ["mine", "tr", "v"])
        for statement in opened.values():
            self.server.ask("mysql", statement)
        theirs = dict(map(tuple, self.server.ask(self.source, self.DEFINERS)))
        self.assertEqual({name: definer for name, definer in self.definers() if name in opened},
                         {name: theirs[name] for name in opened})

    def test_statements_as_they_are_pasted(self):
        """Through the client: bodies of several statements, whatever is in them, and a session that is as it was."""
        self.server.ask(self.source, r"""
            DROP VIEW i;
            DELIMITER //
            CREATE DEFINER=`o'ne "x"`@`10.%` TRIGGER `a b``c` BEFORE UPDATE ON t FOR EACH ROW
            BEGIN
              DECLARE said text DEFAULT 'it''s; a $$ \\ b \' c \n';  # not ' that
              IF NEW.id > 5 THEN SET NEW.id = 5; ELSE SET NEW.id = CASE NEW.id WHEN 1 THEN 2 ELSE 3 END; END IF; -- nor ; this
            END//
            CREATE DEFINER=`app one`@`10.%` PROCEDURE p (IN a int, OUT b text)
            BEGIN
            	SET b = CONCAT('tab	', a, "é€");
              SELECT '
            ';
            END//
            CREATE DEFINER=`app one`@`10.%` FUNCTION f (a int) RETURNS int DETERMINISTIC RETURN a + 1//
            CREATE DEFINER=`app one`@`10.%` EVENT e ON SCHEDULE EVERY 1 YEAR DISABLE DO BEGIN DELETE FROM t; DELETE FROM t; END//
            CREATE DEFINER=`app one`@`10.%` VIEW slash AS SELECT '\\; ''x' AS `a "b`//
            SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'//
            CREATE DEFINER=`app one`@`10.%` PROCEDURE "q""q" () BEGIN SELECT 1 AS "a;"; END//
            """)
        opened = self.opened()
        self.assertLessEqual({"v", "tr", "a b`c", "p", "f", "e", "slash", 'q"q'}, set(opened))
        asked = "SELECT @@sql_mode, @@time_zone, @@collation_connection, DATABASE()"
        for name, statement in opened.items():
            with self.subTest(name):
                before, = self.server.ask("mysql", asked, mode="ANSI_QUOTES")
                after = self.server.ask("mysql", statement + ";\n" + asked, mode="ANSI_QUOTES")[-1]
                self.assertEqual(after[:3], before[:3])
        self.assertEqual(self.made(self.target), self.made(self.source))

    def test_packages_as_they_are_pasted(self):
        """Which are words of one mode alone, and whose bodies go with them."""
        self.server.ask(self.source, """
            SET sql_mode = ORACLE;
            DELIMITER //
            CREATE DEFINER=`app one`@`10.%` PACKAGE pk AS FUNCTION one RETURN int; END//
            CREATE DEFINER=`app one`@`10.%` PACKAGE BODY pk AS
              FUNCTION one RETURN int AS BEGIN RETURN 1; END;  -- it's one; $$
            END//
            CREATE DEFINER=`app one`@`10.%` PACKAGE bare AS PROCEDURE p; END//
            """)
        out = json.loads(self.run_it("migrate", "--json", code=1, uri=self.mover()).out)
        listed = [item for item in out["rights"] if item["opens"] and item["object"] in ("bare", "pk")]
        self.assertEqual(len(listed), 3)
        asked = "SELECT @@sql_mode, @@time_zone, @@collation_connection, DATABASE()"
        for item in listed:
            with self.subTest(item["text"]):
                before, = self.server.ask("mysql", asked, mode="ANSI_QUOTES")
                after = self.server.ask("mysql", item["statement"] + ";\n" + asked, mode="ANSI_QUOTES")[-1]
                self.assertEqual(after[:3], before[:3])
                # after each of them all is there
                self.assertEqual(self.server.ask(self.target,
                                                 "SELECT count(*) FROM information_schema.routines WHERE "
                                                 "routine_schema = DATABASE()"), [["3"]])
        kept = [row for row in self.made(self.source) if row[0].startswith("PACKAGE")]
        self.assertEqual([row for row in self.made(self.target) if row[0].startswith("PACKAGE")], kept)

    def test_one_package_statement_does_it(self):
        """The body is there and the definer's, as the statement of the package alone makes it."""
        self.server.ask(self.source, """
            SET sql_mode = ORACLE;
            DELIMITER //
            CREATE DEFINER=`app one`@`10.%` PACKAGE pk AS FUNCTION one RETURN int; END//
            CREATE PACKAGE BODY pk AS FUNCTION one RETURN int AS BEGIN RETURN 1; END; END//
            """)
        out = json.loads(self.run_it("migrate", "--json", code=1, uri=self.mover()).out)
        statement, = [item["statement"] for item in out["rights"] if item["opens"]
                      and item["text"].startswith("the package runs")]
        self.server.ask("mysql", statement)
        of = ("SELECT routine_type, definer FROM information_schema.routines WHERE routine_schema = DATABASE() "
              "ORDER BY 1")
        self.assertEqual(self.server.ask(self.target, of), self.server.ask(self.source, of))

    def test_what_runs_as_its_caller_has_no_definer(self):
        self.server.ask(self.source, r"""
            DROP VIEW v; DROP TRIGGER tr; DROP VIEW mine;
            DELIMITER //
            CREATE DEFINER=`app one`@`10.%` PROCEDURE p (IN a varchar(9), /* ) */ OUT b enum('(', ')')) SQL SECURITY INVOKER BEGIN SELECT 1; END//
            CREATE DEFINER=`app one`@`10.%` FUNCTION f () RETURNS enum('a', '
            ') READS SQL DATA DETERMINISTIC SQL SECURITY INVOKER COMMENT 'SQL SECURITY DEFINER' RETURN 'a'//
            """)
        self.assertNotIn("its definer in the source", self.run_it("check", code=0).out)
        self.run_it("migrate", "--definer", "refuse", code=0)
        self.assertEqual(self.server.ask(self.target,
                                         "SELECT DISTINCT definer FROM information_schema.routines WHERE "
                                         "routine_schema = DATABASE()"), [["app one@10.%"]])

    def test_a_caller_that_stands_in_the_body_is_none(self):
        self.server.ask(self.source, r"""
            DROP VIEW v; DROP TRIGGER tr; DROP VIEW mine;
            DELIMITER //
            CREATE DEFINER=`app one`@`10.%` PROCEDURE p () SELECT '
                SQL SECURITY INVOKER
            '//
            CREATE DEFINER=`app one`@`10.%` PROCEDURE q () COMMENT '
                SQL SECURITY INVOKER
            ' SELECT 1//
            CREATE DEFINER=`app one`@`10.%` FUNCTION f () RETURNS int DETERMINISTIC /* SQL SECURITY INVOKER */ RETURN 1//
            SET sql_mode = 'NO_BACKSLASH_ESCAPES'//
            CREATE DEFINER=`app one`@`10.%` PROCEDURE r (a enum('\')) COMMENT ' SQL SECURITY INVOKER COMMENT ' SELECT 1//
            """)
        said = self.run_it("check", code=0).out
        for what in ("p: the procedure", "q: the procedure", "r: the procedure", "f: the function"):
            self.assertIn(what + " runs as app one@10.%", said)
        self.run_it("migrate", "--definer", "refuse", code=5)

    def test_accounts_that_are_missing_come_first(self):
        self.server.ask(self.source, "CREATE DEFINER=`o'ne \"x\"`@`10.%` VIEW w AS SELECT id FROM t")
        expected = {"app one@10.%": "CREATE USER 'app one'@'10.%' ACCOUNT LOCK",
                    "o'ne \"x\"@10.%": "CREATE USER 'o''ne \"x\"'@'10.%' ACCOUNT LOCK"}
        self.addCleanup(self.server.ask, "", "DROP USER IF EXISTS 'app one'@'10.%', 'o''ne \"x\"'@'10.%'")
        out = self.run_it("check", code=0).out
        for statement in expected.values():
            self.assertIn(statement + ";", out)
        rights = json.loads(self.run_it("migrate", "--json", code=0).out)["rights"]
        roles = [item for item in rights if item["kind"] == "role"]
        self.assertEqual({item["object"]: item["statement"] for item in roles}, expected)
        self.assertEqual(rights[:len(roles)], roles)
        self.assertEqual([item["opens"] for item in roles], [False] * 2)
        for statement in expected.values():
            self.server.ask("mysql", statement)
        self.server.ask("", "GRANT SELECT ON `%s`.* TO 'app one'@'10.%%'" % self.target)
        self.assertEqual(self.server.ask(self.target, "SELECT * FROM v"), [])   # a locked one is a definer
        self.assertEqual(self.run_it("check", "--existing", "append", code=0).out.count("CREATE USER"), 0)

    def test_what_the_target_had_is_none_of_it(self):
        """The run leaves it alone, and so do its lists."""
        self.server.ask(self.source, "DROP TRIGGER tr")
        uri = self.mover()
        self.server.ask(self.target,
                        "CREATE DEFINER=%s@'127.0.0.1' VIEW v AS SELECT 1 AS own; CREATE VIEW mine AS SELECT 2 AS own"
                        % self.account)
        said = self.run_it("migrate", "--json", code=0, uri=uri)
        self.assertEqual([item for item in json.loads(said.out)["rights"] if item["object"] in ("v", "mine")], [])
        self.assertEqual(self.server.ask(self.target, "SELECT * FROM v"), [["1"]])

    def test_what_stays_is_not_refused(self):
        self.server.ask(self.target,
                        "CREATE DEFINER=gone@nowhere VIEW v AS SELECT 1 AS own; CREATE TABLE t (id int PRIMARY KEY)")
        self.assertNotIn("its definer in the source", self.run_it("check", "--existing", "append", code=0).out)
        self.run_it("migrate", "--existing", "append", "--definer", "refuse", code=0)
        self.assertEqual(dict(self.definers())["v"], "gone@nowhere")
        self.assertNotIn("tr", dict(self.definers()))   # of a table that was there

    def test_what_a_client_would_take_for_its_own(self):
        """No statement at all, where one can't be had that a client sends as it stands."""
        self.server.ask(self.source, r"""
            DELIMITER //
            CREATE DEFINER=`app one`@`10.%%` TRIGGER odd BEFORE DELETE ON t FOR EACH ROW BEGIN SET @a = 1 /*!99999 ; SELECT 1 */; END//
            CREATE DEFINER=`app one`@`10.%%` TRIGGER even BEFORE DELETE ON t FOR EACH ROW SET @a = "\"; \! touch %s"//
            """ % self.path("touched"))
        opened = self.opened()
        for name, statement in opened.items():
            if name == "even" and not self.PREPARES:
                self.assertIsNone(statement)
            elif statement is not None:
                self.server.ask("mysql", statement)
        self.assertFalse(os.path.exists(self.path("touched")))
        if self.PREPARES:
            self.assertNotIn(None, opened.values())


class MysqlDefiners(Definers):
    """Which prepares none of them but views, and has no packages."""
    test_packages_as_they_are_pasted = test_one_package_statement_does_it = None
    KIND, PREPARES, READS_ROUTINES = mysql, False, "SHOW_ROUTINE ON *.*"


if __name__ == "__main__":
    unittest.main()
