"""What refers to a record that `validate --repair --delete-extra` took out of a SQL target: no foreign key answers
then, and what is left without
a partner is told, by a line a key."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import mariadb
import postgres
import sql_case
import support

REPAIR = ("validate", "--repair", "--delete-extra", "--confirm")
SOURCE = "CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO p VALUES (1, 'a'), (2, 'b')"
EXTRA = "INSERT INTO p VALUES (7, 'extra'), (8, 'extra'), (9, 'extra')"
CHILD = "CREATE TABLE c(id bigint PRIMARY KEY, p_id bigint, CONSTRAINT of_p FOREIGN KEY (p_id) REFERENCES p(id))"


class Cases:
    """For each target: `ask` lets its own client speak; `called` is how a foreign key is named."""
    one_database_each = True

    QUOTE = '"'
    INLINE = False   # a foreign key can only come with its table

    def setUp(self):
        super().setUp()
        self.target = self.new_target()

    def quoted(self, name):
        return self.QUOTE + name.replace(self.QUOTE, 2 * self.QUOTE) + self.QUOTE

    def copied(self, source=SOURCE):
        support.make_sqlite(self.path("shop.db"), source)
        self.run_program("migrate", "-q", "shop.db", self.target)

    def create(self, table, columns, key):
        """`key`: a foreign key, that comes by `bind` where it can."""
        self.ask("CREATE TABLE %s(%s%s)" % (table, columns, ", " + key if self.INLINE else ""))

    def bind(self, table, key):
        if not self.INLINE:
            self.ask("ALTER TABLE %s ADD %s" % (table, key))

    def lines(self, told):
        return [line for line in told.err.splitlines() if "orphaned" in line]

    def assert_told(self, told, *beginnings, went="p", state=".transhume"):
        """A line a key, and what to do next."""
        lines = self.lines(told)
        self.assertEqual(len(lines), len(beginnings), told.err)
        for line, beginning in zip(lines, beginnings):
            self.assertTrue(line.startswith("warning: " + beginning), line)
            self.assertIn(". This repair deleted records of %s: delete these as well, let them refer to others" % went,
                          line)
        with open(self.path(state, "report.json"), encoding="utf-8") as file:
            reported = [warning["message"] for warning in json.load(file)["warnings"]
                        if "orphaned" in warning["message"]]
        self.assertEqual(reported, [line[len("warning: "):] for line in lines])

    # --- what is told

    def test_what_has_no_partner_is_told_and_changes_no_exit_status(self):
        self.copied()
        self.ask(CHILD)
        self.ask(EXTRA)
        self.ask("INSERT INTO c VALUES (10, 1), (11, 7), (12, NULL), (13, 8), (14, 2), (15, 7), (16, 7)")
        before = self.ask("SELECT id, name FROM p ORDER BY id")
        told = self.run_program(*REPAIR)
        self.assert_told(told,
                         "c: the foreign key %s refers to p; 4 orphaned rows, the first of them: id 11; id 13; id 15."
                         % self.called("c", "of_p", "p_id"))
        back = "transhume rollback --run %s" % self.run_id()
        self.assertIn("or `%s` restores what was deleted" % back, told.err)
        self.assertEqual(self.ask("SELECT id FROM p ORDER BY id"), [["1"], ["2"]])
        self.assertEqual(self.lines(self.run_program("validate")), [])
        self.run_program(*back.split()[1:], "--confirm")
        self.assertEqual(self.ask("SELECT id, name FROM p ORDER BY id"), before)

    def test_one_record(self):
        self.copied()
        self.ask(CHILD)
        self.ask(EXTRA)
        self.ask("INSERT INTO c VALUES (11, 7)")
        self.assert_told(self.run_program(*REPAIR), "c: the foreign key %s refers to p; 1 orphaned row: id 11."
                         % self.called("c", "of_p", "p_id"))

    def test_a_record_that_has_a_longer_key_than_the_foreign_one(self):
        self.copied()
        self.ask("CREATE TABLE c(p_id bigint, place bigint, note varchar(20), PRIMARY KEY (p_id, place, note), "
                 "CONSTRAINT of_p FOREIGN KEY (p_id) REFERENCES p(id))")
        self.ask(EXTRA)
        self.ask("INSERT INTO c VALUES (1, 1, 'x'), (7, 2, 'it''s')")
        self.assert_told(self.run_program(*REPAIR),
                         "c: the foreign key %s refers to p; 1 orphaned row: p_id 7, place 2, note it's."
                         % self.called("c", "of_p", "p_id"))

    def test_what_has_a_partner_or_needs_none_is_not_told(self):
        self.copied()
        self.ask(CHILD)
        self.ask("CREATE TABLE pair(id bigint PRIMARY KEY, a bigint, b bigint, UNIQUE (a, b))")
        self.ask("CREATE TABLE half(id bigint PRIMARY KEY, a bigint, b bigint, FOREIGN KEY (a, "
                 "b) REFERENCES pair(a, b))")
        self.ask(EXTRA)
        self.ask("INSERT INTO c VALUES (10, 1), (12, NULL), (14, 2)")
        self.assertEqual(self.lines(self.run_program(*REPAIR)), [])
        self.ask("UPDATE p SET name = 'damaged' WHERE id = 1")
        self.assertEqual(self.lines(self.run_program(*REPAIR)), [])

    def test_a_key_of_several_columns_with_odd_names_and_to_itself(self):
        table, child, a, b = (self.quoted(name) for name in ("it's \"p\"", "c \"`", "A%s", "or\"der"))
        up = "CONSTRAINT %s FOREIGN KEY (up_a, up_b) REFERENCES %s(%s, %s)" % (self.quoted("up's"), table, a, b)
        source = ("CREATE TABLE %s(%s INTEGER, %s TEXT, up_a INTEGER, up_b TEXT, PRIMARY KEY (%s, %s)); "
                  "INSERT INTO %s VALUES (1, 'x', 7, 'x'), (2, 'x', 1, 'x'), "
                  "(3, 'y', NULL, 'z'), (4, 'y', 7, NULL), (5, 'y', NULL, NULL)")
        named = tuple(support.quoted(name) for name in ("it's \"p\"", "A%s", "or\"der"))
        self.create(table, "%s bigint, %s varchar(20), up_a bigint, up_b varchar(20), PRIMARY KEY (%s, %s)" % (a, b, a,
            b), up)
        self.copied(source % (*named, *named[1:], named[0]))
        self.ask("INSERT INTO %s VALUES (7, 'x', NULL, NULL), (7, 'z', 7, 'x')" % table)
        self.bind(table, up)
        self.ask("CREATE TABLE %s(%s bigint, %s varchar(20), CONSTRAINT odd FOREIGN KEY (%s, %s) REFERENCES %s(%s, %s))"
                 % (child, b, a, b, a, table, a, b))
        self.ask("INSERT INTO %s VALUES (7, 'z'), (NULL, 'z'), (7, NULL), (1, 'x'), (7, 'x')" % child)
        self.assert_told(self.run_program(*REPAIR),
                         "c \"`: the foreign key %s refers to it's \"p\"; 2 orphaned rows, "
                         "the first of them: or\"der 7, A%%s x; or\"der 7, A%%s z." %
                         self.called("c \"`", "odd", "or\"der", "A%s"),
                         "it's \"p\": the foreign key %s refers to it's \"p\"; 1 orphaned row: A%%s 1, or\"der x."
                         % self.called("it's \"p\"", "up's", "up_a", "up_b"),
                         went="it's \"p\"")

    def test_each_table_and_each_of_its_keys(self):
        self.copied(SOURCE + "; CREATE TABLE q(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO q VALUES (1, 'a'); "
                             "CREATE TABLE r(id INTEGER PRIMARY KEY, name TEXT); INSERT INTO r VALUES (1, 'a')")
        self.ask("CREATE TABLE c(id bigint PRIMARY KEY, one bigint, two bigint, q_id bigint, r_id bigint, "
                 "CONSTRAINT c_1 FOREIGN KEY (one) REFERENCES p(id), "
                 "CONSTRAINT c_2 FOREIGN KEY (two) REFERENCES p(id), CONSTRAINT c_3 FOREIGN KEY (q_id) REFERENCES "
                 "q(id), CONSTRAINT c_4 FOREIGN KEY (r_id) REFERENCES r(id))")
        self.ask(EXTRA)
        self.ask("INSERT INTO q VALUES (9, 'extra')")
        self.ask("INSERT INTO c VALUES (1, 7, 8, 9, 1), (2, 1, 9, NULL, NULL)")
        told = self.lines(self.run_program(*REPAIR))
        self.assertEqual(len(told), 3, told)
        for to, key, many in (("p", self.called("c", "c_1", "one"), "1 orphaned row:"),
                              ("p", self.called("c", "c_2", "two"), "2 orphaned rows,"),
                              ("q", self.called("c", "c_3", "q_id"), "1 orphaned row:")):
            self.assertEqual(sum("the foreign key %s refers to %s; %s" % (key, to, many) in line
                                 and "deleted records of %s:" % to in line for line in told), 1, told)

    def test_actions_of_keys_do_not_answer(self):
        for action in ("CASCADE", "SET NULL"):
            with self.subTest(action):
                self.target = self.new_target()
                self.run_program("reset", "--confirm")
                if os.path.exists(self.path("shop.db")):
                    os.unlink(self.path("shop.db"))
                self.copied()
                self.ask(CHILD[:-1] + " ON DELETE %s)" % action)
                self.ask(EXTRA)
                self.ask("INSERT INTO c VALUES (11, 7)")
                self.assertEqual(len(self.lines(self.run_program(*REPAIR))), 1)
                self.assertEqual(self.ask("SELECT id, p_id FROM c"), [["11", "7"]])

    # --- killed

    def test_killed_and_resumed(self):
        """Also where the list of what went is lost after it did."""
        for number, (point, lost) in enumerate((("engine.after_repair_delete", False), ("engine.after_commit", False),
                                                ("engine.before_completed", False), ("engine.before_completed", True))):
            with self.subTest(point, lost=lost):
                self.target = self.new_target()
                base = ("--state", "s%d" % number)
                if not number:
                    support.make_sqlite(self.path("shop.db"), SOURCE)
                self.run_program("migrate", "-q", *base, "shop.db", self.target)
                self.ask(CHILD)
                self.ask(EXTRA)
                self.ask("INSERT INTO c VALUES (11, 7)")
                self.ask("UPDATE p SET name = 'damaged' WHERE id = 1")
                killed = support.kill_at(point, 1, *REPAIR, *base, cwd=self.folder)
                self.assertEqual(killed.code, -9)
                self.assertEqual(self.ask("SELECT id FROM p ORDER BY id"), [["1"], ["2"]])
                if lost:
                    os.unlink(self.path("s%d" % number, "delete.jsonl"))
                told = self.run_program("resume", *base)
                self.assert_told(told, "c: the foreign key %s refers to p; 1 orphaned row: id 11." % self.called("c",
                    "of_p", "p_id"),
                                 state=base[1])
                self.assertEqual(self.ask("SELECT id, name FROM p ORDER BY id"), [["1", "a"], ["2", "b"]])


class Sqlite(sql_case.SqliteTarget, Cases, support.TestCase):
    INLINE = True

    @staticmethod
    def called(table, _, *columns):
        return "%s(%s)" % (table, ", ".join(columns))

    def test_only_what_sqlite_takes_for_a_key(self):
        """
        A key to no columns, or to ones that are not unique, is none; one without columns is to the primary key;
        affinities and collations count.
        """
        self.ask("CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE, n TEXT)")
        self.copied("CREATE TABLE p(id INTEGER PRIMARY KEY, name TEXT, n TEXT); INSERT INTO p VALUES (1, 'a', 'x'), "
                    "(2, 'b', 'x')")
        self.ask("INSERT INTO p VALUES (7, 'g', 'x')")
        for table, reference in (("gone", "p(wrong)"), ("loose", "p(n)"), ("other", "nobody(id)"), ("plain", "P"),
                                 ("named", "p(name)")):
            self.ask("CREATE TABLE %s(v REFERENCES %s)" % (table, reference))
        self.ask("INSERT INTO gone VALUES (7)")
        self.ask("INSERT INTO loose VALUES ('y')")
        self.ask("INSERT INTO other VALUES (7)")
        self.ask("INSERT INTO plain VALUES ('1'), ('7'), (2), (7.0), (x'37')")
        self.ask("INSERT INTO named VALUES ('A'), ('b'), ('G'), ('h')")
        self.assert_told(self.run_program(*REPAIR),
                         "named: the foreign key named(v) refers to p; 2 orphaned rows, the first of them: v G; v h.",
                         "plain: the foreign key plain(v) refers to P; 3 orphaned rows, the first of them: v 7")


class Server(sql_case.ServerTarget, Cases):
    @staticmethod
    def called(_, name, *__):
        return name


class Postgres(Server, support.TestCase):
    SERVERS = postgres

    def test_only_keys_that_were_checked(self):
        """And not what inherits from the table that has one."""
        self.copied()
        self.ask("CREATE SCHEMA \"Other\"; CREATE TABLE \"Other\".c(id int PRIMARY KEY, p_id bigint, "
                 "CONSTRAINT of_p FOREIGN KEY (p_id) REFERENCES p(id)); "
                 "CREATE TABLE heir() INHERITS (\"Other\".c); CREATE TABLE loose(id int, p_id bigint)")
        self.ask(EXTRA)
        self.ask("INSERT INTO \"Other\".c VALUES (1, 7); INSERT INTO heir VALUES (1, 8); "
                 "INSERT INTO loose VALUES (1, 9); "
                 "ALTER TABLE loose ADD CONSTRAINT unchecked FOREIGN KEY (p_id) REFERENCES p(id) NOT VALID")
        self.assert_told(self.run_program(*REPAIR), "Other.c: the foreign key of_p refers to p; 1 orphaned row: id 1.")

    def test_match_full(self):
        self.copied("CREATE TABLE p(a INTEGER, b INTEGER, PRIMARY KEY (a, b)); INSERT INTO p VALUES (1, 1)")
        self.ask("INSERT INTO p VALUES (7, 7); CREATE TABLE c(a bigint, b bigint, CONSTRAINT whole FOREIGN KEY (a, "
                 "b) REFERENCES p(a, b) MATCH FULL); "
                 "INSERT INTO c VALUES (7, 7), (NULL, NULL), (1, 1)")
        self.assert_told(self.run_program(*REPAIR), "c: the foreign key whole refers to p; 1 orphaned row: a 7, b 7.")

    def test_keys_are_compared_as_the_server_does(self):
        """By operators that are not on the search_path, and collations."""
        self.ask("CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE COLLATION ext.loose (provider = icu, "
                 "locale = 'und-u-ks-level2', deterministic = false);"
                 "CREATE TABLE p(ci ext.citext PRIMARY KEY, l text COLLATE ext.loose UNIQUE)")
        self.copied("CREATE TABLE p(ci TEXT PRIMARY KEY, l TEXT); INSERT INTO p VALUES ('a', 'b')")
        self.ask("INSERT INTO p VALUES ('x', 'y'); CREATE TABLE c(ci ext.citext CONSTRAINT by_ci REFERENCES p(ci), "
                 "l text CONSTRAINT by_l REFERENCES p(l)); "
                 "INSERT INTO c VALUES ('A', 'B'), ('X', 'Y')")
        self.assert_told(self.run_program(*REPAIR), "c: the foreign key by_ci refers to p; 1 orphaned row: ci X.",
                         "c: the foreign key by_l refers to p; 1 orphaned row: l Y.")

    def test_partitions(self):
        """Of the table that is referred to, and of the one that refers: one key each."""
        self.ask("CREATE TABLE p(id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id); "
                 "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (5); "
                 "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (5) TO (100)")
        self.copied()
        self.ask("CREATE TABLE c(id int, p_id bigint, CONSTRAINT of_p FOREIGN KEY (p_id) REFERENCES p(id)) PARTITION "
                 "BY RANGE (id); "
                 "CREATE TABLE c1 PARTITION OF c FOR VALUES FROM (0) TO (5); CREATE TABLE c2 PARTITION OF c FOR VALUES "
                 "FROM (5) TO (100)")
        self.ask(EXTRA)
        self.ask("INSERT INTO c VALUES (1, 7), (6, 8), (7, 1)")
        self.assert_told(self.run_program(*REPAIR),
                         "c: the foreign key of_p refers to p; 2 orphaned rows, the first of them: p_id 7; p_id 8.")

    def test_what_can_not_be_asked_is_told_and_fails_nothing(self):
        """A table that the role may not read, and one that somebody else has locked."""
        if self.server.ask(self.database, "SHOW server_version_num")[0][0] < "150000":
            self.skipTest("no role but a superuser may silence keys")
        self.ask("CREATE ROLE mender LOGIN; ALTER DATABASE %s OWNER TO mender; GRANT ALL ON SCHEMA public TO mender; "
                 "GRANT SET ON PARAMETER session_replication_role TO mender" % self.database)
        self.target = self.target.replace("postgres@", "mender@")
        self.copied()
        self.ask("CREATE SCHEMA closed; CREATE TABLE closed.c(id int, p_id bigint, "
                 "CONSTRAINT hidden FOREIGN KEY (p_id) REFERENCES p(id)); "
                 "CREATE SCHEMA open; GRANT USAGE ON SCHEMA open TO mender; CREATE TABLE open.held(id int, "
                 "p_id bigint, CONSTRAINT by_held FOREIGN KEY (p_id) REFERENCES p(id)); "
                 "GRANT SELECT ON open.held TO mender;"
                 "CREATE TABLE free(id int, p_id bigint, CONSTRAINT by_free FOREIGN KEY (p_id) REFERENCES p(id)); "
                 "GRANT SELECT ON free TO mender;")
        self.ask(EXTRA)
        self.ask("INSERT INTO closed.c VALUES (1, 7); INSERT INTO open.held VALUES (1, 7); "
                 "INSERT INTO free VALUES (1, 7)")
        other = self.server.session(self.database)
        self.addCleanup(other.close)
        other.ask("BEGIN; LOCK TABLE open.held; SELECT 1")
        told = self.lines(self.run_program(*REPAIR, "--timeout", "5s"))
        self.assertEqual(len(told), 3, told)
        self.assertTrue(told[0].startswith("warning: free: the foreign key by_free refers to p; 1 orphaned row"), told)
        self.assertIn("closed.c: the foreign key hidden refers to p; orphaned rows can't be counted: PostgreSQL says: "
                      "permission denied", told[1])
        self.assertIn("open.held: the foreign key by_held refers to p; orphaned rows can't be counted: PostgreSQL "
                      "says: canceling statement due to lock timeout", told[2])
        self.assertEqual(self.ask("SELECT id FROM p ORDER BY id"), [["1"], ["2"]])


class Mysql(Server, support.TestCase):
    SERVERS = mariadb
    QUOTE = "`"

    def test_another_database_and_one_that_may_not_be_read(self):
        other = self.server.database()
        closed = self.server.database()
        self.ask("CREATE USER mender ; GRANT ALL ON %s.* TO mender; GRANT SELECT ON %s.* TO mender; "
                 "GRANT INSERT ON %s.* TO mender" % (self.database, other, closed))
        self.target = self.target.replace("root@", "mender@")
        self.copied()
        for name in (other, closed):
            self.server.ask(name,
                            "CREATE TABLE c(id bigint PRIMARY KEY, p_id bigint, CONSTRAINT of_p FOREIGN KEY (p_id) "
                            "REFERENCES %s.p(id))" % self.database)
        self.ask(EXTRA)
        for name in (other, closed):
            self.server.ask(name, "INSERT INTO c VALUES (11, 7), (12, 1)")
        told = self.lines(self.run_program(*REPAIR))
        self.assertEqual(len(told), 2, told)
        self.assertTrue(told[0].startswith("warning: %s.c: the foreign key of_p refers to p; 1 orphaned row: id 11."
                                           % other), told)
        self.assertIn("%s.c: the foreign key of_p refers to p; orphaned rows can't be counted: MariaDB says: SELECT "
                      "command denied" % closed, told[1])

    def test_a_server_without_windows(self):
        for version in ("mysql-5.5",):
            with self.subTest(version), mariadb.Server(version=version) as server:
                self.server = server
                self.target = self.new_target()
                self.copied()
                self.ask(CHILD)
                self.ask(EXTRA)
                self.ask("INSERT INTO c VALUES (10, 1), (11, 7), (12, NULL), (13, 8)")
                self.assert_told(self.run_program(*REPAIR),
                                 "c: the foreign key of_p refers to p; 2 orphaned rows, "
                                 "the first of them: id 11; id 13.")


if __name__ == "__main__":
    unittest.main()
