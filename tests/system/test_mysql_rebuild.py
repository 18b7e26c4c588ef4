"""Indexes of tables that are in MariaDB already: dropped for the load, and put back whatever happens.

Definitions before and after are compared by SHOW CREATE TABLE.
"""
import itertools
import json
import os
import signal
import sys
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import sql_case
import support

COUNT = 2000
SOURCE = ("CREATE TABLE t (id INTEGER PRIMARY KEY, u INTEGER, v TEXT, w INTEGER, p INTEGER);"
          "CREATE TABLE child (id INTEGER PRIMARY KEY, t INTEGER); CREATE TABLE parent (id INTEGER PRIMARY KEY, "
          "n INTEGER);"
          "INSERT INTO parent VALUES (1, 1);"
          "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) "
          "INSERT INTO t SELECT i, i, 'text ' || i, i * 2, NULL FROM c;"
          "INSERT INTO child SELECT id, NULL FROM t WHERE id < 50;" % COUNT)
TARGET = r"""
CREATE TABLE parent (id int PRIMARY KEY, n int, KEY n (n));
CREATE TABLE t (id int PRIMARY KEY, u int, v varchar(100), w bigint, p int, UNIQUE KEY t_u (u),
  KEY t_v (v(10), w DESC) USING BTREE COMMENT 'it''s \\ all, of `v`', KEY `odd `` "na,me` (w) KEY_BLOCK_SIZE=4,
  KEY t_p (p), KEY t_w (w, u), FULLTEXT KEY t_words (v), FOREIGN KEY (p) REFERENCES parent (n));
CREATE TABLE child (id int NOT NULL, t int, KEY child_t (t), PRIMARY KEY (id));
"""
DROPPED = {"t_v", 'odd ` "na,me', "t_w", "child_t"}
KEPT = {"PRIMARY", "t_u", "t_p", "t_words", "n"}
REBUILD = ("--indexes", "rebuild")
STEPS = ("note", "keys_drop", "put_back", "notes_end")


class Rebuild(sql_case.SqlCase):
    SERVERS = mariadb

    def setUp(self):
        super().setUp()
        self.source = support.make_sqlite(self.path("s.db"), SOURCE)

    def target(self, script=TARGET):
        name = self.made(script)
        return name, (self.source, self.server.uri(name), "--state", self.path("state-" + name))

    def definitions(self, name):
        """In the order of their names: keys that come back stand behind those that stayed."""
        return [sorted(line.rstrip(",") for line in self.server.ask(name,
                                                                    "SHOW CREATE TABLE " + table)[0][1].split("\\n"))
                for table in ("parent", "t", "child")]

    def indexes(self, name):
        return {row[0] for row in self.server.ask(name,
                                                  "SELECT index_name FROM information_schema.statistics WHERE "
                                                  "table_schema = "
                                                        "'%s' AND table_name NOT LIKE '\\_transhume%%'" % name)}

    def count(self, name, table):
        return int(self.server.ask(name, "SELECT count(*) FROM " + table)[0][0])

    def notes(self, name):
        """What the ledger has of it; 0: nothing, or no such table."""
        found = self.server.ask(name, "SHOW TABLES LIKE '\\_transhume\\_rebuild'")
        return self.count(name, "_transhume_rebuild") if found else 0

    def assert_put_back(self, name, before, rows=COUNT):
        self.maxDiff = None
        self.assertEqual(self.definitions(name), before)
        self.assertEqual((self.notes(name), self.count(name, "t")), (0, rows))

    def killed_at(self, point, occurrence=1):
        name, arguments = self.target()
        before = self.definitions(name)
        killed = support.kill_at("mysql." + point, occurrence, "migrate", *REBUILD, *arguments, cwd=self.folder)
        self.assertEqual(killed.code, -9, killed.err)
        return name, before, arguments

    def points(self, steps=STEPS):
        """
        Before and after each step, of some the first and a later one: (failpoint, occurrence); of each step one in an
        ordinary run.
        """
        for step in steps:
            places = itertools.product(("before_" + step, "after_" + step),
                                       (1, 2) if step in ("keys_drop", "put_back") else (1,))
            yield from support.drawn(places, 1, self.id() + step)

    @staticmethod
    def rollback(arguments):
        with open(os.path.join(arguments[-1], "run.json"), encoding="utf-8") as file:
            return ("rollback", "--run", json.load(file)["run"], "--confirm", *arguments[1:])

    def test_dropped_before_the_load_and_back_after_it(self):
        name, before, arguments = self.killed_at("before_commit")
        self.assertEqual(self.indexes(name), KEPT)
        self.run_program("resume", *arguments)
        self.assert_put_back(name, before)
        self.run_program("validate", *arguments, "--level", "full")
        name, arguments = self.target()
        self.run_program("migrate", *REBUILD, *arguments)
        self.assert_put_back(name, before)

    def test_kept_unless_it_is_said(self):
        name, arguments = self.target()
        killed = support.kill_at("mysql.before_commit", 1, "migrate", *arguments, cwd=self.folder)
        self.assertEqual(killed.code, -9)
        self.assertEqual(self.indexes(name), DROPPED | KEPT)

    def test_check_says_what_becomes_of_them(self):
        name, arguments = self.target()
        before = self.definitions(name)
        told = self.run_program("check", *REBUILD, *arguments).out
        for index in DROPPED:
            self.assertIn("the index %s is dropped for the load, and made again" % index, told)
        for index, why in (("t_u", "it is unique"), ("t_p", "a foreign key needs it"), ("n", "a foreign key needs it"),
                           ("t_words", "it is a full-text")):
            self.assertIn("the index %s stays: %s" % (index, why), told)
        self.assertNotIn("dropped", self.run_program("check", *arguments).out)
        self.assertEqual(self.definitions(name), before)

    def test_killed_at_every_step_and_resumed(self):
        for point, occurrence in (*self.points(), ("before_commit", 1)):
            with self.subTest(point, occurrence=occurrence):
                name, before, arguments = self.killed_at(point, occurrence)
                self.run_program("resume", *arguments)
                self.assert_put_back(name, before)

    def test_killed_at_every_step_and_taken_back(self):
        for point, occurrence in (*self.points(), ("before_commit", 1)):
            with self.subTest(point, occurrence=occurrence):
                name, before, arguments = self.killed_at(point, occurrence)
                self.run_program(*self.rollback(arguments))
                self.assert_put_back(name, before, 0)

    def test_a_killed_rollback_a_restart_and_finish_put_them_back(self):
        for point, occurrence in (*self.points(("put_back", "notes_end")), ("before_forget", 1)):
            with self.subTest(point, occurrence=occurrence):
                name, before, arguments = self.killed_at("before_commit")
                rollback = self.rollback(arguments)
                self.assertEqual(support.kill_at("mysql." + point, occurrence, *rollback, cwd=self.folder).code, -9)
                self.run_program(*rollback)
                self.assert_put_back(name, before, 0)
        name, before, arguments = self.killed_at("after_keys_drop")
        self.run_program("migrate", "--restart", "--confirm", *arguments)
        self.assert_put_back(name, before)
        name, before, arguments = self.killed_at("before_commit")
        self.run_program("finish", "--confirm", *arguments[1:])
        self.assert_put_back(name, before, 0)

    def test_somebody_put_one_back_meanwhile(self):
        name, before, arguments = self.killed_at("before_put_back")
        self.server.ask(name, "ALTER TABLE child ADD KEY child_t (t)")
        self.run_program("resume", *arguments)
        self.assert_put_back(name, before)

    def test_records_that_are_there(self):
        name, arguments = self.target(TARGET
                                      + "INSERT INTO t VALUES (5, 100000, 'old', 1, NULL), (100001, 100001, 'old', "
                                        "1, NULL);")
        before = self.definitions(name)
        self.run_program("migrate", *REBUILD, "--existing", "upsert", *arguments)
        self.assert_put_back(name, before, COUNT + 1)
        self.run_program(*self.rollback(arguments))
        self.assert_put_back(name, before, 2)

    def connected(self, name):
        session = self.server.session(name)
        self.addCleanup(session.close)
        return session

    def test_the_server_went_on_without_the_client(self):
        """What a killed process had begun is done while the next one begins it too."""
        name, before, arguments = self.killed_at("before_put_back")
        holder, late = self.connected(name), self.connected(name)
        holder.ask("START TRANSACTION; SELECT count(*) FROM child")
        late.send("ALTER TABLE child ADD KEY child_t (t)")
        self.wait_until("it waits", lambda: self.server.waiting(name) == 1)
        process = support.start("resume", *arguments, cwd=self.folder)
        self.wait_until("both wait", lambda: self.server.waiting(name) == 2)
        holder.close()
        late.close()
        self.assert_code(support.finish(process), 0)
        self.assert_put_back(name, before)

    def test_somebody_holds_a_table(self):
        """The run does not wait for ever, nor does it make others wait for ever behind it."""
        name, arguments = self.target()
        before = self.definitions(name)
        client = self.connected(name)
        self.assertEqual(client.ask("START TRANSACTION; SELECT count(*) FROM child"), "0")
        result = self.run_program("migrate", *REBUILD, *arguments, "--timeout", "1s", code=3)
        self.assertRegex(result.err, r"given up after \d+ tries in \d s")
        self.assertRegex(result.err,
                         r"session %s \(user root@127.0.0.1:\d+, idle in transaction for \d+ s\) has a transaction "
                         r"open, and may hold it"
                         % client.ask("SELECT connection_id()"))
        self.assertIn("transhume resume", result.err)
        client.close()
        self.run_program("resume", *arguments)
        self.assert_put_back(name, before)

    def test_others_do_not_queue_behind_it(self):
        name, arguments = self.target()
        before = self.definitions(name)
        client = self.connected(name)
        self.assertEqual(client.ask("START TRANSACTION; SELECT count(*) FROM child"), "0")
        process = support.start("migrate", *REBUILD, *arguments, cwd=self.folder)
        self.addCleanup(self.end, process)
        self.wait_until("it waits", lambda: self.server.waiting(name) == 1)
        begun = time.monotonic()
        self.assertEqual(self.count(name, "child"), 0)
        self.assertLess(time.monotonic() - begun, 8 * support.PATIENCE)
        client.close()
        self.assert_code(support.finish(process), 0)
        self.assert_put_back(name, before)

    def test_a_transaction_at_the_end_does_not_cost_the_building(self):
        """
        The server wants the table for itself once more when an index is built, and forgets all of it if it can't have
        it.
        """
        name, arguments = self.target(TARGET + "INSERT INTO child SELECT seq + 100000, seq FROM seq_1_to_400000;")
        before = self.definitions(name)
        client = self.connected(name)
        process = self.stopped_at("mysql.before_put_back:stop:1", "migrate", *REBUILD, "--existing", "append",
                                  *arguments)
        process.send_signal(signal.SIGCONT)
        building = ("SELECT count(*) FROM information_schema.processlist WHERE db = '%s' AND state = 'altering table'"
                    % name)
        self.wait_until("it builds", lambda: client.ask(building) == "1")
        client.ask("START TRANSACTION; SELECT count(*) FROM child WHERE id = 1")
        self.wait_until("it waits", lambda: self.server.waiting(name) == 1)
        begun = time.monotonic()
        self.wait_until("longer than any brief wait", lambda: time.monotonic() - begun > 4)
        self.assertEqual(self.server.waiting(name), 1)
        client.close()
        self.assert_code(support.finish(process), 0)
        self.assert_put_back(name, before)
        with open(os.path.join(arguments[-1], "transhume.log"), encoding="utf-8") as file:
            self.assertNotIn("try 2", file.read())

    def test_a_server_that_tells_who_holds_it(self):
        self.server.ask("mysql", "INSTALL SONAME 'metadata_lock_info'")
        self.addCleanup(self.server.ask, "mysql", "UNINSTALL SONAME 'metadata_lock_info'")
        name, arguments = self.target()
        idle, client = self.connected(name), self.connected(name)
        idle.ask("START TRANSACTION; SELECT count(*) FROM parent")
        self.assertEqual(client.ask("START TRANSACTION; SELECT count(*) FROM child"), "0")
        result = self.run_program("migrate", *REBUILD, *arguments, "--timeout", "1s", code=3)
        self.assertRegex(result.err, r"session %s \(.*\) holds it" % client.ask("SELECT connection_id()"))

    def test_a_statement_that_is_given_up_ends_in_the_server_too(self):
        name, arguments = self.target()
        process = self.stopped_at("mysql.before_mark:stop:1", "migrate", *arguments, "--timeout", "2s")
        self.server.ask(name, "CREATE TRIGGER slow BEFORE INSERT ON _transhume_ledger FOR EACH ROW DO SLEEP(40)")
        sleeping = "SELECT count(*) FROM information_schema.processlist WHERE state = 'User sleep'"
        process.send_signal(signal.SIGCONT)
        self.wait_until("it sleeps", lambda: self.server.ask("mysql", sleeping) == [["1"]])
        begun = time.monotonic()
        self.server.ask(name, "DROP TRIGGER slow")   # waits for the transaction
        self.assertLess(time.monotonic() - begun, 20 * support.PATIENCE)
        self.assert_code(support.finish(process), 0)
        self.assertEqual(self.count(name, "t"), COUNT)

    def test_triggers_can_not_be_disabled(self):
        name, arguments = self.target()
        self.run_program("check", "--triggers", "disable", *arguments)
        self.server.ask(name, "CREATE TRIGGER see BEFORE INSERT ON t FOR EACH ROW SET NEW.v = 'seen'")
        result = self.run_program("migrate", "--triggers", "disable", *arguments, code=2)
        self.assertIn("has triggers, and the server can disable none", result.err)
        self.assertEqual(self.count(name, "t"), 0)
        self.run_program("migrate", "--triggers", "keep", *arguments)


if __name__ == "__main__":
    unittest.main()
