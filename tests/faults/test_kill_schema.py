"""kill -9 at every failpoint of `transhume schema up` and `down`, for each kind of migration, then the command again:
the schema ends as
that of an undisturbed run, each row stands once, and nobody had to lend a hand. Then the server's own death, in a
statement and in a COMMIT."""
import os
import signal
import sys
import time
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", name) for name in ("servers", "system")]
import mariadb
import postgres
import sql_case
import support
import taking_back

CASES = 2   # of a kind
FIRST = ("CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(40));\n"
         "CREATE TABLE marker (step VARCHAR(20));\nINSERT INTO users VALUES (1, 'a'), (2, "
         "'b');\nINSERT INTO marker VALUES ('first');\n")
SECOND = ("-- migrate:up\nALTER TABLE users ADD COLUMN email VARCHAR(40);\nUPDATE users SET email = 'x';\n"
          "INSERT INTO marker VALUES ('second');\n-- migrate:down\nALTER TABLE users DROP COLUMN email;\nDELETE FROM "
          "marker WHERE step = 'second';\n"
          "INSERT INTO marker VALUES ('second back');\n")
APART = ("-- transhume:transaction none\nCREATE TABLE apart (a INTEGER);\nINSERT INTO marker VALUES ('apart 1');\n"
         "CREATE INDEX apart_a ON apart (a);\nINSERT INTO apart VALUES (7);\nDROP INDEX apart_a%s;\nINSERT INTO marker "
         "VALUES ('apart 2');\n")


class KillSchema:
    KINDS = {}   # {kind: {file: text}}, behind the first two files

    def setUp(self):
        super().setUp()
        self.folders = 0

    def new(self, kind, done=()):
        """A folder with a database of its own, in which the files `done` are applied."""
        self.folders += 1
        folder = self.path("%s%d" % (kind, self.folders))
        os.makedirs(os.path.join(folder, "migrations"))
        files = {"001_first.up.sql": FIRST, "002_second.sql": SECOND, **self.KINDS[kind]}
        for name in sorted(files, key=lambda name: name not in done):
            with open(os.path.join(folder, "migrations", name), "w", encoding="utf-8") as file:
                file.write(files[name])
        uri = self.new_target()
        return folder, uri.replace("sqlite:", "sqlite:" + self.folder + "/")

    def command(self, act, uri):
        return ("schema", act, *(("1", uri, "--confirm") if act == "down" else (uri,)))

    def dump(self):
        """The tables without their history, with their rows."""
        raise NotImplementedError

    def check(self, folder, uri, act, expected, what):
        result = support.transhume(*self.command(act, uri), cwd=folder, time_limit=60)
        self.assertEqual(result.code, 0, "%s, then %s:\n%s%s" % (what, act, result.out, result.err))
        self.assertEqual(self.dump(), expected, what)
        self.assertEqual(self.ask("SELECT step, count(*) FROM marker GROUP BY step HAVING count(*) > 1"), [], what)
        self.assertEqual(self.ask("SELECT version FROM _transhume_schema WHERE state = 'running'"), [], what)

    def undisturbed(self, kind, act):
        folder, uri = self.new(kind)
        if act == "down":
            self.assert_code(support.transhume(*self.command("up", uri), cwd=folder), 0)
        result, counts = support.count_failpoints(*self.command(act, uri), cwd=folder)
        self.assert_code(result, 0)
        return self.dump(), counts

    def kill_all(self, kind, act):
        expected, counts = self.undisturbed(kind, act)
        for point, _, occurrence in support.drawn(taking_back.occurrences(counts), CASES, "%s %s" % (self.id(), kind)):
            folder, uri = self.new(kind)
            if act == "down":
                self.assert_code(support.transhume(*self.command("up", uri), cwd=folder), 0)
            killed = support.kill_at(point, occurrence, *self.command(act, uri), cwd=folder)
            self.assertEqual(killed.code, -signal.SIGKILL, "%s:%d\n%s" % (point, occurrence, killed.err))
            what = "%s %s killed at %s:%d" % (kind, act, point, occurrence)
            if act == "down" and self.dump() == expected:   # it was over; a second one would take the next version back
                continue
            self.check(folder, uri, act, expected, what)

    def test_up(self):
        for kind in self.KINDS:
            self.kill_all(kind, "up")

    def test_down(self):
        self.kill_all("plain", "down")

    def test_instants(self):
        """A program that is killed while the server works leaves it at work: the next one waits for its end."""
        expected, _ = self.undisturbed("slow", "up")
        for seconds in support.drawn([0.1 * i for i in range(1, 12)], 2, self.id()):
            folder, uri = self.new("slow")
            support.kill_after(seconds, *self.command("up", uri), cwd=folder)
            self.check(folder, uri, "up", expected, "killed after %.1f s" % seconds)


class ServersDeath:
    """The server is slain while it carries out a statement, and begun again."""
    MOMENTS = ()   # (kind, SQL that has a row once the moment is there)

    @classmethod
    def setUpClass(cls):
        cls.server = cls.SERVERS.for_class(cls)
        cls.server.spoiled = True

    def test_death(self):
        for kind, moment in self.MOMENTS:
            expected, _ = self.undisturbed(kind, "up")
            folder, uri = self.new(kind)
            process = support.start(*self.command("up", uri), cwd=folder)
            self.addCleanup(self.end, process)
            self.wait_until("the statement is at work", lambda: self.ask(moment) != [] or process.poll() is not None)
            self.assertIsNone(process.poll(), kind)
            self.server.slay()
            self.server.start()
            first = support.finish(process, 90)
            self.assertIn(first.code, (0, 3), "%s\n%s" % (kind, first.err))
            self.check(folder, uri, "up", expected, kind)


class KillOnSqlite(sql_case.SqliteTarget, KillSchema, support.TestCase):
    KINDS = {
        "plain": {},
        "apart": {"003_apart.sql": APART % ""},
        "rebuild": {"003_rebuild.sql":
                    "PRAGMA foreign_keys = OFF;\nCREATE TABLE child (u INTEGER REFERENCES users (id) ON DELETE "
                    "CASCADE);\n"
                    "INSERT INTO child VALUES (1), (2);\nCREATE TABLE new_users (id INTEGER PRIMARY KEY, "
                    "name TEXT NOT NULL);\n"
                    "INSERT INTO new_users SELECT id, name FROM users;\nDROP TABLE users;\nALTER TABLE new_users "
                    "RENAME TO users;\n"
                    "INSERT INTO marker VALUES ('rebuilt');\n",
                    "004_vacuum.sql": "INSERT INTO marker VALUES ('before');\nVACUUM;\n"
                    "INSERT INTO marker VALUES ('behind');\n"},
        "slow": {"003_slow.sql": "INSERT INTO marker SELECT 'slow' FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
                                 "SELECT i + 1 FROM n WHERE "
                 "i < 500000) SELECT max(i) FROM n);\n"},
    }

    def dump(self):
        found = self.ask("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE tbl_name NOT LIKE '\\_transhume%' "
                         "ESCAPE '\\' ORDER BY type, name")
        return found + [self.ask("SELECT * FROM %s ORDER BY 1" % row[1]) for row in found if row[0] == "table"]


class KillOnPostgres(sql_case.ServerTarget, KillSchema, support.TestCase):
    SERVERS = postgres
    KINDS = {
        "plain": {},
        "apart": {"003_apart.sql": APART % ""},
        "mixed": {"003_mixed.sql":
                  "CREATE TYPE mood AS ENUM ('a');\nCREATE TABLE moods (m mood, u int);\nINSERT INTO marker VALUES "
                  "('mixed 1');\n"
                  "ALTER TYPE mood ADD VALUE 'b';\nINSERT INTO moods VALUES ('b', "
                  "1);\nCREATE INDEX CONCURRENTLY moods_u ON moods (u);\n"
                  "INSERT INTO marker VALUES ('mixed 2');\nREINDEX INDEX CONCURRENTLY moods_u;\nDROP INDEX "
                  "CONCURRENTLY moods_u;\n"
                  "CREATE UNIQUE INDEX CONCURRENTLY ON moods (u);\nVACUUM moods;\n"},
        "roles": {"003_roles.sql":
                  "SET ROLE pg_read_all_data;\nRESET ROLE;\nSET search_path = '';\nCREATE FUNCTION public.f() RETURNS "
                  "int LANGUAGE sql AS $$ SELECT 1; $$;\n"
                  "INSERT INTO public.marker VALUES ('roles');\nSET ROLE pg_read_all_data;\n"},
        "slow": {"003_slow.sql": "-- transhume:transaction none\nINSERT INTO marker SELECT 'slow' FROM "
                                 "pg_sleep(0.7);\nCREATE TABLE slow (a int);\n"
                 "INSERT INTO slow SELECT generate_series(1, 100);\nCREATE FUNCTION slowly(int) RETURNS int LANGUAGE "
                 "plpgsql IMMUTABLE AS $$ BEGIN "
                 "PERFORM pg_sleep(0.004); RETURN $1; END $$;\nCREATE INDEX CONCURRENTLY slow_a ON slow "
                 "(slowly(a));\nINSERT INTO marker VALUES ('built');\n"},
    }

    def dump(self):
        own = "NOT LIKE '\\_transhume%'"
        tables = self.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename %s ORDER BY 1"
                          % own)
        return ([self.ask("SELECT * FROM %s ORDER BY 1, 2" % name if name in ("moods", "users")
                          else "SELECT * FROM %s ORDER BY 1" % name) for name, in tables] +
                [tables,
                 self.ask("SELECT table_name, column_name, data_type, is_nullable, "
                          "column_default FROM information_schema.columns WHERE "
                          "table_schema = 'public' AND table_name %s ORDER BY 1, ordinal_position" % own),
                 self.ask("SELECT pg_get_indexdef(indexrelid), indisvalid FROM pg_index i JOIN pg_class c ON c.oid = "
                          "i.indrelid WHERE relnamespace = "
                          "'public'::regnamespace AND relname %s ORDER BY 1" % own),
                 self.ask("SELECT enumtypid::regtype, enumlabel FROM pg_enum ORDER BY 1, enumsortorder"),
                 self.ask(
                     "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1")])


class KillOnMariadb(sql_case.ServerTarget, KillSchema, support.TestCase):
    SERVERS = mariadb
    KINDS = {
        "plain": {},
        "apart": {"003_apart.sql": APART % " ON apart"},
        "objects": {"003_objects.sql":
                    "CREATE VIEW seen AS SELECT id FROM users;\nDELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; "
                    "SELECT 2; END//\n"
                    "CREATE TRIGGER g BEFORE INSERT ON users FOR EACH ROW BEGIN SET NEW.name = 'x'; "
                    "END//\nDELIMITER ;\n"
                    "SET @a = 1; INSERT INTO marker VALUES ('objects');\nCREATE TABLE a AS SELECT id FROM "
                    "users;\nCREATE TABLE b LIKE a;\n"
                    "RENAME TABLE a TO c, b TO a;\nCREATE TABLE d (x INT);\nDROP TABLE a, "
                    "d;\nTRUNCATE TABLE c;\nINSERT INTO c VALUES (3);\n"
                    "ALTER TABLE c ADD UNIQUE INDEX c_id (id);\nSET sql_mode = 'ANSI_QUOTES';\nALTER TABLE \"c\" ADD "
                    "COLUMN \"z\" INT;\n"},
        "slow": {"003_slow.sql": "ALTER TABLE users ADD COLUMN slow INT AS (id + 1) PERSISTENT;\nINSERT INTO marker "
                                 "SELECT 'slow' FROM (SELECT SLEEP(0.5)) AS s;\n"
                 "CREATE TABLE slow AS SELECT SLEEP(0.4) AS s;\n"},
    }

    def dump(self):
        tables = [row[0] for row in self.ask("SHOW TABLES") if not row[0].startswith("_transhume")]
        return ([self.ask("SELECT * FROM %s ORDER BY 1" % name)
                 for name in tables] + [self.ask("SHOW CREATE TABLE %s" % name)[0][:2] for name in tables] +
                [self.ask("SELECT routine_name, routine_definition FROM information_schema.routines WHERE "
                          "routine_schema = database()"),
                 self.ask("SELECT trigger_name, action_statement FROM information_schema.triggers WHERE trigger_schema "
                          "= database()")])


class DeathOfPostgres(ServersDeath, KillOnPostgres):
    KINDS = {
        "statement": {"003_s.sql": "CREATE TABLE s AS SELECT 1 AS a FROM pg_sleep(1.5);\nINSERT INTO marker VALUES "
                                   "('s');\n"},
        "commit": {"003_c.sql":
                   "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.5); "
                   "RETURN NULL; END $$;\n"
                   "CREATE TABLE c (a int);\nCREATE CONSTRAINT TRIGGER w AFTER INSERT ON c DEFERRABLE INITIALLY "
                   "DEFERRED FOR EACH ROW EXECUTE FUNCTION wait();\n"
                   "INSERT INTO c VALUES (1);\nINSERT INTO marker VALUES ('c');\n"},
    }
    MOMENTS = (("statement",
                "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%CREATE TABLE s AS%' AND state = 'active' AND pid <> "
                "pg_backend_pid()"),
               ("commit",
                "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'RESET SESSION AUTHORIZATION%' AND wait_event = "
                "'PgSleep'"))
    test_up = test_down = test_instants = None


class DeathOfMariadb(ServersDeath, KillOnMariadb):
    KINDS = {
        "alter": {"003_a.sql": "CREATE TABLE big (a INT) AS SELECT seq AS a FROM seq_1_to_20;\n"
                  "ALTER TABLE big ADD COLUMN b INT AS (a + 1) PERSISTENT, MODIFY a INT CHECK (SLEEP(0.1) = 0), "
                  "ALGORITHM=COPY;\n"
                  "INSERT INTO marker VALUES ('alter');\n"},
        "rows": {"003_r.sql": "CREATE TABLE r (a INT);\nINSERT INTO r SELECT SLEEP(1.5);\nINSERT INTO marker VALUES "
                              "('rows');\n"},
    }
    MOMENTS = (("rows",
                "SELECT 1 FROM information_schema.processlist WHERE info LIKE 'INSERT INTO r%' AND state = "
                "'User sleep'"),)
    test_up = test_down = test_instants = None


if __name__ == "__main__":
    unittest.main()
