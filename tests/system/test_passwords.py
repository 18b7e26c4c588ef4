"""
A password in a URI is not kept: later commands have it from the environment, a file of the engine's own, a terminal, or
the URI said again.
"""
import os
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "servers")]
import mariadb
import postgres
import refusals
import support
import test_cli

PASSWORD = "o$pen 7@x"
ENCODED = "o$pen%207%40x"


class Passwords:
    """Of a target; the run was started with the password in its URI."""

    def setUp(self):
        super().setUp()
        self.shop()
        os.makedirs(self.path("home"))
        self.env = {name: None for name in os.environ if name.startswith(("PG", "MYSQL"))}
        self.env["HOME"] = self.path("home")
        self.name = self.server.database()
        self.uri = "%s://keeper:%s@127.0.0.1:%d/%s" % (self.scheme, ENCODED, self.server.port, self.name)
        self.let_in()

    def say(self, *arguments, code=0, **env):
        return self.run_program(*arguments, code=code, env=dict(self.env, **env))

    def migrated(self):
        self.say("migrate", "--quiet", "shop.db", self.uri)
        return self.run_id()

    def killed(self):
        killed = support.kill_at("engine.after_commit", 2, "migrate", "--chunk-rows", "20", "shop.db", self.uri,
                                 cwd=self.folder, env=self.env)
        self.assert_code(killed, -9)

    def test_one_that_is_not_there_is_said_so(self):
        self.killed()
        for command in (["validate"], ["resume"], ["rollback", "--run", self.run_id(), "--confirm"],
                        ["finish", "--confirm"]):
            with self.subTest(command=command):
                said = self.say(*command, code=2).err
                self.assertIn("[credentials]", said)
                self.assertIn("the password that the run had is not kept: set " + self.variable, said)
        self.assertIn("in progress", self.say("status").out)

    def test_from_the_environment(self):
        self.killed()
        env = {self.variable: PASSWORD}
        self.say("resume", **env)
        self.say("validate", **env)
        self.say("rollback", "--run", self.run_id(), "--confirm", **env)
        self.assertEqual(self.tables(), [])

    def test_from_a_file(self):
        self.killed()
        name, text = self.own_file
        with open(self.path("home", name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path("home", name), 0o600)
        self.say("resume")
        self.say("validate")
        self.say("rollback", "--run", self.run_id(), "--confirm")

    def test_the_uri_again(self):
        """It finds the run, whether it says the password or leaves it to the environment."""
        self.killed()
        env = {self.variable: PASSWORD}
        bare = self.uri.replace(":" + ENCODED, "")
        self.say("resume", "shop.db", self.uri)
        run = self.run_id()
        for uri in (self.uri, bare, self.uri.replace(ENCODED, "***")):
            with self.subTest(uri=uri):
                self.say("validate", "shop.db", uri, **({} if ENCODED in uri else env))
                self.assertIn("valid    equal at level hash", self.say("status").out)
        self.say("rollback", "--run", run, "--dry-run", "shop.db", bare, **env)
        self.say("rollback", "--run", run, "--confirm", "shop.db", self.uri)
        self.assertEqual(self.tables(), [])
        self.assertIn("rolled back", self.say("report", "--run", run, "-o", "-").out)

    def test_in_the_plan(self):
        self.write("plan.yaml", "transhume: 1\nsource: sqlite:shop.db\ntarget: %s\n" % self.uri)
        killed = support.kill_at("engine.after_commit", 2, "migrate", "--chunk-rows", "20", "--plan", "plan.yaml",
                                 cwd=self.folder, env=self.env)
        self.assert_code(killed, -9)
        self.say("resume")
        self.say("validate", "--plan", "plan.yaml")
        self.say("validate")

    def test_by_a_named_connection(self):
        """The state keeps the name, and the file of connections the password."""
        self.write("connections.yaml", "there: '%s'\n" % self.uri)
        os.chmod(self.path("connections.yaml"), 0o600)
        self.env["TRANSHUME_CONNECTIONS"] = "connections.yaml"
        killed = support.kill_at("engine.after_commit", 2, "migrate", "--chunk-rows", "20", "shop.db", "@there",
                                 cwd=self.folder, env=self.env)
        self.assert_code(killed, -9)
        self.say("resume")
        self.say("validate")
        self.say("rollback", "--run", self.run_id(), "--confirm")
        self.assertEqual(self.tables(), [])

    def test_the_uri_again_means_the_tables_of_the_run(self):
        self.say("migrate", "--quiet", "--include", "customer", "shop.db", self.uri)
        self.say("validate", "shop.db", self.uri)
        self.say("validate", **{self.variable: PASSWORD})

    def test_on_a_terminal(self):
        """Asked once for each database, and not shown."""
        self.migrated()
        terminal = test_cli.Terminal("validate", cwd=self.folder,
                                     env={**os.environ, **{k: v or "" for k, v in self.env.items()}})
        terminal.read_until("Password for [^\\n]*: ")
        terminal.type(PASSWORD + "\n")
        self.assertEqual(terminal.finish(), 0, terminal.text)
        self.assertEqual(terminal.text.count("Password for"), 1)
        self.assertIn("equal at level hash", terminal.text)
        self.assertNotIn(PASSWORD, terminal.text)

    def test_an_answer_that_is_wrong_or_none(self):
        self.migrated()
        for typed in ("wrong\n", "\n", "\x03", "half" + "\x03"):
            with self.subTest(typed=typed):
                terminal = test_cli.Terminal("validate", cwd=self.folder,
                                             env={**os.environ, **{k: v or "" for k, v in self.env.items()}})
                terminal.read_until("Password for [^\\n]*: ")
                terminal.type(typed)
                self.assertEqual(terminal.finish(), 2, terminal.text)
                self.assertIn("[credentials]", terminal.text)

    def test_an_answer_that_is_too_long(self):
        """Is not cut to what may well be another one's."""
        self.migrated()
        terminal = test_cli.Terminal("validate", cwd=self.folder,
                                     env={**os.environ, **{k: v or "" for k, v in self.env.items()}})
        terminal.read_until("Password for [^\\n]*: ")
        terminal.type("x" * 2000 + "\n")
        self.assertEqual(terminal.finish(), 2, terminal.text)
        self.assertIn("the answer is too long", terminal.text)


class Mysql(Passwords, refusals.TestCase):
    scheme, variable, own_file = "mysql", "MYSQL_PWD", (".my.cnf", "[client]\npassword='%s'\n" % PASSWORD)

    @classmethod
    def setUpClass(cls):
        cls.server = mariadb.for_class(cls)

    def let_in(self):
        self.server.ask("",
                        "CREATE OR REPLACE USER keeper@'127.0.0.1' IDENTIFIED BY '%s'; "
                        "GRANT ALL ON *.* TO keeper@'127.0.0.1'" % PASSWORD)

    def tables(self):
        return self.server.ask(self.name, "SHOW TABLES")


class Postgres(Passwords, refusals.TestCase):
    scheme, variable, own_file = "postgres", "PGPASSWORD", (".pgpass", "*:*:*:keeper:%s\n" % PASSWORD)

    @classmethod
    def setUpClass(cls):
        cls.server = postgres.for_class(cls,
                                        hba="host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 "
                                            "scram-sha-256\n")
        cls.server.psql("postgres", "CREATE ROLE keeper LOGIN PASSWORD '%s'" % PASSWORD)

    def let_in(self):
        self.server.psql("postgres", "ALTER DATABASE %s OWNER TO keeper" % self.name)

    def tables(self):
        return self.server.psql(self.name, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
