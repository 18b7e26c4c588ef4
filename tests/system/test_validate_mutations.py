"""The verifier tested by mutation: one record of a clean copy is changed by somebody else, and must be found and named.

Each target has each change that it can hold: SQL for SQLite, edits of lines for folders of files, boto3 for DynamoDB.
"""
import decimal
import json
import os
import shutil
import sqlite3
import sys
import unicodedata

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import dynamodb_case
import support
from mutation_case import ACCENT, LONG, ROWS, VICTIM, Mutations, make_sqlite


class Sqlite(Mutations):
    places = ("copy.db", ".transhume")

    def setUp(self):
        super().setUp()
        make_sqlite(self.path("shop.db"))
        self.run_program("migrate", "shop.db", "copy.db")
        shutil.copy(self.path("copy.db"), self.path("good.db"))
        self.clean()

    def mutate(self, what, *statements):
        shutil.copy(self.path("good.db"), self.path("copy.db"))
        db = sqlite3.connect(self.path("copy.db"), isolation_level=None)
        for statement in statements:
            cursor = db.execute(*([statement] if isinstance(statement, str) else statement))
            self.assertNotEqual(cursor.rowcount, 0, "%s: nothing was changed" % what)
        db.close()

    def field(self, what, column, value, row=VICTIM):
        self.mutate(what, ("UPDATE person SET %s = ? WHERE id = ?" % column, (value, row)))
        self.check(what, "person", {"different": 1}, {"id": row}, [column])

    def test_values(self):
        self.field("flip a letter", "name", "cafe")
        self.field("NFC and NFD", "name", unicodedata.normalize("NFD", ACCENT))
        self.field("case", "name", "Caf\u00e9")
        self.field("trailing space", "name", ACCENT + " ")
        self.field("truncate", "name", "caf")
        self.field("truncate bytes", "photo", b"\x00")
        self.field("bytes and text", "photo", "\x00157")
        self.field("a float's last bit", "score", 19.625000000000004)
        self.field("a cent", "price", 1.58)
        self.field("null and empty", "note", None)
        self.field("empty and null", "note", "", VICTIM + 1)
        self.field("the last digit of 38", "note", str(LONG)[:-1] + "8", VICTIM + 2)
        self.field("1 and '1'", "any_kind", "1")
        self.field("1 and 1.0", "any_kind", 1.0)
        self.field("1.0 and 1", "any_kind", 1, VICTIM + 1)
        self.field("-0.0 and 0.0", "any_kind", 0.0, VICTIM + 2)
        self.field("'1' and 1", "any_kind", 1, VICTIM + 3)
        self.field("1 and null", "any_kind", None)
        self.field("text and bytes", "any_kind", b"1", VICTIM + 3)

    def test_records(self):
        self.mutate("drop", "DELETE FROM person WHERE id = %d" % VICTIM)
        self.check("drop", "person", {"missing": 1}, {"id": VICTIM})
        self.mutate("add", "INSERT INTO person(id, name) VALUES (9999, 'new')")
        self.check("add", "person", {"extra": 1}, {"id": 9999})
        self.mutate("swap two", "UPDATE person SET id = -1 WHERE id = 5", "UPDATE person SET id = 5 WHERE id = 6",
                    "UPDATE person SET id = 6 WHERE id = -1")
        self.check("swap two", "person", {"different": 2}, {"id": 5})
        self.mutate("swap a field of two", "UPDATE word SET n = 11 - n WHERE n IN (5, 6)")
        self.check("swap a field of two", "word", {"different": 2}, {"w": "word5"}, ["n", "n"])
        self.mutate("move a key", "UPDATE word SET w = 'Word7' WHERE w = 'word7'")
        self.check("move a key", "word", {"missing": 1, "extra": 1}, {"w": "Word7"})
        self.mutate("empty", "DELETE FROM word")
        self.check("empty", "word", {"missing": ROWS})

    def test_records_without_a_key(self):
        self.mutate("duplicate", "INSERT INTO keyless SELECT * FROM keyless WHERE rowid = 7")
        self.check("duplicate", "keyless", {"extra": 1}, {"w": "w6", "n": 0})
        self.mutate("drop one of equal ones", "DELETE FROM keyless WHERE rowid = 7")
        self.check("drop one of equal ones", "keyless", {"missing": 1}, {"w": "w6", "n": 0})
        self.mutate("flip", "UPDATE keyless SET n = 5 WHERE rowid = 7")
        self.check("flip", "keyless", {"missing": 1, "extra": 1}, {"w": "w6", "n": 5})
        self.mutate("change the type", "UPDATE keyless SET n = '1' WHERE rowid = 8")
        self.check("change the type", "keyless", {"missing": 1, "extra": 1}, {"w": "w7", "n": "1"})


PLAN = """
transhume: 1
source: sqlite:shop.db
target: %s
tables:
  people:
    key: { partition: PK, sort: SK }
    entities:
      person:
        from: person
        fields:
          PK: "PERSON#{id}"
          SK: PROFILE
          "*": copy
          any_kind: { drop: true }
          Words: { embed: item, order: n, fields: { w: copy, n: copy } }
      total:
        from: word
        fields:
          PK: TOTALS
          SK: "{w}"
          n: copy
"""


def make_documents(path):
    make_sqlite(path)
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE item(person_id INTEGER REFERENCES person(id), n INTEGER, w TEXT, PRIMARY KEY (person_id, n))")
    db.executemany("INSERT INTO item VALUES (?,?,?)", [(i, n, "item %d" % n) for i in range(1, ROWS) for n in range(i % 5)])
    db.commit()
    db.close()


class Documents:
    """What can be done to a document, whatever keeps it: `store` puts it in place of the old one."""

    def run_all(self):
        person = "PERSON#%d" % VICTIM
        key = {"PK": person, "SK": "PROFILE"}
        number = self.number

        def change(what, fields, edit):
            self.restore()
            item = self.load(person, "PROFILE")
            edit(item)
            self.store(item)
            self.check(what, "people", {"different": 1}, key, fields)

        def put(name, value):
            return lambda item: item.__setitem__(name, value)

        change("flip a letter", ["name"], put("name", "cafe"))
        change("NFC and NFD", ["name"], put("name", unicodedata.normalize("NFD", ACCENT)))
        change("case", ["name"], put("name", "Caf\u00e9"))
        change("trailing space", ["name"], put("name", ACCENT + " "))
        change("a number for its text", ["id"], put("id", str(VICTIM)))
        change("null for empty", ["note"], put("note", None))
        change("missing for empty", ["note"], lambda item: item.pop("note"))
        change("a new field", ["other"], put("other", "x"))
        change("a cent", ["price"], put("price", number("1.58")))
        change("an element of a list", ["Words"], lambda item: item["Words"][0].__setitem__("w", "other"))
        change("an element's number", ["Words"], lambda item: item["Words"][1].__setitem__("n", number("7")))
        change("order of a list", ["Words"], lambda item: item["Words"].reverse())
        change("one element less", ["Words"], lambda item: item["Words"].pop())
        change("one element twice", ["Words"], lambda item: item["Words"].append(item["Words"][0]))
        self.restore()
        self.drop(person, "PROFILE")
        self.check("drop", "people", {"missing": 1}, key)
        self.restore()
        self.store({"PK": "TOTALS", "SK": "new", "n": number("1")})
        self.check("add", "people", {"extra": 1}, {"PK": "TOTALS", "SK": "new"})
        self.restore()
        one, two = self.load("TOTALS", "word5"), self.load("TOTALS", "word6")
        one["n"], two["n"] = two["n"], one["n"]
        self.store(one)
        self.store(two)
        self.check("swap two", "people", {"different": 2}, {"PK": "TOTALS", "SK": "word5"}, ["n", "n"])
        self.restore()
        self.clean()


class DynamodbJson(Documents, Mutations):
    places = ("out", ".transhume")
    number = staticmethod(decimal.Decimal)

    def typed(self, value):
        if value is None:
            return {"NULL": True}
        if isinstance(value, (int, decimal.Decimal)):
            return {"N": str(value)}
        if isinstance(value, list):
            return {"L": [self.typed(item) for item in value]}
        if isinstance(value, dict):
            return {"M": {name: self.typed(item) for name, item in value.items()}}
        return {"B": value[1]} if isinstance(value, tuple) else {"S": value}

    def plain(self, typed):
        (kind, value), = typed.items()
        if kind == "L":
            return [self.plain(item) for item in value]
        if kind == "M":
            return {name: self.plain(item) for name, item in value.items()}
        return {"S": value, "N": value, "B": ("B", value), "NULL": None}[kind] if kind != "N" else decimal.Decimal(value)

    def lines(self):
        for folder, _, names in os.walk(self.path("out", "people")):
            for name in sorted(names):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    yield os.path.join(folder, name), file.read().splitlines()

    def rewrite(self, pk, sk, item):
        """Puts the item, None: nothing, in place of the one with that key, or adds it."""
        done = False
        for path, lines in self.lines():
            changed = []
            for line in lines:
                attributes = json.loads(line)["Item"]
                if attributes["PK"].get("S") == pk and attributes["SK"].get("S") == sk:
                    done = True
                    if item is None:
                        continue
                    line = json.dumps({"Item": {name: self.typed(value) for name, value in item.items()}})
                changed.append(line)
            if not done and item is not None:
                last = path, changed
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(line + "\n" for line in changed)
        if not done:
            with open(last[0], "a", encoding="utf-8") as file:
                file.write(json.dumps({"Item": {name: self.typed(value) for name, value in item.items()}}) + "\n")

    def load(self, pk, sk):
        for _, lines in self.lines():
            for line in lines:
                attributes = json.loads(line)["Item"]
                if attributes["PK"].get("S") == pk and attributes["SK"].get("S") == sk:
                    return {name: self.plain(value) for name, value in attributes.items()}
        raise AssertionError("no %s %s" % (pk, sk))

    def store(self, item):
        self.rewrite(item["PK"], item["SK"], item)

    def drop(self, pk, sk):
        self.rewrite(pk, sk, None)

    def restore(self):
        shutil.rmtree(self.path("out"))
        shutil.copytree(self.path("good"), self.path("out"))

    def test_all(self):
        make_documents(self.path("shop.db"))
        self.write("transhume.yaml", PLAN % "dynamodb-json:out")
        self.run_program("migrate")
        shutil.copytree(self.path("out"), self.path("good"))
        self.clean()
        self.run_all()
        self.restore()
        path, lines = next(self.lines())
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines[:-1]) + "\n" + lines[-1][:40])
        self.check("truncate", "people", {"missing": 1, "unreadable": 1})


class Dynamodb(Documents, Mutations, dynamodb_case.DynamodbCase):
    places = ()
    number = staticmethod(decimal.Decimal)

    def environment(self):
        return self.aws

    def load(self, pk, sk):
        return self.people().get_item(Key={"PK": pk, "SK": sk})["Item"]

    def store(self, item):
        self.people().put_item(Item=item)
        self.touched.append((item["PK"], item["SK"]))

    def drop(self, pk, sk):
        self.touched.append((pk, sk))
        self.people().delete_item(Key={"PK": pk, "SK": sk})

    def people(self):
        return self.resource

    def restore(self):
        for pk, sk in self.touched:
            if (pk, sk) in self.good:
                self.people().put_item(Item=self.good[pk, sk])
            else:
                self.people().delete_item(Key={"PK": pk, "SK": sk})
        self.touched.clear()

    def test_all(self):
        import boto3
        import servers
        make_documents(self.path("shop.db"))
        self.write("transhume.yaml", PLAN % self.uri())
        self.aws = servers.aws_environment(self.folder)
        self.run_program("migrate", env=self.aws)
        self.resource = boto3.resource("dynamodb", endpoint_url=self.server.endpoint, region_name="us-east-1",
                                       aws_access_key_id="test", aws_secret_access_key="test").Table("people")
        self.touched, self.good = [], {}
        page = self.resource.scan()
        while True:
            self.good.update({(item["PK"], item["SK"]): item for item in page["Items"]})
            if "LastEvaluatedKey" not in page:
                break
            page = self.resource.scan(ExclusiveStartKey=page["LastEvaluatedKey"])
        self.clean()
        self.run_all()
        item = self.load("PERSON#9", "PROFILE")
        item["name"], item["other"] = "changed", "new"
        self.store(item)
        self.drop("TOTALS", "word3")
        self.store({"PK": "TOTALS", "SK": "new", "n": 1})
        self.run_program("validate", "--repair", "--delete-extra", "--confirm", env=self.aws)
        self.clean()
        self.assertEqual(self.load("PERSON#9", "PROFILE"), self.good["PERSON#9", "PROFILE"])
        self.assertEqual(self.load("TOTALS", "word3"), self.good["TOTALS", "word3"])
        self.touched.clear()


class Files(Mutations):
    """Lines of the tables of a plain copy, as text."""
    scheme = ending = None
    places = ("out", ".transhume")

    def setUp(self):
        super().setUp()
        make_sqlite(self.path("shop.db"))
        self.run_program("migrate", "shop.db", self.scheme + ":out")
        shutil.copytree(self.path("out"), self.path("good"))
        self.clean()

    def lines(self, table):
        for folder, _, names in os.walk(self.path("out", table)):
            for name in sorted(names):
                with open(os.path.join(folder, name), encoding="utf-8", newline="") as file:
                    yield os.path.join(folder, name), file.read().split("\n")

    def edit(self, what, table, is_it, change):
        """`change` makes lines of the one line that it is."""
        shutil.rmtree(self.path("out"))
        shutil.copytree(self.path("good"), self.path("out"))
        found = 0
        for path, lines in list(self.lines(table)):
            changed = []
            for line in lines:
                hit = found == 0 and is_it(line)
                found += hit
                changed += change(line) if hit else [line]
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.write("\n".join(changed))
        self.assertEqual(found, 1, what)

    def replace(self, what, old, new, fields, row=VICTIM):
        start = self.begins % row

        def change(line):
            self.assertIn(old, line, what)
            return [line.replace(old, new, 1)]
        self.edit(what, "person", lambda line: line.startswith(start), change)
        self.check(what, "person", {"different": 1}, {"id": row}, fields)

    def records(self, person):
        start = self.begins % VICTIM
        self.edit("drop", "person", lambda line: line.startswith(start), lambda line: [])
        self.check("drop", "person", {"missing": 1}, {"id": VICTIM})
        self.edit("add", "person", lambda line: line.startswith(start),
                  lambda line: [line, line.replace(str(VICTIM), "9999", 1)])
        self.check("add", "person", {"extra": 1}, {"id": 9999})
        self.edit("duplicate", "person", lambda line: line.startswith(start), lambda line: [line, line])
        self.check("duplicate", "person", {"extra": 1}, {"id": VICTIM})
        self.edit("truncate", "person", lambda line: line.startswith(start), lambda line: [line[:12]])
        self.check("truncate", "person", {"missing": 1, "unreadable": 1}, {"id": VICTIM})
        self.edit("duplicate without a key", "keyless", lambda line: "w6" in line, lambda line: [line, line])
        self.check("duplicate without a key", "keyless", {"extra": 1}, {"w": "w6", "n": 0})
        self.edit("drop without a key", "keyless", lambda line: "w6" in line, lambda line: [])
        self.check("drop without a key", "keyless", {"missing": 1}, {"w": "w6", "n": 0})


class Csv(Files):
    scheme = "csv"
    begins = "%d,"

    def test_records(self):
        self.records(None)

    def test_values(self):
        self.replace("flip a letter", ACCENT, "cafe", ["name"])
        self.replace("NFC and NFD", ACCENT, unicodedata.normalize("NFD", ACCENT), ["name"])
        self.replace("case", ACCENT, "Caf\u00e9", ["name"])
        self.replace("trailing space", ACCENT, ACCENT + " ", ["name"])
        self.replace("a cent", "1.57", "1.58", ["price"])
        self.replace("null for empty", ',""', ",", ["note"])
        self.replace("1 for '1'", ',"1"', ",1", ["any_kind"], VICTIM + 3)
        self.replace("the last digit of 38", str(LONG), str(LONG)[:-1] + "8", ["note"], VICTIM + 2)
        self.replace("bytes", "00313537", "00313538", ["photo"])


class Jsonl(Files):
    scheme = "jsonl"
    begins = '{"id":%d,'

    def test_records(self):
        self.records(None)

    def test_values(self):
        self.replace("flip a letter", ACCENT, "cafe", ["name"])
        self.replace("NFC and NFD", ACCENT, unicodedata.normalize("NFD", ACCENT), ["name"])
        self.replace("case", ACCENT, "Caf\u00e9", ["name"])
        self.replace("trailing space", ACCENT, ACCENT + " ", ["name"])
        self.replace("a cent", "1.57", "1.58", ["price"])
        self.replace("null for empty", '"note":""', '"note":null', ["note"])
        self.replace("missing for empty", ',"note":""', "", ["note"])
        self.replace("1 and '1'", '"any_kind":1', '"any_kind":"1"', ["any_kind"])
        self.replace("1 and 1.0", '"any_kind":1', '"any_kind":1e0', ["any_kind"])
        self.replace("-0.0 and 0.0", '"any_kind":-0', '"any_kind":0', ["any_kind"], VICTIM + 2)
        self.replace("the last digit of 38", str(LONG), str(LONG)[:-1] + "8", ["note"], VICTIM + 2)


del Files, Mutations
