"""The verifier tested by mutation: one record of a clean copy is changed by somebody else, and must be found and named.

Each target has each change that it can hold: SQL for SQLite, edits of lines for folders of files, boto3 for DynamoDB.
"""
import base64
import decimal
import json
import os
import re
import shutil
import sqlite3
import sys
import unicodedata

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import dynamodb_case
import items
import mutation_case
import servers
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
    key: %s
    entities:
      person:
        from: person
        nulls: keep
        fields:
          PK: "PERSON#{id}"
          SK: PROFILE
          "*": copy
          any_kind: { drop: true }
          Exact: { column: note, cast: "decimal(38,10)", when: "id = 159" }
          Words: { embed: item, order: n, fields: { w: copy, n: copy } }
      page:
        pages: person.Words
        size: 3
        fields: { PK: "PERSON#{id}", SK: "WORDS#{$page}", Page: { column: $page }, Words: { column: $list } }
      total:
        from: word
        fields:
          PK: TOTALS
          SK: "{w}"
          n: copy
  shades:
    key: %s
    from: keyless
    distinct: true
    fields: { PK: SHADES, SK: "{w}", n: { column: n, cast: int64 } }
"""
DOCUMENT_KEY = "{ partition: PK, sort: SK }"


def make_documents(path):
    make_sqlite(path)
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE item(person_id INTEGER REFERENCES person(id), n INTEGER, w TEXT, "
               "PRIMARY KEY (person_id, n))")
    db.executemany("INSERT INTO item VALUES (?,?,?)", [(i, n, "item %d" % n) for i in range(1, ROWS)
                                                       for n in range(i % 5)])
    db.commit()
    db.close()


class Documents:
    """What can be done to a document, whatever keeps it: `store` puts it in place of the old one."""
    new_field, new_field_named = {"different": 1}, ["other"]

    def run_all(self):
        person = "PERSON#%d" % VICTIM
        key = {"PK": person, "SK": "PROFILE"}
        number = self.number

        def change(what, fields, edit, expected=None):
            self.restore()
            item = self.load(person, "PROFILE")
            edit(item)
            self.store(item)
            self.check(what, "people", expected or {"different": 1}, key, fields)

        def put(name, value):
            return lambda item: item.__setitem__(name, value)

        change("flip a letter", ["name"], put("name", "cafe"))
        change("NFC and NFD", ["name"], put("name", unicodedata.normalize("NFD", ACCENT)))
        change("case", ["name"], put("name", "Caf\u00e9"))
        change("trailing space", ["name"], put("name", ACCENT + " "))
        change("a number for its text", ["id"], put("id", str(VICTIM)))
        change("null for empty", ["note"], put("note", None))
        change("missing for empty", ["note"], lambda item: item.pop("note"))
        change("a new field", self.new_field_named, put("other", "x"), self.new_field)
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
        self.run_many()
        self.restore()
        self.clean()

    def run_many(self):
        """What each is found by, too, however many others there are."""
        self.expected = []
        self.change_values()
        self.change_lists()
        self.change_records()
        self.change_pages()
        self.change_distinct()
        self.check_each(self.expected)

    def expect(self, kind, pk, sk, fields=(), table="people"):
        self.expected.append((kind, table, {"PK": pk, "SK": sk}, fields))

    def change(self, pk, sk, fields, edit, table="people"):
        item = self.load(pk, sk, table)
        edit(item)
        self.store(item, table)
        self.expect("different", pk, sk, fields, table)

    def person(self, number, field, edit):
        self.change("PERSON#%d" % number, "PROFILE", [field], edit)

    def put(self, number, field, value):
        self.person(number, field, lambda item: item.__setitem__(field, value))

    def move(self, pk, sk, to, table="people"):
        item = self.load(pk, sk, table)
        self.drop(pk, sk, table)
        self.store(dict(item, SK=to), table)
        self.expect("missing", pk, sk, (), table)
        self.expect("extra", pk, to, (), table)

    def change_values(self):
        self.put(11, "name", "name 1")  # truncated
        self.put(12, "photo", self.bytes(b"\x00"))
        self.put(13, "photo", self.bytes(b"\x0014"))  # a byte
        self.put(14, "photo", "\x0014")  # bytes as a text
        self.put(16, "name", self.bytes(b"name 16"))
        self.person(VICTIM + 1, "note", lambda item: item.pop("note"))  # null and missing
        self.put(VICTIM + 5, "note", "")  # null and empty
        self.put(15, "Exact", None)  # missing and null
        self.put(VICTIM + 2, "Exact", self.number(str(LONG)[:-1] + "8"))  # the last digit of 38
        self.put(VICTIM, "score", self.number("19.625000000000004"))  # a float's last bit
        self.put(18, "score", self.number("-2.25"))

    def change_lists(self):
        """Persons with a 4 or 9 at their end have four words, others with a 0 or 5 none."""
        self.person(204, "Words", lambda item: item["Words"][0].__setitem__("w", "item 0 "))
        self.person(209, "Words", lambda item: item["Words"][1].__setitem__("n", None))
        self.person(214, "Words", lambda item: item["Words"][2].pop("n"))
        self.person(219, "Words", lambda item: item["Words"][3].__setitem__("n", "3"))
        self.person(224, "Words", lambda item: item["Words"][3].__setitem__("other", "new"))
        self.person(100, "Words", lambda item: item.pop("Words"))  # empty and missing
        self.put(105, "Words", None)

    def change_records(self):
        one, two = self.load("PERSON#21", "PROFILE"), self.load("PERSON#22", "PROFILE")
        for old, new in ((one, two), (two, one)):
            self.store(dict(new, PK=old["PK"]))
            self.expect("different", old["PK"], "PROFILE", ["id", "name", "score", "price", "photo", "Words"])
        self.move("TOTALS", "word9", "Word9")
        self.duplicate("TOTALS", "word11")

    def change_pages(self):
        def words(number, page, edit):
            self.change("PERSON#%d" % number, "WORDS#%d" % page, ["Words"], lambda item: edit(item["Words"]))

        words(104, 1, lambda words: words[2].__setitem__("w", "other"))
        words(109, 1, lambda words: words.reverse())
        self.change("PERSON#114", "WORDS#2", ["Page"], lambda item: item.__setitem__("Page", self.number("3")))
        self.drop("PERSON#119", "WORDS#2")
        self.expect("missing", "PERSON#119", "WORDS#2")
        self.store(dict(self.load("PERSON#124", "WORDS#2"), SK="WORDS#3"))
        self.expect("extra", "PERSON#124", "WORDS#3")
        self.move("PERSON#129", "WORDS#2", "WORDS#4")
        moved = self.load("PERSON#134", "WORDS#1")["Words"][2]  # from one page to the other
        words(134, 1, lambda words: words.pop())
        words(134, 2, lambda words: words.insert(0, moved))
        lists = [self.load("PERSON#139", "WORDS#%d" % page)["Words"] for page in (2, 1)]
        for page in (1, 2):
            self.change("PERSON#139", "WORDS#%d" % page, ["Words"],
                        lambda item: item.__setitem__("Words", lists.pop(0)))

    def change_distinct(self):
        self.change("SHADES", "w3", ["n"], lambda item: item.__setitem__("n", self.number("7")), "shades")
        self.drop("SHADES", "w4", "shades")
        self.expect("missing", "SHADES", "w4", (), "shades")
        self.store({"PK": "SHADES", "SK": "new", "n": self.number("1")}, "shades")
        self.expect("extra", "SHADES", "new", (), "shades")
        self.move("SHADES", "w5", "W5", "shades")
        self.duplicate("SHADES", "w6", "shades")

    def duplicate(self, pk, sk, table="people"):
        """Where a key holds one item, there is nothing to be done."""


class DocumentFiles(Documents, Mutations):
    """`item_of` and `line_of` are a line's and an item's; `key_of` is [PK, SK] of a line as it was read."""
    places = ("out", ".transhume")
    number = staticmethod(decimal.Decimal)

    def lines(self, table="people"):
        for folder, _, names in os.walk(self.path("out", table)):
            for name in sorted(names):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    yield os.path.join(folder, name), file.read().splitlines()

    def rewrite(self, pk, sk, items, table):
        """Puts the items in place of the one with that key, or adds them."""
        made = [self.line_of(item) for item in items]
        for path, lines in self.lines(table):
            left = [line for line in lines if self.key_of(line) != [pk, sk]]
            if len(left) < len(lines):
                lines = left + made
                made = []
            last = path
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(line + "\n" for line in lines)
        with open(last, "a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in made)

    def load(self, pk, sk, table="people"):
        for _, lines in self.lines(table):
            for line in lines:
                if self.key_of(line) == [pk, sk]:
                    return self.item_of(line)
        raise AssertionError("no %s %s" % (pk, sk))

    def store(self, item, table="people"):
        self.rewrite(item["PK"], item["SK"], [item], table)

    def drop(self, pk, sk, table="people"):
        self.rewrite(pk, sk, [], table)

    def duplicate(self, pk, sk, table="people"):
        self.rewrite(pk, sk, [self.load(pk, sk, table)] * 2, table)
        self.expect("extra", pk, sk, (), table)

    def restore(self):
        shutil.rmtree(self.path("out"))
        shutil.copytree(self.path("good"), self.path("out"))

    def test_all(self):
        make_documents(self.path("shop.db"))
        self.write("transhume.yaml", PLAN % (self.scheme + ":out", self.key, self.key))
        self.run_program("migrate")
        shutil.copytree(self.path("out"), self.path("good"))
        self.clean()
        self.run_all()
        self.restore()
        path, lines = next(self.lines())
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines[:-1]) + "\n" + lines[-1][:40])
        self.check("truncate", "people", {"missing": 1, "unreadable": 1})


class DynamodbJson(DocumentFiles):
    scheme, key = "dynamodb-json", DOCUMENT_KEY

    @staticmethod
    def bytes(value):
        return "B", base64.b64encode(value).decode()

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
        return {"S": value, "N": value, "B": ("B", value),
                "NULL": None}[kind] if kind != "N" else decimal.Decimal(value)

    def key_of(self, line):
        attributes = json.loads(line)["Item"]
        return [attributes[name].get("S") for name in ("PK", "SK")]

    def item_of(self, line):
        return {name: self.plain(value) for name, value in json.loads(line)["Item"].items()}

    def line_of(self, item):
        return json.dumps({"Item": {name: self.typed(value) for name, value in item.items()}})


class JsonlDocuments(DocumentFiles):
    """Numbers digit by digit, which Python's floats would not keep."""
    scheme, key = "jsonl", "[PK, SK]"
    new_field, new_field_named = {"missing": 1, "unreadable": 1}, []  # a line with a field of no column is none

    @staticmethod
    def bytes(value):
        return base64.b64encode(value).decode()

    def key_of(self, line):
        item = json.loads(line)
        return [item["PK"], item["SK"]]

    def item_of(self, line):
        return json.loads(line, parse_float=decimal.Decimal, parse_int=decimal.Decimal)

    def line_of(self, item):
        text = json.dumps(item, default=lambda number: "<digits %s>" % number)
        return re.sub('"<digits ([^>]*)>"', r"\1", text)


class Dynamodb(Documents, Mutations, dynamodb_case.DynamodbCase):
    places = ()
    number = staticmethod(decimal.Decimal)

    def environment(self):
        return self.aws

    bytes = bytes

    def load(self, pk, sk, table="people"):
        return self.tables[table].get_item(Key={"PK": pk, "SK": sk})["Item"]

    def store(self, item, table="people"):
        self.tables[table].put_item(Item=item)
        self.touched.append((table, item["PK"], item["SK"]))

    def drop(self, pk, sk, table="people"):
        self.touched.append((table, pk, sk))
        self.tables[table].delete_item(Key={"PK": pk, "SK": sk})

    def restore(self):
        for table, pk, sk in self.touched:
            if (table, pk, sk) in self.good:
                self.tables[table].put_item(Item=self.good[table, pk, sk])
            else:
                self.tables[table].delete_item(Key={"PK": pk, "SK": sk})
        self.touched.clear()

    def keep(self, table):
        page = {}
        while not page or "LastEvaluatedKey" in page:
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]} if page else {}
            page = self.tables[table].scan(**start)
            self.good.update({(table, item["PK"], item["SK"]): item for item in page["Items"]})

    def test_all(self):
        import boto3
        make_documents(self.path("shop.db"))
        self.write("transhume.yaml", PLAN % (self.uri(), DOCUMENT_KEY, DOCUMENT_KEY))
        self.aws = servers.aws_environment(self.folder)
        self.run_program("migrate", env=self.aws)
        database = boto3.resource("dynamodb", endpoint_url=self.server.endpoint, region_name="us-east-1",
                                  aws_access_key_id="test", aws_secret_access_key="test")
        self.touched, self.good = [], {}
        self.tables = {name: database.Table(name) for name in ("people", "shades")}
        for name in self.tables:
            self.keep(name)
        self.clean()
        self.run_all()
        item = self.load("PERSON#9", "PROFILE")
        item["name"], item["other"] = "changed", "new"
        self.store(item)
        self.drop("TOTALS", "word3")
        self.store({"PK": "TOTALS", "SK": "new", "n": 1})
        self.run_program("validate", "--repair", "--delete-extra", "--confirm", env=self.aws)
        self.clean()
        self.assertEqual(self.load("PERSON#9", "PROFILE"), self.good["people", "PERSON#9", "PROFILE"])
        self.assertEqual(self.load("TOTALS", "word3"), self.good["people", "TOTALS", "word3"])
        self.touched.clear()


def fields(**values):
    return {"M": values}


ONE, TWO, A, B, LONG_TEXT = {"N": "1"}, {"N": "2"}, {"S": "a"}, {"S": "b"}, str(LONG)
# An attribute of a document (None: it is not there), and what somebody makes of it.
TYPED = {
    "true and false": ({"BOOL": True}, {"BOOL": False}), "true and 1": ({"BOOL": True}, ONE),
    "false and null": ({"BOOL": False}, {"NULL": True}),
    "true and a text": ({"BOOL": True}, {"S": "true"}), "a number and a text": (ONE, {"S": "1"}),
    "a text and bytes": (A, {"B": "YQ=="}),
    "missing and empty": (None, {"S": ""}), "empty and missing": ({"S": ""}, None),
    "missing and null": (None, {"NULL": True}),
    "null and missing": ({"NULL": True}, None), "missing and an empty map": (None, fields()),
    "missing and an empty list": (None, {"L": []}),
    "an empty map and list": (fields(), {"L": []}), "bytes": ({"B": "AAE="}, {"B": "AAI="}),
    "empty bytes and text": ({"B": ""}, {"S": ""}),
    "a map's value": (fields(a=ONE, b=fields(c=A)), fields(a=ONE, b=fields(c=B))),
    "a map's true": (fields(a=fields(b={"BOOL": True})), fields(a=fields(b={"BOOL": False}))),
    "a map's type": (fields(a=ONE), fields(a={"S": "1"})), "a map's name": (fields(a=ONE), fields(A=ONE)),
    "a map's new field": (fields(a=ONE), fields(a=ONE, b=TWO)),
    "a map's lost field": (fields(a=ONE, b=TWO), fields(a=ONE)),
    "a map's null and nothing": (fields(a=ONE, b={"NULL": True}), fields(a=ONE)),
    "a map's fields swapped": (fields(a=ONE, b=TWO), fields(a=TWO, b=ONE)),
    "a list in a map": (fields(a={"L": [ONE, TWO]}), fields(a={"L": [TWO, ONE]})),
    "a map in a list": ({"L": [fields(a=ONE), fields(a=TWO)]}, {"L": [fields(a=ONE), fields(a=ONE)]}),
    "a list's true": ({"L": [{"BOOL": True}]}, {"L": [{"BOOL": False}]}),
    "a list's null and nothing": ({"L": [A, {"NULL": True}]}, {"L": [A]}),
    "a list one deeper": ({"L": [A]}, {"L": [{"L": [A]}]}),
    "SS, a member": ({"SS": ["a", "b"]}, {"SS": ["a", "c"]}), "SS, one more": ({"SS": ["a"]}, {"SS": ["a", "b"]}),
    "SS, one less": ({"SS": ["a", "b"]}, {"SS": ["a"]}),
    "SS, case": ({"SS": ["a", "b"]}, {"SS": ["a", "B"]}), "SS, a blank": ({"SS": ["a", "b"]}, {"SS": ["a", "b "]}),
    "NS, a member": ({"NS": ["1", "2"]}, {"NS": ["1", "3"]}), "NS, the last digit": ({"NS": ["1", LONG_TEXT]},
        {"NS": ["1", LONG_TEXT[:-1] + "8"]}),
    "NS, one less": ({"NS": ["1", "2"]}, {"NS": ["2"]}), "BS, a bit": ({"BS": ["AAE=", "AAI="]},
                                                                       {"BS": ["AAE=", "AAM="]}),
    "BS, one more": ({"BS": ["AA=="]}, {"BS": ["AA==", "AQ=="]}),
    "NS and SS": ({"NS": ["1", "2"]}, {"SS": ["1", "2"]}), "SS and BS": ({"SS": ["a"]}, {"BS": ["YQ=="]}),
    "a set and a list": ({"SS": ["a", "b"]}, {"L": [A, B]}),
    "a set in a map": (fields(a={"SS": ["a", "b"]}), fields(a={"SS": ["a", "c"]})),
    "a set in a list": ({"L": [{"NS": ["1"]}]}, {"L": [{"NS": ["2"]}]}),
}
SAME = {"order of SS": ({"SS": ["a", "b", "c"]}, {"SS": ["c", "a", "b"]}),
        "order of NS": ({"NS": ["1", "2"]}, {"NS": ["2", "1"]}),
        "order of BS": ({"BS": ["AA==", "AQ=="]}, {"BS": ["AQ==", "AA=="]}),
        "order of a map": (fields(a=ONE, b=TWO), fields(b=TWO, a=ONE)),
        "order of a set in a map": (fields(a={"SS": ["a", "b"]}), fields(a={"SS": ["b", "a"]}))}


class Typed(Mutations, dynamodb_case.DynamodbCase):
    """Every type of DynamoDB, nested ones too, in each target that keeps documents."""

    def environment(self):
        return servers.aws_environment(self.folder)

    @staticmethod
    def document(name, value):
        return dict({"id": {"S": name}, "other": {"S": "stays"}}, **({} if value is None else {"value": value}))

    def found_and_repaired(self, target, store, key="{ partition: id }"):
        both = dict(TYPED, **SAME)
        if not target.startswith("dynamodb:"):
            del both["order of a map"]  # which lines keep
        self.write("transhume.yaml", "transhume: 1\nsource: dynamodb-json:in\ntarget: %s\n"
                   "tables: { typed: { key: %s, from: typed, fields: { \"*\": copy, id: { column: id, "
                   "cast: text } } } }\n" % (target, key))
        self.write_json_folder("in", {"typed": [self.document(name, before) for name, (before, _) in both.items()]})
        self.run_program("migrate", "-q", env=self.environment())
        self.clean()
        store([self.document(name, after) for name, (_, after) in both.items()])
        self.check_each([("different", "typed", {"id": name}, ["value"]) for name in TYPED])
        self.run_program("validate", "--repair", env=self.environment())
        self.clean()

    def write_lines(self, line_of):
        def store(documents):
            name, = os.listdir(self.path("out", "typed"))
            with open(self.path("out", "typed", name), "w", encoding="utf-8") as file:
                file.writelines(line_of(document) + "\n" for document in documents)
        return store

    def test_dynamodb_json(self):
        self.found_and_repaired("dynamodb-json:out", self.write_lines(lambda document: json.dumps({"Item": document})))

    def test_jsonl(self):
        self.found_and_repaired("jsonl:out", self.write_lines(jsonl_value), "[id]")

    def test_dynamodb(self):
        self.found_and_repaired(self.uri(), lambda documents: items.put(self.client, "typed",
                                                                        map(boto_item, documents)))


def jsonl_value(value):
    """As docs/types/jsonl.md has it; of a whole document, too."""
    if not set(value) <= {"N", "S", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"}:
        return "{%s}" % ", ".join("%s: %s" % (json.dumps(name), jsonl_value(inner)) for name, inner in value.items())
    (letter, inner), = value.items() or [("M", {})]
    if letter in ("SS", "NS", "BS"):
        return '{"$set": [%s]}' % ", ".join(jsonl_value({letter[0]: member}) for member in inner)
    if letter == "M":
        return jsonl_value(inner) if inner else "{}"
    return {"N": str, "S": json.dumps, "B": lambda text: json.dumps({"$bytes": text}), "BOOL": json.dumps,
            "NULL": lambda _: "null",
            "L": lambda members: "[%s]" % ", ".join(map(jsonl_value, members))}[letter](inner)


def boto_item(value):
    """Bytes as boto3 wants them."""
    if isinstance(value, dict):
        return {name: base64.b64decode(inner) if name == "B" else [base64.b64decode(one) for one in inner]
                if name == "BS" else boto_item(inner)
                for name, inner in value.items()}
    return [boto_item(inner) for inner in value] if isinstance(value, list) else value


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

    def edit(self, what, table, is_it, change, count=1):
        """`change` makes lines of each of the first `count` lines that it is."""
        shutil.rmtree(self.path("out"))
        shutil.copytree(self.path("good"), self.path("out"))
        found = 0
        for path, lines in list(self.lines(table)):
            changed = []
            for line in lines:
                hit = found < count and is_it(line)
                found += hit
                changed += change(line) if hit else [line]
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.write("\n".join(changed))
        self.assertEqual(found, count, what)

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
        self.edit("move a key", "word", lambda line: "word7" in line, lambda line: [line.replace("word7", "Word7")])
        self.check("move a key", "word", {"missing": 1, "extra": 1}, {"w": "Word7"})
        self.swap("swap two", "person", self.begins % 5, self.begins % 6)
        self.check("swap two", "person", {"different": 2}, {"id": 5},
                   2 * ["name", "score", "price", "photo", "any_kind"])
        self.swap("swap a field of two", "word", self.begins_word % 5, self.begins_word % 6)
        self.check("swap a field of two", "word", {"different": 2}, {"w": "word5"}, ["n", "n"])

    def swap(self, what, table, one, two):
        """What begins with one key has the other, and the other way round."""
        other = {one: two, two: one}
        starts = [one, two]

        def is_it(line):
            return line.startswith((one, two))

        def change(line):
            start, = (start for start in starts if line.startswith(start))
            return [other[start] + line[len(start):]]
        self.edit(what, table, is_it, change, count=2)


class Csv(Files):
    scheme = "csv"
    begins, begins_word = "%d,", "word%d,"

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
        self.replace("truncate", ACCENT, "caf", ["name"])
        self.replace("truncate bytes", "\\x00313537", "\\x00", ["photo"])
        self.replace("a float's last bit", "19.625", "19.625000000000004", ["score"])
        self.replace("empty for null", "1e0,", '1e0,""', ["note"], VICTIM + 1)
        self.replace("'1' for 1", ",1,", ',"1",', ["any_kind"])
        self.replace("1.0 for 1", ",1,", ",1e0,", ["any_kind"])
        self.replace("1 for 1.0", "1e0", "1", ["any_kind"], VICTIM + 1)
        self.replace("0.0 for -0.0", "-0e0", "0e0", ["any_kind"], VICTIM + 2)
        self.replace("null for 1", ",1,", ",,", ["any_kind"])


class Jsonl(Files):
    scheme = "jsonl"
    begins, begins_word = '{"id":%d,', '{"w":"word%d",'

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
        self.replace("1.0 and 1", '"any_kind":1e0', '"any_kind":1', ["any_kind"], VICTIM + 1)
        self.replace("-0.0 and 0.0", '"any_kind":-0', '"any_kind":0', ["any_kind"], VICTIM + 2)
        self.replace("'1' and 1", '"any_kind":"1"', '"any_kind":1', ["any_kind"], VICTIM + 3)
        self.replace("1 and null", '"any_kind":1', '"any_kind":null', ["any_kind"])
        self.replace("truncate", ACCENT, "caf", ["name"])
        self.replace("truncate bytes", "ADE1Nw==", "AA==", ["photo"])
        self.replace("bytes", "ADE1Nw==", "ADE1OA==", ["photo"])
        self.replace("a float's last bit", "19.625", "19.625000000000004", ["score"])
        self.replace("missing for null", ',"note":null', "", ["note"], VICTIM + 1)
        self.replace("empty for null", '"note":null', '"note":""', ["note"], VICTIM + 1)
        self.replace("the last digit of 38", str(LONG), str(LONG)[:-1] + "8", ["note"], VICTIM + 2)


class Unnested(mutation_case.Unnested):
    def test_rows_of_a_database(self):
        self.migrate("sqlite:copy.db", "text")
        db = sqlite3.connect(self.path("copy.db"))
        db.executescript(self.statements())
        db.close()
        self.found_and_repaired()

    def test_lines_of_files(self):
        self.migrate("csv:out", "decimal(38,0)")
        rows = {}
        for table, width, row, _ in self.changes():
            rows.setdefault(table, {})[",".join(map(str, row[:width])) + ","] = row if len(row) > width else None
        for table, changed in rows.items():
            name, = os.listdir(self.path("out", table))
            with open(self.path("out", table, name), encoding="ascii") as file:
                lines = [line for line in file if not line.startswith(tuple(changed))]
            lines += [",".join("" if cell is None else str(cell) for cell in row) + "\n" for row in changed.values()
                      if row is not None]
            with open(self.path("out", table, name), "w", encoding="ascii") as file:
                file.writelines(lines)
        self.found_and_repaired()


del DocumentFiles, Files, Mutations
