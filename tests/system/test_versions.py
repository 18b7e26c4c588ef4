"""Other versions of PostgreSQL than the distribution's: a whole schema, all types, kills and validation, within a
version and from or to the distribution's.

They come from the cache of test servers, which `make servers` fills; where one is not there, what needs it is skipped.
An ordinary run takes one of them, by seed.
"""
import json
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import cache
import postgres
import support
import test_postgres
import test_postgres_catalog

VERSIONS = (12, 14, 16, 17, 18)
# What is there, in words that all versions have.
CATALOGUE = """
SELECT 'class', relname, CASE relkind WHEN 'I' THEN 'i' ELSE relkind::text END FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE '\\_transhume%'
UNION ALL SELECT 'constraint', conname, contype::text || conrelid::regclass::text || convalidated FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
  AND conrelid::regclass::text NOT LIKE '\\_transhume%'
UNION ALL SELECT 'function', proname, prokind::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname NOT LIKE 'span%'
UNION ALL SELECT 'trigger', tgname, tgrelid::regclass::text || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'type', typname, typtype::text FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typname NOT LIKE '%\\_transhume%' AND typname NOT LIKE '\\_%' AND typtype <> 'm'
  AND NOT EXISTS (SELECT 1 FROM pg_class WHERE oid = typrelid AND relkind = 'S')
UNION ALL SELECT 'sequence', sequencename, last_value::text FROM pg_sequences WHERE sequencename NOT LIKE '\\_transhume%'
UNION ALL SELECT 'column', a.attrelid::regclass::text || '.' || attname, format_type(atttypid, atttypmod) || attnotnull || attidentity::text || attgenerated::text || coalesce(pg_get_expr(adbin, adrelid), '')
  FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
  WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND relname NOT LIKE '\\_transhume%'
UNION ALL SELECT 'comment', coalesce(objsubid, 0)::text, description FROM pg_description WHERE objoid >= 16384
ORDER BY 1, 2, 3
"""
POINTS = (("postgres.after_schema", 1), ("postgres.before_commit", 3), ("postgres.before_reference", 1),
          ("postgres.before_objects", 2), ("postgres.after_index", 2))


def rich(version):
    """What that version and all newer ones have."""
    script = test_postgres_catalog.RICH
    if version < 15:
        script = script.replace("UNIQUE NULLS NOT DISTINCT (c)", "UNIQUE (c)")
    return script


class Versions(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ours = postgres.for_class(cls)
        cls.random = random.Random(support.SEED)

    def started(self, version):
        server = postgres.Server(version=version)
        self.addCleanup(server.stop)
        return server

    def there(self):
        """Those to be tried."""
        versions = [version for version in VERSIONS if cache.PACKAGES["postgres-%d" % version].path()]
        if os.environ.get("TRANSHUME_SERVERS") == "all":
            versions = VERSIONS
        if not versions or os.environ.get("TRANSHUME_SERVERS") == "none":
            self.skipTest("no other version of PostgreSQL is in %s: `make servers` fetches them" % cache.cache_folder())
        return versions if support.SOAK else [self.random.choice(versions)]

    @staticmethod
    def made(server, script=""):
        name = server.database()
        server.psql(name, script)
        return name

    def copy(self, source, target, script, **more):
        """A run that is killed at some point, gone on with and validated; the names of both databases."""
        names = self.made(source, script), self.made(target, more.get("before", ""))
        arguments = ("--state", self.path("state-%d-%d-%s" % (source.port, target.port, names[1])),
                     source.uri(names[0]), target.uri(names[1]))
        point, occurrence = self.random.choice(POINTS)
        with self.subTest(point, occurrence=occurrence):
            killed = support.kill_at(point, occurrence, "migrate", *arguments, cwd=self.folder)
            self.assertIn(killed.code, (0, -9), killed.err)   # it may not get there so often
            if killed.code:
                self.assertIn(support.transhume("resume", *arguments, cwd=self.folder).code, (0, 1))
            self.run_program("validate", "--level", "full", *arguments)
            self.assertEqual({table: rows for table, rows in source.rows(names[0]).items()},
                             {table: rows for table, rows in target.rows(names[1]).items()
                              if not table[1].startswith("_transhume")})
        return names

    def test_each(self):
        for version in self.there():
            other = self.started(version)
            pairs = [(other, other), (self.ours, other), (other, self.ours)]
            for source, target in pairs if support.SOAK else [self.random.choice(pairs)]:
                with self.subTest(version=version, source=source is other, target=target is other):
                    self.maxDiff = None
                    oldest = min(version, 15)
                    script = rich(oldest)
                    if version < 14 and source is not other:   # that one has no multiranges, which are made with ranges
                        script = script.replace("CREATE TYPE span AS RANGE (subtype = float8, "
                                                "subtype_diff = float8mi);", "").replace("s span",
                                                    "s numrange").replace("span(i, i + 1)", "numrange(i, i + 1)")
                    names = self.copy(source, target, script)
                    self.assertEqual(source.psql(names[0], CATALOGUE), target.psql(names[1], CATALOGUE))
                    edges = test_postgres.EDGES
                    if version < 14:   # numeric has no infinity there
                        edges = edges.replace("'NaN','NaN','Infinity',0.1", "'NaN','NaN','NaN',0.1")
                    self.copy(source, target, edges)

    def report(self, *arguments, code=0):
        return json.loads(self.run_program("check", "--json", *arguments, code=code).out)

    def test_what_only_a_newer_one_knows(self):
        newer = self.started(18)
        script = ("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, t int, "
                  "CONSTRAINT loose FOREIGN KEY (t) REFERENCES t NOT ENFORCED);"
                  "INSERT INTO child VALUES (1, 7)")
        keys = "SELECT conname, convalidated, conenforced FROM pg_constraint WHERE contype = 'f'"
        source, target = self.made(newer, script), self.made(newer)
        self.run_program("check", "--strict", newer.uri(source), newer.uri(target))
        for _ in range(2):   # the second finds it there
            self.run_program("migrate" if _ == 0 else "resume", *(("--strict",) if _ == 0 else ()), newer.uri(source),
                             newer.uri(target))
        self.assertEqual(newer.psql(target, keys), newer.psql(source, keys))
        target = self.made(self.ours)
        arguments = (newer.uri(source), self.ours.uri(target), "--state", "to15")
        self.assertIn("child: the foreign key loose is left out: it is NOT ENFORCED, "
                      "which this server (15) does not know", self.report(*arguments)["notes"])
        self.report("--strict", *arguments, code=5)
        self.assertIn("the foreign key loose is not made: it is NOT ENFORCED",
                      self.run_program("migrate", *arguments).err)
        self.assertEqual(self.ours.rows(target)["public", "child"], newer.rows(source)["public", "child"])
        source, target = self.made(newer,
                                   "CREATE TABLE v (id int PRIMARY KEY, d int GENERATED ALWAYS AS (id * 2) VIRTUAL); "
                                   "CREATE TABLE u (id int PRIMARY KEY, n int UNIQUE NULLS NOT DISTINCT);"
                                   "CREATE TYPE span AS RANGE (subtype = float8); INSERT INTO v VALUES (3)"), self.made(
                                       self.ours)
        words = ("the column d is VIRTUAL, which this server (%d) does not know: copy into a newer one, "
                 "or name the columns in a plan, which copies its values")
        problem, = self.report(newer.uri(source), self.ours.uri(target), "--state", "v15", code=2)["problems"]
        self.assertEqual(problem, "v: " + words % 15)
        self.assertIn(words % 15, self.run_program("migrate", newer.uri(source), self.ours.uri(target), "--state",
                                                   "v15", code=2).err.replace("\n  ", " "))
        self.assertEqual(self.ours.rows(target), {})
        target = self.made(newer)
        self.run_program("migrate", "--strict", newer.uri(source), newer.uri(target), "--state", "v18")
        self.assertEqual(newer.rows(target)["public", "v"], ["(3,6)"])
        # since 17 a partition has the identity of its table
        source, target = self.made(newer,
                                   "CREATE TABLE part (id bigint GENERATED ALWAYS AS IDENTITY, k int, PRIMARY KEY (id, "
                                   "k)) PARTITION BY RANGE (k); CREATE TABLE part_1 PARTITION OF part FOR VALUES "
                                   "FROM (0) TO (10);"
                                   "INSERT INTO part (k) SELECT i % 10 FROM generate_series(1, 30) i"), self.made(newer)
        self.run_program("migrate", "--strict", newer.uri(source), newer.uri(target), "--state", "part18")
        self.assertEqual(newer.psql(target, "INSERT INTO part (k) VALUES (3) RETURNING id"), [["31"]])
        self.assertEqual(newer.psql(target,
                                    "SELECT attrelid::regclass, attidentity FROM pg_attribute WHERE attidentity <> '' "
                                    "AND attrelid::regclass::text LIKE 'part%' ORDER BY 1"),
                         [["part", "a"], ["part_1", "a"]])
        if not support.SOAK:
            return
        older = self.started(12)
        told = self.report(newer.uri(source), older.uri(self.made(older)), "--state", "v12", code=2)["problems"]
        self.assertEqual([problem.split(",")[0] for problem in sorted(told)], [
            "span: the type span is one with a multirange", "u: the index u_n_key is NULLS NOT DISTINCT",
            "v: the column d is VIRTUAL"])


if __name__ == "__main__":
    unittest.main()
