"""What a table has besides its columns' types: indexes, counters, defaults, checks, comments, into an engine of another kind.

Every ordered pair of SQLite, PostgreSQL and MariaDB; what arrived is asked of the target's own client.
"""
import json
import os
import sqlite3
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import support

ENGINES = ("sqlite", "postgres", "mysql")
PAIRS = [(source, target) for source in ENGINES for target in ENGINES if source != target]


class Carried(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = {"postgres": postgres.for_class(cls), "mysql": mariadb.for_class(cls)}

    def setUp(self):
        super().setUp()
        self.files = 0

    def place(self, engine, script=""):
        """A new database of an engine: its name."""
        if engine != "sqlite":
            name = self.servers[engine].database()
            self.servers[engine].ask(name, script)
            return name
        self.files += 1
        return support.make_sqlite(self.path("%d.db" % self.files), script)

    def uri(self, engine, name):
        return name if engine == "sqlite" else self.servers[engine].uri(name)

    def ask(self, engine, name, sql):
        """The rows of a database's own client, as texts."""
        if engine != "sqlite":
            return self.servers[engine].ask(name, sql)
        db = sqlite3.connect(name)
        found = []
        for statement in sql.split(";"):
            found = db.execute(statement).fetchall() or found
        db.commit()
        db.close()
        return [[None if value is None else str(value) for value in row] for row in found]

    def moved(self, source, target, script, *options, plan=None, code=0):
        """(name of the target, what the run said)."""
        there, here = self.place(source, script), self.place(target)
        ends = [self.uri(source, there), self.uri(target, here)]
        if plan is not None:
            self.write("plan.yaml", "transhume: 1\nsource: %s\ntarget: %s\n%s" % (*ends, plan))
            ends = ["--plan", "plan.yaml"]
        said = self.run_program("migrate", *ends, "--restart", "--quiet", *options, code=code)
        return here, said

    def listed(self, source, target, script, plan=None, refused=True):
        """What `check` says that is left out; --strict refuses it."""
        there, here = self.place(source, script), self.place(target)
        ends = [self.uri(source, there), self.uri(target, here)]
        if plan is not None:
            self.write("plan.yaml", "transhume: 1\nsource: %s\ntarget: %s\n%s" % (*ends, plan))
            ends = ["--plan", "plan.yaml"]
        said = json.loads(self.run_program("check", "--strict", "--json", *ends, code=5 if refused else 0).out)
        left = [note for note in said["notes"] if "not carried" in note]
        self.assertEqual(said["problems"], left)
        self.run_program("migrate", "--strict", "--restart", "--quiet", *ends, code=5 if refused else 0)
        return left

    def indexes(self, engine, name):
        """{index: its columns} of table t, but the primary key's."""
        asked = {
            "sqlite": "SELECT l.name, group_concat(i.name) FROM pragma_index_list('t') l, pragma_index_info(l.name) i "
                      "WHERE l.origin <> 'pk' GROUP BY 1",
            "postgres": "SELECT x.relname, string_agg(a.attname, ',' ORDER BY a.attnum) FROM pg_index i JOIN pg_class x ON x.oid = "
                        "i.indexrelid JOIN pg_attribute a ON a.attrelid = x.oid WHERE i.indrelid = 't'::regclass AND NOT i.indisprimary "
                        "GROUP BY 1",
            "mysql": "SELECT index_name, group_concat(column_name ORDER BY seq_in_index) FROM information_schema.statistics WHERE "
                     "table_schema = database() AND table_name = 't' AND index_name <> 'PRIMARY' GROUP BY 1"}
        return {row[0]: row[1] for row in self.ask(engine, name, asked[engine])}

    def column_type(self, engine, name, column):
        asked = {"sqlite": "SELECT type FROM pragma_table_info('t') WHERE name = '%s'",
                 "postgres": "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = '%s'",
                 "mysql": "SELECT column_type FROM information_schema.columns WHERE table_schema = database() AND table_name = 't' AND "
                          "column_name = '%s'"}
        return self.ask(engine, name, asked[engine] % column)[0][0]


class Indexes(Carried):
    """An index that finds other things than values in their order has no like elsewhere."""
    SCRIPTS = {
        "mysql": "CREATE TABLE t (id int PRIMARY KEY, body text NOT NULL, p point NOT NULL, n int, v varchar(20), "
                 "FULLTEXT KEY words (body), FULLTEXT KEY both_words (body, v), SPATIAL KEY places (p), KEY plain (n, v)); "
                 "INSERT INTO t VALUES (1, REPEAT(CONCAT(UUID(), ' '), 1500), ST_GeomFromText('POINT(1 2)'), 1, 'v')",
        "postgres": "CREATE TABLE t (id int PRIMARY KEY, body text NOT NULL, j jsonb, words tsvector, a int[], r int4range, n int, v varchar(20), "
                    "EXCLUDE USING gist (r WITH &&)); "
                    "CREATE INDEX plain ON t (n, v); CREATE INDEX hashed ON t USING hash (n); CREATE INDEX in_j ON t USING gin (j); "
                    "CREATE INDEX in_words ON t USING gin (words); CREATE INDEX in_a ON t USING gin (a); "
                    "CREATE INDEX in_r ON t USING gist (r); CREATE INDEX ranges ON t USING brin (n); CREATE INDEX tree ON t USING spgist (body); "
                    "INSERT INTO t SELECT 1, string_agg(md5(i::text), ' '), '{}', '', '{1}', '[1,5)', 1, 'v' FROM generate_series(1, 1500) i"}
    PLAIN = {"mysql": {"plain": "n,v"}, "postgres": {"plain": "n,v", "hashed": "n"}}
    LEFT = {"mysql": {"words": "FULLTEXT", "both_words": "FULLTEXT", "places": "SPATIAL"},
            "postgres": {"in_j": "gin", "in_words": "gin", "in_a": "gin", "in_r": "gist", "ranges": "brin", "tree": "spgist", "t_r_excl": "gist"}}

    def test_only_ordered_ones_arrive_and_the_others_are_listed(self):
        for source, target in PAIRS:
            if source == "sqlite":
                continue
            with self.subTest(source=source, target=target):
                here, _ = self.moved(source, target, self.SCRIPTS[source])
                self.assertEqual(self.indexes(target, here), self.PLAIN[source])
                self.assertEqual(self.ask(target, here, "SELECT count(*), max(length(body)) > 40000 FROM t")[0],
                                 ["1", "t" if target == "postgres" else "1"])
                # nor do they shape the columns
                self.assertEqual(self.column_type(target, here, "body"), {"mysql": "longtext", "postgres": "text", "sqlite": "TEXT"}[target])
                said = [note for note in self.listed(source, target, self.SCRIPTS[source]) if " index " in note]
                self.assertEqual(sorted(said), sorted(
                    "t: the index %s of t is not carried: it is one of %s, which finds other things than values" % left
                    for left in self.LEFT[source].items()))

    def test_a_plan_in_the_same_engine_has_no_plain_one_in_its_place(self):
        plan = 'tables: { t: { from: t, fields: { "*": copy, v: { drop: true } } } }\n'
        for engine in ("mysql", "postgres"):
            with self.subTest(engine=engine):
                here, _ = self.moved(engine, engine, self.SCRIPTS[engine], plan=plan)
                self.assertEqual(self.indexes(engine, here), {"hashed": "n"} if engine == "postgres" else {})
                said = self.listed(engine, engine, self.SCRIPTS[engine], plan=plan)
                for name in self.LEFT[engine]:
                    self.assertIn("the index %s of t is not carried" % name, " ".join(said))


