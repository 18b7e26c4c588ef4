"""`transhume schema`: folders of migrations on SQLite, PostgreSQL and MariaDB, from the first file to repairs."""
import json
import os
import signal
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import dynamodb_case
import mariadb
import postgres
import sql_case
import support

USERS = ("CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(40));\nINSERT INTO users VALUES (1, 'a;b'), "
         "(2, 'c');\n")
EMAIL = """-- migrate:up
ALTER TABLE users ADD COLUMN email VARCHAR(40);
UPDATE users SET email = 'x@example.org';
-- migrate:down
ALTER TABLE users DROP COLUMN email;
"""


class SchemaCase:
    """What every database has to show; TAKES_BACK: it takes schema changes back with their transaction."""
    TAKES_BACK = True

    def setUp(self):
        super().setUp()
        self.uri = self.new_target()
        os.mkdir(self.path("migrations"))

    def migration(self, name, text):
        return self.write(os.path.join("migrations", name), text)

    def first_files(self):
        self.migration("001_users.up.sql", USERS)
        self.migration("001_users.down.sql", "DROP TABLE users;\n")
        self.migration("002_email.sql", EMAIL)

    def schema(self, command, *arguments, code=0, **options):
        return self.run_program("schema", command, *arguments, code=code, **options)

    def up(self, *arguments, code=0, **options):
        return self.schema("up", *arguments, self.uri, code=code, **options)

    def down(self, *arguments, code=0):
        return self.schema("down", *arguments, self.uri, "--confirm", code=code)

    def status(self, *arguments, code=0):
        found = json.loads((support.transhume("schema", "status", self.uri, "--json", *arguments, cwd=self.folder)
                            if code is None
                            else self.schema("status", self.uri, "--json", *arguments, code=code)).out)
        return {row["version"] or row["name"]: row["state"] for row in found["migrations"]}

    def tables(self):
        raise NotImplementedError

    def all_tables(self):
        raise NotImplementedError

    def run_to_kill(self, rule, *arguments):
        """True: it was killed there, and did not pass by."""
        result = support.transhume(*arguments, cwd=self.folder, env={"TRANSHUME_FAILPOINT": rule})
        self.assertIn(result.code, (0, -signal.SIGKILL))
        return result.code != 0

    def acts(self):
        return [tuple(row) for row in self.ask("SELECT action, state, version FROM _transhume_schema ORDER BY number")]

    # --- the common way

    def test_up_and_down(self):
        self.first_files()
        self.assertEqual(self.status(), {"001": "pending", "002": "pending"})
        self.schema("status", self.uri, "--exit-code", code=1)
        self.assertIn("2 migrations applied", self.up().out)
        self.assertEqual(self.ask("SELECT name, email FROM users ORDER BY id"),
                         [["a;b", "x@example.org"], ["c", "x@example.org"]])
        self.assertEqual(self.up().out, "nothing to do\n")
        self.assertEqual(self.status("--exit-code"), {"001": "applied", "002": "applied"})
        self.schema("down", self.uri, code=2)
        self.assertIn("002_email  taken back", self.down().out)
        self.assertEqual(self.status(), {"001": "applied", "002": "pending"})
        done = json.loads(self.up("--json").out)["done"]
        self.assertEqual([(act["action"], act["version"], act["statements"]) for act in done], [("up", "002", 2)])
        self.down("2")
        self.assertEqual(self.tables(), set())
        self.assertEqual(self.acts(), [("up", "done", "001"), ("up", "done", "002"), ("down", "done", "002"),
                                       ("up", "done", "002"),
                                       ("down", "done", "002"), ("down", "done", "001")])

    def test_so_many_and_up_to_a_version(self):
        for number in range(1, 6):
            self.migration("%03d_t.up.sql" % number, "CREATE TABLE t%d (a INT);" % number)
            self.migration("%03d_t.down.sql" % number, "DROP TABLE t%d;" % number)
        self.up("2")
        self.assertEqual(self.tables(), {"t1", "t2"})
        self.up("--to", "4")
        self.assertEqual(self.tables(), {"t1", "t2", "t3", "t4"})
        self.up("--to", "9", code=2)
        dry = self.schema("down", self.uri, "--to", "1", "--dry-run").out
        self.assertLess(dry.index("DROP TABLE t4"), dry.index("DROP TABLE t2"))
        self.down("--to", "1")
        self.assertEqual(self.tables(), {"t1"})
        self.assertIn("CREATE TABLE t2", self.up("--dry-run").out)
        self.assertEqual(self.tables(), {"t1"})
        self.down("--to", "0")
        self.assertEqual(self.tables(), set())
        self.schema("up", env={"TRANSHUME_DATABASE": self.uri})
        self.assertEqual(len(self.tables()), 5)

    def test_a_way_back_without_its_file(self):
        self.first_files()
        self.up()
        os.remove(self.path("migrations", "002_email.sql"))
        self.assertEqual(self.status(code=1)["002"], "file missing")
        self.assertIn("002_email is applied, and its file is not in migrations", self.up().err)
        self.down()
        self.assertEqual(self.status(), {"001": "applied"})

    # --- failures

    def test_a_failure_names_the_place_and_what_stands(self):
        self.first_files()
        bad = self.migration("003_bad.sql",
                             "CREATE TABLE a (x INT);\n\nINSERT INTO a VALUES (1);\n   INSERT INTO nowhere VALUES "
                             "(1);\nCREATE TABLE b (x INT);\n")
        failed = self.up(code=3)
        self.assertRegex(failed.err,
                         r"error: migrations/003_bad\.sql:4:\d+: .*nowhere.*, in: INSERT INTO nowhere VALUES \(1\)")
        self.assertIn("`transhume schema up ", failed.err)
        self.assertEqual(self.tables(), {"users"} if self.TAKES_BACK else {"users", "a"})
        self.assertEqual(self.status(code=0 if self.TAKES_BACK else 1)["003"],
                         "pending" if self.TAKES_BACK else "unfinished")
        with open(bad, encoding="utf-8") as file:
            text = file.read()
        self.migration("003_bad.sql", text.replace("nowhere", "a"))
        self.up()
        self.assertEqual(self.ask("SELECT count(*) FROM a"), [["2"]])
        self.assertEqual(self.tables(), {"users", "a", "b"})

    def test_what_is_wrong_with_files_is_told_before_anything_runs(self):
        self.first_files()
        self.migration("003_a.sql", "CREATE TABLE a (x INT);\n")
        self.migration("0003_b.sql", "CREATE TABLE b (x INT);\n")
        self.migration("nothing.sql", "")
        self.migration("004_c.sql", "-- transhume:before many users\n")
        failed = self.up(code=2)
        for fault in ("its version is that of", "nothing.sql:1:1: its name has no version", "there is no check 'many'"):
            self.assertIn(fault, failed.err)
        self.assertEqual(self.tables(), set())

    def test_files_and_history_that_do_not_fit(self):
        self.first_files()
        self.migration("004_d.sql", "CREATE TABLE d (x INT);")
        self.up()
        self.migration("003_c.sql", "CREATE TABLE c (x INT);")
        self.assertIn("003_c.sql is not applied", self.up(code=5).err)
        self.assertEqual(self.status(code=1)["003"], "late")
        self.migration("003_c.sql", "-- transhume:requires 2\nCREATE TABLE c (x INT);")
        self.up()
        os.remove(self.path("migrations", "003_c.sql"))
        self.migration("0035_c.sql", "CREATE TABLE cc (x INT);")
        os.rename(self.path("migrations", "0035_c.sql"), self.path("migrations", "003.5_c.sql"))
        self.up(code=5)
        self.up("--out-of-order")
        self.assertEqual(self.tables(), {"users", "c", "cc", "d"})
        self.migration("004_d.sql", "CREATE TABLE d (x INT);\r\n")
        self.assertEqual(self.up().out, "nothing to do\n")
        self.migration("004_d.sql", "CREATE TABLE d (x INT, y INT);")
        self.assertIn("004_d.sql was changed after it was applied", self.up(code=5).err)
        self.schema("repair", "004", self.uri, "--accept-checksum")
        self.assertEqual(self.up().out, "nothing to do\n")

    # --- kinds of files

    def test_repeatable_files(self):
        self.migration("001_users.sql", USERS)
        self.migration("R_view.sql", "DROP VIEW IF EXISTS v;\nCREATE VIEW v AS SELECT id FROM users;")
        self.up()
        self.assertEqual(self.up().out, "nothing to do\n")
        self.migration("R_view.sql", "DROP VIEW IF EXISTS v;\nCREATE VIEW v AS SELECT name FROM users;")
        self.assertEqual(self.status()["view"], "to run again")
        self.assertIn("R_view  run again", self.up().out)
        self.assertEqual(self.ask("SELECT * FROM v ORDER BY 1"), [["a;b"], ["c"]])

    def test_baselines(self):
        self.first_files()
        self.migration("002_all.baseline.sql",
                       "CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(40), email VARCHAR(40));")
        self.migration("003_c.sql", "CREATE TABLE c (x INT);")
        self.up()
        self.assertEqual(self.acts(), [("baseline", "done", "002"), ("up", "done", "003")])
        self.down(code=5)
        self.uri = self.new_target()
        self.ask(USERS.split(";\n")[0])
        self.schema("baseline", "001", self.uri)
        self.up()
        self.assertEqual(self.acts(), [("baseline", "done", "001"), ("up", "done", "002"), ("up", "done", "003")])
        self.schema("baseline", "003", self.uri, code=5)

    def test_checks(self):
        self.migration("001_users.sql", USERS)
        self.up()
        self.migration("002_a.sql", "-- transhume:before rows users > 2\nCREATE TABLE a (x INT);")
        failed = self.up(code=5)
        self.assertRegex(failed.err,
                         r"002_a\.sql:1: 2 rows are in users; expected: more than 2 \[rows users > 2\] "
                         r"\[check-failed\]")
        self.assertEqual(self.tables(), {"users"})
        self.migration("002_a.sql", "-- transhume:before null users.id\n-- transhume:before duplicate users.name\n"
                               "-- transhume:after rows users unchanged\n-- transhume:after query SELECT max(id) FROM "
                               "users => 2\n"
                               "-- transhume:after sum users.id = 3.0\nCREATE TABLE a (x INT);")
        self.up()
        self.migration("003_b.sql",
                       "-- transhume:after rows users unchanged\nCREATE TABLE b (x INT);\nDELETE FROM users "
                       "WHERE id = 1;")
        failed = self.up(code=5)
        self.assertIn("1 rows are in users; expected: unchanged: 2", failed.err)
        if self.TAKES_BACK:
            self.assertEqual(self.tables(), {"users", "a"})
            self.assertEqual(self.ask("SELECT count(*) FROM users"), [["2"]])
        self.migration("003_b.sql",
                       "-- transhume:transaction none\n-- transhume:after rows users unchanged\n-- migrate:up\nCREATE "
                       "TABLE b (x INT);\n"
                                    "DELETE FROM users WHERE id = 2;\n-- migrate:down\nDROP TABLE b;\nINSERT INTO "
                                    "users VALUES (2, 'c');\n")
        if not self.TAKES_BACK:
            self.schema("repair", "003", self.uri, "--mark-reverted")
            self.ask("DROP TABLE b")
        self.assertIn("It was taken back by migrations/003_b.sql", self.up(code=5).err)
        self.assertEqual(self.tables(), {"users", "a"})
        self.assertEqual(self.status()["003"], "pending")
        self.migration("003_b.checks.yaml", "after:\n  - orphan users.id\n")
        self.assertRegex(self.up(code=2).err, r"003_b\.checks\.yaml:2:5: TABLE\.COLUMN is expected")

    # --- what people say

    def test_repairs(self):
        self.first_files()
        self.ask(USERS.split(";\n")[0])
        self.up(code=3)
        self.schema("repair", "001", self.uri, code=2)
        self.schema("repair", "007", self.uri, "--mark-applied", code=2)
        self.schema("repair", "001", self.uri, "--mark-applied")
        self.up()
        self.assertEqual(self.status(), {"001": "applied", "002": "applied"})
        self.schema("repair", self.uri, "002", "--mark-reverted")
        self.assertEqual(self.status(), {"001": "applied", "002": "pending"})
        self.schema("repair", "001", self.uri, "--resume-from", "1", code=5)

    # --- rows as they were before

    def kept(self):
        try:
            return [row[0] for row in self.ask("SELECT of_table FROM _transhume_schema_before ORDER BY act, image")]
        except Exception:   # its table is made when it is needed
            return []

    def rows(self):
        return [tuple(row) for row in self.ask("SELECT id, name, email FROM users ORDER BY id")]

    def test_rows_are_kept_and_put_back(self):
        self.first_files()
        self.migration("003_names.sql",
                       "-- transhume:before-image users WHERE id < 3\n-- transhume:before-image pairs\n-- migrate:up\n"
                                        "UPDATE users SET name = 'gone', email = NULL WHERE id = 1;\nDELETE FROM users "
                                        "WHERE id = 2;\n"
                                        "DELETE FROM pairs;\n-- migrate:down\nALTER TABLE users ADD COLUMN more INT;\n")
        self.ask("CREATE TABLE pairs (a INT, b VARCHAR(9), c INT, PRIMARY KEY (a, b))")
        self.ask("INSERT INTO pairs VALUES (1, 'x', 1), (1, 'y', NULL)")
        self.up("2")
        self.ask("INSERT INTO users VALUES (3, 'late', 'l')")
        before = self.rows()
        said = self.up().out
        self.assertIn("2 rows of users are kept in _transhume_schema_before_3_1", said)
        self.assertEqual(self.rows(), [("1", "gone", None), ("3", "late", "l")])
        self.assertEqual(self.kept(), ["users", "pairs"])
        self.ask("UPDATE users SET name = 'later' WHERE id = 3")
        said = self.down().out
        self.assertIn("users: 1 rows have their former values, 1 are back", said)
        self.assertEqual(self.rows(), before[:2] + [("3", "later", "l")])
        self.assertEqual(self.ask("SELECT a, b, c FROM pairs ORDER BY b"), [["1", "x", "1"], ["1", "y", None]])
        self.assertEqual(self.kept(), [])
        self.assertFalse(any("before_3" in name for name in self.all_tables()))
        self.up()
        self.assertIn("rows that it kept are gone", self.schema("repair", "003", self.uri, "--drop-before-images").out)
        self.schema("repair", "003", self.uri, "--drop-before-images", code=2)
        self.assertEqual(self.kept(), [])
        self.ask("ALTER TABLE users DROP COLUMN more")
        self.down()   # runs without them
        self.assertEqual(self.rows(), [("1", "gone", None), ("3", "later", "l")])

    def test_rows_that_a_failed_check_puts_back(self):
        self.first_files()
        self.up()
        before = self.rows()
        self.migration("003_a.sql",
                       "-- transhume:before-image users\n-- transhume:transaction none\n-- transhume:after rows users "
                       "unchanged\n"
                                    "-- migrate:up\nCREATE TABLE a (x INT);\nDELETE FROM users WHERE id = 1;\n-- "
                                    "migrate:down\nDROP TABLE a;\n")
        self.assertIn("It was taken back by migrations/003_a.sql", self.up(code=5).err)
        self.assertEqual((self.rows(), self.kept(), self.tables()), (before, [], {"users"}))
        self.migration("003_a.sql",
                       "-- transhume:before-image users\n-- transhume:transaction none\n-- transhume:after rows users "
                       "unchanged\n"
                                    "CREATE TABLE a (x INT);\nDELETE FROM users WHERE id = 1;\n")
        self.assertIn("The rows that it kept are put back", self.up(code=5).err)
        self.assertEqual((self.rows(), self.kept()), (before, []))

    def test_rows_of_keys_alone(self):
        self.ask("CREATE TABLE k (a INT, b INT, PRIMARY KEY (a, b))")
        self.ask("INSERT INTO k VALUES (1, 1), (2, 2)")
        self.migration("001_a.sql",
                       "-- transhume:before-image k\n-- migrate:up\nDELETE FROM k WHERE a = 2;\n-- "
                       "migrate:down\nSELECT 1;\n")
        self.up()
        self.down()
        self.assertEqual(self.ask("SELECT a, b FROM k ORDER BY a"), [["1", "1"], ["2", "2"]])

    def test_rows_that_can_t_be_kept(self):
        self.first_files()
        self.up()
        self.ask("CREATE TABLE keyless (x INT)")
        self.migration("003_a.sql", "-- transhume:before-image keyless\nDELETE FROM keyless;\n")
        self.assertIn("it has no primary key", self.up(code=5).err)
        self.migration("003_a.sql", "-- transhume:before-image users id = 1\nDELETE FROM users;\n")
        self.assertIn("TABLE WHERE … is expected", self.up(code=2).err)
        self.assertEqual(len(self.rows()), 2)

    def test_rows_are_kept_through_kills(self):
        for point in ("evolve.after_image", "evolve.before_commit", "evolve.after_statement", "evolve.after_begin_row",
                      "evolve.before_end_row"):
            with self.subTest(point):
                self.uri = self.new_target()
                self.first_files()
                self.migration("003_a.sql",
                               "-- transhume:before-image users\n-- migrate:up\nUPDATE users SET name = 'u';\nCREATE "
                               "TABLE a (x INT);\n"
                                            "DELETE FROM users WHERE id = 2;\n-- migrate:down\nDROP TABLE a;\n")
                self.up("2")
                before = self.rows()
                killed = self.run_to_kill(point + ":kill:1", "schema", "up", self.uri)
                self.up()
                self.assertEqual(self.rows(), [("1", "u", "x@example.org")])
                self.run_to_kill(point + ":kill:1", "schema", "down", self.uri, "--confirm")
                if self.status(code=None)["003"] != "pending":
                    self.down()
                self.assertEqual((self.rows(), self.kept(), killed), (before, [], killed))

    # --- what a command left

    def test_a_schema_that_somebody_changed(self):
        """The history knows how the last command left it."""
        def since():
            return json.loads(self.schema("status", self.uri, "--json").out)["changed_since"]
        self.first_files()
        self.assertIsNone(since())
        self.up("1")
        self.assertIs(since(), False)
        self.up()
        self.assertIs(since(), False)
        self.ask("INSERT INTO users VALUES (7, 'x', 'y')")   # rows are no schema
        self.schema("status", self.uri, "--exit-code")
        self.assertEqual(self.schema("drift", self.uri).out.count("since"), 0)
        self.ask("CREATE TABLE strange (a INT)")
        self.assertIs(since(), True)
        self.assertIn("the schema is not as the last migration left it",
                      self.schema("status", self.uri, "--exit-code", code=1).out)
        self.assertIn("it was changed since the last migration was applied", self.schema("drift", self.uri, code=1).out)
        self.ask("DROP TABLE strange")
        self.assertIs(since(), False)
        self.migration("003_z.sql", "CREATE TABLE z (a INT);")
        self.ask("CREATE TABLE strange (a INT)")
        self.up()
        self.assertIs(since(), False)
        self.assertIn("it was so when the last migration was applied", self.schema("drift", self.uri, code=1).out)

    # --- two at once

    def test_two_at_once(self):
        self.first_files()
        first = self.stopped_at("evolve.after_claim:stop:1", "schema", "up", self.uri)
        refused = self.up("--lock-wait", "0", code=5)
        self.assertIn("pid %d" % first.pid, refused.err)
        second = support.start("schema", "up", self.uri, cwd=self.folder)
        self.addCleanup(self.end, second)
        line = second.stderr.readline().decode()
        self.assertRegex(line, r"waiting for .*pid %d.*, which changes the schema" % first.pid)
        first.send_signal(signal.SIGCONT)
        one, other = support.finish(first), support.finish(second)
        self.assert_code(one, 0)
        self.assert_code(other, 0)
        self.assertIn("2 migrations applied", one.out)
        self.assertEqual(other.out, "nothing to do\n")


class OnSqlite(sql_case.SqliteTarget, SchemaCase, support.TestCase):
    def tables(self):
        return {name
                for name, in self.ask("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE "
                                      "'\\_transhume%' ESCAPE '\\'")}

    def all_tables(self):
        return {name for name, in self.ask("SELECT name FROM sqlite_schema")}

    def test_a_table_made_anew(self):
        self.migration("001_a.sql",
                       "CREATE TABLE p (id INTEGER PRIMARY KEY, v);\nCREATE TABLE c (p REFERENCES p (id) ON DELETE "
                       "CASCADE);\n"
                               "INSERT INTO p VALUES (1, 'a'), (2, 'b');\nINSERT INTO c VALUES (1), (2);")
        self.migration("002_b.sql",
                       "PRAGMA foreign_keys = OFF;\nCREATE TABLE n (id INTEGER PRIMARY KEY, v TEXT NOT NULL);\n"
                               "INSERT INTO n SELECT * FROM p;\nDROP TABLE p;\nALTER TABLE n RENAME TO p;\nPRAGMA "
                               "foreign_keys = ON;")
        self.up()
        self.assertEqual(self.ask("SELECT count(*) FROM c"), [["2"]])
        self.migration("003_c.sql", "DELETE FROM p WHERE id = 2;")
        self.up(code=3)
        self.assertEqual(self.ask("SELECT count(*) FROM p"), [["2"]])

    def test_a_file_that_is_not_there(self):
        self.first_files()
        self.assertIn("CREATE TABLE users", self.up("--dry-run").out)
        self.assertEqual(self.status(), {"001": "pending", "002": "pending"})
        self.assertFalse(os.path.exists(self.path(self.file)))

    def test_new_files(self):
        os.rmdir(self.path("migrations"))
        made = self.schema("new", "add users").out.splitlines()
        self.assertEqual(made, ["migrations/001_add_users.up.sql", "migrations/001_add_users.down.sql"])
        self.assertIn("migrations/002_b.up.sql", json.loads(self.schema("new", "b", "--json").out)["files"])
        self.migration("20240101120000_t.sql", "")
        self.assertRegex(self.schema("new", "c").out, r"(?m)^migrations/20\d{12}_c\.up\.sql$")

    def test_review_and_comparison(self):
        self.first_files()
        self.migration("003_i.sql", "CREATE TABLE i (a INT);\nDROP TABLE users;\n")
        found = json.loads(self.schema("lint", "--dialect", "sqlite", "--json", code=1).out)
        self.assertIn(("migrations/003_i.sql", 2), [(finding["file"], finding["line"]) for finding in found])
        self.assertEqual(self.schema("lint", "migrations/001_users.up.sql", "--dialect", "sqlite").out[:6], "1 file")
        self.up()
        self.assertIn('CREATE TABLE "i"', self.schema("dump", self.uri).out)
        self.schema("drift", self.uri)
        self.ask("CREATE TABLE strange (x)")
        self.assertIn("strange", self.schema("drift", self.uri, code=1).out)
        self.assertNotIn("DROP TABLE", self.schema("diff", self.uri, "migrations").out)
        self.assertIn("DROP TABLE", self.schema("diff", self.uri, "migrations", "--allow-drop").out)

    def test_commands(self):
        self.assertIn("up, down, status", self.run_program("schema", code=2).err)
        self.assertIn("Did you mean `transhume schema status`", self.run_program("schema", "statsu", code=2).err)
        self.assertIn("--mark-applied", self.run_program("schema", "repair", "--help").out)
        self.assertEqual(self.run_program("help", "schema", "up").out, self.run_program("schema", "up", "-h").out)
        self.assertIn("has no option --mark-applied", self.schema("up", self.uri, "--mark-applied", code=2).err)
        self.assertIn("which database?", self.schema("up", code=2).err)
        self.assertIn("N is a number", self.schema("up", "x", self.uri, code=2).err)
        self.assertIn("can't be changed by transhume yet", self.schema("up", "csv:" + self.folder, code=2).err)


class OnPostgres(sql_case.ServerTarget, SchemaCase, support.TestCase):
    SERVERS = postgres

    def tables(self):
        return {name
                for name, in self.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT "
                                      "LIKE '\\_transhume%'")}

    def all_tables(self):
        return {name for name, in self.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}

    def test_what_can_t_be_in_a_transaction(self):
        self.migration("001_users.sql", USERS)
        self.migration("002_index.sql",
                       "SET application_name = 'it';\nCREATE INDEX CONCURRENTLY users_name ON users (name);\n"
                                   "ALTER TABLE users ADD COLUMN a int;\nVACUUM users;\n")
        self.up()
        self.assertEqual(self.ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 'users_name'::regclass"), [["t"]])
        self.assertEqual(self.ask("SELECT count(*) FROM _transhume_schema_step WHERE state = 'done'"), [["3"]])

    def test_what_a_file_does_to_the_session(self):
        self.migration("001_a.sql",
                       "CREATE SCHEMA other;\nSET search_path = other;\nSET ROLE pg_monitor;\nRESET ROLE;\nCREATE "
                       "TABLE a (x int);")
        self.migration("002_b.sql",
                       "CREATE TABLE b (x int);\nCOPY b FROM stdin;\n1\n2\n\\.\nSELECT "
                       "pg_catalog.set_config('search_path', '', false);")
        self.migration("003_c.sql", "CREATE TABLE c (x int);")
        self.up()
        self.assertEqual(self.tables(), {"b", "c"})
        self.assertEqual(self.ask("SELECT count(*) FROM b"), [["2"]])
        self.assertEqual(self.up().out, "nothing to do\n")


class OnMariadb(sql_case.ServerTarget, SchemaCase, support.TestCase):
    SERVERS = mariadb
    TAKES_BACK = False

    def tables(self):
        return {name for name, in self.ask("SHOW TABLES") if not name.startswith("_transhume")}

    def all_tables(self):
        return {name for name, in self.ask("SHOW TABLES")}

    def test_routines(self):
        self.migration("001_users.sql", USERS)
        self.migration("002_p.sql",
                       "DELIMITER //\nCREATE PROCEDURE p()\nBEGIN\n  UPDATE users SET name = 'x';\n  SELECT "
                       "1;\nEND//\nDELIMITER ;\n"
                               "/*!50003 CREATE TRIGGER g BEFORE INSERT ON users FOR EACH ROW SET NEW.name = 'y' */;\n")
        self.up()
        self.ask("CALL p(); INSERT INTO users VALUES (3, 'z')")
        self.assertEqual(self.ask("SELECT name FROM users ORDER BY id"), [["x"], ["x"], ["y"]])


class OnDynamodb(dynamodb_case.DynamodbCase):
    """Steps are calls of the API, each announced and noted by itself."""

    def test_calls_as_steps(self):
        table = {"BillingMode": "PAY_PER_REQUEST", "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
                 "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}]}
        calls = [{"operation": "CreateTable", "input": dict(table, TableName=name)} for name in ("one", "two")]
        os.mkdir(self.path("migrations"))
        self.write("migrations/001_tables.up.dynamodb.json", json.dumps(calls, indent=1))
        self.write("migrations/001_tables.down.dynamodb.json",
                   json.dumps([{"operation": "DeleteTable", "input": {"TableName": name}} for name in ("two", "one")]))
        killed = self.run_aws("schema", "up", self.uri(), code=-9, TRANSHUME_FAILPOINT="evolve.after_statement:kill:1")
        self.assertEqual(killed.out, "")
        self.assertIn("1 migration applied", self.run_aws("schema", "up", self.uri()).out)
        self.assertLessEqual({"one", "two"}, set(self.client.list_tables()["TableNames"]))
        self.assertEqual(self.run_aws("schema", "up", self.uri()).out, "nothing to do\n")
        self.run_aws("schema", "down", self.uri(), "--confirm")
        self.assertEqual({"one", "two"} & set(self.client.list_tables()["TableNames"]), set())


if __name__ == "__main__":
    unittest.main()
