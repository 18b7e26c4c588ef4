"""Where a migration ends (its COMMIT), what is told before anything begins, and what a forged history may not do."""
import os
import signal
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import sql_case
import support

KEPT = ("-- transhume:before-image acc\n-- migrate:up\nUPDATE acc SET balance = balance + 10;\n"
    "UPDATE counter SET n = n + 1;\n"
        "-- migrate:down\nUPDATE counter SET n = n - 1;\n")
LEFT = "_transhume_schema_before_1_1"


class UnitCase:
    def setUp(self):
        super().setUp()
        self.uri = self.new_target()
        os.mkdir(self.path("migrations"))

    def migration(self, name, text):
        return self.write(os.path.join("migrations", name), text)

    def schema(self, command, *arguments, code=0, **options):
        return self.run_program("schema", command, *arguments, self.uri, code=code, **options)

    def fail_at(self, rule, command, *arguments, code=3):
        return self.schema(command, *arguments, code=code, env={"TRANSHUME_FAILPOINT": rule})

    def acts(self):
        return [tuple(row) for row in self.ask("SELECT action, state, version FROM _transhume_schema ORDER BY number")]

    def counted(self):
        """A table whose number says how often a file ran."""
        self.ask("CREATE TABLE counter (n INT)")
        self.ask("INSERT INTO counter VALUES (0)")
        self.migration("001_a.sql",
            "-- migrate:up\nUPDATE counter SET n = n + 1;\n-- migrate:down\nUPDATE counter SET n = n - 1;\n")

    def number(self):
        return int(self.ask("SELECT n FROM counter")[0][0])

    def test_what_fails_behind_the_commit_stands(self):
        """It is neither noted as failed nor run a second time, whatever kind of failure it is."""
        for action in ("error", "retry"):
            self.uri = self.new_target()
            self.counted()
            told = self.fail_at("evolve.after_commit:" + action, "up")
            self.assertIn("001 is applied: this failed after its commit", told.err)
            self.assertNotIn("Nothing of this file", told.err)
            self.assertEqual((self.number(), self.acts()), (1, [("up", "done", "001")]))
            self.assertEqual(self.schema("up").out, "nothing to do\n")
            self.assertIn("001 is taken back", self.fail_at("evolve.after_commit:" + action, "down", "--confirm").err)
            self.assertEqual((self.number(), self.acts()[-1]), (0, ("down", "done", "001")))

    def test_a_commit_whose_end_is_not_seen_is_looked_up(self):
        """The connector says that it can't tell; a new session reads it in the history."""
        for action in ("error", "retry"):
            self.uri = self.new_target()
            self.counted()
            self.assertIn("the session was lost", self.fail_at("%s.after_alter:%s" % (self.NAME, action), "up",
                code=0).err)
            self.assertEqual((self.number(), self.acts()), (1, [("up", "done", "001")]))
            self.fail_at("%s.before_alter:error" % self.NAME, "down", "--confirm", code=3)
            self.assertEqual(self.number(), 1)

    def test_one_version_is_one_version(self):
        """`down` and `up N` do not go on with the next one where the commit of the last one was looked up."""
        self.ask("CREATE TABLE counter (n INT)")
        self.ask("INSERT INTO counter VALUES (0)")
        for name in ("001_a", "002_b", "003_c"):
            self.migration(name + ".sql", "-- migrate:up\nUPDATE counter SET n = n + 1;\n"
                                          "-- migrate:down\nUPDATE counter SET n = n - 1;\n")
        for command, words, left in (("up", ("2",), 2), ("down", ("--confirm",), 1), ("up", ("1",), 2)):
            rule = "%s.after_alter:error:%d" % (self.NAME, 2 if words == ("2",) else 1)
            told = self.fail_at(rule, command, *words, code=0)
            self.assertIn("the session was lost", told.err)
            self.assertEqual(self.number(), left)
            self.assertEqual(told.out.count("applied:") + told.out.count("taken back:"), 2 if words == ("2",) else 1)

    def test_a_transaction_of_several_is_not_repeated_behind_its_commit(self):
        self.ask("CREATE TABLE counter (n INT)")
        self.ask("INSERT INTO counter VALUES (0)")
        self.migration("001_a.sql", "UPDATE counter SET n = n + 1;\n%sUPDATE counter SET n = n + 1;\n" % self.ALONE)
        self.fail_at("evolve.after_commit:retry", "up")
        self.schema("up")
        self.assertEqual(self.number(), 2)

    def test_faults_of_all_files_at_once(self):
        """Of names, of statements, of ways back: before the first file runs, and before the history is made."""
        self.migration("001_a.sql", "CREATE TABLE a (x INT);\n")
        self.migration("002_b.sql", "SELECT 1;\nBEGIN;\nSELECT 2;\n")
        self.migration("003_c.sql", "SELECT 'open;\n")
        self.migration("004_d.up.sql", "SELECT 1;\n")
        self.migration("004_d.down.sql", "BEGIN; SELECT 1;\n")
        for extra in ((), ("--dry-run",)):
            told = self.schema("up", *extra, code=2).err
            for name in ("002_b.sql:2:1", "003_c.sql:1:8", "004_d.down.sql:1:1"):
                self.assertIn(name, told)
            self.assertIn("3 faults in the migrations", told)
            self.assertNotIn("001_a", told)
        self.migration("notes.sql", "SELECT 1;\n")
        told = self.schema("up", code=2).err
        for name in ("notes.sql", "002_b.sql:2:1", "003_c.sql:1:8", "004_d.down.sql:1:1", "4 faults"):
            self.assertIn(name, told)
        self.assertEqual(self.all_tables(), [])

    def test_applied_files_are_no_fault_of_what_is_pending(self):
        self.counted()
        self.schema("up")
        self.migration("001_a.sql", "-- migrate:up\nBEGIN;\n")
        self.migration("002_b.sql", "UPDATE counter SET n = 5;\n")
        self.assertIn("was changed after it was applied", self.schema("up", code=5).err)

    def test_numbers_of_steps_that_nobody_writes(self):
        """A history that somebody forged: neither memory by its numbers, nor a write beyond it."""
        self.migration("001_a.sql", "-- transhume:transaction none\nCREATE TABLE a (x INT);\nCREATE TABLE a (x INT);\n")
        self.schema("up", code=3)
        for step, code, words in ((self.LARGEST, 5,
            "statement %d was carried out already, and is not there any more" % self.LARGEST), (0, None,
                "of number 0")):
            self.ask("UPDATE _transhume_schema_step SET step = %d, state = 'done' WHERE step <> 1" % step)
            result = support.transhume("schema", "up", self.uri, cwd=self.folder)
            self.assertIn(words, result.err)
            self.assertIn(result.code, (3, 5) if code is None else (code,))


class OnSqlite(sql_case.SqliteTarget, UnitCase, support.TestCase):
    NAME = "sqlite"
    LARGEST = 4294967295
    ALONE = "VACUUM;\n"

    def all_tables(self):
        return self.ask("SELECT name FROM sqlite_schema")


class OnPostgres(sql_case.ServerTarget, UnitCase, support.TestCase):
    SERVERS = postgres
    NAME = "postgres"
    LARGEST = 2147483647
    ALONE = "VACUUM counter;\n"

    def all_tables(self):
        return self.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")


class OnMariadb(sql_case.ServerTarget, UnitCase, support.TestCase):
    SERVERS = mariadb
    NAME = "mysql"
    LARGEST = 4294967295
    ALONE = "CREATE TABLE alone (x INT);\n"

    def all_tables(self):
        return self.ask("SHOW TABLES")

    def held(self):
        """A version with an image that somebody else reads in a transaction."""
        self.ask("CREATE TABLE acc (id INT PRIMARY KEY, balance INT)")
        self.ask("INSERT INTO acc VALUES (1, 100), (2, 200)")
        self.ask("CREATE TABLE counter (n INT)")
        self.ask("INSERT INTO counter VALUES (0)")
        self.migration("001_a.sql", KEPT)
        self.schema("up")
        holder = self.server.session(self.database)
        self.addCleanup(holder.close)
        holder.send("BEGIN")
        holder.ask("SELECT count(*) FROM " + LEFT)
        return holder

    def test_a_locked_image_is_left_and_named(self):
        """Rows are put back once; the table that could not be dropped is told, and the next command drops it."""
        holder = self.held()
        told = self.schema("down", "--confirm", "--lock-timeout", "1s").err
        self.assertIn(LEFT, told)
        self.assertIn("schema repair 001 DB --drop-before-images", told)
        self.assertEqual((self.number(), self.ask("SELECT balance FROM acc ORDER BY id")), (0, [["100"], ["200"]]))
        self.assertEqual(self.acts()[-1], ("down", "done", "001"))
        self.ask("UPDATE acc SET balance = 1")
        holder.close()
        self.schema("up")
        self.assertEqual(self.ask("SELECT act, image FROM _transhume_schema_before"), [["3", "1"]])
        self.schema("down", "--confirm")   # the rows of this time, not those of the first
        self.assertEqual(self.ask("SELECT balance FROM acc"), [["1"], ["1"]])
        self.assertEqual([row for row in self.all_tables() if "before_" in row[0]], [])

    def test_a_kill_in_front_of_the_drop(self):
        self.held().close()
        killed = support.transhume("schema", "down", self.uri, "--confirm", cwd=self.folder,
            env={"TRANSHUME_FAILPOINT": "evolve.before_clear:kill"})
        self.assertEqual(killed.code, -signal.SIGKILL)
        self.assertIn([LEFT], self.all_tables())
        self.schema("up")
        self.assertNotIn([LEFT], self.all_tables())

    def test_rows_are_put_back_once_where_the_file_is_several_transactions(self):
        """Killed behind them, the command that goes on leaves what was written since."""
        self.ask("CREATE TABLE acc (id INT PRIMARY KEY, balance INT)")
        self.ask("INSERT INTO acc VALUES (1, 100)")
        self.migration("001_a.sql",
            "-- transhume:before-image acc\n-- migrate:up\nUPDATE acc SET balance = 0;\n"
                "CREATE TABLE b (x INT);\n-- migrate:down\nDROP TABLE b;\n")
        self.schema("up")
        support.transhume("schema", "down", self.uri, "--confirm", cwd=self.folder,
            env={"TRANSHUME_FAILPOINT": "evolve.before_end_row:kill"})
        self.ask("UPDATE acc SET balance = 7")
        self.schema("down", "--confirm")
        self.assertEqual(self.ask("SELECT balance FROM acc"), [["7"]])


if __name__ == "__main__":
    unittest.main()
