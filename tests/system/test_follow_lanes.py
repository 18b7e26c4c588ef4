"""
Following in several lanes at once: killed while lanes are apart, and gone on with in others, the target ends as the
source is.
"""
import random
import signal
import sqlite3
import unittest

import support
import test_follow
from test_follow import Bank, SqliteSide, PostgresSide, Writer

KILLS = 60 if support.SOAK else 6


class InLanes:
    """Subclasses say of what source, into what target."""

    kills, failpoint = KILLS, None

    def setUp(self):
        super().setUp()
        self.source, self.target = self.sides()
        self.bank = Bank(self.source, test_follow.SEED)
        self.pick = random.Random(test_follow.SEED)

    assert_same, steps = test_follow.Pair.assert_same, test_follow.Pair.steps

    def begin(self, lanes=4):
        self.run_program("migrate", "--follow", "--catch-up", "--lanes", lanes, self.source.uri, self.target.uri)

    def follow(self, lanes, *more, code=0):
        return self.run_program("follow", "--catch-up", "--lanes", lanes, *more, code=code, time_limit=120)

    def test_killed_in_any_lanes(self):
        """Each time another number of them."""
        self.begin()
        writer = Writer(self.bank)
        writer.start()
        self.addCleanup(writer.stop)
        for _ in range(self.kills):
            lanes = self.pick.choice([1, 2, 3, 4, 7])
            support.kill_after(self.pick.uniform(0.2, 1.2) * support.PATIENCE, "follow", "--take-over", "--lanes",
                               lanes, cwd=self.folder)
        writer.stop()
        self.follow(self.pick.choice([1, 2, 5]), "--take-over")
        self.assert_same()
        self.assertGreater(writer.steps, 20)

    def test_killed_between_lanes(self):
        """Some have their share, others do not; what deals changes out in the next one is another number, too."""
        self.begin()
        lanes = 4
        for occurrence, following in ((2, 5), (3, 3), (1, 6), (4, 4), (2, 1)):
            self.steps(10)
            result = support.kill_at(self.failpoint, occurrence, "follow", "--catch-up", "--take-over", "--lanes",
                                     lanes, cwd=self.folder)
            self.assertEqual(result.code, -signal.SIGKILL, occurrence)
            self.steps(3)
            lanes = following
            self.follow(lanes, "--take-over")
            self.assert_same()
        for failpoint, lanes in (("follow.before_lanes", 6), ("follow.after_lanes", 6), ("follow.after_lanes", 1),
                                 ("follow.before_lanes", 2)):
            self.steps(3)
            support.kill_at(failpoint, 1, "follow", "--catch-up", "--take-over", "--lanes", lanes, cwd=self.folder)
            self.follow(lanes + 1, "--take-over")
            self.assert_same()
        self.follow(1)
        self.assert_same()


class SqliteToSqlite(InLanes, support.TestCase):
    failpoint = "sqlite.after_apply"

    def sides(self):
        return SqliteSide(self, "bank.db"), SqliteSide(self, "copy.db")

    def test_what_goes_as_one(self):
        """
        References, unique values that change hands, keys that the target takes for one, and keys that move between
        lanes.
        """
        self.source.make("CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE child (id INTEGER PRIMARY KEY, "
                         "parent INTEGER REFERENCES parent (id));"
                         "CREATE TABLE owner (id INTEGER PRIMARY KEY, thing TEXT UNIQUE);"
                         "CREATE TABLE word (w TEXT COLLATE NOCASE PRIMARY KEY, n INTEGER) WITHOUT ROWID; "
                         "CREATE TABLE mover (id INTEGER PRIMARY KEY, v TEXT);"
                         "INSERT INTO owner VALUES %s" % ", ".join("(%d, 'thing%d')" % (i, i) for i in range(1, 31)))
        self.begin(5)
        for number in range(40):
            one, other = self.pick.sample(range(1, 31), 2)
            statements = ["INSERT INTO parent VALUES (%d)" % number,
                          "INSERT INTO child VALUES (%d, %d)" % (number, number),
                          "UPDATE owner SET thing = NULL WHERE id = %d" % one,
                          "UPDATE owner SET thing = 'thing%d' WHERE id = %d" % (one, other),
                          "UPDATE owner SET thing = 'x%d' WHERE id = %d" % (number, one),
                          "INSERT INTO word VALUES ('%s', %d) ON CONFLICT DO UPDATE SET n = excluded.n"
                          % (self.pick.choice(["word", "WORD", "Word"]), number),
                          "INSERT INTO mover VALUES (%d, 'v%d')" % (number + 1000, number),
                          "UPDATE mover SET id = id - 1"]
            if number % 3 == 0:
                statements.append("DELETE FROM word")
            if number % 4 == 3:
                statements += ["DELETE FROM child WHERE parent = %d" % (number - 2),
                               "DELETE FROM parent WHERE id = %d" % (number - 2)]
            try:
                self.source.transaction(statements, True)
            except sqlite3.IntegrityError:   # who had it by then
                continue
        self.follow(5)
        self.assertEqual(self.target.contents(), self.source.contents())
        lanes, = [value for name, value in self.target.ledger() if name.endswith("/intent/lanes")]
        self.assertRegex(lanes, r'"parent":(\d).*')
        for table in ("parent", "child", "owner", "word"):
            self.assertIn('"%s":' % table, lanes)
        for table in ("account", "entry", "churn", "mover"):
            self.assertNotIn('"%s":' % table, lanes)

    def test_one_lane_is_as_before(self):
        """Nothing of lanes is in the target, and after others nothing is left."""
        def keys():
            return {name.split("/")[-1] for name, _ in self.target.ledger() if name.startswith("position/")
                    or name.endswith("/lanes")}
        self.begin(1)
        self.steps(5)
        self.follow(1)
        self.assertEqual(keys(), {"000000"})
        self.follow(3)
        self.assertEqual(keys(), {"000000", "000001", "000002", "lanes"})
        self.steps(5)
        self.follow(2)
        self.assertEqual(keys(), {"000000", "000001", "lanes"})
        self.run_program("cutover", "--confirm")
        self.assertEqual(keys(), {"000000"})
        self.assert_same()

    def test_a_log_has_one_order(self):
        self.assertIn("leave out --lanes", self.run_program("migrate", "--follow", "--lanes", 2, self.source.uri,
                                                            "jsonl:" + self.path("out"), code=2).err)


class PostgresToPostgres(test_follow.OfPostgres, InLanes, support.TestCase):
    failpoint = "postgres.after_apply"

    def sides(self):
        return PostgresSide(self, self.server, "bank"), PostgresSide(self, self.server, "copy")

    def test_each_change_once(self):
        """
        A trigger that fires always counts what is written; killed while lanes are apart, and in the middle of a
        transaction in pieces.
        """
        self.begin()
        self.server.psql(self.target.name,
                         "CREATE TABLE seen (id INTEGER); CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS "
                                           "$$ BEGIN INSERT INTO seen VALUES (NEW.id); RETURN NEW; END $$;"
                                           "CREATE TRIGGER see BEFORE INSERT ON entry FOR EACH ROW EXECUTE "
                                           "FUNCTION see();"
                                           "ALTER TABLE entry ENABLE ALWAYS TRIGGER see")
        for occurrence, former, lanes in ((1, 4, 4), (2, 4, 3), (3, 3, 5), (2, 5, 2)):
            self.steps(30)
            self.assertEqual(support.kill_at(self.failpoint, occurrence, "follow", "--catch-up", "--take-over",
                                             "--lanes", former, cwd=self.folder).code,
                             -signal.SIGKILL, occurrence)
            self.follow(lanes, "--take-over")
        self.assert_same()
        self.assertEqual(self.server.psql(self.target.name,
                                          "SELECT id, count(*) FROM seen GROUP BY id HAVING count(*) > 1"), [])

    def test_what_goes_alone(self):
        """
        A table that is emptied, a key that changes beside a value that was not sent, and a transaction that comes in
        pieces; killed behind each.
        """
        self.source.make("CREATE TABLE big (id INTEGER PRIMARY KEY, v TEXT, n INTEGER); "
                         "ALTER TABLE big ALTER v SET STORAGE EXTERNAL;"
                         "INSERT INTO big SELECT i, repeat(md5(i::text), 300), i FROM generate_series(1, 20) i")
        self.begin()
        for number, statements in enumerate((
                ["INSERT INTO entry VALUES (-1, 'before')", "TRUNCATE entry",
                 "INSERT INTO entry VALUES (-2, 'behind')"],
                ["UPDATE big SET id = id + 100", "UPDATE big SET n = n + 1"],
                ["INSERT INTO big SELECT i, 'x', i FROM generate_series(1000, 61000) i", "TRUNCATE churn",
                 "UPDATE big SET n = n + 1", "DELETE FROM big WHERE id % 2 = 0"])):
            self.steps(4)
            self.source.transaction(statements, True)
            self.steps(4)
            for occurrence in (1, 2 + number):
                support.kill_at(self.failpoint, occurrence, "follow", "--catch-up", "--take-over", "--lanes", 4,
                                cwd=self.folder)
            self.follow(self.pick.choice([2, 4]), "--take-over")
            self.assert_same()
            self.assertEqual(self.target.rows("big"), self.source.rows("big"))


class SqliteToDynamodb(test_follow.WithDynamodb, InLanes, support.TestCase):
    failpoint, kills = "dynamodb.after_apply", KILLS // 2

    def sides(self):
        return SqliteSide(self, "bank.db"), self.target_side()


class PlansInLanes(test_follow.Plans, support.TestCase):
    """Roots that are read again, in several entities of one table."""

    SEEDS = 3

    def source_side(self, path):
        return SqliteSide(self, path)

    target_side = source_side

    def run_in(self, folder, told, *arguments):
        lanes = ("--lanes", random.Random(told).randint(1, 5)) if "fresh" not in arguments else ()
        super().run_in(folder, told, *arguments, *lanes)

    def test_in_pieces_only_the_second_time(self):
        """What one lane has of it already nobody knows before its end: all lanes begin it again."""
        shop = test_follow.Shop(SqliteSide(self, "shop.db"), test_follow.SEED)
        shop.side.make("INSERT INTO artist VALUES (1, 'one', 'band'); INSERT INTO album SELECT id, 1, 'title', "
                       "1990 FROM (SELECT 1 AS id%s);"
                       % "".join(" UNION ALL SELECT %d" % i for i in range(2, 40)))
        self.write("plan.yaml",
                   "transhume: 1\nsource: shop.db\ntarget: followed.db\ntables:\n  album_t:\n    key: code\n    "
                   "entities:\n      album:\n"
                                "        from: album\n        fields: { code: 'A{id}', title: copy, "
                                "Of: { lookup: artist, column: name } }\n")
        self.run_program("migrate", "--plan", "plan.yaml", "--follow", "--catch-up", "--lanes", 4)
        shop.side.transaction(["UPDATE artist SET name = 'other'"], True)
        killed = support.kill_at("sqlite.after_apply", 2, "follow", "--catch-up", "--lanes", 4, cwd=self.folder)
        self.assertEqual(killed.code, -signal.SIGKILL)
        self.assertEqual({row[2] for row in SqliteSide(self, "followed.db").contents()["album_t"]}, {"one", "other"})
        shop.side.transaction(["WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 20100)"
                               " INSERT INTO album SELECT i, 1, printf('%200d', i), 1990 FROM n"], True)
        shop.side.transaction(["DELETE FROM album WHERE id % 2 = 0"], True)
        self.run_program("follow", "--catch-up", "--take-over", "--lanes", 3)
        with open(self.path(".transhume", "transhume.log"), encoding="utf-8") as file:
            self.assertIn("all lanes apply it", file.read())
        rows = SqliteSide(self, "followed.db").contents()["album_t"]
        self.assertEqual((len(rows), {row[2] for row in rows}), (20 + 10000, {"other"}))


if __name__ == "__main__":
    unittest.main()
