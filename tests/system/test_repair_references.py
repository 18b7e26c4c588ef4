"""`validate --repair` and the foreign keys of tables that are there: it writes no reference whose partner is not."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import mariadb
import postgres
import support

SOURCE = """CREATE TABLE p(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO p VALUES (1, 'refused'), (2, 'a'), (3, 'b');
CREATE TABLE n(id INTEGER PRIMARY KEY, p INTEGER REFERENCES p(id)); INSERT INTO n VALUES (1, 1), (2, 2), (3, 3);
CREATE TABLE z(id INTEGER PRIMARY KEY, q INTEGER REFERENCES z(id)); INSERT INTO z VALUES (1, 7), (2, 2), (3, 2);"""
TARGET = """CREATE TABLE p(id bigint PRIMARY KEY, v varchar(10), CHECK (v <> 'refused')); CREATE TABLE n(id bigint PRIMARY KEY, p bigint, FOREIGN KEY (p) REFERENCES p(id));
CREATE TABLE z(id bigint PRIMARY KEY, q bigint, FOREIGN KEY (q) REFERENCES z(id));"""


class RepairReferences(support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.servers = postgres.for_class(cls), mariadb.for_class(cls)

    def test_no_reference_without_a_partner_is_written(self):
        support.make_sqlite(self.path("source.db"), SOURCE)
        for server in self.servers:
            with self.subTest(server.TITLE):
                target = server.database()
                server.ask(target, TARGET)
                arguments = ("--state", self.path("state-" + server.TITLE), "source.db", server.uri(target))
                self.run_program("migrate", *arguments, code=1)
                server.ask(target, "DELETE FROM n; DELETE FROM p WHERE id = 2; UPDATE z SET q = NULL")
                result = self.run_program("validate", "--repair", *arguments, code=1)
                self.assertIn("1 references have no record to refer to, and stay NULL; the first of them: id 1: q 7",
                              result.err)
                self.assertEqual(server.ask(target, "SELECT id, q FROM z ORDER BY id"),
                                 [["1", None], ["2", "2"], ["3", "2"]])
                self.assertEqual(server.ask(target, "SELECT id, p FROM n ORDER BY id"), [["2", "2"], ["3", "3"]])
                self.assertEqual(server.ask(target, "SELECT id FROM p ORDER BY id"), [["2"], ["3"]])

    def test_what_lost_its_partner_stays_null(self):
        """Also where the source has the partner, and the run rejected it."""
        support.make_sqlite(self.path("source.db"), SOURCE.replace("'refused'", "'fine'").replace("7", "1"))
        for server in self.servers:
            with self.subTest(server.TITLE):
                target = server.database()
                server.ask(target, TARGET)
                arguments = ("--state", self.path("state-" + server.TITLE), "source.db", server.uri(target))
                self.run_program("migrate", *arguments)
                server.ask(target, "UPDATE n SET p = NULL WHERE id = 1; DELETE FROM p WHERE id = 1")
                self.run_program("validate", "--repair", "--include", "n", "--state",
                                 self.path("other-" + server.TITLE), *arguments[2:], code=1)
                self.assertEqual(server.ask(target, "SELECT id, p FROM n ORDER BY id"),
                                 [["1", None], ["2", "2"], ["3", "3"]])
                self.run_program("validate", "--repair", *arguments)
                self.assertEqual(server.ask(target, "SELECT id, p FROM n ORDER BY id"),
                                 [["1", "1"], ["2", "2"], ["3", "3"]])


if __name__ == "__main__":
    unittest.main()
