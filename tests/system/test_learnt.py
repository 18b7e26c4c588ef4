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
import opensearch_server  # noqa: E402
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
MYSQL = (("truth", "tinyint(1)", "1", "2"),
         ("span", "time", "'10:00:00'", "'100:00:00'"),
         ("moment", "datetime", "'2024-01-01'", "'0000-00-00'"),
         ("moment_set", "datetime NOT NULL", "'2024-01-01'", "'0000-00-00'"),
         ("day", "date", "'2024-01-01'", "'2024-00-00'"),
         ("counted", "bigint unsigned", "1", "18446744073709551615"),
         ("amount", "decimal(30,2)", "1.25", "12345678901234567890123456.78"))
SQLITE = (("amount", "DECIMAL(14,2)", "1.25", "0.333"),
          ("large", "DECIMAL(14,2)", "1", "1e20"),
          ("day", "DATE", "'2024-01-01'", "'soon'"),
          ("moment", "DATETIME", "'2024-01-01 10:00:00'", "'noon'"),
          ("number", "INTEGER", "1", "'one'"))


class Follow(Learnt):
    """Each value in a row of its own, behind it a row that fits."""

    # Which of them the target holds all the same.
    held = ()

    def table(self):
        return "CREATE TABLE t(id %s PRIMARY KEY, %s);" % (
            "bigint unsigned AUTO_INCREMENT" if self.columns is MYSQL else "INTEGER",
            ", ".join("%s %s" % column[:2] for column in self.columns))

    def insert(self, id, odd=None):
        values = [column[3] if column[0] == odd else column[2] for column in self.columns]
        before = "SET sql_mode = '';" if self.columns is MYSQL else ""
        return "%sINSERT INTO t VALUES (%d, %s);" % (before, id, ", ".join(values))

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
        for command in (("follow", "--resync", "--catch-up"), ("follow", "--catch-up", "--refresh", "t"),
                        ("follow", "--catch-up")):
            with self.subTest(command=command):
                result = support.transhume(*command, cwd=self.folder)
                self.assertIn(result.code, (0, 1), result.err)
                self.assert_arrived()
        for command in (("validate",), ("validate", "--repair", "--confirm"), ("cutover", "--dry-run"),
                        ("cutover", "--confirm")):
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
    def test_a_column_that_came_is_learnt_once(self):
        """The mapping's next version, whatever is killed while it is kept."""
        self.begin()
        self.source.transaction(["ALTER TABLE t ADD COLUMN extra DECIMAL(10,2)", "UPDATE t SET extra = 1.5"], True)
        for failpoint in ("ledger.before_learnt", "ledger.after_learnt"):
            result = support.kill_at(failpoint, 1, "follow", "--catch-up", cwd=self.folder)
            self.assertEqual(result.code, -9, failpoint + result.err)
            self.run_program("follow", "--catch-up", env={"TRANSHUME_FAILPOINT": "ledger.after_learnt:kill:2"})
            self.source.transaction(["ALTER TABLE t ADD COLUMN more_%s DECIMAL(10,2)" % failpoint[7:8],
                                     "UPDATE t SET id = id"], True)
        self.run_program("follow", "--catch-up")
        version = self.mapping()["version"]
        self.source.transaction(["INSERT INTO t(id, amount, large, extra) VALUES (20, 1, 1, 0.333), (21, 1, 1, 2)"],
                                True)
        for _ in range(2):  # it is missing still
            self.run_program("follow", "--catch-up", code=1)
        self.assertEqual((self.ids(), self.rejected_keys()), ([1, 21], [20]))
        self.assertEqual((self.types()["extra"], self.mapping()["version"]), ("decimal(10,2)", version))
        self.assertEqual(version, 4)

    def test_columns_in_another_order_are_no_change(self):
        """A table that is made again, as migrations of SQLite do it."""
        self.source.make("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b DECIMAL(9,1));"
                         + "".join("INSERT INTO t VALUES (%d, 'a', 1);" % id for id in range(1, 41)))
        arguments = ("--chunk-rows", "10", "--jobs", "1", self.source.uri, self.target())
        self.stopped_at("engine.after_commit:stop:1", "migrate", *arguments).kill()
        self.source.transaction(["CREATE TABLE n(id INTEGER PRIMARY KEY, b DECIMAL(9,1), a TEXT)",
                                 "INSERT INTO n SELECT id, b, a FROM t", "DROP TABLE t",
                                 "ALTER TABLE n RENAME TO t", "UPDATE t SET b = 0.25 WHERE id = 40"], True)
        self.run_program("resume", *arguments, code=1)
        self.assertEqual(self.ids(), list(range(1, 40)))
        self.assertEqual(self.postgres.psql(self.name, "SELECT DISTINCT a FROM t"), [["a"]])

    def test_an_earlier_format_is_refused(self):
        self.begin()
        self.postgres.psql(self.name, "UPDATE _transhume_ledger SET value = "
                                      "replace(value, '\"format\":3', '\"format\":2')")
        result = self.run_program("follow", "--catch-up", code=5)
        self.assertIn("format-older", result.err)
        self.assertIn("an earlier version of transhume made it", result.err)


# --- sources that learn their tables and columns from records

class Interrupted(ToSqlite, Learnt):
    """A copy that is killed after its first chunk, and a source that says something else by then."""
    killed_at = "engine.after_commit"

    def kill_and_resume(self, source, state=True):
        arguments = ("--chunk-rows", "10", "--jobs", "1", source, self.target())
        self.stopped_at(self.killed_at + ":stop:1", "migrate", *arguments).kill()
        self.write_odd_records()
        if not state:
            shutil.rmtree(self.path(".transhume"))
        result = support.transhume("resume", *arguments, cwd=self.folder)
        self.assertIn(result.code, (0, 1), result.err)
        for command in (("validate",), ("validate", *arguments[4:])):
            self.assertNotIn("plan-changed", support.transhume(*command, cwd=self.folder).err)
        return result

    def rows(self, columns, table="t"):
        with sqlite3.connect(self.path("target.db")) as connection:
            return connection.execute("SELECT %s FROM %s ORDER BY 1" % (columns, table)).fetchall()


class Csv(Interrupted, support.TestCase):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("in"))
        self.write("in/t.csv", "id,n,day\n" + "".join("%d,%d,2024-01-01\n" % (id, id) for id in range(1, 41)))

    def write_odd_records(self):
        with open(self.path("in/t.csv"), "a", encoding="utf-8") as file:
            file.write("41,many,2024-01-01\n42,1.5,2024-01-01\n43,43,soon\n44,44,2024-01-02\n")

    def assert_whole(self):
        self.assertEqual([id for id, in self.rows("id")], [*range(1, 41), 44])
        self.assertEqual(self.types(), {"id": "int64", "n": "int64", "day": "date"})

    def test_types_that_were_learnt_stand(self):
        self.kill_and_resume("csv:in")
        self.assert_whole()
        self.assertEqual(len(self.rejects()), 3)

    def test_without_the_state_folder(self):
        self.kill_and_resume("csv:in", state=False)
        self.assert_whole()


class JsonLines(Interrupted, support.TestCase):
    def setUp(self):
        super().setUp()
        os.mkdir(self.path("in"))
        self.write("in/t.jsonl", "".join('{"id": %d, "n": %d}\n' % (id, id) for id in range(1, 41)))

    def write_odd_records(self):
        with open(self.path("in/t.jsonl"), "a", encoding="utf-8") as file:
            file.write('{"id": 41, "n": "many"}\n{"id": 42, "n": 1.5}\n{"id": 43, "more": 1}\n{"id": 44, "n": 44}\n')

    def test_types_that_were_learnt_stand(self):
        self.kill_and_resume("jsonl:in")
        self.assertEqual([id for id, in self.rows("id")], [*range(1, 41), 44])
        self.assertEqual(self.types(), {"id": "int64", "n": "int64"})
        self.assertEqual(len(self.rejects()), 3)


class Mongodb(Interrupted, support.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = ferretdb.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.base = self.server.database()
        self.there = self.server.client()[self.base]
        self.there.t.insert_many([{"_id": id, "n": id} for id in range(1, 41)])

    def write_odd_records(self):
        self.there.t.insert_many([{"_id": 41, "n": "many"}, {"_id": 42, "more": 1}, {"_id": "text", "n": 1},
                                  {"_id": 44, "n": 44}])
        self.there.other.insert_one({"_id": 1})

    def test_types_that_were_learnt_stand(self):
        result = self.kill_and_resume(self.server.uri(self.base))
        ids = [id for id, in self.rows("_id")]
        self.assertEqual([id for id in ids if id in [*range(1, 41), 44]], [*range(1, 41), 44])
        self.assertIn("other is in the source only since", result.err)


class Redis(Interrupted, support.TestCase):
    killed_at = "engine.after_ledger_create"  # so few keys are one chunk

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = redis_server.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.number = self.server.database()
        for id in range(1, 41):
            self.server.ask(self.number, "HSET", "t:%d" % id, "n", "%d" % id)

    def write_odd_records(self):
        self.server.ask(self.number, "SET", "t:text", "1")
        self.server.ask(self.number, "SET", "other:1", "1")
        self.server.ask(self.number, "HSET", "t:44", "n", "44")

    def test_tables_that_were_learnt_stand(self):
        self.kill_and_resume(self.server.uri(self.number))
        self.assertEqual(len(self.rows("*")), 41)


class Opensearch(Interrupted, support.TestCase):
    killed_at = "engine.after_ledger_create"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = opensearch_server.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        self.prefix = self.server.database()
        self.server.bulk(self.prefix + "t", {str(id): {"id": id, "n": 1} for id in range(1, 41)})

    def write_odd_records(self):
        self.server.bulk(self.prefix + "t", {"44": {"id": 44, "n": 1, "more": 2}})

    def test_fields_that_came_are_no_part_of_the_run(self):
        result = self.kill_and_resume(self.server.uri(self.prefix))
        self.assertIn("column t.more is in the source only since the run began", result.err)
        self.assertEqual(self.rows("id, n"), [(id, 1) for id in [*range(1, 41), 44]])
