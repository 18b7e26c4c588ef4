"""
--renumber: two databases become one. Records get keys after those that are there, and what refers to them follows.
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

TABLES = """
CREATE TABLE label (code TEXT PRIMARY KEY, name TEXT);
CREATE TABLE artist (id INTEGER PRIMARY KEY, name TEXT NOT NULL, code TEXT REFERENCES label (code));
CREATE TABLE album (id INTEGER PRIMARY KEY, artist_id INTEGER NOT NULL REFERENCES artist (id), title TEXT);
CREATE TABLE track (id INTEGER PRIMARY KEY, album_id INTEGER NOT NULL REFERENCES album (id), like_track INTEGER REFERENCES track (id), name TEXT);
CREATE TABLE guest (track_id INTEGER NOT NULL REFERENCES track (id), artist_id INTEGER NOT NULL REFERENCES artist (id), PRIMARY KEY (track_id, artist_id));
"""
FIRST = TABLES + """
INSERT INTO label VALUES ('x', 'shared');
INSERT INTO artist VALUES (1, 'AC', 'x'), (2, 'B', NULL), (7, 'C', NULL);
INSERT INTO album VALUES (1, 1, 'by AC'), (2, 7, 'by C');
INSERT INTO track VALUES (1, 1, NULL, 'of AC'), (2, 2, 1, 'of C');
INSERT INTO guest VALUES (1, 7);
"""
SECOND = TABLES + """
INSERT INTO label VALUES ('x', 'shared');
INSERT INTO artist VALUES (1, 'ZZ', 'x'), (3, 'Y', NULL);
INSERT INTO album VALUES (1, 1, 'by ZZ'), (5, 3, 'by Y');
INSERT INTO track VALUES (1, 1, 3, 'of ZZ'), (2, 5, NULL, 'of Y'), (3, 1, 1, 'of ZZ, too');
INSERT INTO guest VALUES (1, 3), (2, 1);
"""
NAMED = ("--renumber", "artist", "--renumber", "album", "--renumber", "track", "--existing", "skip")
ALBUMS = "SELECT l.title, a.name FROM album l JOIN artist a ON a.id = l.artist_id ORDER BY l.id"
TRACKS = ("SELECT t.name, l.title, u.name FROM track t JOIN album l ON l.id = t.album_id LEFT JOIN track u ON u.id = "
          "t.like_track ORDER BY t.id")
GUESTS = ("SELECT t.name, a.name FROM guest g JOIN track t ON t.id = g.track_id JOIN artist a ON a.id = g.artist_id "
          "ORDER BY t.id, a.id")


class Renumber:
    def first(self):
        """A target with the first database in it, as an application has it, and the second one."""
        target = self.new_target()
        self.apply(FIRST)
        if not os.path.exists(self.path("second.db")):
            support.make_sqlite(self.path("second.db"), SECOND)
        return self.path("second.db"), target

    def apply(self, script):
        for statement in script.split(";"):
            if statement.strip():
                self.ask(self.own(statement))

    def own(self, statement):
        return statement

    def check_merged(self):
        self.assertEqual(self.ask("SELECT id, name FROM artist ORDER BY id"),
                         [["1", "AC"], ["2", "B"], ["7", "C"], ["8", "ZZ"], ["10", "Y"]])
        self.assertEqual(self.ask(ALBUMS), [["by AC", "AC"], ["by C", "C"], ["by ZZ", "ZZ"], ["by Y", "Y"]])
        self.assertEqual(self.ask(TRACKS), [["of AC", "by AC", None], ["of C", "by C", "of AC"],
                                            ["of ZZ", "by ZZ", "of ZZ, too"],
                                            ["of Y", "by Y", None], ["of ZZ, too", "by ZZ", "of ZZ"]])
        self.assertEqual(self.ask(GUESTS), [["of AC", "C"], ["of ZZ", "Y"], ["of Y", "ZZ"]])
        self.assertEqual(self.ask("SELECT count(*) FROM label"), [["1"]])

    def check_next(self):
        """What the application does next."""
        self.ask("INSERT INTO artist (name) VALUES ('next')")
        self.assertEqual(self.ask("SELECT id FROM artist WHERE name = 'next'"), [["11"]])

    def test_merged(self):
        source, target = self.first()
        checked = self.run_program("check", source, target, *NAMED)
        self.assertIn("artist: its records get new keys: id + 7", checked.out)
        self.run_program("migrate", source, target, *NAMED)
        self.check_merged()
        for level in ("count", "sample", "hash", "full"):
            self.run_program("validate", source, target, "--level", level)
        self.check_next()
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.ask("SELECT name FROM artist ORDER BY id"), [["AC"], ["B"], ["C"], ["next"]])
        self.assertEqual(self.ask("SELECT count(*) FROM track"), [["2"]])

    def test_after_kills(self):
        for number, (point, times) in enumerate((("engine.after_ledger_create", 1), ("engine.after_commit", 1),
                                                 ("engine.after_commit", 4),
                                                 ("engine.before_completed", 1))):
            with self.subTest(point=point, times=times):
                source, target = self.first()
                state = self.path("k%d" % number)
                killed = support.kill_at(point, times, "migrate", source, target, *NAMED, "--chunk-rows", "1", "--jobs",
                                         "1", "--state", state,
                                         cwd=self.folder)
                self.assertEqual(killed.code, -9)
                self.run_program("resume", "--state", state)
                self.check_merged()
                self.run_program("validate", "--level", "full", "--state", state)

    def test_by_plan(self):
        source, target = self.first()
        tables = "".join("  %s: { from: %s, %sfields: { '*': copy } }\n" % (table, table,
                                                                            "renumber: true, "
                                                                            if table in ("artist", "album", "track")
                                                                            else "")
                         for table in ("label", "artist", "album", "track", "guest"))
        plan = self.write("plan.yaml", "transhume: 1\nsource: sqlite:%s\ntarget: '%s'\nexisting: skip\ntables:\n%s"
                          % (source, target, tables))
        self.run_program("migrate", "--plan", plan)
        self.check_merged()
        self.run_program("validate", "--plan", plan, "--level", "full")

    def test_what_cannot_be_renumbered(self):
        source, target = self.first()
        for table, told in (("label",
                             "label can't be renumbered: its key is not one integer column of one source table"),
                            ("guest",
                             "guest can't be renumbered: its key is not one integer column of one source table"),
                            ("nothing", "--renumber nothing: no table of that name is written")):
            with self.subTest(table=table):
                result = self.run_program("migrate", source, target, "--renumber", table, "--existing", "skip", code=2)
                self.assertIn(told, result.err)
        self.assertEqual(self.ask("SELECT count(*) FROM artist"), [["3"]])

    def test_what_refers_to_it_and_is_no_number(self):
        source = support.make_sqlite(self.path("odd.db"),
                                     "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, "
                                     "p TEXT REFERENCES p (id));"
                                     "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, '1');")
        self.first()
        result = self.run_program("migrate", source, "sqlite:" + self.path("odd-target.db"), "--renumber", "p", code=2)
        self.assertIn("c.p refers to the renumbered p, and is no integer column of the source as it is", result.err)

    def test_keys_that_do_not_fit(self):
        source = support.make_sqlite(self.path("big.db"),
                                     "CREATE TABLE artist (id INTEGER PRIMARY KEY, name TEXT NOT NULL); "
                                     "INSERT INTO artist VALUES (1, 'a'), (9223372036854775807, 'b');")
        _, target = self.first()
        result = self.run_program("migrate", source, target, "--renumber", "artist", code=2)
        self.assertIn("--renumber: keys up to 9223372036854775807 and beyond 7, which is there, "
                      "are more than id can hold", result.err)

    def test_into_tables_that_are_not_there(self):
        """Nothing is in their way: the keys stay."""
        source = support.make_sqlite(self.path("alone.db"), FIRST)
        target = self.new_target()
        self.run_program("migrate", source, target, "--renumber", "artist", "--renumber", "album")
        self.assertEqual(self.ask("SELECT id FROM artist ORDER BY id"), [["1"], ["2"], ["7"]])
        self.run_program("validate", "--level", "full")

    def test_without_the_ledger(self):
        source, target = self.first()
        self.run_program("migrate", source, target, *NAMED)
        self.run_program("finish", target, "--confirm")
        result = self.run_program("validate", source, target, code=5)
        self.assertIn("which keys its records got", result.err)

    def test_out_of_csv(self):
        """A source without counters and foreign keys: those of the target say what follows."""
        os.mkdir(self.path("csv"))
        for table, text in (("artist", "id,name,code\n1,ZZ,x\n3,Y,\n"),
                            ("album", "id,artist_id,title\n1,1,by ZZ\n5,3,by Y\n")):
            self.write(os.path.join("csv", table + ".csv"), text)
        _, target = self.first()
        self.run_program("migrate", "csv:csv", target, "--renumber", "artist", "--renumber", "album", "--existing",
                         "append")
        self.assertEqual(self.ask(ALBUMS), [["by AC", "AC"], ["by C", "C"], ["by ZZ", "ZZ"], ["by Y", "Y"]])

    def test_repaired(self):
        """What is missing under a new key comes back under it."""
        source, target = self.first()
        self.run_program("migrate", source, target, *NAMED)
        self.ask("DELETE FROM guest WHERE track_id > 2")
        result = self.run_program("validate", source, target, "--level", "full", "--repair", "--json")
        self.assertIs(json.loads(result.out)["repaired"], True)
        self.check_merged()


class Sqlite(Renumber, sql_case.SqliteTarget, support.TestCase):
    pass


class Postgres(Renumber, sql_case.ServerTarget, support.TestCase):
    SERVERS = postgres

    def apply(self, script):
        super().apply(script)
        for table in ("artist", "album", "track"):
            self.ask("SELECT setval('%s_id_seq', (SELECT max(id) FROM %s))" % (table, table))

    def own(self, statement):
        return statement.replace("id INTEGER PRIMARY KEY", "id SERIAL PRIMARY KEY")


class MariaDb(Renumber, sql_case.ServerTarget, support.TestCase):
    SERVERS = mariadb

    def own(self, statement):
        return statement.replace("id INTEGER PRIMARY KEY", "id INTEGER AUTO_INCREMENT PRIMARY KEY").replace("code TEXT",
            "code varchar(20)")


if __name__ == "__main__":
    unittest.main()
