"""What of a source's schema would run in the target: `check` names it, and --no-code leaves it out."""
import json
import unittest

import mariadb
import postgres
import support

EVIL = ("CREATE FUNCTION public.evil(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RAISE LOG ''EVIL by %'', "
        "current_user; RETURN $1; END';")
SCHEMA = EVIL + """
CREATE DOMAIN public.dom AS text CHECK (public.evil(VALUE) <> 'zz') CHECK (length(VALUE) < 50);
CREATE TABLE t (id int PRIMARY KEY, a text DEFAULT public.evil('x'), b text CHECK (public.evil(b) <> 'q'), c text GENERATED ALWAYS AS (public.evil('g')) STORED, d dom, e int CHECK (e > 0));
CREATE INDEX ix ON t (public.evil(a)); CREATE INDEX iy ON t (lower(a)); CREATE INDEX iz ON t (id) WHERE public.evil(a) = 'a';
CREATE VIEW vw AS SELECT public.evil(a) x FROM t; CREATE VIEW plain AS SELECT id FROM t;
CREATE FUNCTION trg() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM public.evil(''t''); RETURN NEW; END'; CREATE TRIGGER tr BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION trg();
CREATE TABLE p (k int, v text CHECK (public.evil(v) <> 'u')) PARTITION BY RANGE (k); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE INDEX p1i ON p1 (public.evil(v));
ALTER TABLE t ADD CONSTRAINT late CHECK (public.evil(a) <> 'late') NOT VALID; CREATE TABLE slow (id int CHECK (pg_sleep(0) IS NOT NULL), x text DEFAULT query_to_xml('SELECT 1', true, true, '')::text, s serial);
INSERT INTO t (id, a, b, d, e) VALUES (1, 'a', 'b', 'd', 1), (2, 'c', 'd', 'e', 2); INSERT INTO p VALUES (1, 'a'); INSERT INTO slow (id) VALUES (7);
CREATE MATERIALIZED VIEW mv AS SELECT public.evil(a) x FROM t; CREATE INDEX mvi ON mv (x); CREATE STATISTICS st ON (public.evil(a)), b FROM t;
COMMENT ON FUNCTION public.evil(text) IS 'c'; COMMENT ON VIEW vw IS 'v'; COMMENT ON INDEX ix IS 'i'; COMMENT ON COLUMN mv.x IS 'x'; COMMENT ON TRIGGER tr ON t IS 'c'; COMMENT ON CONSTRAINT t_b_check ON t IS 'b';
ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p1 ON t USING (public.evil(a) <> 'pol'); CREATE POLICY p2 ON t USING (id > 0); CREATE POLICY p3 ON t AS RESTRICTIVE USING (public.evil(a) <> 'c');
"""
AT_ONCE = ("index ix of t: public.evil(text)", "index iz of t: public.evil(text)", "index p1i of p: public.evil(text)",
           "check t_b_check of t: public.evil(text)", "check late of t: public.evil(text)",
           "check p_v_check of p: public.evil(text)", "generated column c of t: public.evil(text)",
           "domain dom: public.evil(text)", "materialized view mv: public.evil(text)",
           "statistics st of t: public.evil(text)", "check slow_check of slow: pg_catalog.pg_sleep(double precision)")
LATER = ("default a of t: public.evil(text)", "view vw: public.evil(text)", "trigger tr of t: public.trg()",
         "policy p1 of t: public.evil(text)", "policy p3 of t: public.evil(text)")


class Postgres(support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = postgres.for_class(cls)
        if not cls.server.psql("postgres", "SELECT 1 FROM pg_roles WHERE rolname = 'code_app'"):
            cls.server.psql("postgres", "CREATE ROLE code_app LOGIN")

    def setUp(self):
        super().setUp()
        self.source, self.target = self.server.database(), self.server.database()
        self.server.psql(self.source, SCHEMA)
        self.server.psql(self.target, "CREATE TABLE ran (who text)")
        self.uris = self.server.uri(self.source), self.server.uri(self.target)
        self.ran()

    def ran(self):
        """How often the function ran in the target since it was last asked, by who runs it."""
        for name in ("log", "server.log"):
            try:
                with open(self.server.folder + "/" + name, encoding="utf-8", errors="replace") as file:
                    text = file.read()
                break
            except FileNotFoundError:
                continue
        count = text.count("LOG:  EVIL by")
        before, self.seen = getattr(self, "seen", 0), count
        return count - before

    def test_check_names_it(self):
        said = json.loads(self.run_program("check", "--json", *self.uris).out)["code"]
        self.assertEqual((said["account"], said["superuser"]), ("postgres", True))
        for line in AT_ONCE:
            self.assertIn(line, said["at_once"])
        for line in LATER:
            self.assertIn(line, said["later"])
        for line in said["at_once"] + said["later"]:
            self.assertNotIn("plain", line)
            self.assertNotIn("iy", line)
        self.assertTrue(any(line.startswith("default x of slow: pg_catalog.query_to_xml(") for line in said["later"]),
                        said["later"])
        out = self.run_program("check", *self.uris).out
        self.assertIn("WARNING: code that runs during the copy as postgres, a superuser", out)
        self.assertIn("WARNING: code that runs during the copy",
                      self.run_program("migrate", "--dry-run", *self.uris).out)
        self.assertEqual(self.ran(), 0)

    def test_a_lesser_account_and_an_event_trigger(self):
        self.server.psql(self.target,
                         "CREATE FUNCTION told() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; "
                         "CREATE EVENT TRIGGER seen ON ddl_command_end EXECUTE FUNCTION told(); "
                         "GRANT CREATE ON SCHEMA public TO code_app")
        out = self.run_program("check", self.uris[0], self.uris[1].replace("postgres@", "code_app@")).out
        self.assertNotIn("WARNING: code", out)
        self.assertIn("code that runs during the copy as code_app; --no-code leaves it out", out)
        self.assertIn("event trigger seen of the target: public.told()", out)

    def test_what_is_not_made_is_not_named(self):
        said = json.loads(self.run_program("check", "--json", "--exclude", "t", *self.uris).out)["code"]
        self.assertFalse([line for line in said["at_once"] + said["later"] if " of t:" in line])
        self.assertIn("index p1i of p: public.evil(text)", said["at_once"])
        self.assertEqual(json.loads(self.run_program("check", "--json", self.uris[0],
                                                     "sqlite:x.db").out)["code"]["at_once"], [])
        self.assertEqual(json.loads(self.run_program("check", "--json", "--no-code",
                                                     *self.uris).out)["code"]["at_once"], [])

    def test_without_code(self):
        done = self.run_program("migrate", "--no-code", *self.uris)
        self.assertNotIn("is not made", done.err)
        self.assertIn("1 materialized view, ", done.out)
        self.run_program("validate", "--level", "full")   # it knows how the run was made
        self.assertEqual(self.server.psql(self.target, "SELECT id, a, b, c, d, e FROM t ORDER BY id"),
                         [["1", "a", "b", "g", "d", "1"], ["2", "c", "d", "g", "e", "2"]])
        self.assertEqual(self.server.psql(self.target, "SELECT v FROM p"), [["a"]])
        self.assertEqual(self.server.psql(self.target,
                                          "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND "
                                          "proname NOT LIKE '\\_transhume%'"), [])
        self.assertEqual(self.server.psql(self.target,
                                          "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
                                          "AND relname IN ('vw', 'plain', 'mv', 'ix', 'iz', 'p1i', 'iy', 'mvi')"),
                         [["iy"]])
        self.assertEqual(self.server.psql(self.target,
                                          "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c' AND "
                                          "connamespace = 'public'::regnamespace ORDER BY 1"),
                         [["CHECK ((e > 0))"], ["CHECK ((length(VALUE) < 50))"]])
        self.assertEqual(self.server.psql(self.target,
                                          "SELECT polname, pg_get_expr(polqual, polrelid) FROM pg_policy ORDER BY 1"),
                         [["p2", "(id > 0)"], ["p3", "false"]])
        self.server.psql(self.target,
                         "UPDATE t SET a = 'z'; INSERT INTO t (id, e, c) VALUES (3, 1, 'own'); "
                         "REINDEX TABLE t; ANALYZE")
        self.assertEqual(self.ran(), 0)
        with open(self.path(".transhume/state.json"), encoding="utf-8") as file:
            left = [(item["kind"], item["object"]) for item in json.load(file)["not_carried"]]
        for item in (("index", "ix"), ("check", "t_b_check"), ("default", "a"), ("generated column", "c"),
                     ("domain", "dom"), ("materialized view", "mv"), ("view", "plain"), ("trigger", "tr"),
                     ("function", "evil(text)"), ("policy", "p1")):
            self.assertIn(item, left)

    def test_with_it_and_told(self):
        self.run_program("migrate", *self.uris)
        self.assertGreater(self.ran(), 0)

    def test_a_resume_knows(self):
        support.kill_at("postgres.before_commit", 2, "migrate", "--no-code", "--no-express", "--chunk-rows", "1",
                        *self.uris, cwd=self.folder)
        support.transhume("resume", cwd=self.folder)
        self.run_program("validate")
        self.assertEqual(self.ran(), 0)

    def test_a_partition_key(self):
        self.server.psql(self.source,
                         "CREATE TABLE by_evil (v text) PARTITION BY LIST (public.evil(v)); "
                         "CREATE TABLE by_evil_1 PARTITION OF by_evil FOR VALUES IN ('a')")
        result = support.transhume("migrate", "--no-code", *self.uris, cwd=self.folder)
        self.assertEqual(result.code, 2, result.err)
        self.assertIn("its partition key calls public.evil(text)", result.err)
        self.assertEqual(support.transhume("migrate", "--no-code", "--exclude", "by_evil", *self.uris,
                                           cwd=self.folder).code, 0)
        self.assertEqual(self.ran(), 0)


class Sqlite(support.TestCase):
    def test_objects(self):
        support.make_sqlite(self.path("s.db"),
                            "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); CREATE VIEW v AS SELECT id FROM t; "
                            "CREATE INDEX i ON t (lower(v)); "
                                               "CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET v = 'x'; END; "
                                               "INSERT INTO t (id) VALUES (1)")
        said = json.loads(self.run_program("check", "--json", "s.db", "d.db").out)["code"]
        self.assertEqual((said["at_once"], sorted(said["later"])), ([], ["trigger tr of t", "view v"]))
        self.run_program("migrate", "--no-code", "s.db", "d.db")
        self.assertEqual(support.open_sqlite(self.path("d.db")).execute("SELECT name FROM sqlite_master WHERE type IN "
                                                                        "('view', 'trigger', 'index') AND name NOT "
                                                                        "LIKE '\\_transhume%' ESCAPE '\\' AND name "
                                                                        "NOT LIKE 'sqlite%'").fetchall(), [(b"i",)])


class Mariadb(support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mariadb.for_class(cls)

    def test_objects(self):
        source, target = self.server.database(), self.server.database()
        self.server.ask(source,
                        "CREATE TABLE t (id int PRIMARY KEY, v varchar(9), g int AS (id + 1)); "
                        "CREATE VIEW v AS SELECT id FROM t; CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET "
                        "NEW.v = 'x'; "
                                "CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1; "
                                "CREATE PROCEDURE pr() SELECT 1; CREATE EVENT ev ON SCHEDULE EVERY 1 DAY DO SELECT "
                                "1; INSERT INTO t (id) VALUES (1)")
        said = json.loads(self.run_program("check", "--json", self.server.uri(source),
                                           self.server.uri(target)).out)["code"]
        self.assertEqual(sorted(said["later"]), ["event ev", "function f", "procedure pr", "trigger tr of t", "view v"])
        self.run_program("migrate", "--no-code", self.server.uri(source), self.server.uri(target))
        self.assertEqual(self.server.ask(target,
                                         "SELECT (SELECT count(*) FROM information_schema.routines WHERE "
                                         "routine_schema = database()), (SELECT count(*) FROM "
                                         "information_schema.views WHERE table_schema = database()), "
                                                 "(SELECT count(*) FROM information_schema.triggers WHERE "
                                                 "trigger_schema = database()), (SELECT count(*) FROM "
                                                 "information_schema.events WHERE event_schema = database()), "
                                                 "(SELECT g FROM t)"),
                         [["0", "0", "0", "0", "2"]])

    def test_packages(self):
        """A package and its body are routines as well."""
        source, target = self.server.database(), self.server.database()
        self.server.ask(source, """
            CREATE TABLE t (id int PRIMARY KEY);
            SET sql_mode = ORACLE;
            DELIMITER //
            CREATE PACKAGE pk AS FUNCTION one RETURN int; END//
            CREATE PACKAGE BODY pk AS FUNCTION one RETURN int AS BEGIN RETURN 1; END; END//
            """)
        uris = self.server.uri(source), self.server.uri(target)
        said = json.loads(self.run_program("check", "--json", *uris).out)["code"]
        self.assertEqual(sorted(said["later"]), ["package body pk", "package pk"])
        left = " ".join(self.run_program("check", "--no-code", *uris).out.split())
        for what in ("package", "package body"):
            self.assertIn("%s 1 (1 left out)" % what, left)
            self.assertIn("the %s is left out: --no-code" % what, left)
        self.run_program("migrate", "--no-code", *uris)
        self.assertEqual(self.server.ask(target,
                                         "SELECT count(*) FROM information_schema.routines WHERE routine_schema = "
                                         "database()"), [["0"]])


if __name__ == "__main__":
    unittest.main()
