"""Validation with PostgreSQL on either side: clean copies at every level, mutations of each type found and named, repairs.

Mutations are made by psql, whose UPDATE says that it changed something.
"""
import json
import os
import random
import shutil
import sqlite3
import sys
import unicodedata
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import postgres
import support
import mutation_case as mutations
from test_postgres import EDGES, TYPES

VICTIM, ROWS = mutations.VICTIM, mutations.ROWS
LEVELS = ("count", "sample", "hash", "full")
# Each column of EDGES, what is there in a row, and what it is changed to: the least that the type can tell apart.
EACH_TYPE = [
    (1, "b", "false"), (2, "b", "NULL"), (1, "i2", "32766"), (2, "i4", "-2147483647"), (1, "i8", "9223372036854775806"),
    (1, "o", "4294967294"), (1, "f4", "1.1754942e-38"), (3, "f4", "'-Infinity'"), (2, "f4", "0"), (1, "f8", "1e-323"),
    (2, "f8", "0"), (4, "f8", "NULL"), (5, "f8", "0.10000000000000002"), (1, "n", "'Infinity'"),
    (2, "n", "123456789012345678901234567890.12345678901234567891"), (3, "n", "'0.000000000000000000010'"),
    (5, "n", "'100000000000000000000.0'"), (1, "n10", "9999999999999999999999999999.9999999998"), (2, "n2", "-99999999.98"),
    (1, "t", "'plain '"), (2, "t", "NULL"), (3, "t", "replace(t, U&'\\00FC', U&'u\\0308')"), (1, "t", "'Plain'"), (1, "v", "'ab'"),
    (2, "v", "' x'"), (1, "c", "'aB'"), (2, "c", "NULL"), (1, "nm", "'m'"), (1, "by", "'\\x00fe'"), (2, "by", "'\\x00'"),
    (1, "d", "'0001-01-02'"), (3, "d", "'-infinity'"), (2, "d", "'4712-01-01 BC'"), (1, "tm", "'00:00'"),
    (4, "tm", "'00:00:00.000002'"), (1, "tz", "'23:59:59.999999+13'"), (3, "tz", "'06:30+00'"), (2, "ts", "'4713-01-01 00:00:01 BC'"),
    (5, "ts", "'294276-12-31 23:59:58'"), (3, "ts", "'infinity'"), (2, "tsz", "'-infinity'"), (1, "tsz", "'2024-03-31 01:30:00.000001+01'"),
    (1, "iv", "'1 year 2 mons 4 days 04:05:06.000007'"), (4, "iv", "'178000000 years 1 mon'"), (2, "iv", "'-1 mons +1 days +23:59:59.5'"),
    (1, "u", "'123e4567-e89b-12d3-a456-426614174001'"), (1, "j", "'{\"a\": 1, \"a\":2}'"), (2, "j", "NULL"),
    (1, "jb", "'{\"b\":1,\"a\":[1,2.5,null]}'"), (1, "jb", "'{\"b\":1,\"a\":[2.50,1,null]}'"), (2, "jb", "NULL"), (1, "m", "'happy'"),
    (1, "p", "6"), (1, "ai", "'{1,3,NULL}'"), (2, "ai", "NULL"), (1, "at", "'{a,\"b c\",\"NULL\",\"q\\\"x\"}'"),
    (1, "ip", "'10.0.0.1'"), (1, "bits", "B'100'"), (1, "r", "'[1,6)'"), (2, "r", "NULL"), (1, "pt", "'(1,3)'"), (1, "mo", "'$1,234.57'"),
    (1, "x", "'<a>x </a>'"), (1, "tsv", "'a:1 b:3'"),
]


class PostgresCase(mutations.Mutations):
    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def sql(self, name, statements):
        return self.server.psql(name, statements)

    def refill(self):
        """The target as it was copied, whatever was done to it."""
        tables = ", ".join('"%s"' % table.replace('"', '""') for schema, table in self.good)
        self.sql(self.target, "TRUNCATE %s; SET session_replication_role = replica; %s" % (tables, "".join(
            "INSERT INTO \"%s\" SELECT * FROM good.\"%s\";" % (table, table) for _, table in self.good)))

    def keep(self):
        self.good = [key for key in self.server.rows(self.target) if key[0] == "public" and not key[1].startswith("_transhume")]
        self.sql(self.target, "CREATE SCHEMA good;" + "".join(
            "CREATE TABLE good.\"%s\" AS TABLE public.\"%s\";" % (table, table) for _, table in self.good))

    def mutate(self, what, statement):
        """One statement that returns a row for each that it changed."""
        self.refill()
        self.assertNotEqual(self.sql(self.target, statement + " RETURNING 1"), [], "%s: nothing was changed" % what)


class FromSqlite(PostgresCase):
    def setUp(self):
        super().setUp()
        mutations.make_sqlite(self.path("shop.db"))
        db = sqlite3.connect(self.path("shop.db"))
        db.execute("UPDATE person SET any_kind = id")  # a column has one type there
        db.commit()
        db.close()
        self.target = self.server.database()
        self.run_program("migrate", "shop.db", self.server.uri(self.target))
        for level in LEVELS:
            self.assertEqual(self.validate(level, 0)["records"], [])
        self.keep()

    def field(self, what, column, value, row=VICTIM):
        self.mutate(what, "UPDATE person SET %s = %s WHERE id = %d" % (column, value, row))
        self.check(what, "person", {"different": 1}, {"id": row}, [column])

    def test_values(self):
        self.field("flip a letter", "name", "'cafe'")
        self.field("NFC and NFD", "name", "'%s'" % unicodedata.normalize("NFD", mutations.ACCENT))
        self.field("case", "name", "'Caf\u00e9'")
        self.field("trailing space", "name", "name || ' '")
        self.field("truncate", "name", "'caf'")
        self.field("truncate bytes", "photo", "'\\x00'")
        self.field("a float's last bit", "score", "19.625000000000004")
        self.field("a cent", "price", "1.58")
        self.field("null and empty", "note", "NULL")
        self.field("empty and null", "note", "''", VICTIM + 1)
        self.field("the last digit of 38", "note", "'%s'" % (str(mutations.LONG)[:-1] + "8"), VICTIM + 2)
        self.field("1 and 1.0 as texts", "note", "'n.0'", VICTIM + 4)

    def test_records(self):
        self.mutate("drop", "DELETE FROM person WHERE id = %d" % VICTIM)
        self.check("drop", "person", {"missing": 1}, {"id": VICTIM})
        self.mutate("add", "INSERT INTO person(id, name) VALUES (9999, 'new')")
        self.check("add", "person", {"extra": 1}, {"id": 9999})
        self.mutate("swap two", "UPDATE person p SET name = q.name, score = q.score, price = q.price, photo = q.photo, any_kind = "
                                "q.any_kind FROM good.person q WHERE p.id IN (5, 6) AND q.id = 11 - p.id")
        self.check("swap two", "person", {"different": 2}, {"id": 5})
        self.mutate("swap a field of two", "UPDATE word SET n = 11 - n WHERE n IN (5, 6)")
        self.check("swap a field of two", "word", {"different": 2}, {"w": "word5"}, ["n", "n"])
        self.mutate("move a key", "UPDATE word SET w = 'Word7' WHERE w = 'word7'")
        self.check("move a key", "word", {"missing": 1, "extra": 1}, {"w": "Word7"})
        self.mutate("empty", "DELETE FROM word")
        self.check("empty", "word", {"missing": ROWS})

    def test_records_without_a_key(self):
        self.mutate("duplicate", "INSERT INTO keyless SELECT * FROM good.keyless WHERE w = 'w6' LIMIT 1")
        self.check("duplicate", "keyless", {"extra": 1})
        one = "ctid = (SELECT min(ctid) FROM keyless WHERE w = 'w6')"
        self.mutate("drop one of equal ones", "DELETE FROM keyless WHERE " + one)
        self.check("drop one of equal ones", "keyless", {"missing": 1})
        self.mutate("flip", "UPDATE keyless SET w = 'W6' WHERE " + one)
        self.check("flip", "keyless", {"missing": 1, "extra": 1})

    def test_a_repair_puts_it_right(self):
        expected = self.server.rows(self.target)
        damage = ("UPDATE person SET name = 'other' WHERE id IN (5, 6); DELETE FROM person WHERE id > 290; "
                  "INSERT INTO word VALUES ('extra', 1); DELETE FROM keyless WHERE w = 'w6' AND n::text = '0'; "
                  "INSERT INTO keyless VALUES ('zz', NULL), ('zz', NULL);")
        # what a trigger would make of a repair is none of the source's
        trigger = ("CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.name := upper(NEW.name); RETURN NEW; END';"
                   "CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON person FOR EACH ROW EXECUTE FUNCTION shout();")
        self.refill()
        self.sql(self.target, damage + trigger)
        report = json.loads(self.run_program("validate", "--json", "--repair", code=1).out)
        self.assertEqual(report["to_delete"], 0)
        self.assertEqual({(record["kind"], record["table"]) for record in self.validate("full", 1)["records"]},
                         {("extra", "word"), ("extra", "keyless")})
        self.run_program("validate", "--repair", "--delete-extra", "--confirm")
        self.validate("full", 0)
        found = self.server.rows(self.target)
        for table in ("person", "word", "keyless"):
            self.assertEqual(expected["public", table], found["public", table])

    def test_a_repair_killed_anywhere(self):
        """And then gone on with: resumed where it was a run, begun again where it was none."""
        damage = ("UPDATE person SET name = 'other' WHERE id % 7 = 0; DELETE FROM person WHERE id > 290; "
                  "INSERT INTO word SELECT 'extra' || i, i FROM generate_series(1, 9) i; DELETE FROM word WHERE n % 11 = 0;")
        arguments = ("validate", "--repair", "--delete-extra", "--confirm")
        expected = self.server.rows(self.target)
        shutil.copytree(self.path(".transhume"), self.path("kept"))
        ledger = ["_transhume_run", "_transhume_chunk", "_transhume_done", "_transhume_made"]
        self.sql(self.target, "".join("CREATE TABLE good.%s AS TABLE %s;" % (table, table) for table in ledger))

        def damaged():
            shutil.rmtree(self.path(".transhume"))
            shutil.copytree(self.path("kept"), self.path(".transhume"))
            undo = self.sql(self.target, "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^_transhume_(undo|key)_'")
            self.sql(self.target, "".join('DROP TABLE "%s";' % name for name, in undo) + "TRUNCATE %s;" % ", ".join(ledger) + "".join(
                "INSERT INTO %s OVERRIDING SYSTEM VALUE SELECT * FROM good.%s;" % (table, table) for table in ledger))
            self.refill()
            self.sql(self.target, damage)

        damaged()
        result, reached = support.count_failpoints(*arguments, cwd=self.folder)
        self.assert_code(result, 0)
        names = sorted(name for name in reached if name.startswith(("postgres.", "engine.")) and "state_" not in name)
        self.assertIn("postgres.before_delete", names)
        numbers = random.Random(support.SEED)
        for name in names if support.SOAK else numbers.sample(names, 4) + ["postgres.after_delete"]:
            with self.subTest(name):
                damaged()
                self.assertEqual(support.kill_at(name, (reached[name] + 1) // 2, *arguments, cwd=self.folder).code, -9)
                self.assertIn(support.transhume("resume", cwd=self.folder).code, (0, 1, 2))
                self.run_program(*arguments)
                self.validate("full", 0)
                found = self.server.rows(self.target)
                for table in ("person", "word", "keyless"):
                    self.assertEqual(expected["public", table], found["public", table])

    def test_a_repair_is_rolled_back(self):
        self.target = self.server.database()
        shutil.rmtree(self.path(".transhume"))
        self.run_program("migrate", "--include", "person", "--include", "word", "shop.db", self.server.uri(self.target))
        self.sql(self.target, "UPDATE person SET name = 'other', score = NULL WHERE id IN (5, 6); DELETE FROM word WHERE n < 4")
        before = self.server.rows(self.target)
        self.run_program("validate", "--repair")
        self.validate("full", 0)
        with open(self.path(".transhume/run.json"), encoding="utf-8") as file:
            run = json.load(file)["run"]
        self.run_program("rollback", "--run", run, "--confirm")
        after = self.server.rows(self.target)
        for table in ("person", "word"):
            self.assertEqual(before["public", table], after["public", table])


class BetweenServers(PostgresCase):
    def test_each_type(self):
        source, self.target = self.server.database(), self.server.database()
        self.sql(source, EDGES)
        self.sql(self.target, TYPES)
        self.run_program("migrate", self.server.uri(source), self.server.uri(self.target))
        for level in LEVELS:
            self.assertEqual(self.validate(level, 0)["records"], [])
        # all changes of a row at once would hide one another: so a row of its own for each
        self.sql(source, "".join(self.copy_of(number, row) for number, (row, _, _) in enumerate(EACH_TYPE)))
        self.sql(self.target, "".join(self.copy_of(number, row) for number, (row, _, _) in enumerate(EACH_TYPE)))
        self.assertEqual(self.validate("full", 0)["records"], [])
        for number, (row, column, value) in enumerate(EACH_TYPE):
            changed = self.sql(self.target, "UPDATE edges SET %s = %s WHERE id = %d RETURNING 1" % (column, value, 100 + number))
            self.assertEqual(len(changed), 1)
        for level in ("hash", "full"):
            report = json.loads(self.run_program("validate", "--json", "--level", level, "--limit", "1000", code=1).out)
            found = {record["key"]["id"]: [field["name"] for field in record["fields"]] for record in report["records"]}
            for number, (row, column, value) in enumerate(EACH_TYPE):
                named = found.get(100 + number, [])
                self.assertEqual([name for name in named if name != "g"], [column],
                                 "%s = %s in a copy of row %d" % (column, value, row))
            self.assertEqual(len(found), len(EACH_TYPE))
            self.assertEqual({record["kind"] for record in report["records"]}, {"different"})

    @staticmethod
    def copy_of(number, row):
        names = "b,i2,i4,i8,o,f4,f8,n,n10,n2,t,v,c,nm,by,d,tm,tz,ts,tsz,iv,u,j,jb,m,p,ai,at,ip,bits,r,pt,mo,x,tsv"
        return "INSERT INTO edges (id, %s) SELECT %d, %s FROM edges WHERE id = %d;" % (names, 100 + number, names, row)


class Pairs(PostgresCase):
    PLACES = {"sqlite": "sqlite:%s.db", "csv": "csv:%s", "jsonl": "jsonl:%s", "dynamodb-json": "dynamodb-json:%s"}
    SCRIPT = """
    CREATE TABLE things(id INTEGER PRIMARY KEY, name TEXT NOT NULL, price DECIMAL(10,2), photo BLOB, note TEXT);
    CREATE TABLE words(word TEXT PRIMARY KEY, amount INTEGER);
    """

    def test_every_other_kind(self):
        support.make_sqlite(self.path("origin.db"), self.SCRIPT)
        db = sqlite3.connect(self.path("origin.db"))
        db.executemany("INSERT INTO things VALUES (?,?,?,?,?)",
                       [(i, "thing %d \u00e9" % i, i / 100, bytes([i % 256]), ["", "note", None][i % 3]) for i in range(1, 120)])
        db.executemany("INSERT INTO words VALUES (?,?)", [("w%d" % i, i) for i in range(80)])
        db.commit()
        db.close()
        first = self.server.uri(self.server.database())
        cases = [("sqlite:origin.db", first)] + [(first, place % ("to-" + kind)) for kind, place in self.PLACES.items()]
        cases += [(self.PLACES[kind] % ("to-" + kind), self.server.uri(self.server.database())) for kind in ("csv", "jsonl", "sqlite")]
        cases.append((first, self.server.uri(self.server.database())))
        for number, (source, target) in enumerate(cases):
            with self.subTest(source=source, target=target):
                state = "state%d" % number
                self.run_program("migrate", "-q", "--state", state, source, target)
                for level in LEVELS:
                    result = self.run_program("validate", "--json", "--state", state, "--level", level)
                    report = json.loads(result.out)
                    self.assertEqual((report["ok"], report["records"]), (True, []))
                    self.assertEqual(sum(row["source"] for row in report["entities"]), 199 if level != "sample" else 180)


if __name__ == "__main__":
    unittest.main()
