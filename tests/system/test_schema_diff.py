"""`transhume schema diff`: statements that lead from one schema to another, carried out by the server's own client."""
import os
import signal
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import sql_case
import support


class DiffCase:
    """PAIRS: a name, what is there, what is wanted, and words that the statements have or (after "!") have not."""
    PAIRS = []

    def diff(self, current, desired, *arguments, code=0):
        return self.run_program("schema", "diff", current, desired, *arguments, code=code)

    def lead(self, name, current, desired, *words):
        place = self.make(current)
        wanted = self.write("wanted.sql", desired)
        statements = self.diff(place, wanted, "--allow-drop").out
        for word in words:
            if word.startswith("!"):
                self.assertNotIn(word[1:], statements, name)
            else:
                self.assertIn(word, statements, name)
        self.apply(place, statements)
        self.assertEqual(self.diff(place, wanted, "--allow-drop", "--exit-code").out, "", name)
        return place

    def test_pairs(self):
        for name, current, desired, *words in self.PAIRS:
            with self.subTest(name):
                self.lead(name, current, desired, *words)

    def test_a_dump_makes_the_same_schema(self):
        for name, _, desired, *_ in self.PAIRS:
            with self.subTest(name):
                place = self.make(desired)
                dumped = self.write("dump.sql", self.run_program("schema", "dump", place).out)
                self.assertEqual(self.diff(place, dumped, "--exit-code").out, "")
                self.assertEqual(self.diff(dumped, place, "--server", place, "--exit-code").out, "")

    def test_what_is_dropped_only_by_leave(self):
        place = self.make("CREATE TABLE t (a int, gone int); CREATE TABLE u (a int);")
        wanted = self.write("wanted.sql", "CREATE TABLE t (a int);")
        told = self.diff(place, wanted).out
        self.assertIn("not dropped without --allow-drop: table", told)
        self.assertNotIn("DROP", told.replace("-- not dropped", ""))
        self.assertIn("DROP TABLE", self.diff(place, wanted, "--allow-drop").out)

    def test_a_renaming_is_asked_for_not_guessed(self):
        place = self.make("CREATE TABLE t (id int, name varchar(20));")
        bare = self.write("bare.sql", "CREATE TABLE t (id int, full_name varchar(30));")
        told = self.diff(place, bare).out
        self.assertIn("--renamed t.name=full_name", told)
        self.assertIn("ADD COLUMN", told)
        named = self.write("named.sql", "CREATE TABLE t (id int,\n  -- @rename from=name\n  full_name varchar(30));")
        for arguments in ((named,), (bare, "--renamed", "t.name=full_name")):
            told = self.diff(place, *arguments).out
            self.assertNotIn("ADD COLUMN", told)
        self.apply(place, told)
        self.assertEqual(self.diff(place, named, "--exit-code").out, "")

    def test_drift_against_a_folder(self):
        os.mkdir(self.path("migrations"))
        self.write("migrations/1_t.sql", "-- migrate:up\nCREATE TABLE t (a int);\n-- migrate:down\nDROP TABLE t;\n")
        self.write("migrations/2_u.sql", "ALTER TABLE t ADD COLUMN b int;\n")
        place = self.make("CREATE TABLE t (a int, b int);")
        self.assertEqual(self.run_program("schema", "drift", place).out, "")
        self.apply(place, "ALTER TABLE t ADD COLUMN strange int;")
        self.assertIn("- column", self.run_program("schema", "drift", place, code=1).out)


class SQLite(DiffCase, support.TestCase):
    PAIRS = [
        ("a column in place", "CREATE TABLE t (a int);", "CREATE TABLE t (a int, b text DEFAULT 'x');", "ADD COLUMN",
         "!INSERT INTO"),
        ("a type by a new table",
         "CREATE TABLE t (a int PRIMARY KEY, b text); CREATE INDEX i ON t (b); CREATE VIEW v AS SELECT b FROM t;",
         "CREATE TABLE t (a int PRIMARY KEY, b varchar(9) NOT NULL DEFAULT ''); CREATE INDEX i ON t (b); "
         "CREATE VIEW v AS SELECT b FROM t;", "INSERT INTO"),
        ("a trigger and a generated column", "CREATE TABLE t (a int, b int);",
         "CREATE TABLE t (a int, b int, c int AS (a + b)); CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t "
         "WHERE a = 1; DELETE FROM t WHERE a = 2; END;"),
        ("a table in another one's place", "CREATE TABLE d (a int); CREATE VIEW q AS SELECT * FROM d;",
         "CREATE TABLE e (a int); CREATE VIEW d AS SELECT * FROM e; CREATE VIEW q AS SELECT * FROM d;"),
        ("names in other quotes", 'CREATE TABLE "t" ("a" int, [b] text);', "create table t(a INT, `b` TEXT)", "!TABLE"),
    ]

    def make(self, sql):
        self.made = getattr(self, "made", 0) + 1
        path = self.path("%d.db" % self.made)
        self.apply("sqlite:" + path, sql)
        return "sqlite:" + path

    def apply(self, place, sql):
        connection = sqlite3.connect(place[len("sqlite:"):])
        connection.executescript(sql)
        connection.close()

    def test_a_new_table_keeps_rows_and_numbers(self):
        place = self.make("""CREATE TABLE p (id INTEGER PRIMARY KEY AUTOINCREMENT, n text);
            CREATE TABLE c (id int, p int REFERENCES p ON DELETE CASCADE);
            INSERT INTO p (id, n) VALUES (5, 'x'), (9, 'y'); DELETE FROM p WHERE id = 9; INSERT INTO c VALUES (1, 5);""")
        wanted = self.write("wanted.sql", "CREATE TABLE p (id INTEGER PRIMARY KEY AUTOINCREMENT, n varchar(9));\n"
                                          "CREATE TABLE c (id int, p int REFERENCES p ON DELETE CASCADE);")
        self.apply(place, "PRAGMA foreign_keys = ON;\n" + self.diff(place,
                                                                    wanted).out + "INSERT INTO p (n) VALUES ('z');")
        connection = sqlite3.connect(place[len("sqlite:"):])
        self.assertEqual(connection.execute("SELECT id, n FROM p ORDER BY id").fetchall(), [(5, "x"), (10, "z")])
        self.assertEqual(connection.execute("SELECT id, p FROM c").fetchall(), [(1, 5)])
        connection.close()


class OnServer(sql_case.ServerTarget, DiffCase):
    def make(self, sql):
        uri = self.new_target()
        self.ask(sql)
        return uri

    def apply(self, _place, sql):
        self.ask(sql)

    def scratches(self):
        raise NotImplementedError

    def test_what_a_kill_leaves_behind(self):
        """The next comparison drops it, and not that of one who is still there."""
        place, wanted = self.make("CREATE TABLE t (a int);"), self.write("wanted.sql", "CREATE TABLE t (a int, b int);")
        held = self.stopped_at(self.AFTER + ":stop:1", "schema", "diff", place, wanted)
        self.assertEqual(len(self.scratches()), 1)
        used = self.scratches()
        self.run_program("schema", "diff", place, wanted, code=-signal.SIGKILL,
                         env={"TRANSHUME_FAILPOINT": self.AFTER + ":kill:1"})
        left = self.scratches()
        self.assertEqual(len(left), 2)
        self.wait_until("the server has let go of the killed one",
                        lambda: self.diff(place, wanted) and self.scratches() == used)
        held.send_signal(signal.SIGCONT)
        self.assertEqual(support.finish(held).code, 0)
        self.assertEqual(self.scratches(), set())


class Postgres(OnServer, support.TestCase):
    SERVERS = postgres
    AFTER = "postgres.after_scratch"

    def scratches(self):
        return {name for name, in self.ask("SELECT datname FROM pg_database WHERE datname LIKE '%transhume_scratch%'")}

    PAIRS = [
        ("serial, enum, view, index, comment",
         "CREATE TYPE st AS ENUM ('a', 'b'); CREATE TABLE u (id serial PRIMARY KEY, s st DEFAULT 'a', n text); "
         "CREATE VIEW v AS SELECT id, s, n FROM u;"
         "CREATE INDEX i ON u (n); COMMENT ON TABLE u IS 'x';",
         "CREATE TYPE st AS ENUM ('a', 'c'); CREATE TABLE u (id bigserial PRIMARY KEY, s st DEFAULT 'a', "
         "n varchar(30) NOT NULL);"
         "CREATE VIEW v AS SELECT id, s, n FROM u; CREATE INDEX i ON u (n) WHERE n <> ''; "
         "COMMENT ON COLUMN u.n IS 'x';", "CONCURRENTLY", "VALIDATE CONSTRAINT"),
        ("a label in between", "CREATE TYPE st AS ENUM ('a', 'c');", "CREATE TYPE st AS ENUM ('a', 'b', 'c');",
         "ADD VALUE 'b' BEFORE 'c'"),
        ("keys and references in both directions", "CREATE TABLE a (id int, b int); CREATE TABLE b (id int, a int);",
         "CREATE TABLE a (id int PRIMARY KEY, b int CHECK (b > 0)); CREATE TABLE b (id int PRIMARY KEY, "
         "a int REFERENCES a);"
         "ALTER TABLE a ADD CONSTRAINT ab FOREIGN KEY (b) REFERENCES b NOT VALID;", "USING INDEX", "NOT VALID"),
        ("partitions",
         "CREATE TABLE m (d date NOT NULL, n int) PARTITION BY RANGE (d); CREATE TABLE m1 PARTITION OF m FOR VALUES "
         "FROM ('2020-01-01') TO ('2021-01-01');",
         "CREATE TABLE m (d date NOT NULL, n int, x text) PARTITION BY RANGE (d); "
         "CREATE TABLE m1 (d date NOT NULL, n int);"
         "CREATE TABLE m2 PARTITION OF m FOR VALUES FROM ('2021-01-01') TO ('2022-01-01'); CREATE INDEX mi ON m (n);",
         "DETACH PARTITION"),
        ("functions, triggers, policies, grants",
         "CREATE TABLE t (a int); CREATE FUNCTION f(i int) RETURNS int LANGUAGE sql AS 'SELECT i';",
         "CREATE TABLE t (a int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a > 0); "
         "CREATE FUNCTION f(i int) RETURNS bigint LANGUAGE sql AS 'SELECT i::bigint';"
         "CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.a := 1; RETURN NEW; END $$; "
         "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION g();"
         "GRANT SELECT (a) ON t TO PUBLIC; CREATE SCHEMA s; CREATE DOMAIN s.d AS int CHECK (VALUE > 0); "
         "CREATE TABLE s.t (d s.d, g int GENERATED ALWAYS AS IDENTITY);"),
        ("a generated column of another expression",
         "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1) STORED); CREATE VIEW v AS SELECT b FROM t;",
         "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 2) STORED); CREATE VIEW v AS SELECT b FROM t;"),
    ]


class MariaDB(OnServer, support.TestCase):
    SERVERS = mariadb
    AFTER = "mysql.after_scratch"

    def scratches(self):
        return {name for name, in self.ask("SHOW DATABASES LIKE '%transhume\\\\_scratch%'")}

    PAIRS = [
        ("a column between, an index, options", "CREATE TABLE t (a int PRIMARY KEY, c int) COMMENT 'x';",
         "CREATE TABLE t (a int PRIMARY KEY, b varchar(9) NOT NULL DEFAULT 'y', c bigint, "
         "KEY k (b)) ROW_FORMAT=COMPRESSED;", "AFTER `a`"),
        ("an index beside writers", "CREATE TABLE t (a int);", "CREATE TABLE t (a int, KEY k (a));", "LOCK=NONE"),
        ("a column at the end", "CREATE TABLE t (a int);", "CREATE TABLE t (a int, b int);", "ALGORITHM=INSTANT"),
        ("a reference whose column changes",
         "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int, CONSTRAINT f FOREIGN KEY (p) REFERENCES p (id));",
         "CREATE TABLE p (id bigint PRIMARY KEY); CREATE TABLE c (p bigint, CONSTRAINT f FOREIGN KEY (p) REFERENCES "
         "p (id));", "DROP FOREIGN KEY"),
        ("another key that counts", "CREATE TABLE t (a int PRIMARY KEY, b int NOT NULL);",
         "CREATE TABLE t (a int, b int NOT NULL AUTO_INCREMENT PRIMARY KEY);"),
        ("the order of columns", "CREATE TABLE t (a int, b int, c int);", "CREATE TABLE t (c int, a int, b int);",
         "MODIFY COLUMN"),
        ("a character set", "CREATE TABLE t (a varchar(9)) DEFAULT CHARSET=latin1;",
         "CREATE TABLE t (a varchar(9)) DEFAULT CHARSET=utf8mb4;"),
        ("partitions and checks", "CREATE TABLE t (a int PRIMARY KEY, b int CHECK (b > 0));",
         "CREATE TABLE t (a int PRIMARY KEY, b int, CONSTRAINT k CHECK (b > 1)) PARTITION BY RANGE (a) (PARTITION p0 "
         "VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);"),
        ("views, routines, triggers", "CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;",
         "CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT a, b FROM t;\nDELIMITER $$\nCREATE TRIGGER g BEFORE "
         "INSERT ON t FOR EACH ROW BEGIN SET NEW.b = 1; SET NEW.a = 2; END $$\n"
         "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END $$\nDELIMITER ;\n", "DELIMITER"),
    ]


if __name__ == "__main__":
    unittest.main()
