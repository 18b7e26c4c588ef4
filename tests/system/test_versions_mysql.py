"""Other versions of MariaDB than the distribution's, an old MySQL and a new one: tables, edge values, kills and
validation, within a version and from or to the distribution's.

They come from the cache of test servers, which `make servers` fills; where one is not there, what needs it is skipped.
An ordinary run takes one of them, by seed.
"""
import decimal
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import cache
import mariadb
import mysql
import postgres
import support

VERSIONS = ("mariadb-10.2", "mariadb-11.4", "mysql-5.5", "mysql-9")
# In words that all of them have.
TABLES = r"""
CREATE TABLE numbers (id bigint unsigned PRIMARY KEY AUTO_INCREMENT, t tinyint, s smallint unsigned, m mediumint, i int, b bigint, d decimal(38,10), e decimal(10,2), f float, g double,
  y year, c bit(10), KEY by_i (i, t), UNIQUE KEY one_s (s)) AUTO_INCREMENT = 5000;
INSERT INTO numbers VALUES (18446744073709551615, -128, 65535, -8388608, -2147483648, -9223372036854775808, -9999999999999999999999999999.9999999999, 0.10, 1.5, -1.7976931348623157e308, 1901, b'1111111111'),
  (1, 127, 0, 8388607, 2147483647, 9223372036854775807, 0.0000000001, -0.01, -0.25, 2.2250738585072014e-308, 2155, b'0'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE times (id int PRIMARY KEY, d date, t datetime, s timestamp NULL, v time) ENGINE=InnoDB;
INSERT INTO times VALUES (1, '0000-00-00', '0000-00-00 00:00:00', '1970-01-01 00:00:01', '-838:59:59'), (2, '9999-12-31', '9999-12-31 23:59:59', '2038-01-19 03:14:07', '838:59:59'),
  (3, '2024-00-10', '2024-02-29 00:00:00', NULL, '00:00:00');
CREATE TABLE texts (k varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, n int, c char(5) CHARACTER SET latin1, v varchar(200) CHARACTER SET utf8mb4, t longtext CHARACTER SET utf8mb4, b varbinary(20), l longblob,
  e enum('one','t''wo','drei'), s set('x','y','z'), PRIMARY KEY (k, n)) ENGINE=InnoDB COMMENT = 'some; texts';
INSERT INTO texts VALUES ('a', 1, 'äé', '😀 \\ \' " ', CONCAT('z', REPEAT('long ', 5000)), X'00FF', X'', 't''wo', 'x,z'), ('A', 1, '', '', '', '', NULL, NULL, ''), ('😀', -1, NULL, NULL, NULL, NULL, X'0001020A0D5C27', 'drei', NULL);
CREATE TABLE keyless (a int, b varchar(20)) ENGINE=InnoDB;
CREATE TABLE parent (id int PRIMARY KEY AUTO_INCREMENT, name varchar(30) NOT NULL DEFAULT 'none' COMMENT 'its; name') ENGINE=InnoDB;
CREATE TABLE child (id int PRIMARY KEY, parent int, v varchar(50) DEFAULT NULL, KEY by_v (v(10)), CONSTRAINT to_parent FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE) ENGINE=InnoDB;
"""
ROWS = 1200
FILLED = {"parent": "(%d, 'p%d')", "keyless": "(%d, 'k%d')", "child": "(%d, 7, 'c%d')"}
OBJECTS = """
CREATE VIEW seen AS SELECT c.id, p.name FROM child c JOIN parent p ON p.id = c.parent;
CREATE TRIGGER before_child BEFORE INSERT ON child FOR EACH ROW SET NEW.v = CONCAT(NEW.v, '!');
CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN n * 2;
"""
TABLE_NAMES = ("numbers", "times", "texts", "keyless", "parent", "child")
POINTS = (("mysql.after_schema", 1), ("mysql.before_commit", 3), ("mysql.after_commit", 5), ("mysql.after_index", 2))


class Versions(support.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.ours = mariadb.for_class(cls)
        cls.random = random.Random(support.SEED)
        cls.others = {}

    def started(self, version):
        if version not in self.others:
            self.others[version] = (mysql if version == mysql.VERSION else mariadb).for_class(type(self),
                version=version)
        return self.others[version]

    def there(self):
        """Those to be tried."""
        versions = [version for version in VERSIONS if cache.PACKAGES[version].path()]
        if os.environ.get("TRANSHUME_SERVERS") == "all":
            versions = VERSIONS
        if not versions or os.environ.get("TRANSHUME_SERVERS") == "none":
            self.skipTest("no other MariaDB or MySQL is in %s: `make servers` fetches them" % cache.cache_folder())
        return versions if support.SOAK else [self.random.choice(versions)]

    @staticmethod
    def made(server, objects=""):
        name = server.database()
        server.ask(name, "ALTER DATABASE `%s` CHARACTER SET utf8mb4" % name)
        server.ask(name, TABLES)
        for table, values in FILLED.items():
            server.ask(name, "INSERT INTO %s VALUES %s" % (table,
                                                           ", ".join(values % (number, number)
                                                                     for number in range(1, ROWS + 1))))
        server.ask(name, objects)
        return name

    @staticmethod
    def rows(server, name):
        """As texts; of what a client would cut or turn, its bytes."""
        found = {}
        for table in TABLE_NAMES:
            columns = [row[0] for row in server.ask(name,
                                                    "SELECT column_name FROM information_schema.columns WHERE "
                                                    "table_schema = '%s' AND table_name = '%s' ORDER BY "
                                                    "ordinal_position" % (name, table))]
            found[table] = sorted(server.ask(name, "SELECT %s FROM %s" % (", ".join(
                "HEX(CONVERT(`%s` USING utf8mb4))" % column if table == "texts" and column in "kcvt"
                else "HEX(`%s`)" % column if table == "texts" and column in "bl" else
                "`%s` + 0" % column if (table, column) == ("numbers", "c") else "`%s`" % column for column in columns),
                                                                          table)), key=repr)
        return found

    def assert_keys(self, source, target):
        asked = ("SELECT table_name, index_name, column_name, seq_in_index, non_unique, "
                 "sub_part FROM information_schema.statistics WHERE table_schema = '%s' AND table_name NOT LIKE "
                 "'\\\\_transhume%%' ORDER BY 1, 2, 4")
        self.assertEqual(*(server.ask(name, asked % name) for server, name in (source, target)))
        asked = ("SELECT table_name, constraint_name, referenced_table_name, delete_rule FROM "
                 "information_schema.referential_constraints WHERE constraint_schema = '%s'")
        self.assertEqual(*(server.ask(name, asked % name) for server, name in (source, target)))

    def copy(self, source, target):
        """Killed at some point, gone on with and validated."""
        names = self.made(source, OBJECTS), target.database()
        arguments = ("--state", self.path("state-%d-%d-%s" % (source.port, target.port, names[1])),
                     source.uri(names[0]), target.uri(names[1]))
        point, occurrence = self.random.choice(POINTS)
        killed = support.kill_at(point, occurrence, "migrate", "--chunk-rows", "300", *arguments, cwd=self.folder)
        self.assertIn(killed.code, (0, -9), killed.err)   # it may not get there so often
        if killed.code:
            result = support.transhume("resume", *arguments, cwd=self.folder)
            self.assertIn(result.code, (0, 1), result.err)
        self.run_program("validate", "--level", "full", *arguments)
        self.assertEqual(self.rows(source, names[0]), self.rows(target, names[1]))
        self.assert_keys((source, names[0]), (target, names[1]))
        self.assertEqual(target.ask(names[1], "SELECT count(*), max(name) FROM seen; SELECT twice(21)"),
                         [[str(ROWS), "p7"], ["42"]])
        target.ask(names[1], "INSERT INTO parent (name) VALUES ('new'); INSERT INTO child VALUES (7000, 7, 'v')")
        self.assertEqual(target.ask(names[1],
                                    "SELECT id FROM parent WHERE name = 'new'; SELECT v FROM child WHERE id = 7000"),
                         [[str(ROWS + 1)], ["v!"]])

    def test_each(self):
        for version in self.there():
            other = self.started(version)
            pairs = [(other, other), (self.ours, other), (other, self.ours)]
            for source, target in pairs if support.SOAK else [self.random.choice(pairs)]:
                with self.subTest(version=version, source=source is other, target=target is other):
                    self.copy(source, target)

    def test_to_and_from_another_engine(self):
        for version in self.there():
            other, engine = self.started(version), postgres.Server()
            self.addCleanup(engine.stop)
            name = self.made(other)
            # others have no room for those
            other.ask(name,
                      "DELETE FROM numbers WHERE id > 1000; DELETE FROM times WHERE id <> 2; "
                      "UPDATE times SET v = '01:02:03'")
            for middle in ("sqlite:%s.db" % version, engine.uri(engine.database())) if support.SOAK else ("sqlite:%s.db"
                % version,):
                with self.subTest(version=version, middle=middle):
                    source, back = other.uri(name), other.database()
                    state = self.path("state-" + back)
                    self.run_program("migrate", "--chunk-rows", "300", source, middle, "--state", state)
                    self.run_program("validate", "--level", "hash", source, middle, "--state", state)
                    some = []
                    if version == "mysql-5.5":   # what it can't have is told before
                        told = self.run_program("check", middle, other.uri(back), code=2)
                        told = " ".join((told.out + told.err).split())
                        self.assertRegex(told, "too old for fractions of a second" if middle.startswith("postgres")
                                         else r"k may take \d+ bytes, and the server takes 767 of a column")
                        some = ["--exclude", "texts", "--exclude", "times"]
                    self.run_program("migrate", "--chunk-rows", "300", *some, middle, other.uri(back), "--state",
                                     state + "-back")
                    self.run_program("validate", "--level", "hash", *some, middle, other.uri(back), "--state",
                                     state + "-back")
                    self.assertEqual(other.ask(back, "SELECT count(*), count(DISTINCT a), sum(a), max(b) FROM keyless"),
                                     [[str(ROWS), str(ROWS), str(ROWS * (ROWS + 1) // 2), "k999"]])
                    found = [[[value and decimal.Decimal(value) for value in row]
                              for row in other.ask(database, "SELECT id, d, b FROM numbers ORDER BY id")]
                             for database in (name, back)]
                    self.assertEqual(*found)

    def test_rollback(self):
        for version in self.there():
            other, path = self.started(version), support.make_sqlite(self.path(version + ".db"),
                                                                     "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); "
                                                                     "INSERT INTO t VALUES (1, 'new'), (2, 'new')")
            name = other.database()
            other.ask(name,
                      "CREATE TABLE t (id int PRIMARY KEY, v varchar(10)) ENGINE=InnoDB; INSERT INTO t VALUES (1, "
                      "'old'), (7, 'old')")
            state = self.path("state-" + version)
            plan = self.write(version + ".yaml",
                              "transhume: 1\nsource: sqlite:%s\ntarget: %s\ntables: { t: { key: id, "
                              "entities: { e: { from: t } } } }\n" % (path, other.uri(name)))
            self.run_program("migrate", "--plan", plan, "--existing", "replace", "--state", state)
            self.assertEqual(other.ask(name, "SELECT * FROM t ORDER BY id"), [["1", "new"], ["2", "new"], ["7", "old"]])
            with open(os.path.join(state, "run.json"), encoding="utf-8") as file:
                self.run_program("rollback", "--run", support.json.load(file)["run"], "--plan", plan, "--confirm",
                                 "--state", state)
            self.assertEqual(other.ask(name, "SELECT * FROM t ORDER BY id"), [["1", "old"], ["7", "old"]])


if __name__ == "__main__":
    unittest.main()
