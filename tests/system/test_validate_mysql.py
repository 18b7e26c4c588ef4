"""Validation with MariaDB on either side: clean copies at every level, mutations of each type found and named, repairs.

Mutations are made by MariaDB's own client, which is asked whether it changed something.
"""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import mariadb
import mutation_case as mutations
import support
import validate_sql_case as cases
from test_mysql import EDGES

# Each column of EDGES, a row, and what it is changed to: the least that the type can tell apart.
EACH_TYPE = [
    (1, "t1", "0"), (1, "i1", "126"), (1, "i2", "65534"), (2, "i3", "-8388607"), (1, "i4", "4294967294"),
    (2, "i8", "-9223372036854775807"),
    (1, "u8", "18446744073709551614"), (1, "f4", "1.1754945e-38"), (4, "f4", "3.4028232e38"),
    (1, "f8", "1.7976931348623155e308"), (4, "f8", "1e-323"),
    (3, "f8", "0.10000000000000002"), (1, "n65", "12345678901234567890123456789012345.123456789012345678901234567891"),
    (2, "n65", "0"), (1, "n2", "0.11"), (1, "b1", "b'0'"), (2, "b1", "NULL"), (1, "b64", "0xfffffffffffffffe"),
    (1, "y", "2154"), (3, "y", "NULL"),
    (1, "v", "'abd'"), (2, "v", "' '"), (2, "v", "NULL"), (3, "v", "''"), (1, "c", "'aB'"), (1, "tt", "'T'"),
    (1, "lt", "concat(lt, ' ')"), (3, "lt", "NULL"),
    (1, "lat", "'aou€'"), (1, "bn", "0x00ff0a08"), (1, "vb", "0x5c0a09"), (2, "vb", "0x00"), (1, "lb", "0xff"),
    (2, "lb", "NULL"), (1, "d", "'9999-12-30'"),
    (2, "d", "'0000-01-00'"), (4, "d", "'2024-02-01'"), (1, "dt", "'9999-12-31 23:59:58'"), (2, "dt", "NULL"),
    (1, "dt6", "'9999-12-31 23:59:59.999998'"),
    (1, "ts", "'2038-01-19 03:14:07.999998'"), (3, "ts", "'2024-03-31 00:30:00.5'"), (1, "tm", "'838:59:58'"),
    (3, "tm", "'00:00:01'"),
    (1, "tm6", "'-838:59:59.999998'"), (4, "tm6", "'100:00:00'"), (1, "j", "'{\"a\": 1, \"a\":[2, 1]}'"),
    (2, "j", "NULL"),
    (1, "j", "'{\"a\": 1,  \"a\":[\"2\", null]}'"),
    (1, "j", "'{\"a\": 1,  \"a\":[null, 2]}'"), (1, "j", "'{\"a\": 1.0,  \"a\":[2, null]}'"),
    (1, "j", "'{\"a\": 1,  \"a\":[2.0, null]}'"), (1, "e", "'a'"), (4, "e", "'a'"),
    (1, "s", "'p'"), (2, "s", "NULL"), (1, "u", "'123e4567-e89b-12d3-a456-426614174001'"),
    (1, "ip", "'::ffff:1.2.3.5'"),
    (1, "g", "ST_GeomFromText('POINT(1 3)', 4326)"), (2, "inv", "0"), (1, "cmt", "6"),
]
COPIED = "t1,i1,i2,i3,i4,i8,u8,f4,f8,n65,n2,b1,b64,y,v,c,tt,lt,lat,bn,vb,lb,d,dt,dt6,ts,tm,tm6,j,e,s,u,ip,g,inv,cmt"


class MysqlCase(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def sql(self, name, statements):
        return self.server.ask(name, statements)

    def rows(self, name):
        return self.server.rows(name)

    def keep(self):
        self.good = [table for table in self.server.rows(self.target) if not table.startswith("_transhume")]
        self.sql("", "DROP DATABASE IF EXISTS good; CREATE DATABASE good;" + "".join(
            "CREATE TABLE good.`%s` AS SELECT * FROM %s.`%s`;" % (table, self.target, table) for table in self.good))

    def refill(self):
        """The target as it was copied, whatever was done to it."""
        self.sql(self.target, "SET foreign_key_checks = 0;" + "".join(
            "TRUNCATE `%s`; INSERT INTO `%s` SELECT * FROM good.`%s`;" % (table, table, table) for table in self.good))

    def mutate(self, what, statement):
        self.refill()
        self.assertGreater(int(self.sql(self.target, statement + "; SELECT ROW_COUNT()")[0][0]), 0,
                           "%s: nothing was changed" % what)


class Counted(MysqlCase, cases.Counted):
    MANY = ("CREATE TABLE many (id int PRIMARY KEY, v text); INSERT INTO many SELECT seq, repeat('x', "
            "100) FROM seq_1_to_150000; "
            "DELETE FROM many WHERE id % 10 = 0; ANALYZE TABLE many; UPDATE mysql.innodb_table_stats SET n_rows = "
            "150000 WHERE "
            "database_name = database() AND table_name = 'many'; FLUSH TABLE many;")


class FromSqlite(MysqlCase, cases.FromSqlite):
    KEYS_ALIKE = [("", "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")]
    a_byte, a_space_more = "x'00'", "concat(name, ' ')"
    swap_two = ("UPDATE person p JOIN good.person q ON q.id = 11 - p.id SET p.name = q.name, p.score = q.score, "
                "p.price = q.price, "
                "p.photo = q.photo, p.any_kind = q.any_kind WHERE p.id IN (5, 6)")

    @staticmethod
    def one_of_equal(statement):
        return statement + " WHERE w = 'w6' LIMIT 1"

    @property
    def in_the_way(self):
        """What a repair deletes takes nothing of others along."""
        kind = self.sql(self.target,
                        "SELECT concat(column_type, ' COLLATE ', collation_name) FROM information_schema.columns WHERE "
                                     "table_schema = database() AND table_name = 'word' AND column_name = 'w'")[0][0]
        return ("CREATE TABLE app_note (w %s, FOREIGN KEY (w) REFERENCES word(w) ON DELETE CASCADE); "
                "INSERT INTO app_note VALUES ('extra');"
                % kind)

    def test_a_repair_puts_it_right(self):
        super().test_a_repair_puts_it_right()
        self.assertEqual(self.sql(self.target, "SELECT w FROM app_note"), [["extra"]])

    def test_a_repair_where_tables_refer_to_each_other(self):
        support.make_sqlite(self.path("tree.db"), """
            CREATE TABLE child(id INTEGER PRIMARY KEY, up INTEGER REFERENCES parent(id));
            CREATE TABLE parent(id INTEGER PRIMARY KEY, best INTEGER REFERENCES child(id));
            INSERT INTO parent VALUES (1, NULL), (2, NULL), (3, 2); INSERT INTO child VALUES (1, 1), (2, 3), (3, 3);
            UPDATE parent SET best = 1 WHERE id = 1;""")
        self.target = self.server.database()
        expected = None
        for damage in ("DELETE FROM parent WHERE id = 3", "DELETE FROM child; DELETE FROM parent",
                       "UPDATE child SET up = 2 WHERE id = 1",
                       "INSERT INTO parent VALUES (9, 3); INSERT INTO child VALUES (9, 9)"):
            with self.subTest(damage=damage):
                if expected is None:
                    self.run_program("migrate", "-q", "--state", "tree", "tree.db", self.server.uri(self.target))
                    expected = {table: self.rows(self.target)[table] for table in ("child", "parent")}
                self.sql(self.target, "SET foreign_key_checks = 0;" + damage)
                self.run_program("validate", "--state", "tree", "--repair", "--delete-extra", "--confirm")
                self.assertEqual({table: self.rows(self.target)[table] for table in expected}, expected)


class BetweenServers(MysqlCase, mutations.Mutations):
    def test_each_type(self):
        source, self.target = self.server.database(), self.server.database()
        self.sql(source, EDGES)
        self.run_program("migrate", self.server.uri(source), self.server.uri(self.target))
        for level in cases.LEVELS:
            self.assertEqual(self.validate(level, 0)["records"], [])
        # all changes of a row at once would hide one another: so a row of its own for each
        copies = "".join("INSERT INTO edges (id, %s) SELECT %d, %s FROM edges WHERE id = %d;" % (COPIED, 100 + number,
            COPIED, row)
                         for number, (row, _, _) in enumerate(EACH_TYPE))
        self.sql(source, copies)
        self.sql(self.target, copies)
        self.assertEqual(self.validate("full", 0)["records"], [])
        for number, (row, column, value) in enumerate(EACH_TYPE):
            changed = self.sql(self.target, "UPDATE edges SET %s = %s WHERE id = %d; SELECT ROW_COUNT()" % (column,
                value, 100 + number))
            self.assertEqual(changed, [["1"]], "%s = %s in a copy of row %d" % (column, value, row))
        for level in ("hash", "full"):
            report = json.loads(self.run_program("validate", "--json", "--level", level, "--limit", "1000", code=1).out)
            found = {record["key"]["id"]: [field["name"] for field in record["fields"]] for record in report["records"]}
            for number, (row, column, value) in enumerate(EACH_TYPE):
                named = found.get(100 + number, [])
                self.assertEqual([name for name in named if name not in ("gen", "virt")], [column],
                                 "%s = %s in a copy of row %d" % (column, value, row))
            self.assertEqual(len(found), len(EACH_TYPE))
            self.assertEqual({record["kind"] for record in report["records"]}, {"different"})


class Doubles(MysqlCase, mutations.Mutations):
    def test_keys_whose_digits_are_no_double(self):
        """
        Of what a double is shown as the whole number may be none; a sample asks for it all the same, a repair takes it
        out.
        """
        keys = (72292304410944750.0, 2.0 ** 63, -2.0 ** 63, 9007199254740993.0, 1e18, 7.5, 0.0, -72292304410944750.0)
        support.make_sqlite(self.path("shop.db"), "CREATE TABLE t(k DOUBLE PRIMARY KEY, w TEXT);"
                            + "".join("INSERT INTO t VALUES (%r, 'w');" % key for key in keys))
        self.target = self.server.database()
        self.run_program("migrate", "-q", "shop.db", self.server.uri(self.target))
        for level in cases.LEVELS:
            self.assertEqual(self.validate(level, 0)["records"], [])
        support.make_sqlite(self.path("shop.db"), "DELETE FROM t")
        self.run_program("validate", "--repair", "--delete-extra", "--confirm")
        self.assertEqual(self.rows(self.target)["t"], [])


class Unnested(MysqlCase, cases.Unnested):
    pass


class Constructs(MysqlCase, cases.Constructs):
    pass


if __name__ == "__main__":
    unittest.main()
