"""PostgreSQL as a source: what it reads is held against being emptied, rewritten or dropped, from before its snapshot
on. The others'
doings by psql."""
import contextlib
import os
import signal
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import postgres
import sql_case
import support
import tcp_proxy

SCRIPT = """
CREATE TABLE plain (id int PRIMARY KEY, v text);
INSERT INTO plain SELECT i, 'v' || i FROM generate_series(1, 500) i;
CREATE TABLE keyless (id int);
INSERT INTO keyless SELECT generate_series(1, 500);
CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (250);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (250) TO (1000);
INSERT INTO parts SELECT generate_series(1, 500);
CREATE SCHEMA aside;
CREATE TABLE aside.under (id int);
INSERT INTO aside.under SELECT generate_series(1, 500);
CREATE VIEW seen AS SELECT * FROM aside.under;
CREATE MATERIALIZED VIEW stored AS SELECT * FROM plain;
"""
STOPPED = "postgres.snapshot_taken:stop:1"
# What the old snapshot would find emptied, rewritten or gone, and how the table is brought in.
DOINGS = {"plain": "TRUNCATE plain", "keyless": "ALTER TABLE keyless ALTER id TYPE bigint USING id + 1",
          "parts": "TRUNCATE parts_2",
          "seen": "TRUNCATE aside.under"}


class HoldCase(sql_case.SqlCase):
    SERVERS = postgres
    EXPECTED = (500, 500 * 501 // 2)

    def setUp(self):
        super().setUp()
        self.name = self.made(SCRIPT)

    def try_it(self, *statements, wait="50ms"):
        """Another session's statements, which wait for nobody."""
        self.server.ask(self.name, "SET lock_timeout = '%s'; %s" % (wait, "; ".join(statements)))

    def assert_held(self, sql):
        with self.assertRaisesRegex(AssertionError, "lock timeout", msg=sql):
            self.try_it(sql)

    def counts(self, tables):
        with contextlib.closing(sqlite3.connect(self.path("out.db"))) as db:
            return {table: db.execute("SELECT count(*), sum(id) FROM " + table).fetchone() for table in tables}


class WhatARunReads(HoldCase):
    def test_is_neither_emptied_nor_rewritten(self):
        process = self.stopped_at(STOPPED, "migrate", "--include", "plain", "--include", "keyless", "--include",
                                  "parts", self.server.uri(self.name), "sqlite:out.db")
        for table in ("plain", "keyless", "parts"):
            self.assert_held(DOINGS[table])
            self.assert_held("DROP TABLE %s" % table)
        self.try_it("INSERT INTO plain VALUES (501, 'later'); DELETE FROM keyless WHERE id = 1; VACUUM plain")
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 0)
        tables = ("plain", "keyless", "parts")
        self.assertEqual(self.counts(tables), dict.fromkeys(tables, self.EXPECTED))
        for doing in DOINGS.values():
            self.try_it(doing)

    def test_a_query_that_fails_is_told_and_not_the_snapshot(self):
        """
        The server finds out when it plans it, in the run's look at rights within the transaction that has the snapshot.
        """
        for jobs in ("1", "4"):
            self.write("transhume.yaml",
                       "transhume: 1\nsource: %s\ntarget: sqlite:out-%s.db\ntables:\n  plain: { key: [id], "
                       "from: plain }\n"
                       "  broken: { key: [id], query: 'SELECT id, id / 0 AS x FROM (SELECT 1 AS id) AS s' }\n"
                       % (self.server.uri(self.name), jobs))
            said = self.run_program("migrate", "--jobs", jobs, "--quiet", "--state", "state-" + jobs, code=3).err
            self.assertIn("division by zero", said)
            self.assertNotIn("snapshot", said)

    def test_nothing_else_is_locked(self):
        process = self.stopped_at(STOPPED, "migrate", "--include", "plain", self.server.uri(self.name), "sqlite:out.db")
        self.try_it("TRUNCATE keyless; DROP TABLE parts")
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 0)

    def test_views_queries_and_joins(self):
        """Through a view, what is behind it; of a query, all that it names."""
        self.server.ask(self.name,
                        "CREATE TABLE leaf (id int PRIMARY KEY, of int REFERENCES plain); "
                        "INSERT INTO leaf VALUES (1, 1)")
        self.write("plan.yaml", """
transhume: 1
source: %s
target: jsonl:out
tables:
  a: { entities: { a: { from: seen } } }
  b: { key: [id], entities: { b: { query: "SELECT k.id FROM keyless k JOIN parts p ON p.id = k.id" } } }
  c: { entities: { c: { from: leaf, fields: { id: copy, V: { lookup: plain, column: v } } } } }
""" % self.server.uri(self.name))
        process = self.stopped_at(STOPPED, "migrate", "--plan", "plan.yaml")
        for doing in list(DOINGS.values()) + ["TRUNCATE leaf CASCADE", "DROP VIEW seen"]:
            self.assert_held(doing)
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 0)

    def test_a_materialized_view_is_read(self):
        """PostgreSQL lets nobody lock it."""
        self.write("plan.yaml",
                   "transhume: 1\nsource: %s\ntarget: sqlite:out.db\ntables: { s: { entities: { s: { from: stored "
                   "} } } }\n"
                   % self.server.uri(self.name))
        self.run_program("migrate", "--plan", "plan.yaml")
        self.assertEqual(self.counts(["s"]), {"s": self.EXPECTED})

    def test_resume_validate_and_check_hold_it_too(self):
        source, target = self.server.uri(self.name), self.made()
        arguments = ("--include", "plain", source, self.server.uri(target))
        process = self.stopped_at("engine.after_prepare:stop:1", "migrate", *arguments)
        self.end(process)
        for command in ("resume", "validate", "check"):
            with self.subTest(command):
                process = self.stopped_at(STOPPED, command, *arguments)
                self.assert_held("TRUNCATE plain")
                process.send_signal(signal.SIGCONT)
                self.assertIn(support.finish(process).code, (5,) if command == "check" else (0, 1))
        process = self.stopped_at("postgres.snapshot_taken:stop:2", "validate", *arguments)
        with self.assertRaisesRegex(AssertionError, "lock timeout"):
            self.name = target
            self.try_it("TRUNCATE plain")
        process.send_signal(signal.SIGCONT)
        self.assert_code(support.finish(process), 0)

    def test_a_role_that_may_read_some_columns_only(self):
        """It may read them, but not lock the table: the run says so, and goes on."""
        role = "narrow_" + self.name
        self.server.ask(self.name,
                        "CREATE ROLE %s LOGIN; GRANT SELECT (id) ON plain TO %s; GRANT SELECT ON keyless TO %s"
                        % ((role,) * 3))
        self.write("plan.yaml", """
transhume: 1
source: %s
target: sqlite:out.db
tables:
  plain: { entities: { plain: { from: plain, fields: { id: copy } } } }
  keyless: { entities: { keyless: { from: keyless } } }
""" % self.server.uri(self.name).replace("postgres@", role + "@"))
        process = self.stopped_at(STOPPED, "migrate", "--plan", "plan.yaml")
        self.assert_held("TRUNCATE keyless")
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 0)
        self.assertIn("\"plain\"", result.err)
        self.assertIn("GRANT SELECT", result.err)
        self.assertEqual(self.counts(("plain", "keyless")), dict.fromkeys(("plain", "keyless"), self.EXPECTED))


class WhatIsInTheWay(HoldCase):
    def between(self, sql, *options):
        """A run between whose catalogue and locks the statement comes."""
        process = self.stopped_at("postgres.before_hold:stop:1", "migrate", "--include", "plain", "--include",
                                  "keyless", *options, self.server.uri(self.name),
                                  "sqlite:out.db")
        self.server.ask(self.name, sql)
        process.send_signal(signal.SIGCONT)
        return support.finish(process)

    def test_a_table_that_vanished(self):
        for sql in ("DROP TABLE keyless", "ALTER TABLE plain RENAME TO other"):
            with self.subTest(sql):
                result = self.between(sql)
                self.assert_code(result, 5)
                self.assertIn("[source-changed]", result.err)
                self.assertIn("keyless" if "keyless" in sql else "plain", result.err)
                self.server.ask(self.name, "CREATE TABLE IF NOT EXISTS keyless (id int)")

    def test_a_table_that_changed(self):
        for sql in ("ALTER TABLE keyless ALTER id TYPE text", "ALTER TABLE keyless ADD extra int",
                    "ALTER TABLE keyless DROP extra",
                    "DROP TABLE keyless; CREATE TABLE keyless (id text)"):
            with self.subTest(sql):
                result = self.between(sql)
                self.assert_code(result, 5)
                self.assertIn("[source-changed]", result.err)
                self.assertIn("keyless", result.err)
                self.assertNotIn("plain", result.err)

    def test_what_changed_beside_it(self):
        self.assert_code(self.between("ALTER TABLE parts ADD extra int; DROP MATERIALIZED VIEW stored; ANALYZE; "
                                      "CREATE INDEX ON plain (v)"), 0)

    def test_a_lock_of_another_session(self):
        session = self.server.session(self.name)
        self.addCleanup(session.close)
        process = self.stopped_at("postgres.before_hold:stop:1", "migrate", "--include", "plain", "--include",
                                  "keyless", "--timeout", "2s",
                                  self.server.uri(self.name), "sqlite:out.db")
        session.ask("BEGIN; TRUNCATE keyless; SELECT 1")
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 3)
        self.assertIn("[source-locked]", result.err)
        self.assertIn("keyless", result.err)
        session.ask("ROLLBACK; SELECT 1")

    def test_a_table_of_locks_that_is_full(self):
        server = postgres.Server(settings={"max_connections": "10", "max_locks_per_transaction": "10",
                                           "max_wal_senders": "0"})
        self.addCleanup(server.stop)
        name = server.database()
        for first in range(0, 1500, 100):
            server.ask(name, "".join("CREATE TABLE t%d (id int);" % i for i in range(first, first + 100)))
        result = self.run_program("migrate", server.uri(name), "sqlite:out.db", code=3)
        self.assertIn("max_locks_per_transaction", result.err)
        self.assertIn("--include", result.err)


class TheSessionThatHolds(HoldCase):
    def test_ends_while_the_run_goes_on(self):
        """Whoever waits to empty a table comes in at once: nothing may be read as empty."""
        self.server.ask(self.name, "INSERT INTO plain SELECT i, 'v' FROM generate_series(501, 4000) i")
        process = self.stopped_at("engine.after_prepare:stop:1", "migrate", "--chunk-rows", "500", "--include", "plain",
                                  "--include", "keyless",
                                  self.server.uri(self.name), "sqlite:out.db")
        self.server.ask(self.name,
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
                        "'transhume' AND "
                                   "datname = current_database() AND backend_start = (SELECT min(backend_start) FROM "
                                   "pg_stat_activity "
                                   "WHERE application_name = 'transhume' AND datname = current_database())")
        self.try_it("TRUNCATE plain", wait="20s")
        process.send_signal(signal.SIGCONT)
        result = support.finish(process)
        self.assert_code(result, 3)
        self.assertIn("the snapshot is lost", result.err)
        self.assertIn("resume", result.err)

    def test_is_gone_when_all_is_read(self):
        """
        Ended by the server, by a wall that only lets pass what is not idle, or with its machine: nobody needs it any
        more.
        """
        doings = {"ended": lambda proxy: self.server.ask(self.name,
                                                         "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                                                         "application_name = "
                                                                   "'transhume' AND datname = current_database()"),
                  "cut off": lambda proxy: proxy.cut_all(), "silent": lambda proxy: proxy.silent.set()}
        for what, doing in doings.items():
            with self.subTest(what), tcp_proxy.SilentProxy(self.server.port) as proxy:
                uri = self.server.uri(self.name, via=proxy)
                target = self.made()
                process = self.stopped_at("engine.before_after_load:stop:1", "migrate", "--include", "plain",
                                          "--timeout", "500ms", uri, self.server.uri(target),
                                          "--state", self.path("state-" + target))
                doing(proxy)
                process.send_signal(signal.SIGCONT)
                self.assert_code(support.finish(process), 0)
                self.assertEqual(self.server.ask(target, "SELECT count(*), sum(id) FROM plain"),
                                 [["500", str(self.EXPECTED[1])]])


if __name__ == "__main__":
    unittest.main()
