"""Keys that a target keeps as it had them before (1.0 for 1, A for a): the record is there under its key, and
`validate` and repairs know it. And keys
of every type that can be one: each is found again and taken out by what it is in `validate`'s lists. Each target's own
client says what it holds."""
import contextlib
import json
import os
import random
import sqlite3
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "servers"), os.path.join(TESTS, "faults")]
import mariadb
import mysql
import postgres
import sql_case
import support
import test_random_mysql
import test_random_postgres


class KeySpelling:
    one_database_each = True

    PREPARE = ""
    # what the key is in the target, three of its keys there, what the key is in the source, the same three as they are
    # spelled there
    CASES = ()

    def there(self, target):
        raise NotImplementedError

    def change(self, target, sql):
        raise NotImplementedError

    def made_target(self, number, type_, keys):
        script = (self.PREPARE + "CREATE TABLE t (id %s NOT NULL, v varchar(9), more varchar(9), PRIMARY KEY (id));"
                  % type_)
        return self.target(number, script + "INSERT INTO t VALUES %s;" % ", ".join("(%s, 'old', 'kept')" % key
            for key in keys))

    def source_of(self, number, type_, keys):
        return support.make_sqlite(self.path("source-%d.db" % number),
                                   "CREATE TABLE t (id %s PRIMARY KEY NOT NULL, v TEXT); INSERT INTO t VALUES %s"
                                   % (type_, ", ".join("(%s, 'new%d')" % pair for pair in zip(keys, range(9)))))

    def validate(self, state, *options, code=0):
        said = json.loads(self.run_program("validate", "--json", *options, *state, code=code).out)
        entity, = said["entities"]
        return [entity[name] for name in ("missing", "different", "extra", "kept")], said

    def each(self, policy, look):
        cases = self.CASES if support.SOAK else random.Random("%d %s" % (support.SEED, self.id())).sample(self.CASES, 2)
        for number, (type_, there, own_type, own) in enumerate(cases):
            with self.subTest(type_):
                target, state = self.made_target(number, type_, there), ("--state", "state-%d" % number)
                before = self.there(target)
                self.migrate(self.source_of(number, own_type, own), target[0], "--existing", policy, *state)
                self.assertEqual([row[0] for row in self.there(target)], [row[0] for row in before])
                look(target, before, state)

    def test_an_upsert_is_found_whole(self):
        self.each("upsert", self.find_whole)

    def find_whole(self, target, before, state):
        del before
        self.assertEqual([row[1:] for row in self.there(target)], [["new%d" % number, "kept"] for number in range(3)])
        for level in ("full", "sample"):
            found, said = self.validate(state, "--level", level)
            self.assertEqual(found, [0, 0, 0, 0], level)
            self.assertTrue(any("another spelling" in note for note in said["notes"]), said["notes"])

    def test_a_repair_mends_what_differs_and_nothing_else(self):
        self.each("upsert", self.damage_and_repair)

    def damage_and_repair(self, target, before, state):
        whole = self.there(target)
        self.change(target, "UPDATE t SET v = 'damaged' WHERE v = 'new1'")
        self.assertEqual(self.validate(state, "--level", "full", code=1)[0], [0, 1, 0, 0])
        self.run_program("validate", "--repair", "--delete-extra", "--confirm", *state)
        self.assertEqual(self.there(target), whole)
        self.change(target, "DELETE FROM t WHERE v = 'new2'")
        self.assertEqual(self.validate(state, "--level", "full", code=1)[0], [1, 0, 0, 0])
        self.run_program("validate", "--repair", *state)
        self.assertEqual([row[1] for row in self.there(target)], ["new0", "new1", "new2"])
        self.assertEqual(self.validate(state)[0], [0, 0, 0, 0])
        self.assertEqual([row[0] for row in self.there(target)][:2], [row[0] for row in before][:2])

    def test_what_a_skip_left_counts_as_kept(self):
        self.each("skip", self.find_kept)

    def find_kept(self, target, before, state):
        self.assertEqual(self.there(target), before)
        self.assertEqual(self.validate(state, "--level", "full")[0], [0, 0, 0, 3])


class IntoPostgres(KeySpelling, sql_case.SqlCase):
    SERVERS = postgres
    PREPARE = ("CREATE EXTENSION citext; CREATE DOMAIN anycase AS citext; CREATE COLLATION loose (provider = icu, "
               "locale = 'und-u-ks-level2', deterministic = false);")
    CASES = (("numeric", ("1.0", "2.50", "3"), "NUMERIC", ("1", "2.5", "3")),
             ("citext", ("'A'", "'b'", "'C'"), "TEXT", ("'a'", "'b'", "'c'")),
             ("anycase", ("'A'", "'b'", "'C'"), "TEXT", ("'a'", "'B'", "'c'")),
             ("text COLLATE loose", ("'A'", "'b'", "'C'"), "TEXT", ("'a'", "'b'", "'c'")),
             ("double precision", ("'-0'", "1", "2"), "REAL", ("0.0", "1.0", "2.0")),
             ("numeric[]", ("'{1.0}'", "'{2}'", "'{3.00}'"), "TEXT", ("'{1}'", "'{2}'", "'{3}'")))

    def target(self, number, script):
        name = self.made(script)
        return self.server.uri(name), name

    def there(self, target):
        return self.server.ask(target[1], "SELECT t.id::text, v, more FROM t ORDER BY t.id")

    def change(self, target, sql):
        self.server.ask(target[1], sql)

    def test_of_equal_records_without_a_key_the_very_one_goes(self):
        """A collation that takes A for a is no reason to take it out instead."""
        uri, name = self.target(0, self.PREPARE
                                + "CREATE TABLE t (v text COLLATE loose, w text[] COLLATE loose, n citext);")
        source = support.make_sqlite(self.path("source.db"),
                                     "CREATE TABLE t (v TEXT, w TEXT, n TEXT); INSERT INTO t VALUES ('A', '{A}', 'A'), "
                                     "('B', '{B}', 'B')")
        self.migrate(source, uri)
        for row in ("'a', '{A}', 'A'", "'B', '{b}', 'B'", "'B', '{B}', 'b'"):
            self.server.ask(name, "INSERT INTO t VALUES (%s)" % row)
            self.run_program("validate", "--repair", "--delete-extra", "--confirm")
            self.assertEqual(sorted(self.server.ask(name, "SELECT * FROM t")), [["A", "{A}", "A"], ["B", "{B}", "B"]])


class IntoMariadb(KeySpelling, sql_case.SqlCase):
    SERVERS = mariadb
    CASES = (("varchar(9) COLLATE utf8mb4_general_ci", ("'A'", "'b'", "'C'"), "TEXT", ("'a'", "'b'", "'c'")),
             ("varchar(9) COLLATE utf8mb4_bin", ("'a '", "'b'", "'c  '"), "TEXT", ("'a'", "'b'", "'c'")))

    def target(self, number, script):
        name = self.made(script)
        return self.server.uri(name), name

    def there(self, target):
        return [["%s" % row[0], *row[1:]] for row in self.server.ask(target[1],
                                                                     "SELECT concat('(', id, ')'), v, "
                                                                     "more FROM t ORDER BY id")]

    def change(self, target, sql):
        self.server.ask(target[1], sql)


class IntoMysql9(IntoMariadb):
    SERVERS = mysql
    CASES = (("varchar(9) COLLATE utf8mb4_0900_ai_ci", ("'A'", "'b'", "'C'"), "TEXT", ("'a'", "'b'", "'c'")),
             *IntoMariadb.CASES)


class IntoSqlite(KeySpelling, support.TestCase):
    CASES = (("TEXT COLLATE NOCASE", ("'A'", "'b'", "'C'"), "TEXT", ("'a'", "'b'", "'c'")),
             ("TEXT COLLATE RTRIM", ("'a '", "'b'", "'c  '"), "TEXT", ("'a'", "'b'", "'c'")),
             ("", ("1", "2.5", "3"), "", ("1.0", "2.5", "3.0")))

    def test_a_key_that_may_be_null(self):
        """As SQLite's own primary keys may, but for integers: a NULL is no spelling of another one."""
        for number, (columns, rows) in enumerate((("k TEXT COLLATE NOCASE PRIMARY KEY, n INTEGER, v TEXT",
                                                   "('A', 1, 'old')"),
                                                  ("k TEXT COLLATE NOCASE, n INTEGER, v TEXT, UNIQUE (k, n)",
                                                   "('A', 1, 'old'), ('B', NULL, 'other')"))):
            with self.subTest(columns):
                key = ["k", "n"] if "UNIQUE" in columns else ["k"]
                source = support.make_sqlite(self.path("null-%d.db" % number),
                                             "CREATE TABLE t(k TEXT, n INTEGER, v TEXT); INSERT INTO t VALUES ('a', "
                                             "1, 'new')" +
                                             (", ('b', NULL, 'new')" if len(key) > 1 else ""))
                target, _ = self.target(10 + number, "CREATE TABLE t(%s); INSERT INTO t VALUES %s" % (columns, rows))
                plan = self.write("null.yaml",
                                  "transhume: 1\nsource: sqlite:%s\ntarget: sqlite:%s\ntables: { t: { key: %s, "
                                  "existing: upsert, entities: { e: { from: t } } } }\n"
                                  % (source, target, json.dumps(key)))
                state = ("--state", "null-%d" % number, "--plan", plan)
                self.run_program("migrate", *state, code=1 if len(key) > 1 else 0)  # NULL in a key is a reject
                for level in ("sample", "hash", "full"):
                    found, said = self.validate(state, "--level", level, code=1 if len(key) > 1 else 0)
                    self.assertEqual(found[:2], [0, 0], (level, said))
                    self.assertTrue(any("another spelling" in note for note in said["notes"]), said["notes"])

    def migrate(self, source, target, *options):
        self.run_program("migrate", source, target, "--quiet", *options)

    def target(self, number, script):
        return support.make_sqlite(self.path("target-%d.db" % number), script), None

    def there(self, target):
        with contextlib.closing(sqlite3.connect(target[0])) as db:
            return [list(row) for row in db.execute("SELECT id, v, more FROM t ORDER BY id")]

    def change(self, target, sql):
        with contextlib.closing(sqlite3.connect(target[0])) as db:
            db.execute(sql)
            db.commit()


class EveryType:
    """Of each type a table with that key, or with a number before it, or without a key. Half of the values are the
    source's, the others come into the target as extra
    records, and all that is there is damaged."""
    one_database_each = True

    PREPARE = EXTENSIONS = ""
    SAMPLE = 14  # of the types, in an ordinary run
    TYPES = {}   # the SQL of its values
    NO_KEYS = ()
    IGNORING = "INSERT INTO %s ON CONFLICT DO NOTHING;"   # of values that the type takes for equal all but one
    KEYS = {"one": ", PRIMARY KEY (k)", "two": ", PRIMARY KEY (n, k)", "none": ""}

    def database(self, script):
        """Its name and its URI."""
        name = self.made(script)
        return name, self.server.uri(name)

    def ask(self, name, sql):
        return self.server.ask(name, sql)

    def tables(self, kind):
        """(name, type, rows of the source, rows that are extra)"""
        for number, (type_, values) in enumerate(support.drawn(self.TYPES.items(), self.SAMPLE, self.id())):
            if kind == "one" and type_ not in self.NO_KEYS:
                yield "one%d" % number, type_, ["0, %s, 1" % value for value in values[::2]], ["0, %s, 1" % value
                    for value in values[1::2]]
            elif kind == "none" or type_ not in self.NO_KEYS:
                yield "%s%d" % (kind, number), type_, ["1, %s, 1" % value for value in values], ["2, %s, 1" % value
                    for value in values]

    def definitions(self, kind):
        return "".join("CREATE TABLE %s (n int NOT NULL, k %s NOT NULL, v int%s);" % (name, type_, self.KEYS[kind])
                       for name, type_, *_ in self.tables(kind))

    def fill(self, name, rows):
        return "".join(self.IGNORING % ("%s VALUES (%s)" % (name, row)) for row in rows)

    def rows_of(self, name, table):
        return sorted(self.ask(name, "SELECT * FROM %s" % table), key=repr)

    def assert_found(self, kind, target, *levels):
        source = self.database(self.PREPARE + self.definitions(kind) + "".join(self.fill(name, rows)
                                                                               for name, _, rows, _ in self.tables(
                                                                                   kind)))
        self.run_program("migrate", source[1], target[1], "--quiet")
        for level in levels:
            self.run_program("validate", "--level", level, "--sample", "1000")
        self.ask(target[0], "".join("UPDATE %s SET v = 7;" % name + self.fill(name, extra)
                                    for name, _, _, extra in self.tables(kind)))
        self.run_program("validate", "--repair", "--delete-extra", "--confirm")
        for name, type_, *_ in self.tables(kind):
            with self.subTest(type_, table=name):
                self.assertEqual(self.rows_of(target[0], name), self.rows_of(source[0], name))
        self.run_program("validate", "--level", "full")

    def test_alone(self):
        self.assert_found("one", self.database(self.EXTENSIONS), "sample")

    def test_with_another_column_in_a_table_that_is_there(self):
        self.assert_found("two", self.database(self.PREPARE + self.definitions("two")), "sample")

    def test_without_a_key(self):
        self.assert_found("none", self.database(self.EXTENSIONS))


class EveryTypeOfPostgres(EveryType, sql_case.SqlCase):
    SERVERS = postgres
    # a row of NULLs is one, though IS NULL is true
    HALF = "CREATE TYPE half AS (a int, b text); CREATE DOMAIN half_domain AS half;"
    PREPARE, EXTENSIONS = test_random_postgres.MADE + HALF, "CREATE EXTENSION citext; CREATE EXTENSION hstore;"
    # they have no order
    NO_KEYS = ("json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle", "jsonpath", "txid_snapshot")
    TYPES = {type_: ["'%s'" % text.replace("'", "''") for text in texts] for type_, texts in dict(
        test_random_postgres.PLAIN, **{"timestamp": test_random_postgres.INSTANTS,
                                       "timestamptz(3)": ("2024-01-01 10:00:00.5+01", "infinity",
                                                          "1970-01-01 00:00:00+00"),
                                       "time": test_random_postgres.TIMES,
                                       "timetz": ("10:00:00+01", "09:00:00+00", "24:00:00-05:30"),
                                       "interval": test_random_postgres.INTERVALS,
                                       "numeric(9,2)": ("1.10", "-0.01", "5"), "char(5)": ("a", "b ", "1"),
                                       "varchar(9)": ("true", "-0", "NaN", "1.0", "Infinity"),
                                       "bit(3)": ("101", "000"), "varbit": ("", "01"), "text[]": ("{a,NULL}", "{}"),
                                       "numeric[]": ("{1.0}", "{2}"), "tsquery": ("", "a & !b", "a | b", "a <2> b:*A"),
                                       "half": ("(1,)", "(,)", "(,x)", "(2,y)"),
                                       "half_domain": ("(,)", "(1,z)", "(3,)")}).items()}


class EveryTypeOfMariadb(EveryType, sql_case.SqlCase):
    SERVERS = mariadb
    IGNORING = "INSERT IGNORE INTO %s;"
    TYPES = {type_.replace(" null", ""): values for type_, values in dict(
        test_random_mysql.TYPES, **{"float(7,2)": ("0.1", "5.25", "-99999.99"), "double(9,3)": ("0.1", "2.125"),
                                    "float unsigned": ("0.3", "16777216"), "time(3)": ("'-01:00:00.5'", "'25:00:00'"),
                                    "timestamp(3)": ("'2024-01-01 10:00:00.5'", "'2024-01-02'", "'0000-00-00'"),
                                    "varchar(9)": ("'-0'", "'0'", "'1'", "'01'", "' 1'", "'1e0'", "'+1'", "'0.5'",
                                                   "'true'", "'NaN'", "'1.0'"),
                                    "json": ("'{\"b\": 1, \"a\":[1.0]}'", "'null'", "' [\"1\", \"A\"]'",
                                             "'[\"1\", \"a\"]'", "'\"text\"'", "'1e2'",
                                             "'{\"a\":1, \"a\":2}'")}).items()}
    NO_KEYS = ("tinytext", "text", "longtext", "longblob", "json")

    def ask(self, name, sql):
        return self.server.ask(name, "SET time_zone = '+00:00';" + sql, mode=test_random_mysql.MODE)

    def database(self, script):
        name = self.made()
        self.ask(name, script)
        return name, self.server.uri(name)


class EveryTypeOfSqlite(EveryType, support.TestCase):
    IGNORING = "INSERT OR IGNORE INTO %s;"
    TYPES = dict.fromkeys(("TEXT", "NUMERIC", "INT", "REAL", "BLOB", "DATETIME", "TEXT COLLATE NOCASE"),
                          ("1", "0.5", "'a'", "'b '", "x'00ff'", "''", "'1'", "'0.5'", "1e300", "-9223372036854775808",
                           "9007199254740993", "0.1", "x''", "'-0'", "'true'",
                           "'2024-01-01'", "9e999", "-5e-324"))

    def database(self, script):
        path = support.make_sqlite(self.path("%d.db" % len(os.listdir(self.folder))), script)
        return path, "sqlite:" + path

    def ask(self, name, sql):
        with contextlib.closing(sqlite3.connect(name)) as db:
            if not sql.startswith("SELECT"):
                db.executescript(sql)
                return []
            table = sql.rpartition(" ")[2]
            return db.execute("SELECT n, typeof(k), quote(k), v FROM " + table).fetchall()


if __name__ == "__main__":
    unittest.main()
