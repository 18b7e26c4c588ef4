"""What `check` foresees is what the run does: random pairs of source tables and tables that are there, each a value's
edge cases in a column of
any type. As many rejects of each table are told as there are then, and none is called ready that rejects.
"""
import contextlib
import json
import os
import random
import re
import sqlite3
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "servers"), os.path.join(TESTS, "faults")]
import postgres
import servers
import support
import test_edge_values as edges
import test_kinds as types

SOURCES = ("sqlite", "postgres", "mysql", "csv", "jsonl", "dynamodb-json", "cassandra")
TARGETS = {"sqlite": types.SQLITE, "postgres": types.POSTGRES, "mysql": types.MYSQL, "cassandra": types.CASSANDRA}
ROUNDS = 1 if not support.SOAK else 30


class Foresight(support.TestCase):
    maxDiff = None
    setUpClass = classmethod(edges.EdgeValues.setUpClass.__func__)
    source, write_sqlite, literal, write_server, write_files, write_keyspace, keyspace = (
        getattr(edges.EdgeValues, name) for name in ("source", "write_sqlite", "literal", "write_server", "write_files",
                                                     "write_keyspace", "keyspace"))
    plan = edges.EdgeValues.plan
    csv_line, jsonl_line, typed, cql = (staticmethod(getattr(edges.EdgeValues, name))
                                        for name in ("csv_line", "jsonl_line", "typed", "cql"))
    dynamodb_line = edges.EdgeValues.dynamodb_line

    def make_target(self, target, drawn, content):
        """A table for each of the source's; {table: the type of its column}."""
        chosen = {}
        quote = "`%s`" if target == "mysql" else '"%s"'
        script = ["CREATE TYPE mood AS ENUM ('sad', 'plain')"] if target == "postgres" else []
        for word in content:
            declared = chosen[word] = drawn.choice(TARGETS[target])[0]
            limits = "" if target == "cassandra" else drawn.choice(("", "", "", " NOT NULL")) or (" NULL"
                if target == "mysql" else "")
            script.append("CREATE TABLE %s (id bigint PRIMARY KEY, v %s%s)" % (quote % word, declared, limits))
        if target == "sqlite":
            path = self.path("target.db")
            with contextlib.closing(sqlite3.connect(path)) as db, db:
                db.executescript(";\n".join(script))
            return "sqlite:" + path, chosen
        if target == "cassandra":
            name = self.keyspace()
            self.cassandra.run_script(name, ";\n".join(script))
            return self.cassandra.uri(name), chosen
        name = self.servers[target].database()
        self.servers[target].ask(name, ";\n".join(script))
        return self.servers[target].uri(name), chosen

    def told(self, checked):
        """{table: how many of its records a line says would be rejected, at least}"""
        found = {}
        for line in checked["problems"]:
            matched = re.match(r"(\w+): (?:(all|\d+) of the first (\d+) records|the first record) would be rejected",
                               line)
            if matched:
                word, count, of = matched.groups()
                found[word] = max(found.get(word, 0), int(of if count == "all" else count or 1))
        return found

    def pair(self, source, target, drawn):
        first, content = self.source(source)
        second, chosen = self.make_target(target, drawn, content)
        if source in ("jsonl", "dynamodb-json"):
            arguments = self.plan(source, content)
        else:
            arguments = ()
        arguments = (*arguments, "--existing", "append", "--time-zone", "UTC", first, second)
        environment = servers.aws_environment(self.folder)
        checked = support.transhume("check", "--json", *arguments, cwd=self.folder, env=environment)
        result = support.transhume("migrate", "--quiet", *arguments, cwd=self.folder, env=environment)
        if result.code == 2:   # what no value of a column could be is refused before the run, by both
            self.assert_code(checked, 2)
            return 0
        self.assertIn(result.code, (0, 1), result.err)
        report = json.loads(checked.out)
        rejected = {}
        for reject in self.rejects():
            rejected[reject["entity"]] = rejected.get(reject["entity"], 0) + 1
        told = self.told(report)
        wrong = {word: (chosen[word], "told", told.get(word, 0), "rejected", rejected.get(word, 0))
                 for word in content if (told.get(word, 0) > 0) != (rejected.get(word, 0) > 0)
                 or told.get(word, 0) > rejected.get(word, 0)}
        self.assertEqual(wrong, {}, "\n".join(report["problems"]))
        self.assertEqual(report["rejects_foreseen"], sum(rejected.values()))
        self.assert_code(checked, result.code)
        return len(content)


def add_pairs():
    for source in SOURCES:
        for target in TARGETS:
            for number in range(ROUNDS):
                def test(self, source=source, target=target, number=number):
                    self.pair(source, target, random.Random("%d %s %s %d" % (support.SEED, source, target, number)))
                setattr(Foresight, "test_%s_to_%s_%d" % (source.replace("-", "_"), target, number + 1), test)


add_pairs()


class Proposals(support.TestCase):
    def test_a_unit_of_time_is_proposed_by_all_numbers(self):
        server = postgres.for_class(type(self))
        target = server.database()
        server.ask(target, "CREATE TABLE t (id INT PRIMARY KEY, mixed TIMESTAMP, wild TIMESTAMP, good TIMESTAMP)")
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE t (id INTEGER PRIMARY KEY, mixed INTEGER, wild INTEGER, good INTEGER);"
                            "INSERT INTO t VALUES (1, 1700000000, 1700000000, 1700000000), (2, 1700000000000, 5, "
                            "1700000001), (3, 1700000000123, 1700000001, 1700000002)")
        checked = json.loads(support.transhume("check", "--json", "source.db", server.uri(target), cwd=self.folder).out)
        told = {line.split(": ")[2]: line for line in checked["notes"] + checked["problems"]
                if "would be rejected" in line}
        self.assertRegex(told["mixed"], "not all in one unit, so that no cast from one fits them$")
        self.assertRegex(told["wild"], "; for 2 of them a plan can say `.* from: epoch_s } }`$")
        self.assertRegex(told["good"], "; a plan can say `.* from: epoch_s } }`$")


if __name__ == "__main__":
    unittest.main()
