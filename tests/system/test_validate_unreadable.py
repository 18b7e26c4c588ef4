"""Lines of the target that can't be read: a validation says of each where it stands and why."""
import json
import os
import unittest

import support

SCRIPT = """
CREATE TABLE herd(id INTEGER PRIMARY KEY, wool TEXT, weight REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO herd SELECT i, 'wool ' || i, i / 4.0 FROM n;
"""
HURRY = "verify.checkpoint_due:error:0"
WRITTEN = "verify.checkpoint_written"


class Lines:
    """Brings: target, spoilt: {number of a record: (what becomes of its line, code, what the reason says)}."""

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("source.db"), SCRIPT)
        self.run_program("migrate", "--chunk-rows", "100", "source.db", self.target)

    def spoil(self, spoilt):
        """[file, line] of each."""
        places = {}
        for name in sorted(os.listdir(self.path("out", "herd"))):
            path = self.path("out", "herd", name)
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
            for number, line in enumerate(lines):
                for wool, (change, _, _) in spoilt.items():
                    if "wool %d\"" % wool in line or line.split(",")[1:2] == ["wool %d" % wool]:
                        lines[number] = change(line)
                        places[wool] = [name, number + 1]
            with open(path, "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
        self.assertEqual(set(places), set(spoilt))
        return places

    def check(self, report, places):
        found = {(record["key"]["$file"], record["key"]["$line"]): record for record in report["records"]
                 if record["kind"] == "unreadable"}
        self.assertEqual(sorted(found), sorted(map(tuple, places.values())))
        for wool, place in places.items():
            record = found[tuple(place)]
            _, code, said = self.spoilt[wool]
            self.assertEqual((record["entity"], record["table"], record["code"]), ("herd", "herd", code), record)
            self.assertRegex(record["reason"], said)
            self.assertIn(place[0], record["reason"])
        entity, = report["entities"]
        self.assertEqual((entity["unreadable"], entity["missing"], entity["different"], entity["extra"]),
                         (len(places), len(places), 0, 0))

    def test_each_is_named(self):
        places = self.spoil(self.spoilt)
        for level in ("hash", "full"):
            self.check(json.loads(self.run_program("validate", "--json", "--level", level, code=1).out), places)
        with open(self.path(".transhume", "validate.jsonl"), encoding="utf-8") as file:
            self.assertEqual(sum('"reason"' in line for line in file), len(places))
        out = self.run_program("validate", code=1).out
        for wool, (name, line) in places.items():
            row, = [row for row in out.splitlines() if row.startswith("unreadable") and name in row
                    and "$line %d " % line in row]
            self.assertRegex(row, self.spoilt[wool][2])
        self.run_program("report")
        for form in ("report.html", "report.md", "report.json"):
            with open(self.path(".transhume", form), encoding="utf-8") as file:
                text = file.read()
            for _, _, said in self.spoilt.values():
                self.assertRegex(text, said)

    def test_gone_on_with(self):
        """What was named before the validation was broken off is not forgotten."""
        places = self.spoil(self.spoilt)
        _, counts = support.count_failpoints("validate", "--jobs", "1", cwd=self.folder,
                                             env={"TRANSHUME_FAILPOINT": HURRY})
        self.run_program("validate", "--jobs", "1", code=-9, env={"TRANSHUME_FAILPOINT": "%s,%s:kill:%d" % (HURRY,
            WRITTEN, counts[WRITTEN])})
        result = self.run_program("validate", "--json", code=1)
        self.assertIn("continues the interrupted validation", result.err)
        self.check(json.loads(result.out), places)

    def test_many(self):
        """So many are named as fit in bounded memory; the others are counted."""
        path = self.path("out", "herd", sorted(os.listdir(self.path("out", "herd")))[0])
        with open(path, "a", encoding="utf-8") as file:
            file.writelines('"\\x' + "y" * 300 + "\n" for _ in range(20000))
        report = json.loads(self.run_program("validate", "--json", "--limit", "100000", code=1).out)
        entity, = report["entities"]
        named = [record for record in report["records"] if "reason" in record]
        rest = [record["count"] for record in report["records"] if "count" in record]
        self.assertEqual(len(named) + sum(rest), entity["unreadable"])
        self.assertGreater(len(named), 100)
        self.assertEqual(len(rest), 1)
        self.assertLess(sum(len(json.dumps(record)) for record in named), 4 << 20)


def without_end(line):
    return line[:len(line) // 2]


class Jsonl(Lines, support.TestCase):
    target = "jsonl:out"
    spoilt = {7: (lambda line: line[:-1] + ',"fleece":1}', "type", "fleece.*no such column"),
              33: (without_end, "unreadable", "wool.*closing quote")}


class DynamodbJson(Lines, support.TestCase):
    target = "dynamodb-json:out"
    spoilt = {7: (lambda line: line.replace('"S"', '"X"'), "unreadable", "no attribute type"),
              33: (without_end, "unreadable", "closing quote")}


class Csv(Lines, support.TestCase):
    target = "csv:out"
    spoilt = {7: (lambda line: line + ",more", "unreadable", "field"),
              150: (lambda line: line.replace("37.5", "heavy"), "type", "weight")}

    test_many = None   # a quote that is not closed is one record to the end of the file


if __name__ == "__main__":
    unittest.main()
