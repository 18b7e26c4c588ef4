"""Hooks of a plan: SQL and commands before and after a run, a table and a chunk; once, whatever is killed."""
import contextlib
import json
import os
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import cassandra_server
import mariadb
import postgres
import support

PLAN = """transhume: 1
source: sqlite:src.db
target: sqlite:out.db
before:
  - { sql: "INSERT INTO t VALUES(99, 'from the hook')", in: source }
tables:
  t:
    from: t
    fields: { "*": copy }
    before: "CREATE TABLE IF NOT EXISTS trace(what TEXT); INSERT INTO trace VALUES('before t')"
    after:
      - "INSERT INTO trace VALUES('after t')"
    after_chunk: "INSERT INTO trace SELECT 'chunk ' || max(id) FROM t"
after: "INSERT INTO trace VALUES('after')"
"""
EVERYTHING = ["after", "after t", "before t", "chunk 99"]


class Hooks(support.TestCase):
    def setUp(self):
        super().setUp()
        database = sqlite3.connect(self.path("src.db"))
        database.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES(1, 'one'), "
                               "(2, 'two');")
        database.close()
        self.write("p.yaml", PLAN)

    def ask(self, sql, name="out.db"):
        database = sqlite3.connect(self.path(name))
        rows = [row[0] for row in database.execute(sql)]
        database.close()
        return rows

    def migrate(self, *more, code=0, **options):
        return self.run_program("migrate", "--plan", "p.yaml", *more, code=code, **options)

    def resume(self, *more, code=0, **options):
        return self.run_program("resume", "--plan", "p.yaml", *more, code=code, **options)

    def test_each_runs_in_its_place(self):
        self.migrate()
        self.assertEqual(self.ask("SELECT what FROM trace ORDER BY rowid"),
                         ["before t", "chunk 99", "after t", "after"])
        self.assertEqual(self.ask("SELECT id FROM t"), [1, 2, 99])

    def test_check_shows_them_and_runs_none(self):
        told = self.run_program("check", "--plan", "p.yaml").out
        self.assertIn("before: SQL in the source: INSERT INTO t", told)
        self.assertIn("after of t: SQL in the target: INSERT INTO trace VALUES('after t')", told)
        hooks = json.loads(self.run_program("check", "--plan", "p.yaml", "--json").out)["hooks"]
        self.assertEqual(len(hooks), 5)
        self.assertEqual(self.ask("SELECT id FROM t", "src.db"), [1, 2])
        self.migrate("--dry-run")
        self.assertEqual(self.ask("SELECT id FROM t", "src.db"), [1, 2])

    def test_no_hooks(self):
        self.migrate("--no-hooks")
        self.assertEqual(self.ask("SELECT name FROM sqlite_schema WHERE name = 'trace'"), [])
        self.assertEqual(self.ask("SELECT id FROM t"), [1, 2])

    def test_a_failure_stops_and_is_run_again(self):
        self.write("p.yaml", PLAN.replace("VALUES('after t')", "VALUES('after t', 2)"))
        told = self.migrate(code=3).err
        self.assertIn("p.yaml:12:9", told)
        self.assertIn("the hook `after of t` failed: INSERT INTO trace VALUES('after t', 2)", told)
        self.assertIn("[hook-failed]", told)
        self.resume(code=3)
        self.write("p.yaml", PLAN)
        self.resume()
        self.assertEqual(sorted(self.ask("SELECT what FROM trace")), EVERYTHING)

    def test_a_failure_before_the_run(self):
        self.write("p.yaml", PLAN.replace("VALUES(99, 'from the hook')", "VALUES(1, 'from the hook')"))
        self.assertIn("the hook `before` failed", self.migrate(code=3).err)
        self.write("p.yaml", PLAN)
        self.resume()
        self.assertEqual(self.ask("SELECT id FROM t"), [1, 2, 99])

    def test_values_of_variables_are_neither_shown_nor_kept(self):
        """What ${NAME} and ${file:PATH} stand for is run, and stays out of what is printed, logged and stored."""
        self.write("password", "canaryFile7")
        self.write("p.yaml", PLAN.replace("after: \"INSERT INTO trace VALUES('after')\"",
            "after: [\"INSERT INTO trace VALUES('${file:password}')\", \"INSERT INTO trace VALUES('${TOKEN}')\"]\n"
            "on_failure: { command: [echo, \"${TOKEN}\"] }\n").replace("'from the hook'",
                                                                       "'${TOKEN}'").replace("VALUES('after t')",
                                                                           "VALUES('${TOKEN} of t')"))
        environment = {"TOKEN": "canaryToken7"}
        told = [self.run_program("check", "--plan", "p.yaml", "--allow-commands", *more, env=environment)
                for more in ([], ["--json"])]
        self.assertIn("VALUES('${file:password}')", told[0].out)
        told.append(self.migrate("--allow-commands", "--log-file", "log", "--log-level", "debug", env=environment))
        self.assertEqual(self.ask("SELECT what FROM trace WHERE what LIKE 'canary%' ORDER BY what"),
                         ["canaryFile7", "canaryToken7", "canaryToken7 of t"])
        self.write("p.yaml", PLAN.replace("INSERT INTO trace VALUES('after')",
                                          "INSERT INTO trace VALUES('${TOKEN}', 2)"))
        told.append(self.migrate("--state", "second", "--existing", "upsert", code=3, env=environment))
        self.assertNotIn("canary", "".join(each.out + each.err for each in told))
        kept = [path for folder in (".transhume", "second") for path, _, names in os.walk(self.path(folder)) for path in
                [os.path.join(path, name) for name in names]] + [self.path("log")]
        for path in kept:
            with open(path, "rb") as file:
                self.assertNotIn(b"canary", file.read(), path)
        self.assertNotIn("canary", str(self.ask("SELECT value FROM _transhume_ledger")))

    def test_killed_between_hooks(self):
        """What is done is never run again; what had not begun is run."""
        for place in range(1, 6):
            with self.subTest(place):
                state = "state%d" % place
                out = "out%d.db" % place
                source = "src%d.db" % place
                with open(self.path("src.db"), "rb") as file, open(self.path(source), "wb") as copy:
                    copy.write(file.read())
                self.write("p.yaml", PLAN.replace("out.db", out).replace("src.db", source))
                arguments = ("--state", state)
                killed = support.kill_at("hooks.after_done", place, "migrate", "--plan", "p.yaml", *arguments,
                                         cwd=self.folder)
                if killed.code == 0:
                    self.assertEqual(place, 5)
                else:
                    self.resume(*arguments)
                self.assertEqual(sorted(self.ask("SELECT what FROM trace", out)), EVERYTHING)
                self.assertEqual(self.ask("SELECT id FROM t", out), [1, 2, 99])

    def kill_while(self, failpoint, occurrence):
        support.kill_at(failpoint, occurrence, "migrate", "--plan", "p.yaml", cwd=self.folder)

    def test_what_had_begun_is_asked_about(self):
        """Statement 2 of the table's `before` ran, and its end was not noted: `once` leaves it to people."""
        self.kill_while("hooks.after_run", 3)
        told = self.resume(code=5).err
        self.assertIn("statement 2 of the hook `before of t` had begun", told)
        self.assertIn("[hook-refused]", told)
        self.assertEqual(self.ask("SELECT what FROM trace"), ["before t"])
        self.resume("--begun-hooks", "skip")
        self.assertEqual(sorted(self.ask("SELECT what FROM trace")), EVERYTHING)

    def test_what_had_begun_is_repeated_on_request(self):
        self.kill_while("hooks.after_note", 3)
        self.resume(code=5)
        self.resume("--begun-hooks", "repeat")
        self.assertEqual(sorted(self.ask("SELECT what FROM trace")), EVERYTHING)

    def test_once_false_is_repeated(self):
        self.write("p.yaml", PLAN.replace('after: "INSERT INTO trace VALUES(\'after\')"',
                                          'after: { sql: "INSERT INTO trace VALUES(\'after\')", once: false }'))
        self.kill_while("hooks.after_run", 5)
        told = self.resume().err
        self.assertIn("had begun, and is not known to be done: it is run again", told)
        self.assertEqual(sorted(self.ask("SELECT what FROM trace")), ["after"] + EVERYTHING)

    def test_what_had_begun_before_the_ledger(self):
        self.kill_while("hooks.after_run", 1)
        self.assertEqual(self.ask("SELECT id FROM t", "src.db"), [1, 2, 99])
        self.assertIn("the hook `before` had begun", self.resume(code=5).err)
        self.resume("--begun-hooks", "skip")
        self.assertEqual(self.ask("SELECT id FROM t"), [1, 2, 99])

    def test_chunks_take_theirs_back(self):
        """Each chunk is killed before its commit: its SQL counts once."""
        database = sqlite3.connect(self.path("src.db"))
        with database:
            database.executemany("INSERT INTO t VALUES(?, 'x')", [(number,) for number in range(1000, 1400)])
        database.close()
        self.write("p.yaml", PLAN.replace("SELECT 'chunk ' || max(id) FROM t", "VALUES('chunk')"))
        chunks = ("--chunk-rows", "100")
        support.kill_at("sqlite.before_commit", 2, "migrate", "--plan", "p.yaml", *chunks, cwd=self.folder)
        self.resume()
        marks = len(self.ask("SELECT name FROM _transhume_ledger WHERE name LIKE 'run/%/done/%'"))
        self.assertGreater(marks, 2)
        self.assertEqual(self.ask("SELECT count(*) FROM trace WHERE what = 'chunk'"), [marks])

    def test_chunks_that_fail(self):
        self.write("p.yaml", PLAN.replace("SELECT 'chunk ' || max(id) FROM t", "VALUES(1, 2)"))
        told = self.migrate(code=3).err
        self.assertIn("the hook `after_chunk of t` failed", told)
        self.assertEqual(self.ask("SELECT count(*) FROM t"), [0])


class Commands(support.TestCase):
    PLAN = """transhume: 1
source: sqlite:src.db
target: sqlite:out.db
before: { command: "env | grep ^HOOK_ | sort >before.txt; echo to the log" }
tables:
  t: { from: t, fields: { "*": copy }, after: { command: [sh, "-c", "env >table.txt"] } }
after: { command: "env >after.txt; exit $CODE", env: CODE }
on_failure: { command: "echo $HOOK_ERROR >>failed.txt" }
"""

    def setUp(self):
        super().setUp()
        database = sqlite3.connect(self.path("src.db"))
        database.executescript("CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES(1), (2);")
        database.close()
        self.write("p.yaml", self.PLAN)

    def migrate(self, *more, code=0, status="0"):
        return self.run_program("migrate", "--plan", "p.yaml", *more, code=code, env={"CODE": status})

    def variables(self, name):
        return dict(line.split("=", 1) for line in support.read_lines(self.path(name)) if line.startswith("HOOK_"))

    def test_they_have_to_be_allowed(self):
        told = self.migrate(code=5).err
        self.assertIn("p.yaml:4:9", told)
        self.assertIn("--allow-commands", told)
        self.assertFalse(os.path.exists(self.path("before.txt")))
        self.assertIn("is a command", self.run_program("check", "--plan", "p.yaml", code=5).out)
        self.migrate("--no-hooks")

    def test_what_they_find(self):
        self.migrate("--allow-commands")
        with open(self.path(".transhume", "transhume.log"), encoding="utf-8") as log:
            self.assertIn("hook `before`: to the log", log.read())
        found = self.variables("after.txt")
        self.assertEqual((found["HOOK_NAME"], found["HOOK_RUN"], found["HOOK_WRITTEN"]), ("after", self.run_id(), "2"))
        self.assertEqual(found["HOOK_SOURCE"], "sqlite:src.db")
        self.assertEqual(self.variables("table.txt")["HOOK_TABLE"], "t")
        self.assertFalse(os.path.exists(self.path("failed.txt")))

    def test_one_that_fails(self):
        told = self.migrate("--allow-commands", code=3, status="7").err
        self.assertIn("it ended with status 7", told)
        self.assertEqual(support.read_lines(self.path("failed.txt")), ["hook-failed"])
        self.run_program("resume", "--plan", "p.yaml", "--allow-commands", env={"CODE": "0"})

    def test_one_that_takes_too_long(self):
        self.write("p.yaml", self.PLAN.replace("exit $CODE\"", "sleep 60\", timeout: 500ms"))
        self.assertIn("it did not end in time", self.migrate("--allow-commands", code=3).err)


class Servers:
    """SQL in a server, as target and as source."""
    kill = ""

    def setUp(self):
        super().setUp()
        self.name = self.server.database()
        with contextlib.closing(sqlite3.connect(self.path("src.db"))) as database, database:
            database.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)")
            database.executemany("INSERT INTO t VALUES(?, 'x')", [(number,) for number in range(400)])
        self.write("p.yaml", """transhume: 1
source: sqlite:src.db
target: %s
tables:
  t:
    from: t
    fields: { "*": copy }
    before: "CREATE TABLE trace(what VARCHAR(40))"
    before_chunk: "INSERT INTO trace VALUES('begins')"
    after_chunk: "INSERT INTO trace SELECT 'ends' FROM t HAVING count(*) > 0; INSERT INTO trace VALUES('ended')"
    after: [ "UPDATE t SET v = 'y' WHERE id = 7", "INSERT INTO trace VALUES('after')" ]
""" % self.server.uri(self.name))

    def traced(self, what):
        return self.server.ask(self.name, "SELECT count(*) FROM trace WHERE what = '%s'" % what)[0][0]

    def test_as_target(self):
        chunks = ("--chunk-rows", "100")
        killed = support.kill_at(self.kill, 3, "migrate", "--plan", "p.yaml", "--jobs", "1", *chunks, cwd=self.folder)
        self.assert_code(killed, -9)
        self.run_program("resume", "--plan", "p.yaml")
        marks = self.server.ask(self.name,
                                "SELECT count(*) FROM _transhume_ledger WHERE name LIKE 'run/%/done/%'")[0][0]
        self.assertGreater(int(marks), 2)
        for what in ("begins", "ends", "ended"):
            self.assertEqual(self.traced(what), marks, what)
        self.assertEqual(int(self.traced("after")), 1)
        self.assertEqual(self.server.ask(self.name, "SELECT v FROM t WHERE id = 7")[0][0], "y")

    def test_as_source(self):
        self.server.ask(self.name, "CREATE TABLE s (id int PRIMARY KEY)")
        self.write("s.yaml", """transhume: 1
source: %s
target: sqlite:out.db
include: s
before: { sql: "INSERT INTO s VALUES (1); INSERT INTO s VALUES (2)", in: source }
after: { sql: "DELETE FROM s", in: source }
""" % self.server.uri(self.name))
        self.run_program("migrate", "--plan", "s.yaml")
        with contextlib.closing(sqlite3.connect(self.path("out.db"))) as database:
            self.assertEqual(database.execute("SELECT id FROM s ORDER BY id").fetchall(), [(1,), (2,)])
        self.assertEqual(int(self.server.ask(self.name, "SELECT count(*) FROM s")[0][0]), 0)

    def test_a_statement_that_takes_too_long(self):
        self.write("p.yaml",
                   "transhume: 1\nsource: sqlite:src.db\ntarget: %s\nbefore: { sql: \"%s\", timeout: 500ms }\n"
                   % (self.server.uri(self.name), self.sleep))
        told = self.run_program("migrate", "--plan", "p.yaml", code=3).err
        self.assertIn("the hook `before` failed: " + self.sleep, told)


class Postgres(Servers, support.TestCase):
    kill, sleep = "postgres.before_commit", "SELECT pg_sleep(60)"

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls)


class MariaDb(Servers, support.TestCase):
    kill, sleep = "mysql.before_commit", "SELECT SLEEP(60)"

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def test_what_commits_by_itself_has_no_place_in_a_chunk(self):
        self.write("p.yaml",
                   "transhume: 1\nsource: sqlite:src.db\ntarget: %s\ntables: { t: { from: t, fields: { '*': copy }, "
                   "after_chunk: 'CREATE TABLE more(id int)' } }\n" % self.server.uri(self.name))
        self.assertIn("it commits what was written before it",
                      self.run_program("check", "--plan", "p.yaml", code=2).err)


class Cassandra(support.TestCase):
    """CQL before and after; a chunk has no transaction that it could be part of."""

    @classmethod
    def setUpClass(cls):
        cls.server = cassandra_server.shared_for_class(cls)

    def setUp(self):
        super().setUp()
        support.make_sqlite(self.path("src.db"),
                            "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES(1, 'x'), (2, 'y')")
        self.name = self.server.database()

    def plan(self, *lines):
        self.write("p.yaml",
                   "transhume: 1\nsource: sqlite:src.db\ntarget: %s\ntables:\n  t: { from: t, "
                   "key: { partition: [id] }, fields: { '*': copy }%s }\n%s\n" % (
                       self.server.uri(self.name), *lines))

    def test_killed_and_resumed(self):
        """What ran before the kill runs once."""
        self.plan("",
                  "before: 'CREATE TABLE trace (what text PRIMARY KEY, times int); "
                  "-- a comment\n\n  INSERT INTO trace (what, times) VALUES (''a; b'', 1)'\n"
                      "after: \"UPDATE t SET v = 'after' WHERE id = 1\"")
        killed = support.kill_at("engine.before_after_load", 1, "migrate", "--plan", "p.yaml", cwd=self.folder)
        self.assert_code(killed, -9)
        self.run_program("resume", "--plan", "p.yaml")
        self.assertEqual(self.server.ask(self.name, "SELECT * FROM trace"), [("a; b", 1)])
        self.assertEqual(sorted(self.server.ask(self.name, "SELECT id, v FROM t")), [(1, "after"), (2, "y")])

    def test_what_fails(self):
        self.plan("", "before: 'SELECT * FROM nowhere'")
        told = self.run_program("migrate", "--plan", "p.yaml", code=3).err
        self.assertIn("the hook `before` failed: SELECT * FROM nowhere", told)
        self.assertEqual(told.count("error: "), 1)

    def test_none_in_a_chunk(self):
        self.plan(", after_chunk: 'SELECT 1'", "")
        self.assertIn("writes chunks without a transaction", self.run_program("check", "--plan", "p.yaml", code=2).err)


class Refused(support.TestCase):
    def refuse(self, text, part):
        with self.subTest(part):
            self.write("p.yaml", "transhume: 1\nsource: sqlite:src.db\ntarget: sqlite:out.db\n" + text)
            self.assertIn(part, self.run_program("check", "--plan", "p.yaml", code=2).err)

    def test_plans(self):
        database = sqlite3.connect(self.path("src.db"))
        database.execute("CREATE TABLE t(id INTEGER PRIMARY KEY)")
        database.close()
        table = "tables:\n  t: { from: t, fields: { \"*\": copy }, %s }\n"
        self.refuse("before: { in: source }\n", "p.yaml:4:9: the hook says nothing to do")
        self.refuse("before: { sql: x, command: y }\n", "the hook is both SQL and a command")
        self.refuse("before: { sql: 'SELECT 1', in: nowhere }\n", "'in' is target|source, not 'nowhere'")
        self.refuse("before: { command: x, in: source }\n", "'in' is for SQL")
        self.refuse("before: { sql: 'SELECT 1', timeout: soon }\n", "'soon' is no time")
        self.refuse("before: []\n", "an empty list")
        self.refuse("before: [%s]\n" % ", ".join(["'SELECT 1'"] * 1001), "a plan has 1000 hooks at most")
        self.refuse("before: [[x]]\n", "a hook was expected here")
        self.refuse("before: \"'open\"\n", "its SQL has a string that does not end")
        self.refuse("before: '-- nothing'\n", "its SQL has no statement")
        self.refuse(table % "after_chunk: 'COMMIT'",
                    "'COMMIT' can't be run in each chunk: it begins or ends a transaction")
        self.refuse(table % "after_chunk: { command: x }", "what runs in each chunk is SQL")
        self.write("p.yaml", "transhume: 1\nsource: sqlite:src.db\ntarget: jsonl:out\nafter: 'SELECT 1'\n")
        self.assertIn("takes no SQL", self.run_program("check", "--plan", "p.yaml", code=2).err)


if __name__ == "__main__":
    unittest.main()
