"""Memory that can't be had, allocation by allocation, in each command.

Whichever it is, the command ends with one word and exit status 3, or as if nothing had happened, never by a signal;
and what it left is taken to the end. Of the allocations that the same chain of calls asks for one is taken; `make test` takes a seeded part of these.
"""
import contextlib
import json
import os
import shutil
import sqlite3
import unittest

import contents
import dynamodb_case
import failing
import items
import servers
import support

SCRIPT = """
CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT, price NUMERIC(10,2), b BLOB);
CREATE TABLE child(a TEXT, n INTEGER, parent_id INTEGER REFERENCES parent(id), PRIMARY KEY (a, n)) WITHOUT ROWID;
CREATE INDEX child_parent ON child(parent_id); CREATE VIEW cheap AS SELECT id FROM parent WHERE price < 1;
INSERT INTO parent VALUES (1, 'a', 1.98, x'00'), (2, 'b', 3, NULL); INSERT INTO child VALUES ('x', 1, 1), ('y', 2, 1);
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
          price: { drop: true }
          mixed: { sql: "name || id", cast: text, when: "count > 0" }
          children: { embed: child, order: n, fields: { a: copy, n: copy } }
          count: { aggregate: child, value: "count(*)" }
      child: { from: child, fields: { PK: "P#{parent_id}", SK: "C#{a}#{n}", mother: { lookup: parent, column: name } } }
"""


@unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "sanitizers bring an allocator of their own")
class FailingMemory(failing.MemoryTestCase):
    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), SCRIPT)
        self.write("plan.yaml", PLAN)

    def family(self):
        """The items that the plan makes, computed from the source."""
        def parent(row, children):
            mixed = {"mixed": "%s%d" % (row["name"], row["id"])} if children else {}
            return {"id": row["id"], "name": row["name"], "b": row["b"], "children": children, "count": len(children), **mixed}
        return failing.family(self.path("source.db"), parent, lambda row, mother: {"mother": mother["name"]})

    def test_migrate(self):
        plain = ["--jobs", "1", "source.db", "sqlite:copy.db"]

        def end(result, arguments, check):
            if result.code != 0:
                self.to_the_end(*arguments)
            check()

        for way in ((), ("--no-express",)):
            arguments = [*way, *plain]
            self.in_turn(["migrate", *arguments],
                         lambda: self.clean("copy.db", "copy.db-journal", "copy.db-transhume-lock", ".transhume"),
                         lambda result: end(result, arguments, lambda: self.assert_same_sqlite(
                             self.path("source.db"), self.path("copy.db"))))
        arguments = ["--jobs", "1", "--plan", "plan.yaml"]
        expected = self.family()
        self.in_turn(["migrate", *arguments], lambda: self.clean("out", ".transhume"),
                     lambda result: end(result, arguments, lambda: self.assertEqual(support.dynamodb_differences(
                         expected, support.read_dynamodb_json(self.path("out"))), [])))

    def test_resume(self):
        arguments = ["--plan", "plan.yaml", "--jobs", "1", "--chunk-rows", "1"]

        def before():
            self.clean("out", ".transhume")
            self.run_program("migrate", *arguments, code=3, env={"TRANSHUME_FAILPOINT": "engine.before_commit:error:2"})

        expected = self.family()

        def after(result):
            if result.code == 3:
                self.to_the_end(*arguments)
            self.assertEqual(support.dynamodb_differences(expected, support.read_dynamodb_json(self.path("out"))), [])

        self.in_turn(["resume", *arguments], before, after)

    def test_files(self):
        """Through CSV and JSON lines, whose types are learned in both."""
        self.run_program("migrate", "--state", "s1", "source.db", "csv:in")
        shutil.rmtree(self.path("in", "_transhume"))
        held = contents.bytes_as_texts(contents.in_sqlite(self.path("source.db")), lambda data: "\\x" + data.hex())
        for source, target in (("csv:in", "jsonl:out"), ("jsonl:in2", "csv:out")):
            arguments = ["--jobs", "1", source, target]
            self.clean("out", ".transhume")
            self.run_program("migrate", *arguments)
            told = contents.in_jsonl if target.startswith("jsonl:") else contents.in_csv
            contents.assert_same(self, held, told(self.path("out"), held))   # none of its texts is empty
            expected = self.contents("out")

            def after(result, arguments=arguments, expected=expected):
                if result.code != 0:
                    self.to_the_end(*arguments)
                self.assertEqual(self.contents("out"), expected)

            self.in_turn(["migrate", *arguments], lambda: self.clean("out", ".transhume"), after)
            self.clean("in2")
            os.rename(self.path("out"), self.path("in2"))
            shutil.rmtree(self.path("in2", "_transhume"))

    def contents(self, folder):
        return {table: sorted(line for name in os.listdir(self.path(folder, table))
                              for line in support.read_lines(self.path(folder, table, name)))
                for table in ("child", "parent")}

    def test_validate(self):
        """Whatever it could not do, it never calls equal what differs, nor different what is equal."""
        self.run_program("migrate", "--jobs", "1", "source.db", "sqlite:copy.db")
        for level in ("hash", "full"):
            arguments = ["validate", "--jobs", "1", "--level", level, "source.db", "sqlite:copy.db"]
            self.run_program(*arguments)
            self.in_turn(arguments)
        shutil.copyfile(self.path("copy.db"), self.path("equal.db"))
        for damage in ("UPDATE parent SET name = 'altered' WHERE id = 2", "DELETE FROM child WHERE a = 'y'",
                       "INSERT INTO child VALUES ('z', 3, 2)"):
            shutil.copyfile(self.path("equal.db"), self.path("copy.db"))
            support.make_sqlite(self.path("copy.db"), damage)
            for level in ("hash", "full"):
                arguments = ["validate", "--jobs", "1", "--level", level, "source.db", "sqlite:copy.db"]
                self.run_program(*arguments, code=1)
                self.in_turn(arguments, code=1)

    def test_validate_gone_on_with(self):
        """Writing what was compared, and reading it: either fails without a word of what is not so."""
        hurry = {"TRANSHUME_FAILPOINT": "verify.checkpoint_due:error:0"}
        self.run_program("migrate", "--jobs", "1", "source.db", "sqlite:copy.db")
        support.make_sqlite(self.path("copy.db"), "UPDATE parent SET name = 'altered' WHERE id = 2")
        for level, checkpoints in (("hash", 1), ("hash", 3), ("full", 1), ("full", 3)):
            arguments = ["validate", "--jobs", "1", "--level", level, "source.db", "sqlite:copy.db"]
            for left in ("validate.checkpoint", "validate-full.checkpoint", "spill"):
                self.clean(".transhume/" + left)
            rule = hurry["TRANSHUME_FAILPOINT"] + ",verify.checkpoint_written:kill:%d" % checkpoints
            self.run_program(*arguments, code=-9, env={"TRANSHUME_FAILPOINT": rule})
            self.in_turn(arguments, self.saved(".transhume"), env=hurry, code=1)

    def test_repair(self):
        pair = ["source.db", "sqlite:copy.db"]
        arguments = ["validate", "--jobs", "1", "--repair", "--delete-extra", "--confirm", *pair]
        self.run_program("migrate", *pair)
        support.make_sqlite(self.path("copy.db"), """UPDATE parent SET name = 'altered' WHERE id = 2; DELETE FROM child WHERE a = 'y';
            INSERT INTO parent VALUES (9, 'extra', 0, NULL);""")

        def after(result):
            if result.code != 0:
                self.repaired(*arguments)
            self.assert_same_sqlite(self.path("source.db"), self.path("copy.db"))

        self.in_turn(arguments, self.saved("copy.db", ".transhume"), after)

    def test_rejects(self):
        """No line of rejects is called bad, or left out, for want of memory."""
        pair = ["source.db", "sqlite:copy.db"]
        support.make_sqlite(self.path("copy.db"), "CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT, price NUMERIC(10,2), b BLOB);"
                                                  "INSERT INTO parent VALUES (1, 'old', 0, NULL)")
        self.run_program("migrate", "--include", "parent", "--existing", "append", *pair, code=1)
        before = self.saved("copy.db", ".transhume")
        for level in ("hash", "full"):
            arguments = ["validate", "--jobs", "1", "--level", level, "--json", *pair]
            columns = json.loads(self.run_program(*arguments, code=1).out)["columns"]

            def after(result, columns=columns):
                if result.code == 1:
                    self.assertEqual(json.loads(result.out)["columns"], columns)   # what was rejected is off each sum

            self.in_turn(arguments, before, after, code=1)
        folder = self.path(".transhume", "rejects")
        with open(os.path.join(folder, os.listdir(folder)[0]), encoding="utf-8") as file:
            self.write("mended.jsonl", file.read())
        self.in_turn(["migrate", "--rejects", "mended.jsonl", "--existing", "upsert", *pair], before)

    def test_rollback(self):
        support.make_sqlite(self.path("copy.db"), "CREATE TABLE parent(id INTEGER PRIMARY KEY, name TEXT, price NUMERIC(10,2), b BLOB);"
                                                  "INSERT INTO parent VALUES (1, 'old', 0, NULL), (7, 'mine', 0, NULL)")
        shutil.copyfile(self.path("copy.db"), self.path("before.db"))
        self.run_program("migrate", "--existing", "upsert", "source.db", "sqlite:copy.db")
        arguments = ["rollback", "--run", self.run_id(), "--confirm"]

        def after(result):
            if result.code != 0:
                self.run_program(*arguments)
            self.assert_same_sqlite(self.path("before.db"), self.path("copy.db"))

        self.in_turn(arguments, self.saved("copy.db", ".transhume"), after)

    def test_finish(self):
        pair = ["source.db", "sqlite:copy.db"]
        self.run_program("migrate", *pair)
        self.run_program("validate", *pair)

        def after(result):
            if result.code != 0:
                self.run_program("finish", "--confirm")
            self.assert_same_sqlite(self.path("source.db"), self.path("copy.db"))
            with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
                self.assertEqual(db.execute("SELECT name FROM sqlite_schema WHERE name LIKE '%transhume%'").fetchall(), [])

        self.in_turn(["finish", "--confirm"], self.saved("copy.db", ".transhume"), after)

    def test_what_only_looks(self):
        self.run_program("migrate", "--plan", "plan.yaml")
        self.write("bad.yaml", PLAN.replace("order: n", "order: nothing"))
        self.in_turn(["check", "--state", "s", "--plan", "bad.yaml", "source.db", "dynamodb-json:new"], code=2)
        for arguments in (["status"], ["status", "--json"], ["report"], ["check", "--sample", "2", "source.db", "new.db"],
                          ["check", "--sample", "2", "--state", "s", "--plan", "plan.yaml", "source.db", "dynamodb-json:new"],
                          ["init", "-o", "-", "source.db", "dynamodb-json:new"], ["init", "-o", "-", "source.db", "new.db"],
                          ["init", "-o", "-", "dynamodb-json:out", "new.db"],
                          ["connectors", "sqlite", "--json"], ["connectors"], ["failpoints"], ["help"],
                          ["help", "plan-invalid"], ["version"], ["reset", "--confirm", "--state", "none"]):
            self.in_turn(arguments)
            # Where even a lock can't be had, an empty file of our own may stay.
            self.assertEqual(os.path.getsize(self.path("new.db")) if os.path.exists(self.path("new.db")) else 0, 0)
            self.clean("new.db")


@unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "sanitizers bring an allocator of their own")
class Network(failing.MemoryTestCase, dynamodb_case.DynamodbCase):
    """The ledger, the claim and the answers of DynamoDB."""

    def clear(self):
        self.clean(".transhume")
        for name in self.client.list_tables()["TableNames"]:
            self.client.delete_table(TableName=name)
            items.wait_gone(self.client, name)

    def test_network(self):
        support.make_sqlite(self.path("few.db"), """CREATE TABLE things(id INTEGER PRIMARY KEY, a TEXT);
            INSERT INTO things VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd');""")
        arguments = ["--jobs", "1", "--chunk-rows", "2", "few.db", self.uri()]
        # OpenSSL does not bear it while it sets itself up: what our code asks for, and the trees of answers.
        env = dict(servers.aws_environment(self.folder), FAIL_FOR="jansson")
        expected = {str(number): text for number, text in enumerate("abcd", 1)}

        def after(result):
            if result.code != 0:
                self.to_the_end(*arguments, env=env)
            found = self.client.scan(TableName="things", ConsistentRead=True)["Items"]
            self.assertEqual({item["id"]["N"]: item["a"]["S"] for item in found}, expected)

        self.in_turn(["migrate", *arguments], self.clear, after, env)

    def test_validate(self):
        """As its target, its source, and a copy of itself."""
        support.make_sqlite(self.path("few.db"), "CREATE TABLE things(id INTEGER PRIMARY KEY, a TEXT); INSERT INTO things VALUES (1, 'a'), (2, 'b'), (3, 'c');")
        env = dict(servers.aws_environment(self.folder), FAIL_FOR="jansson")
        self.clear()
        self.run_program("migrate", "few.db", self.uri(), env=env)
        self.run_program("migrate", "--state", "there", self.uri(), "jsonl:back", env=env)
        pairs = (["few.db", self.uri()], [self.uri(), "jsonl:back"])
        for code in (0, 1):
            if code == 1:
                self.client.put_item(TableName="things", Item={"id": {"N": "2"}, "a": {"S": "altered"}})
            for pair in pairs:
                for level in ("hash", "full"):
                    arguments = ["validate", "--state", "s", "--jobs", "1", "--level", level, *pair]
                    self.run_program(*arguments, env=env, code=code)
                    self.in_turn(arguments, env=env, code=code)


if __name__ == "__main__":
    unittest.main()
