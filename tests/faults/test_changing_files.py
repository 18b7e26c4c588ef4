"""Files and tables that are changed while a run works on them: never a mixture, never a loss, without a word."""
import json
import os
import signal
import unittest

import dynamodb_case
import items
import servers
import support

ROWS = 1000


def lines(kind, count=ROWS, word="value"):
    if kind == "csv":
        return "id,a\n" + "".join("%d,%s %d\n" % (i, word, i) for i in range(count))
    template = '{"id":%d,"a":"%s %d"}\n' if kind == "jsonl" else '{"Item":{"id":{"N":"%d"},"a":{"S":"%s %d"}}}\n'
    return "".join(template % (i, word, i) for i in range(count))


class Stopped(support.TestCase):
    def stopped(self, *arguments, env=None):
        """A migrate that has stopped itself at its second chunk."""
        return self.stopped_at("engine.chunk_started:stop:2", *arguments, env=env)


class DeletedTables(Stopped, dynamodb_case.DynamodbCase):
    """Exit status 2 would say that nothing was touched."""

    def deleted(self, table, name, *arguments):
        process = self.stopped("migrate", "--jobs", "1", "--chunk-rows", "100", *arguments,
                               env=servers.aws_environment(self.folder))
        self.client.delete_table(TableName=table)
        items.wait_gone(self.client, table)
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 3)
        self.assertIn(name, result.err)
        self.assertIn("transhume resume", result.err)

    def test_of_the_target(self):
        support.make_sqlite(self.path("s.db"), """CREATE TABLE things(id INTEGER PRIMARY KEY);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
            INSERT INTO things SELECT i FROM n;""")
        self.deleted("things", "target-write", "s.db", self.uri())

    def test_of_the_source(self):
        items.create(self.client, "things", (("id", "N"),))
        items.put(self.client, "things", [{"id": {"N": str(i)}, "a": {"S": "x" * 9000}} for i in range(400)])
        self.deleted("things", "source-read", self.uri(), "jsonl:out")


class ChangingFiles(Stopped):
    kinds = {"csv": ("csv:in", "in/t.csv"), "jsonl": ("jsonl:in", "in/t.jsonl"),
             "json": ("dynamodb-json:in", "in/t/a.json")}

    def found(self, target):
        found = []
        for name in sorted(os.listdir(self.path(target, "t"))):
            with open(self.path(target, "t", name), encoding="utf-8") as file:
                found += [(row["id"], row["a"]) for row in map(json.loads, file)]
        return sorted(found)

    def run_changed(self, kind, change, code):
        source, name = self.kinds[kind]
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        if os.path.exists(self.path(name)):
            os.remove(self.path(name))
        self.write(name, lines(kind))
        number = len(os.listdir(self.folder))
        state, target = "state-%d" % number, "out-%d" % number
        process = self.stopped("migrate", "--state", state, "--jobs", "1", "--chunk-rows", "100", source,
                               "jsonl:" + target)
        change(self.path(name), kind)
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, code)
        if code != 0:
            self.assertIn("source-changed", result.err)
            self.run_program("resume", "--state", state, code=1)  # it says that it began with other files
        return self.found(target)

    def test_truncated(self):
        def cut(path, kind):
            os.truncate(path, len(lines(kind, ROWS // 2)))
        for kind in self.kinds:
            with self.subTest(kind=kind):
                self.assertEqual(self.run_changed(kind, cut, 5), [(i, "value %d" % i) for i in range(ROWS // 2)])

    def test_written_anew_in_place(self):
        def write(path, kind):
            with open(path, "r+", encoding="utf-8") as file:
                file.write(lines(kind, word="VALUE"))
        for kind in self.kinds:
            with self.subTest(kind=kind):
                self.assertEqual(self.run_changed(kind, write, 5), [(i, "VALUE %d" % i) for i in range(ROWS)])

    def test_written_anew_in_place_and_longer(self):
        """The file and its name are the same and it only seems to have grown."""
        def all_of_it(path, kind):
            with open(path, "r+", encoding="utf-8") as file:
                file.write(lines(kind, ROWS + 5, word="VALUE"))

        def its_end(path, kind):  # and 100 lines behind the known end
            with open(path, "r+", encoding="utf-8") as file:
                half = len(lines(kind, ROWS // 2))
                file.seek(half)
                file.write(lines(kind, ROWS + 100, word="VALUE")[half:])
        for kind in self.kinds:
            for change, old in ((all_of_it, 0), (its_end, ROWS // 2)):
                with self.subTest(kind=kind, change=change.__name__):
                    found = self.run_changed(kind, change, 5)
                    self.assertEqual(found[:old], [(i, "value %d" % i) for i in range(old)])
                    self.assertEqual({text[:5] for _, text in found[old:]}, {"VALUE"})
                    self.assertGreater(len(found), ROWS)

    def test_replaced_by_another(self):
        def replace(path, kind):
            with open(path + ".new", "w", encoding="utf-8") as file:
                file.write(lines(kind, ROWS + 9, "other"))
            os.rename(path + ".new", path)
        for kind in self.kinds:
            with self.subTest(kind=kind):
                self.assertEqual(self.run_changed(kind, replace, 5), [(i, "other %d" % i) for i in range(ROWS + 9)])

    def test_appended_to(self):
        def append(path, kind):
            with open(path, "a", encoding="utf-8") as file:
                file.write(lines(kind, ROWS + 5)[len(lines(kind)):])
        for kind in self.kinds:
            with self.subTest(kind=kind):
                self.assertEqual(self.run_changed(kind, append, 0), [(i, "value %d" % i) for i in range(ROWS)])


if __name__ == "__main__":
    unittest.main()
