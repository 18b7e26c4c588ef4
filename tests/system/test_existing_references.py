"""
Tables that are there with foreign keys between them are filled in an order that the keys allow, whatever the names'
order.
"""
import json
import os
import re
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
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO %s SELECT "
            "i%s FROM n;" % (
                rows, table, values.format(rows=rows)) for table, values in FILL) + more)

    def counts(self, name):
        return [int(self.server.ask(name, "SELECT count(*) FROM " + table)[0][0]) for table in TABLES]

    def copy(self, source, target, *options, code=0):
        return self.migrate(source, self.server.uri(target), "--existing", "append", "--chunk-rows", "100", "--jobs",
                            "4", *options, code=code)

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

    CIRCLE = FAMILY + KEYS + "ALTER TABLE m_parent ADD FOREIGN KEY (friend) REFERENCES a_child (id);"

    def rings(self, rows=ROWS):
        """Each child has a friend among those of the parents that refer to it, or to others."""
        return self.source("UPDATE m_parent SET friend = %d + 1 - id WHERE id %% 3 > 0;" % rows, rows)

    def check_rings(self, target, rows=ROWS):
        self.assertEqual(self.counts(target), [rows] * 4)
        self.assertEqual(self.server.ask(target,
                                         "SELECT count(*), sum(friend + id) FROM m_parent WHERE friend IS NOT NULL"),
                         [[str(rows - rows // 3), str((rows - rows // 3) * (rows + 1))]])
        self.assertEqual(self.left_over(target), [])

    def left_over(self, target):
        """Tables of ours that only a run under way has."""
        tables = self.server.ask(target,
                                 "SELECT table_name FROM information_schema.tables WHERE table_name LIKE '%later%' AND "
                                         "table_schema IN ('public', '" + target + "')")
        return [table for [table] in tables if table.startswith("_transhume_later")]

    def test_a_circle_is_filled_in(self):
        """Where a column may be NULL, it is for as long as the other one is not there."""
        target = self.made(self.CIRCLE)
        source = self.rings()
        checked = self.run_program("check", source, self.server.uri(target), "--existing", "append")
        told = ("m_parent: friend is NULL in records that come before the one of a_child that they refer to, "
                "and is filled in after the load")
        self.assertIn(told, re.sub(r"\s+", " ", checked.out))
        result = self.run_program("migrate", source, self.server.uri(target), "--existing", "append", "--chunk-rows",
                                  "100")
        self.assertIn(told, result.err)
        self.assertRegex(result.err, r"m_parent: filled in \d+ references to records that came later")
        self.check_rings(target)
        self.run_program("validate", source, self.server.uri(target), "--level", "full")

    def test_a_circle_after_kills(self):
        """Whatever is filled in stands beside the records, until it is in them."""
        arguments = ("--existing", "append", "--chunk-rows", "100", "--jobs", "4")
        source = self.rings(900)
        points = (("engine.after_commit", 3), ("engine.after_commit", 20), ("engine.before_after_load", 1),
                  (self.POINTS + ".before_fill", 1),
                  (self.POINTS + ".after_fill", 1), ("engine.after_fill", 1), ("engine.after_after_load", 1))
        for number, (point, times) in enumerate(points):
            with self.subTest(point=point, times=times):
                target = self.made(self.CIRCLE)
                there = (source, self.server.uri(target), *arguments, "--state", self.path("k%d" % number))
                self.assertEqual(support.kill_at(point, times, "migrate", *there, cwd=self.folder).code, -9)
                self.run_program("resume", *there)
                self.check_rings(target, 900)
                self.run_program("validate", *there[:2], "--level", "full", "--state", self.path("k%d" % number))

    def test_a_circle_is_taken_back_whole(self):
        """Records that refer to each other: what was filled in is of the run, too, also before it is filled in."""
        source = self.rings(300)
        for number, point in enumerate(("", "engine.after_commit", self.POINTS + ".after_fill")):
            with self.subTest(point=point):
                target = self.made(self.CIRCLE
                                   + "INSERT INTO z_house VALUES (9001); INSERT INTO m_parent VALUES (9001, "
                                     "9001, NULL);")
                state = self.path("t%d" % number)
                arguments = (source, self.server.uri(target), "--existing", "append", "--chunk-rows", "100", "--state",
                             state)
                if point:
                    self.assertEqual(support.kill_at(point, 1 if "fill" in point else 8, "migrate", *arguments,
                                                     cwd=self.folder).code, -9)
                else:
                    self.migrate(*arguments)
                with open(os.path.join(state, "run.json"), encoding="utf-8") as file:
                    run = json.load(file)["run"]
                self.run_program("rollback", "--run", run, "--confirm", "--state", state)
                self.assertEqual(self.counts(target), [0, 0, 1, 1])
                self.assertEqual(self.left_over(target), [])

    def test_three_in_a_circle(self):
        """One of the three may be NULL; the others are in its way only."""
        ring = "CREATE TABLE %s (id INTEGER PRIMARY KEY, %s INTEGER%s);"
        parts = (("a", "b", " NOT NULL"), ("b", "c", " NOT NULL"), ("c", "a", ""))
        tables = "".join(ring % part for part in parts)
        keys = "".join("ALTER TABLE %s ADD FOREIGN KEY (%s) REFERENCES %s (id);" % (one, other, other)
                       for one, other, _ in parts)
        rows = "".join("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO %s "
                       "SELECT i, i FROM n;" % one
                       for one, _, _ in parts)
        source = support.make_sqlite(self.path("ring.db"), tables + rows)
        target = self.made(tables + keys)
        self.copy(source, target)
        for one, other, _ in parts:
            self.assertEqual(self.server.ask(target, "SELECT count(*) FROM %s WHERE %s = id" % (one, other)), [["500"]])

    def test_a_circle_that_no_null_opens_is_told(self):
        """No order fits it: what has no partner yet is refused, and told beforehand."""
        rows = 100
        target = self.made(FAMILY.replace("friend INTEGER", "friend INTEGER NOT NULL") + KEYS +
                           "INSERT INTO z_house VALUES (9001);" +
                           "ALTER TABLE m_parent ADD FOREIGN KEY (friend) REFERENCES a_child (id);")
        source = self.source("UPDATE m_parent SET friend = 7;", rows)
        checked = self.run_program("check", source, self.server.uri(target), "--existing", "append")
        self.assertIn("m_parent: friend refers to a_child, in a circle in which nothing may be NULL",
                      re.sub(r"\s+", " ", checked.out))
        result = self.run_program("migrate", source, self.server.uri(target), "--existing", "append", "--chunk-rows",
                                  "100", code=1)
        self.assertRegex(result.err, "(a_child refers to m_parent|m_parent refers to a_child), and that")
        self.assertEqual(self.counts(target), [0, rows, 0, rows + 1])

    def test_what_refers_to_nothing_stays_null(self):
        """Told as such, with the first of them."""
        source = support.make_sqlite(self.path("n.db"), "CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER);"
                                     "INSERT INTO tree VALUES (1, NULL), (2, 3), (3, 1), (4, 77);")
        target = self.made("CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER); "
                           "ALTER TABLE tree ADD FOREIGN KEY (up) REFERENCES tree (id);")
        checked = json.loads(self.run_program("check", "--json", source, self.server.uri(target), code=1).out)
        self.assertIn("tree: 1 of the first 4 records would keep NULL instead of a reference: up refers to no record "
                      "of tree (the first: 77)",
                      " ".join(checked["problems"]))
        self.assertEqual(checked["rejects_foreseen"], 0)
        result = self.run_program("migrate", source, self.server.uri(target), "--existing", "append", code=1)
        self.assertIn("tree: 1 references have no record to refer to, and stay NULL; the first of them: id 4: up 77",
                      result.err)
        self.assertEqual(self.server.ask(target, "SELECT id, up FROM tree ORDER BY id"),
                         [["1", None], ["2", "3"], ["3", "1"], ["4", None]])

    def test_orphans_are_foreseen_once_each(self):
        """However many of its keys lead nowhere."""
        tables = ("CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, a INTEGER, "
                  "b INTEGER);")
        source = support.make_sqlite(self.path("two.db"), tables
                                     + "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1, 1), (2, 7, 8), "
                                       "(3, 9, 1);")
        target = self.made(tables
                           + "ALTER TABLE c ADD FOREIGN KEY (a) REFERENCES p (id); "
                             "ALTER TABLE c ADD FOREIGN KEY (b) REFERENCES p (id);")
        checked = json.loads(self.run_program("check", "--json", source, self.server.uri(target), code=1).out)
        for words in ("2 of the first 3 records would be rejected: a refers",
                      "1 of the first 3 records would be rejected: b refers"):
            self.assertIn(words, " ".join(checked["problems"]))
        self.assertEqual(checked["rejects_foreseen"], 2)
        self.run_program("migrate", source, self.server.uri(target), code=1)
        self.assertEqual(len(self.rejects()), 2)

    def test_what_the_table_refuses_stays_null(self):
        """By a constraint or a trigger: the others are filled in, and what is refused is told with the reason."""
        rows = 300
        source = support.make_sqlite(self.path("r.db"),
                                     "CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER, n INTEGER);"
                                     "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
                                     "INSERT INTO tree SELECT i, nullif(i + 1, %d + 1), i %% 100 = 50 FROM n;" % (rows,
                                         rows) +
                                     "INSERT INTO tree VALUES (900, 999, 0)")
        target = self.made("CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER UNIQUE, n INTEGER, "
                           "CONSTRAINT not_that CHECK (up IS NULL OR n = 0));"
                           "ALTER TABLE tree ADD FOREIGN KEY (up) REFERENCES tree (id); INSERT INTO tree VALUES (1000, "
                           "NULL, 0);"
                           "INSERT INTO tree VALUES (1001, 1000, 0)")
        more = support.make_sqlite(self.path("more.db"),
                                   "CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER, n INTEGER);"
                                   "INSERT INTO tree VALUES (2000, 2001, 0), (2001, 2002, 0), (2002, NULL, 0), (2003, "
                                   "2004, 1), (2004, NULL, 0);")
        result = self.run_program("migrate", source, self.server.uri(target), "--existing", "append", code=1)
        told = re.sub(r"\s+", " ", result.err)
        self.assertIn("tree: 3 references to records that came later are refused by the target, and stay NULL; "
                      "the first of them: id 50: up 51: ", told)
        self.assertIn("not_that", told)
        self.assertIn("tree: 1 references have no record to refer to, and stay NULL; the first of them: id 900: up 999",
                      told)
        self.assertEqual(self.server.ask(target,
                                         "SELECT id FROM tree WHERE id < 300 AND (up IS NULL OR up <> id + 1) "
                                         "ORDER BY id"), [["50"], ["150"], ["250"]])
        self.run_program("migrate", more, self.server.uri(target), "--existing", "append", "--state", self.path("more"),
                         code=1)
        self.assertEqual(self.server.ask(target, "SELECT id, up FROM tree WHERE id >= 2000 ORDER BY id"),
                         [["2000", "2001"], ["2001", "2002"], ["2002", None], ["2003", None], ["2004", None]])

    def test_a_circle_is_taken_back(self):
        """By no order of the tables: what is in the way goes first, whether they were empty or held records."""
        circle = ("CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER%s); CREATE TABLE b (id INTEGER PRIMARY KEY, "
                  "a INTEGER%s);")
        source = support.make_sqlite(self.path("s.db"), circle % (" REFERENCES b", " REFERENCES a") +
                                     "INSERT INTO a VALUES (1, 1), (2, NULL); INSERT INTO b VALUES (1, NULL), (2, "
                                     "NULL); CREATE TABLE c (id INTEGER PRIMARY KEY)")
        keys = ("ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b (id); ALTER TABLE b ADD FOREIGN KEY (a) "
                "REFERENCES a (id);")
        for held in ("", "INSERT INTO a VALUES (9, NULL); INSERT INTO b VALUES (9, 9);",
                     "INSERT INTO b VALUES (1, NULL); INSERT INTO a VALUES (1, 1)"):
            with self.subTest(held=held):
                target = self.made(circle % ("", "") + keys + held)
                before = [self.server.ask(target, "SELECT * FROM %s ORDER BY id" % table) for table in "ab"]
                state = self.path("s" + target)
                self.migrate(source, self.server.uri(target), "--existing", "upsert", "--state", state)
                self.assertEqual(self.server.ask(target, "SELECT * FROM a WHERE id < 9 ORDER BY id"),
                                 [["1", "1"], ["2", None]])
                with open(os.path.join(state, "run.json"), encoding="utf-8") as file:
                    run = json.load(file)["run"]
                told = self.run_program("rollback", "--run", run, "--confirm", "--state", state, "--json")
                self.assertEqual([table["changed"] for table in json.loads(told.out)["tables"]], [0, 0, 0])
                self.assertEqual([self.server.ask(target, "SELECT * FROM %s ORDER BY id" % table) for table in "ab"],
                                 before)

    def test_a_table_that_refers_to_itself_in_any_order(self):
        """Those whose partner comes later are filled in, in whatever chunk it is."""
        tree = "CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER%s);"
        source = support.make_sqlite(self.path("any.db"), tree % ""
                                     + "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
                                     "INSERT INTO tree SELECT i, nullif(1 + (i * 7919) %% %d, i) FROM n;" % (ROWS,
                                         ROWS))
        target = self.made(tree % "" + "ALTER TABLE tree ADD FOREIGN KEY (up) REFERENCES tree (id);")
        self.copy(source, target)
        self.run_program("validate", source, self.server.uri(target), "--level", "full")

    def test_a_table_that_refers_to_itself(self):
        """In the order of its key, whichever chunk is quicker."""
        tree = "CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER%s);"
        source = support.make_sqlite(self.path("tree.db"), tree % ""
                                     + "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
                                     "INSERT INTO tree SELECT i, nullif(i - 101, -100) FROM n WHERE i > 101 OR i = 1;"
                                     % ROWS + "INSERT INTO tree VALUES (2, 1);"
                                     "UPDATE tree SET up = 1 WHERE up < 102;")
        target = self.made(tree % "" + "ALTER TABLE tree ADD FOREIGN KEY (up) REFERENCES tree (id);")
        self.copy(source, target)
        self.assertEqual(self.server.ask(target, "SELECT count(*) FROM tree"), [[str(ROWS - 99)]])


class Sqlite(support.TestCase):
    def test_orphans_are_written(self):
        """And told beforehand as what they are."""
        tables = ("CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, "
                  "p INTEGER REFERENCES p (id));")
        source = support.make_sqlite(self.path("o.db"), tables
                                     + "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1), (2, 7);")
        support.make_sqlite(self.path("there.db"), tables)
        checked = self.run_program("check", source, "there.db")
        told = re.sub(r"\s+", " ", checked.out)
        self.assertIn("c: 1 of the first 2 records would break a foreign key: p refers to no record of p (the "
                      "first: 7)", told)
        self.run_program("migrate", source, "there.db")
        self.assertEqual(self.rejects(), [])

    def test_a_circle(self):
        """Its foreign keys are not in the way of a load."""
        tables = ("CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER NOT NULL REFERENCES b (id)); "
                  "CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a (id));")
        source = support.make_sqlite(self.path("s.db"), tables
                                     + "INSERT INTO a VALUES (1, 2), (2, 1); INSERT INTO b VALUES (1, 1), (2, 2);")
        support.make_sqlite(self.path("d.db"), tables)
        self.run_program("migrate", source, "d.db", "--existing", "append")
        self.run_program("validate", source, "d.db", "--level", "full")


class Postgres(References):
    SERVERS = postgres
    POINTS = "postgres"

    def test_with_triggers_disabled(self):
        """Which foreign keys are not."""
        target = self.made(self.CIRCLE)
        self.copy(self.rings(), target, "--triggers", "disable")
        self.check_rings(target)

    def test_constraints_that_are_deferred(self):
        """Each chunk is checked at its end: what comes in another one is filled in."""
        source = self.rings()
        for words in (" DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED"):
            with self.subTest(words=words):
                target = self.made((self.CIRCLE).replace("(id);", "(id)" + words + ";"))
                self.copy(source, target, "--state", self.path("s" + target))
                self.check_rings(target)


class MariaDb(References):
    SERVERS = mariadb
    POINTS = "mysql"

    def test_numbers_below_zero_where_there_is_no_sign(self):
        """
        Are foreseen, of each kind of number; and what is refused for other reasons is not told as the first of them.
        """
        source = support.make_sqlite(self.path("below.db"),
                                     "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, d NUMERIC, f REAL, s TEXT);"
                                     "INSERT INTO t VALUES (1, 1, 1.5, 1.5, '1'), (2, -1, 1, 1, 'soon'), (3, 1, -1.5, "
                                     "1, '-3'), (4, 1, 1, -0.5, '4');")
        target = self.made("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER UNSIGNED, d DECIMAL(9,2) UNSIGNED, "
                           "f DOUBLE UNSIGNED, s DECIMAL(9,2) UNSIGNED)")
        checked = json.loads(self.run_program("check", "--json", source, self.server.uri(target), code=1).out)
        for column in "ndf":
            self.assertIn("t: 1 of the first 4 records would be rejected: %s: the value is out of range for" % column,
                          " ".join(checked["problems"]))
        self.assertEqual(checked["rejects_foreseen"], 3)
        self.run_program("migrate", source, self.server.uri(target), code=1)
        self.assertEqual(len(self.rejects()), 3)

    def test_times_that_an_update_would_set(self):
        """Filling in leaves them alone."""
        tree = "CREATE TABLE tree (id INTEGER PRIMARY KEY, up INTEGER, at DATETIME%s);"
        source = support.make_sqlite(self.path("at.db"), tree % ""
                                     + "INSERT INTO tree VALUES (1, 2, '2001-02-03 04:05:06'), (2, NULL, "
                                       "'2002-02-03 04:05:06');")
        target = self.made(tree % " DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP"
                           + "ALTER TABLE tree ADD FOREIGN KEY (up) REFERENCES tree (id);")
        self.copy(source, target)
        self.assertEqual(self.server.ask(target, "SELECT up, at FROM tree WHERE id = 1"),
                         [["2", "2001-02-03 04:05:06"]])

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
