"""Tables of PostgreSQL that others hold: what is changed of them waits briefly, again and again, and nobody queues
behind it for long.

Whether others get through is asked by psql, with a statement_timeout far above what the run may make them wait.
"""
import json
import os
import re
import signal
import sys
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import support
import tcp_proxy
from test_postgres import PostgresCase

ROWS = 300
SOURCE = ("CREATE TABLE parent (id INTEGER PRIMARY KEY, v TEXT);"
          "CREATE TABLE child (id INTEGER PRIMARY KEY, p INTEGER REFERENCES parent (id), v TEXT);"
          "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) "
          "INSERT INTO parent SELECT i, 'text ' || i FROM c; INSERT INTO child SELECT id, id, v FROM parent;" % ROWS)
PARENT = "CREATE TABLE parent (id int PRIMARY KEY, v text); CREATE INDEX parent_v ON parent (v);"
READ, WRITE = "LOCK TABLE %s IN ACCESS SHARE MODE", "UPDATE %s SET v = v WHERE id = 1"


class Held(PostgresCase):
    def setUp(self):
        super().setUp()
        self.source = support.make_sqlite(self.path("s.db"), SOURCE)

    def target(self, script=""):
        name = self.made(script)
        return name, (self.source, self.server.uri(name), "--state", self.path("state"))

    def holder(self, name, sql):
        """Somebody whose open transaction did that, and the session's number."""
        session = self.server.session(name)
        self.addCleanup(session.close)
        session.ask("SET application_name = 'shop'; BEGIN; SELECT 1")
        session.ask(sql + "; SELECT 1")
        return session, session.ask("SELECT pg_backend_pid() /* of the shop */")

    def log(self):
        with open(self.path("state", "transhume.log"), encoding="utf-8") as file:
            return file.read()

    def held_up(self, name, process, others):
        """It waits, tries again, names who holds the table; others go on meanwhile."""
        self.wait_until("it waits", lambda: self.server.waiting(name) > 0 or process.poll() is not None)
        begun = time.monotonic()
        self.server.psql(name, "SET statement_timeout = '20s'; " + others)
        self.assertLess(time.monotonic() - begun, 8 * support.PATIENCE)
        self.wait_until("it tries again", lambda: "try 2 in" in self.log() or process.poll() is not None)
        self.assertIsNone(process.poll(), self.log())

    def assert_named(self, said, number):
        self.assertRegex(said,
                         r"session %s \(shop, user postgres, idle in transaction for \d+ s: SELECT pg_backend_pid\(\) "
                         r"/\* of the shop" % number)

    def went_on(self, process, holder, number):
        holder.ask("COMMIT; SELECT 1")
        result = support.finish(process)
        self.assert_code(result, 0)
        self.assert_named(result.err, number)

    def at(self, point, *arguments):
        return self.stopped_at(point + ":stop:1", *arguments)

    def rollback(self):
        with open(self.path("state", "run.json"), encoding="utf-8") as file:
            return ("rollback", "--run", json.load(file)["run"], "--confirm", "--state", self.path("state"))

    def tables(self, name):
        return sorted(row[0] for row in self.server.psql(name,
                                                         "SELECT relname FROM pg_class WHERE relkind = 'r' AND "
                                                         "relnamespace = 'public'::regnamespace"))

    def test_tables_that_are_dropped(self):
        name, arguments = self.target()
        self.run_program("migrate", *arguments)
        holder, number = self.holder(name, READ % "parent")
        process = support.start(*self.rollback(), cwd=self.folder)
        self.addCleanup(self.end, process)
        self.held_up(name, process, "SELECT count(*) FROM parent")
        self.went_on(process, holder, number)
        self.assertEqual(self.tables(name), [])

    def test_given_up_and_gone_on_with(self):
        name, arguments = self.target()
        self.run_program("migrate", *arguments)
        holder, number = self.holder(name, READ % "child")
        result = self.run_program(*self.rollback(), "--timeout", "500ms", code=3)
        self.assertRegex(result.err, r"given up after \d+ tries in \d s")
        self.assert_named(result.err, number)
        self.assertIn("pg_terminate_backend", result.err)
        holder.close()
        said = re.search("`transhume (.*?)`", result.err).group(1).split()   # what goes on is what is said
        self.run_program(*said)
        self.assertEqual(self.tables(name), [])

    def test_what_others_say_is_not_passed_on(self):
        """Their statements' values are in no log, no state, no ledger."""
        name, arguments = self.target(PARENT)
        process = self.at("postgres.before_reference", "migrate", "--existing", "append", "--timeout", "500ms",
                          *arguments)
        holder, _ = self.holder(name, WRITE % "parent")
        holder.ask("SELECT 'abc-secret', 7654321")
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 3)
        self.assertRegex(result.err, r"for \d+ s: SELECT \?, \?")
        texts = [result.err, result.out, str(self.server.psql(name, "SELECT value FROM _transhume_ledger"))]
        for folder, _, names in os.walk(self.path("state")):
            for one in names:
                with open(os.path.join(folder, one), encoding="utf-8", errors="replace") as file:
                    texts.append(file.read())
        for text in texts:
            self.assertNotIn("abc-secret", text)
            self.assertNotIn("7654321", text)
        holder.close()
        self.run_program("resume", *arguments)

    def test_stopped_while_it_tries_again(self):
        name, arguments = self.target()
        self.run_program("migrate", *arguments)
        holder, _ = self.holder(name, READ % "parent")
        process = support.start(*self.rollback(), cwd=self.folder)
        self.addCleanup(self.end, process)
        self.held_up(name, process, "SELECT count(*) FROM parent")
        process.send_signal(signal.SIGINT)
        self.assert_code(support.finish(process), 4)
        holder.close()
        self.run_program(*self.rollback())
        self.assertEqual(self.tables(name), [])

    def test_a_table_that_is_referred_to(self):
        """A foreign key locks writers of both tables out."""
        name, arguments = self.target(PARENT)
        process = self.at("postgres.before_reference", "migrate", "--existing", "append", *arguments)
        holder, number = self.holder(name, WRITE % "parent")
        process.send_signal(signal.SIGCONT)
        self.held_up(name, process, "UPDATE parent SET v = v WHERE id = 2")
        self.went_on(process, holder, number)
        self.assertEqual(self.server.psql(name, "SELECT convalidated FROM pg_constraint WHERE contype = 'f'"), [["t"]])

    def test_keys_of_a_table_that_is_held_again_and_again(self):
        """A key that was made between two locks is progress, however long that took."""
        self.source = support.make_sqlite(self.path("keys.db"),
                                          "CREATE TABLE a (id INTEGER PRIMARY KEY); "
                                          "CREATE TABLE b (id INTEGER PRIMARY KEY);"
                                          "CREATE TABLE child (id INTEGER PRIMARY KEY, v TEXT, "
                                          "a INTEGER REFERENCES a (id), b INTEGER REFERENCES b (id));")
        name, arguments = self.target()
        self.server.psql(name, "ALTER DATABASE %s SET deadlock_timeout = '50ms'" % name)
        process = self.stopped_at("postgres.before_reference:stop:1,postgres.before_validation:stop:1", "migrate",
                                  "--timeout", "500ms", *arguments)
        begun = 0
        for times in (1, 2):
            holder, _ = self.holder(name, "LOCK TABLE child IN ROW EXCLUSIVE MODE")
            self.wait_until("the patience is over", lambda: time.monotonic() - begun > 4 * 0.5 + 0.5)
            process.send_signal(signal.SIGCONT)
            self.wait_until("it tries again", lambda: self.log().count("try 2 in") == times
                            or process.poll() is not None)
            self.assertIsNone(process.poll(), self.log())
            begun = time.monotonic()
            holder.close()
            if times == 1:
                self.wait_until_stopped(process)
        self.assert_code(support.finish(process), 0)
        self.assertEqual(self.server.psql(name, "SELECT convalidated FROM pg_constraint WHERE contype = 'f'"),
                         [["t"], ["t"]])

    def test_an_index_that_comes_back(self):
        """Nobody was there when it was dropped; other builds go on."""
        name, arguments = self.target(PARENT
                                      + "CREATE TABLE child (id int PRIMARY KEY, p int, v text); "
                                        "CREATE INDEX child_v ON child (v);")
        process = self.at("postgres.before_put_back", "migrate", "--indexes", "rebuild", *arguments)
        holder, number = self.holder(name, WRITE % "parent")
        process.send_signal(signal.SIGCONT)
        self.held_up(name, process, "UPDATE parent SET v = v WHERE id = 2")
        self.wait_until("the other one is made", lambda: self.server.psql(name,
                                                                          "SELECT to_regclass('child_v')") != [[None]])
        self.went_on(process, holder, number)
        self.assertEqual(self.server.psql(name,
                                          "SELECT count(*) FROM pg_index WHERE indrelid = 'parent'::regclass AND "
                                          "indisvalid"), [["2"]])

    def test_a_constraint_that_comes_back(self):
        """It locks everybody out, and does not stand in the way of what else is made of its table."""
        name, arguments = self.target("CREATE TABLE parent (id int PRIMARY KEY, v text, "
                                      "CONSTRAINT parent_u UNIQUE (v));"
                                      "CREATE INDEX parent_v ON parent (v); CREATE INDEX parent_w ON parent (v, id);")
        process = self.at("postgres.before_put_back", "migrate", "--indexes", "rebuild", "--timeout", "1500ms",
                          *arguments)
        holder, number = self.holder(name, WRITE % "parent")
        process.send_signal(signal.SIGCONT)
        waiting = set()
        while "try 3 in" not in self.log() and process.poll() is None:
            waiting.add(self.server.waiting(name))
        self.assertEqual(waiting, {0, 1}, "sessions that wait for the table")
        self.went_on(process, holder, number)
        self.assertEqual(self.server.psql(name,
                                          "SELECT count(*) FROM pg_index WHERE indrelid = 'parent'::regclass AND "
                                          "indisvalid"), [["4"]])

    def test_an_index_whose_table_is_held_for_good(self):
        name, arguments = self.target(PARENT)
        process = self.at("postgres.before_put_back", "migrate", "--indexes", "rebuild", "--timeout", "500ms",
                          *arguments)
        holder, number = self.holder(name, WRITE % "parent")
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 3)
        self.assertRegex(result.err, r"given up after \d+ tries in \d s")
        self.assertEqual(result.err.count("given up after"), 1, "the patience is spent but once")
        self.assert_named(result.err, number)
        holder.close()
        self.run_program("resume", *arguments)
        self.assertEqual(self.server.psql(name,
                                          "SELECT count(*) FROM pg_index WHERE indrelid = 'parent'::regclass AND "
                                          "indisvalid"), [["2"]])

    def test_a_key_that_is_built_for_longer_than_a_lock_is_waited_for(self):
        """Its session has the table all that time; what else is made of the table waits for its turn."""
        slow = ("CREATE OR REPLACE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM "
                "pg_sleep(%s); RETURN $1; END';")
        source = self.made(slow % 0
                           + "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, "
                             "md5(i::text) FROM generate_series(1, 120) i;"
                           "CREATE TABLE large AS SELECT md5(i::text) AS v FROM generate_series(1, 20000) i;"
                           "CREATE INDEX t_v ON t (left(v, 9)); CREATE INDEX t_w ON t (left(v, 8));"
                           "ALTER TABLE t ADD CONSTRAINT slow EXCLUDE USING btree (slow(id) WITH =);" + slow % 0.01)
        name = self.made()
        self.run_program("migrate", self.server.uri(source), self.server.uri(name), "--timeout", "500ms", "--state",
                         self.path("state"))
        indexes = ("SELECT indexrelid::regclass, indisvalid FROM pg_index WHERE indrelid = 't'::regclass ORDER BY "
                   "indexrelid::regclass::text")
        self.assertEqual(self.server.psql(name, indexes), self.server.psql(source, indexes))
        self.assertGreater(int(self.server.psql(name, "SELECT pg_relation_size('large')")[0][0]), 1 << 20,
                           "else they are made one by one")

    def test_a_trigger_is_not_left_out_for_a_lock(self):
        """What the server can't make is told and left out; what it may make in a moment is not."""
        source = self.made("CREATE TABLE t (id int, v text); INSERT INTO t VALUES (1, 'one');"
                           "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
                           "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();")
        name = self.made()
        process = self.at("engine.before_after_load", "migrate", self.server.uri(source), self.server.uri(name),
                          "--state", self.path("state"))
        holder, number = self.holder(name, WRITE % "t")
        process.send_signal(signal.SIGCONT)
        self.held_up(name, process, "UPDATE t SET v = v WHERE id = 2")
        self.went_on(process, holder, number)
        self.assertEqual(self.server.psql(name, "SELECT tgname, tgenabled FROM pg_trigger"), [["g", "O"]])

    def test_a_long_wait_is_told(self):
        """Of one that makes nobody wait behind it."""
        name, arguments = self.target()
        process = self.at("engine.before_after_load", "migrate", *arguments)
        holder, number = self.holder(name, "LOCK TABLE child IN ACCESS EXCLUSIVE MODE")
        process.send_signal(signal.SIGCONT)
        self.wait_until("it is told", lambda: "waiting for a lock" in self.log() or process.poll() is not None)
        self.went_on(process, holder, number)

    def test_what_shuts_nobody_out_waits_as_long_as_it_takes(self):
        """Behind a VACUUM, of the key that is checked and of the statistics."""
        for table in ("child", "parent"):
            with self.subTest(table):
                name, (source, uri, *_) = self.target()
                process = self.at("postgres.before_validation", "migrate", "--timeout", "500ms", source, uri, "--state",
                                  self.path("state"))
                holder, number = self.holder(name, "LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE" % table)
                process.send_signal(signal.SIGCONT)
                self.wait_until("it waits for more than four times the timeout",
                                lambda: "waiting for a lock for" in self.log() or process.poll() is not None)
                self.went_on(process, holder, number)
                os.rename(self.path("state"), self.path("state-" + table))

    def test_an_index_that_goes_while_others_are_at_work(self):
        """Concurrently, so that nobody waits for it: given up early it would be left invalid, for nothing."""
        name, arguments = self.target(PARENT)
        holder, number = self.holder(name, READ % "parent")
        process = support.start("migrate", "--indexes", "rebuild", *arguments, cwd=self.folder)
        self.addCleanup(self.end, process)
        self.wait_until("it waits", lambda: os.path.exists(self.path("state", "transhume.log")) and re.search(
            "waiting for a lock for|try 2 in", self.log()) or process.poll() is not None)
        self.assertNotIn("try 2 in", self.log())
        self.went_on(process, holder, number)

    def test_a_wait_is_longer_than_deadlock_timeout(self):
        """Only then, and only in one wait, does the server end an autovacuum that is in the way."""
        name, arguments = self.target(PARENT)
        self.server.psql(name, "ALTER DATABASE %s SET deadlock_timeout = '7s'" % name)
        process = self.at("postgres.before_put_back", "migrate", "--indexes", "rebuild", *arguments)
        holder, number = self.holder(name, WRITE % "parent")
        process.send_signal(signal.SIGCONT)
        self.wait_until("it waits", lambda: re.search("waiting for a lock for|try 2 in", self.log())
                        or process.poll() is not None)
        self.assertNotIn("try 2 in", self.log())
        self.went_on(process, holder, number)

    def seen_waiting(self, process, phase):
        """Its progress says so, and (soon enough where the waits have grown) status."""
        line = {}
        while not (line.get("phase") == phase and line.get("waiting_milliseconds", 0) > (2000 if support.SOAK else 0)):
            said = process.stderr.readline()
            self.assertNotEqual(said, b"", "it ended: " + self.log())
            line = json.loads(said) if said.startswith(b"{") else {}
        if support.SOAK:
            self.wait_until("status says so", lambda: "waiting  to try again what failed" in self.run_program(
                "status", "--state", self.path("state")).out or process.poll() is not None)
        self.assertIsNone(process.poll())

    def test_a_wait_is_shown_whatever_it_is_for(self):
        """Of the trigger first: an index goes concurrently, and waits longer before it is tried again."""
        name, arguments = self.target(PARENT
                                      + "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN "
                                        "NEW; END';"
                                      "CREATE TRIGGER g BEFORE INSERT ON parent FOR EACH ROW EXECUTE FUNCTION f();")
        points = (("engine.before_prepare", "prepare"), ("postgres.before_put_back", "indexes"),
                  ("postgres.before_reference", "indexes"))
        for point, phase in points if support.SOAK else (points[0],):
            with self.subTest(point):
                command = ("migrate", "--indexes", "rebuild", "--triggers",
                           "disable") if point.endswith("prepare") else ("resume",)
                process = self.at(point, *command, "--progress", "json", *arguments)
                holder, _ = self.holder(name, WRITE % "parent")
                process.send_signal(signal.SIGCONT)
                self.seen_waiting(process, phase)
                process.send_signal(signal.SIGINT)
                self.assert_code(support.finish(process), 4)
                holder.close()
        self.run_program("resume", *arguments)

    def test_a_commit_that_is_held_after_its_connection_broke(self):
        """Its mark is not there yet; that does not say that it was not done."""
        name, _ = self.target()
        holder = self.server.session(name)
        self.addCleanup(holder.close)
        with tcp_proxy.TcpProxy(self.server.port) as proxy:
            uri = self.server.uri(name, via=proxy)
            process = self.at("postgres.before_mark", "migrate", self.source, uri, "--jobs", "1", "--state",
                              self.path("state"))
            self.server.psql(name, """CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
                                      'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NULL; END';
                                      CREATE CONSTRAINT TRIGGER held AFTER INSERT ON _transhume_ledger DEFERRABLE INITIALLY DEFERRED
                                      FOR EACH ROW EXECUTE FUNCTION wait()""")
            holder.ask("SELECT pg_advisory_lock(42)")
            proxy.cut_at(b"COMMIT", before=False)
            process.send_signal(signal.SIGCONT)
            held = ("SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory' AND query = 'COMMIT' AND datname = "
                    "current_database()")
            self.wait_until("its commit waits", lambda: self.server.psql(name, held) != [])
            number = self.server.psql(name, held)[0][0]
            self.wait_until("it looks it up", lambda: "holds it" in self.log() or process.poll() is not None)
            self.assertIsNone(process.poll(), self.log())
            holder.close()
            result = support.finish(process)
            self.assertEqual(proxy.cuts, 1)
        self.assert_code(result, 0)
        self.assertRegex(result.err, r"session %s \(transhume, .*: COMMIT\) holds it" % number)
        for table in ("parent", "child"):
            self.assertEqual(self.server.psql(name, "SELECT count(*), count(DISTINCT id) FROM " + table),
                             [[str(ROWS), str(ROWS)]])

    def test_sessions_that_are_ended(self):
        """Between any two steps after the load, and before it."""
        for point in ("postgres.before_schema", "postgres.before_index", "postgres.before_reference",
                      "postgres.before_validation",
                      "engine.before_settle"):
            with self.subTest(point):
                name = self.made()
                process = self.at(point, "migrate", self.source, self.server.uri(name), "--state",
                                  self.path("state-" + name))
                self.server.psql(name,
                                 "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
                                 "'transhume' "
                                       "AND datname = current_database()")
                process.send_signal(signal.SIGCONT)
                self.assert_code(support.finish(process), 0)
                self.assertEqual(self.server.psql(name, "SELECT count(*) FROM child"), [[str(ROWS)]])
                self.assertEqual(self.server.psql(name,
                                                  "SELECT contype, convalidated FROM pg_constraint WHERE conrelid = "
                                                  "'child'::regclass "
                                                        "AND contype IN ('f', 'p') ORDER BY 1"),
                                 [["f", "t"], ["p", "t"]])


if __name__ == "__main__":
    unittest.main()
