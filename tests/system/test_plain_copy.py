"""A zoo of SQLite schemas, copied plainly: objects and rows identical, whichever way they go."""
import itertools
import os
import random
import shutil
import sqlite3
import struct
import unittest

import support

# The ways of a plain copy: the express lane and the general path, one job and several, chunks of
# the default size and tiny ones.
WAYS = ((), ("--no-express",), ("--jobs", "1", "--chunk-rows", "3"),
        ("--no-express", "--jobs", "2", "--chunk-rows", "7"),
        ("--no-express", "--jobs", "4", "--chunk-rows", "3", "--batch-rows", "2"),
        ("--jobs", "4", "--chunk-rows", "1"))


def compile_options():
    db = sqlite3.connect(":memory:")
    options = {row[0] for row in db.execute("PRAGMA compile_options")}
    db.close()
    return options


class PlainCopy(support.TestCase):
    def make(self, script, rows=(), name="zoo.db", before=""):
        db = sqlite3.connect(self.path(name), isolation_level=None)
        db.executescript(before)
        db.executescript(script)
        db.execute("BEGIN")
        for statement, parameters in rows:
            db.execute(statement, parameters)
        db.execute("COMMIT")
        db.close()
        return self.path(name)

    def copies(self, source, ways=WAYS, same=None):
        """The source copied each way, compared, and the source as it was."""
        with open(source, "rb") as file:
            before = file.read()
        for number, way in enumerate(ways):
            with self.subTest(way=" ".join(way)):
                copy = self.path("copy%d.db" % number)
                self.run_program("migrate", "--state", self.path("state%d" % number), *way, source,
                                 "sqlite:" + copy)
                self.assert_same_sqlite(source, copy)
                self.assert_sound(copy)
                if same:
                    same(source, copy)
        with open(source, "rb") as file:
            self.assertEqual(file.read(), before, "the source was changed")

    def assert_sound(self, path):
        db = sqlite3.connect(path)
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        db.close()

    def copied(self, script, rows=(), **options):
        self.copies(self.make(script, rows), **options)

    # --- keys and kinds of tables

    def test_kinds_of_tables(self):
        self.copied("""
            CREATE TABLE plain(id INTEGER PRIMARY KEY, a TEXT);
            CREATE TABLE keyless(a, b);
            CREATE TABLE text_key(k TEXT PRIMARY KEY, v);
            CREATE TABLE int_key(k INT PRIMARY KEY, v);
            CREATE TABLE down_key(k INTEGER PRIMARY KEY DESC, v);
            CREATE TABLE pair(a TEXT, b INTEGER, v, PRIMARY KEY (a, b));
            CREATE TABLE without(a TEXT, b BLOB, v, PRIMARY KEY (b, a)) WITHOUT ROWID;
            CREATE TABLE without_down(a TEXT COLLATE NOCASE, b, PRIMARY KEY (a DESC, b)) WITHOUT ROWID;
            CREATE TABLE strict_one(id INTEGER PRIMARY KEY, i INT, r REAL, t TEXT, b BLOB, a ANY) STRICT;
            CREATE TABLE strict_two(k TEXT PRIMARY KEY, v ANY) STRICT, WITHOUT ROWID;
            CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, v);
            CREATE TABLE shadowed(rowid TEXT, _rowid_ TEXT, v);
            CREATE TABLE hidden(rowid TEXT, _rowid_ TEXT, oid TEXT);
            CREATE TABLE one_column(x);
            CREATE TABLE empty(id INTEGER PRIMARY KEY, v);
            CREATE TABLE "empty too"(a, b, PRIMARY KEY (a, b)) WITHOUT ROWID;
        """, [("INSERT INTO %s VALUES (%s)" % (table, values), (i,)) for i in range(1, 26)
              for table, values in (
                  ("plain", "?1 * 10, 'a' || ?1"), ("keyless", "?1 % 3, 'same'"),
                  ("text_key", "'k' || ?1, ?1"), ("int_key", "-?1, ?1"), ("down_key", "?1, 'd'"),
                  ("pair", "'p' || (?1 % 4), ?1, NULL"), ("without", "'w' || ?1, x'00ff', ?1"),
                  ("without_down", "'n' || ?1, ?1"),
                  ("strict_one",
                   "?1, ?1, ?1 / 3.0, 't', x'01', CASE ?1 % 3 WHEN 0 THEN 1 WHEN 1 THEN '1' ELSE 1.5 END"),
                  ("strict_two", "'k' || ?1, ?1 * 0.5"), ("counted", "NULL, ?1"),
                  ("shadowed", "'r' || ?1, 's', ?1"), ("hidden", "'r' || ?1, 's', 'o'"),
                  ("one_column", "?1"))])

    def test_autoincrement_goes_on(self):
        source = self.make("CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v);"
                           "CREATE TABLE never(id INTEGER PRIMARY KEY AUTOINCREMENT, v);"
                           "INSERT INTO t(v) VALUES (1), (2), (3);"
                           "INSERT INTO t VALUES (1000, 4); DELETE FROM t WHERE id = 1000;")

        def same(source, copy):
            for path in (source, copy):
                db = sqlite3.connect(path)
                cursor = db.execute("INSERT INTO t(v) VALUES (5)")
                self.assertEqual(cursor.lastrowid, 1001)
                db.rollback()
                db.close()
        self.copies(source, same=same)

    def test_rowids_at_the_ends_of_the_world(self):
        ends = (-2 ** 63, -2 ** 63 + 1, -2 ** 62, -1, 0, 1, 2 ** 31, 2 ** 32, 2 ** 62, 2 ** 63 - 2, 2 ** 63 - 1)
        self.copied("CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE hidden_rowid(v);",
                    [("INSERT INTO t VALUES (?, ?)", (i, str(i))) for i in ends]
                    + [("INSERT INTO hidden_rowid(rowid, v) VALUES (?, ?)", (i, str(i))) for i in ends],
                    same=self.assert_same_rowids)

    def assert_same_rowids(self, source, copy):
        """Rowids that are no column are kept where something may point at them."""
        for table in ("t",):
            rows = []
            for path in (source, copy):
                db = support.open_sqlite(path)
                rows.append(db.execute("SELECT rowid, * FROM %s ORDER BY rowid" % table).fetchall())
                db.close()
            self.assertEqual(*rows)

    def test_tables_without_an_integer_key_are_pulled_too(self):
        source = self.make("""
            CREATE TABLE keyless(v);
            CREATE TABLE pair(a TEXT, b, PRIMARY KEY (a, b));
            CREATE TABLE hides(v, rowid TEXT);
            CREATE TABLE hides_all(rowid, oid, _rowid_);
            INSERT INTO keyless(rowid, v) VALUES (5, 'x'), (7, NULL), (90, 'z');
            INSERT INTO pair(rowid, a, b) VALUES (-3, 'a', 1), (4, NULL, 1), (6, NULL, 1);
            INSERT INTO hides(oid, v, rowid) VALUES (10, 'x', 'no'), (20, 'y', NULL);
            INSERT INTO hides_all VALUES (1, 2, 3);""")

        def pulled(source, copy):
            for sql in ("SELECT rowid, * FROM keyless", "SELECT rowid, * FROM pair", "SELECT oid, * FROM hides"):
                self.assertEqual(*(support.open_sqlite(path).execute(sql + " ORDER BY 1").fetchall()
                                   for path in (source, copy)))
        self.copies(source, ways=[(), ("--chunk-rows", "2")], same=pulled)
        for number in (0, 1):
            with open(self.path("state%d" % number, "transhume.log")) as log:
                self.assertNotIn("general path", log.read())

    def copied_into(self, name, there, script):
        """A plain copy into an empty table that was there: what the program said, and the rows."""
        source = self.make(script, name=name + "-from.db")
        target = self.make(there, name=name + "-to.db")
        result = self.run_program("migrate", "--state", self.path("state-" + name), source, target, code=1)
        return result.err, support.open_sqlite(target).execute("SELECT *, typeof(v) FROM t").fetchall()

    def test_a_table_that_was_there_with_other_types(self):
        # STRICT's ANY keeps a text that looks like a number, the same word elsewhere does not
        said, rows = self.copied_into("any", "CREATE TABLE t(id INTEGER PRIMARY KEY, v ANY);",
                                      "CREATE TABLE t(id INTEGER PRIMARY KEY, v ANY) STRICT;"
                                      "INSERT INTO t VALUES (1, '007'), (2, '1e3'), (3, 12), (4, 'x');")
        self.assertEqual(rows, [(3, 12, b"integer"), (4, b"x", b"text")])
        self.assertIn("2 records were rejected", said)
        # a row that SQLite would number by itself
        said, rows = self.copied_into("null", "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);",
                                      "CREATE TABLE t(id INT PRIMARY KEY, v TEXT);"
                                      "INSERT INTO t VALUES (NULL, 'x'), (7, 'y');")
        self.assertEqual(rows, [(7, b"y", b"text")])
        self.assertIn("1 record was rejected", said)

    def test_sparse_and_clustered_rowids(self):
        ids = [i * 1000003 for i in range(50)] + [7 + i for i in range(50)] + [2 ** 60 + i for i in range(20)]
        self.copied("CREATE TABLE t(id INTEGER PRIMARY KEY, v);",
                    [("INSERT INTO t VALUES (?, 'x')", (i,)) for i in ids])

    def test_nulls_and_every_class_in_keys(self):
        values = (None, None, 1, 1.5, -0.0, "1", "one", "", b"", b"1", b"\0", "\0", 2 ** 63 - 1, 1e308,
                  float("inf"), "\u00e9", "\U0001f411")
        self.copied("CREATE TABLE t(a, b, UNIQUE (a, b));"
                    "CREATE TABLE p(a, b, v, PRIMARY KEY (a, b));"
                    "CREATE TABLE w(a, b, PRIMARY KEY (a, b)) WITHOUT ROWID;",
                    [("INSERT INTO t VALUES (?, ?)", (v, i)) for i, v in enumerate(values)]
                    + [("INSERT INTO p VALUES (?, ?, 'x')", (v, None)) for v in values]
                    + [("INSERT INTO w VALUES (?, ?)", (v, i)) for i, v in enumerate(values) if v is not None])

    def test_keys_by_collation(self):
        words = ["a", "A", "b", "B ", "B", "b  ", "\u00e9", "\u00c9", "", " ", "zz", "Z", "a\0b"]
        tables, rows = [], []
        for collation in ("BINARY", "NOCASE", "RTRIM"):
            for ending in ("", " WITHOUT ROWID"):
                table = "t_%s%s" % (collation, "_w" if ending else "")
                tables.append("CREATE TABLE %s(k TEXT COLLATE %s, n INTEGER, v, PRIMARY KEY (k, n))%s;"
                              % (table, collation, ending))
                rows += [("INSERT INTO %s VALUES (?, ?, ?)" % table, (w, i, w))
                         for i, w in enumerate(words * 3)]
        self.copied("\n".join(tables), rows)

    # --- columns and values

    def test_every_class_in_every_affinity(self):
        types = ("INTEGER", "INT", "REAL", "DOUBLE", "TEXT", "VARCHAR(3)", "BLOB", "NUMERIC", "NUMERIC(10,2)",
                 "DECIMAL(5,1)", "BOOLEAN", "DATE", "DATETIME", "JSON", "UUID", "", "FLOAT", "BIGINT",
                 "CHARINT", "FLOATING POINT", "STRING", "TIMESTAMP", "TIME")
        values = [None, 0, 1, 2, -1, 2 ** 53, 2 ** 53 + 1, 2 ** 63 - 1, -2 ** 63, 0.0, -0.0, 0.1, 1.98, 2.675,
                  1e15, 1e16, 123456789012345680.0, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308,
                  float("inf"), float("-inf"), 3.0, "", "abc", "12", " 12", "1.50", "1e3", "0x1F", "inf",
                  "NaN", "2024-02-30", "9223372036854775808", "a\0b", "\0", "\U0001f411", b"", b"\0\xff", b"12",
                  "true", '{"a": 1}', "123456789012345678901234567890.12"]
        script, rows = [], []
        for number, kind in enumerate(types):
            script.append("CREATE TABLE t%d(id INTEGER PRIMARY KEY, v %s);" % (number, kind))
            rows += [("INSERT INTO t%d(v) VALUES (?)" % number, (value,)) for value in values]
        self.copied("\n".join(script), rows, ways=WAYS[:2] + WAYS[4:5])

    def test_texts_that_are_no_utf8(self):
        self.copied("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);"
                    "CREATE TABLE k(v TEXT PRIMARY KEY) WITHOUT ROWID;",
                    [("INSERT INTO t(v) VALUES (CAST(? AS TEXT))", (bytes([i]) + b"x" + bytes([255 - i]),))
                     for i in range(256)]
                    + [("INSERT INTO k VALUES (CAST(? AS TEXT))", (bytes([i, 0x80]),)) for i in range(1, 256)])

    def test_large_values(self):
        self.copied("CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB, t TEXT, after INTEGER);"
                    "CREATE TABLE w(k TEXT PRIMARY KEY, b BLOB) WITHOUT ROWID;"
                    "CREATE TABLE two(b BLOB, t TEXT);",
                    [("INSERT INTO t VALUES (?, ?, ?, 7)", (i, os.urandom(n), "\u00e9" * (n // 2)))
                     for i, n in enumerate((0, 1, 65535, 65536, 1 << 20, (1 << 20) + 1, 3 << 20))]
                    + [("INSERT INTO w VALUES ('k', ?)", (os.urandom(2 << 20),)),
                       ("INSERT INTO two VALUES (?, ?)", (os.urandom(2 << 20), "x" * (2 << 20)))],
                    ways=WAYS[:2] + WAYS[4:5])

    def test_generated_columns(self):
        self.copied("""
            CREATE TABLE g(id INTEGER PRIMARY KEY, a INTEGER, b INTEGER GENERATED ALWAYS AS (a * 2) STORED,
                           c TEXT AS ('c' || a) VIRTUAL, d INTEGER NOT NULL AS (a + b) STORED, e TEXT);
            CREATE TABLE first(g INTEGER AS (x + 1), x INTEGER, y INTEGER AS (x * x) STORED UNIQUE);
            CREATE INDEX g_c ON g(c);
        """, [("INSERT INTO g(a, e) VALUES (?, ?)", (i, "e%d" % i)) for i in range(20)]
            + [("INSERT INTO first(x) VALUES (?)", (i,)) for i in range(20)])

    def test_defaults_checks_and_foreign_keys(self):
        self.copied("""
            CREATE TABLE parent(id INTEGER PRIMARY KEY, code TEXT UNIQUE NOT NULL DEFAULT 'it''s; "x"');
            CREATE TABLE child(id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL DEFAULT (1 + 1)
                REFERENCES parent(id) ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED,
                at TEXT DEFAULT CURRENT_TIMESTAMP, n INTEGER CHECK (n > 0 AND n < 100) CONSTRAINT odd CHECK (n % 2),
                UNIQUE (parent_id, n) ON CONFLICT REPLACE,
                FOREIGN KEY (at) REFERENCES parent(code));
            CREATE TABLE loop_a(id INTEGER PRIMARY KEY, b INTEGER REFERENCES loop_b(id));
            CREATE TABLE loop_b(id INTEGER PRIMARY KEY, a INTEGER REFERENCES loop_a(id));
            CREATE TABLE tree(id INTEGER PRIMARY KEY, up INTEGER REFERENCES tree(id));
            CREATE TABLE orphan(id INTEGER PRIMARY KEY, gone INTEGER REFERENCES parent(id));
        """, [("INSERT INTO parent VALUES (?, ?)", (i, "c%d" % i)) for i in range(1, 10)]
            + [("INSERT INTO child(parent_id, n, at) VALUES (?, ?, NULL)", (i, 2 * i + 1)) for i in range(1, 10)]
            + [("INSERT INTO loop_a VALUES (?, ?)", (i, 10 - i)) for i in range(1, 10)]
            + [("INSERT INTO loop_b VALUES (?, ?)", (i, i)) for i in range(1, 10)]
            + [("INSERT INTO tree VALUES (?, ?)", (i, 21 - i)) for i in range(1, 20)]
            # It was possible to write in the source, so it is copied, not judged.
            + [("INSERT INTO orphan VALUES (1, 4711)", ())])

    def test_conflict_clauses_do_not_swallow_rows(self):
        # Rows that violate what the source never enforced: added by writable_schema or older rules.
        self.copied("""
            CREATE TABLE r(id INTEGER PRIMARY KEY, u TEXT UNIQUE ON CONFLICT IGNORE);
            CREATE TABLE n(id INTEGER PRIMARY KEY, v TEXT NOT NULL ON CONFLICT REPLACE DEFAULT 'd');
        """, [("INSERT INTO r VALUES (?, ?)", (i, "u%d" % i)) for i in range(10)]
            + [("INSERT INTO n VALUES (?, ?)", (i, "v")) for i in range(10)])

    def test_indexes(self):
        self.copied("""
            CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INTEGER, c TEXT);
            CREATE INDEX i_plain ON t(a);
            CREATE UNIQUE INDEX i_unique ON t(b DESC, a COLLATE NOCASE);
            CREATE INDEX i_partial ON t(c) WHERE b > 3 AND c IS NOT NULL;
            CREATE INDEX i_expression ON t(lower(a), b * 2);
            CREATE INDEX "odd index" ON t("a") ;
            CREATE INDEX i_json ON t(json_extract(c, '$.x')) WHERE c LIKE '{%';
        """, [("INSERT INTO t VALUES (?, ?, ?, ?)", (i, "A%d" % i, i, '{"x": %d}' % i if i % 2 else None))
              for i in range(30)])

    def test_views_and_triggers(self):
        self.copied("""
            CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER);
            CREATE TABLE log(what TEXT);
            CREATE VIEW v AS SELECT id, n * 2 AS double FROM t WHERE n > 1;
            CREATE VIEW over_v(x) AS SELECT double FROM v;
            CREATE VIEW broken AS SELECT * FROM no_such_table;
            INSERT INTO t VALUES (1, 1), (2, 2), (3, 3);
            CREATE TRIGGER after_insert AFTER INSERT ON t BEGIN INSERT INTO log VALUES ('insert ' || new.id); END;
            CREATE TRIGGER before_update BEFORE UPDATE OF n ON t WHEN new.n < 0
                BEGIN SELECT RAISE(ABORT, 'no; not "that"'); END;
            CREATE TRIGGER instead INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES (new.id, new.double / 2); END;
        """)

    def test_objects_that_need_each_other(self):
        self.copied("""
            CREATE TABLE b(id INTEGER PRIMARY KEY, a_id INTEGER REFERENCES a(id));
            CREATE TABLE a(id INTEGER PRIMARY KEY);
            CREATE VIEW late AS SELECT * FROM early;
            CREATE VIEW early AS SELECT * FROM a;
            CREATE TRIGGER tr AFTER DELETE ON a BEGIN DELETE FROM b WHERE a_id = old.id; END;
            INSERT INTO a VALUES (1), (2); INSERT INTO b VALUES (1, 1);
        """)

    # --- names

    NAMES = ('two words', 'quote"quote', "it's", "semi;colon", "select", "TABLE", "line\nbreak", "tab\there",
             "\u00e9\U0001f411", "%s%n", "[brackets]", "`tick`", "-- dash", "a.b", "$x", "1st", "n" * 200, "#{x}",
             "../up", "*", "key", "sqlite", "transhume", "_transhume", "\\", "null", "rowid of", "\x1b[31mred")

    def test_odd_names(self):
        script, rows = [], []
        for number, name in enumerate(self.NAMES):
            table, column = support.quoted(name), support.quoted(self.NAMES[number - 1])
            script.append("CREATE TABLE %s(id INTEGER PRIMARY KEY, %s TEXT, %s INTEGER);"
                          % (table, column, support.quoted(name + "2")))
            script.append("CREATE INDEX %s ON %s(%s);" % (support.quoted("i " + name), table, column))
            script.append("CREATE VIEW %s AS SELECT %s FROM %s;" % (support.quoted("v " + name), column, table))
            rows += [("INSERT INTO %s VALUES (?, ?, ?)" % table, (i, name, i)) for i in range(5)]
        self.copied("\n".join(script), rows, ways=WAYS[:2] + WAYS[4:5])

    def test_names_that_differ_in_case_only_by_table(self):
        self.copied('CREATE TABLE A(X INTEGER PRIMARY KEY, y TEXT); CREATE TABLE "B"("x" TEXT, "Y" TEXT);'
                    "INSERT INTO A VALUES (1, 'a'); INSERT INTO B VALUES ('1', 'b');")

    def test_a_file_name_of_all_kinds(self):
        for name in ("a b.db", "100%.db", "q?x=1.db", "h#y.db", "n\nl.db", "\u00e9\U0001f411.db", "-dash.db",
                     "semi;colon.db", "quo'te.db"):
            with self.subTest(name=name):
                self.make("CREATE TABLE t(a); INSERT INTO t VALUES (1);", name=name)
                source = "sqlite:" + name.replace("%", "%25").replace("?", "%3f")
                copy = "sqlite:copy of " + name.replace("%", "%25").replace("?", "%3f")
                self.run_program("migrate", source, copy)
                shutil.copy(self.path(name), self.path("plain.db"))
                shutil.copy(self.path("copy of " + name), self.path("plain-copy.db"))
                self.assert_same_sqlite(self.path("plain.db"), self.path("plain-copy.db"))

    # --- the whole file

    def pragmas(self, source, copy):
        for name in ("encoding", "page_size", "application_id", "user_version"):
            values = []
            for path in (source, copy):
                db = sqlite3.connect(path)
                values.append(db.execute("PRAGMA " + name).fetchone())
                db.close()
            self.assertEqual(values[0], values[1], name)

    def test_settings_of_the_file(self):
        for number, before in enumerate((
                "PRAGMA application_id = 1196444487; PRAGMA user_version = -7;",
                "PRAGMA page_size = 512;", "PRAGMA page_size = 65536;",
                "PRAGMA encoding = 'UTF-16le';", "PRAGMA encoding = 'UTF-16be';")):
            with self.subTest(before=before):
                source = self.make(
                    "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE w(k TEXT PRIMARY KEY, v)"
                    " WITHOUT ROWID;",
                    [("INSERT INTO t VALUES (?, ?)", (i, "\u00e9\U0001f411 %d" % i)) for i in range(30)]
                    + [("INSERT INTO w VALUES (?, ?)", ("\u00fc%d" % i, i)) for i in range(30)],
                    name="source%d.db" % number, before=before)
                for way in WAYS[:2]:
                    shutil.rmtree(self.path("state"), ignore_errors=True)
                    copy = self.path("copy of %d%d.db" % (number, len(way)))
                    self.run_program("migrate", "--state", "state", *way, source, "sqlite:" + copy)
                    self.assert_same_sqlite(source, copy)
                    self.pragmas(source, copy)

    def test_a_target_that_keeps_its_page_size(self):
        # Nothing in it, but in WAL mode: SQLite gives such a file no other page size.
        source = self.make("CREATE TABLE t(a); INSERT INTO t VALUES (1);", before="PRAGMA page_size = 512;")
        copy = self.path("copy.db")
        db = sqlite3.connect(copy)
        db.executescript("PRAGMA journal_mode = WAL; CREATE TABLE x(a); DROP TABLE x;")
        db.close()
        self.run_program("migrate", source, "sqlite:" + copy)
        self.assert_same_sqlite(source, copy)

    def test_a_database_in_wal_mode(self):
        source = self.make("CREATE TABLE t(id INTEGER PRIMARY KEY, v);",
                           [("INSERT INTO t VALUES (?, 'x')", (i,)) for i in range(100)],
                           before="PRAGMA journal_mode=WAL;")
        self.copies(source)

    def test_a_wal_that_was_not_written_back(self):
        # Half of the records are in the -wal file only.
        source = self.make("CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (0, 'old');",
                           before="PRAGMA journal_mode=WAL;")
        db = sqlite3.connect(source, isolation_level=None)
        self.addCleanup(db.close)
        db.execute("PRAGMA wal_autocheckpoint=0")
        db.executemany("INSERT INTO t VALUES (?, 'new')", [(i,) for i in range(1, 200)])
        self.assertGreater(os.path.getsize(source + "-wal"), 0)
        self.copies(source, ways=WAYS[:4])

    def test_auto_vacuum_and_freelist(self):
        source = self.make("CREATE TABLE t(id INTEGER PRIMARY KEY, v);",
                           [("INSERT INTO t VALUES (?, ?)", (i, "x" * 500)) for i in range(500)],
                           before="PRAGMA auto_vacuum=INCREMENTAL;")
        db = sqlite3.connect(source)
        db.execute("DELETE FROM t WHERE id % 3 = 0")
        db.commit()
        db.close()
        self.copies(source, ways=WAYS[:2])

    def test_many_tables(self):
        script = ["CREATE TABLE t%d(id INTEGER PRIMARY KEY, v);" % i for i in range(600)]
        rows = [("INSERT INTO t%d(v) VALUES (?)" % i, (i,)) for i in range(600)]
        self.copied("".join(script), rows, ways=WAYS[:2])

    def test_a_wide_table(self):
        for width in (100, 999, 1999):
            with self.subTest(width=width):
                columns = ", ".join("c%d" % i for i in range(width))
                source = self.make("CREATE TABLE wide(id INTEGER PRIMARY KEY, %s);" % columns,
                                   [("INSERT INTO wide(id, c0, c%d) VALUES (?, ?, ?)" % (width - 1),
                                     (i, "first", "last")) for i in range(20)], name="wide%d.db" % width)
                for way in WAYS[:2]:
                    shutil.rmtree(self.path("state"), ignore_errors=True)
                    copy = self.path("copy%d%d.db" % (width, len(way)))
                    self.run_program("migrate", "--state", "state", *way, source, "sqlite:" + copy)
                    self.assert_same_sqlite(source, copy)

    # --- rowids that follow one on the other, which SQLite is let number itself

    def test_as_many_columns_as_a_table_may_have(self):
        """2,000, without any key, with one that is no rowid, and with large values: a result has no room for more."""
        columns = ", ".join("c%d" % i for i in range(1, 2000))
        script = ("CREATE TABLE keyless(c0, %s); CREATE TABLE by_text(c0 TEXT PRIMARY KEY, %s);"
                  "CREATE TABLE by_number(c0 INTEGER PRIMARY KEY, %s);"
                  "CREATE TABLE without(c0 TEXT PRIMARY KEY, %s) WITHOUT ROWID;" % ((columns,) * 4))
        script += "CREATE TABLE half(c0, %s);" % ", ".join("c%d" % i for i in range(1, 1002))
        rows = []
        for table in ("keyless", "by_text", "by_number", "without", "half"):
            for i in range(9):
                large = i == 7 and table in ("keyless", "half")
                rows.append(("INSERT INTO %s(c0, c1, c999) VALUES (?, ?, ?)" % table,
                             (i, i * 3, b"x" * (2 << 20) if large else str(i))))
        self.copied(script, rows, ways=WAYS[:2])

    def test_a_reject_of_a_table_that_has_no_room_for_a_key(self):
        columns = ", ".join("c%d" % i for i in range(1, 2000))
        support.make_sqlite(self.path("source.db"), "CREATE TABLE t(c0, %s); INSERT INTO t(c0) VALUES (1), ('x'), (3);"
                            % columns)
        support.make_sqlite(self.path("copy.db"), "CREATE TABLE t(c0 INTEGER PRIMARY KEY, %s);" % columns)
        result = self.run_program("migrate", "--existing", "append", "source.db", "copy.db", code=1)
        self.assertIn("1 record was rejected", result.err)
        db = sqlite3.connect(self.path("copy.db"))
        self.assertEqual(db.execute("SELECT c0 FROM t").fetchall(), [(1,), (3,)])
        db.close()
        self.write("plan.yaml", """
transhume: 1
source: source.db
target: sqlite:other.db
tables:
  t: { key: [c0], from: t, fields: { "*": copy, n: { aggregate: t, match: { c1: c0 }, value: "count(*)" } } }
""")
        result = self.run_program("migrate", "--plan", "plan.yaml", code=2)
        self.assertIn("plan.yaml:6:3: t has 2001 columns to read at once", result.err)

    def test_runs_of_rowids(self):
        runs = {"dense": range(1, 60), "later": range(7, 60), "negative": range(-30, 40),
                "gaps": [i for i in range(1, 90) if i % 17 and not 40 < i < 50],
                "ends": [-2**63, -1, 0, 1, 2, 3, 2**63 - 2, 2**63 - 1], "one": [5], "none": []}
        if support.UNDER_VALGRIND:   # whose long double has 53 bits: SQLite takes 2**63 - 1 and 2.0**63 for one key
            del runs["ends"]
        for name, numbers in runs.items():
            source = self.make("""
                CREATE TABLE t(v TEXT NOT NULL, id INTEGER PRIMARY KEY CHECK (id <> 1000), twice AS (v || id) STORED,
                               half AS (id / 2), UNIQUE (v, id));
                CREATE UNIQUE INDEX t_sum ON t(id + length(v)) WHERE id > 3;
                CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, v);""",
                               [("INSERT INTO t(id, v) VALUES (?, ?)", (i, "v")) for i in numbers]
                               + [("INSERT INTO counted VALUES (?, ?)", (i, i)) for i in numbers], name=name + ".db")
            for number, way in enumerate((("--no-express",), ("--no-express", "--jobs", "3", "--chunk-rows", "5"),
                                          ("--no-express", "--batch-rows", "3"),
                                          ("--no-express", "--batch-rows", "1"))):
                with self.subTest(runs=name, way=way):
                    copy = self.path("copy-%s-%d.db" % (name, number))
                    self.run_program("migrate", "--state", "state-%s-%d" % (name, number), *way, source,
                                     "sqlite:" + copy)
                    self.assert_same_sqlite(source, copy)

    def test_runs_of_rowids_behind_others(self):
        source = self.make("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)",
                           [("INSERT INTO t VALUES (?, ?)", (i, None if i == 13 else "v%d" % i)) for i in range(1, 31)])
        for number, (before, rejected) in enumerate((
                ([], {13}), ([0], {13}), ([20, 21], {13, 20, 21}), ([31, 40], {13}), ([-5], {13}))):
            with self.subTest(before=before):
                target = self.make("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT NOT NULL)",
                                   [("INSERT INTO t VALUES (?, 'before')", (i,)) for i in before],
                                   name="target%d.db" % number)
                for state, options in (("state%d" % number, ("--batch-rows", "7")),):
                    self.run_program("migrate", "--state", state, "--existing", "append", *options, source,
                                     "sqlite:" + target, code=1)
                wanted = {i: "v%d" % i for i in range(1, 31) if i not in rejected}
                wanted.update((i, "before") for i in before)
                db = sqlite3.connect(target)
                self.assertEqual(dict(db.execute("SELECT id, v FROM t")), wanted)
                db.close()

    # --- virtual tables

    @unittest.skipUnless("ENABLE_FTS5" in compile_options(), "Python's SQLite has no FTS5")
    def test_full_text_search(self):
        source = self.make("CREATE VIRTUAL TABLE words USING fts5(title, body); CREATE TABLE t(a);"
                           "INSERT INTO t VALUES (1);",
                           [("INSERT INTO words VALUES (?, ?)", ("title %d" % i, "sheep and goats %d" % i))
                            for i in range(50)])
        self.virtual(source, "words", "SELECT title FROM words WHERE words MATCH 'goats' ORDER BY rowid")

    @unittest.skipUnless("ENABLE_RTREE" in compile_options(), "Python's SQLite has no rtree")
    def test_rtree(self):
        source = self.make("CREATE VIRTUAL TABLE box USING rtree(id, x0, x1, y0, y1); CREATE TABLE t(a);"
                           "INSERT INTO t VALUES (1);",
                           [("INSERT INTO box VALUES (?, ?, ?, ?, ?)", (i, i, i + 1.5, -i, 0)) for i in range(50)])
        self.virtual(source, "box", "SELECT id, x0, x1, y0, y1 FROM box WHERE x1 > 20 ORDER BY id")

    @unittest.skipUnless("ENABLE_FTS5" in compile_options(), "Python's SQLite has no FTS5")
    def test_indexes_over_other_tables(self):
        source = self.make("CREATE TABLE t(a INTEGER PRIMARY KEY, body); INSERT INTO t VALUES (1, 'zero');"
                           "CREATE VIRTUAL TABLE over USING fts5(body, content='t', content_rowid='a');"
                           "CREATE VIRTUAL TABLE bare USING fts5(body, content='');"
                           "CREATE VIRTUAL TABLE old USING fts4(body);"
                           "CREATE VIRTUAL TABLE terms USING fts5vocab(over, row);"
                           "CREATE TRIGGER t_new AFTER INSERT ON t BEGIN"
                           " INSERT INTO over(rowid, body) VALUES (new.a, new.body); END;"
                           "INSERT INTO over(over) VALUES ('rebuild');",
                           [("INSERT INTO t VALUES (?, ?)", (i, "goats %d" % i)) for i in range(2, 90)]
                           + [("INSERT INTO bare(rowid, body) VALUES (?, ?)", (i, "kids %d" % i)) for i in range(90)]
                           + [("INSERT INTO old VALUES (?)", ("ewes %d" % i,)) for i in range(90)])
        for number, way in enumerate(WAYS[:2] + WAYS[3:4]):
            with self.subTest(way=way):
                copy = self.path("indexes%d.db" % number)
                self.run_program("migrate", "--state", "state%d" % number, *way, source, "sqlite:" + copy)
                self.assert_same_sqlite(source, copy)
                db = sqlite3.connect(copy)
                self.addCleanup(db.close)
                for query, wanted in (
                        ("SELECT count(*) FROM over WHERE over MATCH 'goats'", 88),
                        ("SELECT count(*) FROM bare WHERE bare MATCH 'kids'", 90),
                        ("SELECT count(*) FROM old WHERE old MATCH 'ewes'", 90),
                        ("SELECT doc FROM terms WHERE term = 'goats'", 88)):
                    self.assertEqual(db.execute(query).fetchone()[0], wanted, query)
                db.execute("INSERT INTO t VALUES (1000, 'new goats')")
                for name in ("over", "bare", "old"):
                    db.execute("INSERT INTO %s(%s) VALUES ('integrity-check')" % (name, name))
                self.assertEqual(db.execute("SELECT count(*) FROM over WHERE over MATCH 'goats'").fetchone()[0], 89)

    @unittest.skipUnless("ENABLE_FTS5" in compile_options(), "Python's SQLite has no FTS5")
    def test_virtual_tables_by_choice(self):
        source = self.make("CREATE VIRTUAL TABLE words USING fts5(body); CREATE TABLE t(a); INSERT INTO words"
                           " VALUES ('goats'); INSERT INTO t VALUES (1);")
        self.run_program("migrate", "--exclude", "words", source, "sqlite:without.db")
        self.assertEqual(support.sqlite_counts(self.path("without.db")), {"t": 1})
        self.run_program("migrate", "--include", "words", "--state", "s2", source, "sqlite:only.db")
        db = sqlite3.connect(self.path("only.db"))
        self.assertEqual(db.execute("SELECT body FROM words WHERE words MATCH 'goats'").fetchall(), [("goats",)])
        db.close()
        # Stores of two virtual tables can't be merged: said before anything is written.
        said = self.run_program("migrate", "--existing", "append", "--state", "s3", source, "sqlite:only.db", code=2)
        self.assertIn("virtual table words", said.err)
        # Elsewhere its store means nothing.
        said = self.run_program("migrate", "--state", "s4", source, "dynamodb-json:out", code=2)
        said = self.run_program("check", "--include", "words", "--state", "s5", source, "sqlite:new.db")
        self.assertIn("words_data", said.out)

    def test_a_module_that_is_not_here(self):
        source = self.make("CREATE TABLE far_store(k INTEGER PRIMARY KEY, v); INSERT INTO far_store VALUES (1, "
                           "x'00ff');"
                           "PRAGMA writable_schema=ON; INSERT INTO sqlite_schema VALUES"
                           " ('table', 'far', 'far', 0, 'CREATE VIRTUAL TABLE far USING nosuchmodule(k, v)');")
        said = self.run_program("check", source, "sqlite:copy.db")
        self.assertIn("virtual table far can't be used here", " ".join(said.out.split()))
        ran = self.run_program("migrate", source, "sqlite:copy.db")
        self.assertIn("no such module: nosuchmodule", ran.err)
        self.assert_same_sqlite(source, self.path("copy.db"))

    def virtual(self, source, name, query):
        """Either the virtual table is carried so that it works, or check says that it is not."""
        answers = []
        for number, way in enumerate(WAYS[:2] + WAYS[3:4]):
            with self.subTest(way=way):
                copy = self.path("virtual%d.db" % number)
                said = self.run_program("check", *way, source, "sqlite:" + copy)
                ran = self.run_program("migrate", "--state", "state%d" % number, *way, source, "sqlite:" + copy)
                self.assert_sound(copy)
                db = sqlite3.connect(copy)
                there = db.execute("SELECT count(*) FROM sqlite_schema WHERE name = ?", (name,)).fetchone()[0]
                self.assertEqual(db.execute("SELECT a FROM t").fetchall(), [(1,)])
                if there:
                    wanted = sqlite3.connect(source)
                    self.assertEqual(db.execute(query).fetchall(), wanted.execute(query).fetchall())
                    wanted.close()
                    self.assert_same_sqlite(source, copy)
                else:
                    self.assertIn(name, said.out, "it is not carried, and check does not say so")
                    self.assertEqual(ran.code, 0)
                answers.append(there)
                db.close()
        self.assertEqual(len(set(answers)), 1)

    # --- a source that nobody may trust

    EVIL = """
        CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT DEFAULT (load_extension('/tmp/evil')));
        INSERT INTO t VALUES (1, 'x');
        CREATE VIEW evil AS SELECT writefile('pwned', 'x'), load_extension('evil') FROM t;
        CREATE VIEW loads AS SELECT load_extension('/tmp/evil') AS v FROM t;
        CREATE VIEW tokens AS SELECT fts3_tokenizer('simple', x'0011223344556677') AS v FROM t;
        CREATE VIEW pages AS SELECT pgno, data FROM sqlite_dbpage;
        CREATE VIEW attached AS SELECT file AS v FROM pragma_database_list;
        CREATE VIEW batches AS SELECT c0 AS v FROM _transhume_batch_0;
        CREATE TRIGGER evil_t AFTER INSERT ON t BEGIN SELECT writefile('pwned', 'x'); END;
        CREATE TRIGGER loads_t AFTER INSERT ON t BEGIN SELECT load_extension('/tmp/evil'); END;
    """
    JSON = """
        CREATE TABLE j(id INTEGER PRIMARY KEY, doc TEXT CHECK (json_valid(doc)),
                       name TEXT AS (json_extract(doc, '$.name')), first TEXT AS (doc ->> '$[0]') STORED);
        CREATE INDEX j_name ON j(json_extract(doc, '$.name'));
        INSERT INTO j(id, doc) VALUES (1, '{"name": "goat"}'), (2, '["ewe"]');
        CREATE VIEW names AS SELECT id, json_extract(doc, '$.name') AS name FROM j;
        CREATE VIEW parts AS SELECT j.id, e.key, e.value FROM j, json_each(j.doc) AS e;
    """

    def test_a_schema_that_would_do_things(self):
        for kind, schema in (("untrusted", self.EVIL), ("trusted", self.JSON + self.EVIL)):
            source = self.make(schema, name=kind + ".db")
            for way in WAYS[:2]:
                with self.subTest(kind=kind, way=way):
                    copy = self.path("copy%s%d.db" % (kind, len(way)))
                    self.run_program("migrate", "--state", "state%s%d" % (kind, len(way)), *way, source,
                                     "sqlite:" + copy)
                    self.assert_same_sqlite(source, copy)
                    self.assertFalse(os.path.exists(self.path("pwned")))
            for view in ("evil", "loads", "tokens", "pages", "batches"):
                with self.subTest(kind=kind, view=view):
                    plan = self.write("plan.yaml", "transhume: 1\nsource: %s\ntarget: dynamodb-json:out\ntables:\n"
                                      "  things: { key: { partition: K }, from: %s, fields: { K: '1', "
                                      "v: { sql: '1' } } }\n"
                                      % (source, view))
                    ran = support.transhume("migrate", "--plan", plan, "--state", "state" + kind + view,
                                            cwd=self.folder)
                    self.assertIn(ran.code, (2, 3), ran.out + ran.err)
                    self.assertFalse(os.path.exists(self.path("pwned")))
                    self.assertFalse(os.path.exists(self.path("out")))

    def test_triggers_of_the_target_that_would_do_things(self):
        source = self.make("CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'x');")
        for number, act in enumerate(("SELECT writefile('pwned', 'x')", "SELECT load_extension('/tmp/evil')",
                                      "INSERT INTO log SELECT c0 FROM _transhume_batch_0")):
            with self.subTest(act=act):
                target = self.make("CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE log(v);"
                                   "CREATE TRIGGER evil AFTER INSERT ON t BEGIN %s; END;" % act,
                                   name="target%d.db" % number)
                ran = support.transhume("migrate", "--existing", "append", "--include", "t", "--state",
                                        "state%d" % number, source, target, cwd=self.folder)
                self.assertNotEqual(ran.code, 0, ran.out)
                db = sqlite3.connect(target)
                self.assertEqual(db.execute("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM log)").fetchone(),
                                 (0, 0))
                db.close()
                self.assertFalse(os.path.exists(self.path("pwned")))

    def test_json_in_a_schema(self):
        source = self.make(self.JSON)
        said = self.run_program("check", source, "sqlite:copy.db")
        self.assertIn("uses JSON functions", " ".join(said.out.split()))
        for way in WAYS[:2]:
            copy = self.path("json%d.db" % len(way))
            self.run_program("migrate", "--state", "state%d" % len(way), *way, source, "sqlite:" + copy)
            self.assert_same_sqlite(source, copy)
        self.run_program("migrate", "--plan", self.write("plan.yaml", """
transhume: 1
source: %s
target: sqlite:views.db
tables:
  names: { from: names, columns: { id: { type: INTEGER }, name: { type: TEXT } } }
  parts: { from: parts }
""" % source), "--state", "views", "--jobs", "2")
        db = sqlite3.connect(self.path("views.db"))
        self.assertEqual(db.execute("SELECT * FROM names ORDER BY 1").fetchall(), [(1, "goat"), (2, None)])
        self.assertEqual(db.execute("SELECT value FROM parts ORDER BY 1").fetchall(), [("ewe",), ("goat",)])
        db.close()
        plain = self.make("CREATE TABLE t(id INTEGER PRIMARY KEY CHECK (abs(id) > 0));", name="plain.db")
        said = self.run_program("check", plain, "sqlite:other.db")
        self.assertNotIn("JSON", said.out)

    # --- what plain copies of other shapes do

    def test_include_and_exclude(self):
        source = self.make("".join("CREATE TABLE %s(id INTEGER PRIMARY KEY); INSERT INTO %s VALUES (1);"
                                   % (t, t) for t in ("a1", "a2", "b1", "b2")))
        for number, (options, kept) in enumerate((
                (("--include", "a*"), {"a1", "a2"}), (("--include", "a1", "--include", "b?"), {"a1", "b1", "b2"}),
                (("--exclude", "*1"), {"a2", "b2"}), (("--include", "a*", "--exclude", "a2"), {"a1"}))):
            with self.subTest(options=options):
                copy = self.path("copy%d.db" % number)
                self.run_program("migrate", "--state", "state%d" % number, *options, source, "sqlite:" + copy)
                self.assertEqual(support.sqlite_counts(copy), {name: 1 for name in kept})

    def test_a_copy_of_a_copy(self):
        # The ledger of the first run is no data: `_transhume_*` is never copied.
        source = self.make("CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2);")
        for way in WAYS[:2]:
            with self.subTest(way=way):
                first, second = (self.path("%s%d.db" % (n, len(way))) for n in ("first", "second"))
                self.run_program("migrate", "--state", "s1%d" % len(way), *way, source, "sqlite:" + first)
                self.run_program("migrate", "--state", "s2%d" % len(way), *way, first, "sqlite:" + second)
                self.assert_same_sqlite(source, second)
                db = sqlite3.connect(second)
                runs = db.execute("SELECT count(*) FROM _transhume_ledger WHERE name LIKE 'runs/%'").fetchone()
                db.close()
                self.assertEqual(runs, (1,))

    def test_random_schemas(self):
        seed = random.Random(support.SEED)
        for number in range(200 if support.SOAK else 12):
            with self.subTest(seed=support.SEED, number=number):
                source = self.random_database(seed, "random%d.db" % number)
                way = seed.choice(WAYS)
                copy = self.path("copy%d.db" % number)
                self.run_program("migrate", "--state", "state%d" % number, *way, source, "sqlite:" + copy)
                self.assert_same_sqlite(source, copy)

    def random_database(self, seed, name):
        types = ("INTEGER", "TEXT", "REAL", "BLOB", "NUMERIC(10,2)", "", "BOOLEAN", "DATETIME")
        script, rows = [], []
        for table in range(seed.randint(1, 4)):
            columns = ["c%d %s%s" % (i, seed.choice(types), seed.choice(("", "", " COLLATE NOCASE")))
                       for i in range(seed.randint(2, 6))]
            key = seed.choice(("", ", PRIMARY KEY (c0)", ", PRIMARY KEY (c0, c1)", ", PRIMARY KEY (c1 DESC, c0)"))
            without = " WITHOUT ROWID" if key and seed.random() < 0.4 else ""
            script.append("CREATE TABLE t%d(%s%s)%s;" % (table, ", ".join(columns), key, without))
            if seed.random() < 0.5:
                script.append("CREATE INDEX i%d ON t%d(c1, c0 DESC);" % (table, table))
            marks = ", ".join("?" * len(columns))
            # The number of the row takes nothing else: SQLite refuses it ("datatype mismatch").
            numbered = key == ", PRIMARY KEY (c0)" and not without and columns[0].startswith("c0 INTEGER")
            for _ in range(seed.choice((0, 1, 10, 120))):
                values = [self.random_value(seed) for _ in columns]
                if numbered and not isinstance(values[0], int):
                    values[0] = None if values[0] is None else seed.getrandbits(40)
                rows.append(("INSERT OR IGNORE INTO t%d VALUES (%s)" % (table, marks), values))
        return self.make("\n".join(script), rows, name=name)

    @staticmethod
    def random_value(seed):
        kind = seed.randrange(8)
        if kind == 0:
            return None
        if kind == 1:
            return seed.choice((0, 1, -1, 2 ** 63 - 1, -2 ** 63, seed.getrandbits(40)))
        if kind == 2:
            value = struct.unpack("d", seed.randbytes(8))[0]
            return None if value != value else value
        if kind == 3:
            return seed.randbytes(seed.choice((0, 1, 20, 300)))
        if kind == 4:
            return "".join(chr(seed.choice((0, 34, 39, 65, 97, 233, 0x1f411))) for _ in range(seed.randint(0, 20)))
        if kind == 5:
            return str(seed.randint(-999, 999) / 100)
        return "word%d" % seed.randint(0, 50)


class MusicShop(support.TestCase):
    def test_every_way(self):
        source = support.musicshop(self.path("shop.db"))
        for number, (express, jobs, rows) in enumerate(itertools.product(
                ((), ("--no-express",)), (1, 2, 4), (None, 500))):
            options = [*express, "--jobs", jobs, *(("--chunk-rows", rows) if rows else ())]
            with self.subTest(options=options):
                copy = self.path("copy%d.db" % number)
                self.run_program("migrate", "--state", "state%d" % number, *options, source, "sqlite:" + copy)
                self.assert_same_sqlite(source, copy)
                self.assertIn("Track", support.sqlite_counts(copy))


if __name__ == "__main__":
    unittest.main()
