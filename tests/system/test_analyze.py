"""transhume analyze: inputs, files, and the proof on a real Cassandra."""
import collections
import contextlib
import glob
import json
import os
import re
import signal
import sqlite3
import subprocess
import unittest
import zlib

import cassandra_server
import mariadb
import postgres
import support

QUERIES = """-- weight: 10
-- name: tracks of an album
SELECT t.TrackId, t.Name, a.Title, r.Name FROM Track t JOIN Album a ON a.AlbumId = t.AlbumId JOIN Artist r ON r.ArtistId = a.ArtistId
WHERE a.AlbumId = ? ORDER BY t.TrackId;
-- weight: 5
-- name: albums of an artist by name
SELECT a.AlbumId, a.Title FROM Album a JOIN Artist r ON r.ArtistId = a.ArtistId WHERE r.Name = ?;
-- weight: 8
-- name: newest invoices
SELECT * FROM Invoice WHERE CustomerId = ? ORDER BY InvoiceDate DESC LIMIT 3;
-- name: invoices of a time
SELECT InvoiceId, Total FROM Invoice WHERE CustomerId = ? AND InvoiceDate BETWEEN ? AND ?;
-- name: lines with their tracks
SELECT l.InvoiceLineId, l.Quantity, t.Name, g.Name FROM InvoiceLine l JOIN Track t ON t.TrackId = l.TrackId LEFT JOIN Genre g ON g.GenreId = t.GenreId
WHERE l.InvoiceId = ?;
-- name: customers of a country
SELECT CustomerId, FirstName, LastName FROM Customer WHERE Country = ? AND State IS NULL;
-- name: all genres
SELECT GenreId, Name FROM Genre ORDER BY Name;
-- name: searched names
SELECT TrackId FROM Track WHERE Name LIKE '%x%';
-- weight: 2
UPDATE Customer SET Email = ? WHERE CustomerId = ?;
-- weight: 3
INSERT INTO Invoice (InvoiceId, CustomerId, InvoiceDate, Total) VALUES (?, ?, ?, ?);
"""
ODD_TABLES = """CREATE TABLE "order" ("select" integer PRIMARY KEY, "my col" text, "a""b" text, "from" integer REFERENCES "order"("select"), "x'y" timestamp,
"line
break" text);
CREATE TABLE "Ünïcødé table" (id integer PRIMARY KEY, "order" integer REFERENCES "order"("select"), "日本語" text, "{x}" text, "$y" text, "<b>" text);
CREATE TABLE "-- x" (id integer PRIMARY KEY, "*/" integer, "a: b" text);
"""
ODD_QUERIES = """SELECT * FROM "Ünïcødé table" WHERE "日本語" = ? ORDER BY "{x}";
SELECT "my col" FROM "order" WHERE "a""b" = ? AND "x'y" > ?;
SELECT o."my col", u."{x}" FROM "order" o JOIN "Ünïcødé table" u ON u."order" = o."select" WHERE u."$y" = ?;
SELECT * FROM "order" WHERE "line
break" = ?;
SELECT * FROM "-- x" WHERE "*/" = ?;
UPDATE "order" SET "my col" = ? WHERE "select" = ?;
"""
READINGS = """-- name: newest
SELECT at, id FROM reading WHERE sensor = ? ORDER BY at DESC LIMIT 3;
-- name: oldest
SELECT at, id FROM reading WHERE sensor = ? ORDER BY at LIMIT 3;
-- name: of a time
SELECT id, note FROM reading WHERE sensor = ? AND at BETWEEN ? AND ? ORDER BY at;
-- name: of sensors
SELECT id FROM reading WHERE sensor IN (?, ?, ?);
-- name: of kinds
SELECT id, note FROM reading WHERE sensor = ? AND kind IN (?, ?, ?);
-- name: of kinds by note
SELECT id, note FROM reading WHERE sensor = ? AND kind IN (?, ?) ORDER BY note DESC, id LIMIT 5;
-- name: highest
SELECT id FROM reading WHERE kind = ? ORDER BY value DESC, id LIMIT 4;
-- name: by sensor and kind
SELECT note FROM reading WHERE sensor = ? AND kind = ? AND at >= ? ORDER BY at DESC LIMIT 2;
-- name: after a time
SELECT at FROM reading WHERE sensor = ? AND at > ? ORDER BY at LIMIT 3;
-- name: before a time
SELECT id FROM reading WHERE sensor = ? AND kind = ? AND at < ?;
-- name: small values
SELECT id, value FROM reading WHERE kind = ? AND value <= ? ORDER BY value, id LIMIT 10;
-- name: of a kind and a note
SELECT id FROM reading WHERE kind = ? AND note = ?;
-- name: of a word
SELECT id FROM odd WHERE word = ?;
-- name: of nothing
SELECT id FROM reading WHERE missing = ?;
-- name: everything
SELECT id, at FROM reading;
"""


def make_readings(path, rows):
    """Readings of four sensors: times that several rows share, texts that look like others."""
    notes = ("\\N", None, "2024-01-01 v1.50", "2024-01-01 v1.5", "a | b", "B", "a")
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript("CREATE TABLE odd (id INTEGER PRIMARY KEY, word TEXT); INSERT INTO odd VALUES (1, "
                         "'a' || char(0) || 'b')")
        db.execute("CREATE TABLE reading (id INTEGER PRIMARY KEY, sensor INTEGER NOT NULL, at TIMESTAMP NOT NULL, "
                   "kind TEXT NOT NULL, value INTEGER NOT NULL,"
                   " note TEXT, missing TEXT)")
        db.executemany("INSERT INTO reading VALUES (?, ?, ?, ?, ?, ?, NULL)",
                       [(number, number % 4, "2024-01-%02d %02d:00:00" % (number % 28 + 1, number % 24),
                         "k#%%%d" % (number % 5), number * 7 % 23,
                         notes[number % 7]) for number in range(1, rows + 1)])
        db.commit()


FILES = {"report.html", "report.md", "cassandra_schema.cql", "transhume.yaml"}


class Analyze(support.TestCase):
    def setUp(self):
        super().setUp()
        support.musicshop(self.path("shop.db"))

    def analyze(self, *arguments, code=0, out="out"):
        return self.run_program("analyze", *arguments, "--out", out, code=code)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def figure(self, printed, name):
        return float(re.search(name + r" +([0-9.]+)", printed).group(1))

    def test_a_live_database_without_queries(self):
        first = self.analyze("shop.db")
        self.assertLessEqual(FILES, set(os.listdir(self.path("out"))))
        self.assertEqual(self.figure(first.out, "answered by keys alone"), 100)
        self.assertEqual(self.figure(first.out, "requests a query"), 1)
        self.assertIn('CREATE TABLE IF NOT EXISTS "Invoice_by_CustomerId" (', self.read("out/cassandra_schema.cql"))
        again = self.analyze("shop.db", out="again")
        self.assertEqual(first.out, again.out)
        for name in FILES:
            self.assertEqual(self.read("out/" + name), self.read("again/" + name), name)

    def test_ddl_and_queries_of_files(self):
        cases = os.path.join(support.ROOT, "tests", "data", "design", "cases")
        done = self.analyze(os.path.join(cases, "orders.sql"), "--queries", os.path.join(cases, "orders.queries.sql"))
        self.assertIn("order_item_by_order_id", done.out)
        self.write("broken.sql",
                   "SELECT * FROM orders WHERE;\nSELECT * FROM nowhere WHERE a = 1;\nSELECT * FROM orders WHERE "
                   "id = 5;\n")
        done = self.analyze(os.path.join(cases, "orders.sql"), "--queries", "broken.sql")
        self.assertRegex(done.err, r"broken\.sql:1:\d+: ")
        self.assertRegex(done.err, r"broken\.sql:2:\d+: .*nowhere")
        self.assertIn("of 3 statements 1 could not be parsed, 1 name what the schema has not", done.err)

    def test_names_alone(self):
        self.write("names.json", json.dumps(["orders.id", "orders.customer_id", "orders.created_at", "customers.id",
                                             "customers.name", "größe.größe_id"]))
        done = self.analyze("names.json")
        self.assertIn("orders_by_customer_id ((customer_id)", done.out)
        self.assertNotIn("declaration", done.out)  # a list of names declares nothing
        self.assertIn("customers", self.read("out/transhume.yaml").split("tables:")[0])  # the guessed relation

    def test_what_the_copy_will_reject(self):
        self.write("schema.sql", "CREATE TABLE visit (page text, seen timestamp(6), who text);\n"
                                 "CREATE TABLE sale (id integer PRIMARY KEY, sold timestamp(3) NOT NULL, "
                                 "total numeric);\n"
                                 "CREATE TABLE act (id integer NOT NULL PRIMARY KEY, at timestamp NOT NULL);\n")
        done = self.analyze("schema.sql", "--dialect", "postgres")
        told = [line for line in done.out.splitlines() if line.startswith("caution: ")]
        self.assertEqual(len(told), 3, told)
        self.assertRegex(told[0], "visit has no key.* the others are rejected")
        self.assertRegex(told[1], "key of visit may be null.*: page, seen, who")
        self.assertRegex(told[2], r"finer time is rejected: act\.at, visit\.seen\.")
        for name in ("out/report.md", "out/report.html"):
            for line in told:
                self.assertIn(line[len("caution: "):].replace("'", "&#39;" if name.endswith("html") else "'"),
                              self.read(name))
        done = self.analyze("schema.sql", "--dialect", "postgres", "--for", "dynamodb")
        self.assertNotIn("finer time", done.out)
        self.assertIn("visit has no key", done.out)

    def test_the_report_has_each_target_that_is_wanted(self):
        self.write("queries.sql", QUERIES)
        self.analyze("shop.db", "--queries", "queries.sql")
        sections = ["Cassandra", "Queries of Cassandra", "What is stored twice", "DynamoDB", "Queries of DynamoDB",
                    "MongoDB", "Queries of MongoDB"]
        markdown, page = self.read("out/report.md"), self.read("out/report.html")
        self.assertEqual([name for name in re.findall("^## (.*)$", markdown, re.MULTILINE) if name in sections],
                         sections)
        self.assertEqual([name for name in re.findall("<h2 [^>]*>(.*)</h2>", page) if name in sections], sections)
        for text in ("Query Track, index by", "db.Track.find(", "logged batch"):
            self.assertIn(text, markdown)
            self.assertIn(text, page)
        self.analyze("shop.db", "--queries", "queries.sql", "--for", "mongodb", out="mongo")
        found = re.findall("^## (.*)$", self.read("mongo/report.md"), re.MULTILINE)
        self.assertEqual([name for name in found if name in sections], sections[5:])

    def test_what_cannot_be_analyzed(self):
        self.write("empty.json", "[]")
        self.write("bad.json", '["a.b", ')
        self.write("nothing.sql", "GRANT ALL ON x TO y;")
        self.write("other.sql", "SELECT 1;")
        os.mkdir(self.path("folder.sql"))
        for arguments, told in ((("empty.json",), "empty.json"), (("bad.json",), r"bad\.json:1:\d+|bad\.json.*line 1"),
                                (("nothing.sql",), "has no CREATE TABLE"), (("missing.sql",), "missing.sql"),
                                (("shop.db", "--queries", "other.sql"), "has no statement"),
                                (("shop.db", "--queries", "missing.log"), "missing.log"),
                                (("shop.db", "--prove"), "needs DST"),
                                (("folder.sql",), "folder.sql"),
                                (("shop.db", "--queries", "folder.sql"), "folder.sql")):
            done = self.analyze(*arguments, code=2)
            self.assertRegex(done.err, told)
            self.assertNotIn("resume", done.err)
            self.assertEqual(done.out, "")

    def test_plans_of_odd_names(self):
        """Quotes, blanks, braces, line breaks, reserved words: the plans of Cassandra and DynamoDB are read and run."""
        with contextlib.closing(sqlite3.connect(self.path("odd.db"))) as odd:
            odd.executescript(ODD_TABLES + """INSERT INTO "order" VALUES (1, 'a', 'b', NULL, '2024-01-01 00:00:00', 'x'), (2, NULL, NULL, 1, NULL, NULL);
                INSERT INTO "Ünïcødé table" VALUES (1, 1, 'j', 's', 'y', 'b'), (2, NULL, NULL, NULL, NULL, NULL);
                INSERT INTO "-- x" VALUES (1, 2, 'h'), (2, NULL, NULL);""")
        self.write("odd.sql", ODD_QUERIES)
        self.analyze("odd.db", "--queries", "odd.sql")
        self.assertIn("projection: keys", self.read("out/transhume.dynamodb.yaml"))
        for plan, target in (("transhume.yaml", "jsonl:cassandra"),
                             ("transhume.dynamodb.yaml", "dynamodb-json:dynamodb")):
            with self.subTest(plan):
                self.run_program("migrate", "--plan", "out/" + plan, "odd.db", target, "--state", plan + ".state",
                                 "--quiet")

    def test_the_dialect_of_queries_on_a_live_source(self):
        """A text in double quotes is one of MySQL's."""
        self.write("mysql.sql", 'SELECT TrackId FROM Track WHERE Composer = "x" AND AlbumId = 1;\n')
        done = self.analyze("shop.db", "--queries", "mysql.sql", "--dialect", "mysql", "--for", "cassandra")
        self.assertRegex(done.out, r'WHERE "(Composer|AlbumId)" = \? AND')
        self.analyze("shop.db", "--queries", "mysql.sql", "--dialect", "postgres", code=2)

    def bucket_sizes(self, database, table):
        """
        The bucket's expression in the plan, and how many rows each bucket of each partition has: the same as an
        application computes.
        """
        plan = self.read("out/transhume.yaml")
        part = re.search(r'\n  "%s":\n    key: \{ partition: \[(.*?)"bucket"\].*?from: "(\w+)".*?"bucket": \{ sql: '
                         r'"((?:[^"\\]|\\.)*)"' % table, plan, re.DOTALL)
        sql = part.group(3).replace('\\"', '"')
        with contextlib.closing(sqlite3.connect(self.path(database))) as db:
            db.create_function("crc32", -1, lambda *values: zlib.crc32(b"#".join(b"" if v is None else str(v).encode()
                for v in values)))
            return sql, [count for *_, count in db.execute("SELECT %s, count(*) FROM %s GROUP BY %s %s" % (sql,
                part.group(2), part.group(1), sql))]

    def test_buckets_hold_what_is_said(self):
        """
        Keys that are empty, hold a NUL, or are the least number; keys whose last column says little; times of one year.
        """
        values = ", ".join("v%d" % at for at in range(30))
        with contextlib.closing(sqlite3.connect(self.path("large.db"))) as db:
            db.executescript("CREATE TABLE word (k text NOT NULL PRIMARY KEY, %s);\nCREATE TABLE number (k integer "
                             "PRIMARY KEY, %s);\n"
                             "CREATE TABLE line (o integer NOT NULL, l integer NOT NULL, %s, PRIMARY KEY (o, l));\n"
                             "CREATE TABLE reading (id integer PRIMARY KEY, sensor integer NOT NULL, "
                             "at timestamp NOT NULL, %s);\n"
                             "CREATE TABLE burst (id integer PRIMARY KEY, sensor integer NOT NULL, "
                             "at timestamp NOT NULL, %s);" % ((values,) * 5))
            db.executemany("INSERT INTO word (k) VALUES (?)", [("",), ("a\0",),
                                                               ("\0",)] + [("mail%d@shop.com" % at,)
                                                                           for at in range(8000)])
            db.executemany("INSERT INTO number (k) VALUES (?)",
                           [(-2 ** 63,), (2 ** 63 - 1,)] + [(at * 10,) for at in range(8000)])
            db.executemany("INSERT INTO line (o, l) VALUES (?, 1)", [(at,) for at in range(8000)])
            db.execute("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) INSERT INTO "
                       "reading (sensor, at) "
                       "SELECT i % 2, datetime('2024-01-01', (i * 3162) || ' seconds') FROM n")
            db.execute("INSERT INTO burst SELECT * FROM reading")  # the same year, but for nine tenths in one day
            db.execute("UPDATE burst SET at = datetime('2024-05-05', (id * 8) || ' seconds') WHERE id % 10 > 0")
            db.commit()
        self.write("large.sql", "SELECT * FROM word;\nSELECT * FROM number;\nSELECT * FROM line;\n"
                                "SELECT * FROM reading WHERE sensor = 1 ORDER BY at LIMIT 10;\n"
                                "SELECT * FROM burst WHERE sensor = 1 ORDER BY at LIMIT 10;\nINSERT INTO reading (id, "
                                "sensor, at) VALUES (1, 1, '2024-01-01');\n")
        done = self.analyze("large.db", "--queries", "large.sql", "--for", "cassandra")
        self.assertEqual(self.figure(done.out, "partitions beyond bounds"), 0)
        largest = self.figure(done.out, "largest partition")
        for table, sql, count in (("word_all", r'crc32\("k"\) % \d+', None),
                                  ("number_all", r'crc32\("k"\) % \d+', None),
                                  ("line_all", r'crc32\("o", "l"\) % \d+', None),
                                  ("reading_by_sensor", r'substr\("at", 1, 7\)', 24),
                                  ("burst_by_sensor", r'substr\("at", 1, 13\)', None)):
            found, sizes = self.bucket_sizes("large.db", table)
            self.assertRegex(found, "^" + sql + "$")
            if count or "%" in found:
                self.assertEqual(len(sizes), count or int(found.rsplit(" ", 1)[1]), table)
            self.assertLessEqual(max(sizes), largest, table)
            self.assertLessEqual(max(sizes) * 30, 100000, table)
        self.run_program("migrate", "--plan", "out/transhume.yaml", "large.db", "jsonl:large", "--quiet")
        written = collections.Counter()
        for path in glob.glob(self.path("large", "word_all", "*.jsonl")):
            with open(path, encoding="utf-8") as file:
                written.update(json.loads(line)["bucket"] for line in file)
        self.assertEqual(sorted(written.values()), sorted(self.bucket_sizes("large.db", "word_all")[1]))

    def test_names_that_would_leave_their_comment(self):
        """A line break in a name starts no statement, heading or key of its own in any file."""
        name = "a\nDROP KEYSPACE shop; --`|<b>\r## x\x1b[2J\n```\n"
        table, column = ('"%s%s"' % (name, end) for end in ("", "c"))
        with contextlib.closing(sqlite3.connect(self.path("odd.db"))) as odd:
            odd.executescript('CREATE TABLE %s (%s integer PRIMARY KEY, v text, w text);\n'
                              'CREATE TABLE child (id integer PRIMARY KEY, p integer NOT NULL REFERENCES %s, x text);'
                              % (table, column, table))
            odd.executemany("INSERT INTO %s VALUES (?, 'v', 'w')" % table, [(at,) for at in range(120)])
            odd.commit()
        self.write("odd.sql",
                   "SELECT %s, w FROM %s WHERE v = 'a';\nSELECT id, x, w FROM child JOIN %s ON p = %s WHERE v = 'a';\n"
                              "SELECT * FROM %s ORDER BY w;\nUPDATE %s SET w = 'x' WHERE %s = 1;\n" % (column, table,
                                  table, column, table, table, column))
        done = self.analyze("odd.db", "--queries", "odd.sql")
        self.assertFalse("\x1b" in done.out + done.err)
        for file in sorted(os.listdir(self.path("out"))):
            if not file.endswith((".png", ".html")):
                with open(self.path("out", file), encoding="utf-8", newline="") as stream:
                    text = re.sub(r"(?ms)^(`{3,})\w*\n.*?^\1$", "", stream.read())
                self.assertIsNone(re.search(r"(?m)^(DROP|## x|```)|[\r\x1b]", text), file)

    def test_queries_of_a_pipe(self):
        cases = os.path.join(support.ROOT, "tests", "data", "design", "cases")
        queries = os.path.join(cases, "orders.queries.sql")
        expected = self.analyze(os.path.join(cases, "orders.sql"), "--queries", queries).out
        os.mkfifo(self.path("pipe"))
        process = support.start("analyze", os.path.join(cases, "orders.sql"), "--queries", "pipe", "--out", "piped",
                                cwd=self.path(""))
        with open(queries, "rb") as source, open(self.path("pipe"), "wb") as pipe:
            pipe.write(source.read())
        done = support.finish(process)
        self.assertEqual((done.code, done.out), (0, expected), done.err)

    def test_a_folder_that_cannot_be_written(self):
        """A file of that name, and files that grow too large."""
        self.write("file", "")
        done = self.analyze("shop.db", out="file", code=3)
        self.assertIn("--out", done.err)
        limited = subprocess.run(["sh", "-c", "ulimit -f 1; exec \"$0\" analyze shop.db --out small", support.PROGRAM],
                                 cwd=self.path(""),
                                 stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True)
        self.assertEqual(limited.returncode, 3, limited.stderr)
        self.assertIn("--out", limited.stderr)
        self.assertNotIn("resume", done.err + limited.stderr)
        self.assertFalse([name for name in os.listdir(self.path("small")) if ".tmp" in name])

    def test_a_signal_ends_it(self):
        """At once and with one line, whatever it waits for."""
        os.mkfifo(self.path("queries.sql"))
        for number in (signal.SIGINT, signal.SIGTERM):
            process = support.start("analyze", "shop.db", "--queries", "queries.sql", "--out", "out", cwd=self.path(""))
            while not process.stderr.readline().startswith(b"[2/6]"):
                self.assertIsNone(process.poll())
            process.send_signal(number)
            done = support.finish(process, 20)
            self.assertEqual((done.code, done.out), (4, ""))
            self.assertIn("interrupted", done.err)


# Nothing is declared but primary keys. What refers to what no name says, but for `customer_id` and `level`, which refer
# to nothing.
SHOP = """CREATE TABLE buyer (nr integer PRIMARY KEY, called varchar(40));
CREATE TABLE product (code varchar(20) PRIMARY KEY, weight integer);
CREATE TABLE device (serial bigint PRIMARY KEY, model varchar(20));
CREATE TABLE level (id smallint PRIMARY KEY, word varchar(20));
CREATE TABLE customer (id integer PRIMARY KEY, born integer);
CREATE TABLE vacant (id integer PRIMARY KEY, whom integer);
CREATE TABLE sale (id integer PRIMARY KEY, who integer, what varchar(20), rating integer, paid integer, amount integer, age integer, spelt varchar(20),
 customer_id integer, level integer, round integer);
CREATE TABLE reading (id integer PRIMARY KEY, source bigint, lost bigint, half bigint);
"""
BELIEVED = {"sale.who": "buyer.nr", "sale.what": "product.code", "reading.source": "device.serial",
            "reading.lost": "device.serial"}


def shop_rows():
    """Rows of each table of SHOP; the same each time."""
    serials = [1000003 + number * 7919 % 99991 * 13 for number in range(300)]
    yield "buyer", [(number, "b%d" % number) for number in range(1, 401)]
    yield "product", [("P-%04d" % (number * 37 % 5000), number % 9) for number in range(200)]
    yield "device", [(serial, "m") for serial in serials]
    yield "level", [(number, "l%d" % number) for number in range(1, 6)]
    yield "customer", [(number, 1950 + number) for number in range(1, 41)]
    yield "sale", [(number, number * 7 % 400 + 1, "P-%04d" % (number * 11 % 200 * 37 % 5000), number % 5 + 1,
                    number % 2, number % 50 + 1, number * 3 % 73 + 18,
                    str(number % 400 + 1), 70000 + number % 90, 100000 + number % 30, number % 40 * 10 + 10)
                   for number in range(1, 2001)]
    yield "reading", [(number, serials[number * 17 % 300], 5 if number % 40 == 0 else serials[number * 19 % 300],
                       number if number % 2 else serials[number * 23 % 300]) for number in range(1, 801)]


def shop_script():
    lines = [SHOP]
    for table, rows in shop_rows():
        lines.append("INSERT INTO %s VALUES %s;\n" % (table, ", ".join("(%s)" % ", ".join(repr(value) for value in row)
                                                                       for row in rows)))
    return "".join(lines)


class ForeignKeys(support.TestCase):
    """Those that data shows and nothing declares."""

    @classmethod
    def setUpClass(cls):
        cls.servers = (postgres.for_class(cls), mariadb.for_class(cls))

    def believed(self, source, *options, out="out"):
        """From the report: the column, what it refers to, and why that is believed."""
        self.run_program("analyze", source, "--for", "cassandra", "--out", out, *options)
        with open(self.path(out, "report.md"), encoding="utf-8") as file:
            self.report = file.read()
        with open(self.path(out, "transhume.yaml"), encoding="utf-8") as file:
            self.plan = file.read()
        section = self.report.partition("## Foreign keys")[2].partition("\n## ")[0]
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines()
                if line.startswith("| ")]
        return {row[0]: row[1:] for row in rows if "." in row[0]}

    def test_what_values_show(self):
        support.make_sqlite(self.path("shop.db"), shop_script())
        found = self.believed("shop.db")
        self.assertEqual({column: row[0] for column, row in found.items()}, BELIEVED)
        self.assertEqual({row[1] for row in found.values()}, {"data"})
        for column, why, sure in (("sale.who", "100 of 100 values found.* both end at the same numbers", 65),
                                  ("sale.what", "100 of 100", 85),
                                  ("reading.source", "100 of 100 values found, and [0-5] of 1", 85),
                                  ("reading.lost", "(99|100) of 100", 85)):
            self.assertRegex(found[column][2], why)
            self.assertGreaterEqual(int(found[column][3].split()[0]), sure, column)
            self.assertRegex(self.plan, r'"%s": "%s" # data, \d\d %% sure' % (column.split(".")[1], BELIEVED[column]))
        self.assertIn("sale.customer\\_id does not refer to customer.id, as its name suggests: 0 of", self.report)
        self.assertRegex(self.report, "20 rows of reading refer to no row of device")
        with open(self.path("out", "report.html"), encoding="utf-8") as file:
            self.assertIn("100 of 100 values found", file.read())
        again = self.believed("shop.db", out="again")
        self.assertEqual(found, again)
        names = self.believed("shop.db", "--foreign-keys", "names", out="names")
        self.assertEqual({column: row[:2] for column, row in names.items()},
                         {r"sale.customer\_id": ["customer.id", "names"]})

    def test_what_values_leave_open(self):
        """Two tables that hold all of a column's values; keys that are declared; few rows; columns without values."""
        support.make_sqlite(self.path("open.db"),
                            """CREATE TABLE one (k text PRIMARY KEY); CREATE TABLE two (k text PRIMARY KEY);
            CREATE TABLE small (k text PRIMARY KEY);
            CREATE TABLE child (id integer PRIMARY KEY, x text, y text, z text, w text, declared text REFERENCES two(k), one_id text, mixed);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
            INSERT INTO one SELECT 'value ' || i FROM n;
            INSERT INTO two SELECT k FROM one; INSERT INTO small VALUES ('new'), ('paid'), ('sent');
            INSERT INTO child SELECT rowid, k, CASE rowid % 3 WHEN 0 THEN 'new' WHEN 1 THEN 'paid' ELSE 'sent' END, NULL, '', k, NULL,
            CASE rowid % 2 WHEN 0 THEN k ELSE rowid END FROM one;""")
        found = self.believed("open.db")
        self.assertEqual({column: row[:2] for column, row in found.items()},
                         {"child.declared": ["two.k", "declared"], r"child.one\_id": ["one.k", "names"]})
        self.assertIn("child.x may refer to one.k or to two.k", self.report)

    def test_servers(self):
        for server in self.servers:
            with self.subTest(type(server).__name__):
                name = server.database()
                server.ask(name, shop_script())
                found = self.believed(server.uri(name), out=name)
                self.assertEqual({column: row[0] for column, row in found.items()}, BELIEVED)
                self.assertEqual({row[1] for row in found.values()}, {"data"})


class Proof(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cassandra_server.shared_for_class(cls)

    def test_each_query_is_answered_alike(self):
        support.musicshop(self.path("shop.db"))
        self.write("queries.sql", QUERIES)
        keyspace = self.server.database()
        done = self.run_program("analyze", "shop.db", self.server.uri(keyspace), "--queries", "queries.sql", "--prove",
                                "--out", "out")
        self.assertIn("7 of 7 queries were answered alike", done.out)
        self.assertNotIn("no values", done.out)
        with open(self.path("out/report.md"), encoding="utf-8") as file:
            report = file.read()
        self.assertIn("What no key can answer", report)
        self.assertIn("| newest invoices | equal | 3 |", report)
        self.assertIn("| customers of a country | equal; filter not proven: State |", report)
        self.assertIn("7 of 7 queries were answered alike, 1 of these without their filters", done.out)
        self.check_schema(keyspace)
        again = self.run_program("analyze", "shop.db", self.server.uri(keyspace), "--queries", "queries.sql", "--prove",
                                 "--out", "again", code=5)
        self.assertRegex(again.err, "hint: .*drop those of the former proof, or name another keyspace")

    def test_order_limit_ranges_and_lists(self):
        """What has no values and what is too large is no proof, and hides nothing else."""
        make_readings(self.path("readings.db"), 10001)
        self.write("readings.sql", READINGS)
        done = self.run_program("analyze", "readings.db", self.server.uri(self.server.database()), "--queries",
                                "readings.sql", "--prove", "--out", "out", code=1)
        for name in re.findall("name: (.*)", READINGS)[:-3]:
            self.assertRegex(done.out, "(?m)^  %s: equal, [123] runs, [1-9]" % name)
        self.assertIn("of nothing: no values", done.out)
        self.assertRegex(done.out, "of a word: FAILED(.*\\n){2}.*a text with a NUL can't be asked for")
        self.assertRegex(done.out, r"(?m)WHERE sensor = \? AND at > \?( LIMIT|$|  --)")
        self.assertRegex(done.out, "everything: not compared(.*\n){2}.*more than 10000 rows")
        self.assertIn("12 of 15 queries were answered alike", done.out)

    def test_rows_that_are_made_for_a_schema(self):
        cases = os.path.join(support.ROOT, "tests", "data", "design", "cases")
        done = self.run_program("analyze", os.path.join(cases, "orders.sql"), self.server.uri(self.server.database()),
                                "--queries",
                                os.path.join(cases, "orders.queries.sql"), "--prove", "--out", "out")
        self.assertRegex(done.out, r"(\d+) of \1 queries were answered alike")
        with contextlib.closing(sqlite3.connect(self.path("out", "generated.sqlite"))) as made:
            for name, in made.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                self.assertGreater(made.execute('SELECT count(*) FROM "%s"' % name).fetchone()[0], 20, name)
            self.assertEqual(made.execute("PRAGMA foreign_key_check").fetchall(), [])

    def check_schema(self, keyspace):
        """The CQL makes the tables that the plan makes."""
        other = self.server.database()
        with open(self.path("out/cassandra_schema.cql"), encoding="utf-8") as file:
            self.server.run_script(other, file.read())
        columns = {}
        for name in (keyspace, other):
            rows = self.server.ask("system_schema",
                                   "SELECT table_name, column_name, kind, position, clustering_order, "
                                   "type FROM columns "
                                                    "WHERE keyspace_name = %s", name)
            columns[name] = sorted(tuple(row) for row in rows if not row[0].startswith("_transhume"))
        self.assertEqual(columns[keyspace], columns[other])


if __name__ == "__main__":
    unittest.main()
