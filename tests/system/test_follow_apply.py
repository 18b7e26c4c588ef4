"""Applying changes on anybody's server: roles that are no superuser, triggers and cascades of the target, keys and
unique values that change
places, refused rows, and what is held in the source meanwhile."""
import os
import signal
import sqlite3
import sys
import unittest

import support

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import mariadb  # noqa: E402
import mysql  # noqa: E402
import postgres  # noqa: E402

# not sent where it does not change
LONG = "(SELECT string_agg(md5((g * 1000 + i)::text), '') FROM generate_series(1, 800) i)"
SERVERS = {}


def followed(kind):
    if kind not in SERVERS:
        SERVERS[kind] = kind.Server(settings={**(postgres if kind is postgres else mariadb).FOLLOWED})
        unittest.addModuleCleanup(SERVERS[kind].stop)
    return SERVERS[kind]


class Applied(support.TestCase):
    source = target = None  # names
    uris = ()

    def migrate(self, *options, code=0):
        return self.run_program("migrate", "--follow", "--catch-up", *self.uris, *options, code=code)

    def follow(self, *options, code=0):
        return self.run_program("follow", "--catch-up", *options, code=code)

    def assert_same(self, *queries):
        for query in queries:
            self.assertEqual(self.ask(self.target, query), self.ask(self.source, query), query)

    def live(self):
        """`migrate --follow`, once it follows."""
        process = support.start("migrate", "--follow", *self.uris, cwd=self.folder)
        self.addCleanup(self.end, process)

        def follows():
            try:
                with open(self.path(".transhume", "state.json"), encoding="utf-8") as file:
                    return '"phase": "following"' in file.read()
            except FileNotFoundError:
                return False
        self.wait_until("it follows", follows)
        return process

    def stop(self, process):
        process.send_signal(signal.SIGINT)
        self.assertEqual(support.finish(process).code, 4)

    def assert_given_back_by_each(self, state):
        """
        A killed process leaves triggers off: whoever looks is told, and each command that may be next gives them back.
        """
        usual = state()
        words = lambda result: " ".join((result.out + result.err).split())  # noqa: E731
        for command in (("finish", "--confirm", "--take-over"), ("follow", "--catch-up", "--take-over"),
                        ("cutover", "--abandon", "--confirm", "--take-over"),
                        ("cutover", "--confirm", "--take-over")):
            with self.subTest(command=command):
                folder = "state-" + "-".join(command[:2]).replace("--", "")
                self.run_program("migrate", "--follow", "--catch-up", "--existing", "upsert", "--state", folder,
                                 *self.uris)
                self.assertEqual(state(), usual)
                support.kill_at("follow.after_silence", 1, "follow", "--catch-up", "--state", folder, cwd=self.folder)
                self.assertNotEqual(state(), usual)
                self.assertRegex(words(self.run_program("status", "--state", folder)),
                                 "triggers? of the target ha(s|ve) been off since .*which nobody does any more")
                self.assertIn("triggers_off", self.run_program("status", "--json", "--state", folder).out)
                self.assertRegex(words(self.run_program("validate", "--state", folder)),
                                 "triggers? of the target (is|are) off while changes are applied")
                self.assertIn("--abandon", self.run_program("rollback", "--run", self.run_id(folder), "--confirm",
                                                            "--take-over", "--state", folder, code=5).err)
                self.run_program(*command, "--state", folder)
                self.assertEqual(state(), usual)
                self.assertNotIn("of the target ha", words(self.run_program("status", "--state", folder)))
                if command[0] == "follow":
                    self.run_program("cutover", "--abandon", "--confirm", "--state", folder)


# --- PostgreSQL

class OnPostgres(Applied):
    ROLE = "plain"  # owns both databases, may replicate, and no more

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = followed(postgres)
        cls.server.psql("postgres",
                        "DO $$ BEGIN CREATE ROLE plain LOGIN REPLICATION; EXCEPTION WHEN duplicate_object THEN END $$")

    def setUp(self):
        super().setUp()
        self.source, self.target = self.server.database(), self.server.database()
        self.server.psql("postgres", "ALTER DATABASE %s OWNER TO plain; ALTER DATABASE %s OWNER TO plain"
                         % (self.source, self.target))
        self.uris = [self.server.uri(name).replace("postgres@", self.ROLE + "@") for name in (self.source, self.target)]

    def ask(self, name, sql):
        return self.server.psql(name, "SET ROLE %s; %s" % (self.ROLE, sql))

    def enabled(self):
        return self.ask(self.target,
                        "SELECT string_agg(tgname || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger WHERE NOT "
                        "tgisinternal")

    FAMILY = ("CREATE TABLE par (id int PRIMARY KEY, u int); "
              "CREATE TABLE chi (id int PRIMARY KEY, pid int REFERENCES par ON UPDATE CASCADE ON DELETE CASCADE, "
              "big text);"
              "INSERT INTO par SELECT g, g FROM generate_series(1, 3) g; INSERT INTO chi SELECT g, 1 + g % 3, " + LONG
              + " FROM generate_series(1, 6) g")
    BOTH = ("SELECT * FROM par ORDER BY 1", "SELECT id, pid, md5(big) FROM chi ORDER BY 1")
    TRIGGERS = ("CREATE TABLE audit (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, what text);"
                "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit (what) VALUES "
                "(tg_op); RETURN new; END $$;"
                "CREATE TRIGGER noted AFTER UPDATE ON par FOR EACH ROW EXECUTE FUNCTION note();"
                "CREATE TRIGGER always AFTER INSERT ON par FOR EACH ROW EXECUTE FUNCTION note(); "
                "ALTER TABLE par ENABLE ALWAYS TRIGGER always;")

    def test_a_statement_first_used_behind_a_refused_row(self):
        self.ask(self.source, "CREATE TABLE m (id int PRIMARY KEY, m text);"
                              "CREATE TABLE n (id int PRIMARY KEY, v text); "
                              "CREATE TABLE o (id int PRIMARY KEY, v text)")
        self.migrate()
        self.ask(self.target, "ALTER TABLE m ADD CHECK (m <> 'happy')")
        for table in "no":  # of each this is the first change
            self.ask(self.source, "BEGIN; INSERT INTO m VALUES (%d, 'happy'); INSERT INTO %s VALUES (1, 'b'); COMMIT"
                     % (ord(table), table))
            self.follow(code=1)
            self.assert_same("SELECT * FROM %s" % table)

    def test_types_that_cut_a_text(self):
        """As a copy, a change rejects what they would not hold."""
        self.ask(self.source, "CREATE TABLE c (id int PRIMARY KEY, c text, n text); INSERT INTO c VALUES (1, 'a', 'b')")
        self.ask(self.target, 'CREATE TABLE c (id int PRIMARY KEY, c "char", n name)')
        self.migrate()
        self.ask(self.source,
                 "INSERT INTO c VALUES (2, '\u00e9', 'x'), (3, 'b', repeat('x', 63)), (4, 'c', repeat('y', 64)), "
                 "(5, '', '')")
        self.ask(self.source, "UPDATE c SET c = '\u00f6' WHERE id = 1")
        self.assertIn("3 records were rejected", self.follow(code=1).err)
        self.assertEqual(self.ask(self.target, "SELECT id FROM c ORDER BY 1"),
                         self.ask(self.source, "SELECT id FROM c WHERE id IN (1, 3, 5) ORDER BY 1"))

    def test_unique_values_change_places(self):
        """
        In the source they are looked at when its transaction ends; in the target at once. Long values are not sent.
        """
        self.ask(self.source,
                 "CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, v varchar(9) NOT NULL, o int, u uuid NOT NULL, "
                 "big text);"
                              "INSERT INTO t SELECT g, g, 'v' || g, g, gen_random_uuid(), " + LONG
                 + " FROM generate_series(1, 5) g")
        for column in "nvou":
            self.ask(self.source, "ALTER TABLE t ADD CONSTRAINT t_%s UNIQUE (%s) DEFERRABLE INITIALLY DEFERRED"
                     % (column, column))
        self.migrate()
        for column in "nvou":
            self.ask(self.target, "ALTER TABLE t DROP CONSTRAINT t_%s, ADD UNIQUE (%s)" % (column, column))
        self.ask(self.source, "UPDATE t SET n = n % 5 + 1; UPDATE t SET v = 'v' || n; UPDATE t SET o = n;"
                              "UPDATE t a SET u = b.u FROM t b WHERE b.id = a.id % 5 + 1; UPDATE t SET big = NULL, "
                              "n = -n WHERE id < 3")
        self.follow()
        self.assert_same("SELECT id, n, v, o, u, md5(big) FROM t ORDER BY 1")

    def test_a_key_that_changes_keeps_what_refers_to_it(self):
        self.ask(self.source, self.FAMILY)
        self.migrate()
        self.ask(self.source,
                 "UPDATE par SET id = 11 WHERE id = 1; UPDATE par SET id = id + 100; DELETE FROM par WHERE id = 102")
        self.follow()
        self.assert_same(*self.BOTH)

    def test_keys_move_in_lanes(self):
        self.ask(self.source,
                 self.FAMILY
                 + "; CREATE TABLE alone (id int PRIMARY KEY, v int); INSERT INTO alone SELECT g, "
                   "g FROM generate_series(1, 50) g")
        self.migrate("--lanes", 4)
        self.ask(self.source,
                 "UPDATE par SET id = id + 10; UPDATE alone SET id = id + 1000; UPDATE alone SET id = id - 1000 WHERE "
                 "id > 1025")
        self.follow("--lanes", 4)
        self.assert_same(*self.BOTH, "SELECT * FROM alone ORDER BY 1")

    def test_triggers_are_off_meanwhile(self):
        """Those of ENABLE ALWAYS fire in a session of `replica`, too. After a kill the next command puts them back."""
        self.ask(self.source, self.FAMILY + ";" + self.TRIGGERS)
        self.migrate()
        usual = self.enabled()
        self.assertEqual(usual, [["alwaysA notedO"]])
        follow, end = ("follow", "--catch-up", "--take-over"), ("cutover", "--abandon", "--confirm", "--take-over")
        for place, occurrence, command in (("follow.after_silence", 1, follow), ("follow.before_restore", 2, follow),
                                           ("follow.before_apply", 1, end)):
            self.ask(self.source, "UPDATE par SET u = u + 1; INSERT INTO par SELECT max(id) + 1, 0 FROM par")
            support.kill_at(place, occurrence, "follow", "--catch-up", "--take-over", cwd=self.folder)
            self.assertNotEqual(self.enabled(), usual)
            self.run_program(*command)
            self.assertEqual(self.enabled(), usual)
            if command[0] == "follow":
                self.assert_same(*self.BOTH, "SELECT what, count(*) FROM audit GROUP BY 1 ORDER BY 1")

    def test_who_gives_them_back(self):
        self.ask(self.source, self.FAMILY + ";" + self.TRIGGERS)
        self.ask(self.target, self.FAMILY.split("INSERT")[0] + self.TRIGGERS)
        self.assert_given_back_by_each(self.enabled)

    def test_refused_when_it_goes_on(self):
        """Of a run that began otherwise: nothing was touched."""
        self.ask(self.source, self.FAMILY + ";" + self.TRIGGERS)
        self.migrate()
        usual = self.enabled()
        self.assertIn("fires on applied changes", self.follow("--follow-triggers", "refuse", code=2).err)
        self.assertEqual(self.enabled(), usual)
        self.follow()

    def test_a_failure_gives_them_back_as_well(self):
        self.ask(self.source, self.FAMILY + ";" + self.TRIGGERS)
        self.migrate()
        usual = self.enabled()
        self.ask(self.source, "UPDATE par SET u = u + 1")
        self.run_program("follow", "--catch-up", code=3, env={"TRANSHUME_FAILPOINT": "follow.before_apply:error:1"})
        self.assertEqual(self.enabled(), usual)

    def test_they_fire_if_asked(self):
        """Later commands remember it."""
        self.ask(self.source, self.FAMILY + ";" + self.TRIGGERS)
        self.migrate("--follow-triggers", "fire")
        self.ask(self.source, "UPDATE par SET u = u + 1")
        self.follow()
        self.assertEqual(self.ask(self.target, "SELECT count(*) FROM audit"), [["6"]])
        self.follow("--follow-triggers", "off")
        self.ask(self.source, "UPDATE par SET u = u + 1")
        self.follow("--follow-triggers", "off")
        self.assertEqual(self.ask(self.target, "SELECT count(*) FROM audit"), [["9"]])

    def test_it_is_said_before(self):
        self.ask(self.source, self.FAMILY + ";" + self.TRIGGERS)
        said = self.run_program("check", "--follow", *self.uris).out
        self.assertIn("in the target, while changes are applied", said)
        self.assertIn("par: the trigger noted is disabled, for all sessions", said)
        refused = self.run_program("check", "--follow", "--follow-triggers", "refuse", *self.uris, code=2).out
        self.assertIn("GRANT SET ON PARAMETER session_replication_role TO plain", " ".join(refused.split()))

    def test_what_can_not_be_had_is_refused_before(self):
        """A trigger on a table of another role; a foreign key that acts as none of the source does."""
        self.ask(self.source, self.FAMILY)
        self.server.psql(self.target,
                         "CREATE TABLE par (id int PRIMARY KEY, u int); CREATE TABLE extra (id int REFERENCES par ON "
                         "DELETE CASCADE);"
                                      "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN "
                                      "new; END';"
                                      "GRANT ALL ON par TO plain; ALTER SCHEMA public OWNER TO plain")
        for reason in ("acts on changes of its records (ON DELETE CASCADE)",
                       "only postgres, who owns the table, may disable it"):
            for command in ("check", "--follow"), ("migrate", "--follow", "--catch-up"):
                result = self.run_program(*command, *self.uris, code=2)
                words = " ".join((result.out + result.err).split())
                self.assertIn(reason, words)
                self.assertIn("GRANT SET ON PARAMETER session_replication_role TO plain", words)
            self.server.psql(self.target, "DROP TABLE IF EXISTS extra; DROP TRIGGER IF EXISTS nothing ON par; "
                                          "CREATE TRIGGER nothing BEFORE UPDATE ON par FOR EACH ROW EXECUTE FUNCTION "
                                          "nothing()")
        self.assertEqual(self.ask(self.source,
                                  "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"), [])
        self.server.psql("postgres", "GRANT SET ON PARAMETER session_replication_role TO plain")
        self.addCleanup(self.server.psql, "postgres", "REVOKE SET ON PARAMETER session_replication_role FROM plain")
        self.migrate()
        self.ask(self.source, "UPDATE par SET u = 7")
        self.follow()
        self.assert_same(*self.BOTH)

    def test_rules_are_off_as_well(self):
        self.ask(self.source, "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2)")
        self.migrate()
        self.ask(self.target,
                 "CREATE TABLE log (id int); CREATE RULE told AS ON DELETE TO t DO ALSO INSERT INTO log VALUES "
                 "(old.id)")
        self.ask(self.source, "DELETE FROM t WHERE id = 1")
        self.follow()
        self.assertEqual(self.ask(self.target, "SELECT * FROM log"), [])
        self.ask(self.target, "DELETE FROM t")
        self.assertEqual(self.ask(self.target, "SELECT * FROM log"), [["2"]])

    def test_a_key_that_is_looked_at_later_is_refused_before(self):
        self.ask(self.source, "CREATE TABLE t (id int PRIMARY KEY, v int)")
        self.ask(self.target, "CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, v int)")
        self.assertIn("its key is DEFERRABLE", self.run_program("check", "--follow", *self.uris, code=2).out)

    def test_no_old_row_is_kept_in_the_source(self):
        self.ask(self.source, self.FAMILY)
        process = self.live()
        self.assertEqual(self.server.psql(self.source,
                                          "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                                          "AND pid <> pg_backend_pid() AND "
                                                       "(backend_xmin IS NOT NULL OR state LIKE 'idle in%')"), [["0"]])
        self.ask(self.source, "ALTER TABLE par ADD COLUMN more int")
        self.stop(process)


class OnPostgresAsSuperuser(OnPostgres):
    """What a superuser can do without: tests that ask for refusals do not apply."""
    ROLE = "postgres"
    test_it_is_said_before = test_what_can_not_be_had_is_refused_before = test_keys_move_in_lanes = None
    test_a_failure_gives_them_back_as_well = None
    test_a_key_that_is_looked_at_later_is_refused_before = None
    test_no_old_row_is_kept_in_the_source = None
    test_rules_are_off_as_well = test_they_fire_if_asked = test_refused_when_it_goes_on = None


# --- MySQL and MariaDB

class OnMariadb(Applied):
    KIND = mariadb

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = followed(cls.KIND)

    def setUp(self):
        super().setUp()
        self.source, self.target = self.server.database(), self.server.database()
        self.uris = [self.server.uri(self.source), self.server.uri(self.target)]

    def ask(self, name, sql):
        return self.server.ask(name, sql)

    FAMILY = ("CREATE TABLE par (id int PRIMARY KEY, u int UNIQUE); CREATE TABLE chi (id int PRIMARY KEY, pid int, "
              "CONSTRAINT chi_par FOREIGN KEY (pid) REFERENCES par (id));"
              "CREATE TABLE audit (id char(36) PRIMARY KEY, what text);"
              "CREATE TRIGGER second AFTER UPDATE ON par FOR EACH ROW INSERT INTO audit VALUES (uuid(), 'second');"
              "CREATE TRIGGER third AFTER UPDATE ON par FOR EACH ROW FOLLOWS second INSERT INTO audit VALUES (uuid(), "
              "'third');"
              "CREATE TRIGGER first AFTER UPDATE ON par FOR EACH ROW PRECEDES second INSERT INTO audit VALUES (uuid(), "
              "'first');"
              "SET sql_mode = 'ANSI_QUOTES'; CREATE TRIGGER stamp BEFORE INSERT ON par FOR EACH ROW SET NEW.\"u\" = "
              "coalesce(NEW.\"u\", 70);"
              "INSERT INTO par VALUES (1, 1), (2, 2), (3, 3); INSERT INTO chi VALUES (1, 1), (2, 2), (3, 3), (4, 1)")
    ALL = ("SELECT * FROM par ORDER BY 1", "SELECT * FROM chi ORDER BY 1",
           "SELECT what, count(*) FROM audit GROUP BY 1 ORDER BY 1")

    def triggers(self, name):
        return self.ask(name,
                        "SELECT trigger_name, action_timing, event_manipulation, action_order, action_statement, "
                        "sql_mode, definer FROM information_schema.triggers "
                              "WHERE trigger_schema = database() ORDER BY 2, 3, 4")

    def test_triggers_are_off_meanwhile(self):
        """Whatever a kill leaves, the next command makes them again, as they were and in their order."""
        self.ask(self.source, self.FAMILY)
        said = self.run_program("check", "--follow", *self.uris).out
        self.assertIn("par: the trigger second is dropped, and created again afterwards", said)
        self.migrate()
        usual = self.triggers(self.target)
        self.assertEqual([row[0] for row in usual if row[2] == "UPDATE"], ["first", "second", "third"])
        for place, occurrence in (("mysql.after_note", 1), ("mysql.after_trigger_drop", 2), ("follow.before_apply", 1),
                                  ("mysql.after_trigger_made", 2)):
            self.ask(self.source,
                     "UPDATE par SET u = u + 10; INSERT INTO par (id) SELECT max(id) + 1 FROM par; "
                     "UPDATE par SET u = 0 - id WHERE u = 70")
            support.kill_at(place, occurrence, "follow", "--catch-up", "--take-over", cwd=self.folder)
            self.follow("--take-over")
            self.assertEqual(self.triggers(self.target), usual)
            self.assert_same(*self.ALL)
        support.kill_at("follow.after_silence", 1, "follow", "--catch-up", "--take-over", cwd=self.folder)
        self.assertEqual(self.triggers(self.target), [])
        self.run_program("cutover", "--abandon", "--confirm", "--take-over")
        self.assertEqual(self.triggers(self.target), usual)

    def test_another_target_that_is_finished_does_not_hide_them(self):
        """
        finish of a database that the state folder's run does not go to knows nothing of the triggers that are off in
        the run's own.
        """
        words = lambda: " ".join(self.run_program("status").out.split())  # noqa: E731
        self.ask(self.source, self.FAMILY)
        self.migrate()
        support.kill_at("follow.after_silence", 1, "follow", "--catch-up", cwd=self.folder)
        other = self.server.database()
        self.assertIn("nothing to drop", self.run_program("finish", self.server.uri(other)).out)
        self.assertIn("of the target have been off since", words())
        self.ask(other, "CREATE TABLE par (id int PRIMARY KEY, u int)")
        self.run_program("migrate", self.uris[1], self.server.uri(other), "--include", "par", "--existing", "upsert",
                         "--state", "aside")
        self.assertIn("dropped the ledger", self.run_program("finish", "--confirm", self.server.uri(other)).out)
        self.assertIn("of the target have been off since", words())
        self.run_program("finish", "--confirm", "--take-over")
        self.assertNotIn("have been off since", words())
        self.assertEqual(len(self.triggers(self.target)), 4)

    def test_they_fire_if_asked(self):
        self.ask(self.source, self.FAMILY)
        self.migrate("--follow-triggers", "fire")
        self.ask(self.source, "UPDATE par SET u = u + 10")
        self.follow()
        self.assertEqual(self.ask(self.target, "SELECT count(*) FROM audit"), [["18"]])

    def test_refused_before(self):
        """Where it is not wished, and where the account could not make them again."""
        self.ask(self.source, "CREATE TABLE par (id int PRIMARY KEY, u int)")
        self.ask(self.target,
                 "CREATE TABLE par (id int PRIMARY KEY, u int); CREATE TRIGGER stamp BEFORE UPDATE ON par FOR EACH ROW "
                 "SET NEW.u = 1")
        self.assertIn("the trigger stamp fires on applied changes",
                      self.run_program("check", "--follow", "--follow-triggers", "refuse", *self.uris, code=2).out)
        self.ask("mysql", "CREATE USER IF NOT EXISTS plain@'127.0.0.1'; GRANT ALL ON %s.* TO plain@'127.0.0.1'"
                 % self.target)
        plain = self.uris[1].replace("root@", "plain@")
        said = " ".join(self.run_program("check", "--follow", self.uris[0], plain, code=2).out.split())
        self.assertIn("the trigger stamp would fire on applied changes, and the account could not make it again: it "
                      "belongs to root@", said)
        self.assertRegex(said, "GRANT SET[ _A-Z]+ ON \\*\\.\\* TO 'plain'@'127.0.0.1'")

    def test_who_gives_them_back(self):
        self.ask(self.source, self.FAMILY)
        self.ask(self.target, self.FAMILY.split("INSERT INTO par VALUES")[0])
        self.assert_given_back_by_each(lambda: self.triggers(self.target))

    def test_refused_when_it_goes_on(self):
        self.ask(self.source, self.FAMILY)
        self.migrate()
        usual = self.triggers(self.target)
        self.assertIn("fires on applied changes", self.follow("--follow-triggers", "refuse", code=2).err)
        self.assertEqual(self.triggers(self.target), usual)
        self.follow()

    ACTS = ("CREATE TABLE par (id int PRIMARY KEY, u int); CREATE TABLE chi (id int PRIMARY KEY, pid int, "
            "CONSTRAINT chi_par FOREIGN KEY (pid) REFERENCES par (id)%s);"
            "CREATE TABLE toy (id int PRIMARY KEY, cid int, CONSTRAINT toy_chi FOREIGN KEY (cid) REFERENCES chi "
            "(id)%s);")
    IN_TARGET = ("--cascades", "target", "--follow-triggers", "fire")

    def test_the_target_cascades(self):
        """What --cascades says is part of the run: later commands need not say it."""
        self.ask(self.source, self.ACTS % (" ON DELETE CASCADE",
                                           " ON DELETE SET NULL")
                 + "INSERT INTO par VALUES (1, 1), (2, 2); INSERT INTO chi VALUES (1, 1), (2, 2); "
                   "INSERT INTO toy VALUES (1, 1), (2, 2)")
        self.migrate(*self.IN_TARGET)
        self.ask(self.source, "DELETE FROM par WHERE id = 1")
        self.follow()
        self.assert_same("SELECT * FROM par", "SELECT * FROM chi", "SELECT * FROM toy ORDER BY 1")
        self.run_program("cutover", "--confirm")

    def test_the_target_does_not_cascade_alike(self):
        """
        Each key is named that the target has not, or has with other actions; before anything is made, and of a run that
        follows.
        """
        self.ask(self.source, self.ACTS % (" ON DELETE CASCADE", " ON DELETE SET NULL ON UPDATE CASCADE"))
        self.ask(self.target, self.ACTS % ("", " ON DELETE SET NULL"))
        for command in ("check", "--follow"), ("migrate", "--follow", "--catch-up", "--existing", "upsert"):
            result = self.run_program(*command, *self.IN_TARGET, *self.uris, code=2)
            said = " ".join((result.out + result.err).split())
            self.assertIn("chi: --cascades target: its foreign key chi_par to par has ON DELETE CASCADE, "
                          "and the target has none alike", said)
            if command[0] == "check":
                self.assertIn("toy: --cascades target: its foreign key toy_chi to chi has ON DELETE SET NULL ON UPDATE "
                              "CASCADE, and the target has none alike", said)
        self.ask(self.target, "DROP TABLE toy, chi, par")
        self.migrate(*self.IN_TARGET)
        self.ask(self.target, "ALTER TABLE chi DROP FOREIGN KEY chi_par")
        self.assertIn("chi_par to par has ON DELETE CASCADE", self.follow(code=2).err)

    def test_unique_values_and_keys_change_places(self):
        """Past foreign keys of the target that act as none of the source does."""
        self.ask(self.source, self.FAMILY)
        self.migrate()
        self.ask(self.target,
                 "ALTER TABLE chi DROP FOREIGN KEY chi_par; ALTER TABLE chi ADD CONSTRAINT acts FOREIGN KEY (pid) "
                 "REFERENCES par (id) ON DELETE CASCADE ON UPDATE CASCADE")
        self.ask(self.source,
                 "SET foreign_key_checks = 0; START TRANSACTION; UPDATE par SET u = 99 WHERE id = 1; "
                 "UPDATE par SET u = 1 WHERE id = 2; UPDATE par SET u = 2 WHERE id = 1;"
                              "UPDATE par SET id = 9 WHERE id = 1; UPDATE par SET id = 1 WHERE id = 2; "
                              "UPDATE par SET id = 2 WHERE id = 9; COMMIT;"
                              "DELETE FROM par WHERE id = 3; INSERT INTO par VALUES (3, 30); "
                              "UPDATE par SET id = 33 WHERE id = 3; UPDATE chi SET pid = 33 WHERE pid = 3")
        self.follow()
        self.assert_same(*self.ALL)

    def test_nobody_waits_for_a_lock_in_the_source(self):
        self.ask(self.source, self.FAMILY)
        process = self.live()
        open_ones = "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id <> connection_id()"
        self.wait_until("no transaction stays open", lambda: self.ask(self.source, open_ones) == [["0"]])
        self.ask(self.source, "SET lock_wait_timeout = 5; ALTER TABLE par ADD COLUMN more int")
        self.stop(process)


class OnMysql(OnMariadb):
    KIND = mysql
    test_they_fire_if_asked = test_unique_values_and_keys_change_places = None
    test_the_target_cascades = test_the_target_does_not_cascade_alike = None   # its binary log tells what keys did


# --- SQLite

class OnSqlite(Applied):
    def setUp(self):
        super().setUp()
        self.source, self.target = self.path("a.db"), self.path("b.db")
        self.uris = ["sqlite:" + self.source, "sqlite:" + self.target]
        self.ask(self.source, "PRAGMA journal_mode = WAL; CREATE TABLE par (id INTEGER PRIMARY KEY, u INT UNIQUE);"
                              "CREATE TABLE chi (id INTEGER PRIMARY KEY, pid INT REFERENCES par ON UPDATE CASCADE ON "
                              "DELETE CASCADE);"
                              "CREATE TABLE audit (id INTEGER PRIMARY KEY, what TEXT);"
                              "CREATE TRIGGER noted AFTER UPDATE ON par BEGIN INSERT INTO audit (what) VALUES "
                              "('u'); END;"
                              "INSERT INTO par VALUES (1, 1), (2, 2), (3, 3); INSERT INTO chi VALUES (1, 1), (2, "
                              "2), (3, 3)")

    def ask(self, path, sql):
        with sqlite3.connect(path, timeout=60, isolation_level=None) as connection:
            if sql.startswith("SELECT"):
                return connection.execute(sql).fetchall()
            connection.executescript("PRAGMA foreign_keys = ON;" + sql)
        connection.close()
        return []

    def test_triggers_and_keys(self):
        self.migrate()
        self.ask(self.source,
                 "BEGIN; UPDATE par SET u = 9 WHERE id = 1; UPDATE par SET u = 1 WHERE id = 2; "
                 "UPDATE par SET u = 2 WHERE id = 1; COMMIT;"
                              "UPDATE par SET id = 11 WHERE id = 1; DELETE FROM par WHERE id = 3")
        self.follow("--follow-triggers", "refuse")
        self.assert_same("SELECT * FROM par ORDER BY 1", "SELECT * FROM chi ORDER BY 1",
                         "SELECT * FROM audit ORDER BY 1")

    def test_nothing_is_off_after_a_kill(self):
        """Triggers are switched off in the connection alone."""
        self.migrate()
        self.ask(self.source, "UPDATE par SET u = u + 10")
        support.kill_at("follow.before_apply", 1, "follow", "--catch-up", cwd=self.folder)
        self.assertNotIn("of the target ha", self.run_program("status").out)
        self.assertNotIn("while changes are applied", self.run_program("validate", code=1).out)
        self.ask(self.target, "UPDATE par SET u = 1 WHERE id = 1")
        self.assertEqual(self.ask(self.target, "SELECT what FROM audit"), [("u",)])
        self.assertEqual(self.ask(self.target, "SELECT name FROM sqlite_schema WHERE type = 'trigger'"), [("noted",)])

    def test_the_log_of_the_source_does_not_grow(self):
        process = self.live()
        with sqlite3.connect(self.source, timeout=60) as connection:
            self.assertEqual(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0], 0)
        connection.close()
        self.stop(process)


del Applied  # its classes are the tests

if __name__ == "__main__":
    unittest.main()
