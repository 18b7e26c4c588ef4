"""Rows and changes that do not find each other by themselves: rows that are missing in the target."""
import os
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
    """PostgreSQL sends a long value only when it has changed: an update then says a part of a row, which may be missing in the target."""

    LANES = 1

    def setUp(self):
        super().setUp()
        self.source, self.target = PostgresSide(self, self.server, "source"), self.target_side()

    def begin(self):
        self.source.make("CREATE TABLE part (id INTEGER PRIMARY KEY, number INTEGER, long TEXT); ALTER TABLE part ALTER long SET STORAGE EXTERNAL;"
                         "CREATE TABLE split (id INTEGER PRIMARY KEY, long TEXT) PARTITION BY RANGE (id); CREATE TABLE split_1 PARTITION OF split FOR VALUES FROM (0) TO (100);"
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
        self.source.transaction(["UPDATE part SET number = 100 WHERE id = 1", "UPDATE part SET id = 102 WHERE id = 2", "UPDATE part SET number = 3 WHERE id = 3",
                                 "UPDATE part SET number = 4 WHERE id = 4", "DELETE FROM part WHERE id = 4",
                                 "UPDATE part SET number = 5 WHERE id = 5", "DELETE FROM part WHERE id = 5", "INSERT INTO part VALUES (5, 55, 'short')",
                                 "UPDATE part SET number = number + 1000 WHERE id BETWEEN 8 AND 25", "UPDATE part SET long = 'new' WHERE id = 6",
                                 "UPDATE part SET id = 107 WHERE id = 7", "UPDATE part SET number = 7 WHERE id = 107"], True)
        self.assertNotIn("reject", self.follow().err)
        self.assertEqual(self.target.rows("part"), self.source.rows("part"))

    def test_what_the_source_deleted_later_is_no_reject(self):
        self.begin()
        self.lose("id < 3")
        self.source.transaction(["UPDATE part SET number = 100 WHERE id < 3"], True)
        self.source.transaction(["DELETE FROM part WHERE id = 1", "UPDATE part SET id = 200 WHERE id = 2"], True)
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
        self.source.make("CREATE TABLE late (id INTEGER PRIMARY KEY, number INTEGER, long TEXT); ALTER TABLE late ALTER long SET STORAGE EXTERNAL;"
                         "INSERT INTO late SELECT i, i, repeat(md5(i::text), 400) FROM generate_series(1, 3) AS i")
        self.target.make("CREATE TABLE late (id INTEGER PRIMARY KEY, number INTEGER CHECK (number <> 2), %s TEXT)" % self.LONG)
        self.run_program("migrate", "--follow", "--catch-up", "--lanes", self.LANES, self.source.uri, self.target.uri, code=1)
        self.source.transaction(["UPDATE late SET number = 2 WHERE id = 2", "UPDATE late SET number = 33 WHERE id = 3"], True)
        self.follow(code=1)
        self.assertEqual(self.target.rows("late"), [row for row in self.source.rows("late") if row[0] != "2"])
        self.source.transaction(["UPDATE late SET number = 22 WHERE id = 2"], True)
        support.transhume("follow", "--catch-up", cwd=self.folder)   # the copy's reject is in the book until it is settled
        self.assertEqual(self.target.rows("late"), self.source.rows("late"))

    LONG = "long"

    def rejects(self):
        import glob
        import json
        return [json.loads(line) for path in glob.glob(self.path(".transhume/rejects/follow-*.jsonl")) for line in open(path)]


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
        side.rows = lambda table: sorted(([None if v is None else str(v) for v in row] for row in side.ask("SELECT id, number, long FROM %s" % table)), key=repr)
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
        side.rows = lambda table: sorted(([None if record.get(name) is None else str(record[name]) for name in ("id", "number", "long")]
                                          for record in side.documents(table).values()), key=repr)
        return side

    def lose(self, where):
        for key in range(1, int(where.split("<")[1])):
            self.search.ask("DELETE", "/%spart/_doc/%d?refresh=true" % (self.target.prefix, key))


del MissingRows, PartsIntoSql

if __name__ == "__main__":
    unittest.main()
