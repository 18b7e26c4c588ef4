"""Memory stays bounded, whatever the size of the database, of a parent or of a value."""
import glob
import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import mariadb
import postgres
import refusals
import support
from chinook_expected import Expectation

BOUND_KIB = 64 << 10
CHINOOK_PLAN = os.path.join(support.ROOT, "examples", "chinook", "transhume.yaml")
FLAT_ROWS = 2000000 if support.SOAK else 200000
BIG = 1000000 if support.SOAK else 200000


class LimitsTestCase(refusals.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.made = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.made)

    def measured(self, *arguments, code=0, bound_kib=BOUND_KIB, time_limit=240, env=None):
        """Runs the program and checks the most memory it ever held; figures of the run, `out` and `err`."""
        report = self.path("measure.json")
        result = subprocess.run([os.path.join(support.BUILD, "measure"), report, support.PROGRAM,
                                 *map(str, arguments)], cwd=self.folder, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, timeout=time_limit * support.PATIENCE,
                                env={**os.environ, **(env or {})})
        with open(report, encoding="ascii") as file:
            figures = json.load(file)
        os.unlink(report)
        figures["out"], figures["err"] = (said.decode("utf-8", "replace") for said in (result.stdout, result.stderr))
        self.assertEqual(figures["exit"], code, figures["err"][-3000:])
        if not os.environ.get("TRANSHUME_SANITIZE"):
            self.assertLessEqual(figures["peak_kib"], bound_kib, "more memory than the bound")
        return figures

    def flat(self, columns=9):
        """Made once for all tests of the class."""
        made = os.path.join(self.made, "flat%d.db" % columns)
        if not os.path.exists(made):
            subprocess.run([os.path.join(support.BUILD, "flatbench"), "--force", "--columns", str(columns),
                            str(FLAT_ROWS), made], check=True)
        os.link(made, self.path("flat.db"))

    def totals(self, path, table="t"):
        """Sums that tell a lost, doubled or altered row, by SQLite."""
        db = sqlite3.connect(path)
        columns = [row[1] for row in db.execute("PRAGMA table_info(%s)" % table)]
        sums = ", ".join("total(length(%s)), total(unicode(%s)), total(%s)" % (c, c, c) for c in columns)
        row = db.execute("SELECT count(*), %s FROM %s" % (sums, table)).fetchone()
        db.close()
        return row


class LookUps(LimitsTestCase):
    def test_wide_values_looked_up_for_many_records(self):
        """Batches are bounded by what they hold once the values are in them, whoever joins."""
        os.mkdir(self.path("in"))
        self.write("in/parent.csv", "id,note\n" + "".join("%d,%s\n" % (i, "n" * 300000) for i in range(3)))
        self.write("in/child.csv", "id,pid\n" + "".join("%d,%d\n" % (i, i % 3) for i in range(4000)))
        lookup = {"lookup": "parent", "match": {"id": "pid"}, "column": "note", "when": "id < 5"}
        self.write("plan.json", json.dumps({
            "transhume": 1, "source": "csv:in", "target": "jsonl:out",
            "tables": {"t": {"key": ["id"], "entities": {
                "e": {"from": "child", "fields": {"id": "copy", "note": lookup}}}}}}))
        self.measured("migrate", "--state", "s", "--plan", "plan.json", "--jobs", "1")
        records = [json.loads(line) for part in glob.glob(self.path("out/t/*")) for line in support.read_lines(part)]
        self.assertEqual(sorted(r["id"] for r in records), list(range(4000)))
        self.assertEqual([len(r["note"]) for r in records if "note" in r], [300000] * 5)


class Flat(LimitsTestCase):
    def test_plain_copy(self):
        self.flat()
        expected = self.totals(self.path("flat.db"))
        for number, way in enumerate((("--jobs", "2"), ("--no-express", "--jobs", "4"))):
            with self.subTest(way=way):
                copy = "copy%d.db" % number
                self.measured("migrate", "--state", "s%d" % number, *way, "flat.db", copy)
                self.assertEqual(self.totals(self.path(copy)), expected)

    def test_validate_byte_by_byte(self):
        self.flat()
        self.run_program("migrate", "flat.db", "copy.db")
        self.measured("validate", "--level", "full", bound_kib=BOUND_KIB * 3 // 4)

    def test_to_dynamodb_json(self):
        self.flat(columns=10)
        for number, query in enumerate(("", "?compression=zstd")):
            with self.subTest(query=query):
                out = "out%d" % number
                self.write("transhume.yaml", """transhume: 1
source: sqlite:flat.db
target: dynamodb-json:%s%s
tables:
  flat: { key: { partition: id }, from: t, fields: { "*": copy } }
""" % (out, query))
                self.measured("migrate", "--state", out + ".s", "--jobs", "4")
                names = sorted(os.listdir(self.path(out, "flat")))
                lines = sum(len(support.read_lines(self.path(out, "flat", name))) for name in names)
                self.assertEqual(lines, FLAT_ROWS)

    def test_rejects_of_everything(self):
        self.flat()
        support.make_sqlite(self.path("copy.db"), "CREATE TABLE t(id INTEGER PRIMARY KEY CHECK (id < 0), a, b, c, d,"
                            " price, r, created, flag);")
        self.measured("migrate", "--no-express", "flat.db", "copy.db", code=1)
        count = 0
        for name in os.listdir(self.path(".transhume", "rejects")):
            with open(self.path(".transhume", "rejects", name), "rb") as file:
                count += sum(1 for _ in file)
        self.assertEqual(count, FLAT_ROWS)

    def test_duplicate_keys_of_a_whole_table(self):
        self.flat()
        self.write("transhume.yaml", """transhume: 1
source: sqlite:flat.db
target: dynamodb-json:out
tables:
  flat: { key: { partition: K }, from: t, fields: { K: "{flag}", id: copy } }
""")
        self.measured("migrate", code=1)
        items = support.read_dynamodb_json(self.path("out"))["flat"]
        db = sqlite3.connect(self.path("flat.db"))
        first = db.execute("SELECT min(id) FROM t GROUP BY flag ORDER BY 1").fetchall()
        db.close()
        self.assertEqual(sorted(int(i["id"]["N"]) for i in items), [i for i, in first])


class Learning(LimitsTestCase):
    """The types of JSON lines are learnt from all rows, of which nothing is kept."""

    MEBIBYTES = 3000 if support.SOAK else 300
    NAMES = ["a field of a longer name, number %d" % i for i in range(60000)]

    def setUp(self):
        super().setUp()
        os.makedirs(self.path("in", "t"))

    def put(self, name, block, mebibytes=0):
        """The block as often as it takes."""
        with open(self.path("in", "t", name), "wb") as file:
            file.write(block)
            while file.tell() < mebibytes << 20:
                file.write(block)
            return file.tell() // len(block)

    def test_a_large_file(self):
        rows = ['{"id":%d,"name":"some text, %d","price":%d.%02d,"tags":["a",{"c":%d}]}' % (i, i, i % 977, i % 100, i)
                for i in range(20000)]
        times = self.put("1.jsonl", ("\n".join(rows) + "\n").encode(), self.MEBIBYTES)
        self.put("2.jsonl", b'{"id":"no number"}\n')
        figures = self.measured("check", "jsonl:in", "jsonl:out", bound_kib=BOUND_KIB // 2)
        self.assertIn("{:,} rows: id text".format(times * len(rows) + 1), " ".join(figures["out"].split()))

    def test_wide_files_behind_a_slow_one(self):
        """They are read by other threads meanwhile, and what they showed waits for what the first one shows."""
        wide = "".join(json.dumps({name: 1 for name in self.NAMES[i:i + 60]}) + "\n"
                       for i in range(0, len(self.NAMES), 60)).encode()
        with gzip.open(self.path("in", "t", "0.jsonl.gz"), "wb", compresslevel=1) as file:
            for _ in range(100):
                file.write(b'{"id":1,"list":[1,2,3,4,5,6,7,8,9,{"a":"x","b":"y"}]}\n' * 20000)
        for number in range(1, 70):
            self.put("%02d.jsonl" % number, wide)
        self.measured("check", "jsonl:in", "jsonl:out", bound_kib=2 * BOUND_KIB)

    def test_names_that_take_too_much(self):
        self.put("1.jsonl", b"".join(b'{"%05d%s":1}\n' % (i, b"k" * 8000) for i in range(20000)))
        self.assertIn("records=documents", self.measured("check", "jsonl:in", "jsonl:out", code=2)["err"])
        self.measured("migrate", "jsonl:in?records=documents", "jsonl:out")
        self.assertEqual(sum(1 for part in glob.glob(self.path("out", "t", "*")) for _ in support.read_lines(part)),
                         20000)


class Joins(LimitsTestCase):
    """What the engine joins lies on the disk, not in memory: many parents, and one with half of all children."""

    CHILDREN = 2000000 if support.SOAK else 200000

    def test_children_out_of_csv(self):
        os.makedirs(self.path("in"))
        parents = self.CHILDREN // 20
        with open(self.path("in", "parent.csv"), "w", encoding="ascii") as file:
            file.write("id,name\n")
            file.writelines("%d,name %d\n" % (i, i) for i in range(parents))
        with open(self.path("in", "child.csv"), "w", encoding="ascii") as file:
            file.write("cid,pid,amount,note\n")
            file.writelines("%d,%d,%d.%02d,note of child %d\n" % (
                i, 0 if i % 2 else i * 7919 % parents, i * 31 % 977, i % 100, i) for i in range(self.CHILDREN))
        self.write("transhume.yaml", """transhume: 1
source: csv:in
target: dynamodb-json:out
relations: { child: { pid: parent.id } }
tables:
  out:
    key: { partition: id, sort: page }
    entities:
      parent:
        from: parent
        fields:
          id: copy
          page: { const: 0 }
          n: { aggregate: child, value: "count(*)" }
          total: { aggregate: child, value: "sum(amount)" }
          all: { embed: child, order: [amount desc], when: "n < 0", fields: { cid: copy, amount: copy } }
      part:
        pages: parent.all
        size: 1000
        fields: { id: copy, page: { column: $page }, rows: { column: $list } }
""")
        self.measured("migrate", "--jobs", "4")
        hundredths = [0] * parents
        counts = [0] * parents
        for i in range(self.CHILDREN):
            parent = 0 if i % 2 else i * 7919 % parents
            counts[parent] += 1
            hundredths[parent] += i * 31 % 977 * 100 + i % 100
        largest = []
        pages = 0
        for name in os.listdir(self.path("out", "out")):
            for line in support.read_lines(self.path("out", "out", name)):
                item = json.loads(line)["Item"]
                parent = int(item["id"]["N"])
                if item["page"]["N"] == "0":
                    self.assertEqual(int(item["n"]["N"]), counts[parent])
                    self.assertEqual(round(float(item["total"]["N"]) * 100), hundredths[parent])
                    counts[parent] = -1
                else:
                    pages += 1
                    if parent == 0:
                        largest.append((int(item["page"]["N"]),
                                        [(float(row["M"]["amount"]["N"]), int(row["M"]["cid"]["N"]))
                                         for row in item["rows"]["L"]]))
        self.assertEqual(set(counts), {-1})
        rows = [row for _, page in sorted(largest) for row in page]
        self.assertEqual(rows, sorted(rows, key=lambda row: (-row[0], row[1])))
        self.assertGreaterEqual(len(rows), self.CHILDREN // 2)


class BigParents(LimitsTestCase):
    def migrate(self, code):
        figures = self.measured("migrate", "--plan", CHINOOK_PLAN, "--state", "s", "shop.db", "dynamodb-json:out",
                                code=code)
        return figures

    def tables(self):
        return support.read_dynamodb_json(self.path("out"))

    def lines(self, table):
        folder = self.path("out", table)
        for name in sorted(os.listdir(folder)):
            yield from support.read_lines(os.path.join(folder, name))

    def items(self, table, part):
        """The items whose line holds `part`: to parse all would take most of the test's time."""
        return [json.loads(line)["Item"] for line in self.lines(table) if part in line]

    def test_a_customer_with_very_many_invoices(self):
        support.musicshop(self.path("shop.db"), "--big-customer", BIG)
        self.migrate(code=0)
        table = "chinook-customer-orders"
        db = sqlite3.connect(self.path("shop.db"))
        customers, = db.execute("SELECT count(*) FROM Customer").fetchone()
        invoices, = db.execute("SELECT count(*) FROM Invoice").fetchone()
        big, count = db.execute("SELECT CustomerId, count(*) n FROM Invoice GROUP BY 1 ORDER BY n DESC").fetchone()
        cents, = db.execute("SELECT sum(CAST(round(Total * 100) AS INTEGER)) FROM Invoice WHERE CustomerId = ?",
                            (big,)).fetchone()
        db.close()
        self.assertEqual(sum(1 for _ in self.lines(table)), customers + invoices)
        profile, = (i for i in self.items(table, '"PROFILE"') if i["PK"]["S"] == "CUSTOMER#%d" % big)
        self.assertEqual(int(profile["TotalOrders"]["N"]), count)
        self.assertEqual(round(float(profile["TotalSpent"]["N"]) * 100), cents)

    def test_a_playlist_with_very_many_tracks(self):
        support.musicshop(self.path("shop.db"), "--big-playlist", BIG)
        self.migrate(code=0)
        db = sqlite3.connect(self.path("shop.db"))
        big, count = db.execute(
            "SELECT PlaylistId, count(*) n FROM PlaylistTrack GROUP BY 1 ORDER BY n DESC").fetchone()
        tracks = [t for t, in db.execute("SELECT TrackId FROM PlaylistTrack WHERE PlaylistId = ? ORDER BY 1", (big,))]
        milliseconds, = db.execute("SELECT sum(Milliseconds) FROM PlaylistTrack JOIN Track USING (TrackId)"
                                   " WHERE PlaylistId = ?", (big,)).fetchone()
        db.close()
        own = {i["SK"]["S"]: i for i in self.items("chinook-playlists", '"PLAYLIST#%d"' % big)}
        self.assertEqual(len(own), 1 + (count + 99) // 100)
        self.assertEqual(int(own["METADATA"]["TrackCount"]["N"]), count)
        self.assertEqual(int(own["METADATA"]["TotalDuration"]["N"]), milliseconds)
        found = []
        for page in range(1, (count + 99) // 100 + 1):
            found += [int(t["M"]["TrackId"]["N"]) for t in own["TRACKS_PAGE#%d" % page]["Tracks"]["L"]]
        self.assertEqual(found, tracks)

    def test_a_list_that_no_item_can_hold_is_a_clear_reject(self):
        support.musicshop(self.path("shop.db"), "--big-playlist", BIG // 4)
        self.write("transhume.yaml", """transhume: 1
source: sqlite:shop.db
target: dynamodb-json:out
tables:
  playlists:
    key: { partition: PlaylistId }
    from: Playlist
    fields:
      "*": copy
      Tracks: { embed: PlaylistTrack, order: TrackId, fields: { TrackId: copy, Name: { lookup: Track, column: Name } } }
""")
        self.measured("migrate", code=1)
        rejects = self.rejects()
        db = sqlite3.connect(self.path("shop.db"))
        big, = db.execute("SELECT max(PlaylistId) FROM Playlist").fetchone()
        playlists, = db.execute("SELECT count(*) FROM Playlist").fetchone()
        db.close()
        self.assertEqual([(r["code"], r["key"]) for r in rejects],
                         [("record-too-large", {"PlaylistId": big})])
        self.assertEqual(len(self.tables()["playlists"]), playlists - 1)

    def test_many_lists_of_records_that_are_not_made(self):
        """Too large for an item, left out by `when`, or pages without a key: nothing of them piles up."""
        support.make_sqlite(self.path("lists.db"), """
            CREATE TABLE C(id INTEGER PRIMARY KEY, void);
            CREATE TABLE I(id INTEGER PRIMARY KEY, c INT REFERENCES C(id), t TEXT);
            CREATE INDEX of_c ON I(c);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
                INSERT INTO C SELECT i, NULL FROM n;
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 4799)
                INSERT INTO I SELECT i, i / 80 + 1, hex(zeroblob(10000)) FROM n""")
        lists = "L: { embed: I, order: id, fields: { id: copy, t: copy } }"
        plans = {"too large": ("from: C\n        fields: { PK: 'C#{id}', %s }" % lists, "", 60),
                 "left out": ("from: C\n        when: 'N < 80'\n        fields: { PK: 'C#{id}', N: { aggregate: I,"
                              " value: 'count(*)' }, %s }" % lists, "", 0),
                 "pages": ("from: C\n        fields: { PK: 'C#{id}', L: { embed: I, order: id, when: '1 = 0',"
                           " fields: { id: copy, t: copy } } }",
                           "\n      p: { pages: c.L, size: 10, fields: { PK: '{void}', L: { column: $list } } }", 480)}
        for number, (name, (entity, more, rejects)) in enumerate(plans.items()):
            with self.subTest(name):
                self.write("transhume.yaml", """transhume: 1
source: sqlite:lists.db
target: dynamodb-json:out%d
tables:
  lists:
    key: { partition: PK }
    entities:
      c:
        %s%s
""" % (number, entity, more))
                self.measured("migrate", "--state", "s%d" % number, code=1 if rejects else 0)
                count = 0
                for file in os.listdir(self.path("s%d" % number, "rejects")):
                    count += len(support.read_lines(self.path("s%d" % number, "rejects", file)))
                self.assertEqual(count, rejects)

    def test_batches_that_are_cut_for_the_target(self):
        """The toy takes 500 records at once; what was cut for it must not stay until the chunk's end."""
        rows = 150000
        support.make_sqlite(self.path("lists.db"), """
            CREATE TABLE C(id INTEGER PRIMARY KEY);
            CREATE TABLE I(id INTEGER PRIMARY KEY, c INT REFERENCES C(id), t TEXT);
            CREATE INDEX of_c ON I(c);
            INSERT INTO C VALUES (1);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
                INSERT INTO I SELECT i, 1, hex(zeroblob(150)) FROM n""" % rows)
        self.write("transhume.yaml", """transhume: 1
source: sqlite:lists.db
target: toy:out
options: { batch_bytes: 1MiB, batch_rows: 500 }
tables:
  lists:
    key: [PK]
    entities:
      c: { from: C, fields: { PK: 'C#{id}', L: { embed: I, order: id, when: '1 = 0', fields: { t: copy } } } }
      p: { pages: c.L, size: 1, fields: { PK: 'P#{id}#{$page}', L: { column: $list } } }
""")
        self.measured("migrate", env={"TRANSHUME_MODULES": os.path.join(support.BUILD, "toy.so")})
        with open(self.path(".transhume", "state.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["records_migrated"], rows + 1)

    def test_killed_within_the_big_parent(self):
        support.musicshop(self.path("shop.db"), "--big-playlist", BIG // 20)
        arguments = ("--plan", CHINOOK_PLAN, "--state", "s", "--chunk-rows", "1000", "shop.db", "dynamodb-json:out")
        for seconds in (0.1, 0.2):
            support.kill_after(seconds, "migrate" if not os.path.exists(self.path("s", "run.json")) else "resume",
                               *arguments, cwd=self.folder)
        result = support.transhume("resume", *arguments, cwd=self.folder)
        if result.code == 2:
            result = support.transhume("migrate", *arguments, cwd=self.folder)
        self.assert_code(result, 0)
        expected = Expectation(self.path("shop.db")).tables()
        self.assertEqual(support.dynamodb_differences(expected, self.tables()), [])


class LargeValues(LimitsTestCase):
    """jobs x (ring + 2 x the slice limit) + 32 MiB; express and sliced values never whole in memory twice."""

    def test_a_hundred_mebibytes(self):
        size = 100 << 20
        db = sqlite3.connect(self.path("big.db"))
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB)")
        db.execute("INSERT INTO t VALUES (1, zeroblob(?)), (2, x'01')", (size,))
        db.commit()
        blob = db.execute("SELECT count(*) FROM t").fetchone()
        self.assertEqual(blob, (2,))
        with_ends = b"begin" + os.urandom(1 << 16)
        handle = db.blobopen("t", "b", 1) if hasattr(db, "blobopen") else None
        if handle:
            handle.write(with_ends)
            handle.seek(size - len(with_ends))
            handle.write(with_ends[::-1])
            handle.close()
            db.commit()
        db.close()
        self.measured("migrate", "--state", "s1", "--no-express", "--jobs", "2", "big.db", "copy1.db")
        # The express lane is SQLite's own: it holds a row whole.
        self.measured("migrate", "--state", "s2", "big.db", "copy2.db", bound_kib=BOUND_KIB + 2 * (size >> 10))
        for copy in ("copy1.db", "copy2.db"):
            self.assert_same_blobs(copy)

    def assert_same_blobs(self, copy):
        db = sqlite3.connect(self.path("big.db"))
        db.execute("ATTACH ? AS copy", (self.path(copy),))
        self.assertEqual(db.execute("SELECT count(*) FROM t JOIN copy.t c USING (id) WHERE t.b = c.b"
                                    " AND typeof(c.b) = 'blob'").fetchone(), (2,))
        db.close()

    def test_texts_and_values_before_others(self):
        """SQLite makes their record in memory: twice the largest value, however many there are, and once if
        the target pulls them."""
        size = 24 << 20
        for kind in ("zeroblob(?)", "printf('%.*c', ?, 'x')"):
            with self.subTest(kind=kind):
                db = sqlite3.connect(self.path("big.db"))
                db.executescript("DROP TABLE IF EXISTS t; CREATE TABLE t(id INTEGER PRIMARY KEY, v, n INTEGER)")
                db.executemany("INSERT INTO t VALUES (?, %s, 7)" % kind, [(i, size - i) for i in range(5)])
                db.commit()
                db.close()
                for number, (options, times) in enumerate(((("--no-express", "--jobs", "2"), 2), ((), 1))):
                    copy = "%s%d.db" % (kind[0], number)
                    self.measured("migrate", "--state", copy + "-state", *options, "big.db", copy,
                                  bound_kib=(29 << 10) + times * (size >> 10))
                    db = sqlite3.connect(self.path("big.db"))
                    db.execute("ATTACH ? AS copy", (self.path(copy),))
                    self.assertEqual(db.execute("SELECT count(*) FROM t JOIN copy.t c USING (id) WHERE t.v = c.v"
                                                " AND typeof(t.v) = typeof(c.v) AND c.n = 7").fetchone(), (5,))
                    db.close()

    def test_many_values_of_a_mebibyte(self):
        db = sqlite3.connect(self.path("big.db"))
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB, t TEXT)")
        db.executemany("INSERT INTO t VALUES (?, randomblob(?), hex(randomblob(?)))",
                       [(i, (1 << 20) - i * 1000, 200 << 10) for i in range(40)])
        db.commit()
        db.close()
        self.measured("migrate", "--state", "s1", "--no-express", "--jobs", "4", "big.db", "copy1.db",
                      bound_kib=BOUND_KIB + (32 << 10))
        self.measured("migrate", "--state", "s2", "big.db", "copy2.db")
        for copy in ("copy1.db", "copy2.db"):
            db = sqlite3.connect(self.path("big.db"))
            db.execute("ATTACH ? AS copy", (self.path(copy),))
            self.assertEqual(db.execute("SELECT count(*) FROM t JOIN copy.t c USING (id) WHERE t.b = c.b"
                                        " AND t.t = c.t").fetchone(), (40,))
            db.close()


class Samples(LimitsTestCase):
    """A sample asks for small records together; what is large, it holds one at a time, wherever the server keeps it."""

    def sampled(self, server):
        db = sqlite3.connect(self.path("big.db"))
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB)")
        db.executemany("INSERT INTO t VALUES (?, randomblob(1 << 20))", [(i,) for i in range(80)])
        db.commit()
        db.close()
        server = server.for_class(type(self))
        self.run_program("migrate", "big.db", server.uri(server.database()))
        self.measured("validate", "--level", "sample", "--sample", 80)

    def test_of_postgres(self):
        self.sampled(postgres)

    def test_of_mariadb(self):
        self.sampled(mariadb)


class Lists(LimitsTestCase):
    """Items as large as DynamoDB takes them, all list: each makes tens of thousands of rows."""

    ITEMS = 60 if support.SOAK else 8
    ELEMENTS = 39000
    PLAN = """transhume: 1
tables:
  rows:
    key: KEY
    from: big
    unnest: l
    fields: { id: { column: $parent.id, cast: int64 }, n: { column: $ordinal }, v: { column: $value, cast: int64 } }
"""

    def setUp(self):
        super().setUp()
        os.makedirs(self.path("in", "big"))
        numbers = ",".join('{"N":"%d"}' % (i % 10) for i in range(self.ELEMENTS))
        with open(self.path("in", "big", "data-1.json"), "w", encoding="ascii") as file:
            for i in range(self.ITEMS):
                file.write('{"Item":{"id":{"N":"%d"},"l":{"L":[%s]}}}\n' % (i, numbers))

    def test_unnested_to_sqlite(self):
        self.write("transhume.yaml", self.PLAN.replace("KEY", "[id, n]"))
        self.measured("migrate", "--plan", "transhume.yaml", "dynamodb-json:in", "copy.db")
        db = sqlite3.connect(self.path("copy.db"))
        found = db.execute("SELECT count(*), count(DISTINCT id), min(n), max(n), sum(v) FROM rows").fetchone()
        wrong = db.execute("SELECT count(*) FROM rows WHERE v <> (n - 1) % 10").fetchone()
        db.close()
        self.assertEqual(found, (self.ITEMS * self.ELEMENTS, self.ITEMS, 1, self.ELEMENTS,
                                 self.ITEMS * sum(i % 10 for i in range(self.ELEMENTS))))
        self.assertEqual(wrong, (0,))

    def test_unnested_to_dynamodb_json(self):
        self.write("transhume.yaml", self.PLAN.replace("KEY", "{ partition: id, sort: n }"))
        self.measured("migrate", "--plan", "transhume.yaml", "dynamodb-json:in", "dynamodb-json:out")
        keys, wrong = set(), 0
        for part in glob.glob(self.path("out", "rows", "data-*")):
            for line in support.read_lines(part):
                row = json.loads(line)["Item"]
                keys.add((row["id"]["N"], row["n"]["N"]))
                wrong += int(row["v"]["N"]) != (int(row["n"]["N"]) - 1) % 10
        self.assertEqual((len(keys), wrong), (self.ITEMS * self.ELEMENTS, 0))


class Refused(LimitsTestCase):
    """One chunk of which next to nothing goes to the target: its batches are not held to the end."""

    ROWS = 1000000 if support.SOAK else 300000

    def refused(self, server, value, column, policy):
        """`value` in each record but every five thousandth."""
        script = ("CREATE TABLE t (id INTEGER PRIMARY KEY, v, n TEXT); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL "
                  "SELECT i + 1 FROM c WHERE i < %d) "
                  "INSERT INTO t SELECT i, iif(i %% 5000 = 0, 1, %s), printf('%%080d', i) FROM c" % (self.ROWS, value))
        support.make_sqlite(self.path("source.db"), script)
        first = "postgres" if server is postgres else ""
        server = server.for_class(type(self))
        server.ask(first, "CREATE DATABASE refused")
        server.ask("refused", "CREATE TABLE t (id bigint PRIMARY KEY, v %s, n varchar(100))" % column)
        kept = self.ROWS // 5000
        for existing in ("append", "replace") if support.SOAK else (policy,):
            self.measured("migrate", "--existing", existing, "--jobs", 2, "--chunk-rows", self.ROWS, "--memory", "8MiB",
                          "--state", existing, "source.db", server.uri("refused"), code=1, bound_kib=48 << 10)
            self.assertEqual(server.ask("refused", "SELECT count(*), sum(id) FROM t"),
                             [[str(kept), str(5000 * kept * (kept + 1) // 2)]])

    def test_by_mysql(self):
        self.refused(mariadb, "9e999", "double", "append")

    def test_by_postgres(self):
        self.refused(postgres, "char(97, 0, 98)", "text", "replace")


if __name__ == "__main__":
    unittest.main()
