"""Validation with PostgreSQL on either side: clean copies at every level, mutations of each type found and named,
repairs.

Mutations are made by psql, whose UPDATE says that it changed something.
"""
import json
import os
import random
import shutil
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import mariadb
import postgres
import support
import mutation_case as mutations
import validate_sql_case as cases
from test_postgres import EDGES, TYPES

# Each column of EDGES, what is there in a row, and what it is changed to: the least that the type can tell apart.
EACH_TYPE = [
    (1, "b", "false"), (2, "b", "NULL"), (1, "i2", "32766"), (2, "i4", "-2147483647"), (1, "i8", "9223372036854775806"),
    (1, "o", "4294967294"), (1, "f4", "1.1754942e-38"), (3, "f4", "'-Infinity'"), (2, "f4", "0"), (1, "f8", "1e-323"),
    (2, "f8", "0"), (4, "f8", "NULL"), (5, "f8", "0.10000000000000002"), (1, "n", "'Infinity'"),
    (2, "n", "123456789012345678901234567890.12345678901234567891"), (3, "n", "'0.000000000000000000010'"),
    (5, "n", "'100000000000000000000.0'"), (1, "n10", "9999999999999999999999999999.9999999998"),
    (2, "n2", "-99999999.98"),
    (1, "t", "'plain '"), (2, "t", "NULL"), (3, "t", "replace(t, U&'\\00FC', U&'u\\0308')"), (1, "t", "'Plain'"),
    (1, "v", "'ab'"),
    (2, "v", "' x'"), (1, "c", "'aB'"), (2, "c", "NULL"), (1, "nm", "'m'"), (1, "by", "'\\x00fe'"),
    (2, "by", "'\\x00'"),
    (1, "d", "'0001-01-02'"), (3, "d", "'-infinity'"), (2, "d", "'4712-01-01 BC'"), (1, "tm", "'00:00'"),
    (4, "tm", "'00:00:00.000002'"), (1, "tz", "'23:59:59.999999+13'"), (3, "tz", "'06:30+00'"),
    (2, "ts", "'4713-01-01 00:00:01 BC'"),
    (5, "ts", "'294276-12-31 23:59:58'"), (3, "ts", "'infinity'"), (2, "tsz", "'-infinity'"),
    (1, "tsz", "'2024-03-31 01:30:00.000001+01'"),
    (1, "iv", "'1 year 2 mons 4 days 04:05:06.000007'"), (4, "iv", "'178000000 years 1 mon'"),
    (2, "iv", "'-1 mons +1 days +23:59:59.5'"),
    (1, "u", "'123e4567-e89b-12d3-a456-426614174001'"), (1, "j", "'{\"a\": 1, \"a\":2}'"), (2, "j", "NULL"),
    (1, "jb", "'{\"b\":1,\"a\":[1,2.5,null]}'"), (1, "jb", "'{\"b\":1,\"a\":[2.50,1,null]}'"),
    (1, "j", "'{\"a\": \"1\",  \"a\":2}'"), (1, "jb", "'{\"b\":\"1\",\"a\":[1,2.50,null]}'"),
    (1, "jb", "'{\"b\":true,\"a\":[1,2.50,null]}'"),
    (2, "jb", "NULL"), (1, "m", "'happy'"),
    (1, "p", "6"), (1, "ai", "'{1,3,NULL}'"), (2, "ai", "NULL"), (1, "ai", "'{2,1,NULL}'"), (1, "ai", "'{1,NULL,2}'"),
    (1, "ai", "'{1,2}'"),
    (1, "at", "ARRAY[at[2], at[1]] || at[3:]"), (1, "at", "'{a,\"b c\",\"NULL\",\"q\\\"x\"}'"),
    (1, "ip", "'10.0.0.1'"), (1, "bits", "B'100'"), (1, "r", "'[1,6)'"), (2, "r", "NULL"), (1, "pt", "'(1,3)'"),
    (1, "mo", "'$1,234.57'"),
    (1, "x", "'<a>x </a>'"), (1, "tsv", "'a:1 b:3'"),
]


class PostgresCase(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def sql(self, name, statements):
        return self.server.psql(name, statements)

    def rows(self, name):
        return {table: rows for (schema, table), rows in self.server.rows(name).items() if schema == "public"}

    def refill(self):
        """The target as it was copied, whatever was done to it."""
        tables = ", ".join('"%s"' % table.replace('"', '""') for schema, table in self.good)
        self.sql(self.target, "TRUNCATE %s; SET session_replication_role = replica; %s" % (tables, "".join(
            "INSERT INTO \"%s\" SELECT * FROM good.\"%s\";" % (table, table) for _, table in self.good)))

    def keep(self):
        self.good = [key for key in self.server.rows(self.target) if key[0] == "public"
                     and not key[1].startswith("_transhume")]
        self.sql(self.target, "CREATE SCHEMA good;" + "".join(
            "CREATE TABLE good.\"%s\" AS TABLE public.\"%s\";" % (table, table) for _, table in self.good))

    def mutate(self, what, statement):
        """One statement that returns a row for each that it changed."""
        self.refill()
        self.assertNotEqual(self.sql(self.target, statement + " RETURNING 1"), [], "%s: nothing was changed" % what)


class Counted(PostgresCase, cases.Counted):
    MANY = ("CREATE TABLE many (id int PRIMARY KEY, v text); INSERT INTO many SELECT g, repeat('x', "
            "100) FROM generate_series(1, 150000) g; "
            "ANALYZE many; DELETE FROM many WHERE id % 10 = 0;")


class FromSqlite(PostgresCase, cases.FromSqlite):
    KEYS_ALIKE = [("CREATE EXTENSION citext;", "citext"),
                  ("CREATE COLLATION alike (provider = icu, locale = 'und-u-ks-level2', deterministic = false);",
                   "text COLLATE alike")]
    a_byte, a_space_more = "'\\x00'", "name || ' '"
    swap_two = ("UPDATE person p SET name = q.name, score = q.score, price = q.price, photo = q.photo, any_kind = "
                "q.any_kind FROM good.person q WHERE p.id IN (5, 6) AND q.id = 11 - p.id")
    # what a trigger would make of a repair is none of the source's
    in_the_way = ("CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.name := upper(NEW.name); "
                  "RETURN NEW; END';"
                  "CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON person FOR EACH ROW EXECUTE FUNCTION shout();")

    @staticmethod
    def one_of_equal(statement):
        return statement + " WHERE ctid = (SELECT min(ctid) FROM keyless WHERE w = 'w6')"

    def test_a_repair_killed_anywhere(self):
        """And then gone on with: resumed where it was a run, begun again where it was none."""
        damage = ("UPDATE person SET name = 'other' WHERE id % 7 = 0; DELETE FROM person WHERE id > 290; "
                  "INSERT INTO word SELECT 'extra' || i, i FROM generate_series(1, 9) i; "
                  "DELETE FROM word WHERE n % 11 = 0;")
        arguments = ("validate", "--repair", "--delete-extra", "--confirm")
        expected = self.server.rows(self.target)
        shutil.copytree(self.path(".transhume"), self.path("kept"))
        self.sql(self.target, "CREATE TABLE good._transhume_ledger AS TABLE _transhume_ledger")

        def damaged():
            shutil.rmtree(self.path(".transhume"))
            shutil.copytree(self.path("kept"), self.path(".transhume"))
            undo = self.sql(self.target,
                            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^_transhume_(undo|key)_'")
            self.sql(self.target, "".join('DROP TABLE "%s";' % name for name, in undo) + "TRUNCATE _transhume_ledger; "
                     "INSERT INTO _transhume_ledger SELECT * FROM good._transhume_ledger")
            self.refill()
            self.sql(self.target, damage)

        damaged()
        result, reached = support.count_failpoints(*arguments, cwd=self.folder)
        self.assert_code(result, 0)
        names = sorted(name for name in reached if name.startswith(("postgres.", "engine.")) and "state_" not in name)
        self.assertIn("postgres.before_delete", names)
        numbers = random.Random(support.SEED)
        for name in names if support.SOAK else numbers.sample(names, 2) + ["postgres.after_delete"]:
            with self.subTest(name):
                damaged()
                self.assertEqual(support.kill_at(name, (reached[name] + 1) // 2, *arguments, cwd=self.folder).code, -9)
                self.assertIn(support.transhume("resume", cwd=self.folder).code, (0, 1, 2))
                self.run_program(*arguments)
                self.validate("full", 0)
                found = self.server.rows(self.target)
                for table in ("person", "word", "keyless"):
                    self.assertEqual(expected["public", table], found["public", table])


class BetweenServers(PostgresCase, mutations.Mutations):
    def test_each_type(self):
        source, self.target = self.server.database(), self.server.database()
        self.sql(source, EDGES)
        self.sql(self.target, TYPES)
        self.run_program("migrate", self.server.uri(source), self.server.uri(self.target))
        for level in cases.LEVELS:
            self.assertEqual(self.validate(level, 0)["records"], [])
        # all changes of a row at once would hide one another: so a row of its own for each
        self.sql(source, "".join(self.copy_of(number, row) for number, (row, _, _) in enumerate(EACH_TYPE)))
        self.sql(self.target, "".join(self.copy_of(number, row) for number, (row, _, _) in enumerate(EACH_TYPE)))
        self.assertEqual(self.validate("full", 0)["records"], [])
        for number, (row, column, value) in enumerate(EACH_TYPE):
            changed = self.sql(self.target, "UPDATE edges SET %s = %s WHERE id = %d RETURNING 1" % (column, value,
                100 + number))
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


class IntoOthers(PostgresCase, mutations.Mutations):
    def test_keys_that_the_target_can_not_hold(self):
        """The run rejected their records: none of the levels looks for them, or stops at one."""
        self.source = self.server.database()
        self.sql(self.source,
                 "CREATE TABLE t (k timestamptz PRIMARY KEY, v int); INSERT INTO t VALUES ('294276-12-31', 1), "
                 "('2024-01-01', 2), ('infinity', 3);"
                              "CREATE TABLE f (k float8 PRIMARY KEY, v int); INSERT INTO f VALUES ('NaN', 1), (1.5, "
                              "2), ('Infinity', 3);"
                              "CREATE TABLE n (k numeric PRIMARY KEY, v int); INSERT INTO n VALUES ('NaN', 1), (1.50, "
                              "2), (1e400, 3);"
                              "CREATE TABLE d (k date, n int, PRIMARY KEY (k, n)); "
                              "INSERT INTO d VALUES ('5874897-12-31', 1), ('0044-03-15 BC', 2), ('2024-01-01', 3);"
                              "CREATE TABLE i (k interval PRIMARY KEY, v int); INSERT INTO i VALUES ('178000000 "
                              "years', 1), ('1 day', 2);")
        other = mariadb.for_class(type(self))
        support.make_sqlite(self.path("texts.db"),
                            "CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER); INSERT INTO t VALUES (CAST(x'ff41' AS "
                            "TEXT), 1), ('ok', 2);")
        zeros = other.database()
        other.ask(zeros,
                  "SET sql_mode = ''; CREATE TABLE t (k date PRIMARY KEY, v int); INSERT INTO t VALUES ('2024-00-00', "
                  "1), ('2024-01-01', 2)")
        pairs = [(self.server.uri(self.source), target) for target in ("sqlite:copy.db", other.uri(other.database()),
                                                                       "jsonl:lines")]
        pairs += [("texts.db", self.server.uri(self.server.database())), ("texts.db", other.uri(other.database())),
                  ("texts.db", "jsonl:texts")]
        pairs += [(other.uri(zeros), self.server.uri(self.server.database())), (other.uri(zeros), "sqlite:dates.db")]
        for source, target in pairs:
            with self.subTest(source=source, target=target):
                shutil.rmtree(self.path(".transhume"), ignore_errors=True)
                result = support.transhume("migrate", "-q", source, target, cwd=self.folder)
                self.assertIn(result.code, (0, 1), result.err)
                for level in cases.some_levels(source.partition(":")[0] + target.partition(":")[0]):
                    self.assertEqual(self.validate(level, 0)["records"], [], level)


class ThroughFiles(PostgresCase, mutations.Mutations):
    """What only PostgreSQL limits so, or holds."""
    TABLE = ("CREATE TABLE odd (id int PRIMARY KEY, at timestamptz, ts timestamp, d date, small numeric(5,8), "
             "large numeric(5,-3));")
    ROWS = ("INSERT INTO odd VALUES (1, 'infinity', '-infinity', 'infinity', 0.00012345, 12345678), (2, '-infinity', "
            "'infinity', '-infinity', "
            "-0.00099999, -99999000), (3, '0044-03-15 BC', '294246-12-31', '5874897-12-31', 0, 0), (4, 'infinity', "
            "NULL, NULL, 'NaN', 'NaN');")

    def test_there_and_back(self):
        source = self.server.database()
        self.sql(source, self.TABLE + self.ROWS)
        for form in ("csv", "jsonl"):
            with self.subTest(form=form):
                target = self.server.database()
                self.sql(target, self.TABLE)
                for there, back, options in ((self.server.uri(source), "%s:%s" % (form, form), ()),
                                             ("%s:%s" % (form, form), self.server.uri(target),
                                              ("--existing", "append"))):
                    shutil.rmtree(self.path(".transhume"), ignore_errors=True)
                    self.run_program("migrate", "-q", *options, there, back)
                    for level in cases.some_levels(form + str(options)):
                        self.assertEqual(self.validate(level, 0)["records"], [])
                self.assertEqual(self.rows(source), {table: rows for table, rows in self.rows(target).items()
                                                     if table == "odd"})

    def test_digits_that_a_scale_below_zero_does_not_keep(self):
        os.mkdir(self.path("in"))
        self.write("in/odd.csv", "id,large\n1,12345000.000\n2,0.00\n3,-7000\n")
        self.target = self.server.database()
        self.sql(self.target, "CREATE TABLE odd (id int PRIMARY KEY, large numeric(5,-3));")
        self.run_program("migrate", "-q", "--existing", "append", "csv:in", self.server.uri(self.target))
        for level in cases.LEVELS:
            self.assertEqual(self.validate(level, 0)["records"], [])
        self.sql(self.target, "UPDATE odd SET large = 12346000 WHERE id = 1")
        self.check("the last digit", "odd", {"different": 1}, {"id": 1})


class Unnested(PostgresCase, cases.Unnested):
    pass


class Constructs(PostgresCase, cases.Constructs):
    pass


if __name__ == "__main__":
    unittest.main()
