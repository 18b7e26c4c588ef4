"""Each construct of the plan language through copy, kill and resume, into tables and into items.

What must arrive is computed here, by SQL and Python over the source.
"""
import collections
import contextlib
import decimal
import json
import os
import random
import re
import shutil
import sqlite3
import unittest

import statements
import support
from chinook_expected import item_of

PEOPLE = 60
CHUNK_ROWS = 7
TARGETS = ("sqlite:copy.db", "dynamodb-json:out")

SHOP = """
CREATE TABLE region(code TEXT NOT NULL, zone INTEGER NOT NULL, name TEXT, PRIMARY KEY (code, zone)) WITHOUT ROWID;
CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT NOT NULL, boss INTEGER REFERENCES person(id), nick TEXT,
    region_code TEXT, region_zone INTEGER, FOREIGN KEY (region_code, region_zone) REFERENCES region(code, zone));
CREATE TABLE sale(id INTEGER PRIMARY KEY, person INTEGER REFERENCES person(id), day TEXT, total NUMERIC(10,2));
CREATE TABLE product(id INTEGER PRIMARY KEY, title TEXT NOT NULL, maker TEXT);
CREATE TABLE item(id INTEGER PRIMARY KEY, sale INTEGER NOT NULL REFERENCES sale(id),
    product INTEGER REFERENCES product(id), quantity INTEGER, price NUMERIC(10,2));
CREATE INDEX item_sale ON item(sale);
CREATE TABLE maker(short TEXT NOT NULL UNIQUE, long TEXT);
CREATE TABLE visit(who INTEGER, place TEXT);
CREATE VIEW busy AS SELECT p.id, p.name, count(s.id) AS sales FROM person p LEFT JOIN sale s ON s.person = p.id GROUP BY p.id;
"""


def make_shop(path, people=PEOPLE):
    """Nullable and dangling-free references, a tree of bosses, lists of 0 to many rows, no two sorted alike."""
    numbers = random.Random(11)
    db = sqlite3.connect(path)
    db.executescript(SHOP)
    regions = [("%s%s" % (a, b), zone) for a in "abc" for b in "xy" for zone in (1, 2)]
    db.executemany("INSERT INTO region VALUES (?, ?, ?)",
                   [(code, zone, None if zone == 2 and code == "ax" else "%s-%d" % (code, zone))
                    for code, zone in regions])
    for i in range(1, people + 1):
        region = regions[i % len(regions)] if i % 5 else (None, None)
        db.execute("INSERT INTO person VALUES (?, ?, ?, ?, ?, ?)",
                   (i * 2, "p\u00e9rson {%d}" % i, (i // 3) * 2 or None, "nick%d" % i if i % 4 else None, *region))
    db.executemany("INSERT INTO product VALUES (?, ?, ?)",
                   [(i, "title %d" % i, "m%d" % (i % 4) if i % 6 else None) for i in range(1, 21)])
    db.executemany("INSERT INTO maker VALUES (?, ?)", [("m%d" % i, "Maker %d" % i) for i in range(3)])
    item = 0
    for i in range(1, people * 2 + 1):
        person = None if i % 9 == 0 else numbers.randint(1, people) * 2
        db.execute("INSERT INTO sale VALUES (?, ?, ?, ?)",
                   (i, person, "2024-%02d-%02d" % (i % 12 + 1, i % 28 + 1), numbers.randrange(100000) / 100))
        for _ in range(0 if i % 7 == 0 else 12 if i == 20 else i % 4):
            item += 1
            db.execute("INSERT INTO item VALUES (?, ?, ?, ?, ?)",
                       (item * 3 % 100003, i, None if item % 5 == 0 else numbers.randint(1, 20),
                        None if item % 8 == 0 else numbers.randint(1, 5), numbers.randrange(1000) / 100))
    db.executemany("INSERT INTO visit VALUES (?, ?)",
                   [(numbers.randint(1, people) * 2, "place %d" % i) for i in range(people * 2)])
    db.commit()
    db.close()
    return path


class Shop:
    def __init__(self, path):
        self.db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
        self.db.row_factory = sqlite3.Row

    def rows(self, sql, *parameters):
        return [dict(row) for row in self.db.execute(sql, parameters)]

    def one(self, sql, *parameters):
        row = self.db.execute(sql, parameters).fetchone()
        return row[0] if row else None

    def total(self, sql, *parameters):
        """The exact sum."""
        return sum((decimal.Decimal(repr(value)) for (value,) in self.db.execute(sql, parameters) if value is not None),
                   decimal.Decimal(0))


Construct = collections.namedtuple("Construct", "name plan expect spans rejected")
CONSTRUCTS = []


def construct(plan, spans=True, rejected=0):
    """A plan's entities (`tables` below `entities:`) with the function that tells what they make: {table: [record]}."""
    def keep(expect):
        CONSTRUCTS.append(Construct(expect.__name__, plan, expect, spans, rejected))
        return expect
    return keep


@construct("""
  people:
    key: KEY(Id)
    from: person
    fields:
      "*": copy
      id: { drop: true }
      Id: { column: id, cast: text }
      Kind: { const: Person }
      Level: { const: 1.50 }
      nick: { column: nick, default: none }
      boss: { column: boss, when: "boss > 10" }
      Label: "{{{name}}} no. {id:06}"
""")
def fields_of_one_row(shop):
    return {"people": [{
        "Id": str(row["id"]), "name": row["name"], "region_code": row["region_code"], "region_zone": row["region_zone"],
        "Kind": "Person", "Level": decimal.Decimal("1.5"), "nick": row["nick"] or "none",
        "boss": row["boss"] if (row["boss"] or 0) > 10 else None, "Label": "{%s} no. %06d" % (row["name"], row["id"]),
    } for row in shop.rows("SELECT * FROM person")]}


@construct("""
  sales:
    key: KEY(Id)
    from: sale
    where: "total > 300 AND person IS NOT NULL"
    fields:
      Id: { column: id }
      Whole: { column: total, cast: "decimal(10,0)", lossy: allow }
      Year: { sql: "substr(day, 1, 4)", cast: int64 }
      Tax: { sql: "total * 0.19", cast: "decimal(10,2)", lossy: allow }
""")
def conditions_casts_and_expressions(shop):
    def rounded(value, digits):
        return decimal.Decimal(value).quantize(decimal.Decimal(1).scaleb(-digits), decimal.ROUND_HALF_EVEN)
    return {"sales": [{
        "Id": row["id"], "Whole": rounded(repr(row["total"]), 0), "Year": 2024,
        "Tax": rounded(repr(row["total"] * 0.19), 2),
    } for row in shop.rows("SELECT * FROM sale WHERE total > 300 AND person IS NOT NULL")]}


@construct("""
  items:
    key: KEY(Id)
    from: item
    fields:
      Id: { column: id }
      Title: { lookup: product, column: title }
      Day: { lookup: sale, column: day }
      Buyer: { lookup: sale.person, value: "{name} of {region_code}" }
      Chief: { lookup: sale.person.person, column: nick }
""")
def lookups_through_nullable_keys(shop):
    rows = shop.rows("SELECT i.id, t.title, s.day, p.name, p.region_code, b.nick FROM item i JOIN sale s ON s.id "
                     "= i.sale"
                     " LEFT JOIN product t ON t.id = i.product LEFT JOIN person p ON p.id = s.person"
                     " LEFT JOIN person b ON b.id = p.boss")
    return {"items": [{
        "Id": row["id"], "Title": row["title"], "Day": row["day"], "Chief": row["nick"],
        "Buyer": "%s of %s" % (row["name"], row["region_code"]) if row["name"] and row["region_code"] else None,
    } for row in rows]}


@construct("""
  people:
    key: KEY(Id)
    from: person
    fields:
      Id: { column: id }
      Boss: { lookup: person, column: name }
      Grand: { lookup: person.person, column: name }
      Reports: { aggregate: person, value: count(*) }
      Team: { embed: person, order: [nick desc], fields: { id: copy, nick: copy } }
""")
def a_table_that_refers_to_itself(shop):
    return {"people": [{
        "Id": row["id"], "Boss": shop.one("SELECT name FROM person WHERE id = ?", row["boss"]),
        "Grand": shop.one("SELECT g.name FROM person b JOIN person g ON g.id = b.boss WHERE b.id = ?", row["boss"]),
        "Reports": shop.one("SELECT count(*) FROM person WHERE boss = ?", row["id"]),
        "Team": shop.rows("SELECT id, nick FROM person WHERE boss = ? ORDER BY nick DESC, id", row["id"]),
    } for row in shop.rows("SELECT * FROM person")]}


@construct("""
  people:
    key: KEY(Id)
    from: person
    fields: { Id: { column: id }, Region: { lookup: region, column: name } }
  regions:
    key: KEY(code, zone)
    from: region
    fields:
      code: copy
      zone: copy
      People: { aggregate: person, value: count(*) }
      Names: { embed: person, order: name, fields: { name: copy } }
      Sold: { aggregate: person.sale, value: sum(total) }
""")
def composite_foreign_keys(shop):
    of_region = "FROM person p WHERE region_code = ? AND region_zone = ?"
    return {
        "people": shop.rows("SELECT p.id AS Id, r.name AS Region FROM person p LEFT JOIN region r"
                            " ON r.code = p.region_code AND r.zone = p.region_zone"),
        "regions": [{
            "code": code, "zone": zone, "People": shop.one("SELECT count(*) " + of_region, code, zone),
            "Names": shop.rows("SELECT name " + of_region + " ORDER BY name, id", code, zone),
            "Sold": shop.total("SELECT total FROM sale WHERE person IN (SELECT id " + of_region + ")", code, zone),
        } for code, zone in map(tuple, shop.db.execute("SELECT code, zone FROM region"))]}


@construct("""
  products:
    key: KEY(Id)
    from: product
    fields: { Id: { column: id }, Maker: { lookup: maker, match: { short: maker }, column: long } }
  people:
    key: KEY(Id)
    from: person
    fields:
      Id: { column: id }
      Visits: { embed: visit, match: { who: id }, fields: { place: copy } }
      Count: { aggregate: visit, match: { who: id }, value: count(*) }
""")
def matches_without_foreign_keys(shop):
    return {
        "products": shop.rows("SELECT p.id AS Id, m.long AS Maker FROM product p LEFT JOIN maker m ON m.short "
                              "= p.maker"),
        "people": [{
            "Id": row["id"], "Visits": shop.rows("SELECT place FROM visit WHERE who = ? ORDER BY rowid", row["id"]),
            "Count": shop.one("SELECT count(*) FROM visit WHERE who = ?", row["id"]),
        } for row in shop.rows("SELECT id FROM person")]}


@construct("""
  people:
    key: KEY(Id)
    from: person
    fields:
      Id: { column: id }
      Sales: { aggregate: sale, value: count(*) }
      Spent: { aggregate: sale, value: sum(total) }
      First: { aggregate: sale, value: min(day) }
      Last: { aggregate: sale, value: max(day) }
      Most: { aggregate: sale, value: max(total) }
      Counted: { aggregate: sale.item, value: count(quantity) }
      Pieces: { aggregate: sale.item, value: sum(quantity) }
      Makers: { aggregate: sale.item.product, value: count(distinct maker) }
      Products: { aggregate: sale.item.product, value: count(*) }
      Often: { const: true, when: "Sales > 2" }
      Note: "{Sales} since {First}"
""")
def aggregates_along_paths(shop):
    def person(number):
        sales = "FROM sale WHERE person = ?"
        items = "FROM sale s JOIN item i ON i.sale = s.id WHERE s.person = ?"
        products = "FROM sale s JOIN item i ON i.sale = s.id JOIN product t ON t.id = i.product WHERE s.person = ?"
        count, first = shop.db.execute("SELECT count(*), min(day) " + sales, (number,)).fetchone()
        most = shop.one("SELECT max(total) " + sales, number)
        return {
            "Id": number, "Sales": count, "Spent": shop.total("SELECT total " + sales, number), "First": first,
            "Last": shop.one("SELECT max(day) " + sales, number),
            "Most": None if most is None else decimal.Decimal(repr(most)),
            "Counted": shop.one("SELECT count(quantity) " + items, number),
            "Pieces": shop.one("SELECT coalesce(sum(quantity), 0) " + items, number),
            "Makers": shop.one("SELECT count(DISTINCT maker) " + products, number),
            "Products": shop.one("SELECT count(*) " + products, number),
            "Often": True if count > 2 else None, "Note": "%d since %s" % (count, first) if first else None,
        }
    return {"people": [person(number) for (number,) in shop.db.execute("SELECT id FROM person")]}


@construct("""
  sales:
    key: KEY(Id)
    from: sale
    fields:
      Id: { column: id }
      Items:
        embed: item
        order: [quantity desc, price]
        where: "price > 2"
        when: "id <> 5"
        fields:
          "*": copy
          sale: { drop: true }
          Title: { lookup: product, column: title }
          Label: "{quantity} of {Title}"
          Cheap: { const: "yes", when: "price < 5" }
      Titles: { embed: item.product, fields: { title: copy } }
""")
def lists_in_order(shop):
    def items(number):
        rows = shop.rows("SELECT i.*, t.title FROM item i LEFT JOIN product t ON t.id = i.product WHERE sale = ?"
                         " AND price > 2 ORDER BY quantity DESC, price, i.id", number)
        return [{
            "id": row["id"], "product": row["product"], "quantity": row["quantity"],
            "price": decimal.Decimal(repr(row["price"])), "Title": row["title"],
            "Label": "%d of %s" % (row["quantity"], row["title"]) if row["quantity"] and row["title"] else None,
            "Cheap": "yes" if row["price"] < 5 else None,
        } for row in rows]
    return {"sales": [{
        "Id": number, "Items": None if number == 5 else items(number),
        "Titles": shop.rows("SELECT title FROM item i JOIN product t ON t.id = i.product WHERE sale = ? ORDER BY i.id",
                            number),
    } for (number,) in shop.db.execute("SELECT id FROM sale")]}


@construct("""
  shop:
    key: KEY(PK, SK)
    entities:
      person:
        from: person
        where: "id > 20"
        fields:
          PK: "P#{id}"
          SK: PROFILE
          Count: { aggregate: sale.item, value: count(*) }
          Items: { embed: sale.item, order: price, when: "Count <= 5", fields: { id: copy, price: copy } }
      person_page:
        pages: person.Items
        size: 3
        when: "Count > 5"
        fields:
          PK: "P#{id}"
          SK: "ITEMS#{$page}"
          Page: { column: $page }
          Items: { column: $list }
""")
def pages_beside_short_lists(shop):
    records = []
    for (number,) in shop.db.execute("SELECT id FROM person WHERE id > 20"):
        items = [{"id": key, "price": decimal.Decimal(repr(price))} for key, price in shop.db.execute(
            "SELECT i.id, price FROM sale s JOIN item i ON i.sale = s.id WHERE s.person = ? ORDER BY price, s.id, i.id",
            (number,))]
        records.append({"PK": "P#%d" % number, "SK": "PROFILE", "Count": len(items),
                        "Items": items if len(items) <= 5 else None})
        for page in range((len(items) + 2) // 3 if len(items) > 5 else 0):
            records.append({"PK": "P#%d" % number, "SK": "ITEMS#%d" % (page + 1), "Page": page + 1,
                            "Items": items[3 * page:3 * page + 3]})
    return {"shop": records}


@construct("""
  buyers:
    key: KEY(who)
    entities:
      buyer:
        query: "SELECT person AS who, count(*) AS n FROM sale WHERE person IS NOT NULL GROUP BY person ORDER BY person"
        key: [who]
        fields:
          "*": copy
          Name: { lookup: person, match: { id: who }, column: name }
          Days: { embed: sale, match: { person: who }, order: day, fields: { day: copy } }
          Spent: { aggregate: sale, match: { person: who }, value: sum(total) }
""", spans=False)
def queries_with_lists(shop):
    return {"buyers": [{
        "who": row["who"], "n": row["n"], "Name": shop.one("SELECT name FROM person WHERE id = ?", row["who"]),
        "Days": shop.rows("SELECT day FROM sale WHERE person = ? ORDER BY day, id", row["who"]),
        "Spent": shop.total("SELECT total FROM sale WHERE person = ?", row["who"]),
    } for row in shop.rows("SELECT person AS who, count(*) AS n FROM sale WHERE person IS NOT NULL GROUP BY person")]}


@construct("""
  busy:
    key: KEY(Id)
    from: busy
    where: "sales > 1"
    fields:
      Id: { column: id, cast: int64 }
      Text: "{name}: {sales}"
      Region: { lookup: person, match: { id: id }, column: region_code }
""", spans=False)
def views_as_roots(shop):
    return {"busy": [{
        "Id": row["id"], "Text": "%s: %d" % (row["name"], row["sales"]),
        "Region": shop.one("SELECT region_code FROM person WHERE id = ?", row["id"]),
    } for row in shop.rows("SELECT * FROM busy WHERE sales > 1")]}


@construct("""
  catalog:
    key: KEY(PK, SK)
    entities:
      product: { from: product, fields: { PK: "T#{id}", SK: ABOUT, title: copy } }
      made: { from: product, where: "maker IS NOT NULL", fields: { PK: "M#{maker}", SK: "T#{id:03}", title: copy } }
      item: { from: item, where: "product IS NOT NULL", fields: { PK: "T#{product}", SK: "I#{id}", quantity: copy } }
  titles:
    key: KEY(title)
    from: product
    fields: { title: copy }
""")
def one_table_feeds_many_entities(shop):
    products = shop.rows("SELECT * FROM product")
    return {
        "catalog": [{"PK": "T#%d" % row["id"], "SK": "ABOUT", "title": row["title"]} for row in products] +
                   [{"PK": "M#%s" % row["maker"], "SK": "T#%03d" % row["id"], "title": row["title"]}
                    for row in products if row["maker"] is not None] +
                   [{"PK": "T#%d" % row["product"], "SK": "I#%d" % row["id"], "quantity": row["quantity"]}
                    for row in shop.rows("SELECT * FROM item WHERE product IS NOT NULL")],
        "titles": [{"title": row["title"]} for row in products]}


@construct("""
  bosses:
    key: KEY(Id)
    from: person
    fields:
      Id: { column: id }
      team:
        embed: person
        order: [name desc]
        fields:
          name: copy
          sales:
            embed: sale
            order: [total desc, id]
            where: "total > 300"
            fields: { id: copy, items: { embed: item, when: "day > '2024-06'", order: [quantity, id], fields: { id: copy, title: { lookup: product, column: title } } } }
          region: { lookup: region, column: name }
""")
def lists_within_lists(shop):
    def items(sale):
        return [{"id": row["id"], "title": row["title"]} for row in shop.rows(
            "SELECT item.id, title FROM item LEFT JOIN product ON product.id = product WHERE sale = ? ORDER BY "
            "quantity, item.id", sale)]

    def sales(person):
        return [{"id": row["id"], "items": items(row["id"]) if row["day"] > "2024-06" else None} for row in shop.rows(
            "SELECT * FROM sale WHERE person = ? AND total > 300 ORDER BY total DESC, id", person)]

    def team(boss):
        return [{"name": row["name"], "sales": sales(row["id"]), "region": shop.one(
            "SELECT name FROM region WHERE code = ? AND zone = ?", row["region_code"], row["region_zone"])}
            for row in shop.rows("SELECT * FROM person WHERE boss = ? ORDER BY name DESC", boss)]
    return {"bosses": [{"Id": row["id"], "team": team(row["id"])} for row in shop.rows("SELECT id FROM person")]}


@construct("""
  nicks:
    key: KEY(Nick)
    from: person
    fields: { Nick: "N#{nick}", name: copy }
""", rejected=PEOPLE // 4)
def nulls_in_keys(shop):
    return {"nicks": [{"Nick": "N#" + row["nick"], "name": row["name"]}
                      for row in shop.rows("SELECT * FROM person WHERE nick IS NOT NULL")]}


def plan_text(plan, target):
    """KEY(A, B) in the words of the target."""
    def key(match):
        names = match.group(1).split(", ")
        if target.startswith("sqlite"):
            return "[%s]" % ", ".join(names)
        return "{ %s }" % ", ".join("%s: %s" % pair for pair in zip(("partition", "sort"), names))
    return "transhume: 1\nsource: sqlite:shop.db\ntarget: %s\ntables:%s" % (target,
                                                                            re.sub(r"KEY\(([^)]*)\)", key, plan))


def comparable(value):
    """Numbers by value, lists element by element, fields that are null as if they were not there."""
    if isinstance(value, (bool, int, float)):
        return decimal.Decimal(repr(value) if isinstance(value, float) else int(value)).normalize() + 0
    if isinstance(value, decimal.Decimal):
        return value.normalize() + 0
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, dict):
        return {name: comparable(item) for name, item in value.items() if item is not None}
    return value


def sqlite_records(path, table):
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    db.row_factory = sqlite3.Row
    rows = [dict(row) for row in db.execute("SELECT * FROM %s" % support.quoted(table))]
    db.close()
    for row in rows:
        for name, value in row.items():
            if isinstance(value, str) and value.startswith("["):
                row[name] = json.loads(value, parse_float=decimal.Decimal)
    return rows


class Constructs(support.TestCase):
    def setUp(self):
        super().setUp()
        self.random = random.Random(support.SEED)
        self.shop = Shop(make_shop(self.path("shop.db")))
        self.addCleanup(self.shop.db.close)

    def run_killed(self, one, target):
        """Killed around a commit, resumed; in a folder of its own beside the shop."""
        folder = self.path("case")
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        os.symlink(self.path("shop.db"), os.path.join(folder, "shop.db"))
        with open(os.path.join(folder, "transhume.yaml"), "w", encoding="utf-8") as file:
            file.write(plan_text(one.plan, target))
        place = self.random.choice(("engine.before_commit", "engine.after_commit"))
        occurrence = self.random.randint(1, 3) if one.spans else 1
        options = ("--chunk-rows", CHUNK_ROWS, "--batch-rows", 5, "--progress", "none")
        killed = support.kill_at(place, occurrence, "migrate", *options, cwd=folder)
        self.assertEqual(killed.code, -9, "%s %d\n%s" % (place, occurrence, killed.err))
        resumed = support.transhume("resume", *options, cwd=folder)
        self.assert_code(resumed, 1 if one.rejected else 0)
        return folder

    def assert_valid(self, folder):
        for level in ("count", "hash", "full"):
            self.validate_copy("--level", level, folder=folder)

    def assert_rejects(self, folder, count):
        rejects = os.path.join(folder, ".transhume", "rejects")
        lines = []
        for name in os.listdir(rejects) if os.path.isdir(rejects) else ():
            with open(os.path.join(rejects, name), encoding="utf-8") as file:
                lines += file.readlines()
        self.assertEqual(len(lines), count)

    def assert_records(self, folder, target, expected):
        if target.startswith("sqlite"):
            for table, records in expected.items():
                found = sqlite_records(os.path.join(folder, "copy.db"), table)
                self.assert_same(table, map(comparable, records), map(comparable, found))
            return
        found = support.read_dynamodb_json(os.path.join(folder, "out"))
        self.assertEqual(set(found), set(expected))
        for table, records in expected.items():
            self.assert_same(table, map(item_of, records), found[table])

    def assert_same(self, table, expected, found):
        def counted(records):
            return collections.Counter(json.dumps(record, sort_keys=True, default=str, ensure_ascii=False)
                                       for record in records)
        expected, found = counted(expected), counted(found)
        self.assertEqual((list((expected - found).elements())[:3], list((found - expected).elements())[:3]), ([], []),
                         "%s: missing and extra" % table)
        self.assertGreater(sum(expected.values()), 0)


def add_tests():
    for one in CONSTRUCTS:
        for target in TARGETS:
            def test(self, one=one, target=target):
                folder = self.run_killed(one, target)
                self.assert_records(folder, target, one.expect(self.shop))
                self.assert_rejects(folder, one.rejected)
                self.assert_valid(folder)
            setattr(Constructs, "test_%s_to_%s" % (one.name, target.split(":")[0].split("-")[0]), test)


add_tests()


class Documents(support.TestCase):
    """Records without fixed fields: as they are, through a plan, and mended."""

    ITEMS = [{"id": {"N": "1"}, "v": {"S": "x"}, "l": {"L": [{"N": "1.50"}, {"NULL": True}]}},
             {"id": {"N": "2"}, "w": {"M": {"a": {"BOOL": False}}}}, {"v": {"S": "no id"}}]
    PLAN = """transhume: 1
source: dynamodb-json:in
target: dynamodb-json:out
tables:
  things:
    key: { partition: id }
    from: things
    fields: { "*": copy, v: { column: v, default: none } }
"""

    def setUp(self):
        super().setUp()
        os.makedirs(self.path("in", "things"))
        with open(self.path("in", "things", "data-1.json"), "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"Item": item}) + "\n" for item in self.ITEMS)
            file.write("no item\n")

    def test_mended_documents_are_loaded(self):
        self.write("transhume.yaml", self.PLAN)
        self.run_program("migrate", code=1)
        null, unreadable = sorted(self.rejects(), key=lambda reject: reject["code"])
        self.assertEqual((null["code"], null["record"]), ("key-null", {"v": "no id"}))
        self.assertEqual(unreadable["key"], {"$file": "data-1.json", "$line": len(self.ITEMS) + 1})
        self.assertIn("unreadable", unreadable["record"])
        null["record"]["id"] = 3
        self.write("mended.jsonl", json.dumps(null) + "\n")
        self.run_program("migrate", "--rejects", "mended.jsonl")
        items = support.items_by_key(support.read_dynamodb_json(self.path("out"))["things"], "id")
        self.assertEqual(items, {
            ("1",): {"id": {"N": "1"}, "l": {"L": [{"N": "1.5"}, {"NULL": True}]}, "v": {"S": "x"}},
            ("2",): {"id": {"N": "2"}, "w": {"M": {"a": {"BOOL": False}}}, "v": {"S": "none"}},
            ("3",): {"id": {"N": "3"}, "v": {"S": "no id"}}})

    def test_names_that_begin_with_a_dollar_are_names(self):
        support.make_sqlite(self.path("odd.db"), """CREATE TABLE odd("$set" TEXT, "$x" BLOB, PRIMARY KEY ("$set"));
            INSERT INTO odd VALUES ('a', x'00ff'), ('b', NULL), (NULL, x'01');""")
        self.write("transhume.yaml", """transhume: 1
source: sqlite:odd.db
target: dynamodb-json:out
tables:
  odd: { key: { partition: $set }, from: odd, fields: { "*": copy } }
""")
        self.run_program("migrate", code=1)
        (reject,) = self.rejects()
        self.assertEqual((reject["code"], reject["record"]), ("key-null", {"$x": {"$bytes": "AQ=="}}))
        reject["record"]["$set"] = "c"
        self.write("mended.jsonl", json.dumps(reject) + "\n")
        self.run_program("migrate", "--rejects", "mended.jsonl")
        items = support.items_by_key(support.read_dynamodb_json(self.path("out"))["odd"], "$set")
        self.assertEqual(items, {("a",): {"$set": {"S": "a"}, "$x": {"B": "AP8="}}, ("b",): {"$set": {"S": "b"}},
                                 ("c",): {"$set": {"S": "c"}, "$x": {"B": "AQ=="}}})

    def test_there_and_back_through_another_store(self):
        toy = {"TRANSHUME_MODULES": os.path.join(support.BUILD, "toy.so")}
        with open(self.path("in", "things", "data-1.json"), "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"Item": item}) + "\n" for item in self.ITEMS[:2])
        self.write("transhume.yaml", self.PLAN.replace("dynamodb-json:out", "toy:between"))
        self.run_program("migrate", env=toy)
        self.run_program("migrate", "toy:between", "dynamodb-json:out", "--state", "second", env=toy)
        items = support.items_by_key(support.read_dynamodb_json(self.path("out"))["things"], "id")
        self.assertEqual({key: sorted(item) for key, item in items.items()},
                         {("1",): ["id", "l", "v"], ("2",): ["id", "v", "w"]})

    def test_into_tables_by_name(self):
        # the line that is no item
        self.run_program("migrate", "dynamodb-json:in", "plain.db", "--state", "plain", code=1)
        self.assertEqual([(row["id"], row["v"], row["w"]) for row in sqlite_records(self.path("plain.db"), "things")],
                         [(1, "x", None), (2, None, '{"a":false}'), (None, "no id", None)])
        self.run_program("init", "dynamodb-json:in", "copy.db", "-o", "begun.yaml")
        result = self.run_program("check", "--plan", "begun.yaml", code=1)
        self.assertRegex(result.out, r"1 of the first 4\s+records would be rejected: data-1.json line 4: JSON")
        self.write("transhume.yaml", """transhume: 1
source: dynamodb-json:in
target: sqlite:copy.db
tables:
  things:
    key: [id]
    from: things
    fields: { id: { column: id, cast: int64 }, v: { column: v, cast: text }, l: { column: l, cast: json } }
""")
        self.run_program("migrate", code=1)
        self.assertEqual([(row["id"], row["v"], row["l"]) for row in sqlite_records(self.path("copy.db"), "things")],
                         [(1, "x", [decimal.Decimal("1.50"), None]), (2, None, None)])
        self.assertEqual(sorted(reject["code"] for reject in self.rejects()), ["key-null", "unreadable"])


# Counts how often a statement begins to run over the source, and writes it down at the end.
@unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "a sanitizer does not load behind another library")
class Statements(support.TestCase):
    """No construct asks the source something for each row: ten times the rows, as many statements."""

    def setUp(self):
        super().setUp()
        self.recorder = statements.Recorder(self)

    def statements(self, one, people):
        folder = self.path("case")
        shutil.rmtree(folder, ignore_errors=True)
        os.mkdir(folder)
        make_shop(os.path.join(folder, "shop.db"), people)
        with open(os.path.join(folder, "transhume.yaml"), "w", encoding="utf-8") as file:
            file.write(plan_text(one.plan, "dynamodb-json:out"))
        result = support.transhume("migrate", "--chunk-rows", 1000000, "--progress", "none", cwd=folder,
                                   env=self.recorder.environment("shop.db"))
        self.assert_code(result, 1 if one.rejected else 0)
        return len(self.recorder.statements())

    def test_they_do_not_grow_with_the_rows(self):
        for one in CONSTRUCTS:
            with self.subTest(construct=one.name):
                few, many = self.statements(one, PEOPLE), self.statements(one, 10 * PEOPLE)
                self.assertGreater(few, 0)
                self.assertLessEqual(many, few + 4, "statements over 10 times the rows")


class Distinct(support.TestCase):
    def test_equal_numbers_are_one(self):
        """As in SQL, whichever kind and scale each has."""
        groups = {1: ("1, 1.0, 1e0", 1), 2: ("0, -0.0, 0.0", 1), 3: ("1, 2, 2.5, 2.50", 3),
                  4: ("9007199254740993, 9007199254740992, 9007199254740992.0", 2),
                  5: ("'1', 1, '1.0'", 3), 6: ("1e300, 1e300, -1e300", 2), 7: ("NULL, 1, NULL", 1)}
        support.make_sqlite(self.path("s.db"),
                            "CREATE TABLE shop (id INTEGER PRIMARY KEY); CREATE TABLE price (id INTEGER PRIMARY KEY, "
                            "shop INTEGER "
                            "REFERENCES shop, amount); " + "".join("INSERT INTO shop VALUES (%d); " % number + "".join(
                                "INSERT INTO price (shop, amount) VALUES (%d, %s); " % (number, amount)
                                for amount in amounts.split(", "))
                                for number, (amounts, _) in groups.items()))
        for source in ("sqlite:s.db", "jsonl:lines"):
            with self.subTest(source):
                self.write("p.yaml",
                           "transhume: 1\nsource: %s\ntarget: sqlite:%s.db\ntables:\n  shops: { key: [id], from: shop, "
                           "fields: { id: copy, "
                           "n: { aggregate: price, value: count(distinct amount)%s } } }\n" % (
                               source, source[:5], "" if source[0] == "s" else ", match: { shop: id }"))
                self.run_program("migrate", "--state", source[:5], "--plan", "p.yaml")
                with contextlib.closing(sqlite3.connect(self.path(source[:5] + ".db"))) as db:
                    self.assertEqual(dict(db.execute("SELECT id, n FROM shops")),
                                     {number: count for number, (_, count) in groups.items()})
            if source == "sqlite:s.db":
                self.run_program("migrate", "--state", "copy", "s.db", "jsonl:lines")


if __name__ == "__main__":
    unittest.main()
