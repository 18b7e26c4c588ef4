"""
What tests of large values in SQL servers share: out to SQLite, across to the same server, and back in, within so much
memory.
"""
import contextlib
import hashlib
import itertools
import json
import os
import sqlite3
import sys

import refusals
import support

PEAK_SCRIPT = "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); " \
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"


class Measured(support.TestCase):
    """Peak memory of the program, as getrusage tells it."""
    def measured(self, *arguments):
        """The result, whatever it is, and the peak."""
        result = support.finish(support.subprocess.Popen(
            [sys.executable, "-c", PEAK_SCRIPT, support.PROGRAM, *arguments], cwd=self.folder,
            stdin=support.subprocess.DEVNULL, stdout=support.subprocess.PIPE, stderr=support.subprocess.PIPE), 300)
        return result, int(result.out.split()[-1]) >> 10

    def peak_mib(self, *arguments):
        result, peak = self.measured(*arguments)
        self.assert_code(result, 0)
        return peak


class LargeValues(Measured):
    SERVERS = None         # the module that starts one
    SETTINGS = None
    TOLD = ""              # asks for what is in table big, in order
    # of the largest value that a row on its way may take
    ROWS_HELD = {"out": 0, "across": 0, "in": 0}
    LIMIT_MIB = 96
    SLICED = (18, 6 << 20)  # so many values, each more than a block, and together more than the limit

    @classmethod
    def setUpClass(cls):
        cls.server = cls.SERVERS.for_class(cls, settings=cls.SETTINGS)

    def fill(self, name, count, bytes_each):
        """Table big (id, t, b): texts of two-byte letters in even rows, bytes in odd ones, NULL else."""
        raise NotImplementedError

    def migrate(self, source, target, *options):
        return self.peak_mib("migrate", "-q", *options, source, target)

    def there_and_back(self, count, bytes_each, validated=True):
        source, back = self.server.database(), self.server.database()
        self.fill(source, count, bytes_each)
        told = self.server.ask(source, self.TOLD)
        self.assertEqual(len(told), count)
        peaks = {"out": self.migrate(self.server.uri(source), "sqlite:big.db", "--jobs", "1"),
                 "across": self.migrate(self.server.uri(source), self.server.uri(self.server.database()), "--jobs", "1",
                                        "--no-express", "--state", "across"),
                 "in": self.migrate("sqlite:big.db", self.server.uri(back), "--jobs", "1", "--state", "back")}
        self.assertEqual(told, self.server.ask(back, self.TOLD))
        print("%d values of %d MiB: %s MiB resident" % (count, bytes_each >> 20, peaks), file=sys.stderr)
        with open(self.path("across", "report.json"), encoding="utf-8") as file:
            self.assertGreater(json.load(file)["entities"][0]["bytes"], count * bytes_each // 2)
        if validated:
            self.run_program("validate", "--state", "across", "--level", "full", time_limit=300)
        for way, peak in peaks.items() if not os.environ.get("TRANSHUME_SANITIZE") else ():
            self.assertLess(peak, self.LIMIT_MIB + (self.ROWS_HELD[way] * bytes_each >> 20), way)
        os.remove(self.path("big.db"))

    def test_many_of_one_mib(self):
        self.there_and_back(1000 if support.SOAK else 30, 1 << 20)

    def test_many_that_go_in_slices(self):
        """What is kept of each while it is read is not kept for all of a batch."""
        count, bytes_each = self.SLICED
        self.there_and_back(5 * count if support.SOAK else count, bytes_each, validated=support.SOAK)

    def test_some_of_a_hundred_mib(self):
        self.there_and_back(10 if support.SOAK else 2, 100 << 20 if support.SOAK else 40 << 20)


LOOKS = """transhume: 1
source: "%s"
target: "jsonl:out?tags=no&record_bytes=256MiB"
tables:
  looks:
    key: [id]
    from: big
    where: "t IS NULL OR substr(t, 7, 1) NOT IN ('2', '5')"
    fields:
      id: copy
      json: { column: t, cast: json }
      map: { column: t, cast: map }
      seen: { column: id, when: "length(t) > 3000" }
      length: { sql: "length(t) + length(b)", cast: int64 }
      text: { column: b, cast: text }
      straight: { column: t }
"""


class LookedAt(Measured):
    """
    Casts and expressions see a value that comes in pieces as they see a small one. Expected results are made here.
    """
    LETTERS = "\u00e9\U0001f411x"
    LARGE_BYTES = 0  # more than what comes whole

    def text_of(self, number):
        return '{"id":%d,"pad":["%s"]}' % (number, self.LETTERS * self.repeats(number))

    def repeats(self, number):
        return self.LARGE_BYTES // len(self.LETTERS.encode()) + 1 if number in (1, 2) else number

    def assert_looked_at(self, source):
        """Of table big (id, t, b): rows 1 and 2 large ones, 3 to 5 small ones, 6 NULL; b is t's bytes."""
        self.write("plan.yaml", LOOKS % source)
        self.run_program("migrate", "--plan", "plan.yaml", "--jobs", "1")
        records = []
        for name in os.listdir(self.path("out", "looks")):
            records += map(json.loads, support.read_lines(self.path("out", "looks", name)))
        expected = []
        for number in (1, 3, 4):
            text = self.text_of(number)
            expected.append({"id": number, "json": json.loads(text), "map": json.loads(text),
                             "length": len(text) + len(text.encode()), "text": text,
                             "straight": text, **({"seen": number} if number == 1 else {})})
        expected.append({"id": 6})
        found = [{name: value for name, value in record.items() if value is not None}
                 for record in sorted(records, key=lambda record: record["id"])]
        self.assertEqual([record["id"] for record in found], [record["id"] for record in expected])
        for one, other in zip(expected, found):
            self.assertEqual(sorted(one), sorted(other))
            for name in one:
                self.assertTrue(one[name] == other[name], "%s of %d: %.100r" % (name, one["id"], other[name]))


class Unfit(refusals.TestCase):
    """A large value beside one that no column of its kind holds: the row is refused whole, all others arrive as they
    are. From SQLite,
    whose columns take anything, and whose rows pass unconverted."""
    SERVERS = None
    SETTINGS = None
    # A column, and what is put into it that it can't hold over there; the last two are small. SQLite makes no numbers
    # of such texts.
    MISFITS = {"n INTEGER": "x" * 100000, "r REAL": "y" * 70000, "d NUMERIC(10,2)": "z" * 65537, "q BLOB": "t" * 90000,
               "o TEXT": b"\x01" * 90000,
               "m INTEGER": b"\x00" * 80000, "s INTEGER": "x", "u REAL": b"\x02"}
    LARGE = {"a TEXT": ("x" * 300000, "\u00e9" * 40000), "b BLOB": (b"\xff\x00" * 40000, b"\x00" * 70000)}
    ROWS = 40
    BAD = (1, 17, 18, 19, 40)
    TEXT = "text"

    @classmethod
    def setUpClass(cls):
        cls.server = cls.SERVERS.for_class(cls, settings=cls.SETTINGS)

    def value_of(self, declared, number):
        """One that the column holds."""
        kind = declared.split()[1]
        return {"TEXT": "t%d" % number, "BLOB": b"b%d" % number}.get(kind, number)

    def rows_of(self, large, misfit):
        """All of them, as (id, large, misfit): every third one has a large value, refused ones too."""
        for number in range(1, self.ROWS + 1):
            whole = self.LARGE[large][number % 2] if number % 3 == 0 or number in self.BAD else self.value_of(large,
                number)
            yield number, whole, self.MISFITS[misfit] if number in self.BAD else self.value_of(misfit, number)

    def fill_source(self):
        """{table: (columns, rows that fit)}; the large value comes before the other one, or behind it."""
        tables = {}
        with contextlib.closing(sqlite3.connect(self.path("unfit.db"))) as db:
            orders = ((0, 1, 2), (2, 1, 0))
            for large, misfit, order in ((*pair, order) for pair in itertools.product(self.LARGE, self.MISFITS)
                                         for order in support.drawn(orders, 1, self.id() + str(pair))):
                table = "t%d" % len(tables)
                columns = ("id INTEGER PRIMARY KEY", large, misfit)
                rows = list(self.rows_of(large, misfit))
                db.execute("CREATE TABLE %s (%s)" % (table, ", ".join(columns[at] for at in order)))
                db.executemany("INSERT INTO %s VALUES (?, ?, ?)" % table, ([row[at] for at in order] for row in rows))
                tables[table] = (large, misfit), [row for row in rows if row[0] not in self.BAD]
            db.commit()
        return tables

    @staticmethod
    def digest_of(value):
        return hashlib.md5(value if isinstance(value, bytes) else str(value).encode()).hexdigest()

    def assert_fitting(self, tables, target, state):
        refused = {}
        for reject in self.rejects(state):
            refused.setdefault(reject["table"], []).append(reject["record"]["id"])
            self.assertIn(reject["code"], ("type", "number-range"), reject["reason"])
        self.assertEqual({table: sorted(numbers) for table, numbers in refused.items()},
                         {table: list(self.BAD) for table in tables})
        for table, ((large, misfit), rows) in tables.items():
            names = [declared.split()[0] for declared in (large, misfit)]
            counted = misfit.split()[1] not in ("TEXT", "BLOB")
            expected = [[str(number), self.digest_of(whole), float(other) if counted else self.digest_of(other)]
                        for number, whole, other in rows]
            found = self.server.ask(target, "SELECT id, md5(%s), %s FROM %s ORDER BY id" % (names[0],
                names[1] if counted else "md5(%s)" % names[1], table))
            self.assertEqual([[number, whole, float(other) if counted else other] for number, whole, other in found],
                             expected, (table, large, misfit))

    def test_each_place(self):
        tables = self.fill_source()
        target = self.server.database()
        source = "sqlite:unfit.db?slice=64KiB"
        for state, existing in (("new", "refuse"), ("upsert", "upsert")):
            self.run_program("migrate", "-q", "--existing", existing, "--state", state, source, self.server.uri(target),
                             code=1)
            self.assert_fitting(tables, target, state)
            self.run_program("finish", "--confirm", "--state", state)

    def test_bytes_that_would_parse(self):
        """Records of one size before a large value whose end lies where theirs have the next column: were they not
        taken out of what is
        sent, they would be read once more. Nothing but the count tells in a table without a key that was there
        before."""
        head, text = 19, 1994
        record = 2 + (4 + 8) + (4 + text) + (4 + 8)
        large = "x" * (head + 40 * record - (4 + 8))
        for name, bad in (("first", (100,)), ("several", (90, 91, 100)), ("last", (120,))):
            with self.subTest(name):
                target = self.server.database()
                with contextlib.closing(sqlite3.connect(self.path(name + ".db"))) as db:
                    db.execute("CREATE TABLE t (id INTEGER, a TEXT, n INTEGER)")
                    db.executemany("INSERT INTO t VALUES (?, ?, ?)",
                                   ((i, large, "x" * 100000) if i in bad else (i, "%01994d" % i, i)
                                    for i in range(121)))
                    db.commit()
                self.server.ask(target, "CREATE TABLE t (id bigint, a %s, n bigint)" % self.TEXT)
                self.run_program("migrate", "-q", "--existing", "append", "--state", name, "--jobs", "1",
                                 "sqlite:%s.db?slice=64KiB" % name,
                                 self.server.uri(target), code=1)
                self.assertEqual([reject["record"]["id"] for reject in self.rejects(name)], list(bad))
                self.assertEqual(self.server.ask(target, "SELECT id, length(a), n FROM t ORDER BY id"),
                                 [[str(i), str(text), str(i)] for i in range(121) if i not in bad])
