"""Nothing that another role planted in a PostgreSQL database, as source or target, runs as the account that a command uses."""
import json
import os
import time
import unittest

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

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = postgres.Server(dict(postgres.FOLLOWED, max_locks_per_transaction="4000"), version=cls.VERSION)
        cls.addClassCleanup(cls.server.stop)
        types, table, rest = SCHEMA.partition("CREATE TABLE")
        cls.server.psql("postgres", "CREATE DATABASE bare")
        cls.server.psql("bare", types)
        traps.plant(cls.server, "bare", ("public", "sales"), types=OWN_TYPES)
        cls.server.psql("postgres", "CREATE DATABASE full_of TEMPLATE bare")
        cls.server.psql("full_of", "SET search_path = ''; " + table + rest)
        cls.planted = traps.count(cls.server, "bare")

    def setUp(self):
        super().setUp()
        self.server.psql("postgres", "DROP DATABASE IF EXISTS s WITH (FORCE); DROP DATABASE IF EXISTS d WITH (FORCE); " if self.server.version() >= 13 else
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
        found = traps.fired(self.server)
        if found:
            self.all[" ".join(str(a) for a in arguments if "://" not in str(a))] = found
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
        self.server.psql("d", "DELETE FROM item WHERE id < 5; UPDATE customer SET name = 'other' WHERE id = 'c7'; INSERT INTO item (id, big) VALUES (100000, 1)")
        traps.fired(self.server)
        self.run_it("validate", "--repair", "--delete-extra", "--confirm")
        self.roll_back()

    @unittest.skipUnless(support.SOAK, "takes minutes: in a soak")
    def test_existing(self):
        for how in ("append", "skip", "upsert", "replace"):
            self.run_it("migrate", "--existing", how, self.s, self.d, codes=(0, 1, 2, 3, 5))
            self.run_it("migrate", "--existing", how, "--no-express", self.s, self.d, codes=(0, 1, 2, 3, 5))
        self.roll_back()
        self.run_it("finish", "--confirm", codes=(0, 1, 2, 5))

    @unittest.skipUnless(support.SOAK, "takes minutes: in a soak")
    def test_resume(self):
        for point in ("postgres.before_commit", "engine.chunk_started"):
            support.kill_at(point, 3, "migrate", "--chunk-rows", "50", "--no-express", self.s, self.d, cwd=self.folder)
            traps_of_kill = traps.fired(self.server)
            if traps_of_kill:
                self.all["kill " + point] = traps_of_kill
            self.run_it("resume", codes=(0, 1, 3, 5))
            self.roll_back()
            self.run_it("finish", "--confirm", codes=(0, 1, 2, 5))
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

    @unittest.skipUnless(support.SOAK, "takes minutes: in a soak")
    def test_schema(self):
        os.mkdir(self.path("m"))
        with open(self.path("m/1_a.up.sql"), "w", encoding="utf-8") as file:
            file.write("CREATE TABLE a (id int PRIMARY KEY, v varchar(10));\n")
        with open(self.path("m/1_a.down.sql"), "w", encoding="utf-8") as file:
            file.write("DROP TABLE a;\n")
        for command in (("status",), ("up",), ("status",), ("drift",), ("down", "1", "--confirm"), ("up",), ("lint", "--database")):
            self.run_it("schema", *command, *(() if "lint" in command else ("--dir", "m")), self.d, codes=(0, 1, 2, 3))
        self.run_it("schema", "dump", self.d)
        self.run_it("schema", "diff", self.s, self.d)

    def test_change(self):
        self.run_it("migrate", self.s, self.d)
        with open(self.path("007_c.change.yaml"), "w", encoding="utf-8") as file:
            file.write("operations:\n  - alter_column: {table: customer, column: price, type: text, up: 'price::text', down: 'price::numeric', lossless: true}\n"
                       "  - add_column: {table: customer, column: {name: more, type: text}, up: name}\n")
        for command in (("check", "007_c.change.yaml"), ("start", "007_c.change.yaml"), ("status",), ("complete", "--confirm")):
            self.run_it("change", *command, self.d)

    @unittest.skipUnless(support.SOAK, "takes minutes: in a soak")
    def test_follow(self):
        process = support.start("migrate", "--follow", self.s, self.d, cwd=self.folder)
        try:
            self.wait_for(lambda: '"phase": "following"' in self.state())
            self.server.psql("s", "SET search_path = ''; UPDATE public.customer SET name = 'y' WHERE id OPERATOR(pg_catalog.=) 'c3'; DELETE FROM public.item WHERE id OPERATOR(pg_catalog.<) 10; "
                                  "INSERT INTO public.customer (id, code) VALUES ('new', 'new'); UPDATE sales.deal SET v = 'w'; UPDATE public.customer SET id = 'moved' WHERE id OPERATOR(pg_catalog.=) 'c9'")
            time.sleep(3)
        finally:
            done = None
            self.run_it("cutover", "--confirm", codes=(0, 1, 2, 3, 5))
            done = support.finish(process)
        self.assertIn(done.code, (0, 1, 4), done.err[-1000:])
        self.run_it("finish", "--confirm", codes=(0, 1, 2, 5))

    def roll_back(self):
        self.run_it("rollback", "--run", max(os.listdir(self.path(".transhume/runs"))), "--confirm", codes=(0, 1, 5))

    def state(self):
        try:
            with open(self.path(".transhume/state.json"), encoding="utf-8") as file:
                return json.dumps(json.load(file), indent=1)
        except (OSError, ValueError):
            return ""

    def wait_for(self, what):
        end = time.monotonic() + 60
        while not what():
            if time.monotonic() > end:
                raise AssertionError("it does not follow: " + self.state()[-2000:])
            time.sleep(0.1)


if __name__ == "__main__":
    unittest.main()
