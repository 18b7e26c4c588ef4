"""
--broken-references reject: what a foreign key finds no partner for is in the rejects, and the key is as good as made.
"""
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "servers"))
import mariadb
import mysql
import postgres
import support

# Chains, a circle of two tables, keys to one's own table, a key of two columns, NULLs that need no partner. SQLite
# checks none of it.
SCRIPT = """
CREATE TABLE parent(id INTEGER PRIMARY KEY, a INTEGER, b TEXT, UNIQUE (a, b));
CREATE TABLE child(id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parent(id) ON DELETE CASCADE, note TEXT);
CREATE TABLE grand(id INTEGER PRIMARY KEY, child_id INTEGER REFERENCES child(id) ON DELETE SET NULL);
CREATE TABLE great(id INTEGER PRIMARY KEY, grand_id INTEGER REFERENCES grand(id), other INTEGER REFERENCES parent(id));
CREATE TABLE node(id INTEGER PRIMARY KEY, up INTEGER REFERENCES node(id) ON DELETE CASCADE);
CREATE TABLE hen(id INTEGER PRIMARY KEY, egg INTEGER REFERENCES egg(id) ON DELETE CASCADE);
CREATE TABLE egg(id INTEGER PRIMARY KEY, hen INTEGER REFERENCES hen(id), parent_id INTEGER REFERENCES parent(id));
CREATE TABLE pair(id INTEGER PRIMARY KEY, a INTEGER, b TEXT, FOREIGN KEY (a, b) REFERENCES parent(a, b));
INSERT INTO parent VALUES (1, 1, 'x'), (2, 2, 'it''s "y"');
INSERT INTO child VALUES (10, 1, 'ok'), (11, 7, 'gone'), (12, NULL, 'none'), (13, 9, NULL), (14, 2, 'ü');
INSERT INTO grand VALUES (20, 10), (21, 11), (22, 13), (23, NULL), (24, 14), (25, 99);
INSERT INTO great VALUES (30, 20, 1), (31, 21, 1), (32, 22, NULL), (33, 23, 2), (34, NULL, 8), (35, 25, 8);
INSERT INTO node VALUES (1, NULL), (2, 1), (3, 3), (4, 5), (5, 4), (6, 77), (7, 6), (8, 7), (9, 8);
INSERT INTO hen VALUES (1, 1), (2, 2), (3, 3), (4, NULL);
INSERT INTO egg VALUES (1, 1, 1), (2, 2, 66), (3, 3, NULL), (4, 2, 1);
INSERT INTO pair VALUES (1, 1, 'x'), (2, 1, 'y'), (3, 7, NULL), (4, 2, 'it''s "y"'), (5, 3, 'it''s');
"""
KEYS = [("child", ("parent_id",), "parent", ("id",)), ("grand", ("child_id",), "child", ("id",)),
        ("great", ("grand_id",), "grand", ("id",)),
        ("great", ("other",), "parent", ("id",)), ("node", ("up",), "node", ("id",)), ("hen", ("egg",), "egg", ("id",)),
        ("egg", ("hen",), "hen", ("id",)), ("egg", ("parent_id",), "parent", ("id",)),
        ("pair", ("a", "b"), "parent", ("a", "b"))]
TABLES = ("parent", "child", "grand", "great", "node", "hen", "egg", "pair")
PLAN = """
transhume: 1
options: { broken_references: reject }
tables:
  parent: { from: parent, key: [id], indexes: { parent_ab: { columns: [a, b], unique: true } } }
  child: { from: child, key: [id], references: { parent_id: parent.id } }
"""
REJECT = ("--broken-references", "reject")


def sampled(seed, choices):
    """All of them in a soak, else one; which one the seed says."""
    return choices if support.SOAK else [random.Random("%s %s" % (support.SEED, seed)).choice(choices)]


def read(path):
    """{table: {id: row as dict}} by Python's own SQLite."""
    database = sqlite3.connect(path)
    database.row_factory = sqlite3.Row
    rows = {table: {row["id"]: dict(row) for row in database.execute("SELECT * FROM %s" % table)} for table in TABLES}
    database.close()
    return rows


def settled(rows):
    """What stays, and what goes, where whatever has no partner goes."""
    stays = {table: dict(of) for table, of in rows.items()}
    gone = {}
    changed = True
    while changed:
        changed = False
        for table, columns, partner, theirs in KEYS:
            there = {tuple(row[name] for name in theirs) for row in stays[partner].values()}
            for number, row in list(stays[table].items()):
                value = tuple(row[name] for name in columns)
                if None not in value and value not in there:
                    gone[table, number] = stays[table].pop(number)
                    changed = True
    return stays, gone


class Cases:
    """For each target that has foreign keys: `ask` lets its own client speak."""
    one_database_each = True

    FAILPOINTS = ()

    def setUp(self):
        super().setUp()
        self.source = support.make_sqlite(self.path("source.db"), SCRIPT)

    def target(self):
        raise NotImplementedError

    def ask(self, target, sql):
        raise NotImplementedError

    def has_all_keys(self, target):
        raise NotImplementedError

    def assert_settled(self, target, state=".transhume"):
        stays, gone = settled(read(self.source))
        for table in TABLES:
            found = sorted(int(row[0]) for row in self.ask(target, "SELECT id FROM %s" % table))
            self.assertEqual(found, sorted(stays[table]), table)
        rejects = self.rejects(state)
        self.assertEqual(sorted((reject["table"], reject["key"]["id"]) for reject in rejects), sorted(gone))
        for reject in rejects:
            self.assertEqual(reject["record"], gone[reject["table"], reject["key"]["id"]])
            self.assertEqual(reject["code"], "constraint")
        self.has_all_keys(target)
        return {(reject["table"], reject["key"]["id"]): reject["reason"] for reject in rejects}

    def assert_valid(self, *arguments):
        for level in sampled(self.id(), ["count", "sample", "hash"]) + ["full"]:
            said = self.run_program("validate", "--level", level, *arguments, code=1).out
            self.assertRegex(said, r"\d+ records are missing, since they were\s+rejected")

    def take_back(self, target, state=".transhume"):
        with open(self.path(state, "state.json"), encoding="utf-8") as file:
            self.run_program("rollback", "--run", json.load(file)["run"], "--confirm", "--state", state)
        self.assertEqual(self.tables(target), [])

    def assert_theirs_stay(self, target):
        """
        Somebody's row in `theirs` refers to child 11, which has no partner: nothing goes, or changes, until they have
        taken it away.
        """
        self.assertEqual(self.ask(target, "SELECT child_id FROM theirs"), [["11"]])
        self.assertEqual(len(self.ask(target, "SELECT id FROM child")), 5)
        self.ask(target, "DROP TABLE theirs")
        self.run_program("resume", self.source, target, code=1)
        self.assert_settled(target)

    def test_all_that_has_no_partner_is_rejected(self):
        target = self.target()
        result = self.run_program("migrate", "--json", "--no-express", *REJECT, self.source, target, code=1)
        told = json.loads(result.out)
        self.assertEqual((told["broken_references"], told["rejected"]), (0, len(settled(read(self.source))[1])))
        reasons = self.assert_settled(target)
        self.assertIn("no row of parent has id = 7", reasons["child", 11])
        self.assertIn("no row of child has id = 13", reasons["grand", 22])
        self.assertIn("no row of node has id = 77", reasons["node", 6])
        self.assertIn("no row of parent has a = 1, b = y", reasons["pair", 2])
        self.assert_valid(self.source, target)
        # what the run left is known to the byte: another value of as many rows is not taken back
        self.ask(target, "UPDATE child SET note = 'changed' WHERE id = 10")
        refused = self.run_program("rollback", "--run", told["run"], "--confirm", code=5)
        self.assertIn("not all with the contents that it wrote", refused.err)
        self.ask(target, "UPDATE child SET note = 'ok' WHERE id = 10")
        self.take_back(target)

    def test_killed_anywhere_it_ends_alike(self):
        """And what was rejected can be loaded once it has partners."""
        points = self.FAILPOINTS + ("engine.before_settle", "engine.after_settle", "engine.before_completed")
        kills = [(random.Random(support.SEED).choice(points), 1)]
        if support.SOAK:
            _, counts = support.count_failpoints("migrate", *REJECT, "--state", "counted", self.source, self.target(),
                                                 cwd=self.folder)
            kills = [(point, occurrence) for point in points for occurrence in sorted({1, counts[point]})]
        for point, occurrence in kills:
            with self.subTest(point, occurrence=occurrence):
                target, state = self.target(), "state-%s-%d" % (point, occurrence)
                arguments = ("--state", state, self.source, target)
                killed = support.kill_at(point, occurrence, "migrate", *REJECT, *arguments, cwd=self.folder)
                self.assertEqual(killed.code, -9, killed.err)
                self.run_program("resume", *arguments, code=1)
                self.assert_settled(target, state)
                self.run_program("validate", "--level", "full", *arguments, code=1)
        self.load_rejects_again(target, state)

    def test_taken_back_once_records_are_out(self):
        """They are neither in the table nor counted as rejected by then."""
        target = self.target()
        self.assertEqual(support.kill_at(self.FAILPOINTS[-1], 1, "migrate", *REJECT, self.source, target,
                                         cwd=self.folder).code, -9)
        self.take_back(target)

    def assert_not_taken_back(self, run, state, target, change, undo, words):
        self.ask(target, change)
        refused = self.run_program("rollback", "--run", run, "--confirm", "--state", state, code=5)
        self.assertIn(words, refused.err)
        self.ask(target, undo)

    def test_taken_back_unfinished_it_asks_who_else_wrote(self):
        """Before records go and after, of tables that may lose some and of others."""
        insert, delete = "INSERT INTO %s", "DELETE FROM %s WHERE id = 98"
        for point in sampled(self.id(), ["engine.before_after_load", self.FAILPOINTS[-1]]):
            target, state = self.target(), "state-" + point
            self.assertEqual(support.kill_at(point, 1, "migrate", "--no-express", *REJECT, "--state", state,
                                             self.source, target, cwd=self.folder).code, -9)
            with open(self.path(state, "state.json"), encoding="utf-8") as file:
                run = json.load(file)["run"]
            with self.subTest(point):
                values = "UPDATE child SET note = '%s' WHERE id = 10"
                self.assert_not_taken_back(run, state, target, values % "theirs", values % "ok",
                                           "not all with the contents that it wrote")
                self.assert_not_taken_back(run, state, target, insert % "child VALUES (98, 1, 'theirs')",
                                           delete % "child", "child: it was changed since")
                self.assert_not_taken_back(run, state, target, insert % "parent VALUES (98, 98, 'theirs')",
                                           delete % "parent", "parent: it was changed since")
                self.take_back(target, state)

    def test_records_of_others_are_not_the_runs_to_reject(self):
        """They came while the table had no keys yet, fewer than the run's or more."""
        for count in sampled(self.id(), [1, 6]):
            with self.subTest(count):
                target, state = self.target(), "state-%d" % count
                arguments = ("--state", state, self.source, target)
                self.assertEqual(support.kill_at("engine.before_after_load", 1, "migrate", *REJECT, *arguments,
                                                 cwd=self.folder).code, -9)
                for number in range(count):
                    self.ask(target, "INSERT INTO child VALUES (%d, 78, 'theirs')" % (90 + number))
                refused = self.run_program("resume", *arguments, code=3)
                self.assertIn("child: 5 records were written, but %d are in the table" % (5 + count), refused.err)
                self.assertEqual(len(self.ask(target, "SELECT id FROM child")), 5 + count)
                self.assertEqual(self.rejects(state), [])
                self.ask(target, "DELETE FROM child WHERE note = 'theirs'")
                self.run_program("resume", *arguments, code=1)
                self.assert_settled(target, state)

    def load_rejects_again(self, target, state):
        self.ask(target, "INSERT INTO parent VALUES (7, 70, 'late'), (9, 90, 'late')")
        with open(self.path("mended.jsonl"), "w", encoding="utf-8") as file:
            for reject in self.rejects(state):
                if reject["table"] in ("child", "grand") and reject["key"]["id"] != 25:
                    file.write(json.dumps(reject) + "\n")
        self.run_program("migrate", "--rejects", "mended.jsonl", "--state", state, self.source, target)
        self.assertEqual(sorted(int(row[0]) for row in self.ask(target, "SELECT id FROM child")), [10, 11, 12, 13, 14])
        self.assertEqual(sorted(int(row[0]) for row in self.ask(target, "SELECT id FROM grand")), [20, 21, 22, 23, 24])

    def test_by_a_plan_into_a_parent_that_is_there(self):
        """Its rows are others', and none goes."""
        target = self.target()
        self.ask(target, "CREATE TABLE parent (id BIGINT PRIMARY KEY, a BIGINT, b VARCHAR(40), UNIQUE (a, b))")
        self.ask(target, "INSERT INTO parent VALUES (7, 5, 'before')")
        self.write("plan.yaml", PLAN)
        self.run_program("migrate", "--plan", "plan.yaml", "--existing", "append", self.source, target, code=1)
        self.assertEqual(sorted(int(row[0]) for row in self.ask(target, "SELECT id FROM parent")), [1, 2, 7])
        self.assertEqual(sorted(int(row[0]) for row in self.ask(target, "SELECT id FROM child")), [10, 11, 12, 14])
        self.assertEqual([reject["key"]["id"] for reject in self.rejects()], [13])

    def test_many_and_a_long_chain_up_to_a_bound(self):
        """
        Told once a key, however many rounds it takes; too many of them end the run, which goes on once more are
        allowed.
        """
        count = 100000 if support.SOAK else 5000
        support.make_sqlite(self.source,
                            "WITH RECURSIVE c(i) AS (SELECT 101 UNION ALL SELECT i + 1 FROM c WHERE i < 150) "
                            "INSERT INTO node SELECT i, i - 1 FROM c;"
                            "WITH RECURSIVE c(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM c WHERE i < %d) "
                            "INSERT INTO child SELECT i, i, printf('%%0100d', i) FROM c;" % (99 + count))
        target = self.target()
        result = self.run_program("migrate", "--max-rejects", "20", *REJECT, self.source, target, code=3)
        self.assertEqual(result.err.count("node: 54 orphaned rows, which refer to node"), 1, result.err)
        self.assertEqual(result.err.count("rejected\n"), len(KEYS), result.err)
        self.run_program("resume", "--max-rejects", "200000", self.source, target, code=1)
        self.assert_settled(target)
        self.run_program("validate", "--level", "full", self.source, target, code=1)


class Servers(Cases):
    """Where others are at work beside the run, and where records come from another server."""

    def target(self):
        return self.server.uri(self.server.database())

    def interrupted_by_others(self, point, sql):
        """The target of a run that stopped since others did this while it was at that point."""
        target = self.target()
        stopped = self.stopped_at(point, "migrate", *REJECT, self.source, target)
        self.ask(target, sql)
        os.kill(stopped.pid, signal.SIGCONT)
        self.assertEqual(stopped.wait(), 3)
        return target

    def move_between(self, source, check):
        """
        As the express lane has it and without it; `check` looks at the target, whose rejects are under that state.
        """
        for options in sampled(self.id(), [(), ("--no-express",)]):
            with self.subTest(options):
                target, state = self.target(), "state%d" % len(options)
                arguments = (self.server.uri(source), target, "--state", state)
                result = self.run_program("migrate", "--json", *options, *REJECT, *arguments, code=1)
                self.assertEqual(json.loads(result.out)["broken_references"], 0)
                check(target, state)
                self.assert_valid(*arguments)
                self.take_back(target, state)


class Postgres(Servers, support.TestCase):
    FAILPOINTS = ("postgres.before_reference", "postgres.before_validation", "postgres.before_taking",
                  "postgres.before_orphans", "postgres.after_orphans")

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def ask(self, target, sql):
        return self.server.psql(target.rsplit("/", 1)[1], sql)

    def tables(self, target):
        return self.ask(target,
                        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")

    def has_all_keys(self, target):
        found = self.ask(target,
                         "SELECT conrelid::regclass, convalidated FROM pg_constraint WHERE contype = 'f' ORDER BY 1")
        self.assertEqual(sorted(row[0] for row in found), sorted(key[0] for key in KEYS))
        self.assertEqual({row[1] for row in found}, {"t"})

    def test_keys_that_the_source_did_not_check(self):
        """
        Between servers: NOT VALID there, and one of MATCH FULL; a partitioned table has its key at once or not at all.
        """
        source = self.server.database()
        self.server.psql(source, """
            CREATE TABLE p (id int PRIMARY KEY, a int, b int, UNIQUE (a, b)); INSERT INTO p VALUES (1, 1, 1), (2, 2, 2);
            CREATE TABLE c (id int PRIMARY KEY, p_id int, a int, b int, twice int GENERATED ALWAYS AS (id * 2) STORED, at timestamptz, n numeric, j jsonb, f real, y bytea, k char(5), u uuid,
                            v interval, d date, w bit(3), l int[]);
            INSERT INTO c (id, p_id, a, b, at, n, j, f, y, k, u, v, d, w, l)
            SELECT i, i, i, CASE WHEN i = 2 THEN NULL ELSE i END, 'epoch', 1.50, '{"a": [1]}', 0.1, '\\xff00', 'ab', gen_random_uuid(), '1 month 2 days', '0044-03-15 BC', '101', '{1,2}' FROM generate_series(1, 3) i;
            INSERT INTO c (id, p_id, a, b) VALUES (4, NULL, NULL, NULL), (5, 1, 1, 1);
            ALTER TABLE c ADD CONSTRAINT c_p FOREIGN KEY (p_id) REFERENCES p ON DELETE CASCADE NOT VALID;
            ALTER TABLE c ADD CONSTRAINT "c's ""full"" key" FOREIGN KEY (a, b) REFERENCES p (a, b) MATCH FULL NOT VALID;
            CREATE TABLE d (id int PRIMARY KEY, c_id int REFERENCES c ON DELETE CASCADE); INSERT INTO d VALUES (1, 1), (2, 2), (3, 5);
            CREATE TABLE m (id int, p_id int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
            CREATE TABLE m1 PARTITION OF m FOR VALUES FROM (0) TO (10); CREATE TABLE m2 PARTITION OF m FOR VALUES FROM (10) TO (20);
            INSERT INTO m VALUES (1, 1), (11, 2), (2, 1); ALTER TABLE m ADD CONSTRAINT m_p FOREIGN KEY (p_id) REFERENCES p;
            SET session_replication_role = replica; INSERT INTO m VALUES (12, 9), (3, 8);""")

        def check(target, state):
            for table, expected in (("p", [1, 2]), ("c", [1, 4, 5]), ("d", [1, 3]), ("m", [1, 2, 11])):
                self.assertEqual([int(row[0]) for row in self.ask(target, "SELECT id FROM %s ORDER BY 1" % table)],
                                 expected)
            keys = ("SELECT conname, conrelid::regclass, pg_get_constraintdef(oid), "
                    "convalidated FROM pg_constraint WHERE contype = 'f' ORDER BY 1, 2")
            self.assertEqual(self.ask(target, keys), [row[:2] + [row[2].replace(" NOT VALID", ""), "t"]
                                                      for row in self.server.psql(source, keys)])
            self.assertEqual(sorted((reject["table"], reject["key"]["id"]) for reject in self.rejects(state)),
                             [("c", 2), ("c", 3), ("d", 2), ("m", 3), ("m", 12)])

        self.move_between(source, check)

    def test_names_and_collations_that_are_alike(self):
        """Names that only their case tells apart, and a key between columns of different collations."""
        source, target = self.server.database(), self.server.database()
        self.server.psql(source, """
            CREATE TABLE p (k text COLLATE "C" PRIMARY KEY, a text COLLATE "POSIX", b int, UNIQUE (a, b)); INSERT INTO p VALUES ('a', 'x', 1);
            CREATE TABLE c ("ID" int, id int, k text, a text COLLATE "C", b int, PRIMARY KEY ("ID", id)); INSERT INTO c VALUES (1, 2, 'a', 'x', 1), (3, 4, 'A', 'x', 1), (5, 6, 'a', 'x', 2);
            ALTER TABLE c ADD FOREIGN KEY (k) REFERENCES p NOT VALID; ALTER TABLE c ADD FOREIGN KEY (a, b) REFERENCES p (a, b) NOT VALID;""")
        self.run_program("migrate", *REJECT, self.server.uri(source), self.server.uri(target), code=1)
        self.assertEqual(self.server.psql(target, 'SELECT "ID", id FROM c'), [["1", "2"]])
        self.assertEqual(sorted((reject["key"]["ID"], reject["key"]["id"]) for reject in self.rejects()),
                         [(3, 4), (5, 6)])
        self.assertEqual(self.server.psql(target,
                                          "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated"),
                         [["2"]])

    def test_what_others_keys_would_change(self):
        target = self.interrupted_by_others("postgres.before_validation:stop:1", """
            CREATE TABLE theirs (id int PRIMARY KEY, child_id bigint REFERENCES child ON DELETE CASCADE); INSERT INTO theirs VALUES (1, 11)""")
        self.assertIn("theirs_child_id_fkey", self.run_program("status").out)
        self.assert_theirs_stay(target)


class Mysql(Servers, support.TestCase):
    FAILPOINTS = ("mysql.before_taking", "mysql.before_orphans", "mysql.after_orphans")

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def ask(self, target, sql):
        return self.server.ask(target.rsplit("/", 1)[1], sql)

    def tables(self, target):
        return self.ask(target, "SHOW TABLES")

    def has_all_keys(self, target):
        found = self.ask(target,
                         "SELECT table_name FROM information_schema.referential_constraints WHERE constraint_schema = "
                         "DATABASE()")
        self.assertEqual(sorted(row[0] for row in found), sorted(key[0] for key in KEYS))

    def test_between_servers(self):
        """
        Keys of bytes and of texts whose case does not count, a table without a key, generated columns, default actions.
        """
        source = self.server.database()
        self.server.ask(source, """
            CREATE TABLE p (id binary(4) PRIMARY KEY, word varchar(20) COLLATE utf8mb4_general_ci UNIQUE) CHARSET utf8mb4; INSERT INTO p VALUES (x'01020304', 'One'), (x'ff000000', 'Two');
            CREATE TABLE c (p_id binary(4), word varchar(20) COLLATE utf8mb4_general_ci, n decimal(10,2), twice int AS (n * 2) VIRTUAL, at datetime(3),
                            FOREIGN KEY (p_id) REFERENCES p (id) ON DELETE CASCADE, FOREIGN KEY (word) REFERENCES p (word) ON DELETE SET NULL) CHARSET utf8mb4;
            SET foreign_key_checks = 0;
            INSERT INTO c (p_id, word, n, at) VALUES (x'01020304', 'ONE', 1.50, '2020-01-01 00:00:00.125'), (x'fffefdfc', 'two', 2, NULL), (x'fffefdfc', 'two', 2, NULL),
                          (NULL, 'three', 3, NULL), (NULL, NULL, 4, NULL);""")

        def check(target, state):
            self.assertEqual(self.ask(target, "SELECT n FROM c ORDER BY n"), [["1.50"], ["4.00"]])
            self.assertEqual(sorted(reject["reason"].split(" has ")[1] for reject in self.rejects(state)),
                             ["id = 0xFFFEFDFC", "id = 0xFFFEFDFC", "word = three"])
            self.assertEqual(sorted(set(self.rejects(state)[0]["record"])), ["at", "n", "p_id", "word"])

        self.move_between(source, check)

    def test_what_others_keys_would_leave(self):
        self.assert_theirs_stay(self.interrupted_by_others("engine.before_after_load:stop:1", """
            CREATE TABLE theirs (id int PRIMARY KEY, child_id bigint, FOREIGN KEY (child_id) REFERENCES child (id) ON DELETE CASCADE);
            INSERT INTO theirs VALUES (1, 11)"""))


class Mysql9(Mysql):
    @classmethod
    def setUpClass(cls):
        cls.server = mysql.for_class(cls)


class Sqlite(Cases, support.TestCase):
    """Copied whole, with triggers that would tell of what goes, had they been there by then."""
    FAILPOINTS = ("sqlite.before_orphans", "sqlite.after_orphans")

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.source,
                            "CREATE TABLE told(id); CREATE TRIGGER child_gone AFTER DELETE ON child BEGIN INSERT INTO "
                            "told VALUES (OLD.id); END;")

    def target(self):
        return self.path("target-%d.db" % len(os.listdir(self.folder)))

    def ask(self, target, sql):
        done = subprocess.run(["sqlite3", "-separator", "|", target, sql], check=True, stdout=subprocess.PIPE,
                              text=True)
        return [line.split("|") for line in done.stdout.splitlines()]

    def tables(self, target):
        return self.ask(target, "SELECT name FROM sqlite_schema WHERE type = 'table'") if os.path.exists(target) else []

    def has_all_keys(self, target):
        self.assertEqual(self.ask(target, "PRAGMA foreign_key_check"), [])
        self.assertEqual(self.ask(target, "SELECT * FROM told"), [])

    def test_what_is_equal_the_partners_column_says(self):
        """
        Affinity and collation are its; a key that can't be checked takes nothing out, nor does one to a table that is
        not there.
        """
        source = support.make_sqlite(self.path("odd.db"), """
            CREATE TABLE t(k TEXT PRIMARY KEY COLLATE NOCASE); INSERT INTO t VALUES ('01'), ('a'), ('2');
            CREATE TABLE n(k INTEGER, v TEXT, UNIQUE (v)); INSERT INTO n VALUES (1, 'x');
            CREATE TABLE c(id INTEGER PRIMARY KEY, k REFERENCES t, v DECIMAL(10,2), r REAL, d DATE, w BOOLEAN);
            INSERT INTO c VALUES (1, 1, 1.10, 3, '2020-01-01', 1), (2, 'A', 2.5, 0.1, NULL, 0), (3, 2, 3, 1e300, 'x', 'yes'), (4, '01', 'n', 7, 5, 2), (5, x'61', 0.30, -0.0, 2.5, NULL);
            CREATE TABLE w(k REFERENCES t(k), at, PRIMARY KEY (k, at)) WITHOUT ROWID; INSERT INTO w VALUES ('b', 1), ('a', 1), ('B', 2);
            CREATE TABLE keyless(k REFERENCES t(k), g AS (k || k)); INSERT INTO keyless VALUES ('c'), ('c'), ('a'), (NULL);
            CREATE TABLE bad(id INTEGER PRIMARY KEY, k REFERENCES n(k)); INSERT INTO bad VALUES (1, 5);
            CREATE TABLE lost(id INTEGER PRIMARY KEY, k REFERENCES nowhere(k)); INSERT INTO lost VALUES (1, 5);""")
        checked = [table for table in ("c", "w", "keyless") for _ in self.ask(source,
                                                                              "PRAGMA foreign_key_check(%s)" % table)]
        target = self.target()
        result = self.run_program("migrate", "--json", "--no-express", *REJECT, source, target, code=1)
        self.assertEqual(sorted(reject["table"] for reject in self.rejects()), sorted(checked))
        for table, expected in (("c", "2 3 4"), ("w", "a"), ("keyless", "a "), ("bad", "1"), ("lost", "1")):
            self.assertEqual(" ".join(row[0] for row in self.ask(target,
                                                                 "SELECT * FROM %s ORDER BY 1 DESC" % table
                                                                 if table == "keyless"
                                                                 else "SELECT * FROM %s" % table)),
                             expected)
        self.assert_valid(source, target)
        self.run_program("rollback", "--run", json.loads(result.out)["run"], "--confirm")
        self.assertEqual(self.tables(target), [])

    def test_beside_a_key_that_cannot_be_checked(self):
        """
        SQLite checks none of such a table's keys: those that can be are asked all the same, in it and what refers to
        it.
        """
        source = support.make_sqlite(self.path("odd.db"), """
            CREATE TABLE p(id INTEGER PRIMARY KEY, a, b, UNIQUE (a, b)); INSERT INTO p VALUES (1, 1, 2);
            CREATE TABLE n(k INTEGER, part UNIQUE); CREATE UNIQUE INDEX some ON n(k) WHERE k > 10; INSERT INTO n VALUES (1, 1);
            CREATE TABLE c(id INTEGER PRIMARY KEY, p_id REFERENCES p, nk REFERENCES n(k), a, b, FOREIGN KEY (b, a) REFERENCES p(b, a));
            INSERT INTO c VALUES (1, 1, NULL, NULL, NULL), (2, 77, NULL, NULL, NULL), (3, 1, 55, 1, 2), (4, NULL, 1, 1, 3);
            CREATE TABLE d(id INTEGER PRIMARY KEY, c_id REFERENCES c); INSERT INTO d VALUES (1, 1), (2, 2), (3, 3), (4, 4);""")
        target = self.target()
        self.run_program("migrate", "--no-express", *REJECT, source, target, code=1)
        for table in ("c", "d"):
            self.assertEqual(self.ask(target, "SELECT id FROM %s" % table), [["1"], ["3"]])
        self.assertEqual(sorted((reject["table"], reject["key"]["id"]) for reject in self.rejects()),
                         [("c", 2), ("c", 4), ("d", 2), ("d", 4)])
        self.run_program("validate", "--level", "full", source, target, code=1)

    def test_rows_of_others_that_refer_to_one_that_would_go(self):
        target = self.target()
        self.ask(target,
                 "CREATE TABLE theirs(id INTEGER PRIMARY KEY, child_id REFERENCES child ON DELETE CASCADE); "
                 "INSERT INTO theirs VALUES (1, 11)")
        result = self.run_program("migrate", *REJECT, self.source, target, code=3)
        self.assertIn("a foreign key of theirs", result.err)
        self.assert_theirs_stay(target)


class Refused(support.TestCase):
    def test_by_targets_that_have_no_foreign_keys(self):
        support.make_sqlite(self.path("source.db"), "CREATE TABLE t (id INTEGER PRIMARY KEY)")
        for command in ("migrate", "check"):
            result = self.run_program(command, *REJECT, "source.db", "jsonl:out", code=2)
            self.assertIn("cannot delete orphaned rows", result.err + result.out)
        self.assertFalse(os.path.exists(self.path("out")))


class Counted(support.TestCase):
    """How many foreign keys SQLite's tables do not obey, and that one which can't be checked hides none."""
    SOURCE = ("CREATE TABLE p (id INTEGER PRIMARY KEY, t TEXT); CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER, "
              "t TEXT); "
              "INSERT INTO p VALUES (1, 'a'), (2, 'a'); INSERT INTO c VALUES (1, 1, 'a'), (2, 9, 'a'), (3, 9, 'b'), "
              "(4, 9, 'c')")
    PLAN = ("transhume: 1\nsource: sqlite:s.db\ntarget: sqlite:%d.db\ntables:\n  p: { key: [id], from: p, "
            "fields: { id: copy, t: copy } }\n"
            "  c: { key: [id], references: { %s }, from: c, fields: { id: copy, p: copy, t: copy } }\n")

    def test_keys_of_a_plan(self):
        support.make_sqlite(self.path("s.db"), self.SOURCE)
        for number, (references, broken) in enumerate((("p: p.id", 1), ("p: nosuch.id, t: p.id", 2),
                                                       ("p: p.id, t: p.t", 1), ("id: p.t, t: p.t", 0))):
            with self.subTest(references):
                plan = self.write("%d.yaml" % number, self.PLAN % (number, references))
                told = self.run_program("migrate", "--plan", plan, "--state", "s%d" % number, code=1 if broken else 0)
                if broken:
                    self.assertIn("%d foreign key%s missing or broken" % (broken, " is" if broken == 1 else "s are"),
                                  told.err)


if __name__ == "__main__":
    unittest.main()
