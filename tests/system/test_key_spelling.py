"""Keys that a target keeps as it had them before (1.0 for 1, A for a): the record is there under its key, and `validate` and repairs know it. Each
target's own client says what it holds."""
import contextlib
import json
import os
import random
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import sql_case
import support


class KeySpelling:
    PREPARE = ""
    CASES = ()   # what the key is in the target, three of its keys there, what the key is in the source, the same three as they are spelled there

    def there(self, target):
        raise NotImplementedError

    def change(self, target, sql):
        raise NotImplementedError

    def made_target(self, number, type_, keys):
        script = self.PREPARE + "CREATE TABLE t (id %s NOT NULL, v varchar(9), more varchar(9), PRIMARY KEY (id));" % type_
        return self.target(number, script + "INSERT INTO t VALUES %s;" % ", ".join("(%s, 'old', 'kept')" % key for key in keys))

    def source_of(self, number, type_, keys):
        return support.make_sqlite(self.path("source-%d.db" % number), "CREATE TABLE t (id %s PRIMARY KEY NOT NULL, v TEXT); INSERT INTO t VALUES %s"
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
    PREPARE = "CREATE EXTENSION citext; CREATE DOMAIN anycase AS citext; CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
    CASES = (("numeric", ("1.0", "2.50", "3"), "NUMERIC", ("1", "2.5", "3")), ("citext", ("'A'", "'b'", "'C'"), "TEXT", ("'a'", "'b'", "'c'")),
             ("anycase", ("'A'", "'b'", "'C'"), "TEXT", ("'a'", "'B'", "'c'")), ("text COLLATE loose", ("'A'", "'b'", "'C'"), "TEXT", ("'a'", "'b'", "'c'")),
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
        uri, name = self.target(0, self.PREPARE + "CREATE TABLE t (v text COLLATE loose, w text[] COLLATE loose, n citext);")
        source = support.make_sqlite(self.path("source.db"), "CREATE TABLE t (v TEXT, w TEXT, n TEXT); INSERT INTO t VALUES ('A', '{A}', 'A'), ('B', '{B}', 'B')")
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
        return [["%s" % row[0], *row[1:]] for row in self.server.ask(target[1], "SELECT concat('(', id, ')'), v, more FROM t ORDER BY id")]

    def change(self, target, sql):
        self.server.ask(target[1], sql)


class IntoSqlite(KeySpelling, support.TestCase):
    CASES = (("TEXT COLLATE NOCASE", ("'A'", "'b'", "'C'"), "TEXT", ("'a'", "'b'", "'c'")), ("TEXT COLLATE RTRIM", ("'a '", "'b'", "'c  '"), "TEXT", ("'a'", "'b'", "'c'")))

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


if __name__ == "__main__":
    unittest.main()
