"""CSV folders, both ways: every kind of value, dialects, chunks, types learned from all rows.

What was written is read by Python's csv module and by the sqlite3 shell, never by the program.
"""
import csv
import gzip
import io
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import unittest

import support


class CsvTestCase(support.TestCase):
    def put(self, name, contents):
        """A file of these bytes; its folders are made."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(contents if isinstance(contents, bytes) else contents.encode())
        return path

    def migrate(self, source, target, *options, code=0, **more):
        state = "state-%d" % len(os.listdir(self.folder))
        self.state = self.path(state)
        return self.run_program("migrate", "--state", state, *options, source, target, code=code, **more)

    def reasons(self):
        return [reject["reason"] for reject in self.rejects(self.state)]

    def rows(self, database="copy.db", table="t", order="rowid"):
        db = sqlite3.connect(self.path(database))
        rows = db.execute("SELECT * FROM %s ORDER BY %s" % (support.quoted(table), order)).fetchall()
        db.close()
        return rows

    def declared(self, database="copy.db", table="t"):
        db = sqlite3.connect(self.path(database))
        types = {row[1]: row[2] for row in db.execute("PRAGMA table_info(%s)" % support.quoted(table))}
        db.close()
        return types

    def files(self, *names):
        folder = self.path(*names)
        return sorted(os.path.join(folder, name) for name in os.listdir(folder))

    def read_back(self, folder, table, **dialect):
        """(names, rows) of a written table, by Python's csv module."""
        names, rows = None, []
        for path in self.files(folder, table):
            text = "\n".join(support.read_lines(path)) + "\n"
            found = list(csv.reader(io.StringIO(text, newline=""), strict=True, **dialect))
            self.assertIn(names, (None, found[0]))
            names = found[0]
            rows += found[1:]
        return names, rows


# Every kind of value that SQLite has, and texts that look like others.
EDGES = [
    None, "", " ", "a", "a,b", "\"", "\"\"", "a\"b", "line\nbreak", "cr\rlf\r\n", "\ttab", "NULL", "\\N", "-",
    "0", "007", "12", "-12", "1.5", "1e5", "1e400", "-0", "NaN", "Infinity", "nan", "true", "\\x00ff", "#c",
    "\ufefffirst", "\u00e9\U0001f411", "nul\0byte", "2024-01-31", "2024-01-31 10:00:00", "x" * 100000,
    0, 1, -1, 5, 2 ** 63 - 1, -2 ** 63, 2 ** 53 + 1, 0.0, -0.0, 0.1, 5.0, 1.98, 1 / 3, 1e21, 1e-7, 1e300, 5e-324,
    float("inf"), float("-inf"), b"", b"\0\xff", b"text", b"\\x00", bytes(range(256)),
]
DECLARED = ["INTEGER", "REAL", "NUMERIC(10,2)", "TEXT", "BLOB", "", "BOOLEAN", "DATE", "NUMERIC"]


def dump(path):
    """{table: sorted rows as (typeof, value) pairs}, whatever the declared types."""
    db = support.open_sqlite(path)
    tables = {}
    for (kind, name) in support.schema_objects(db):
        if kind != b"table":
            continue
        tables[name] = sorted(map(repr, support.table_rows(db, name.decode())))
    db.close()
    return tables


class Values(CsvTestCase):
    def make_edges(self):
        db = sqlite3.connect(self.path("edges.db"))
        for number, declared in enumerate(DECLARED):
            db.execute("CREATE TABLE t%d(id INTEGER PRIMARY KEY, v %s, w %s)" % (number, declared, declared))
            for at, value in enumerate(EDGES):
                db.execute("INSERT INTO t%d VALUES (?, ?, ?)" % number, (at, value, EDGES[-at]))
        db.commit()
        db.close()

    def test_every_value_comes_back_with_its_type(self):
        self.make_edges()
        for options in ("", "?delimiter=tab", "?escape=backslash", "?line_end=crlf", "?quote=single&delimiter=;",
                        "?null=\\N", "?compression=gzip", "?encoding=utf-16", "?bytes=base64&bom=yes", "?line_end=cr"):
            with self.subTest(options=options):
                folder = "out-%d" % len(os.listdir(self.folder))
                self.migrate("edges.db", "csv:" + folder + options)
                self.migrate("csv:" + folder, "sqlite:back-%s.db" % folder)
                self.assertEqual(dump(self.path("edges.db")), dump(self.path("back-%s.db" % folder)))

    def test_typed_tables_keep_their_types(self):
        support.make_sqlite(self.path("source.db"), """
            CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, price NUMERIC(10,2), r REAL, data BLOB, flag BOOLEAN);
            INSERT INTO t VALUES (1, 'a', 1.5, 2.0, x'00ff', 1), (2, '12', 7, -0.0, x'', 0), (3, NULL, NULL, NULL, NULL, NULL),
                                 (4, '', 0.01, 1e300, x'5c78', 1);""")
        self.migrate("source.db", "csv:out")
        self.migrate("csv:out", "sqlite:copy.db")
        self.assertEqual(self.declared("source.db"), self.declared())
        self.assertEqual(dump(self.path("source.db")), dump(self.path("copy.db")))
        with open(self.files("out", "t")[0], encoding="utf-8") as file:
            self.assertEqual(file.read(), "id,name,price,r,data,flag\n1,a,1.5,2,\\x00ff,true\n2,\"12\",7,0,\\x,false\n"
                                          "3,,,,,\n4,\"\",0.01,1e+300,\\x5c78,true\n")

    def test_what_a_typed_table_computes_may_be_of_any_type(self):
        """SQLite checks the types of what is written, not of what it computes."""
        computed = "".join(", %s%d %s AS (a) %s" % (kind[0].lower(), stored, kind, ("VIRTUAL", "STORED")[stored])
                           for kind in ("BLOB", "INTEGER", "TEXT", "REAL") for stored in (0, 1))
        support.make_sqlite(self.path("shop.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, a ANY%s) STRICT;"
                            "INSERT INTO t (id, a) VALUES (1, 'word'), (2, -93), (3, 0.5), (4, x'00ff'), (5, ''), (6, "
                            "NULL), (7, '7');" % computed)
        for target in ("csv:out?bytes=base64", "jsonl:out"):
            with self.subTest(target):
                shutil.rmtree(self.path("out"), ignore_errors=True)
                state = target.split(":")[0]
                self.run_program("migrate", "--state", state, "shop.db", target)
                self.run_program("migrate", "--state", "back-" + state, target.split("?")[0], state + ".db")
                rows = [sqlite3.connect(self.path(name)).execute("SELECT * FROM t ORDER BY id").fetchall()
                        for name in ("shop.db", state + ".db")]
                self.assertEqual(*rows)

    def test_the_music_shop_there_and_back(self):
        support.musicshop(self.path("shop.db"))
        for options in ("", "?compression=zstd"):
            self.migrate("shop.db", "csv:out" + options, "--chunk-rows", "700")
            self.migrate("csv:out", "sqlite:copy.db", "--chunk-rows", "300", "--jobs", "3")
            self.assertEqual(dump(self.path("shop.db")), dump(self.path("copy.db")))
            shutil.rmtree(self.path("out"))
            os.remove(self.path("copy.db"))

    def test_python_reads_what_was_written(self):
        generator = random.Random(support.SEED)
        letters = "ab,\"\n\r\t'\\\u00e9 0"
        rows = [(i, "".join(generator.choices(letters, k=generator.randrange(12))),
                 generator.random() * 10 ** generator.randrange(-20, 20))
                for i in range(3000)]
        db = sqlite3.connect(self.path("source.db"))
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, r REAL)")
        db.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
        db.commit()
        db.close()
        for options, dialect in (("", {}), ("?delimiter=tab&quote=single", {"delimiter": "\t", "quotechar": "'"}),
                                 ("?escape=backslash", {"escapechar": "\\", "doublequote": False})):
            with self.subTest(options=options):
                shutil.rmtree(self.path("out"), ignore_errors=True)
                self.migrate("source.db", "csv:out" + options, "--chunk-rows", "500")
                names, found = self.read_back("out", "t", **dialect)
                self.assertEqual(names, ["id", "v", "r"])
                self.assertEqual(sorted((int(i), v, float(r)) for i, v, r in found), rows)

    def test_the_sqlite_shell_reads_what_was_written(self):
        support.musicshop(self.path("shop.db"))
        self.migrate("shop.db", "csv:out")
        source = sqlite3.connect(self.path("shop.db"))
        (schema,) = source.execute("SELECT sql FROM sqlite_schema WHERE name = 'Track'").fetchone()
        # the shell knows no nulls: it makes empty texts of them
        wanted = [tuple("" if value is None else value for value in row)
                  for row in source.execute("SELECT * FROM Track ORDER BY TrackId")]
        source.close()
        support.make_sqlite(self.path("copy.db"), schema)
        for path in self.files("out", "Track"):
            subprocess.run(["sqlite3", self.path("copy.db"), ".mode csv", ".import --skip 1 '%s' Track" % path],
                           check=True, timeout=60)
        self.assertEqual(self.rows(table="Track", order="TrackId"), wanted)

    def test_digits_are_the_shortest(self):
        support.make_sqlite(self.path("source.db"), """
            CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL);
            INSERT INTO t VALUES (1, 0.1), (2, 1e22), (3, 123456789.123), (4, 0.30000000000000004), (5, 100.0);""")
        self.migrate("source.db", "csv:out")
        self.assertEqual(self.read_back("out", "t")[1],
                         [["1", "0.1"], ["2", "1e+22"], ["3", "123456789.123"], ["4", "0.30000000000000004"],
                          ["5", "100"]])


class Types(CsvTestCase):
    def types(self, text, options="", name="t.csv"):
        self.put(name, text)
        for database in ("copy.db",):
            if os.path.exists(self.path(database)):
                os.remove(self.path(database))
        self.migrate("csv:t.csv" + options, "sqlite:copy.db")
        return self.declared()

    def test_types_are_learned(self):
        types = self.types("a,b,c,d,e,f,g,h\n"
                           "1,1.50,x,2024-01-31,2024-01-31T10:00:00,007,1e30,\n"
                           "-2,10,\"\",2024-02-29,2024-01-31T10:00:00.5,8,2,\n")
        self.assertEqual(types, {"a": "INTEGER", "b": "NUMERIC(4,2)", "c": "TEXT", "d": "TEXT", "e": "TEXT",
                                 "f": "TEXT", "g": "REAL", "h": "TEXT"})
        self.assertEqual(self.rows(), [(1, 1.5, "x", "2024-01-31", "2024-01-31T10:00:00", "007", 1e30, None),
                                       (-2, 10, "", "2024-02-29", "2024-01-31T10:00:00.5", "8", 2.0, None)])

    def test_a_late_change_widens(self):
        lines = "".join("%d,%d,%d\n" % (i, i, i) for i in range(200000))
        self.assertEqual(self.types("a,b,c\n" + lines + "200000,1.25,n/a\n"),
                         {"a": "INTEGER", "b": "NUMERIC(8,2)", "c": "TEXT"})
        self.assertEqual(self.rows()[-1], (200000, 1.25, "n/a"))
        self.assertEqual(self.rows()[7], (7, 7, "7"))
        result = self.run_program("check", "csv:t.csv", "sqlite:other.db")
        text = " ".join(result.out.split())
        self.assertIn("a int64, b decimal(8,2), c text", text)
        self.assertIn("\"n/a\" (t.csv:200002) is text", text)

    def test_a_late_change_of_a_declared_type_is_a_reject(self):
        lines = "".join("%d,%d\n" % (i, i) for i in range(200000))
        self.put("t.csv", "a,b\n" + lines + "200000,n/a\n200001,3\n")
        self.migrate("csv:t.csv?types=a:int64,b:int64", "sqlite:copy.db", code=1)
        self.assertEqual(len(self.rows()), 200001)
        reject, = self.rejects(self.state)
        self.assertIn("t.csv:200002: column b: \"n/a\" is no whole number", reject["reason"])
        self.assertIn("200000,n/a", json.dumps(reject))

    def test_declared_types(self):
        self.put("t.csv", "a,b,c,d,e,f\n1,007,true,2024-01-31 10:00:00,\\x00ff,9b2e4f3c-0000-4000-8000-00000000000A\n")
        self.migrate("csv:t.csv?types=a:text,b:int64,c:bool,d:timestamp,e:bytes,f:uuid", "sqlite:copy.db")
        self.assertEqual(self.rows(), [("1", 7, 1, "2024-01-31T10:00:00", b"\0\xff",
                                        "9b2e4f3c-0000-4000-8000-00000000000a")])
        self.migrate("csv:t.csv?infer=no", "sqlite:text.db")
        self.assertEqual(self.rows("text.db")[0][:3], ("1", "007", "true"))
        result = self.migrate("csv:t.csv?types=a:number", "sqlite:x.db", code=2)
        self.assertIn("types=", result.err)
        result = self.run_program("check", "csv:t.csv?types=zz:text", "sqlite:x.db", code=2)
        self.assertIn("no table has a column zz", result.err)

    def test_nulls(self):
        self.put("t.csv", "a,b\n,\"\"\n1,\n")
        self.migrate("csv:t.csv", "sqlite:copy.db")
        self.assertEqual(self.rows(), [(None, ""), (1, None)])
        self.put("t.csv", "a,b\n\\N,\n1,\"\\N\"\n")
        self.migrate("csv:t.csv?null=\\N", "sqlite:other.db")
        self.assertEqual(self.rows("other.db"), [(None, ""), (1, "\\N")])

    def test_a_table_of_one_column(self):
        self.put("t.csv", "a\n1\n\n3\n")
        self.migrate("csv:t.csv", "sqlite:copy.db")
        self.assertEqual(self.rows(), [(1,), (None,), (3,)])
        self.migrate("copy.db", "csv:out")
        with open(self.files("out", "t")[0], encoding="utf-8") as file:
            self.assertEqual(file.read(), "a\n1\n\n3\n")


class Places(CsvTestCase):
    def test_files_and_folders(self):
        self.put("in/one.csv", "a\n1\n")
        self.put("in/two/x.csv", "a,b\n1,x\n")
        self.put("in/two/y.csv.gz", gzip.compress(b"b,a\ny,2\n"))
        self.put("in/two/empty.csv", "")
        self.migrate("csv:in", "sqlite:copy.db")
        self.assertEqual(self.rows(table="one"), [(1,)])
        self.assertEqual(self.rows(table="two", order="a"), [(1, "x"), (2, "y")])

    def test_columns_of_files_must_agree(self):
        self.put("in/two/x.csv", "a,b\n1,x\n")
        self.put("in/two/y.csv", "a,c\n1,x\n")
        result = self.migrate("csv:in", "sqlite:copy.db", code=2)
        self.assertIn("y.csv", result.err)
        self.assertIn("no column \"b\"", result.err)

    def test_names_of_columns(self):
        self.put("t.csv", "a,\"b \"\"x\"\"\",,a\n1,2,3,4\n")
        result = self.migrate("csv:t.csv", "sqlite:copy.db", code=2)
        self.assertIn("two columns are called \"a\"", result.err)
        self.put("t.csv", "a,\"b \"\"x\"\"\",\n1,2,3\n")
        self.migrate("csv:t.csv", "sqlite:copy.db")
        self.assertEqual(list(self.declared()), ["a", "b \"x\"", "c3"])
        self.put("t.csv", "1,2\n3,4\n")
        self.migrate("csv:t.csv?header=no", "sqlite:bare.db")
        self.assertEqual((list(self.declared("bare.db")), self.rows("bare.db")), (["c1", "c2"], [(1, 2), (3, 4)]))

    def test_many_chunks_with_breaks_inside_of_quotes(self):
        generator = random.Random(support.SEED)
        rows = [[str(i), "".join(generator.choices(["a", "\n", "\"", ",", "1,2\n", "\r\n"], k=generator.randrange(30)))]
                for i in range(20000)]
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows([["id", "v"]] + rows)
        self.put("t.csv", text.getvalue())
        self.migrate("csv:t.csv", "sqlite:copy.db", "--chunk-rows", "200", "--jobs", "3")
        # an empty field that is not quoted is a null
        wanted = [(int(i), v or None) for i, v in rows]
        self.assertEqual(self.rows(order="id"), wanted)
        db = sqlite3.connect(self.path("copy.db"))
        chunks = db.execute("SELECT value ->> 'chunks' FROM _transhume_ledger WHERE name LIKE 'run/%/head'").fetchone()[
            0]
        db.close()
        self.assertGreater(chunks, 50)

    def test_encodings(self):
        rows = "name,n\nM\u00fcller,1\n\u00e9\u00e8,2\n"
        for encoding, options in (("latin1", "?encoding=latin1"), ("cp1252", "?encoding=windows-1252"),
                                  ("utf-8-sig", ""), ("utf-16", ""), ("utf-16-le", "?encoding=utf-16le"),
                                  ("utf-32", "?encoding=utf-32")):
            with self.subTest(encoding=encoding):
                self.put("t.csv", rows.encode(encoding))
                self.migrate("csv:t.csv" + options, "sqlite:%s.db" % encoding)
                self.assertEqual(self.rows("%s.db" % encoding), [("M\u00fcller", 1), ("\u00e9\u00e8", 2)])
                self.migrate("%s.db" % encoding, "csv:out-%s%s" % (encoding, options))
                with open(self.files("out-" + encoding, "t")[0], "rb") as file:
                    wanted = encoding if options else "utf-8"
                    self.assertEqual(file.read().decode(wanted), rows)

    def test_encodings_that_are_shorter_than_utf8(self):
        """What a file holds is more bytes in UTF-8 than in the file: its end is the file's all the same."""
        for encoding, letter in (("latin1", "\u00fc"), ("windows-1252", "\u20ac"), ("koi8-r", "\u0448"),
                                 ("gb18030", "\u6f22"), ("utf-16le", "\u6f22"), ("utf-16", "\u6f22")):
            for rows in (1, 20, 30000):
                with self.subTest(encoding=encoding, rows=rows):
                    wanted = [(number, letter * 9) for number in range(rows)]
                    text = "id,a\n" + "".join("%d,%s\n" % row for row in wanted)
                    self.put("t.csv", text.encode(encoding))
                    name = "%s-%d.db" % (encoding, rows)
                    self.migrate("csv:t.csv?encoding=" + encoding, "sqlite:" + name)
                    self.assertEqual(self.rows(name), wanted)

    def test_a_character_that_the_encoding_has_not(self):
        self.put("t.csv", "name\nfine\n\U0001f411\n")
        self.migrate("csv:t.csv", "csv:out?encoding=latin1", code=1)
        self.assertEqual(self.read_back("out", "t")[1], [["fine"]])
        self.assertIn("has not all of the record's characters", self.reasons()[0])

    def test_a_resume_finds_the_same_chunks(self):
        self.put("t.csv", "id,v\n" + "".join("%d,\"a\nb%d\"\n" % (i, i) for i in range(20000)))
        result = support.kill_at("engine.after_commit", 7, "migrate", "--chunk-rows", "200", "--state", "state",
                                 "csv:t.csv", "sqlite:copy.db", cwd=self.folder)
        self.assertEqual(result.code, -9)
        self.run_program("resume", "--state", "state")
        self.assertEqual(self.rows(order="id"), [(i, "a\nb%d" % i) for i in range(20000)])

    def test_a_file_that_changed_stops_a_resume(self):
        self.put("t.csv", "id\n" + "".join("%d\n" % i for i in range(20000)))
        result = support.kill_at("engine.after_commit", 3, "migrate", "--chunk-rows", "200", "--state", "state",
                                 "csv:t.csv", "sqlite:copy.db", cwd=self.folder)
        self.assertEqual(result.code, -9)
        self.put("t.csv", "id\n" + "".join("%d\n" % (2 * i) for i in range(20000)))
        result = self.run_program("resume", "--state", "state", code=1)
        self.assertIn("starts over", result.err)
        self.assertEqual(self.rows(order="id"), [(2 * i,) for i in range(20000)])


class BadInput(CsvTestCase):
    def check_rejects(self, contents, good, reasons, options="?types=a:int64,b:text", name="t.csv"):
        self.put(name, contents)
        if os.path.exists(self.path("copy.db")):
            os.remove(self.path("copy.db"))
        result = self.migrate("csv:" + name + options, "sqlite:copy.db", code=1 if reasons else 0)
        self.assertEqual(self.rows(), good)
        found = self.reasons()
        self.assertEqual(len(found), len(reasons), found)
        for reason, wanted in zip(sorted(found), sorted(reasons)):
            self.assertTrue(reason.startswith(wanted), (reason, wanted))
        return result

    def test_ragged_rows(self):
        self.check_rejects("a,b\n1,x\n2\n3,y,z\n4,w\n", [(1, "x"), (4, "w")],
                           ["t.csv:3: the record has 1 fields and not 2", "t.csv:4: the record has 3 fields and not 2"])
        self.assertEqual(sorted(json.dumps(reject["key"]) for reject in self.rejects(self.state)),
                         ['{"$file": "t.csv", "$line": %d}' % line for line in (3, 4)])
        whole = {json.dumps(reject["record"]) for reject in self.rejects(self.state)}
        self.assertTrue(any("3,y,z" in text for text in whole), whole)

    def test_data_that_is_no_file(self):
        """A folder with a link, a pipe or a device where data should be is refused; it was once taken for empty."""
        for kind in ("link", "dangling", "pipe", "folder"):
            for scheme, name in (("csv", "t.csv"), ("jsonl", "t.jsonl"), ("dynamodb-json", "t/a.json")):
                with self.subTest(kind=kind, scheme=scheme):
                    source = "in-%s-%s" % (kind, scheme)
                    there = self.path(source, "t" if kind == "folder" else name)
                    os.makedirs(os.path.dirname(there))
                    self.put("real/x" + os.path.splitext(name)[1], "a\n1\n")
                    if kind == "pipe":
                        os.mkfifo(there)
                    else:
                        os.symlink({"link": self.path("real", "x.csv"), "dangling": "nowhere",
                                    "folder": self.path("real")}[kind], there)
                    result = self.migrate("%s:%s" % (scheme, source), "jsonl:out-%s-%s" % (kind, scheme), code=2)
                    self.assertIn("which is not read", result.err)
                    self.assertIn(os.path.relpath(there, self.folder), result.err)

    def test_records_without_any_field(self):
        for contents in ("", "{}\n{}\n"):
            self.put("none/t.jsonl", contents)
            result = self.migrate("jsonl:none", "csv:out-none", code=2)
            self.assertIn("a table needs at least one column", result.err)

    def test_a_quote_that_is_never_closed(self):
        self.check_rejects("a,b\n1,x\n2,\"lost\n3,y\n4,z\n", [(1, "x"), (3, "y"), (4, "z")],
                           ["t.csv:3: a quote is opened here and not closed as it should be"])
        self.check_rejects("a,b\n1,\"lost\n2,\"fine\"\n3,\"also\nfine\"\n", [(2, "fine"), (3, "also\nfine")],
                           ["t.csv:2: a quote is opened here"])

    def test_a_quote_that_is_never_closed_in_a_large_file(self):
        lines = "".join("%d,text %d\n" % (i, i) for i in range(3, 300000))
        self.check_rejects("a,b\n1,x\n2,\"lost\n" + lines,
                           [(1, "x")] + [(i, "text %d" % i) for i in range(3, 300000)],
                           ["t.csv:3: a quote is opened here"])
        self.check_rejects("a,b\n1,x\n2,\"lost\n" + lines,
                           [(1, "x")] + [(i, "text %d" % i) for i in range(3, 300000)],
                           ["t.csv:3: a quote is opened here"], "?types=a:int64,b:text&record_bytes=4KiB")

    def test_stray_quotes_and_bytes(self):
        self.check_rejects(b"a,b\n1,5\" pipe\n2,\"x\"y\n3,a\rb\n4,a\0b\n5,\"a\0\rb\"\n6,ok\n",
                           [(5, "a\0\rb"), (6, "ok")],
                           ["t.csv:2: a quote stands in a field", "t.csv:3: a quoted field is followed by neither",
                            "t.csv:4: a carriage return stands alone", "t.csv:5: a NUL byte stands outside of quotes"])

    def test_a_wrong_encoding(self):
        self.check_rejects("a,b\n1,x\n2,M\u00fcller\n".encode("latin1"), [(1, "x")],
                           ["t.csv:3: column b: \"M\\xfcller\" is not valid in the encoding"])
        self.check_rejects("a,b\n1,x\n".encode("utf-16"), [(1, "x")], [])
        self.put("t.csv", "\u00fc,b\n1,x\n".encode("latin1"))
        result = self.migrate("csv:t.csv", "sqlite:other.db", code=2)
        self.assertIn("?encoding=", result.err)
        # UTF-16 without a BOM has a NUL in each character of its first line
        self.put("t.csv", "a,b\n1,x\n".encode("utf-16-le"))
        result = self.migrate("csv:t.csv", "sqlite:other.db", code=2)
        self.assertIn("encoding", result.err)

    def test_marks_and_ends(self):
        self.check_rejects(b"\xef\xbb\xbfa,b\r\n1,x\r\n2,\"y\"", [(1, "x"), (2, "y")], [])
        self.check_rejects("a,b\n\n1,x\n\n\n2,y\n\n", [(1, "x"), (2, "y")], [])
        self.check_rejects("a,b\r1,x\r2,y\r", [(1, "x"), (2, "y")], [], "?line_end=cr&types=a:int64,b:text")
        self.check_rejects("# head\na,b\n#1,z\n1,x\n", [(1, "x")], [], "?comment=hash&types=a:int64,b:text")

    def test_a_line_beyond_the_limit(self):
        self.check_rejects("a,b\n1,x\n2," + "y" * 5000000 + "\n3,z\n", [(1, "x"), (3, "z")],
                           ["t.csv:3: the line is longer than the largest record"],
                           "?types=a:int64,b:text&record_bytes=1MiB")

    def test_a_field_of_a_gibibyte_in_little_memory(self):
        with open(self.path("t.csv"), "wb") as file:
            file.write(b"a,b\n1,x\n2,\"")
            file.seek(1 << 30, os.SEEK_CUR)  # a hole: NUL bytes, which may stand within quotes
            file.write(b"\"\n3,z\n")
        report = self.path("report.json")
        done = subprocess.run([os.path.join(support.BUILD, "measure"), report, support.PROGRAM, "migrate", "--state",
                               "state", "csv:t.csv?types=a:int64,b:text", "sqlite:copy.db"], cwd=self.folder,
                              timeout=300,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.state = self.path("state")
        with open(report, encoding="utf-8") as file:
            run = json.load(file)
        self.assertEqual(run["exit"], 1, done.stdout)
        self.assertEqual(self.rows(), [(1, "x"), (3, "z")])
        self.assertTrue(self.reasons()[0].startswith("t.csv:3: the line is longer"), self.reasons())
        if not os.environ.get("TRANSHUME_SANITIZE"):
            self.assertLess(run["peak_kib"], 64 * 1024)

    def test_a_gzip_that_ends_early(self):
        whole = gzip.compress("".join(["a,b\n"] + ["%d,text\n" % i for i in range(50000)]).encode())
        self.put("t.csv.gz", whole[:len(whole) // 2])
        result = self.migrate("csv:t.csv.gz", "sqlite:copy.db", code=3)
        self.assertIn("t.csv.gz", result.err)
        self.assertNotIn("\n\n\n", result.err)

    def test_empty_files(self):
        self.put("in/t.csv", "")
        result = self.migrate("csv:in", "sqlite:copy.db", code=2)
        self.assertIn("empty", result.err)
        self.put("in/t.csv", "a,b\n")
        self.migrate("csv:in", "sqlite:copy.db")
        self.assertEqual(self.rows(), [])

    def test_options(self):
        self.put("t.csv", "a\n1\n")
        for options, words in (("?delimiter=ab", "delimiter"), ("?delimiter=,&quote=,", "different"),
                               ("?encoding=utf-99", "utf-99"), ("?record_bytes=1", "record_bytes"),
                               ("?null=a,b", "null"), ("?delimeter=;", "delimiter"), ("?escape=caret", "escape")):
            with self.subTest(options=options):
                result = self.migrate("csv:t.csv" + options, "sqlite:copy.db", code=2)
                self.assertIn(words, result.err)
                self.assertFalse(os.path.exists(self.path("copy.db")))

    def test_another_delimiter_is_doubted(self):
        self.put("t.csv", "a;b\n1;2\n")
        result = self.run_program("check", "csv:t.csv?delimiter=comma", "sqlite:copy.db")
        self.assertIn("did you mean ?delimiter=semicolon", " ".join(result.out.split()))

    def test_a_definition_that_is_not_understood(self):
        support.make_sqlite(self.path("source.db"), "CREATE TABLE t(a INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);")
        self.migrate("source.db", "csv:out")
        path = self.path("out", "_transhume", "tables", "t.json")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for wrong in ("{", "[]", text.replace("int64", "int65"), text.replace("\"format\": 1", "\"format\": 2"),
                      text.replace("\"delimiter\": \",\"", "\"delimiter\": \"zz\"")):
            self.assertNotEqual(wrong, text)
            self.put(path, wrong)
            result = self.migrate("csv:out", "sqlite:copy.db", code=5 if "\"format\": 2" in wrong else 2)
            self.assertIn("t.json", result.err)

    def test_a_resume_with_another_dialect_is_refused(self):
        """Else half of a table would be written one way and half another way."""
        support.make_sqlite(self.path("a.db"), """CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
            INSERT INTO t SELECT i, 'v' || i FROM n;""")
        for number, option in enumerate(("delimiter=;", "quote=single", "escape=backslash", "comment=%23", "header=no",
                                         "line_end=crlf", "bytes=base64", "null=NULL", "encoding=utf-16")):
            with self.subTest(option=option):
                out, state = "out%d" % number, "s%d" % number
                killed = support.kill_at("engine.after_commit", 1, "migrate", "--state", state, "--chunk-rows", "5",
                                         "a.db", "csv:%s?%s" % (out, option), cwd=self.folder)
                self.assertEqual(killed.code, -signal.SIGKILL)
                refused = self.run_program("resume", "--state", state, "a.db", "csv:" + out, code=3)
                self.assertIn("its files are written with another " + option.split("=")[0], refused.err)
                self.run_program("resume", "--state", state, "a.db", "csv:%s?%s" % (out, option))
                self.run_program("migrate", "--state", "b%d" % number, "csv:" + out, "back%d.db" % number)
                with sqlite3.connect(self.path("back%d.db" % number)) as db:
                    self.assertEqual(db.execute("SELECT * FROM t ORDER BY id").fetchall(),
                                     [(n, "v%d" % n) for n in range(1, 21)])
                db.close()

    def test_what_can_not_be_written(self):
        support.make_sqlite(self.path("source.db"), """
            CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'x,y'), (2, 'fine'), (3, CAST(x'ff' AS TEXT));""")
        self.migrate("source.db", "csv:out?quote=none", code=1)
        self.assertEqual(len(self.rejects(self.state)), 2)
        with open(self.files("out", "t")[0], encoding="utf-8") as file:
            self.assertEqual(file.read(), "a,b\n2,fine\n")


class Pipes(CsvTestCase):
    def pipe(self, data, *arguments, code=0):
        result = subprocess.run([support.PROGRAM, *arguments], input=data, cwd=self.folder,
                                timeout=60 * support.PATIENCE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=support.environment_with({}))
        self.assertEqual(result.returncode, code, result.stderr.decode())
        return result

    def test_standard_input(self):
        text = b"a,b\n" + b"".join(b"%d,\"x\ny\"\n" % i for i in range(5000))
        for number, data in enumerate((text, gzip.compress(text), text.decode().encode("utf-16"))):
            name = "x%d.db" % number
            self.pipe(data, "migrate", "--state", "s%d" % number, "--chunk-rows", "500", "csv:-?table=nums", name)
            self.assertEqual(self.rows(name, "nums"), [(i, "x\ny") for i in range(5000)])

    def test_standard_output(self):
        support.make_sqlite(self.path("a.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);"
                            "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
                            "INSERT INTO t SELECT i, 'a,\"' || i FROM n;")
        result = self.pipe(b"", "migrate", "--chunk-rows", "300", "--jobs", "3", "a.db", "csv:-")
        rows = list(csv.reader(io.StringIO(result.stdout.decode(), newline=""), strict=True))
        self.assertEqual(rows[0], ["id", "v"])
        self.assertEqual(sorted((int(i), v) for i, v in rows[1:]), [(i, "a,\"%d" % i) for i in range(1, 3001)])
        self.assertIn(b"at least once", result.stderr)

    def test_through_both(self):
        text = b"a,b\n1,1.50\n2,\n3,7.25\n"
        self.assertEqual(self.pipe(text, "migrate", "csv:-", "csv:-").stdout, text)


if __name__ == "__main__":
    unittest.main()
