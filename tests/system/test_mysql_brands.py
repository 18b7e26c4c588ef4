"""
Between MariaDB and the real MySQL: what one has and the other has not. What was written is read back by MariaDB's own
client.
"""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import mariadb
import mysql
import support

OF_MYSQL = r"""
CREATE TABLE people (id int AUTO_INCREMENT PRIMARY KEY, name varchar(40) NOT NULL, mail varchar(60) COLLATE utf8mb4_0900_as_cs, code varchar(20) COLLATE utf8mb4_0900_bin,
  word varchar(20) COLLATE utf8mb4_es_0900_ai_ci, old varchar(20) CHARACTER SET latin1, secret int INVISIBLE DEFAULT 7, doc json, v vector(3), n int,
  twice int AS (n * 2) STORED NOT NULL, at point NOT NULL SRID 4326, token varchar(40) DEFAULT (uuid()),
  UNIQUE KEY one (name), KEY hidden (mail) INVISIBLE, KEY low ((lower(name))), KEY down (code DESC),
  CONSTRAINT positive CHECK (n > 0), CONSTRAINT loose CHECK (n > 100) NOT ENFORCED);
INSERT INTO people (name, mail, code, word, old, doc, v, n, at) VALUES
  ('ann', 'A', 'x', 'ñ', 'ä', json_object('dec', CAST(1.10 AS decimal(5,2))), to_vector('[1,2.5,-3]'), 1, st_geomfromtext('point(1 2)', 4326)),
  ('ann ', 'a', 'X', 'n', 'b', '{"a": 1.0, "b": [1e2, null]}', NULL, 2, st_geomfromtext('point(3 4)', 4326));
CREATE TABLE child (id int PRIMARY KEY, person int, CONSTRAINT of_person FOREIGN KEY (person) REFERENCES people (id));
INSERT INTO child VALUES (1, 1), (2, 2);
CREATE VIEW seen AS SELECT p.name, c.id FROM people p JOIN child c ON c.person = p.id WHERE p.name LIKE 'ANN%' COLLATE utf8mb4_0900_ai_ci;
CREATE FUNCTION twice (n int) RETURNS int DETERMINISTIC RETURN n * 2;
CREATE TRIGGER filled BEFORE INSERT ON child FOR EACH ROW SET NEW.person = COALESCE(NEW.person, 1);
"""
OF_MARIADB = r"""
CREATE SEQUENCE numbers;
CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, u uuid, a inet4, b inet6, x varchar(20) COLLATE utf8mb4_uca1400_ai_ci, y varchar(20) COLLATE utf8mb4_general_nopad_ci,
  z varchar(20) COLLATE utf8mb4_nopad_bin, words text DEFAULT 'abc', token varchar(40) DEFAULT uuid(), secret int INVISIBLE DEFAULT 3, doc json, s int DEFAULT (1 + 2),
  more int AS (s + 1) VIRTUAL, number int DEFAULT NEXTVAL(numbers), e enum('a','b') DEFAULT 'b',
  KEY kept (x) IGNORED, KEY down (y DESC), CONSTRAINT positive CHECK (s > 0), UNIQUE KEY whole (words));
INSERT INTO t (u, a, b, x, y, z, words, doc) VALUES
  ('123e4567-e89b-12d3-a456-426614174000', '10.0.0.1', '2001:db8::ff00:42:8329', 'a ', 'b', 'c', 'p', '{"x": 1.10}'), (NULL, NULL, '::ffff:1.2.3.4', 'A', 'B ', 'C', 'q', NULL);
CREATE TABLE pages (id int PRIMARY KEY, v varchar(10)) ENGINE=Aria PAGE_CHECKSUM=1;
INSERT INTO pages VALUES (1, 'x');
CREATE TABLE words (id int PRIMARY KEY, p varchar(9) COLLATE utf8mb4_nopad_bin, q varchar(9) COLLATE utf8mb4_nopad_bin);
CREATE VIEW seen AS SELECT id, x FROM t WHERE x = 'A' COLLATE utf8mb4_uca1400_ai_ci;
CREATE FUNCTION twice (n int) RETURNS int DETERMINISTIC RETURN n * 2;
CREATE TRIGGER raised BEFORE INSERT ON pages FOR EACH ROW SET NEW.v = upper(NEW.v);
"""


def lines(text):
    return " ".join(text.split())


class Brands(support.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.mysql, cls.mariadb = mysql.for_class(cls), mariadb.for_class(cls)

    def made(self, server, script):
        name = server.database()
        server.ask(name, "ALTER DATABASE `%s` CHARACTER SET utf8mb4" % name)
        server.ask(name, script)
        return name

    def copy(self, source, target, told, *options):
        """`told` by `check` and by the run, which is proved then."""
        checked = lines(self.run_program("check", source, target).out)
        self.run_program("check", "--strict", source, target, code=5 if told else 0)
        result = self.run_program("migrate", "--chunk-rows", "1", *options, source, target)
        for words in told:
            self.assertIn(words, checked)
            self.assertIn(words, lines(result.err))
        self.run_program("validate", "--level", "full", *options[-2:], source, target)
        return result

    @staticmethod
    def collations(server, name, table):
        return dict(server.ask(name,
                               "SELECT column_name, collation_name FROM information_schema.columns WHERE table_schema "
                               "= database() AND table_name = '%s' AND "
                                     "collation_name IS NOT NULL" % table))

    @staticmethod
    def definition(server, name, table):
        return server.ask(name, "SHOW CREATE TABLE `%s`" % table)[0][1]

    def test_mysql_to_mariadb(self):
        source, target = self.made(self.mysql, OF_MYSQL), self.mariadb.database()
        result = self.copy(self.mysql.uri(source), self.mariadb.uri(target), (
            "child and 1 other table: the collation utf8mb4_0900_ai_ci becomes utf8mb4_uca1400_nopad_ai_ci",
            "people: the collation utf8mb4_0900_as_cs becomes utf8mb4_uca1400_nopad_as_cs",
            "people: the column v becomes blob: the server has no type vector", "people: the index low is left out",
            "people: the check loose is left out",
            "people: the clause SRID 4326 is left out"))
        self.assertIn("not carried: 1 NOT NULL, 1 clause, 1 index, 1 check", lines(result.out + result.err))
        self.assertEqual(self.collations(self.mariadb, target, "people"), {
            "name": "utf8mb4_uca1400_nopad_ai_ci", "mail": "utf8mb4_uca1400_nopad_as_cs", "code": "utf8mb4_nopad_bin",
            "word": "utf8mb4_uca1400_spanish_nopad_ai_ci",
            "old": "latin1_swedish_ci", "doc": "utf8mb4_bin", "token": "utf8mb4_uca1400_nopad_ai_ci"})
        definition = self.definition(self.mariadb, target, "people")
        for words in ("`secret` int(11) INVISIBLE DEFAULT 7", "KEY `hidden` (`mail`) IGNORED",
                      "KEY `down` (`code` DESC)", "CONSTRAINT `positive` CHECK (`n` > 0)", "DEFAULT uuid()"):
            self.assertIn(words, definition)
        asked = ("SELECT id, name, mail, code, word, old, secret, doc, hex(v), n, twice, hex(at), "
                 "token FROM people ORDER BY id")
        self.assertEqual(self.mariadb.ask(target, asked), self.mysql.ask(source, asked))
        self.assertEqual(self.mariadb.ask(target, "SELECT count(*) FROM seen; SELECT twice(21)"), [["2"], ["42"]])
        self.mariadb.ask(target, "INSERT INTO child (id) VALUES (3)")
        self.assertEqual(self.mariadb.ask(target, "SELECT person FROM child WHERE id = 3"), [["1"]])

    def test_mariadb_to_mysql(self):
        source, target = self.made(self.mariadb, OF_MARIADB), self.mysql.database()
        result = self.copy(self.mariadb.uri(source), self.mysql.uri(target), (
            "t: the column u becomes char(36): the server has no type uuid", "t: the column a becomes varchar(15)",
            "t: the column b becomes varchar(45)",
            "t: the collation utf8mb4_uca1400_ai_ci becomes utf8mb4_0900_ai_ci, to which blanks at the end count",
            "t and 1 other table: the collation utf8mb4_nopad_bin becomes utf8mb4_0900_bin",
            "of column number is left out: the server has no sequences", "t: the unique index whole is left out"))
        self.assertIn("the view seen: the collation utf8mb4_uca1400_ai_ci becomes utf8mb4_0900_ai_ci",
                      lines(result.err))
        self.assertEqual([self.collations(self.mysql, target, "t")[column] for column in "uxyz"],
                         ["ascii_bin", "utf8mb4_0900_ai_ci", "utf8mb4_0900_ai_ci", "utf8mb4_0900_bin"])
        definition = self.definition(self.mysql, target, "t")
        for words in ("INVISIBLE", "KEY `kept` (`x`) /*!80000 INVISIBLE */", "KEY `down` (`y` DESC)",
                      "CONSTRAINT `positive`", "DEFAULT (uuid())", "GENERATED ALWAYS AS ((`s` + 1)) VIRTUAL"):
            self.assertIn(words, definition)
        asked = ("SELECT id, u, a, b, x, y, z, words, token, secret, doc, s, more, number, e FROM t ORDER BY id; "
                 "SELECT * FROM pages")
        self.assertEqual(self.mysql.ask(target, asked), self.mariadb.ask(source, asked))
        self.assertEqual(self.mysql.ask(target, "SELECT count(*) FROM seen; SELECT twice(21)"), [["1"], ["42"]])
        self.mysql.ask(target, "INSERT INTO pages VALUES (2, 'y')")
        self.assertEqual(self.mysql.ask(target, "SELECT v FROM pages WHERE id = 2"), [["Y"]])

    def test_within_mysql(self):
        """As it was, to the word; a decimal within JSON is the same number, as a double."""
        source, target = self.made(self.mysql, OF_MYSQL), self.mysql.database()
        for options in ((), ("--no-express",)):
            target = self.mysql.database()
            with self.subTest(options=options):
                self.copy(self.mysql.uri(source), self.mysql.uri(target), (), *options, "--state", target)
                for table in ("people", "child"):
                    self.assertEqual(self.definition(self.mysql, target, table),
                                     self.definition(self.mysql, source, table))
                asked = "SELECT id, name, mail, secret, hex(v), twice, hex(at), st_srid(at) FROM people ORDER BY id"
                self.assertEqual(self.mysql.ask(target, asked), self.mysql.ask(source, asked))
                self.assertEqual(self.mysql.ask(target, "SELECT doc FROM people ORDER BY id"),
                                 [['{"dec": 1.1}'], ['{"a": 1.0, "b": [100.0, null]}']])
                self.mysql.ask(target, "UPDATE people SET doc = '{\"dec\": 1.2}' WHERE id = 1")
                report = self.run_program("validate", "--level", "full", "--json", "--state", target,
                                          self.mysql.uri(source), self.mysql.uri(target), code=1)
                self.assertEqual([record["key"] for record in json.loads(report.out)["records"]], [{"id": 1}])

    def test_a_collation_that_would_refuse_records(self):
        """Into one that takes no more texts for equal: both records of a unique key stay."""
        source, target = (self.made(self.mysql,
                                    "CREATE TABLE t (k varchar(9) COLLATE utf8mb4_0900_as_cs PRIMARY KEY); "
                                    "INSERT INTO t VALUES ('a'), ('a '), ('A'), ('á'), ('😀'), ('😁')"),
                          self.mariadb.database())
        self.copy(self.mysql.uri(source), self.mariadb.uri(target),
                  ("t: the collation utf8mb4_0900_as_cs becomes utf8mb4_uca1400_nopad_as_cs",))
        self.assertEqual(self.mariadb.ask(target, "SELECT count(*), count(DISTINCT k) FROM t"), [["6", "6"]])

    def test_by_a_plan(self):
        source, target = (self.made(self.mysql,
                                    "CREATE TABLE t (id int PRIMARY KEY, k varchar(9), "
                                    "u varchar(9) COLLATE utf8mb4_0900_as_ci UNIQUE); INSERT INTO t VALUES (1, 'a', "
                                    "'B')"),
                          self.mariadb.database())
        plan = self.write("plan.yaml",
                          "transhume: 1\nsource: %s\ntarget: %s\ntables: { t: { key: id, entities: { e: { from: t, "
                          "fields: { '*': copy, id: { column: id } } } } } }\n" % (
                              self.mysql.uri(source), self.mariadb.uri(target)))
        result = self.run_program("migrate", "--plan", plan)
        self.assertIn("the collation utf8mb4_0900_as_ci becomes utf8mb4_uca1400_nopad_as_ci", lines(result.err))
        self.assertEqual(self.collations(self.mariadb, target, "t"),
                         {"k": "utf8mb4_uca1400_nopad_ai_ci", "u": "utf8mb4_uca1400_nopad_as_ci"})

    def test_a_definition_that_the_server_does_not_take(self):
        """
        A column that MySQL does not compute from a counter: the table is made from its columns, and the values are
        there.
        """
        source, target = self.made(self.mariadb,
                                   "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, u uuid DEFAULT uuid(), "
                                   "v int AS (id + 1) VIRTUAL, w varchar(9) COLLATE utf8mb4_nopad_bin);"
                                                 "INSERT INTO t (w) VALUES ('a'), ('b')"), self.mysql.database()
        result = self.run_program("migrate", self.mariadb.uri(source), self.mysql.uri(target))
        self.assertIn("t: it is made from its columns, keys and indexes, and nothing else of its definition",
                      lines(result.err))
        asked = "SELECT id, u, w FROM t ORDER BY id"
        self.assertEqual(self.mysql.ask(target, asked), self.mariadb.ask(source, asked))

    def test_vectors_elsewhere(self):
        source = self.made(self.mysql,
                           "CREATE TABLE t (id int PRIMARY KEY, v vector(2)); INSERT INTO t VALUES (1, "
                           "to_vector('[1,-0.5]')), (2, NULL)")
        self.run_program("migrate", self.mysql.uri(source), "sqlite:t.db")
        with support.open_sqlite(self.path("t.db")) as database:
            self.assertEqual(database.execute("SELECT id, hex(v) FROM t ORDER BY id").fetchall(),
                             [(1, b"0000803F000000BF"), (2, b"")])
        back = self.made(self.mysql, "CREATE TABLE t (id bigint PRIMARY KEY, v vector(2))")
        self.run_program("migrate", "--state", "back", "--existing", "append", "sqlite:t.db", self.mysql.uri(back))
        self.assertEqual(self.mysql.ask(back, "SELECT id, hex(v) FROM t ORDER BY id"),
                         [["1", "0000803F000000BF"], ["2", None]])

    def test_a_rollback_without_md5(self):
        """Since 9.6 the server has none of its own."""
        path = support.make_sqlite(self.path("new.db"),
                                   "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, b BLOB); INSERT INTO t VALUES (1, "
                                   "'new', x'00'), (2, 'new', NULL), (3, 'new', NULL)")
        name = self.made(self.mysql,
                         "CREATE TABLE t (id int PRIMARY KEY, v varchar(10), b blob); INSERT INTO t VALUES (1, 'old', "
                         "x'01'), (7, 'old', NULL)")
        self.run_program("migrate", "--existing", "replace", path, self.mysql.uri(name))
        self.mysql.ask(name, "UPDATE t SET v = 'mine' WHERE id = 2")
        with open(self.path(".transhume", "state.json"), encoding="utf-8") as file:
            run = json.load(file)["run"]
        said = self.run_program("rollback", "--run", run, "--confirm", self.mysql.uri(name))
        self.assertIn("1 records were changed by others", said.out)
        self.assertEqual(self.mysql.ask(name, "SELECT id, v, hex(b) FROM t ORDER BY id"),
                         [["1", "old", "01"], ["2", "mine", None], ["7", "old", None]])


if __name__ == "__main__":
    unittest.main()
