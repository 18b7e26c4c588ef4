"""What a run learnt stays with it: whatever the source's values say later, each command that goes on with the run
has the mapping that it began with, what fits it arrives, and what does not is a reject with its key."""
import json
import os
import shutil
import sqlite3
import sys

import support
from test_follow import SqliteSide
from test_follow_mysql import MysqlSide, OnMariadb

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import ferretdb  # noqa: E402
import postgres  # noqa: E402
import redis_server  # noqa: E402


class Learnt:
    """What the run keeps, and what it rejected."""

    def status(self):
        return json.loads(self.run_program("status", "--json").out)

    def mapping(self):
        return self.status()["mapping"]

    def types(self, table="t"):
        entity, = (entity for entity in self.mapping()["entities"] if entity["table"] == table)
        return {column["name"]: column["type"] for column in entity["columns"]}

    def rejected_keys(self):
        keys = [reject["key"]["id"] for reject in self.rejects()]
        return sorted({int(*key.values()) if isinstance(key, dict) else key for key in keys})


class ToSqlite:
    def target(self):
        self.side = SqliteSide(self, "target.db")
        return self.side.uri

    def ids(self, table="t"):
        with sqlite3.connect(self.path("target.db")) as connection:
            return [id for id, in connection.execute("SELECT id FROM %s ORDER BY id" % table)]


class ToPostgres:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres = postgres.shared_for_class(cls)

    def target(self):
        self.name = self.postgres.database()
        return self.postgres.uri(self.name)

    def ids(self, table="t"):
        return [int(id) for id, in self.postgres.psql(self.name, "SELECT id FROM %s ORDER BY id" % table)]


# --- values that say something else than those before

# What a column is declared as, the values that it begins with, and one that these did not foretell.
MYSQL = (("truth", "tinyint(1)", "1", "2"), ("span", "time", "'10:00:00'", "'100:00:00'"), ("moment", "datetime", "'2024-01-01'", "'0000-00-00'"),
         ("moment_set", "datetime NOT NULL", "'2024-01-01'", "'0000-00-00'"), ("day", "date", "'2024-01-01'", "'2024-00-00'"),
         ("counted", "bigint unsigned", "1", "18446744073709551615"), ("amount", "decimal(30,2)", "1.25", "12345678901234567890123456.78"))
SQLITE = (("amount", "DECIMAL(14,2)", "1.25", "0.333"), ("large", "DECIMAL(14,2)", "1", "1e20"), ("day", "DATE", "'2024-01-01'", "'soon'"),
          ("moment", "DATETIME", "'2024-01-01 10:00:00'", "'noon'"), ("number", "INTEGER", "1", "'one'"))


class Follow(Learnt):
    """Each value in a row of its own, behind it a row that fits."""

    # Which of them the target holds all the same.
    held = ()

    def table(self):
        return "CREATE TABLE t(id %s PRIMARY KEY, %s);" % (
            "bigint unsigned AUTO_INCREMENT" if self.columns is MYSQL else "INTEGER", ", ".join("%s %s" % column[:2] for column in self.columns))

    def insert(self, id, odd=None):
        values = [column[3] if column[0] == odd else column[2] for column in self.columns]
        return "%sINSERT INTO t VALUES (%d, %s);" % ("SET sql_mode = '';" if self.columns is MYSQL else "", id, ", ".join(values))

    def begin(self):
        self.source.make(self.table() + self.insert(1))
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target())
        self.assertEqual(self.ids(), [1])

    def write_odd_values(self):
        for at, (name, *_) in enumerate(self.columns):
            self.source.transaction([self.insert(10 + at, name).rstrip(";")], True)
        self.source.transaction([self.insert(2).rstrip(";")], True)

    def odd(self):
        return [10 + at for at, (name, *_) in enumerate(self.columns) if name not in self.held]

    def assert_arrived(self):
        held = [10 + at for at, (name, *_) in enumerate(self.columns) if name in self.held]
        self.assertEqual(self.ids(), [1, 2] + held)

    def test_every_command_goes_on(self):
        self.begin()
        before = self.types(), self.mapping()["hash"]
        self.write_odd_values()
        self.run_program("follow", "--catch-up", code=self.code_with_rejects)
        self.assert_arrived()
        self.assertEqual(self.rejected_keys(), self.odd())
        for command in (("follow", "--resync", "--catch-up"), ("follow", "--catch-up", "--refresh", "t"), ("follow", "--catch-up")):
            with self.subTest(command=command):
                result = support.transhume(*command, cwd=self.folder)
                self.assertIn(result.code, (0, 1), result.err)
                self.assert_arrived()
        for command in (("validate",), ("validate", "--repair", "--confirm"), ("cutover", "--dry-run"), ("cutover", "--confirm")):
            with self.subTest(command=command):
                self.assertNotIn("plan-changed", support.transhume(*command, cwd=self.folder).err)
        self.assertEqual((self.types(), self.mapping()["hash"]), before)
        self.assertEqual(self.mapping()["version"], 1)

    code_with_rejects = 1

    def test_without_the_state_folder(self):
        self.begin()
        self.write_odd_values()
        shutil.rmtree(self.path(".transhume"))
        self.run_program("follow", "--catch-up", self.source.uri, self.uri_of_target(), code=self.code_with_rejects)
        self.assert_arrived()

    def test_an_interrupted_copy(self):
        self.source.make(self.table() + "".join(self.insert(id) for id in range(100, 130)))
        arguments = ("--chunk-rows", "10", "--jobs", "1", self.source.uri, self.target())
        self.stopped_at("engine.after_commit:stop:1", "migrate", *arguments).kill()
        self.write_odd_values()
        result = support.transhume("resume", *arguments, cwd=self.folder)
        self.assertEqual(result.code, 1, result.err)
        self.assertNotIn("plan-changed", result.err)
        self.assertEqual([id for id in self.ids() if id >= 100], list(range(100, 130)))

    def uri_of_target(self):
        return self.side.uri if isinstance(self, ToSqlite) else self.postgres.uri(self.name)


class OfMariadb(OnMariadb, Follow):
    columns = MYSQL

    def setUp(self):
        super().setUp()
        self.source = MysqlSide(self.server)


class OfSqlite(Follow):
    columns = SQLITE

    def setUp(self):
        super().setUp()
        self.source = SqliteSide(self, "source.db")


class MariadbToPostgres(ToPostgres, OfMariadb, support.TestCase):
    held = ("counted", "amount")  # numerics of as many digits


class MariadbToSqlite(ToSqlite, OfMariadb, support.TestCase):
    held = ("span", "moment", "moment_set")  # texts


class SqliteToPostgres(ToPostgres, OfSqlite, support.TestCase):
    pass
