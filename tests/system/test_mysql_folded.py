"""
MariaDB that keeps names of tables and databases in small letters, as on Windows and in some clouds, beside sources and
plans that do not.
"""
import os
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import sql_case
import support

SHOP = ("CREATE TABLE Artist (Id INTEGER PRIMARY KEY, Name TEXT); CREATE TABLE Album (Id INTEGER PRIMARY KEY, "
        "ArtistId INTEGER REFERENCES Artist (Id), Title TEXT);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO Artist SELECT i, "
        "'a' || i FROM n;"
        "INSERT INTO Album SELECT Id, 501 - Id, 't' || Id FROM Artist")
THERE = ("CREATE TABLE Artist (Id int PRIMARY KEY, Name varchar(20)); CREATE TABLE Album (Id int PRIMARY KEY, "
         "ArtistId int REFERENCES Artist (Id), Title varchar(20)); "
         "INSERT INTO Artist VALUES (3, 'mine'), (900, 'other'); INSERT INTO Album VALUES (7, 3, 'mine')")


class FoldedNames(sql_case.SqlCase):
    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls, settings={"lower-case-table-names": "1"})

    def test_the_order_of_a_copy_and_of_its_rollback(self):
        source = support.make_sqlite(self.path("s.db"),
                                     "CREATE TABLE Child (id INTEGER PRIMARY KEY, parent INTEGER); "
                                     "CREATE TABLE Parent (id INTEGER PRIMARY KEY);"
                                     "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) "
                                     "INSERT INTO Parent SELECT i FROM n;"
                                     "INSERT INTO Child SELECT id, 501 - id FROM Parent;")
        target = self.made("CREATE TABLE Parent (id int PRIMARY KEY); CREATE TABLE Child (id int PRIMARY KEY, "
                           "parent int REFERENCES Parent (id))")
        counts = "SELECT (SELECT count(*) FROM Child), (SELECT count(*) FROM Parent)"
        self.migrate(source, self.server.uri(target), "--existing", "append", "--chunk-rows", "100")
        self.assertEqual(self.server.ask(target, counts), [["500", "500"]])
        run = self.run_id()
        self.run_program("rollback", "--run", run, "--confirm")
        self.assertEqual(self.server.ask(target, counts), [["0", "0"]])

    def rows(self, target):
        return self.server.ask(target, "SELECT * FROM Artist ORDER BY Id"), self.server.ask(target,
            "SELECT * FROM Album ORDER BY Id")

    def test_tables_that_hold_records(self):
        source = support.make_sqlite(self.path("s.db"), SHOP)
        # skip: the album of an artist who is another one there is a reject
        for existing, code, kept, albums in (("append", 1, "mine", "500"), ("upsert", 0, "a3", "500"),
                                             ("replace", 0, "a3", "500"), ("skip", 1, "mine", "499")):
            with self.subTest(existing):
                target, state = self.made(THERE), self.path(existing)
                before = self.rows(target)
                self.run_program("migrate", "--quiet", "--existing", existing, source, self.server.uri(target),
                                 "--state", state, code=code)
                self.assertEqual(self.server.ask(target,
                                                 "SELECT (SELECT count(*) FROM Artist), (SELECT count(*) FROM Album), "
                                                 "(SELECT Name FROM Artist WHERE Id = 3)"), [["501", albums, kept]])
                self.run_program("rollback", "--run", self.run_id(state), "--confirm", "--state", state)
                self.assertEqual(self.rows(target), before)

    def test_tables_that_a_run_made(self):
        source = support.make_sqlite(self.path("s.db"), SHOP)
        target = self.made()
        pair = [source, self.server.uri(target)]
        self.assertEqual(support.kill_at("engine.before_completed", 1, "migrate", "--quiet", *pair,
                                         cwd=self.folder).code, -9)
        self.run_program("migrate", "--quiet", "--restart", "--confirm", *pair)
        self.assertEqual([len(rows) for rows in self.rows(target)], [500, 500])
        self.run_program("validate", "--level", "full")
        self.run_program("rollback", "--run", self.run_id(), "--dry-run")
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.server.ask(target, "SHOW TABLES"), [])

    def test_one_database_by_two_spellings(self):
        """A run is held by its process, however another one writes the database's name."""
        source, target = support.make_sqlite(self.path("s.db"), SHOP), self.made()
        process = self.stopped_at("mysql.after_commit:stop:2", "migrate", "--chunk-rows", "100", "--jobs", "1", source,
                                  self.server.uri(target))
        shouted = self.server.uri(target.upper())
        run = self.run_id()
        said = self.run_program("rollback", "--run", run, "--confirm", shouted, "--state", "other", code=5).err
        self.assertIn("run-held", said)
        process.send_signal(support.signal.SIGCONT)
        self.assert_code(support.finish(process), 0)
        self.assertEqual([len(rows) for rows in self.rows(target)], [500, 500])


if __name__ == "__main__":
    unittest.main()
