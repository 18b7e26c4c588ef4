"""
`transhume change` on PostgreSQL: every operation from its start to its end and back, and applications of both versions
side by side.
"""
import json
import os
import sys
import threading
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import change_case
import postgres
import sql_case
import support

USERS = """CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, age text DEFAULT '0', mail varchar(80), left_at date);
CREATE TABLE posts (id int PRIMARY KEY, user_id int, title varchar(40) NOT NULL DEFAULT 'none');
CREATE INDEX users_age ON users (age, name) WHERE age IS NOT NULL;
ALTER TABLE users ADD CONSTRAINT mail_is_set CHECK (mail <> 'x');
COMMENT ON COLUMN users.age IS 'in years';
INSERT INTO users (name, age, mail) SELECT 'u' || g, (g % 90)::text, 'm' || g || '@example.org' FROM generate_series(1, 2000) g;
INSERT INTO posts SELECT g, g, 't' || g FROM generate_series(1, 500) g;
ANALYZE
"""
TEAMS = """CREATE TABLE teams (id int PRIMARY KEY, name text);
INSERT INTO teams SELECT g, 'team' || g FROM generate_series(1, 40) g;
CREATE TABLE notes (id serial PRIMARY KEY, user_id int UNIQUE REFERENCES users, body text, mood text);
INSERT INTO notes (user_id, body) SELECT g, 'note' || g FROM generate_series(1, 900) g;
ALTER TABLE users ADD COLUMN team int REFERENCES teams;
UPDATE users SET team = id % 40 + 1;
UPDATE users SET left_at = '2026-01-01' WHERE id % 3 = 0
"""


class OnPostgres(sql_case.ServerTarget, change_case.ChangeCase, support.TestCase):
    SERVERS = postgres

    def setUp(self):
        super().setUp()
        self.ask(USERS)

    def catalogue(self):
        return [self.ask(sql) for sql in change_case.CATALOGUE]

    def old(self, sql):
        return self.ask(sql)

    def new(self, sql, version=None):
        return self.ask("SET search_path = public_%s, public; %s" % (version or "%03d" % self.made, sql))

    # --- each operation

    def test_each_operation_starts_aborts_and_completes(self):
        """(operation, what holds at the end)"""
        cases = (
            ("create_table: {name: t, columns: [{name: id, type: bigint, pk: true, generated: {identity: {}}}, "
             "{name: a, type: text, unique: true}]}",
             "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 't'", "2"),
            ("rename_table: {from: posts, to: articles}",
             "SELECT to_regclass('public.articles') IS NOT NULL AND to_regclass('public.posts') IS NULL", "t"),
            ("drop_table: {name: posts}", "SELECT to_regclass('public.posts') IS NULL", "t"),
            ("set_table: {table: posts, comment: texts, options: {fillfactor: 70}}",
             "SELECT obj_description('posts'::regclass)", "texts"),
            ("add_column: {table: users, column: {name: kind, type: text, default: \"'plain'\"}}",
             "SELECT count(*) FROM users WHERE kind = 'plain'", "2000"),
            ("add_column: {table: users, column: {name: loud, type: text, check: {constraint: loud <> ''}}, "
             "up: upper(name)}",
             "SELECT count(*) FROM users WHERE loud = upper(name)", "2000"),
            ("add_column: {table: users, column: {name: token, type: uuid, default: gen_random_uuid(), "
             "unique: {name: one_token}}}",
             "SELECT count(DISTINCT token) FROM users", "2000"),
            ("drop_column: {table: users, column: mail}",
             "SELECT count(*) FROM information_schema.columns WHERE column_name = 'mail' AND table_name = 'users'",
             "0"),
            ("drop_column: {table: users, column: name, down: \"'?'\"}",
             "SELECT count(*) FROM pg_indexes WHERE indexname = 'users_age'", "0"),
            ("rename_column: {table: users, from: name, to: full_name}", "SELECT count(full_name) FROM users", "2000"),
            ("alter_column: {table: users, column: age, type: integer, up: \"nullif(age, '')::integer\", "
             "down: age::text, lossless: true}",
             "SELECT sum(age) FROM users WHERE pg_typeof(age) = 'integer'::regtype",
             str(sum(g % 90 for g in range(1, 2001)))),
            ("alter_column: {table: users, column: mail, nullable: false, up: \"coalesce(mail, '-')\", down: mail}",
             "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'mail'", "t"),
            ("alter_column: {table: users, column: mail, nullable: false}",
             "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'mail'", "t"),
            ("alter_column: {table: users, column: name, nullable: true, down: \"coalesce(name, '?')\"}",
             "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'name'", "f"),
            ("alter_column: {table: posts, column: title, default: \"'untitled'\", comment: of the post}",
             "SELECT column_default FROM information_schema.columns WHERE table_schema = 'public' AND table_name = "
             "'posts' AND column_name = 'title'", "'untitled'::character varying"),
            ("alter_column: {table: posts, column: title, default: null}",
             "SELECT column_default IS NULL FROM information_schema.columns WHERE table_schema = 'public' AND "
             "table_name = 'posts' AND column_name = 'title'", "t"),
            ("alter_column: {table: posts, column: title, unique: {name: one_title}, check: {name: long_enough, "
             "constraint: length(title) > 1}}",
             "SELECT string_agg(contype, '' ORDER BY conname) FROM pg_constraint WHERE conname IN ('one_title', "
             "'long_enough') AND convalidated", "cu"),
            ("alter_column: {table: posts, column: user_id, references: {name: by, table: users, column: id, "
             "on_delete: cascade}}",
             "SELECT convalidated FROM pg_constraint WHERE conname = 'by'", "t"),
            ("create_index: {table: posts, name: by_title, columns: [{column: title, sort: DESC, nulls: LAST}], "
             "predicate: id > 5}",
             "SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_title'::regclass", "t"),
            ("drop_index: {name: users_age}", "SELECT to_regclass('users_age') IS NULL", "t"),
            ("create_constraint: {table: posts, name: pair, type: unique, columns: [user_id, title]}",
             "SELECT contype FROM pg_constraint WHERE conname = 'pair'", "u"),
            ("create_constraint: {table: posts, name: both, type: check, columns: [title], check: length(title) < 9, "
             "up: {title: \"left(title, 8)\"}, down: {title: title}}",
             "SELECT convalidated FROM pg_constraint WHERE conname = 'both'", "t"),
            ("drop_constraint: {table: users, name: mail_is_set}",
             "SELECT count(*) FROM pg_constraint WHERE conname = 'mail_is_set'", "0"),
            ("drop_constraint: {table: users, name: mail_is_set, up: mail, down: \"nullif(mail, 'x')\"}",
             "SELECT count(*) FROM pg_constraint WHERE conname = 'mail_is_set'", "0"),
            ("rename_constraint: {table: users, from: mail_is_set, to: has_mail}",
             "SELECT count(*) FROM pg_constraint WHERE conname = 'has_mail'", "1"),
            ("set_replica_identity: {table: posts, identity: {type: full}}",
             "SELECT relreplident FROM pg_class WHERE oid = 'posts'::regclass", "f"),
            ("sql: {up: 'CREATE SEQUENCE numbers', down: 'DROP SEQUENCE numbers', lock: none}",
             "SELECT to_regclass('numbers') IS NOT NULL", "t"),
            ("sql: {up: 'CREATE SEQUENCE late', on_complete: true}", "SELECT to_regclass('late') IS NOT NULL", "t"),
        )
        for operation, sql, expected in cases:
            with self.subTest(operation):
                self.uri = self.new_target()
                self.ask(USERS)
                after = self.settled(self.change_file([operation]))
                self.assertEqual(self.ask(sql), [[expected]])
                self.assertEqual([row[1] for row in after[4]], [], "triggers")
                self.assertEqual([row for row in after[1] if "_transhume" in row[1]], [])
                self.assertEqual([row for row in after[3] if row[1] != "t"], [], "invalid indexes")

    def test_enum_values_and_partitions(self):
        self.ask("CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TABLE days (day date NOT NULL, "
                 "n int) PARTITION BY RANGE (day); "
                 "CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM ('2026-01-01') TO ('2026-02-01'); "
                 "INSERT INTO days VALUES ('2026-01-05', 1)")
        path = self.change_file(["add_enum_value: {type: mood, value: calm, before: glad}",
                                 "add_partition: {table: days, name: days_2, values: \"FROM ('2026-02-01') TO "
                                 "('2026-03-01')\"}",
                                 "drop_partition: {table: days, name: days_1, keep: true}"])
        checked = self.run_program("change", "check", path, self.uri).out
        self.assertIn("it stays after an abort", checked)
        self.change("start", path)
        self.ask("INSERT INTO days VALUES ('2026-02-05', 2)")
        self.change("complete")
        self.assertEqual(self.ask("SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder) FROM pg_enum"),
                         [["sad calm glad"]])
        self.assertEqual(self.ask("SELECT (SELECT count(*) FROM days), (SELECT count(*) FROM days_1)"), [["1", "1"]])

    def test_tables_that_follow_each_other(self):
        """(operation, what the new version writes, what the old one writes, what both see, what is there at the end)"""
        cases = (
            ("split_table: {table: users, into: contacts, columns: [mail, left_at]}",
             ("INSERT INTO users (id, name) VALUES (9001, 'new'); INSERT INTO contacts VALUES (9001, 'new@x', NULL); "
              "UPDATE contacts SET mail = 'seven@x' WHERE id = 7; "
              "DELETE FROM contacts WHERE id = 8"),
             "INSERT INTO users (id, name, mail) VALUES (9002, 'old', 'old@x'); UPDATE users SET mail = 'nine@x' WHERE "
             "id = 9; UPDATE users SET mail = NULL, left_at = NULL WHERE id = 10; DELETE FROM users WHERE id = 2000",
             ("SELECT id, mail FROM users WHERE id IN (7, 8, 9, 10, 9001, 9002) ORDER BY id",
              "SELECT id, mail FROM users LEFT JOIN contacts USING (id) WHERE id IN (7, 8, 9, 10, 9001, "
              "9002) ORDER BY id"),
             [["7", "seven@x"], ["8", None], ["9", "nine@x"], ["10", None], ["9001", "new@x"], ["9002", "old@x"]],
             "SELECT (SELECT count(*) FROM contacts), (SELECT count(*) FROM information_schema.columns WHERE "
             "table_schema = 'public' AND table_name = 'users' AND column_name IN ('mail', 'left_at'))",
             ["1999", "0"]),
            ("merge_table: {table: users, from: notes, on: user_id, columns: [body, mood]}",
             "UPDATE users SET body = 'by the new' WHERE id = 5; UPDATE users SET body = 'first' WHERE id = 950",
             "UPDATE notes SET body = 'by the old' WHERE user_id = 6; DELETE FROM notes WHERE user_id = 7; "
             "INSERT INTO notes (user_id, body) VALUES (951, 'second')",
             ("SELECT user_id, body FROM notes WHERE user_id IN (5, 6, 7, 950, 951) ORDER BY 1",
              "SELECT id, body FROM users WHERE id IN (5, 6, 950, 951) ORDER BY 1"),
             [["5", "by the new"], ["6", "by the old"], ["950", "first"], ["951", "second"]],
             "SELECT count(body), (SELECT to_regclass('notes') IS NULL) FROM users", ["901", "t"]),
            ("move_column: {from: users, to: teams, 'on': team, column: left_at}", None, None, None, None, None, None),
            ("create_junction: {table: users, column: team, references: {table: teams, column: id}, name: memberships, "
             "left: user_id, right: team_id}",
             "INSERT INTO memberships VALUES (3, 20); DELETE FROM memberships WHERE user_id = 4",
             "UPDATE users SET team = 30 WHERE id = 5; INSERT INTO users (id, name, team) VALUES (9001, 'x', 9)",
             ("SELECT id, team FROM users WHERE id IN (3, 4, 5, 9001) ORDER BY 1",
              "SELECT id, (SELECT min(team_id) FROM memberships WHERE user_id = id) FROM users WHERE id IN (3, 4, 5, "
              "9001) ORDER BY 1"),
             [["3", "4"], ["4", None], ["5", "30"], ["9001", "9"]],
             "SELECT count(*), (SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public' AND "
             "table_name = 'users' AND column_name = 'team') FROM memberships", ["2001", "0"]),
        )
        for operation, new, old, seen, expected, sql, end in cases:
            with self.subTest(operation):
                self.uri = self.new_target()
                self.ask(USERS)
                self.ask(TEAMS)
                path = self.change_file([operation])
                if new is None:   # rows of one team do not agree
                    self.assertIn("rows are not as they should be", self.change("start", path, code=5).err)
                    self.change("abort")
                    continue
                before = self.catalogue()
                self.change("start", path)
                self.change("abort")
                self.assertEqual(self.catalogue(), before)
                self.change("start", path)
                self.new(new)
                self.old(old)
                self.assertEqual(self.old(seen[0]), expected)
                self.assertEqual(self.new(seen[1]), expected)
                self.change("complete")
                self.assertEqual(self.ask(sql), [end])
                self.assertEqual(self.ask("SELECT (SELECT count(*) FROM pg_proc WHERE proname LIKE '\\_transhume%'), "
                                          "(SELECT count(*) FROM pg_trigger WHERE tgname LIKE '~%')"), [["0", "0"]])

    def test_move_a_column(self):
        self.ask("CREATE TABLE teams (id int PRIMARY KEY, name text); INSERT INTO teams SELECT g, "
                 "'team' || g FROM generate_series(1, 40) g; "
                 "ALTER TABLE users ADD COLUMN team int REFERENCES teams, ADD COLUMN city text; "
                 "UPDATE users SET team = id % 40 + 1; UPDATE users SET city = 'city' || team")
        path = self.change_file(["move_column: {from: users, to: teams, 'on': team, column: city}"])
        self.change("start", path)
        self.new("UPDATE teams SET city = 'new' WHERE id = 3; INSERT INTO users (id, name, team) VALUES (9001, 'x', 4)")
        self.old("UPDATE users SET city = 'old' WHERE id = 4")
        self.assertEqual(self.old("SELECT DISTINCT city FROM users WHERE team IN (3, 4, 5) ORDER BY 1"),
                         [["city4"], ["new"], ["old"]])
        self.assertEqual(self.new("SELECT city FROM teams WHERE id IN (3, 4, 5) ORDER BY id"),
                         [["new"], ["city4"], ["old"]])
        self.change("complete")
        self.assertEqual(self.ask("SELECT count(city) FROM teams"), [["40"]])

    def test_a_second_table_is_switched_to(self):
        operation = ("copy_table: {table: users, to: v2_users, columns: {age: \"age::int\", loud: upper(name)}, "
                     "types: {age: integer, loud: text}, "
                     "back: {age: \"age::text\"}, drop: true}")
        path = self.change_file([operation])
        before = self.catalogue()
        self.change("start", path)
        self.ask("INSERT INTO users (id, name, age) VALUES (9001, 'old', '5'); INSERT INTO v2_users (id, name, age, "
                 "loud) VALUES (9002, 'new', 6, 'NEW'); "
                 "UPDATE users SET id = 9003 WHERE id = 1; DELETE FROM v2_users WHERE id = 2")
        both = "SELECT id, name, age::text FROM %s WHERE id IN (1, 2, 9001, 9002, 9003) ORDER BY id"
        self.assertEqual(self.ask(both % "users"), [["9001", "old", "5"], ["9002", "new", "6"], ["9003", "u1", "1"]])
        self.assertEqual(self.ask(both % "v2_users"), self.ask(both % "users"))
        self.assertIn("not led over", self.change("complete", code=5).err)
        self.assertIn("reads come first", self.change("switch", "writes", code=5).err)
        self.change("switch", "reads")
        self.change("switch", "writes")
        with self.assertRaises(Exception) as refused:
            self.ask("UPDATE users SET name = 'x' WHERE id = 9001")
        self.assertIn("were led over to public.v2_users", str(refused.exception))
        self.ask("UPDATE v2_users SET name = 'second' WHERE id = 9001")
        self.assertEqual(self.ask("SELECT name FROM users WHERE id = 9001"), [["second"]])
        self.change("abort")
        self.assertEqual(self.catalogue(), before)
        self.change("start", path)
        self.change("switch", "reads")
        self.change("switch", "writes")
        self.change("complete")
        self.assertEqual(self.ask("SELECT name, age + 1, loud FROM users WHERE id = 9001"), [["second", "6", "SECOND"]])
        self.assertEqual(self.ask("SELECT to_regclass('v2_users') IS NULL"), [["t"]])

    def test_many_operations_on_one_table(self):
        path = self.change_file([
            "rename_table: {from: users, to: people}",
            "rename_column: {table: people, from: name, to: full_name}",
            "alter_column: {table: people, column: age, type: integer, up: age::integer, down: age::text}",
            "add_column: {table: people, column: {name: born, type: integer}, up: 2026 - age::integer}",
            "drop_column: {table: people, column: left_at}",
            "create_index: {table: people, name: by_age, columns: [{column: age}, {expression: lower(full_name)}]}",
            "create_table: {name: pets, columns: [{name: id, type: int, pk: true}, {name: owner, type: int, "
            "references: {table: people, column: id}}]}"])
        self.settled(path)
        self.assertEqual(self.ask("SELECT count(*) FROM people WHERE born = 2026 - age AND full_name = 'u' || id"),
                         [["2000"]])
        self.assertEqual(self.ask("SELECT pg_get_indexdef('by_age'::regclass)"),
                         [["CREATE INDEX by_age ON public.people USING btree (age, lower(full_name))"]])
        self.assertEqual(self.ask("SELECT pg_get_indexdef('users_age'::regclass)"),
                         [["CREATE INDEX users_age ON public.people USING btree (age, "
                           "full_name) WHERE (age IS NOT NULL)"]])

    # --- two versions

    def test_two_versions_read_each_others_writes(self):
        self.change("start", self.change_file([
            "alter_column: {table: users, column: age, type: integer, up: \"nullif(age, '')::integer\", "
            "down: age::text}",
            "rename_column: {table: users, from: name, to: full_name}",
            "add_column: {table: users, column: {name: loud, type: text}, up: upper(name)}",
            "drop_column: {table: users, column: mail, down: \"loud || '@x'\"}",
            "alter_column: {table: posts, column: title, default: \"'fresh'\"}",
            "rename_table: {from: posts, to: articles}"]))
        self.assertEqual(self.new("SELECT age + 1, full_name, loud FROM users WHERE id = 7"), [["8", "u7", "U7"]])
        self.assertEqual([row[0]
                          for row in self.new("SELECT column_name FROM information_schema.columns WHERE table_schema = "
                                              "'public_001' AND table_name = 'users' "
                                              "ORDER BY ordinal_position")],
                         ["id", "full_name", "age", "left_at", "loud"])
        # the old one writes
        self.old("INSERT INTO users (id, name, age) VALUES (9001, 'Ann', '41')")
        self.assertEqual(self.new("SELECT full_name, age, loud FROM users WHERE id = 9001"), [["Ann", "41", "ANN"]])
        self.old("UPDATE users SET age = '42', name = 'Anna' WHERE id = 9001")
        self.assertEqual(self.new("SELECT full_name, age, loud FROM users WHERE id = 9001"), [["Anna", "42", "ANNA"]])
        # the new one writes
        self.new("INSERT INTO users (id, full_name, age, loud) VALUES (9002, 'Bob', 17, 'HEY')")
        self.assertEqual(self.old("SELECT name, age, loud, mail FROM users WHERE id = 9002"),
                         [["Bob", "17", "HEY", "HEY@x"]])
        self.new("UPDATE users SET age = 18 WHERE id = 9002")
        self.assertEqual(self.old("SELECT name, age, loud, mail FROM users WHERE id = 9002"),
                         [["Bob", "18", "HEY", "HEY@x"]])
        self.new("UPDATE users SET full_name = 'Rob' WHERE id = 9002")
        self.assertEqual(self.old("SELECT name, loud, mail FROM users WHERE id = 9002"), [["Rob", "HEY", "HEY@x"]])
        self.new("UPDATE users SET loud = 'HO' WHERE id = 9002")
        self.assertEqual(self.old("SELECT loud, mail FROM users WHERE id = 9002"), [["HO", "HO@x"]])
        self.new("INSERT INTO articles (id) VALUES (9001)")
        self.old("INSERT INTO posts (id) VALUES (9002)")
        self.assertEqual(self.old("SELECT title FROM posts WHERE id > 9000 ORDER BY id"), [["fresh"], ["none"]])
        self.new("DELETE FROM users WHERE id = 9001")
        self.assertEqual(self.old("SELECT count(*) FROM users WHERE id = 9001"), [["0"]])
        self.change("complete")
        self.assertEqual(self.ask("SELECT full_name, age, loud FROM users WHERE id = 9002"), [["Rob", "18", "HO"]])
        self.assertEqual(self.new("SELECT full_name, age FROM users WHERE id = 9002"), [["Rob", "18"]],
                         "the new version's schema stays")

    def test_whose_write_it_is(self):
        """
        By the row first, then by the session: any search_path whose table is the new version's view, or
        transhume.version.
        """
        self.change("start",
                    self.change_file(["alter_column: {table: users, column: age, type: integer, "
                                      "up: \"coalesce(nullif(age, ''), '-1')::integer\", "
                                      "down: \"CASE WHEN age = -1 THEN '' ELSE age::text END\"}"]))
        self.ask("CREATE SCHEMA tools")
        for number, (how, expected) in enumerate((
                ("SET search_path = tools, public_001, pg_catalog, public; INSERT INTO users (id, name, "
                 "age) VALUES (%d, 'a', NULL)", [[None, None]]),
                ("SET transhume.version = '001'; INSERT INTO public_001.users (id, name, age) VALUES (%d, 'a', NULL)",
                 [[None, None]]),
                ("INSERT INTO public_001.users (id, name, age) VALUES (%d, 'a', 5)", [["5", "5"]]),
                ("INSERT INTO users (id, name, age) VALUES (%d, 'a', NULL)", [[None, "-1"]]),
                ("INSERT INTO users (id, name, age) VALUES (%d, 'a', '')", [["", "-1"]])), 9000):
            self.ask(how % number)
            self.assertEqual(self.ask("SELECT o.age, n.age FROM public.users o JOIN public_001.users n USING (id) "
                                      "WHERE id = %d" % number), expected, how)

    def test_the_version_after_the_next(self):
        """
        Applications that look in the last version's schema go on there while the next change is under way, and lose it
        with its end.
        """
        self.change("run", self.change_file(["rename_column: {table: users, from: name, to: full_name}"]))
        self.change("start",
                    self.change_file(["alter_column: {table: users, column: age, type: integer, up: age::integer, "
                                      "down: age::text}"]))
        self.new("INSERT INTO users (id, full_name, age) VALUES (9001, 'old', '5')", "001")
        self.assertEqual(self.new("SELECT age + 1 FROM users WHERE id = 9001"), [["6"]])
        self.new("UPDATE users SET age = 7 WHERE id = 9001")
        self.assertEqual(self.new("SELECT age FROM users WHERE id = 9001", "001"), [["7"]])
        self.change("complete")
        self.assertEqual(self.ask("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'public%' ORDER BY 1"),
                         [["public"], ["public_002"]])

    def test_roles_may_in_the_new_version_what_they_may_in_the_old(self):
        self.ask("DROP ROLE IF EXISTS change_app; CREATE ROLE change_app LOGIN; GRANT SELECT, INSERT, "
                 "UPDATE ON users TO change_app; GRANT USAGE ON SEQUENCE users_id_seq TO change_app")
        self.change("start",
                    self.change_file(["alter_column: {table: users, column: age, type: integer, up: age::integer, "
                                      "down: age::text}"]))
        self.new("SET ROLE change_app; INSERT INTO users (name, age) VALUES ('app', 3); "
                 "UPDATE users SET age = 4 WHERE name = 'app'")
        self.assertEqual(self.old("SET ROLE change_app; SELECT age FROM users WHERE name = 'app'"), [["4"]])
        with self.assertRaises(Exception):
            self.new("SET ROLE change_app; SELECT * FROM posts")
        self.change("abort")
        self.ask("DROP OWNED BY change_app; DROP ROLE change_app")

    # --- what other roles, types and constraints need

    def attempt(self, command, *arguments, env=None):
        """A command that may fail, or kill itself."""
        extra = ("--confirm",) if command == "complete" else ()
        return support.transhume("change", command, *arguments, self.uri, *extra, cwd=self.folder, env=env)

    def role(self, name, *grants):
        self.ask("DO $$ BEGIN IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '%s') THEN DROP OWNED BY %s; "
                 "DROP ROLE %s; END IF; END $$; CREATE ROLE %s LOGIN" % ((name,) * 4))
        for grant in grants:
            self.ask(grant + " TO " + name)

    def test_roles_that_own_nothing_write_on(self):
        """
        Each operation with triggers, by a role that has only its privileges on the old tables; nothing is granted to
        PUBLIC.
        """
        cases = (
            ("split_table: {table: users, into: contacts, columns: [mail]}", "contacts",
             "SELECT mail FROM contacts WHERE id = 9001"),
            ("create_junction: {table: users, column: team, references: {table: teams, column: id}, name: memberships, "
             "left: user_id, right: team_id}", "memberships",
             "SELECT team_id FROM memberships WHERE user_id = 9001"),
            ("move_column: {from: users, to: teams, 'on': team, column: city}", "teams", "SELECT count(*) FROM teams"),
            ("merge_table: {table: users, from: notes, on: user_id, columns: [body]}", "users",
             "SELECT count(*) FROM users WHERE id = 9001"),
            ("copy_table: {table: users, to: second, columns: {age: \"age::int\"}, types: {age: integer}, "
             "back: {age: \"age::text\"}}", "second", "SELECT age FROM second WHERE id = 9001"),
            ("alter_column: {table: users, column: age, type: integer, up: age::integer, down: age::text}", "users",
             "SELECT age + 0 FROM users WHERE id = 9001"),
        )
        for operation, made, seen in cases:
            with self.subTest(operation):
                self.uri = self.new_target()
                self.ask(USERS)
                self.ask(TEAMS)
                self.ask("REVOKE ALL ON SCHEMA public FROM PUBLIC; ALTER TABLE users ADD COLUMN city text; "
                         "UPDATE users SET city = 'c' || team")
                self.role("change_app", "GRANT USAGE ON SCHEMA public",
                          "GRANT SELECT, INSERT, UPDATE, DELETE ON users, teams, notes",
                          "GRANT USAGE ON SEQUENCE users_id_seq, notes_id_seq")
                self.change("start", self.change_file([operation]))
                self.old("SET ROLE change_app; INSERT INTO users (id, name, mail, age, team) VALUES (9001, 'app', "
                         "'app@x', '7', 3); UPDATE users SET mail = 'app@y', age = '8' WHERE id = 9001; "
                         "UPDATE users SET team = 4 WHERE id = 9001; UPDATE notes SET body = 'by the app' WHERE "
                         "user_id = 5; DELETE FROM users WHERE id = 2000")
                self.assertEqual(len(self.new("SET ROLE change_app; " + seen)), 1)
                if made == "second":
                    self.change("switch", "reads")
                    self.change("switch", "writes")
                self.change("complete")
                self.ask("SET ROLE change_app; SELECT * FROM %s LIMIT 1" % made)
                self.ask("DROP OWNED BY change_app")

    def test_owners_and_roles_of_another_schema(self):
        """
        A schema of its own without PUBLIC: its owner, a table's owner and a role with privileges on columns, none of
        them the one that makes the change.
        """
        self.role("change_owner")
        self.role("change_reader")
        self.ask("CREATE SCHEMA app AUTHORIZATION change_owner; CREATE TABLE app.t (id int PRIMARY KEY, "
                 "s text COLLATE \"C\" DEFAULT 'x', secret text); ALTER TABLE app.t OWNER TO change_owner; "
                 "INSERT INTO app.t VALUES (1, '5', 'hidden'); GRANT USAGE ON SCHEMA app TO change_reader; "
                 "GRANT SELECT, UPDATE (s) ON app.t TO change_reader; "
                 "CREATE TABLE app.other (id int); ALTER TABLE app.other OWNER TO change_owner")
        uri = self.uri
        self.uri += "?schema=app"
        try:
            self.change("start",
                        self.change_file(
                            ["alter_column: {table: t, column: s, up: s || '!', down: \"rtrim(s, '!')\"}"]))
            self.ask("SET ROLE change_owner; SET search_path = app; INSERT INTO t VALUES (2, '6', 'hidden')")
            self.ask("SET ROLE change_reader; SET search_path = app; UPDATE t SET s = '7' WHERE id = 1")
            self.assertEqual(self.ask("SET ROLE change_reader; SET search_path = app_001; SELECT s FROM t ORDER BY id"),
                             [["7!"], ["6!"]])
            self.ask("SET ROLE change_reader; SET search_path = app_001; UPDATE t SET s = '8!' WHERE id = 1")
            with self.assertRaises(Exception):
                self.ask("SET ROLE change_reader; SET search_path = app_001; UPDATE t SET secret = ''")
            self.ask("SET ROLE change_owner; SET search_path = app_001; INSERT INTO t VALUES (3, '9!', 'hidden'); "
                     "INSERT INTO other VALUES (1)")
            self.assertEqual(self.ask("SELECT s FROM app.t ORDER BY id"), [["8"], ["6"], ["9"]])
            self.change("complete")
            self.ask("SET ROLE change_reader; UPDATE app.t SET s = '10!' WHERE id = 3")
            self.assertEqual(self.ask("SELECT s FROM app.t ORDER BY id"), [["8!"], ["6!"], ["10!"]])
            self.assertEqual(self.ask("SELECT collname FROM pg_attribute JOIN pg_collation c ON c.oid = attcollation "
                                      "WHERE attrelid = 'app.t'::regclass AND attname = 's'"), [["C"]])
        finally:
            self.uri = uri
            self.ask("DROP OWNED BY change_reader, change_owner CASCADE; DROP ROLE change_owner, change_reader")

    def test_values_that_their_type_calls_equal(self):
        self.ask("CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false); "
                 "CREATE TABLE v (id int PRIMARY KEY, n numeric, c char(6), i interval, j jsonb, "
                 "k text COLLATE nocase); INSERT INTO v VALUES (1, 1.0, 'a', '1 day', '1.0', 'Bob')")
        self.change("start",
                    self.change_file(["alter_column: {table: v, column: n, type: text, up: n::text, down: n::numeric}",
                                      "alter_column: {table: v, column: i, type: text, up: i::text, down: i::interval}",
                                      "alter_column: {table: v, column: j, type: json, up: j::json, down: j::jsonb}",
                                      "alter_column: {table: v, column: k, up: k || '', down: k}",
                                      "alter_column: {table: v, column: c, type: char(9), up: c, down: c}"]))
        self.old("UPDATE v SET n = 1.00, i = '24 hours', j = '1.00', k = 'bob'")
        self.assertEqual(self.new("SELECT n, i, j, k, c FROM v"), [["1.00", "24:00:00", "1.00", "bob", "a        "]])
        self.change("complete")
        self.assertEqual(self.ask("SELECT n, i, j, k FROM v"), [["1.00", "24:00:00", "1.00", "bob"]])

    def test_a_length_never_cuts_a_value(self):
        self.ask("CREATE TABLE w (id int PRIMARY KEY, a varchar(20), b text); INSERT INTO w VALUES (1, "
                 "'longer than five', 'x')")
        failed = self.attempt("start", self.change_file(["alter_column: {table: w, column: a, type: varchar(5)}"]))
        self.assertIn("value too long for type character varying(5)", failed.err)
        self.change("abort")
        self.change("start",
                    self.change_file(["alter_column: {table: w, column: a, type: varchar(5), up: \"left(a, 5)\", "
                                      "down: a}"]))
        self.assertEqual(self.new("SELECT a FROM w"), [["longe"]])

    def test_a_row_goes_to_another_partition(self):
        self.ask("CREATE TABLE p (id int, part int, a int, PRIMARY KEY (id, part)) PARTITION BY LIST (part); "
                 "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); "
                 "CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2); INSERT INTO p VALUES (1, 1, 7), (2, 1, 0)")
        self.change("start",
                    self.change_file(["alter_column: {table: p, column: a, type: \"numeric(6,2)\", up: a, "
                                      "down: \"coalesce(a, 0)::int\"}"]))
        self.new("UPDATE p SET a = 7.45 WHERE id = 1; UPDATE p SET a = NULL WHERE id = 2")
        self.old("UPDATE p SET part = 2")
        self.assertEqual(self.new("SELECT id, part, a FROM p ORDER BY id"), [["1", "2", "7.45"], ["2", "2", None]])
        self.old("UPDATE p SET part = 1, a = 9 WHERE id = 1")
        self.assertEqual(self.new("SELECT part, a FROM p WHERE id = 1"), [["1", "9.00"]])

    def test_the_new_version_gives_no_default_of_a_column_that_moved(self):
        self.ask(TEAMS)
        self.ask("ALTER TABLE users ADD COLUMN city text DEFAULT 'std', ADD COLUMN tone text NOT NULL DEFAULT 'plain'; "
                 "UPDATE users SET city = 'city' || team")
        path = self.change_file(["move_column: {from: users, to: teams, 'on': team, column: city}",
                                 "split_table: {table: users, into: tones, columns: [tone]}"])
        self.change("start", path)
        self.new("INSERT INTO users (id, name, team) VALUES (9001, 'x', 3); INSERT INTO tones VALUES (9001, 'loud')")
        self.assertEqual(self.ask("SELECT DISTINCT city FROM public.users WHERE team = 3 UNION ALL SELECT city FROM "
                                  "teams WHERE id = 3"), [["city3"], ["city3"]])
        self.old("UPDATE users SET team = 4 WHERE id = 2; INSERT INTO users (id, name, team) VALUES (9002, 'y', 5)")
        self.assertEqual(self.old("SELECT id, city, tone FROM users WHERE id IN (2, 9001, 9002) ORDER BY id"),
                         [["2", "city4", "plain"], ["9001", "city3", "loud"], ["9002", "city5", "plain"]])
        self.new("INSERT INTO users (id, name) VALUES (9003, 'z')")
        self.change("abort")
        self.assertEqual(self.ask("SELECT tone FROM users WHERE id = 9003"), [["plain"]])
        self.assertEqual(self.ask("SELECT attnotnull FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname "
                                  "= 'tone'"), [["t"]])
        self.change("start", path)
        self.change("complete")
        self.assertEqual(self.ask("SELECT tone FROM tones WHERE id = 9003"), [["plain"]])

    def test_tables_that_follow_contract_together(self):
        """
        Killed behind each commit of `complete`, no write that is accepted is gone, and none fails that could be made
        before.
        """
        for operation, fence in (("split_table: {table: users, into: contacts, columns: [mail]}", False),
                                 ("copy_table: {table: posts, to: second, drop: true}", True)):
            with self.subTest(operation):
                self.uri = self.new_target()
                self.ask(USERS)
                self.change("start", self.change_file([operation]))
                if fence:
                    self.change("switch", "reads")
                    self.change("switch", "writes")
                row = 9000
                for _ in range(12):
                    killed = self.attempt("complete", env={"TRANSHUME_FAILPOINT": "change.after_commit:kill"})
                    row += 1
                    if fence:
                        try:
                            self.ask("INSERT INTO posts (id, title) VALUES (%d, 'x')" % row)
                        except Exception:
                            row -= 1
                    else:
                        self.new("UPDATE contacts SET mail = 'k%d' WHERE id = 7" % row)
                    if killed.code == 0:
                        break
                else:
                    self.change("complete")
                expected = [[str(row - 9000)]] if fence else [["k%d" % row]]
                self.assertEqual(self.ask("SELECT count(*) FROM posts WHERE id > 9000" if fence
                                          else "SELECT mail FROM contacts WHERE id = 7"), expected)

    def test_an_abort_drops_no_row_of_a_second_table(self):
        """Killed behind each commit of `abort`: a row that the second table takes is in the first one, too."""
        self.change("start", self.change_file(["copy_table: {table: posts, to: second}"]))
        row, taken = 9000, 0
        for _ in range(12):
            killed = self.attempt("abort", env={"TRANSHUME_FAILPOINT": "change.after_commit:kill"})
            row += 1
            try:
                self.ask("INSERT INTO second (id, title) VALUES (%d, 'x')" % row)
                taken += 1
            except Exception:
                pass
            self.ask("INSERT INTO posts (id, title) VALUES (%d, 'y')" % (row + 1000))
            if killed.code == 0:
                break
        else:
            self.change("abort")
        self.assertEqual(self.ask("SELECT count(*) FROM posts WHERE id BETWEEN 9001 AND 10000"), [[str(taken)]])

    def test_constraints_go_along(self):
        self.ask("ALTER TABLE users ADD UNIQUE (mail); CREATE INDEX by_left ON users (left_at) WHERE left_at > "
                 "'2020-01-01'")
        self.change("run", self.change_file(["split_table: {table: users, into: contacts, columns: [mail, left_at]}"]))
        self.assertEqual(self.ask("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = "
                                  "'contacts'::regclass AND contype IN ('c', 'u') ORDER BY 1"),
                         [["CHECK (((mail)::text <> 'x'::text))"], ["UNIQUE (mail)"]])
        self.assertEqual(self.ask("SELECT count(*) FROM pg_indexes WHERE tablename = 'contacts' AND indexdef LIKE "
                                  "'%left_at > %'"), [["1"]])
        self.ask("DROP SCHEMA public_001 CASCADE; ALTER TABLE posts ADD FOREIGN KEY (user_id) REFERENCES users")
        self.role("change_app", "GRANT SELECT ON posts")
        self.change("start", self.change_file(["copy_table: {table: posts, to: second, drop: true}",
                                               "create_constraint: {table: users, name: late, type: unique, "
                                               "columns: [age, name], deferrable: true, initially_deferred: true}"]))
        self.change("switch", "reads")
        self.change("switch", "writes")
        self.change("complete")
        self.assertEqual(self.ask("SELECT (SELECT count(*) FROM pg_constraint WHERE conrelid = 'posts'::regclass AND "
                                  "contype = 'f'), has_table_privilege('change_app', 'posts', 'select'), "
                                  "(SELECT condeferrable AND condeferred FROM pg_constraint WHERE conname = 'late')"),
                         [["1", "t", "t"]])
        self.ask("DROP OWNED BY change_app; DROP ROLE change_app")

    def test_an_abort_keeps_rows_of_a_new_partition(self):
        self.ask("CREATE TABLE p (a int) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO "
                 "(10); INSERT INTO p VALUES (1)")
        self.change("start", self.change_file(["add_partition: {table: p, name: p2, values: FROM (10) TO (20)}"]))
        self.old("INSERT INTO p VALUES (15)")
        self.assertIn('the partition "public"."p2" has rows', self.attempt("abort").err)
        self.assertEqual(self.ask("SELECT count(*) FROM p"), [["2"]])
        self.ask("DELETE FROM p WHERE a = 15")
        self.change("abort")

    def test_a_partition_beside_a_default_one_and_one_that_is_pending(self):
        self.ask("CREATE TABLE p (a int) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO "
                 "(10); CREATE TABLE rest PARTITION OF p DEFAULT; INSERT INTO p VALUES (1), (99); "
                 "CREATE TABLE q (a int) PARTITION BY RANGE (a); CREATE TABLE q1 PARTITION OF q FOR VALUES FROM (0) TO "
                 "(10); INSERT INTO q VALUES (1)")
        self.change("run", self.change_file(["drop_partition: {table: p, name: p1, keep: true}"]))
        self.change("start", self.change_file(["drop_partition: {table: q, name: q1, keep: true}"]))
        reader = self.server.session(self.database)
        reader.ask("BEGIN; SELECT count(*) FROM q")
        self.ask_failing("SET statement_timeout = 500; ALTER TABLE q DETACH PARTITION q1 CONCURRENTLY")
        reader.close()
        self.assertEqual(self.ask("SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = 'q1'::regclass"), [["t"]])
        self.assertNotEqual(self.attempt("complete").code, 0)
        self.change("complete")
        self.assertEqual(self.ask("SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM p1), "
                                  "(SELECT count(*) FROM q), (SELECT count(*) FROM q1)"), [["1", "1", "0", "1"]])

    def ask_failing(self, sql):
        with self.assertRaises(Exception):
            self.ask(sql)

    def test_values_by_settings_of_the_session(self):
        self.ask("CREATE TABLE s (id int PRIMARY KEY, d date, z timestamptz); INSERT INTO s VALUES (1, '2026-06-02', "
                 "'2026-06-01 23:00+00')")
        self.change("start",
                    self.change_file(["alter_column: {table: s, column: d, type: text, up: d::text, down: d::date, "
                                      "lossless: true}",
                                      "alter_column: {table: s, column: z, type: date, up: z::date, "
                                      "down: z::timestamptz}"]))
        self.old("SET datestyle = 'German, DMY'; SET timezone = 'Asia/Tokyo'; UPDATE s SET d = '2026-06-03', "
                 "z = '2026-06-01 23:00+00'; INSERT INTO s VALUES (2, '2026-06-03', '2026-06-01 23:00+00')")
        self.assertEqual(len(self.ask("SELECT DISTINCT _transhume_new_d, _transhume_new_z, z FROM s")), 1)
        self.change("complete")

    def test_an_abort_stops_at_rows_that_the_old_version_can_not_have(self):
        self.ask("ALTER TABLE users ADD COLUMN must text; UPDATE users SET must = 'm' || id; "
                 "ALTER TABLE users ALTER must SET NOT NULL")
        self.change("start", self.change_file(["split_table: {table: users, into: musts, columns: [must]}"]))
        self.new("INSERT INTO users (id, name) VALUES (9001, 'x')")
        self.assertIn("have no value for", self.attempt("abort").err)
        self.old("UPDATE users SET must = 'given' WHERE id = 9001; UPDATE users SET must = 'still' WHERE id = 7")
        self.change("abort")
        self.assertEqual(self.ask("SELECT (SELECT attnotnull FROM pg_attribute WHERE attrelid = 'users'::regclass AND "
                                  "attname = 'must'), count(must) FROM users"), [["t", "2001"]])

    def test_row_security(self):
        """Who would not see all rows can't make a change; who may see some sees these in the new version, too."""
        self.role("change_maker")
        self.role("change_tenant")
        self.ask("CREATE TABLE tenants (id int PRIMARY KEY, who text, v text); INSERT INTO tenants VALUES (1, "
                 "'change_tenant', '1'), (2, 'other', '2'); ALTER TABLE tenants OWNER TO change_maker; "
                 "ALTER TABLE tenants ENABLE ROW LEVEL SECURITY; ALTER TABLE tenants FORCE ROW LEVEL SECURITY; "
                 "CREATE POLICY own ON tenants USING (who = current_user); "
                 "GRANT SELECT, UPDATE ON tenants TO change_tenant; GRANT CREATE ON DATABASE %s TO change_maker; "
                 "GRANT CREATE ON SCHEMA public TO change_maker" % self.database)
        path = self.change_file(["alter_column: {table: tenants, column: v, type: int}"])
        self.assertIn("postgres@", self.uri)
        uri, self.uri = self.uri, self.uri.replace("postgres@", "change_maker@")
        try:
            self.assertIn("row security hides rows of tenants", self.change("check", path, code=5).err)
        finally:
            self.uri = uri
        self.change("start", path)
        self.assertEqual(self.new("SET ROLE change_tenant; UPDATE tenants SET v = 5; SELECT id, v FROM tenants"),
                         [["1", "5"]])
        self.change("complete")
        self.assertEqual(self.ask("SELECT id, v FROM tenants ORDER BY id"), [["1", "5"], ["2", "2"]])
        self.ask("DROP OWNED BY change_maker, change_tenant CASCADE; DROP ROLE change_maker, change_tenant")

    def test_names_that_need_quotes(self):
        self.ask("CREATE TABLE \"My Users\" (\"Id\" int PRIMARY KEY, \"it's\" text UNIQUE, "
                 "\"100%\" text NOT NULL DEFAULT 'a''b', n text COLLATE \"C\"); INSERT INTO \"My Users\" VALUES (1, "
                 "'x', 'y', '5'); "
                 "GRANT SELECT, INSERT, UPDATE (n) ON \"My Users\" TO pg_monitor")
        for operation, sql, expected in (
                ("split_table: {table: My Users, into: The Part, columns: [\"it's\", 100%]}",
                 'SELECT "Id", "it\'s", "100%" FROM "The Part"', [["1", "x", "y"], ["2", "p", "a'b"]]),
                ("copy_table: {table: My Users, to: The Copy}", 'SELECT "Id", "it\'s", "100%" FROM "The Copy"',
                 [["1", "x", "y"], ["2", "p", "a'b"]]),
                ("alter_column: {table: My Users, column: n, type: integer}",
                 'SELECT "Id", _transhume_new_n FROM "My Users"', [["1", "5"], ["2", "6"]])):
            with self.subTest(operation):
                self.change("start", self.change_file([operation]))
                self.old("INSERT INTO \"My Users\" (\"Id\", \"it's\", n) VALUES (2, 'p', '6')")
                self.assertEqual(self.ask(sql + " ORDER BY 1"), expected)
                self.change("abort")
                self.ask('DELETE FROM "My Users" WHERE "Id" = 2')

    def test_names_in_a_ring(self):
        self.ask("CREATE TABLE r (b int, a int); INSERT INTO r VALUES (5, 6)")
        self.change("run", self.change_file(["rename_column: {table: r, from: b, to: c}",
                                             "rename_column: {table: r, from: a, to: b}",
                                             "rename_column: {table: r, from: c, to: a}",
                                             "create_constraint: {table: r, name: both, type: check, columns: [a], "
                                             "check: a < 6 AND b > 5}"]))
        self.assertEqual(self.ask("SELECT a, b, pg_get_constraintdef((SELECT oid FROM pg_constraint WHERE conname = "
                                  "'both')) FROM r"), [["5", "6", "CHECK (((a < 6) AND (b > 5)))"]])

    def test_what_can_not_be_carried_is_refused(self):
        self.ask("CREATE TABLE g (id int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a * 2) STORED, "
                 "i int GENERATED ALWAYS AS IDENTITY, n text NOT NULL, b int, UNIQUE (a, b)); "
                 "CREATE TABLE heir () INHERITS (g); CREATE TABLE plain (id int PRIMARY KEY, a int, "
                 "g int GENERATED ALWAYS AS (a * 2) STORED, n text NOT NULL, b int, UNIQUE (a, b)); "
                 "CREATE TABLE numbered (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY); "
                 "CREATE TABLE ruled (id int PRIMARY KEY); ALTER TABLE ruled ENABLE ROW LEVEL SECURITY; "
                 "CREATE DOMAIN small AS int CHECK (value < 100); CREATE VIEW seen AS SELECT mail FROM users; "
                 "CREATE FUNCTION twice() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.b := NEW.a * 2; RETURN NEW; "
                 "END'; CREATE TABLE fired (id int PRIMARY KEY, a int, b int); "
                 "CREATE TRIGGER twice BEFORE INSERT OR UPDATE ON fired FOR EACH ROW EXECUTE FUNCTION twice(); "
                 "CREATE TABLE late (id int PRIMARY KEY, a int); "
                 "CREATE TRIGGER \"\u00e4rger\" BEFORE INSERT ON late FOR EACH ROW EXECUTE FUNCTION twice(); "
                 "CREATE TABLE known (id int PRIMARY KEY); ALTER TABLE known REPLICA IDENTITY USING INDEX "
                 "known_pkey; "
                 "CREATE TABLE pf (a int, u int REFERENCES users) PARTITION BY LIST (a)")
        before = self.catalogue()
        for operation, code, words in (
                ("add_column: {table: plain, column: {name: h, type: int, nullable: true}, up: g + 1}", 5,
                 "g is a generated column"),
                ("add_column: {table: plain, column: {name: h, type: text, nullable: true}, up: tableoid::text}", 5,
                 "a system column"),
                ("add_column: {table: plain, column: {name: h, type: text, nullable: true}, up: plain::text}", 5,
                 "a whole row"),
                ("add_column: {table: plain, column: {name: h, type: int, nullable: true}, up: max(a)}", 5,
                 "more than one row"),
                ("add_column: {table: g, column: {name: h, type: int}, up: a}", 5, "inherit"),
                ("add_column: {table: plain, column: {name: h, type: small}, up: a}", 5,
                 "the domain small has the constraint small_check"),
                ("alter_column: {table: plain, column: b, type: small}", 5, "the domain small"),
                ("split_table: {table: plain, into: part, columns: [b]}", 5,
                 "the constraint plain_a_b_key of plain would be gone"),
                ("split_table: {table: users, into: part, columns: [mail]}", 5, "stands on users.mail"),
                ("copy_table: {table: numbered, to: second}", 5, "the identity id"),
                ("copy_table: {table: ruled, to: second}", 5, "row security"),
                ("copy_table: {table: fired, to: second}", 5, "the trigger twice"),
                ("copy_table: {table: posts, to: second, columns: {title: title + nosuch}}", 2, "nosuch"),
                ("copy_table: {table: posts, to: second, columns: {zzz: '1'}}", 2, "has no column zzz"),
                ("copy_table: {table: posts, to: second, back: {title: nosuch}}", 2, "nosuch"),
                ("create_constraint: {table: posts, name: k, type: check, columns: [title], check: title <> '', "
                 "up: {zzz: '1'}}", 2, "zzz is not one of its columns"),
                ("drop_constraint: {table: users, name: mail_is_set, up: {zzz: '1'}}", 2,
                 "zzz is not one of its columns"),
                ("create_constraint: {table: posts, name: k, type: check, columns: [title], check: nosuch > 1}", 2,
                 "nosuch"),
                ("create_index: {table: posts, name: k, columns: [{expression: lower(}]}", 2, "syntax error"),
                ("alter_column: {table: fired, column: a, type: bigint}", 5, "the trigger twice with the function"),
                ("alter_column: {table: pf, column: u, type: bigint}", 5, "can't be proved"),
                ("add_column: {table: users, column: {name: k, type: int int, nullable: true}, up: '1'}", 2,
                 "syntax error")):
            with self.subTest(operation):
                self.assertIn(words, self.change("check", self.change_file([operation]), code=code).err)
        self.assertEqual(self.catalogue(), before)

    # --- writers meanwhile

    def test_a_type_whose_operators_are_of_another_schema(self):
        """Each form is compared by the operators of its own type."""
        self.ask("CREATE EXTENSION IF NOT EXISTS citext; CREATE TABLE loose (id int PRIMARY KEY, a citext, b text); "
                 "INSERT INTO loose VALUES (1, 'A', 'x'), (2, 'b', NULL)")
        self.change("start",
                    self.change_file(["alter_column: {table: loose, column: a, type: text, up: a::text, "
                                      "down: a::citext, lossless: true}",
                                      "alter_column: {table: loose, column: b, type: citext, up: b::citext, "
                                      "down: b::text, lossless: true}"]))
        self.change("complete")
        self.assertEqual(self.ask("SELECT pg_typeof(a)::text, pg_typeof(b)::text FROM loose LIMIT 1"),
                         [["text", "citext"]])

    def test_writers_while_rows_are_filled(self):
        """Each row is at its end what its last writer made of it, in both versions."""
        self.ask("CREATE TABLE load (id int PRIMARY KEY, n text NOT NULL, other int DEFAULT 0); "
                 "INSERT INTO load SELECT g, g::text FROM generate_series(1, 60000) g; ANALYZE load")
        path = self.change_file(["alter_column: {table: load, column: n, type: bigint, up: n::bigint * 10, "
                                 "down: \"(n / 10)::text\", lossless: true}"])
        stop, failures = threading.Event(), []

        def write(number):
            try:
                session = self.server.session(self.database)
                step = 0
                while not stop.is_set():
                    step += 1
                    row = (number * 7919 + step * 104729) % 60000 + 1
                    session.ask("UPDATE load SET n = (n::bigint + 1)::text, "
                                "other = other + 1 WHERE id = %d RETURNING id" % row)
                    session.ask("INSERT INTO load VALUES (%d, '7') RETURNING id" % (1000000 * (number + 1) + step))
                session.close()
            except Exception as fault:
                failures.append(fault)
        writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
        for writer in writers:
            writer.start()
        try:
            self.change("start", path, "--batch-time", "20ms")
        finally:
            stop.set()
            for writer in writers:
                writer.join()
        self.assertEqual(failures, [])
        self.assertGreater(int(self.ask("SELECT count(*) FROM load WHERE id > 60000")[0][0]), 10)
        self.assertEqual(self.ask("SELECT count(*) FROM load WHERE n::bigint * 10 IS DISTINCT FROM _transhume_new_n"),
                         [["0"]])
        self.assertEqual(self.ask("SELECT count(*) FROM load WHERE id <= 60000 AND n::bigint <> id + other"), [["0"]])
        self.change("complete")

    def test_tables_without_a_key(self):
        self.ask("CREATE TABLE loose (a int, b text); INSERT INTO loose SELECT g % 7, g::text FROM generate_series(1, "
                 "20000) g; ANALYZE loose")
        self.settled(
            self.change_file(["alter_column: {table: loose, column: b, type: int, up: b::int, down: b::text}"]))
        self.assertEqual(self.ask("SELECT count(*), sum(b) FROM loose"), [["20000", "200010000"]])

    # --- what is refused, and what is found

    def test_rows_that_do_not_hold_are_named_before_anybody_is_shut_out(self):
        path = self.change_file(["alter_column: {table: users, column: mail, nullable: false}"])
        self.ask("UPDATE users SET mail = NULL WHERE id IN (1500, 1700)")
        failed = self.change("start", path, code=5)
        self.assertIn("2 of 2000 rows are not as they should be, the first one users 1500", failed.err)
        self.ask("INSERT INTO users (name) VALUES ('writers go on')")
        self.assertEqual(self.state(), [("001", "starting")])
        self.ask("UPDATE users SET mail = '-' WHERE mail IS NULL")
        self.change("start", path)
        self.change("complete")

    def test_a_row_whose_value_fails_is_named(self):
        """What is ahead of it is filled by then; a table without a key has its pages."""
        self.ask("DROP INDEX users_age; UPDATE users SET age = 'old' WHERE id = 1234; CREATE TABLE heap (a text); "
                 "INSERT INTO heap SELECT g FROM generate_series(1, 900) g; INSERT INTO heap VALUES ('x')")
        path = self.change_file(["alter_column: {table: users, column: age, type: int, up: age::int, down: age::text}"])
        for _ in range(2):
            failed = self.change("start", path, code=3)
            self.assertIn("fill users: the row with the key (1234) does not fit the new schema: PostgreSQL says: "
                          "invalid input syntax for type integer: \"old\"", failed.err)
        self.assertEqual(self.ask("SELECT count(*) FROM users WHERE _transhume_new_age IS NOT NULL AND id < 1234"),
                         [["1233"]])
        self.ask("UPDATE users SET age = '5' WHERE id = 1234")
        self.change("start", path)
        self.change("complete")
        heap = self.change_file(["add_column: {table: heap, column: {name: n, type: int}, up: a::int}"])
        self.assertRegex(self.change("start", heap, code=3).err,
                         r"fill heap: a row of page \d+ does not fit the new schema")
        self.ask("DELETE FROM heap WHERE a = 'x'")
        self.change("start", heap)

    def test_a_lost_value_keeps_it_from_being_completed(self):
        path = self.change_file(["alter_column: {table: users, column: age, type: numeric, up: age::numeric, "
                                 "down: \"round(age)::text\", lossless: true}"])
        self.change("start", path)
        self.new("UPDATE users SET age = 1.5 WHERE id = 3")
        self.assertIn("the first one users 3", self.change("complete", code=5).err)
        self.assertEqual(self.state(), [("001", "started")])
        self.new("UPDATE users SET age = 2 WHERE id = 3")
        self.change("complete")

    def test_refusals_touch_nothing(self):
        self.ask("CREATE VIEW seen AS SELECT age FROM users; CREATE TABLE child (u int REFERENCES users); "
                 "CREATE TABLE numbered (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY)")
        before = self.catalogue()
        for operation, code, words in (
                ("add_column: {table: users, column: {name: age, type: int}}", 2, "users has a column age"),
                ("add_column: {table: users, column: {name: k, type: int}}", 2,
                 "is NOT NULL, and has neither a default nor `up`"),
                ("add_column: {table: users, column: {name: k, type: int}, up: nam || 1}", 2,
                 'column "nam" does not exist'),
                ("add_column: {table: users, column: {name: k, type: integr, nullable: true}, up: \"1\"}", 2, "integr"),
                ("add_column: {table: nowhere, column: {name: k, type: int, nullable: true}}", 2,
                 "there is no table nowhere"),
                ("add_colum: {table: users}", 2, "did you mean 'add_column'"),
                ("add_column: {table: users, colum: {}}", 2, "add_column has no 'colum'"),
                ("drop_column: {table: users, column: name}", 5, "need `down`"),
                ("drop_column: {table: users, column: age}", 5, "stands on users.age"),
                ("drop_column: {table: users, column: id}", 5, "child_u_fkey"),
                ("alter_column: {table: users, column: age, type: int, up: age::int, down: age::text}", 5,
                 "stands on users.age"),
                ("alter_column: {table: users, column: name, nullable: true}", 5, "the old version can't read NULL"),
                ("alter_column: {table: numbered, column: id, type: bigint}", 5, "is an identity"),
                ("drop_table: {name: users}", 5, "drop it first"),
                ("sql: {up: 'SELECT 1'}", 5, "without `down`"),
                ("create_index: {table: users, name: users_age, columns: [{column: name}]}", 2,
                 "there is an index users_age already"),
                ("create_table: {name: users, columns: [{name: id, type: int}]}", 2, "users is there already"),
                ("create_table: {name: t, columns: [{name: id, type: nothing}]}", 2, "nothing"),
                ("drop_index: {name: users_pkey}", 2, "drop_constraint drops both"),
                ("set_table: {table: users, options: {fillfactr: 70}}", 2, "fillfactr"),
                ("set_table: {table: users, options: {fillfactor: 7}}", 2, "out of bounds"),
                ("alter_column: {table: users, column: left_at, default: \"'never'\"}", 2, "never"),
                ("alter_column: {table: numbered, column: id, default: '1'}", 2, "is an identity column"),
                ("rename_constraint: {table: users, from: mail_is_set, to: users_pkey}", 2,
                 "users has a constraint users_pkey already"),
                ("rename_column: {table: users, from: nam, to: x}", 2, "users has no column nam")):
            with self.subTest(operation):
                failed = self.change("start", self.change_file([operation]), code=code)
                self.assertIn(words, failed.err)
                if code == 2:
                    self.assertRegex(failed.err, r"\d+_c\.change\.yaml:\d+:\d+")
        self.assertEqual(self.catalogue(), before)
        self.assertEqual(self.state(), [])

    def test_what_can_not_be_copied_is_dropped_in_the_same_change(self):
        self.ask("ALTER TABLE users ADD CONSTRAINT age_is_text CHECK (age <> 'x'); "
                 "CREATE INDEX some_ages ON users (id) WHERE age <> 'y'")
        alter = "alter_column: {table: users, column: age, type: int, up: age::int, down: age::text}"
        self.assertIn("age_is_text", self.change("start", self.change_file([alter]), code=5).err)
        self.assertIn("some_ages", self.change("start",
                                               self.change_file(["drop_constraint: {table: users, name: age_is_text}",
                                                                 alter]), code=5).err)
        self.settled(self.change_file(["drop_constraint: {table: users, name: age_is_text}",
                                       "drop_index: {name: some_ages}", alter]))
        self.assertEqual(self.ask("SELECT count(*) FROM pg_class WHERE relname = 'some_ages'"), [["0"]])

    def test_one_at_a_time(self):
        first = self.change_file(["rename_column: {table: users, from: name, to: n}"])
        second = self.change_file(["rename_column: {table: users, from: mail, to: m}"])
        self.change("start", first)
        self.assertIn("001_c is under way", self.change("start", second, code=5).err)
        os.mkdir(self.path("migrations"))
        self.write(os.path.join("migrations", "001.5_x.sql"), "CREATE TABLE x (a int);\n")
        self.assertIn("the declared change c is under way", self.run_program("schema", "up", self.uri, code=5).err)
        self.write(os.path.basename(first), open(self.path(os.path.basename(first)),
                                                 encoding="utf-8").read() + "# other\n")
        self.assertIn("the file was changed", self.change("start", first, code=5).err)
        self.change("abort")
        self.assertEqual(self.change("abort").code, 0)
        self.run_program("schema", "up", self.uri)
        self.change("run", second)
        self.assertEqual(self.state(), [("001", "aborted"), ("002", "completed")])
        self.assertIn("it has no way back", self.run_program("schema", "down", self.uri, "--to", "0", "--confirm",
                                                             code=5).err)
        self.change("complete")
        self.assertIn("no change is under way", self.change("switch", code=5).err)

    def test_change_files_count_in_the_numbering(self):
        os.mkdir(self.path("migrations"))
        self.change_file(["drop_table: {name: posts}"], os.path.join("migrations", "007_gone.change.yaml"))
        self.run_program("schema", "new", "next")
        self.assertIn("008_next.up.sql", os.listdir(self.path("migrations")))
        self.write(os.path.join("migrations", "7_same.sql"), "SELECT 1;")
        self.assertIn("its version is that of", self.run_program("schema", "up", self.uri, code=2).err)

    def test_check_says_what_would_be_done(self):
        path = self.change_file(["alter_column: {table: users, column: age, type: integer, up: age::integer, "
                                 "down: age::text}"])
        before = self.catalogue()
        found = json.loads(self.run_program("change", "check", path, self.uri, "--json").out)
        self.assertEqual([step["phase"] for step in found["steps"] if step["kind"] == "batches"], ["fill", "prove"])
        self.assertEqual({step["rows"] for step in found["steps"] if step["kind"] == "batches"}, {2000})
        self.assertEqual(found["new_place"], "public_001")
        self.assertIn("ADD COLUMN \"_transhume_new_age\" integer",
                      self.run_program("change", "start", path, self.uri, "--dry-run").out)
        self.assertEqual(self.catalogue(), before)
        self.assertEqual(self.state(), [])

    def test_stopped_by_a_signal_and_a_pause_file(self):
        self.ask("INSERT INTO users (name) SELECT 'x' FROM generate_series(1, 30000)")
        path = self.change_file(["add_column: {table: users, column: {name: loud, type: text}, up: upper(name)}"])
        pause = self.write("pause", "")
        process = support.start("change", "start", path, self.uri, "--batch-time", "1ms", "--pause-file", pause,
                                cwd=self.folder)
        self.addCleanup(self.end, process)
        self.wait_until("it pauses",
                        lambda: int(self.ask("SELECT coalesce(max(changed), 0) FROM _transhume_schema_step")[0][0]) > 0
                        if
                        self.ask("SELECT to_regclass('_transhume_schema_step') IS NOT NULL") == [["t"]] else False)
        process.send_signal(2)
        stopped = support.finish(process)
        self.assertEqual(stopped.code, 4, stopped.err)
        self.assertEqual(self.state(), [("001", "starting")])
        os.remove(pause)
        self.change("start", path)
        self.assertEqual(self.ask("SELECT count(*) FROM users WHERE loud IS DISTINCT FROM upper(name)"), [["0"]])
        self.change("abort")

    def test_a_key_that_others_refer_to(self):
        """
        int to bigint: what one file can't do is refused before anything is made; in three files, each completed, it is
        done.
        """
        self.ask("CREATE TABLE people (id serial PRIMARY KEY, n text); CREATE TABLE notes (id serial PRIMARY KEY, "
                 "u int CONSTRAINT notes_u REFERENCES people "
                 "ON DELETE CASCADE, up int); INSERT INTO people (n) SELECT 'x' FROM generate_series(1, 50); "
                 "INSERT INTO notes (u) SELECT id FROM people")
        drop = "drop_constraint: {table: notes, name: notes_u}"
        key = "alter_column: {table: people, column: id, type: bigint, up: id, down: 'id::integer'}"
        reference = "alter_column: {table: notes, column: u, type: bigint, up: u, down: 'u::integer'}"
        create = ("create_constraint: {table: notes, name: again, type: foreign_key, columns: [u], "
                  "references: {table: people%s, on_delete: cascade}}")
        for operations in ([drop, key, reference, create % ", columns: [id]"], [drop, key, reference, create % ""],
                           [drop, create % ", column: id", key],
                           [drop, key,
                            "add_column: {table: notes, column: {name: w, type: bigint, nullable: true, "
                            "references: {table: people, column: id}}}"],
                           [drop, key,
                            "create_constraint: {table: people, name: own, type: foreign_key, columns: [id], "
                            "references: {table: people, columns: [id]}}"]):
            with self.subTest(operations[-1]):
                told = self.run_program("change", "check", self.change_file(operations), self.uri, code=5).err
                self.assertIn("people.id gets its new values in a second column", told)
                self.assertIn("Three files", told)
        before = self.made
        # a key may also change in the file that drops what refers to it
        for operations in ([key, drop], [reference], [create % ", columns: [id]"]):
            self.change("run", self.change_file(operations))
        self.assertEqual(self.made, before + 3)
        self.assertEqual(self.ask("SELECT string_agg(data_type, ' ') FROM information_schema.columns WHERE "
                                  "table_schema = 'public' AND "
                                  "(table_name, column_name) IN (('people', 'id'), ('notes', 'u'))"),
                         [["bigint bigint"]])
        self.assertEqual(self.ask("SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f' AND conrelid = "
                                  "'notes'::regclass"), [["again", "t"]])


if __name__ == "__main__":
    unittest.main()
