"""Values that the source hands over in pieces keep their kind: bytes arrive as bytes and texts as texts, in every
target, and a comparison does not take for damage what one side reads whole and the other in pieces.
"""
import contextlib
import hashlib
import os
import sqlite3
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
sys.path.append(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
import cache
import mariadb
import postgres
import support
from engines import duckdb as duckdb_engine

# `?slice=64KiB`: everything above is a handle on a value.
LENGTH = (64 << 10) + 1
SOURCE = "sqlite:s.db?slice=64KiB"
VALUES = {
    "bytes that are a text": "zeroblob(%d)" % LENGTH,
    "bytes that are none": "CAST(zeroblob(%d) AS BLOB) || x'ff'" % LENGTH,
    "random bytes": "randomblob(%d)" % LENGTH,
}
TEXTS = {"letters": "replace(hex(zeroblob(%d)), '0', 'é')" % LENGTH,
         "digits": "replace(hex(zeroblob(%d)), '0', '7')" % LENGTH,
         "JSON": "'{\"a\":\"' || hex(randomblob(%d)) || '\"}'" % LENGTH}
FOLDERS = ("parquet", "arrow", "csv", "jsonl")


class Pieces(support.TestCase):
    def fill(self, bytes_are="BLOB"):
        rows = ["(%d, CAST(%s AS BLOB), NULL)" % (i, value) for i, value in enumerate(VALUES.values())]
        rows += ["(%d, NULL, %s)" % (i + 10, value) for i, value in enumerate(TEXTS.values())]
        support.make_sqlite(self.path("s.db"), "CREATE TABLE big(id INTEGER PRIMARY KEY, b %s, t TEXT);"
                                               "INSERT INTO big VALUES %s" % (bytes_are, ", ".join(rows)))

    def told(self, name):
        with contextlib.closing(sqlite3.connect(self.path(name))) as db:
            return [(row[0], row[1], row[2], hashlib.md5(row[3]).hexdigest(), hashlib.md5(row[4]).hexdigest())
                    for row in
                    db.execute("SELECT id, typeof(b), typeof(t), CAST(coalesce(b, x'') AS BLOB), CAST(coalesce(t, "
                               "'') AS BLOB) FROM big ORDER BY id")]

    def there_and_back(self, target, compared=True):
        self.fill()
        self.run_program("migrate", "-q", SOURCE, target)
        for level in ("hash", "full") if compared else ():
            self.run_program("validate", "-q", "--level", level)
        self.run_program("migrate", "-q", "--state", "back", target, "back.db")
        self.assertEqual(self.told("back.db"), self.told("s.db"))
        if compared:
            self.run_program("validate", "-q", "--level", "full", "--state", "back")
            self.run_program("rollback", "-q", "--run", self.run_id(), "--confirm")


class IntoFiles(Pieces):
    def test_sqlite(self):
        self.there_and_back("d.db")

    def test_duckdb(self):
        try:
            os.environ["TRANSHUME_DUCKDB"] = duckdb_engine.library()
        except cache.Unavailable as fault:
            self.skipTest("no libduckdb: %s" % fault)
        self.there_and_back("duckdb:d.duckdb")

    def test_files(self):
        built = self.run_program("connectors").out
        for name in FOLDERS:
            if name in built:
                with self.subTest(name):
                    for left in ("s.db", "back.db"):
                        if os.path.exists(self.path(left)):
                            os.remove(self.path(left))
                    self.fill()
                    self.run_program("migrate", "-q", "--state", name, SOURCE, name + ":" + name)
                    self.run_program("migrate", "-q", "--state", name + "-back", name + ":" + name, "back.db")
                    self.assertEqual([row[0::3] for row in self.told("back.db")],
                                     [row[0::3] for row in self.told("s.db")])


class IntoServers(Pieces):
    """Also into tables that are there, whose columns have a normal form of their own."""
    SERVER, COLUMNS = postgres, "id int PRIMARY KEY, b bytea, t text"

    @classmethod
    def setUpClass(cls):
        cls.server = cls.SERVER.shared_for_class(cls)

    def test_there_and_back(self):
        self.there_and_back(self.server.uri(self.server.database()))

    def test_a_table_that_is_there(self):
        self.fill()
        database = self.server.database()
        self.server.ask(database, "CREATE TABLE big(%s)" % self.COLUMNS)
        self.run_program("migrate", "-q", SOURCE, self.server.uri(database))
        for level in ("hash", "full"):
            self.run_program("validate", "-q", "--level", level)
        self.run_program("rollback", "-q", "--run", self.run_id(), "--confirm")


class IntoMariadb(IntoServers):
    SERVER, COLUMNS = mariadb, "id int PRIMARY KEY, b longblob, t longtext"


if __name__ == "__main__":
    unittest.main()
