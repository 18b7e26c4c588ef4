"""Calls of the C library that fail in what comes after a copy: validate, repair, rollback, finish, report, resume.

Whatever fails, the command ends with one word and a documented exit status, never by a signal, and never says anything
that is not so: equal what differs, different what is equal, done what is not. Said again, it does what it would have
done. What a signal cut short (EINTR) is done again and is nobody's failure. `make test` takes a seeded sample of the
calls, `make soak` as many as its time allows.
"""
import errno
import json
import os
import random
import shutil
import time
import unittest

import failing
import support

CASES = 100000 if support.SOAK else 2   # of each kind of call, and one where only some files are meant
KINDS = 100 if support.SOAK else 3      # of calls, by a seed
TEST_SECONDS = 25                       # of the soak, for one command
CALLS = {"read": (errno.EIO, errno.EINTR), "write": (*failing.ANYTHING, errno.EINTR), "short": failing.ANYTHING,
         "sync": failing.ANYTHING, "rename": failing.ANYTHING, "open": (errno.EMFILE, errno.EIO, errno.EINTR),
         "close": (errno.EIO, errno.EINTR), "cut": (errno.EIO,)}
SCRIPT = """
CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT, price NUMERIC(10,2), b BLOB);
CREATE TABLE child(a TEXT, n INTEGER, parent_id INTEGER REFERENCES parent(id), PRIMARY KEY (a, n)) WITHOUT ROWID;
CREATE INDEX child_parent ON child(parent_id);
WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 300)
INSERT INTO parent SELECT x * 3, 'name ' || x, x / 100.0, zeroblob(x % 50) FROM i;
INSERT INTO child SELECT 'k' || (id % 7), id, id FROM parent;
"""
DAMAGE = """UPDATE parent SET name = 'altered' WHERE id IN (9, 600); DELETE FROM child WHERE a = 'k3';
            INSERT INTO parent VALUES (1, 'extra', 0, NULL), (10000, 'extra', 0, NULL);"""
OLD = "CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT, price NUMERIC(10,2), b BLOB);" \
      "INSERT INTO parent VALUES (3, 'old', 0, NULL), (600, 'old', 1, x'00'), (7, 'mine', 0, NULL)"
PLAN = """
transhume: 1
source: sqlite:source.db
target: dynamodb-json:out
tables:
  parent: { key: { partition: id }, entities: { parent: { from: parent, fields: { "*": copy } } } }
  child: { key: { partition: a, sort: n }, entities: { child: { from: child, fields: { "*": copy } } } }
"""
DELETING = ("validate", "--jobs", "2", "--repair", "--delete-extra", "--confirm")
PAIR = ("source.db", "sqlite:copy.db")
COPY = ("copy.db", "copy.db-journal", "copy.db-transhume-lock")


@unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "sanitizers bring an allocator of their own")
class FailingCommands(failing.FailingTestCase):
    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), SCRIPT)

    def each_call(self, arguments, before, after, code=0, env=None, paths=(None,), unnoticed=False):
        """
        `before` makes what there is, `after(result)` looks at what is left, and says it again if need be. Exit status
        `code`, or 3; 2 where a file that names what is meant can't be opened or read. `paths`: on whose files calls
        fail.
        """
        generator = random.Random("%d/%s/%s" % (support.SEED, self.id(), arguments[0]))
        noticed = 0
        for path in paths:
            for call in generator.sample(sorted(CALLS), min(KINDS, len(CALLS))):
                before()
                calls = self.calls(call, *arguments, path=path, code=code, env=env)
                deadline = time.monotonic() + TEST_SECONDS / len(CALLS) / len(paths)
                for at in generator.sample(range(calls), min(CASES if path is None or support.SOAK else 1, calls)):
                    number = generator.choice(CALLS[call])
                    count = generator.choice((1, 1, 1, 3, 3 if number == errno.EINTR else 1000000))
                    before()
                    with self.case("any command", "call", command=arguments, call=call, at=at, count=count,
                                   number=number, path=path):
                        noticed += self.one_case(arguments, code, after, env, (call, at, count, number, path))
                    if support.SOAK and time.monotonic() > deadline:
                        break
        if support.SOAK and not unnoticed:
            self.assertGreater(noticed, 0, "no call that failed was noticed")

    def one_case(self, arguments, code, after, env, case):
        result = support.transhume(*arguments, cwd=self.folder, env=dict(env or {}, **self.failing(*case)))
        call, number = case[0], case[3]
        self.assertIn(result.code, (code,) if number == errno.EINTR else (code, 2, 3), result.err)
        cut_short = call in ("write", "short")   # what it says, perhaps
        if result.code != code and not cut_short:
            errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
            self.assertEqual(len(errors), 1, result.err)
            self.assertRegex(errors[0], r" \[(?!internal\]|memory\])[a-z-]+\]$")
            self.assertFalse(result.code == 2 and call not in ("read", "open"), result.err)
        after(result)
        return result.code != code

    # ---- validate

    def validated(self, *options, code, env=None, paths=(None,), unnoticed=False):
        arguments = ["validate", "--jobs", "2", *options, *PAIR]
        shutil.copyfile(self.path("copy.db"), self.path("before.db"))

        def after(result):
            self.assert_same_sqlite(self.path("before.db"), self.path("copy.db"))
            self.run_program(*arguments, code=code)
            for name in ("validate.checkpoint", "validate-full.checkpoint", "spill/full"):
                self.assertFalse(os.path.exists(self.path(".transhume", name)), name)

        self.each_call(arguments, self.saved(".transhume"), after, code=code, env=env, paths=paths, unnoticed=unnoticed)

    def test_validate(self):
        self.run_program("migrate", *PAIR)
        self.validated("--level", "hash", code=0)
        self.validated("--level", "count", code=0)
        support.make_sqlite(self.path("copy.db"), DAMAGE)
        self.validated("--level", "hash", code=1)
        self.validated("--level", "full", code=1)

    def test_validate_with_its_checkpoint(self):
        """What was compared is kept after each part, if it can be; here one that was broken off is gone on with."""
        hurry = "verify.checkpoint_due:error:0"
        self.run_program("migrate", *PAIR)
        support.make_sqlite(self.path("copy.db"), DAMAGE)
        for level in ("hash", "full"):
            self.run_program("validate", "--jobs", "1", "--level", level, *PAIR, code=-9,
                             env={"TRANSHUME_FAILPOINT": hurry + ",verify.checkpoint_written:kill:2"})
            self.validated("--level", level, code=1, env={"TRANSHUME_FAILPOINT": hurry},
                           paths=("checkpoint", "/spill/"), unnoticed=True)

    def test_validate_with_its_spill(self):
        """What is compared takes more than what is kept in memory."""
        support.make_sqlite(self.path("source.db"), """CREATE TABLE wide(id INTEGER PRIMARY KEY, t TEXT);
            WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 1500)
            INSERT INTO wide SELECT x, printf('%d%.*c', x, 3000, 'x') FROM i;""")
        self.run_program("migrate", *PAIR)
        self.validated("--level", "full", code=0, paths=("/spill/",))
        support.make_sqlite(self.path("copy.db"), "UPDATE wide SET t = t || 'y' WHERE id % 500 = 1")
        self.validated("--level", "full", code=1, paths=("/spill/",))

    def test_validate_what_the_run_rejected(self):
        """A reject that can't be read is no record that is missing."""
        support.make_sqlite(self.path("copy.db"), OLD)
        self.run_program("migrate", "--existing", "append", *PAIR, code=1)
        support.make_sqlite(self.path("copy.db"), "DELETE FROM child WHERE a = 'k3'")
        self.validated("--level", "full", code=1, paths=("/rejects",))
        before = self.saved(".transhume")
        rejects = self.path(".transhume", "rejects")
        left = json.loads(self.run_program("validate", "--json", "--level", "full", *PAIR, code=1).out)["records"]

        def after(result):
            if result.code == 1:
                self.assertEqual(json.loads(result.out)["records"], left)

        self.assertGreater(len(os.listdir(rejects)), 0)
        self.each_call(["validate", "--json", "--level", "full", *PAIR], before, after, code=1, paths=("/rejects",))

    # ---- repair

    def test_repair(self):
        arguments = [*DELETING, *PAIR]
        self.run_program("migrate", *PAIR)
        support.make_sqlite(self.path("copy.db"), DAMAGE)

        def after(result):
            if result.code != 0:
                self.repaired(*arguments)
            self.assert_same_sqlite(self.path("source.db"), self.path("copy.db"))

        self.each_call(arguments, self.saved(*COPY, ".transhume"), after,
                       paths=(None, "repair.jsonl", "delete.jsonl", "input.jsonl"))

    def items(self):
        return support.read_dynamodb_json(self.path("out"))

    def change_items(self, change):
        """`change` makes other items of a file's, each of its own table."""
        for table in ("parent", "child"):
            folder = self.path("out", table)
            name = sorted(os.listdir(folder))[0]
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                items = [json.loads(line)["Item"] for line in file]
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.writelines(json.dumps({"Item": item}) + "\n" for item in change(table, items))

    def damage_items(self, table, items):
        extra = {"id": {"N": "10000"}, "name": {"S": "extra"}}
        items[5]["name"] = {"S": "altered"}
        return items[:7] + items[9:] + ([extra] if table == "parent" else [])

    def test_repair_of_a_folder(self):
        self.write("plan.yaml", PLAN)
        arguments = [*DELETING, "--plan", "plan.yaml"]
        self.run_program("migrate", "--plan", "plan.yaml")
        expected = self.items()
        self.change_items(self.damage_items)

        def after(result):
            if result.code != 0:
                self.repaired(*arguments)
            self.assertEqual(support.dynamodb_differences(expected, self.items()), [])

        self.each_call(arguments, self.saved("out", ".transhume"), after, paths=(None, "/out/"))

    # ---- rollback and finish

    def taken_back(self, names, check, paths):
        arguments = ["rollback", "--run", self.run_id(), "--confirm"]

        def after(result):
            if result.code != 0:
                self.run_program(*arguments)
            check()
            self.run_program(*arguments)
            check()

        self.each_call(arguments, self.saved(*names, ".transhume"), after, paths=paths)

    def test_rollback(self):
        support.make_sqlite(self.path("copy.db"), OLD)
        shutil.copyfile(self.path("copy.db"), self.path("before.db"))
        self.run_program("migrate", "--existing", "upsert", *PAIR)
        self.taken_back(COPY, lambda: self.assert_same_sqlite(self.path("before.db"), self.path("copy.db")),
                        (None, "/.transhume"))

    def test_rollback_of_a_folder(self):
        """By files that were set aside."""
        self.write("plan.yaml", PLAN)
        self.run_program("migrate", "--plan", "plan.yaml")
        self.change_items(self.damage_items)
        damaged = self.items()
        self.run_program(*DELETING, "--plan", "plan.yaml")
        self.taken_back(["out"], lambda: self.assertEqual(support.dynamodb_differences(damaged, self.items()), []),
                        (None, "/_transhume/"))

    def test_finish(self):
        def after(result):
            if result.code != 0:
                self.run_program("finish", "--confirm")
            self.assert_same_sqlite(self.path("source.db"), self.path("copy.db"))
            self.assertIn("no ledger", self.run_program("finish", "--confirm").out)
            with support.open_sqlite(self.path("copy.db")) as database:
                self.assertEqual(database.execute(
                    "SELECT name FROM sqlite_schema WHERE name LIKE '%transhume%'").fetchall(), [])

        self.run_program("migrate", *PAIR)
        self.run_program("validate", *PAIR)
        self.each_call(["finish"], self.saved(*COPY, ".transhume"), after)

    def test_finish_of_a_folder(self):
        def after(result):
            if result.code != 0:
                self.run_program("finish", "--confirm")
            self.assertEqual(support.dynamodb_differences(expected, self.items()), [])
            self.assertIn("no ledger", self.run_program("finish", "--confirm").out)

        self.write("plan.yaml", PLAN)
        self.run_program("migrate", "--plan", "plan.yaml")
        self.run_program("validate")
        expected = self.items()
        self.each_call(["finish"], self.saved("out", ".transhume"), after)

    # ---- what only tells

    def told(self):
        with open(self.path(".transhume", "report.json"), encoding="utf-8") as file:
            return json.load(file)

    def test_report(self):
        """A report lacks nothing without saying so."""
        support.make_sqlite(self.path("copy.db"), OLD)
        self.run_program("migrate", "--existing", "append", "--chunk-rows", "50", *PAIR, code=1)
        self.run_program("validate", code=1)
        self.run_program("report")
        whole = self.told()

        def after(result):
            if result.code == 0 and "goes without" not in result.err:
                self.assertEqual(self.told(), whole)
            self.run_program("report")
            self.assertEqual(self.told(), whole)

        self.each_call(["report"], self.saved(".transhume"), after)
        self.each_call(["status", "--json"], lambda: None, lambda result: None)

    def test_resume(self):
        self.run_program("migrate", "--chunk-rows", "50", *PAIR, code=3,
                         env={"TRANSHUME_FAILPOINT": "engine.before_commit:error:3"})

        def after(result):
            if result.code != 0:
                self.to_the_end()
            self.assert_same_sqlite(self.path("source.db"), self.path("copy.db"))

        self.each_call(["resume"], self.saved(*COPY, ".transhume"), after)


if __name__ == "__main__":
    unittest.main()
