"""Validation of what plans make of other records than one row, whatever the source: its joins are its own (SQLite,
servers) or the
program's (files, DynamoDB). Clean as it was copied, and what somebody else changed in the target is named, with its
field.
"""
import decimal
import random
import sqlite3
import unittest

import engines
import other_hands
import support
import test_plan_constructs as constructs
from test_validate_pairs import Places

# MariaDB is here for MySQL too. Redis, MongoDB and OpenSearch are not among them yet: their own tests are
# system/test_redis, test_mongodb and test_opensearch.
KINDS = [engine.NAME for engine in engines.all() if engine.PAIRED
         and engine.NAME not in ("toy", "mysql9", "redis", "mongodb", "opensearch")]

JOINED = ("csv", "jsonl", "dynamodb-json", "dynamodb")
TABULAR = ("sqlite", "postgres", "mysql", "cassandra", "csv")
PEOPLE = 20

# What makes the source: tables as they are, and the lines of each sale as a list.
BEGIN = """
  person: { key: KEY(id), from: person, fields: { "*": copy } }
  sale: { key: KEY(id), from: sale, fields: { "*": copy } }
  item: { key: KEY(id), from: item, fields: { "*": copy } }
  product: { key: KEY(id), from: product, fields: { "*": copy } }
  basket:
    key: KEY(id)
    from: sale
    fields: { id: copy, day: copy, lines: { embed: item, fields: { id: copy, quantity: copy, price: copy } } }
"""
PLAN = """
  people:
    key: KEY(Id)
    entities:
      person:
        from: person
        where: "id > 4"
        fields:
          Id: "P{id}"
          Name: { column: name, cast: text }
          Boss: { lookup: person, column: name, cast: text }
          Sales: { aggregate: sale, value: count(*) }
          Spent: { aggregate: sale, value: sum(total), cast: "decimal(12,2)", lossy: allow }
          Often: { const: "yes", when: "Sales > 2" }
          Items:
            embed: sale.item
            order: price
            when: "Sales <= 2"
            fields: { id: { column: id, cast: int64 }, price: { column: price, cast: "decimal(10,2)", lossy: allow },
                      Title: { lookup: product, column: title, cast: text } }
  pages:
    key: KEY(Person, Page)
    entities:
      page:
        pages: person.Items
        size: 2
        when: "Sales > 2"
        fields: { Person: { column: id, cast: int64 }, Page: { column: $page, cast: int64 }, Items: { column: $list } }
  days:
    key: KEY(Day)
    from: sale
    distinct: true
    fields: { Day: { column: day, cast: text } }
  lines:
    key: KEY(Basket, Nr)
    from: basket
    unnest: lines
    fields:
      Basket: { column: $parent.id, cast: int64 }
      Nr: { column: $ordinal, cast: int64 }
      Item: { column: id, cast: int64 }
      Quantity: { column: quantity, cast: int64 }
      Price: { column: price, cast: "decimal(10,2)", lossy: allow }

relations:
  person: { boss: person.id }
  sale: { person: person.id }
  item: { sale: sale.id, product: product.id }
"""


def plan_of(tables, source, target):
    """KEY in the words of the target."""
    text = constructs.plan_text(tables, "sqlite" if not target.startswith("dynamodb") else "dynamodb")
    return text.replace("sqlite:shop.db", source, 1).replace("target: " + ("dynamodb" if target.startswith("dynamodb")
                                                                           else "sqlite"), "target: " + target, 1)


class Constructs(Places):
    def copy(self, state, tables, source, target):
        plan = self.write(state + ".yaml", plan_of(tables, source, target))
        self.run_program("migrate", "-q", "--state", state, "--plan", plan, "--chunk-rows", "13")

    def found(self, state, expected):
        """At both levels: exactly these (kind, table, key, fields)."""
        for level in ("hash", "full"):
            report = self.validate("--state", state, "--level", level, code=1 if expected else 0)
            self.assertCountEqual([(record["kind"], record["table"], record["key"],
                                    [field["name"] for field in record.get("fields", ())])
                                   for record in report["records"]], expected, level)
        return report

    def other_hands(self, kind, name):
        return other_hands.place(kind, self.path, name, self.running.get(kind))


class Joined(Constructs):
    def damage(self, place):
        """Changes a field of each construct, and records; what has to be found."""
        shop = constructs.Shop(self.path("shop.db"))
        lists = shop.rows("SELECT p.id, (SELECT count(*) FROM sale WHERE person = p.id) > 2 AS paged, "
                          "count(i.id) AS items "
                          "FROM person p JOIN sale s ON s.person = p.id JOIN item i ON i.sale = s.id WHERE p.id > 4 "
                          "GROUP BY p.id ORDER BY p.id")
        many = shop.rows("SELECT sale, count(*) AS n FROM item GROUP BY sale HAVING count(*) > 1 ORDER BY sale")
        day = shop.one("SELECT min(day) FROM sale")
        shop.db.close()
        short = [{"Id": "P%d" % row["id"]} for row in lists if not row["paged"] and row["items"] > 1]
        pages = [{"Person": row["id"], "Page": 1} for row in lists if row["paged"] and row["items"] > 2]
        self.assertTrue(len(short) > 3 and len(pages) > 1, (len(short), len(pages)))
        lines = [{"Basket": row["sale"], "Nr": 1} for row in many]
        changes = [("people", {"Id": "P40"}, "Name", lambda value: value + " "),
                   ("people", {"Id": "P38"}, "Boss", str.upper),
                   ("people", {"Id": "P36"}, "Spent", lambda value: "77.01"),
                   ("people", short[0], "Items", lambda value: value[:-1]),
                   ("people", short[1], "Items", lambda value: value[1:] + value[:1]),
                   ("people", short[2], "Items", lambda value: [dict(value[0], id=value[0]["id"] + 1), *value[1:]]),
                   ("people", short[3], "Items", lambda value: value + value[-1:]),
                   ("pages", pages[0], "Items", lambda value: value[:1] + [dict(value[1], price=value[1]["price"] + 1)]
                    + value[2:]),
                   ("lines", lines[0], "Price", lambda value: "77.01"),
                   ("lines", lines[1], "Quantity", lambda value: None)]
        for table, key, field, make in changes:
            place.change(table, key, field, make)
        removed = [("pages", dict(pages[1], Page=2)), ("days", {"Day": day}), ("lines", lines[2])]
        for table, key in removed:
            place.remove(table, key)
        added = [("people", short[0], {"Id": "P2"}), ("lines", lines[3], {"Basket": lines[3]["Basket"], "Nr": 99}),
                 ("pages", pages[0], dict(pages[0], Page=99))]
        for table, key, other in added:
            place.add(table, key, other)
        return ([("different", table, key, [field]) for table, key, field, _ in changes] +
                [("missing", table, key, []) for table, key in removed] + [("extra", table, other, [])
                                                                           for table, _, other in added])

    def from_kind(self, source):
        constructs.make_shop(self.path("shop.db"), PEOPLE)
        first, _ = self.place(source, "source")
        self.copy("begin", BEGIN, "sqlite:shop.db", first)
        draw = random.Random("%d %s" % (support.SEED, source))
        for target in KINDS if support.SOAK else draw.sample(KINDS, 2):
            with self.subTest(source=source, target=target, seed=support.SEED):
                second, name = self.place(target, "target")
                self.copy(target, PLAN, first, second)
                self.found(target, [])
                self.found(target, self.damage(self.other_hands(target, name)))
                self.run_program("validate", "--state", target, "--repair", "--delete-extra", "--confirm")
                self.found(target, [])

    def test_from_cassandra(self):
        self.from_kind("cassandra")

    def test_from_csv(self):
        self.from_kind("csv")

    def test_from_jsonl(self):
        self.from_kind("jsonl")

    def test_from_dynamodb_json(self):
        self.from_kind("dynamodb-json")

    def test_from_dynamodb(self):
        self.from_kind("dynamodb")


def at_first(**fields):
    """The first element with other fields; without those that are said to be ... (dots)."""
    def make(elements):
        first = {name: value for name, value in dict(elements[0], **fields).items() if value is not ...}
        return [first, *elements[1:]]
    return make


class Lists(Constructs):
    """Lists that `embed` puts into a column, as JSON: somebody changes an element, the order, or how many there are."""
    PLAN = """
  parent:
    key: KEY(id)
    from: parent
    fields: { id: { column: id, cast: int64 }, Parts: { embed: part, order: n, fields: { n: copy, w: copy, price: copy, d: copy } } }
"""
    CHANGES = {
        "an element's number": at_first(n=7), "its text": at_first(w="x1"), "case": at_first(w="W1"),
        "a blank": at_first(w="w1 "),
        "NFC and NFD": at_first(w="cafe\u0301"), "a cent": at_first(price=decimal.Decimal("0.11")),
        "a number and a text": at_first(n="1"), "1 and 1.0": at_first(n=decimal.Decimal("1.0")),
        "a text and nothing": at_first(w=None), "a field is lost": at_first(w=...), "a field more": at_first(other=1),
        "empty and null": at_first(w=""), "the last digit of 17": at_first(d=decimal.Decimal("0.30000000000000001")),
        "order": lambda elements: elements[::-1], "removed": lambda elements: elements[:-1],
        "the first removed": lambda elements: elements[1:], "added": lambda elements: elements
        + [dict(elements[0], n=99)],
        "twice": lambda elements: elements + elements[-1:], "all removed": lambda elements: [],
        "an element of another type": lambda elements: [*elements[:-1], "w"],
        "one deeper": lambda elements: [elements], "fields swapped": lambda elements: [dict(elements[0],
            n=elements[1]["n"]), dict(elements[1], n=elements[0]["n"])],
    }

    def test_lists_in_columns(self):
        support.make_sqlite(self.path("shop.db"), "CREATE TABLE parent(id INTEGER PRIMARY KEY);"
                            "CREATE TABLE part(parent INTEGER REFERENCES parent(id), "
                            "n INTEGER, w TEXT, price NUMERIC(10,2), d REAL, PRIMARY KEY (parent, n));")
        db = sqlite3.connect(self.path("shop.db"))
        db.executemany("INSERT INTO parent VALUES (?)", [(i,) for i in range(60)])
        db.executemany("INSERT INTO part VALUES (?,?,?,?,?)", [(i, n, "caf\u00e9" if i == 4 else "w%d" % n, n / 10,
                                                                0.1 + 0.2) for i in range(60) for n in (1, 2)])
        db.commit()
        db.close()
        for target in TABULAR:
            with self.subTest(target=target):
                second, name = self.place(target, "target")
                self.copy(target, self.PLAN, "sqlite:shop.db", second)
                self.found(target, [])
                place = self.other_hands(target, name)
                for at, make in enumerate(self.CHANGES.values()):
                    place.change("parent", {"id": at}, "Parts", make)
                self.found(target, [("different", "parent", {"id": at}, ["Parts"]) for at in range(len(self.CHANGES))])
                self.run_program("validate", "--state", target, "--repair")
                self.found(target, [])


if __name__ == "__main__":
    unittest.main()
