"""
Names that differ in case only are two in a plan's expressions, though to SQLite, which evaluates them, they are one.
"""
import json
import os
import sqlite3
import unittest

import support

PLAN = """transhume: 1
source: jsonl:src
target: jsonl:out
tables:
  t:
    from: t
%s
"""
RECORDS = ({"id": 1, "Name": "A", "name": "a", "End": 1, "end": 2, "Text": "T", "text": "t", "Lower": "L",
            "lower": "l"},
           {"id": 2, "Name": "x", "name": "y", "End": 3, "end": 4, "Text": "U", "text": "u", "Lower": "M",
            "lower": "m"})


class Names(support.TestCase):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("src"))
        with open(self.path("src", "t.jsonl"), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(record) + "\n" for record in RECORDS)
        self.number = 0

    def plan(self, text):
        self.number += 1
        self.write("p.yaml", (PLAN % text).replace("jsonl:out", "jsonl:out%d" % self.number))

    def out(self):
        self.run_program("migrate", "--plan", "p.yaml", "--state", "s%d" % self.number)
        self.run_program("validate", "--plan", "p.yaml", "--state", "s%d" % self.number, "--level", "full")
        folder = self.path("out%d" % self.number, "t")
        lines = []
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                lines += [json.loads(line) for line in file]
        return sorted(lines, key=lambda record: record["id"])

    def test_conditions(self):
        for where, ids in (("name = 'a' AND Name = 'A'", [1]), ("\"Name\" = 'x'", [2]),
                           ("[name] = 'y' OR `Name` = 'A'", [1, 2]), ("name = 'A'", []),
                           ("/* Name */ name = 'a' -- Name\n AND Name <> 'Name'", [1]),
                           ("CASE WHEN \"end\" = 4 THEN 1 ELSE 0 END", [2]),
                           ("\"End\" = 1 AND \"end\" = 2", [1]), ("record.\"Name\" = 'A'", [1])):
            with self.subTest(where):
                self.plan("    where: %s" % json.dumps(where))
                self.assertEqual([record["id"] for record in self.out()], ids)

    def test_values(self):
        for sql, wanted in (("\"Name\" || name", ["Aa", "xy"]), ("lower(Name) || Lower || lower", ["aLl", "xMm"]),
                            ("CAST(text AS text) || CAST(Text AS TEXT)", ["tT", "uU"]),
                            ("'Name' || name || '''name'", ["Namea'name", "Namey'name"]),
                            ("typeof(x'4e616d65') || name", ["bloba", "bloby"]),
                            ("name || Name COLLATE nocase", ["aA", "yx"]),
                            ("ID || name", ["1a", "2y"])):   # one alone is found past case, as before
            with self.subTest(sql):
                self.plan("    fields: { id: copy, v: { sql: %s, cast: text } }" % json.dumps(sql))
                self.assertEqual([record["v"] for record in self.out()], wanted)

    def test_a_third_way_is_refused(self):
        self.plan("    where: \"NAME = 'a'\"")
        result = self.run_program("check", "--plan", "p.yaml", code=2)
        self.assertIn("'NAME' is neither 'Name' nor 'name', which differ in case only",
                      " ".join((result.out + result.err).split()))

    def test_a_look_up_beside_a_column(self):
        support.make_sqlite(self.path("s.db"),
                            "CREATE TABLE artist (id INTEGER PRIMARY KEY, name TEXT); "
                            "CREATE TABLE album (id INTEGER PRIMARY KEY, name TEXT, "
                            "artist INTEGER REFERENCES artist); INSERT INTO artist VALUES (1, 'Xavier'), (2, 'Anna'); "
                            "INSERT INTO album VALUES (1, 'Apple', 1), (2, 'Beta', 2), (3, 'Ant', 1)")
        self.write("p.yaml",
                   "transhume: 1\nsource: sqlite:s.db\ntarget: sqlite:t.db\ntables:\n  album:\n    key: [id]\n    "
                   "from: album\n"
                   "    where: \"name LIKE 'A%'\"\n    fields:\n      id: copy\n      Title: { column: name }\n      "
                   "Name: { lookup: artist, column: name }\n"
                   "      Sql: { sql: \"name || '-' || Name\", cast: text }\n")
        self.run_program("migrate", "--plan", "p.yaml")
        db = sqlite3.connect(self.path("t.db"))
        self.assertEqual(db.execute("SELECT * FROM album ORDER BY id").fetchall(),
                         [(1, "Apple", "Xavier", "Apple-Xavier"), (3, "Ant", "Xavier", "Ant-Xavier")])
        db.close()


if __name__ == "__main__":
    unittest.main()
