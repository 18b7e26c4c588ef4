"""Whole migrations by accounts that have just what `check --rights-for` prints, on both sides, and changes of schemas by accounts with
just what docs/security.md says. What check prints for a plain copy is what stands there, too."""
import json
import os
import re
import sys

import support

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import mariadb  # noqa: E402
import mysql  # noqa: E402
import postgres  # noqa: E402

WITHOUT_OURS = "_transhume"


def documented(title, renamed):
    """The statements of a database's table in the docs: [(for, side, statement)], with the names there replaced."""
    with open(os.path.join(support.ROOT, "docs", "security.md"), encoding="utf-8") as file:
        text = file.read()
    section = text.split("\n### %s\n" % title, 1)[1].split("\n### ", 1)[0].split("\n## ", 1)[0]
    found = []
    for use, side, statement in re.findall(r"^\| ([^|]+) \| (source|target|database) \| `([^`|]+)` \|$", section.replace("``", "`"), re.M):
        for old, new in renamed.items():
            statement = re.sub(r"\b%s\b" % old, lambda _, new=new: new, statement)
        found.append((use, side, statement))
    return found


class Migrated:
    """What holds for each database. `prepare` fills the source as its owner; `perform` runs a statement as the administrator."""
    COPY, ROLLBACK, FOLLOW, CUT_OVER = "copy", "rollback", "follow", "cut-over"
    OBJECTS = 0

    def asked(self, *options):
        """What an account needs, as check says it to the administrator."""
        out = json.loads(self.run_program("check", "--json", "--rights-for", self.account, *options, self.uri(self.source), self.uri(self.target)).out)
        return out["rights"]

    def grant(self, rights, *uses):
        for side, name in (("source", self.source), ("target", self.target)):
            for statement in rights[side]:
                if statement["for"] in uses:
                    self.perform(name, statement["text"])

    def plain(self):
        return [self.mover(self.source), self.mover(self.target)]

    def test_without_them_nothing_is_done(self):
        self.assertIn(self.run_program("check", *self.plain(), code=None).code, (2, 3))

    def test_a_copy_is_made_and_taken_back(self):
        self.grant(self.asked(), self.COPY)
        self.run_program("check", *self.plain())
        self.run_program("migrate", *self.plain())
        self.run_program("validate", "--level", "hash")
        self.assertEqual(self.count(self.target, "chi"), 50)
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.tables(self.target), [])

    def test_a_copy_that_was_stopped_is_resumed_and_finished(self):
        self.grant(self.asked(), self.COPY)
        self.stopped_at("copy.after_chunk:1", "migrate", *self.plain(), may_end=True)
        self.run_program("resume")
        self.run_program("validate", "--level", "hash")
        self.run_program("finish", "--confirm")
        self.assertEqual(self.count(self.target, "par"), 50)

    def test_records_of_tables_that_are_there_are_overwritten_and_put_back(self):
        self.make_tables(self.target)
        self.fill(self.target, 10, 5)
        self.grant(self.asked("--existing", "upsert"), self.COPY, self.ROLLBACK)
        self.run_program("check", "--existing", "upsert", *self.plain())
        self.run_program("migrate", "--existing", "upsert", *self.plain())
        self.assertEqual(self.count(self.target, "par"), 50)
        self.run_program("validate", "--level", "hash")
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.count(self.target, "par"), 10)

    def test_records_are_added_and_taken_out(self):
        self.make_tables(self.target)
        self.grant(self.asked("--existing", "append"), self.COPY, self.ROLLBACK)
        self.run_program("migrate", "--existing", "append", *self.plain())
        self.assertEqual(self.count(self.target, "par"), 50)
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.count(self.target, "par"), 0)

    def test_changes_are_followed_and_the_application_cut_over(self):
        self.grant(self.asked("--follow"), self.COPY, self.ROLLBACK, self.FOLLOW, self.CUT_OVER)
        out = json.loads(self.run_program("check", "--follow", "--json", *self.plain()).out)
        self.assertEqual((out["problems"], out["follow"]["cut_over"]), ([], []))
        self.run_program("migrate", "--follow", "--catch-up", *self.plain())
        self.change(self.source)
        self.run_program("follow", "--catch-up")
        self.assertEqual(self.count(self.target, "par"), 51)
        self.run_program("cutover", "--confirm", "--max-lag", "1m")
        self.assertRaises(Exception, self.change, self.source)
        self.run_program("finish", "--confirm")

    def test_the_docs_say_the_same(self):
        rights = self.asked("--follow")
        said = {(side, statement["text"].rstrip(";")) for side in rights for statement in rights[side]}
        written = {(side, statement) for use, side, statement in documented(self.TITLE, self.names()) if side != "database"}
        self.assertEqual(said, written)


class Postgres(Migrated, support.TestCase):
    TITLE = "PostgreSQL"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = postgres.Server(settings=postgres.FOLLOWED)
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        super().setUp()
        self.source, self.target = self.server.database(), self.server.database()
        self.account, self.owner = "mover_" + self.source, "app_" + self.source
        self.perform("postgres", "CREATE ROLE %s LOGIN; CREATE ROLE %s LOGIN" % (self.account, self.owner))
        for name in (self.source, self.target):
            self.perform("postgres", "REVOKE ALL ON DATABASE %s FROM PUBLIC; GRANT CONNECT, CREATE ON DATABASE %s TO %s" % (name, name, self.owner))
            self.perform(name, "REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT ALL ON SCHEMA public TO %s" % self.owner)
        self.make_tables(self.source)
        self.perform(self.source, "SET ROLE %s; CREATE VIEW v AS SELECT * FROM par;"
                     "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
                     "CREATE TRIGGER stamp BEFORE UPDATE ON par FOR EACH ROW EXECUTE FUNCTION f()" % self.owner)
        self.fill(self.source, 50, 0)

    def names(self):
        return {"shop": self.source, "store": self.target, "mover": self.account, "app": self.owner}

    def uri(self, name):
        return self.server.uri(name)

    def mover(self, name):
        return self.server.uri(name).replace("postgres@", self.account + "@")

    def perform(self, name, statement):
        return self.server.psql(name, statement)

    def make_tables(self, name):
        self.perform(name, "SET ROLE %s; CREATE TABLE par (id serial PRIMARY KEY, u int);"
                     "CREATE TABLE chi (id int PRIMARY KEY, pid int REFERENCES par)" % self.owner)

    def fill(self, name, count, value):
        self.perform(name, "INSERT INTO par SELECT i, %d FROM generate_series(1, %d) i; INSERT INTO chi SELECT id, id FROM par;"
                     "SELECT setval('par_id_seq', %d)" % (value, count, count))

    def change(self, name):
        self.perform(name, "SET ROLE %s; INSERT INTO par (u) VALUES (7); UPDATE par SET u = 9 WHERE id = 3; DELETE FROM chi WHERE id = 4" % self.owner)

    def count(self, name, table):
        return int(self.perform(name, "SELECT count(*) FROM %s" % table)[0][0])

    def tables(self, name):
        return self.perform(name, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")


class Mariadb(Migrated, support.TestCase):
    TITLE = "MariaDB"
    KIND = mariadb

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.KIND.Server(settings={**mariadb.FOLLOWED, "log-bin-trust-function-creators": "0"})
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        super().setUp()
        self.source, self.target = self.server.database(), self.server.database()
        self.account = "m_%s@127.0.0.1" % self.source
        self.quoted = "'m_%s'@'127.0.0.1'" % self.source
        self.perform("mysql", "CREATE USER %s" % self.quoted)
        self.addCleanup(self.perform, "mysql", "DROP USER %s; SET GLOBAL log_bin_trust_function_creators = OFF" % self.quoted)
        self.make_tables(self.source)
        self.perform(self.source, "CREATE VIEW v AS SELECT * FROM par; CREATE TRIGGER stamp BEFORE UPDATE ON par FOR EACH ROW SET NEW.u = NEW.u;"
                                  "CREATE FUNCTION f(a int) RETURNS int DETERMINISTIC RETURN a;"
                                  "CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DO DELETE FROM par WHERE id < 0")
        self.fill(self.source, 50, 0)

    def names(self):
        return {"shop": self.source, "store": self.target, "'mover'@'%'": self.quoted}

    def uri(self, name):
        return self.server.uri(name)

    def mover(self, name):
        return self.server.uri(name).replace("root@", "m_%s@" % self.source)

    def perform(self, name, statement):
        return self.server.ask(name, statement)

    def make_tables(self, name):
        self.perform(name, "CREATE TABLE par (id int PRIMARY KEY AUTO_INCREMENT, u int); CREATE TABLE chi (id int PRIMARY KEY, pid int, FOREIGN KEY (pid) REFERENCES par (id))")

    def fill(self, name, count, value):
        self.perform(name, "INSERT INTO par VALUES %s; INSERT INTO chi SELECT id, id FROM par" % ", ".join("(%d, %d)" % (i, value) for i in range(1, count + 1)))

    def change(self, name):
        self.perform(name, "INSERT INTO par (u) VALUES (7); UPDATE par SET u = 9 WHERE id = 3; DELETE FROM chi WHERE id = 4")

    def count(self, name, table):
        return int(self.perform(name, "SELECT count(*) FROM %s" % table)[0][0])

    def tables(self, name):
        return self.perform(name, "SELECT table_name FROM information_schema.tables WHERE table_schema = '%s'" % name)


class Mysql(Mariadb):
    TITLE = "MySQL"
    KIND = mysql
