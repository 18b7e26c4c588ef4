"""Indexes and triggers of tables that are in PostgreSQL already: dropped or disabled for the load, and put back
whatever happens.

Definitions before and after are compared by pg_dump.
"""
import json
import os
import signal
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import postgres
import support
from test_postgres import PostgresCase

COUNT = 2000
SOURCE = ("CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER, v TEXT, w INTEGER); "
          "CREATE TABLE child (id INTEGER PRIMARY KEY, t INTEGER);"
          "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) "
          "INSERT INTO t SELECT i, i, 'text ' || i %% 7, i * 2 FROM c;"
          "INSERT INTO child SELECT id, id FROM t WHERE id < 50;" % COUNT)
TARGET = r"""
CREATE TABLE t (id int PRIMARY KEY, u int, v text, w bigint);
CREATE TABLE child (id int PRIMARY KEY, t int UNIQUE);
CREATE INDEX t_v ON t (v COLLATE "C" DESC NULLS LAST) INCLUDE (w) WITH (fillfactor = 70) WHERE v <> 'a''\b';
CREATE INDEX "odd "" name" ON t (lower(v), (w + 1));
CREATE INDEX t_hash ON t USING hash (v);
CREATE UNIQUE INDEX t_u ON t (u);
ALTER TABLE t ADD CONSTRAINT t_w UNIQUE (w, u) DEFERRABLE INITIALLY DEFERRED;
CREATE UNIQUE INDEX t_part ON t (w) WHERE w < 0;
COMMENT ON INDEX t_v IS 'quote '' and \ all';
COMMENT ON CONSTRAINT t_w ON t IS 'of a constraint';
ALTER INDEX "odd "" name" ALTER COLUMN 2 SET STATISTICS 300;
ALTER TABLE t CLUSTER ON t_u;
CREATE TABLE seen (n bigint);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen VALUES (1); RETURN NEW; END';
CREATE TRIGGER t_see BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION see();
CREATE TRIGGER "t always" AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION see();
CREATE TRIGGER t_off BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION see();
ALTER TABLE t ENABLE ALWAYS TRIGGER "t always";
ALTER TABLE t DISABLE TRIGGER t_off;
"""
DROPPED = {"t_v", 'odd " name', "t_hash", "t_u", "t_w", "child_t_key"}
KEPT = {"t_pkey", "t_part", "child_pkey"}
BOTH = ("--indexes", "rebuild", "--triggers", "disable")
INDEXES = ("SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND tablename IN ('t', 'child')")
STEPS = ("note", "drop", "put_back", "notes_end")


class Rebuild(PostgresCase):
    def setUp(self):
        super().setUp()
        self.source = support.make_sqlite(self.path("s.db"), SOURCE)

    def target(self, script=TARGET, more=""):
        name = self.made(script + more)
        return name, (self.source, self.server.uri(name), "--state", self.path("state-" + name))

    def definitions(self, name):
        return self.server.dump(name, "--schema-only", "-T", "_transhume*")

    def indexes(self, name):
        return {row[0] for row in self.server.psql(name, INDEXES)}

    def count(self, name, table):
        return int(self.server.psql(name, "SELECT count(*) FROM " + table)[0][0])

    def notes(self, name):
        """What the ledger has of it; -1: no such table."""
        found = self.server.psql(name, "SELECT to_regclass('_transhume_rebuild') IS NOT NULL")
        return self.count(name, "_transhume_rebuild") if found == [["t"]] else -1

    def assert_put_back(self, name, before, rows=COUNT):
        self.maxDiff = None
        self.assertEqual(self.definitions(name), before)
        self.assertEqual(self.server.psql(name, "SELECT count(*) FROM pg_index WHERE NOT indisvalid"), [["0"]])
        self.assertLessEqual(self.notes(name), 0)
        self.assertEqual((self.count(name, "t"), self.count(name, "seen")), (rows, 0))

    def connected(self, name):
        """Somebody else, who does nothing."""
        session = self.server.session(name)
        self.addCleanup(session.close)
        return session

    def test_dropped_before_the_load_and_back_after_it(self):
        name, arguments = self.target()
        before = self.definitions(name)
        killed = support.kill_at("postgres.before_commit", 1, "migrate", *BOTH, *arguments, cwd=self.folder)
        self.assertEqual(killed.code, -9)
        self.assertEqual(self.indexes(name), KEPT)
        self.assertEqual(self.server.psql(name,
                                          "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"),
                         [["t always", "D"], ["t_off", "D"], ["t_see", "D"]])
        self.run_program("resume", *arguments)
        self.assert_put_back(name, before)
        self.run_program("validate", *arguments, "--level", "full")

    def test_kept_unless_it_is_said(self):
        name, arguments = self.target()
        before = self.definitions(name)
        killed = support.kill_at("postgres.before_commit", 1, "migrate", *arguments, cwd=self.folder)
        self.assertEqual(killed.code, -9)
        self.assertEqual(self.indexes(name), DROPPED | KEPT)
        self.run_program("resume", *arguments)
        self.assertEqual(self.definitions(name), before)
        self.assertEqual((self.count(name, "t"), self.count(name, "seen")), (COUNT, 2 * COUNT))

    def test_a_plan_may_say_it(self):
        name, _ = self.target()
        self.write("p.yaml", "transhume: 1\nsource: %s\ntarget: %s\noptions: { indexes: rebuild, triggers: disable }\n"
                   %
                   (json.dumps("sqlite:" + self.source), json.dumps(self.server.uri(name))))
        result, reached = support.count_failpoints("migrate", "--plan", "p.yaml", cwd=self.folder)
        self.assert_code(result, 0)
        self.assertEqual(reached["postgres.after_drop"], len(DROPPED) + 2)
        self.assertEqual((self.count(name, "t"), self.count(name, "seen")), (COUNT, 0))
        self.assert_code(support.transhume("check", "--plan", "p.yaml", "--indexes", "sideways", cwd=self.folder), 2)

    def test_check_says_what_becomes_of_them(self):
        name, arguments = self.target()
        before = self.definitions(name)
        told = self.run_program("check", *BOTH, *arguments).out
        for index in DROPPED:
            self.assertRegex(told, r"the (index|constraint) %s is dropped for the load, and made again" % index)
        self.assertRegex(told, "t_part stays: it is unique over expressions, a part")
        self.assertRegex(told, "the trigger t always is disabled for the load")
        self.assertNotIn("t_off", told)
        self.assertNotIn("t_see", self.run_program("check", "--indexes", "rebuild", *arguments).out)
        self.assertNotIn("dropped", self.run_program("check", *arguments).out)
        self.assertEqual(self.definitions(name), before)

    def killed_at(self, point, occurrence, *more, kept=()):
        """A target whose migration was killed there, as it was before, and the command's arguments."""
        name, arguments = self.target(more="".join(kept))
        before = self.definitions(name)
        killed = support.kill_at("postgres." + point, occurrence, "migrate", *BOTH, *more, *arguments, cwd=self.folder)
        self.assertEqual(killed.code, -9, killed.err)
        return name, before, arguments

    @staticmethod
    def rollback(arguments):
        with open(os.path.join(arguments[-1], "run.json"), encoding="utf-8") as file:
            return ("rollback", "--run", json.load(file)["run"], "--confirm", *arguments[1:])

    def taken_back(self, arguments):
        return self.run_program(*self.rollback(arguments))

    def points(self, steps=STEPS):
        """
        Before and after each step, of some the first and a later one: (failpoint, occurrence); of each step one in an
        ordinary run.
        """
        for step in steps:
            places = [("before_" + step, 1), ("after_" + step, 1)] + ([("after_" + step, 3)]
                                                                      if step in ("drop", "put_back") else [])
            yield from support.drawn(places, 1, self.id() + step)

    def test_killed_at_every_step_and_resumed(self):
        for point, occurrence in self.points():
            with self.subTest(point, occurrence=occurrence):
                name, before, arguments = self.killed_at(point, occurrence)
                self.run_program("resume", *arguments)
                self.assert_put_back(name, before)

    def test_killed_at_every_step_and_taken_back(self):
        for point, occurrence in (*self.points(), ("before_commit", 1)):
            with self.subTest(point, occurrence=occurrence):
                name, before, arguments = self.killed_at(point, occurrence)
                self.taken_back(arguments)
                self.assert_put_back(name, before, 0)

    def test_a_killed_rollback_and_a_restart_put_them_back(self):
        for point, occurrence in (*self.points(("put_back", "notes_end")), ("before_forget", 1)):
            with self.subTest(point, occurrence=occurrence):
                name, before, arguments = self.killed_at("before_commit", 1)
                rollback = self.rollback(arguments)
                self.assertEqual(support.kill_at("postgres." + point, occurrence, *rollback, cwd=self.folder).code, -9)
                self.run_program(*rollback)
                self.assert_put_back(name, before, 0)
        name, before, arguments = self.killed_at("after_drop", 2)
        self.run_program("migrate", "--restart", "--confirm", "--triggers", "disable", *arguments)
        self.assert_put_back(name, before)

    def test_finish_puts_them_back(self):
        name, before, arguments = self.killed_at("before_commit", 1)
        self.run_program("finish", "--confirm", *arguments[1:])
        self.assert_put_back(name, before, 0)

    def test_records_in_the_way_of_a_unique_index(self):
        """The lowest key stays, as where the run makes the index."""
        support.make_sqlite(self.source, "UPDATE t SET u = 42 WHERE id IN (7, 1900);")
        for more in ([], ["--chunk-rows", "300", "--jobs", "2"]):
            with self.subTest(more):
                name, arguments = self.target(more="ALTER TABLE t DROP CONSTRAINT t_w; DROP TRIGGER t_see ON t;")
                before = self.definitions(name)
                self.run_program("migrate", *BOTH, *more, *arguments, code=1)
                self.assert_put_back(name, before, COUNT - 2)
                self.assertEqual(self.server.psql(name, "SELECT id FROM t WHERE u = 42"), [["7"]])
                folder = os.path.join(arguments[-1], "rejects")
                rejects = [json.loads(line) for file in os.listdir(folder)
                           for line in support.read_lines(os.path.join(folder, file))]
                self.assertEqual(sorted(reject["key"]["id"] for reject in rejects), [42, 1900])
                self.assertEqual({reject["code"] for reject in rejects}, {"key-duplicate"})

    def test_what_is_unique_stays_where_records_are(self):
        name, arguments = self.target(more="INSERT INTO child VALUES (100000, 100000); ALTER TABLE child ADD n int; "
                                           "CREATE INDEX child_n ON child (n);")
        before = self.definitions(name)
        support.kill_at("postgres.before_commit", 1, "migrate", *BOTH, "--existing", "append", *arguments,
                        cwd=self.folder)
        self.assertEqual(self.indexes(name), KEPT | {"child_t_key"})
        self.run_program("resume", *arguments)
        self.assert_put_back(name, before)

    def test_a_table_that_held_records_is_taken_back(self):
        old = "INSERT INTO t SELECT i, -i, 'old', 10000 + i FROM generate_series(1900, 2100) i; TRUNCATE seen;"
        upsert = ("migrate", *BOTH, "--existing", "upsert")
        for point in (None, "before_commit", "after_put_back"):
            with self.subTest(point):
                name, arguments = self.target(more=old)
                before, rows = self.definitions(name), self.server.psql(name, "SELECT * FROM t ORDER BY id")
                if point is None:
                    self.run_program(*upsert, *arguments)
                    self.assert_put_back(name, before, COUNT + 100)
                else:
                    self.assertEqual(support.kill_at("postgres." + point, 1, *upsert, *arguments, cwd=self.folder).code,
                                     -9)
                self.taken_back(arguments)
                self.assertEqual(self.definitions(name), before)
                self.assertEqual(self.server.psql(name, "SELECT * FROM t ORDER BY id"), rows)

    def test_a_repair_leaves_them_alone(self):
        """Its few records are none to drop an index for; no trigger but those that always do fires for them anyway."""
        name, _ = self.target(more='DROP TRIGGER "t always" ON t;')
        self.write("p.yaml", "transhume: 1\nsource: %s\ntarget: %s\noptions: { indexes: rebuild, triggers: disable }\n"
                   %
                   (json.dumps("sqlite:" + self.source), json.dumps(self.server.uri(name))))
        self.run_program("migrate", "--plan", "p.yaml")
        before = self.definitions(name)
        self.server.psql(name, "DELETE FROM t WHERE id < 4; DELETE FROM seen")
        result, reached = support.count_failpoints("validate", "--plan", "p.yaml", "--repair", "--level", "full",
                                                   cwd=self.folder)
        self.assertIn(result.code, (0, 1), result.err)
        self.assertEqual(reached["postgres.before_drop"], 0)
        self.assert_put_back(name, before)

    def test_what_others_stand_on_stays(self):
        name, arguments = self.target(more="""
            CREATE TABLE other (u int REFERENCES t (u));
            ALTER TABLE child ALTER t SET NOT NULL; ALTER TABLE child REPLICA IDENTITY USING INDEX child_t_key;
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
            CREATE TABLE parts (id int, k text) PARTITION BY RANGE (id);
            CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (500000);
            CREATE INDEX parts_k ON parts (k);
            CREATE TRIGGER part_none BEFORE INSERT ON part FOR EACH ROW EXECUTE FUNCTION refuse();""")
        support.make_sqlite(self.source, "CREATE TABLE parts (id INTEGER, k TEXT); INSERT INTO parts VALUES (1, 'x');")
        before = self.definitions(name)
        told = self.run_program("check", *BOTH, *arguments).out
        for line in ("t_u stays: a foreign key or something", "t_w stays: it is unique, and other records refer",
                     "child_t_key stays: it is the table's replica identity",
                     "parts_k stays: it is of a partitioned table"):
            self.assertIn(line, told)
        self.run_program("migrate", *BOTH, *arguments)
        self.assert_put_back(name, before)
        self.assertEqual(self.count(name, "parts"), 1)

    def test_others_are_not_locked_out(self):
        """With somebody connected: concurrently, and nothing unique goes."""
        name, arguments = self.target()
        before = self.definitions(name)
        client = self.connected(name)
        self.assertIn("concurrently", self.run_program("check", *BOTH, *arguments).out)
        killed = support.kill_at("postgres.before_put_back", 2, "migrate", *BOTH, *arguments, cwd=self.folder)
        self.assertEqual(killed.code, -9)
        self.assertEqual(len(self.indexes(name) - KEPT), 4)
        self.assertTrue({"t_u", "t_w", "child_t_key"} < self.indexes(name))
        client.ask("BEGIN; SELECT count(*) FROM child")   # holds a lock on it, to no harm
        self.run_program("resume", *arguments)
        self.assert_put_back(name, before)

    def test_what_is_unique_stays_once_others_are_there(self):
        """
        Who comes after it was decided that it goes: a client, one that calls itself as the run does, one between two
        attempts.
        """
        script = ("CREATE TABLE t (id int PRIMARY KEY, u int, v text, w bigint, CONSTRAINT t_w UNIQUE (w)); "
                  "CREATE UNIQUE INDEX t_u ON t (u);")
        indexes = "SELECT indexrelid, indexrelid::regclass FROM pg_index WHERE indrelid = 't'::regclass ORDER BY 1"
        for who in ("shop", "transhume", None):
            with self.subTest(who=who):
                name, arguments = self.target(script)
                before = self.server.psql(name, indexes)
                command = ("migrate", "--indexes", "rebuild", *arguments)
                if who is not None:
                    process = self.stopped_at("postgres.after_note:stop:1", *command, "--timeout", "1s")
                    self.connected(name).ask("SET application_name = '%s'; BEGIN; SELECT count(*) FROM t" % who)
                    process.send_signal(signal.SIGCONT)
                    self.assert_code(support.finish(process), 0)
                else:
                    self.assertEqual(support.kill_at("postgres.before_drop", 1, *command, cwd=self.folder).code, -9)
                    self.connected(name)
                    self.run_program("resume", *arguments)
                self.assertEqual(self.server.psql(name, indexes), before)
                self.assertEqual((self.count(name, "t"), self.notes(name)), (COUNT, 0))

    def test_from_another_schema_of_the_same_database(self):
        """What is made concurrently waits for all snapshots in the database, the source's among them."""
        name, _ = self.target("CREATE SCHEMA a; CREATE TABLE a.t (id int PRIMARY KEY, v text); "
                              "INSERT INTO a.t SELECT i, 'text ' || i "
                              "FROM generate_series(1, %d) i; CREATE TABLE t (id int PRIMARY KEY, v text); "
                              "CREATE INDEX t_v ON t (v);" % COUNT)
        self.connected(name)
        before = self.definitions(name)
        self.run_program("migrate", "--indexes", "rebuild", self.server.uri(name, "?schema=a"),
                         self.server.uri(name, "?schema=public"),
                         "--state", self.path("same"))
        self.assertEqual(self.definitions(name), before)
        self.assertEqual(self.server.psql(name, "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_v'::regclass"),
                         [["t"]])
        self.assertEqual(self.count(name, "t"), COUNT)

    def test_the_server_went_on_without_the_client(self):
        """What a killed process had begun is done while the next one begins it too."""
        for statement in ("CREATE UNIQUE INDEX t_u ON t (u)", "CREATE INDEX t_v ON t (v)",
                          "ALTER TABLE t ADD CONSTRAINT t_w UNIQUE (w)"):
            with self.subTest(statement):
                name, arguments = self.target("CREATE TABLE t (id int PRIMARY KEY, u int, v text, w bigint); "
                                              "CREATE TABLE child "
                                              "(id int PRIMARY KEY, t int); CREATE TABLE seen (n int);" + statement)
                before = self.definitions(name)
                killed = support.kill_at("postgres.before_put_back", 1, "migrate", *BOTH, *arguments, cwd=self.folder)
                self.assertEqual(killed.code, -9)
                client = self.connected(name)
                client.ask("SET application_name = 'transhume'; BEGIN; %s; SELECT 1" % statement)
                process = support.start("resume", *arguments, cwd=self.folder)
                self.wait_until("it waits", lambda: self.server.waiting(name) > 0)
                client.ask("COMMIT; SELECT 1")
                self.assert_code(support.finish(process), 0)
                self.assert_put_back(name, before)

    def test_somebody_took_the_name(self):
        name, before, arguments = self.killed_at("before_put_back", 1)
        self.server.psql(name, "CREATE TABLE t_hash (n int)")
        result = self.run_program("resume", *arguments, code=3)
        self.assertIn("its index t_hash is not put back: something else has this name", result.err)
        self.server.psql(name, "DROP TABLE t_hash")
        self.run_program("resume", *arguments)
        self.assert_put_back(name, before)

    def test_somebody_holds_a_table(self):
        """The run does not wait for ever, nor does it make others wait for ever behind it."""
        for indexes, triggers in (("rebuild", "keep"), ("keep", "disable")):
            with self.subTest(indexes=indexes, triggers=triggers):
                name, arguments = self.target(more="DROP INDEX t_hash;" if triggers == "disable" else "")
                before = self.definitions(name)
                client = self.connected(name)
                client.ask("BEGIN; UPDATE t SET u = 1; SELECT 1")
                migrate = ("migrate", "--indexes", indexes, "--triggers", triggers, *arguments)
                result = self.run_program(*migrate, "--timeout", "500ms", code=3)
                self.assertIn("others may hold the table", result.err)
                self.assertIn("transhume resume", result.err)
                client.ask("ROLLBACK; SELECT count(*) FROM t")
                self.run_program("resume", *arguments)
                self.maxDiff = None
                self.assertEqual(self.definitions(name), before)
                self.assertEqual(self.server.psql(name, "SELECT count(*) FROM pg_index WHERE NOT indisvalid"), [["0"]])
                self.assertEqual((self.count(name, "t"), self.notes(name)), (COUNT, 0))

    def test_an_index_that_was_left_invalid(self):
        name, before, arguments = self.killed_at("before_put_back", 1)
        self.server.psql(name,
                         "CREATE INDEX t_hash ON t USING hash (v); UPDATE pg_index SET indisvalid = false WHERE "
                         "indexrelid = 't_hash'::regclass")
        self.run_program("resume", *arguments)
        self.assert_put_back(name, before)

    def test_a_table_that_is_gone_meanwhile(self):
        name, before, arguments = self.killed_at("before_put_back", 1)
        self.server.psql(name, "DROP TABLE child")
        self.assertIn("child_t_key is not put back: the table is gone", self.taken_back(arguments).err)
        self.assertEqual(self.indexes(name), {index for index in DROPPED | KEPT if not index.startswith("child")})
        self.assertEqual(self.notes(name), -1)

    def test_a_role_that_does_not_own_the_table(self):
        name, _ = self.target()
        role = "r_" + name
        self.server.psql(name,
                         "CREATE ROLE %s LOGIN; GRANT ALL ON SCHEMA public TO %s; "
                         "GRANT ALL ON ALL TABLES IN SCHEMA public TO %s; "
                         "GRANT EXECUTE ON FUNCTION pg_control_system() TO %s" % (role, role, role, role))
        uri = self.server.uri(name).replace("postgres@", role + "@")
        for more in (["--indexes", "rebuild"], ["--triggers", "disable"]):
            result = self.run_program("migrate", self.source, uri, *more, code=2)
            self.assertIn("does not own it", result.err)
            self.assertIn("GRANT the role postgres to it", result.err)
        self.run_program("migrate", self.source, uri)

    def test_an_upsert_keeps_what_it_works_by(self):
        name, arguments = self.target(
            "CREATE TABLE t (id int NOT NULL, u int, v text, w bigint); CREATE UNIQUE INDEX t_id ON t (id); "
            "CREATE INDEX t_v ON t (v);"
            "CREATE TABLE child (id int PRIMARY KEY, t int); CREATE TABLE seen (n int);")
        before = self.definitions(name)
        told = self.run_program("check", *BOTH, "--existing", "upsert", *arguments).out
        self.assertIn("t_id stays: records are written by it", told)
        self.run_program("migrate", *BOTH, "--existing", "upsert", *arguments)
        self.assert_put_back(name, before)
        self.run_program("migrate", *BOTH, "--existing", "upsert", *arguments)
        self.assert_put_back(name, before)


if __name__ == "__main__":
    unittest.main()
