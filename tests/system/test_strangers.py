"""
--existing skip: a record whose key is there with other values is told, and nothing is hung on the one that is there.
"""
import json
import os
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import sql_case
import support

SHOP = """
CREATE TABLE artist (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE album (id INTEGER PRIMARY KEY, artist_id INTEGER NOT NULL REFERENCES artist (id), title TEXT);
CREATE TABLE track (id INTEGER PRIMARY KEY, album_id INTEGER NOT NULL REFERENCES album (id), like_track INTEGER REFERENCES track (id), name TEXT);
"""
THERE = SHOP + """
INSERT INTO artist VALUES (1, 'AC'), (2, 'both');
INSERT INTO album VALUES (1, 1, 'by AC'), (2, 2, 'both');
INSERT INTO track VALUES (1, 1, NULL, 'by AC');
"""
# Of the second shop's records 1 differ, 2 are the same, the rest is new.
SECOND = SHOP + """
INSERT INTO artist VALUES (1, 'ZZ'), (2, 'both'), (3, 'new');
INSERT INTO album VALUES (1, 2, 'other'), (2, 2, 'both'), (9, 1, 'by ZZ'), (10, 2, 'by both'), (11, 3, 'by the new one');
INSERT INTO track VALUES (5, 10, 93, 'like one that is like one of ZZ'), (90, 9, NULL, 'of ZZ'), (91, 10, NULL, 'fine'), (92, 1, NULL, 'of the other album 1'),
                         (93, 10, 90, 'like one of ZZ'), (94, 11, 91, 'fine'), (95, 2, NULL, 'fine');
"""
KEPT = {"artist": [1, 2, 3], "album": [1, 2, 10, 11], "track": [1, 91, 94, 95]}
REFUSED = {"album": [9], "track": [5, 90, 92, 93]}


class Strangers:
    shop_count = 0

    def shops(self):
        """The target holds the first shop; a file has the second."""
        target = self.new_target()
        for name, script in (("there.db", THERE), ("second.db", SECOND)):
            if not os.path.exists(self.path(name)):
                support.make_sqlite(self.path(name), script)
        self.shop_count += 1
        self.run_program("migrate", self.path("there.db"), target, "--quiet", "--state",
                         self.path("first%d" % self.shop_count))
        return self.path("second.db"), target

    def kept(self):
        return {table: [int(row[0]) for row in self.ask("SELECT id FROM %s ORDER BY id" % table)] for table in KEPT}

    def refused(self, state):
        found = {}
        for reject in self.rejects(state):
            found.setdefault(reject["table"], []).append(reject["record"]["id"])
        return {table: sorted(ids) for table, ids in found.items()}

    def check_all(self, state):
        self.assertEqual(self.kept(), KEPT)
        self.assertEqual(self.refused(state), REFUSED)
        self.assertEqual(self.ask("SELECT name FROM artist WHERE id = 1"), [["AC"]])

    def test_nothing_is_hung_on_another_ones_parent(self):
        source, target = self.shops()
        result = self.run_program("migrate", source, target, "--existing", "skip", "--state", self.path("second"),
                                  code=1)
        for told in ("artist: 1 record has a key that is there with other values: it is skipped, "
                     "and what refers to it is rejected",
                     "album: 1 record has a key that is there with other values"):
            self.assertIn(told, result.err)
        self.check_all(self.path("second"))
        reasons = {reject["record"]["id"]: (reject["code"], reject["reason"])
                   for reject in self.rejects(self.path("second")) if reject["table"] == "album"}
        self.assertEqual(reasons[9], ("constraint",
                                      "artist_id refers to a record of artist that was not written: its key, "
                                      "or that of one that it depends on, "
                                                    "is there with other values"))
        status = json.loads(self.run_program("status", "--json", "--state", self.path("second")).out)
        self.assertEqual(status["differing_there"], {"artist": 1, "album": 1})
        human = self.run_program("status", "--state", self.path("second")).out
        self.assertRegex(human, r"(?s)there with other values: .*artist 1")

    def load(self, state, lines, code):
        """Loads these rejects; those that it has left."""
        with open(self.path("lines.jsonl"), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
        self.run_program("migrate", "--rejects", self.path("lines.jsonl"), "--state", state, code=code)
        return self.rejects(state) if code else []

    def test_rejects_loaded_again(self):
        """
        As they are they are not hung on the other ones either; once corrected they go in, and with them what waited for
        them.
        """
        source, target = self.shops()
        state = self.path("again")
        self.run_program("migrate", source, target, "--existing", "skip", "--state", state, code=1)
        rejects = {(line["table"], line["record"]["id"]): line for line in self.rejects(state)}
        direct = {name for name, line in rejects.items() if "parents_differ" in line}
        self.assertEqual(direct, {("album", 9), ("track", 92)})
        left = self.load(state, [rejects[name] for name in sorted(direct)], 1)
        self.assertEqual(self.kept(), KEPT)
        self.assertEqual([(line["table"], line["record"]["id"], line["parents_differ"]) for line in left],
                         [(table, number, rejects[table, number]["parents_differ"])
                          for table, number in sorted(direct)])
        rejects["album", 9]["record"]["artist_id"] = 3
        del rejects["track", 92]["parents_differ"]   # the one that is there is right for it
        self.load(state, [rejects["album", 9], rejects["track", 92], rejects["track", 90]], 0)
        self.assertEqual(self.kept(), {**KEPT, "album": [1, 2, 9, 10, 11], "track": [1, 90, 91, 92, 94, 95]})

    def test_after_kills(self):
        """A resume looks again, and takes what the run wrote for what it is."""
        for number, (point, times) in enumerate((("engine.after_commit", 1), ("engine.after_commit", 2),
                                                 ("engine.before_after_load", 1))):
            with self.subTest(point=point, times=times):
                source, target = self.shops()
                state = self.path("k%d" % number)
                arguments = (source, target, "--existing", "skip", "--chunk-rows", "2", "--jobs", "1", "--state", state)
                self.assertEqual(support.kill_at(point, times, "migrate", *arguments, cwd=self.folder).code, -9)
                self.run_program("resume", "--state", state, code=1)
                self.check_all(state)
                self.run_program("rollback", "--run", self.run_id(state), "--confirm", "--state", state)
                self.assertEqual(self.kept(), {"artist": [1, 2], "album": [1, 2], "track": [1]})

    def test_the_same_again(self):
        """Nothing differs: all of it is skipped, and what is new goes in."""
        _, target = self.shops()
        result = self.run_program("migrate", self.path("there.db"), target, "--existing", "skip", "--state",
                                  self.path("again"))
        self.assertNotRegex(result.err, "other values")
        more = support.make_sqlite(self.path("more.db"), THERE + "INSERT INTO track VALUES (7, 2, 1, 'new')")
        self.run_program("migrate", more, target, "--existing", "skip", "--state", self.path("more"))
        self.assertEqual(self.kept()["track"], [1, 7])

    def test_many(self):
        """More than are compared at once, every third of which differs."""
        rows = 3000
        table = ("CREATE TABLE p (id INTEGER PRIMARY KEY, v INTEGER); CREATE TABLE c (id INTEGER PRIMARY KEY, "
                 "p INTEGER REFERENCES p (id));")
        fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) " % rows
        target = self.new_target()
        first = support.make_sqlite(self.path("first.db"), table + fill + "INSERT INTO p SELECT i, i FROM n;")
        self.run_program("migrate", first, target, "--quiet", "--state", self.path("a"))
        second = support.make_sqlite(self.path("many.db"), table + fill
                                     + "INSERT INTO p SELECT i, i + (i % 3 = 0) FROM n;" + fill +
                                     "INSERT INTO c SELECT i, i FROM n;")
        result = self.run_program("migrate", second, target, "--existing", "skip", "--chunk-rows", "500", "--state",
                                  self.path("b"), code=1)
        self.assertRegex(result.err, "p: 1000 records have a key that is there with other values")
        self.assertEqual(self.ask("SELECT count(*), sum(CASE WHEN p % 3 = 0 THEN 1 ELSE 0 END) FROM c"),
                         [["2000", "0"]])


class Sqlite(Strangers, sql_case.SqliteTarget, support.TestCase):
    def test_a_long_chain(self):
        """So many records depend on others' that the list of them outgrows its cache."""
        rows = 100000
        tables = ("CREATE TABLE a (id INTEGER PRIMARY KEY, v INTEGER); CREATE TABLE b (id INTEGER PRIMARY KEY, "
                  "a INTEGER REFERENCES a (id));"
                  "CREATE TABLE c (id INTEGER PRIMARY KEY, b INTEGER REFERENCES b (id));")
        fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) " % rows
        target = self.new_target()
        self.ask(tables.split(";")[0])
        self.ask("INSERT INTO a VALUES (1, 1)")
        source = support.make_sqlite(self.path("chain.db"), tables + "INSERT INTO a VALUES (1, 2), (2, 2);" + fill
                                     + "INSERT INTO b SELECT i, 1 FROM n;" +
                                     "INSERT INTO b VALUES (0, 2); INSERT INTO c VALUES (1, 1), (2, %d), (3, 0);"
                                     % rows)
        result = self.run_program("migrate", source, target, "--existing", "skip", "--state", self.path("s"), code=1)
        self.assertRegex(result.err, "a: 1 record has a key that is there with other values")
        self.assertEqual(self.ask("SELECT (SELECT count(*) FROM b), (SELECT count(*) FROM c), (SELECT id FROM c)"),
                         [["1", "1", "3"]])


class Postgres(Strangers, sql_case.ServerTarget, support.TestCase):
    SERVERS = postgres

    def test_values_as_the_columns_keep_them(self):
        """An application's own types are no difference."""
        target = self.new_target()
        self.ask("CREATE TABLE t (id bigint PRIMARY KEY, d date, b boolean, n numeric(10,2), u uuid, j jsonb, "
                 "at timestamptz, extra int DEFAULT 7)")
        source = support.make_sqlite(self.path("typed.db"),
                                     "CREATE TABLE t (id INTEGER PRIMARY KEY, d TEXT, b BOOLEAN, n TEXT, u TEXT, "
                                     "j TEXT, at TEXT);"
                                     "INSERT INTO t VALUES (1, '2024-02-29', 1, '1.5', "
                                     "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{\"a\": [1, 2]}', "
                                     "'2024-01-02T03:04:05Z'), (2, NULL, NULL, NULL, NULL, NULL, NULL);")
        arguments = (source, target, "--existing", "skip", "--time-zone", "UTC")
        self.run_program("migrate", *arguments, "--state", self.path("a"))
        result = self.run_program("migrate", *arguments, "--state", self.path("b"))
        self.assertNotRegex(result.err, "other values")
        self.ask("UPDATE t SET n = 2 WHERE id = 1")
        result = self.run_program("migrate", *arguments, "--state", self.path("c"))
        self.assertRegex(result.err, "t: 1 record has a key that is there with other values")


class MariaDb(Strangers, sql_case.ServerTarget, support.TestCase):
    SERVERS = mariadb

    def test_a_key_spelled_otherwise(self):
        """To the target's collation it is the same key, and the record another one."""
        target = self.new_target()
        self.ask("CREATE TABLE p (code varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY, v bigint)")
        self.ask("INSERT INTO p VALUES ('ann', 1), ('bob', 1)")
        source = support.make_sqlite(self.path("spelled.db"), "CREATE TABLE p (code TEXT PRIMARY KEY, v INTEGER);"
                                     "CREATE TABLE c (id INTEGER PRIMARY KEY, code TEXT REFERENCES p (code));"
                                     "INSERT INTO p VALUES ('ANN', 2), ('bob', 1), ('cid', 1), ('dan', 1);"
                                     "INSERT INTO c VALUES (1, 'ANN'), (2, 'bob'), (3, 'cid');")
        result = self.run_program("migrate", source, target, "--existing", "skip", "--state", self.path("s"), code=1)
        self.assertRegex(result.err, "p: 1 record has a key that is there with other values")
        self.assertEqual(self.ask("SELECT id, code FROM c ORDER BY id"), [["2", "bob"], ["3", "cid"]])


if __name__ == "__main__":
    unittest.main()
