"""
Rejects of following: known until they arrive or go, whatever ends the process, and to every command the same number.
"""
import json
import os
import shutil
import signal
import sys
import unittest
import unittest.mock

import support
from test_follow import PostgresSide, SqliteSide
from test_follow_mysql import MysqlSide, followed

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import mariadb  # noqa: E402
import postgres  # noqa: E402

SOURCE = ("CREATE TABLE e (id INTEGER PRIMARY KEY, n INTEGER, t TEXT); INSERT INTO e VALUES (1, 1, '1'), (2, 700, "
          "'2'), (3, 3, '3');")
CHECKED = "CREATE TABLE e (id INTEGER PRIMARY KEY, n INTEGER CHECK (n < 100), t TEXT)"
PLAN = ("transhume: 1\nsource: %s\ntarget: %s\ntables:\n  e:\n    key: id\n    entities:\n      e:\n        from: e\n"
        "        fields: { id: copy, n: copy, t: { column: t, cast: int64 } }\n")


class Books(support.TestCase):
    """What each command says of the book."""

    def setUp(self):
        super().setUp()
        self.source, self.target = self.sides()
        self.source.make(SOURCE)

    def state(self):
        with open(self.path(".transhume", "state.json"), encoding="utf-8") as file:
            return json.load(file)

    def ends(self, unsettled):
        """All that tell a number tell this one."""
        state = self.state()
        reasons = state["rejects"]["reasons"]
        shown = sum(entity["rejected"] for table in state["tables"].values() for entity in table["entities"].values())
        self.assertEqual((state["rejects"]["unsettled"], sum(reason["count"] for reason in reasons), shown,
                          state["follow"]["rejected"]),
                         (unsettled,) * 4)
        total = self.run_program("status").out.splitlines()
        self.assertIn(str(unsettled), next(line for line in total if line.startswith("total")).split()[2])
        return {reason["code"] for reason in reasons}

    def follow(self, unsettled, *options):
        result = self.run_program("follow", "--catch-up", "--json", *options, *self.places, code=1 if unsettled else 0,
                                  time_limit=120)
        self.assertEqual(json.loads(result.out)["rejected"], unsettled, result.err)
        self.codes = self.ends(unsettled)
        return result

    def change(self, *statements):
        self.source.transaction(statements, True)

    def lines(self):
        folder = self.path(".transhume", "rejects")
        found = []
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                found += [json.loads(line) for line in file]
        return found


class FormerRow(Books):
    """What a row was, which the target can't hold: it never had it, so the row as it is now is a new record."""

    def sides(self):
        return SqliteSide(self, "source.db"), PostgresSide(self, followed(postgres, postgres.FOLLOWED), "target")

    def setUp(self):
        support.TestCase.setUp(self)
        self.source, self.target = self.sides()
        self.places = (self.source.uri, self.target.uri)

    def unsettled(self, count):
        self.run_program("follow", "--catch-up", code=1 if count else 0)
        self.assertEqual(self.state()["rejects"]["unsettled"], count)

    def test_a_key_with_a_nul(self):
        self.source.make("CREATE TABLE e (k TEXT PRIMARY KEY, v INTEGER); INSERT INTO e VALUES ('x', 0)")
        self.run_program("migrate", "-q", "--follow", "--catch-up", *self.places)
        for change, count in (("INSERT INTO e VALUES ('a' || char(0), 1)", 1), ("UPDATE e SET v = 2 WHERE v = 1", 1),
                              ("UPDATE e SET k = 'b' WHERE v = 2", 0),
                              ("INSERT INTO e VALUES ('c' || char(0), 3)", 1),
                              ("UPDATE e SET k = 'd' || char(0) WHERE v = 3", 1), ("DELETE FROM e WHERE v = 3", 0),
                              ("UPDATE e SET k = 'y' || char(0) WHERE k = 'x'", 1),
                              ("UPDATE e SET k = 'z' WHERE v = 0", 0)):
            self.source.make(change)
            self.unsettled(count)
        self.assertEqual(self.target.rows("e"), self.source.rows("e"))

    def test_a_zero_date_without_a_key(self):
        self.source = MysqlSide(followed(mariadb, mariadb.FOLLOWED))
        self.places = (self.source.uri, self.target.uri)
        self.source.make("CREATE TABLE e (d DATE, v INTEGER); INSERT INTO e VALUES ('2020-01-01', 1)")
        self.run_program("migrate", "-q", "--follow", "--catch-up", *self.places)
        zero = "SET sql_mode = ''; INSERT INTO e VALUES ('0000-00-00', %d)"
        for change, count in ((zero % 2, 1), ("UPDATE e SET d = '2021-02-02' WHERE v = 2", 1), (zero % 3, 2),
                              ("DELETE FROM e WHERE v = 3", 2), (zero % 4, 3)):
            self.source.make(change)
            self.unsettled(count)
        self.assertEqual(sorted(row[1] for row in self.target.rows("e")), ["1", "2"])
        self.assertIn("--refresh TABLE", self.run_program("follow", "--catch-up", code=1).err)
        self.run_program("follow", "--catch-up", "--resync", code=1)   # one is missing still
        self.assertEqual(self.state()["rejects"]["unsettled"], 1)


class Refused(Books):
    """The target's CHECK refuses them."""

    places = ()

    def begin(self):
        self.target.make(CHECKED)
        self.places = (self.source.uri, self.target.uri)
        self.run_program("migrate", "-q", "--follow", "--catch-up", *self.places, code=1)
        self.ends(1)

    def test_until_they_arrive_or_go(self):
        self.begin()
        self.change("INSERT INTO e VALUES (4, 400, '4')", "INSERT INTO e VALUES (5, 500, '5')",
                    "INSERT INTO e VALUES (6, 6, '6')")
        self.follow(3)
        self.assertEqual(self.codes, {"constraint"})
        line = next(line for line in self.lines() if line["key"] == {"id": 4})
        self.assertEqual((line["record"], line["code"], line["entity"]),
                         ({"id": 4, "n": 400, "t": "4"}, "constraint", "e"))
        self.follow(3)
        for level in ("count", "sample", "hash", "full"):
            report = json.loads(self.run_program("validate", "--json", "--level", level, code=1).out)
            self.assertEqual((report["ok"], report["rejects_missing"], report["entities"][0]["missing"]), (False, 3, 0),
                             level)
        self.assertIn("rejected", self.run_program("cutover", "--confirm", code=5).err)
        self.run_program("cutover", "--back", "--confirm")
        shutil.rmtree(self.path(".transhume"))
        self.follow(3)
        self.change("UPDATE e SET n = 40 WHERE id = 4", "DELETE FROM e WHERE id = 5")
        self.follow(1)  # the copy's own, whose file is lost
        result = self.follow(1, "--refresh", "e")
        self.assertIn("1 record is missing, since it was rejected: 1 of e (constraint", result.err)
        self.change("UPDATE e SET id = 20, n = 20 WHERE id = 2")
        self.follow(0)
        self.assertEqual(self.target.rows("e"), self.source.rows("e"))
        self.run_program("validate")
        self.run_program("cutover", "--confirm")

    def test_an_older_state_is_told(self):
        """The record that a refused change was to alter stays as it was: it is neither missing nor equal."""
        self.begin()
        self.change("UPDATE e SET n = 300 WHERE id = 3")
        self.follow(2)
        report = json.loads(self.run_program("validate", "--json", code=1).out)
        self.assertEqual((report["rejects_missing"], report["entities"][0]["rejected"],
                          report["entities"][0]["outdated"]), (2, 2, 1))
        said = " ".join(self.run_program("validate", code=1).out.split())
        self.assertIn("of 1 of them the target holds an older state", said)
        self.assertIn("INCOMPLETE, what is there is equal but for older states of rejected records", said)
        self.assertNotIn("--repair", said)
        self.change("UPDATE e SET n = 30 WHERE id = 3")
        self.follow(1)
        self.assertNotIn("older state", self.run_program("validate", code=1).out)

    def test_within_one_group(self):
        """Refused and put right, or put right and refused, before anything is told."""
        self.begin()
        self.change("INSERT INTO e VALUES (4, 400, '4')")
        self.change("UPDATE e SET n = 40 WHERE id = 4")
        self.change("UPDATE e SET n = 20 WHERE id = 2")
        self.change("INSERT INTO e VALUES (5, 500, '5')")
        self.change("DELETE FROM e WHERE id = 5")
        self.change("UPDATE e SET n = 300 WHERE id = 3")
        self.follow(1)
        self.change("UPDATE e SET n = 3 WHERE id = 3")
        self.follow(0)
        self.assertEqual(self.target.rows("e"), self.source.rows("e"))

    def test_resync_tries_again(self):
        self.begin()
        self.change("INSERT INTO e VALUES (4, 400, '4')", "INSERT INTO e VALUES (5, 500, '5')")
        self.follow(3)
        result = self.follow(3, "--resync")
        self.assertIn("resync: done, 0 records written", result.err)
        self.assertIn("3 records are missing, since they were rejected: 3 of e (constraint", result.err)
        self.target.transaction(self.allow, True)
        result = self.follow(0, "--resync")
        self.assertIn("resync: done, 3 records written", result.err)
        self.assertEqual(self.target.rows("e"), self.source.rows("e"))

    def test_killed_anywhere(self):
        """What was rejected is counted once, and nothing is forgotten."""
        self.begin()
        self.change("INSERT INTO e VALUES (9, 900, 'x')")
        _, passed = support.count_failpoints("follow", "--catch-up", *self.places, cwd=self.folder)
        key = 10
        unsettled = 2
        points = [name for name in sorted(passed) if name.endswith("_apply")]
        self.assertTrue(any(name.endswith("after_apply") for name in points), points)
        for point in points:
            key += 2
            self.change("INSERT INTO e VALUES (%d, 400, 'x'), (%d, 4, 'y')" % (key, key + 1))
            unsettled += 1
            result = support.kill_at(point, 1, "follow", "--catch-up", *self.places, cwd=self.folder)
            self.assertIn(result.code, (-signal.SIGKILL, 1), point)
            self.follow(unsettled, "--take-over")
        self.change("UPDATE e SET n = 9")
        self.follow(0)
        self.assertEqual(self.target.rows("e"), self.source.rows("e"))


class SqliteIntoSqlite(Refused, support.TestCase):
    allow = ["PRAGMA writable_schema = ON",
             "UPDATE sqlite_schema SET sql = replace(sql, 'n < 100', 'n < 10000') WHERE name = 'e'",
             "PRAGMA writable_schema = RESET"]

    def sides(self):
        return SqliteSide(self, "s.db"), SqliteSide(self, "t.db")

    def test_lanes(self):
        self.begin()
        for key in range(10, 60):
            self.change("INSERT INTO e VALUES (%d, %d, 'x')" % (key, 400 if key % 5 == 0 else 4))
        self.follow(11, "--lanes", "3")
        for key in range(10, 60, 10):
            self.change("UPDATE e SET n = 5 WHERE id = %d" % key, "DELETE FROM e WHERE id = %d" % (key + 5))
        self.follow(1, "--lanes", "4")
        self.change("DELETE FROM e WHERE id = 2")
        self.follow(0, "--lanes", "2")
        self.assertEqual(self.target.rows("e"), self.source.rows("e"))

    def test_ledger_elsewhere(self):
        self.target.make(CHECKED)
        self.places = (self.source.uri, self.target.uri)
        self.run_program("migrate", "-q", "--follow", "--catch-up", "--ledger", "l.db", *self.places, code=1)
        self.change("INSERT INTO e VALUES (4, 400, '4')")
        self.follow(2, "--ledger", "l.db")
        shutil.rmtree(self.path(".transhume"))
        self.follow(2, "--ledger", "l.db")
        self.change("UPDATE e SET n = 4")
        self.follow(1, "--ledger", "l.db")  # the copy's file went with the state folder
        self.follow(0, "--ledger", "l.db", "--refresh", "e")


class SqliteIntoPostgres(Refused, support.TestCase):
    allow = ["ALTER TABLE e DROP CONSTRAINT e_n_check"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = followed(postgres, postgres.FOLLOWED)

    def sides(self):
        return SqliteSide(self, "s.db"), PostgresSide(self, self.server, "copy")


class PostgresIntoPostgres(SqliteIntoPostgres):
    def sides(self):
        return PostgresSide(self, self.server, "s"), PostgresSide(self, self.server, "copy")


class SqliteIntoMariadb(Refused, support.TestCase):
    allow = ["ALTER TABLE e MODIFY n INTEGER"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = followed(mariadb, mariadb.FOLLOWED)

    def sides(self):
        return SqliteSide(self, "s.db"), MysqlSide(self.server)


class Unmade(Books):
    """The plan can't make a record of them."""

    places = ()

    def begin(self):
        self.write("transhume.yaml", PLAN % (self.source.uri, self.target.uri))
        self.change("UPDATE e SET t = 'two' WHERE id = 2")
        self.run_program("migrate", "-q", "--follow", "--catch-up", code=1)
        self.ends(1)

    def test_until_they_arrive_or_go(self):
        self.begin()
        self.change("INSERT INTO e VALUES (4, 4, 'four')", "INSERT INTO e VALUES (5, 5, 'five')",
                    "UPDATE e SET t = 'three' WHERE id = 3")
        self.follow(4)
        line = next(line for line in self.lines() if line["key"] == {"id": 4})
        self.assertEqual((line["record"]["n"], line["entity"]), (4, "e"))
        self.follow(4)
        shutil.rmtree(self.path(".transhume"))
        self.follow(4)
        report = json.loads(self.run_program("validate", "--json", code=1).out)
        self.assertEqual((report["ok"], report["rejects_missing"]), (False, 4))
        self.assertIn("rejected", self.run_program("cutover", "--confirm", code=5).err)
        self.run_program("cutover", "--back", "--confirm")
        self.change("UPDATE e SET t = '4' WHERE id = 4", "DELETE FROM e WHERE id = 5",
                    "UPDATE e SET t = '3' WHERE id = 3")
        self.follow(1)
        self.follow(1, "--resync")
        self.change("UPDATE e SET t = '2' WHERE id = 2")
        self.follow(0)
        self.run_program("validate")

    def test_killed_anywhere(self):
        self.begin()
        self.change("INSERT INTO e VALUES (9, 9, 'x')")
        _, passed = support.count_failpoints("follow", "--catch-up", cwd=self.folder)
        key = 10
        unsettled = 2
        points = [name for name in sorted(passed) if name.endswith("_apply")]
        for point in points:
            key += 2
            self.change("INSERT INTO e VALUES (%d, 400, 'x'), (%d, 4, '4')" % (key, key + 1))
            unsettled += 1
            support.kill_at(point, 1, "follow", "--catch-up", cwd=self.folder)
            self.follow(unsettled, "--take-over")
        self.change("DELETE FROM e WHERE id > 3", "UPDATE e SET t = '9'")
        self.follow(0)


class UnmadeIntoSqlite(Unmade, support.TestCase):
    def sides(self):
        return SqliteSide(self, "s.db"), SqliteSide(self, "t.db")


class ToySide:
    def __init__(self, test):
        self.uri = "toy:" + test.path("toy")


class UnmadeIntoToy(Unmade, support.TestCase):
    """A target without transactions."""

    def sides(self):
        patch = unittest.mock.patch.dict(os.environ, TRANSHUME_MODULES=os.path.join(support.BUILD, "toy.so"))
        patch.start()
        self.addCleanup(patch.stop)
        return SqliteSide(self, "s.db"), ToySide(self)


del Refused, Unmade, Books


if __name__ == "__main__":
    unittest.main()
