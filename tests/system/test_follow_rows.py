"""Rows and changes that do not find each other by themselves: rows that are missing in the target, and rows that
foreign keys of
MySQL and MariaDB change without a word in the binary log."""
import os
import random
import subprocess
import sys
import unittest

import cassandra_server
import opensearch_server
import support
import test_follow
from test_follow import PostgresSide, SqliteSide
from test_follow_cassandra import CassandraSide
from test_follow_mysql import MysqlSide, OnMariadb, followed
from test_follow_stores import SearchSide

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import mariadb  # noqa: E402


class MissingRows(test_follow.OfPostgres):
    """
    PostgreSQL sends a long value only when it has changed: an update then says a part of a row, which may be missing in
    the target.
    """

    LANES = 1

    def setUp(self):
        super().setUp()
        self.source, self.target = PostgresSide(self, self.server, "source"), self.target_side()

    def begin(self):
        self.source.make("CREATE TABLE part (id INTEGER PRIMARY KEY, number INTEGER, long TEXT); "
                         "ALTER TABLE part ALTER long SET STORAGE EXTERNAL;"
                         "CREATE TABLE split (id INTEGER PRIMARY KEY, long TEXT) PARTITION BY RANGE (id); "
                         "CREATE TABLE split_1 PARTITION OF split FOR VALUES FROM (0) TO (100);"
                         "ALTER TABLE split_1 ALTER long SET STORAGE EXTERNAL;"
                         "INSERT INTO part SELECT i, i, repeat(md5(i::text), 400) FROM generate_series(1, 30) AS i;"
                         "INSERT INTO split SELECT i, repeat(md5(i::text), 400) FROM generate_series(1, 3) AS i")
        self.run_program("migrate", "--follow", "--catch-up", "--lanes", self.LANES, self.source.uri, self.target.uri)

    def follow(self, code=0):
        return self.run_program("follow", "--catch-up", "--lanes", self.LANES, code=code)

    def lose(self, where):
        self.target.transaction(["DELETE FROM part WHERE %s" % where], True)

    def test_they_are_read_again(self):
        """Also where the key changes, where nothing but the key came, and where many rows change in one statement."""
        self.begin()
        self.lose("id < 20")
        self.source.transaction(["UPDATE part SET number = 100 WHERE id = 1", "UPDATE part SET id = 102 WHERE id = 2",
                                 "UPDATE part SET number = 3 WHERE id = 3",
                                 "UPDATE part SET number = 4 WHERE id = 4", "DELETE FROM part WHERE id = 4",
                                 "UPDATE part SET number = 5 WHERE id = 5", "DELETE FROM part WHERE id = 5",
                                 "INSERT INTO part VALUES (5, 55, 'short')",
                                 "UPDATE part SET number = number + 1000 WHERE id BETWEEN 8 AND 25",
                                 "UPDATE part SET long = 'new' WHERE id = 6",
                                 "UPDATE part SET id = 107 WHERE id = 7", "UPDATE part SET number = 7 WHERE id = 107"],
                                True)
        self.assertNotIn("reject", self.follow().err)
        self.assertEqual(self.target.rows("part"), self.source.rows("part"))

    def test_what_the_source_deleted_later_is_no_reject(self):
        self.begin()
        self.lose("id < 5")
        self.source.transaction(["UPDATE part SET number = 100 WHERE id < 5"], True)
        self.source.transaction(["DELETE FROM part WHERE id = 1",
                                 "UPDATE part SET id = id + 200 WHERE id IN (2, 3, 4)"], True)
        self.follow()
        self.assertEqual(self.target.rows("part"), self.source.rows("part"))


class PartsIntoSql(MissingRows):
    def test_what_nobody_has_is_a_reject(self):
        """A partition that was emptied does not tell of its rows."""
        self.begin()
        self.target.transaction(["DELETE FROM split WHERE id = 2"], True)
        self.source.transaction(["UPDATE split SET id = id WHERE id > 1"], True)
        self.source.transaction(["TRUNCATE split_1"], True)
        self.assertIn("1 record was rejected", self.follow(code=1).err)
        reject, = self.rejects()
        self.assertEqual((reject["code"], reject["key"]), ("absent", {"id": 2}))

    def test_what_the_target_refuses_still_is_a_reject(self):
        """A row that the copy rejected does not come by halves."""
        self.source.make("CREATE TABLE late (id INTEGER PRIMARY KEY, number INTEGER, long TEXT); "
                         "ALTER TABLE late ALTER long SET STORAGE EXTERNAL;"
                         "INSERT INTO late SELECT i, i, repeat(md5(i::text), 400) FROM generate_series(1, 3) AS i")
        self.target.make("CREATE TABLE late (id INTEGER PRIMARY KEY, number INTEGER CHECK (number <> 2), %s TEXT)"
                         % self.LONG)
        self.run_program("migrate", "--follow", "--catch-up", "--lanes", self.LANES, self.source.uri, self.target.uri,
                         code=1)
        self.source.transaction(["UPDATE late SET number = 2 WHERE id = 2", "UPDATE late SET number = 33 WHERE id = 3"],
                                True)
        self.follow(code=1)
        self.assertEqual(self.target.rows("late"), [row for row in self.source.rows("late") if row[0] != "2"])
        self.source.transaction(["UPDATE late SET number = 22 WHERE id = 2"], True)
        # the copy's reject is in the book until it is settled
        support.transhume("follow", "--catch-up", cwd=self.folder)
        self.assertEqual(self.target.rows("late"), self.source.rows("late"))

    LONG = "long"

    def rejects(self):
        import glob
        import json
        return [json.loads(line) for path in glob.glob(self.path(".transhume/rejects/follow-*.jsonl"))
                for line in open(path)]


class MissingInSqlite(PartsIntoSql, support.TestCase):
    def target_side(self):
        return SqliteSide(self, "copy.db")


class MissingInPostgres(PartsIntoSql, support.TestCase):
    LANES = 3

    def target_side(self):
        return PostgresSide(self, self.server, "copy")


class MissingInMariadb(PartsIntoSql, support.TestCase):
    LONG = "`long`"

    def target_side(self):
        return MysqlSide(followed(mariadb, mariadb.FOLLOWED))


class MissingInCassandra(MissingRows, support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cassandra = cassandra_server.shared_for_class(cls)

    def target_side(self):
        side = CassandraSide(self.cassandra)
        side.rows = lambda table: sorted(([None if v is None else str(v) for v in row]
                                          for row in side.ask("SELECT id, number, long FROM %s" % table)), key=repr)
        return side

    def lose(self, where):
        for key in range(1, int(where.split("<")[1])):
            self.target.ask("DELETE FROM part WHERE id = %d" % key)


class MissingInOpensearch(MissingRows, support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.search = opensearch_server.shared_for_class(cls)

    def target_side(self):
        side = SearchSide(self.search)
        side.rows = lambda table: sorted(([None if record.get(name) is None else str(record[name])
                                           for name in ("id", "number", "long")]
                                          for record in side.documents(table).values()), key=repr)
        return side

    def lose(self, where):
        for key in range(1, int(where.split("<")[1])):
            self.search.ask("DELETE", "/%spart/_doc/%d?refresh=true" % (self.target.prefix, key))


class Family:
    """
    Random tables, keys that refer to others (and to their own table) with random actions, and random changes, which the
    server carries out.
    """

    TABLES = 6

    def __init__(self, side, seed):
        self.side, self.pick, self.next = side, random.Random(seed), 1
        self.unchecked = False   # some delete rows that others refer to, which stay
        self.columns = []   # per table: [(column, table that it refers to, may it be null)]
        self.kind = self.pick.choice(["int", "bigint unsigned", "varchar(20)", "binary(8)"])
        side.make("".join(self.table(number) for number in range(self.TABLES)))

    def table(self, number):
        keys, lines = [], ["id %s NOT NULL PRIMARY KEY" % self.kind, "n int"]
        for place in range(self.pick.choice([0, 1, 1, 2, 2]) if number else self.pick.choice([0, 1])):
            to = self.pick.randrange(number + 1)
            delete, update = self.pick.choice(["CASCADE", "CASCADE", "SET NULL",
                                               "RESTRICT"]), self.pick.choice(["CASCADE", "SET NULL", "RESTRICT",
                                                                               "CASCADE"])
            null = "SET NULL" in (delete, update) or to == number or self.pick.random() < 0.3
            if to == number and update != "RESTRICT":
                update = "RESTRICT"   # InnoDB refuses to change the table that it changes
            keys.append(("r%d" % place, to, null))
            lines += ["r%d %s%s" % (place, self.kind, "" if null else " NOT NULL"),
                      "FOREIGN KEY (r%d) REFERENCES t%d (id) ON DELETE %s ON UPDATE %s" % (place, to, delete, update)]
        self.columns.append(keys)
        return "CREATE TABLE t%d (%s);" % (number, ", ".join(lines))

    def value(self, number):
        return "'k%d'" % number if self.kind.startswith("varchar") else "x'%016x'" % number if self.kind.startswith(
            "binary") else str(number)

    def some_id(self, table):
        return "(SELECT id FROM (SELECT id FROM t%d ORDER BY n LIMIT %d, 1) x)" % (table, self.pick.randrange(12))

    def row(self, table):
        self.next += 1
        known = self.pick.random() < 0.3   # perhaps a key that was there before
        return "(%s)" % ", ".join([self.value(self.pick.randrange(1, 60) if known else 100 + self.next),
                                   str(self.next * 7919 % 1009)]
                                  + ["NULL" if null and self.pick.random() < 0.2 else self.some_id(to)
                                     for _, to, null in self.columns[table]])

    def statement(self):
        table = self.pick.randrange(self.TABLES)
        keys, what = self.columns[table], self.pick.random()
        if what < 0.6:
            return "INSERT IGNORE INTO t%d VALUES %s" % (table,
                                                         ", ".join(self.row(table)
                                                                   for _ in range(self.pick.choice([1, 2, 4]))))
        if what < 0.72 and keys:
            column, to, _ = self.pick.choice(keys)
            return "UPDATE IGNORE t%d SET %s = %s WHERE id = %s" % (table, column, self.some_id(to),
                                                                    self.some_id(table))
        if what < 0.82:
            self.next += 1
            return "UPDATE IGNORE t%d SET id = %s WHERE id = %s" % (table,
                                                                    self.value(self.pick.choice([self.next + 100,
                                                                        self.pick.randrange(1, 60)])),
                                                                    self.some_id(table))
        if what < 0.85:
            return "REPLACE INTO t%d VALUES %s" % (table, self.row(table))
        if what < 0.87 and self.unchecked:
            return "SET foreign_key_checks = 0; DELETE FROM t%d WHERE id = %s; SET foreign_key_checks = 1" % (table,
                self.some_id(table))
        return "DELETE IGNORE FROM t%d WHERE id %s %s" % (table, self.pick.choice(["=", "=", "=", "<"]),
                                                          self.some_id(table))

    def change(self, count):
        """A statement that the server refuses changes nothing; the others of its transaction stand."""
        sql = ""
        for _ in range(count):
            statements = [self.statement() for _ in range(self.pick.choice([1, 1, 2, 5]))]
            sql += "BEGIN;%s;%s;" % (";".join(statements), "COMMIT" if self.pick.random() < 0.9 else "ROLLBACK")
        subprocess.run(["mariadb", *self.side.server._account(), "--force", self.side.name], input=sql.encode(),
                       stderr=subprocess.DEVNULL, check=False)

    def rows(self, side):
        """{table: its rows}; bytes as hexadecimal digits."""
        words = {MysqlSide: "lower(hex(%s))", SqliteSide: "lower(hex(%s))",
                 PostgresSide: "encode(%s, 'hex')"}[type(side)] if self.kind.startswith("binary") else "%s"
        found = {}
        for number, keys in enumerate(self.columns):
            names = ", ".join([words % "id", "n"] + [words % name for name, _, _ in keys])
            found["t%d" % number] = sorted(side.asked("SELECT %s FROM t%d" % (names, number)), key=repr)
        return found


class Cascades(OnMariadb):
    """What foreign keys of the source do, and its binary log does not tell."""

    SEEDS, LANES = 20 if support.SOAK else 2, 1

    def target_side(self):
        return MysqlSide(self.server)

    def test_random_families(self):
        for seed in range(test_follow.SEED, test_follow.SEED + self.SEEDS):
            with self.subTest(seed=seed):
                self.one_family(seed)

    def one_family(self, seed):
        source, target = MysqlSide(self.server), self.target_side()
        state = self.path("state-%d" % seed)
        family = Family(source, seed)
        family.change(80)
        self.run_program("migrate", "--follow", "--catch-up", "--state", state, "--lanes", self.LANES, source.uri,
                         target.uri)
        family.unchecked = True
        for _ in range(3):
            family.change(40)
            self.run_program("follow", "--catch-up", "--state", state, "--lanes", self.LANES, source.uri, target.uri)
            self.assertEqual(family.rows(target), family.rows(source), "seed %d" % seed)
        self.run_program("validate", "--state", state)


class CascadesIntoMariadb(Cascades, support.TestCase):
    LANES = 3


class CascadesIntoSqlite(Cascades, support.TestCase):
    files = 0

    def target_side(self):
        self.files += 1
        return SqliteSide(self, "copy-%d.db" % self.files)


class CascadesIntoPostgres(test_follow.OfPostgres, Cascades, support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server, cls.postgres = followed(mariadb, mariadb.FOLLOWED), cls.server

    def target_side(self):
        return PostgresSide(self, self.postgres, "copy")


del MissingRows, PartsIntoSql, Cascades

if __name__ == "__main__":
    unittest.main()
