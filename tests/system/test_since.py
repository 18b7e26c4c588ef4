"""
`since`: a run reads what changed since the last one; its watermark moves once all is written, and outlives the run.
"""
import json
import sqlite3
import unittest

import mariadb
import postgres
import support

PLAN = """transhume: 1
source: "%s"
target: "%s"
tables:
  copy: { key: [id], from: item, since: %s%s }
"""


class Since(support.TestCase):
    """SQLite on both sides."""
    column, overlap = "seen", ", overlap: 10s"

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("src.db"),
                            "CREATE TABLE item(id INTEGER PRIMARY KEY NOT NULL, v TEXT, seen TIMESTAMP, day DATE, "
                            "version INTEGER, word TEXT);")
        self.change("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO item "
                    "SELECT i, 'v' || i, datetime('2024-01-01', '+' || i || ' minutes'),"
                    " date('2024-01-01', '+' || i || ' days'), i, printf('w%05d', i) FROM n")

    def change(self, script, name="src.db"):
        with sqlite3.connect(self.path(name)) as database:
            database.executescript(script)
        database.close()

    def rows(self, statement, name="out.db"):
        database = sqlite3.connect(self.path(name))
        try:
            return database.execute(statement).fetchall()
        finally:
            database.close()

    def plan(self, column="seen", more=""):
        self.write("p.yaml", PLAN % ("src.db", "out.db", column, more))

    def migrate(self, *arguments, code=0):
        return self.run_program("migrate", "--json", "--plan", "p.yaml", *arguments, code=code)

    def read(self, *arguments, code=0):
        """How many records the run read."""
        return sum(entity["read"] for entity in json.loads(self.migrate(*arguments,
                                                                        code=code).out.splitlines()[0])["entities"])

    def assert_equal(self):
        self.assertEqual(self.rows("SELECT id, v, seen FROM copy ORDER BY id"),
                         self.rows("SELECT id, v, seen FROM item ORDER BY id", "src.db"))

    def watermark(self):
        found = self.rows("SELECT value FROM _transhume_ledger WHERE name LIKE 'watermark/%'")
        return json.loads(json.loads(found[0][0])["value"]) if found else None

    def test_a_sample_leaves_the_rest_to_the_next_run(self):
        self.plan()
        self.assertEqual(self.read("--sample-rows", "5"), 5)
        self.assertIsNone(self.watermark())
        self.assertEqual(self.read(), 200)
        self.assert_equal()
        known = self.watermark()
        self.change("UPDATE item SET v = 'late', seen = '2025-01-01' WHERE id < 20")
        self.read("--sample-rows", "5")
        self.assertEqual(self.watermark(), known)
        self.read()
        self.assert_equal()

    def test_a_masked_column_is_refused(self):
        """Its highest value would be in the target's ledger."""
        for since in ("since: seen", "tables: { copy: { key: [id], from: item, since: seen, fields: { id: copy } } }"):
            self.write("p.yaml",
                       "transhume: 1\nsource: src.db\ntarget: out.db\nmask: { columns: { item.seen: redact "
                       "2000-01-01 } }\n" + since)
            self.assertIn("item.seen is masked", self.migrate(code=2).out)

    def test_mirror_names_it(self):
        self.plan()
        self.assertIn("`since` reads only what changed", self.migrate("--mirror", "--confirm", code=2).out)

    def test_only_what_changed(self):
        self.plan(more=", overlap: 90s")
        self.assertEqual(self.read(), 200)
        self.assertEqual(self.read(), 2)   # 03:20 and 03:19 are within the overlap
        self.change("UPDATE item SET v = 'new', seen = '2024-02-01 00:00:00' WHERE id IN (3, 4); "
                    "INSERT INTO item VALUES(500, 'added', '2024-02-01 00:00:30', NULL, 1, '')")
        told = self.run_program("check", "--plan", "p.yaml").out
        self.assertIn("5 records are read whose seen is at or above \"2024-01-01 03:18:30\"", " ".join(told.split()))
        self.assertEqual(self.read(), 5)
        self.assert_equal()
        self.assertEqual(self.watermark(), "2024-02-01 00:00:30")
        self.run_program("validate", "-q", "--plan", "p.yaml")

    def test_the_watermark_outlives_finish_and_goes_back_with_the_run(self):
        self.plan()
        self.read()
        self.run_program("finish", "-q", "--plan", "p.yaml", "--confirm")
        self.assertEqual(self.watermark(), "2024-01-01 03:20:00")
        self.change("UPDATE item SET v = 'new', seen = '2024-02-01 00:00:00' WHERE id = 3")
        self.assertEqual(self.read(), 2)
        self.run_program("rollback", "-q", "--plan", "p.yaml", "--run", self.run_id(), "--confirm")
        self.assertEqual((self.watermark(), self.rows("SELECT v FROM copy WHERE id = 3")),
                         ("2024-01-01 03:20:00", [("v3",)]))
        self.assertEqual(self.read(), 2)
        self.assert_equal()
        self.run_program("finish", "-q", "--plan", "p.yaml", "--confirm")
        self.assertEqual(self.read("--full"), 200)

    def test_a_first_run_taken_back_leaves_nothing(self):
        self.plan()
        self.read()
        self.run_program("rollback", "-q", "--plan", "p.yaml", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.rows("SELECT name FROM sqlite_master"), [])
        self.assertEqual(self.read(), 200)

    def test_types(self):
        """Whole numbers, days, texts, timestamps, each with an overlap of its own and without; ties are read again."""
        cases = [("version", "", 1), ("version", ", overlap: 5", 6), ("day", "", 1), ("day", ", overlap: 30h", 3),
                 ("word", "", 1), ("seen", "", 1), ("seen", ", overlap: 2m", 3)]
        for column, more, again in cases:
            with self.subTest(column=column, more=more):
                self.setUp()
                self.plan(column, more)
                self.assertEqual(self.read(), 200)
                self.assertEqual(self.read(), again)
                self.assert_equal()

    def test_nulls_are_read_each_time_and_told(self):
        self.change("UPDATE item SET seen = NULL WHERE id IN (5, 6, 7)")
        self.plan(more="")
        self.read()
        self.change("UPDATE item SET v = 'x' WHERE id = 6")
        self.assertEqual(self.read(), 4)
        self.assertIn("3 more have NULL there, and are read each time",
                      " ".join(self.run_program("check", "--plan", "p.yaml").out.split()))
        self.assert_equal()

    def test_a_target_that_lost_its_records_is_read_whole(self):
        self.plan()
        self.read()
        for script in ("DELETE FROM copy", "DROP TABLE copy"):
            self.change(script, "out.db")
            self.assertEqual(self.read(), 200)
            self.assert_equal()

    def test_killed_anywhere(self):
        """The bound is that of the beginning, and the watermark moves with the run's end alone."""
        self.plan(more=", overlap: 90s")
        self.read()
        later = ("UPDATE item SET v = 'new', seen = '2024-02-01 00:00:00' WHERE id %% 3 = 0; "
                 "UPDATE item SET v = v || '%d', seen = '2024-03-01' WHERE id = 1")
        for number, (point, occurrence) in enumerate((("engine.after_ledger_create", 1), ("engine.before_commit", 1),
                                                      ("engine.after_commit", 1), ("engine.before_settle", 1),
                                                      ("engine.before_completed", 1), ("engine.after_completed", 1))):
            with self.subTest(point=point):
                before = self.watermark()
                self.change(later % number)
                self.assertEqual(support.kill_at(point, occurrence, "migrate", "-q", "--plan", "p.yaml",
                                                 cwd=self.folder).code, -9)
                if not point.endswith("completed"):
                    self.assertEqual(self.watermark(), before)
                # behind the bound of the next run
                self.change("UPDATE item SET seen = '2024-03-02', v = 'meanwhile %d' WHERE id = 2" % number)
                support.transhume("resume", "-q", "--plan", "p.yaml", cwd=self.folder)   # which may find nothing to do
                self.read()
                self.assert_equal()

    def test_rejected_records_are_read_again(self):
        self.plan()
        self.read()
        self.change("CREATE TRIGGER no BEFORE UPDATE ON copy WHEN new.v = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END",
                    "out.db")
        self.change("UPDATE item SET v = 'bad', seen = '2024-02-01' WHERE id = 9; UPDATE item SET v = 'good', "
                    "seen = '2024-02-02' WHERE id = 10")
        self.assertIn("the next run reads the same records again", " ".join(self.migrate(code=1).err.split()))
        self.assertEqual(self.watermark(), "2024-01-01 03:20:00")
        self.change("DROP TRIGGER no", "out.db")
        self.read()
        self.assert_equal()

    def test_deletes_on_request(self):
        self.plan()
        self.read()
        self.change("DELETE FROM item WHERE id IN (20, 21, 199)")
        self.read()
        self.assertEqual(self.rows("SELECT count(*) FROM copy"), [(200,)])
        self.plan(more=", deletes: compare")
        self.assertIn("--confirm", self.migrate(code=5).err)
        self.change("UPDATE item SET v = 'new', seen = '2024-02-01' WHERE id = 3")
        self.migrate("--confirm")
        self.assert_equal()

    def test_lists_of_children_come_with_their_parents(self):
        self.change("CREATE TABLE part(id INTEGER PRIMARY KEY, item INTEGER REFERENCES item(id), name TEXT); "
                    "INSERT INTO part SELECT id * 10 + 1, id, 'a' FROM item UNION ALL SELECT id * 10 + 2, id, "
                    "'b' FROM item;")
        self.write("p.yaml", "transhume: 1\nsource: src.db\ntarget: 'redis://x'\n")
        self.write("p.yaml", PLAN.replace("since: %s%s }",
                                          "since: seen, fields: { id: copy, v: copy, seen: copy, parts: { embed: part, "
                                          "order: id, fields: { name: copy } } } }") % ("src.db", "out.db"))
        self.read()
        self.change("UPDATE item SET v = 'new', seen = '2024-02-01' WHERE id IN (3, 150); "
                    "INSERT INTO part VALUES(9999, 3, 'c')")
        self.assertEqual(self.read(), 3)
        self.assertEqual(self.rows("SELECT parts FROM copy WHERE id IN (3, 150) ORDER BY id"),
                         [('[{"name":"a"},{"name":"b"},{"name":"c"}]',), ('[{"name":"a"},{"name":"b"}]',)])
        self.assert_equal()

    def test_what_is_refused(self):
        faults = [("seen, existing: append", "only upsert and replace take"), ("nothing", "has no column 'nothing'"),
                  ("seen, overlap: soon", "no length of time"),
                  ("version, overlap: 5m", "an overlap is a number"),
                  ("seen, overlap: 5m, existing: refuse", "only upsert and replace take")]
        for words, message in faults:
            with self.subTest(words=words):
                self.plan(words)
                self.assertIn(message, " ".join(self.run_program("check", "--plan", "p.yaml", code=2).err.split()))
        self.write("p.yaml",
                   "transhume: 1\nsource: src.db\ntarget: out.db\ntables:\n  copy: { key: [id], from: item, "
                   "overlap: 5m }\n")
        self.assertIn("'overlap' goes with 'since'", self.run_program("check", "--plan", "p.yaml", code=2).err)
        self.write("in/item.csv", "id,seen\n1,2024-01-01\n") if False else None

    def test_a_column_of_all_tables(self):
        """
        --since, and `since` at the top: tables without the column are read whole, and none is refused for what is
        there.
        """
        self.change("CREATE TABLE small(id INTEGER PRIMARY KEY NOT NULL, w TEXT); INSERT INTO small VALUES(1, 'one')")
        self.write("top.yaml",
                   "transhume: 1\nsource: src.db\ntarget: out.db\nsince: { column: seen, overlap: 90s, "
                   "deletes: compare }\n")
        for words in (("src.db", "line.db", "--since", "seen"), ("--plan", "top.yaml", "--confirm")):
            with self.subTest(words[0]):
                counts = []
                for script in ("SELECT 1",
                               "UPDATE item SET v = 'new', seen = '2024-03-01' WHERE id = 3; "
                               "INSERT INTO small VALUES(2, 'two')",
                               "DELETE FROM small WHERE id = 2; DELETE FROM item WHERE id = 7; "
                               "UPDATE item SET seen = '2024-02-01' WHERE id = 3"):
                    self.change(script)
                    told = self.run_program("migrate", "--json", "--state", "s-" + words[1], *words).out
                    counts.append({entity["entity"]: entity["read"]
                                   for entity in json.loads(told.splitlines()[0])["entities"]})
                self.assertEqual([count["small"] for count in counts], [1, 2, 1])
                self.assertEqual(counts[1]["item"], 2 if words[0] == "src.db" else 1)
                self.change("INSERT INTO item SELECT 7, 'v7', '2024-01-01 00:07:00', NULL, 7, ''")
        self.assertEqual(self.rows("SELECT id, v, seen FROM item WHERE id <> 7 ORDER BY id"),
                         self.rows("SELECT id, v, seen FROM item WHERE id <> 7 ORDER BY id", "src.db"))
        self.assertEqual(self.rows("SELECT count(*) FROM item WHERE id = 7 UNION ALL SELECT count(*) FROM small"),
                         [(0,), (1,)])

    def test_what_is_refused_of_all_tables(self):
        for words, reason in ((("src.db", "out.db", "--since", "nothing"),
                               "no table that is read has a column 'nothing'"),
                              (("src.db", "out.db", "--since", "seen", "--existing", "append"),
                               "only upsert and replace take"),
                              (("csv:.", "out.db", "--since", "seen"), "can't be asked for what changed")):
            with self.subTest(reason):
                self.write("a.csv", "id,seen\n1,2\n")
                self.assertIn(reason, " ".join(self.run_program("check", *words, code=2).err.split()))

    def test_what_no_run_read_is_no_damage(self):
        self.plan()
        self.read()
        self.change("UPDATE item SET v = 'unseen' WHERE id = 5")
        self.read()
        told = " ".join(self.run_program("validate", "--plan", "p.yaml", code=1).out.split())
        self.assertIn("read only what had changed by seen", told)
        self.assertNotIn("damage", told)

    def test_another_column_or_source_is_not_gone_on_with(self):
        self.plan()
        self.read()
        self.plan("version")
        self.assertIn("--full", self.migrate(code=2).err)
        self.assertEqual(self.read("--full"), 200)
        self.assertEqual(self.read(), 1)


class Servers:
    """A server as the source, SQLite as the target; and the other way round."""

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        self.uri = self.server.uri(self.name)

    def rows(self, statement, name="out.db"):
        database = sqlite3.connect(self.path(name))
        try:
            return database.execute(statement).fetchall()
        finally:
            database.close()

    def read(self, column, more, *arguments, source=None, target="sqlite:out.db", code=0):
        self.write("p.yaml", PLAN % (source or self.uri, target, column, more))
        out = self.run_program("migrate", "--json", "--plan", "p.yaml", *arguments, code=code).out
        return sum(entity["read"] for entity in json.loads(out.splitlines()[0])["entities"])

    def test_types(self):
        for column, more, again in (("seen", "", 1), ("seen", ", overlap: 90s", 2), ("zoned", ", overlap: 90s", 2),
                                    ("day", ", overlap: 1d", 2), ("version", ", overlap: 5", 6), ("word", "", 1)):
            with self.subTest(column=column, more=more):
                support.TestCase.setUp(self)
                self.assertEqual(self.read(column, more), 300)
                self.assertEqual(self.read(column, more), again)
                self.assertEqual(self.rows("SELECT count(*), max(version) FROM copy"), [(300, 300)])

    def test_changes_and_the_way_into_it(self):
        self.read("seen", "")
        self.sql("UPDATE item SET v = 'new', seen = '2025-01-01 00:00:00.123456' WHERE id IN (3, 4); "
                 "DELETE FROM item WHERE id = 5; UPDATE item SET seen = NULL WHERE id = 8;")
        self.assertEqual(self.read("seen", ", deletes: compare", "--confirm"), 4)
        self.assertEqual(self.rows("SELECT id FROM copy WHERE v = 'new' ORDER BY id"), [(3,), (4,)])
        self.assertEqual(self.rows("SELECT count(*) FROM copy"), [(299,)])
        self.assertEqual(self.read("seen", ""), 3)
        # back, into the server
        with sqlite3.connect(self.path("out.db")) as database:
            database.executescript("CREATE TABLE item AS SELECT id, v, version FROM copy; "
                                   "CREATE UNIQUE INDEX k ON item(id);")
        database.close()
        other = self.server.uri(self.server.database())
        self.assertEqual(self.read("version", "", "--state", "back", source="sqlite:out.db", target=other), 299)
        with sqlite3.connect(self.path("out.db")) as database:
            database.execute("UPDATE item SET v = 'b', version = 999 WHERE id = 1")
        database.close()
        self.assertEqual(self.read("version", "", "--state", "back", source="sqlite:out.db", target=other), 2)


class Postgres(Servers, support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def sql(self, statements):
        return self.server.psql(self.name, statements)

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE item(id bigint PRIMARY KEY, v text, seen timestamp(6), zoned timestamptz, "
                 "day date NOT NULL, version int, word text); CREATE INDEX ON item(seen);"
                 "INSERT INTO item SELECT i, 'v' || i, timestamp '2024-01-01' + i * interval '1 minute', "
                 "timestamptz '2024-03-31 00:30+01' + i * interval '1 minute', date '2024-01-01' + i, i, "
                 "'w' || to_char(i, '00000') FROM generate_series(1, 300) i")

    def test_chunks_are_even_parts_of_what_changed(self):
        self.read("seen", "")
        self.sql("UPDATE item SET v = 'new', seen = NULL WHERE id = 1; UPDATE item SET v = 'new', "
                 "seen = timestamp '2025-01-01' + id * interval '1 minute' WHERE id > 260")
        self.assertEqual(self.read("seen", "", "--chunk-rows", "10"), 41)
        self.assertEqual(self.rows("SELECT count(*) FROM copy WHERE v = 'new'"), [(41,)])
        with open(self.path(".transhume/state.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["chunks"]["total"], 5)

    def test_what_hides_all_that_comes_later(self):
        self.sql("UPDATE item SET seen = 'infinity' WHERE id = 7")
        self.write("p.yaml", PLAN % (self.uri, "sqlite:out.db", "seen", ""))
        self.assertIn("`since` can't go by seen: its highest value is no",
                      self.run_program("migrate", "--plan", "p.yaml", code=2).err.replace("\n  ", " "))
        self.sql("UPDATE item SET seen = '9999-12-31' WHERE id = 7")
        self.assertIn("the highest seen lies in the future", self.run_program("migrate", "--plan",
                                                                              "p.yaml").err.replace("\n  ", " "))


class Mysql(Servers, support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def sql(self, statements):
        return self.server.ask(self.name, statements)

    def setUp(self):
        super().setUp()
        self.sql("CREATE TABLE item(id bigint PRIMARY KEY, v varchar(20), seen datetime(6), zoned timestamp(6) NULL, "
                 "day date NOT NULL, version int, word varchar(20), KEY(seen));"
                 "INSERT INTO item SELECT seq, concat('v', seq), timestamp('2024-01-01') + INTERVAL seq MINUTE, "
                 "timestamp('2024-03-31 03:00:00') + INTERVAL seq MINUTE, date('2024-01-01') + INTERVAL seq DAY, "
                 "seq, concat('w', lpad(seq, 5, '0')) FROM seq_1_to_300;")


if __name__ == "__main__":
    unittest.main()
