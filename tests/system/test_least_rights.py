"""Whole migrations by accounts that have just what `check --rights-for` prints, on both sides, and changes of schemas
by accounts with
just what docs/security.md says. What check prints for a plain copy is what stands there, too."""
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
import unittest.mock
import urllib.error
import urllib.parse
import urllib.request

import support

sys.path.insert(0, os.path.join(support.ROOT, "tests", "servers"))
import cassandra_server  # noqa: E402
import dynamodb_case  # noqa: E402
import items  # noqa: E402
import mariadb  # noqa: E402
import mysql  # noqa: E402
import postgres  # noqa: E402
import redis_server  # noqa: E402
import servers  # noqa: E402


def documented(title, renamed):
    """The statements of a database's table in the docs: [(for, side, statement)], with the names there replaced."""
    with open(os.path.join(support.ROOT, "docs", "security.md"), encoding="utf-8") as file:
        text = file.read()
    section = text.split("\n### %s\n" % title, 1)[1].split("\n### ", 1)[0].split("\n## ", 1)[0]
    found = []
    for use, side, _, statement in re.findall(r"^\| ([^|]+) \| (source|target|database) \| (`{1,2}) "
                                              r"?((?:[^|\\]|\\.)+?) ?\3 \|$", section, re.M):
        statement = statement.replace("\\|", "|")
        for old, new in renamed.items():
            statement = re.sub(r"(?<!\w)%s(?!\w)" % re.escape(old), lambda _, new=new: new, statement)
        found.append((use, side, statement))
    return found


class Migrated:
    """What holds for each database. `perform` runs a statement as the administrator, `plain` are the account's URIs."""
    COPY, ROLLBACK, FOLLOW, CUT_OVER = "copy", "rollback", "follow", "cut-over"
    MIGRATION = ("CREATE TABLE made (id int PRIMARY KEY); ALTER TABLE orders ADD COLUMN note varchar(9); "
                 "CREATE INDEX noted ON orders (note);")
    CHANGE = ("operations:\n  - add_column: { table: customers, column: { name: w, type: int }, up: u + 1 }\n"
              "  - alter_column: { table: customers, column: u, type: bigint, up: u, down: u }\n")

    def asked(self, *options):
        """What an account needs, as check says it to the administrator."""
        out = json.loads(self.run_program("check", "--json", "--rights-for", self.account, *options,
                                          self.uri(self.source), self.uri(self.target)).out)
        return out["rights_for"]

    def grant(self, rights, *uses):
        for side, name in (("source", self.source), ("target", self.target)):
            for statement in rights[side]:
                if statement["for"] in uses:
                    self.perform(name, statement["text"])

    def plain(self):
        return [self.mover(self.source), self.mover(self.target)]

    def test_without_them_nothing_is_done(self):
        self.assertIn(support.transhume("check", *self.plain(), cwd=self.folder).code, (2, 3))

    def test_a_copy_is_made_and_taken_back(self):
        self.grant(self.asked(), self.COPY)
        self.run_program("check", *self.plain())
        self.run_program("migrate", *self.plain())
        self.run_program("validate", "--level", "hash")
        self.assertEqual(self.count(self.target, "orders"), 50)
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.tables(self.target), [])

    def test_a_copy_that_was_stopped_is_resumed_and_finished(self):
        self.grant(self.asked(), self.COPY)
        process = self.stopped_at("engine.chunk_started:stop:2", "migrate", *self.plain(), may_end=True)
        self.end(process)
        self.run_program("resume")
        self.run_program("validate", "--level", "hash")
        self.run_program("finish", "--confirm")
        self.assertEqual(self.count(self.target, "customers"), 50)

    def test_records_of_tables_that_are_there_are_overwritten_and_put_back(self):
        self.make_tables(self.target)
        self.fill(self.target, 10, 5)
        self.grant(self.asked("--existing", "upsert"), self.COPY, self.ROLLBACK)
        self.run_program("check", "--existing", "upsert", *self.plain())
        self.run_program("migrate", "--existing", "upsert", *self.plain())
        self.assertEqual(self.count(self.target, "customers"), 50)
        self.run_program("validate", "--level", "hash")
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.count(self.target, "customers"), 10)

    def test_records_are_added_and_taken_out(self):
        self.make_tables(self.target)
        self.grant(self.asked("--existing", "append"), self.COPY, self.ROLLBACK)
        self.run_program("migrate", "--existing", "append", *self.plain())
        self.assertEqual(self.count(self.target, "customers"), 50)
        self.run_program("rollback", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.count(self.target, "customers"), 0)

    def test_changes_are_followed_and_the_application_cut_over(self):
        self.grant(self.asked("--follow"), self.COPY, self.ROLLBACK, self.FOLLOW, self.CUT_OVER)
        out = json.loads(self.run_program("check", "--follow", "--json", *self.plain()).out)
        self.assertEqual((out["problems"], out["follow"]["cut_over"]), ([], []))
        self.run_program("migrate", "--follow", "--catch-up", *self.plain())
        self.change(self.source)
        self.run_program("follow", "--catch-up")
        self.assertEqual(self.count(self.target, "customers"), 51)
        self.run_program("cutover", "--confirm", "--max-lag", "1m")
        self.assertRaises(Exception, self.change, self.source)
        self.run_program("finish", "--confirm")

    def test_changes_are_followed_into_tables_that_are_there(self):
        self.make_tables(self.target)
        self.make_trigger(self.target)
        self.grant(self.asked("--follow", "--existing", "append"), self.COPY, self.ROLLBACK, self.FOLLOW, self.CUT_OVER)
        out = json.loads(self.run_program("check", "--follow", "--json", "--existing", "append", *self.plain()).out)
        self.assertEqual((out["problems"], out["follow"]["cut_over"]), ([], []))
        self.run_program("migrate", "--follow", "--catch-up", "--existing", "append", *self.plain())
        self.change(self.source)
        self.run_program("follow", "--catch-up")
        self.assertEqual(self.count(self.target, "customers"), 51)
        self.run_program("cutover", "--confirm", "--max-lag", "1m")
        self.run_program("finish", "--confirm")

    def grant_documented(self, use):
        statements = [statement for what, side, statement in documented(self.TITLE, self.names())
                      if (what, side) == (use, "database")]
        self.assertNotEqual(statements, [])
        for statement in statements:
            self.perform(self.source, statement)

    def test_a_schema_is_migrated(self):
        self.grant_documented("schema up")
        os.makedirs(self.path("migrations"))
        self.write("migrations/001_note.sql", self.MIGRATION)
        self.run_program("schema", "up", self.mover(self.source))
        self.run_program("schema", "status", self.mover(self.source))
        self.assertEqual(self.count(self.source, "made"), 0)

    def test_a_change_is_made_and_another_one_taken_back(self):
        self.grant_documented("change")
        os.makedirs(self.path("migrations"))
        self.perform(self.source, self.ALONE)   # nothing else stands on the table
        self.write("migrations/001_w.change.yaml", self.CHANGE)
        file, database = self.path("migrations", "001_w.change.yaml"), self.mover(self.source)
        self.run_program("change", "check", file, database)
        self.run_program("change", "start", file, database)
        self.run_program("change", "abort", database)
        self.run_program("change", "run", file, database, "--confirm")
        self.assertEqual(self.count(self.source, "customers WHERE w = u + 1"), 50)

    def test_the_docs_say_the_same(self):
        rights = self.asked("--follow")
        said = {(side, statement["text"].rstrip(";").replace("\\_", "_")) for side in rights
                for statement in rights[side]}
        written = {(side, statement) for use, side, statement in documented(self.TITLE, self.names())
                   if side != "database"}
        self.assertEqual(said, written)


class Postgres(Migrated, support.TestCase):
    TITLE = "PostgreSQL"
    ALONE = "DROP VIEW v; DROP TRIGGER stamp ON customers"

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
            self.perform("postgres", "REVOKE ALL ON DATABASE %s FROM PUBLIC; GRANT CONNECT, CREATE ON DATABASE %s TO %s"
                         % (name, name, self.owner))
            self.perform(name, "REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT ALL ON SCHEMA public TO %s" % self.owner)
        self.make_tables(self.source)
        self.perform(self.source, "SET ROLE %s; CREATE VIEW v AS SELECT * FROM customers" % self.owner)
        self.make_trigger(self.source)
        self.fill(self.source, 50, 0)

    def make_trigger(self, name):
        self.perform(name,
                     "SET ROLE %s; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
                     "CREATE TRIGGER stamp BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION f()" % self.owner)

    def test_check_names_each_that_is_lacking(self):
        for left in range(7):
            self.perform("postgres", "DROP OWNED BY %s; DROP ROLE %s; CREATE ROLE %s LOGIN" % (3 * (self.account,))
                         if left == 0 else "SELECT 1")
            for name in (self.source, self.target):
                self.perform(name, "DROP OWNED BY %s" % self.account)
            rights = [(side, statement["text"]) for side, statements in self.asked().items() for statement in statements
                      if statement["for"] == self.COPY]
            if left >= len(rights):
                break
            for number, (side, text) in enumerate(rights):
                if number != left:
                    self.perform(self.source if side == "source" else self.target, text)
            result = support.transhume("check", *self.plain(), cwd=self.folder)
            what = re.match(r"GRANT (\w+)", rights[left][1]).group(1)
            self.assertRegex(" ".join((result.out + result.err).split()),
                             r"GRANT %s\b.* ON (\w+ )?\S+ TO [^ ]?%s|GRANT %s ON SEQUENCE" % (what, self.account, what),
                             rights[left])
        self.assertEqual(left, 6)

    def names(self):
        return {"shop": self.source, "store": self.target, "mover": self.account, "app": self.owner}

    def uri(self, name):
        return self.server.uri(name)

    def mover(self, name):
        return self.server.uri(name).replace("postgres@", self.account + "@")

    def perform(self, name, statement):
        return self.server.psql(name, statement)

    def make_tables(self, name):
        self.perform(name, "SET ROLE %s; CREATE TABLE customers (id serial PRIMARY KEY, u int);"
                     "CREATE TABLE orders (id int PRIMARY KEY, pid int REFERENCES customers)" % self.owner)

    def fill(self, name, count, value):
        self.perform(name,
                     "INSERT INTO customers SELECT i, %d FROM generate_series(1, %d) i; INSERT INTO orders SELECT id, "
                     "id FROM customers;"
                     "SELECT setval('customers_id_seq', %d)" % (value, count, count))

    def change(self, name):
        self.perform(name,
                     "SET ROLE %s; INSERT INTO customers (u) VALUES (7); UPDATE customers SET u = 9 WHERE id = 3; "
                     "DELETE FROM orders WHERE id = 4" % self.owner)

    def count(self, name, table):
        return int(self.perform(name, "SELECT count(*) FROM %s" % table)[0][0])

    def tables(self, name):
        return self.perform(name, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")


class Mariadb(Migrated, support.TestCase):
    TITLE = "MariaDB"
    ALONE = "DROP VIEW v; DROP TRIGGER stamp"
    KIND = mariadb

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.KIND.Server(settings={**mariadb.FOLLOWED, "log-bin-trust-function-creators": "0"})
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        super().setUp()
        self.source, self.target = self.server.database(), self.server.database()
        mine = unittest.mock.patch.dict(os.environ, TRANSHUME_DEFINER="self")   # another one takes more than the least
        mine.start()
        self.addCleanup(mine.stop)
        self.account = "m_%s@127.0.0.1" % self.source
        self.quoted = "'m_%s'@'127.0.0.1'" % self.source
        self.perform("mysql", "CREATE USER %s" % self.quoted)
        self.addCleanup(self.perform, "mysql", "DROP USER %s; SET GLOBAL log_bin_trust_function_creators = OFF"
                        % self.quoted)
        self.make_tables(self.source)
        self.perform(self.source, "CREATE VIEW v AS SELECT * FROM customers; "
                                  "CREATE FUNCTION f(a int) RETURNS int DETERMINISTIC RETURN a;"
                                  "CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DO DELETE FROM customers WHERE id < 0")
        self.make_trigger(self.source)
        self.fill(self.source, 50, 0)

    def make_trigger(self, name):
        self.perform(name, "CREATE TRIGGER stamp BEFORE UPDATE ON customers FOR EACH ROW SET NEW.u = NEW.u")

    def test_names_of_databases_are_no_patterns(self):
        """GRANT takes "_" and "%" of them for anything."""
        number = self.source.rpartition("_")[2]
        names = ["a_b%%c`d%s" % number, "e_%s" % number]
        near = ["axbzzc`d%s" % number, "ex%s" % number]
        quoted = {name: "`%s`" % name.replace("`", "``") for name in names + near}
        for name in names + near:
            self.perform("",
                         "CREATE DATABASE %s; CREATE TABLE %s.t (id int PRIMARY KEY); CREATE TABLE %s.k (v int); "
                         "INSERT INTO %s.t VALUES (1)" % ((quoted[name],) * 4))
            self.addCleanup(self.perform, "", "DROP DATABASE IF EXISTS %s" % quoted[name])
        self.perform("", "DROP TABLE %s.t; DROP TABLE %s.k" % (quoted[names[1]], quoted[names[1]]))
        self.source, self.target = (urllib.parse.quote(name, safe="") for name in names)
        for statements in self.asked("--follow").values():
            for statement in statements:
                self.perform("", statement["text"])
        self.run_program("migrate", *(self.server.uri(name).replace("root@", self.account.partition("@")[0] + "@")
                                      for name in (self.source, self.target)))
        for name in names + near:
            said = subprocess.run(["mariadb", "--no-defaults", "-u" + self.account.partition("@")[0], "-h127.0.0.1",
                                   "-P%d" % self.server.port,
                                   "-e", "SELECT * FROM %s.t" % quoted[name]], capture_output=True, text=True,
                                  check=False)
            self.assertEqual("denied" in said.stderr, name in near, said)

    def test_what_is_granted_more_hides_nothing(self):
        """Of several names that fit, one alone counts: who has rights on the bare name gets more of them there."""
        said = {}
        for place, put in (("bare", str), ("escaped", lambda name: name.replace("_", r"\_"))):
            for name in (self.source, self.target):
                self.perform("", "GRANT SELECT, DELETE, LOCK TABLES, EVENT ON `%s`.* TO %s" % (put(name), self.quoted))
            asked = [statement["text"] for side in self.asked("--follow").values() for statement in side]
            result = support.transhume("check", *self.plain(), cwd=self.folder)
            self.assert_code(result, 2)
            hinted = re.findall(r"GRANT [^:]*? ON `test[^.]*`\.\* TO \S+", " ".join((result.out + result.err).split()))
            self.assertTrue(hinted, result.out + result.err)
            said[place] = {name for statement in asked + hinted for name in re.findall(r"ON (`[^.]*`)\.\*", statement)}
            self.perform("", "; ".join(statement.rstrip(";") for statement in (hinted if place == "bare"
                                                                               else asked + hinted)))
            self.run_program("migrate", "--state", self.path(place), *self.plain(), code=0)
            self.perform("", "REVOKE ALL, GRANT OPTION FROM %s; DROP DATABASE %s; CREATE DATABASE %s" % (self.quoted,
                self.target, self.target))
        self.assertEqual(said["bare"], {"`%s`" % name for name in (self.source, self.target)})
        self.assertEqual(said["escaped"], {name.replace("_", r"\_") for name in said["bare"]})

    def names(self):
        return {"shop": self.source, "store": self.target, "'mover'@'%'": self.quoted}

    def uri(self, name):
        return self.server.uri(name)

    def mover(self, name):
        return self.server.uri(name).replace("root@", "m_%s@" % self.source)

    def perform(self, name, statement):
        return self.server.ask(name, statement)

    def make_tables(self, name):
        self.perform(name,
                     "CREATE TABLE customers (id int PRIMARY KEY AUTO_INCREMENT, u int); "
                     "CREATE TABLE orders (id int PRIMARY KEY, pid int, FOREIGN KEY (pid) REFERENCES customers (id))")

    def fill(self, name, count, value):
        self.perform(name, "INSERT INTO customers VALUES %s; INSERT INTO orders SELECT id, id FROM customers"
                     % ", ".join("(%d, %d)" % (i, value) for i in range(1, count + 1)))

    def change(self, name):
        self.perform(name,
                     "INSERT INTO customers (u) VALUES (7); UPDATE customers SET u = 9 WHERE id = 3; "
                     "DELETE FROM orders WHERE id = 4")

    def count(self, name, table):
        return int(self.perform(name, "SELECT count(*) FROM %s" % table)[0][0])

    def tables(self, name):
        return self.perform(name, "SELECT table_name FROM information_schema.tables WHERE table_schema = '%s'" % name)


class Mysql(Mariadb):
    TITLE = "MySQL"
    KIND = mysql


class Crossed(support.TestCase):
    """From PostgreSQL into MariaDB and back, and a plan that reads some of a database."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postgres, cls.mariadb = postgres.for_class(cls), mariadb.for_class(cls)

    def setUp(self):
        super().setUp()
        self.left, self.right = self.postgres.database(), self.mariadb.database()
        self.postgres.psql("postgres", "CREATE ROLE m_%s LOGIN; REVOKE ALL ON DATABASE %s FROM PUBLIC" % (self.left,
            self.left))
        self.postgres.psql(self.left, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
        self.account = "m_%s@127.0.0.1" % self.left
        self.mariadb.ask("mysql", "CREATE USER 'm_%s'@'127.0.0.1'" % self.left)
        self.addCleanup(self.mariadb.ask, "mysql", "DROP USER 'm_%s'@'127.0.0.1'" % self.left)
        self.uris = {"postgres": self.postgres.uri(self.left), "mariadb": self.mariadb.uri(self.right)}

    def migrate(self, source, target, *options):
        perform = {"postgres": lambda text: self.postgres.psql(self.left, text),
                   "mariadb": lambda text: self.mariadb.ask("mysql", text)}
        for side, name in (("source", source), ("target", target)):   # the accounts are not called alike
            account = self.account if name == "mariadb" else self.account.split("@", maxsplit=1)[0]
            out = json.loads(self.run_program("check", "--json", "--rights-for", account, *options, self.uris[source],
                                              self.uris[target]).out)
            for statement in out["rights_for"][side]:
                perform[name](statement["text"])
        plain = {name: uri.replace("postgres@", "m_%s@" % self.left).replace("root@", "m_%s@" % self.left)
                 for name, uri in self.uris.items()}
        self.run_program("migrate", *options, plain[source], plain[target])
        self.run_program("validate", "--level", "hash")
        self.run_program("rollback", "--run", self.run_id(), "--confirm")

    def test_into_mariadb(self):
        self.postgres.psql(self.left,
                           "CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, "
                           "a int REFERENCES a); INSERT INTO a VALUES (1, 'x'); INSERT INTO b VALUES (1, 1)")
        self.migrate("postgres", "mariadb")

    def test_into_postgres_with_some_tables_left_out(self):
        self.mariadb.ask(self.right,
                         "CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY); "
                         "CREATE TABLE c (id int PRIMARY KEY); INSERT INTO a VALUES (1, 'x')")
        self.migrate("mariadb", "postgres", "--include", "a", "--include", "b")   # what it may not read it does not see
        out = json.loads(self.run_program("check", "--json", "--rights-for", self.account, "--include", "a",
                                          "--include", "b", self.uris["mariadb"], self.uris["postgres"]).out)
        self.assertFalse([line for line in out["rights_for"]["source"] if ".*" in line["text"]
                          and "SELECT" in line["text"]], out["rights_for"])


class Cassandra(support.TestCase):
    """Roles that a server with an authorizer keeps apart."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = AuthorizingCassandra(settings={"authenticator": "PasswordAuthenticator",
                                                    "authorizer": "CassandraAuthorizer",
                                                    "role_manager": "CassandraRoleManager",
                                                    "permissions_validity_in_ms": 0, "roles_validity_in_ms": 0,
                                                    "credentials_validity_in_ms": 0})
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        super().setUp()
        self.source, self.target = self.server.database(), self.server.database()
        self.account = "mover_" + self.source
        self.ask("CREATE ROLE %s WITH PASSWORD = 'secret' AND LOGIN = true" % self.account)
        for name in ("customers", "orders"):
            self.ask("CREATE TABLE %s (id int PRIMARY KEY, u int)" % name, self.source)
            for i in range(50):
                self.ask("INSERT INTO %s (id, u) VALUES (%d, 1)" % (name, i), self.source)

    def ask(self, cql, keyspace="system"):
        return self.server.ask(keyspace, cql)

    def uri(self, name, account="cassandra:cassandra"):
        return self.server.uri(name).replace("://", "://%s@" % account)

    def plain(self):
        return [self.uri(name, self.account + ":secret") for name in (self.source, self.target)]

    def names(self):
        return {"shop": self.source, "store": self.target, "mover": self.account}

    def asked(self):
        return json.loads(self.run_program("check", "--json", "--rights-for", self.account, self.uri(self.source),
                                           self.uri(self.target)).out)["rights_for"]

    def test_a_copy_is_made_and_taken_back(self):
        self.assertIn(support.transhume("check", *self.plain(), cwd=self.folder).code, (2, 3))
        for side in self.asked().values():
            for statement in side:
                self.ask(statement["text"].rstrip(";"))
        self.run_program("migrate", *self.plain())
        self.run_program("validate", "--level", "hash", *self.plain())
        self.assertEqual(self.ask("SELECT count(*) FROM orders", self.target), [(50,)])
        self.run_program("rollback", "--run", self.run_id(), "--confirm", self.plain()[1])
        self.assertEqual(self.ask("SELECT table_name FROM system_schema.tables WHERE keyspace_name = '%s'"
                                  % self.target), [])

    def test_a_keyspace_that_is_made(self):
        """Nothing can be granted on it before; who makes it may do all there."""
        self.target = "new_" + self.source
        self.addCleanup(self.ask, "DROP KEYSPACE IF EXISTS %s" % self.target)
        made = self.uri(self.target) + "?create=true"
        said = json.loads(self.run_program("check", "--json", "--rights-for", self.account, self.uri(self.source),
                                           made).out)["rights_for"]
        for side in said.values():
            for statement in side:
                self.ask(statement["text"].rstrip(";"))
        self.run_program("migrate", self.plain()[0], self.plain()[1] + "?create=true")
        self.assertEqual(self.ask("SELECT count(*) FROM orders", self.target), [(50,)])
        self.run_program("rollback", "--run", self.run_id(), "--confirm", self.plain()[1])

    def test_a_schema_is_migrated(self):
        for what, _, statement in documented("Cassandra", self.names()):
            if what == "schema up":
                self.ask(statement)
        os.makedirs(self.path("migrations"))
        self.write("migrations/001_note.cql",
                   "CREATE TABLE made (id int PRIMARY KEY);\nALTER TABLE orders ADD note text;\n")
        self.run_program("schema", "up", self.plain()[0])
        self.write("migrations/002_w.change.yaml",
                   "operations:\n  - add_column: { table: customers, column: { name: w, type: int } }\n")
        self.run_program("change", "run", self.path("migrations", "002_w.change.yaml"), self.plain()[0], "--confirm")

    def test_the_docs_say_the_same(self):
        rights = self.asked()
        said = {(side, statement["text"].rstrip(";")) for side in rights for statement in rights[side]}
        self.assertEqual(said, {(side, statement) for _, side, statement in documented("Cassandra", self.names())
                                if side != "database"})


class AuthorizingCassandra(cassandra_server.Server):
    """Whose role `cassandra` is made a moment after it answers."""

    def connect(self):
        if self.connection is None:
            from cassandra.auth import PlainTextAuthProvider
            from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
            from cassandra.query import tuple_factory
            deadline = time.monotonic() + self.READY_S
            while self.connection is None:
                profile = ExecutionProfile(request_timeout=60, row_factory=tuple_factory)
                cluster = Cluster(["127.0.0.1"], port=self.port, protocol_version=4,
                                  execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                                  auth_provider=PlainTextAuthProvider("cassandra", "cassandra"))
                try:
                    self.connection = cluster.connect()
                except NoHostAvailable:
                    cluster.shutdown()
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.2)
        return self.connection


class Redis(support.TestCase):
    """Users of Redis 7 with just the commands that the docs list."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = redis_server.Server()
        cls.addClassCleanup(cls.server.stop)

    def user(self, side, number):
        name = "mover_%s_%s" % (side, number)
        for _, of, statement in documented("Redis", {"mover": name}):
            if of == side:
                self.server.ask(0, *statement.split())
        return self.server.uri(number).replace("://", "://%s:secret@" % name)

    def test_a_copy_is_made_and_taken_back(self):
        first, second = self.server.database(), self.server.database()
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO a VALUES (1, 'x'), (2, 'y')")
        self.run_program("migrate", "sqlite:source.db", self.user("target", first))
        self.run_program("validate", "--level", "hash", "sqlite:source.db", self.user("target", first))
        self.run_program("migrate", "--state", "second", self.user("source", first), self.user("target", second))
        self.assertEqual(self.server.ask(second, "HGET", "a:2", "v"), b"y")
        self.run_program("rollback", "--run", self.run_id(), "--confirm", self.user("target", first))
        self.assertEqual(self.server.ask(first, "EXISTS", "a:2"), 0)


class Guard(http.server.ThreadingHTTPServer):
    """Stands before an emulator of DynamoDB, which knows no policies, and refuses what a policy does not allow."""
    daemon_threads = True

    def __init__(self, behind):
        super().__init__(("127.0.0.1", 0), GuardRequest)
        self.behind, self.policies, self.refused = behind, [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def allows(self, action, tables):
        statements = [statement for policy in self.policies for statement in policy["Statement"]
                      if "dynamodb:" + action in statement["Action"]]
        named = {arn.rsplit("table/", 1)[-1] for statement in statements for arn in statement["Resource"]}
        return "*" in named or (bool(tables) and named.issuperset(tables))


class GuardRequest(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        action, asked = self.headers["X-Amz-Target"].split(".")[1], json.loads(body)
        tables = {name.rsplit("table/", 1)[-1] for name in (asked.get("TableName"), asked.get("ResourceArn"))
                  if name} | set(asked.get("RequestItems", {}))
        status, answer = 400, json.dumps({"__type": "com.amazon.coral.service#AccessDeniedException",
                                          "Message": "not authorized: %s on %s" % (action, sorted(tables))}).encode()
        if self.server.allows(action, tables):
            request = urllib.request.Request(self.server.behind, body,
                                             {name: value for name, value in self.headers.items()
                                              if name.lower() not in ("host", "content-length", "connection")})
            try:
                with urllib.request.urlopen(request, timeout=60) as found:
                    status, answer = found.status, found.read()
            except urllib.error.HTTPError as fault:
                status, answer = fault.code, fault.read()
        else:
            self.server.refused.append((action, sorted(tables)))
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Nobody reads it."""


class Dynamodb(dynamodb_case.DynamodbCase):
    """The policies that check prints, before a guard that obeys them."""

    def guarded(self, *policies):
        guard = Guard(self.server.endpoint)
        self.addCleanup(guard.server_close)
        self.addCleanup(guard.shutdown)
        guard.policies = policies
        return guard, self.uri("http://127.0.0.1:%d" % guard.server_port)

    def policy(self, side, *uris):
        rights = json.loads(self.run_aws("check", "--json", "--rights-for", "mover", *uris).out)["rights_for"]
        return [json.loads(statement["text"]) for statement in rights[side]]

    def test_what_a_policy_does_not_allow_is_refused(self):
        guard, uri = self.guarded()
        support.make_sqlite(self.path("source.db"), "CREATE TABLE things (id INTEGER PRIMARY KEY, v TEXT)")
        self.run_aws("migrate", "sqlite:source.db", uri, code=2)
        self.assertNotEqual(guard.refused, [])

    def test_a_copy_is_made_and_taken_back(self):
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE things (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO things VALUES (1, 'x'), "
                            "(2, 'y')")
        guard, uri = self.guarded(*self.policy("target", "sqlite:source.db", self.uri()))
        self.run_aws("migrate", "sqlite:source.db", uri)
        self.run_aws("validate", "--level", "hash", "sqlite:source.db", uri)
        self.run_aws("rollback", "--run", self.run_id(), "--confirm", uri)
        self.assertEqual((guard.refused, items.tables(self.client)), ([], []))

    def test_a_whole_copy_is_read(self):
        support.make_sqlite(self.path("source.db"),
                            "CREATE TABLE things (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO things VALUES (1, 'x'), "
                            "(2, 'y')")
        self.run_aws("migrate", "--state", "first", "sqlite:source.db", self.uri())
        guard, uri = self.guarded(*self.policy("source", self.uri(), "dynamodb-json:out"))
        self.run_aws("migrate", uri, "dynamodb-json:out")
        self.assertEqual(guard.refused, [])

    def test_a_database_without_tables(self):
        """No statement of a policy is for nothing, which would be refused."""
        for side, uris in (("source", (self.uri(), "dynamodb-json:out")),
                           ("target", ("dynamodb-json:none", self.uri()))):
            os.makedirs(self.path("none"), exist_ok=True)
            result = support.transhume("check", "--json", "--rights-for", "mover", *uris, cwd=self.folder,
                                       env=servers.aws_environment(self.folder))
            for statement in json.loads(result.out)["rights_for"][side]:
                self.assertNotIn([], [part["Resource"] for part in json.loads(statement["text"])["Statement"]])
