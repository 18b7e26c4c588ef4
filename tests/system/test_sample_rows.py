"""--sample-rows: a part of a database in which every foreign key finds its partner."""
import contextlib
import json
import os
import random
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import support

SCHEMA = """
CREATE TABLE region(code TEXT PRIMARY KEY, name TEXT, capital INTEGER REFERENCES customer(id));
CREATE TABLE customer(id INTEGER PRIMARY KEY, region TEXT NOT NULL REFERENCES region(code), email TEXT NOT NULL UNIQUE);
CREATE TABLE employee(id INTEGER PRIMARY KEY, boss INTEGER REFERENCES employee(id));
CREATE TABLE orders(year INTEGER, number INTEGER, customer INTEGER NOT NULL REFERENCES customer(id), seller INTEGER REFERENCES employee(id),
                    PRIMARY KEY(year, number));
CREATE TABLE line(year INTEGER, number INTEGER, position INTEGER, note TEXT, PRIMARY KEY(year, number, position),
                  FOREIGN KEY(year, number) REFERENCES orders(year, number));
CREATE TABLE letter(email TEXT REFERENCES customer(email), text TEXT);
CREATE TABLE lonely(id INTEGER PRIMARY KEY, v TEXT);
"""


def fill(database, seed=7):
    draw = random.Random(seed)
    database.executescript("PRAGMA foreign_keys = OFF;" + SCHEMA)
    database.executemany("INSERT INTO region VALUES(?, ?, ?)",
                         [("r%d" % n, "x", draw.randrange(400)) for n in range(12)])
    database.executemany("INSERT INTO customer VALUES(?, ?, ?)",
                         [(n, "r%d" % draw.randrange(12), "c%d@x" % n) for n in range(400)])
    database.executemany("INSERT INTO employee VALUES(?, ?)", [(n, None if n == 0 else draw.randrange(n))
                                                               for n in range(150)])
    orders = [(2000 + n % 7, n, draw.randrange(400), None if n % 5 == 0 else draw.randrange(150)) for n in range(2000)]
    database.executemany("INSERT INTO orders VALUES(?, ?, ?, ?)", orders)
    database.executemany("INSERT INTO line VALUES(?, ?, ?, ?)",
                         [(o[0], o[1], p, "n") for o in orders for p in range(draw.randrange(4))])
    database.executemany("INSERT INTO letter VALUES(?, ?)", [("c%d@x" % draw.randrange(400), "t%d" % n)
                                                             for n in range(300)])
    database.executemany("INSERT INTO lonely VALUES(?, ?)", [(n, "v") for n in range(500)])
    database.commit()


class Sample(support.TestCase):
    TABLES = ("region", "customer", "employee", "orders", "line", "letter", "lonely")

    def setUp(self):
        super().setUp()
        with contextlib.closing(sqlite3.connect(self.path("shop.db"))) as database:
            fill(database)

    def rows(self, name):
        with contextlib.closing(sqlite3.connect(self.path(name))) as database:
            self.assertEqual(database.execute("PRAGMA foreign_key_check").fetchall(), [])
            return {table: sorted(database.execute("SELECT * FROM %s" % table).fetchall(), key=repr)
                    for table in self.TABLES}

    def migrate(self, target, *more, **options):
        return self.run_program("migrate", "shop.db", target, "--sample-rows", "20", "--state", target + ".state",
                                *more, **options)

    def test_every_key_finds_its_partner(self):
        self.migrate("a.db")
        rows = self.rows("a.db")
        whole = self.rows("shop.db")
        for table in self.TABLES:
            # of letters only those of chosen customers, and these have written few
            self.assertGreaterEqual(len(rows[table]), {"region": 12, "letter": 5}.get(table, 20), table)
            self.assertLess(len(rows[table]), len(whole[table]) // 2 if table != "region" else 13, table)
            self.assertLessEqual(set(rows[table]), set(whole[table]))
        self.assertEqual(len(rows["lonely"]), 20)
        customers = {row[0] for row in rows["customer"]}
        self.assertTrue(all(row[2] in customers for row in rows["orders"]))

    def test_children_belong_to_what_was_chosen(self):
        """Lines are those of chosen orders, not of any that would then be needed."""
        self.migrate("a.db")
        report = json.loads(self.run_program("check", "shop.db", "new.db", "--sample-rows", "20", "--json").out)
        by_name = {entity["entity"]: entity for entity in report["entities"]}
        rows = self.rows("a.db")
        for table in self.TABLES:
            self.assertEqual(by_name[table]["chosen"] + by_name[table]["partners"], len(rows[table]), table)
            self.assertEqual(by_name[table]["records"], len(rows[table]), table)
        self.assertEqual(by_name["line"]["partners"], 0)
        self.assertEqual(by_name["orders"]["chosen"], 20)
        self.assertIn("orders: 20 of 2000 rows", self.run_program("check", "shop.db", "new.db", "--sample-rows",
                                                                  "20").out)

    def test_the_seed_chooses(self):
        self.migrate("a.db")
        self.migrate("b.db")
        self.migrate("c.db", "--sample-seed", "5")
        self.assertEqual(self.rows("a.db"), self.rows("b.db"))
        self.assertNotEqual(self.rows("a.db")["lonely"], self.rows("c.db")["lonely"])

    def test_more_than_there_is(self):
        self.run_program("migrate", "shop.db", "all.db", "--sample-rows", "100000")
        self.assertEqual(self.rows("all.db"), self.rows("shop.db"))

    def test_killed_and_resumed(self):
        self.migrate("a.db")
        for place in (1, 3, 5):
            with self.subTest(place):
                target = "k%d.db" % place
                killed = support.kill_at("engine.after_commit", place, "migrate", "shop.db", target, "--sample-rows",
                                         "20", "--state", target + ".state",
                                         "--chunk-rows", "100", cwd=self.folder)
                self.assert_code(killed, -9)
                self.run_program("resume", "--state", target + ".state")
                self.assertEqual(self.rows(target), self.rows("a.db"))
        killed = support.kill_at("engine.subset_batch", 2, "migrate", "shop.db", "k.db", "--sample-rows", "20",
                                 "--state", "k", cwd=self.folder)
        self.assert_code(killed, -9)
        self.run_program("resume", "--state", "k")
        self.assertEqual(self.rows("k.db"), self.rows("a.db"))

    def test_a_comparison_knows_the_part(self):
        self.migrate("a.db")
        state = ("--state", "a.db.state")
        for level in ("count", "hash", "full"):
            self.run_program("validate", "--level", level, *state)
        with contextlib.closing(sqlite3.connect(self.path("a.db"))) as database, database:
            database.execute("DELETE FROM lonely WHERE id = (SELECT min(id) FROM lonely)")
        self.run_program("validate", *state, code=1)

    def test_records_of_documents_and_tables_that_do_not_join(self):
        """Of a source without foreign keys each table is chosen from by itself; a list comes whole."""
        with contextlib.closing(sqlite3.connect(self.path("shop.db"))) as database:
            database.row_factory = sqlite3.Row
            for table in self.TABLES:
                os.makedirs(self.path("docs", table))
                with open(self.path("docs", table, "part-1.jsonl"), "w", encoding="utf-8") as file:
                    file.writelines(json.dumps(dict(row)) + "\n" for row in database.execute("SELECT * FROM " + table))
        self.run_program("migrate", "jsonl:docs", "part.db", "--sample-rows", "30", "--state", "part.state")
        with contextlib.closing(sqlite3.connect(self.path("part.db"))) as database:
            for table in ("customer", "lonely", "orders", "letter"):
                self.assertEqual(database.execute("SELECT count(*) FROM " + table).fetchone(), (30,), table)

    def test_what_is_embedded_comes_along(self):
        self.write("p.yaml", """transhume: 1
source: sqlite:shop.db
target: jsonl:out
tables:
  orders:
    from: orders
    fields: { "*": copy, lines: { embed: line, order: position, fields: { position: copy } } }
""")
        self.run_program("migrate", "--plan", "p.yaml", "--sample-rows", "25")
        found = {}
        folder = self.path("out", "orders")
        for name in os.listdir(folder):
            for line in support.read_lines(os.path.join(folder, name)):
                record = json.loads(line)
                found[record["year"], record["number"]] = [item["position"] for item in record["lines"]]
        self.assertEqual(len(found), 25)
        with contextlib.closing(sqlite3.connect(self.path("shop.db"))) as database:
            for key, positions in found.items():
                there = database.execute("SELECT position FROM line WHERE year = ? AND number = ? ORDER BY position",
                                         key).fetchall()
                self.assertEqual([row[0] for row in there], positions)

    def test_it_does_not_follow(self):
        told = self.run_program("check", "shop.db", "new.db", "--sample-rows", "20", "--follow", code=2).err
        self.assertIn("does not go with --follow", told)


class Servers:
    def test_from_a_server_and_into_it(self):
        name = self.server.database()
        with contextlib.closing(sqlite3.connect(self.path("shop.db"))) as database:
            database.executescript(self.schema)
            database.executemany("INSERT INTO customer VALUES(?, ?)", [(n, "c%d" % n) for n in range(300)])
            database.executemany("INSERT INTO orders VALUES(?, ?)", [(n, n * 7 % 300) for n in range(900)])
            database.commit()
        self.run_program("migrate", "shop.db", self.server.uri(name), "--state", "one")
        self.run_program("migrate", self.server.uri(name), "part.db", "--sample-rows", "40", "--state", "two")
        with contextlib.closing(sqlite3.connect(self.path("part.db"))) as database:
            self.assertEqual(database.execute("PRAGMA foreign_key_check").fetchall(), [])
            self.assertEqual(database.execute("SELECT count(*) FROM orders").fetchone(), (40,))
            self.assertGreaterEqual(database.execute("SELECT count(*) FROM customer").fetchone()[0], 40)
        self.run_program("validate", "--state", "two")

    schema = ("CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE orders(id INTEGER PRIMARY KEY, "
              "customer INTEGER REFERENCES customer(id));")


class Postgres(Servers, support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)


class MariaDb(Servers, support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)


if __name__ == "__main__":
    unittest.main()
