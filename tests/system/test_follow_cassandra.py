"""Following into Cassandra: rows that are written one by one, in the order of their timestamps."""
import json
import signal
import time
import unittest

import support
import test_follow
import test_follow_lanes
import cassandra_server


class CassandraSide:
    """A keyspace, through the Python driver."""

    def __init__(self, server, options=""):
        self.server, self.keyspace = server, server.database()
        self.uri = server.uri(self.keyspace, options)

    def ask(self, cql, *values):
        return self.server.ask(self.keyspace, cql, *values)

    def rows(self, table):
        """
        As texts, in the order that SQL has them here: columns by name, which is that of Bank's tables but for
        `account`.
        """
        columns = ", ".join(test_follow.DynamodbSide.COLUMNS.get(table, ("*",)))
        return sorted(([None if value is None else str(value) for value in row]
                       for row in self.ask("SELECT %s FROM %s" % (columns, table))), key=repr)

    def contents(self):
        found = {}
        for table, in self.server.ask("system_schema", "SELECT table_name FROM tables WHERE keyspace_name = %s",
                                      self.keyspace):
            if not table.startswith("_"):
                found[table] = sorted(map(repr, self.ask('SELECT JSON * FROM "%s"' % table)))
        return found

    def sum(self):
        return sum(int(balance) for _, balance in self.rows("account"))


class ToCassandra(test_follow.OneWay, test_follow.Pair):
    # It is written row by row, as DynamoDB is.
    whole_transactions = False
    kills = test_follow.KILLS // 2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cassandra = cassandra_server.shared_for_class(cls)


@support.inheriting(2)
class SqliteToCassandra(ToCassandra, support.TestCase):
    def sides(self):
        return test_follow.SqliteSide(self, "bank.db"), CassandraSide(self.cassandra)

    def test_killed_between_rows(self):
        """Requests of a group that went, and a position that did not, are made good by the next follow."""
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        for failpoint, occurrence in (("before_apply", 1), ("after_apply", 1), ("after_send", 2), ("before_send", 3),
                                      ("after_answer", 1)):
            self.steps(6)
            self.source.transaction(["DELETE FROM churn", "INSERT INTO churn VALUES ('z', %d, 'new')" % self.bank.next],
                                    True)
            result = support.kill_at("cassandra." + failpoint, occurrence, "follow", "--catch-up", "--take-over",
                                     cwd=self.folder)
            self.assertEqual(result.code, -signal.SIGKILL, failpoint)
        self.follow("--take-over")
        self.assert_same()

    def test_a_table_of_another_type_is_made_again(self):
        """
        The target alters no column: the table is left, and a resync drops it, makes it and fills it, also when that is
        cut off.
        """
        self.source.make("CREATE TABLE thing (id INTEGER PRIMARY KEY, v INTEGER); INSERT INTO thing VALUES (1, "
                         "5), (2, 6);")
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.source.make("BEGIN; CREATE TABLE other (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO other SELECT id, "
                         "v || ' apples' FROM thing; DROP TABLE thing;"
                         "ALTER TABLE other RENAME TO thing; COMMIT; INSERT INTO thing VALUES (3, 'x');")
        self.assertIn("thing is not followed any more", support.transhume("follow", "--catch-up", cwd=self.folder).err)
        for failpoint in ("before_drop", "after_drop"):
            result = support.kill_at("cassandra." + failpoint, 1, "follow", "--resync", "--catch-up", "--take-over",
                                     cwd=self.folder)
            self.assertEqual(result.code, -signal.SIGKILL, failpoint + result.err)
        self.run_program("follow", "--resync", "--catch-up", "--take-over")
        self.assertEqual(sorted(tuple(row) for row in self.target.ask("SELECT id, v FROM thing")),
                         [(1, "5 apples"), (2, "6 apples"), (3, "x")])

    def test_what_follows_is_newer(self):
        """
        What a killed process may have under way bears a time up to the noted one, by a clock that may be ahead of ours.
        """
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        (place, key, version,
         text), = [row for row in self.target.ask('SELECT place, key, version, text FROM "_transhume_ledger"')
                   if row[1].startswith("position/")]
        noted = json.loads(text)["time"]
        ahead = noted + 3600 * 10**6
        self.target.ask('UPDATE "_transhume_ledger" SET text = %s WHERE place = %s AND key = %s IF version = %s',
                        text.replace(str(noted), str(ahead)), place, key, version)
        self.target.ask("UPDATE account USING TIMESTAMP %s SET balance = -1 WHERE id = 3", ahead)  # late: it loses
        self.source.transaction(["UPDATE account SET balance = 7 WHERE id = 3", "DELETE FROM account WHERE id = 4"],
                                True)
        self.assertRegex(self.run_program("follow", "--catch-up").err, r"timestamps 3\d\d\d s ahead of the clock")
        self.target.ask("INSERT INTO account (id, balance) VALUES (4, 4) USING TIMESTAMP %s", ahead)
        self.assert_same()
        self.source.transaction(["INSERT INTO account VALUES (4, 5)"], True)
        self.follow()
        self.assert_same()
        (time_us,), = self.target.ask("SELECT WRITETIME(balance) FROM account WHERE id = 4")
        self.assertLess(ahead, time_us)
        self.assertLess(time_us, ahead + 10**6)  # it does not run away

    def test_lists_nulls_moves_and_what_is_refused(self):
        self.source.connection.executescript(
            "CREATE TABLE part (name TEXT, number INTEGER, tags TEXT, note TEXT, PRIMARY KEY (name, number));"
            "INSERT INTO part VALUES ('a', 1, '[\"x\",\"y\"]', 'n'), ('a', 2, NULL, NULL), ('b', 1, '[]', 'm');")
        self.write("plan.yaml",
                   "transhume: 1\nsource: %s\ntarget: '%s'\ntables:\n  part:\n    key: { partition: name, "
                   "clustering: [number: desc] }\n"
                                "    columns: { tags: { type: 'list<text>' } }\n    from: part\n    fields:\n      "
                                "'*': copy\n"
                                "      tags: { column: tags, cast: list }\n" % (self.source.uri, self.target.uri))
        self.run_program("migrate", "--plan", "plan.yaml", "--follow", "--catch-up")

        def rows():
            return sorted((name, number, tags if tags is None else list(tags), note)
                          for name, number, tags, note in self.target.ask("SELECT name, number, tags, note FROM part"))
        for step, expected in (
                ("UPDATE part SET tags = '[\"y\",\"z\",\"y\"]' WHERE number = 1",
                 [("a", 1, ["y", "z", "y"], "n"), ("a", 2, None, None), ("b", 1, ["y", "z", "y"], "m")]),
                ("UPDATE part SET tags = NULL, note = NULL WHERE name = 'b'",
                 [("a", 1, ["y", "z", "y"], "n"), ("a", 2, None, None), ("b", 1, None, None)]),
                ("UPDATE part SET number = 3 - number WHERE name = 'a' AND number = 2 AND 0; "
                 "UPDATE part SET number = number + 10",
                 [("a", 11, ["y", "z", "y"], "n"), ("a", 12, None, None), ("b", 11, None, None)]),
                ("UPDATE part SET number = -1 WHERE number = 11 AND name = 'a'; UPDATE part SET number = 11 WHERE "
                 "number = 12; "
                 "UPDATE part SET number = 12 WHERE number = -1",
                 [("a", 11, None, None), ("a", 12, ["y", "z", "y"], "n"), ("b", 11, None, None)]),
                ("DELETE FROM part WHERE name = 'a'; INSERT INTO part VALUES ('a', 12, NULL, 'again')",
                 [("a", 12, None, "again"), ("b", 11, None, None)])):
            self.source.transaction(step.split("; "), True)
            self.follow()
            self.assertEqual(rows(), expected, step)
        self.source.transaction(["INSERT INTO part VALUES ('', 1, '[]', 'a key that can''t be')",
                                 "INSERT INTO part VALUES ('c', 1, '[]', 'beside it')"], True)
        self.assertIn("1 rejected", self.run_program("follow", "--catch-up", code=1).err)
        self.assertEqual(rows()[-1], ("c", 1, None, "beside it"))

    def test_columns_that_are_added(self):
        self.steps(2)
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.source.transaction(["ALTER TABLE entry ADD COLUMN note TEXT", "UPDATE entry SET note = 'n' WHERE id = 1",
                                 "ALTER TABLE account ADD COLUMN score INTEGER NOT NULL DEFAULT 7",
                                 "INSERT INTO entry VALUES (9900, 'new', 'noted')"], True)
        self.follow()
        for table, columns in (("entry", "id, text, note"), ("account", "id, balance, score")):
            self.assertEqual(sorted([None if value is None else str(value) for value in row]
                                    for row in self.target.ask("SELECT %s FROM %s" % (columns, table))),
                             sorted(self.source.rows(table)), table)

    def test_columns_of_others_stay(self):
        """Where the plan says upsert: in tables that an application has made, and that have more."""
        self.target.ask("CREATE TABLE account (id bigint PRIMARY KEY, balance bigint, mine text)")
        self.write("plan.yaml",
                   "transhume: 1\nsource: %s\ntarget: '%s'\nexisting: upsert\ntables:\n  account: { key: id, "
                   "from: account, "
                                "fields: { '*': copy } }\n" % (self.source.uri, self.target.uri))
        self.run_program("migrate", "--plan", "plan.yaml", "--follow", "--catch-up")
        self.target.ask("UPDATE account SET mine = 'x' WHERE id IN (1, 2, 3, 4)")
        self.source.transaction(["UPDATE account SET balance = 7 WHERE id < 3",
                                 "UPDATE account SET id = 33 WHERE id = 3", "DELETE FROM account WHERE id = 4",
                                 "INSERT INTO account VALUES (4, 8)"], True)
        self.follow()
        self.assertEqual(sorted(self.target.ask("SELECT id, balance, mine FROM account WHERE id IN (1, 2, 3, 4, 33)")),
                         [(1, 7, "x"), (2, 7, "x"), (4, 8, None), (33, 100, None)])

    def test_a_resync(self):
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.steps(20)
        self.assertIn("feed-full", self.run_program("follow", "--catch-up", "--max-retained", "1KiB",
                                                    "--drop-when-full", code=5).err)
        self.source.transaction(["DELETE FROM entry WHERE id < 10", "UPDATE account SET balance = 1 WHERE id = 3"],
                                True)
        self.run_program("follow", "--resync", "--catch-up")
        self.assert_same()
        self.steps(5)
        self.follow()
        self.assert_same()

    def test_what_is_over_goes(self):
        later = int(time.time()) + 10**6
        self.source.connection.executescript("CREATE TABLE session (id INTEGER PRIMARY KEY, until INTEGER, note TEXT);"
                                             "INSERT INTO session VALUES (1, %d, 'a'), (2, NULL, 'b')" % later)
        self.write("plan.yaml",
                   "transhume: 1\nsource: %s\ntarget: '%s'\ntables:\n  session: { key: id, ttl: until, from: session, "
                                "fields: { '*': copy } }\n" % (self.source.uri, self.target.uri))
        self.assert_code(support.transhume("migrate", "--plan", "plan.yaml", "--follow", "--catch-up", cwd=self.folder),
                         0)
        for statement, expected in (("UPDATE session SET until = 1000000000 WHERE id = 1", [(2, "b")]),
                                    ("UPDATE session SET note = 'c'", [(2, "c")]),
                                    ("UPDATE session SET until = %d" % later, [(1, "c"), (2, "c")])):
            self.source.transaction([statement], True)
            self.follow()
            self.assertEqual(sorted(self.target.ask("SELECT id, note FROM session")), expected, statement)
        self.assertEqual([left > 0 for left, in self.target.ask("SELECT TTL(note) FROM session")], [True, True])

    def test_what_has_no_order_is_refused(self):
        self.target.ask("CREATE TABLE account (id bigint PRIMARY KEY, balance counter)")
        self.assertIn("counter", self.run_program("migrate", "--follow", self.source.uri,
                                                  self.target.uri + "?counters=absent", code=2).err)
        self.assertEqual(self.source.feeds(), [])


@support.inheriting(1)
class PostgresToCassandra(test_follow.OfPostgres, ToCassandra, support.TestCase):
    test_killed_at_any_moment = None  # as from SQLite

    def sides(self):
        return test_follow.PostgresSide(self, self.server, "bank"), CassandraSide(self.cassandra)

    def test_an_emptied_table_and_values_that_were_not_sent(self):
        long = "repeat(md5('%s'), 400)"  # beside the row: it is not sent again where it did not change
        self.source.make("CREATE TABLE part (id INTEGER PRIMARY KEY, number INTEGER, long TEXT); "
                         "ALTER TABLE part ALTER long SET STORAGE EXTERNAL;"
                         "INSERT INTO part SELECT i, i, %s FROM generate_series(1, 6) AS i" % (long % "a"))
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.source.transaction(["UPDATE part SET number = 20 WHERE id = 1",
                                 "UPDATE part SET id = 12, number = NULL WHERE id = 2",
                                 "UPDATE part SET long = NULL WHERE id = 3", "UPDATE part SET number = 30 WHERE id = 3",
                                 "UPDATE part SET number = 40 WHERE id = 4", "UPDATE part SET id = 14 WHERE id = 4",
                                 "UPDATE part SET number = 41 WHERE id = 14",
                                 "DELETE FROM part WHERE id = 5", "INSERT INTO part VALUES (5, 5, NULL)",
                                 "UPDATE part SET number = 6 WHERE id = 5",
                                 "INSERT INTO entry VALUES (-1, 'before')", "TRUNCATE entry",
                                 "INSERT INTO entry VALUES (-2, 'behind')"], True)
        self.follow()
        self.assert_same()
        self.assertEqual(sorted(([None if v is None else str(v) for v in row]
                                 for row in self.target.ask("SELECT id, number, long FROM part")), key=repr),
                         self.source.rows("part"))


class CassandraPlans(test_follow.Plans, support.TestCase):
    SEEDS, pages = 3, False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cassandra = cassandra_server.shared_for_class(cls)

    def source_side(self, path):
        return test_follow.SqliteSide(self, path)

    def target_side(self, _path):
        return CassandraSide(self.cassandra)


class InLanesToCassandra(test_follow_lanes.InLanes, support.TestCase):
    """Timestamps rise over all lanes: what moves to another lane with their number is newer there, too."""

    failpoint, test_killed_in_any_lanes = "cassandra.after_apply", None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cassandra = cassandra_server.shared_for_class(cls)

    def sides(self):
        return test_follow.SqliteSide(self, "bank.db"), CassandraSide(self.cassandra)


if __name__ == "__main__":
    unittest.main()
