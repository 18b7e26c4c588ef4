"""The way back: each construct that reads documents, through copy, kill and resume, into tables and into items.

What must arrive is computed here, by Python over the items.
"""
import collections
import decimal
import gzip
import json
import os
import random
import shutil
import sqlite3
import subprocess
import unittest

import support
import test_plan_constructs as constructs

CHUNK_ROWS = 7
TARGETS = ("sqlite:copy.db", "dynamodb-json:out")
COUNTRIES = ("Norway", "Chad", "Peru", "Fiji")


def attribute(value):
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, (int, decimal.Decimal)):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, set):
        return {"SS": sorted(value)}
    if isinstance(value, list):
        return {"L": [attribute(element) for element in value]}
    return {"M": {name: attribute(element) for name, element in value.items()}}


def make_items():
    """Customers, orders and products under one key design, some of them odd, in no order."""
    numbers = random.Random(20)
    items = []
    for i in range(1, 41):
        country = COUNTRIES[i % 4]
        items.append({"PK": "C#%d" % i, "SK": "PROFILE", "Type": "Customer", "Name": "n%d" % i, "Country": country,
                      # one country in three ways: the first stays, two are rejects
                      "Dial": {3: 1, 17: 2}.get(i, 0) if country == "Fiji" else COUNTRIES.index(country) * 10,
                      "Tags": None if i % 5 == 0 else {"t%d" % (i % 3), "t9"} if i % 5 == 1 else
                              ["a%d" % i, i, None, True] if i % 5 == 2 else [],
                      "Note": None if i % 2 else "x"})
        if i % 6 == 0:
            del items[-1]["Tags"]
    for i in range(1, 81):
        lines = [{"Nr": n, "Product": "P%d" % numbers.randint(1, 20),
                  "Price": decimal.Decimal(numbers.randint(1, 999)) / 100,
                  "Parts": [{"Part": n * 10 + p} for p in range(numbers.randint(0, 3))]}
                 for n in range(1, numbers.randint(1, 6))]
        order = {"PK": "C#%d" % numbers.randint(1, 40), "SK": "O#2024-%02d-01#%06d" % (i % 12 + 1, i), "Type": "Order",
                 "Lines": lines, "Total": sum((line["Price"] for line in lines), decimal.Decimal(0))}
        if i == 13:
            order["Lines"] = "lost"
        elif i == 14:
            order["SK"] = "O#2024#01#000014"  # read in two ways
        elif i == 15:
            lines.append("no line")
        elif i % 20 == 0:
            del order["Lines"]
        items.append(order)
    items += [{"PK": "P%d" % i, "SK": "META", "Type": "Product", "Title": "title %d" % i} for i in range(1, 21)]
    items += [{"PK": "?%d" % i, "SK": "WHAT", "Type": "Riddle"} for i in range(3)]
    numbers.shuffle(items)
    return items


ITEMS = make_items()


def kind(name):
    return [item for item in ITEMS if item["Type"] == name]


def order_of(item):
    """(customer, date, id) as the key says it; None where it says it in two ways."""
    parts = item["SK"].split("#")
    return (int(item["PK"][2:]), parts[1], int(parts[2])) if len(parts) == 3 else None


Construct = collections.namedtuple("Construct", "name plan expect")
CONSTRUCTS = []


def construct(plan):
    """The tables of a plan, with the function that tells ({table: [record]}, {reject code: how many, or which},
    {entity: skipped, or rejected as unequal})."""
    def keep(expect):
        CONSTRUCTS.append(Construct(expect.__name__, plan, expect))
        return expect
    return keep


@construct("""unmatched: skip
tables:
  customers:
    key: KEY(Id)
    from: shop
    match: { PK: "C#{Id}", SK: PROFILE }
    when: "Country <> 'Chad'"
    where: "Dial IS NOT NULL"
    fields:
      Id: { column: Id, cast: int64 }
      Name: { column: Name, cast: text }
      Loud: { sql: "upper(Name)", cast: text }
      Near: { const: true, when: "Country = 'Peru'" }
      Label: "{Name} ({Country})"
      Note: { column: Note, cast: text, default: none }
  products:
    key: KEY(Id)
    from: shop
    match: { Type: Product, PK: "P{Id}" }
    fields: { Id: { column: Id, cast: int64 }, Title: { column: Title, cast: text } }
""")
def kinds_of_one_table():
    return {
        "customers": [{
            "Id": int(item["PK"][2:]), "Name": item["Name"], "Loud": item["Name"].upper(),
            "Near": True if item["Country"] == "Peru" else None, "Label": "%s (%s)" % (item["Name"], item["Country"]),
            "Note": item["Note"] or "none",
        } for item in kind("Customer") if item["Country"] != "Chad"],
        "products": [{"Id": int(item["PK"][1:]), "Title": item["Title"]} for item in kind("Product")],
    }, {}, {}


@construct("""tables:
  customers:
    key: KEY(Id)
    from: shop
    match: { Type: Customer }
    fields: { Id: { column: PK, parse: "C#{n}", cast: int64 } }
  orders:
    key: KEY(Id)
    from: shop
    match: { Type: Order }
    fields:
      Id: { column: SK, parse: "O#{date}#{id:06}", take: id, cast: int64 }
      Day: { column: SK, parse: "O#{date}#{id:06}", take: date }
      Total: { column: Total, cast: "decimal(10,2)" }
  products:
    key: KEY(Id)
    from: shop
    match: { Type: Product }
    fields: { Id: { column: PK, cast: text } }
""")
def templates_read_backwards():
    orders = [(order_of(item), item) for item in kind("Order")]
    return {
        "customers": [{"Id": int(item["PK"][2:])} for item in kind("Customer")],
        "orders": [{"Id": parts[2], "Day": parts[1], "Total": item["Total"]} for parts, item in orders if parts],
        "products": [{"Id": item["PK"]} for item in kind("Product")],
    }, {"pattern": 1, "unmatched": 3}, {}


@construct("""unmatched: { shop: skip }
tables:
  lines:
    key: KEY(Order, Nr)
    entities:
      line:
        from: shop
        match: { PK: "C#{Customer}", SK: "O#{Day}#{Id:06}", Type: Order }
        unnest: Lines
        where: "Price > 1"
        fields:
          Order: { column: $parent.SK, cast: text }
          Nr: { column: Nr, cast: int64 }
          Place: { column: $ordinal }
          Product: { column: Product, cast: text }
          Price: { column: Price, cast: "decimal(10,2)" }
          Customer: { column: $parent.Customer, cast: int64 }
          Label: "{$parent.Type} {Nr}"
  parts:
    key: KEY(Order, Part)
    from: shop
    match: { PK: "C#{Customer}", SK: "O#{Day}#{Id:06}", Type: Order }
    unnest: Lines.Parts
    fields:
      Order: { column: $parent.SK, cast: text }
      Part: { column: Part, cast: int64 }
      Line: { column: $parent.Lines.Nr, cast: int64 }
""")
def lists_as_rows():
    lines, parts, bad = [], [], 0
    for item in kind("Order"):
        if not isinstance(item.get("Lines", []), list):
            bad += 2  # of each of the two entities
            continue
        for place, line in enumerate(item.get("Lines", []), 1):
            if isinstance(line, str):
                bad += 2
                continue
            if line["Price"] > 1:
                lines.append({
                    "Order": item["SK"], "Nr": line["Nr"], "Place": place, "Product": line["Product"],
                    "Price": line["Price"], "Customer": int(item["PK"][2:]), "Label": "Order %d" % line["Nr"]})
            parts += [{"Order": item["SK"], "Part": part["Part"], "Line": line["Nr"]} for part in line["Parts"]]
    return {"lines": lines, "parts": parts}, {"type": bad}, {}


@construct("""unmatched: skip
tables:
  tags:
    key: KEY(Customer, Place)
    from: shop
    match: { PK: "C#{Id}", SK: PROFILE }
    unnest: Tags
    fields:
      Customer: { column: $parent.Id, cast: int64 }
      Place: { column: $ordinal }
      Tag: { column: $value, cast: text }
""")
def lists_of_values():
    def text(value):
        return {True: "true"}.get(value, str(value)) if value is not None else None

    def tags(item):
        found = item.get("Tags") or []
        return sorted(found) if isinstance(found, set) else found
    return {"tags": [{"Customer": int(item["PK"][2:]), "Place": place, "Tag": text(tag)}
                     for item in kind("Customer") for place, tag in enumerate(tags(item), 1)]}, {}, {}


@construct("""unmatched: skip
tables:
  countries:
    key: KEY(Country)
    from: shop
    match: { Type: Customer }
    distinct: true
    fields: { Country: { column: Country, cast: text }, Dial: { column: Dial, cast: int64 } }
  products:
    key: KEY(Product)
    from: shop
    match: { Type: Order }
    unnest: Lines
    distinct: true
    fields: { Product: { column: Product, cast: text } }
""")
def equal_records_as_one():
    countries = {}
    unequal = set()
    for item in kind("Customer"):
        if countries.setdefault(item["Country"], item["Dial"]) != item["Dial"]:
            unequal.add((item["Country"], item["Dial"]))
    elements = [line for item in kind("Order") if isinstance(item.get("Lines"), list) for line in item["Lines"]]
    products = {line["Product"] for line in elements if isinstance(line, dict)}
    return {"countries": [{"Country": country, "Dial": dial} for country, dial in countries.items()],
            "products": [{"Product": product} for product in products]}, \
        {"type": 2, "key-duplicate": unequal}, \
        {"countries": 40 - len(countries), "products": len(elements) - 1 - len(products)}


class Constructs(constructs.Constructs):
    """Tests are added below; what a shop of tables needs is not needed here."""

    def setUp(self):
        support.TestCase.setUp(self)
        self.random = random.Random(support.SEED)

    def make_case(self, plan, target):
        folder = self.path("case")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(os.path.join(folder, "in", "shop"))
        lines = ["%s\n" % json.dumps({"Item": {name: attribute(value) for name, value in item.items()}})
                 for item in ITEMS]
        with open(os.path.join(folder, "in", "shop", "data-1.json"), "w", encoding="utf-8") as file:
            file.writelines(lines[:100])
        with gzip.open(os.path.join(folder, "in", "shop", "data-2.json.gz"), "wt", encoding="utf-8") as file:
            file.writelines(lines[100:])
        head, tables = plan.split("tables:\n")
        text = constructs.plan_text("\n" + tables, target).replace("source: sqlite:shop.db", "source: dynamodb-json:in")
        with open(os.path.join(folder, "transhume.yaml"), "w", encoding="utf-8") as file:
            file.write(text.replace("tables:", head + "tables:", 1))
        return folder

    def run_killed_back(self, one, target):
        folder = self.make_case(one.plan, target)
        place = self.random.choice(("engine.before_commit", "engine.after_commit"))
        occurrence = self.random.randint(1, 6)
        options = ("--chunk-rows", CHUNK_ROWS, "--batch-rows", 5, "--progress", "none")
        killed = support.kill_at(place, occurrence, "migrate", *options, cwd=folder)
        self.assertEqual(killed.code, -9, "%s %d\n%s" % (place, occurrence, killed.err))
        return folder, support.transhume("resume", "--json", *options, cwd=folder)

    def rejects(self, folder):
        """By code; of unequal records under one key, which come once a chunk, the set of them."""
        found = collections.defaultdict(list)
        rejects = os.path.join(folder, ".transhume", "rejects")
        for name in os.listdir(rejects) if os.path.isdir(rejects) else ():
            with open(os.path.join(rejects, name), encoding="utf-8") as file:
                for reject in map(json.loads, file):
                    found[reject["code"]].append(reject["record"])
        return {code: {tuple(record.values()) for record in records} if code == "key-duplicate" else len(records)
                for code, records in found.items()}

    def check(self, one, target):
        folder, resumed = self.run_killed_back(one, target)
        tables, rejects, skipped = one.expect()
        self.assert_code(resumed, 1 if rejects else 0)
        self.assert_records(folder, target, tables)
        self.assertEqual(self.rejects(folder), rejects)
        self.assert_valid(folder)
        counts = {entity["entity"]: entity for entity in json.loads(resumed.out)["entities"]}
        self.assertEqual({entity["read"] for entity in counts.values()}, {len(ITEMS)})
        self.assertEqual({name: entity["written"] for name, entity in counts.items()},
                         {name: len(tables[entity["table"]]) for name, entity in counts.items()})
        for name, entity in counts.items():
            unequal = entity["rejected"] if name == "countries" else 0
            self.assertEqual(entity["skipped"] + unequal, skipped.get(name, 0), name)


class Distinct(support.TestCase):
    """Equal records as one, beside what was there, and whatever is interrupted while duplicates are settled."""

    PLAN = """transhume: 1
source: dynamodb-json:in
target: TARGET
existing: EXISTING
tables:
  countries:
    key: KEY
    from: shop
    distinct: true
    fields: { Name: { column: Name, cast: text }, Dial: { column: Dial, cast: int64 } }
"""
    RECORDS = [("Chad", 1), ("Peru", 2), ("Chad", 1), ("Fiji", 3), ("Peru", 4), ("Fiji", 3), ("Peru", 2)] * 10

    def make(self, target, records=None, existing="refuse"):
        os.makedirs(self.path("in", "shop"), exist_ok=True)
        with open(self.path("in", "shop", "data-1.json"), "w", encoding="utf-8") as file:
            for name, dial in records or self.RECORDS:
                file.write("%s\n" % json.dumps({"Item": {"Name": {"S": name}, "Dial": {"N": str(dial)}}}))
        key = "[Name]" if target.startswith("sqlite") else "{ partition: Name }"
        self.write("transhume.yaml", self.PLAN.replace("TARGET", target).replace("KEY", key)
                   .replace("EXISTING", existing))

    def counts(self, result):
        (entity,) = json.loads(result.out)["entities"]
        return entity["written"], entity["rejected"], entity["skipped"]

    def stored(self):
        return {(row["Name"], row["Dial"]) for row in constructs.sqlite_records(self.path("copy.db"), "countries")}

    def test_beside_records_that_were_there(self):
        for existing in ("append", "replace", "upsert", "skip"):
            with self.subTest(existing=existing):
                for name in ("copy.db", ".transhume"):
                    subprocess.run(["rm", "-rf", self.path(name)], check=True)
                self.make("sqlite:copy.db", [("Chad", 1), ("Peru", 2), ("Fiji", 3)])
                self.run_program("migrate")
                # one chunk: Chad as it was, Peru in two ways, Fiji as it was, and a new one
                self.make("sqlite:copy.db", self.RECORDS + [("Oman", 5)], existing)
                result = self.run_program("migrate", "--json", code=1)
                written, rejected, skipped = self.counts(result)
                self.assertEqual(written + rejected + skipped, 71)
                self.assertEqual(rejected, 1)
                self.assertEqual(written, 4 if existing in ("replace", "upsert") else 1)
                self.assertEqual(self.stored(), {("Chad", 1), ("Peru", 2), ("Fiji", 3), ("Oman", 5)})

    def test_killed_while_settling(self):
        self.make("dynamodb-json:out")
        options = ("--chunk-rows", 5, "--batch-rows", 3)
        _, reached = support.count_failpoints("migrate", *options, cwd=self.folder)
        places = sorted(name for name in reached if name.startswith("files."))
        self.assertIn("files.before_rewrite", places)
        for place in places:
            for occurrence in {1, reached[place]}:
                with self.subTest(place=place, occurrence=occurrence):
                    for name in ("out", ".transhume"):
                        shutil.rmtree(self.path(name))
                    killed = support.kill_at(place, occurrence, "migrate", *options, cwd=self.folder)
                    self.assertEqual(killed.code, -9, killed.err)
                    again = "resume" if os.path.exists(self.path("out", "_transhume")) else "migrate"
                    result = support.transhume(again, "--json", *options, cwd=self.folder)
                    self.assertEqual(result.code, 1, result.err)
                    written, rejected, skipped = self.counts(result)
                    self.assertEqual((written, written + rejected + skipped), (3, 70))
                    found = support.read_dynamodb_json(self.path("out"))["countries"]
                    self.assertEqual({(item["Name"]["S"], item["Dial"]["N"]) for item in found},
                                     {("Chad", "1"), ("Peru", "2"), ("Fiji", "3")})
                    self.assertEqual(len(found), 3)


class ListsInColumns(support.TestCase):
    """Rows with columns hold lists as JSON text, or as they are: killed, resumed, on both targets."""

    PLAN = """transhume: 1
source: SOURCE
target: TARGET
tables:
  lines:
    key: KEY(sale, nr)
    from: sale
    unnest: lines
    where: "q <> 3"
    fields:
      sale: { column: $parent.id, cast: int64 }
      nr: { column: $ordinal }
      q: { column: q, cast: int64 }
      label: "{$parent.day}: {q}"
"""

    def setUp(self):
        super().setUp()
        numbers = random.Random(support.SEED)
        self.rows = [(i, "day %d" % (i % 7), [{"q": numbers.randint(1, 5)} for _ in range(numbers.randint(0, 6))])
                     for i in range(1, 201)]
        db = sqlite3.connect(self.path("in.db"))
        db.execute("CREATE TABLE sale(id INTEGER PRIMARY KEY, day TEXT, lines TEXT)")
        db.executemany("INSERT INTO sale VALUES (?, ?, ?)",
                       [(i, day, None if i % 50 == 0 else json.dumps(lines)) for i, day, lines in self.rows])
        db.commit()
        db.close()
        os.mkdir(self.path("in"))
        with open(self.path("in", "sale.jsonl"), "w", encoding="utf-8") as file:
            for i, day, lines in self.rows:
                file.write(json.dumps({"id": i, "day": day, "lines": None if i % 50 == 0 else lines}) + "\n")
        self.expected = {(i, nr, line["q"], "%s: %d" % (day, line["q"])) for i, day, lines in self.rows if i % 50
                         for nr, line in enumerate(lines, 1) if line["q"] != 3}

    def stored(self, target):
        if target.startswith("sqlite"):
            return [tuple(row[name] for name in ("sale", "nr", "q", "label"))
                    for row in constructs.sqlite_records(self.path("copy.db"), "lines")]
        return [(int(item["sale"]["N"]), int(item["nr"]["N"]), int(item["q"]["N"]), item["label"]["S"])
                for item in support.read_dynamodb_json(self.path("out"))["lines"]]

    def test_each_way(self):
        options = ("--chunk-rows", 20, "--batch-rows", 7, "--progress", "none")
        for number, (source, target) in enumerate((source, target) for source in ("sqlite:in.db", "jsonl:in")
                                                  for target in TARGETS):
            with self.subTest(source=source, target=target):
                for name in ("copy.db", "out", ".transhume"):
                    subprocess.run(["rm", "-rf", self.path(name)], check=True)
                text = constructs.plan_text("\n" + self.PLAN.split("tables:\n")[1], target)
                self.write("transhume.yaml", text.replace("sqlite:shop.db", source))
                place = "engine.before_commit" if number % 2 else "engine.after_commit"
                killed = support.kill_at(place, 1, "migrate", *options, cwd=self.folder)
                self.assertEqual(killed.code, -9, killed.err)
                self.run_program("resume", *options)
                found = self.stored(target)
                self.assertEqual((len(found), set(found)), (len(self.expected), self.expected))


class Mended(support.TestCase):
    """Rejects of the way back, mended and loaded."""

    def test_rejects_are_loaded(self):
        case = Constructs("test_lists_as_rows_to_sqlite")
        case.folder = self.folder
        folder = case.make_case(lists_as_rows_plan(), "sqlite:copy.db")
        result = support.transhume("migrate", cwd=folder)
        self.assertEqual(result.code, 1, result.err)
        rejects = []
        for name in sorted(os.listdir(os.path.join(folder, ".transhume", "rejects"))):
            with open(os.path.join(folder, ".transhume", "rejects", name), encoding="utf-8") as file:
                rejects += map(json.loads, file)
        whole = [reject for reject in rejects if "parent" in reject["record"]]
        elements = [reject for reject in rejects if reject["entity"] == "line" and reject not in whole]
        self.assertEqual((len(whole), len(elements)), (3, 1))
        # a whole item is no record of the entity: it is refused, not loaded as something else
        with open(os.path.join(folder, "mended.jsonl"), "w", encoding="utf-8") as file:
            file.write(json.dumps(whole[0]) + "\n")
        refused = support.transhume("migrate", "--rejects", "mended.jsonl", cwd=folder)
        self.assertEqual(refused.code, 2, refused.err)
        self.assertIn("parent", refused.err)
        elements[0]["record"] = {"Order": "O#mended", "Nr": 1, "Place": 9, "Product": "P1"}
        with open(os.path.join(folder, "mended.jsonl"), "w", encoding="utf-8") as file:
            file.write(json.dumps(elements[0]) + "\n")
        loaded = support.transhume("migrate", "--rejects", "mended.jsonl", cwd=folder)
        self.assertEqual(loaded.code, 0, loaded.err)
        rows = constructs.sqlite_records(os.path.join(folder, "copy.db"), "lines")
        self.assertEqual([row["Place"] for row in rows if row["Order"] == "O#mended"], [9])


def lists_as_rows_plan():
    return next(one.plan for one in CONSTRUCTS if one.name == "lists_as_rows")


# Counts how often a data file of the source is opened, and writes it down at the end.
COUNTER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static atomic_long opened;
static int open_with(const char *function, const char *path, int flags, unsigned mode)
{
    int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, function);
    if (strstr(path, "in/shop/data-") != NULL) {
        opened++;
    }
    return next(path, flags, mode);
}
#define COUNTED(function) \\
    int function(const char *path, int flags, ...) \\
    { \\
        va_list list; \\
        va_start(list, flags); \\
        unsigned mode = (flags & O_CREAT) != 0 ? va_arg(list, unsigned) : 0; \\
        va_end(list); \\
        return open_with(#function, path, flags, mode); \\
    }
COUNTED(open)
COUNTED(open64)
__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("OPENED_FILE");
    FILE *file = path != NULL ? fopen(path, "w") : NULL;
    if (file != NULL) {
        fprintf(file, "%ld", opened);
        fclose(file);
    }
}
"""

ONE_ENTITY = """unmatched: skip
tables:
  customers:
    key: KEY(Id)
    from: shop
    match: { Type: Customer }
    fields: { Id: { column: PK, cast: text } }
"""


@unittest.skipIf(os.environ.get("TRANSHUME_SANITIZE"), "a sanitizer does not load behind another library")
class Scans(Constructs):
    """A table is read once, whatever it feeds."""

    def opened(self, plan):
        folder = self.make_case(plan, "sqlite:copy.db")
        result = support.transhume("migrate", "--chunk-rows", CHUNK_ROWS, "--progress", "none", cwd=folder, env={
            "LD_PRELOAD": self.path("counter.so"), "OPENED_FILE": self.path("count")})
        self.assertIn(result.code, (0, 1), result.err)
        with open(self.path("count"), encoding="utf-8") as file:
            return int(file.read())

    def test_one_for_all_entities(self):
        self.write("counter.c", COUNTER)
        built = subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", self.path("counter.so"),
                                self.path("counter.c"), "-ldl"], capture_output=True, text=True)
        if built.returncode != 0:
            self.skipTest("the counter of files can't be built: " + built.stderr.splitlines()[0])
        one = self.opened(ONE_ENTITY)
        self.assertGreater(one, 2)
        for many in CONSTRUCTS:
            self.assertEqual(self.opened(many.plan), one, many.name)


for base in [name for name in vars(constructs.Constructs) if name.startswith("test_")]:
    setattr(Constructs, base, None)
    setattr(Scans, base, None)
for one_construct in CONSTRUCTS:
    for one_target in TARGETS:
        def test(self, one=one_construct, target=one_target):
            self.check(one, target)
        name = "test_%s_to_%s" % (one_construct.name, one_target.split(":")[0].split("-")[0])
        setattr(Constructs, name, test)
        setattr(Scans, name, None)


if __name__ == "__main__":
    unittest.main()
