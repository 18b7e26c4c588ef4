"""What `check` foresees of DynamoDB: capacity units, cost and time, against the documented formulas computed here."""
import math
import os
import re
import sqlite3
import unittest

import items
import support
from chinook_expected import Expectation
from dynamodb_case import DynamodbCase
from fault_proxy import FaultProxy

CHINOOK_PLAN = os.path.join(support.ROOT, "examples", "chinook", "transhume.yaml")
WRITE_DOLLARS = 0.625e-6  # us-east-1, on demand, since 2024-11-01
READ_DOLLARS = 0.125e-6


def size(typed):
    """The bytes of an attribute's value, as AWS documents "DynamoDB item sizes and formats"."""
    (letter, value), = typed.items()
    if letter == "S":
        return len(value.encode())
    if letter == "N":
        digits = re.sub(r"[-.]", "", value).lstrip("0").rstrip("0") or "0"
        return math.ceil(len(digits) / 2) + 1 + value.startswith("-")
    if letter in ("BOOL", "NULL"):
        return 1
    if letter == "L":
        return 3 + sum(1 + size(element) for element in value)
    if letter == "M":
        return 3 + sum(1 + len(name.encode()) + size(element) for name, element in value.items())
    raise AssertionError(letter)


def item_size(item):
    return sum(len(name.encode()) + size(value) for name, value in item.items())


def write_units(item, indexes):
    times = 1 + sum(all(name in item for name in key) for key in indexes)
    return times * max(1, math.ceil(item_size(item) / 1024))


class Check(DynamodbCase):
    def line(self, result, table):
        """The note about a table, unfolded."""
        text = re.sub(r"\n {4}", " ", result.out)
        found = [line for line in text.splitlines() if line.strip().startswith("- %s: " % table)]
        self.assertEqual(len(found), 1, result.out)
        return found[0]

    def numbers(self, line):
        units = int(re.search(r"about ([\d,]+) (?:read|write) unit", line).group(1).replace(",", ""))
        dollars = re.search(r"\$([\d.]+)", line)
        return units, float(dollars.group(1)) if dollars else None

    def test_reading(self):
        items.create(self.client, "herd")
        items.create(self.client, "slow", read=5)
        items.put(self.client, "herd", [{"id": {"S": "1"}}])

        def large(told):
            told["Table"].update(ItemCount=10000000, TableSizeBytes=8 << 30)

        with FaultProxy(self.server.endpoint) as proxy:
            proxy.add("rewrite", operation="DescribeTable", change=large)
            for consistent, units in (("no", (8 << 30) // 4096 // 2), ("yes", (8 << 30) // 4096)):
                result = self.run_aws("check", self.uri(proxy.endpoint, consistent=consistent), "dynamodb-json:out")
                line = self.line(result, "herd")
                found, dollars = self.numbers(line)
                self.assertAlmostEqual(found, units, delta=1)
                self.assertAlmostEqual(dollars, units * READ_DOLLARS, delta=0.006)
                self.assertIn("8.0 GiB", line)
                self.assertIn("us-east-1, 2024-11-01", line)
                line = self.line(result, "slow")
                self.assertAlmostEqual(self.numbers(line)[0], units, delta=1)
                self.assertIsNone(self.numbers(line)[1])
                hours = units // 5 // 3600
                self.assertIn("at 5 units a second %dd %02dh" % (hours // 24, hours % 24), line)
        capped = self.run_aws("check", self.uri(read_units="100"), "dynamodb-json:out")
        self.assertNotIn("read units", capped.out)  # this server does not tell a size: nothing is guessed

    def test_writing_chinook(self):
        source = support.musicshop(self.path("shop.db"))
        result = self.run_aws("check", "--plan", CHINOOK_PLAN, "--state", "state", "--estimate-time", "1h", source,
                              self.uri())
        with open(CHINOOK_PLAN, encoding="utf-8") as plan:
            plan = plan.read()
        for table, wanted in Expectation(source).tables().items():
            part = plan[plan.index("\n  %s:" % table):].split("\n    entities:")[0]
            indexes = [re.findall(r"(?:partition|sort): (\w+)", line) for line in part.splitlines()
                       if re.search(r"GSI\d+-\w+:", line)]
            units, dollars = self.numbers(self.line(result, table))
            expected = sum(write_units(item, indexes) for item in wanted)
            self.assertEqual(units, expected, table)
            self.assertAlmostEqual(dollars, units * WRITE_DOLLARS, delta=1e-6)

    def test_writing_at_a_table_s_capacity(self):
        db = sqlite3.connect(self.path("herd.db"))
        db.execute("CREATE TABLE herd(id TEXT PRIMARY KEY, wool TEXT)")
        db.executemany("INSERT INTO herd VALUES (?, ?)", [("%d" % n, "w" * 1500) for n in range(900)])
        db.commit()
        db.close()
        items.create(self.client, "herd", read=5, write=10)
        line = self.line(self.run_aws("check", "herd.db", self.uri()), "herd")
        self.assertEqual(self.numbers(line), (1800, None))
        self.assertIn("at 10 units a second 3m", line)
        line = self.line(self.run_aws("check", "herd.db", self.uri(write_units="2")), "herd")
        self.assertIn("at 2 units a second 15m", line)

    def test_the_permissions_that_the_page_lists_are_those_that_are_used(self):
        with open(os.path.join(support.ROOT, "docs", "dynamodb.md"), encoding="utf-8") as page:
            rows = [line.split("|") for line in page if line.startswith("| ") and "`dynamodb:" in line]
        listed = {cells[1].strip(): set(re.findall(r"dynamodb:(\w+)", cells[2])) for cells in rows}
        source = support.musicshop(self.path("shop.db"))
        with FaultProxy(self.server.endpoint) as proxy:
            self.run_aws("migrate", "--plan", CHINOOK_PLAN, "--state", "state", source, self.uri(proxy.endpoint))
            written = set(proxy.operations())
            proxy.clear()
            self.run_aws("migrate", "--state", "back", self.uri(proxy.endpoint), "dynamodb-json:out")
            read = set(proxy.operations())
            proxy.clear()
            self.run_aws("check", "--state", "whole", self.uri(proxy.endpoint), self.uri(), code=5)  # they are there
            whole = set(proxy.operations())
        self.assertEqual(read | {"Query"}, listed["source"])  # the last for `query:`
        self.assertEqual(whole - read, listed["source of a whole copy"])
        self.assertLessEqual(written, listed["target, tables"] | listed["target, ledger"])
        self.assertGreater(len(written), 5)


if __name__ == "__main__":
    unittest.main()
