"""What a table has besides its columns' types: indexes, counters, defaults, checks, comments, into an engine of another
kind.

SQLite, PostgreSQL and MariaDB, each as a source and as a target, in a soak every ordered pair; what arrived is asked of
the target's own client.
"""
import datetime
import json
import os
import sqlite3
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import support

ENGINES = ("sqlite", "postgres", "mysql")
CIRCLE = list(zip(ENGINES, ENGINES[1:] + ENGINES[:1]))


class Carried(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = {"postgres": postgres.for_class(cls), "mysql": mariadb.for_class(cls)}

    def setUp(self):
        super().setUp()
        self.files = 0

    def pairs(self):
        """All (source, target) in a soak; else each engine once as a source and once as a target."""
        ways = (CIRCLE, [(target, source) for source, target in CIRCLE])
        return [pair for way in support.drawn(ways, 1, self.id()) for pair in way]

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
            "postgres": "SELECT x.relname, string_agg(a.attname, ',' ORDER BY a.attnum) FROM pg_index i JOIN pg_class "
                        "x ON x.oid = "
                        "i.indexrelid JOIN pg_attribute a ON a.attrelid = x.oid WHERE i.indrelid = 't'::regclass AND "
                        "NOT i.indisprimary "
                        "GROUP BY 1",
            "mysql": "SELECT index_name, group_concat(column_name ORDER BY seq_in_index) FROM "
                     "information_schema.statistics WHERE "
                     "table_schema = database() AND table_name = 't' AND index_name <> 'PRIMARY' GROUP BY 1"}
        return {row[0]: row[1] for row in self.ask(engine, name, asked[engine])}

    def column_type(self, engine, name, column):
        asked = {"sqlite": "SELECT type FROM pragma_table_info('t') WHERE name = '%s'",
                 "postgres": "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass "
                             "AND attname = '%s'",
                 "mysql": "SELECT column_type FROM information_schema.columns WHERE table_schema = database() AND "
                          "table_name = 't' AND "
                          "column_name = '%s'"}
        return self.ask(engine, name, asked[engine] % column)[0][0]


class Indexes(Carried):
    """An index that finds other things than values in their order has no like elsewhere."""
    SCRIPTS = {
        "mysql": "CREATE TABLE t (id int PRIMARY KEY, body text NOT NULL, p point NOT NULL, n int, v varchar(20), "
                 "FULLTEXT KEY words (body), FULLTEXT KEY both_words (body, v), SPATIAL KEY places (p), "
                 "KEY plain (n, v)); "
                 "INSERT INTO t VALUES (1, REPEAT(CONCAT(UUID(), ' '), 1500), ST_GeomFromText('POINT(1 2)'), 1, 'v')",
        "postgres": "CREATE TABLE t (id int PRIMARY KEY, body text NOT NULL, j jsonb, words tsvector, a int[], "
                    "r int4range, n int, v varchar(20), "
                    "EXCLUDE USING gist (r WITH &&)); "
                    "CREATE INDEX plain ON t (n, v); CREATE INDEX hashed ON t USING hash (n); "
                    "CREATE INDEX in_j ON t USING gin (j); "
                    "CREATE INDEX in_words ON t USING gin (words); CREATE INDEX in_a ON t USING gin (a); "
                    "CREATE INDEX in_r ON t USING gist (r); CREATE INDEX ranges ON t USING brin (n); "
                    "CREATE INDEX tree ON t USING spgist (body); "
                    "INSERT INTO t SELECT 1, string_agg(md5(i::text), ' '), '{}', '', '{1}', '[1,5)', 1, "
                    "'v' FROM generate_series(1, 1500) i"}
    PLAIN = {"mysql": {"plain": "n,v"}, "postgres": {"plain": "n,v", "hashed": "n"}}
    LEFT = {"mysql": {"words": "FULLTEXT", "both_words": "FULLTEXT", "places": "SPATIAL"},
            "postgres": {"in_j": "gin", "in_words": "gin", "in_a": "gin", "in_r": "gist", "ranges": "brin",
                         "tree": "spgist", "t_r_excl": "gist"}}

    def test_only_ordered_ones_arrive_and_the_others_are_listed(self):
        for source, target in self.pairs():
            if source == "sqlite":
                continue
            with self.subTest(source=source, target=target):
                here, _ = self.moved(source, target, self.SCRIPTS[source])
                self.assertEqual(self.indexes(target, here), self.PLAIN[source])
                self.assertEqual(self.ask(target, here, "SELECT count(*), max(length(body)) > 40000 FROM t")[0],
                                 ["1", "t" if target == "postgres" else "1"])
                # nor do they shape the columns
                self.assertEqual(self.column_type(target, here, "body"),
                                 {"mysql": "longtext", "postgres": "text", "sqlite": "TEXT"}[target])
                said = [note for note in self.listed(source, target, self.SCRIPTS[source]) if " index " in note]
                self.assertEqual(sorted(said), sorted(
                    "t: the index %s of t is not carried: it is one of %s, which finds other things than values" % left
                    for left in self.LEFT[source].items()))

    def test_a_key_has_one_index(self):
        """Also one whose columns SQLite would let be NULL; what is unique beside it keeps its own."""
        for target in ("postgres", "mysql"):
            for key in ("a int PRIMARY KEY, b int, c int UNIQUE", "a int, b int, c int UNIQUE, PRIMARY KEY (b, a)"):
                with self.subTest(target=target, key=key):
                    here, _ = self.moved("sqlite", target, "CREATE TABLE t (%s); INSERT INTO t VALUES (1, 2, 3)" % key)
                    self.assertEqual(list(self.indexes(target, here).values()), ["c"])

    def test_a_plan_in_the_same_engine_has_no_plain_one_in_its_place(self):
        plan = 'tables: { t: { from: t, fields: { "*": copy, v: { drop: true } } } }\n'
        for engine in ("mysql", "postgres"):
            with self.subTest(engine=engine):
                here, _ = self.moved(engine, engine, self.SCRIPTS[engine], plan=plan)
                self.assertEqual(self.indexes(engine, here), {"hashed": "n"} if engine == "postgres" else {})
                said = self.listed(engine, engine, self.SCRIPTS[engine], plan=plan)
                for name in self.LEFT[engine]:
                    self.assertIn("the index %s of t is not carried" % name, " ".join(said))




class Defaults(Carried):
    """A row that is inserted without its columns, by the target's own client."""
    # column: its type and default in each engine, and what a new row has in each target (None: NULL; CLOCK: the
    # clock's)
    CLOCK, DAY = "clock", "day"
    KINDS = {
        "whole": ({"sqlite": "INTEGER DEFAULT 5", "postgres": "int DEFAULT 5", "mysql": "int DEFAULT 5"}, "5"),
        "negative": ({"sqlite": "INTEGER DEFAULT -7", "postgres": "bigint DEFAULT -7", "mysql": "bigint DEFAULT -7"},
                     "-7"),
        "in_brackets": ({"sqlite": "INTEGER DEFAULT (+3)", "postgres": "smallint DEFAULT (3)",
                         "mysql": "smallint DEFAULT (3)"}, "3"),
        "exact": ({"sqlite": "DECIMAL(10,2) DEFAULT 1.50", "postgres": "numeric(10,2) DEFAULT 1.50",
                   "mysql": "decimal(10,2) DEFAULT 1.50"},
                  {"sqlite": "1.5", "postgres": "1.50", "mysql": "1.50", ("sqlite", "postgres"): "1.50"}),
        "real_one": ({"sqlite": "REAL DEFAULT 0.25", "postgres": "float8 DEFAULT 0.25", "mysql": "double DEFAULT 0.25"},
                     "0.25"),
        "short": ({"sqlite": "VARCHAR(9) NOT NULL DEFAULT 'abc'", "postgres": "varchar(9) NOT NULL DEFAULT 'abc'",
                   "mysql": "varchar(9) NOT NULL DEFAULT 'abc'"}, "abc"),
        "long_one": ({"sqlite": "TEXT DEFAULT 'it''s \"x\" %s {} --'",
                      "postgres": "text DEFAULT 'it''s \"x\" %s {} --'",
                      "mysql": "text DEFAULT 'it''s \"x\" %s {} --'"}, "it's \"x\" %s {} --"),
        "slash": ({"sqlite": "TEXT DEFAULT 'a\\b'", "postgres": "text DEFAULT 'a\\b'",
                   "mysql": "varchar(9) DEFAULT 'a\\\\b'"},
                  {"sqlite": "a\\b", "postgres": "a\\b", "mysql": "a\\\\b"}),   # as the client shows it
        "empty": ({"sqlite": "TEXT DEFAULT ''", "postgres": "text DEFAULT ''", "mysql": "varchar(9) DEFAULT ''"}, ""),
        "letters": ({"sqlite": "TEXT DEFAULT 'ü'", "postgres": "text DEFAULT 'ü'",
                     "mysql": "varchar(9) CHARACTER SET utf8mb4 DEFAULT 'ü'"}, "ü"),
        "sheep": ({"sqlite": "TEXT DEFAULT '🐑?'", "postgres": "text DEFAULT '🐑?'"}, "🐑?"),
        "truth": ({"sqlite": "BOOLEAN DEFAULT TRUE", "postgres": "boolean DEFAULT true",
                   "mysql": "boolean DEFAULT true"}, "1"),
        "untruth": ({"sqlite": "BOOLEAN DEFAULT 0", "postgres": "boolean DEFAULT false",
                     "mysql": "boolean DEFAULT false"}, "0"),
        "nil": ({"sqlite": "TEXT DEFAULT NULL", "postgres": "text DEFAULT NULL", "mysql": "text DEFAULT NULL"}, None),
        "without": ({"sqlite": "TEXT", "postgres": "text", "mysql": "text"}, None),
        "at": ({"sqlite": "DATETIME DEFAULT CURRENT_TIMESTAMP", "postgres": "timestamp DEFAULT now()",
                "mysql": "datetime DEFAULT CURRENT_TIMESTAMP"}, CLOCK),
        "instant": ({"postgres": "timestamptz DEFAULT CURRENT_TIMESTAMP",
                     "mysql": "timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP"}, CLOCK),
        "day": ({"sqlite": "DATE DEFAULT CURRENT_DATE", "postgres": "date DEFAULT CURRENT_DATE",
                 "mysql": "date DEFAULT (curdate())"}, DAY),
        "born": ({"postgres": "date DEFAULT '2024-02-29'", "mysql": "date DEFAULT '2024-02-29'"}, "2024-02-29"),
        "since": ({"postgres": "timestamptz DEFAULT '2024-02-29 12:00:00.5+00'"},
                  {"sqlite": "2024-02-29T12:00:00.5Z", "mysql": "2024-02-29 12:00:00.500000"}),
        "wall": ({"postgres": "timestamp DEFAULT '2024-02-29 12:00:00'",
                  "mysql": "datetime DEFAULT '2024-02-29 12:00:00'"},
                 {"sqlite": "2024-02-29T12:00:00", "postgres": "2024-02-29 12:00:00",
                  "mysql": "2024-02-29 12:00:00.000000"}),
        "tree": ({"postgres": "jsonb DEFAULT '{\"a\": [1, 2]}'", "mysql": "json DEFAULT '{\"a\": [1, 2]}'"},
                 '{"a": [1, 2]}'),
        "name": ({"postgres": "uuid DEFAULT '123e4567-e89b-12d3-a456-426614174000'"},
                 "123e4567-e89b-12d3-a456-426614174000"),
        "several": ({"postgres": "int[] DEFAULT '{1,2}'"}, "[1,2]"),
        "feeling": ({"postgres": "mood DEFAULT 'so ''so'''", "mysql": "enum('sad', 'so ''so''') DEFAULT 'so ''so'''"},
                    "so 'so'"),
        "of_words": ({"postgres": "domained DEFAULT 'x'"}, "x"),
    }
    # what only its own engine understands: (default, the words of the note)
    LEFT = {
        "sqlite": {"c1": ("TEXT DEFAULT (lower('X'))", "lower('X')"), "c2": ("TEXT DEFAULT x'00'", "x'00'"),
                   "c3": ("INTEGER DEFAULT (1 + 1)", "1 + 1"), "c4": ("INTEGER DEFAULT 'many'", "'many'")},
        "postgres": {"c1": ("uuid DEFAULT gen_random_uuid()", "gen_random_uuid()"),
                     "c2": ("text DEFAULT now()", "now()"),
                     "c4": ("bytea DEFAULT '\\x00ff'", "'\\x00ff'::bytea"),
                     "c5": ("timestamp DEFAULT CURRENT_DATE", "CURRENT_DATE"),
                     "c6": ("int DEFAULT (random() * 10)::int", "random()"),
                     "c7": ("float8 DEFAULT 'NaN'", "NaN"), "c8": ("numeric DEFAULT 'Infinity'", "Infinity"),
                     "c9": ("real DEFAULT '-Infinity'", "-Infinity")},
        "mysql": {"c1": ("varchar(40) DEFAULT (uuid())", "uuid()"),
                  "c2": ("varchar(40) DEFAULT (current_timestamp())", "current_timestamp()"),
                  "c3": ("int DEFAULT (1 + 1)", "1 + 1"), "c5": ("binary(2) DEFAULT 'ab'", "'ab'"),
                  "c6": ("varchar(9) CHARACTER SET utf8mb4 DEFAULT '🐑'", "'?'")},
    }
    TYPES = {"sqlite": "", "mysql": "",
             "postgres": "CREATE TYPE mood AS ENUM ('sad', 'so ''so'''); CREATE DOMAIN domained AS text; "}
    KEY = {"sqlite": "INTEGER PRIMARY KEY", "postgres": "serial PRIMARY KEY", "mysql": "int AUTO_INCREMENT PRIMARY KEY"}
    INSERT = {"sqlite": "INSERT INTO t DEFAULT VALUES", "postgres": "INSERT INTO t DEFAULT VALUES",
              "mysql": "INSERT INTO t () VALUES ()"}

    def script(self, engine, columns):
        return "%sCREATE TABLE t (id %s%s); INSERT INTO t (id) VALUES (1), (41)" % (
            self.TYPES[engine] if "feeling" in columns else "", self.KEY[engine],
            "".join(", %s %s" % column for column in columns.items()))

    def test_constants_and_the_clock_are_carried(self):
        for source, target in self.pairs():
            with self.subTest(source=source, target=target):
                columns = {name: words[source] for name, (words, _) in self.KINDS.items() if source in words}
                script = self.script(source, columns)
                said = self.listed(source, target, script, refused=source == "postgres")
                self.assertEqual([note for note in said if not note.startswith(("mood: the type",
                                                                                "domained: the type"))], [])
                here, _ = self.moved(source, target, script)
                self.ask(target, here, self.INSERT[target])
                for name in columns:
                    expected = self.KINDS[name][1]
                    expected = expected.get((source, target), expected[target]) if isinstance(expected,
                        dict) else expected
                    if target == "postgres" and name in ("truth", "untruth"):
                        expected = {"1": "t", "0": "f"}[expected]
                    found = self.ask(target, here, "SELECT id, %s FROM t WHERE id = 42" % name)
                    if expected in (self.CLOCK, self.DAY):
                        self.assert_now(source, target, here, name, expected)
                    else:
                        self.assertEqual(found, [["42", expected]], name)

    def assert_now(self, source, target, here, name, kind):
        """Within two minutes of this program's own clock, in the words that the column's other values have."""
        text = self.ask(target, here, "SELECT %s FROM t WHERE id = 42" % name)[0][0]
        form = "%Y-%m-%d" if kind == self.DAY else {
            "postgres": "%Y-%m-%d %H:%M:%S.%f", "mysql": "%Y-%m-%d %H:%M:%S.%f",
            "sqlite": "%Y-%m-%dT%H:%M:%S.%f"}[target]
        if source == target == "sqlite" and kind == self.CLOCK:
            form = "%Y-%m-%d %H:%M:%S"
        if name == "instant":
            form += {"postgres": "%z", "sqlite": "%z", "mysql": ""}[target]
            text = text + "00" if target == "postgres" else text
        told = datetime.datetime.strptime(text, form).replace(tzinfo=None)
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        self.assertLess(abs(now - told), datetime.timedelta(days=1 if kind == self.DAY else 0, minutes=2), name)

    def test_what_only_its_own_engine_understands_is_listed(self):
        for source, target in self.pairs():
            with self.subTest(source=source, target=target):
                left = self.LEFT[source]
                script = self.script(source, {name: words for name, (words, _) in left.items()}).replace(
                    "(id) VALUES (1), (41)", "(id, %s) VALUES (41%s)" % (", ".join(left), ", NULL" * len(left)))
                said = self.listed(source, target, script)
                self.assertEqual(len(said), len(left), said)
                for line, (name, (_, shown)) in zip(said, left.items()):
                    self.assertTrue(line.startswith("t: the default of %s (" % name) and shown in line, line)
                here, _ = self.moved(source, target, script)
                self.ask(target, here, self.INSERT[target])
                for name in left:
                    self.assertEqual(self.ask(target, here, "SELECT id, %s FROM t WHERE id = 42" % name),
                                     [["42", None]])

    # column: its type and default, and what a new row has in SQLite, whose days and times are texts
    SPECIAL = {
        "mysql": {"z1": ("datetime DEFAULT '0000-00-00 00:00:00'", "0000-00-00"),
                  "z2": ("timestamp NOT NULL DEFAULT 0", "0000-00-00"),
                  "z3": ("date DEFAULT '0000-00-00'", "0000-00-00"), "z4": ("date DEFAULT '0000-05-01'", "0000-05-01")},
        "postgres": {"i1": ("timestamptz DEFAULT 'infinity'", "infinity"),
                     "i2": ("date NOT NULL DEFAULT '-infinity'", "-infinity"),
                     "i3": ("timestamp DEFAULT 'infinity'", "infinity")},
    }

    def test_days_that_the_target_has_not_are_listed(self):
        for source, target in self.pairs():
            if source == "sqlite":
                continue   # its days are texts anywhere
            with self.subTest(source=source, target=target):
                special = self.SPECIAL[source]
                script = self.script(source, {name: words for name, (words, _) in special.items()}).replace(
                    "(id) VALUES (1), (41)", "(id, %s) VALUES (41%s)" % (", ".join(special),
                                                                         ", '2024-02-29'" * len(special)))
                said = self.listed(source, target, script, refused=target != "sqlite")
                left = [] if target == "sqlite" else list(special)
                self.assertEqual([line.partition(" (")[0] for line in said],
                                 ["t: the default of " + name for name in left])
                for line in said:
                    self.assertTrue(line.endswith(" is not carried: not every engine's column of its type holds "
                                                  "such a value"), line)
                here, _ = self.moved(source, target, script)
                if target == "sqlite":
                    self.ask(target, here, self.INSERT[target])
                    self.assertEqual(self.ask(target, here, "SELECT id, %s FROM t WHERE id = 42" % ", ".join(special)),
                                     [["42"] + [expected for _, expected in special.values()]])
                else:
                    self.ask(target, here, "INSERT INTO t (id, %s) SELECT 42, %s FROM t" % (2 * (", ".join(special),)))
                    self.assertEqual(self.ask(target, here, "SELECT count(*) FROM t"), [["2"]])

    def test_a_plan_keeps_them_for_columns_that_are_copied_as_they_are(self):
        plan = """
tables:
  u:
    from: t
    key: no
    fields: { no: { column: id }, renamed: { column: whole }, made: { sql: "whole + 1", cast: int64 }, cast_one: { column: whole, cast: text }, short: copy }
  merged:
    key: no
    entities:
      one: { from: t, fields: { no: { column: id }, short: copy } }
      two: { from: t, fields: { no: { sql: "id + 1000", cast: int64 }, short: { const: x } } }
"""
        for source, target in self.pairs():
            with self.subTest(source=source, target=target):
                columns = {name: self.KINDS[name][0][source] for name in ("whole", "short", "slash")}
                script = self.script(source, columns)
                said = self.listed(source, target, script, plan=plan)
                self.assertEqual(len(said), 1, said)
                self.assertRegex(said[0],
                                 r"^merged: the default of short \('abc'[^)]*\) is not carried: several entities fill "
                                 r"the table$")
                here, _ = self.moved(source, target, script, plan=plan)
                self.ask(target, here, self.INSERT[target].replace(" t ", " u "))
                self.assertEqual(self.ask(target, here,
                                          "SELECT no, renamed, made, cast_one, short FROM u WHERE no > 41"),
                                 [["42", "5", None, None, "abc"]])
                self.ask(target, here, "INSERT INTO merged (short) VALUES ('y')")
                self.assertEqual(self.ask(target, here, "SELECT no FROM merged WHERE short = 'y'"), [["1042"]])


class Counters(Carried):
    """(the source's column, key or not, does it count in SQLite, PostgreSQL, MariaDB)."""
    CASES = {
        "sqlite": [("id INTEGER PRIMARY KEY, v TEXT", None, "yyy"),
                   ("id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT", None, "yyy"),
                   ("v TEXT, id INTEGER NOT NULL, PRIMARY KEY (id DESC)", None, "yyy")],
        "postgres": [("id serial PRIMARY KEY, v text", None, "yyy"), ("id bigserial PRIMARY KEY, v text", None, "yyy"),
                     ("id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text", None, "yyy"),
                     ("id bigint GENERATED BY DEFAULT AS IDENTITY (START WITH 7) PRIMARY KEY, v text", None, "yyy"),
                     ("v text PRIMARY KEY, id int GENERATED BY DEFAULT AS IDENTITY", "whole key", "nyn"),
                     ("id serial, v text, PRIMARY KEY (id, v)", "whole key", "nyn")],
        "mysql": [("id int AUTO_INCREMENT PRIMARY KEY, v varchar(9)", None, "yyy"),
                  ("id smallint unsigned AUTO_INCREMENT PRIMARY KEY, v varchar(9)", None, "yyy"),
                  ("id bigint unsigned AUTO_INCREMENT PRIMARY KEY, v varchar(9)", None, "yyy"),
                  ("v varchar(9) PRIMARY KEY, id int AUTO_INCREMENT UNIQUE", "whole key", "nyn")],
    }
    TYPE = {"sqlite": "INTEGER", "postgres": "bigint", "mysql": "bigint"}

    def test_what_counts_up_by_itself_does_so_past_the_largest_number(self):
        for source, target in self.pairs():
            with self.subTest(source=source, target=target):
                script, left = "", {}
                for number, (columns, why, counts) in enumerate(self.CASES[source]):
                    always = "OVERRIDING SYSTEM VALUE " if "ALWAYS" in columns else ""
                    script += "CREATE TABLE t%d (%s); INSERT INTO t%d (id, v) %sVALUES (1, 'a'), (41, 'b');" % (number,
                        columns, number, always)
                    if counts[ENGINES.index(target)] == "n":
                        left["t%d" % number] = why
                said = self.listed(source, target, script, refused=bool(left))
                self.assertEqual(len(said), len(left), said)
                for line, (table, why) in zip(said, left.items()):
                    self.assertRegex(line, "^%s: the counter of id is not carried: .*%s" % (table, why))
                here, _ = self.moved(source, target, script)
                for table in ("t%d" % number for number in range(len(self.CASES[source]))):
                    if table not in left:
                        self.ask(target, here, "INSERT INTO %s (v) VALUES ('c')" % table)
                        self.assertEqual(self.ask(target, here, "SELECT id FROM %s WHERE v = 'c'" % table), [["42"]],
                                         table)

    def test_a_number_that_is_no_plain_one_counts_where_the_plan_says_so(self):
        for target in ("sqlite", "postgres"):
            with self.subTest(target=target):
                script = ("CREATE TABLE t (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, v varchar(9)); "
                          "INSERT INTO t VALUES (41, 'b')")
                plan = "tables: { t: { from: t, columns: { id: { type: %s } } } }\n" % self.TYPE[target]
                here, _ = self.moved("mysql", target, script, "--strict", plan=plan)
                self.ask(target, here, "INSERT INTO t (v) VALUES ('c')")
                self.assertEqual(self.ask(target, here, "SELECT id FROM t WHERE v = 'c'"), [["42"]])


class Others(Carried):
    """Checks, expressions, comments, clauses."""
    SCRIPTS = {
        "sqlite": "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER CHECK (n > 0), "
                  "twice INTEGER GENERATED ALWAYS AS (n * 2) STORED, "
                  "m INTEGER, CHECK (m < n)); INSERT INTO t (id, n, m) VALUES (1, 5, 4)",
        "postgres": "CREATE TABLE t (id serial PRIMARY KEY, n int CHECK (n > 0), twice int GENERATED ALWAYS AS (n * 2) "
                    "STORED, m int, "
                    "CHECK (m < n)); INSERT INTO t (n, m) VALUES (5, 4)",
        "mysql": "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, n int CHECK (n > 0), "
                 "twice int GENERATED ALWAYS AS (n * 2) STORED, m int, "
                 "j json, at datetime DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, CHECK (m < n)); "
                 "INSERT INTO t (n, m) VALUES (5, 4)"}
    LEFT = {
        "sqlite": {"t: the expression of twice is", "t: the check (n > 0) of t is", "t: the check (m < n) of t is"},
        "postgres": {"t: the expression of twice ((n * 2)) is", "t: the check CHECK (n > 0) of t is",
                     "t: the check CHECK (m < n) of t is"},
        "mysql": {"t: the expression of twice (`n` * 2) is", "t: the check (`n` > 0) of t is",
                  "t: the check (`m` < `n`) of t is",
                  "t: the clause of at (on update current_timestamp()) is"}}

    def test_checks_and_expressions_are_listed_and_values_arrive(self):
        for source, target in self.pairs():
            with self.subTest(source=source, target=target):
                said = self.listed(source, target, self.SCRIPTS[source])
                self.assertEqual({line.partition(" not carried")[0] for line in said}, self.LEFT[source])
                here, _ = self.moved(source, target, self.SCRIPTS[source])
                self.assertEqual(self.ask(target, here, "SELECT id, n, twice, m FROM t"), [["1", "5", "10", "4"]])
                self.ask(target, here, "INSERT INTO t (id, n, twice, m) VALUES (2, -5, 0, 4)")

    COMMENTED = {
        "postgres": "CREATE TABLE t (id int PRIMARY KEY, v text, w text); COMMENT ON TABLE t IS 'it''s \"a\" \\ "
                    "table; ü'; "
                    "COMMENT ON COLUMN t.v IS 'one ''v'' \\'; COMMENT ON COLUMN t.w IS '%s'",
        "mysql": "CREATE TABLE t (id int PRIMARY KEY, v text COMMENT 'one ''v'' \\\\', "
                 "w text COMMENT '%s') COMMENT 'it''s \"a\" \\\\ table; ü'"}
    ASKED = {
        "postgres": "SELECT '', '', '', obj_description('t'::regclass) UNION ALL SELECT * FROM (SELECT '', '', '', "
                    "col_description(attrelid, attnum) "
                    "FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attnum) c",
        "mysql": "SELECT '', '', '', table_comment FROM information_schema.tables WHERE table_schema = database() AND "
                 "table_name = 't' UNION ALL "
                 "SELECT '', '', '', column_comment FROM information_schema.columns WHERE table_schema = database() "
                 "AND table_name = 't'"}

    # a column's type; by what it is compared, and what that takes for equal: nothing, where it goes by the bytes
    LOOSE, BLANKS = "what differs in case, accents or the like alone", "what differs in blanks at the end alone"
    COLLATED = {
        "sqlite": ("", {"TEXT": None, "TEXT COLLATE BINARY": None,
                        "TEXT COLLATE NOCASE": ("NOCASE", "what differs in the case of a to z alone"),
                        "TEXT COLLATE RTRIM": ("RTRIM", BLANKS)}),
        "postgres": ("CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false); "
                     "CREATE COLLATION exact (provider = icu, locale = 'de'); "
                     "CREATE DOMAIN word AS text COLLATE ci; ",
                     {"text": None, "text COLLATE ci": ("ci", LOOSE), "word": ("word", LOOSE),
                      "text COLLATE \"C\"": None, "text COLLATE \"C.utf8\"": None,
                      "text COLLATE \"de-DE-x-icu\"": None, "text COLLATE exact": None}),
        "mysql": ("", {"varchar(9) COLLATE utf8mb4_general_ci": ("utf8mb4_general_ci",
                                                                 "what differs in case, accents, "
                                                                 "blanks at the end or the like alone"),
                       "varchar(9) COLLATE utf8mb4_general_nopad_ci": ("utf8mb4_general_nopad_ci", LOOSE),
                       "varchar(9) COLLATE utf8mb4_bin": ("utf8mb4_bin", BLANKS),
                       "varchar(9) COLLATE utf8mb4_nopad_bin": None,
                       "varchar(9) CHARACTER SET ascii COLLATE ascii_bin": ("ascii_bin", BLANKS)})}

    def test_collations_are_named_and_not_refused(self):
        for source, target in self.pairs():
            script, types = self.COLLATED[source]
            with self.subTest(source=source, target=target):
                tables = "".join("CREATE TABLE t%d (id int PRIMARY KEY, a %s); " % pair for pair in enumerate(types))
                both = "CREATE TABLE both_of (id int PRIMARY KEY, a %s, b %s)" % (([type_ for type_ in types
                    if types[type_] is not None][0],) * 2)
                ends = [self.uri(source, self.place(source, script + tables + both)),
                        self.uri(target, self.place(target))]
                notes = json.loads(self.run_program("check", "--json", *ends).out)["notes"]
                said = [("t%d" % number, "", *found) for number, found in enumerate(types.values())
                        if found is not None]
                said.append(("both_of", " and others", *said[0][2:]))
                self.assertEqual(sorted(note for note in notes if "compared by" in note), sorted(
                    "%s: texts of a%s are compared by %s in the source, and by their bytes in a table that the run "
                    "makes: %s may be two there" % one for one in said))
                self.run_program("migrate", *ends, "--quiet", "--restart",
                                 *([] if source == "postgres" else ["--strict"]))

    def test_comments_go_where_there_are_some(self):
        for source in ("postgres", "mysql"):
            other = "mysql" if source == "postgres" else "postgres"
            with self.subTest(source=source):
                script = self.COMMENTED[source] % "w"
                self.assertEqual(self.listed(source, other, script, refused=False), [])
                here, _ = self.moved(source, other, script)
                slash = "\\\\" if other == "mysql" else "\\"   # as the client shows it
                self.assertEqual([row[3] or "" for row in self.ask(other, here, self.ASKED[other])],
                                 ["it's \"a\" %s table; ü" % slash, "", "one 'v' " + slash, "w"])
                self.assertEqual(self.listed(source, "sqlite", script),
                                 ["t: 3 of the comments of t and its columns are not carried: the target keeps none"])
        self.assertEqual(self.listed("postgres", "mysql", self.COMMENTED["postgres"] % ("w" * 1025)),
                         ["t: 1 of the comments of t and its columns are not carried: the target keeps no longer ones"])


class WithinPostgres(Carried):
    """
    A plan makes tables, and none of the types, functions, sequences and collations that a plain copy makes before them.
    """
    MADE = """
CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN posint AS int CHECK (VALUE > 0); CREATE TYPE pair AS (a int, b text);
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2'; CREATE SEQUENCE numbers;
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
"""
    TABLE = """
CREATE TABLE t (id serial PRIMARY KEY, m mood DEFAULT 'happy', ms mood[], p posint, pr pair, b int DEFAULT twice(4),
  n numeric DEFAULT nextval('numbers'), c text COLLATE ci, u uuid DEFAULT gen_random_uuid(), v varchar(9) DEFAULT 'v', gone int);
INSERT INTO t VALUES (41, 'sad', '{sad,happy}', 5, '(1,x)', 6, 7, 'Text', NULL, 'w', 1);
"""
    PLAN = 'tables: { t: { from: t, fields: { "*": copy, gone: { drop: true } } } }\n'
    WHOLE = 'tables: { t: { from: t } }\n'
    TYPES = {"m": "text", "ms": "text", "p": "integer", "pr": "text", "b": "integer", "n": "numeric", "c": "text",
             "v": "character varying(9)"}

    def test_what_the_target_has_not_is_a_type_of_its_own_and_listed(self):
        for plan in (self.PLAN, self.WHOLE):
            with self.subTest(plan=plan):
                said = self.listed("postgres", "postgres", self.MADE + self.TABLE, plan=plan)
                self.assertEqual([line.partition(" is not carried")[0] for line in said], [
                    "t: the type of m (mood)", "t: the type of ms (mood[])", "t: the type of p (posint)",
                    "t: the type of pr (pair)",
                    "t: the default of b (twice(4))", "t: the counter of n", "t: the collation of c (ci)"])
                here, _ = self.moved("postgres", "postgres", self.MADE + self.TABLE, plan=plan)
                for column, expected in self.TYPES.items():
                    self.assertEqual(self.column_type("postgres", here, column), expected, column)
                self.ask("postgres", here, "INSERT INTO t DEFAULT VALUES")
                self.assertEqual(self.ask("postgres", here,
                                          "SELECT id, m, ms, p, pr, b, n, c, u IS NULL, v FROM t ORDER BY id"),
                                 [["41", "sad", "{sad,happy}", "5", "(1,x)", "6", "7", "Text", "t", "w"],
                                  ["42", "happy", None, None, None, None, None, None, "f", "v"]])

    def test_what_the_target_has_stays(self):
        for plan in (self.PLAN, self.WHOLE):
            with self.subTest(plan=plan):
                there, here = self.place("postgres", self.MADE + self.TABLE), self.place("postgres", self.MADE)
                self.write("plan.yaml", "transhume: 1\nsource: %s\ntarget: %s\n%s" % (self.uri("postgres", there),
                    self.uri("postgres", here), plan))
                self.run_program("migrate", "--plan", "plan.yaml", "--restart", "--strict", "--quiet")
                self.assertEqual([self.column_type("postgres", here, name) for name in ("m", "ms", "p", "pr")],
                                 ["mood", "mood[]", "posint", "pair"])
                self.ask("postgres", here, "INSERT INTO t DEFAULT VALUES")
                self.assertEqual(self.ask("postgres", here, "SELECT id, m, b, n, v FROM t ORDER BY id"),
                                 [["41", "sad", "6", "7", "w"], ["42", "happy", "8", "8", "v"]])

    def test_what_lies_in_a_schema_that_is_not_there_or_closed_is_listed(self):
        elsewhere = ("CREATE SCHEMA other; CREATE TYPE other.mood AS ENUM ('sad'); "
                     "CREATE FUNCTION other.f() RETURNS int LANGUAGE sql AS 'SELECT 8'; ")
        there = self.place("postgres", elsewhere
                           + "CREATE TABLE t (id int PRIMARY KEY, m other.mood, n int DEFAULT other.f(), gone int); "
                           "INSERT INTO t VALUES (1, 'sad', 5)")
        left = ["t: the type of m (other.mood)", "t: the default of n (other.f())"]
        for made, expected, type_there in (("", left, "text"), (elsewhere, left, "text"),
                                           (elsewhere + "GRANT USAGE ON SCHEMA other TO {0}", [], "other.mood")):
            with self.subTest(made):
                here = self.place("postgres")
                role = "role_" + here
                self.ask("postgres", here, ("CREATE ROLE {0} LOGIN; GRANT ALL ON SCHEMA public TO {0}; "
                                            + made).format(role))
                target = self.uri("postgres", here).replace("postgres@", role + "@")
                self.write("plan.yaml", "transhume: 1\nsource: %s\ntarget: %s\n%s" % (self.uri("postgres", there),
                    target, self.PLAN))
                said = json.loads(self.run_program("check", "--json", "--plan", "plan.yaml").out)["notes"]
                self.assertEqual([note.partition(" is not carried")[0] for note in said if "not carried" in note],
                                 expected)
                self.run_program("migrate", "--plan", "plan.yaml", "--restart", "--quiet")
                self.assertEqual(self.column_type("postgres", here, "m"), type_there)
                self.ask("postgres", here, "INSERT INTO t (id) VALUES (2)")
                self.assertEqual(self.ask("postgres", here, "SELECT id, m, n FROM t ORDER BY id"),
                                 [["1", "sad", "5"], ["2", None, None if expected else "8"]])

    def test_a_number_that_one_of_two_entities_lacks_is_null_there(self):
        for counted in ("int GENERATED BY DEFAULT AS IDENTITY", "serial"):
            with self.subTest(counted):
                script = ("CREATE TABLE a (id %s, k text PRIMARY KEY); CREATE TABLE b (k text PRIMARY KEY); "
                          "INSERT INTO a (k) VALUES ('a'); "
                          "INSERT INTO b VALUES ('b'), ('c')" % counted)
                plan = "tables: { t: { key: k, entities: { a: { from: a }, b: { from: b } } } }\n"
                self.assertEqual(self.listed("postgres", "postgres", script, plan=plan),
                                 ["t: the counter of id is not carried: it may be NULL"])
                here, _ = self.moved("postgres", "postgres", script, plan=plan)
                self.assertEqual(self.ask("postgres", here, "SELECT k, id FROM t ORDER BY k"),
                                 [["a", "1"], ["b", None], ["c", None]])


class WithinMysql(Carried):
    """A plan makes the keys that records could break with the table, and all others after the load."""
    # the columns, and does id count in the target
    CASES = [("id int AUTO_INCREMENT PRIMARY KEY, v varchar(9)", True),
             ("id bigint unsigned AUTO_INCREMENT PRIMARY KEY, v varchar(9)", True),
             ("v varchar(9) PRIMARY KEY, id int AUTO_INCREMENT UNIQUE", True),
             ("id int AUTO_INCREMENT, v varchar(9), PRIMARY KEY (id, v)", True),
             ("v varchar(9), id int AUTO_INCREMENT, PRIMARY KEY (v, id), KEY (id)", False),
             ("v varchar(9), id double AUTO_INCREMENT PRIMARY KEY", False)]

    def test_what_counts_does_so_or_is_listed(self):
        script, plan = "", "tables:\n"
        for number, (columns, _) in enumerate(self.CASES):
            script += "CREATE TABLE t%d (%s, gone int); INSERT INTO t%d (id, v) VALUES (41, 'b');" % (number, columns,
                number)
            plan += '  t%d: { from: t%d, fields: { "*": copy, gone: { drop: true } } }\n' % (number, number)
        said = self.listed("mysql", "mysql", script, plan=plan)
        self.assertEqual([line.partition(" is not carried")[0] for line in said],
                         ["t%d: the counter of id" % number for number, (_, counts) in enumerate(self.CASES)
                          if not counts])
        here, _ = self.moved("mysql", "mysql", script, plan=plan)
        asked = self.ask("mysql", here,
                         "SELECT table_name, extra FROM information_schema.columns WHERE table_schema = database() AND "
                         "column_name = 'id' AND table_name LIKE 't_' ORDER BY 1")
        self.assertEqual(asked, [["t%d" % number, "auto_increment" if counts else ""]
                                 for number, (_, counts) in enumerate(self.CASES)])
        for table in ("t%d" % number for number, (_, counts) in enumerate(self.CASES) if counts):
            self.ask("mysql", here, "INSERT INTO %s (v) VALUES ('c')" % table)
            self.assertEqual(self.ask("mysql", here, "SELECT id FROM %s WHERE v = 'c'" % table), [["42"]], table)


class InvalidText(Carried):
    """Bytes that are no UTF-8 in a SQLite text: no server takes them, and the record is a reject of its key."""
    SCRIPT = ("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, "
              "CAST(x'61ff62' AS TEXT)), (3, CAST(x'eda080' AS TEXT)), (4, ''); "
              "CREATE TABLE k (name TEXT NOT NULL PRIMARY KEY, n INTEGER); INSERT INTO k VALUES ('a', 1), "
              "(CAST(x'c328' AS TEXT), 2), ('c', 3);")

    def test_its_record_is_rejected(self):
        for target, options in (("postgres", ""), *(("mysql", options) for options in mariadb.LOADS)):
            with self.subTest(target=target, options=options):
                here, state = self.place(target), target + options[1:]
                self.run_program("migrate", self.place("sqlite", self.SCRIPT), self.uri(target, here) + options,
                                 "--state", state, code=1)
                rejects = []
                for name in os.listdir(self.path(state, "rejects")):
                    rejects += map(json.loads, support.read_lines(self.path(state, "rejects", name)))
                self.assertEqual(sorted((reject["table"], json.dumps(reject["key"]), reject["code"])
                                        for reject in rejects),
                                 [("k", '{"name": {"$escape": [1, true, "wyg="]}}', "text-invalid"),
                                  ("t", '{"id": 2}', "text-invalid"), ("t", '{"id": 3}', "text-invalid")])
                for reject in rejects:
                    self.assertIn("%s: a value that only its source's engine can hold" % ("name"
                        if reject["table"] == "k" else "v"), reject["reason"])
                self.assertEqual(self.ask(target, here, "SELECT id, v FROM t ORDER BY id"), [["1", "a"], ["4", ""]])
                self.assertEqual(self.ask(target, here, "SELECT name, n FROM k ORDER BY n"), [["a", "1"], ["c", "3"]])
