"""
Sources with odd things in them: each is read as what it is, or refused for its true reason, and nothing is passed over
in silence.
"""
import contextlib
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import postgres
import redis_server
import support

ITEMS = '{"Items": [{"pk": {"S": "a#1"}, "n": {"N": "1.10"}}], "Count": 1, "ScannedCount": 1}'


class Rows(support.TestCase):
    def rows(self, name, sql):
        with contextlib.closing(sqlite3.connect(self.path(name))) as db:
            return db.execute(sql).fetchall()


class Files(Rows):
    def test_items_beside_the_tables(self):
        """What `aws dynamodb scan` prints is no folder of items."""
        for name in ("items.json", "part.json.gz"):
            with self.subTest(name):
                folder = "in-" + name
                os.mkdir(self.path(folder))
                self.write(folder + "/" + name, ITEMS)
                for command in ("check", "migrate"):
                    result = self.run_program(command, "--state", "s-" + name, "dynamodb-json:" + folder, "o.db",
                                              code=2)
                    self.assertIn("%s/%s: it lies beside the tables" % (folder, name), result.err)
                    self.assertIn("jq -c '.Items[] | {Item: .}'", result.err)

    def test_a_damaged_file_is_named(self):
        """Where rows are counted, cut into spans and read, on both sides."""
        support.make_sqlite(self.path("shop.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);"
                            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
                            "INSERT INTO t SELECT i, hex(randomblob(50)) FROM n")
        with open(self.path("shop.db"), "r+b") as file:
            for page in (5, 10, 15, 20):
                file.seek(4096 * page)
                file.write(b"x" * 16)
        for command in ("check", "migrate"):
            result = self.run_program(command, "--state", "s", "shop.db", "o.db", code=2)
            self.assertIn("shop.db: database disk image is malformed", result.err)

    def test_any_of_a_strict_table(self):
        """By a plan and from a dump: each value keeps its kind."""
        support.make_sqlite(self.path("a.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, b ANY) STRICT;"
                            "INSERT INTO t VALUES(1, '1'), (2, 1.0), (3, '007'), (4, '1e3'), (5, x'31'), (6, 1), "
                            "(7, NULL)")
        wanted = self.rows("a.db", "SELECT id, typeof(b), b FROM t ORDER BY id")
        with contextlib.closing(sqlite3.connect(self.path("a.db"))) as db:
            self.write("a.sql", "\n".join(db.iterdump()))
        self.write("plan.yaml", 'transhume: 1\nsource: a.db\ntarget: b.db\ntables:\n'
                                '  t: { key: [id], from: t, fields: { "*": copy } }\n')
        self.run_program("migrate", "-q", "--plan", "plan.yaml", "--state", "plan")
        self.assertEqual(self.rows("b.db", "SELECT id, typeof(b), b FROM t ORDER BY id"), wanted)
        self.run_program("migrate", "-q", "--state", "dump", "a.sql", "c.db")
        self.assertEqual(self.rows("c.db", "SELECT id, typeof(b), b FROM t ORDER BY id"), wanted)
        for state in ("plan", "dump"):
            self.run_program("validate", "-q", "--level", "full", "--state", state)


class WithoutTypes(Rows):
    """Columns of SQLite that declare no type become what all of their values are, and mixtures are told."""
    SCRIPT = """
        CREATE TABLE base(k INTEGER, v REAL); INSERT INTO base VALUES(1, 1.5), (1, 2), (2, 3);
        CREATE TABLE agg AS SELECT k, count(*) n, sum(v) s, max(hex(v)) t, zeroblob(3) b, NULL e FROM base GROUP BY k;
        CREATE TABLE st(id INTEGER PRIMARY KEY, a ANY) STRICT; INSERT INTO st VALUES(1, 5), (2, 6);
        CREATE VIEW seen AS SELECT k, count(*) n, avg(v) s FROM base GROUP BY k;
        CREATE TABLE mixed(id INTEGER PRIMARY KEY, m, big); INSERT INTO mixed VALUES(1, 1, 1.5), (2, '1', 9007199254740993), (3, 1.0, 2)"""
    PLAN = """transhume: 1
source: s.db
target: %s
tables:
  agg: { key: [k], from: agg, fields: { "*": copy } }
  st: { key: [id], from: st, fields: { "*": copy } }
  seen: { key: [k], from: seen, fields: { "*": copy } }
  asked: { key: [k], query: "SELECT k, count(*) AS n, sum(v) AS s FROM base GROUP BY k", fields: { "*": copy } }
  mixed: { key: [id], from: mixed, fields: { "*": copy } }
"""
    TYPES = [("agg", ["integer", "real", "text", "blob"]), ("st", ["integer"]), ("seen", ["integer", "real"]),
             ("asked", ["integer", "real"]),
             ("mixed", ["text", "text"])]
    FIELDS = {"agg": "n s t b", "st": "a", "seen": "n s", "asked": "n s", "mixed": "m big"}

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.shared_for_class(cls)

    def there_and_back(self, target):
        support.make_sqlite(self.path("s.db"), self.SCRIPT)
        self.write("plan.yaml", self.PLAN % target)
        checked = self.run_program("check", "--plan", "plan.yaml")
        for column in ("m", "big"):
            self.assertIn("mixed: %s has no type, and holds values of several kinds" % column, checked.out)
        self.assertNotIn("agg: t", checked.out)
        self.run_program("migrate", "-q", "--plan", "plan.yaml")
        self.run_program("migrate", "-q", "--state", "back", target, "back.db")
        found = [(table, list(self.rows("back.db", "SELECT DISTINCT %s FROM %s"
                                        % (", ".join("typeof(%s)" % field for field in self.FIELDS[table].split()),
                                           table))[0]))
                 for table, _ in self.TYPES]
        self.assertEqual(found, self.TYPES)
        self.assertEqual(self.rows("back.db", "SELECT k, n, s, t, b, e FROM agg ORDER BY k"),
                         self.rows("s.db", "SELECT k, n, s, t, b, e FROM agg ORDER BY k"))
        self.assertEqual([row[1] for row in self.rows("back.db", "SELECT id, big FROM mixed ORDER BY id")],
                         ["1.5", "9007199254740993", "2"])

    def test_files_of_columns(self):
        built = self.run_program("connectors").out
        for name in ("parquet", "arrow"):
            if name in built:
                with self.subTest(name):
                    self.setUp()
                    self.there_and_back("%s:out" % name)

    def test_servers(self):
        self.there_and_back(self.server.uri(self.server.database()))
        self.run_program("validate", "-q", "--level", "full")

    def test_a_value_of_another_kind_later(self):
        """What was learnt stands: the row is a reject, and the others arrive."""
        support.make_sqlite(self.path("s.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY, n);"
                            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT "
                            "INTO t SELECT i, i FROM n")
        uri = self.server.uri(self.server.database())
        support.kill_at("postgres.after_commit", 2, "migrate", "--chunk-rows", "500", "s.db", uri, cwd=self.folder)
        with contextlib.closing(sqlite3.connect(self.path("s.db"))) as db:
            db.execute("INSERT INTO t VALUES(3001, 'x')")
            db.commit()
        self.run_program("resume", "-q", code=1)
        self.assertEqual([reject["key"] for reject in self.rejects()], [{"id": 3001}])


class Dumps(Rows):
    def test_numbers_that_no_float_keeps(self):
        """A dump of PostgreSQL gives SQLite the column that the live database does."""
        server = postgres.shared_for_class(type(self))
        database = server.database()
        server.psql(database, "CREATE TABLE t(id int PRIMARY KEY, nan numeric, few numeric, many numeric, big numeric);"
                              "INSERT INTO t VALUES(1, 'NaN', 1.5, 0.1234567890123456, 9223372036854775807),"
                              "(2, 1.5, 123456789012.345, 1.5, 1)")
        self.write("t.sql", "\n".join(
            ["CREATE TABLE public.t (id integer NOT NULL, nan numeric, few numeric, many numeric, big numeric);",
             "COPY public.t (id, nan, few, many, big) FROM stdin;",
             "1\tNaN\t1.5\t0.1234567890123456\t9223372036854775807",
             "2\t1.5\t123456789012.345\t1.5\t1", "\\.", "ALTER TABLE ONLY public.t ADD CONSTRAINT p PRIMARY KEY (id);",
             ""]))
        found = []
        for number, source in enumerate((server.uri(database), "dump:t.sql?dialect=postgres")):
            self.run_program("migrate", "-q", "--state", "s%d" % number, source, "o%d.db" % number)
            found.append(self.rows("o%d.db" % number,
                                   "SELECT typeof(nan), nan, typeof(few), few, many, typeof(big), "
                                   "big FROM t ORDER BY id"))
        self.assertEqual(found[0], found[1])
        self.assertEqual(found[0][0][:2], ("text", "NaN"))


class Keys(Rows):
    """Of Redis, which are any bytes."""
    @classmethod
    def setUpClass(cls):
        cls.server = redis_server.shared_for_class(cls)

    def test_keys_that_name_no_table(self):
        number = self.server.database()
        for key in (b"\xac\xed\x00\x05t\x00\x06user:1", b"\xff:2", b"\x01:3", b":4", b"plain:5", b"bare"):
            self.server.ask(number, "SET", key, b"v" + key[-1:])
        result = self.run_program("migrate", "-q", self.server.uri(number), "o.db")
        self.assertNotIn("save the file", result.err)
        self.assertEqual(self.rows("o.db", "SELECT value FROM plain"), [("v5",)])
        self.assertEqual(self.rows("o.db", "SELECT value, CAST(_key AS BLOB) FROM _keys ORDER BY 1"),
                         [("v1", b"\xac\xed\x00\x05t\x00\x06user:1"), ("v2", b"\xff:2"), ("v3", b"\x01:3"),
                          ("v4", b":4"), ("ve", b"bare")])
        self.run_program("validate", "-q", "--level", "full")


if __name__ == "__main__":
    support.unittest.main()
