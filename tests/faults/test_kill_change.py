"""kill -9 at every failpoint of `transhume change`, for each kind of operation, then the command again: the schema and
its rows end as those
of an undisturbed run, and nobody had to lend a hand. Then the server's own death, and two that begin at once."""
import os
import signal
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", name) for name in ("servers", "system")]
import change_case
import postgres
import sql_case
import support
import taking_back

CASES = 2   # of a kind and an act
TABLES = ("CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, age text, "
          "mail varchar(80));\nCREATE INDEX users_age ON users (age);\n"
          "INSERT INTO users (name, age, mail) SELECT 'u' || g, (g %% 90)::text, 'm' || g FROM generate_series(1, "
          "%d) g;\n"
          "CREATE TABLE posts (id int PRIMARY KEY, user_id int NOT NULL, title text DEFAULT 'none');\nINSERT INTO "
          "posts SELECT g, g FROM generate_series(1, 300) g;\n")
KINDS = {
    "dual": ["alter_column: {table: users, column: age, type: integer, up: age::integer, down: age::text, "
             "lossless: true}"],
    "not_null": ["alter_column: {table: users, column: mail, nullable: false}",
                 "add_column: {table: users, column: {name: loud, type: text, unique: {name: one_loud}}, "
                 "up: upper(name)}"],
    "names": ["rename_table: {from: posts, to: articles}", "rename_column: {table: users, from: name, to: full_name}",
              "drop_column: {table: users, column: mail, down: \"'-'\"}"],
    "constraints": ["create_constraint: {table: posts, name: by, type: foreign_key, columns: [user_id], "
                    "references: {table: users, column: id}}",
                    "create_constraint: {table: posts, name: short, type: check, columns: [title], "
                    "check: length(title) < 9, "
                    "up: {title: 'left(title, 8)'}, down: {title: title}}",
                    "create_index: {table: posts, name: by_title, columns: [{column: title}]}",
                    "drop_index: {name: users_age}"],
    "follow": ["split_table: {table: users, into: contacts, columns: [mail]}",
               "create_junction: {table: posts, column: user_id, references: {table: users, column: id}, "
               "name: authors, left: post_id, right: user_id}"],
    "tables": ["create_table: {name: pets, columns: [{name: id, type: serial, pk: true}, {name: owner, type: int, "
               "references: {table: users, column: id}}]}",
               "drop_table: {name: posts}", "sql: {up: 'CREATE SEQUENCE s', down: 'DROP SEQUENCE s'}"],
}
ROWS = ("SELECT * FROM users ORDER BY id", "SELECT * FROM posts ORDER BY 1", "SELECT * FROM articles ORDER BY 1",
        "SELECT * FROM pets ORDER BY 1",
        "SELECT * FROM contacts ORDER BY 1", "SELECT * FROM authors ORDER BY 1, 2")


class KillChange:
    SERVERS = postgres
    ROW_COUNT = 2500
    BATCH = "1m"   # their number then does not depend on how fast the machine is

    def setUp(self):
        super().setUp()
        self.folders = 0

    def new(self, kind):
        self.folders += 1
        folder = self.path("%s%d" % (kind, self.folders))
        os.mkdir(folder)
        with open(os.path.join(folder, "001_c.change.yaml"), "w", encoding="utf-8") as file:
            file.write("operations:\n" + "".join("  - %s\n" % operation for operation in KINDS[kind]))
        uri = self.new_target()
        self.ask(TABLES % self.ROW_COUNT)
        return folder, uri

    def command(self, act, uri):
        words = {"start": ("start", "001_c.change.yaml", uri, "--batch-time", self.BATCH),
                 "complete": ("complete", uri, "--confirm"), "abort": ("abort", uri)}
        return ("change", *words[act])

    def prepare(self, kind, act):
        folder, uri = self.new(kind)
        if act != "start":
            self.assert_code(support.transhume(*self.command("start", uri), cwd=folder), 0)
        return folder, uri

    def dump(self):
        found = [self.ask(sql) for sql in change_case.CATALOGUE]
        tables = {row[0] for row in self.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
        return found + [self.ask(sql) for sql in ROWS if sql.split()[3] in tables]

    def undisturbed(self, kind, act):
        folder, uri = self.prepare(kind, act)
        result, counts = support.count_failpoints(*self.command(act, uri), cwd=folder)
        self.assert_code(result, 0)
        return self.dump(), counts

    def check(self, folder, uri, act, expected, what):
        result = support.transhume(*self.command(act, uri), cwd=folder, time_limit=60)
        self.assertEqual(result.code, 0, "%s, then %s:\n%s%s" % (what, act, result.out, result.err))
        self.assertEqual(self.dump(), expected, what)

    def kill_all(self, act):
        for kind in KINDS:
            expected, counts = self.undisturbed(kind, act)
            for point, _, occurrence in support.drawn(taking_back.occurrences(counts), CASES,
                                                      "%s %s" % (self.id(), kind)):
                folder, uri = self.prepare(kind, act)
                killed = support.kill_at(point, occurrence, *self.command(act, uri), cwd=folder)
                self.assertEqual(killed.code, -signal.SIGKILL, "%s:%d\n%s" % (point, occurrence, killed.err))
                self.check(folder, uri, act, expected, "%s %s killed at %s:%d" % (kind, act, point, occurrence))

    def test_start(self):
        self.kill_all("start")

    def test_complete(self):
        self.kill_all("complete")

    def test_abort(self):
        self.kill_all("abort")

    def test_abort_of_a_start_that_was_killed(self):
        """From wherever it broke off the way back leads to where it began."""
        for kind in KINDS:
            _, counts = self.undisturbed(kind, "start")
            for point, _, occurrence in support.drawn(taking_back.occurrences(counts), CASES,
                                                      "%s %s" % (self.id(), kind)):
                folder, uri = self.new(kind)
                before = self.dump()
                support.kill_at(point, occurrence, *self.command("start", uri), cwd=folder)
                begun = self.ask("SELECT to_regclass('_transhume_schema') IS NOT NULL")[0][0] == "t" and self.ask(
                    "SELECT count(*) FROM _transhume_schema") != [["0"]]
                result = support.transhume(*self.command("abort", uri), cwd=folder, time_limit=60)
                what = "%s killed at %s:%d\n%s" % (kind, point, occurrence, result.err)
                self.assertEqual(result.code, 0 if begun else 5, what)
                self.assertEqual(self.dump(), before, what)


class KillOnPostgres(KillChange, sql_case.ServerTarget, support.TestCase):
    def test_two_at_once(self):
        """One works, the other one waits and finds it done."""
        for act in ("start", "complete"):
            expected, _ = self.undisturbed("dual", act)
            folder, uri = self.prepare("dual", act)
            both = [support.start(*self.command(act, uri), cwd=folder) for _ in range(2)]
            for process in both:
                self.assert_code(support.finish(process), 0)
            self.assertEqual(self.dump(), expected, act)


class DeathOfPostgres(KillChange, sql_case.ServerTarget, support.TestCase):
    ROW_COUNT = 30000
    BATCH = "5ms"
    test_start = test_complete = test_abort = test_abort_of_a_start_that_was_killed = None

    @classmethod
    def setUpClass(cls):
        cls.server = cls.SERVERS.for_class(cls)
        cls.server.spoiled = True

    def test_death(self):
        """The server is slain while rows are filled, and while an index is built."""
        for kind, moment in (("dual",
                              "SELECT 1 FROM _transhume_schema_step WHERE witness LIKE '[%' AND changed > 2000"),
                             ("not_null",
                              "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE UNIQUE INDEX CONCURRENTLY%' AND "
                              "state = 'active' AND pid <> pg_backend_pid()")):
            expected, _ = self.undisturbed(kind, "start")
            folder, uri = self.new(kind)
            process = support.start(*self.command("start", uri), cwd=folder)
            self.addCleanup(self.end, process)
            self.wait_until("it is at work", lambda: process.poll() is not None or (
                self.ask("SELECT to_regclass('_transhume_schema_step') IS NOT NULL") == [["t"]]
                and self.ask(moment) != []))
            self.server.slay()
            self.server.start()
            first = support.finish(process, 90)
            self.assertIn(first.code, (0, 3), "%s\n%s" % (kind, first.err))
            self.check(folder, uri, "start", expected, kind)


if __name__ == "__main__":
    unittest.main()
