"""
Nothing that another role planted in a PostgreSQL database, as source or target, runs as the account that a command
uses.
"""
import json
import os
import signal
import time
import unittest

import mariadb
import postgres
import support
import traps

SCHEMA = """
CREATE SCHEMA sales; CREATE DOMAIN public.code AS varchar(20) CHECK (VALUE <> ''); CREATE DOMAIN public.amount AS int CHECK (VALUE >= 0);
CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy'); CREATE TYPE public.pair AS (a int, b text);
CREATE TABLE public.customer (id varchar(30) PRIMARY KEY, name text NOT NULL DEFAULT 'x', born date, mood public.mood DEFAULT 'ok', code public.code UNIQUE,
  tags text[], numbers int[], pair public.pair, short char(5), flag bool DEFAULT true, made timestamptz DEFAULT now(), doc jsonb, raw bytea, price numeric(10, 2), half float4);
COMMENT ON TABLE public.customer IS 'people'; COMMENT ON COLUMN public.customer.name IS 'of a person';
CREATE TABLE public.item (id serial PRIMARY KEY, customer varchar(30) REFERENCES public.customer ON DELETE CASCADE, n public.amount, big bigint, CHECK (big > 0));
CREATE INDEX item_customer ON public.item (customer) WHERE n IS NOT NULL; CREATE INDEX item_lower ON public.item (lower(customer::text));
CREATE TABLE sales.deal (code public.code, mood public.mood, day date, v text, PRIMARY KEY (code, mood)) ;
CREATE TABLE sales.part (id bigint GENERATED ALWAYS AS IDENTITY, k int, v varchar, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
CREATE TABLE sales.part_1 PARTITION OF sales.part FOR VALUES FROM (0) TO (10); CREATE TABLE sales.part_2 PARTITION OF sales.part FOR VALUES FROM (10) TO (20);
CREATE TABLE public.keyless (a text, b int); ALTER TABLE public.keyless REPLICA IDENTITY FULL;
CREATE VIEW public.seen AS SELECT c.id, count(i.id) AS items FROM public.customer c LEFT JOIN public.item i ON i.customer = c.id GROUP BY c.id;
CREATE MATERIALIZED VIEW public.kept AS SELECT id, name FROM public.customer;
CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := NEW.name; RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON public.customer FOR EACH ROW EXECUTE FUNCTION public.touch();
CREATE FUNCTION public.twice(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a * 2';
CREATE STATISTICS public.item_n ON customer, n FROM public.item;
ALTER TABLE public.customer ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON public.customer USING (true);
INSERT INTO public.customer (id, name, code, tags, numbers, pair, short, doc, raw, price, born) SELECT 'c' || i, 'n' || i, 'k' || i, ARRAY['a', 'b'], ARRAY[i], ROW(i, 'x'::text)::public.pair, 's', '{"a": 1}', '\\x00', i, '2020-01-01'
  FROM generate_series(1, 400) i;
INSERT INTO public.item (customer, n, big) SELECT 'c' || (1 + i % 400), i, i FROM generate_series(1, 900) i;
INSERT INTO sales.deal SELECT 'k' || i, 'ok', '2020-01-01', 'v' FROM generate_series(1, 300) i;
INSERT INTO sales.part (k, v) SELECT i % 20, 'v' FROM generate_series(1, 300) i;
INSERT INTO public.keyless SELECT 'a', i FROM generate_series(1, 50) i;
REFRESH MATERIALIZED VIEW public.kept; ANALYZE;
"""
OWN_TYPES = ("public.code", "public.amount", "public.mood", "public.pair")


class Traps(support.TestCase):
    VERSION = None
    FEW = False   # traps, where that is enough

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = postgres.Server(dict(postgres.FOLLOWED, max_locks_per_transaction="4000"), version=cls.VERSION)
        cls.addClassCleanup(cls.server.stop)
        types, table, rest = SCHEMA.partition("CREATE TABLE")
        cls.server.psql("postgres", "CREATE DATABASE bare")
        cls.server.psql("bare", types)
        traps.plant(cls.server, "bare", ("public", "sales"), types=OWN_TYPES, few=cls.FEW)
        cls.server.psql("postgres", "CREATE DATABASE full_of TEMPLATE bare")
        cls.server.psql("full_of", "SET search_path = ''; " + table + rest)
        cls.planted = traps.count(cls.server, "bare")

    def setUp(self):
        super().setUp()
        self.server.psql("postgres", "DROP DATABASE IF EXISTS s WITH (FORCE); DROP DATABASE IF EXISTS d WITH (FORCE); "
                         if self.server.version() >= 13 else
                         "DROP DATABASE IF EXISTS s; DROP DATABASE IF EXISTS d;")
        self.server.psql("postgres", "CREATE DATABASE s TEMPLATE full_of; CREATE DATABASE d TEMPLATE bare;")
        self.s, self.d = self.server.uri("s"), self.server.uri("d")
        traps.fired(self.server)
        self.all = {}

    def tearDown(self):
        with self.subTest("all"):
            self.assertEqual(self.all, {})
        super().tearDown()

    def run_it(self, *arguments, codes=(0, 1), env=None):
        done = support.transhume(*arguments, cwd=self.folder, env=env)
        self.noted(" ".join(str(a) for a in arguments if "://" not in str(a)))
        self.assertIn(done.code, codes, (arguments, done.out[-1500:], done.err[-1500:]))
        return done

    def test_copy(self):
        self.run_it("check", "--sample", "5", self.s, self.d)
        self.run_it("diff", self.s, self.d)
        self.run_it("migrate", "--chunk-rows", "100", self.s, self.d)
        self.run_it("status")
        self.run_it("report")
        for level in ("count", "sample", "hash", "full"):
            self.run_it("validate", "--level", level)
        self.run_it("diff", self.s, self.d)
        self.server.psql("d",
                         "DELETE FROM item WHERE id < 5; UPDATE customer SET name = 'other' WHERE id = 'c7'; "
                         "INSERT INTO item (id, big) VALUES (100000, 1)")
        traps.fired(self.server)
        self.run_it("validate", "--repair", "--delete-extra", "--confirm")
        self.roll_back()

    @unittest.skipUnless(support.SOAK, "takes minutes: in a soak")
    def test_existing(self):
        self.run_it("migrate", "--exclude", "keyless", self.s, self.d)
        for how, more in (("skip", "--no-express"), ("upsert", "--rollback-keys"), ("replace", "--no-express"),
                          ("truncate", "--rollback-keys")):
            self.write(self.d,
                       "SET session_replication_role = replica; UPDATE public.customer SET name = 'other' WHERE id "
                       "OPERATOR(pg_catalog.~~) 'c7%'; "
                               "DELETE FROM public.item WHERE id OPERATOR(pg_catalog.<) 50; "
                               "DELETE FROM public.customer WHERE id OPERATOR(pg_catalog.~~) 'c8%'")
            self.run_it("migrate", "--existing", how, more, "--exclude", "keyless", "--state", how, "--confirm", self.s,
                        self.d, codes=(0, 1))
            self.run_it("validate", "--repair", "--delete-extra", "--confirm", "--state", how)
            self.roll_back(how, codes=(0,))
        self.run_it("migrate", "--existing", "upsert", "--indexes", "rebuild", "--triggers", "disable", "--exclude",
                    "keyless", "--state", "i", self.s, self.d)
        self.run_it("migrate", "--mirror", "--exclude", "keyless", "--confirm", "--state", "m", self.s, self.d)
        for _ in range(2):
            self.run_it("migrate", "--since", "code", "--include", "customer", "--existing", "upsert", "--state", "n",
                        self.s, self.d)

    @unittest.skipUnless(support.SOAK, "takes minutes: in a soak")
    def test_resume(self):
        for point in ("postgres.before_commit", "engine.chunk_started"):
            support.kill_at(point, 3, "migrate", "--chunk-rows", "50", "--no-express", self.s, self.d, cwd=self.folder)
            traps_of_kill = traps.fired(self.server)
            if traps_of_kill:
                self.all["kill " + point] = traps_of_kill
            self.run_it("resume", codes=(1,))   # the snapshot is mixed
            self.run_it("validate")
            self.roll_back()
            self.run_it("reset", "--confirm", codes=(0, 1, 2, 5))

    def test_design(self):
        self.run_it("analyze", "--out", "a", self.s)
        self.run_it("analyze", "--for", "mongodb", "--out", "b", self.s)
        self.run_it("init", self.s, "jsonl:out", codes=(0, 1))
        self.run_it("check", self.s, "jsonl:out")
        self.run_it("migrate", self.s, "sqlite:x.db")
        self.run_it("validate", self.s, "sqlite:x.db")
        self.run_it("connections", codes=(0, 1, 2))

    def test_into_from_sqlite(self):
        self.run_it("migrate", self.s, "sqlite:x.db", "--state", "one")
        self.run_it("migrate", "sqlite:x.db", self.d, "--state", "two")
        self.run_it("validate", "--state", "two")

    def test_schema(self):
        os.mkdir(self.path("m"))
        with open(self.path("m/1_a.up.sql"), "w", encoding="utf-8") as file:
            file.write("CREATE TABLE a (id int PRIMARY KEY, v varchar(10));\n")
        with open(self.path("m/1_a.down.sql"), "w", encoding="utf-8") as file:
            file.write("DROP TABLE a;\n")
        for command in (("status",), ("up",), ("status",), ("drift",), ("down", "1", "--confirm"), ("up",),
                        ("lint", "--database")):
            self.run_it("schema", *command, *(() if "lint" in command else ("--dir", "m")), self.d, codes=(0, 1, 2, 3))
        self.run_it("schema", "dump", self.d)
        self.run_it("schema", "diff", self.s, self.d)

    def test_change(self):
        self.run_it("migrate", self.s, self.d)
        if self.server.version() < 15:   # there views pass by row security, and a change is refused
            self.write(self.d, "ALTER TABLE public.customer DISABLE ROW LEVEL SECURITY")
        with open(self.path("007_c.change.yaml"), "w", encoding="utf-8") as file:
            file.write("operations:\n  - alter_column: {table: customer, column: price, type: text, up: 'price::text', "
                       "down: 'price::numeric', lossless: true}\n"
                       "  - add_column: {table: customer, column: {name: more, type: text}, up: name}\n")
        for command in (("check", "007_c.change.yaml"), ("start", "007_c.change.yaml"), ("status",),
                        ("complete", "--confirm")):
            self.run_it("change", *command, self.d)

    def test_changes_of_two_tables(self):
        """Their triggers run as the account in the sessions of everybody who writes."""
        self.write(self.d,
                   "CREATE TABLE public.users (id varchar(30) PRIMARY KEY, mail varchar(50), city varchar(30), "
                   "team public.code); "
                           "CREATE TABLE public.teams (id public.code PRIMARY KEY, n int); "
                           "CREATE TABLE public.notes (user_id varchar(30) PRIMARY KEY REFERENCES public.users, "
                           "mood public.mood); "
                           "INSERT INTO public.teams SELECT 't' || i FROM pg_catalog.generate_series(1, 5) i; "
                           "INSERT INTO public.users SELECT 'u' || i, 'm' || i, 'c' || (i % 5), "
                           "'t' || (1 + i % 5) FROM pg_catalog.generate_series(1, 300) i; "
                           "INSERT INTO public.notes SELECT 'u' || i, 'ok' FROM pg_catalog.generate_series(1, "
                           "300, 2) i")
        for number, (operation, written) in enumerate((
                ("split_table: {table: users, into: contacts, columns: [mail]}",
                 "UPDATE public.users SET mail = 'x' WHERE id OPERATOR(pg_catalog.=) 'u3'; "
                 "UPDATE public.contacts SET mail = 'y' WHERE id OPERATOR(pg_catalog.=) 'u4'; "
                 "INSERT INTO public.users (id, mail) VALUES ('new', 'z'); DELETE FROM public.users WHERE id "
                 "OPERATOR(pg_catalog.=) 'new'"),
                ("merge_table: {table: users, from: notes, on: user_id, columns: [mood]}",
                 "UPDATE public.notes SET mood = 'sad' WHERE user_id OPERATOR(pg_catalog.=) 'u3'; "
                 "DELETE FROM public.notes WHERE user_id OPERATOR(pg_catalog.=) 'u5'; "
                 "UPDATE public.users SET mood = 'happy' WHERE id OPERATOR(pg_catalog.=) 'u7'"),
                ("move_column: {from: users, to: teams, 'on': team, column: city}",
                 "UPDATE public.users SET city = 'q' WHERE team OPERATOR(pg_catalog.=) 't3'; "
                 "UPDATE public.teams SET city = 'r' WHERE id OPERATOR(pg_catalog.=) 't2'"),
                ("create_junction: {table: users, column: team, references: {table: teams, column: id}, name: members, "
                 "left: user_id, right: team_id}",
                 "UPDATE public.users SET team = 't1' WHERE id OPERATOR(pg_catalog.=) 'u3'; "
                 "DELETE FROM public.members WHERE user_id OPERATOR(pg_catalog.=) 'u4'"))):
            name = "%03d_c.change.yaml" % (number + 10)
            with open(self.path(name), "w", encoding="utf-8") as file:
                file.write("operations:\n  - %s\n" % operation)
            self.run_it("change", "start", name, self.d, codes=(0,))
            self.server.psql("d", "SET search_path = ''; " + written)
            self.noted("writes beside " + operation)
            self.run_it("change", "complete", "--confirm", self.d, codes=(0,))

    # Not IMPLICIT: then `mood <= mood` is ambiguous, to the server itself as well.
    CASTS = (("public.mood", "pg_catalog.enum_out($1)"), ("public.pair", "pg_catalog.record_out($1)"),
             ("public.mood[]", "pg_catalog.array_out($1)"), ("public.moods", "pg_catalog.record_out($1)"))

    def plant_casts(self, database):
        """Of types whose owner another role is, by functions of his, to text and from it."""
        self.server.psql(database,
                         "SET search_path = ''; CREATE TABLE IF NOT EXISTS public.moods (m public.mood PRIMARY KEY, "
                         "ms public.mood[], p public.pair); "
                                   "CREATE TABLE IF NOT EXISTS public.pairs (p public.pair PRIMARY KEY, "
                                   "m public.mood); CREATE TABLE IF NOT EXISTS public.bag (m public.mood, "
                                   "p public.pair, ms public.mood[]); "
                                   "ALTER TABLE public.moods OWNER TO lowly; ALTER TYPE public.mood OWNER TO lowly; "
                                   "ALTER TYPE public.pair OWNER TO lowly; GRANT ALL ON ALL TABLES IN SCHEMA public "
                                   "TO lowly")
        sql = ["SET search_path = ''; SET ROLE lowly"]
        for number, (name, written) in enumerate(self.CASTS):
            for source, target, answer in ((name, "pg_catalog.text", "RETURN pg_catalog.textin(%s)" % written),
                                           ("pg_catalog.text", name,
                                            "IF $1 IS NULL THEN RETURN NULL; END IF; "
                                            "EXECUTE pg_catalog.format('SELECT %%L::%s', $1) INTO r; RETURN r" % name)):
                function = "public.cast_%d_%s" % (number, "to" if source == name else "from")
                sql.append("CREATE FUNCTION {0}({1}) RETURNS {2} LANGUAGE plpgsql AS $f$ DECLARE r {2}; "
                           "BEGIN IF current_user OPERATOR(pg_catalog.<>) 'lowly'::pg_catalog.name THEN "
                           "RAISE LOG 'TRAP {1}::{2} by %', current_user; END IF; {3}; END $f$; "
                           "CREATE CAST ({1} AS {2}) WITH FUNCTION {0}({1}) AS ASSIGNMENT".format(
                               function, source, target, answer))
        self.server.psql(database, "; ".join(sql))
        traps.fired(self.server)

    def test_casts_of_the_source(self):
        self.plant_casts("s")
        self.server.psql("s",
                         "SET search_path = ''; SET session_replication_role = replica; "
                         "INSERT INTO public.moods SELECT m, ARRAY[m], ROW(1, 'x'::text)::public.pair FROM "
                         "pg_catalog.unnest(pg_catalog.enum_range(NULL::public.mood)) m; "
                              "INSERT INTO public.pairs SELECT ROW(i, 'x'::text)::public.pair, "
                              "'ok' FROM pg_catalog.generate_series(1, 300) i; "
                              "INSERT INTO public.bag SELECT 'sad', ROW(i, NULL)::public.pair, "
                              "NULL FROM pg_catalog.generate_series(1, 50) i")
        self.server.psql("d",
                         "SET search_path = ''; CREATE TABLE public.moods (m public.mood PRIMARY KEY, "
                         "ms public.mood[], p public.pair); CREATE TABLE public.pairs (p public.pair PRIMARY KEY, "
                         "m public.mood)")
        traps.fired(self.server)
        self.run_it("analyze", "--out", "a", self.s)
        self.run_it("check", "--sample", "5", self.s, self.d)
        self.run_it("diff", self.s, self.d)
        self.run_it("migrate", "--no-code", "--chunk-rows", "50", "--no-express", self.s, self.d)
        for level in ("count", "sample", "hash", "full"):
            self.run_it("validate", "--level", level)
        self.run_it("migrate", "--chunk-rows", "50", "--state", "lite", self.s, "sqlite:x.db")
        for level in ("hash", "full"):
            self.run_it("validate", "--state", "lite", "--level", level)
        self.write_plan()
        self.run_it("migrate", "--state", "query", "--plan", "q.yaml")
        self.server.psql("d",
                         "SET search_path = ''; DELETE FROM public.moods; UPDATE public.pairs SET m = 'sad' WHERE "
                         "(p).a OPERATOR(pg_catalog.<) 5")
        self.run_it("validate", "--repair", "--delete-extra", "--confirm")

    def test_code_of_the_source_does_not_run_there(self):
        """
        What the source's tables call when somebody writes to them, or looks at a view, is not called by reading them.
        """
        self.write(self.s,
                   "SET ROLE lowly; CREATE FUNCTION public.says(text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ "
                   "BEGIN IF current_user OPERATOR(pg_catalog.<>) 'lowly'::pg_catalog.name THEN "
                           "RAISE LOG 'TRAP says by %', current_user; END IF; RETURN true; END $$; RESET ROLE; "
                           "ALTER DOMAIN public.code ADD CONSTRAINT told CHECK (public.says(VALUE::text)) NOT VALID; "
                           "ALTER TABLE public.item ADD CONSTRAINT told CHECK (public.says(customer)) NOT VALID; "
                           "ALTER TABLE public.item ADD told bool DEFAULT public.says('x'); "
                           "ALTER TABLE public.keyless ADD told bool GENERATED ALWAYS AS (public.says(a)) STORED; "
                           "CREATE INDEX told ON public.customer (public.says(name)); "
                           "CREATE INDEX told_where ON public.item (n) WHERE public.says(customer); "
                           "CREATE VIEW public.teller AS SELECT id, public.says(name) AS told FROM public.customer; "
                           "CREATE MATERIALIZED VIEW public.told_rows AS SELECT id FROM public.customer WHERE "
                           "public.says(name); "
                           "CREATE POLICY told ON public.customer USING (public.says(name)); "
                           "CREATE RULE told AS ON DELETE TO public.keyless DO ALSO SELECT public.says('x'); "
                           "CREATE TABLE public.codes (c public.code PRIMARY KEY, n int); "
                           "INSERT INTO public.codes SELECT 'c' || i, i FROM pg_catalog.generate_series(1, 300) i; "
                           "ANALYZE")
        self.run_it("analyze", "--out", "a", self.s)
        self.run_it("init", self.s, "jsonl:out", codes=(0, 1))
        self.run_it("check", "--sample", "5", "--no-code", self.s, self.d)
        self.run_it("diff", self.s, self.d)
        for state, arguments in (("x", (self.s, "sqlite:x.db")), ("d", ("--no-code", "--no-express", self.s, self.d))):
            self.run_it("migrate", "--chunk-rows", "50", "--state", state, *arguments)
            for level in ("sample", "hash", "full"):
                self.run_it("validate", "--state", state, "--level", level)
        self.server.psql("s", "SELECT * FROM public.teller LIMIT 1")
        self.assertEqual(traps.fired(self.server), ["says by postgres"])   # when somebody looks

    def write_plan(self):
        with open(self.path("q.yaml"), "w", encoding="utf-8") as file:
            file.write("transhume: 1\nsource: %s\ntarget: jsonl:out\ntables:\n  moods: {query: 'SELECT m, p, "
                       "ms FROM public.moods', key: m}\n  bag: {from: bag}\n" % self.s)

    def test_casts_of_the_target_are_named(self):
        self.plant_casts("d")
        out = self.run_it("check", self.s, self.d).out
        for name, _ in self.CASTS:
            short = name.partition(".")[2]
            self.assertIn("cast from %s to text of the target: public.cast_" % short,
                          out.replace("public.%s" % short, short))
        self.run_program("migrate", "--no-code", self.s, self.d, code=1)
        # its column is written by way of a text
        self.assertEqual(traps.fired(self.server), ["pg_catalog.text::public.pair by postgres"])
        for level in ("hash", "full"):
            self.run_it("validate", "--level", level)
        self.write(self.d,
                   "INSERT INTO public.pairs SELECT ROW(i, 'x'::text)::public.pair, "
                   "'ok' FROM pg_catalog.generate_series(1, 3000) i")
        with open(self.path("008_c.change.yaml"), "w", encoding="utf-8") as file:
            file.write("operations:\n  - add_column: {table: pairs, column: {name: more, type: text}, "
                       "up: \"'x'\"}\n  - alter_column: {table: pairs, column: m, type: text, up: \"'sad'\", "
                       "down: \"'ok'\", lossless: true}\n")
        for command in (("check", "008_c.change.yaml"), ("start", "008_c.change.yaml"), ("complete", "--confirm")):
            self.run_it("change", *command, self.d, codes=(0,))

    def test_pg_catalog_behind_public(self):
        """The owner of a database says where names are looked up."""
        for number, kind in enumerate(("int", "text", "name", "oid")):
            sql = ("CREATE FUNCTION public.same_{0}({1}, {1}) RETURNS bool LANGUAGE plpgsql AS 'BEGIN IF current_user "
                   "OPERATOR(pg_catalog.<>) ''lowly'' THEN RAISE LOG ''TRAP {1}={1} by %'', current_user; END IF; "
                   "RETURN $1 OPERATOR(pg_catalog.=) $2; END'; CREATE OPERATOR public.= (LEFTARG = {1}, "
                   "RIGHTARG = {1}, FUNCTION = public.same_{0})").format(number, kind)
            for database in ("s", "d"):
                self.server.psql(database, sql)
        for database in ("s", "d"):
            self.server.psql("postgres", "ALTER DATABASE %s SET search_path = public, pg_catalog, sales" % database)
        traps.fired(self.server)
        self.run_it("check", self.s, self.d)
        self.run_it("migrate", self.s, self.d)
        self.run_it("validate", "--level", "full")
        os.mkdir(self.path("m"))
        with open(self.path("m/1_a.up.sql"), "w", encoding="utf-8") as file:
            file.write("CREATE TABLE a (id int PRIMARY KEY, v varchar(10));\n")
        self.run_it("schema", "up", "--dir", "m", self.d, codes=(0,))
        self.roll_back()

    def test_follow(self):
        # it tells no changes of a partitioned table
        without = ("--exclude", "sales.part") if self.server.version() < 13 else ()
        # else thousands of warnings fill the pipe
        self.follow(1, "migrate", "--follow", "--no-code", *without, self.s, self.d)
        self.follow(5, "follow")
        self.change_source(10)
        traps.fired(self.server)
        self.run_it("cutover", "--dry-run")
        self.run_it("cutover", "--confirm", codes=(0,))
        self.run_it("validate", "--level", "full", codes=(0,))
        self.run_it("finish", "--confirm", codes=(0,))

    def follow(self, number, *arguments):
        """Until a record of the last change is there."""
        process = support.start(*arguments, cwd=self.folder)
        try:
            self.wait_for(lambda: '"phase": "following"' in self.state(), process)
            self.change_source(number)
            self.wait_for(lambda: self.server.psql("d",
                                                   "SET search_path = ''; SELECT 1 FROM public.customer WHERE id "
                                                   "OPERATOR(pg_catalog.=) 'last%d'" % number) == [["1"]], process)
            process.send_signal(signal.SIGINT)
        except BaseException:
            process.kill()
            raise
        finally:
            done = support.finish(process)
        self.assertIn(done.code, (0, 1, 4), done.err[-1000:])
        self.noted(" ".join(arguments[:2]))

    def change_source(self, n):
        self.server.psql("s",
                         "SET search_path = ''; UPDATE public.customer SET name = 'y{0}' WHERE id "
                         "OPERATOR(pg_catalog.=) 'c3'; DELETE FROM public.item WHERE id OPERATOR(pg_catalog.=) {0}; "
                              "INSERT INTO public.customer (id, code) VALUES ('new{0}', 'new{0}'); "
                              "UPDATE public.customer SET id = 'moved{0}' WHERE id OPERATOR(pg_catalog.=) 'new{0}'; "
                              "UPDATE sales.deal SET v = 'w{0}'; UPDATE sales.deal SET code = 'x{0}' WHERE code "
                              "OPERATOR(pg_catalog.=) 'k{0}'; UPDATE sales.part SET v = 'q{0}' WHERE k "
                              "OPERATOR(pg_catalog.=) 3; "
                              "UPDATE public.keyless SET a = 'z{0}' WHERE b OPERATOR(pg_catalog.=) {0}; "
                              "UPDATE public.item SET n = 3, big = 9 WHERE id OPERATOR(pg_catalog.=) ({0} + 1); "
                              "DELETE FROM public.customer WHERE id OPERATOR(pg_catalog.=) 'c5{0}'; "
                              "UPDATE public.item SET customer = 'c1{0}' WHERE id OPERATOR(pg_catalog.=) ({0} + 2); "
                              "INSERT INTO public.customer (id, code) VALUES ('last{0}', 'last{0}')".format(n))

    def write(self, uri, sql):
        self.server.psql(uri.rpartition("/")[2], "SET search_path = ''; " + sql)
        traps.fired(self.server)

    def noted(self, what):
        found = traps.fired(self.server)
        if found:
            self.all[what] = found

    def roll_back(self, state=".transhume", codes=(0, 1)):
        with open(self.path(state + "/state.json"), encoding="utf-8") as file:
            run = json.load(file)["run"]
        self.run_it("rollback", "--state", state, "--run", run, "--confirm", codes=codes)

    def state(self):
        try:
            with open(self.path(".transhume/state.json"), encoding="utf-8") as file:
                return json.dumps(json.load(file), indent=1)
        except (OSError, ValueError):
            return ""

    def wait_for(self, what, process):
        end = time.monotonic() + 300
        while not what():
            if time.monotonic() > end or process.poll() is not None:
                raise AssertionError("it does not follow: " + self.state()[-2000:])
            time.sleep(0.1)


class Mariadb(support.TestCase):
    """
    Stored functions that have the names of the server's own, on both sides, and a mode of the server in which names and
    texts are read otherwise.
    """
    NAMES = ("concat concat_ws count max min sum md5 lower upper left right length char_length octet_length hex unhex "
             "ifnull nullif coalesce if substring locate instr replace trim crc32 now database user "
             "version cast convert group_concat json_extract json_valid timestampdiff date_format floor round mod abs "
             "greatest least field quote bit_xor sleep get_lock release_lock connection_id values").split()

    SERVER = mariadb.Server

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.SERVER({"log_bin_trust_function_creators": "1",
                                 "sql_mode": "ANSI_QUOTES,IGNORE_SPACE,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES"})
        cls.addClassCleanup(cls.server.stop)

    def test_functions(self):
        source, target, seen = (self.server.database() for _ in range(3))
        self.server.ask(seen, "CREATE TABLE fired (n varchar(99)) ENGINE=MyISAM")
        plant = "DELIMITER //\n" + "\n".join("CREATE FUNCTION `%s`(a longtext) RETURNS longtext MODIFIES SQL DATA "
                                             "BEGIN INSERT INTO %s.fired VALUES ('%s'); RETURN a; END//" % (name, seen,
                                                 name) for name in self.NAMES)
        for database in (source, target):
            self.server.ask(database, plant)
        self.server.ask(source,
                        "CREATE TABLE c (id varchar(20) PRIMARY KEY, n int, e enum('a', 'b'), g int AS (n + 1), "
                        "t text, KEY (n)); INSERT INTO c (id, n, e, t) VALUES %s"
                        % ", ".join("('%d', %d, 'a', 'x')" % (i, i) for i in range(1, 201)))
        uris = self.server.uri(source), self.server.uri(target)
        for command in (("check",), ("diff",), ("migrate", "--no-code"),
                        ("migrate", "--no-code", "--state", "u", "--existing", "upsert", "--rollback-keys")):
            with self.subTest(command):
                self.assertIn(support.transhume(*command, *uris, cwd=self.folder).code, (0, 1))
                self.assertEqual(self.server.ask(seen, "SELECT DISTINCT n FROM fired"), [])
        self.server.ask(target, "UPDATE c SET n = 5 WHERE id = 7; DELETE FROM c WHERE id = 9")
        for command in (("rollback", "--state", "u", "--confirm", "--run", self.run_of("u")),
                        ("validate", "--level", "hash"), ("validate", "--level", "full", "--repair", "--confirm")):
            with self.subTest(command):
                done = support.transhume(*command, cwd=self.folder)
                self.assertIn(done.code, (0, 1), done.err)
                self.assertEqual(self.server.ask(seen, "SELECT DISTINCT n FROM fired"), [])

    def run_of(self, state):
        with open(self.path(state + "/state.json"), encoding="utf-8") as file:
            return json.load(file)["run"]


if __name__ == "__main__":
    unittest.main()
