"""
`transhume schema import` behind the tools themselves: each makes its history, and transhume goes on where it stopped.
"""
import contextlib
import hashlib
import json
import os
import sqlite3
import sys
import unittest

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import migration_tools as tools
import postgres
import sql_case
import support


class Case:
    """What every import is asked: `project` is the tool's folder, `migrations` the one that is named to transhume."""

    def setUp(self):
        super().setUp()
        self.uri = self.new_target()
        self.project = self.path("project")
        self.folder_named = "migrations"

    def schema(self, command, *arguments, code=0):
        return self.run_program("schema", command, self.uri, "--dir", self.folder_named, *arguments, code=code)

    def imported(self, *arguments):
        out = json.loads(self.schema("import", "--json", *arguments).out)
        return out["tool"], {row["version"] or row["name"]: row["state"] for row in out["migrations"]}

    def applied(self, *arguments):
        return [act["version"] or act["name"] for act in json.loads(self.schema("up", "--json",
                                                                                *arguments).out)["done"]]

    def goes_on(self, tool, applied, pending, lost=()):
        """What stands is noted once, and only what is pending is run."""
        expected = dict.fromkeys(applied, "applied") | dict.fromkeys(pending, "pending") | dict.fromkeys(lost,
            "applied, no file")
        self.assertEqual(self.imported("--dry-run"), (tool, expected))
        self.assertEqual(self.imported(), (tool, expected))
        self.assertEqual(self.imported(), (tool, dict.fromkeys([*applied, *lost], "known") | dict.fromkeys(pending,
            "pending")))
        self.assertEqual(self.applied(), list(pending))
        self.assertEqual(self.schema("up").out, "nothing to do\n")
        self.schema("status", "--exit-code")

    def refused(self, words, code=5):
        self.assertIn(words, self.schema("import", code=code).err)

    def refused_until_said(self, version, words="began it and did not end it"):
        """What broke off is told with what to do, and that helps."""
        failed = self.schema("import", code=5).err
        self.assertIn(words, failed)
        self.assertIn("schema repair %s DB" % version, failed)
        self.run_program("schema", "repair", version, self.uri, "--dir", self.folder_named, "--mark-reverted")

    def change(self, name, text):
        path = self.path(self.folder_named, name)
        with open(path, encoding="utf-8") as file:
            before = file.read()
        tools.put(self.path(self.folder_named), name, text)
        return before

    def columns(self, table):
        raise NotImplementedError


# ---------------------------------------------------------------- Sqitch

class SqitchCase(Case):
    ENGINE = None

    def sqitch(self):
        self.folder_named = "project"
        return tools.Sqitch(self.project, self.ENGINE, self.target())

    def test_sqitch(self):
        sqitch = self.sqitch()
        sqitch.change("users", "BEGIN;\nCREATE TABLE users (id int);\nCOMMIT;\n", "DROP TABLE users;\n")
        sqitch.change("app/orders", "CREATE TABLE orders (id int);\n", "DROP TABLE orders;\n", requires=["users"])
        sqitch("tag", "v1.0", "-n", "first")
        sqitch.deploy()
        sqitch.change("notes", "CREATE TABLE notes (id int);\n", "DROP TABLE notes;\n",
                      verify="BEGIN;\nINSERT INTO notes VALUES (7);\nSELECT id FROM notes;\nROLLBACK;\n")
        self.goes_on("sqitch", ["users", "app/orders"], ["notes"])
        self.assertEqual(self.ask("SELECT count(*) FROM notes"), [["0"]])
        self.run_program("schema", "down", self.uri, "--dir", self.folder_named, "--to", "users", "--confirm")
        self.assertEqual(self.applied(), ["app/orders", "notes"])

    def test_sqitch_reworked(self):
        sqitch = self.sqitch()
        sqitch.change("users", "CREATE TABLE users (id int);\n", "DROP TABLE users;\n")
        sqitch.deploy()
        sqitch("tag", "v1.0", "-n", "first")
        sqitch("rework", "users", "-n", "again")
        sqitch.write("users", "ALTER TABLE users ADD COLUMN name text;\n")
        self.assertEqual(self.imported("--dry-run")[1], {"users": "applied", "users#2": "pending"})
        sqitch.deploy()
        sqitch.change("last", "CREATE TABLE last (id int);\n")
        self.goes_on("sqitch", ["users", "users#2"], ["last"])

    def test_sqitch_failed(self):
        sqitch = self.sqitch()
        sqitch.change("users", "CREATE TABLE users (id int);\n", "DROP TABLE users;\n")
        sqitch.deploy()
        sqitch.change("bad", "CREATE TABLE bad (id int);\nINSERT INTO nowhere VALUES (1);\n", "DROP TABLE bad;\n")
        sqitch.deploy(code=2)
        self.refused_until_said("bad")
        self.ask("DROP TABLE IF EXISTS bad")
        sqitch.write("bad", "CREATE TABLE bad (id int);\n")
        self.assertEqual(self.imported()[1], {"users": "applied", "bad": "pending"})
        self.assertEqual(self.applied(), ["bad"])

    def test_sqitch_changed_and_verified(self):
        sqitch = self.sqitch()
        sqitch.change("users", "CREATE TABLE users (id int);\n")
        sqitch.deploy()
        before = self.change("deploy/users.sql", "CREATE TABLE users (id bigint);\n")
        self.refused("it is not what sqitch applied")
        self.change("deploy/users.sql", before)
        sqitch.change("wrong", "CREATE TABLE wrong (id int);\n", "DROP TABLE wrong;\n",
                      verify="SELECT nothing FROM wrong;\n")
        self.imported()
        failed = self.schema("up", code=5)
        self.assertIn("project/verify/wrong.sql:1: it does not verify:", failed.err)
        self.assertEqual(self.columns("wrong"), [])


# ---------------------------------------------------------------- Liquibase

FIRST = """--liquibase formatted sql

--changeset ann:1
--comment: the first
CREATE TABLE users (id int, name varchar(20)); -- they
--rollback DROP TABLE users;

--changeset ann:2 splitStatements:true
INSERT INTO users VALUES (1, 'a;b');
INSERT INTO users
   VALUES (2, 'c');
--rollback DELETE FROM users WHERE id = 1;
--rollback DELETE FROM users WHERE id = 2;
"""
SECOND = """--liquibase formatted sql
--changeset "bob b":one
--preconditions onFail:HALT
--precondition-sql-check expectedResult:%d SELECT count(*) FROM users
CREATE TABLE notes (id int);
/* liquibase rollback
DROP TABLE notes;
*/
"""


class LiquibaseCase(Case):
    """Its package has no SQLite that runs: that driver wants a logger that it does not have."""
    USER, PASSWORD = None, "x"

    def liquibase(self):
        self.folder_named = "project"
        made = tools.Liquibase(self.project, self.url(), self.USER, self.PASSWORD)
        made.root("changes/b.sql")
        tools.put(self.project, "changes/b.sql", FIRST)
        return made

    def test_liquibase(self):
        liquibase = self.liquibase()
        liquibase("update")
        liquibase.root("changes/b.sql", "changes/a.sql")
        tools.put(self.project, "changes/a.sql", SECOND % 3)
        self.goes_on_refused()
        tools.put(self.project, "changes/a.sql", SECOND % 2)
        applied = ["changes/b.sql::1::ann", "changes/b.sql::2::ann"]
        self.assertEqual(self.imported(), ("liquibase", dict.fromkeys(applied,
                                                                      "known")
                                           | {"changes/a.sql::one::bob b": "pending"}))
        self.assertEqual(self.applied(), ["changes/a.sql::one::bob b"])
        kept = self.ask("SELECT MD5SUM FROM DATABASECHANGELOG ORDER BY ORDEREXECUTED")
        self.assertEqual(self.ask("SELECT origin_checksum FROM _transhume_schema ORDER BY number")[:2], kept)
        self.run_program("schema", "down", "2", self.uri, "--dir", self.folder_named, "--confirm")
        self.assertEqual(self.columns("notes"), [])
        self.assertEqual(self.ask("SELECT count(*) FROM users"), [["0"]])

    def goes_on_refused(self):
        """A precondition is asked."""
        self.imported()
        self.assertIn("2; expected: 3", self.schema("up", code=5).err)

    def test_liquibase_changed_and_locked(self):
        liquibase = self.liquibase()
        liquibase("update")
        self.change("changes/b.sql", FIRST.replace("'a;b'", "'a;c'"))
        self.refused("it is not what liquibase applied")
        self.change("changes/b.sql", FIRST.replace("INSERT INTO users\n   VALUES",
                                                   "INSERT INTO users VALUES").replace("the first", "it"))
        self.imported("--dry-run")
        self.ask("UPDATE DATABASECHANGELOGLOCK SET LOCKED = %s, LOCKEDBY = 'web-3'" % self.TRUE)
        failed = self.schema("import", code=5).err
        self.assertIn("Liquibase holds its lock: web-3", failed)
        self.assertIn("liquibase release-locks", failed)


# ---------------------------------------------------------------- Alembic, Django, Rails

class AlembicCase(Case):
    def alembic(self, options="{}"):
        made = tools.Alembic(self.project, self.sqlalchemy(), options)
        made.revision("27c6a30d7c24", None, "CREATE TABLE users (id int); CREATE INDEX users_id ON users (id)",
                      "DROP TABLE users")
        made.revision("1975ea83b712", "27c6a30d7c24", "ALTER TABLE users ADD COLUMN name varchar(20)",
                      "ALTER TABLE users DROP COLUMN name")
        made.revision("ae1027a6acf", "1975ea83b712", "CREATE TABLE notes (id int)", "DROP TABLE notes")
        return made

    def test_alembic(self):
        alembic = self.alembic("{'transaction_per_migration': True}")
        alembic("upgrade", "1975ea83b712")
        folder = self.path(self.folder_named)
        tools.put(folder, "all.sql", alembic("upgrade", "--sql", "head"))
        tools.put(folder, "back.sql", alembic("downgrade", "--sql", "ae1027a6acf:base"))
        self.goes_on("alembic", ["27c6a30d7c24", "1975ea83b712"], ["ae1027a6acf"])
        self.assertEqual(self.ask("SELECT version_num FROM alembic_version"), [["1975ea83b712"]])
        self.run_program("schema", "down", "2", self.uri, "--dir", self.folder_named, "--confirm")
        self.assertEqual((self.columns("notes"), self.columns("users")), ([], ["id"]))

    def test_alembic_a_part(self):
        """Only what is pending was written; or too little to tell."""
        alembic = self.alembic()
        alembic("upgrade", "1975ea83b712")
        folder = self.path(self.folder_named)
        tools.put(folder, "first.sql", alembic("upgrade", "--sql", "27c6a30d7c24"))
        self.refused("whether 27c6a30d7c24 comes before it can't be told")
        os.remove(self.path(self.folder_named, "first.sql"))
        tools.put(folder, "rest.sql", alembic("upgrade", "--sql", "1975ea83b712:head"))
        self.goes_on("alembic", [], ["ae1027a6acf"], lost=["1975ea83b712"])


class DjangoCase(Case):
    def test_django(self):
        django = tools.Django(self.project, self.django())
        django.model(["name = models.CharField(max_length=20)"], "initial")
        django.model(["name = models.CharField(max_length=20)", "size = models.IntegerField(default=3)"], "size")
        django("migrate")
        django.model(["name = models.CharField(max_length=20)", "size = models.IntegerField(default=3)",
                      "note = models.CharField(max_length=9, null=True)"], "note")
        django.write_sql(self.path(self.folder_named), "0001_initial", "0002_size", "0003_note")
        out = json.loads(self.schema("import", "--json", "--dry-run").out)
        self.assertEqual(out["others"], 2)   # of contenttypes
        self.goes_on("django", ["shop.0001_initial", "shop.0002_size"], ["shop.0003_note"])
        self.assertIn("note", self.columns("shop_item"))
        self.run_program("schema", "down", self.uri, "--dir", self.folder_named, "--confirm")
        self.assertNotIn("note", self.columns("shop_item"))


class RailsCase(Case):
    VERSIONS = ("20240101000000", "20240102000000", "20240103000000")

    def test_rails(self):
        rails = tools.Rails(self.project, self.ruby())
        for version, table in zip(self.VERSIONS, ("a", "b", "c")):
            rails.migration(version, "make_" + table, "CREATE TABLE %s (id int)" % table)
        rails.migrate(self.VERSIONS[1])
        folder = self.path(self.folder_named)
        tools.put(folder, "structure.sql", "CREATE TABLE a (id int);\nCREATE TABLE b (id int);\n"
                                           "CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY);\n"
                                           "INSERT INTO \"schema_migrations\" (version) VALUES\n('%s'),\n('%s');\n"
                  % self.VERSIONS[:2])
        tools.put(folder, self.VERSIONS[1] + "_make_b.sql", "CREATE TABLE b (id int);\n")
        tools.put(folder, self.VERSIONS[2] + "_make_c.sql",
                  "CREATE TABLE c (id int);\n-- migrate:down\nDROP TABLE c;\n".replace("CREATE",
                      "-- migrate:up\nCREATE", 1))
        self.goes_on("rails", [self.VERSIONS[1]], [self.VERSIONS[2]], lost=[self.VERSIONS[0]])
        self.uri = self.new_target()   # without a history structure.sql is the baseline
        self.assertEqual(self.applied(), [self.VERSIONS[1], self.VERSIONS[2]])
        self.assertEqual(self.ask("SELECT count(*) FROM schema_migrations"), [["2"]])
        tools.put(folder, "20240104000000_d.rb", "")
        self.assertIn("a migration in Ruby is not run here", self.schema("up", code=2).err)


# ---------------------------------------------------------------- Prisma

class PrismaCase(Case):
    """Its engine can't be had here: its table is written as it writes it."""

    def prisma(self, *rows):
        for name, table in (("0_init", "a"), ("20240101000000_users", "b"), ("20240102000000_notes", "c")):
            tools.put(self.path(self.folder_named), name + "/migration.sql",
                      "-- CreateTable\nCREATE TABLE %s (id int);\n" % table)
        tools.put(self.path(self.folder_named), "migration_lock.toml", 'provider = "postgresql"\n')
        self.ask("CREATE TABLE _prisma_migrations (id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL, "
                 "finished_at TIMESTAMP NULL,"
                 "migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at TIMESTAMP NULL, "
                 "started_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,"
                 "applied_steps_count INTEGER NOT NULL DEFAULT 0)")
        for number, (name, finished, back) in enumerate(rows):
            with open(self.path(self.folder_named, name, "migration.sql"), "rb") as file:
                checksum = hashlib.sha256(file.read()).hexdigest()
            self.ask("INSERT INTO _prisma_migrations VALUES ('%d', '%s', %s, '%s', NULL, %s, '2024-01-01 00:00:0%d', 1)"
                     %
                     (number, checksum, "'2024-01-01 00:01:00'" if finished else "NULL", name,
                      "'2024-01-01 00:02:00'" if back else "NULL", number))

    def test_prisma(self):
        self.prisma(("0_init", True, False), ("20240101000000_users", False, True),
                    ("20240101000000_users", True, False))
        self.ask("CREATE TABLE a (id int)")
        self.ask("CREATE TABLE b (id int)")
        self.goes_on("prisma", ["0", "20240101000000"], ["20240102000000"])

    def test_prisma_failed_and_changed(self):
        self.prisma(("0_init", True, False), ("20240101000000_users", False, False))
        self.ask("CREATE TABLE a (id int)")
        self.refused_until_said("20240101000000")
        before = self.change("0_init/migration.sql", "CREATE TABLE a (id bigint);\n")
        self.refused("it is not what prisma applied")
        self.change("0_init/migration.sql", before)
        self.assertEqual(self.imported()[1], {"0": "applied", "20240101000000": "pending", "20240102000000": "pending"})
        self.assertEqual(self.applied(), ["20240101000000", "20240102000000"])


# ---------------------------------------------------------------- databases

class OnSqlite(sql_case.SqliteTarget, SqitchCase, AlembicCase, DjangoCase, RailsCase, PrismaCase, support.TestCase):
    ENGINE = "sqlite"

    def new_target(self):
        """The program makes a file that is not there; an import needs one that is."""
        uri = super().new_target()
        with contextlib.closing(sqlite3.connect(self.path(self.file))) as db:
            db.execute("PRAGMA journal_mode = DELETE")
        return uri

    def target(self):
        return "db:sqlite:" + self.path(self.file)

    def sqlalchemy(self):
        return "sqlite:///" + self.path(self.file)

    def django(self):
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": self.path(self.file)}

    def ruby(self):
        return "{adapter: 'sqlite3', database: '%s'}" % self.path(self.file)

    def columns(self, table):
        return [row[0] for row in self.ask("SELECT name FROM pragma_table_info('%s')" % table)]


class OnPostgres(sql_case.ServerTarget, SqitchCase, LiquibaseCase, AlembicCase, DjangoCase, RailsCase, PrismaCase,
                 support.TestCase):
    SERVERS = postgres
    ENGINE = "pg"
    TRUE = "true"
    USER = "postgres"

    def at(self):
        return "postgres@127.0.0.1:%d/%s" % (self.server.port, self.database)

    def target(self):
        return "db:pg://" + self.at()

    def url(self):
        return "jdbc:postgresql://127.0.0.1:%d/%s" % (self.server.port, self.database)

    def sqlalchemy(self):
        return "postgresql+psycopg://" + self.at()

    def django(self):
        return {"ENGINE": "django.db.backends.postgresql", "NAME": self.database, "USER": "postgres",
                "HOST": "127.0.0.1", "PORT": self.server.port}

    def ruby(self):
        return "{adapter: 'postgresql', database: '%s', host: '127.0.0.1', port: %d, username: 'postgres'}" % (
            self.database, self.server.port)

    def columns(self, table):
        return [row[0]
                for row in self.ask("SELECT column_name FROM information_schema.columns WHERE table_name = '%s' ORDER "
                                    "BY ordinal_position" % table)]

    def test_drizzle(self):
        drizzle = tools.Drizzle(self.project, "postgres://" + self.at())
        drizzle.generate("name: text()", "first")
        drizzle.generate("name: text(), size: integer()", "size")
        drizzle.migrate()
        drizzle.generate("name: text(), size: integer(), note: text()", "note")
        self.folder_named = "project/drizzle"
        before = self.change("0001_size.sql", "SELECT 1;\n")
        self.refused("it is not what drizzle applied")
        self.change("0001_size.sql", before)
        self.goes_on("drizzle", ["0000", "0001"], ["0002"])
        self.assertEqual(self.columns("users"), ["id", "name", "size", "note"])
        os.remove(self.path(self.folder_named, "0002_note.sql"))
        self.assertIn("its file 0002_note.sql is not in the folder", self.schema("status", code=2).err)

    def test_drizzle_passed_over(self):
        """A branch that was merged late: its time is below one that is applied."""
        drizzle = tools.Drizzle(self.project, "postgres://" + self.at())
        drizzle.generate("name: text()", "first")
        drizzle.migrate()
        drizzle.generate("name: text(), size: integer()", "size")
        journal = self.path("project", "drizzle", "meta", "_journal.json")
        with open(journal, encoding="utf-8") as file:
            entries = json.load(file)
        entries["entries"][1]["when"] = entries["entries"][0]["when"] - 1
        with open(journal, "w", encoding="utf-8") as file:
            json.dump(entries, file)
        drizzle.migrate()
        self.folder_named = "project/drizzle"
        rows = json.loads(self.schema("import", "--json").out)["migrations"]
        self.assertEqual([(row["state"], row.get("note", "")[:11]) for row in rows],
                         [("applied", ""), ("pending", "passed over")])
        self.assertEqual(self.applied(), ["0001"])


class OnMariadb(sql_case.ServerTarget, SqitchCase, LiquibaseCase, PrismaCase, support.TestCase):
    SERVERS = mariadb
    ENGINE = "mysql"
    TRUE = "1"
    USER, PASSWORD = "root", ""

    def columns(self, table):
        return [row[0]
                for row in self.ask("SELECT column_name FROM information_schema.columns WHERE table_name = '%s' AND "
                                    "table_schema = database() "
                                    "ORDER BY ordinal_position" % table)]

    def at(self):
        return "root@127.0.0.1:%d/%s" % (self.server.port, self.database)

    def target(self):
        return "db:mysql://" + self.at()

    def sqitch(self):
        self.ask("DROP DATABASE IF EXISTS sqitch")
        return super().sqitch()

    def url(self):
        return "jdbc:mariadb://127.0.0.1:%d/%s" % (self.server.port, self.database)


if __name__ == "__main__":
    unittest.main()
