"""
Tables without a primary key: by another key of theirs where they have one, else by whole records, of which one is
updated or goes.
"""
import json
import os
import random
import sys
import unittest

import support
from test_follow import PostgresSide, SqliteSide, Writer
from test_follow_mysql import MysqlSide

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import mariadb  # noqa: E402
import mysql  # noqa: E402
import postgres  # noqa: E402

SERVERS = {}
KILLS = 30 if support.SOAK else 5


def followed(kind):
    if kind not in SERVERS:
        SERVERS[kind] = kind.Server(settings={**(postgres if kind is postgres else mariadb).FOLLOWED})
        unittest.addModuleCleanup(SERVERS[kind].stop)
    return SERVERS[kind]


class Loose:
    """Rows many of which are equal, with NULLs, and one that a key names."""

    def __init__(self, side, seed):
        self.side, self.random, self.number = side, random.Random(seed), 0
        side.make("CREATE TABLE loose (a INTEGER, t VARCHAR(40), n NUMERIC(8,2)); "
                  "CREATE TABLE keyed (id INTEGER PRIMARY KEY, v INTEGER);"
                  "INSERT INTO keyed VALUES (1, 0);" + "".join("INSERT INTO loose VALUES (%d, 'same', 1.50);" % (i % 3)
                                                               for i in range(12)))
        if isinstance(side, PostgresSide):
            side.make("ALTER TABLE loose REPLICA IDENTITY FULL")

    def one_of(self, condition):
        return ("WHERE ctid = (SELECT ctid FROM loose WHERE %s LIMIT 1)" if isinstance(self.side, PostgresSide)
                else "WHERE %s LIMIT 1") % condition

    def step(self):
        pick = self.random
        self.number += 1
        statements = ["UPDATE keyed SET v = %d" % self.number]
        for _ in range(pick.randint(1, 5)):
            a, b, t = pick.randint(0, 5), pick.randint(0, 5), pick.choice(["NULL", "'same'", "'Same'", "'other'",
                                                                           "'\u00e4'"])
            n = pick.choice(["NULL", "1.5", "1.50", "-0.01", "99999"])
            statements.append(pick.choice([
                "INSERT INTO loose VALUES (%d, %s, %s)" % (a, t, n),
                "INSERT INTO loose VALUES (%d, %s, %s)" % (a, t, n),
                "INSERT INTO loose SELECT a, t, n FROM keyed, (SELECT a, t, n FROM loose LIMIT 2) AS l",
                "DELETE FROM loose " + self.one_of("a = %d" % a),
                "UPDATE loose SET t = %s, a = %d " % (t, b) + self.one_of("a = %d" % a),
                "UPDATE loose SET n = %s WHERE a = %d" % (n, a), "DELETE FROM loose WHERE a = %d AND t IS NULL" % a,
                "UPDATE loose SET a = NULL " + self.one_of("a = %d" % a)]))
        self.side.transaction(statements, pick.random() > 0.1)


class Pair:
    def setUp(self):
        super().setUp()
        self.source, self.target = self.sides()
        self.loose = Loose(self.source, support.SEED)

    def begin(self, code=0):
        return self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri, code=code)

    def follow(self, *more, code=0):
        return self.run_program("follow", "--catch-up", *more, code=code, time_limit=120)

    def steps(self, count):
        for _ in range(count):
            self.loose.step()

    def assert_same(self):
        for table in ("loose", "keyed"):
            self.assertEqual(self.target.rows(table), self.source.rows(table))

    def test_duplicates_stay_in_number(self):
        self.steps(5)
        self.begin()
        self.assert_same()
        self.steps(30)
        self.assertNotIn("reject", self.follow().err)
        self.assert_same()
        self.source.transaction(["DELETE FROM loose " + self.loose.one_of("t = 'same'")], True)
        self.source.transaction(["INSERT INTO loose VALUES (1, 'same', 1.5)"] * 3, True)
        self.follow()
        self.assert_same()
        self.source.transaction(["DELETE FROM loose"], True)
        self.source.transaction(["INSERT INTO loose VALUES (NULL, NULL, NULL)"] * 2, True)
        self.follow()
        self.assertEqual(self.target.rows("loose"), [[None] * 3] * 2)

    def test_killed_in_apply(self):
        """A change that was applied twice would show."""
        self.begin()
        for failpoint in self.FAILPOINTS + ("follow.before_apply", "follow.after_apply"):
            self.steps(4)
            self.assertEqual(support.kill_at(failpoint, 1, "follow", "--catch-up", cwd=self.folder).code, -9, failpoint)
            self.steps(1)
            self.follow("--take-over")
            self.assert_same()

    def test_killed_at_any_moment(self):
        """Also while the table is copied, or read again since the copy was resumed."""
        writer = Writer(self.loose)
        writer.start()
        self.addCleanup(writer.stop)
        pick, begun = random.Random(support.SEED), False
        for _ in range(KILLS):
            arguments = ["follow", "--take-over"] if begun else ["migrate", "--follow", self.source.uri,
                                                                 self.target.uri]
            support.kill_after(pick.uniform(0.1, 1.5) * support.PATIENCE, *arguments, cwd=self.folder)
            begun = os.path.exists(self.path(".transhume", "run.json"))
        writer.stop()
        if not begun:
            self.begin()
        self.follow("--take-over")
        self.assert_same()

    def test_a_resumed_copy_is_read_again(self):
        self.assertEqual(support.kill_at("engine.before_commit", 1, "migrate", "--follow", self.source.uri,
                                         self.target.uri, cwd=self.folder).code, -9)
        self.steps(10)
        self.assertIn("loose is read again", self.follow().err)
        self.assert_same()
        self.steps(5)
        self.assertNotIn("read again", self.follow().err)
        self.assert_same()

    def test_read_again_and_resync(self):
        self.begin()
        self.steps(3)
        self.target.transaction(["DELETE FROM loose WHERE a < 2"], True)
        for options in (["--refresh", "loose"], ["--resync"]):
            self.steps(3)
            self.follow(*options)
            self.assert_same()
            self.target.transaction(["INSERT INTO loose VALUES (77, 'extra', NULL)"] * 2, True)
        self.follow("--refresh", "loose")
        for failpoint in ("follow.before_whole", "follow.within_whole", "follow.after_whole"):
            self.steps(2)
            self.assertEqual(support.kill_at(failpoint, 1, "follow", "--catch-up", "--refresh", "loose",
                                             cwd=self.folder).code, -9, failpoint)
            self.steps(2)
            self.follow("--take-over")
            self.assert_same()

    def test_a_row_that_is_not_there(self):
        self.begin()
        self.target.transaction(["DELETE FROM loose"], True)
        self.source.transaction(["INSERT INTO loose (a, t) VALUES (7, 'before')", "UPDATE keyed SET v = 8",
                                 # what was sent before is not counted
                                 "UPDATE loose SET t = 'changed' " + self.loose.one_of("a = 1")], True)
        self.follow()
        self.assertEqual(sorted(row[1] for row in self.target.rows("loose")), ["before", "changed"])
        self.source.transaction(["DELETE FROM loose " + self.loose.one_of("a = 2")], True)
        self.assertIn("1 record was rejected", self.follow(code=1).err)

    def test_cut_over(self):
        self.begin()
        self.steps(5)
        self.run_program("cutover", "--confirm", time_limit=120)
        self.assert_same()

    def test_each_type_is_found_again(self):
        """A row that was put is the one that is updated and deleted, whatever the target keeps it as."""
        if isinstance(self.source, PostgresSide):
            self.source.make("CREATE TABLE wild (i BIGINT, b BOOLEAN, f REAL, d DOUBLE PRECISION, n NUMERIC(20,4), "
                             "y BYTEA, t TEXT, v VARCHAR(9), c CHAR(5), u UUID, j JSONB,"
                             " day DATE, s TIMESTAMP, z TIMESTAMPTZ, o TIME, a INTEGER[]); "
                             "ALTER TABLE wild REPLICA IDENTITY FULL;"
                             "INSERT INTO wild VALUES (1, true, 0.1, 0.1, 1.5, '\\x00ff27', E'a''\\n\u00e4', 'x ', "
                             "'ab', '11111111-2222-3333-4444-555555555555', '{\"k\": [1, 2.50]}',"
                             " '2024-02-29', '2024-01-02 03:04:05.678901', '2024-01-02 03:04:05.6+02', '23:59:59.5', "
                             "'{1,2}'), (2, false, 1e-10, 1e300, -0.0001, '', '', '', '', NULL, '[]',"
                             " '0001-01-01', '1999-12-31', '2001-01-01 00:00:00+00', '00:00:00', '{}'), (3, NULL, "
                             "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);"
                             "INSERT INTO wild SELECT * FROM wild")
        else:
            self.source.make("CREATE TABLE wild (i BIGINT UNSIGNED, b TINYINT(1), f FLOAT, d DOUBLE, n DECIMAL(20,4), "
                             "y BLOB, t VARCHAR(50), v VARCHAR(9) COLLATE utf8mb4_general_ci, c CHAR(5), j JSON,"
                             " day DATE, s DATETIME(6), z TIMESTAMP(3) NULL, o TIME, e ENUM('x', 'y'), k BIT(9), "
                             "yy YEAR);"
                             "INSERT INTO wild VALUES (1, 1, 0.1, 0.1, 1.5, x'00ff27', 'a\u00e4', 'x ', 'ab', "
                             "'{\"k\": [1, 2.5]}', '2024-02-29', '2024-01-02 03:04:05.678901', "
                             "'2024-01-02 03:04:05.6', '23:59:59', 'x', b'101', 2024),"
                             "(2, 0, 1e-10, 1e300, -0.0001, '', '', 'X', '', '[]', '1001-01-01', '1999-12-31', "
                             "'2001-01-01', '00:00:00', 'y', b'0', 1999),"
                             "(3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "
                             "NULL, NULL);"
                             "INSERT INTO wild SELECT * FROM wild")
        self.begin()
        self.source.transaction(["INSERT INTO wild SELECT * FROM wild"], True)
        self.source.transaction(["UPDATE wild SET i = i + 10"], True)
        self.assertNotIn("reject", self.follow().err)
        self.assertEqual(self.target.asked("SELECT i, count(*) FROM wild GROUP BY i ORDER BY i"),
                         [["11", "4"], ["12", "4"], ["13", "4"]])
        self.source.transaction(["DELETE FROM wild WHERE i < 13"], True)
        self.assertNotIn("reject", self.follow().err)
        self.assertEqual(self.target.asked("SELECT i, count(*) FROM wild GROUP BY i"), [["13", "4"]])

    def test_columns_come(self):
        """Changes of before have them not yet; one with a default has the table read again."""
        self.begin()
        for column in ("x INTEGER", "y INTEGER DEFAULT 7"):
            self.source.transaction(["UPDATE loose SET t = 'before' " + self.loose.one_of("a = 1"),
                                     "DELETE FROM loose " + self.loose.one_of("a = 2")], True)
            self.source.make("ALTER TABLE loose ADD " + column)
            self.source.transaction(["UPDATE loose SET t = 'behind', %s = 5 " % column[0]
                                     + self.loose.one_of("t = 'before'"),
                                     "DELETE FROM loose " + self.loose.one_of("a = 0")], True)
            self.follow()
            self.assert_same()

    def test_the_way_back(self):
        if isinstance(self.target, SqliteSide):
            self.begin()
            self.assertIn("loose", self.run_program("cutover", "--confirm", "--reverse", code=5).err)
            return
        self.begin()
        if isinstance(self.target, PostgresSide):
            self.target.make("ALTER TABLE loose REPLICA IDENTITY DEFAULT")
            self.assertIn("loose REPLICA IDENTITY FULL", self.run_program("cutover", "--dry-run", "--reverse",
                                                                          code=5).err)
            self.target.make("ALTER TABLE loose REPLICA IDENTITY FULL")
        self.run_program("cutover", "--confirm", "--reverse", time_limit=120)
        self.loose.side = self.target
        self.steps(15)
        self.run_program("follow", "--catch-up", "--state", os.path.join(".transhume", "back"), time_limit=120)
        self.assert_same()

    def test_rejects_are_settled_when_it_is_read_again(self):
        self.target.make("CREATE TABLE bound (v INTEGER, t VARCHAR(40), CHECK (v < 100));")
        self.source.make("CREATE TABLE bound (v INTEGER, t VARCHAR(40));" + ("ALTER TABLE bound REPLICA IDENTITY FULL"
                                                                             if isinstance(self.source, PostgresSide)
                                                                             else ""))
        self.begin()
        self.source.transaction(["INSERT INTO bound VALUES (1, 'a'), (200, 'b'), (1, 'a')"], True)
        self.assertIn("1 record was rejected", self.follow(code=1).err)
        self.source.transaction(["UPDATE bound SET v = 2 WHERE v = 200"], True)
        self.follow(code=1)  # it is there by now; nobody knows that this row was the one
        self.assertEqual(self.target.rows("bound"), self.source.rows("bound"))
        self.follow("--refresh", "bound")
        self.assertEqual(self.target.rows("bound"), self.source.rows("bound"))


class OnPostgres:
    FAILPOINTS = ("postgres.before_apply", "postgres.after_apply")

    def source_side(self):
        return PostgresSide(self, followed(postgres), "source")


class OnMariadb:
    def source_side(self):
        return MysqlSide(followed(mariadb))


class PostgresToPostgres(OnPostgres, Pair, support.TestCase):
    def sides(self):
        return self.source_side(), PostgresSide(self, followed(postgres), "target")

    def test_types_without_an_equality(self):
        """1.0 and 1.00 are not one value; a long value that does not change is not sent, but is in the row before."""
        self.source.make("CREATE TABLE wild (i INTEGER, j JSON, x XML, p POINT, f REAL, d DOUBLE PRECISION, n NUMERIC, "
                         "b BYTEA, l TEXT, c CHAR(5), a INTEGER[], s TIMESTAMP(3));"
                         "ALTER TABLE wild REPLICA IDENTITY FULL; ALTER TABLE wild ALTER l SET STORAGE EXTERNAL;"
                         "INSERT INTO wild SELECT g, '{\"a\": 1}', '<a/>', '(1,2)', 0.1, 'NaN', 1.0, '\\x00ff', "
                         "repeat(md5(g::text), 300), 'ab', '{1,NULL}', '2024-01-02 03:04:05.678' FROM "
                         "generate_series(1, 3) g;"
                         "INSERT INTO wild SELECT g, NULL, NULL, NULL, '-0', 1e300, 1.00, NULL, repeat(md5(g::text), "
                         "300), '', '{}', 'infinity' FROM generate_series(1, 3) g;"
                         "INSERT INTO wild SELECT * FROM wild")
        self.begin()
        self.source.transaction(["UPDATE wild SET i = i + 10 WHERE n::text = '1.00'",
                                 "DELETE FROM wild WHERE ctid = (SELECT ctid FROM wild WHERE i = 1 LIMIT 1)",
                                 "UPDATE wild SET f = '0' WHERE i = 12",
                                 "UPDATE wild SET j = '{\"a\":1}' WHERE ctid = (SELECT ctid FROM wild WHERE i = 2 "
                                 "LIMIT 1)",
                                 "UPDATE wild SET l = 'short' WHERE i = 3"], True)
        self.source.transaction(["UPDATE wild SET d = d WHERE i > 10", "DELETE FROM wild WHERE i = 13"], True)
        self.assertNotIn("reject", self.follow().err)
        query = "SELECT w::text FROM wild w ORDER BY 1"
        self.assertEqual(self.target.asked(query), self.source.asked(query))

    def test_a_transaction_in_pieces(self):
        """What a kill leaves of it comes again, as a whole."""
        self.begin()
        self.source.transaction(["INSERT INTO loose SELECT g % 7, 'piece', NULL FROM generate_series(1, 25000) g",
                                 "DELETE FROM loose " + self.loose.one_of("a = 3"),
                                 "UPDATE loose SET t = 'moved' " + self.loose.one_of("t = 'piece'")], True)
        self.assertEqual(support.kill_at("postgres.before_apply", 1, "follow", "--catch-up", cwd=self.folder).code, -9)
        self.steps(2)
        self.follow("--take-over")
        self.assert_same()

    def test_partitions(self):
        self.source.make("CREATE TABLE part (i INTEGER, v TEXT) PARTITION BY LIST (i); "
                         "CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1); "
                         "CREATE TABLE part_2 PARTITION OF part DEFAULT;"
                         "ALTER TABLE part REPLICA IDENTITY FULL; ALTER TABLE part_1 REPLICA IDENTITY FULL; "
                         "ALTER TABLE part_2 REPLICA IDENTITY FULL;"
                         "INSERT INTO part SELECT g % 3, 'v' FROM generate_series(1, 12) g")
        self.begin()
        self.source.transaction(["UPDATE part SET i = 2 WHERE i = 1 AND ctid = (SELECT max(ctid) FROM part_1)",
                                 "DELETE FROM part WHERE i = 0", "UPDATE part SET v = NULL WHERE i = 2"], True)
        self.follow()
        self.assertEqual(self.target.rows("part"), self.source.rows("part"))

    def test_what_is_missing_is_said_before(self):
        self.source.make("ALTER TABLE loose REPLICA IDENTITY DEFAULT")
        for command in ("check", "migrate"):
            result = self.run_program(command, "--follow", self.source.uri, self.target.uri, code=2)
            self.assertIn("loose REPLICA IDENTITY FULL", result.out + result.err)
        self.source.make("ALTER TABLE loose REPLICA IDENTITY FULL; CREATE TABLE other (v INTEGER NOT NULL UNIQUE); "
                         "ALTER TABLE other REPLICA IDENTITY USING INDEX other_v_key")
        said = json.loads(self.run_program("check", "--follow", "--json", self.source.uri,
                                           self.target.uri).out)["follow"]
        self.assertIn("loose: by whole rows", said["keyless"][0])
        self.assertEqual(said["keyless"][1], "other: by its unique key (v)")
        self.source.make("ALTER TABLE loose ADD g INTEGER GENERATED ALWAYS AS (a + 1) STORED")
        self.assertIn("generated columns", self.run_program("migrate", "--follow", self.source.uri, self.target.uri,
                                                            code=2).err)
        self.source.make("ALTER TABLE loose DROP g")
        self.assertIn("leave out --lanes", self.run_program("migrate", "--follow", "--lanes", 3, self.source.uri,
                                                            self.target.uri, code=2).err)

    def test_a_plan(self):
        plan = self.write("tight.yaml",
                          "transhume: 1\ntables: { tight: { from: loose, where: 'a < 3', fields: { b: { column: a }, "
                          "u: { column: t }, k: { const: 1 } } } }\n")
        self.run_program("migrate", "--follow", "--catch-up", "--plan", plan, self.source.uri, self.target.uri)
        self.steps(20)
        self.follow()
        self.assertEqual(self.target.rows("tight"), sorted(self.source.asked("SELECT a, t, 1 FROM loose WHERE a < 3"),
                                                           key=repr))


@support.inheriting(4)
class PostgresToSqlite(OnPostgres, Pair, support.TestCase):
    test_each_type_is_found_again = Pair.test_each_type_is_found_again  # and others, drawn
    FAILPOINTS = ("sqlite.before_apply", "sqlite.after_apply")

    def sides(self):
        return self.source_side(), SqliteSide(self, "copy.db")

    def assert_same(self):
        self.assertEqual(self.target.rows("keyed"), self.source.rows("keyed"))
        cents = "SELECT a, t, CAST(n * 100 AS INTEGER) FROM loose"
        self.assertEqual(sorted(self.target.asked(cents.replace("n * 100", "round(n * 100)")), key=repr),
                         sorted(self.source.asked(cents), key=repr))


@support.inheriting(4)
class PostgresToMariadb(OnPostgres, Pair, support.TestCase):
    test_each_type_is_found_again = Pair.test_each_type_is_found_again  # and others, drawn
    FAILPOINTS = ("mysql.before_apply", "mysql.after_apply")

    def sides(self):
        return self.source_side(), MysqlSide(followed(mariadb))


class MariadbToMariadb(OnMariadb, Pair, support.TestCase):
    FAILPOINTS = ("mysql.before_apply", "mysql.after_apply")

    def sides(self):
        return self.source_side(), MysqlSide(followed(mariadb))

    def test_values_that_a_collation_takes_for_equal(self):
        self.source.make("CREATE TABLE wild (t VARCHAR(20) COLLATE utf8mb4_general_ci, c CHAR(5), f FLOAT, d DOUBLE, "
                         "b BLOB, e ENUM('x', 'y'), k BIT(9), s DATETIME(3), j JSON);"
                         "INSERT INTO wild VALUES ('a', 'b ', 0.1, 1e100, x'00', 'x', b'101', "
                         "'2024-01-02 03:04:05.678', '{\"a\": 1}'), ('A', 'B', 0.3, 0.1, x'01', 'y', b'1', NULL, "
                         "NULL),"
                         "('a ', 'b', 1e-10, -0.0, '', NULL, NULL, '2024-01-02', '1');"
                         "INSERT INTO wild SELECT * FROM wild")
        self.begin()
        self.source.transaction(["UPDATE wild SET d = 5 WHERE BINARY t = 'A' LIMIT 1",
                                 "DELETE FROM wild WHERE t LIKE 'a ' LIMIT 1",
                                 "UPDATE wild SET f = 0.7, k = b'11' WHERE BINARY t = 'a'"], True)
        self.source.transaction(["DELETE FROM wild WHERE BINARY t = 'A' LIMIT 1",
                                 "UPDATE wild SET t = NULL WHERE e = 'x' LIMIT 1"], True)
        self.assertNotIn("reject", self.follow().err)
        query = "SELECT hex(t), c, f, d, hex(b), e, k + 0, s, j FROM wild"
        self.assertEqual(sorted(self.target.asked(query), key=repr), sorted(self.source.asked(query), key=repr))


@support.inheriting(4)
class MariadbToPostgres(OnMariadb, Pair, support.TestCase):
    test_each_type_is_found_again = Pair.test_each_type_is_found_again  # and others, drawn
    FAILPOINTS = ("postgres.before_apply", "postgres.after_apply")

    def sides(self):
        return self.source_side(), PostgresSide(self, followed(postgres), "target")


@support.inheriting(3)
class MysqlToMysql(Pair, support.TestCase):
    FAILPOINTS = ("mysql.before_apply", "mysql.after_apply")
    test_each_type_is_found_again = Pair.test_each_type_is_found_again

    def sides(self):
        return MysqlSide(followed(mysql)), MysqlSide(followed(mysql))


class AnotherKey(support.TestCase):
    """A unique key over columns that are NOT NULL stands for the primary key."""

    SCHEMA = ("CREATE TABLE t (u INTEGER NOT NULL, w INTEGER NOT NULL, v TEXT); CREATE UNIQUE INDEX t_u ON t (u); "
              "CREATE UNIQUE INDEX t_w ON t (w);")

    def begin(self):
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)

    def change(self):
        self.source.transaction(["UPDATE t SET v = 'changed' WHERE u = 1", "UPDATE t SET w = 20, u = 12 WHERE u = 2",
                                 "DELETE FROM t WHERE u = 3", "INSERT INTO t VALUES (4, 4, NULL)",
                                 "UPDATE t SET w = 50 WHERE u = 5"], True)
        self.run_program("follow", "--catch-up")
        self.assertEqual(self.target.rows("t"), self.source.rows("t"))

    def make(self, more=""):
        self.source.make(self.SCHEMA + "INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c'), (5, 5, NULL);"
                         + more)

    def into_each(self, source, more=""):
        for target in (lambda: PostgresSide(self, followed(postgres), "target"), lambda: MysqlSide(followed(mariadb)),
                       lambda: SqliteSide(self, "copy.db")):
            self.source, self.target = source(), target()
            self.make(more)
            self.begin()
            self.change()
            self.forget_state()

    def forget_state(self):
        os.rename(self.path(".transhume"), self.path("state-%d" % len(os.listdir(self.folder))))

    def test_of_postgres(self):
        self.into_each(lambda: PostgresSide(self, followed(postgres), "source"),
                       "ALTER TABLE t REPLICA IDENTITY USING INDEX t_w")

    def test_of_mariadb(self):
        self.into_each(lambda: MysqlSide(followed(mariadb)))

    def test_cascades_that_the_log_does_not_tell(self):
        """All rows of a child that another key names; one without any key is refused before."""
        self.source, self.target = MysqlSide(followed(mariadb)), PostgresSide(self, followed(postgres), "target")
        self.source.make("CREATE TABLE parent (id INTEGER PRIMARY KEY); INSERT INTO parent VALUES (1), (2);"
                         "CREATE TABLE child (u INTEGER NOT NULL UNIQUE, parent INTEGER, "
                         "FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE);"
                         "INSERT INTO child VALUES (1, 1), (2, 1), (3, 1), (4, 2)")
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.source.make("DELETE FROM parent WHERE id = 1")
        self.run_program("follow", "--catch-up")
        self.assertEqual([row[0] for row in self.target.rows("child")], ["4"])
        self.forget_state()
        self.target = PostgresSide(self, followed(postgres), "other")
        self.source.make("CREATE TABLE loose (parent INTEGER, FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE "
                         "CASCADE); INSERT INTO loose VALUES (2), (2)")
        result = self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri, code=2)
        self.assertIn("its table has no key, by which the rows could be told apart", result.err)

    def test_of_sqlite(self):
        self.source, self.target = SqliteSide(self, "source.db"), PostgresSide(self, followed(postgres), "target")
        self.make()
        self.begin()
        self.change()

    def test_a_key_that_goes_in_sqlite(self):
        """The table is left; a resync that could not make the feed again leaves it as it is."""
        self.source, self.target = SqliteSide(self, "source.db"), SqliteSide(self, "copy.db")
        self.source.make("CREATE TABLE t (u INTEGER NOT NULL, v TEXT); CREATE UNIQUE INDEX t_u ON t (u); "
                         "CREATE TABLE other (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1, 'a')")
        self.run_program("migrate", "--follow", "--catch-up", self.source.uri, self.target.uri)
        self.source.make("DROP INDEX t_u; INSERT INTO t VALUES (1, 'b'); INSERT INTO other VALUES (1)")
        self.assertIn("t is not followed any more", self.run_program("follow", "--catch-up", code=1).err)
        self.assertIn("t is not followed any more", self.run_program("follow", "--resync", "--catch-up", code=1).err)
        self.assertIn("no key, and the source's changes", " ".join(self.run_program("status").out.split()))
        self.source.make("INSERT INTO other VALUES (2)")
        self.run_program("follow", "--catch-up", code=1)
        self.assertEqual(self.target.rows("other"), self.source.rows("other"))
        self.assertIn("t", self.run_program("cutover", "--confirm", code=5).err)
        self.source.make("DELETE FROM t WHERE v = 'b'; CREATE UNIQUE INDEX t_u ON t (u)")
        self.run_program("follow", "--resync", "--catch-up")
        self.assertEqual(self.target.rows("t"), self.source.rows("t"))

    def test_a_key_of_the_plan_that_goes(self):
        """
        The plan names the key, which the source's table has no more: what is made of it is left, the rest goes on.
        """
        for make in (lambda: SqliteSide(self, "source.db"), lambda: MysqlSide(followed(mariadb)),
                     lambda: PostgresSide(self, followed(postgres), "source")):
            self.source, self.target = make(), SqliteSide(self, "copy.db")
            named = isinstance(self.source, PostgresSide)
            self.source.make("CREATE TABLE t (u INTEGER NOT NULL, v VARCHAR(9)); CREATE UNIQUE INDEX t_u ON t (u); "
                             "CREATE TABLE other (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1, 'a')"
                             + ("; ALTER TABLE t REPLICA IDENTITY USING INDEX t_u" if named else ""))
            with open(self.path("plan.yaml"), "w", encoding="utf-8") as file:
                file.write("transhume: 1\nsource: %s\ntarget: %s\ntables:\n  t:\n    key: u\n    entities: { t: { "
                           "from: t } }\n"
                           "  other:\n    key: id\n    entities: { other: { from: other } }\n" % (self.source.uri,
                               self.target.uri))
            self.run_program("migrate", "--follow", "--catch-up", "--plan", "plan.yaml")
            gone = "DROP INDEX t_u ON t" if isinstance(self.source, MysqlSide) else "DROP INDEX t_u"
            self.source.make(gone + ("; ALTER TABLE t REPLICA IDENTITY FULL" if named
                                     else "") + "; INSERT INTO t VALUES (1, 'b'); INSERT INTO other VALUES (1)")
            for options in ((), ("--lanes", "2"), ("--resync",), ()):
                result = self.run_program("follow", "--catch-up", "--plan", "plan.yaml", *options, code=1)
                self.assertIn("t is not followed any more", result.err, options)
                self.source.make("INSERT INTO other SELECT max(id) + 1 FROM other")
                self.run_program("follow", "--catch-up", "--plan", "plan.yaml", code=1)
                self.assertEqual(self.target.rows("other"), self.source.rows("other"), options)
            self.assertIn("no key", " ".join(self.run_program("status", "--plan", "plan.yaml").out.split()))
            self.assertIn("no key", " ".join(self.run_program("cutover", "--plan", "plan.yaml", "--confirm",
                                                              code=5).err.split()))
            back = "DELETE FROM t WHERE v = 'b'; CREATE UNIQUE INDEX t_u ON t (u)"
            self.source.make(back + ("; ALTER TABLE t REPLICA IDENTITY USING INDEX t_u" if named else ""))
            self.run_program("follow", "--resync", "--catch-up", "--plan", "plan.yaml")
            self.assertEqual(self.target.rows("t"), self.source.rows("t"))
            self.run_program("cutover", "--abandon", "--confirm", "--plan", "plan.yaml")
            self.forget_state()
            os.remove(self.path("copy.db"))

    def test_another_index_is_named_while_it_is_followed(self):
        """What a change tells is by the columns of the index that is named; with FULL any of them are told."""
        self.source, self.target = PostgresSide(self, followed(postgres), "source"), PostgresSide(self,
            followed(postgres), "target")
        self.make("ALTER TABLE t REPLICA IDENTITY FULL")
        self.begin()
        self.change()
        self.source.make("ALTER TABLE t REPLICA IDENTITY USING INDEX t_u")
        self.source.transaction(["UPDATE t SET v = 'by u' WHERE u = 4", "DELETE FROM t WHERE u = 1"], True)
        self.run_program("follow", "--catch-up")
        self.assertEqual(self.target.rows("t"), self.source.rows("t"))

    def test_a_primary_key_that_is_not_told(self):
        """The row before has the columns of the index that is named, and not those of the primary key."""
        self.source, self.target = PostgresSide(self, followed(postgres), "source"), PostgresSide(self,
            followed(postgres), "target")
        self.make("ALTER TABLE t ADD PRIMARY KEY (u); ALTER TABLE t REPLICA IDENTITY USING INDEX t_w")
        for identity, words in (("USING INDEX t_w", "REPLICA IDENTITY DEFAULT"),
                                ("NOTHING", "REPLICA IDENTITY DEFAULT")):
            self.source.make("ALTER TABLE t REPLICA IDENTITY " + identity)
            self.assertIn(words, self.run_program("migrate", "--follow", self.source.uri, self.target.uri, code=2).err)
        self.source.make("ALTER TABLE t REPLICA IDENTITY FULL")
        self.begin()
        self.change()


if __name__ == "__main__":
    unittest.main()
