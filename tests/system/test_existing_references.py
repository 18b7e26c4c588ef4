"""Tables that are there with foreign keys between them are filled in an order that the keys allow, whatever the names' order."""
import json
import os
import shutil
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import sql_case
import support

ROWS = 2500
# Streams come in the order of names, so that each table would be filled before those that it refers to.
FAMILY = """
CREATE TABLE a_child (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL, house INTEGER);
CREATE TABLE b_alone (id INTEGER PRIMARY KEY);
CREATE TABLE m_parent (id INTEGER PRIMARY KEY, house INTEGER NOT NULL, friend INTEGER);
CREATE TABLE z_house (id INTEGER PRIMARY KEY);
"""
KEYS = """
ALTER TABLE a_child ADD FOREIGN KEY (parent) REFERENCES m_parent (id);
ALTER TABLE a_child ADD FOREIGN KEY (house) REFERENCES z_house (id);
ALTER TABLE m_parent ADD FOREIGN KEY (house) REFERENCES z_house (id);
"""
TABLES = ("a_child", "b_alone", "m_parent", "z_house")
FILL = (("a_child", ", {rows} + 1 - i, i"), ("b_alone", ""), ("m_parent", ", {rows} + 1 - i, NULL"), ("z_house", ""))


class References(sql_case.SqlCase):
    one_database_each = True

    def source(self, more="", rows=ROWS):
        return support.make_sqlite(self.path("s.db"), FAMILY + "".join(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO %s SELECT i%s FROM n;" % (
                rows, table, values.format(rows=rows)) for table, values in FILL) + more)

    def counts(self, name):
        return [int(self.server.ask(name, "SELECT count(*) FROM " + table)[0][0]) for table in TABLES]

    def copy(self, source, target, *options, code=0):
        return self.migrate(source, self.server.uri(target), "--existing", "append", "--chunk-rows", "100", "--jobs", "4", *options, code=code)

    def test_what_is_referred_to_goes_first(self):
        target = self.made(FAMILY + KEYS)
        self.copy(self.source(), target)
        self.assertEqual(self.counts(target), [ROWS] * 4)

    def test_a_resume_keeps_the_order(self):
        source, target = self.source(), self.made(FAMILY + KEYS)
        arguments = (source, self.server.uri(target), "--existing", "append", "--chunk-rows", "100", "--jobs", "4")
        killed = support.kill_at("engine.after_commit", 30, "migrate", *arguments, cwd=self.folder)
        self.assertEqual(killed.code, -9)
        self.run_program("resume", *arguments)
        self.assertEqual(self.counts(target), [ROWS] * 4)

    def test_between_two_servers_of_a_kind(self):
        source, target = self.made(FAMILY + KEYS), self.made(FAMILY + KEYS)
        self.copy(self.source(), source)
        self.copy(self.server.uri(source), target, "--state", self.path("second"))
        self.assertEqual(self.counts(target), [ROWS] * 4)

    def test_a_circle_is_told(self):
        """No order fits it: what has no partner yet is refused, and told beforehand."""
        rows = 500   # each is tried alone, and those that were refused again
        target = self.made(FAMILY + KEYS + "ALTER TABLE m_parent ADD FOREIGN KEY (friend) REFERENCES a_child (id);")
        source = self.source("UPDATE m_parent SET friend = 7 WHERE id = 9;", rows)
        result = self.run_program("migrate", source, self.server.uri(target), "--existing", "append", "--chunk-rows", "100", code=1)
        self.assertRegex(result.err, "(a_child refers to m_parent|m_parent refers to a_child), and that")
        self.assertEqual(self.counts(target)[3], rows)
        self.assertLess(self.counts(target)[0] + self.counts(target)[2], 2 * rows)
        folder = self.path(".transhume", "rejects")
        kept = self.path("kept")
        shutil.copytree(folder, kept)
        for _ in range(3):   # what goes before 9, 9, and what refers to it
            for name in sorted(os.listdir(kept), reverse=True):
                support.transhume("migrate", "--rejects", os.path.join(kept, name), source, self.server.uri(target), "--existing", "skip",
                                  cwd=self.folder)
        self.assertEqual(self.counts(target), [rows] * 4)

    def test_a_circle_is_taken_back(self):
        """By no order of the tables: what is in the way goes first, whether they were empty or held records."""
        circle = "CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER%s); CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER%s);"
        source = support.make_sqlite(self.path("s.db"), circle % (" REFERENCES b", " REFERENCES a") +
                                     "INSERT INTO a VALUES (1, 1), (2, NULL); INSERT INTO b VALUES (1, NULL), (2, NULL); CREATE TABLE c (id INTEGER PRIMARY KEY)")
        keys = "ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b (id); ALTER TABLE b ADD FOREIGN KEY (a) REFERENCES a (id);"
        for held in ("", "INSERT INTO a VALUES (9, NULL); INSERT INTO b VALUES (9, 9);", "INSERT INTO b VALUES (1, NULL); INSERT INTO a VALUES (1, 1)"):
            with self.subTest(held=held):
                target = self.made(circle % ("", "") + keys + held)
                before = [self.server.ask(target, "SELECT * FROM %s ORDER BY id" % table) for table in "ab"]
                state = self.path("s" + target)
                self.migrate(source, self.server.uri(target), "--existing", "upsert", "--state", state)
                self.assertEqual(self.server.ask(target, "SELECT * FROM a WHERE id < 9 ORDER BY id"), [["1", "1"], ["2", None]])
                with open(os.path.join(state, "run.json"), encoding="utf-8") as file:
                    run = json.load(file)["run"]
                told = self.run_program("rollback", "--run", run, "--confirm", "--state", state, "--json")
                self.assertEqual([table["changed"] for table in json.loads(told.out)["tables"]], [0, 0, 0])
                self.assertEqual([self.server.ask(target, "SELECT * FROM %s ORDER BY id" % table) for table in "ab"], before)

    def test_a_table_that_refers_to_itself(self):
        """In the order of its key, whichever chunk is quicker."""
        tree = "CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER%s);"
        source = support.make_sqlite(self.path("tree.db"), tree % "" + "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
                                     "INSERT INTO tree SELECT i, nullif(i - 101, -100) FROM n WHERE i > 101 OR i = 1;" % ROWS + "INSERT INTO tree VALUES (2, 1);"
                                     "UPDATE tree SET up = 1 WHERE up < 102;")
        target = self.made(tree % "" + "ALTER TABLE tree ADD FOREIGN KEY (up) REFERENCES tree (id);")
        self.copy(source, target)
        self.assertEqual(self.server.ask(target, "SELECT count(*) FROM tree"), [[str(ROWS - 99)]])


class Postgres(References):
    SERVERS = postgres


class MariaDb(References):
    SERVERS = mariadb

    def test_a_table_beside_them_that_nobody_can_open(self):
        """The run has nothing to do with it."""
        target = self.made(FAMILY + KEYS + "CREATE TABLE broken (id int) ENGINE=MyISAM; FLUSH TABLES")
        self.server.spoiled = True
        with open(os.path.join(self.server.data, target, "broken.frm"), "wb") as file:
            file.write(b"no table")
        with self.assertRaisesRegex(AssertionError, "broken"):
            self.server.ask(target, "SHOW CREATE TABLE broken")
        self.copy(self.source(), target)
        self.assertEqual(self.counts(target), [ROWS] * 4)


del References

if __name__ == "__main__":
    unittest.main()
