"""PostgreSQL both ways: every type, records that are refused, what a resume finds. Read back by psql."""
import contextlib
import json
import os
import re
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import postgres
import sql_case
import support

# One column a type, and rows of edges. `general` leaves out what only PostgreSQL can hold.
TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'so ''so''', 'happy');
CREATE DOMAIN posint AS integer CHECK (VALUE > 0);
"""
EDGES = TYPES + r"""
CREATE TABLE edges (id int PRIMARY KEY, b boolean, i2 smallint, i4 integer, i8 bigint, o oid, f4 real,
  f8 double precision, n numeric, n10 numeric(38,10), n2 numeric(10,2), t text, v varchar(5), c char(5), nm name,
  by bytea, d date, tm time, tz timetz, ts timestamp, tsz timestamptz, iv interval, u uuid, j json, jb jsonb,
  m mood, p posint, ai int[], at text[], ip inet, bits bit(3), r int4range, pt point, mo money, x xml, tsv tsvector,
  g int GENERATED ALWAYS AS (i2::int + 1) STORED);
INSERT INTO edges VALUES
(1,true,32767,2147483647,9223372036854775807,4294967295,1.17549435e-38,5e-324,'NaN',
 9999999999999999999999999999.9999999999,0.10,'plain','abc','ab','n',E'\\x00ff','0001-01-01','24:00:00',
 '23:59:59.999999+14','0001-01-01 00:00:00','2024-03-31 01:30:00+01','1 year 2 mons 3 days 04:05:06.000007',
 '123e4567-e89b-12d3-a456-426614174000','{"a": 1,  "a":2}','{"b":1,"a":[1,2.50,null]}','so ''so''',5,'{1,NULL,3}',
 '{a,"b c",NULL,"q\"x"}','10.0.0.1/8',B'101','[1,5)','(1,2)','$1,234.56','<a>x</a>','a:1 b:2'),
(2,false,-32768,-2147483648,-9223372036854775808,0,'-0','-0',
 123456789012345678901234567890.12345678901234567890,-0.0000000001,-99999999.99,'',' x ','','','','4713-01-01 BC',
 '00:00:00','00:00:00-15','4713-01-01 00:00:00 BC','infinity','-1 mons +2 days -00:00:00.5',null,'null','null','sad',
 1,'{}','{}','::1',B'000','empty','(0,-0)','-$0.01',null,''),
(3,null,null,null,null,null,'Infinity','-Infinity','1e-20',0,0,E'quote '' " \\ tab\t nl\n \u00fc \U0001F411',null,
 null,null,null,'infinity','12:00','12:00+05:30','-infinity','-infinity','0',null,null,null,null,null,
 '{{1,2},{3,4}}',null,null,null,null,null,null,null,null),
(4,null,1,1,1,1,'NaN','NaN','Infinity',0.1,1.5,'x',null,null,null,null,'5874897-12-31','00:00:00.000001','00:00:00Z',
 '294246-12-31 23:59:59','9999-12-31 23:59:59.999999Z','178000000 years',null,'"\u0041"','"\u0041"','happy',null,
 null,null,null,null,null,null,null,null,null),
(5,null,1,1,1,1,0.1,0.1,'1e20',1e-10,1.5,'x',null,null,null,null,'-infinity',null,null,'294276-12-31 23:59:59',
 '294276-12-31 23:59:59Z',null,null,null,null,null,null,null,null,null,null,null,null,null,null,null);
"""
# A composite key in an order of its own, a table without a key, one of equal rows, odd names, partitions.
SHAPES = r"""
CREATE TABLE nokey (a int, b text);
INSERT INTO nokey VALUES (1, 'x'), (1, 'x'), (NULL, NULL);
CREATE TABLE parent (id serial PRIMARY KEY, code text UNIQUE, at timestamptz DEFAULT now());
INSERT INTO parent (code) VALUES ('a'), ('b'), (NULL);
CREATE TABLE child (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, pid int REFERENCES parent ON DELETE CASCADE,
  x int CHECK (x > 0));
INSERT INTO child (pid, x) SELECT 1 + i % 3, i FROM generate_series(1, 3000) i;
CREATE INDEX child_part ON child (pid DESC) WHERE x > 1;
CREATE INDEX parent_lower ON parent (lower(code));
CREATE TABLE parts (id int, k text, PRIMARY KEY (id, k)) PARTITION BY RANGE (id);
CREATE TABLE parts1 PARTITION OF parts FOR VALUES FROM (0) TO (500);
CREATE TABLE parts2 PARTITION OF parts FOR VALUES FROM (500) TO (2000);
INSERT INTO parts SELECT i / 3, 'k' || i % 3 FROM generate_series(0, 2999) i;
CREATE TABLE keys (k text COLLATE "C", u uuid, n numeric, PRIMARY KEY (k, u, n));
INSERT INTO keys SELECT chr(65 + i % 50), md5((i * 7)::text)::uuid, i::numeric / 8 FROM generate_series(1, 2500) i;
CREATE TABLE "We""ird name" ("sel ect" int PRIMARY KEY, "a'b" text, "tab	" text);
INSERT INTO "We""ird name" VALUES (1, 'q', NULL);
CREATE TABLE empty (id int PRIMARY KEY);
"""
TABLES = ("nokey", "parent", "child", "parts", "keys", '"We""ird name"', "empty")


class PostgresCase(sql_case.SqlCase):
    SERVERS = postgres

    def rows(self, name, table):
        return self.server.psql(name, "SELECT t::text FROM %s t ORDER BY t::text COLLATE \"C\"" % table)


class BetweenServers(PostgresCase):
    def test_every_type(self):
        source, target = self.made(EDGES), self.made(TYPES)
        self.migrate(self.server.uri(source), self.server.uri(target))
        self.assert_same_rows(source, target, "edges")
        types = "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'edges'::regclass"
        self.assertEqual(self.server.psql(source, types), self.server.psql(target, types))

    def test_every_type_that_goes_the_express_way(self):
        without = "ALTER TABLE edges DROP COLUMN x;"
        source, target = self.made(EDGES + without), self.made(TYPES)
        self.migrate(self.server.uri(source), self.server.uri(target))
        self.assert_same_rows(source, target, "edges")

    def test_declarations_of_xml(self):
        """COPY sends some without what they say of version and encoding."""
        texts = ['<?xml version="1.0"?><a/>', '<?xml version="1.0" encoding="UTF-8"?><a>\u00fc</a>',
                 '<?xml version="1.0" standalone="yes"?><a/>',
                 '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<a/>', '<?xml version="1.0"?>\n\n<a/>',
                 '\n<a/>', '<a/><b/>', 'text', '']
        script = ("CREATE DOMAIN page AS xml; CREATE TABLE x (id int PRIMARY KEY, v xml, d page); INSERT INTO x VALUES "
                  + ", ".join(
                      "(%d, '%s', '%s')" % (number, text, text) for number, text in enumerate(texts)))
        for options in ((), ("--no-express",)):
            source, target = self.made(script), self.made("CREATE DOMAIN page AS xml")
            state = ("--state", "state-%d" % len(options))
            self.migrate(self.server.uri(source), self.server.uri(target), *options, *state)
            self.assertEqual(self.server.ask(target, "SELECT id, v::text, d::text FROM x ORDER BY id"),
                             [[str(number), text, text] for number, text in enumerate(texts)])
            self.run_program("validate", "--level", "full", *state)

    def test_every_shape_of_table(self):
        for chunk in ("7", "1000", "100000"):
            with self.subTest(chunk):
                source, target = self.made(SHAPES), self.made()
                self.migrate(self.server.uri(source), self.server.uri(target), "--chunk-rows", chunk, "--state",
                             self.path("state" + chunk))
                for table in TABLES:
                    self.assert_same_rows(source, target, table)

    def test_keys_indexes_and_sequences_are_made(self):
        source, target = self.made(SHAPES), self.made()
        self.migrate(self.server.uri(source), self.server.uri(target))
        indexes = self.server.psql(target, "SELECT indexdef FROM pg_indexes WHERE tablename IN ('child', 'parent') "
                                           "ORDER BY indexname")
        self.assertEqual([row[0] for row in indexes], [
            "CREATE INDEX child_part ON public.child USING btree (pid DESC) WHERE (x > 1)",
            "CREATE UNIQUE INDEX child_pkey ON public.child USING btree (id)",
            "CREATE UNIQUE INDEX parent_code_key ON public.parent USING btree (code)",
            "CREATE INDEX parent_lower ON public.parent USING btree (lower(code))",
            "CREATE UNIQUE INDEX parent_pkey ON public.parent USING btree (id)"])
        keys = self.server.psql(target, "SELECT pg_get_constraintdef(oid), convalidated FROM pg_constraint "
                                        "WHERE conrelid = 'child'::regclass AND contype IN ('f', 'c') ORDER BY contype")
        self.assertEqual(keys, [["CHECK ((x > 0))", "t"],
                                ["FOREIGN KEY (pid) REFERENCES parent(id) ON DELETE CASCADE", "t"]])
        self.assertEqual(self.server.psql(target, "INSERT INTO parent (code) VALUES ('new') RETURNING id"), [["4"]])
        self.assertEqual(self.server.psql(target, "INSERT INTO child (pid, x) VALUES (1, 1) RETURNING id"), [["3001"]])

    def test_rows_without_a_partner_leave_the_key_unvalidated(self):
        source = self.made("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, a int); "
                           "INSERT INTO b VALUES (1, 7); ALTER TABLE b ADD FOREIGN KEY (a) REFERENCES a NOT VALID")
        target = self.made()
        result = self.run_program("migrate", self.server.uri(source), self.server.uri(target))
        self.assertIn("is there, but broken", result.err)
        self.assertEqual(self.server.psql(target, "SELECT convalidated FROM pg_constraint WHERE contype = 'f'"),
                         [["f"]])
        self.assert_same_rows(source, target, "b")

    def test_mended_parents_leave_a_valid_key(self):
        """
        Children came, two of their parents did not: the key is valid once both have, and nobody else's is touched.
        """
        source = support.make_sqlite(self.path("s.db"), "CREATE TABLE p (id INTEGER PRIMARY KEY, v TEXT); "
                                     "CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p); "
                                     "INSERT INTO p VALUES (1, 'a'), (2, 'b' || char(0)), (3, 'c' || char(0)); "
                                     "INSERT INTO c VALUES (1, 1), (2, 2), (3, 3)")
        target = self.made("CREATE TABLE theirs (id int PRIMARY KEY, self int); INSERT INTO theirs VALUES (1, 1); "
                           "ALTER TABLE theirs ADD FOREIGN KEY (self) REFERENCES theirs NOT VALID")
        ends = (source, self.server.uri(target))
        keys = "SELECT conrelid::regclass, convalidated FROM pg_constraint WHERE contype = 'f' ORDER BY 1"
        self.migrate(*ends, code=1)
        self.assertEqual(sorted(self.server.psql(target, keys)), [["c", "f"], ["theirs", "f"]])
        folder = self.path(".transhume", "rejects")
        name, = os.listdir(folder)
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            lines = file.read().replace("\\u0000", "").splitlines(keepends=True)
        self.assertEqual(len(lines), 2)
        for number, line in enumerate(lines):
            with open(self.path("mended%d.jsonl" % number), "w", encoding="utf-8") as file:
                file.write(line)
            self.migrate(*ends, "--rejects", self.path("mended%d.jsonl" % number))
            self.assertEqual(sorted(self.server.psql(target, keys)), [["c", "ft"[number]], ["theirs", "f"]])
        self.assertEqual(self.server.psql(target, "SELECT * FROM p ORDER BY id"), [["1", "a"], ["2", "b"], ["3", "c"]])

    def test_a_snapshot_is_one_moment(self):
        source, target = self.made("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); "
                                   "INSERT INTO a SELECT generate_series(1, 50); INSERT INTO b TABLE a"), self.made()
        process = support.start("migrate", self.server.uri(source), self.server.uri(target), cwd=self.folder,
                                env={"TRANSHUME_FAILPOINT": "postgres.snapshot_taken:sleep:1"})
        deadline = 200
        while deadline and not self.server.psql(source,
                                                "SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction' "
                                                        "AND datname = current_database() AND state_change < "
                                                        "clock_timestamp() - interval '0.3 s'"):
            deadline -= 1
        self.server.psql(source, "DELETE FROM a WHERE id > 10; INSERT INTO b VALUES (1000)")
        self.assert_code(support.finish(process), 0)
        self.assertEqual(self.server.psql(target, "SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)"),
                         [["50", "50"]])


class FromSqlite(PostgresCase):
    def test_the_music_shop(self):
        shop = support.musicshop(self.path("shop.sqlite"))
        target = self.made()
        self.migrate(shop, self.server.uri(target))
        counts = support.sqlite_counts(shop)
        for table, count in counts.items():
            found = self.server.psql(target, "SELECT count(*) FROM %s" % support.quoted(table))
            self.assertEqual(found, [[str(count)]], table)
        self.migrate(self.server.uri(target), self.path("back.sqlite"), "--state", self.path("back"))
        self.compare_values(shop, self.path("back.sqlite"), counts)

    def compare_values(self, first, second, tables):
        """Moments, which were typed on the way, come back as ISO 8601 has them."""
        left, right = sqlite3.connect(first), sqlite3.connect(second)
        moment = re.compile(r"'(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)'")
        for table in tables:
            ask = "SELECT * FROM %s" % support.quoted(table)
            rows = [sorted(moment.sub(r"'\1 \2'", repr(row)) for row in side.execute(ask)) for side in (left, right)]
            self.assertEqual(rows[0], rows[1], table)
        left.close()
        right.close()

    def test_values_that_a_column_can_not_hold_are_rejected_with_their_key(self):
        source = support.make_sqlite(self.path("s.sqlite"), """
            CREATE TABLE t (id INTEGER PRIMARY KEY, i INTEGER, s TEXT, z BLOB, n NUMERIC(10,2));
            INSERT INTO t VALUES (1, 9223372036854775807, 'fine', x'00', 1.25), (2, 'word', 'x', x'', 1),
                (3, 5, CAST(x'610062' AS TEXT), NULL, 2), (4, 5, 'x', 'text in a blob', 3),
                (5, -9223372036854775808, '', NULL, -0.01), (6, 1, 'y', NULL, 1.005);
            """)
        target = self.made()
        self.migrate(source, self.server.uri(target), code=1)
        self.assertEqual({(reject["key"]["id"], reject["code"]) for reject in self.rejects()},
                         {(2, "type"), (3, "text-invalid")})
        self.assertEqual(self.server.psql(target, "SELECT id, i, s, n FROM t WHERE id IN (1, 5, 6) ORDER BY id"), [
            ["1", "9223372036854775807", "fine", "1.25"], ["5", "-9223372036854775808", "", "-0.01"],
            ["6", "1", "y", "1.005"]])   # SQLite's NUMERIC(10,2) limits nothing, so no digit may be lost here

    def test_digits_beyond_a_columns_scale_are_not_rounded_away(self):
        source = support.make_sqlite(self.path("s.sqlite"), "CREATE TABLE t (id INTEGER PRIMARY KEY, n NUMERIC); "
                                     "INSERT INTO t VALUES (1, 1.25), (2, 1.005), (3, 12345678901), (4, 2.5000);")
        target = self.made("CREATE TABLE t (id bigint PRIMARY KEY, n numeric(10,2), at timestamp(0))")
        self.migrate(source, self.server.uri(target), "--existing", "append", code=1)
        self.assertEqual({(reject["key"]["id"], reject["code"]) for reject in self.rejects()},
                         {(2, "number-range"), (3, "number-range")})
        self.assertEqual(self.server.psql(target, "SELECT id, n FROM t ORDER BY id"), [["1", "1.25"], ["4", "2.50"]])

    def test_one_bad_row_never_costs_its_batch(self):
        source = support.make_sqlite(
            self.path("s.sqlite"), "CREATE TABLE t (id INTEGER PRIMARY KEY, v); WITH RECURSIVE c(i) AS "
            "(SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 5000) INSERT INTO t SELECT i, i % 10 FROM c;")
        target = self.made("CREATE TABLE t (id bigint PRIMARY KEY, v text CHECK (v <> '7'))")
        self.migrate(source, self.server.uri(target), "--existing", "append", code=1)
        rejects = self.rejects()
        self.assertEqual(len(rejects), 500)
        self.assertEqual({reject["code"] for reject in rejects}, {"constraint"})
        self.assertEqual({reject["key"]["id"] for reject in rejects}, {i for i in range(1, 5001) if i % 10 == 7})
        self.assertEqual(self.server.psql(target, "SELECT count(*), sum(id) FROM t"),
                         [["4500", str(sum(i for i in range(1, 5001) if i % 10 != 7))]])

    def test_duplicates_of_a_unique_column(self):
        source = support.make_sqlite(self.path("s.sqlite"), "CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT); "
                                     "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'a'), (4, 'c');")
        target = self.made("CREATE TABLE t (id bigint PRIMARY KEY, code text UNIQUE)")
        self.migrate(source, self.server.uri(target), "--existing", "append", code=1)
        self.assertEqual([(reject["key"]["id"], reject["code"]) for reject in self.rejects()], [(3, "key-duplicate")])
        self.assertEqual(self.server.psql(target, "SELECT id, code FROM t ORDER BY id"),
                         [["1", "a"], ["2", "b"], ["4", "c"]])

    def test_what_is_there_already(self):
        source = support.make_sqlite(self.path("s.sqlite"), "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); "
                                     "INSERT INTO t VALUES (1, 'new'), (2, 'new'), (3, 'new');")
        there = ("CREATE TABLE t (id bigint PRIMARY KEY, a text, kept text DEFAULT 'default'); "
                 "INSERT INTO t VALUES (2, 'old', 'mine'), (9, 'old', 'mine')")
        wanted = {
            "refuse": (5, [["2", "old", "mine"], ["9", "old", "mine"]]),
            "append": (1, [["1", "new", "default"], ["2", "old", "mine"], ["3", "new", "default"],
                           ["9", "old", "mine"]]),
            "upsert": (0, [["1", "new", "default"], ["2", "new", "mine"], ["3", "new", "default"],
                           ["9", "old", "mine"]]),
            "replace": (0, [["1", "new", "default"], ["2", "new", "default"], ["3", "new", "default"],
                            ["9", "old", "mine"]]),
            "skip": (0, [["1", "new", "default"], ["2", "old", "mine"], ["3", "new", "default"], ["9", "old", "mine"]]),
        }
        for policy, (code, rows) in wanted.items():
            with self.subTest(policy):
                target = self.made(there)
                self.migrate(source, self.server.uri(target), "--existing", policy, "--state", self.path(policy),
                             code=code)
                self.assertEqual(self.server.psql(target, "SELECT * FROM t ORDER BY id"), rows)
                self.assertEqual(self.server.psql(target, "SELECT relname FROM pg_class WHERE relname LIKE "
                                                          "'\\_transhume\\_key%'"), [])

    def test_each_record_is_noted_once(self):
        for policy in ("skip", "upsert"):
            with self.subTest(policy):
                self.assert_each_record_is_noted_once(policy)


class Texts(PostgresCase):
    """What has no counterpart elsewhere goes as the text that psql shows."""
    VALUES = {"inet": ("10.0.0.1", "10.0.0.1/32", "10.0.0.1/8", "0.0.0.0/0", "::1", "::1/128", "::ffff:10.0.0.1",
                       "2001:DB8::1/64", "::/0"),
              "address": ("10.0.0.2", "10.0.0.2/24", "::2"), "cidr": ("10.0.0.1", "10.0.0.0/8", "::/0", "::1"),
              "macaddr": ("08-00-2B-01-02-03",), "money": ("$1,234.56", "-$0.01"), "bit(3)": ("101",),
              "varbit": ("", "01"), "int4range": ("[1,5)", "[1,4]", "empty"), "point": ("(1,2)",), "xml": ("<a/>",),
              "tsvector": ("b:2 a:1",),
              "pg_lsn": ("16/B374D848",), "pair": ("(1,10.0.0.3)", "(,)"), "regclass": ("pg_class",), '"char"': ("a",),
              "name": ("n",)}

    def test_they_are_what_psql_shows(self):
        columns = ["c%d" % number for number in range(len(self.VALUES))]
        rows = max(len(values) for values in self.VALUES.values())
        source = self.made("CREATE DOMAIN address AS inet; CREATE TYPE pair AS (n integer, at inet); "
                           "CREATE TABLE t (id int PRIMARY KEY, %s); INSERT INTO t VALUES %s"
                           % (", ".join("%s %s" % pair for pair in zip(columns, self.VALUES)),
                              ", ".join("(%d, %s)" % (row, ", ".join("'%s'" % values[row] if row < len(values)
                                                                     else "NULL" for values in self.VALUES.values()))
                                        for row in range(rows))))
        self.migrate(self.server.uri(source), "sqlite:" + self.path("t.db"))
        with contextlib.closing(sqlite3.connect(self.path("t.db"))) as db:
            arrived = db.execute("SELECT * FROM t ORDER BY id").fetchall()
        shown = self.server.ask(source, "SELECT * FROM t ORDER BY id")
        self.assertEqual([[None if value is None else str(value) for value in row] for row in arrived], shown)
        for level in ("hash", "full"):
            self.run_program("validate", "--level", level)
        back = self.made("CREATE TYPE pair AS (n integer, at inet); CREATE DOMAIN address AS inet; "
                         "CREATE TABLE t (id int PRIMARY KEY, %s)"
                         % ", ".join("%s %s" % pair for pair in zip(columns, self.VALUES)))
        self.migrate("sqlite:" + self.path("t.db"), self.server.uri(back), "--existing", "append", "--state", "back")
        self.assertEqual(self.server.ask(back, "SELECT * FROM t ORDER BY id"), shown)
        self.run_program("validate", "--level", "full", "--state", "back")

    def test_an_address_as_a_key(self):
        """Its order, its ranges, a look for single records, and a text that refers to it."""
        source = self.made("CREATE TABLE hosts (ip inet PRIMARY KEY, n int); INSERT INTO hosts SELECT inet "
                           "'9.255.255.250' + i, i FROM generate_series(1, 3000) i; "
                           "INSERT INTO hosts VALUES ('10.0.0.1/8', 0), ('::1', -1), ('::1/64', -2); "
                           "CREATE TABLE seen (id int PRIMARY KEY, host text); INSERT INTO seen VALUES (1, "
                           "'10.0.0.1'), (2, '10.0.0.1/8'), (3, '10.0.0.1/32'), (4, '::1')")
        target = self.made()
        for arguments in (("--chunk-rows", "100"), ("--existing", "append", "--chunk-rows", "500", "--no-express")):
            state = ("--state", "state-%d" % len(arguments))
            there = self.made("CREATE TABLE hosts (ip inet PRIMARY KEY, n int); CREATE TABLE seen (id int PRIMARY KEY, "
                              "host text)") if len(arguments) > 2 else target
            self.migrate(self.server.uri(source), self.server.uri(there), *arguments, *state)
            self.assert_same_rows(source, there, "hosts")
            self.server.ask(there,
                            "DELETE FROM hosts WHERE n IN (7, 0, -1); UPDATE hosts SET n = 5000 WHERE ip = '10.0.0.9'")
            said = self.run_program("validate", "--level", "full", "--json", *state, code=1)
            self.assertEqual(json.loads(said.out)["entities"][0]["missing"], 3)
            self.run_program("validate", "--repair", *state)
            self.run_program("validate", "--level", "full", *state)
            self.assert_same_rows(source, there, "hosts")
        self.write("transhume.yaml",
                   "transhume: 1\nsource: %s\ntarget: sqlite:%s\ntables:\n  joined:\n    key: [id]\n    entities:\n    "
                   "  joined:\n"
                   "        from: seen\n        fields: { id: copy, n: { lookup: hosts, match: { ip: host }, "
                   "column: n } }\n" % (self.server.uri(source), self.path("j.db")))
        self.run_program("migrate", "--quiet", "--state", "joined")
        with contextlib.closing(sqlite3.connect(self.path("j.db"))) as db:
            self.assertEqual(db.execute("SELECT id, n FROM joined ORDER BY id").fetchall(),
                             [(1, 7), (2, 0), (3, None), (4, -1)])


class LookUps(sql_case.LookUps, PostgresCase):
    LOOSE = "COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"   # takes a for A
    SCRIPT = ("CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('a', 'b', 'A', '?'); "
              "CREATE DOMAIN word AS varchar(9); CREATE DOMAIN address AS inet; "
              "CREATE DOMAIN place AS address; CREATE " + LOOSE + "; CREATE DOMAIN loose_word AS text COLLATE loose; ")
    COLLATED = ('text COLLATE "C"', 'text COLLATE "de-DE-x-icu"', 'varchar(5) COLLATE "en-US-x-icu"',
                "text COLLATE loose", "char(5) COLLATE loose", "loose_word")
    FAMILIES = {"'a'": ("text", "varchar(5)", "char(5)", "name", "citext", "mood", "word", '"char"') + COLLATED,
                "'10.0.0.1'": ("text", "inet", "varchar(20)", "address", "place"),
                "'[]'": ("text", "json", "jsonb"), "7": ("smallint", "integer", "bigint", "numeric", "double precision",
                                                         "real", "oid"),
                "'123e4567-e89b-12d3-a456-426614174000'": ("uuid", "text", "varchar(36)"),
                "'{1,2}'": ("int[]", "text"), "'[1,5)'": ("int4range", "text"),
                "'{a,b}'": ("text[]", 'text[] COLLATE "de-DE-x-icu"', 'varchar(5)[] COLLATE "C"',
                            "text[] COLLATE loose", 'text COLLATE "en-US-x-icu"')}
    OTHERS = {"'a'": ("'A'", "'?'"), "'{a,b}'": ("'{A,b}'",)}

    def is_indexed(self, type_):
        return type_ != "json"

    def test_collations_that_the_account_may_not_name(self):
        """They are in a schema that is closed to it."""
        name = self.made("CREATE SCHEMA closed; CREATE COLLATION closed.other (provider = icu, locale = 'de'); CREATE "
                         + self.LOOSE.replace("loose", "closed.loose", 1) +
                         "; CREATE TABLE t (id int PRIMARY KEY, v text COLLATE closed.loose, "
                         "w text COLLATE closed.other); INSERT INTO t VALUES (1, 'a', 'a');"
                         "CREATE TABLE o (k text COLLATE closed.other, n int PRIMARY KEY); "
                         "CREATE TABLE l (k text COLLATE closed.loose, n int PRIMARY KEY);"
                         "INSERT INTO o VALUES ('a', 5), ('A', 9); INSERT INTO l SELECT * FROM o")
        self.server.ask(name, "CREATE ROLE of_%s LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO of_%s" % (name,
            name))
        fields = ", ".join("%s%s: { aggregate: %s, match: { k: %s }, value: sum(n) }" % (own, other, other, own)
                           for own in "vw" for other in "ol")
        self.write("transhume.yaml",
                   "transhume: 1\nsource: %s\ntarget: sqlite:%s\ntables: { t: { key: [id], entities: { t: { from: t, "
                   "fields: { id: copy, %s } } } } }\n"
                   % (self.server.uri(name).replace("postgres@", "of_%s@" % name), self.path("out.db"), fields))
        self.run_program("migrate", "--quiet")
        with contextlib.closing(sqlite3.connect(self.path("out.db"))) as db:
            self.assertEqual(db.execute("SELECT * FROM t").fetchall(), [(1, 5, 5, 5, 5)])

    def test_an_index_serves(self):
        """That of the looked-up column, whatever its collation is and that of the other."""
        types = ("text",) + self.COLLATED
        pairs = [(own, other) for own in types for other in types if not own.startswith("char")
                 and not other.startswith("char")]
        database = self.made("".join(
            [self.SCRIPT]
            + ["CREATE TABLE t%d (id int PRIMARY KEY, v %s); INSERT INTO t%d VALUES (1, 'w1'); "
               "CREATE TABLE of%d (k %s, n int PRIMARY KEY); "
               "CREATE INDEX of%d_k ON of%d (k); INSERT INTO of%d SELECT 'w' || i, i FROM generate_series(1, 2000) i; "
               "ANALYZE t%d; ANALYZE of%d; "
               % (number, own, number, number, other, *(number,) * 5) for number, (own, other) in enumerate(pairs)]))
        self.write("transhume.yaml", "transhume: 1\nsource: %s\ntarget: sqlite:%s\ntables:\n%s"
                   % (self.server.uri(database), self.path("out.db"), "".join(
                       "  t%d:\n    key: [id]\n    entities:\n      t%d: { from: t%d, fields: { id: copy, "
                       "sum: { aggregate: of%d, match: { k: v }, value: sum(n) } } }\n"
                       % ((number,) * 4) for number in range(len(pairs)))))
        self.run_program("migrate", "--quiet")
        served = "SELECT count(*) FROM pg_stat_user_indexes WHERE indexrelname LIKE 'of%\\_k' AND idx_scan > 0"
        self.wait_until("each index was used", lambda: self.server.ask(database, served) == [[str(len(pairs))]])


class References(sql_case.References, PostgresCase):
    SCRIPT = (LookUps.SCRIPT
              + "CREATE DOMAIN feeling AS mood; CREATE DOMAIN gut AS feeling; CREATE DOMAIN anycase AS citext; "
                "CREATE TYPE pair AS (n numeric, t text); ")
    EQUALS = (("inet", "'10.0.0.1'", "cidr", "'10.0.0.1/32'"), ("cidr", "'10.0.0.1'", "place", "'10.0.0.1'"),
              ("date", "'2024-01-01'", "timestamp", "'2024-01-01'"),
              ("timestamp", "'2024-01-01'", "date", "'2024-01-01'"),
              ("timestamp(0)", "'2024-01-01'", "timestamp", "'2024-01-01'"),
              ("numeric[]", "'{1.0}'", "numeric(9,2)[]", "'{1.00}'"),
              ("numrange", "'[1.0,2)'", "numrange", "'[1.00,2)'"),
              ("nummultirange", "'{[1.0,2)}'", "nummultirange", "'{[1.00,2)}'"), ("mood", "'a'", "gut", "'a'"),
              ("feeling", "'a'", "gut", "'a'"), ("feeling", "'a'", "text", "'a'"),
              ("numeric", "1.0", "numeric", "1.00"), ("double precision", "'-0'", "double precision", "0"),
              ("interval", "'1 day'", "interval", "'24 hours'"),
              ("bit(3)", "'101'", "bit(3)", "'101'"), ("interval[]", "'{1 day}'", "interval[]", "'{24:00:00}'"))
    NAMED = (("citext", "'Bob'", "citext", "'bob'"), ("text COLLATE loose", "'A'", "text COLLATE loose", "'a'"),
             ("citext[]", "'{A}'", "citext[]", "'{a}'"))
    KEYS = tuple(case for case in EQUALS if case[1] != "'a'") + NAMED + (("mood", "'a'", "mood", "'a'"),
        ("anycase", "'Bob'", "citext", "'bob'"), ("anycase", "'Bob'", "anycase", "'bob'"),
                                                                         ("text COLLATE loose", "'A'",
                                                                          "text COLLATE \"C\"", "'a'"),
        ("loose_word", "'A'", "varchar(5)", "'a'"), ("char(4)", "'a'", "char(6)", "'a'"),
                                                                         ("macaddr8", "'08:00:2b:01:02:03'", "macaddr",
                                                                          "'08:00:2b:01:02:03'"),
        ("pair", "'(1.0,a)'", "pair", "'(1.00,a)'"), ("text", "'a'", "citext", "'a'"), ("name", "'a'", "text", "'a'"),
                                                                         ("text[] COLLATE loose", "'{A}'", "text[]",
                                                                          "'{a}'"))


class DomainsOverEnums(PostgresCase):
    """They have no = of their own; as keys they go into chunks, are followed, found, repaired, and taken back."""
    SCRIPT = ("CREATE TYPE mood AS ENUM (%s); CREATE DOMAIN feeling AS mood; CREATE DOMAIN gut AS feeling; "
              "CREATE TABLE t (k gut, n int, v text, PRIMARY KEY (k, n)); "
              % ", ".join("'m%d'" % number for number in range(5)))

    # options; how many of what was damaged are told: missing, different, extra
    WAYS = (((), [1, 1, 1]), (("--existing", "upsert"), [1, 1, 0]),
            (("--existing", "append", "--rollback-keys"), [1, 1, 0]))

    def run_of(self, state):
        with open(self.path(state, "run.json"), encoding="utf-8") as file:
            return json.load(file)["run"]

    def damage_and_repair(self, source, target, found, state):
        self.server.ask(target,
                        "UPDATE t SET v = 'damaged' WHERE k::mood = 'm1' AND n = 1; "
                        "DELETE FROM t WHERE k::mood = 'm2' AND n = 2; INSERT INTO t VALUES ('m2', 9999, 'extra')")
        said = json.loads(self.run_program("validate", "--level", "full", "--json", *state, code=1).out)["entities"][0]
        self.assertEqual([said[name] for name in ("missing", "different", "extra")], found)
        self.run_program("validate", "--repair", "--delete-extra", "--confirm", *state)
        self.server.ask(target, "DELETE FROM t WHERE n = 9999; UPDATE t SET v = 'v1' WHERE n = 1" if found != [1, 1, 1]
                        else "")
        self.assert_same_rows(source, target, "t")

    def test_a_key_of_them(self):
        source = self.made(self.SCRIPT
                           + "INSERT INTO t SELECT ('m' || i % 5)::mood, i, 'v' || i FROM generate_series(1, 600) i")
        for number, (options, found) in enumerate(self.WAYS):
            with self.subTest(options):
                state = ("--state", "state-%d" % number)
                there = ("" if not options else "INSERT INTO t VALUES ('m1', 1, 'v1')" if "append" not in options
                         else "INSERT INTO t VALUES ('m0', 7777, 'old')")
                target = self.made(self.SCRIPT + there if options else "")
                before = self.rows(target, "t") if options else None
                self.migrate(self.server.uri(source), self.server.uri(target), *options, "--chunk-rows", "100", *state)
                self.server.ask(target, "DELETE FROM t WHERE n = 7777")
                self.assert_same_rows(source, target, "t")
                copy = self.run_of(state[1])
                self.damage_and_repair(source, target, found, state)
                if options:
                    self.server.ask(target, "INSERT INTO t VALUES ('m0', 7777, 'old')" if "append" in options else "")
                    for run in (self.run_of(state[1]), copy):
                        self.run_program("rollback", "--run", run, "--confirm", *state)
                        self.server.ask(target, "UPDATE t SET v = 'v1' WHERE n = 1")
                    self.assertEqual(self.rows(target, "t"), before)


class Plans(sql_case.Plans, PostgresCase):
    ORDERED = '%s COLLATE "C"'
    EXTREMES = {
        "smallint": ("-5", "7"), "bigint": ("-5", "9223372036854775807", "0"),
        "numeric": ("-1.50", "1e30", "12345678901234567890.5", "2"), "numeric(20,2)": ("1", "2.25"),
        "numeric(9,1)": ("'NaN'", "1"), "double precision": ("-1.5", "1e300", "5e-324", "'Infinity'", "'-Infinity'"),
        "real": ("0.1", "0.2", "-3"), "float8": ("1", "'NaN'"),
        "text": ("'b'", "'a'", "'é'", "'Z'", "''", "'ba'"), "date": ("'2020-01-01'", "'0044-03-15 BC'", "'9999-12-31'"),
        "date NULL": ("'infinity'", "'2020-01-01'", "'-infinity'"),
        "time": ("'00:00'", "'24:00'", "'12:00:00.000001'", "'12:00:00'"),
        "timetz": ("'12:00+05'", "'12:00-05'", "'10:00+03'", "'15:00-02:30'"),
        "timestamp": ("'2020-01-01 00:00:00.000001'", "'2020-01-01'", "'0044-03-15 BC'"),
        "timestamptz": ("'2020-01-01 00:00+05'", "'2020-01-01 00:00-05'", "'infinity'"),
        "interval": ("'1 mon'", "'2 days'", "'29 days 24:00:01'", "'-1 year'", "'400 days -1 mon'")}

    def test_child_rows_of_a_table_that_others_inherit_from(self):
        """Without a key a row is told by its place, which each of the tables has for itself."""
        rows = "SELECT 10 * %d + i, 'v' || i FROM generate_series(1, 40) i;"
        name = self.made("CREATE TABLE t (id int, v text); CREATE TABLE heir () INHERITS (t); "
                         "CREATE TABLE second () INHERITS (heir);"
                         "CREATE TABLE c (p int, x int); CREATE TABLE d () INHERITS (c);"
                         + "".join("INSERT INTO %s %s" % (table, rows % (100 * number))
                                   for number, table in enumerate(("t", "heir", "second"))) +
                         "INSERT INTO c SELECT id, 1 FROM t; INSERT INTO d SELECT id, 2 FROM t; "
                         "INSERT INTO d SELECT id, 3 FROM second;")
        self.write("transhume.yaml",
                   "transhume: 1\nsource: %s\ntarget: jsonl:out\ntables:\n  t: { from: t, key: [id], "
                   "fields: { id: copy, v: copy, "
                   "list: { embed: c, match: { p: id }, fields: { x: copy } } } }\n" % self.server.uri(name))
        self.run_program("migrate", "-q")
        found = {}
        for part in os.listdir(self.path("out", "t")):
            with open(self.path("out", "t", part), encoding="utf-8") as file:
                found.update({record["id"]: (record["v"], sorted(one["x"] for one in record["list"]))
                              for record in map(json.loads, file)})
        self.assertEqual(found, {1000 * number + i: ("v%d" % i, [1, 2] + [3] * (number == 2)) for number in range(3)
                                 for i in range(1, 41)})

    def test_partners_by_keys_that_are_rows_with_nulls_in_them(self):
        name = self.made("CREATE TYPE half AS (a int, b text); CREATE TABLE p (k half PRIMARY KEY, v text); "
                         "CREATE TABLE r (id int PRIMARY KEY);"
                         "CREATE TABLE c (id int PRIMARY KEY, r int REFERENCES r, k half REFERENCES p); "
                         "INSERT INTO r VALUES (1);"
                         "INSERT INTO p VALUES ('(1,)', 'one'), ('(2,y)', 'two'), ('(,)', 'none'); "
                         "INSERT INTO c VALUES (1, 1, '(1,)'), (2, 1, '(2,y)'), (3, 1, '(,)'), (4, 1, NULL);")
        self.write("transhume.yaml", "transhume: 1\nsource: %s\ntarget: jsonl:out\ntables:\n"
                   "  r: { from: r, key: [id], fields: { id: copy, list: { embed: c.p, fields: { v: copy } } } }\n"
                   % self.server.uri(name))
        self.run_program("migrate", "-q")
        part, = os.listdir(self.path("out", "r"))
        with open(self.path("out", "r", part), encoding="utf-8") as file:
            record = json.load(file)
        self.assertEqual(sorted(one["v"] for one in record["list"]), ["none", "one", "two"])

    def test_a_query(self):
        source = self.made("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a;b'), (2, 'c')")
        self.write("transhume.yaml", "transhume: 1\nsource: %s\ntarget: sqlite:out.db\ntables:\n  q:\n    key: [n]\n"
                   "    entities:\n      q:\n        query: \"SELECT id * 10 AS n, v || ';' AS w, now()::date AS d "
                   "FROM t WHERE v <> ';x'; \"\n        fields: { \"*\": copy }\n" % self.server.uri(source))
        self.run_program("migrate", "--quiet")
        db = sqlite3.connect(self.path("out.db"))
        self.assertEqual(db.execute("SELECT n, w FROM q ORDER BY n").fetchall(), [(10, "a;b;"), (20, "c;")])
        db.close()

    def test_numbers_that_an_expression_can_not_hold(self):
        """
        SQLite makes NULL of a NaN, and infinity or zero of what is beyond its floats: whoever looks at one is rejected.
        """
        source = self.made("""
            CREATE TABLE t (id int PRIMARY KEY, f float8, g real, n numeric);
            INSERT INTO t VALUES (1, 1.5, NULL, NULL), (2, 'NaN', NULL, NULL), (3, NULL, 'NaN', NULL), (4, NULL, NULL, 'NaN'), (5, '-Infinity', NULL, NULL),
              (6, NULL, 'Infinity', NULL), (7, NULL, NULL, 'Infinity'), (8, NULL, NULL, 1e400), (9, NULL, NULL, -1e-400),
              (10, NULL, NULL, 1.23456789012345e-312), (11, NULL, NULL, '-Infinity'), (12, NULL, NULL, 0.00), (13, NULL, NULL, NULL), (14, NULL, NULL, 1.5e300);
            CREATE TABLE part (id int PRIMARY KEY, t int REFERENCES t(id), f float8);
            INSERT INTO part VALUES (1, 1, 1), (2, 1, 'NaN'), (3, 5, 2), (4, 2, 3);
            """)
        bad = {2: "NaN", 3: "NaN", 4: "NaN", 8: "beyond", 9: "beyond", 10: "beyond"}
        seen = "coalesce(f, g, n)"
        plan = """transhume: 1
source: %s
target: jsonl:out
unmatched: skip
tables:
  made: { key: [id], from: t, fields: { id: copy, v: { sql: "SEEN", cast: float64, default: 7 } } }
  chosen: { key: [id], entities: { chosen: { from: t, where: "SEEN IS NULL", fields: { id: copy } } } }
  whether: { key: [id], from: t, fields: { id: copy, v: { const: 1, when: "SEEN IS NULL" } } }
  up: { key: [id], from: part, fields: { id: copy, v: { lookup: t, column: f }, w: { sql: "v IS NULL", cast: int64 } } }
  down: { key: [id], from: t, fields: { id: copy, v: { aggregate: part, value: sum(f) }, w: { sql: "v IS NULL", cast: int64 } } }
  lists: { key: [id], from: t, fields: { id: copy, v: { embed: part, where: "f IS NULL", fields: { id: copy } } } }
""" % self.server.uri(source)
        self.write("transhume.yaml", plan.replace("SEEN", seen))
        self.run_program("migrate", "--quiet", code=1)
        rejects = {}
        for reject in self.rejects():
            rejects.setdefault(reject["table"], {})[reject["key"]["id"]] = reject["reason"]
            self.assertEqual(reject["code"], "expression")
        for table in ("made", "chosen", "whether"):
            self.assertEqual(sorted(rejects[table]), sorted(bad), table)
            for row, word in bad.items():
                self.assertIn(word, rejects[table][row])
        self.assertEqual([sorted(rejects[table]) for table in ("up", "down", "lists")], [[4], [1], [1]])
        made = {record["id"]: record["v"] for record in self.records("made")}
        self.assertEqual(made, {1: 1.5, 5: "-Infinity", 6: "Infinity", 7: "Infinity", 11: "-Infinity", 12: 0.0, 13: 7.0,
                                14: 1.5e300})
        self.assertEqual([record["id"] for record in self.records("chosen")], [13])
        self.assertEqual([record["id"] for record in self.records("whether") if "v" in record], [13])
        self.assertEqual({record["id"]: record["v"] for record in self.records("down") if record["v"] != 0},
                         {2: 3, 5: 2})
        for level in ("hash", "full"):
            self.assertEqual(json.loads(self.run_program("validate", "--json", "--level", level,
                                                         code=1).out)["records"], [])

    def records(self, table):
        found = []
        for name in os.listdir(self.path("out", table)):
            with open(self.path("out", table, name), encoding="utf-8") as file:
                found += map(json.loads, file)
        return sorted(found, key=lambda record: record["id"])


if __name__ == "__main__":
    unittest.main()
