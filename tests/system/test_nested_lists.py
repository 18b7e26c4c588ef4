"""Lists within the items of lists: what arrives is what Python makes of the same rows."""
import contextlib
import json
import os
import random
import sqlite3

import support

SCHEMA = """
CREATE TABLE customer(id INTEGER PRIMARY KEY NOT NULL, name TEXT);
CREATE TABLE orders(shop INTEGER NOT NULL, nr INTEGER NOT NULL, customer INTEGER REFERENCES customer(id), day TEXT,
    PRIMARY KEY (shop, nr));
CREATE TABLE article(id INTEGER PRIMARY KEY NOT NULL, title TEXT);
CREATE TABLE line(shop INTEGER, nr INTEGER, article INTEGER REFERENCES article(id), n INTEGER,
    FOREIGN KEY (shop, nr) REFERENCES orders(shop, nr));
CREATE TABLE part(id INTEGER PRIMARY KEY NOT NULL, article INTEGER, name TEXT);
CREATE TABLE note(id INTEGER PRIMARY KEY NOT NULL, shop INTEGER, nr INTEGER, said TEXT,
    FOREIGN KEY (shop, nr) REFERENCES orders(shop, nr));
"""

RELATIONS = """
relations:
  orders: { customer: customer.id }
  line: { shop: orders.shop, nr: orders.nr, article: article.id }
  note: { shop: orders.shop, nr: orders.nr }
"""

PLAN = """
transhume: 1
source: %s
target: %s
tables:
  customer:
    key: %s
    from: customer
    fields:
      id: copy
      name: copy
      orders:
        embed: orders
        order: [day desc, shop, nr]
        where: "day <> 'Sun'"
        fields:
          nr: { column: nr, cast: text }
          day: copy
          lines:
            embed: line
            order: [n desc, article]
            fields:
              n: copy
              title: { lookup: article, column: title }
              parts: { embed: part, match: { article: article }, where: "name <> 'x'", order: id, fields: { name: copy } }
          notes: { embed: note, when: "day <> 'Mon'", order: [said, id], fields: { said: copy, text: "{nr}: {said}" } }
"""

BACK = """
transhume: 1
source: dynamodb-json:out
target: sqlite:back.db
tables:
  line:
    key: [customer, place]
    from: customer
    unnest: orders.lines
    fields:
      customer: { column: $parent.id, cast: int64 }
      place: { column: $ordinal }
      nr: { column: $parent.orders.nr, cast: text }
      n: { column: n, cast: int64 }
"""


def make_shop(path, customers=40, seed=None):
    """Composite keys, lines that are equal in all they have, foreign keys that are null, articles of many lines."""
    numbers = seed or random.Random(support.SEED)
    db = sqlite3.connect(path)
    db.executescript(SCHEMA)
    some = lambda choices: None if numbers.random() < 0.1 else numbers.choice(choices)
    ids = range(1, customers + 1)
    db.executemany("INSERT INTO customer VALUES(?, ?)", [(i, some(("Ann", "B\u00f6b", ""))) for i in ids])
    db.executemany("INSERT INTO article VALUES(?, ?)", [(i, some(("nut", "bolt", "\u00e9"))) for i in range(1, 9)])
    db.executemany("INSERT INTO part VALUES(?, ?, ?)",
                   [(i, some(range(1, 9)), some(("x", "ring", "core"))) for i in numbers.sample(range(99), 20)])
    keys = [(shop, nr) for shop in (1, 2) for nr in numbers.sample(range(3 * customers), customers)]
    db.executemany("INSERT INTO orders VALUES(?, ?, ?, ?)",
                   [(*key, some(ids), some(("Mon", "Tue", "Wed", "Sun"))) for key in keys])
    lines = [(*(some(keys) or (1, None)), some(range(1, 9)), numbers.randint(1, 3)) for _ in range(4 * customers)]
    db.executemany("INSERT INTO line VALUES(?, ?, ?, ?)", lines + numbers.sample(lines, customers))
    db.executemany("INSERT INTO note VALUES(?, ?, ?, ?)",
                   [(i, *(some(keys) or (None, 3)), some(("late", "gift")))
                    for i in numbers.sample(range(999), 2 * customers)])
    db.commit()
    db.close()


OPTIONS = ("--chunk-rows", "7", "--batch-rows", "5")


def low(value):
    """Sorts nulls first."""
    return (value is not None, value)


MISSING = object()


def expected_of(path, columns):
    """{id: record}; in columns what is missing is null."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        def rows(sql, *values):
            return db.execute(sql, values).fetchall()

        def record(**fields):
            return {name: None if value is MISSING else value for name, value in fields.items()
                    if columns or value is not MISSING}

        def parts(article):
            return [record(name=name) for (name,) in
                    rows("SELECT name FROM part WHERE article = ? AND name <> 'x' ORDER BY id", article)]

        def lines(shop, nr):
            found = rows("SELECT n, article, title FROM line LEFT JOIN article ON article.id = article "
                         "WHERE shop = ? AND nr = ?", shop, nr)
            return [record(n=n, title=title, parts=parts(article)) for n, article, title in
                    sorted(found, key=lambda row: (-row[0], low(row[1])))]

        def notes(shop, nr):
            return [record(said=said, text=MISSING if said is None else "%d: %s" % (nr, said)) for (said,) in
                    rows("SELECT said FROM note WHERE shop = ? AND nr = ? ORDER BY said, id", shop, nr)]

        def orders(customer):
            found = rows("SELECT shop, nr, day FROM orders WHERE customer = ? AND day <> 'Sun' "
                         "ORDER BY day DESC, shop, nr", customer)
            return [record(nr=str(nr), day=day, lines=lines(shop, nr),
                           notes=MISSING if day == "Mon" else notes(shop, nr))
                    for shop, nr, day in found]

        return {id: record(id=id, name=name, orders=orders(id)) for id, name in rows("SELECT id, name FROM customer")}


class NestedLists(support.TestCase):
    def setUp(self):
        super().setUp()
        make_shop(self.path("shop.db"))

    def plan(self, source, target, key="id", more=""):
        return self.write("transhume.yaml", PLAN % (source, target, key) + more)

    def documents(self):
        folder = self.path("out", "customer")
        records = [json.loads(line) for name in sorted(os.listdir(folder))
                   for line in support.read_lines(os.path.join(folder, name))]
        self.assertEqual(len({record["id"] for record in records}), len(records))
        return {record["id"]: record for record in records}

    def columns(self):
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db:
            return {id: {"id": id, "name": name, "orders": json.loads(orders)}
                    for id, name, orders in db.execute("SELECT id, name, orders FROM customer")}

    def killed_and_resumed(self):
        command = "migrate"
        numbers = random.Random(support.SEED)
        for failpoint in ("engine.after_commit", "engine.before_commit"):
            killed = support.kill_at(failpoint, numbers.randint(1, 2), command, *OPTIONS, cwd=self.folder)
            self.assertEqual(killed.code, -9, "%s\n%s" % (failpoint, killed.err))
            command = "resume"
        self.run_program("resume", *OPTIONS)

    def assert_equal_in_full(self):
        result = self.run_program("validate", "--level", "full")
        self.assertIn("equal at level full", result.out + result.err)

    def test_into_documents(self):
        self.plan("sqlite:shop.db", "jsonl:out")
        self.killed_and_resumed()
        found = self.documents()
        self.assertEqual(found, expected_of(self.path("shop.db"), columns=False))
        self.assertTrue(any(line["parts"] for record in found.values() for order in record["orders"]
                            for line in order["lines"]))
        self.assert_equal_in_full()

    def test_into_columns(self):
        self.plan("sqlite:shop.db", "sqlite:copy.db", "[id]")
        self.killed_and_resumed()
        self.assertEqual(self.columns(), expected_of(self.path("shop.db"), columns=True))
        self.assert_equal_in_full()

    def test_a_difference_in_an_inner_item_is_found_and_repaired(self):
        self.plan("sqlite:shop.db", "sqlite:copy.db", "[id]")
        self.run_program("migrate")
        with contextlib.closing(sqlite3.connect(self.path("copy.db"))) as db, db:
            changed = db.execute("UPDATE customer SET orders = replace(orders, '\"n\":3', "
                                 "'\"n\":4') WHERE orders LIKE '%\"n\":3%'")
            self.assertGreater(changed.rowcount, 0)
        self.run_program("validate", "--level", "full", code=1)
        self.run_program("validate", "--level", "full", "--repair")
        self.assertEqual(self.columns(), expected_of(self.path("shop.db"), columns=True))

    def test_out_of_files(self):
        """The engine joins, also where no file has a key."""
        expected = expected_of(self.path("shop.db"), columns=True)
        for source in ("csv:files", "jsonl:lines"):
            with self.subTest(source=source):
                self.run_program("migrate", "--state", source[:3], "shop.db", source)
                self.plan(source, "sqlite:copy.db", "[id]", RELATIONS)
                self.run_program("migrate", "--chunk-rows", "7", "--jobs", "3")
                self.assertEqual(self.columns(), expected)
                self.assert_equal_in_full()
                self.run_program("finish")
                os.unlink(self.path("copy.db"))

    def test_there_and_back(self):
        """Items' lists become rows again."""
        self.plan("sqlite:shop.db", "dynamodb-json:out", "{ partition: id }")
        self.run_program("migrate")
        self.assert_equal_in_full()
        self.write("back.yaml", BACK)
        self.run_program("migrate", "--plan", "back.yaml", "--state", "back")
        with contextlib.closing(sqlite3.connect(self.path("back.db"))) as db:
            found = db.execute("SELECT customer, nr, n FROM line ORDER BY customer, place").fetchall()
        self.assertEqual(found, [(id, order["nr"], line["n"])
                                 for id, record in sorted(expected_of(self.path("shop.db"), columns=False).items())
                                 for order in record["orders"] for line in order["lines"]])

    def test_a_changed_list_is_another_mapping(self):
        plan = self.plan("sqlite:shop.db", "jsonl:out")
        support.kill_at("engine.after_commit", 2, "migrate", "--chunk-rows", "7", cwd=self.folder)
        with open(plan, encoding="utf-8") as file:
            text = file.read()
        self.write("transhume.yaml", text.replace("n: copy", "n: { column: n, cast: text }"))
        result = self.run_program("resume", code=5)
        self.assertIn("mapping", result.err)
        self.write("transhume.yaml", text)
        self.run_program("resume")
        self.assertEqual(self.documents(), expected_of(self.path("shop.db"), columns=False))

    def test_a_failing_item_rejects_the_record(self):
        with contextlib.closing(sqlite3.connect(self.path("shop.db"))) as db, db:
            db.execute("UPDATE note SET said = 'odd' WHERE id = (SELECT min(note.id) FROM note JOIN orders USING "
                       "(shop, nr) "
                       "WHERE customer IS NOT NULL AND day = 'Tue')")
            (customer,) = db.execute(
                "SELECT customer FROM note JOIN orders USING (shop, nr) WHERE said = 'odd'").fetchone()
        expected = expected_of(self.path("shop.db"), columns=False)
        plan = self.plan("sqlite:shop.db", "jsonl:out")
        with open(plan, encoding="utf-8") as file:
            text = file.read()
        bad = "bad: { sql: \"CASE said WHEN 'odd' THEN abs(-9223372036854775807 - 1) END\" }"
        self.write("transhume.yaml", text.replace("said: copy,", "said: copy, %s," % bad))
        self.run_program("migrate", code=1)
        rejects = self.rejects()
        self.assertEqual(len(rejects), 1)
        self.assertRegex(rejects[0]["reason"], "^field orders: item \\d+: notes, item \\d+: field bad: the expression")
        self.assertEqual(sorted(self.documents()), sorted(set(expected) - {customer}))

    def test_a_record_that_grows_too_large(self):
        expected = expected_of(self.path("shop.db"), columns=False)
        with contextlib.closing(sqlite3.connect(self.path("shop.db"))) as db, db:
            db.execute("INSERT INTO orders VALUES(9, 9, 1, 'Tue')")
            db.executemany("INSERT INTO note VALUES(?, 9, 9, ?)", [(1000 + i, "%d" % i * 100) for i in range(200000)])
        self.plan("sqlite:shop.db", "jsonl:out")
        result = self.run_program("migrate", code=1)
        rejects = self.rejects()
        self.assertEqual(len(rejects), 1, result.err)
        self.assertIn("the list orders grows beyond", rejects[0]["reason"])
        self.assertEqual(self.documents(), {id: record for id, record in expected.items() if id != 1})


if __name__ == "__main__":
    import unittest
    unittest.main()
