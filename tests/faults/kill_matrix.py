"""kill -9 at every failpoint and at seeded instants, then resume: nothing lost, doubled or altered.

The pairs are in test_kill_*.py, some modules, so that they run side by side.

`make soak` runs all of it: the first, middle and last occurrence of each failpoint and 200 instants for each pair.
`make test` runs a
sample drawn by the seed: many cases of one pair of each class of databases (tests/engines), a few of every other pair.
"""
import collections
import os
import random
import re
import shutil
import sqlite3
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import engines
import matrix
import support
from chinook_expected import item_of

# How many cases of a pair are tried; None: all. `cases` is for each other kind of fault (strikes.py).
Sample = collections.namedtuple("Sample", "kills instants resume_points cases kills_least")
WHOLE = Sample(None, 200, None, None, 6)
THOROUGH = Sample(10, 2, 3, 3, 6)
BRIEF = Sample(3, 1, 1, 1, 2)
RESUMES_MAX = 30

SHOP_SCRIPT = """
CREATE TABLE plain(id INTEGER PRIMARY KEY, a TEXT, b BLOB, price NUMERIC(10,2), r REAL);
CREATE TABLE pair(x TEXT, y INTEGER, note TEXT, PRIMARY KEY (x, y)) WITHOUT ROWID;
CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, plain_id INTEGER REFERENCES plain(id), u TEXT UNIQUE);
CREATE INDEX counted_plain ON counted(plain_id);
CREATE VIEW cheap AS SELECT id, price FROM plain WHERE price < 10;
CREATE TRIGGER plain_note AFTER INSERT ON plain BEGIN
    INSERT INTO pair VALUES ('trigger', new.id, 'must not run while loading'); END;
"""
# Documents have no columns of their own: the way into tables names them.
TABLES_PLAN = """
transhume: 1
source: "%s"
target: sqlite:%s
tables:
  plain:
    key: [id]
    from: plain
    columns: { id: { type: INTEGER }, a: { type: TEXT }, b: { type: BLOB }, price: { type: "NUMERIC(10,2)" }, r: { type: REAL } }
    fields: { id: copy, a: copy, b: copy, price: copy, r: copy }
  pair:
    key: [x, y]
    from: pair
    columns: { x: { type: TEXT }, y: { type: INTEGER }, note: { type: TEXT } }
    fields: { x: copy, y: copy, note: copy }
  counted:
    key: [id]
    from: counted
    columns: { id: { type: INTEGER }, plain_id: { type: INTEGER }, u: { type: TEXT } }
    fields: { id: copy, plain_id: copy, u: copy }
"""
KEYLESS_SCRIPT = "CREATE TABLE keyless(word TEXT, n INTEGER);"
SEARCH_SCRIPT = "CREATE VIRTUAL TABLE found USING fts4(body);"


def make_source(path, keyless):
    db = sqlite3.connect(path)
    db.executescript(SHOP_SCRIPT)
    db.execute("DROP TRIGGER plain_note")
    numbers = random.Random(7)
    for i in range(1, 701):
        db.execute("INSERT INTO plain VALUES (?, ?, ?, ?, ?)",
                   (i * 3, None if i % 11 == 0 else "text %d \u00e9\U0001f411" % i, numbers.randbytes(i % 40),
                    numbers.randrange(10000) / 100, numbers.random() * 1e6))
        db.execute("INSERT INTO pair VALUES (?, ?, ?)", ("k%d" % (i % 13), i, "n" * (i % 50)))
        db.execute("INSERT INTO counted(plain_id, u) VALUES (?, ?)", (i * 3, "u%d" % i))
    db.execute("DELETE FROM counted WHERE id > 690")
    if keyless:
        db.executescript(KEYLESS_SCRIPT)
        db.executemany("INSERT INTO keyless VALUES (?, ?)", [("w%d" % (i % 5), i % 3) for i in range(500)])
        db.executescript(SEARCH_SCRIPT)
        db.executemany("INSERT INTO found VALUES (?)", [("sheep %d" % i,) for i in range(200)])
        db.executescript(SHOP_SCRIPT[SHOP_SCRIPT.index("CREATE TRIGGER"):])
    db.commit()
    db.close()


def plain_items(path):
    """What a plain copy to DynamoDB-JSON holds."""
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    db.row_factory = sqlite3.Row
    tables = {}
    for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"):
        tables[table] = [dynamodb_item(dict(row)) for row in db.execute("SELECT * FROM %s" % table)]
    db.close()
    return tables


def dynamodb_item(row):
    import base64
    item = item_of({name: value for name, value in row.items() if not isinstance(value, bytes)})
    item.update({name: {"B": base64.b64encode(value).decode()} for name, value in row.items()
                 if isinstance(value, bytes)})
    return item


def rows_by_table(path):
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    tables = {}
    for (table,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
                               " AND name NOT LIKE '\\_transhume%' ESCAPE '\\'").fetchall():
        names = sorted(row[1] for row in db.execute("PRAGMA table_info(%s)" % table))
        columns = ", ".join("typeof(%s), %s" % (name, name) for name in names)
        tables[table] = (names, sorted(map(repr, db.execute("SELECT %s FROM %s" % (columns, table)))))
    db.close()
    return tables


def sample_tests(kind, count):
    """Leaves a class so many of its tests, drawn by the seed; all of them in a soak."""
    sample_of_all((kind,), count)


def sample_each(kinds, count):
    """The same of several classes, each by itself."""
    for kind in kinds:
        sample_tests(kind, count)


def sample_of_all(kinds, count):
    """The same of several classes together."""
    tests = sorted(((name, kind) for kind in kinds for name in dir(kind) if name.startswith("test_")
                    and getattr(kind, name)),
                   key=lambda test: (test[0], test[1].__name__))
    if not support.SOAK:
        for name, kind in set(tests) - set(random.Random(support.SEED).sample(tests, count)):
            setattr(kind, name, None)


def pairs_tested():
    """(source, target) of each pair that a test_kill_* module has a test of."""
    found = set()
    for name in os.listdir(os.path.dirname(os.path.abspath(__file__))):
        if name.startswith("test_kill_"):
            with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), encoding="utf-8") as file:
                found.update(re.findall(r"^    def test_(\w+)_to_([a-z]+(?:_json)?)", file.read(), re.MULTILINE))
    names = {engine.NAME for engine in engines.all()}
    dashed = {tuple(name.replace("_", "-") for name in pair) for pair in found}
    return sorted(pair for pair in dashed if names.issuperset(pair))


def sample_of(pair):
    """Of a pair as matrix.pair_of names it."""
    if support.SOAK:
        return WHOLE
    thorough = [" to ".join(found) for found in engines.one_of_each_class(pairs_tested(), support.SEED)]
    return THOROUGH if pair in thorough else BRIEF


class KillMatrix(support.TestCase):
    """One pair a test; each case begins in an empty folder."""

    toy = {"TRANSHUME_MODULES": os.path.join(support.BUILD, "toy.so")}

    def setUp(self):
        super().setUp()
        self.cases = 0
        self.sample = sample_of(matrix.pair_of(self))
        self.random = random.Random(support.SEED)

    def empty_target(self):
        """Before each case, where the target is not in the case's folder."""

    def server_of(self, _kind):
        """The SQL server of that kind which a pair reads or writes; where there are two, the target's."""
        return self.server

    def run_to_the_end(self, folder, arguments, env):
        """Resumes until the run is complete; where there is nothing to resume, migrates."""
        for _ in range(RESUMES_MAX):
            result = support.transhume("resume", *arguments, cwd=folder, env=env)
            if result.code == 2:
                result = support.transhume("migrate", *arguments, cwd=folder, env=env)
            if result.code == 0:
                return
            self.assertIn(result.code, (-9,), result.err)
        self.fail("still not complete after %d resumes" % RESUMES_MAX)

    def in_a_folder(self, fault, case, arguments, env, check, first, then=None):
        folder = os.path.join(self.folder, "case")
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        self.empty_target()
        with self.subTest(case=case), matrix.case(matrix.pair_of(self), fault) as entry:
            result = first(folder)
            self.assertIn(result.code, (0, -9), "%s\n%s" % (case, result.err))
            if then and then(folder).code != -9:
                entry.fault = "kill"   # the resume was quicker than its instant
            if result.code != 0 or then:
                self.run_to_the_end(folder, arguments, env)
            check(folder)
            entry.struck(result.code != 0)
            self.cases += result.code != 0

    def counts(self, command, folder, arguments, env):
        result, counts = support.count_failpoints(command, *arguments, cwd=folder, env=env)
        self.assert_code(result, 0)
        return counts

    def seconds_alone(self, arguments, env):
        """How long a run takes that nobody counts."""
        folder = os.path.join(self.folder, "alone")
        os.mkdir(folder)
        self.empty_target()
        result = support.transhume("migrate", *arguments, cwd=folder, env=env)
        self.assert_code(result, 0)
        return result.seconds

    def matrix(self, arguments, check, env=None):
        folder = os.path.join(self.folder, "count")
        os.mkdir(folder)
        counts = self.counts("migrate", folder, arguments, env)
        check(folder)
        seconds = self.seconds_alone(arguments, env)
        cases = [(name, occurrence) for name, count in sorted(counts.items())
                 for occurrence in sorted({1, (count + 1) // 2, count})]
        self.random.shuffle(cases)
        for number, (name, occurrence) in enumerate(cases[:self.sample.kills]):
            second = self.random.choice([None, None, "resume"]) if number % 3 == 0 else None
            self.in_a_folder(
                "kill-twice" if second else "kill", "%s:%d%s" % (name, occurrence,
                                                                 " and in the resume" if second else ""), arguments,
                env, check,
                lambda case: support.kill_at(name, occurrence, "migrate", *arguments, cwd=case, env=env),
                second and (lambda case: support.kill_after(self.random.uniform(0, seconds), "resume", *arguments,
                                                           cwd=case, env=env)))
        for _ in range(self.sample.instants):
            instant = self.random.uniform(0, seconds)
            self.in_a_folder(
                "kill-instant", "after %.4f s" % instant, arguments, env, check,
                lambda case: support.kill_after(instant, "migrate", *arguments, cwd=case, env=env))
        self.resume_failpoints(arguments, check, env)
        print("%s: %d kills" % (self.id().split(".")[-1], self.cases), file=sys.stderr)
        self.assertGreaterEqual(self.cases, self.sample.kills_least)

    def resume_failpoints(self, arguments, check, env):
        """Kills the resume itself at each failpoint that only a resume reaches."""
        folder = os.path.join(self.folder, "resume")

        def interrupted():
            shutil.rmtree(folder, ignore_errors=True)
            os.mkdir(folder)
            self.empty_target()
            return support.kill_at("engine.after_commit", 3, "migrate", *arguments, cwd=folder, env=env)

        self.assertEqual(interrupted().code, -9)
        counts = self.counts("resume", folder, arguments, env)
        check(folder)
        names = sorted(name for name in counts if name.startswith("resume."))
        self.assertTrue(names)
        if self.sample.resume_points:
            names = self.random.sample(names, min(self.sample.resume_points, len(names)))
        for name in names:
            with self.subTest(resume=name), matrix.case(matrix.pair_of(self), "kill-resume") as entry:
                self.assertEqual(interrupted().code, -9)
                result = support.kill_at(name, 1, "resume", *arguments, cwd=folder, env=env)
                self.assertEqual(result.code, -9, result.err)
                entry.struck(True)
                self.run_to_the_end(folder, arguments, env)
                check(folder)
                self.cases += 1

    def assert_items(self, expected, folder):
        self.assertEqual(support.dynamodb_differences(expected, support.read_dynamodb_json(folder)), [])

    def toy_source(self):
        source = self.path("shop.db")
        make_source(source, keyless=False)
        toy = self.path("toy")
        self.assert_code(support.transhume("migrate", "--state", "state-toy", source, "toy:" + toy, cwd=self.folder,
                                           env=self.toy), 0)
        return source, rows_by_table(source), toy
