"""
A ledger outside the target: `--ledger URI`. What the mark does not share a transaction with is written again after a
crash, and is there once.
"""
import json
import os
import shutil
import signal
import sqlite3
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "system"), os.path.join(TESTS, "servers")]
import items
import mariadb
import postgres
import servers
import support

ROWS = 400
SCRIPT = """PRAGMA journal_mode = WAL;
    CREATE TABLE things(id INTEGER PRIMARY KEY, v TEXT);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO things SELECT i, 'value ' || i FROM n;""" % ROWS
PLACES = ("ledger.after_publish", "ledger.after_scope", "ledger.before_claim", "ledger.after_claim",
          "ledger.before_status",
          "engine.before_commit", "ledger.before_mark", "ledger.after_mark", "engine.after_commit",
          "ledger.after_release")


class LedgerElsewhere:
    """
    A target says where it is (`target`), what it holds (`held`: {id: v}) and whether something of ours is left in it
    (`left`).
    """
    OPTIONS = ("--chunk-rows", "40", "--jobs", "2", "--timeout", "1s")
    env = {}

    def setUp(self):
        super().setUp()
        self.source = support.make_sqlite(self.path("source.db"), SCRIPT)
        self.home = "sqlite:" + self.path("ledger.db")

    def clear(self, *names):
        for name in names:
            path = self.path(name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.remove(path)

    def home_keys(self):
        with sqlite3.connect(self.path("ledger.db")) as db:
            there = db.execute("SELECT 1 FROM sqlite_master WHERE name = '_transhume_ledger'").fetchone()
            keys = [row[0] for row in db.execute("SELECT name FROM _transhume_ledger")] if there else []
        db.close()
        return keys

    def begin(self, *more, **options):
        return self.run_program("migrate", *self.OPTIONS, "--ledger", self.home, *more, self.source, self.target,
                                env=self.env, **options)

    def assert_whole(self):
        self.assertEqual(self.held(), {i: "value %d" % i for i in range(1, ROWS + 1)})

    def test_killed_at_each_place(self):
        for place in support.drawn(PLACES, 4, self.id()):
            with self.subTest(place=place):
                self.again()
                killed = support.kill_at(place, 2 if place in ("engine.before_commit", "ledger.before_mark",
                                                               "ledger.after_mark") else 1,
                                         "migrate", *self.OPTIONS, "--ledger", self.home, self.source, self.target,
                                         cwd=self.folder, env=self.env)
                if killed.code != 0:   # a place that this target does not come by
                    self.assertEqual(killed.code, -signal.SIGKILL, killed.err)
                    if place != "ledger.after_release":
                        self.run_program("resume", env=self.env)
                self.assert_whole()
                self.run_program("validate", env=self.env)
                self.run_program("finish", "--confirm", env=self.env)
                self.assertEqual((self.home_keys(), self.left()), ([], False))

    def test_rolled_back(self):
        self.begin()
        self.run_program("rollback", "--run", self.run_id(), "--confirm", env=self.env)
        self.assertEqual((self.held(), self.home_keys(), self.left()), ({}, [], False))

    def run_id(self, state=".transhume"):
        with open(self.path(state, "run.json"), encoding="utf-8") as file:
            return json.load(file)["run"]

    def test_rolled_back_with_a_chunk_that_has_no_mark(self):
        killed = support.kill_at("ledger.before_mark", 2, "migrate", *self.OPTIONS, "--ledger", self.home, self.source,
                                 self.target,
                                 cwd=self.folder, env=self.env)
        self.assertEqual(killed.code, -signal.SIGKILL, killed.err)
        self.run_program("rollback", "--run", self.run_id(), "--confirm", env=self.env)
        self.assertEqual((self.held(), self.home_keys(), self.left()), ({}, [], False))

    def test_a_late_worker_changes_nothing(self):
        # One job: another thread could stop within a transaction of the ledger's file.
        first = self.stopped_at("engine.before_commit:stop:2", "migrate", *self.OPTIONS, "--jobs", "1", "--ledger",
                                self.home, "--state", "first",
                                self.source, self.target, cwd=self.folder, env=self.env)
        refused = self.run_program("resume", *self.OPTIONS, "--ledger", self.home, "--state", "second", self.source,
                                   self.target, code=5,
                                   env=self.env)
        self.assertIn("run-held", refused.err)
        self.run_program("resume", "--take-over", *self.OPTIONS, "--ledger", self.home, "--state", "second",
                         self.source, self.target,
                         env=self.env)
        self.assert_whole()
        first.send_signal(signal.SIGCONT)
        ended = support.finish(first)
        self.assert_code(ended, 5)
        self.assertIn("run-fenced", ended.err)
        self.assert_whole()

    def test_two_runs_over_one_table(self):
        # one job, as above
        self.stopped_at("engine.before_commit:stop:2", "migrate", *self.OPTIONS, "--jobs", "1", "--ledger", self.home,
                        "--state", "first",
                        self.source, self.target, cwd=self.folder, env=self.env)
        refused = self.begin("--state", "other", code=5)
        self.assertRegex(refused.err, r"\[(run-unfinished|run-held)\]")


class ToSqlite(LedgerElsewhere, support.TestCase):
    target = "sqlite:copy.db"
    test_a_late_worker_changes_nothing = None   # what it has begun holds the file's lock

    def again(self):
        self.clear("copy.db", ".transhume")

    def held(self):
        with sqlite3.connect(self.path("copy.db")) as db:
            there = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'things'").fetchone()
            rows = db.execute("SELECT id, v FROM things").fetchall() if there else []
        db.close()
        self.assertEqual(len(rows), len(dict(rows)))
        return dict(rows)

    def left(self):
        with sqlite3.connect(self.path("copy.db")) as db:
            found = db.execute("SELECT 1 FROM sqlite_master WHERE name LIKE '\\_transhume%' ESCAPE '\\'").fetchone()
        db.close()
        return found is not None

    def test_one_ledger_for_two_targets(self):
        """Each knows its own runs, also with one table name in both."""
        self.stopped_at("engine.before_commit:stop:2", "migrate", *self.OPTIONS, "--ledger", self.home, "--state",
                        "first",
                        self.source, self.target, cwd=self.folder)
        self.run_program("migrate", *self.OPTIONS, "--ledger", self.home, "--state", "other", self.source,
                         "sqlite:other.db")
        self.run_program("finish", "--confirm", "--ledger", self.home, "--state", "other", "sqlite:other.db")
        self.assertIn("run-held", self.run_program("finish", "--confirm", "--ledger", self.home, "--state", "third",
                                                   self.target, code=5).err)

    def test_repaired(self):
        """What is missing and what differs, in a target that others wrote to."""
        self.begin()
        with sqlite3.connect(self.path("copy.db")) as db:
            db.execute("DELETE FROM things WHERE id = 7")
            db.execute("UPDATE things SET v = 'another' WHERE id = 9")
        db.close()
        self.run_program("validate", "--repair")
        self.assert_whole()
        self.run_program("validate")

    def test_what_could_come_twice_is_refused(self):
        for script, option, says in (("CREATE TABLE nokey(v TEXT); INSERT INTO nokey VALUES ('a'), ('a')", (),
                                      "without a key"),
                                     ("SELECT 1", ("--existing", "append"), "existing: append")):
            support.make_sqlite(self.source, script)
            refused = self.begin(*option, code=2)
            self.assertIn(says, refused.err)
            self.assertFalse(os.path.exists(self.path("copy.db")) and self.left())
            support.make_sqlite(self.source, "DROP TABLE IF EXISTS nokey")

    def test_another_ledger_is_not_the_runs(self):
        """The ledger of another run, and one that is not there."""
        support.kill_at("ledger.before_mark", 2, "migrate", *self.OPTIONS, "--ledger", self.home, self.source,
                        self.target, cwd=self.folder)
        self.run_program("migrate", *self.OPTIONS, "--state", "other", "--ledger", "sqlite:theirs.db", self.source,
                         "jsonl:there")
        for ledger in ("sqlite:theirs.db", "sqlite:none.db", self.target):
            refused = self.run_program("resume", "--ledger", ledger, code=5)
            self.assertIn("ledger-missing", refused.err)
        self.run_program("resume")
        self.assert_whole()

    def test_what_can_hold_no_ledger(self):
        refused = self.run_program("migrate", "--ledger", "jsonl:-", self.source, self.target, code=2)
        self.assertIn("can't hold a ledger", refused.err)
        refused = self.run_program("migrate", "--ledger", "postgres://127.0.0.1:1/none", self.source, self.target,
                                   code=3)
        self.assertIn("--ledger: ", refused.err)
        self.assertFalse(os.path.exists(self.path("copy.db")) and self.held())


class ToFiles(ToSqlite):
    target = "dynamodb-json:out"
    test_a_late_worker_changes_nothing = LedgerElsewhere.test_a_late_worker_changes_nothing
    test_repaired = None
    test_one_ledger_for_two_targets = None
    test_what_could_come_twice_is_refused = None
    test_what_can_hold_no_ledger = None

    def again(self):
        self.clear("out", ".transhume")

    def held(self):
        found = support.read_dynamodb_json(self.path("out")).get("things",
                                                                 []) if os.path.isdir(self.path("out")) else []
        rows = {int(item["id"]["N"]): item["v"]["S"] for item in found}
        self.assertEqual(len(rows), len(found))
        return rows

    def left(self):
        """But for the definition, which tells the key."""
        found = [name for _, _, names in os.walk(self.path("out", "_transhume")) for name in names]
        return [name for name in found if not name.endswith(".json")] != []


class ToPostgres(LedgerElsewhere, support.TestCase):
    SERVER = postgres

    @classmethod
    def setUpClass(cls):
        cls.server = cls.SERVER.for_class(cls)

    def setUp(self):
        super().setUp()
        self.again()

    def again(self):
        self.clear(".transhume")
        self.database = self.server.database()
        self.target = self.server.uri(self.database)

    def tables(self):
        return self.server.ask(self.database,
                               "SELECT table_name FROM information_schema.tables WHERE table_schema IN ('public', '%s')"
                               % self.database)

    def held(self):
        rows = self.server.ask(self.database, "SELECT id, v FROM things") if ["things"] in self.tables() else []
        self.assertEqual(len(rows), len(dict(rows)))
        return {int(key): value for key, value in rows}

    def left(self):
        return any(name.startswith("_transhume") for name, in self.tables())


    def test_what_others_keep_stays(self):
        """
        Two runs of one target, one of them into a table that holds records: when the other is rolled back, its images
        are still there.
        """
        self.server.ask(self.database, "CREATE TABLE things (id bigint PRIMARY KEY, v varchar(100))")
        self.server.ask(self.database, "INSERT INTO things VALUES (1, 'before'), (1000, 'stays')")
        self.begin("--existing", "upsert", "--state", "first")
        other = support.make_sqlite(self.path("other.db"),
                                    "CREATE TABLE more(id INTEGER PRIMARY KEY); INSERT INTO more VALUES (1), (2);")
        self.run_program("migrate", "--ledger", self.home, "--state", "second", other, self.target)
        self.run_program("rollback", "--run", self.run_id("second"), "--confirm", "--state", "second")
        self.assertEqual(self.held()[1], "value 1")
        self.run_program("rollback", "--run", self.run_id("first"), "--confirm", "--state", "first")
        self.assertEqual((self.held(), self.left()), ({1: "before", 1000: "stays"}, False))

    def test_a_source_that_changed_after_an_unmarked_chunk(self):
        killed = support.kill_at("ledger.before_mark", 1, "migrate", *self.OPTIONS, "--jobs", "1", "--ledger",
                                 self.home, self.source, self.target,
                                 cwd=self.folder)
        self.assertEqual(killed.code, -signal.SIGKILL, killed.err)
        with sqlite3.connect(self.source) as db:
            db.execute("DELETE FROM things WHERE id = 7")
        db.close()
        resumed = self.run_program("resume", code=1)
        self.assertIn("mixed snapshot", resumed.err + resumed.out)
        self.assertIn("%d are in the table" % ROWS, resumed.err)
        self.run_program("validate", code=1)


class ToMysql(ToPostgres):
    SERVER = mariadb


class ToDynamodb(LedgerElsewhere, support.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = servers.for_class(cls, "dynalite")
        cls.client = items.client_of(cls.server)

    def setUp(self):
        super().setUp()
        self.env = servers.aws_environment(self.folder)
        self.target = "dynamodb://us-east-1?endpoint=%s&lease=1" % self.server.endpoint
        self.again()

    def again(self):
        self.clear(".transhume")
        items.empty(self.client)

    def held(self):
        if "things" not in items.tables(self.client):
            return {}
        return {int(item["id"]["N"]): item["v"]["S"] for item in items.scan(self.client, "things")}

    def left(self):
        return any(name.startswith("_transhume") for name in items.tables(self.client))


class InPostgres(support.TestCase):
    """The ledger in a server that goes away, and comes back."""

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)

    def test_it_goes_away(self):
        source = support.make_sqlite(self.path("source.db"), SCRIPT)
        home = self.server.uri(self.server.database())
        process = self.stopped_at("engine.before_commit:stop:3", "migrate", "--chunk-rows", "40", "--timeout", "1s",
                                  "--ledger", home,
                                  source, "sqlite:copy.db", cwd=self.folder)
        self.server.kill()
        process.send_signal(signal.SIGCONT)
        ended = support.finish(process)
        self.assert_code(ended, 3)
        self.assertEqual(ended.err.count("\nerror: ") + ended.err.startswith("error: "), 1, ended.err)
        self.assertIn("resume", ended.err)
        self.server.start()
        self.run_program("resume", "--timeout", "5s")
        with sqlite3.connect(self.path("copy.db")) as db:
            self.assertEqual(db.execute("SELECT count(*), count(DISTINCT v) FROM things").fetchone(), (ROWS, ROWS))
        db.close()
