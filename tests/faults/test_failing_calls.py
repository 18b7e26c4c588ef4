"""Calls of the C library that fail: reads, writes, syncs, renames, opens, closes, one or more, anywhere in a run.

Whatever fails, the program ends with a word and a documented exit status, never by a signal, and what it left is
resumed to equal contents. What a signal cut short (EINTR) is done again and is nobody's failure. `make test` tries a
seeded sample, `make soak` many more.
"""
import errno
import os
import random
import time
import unittest

import engines
from engines import rows
import failing
import matrix
import support

CASES = 400 if support.SOAK else 7
CASES_LEAST = 7  # of them one at least is noticed
# of the soak: the tests of a module stay below its time limit of 600 s; other seeds go on from there
TEST_SECONDS = 110
CALLS = {"read": (errno.EIO, errno.EINTR), "write": (*failing.ANYTHING, errno.EINTR), "short": failing.ANYTHING,
         "sync": failing.ANYTHING, "rename": failing.ANYTHING,
         "open": (errno.EMFILE, errno.EIO, errno.ENOSPC, errno.EINTR),
         "close": (errno.EIO, errno.EINTR)}
UNNOTICED = "close"  # of what was synced before
SCRIPT = """
CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, price NUMERIC(10,2), b BLOB);
CREATE TABLE child(a TEXT, n INTEGER, parent_id INTEGER REFERENCES parent(id), PRIMARY KEY (a, n)) WITHOUT ROWID;
CREATE INDEX child_parent ON child(parent_id);
WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 400)
INSERT INTO parent SELECT x * 3, 'name ' || x, x / 100.0, randomblob(x % 50) FROM i;
INSERT INTO child SELECT 'k' || (id % 7), id, id FROM parent;
"""
PLAN = """
transhume: 1
source: sqlite:source.db
target: dynamodb-json:out
tables:
  family:
    key: { partition: PK, sort: SK }
    entities:
      parent:
        from: parent
        fields:
          PK: "P#{id}"
          SK: parent
          "*": copy
          children: { embed: child, order: n, fields: { a: copy, n: copy } }
          count: { aggregate: child, value: "count(*)" }
      child:
        from: child
        fields: { PK: "P#{parent_id}", SK: "C#{a}#{n}", mother: { lookup: parent, column: name }, n: copy }
"""

BACK = """
transhume: 1
source: dynamodb-json:items
target: sqlite:copy.db
tables:
  mother:
    key: [id]
    from: family
    match: { PK: "P#{id}", SK: parent }
    fields: { id: { column: id, cast: int64 }, name: { column: name, cast: text }, b: { column: b, cast: bytes } }
  child:
    key: [a, n]
    from: family
    match: { PK: "P#{id}", SK: "C#{a}#{n}" }
    fields: { a: { column: SK, parse: "C#{a}#{n}", take: a }, n: { column: n, cast: int64 } }
  listed:
    key: [id, nr]
    from: family
    match: { PK: "P#{id}", SK: parent }
    unnest: children
    fields: { id: { column: $parent.id, cast: int64 }, nr: { column: $ordinal }, a: { column: a, cast: text } }
  letter:
    key: [a]
    from: family
    match: { PK: "P#{id}", SK: "C#{a}#{n}" }
    distinct: true
    fields: { a: copy }
"""
# The same of the source, without the plan.
BACK_COMPUTED = """
ATTACH '%s' AS source;
CREATE TABLE mother AS SELECT id, name, b FROM source.parent;
CREATE TABLE child AS SELECT a, n FROM source.child;
CREATE TABLE listed AS SELECT parent_id AS id, row_number() OVER (PARTITION BY parent_id ORDER BY n) AS nr, a FROM source.child;
CREATE TABLE letter AS SELECT DISTINCT a FROM source.child;
"""


@unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "sanitizers bring an allocator of their own")
class FailingCalls(failing.FailingTestCase):
    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), SCRIPT)
        self.write("plan.yaml", PLAN)

    def every_call(self, arguments, left, check):
        generator = random.Random("%d/%s" % (support.SEED, self.id()))
        for call, numbers in CALLS.items():
            self.clean(*left, ".transhume")
            calls = self.calls(call, "migrate", *arguments)
            check()
            self.assertGreater(calls, 0, call)
            failures = 0
            tried = 0
            deadline = time.monotonic() + TEST_SECONDS / len(CALLS)
            while tried < CASES and (tried == 0 or not support.SOAK or time.monotonic() < deadline):
                tried += 1
                # The beginning has more different calls than the rest.
                at = int(generator.random() ** 2 * calls)
                number = generator.choice(numbers)
                case = (call, at, generator.choice((1, 1, 1, 3, 3 if number == errno.EINTR else 1000000)), number)
                if tried == 1:  # all of them fail, which has to be noticed
                    case = (call, 0, 1000000, numbers[0])
                with self.case(matrix.pair_of(self), "call", case=case):
                    failures += self.one_case(arguments, left, check, case)
            self.assertGreater(failures + (tried < CASES_LEAST or call == UNNOTICED), 0,
                               "no %s that failed was noticed" % call)

    def one_case(self, arguments, left, check, case):
        self.clean(*left, ".transhume")
        result = support.transhume("migrate", *arguments, cwd=self.folder, env=self.failing(*case))
        self.assertIn(result.code, (0,) if case[3] == errno.EINTR else (0, 2, 3, 5), result.err)
        if result.code != 0:
            self.assertTrue("error: " in result.err or case[0] in ("write", "short"), "it ended without a word")
            self.to_the_end(*arguments)
        check()
        return result.code != 0

    def test_sqlite(self):
        for way in ((), ("--no-express", "--jobs", "2")):
            self.every_call(["--chunk-rows", "100", *way, "source.db", "sqlite:copy.db"],
                            ("copy.db", "copy.db-journal"),
                            lambda: self.assert_same_sqlite(self.path("source.db"), self.path("copy.db")))

    def test_dynamodb_json(self):
        arguments = ["--plan", "plan.yaml", "--chunk-rows", "100"]
        expected = failing.family(self.path("source.db"), lambda row, children: {**row, "children": children,
            "count": len(children)},
                                  lambda row, parent: {"mother": parent["name"], "n": row["n"]})
        self.assertEqual(len(expected["family"]), 800)
        self.every_call(arguments, ("out",), lambda: self.assertEqual(
            support.dynamodb_differences(expected, support.read_dynamodb_json(self.path("out"))), []))

    def test_back_to_sqlite(self):
        self.run_program("migrate", "--plan", "plan.yaml", "--state", self.path("there"), "source.db",
                         "dynamodb-json:items")
        self.write("back.yaml", BACK)
        arguments = ["--plan", "back.yaml", "--chunk-rows", "100"]
        self.run_program("migrate", *arguments)
        os.rename(self.path("copy.db"), self.path("expected.db"))
        support.make_sqlite(self.path("computed.db"), BACK_COMPUTED % self.path("source.db"))
        rows.assert_same(self, engines.sqlite.contents(self.path("computed.db")),
                         engines.sqlite.contents(self.path("expected.db")))
        self.every_call(arguments, ("copy.db", "copy.db-journal"), lambda: self.assert_same_sqlite(
            self.path("expected.db"), self.path("copy.db")))



@unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "sanitizers bring an allocator of their own")
class FailingCheck(failing.FailingTestCase):
    """Of foreign keys, once all is loaded: what can't be read ends the run, and is no warning."""

    def test_reads(self):
        support.make_sqlite(self.path("keys.db"),
                            "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p REFERENCES p);"
                            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT "
                            "INTO p SELECT i FROM n;"
                            "INSERT INTO c SELECT id FROM p;")
        reads = self.calls("read", "migrate", "keys.db", "sqlite:copy.db", path="copy.db")
        told = 0
        for at in range(max(reads - 32, 0), reads, 2 if support.SOAK else 4):
            self.clean("copy.db", "copy.db-journal", ".transhume")
            # The read ahead fails, and that of the page itself.
            case = ("read", at, 2, errno.EIO)
            with self.case(matrix.pair_of(self), "call", case=case):
                result = support.transhume("migrate", "keys.db", "sqlite:copy.db", cwd=self.folder,
                                           env=self.failing(*case, "copy.db"))
                self.assertIn(result.code, (0, 3), result.err)
                self.assertNotIn("warning: table c: its foreign keys can't be checked", result.err)
                told += "error: copy.db: its foreign keys can't be checked (disk I/O error)" in result.err
                if result.code != 0:
                    self.to_the_end("keys.db", "sqlite:copy.db")
                self.assert_same_sqlite(self.path("keys.db"), self.path("copy.db"))
        self.assertGreater(told, 0, "no read of the check failed")

if __name__ == "__main__":
    unittest.main()
