"""Spans tile under every collation: tables whose keys are texts, in chunks of a few records, are copied with each
record once. What the servers' own
clients say is what is there. The seed is in every failure."""
import collections
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
import test_chunk_sizes

SEEDS = 8 if support.SOAK else 1
ROWS, WANTED = 120 if support.SOAK else 45, 7
PIECES = ("", " ", "a", "A", "\u00e1", "a\u0301", "\u00c1", "\u00e4", "ae", "\u00c6", "\u00df", "ss", "SS", "\u1e9e",
          "z", "Z", "\u00e9", "e\u0301", "i", "I", "\u0131",
          "\u0130", "\u00f1", "n\u0303", "ll", "ch", "0", "00", "1", "01", "2", "9", "10", "100", "1.0", "-1", "1e1",
          "a1", "a01", "a2", "a10", "_", "%", "\\", "'",
          '"', "-", "a-b", "a b", "a.b", "ab", "\U0001f411", "\U0001f600", "\u200d", "\ufb01", "fi", "\uff46", "\u00ad",
          "\u2028", "\t", "\n", "\x01", "\u65e5", "\ufffd")
LONG = ("p" * 600, "\u00e9" * 250, "e\u0301" * 200, " " * 300)


def drawn_text(seed, characters):
    text = "".join(seed.choice(PIECES) for _ in range(seed.choice((1, 1, 2, 3)))) + " " * seed.choice((0, 0, 0, 1, 2))
    return (seed.choice(LONG) + text if characters > 700 and seed.random() < 0.3 else text)[:characters]


class Tiles(test_chunk_sizes.Chunks, sql_case.SqlCase):
    IGNORING = "%s"
    DRAWN = {}   # the words with which a column's type begins: its n-th value, SQL
    TABLES = ()  # the types of the key's columns
    SHOWN = {}   # the same: a key's column as hexadecimal digits

    @staticmethod
    def of_type(choice, type_):
        return next(found for words, found in choice.items() if type_.startswith(words))

    def table(self, seed, number):
        """Its rows in an order that is not the key's."""
        types = self.TABLES[number]
        columns = "".join("k%d %s NOT NULL, " % pair for pair in enumerate(types))
        made = "CREATE TABLE t%d (%sv int, PRIMARY KEY (%s));" % (number, columns,
                                                                  ", ".join("k%d" % at for at in range(len(types))))
        rows = ["(%s, %d)" % (", ".join(self.of_type(self.DRAWN, type_)(seed) for type_ in types), row)
                for row in range(ROWS)]
        return made + self.IGNORING % ("t%d VALUES %s" % (number, ", ".join(rows))) + ";"

    def keys(self, name):
        """{table: [(keys as hexadecimal digits, v)]}"""
        found = {"t%d" % number: [] for number in range(len(self.TABLES))}
        parts = ["SELECT %d, concat_ws('.', %s), v FROM t%d" % (number,
                                                                ", ".join(self.of_type(self.SHOWN, type_) % ("k%d" % at)
                                                                          for at, type_ in enumerate(types)), number)
                 for number, types in enumerate(self.TABLES)]
        for number, key, v in self.ask(name, " UNION ALL ".join(parts)):
            found["t" + number].append((key.upper(), int(v)))
        return found

    def ask(self, name, sql):
        return self.server.ask(name, sql)

    def keys_in_sqlite(self, path):
        with contextlib.closing(sqlite3.connect(path)) as db:
            return {"t%d" % number: db.execute("SELECT %s, v FROM t%d"
                                               % (" || '.' || ".join("hex(k%d)" % at for at in range(len(types))),
                                                  number)).fetchall()
                    for number, types in enumerate(self.TABLES)}

    def assert_once(self, expected, found, chunks):
        for number, types in enumerate(self.TABLES):
            table = "t%d" % number
            with self.subTest(types):
                whole = any(type_.startswith("char") and "_nopad_" in type_ for type_ in types)
                self.assertEqual(sum(chunks[table]), len(expected[table]), chunks[table])
                self.assertLessEqual(max(chunks[table]), len(expected[table]) if whole else WANTED)
                self.assertEqual(len(chunks[table]), 1 if whole else len(expected[table]) // WANTED + 1)
                more = collections.Counter(found[table])
                more.subtract(expected[table])
                self.assertEqual({row: count for row, count in more.items() if count != 0}, {})

    def tile(self, empty, *ways):
        """`empty`: makes a database that knows the types. `ways`: options of copies into such a one."""
        for number in range(SEEDS):
            seed = random.Random("%d %s %d" % (support.SEED, self.id(), number))
            with self.subTest(seed=number):
                source = empty()
                self.ask(source, "".join(self.table(seed, at) for at in range(len(self.TABLES))))
                expected = self.keys(source)
                self.assertGreater(min(map(len, expected.values())), 2 * WANTED)
                path = self.path("out-%d.db" % number)
                self.tile_into(seed, source, expected, "sqlite:" + path, lambda sql: self.change_sqlite(path, sql),
                               lambda: self.keys_in_sqlite(path))
                for options in ((), ("--no-express",)) if support.SOAK else ways:
                    target = empty()
                    self.tile_into(seed, source, expected, self.server.uri(target), lambda sql: self.ask(target, sql),
                                   lambda: self.keys(target), *options)

    def tile_into(self, seed, source, expected, target, change, found, *options):
        state = self.path("state-%d" % len(os.listdir(self.folder)))
        self.run_program("migrate", self.server.uri(source), target, "--quiet", "--chunk-rows", str(WANTED), "--state",
                         state, *options)
        self.assert_once(expected, found(), self.chunks(state))
        self.assertEqual(self.validate(state, 0), dict.fromkeys(expected, [0, 0, 0]))
        change(";".join("UPDATE %s SET v = -1 WHERE v = %d" % (table, seed.choice(rows)[1])
                        for table, rows in expected.items()))
        self.assertEqual(self.validate(state, 1), dict.fromkeys(expected, [0, 1, 0]))

    def validate(self, state, code):
        said = json.loads(self.run_program("validate", "--level", "hash", "--json", "--state", state, code=code).out)
        return {entity["name"]: [entity[name] for name in ("missing", "different", "extra")]
                for entity in said["entities"]}

    @staticmethod
    def change_sqlite(path, sql):
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.executescript(sql)


def any_text(quoted, characters=900):
    return lambda seed: quoted(drawn_text(seed, characters))


def any_number(seed):
    return str(seed.randint(-3, 3))


def quoted_in_postgres(text):
    return "'%s'" % text.replace("'", "''")


class Postgres(Tiles):
    SERVERS = postgres
    PREPARE = """CREATE EXTENSION citext; CREATE SCHEMA aside; CREATE DOMAIN aside.both AS citext; CREATE DOMAIN word AS text; CREATE DOMAIN c_word AS varchar(900) COLLATE "C"; CREATE DOMAIN anycase AS citext;
CREATE COLLATION numeric (provider = icu, locale = 'en-u-kn-true'); CREATE COLLATION shifted (provider = icu, locale = 'und-u-ka-shifted');
CREATE COLLATION upper (provider = icu, locale = 'de-u-co-phonebk-kf-upper'); CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION "Looser one" (provider = icu, locale = 'und-u-ks-level1-ka-shifted', deterministic = false); CREATE COLLATION aside.equal (provider = icu, locale = 'und', deterministic = false);
CREATE COLLATION libc (provider = libc, locale = 'C.utf8');
"""
    IGNORING = "INSERT INTO %s ON CONFLICT DO NOTHING"
    SHOWN = {"text[]": "encode(convert_to(array_to_json(%s)::text, 'UTF8'), 'hex')",
             "char": "encode(convert_to(rpad(%s::text, 20), 'UTF8'), 'hex')",
             "": "encode(convert_to(%s::text, 'UTF8'), 'hex')"}
    DRAWN = {"text[]": lambda seed: "ARRAY[%s]::text[]" % ", ".join(quoted_in_postgres(drawn_text(seed, 20))
                                                                    for _ in range(seed.randint(0, 3))),
             "int": any_number, "varchar(30)": any_text(quoted_in_postgres, 30),
             "char": any_text(quoted_in_postgres, 20), "name": any_text(quoted_in_postgres, 15),
             "": any_text(quoted_in_postgres)}
    COLLATIONS = ('"C"', "ucs_basic", "libc", '"und-x-icu"', '"de-x-icu"', '"sv-x-icu"', "numeric", "shifted", "upper",
                  "loose", '"Looser one"', "aside.equal")
    TABLES = (*(("text COLLATE " + name,) for name in COLLATIONS), ("text",), ("citext",), ("anycase",),
              ("aside.both",), ("word",), ("c_word",), ('word COLLATE "de-x-icu"',),
              ('c_word COLLATE "de-x-icu"',), ("anycase COLLATE numeric",), ("name",), ("name", "int"),
              ('name COLLATE "und-x-icu"',), ("char(20)",), ('char(20) COLLATE "de-x-icu"',),
              ("char(20) COLLATE loose",), ("varchar(30) COLLATE shifted",), ("varchar(30) COLLATE loose",),
              ('text[] COLLATE "de-x-icu"',), ("text[] COLLATE loose",),
              ("text COLLATE loose", "int"), ("int", 'text COLLATE "und-x-icu"'),
              ('text COLLATE "de-x-icu"', "citext", "text COLLATE numeric"),
              ('c_word COLLATE "de-x-icu"', "int"), ('char(20) COLLATE "de-x-icu"', 'varchar(30) COLLATE "C"'))

    def test_in_a_database_ordered_by_bytes(self):
        self.tile(lambda: self.made(self.PREPARE), ())

    def test_of_types_whose_schema_is_not_on_the_search_path(self):
        """Of citext the operators of text would be found, whose order is another one."""
        self.TABLES = (("aside.citext",), ("aside.both",), ("aside.citext", "int"),
                       ("int", "aside.citext", "aside.both"))
        self.tile(lambda: self.made("CREATE SCHEMA aside; CREATE EXTENSION citext SCHEMA aside; "
                                    "CREATE DOMAIN aside.both AS aside.citext;"), (), ("--no-express",))

    def test_by_statistics_of_another_order(self):
        """As an upgrade leaves them that brings another version of a collation."""
        name = self.made("CREATE TABLE t (k text COLLATE \"und-x-icu\" PRIMARY KEY, v int, "
                         "filler text DEFAULT repeat('x', 3500)); ALTER TABLE t ALTER filler SET STORAGE PLAIN;"
                         "CREATE TABLE other (k text COLLATE \"C\"); INSERT INTO other SELECT chr(97 - 32 * (i % 2) + "
                         "i % 26) || md5(i::text) FROM generate_series(1, 6000) i;"
                         "INSERT INTO t SELECT k, row_number() OVER () FROM other; ANALYZE t, other; "
                         "UPDATE pg_statistic s SET (stavalues1, stavalues2, stavalues3) = "
                         "(o.stavalues1, o.stavalues2, o.stavalues3) FROM pg_statistic o WHERE s.starelid = "
                         "'t'::regclass AND o.starelid = 'other'::regclass AND s.staattnum = 1")
        self.run_program("migrate", "--include", "t", "--chunk-rows", "500", self.server.uri(name), "jsonl:out")
        read = self.chunks()["t"]
        self.assertEqual((sum(read), len(read)), (6000, 12), read)

    def test_in_a_database_ordered_by_icu(self):
        self.tile(self.made_by_icu, ("--no-express",))

    def made_by_icu(self):
        name = "icu_%d" % self.server.count
        self.server.count += 1
        self.server.ask("postgres", "CREATE DATABASE %s TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
                        % name)
        self.server.ask(name, self.PREPARE)
        return name


def quoted_in_mariadb(text):
    return "'%s'" % text.replace("\\", "\\\\").replace("'", "''")


def any_bytes(length):
    return lambda seed: "x'%s'" % (drawn_text(seed, 20).encode() + seed.randbytes(3))[-length:].hex()


class Mariadb(Tiles):
    SERVERS = mariadb
    IGNORING = "INSERT IGNORE INTO %s"
    SHOWN = {"varbinary": "hex(%s)", "binary": "hex(%s)", "": "hex(convert(%s using utf8mb4))"}
    DRAWN = {"int": any_number, "varbinary": any_bytes(100), "binary": any_bytes(20),
             "char": any_text(quoted_in_mariadb, 20),
             "uuid": lambda seed: "'%s'" % "-".join(seed.randbytes(length).hex() for length in (4, 2, 2, 2, 6)),
             "varchar(30)": any_text(quoted_in_mariadb, 30),
             "": any_text(quoted_in_mariadb, 700)}
    COLLATIONS = ("utf8mb4_general_ci", "utf8mb4_unicode_520_ci", "utf8mb4_unicode_ci", "utf8mb4_bin",
                  "utf8mb4_nopad_bin", "utf8mb4_general_nopad_ci", "utf8mb4_unicode_520_nopad_ci",
                  "utf8mb4_swedish_ci", "utf8mb4_german2_ci", "uca1400_ai_ci", "uca1400_as_cs",
                  "utf8mb4_uca1400_nopad_as_ci")
    TABLES = (*(("varchar(700) COLLATE " + name,) for name in COLLATIONS),
              ("varchar(30) CHARACTER SET latin1 COLLATE latin1_swedish_ci",),
              ("varchar(30) CHARACTER SET latin1 COLLATE latin1_german2_ci",),
              ("varchar(30) CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci",),
              ("varchar(30) CHARACTER SET utf16 COLLATE utf16_unicode_ci",), ("varchar(30) CHARACTER SET ucs2",),
              ("char(20) COLLATE utf8mb4_general_ci",),
              ("char(20) COLLATE utf8mb4_unicode_nopad_ci",),
              ("char(20) CHARACTER SET latin1 COLLATE latin1_nopad_bin",),
              ("char(20) CHARACTER SET latin1 COLLATE latin1_bin",), ("varbinary(100)",), ("binary(20)",), ("uuid",),
              ("varchar(30) COLLATE utf8mb4_general_ci", "int"), ("int", "varchar(30) COLLATE utf8mb4_unicode_520_ci"),
              ("varchar(700) COLLATE utf8mb4_bin", "int"),
              ("varchar(30) CHARACTER SET latin1", "varchar(30) COLLATE uca1400_ai_ci", "varbinary(100)"),
              ("uuid", "char(20) COLLATE utf8mb4_nopad_bin"))

    def test_in_a_database(self):
        self.tile(self.made, (), ("--no-express",))


if __name__ == "__main__":
    unittest.main()
