"""SQL dumps as sources: what a dump gives is what the live database gives, of every type and edge."""
import gzip
import os
import sqlite3
import subprocess
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import sql_case
import support
import test_mysql
import test_postgres

SQLITE = r"""
CREATE TABLE "t a"(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL DEFAULT 'x''y', price NUMERIC(10,2), ok BOOLEAN, d DATE,
  m DATETIME, b BLOB, r REAL, any, g INTEGER GENERATED ALWAYS AS (id * 2) VIRTUAL, u TEXT UNIQUE);
CREATE TABLE child(a INTEGER, b TEXT, p INTEGER REFERENCES "t a"(id) ON DELETE CASCADE, PRIMARY KEY(a, b)) WITHOUT ROWID;
CREATE TABLE 'single' (v TEXT) STRICT;
CREATE INDEX child_p ON child(p);
CREATE VIEW v AS SELECT * FROM child;
CREATE TRIGGER tr AFTER INSERT ON child BEGIN SELECT 1; SELECT ';'; END;
INSERT INTO "t a"(name, price, ok, d, m, b, r, any, u) VALUES
 ('it''s; a (test) -- no /* comment', 1.5, 1, '2024-01-02', '2024-01-02 03:04:05', x'00ff', 1e300, 9223372036854775807, 'u1'),
 (char(10) || 'line' || char(13, 10, 9) || '\n', 10, 0, '2024-01-03', '2024-01-03T00:00:00', NULL, 9e999, x'27', 'u2'),
 ('é😀' || char(0x1f411), 123456789.12, 1, '2024-02-29', NULL, x'', -0.5, 'text', NULL),
 ('', -0.01, NULL, NULL, NULL, NULL, 0.1, -9223372036854775808, ''), (');(', 0.10, 1, '2024-12-31', NULL, x'0a0d', -9e999, 1.0, ';');
INSERT INTO child VALUES (1, 'a', 1), (1, 'b', 2), (-1, 'INSERT INTO child VALUES(', NULL);
INSERT INTO single VALUES ('one'), ('two' || char(10) || 'lines'), (NULL);
"""


def contents(path, without=()):
    """
    {table: (columns, rows in an order of their own)} of a target, but the columns `without`; the program's own tables
    left out.
    """
    db = sqlite3.connect(path)
    db.text_factory = bytes
    found = {}
    for table, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_transhume%' "
                             "ESCAPE '\\' AND name NOT LIKE 'sqlite%'"):
        name = support.quoted(table.decode())
        columns = [row[1].decode() for row in db.execute("PRAGMA table_info(%s)" % name)]
        kept = [column for column in columns if "%s.%s" % (table.decode(), column) not in without]
        rows = db.execute("SELECT %s FROM %s" % (", ".join(map(support.quoted, kept)), name)).fetchall()
        found[table.decode()] = (kept, sorted(map(repr, rows)))
    db.close()
    return found


class DumpCase(support.TestCase):
    def script(self, name, text):
        with open(self.path(name), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return "dump:" + self.path(name)

    def copied(self, source, target, *options, code=0):
        """What a copy into a new SQLite file leaves."""
        self.said = support.transhume("migrate", source, "sqlite:" + self.path(target), "--state",
                                      self.path("state-" + target), *options, cwd=self.folder)
        if code is not None:
            self.assert_code(self.said, code)
        return self.path(target)


class SameAsLive:
    """What a subclass dumps gives the same as its live database."""
    GENERATED = ()   # columns whose values no dump has

    def assert_same_as_live(self, name, dumps, *options):
        live = contents(self.copied(self.live(name), "live.db", *options, code=None), self.GENERATED)
        lost = len(self.rejects("state-live.db"))
        for number, dump in enumerate(dumps):
            with self.subTest(dump=dump):
                target = "dump%d.db" % number
                found = contents(self.copied(dump, target, *options, code=None), self.GENERATED)
                self.assertEqual(self.said.code, 1 if lost else 0, self.said.err)
                self.assertEqual(len(self.rejects("state-" + target)), lost)
                self.assertEqual(live.keys(), found.keys())
                for table, (columns, rows) in live.items():
                    self.assertEqual(columns, found[table][0], table)
                    for wanted, row in zip(rows, found[table][1]):
                        self.assertEqual(wanted, row, table)
                    self.assertEqual(len(rows), len(found[table][1]), table)


class Sqlite(SameAsLive, DumpCase):
    GENERATED = ("t a.g",)

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("shop.db"), SQLITE)

    def live(self, name):
        return "sqlite:" + name

    def dumped(self, name="shop.db", *options):
        return subprocess.run(["sqlite3", *options, self.path(name), ".dump"], stdout=subprocess.PIPE, check=True,
                              timeout=60).stdout

    def test_every_value(self):
        text = self.dumped()
        self.assertIn(b"replace(", text)
        self.script("b.sql", text)
        with gzip.open(self.path("c.sql.gz"), "wb") as file:
            file.write(text)
        subprocess.run(["zstd", "-q", self.path("b.sql"), "-o", self.path("d")], check=True, timeout=60)
        with_columns = text.replace(b'INSERT INTO "t a" VALUES',
                                    b'INSERT INTO "t a"(id,name,price,ok,d,m,b,r,any,u) VALUES')
        self.assert_same_as_live(self.path("shop.db"), ["dump:" + self.path("b.sql"), self.path("b.sql"),
                                                        self.path("c.sql.gz"), "dump:" + self.path("d"),
                                                        self.script("e.sql", with_columns),
                                                        self.script("f.sql", b"\xef\xbb\xbf" + text)])

    def test_the_music_shop_is_the_same_database_again(self):
        """
        Types, keys and references of the dump's own words come back; validated at level full against the live file.
        """
        support.musicshop(self.path("music.db"))
        dump = self.script("music.sql", self.dumped("music.db"))
        target = self.copied(dump, "again.db")
        db, again = sqlite3.connect(self.path("music.db")), sqlite3.connect(target)
        for table, in db.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'").fetchall():
            for pragma in ("table_info", "foreign_key_list"):
                asked = "PRAGMA %s(%s)" % (pragma, support.quoted(table))
                plain = [[str(value).upper() for value in row] for row in db.execute(asked)]
                found = [[str(value).upper() for value in row] for row in again.execute(asked)]
                if pragma == "table_info":
                    plain, found = ([row[:3] + row[5:] for row in rows] for rows in (plain, found))
                else:   # of one table the order of the keys is no part of them
                    plain, found = (sorted(row[2:] for row in rows) for rows in (plain, found))
                self.assertEqual(plain, found, (table, pragma))
        db.close()
        again.close()
        self.run_program("validate", "--level", "full", "sqlite:" + self.path("music.db"), "sqlite:" + target)
        self.run_program("validate", "--level", "full", dump, "sqlite:" + target)

    def test_what_is_left_behind_is_told(self):
        support.make_sqlite(self.path("odd.db"),
                            "CREATE TABLE t(a); CREATE VIRTUAL TABLE words USING fts5(x); "
                            "INSERT INTO words VALUES ('x');"
                                                 "CREATE VIEW v AS SELECT 1; CREATE TRIGGER tr AFTER INSERT ON t BEGIN "
                                                 "SELECT 1; END;")
        found = contents(self.copied(self.script("odd.sql", self.dumped("odd.db")), "odd-copy.db"))
        self.assertEqual(list(found), ["t"])
        self.assertIn("1 virtual table, 1 view, 1 trigger", self.said.out)

    def test_a_resume_after_a_kill(self):
        """Chunks are ranges of the script's bytes: those that are done are not read again."""
        rows = b"".join(b"INSERT INTO t VALUES(%d,'%s');\n" % (number, b"x" * 90) for number in range(20000))
        dump = self.script("many.sql",
                           b"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t(id INTEGER PRIMARY KEY, "
                           b"v TEXT);\n" + rows + b"COMMIT;\n")
        arguments = (dump, "sqlite:" + self.path("many.db"), "--chunk-rows", "1000", "--state", self.path("state-many"))
        support.kill_at("sqlite.after_commit", 4, "migrate", *arguments, cwd=self.folder)
        self.run_program("resume", "--state", self.path("state-many"))
        db = sqlite3.connect(self.path("many.db"))
        self.assertEqual(db.execute("SELECT count(*), count(DISTINCT id), sum(length(v)) FROM t").fetchone(),
                         (20000, 20000, 1800000))
        db.close()

    def test_a_dump_that_changed_is_read_again(self):
        rows = b"".join(b"INSERT INTO t VALUES(%d,'%s');\n" % (number, b"x" * 90) for number in range(20000))
        head = b"PRAGMA foreign_keys=OFF;\nCREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);\n"
        dump = self.script("many.sql", head + rows)
        arguments = (dump, "sqlite:" + self.path("many.db"), "--chunk-rows", "1000", "--state", self.path("state-many"))
        support.kill_at("sqlite.after_commit", 4, "migrate", *arguments, cwd=self.folder)
        with open(self.path("many.sql"), "r+b") as file:
            file.write(head + rows.replace(b"xx'", b"xy'"))
        said = self.run_program("resume", "--state", self.path("state-many"), code=1).err
        self.assertIn("table t starts over: the source changed", said)
        db = sqlite3.connect(self.path("many.db"))
        self.assertEqual(db.execute("SELECT count(*), count(DISTINCT v), max(v) FROM t").fetchone(),
                         (20000, 1, "x" * 89 + "y"))
        db.close()


class Refusals(DumpCase):
    """What is not understood is one line with the file's name and the line."""
    FOOT = "-- Dump completed on 2026-01-02 03:04:05\n"
    HEAD = ("-- MySQL dump 10.13\n/*!40101 SET NAMES utf8mb4 */;\nCREATE TABLE `t` (`id` int NOT NULL, "
            "`v` varchar(20), PRIMARY KEY (`id`)) ENGINE=InnoDB;\n")

    def refused(self, text, *words, head=HEAD, code=2):
        said = self.run_program("migrate", self.script("bad.sql",
                                                       head.encode() + (text if isinstance(text, bytes)
                                                                        else text.encode())),
                                "sqlite:" + self.path("bad.db"), code=code).err
        for word in words:
            self.assertIn(word, said)
        self.assertEqual(said.count("error: "), 1, said)

    def test_statements(self):
        for text, words in (
                ("UPDATE t SET v = 1;\n", ("bad.sql:4", "a statement changes rows in place")),
                ("INSERT INTO t SELECT 1, 2;\n", ("bad.sql:4", "expected VALUES, not SELECT")),
                ("INSERT INTO t VALUES (1,'a'),\n(2,'b') ON DUPLICATE KEY UPDATE v = 1;\n",
                 ("bad.sql:5", "expected ( and a row")),
                ("INSERT INTO other VALUES (1);\n", ("bad.sql:4",
                                                     "rows of other, a table that the dump does not make")),
                ("INSERT INTO t VALUES (1,'a'),(2,'b", ("bad.sql:4", "ends within a row")),
                ("INSERT INTO t (id, w) VALUES (1, 2);\n", ("bad.sql:4", "no column w")),
                ("CREATE TABLE u (a int,, b int);\n", ("bad.sql:4", "expected a column's name")),
                ("SET NAMES sjis;\n", ("bad.sql:4", "encoding sjis")),
                ("bogus words here;\n", ("bad.sql:4", "expected a statement")),
                ("USE `second`;\n", ("bad.sql:4", "a second database begins here")),
                ("CREATE TABLE z (at timestamp NULL);\nINSERT INTO z VALUES ('2024-01-01 00:00:00');\n",
                 ("bad.sql:5", "time zone"))):
            with self.subTest(text=text):
                self.refused(text, *words)
        self.refused("INSERT INTO t VALUES (1,'a'),\n(1);\n" + self.FOOT, "bad.sql:5",
                     "a row of t has 1 values, and should have 2", code=3)

    def test_what_is_not_whole(self):
        """
        A program that is stopped between two statements leaves a script that says nothing of it but by what is missing.
        """
        rows, postgres = ("INSERT INTO t VALUES (1,'a');\n",
                          "--\n-- PostgreSQL database dump\n--\nCREATE TABLE public.t (id integer, v text);\n")
        sqlite = ("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);\n"
                  + rows)
        for head, text, words in ((self.HEAD, rows, ("bad.sql:4", 'no "-- Dump completed"')),
                                  (postgres, rows, ('no "-- PostgreSQL database dump complete"',)),
                                  (sqlite, "", ('no "COMMIT;"',)),
                                  (sqlite, "ROLLBACK; -- due to errors\n", ("bad.sql:5", "ROLLBACK takes")),
                                  (postgres, rows + "DROP SCHEMA public CASCADE;\n",
                                   ("bad.sql:6", "a schema or a database is dropped"))):
            with self.subTest(head=head, text=text):
                self.refused(text, *words, head=head)

    def test_one_dump_behind_another(self):
        """What is dropped and made again has the rows of the second dump alone, as a server would have it."""
        second = self.HEAD.replace("CREATE TABLE",
                                   "DROP TABLE IF EXISTS `t`;\nCREATE TABLE").replace(", PRIMARY KEY (`id`)", "")
        dump = self.script("two.sql", self.HEAD + "INSERT INTO t VALUES (1,'old'),(2,'old');\n" + self.FOOT + second
                           + "INSERT INTO `t` VALUES (1,'new');\n" + self.FOOT)
        self.assertEqual(contents(self.copied(dump, "two.db"))["t"][1], ["(1, b'new')"])

    def test_schemas_of_an_older_pg_dump(self):
        """Before 10.3 it said once where names stand, and then names alone."""
        made = "SET search_path = %s, pg_catalog;\nCREATE TABLE t (id integer NOT NULL, v text);\n"
        copied = ("SET search_path = %s, pg_catalog;\nCOPY t (id, v) FROM stdin;\n%s\n\\.\nALTER TABLE ONLY t ADD "
                  "CONSTRAINT t_pkey PRIMARY KEY (id);\n")
        spaces = (("app", "1\ta"), ("public", "2\tb"), ('"Odd one"', "3\tc"))
        dump = self.script("old.sql", "SET client_encoding = 'UTF8';\n" + "".join(made % space
            for space, _ in spaces) + "".join(copied % pair for pair in spaces))
        found = contents(self.copied(dump + "?dialect=postgres", "old.db"))
        self.assertEqual({name: rows for name, (_, rows) in found.items()},
                         {"t": ["(2, b'b')"], "app.t": ["(1, b'a')"], "Odd one.t": ["(3, b'c')"]})

    def test_line_breaks_of_windows(self):
        """They end the lines of COPY, and are no part of the last value."""
        text = ("SET client_encoding = 'UTF8';\nCREATE TABLE public.t (id integer, v text);\nCOPY public.t (id, "
                "v) FROM stdin;\n1\ta\n2\tb\\r\n\\.\n")
        dump = self.script("windows.sql", text.replace("\n", "\r\n"))
        self.assertEqual(contents(self.copied(dump + "?dialect=postgres", "windows.db"))["t"][1],
                         ["(1, b'a')", "(2, b'b\\r')"])

    def test_files(self):
        for name, content, words in (("utf16.sql", "PRAGMA".encode("utf-16"), "UTF-16"),
                                     ("noise", b"\0\1\2", "no SQL script"),
                                     ("empty.sql", b"", "which database"),
                                     ("db", b"SQLite format 3\0" + bytes(84), "sqlite: before it")):
            with self.subTest(name=name):
                said = self.run_program("migrate", self.script(name, content), "sqlite:x.db", code=2).err
                self.assertIn(words, said)
        self.assertIn("can't be read", self.run_program("migrate", "dump:none.sql", "sqlite:x.db", code=2).err)
        self.assertIn("can't be a target", self.run_program("init", "sqlite:x.db", "dump:y.sql", code=2).err)

    def test_a_value_that_is_none_is_a_reject_with_its_line(self):
        dump = self.script("values.sql", self.HEAD + "INSERT INTO t VALUES (1,'a'),\n('x','b'),\n(3,now()),(4,'d');\n"
                           + self.FOOT)
        self.run_program("migrate", dump, "sqlite:" + self.path("values.db"), code=1)
        found = self.rejects()
        self.assertEqual(len(found), 2)
        self.assertIn("values.sql:5: the value of id is no whole number", str(found[0]))
        self.assertIn("values.sql:6: the value of v is an expression", str(found[1]))

    def test_rows_larger_than_the_limit(self):
        dump = self.script("long.sql", self.HEAD + "INSERT INTO t VALUES (1,'%s');\n" % ("x" * (3 << 20)) + self.FOOT)
        self.assertIn("long.sql:4: a row is larger than record_bytes",
                      self.run_program("migrate", dump + "?record_bytes=1MiB", "sqlite:" + self.path("a.db"),
                                       code=2).err)
        self.run_program("migrate", dump, "sqlite:" + self.path("a.db"))

    def test_a_long_line_in_little_memory(self):
        """One INSERT of 48 MB in one line is cut into chunks, and never held."""
        with open(self.path("line.sql"), "w", encoding="utf-8") as file:
            file.write(self.HEAD + "INSERT INTO `t` VALUES ")
            file.write(",".join("(%d,'%s')" % (number, "y" * 20) for number in range(1500000)))
            file.write(";\n" + self.FOOT)
        before = ("import resource, subprocess, sys; r = subprocess.run(sys.argv[1:]); "
                  "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(r.returncode)")
        said = subprocess.run([sys.executable, "-c", before, support.PROGRAM, "migrate", "--quiet",
                               "dump:" + self.path("line.sql"), "sqlite:" + self.path("line.db")],
                              cwd=self.folder, stdout=subprocess.PIPE, check=True, timeout=support.TIME_LIMIT_S).stdout
        self.assertLess(int(said.split()[-1]), 64 * 1024 * support.PATIENCE)
        db = sqlite3.connect(self.path("line.db"))
        self.assertEqual(db.execute("SELECT count(*), sum(id) FROM t").fetchone(), (1500000, 1500000 * 1499999 // 2))
        db.close()


class Mysql(SameAsLive, DumpCase, test_mysql.MysqlCase):
    GENERATED = ("edges.gen", "edges.virt", "edges.f4")   # and of floats a dump has six digits alone

    def live(self, name):
        return self.server.uri(name)

    def dumped(self, file, name, *options):
        text = self.server.ask_client(["mariadb-dump", *self.server._account(), *options, name])
        return self.script(file, text)

    def test_every_type(self):
        name = self.made(test_mysql.EDGES)
        dumps = [self.dumped("plain.sql", name), self.dumped("hex.sql", name, "--hex-blob", "--complete-insert"),
                 self.dumped("each.sql", name, "--skip-extended-insert", "--skip-opt"),
                 self.dumped("replace.sql", name, "--replace"),
                 self.dumped("ignore.sql", name, "--insert-ignore")]
        self.assert_same_as_live(name, dumps)

    def test_shapes(self):
        name = self.made(test_mysql.SHAPES)
        self.server.ask(name,
                        "CREATE VIEW v AS SELECT * FROM parent; CREATE TRIGGER tr BEFORE INSERT ON parent FOR EACH ROW "
                        "SET NEW.code = 'x;';")
        self.assert_same_as_live(name, [self.dumped("shapes.sql", name, "--routines", "--events"),
                                        self.dumped("named.sql", name, "--databases")])
        self.assertIn("1 trigger, 1 view", self.said.out)

    def test_a_zone_that_is_said(self):
        name = self.made("CREATE TABLE t (id int PRIMARY KEY, at timestamp NULL); INSERT INTO t VALUES (1, "
                         "'2024-07-01 12:00:00'), (2, NULL)")
        dump = self.dumped("zone.sql", name, "--skip-tz-utc")
        self.assertIn("time_zone=", self.run_program("migrate", dump, "sqlite:z.db", code=2).err)
        found = contents(self.copied(dump + "?time_zone=Europe/Paris", "zone.db"))
        self.assertIn("10:00:00", found["t"][1][0])

    def test_back_into_mariadb(self):
        """Types of the dump's own words are made again: enum, unsigned, decimal."""
        name, target = self.made(test_mysql.SHAPES), self.made()
        self.migrate(self.dumped("back.sql", name), self.server.uri(target))
        for table in ("nokey", "child", "ci", "keyed", "labels", "parted"):
            self.assertEqual(self.rows(name, table), self.rows(target, table), table)
        self.assertEqual(self.server.ask(target,
                                         "SELECT column_type FROM information_schema.columns WHERE table_schema = "
                                         "database() AND "
                                                 "table_name = 'ci' AND column_name = 'e'"), [["enum('z','y','x')"]])


class Postgres(SameAsLive, DumpCase, test_postgres.PostgresCase):
    GENERATED = ("edges.g",)

    def live(self, name):
        return self.server.uri(name)

    def dumped(self, file, name, *options):
        """The program of the server's own version; `file` is made by it."""
        subprocess.run([os.path.join(self.server.programs, "pg_dump"), "-h", "127.0.0.1", "-p", str(self.server.port),
                        "-U", "postgres",
                        "-f", self.path(file), *options, name], check=True, timeout=60)
        return "dump:" + self.path(file)

    def test_every_type(self):
        name = self.made(test_postgres.EDGES)
        dumps = [self.dumped("copy.sql", name), self.dumped("inserts.sql", name, "--inserts"),
                 self.dumped("columns.sql", name, "--column-inserts", "--rows-per-insert=2",
                             "--on-conflict-do-nothing"),
                 self.dumped("custom", name, "-Fc"), self.dumped("folder", name, "-Fd"),
                 self.dumped("tar", name, "-Ft")]
        self.assert_same_as_live(name, dumps)

    def test_shapes(self):
        """Partitions' rows are their parent's; sequences of columns are these columns' counters."""
        name = self.made(test_postgres.SHAPES)
        self.assert_same_as_live(name, [self.dumped("shapes.sql", name), self.dumped("again", name, "-Fc", "--create")])

    def test_back_into_postgres(self):
        """
        Types of the dump's own words are made again. A moment beyond what this program counts stays behind, with its
        key and line.
        """
        name, target = self.made(test_postgres.EDGES), self.made(test_postgres.TYPES)
        self.migrate(self.dumped("back.sql", name), self.server.uri(target), code=1)
        self.assertEqual([(reject["key"], reject["reason"].partition(": ")[2]) for reject in self.rejects()],
                         [({"id": 5}, "the value of ts is no timestamp without a zone")])
        columns = ", ".join("id b i2 i4 i8 o f4 f8 n n10 n2 t v c nm by d tm tz ts tsz iv u j jb m p ai at ip bits r "
                            "pt mo x tsv".split())
        asked = "SELECT (%s)::text FROM edges WHERE id < 5 ORDER BY id" % columns
        self.assertEqual(self.server.psql(name, asked), self.server.psql(target, asked))
        types = ("SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute WHERE attrelid = "
                 "'edges'::regclass AND attnum > 0 "
                 "AND attname <> 'g' ORDER BY attname")
        self.assertEqual(self.server.psql(name, types), self.server.psql(target, types))


if __name__ == "__main__":
    unittest.main()
